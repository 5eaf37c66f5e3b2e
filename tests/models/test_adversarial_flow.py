"""AdversarialFlow: the contract, the normalized slope, the transport alone, and each term of the losses."""

import math

import keras
import numpy as np
import pytest
from contract import VariantContract, number, values
from keras import layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans.models.adversarial_flow import AdversarialFlow, build_generator
from keras_gans.networks.dcgan import build_discriminator


def softplus(x):
    return np.logaddexp(0.0, x)


def flat(kernel, bias=None):
    dense = layers.Dense(1, use_bias=bias is not None)
    network = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), dense])
    network.set_weights([np.reshape(kernel, (-1, 1)), *([] if bias is None else [np.array([bias])])])
    return network


def scaling(factor=1.0):
    """G(z) = factor z, with one weight."""
    latents = keras.Input((64,))
    point = layers.Conv2D(1, 1, use_bias=False, kernel_initializer=keras.initializers.Constant(factor))
    return keras.Model(latents, point(layers.Reshape((8, 8, 1))(latents)))


def images(count=6, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (2, count, 8, 8, 1)).astype("float32")


class TestAdversarialFlow(VariantContract):
    def make(self, **options):
        discriminator = build_discriminator(self.shape, base_filters=4, batch_norm=False)
        return AdversarialFlow(build_generator(self.shape, base_filters=2), discriminator, **options)

    def test_losses_are_the_formula(self):
        """The penalties of a linear discriminator estimate |a|^2 = 9 on 1000 of 4000 images each."""
        kernel = np.zeros(64, "float32")
        kernel[[0, 5, 9]] = [2.0, -2.0, 1.0]
        gan = AdversarialFlow(scaling(), flat(kernel), gp_weight=0.5, centring_weight=0.1)
        real, fake = images(4000)
        of_real, of_fake = (x.reshape(4000, -1).astype("float64") @ kernel for x in (real, fake))
        expected = softplus(of_fake - of_real).mean() + 0.1 * np.mean((of_real + of_fake) ** 2) + 0.5 * 18.0
        assert number(gan.discriminator_loss(real, fake)) == pytest.approx(
            expected, abs=4 * 0.5 * 9 * math.sqrt(4 / 1000)
        )
        without = AdversarialFlow(scaling(), flat(kernel), gp_weight=0.0, centring_weight=0.1)
        assert number(without.discriminator_loss(real, fake)) == pytest.approx(expected - 9.0, rel=1e-5)
        assert number(gan.generator_loss(fake, real)) == pytest.approx(softplus(of_real - of_fake).mean(), rel=1e-5)

    def test_centring_has_no_slope_where_the_logits_are_opposite(self):
        """d(x) = 2 and d(f) = -2: their sum is zero, which is the term's least value."""
        losses = []
        for weight in (0.0, 5.0):
            gan = AdversarialFlow(scaling(), flat(np.eye(64)[0] * 2.0), gp_weight=0.0, centring_weight=weight)
            ones = np.ones((4, 8, 8, 1), "float32")
            losses.append(number(gan.discriminator_loss(ones, -ones)))
        assert losses[0] == losses[1] == pytest.approx(softplus(-4.0), rel=1e-5)

    def test_the_normalized_slope_has_one_size_whatever_the_discriminators(self):
        """g / sqrt(m sum g^2) of the first step: a slope 1000 times as steep is normalized to the same."""
        found = []
        for factor in (1.0, 1000.0):
            gan = AdversarialFlow(scaling(), flat(np.full(64, factor)))
            slope = -factor * np.ones((4, 8, 8, 1), "float32") / 4
            found.append(ops.convert_to_numpy(gan.normalized(slope)))
            np.testing.assert_allclose(found[-1], slope / np.sqrt(slope.size * np.sum(slope**2)), rtol=1e-5)
        np.testing.assert_allclose(found[0], found[1], rtol=1e-5)

    def test_the_size_is_averaged_over_the_steps(self):
        """Sizes m sum g^2 of 16 and then 64 times as much: (0.9 16 + 64 16) 0.1 / 0.19 after the second."""
        gan, one = AdversarialFlow(scaling(), flat(np.zeros(64))), np.ones((1, 2, 2, 1), "float32")
        assert ops.convert_to_numpy(gan.normalized(one)).ravel().tolist() == pytest.approx([1 / 4] * 4, rel=1e-5)
        size = 0.1 * (0.9 * 16.0 + 64.0 * 16.0) / 0.19
        again = ops.convert_to_numpy(gan.normalized(8.0 * one)).ravel().tolist()
        assert again == pytest.approx([8.0 / math.sqrt(size)] * 4, rel=1e-5)

    @pytest.mark.parametrize("steep", [1.0, 1000.0])
    def test_a_step_of_plain_descent_is_the_formula(self, steep):
        """One weight w, G(z) = w z: dw = sum g z + 2 weight (w - 1) mean z^2, with the normalized g of a linear d.

        Within an image all values of g are the same. A factor of d cancels, but for where the softplus is saturated.
        """
        gan = AdversarialFlow(scaling(1.5), flat(np.full(64, steep)), transport_weight=0.3, seed=0)
        real = np.full((8, 8, 8, 1), 0.5, "float32")
        latents, seen = [], gan.latents_like

        def watched(examples, training=True):
            latents.append(seen(examples, training))
            return latents[-1]

        gan.latents_like = watched
        gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.0), run_eagerly=True)
        gan.fit(real, batch_size=8, verbose=0)
        z = ops.convert_to_numpy(latents[-1]).astype("float64")
        logits = 1.5 * steep * z.sum(axis=1)
        pairs = 1 / (1 + np.exp(-np.clip(steep * 32.0 - logits, -500, 500)))  # of d(x) - d(f), the slope of softplus
        g = -pairs[:, None] * steep * np.ones_like(z) / 8
        g /= np.sqrt(g.size * np.sum(g**2))
        expected = np.sum(g * z) + 0.3 * 2 * 0.5 * np.mean(z**2)
        (kernel,) = values(gan.generator.trainable_variables)
        assert (1.5 - kernel.item()) / 0.1 == pytest.approx(expected, rel=1e-3, abs=1e-5)

    def test_the_transport_alone_leads_to_the_identity(self):
        """With a constant discriminator G(z) = z is best, whatever the generator was."""
        gan = AdversarialFlow(scaling(3.0), flat(np.zeros(64), 1.0), transport_weight=1.0)
        gan.compile(keras.optimizers.SGD(0.2), keras.optimizers.SGD(0.0))
        logs = gan.fit(np.zeros((64, 8, 8, 1), "float32"), batch_size=8, epochs=5, verbose=0).history
        (kernel,) = values(gan.generator.trainable_variables)
        assert kernel.item() == pytest.approx(1.0, abs=1e-4)
        assert logs["transport"][0] > 0.1 and logs["transport"][-1] < 1e-6

    def test_the_weight_of_the_transport_falls_to_a_fortieth(self):
        gan = self.make(transport_weight=0.2, decay_steps=10)
        for step, weight in ((0, 0.2), (5, 0.1025), (10, 0.005), (99, 0.005)):
            gan.step.assign(step)
            assert number(gan.current_transport_weight()) == pytest.approx(weight, rel=1e-4)
        assert self.make(transport_weight=0.2).current_transport_weight() == 0.2

    def test_it_begins_as_the_identity(self):
        gan = self.make()
        noise = gan.noise(3, seed=1)
        np.testing.assert_array_equal(ops.convert_to_numpy(gan.generator(noise)), np.reshape(noise, (3, 8, 8, 1)))

    def test_compile_alone_is_the_papers(self):
        for optimizer in (self.gan().g_optimizer, self.gan().d_optimizer):
            config = optimizer.get_config()
            names = ("learning_rate", "beta_1", "beta_2", "weight_decay")
            assert [config[name] for name in names] == pytest.approx([1e-4, 0.0, 0.9, 0.01])

    @pytest.mark.parametrize("name", ["transport_weight", "gp_weight", "centring_weight"])
    def test_weights_below_zero_are_refused(self, name):
        for weight in (-1.0, float("nan"), True):
            with pytest.raises(ConfigurationError, match=name):
                self.make(**{name: weight})

    def test_batch_normalization_in_the_discriminator_is_refused(self):
        network = keras.Sequential(
            [keras.Input((8, 8, 1)), layers.BatchNormalization(), layers.Flatten(), layers.Dense(1)]
        )
        with pytest.raises(ConfigurationError, match="without batch normalization"):
            AdversarialFlow(scaling(), network)

    def test_latents_of_another_size_and_sides_that_cannot_be_halved_are_refused(self):
        latents = keras.Input((10,))
        fewer = keras.Model(latents, layers.Reshape((8, 8, 1))(layers.Dense(64)(latents)))
        with pytest.raises(ConfigurationError, match="numbers, 64. Received: one of 10"):
            AdversarialFlow(fewer, flat(np.zeros(64)))
        with pytest.raises(ConfigurationError, match="multiples of 4"):
            build_generator((10, 8, 1))
        with pytest.raises(ConfigurationError, match="decay_steps"):
            self.make(decay_steps=0)
