"""Virtual batch normalization against its formula, and in networks of several such layers."""

import keras
import numpy as np
import pytest
from contract import slow_on_jax
from keras import layers, ops

import keras_gans as kg
from keras_gans.engine import value_and_grad
from keras_gans.errors import ConfigurationError
from keras_gans.layers import ReferenceBatch, VirtualBatchNormalization, WithoutReferenceBatch


def numpy(tensor):
    return np.array(ops.convert_to_numpy(tensor), copy=True)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(1.0, 2.0, size=shape).astype("float32")


def by_hand(x, size, gamma, beta, epsilon=1e-5):
    """The page's formula with its mean of squares, one example at a time."""
    x = x.astype("float64")
    axes, space = tuple(range(x.ndim - 1)), tuple(range(x.ndim - 2))
    m_r, q_r = x[:size].mean(axis=axes), np.square(x[:size]).mean(axis=axes)
    outputs = []
    for i, example in enumerate(x):
        w = 0.0 if i < size else 1.0 / (size + 1)
        m = w * example.mean(axis=space) + (1 - w) * m_r
        q = w * np.square(example).mean(axis=space) + (1 - w) * q_r
        outputs.append(gamma * (example - m) / np.sqrt(epsilon + q - m**2) + beta)
    return np.stack(outputs)


@pytest.mark.parametrize("shape", [(7, 5), (7, 3, 4, 5), (4, 3, 2, 5), (5, 3, 2, 5)])
def test_it_is_the_formula(shape):
    layer, x = VirtualBatchNormalization(4), normal(*shape)
    layer.build(shape)
    assert layer.count_params() == 10 and layer.epsilon == 1e-5
    gamma, beta = normal(5, seed=1), normal(5, seed=2)
    layer.set_weights([gamma, beta])
    np.testing.assert_allclose(numpy(layer(x)), by_hand(x, 4, gamma, beta), rtol=1e-4, atol=1e-5)


def test_the_reference_is_normalised_as_by_batch_normalization():
    x = normal(6, 3, 4, 5)
    plain = layers.BatchNormalization(epsilon=1e-5)
    virtual = VirtualBatchNormalization(6, gamma_initializer="ones")
    np.testing.assert_allclose(numpy(virtual(x)), numpy(plain(x, training=True)), rtol=1e-4, atol=1e-5)


def test_a_far_mean_does_not_cancel():
    x = (1e4 + normal(6, 4, 4, 1)).astype("float32")  # q - m^2 in float32 would be noise, or negative
    layer = VirtualBatchNormalization(4, gamma_initializer="ones")
    np.testing.assert_allclose(numpy(layer(x)), by_hand(x, 4, 1.0, 0.0), atol=0.01)  # float32's step at 1e4 is 0.001


def network():
    return keras.Sequential(
        [
            keras.Input((3,)),
            ReferenceBatch(8),
            layers.Dense(2 * 2 * 4),
            VirtualBatchNormalization(8),
            layers.ReLU(),
            layers.Reshape((2, 2, 4)),
            layers.Conv2DTranspose(5, 4, strides=2, padding="same"),
            VirtualBatchNormalization(8),
            layers.ReLU(),
            layers.Conv2D(3, 3, padding="same"),  # PyTorch 2.13's CPU kernel fails at one channel; see test_sngan.py
            WithoutReferenceBatch(8),
        ]
    )


def test_an_example_does_not_depend_on_the_others():
    model, inputs = network(), normal(5, 3)
    outputs = numpy(model(inputs, training=True))
    assert outputs.shape == (5, 4, 4, 3) == (5, *model.output_shape[1:])
    others = np.concatenate([inputs[:1], 10.0 * normal(6, 3, seed=1)])
    np.testing.assert_allclose(numpy(model(others, training=True))[0], outputs[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(numpy(model(inputs[:1], training=False))[0], outputs[0], rtol=1e-4, atol=1e-5)
    model.layers[0].assign(normal(8, 3, seed=3))
    assert np.abs(numpy(model(inputs)) - outputs).max() > 1e-3  # but on the reference


def test_the_gradient_goes_through_the_references_statistics():
    layer, x = VirtualBatchNormalization(4, gamma_initializer="ones"), keras.Variable(normal(6, 2, 2, 3))
    weights, direction = normal(6, 2, 2, 3, seed=1), normal(6, 2, 2, 3, seed=2)
    weights[:4] = 0.0  # the loss of the examples alone still moves the reference
    direction[4:] = 0.0
    _, (slope,) = value_and_grad(lambda: ops.sum(ops.multiply(layer(ops.convert_to_tensor(x)), weights)), [x])
    start = numpy(x.value).astype("float64")
    sides = [np.sum(by_hand(start + step * direction, 4, 1.0, 0.0) * weights) for step in (1e-6, -1e-6)]
    assert np.sum(numpy(slope) * direction) == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-3)


@pytest.mark.parametrize("policy", ["float32", pytest.param("mixed_bfloat16", marks=slow_on_jax)])
def test_compiled_training_is_eager_training_and_is_saved(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    x, y = normal(10, 3), normal(10, 4, 4, 3, seed=5)
    models = [network(), network()]
    models[1].set_weights(models[0].get_weights())
    reference = numpy(models[0].layers[0].reference.value)
    assert reference.std() == pytest.approx(1.0, abs=0.5)
    for model, eager in zip(models, (False, True)):
        model.compile(keras.optimizers.SGD(0.01), "mse", run_eagerly=eager)
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)  # and a last batch of two
    for own, other in zip(models[0].get_weights(), models[1].get_weights()):
        np.testing.assert_allclose(own, other, atol=1e-4 if policy == "float32" else 0.05)
    np.testing.assert_array_equal(numpy(models[0].layers[0].reference.value), reference)
    models[0].save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numpy(loaded.layers[0].reference.value), reference)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), models[0].predict(x, verbose=0))
    assert [layer.get_config() for layer in loaded.layers] == [layer.get_config() for layer in models[0].layers]


def test_a_reference_batch_that_does_not_fit_is_refused():
    layer = ReferenceBatch(4)
    with pytest.raises(ConfigurationError, match="built layer"):
        layer.assign(normal(4, 3))
    layer.build((None, 3))
    for shape in ((5, 3), (4, 2), (4, 3, 1)):
        with pytest.raises(ConfigurationError, match=r"shape \(4, 3\). Received: .*reference_size"):
            layer.assign(normal(*shape))
    with pytest.raises(ConfigurationError, match="Received: 3 rows. Put ReferenceBatch"):
        VirtualBatchNormalization(4)(normal(3, 2))
    for kind in (ReferenceBatch, VirtualBatchNormalization, WithoutReferenceBatch):
        with pytest.raises(ConfigurationError, match="reference_size=0"):
            kind(0)


def test_networks_without_a_shared_reference_batch_are_refused():
    def generator(first, middle, last):
        inner = [layer for layer in (first, layers.Dense(4), middle, last) if layer is not None]
        return keras.Sequential([keras.Input((2,)), *inner, layers.Reshape((2, 2, 1))])

    begin, normalize, end = ReferenceBatch, VirtualBatchNormalization, WithoutReferenceBatch
    discriminator = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(1)])
    kg.GAN(generator(begin(3), normalize(3), end(3)), discriminator)
    for triple in (
        (begin(8), normalize(5), end(3)),
        (begin(3), normalize(3), end(2)),
        (None, normalize(3), None),
        (begin(3), normalize(3), None),
        (begin(3), None, None),
    ):
        with pytest.raises(ConfigurationError, match="generator to have one ReferenceBatch"):
            kg.GAN(generator(*triple), discriminator)


@pytest.mark.parametrize("epsilon", [-1.0, 0.0, float("nan"), float("inf"), "1e-5", None, True])
def test_an_epsilon_that_is_not_above_zero_is_refused(epsilon):
    with pytest.raises(ConfigurationError, match="epsilon that is a number above 0. Received: "):
        VirtualBatchNormalization(4, epsilon=epsilon)


def test_a_reference_batch_is_an_array_a_tensor_or_lists():
    layer, examples = ReferenceBatch(2), normal(2, 3)
    layer.build((None, 3))
    for given in (examples, ops.convert_to_tensor(examples), keras.Variable(examples), examples.tolist()):
        layer.reference.assign(np.zeros((2, 3)))
        layer.assign(given)
        np.testing.assert_array_equal(numpy(layer.reference.value), examples)
    layer.assign(np.full((2, 3), 7, "uint8"))
    assert (numpy(layer.reference.value) == 7.0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_reference_batch_that_is_not_finite_is_refused(value):
    layer, examples = ReferenceBatch(2), normal(2, 3)
    layer.build((None, 3))
    before = numpy(layer.reference.value)
    examples[1, 2] = value
    for given in (examples, ops.convert_to_tensor(examples)):
        with pytest.raises(ConfigurationError, match="finite numbers. Received: 1 of 6"):
            layer.assign(given)
    for given in ("ab", [[1.0, 2.0, 3.0], [4.0]], None):
        with pytest.raises(ConfigurationError, match=r"shape \(2, 3\). Received"):
            layer.assign(given)
    np.testing.assert_array_equal(numpy(layer.reference.value), before)
