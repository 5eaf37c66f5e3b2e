"""IcGAN: the contract with labels, the three terms of the discriminator, and encoders that find latents and labels."""

import keras
import numpy as np
import pytest
from conditional import SPACE, ConditionalContract
from contract import equal, number, values
from keras import ops

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.models.ic_gan import FitEncoders, IcGAN, build_encoder
from keras_gans.networks.dcgan import build_discriminator, build_generator


class TestIcGAN(ConditionalContract):
    def make(self, label_space=SPACE, **options):
        size = label_space.size
        return IcGAN(
            build_generator(self.shape, 4, base_filters=4, label_size=size),
            build_discriminator(self.shape, base_filters=4, label_size=size),
            build_encoder(self.shape, 4, base_filters=4, units=16, name="latent_encoder"),
            build_encoder(self.shape, size, base_filters=4, units=16, name="label_encoder"),
            label_space=label_space,
            **options,
        )

    def rebuilt(self, one, generator, discriminator, **options):
        encoders = {} if discriminator is None else {name: getattr(one, name) for name in one.encoders}
        return super().rebuilt(one, generator, discriminator, **encoders, **options)

    def judged(self, gan, images):
        return [SPACE.encode(np.arange(len(images)) % 3), images]

    def discriminator_ending_in(self, gan, *last, shape=None):
        inputs = [keras.Input((3,)), keras.Input(self.shape if shape is None else shape)]
        x = keras.layers.Concatenate()([keras.layers.Flatten()(x) for x in inputs])
        for layer in last:
            x = layer(x)
        return keras.Model(inputs, x)

    def losses_of(self, gan, real, fake, conditions):
        wrong = gan.wrong_labels(conditions, training=False)
        return (
            gan.discriminator_loss(real, fake, conditions, wrong, training=False),
            gan.generator_loss(fake, conditions, training=False),
        )

    # The conditional GAN

    def test_the_discriminators_three_terms(self, one):
        real, fake = np.random.default_rng(0).uniform(-1, 1, (2, 6, *self.shape)).astype("float32")
        labels, wrong = (ops.convert_to_numpy(SPACE.encode(np.array(x))) for x in ([0, 1, 2, 0, 1, 2], [1, 2, 0] * 2))

        def d(labels, images):
            return one.discriminator.predict([labels, images], verbose=0).astype("float64")

        expected = np.log1p(np.exp(-d(labels, real))).mean()
        expected += 0.5 * np.log1p(np.exp(d(wrong, real))).mean() + 0.5 * np.log1p(np.exp(d(labels, fake))).mean()
        generators = number(one.generator_loss(fake, labels, training=False))
        assert generators == pytest.approx(np.log1p(np.exp(-d(labels, fake))).mean(), rel=1e-4)
        loss = one.discriminator_loss(real, fake, labels, wrong, training=False)
        assert number(loss) == pytest.approx(expected, rel=1e-5)

    def test_wrong_labels_are_wrong_for_every_image(self, one):
        labels = ops.convert_to_numpy(SPACE.encode(np.arange(60) % 3))
        wrong = ops.convert_to_numpy(one.wrong_labels(labels))
        assert (wrong.argmax(1) != labels.argmax(1)).all() and (wrong.sum(1) == 1).all()
        assert {tuple(pair) for pair in zip(labels.argmax(1), wrong.argmax(1))} == {
            (a, b) for a in range(3) for b in range(3) if a != b
        }

    # The encoders

    def test_each_phase_moves_its_own_networks(self):
        gan = self.gan(compile={"g_optimizer": "adam", "d_optimizer": "adam"})
        networks = [gan.generator, gan.discriminator, gan.latent_encoder, gan.label_encoder]
        before = [values(network.weights) for network in networks]
        gan.fit(self.batches(), steps_per_epoch=2, verbose=0)
        between = [values(network.weights) for network in networks]
        gan.fit_encoders(self.batches(), epochs=1, batch_size=8, verbose=0)
        after = [values(network.weights) for network in networks]
        assert [equal(a, b) for a, b in zip(before, between)] == [False, False, True, True]
        assert not any(equal([a], [b]) for i in (2, 3) for a, b in zip(between[i], after[i]))
        assert all(equal(between[i], after[i]) for i in range(2))

    def test_the_encoders_find_latents_and_labels_of_generated_images(self):
        """A linear generator whose latents and labels can be read off its pixels: error below a tenth of the variance,
        every label found. An edit is read off its pixels, by no encoder: the latents stay, the label changes."""
        keras.utils.set_random_seed(0)
        latents, asked = keras.Input((4,)), keras.Input((3,))
        x = keras.layers.Concatenate()([latents, asked])
        x = keras.layers.Dense(64, name="mix", use_bias=False)(x)
        generator = keras.Model([latents, asked], keras.layers.Reshape(self.shape)(x))
        mix = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 7)))[0].T
        mix[4:] *= 2.0
        generator.get_layer("mix").kernel.assign(mix)
        gan = self.rebuilt(self.make(), generator, self.make().discriminator)
        labels = np.arange(600) % 3
        data = kg.data.Batches(gan.generate(600, seed=1, labels=labels), labels, batch_size=50)
        gan.fit_encoders(data, epochs=12, batch_size=20, learning_rate=3e-3, verbose=0)
        images = gan.generate(100, seed=9, labels=labels[:100])
        error = np.square(gan.encode(images) - gan.noise(100, 9)).mean()
        assert error < 0.1
        assert (gan.read_labels(images) == labels[:100]).mean() > 0.9

        def read(images):
            """The latents and the encoded labels that a picture shows, by the inverse of the generator."""
            shown = (images / 127.5 - 1.0).reshape(len(images), -1) @ mix.T / np.square(mix).sum(1)
            return shown[:, :4], shown[:, 4:]

        def apart(a, b):
            return np.square(a.astype("float64") - b).mean()

        drawn, asked_for = read(images)
        np.testing.assert_allclose(asked_for, np.eye(3)[labels[:100]], atol=0.15)  # grey levels, and pixels cut off
        others = np.roll(images, 3, axis=0)  # of the same labels
        again = gan.edit(images, labels=labels[:100])
        assert apart(again, images) < 0.1 * apart(again, others)
        shown, label = read(gan.edit(images, labels=2))
        np.testing.assert_allclose(label, np.eye(3)[[2] * 100], atol=0.15)
        assert apart(shown, drawn) < 0.1 < 1.0 < apart(shown, read(others)[0])

    def test_labels_are_learned_from_the_real_images(self):
        """E_z learns from generated images, E_y does not: those of an untrained generator show no label."""
        keras.utils.set_random_seed(0)
        gan, labels = self.make(), np.arange(300) % 3
        images = np.zeros((300, *self.shape), "uint8")
        images[np.arange(300), :, 2 * labels] = 255  # a column of each label's own
        gan.fit_encoders(kg.data.Batches(images, labels, batch_size=50), epochs=8, learning_rate=3e-3, verbose=0)
        assert (gan.read_labels(images) == labels).all()
        made = gan.generate(300, seed=0, labels=labels)
        assert (gan.read_labels(made) == labels).mean() < 0.9

    def test_an_edit_is_the_generator_on_the_encoded_latents(self, one):
        images, _ = (array[:5] for array in self.arrays())
        latents, own = one.encode(images), one.read_labels(images)
        assert latents.shape == (5, 4) and own.shape == (5,)
        made = one.generate(noise=latents, labels=[2] * 5)
        assert np.abs(one.edit(images, labels=2).astype(int) - made).max() <= 1
        assert np.abs(one.edit(images).astype(int) - one.generate(noise=latents, labels=own)).max() <= 1

    def test_a_recipe_fits_the_encoders_at_the_end(self, tmp_path):
        gan = self.gan()
        before = values(gan.latent_encoder.weights)
        gan.fit(self.batches(), verbose=0, callbacks=[FitEncoders(self.batches(), epochs=1, batch_size=8, verbose=0)])
        assert not equal(before, values(gan.latent_encoder.weights))
        kg.zoo.write_preset(gan, tmp_path / "tiny", {})
        loaded = kg.load(str(tmp_path / "tiny"))
        images = self.arrays()[0][:3]
        np.testing.assert_allclose(loaded.encode(images), gan.encode(images), atol=0.05)  # stored as float16

    def test_what_cannot_be_encoded_or_edited_is_refused(self, one):
        images, labels = self.arrays()
        with pytest.raises(ConfigurationError, match="two classes or more"):
            self.make(label_space=kg.data.Classes(1, 1))
        with pytest.raises(DataError, match="shape"):
            one.encode(images[:, :6])
        with pytest.raises(DataError, match="from 0 to 2"):
            one.edit(images[:2], labels=3)
        with pytest.raises(ConfigurationError, match="3 labels for 2 images"):
            one.edit(images[:2], labels=[0, 1, 2])
        for data in (kg.data.Batches(images, batch_size=8), (images, np.zeros(len(images), int))):
            with pytest.raises(DataError, match="Batches with labels"):
                one.fit_encoders(data)
        for options in ({"epochs": 0}, {"learning_rate": -1.0}, {"learning_rate": "1"}):
            with pytest.raises(ConfigurationError, match="epochs of 1 or more and a learning_rate above 0"):
                one.fit_encoders(self.batches(), **options)
        alone = self.rebuilt(one, one.generator, None)
        with pytest.raises(ConfigurationError, match="latent_encoder"):
            alone.edit(images[:2])
        with pytest.raises(ConfigurationError, match="latent_encoder"):
            alone.fit_encoders(self.batches())
        with pytest.raises(ConfigurationError, match="label_encoder to map images"):
            IcGAN(one.generator, one.discriminator, one.latent_encoder, one.latent_encoder, label_space=SPACE)
