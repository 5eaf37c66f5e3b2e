"""Rings and grids of Gaussians against their closed forms."""

import numpy as np
import pytest

import keras_gans as kg
from keras_gans.data import grid, grid_centers, points, ring, ring_centers
from keras_gans.errors import ConfigurationError, DataError

COUNT = 40_000
TOYS = {
    "ring": (lambda **k: ring(COUNT, **k), ring_centers(), 0.01),
    "grid": (lambda **k: grid(COUNT, **k), grid_centers(), 0.05),
}


def test_the_rings_modes_are_eight_different_ones_on_the_circle():
    centers = ring_centers()
    assert len(np.unique(centers.round(9), axis=0)) == 8  # seven, had the circle's ends been drawn twice
    np.testing.assert_allclose(np.hypot(*centers.T), 1.0)
    np.testing.assert_allclose(ring_centers(4, 2.0), [[2, 0], [0, 2], [-2, 0], [0, -2]], atol=1e-12)


def test_the_grids_modes_are_pacgans():
    line = [-4, -2, 0, 2, 4]
    assert {tuple(center) for center in grid_centers().tolist()} == {(x, y) for x in line for y in line}
    np.testing.assert_array_equal(grid_centers(2, 3.0), [[-1.5, -1.5], [1.5, -1.5], [-1.5, 1.5], [1.5, 1.5]])


@pytest.mark.parametrize("name", TOYS)
def test_each_mode_is_the_gaussian_around_its_center(name):
    draw, centers, std = TOYS[name]
    points, modes = draw()
    assert points.shape == (COUNT, 2) and points.dtype == "float32"
    assert modes.shape == (COUNT,) and modes.dtype == "int64"
    for mode, center in enumerate(centers):
        own = points[modes == mode]
        error = std / np.sqrt(len(own))  # of a mean; a standard deviation's is that over sqrt(2)
        np.testing.assert_allclose(own.mean(axis=0), center, atol=5 * error)
        np.testing.assert_allclose(own.std(axis=0), std, atol=5 * error)
    assert abs(np.corrcoef((points - centers[modes]).T)[0, 1]) < 5 / np.sqrt(COUNT)


@pytest.mark.parametrize("name", TOYS)
def test_the_modes_are_equally_likely(name):
    draw, centers, _ = TOYS[name]
    counts = np.bincount(draw()[1], minlength=len(centers))
    expected = COUNT / len(centers)
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    freedom = len(centers) - 1
    assert chi_squared < freedom + 5 * np.sqrt(2 * freedom)


@pytest.mark.parametrize("name", TOYS)
def test_points_within_three_standard_deviations(name):
    draw, centers, std = TOYS[name]
    points, modes = draw()
    near = np.linalg.norm(points - centers[modes], axis=1) <= 3 * std
    assert near.mean() == pytest.approx(1 - np.exp(-4.5), abs=0.003)  # 98.89 %; standard error 0.0005


def test_points_without_deviation_are_the_modes():
    points, modes = ring(50, modes=3, radius=2.0, std=0.0)
    np.testing.assert_allclose(points, ring_centers(3, 2.0)[modes], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("draw", [ring, grid])
def test_the_seed_decides(draw):
    np.testing.assert_array_equal(draw(20, seed=5)[0], draw(20, seed=5)[0])
    assert not np.array_equal(draw(20, seed=5)[0], draw(20, seed=6)[0])


@pytest.mark.parametrize("draw", [ring, grid])
@pytest.mark.parametrize("arguments", [(0,), (5, 0), (5, 3, 1.0, -0.1)])
def test_arguments_out_of_range_are_errors(draw, arguments):
    with pytest.raises(ConfigurationError, match="at least one"):
        draw(*arguments)


def test_points_are_scaled_images_of_one_pixel():
    drawn, modes = grid(50)
    batches = points(drawn, modes, scale=5.0, batch_size=50)
    images, labels = batches[0]["images"], batches[0]["labels"]
    order = batches.order(0)
    assert images.shape == (50, 1, 1, 2) and images.dtype == "float32"
    np.testing.assert_allclose(5.0 * images[:, 0, 0], drawn[order], rtol=1e-6)
    np.testing.assert_array_equal(labels, modes[order])
    assert list(points(drawn, scale=5.0, batch_size=50)[0]) == ["images"]


def test_a_variant_trains_on_points():
    batches = points(ring(64)[0], scale=1.5, batch_size=16)
    gan = kg.GAN(image_shape=batches.image_shape, latent_dim=2)
    gan.compile(run_eagerly=True)
    assert np.isfinite(gan.fit(batches, verbose=0).history["d_loss"]).all()


@pytest.mark.parametrize("far", [1.2, -1.2, np.nan])
def test_points_beyond_the_scale_are_errors(far):
    with pytest.raises(DataError, match="larger scale"):
        points(np.array([[0.0, 0.0], [0.5, far]]), scale=1.1, batch_size=1)
    with pytest.raises(DataError, match="Expected points"):
        points(np.zeros((4, 1, 2)), scale=1.0)
    with pytest.raises(ConfigurationError, match="scale above 0"):
        points(np.zeros((4, 2)), scale=0.0)
