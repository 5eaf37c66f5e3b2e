"""Weight normalization against NumPy, and its initialization from data."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_gans.engine import value_and_grad
from keras_gans.errors import ConfigurationError
from keras_gans.layers import WeightNormalization, initialize_from_data


def numpy(tensor):
    return np.array(ops.convert_to_numpy(tensor), copy=True)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


CASES = {
    "dense": (lambda **options: layers.Dense(5, **options), (3, 4)),
    "conv1d": (lambda **options: layers.Conv1D(5, 3, padding="same", **options), (2, 6, 4)),
    "conv2d": (lambda **options: layers.Conv2D(5, 3, strides=2, **options), (2, 6, 6, 4)),
    "conv3d": (lambda **options: layers.Conv3D(5, 2, **options), (2, 3, 3, 3, 4)),
}


def made(name):
    make, shape = CASES[name]
    layer = WeightNormalization(make(use_bias=False))
    layer.build(shape)
    for i, weight in enumerate((layer.layer.kernel, layer.scale, layer.bias)):
        weight.assign(normal(*weight.shape, seed=i))
    return layer, normal(*shape, seed=9)


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_those_of_the_normalised_kernel(name):
    layer, inputs = made(name)
    kernel = numpy(layer.layer.kernel.value)
    norms = np.array([np.linalg.norm(kernel[..., i]) for i in range(5)])
    plain = CASES[name][0]()
    plain.build(inputs.shape)
    plain.set_weights([kernel * (numpy(layer.scale.value) / norms), numpy(layer.bias.value)])
    np.testing.assert_allclose(numpy(layer(inputs)), numpy(plain(inputs)), rtol=1e-4, atol=1e-5)


def test_the_kernels_length_does_not_affect_outputs_and_gradient():
    """g V / |V| has degree 0 in V: the outputs do not change with its length and the gradient is orthogonal to it."""
    layer, inputs = made("dense")
    before = numpy(layer(inputs))
    _, (slope,) = value_and_grad(lambda: ops.sum(ops.square(layer(inputs))), [layer.layer.kernel])
    kernel = numpy(layer.layer.kernel.value)
    np.testing.assert_allclose((numpy(slope) * kernel).sum(0), 0.0, atol=1e-4)
    assert np.abs(numpy(slope)).max() > 0.1
    layer.layer.kernel.assign(kernel * np.array([1, 2, 3, 4, 0.5], "float32"))
    np.testing.assert_allclose(numpy(layer(inputs)), before, rtol=1e-5, atol=1e-6)


def test_the_scale_is_learned_or_kept():
    for train_scale, names in ((True, {"kernel", "scale", "bias"}), (False, {"kernel", "bias"})):
        layer = WeightNormalization(layers.Dense(2, use_bias=False), train_scale=train_scale)
        layer.build((None, 3))
        assert {weight.name for weight in layer.trainable_variables} == names
        assert len(layer.weights) == 3
        assert WeightNormalization.from_config(layer.get_config()).train_scale == train_scale


def test_a_kernel_of_zeros_stays_finite():
    layer, inputs = made("dense")
    layer.layer.kernel.assign(np.zeros((4, 5), "float32"))
    _, slopes = value_and_grad(lambda: ops.sum(layer(inputs)), layer.trainable_variables)
    assert all(np.isfinite(numpy(slope)).all() for slope in slopes)


def test_scales_and_biases_are_set_from_data_layer_by_layer():
    keras.utils.set_random_seed(0)
    names = ("first", "second", "third")
    network = keras.Sequential([keras.Input((6, 6, 2))])
    network.add(WeightNormalization(layers.Conv2D(4, 3, use_bias=False), name="first"))
    network.add(layers.ReLU())
    network.add(layers.Flatten())
    network.add(WeightNormalization(layers.Dense(5, use_bias=False), train_scale=False, name="second"))
    network.add(layers.ReLU())
    network.add(WeightNormalization(layers.Dense(3, use_bias=False), name="third"))
    images = 7.0 + 3.0 * normal(50, 6, 6, 2)
    directions = [numpy(network.get_layer(name).layer.kernel.value) for name in names]
    assert initialize_from_data(network, images) is None
    for name, direction in zip(names, directions):
        layer = network.get_layer(name)
        outputs = numpy(keras.Model(network.inputs[0], layer.output)(images))
        axes = tuple(range(outputs.ndim - 1))
        np.testing.assert_allclose(outputs.mean(axes), 0.0, atol=1e-4)
        np.testing.assert_allclose(outputs.std(axes), 1.0, atol=1e-3)
        np.testing.assert_array_equal(numpy(layer.layer.kernel.value), direction)


def test_an_output_that_does_not_vary_stays_finite():
    dense = WeightNormalization(layers.Dense(2, use_bias=False))
    network = keras.Sequential([keras.Input((3,)), dense])
    initialize_from_data(network, np.ones((4, 3), "float32"))
    np.testing.assert_allclose(numpy(network(np.ones((4, 3), "float32"))), 0.0, atol=1e-3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Dense(2),
        lambda: layers.Dense(2, use_bias=False, activation="relu"),
        lambda: layers.Conv2DTranspose(2, 3, use_bias=False),
        lambda: layers.Flatten(),
    ],
    ids=["bias", "activation", "transposed", "flatten"],
)
def test_layers_without_a_bare_kernel_are_refused(make):
    with pytest.raises(ConfigurationError, match="Expected a"):
        WeightNormalization(make())


def test_a_network_without_such_layers_is_refused():
    with pytest.raises(ConfigurationError, match="with WeightNormalization layers"):
        initialize_from_data(keras.Sequential([keras.Input((3,)), layers.Dense(1)]), np.ones((4, 3)))
