"""Conditional batch normalization: by hand, and its start as plain batch normalization."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.layers import ConditionalBatchNormalization

MAPS = np.random.default_rng(0).normal(2.0, 3.0, (4, 3, 3, 2)).astype("float32")
LABELS = np.eye(2, dtype="float32")[[0, 1, 1, 0]]


def test_each_label_has_its_gain_and_offset():
    layer = ConditionalBatchNormalization(epsilon=1e-5)
    layer.build([MAPS.shape, LABELS.shape])
    gains, offsets = np.array([[1.0, -0.5], [0.0, 2.0]]), np.array([[3.0, 0.0], [-1.0, 4.0]])
    layer.gain.kernel.assign(gains)
    layer.offset.kernel.assign(offsets)
    normal = (MAPS - MAPS.mean((0, 1, 2))) / np.sqrt(MAPS.var((0, 1, 2)) + 1e-5)
    which = LABELS.argmax(1)
    expected = normal * (1 + gains[which])[:, None, None] + offsets[which][:, None, None]
    np.testing.assert_allclose(ops.convert_to_numpy(layer([MAPS, LABELS], training=True)), expected, atol=1e-4)


def test_it_starts_as_batch_normalization_without_weights():
    layer, plain = (
        ConditionalBatchNormalization(),
        keras.layers.BatchNormalization(momentum=0.9, epsilon=2e-5, center=False, scale=False),
    )
    for training in (True, False, True, False):  # the second time with moving statistics
        ours, theirs = layer([MAPS, LABELS], training=training), plain(MAPS, training=training)
        np.testing.assert_allclose(ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs), atol=1e-6)


def test_it_survives_config_and_file(tmp_path):
    maps, labels = keras.Input((3, 3, 2)), keras.Input((2,))
    model = keras.Model([maps, labels], ConditionalBatchNormalization(momentum=0.5)([maps, labels]))
    model.layers[-1].gain.kernel.assign([[1.0, 2.0], [3.0, 4.0]])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[-1].momentum == 0.5
    for network in (model, loaded):
        network.layers[-1].norm.moving_mean.assign([1.0, 1.0])
    np.testing.assert_array_equal(loaded.predict([MAPS, LABELS], verbose=0), model.predict([MAPS, LABELS], verbose=0))


@pytest.mark.parametrize("spectral_normalization", [False, True])
def test_a_frozen_layer_stays_frozen_in_a_file(spectral_normalization, tmp_path):
    maps, labels = keras.Input((3, 3, 2)), keras.Input((2,))
    layer = ConditionalBatchNormalization(spectral_normalization=spectral_normalization)
    model = keras.Model([maps, labels], layer([maps, labels]))
    assert len(model.trainable_variables) == 2
    layer.trainable = False
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").trainable_variables == []


def test_its_initializer_may_be_a_function():
    def three(shape, dtype=None):
        return ops.full(shape, 3.0, dtype)

    layer = ConditionalBatchNormalization(kernel_initializer=three)
    layer.build([MAPS.shape, LABELS.shape])
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.gain.kernel), 3.0)
