"""The contract of a variant whose discriminator judges pairs [latents, images], and which encodes images."""

import keras
import numpy as np
import pytest
from contract import VariantContract
from keras import layers, ops

from keras_gans import zoo
from keras_gans.batch_statistics import standing_statistics
from keras_gans.errors import ConfigurationError, DataError


class JointContract(VariantContract):
    """Four latents; all three networks move at once. `encoder` is the attribute that holds the encoder."""

    encoder = "encoder"

    def build_encoder(self, shape, outputs):
        """An encoder of the variant, tiny."""
        raise NotImplementedError

    def schedule(self, discriminator_steps):
        return ["discriminator"] * (discriminator_steps - 1) + ["generator", "discriminator"]

    def judged(self, gan, images):
        return [ops.zeros((len(images), gan.latent_dim)), images]

    def test_a_discriminator_of_images_alone_is_refused(self, one):
        alone = keras.Sequential([keras.Input(self.shape), layers.Flatten(), layers.Dense(1)])
        with pytest.raises(ConfigurationError, match="takes what the generator makes"):
            self.rebuilt(one, discriminator=alone)

    def test_encoders_that_do_not_fit_are_refused(self, one):
        for encoder, message in (
            (None, "built"),
            (keras.Sequential([layers.Dense(4)]), "built"),
            (self.build_encoder(self.shape, 5), r"to \(4,\)|or \(4,\)"),
            (self.build_encoder((6, 6, 1), 4), "to map images"),
        ):
            with pytest.raises(ConfigurationError, match=message):
                self.rebuilt(one, **{self.encoder: encoder})

    def test_encode_and_reconstruct(self, one):
        images = self.arrays()["images"][:5]
        floats = (images / 127.5 - 1.0).astype("float32")
        latents = one.encode(images)
        assert latents.shape == (5, 4) and latents.dtype == np.float32
        raw = ops.convert_to_numpy(getattr(one, self.encoder)(floats))[:, :4]
        with one.averages_in_use():
            averaged = ops.convert_to_numpy(getattr(one, self.encoder)(floats))[:, :4]
        np.testing.assert_allclose(latents, averaged, atol=1e-5)
        assert np.abs(raw - averaged).max() > 0.0
        np.testing.assert_allclose(one.encode(floats), latents, atol=1e-5)
        again = one.reconstruct(images)
        assert again.shape == images.shape and again.dtype == np.uint8
        with one.averages_in_use():
            made = ops.convert_to_numpy(one.generator(latents))
        assert np.abs(np.round((made + 1) * 127.5) - again).max() <= 1  # a grey level, by rounding
        assert np.abs(made - ops.convert_to_numpy(one.generator(latents))).max() > 0.0  # the weights without averages
        with pytest.raises(DataError, match="shape"):
            one.encode(images[:, :6])
        with pytest.raises(ConfigurationError, match=f"with {self.encoder}"):
            type(one)(one.generator).encode(images)

    def test_the_zoo_keeps_the_encoder(self, one):
        images = self.arrays()["images"][:5]
        small = zoo.sampler(one)
        assert small.discriminator is None
        np.testing.assert_array_equal(small.encode(images), one.encode(images))
        with standing_statistics(one):
            again = one.reconstruct(images)
        assert np.abs(small.reconstruct(images).astype("int32") - again).max() <= 1  # a grey level, by rounding
        assert getattr(zoo.sampler(type(one)(one.generator)), self.encoder) is None

    def test_a_step_moves_the_encoder(self):
        """In Keras-GAN's BiGAN it never moves: https://github.com/eriklindernoren/Keras-GAN/issues/243"""
        gan = self.gan()
        encoder = getattr(gan, self.encoder)
        before = encoder.get_weights()
        gan.fit(self.batches(), steps_per_epoch=1, verbose=0)
        moved = [np.abs(after - start).max() for after, start in zip(encoder.get_weights(), before)]
        assert moved[0] > 0 and moved[-2] > 0  # the first and the last kernel
