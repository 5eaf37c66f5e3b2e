"""ACGAN: the contract with labels, the two heads and their weights."""

import keras
import numpy as np
import pytest
from conditional import SPACE, ConditionalContract
from contract import equal, number, values
from keras import layers, ops

from keras_gans import engine
from keras_gans.errors import ConfigurationError
from keras_gans.models.acgan import ACGAN
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.penalties import r1_penalty


class TestACGAN(ConditionalContract):
    logits = 1 + 3

    def make(self, label_space=SPACE, **options):
        generator = build_generator(self.shape, 4, base_filters=4, label_size=label_space.size)
        discriminator = build_discriminator(self.shape, base_filters=4, logits=1 + label_space.size)
        return ACGAN(generator, discriminator, label_space=label_space, **options)

    def test_networks_that_do_not_fit_are_refused(self, one):
        def network(*last, shape=None):
            return self.discriminator_ending_in(one, *last, shape=shape)

        cases = [
            (network(layers.Dense(4, activation="sigmoid")), "sigmoid"),
            (network(layers.Dense(1)), r"1 \+ 3 logits"),
            (network(layers.Dense(4), shape=(6, 6, 1)), "takes what the generator makes"),
            ("discriminator", "built"),
        ]
        for discriminator, message in cases:
            with pytest.raises(ConfigurationError, match=message):
                self.rebuilt(one, discriminator=discriminator)
        with pytest.raises(ConfigurationError, match="generator"):
            self.rebuilt(one, generator=None)

    def test_weights_below_zero_are_refused(self, one):
        for name in ("fake_label_weight", "generator_label_weight", "r1_weight"):
            with pytest.raises(ConfigurationError, match=name):
                self.rebuilt(one, **{name: -1.0})

    def test_the_losses_by_hand(self, one):
        real, fake = np.random.default_rng(0).uniform(-1, 1, (2, 6, *self.shape)).astype("float32")
        labels = np.array([0, 1, 2, 2, 1, 0])
        encoded = ops.convert_to_numpy(SPACE.encode(labels))

        def heads(images):
            logits = ops.convert_to_numpy(one.discriminator(images, training=False)).astype("float64")
            exp = np.exp(logits[:, 1:])
            return logits[:, 0], -np.log(exp[np.arange(6), labels] / exp.sum(1)).mean()

        (d, real_labels), (g, fake_labels) = heads(real), heads(fake)
        adversarial = np.log1p(np.exp(-d)).mean() + np.log1p(np.exp(g)).mean()
        for v, w in ((1.0, 1.0), (0.0, 0.1)):
            gan = self.rebuilt(one, fake_label_weight=v, generator_label_weight=w)
            assert number(gan.discriminator_loss(real, fake, encoded, training=False)) == pytest.approx(
                adversarial + real_labels + v * fake_labels, rel=1e-5
            )
            assert number(gan.generator_loss(fake, encoded, training=False)) == pytest.approx(
                np.log1p(np.exp(-g)).mean() + w * fake_labels, rel=1e-5
            )

    def test_r1_is_of_the_first_logit(self, one):
        """Without that logit's weights, nothing is left of it."""
        real, fake = np.random.default_rng(0).uniform(-1, 1, (2, 6, *self.shape)).astype("float32")
        labels = SPACE.encode(np.arange(6) % 3)

        def added(network):
            losses = [
                number(
                    self.rebuilt(one, discriminator=network, r1_weight=weight).discriminator_loss(real, fake, labels)
                )
                for weight in (0.0, 1e4)  # the penalty of these small weights is 1e-4
            ]
            return losses[1] - losses[0]

        network = keras.models.clone_model(one.discriminator)
        penalty = r1_penalty(lambda images: network(images, training=True)[:, :1], real)
        assert added(network) == pytest.approx(1e4 * number(penalty), rel=1e-4)
        kernel = network.get_layer("logits").kernel
        kernel.assign(ops.convert_to_numpy(kernel) * np.array([0.0, 1.0, 1.0, 1.0]))
        assert added(network) == 0.0

    def test_scores_are_of_the_first_logit(self, one):
        rows = self.encoded(one, self.rows())
        scores = one.batch_scores(**rows)
        logits = one.discriminator(rows["images"], training=False)
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (scores[0], logits[:, :1])))
        assert scores[1].shape == (self.batch_size, 1)

    @pytest.mark.parametrize("weight, moves", [(0.0, False), (1.0, True)])
    def test_generated_images_teach_the_labels_only_if_asked(self, one, weight, moves):
        """The gradient of the label logits: with v = 0 it does not depend on what was generated."""
        gan = self.rebuilt(one, fake_label_weight=weight)
        real, fake, other = np.random.default_rng(0).uniform(-1, 1, (3, 6, *self.shape)).astype("float32")
        labels = SPACE.encode(np.arange(6) % 3)
        kernel = gan.discriminator.get_layer("logits").kernel
        slopes = []
        for images in (fake, other):
            _, (slope,) = engine.value_and_grad(
                lambda images=images: gan.discriminator_loss(real, images, labels, training=False), [kernel]
            )
            slopes.append(ops.convert_to_numpy(slope))
        assert not np.allclose(slopes[0][:, 0], slopes[1][:, 0], atol=1e-7)  # of real or generated: always
        assert np.allclose(slopes[0][:, 1:], slopes[1][:, 1:], atol=1e-7) != moves

    def test_the_loss_of_labels_moves_the_generator(self):
        """With the weights of the logit of real or generated at zero it is the only one."""
        gan = self.gan(compile={"run_eagerly": True})
        head = gan.discriminator.get_layer("logits")
        kernel = ops.convert_to_numpy(head.kernel).copy()
        kernel[:, 0] = 0.0
        head.kernel.assign(kernel)
        before = values(gan.player_variables("generator"))
        labels = SPACE.encode(np.arange(8) % 3)
        fake = gan.record([gan.latents_like(np.zeros((8, *self.shape))), labels])
        gan.minimize("generator", lambda images: gan.generator_loss(images, labels), fake)
        assert not equal(before, values(gan.player_variables("generator")))
