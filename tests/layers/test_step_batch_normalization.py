"""Batch normalization by steps: what the steps share, and what is separate for each."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import StepBatchNormalization

RANDOM = np.random.default_rng(0)
STEPS = [RANDOM.normal(mean, std, (6, 3)).astype("float32") for mean, std in ((0.0, 1.0), (5.0, 3.0))]


def test_each_step_is_normalised_by_its_own_averages():
    layer = StepBatchNormalization(2, momentum=0.0, epsilon=1e-5)
    layer.build((None, 3))
    layer.gamma.assign([1.0, -2.0, 0.5])
    layer.beta.assign([0.0, 3.0, 1.0])
    trained = [ops.convert_to_numpy(layer(x, step=step, training=True)) for step, x in enumerate(STEPS)]
    for step, x in enumerate(STEPS):
        normal = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
        expected = normal * np.array([1.0, -2.0, 0.5]) + np.array([0.0, 3.0, 1.0])
        np.testing.assert_allclose(trained[step], expected, atol=1e-4)
        # Without momentum each step's averages are those of its last batch, whatever came in between.
        found = ops.convert_to_numpy(layer(x, step=step, training=False))
        np.testing.assert_allclose(found, expected, atol=1e-4)
    other = ops.convert_to_numpy(layer(STEPS[0], step=1, training=False))
    assert not np.allclose(other, trained[0], atol=0.1)


def test_a_frozen_layer_is_frozen_when_it_is_rebuilt():
    layer = StepBatchNormalization(2)
    layer.build((None, 3))
    layer.trainable = False
    again = StepBatchNormalization.from_config(layer.get_config())
    x = STEPS[1]
    np.testing.assert_allclose(ops.convert_to_numpy(again(x, step=0, training=True)), x / (1 + 1e-5) ** 0.5, rtol=1e-5)
    assert not again.trainable_variables


def test_the_steps_share_what_is_trained():
    for steps in (1, 2, 5):
        layer = StepBatchNormalization(steps)
        layer.build((None, 4, 4, 3))
        assert len(layer.trainable_variables) == 2 and len(layer.non_trainable_variables) == 2 * steps


def test_it_survives_config_and_file(tmp_path):
    inputs, layer = keras.Input((3,)), StepBatchNormalization(2, momentum=0.5, epsilon=0.1)
    model = keras.Model(inputs, layer(layer(inputs, step=0), step=1))
    for i, variable in enumerate(layer.variables):
        variable.assign(np.full(variable.shape, i + 1.0))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [loaded.layers[-1].momentum, loaded.layers[-1].epsilon, loaded.layers[-1].steps] == [0.5, 0.1, 2]
    np.testing.assert_array_equal(loaded.predict(STEPS[0], verbose=0), model.predict(STEPS[0], verbose=0))


@pytest.mark.parametrize("steps", ["3", -1, 0, 1.0, True, None])
def test_steps_that_are_not_a_whole_number_are_refused(steps):
    with pytest.raises(ConfigurationError, match="Expected steps to be a whole number, 1 or more. Received: "):
        StepBatchNormalization(steps)
