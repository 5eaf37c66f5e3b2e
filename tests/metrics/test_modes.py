"""Coverage of modes and classes against closed forms (specs: foundations 14, G)."""

import math

import numpy as np
import pytest

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics import class_coverage, mode_coverage

TOYS = {
    "ring": (kg.data.ring, kg.data.ring_centers(), 0.01),
    "grid": (kg.data.grid, kg.data.grid_centers(), 0.05),
}
SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


@pytest.mark.parametrize("name", TOYS)
def test_true_data_covers_every_mode_evenly(name):
    draw, centers, std = TOYS[name]
    found = mode_coverage(fake=draw(2500, seed=3)[0], centers=centers, std=std)
    assert found.modes == len(centers)
    # Of a normal pair 1 - exp(-9 / 2) lies within three deviations: 98.89 %, with a standard error of 0.21 %.
    assert found.high_quality == pytest.approx(1.0 - math.exp(-4.5), abs=0.01)
    # N draws of K equally likely modes have (K - 1) / (2 N) in expectation: 0.0014 and 0.0048.
    assert 0.0 < found.reverse_kl < 0.01


def test_points_at_one_mode():
    centers = kg.data.ring_centers()
    found = mode_coverage(fake=np.tile(centers[3], (50, 1)), centers=centers, std=0.01)
    assert (found.modes, found.high_quality) == (1, 1.0)
    assert found.reverse_kl == pytest.approx(math.log(8))  # 2.079


def test_uniform_noise_is_of_low_quality():
    noise = np.random.default_rng(0).uniform(-1.2, 1.2, (20_000, 2))
    found = mode_coverage(fake=noise, centers=kg.data.ring_centers(), std=0.01)
    area = 8 * math.pi * 0.03**2 / 2.4**2  # 0.39 %, with a standard error of 0.04 %
    assert found.high_quality == pytest.approx(area, abs=0.002)


def test_the_reverse_kl_counts_samples_of_high_quality_alone():
    """Three samples at one mode, one at another, four nowhere: log 4 - H(3/4, 1/4)."""
    fake = np.array([[0, 0], [0, 0.01], [0.01, 0], [1, 0], [0.5, 0.5], [9, 9], [0.5, 0], [-3, 1]])
    found = mode_coverage(fake=fake, centers=SQUARE, std=0.01)
    assert (found.modes, found.high_quality) == (2, 0.5)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert found.reverse_kl == pytest.approx(math.log(4) - entropy)


@pytest.mark.parametrize("distance, near", [(0.0299, 1.0), (0.0301, 0.0)])
def test_high_quality_ends_at_three_standard_deviations(distance, near):
    fake = [[1.0 + 0.6 * distance, 0.8 * distance]]  # Euclid's distance, not the axes'
    assert mode_coverage(fake=fake, centers=SQUARE, std=0.01).high_quality == near
    assert mode_coverage(fake=fake, centers=SQUARE, std=0.01, within=10).high_quality == 1.0


@pytest.mark.parametrize("value", [5.0, np.nan, np.inf])
def test_without_a_sample_of_high_quality_the_numbers_are_those_of_collapse(value):
    found = mode_coverage(fake=np.full((3, 2), value), centers=SQUARE, std=0.01)
    assert found == kg.metrics.ModeCoverage(modes=0, high_quality=0.0, reverse_kl=math.log(4))


def test_images_of_one_pixel_and_a_common_scale_change_nothing():
    points, _ = kg.data.grid(500)
    points[:100] += 1.0
    centers = kg.data.grid_centers()
    plain = mode_coverage(fake=points, centers=centers, std=0.05)
    images = kg.data.points(points, scale=6.0, batch_size=1).images
    assert images.shape == (500, 1, 1, 2)
    assert mode_coverage(fake=images, centers=centers / 6.0, std=0.05 / 6.0) == plain
    assert mode_coverage(fake=images, centers=centers / 6.0, std=0.05) != plain


@pytest.mark.parametrize("fake", [np.zeros((0, 2)), np.zeros((4, 3)), np.zeros((4, 1, 1, 4))])
def test_samples_that_do_not_fit_the_centers_are_an_error(fake):
    with pytest.raises(DataError, match="samples of 2 numbers"):
        mode_coverage(fake=fake, centers=SQUARE, std=0.1)


@pytest.mark.parametrize("options", [{"std": 0.0}, {"std": "0.1"}, {"std": np.inf}, {"within": 0}, {"within": None}])
def test_numbers_out_of_range_are_errors(options):
    with pytest.raises(ConfigurationError, match="finite numbers above 0. Received: std="):
        mode_coverage(**{"fake": SQUARE, "centers": SQUARE, "std": 0.1, **options})


@pytest.mark.parametrize("centers", [[1.0, 2.0], np.zeros((0, 2)), np.nan, [[0.0, np.nan]], [[np.inf, 0.0]]])
def test_centers_that_are_not_points_are_errors(centers):
    with pytest.raises(ConfigurationError, match=r"Expected centers \(modes, dimensions\).*Received: .*ring_centers"):
        mode_coverage(fake=SQUARE, centers=centers, std=0.1)


# Classes


def test_one_class_alone():
    found = class_coverage(fake_classes=np.full(100, 123))
    assert found.classes == 1
    assert found.kl == pytest.approx(math.log(1000))  # 6.908


def test_every_class_equally_often():
    assert class_coverage(fake_classes=np.tile(np.arange(1000), 3)) == kg.metrics.ClassCoverage(classes=1000, kl=0.0)


def test_half_the_classes():
    assert class_coverage(fake_classes=np.arange(500)).kl == pytest.approx(math.log(2))


def test_true_data_has_the_bias_of_its_count():
    """26 000 draws of 1000 classes: (K - 1) / (2 N) = 0.0192; 2 N KL is chi-squared, of deviation sqrt(2 (K - 1))."""
    classes = np.random.default_rng(0).integers(1000, size=26_000)
    found = class_coverage(fake_classes=classes)
    assert found.classes == 1000
    assert found.kl == pytest.approx(999 / 52_000, abs=4 * math.sqrt(2 * 999) / 52_000)


def test_kl_to_the_datas_histogram():
    found = class_coverage(fake_classes=[0, 0, 1, 1], num_classes=3, real_classes=[0, 0, 0, 1, 2, 2])
    assert found.classes == 2
    assert found.kl == pytest.approx(0.5 * math.log(0.5 / (3 / 6)) + 0.5 * math.log(0.5 / (1 / 6)))
    assert class_coverage(fake_classes=[2], num_classes=3, real_classes=[0, 1]).kl == math.inf


@pytest.mark.parametrize("classes", [[], [-1, 0], [0, 1000], [0.0, 1.0], [[1, 2]]])
def test_classes_out_of_range_are_errors(classes):
    with pytest.raises(DataError, match="Expected classes"):
        class_coverage(fake_classes=np.array(classes))


@pytest.mark.parametrize("num_classes", ["10", 10.0, 0, -1, True, None])
def test_a_count_of_classes_that_is_not_a_whole_number_is_an_error(num_classes):
    with pytest.raises(ConfigurationError, match="Expected num_classes to be a whole number, 1 or more. Received: "):
        class_coverage(fake_classes=[0], num_classes=num_classes)
