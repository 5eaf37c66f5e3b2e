"""CGAN: the contract with labels, and how both networks use them."""

import keras
import numpy as np
import pytest
from conditional import SPACE, ConditionalContract
from contract import number, slow_on_jax
from keras import ops

import keras_gans as kg
from keras_gans.errors import ConfigurationError
from keras_gans.models.cgan import CGAN, build_discriminator, build_generator
from keras_gans.networks import dcgan


class TestCGAN(ConditionalContract):
    def make(self, label_space=SPACE, **options):
        generator = build_generator(self.shape, 4, label_space.size, units=(8, 8, 16))
        discriminator = build_discriminator(self.shape, label_space.size, units=(8, 4, 8), pieces=(2, 2, 2))
        return CGAN(generator, discriminator, label_space=label_space, **options)

    def judged(self, gan, images):
        return [SPACE.encode(np.arange(len(images)) % 3), images]

    def test_the_losses_are_the_games(self, one):
        real, fake = np.random.default_rng(0).uniform(-1, 1, (2, 6, *self.shape)).astype("float32")
        labels = ops.convert_to_numpy(SPACE.encode(np.array([0, 1, 2, 2, 1, 0])))
        d, g = (one.discriminator.predict([labels, images], verbose=0).astype("float64") for images in (real, fake))
        expected = np.log1p(np.exp(-d)).mean() + np.log1p(np.exp(g)).mean()
        assert number(one.discriminator_loss(real, fake, labels, training=False)) == pytest.approx(expected, rel=1e-5)
        expected = np.log1p(np.exp(-g)).mean()
        assert number(one.generator_loss(fake, labels, training=False)) == pytest.approx(expected, rel=1e-5)

    def test_the_discriminators_logit_depends_on_the_label(self, one):
        images = np.zeros((3, *self.shape), "float32")
        logits = one.discriminator([np.eye(3, dtype="float32"), images], training=False)
        assert len(np.unique(ops.convert_to_numpy(logits))) == 3

    def test_noise_is_uniform(self):
        prior = ops.convert_to_numpy(self.make().prior(np.array([[-9.0, 0.0, 0.6744898, 9.0]], "float32")))
        np.testing.assert_allclose(prior, [[0.0, 0.5, 0.75, 1.0]], atol=1e-6)

    def test_the_papers_networks(self):
        """The table: 200 and 1000 to 1200 to 784; maxout 240 x 5 and 50 x 5 to 240 x 4 to 1."""
        gan = CGAN()
        expected = (100 * 200 + 200) + (10 * 1000 + 1000) + (1200 * 1200 + 1200) + (1200 * 784 + 784)
        assert gan.generator.count_params() == expected
        expected = (784 * 1200 + 1200) + (10 * 250 + 250) + (290 * 960 + 960) + (240 + 1)
        assert gan.discriminator.count_params() == expected

    def test_it_learns_which_class_is_which(self):
        """Three classes of plain grey: each label gives its own grey."""
        greys = np.array([20, 128, 235], "uint8")
        labels = np.random.default_rng(0).integers(0, 3, 600)
        images = np.broadcast_to(greys[labels][:, None, None, None], (600, *self.shape)).copy()
        keras.utils.set_random_seed(0)
        gan = self.make(seed=0, ema_decay=0.9)
        gan.compile(*(keras.optimizers.Adam(3e-3, beta_1=0.5) for _ in range(2)))
        gan.fit(kg.data.Batches(images, labels, batch_size=50), epochs=100, verbose=0)
        made = [gan.generate(20, seed=0, labels=label).mean() for label in range(3)]
        assert made[0] < 80 < made[1] < 176 < made[2], made

    def test_wrong_labels_surprise_a_trained_discriminator(self):
        """Real and generated images are the same three greys, but the generator ignores the label, so only the pairs
        differ. The best discriminator takes 3 of 4 right pairs for real: their loss is log(4/3) = 0.29. That of wrong
        pairs has no bound.
        """
        latents, asked = keras.Input((4,)), keras.Input((3,))
        steps = ops.sign(latents[:, :1] - 1 / 3) + ops.sign(latents[:, :1] - 2 / 3) + 0.0 * asked[:, :1]  # -2, 0 or 2
        grey = keras.layers.Dense(int(np.prod(self.shape)), kernel_initializer=keras.initializers.Constant(0.4))(steps)
        generator = keras.Model([latents, asked], keras.layers.Reshape(self.shape)(grey))
        labels = np.random.default_rng(0).integers(0, 3, 600)
        images = np.ones((600, *self.shape), "float32") * 0.8 * (labels - 1.0)[:, None, None, None].astype("float32")
        keras.utils.set_random_seed(0)
        gan = CGAN(generator, build_discriminator(self.shape, 3, units=(16, 16, 16)), label_space=SPACE, seed=0)

        def surprise(labels):
            logits = gan.score([SPACE.encode(labels), gan.batch_fields["images"].encode(images)], training=False)
            return number(ops.mean(ops.softplus(-logits)))

        before = surprise((labels + 1) % 3) - surprise(labels)
        gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.Adam(1e-2, beta_1=0.5))
        gan.fit(kg.data.Batches(images, labels, batch_size=50), epochs=10, verbose=0)
        assert surprise((labels + 1) % 3) - surprise(labels) > 0.5 > abs(before)

    @slow_on_jax
    def test_convolutional_networks_take_the_label_after_the_first_map(self):
        generator = dcgan.build_generator((16, 16, 1), 4, base_filters=4, label_size=3)
        discriminator = dcgan.build_discriminator((16, 16, 1), base_filters=4, label_size=3)
        gan = CGAN(generator, discriminator, label_space=SPACE)
        assert discriminator.get_layer("map_and_labels").output.shape == (None, 8, 8, 4 + 3)
        images, labels = np.zeros((2, 16, 16, 1), "float32"), np.eye(3, dtype="float32")[:2]
        inner = keras.Model(discriminator.inputs, discriminator.get_layer("map_and_labels").output)
        maps = ops.convert_to_numpy(inner([labels, images]))
        np.testing.assert_array_equal(maps[..., 4:], np.broadcast_to(labels[:, None, None], (2, 8, 8, 3)))
        assert gan.generate(2, seed=0, labels=[0, 2]).shape == (2, 16, 16, 1)


def test_a_label_space_that_is_none_is_refused():
    with pytest.raises(ConfigurationError, match="kg.data.Classes"):
        CGAN(label_space=10)


def test_an_unconditional_model_takes_no_labels():
    gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
    with pytest.raises(ConfigurationError, match="among noise: GAN takes no others. Received: labels"):
        gan.generate(2, seed=0, labels=[0, 1])
    with pytest.raises(TypeError, match="label_space"):
        kg.GAN(gan.generator, gan.discriminator, label_space=SPACE)
