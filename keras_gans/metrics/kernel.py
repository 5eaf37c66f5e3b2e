"""The kernel distance between two sets of features: KID, if they come from the Inception network."""

import math
from dataclasses import dataclass

import numpy as np

from keras_gans.errors import ConfigurationError
from keras_gans.metrics.checks import check_pair


@dataclass(frozen=True)
class KernelDistance:
    """What `kernel_distance` returns.

    Args:
        value: mean of the squared MMD over the subsets. It has no bias, so near 0 it may be negative.
        error: standard error of that mean, deviation / sqrt(subsets - 1): its distance from the mean over all subsets
            of these features. Subsets overlap, so it does not include the variation between samples.
        deviation: standard deviation over the subsets, with divisor `subsets`: the number that papers give with KID. It
            is that of the distance of `subset_size` samples; more subsets do not make it smaller.
    """

    value: float
    error: float
    deviation: float


def kernel_distance(*, real, fake, subset_size=1000, subsets=100, seed=0):
    """The squared maximum mean discrepancy with the kernel k(x, y) = (x . y / d + 1)^3, averaged over random subsets.

    For m rows x of the reals and m rows y of the fakes it is

        [sum_{i != j} k(x_i, x_j) + sum_{i != j} k(y_i, y_j)] / (m (m - 1)) - 2 sum_{i, j} k(x_i, y_j) / m^2

    with the same expectation for any m. KID is often multiplied by 1000.

    Args:
        real, fake: features (N, d) and (M, d), 2 rows or more each.
        subset_size: m, 2 or more, drawn without repetition; at most the rows of the smaller set. If neither set has
            more, every subset is the same, and `error` and `deviation` are 0.
        subsets: number of subsets, 2 or more.
        seed: seed of the draws.

    Returns:
        A `KernelDistance`.

    Raises:
        DataError: features that are not (N, d), of different d, or not finite.
        ConfigurationError: numbers out of range, or a set of one row.

    Example:

    >>> found = kg.metrics.kernel_distance(real=[[0.0], [1.0]], fake=[[1.0], [2.0]])
    >>> found.value                             # (1 + 1 + 27 + 27) / 2 - 2 (1 + 1 + 8 + 27) / 4
    9.5

    Reference: Bińkowski et al., 2018, "Demystifying MMD GANs", https://arxiv.org/abs/1801.01401
    """
    real, fake = check_pair(real, fake)
    size = min(subset_size, len(real), len(fake))
    if size < 2 or subsets < 2:
        raise ConfigurationError(
            "Expected subset_size, subsets and the rows of both sets to be 2 or more. Received: "
            f"subset_size={subset_size!r}, subsets={subsets!r}, {len(real)} and {len(fake)} rows. Give more features."
        )
    random = np.random.default_rng(seed)
    values = []
    for _ in range(subsets):
        x, y = (rows[random.choice(len(rows), size, replace=False)].astype("float64") for rows in (real, fake))
        own = _others(_kernel(x, x)) + _others(_kernel(y, y))
        values.append(own / (size * (size - 1)) - 2.0 * _kernel(x, y).mean())
    deviation = float(np.std(values))
    return KernelDistance(value=float(np.mean(values)), error=deviation / math.sqrt(subsets - 1), deviation=deviation)


def _kernel(x, y):
    return (x @ y.T / x.shape[1] + 1.0) ** 3


def _others(kernel):
    """The sum without the diagonal."""
    return kernel.sum() - np.trace(kernel)
