import keras
import numpy as np
import pytest
from keras import ops

from keras_gans import engine
from keras_gans.errors import ConfigurationError
from keras_gans.layers import ReflectionPadding2D


@pytest.mark.parametrize("padding", [1, 3])
def test_it_is_numpys_reflection(padding):
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype("float32")
    sides = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    layer = ReflectionPadding2D(padding)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x)), np.pad(x, sides, mode="reflect"))
    assert layer(keras.Input((5, 6, 3))).shape == (None, 5 + 2 * padding, 6 + 2 * padding, 3)
    assert layer(keras.Input((None, None, 3))).shape == (None, None, None, 3)


def test_a_convolution_of_a_constant_image_is_constant_to_the_border():
    """With zeros it is not."""
    image = np.ones((1, 8, 8, 2), "float32")
    convolution = keras.layers.Conv2D(4, 7)
    reflected = ops.convert_to_numpy(convolution(ReflectionPadding2D(3)(image)))
    zeros = ops.convert_to_numpy(convolution(keras.layers.ZeroPadding2D(3)(image)))
    assert reflected.shape == (1, 8, 8, 4)
    assert np.ptp(reflected, axis=(1, 2)).max() < 1e-5
    assert np.ptp(zeros, axis=(1, 2)).max() > 0.01


def test_the_gradient_counts_how_often_a_pixel_is_used():
    layer = ReflectionPadding2D(1)
    gradient = engine.input_gradient(lambda x: layer(x), np.zeros((1, 3, 3, 1), "float32"))
    assert ops.convert_to_numpy(gradient)[0, 1, :, 0].tolist() == [3.0, 9.0, 3.0]  # (1 + 2)(1 + 2) in the middle


def test_what_cannot_be_reflected_is_refused():
    with pytest.raises(ConfigurationError, match="padding of 1 pixel or more. Received: 0"):
        ReflectionPadding2D(0)
    with pytest.raises(ConfigurationError, match="larger than 3x3"):
        ReflectionPadding2D(3)(keras.Input((3, 8, 1)))


def test_its_config_is_its_arguments():
    assert ReflectionPadding2D.from_config(ReflectionPadding2D(2).get_config()).padding == 2
