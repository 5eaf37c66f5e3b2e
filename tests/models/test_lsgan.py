"""LSGAN: the contract, and the paper's targets."""

import keras
import numpy as np
import pytest
from contract import VariantContract, number
from keras import ops

import keras_gans as kg
from keras_gans.models.lsgan import LSGAN
from keras_gans.networks.dcgan import build_discriminator, build_generator


class TestLSGAN(VariantContract):
    def make(self, **options):
        generator = build_generator(self.shape, latent_dim=4, base_filters=4)
        return LSGAN(generator, build_discriminator(self.shape, base_filters=4), **options)

    def outputs_of(self, discriminator, images):
        return ops.convert_to_numpy(discriminator(images, training=False)).astype("float64")

    @pytest.mark.parametrize("fake_target, generator_target", [(0.0, 1.0), (-1.0, 0.0)])
    def test_losses_are_the_formula(self, one, fake_target, generator_target):
        gan = self.rebuilt(one, fake_target=fake_target, generator_target=generator_target)
        real, fake = np.random.default_rng(0).uniform(-1, 1, (2, 6, *self.shape)).astype("float32")
        d_real, d_fake = (self.outputs_of(gan.discriminator, x) for x in (real, fake))
        expected = np.mean((d_real - 1.0) ** 2) / 2 + np.mean((d_fake - fake_target) ** 2) / 2
        assert number(gan.discriminator_loss(real, fake, training=False)) == pytest.approx(expected, rel=1e-5)
        expected = np.mean((d_fake - generator_target) ** 2) / 2
        assert number(gan.generator_loss(fake, training=False)) == pytest.approx(expected, rel=1e-5)

    def test_targets_survive_a_save(self, tmp_path):
        gan = self.make(fake_target=-1.0, generator_target=0.0)
        gan.save(tmp_path / "x.keras")
        copy = keras.saving.load_model(tmp_path / "x.keras")
        assert (copy.fake_target, copy.generator_target) == (-1.0, 0.0)

    def test_label_smoothing_moves_the_target_of_real_images(self, one):
        gan = self.rebuilt(one)
        real, fake = np.random.default_rng(0).uniform(-1, 1, (2, 6, *self.shape)).astype("float32")
        smoothing = kg.callbacks.LabelSmoothing(0.8)
        smoothing.set_model(gan)
        smoothing.on_epoch_begin(0)
        d_real, d_fake = (self.outputs_of(gan.discriminator, x) for x in (real, fake))
        expected = np.mean((d_real - 0.8) ** 2) / 2 + np.mean(d_fake**2) / 2
        assert number(gan.discriminator_loss(real, fake, training=False)) == pytest.approx(expected, rel=1e-5)
