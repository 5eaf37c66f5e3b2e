"""The contract of a variant whose images show what labels ask for: `VariantContract` on data with labels, and more."""

import keras
import numpy as np
import pytest
from contract import (
    Rows,
    VariantContract,
    _tf_dataset,
    equal,
    largest_difference,
    needs_tensorflow,
    number,
    slow_on_jax,
    training_state,
    values,
)
from keras import ops

import keras_gans as kg
from keras_gans import engine
from keras_gans.errors import ConfigurationError, DataError

SPACE = kg.data.Classes(3)


class ConditionalContract(VariantContract):
    """The labels are three classes; `make` is to pass `label_space=SPACE`."""

    def rebuilt(self, one, generator, discriminator, **options):
        return super().rebuilt(one, generator, discriminator, label_space=one.label_space, **options)

    def _packings(self, floats, levels, labels):
        size, rows = self.batch_size, {"shuffle": False, "batch_size": self.batch_size}
        return {
            "array": lambda: (floats, {"y": labels, **rows}),
            "uint8": lambda: (levels, {"y": labels, **rows}),
            "labels": lambda: (floats, {"y": labels[:, None], **rows}),
            "list": lambda: (list(floats), {"y": labels, **rows}),
            "pydataset": lambda: (Rows(floats, labels, size, lambda x, y: (x, y)), {}),
            "pairs": lambda: (Rows(levels, labels, size, lambda x, y: (x, y)), {}),
            "dicts": lambda: (Rows(levels, labels, size, lambda x, y: {"image": x, "label": y}), {}),
            "generator": lambda: (
                ((floats[i : i + size], labels[i : i + size]) for i in range(0, len(floats), size)),
                {"steps_per_epoch": self.batches_per_epoch},
            ),
            "tf images": lambda: (_tf_dataset((floats, labels), size), {}),
            "tf pairs": lambda: (_tf_dataset((levels, labels.astype("uint8")), size), {}),
            "tf dicts": lambda: (_tf_dataset({"image": levels, "label": labels}, size), {}),
        }

    def losses(self, gan, real, latents):
        conditions = SPACE.encode(np.arange(len(real)) % 3)
        fake = gan.generator([latents, conditions], training=False)
        return self.losses_of(gan, real, fake, conditions)

    def losses_of(self, gan, real, fake, conditions):
        """Both losses in inference mode of images and what they are to show."""
        return (
            gan.discriminator_loss(real, fake, conditions, training=False),
            gan.generator_loss(fake, conditions, training=False),
        )

    def test_evaluate_is_the_loss_in_inference_mode(self):
        gan = self.trained()
        images, labels = (array[:8] for array in self.arrays())
        before, seed = training_state(gan), gan.evaluation_seeds.state
        start = values([seed])[0]
        losses = gan.evaluate(images, labels, batch_size=8, return_dict=True, verbose=0)
        assert equal(before, training_state(gan))
        assert not np.array_equal(start, values([seed])[0])
        seed.assign(start)
        latents = gan.prior(engine.normal((8, gan.latent_dim), gan.evaluation_seeds))
        expected = self.losses(gan, self.seen(images), latents)
        assert [losses["d_loss"], losses["g_loss"]] == pytest.approx([number(loss) for loss in expected], rel=1e-4)

    # Labels

    def asked(self, gan):
        """The network that training asks for images of [latents, labels]."""
        return gan.generator

    @slow_on_jax
    def test_generated_images_have_the_labels_of_the_batch(self, monkeypatch):
        """The generator is asked for the labels of the real images that an update sees beside its own."""
        gan = self.gan(compile={"run_eagerly": True}, discriminator_steps=2)
        images, labels = (array[:8] for array in self.arrays())
        network, asked = self.asked(gan), []
        call = network.call

        def watched(inputs, **options):
            asked.append(ops.convert_to_numpy(inputs[-1]).argmax(1).tolist())
            return call(inputs, **options)

        monkeypatch.setattr(network, "call", watched)
        gan.fit(images, labels, batch_size=8, shuffle=False, verbose=0)
        first, second = labels[0::2].tolist(), labels[1::2].tolist()
        assert asked[:2] == [first, second] and asked[2:] in ([], [second])  # the generator's update is with the last

    def test_a_label_changes_its_image_and_no_other(self, one):
        images = one.generate(4, seed=1, labels=[0, 1, 2, 0])
        changed = one.generate(4, seed=1, labels=[0, 2, 2, 0])
        same = [np.array_equal(a, b) for a, b in zip(images, changed)]
        assert same == [True, False, True, True]

    def test_one_label_is_for_all_images(self, one):
        images = one.generate(seed=3, labels=[1, 1])
        np.testing.assert_array_equal(one.generate(2, seed=3, labels=1), images)
        np.testing.assert_array_equal(one.generate(seed=[3], labels=1)[0], images[0])
        noise = one.noise(2, seed=3)
        np.testing.assert_array_equal(one.generate(noise=noise, labels=np.int64(1)), images)

    def test_labels_that_are_not_given_are_drawn_from_the_seed(self, one):
        labels = one.labels(60, seed=4)
        assert set(labels) == {0, 1, 2} and labels.shape == (60,)
        np.testing.assert_array_equal(one.labels(7, seed=4), labels[:7])
        np.testing.assert_array_equal(one.labels(seed=[4, 5]), [labels[0], one.labels(1, seed=5)[0]])
        np.testing.assert_array_equal(one.generate(5, seed=4), one.generate(5, seed=4, labels=labels[:5]))

    def test_a_sheet_shows_one_class_a_column(self, one):
        shown = one.generate(8, seed=0, labels=[0, 1, 2, 0] * 2)
        np.testing.assert_array_equal(one.sheet(2, 4, seed=0), shown)
        np.testing.assert_array_equal(one.sheet(4, 2, seed=0), one.generate(8, seed=0, labels=np.arange(8) % 3))

    @pytest.mark.parametrize(
        "labels, error, message",
        [
            ([0, 3], DataError, "from 0 to 2. Received: labels from 0 to 3"),
            ([-1, 0], DataError, "labels from -1"),
            ([0.0, 1.0], DataError, "float64"),
            ([[0, 1], [1, 2]], DataError, r"shape \(N,\)"),
            ([], DataError, r"shape \(N,\)"),
            ([0, 1, 2], ConfigurationError, "3 labels for 2 images"),
        ],
    )
    def test_labels_that_cannot_be_are_refused(self, one, labels, error, message):
        with pytest.raises(error, match=message):
            one.generate(2, seed=0, labels=labels)
        if error is DataError:
            images, _ = self.arrays()
            with pytest.raises(DataError, match=message if len(labels) else "abel"):
                one.fit(images[: max(1, len(labels))], np.asarray(labels), verbose=0)

    def test_labels_in_rows_of_several_lengths_are_refused(self, one):
        with pytest.raises(DataError, match="rows of several lengths"):
            one.generate(2, seed=0, labels=[[0, 1], [1]])

    def test_labels_are_drawn_for_counts_and_seeds_that_can_be(self, one):
        for n, seed in ((0, 0), (-1, 0), (None, 0), (2.0, 0), (5, [1, 2])):
            with pytest.raises(ConfigurationError, match="images|one seed an image"):
                one.labels(n, seed)

    def test_images_alone_are_refused(self, one):
        images, labels = self.arrays()
        for data in (images, kg.data.Batches(images, batch_size=8)):
            with pytest.raises(DataError, match="labels beside the images"):
                one.fit(data, verbose=0)
            with pytest.raises(DataError, match="labels beside the images"):
                one.evaluate(data, verbose=0)
        late = labels.copy()
        late[-1] = 7  # a whole data set in memory is looked at as a whole
        with pytest.raises(DataError, match="labels from 0 to 7"):
            one.fit(kg.data.Batches(images, late, batch_size=8), verbose=0)

    def test_a_generator_without_labels_is_refused(self, one):
        generator = keras.Sequential([keras.Input((4,)), keras.layers.Dense(192), keras.layers.Reshape((8, 8, 3))])
        with pytest.raises(ConfigurationError, match=r"labels \(N, 3\)"):
            self.rebuilt(one, generator, None)
        with pytest.raises(ConfigurationError, match=r"labels \(N, 5\)"):
            type(one)(one.generator, None, label_space=kg.data.Classes(5))

    @needs_tensorflow
    def test_an_export_takes_labels(self, one, tmp_path):
        import tensorflow as tf

        signatures = tf.saved_model.load(kg.export(one, tmp_path)).signatures
        seeds, labels = [3, 1, 4], np.array([2, 0, 1])
        made = signatures["from_seed"](seeds=tf.constant(seeds, "int64"), labels=tf.constant(labels))["images"]
        np.testing.assert_array_equal(made, one.generate(seed=seeds, labels=labels))
        latents = ops.convert_to_numpy(one.prior(one.noise(3, seed=5)))
        made = signatures["serving_default"](latents=tf.constant(latents), labels=tf.constant(labels))["images"]
        assert largest_difference([made], [one.generate(3, seed=5, labels=labels)]) <= 1

    @slow_on_jax
    def test_a_model_of_several_features_trains_and_shows_them(self):
        """Two features at once, and continuous labels: the networks are of the same builders."""
        images, _ = self.arrays()
        rng = np.random.default_rng(0)
        for space, labels in (
            (kg.data.Classes(2, 3), np.stack([rng.integers(0, 2, len(images)), rng.integers(0, 3, len(images))], 1)),
            (kg.data.Attributes(2), rng.integers(0, 2, (len(images), 2))),
            (kg.data.Values(1), rng.uniform(-1, 1, len(images)).astype("float32")),
        ):
            keras.utils.set_random_seed(1)
            gan = self.make(seed=5, label_space=space)
            gan.compile()
            history = gan.fit(kg.data.Batches(images, labels, batch_size=self.batch_size), verbose=0).history
            assert all(np.isfinite(history[name]).all() for name in gan.log_names)
            low, high = gan.generate(2, seed=[1, 1], labels=[[0, 0], [1, 1]] if space.size > 1 else [0, 1])
            assert not np.array_equal(low, high)
            assert gan.generate(2, seed=0).shape == (2, *self.shape)
