"""k-means: centres, their order, and what is refused."""

import itertools

import numpy as np
import pytest

from keras_gans.clustering import k_means
from keras_gans.errors import ConfigurationError, DataError


@pytest.mark.parametrize("seed", range(5))
def test_each_centre_is_the_mean_of_the_points_that_are_nearest_to_it(seed):
    points = np.random.default_rng(seed).normal(size=(60, 2))
    centres = k_means(points, 7, seed)
    nearest = np.square(points[:, None] - centres).sum(-1).argmin(1)
    for k, centre in enumerate(centres):
        np.testing.assert_allclose(centre, points[nearest == k].mean(0), atol=1e-6)
    assert (np.diff(np.bincount(nearest)) <= 0).all()


def test_groups_that_are_far_apart_are_found():
    """Ten of them, in any order of the points."""
    random = np.random.default_rng(0)
    groups = 100.0 * np.array(list(itertools.product(range(5), range(2))))
    points = random.permutation(np.repeat(groups, 20, axis=0) + random.uniform(-1.0, 1.0, (200, 2)))
    found = k_means(points, 10)
    nearest = np.abs(found[:, None] - groups).max(-1)
    assert sorted(nearest.argmin(1)) == list(range(10)) and nearest.min(1).max() < 1.0


def test_centres_are_means_of_their_points_the_most_first():
    points = np.concatenate([[[0.0, i] for i in range(3)], [[50.0, i] for i in range(7)], [[0.0, 90.0]]])
    np.testing.assert_allclose(k_means(points, 3), [[50.0, 3.0], [0.0, 1.0], [0.0, 90.0]], atol=1e-5)
    np.testing.assert_array_equal(k_means(points, 3, seed=4), k_means(points, 3, seed=4))


def test_few_different_points_are_repeated():
    points = np.array([[1.0], [7.0], [7.0]])
    assert k_means(points, 5).ravel().tolist() == [7.0, 1.0, 7.0, 1.0, 7.0]
    assert k_means(points, 2).ravel().tolist() == [7.0, 1.0]


def test_every_centre_has_points():
    points = np.repeat([[0.0], [1.0], [5.0], [100.0]], [50, 30, 20, 1], axis=0)
    for clusters in (2, 3):
        centres = k_means(points, clusters)
        assert set(np.abs(points - centres.ravel()).argmin(1)) == set(range(clusters))


@pytest.mark.parametrize(
    "points, clusters, error",
    [
        (np.zeros((0, 2)), 1, DataError),
        (np.zeros(3), 1, DataError),
        (np.array([[np.nan]]), 1, DataError),
        (np.zeros((3, 2)), 0, ConfigurationError),
        (np.zeros((3, 2)), 1.5, ConfigurationError),
    ],
)
def test_what_has_no_clusters_is_refused(points, clusters, error):
    with pytest.raises(error, match="Expected"):
        k_means(points, clusters)
