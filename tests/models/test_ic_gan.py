"""IcGAN: the contract with labels, the three terms of the discriminator, and the phase of the encoders."""

import keras
import numpy as np
import pytest
from conditional import SPACE, ConditionalContract
from contract import equal, number, training_state, values
from keras import ops

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.models.ic_gan import IcGAN, build_encoder
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.penalties import r1_penalty


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

    def judged(self, gan, images):
        return [SPACE.encode(np.arange(len(images)) % 3), images]

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

    def test_r1_is_of_real_images_with_their_labels(self, one):
        images = np.random.default_rng(0).uniform(-1, 1, (2, 6, *self.shape)).astype("float32")
        real, fake = map(ops.convert_to_tensor, images)
        labels, wrong = (SPACE.encode(np.array(x)) for x in ([0, 1, 2, 0, 1, 2], [1, 2, 0] * 2))
        penalty = r1_penalty(lambda images: one.score([labels, images], training=False), real)
        losses = [
            number(self.rebuilt(one, r1_weight=weight).discriminator_loss(real, fake, labels, wrong, training=False))
            for weight in (0.0, 1e4)  # the penalty of these small weights is small
        ]
        assert losses[1] - losses[0] == pytest.approx(1e4 * number(penalty), rel=1e-4)
        with pytest.raises(ConfigurationError, match="r1_weight of 0 or more"):
            self.rebuilt(one, r1_weight=-1.0)

    def test_wrong_labels_are_wrong_for_every_image(self, one):
        labels = ops.convert_to_numpy(SPACE.encode(np.arange(60) % 3))
        wrong = ops.convert_to_numpy(one.wrong_labels(labels))
        assert (wrong.argmax(1) != labels.argmax(1)).all() and (wrong.sum(1) == 1).all()
        assert {tuple(pair) for pair in zip(labels.argmax(1), wrong.argmax(1))} == {
            (a, b) for a in range(3) for b in range(3) if a != b
        }

    # The encoders

    def encoders(self, gan, rate=3e-3):
        """The model of the second phase, compiled."""
        gan = gan.for_encoders()
        gan.compile(*(keras.optimizers.Adam(rate, beta_1=0.1) for _ in range(2)))
        return gan

    def test_each_phase_moves_its_own_networks(self):
        gan = self.gan(compile={"g_optimizer": "adam", "d_optimizer": "adam"}, ema_decay=0.9)
        networks = [gan.generator, gan.discriminator, gan.latent_encoder, gan.label_encoder]
        before = [values(network.weights) for network in networks]
        gan.fit(self.batches(), steps_per_epoch=2, verbose=0)
        between = [values(network.weights) for network in networks]
        images = gan.generate(3, seed=0)
        gan = self.encoders(gan)
        np.testing.assert_array_equal(gan.generate(3, seed=0), images)  # with the same averages
        gan.fit(gan.encoder_data(self.batches()), verbose=0)
        after = [values(network.weights) for network in networks]
        assert [equal(a, b) for a, b in zip(before, between)] == [False, False, True, True]
        assert not any(equal([a], [b]) for i in (2, 3) for a, b in zip(between[i], after[i]))
        assert all(equal(between[i], after[i]) for i in range(2))
        np.testing.assert_array_equal(gan.generate(3, seed=0), images)
        assert int(gan.step) == 2 + self.batches_per_epoch

    def test_the_second_phase_compiles_as_the_code(self, one):
        gan = one.for_encoders()
        gan.compile()
        assert list(gan.players) == ["latent_encoder", "label_encoder"]
        for optimizer, encoder in ((gan.g_optimizer, gan.latent_encoder), (gan.d_optimizer, gan.label_encoder)):
            config = optimizer.get_config()
            assert [config[key] for key in ("learning_rate", "beta_1")] == pytest.approx([1e-4, 0.1])
            assert len(optimizer.variables) == 2 + 2 * len(encoder.trainable_variables)

    def test_the_encoders_data(self, one):
        """Every image once, with its label, and for each a generated image of the same label, with its latents."""
        images, labels = self.arrays().values()
        data = one.encoder_data(self.batches(), seed=3)
        assert len(data) == self.batches_per_epoch and data.batch_size == self.batch_size
        np.testing.assert_array_equal(data.arrays["images"], images)
        np.testing.assert_array_equal(data.arrays["labels"], labels)
        np.testing.assert_array_equal(data.arrays["latents"], one.noise(len(images), seed=3))
        made = one.generate(noise=data.arrays["latents"], labels=labels)
        np.testing.assert_array_equal(data.arrays["generated"], made)

    def test_the_encoders_losses(self, one):
        gan = self.encoders(one)
        data = gan.encoder_data(kg.data.Batches(**self.rows(), batch_size=8))
        logs = gan.evaluate(data, return_dict=True, verbose=0)
        found = gan.encode(data.arrays["generated"])
        assert logs["latent_loss"] == pytest.approx(np.square(found - data.arrays["latents"]).mean(), rel=1e-4)
        logits = gan.label_encoder.predict(self.seen(data.arrays["images"]), verbose=0)
        expected = SPACE.loss(logits, SPACE.encode(data.arrays["labels"]))
        assert logs["label_loss"] == pytest.approx(number(expected), rel=1e-4)
        history = gan.fit(data, verbose=0).history
        assert set(history) == {"latent_loss", "label_loss"} == set(gan.log_names)

    def test_a_resumed_second_phase_equals_an_uninterrupted_one(self, tmp_path):
        class Save(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                if epoch == 0:
                    self.model.save(tmp_path / "gan.keras")

        whole = self.encoders(self.gan(ema_decay=0.9))
        whole.fit(whole.encoder_data(self.batches()), epochs=2, verbose=0, callbacks=[Save()])
        resumed = keras.saving.load_model(tmp_path / "gan.keras")
        assert resumed.encoder_phase and list(resumed.players) == list(whole.players)
        resumed.fit(resumed.encoder_data(self.batches()), initial_epoch=1, epochs=2, verbose=0)
        assert equal(training_state(resumed), training_state(whole))
        images = self.rows(3)["images"]
        np.testing.assert_array_equal(resumed.edit(images, labels=1), whole.edit(images, labels=1))

    def test_the_encoders_find_latents_and_labels_of_generated_images(self):
        """A linear generator whose latents and labels can be read off its pixels: error below a tenth of the variance,
        every label found. An edit is read off its pixels, without an encoder: the latents stay, the label changes."""
        keras.utils.set_random_seed(0)
        latents, asked = keras.Input((4,)), keras.Input((3,))
        x = keras.layers.Concatenate()([latents, asked])
        x = keras.layers.Dense(64, name="mix", use_bias=False)(x)
        generator = keras.Model([latents, asked], keras.layers.Reshape(self.shape)(x))
        mix = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 7)))[0].T
        mix[4:] *= 2.0
        generator.get_layer("mix").kernel.assign(mix)
        gan = self.encoders(self.rebuilt(self.make(), generator))
        labels = np.arange(600) % 3
        data = kg.data.Batches(gan.generate(600, seed=1, labels=labels), labels, batch_size=20)
        gan.fit(gan.encoder_data(data), epochs=12, verbose=0)
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
        gan, labels = self.encoders(self.make()), np.arange(300) % 3
        images = np.zeros((300, *self.shape), "uint8")
        images[np.arange(300), :, 2 * labels] = 255  # a column of each label's own
        gan.fit(gan.encoder_data(kg.data.Batches(images, labels, batch_size=50)), epochs=8, verbose=0)
        assert (gan.read_labels(images) == labels).all()
        made = gan.generate(300, seed=0, labels=labels)
        assert (gan.read_labels(made) == labels).mean() < 0.9

    def test_an_edit_is_the_generator_on_the_encoded_latents(self, one):
        images = self.rows(5)["images"]
        latents, own = one.encode(images), one.read_labels(images)
        assert latents.shape == (5, 4) and own.shape == (5,)
        made = one.generate(noise=latents, labels=[2] * 5)
        assert np.abs(one.edit(images, labels=2).astype(int) - made).max() <= 1
        assert np.abs(one.edit(images).astype(int) - one.generate(noise=latents, labels=own)).max() <= 1

    def test_the_phases_of_a_recipe(self):
        gan = self.gan(ema_decay=0.9)
        first, second = gan.phases(self.batches(), epochs=25)
        assert (first.epochs, second.epochs) == (25, 15) and gan.phases(self.batches(), epochs=1)[1].epochs == 1
        assert first.prepare is None and second.prepare(gan).encoder_phase
        assert list(second.data(gan).arrays) == ["images", "labels", "generated", "latents"]

    def test_a_preset_keeps_the_encoders(self, tmp_path):
        gan = self.encoders(self.gan(ema_decay=0.9))
        gan.fit(gan.encoder_data(self.batches()), verbose=0)
        kg.zoo.write_preset(gan, tmp_path / "tiny", {})
        loaded = kg.load(str(tmp_path / "tiny"))
        assert loaded.discriminator is None
        images = self.rows(3)["images"]
        np.testing.assert_allclose(loaded.encode(images), gan.encode(images), atol=0.05)  # stored as float16

    def test_what_cannot_be_encoded_or_edited_is_refused(self, one):
        images, labels = self.arrays().values()
        with pytest.raises(ConfigurationError, match="two classes or more"):
            self.make(label_space=kg.data.Classes(1, 1))
        with pytest.raises(DataError, match="shape"):
            one.encode(images[:, :6])
        with pytest.raises(DataError, match="from 0 to 2"):
            one.edit(images[:2], labels=3)
        with pytest.raises(ConfigurationError, match="2 noise and 3 labels"):
            one.edit(images[:2], labels=[0, 1, 2])
        for data in (kg.data.Batches(images, batch_size=8), (images, np.zeros(len(images), int))):
            with pytest.raises(DataError, match="Batches with labels"):
                one.encoder_data(data)
        with pytest.raises(DataError, match="from 0 to 2"):
            one.encoder_data(kg.data.Batches(images, labels + 1, batch_size=8))
        with pytest.raises(DataError, match="generated in each batch"):
            self.encoders(one).fit(self.batches(), verbose=0)
        alone = IcGAN(one.generator, label_space=SPACE)
        with pytest.raises(ConfigurationError, match="latent_encoder"):
            alone.edit(images[:2])
        with pytest.raises(ConfigurationError, match="latent_encoder"):
            alone.for_encoders()
        with pytest.raises(ConfigurationError, match="label_encoder to map images"):
            self.rebuilt(one, label_encoder=one.latent_encoder)
