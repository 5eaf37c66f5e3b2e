"""Whether a model makes only few different images, or copies of its training images: duplicates and nearest neighbors.

All distances are Euclidean: for images in grey levels from 0 to 255, over all pixels and channels; for features, arrays
(N, numbers), in their own units. Pixels only find exact copies; to find a copy that is shifted by one pixel, use the
features of a network.
"""

from dataclasses import dataclass

import numpy as np

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics.levels import checked_images, grey_levels

BLOCK = 1000  # items of each set per block of distances


@dataclass(frozen=True)
class BirthdaySupport:
    """What `birthday_support` returns.

    Args:
        support: estimated number of different items that the model makes; infinite if no batch has a duplicate.
        interval: its (lower, upper) bounds, from the 95 % interval of `probability`.
        probability: share of the batches with a duplicate, 0 to 1.
        pairs: int64 (batches, 2), the closest pair of each batch, as indices into `fake`; the closest of all first.
        distances: float64 (batches,), the distances of `pairs`.
    """

    support: float
    interval: tuple
    probability: float
    pairs: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True)
class NearestNeighbors:
    """What `nearest_neighbors` returns.

    Args:
        indices: int64 (N,), the nearest item's index in `among`.
        distances: float64 (N,).
    """

    indices: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True)
class Memorization:
    """What `memorization` returns.

    Args:
        fake_median: median distance from the samples to their nearest training items.
        held_out_median: median distance from the held-out items to theirs.
        threshold: the percentile of the held-out items' distances.
        share: share of the samples that are closer than `threshold`, 0 to 1.
        expected: the same share for a model whose samples are as new as held-out items.
        samples: int64, the samples that are closer, as indices into `fake`; the closest first.
        nearest: int64, their nearest training items, as indices into `train`.
    """

    fake_median: float
    held_out_median: float
    threshold: float
    share: float
    expected: float
    samples: np.ndarray
    nearest: np.ndarray


def birthday_support(*, fake, batch_size, threshold):
    """Estimates how many different items a model makes from how often a batch of its samples has a duplicate.

    As with birthdays, a batch of s samples, each one of n equally likely items, has a duplicate with probability
    P = 1 - exp(-s (s - 1) / (2 n)), to first order in s / n. So n = s (s - 1) / (-2 log(1 - P)), about 0.7 s^2 if half
    of the batches have one. If the items are not equally likely, n is about 1 / (sum of their squared probabilities),
    and the true number is larger.

    Two samples are duplicates if their distance is at most `threshold`. The right threshold depends on the data: look
    at `pairs`, as the paper's authors did, before you trust the number, and compare with held-out real items. Choose
    `batch_size` so that about half of the batches have a duplicate.

    Args:
        fake: samples in random order: images (N, height, width, channels), uint8 or floats in [-1, 1], or features
            (N, numbers). They are split into N / batch_size batches; the rest is left out.
        batch_size: samples per batch, s, 2 or more; memory is 8 s^2 bytes.
        threshold: 0 or more. 0 works for images in uint8, where equal images have distance 0.

    Returns:
        A `BirthdaySupport`.

    Raises:
        DataError: fewer samples than a batch, or samples that are not images or features.
        ConfigurationError: numbers out of range.

    Example:

    >>> faces = np.random.default_rng(0).integers(6, size=600)          # a die
    >>> fake = np.eye(6)[faces]
    >>> found = kg.metrics.birthday_support(fake=fake, batch_size=2, threshold=0.5)
    >>> found.interval[0] < 6 < found.interval[1]
    True

    Reference: Arora and Zhang, 2017, "Do GANs actually learn the distribution? An empirical study",
    https://arxiv.org/abs/1706.08224
    """
    fake = _checked("fake", fake)
    if not isinstance(batch_size, int) or batch_size < 2 or not 0.0 <= threshold < np.inf:
        raise ConfigurationError(
            f"Expected a batch_size of 2 or more and a threshold of 0 or more. Received: {batch_size!r}, {threshold!r}."
        )
    if len(fake) < batch_size:
        raise DataError(
            f"Expected at least one batch of {batch_size} samples. Received: {len(fake)}. Generate more; a narrow "
            "interval needs a hundred batches."
        )
    starts = range(0, len(fake) - batch_size + 1, batch_size)
    found = [(start, *_closest_pair(_rows(fake[start : start + batch_size]))) for start in starts]
    pairs = np.array([(start + i, start + j) for start, i, j, _ in found])
    distances = np.array([distance for *_, distance in found])
    order = np.argsort(distances, kind="stable")
    probability = float(np.mean(distances <= threshold))
    low, high = _interval(probability, len(found))
    return BirthdaySupport(
        support=_support(probability, batch_size),
        interval=(_support(high, batch_size), _support(low, batch_size)),
        probability=probability,
        pairs=pairs[order],
        distances=distances[order],
    )


def nearest_neighbors(*, fake, among):
    """The nearest of other items, for example of the training set, for each sample.

    Args:
        fake: (N, height, width, channels), uint8 or floats in [-1, 1], or features (N, numbers).
        among: (M, ...) of the same kind. The additional memory does not grow with N or M.

    Returns:
        `NearestNeighbors`; of several items at the same distance, the first.

    Raises:
        DataError: sets that are empty, of different shapes, or not images or features.

    Example:

    >>> found = kg.metrics.nearest_neighbors(fake=np.array([[0.0, 1.0]]), among=np.array([[3.0, 5.0], [0.0, 3.0]]))
    >>> found.indices.tolist(), found.distances.tolist()
    ([1], [2.0])
    """
    fake, among = _checked_alike(fake=fake, among=among)
    indices, distances = np.empty(len(fake), "int64"), np.empty(len(fake))
    for i in range(0, len(fake), BLOCK):
        rows = _rows(fake[i : i + BLOCK])
        best, place = np.full(len(rows), np.inf), np.zeros(len(rows), "int64")
        for j in range(0, len(among), BLOCK):
            squares = _squares(rows, _rows(among[j : j + BLOCK]))
            nearest = squares.argmin(axis=1)
            least = squares[np.arange(len(rows)), nearest]
            place = np.where(least < best, j + nearest, place)
            best = np.minimum(least, best)
        indices[i : i + BLOCK] = place
        # From the differences: for a copy |a|^2 + |b|^2 - 2 a b is only rounding error.
        distances[i : i + BLOCK] = np.linalg.norm(rows - _rows(among[place]), axis=1)
    return NearestNeighbors(indices=indices, distances=distances)


def memorization(*, fake, train, held_out, percentile=1.0):
    """Whether samples are closer to the training items than other real items are.

    The distances from held-out items to their nearest training items show how close new items come by chance. A sample
    that is closer than their 1st percentile is suspicious; a model that makes new items has about 1 % of them. A much
    larger share means copies; compare `samples` with `nearest`. A small share does not prove that there are no copies.

    Args:
        fake: samples (N, ...).
        train: the items that the model was trained on.
        held_out: items of the same distribution that it was not trained on and that are not in `train`, 100 /
            percentile or more. All three are images (N, height, width, channels), uint8 or floats in [-1, 1], or
            features (N, numbers).
        percentile: percentile of the held-out items' distances, between 0 and 100.

    Returns:
        A `Memorization`.

    Raises:
        DataError: sets that are empty, of different shapes, or not images or features; too few held-out items, or too
            many that are in the training set.
        ConfigurationError: a percentile out of range.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> train, held_out = rng.normal(size=(200, 8)), rng.normal(size=(200, 8))
    >>> kg.metrics.memorization(fake=train[:50] + 1e-3, train=train, held_out=held_out).share
    1.0
    """
    if not 0.0 < percentile < 100.0:
        raise ConfigurationError(f"Expected a percentile between 0 and 100. Received: {percentile!r}.")
    fake, train, held_out = _checked_alike(fake=fake, train=train, held_out=held_out)
    if len(held_out) * percentile < 100.0:
        raise DataError(
            f"Expected at least {100.0 / percentile:g} held-out items, for the percentile {percentile:g}. "
            f"Received: {len(held_out)}. Give more, or choose a larger percentile."
        )
    usual = nearest_neighbors(fake=held_out, among=train).distances
    threshold = float(np.percentile(usual, percentile))
    if threshold == 0.0:
        raise DataError(
            f"Expected held-out items that are not in the training set. Received: {int((usual == 0.0).sum())} of "
            f"{len(held_out)} that are. Leave them out."
        )
    found = nearest_neighbors(fake=fake, among=train)
    order = np.argsort(found.distances, kind="stable")
    samples = order[found.distances[order] < threshold]
    return Memorization(
        fake_median=float(np.median(found.distances)),
        held_out_median=float(np.median(usual)),
        threshold=threshold,
        share=len(samples) / len(fake),
        expected=percentile / 100.0,
        samples=samples,
        nearest=found.indices[samples],
    )


def _checked(name, items):
    """An array of images or of features."""
    items = np.asarray(items)
    if items.ndim == 4:
        return checked_images(items)
    if items.ndim != 2 or items.size == 0 or items.dtype.kind not in "fiu":
        raise DataError(
            f"Expected {name} as images (N, height, width, channels) or features (N, numbers), one or more. "
            f"Received: {items.dtype} {items.shape}."
        )
    if not np.isfinite(items).all():
        raise DataError(f"Expected finite {name}. Received: {int((~np.isfinite(items)).sum())} NaN or infinite ones.")
    return items


def _checked_alike(**sets):
    sets = {name: _checked(name, items) for name, items in sets.items()}
    if len({items.shape[1:] for items in sets.values()}) > 1:
        shapes = ", ".join(f"{name} {items.shape}" for name, items in sets.items())
        raise DataError(
            f"Expected items of one shape in all sets. Received: {shapes}. Resize the images, or take the features of "
            "all of them with the same network."
        )
    return sets.values()


def _rows(items):
    """float64 (N, numbers): images in grey levels, features as they are."""
    values = grey_levels(items) if items.ndim == 4 else items.astype("float64")
    return values.reshape(len(items), -1)


def _squares(one, other):
    """The squared distance of each row of one to each row of the other."""
    squares = one @ other.T
    squares *= -2.0
    squares += np.sum(one**2, axis=1)[:, None]
    squares += np.sum(other**2, axis=1)
    return squares


def _closest_pair(rows):
    squares = _squares(rows, rows)
    squares[np.tri(len(rows), dtype=bool)] = np.inf  # each pair once, without pairs of an item with itself
    i, j = np.unravel_index(squares.argmin(), squares.shape)
    return i, j, np.linalg.norm(rows[i] - rows[j])


def _support(probability, batch_size):
    """n with 1 - exp(-s (s - 1) / (2 n)) = probability."""
    if probability in (0.0, 1.0):
        return np.inf if probability == 0.0 else 0.0
    return float(batch_size * (batch_size - 1) / (-2.0 * np.log1p(-probability)))


def _interval(share, count):
    """Wilson's 95 % interval of a probability, from the share of successes in `count` trials."""
    z = 1.96
    center = (share + z**2 / (2.0 * count)) / (1.0 + z**2 / count)
    half = z / (1.0 + z**2 / count) * np.sqrt(share * (1.0 - share) / count + z**2 / (4.0 * count**2))
    return (0.0 if share == 0.0 else center - half), (1.0 if share == 1.0 else center + half)
