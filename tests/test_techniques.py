"""The papers' techniques together, as a user puts them into a variant's networks."""

import keras
import numpy as np
import pytest
from contract import equal, training_state, values
from keras import layers

import keras_gans as kg
from keras_gans.files import read_model
from keras_gans.layers import (
    InstanceNoise,
    MinibatchDiscrimination,
    MinibatchStandardDeviation,
    ReferenceBatch,
    VirtualBatchNormalization,
    WithoutReferenceBatch,
)


def generator():
    return keras.Sequential(
        [
            keras.Input((4,)),
            ReferenceBatch(6),
            layers.Dense(16, use_bias=False),
            VirtualBatchNormalization(6),
            layers.ReLU(),
            layers.Dense(64, activation="tanh"),
            WithoutReferenceBatch(6),
            layers.Reshape((8, 8, 1)),
        ]
    )


DISCRIMINATORS = {
    "minibatch discrimination": lambda: [layers.Flatten(), layers.Dense(6), MinibatchDiscrimination(3, 2)],
    "minibatch standard deviation": lambda: [MinibatchStandardDeviation(4), layers.Flatten()],
    "instance noise": lambda: [InstanceNoise(0.3), layers.Flatten()],
}


@pytest.mark.parametrize("variant", [kg.DCGAN, kg.LSGAN])
@pytest.mark.parametrize("technique", DISCRIMINATORS)
def test_a_variant_with_techniques_is_trained_saved_and_trained_on(technique, variant, images, tmp_path):
    """Two steps; then what was saved makes the same images, and two more steps of it are those of the original."""
    keras.utils.set_random_seed(1)
    judging = keras.Sequential([keras.Input((8, 8, 1)), *DISCRIMINATORS[technique](), layers.Dense(1)])
    gan = variant(generator(), judging, ema_decay=0.5, seed=5)
    gan.compile()
    batches, before = kg.data.Batches(images, batch_size=8, seed=2), values(gan.trainable_variables)
    first = gan.generate(5, seed=0)
    history = gan.fit(batches, steps_per_epoch=2, verbose=0).history
    assert np.isfinite([history["d_loss"], history["g_loss"]]).all()
    assert not any(equal([a], [b]) for a, b in zip(before, values(gan.trainable_variables)))
    gan.save(tmp_path / "gan.keras")
    keras.utils.set_random_seed(99)  # nothing may hang on the global generators
    loaded, made = read_model(tmp_path / "gan.keras", compile=True), gan.generate(5, seed=0)
    assert made.std() > 10 and not np.array_equal(made, first)  # the average has moved
    np.testing.assert_array_equal(loaded.generate(5, seed=0), made)
    for one in (gan, loaded):
        one.fit(batches, steps_per_epoch=2, verbose=0)
    assert int(loaded.step) == 4 and equal(training_state(loaded), training_state(gan))
    np.testing.assert_array_equal(loaded.generate(5, seed=0), gan.generate(5, seed=0))
