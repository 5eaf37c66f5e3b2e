"""The Fréchet distance of two sets of features: FID, where they are those of the Inception network.

Numbers of one protocol (network and its weights, resize, sample counts) are comparable with each other only. Of other
features than Inception's of 2015-12-05 it is no FID: name the network with the number.
"""

import math
import warnings

import numpy as np

from keras_gans.errors import ConfigurationError, DataError, FewSamplesWarning
from keras_gans.metrics.checks import check_dimensions, check_rows

ROWS = 4096  # features that are centred at once: 64 MiB of 2048 dimensions
LOST = 1e-8  # share of tr (S1 S2)^(1/2) that rounding may hide


class FeatureStatistics:
    """Count, mean and covariance of features, which may come in batches.

    Batches are merged by Chan's formula in float64: with n rows of mean m and scatter S = sum (x - m) (x - m)^T so far,
    and n', m', S' of a batch, d = m' - m,

        S + S' + d d^T n n' / (n + n'),     m + d n' / (n + n'),

    which loses no digits to a mean that is large beside the deviations, as raw sums of squares do.

    Attributes:
        count: rows so far.
        mean: float64 (d,).
        covariance: float64 (d, d), unbiased: the scatter by count - 1.

    Example:

    >>> statistics = kg.metrics.FeatureStatistics()
    >>> for batch in ([[0.0, 0.0], [2.0, 0.0]], [[4.0, 3.0]]):
    ...     statistics.update(batch)
    >>> statistics.count, statistics.mean
    (3, array([2., 1.]))
    >>> statistics.covariance           # deviations (-2, -1), (0, -1), (2, 2): sums 8, 6 and 6, by 2
    array([[4., 3.],
           [3., 3.]])

    Reference: Chan, Golub and LeVeque, 1983, "Algorithms for Computing the Sample Variance",
    https://doi.org/10.1080/00031305.1983.10483115
    """

    def __init__(self):
        self.count, self.mean, self._scatter = 0, None, None

    @classmethod
    def of(cls, features):
        """The statistics of features that are at hand.

        Args:
            features: (N, d).

        Returns:
            A `FeatureStatistics`.

        Raises:
            DataError: none, not (N, d), or not finite.

        Example:

        >>> kg.metrics.FeatureStatistics.of([[1.0], [3.0]]).covariance
        array([[2.]])
        """
        statistics = cls()
        statistics.update(features)
        return statistics

    def update(self, features):
        """Takes a batch in.

        Args:
            features: (N, d), of the same d each time.

        Raises:
            DataError: none, not (N, d), of another d than before, or not finite.
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
            # The shift between the means is one more row, so that one product makes S' + d d^T n n' / (n + n').
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

    with unbiased covariances. It falls as samples are added, by about c / N for N samples: compare numbers of the same
    counts only, 10 000 or 50 000 by custom. The distance between two halves of the data is the least to hope for.

    With any factors S1 = A A^T and S2 = B B^T the last trace is the sum of the singular values of A^T B, because
    their squares are the eigenvalues of S1 S2. So all is real, and a set that lies in a subspace (a generator that
    collapsed, fewer samples than dimensions) is no special case.

    Args:
        real, fake: features (N, d) and (M, d), 2 rows or more each; or a `FeatureStatistics` in the place of either.

    Returns:
        A float, 0 or more, in the features' units squared.

    Raises:
        DataError: features that are not (N, d), of fewer than 2 rows, of different d, or not finite.

    Warns:
        FewSamplesWarning: N or M is not above d.

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
    """The Fréchet distance that infinitely many fakes would have: a line through distances over 1/N, at 1/N = 0.

    Random subsets of the fakes, `points` sizes evenly from `smallest` to all, each drawn anew without repetition, are
    held against all reals; the line is that of least squares. It takes out the bias of the fakes' count alone: that of
    the reals' count stays, so give the same reals, and as many as there are. The bias is in proportion to 1/N only
    where N is well above the features' dimension.

    The paper also draws the latents from a scrambled Sobol sequence, for less variance; here the fakes are what they
    are, and those of `generate` are plain random samples.

    Args:
        real: features (N, d), or a `FeatureStatistics`.
        fake: features (M, d), M above `smallest`: 50 000 in the paper's code.
        smallest: rows of the smallest subset, 2 or more.
        points: how many sizes, from 2 to M - smallest + 1.
        seed: of the draws.

    Returns:
        A float: near 0 it may be negative.

    Raises:
        DataError: features that are not (N, d), of fewer than 2 rows, of different d, or not finite.
        ConfigurationError: numbers out of range.

    Warns:
        FewSamplesWarning: the reals' count or `smallest` is not above d.

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
            f"Expected smallest from 2 to the {len(fake)} fakes less one, and points from 2 to the sizes between them. "
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
    """The statistics, or the features as an array, of two rows or more."""
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
            f"upwards. Give more than {dimension} rows, by custom 10 000 or more, or take kg.metrics.kernel_distance, "
            "which has no bias.",
            FewSamplesWarning,
            stacklevel=3,
        )


def _mean_and_factor(given):
    """The mean m (d,) and an F (d, rank or more) with F F^T the covariance."""
    if not isinstance(given, FeatureStatistics):
        if len(given) <= given.shape[1]:  # the features are a thinner factor than a covariance's, and an exact one
            mean = given.mean(axis=0, dtype="float64")
            return mean, (given - mean).T / math.sqrt(len(given) - 1)
        given = FeatureStatistics.of(given)
    covariance = given.covariance
    try:
        return given.mean, np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:  # singular, or so near to it that rounding makes it indefinite
        values, vectors = np.linalg.eigh(covariance)
        kept = values > len(values) * np.finfo("float64").eps * values[-1]
        return given.mean, vectors[:, kept] * np.sqrt(values[kept])


def _distance(real, fake):
    (real_mean, real_factor), (fake_mean, fake_factor) = real, fake
    shift = real_mean - fake_mean
    traces = np.sum(real_factor**2) + np.sum(fake_factor**2)
    return float(shift @ shift + traces - 2.0 * _sum_of_singular_values(real_factor.T @ fake_factor))


def _sum_of_singular_values(product):
    """The sum of the roots of the eigenvalues of P P^T: of 2048 dimensions in a third of the singular values' time.

    Rounding moves an eigenvalue by about eps times the largest one, and so hides the roots that are below 1e-8 of the
    largest. Where that could be seen in the sum, it is that of the singular values, which lose nothing.
    """
    if product.shape[0] > product.shape[1]:
        product = product.T
    values = np.maximum(np.linalg.eigvalsh(product @ product.T), 0.0)
    rounding = np.finfo("float64").eps * values.max(initial=0.0)
    roots = np.sqrt(values)
    if np.sum(np.sqrt(values + rounding) - roots) > LOST * roots.sum():
        roots = np.linalg.svd(product, compute_uv=False)
    return roots.sum()
