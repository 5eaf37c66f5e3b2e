"""The sliced Wasserstein distance: filters by loops, closed forms, and what it detects (specs: 14.6)."""

import importlib
import math

import numpy as np
import pytest

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics import SlicedWasserstein, sliced_wasserstein_distance
from keras_gans.metrics.sliced_wasserstein import laplacian_pyramid, projected_distance, pyramid_down, pyramid_up

KERNEL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def textures(count, size, seed, channels=1):
    """Floats in [-1, 1] with detail on every scale: noise of each size, enlarged."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, size, size, channels))
    for factor in (1, 2, 4, 8):
        part = rng.normal(size=(count, size // factor, size // factor, channels))
        images += part.repeat(factor, axis=1).repeat(factor, axis=2)
    return np.tanh(images / 4.0)


def mirrored(index, side):
    """The place that the mirror shows: -1 is 1, side is side - 2."""
    return side - 1 - abs(side - 1 - abs(index))


def filtered(image):
    """The 5 x 5 filter at each pixel of one channel, by loops."""
    height, width = image.shape
    result = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            for i in range(-2, 3):
                for j in range(-2, 3):
                    result[y, x] += KERNEL[i + 2, j + 2] * image[mirrored(y + i, height), mirrored(x + j, width)]
    return result


@pytest.mark.parametrize("size", [(8, 8), (7, 10), (5, 3)])
def test_down_and_up_are_the_filter_by_loops(size):
    images = noise((2, *size, 3))
    down = pyramid_down(images)
    up = pyramid_up(down, size)
    assert up.shape == images.shape
    for n in range(2):
        for c in range(3):
            np.testing.assert_allclose(down[n, ..., c], filtered(images[n, ..., c])[::2, ::2], atol=1e-13)
            spread = np.zeros(size)
            spread[::2, ::2] = down[n, ..., c]
            np.testing.assert_allclose(up[n, ..., c], 4 * filtered(spread), atol=1e-13)


def test_a_constant_stays_a_constant():
    """Each quarter of 4 K, the part that meets one phase of the zeros, has sum 1."""
    flat = np.full((1, 6, 7, 1), 3.0)
    np.testing.assert_allclose(pyramid_down(flat), 3.0, rtol=1e-15)
    np.testing.assert_allclose(pyramid_up(np.full((1, 3, 4, 1), 3.0), (6, 8)), 3.0, rtol=1e-15)


@pytest.mark.parametrize("size", [(32, 32), (33, 50)])
@pytest.mark.parametrize("levels", [1, 3])
def test_the_pyramid_gives_the_images_back(size, levels):
    images = noise((3, *size, 2))
    pyramid = laplacian_pyramid(images, levels)
    assert len(pyramid) == levels
    whole = pyramid[-1]
    for detail in reversed(pyramid[:-1]):
        whole = detail + pyramid_up(whole, detail.shape[1:3])
    np.testing.assert_allclose(whole, images, atol=1e-14)


def test_the_last_level_is_the_blurred_image():
    images = noise((2, 16, 16, 1))
    np.testing.assert_array_equal(laplacian_pyramid(images, 3)[-1], pyramid_down(pyramid_down(images)))


# The distance of two sets of points


def test_on_a_line_it_is_wassersteins():
    """Of 1-D sets the mean |difference| of sorted values: a shift; and by hand {0, 1, 5} and {2, 0, 1}."""
    points = noise((50, 1))
    rng = np.random.default_rng(0)
    assert projected_distance(points, points[::-1] + 2.5, 20, rng) == pytest.approx(2.5)
    one, other = np.array([[0.0], [1.0], [5.0]]), np.array([[2.0], [0.0], [1.0]])
    assert projected_distance(one, other, 3, rng) == pytest.approx((0 + 0 + 3) / 3)


@pytest.mark.parametrize("directions", [1, 16, 37])
def test_it_is_the_mean_over_directions_by_loops(directions):
    one, other = noise((30, 4)), noise((30, 4), seed=1)
    lines = np.random.default_rng(5).standard_normal((directions, 4))
    total = 0.0
    for line in lines:
        u = line / math.sqrt(sum(x * x for x in line))
        a, b = (sorted(float(np.dot(point, u)) for point in points) for points in (one, other))
        total += sum(abs(x - y) for x, y in zip(a, b)) / len(a)
    found = projected_distance(one, other, directions, np.random.default_rng(5))
    assert found == pytest.approx(total / directions, rel=1e-12)


def test_a_shift_in_two_dimensions():
    """|s . u| of a unit vector u at a uniform angle: |s| 2 / pi, with deviation |s| sqrt(1/2 - 4 / pi^2) = 0.31 |s|."""
    points = noise((40, 2))
    found = projected_distance(points, points + [3.0, 4.0], 4000, np.random.default_rng(0))
    assert found == pytest.approx(5 * 2 / math.pi, abs=4 * 5 * 0.31 / math.sqrt(4000))


# The whole


def constants(levels):
    return np.repeat(np.array(levels, "uint8"), 16 * 16).reshape(-1, 16, 16, 1)


def test_images_of_one_grey_each():
    """Patches of value z in all of 49 places project to z S, S = sum of a unit vector's entries.

    Levels 0, 0, 255, 255 are z = -1, -1, 1, 1; levels 9, 9, 9, 200 are -1/sqrt 3 (three times) and sqrt 3. And
    E|S| = 7 E|u_1| = 7 Gamma(24.5) / (sqrt(pi) Gamma(25)), with deviation sqrt(1 - E|S|^2) since E S^2 = 1.
    """
    low, high = 1 / math.sqrt(3), math.sqrt(3)
    apart = ((1 - low) + (1 - low) + (1 + low) + (high - 1)) / 4
    mean = 7 * math.exp(math.lgamma(24.5) - math.lgamma(25)) / math.sqrt(math.pi)
    count = 20_000
    found = sliced_wasserstein_distance(
        real=constants([255, 0, 0, 255]), fake=constants([9, 200, 9, 9]), patches=3, directions=count
    )
    assert found.sizes == ((16, 16),)
    error = 1e3 * apart * math.sqrt((1 - mean**2) / count)
    assert found.distances[0] == pytest.approx(1e3 * apart * mean, abs=4 * error)
    assert found.mean == found.distances[0]


@pytest.mark.parametrize(
    "size, sizes",
    [
        ((16, 16), [(16, 16)]),
        ((28, 28), [(28, 28)]),
        ((64, 64), [(64, 64), (32, 32), (16, 16)]),
        ((33, 70), [(33, 70), (17, 35)]),
    ],
)
@pytest.mark.parametrize("channels", [1, 4])
def test_levels_end_at_16_pixels(size, sizes, channels):
    one, other = (np.tanh(noise((2, *size, channels), seed)) for seed in (0, 1))
    found = sliced_wasserstein_distance(real=one, fake=other, patches=4, directions=8)
    assert isinstance(found, SlicedWasserstein)
    assert found.sizes == tuple(sizes)
    assert len(found.distances) == len(sizes)
    assert found.mean == pytest.approx(np.mean(found.distances))


def test_a_blur_is_seen_on_the_finest_level_most_and_the_same_set_is_near():
    real, other = textures(40, 64, seed=0), textures(40, 64, seed=1)
    options = {"patches": 32, "directions": 64}
    same = sliced_wasserstein_distance(real=real, fake=real, **options)
    plain = sliced_wasserstein_distance(real=real, fake=other, **options)
    blurred = sliced_wasserstein_distance(real=real, fake=pyramid_up(pyramid_down(other), (64, 64)), **options)
    assert all(distance > 0.0 for distance in same.distances)  # other patches of the same images
    rise = np.array(blurred.distances) - plain.distances
    assert rise[0] > plain.distances[0]
    assert rise[0] > 2.0 * max(rise[1:])
    assert plain.mean < 2.0 * same.mean  # both are random differences between this many patches


def test_a_shift_or_a_contrast_of_a_channel_changes_nothing():
    real, fake = textures(6, 32, 0, channels=3), textures(6, 32, 1, channels=3)
    plain, changed = (
        sliced_wasserstein_distance(real=real, fake=images, patches=8, directions=16)
        for images in (fake, fake * [0.5, 0.2, 0.6] + [0.1, 0.2, -0.4])
    )
    np.testing.assert_allclose(changed.distances, plain.distances, rtol=1e-9)
    turned = sliced_wasserstein_distance(real=real, fake=fake * [1.0, 0.2, -1.0], patches=8, directions=16)
    assert not np.allclose(turned.distances, plain.distances, rtol=1e-3)


def test_the_seed_determines_the_number_and_blocks_do_not_change_it(monkeypatch):
    real, fake = textures(9, 32, 0), textures(9, 32, 1)

    def distance(seed):
        return sliced_wasserstein_distance(real=real, fake=fake, patches=4, directions=20, seed=seed)

    first = distance(0)
    assert distance(0) == first != distance(1)
    module = importlib.import_module("keras_gans.metrics.sliced_wasserstein")
    monkeypatch.setattr(module, "BATCH", 4)
    monkeypatch.setattr(module, "GROUP", 3)
    np.testing.assert_allclose(distance(0).distances, first.distances, rtol=1e-12)


def test_uint8_and_floats_are_the_same_images():
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 16, 16, 3)).astype("uint8")
    floats = images / 127.5 - 1.0
    found = [
        sliced_wasserstein_distance(real=real, fake=fake, patches=5, directions=9).mean
        for real, fake in (images, floats, (images[0], floats[1]))
    ]
    np.testing.assert_allclose(found, found[0], rtol=1e-9)


@pytest.mark.parametrize("level", [0.0, 0.3, -1.0])
def test_a_collapse_to_one_color_is_a_number(level):
    """The flat set's patches are 0, not its rounding made large: the distance is the mean |value| of the others."""
    real = np.tanh(noise((30, 16, 16, 1)))
    found = sliced_wasserstein_distance(real=real, fake=np.full_like(real, level), patches=16, directions=64)
    # Projections of white noise of variance 1 are normal, except for the patches' overlaps.
    assert found.mean == pytest.approx(1e3 * math.sqrt(2 / math.pi), rel=0.03)


def test_rounding_of_a_flat_set_makes_no_difference():
    """float32 near 0.3 goes in steps of 3e-8, four millionths of a grey level."""
    flat = np.full((3, 32, 32, 1), 0.3, "float32")
    rounded = np.where(noise(flat.shape) > 0.0, flat, np.nextafter(flat, np.float32(1.0)))
    found = sliced_wasserstein_distance(real=rounded, fake=flat, patches=8, directions=16)
    assert found.distances == (0.0, 0.0)


@pytest.mark.parametrize("place", [(0, slice(None)), (-1, slice(None)), (slice(None), 0), (slice(None), -1)])
def test_patches_reach_every_border(place):
    """The only content is on one edge; without it both sets are flat."""
    black = np.zeros((20, 16, 16, 1), "uint8")
    real = black.copy()
    real[(slice(None), *place)] = 255
    assert sliced_wasserstein_distance(real=real, fake=black, patches=16, directions=4).mean > 100.0


def test_small_images_are_refused():
    images = np.zeros((2, 15, 20, 1), "uint8")
    with pytest.raises(DataError, match="16 pixels or more a side. Received: 15 x 20"):
        sliced_wasserstein_distance(real=images, fake=images)


def test_other_shapes_are_refused():
    images = np.zeros((2, 16, 16, 1), "uint8")
    with pytest.raises(DataError, match="the same number of real and fake images"):
        sliced_wasserstein_distance(real=images, fake=images[:1])


@pytest.mark.parametrize("options", [{"patches": 0}, {"directions": 0}, {"patches": 2.5}])
def test_numbers_out_of_range_are_errors(options):
    images = np.zeros((2, 16, 16, 1), "uint8")
    with pytest.raises(ConfigurationError, match=f"Expected {next(iter(options))} as a whole number"):
        sliced_wasserstein_distance(real=images, fake=images, **options)
