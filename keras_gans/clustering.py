"""k-means: few points that stand for many."""

import numpy as np

from keras_gans.errors import ConfigurationError, DataError
from keras_gans_core.checks import is_whole

STARTS = 10


def k_means(points, clusters, seed=0):
    """The centres of clusters of points: each point's nearest centre is the mean of the points that share it.

    Lloyd's steps from the starts of k-means++, until a step brings no point nearer; of ten starts the best. If there
    are fewer different points than clusters, centres are repeated.

    Args:
        points: array (N, size).
        clusters: how many, 1 or more.
        seed: determines the starts.

    Returns:
        float32 (clusters, size), in the order of how many points they have, the most first.

    Raises:
        ConfigurationError: fewer than one cluster.
        DataError: no points, or some that are not finite.

    Example:

    >>> k_means(np.array([[0.0], [1.0], [2.0], [10.0], [12.0]]), 2).ravel().tolist()
    [1.0, 11.0]

    Reference: Arthur and Vassilvitskii, 2007, "k-means++: the advantages of careful seeding"
    """
    if not is_whole(clusters, 1):
        raise ConfigurationError(f"Expected 1 cluster or more. Received: {clusters!r}.")
    points = np.asarray(points, "float64")
    if points.ndim != 2 or len(points) == 0 or not np.isfinite(points).all():
        raise DataError(f"Expected points (N, size), 1 or more, finite. Received: {points.shape}.")
    different = np.unique(points, axis=0)
    if len(different) <= clusters:
        nearest = _distances(points, different).argmin(1)
        order = np.argsort(-np.bincount(nearest, minlength=len(different)), kind="stable")
        return different[order[np.arange(clusters) % len(different)]].astype("float32")
    generator = np.random.Generator(np.random.PCG64(seed))
    found = [_settled(points, _start(points, clusters, generator)) for _ in range(STARTS)]
    return min(found, key=lambda one: one[0])[1].astype("float32")


def _distances(points, centres):
    """Squared distances (N, clusters)."""
    return np.square(points[:, None] - centres).sum(-1)


def _start(points, clusters, generator):
    """k-means++: each further centre is a point, likely one that is far from those before."""
    centres = [points[generator.integers(len(points))]]
    while len(centres) < clusters:
        far = _distances(points, np.array(centres)).min(1)
        centres.append(points[generator.choice(len(points), p=far / far.sum())])
    return np.array(centres)


def _settled(points, centres):
    """(the sum of squared distances, the centres) when a step brings the points no nearer to their centres."""
    before = np.inf
    while True:
        distances = _distances(points, centres)
        nearest, far = distances.argmin(1), distances.min(1)
        counts = np.bincount(nearest, minlength=len(centres))
        if far.sum() >= before:
            return before, centres[np.argsort(-counts, kind="stable")]
        before = far.sum()
        for empty in np.flatnonzero(counts == 0):  # takes the point that is farthest from a centre that has others
            chosen = np.where(counts[nearest] > 1, far, -1.0).argmax()
            counts[nearest[chosen]] -= 1
            nearest[chosen], far[chosen], counts[empty] = empty, 0.0, 1
        centres = np.array([points[nearest == k].mean(0) for k in range(len(centres))])
