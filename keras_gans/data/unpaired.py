"""Domains of images without pairs: batches of them, and two domains made from one data set."""

import numpy as np

from keras_gans.data.batches import Batches
from keras_gans.data.loading import load
from keras_gans.errors import ConfigurationError, DataError


class UnpairedBatches(Batches):
    """Batches of several domains without pairs, such as the two of CycleGAN or CoGAN.

    Each domain has an order of its own, drawn from (seed, epoch), so that different images meet in a batch in each
    epoch. An epoch has as many examples as the largest domain. Images of a smaller one repeat; if its size does not
    divide the largest, its first images come once more often than its last.

    Args:
        batch_size, shuffle, seed, about: see `Batches`.
        domains: arrays (N, ...) and (M, ...) by name, of any lengths.

    Raises:
        DataError: domains without examples, or what `Batches` refuses.

    Example:

    >>> first, second = np.zeros((6, 8, 8, 1), "uint8"), np.ones((3, 8, 8, 1), "uint8")
    >>> batches = UnpairedBatches(first=first, second=second, batch_size=2)
    >>> len(batches), batches[0]["first"].shape, batches[0]["second"][:, 0, 0, 0].tolist()
    (3, (2, 8, 8, 1), [1, 1])
    """

    def __init__(self, *, batch_size=64, shuffle=True, seed=0, about=None, **domains):
        super().__init__(batch_size=batch_size, shuffle=shuffle, seed=seed, about=about, **domains)

    def _check_lengths(self):
        """Any lengths fit."""

    def orders(self, epoch):
        """The order of each domain in `epoch`: for each an int64 array (N,) of row numbers."""
        orders = [self.order(epoch)]
        for i in range(1, len(self.arrays)):
            # The last number in the seed keeps these streams apart from that of `order`, which has none.
            generator = np.random.Generator(np.random.PCG64([self.seed, epoch, i]))
            orders.append(generator.permutation(self.count) if self.shuffle else orders[0])
        return [order % len(array) for order, array in zip(orders, self.arrays.values())]

    def at(self, step):
        """The batch of a training step, counted from 0: a dict of arrays (batch_size, ...)."""
        epoch, index = divmod(step, len(self))
        drawn = self._drawn
        if drawn[0] != epoch:  # in a variable of its own: several threads may be here
            drawn = self._drawn = epoch, self.orders(epoch)
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return {name: array[order[rows]] for (name, array), order in zip(self.arrays.items(), drawn[1])}


def edges(images):
    """The outlines of images: their dilation by a square of 3x3 pixels, minus the images.

    Args:
        images: uint8 (N, height, width, channels); beyond their borders they are black.

    Returns:
        uint8 of the same shape.

    Raises:
        DataError: anything other than uint8 images.

    Example:

    >>> dot = np.zeros((1, 3, 5, 1), "uint8")
    >>> dot[0, 1, 1] = 200
    >>> edges(dot)[0, :, :, 0].tolist()
    [[200, 200, 200, 0, 0], [200, 0, 200, 0, 0], [200, 200, 200, 0, 0]]

    Reference: Liu and Tuzel, 2016, https://arxiv.org/abs/1606.07536
    """
    images = _checked(images)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    dilated = np.maximum(np.maximum(rows[:, :, :-2], rows[:, :, 1:-1]), rows[:, :, 2:])
    return dilated - images


def negatives(images):
    """The negatives of images, 255 - x.

    Args:
        images: uint8 (N, height, width, channels).

    Returns:
        uint8 of the same shape.

    Raises:
        DataError: anything other than uint8 images.

    Example:

    >>> negatives(np.full((1, 1, 2, 1), 55, "uint8")).ravel().tolist()
    [200, 200]
    """
    return 255 - _checked(images)


def two_domains(source="mnist", change=edges, *, batch_size=64, shuffle=True, seed=0, **options):
    """Images and changed images, such as digits and the edges of other digits: no image is in both domains.

    The images are shuffled once; the first half is the first domain, and the other half, changed, the second.

    Args:
        source: a source of uint8 images; see `kg.data.load`.
        change: `edges`, `negatives`, or any function from uint8 images (N, height, width, channels) to uint8 images of
            the same shape.
        batch_size, shuffle: see `UnpairedBatches`.
        seed: whole number, 0 or more; determines the halves and the order of the batches.
        options: options of `kg.data.load` except labels, such as `split`, `take`, `image_size` and `download`.

    Returns:
        `UnpairedBatches`.

    Raises:
        DatasetNotFoundError: the data set is not there.
        DataError: fewer than two images, or ones that are not uint8; see also `kg.data.load`.
        ConfigurationError: a change that is not a function or returns anything other than such images, options out of
            range, or `lazy` or `cache`: the images are in memory.

    Example:

    >>> batches = two_domains("drawn:digits", negatives, take=100, batch_size=10)
    >>> len(batches), batches[0]["second"].shape, batches.about["domains"]
    (5, (10, 28, 28, 1), ['as they are', 'negatives'])

    Reference: Liu and Tuzel, 2016, section 4, https://arxiv.org/abs/1606.07536
    """
    if not callable(change):
        raise ConfigurationError(
            f"Expected change to be a function of images, such as kg.data.edges. Received: {change!r}."
        )
    if kept := [name for name in ("lazy", "cache") if options.get(name)]:
        raise ConfigurationError(
            f"Expected images that are read into memory, where half of them are changed. Received: {kept[0]}. Leave it "
            "out; for more images than fit, save the changed ones, and load two folders."
        )
    loaded = load(source, batch_size=1, labels=False, seed=seed, **options)
    if len(loaded.images) < 2:
        raise DataError("Expected at least two images, one for each domain. Received: one.")
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(loaded.images))
    first, second = np.array_split(_checked(loaded.images)[order], 2)
    about = {**loaded.about, "domains": ["as they are", getattr(change, "__name__", repr(change))]}
    changed = np.asarray(change(second))
    if changed.shape != second.shape or changed.dtype != "uint8":
        raise ConfigurationError(
            f"Expected a change that returns uint8 images {second.shape}. Received: {changed.dtype} {changed.shape}."
        )
    return UnpairedBatches(first=first, second=changed, batch_size=batch_size, shuffle=shuffle, seed=seed, about=about)


def _checked(images):
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype != "uint8":
        raise DataError(
            f"Expected uint8 images (N, height, width, channels). Received: {images.dtype} {images.shape}. Convert "
            'floats in [-1, 1] by np.round((x + 1) * 127.5).astype("uint8").'
        )
    return images
