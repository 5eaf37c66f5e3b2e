"""f-GAN: the contract, both players at the same weights, and every divergence through `fit`."""

import keras
import numpy as np
import pytest
from contract import VariantContract, number, slow_on_jax, values

import keras_gans as kg
from keras_gans.engine import value_and_grad
from keras_gans.errors import ConfigurationError
from keras_gans.models.f_gan import FGAN, build_discriminator, build_generator

DIVERGENCES = [
    kg.losses.KullbackLeibler,
    kg.losses.ReverseKullbackLeibler,
    kg.losses.Pearson,
    kg.losses.Neyman,
    kg.losses.SquaredHellinger,
    kg.losses.JensenShannon,
    kg.losses.GANDivergence,
    kg.losses.WeightedJensenShannon,
    kg.losses.TotalVariation,
]


class TestFGAN(VariantContract):
    def make(self, **options):
        generator = build_generator(self.shape, latent_dim=4, units=8)
        for name in ("hidden0", "hidden1", "pixels"):  # else images of networks this small differ by a grey level
            kernel = generator.get_layer(name).kernel
            kernel.assign(20.0 * kernel)
        return FGAN(generator, build_discriminator(self.shape, units=8), **options)

    def schedule(self, discriminator_steps):
        return ["discriminator"] * (discriminator_steps - 1) + ["generator", "discriminator"]

    def test_both_gradients_are_those_of_the_same_weights(self, monkeypatch):
        """Plain descent: one step moves each player by its own gradient at the weights before."""
        gan = self.gan(compile={"g_optimizer": keras.optimizers.SGD(0.1), "d_optimizer": keras.optimizers.SGD(0.1)})
        real = keras.ops.convert_to_numpy(self.seen(self.rows()["images"]))
        latents = np.random.default_rng(3).uniform(-1, 1, (self.batch_size, 4)).astype("float32")
        monkeypatch.setattr(gan, "latents_like", lambda images: keras.ops.convert_to_tensor(latents))
        moved = {}
        for player, loss in (
            ("generator", lambda: gan.generator_loss(gan.generator(latents, training=True))),
            ("discriminator", lambda: gan.discriminator_loss(real, gan.generator(latents, training=True))),
        ):
            variables = gan.player_variables(player)
            gradients = [np.asarray(keras.ops.convert_to_numpy(g)) for g in value_and_grad(loss, variables)[1]]
            moved[player] = [v - 0.1 * g for v, g in zip(values(variables), gradients)]
        gan.fit(real, batch_size=self.batch_size, shuffle=False, verbose=0)
        for player, expected in moved.items():
            for own, other in zip(values(gan.player_variables(player)), expected):
                np.testing.assert_allclose(own, other, atol=1e-6)

    @slow_on_jax
    @pytest.mark.parametrize("divergence", DIVERGENCES)
    def test_every_divergence_trains_and_survives_a_save(self, divergence, tmp_path):
        gan = self.gan(divergence=divergence())
        history = gan.fit(self.batches(), epochs=2, verbose=0).history
        assert np.isfinite([history["d_loss"], history["g_loss"]]).all()
        gan.save(tmp_path / "x.keras")
        copy = keras.saving.load_model(tmp_path / "x.keras")
        assert type(copy.divergence) is divergence
        assert copy.generator_objective is gan.generator_objective

    def test_the_generator_can_lower_the_bound_itself(self):
        gan = self.gan(divergence=kg.losses.Pearson(), generator_objective=kg.losses.f_gan_generator_loss)
        fake = np.random.default_rng(0).uniform(-1, 1, (6, *self.shape)).astype("float32")
        scores = np.asarray(gan.discriminator.predict(fake, verbose=0), "float64")
        expected = -np.mean(scores**2 / 4 + scores)
        assert number(gan.generator_loss(fake, training=False)) == pytest.approx(expected, rel=1e-4)

    def test_the_gan_divergence_is_the_gan(self):
        gan = self.gan()
        real, fake = np.random.default_rng(0).uniform(-1, 1, (2, 6, *self.shape)).astype("float32")
        d_real, d_fake = (gan.discriminator.predict(x, verbose=0) for x in (real, fake))
        assert number(gan.discriminator_loss(real, fake, training=False)) == pytest.approx(
            number(kg.losses.minimax_discriminator_loss(d_real, d_fake)), rel=1e-5
        )
        assert number(gan.generator_loss(fake, training=False)) == pytest.approx(
            number(kg.losses.non_saturating_generator_loss(d_fake)), rel=1e-5
        )

    def test_a_divergence_that_leaves_its_domain_is_refused(self):
        class Backwards(kg.losses.ReverseKullbackLeibler):
            """T = exp(-v), above 0, where f* is defined below 0 alone."""

            def activation(self, scores):
                return keras.ops.exp(-kg.losses.adversarial.float32(scores))

        class Forgotten(kg.losses.Pearson):
            """f* of another function."""

            def activated_conjugate(self, scores):
                return kg.losses.adversarial.float32(scores)

        for divergence in (Backwards(), Forgotten()):
            with pytest.raises(ConfigurationError, match=f"domain of its conjugate.*{type(divergence).__name__}"):
                self.make(divergence=divergence)

    def test_what_is_no_divergence_is_refused(self):
        for divergence in ("kl", kg.losses.KullbackLeibler, 1.0):
            with pytest.raises(ConfigurationError, match="KullbackLeibler"):
                self.make(divergence=divergence)
        with pytest.raises(ConfigurationError, match="function"):
            self.make(generator_objective="practical")
