"""The equalized learning rate: first weights, what they are used as, and what a step changes."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans import engine
from keras_gans.errors import ConfigurationError
from keras_gans.layers import EqualizedConv2D, EqualizedDense

ROOT = math.sqrt(2.0)


def normals(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def built(layer, *shape, seed=3):
    keras.utils.set_random_seed(seed)
    layer.build((None, *shape))
    return layer


@pytest.mark.parametrize("multiplier", [1.0, 0.01])
def test_first_weights_have_the_deviation_one_over_the_multiplier(multiplier):
    """And are used with gain / sqrt(fan-in) all the same: 100 for a multiplier of 0.01."""
    dense = built(EqualizedDense(256, gain=1.0, learning_rate_multiplier=multiplier), 400)
    kernel, bias = dense.get_weights()
    assert np.std(kernel) == pytest.approx(1.0 / multiplier, rel=0.02) and not bias.any()
    used = ops.convert_to_numpy(dense(np.eye(400, dtype="float32")))
    assert np.std(used) == pytest.approx(1.0 / math.sqrt(400), rel=0.02)


def test_outputs_have_the_gain_squared_times_the_variance_of_the_inputs():
    """The variance before each activation stays about 2 through many layers, so that nothing vanishes or explodes."""
    x, variances = normals(64, 256), []
    for i in range(6):
        y = ops.convert_to_numpy(built(EqualizedDense(256), 256, seed=i)(x))
        variances.append(y.var())
        x = math.sqrt(2.0 / (1.0 + 0.2**2)) * np.where(y > 0, y, 0.2 * y) / ROOT
    np.testing.assert_allclose(variances, 2.0, rtol=0.25)
    maps = ops.convert_to_numpy(built(EqualizedConv2D(64, 3, padding="valid"), 10, 10, 32)(normals(16, 10, 10, 32)))
    assert maps.var() == pytest.approx(2.0, rel=0.1)


def test_a_dense_layer_by_hand():
    dense = built(EqualizedDense(2, gain=3.0, learning_rate_multiplier=0.5, bias_initializer="ones"), 4)
    kernel, x = normals(4, 2), normals(5, 3, 4, seed=1)
    dense.kernel.assign(kernel)
    np.testing.assert_allclose(ops.convert_to_numpy(dense(x)), x @ (kernel * 3.0 * 0.5 / 2.0) + 0.5, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3},
        {"kernel_size": (1, 3), "gain": 1.0, "use_bias": False},
        {"kernel_size": 3, "strides": 2, "padding": "valid", "learning_rate_multiplier": 0.1},
        {"kernel_size": 4, "strides": (1, 2), "bias_initializer": "ones"},
    ],
    ids=str,
)
def test_a_convolution_is_keras_own_with_the_scaled_kernel(options):
    layer = built(EqualizedConv2D(5, **options), 9, 8, 3)
    size, multiplier = layer.kernel_size, options.get("learning_rate_multiplier", 1.0)
    plain = keras.layers.Conv2D(
        5, size, layer.strides, layer.padding, data_format="channels_last", use_bias=layer.use_bias
    )
    plain.build((None, 9, 8, 3))
    kernel, *bias = layer.get_weights()
    assert kernel.shape == (*size, 3, 5)
    scale = options.get("gain", ROOT) * multiplier / math.sqrt(math.prod(size) * 3)
    plain.set_weights([kernel * scale, *(multiplier * b for b in bias)])
    x = normals(2, 9, 8, 3)
    made = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(made, ops.convert_to_numpy(plain(x)), rtol=0, atol=1e-5)
    assert layer.compute_output_shape((2, 9, 8, 3)) == made.shape
    assert layer.compute_output_shape((None, None, 8, 3)) == (None, None, *made.shape[2:])


def test_a_step_of_adam_moves_the_used_weights_in_proportion_to_their_deviation():
    """By rate / deviation of the stored ones: a hundredth of the deviation, for few inputs and for many."""
    for inputs in (4, 256):
        dense = built(EqualizedDense(8), inputs)
        before = ops.convert_to_numpy(dense(np.eye(inputs, dtype="float32")))
        x = np.ones((3, inputs), "float32")
        _, gradients = engine.value_and_grad(lambda: ops.mean(dense(x)), dense.trainable_variables)
        # d mean / d W = s x / outputs, the same for all examples
        np.testing.assert_allclose(ops.convert_to_numpy(gradients[0]), ROOT / math.sqrt(inputs) / 8.0, rtol=1e-4)
        optimizer = keras.optimizers.Adam(0.01, epsilon=1e-12)
        optimizer.build(dense.trainable_variables)
        engine.apply_gradients(optimizer, gradients, dense.trainable_variables)
        bias = ops.convert_to_numpy(dense.bias)
        moved = ops.convert_to_numpy(dense(np.eye(inputs, dtype="float32"))) - bias - before
        np.testing.assert_allclose(moved, -0.01 * ROOT / math.sqrt(inputs), rtol=1e-2)
        np.testing.assert_allclose(bias, -0.01, rtol=1e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_weights_stay_float32_and_outputs_follow_the_policy(policy):
    for layer, x in (
        (EqualizedDense(3, dtype=policy), normals(2, 4)),
        (EqualizedConv2D(3, 3, dtype=policy), normals(2, 4, 4, 2)),
    ):
        assert keras.backend.standardize_dtype(layer(x).dtype) == layer.compute_dtype != "float32"
        assert {variable.dtype for variable in layer.weights} == {"float32"}


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: EqualizedDense(0), "1 or more units"),
        (lambda: EqualizedDense(3, gain=0.0), "gain above 0"),
        (lambda: EqualizedDense(3, learning_rate_multiplier=-1.0), "learning_rate_multiplier above 0"),
        (lambda: EqualizedConv2D(2.5, 3), "1 or more filters"),
        (lambda: EqualizedConv2D(2, 0), "kernel_size of 1 or more"),
        (lambda: EqualizedConv2D(2, (3, 3, 3)), "kernel_size of 1 or more"),
        (lambda: EqualizedConv2D(2, 3, strides=(1, 0)), "strides of 1 or more"),
        (lambda: EqualizedConv2D(2, 3, padding="causal"), "'same' or 'valid'"),
    ],
)
def test_numbers_out_of_range_are_refused(make, match):
    with pytest.raises(ConfigurationError, match=match):
        make()
