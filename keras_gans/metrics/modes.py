"""How much of the data a generator covers: modes of a mixture of Gaussians, and classes of labelled data.

Numbers are comparable only within one protocol (data, sample count, classifier). A mode or class counts if any sample
hits it, so more samples find more.
"""

from dataclasses import dataclass

import numpy as np

from keras_gans.errors import ConfigurationError, DataError
from keras_gans_core.checks import is_number, is_whole


@dataclass(frozen=True)
class ModeCoverage:
    """What `mode_coverage` returns.

    Args:
        modes: number of modes with a sample of high quality, 0 to the number of centers.
        high_quality: share of the samples that are of high quality, 0 to 1.
        reverse_kl: nats, 0 to log(number of centers).
    """

    modes: int
    high_quality: float
    reverse_kl: float


@dataclass(frozen=True)
class ClassCoverage:
    """What `class_coverage` returns.

    Args:
        classes: number of classes among the samples, 0 to `num_classes`.
        kl: nats, 0 or more.
    """

    classes: int
    kl: float


def mode_coverage(*, fake, centers, std, within=3.0):
    """How many modes of a mixture of Gaussians the samples cover, how many samples are near one, and how evenly.

    A sample is of high quality if its distance to the nearest center is at most `within` standard deviations; it then
    belongs to that mode. The reverse KL is KL(histogram of these over the modes || uniform) = log(modes) - entropy, in
    nats; without samples of high quality it is log(modes), the value for samples that are all at one mode.

    Of true data in two dimensions 1 - exp(-9 / 2) = 98.89 % are of high quality.

    Args:
        fake: samples (N, ...), each with as many numbers as a center; the protocol has 2500. Samples that are not
            finite are not of high quality.
        centers: (modes, dimensions), in the samples' scale.
        std: standard deviation of each mode along each axis, in the samples' scale, above 0.
        within: standard deviations, above 0: 3, or 10 for the 1200-dimensional data of VEEGAN.

    Returns:
        A `ModeCoverage`.

    Raises:
        DataError: no samples, or samples of another dimension than the centers.
        ConfigurationError: centers, std or within that are not finite numbers, or out of range.

    Example:

    >>> centers = kg.data.ring_centers()
    >>> found = kg.metrics.mode_coverage(fake=centers[[0, 0, 3, 3]], centers=centers, std=0.01)
    >>> found.modes, found.high_quality, round(found.reverse_kl, 4)     # log(8) - log(2)
    (2, 1.0, 1.3863)

    Reference: Srivastava et al., 2017 (VEEGAN), https://arxiv.org/abs/1705.07761; Lin et al., 2018 (PacGAN),
    https://arxiv.org/abs/1712.04086
    """
    fake, centers = np.asarray(fake, "float64"), np.asarray(centers, "float64")
    finite = np.isfinite(centers)
    if centers.ndim != 2 or len(centers) == 0 or not finite.all():
        raise ConfigurationError(
            f"Expected centers (modes, dimensions) of finite numbers. Received: {centers.shape}, of which "
            f"{int((~finite).sum())} are not finite. Give those of the data, such as kg.data.ring_centers()."
        )
    if not all(is_number(value, 0.0) and value > 0.0 for value in (std, within)):
        raise ConfigurationError(
            f"Expected std and within to be finite numbers above 0. Received: std={std!r}, within={within!r}."
        )
    if len(fake) == 0 or fake[0].size != centers.shape[1]:
        raise DataError(f"Expected samples of {centers.shape[1]} numbers. Received: samples of shape {fake.shape}.")
    points = fake.reshape(len(fake), -1)
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        distances = np.stack([np.linalg.norm(points - center, axis=1) for center in centers], axis=1)
    near = distances.min(axis=1) <= within * std  # false for NaN
    counts = np.bincount(distances[near].argmin(axis=1), minlength=len(centers))
    return ModeCoverage(
        modes=int((counts > 0).sum()),
        high_quality=float(near.mean()),
        reverse_kl=_kl(counts, np.ones(len(centers))) if near.any() else float(np.log(len(centers))),
    )


def class_coverage(*, fake_classes, num_classes=1000, real_classes=None):
    """Classes that the samples have, and KL(their histogram || uniform, or || the data's histogram) in nats.

    A single class has KL log(num_classes), 6.908 for 1000. N samples of the uniform distribution have about
    (num_classes - 1) / (2 N): 0.0192 for 26 000 samples of 1000 classes.

    Args:
        fake_classes: whole numbers in 0..num_classes - 1, (N,): those of 26 000 stacked digits in VEEGAN's protocol.
        num_classes: number of classes, 1 or more.
        real_classes: the data's classes (M,); None for the uniform distribution. If a sample has a class that the data
            does not have, the KL is infinite.

    Returns:
        A `ClassCoverage`.

    Raises:
        DataError: no classes, or classes that are not whole numbers from 0 to num_classes - 1.
        ConfigurationError: a num_classes that is not a whole number of 1 or more.

    Example:

    >>> kg.metrics.class_coverage(fake_classes=[7, 7, 7, 7]).classes
    1
    >>> round(kg.metrics.class_coverage(fake_classes=[0, 1], num_classes=2, real_classes=[0, 0, 0, 1]).kl, 4)
    0.1438

    Reference: Srivastava et al., 2017 (VEEGAN), https://arxiv.org/abs/1705.07761; Lin et al., 2018 (PacGAN),
    https://arxiv.org/abs/1712.04086
    """
    if not is_whole(num_classes, 1):
        raise ConfigurationError(f"Expected num_classes to be a whole number, 1 or more. Received: {num_classes!r}.")
    counts = _histogram(fake_classes, num_classes)
    real = np.ones(num_classes) if real_classes is None else _histogram(real_classes, num_classes)
    return ClassCoverage(classes=int((counts > 0).sum()), kl=_kl(counts, real))


def _histogram(classes, num_classes):
    classes = np.asarray(classes)
    if classes.ndim != 1 or len(classes) == 0 or classes.dtype.kind not in "iu":
        raise DataError(f"Expected classes as whole numbers (N,). Received: {classes.dtype} {classes.shape}.")
    if classes.min() < 0 or classes.max() >= num_classes:
        raise DataError(f"Expected classes from 0 to {num_classes - 1}. Received: {classes.min()} to {classes.max()}.")
    return np.bincount(classes, minlength=num_classes)


def _kl(counts, others):
    """KL of two histograms, in nats."""
    p, q = counts / counts.sum(), others / others.sum()
    found = p > 0.0
    with np.errstate(divide="ignore"):  # a class that the other lacks: infinite
        return max(0.0, float(np.sum(p[found] * np.log(p[found] / q[found]))))
