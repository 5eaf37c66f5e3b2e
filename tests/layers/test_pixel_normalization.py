import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import PixelNormalization


def normalised(x, **options):
    return ops.convert_to_numpy(PixelNormalization(**options)(x))


def test_the_mean_square_over_the_channels_is_one_at_each_position():
    x = 7.0 * np.random.default_rng(0).normal(size=(3, 4, 5, 16)).astype("float32") + 2.0
    made = normalised(x)
    np.testing.assert_allclose(np.square(made).mean(-1), 1.0, rtol=1e-5)
    # each position by itself: another one does not matter
    other = x.copy()
    other[:, 1:] = 0.0
    np.testing.assert_array_equal(normalised(other)[:, 0], made[:, 0])


def test_the_length_of_a_latent_vector_does_not_matter():
    z = np.random.default_rng(1).normal(size=(4, 8)).astype("float32")
    np.testing.assert_allclose(normalised(z), normalised(5.0 * z), rtol=1e-5)
    np.testing.assert_allclose(normalised(z), z / np.sqrt(np.square(z).mean(-1, keepdims=True) + 1e-8), rtol=1e-5)


def test_epsilon_keeps_zeros_at_zero():
    np.testing.assert_array_equal(normalised(np.zeros((2, 3), "float32")), 0.0)
    np.testing.assert_allclose(normalised(np.full((1, 2), 3.0, "float32"), epsilon=16.0), 0.6, rtol=1e-6)


def test_squares_beyond_the_range_of_float16_are_finite():
    made = normalised(np.full((1, 4), 1000.0, "float16"), dtype="float16")
    np.testing.assert_array_equal(made, np.ones((1, 4), "float16"))


@pytest.mark.parametrize("epsilon", [0.0, -1.0, "small", True])
def test_an_epsilon_that_is_not_above_zero_is_refused(epsilon):
    with pytest.raises(ConfigurationError, match="epsilon above 0"):
        PixelNormalization(epsilon)
