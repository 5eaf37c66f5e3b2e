"""The fused Adam is Keras's, and the paper's algorithm."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.optimizers import FusedAdam


def trained(optimizer, dtype="float32", steps=5):
    """Two variables after some steps on gradients that are drawn, a large one and one of zeros among them."""
    rng = np.random.default_rng(0)
    variables = [keras.Variable(rng.normal(size=shape), dtype=dtype) for shape in ((4, 3), (5,))]
    optimizer.build(variables)
    for step in range(steps):
        gradients = [rng.normal(size=v.shape) * (1e3 if step == 2 else 1.0) * (step != 3) for v in variables]
        optimizer.apply([ops.cast(g, dtype) for g in gradients], variables)
    state = [*variables, *optimizer.variables]
    return [ops.convert_to_numpy(ops.cast(v, "float32")) for v in state]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"learning_rate": 2e-4, "beta_1": 0.5, "epsilon": 1e-8},
        {"beta_1": 0.0, "beta_2": 0.99},
        {"clipnorm": 1.0, "weight_decay": 0.1},
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)},
        {"amsgrad": True},
        {"use_ema": True, "ema_momentum": 0.9},
        {"gradient_accumulation_steps": 2},
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_equals_keras(options, dtype):
    for own, other in zip(trained(FusedAdam(**options), dtype), trained(keras.optimizers.Adam(**options), dtype)):
        np.testing.assert_allclose(own, other, rtol=2e-5, atol=1e-7)  # products in another order


def test_the_first_step_by_hand():
    variable = keras.Variable([1.0, 1.0])
    FusedAdam(learning_rate=0.1, epsilon=0.0).apply([ops.convert_to_tensor([3.0, -0.5])], [variable])
    # m / sqrt(v), both without bias, is the gradient's sign: m = 0.1 g / (1 - 0.9), v = 0.001 g^2 / (1 - 0.999)
    np.testing.assert_allclose(ops.convert_to_numpy(variable), [0.9, 1.1], rtol=1e-6)


def test_it_survives_its_config():
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(FusedAdam(beta_1=0.5)))
    assert type(copy) is FusedAdam and copy.beta_1 == 0.5
