"""The fused kernel is Keras's layer: the same outputs, gradients and moving averages."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.engine import value_and_grad
from keras_gans.layers import FusedBatchNormalization


def trained_once(layer, inputs):
    """Everything that one training pass gives: outputs, loss, gradients, moving averages."""
    layer.build(inputs.shape)
    if layer.scale:
        layer.gamma.assign(np.linspace(0.5, 2.0, inputs.shape[-1]))
    if layer.center:
        layer.beta.assign(np.linspace(-1.0, 1.0, inputs.shape[-1]))
    x = keras.Variable(inputs)
    outputs = []

    def loss():
        outputs.append(ops.cast(layer(ops.convert_to_tensor(x), training=True), "float32"))
        return ops.sum(outputs[0] ** 3)  # the sum of squares would not depend on x

    _, gradients = value_and_grad(loss, [x, *layer.trainable_variables])
    outputs = [] if keras.backend.backend() == "jax" else outputs  # a traced tensor has no numbers
    return [ops.convert_to_numpy(v) for v in (*map(ops.stop_gradient, outputs), *gradients, *layer.weights)]


@pytest.mark.parametrize("shape", [(5, 4, 6, 3), (6, 7), (1, 2, 2, 3)])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("affine", [{}, {"center": False, "scale": False}, {"scale": False}], ids=str)
def test_it_equals_keras_layer(shape, policy, affine):
    inputs = np.random.default_rng(0).normal(1.0, 3.0, shape).astype("float32")
    options = {"momentum": 0.9, "epsilon": 1e-5, "dtype": policy, **affine}
    ours = trained_once(FusedBatchNormalization(**options), inputs)
    theirs = trained_once(keras.layers.BatchNormalization(**options), inputs)
    for own, other in zip(ours, theirs):
        scale = np.abs(other).max()
        last_place = 2.0**-8 if policy == "mixed_bfloat16" else 0.0  # of an output, which is rounded
        np.testing.assert_allclose(own, other, rtol=last_place, atol=2e-5 * scale)  # sums in another order


def test_inference_uses_the_moving_averages():
    layer = FusedBatchNormalization(epsilon=0.0)
    layer.build((None, 2))
    layer.moving_mean.assign([1.0, 2.0])
    layer.moving_variance.assign([4.0, 9.0])
    outputs = ops.convert_to_numpy(layer(np.array([[3.0, 5.0]], "float32"), training=False))
    np.testing.assert_allclose(outputs, [[1.0, 1.0]], rtol=1e-6)  # (3 - 1) / 2, (5 - 2) / 3


def test_it_survives_its_config():
    layer = FusedBatchNormalization(momentum=0.8)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is FusedBatchNormalization and copy.momentum == 0.8
