"""The tiny model and data that the callbacks' tests train."""

import keras
import numpy as np
import pytest

import keras_gans as kg
from keras_gans.models.dcgan import build_discriminator, build_generator


@pytest.fixture
def make():
    """A function that makes a compiled DCGAN for 8x8 images, the same at each call; options go to `compile`."""

    def make(image_shape=(8, 8, 1), ema_decay=None, **options):
        keras.utils.set_random_seed(1)
        generator = build_generator(image_shape, latent_dim=4, base_filters=4, kernel_size=4)
        discriminator = build_discriminator(image_shape, base_filters=4, kernel_size=4)
        gan = kg.DCGAN(generator, discriminator, ema_decay=ema_decay, seed=5)
        gan.compile(**options)
        return gan

    return make


@pytest.fixture
def batches():
    """Three batches of eight images an epoch."""
    images = np.random.default_rng(0).integers(0, 256, (26, 8, 8, 1)).astype("uint8")
    return kg.data.Batches(images, batch_size=8, seed=2)
