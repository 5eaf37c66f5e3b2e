"""DCGAN: the contract, and the paper's optimizers and order of updates."""

import keras
import numpy as np
import pytest
from contract import VariantContract, largest_difference, needs_tensorflow, values
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.models.dcgan import DCGAN
from keras_gans.networks.dcgan import build_discriminator, build_generator


class TestDCGAN(VariantContract):
    whole_elsewhere = True

    def make(self, **options):
        generator = build_generator(self.shape, latent_dim=4, base_filters=4)
        return DCGAN(generator, build_discriminator(self.shape, base_filters=4), **options)

    def test_a_run_without_validation_is_resumed_as_well(self, plain, tmp_path):
        plain.path = lambda epoch: tmp_path / f"{epoch}.keras"
        plain.again(self.batches()).save(plain.path(0))
        plain.gan.fit(self.batches(), verbose=0)
        self._check_resumed(plain)

    @needs_tensorflow
    def test_xla_is_close_to_an_eager_run_for_the_same_noise(self, monkeypatch):
        """Without dropout the noise is the only randomness, and it is given here."""
        noise = np.random.default_rng(0).normal(size=(self.batch_size, 4)).astype("float32")
        runs = []
        for compile in ({"run_eagerly": True}, {"jit_compile": True}):
            gan = self.gan(compile=compile)
            monkeypatch.setattr(gan, "latents_like", lambda images: ops.convert_to_tensor(noise))
            gan.fit(self.batches(), verbose=0)
            runs.append(values(gan.weights))
        assert largest_difference(*runs) < 1e-5

    def test_compile_alone_is_the_paper(self):
        gan = self.gan()
        for optimizer in (gan.g_optimizer, gan.d_optimizer):
            config = optimizer.get_config()
            assert isinstance(optimizer, keras.optimizers.Adam)
            assert (config["learning_rate"], config["beta_1"], config["beta_2"]) == pytest.approx((2e-4, 0.5, 0.999))
            assert not config["weight_decay"]


def test_real_and_fake_pass_in_two_batches():
    """Batch norm over a mixed batch would give the discriminator other logits."""
    keras.utils.set_random_seed(0)
    discriminator = build_discriminator((16, 16, 1), base_filters=4)
    real, fake = np.ones((4, 16, 16, 1), "float32"), np.zeros((4, 16, 16, 1), "float32")
    real[:, ::2] = -1.0
    apart = ops.convert_to_numpy(discriminator(real, training=True))
    mixed = ops.convert_to_numpy(discriminator(np.concatenate([real, fake]), training=True))[:4]
    assert abs(apart - mixed).max() > 1e-4
    gan = DCGAN(build_generator((16, 16, 1), 4, base_filters=4), discriminator)
    expected = np.mean(np.log1p(np.exp(-apart))) + np.mean(
        np.log1p(np.exp(ops.convert_to_numpy(discriminator(fake, training=True))))
    )
    assert float(ops.convert_to_numpy(gan.discriminator_loss(real, fake))) == pytest.approx(expected, rel=1e-5)


def test_r1_of_a_linear_discriminator_is_its_squared_weights():
    shape, weights = (8, 8, 1), np.linspace(-1.0, 1.0, 64, dtype="float32")
    linear = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(1)])
    linear.layers[-1].kernel.assign(weights[:, None])
    real, fake = np.zeros((4, *shape), "float32"), np.ones((4, *shape), "float32")
    losses = [
        float(ops.convert_to_numpy(DCGAN(generator, linear, r1_weight=weight).discriminator_loss(real, fake)))
        for generator in [build_generator(shape, 4, base_filters=4)]
        for weight in (0.0, 0.5)
    ]
    assert losses[1] - losses[0] == pytest.approx(0.5 * np.sum(weights**2), rel=1e-5)


def test_a_negative_r1_weight_is_refused():
    with pytest.raises(ConfigurationError, match="r1_weight of 0 or more"):
        DCGAN(image_shape=(8, 8, 1), r1_weight=-1.0)


def test_every_latent_changes_the_image():
    gan = TestDCGAN().gan()
    noise = np.zeros((5, 4), "float32")
    noise[1:] = 3.0 * np.eye(4)
    images = ops.convert_to_numpy(gan.generator(noise, training=False))
    assert all(abs(images[i] - images[0]).max() > 1e-4 for i in range(1, 5))


def test_sizes_that_cannot_be_halved_are_refused():
    with pytest.raises(ConfigurationError, match="even and 8 or more"):
        DCGAN(image_shape=(27, 28, 3))
