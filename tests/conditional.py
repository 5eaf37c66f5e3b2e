"""The contract of a variant whose images depend on labels: `VariantContract`, and what labels do."""

import keras
import numpy as np
import pytest
from contract import VariantContract, largest_difference, needs_tensorflow, slow_on_jax
from keras import ops

import keras_gans as kg
from keras_gans import sampling
from keras_gans.batch_statistics import standing_statistics
from keras_gans.errors import ConfigurationError, DataError

SPACE = kg.data.Classes(3)


class ConditionalContract(VariantContract):
    """The labels are three classes; `make` is to pass `label_space=SPACE`."""

    def asked(self, gan):
        """The network that training asks for images of [latents, labels]."""
        return gan.generator

    @slow_on_jax
    def test_generated_images_have_the_labels_of_the_batch(self, monkeypatch):
        """The generator is asked for the labels of the real images that an update sees beside its own."""
        gan = self.gan(compile={"run_eagerly": True}, discriminator_steps=2)
        rows = self.rows(8)
        network, asked = self.asked(gan), []
        call = network.call

        def watched(inputs, **options):
            asked.append(ops.convert_to_numpy(inputs[-1]).argmax(1).tolist())
            return call(inputs, **options)

        monkeypatch.setattr(network, "call", watched)
        gan.fit(**self.arguments(rows), batch_size=8, shuffle=False, verbose=0)
        first, second = rows["labels"][0::2].tolist(), rows["labels"][1::2].tolist()
        assert asked[:2] == [first, second] and asked[2:] in ([], [second])  # the generator's update is with the last

    def test_a_label_changes_its_image_and_no_other(self, one):
        images = one.generate(4, seed=1, labels=[0, 1, 2, 0])
        changed = one.generate(4, seed=1, labels=[0, 2, 2, 0])
        assert [np.array_equal(a, b) for a, b in zip(images, changed)] == [True, False, True, True]

    def test_one_label_is_for_all_images(self, one):
        images = one.generate(seed=3, labels=[1, 1])
        np.testing.assert_array_equal(one.generate(2, seed=3, labels=1), images)
        np.testing.assert_array_equal(one.generate(seed=[3], labels=1)[0], images[0])
        noise = one.noise(2, seed=3)
        np.testing.assert_array_equal(one.generate(noise=noise, labels=np.int64(1)), images)

    def test_labels_that_are_not_given_are_drawn_from_the_seed(self, one):
        labels = one.draw("labels", 60, seed=4)
        assert set(labels) == {0, 1, 2} and labels.shape == (60,)
        np.testing.assert_array_equal(one.draw("labels", 7, seed=4), labels[:7])
        expected = [labels[0], one.draw("labels", 1, seed=5)[0]]
        np.testing.assert_array_equal(one.draw("labels", seed=[4, 5]), expected)
        np.testing.assert_array_equal(one.generate(5, seed=4), one.generate(5, seed=4, labels=labels[:5]))

    def test_a_grid_shows_one_class_a_column(self, one):
        labels = sampling.for_grid(one, 2, 4, seed=0)["labels"]
        np.testing.assert_array_equal(labels, [0, 1, 2, 0] * 2)
        inputs = sampling.for_grid(one, 4, 2, seed=0)  # no room for three classes: one follows the other
        np.testing.assert_array_equal(inputs["labels"], np.arange(8) % 3)
        made = sampling.only(one.sample(**inputs))
        np.testing.assert_array_equal(made, one.generate(8, seed=0, labels=np.arange(8) % 3))

    @pytest.mark.parametrize(
        "labels, error, message",
        [
            ([0, 3], DataError, "from 0 to 2. Received: labels from 0 to 3"),
            ([-1, 0], DataError, "labels from -1"),
            ([0.0, 1.0], DataError, "float64"),
            ([[0, 1], [1, 2]], DataError, r"shape \(N,\)"),
            ([], DataError, r"shape \(N,\)"),
            ([0, 1, 2], ConfigurationError, "2 noise and 3 labels"),
        ],
    )
    def test_labels_that_cannot_be_are_refused(self, one, labels, error, message):
        with pytest.raises(error, match=message):
            one.generate(2, seed=0, labels=labels)
        if error is DataError:
            images = self.rows(max(1, len(labels)))["images"]
            with pytest.raises(DataError, match=message):
                one.fit(images, np.asarray(labels), verbose=0)

    def test_labels_in_rows_of_several_lengths_are_refused(self, one):
        with pytest.raises(DataError, match="rows of several lengths"):
            one.generate(2, seed=0, labels=[[0, 1], [1]])

    def test_labels_are_drawn_for_counts_and_seeds_that_can_be(self, one):
        for n, seed in ((0, 0), (-1, 0), (None, 0), (2.0, 0), (5, [1, 2])):
            with pytest.raises(ConfigurationError, match="images|one seed per image"):
                one.draw("labels", n, seed)

    def test_images_alone_are_refused(self, one):
        images, labels = self.arrays()["images"], self.arrays()["labels"]
        for data in (images, kg.data.Batches(images, batch_size=8)):
            for use in (one.fit, one.evaluate):
                with pytest.raises(DataError, match="Expected labels in each batch: .* Received: only images"):
                    use(data, verbose=0)
        late = labels.copy()
        late[-1] = 7  # a whole data set in memory is looked at as a whole
        with pytest.raises(DataError, match="labels from 0 to 7"):
            one.fit(kg.data.Batches(images, late, batch_size=8), verbose=0)

    def test_a_generator_without_labels_is_refused(self, one):
        generator = keras.Sequential([keras.Input((4,)), keras.layers.Dense(192), keras.layers.Reshape((8, 8, 3))])
        with pytest.raises(ConfigurationError, match=r"labels \(N, 3\)"):
            self.rebuilt(one, generator=generator, discriminator=None)
        with pytest.raises(ConfigurationError, match=r"labels \(N, 5\)"):
            self.rebuilt(one, discriminator=None, label_space=kg.data.Classes(5))

    @needs_tensorflow
    def test_an_export_takes_labels(self, one, tmp_path):
        import tensorflow as tf

        signatures = tf.saved_model.load(kg.export(one, tmp_path)).signatures
        seeds, labels = [3, 1, 4], np.array([2, 0, 1])
        made = signatures["from_seed"](seeds=tf.constant(seeds, "int64"), labels=tf.constant(labels))["images"]
        noise = tf.constant(one.noise(3, seed=5))
        batch = signatures["serving_default"](noise=noise, labels=tf.constant(labels))["images"]
        with standing_statistics(one):
            np.testing.assert_array_equal(made, one.generate(seed=seeds, labels=labels))
            assert largest_difference([batch], [one.generate(3, seed=5, labels=labels)]) <= 1

    @slow_on_jax
    @pytest.mark.parametrize("space", [kg.data.Classes(2, 3), kg.data.Attributes(2), kg.data.Values(1)], ids=str)
    def test_a_model_of_other_labels_trains_and_shows_them(self, space):
        """Several features at once, attributes and continuous labels: the networks are of the same builders."""
        gan, rows = self.gan(label_space=space, compile={"run_eagerly": True}), self.rows(8)
        labels = space.draw(np.random.default_rng(0).uniform(size=(8, space.num_uniforms)))
        history = gan.fit(rows["images"], labels, batch_size=8, verbose=0).history
        assert all(np.isfinite(history[name]).all() for name in gan.log_names)
        asked = space.check([[0, 0], [1, 1]] if space.size > 1 else [0, 1])
        inputs = {"noise": np.repeat(gan.noise(1, seed=1), 2, axis=0), "labels": asked}
        low, high = ops.convert_to_numpy(gan(sampling.encode_inputs(gan, inputs)))
        assert not np.allclose(low, high, atol=1e-7)
        assert gan.generate(2, seed=0).shape == (2, *self.shape)
