import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import InstanceNormalization


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(3.0, 2.0, shape).astype("float32")


def test_it_follows_its_formula():
    x = normal(2, 4, 5, 3)
    mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    layer = InstanceNormalization(affine=True, epsilon=0.1)
    layer.build(x.shape)
    layer.gamma.assign([1.0, 2.0, 3.0])
    layer.beta.assign([0.0, -1.0, 5.0])
    expected = (x - mean) / np.sqrt(variance + 0.1) * [1.0, 2.0, 3.0] + [0.0, -1.0, 5.0]
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected, atol=1e-5)


def test_an_example_does_not_depend_on_its_batch_nor_on_training():
    x, layer = normal(5, 4, 4, 2), InstanceNormalization()
    whole = ops.convert_to_numpy(layer(x, training=True))
    for i in range(5):
        np.testing.assert_allclose(ops.convert_to_numpy(layer(x[i : i + 1], training=False))[0], whole[i], atol=1e-6)


def test_with_one_image_it_is_batch_normalization_by_the_batch():
    x = normal(1, 6, 6, 3)
    batch = keras.layers.BatchNormalization(epsilon=1e-5)
    expected = ops.convert_to_numpy(batch(x, training=True))
    np.testing.assert_allclose(ops.convert_to_numpy(InstanceNormalization()(x)), expected, atol=1e-5)


def test_a_map_of_one_pixel_becomes_beta():
    assert np.abs(ops.convert_to_numpy(InstanceNormalization()(normal(3, 1, 1, 4)))).max() == 0.0


def test_gamma_starts_as_asked_and_the_config_keeps_it():
    layer = InstanceNormalization(True, gamma_initializer=keras.initializers.Constant(2.0))
    layer.build((None, 4, 4, 3))
    assert ops.convert_to_numpy(layer.gamma).tolist() == [2.0] * 3
    again = InstanceNormalization.from_config(layer.get_config())
    assert again.affine and again.gamma_initializer.value == 2.0
    plain = InstanceNormalization()
    plain.build((None, 4, 4, 3))
    assert plain.weights == []


def test_sixteen_bits_are_normalised_in_thirty_two():
    layer = InstanceNormalization(dtype="mixed_float16")
    x = (1000.0 + normal(1, 32, 32, 1)).astype("float16")
    y = layer(x)
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
    assert float(np.std(ops.convert_to_numpy(y).astype("float32"))) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, "small"])
def test_an_epsilon_that_is_not_above_zero_is_refused(epsilon):
    with pytest.raises(ConfigurationError, match="epsilon above 0"):
        InstanceNormalization(epsilon=epsilon)
