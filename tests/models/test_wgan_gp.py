"""WGAN-GP: the contract, the penalty inside the loss, and the paper's networks."""

import keras
import numpy as np
import pytest
from contract import VariantContract, equal, number, slow_on_jax, values
from keras import layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import StepBatchNormalization
from keras_gans.models.wgan_gp import (
    WGANGP,
    build_discriminator,
    build_generator,
    build_residual_discriminator,
    build_residual_generator,
)


class TestWGANGP(VariantContract):
    def make(self, **options):
        generator = build_generator(self.shape, latent_dim=4, base_filters=4)
        return WGANGP(
            generator, build_discriminator(self.shape, base_filters=4), **{"discriminator_steps": 1, **options}
        )

    def test_the_penalty_is_of_the_critics_slope(self):
        """A critic a.x has the slope |a| everywhere: 3 costs 10 (3 - 1)^2, whatever the points between."""
        flat = keras.Sequential([keras.Input(self.shape), layers.Flatten(), layers.Dense(1, use_bias=False)])
        kernel = np.zeros((64, 1), "float32")
        kernel[[0, 5, 9]] = [[2.0], [-2.0], [1.0]]
        flat.layers[-1].kernel.assign(kernel)
        gan = WGANGP(self.make().generator, flat)
        real, fake = np.random.default_rng(0).uniform(-1, 1, (2, 6, *self.shape)).astype("float32")
        gap = (fake.reshape(6, -1) @ kernel).mean() - (real.reshape(6, -1) @ kernel).mean()
        assert number(gan.discriminator_loss(real, fake)) == pytest.approx(gap + 40.0, rel=1e-4)

    def test_the_penalty_and_the_distance_are_in_the_logs(self):
        """A critic a.x of slope 3, a generator of grey images alone: gp = (3 - 1)^2, E[f(x)] - E[f(G(z))] = E[a.x]."""
        flat = keras.Sequential([keras.Input(self.shape), layers.Flatten(), layers.Dense(1, use_bias=False)])
        flat.set_weights([np.full((64, 1), 3.0 / 8.0, "float32")])
        generator = self.make().generator
        generator.set_weights([np.zeros_like(weight) for weight in generator.get_weights()])
        gan = WGANGP(generator, flat, gp_weight=7.0, discriminator_steps=2, seed=0)
        gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
        images = np.random.default_rng(0).uniform(-0.5, 1, (8, *self.shape)).astype("float32")
        logs = {name: mean for name, (mean,) in gan.fit(images, shuffle=False, batch_size=8, verbose=0).history.items()}
        assert list(logs) == ["d_loss", "g_loss", "gp"] and logs["gp"] == pytest.approx(4.0, rel=1e-4)
        distance = 3.0 / 8.0 * images[1::2].sum((1, 2, 3)).mean()  # of the last update's images
        assert distance > 1.0 and -(logs["d_loss"] - 7.0 * logs["gp"]) == pytest.approx(distance, rel=1e-4)

    @slow_on_jax
    def test_the_critic_learns_the_slope_of_the_closed_form(self):
        """Two points at a distance D: the best slope s minimises -D s + 10 (s - 1)^2, so s = 1 + D / 20."""
        adam = keras.optimizers.Adam(2e-3, beta_1=0.0, beta_2=0.9)
        gan = self.gan(compile={"g_optimizer": keras.optimizers.SGD(0.0), "d_optimizer": adam})
        gan.generator.set_weights([np.zeros_like(weight) for weight in gan.generator.get_weights()])  # and stays grey
        images = np.full((200 * self.batch_size, *self.shape), 255, "uint8")  # 64 pixels that differ by one: D = 8
        gan.fit(images, batch_size=self.batch_size, shuffle=False, verbose=0)
        places = np.linspace(0.1, 0.9, self.batch_size)
        between = np.ones(self.shape, "float32") * places.reshape(-1, 1, 1, 1).astype("float32")
        scores = ops.convert_to_numpy(gan.score(between))
        assert np.polyfit(places * 8.0, scores[:, 0], 1)[0] == pytest.approx(1.4, abs=0.1)

    def test_evaluating_changes_no_training(self):
        gan = self.gan()
        before = values([gan.latent_seeds.state])
        gan.evaluate(self.arrays()["images"], verbose=0)
        assert equal(before, values([gan.latent_seeds.state]))

    def test_points_between_are_uniform_and_one_an_image(self):
        gan = self.gan()
        drawn = ops.convert_to_numpy(gan.uniform_like(np.zeros((4000, *self.shape), "float32")))
        assert drawn.shape == (4000, 1, 1, 1) and 0.0 <= drawn.min() and drawn.max() <= 1.0
        counts = np.histogram(drawn, 10, (0, 1))[0]
        assert ((counts - 400) ** 2 / 400).sum() < 33.7  # chi-squared with 9 degrees of freedom, p = 1e-4

    def test_compile_alone_is_algorithm_1(self):
        gan = self.gan()
        for optimizer in (gan.g_optimizer, gan.d_optimizer):
            config = optimizer.get_config()
            assert isinstance(optimizer, keras.optimizers.Adam)
            assert [config[key] for key in ("learning_rate", "beta_1", "beta_2")] == pytest.approx([1e-4, 0.0, 0.9])

    def test_a_critic_with_batch_norm_is_refused(self):
        critic = keras.Sequential(
            [keras.Input(self.shape), layers.Flatten(), layers.BatchNormalization(), layers.Dense(1)]
        )
        images = keras.Input(self.shape)
        rows = layers.TimeDistributed(layers.BatchNormalization())(images)  # inside a wrapper
        steps = StepBatchNormalization(1)(images, step=0)  # inside a layer
        inside = [keras.Model(images, layers.Dense(1)(layers.Flatten()(x))) for x in (rows, steps)]
        for network in (critic, keras.Model(images, critic(images)), *inside):
            with pytest.raises(ConfigurationError, match="without batch normalization"):
                WGANGP(self.make().generator, network)

    def test_a_negative_weight_is_refused(self):
        with pytest.raises(ConfigurationError, match="gp_weight"):
            self.make(gp_weight=-1.0)


def maps(network, kind):
    return [tuple(layer.output.shape[1:]) for layer in network.layers if isinstance(layer, kind)]


@slow_on_jax
@pytest.mark.parametrize(
    "image_shape, filters, generator_maps, critic_maps",
    [
        ((28, 28, 1), 64, [(7, 7, 128), (14, 14, 64), (28, 28, 1)], [(14, 14, 64), (7, 7, 128), (4, 4, 256)]),
        ((32, 32, 3), 128, [(8, 8, 256), (16, 16, 128), (32, 32, 3)], [(16, 16, 128), (8, 8, 256), (4, 4, 512)]),
        ((10, 7, 2), 4, [(5, 4, 4), (10, 7, 2)], [(5, 4, 4), (3, 2, 8)]),
    ],
    ids=["MNIST", "CIFAR-10", "10x7"],
)
def test_maps_are_the_tables(image_shape, filters, generator_maps, critic_maps):
    generator = build_generator(image_shape, 10, base_filters=filters)
    critic = build_discriminator(image_shape, base_filters=filters)
    assert maps(generator, layers.Cropping2D) == generator_maps
    assert maps(critic, layers.Conv2D) == critic_maps
    assert generator.output_shape == (None, *image_shape) and critic.output_shape == (None, 1)


@slow_on_jax
def test_residual_networks_are_the_table():
    generator, critic = build_residual_generator(), build_residual_discriminator()
    assert maps(generator, layers.Add) == [(8, 8, 128), (16, 16, 128), (32, 32, 128)]
    assert maps(critic, layers.Add) == [(16, 16, 128), (8, 8, 128), (8, 8, 128), (8, 8, 128)]
    assert generator.output_shape == (None, 32, 32, 3) and critic.output_shape == (None, 1)
    # Kernels and biases by hand. Generator: dense 128 * 2048 + 2048; a block two convolutions of 9 * 128^2 + 128, a
    # shortcut of 128^2 + 128 and two norms of 256; the last norm 256 and convolution 9 * 128 * 3 + 3.
    block = 2 * (9 * 128**2 + 128)
    shortcut = 128**2 + 128
    parameters = sum(int(np.prod(w.shape)) for w in generator.trainable_weights)
    assert parameters == 128 * 2048 + 2048 + 3 * (block + shortcut + 2 * 256) + 256 + 9 * 128 * 3 + 3
    # Critic: the first block from 3 channels, a block with a shortcut, two without one, dense 128.
    first = (9 * 3 * 128 + 128) + (9 * 128**2 + 128) + (3 * 128 + 128)
    assert critic.count_params() == first + (block + shortcut) + 2 * block + 128
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in critic.layers)


@pytest.mark.parametrize("image_shape", [(28, 28, 1), (32, 16, 3), (4, 4, 1)])
def test_sizes_that_residual_blocks_cannot_reach_are_refused(image_shape):
    for build in (build_residual_generator, build_residual_discriminator):
        with pytest.raises(ConfigurationError, match="power of two"):
            build(image_shape)


def test_an_image_too_small_is_refused():
    for build in (build_generator, build_discriminator):
        with pytest.raises(ConfigurationError, match="above 4"):
            build((4, 4, 1))
