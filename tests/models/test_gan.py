"""GAN: the contract, and the published configuration (specs: the yaml files of the authors' code)."""

import keras
import numpy as np
import pytest
from contract import VariantContract, values
from keras import layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import Maxout
from keras_gans.losses import minimax_generator_loss, non_saturating_generator_loss
from keras_gans.models.gan import GAN, build_discriminator, build_generator


def array(tensor):
    return ops.convert_to_numpy(tensor)


class TestGAN(VariantContract):
    def make(self, **options):
        generator = build_generator(self.shape, latent_dim=4, units=8)
        return GAN(generator, build_discriminator(self.shape, units=6, pieces=2), **options)

    def test_the_objective_is_saved(self, tmp_path):
        gan = self.gan(generator_objective=minimax_generator_loss)
        gan.save(tmp_path / "gan.keras")
        loaded = keras.saving.load_model(tmp_path / "gan.keras")
        assert loaded.generator_objective is minimax_generator_loss
        assert self.gan().generator_objective is non_saturating_generator_loss
        fake = np.zeros((3, *self.shape), "float32")
        logits = array(gan.score(fake, training=False))
        assert float(array(gan.generator_loss(fake, training=False))) == pytest.approx(
            -np.mean(np.log1p(np.exp(logits))), rel=1e-5
        )

    def test_an_objective_that_is_no_function_is_refused(self):
        with pytest.raises(ConfigurationError, match="generator_objective"):
            self.gan(generator_objective="minimax")

    def test_compile_alone_is_the_paper(self):
        gan = self.gan()
        for optimizer in (gan.g_optimizer, gan.d_optimizer):
            assert isinstance(optimizer, keras.optimizers.SGD) and optimizer.momentum == 0.5
            schedule = optimizer._learning_rate
            for updates in (0, 1, 1000, 250 * 500):  # divided by 1.000004 after each
                assert float(array(schedule(updates))) == pytest.approx(0.1 / 1.000004**updates, rel=1e-4)


def test_the_prior_is_uniform_with_unit_variance():
    gan = TestGAN().make(seed=0)
    noise = np.random.default_rng(0).normal(size=(20_000, 4)).astype("float32")
    latents = array(gan.prior(noise)).astype("float64")
    n, edge = latents.size, np.sqrt(3)
    assert abs(latents).max() <= edge * (1 + 1e-6) and abs(latents).max() > 0.999 * edge
    assert abs(latents.mean()) < 4 / np.sqrt(n)
    assert abs(latents.var() - 1) < 4 * np.sqrt(0.8 / n)  # the variance of a uniform number's square is 9/5 - 1
    shares = np.histogram(latents, bins=10, range=(-edge, edge))[0] / n
    np.testing.assert_allclose(shares, 0.1, atol=4 * np.sqrt(0.09 / n))
    # z = sqrt(3) (2 Phi(n) - 1): zero, and the quartile 0.6745
    quartiles = np.array([[0.0, 0.67449, -0.67449]], "float32")
    np.testing.assert_allclose(array(gan.prior(quartiles)), [[0, edge / 2, -edge / 2]], atol=1e-4)


def test_training_draws_from_the_prior():
    gan = TestGAN().make(seed=0)
    latents = array(gan.latents_like(np.zeros((500, *TestGAN.shape), "float32")))
    assert latents.shape == (500, 4)
    assert 1.6 < abs(latents).max() <= np.sqrt(3) * (1 + 1e-6)


def test_the_papers_networks():
    """MNIST: 100 - 1200 - 1200 - 784; 784 - maxout 240 x 5 - maxout 240 x 5 - 1."""
    generator, discriminator = build_generator((28, 28, 1)), build_discriminator((28, 28, 1))
    assert generator.count_params() == 101 * 1200 + 1201 * 1200 + 1201 * 784
    assert discriminator.count_params() == 785 * 1200 + 241 * 1200 + 241
    assert [layer.rate for layer in discriminator.layers if isinstance(layer, layers.Dropout)] == [0.2, 0.5, 0.5]
    assert [(m.units, m.pieces) for m in discriminator.layers if isinstance(m, Maxout)] == [(240, 5)] * 2
    for network, spread in ((generator, 0.05), (discriminator, 0.005)):
        for weight in network.trainable_weights:
            numbers = array(weight.value)
            if len(numbers.shape) == 1:
                assert not numbers.any()
            else:
                assert abs(numbers).max() <= spread
                assert numbers.std() == pytest.approx(spread / np.sqrt(3), rel=0.15)


def test_the_output_bias_is_the_mean_image():
    mean = np.random.default_rng(0).uniform(-1, 1, (4, 4, 2))
    mean[0, 0], mean[0, 1] = -1.0, 1.0  # pixels never lit and always lit have a finite logit
    generator = build_generator((4, 4, 2), 3, units=5, mean_image=mean)
    generator.get_layer("hidden0").kernel.assign(np.zeros((3, 5)))  # so that the output is its bias
    image = array(generator(np.zeros((1, 3), "float32")))[0]
    np.testing.assert_allclose(image, np.clip(mean, -0.998, 0.998), atol=1e-5)
    plain = build_generator((4, 4, 2), 3, units=5)
    np.testing.assert_allclose(array(plain(np.zeros((1, 3), "float32"))), 0.0, atol=1e-6)  # grey
    with pytest.raises(ConfigurationError, match="mean_image"):
        build_generator((4, 4, 2), 3, mean_image=mean[..., 0])


def test_dropout_is_on_in_training_and_off_otherwise():
    discriminator = build_discriminator((8, 8, 1), units=20)
    for weight in discriminator.trainable_weights:
        weight.assign(array(weight.value) * 100)
    images = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 1)).astype("float32")
    np.testing.assert_array_equal(array(discriminator(images, training=False)), array(discriminator(images)))
    assert abs(array(discriminator(images, training=True)) - array(discriminator(images, training=True))).max() > 1e-3
    # The rates are of dropping, and what stays is scaled: 64 inputs of one keep about 0.8, each as 1.25.
    dropped = array(discriminator.get_layer("dropout0")(np.ones((1, 10_000), "float32"), training=True))
    assert np.unique(dropped).tolist() == [0.0, 1.25]
    assert (dropped > 0).mean() == pytest.approx(0.8, abs=4 * np.sqrt(0.16 / 10_000))


def test_black_pixels_are_zero_where_dropout_acts():
    discriminator = build_discriminator((8, 8, 1), units=3)
    scaled = discriminator.get_layer("rescale")(np.array([-1.0, 0.0, 1.0], "float32").reshape(1, 1, 3, 1))
    np.testing.assert_allclose(array(scaled).ravel(), [0.0, 0.5, 1.0])


def test_dropout_masks_are_part_of_the_seeds_that_are_saved(tmp_path):
    gan = TestGAN().trained()
    states = [values([gan.discriminator.get_layer(f"dropout{i}").seed_generator.state])[0] for i in range(3)]
    assert all(state[1] > 0 for state in states)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    for i, state in enumerate(states):
        kept = values([loaded.discriminator.get_layer(f"dropout{i}").seed_generator.state])[0]
        np.testing.assert_array_equal(kept, state)
