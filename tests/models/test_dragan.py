"""DRAGAN: the contract, the penalty inside the loss, and where its points lie."""

import keras
import numpy as np
import pytest
from contract import VariantContract, number
from keras import layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans.models.dragan import DRAGAN
from keras_gans.networks.dcgan import build_discriminator, build_generator


def softplus(x):
    return np.log1p(np.exp(x))


class TestDRAGAN(VariantContract):
    def make(self, **options):
        generator = build_generator(self.shape, latent_dim=4, base_filters=4)
        return DRAGAN(generator, build_discriminator(self.shape, base_filters=4, batch_norm=False), **options)

    @pytest.mark.parametrize("gp_weight", [10.0, 0.5])
    def test_the_penalty_is_of_the_discriminators_slope(self, gp_weight):
        """A discriminator a.x has the slope |a| everywhere: 3 costs gp_weight (3 - 1)^2, wherever the points are."""
        flat = keras.Sequential([keras.Input(self.shape), layers.Flatten(), layers.Dense(1, use_bias=False)])
        kernel = np.zeros((64, 1), "float32")
        kernel[[0, 5, 9]] = [[2.0], [-2.0], [1.0]]
        flat.layers[-1].kernel.assign(kernel)
        gan = DRAGAN(self.make().generator, flat, gp_weight=gp_weight)
        real, fake = np.random.default_rng(0).uniform(-1, 1, (2, 6, *self.shape)).astype("float32")
        adversarial = softplus(-real.reshape(6, -1) @ kernel).mean() + softplus(fake.reshape(6, -1) @ kernel).mean()
        loss = number(gan.discriminator_loss(real, fake))
        assert loss == pytest.approx(adversarial + gp_weight * 4.0, rel=1e-4)
        assert number(gan.generator_loss(fake)) == pytest.approx(
            softplus(-fake.reshape(6, -1) @ kernel).mean(), rel=1e-4
        )

    def test_the_penalty_is_in_the_logs(self):
        """Without its weight: (3 - 1)^2 for a discriminator of slope 3, and softplus of logits by hand."""
        flat = keras.Sequential([keras.Input(self.shape), layers.Flatten(), layers.Dense(1, use_bias=False)])
        flat.set_weights([np.full((64, 1), 3.0 / 8.0, "float32")])
        generator = self.make().generator
        generator.set_weights([np.zeros_like(weight) for weight in generator.get_weights()])
        gan = DRAGAN(generator, flat, gp_weight=7.0, seed=0)
        gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
        images = np.random.default_rng(0).uniform(-1, 1, (8, *self.shape)).astype("float32")
        logs = {name: mean for name, (mean,) in gan.fit(images, batch_size=8, verbose=0).history.items()}
        assert list(logs) == ["d_loss", "g_loss", "gp"] and logs["gp"] == pytest.approx(4.0, rel=1e-4)
        adversarial = softplus(-3.0 / 8.0 * images.sum((1, 2, 3))).mean() + softplus(0.0)
        assert logs["d_loss"] == pytest.approx(adversarial + 7.0 * 4.0, rel=1e-4)

    def test_noise_is_one_number_a_pixel_and_its_share_one_an_image(self, monkeypatch):
        drawn = []

        def watched(score_fn, *tensors):
            drawn.append([np.asarray(ops.convert_to_numpy(tensor)) for tensor in tensors])
            return 0.0

        monkeypatch.setattr("keras_gans.models.dragan.dragan_penalty", watched)
        gan, real = self.gan(), np.random.default_rng(0).uniform(-1, 1, (400, *self.shape)).astype("float32")
        for training in (True, False, True):
            gan.discriminator_loss(real, real, training=training)
        for around, noise, share in drawn:
            np.testing.assert_array_equal(around, real)
            assert noise.shape == real.shape and share.shape == (400, 1, 1, 1)
            for numbers in (noise, share):
                assert numbers.min() >= 0.0 and numbers.max() <= 1.0
                assert abs(numbers.mean() - 0.5) < 4 * np.sqrt(1 / 12 / numbers.size)
                assert len(np.unique(numbers)) > 0.99 * numbers.size
            assert abs(np.corrcoef(noise[:, 0, 0, 0], share[:, 0, 0, 0])[0, 1]) < 0.2  # 4 / sqrt(400)
        assert not np.array_equal(drawn[0][1], drawn[2][1])

    def test_the_generator_learns_from_fresh_noise(self, monkeypatch):
        gan = self.gan(compile={"run_eagerly": True})
        drawn, latents_like = [], gan.latents_like

        def watched(images):
            drawn.append(latents_like(images))
            return drawn[-1]

        monkeypatch.setattr(gan, "latents_like", watched)
        gan.fit(self.rows(8)["images"], batch_size=8, verbose=0)
        assert len(drawn) == 2
        if keras.backend.backend() != "jax":  # where they are tracers
            assert not np.array_equal(*(ops.convert_to_numpy(latents) for latents in drawn))

    def test_compile_alone_is_the_authors_code(self):
        gan = self.gan()
        for optimizer in (gan.g_optimizer, gan.d_optimizer):
            config = optimizer.get_config()
            assert isinstance(optimizer, keras.optimizers.Adam)
            assert [config[key] for key in ("learning_rate", "beta_1", "beta_2")] == pytest.approx([1e-4, 0.5, 0.9])

    def test_the_default_discriminator_has_no_batch_norm(self):
        gan = DRAGAN(image_shape=(8, 8, 1), latent_dim=4)
        normed = [
            any(isinstance(layer, layers.BatchNormalization) for layer in network.layers)
            for network in (gan.generator, gan.discriminator)
        ]
        assert normed == [True, False]
        assert (gan.gp_weight, gan.discriminator_steps) == (10.0, 1)

    def test_a_weight_below_zero_is_refused(self):
        for weight in (-1.0, float("nan")):
            with pytest.raises(ConfigurationError, match="gp_weight"):
                self.make(gp_weight=weight)
