"""SNGAN: the contract, a discriminator whose kernels' sizes say nothing, and the published networks."""

import keras
import numpy as np
import pytest
from contract import VariantContract, number, once_elsewhere, slow_on_jax
from keras import layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import SpectralNormalization
from keras_gans.models.sngan import SNGAN, build_discriminator, build_generator


def array(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


def images(count, shape):
    return np.random.default_rng(0).uniform(-1, 1, (count, *shape)).astype("float32")


class TestSNGAN(VariantContract):
    shape = (8, 8, 3)  # PyTorch 2.13's CPU kernel fails at one image of one channel: "grad_weight must be contiguous"

    def make(self, **options):
        generator = build_generator(self.shape, latent_dim=4, base_filters=4)
        return SNGAN(
            generator, build_discriminator(self.shape, base_filters=4), **{"discriminator_steps": 1, **options}
        )

    def gan(self, compile=None, **options):
        """Batch norm takes the biases in front of it out again: their gradients are rounding errors, whose signs Adam
        would follow, were its epsilon not above them."""
        optimizer = keras.optimizers.Adam(2e-4, beta_1=0.0, beta_2=0.9, epsilon=1e-4)
        return super().gan(compile={"g_optimizer": optimizer, **(compile or {})}, **options)

    @once_elsewhere
    @pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
    def test_mixed_precision_trains_finitely(self, policy, tmp_path):
        # Float16's first loss scale is too large for a sum over a map: it is halved three times.
        self.batches_per_epoch = 10 if policy == "mixed_float16" else 3
        super().test_mixed_precision_trains_finitely(policy, tmp_path)

    def test_the_losses_are_hinges(self):
        gan = self.gan()
        real, fake = images(12, self.shape).reshape(2, 6, *self.shape)
        d_real, d_fake = (array(gan.discriminator(x)).astype("float64") for x in (real, fake))
        expected = np.maximum(0, 1 - d_real).mean() + np.maximum(0, 1 + d_fake).mean()
        assert number(gan.discriminator_loss(real, fake, training=False)) == pytest.approx(expected, rel=1e-5)
        assert number(gan.generator_loss(fake, training=False)) == pytest.approx(-d_fake.mean(), rel=1e-5)

    def test_compile_alone_is_the_published_configuration(self):
        gan = self.make(discriminator_steps=5)
        gan.compile()
        for optimizer, count in ((gan.g_optimizer, 50_000), (gan.d_optimizer, 250_000)):
            assert isinstance(optimizer, keras.optimizers.Adam)
            assert (optimizer.beta_1, optimizer.beta_2) == (0.0, 0.9)
            for update in (0, count // 4, count, 2 * count):
                rate = 2e-4 * max(0.0, 1.0 - update / count)
                assert float(array(optimizer._learning_rate(update))) == pytest.approx(rate, rel=1e-4, abs=1e-12)

    def test_the_papers_numbers(self):
        gan = self.make()
        assert SNGAN(gan.generator, gan.discriminator).discriminator_steps == 5


@slow_on_jax
def test_the_published_networks():
    """The maps and the parameter counts of the page: 4 276 739 and 1 053 824."""
    generator, discriminator = build_generator(), build_discriminator()

    def maps(network):
        return [tuple(layer.output.shape[1:]) for layer in network.layers if isinstance(layer, layers.Add)]

    assert maps(generator) == [(8, 8, 256), (16, 16, 256), (32, 32, 256)]
    assert maps(discriminator) == [(16, 16, 128), (8, 8, 128), (8, 8, 128), (8, 8, 128)]
    counts = [sum(int(np.prod(w.shape)) for w in network.trainable_weights) for network in (generator, discriminator)]
    assert counts == [4_276_739, 1_053_824]
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in discriminator.layers)
    norms = [layer for layer in generator.layers if isinstance(layer, layers.BatchNormalization)]
    assert len(norms) == 7 and {(norm.momentum, norm.epsilon) for norm in norms} == {(0.9, 2e-5)}


@slow_on_jax
def test_kernels_start_as_published():
    """Glorot's uniform: a variance of gain^2 2 / (fan_in + fan_out), the gain sqrt(2) on residual paths, else 1."""
    networks = [build_generator((8, 8, 3), base_filters=64), build_discriminator((8, 8, 3), base_filters=64)]
    found = 0
    for network in networks:
        for layer in network.layers:
            layer = layer.layer if isinstance(layer, SpectralNormalization) else layer
            if isinstance(layer, (layers.Conv2D, layers.Dense)):
                kernel = array(layer.kernel)
                residual = kernel.shape[0] == 3 and layer.name != "to_image"
                area = int(np.prod(kernel.shape[:-2]))
                variance = (2.0 if residual else 1.0) * 2.0 / (area * sum(kernel.shape[-2:]))
                edge = np.sqrt(3.0 * variance)
                assert 0.9 * edge < abs(kernel).max() <= edge * (1 + 1e-6), layer.name
                assert kernel.var() == pytest.approx(variance, rel=max(0.05, 4 / np.sqrt(kernel.size)))
                found += 1
    assert found == (1 + 3 + 1) + (3 + 2 + 2 + 1)


def test_every_kernel_of_the_discriminator_is_normalized():
    """W / sigma(W) is the same for 10 W, in every layer: so is the logit, as long as the biases are zero."""
    keras.utils.set_random_seed(0)
    discriminator, x = build_discriminator((16, 16, 2), base_filters=4), images(5, (16, 16, 2))
    for _ in range(30):
        discriminator(x, training=True)
    before = array(discriminator(x, training=False))
    wrapped = [layer for layer in discriminator.layers if isinstance(layer, SpectralNormalization)]
    assert len(wrapped) == 3 + 2 + 2 + 1
    for weight in discriminator.trainable_weights:
        weight.assign(10.0 * weight)
    np.testing.assert_allclose(array(discriminator(x, training=False)), before, rtol=1e-4)
    assert abs(before).max() > 1e-3
    for layer in wrapped:
        kernel = array(layer.layer.kernel)
        top = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
        assert number(layer.sigma()) == pytest.approx(top, rel=0.05)  # thirty steps of the power method


@pytest.mark.parametrize("image_shape, places", [((8, 8, 1), 16), ((16, 16, 1), 64)])
def test_the_logit_is_of_the_sum_over_the_map(image_shape, places):
    discriminator, x = build_discriminator(image_shape, base_filters=4), images(3, image_shape)
    last_map = discriminator.get_layer("mean").input
    features = array(keras.Model(discriminator.input, last_map)(x))
    assert features.shape == (3, *(2 * [int(np.sqrt(places))]), 4)
    dense = discriminator.layers[-1]
    kernel = array(dense.layer.kernel)
    expected = features.sum(axis=(1, 2)) @ (kernel / np.linalg.norm(kernel))  # of one column: sigma is its norm
    np.testing.assert_allclose(array(discriminator(x)), expected, rtol=1e-4, atol=1e-6)


@slow_on_jax
@pytest.mark.parametrize(
    "image_shape, smallest, last",
    [((8, 8, 1), 4, 4), ((28, 28, 1), 7, 14), ((48, 48, 3), 6, 12), ((64, 64, 4), 4, 8)],
    ids=str,
)
def test_other_sizes(image_shape, smallest, last):
    generator = build_generator(image_shape, 3, base_filters=2)
    discriminator = build_discriminator(image_shape, base_filters=2)
    assert generator.output_shape == (None, *image_shape) and discriminator.output_shape == (None, 1)
    assert generator.get_layer("reshape").output.shape[1:] == (smallest, smallest, 2)
    assert discriminator.get_layer("mean").input.shape[1:] == (last, last, 2)


@pytest.mark.parametrize("image_shape", [(27, 27, 1), (32, 31, 3), (4, 4, 1), (6, 6, 1)])
def test_sizes_that_cannot_be_halved_are_refused(image_shape):
    for build in (build_generator, build_discriminator):
        with pytest.raises(ConfigurationError, match="even and 8 or more"):
            build(image_shape)
