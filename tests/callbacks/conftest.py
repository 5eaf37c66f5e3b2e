"""The tiny model and data that the callbacks' tests train."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_gans as kg


@pytest.fixture(scope="session")
def make():
    """A function that makes a compiled model for 8x8 images, the same at each call; options go to `compile`.

    Its networks are quick to compile and have all kinds of state: weights, moving statistics, dropout's seeds.
    """

    def make(ema_decay=None, discriminator_steps=1, **options):
        keras.utils.set_random_seed(1)
        generator = keras.Sequential(
            [
                keras.Input((4,)),
                layers.Dense(64, use_bias=False),
                layers.BatchNormalization(),
                layers.Activation("tanh", dtype="float32"),
                layers.Reshape((8, 8, 1), dtype="float32"),
            ]
        )
        discriminator = keras.Sequential(
            [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dropout(0.2, seed=3), layers.Dense(1, dtype="float32")]
        )
        gan = kg.DCGAN(generator, discriminator, discriminator_steps=discriminator_steps, ema_decay=ema_decay, seed=5)
        gan.compile(**options)
        return gan

    return make


@pytest.fixture(scope="session")
def batches():
    """Three batches of eight images an epoch."""
    images = np.random.default_rng(0).integers(0, 256, (26, 8, 8, 1)).astype("uint8")
    return kg.data.Batches(images, batch_size=8, seed=2)
