import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import AdaptiveInstanceNormalization, InstanceNormalization


def normals(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def styled(x, scale, offset, **options):
    return ops.convert_to_numpy(AdaptiveInstanceNormalization(**options)([x, scale, offset]))


def test_it_is_the_formula_for_each_channel_of_each_example():
    x, scale, offset = 3.0 * normals(4, 5, 6, 3) + 2.0, normals(4, 3, seed=1), normals(4, 3, seed=2)
    expected = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-8)
    expected = scale[:, None, None] * expected + offset[:, None, None]
    np.testing.assert_allclose(styled(x, scale, offset), expected, rtol=0, atol=1e-5)


def test_the_style_alone_gives_the_statistics():
    """Mean and deviation of a channel are those of the style, whatever x was; another example has no influence."""
    x, scale, offset = normals(2, 8, 8, 3), np.abs(normals(2, 3, seed=1)), normals(2, 3, seed=2)
    made = styled(x, scale, offset)
    np.testing.assert_allclose(made.mean((1, 2)), offset, rtol=0, atol=1e-5)
    np.testing.assert_allclose(made.std((1, 2)), scale, rtol=1e-4)
    np.testing.assert_allclose(styled(10.0 * x + 4.0, scale, offset), made, rtol=0, atol=1e-4)
    other = x.copy()
    other[1] = normals(8, 8, 3, seed=5)
    np.testing.assert_array_equal(styled(other, scale, offset)[0], made[0])


def test_with_ones_and_zeros_it_is_instance_normalization():
    x = normals(3, 4, 4, 2)
    plain = ops.convert_to_numpy(InstanceNormalization(epsilon=1e-3)(x))
    ones = np.ones((3, 2), "float32")
    np.testing.assert_allclose(styled(x, ones, 0.0 * ones, epsilon=1e-3), plain, rtol=0, atol=1e-6)


def test_a_constant_map_becomes_the_offset():
    made = styled(np.full((1, 4, 4, 2), 7.0, "float32"), normals(1, 2), np.array([[1.0, -2.0]], "float32"))
    np.testing.assert_array_equal(made, np.broadcast_to([1.0, -2.0], (1, 4, 4, 2)))


def test_large_numbers_of_float16_are_finite():
    x = (300.0 * normals(1, 16, 16, 2)).astype("float16")
    made = styled(x, np.ones((1, 2), "float16"), np.zeros((1, 2), "float16"), dtype="float16")
    assert made.dtype == "float16"
    np.testing.assert_allclose(made.astype("float32").std((1, 2)), 1.0, rtol=1e-2)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigurationError, match="epsilon above 0"):
        AdaptiveInstanceNormalization(0.0)
    with pytest.raises(ConfigurationError, match="as many channels"):
        AdaptiveInstanceNormalization()([normals(1, 4, 4, 2), normals(1, 3), normals(1, 2)])
