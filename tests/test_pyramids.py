"""Laplacian pyramids: the identity, the metrics' NumPy version, and the loss in closed form."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans import losses, pyramids
from keras_gans.engine import value_and_grad
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics import sliced_wasserstein


def array(tensor):
    return ops.convert_to_numpy(tensor)


def images(*size, seed=0, channels=2):
    return np.random.default_rng(seed).uniform(-1, 1, (3, *size, channels)).astype("float32")


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(8, 8), (28, 28), (9, 14)])
def test_a_pyramid_is_the_images(size, levels):
    """Exact up to the rounding of about ten numbers below two."""
    x = images(*size)
    pyramid = pyramids.laplacian_pyramid(x, levels)
    assert len(pyramid) == levels
    sizes = [tuple(level.shape[1:3]) for level in pyramid]
    assert all(b == tuple(-(-side // 2) for side in a) for a, b in zip(sizes, sizes[1:]))
    np.testing.assert_allclose(array(pyramids.from_laplacian_pyramid(pyramid)), x, atol=2e-6)


@pytest.mark.parametrize("size", [(16, 16), (28, 12), (9, 14)])
def test_it_is_the_pyramid_of_the_metrics(size):
    """The metrics filter by shifted sums, in float64."""
    x = images(*size)
    expected = sliced_wasserstein.laplacian_pyramid(x.astype("float64"), 3)
    for level, other in zip(pyramids.laplacian_pyramid(x, 3), expected, strict=True):
        np.testing.assert_allclose(array(level), other, atol=1e-6)


@pytest.mark.parametrize("size", [(2, 2), (3, 2), (5, 8)])
def test_a_shift_is_in_the_last_level_alone(size):
    *finer, last = pyramids.laplacian_pyramid(np.full((1, *size, 1), 0.7, "float32"), 2)
    np.testing.assert_allclose(array(last), 0.7, atol=1e-6)
    for level in finer:
        np.testing.assert_allclose(array(level), 0.0, atol=1e-6)


def test_images_of_one_pixel_cannot_be_halved():
    with pytest.raises(ConfigurationError, match="2 pixels or more.*fewer levels"):
        pyramids.laplacian_pyramid(images(8, 8), 5)
    assert len(pyramids.laplacian_pyramid(images(8, 8), 4)) == 4


# The loss


def test_the_loss_is_a_distance():
    x, y = images(8, 8), images(8, 8, seed=1)
    there, back = (float(array(losses.laplacian_loss(a, b))) for a, b in ((x, y), (y, x)))
    assert there == pytest.approx(back, rel=1e-6) and there > 0.1
    assert float(array(losses.laplacian_loss(x, x))) == 0.0
    assert float(array(losses.laplacian_loss(x, y, levels=1))) == pytest.approx(np.abs(x - y).mean(), rel=1e-5)


def test_the_loss_against_the_weighted_sums():
    """sum_j 4^j |difference of the j-th levels|_1 over the numbers of an image, in float64."""
    x, y = images(16, 16), images(16, 16, seed=1)
    of_x, of_y = (sliced_wasserstein.laplacian_pyramid(a.astype("float64"), 4) for a in (x, y))
    total = sum(4**j * np.abs(a - b).sum() for j, (a, b) in enumerate(zip(of_x, of_y)))
    assert float(array(losses.laplacian_loss(x, y))) == pytest.approx(total / x.size, rel=1e-5)


def test_its_slope_is_that_of_finite_differences():
    x, y = images(8, 8, channels=1), images(8, 8, seed=1, channels=1)
    variable = keras.Variable(x)
    _, (slope,) = value_and_grad(lambda: losses.laplacian_loss(variable * 1.0, y, 3), [variable])
    step = 1e-3 * np.random.default_rng(2).choice([-1.0, 1.0], x.shape).astype("float32")
    ends = [float(array(losses.laplacian_loss(x + sign * step, y, 3))) for sign in (1.0, -1.0)]
    # Piecewise linear: corners crossed by the step, about one level's number in a hundred, change it by a few percent.
    assert float((array(slope) * step).sum()) == pytest.approx((ends[0] - ends[1]) / 2, rel=0.1, abs=2e-6)


def test_whole_numbers_are_halved_as_floats():
    levels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1)).astype("uint8")
    np.testing.assert_array_equal(array(pyramids.halve(levels)), array(pyramids.halve(levels.astype("float32"))))
    again = pyramids.from_laplacian_pyramid(pyramids.laplacian_pyramid(levels, 3))
    np.testing.assert_allclose(array(again), levels, atol=1e-3)


def test_pyramids_of_unlike_images_are_not_compared():
    with pytest.raises(DataError, match="one shape"):
        losses.laplacian_loss(images(8, 8), images(8, 8)[:1])


def test_lists_that_are_not_pyramids_are_refused():
    for call, message in (
        (lambda: pyramids.laplacian_pyramid(images(8, 8), 0), "levels of 1 or more"),
        (lambda: pyramids.laplacian_pyramid(images(8, 8)[0], 2), r"images\[None\]"),
        (lambda: pyramids.double(images(8, 8), (8, 16)), r"half the size \(8, 16\)"),
        (lambda: pyramids.from_laplacian_pyramid([]), r"one or more levels .* Received: \[\]"),
        (lambda: pyramids.from_laplacian_pyramid([np.ones((1, 8, 8, 3)), np.ones((1, 4, 4, 1))]), "same channels"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            call()
