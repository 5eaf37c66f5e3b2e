"""Improved GAN: the contract on batches with labels, the K + 1 losses in the schedule, and the classifier."""

import keras
import numpy as np
import pytest
from contract import (
    BACKEND,
    Rows,
    VariantContract,
    equal,
    largest_difference,
    number,
    slow_on_jax,
    training_state,
    values,
)
from keras import layers, ops

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.images import to_float
from keras_gans.models.improved_gan import ImprovedGAN, build_discriminator, build_generator


class TestImprovedGAN(VariantContract):
    """Its batches are semi-supervised; arrays are images and labels."""

    logits = 3
    # Two last places of numbers near two, as Adam's averages of the gradients of the classes' weights are.
    rounding = 5e-7

    def make(self, **options):
        generator = build_generator(self.shape, latent_dim=4, units=(8,))
        return ImprovedGAN(generator, build_discriminator(self.shape, 3, units=(8,)), **options)

    def arrays(self):
        arrays = super().arrays()
        return {name: arrays[name] for name in ("images", "labels")}

    def batches(self, seed=2):
        return kg.data.semi_supervised(super().batches(seed), labels_per_class=2)

    def packings(self, arrays):
        """A tuple is of images and labels: what comes next in the fields' order are labelled images."""
        packings, size = super().packings(arrays), self.batch_size
        packings["tuples"] = lambda: ({"x": Rows(arrays, size, lambda batch: tuple(batch.values()))}, {})
        packings["tf tuples"] = packings["tf values"]
        return packings

    def test_evaluate_needs_no_labels(self, one):
        images, labels = self.rows().values()
        seed = one.evaluation_seeds.state
        start = values([seed])[0]
        plain = one.evaluate(images, batch_size=8, return_dict=True, verbose=0)
        seed.assign(start)
        with_labels = one.evaluate(images, labels, batch_size=8, return_dict=True, verbose=0)
        seed.assign(start)
        real = to_float(images)
        fake = one.generator(one.latents_like(real, training=False), training=False)
        expected = {
            "d_loss": number(one.discriminator_loss(real, fake, training=False)),
            "g_loss": number(one.generator_loss(fake, real, training=False)),
        }
        assert plain == pytest.approx(expected, rel=1e-4)
        expected["d_loss"] = number(one.discriminator_loss(real, fake, real, labels, training=False))
        expected["accuracy"] = (one.classify(images).argmax(1) == labels).mean()
        assert with_labels == pytest.approx(expected, rel=1e-4)

    def test_the_scores_are_of_real_against_generated(self, one):
        images = to_float(self.rows()["images"])
        real, _ = one.batch_scores(images)
        exp = np.exp(np.asarray(ops.convert_to_numpy(one.discriminator(images, training=False)), "float64"))
        probabilities = 1.0 / (1.0 + np.exp(-np.asarray(ops.convert_to_numpy(real), "float64")))
        np.testing.assert_allclose(probabilities[:, 0], exp.sum(1) / (1.0 + exp.sum(1)), rtol=1e-5)

    def test_networks_that_do_not_fit_are_refused(self, one):
        def network(*last, shape=self.shape):
            return keras.Sequential([keras.Input(shape), layers.Flatten(name="features"), *last])

        dense = layers.Dense
        cases = [
            (network(dense(3, activation="sigmoid")), "sigmoid"),
            (network(dense(1)), "2 classes or more"),
            (network(dense(9), layers.Reshape((3, 3))), r"logits \(N, K\)"),
            (network(dense(3), shape=(6, 6, 1)), "takes what the generator makes"),
            (keras.Sequential([keras.Input(self.shape), layers.Flatten(), dense(3)]), "a layer named 'features'"),
            (keras.Sequential([dense(3)]), "built"),
            ("discriminator", "built"),
        ]
        for discriminator, message in cases:
            with pytest.raises(ConfigurationError, match=message):
                ImprovedGAN(one.generator, discriminator)
        assert ImprovedGAN(one.generator, network(dense(4))).num_classes == 4
        with pytest.raises(ConfigurationError, match="generator"):
            ImprovedGAN(None, one.discriminator)

    # The objective

    def test_the_losses_are_the_k_plus_one_classes_and_the_matched_features(self, one):
        real, fake, labelled = np.random.default_rng(0).uniform(-1, 1, (3, 6, *self.shape)).astype("float32")
        labels = np.array([2, 0, 1, 1, 0, 2])

        def probabilities(images):  # the last is of "generated", whose logit is zero
            logits = np.asarray(one.discriminator.predict(images, verbose=0), "float64")
            exp = np.exp(np.concatenate([logits, np.zeros((6, 1))], 1))
            return exp / exp.sum(1, keepdims=True)

        p = probabilities(labelled)
        supervised = -np.log(p[np.arange(6), labels] / (1 - p[:, 3])).mean()
        rest = -0.5 * np.log(1 - probabilities(real)[:, 3]).mean() - 0.5 * np.log(probabilities(fake)[:, 3]).mean()
        assert number(one.discriminator_loss(real, fake, labelled, labels, False)) == pytest.approx(
            supervised + rest, rel=1e-4
        )
        assert number(one.discriminator_loss(real, fake, training=False)) == pytest.approx(rest, rel=1e-4)
        # The features by hand: one hidden layer of normalised weights with scales of one, then ReLU.
        hidden = one.discriminator.get_layer("hidden0")
        kernel, bias = (np.asarray(ops.convert_to_numpy(w), "float64") for w in (hidden.layer.kernel, hidden.bias))
        means = [
            np.maximum(((x + 1) / 2).reshape(6, -1) @ (kernel / np.linalg.norm(kernel, axis=0)) + bias, 0).mean(0)
            for x in (real, fake)
        ]
        expected = ((means[0] - means[1]) ** 2).mean()
        assert number(one.generator_loss(fake, real, training=False)) == pytest.approx(expected, rel=1e-3)
        both = self.make(adversarial_weight=0.3)
        both.discriminator.set_weights(one.discriminator.get_weights())
        expected -= 0.3 * np.log(1 - probabilities(fake)[:, 3]).mean()
        assert number(both.generator_loss(fake, real, training=False)) == pytest.approx(expected, rel=1e-3)

    def test_each_player_gets_its_own_images(self, monkeypatch):
        """The discriminator: a step's images, labelled images, labels; the generator: other images, fresh latents."""
        gan, batches = self.gan(compile={"run_eagerly": True}), self.batches()
        minimize, given, drawn = gan.minimize, [], []
        latents_like, generator_loss = gan.latents_like, gan.generator_loss

        def watched(player, loss_fn, *inputs):
            if player == "discriminator":
                given.append([np.array(ops.convert_to_numpy(tensor)) for tensor in inputs])
            return minimize(player, loss_fn, *inputs)

        def watched_latents(images):
            drawn.append(latents_like(images))
            return drawn[-1]

        def watched_loss(fake, real):
            matched.append(np.array(ops.convert_to_numpy(real)))
            return generator_loss(fake, real)

        matched = []
        for name, function in (("minimize", watched), ("latents_like", watched_latents)):
            monkeypatch.setattr(gan, name, function)
        monkeypatch.setattr(gan, "generator_loss", watched_loss)
        gan.fit(batches, steps_per_epoch=2, verbose=0)
        for step in range(2):
            batch = batches.at(step)
            real, _, labelled, labels = given[step]
            for own, key in ((real, "images"), (labelled, "labelled_images"), (matched[step], "matched_images")):
                np.testing.assert_array_equal(own, ops.convert_to_numpy(to_float(batch[key])))
            np.testing.assert_array_equal(labels, batch["labels"])
        latents = np.concatenate([ops.convert_to_numpy(z) for z in drawn])
        assert len(np.unique(latents, axis=0)) == 4 * self.batch_size  # the generator's are not the discriminator's

    def test_the_discriminators_noise_is_on_while_features_are_matched(self, one):
        fake, real = np.random.default_rng(0).uniform(-1, 1, (2, 6, *self.shape)).astype("float32")
        noisy = {number(one.generator_loss(fake, real)) for _ in range(3)}
        still = {number(one.generator_loss(fake, real, training=False)) for _ in range(3)}
        assert len(noisy) == 3 and len(still) == 1

    def test_latents_are_uniform(self):
        gan = self.make()
        drawn = ops.convert_to_numpy(gan.prior(np.random.default_rng(0).normal(size=4000).astype("float32")))
        assert 0.0 <= drawn.min() and drawn.max() <= 1.0
        counts = np.histogram(drawn, 10, (0, 1))[0]
        assert ((counts - 400) ** 2 / 400).sum() < 33.7  # chi-squared with 9 degrees of freedom, p = 1e-4

    def test_compile_alone_is_the_papers(self):
        gan = self.gan()
        for optimizer in (gan.g_optimizer, gan.d_optimizer):
            config = optimizer.get_config()
            assert [config[key] for key in ("learning_rate", "beta_1", "epsilon")] == pytest.approx([3e-3, 0.5, 1e-4])

    # The classifier

    def test_the_average_follows_the_discriminator_and_is_saved(self, one, tmp_path):
        gan = self.gan(discriminator_ema_decay=0.5, compile={"run_eagerly": True})
        trained, path = gan.discriminator.trainable_variables, []
        averages = [a.astype("float64") for a in values(trained)]
        gan.after_step["discriminator"]["record"] = lambda: path.append(values(trained))
        gan.fit(self.batches(), epochs=3, verbose=0)
        for step, weights in enumerate(path):
            rate = min(0.5, (1 + step) / (10 + step))  # reached at step 8, the last
            averages = [rate * average + (1 - rate) * weight for average, weight in zip(averages, weights)]
        assert len(path) == 9 and largest_difference(averages, values(gan.discriminator_ema.weights)) < 1e-6
        gan.save(tmp_path / "gan.keras")
        loaded = keras.saving.load_model(tmp_path / "gan.keras")
        images = self.arrays()["images"]
        np.testing.assert_array_equal(loaded.classify(images), gan.classify(images))
        assert loaded.discriminator_ema_decay == 0.5

    def test_classify_gives_probabilities_from_the_average(self, one):
        images = self.arrays()["images"]
        probabilities = one.classify(images)
        assert probabilities.shape == (len(images), 3) and probabilities.dtype == "float32"
        with one.discriminator_ema.in_use():
            logits = one.discriminator(images / np.float32(127.5) - 1, training=False)
        logits = np.asarray(ops.convert_to_numpy(logits), "float64")
        expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(one.classify((images / 127.5 - 1).astype("float32")), probabilities, atol=1e-5)
        with pytest.raises(DataError, match="shape"):
            one.classify(images[:, :6])
        with pytest.raises(ConfigurationError, match="generator alone"):
            ImprovedGAN(one.generator, None).classify(images)

    def test_classifying_and_validating_with_labels_change_no_training(self, plain):
        images, labels = self.rows().values()
        gan, found = self.gan(discriminator_steps=2), []
        classify = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: found.append(gan.classify(images)))
        history = gan.fit(
            self.batches(), epochs=2, validation_data=(images, labels), callbacks=[classify], verbose=0
        ).history
        assert history["val_accuracy"] == pytest.approx([(p.argmax(1) == labels).mean() for p in found])
        assert not np.array_equal(*found)  # what is compiled once follows the average
        assert "accuracy" not in history
        assert equal(training_state(gan), plain.states[1])

    @pytest.mark.skipif(BACKEND != "tensorflow", reason="250 steps, whose mathematics other tests prove")
    def test_it_learns_three_classes_from_six_labels(self):
        """Faint patches of light at three places. With the unlabelled images' loss negated it guesses, 1 of 3; without
        it almost as many are right: what unlabelled images add is for benchmarks/semi_supervised.py to show."""
        rng = np.random.default_rng(0)
        labels = np.arange(600) % 3
        images = rng.uniform(0, 150, (600, *self.shape))
        for image, label in zip(images, labels):
            image[2 * label : 2 * label + 3, 2 * label : 2 * label + 3] += 60
        dataset = kg.data.Batches(images.astype("uint8"), labels, batch_size=24, seed=0)
        gan = self.gan(discriminator_ema_decay=0.9)
        gan.fit(kg.data.semi_supervised(dataset, labels_per_class=2), epochs=10, verbose=0)
        assert (gan.classify(dataset.images).argmax(1) == labels).mean() > 0.9

    def test_the_data_name_the_classes(self):
        images, labels = self.arrays().values()
        for batches in (kg.data.Batches(images, labels, batch_size=8), self.batches()):
            assert ImprovedGAN.for_data(batches).num_classes == 3
        with pytest.raises(ConfigurationError, match="Expected one class for each image.*2 columns"):
            ImprovedGAN.for_data(kg.data.Batches(images, np.stack([labels, labels], axis=1), batch_size=8))
        with pytest.raises(DataError, match="without"):
            ImprovedGAN.for_data(kg.data.Batches(images, batch_size=8))

    # What is refused

    def test_training_needs_labels_of_its_classes(self, one):
        images, labels = self.arrays().values()
        cases = [
            (None, "images alone.*kg.data.semi_supervised"),
            (labels + 1, "from 0 to 2. Received: labels from 1 to 3"),
            (labels - 1, "SemiSupervisedBatches"),
            (labels.astype("float32"), "whole numbers"),
        ]
        for wrong, message in cases:
            with pytest.raises(DataError, match=message):
                one.fit(images, wrong, verbose=0)
            rows = {"images": images, **({} if wrong is None else {"labels": wrong})}
            with pytest.raises(DataError, match=message):
                one.fit(Rows(rows, 8), verbose=0)
            dataset = Rows(rows, 8, lambda batch: tuple(batch.values()))
            with pytest.raises(DataError, match=message):
                one.fit(dataset, verbose=0)
            if wrong is not None:
                with pytest.raises(DataError, match=message):
                    one.evaluate(images, wrong, verbose=0)
                with pytest.raises(DataError, match=message):
                    one.fit(images, labels, validation_data=(images, wrong), verbose=0)

    def test_labels_are_looked_at_beyond_the_first_batch(self, one):
        images, labels = self.arrays().values()
        labels[-1] = 7
        batches = kg.data.SemiSupervisedBatches(images, labels, batch_size=8, seed=0)
        assert batches[0]["labels"].max() < 3
        with pytest.raises(DataError, match="labels from 0 to 7"):
            one.fit(batches, verbose=0)

    def test_labelled_images_that_do_not_fit_are_refused(self, one):
        rows = self.rows()
        rows["labelled_images"] = rows["images"][:, :6]
        with pytest.raises(DataError, match="shape"):
            one.fit(rows, batch_size=8, verbose=0)

    @pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan"), "0.9", None])
    def test_an_average_out_of_range_is_refused(self, decay):
        with pytest.raises(ConfigurationError, match="discriminator_ema_decay"):
            self.make(discriminator_ema_decay=decay)

    @pytest.mark.parametrize("weight", [-0.1, float("nan"), "1"])
    def test_a_weight_out_of_range_is_refused(self, weight):
        with pytest.raises(ConfigurationError, match="adversarial_weight"):
            self.make(adversarial_weight=weight)


@slow_on_jax
def test_networks_are_the_papers():
    generator, discriminator = build_generator(), build_discriminator()
    count = sum(int(np.prod(w.shape)) for w in generator.trainable_weights)
    # Kernels, the norms' offsets, the last layer's scales and biases.
    assert count == 100 * 500 + 500 + 500 * 500 + 500 + 500 * 784 + 784 + 784
    widths = [784, 1000, 500, 250, 250, 250, 10]
    count = sum(int(np.prod(w.shape)) for w in discriminator.trainable_weights)
    # Kernels and biases; scales are learned for the classes alone.
    assert count == sum(a * b + b for a, b in zip(widths, widths[1:])) + 10
    noise = [layer.stddev for layer in discriminator.layers if isinstance(layer, layers.GaussianNoise)]
    assert noise == [0.3, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert discriminator.get_layer("features").output.shape == (None, 250)
    assert discriminator.output_shape == (None, 10) and generator.output_shape == (None, 28, 28, 1)
    small = build_discriminator((8, 8, 3), 4, units=(7, 5), input_noise=0.1, noise=0.2)
    assert small.output_shape == (None, 4) and small.get_layer("features").output.shape == (None, 5)
    assert [layer.stddev for layer in small.layers if isinstance(layer, layers.GaussianNoise)] == [0.1, 0.2, 0.2]
