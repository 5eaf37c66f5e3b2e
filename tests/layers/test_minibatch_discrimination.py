"""Minibatch discrimination against the paper's formula, written out in loops."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.engine import value_and_grad
from keras_gans.errors import ConfigurationError
from keras_gans.layers import MinibatchDiscrimination


def numpy(tensor):
    return np.array(ops.convert_to_numpy(tensor), copy=True)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def built(features, kernels=3, dims=2, **options):
    layer = MinibatchDiscrimination(kernels, dims, **options)
    layer.build((None, features))
    layer.tensor.assign(normal(*layer.tensor.shape, seed=1) * 0.5)
    return layer


def by_hand(features, tensor, kernels, dims):
    matrices = features.astype("float64") @ tensor
    matrices = matrices.reshape(len(features), dims, kernels).transpose(0, 2, 1)  # M_i, (kernels, dims)
    similarities = np.zeros((len(features), kernels))
    for i in range(len(features)):
        for j in range(len(features)):
            for b in range(kernels):
                similarities[i, b] += np.exp(-np.abs(matrices[i, b] - matrices[j, b]).sum())
    return np.concatenate([features, similarities], axis=1)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_it_is_the_formula(count):
    layer, features = built(4), normal(count, 4)
    outputs = numpy(layer(features))
    assert outputs.shape == (count, 4 + 3)
    np.testing.assert_allclose(outputs, by_hand(features, numpy(layer.tensor.value), 3, 2), rtol=1e-5)


def test_equal_examples_count_themselves_and_far_ones_do_not():
    layer = built(4)
    np.testing.assert_array_equal(numpy(layer(np.ones((6, 4), "float32")))[:, 4:], 6.0)
    far = 1e3 * normal(6, 4)
    np.testing.assert_array_equal(numpy(layer(far))[:, 4:], 1.0)


def test_the_order_of_the_batch_is_kept():
    layer, features = built(4), normal(5, 4)
    order = [3, 0, 4, 1, 2]
    np.testing.assert_allclose(numpy(layer(features[order])), numpy(layer(features))[order], rtol=1e-5)


def test_gradient_is_that_of_finite_differences():
    layer, features = built(3), keras.Variable(normal(5, 3))
    weights = normal(5, 6, seed=2)

    def loss(x, tensor):
        return np.sum(weights * by_hand(x, tensor, 3, 2))

    variables = [features, layer.tensor]
    _, slopes = value_and_grad(
        lambda: ops.sum(ops.multiply(layer(ops.convert_to_tensor(features)), weights)), variables
    )
    start = [numpy(v.value).astype("float64") for v in variables]
    for i, slope in enumerate(slopes):
        numeric = np.zeros_like(start[i])
        for index in np.ndindex(*numeric.shape):
            sides = []
            for sign in (1e-6, -1e-6):
                moved = [value.copy() for value in start]
                moved[i][index] += sign
                sides.append(loss(*moved))
            numeric[index] = (sides[0] - sides[1]) / 2e-6
        np.testing.assert_allclose(numpy(slope), numeric, rtol=1e-3, atol=1e-4)


def test_mixed_precision_keeps_the_similarities_in_float32():
    layer = MinibatchDiscrimination(3, 2, dtype="mixed_bfloat16")
    features = normal(200, 4)
    outputs = layer(features)
    assert ops.dtype(outputs) == "bfloat16" and layer.tensor.dtype == "float32"
    expected = by_hand(features, numpy(layer.tensor.value), 3, 2)  # a sum of 200 in bfloat16 alone would stop at 256
    np.testing.assert_allclose(numpy(ops.cast(outputs, "float32")), expected, rtol=0.02, atol=0.02)


def network():
    return keras.Sequential(
        [
            keras.Input((4,)),
            MinibatchDiscrimination(3, 2, keras.initializers.RandomNormal(stddev=0.5)),
            keras.layers.Dense(1),
        ]
    )


def test_compiled_training_is_eager_training_and_is_saved(tmp_path):
    x, y = normal(10, 4), normal(10, 1, seed=5)
    models = [network(), network()]
    models[1].set_weights(models[0].get_weights())
    for model, eager in zip(models, (False, True)):
        model.compile(keras.optimizers.SGD(0.01), "mse", run_eagerly=eager)
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)  # and a last batch of two
    for own, other in zip(models[0].get_weights(), models[1].get_weights()):
        np.testing.assert_allclose(own, other, atol=1e-5)
    models[0].save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), models[0].predict(x, verbose=0))
    assert loaded.layers[0].get_config() == models[0].layers[0].get_config()


def test_shapes():
    layer = MinibatchDiscrimination(7, 2)
    assert layer(keras.Input((4,))).shape == (None, 11) == layer.compute_output_shape((None, 4))
    assert layer.count_params() == 4 * 7 * 2


def test_invalid_inputs_and_sizes_are_refused():
    with pytest.raises(ConfigurationError, match=r"Expected features \(N, A\).*Flatten"):
        MinibatchDiscrimination()(np.zeros((2, 4, 4, 1), "float32"))
    with pytest.raises(ConfigurationError, match="Received: 0 and 5"):
        MinibatchDiscrimination(kernels=0)
