"""Instance noise: its deviation, and that it can be changed while a compiled step runs."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import InstanceNoise


def numpy(tensor):
    return np.array(ops.convert_to_numpy(tensor), copy=True)


def test_the_noise_is_normal_with_its_deviation_and_fresh():
    layer, images = InstanceNoise(0.3, seed=1), np.full((100, 10, 10, 1), 0.5, "float32")
    noise = numpy(layer(images, training=True)) - images
    assert noise.std() == pytest.approx(0.3, rel=0.03) and abs(noise.mean()) < 0.01
    assert np.mean(np.abs(noise) > 0.6) == pytest.approx(0.0455, abs=0.01)  # two deviations of a normal
    assert len(np.unique(noise)) > 9000
    assert (numpy(layer(images, training=True)) - images != noise).mean() > 0.99
    np.testing.assert_array_equal(numpy(layer(images)), images)


def test_no_deviation_changes_nothing():
    layer, images = InstanceNoise(0.3), np.ones((4, 3), "float32")
    layer.stddev.assign(0.0)
    np.testing.assert_array_equal(numpy(layer(images, training=True)), images)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_it_is_annealed_in_a_compiled_step_and_saved(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    noise = InstanceNoise(10.0)
    after = keras.layers.Dense(50, kernel_initializer="identity")  # a model without weights is not trained
    model = keras.Sequential([keras.Input((50,)), noise, after])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    anneal = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: noise.stddev.assign([10.0, 1.0, 0.0][epoch])
    )
    zeros = np.zeros((40, 50), "float32")
    losses = model.fit(zeros, zeros, batch_size=16, epochs=3, callbacks=[anneal], verbose=0).history["loss"]
    assert losses[0] == pytest.approx(100.0, rel=0.2) and losses[1] == pytest.approx(1.0, rel=0.2) and losses[2] == 0.0
    assert noise.trainable_weights == [] and len(noise.weights) == 1
    noise.stddev.assign(0.25)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").layers[0]
    assert float(numpy(loaded.stddev.value)) == 0.25 and loaded.get_config() == noise.get_config()


def test_negative_deviations_are_refused():
    for stddev in (-0.1, float("nan")):
        with pytest.raises(ConfigurationError, match="stddev of 0 or more"):
            InstanceNoise(stddev)
