"""The promises that every variant keeps, written once: a variant's test is a subclass that makes its tiny networks.

    class TestDCGAN(VariantContract):
        def make(self, **options):
            return DCGAN(build_generator(...), build_discriminator(...), **options)

A variant that promises something else overrides the attribute or the test in its own subclass.
"""

import json

import keras
import numpy as np
import pytest
from keras import ops

import keras_gans as kg
from keras_gans import engine, files
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.files import read_model
from keras_gans.images import to_float, to_uint8
from keras_gans.model import PLAYERS

BACKEND = keras.backend.backend()
slow_on_jax = pytest.mark.skipif(BACKEND == "jax", reason="JAX compiles it for long; the other backends run it")
# Long, and more of the base's than of a variant's: on JAX and PyTorch one variant, with `whole_elsewhere`, is enough.
once_elsewhere = pytest.mark.once_elsewhere
needs_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="a feature of the TensorFlow backend")


def values(variables):
    """Copies of the variables' numbers."""
    return [np.array(ops.convert_to_numpy(variable.value), copy=True) for variable in variables]


def equal(before, after):
    """Whether two lists of arrays are the same, bit for bit."""
    return len(before) == len(after) and all(np.array_equal(a, b) for a, b in zip(before, after))


def number(tensor):
    return float(ops.convert_to_numpy(tensor))


def largest_difference(before, after):
    return max(float(np.abs(np.asarray(a, "float64") - np.asarray(b, "float64")).max()) for a, b in zip(before, after))


def training_state(gan):
    """Everything that the next training step depends on: weights, moving averages, moments, the noise's seeds."""
    dropout = [v for v in gan.variables if "seed_generator_state" in v.path and "dropout" in v.path]
    seeds = [gan.latent_seeds.state, *dropout]
    return values([*gan.weights, *gan.g_optimizer.variables, *gan.d_optimizer.variables, *seeds])


class Rows(keras.utils.PyDataset):
    """Batches in the order of the rows, packed by `pack(images, labels)`."""

    def __init__(self, images, labels, batch_size, pack):
        super().__init__()
        self.images, self.labels, self.batch_size, self.pack = images, labels, batch_size, pack

    def __len__(self):
        return len(self.images) // self.batch_size

    def __getitem__(self, index):
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return self.pack(self.images[rows], self.labels[rows])


class VariantContract:
    """Subclass it as `Test<Variant>` and give `make`."""

    shape = (8, 8, 1)
    batch_size = 8
    batches_per_epoch = 3
    logits = 1  # of the discriminator for one image
    whole_elsewhere = False
    rounding = 2.5e-7  # of a training state after bytes or floats: two last places of numbers near one

    def make(self, **options):
        """The variant with tiny 8x8 networks of its own builders, not compiled; `options` go to its constructor."""
        raise NotImplementedError

    def schedule(self, discriminator_steps):
        """The players in the order of their updates in one training step."""
        return ["discriminator"] * discriminator_steps + ["generator"]

    @property
    def example_shape(self):
        """The shape of one example, as `fit` takes it and `generate` returns it."""
        return self.shape

    def seen(self, examples):
        """What the discriminator sees of examples as `arrays` gives them."""
        return to_float(examples)

    def made(self, generated):
        """What `generate` returns of what the generator made."""
        return to_uint8(generated)

    def otherwise(self, examples):
        """The examples as the other dtype that `fit` takes: of bytes the floats that the step makes of them, since
        others that differ in the last place grow apart in training, on some processors beyond any fixed bound."""
        return ops.convert_to_numpy(to_float(examples))

    def judged(self, gan, images):
        """What the discriminator takes for an even number of images; of what it takes, the images are the last."""
        return images

    def losses(self, gan, real, latents):
        """The discriminator's and the generator's loss in inference mode."""
        fake = gan.generator(latents, training=False)
        return gan.discriminator_loss(real, fake, training=False), gan.generator_loss(fake, training=False)

    def inputs(self, gan, n, seed=0):
        """What the generator takes for `generate(n, seed)`, as arrays."""
        return gan.inputs_like(n, seed)

    def rebuilt(self, one, generator, discriminator, **options):
        """The variant anew, with other networks."""
        return type(one)(generator, discriminator, **options)

    def discriminator_ending_in(self, gan, *last, shape=None):
        """A network for images of `shape`, or for what this variant's discriminator takes."""
        shape = gan.discriminator.input_shape[1:] if shape is None else shape
        return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), *last])

    # What the tests are made of

    def gan(self, seed=5, weights=1, compile=None, **options):
        """A compiled model; the same arguments make the same one."""
        keras.utils.set_random_seed(weights)
        gan = self.make(seed=seed, **options)
        gan.compile(**(compile or {}))
        return gan

    def arrays(self):
        """uint8 images and labels: whole batches and a rest."""
        count = self.batches_per_epoch * self.batch_size + 2
        images = np.random.default_rng(0).integers(0, 256, (count, *self.shape)).astype("uint8")
        return images, np.arange(count) % 3

    def batches(self, seed=2):
        return kg.data.Batches(*self.arrays(), batch_size=self.batch_size, seed=seed)

    def trained(self, epochs=1, fit=None, **options):
        gan = self.gan(**options)
        gan.fit(self.batches(), epochs=epochs, verbose=0, **(fit or {}))
        return gan

    # Trained once for each variant: tests that take these leave them as they are.

    @pytest.fixture(scope="class")
    @classmethod
    def one(cls):
        """A model after one epoch, with a moving average."""
        return cls().trained(ema_decay=0.9)

    @pytest.fixture(scope="class")
    @classmethod
    def plain(cls):
        """A model after one epoch."""
        return cls().trained()

    @pytest.fixture(scope="class")
    @classmethod
    def after_two_epochs(cls):
        """The training state after two epochs."""
        return training_state(cls().trained(epochs=2))

    @pytest.fixture(scope="class")
    @classmethod
    def after_the_array(cls):
        """The training state after the whole batches of `arrays` as one float array, in order."""
        return training_state(cls()._fitted("array"))

    # Building and training

    def test_builds_networks_that_fit(self, one):
        assert one.image_shape == self.shape
        images = one.generator(self.inputs(one, 4))
        assert tuple(images.shape) == (4, *self.shape)
        judged = self.judged(one, images)
        count = len(judged[-1] if isinstance(judged, list) else judged)
        assert tuple(one.discriminator(judged).shape) == (count, self.logits)
        ids = [{id(v) for v in one.player_variables(player)} for player in PLAYERS]
        assert all(ids) and not ids[0] & ids[1]
        assert len(one.player_variables("generator")) + len(one.player_variables("discriminator")) == len(
            one.trainable_variables
        )

    def test_logs_are_named_and_finite(self):
        gan = self.gan()
        history = gan.fit(self.batches(), epochs=2, verbose=0).history
        assert set(history) == set(gan.log_names) >= {"d_loss", "g_loss"}
        assert all(len(values) == 2 and np.isfinite(values).all() for values in history.values())
        assert int(gan.step) == 2 * self.batches_per_epoch

    @pytest.mark.parametrize("discriminator_steps", [pytest.param(1, marks=once_elsewhere), 2])
    def test_updates_follow_the_schedule_and_move_their_own_player(self, discriminator_steps, monkeypatch):
        gan = self.gan(compile={"run_eagerly": True}, discriminator_steps=discriminator_steps)
        minimize, moves = gan.minimize, []

        def watched(player, *inputs):
            before = {p: values(gan.player_variables(p)) for p in PLAYERS}
            loss = minimize(player, *inputs)
            moves.append((player, {p for p in PLAYERS if not equal(before[p], values(gan.player_variables(p)))}))
            return loss

        monkeypatch.setattr(gan, "minimize", watched)
        gan.fit(self.batches(), steps_per_epoch=2, verbose=0)
        assert [player for player, _ in moves] == 2 * self.schedule(discriminator_steps)
        assert all(moved == {player} for player, moved in moves)

    @once_elsewhere
    def test_each_discriminator_step_sees_fresh_images_and_fresh_noise(self, monkeypatch):
        gan = self.gan(compile={"run_eagerly": True}, discriminator_steps=3)
        images, labels = (array[: self.batch_size] for array in self.arrays())
        seen, minimize = [], gan.minimize

        def images_in(judged):
            return np.array(ops.convert_to_numpy(judged[-1] if isinstance(judged, list) else judged))

        def watched(player, loss_fn, *inputs):
            if player == "discriminator":
                seen.append(tuple(images_in(judged) for judged in inputs[:2]))
            return minimize(player, loss_fn, *inputs)

        monkeypatch.setattr(gan, "minimize", watched)
        gan.fit(images, labels, batch_size=self.batch_size, shuffle=False, verbose=0)
        dealt = np.concatenate([real for real, _ in seen])
        expected = ops.convert_to_numpy(self.seen(images))
        np.testing.assert_allclose(np.sort(dealt, axis=0), np.sort(expected, axis=0), rtol=0, atol=self.rounding)
        fakes = np.concatenate([fake for _, fake in seen])
        assert len(np.unique(fakes.reshape(len(fakes), -1), axis=0)) == self.batch_size

    def test_every_trainable_weight_gets_a_gradient(self):
        adam = keras.optimizers.Adam  # shows a gradient of any size
        gan = self.gan(compile={"g_optimizer": adam(1e-2), "d_optimizer": adam(1e-2)})
        before = values(gan.trainable_variables)
        gan.fit(self.batches(), steps_per_epoch=2, verbose=0)
        after = values(gan.trainable_variables)
        still = [v.path for v, a, b in zip(gan.trainable_variables, before, after) if equal([a], [b])]
        assert still == []

    def test_the_seed_names_the_run(self, plain):
        again, other = self.trained(), self.trained(seed=6)
        assert equal(training_state(plain), training_state(again))
        assert not equal(values(plain.player_variables("generator")), values(other.player_variables("generator")))

    def test_a_generator_alone_samples_and_does_not_compile(self, one):
        alone = self.rebuilt(one, one.generator, None)
        assert alone.generate(2, seed=0).shape == (2, *self.example_shape)
        with pytest.raises(ConfigurationError, match="a generator alone"):
            alone.compile()

    # Ways to run a step

    @once_elsewhere
    def test_an_eager_run_is_close_to_a_compiled_one(self, plain):
        eager = self.trained(compile={"run_eagerly": True})
        assert largest_difference(values(plain.weights), values(eager.weights)) < 1e-5

    @slow_on_jax
    @pytest.mark.skipif(BACKEND == "torch", reason="Keras asks for steps_per_execution=1 on PyTorch")
    def test_several_steps_an_execution_change_nothing(self):
        plain, several = self.gan(), self.gan(compile={"steps_per_execution": 2})
        for gan in (plain, several):
            gan.fit(self.batches(), steps_per_epoch=2, verbose=0)
        assert int(several.step) == 2
        assert largest_difference(training_state(plain), training_state(several)) < 1e-6

    @needs_tensorflow
    def test_xla_trains_finitely_and_advances_the_seeds_alike(self, plain):
        gan = self.trained(compile={"jit_compile": True})
        assert all(np.isfinite(array).all() for array in training_state(gan))
        assert equal(values([gan.latent_seeds.state]), values([plain.latent_seeds.state]))

    @once_elsewhere
    @pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
    def test_mixed_precision_trains_finitely(self, policy, tmp_path):
        if policy == "mixed_float16" and BACKEND != "tensorflow":
            pytest.skip("float16 without a GPU is tested on TensorFlow")
        keras.config.set_dtype_policy(policy)
        adam = keras.optimizers.Adam  # shows a gradient of any size
        gan = self.gan(ema_decay=0.9, compile={"g_optimizer": adam(1e-2), "d_optimizer": adam(1e-2)})
        before = values(gan.trainable_variables)
        history = gan.fit(self.batches(), verbose=0).history
        assert all(np.isfinite(history[name]).all() for name in gan.log_names)
        assert not any(equal([a], [b]) for a, b in zip(before, values(gan.trainable_variables)))
        assert all(variable.dtype == "float32" for variable in gan.trainable_variables)
        images = gan.generator(self.inputs(gan, 2))
        assert ops.dtype(images) == ops.dtype(gan.discriminator(self.judged(gan, images))) == "float32"
        assert gan.generate(2, seed=0).dtype == np.uint8
        scaled = [isinstance(o, keras.optimizers.LossScaleOptimizer) for o in (gan.g_optimizer, gan.d_optimizer)]
        assert scaled == [policy == "mixed_float16"] * 2
        # The policy is the model's: it is loaded, and compiled anew, as it was.
        gan.save(tmp_path / "mixed.keras")
        keras.config.set_dtype_policy("float32")
        loaded = keras.saving.load_model(tmp_path / "mixed.keras")
        assert loaded.dtype_policy.name == policy
        np.testing.assert_array_equal(loaded.generate(3, seed=1), gan.generate(3, seed=1))
        loaded.compile()
        assert isinstance(loaded.g_optimizer, keras.optimizers.LossScaleOptimizer) == (policy == "mixed_float16")

    # The moving average

    @once_elsewhere
    def test_the_moving_average_follows_its_formula(self):
        """a_t = r_t a_(t-1) + (1 - r_t) w_t with r_t = min(decay, (1 + t) / (10 + t)), recomputed in NumPy."""
        decay = 0.15  # reached at t = 1: both branches of the minimum
        gan = self.gan(ema_decay=decay, compile={"run_eagerly": True})
        trained = gan.generator.trainable_variables
        averages, path = [a.astype("float64") for a in values(trained)], []
        gan.after_update["generator"]["record"] = lambda: path.append(values(trained))
        gan.fit(self.batches(), verbose=0)
        assert len(path) == self.batches_per_epoch
        for step, weights in enumerate(path):
            rate = min(decay, (1 + step) / (10 + step))
            averages = [rate * average + (1 - rate) * weight for average, weight in zip(averages, weights)]
        place = {id(weight): i for i, weight in enumerate(gan.generator.weights)}
        kept = [gan.ema_generator.weights[place[id(weight)]] for weight in trained]
        assert largest_difference(averages, values(kept)) < 1e-6
        moving = [i for i, weight in enumerate(gan.generator.weights) if not weight.trainable]
        assert equal(*(values([network.weights[i] for i in moving]) for network in (gan.generator, gan.ema_generator)))

    @once_elsewhere
    def test_the_moving_average_samples_and_changes_no_training(self, one, plain):
        if BACKEND == "jax":  # which compiles the two steps as wholes, and may round one otherwise; not so op by op
            one, plain = (
                self.trained(compile={"run_eagerly": True}, **options) for options in ({"ema_decay": 0.9}, {})
            )
        assert equal(values(plain.trainable_variables), values(one.trainable_variables))
        images = one.ema_generator(self.inputs(one, 3), training=False)
        averaged = one.generate(noise=one.noise(3, seed=0))
        assert largest_difference([self.made(images)], [averaged]) <= 1  # a grey level, by rounding

    # Data

    @once_elsewhere
    @pytest.mark.parametrize("kind", ["uint8", "labels", "list", "pydataset", "pairs", "dicts", "generator"])
    def test_fit_takes_images_in_many_packings(self, kind, after_the_array):
        # Bytes are converted in the step, where a compiler may round otherwise.
        assert largest_difference(after_the_array, training_state(self._fitted(kind))) < self.rounding

    @needs_tensorflow
    @pytest.mark.parametrize("kind", ["tf images", "tf pairs", "tf dicts"])
    def test_fit_takes_tensorflow_datasets(self, kind, after_the_array):
        self.test_fit_takes_images_in_many_packings(kind, after_the_array)

    def _fitted(self, kind):
        images, labels = self.arrays()
        whole = self.batches_per_epoch * self.batch_size
        levels, labels = images[:whole], labels[:whole]
        floats = self.otherwise(levels)
        gan = self.gan(compile={"run_eagerly": True})
        data, options = self._packings(floats, levels, labels)[kind]()
        gan.fit(data, verbose=0, **options)
        assert int(gan.step) == self.batches_per_epoch
        return gan

    def _packings(self, floats, levels, labels):
        """What `fit` takes of the same examples, in order: {kind: function that returns data and options}."""
        rows = {"shuffle": False, "batch_size": self.batch_size}
        steps, starts = {"steps_per_epoch": self.batches_per_epoch}, range(0, len(floats), self.batch_size)
        return {
            "array": lambda: (floats, rows),
            "uint8": lambda: (levels, rows),
            "labels": lambda: (floats, {"y": labels, **rows}),
            "list": lambda: (list(floats), rows),
            "pydataset": lambda: (Rows(floats, labels, self.batch_size, lambda x, y: x), {}),
            "pairs": lambda: (Rows(levels, labels, self.batch_size, lambda x, y: (x, y)), {}),
            "dicts": lambda: (Rows(levels, labels, self.batch_size, lambda x, y: {"image": x, "label": y}), {}),
            "generator": lambda: ((floats[i : i + self.batch_size] for i in starts), steps),
            "tf images": lambda: (_tf_dataset(floats, self.batch_size), {}),
            "tf pairs": lambda: (_tf_dataset((levels, labels), self.batch_size), {}),
            "tf dicts": lambda: (_tf_dataset({"image": levels, "label": labels}, self.batch_size), {}),
        }

    @once_elsewhere
    def test_a_partial_last_batch_trains_finitely(self):
        """One image is left for three discriminator steps: a mean over no image would be NaN."""
        gan = self.gan(discriminator_steps=3)
        images, labels = (array[: self.batch_size + 1] for array in self.arrays())
        gan.fit(images, labels, batch_size=self.batch_size, verbose=0)
        assert int(gan.step) == 2
        assert all(np.isfinite(array).all() for array in training_state(gan))

    def test_evaluate_is_the_loss_in_inference_mode(self):
        gan = self.trained()
        images, _ = self.arrays()
        before, seed = training_state(gan), gan.evaluation_seeds.state
        start = values([seed])[0]
        losses = gan.evaluate(images[:8], batch_size=8, return_dict=True, verbose=0)
        assert equal(before, training_state(gan))
        assert not np.array_equal(start, values([seed])[0])
        seed.assign(start)
        latents = gan.prior(engine.normal((8, gan.latent_dim), gan.evaluation_seeds))
        expected = self.losses(gan, self.seen(images[:8]), latents)
        assert [losses["d_loss"], losses["g_loss"]] == pytest.approx([number(loss) for loss in expected], rel=1e-4)

    def test_smoothed_labels_reach_the_loss(self, one):
        """Where a variant has a target for `LabelSmoothing` to lower, its discriminator's loss has it."""
        if not hasattr(one, "real_target"):
            pytest.skip("its loss has no labels to smooth")
        real = self.seen(self.arrays()[0][:8])
        latents, found = one.prior(one.noise(8, seed=0)), []
        try:
            for target in (1.0, 1e8):  # no probability, but the logits of networks so small are all but zero
                one.real_target.assign(target)
                found.append(number(self.losses(one, real, ops.convert_to_tensor(latents))[0]))
        finally:
            one.real_target.assign(1.0)
        assert found[0] != found[1]

    @once_elsewhere
    def test_validating_changes_no_training(self, after_two_epochs):
        held_out = tuple(array[:8] for array in self.arrays())
        watched = self.gan()
        history = watched.fit(self.batches(), epochs=2, validation_data=held_out, verbose=0).history
        assert set(history) >= {"val_d_loss", "val_g_loss"} and np.isfinite(history["val_d_loss"]).all()
        assert equal(training_state(watched), after_two_epochs)

    # Sampling

    def test_generate_makes_images(self, one):
        images = one.generate(9, seed=1)
        assert images.shape == (9, *self.example_shape) and images.dtype == np.uint8
        assert len(np.unique(images.reshape(9, -1), axis=0)) == 9
        assert one.generate(1, seed=0).shape == (1, *self.example_shape)
        predicted = one.predict(self.inputs(one, 9, seed=1), verbose=0)
        assert largest_difference([self.made(predicted)], [images.astype("int32")]) <= 1  # a grey level, by rounding

    def test_a_seed_names_its_images(self, one):
        images = one.generate(9, seed=1)
        np.testing.assert_array_equal(one.generate(9, seed=1), images)
        np.testing.assert_array_equal(one.generate(4, seed=1), images[:4])
        assert not np.array_equal(one.generate(9, seed=2), images)
        assert not np.array_equal(one.generate(2), one.generate(2))
        np.testing.assert_array_equal(one.generate(1, seed=-(2**63)), one.generate(seed=[-(2**63)]))

    def test_a_list_of_seeds_names_each_image_in_any_batch(self, one):
        images = one.generate(seed=[3, 1, 4, 1])
        np.testing.assert_array_equal(images[1], images[3])
        for image, seed in zip(images, [3, 1, 4]):
            np.testing.assert_array_equal(image, one.generate(seed=[seed])[0])
            np.testing.assert_array_equal(image, one.generate(3, seed=seed)[0])
        np.testing.assert_array_equal(one.generate(2, seed=np.array([3, 1])), images[:2])

    def test_many_images_are_decoded_in_parts(self, one, monkeypatch):
        whole = one.generate(7, seed=0)
        monkeypatch.setattr("keras_gans.model.SAMPLING_BATCH", 3)
        np.testing.assert_array_equal(one.generate(7, seed=0), whole)

    @once_elsewhere
    def test_generating_changes_no_training(self, after_two_epochs):
        class Sample(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                self.model.generate(2)

        watched = self.trained(epochs=2, fit={"callbacks": [Sample()]})
        assert equal(training_state(watched), after_two_epochs)

    @once_elsewhere
    def test_generate_follows_training(self):
        gan, averaging = self.gan(), self.gan(ema_decay=0.9)
        before = averaging.generate(2, seed=0)
        np.testing.assert_array_equal(gan.generate(2, seed=0), before)
        for network in (gan.generator, averaging.generator):
            network.set_weights([weight + 0.1 for weight in network.get_weights()])
        assert not np.array_equal(gan.generate(2, seed=0), before)
        np.testing.assert_array_equal(averaging.generate(2, seed=0), before)

    # Saving

    def test_config_is_json(self, one):
        config = json.loads(json.dumps(one.get_config()))
        rebuilt = type(one).from_config(json.loads(json.dumps(config)))
        assert json.loads(json.dumps(rebuilt.get_config())) == config
        assert json.loads(json.dumps(one.get_compile_config()))

    @pytest.mark.parametrize("compile", [True, False])
    def test_a_saved_model_is_the_same_model(self, one, compile, tmp_path, monkeypatch):
        monkeypatch.setattr(files, "FREE_NUMBERS", 100)  # its file stores what it is made of
        one.save(tmp_path / "gan.keras")
        loaded = read_model(tmp_path / "gan.keras", compile=compile)
        assert type(loaded) is type(one) and loaded.compiled == compile
        np.testing.assert_array_equal(loaded.generate(5, seed=2), one.generate(5, seed=2))
        assert equal(values(loaded.weights), values(one.weights))
        if compile:
            assert equal(training_state(loaded), training_state(one))

    def test_a_resumed_run_equals_an_uninterrupted_one(self, tmp_path, validate=True):
        class Save(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                if epoch == 0:
                    self.model.save(tmp_path / "gan.keras")

        fit = {"validation_data": tuple(array[:8] for array in self.arrays())} if validate else {}
        whole = self.gan(ema_decay=0.9, discriminator_steps=2)
        whole.fit(self.batches(), epochs=2, verbose=0, callbacks=[Save()], **fit)
        keras.utils.set_random_seed(99)  # nothing may hang on the global generators
        resumed = read_model(tmp_path / "gan.keras", compile=True)
        assert int(resumed.step) == self.batches_per_epoch
        resumed.fit(self.batches(), initial_epoch=1, epochs=2, verbose=0, **fit)
        assert int(resumed.step) == 2 * self.batches_per_epoch
        assert equal(training_state(resumed), training_state(whole))
        assert equal(values(resumed.variables), values(whole.variables))
        np.testing.assert_array_equal(resumed.generate(4, seed=0), whole.generate(4, seed=0))

    # What is refused

    @pytest.mark.parametrize(
        "damage, message",
        [
            (lambda x: x[:, :6], "shape"),
            (lambda x: np.repeat(x, 3, axis=-1), "shape"),
            (lambda x: x[..., 0], "shape"),
            (lambda x: np.where(x > 0.5, np.nan, x), "finite"),
            (lambda x: x * 255.0, r"\[-1, 1\]"),
            (lambda x: x.astype("int64"), "int64"),
            (lambda x: x[:0], "empty"),
        ],
        ids=["size", "channels", "rank", "nan", "range", "dtype", "empty"],
    )
    def test_bad_images_are_refused(self, one, damage, message):
        images = np.random.default_rng(0).uniform(-1, 1, (16, *self.shape)).astype("float32")
        labels = np.arange(16) % 3
        with pytest.raises(DataError, match=message):
            one.fit(damage(images), labels, verbose=0)
        with pytest.raises(DataError, match=message):
            one.evaluate(damage(images), verbose=0)
        with pytest.raises(DataError, match=message):
            one.fit(images, labels, validation_data=(damage(images),), verbose=0)

    @pytest.mark.parametrize(
        "pack, options, message",
        [
            (lambda x, y: {"picture": x}, {}, "image"),
            (lambda x, y: x, {"steps_per_epoch": 5}, "steps_per_epoch=5"),
            (lambda x, y: x[:, :6], {}, "shape"),
            (lambda x, y: x[:0], {}, "empty"),
        ],
        ids=["key", "short", "size", "empty"],
    )
    def test_bad_datasets_are_refused(self, one, pack, options, message):
        dataset = Rows(*self.arrays(), self.batch_size, pack)
        with pytest.raises(DataError, match=message):
            one.fit(dataset, verbose=0, **options)

    def test_data_without_batches_is_refused(self, one):
        images, labels = self.arrays()
        for data in (Rows(images[:4], labels[:4], 8, lambda x, y: x), iter(()), (x for x in ())):
            with pytest.raises(DataError, match="at least one batch"):
                one.fit(data, verbose=0)

    def test_arrays_packed_as_one_argument_are_refused(self, one):
        images, labels = self.arrays()
        for data in ((images, labels), {"image": images, "label": labels}):
            with pytest.raises(DataError, match="Expected"):
                one.fit(data, verbose=0)

    def test_batches_smaller_than_the_discriminator_steps_are_refused(self):
        gan = self.gan(discriminator_steps=3)
        dataset = Rows(*self.arrays(), 2, lambda x, y: x)
        with pytest.raises(DataError, match="discriminator_steps"):
            gan.fit(dataset, verbose=0)

    def test_weights_of_classes_and_samples_are_refused(self, one):
        images, labels = self.arrays()
        for name, weights in (("class_weight", {0: 2.0}), ("sample_weight", np.ones(len(images)))):
            with pytest.raises(ConfigurationError, match=name):
                one.fit(images, labels, verbose=0, **{name: weights})

    def test_training_needs_a_compiled_model_with_two_optimizers(self):
        gan = self.make()
        with pytest.raises(ConfigurationError, match="compile"):
            gan.fit(self.arrays()[0], verbose=0)
        optimizer = keras.optimizers.Adam()
        with pytest.raises(ConfigurationError, match="two optimizers"):
            gan.compile(g_optimizer=optimizer, d_optimizer=optimizer)
        for wrong in ("nosuch", 1e-4, keras.optimizers.Adam):
            with pytest.raises(ConfigurationError, match="Expected d_optimizer to be a Keras optimizer"):
                gan.compile(d_optimizer=wrong)

    def test_networks_that_do_not_fit_are_refused(self, one):
        def network(*last, shape=None):
            return self.discriminator_ending_in(one, *last, shape=shape)

        dense = keras.layers.Dense
        cases = [
            (network(dense(1, activation="sigmoid")), "sigmoid"),
            (network(dense(1), keras.layers.Activation("sigmoid")), "sigmoid"),
            (network(dense(2)), "one logit"),
            (network(dense(1), shape=(6, 6, 1)), "takes what the generator makes"),
            (keras.Sequential([dense(1)]), "built"),
            ("discriminator", "built"),
        ]
        for discriminator, message in cases:
            with pytest.raises(ConfigurationError, match=message):
                self.rebuilt(one, one.generator, discriminator)
        for generator in (None, one.discriminator):
            with pytest.raises(ConfigurationError, match="generator"):
                self.rebuilt(one, generator, one.discriminator)

    @pytest.mark.parametrize(
        "options",
        [
            {"discriminator_steps": 0},
            {"discriminator_steps": 1.5},
            {"ema_decay": 1.0},
            {"ema_decay": -0.1},
            {"ema_decay": "0.9"},
            {"seed": "a"},
            {"seed": 1.5},
            {"seed": -1},
            {"seed": 2**31 - 1},
        ],
        ids=str,
    )
    def test_numbers_out_of_range_are_refused(self, one, options):
        with pytest.raises(ConfigurationError, match=next(iter(options))):
            self.rebuilt(one, one.generator, one.discriminator, **options)

    @pytest.mark.parametrize("n", [0, -1, 2.5, "3", True, None])
    def test_impossible_counts_are_refused(self, one, n):
        with pytest.raises(ConfigurationError, match="images"):
            one.generate(n, seed=0)

    @pytest.mark.parametrize("seed", [1.5, "a", True, 2**63, -(2**63) - 1, [1, 2.5], [[1], [2]], []], ids=str)
    def test_impossible_seeds_are_refused(self, one, seed):
        with pytest.raises(ConfigurationError, match="seed"):
            one.generate(2, seed=seed)

    def test_noise_that_does_not_fit_is_refused(self, one):
        for shape in ((2, one.latent_dim + 1), (one.latent_dim,), (0, one.latent_dim)):
            with pytest.raises(ConfigurationError, match="noise"):
                one.generate(noise=np.zeros(shape))
        with pytest.raises(ConfigurationError, match="n=3"):
            one.generate(3, noise=np.zeros((2, one.latent_dim)))
        with pytest.raises(ConfigurationError, match="1 NaN"):
            one.generate(noise=np.full((1, one.latent_dim), [np.nan, *[0.0] * (one.latent_dim - 1)]))
        with pytest.raises(ConfigurationError, match="one seed an image"):
            one.generate(3, seed=[1, 2])


def _tf_dataset(data, batch_size):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(data).batch(batch_size)
