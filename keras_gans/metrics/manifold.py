"""How many fakes lie where the reals are, and how many reals the fakes cover, with nearest neighbors.

A set's manifold is the union of balls around its points; the radius is the distance to the k-th nearest other point.
Both papers use the features of VGG16's second dense layer (4096, after its ReLU); with other features, name the
network.
"""

from dataclasses import dataclass

import numpy as np

from keras_gans.metrics.checks import check_neighbors, check_pair

BLOCK = 2**23  # distances per block: 64 MiB
# Squared distances that differ by less than this share count as equal: products of the same rows in blocks of other
# shapes differ in their last digits, so a copy could fall on either side of its ball's edge.
TIE = 1e-9


@dataclass(frozen=True)
class PrecisionRecall:
    """What `precision_recall` returns.

    Args:
        precision: share of the fakes that are within the reals' manifold, 0 to 1.
        recall: share of the reals that are within the fakes' manifold, 0 to 1.
    """

    precision: float
    recall: float


@dataclass(frozen=True)
class DensityCoverage:
    """What `density_coverage` returns.

    Args:
        density: the mean number of reals' balls that contain a fake, divided by k: 0 or more, 1 in expectation for
            equal distributions, more if fakes crowd where reals are dense.
        coverage: share of the reals whose ball contains a fake, 0 to 1.
    """

    density: float
    coverage: float


def precision_recall(*, real, fake, neighbors=3):
    """Precision and recall of the fakes; a point is within a manifold if any of its balls contains the point.

    A ball includes its edge. Balls around outliers are large, so both numbers can be too high; `density_coverage` is
    more robust. Compare only numbers of the same counts: 50 000 each in the paper.

    The memory needed is both sets in float64 and a few blocks of 64 MiB.

    Args:
        real, fake: features (N, d) and (M, d), more than `neighbors` rows each.
        neighbors: k, 1 or more.

    Returns:
        A `PrecisionRecall`.

    Raises:
        DataError: features that are not (N, d), of different d, or not finite.
        ConfigurationError: a set of k rows or fewer.

    Example:

    >>> two_modes = np.array([[0.0], [1.0], [2.0], [100.0], [101.0], [102.0]])
    >>> kg.metrics.precision_recall(real=two_modes, fake=two_modes[:3], neighbors=1)
    PrecisionRecall(precision=1.0, recall=0.5)

    Reference: Kynkäänniemi et al., 2019, https://arxiv.org/abs/1904.06991
    """
    real, fake = check_pair(real, fake)
    check_neighbors(neighbors, real=real, fake=fake)
    real, fake = _centred(real, fake)
    real_edges, fake_edges = (_squared_radii(rows, neighbors) * (1.0 + TIE) for rows in (real, fake))
    precise, recalled = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    for rows, squares in _squared_distances(real, fake):
        precise |= (squares <= real_edges[rows, None]).any(axis=0)
        recalled[rows] = (squares <= fake_edges).any(axis=1)
    return PrecisionRecall(precision=float(precise.mean()), recall=float(recalled.mean()))


def density_coverage(*, real, fake, neighbors=5):
    """Density and coverage of the fakes; both use only the reals' balls.

        density = 1 / (k M) sum_j sum_i [|y_j - x_i| < r_i],     coverage = 1 / N sum_i [min_j |y_j - x_i| < r_i]

    for the reals x_i with distance r_i to the k-th nearest other, and the fakes y_j. A ball excludes its edge, so the
    ball around a real with k copies is empty. For fakes from the reals' distribution the expected coverage is
    1 - (N - 1) ... (N - k) / ((N + M - 1) ... (N + M - k)), for N = M about 1 - 2^-k: 0.969 for k = 5.

    The memory needed is both sets in float64 and a few blocks of 64 MiB.

    Args:
        real: features (N, d), more than `neighbors` rows: 10 000 in the paper.
        fake: features (M, d).
        neighbors: k, 1 or more.

    Returns:
        A `DensityCoverage`.

    Raises:
        DataError: features that are not (N, d), of different d, or not finite.
        ConfigurationError: k reals or fewer.

    Example:

    >>> reals = np.array([[0.0], [1.0], [3.0]])                         # balls of radius 1, 1 and 2
    >>> kg.metrics.density_coverage(real=reals, fake=[[0.5]], neighbors=1)
    DensityCoverage(density=2.0, coverage=0.6666666666666666)

    Reference: Naeem et al., 2020, https://arxiv.org/abs/2002.09797
    """
    real, fake = check_pair(real, fake)
    check_neighbors(neighbors, real=real)
    real, fake = _centred(real, fake)
    edges = _squared_radii(real, neighbors) * (1.0 - TIE)
    held = np.zeros(len(real), int)
    for rows, squares in _squared_distances(real, fake):
        held[rows] = (squares < edges[rows, None]).sum(axis=1)
    return DensityCoverage(
        density=float(held.sum() / (neighbors * len(fake))),
        coverage=float((held > 0).mean()),
    )


def _centred(real, fake):
    """Both in float64, around the reals' mean: a large mean would cost the distances precision."""
    mean = real.mean(axis=0, dtype="float64")
    return real - mean, fake - mean


def _squared_distances(rows, others):
    """Yields (slice of the rows, their squared distances to all others) block by block.

    |a|^2 + |b|^2 - 2 a b has an error of up to d eps (|a|^2 + |b|^2). Anything below that is set to 0, as for copies.
    """
    norms, other_norms = np.einsum("ij,ij->i", rows, rows), np.einsum("ij,ij->i", others, others)
    error = rows.shape[1] * np.finfo("float64").eps
    step = max(1, BLOCK // len(others))
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        sums = norms[block, None] + other_norms
        squares = rows[block] @ others.T
        squares *= -2.0
        squares += sums
        sums *= error
        squares[squares <= sums] = 0.0
        yield block, squares


def _squared_radii(rows, neighbors):
    """The squared distance of each row to its k-th nearest other: the row itself is the first of k + 1, at 0."""
    radii = np.empty(len(rows))
    for block, squares in _squared_distances(rows, rows):
        squares.partition(neighbors, axis=1)
        radii[block] = squares[:, neighbors]
    return radii
