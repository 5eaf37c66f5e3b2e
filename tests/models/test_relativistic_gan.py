"""RelativisticGAN: the contract, and both forms of the losses."""

import keras
import numpy as np
import pytest
from contract import VariantContract, number
from keras import ops

import keras_gans as kg
from keras_gans.errors import ConfigurationError
from keras_gans.models.relativistic_gan import RelativisticGAN
from keras_gans.networks.dcgan import build_discriminator, build_generator


def softplus(values):
    return np.logaddexp(0.0, values)


def average(real, fake):
    """The discriminator's loss, one logit after the other."""
    mean_real, mean_fake = sum(real) / len(real), sum(fake) / len(fake)
    return np.mean([softplus(-(r - mean_fake)) for r in real]) + np.mean([softplus(f - mean_real) for f in fake])


def pairing(real, fake):
    return np.mean([softplus(-(r - f)) for r, f in zip(real, fake)])


class TestRelativisticGAN(VariantContract):
    def make(self, **options):
        generator = build_generator(self.shape, latent_dim=4, base_filters=4)
        return RelativisticGAN(generator, build_discriminator(self.shape, base_filters=4), **options)

    @pytest.mark.parametrize("in_pairs, formula", [(False, average), (True, pairing)])
    def test_losses_are_the_formula(self, one, in_pairs, formula):
        gan = self.rebuilt(one, pairing=in_pairs)
        images, fake = np.random.default_rng(0).uniform(-1, 1, (2, 6, *self.shape)).astype("float32")
        logits = [
            ops.convert_to_numpy(gan.discriminator(x, training=False)).astype("float64")[:, 0] for x in (images, fake)
        ]
        assert number(gan.discriminator_loss(images, fake, training=False)) == pytest.approx(formula(*logits), rel=1e-5)
        assert number(gan.generator_loss(fake, images, training=False)) == pytest.approx(
            formula(*logits[::-1]), rel=1e-5
        )

    @pytest.mark.parametrize("in_pairs, undecided", [(False, 2 * np.log(2)), (True, np.log(2))])
    def test_a_discriminator_that_gives_all_images_one_score_is_undecided(self, one, in_pairs, undecided):
        gan = self.rebuilt(one, pairing=in_pairs)
        logits = gan.discriminator.layers[-1]
        logits.set_weights([np.zeros_like(weight) for weight in logits.get_weights()])
        losses = gan.batch_losses(**self.encoded(gan, self.rows()))
        assert [number(losses[name]) for name in ("d_loss", "g_loss")] == pytest.approx([undecided] * 2, rel=1e-6)

    def test_the_form_survives_a_save(self, tmp_path):
        self.make(pairing=True).save(tmp_path / "x.keras")
        assert keras.saving.load_model(tmp_path / "x.keras").pairing is True

    def test_a_form_that_is_no_boolean_is_refused(self):
        with pytest.raises(ConfigurationError, match="Expected pairing to be True or False. Received: 'average'"):
            kg.RelativisticGAN(image_shape=(8, 8, 1), pairing="average")
