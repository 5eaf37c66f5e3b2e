"""The Fréchet distance between two sets of features: FID, if they come from the Inception network.

Numbers are comparable only within one protocol (network and its weights, resize, sample counts). With features other
than Inception's of 2015-12-05 it is not an FID: name the network with the number.
"""

import math
import warnings

import numpy as np

from keras_gans.errors import ConfigurationError, DataError, FewSamplesWarning
from keras_gans.metrics.checks import check_dimensions, check_rows

ROWS = 4096  # features per block: 64 MiB for 2048 dimensions
LOST = 1e-8  # share of tr (S1 S2)^(1/2) that rounding may lose


class FeatureStatistics:
    """Count, mean and covariance of features, also from batches.

    Batches are merged with Chan's formula in float64. With n rows, mean m and scatter S = sum (x - m) (x - m)^T so far,
    n', m' and S' for a batch, and d = m' - m, the new scatter and mean are

        S + S' + d d^T n n' / (n + n'),     m + d n' / (n + n').

    Unlike raw sums of squares, this loses no digits if the mean is large compared to the deviations.

    Attributes:
        count: rows so far.
        mean: float64 (d,).
        covariance: float64 (d, d), unbiased: the scatter divided by count - 1.

    Example:

    >>> statistics = kg.metrics.FeatureStatistics()
    >>> for batch in ([[0.0, 0.0], [2.0, 0.0]], [[4.0, 3.0]]):
    ...     statistics.update(batch)
    >>> statistics.count, statistics.mean
    (3, array([2., 1.]))
    >>> statistics.covariance           # deviations (-2, -1), (0, -1), (2, 2): sums 8, 6 and 6, divided by 2
    array([[4., 3.],
           [3., 3.]])

    Reference: Chan, Golub and LeVeque, 1983, "Algorithms for Computing the Sample Variance",
    https://doi.org/10.1080/00031305.1983.10483115
    """

    def __init__(self):
        self.count, self.mean, self._scatter = 0, None, None

    @classmethod
    def of(cls, features):
        """The statistics of features.

        Args:
            features: (N, d).

        Returns:
            A `FeatureStatistics`.

        Raises:
            DataError: features that are empty, not (N, d), or not finite.

        Example:

        >>> kg.metrics.FeatureStatistics.of([[1.0], [3.0]]).covariance
        array([[2.]])
        """
        statistics = cls()
        statistics.update(features)
        return statistics

    def update(self, features):
        """Adds a batch.

        Args:
            features: (N, d), with the same d each time.

        Raises:
            DataError: features that are empty, not (N, d), of another d than before, or not finite.
        """
        features = check_rows("features", features, "features")
        dimension = features.shape[1]
        if self.count == 0:
            self.mean, self._scatter = np.zeros(dimension), np.zeros((dimension, dimension))
        if dimension != len(self.mean):
            raise DataError(
                f"Expected features of dimension {len(self.mean)}, as before. Received: {dimension}. Take all batches "
                "from the same layer."
            )
        for start in range(0, len(features), ROWS):
            rows = features[start : start + ROWS].astype("float64")
            count, mean = self.count + len(rows), rows.mean(axis=0)
            rows -= mean
            shift = mean - self.mean
            # The shift between the means is appended as a row, so that one product gives S' + d d^T n n' / (n + n').
            rows = np.vstack([rows, shift * math.sqrt(self.count * len(rows) / count)])
            self._scatter += rows.T @ rows
            self.mean += shift * (len(rows) - 1) / count
            self.count = count

    @property
    def covariance(self):
        if self.count < 2:
            raise DataError(f"Expected 2 rows or more for a covariance. Received: {self.count}. Give more features.")
        return self._scatter / (self.count - 1)


def frechet_distance(*, real, fake):
    """The squared Fréchet distance between normal distributions with the means and covariances of two sets of features.

        |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

    with unbiased covariances. The distance falls as samples are added, by about c / N for N samples: compare only
    numbers of the same counts, usually 10 000 or 50 000. The distance between two halves of the data is a lower limit
    in practice.

    With any factors S1 = A A^T and S2 = B B^T the last trace is the sum of the singular values of A^T B, because
    their squares are the eigenvalues of S1 S2. So everything is real, and a set that lies in a subspace (a collapsed
    generator, fewer samples than dimensions) needs no special case.

    Args:
        real, fake: features (N, d) and (M, d), 2 rows or more each; or a `FeatureStatistics` instead of either.

    Returns:
        A float, 0 or more, in the features' units squared.

    Raises:
        DataError: features that are not (N, d), of fewer than 2 rows, of different d, or not finite.

    Warns:
        FewSamplesWarning: N or M is d or less.

    Example:

    >>> signs = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(kg.metrics.frechet_distance(real=signs, fake=2.0 * signs + 3.0), 4)    # 9 + 9 + 2 (2 - 1)^2 4/3
    20.6667

    Reference: Heusel et al., 2017, https://arxiv.org/abs/1706.08500
    """
    real, fake = _given("real", real), _given("fake", fake)
    check_dimensions(_dimension(real), _dimension(fake))
    for name, given in (("real", real), ("fake", fake)):
        count = given.count if isinstance(given, FeatureStatistics) else len(given)
        _warn_of_few(name, count, _dimension(given))
    return max(0.0, _distance(_mean_and_factor(real), _mean_and_factor(fake)))


def frechet_distance_at_infinity(*, real, fake, smallest=5000, points=15, seed=0):
    """The Fréchet distance for infinitely many fakes: a line fitted to the distances over 1/N, at 1/N = 0.

    Random subsets of the fakes, in `points` evenly spaced sizes from `smallest` to all, are drawn independently without
    repetition and compared with all reals. The line is fitted by least squares. This removes only the bias of the
    number of fakes; that of the number of reals remains, so always use the same reals, and all of them. The bias is
    proportional to 1/N only if N is well above the features' dimension.

    The paper also draws the latents from a scrambled Sobol sequence, for less variance. Here the fakes are given, and
    those of `generate` are plain random samples.

    Args:
        real: features (N, d), or a `FeatureStatistics`.
        fake: features (M, d), M above `smallest`: 50 000 in the paper's code.
        smallest: number of rows of the smallest subset, 2 or more.
        points: number of sizes, from 2 to M - smallest + 1.
        seed: seed of the draws.

    Returns:
        A float; near 0 it may be negative.

    Raises:
        DataError: features that are not (N, d), of fewer than 2 rows, of different d, or not finite.
        ConfigurationError: numbers out of range.

    Warns:
        FewSamplesWarning: the number of reals or `smallest` is d or less.

    Example:

    >>> draw = np.random.default_rng(1).normal
    >>> real, fake = kg.metrics.FeatureStatistics.of(draw(size=(20_000, 8))), draw(size=(1000, 8))
    >>> round(kg.metrics.frechet_distance(real=real, fake=fake), 2)      # of the same distribution
    0.03
    >>> round(abs(kg.metrics.frechet_distance_at_infinity(real=real, fake=fake, smallest=100)), 2)
    0.0

    Reference: Chong and Forsyth, 2020, "Effectively Unbiased FID and Inception Score and where to find them",
    https://arxiv.org/abs/1911.07023; code: https://github.com/mchong6/FID_IS_infinity
    """
    real, fake = _given("real", real), check_rows("fake", fake, "features")
    check_dimensions(_dimension(real), fake.shape[1])
    if not 2 <= smallest < len(fake) or not 2 <= points <= len(fake) - smallest + 1:
        raise ConfigurationError(
            f"Expected smallest from 2 to the {len(fake)} fakes minus one, and points from 2 to the sizes in between. "
            f"Received: smallest={smallest!r}, points={points!r}. Give more fakes, or a tenth of them as smallest."
        )
    _warn_of_few("real", real.count if isinstance(real, FeatureStatistics) else len(real), fake.shape[1])
    _warn_of_few("the smallest subset of fake", smallest, fake.shape[1])
    random, reals = np.random.default_rng(seed), _mean_and_factor(real)
    sizes = np.linspace(smallest, len(fake), points).astype(int)
    distances = [_distance(reals, _mean_and_factor(fake[random.permutation(len(fake))[:size]])) for size in sizes]
    x = 1.0 / sizes - np.mean(1.0 / sizes)
    slope = x @ distances / (x @ x)
    return float(np.mean(distances) - slope * np.mean(1.0 / sizes))


def _given(name, features):
    """The statistics, or the features as an array; refuses fewer than two rows."""
    if isinstance(features, FeatureStatistics):
        count = features.count
    else:
        features = check_rows(name, features, "features")
        count = len(features)
    if count < 2:
        raise DataError(f"Expected {name} of 2 rows or more, for a covariance. Received: {count}. Give more features.")
    return features


def _dimension(given):
    return len(given.mean) if isinstance(given, FeatureStatistics) else given.shape[1]


def _warn_of_few(name, count, dimension):
    if count <= dimension:
        warnings.warn(
            f"{name} has {count} rows of {dimension} features: its covariance is singular, and the distance biased "
            f"upwards. Give more than {dimension} rows, usually 10 000 or more, or use kg.metrics.kernel_distance, "
            "which has no bias.",
            FewSamplesWarning,
            stacklevel=3,
        )


def _mean_and_factor(given):
    """The mean m (d,) and a factor F (d, rank or more) with F F^T = covariance."""
    if not isinstance(given, FeatureStatistics):
        if len(given) <= given.shape[1]:  # the features are a thinner factor, and an exact one
            mean = given.mean(axis=0, dtype="float64")
            return mean, (given - mean).T / math.sqrt(len(given) - 1)
        given = FeatureStatistics.of(given)
    covariance = given.covariance
    try:
        return given.mean, np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:  # singular, or so close to it that rounding makes it indefinite
        values, vectors = np.linalg.eigh(covariance)
        kept = values > len(values) * np.finfo("float64").eps * values[-1]
        return given.mean, vectors[:, kept] * np.sqrt(values[kept])


def _distance(real, fake):
    (real_mean, real_factor), (fake_mean, fake_factor) = real, fake
    shift = real_mean - fake_mean
    traces = np.sum(real_factor**2) + np.sum(fake_factor**2)
    return float(shift @ shift + traces - 2.0 * _sum_of_singular_values(real_factor.T @ fake_factor))


def _sum_of_singular_values(product):
    """The sum of the square roots of P P^T's eigenvalues; for 2048 dimensions three times faster than an SVD.

    Rounding moves an eigenvalue by about eps times the largest one, so it hides roots below 1e-8 of the largest. If
    that could affect the sum, the singular values are computed instead, which lose nothing.
    """
    if product.shape[0] > product.shape[1]:
        product = product.T
    values = np.maximum(np.linalg.eigvalsh(product @ product.T), 0.0)
    rounding = np.finfo("float64").eps * values.max(initial=0.0)
    roots = np.sqrt(values)
    if np.sum(np.sqrt(values + rounding) - roots) > LOST * roots.sum():
        roots = np.linalg.svd(product, compute_uv=False)
    return roots.sum()
