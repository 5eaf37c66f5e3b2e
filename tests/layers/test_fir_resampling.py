"""The filter [1, 3, 3, 1], against sums by hand and against transposed convolutions."""

import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import FIRDownsampling2D, FIRUpsampling2D

KERNEL = np.array([1.0, 3.0, 3.0, 1.0])


def apply(layer, row):
    """The layer on an image of one row; the filter along the other axis is divided out."""
    return ops.convert_to_numpy(layer(np.reshape(np.float32(row), (1, 1, -1, 1))))[0, :, :, 0]


def images(height, width):
    return np.random.default_rng(0).normal(size=(2, height, width, 3)).astype("float32")


def test_an_impulse_becomes_the_filter():
    """Along the row 4 values of the filter, down the column of one pixel 3 / 4 and 3 / 4."""
    made = apply(FIRUpsampling2D(), [0, 0, 1, 0, 0])
    np.testing.assert_allclose(made[0], 0.75 * np.array([0, 0, 0, 1, 3, 3, 1, 0, 0, 0]) / 4, rtol=1e-6)
    np.testing.assert_array_equal(made[0], made[1])


def test_doubling_is_a_transposed_convolution():
    x, made = images(4, 5), np.zeros((2, 8, 10, 3))
    padded = np.zeros((2, 10, 12, 3))
    for row in range(4):
        for column in range(5):
            kernel = np.outer(KERNEL, KERNEL)[None, :, :, None] / 16
            padded[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += x[:, row, column][:, None, None] * kernel
    made = padded[:, 1:-1, 1:-1]
    np.testing.assert_allclose(ops.convert_to_numpy(FIRUpsampling2D()(x)), made, rtol=0, atol=1e-6)


def test_halving_is_a_convolution_of_stride_two():
    x = images(6, 8)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    made = np.zeros((2, 3, 4, 3))
    for row in range(3):
        for column in range(4):
            part = padded[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4]
            made[:, row, column] = np.einsum("nhwc,h,w->nc", part, KERNEL, KERNEL) / 64
    np.testing.assert_allclose(ops.convert_to_numpy(FIRDownsampling2D()(x)), made, rtol=0, atol=1e-6)


@pytest.mark.parametrize("layer", [FIRUpsampling2D(), FIRDownsampling2D()])
def test_constants_stay_inside(layer):
    made = ops.convert_to_numpy(layer(np.full((1, 8, 8, 2), 0.5, "float32")))
    np.testing.assert_allclose(made[:, 1:-1, 1:-1], 0.5, rtol=1e-6)


def test_halving_is_the_transpose_of_doubling():
    """<up x, y> = 4 <x, down y>: the filters have the sums 16 / 4 and 1."""
    x, y = images(3, 4), images(6, 8)
    up, down = (ops.convert_to_numpy(a).astype("float64") for a in (FIRUpsampling2D()(x), FIRDownsampling2D()(y)))
    assert np.sum(up * y) == pytest.approx(4 * np.sum(x * down), rel=1e-4)


def test_an_odd_side_is_refused():
    with pytest.raises(ConfigurationError, match="even"):
        FIRDownsampling2D()(images(5, 6))
