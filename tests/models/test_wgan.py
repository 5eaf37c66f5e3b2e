"""WGAN: the contract, the clipped critic, and which way each player moves."""

import keras
import numpy as np
import pytest
from contract import VariantContract, number, values
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.models.wgan import WGAN
from keras_gans.networks.dcgan import build_discriminator, build_generator


class TestWGAN(VariantContract):
    def make(self, **options):
        generator = build_generator(self.shape, latent_dim=4, base_filters=4, kernel_size=4)
        critic = build_discriminator(self.shape, base_filters=4, kernel_size=4)
        return WGAN(generator, critic, **{"discriminator_steps": 1, **options})

    def test_every_weight_of_the_critic_is_clipped(self):
        """With a rate this high most weights end at the bound; batch norm's are clipped with the rest."""
        gan = self.gan(clip=0.05, discriminator_steps=2, compile={"d_optimizer": keras.optimizers.RMSprop(10.0)})
        gan.fit(self.batches(), verbose=0)
        weights = np.concatenate([w.ravel() for w in values(gan.discriminator.trainable_variables)])
        assert np.abs(weights).max() == np.float32(0.05)
        assert (np.abs(weights) == np.float32(0.05)).mean() > 0.5
        generator = np.concatenate([w.ravel() for w in values(gan.generator.trainable_variables)])
        assert np.abs(generator).max() > 0.05  # its gammas are about 1

    def test_the_critic_is_clipped_after_each_of_its_updates(self, monkeypatch):
        gan = self.gan(
            clip=0.02,
            discriminator_steps=3,
            compile={"d_optimizer": keras.optimizers.RMSprop(10.0), "run_eagerly": True},
        )
        minimize, largest = gan.minimize, []

        def watched(player, *inputs):
            largest.append(max(np.abs(w).max() for w in values(gan.discriminator.trainable_variables)))
            return minimize(player, *inputs)

        monkeypatch.setattr(gan, "minimize", watched)
        gan.fit(self.batches(), steps_per_epoch=1, verbose=0)
        assert len(largest) == 4 and largest[0] > 0.02
        assert largest[1:] == [np.float32(0.02)] * 3

    def test_the_critic_widens_the_gap_and_the_generator_raises_its_score(self):
        gan = self.gan()
        real = ops.convert_to_numpy(self.seen(self.arrays()["images"]))
        latents = np.random.default_rng(1).normal(size=(len(real), 4)).astype("float32")

        def scores():
            fake = gan.generator(latents, training=False)
            return [number(ops.mean(gan.discriminator(images, training=False))) for images in (real, fake)]

        gan.d_optimizer.learning_rate = gan.g_optimizer.learning_rate = 1e-3
        (before_real, before_fake), fake = scores(), ops.stop_gradient(gan.generator(latents, training=False))
        for _ in range(5):
            gan.minimize("discriminator", lambda a, b: gan.discriminator_loss(a, b, training=False), real, fake)
        after_real, after_fake = scores()
        assert after_real - after_fake > before_real - before_fake
        for _ in range(5):
            gan.minimize("generator", lambda images: gan.generator_loss(images, training=False), gan.record(latents))
        assert scores()[1] > after_fake

    def test_compile_alone_is_the_paper(self):
        gan = self.gan()
        for optimizer in (gan.g_optimizer, gan.d_optimizer):
            config = optimizer.get_config()
            assert isinstance(optimizer, keras.optimizers.RMSprop)
            assert (config["learning_rate"], config["momentum"]) == (pytest.approx(5e-5), 0.0)

    def test_the_papers_numbers(self):
        gan = WGAN(image_shape=(8, 8, 1))
        assert (gan.clip, gan.discriminator_steps, gan.latent_dim) == (0.01, 5, 100)

    @pytest.mark.parametrize("clip", [0.0, -1.0, float("nan")])
    def test_a_bound_that_is_not_positive_is_refused(self, clip):
        with pytest.raises(ConfigurationError, match="clip above 0"):
            self.make(clip=clip)
