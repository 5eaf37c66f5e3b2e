"""The promises that every variant keeps, written once: a variant's test is a subclass that makes its tiny networks.

    class TestDCGAN(VariantContract):
        def make(self, **options):
            return DCGAN(build_generator(...), build_discriminator(...), **options)

The data that a model is trained on, the inputs that it samples from and what is refused follow from its three
dictionaries of fields. A variant whose discriminator does not judge the first output alone says in `judged` what it
judges. A variant that promises something else overrides the attribute or the test in its own subclass.

What several tests look at is trained once for each variant, by the fixtures: such tests leave it as it is.
"""

import functools
import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

import keras_gans as kg
from keras_gans import fields, files, sampling, saving
from keras_gans.batch_statistics import judged_by_batch
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.files import read_model
from keras_gans.images import to_float
from keras_gans.model import Recorded

BACKEND = keras.backend.backend()
slow_on_jax = pytest.mark.skipif(BACKEND == "jax", reason="JAX compiles it for long; the other backends run it")
# Long, and more of the base's than of a variant's: on JAX and PyTorch one variant, with `whole_elsewhere`, is enough.
once_elsewhere = pytest.mark.once_elsewhere
needs_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="a feature of the TensorFlow backend")


# Numbers


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


def state_variables(gan, averages=True):
    """Everything that the next training step depends on: weights, moving averages, moments, the noise's seeds."""
    averaged = {} if averages or gan.ema_decay is None else {id(weight) for weight in gan.ema.weights}
    weights = [weight for weight in gan.weights if id(weight) not in averaged]
    others = {id(gan.latent_seeds.state), id(gan.evaluation_seeds.state)}
    dropout = [v for v in gan.variables if "seed_generator_state" in v.path and id(v) not in others]
    return [*weights, *gan.g_optimizer.variables, *gan.d_optimizer.variables, gan.latent_seeds.state, *dropout]


def training_state(gan, averages=True):
    """The values of `state_variables`."""
    return values(state_variables(gan, averages))


# Data


def examples(field, count, seed=0):
    """`count` values of a field as a user has them. Fewer are the first of more."""
    rng = np.random.default_rng(seed)
    shape = (count, *(8 if size is None else size for size in field.shape))
    if isinstance(field, (fields.Images, fields.Clips)):
        return rng.integers(0, 256, shape).astype("uint8")
    if isinstance(field, fields.LabelMaps):
        return rng.integers(0, field.classes, shape).astype("uint8")
    if isinstance(field, fields.InstanceMaps):
        return rng.integers(0, field.most, shape).astype("int32")
    if isinstance(field, fields.Tokens):
        return rng.integers(0, len(field.alphabet), shape).astype("uint8")
    if isinstance(field, fields.Prompts):
        return rng.integers(1, 1 + len(field.vocabulary), shape).astype("int32")
    if isinstance(field, fields.Index):
        return np.arange(count) % field.count
    if isinstance(field, fields.Classes) and field.shape == ():
        return np.arange(count) % field.counts[0]
    if isinstance(field, fields.Numbers):
        low = 0.5 if field.low is None else field.low
        high = low + 0.5 if field.high is None else field.high
        return rng.integers(low, high + 1, shape) if field.whole else rng.uniform(low, high, shape).astype("float32")
    return field.from_normals(rng.normal(size=(count, field.num_normals)).astype("float32"))


def other_dtype(field, values):
    """The same values as another dtype that `fit` takes.

    Of images these are the floats that the step makes of bytes: floats that differ in the last place grow apart in
    training, on some processors beyond any fixed bound.
    """
    if isinstance(field, fields.Images):
        return ops.convert_to_numpy(field.encode(values))
    if isinstance(field, fields.Clips):
        return ops.convert_to_numpy(to_float(values))
    return values.astype({"i": "int32", "u": "int64", "f": "float64"}[values.dtype.kind])


def damages(field, values):
    """What `fit` refuses of a field's values: triples of a name, the values damaged, and what the error says."""
    wrong = [("empty", values[:0], "mpty|labels of shape|from 0 to")]
    if isinstance(field, fields.Images):
        floats = ops.convert_to_numpy(field.encode(values))
        wrong += [
            ("channels", np.repeat(values, field.shape[-1] + 1, axis=-1), "shape"),
            ("rank", values[..., 0], "shape"),
            ("nan", np.where(floats > 0.5, np.nan, floats), "finite"),
            ("range", floats * 255.0, r"\[-1, 1\]"),
            ("dtype", values.astype("int64"), "int64"),
        ]
        if field.shape[0] is not None:
            wrong.append(("size", values[:, :6], "shape"))
    elif isinstance(field, fields.Clips):
        floats = ops.convert_to_numpy(to_float(values))
        wrong += [
            ("channels", np.repeat(values, field.shape[-1] + 1, axis=-1), "shape"),
            ("rank", values[..., 0], "shape"),
            ("length", values[:, :-1], "too short"),
            ("nan", np.where(floats > 0.5, np.nan, floats), "finite"),
            ("range", floats * 255.0, r"\[-1, 1\]"),
            ("dtype", values.astype("int64"), "int64"),
        ]
        if field.shape[1] is not None:
            wrong.append(("size", values[:, :, :6], "shape"))
    elif isinstance(
        field,
        (fields.LabelSpace, fields.Index, fields.LabelMaps, fields.InstanceMaps, fields.Prompts, fields.Tokens),
    ):
        wrong.append(("rank", np.stack([values, values], axis=-1)[..., None], "shape|from 0 to"))
    if isinstance(field, (fields.Classes, fields.Index, fields.LabelMaps, fields.Prompts, fields.Tokens)):
        wrong += [
            ("range", values.astype("int64") + 300, "to 3|from 0 to"),
            ("negative", values.astype("int64") - 300, "from -|-300|from 0 to"),
            ("dtype", values.astype("float64"), "float64|from 0 to"),
        ]
    if isinstance(field, fields.InstanceMaps):
        many = np.arange(values[0].size).reshape(values[0].shape)
        wrong += [
            ("count", np.broadcast_to(many, values.shape), "at most"),
            ("range", values.astype("int64") + 2**31, "32 bits"),
            ("dtype", values.astype("float64"), "float64"),
        ]
    return wrong


def by_name(gan, outputs):
    """{name: array} of what `generate`, `predict` or a call returned."""
    outputs = outputs if isinstance(outputs, dict) else {next(iter(gan.output_fields)): outputs}
    return {name: ops.convert_to_numpy(array) for name, array in outputs.items()}


def same(some, others):
    """Whether two dicts of arrays are the same, bit for bit."""
    return list(some) == list(others) and equal(some.values(), others.values())


class Rows(keras.utils.PyDataset):
    """Batches of named arrays in the order of the rows; `pack(batch)` makes of a dict what `fit` gets."""

    def __init__(self, arrays, batch_size, pack=lambda batch: batch, rest=False):
        super().__init__()
        self.arrays, self.batch_size, self.pack = arrays, batch_size, pack
        count = len(next(iter(arrays.values())))
        self.length = count // batch_size + bool(rest and count % batch_size)

    def __len__(self):
        return self.length

    @property
    def num_batches(self):
        return self.length

    def __getitem__(self, index):
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return self.pack({name: array[rows] for name, array in self.arrays.items()})


def _tf_dataset(data, batch_size):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(data).batch(batch_size)


# Files


def assert_golden(folder):
    """The model in a folder makes its golden samples."""
    with np.load(folder / "golden.npz") as stored:
        inputs, outputs = kg.zoo.golden_parts(dict(stored))
    made = kg.load(str(folder)).sample(**inputs)
    assert made.keys() == outputs.keys()
    for name, values in outputs.items():
        np.testing.assert_array_equal(made[name], values)


# Trainings


class Run:
    """A model trained for some epochs, and what was seen of it.

    Attributes:
        gan: the model.
        start, states: the training state before and after each epoch.
        bare: the training state after each epoch without the moving averages.
        weights, variables: values after each epoch.
        steps: the step count after each epoch.
        history: the logs.
    """

    def __init__(self, gan, data, epochs=2, each_epoch=lambda epoch: None, **fit):
        self.gan, self.start = gan, training_state(gan)
        self.states, self.bare, self.weights, self.variables, self.steps = [], [], [], [], []

        def record(epoch, logs=None):
            self.states.append(training_state(gan))
            self.bare.append(training_state(gan, averages=False))
            self.weights.append(values(gan.weights))
            self.variables.append(values(gan.variables))
            self.steps.append(int(ops.convert_to_numpy(gan.step)))
            each_epoch(epoch)

        recorder = keras.callbacks.LambdaCallback(on_epoch_end=record)
        self.history = gan.fit(data, epochs=epochs, callbacks=[recorder], verbose=0, **fit).history

    def again(self, data, seeds=None, **fit):
        """The model after training on `data` from the start, by what was compiled before.

        Args:
            data: see `fit`.
            seeds: the state of the noise's seeds to begin with; None: that of the start.
            fit: options of `fit`.
        """
        for variable, array in zip(state_variables(self.gan), self.start):
            variable.assign(array)
        if seeds is not None:
            self.gan.latent_seeds.state.assign(seeds)
        self.gan.fit(data, verbose=0, **fit)
        return self.gan


class Watched:
    """The updates of a model in training: the players, whose weights moved, and what the losses were of.

    The model trains eagerly; but on JAX, which would compile each operation for each shape, in compiled steps.
    """

    options = {} if BACKEND == "jax" else {"run_eagerly": True}  # of `compile`

    def __init__(self, gan, data, **fit):
        self.gan, self.moves, self.inputs, self.batches = gan, [], [], 0
        minimize, encode_batch = gan.minimize, gan.encode_batch

        def weights():
            found = {p: gan.player_variables(p) for p in gan.players}
            if BACKEND == "jax":
                return {p: [variable.value for variable in variables] for p, variables in found.items()}
            return {p: values(variables) for p, variables in found.items()}

        def watched(player, loss_fn, *inputs):
            before = weights()
            loss = minimize(player, loss_fn, *inputs)
            seen = [part.outputs if isinstance(part, Recorded) else part for part in inputs]
            when_it_runs(functools.partial(self.updated, player), seen, before, weights())
            return loss

        def counted(data):
            when_it_runs(self.counted)
            return encode_batch(data)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gan, "minimize", watched)
            patch.setattr(gan, "encode_batch", counted)
            self.before = values(gan.trainable_variables)
            gan.fit(data, verbose=0, **fit)

    def updated(self, player, inputs, before, after):
        self.inputs.append((player, inputs))
        self.moves.append((player, {p for p in before if not equal(before[p], after[p])}))

    def counted(self):
        self.batches += 1


def when_it_runs(function, *tensors):
    """Calls a function with tensors, or lists and dicts of them: in a compiled step of JAX whenever that runs."""
    if BACKEND == "jax":
        import jax

        jax.debug.callback(function, *tensors, ordered=True)
    else:
        function(*tensors)


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
        first, second = self.fields().players
        return [second] * discriminator_steps + [first]

    def judged(self, gan, images):
        """What the discriminator takes for an even number of images; of what it takes, the images are the last."""
        return images

    def scored(self, gan, made):
        """The discriminator's logits of outputs {name: tensor}, and how many rows they are to have."""
        judged = self.judged(gan, ops.convert_to_tensor(next(iter(made.values()))))
        return gan.discriminator(judged), len(judged[-1] if isinstance(judged, list) else judged)

    def first_field(self):
        """The name of the batch's field that `first_field_in` finds."""
        return next(iter(self.fields().batch_fields))

    def first_field_in(self, judged):
        """The values of the batch's first field, or of what was made in their place, among what a loss is of."""
        return judged[-1] if isinstance(judged, list) else judged

    # What follows from the fields

    @classmethod
    @functools.cache
    def fields(cls):
        """A model that is only asked for its fields."""
        return cls().make()

    def arrays(self):
        """{name: array} of what `fit` takes: whole batches and a rest."""
        count = self.batches_per_epoch * self.batch_size + 2
        return {
            name: examples(field, count, seed) for seed, (name, field) in enumerate(self.fields().batch_fields.items())
        }

    def rows(self, count=None):
        """The first rows of `arrays`: one batch by default."""
        return {name: array[: count or self.batch_size] for name, array in self.arrays().items()}

    def arguments(self, arrays):
        """The arguments of `fit` and `evaluate` for {name: array}: one array, two, or the dict."""
        if len(arrays) > 2:
            return {"x": arrays}
        return dict(zip("xy", arrays.values()))

    def encoded(self, gan, arrays):
        """{name: tensor} of a batch as networks see it."""
        return {name: gan.batch_fields[name].encode(array) for name, array in arrays.items()}

    def seen(self, examples):
        """What the networks see of values of the first field of a batch."""
        return next(iter(self.fields().batch_fields.values())).encode(examples)

    def made(self, generated):
        """What users get of the first output."""
        return next(iter(self.fields().output_fields.values())).decode(generated)

    def inputs(self, gan, n, seed=0):
        """What the networks take for `generate(n, seed)`: {name: array} in the order of the inputs."""
        complete = sampling.complete_inputs(gan, n, seed, self.given(gan, n))
        encoded = sampling.encode_inputs(gan, complete)
        return {name: ops.convert_to_numpy(tensor) for name, tensor in encoded.items()}

    def latents(self, gan, n, seed=0):
        """`inputs` as the generator takes them: an array, or a list of several."""
        inputs = list(self.inputs(gan, n, seed).values())
        return inputs if len(inputs) > 1 else inputs[0]

    def given(self, gan, n):
        """Values for the inputs that cannot be drawn from a seed: {name: array}."""
        return {
            name: examples(field, n, seed)
            for seed, (name, field) in enumerate(gan.input_fields.items())
            if field.num_normals is None
        }

    def generate(self, gan, n=None, seed=None, rows=None):
        """{name: array} that `gan.generate` makes, beside examples for the inputs that cannot be drawn.

        `rows` says which of the examples, in order; by default the first.
        """
        count = len(seed) if np.ndim(seed) else n
        rows = np.arange(count) if rows is None else rows
        given = {name: array[rows] for name, array in self.given(gan, int(np.max(rows)) + 1).items()}
        return by_name(gan, gan.generate(n, seed, **given))

    def draws_noise(self, gan):
        """Whether what is generated depends on a seed."""
        return any(field.is_noise for field in gan.input_fields.values())

    def rebuilt(self, one, *networks, **changes):
        """The variant anew: with other networks, the first of its constructor's parameters, or other numbers."""
        names = saving.parameters(type(one))
        parts = {name: getattr(one, name) for name in names} | dict(zip(names, networks)) | changes
        return type(one)(**parts)

    def discriminator_ending_in(self, gan, *last, shape=None):
        """A network for what this variant's discriminator takes; `shape` is of the last input, the images."""
        taken = gan.discriminator.input_shape
        shapes = [part[1:] for part in taken] if isinstance(taken, list) else [taken[1:]]
        inputs = [keras.Input(part) for part in (*shapes[:-1], shapes[-1] if shape is None else shape)]
        flat = [keras.layers.Flatten()(part) for part in inputs]
        x = keras.layers.Concatenate()(flat) if len(flat) > 1 else flat[0]
        for layer in last:
            x = layer(x)
        return keras.Model(inputs if len(inputs) > 1 else inputs[0], x)

    # What the tests are made of

    def gan(self, seed=5, weights=1, compile=None, **options):
        """A compiled model; the same arguments make the same one."""
        keras.utils.set_random_seed(weights)
        gan = self.make(seed=seed, **options)
        gan.compile(**(compile or {}))
        return gan

    def batches(self, seed=2):
        return kg.data.Batches(**self.arrays(), batch_size=self.batch_size, seed=seed)

    def trained(self, epochs=1, fit=None, **options):
        gan = self.gan(**options)
        gan.fit(self.batches(), epochs=epochs, verbose=0, **(fit or {}))
        return gan

    # Trained once for each variant: tests that take these leave them as they are.

    @pytest.fixture(scope="class")
    @classmethod
    def plain(cls):
        """A `Run` of two epochs with two discriminator steps. `again` trains its model anew, so tests read the rest.

        On TensorFlow an epoch is one execution.
        """
        test = cls()
        compile = {"steps_per_execution": test.batches_per_epoch} if BACKEND == "tensorflow" else None
        return Run(test.gan(discriminator_steps=2, compile=compile), test.batches())

    @pytest.fixture(scope="class")
    @classmethod
    def whole(cls, tmp_path_factory):
        """The `Run` of `plain`, a step at a time, with a moving average, validated, sampled and saved after each epoch.

        `path(epoch)` is the file.
        """
        test, folder = cls(), tmp_path_factory.mktemp("whole")
        gan = test.gan(ema_decay=0.9, discriminator_steps=2)

        def each_epoch(epoch):
            test.generate(gan, 2)
            gan.save(folder / f"{epoch}.keras")

        run = Run(gan, test.batches(), each_epoch=each_epoch, validation_data=test.validation_data())
        run.path = lambda epoch: folder / f"{epoch}.keras"
        return run

    @pytest.fixture(scope="class")
    @classmethod
    def one(cls, whole):
        """A model after two epochs, with a moving average."""
        return whole.gan

    @pytest.fixture(scope="class")
    @classmethod
    def eager(cls):
        """A `Run` of one eager epoch like that of `plain`, with an average of a decay that is reached at t = 1."""
        test, path = cls(), []
        gan = test.gan(ema_decay=0.15, discriminator_steps=2, compile={"run_eagerly": True})
        averaged = [w for network in gan.networks(*gan.averaged) for w in network.trainable_variables]
        path.append(values(averaged))
        player = next(iter(gan.players))
        gan.after_step[player]["record"] = lambda: path.append(values(averaged))
        run = Run(gan, test.batches(), epochs=1)
        run.path = path
        return run

    @pytest.fixture(scope="class")
    @classmethod
    def watched(cls):
        """Two steps, `Watched`, of three discriminator updates each and optimizers that show any gradient."""
        test, adam = cls(), keras.optimizers.Adam
        compile = {**Watched.options, "g_optimizer": adam(1e-2), "d_optimizer": adam(1e-2)}
        gan = test.gan(discriminator_steps=3, compile=compile)
        return Watched(gan, test.batches(), steps_per_epoch=2)

    @pytest.fixture(scope="class")
    @classmethod
    def watched_once(cls):
        """One step of one discriminator update, `Watched`."""
        test = cls()
        return Watched(test.gan(compile=Watched.options), test.batches(), steps_per_epoch=1)

    @pytest.fixture(scope="class")
    @classmethod
    def idle(cls):
        """A compiled model whose steps are eager, `gan`, for tests that train it by a step of their own; with a moving
        average, but else like that of `plain`. `start` is its first training state without the averages."""
        gan = cls().gan(ema_decay=0.9, discriminator_steps=2, compile={"run_eagerly": True})
        return SimpleNamespace(gan=gan, start=training_state(gan, averages=False))

    def validation_data(self):
        """A batch that is not trained on, as `validation_data`."""
        return tuple(self.arguments(self.rows()).values())

    # Building and training

    def test_builds_networks_that_fit(self, one):
        made = by_name(one, one.compute_outputs(self.inputs(one, 4)))
        for name, field in one.output_fields.items():
            decoded = ops.convert_to_numpy(field.decode(made[name]))
            assert decoded.dtype == field.dtype and len(decoded) == 4
            assert all(size in (None, got) for size, got in zip(field.shape, decoded.shape[1:], strict=True))
        logits, count = self.scored(one, made)
        assert tuple(logits.shape) == (count, self.logits)
        ids = [{id(v) for v in one.player_variables(player)} for player in one.players]
        assert all(ids) and not ids[0] & ids[1]
        assert sum(map(len, ids)) == len(one.trainable_variables)

    def test_logs_are_named_and_finite(self, plain):
        assert set(plain.history) == set(plain.gan.log_names) >= {"d_loss", "g_loss"}
        assert all(len(logs) == 2 and np.isfinite(logs).all() for logs in plain.history.values())
        assert plain.steps == [self.batches_per_epoch, 2 * self.batches_per_epoch]

    @once_elsewhere
    def test_one_update_of_each_player_follows_the_schedule(self, watched_once):
        self._check_moves(watched_once, 1, steps=1)

    def test_updates_follow_the_schedule_and_move_their_own_player(self, watched):
        self._check_moves(watched, 3, steps=2)

    def _check_moves(self, watched, discriminator_steps, steps):
        assert [player for player, _ in watched.moves] == steps * self.schedule(discriminator_steps)
        assert all(moved == {player} for player, moved in watched.moves)
        assert watched.batches == steps  # what a step sees of its data is what `encode_batch` gives

    @once_elsewhere
    def test_each_discriminator_step_sees_fresh_images_and_fresh_noise(self, watched):
        def images_in(judged):
            return np.array(ops.convert_to_numpy(self.first_field_in(judged)))

        second = list(watched.gan.players)[1]
        seen = [tuple(map(images_in, inputs[:2])) for player, inputs in watched.inputs if player == second]
        batches, first = self.batches(), self.first_field()
        expected = ops.convert_to_numpy(self.seen(np.concatenate([batches.at(step)[first] for step in range(2)])))
        dealt = np.concatenate([real for real, _ in seen])
        np.testing.assert_allclose(np.sort(dealt, axis=0), np.sort(expected, axis=0), rtol=0, atol=self.rounding)
        fakes = np.concatenate([fake for _, fake in seen])
        assert len(np.unique(fakes.reshape(len(fakes), -1), axis=0)) == 2 * self.batch_size

    def test_every_trainable_weight_gets_a_gradient(self, watched):
        variables = watched.gan.trainable_variables
        still = [v.path for v, a, b in zip(variables, watched.before, values(variables)) if equal([a], [b])]
        assert still == []

    def test_the_seed_names_the_run(self, plain, idle):
        """The same seed begins with the same state and goes on the same way; another seed goes another way."""
        assert equal(idle.start, plain.start)
        assert equal(training_state(plain.again(self.batches())), plain.states[0])
        other = self.rebuilt(plain.gan, seed=6)
        plain.again(self.batches(), seeds=ops.convert_to_numpy(other.latent_seeds.state))
        assert not equal(values(plain.gan.weights), plain.weights[0])

    def test_a_generator_alone_samples_and_does_not_compile(self, one):
        names = [name for names in one.players.values() for name in names]
        alone = self.rebuilt(one, **{name: None for name in names if name not in one.kept})
        made = self.generate(alone, 2, seed=0)
        assert list(made) == list(one.output_fields) and all(len(array) == 2 for array in made.values())
        with pytest.raises(ConfigurationError, match="only .*, which samples"):
            alone.compile()

    # Ways to run a step

    @once_elsewhere
    def test_an_eager_run_is_close_to_a_compiled_one(self, plain, eager):
        count = len(plain.gan.weights)  # the first of a state; moments, which may be large, follow
        assert largest_difference(plain.bare[0][:count], eager.bare[0][:count]) < 1e-5

    @needs_tensorflow
    def test_several_steps_an_execution_change_nothing(self, whole, plain):
        assert (whole.gan.steps_per_execution, plain.gan.steps_per_execution) == (1, self.batches_per_epoch)
        assert plain.steps == whole.steps
        assert all(largest_difference(*states) < 1e-6 for states in zip(plain.bare, whole.bare, strict=True))

    @needs_tensorflow
    def test_xla_trains_finitely_and_advances_the_seeds_alike(self, watched_once):
        gan = self.gan(compile={"jit_compile": True})
        gan.fit(self.batches(), steps_per_epoch=1, verbose=0)
        assert equal(values([gan.latent_seeds.state]), values([watched_once.gan.latent_seeds.state]))
        gan.fit(self.batches(), verbose=0)
        assert all(np.isfinite(array).all() for array in training_state(gan))

    @once_elsewhere
    @pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
    def test_mixed_precision_trains_finitely(self, policy, tmp_path):
        if policy == "mixed_float16" and BACKEND != "tensorflow":
            pytest.skip("float16 without a GPU is tested on TensorFlow")
        keras.config.set_dtype_policy(policy)
        adam = keras.optimizers.Adam  # shows a gradient of any size
        compile = {"g_optimizer": adam(1e-2), "d_optimizer": adam(1e-2)}
        if BACKEND == "tensorflow" and policy == "mixed_bfloat16":  # float16 has a step compiled already
            compile["run_eagerly"] = True
        gan = self.gan(ema_decay=0.9, compile=compile)
        before = values(gan.trainable_variables)
        history = gan.fit(self.batches(), verbose=0).history
        assert all(np.isfinite(history[name]).all() for name in gan.log_names)
        assert not any(equal([a], [b]) for a, b in zip(before, values(gan.trainable_variables)))
        assert all(variable.dtype == "float32" for variable in gan.trainable_variables)
        made = gan.compute_outputs(self.inputs(gan, 2))
        made = made if isinstance(made, dict) else {next(iter(gan.output_fields)): made}
        assert {ops.dtype(tensor) for tensor in (*made.values(), self.scored(gan, made)[0])} == {"float32"}
        generated = self.generate(gan, 3, seed=1)
        assert all(array.dtype == gan.output_fields[name].dtype for name, array in generated.items())
        scaled = [isinstance(o, keras.optimizers.LossScaleOptimizer) for o in (gan.g_optimizer, gan.d_optimizer)]
        assert scaled == [policy == "mixed_float16"] * 2
        # The policy is the model's: it is loaded, and compiled anew, as it was.
        gan.save(tmp_path / "mixed.keras")
        keras.config.set_dtype_policy("float32")
        loaded = keras.saving.load_model(tmp_path / "mixed.keras")
        assert loaded.dtype_policy.name == policy
        assert same(self.generate(loaded, 3, seed=1), generated)
        loaded.compile()
        assert isinstance(loaded.g_optimizer, keras.optimizers.LossScaleOptimizer) == (policy == "mixed_float16")

    # The moving average

    @once_elsewhere
    def test_the_moving_average_follows_its_formula(self, eager):
        """a_t = r_t a_(t-1) + (1 - r_t) w_t with r_t = min(decay, (1 + t) / (10 + t)), recomputed in NumPy."""
        start, *path = eager.path
        averages = [array.astype("float64") for array in start]
        assert len(path) == self.batches_per_epoch
        for step, weights in enumerate(path):
            rate = min(0.15, (1 + step) / (10 + step))
            averages = [rate * average + (1 - rate) * weight for average, weight in zip(averages, weights)]
        assert largest_difference(averages, values(eager.gan.ema.weights)) < 1e-6

    @once_elsewhere
    def test_averaging_validating_generating_and_saving_change_no_training(self, whole, plain):
        if BACKEND == "jax":  # which compiles the two steps as wholes, and may round one otherwise; not so op by op
            options = {"discriminator_steps": 2, "compile": {"run_eagerly": True}}
            whole, plain = (Run(self.gan(**more, **options), self.batches(), 1) for more in ({"ema_decay": 0.9}, {}))
        assert all(equal(*states) for states in zip(whole.bare, plain.bare, strict=True))

    def test_validation_is_logged(self, whole):
        assert set(whole.history) >= {"val_d_loss", "val_g_loss"}
        assert all(np.isfinite(logs).all() for logs in whole.history.values())

    def test_the_moving_average_samples(self, one):
        """What is generated is what the networks make with the averages in the place of their weights."""
        inputs, averaged = self.inputs(one, 3), self.generate(one, 3, seed=0)
        with one.averages_in_use():
            made = by_name(one, one.compute_outputs(inputs))
        for name, field in one.output_fields.items():
            decoded = ops.convert_to_numpy(field.decode(made[name]))
            assert largest_difference([decoded], [averaged[name]]) <= 1  # a grey level, by rounding
        shown = next(iter(made.values()))
        assert not np.array_equal(shown, next(iter(by_name(one, one.compute_outputs(inputs)).values())))

    @once_elsewhere
    def test_generate_follows_training(self):
        averaging = self.gan(ema_decay=0.9)
        gan = self.rebuilt(averaging, ema_decay=None)  # of the same networks
        before = self.generate(averaging, 2, seed=0)
        assert same(self.generate(gan, 2, seed=0), before)
        averaging.step.assign(1)  # before training the averages are the weights
        for network in gan.networks(*gan.averaged):
            for weight in network.trainable_variables:
                weight.assign(weight + 0.1)
        assert not same(self.generate(gan, 2, seed=0), before)
        assert same(self.generate(averaging, 2, seed=0), before)

    # Data

    @pytest.mark.parametrize(
        "kind",
        ["arguments", "dtypes", "list", "dict", "singular", "ignored", "pydataset", "tuples", "dicts", "generator"],
    )
    def test_fit_takes_data_in_many_packings(self, kind, idle):
        self._check_packing(kind, idle.gan)

    @needs_tensorflow
    @pytest.mark.parametrize("kind", ["tf values", "tf tuples", "tf dicts"])
    def test_fit_takes_tensorflow_datasets(self, kind, idle):
        self._check_packing(kind, idle.gan)

    def _check_packing(self, kind, gan):
        """What the steps see of the data, which is all that they depend on, is the same for each packing."""
        arrays = {name: array[: self.batches_per_epoch * self.batch_size] for name, array in self.arrays().items()}
        seen, step = [], int(gan.step)

        def train_step(model, data):
            seen.append({name: ops.convert_to_numpy(tensor) for name, tensor in model.encode_batch(data).items()})
            return model.log(**dict.fromkeys(model.log_names, 0.0))

        data, options = self.packings(arrays)[kind]()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(gan), "train_step", train_step)
            gan.train_function = None
            gan.fit(**data, verbose=0, **options)
        gan.train_function = None
        assert len(seen) == self.batches_per_epoch == int(gan.step) - step
        for i, batch in enumerate(seen):
            rows = slice(i * self.batch_size, (i + 1) * self.batch_size)
            expected = self.encoded(gan, {name: array[rows] for name, array in arrays.items()})
            assert list(batch) == list(expected)
            for name, tensor in expected.items():
                np.testing.assert_allclose(batch[name], ops.convert_to_numpy(tensor), rtol=0, atol=self.rounding)

    def packings(self, arrays):
        """What `fit` takes of the same examples, in order: {kind: function that returns data and options}."""
        batch_fields, size = self.fields().batch_fields, self.batch_size
        rows, count = {"shuffle": False, "batch_size": size}, len(next(iter(arrays.values())))
        others = {name: other_dtype(batch_fields[name], array) for name, array in arrays.items()}
        first, ignored = next(iter(arrays)), np.arange(count) % 3
        lists = {**arrays, first: list(arrays[first])}
        singular = {name.removesuffix("s"): array for name, array in arrays.items()}

        def values_of(batch):
            return next(iter(batch.values())) if len(batch) == 1 else tuple(batch.values())

        def tuple_of(batch):
            return (*batch.values(), ignored[: len(batch[first])])[:3]  # as many as Keras takes of a PyDataset

        def dict_of(batch):
            return {**{name.removesuffix("s"): values for name, values in batch.items()}, "id": ignored[:size]}

        def stream():
            return (values_of(batch) for batch in (Rows(arrays, size)[i] for i in range(self.batches_per_epoch)))

        def of(data, **options):
            return lambda: ({"x": data() if callable(data) else data}, options)

        return {
            "arguments": lambda: (self.arguments(arrays), rows),
            "dtypes": lambda: (self.arguments(others), rows),
            "list": lambda: (self.arguments(lists), rows),
            "dict": of(arrays, **rows),
            "singular": of(singular, **rows),
            "ignored": lambda: ({**self.arguments(arrays), **({"y": ignored} if len(arrays) == 1 else {})}, rows),
            "pydataset": of(lambda: Rows(others, size, values_of)),
            "tuples": of(lambda: Rows(arrays, size, tuple_of)),
            "dicts": of(lambda: Rows(arrays, size, dict_of)),
            "generator": of(stream, steps_per_epoch=self.batches_per_epoch),
            "tf values": of(lambda: _tf_dataset(values_of(others), size)),
            "tf tuples": of(lambda: _tf_dataset((*arrays.values(), ignored), size)),
            "tf dicts": of(lambda: _tf_dataset({**singular, "id": ignored}, size)),
        }

    @once_elsewhere
    def test_a_partial_last_batch_trains_finitely(self, plain):
        """One example is left for two discriminator steps: a mean over no example would be NaN."""
        gan = plain.again(Rows(self.rows(self.batch_size + 1), self.batch_size, rest=True))
        assert int(gan.step) == 2
        assert all(np.isfinite(array).all() for array in training_state(gan))

    def test_evaluate_is_the_loss_in_inference_mode(self, one):
        """But the discriminator's batch norms use the batch.

        The training state has moving statistics, singular vectors and the seeds of dropout: none of them moves.
        """
        before, seed = training_state(one), one.evaluation_seeds.state
        start, rows = values([seed])[0], self.rows()
        losses = one.evaluate(**self.arguments(rows), batch_size=self.batch_size, return_dict=True, verbose=0)
        assert equal(before, training_state(one))
        assert set(losses) >= {"d_loss", "g_loss"}
        if self.draws_noise(one):
            assert not np.array_equal(start, values([seed])[0])
        seed.assign(start)
        with judged_by_batch(one):
            expected = {name: number(loss) for name, loss in one.batch_losses(**self.encoded(one, rows)).items()}
        assert losses == pytest.approx(expected, rel=1e-4)
        assert equal(before, training_state(one))

    def test_real_and_generated_examples_are_scored(self, one):
        """What the doctor and the battle of two models ask for: logits in inference mode, or None."""
        before = training_state(one)
        scores = one.batch_scores(**self.encoded(one, self.rows()))
        assert equal(before, training_state(one))
        if scores is not None:
            real, fake = map(ops.convert_to_numpy, scores)
            assert len(real) == len(fake) and np.isfinite(real).all() and np.isfinite(fake).all()

    def test_smoothed_labels_reach_the_loss(self, one):
        """Where a variant has a target for `LabelSmoothing` to lower, its discriminator's loss has it."""
        if not hasattr(one, "real_target"):
            pytest.skip("its loss has no labels to smooth")
        batch, found = self.encoded(one, self.rows()), []
        start = values([one.evaluation_seeds.state])[0]
        try:
            for target in (1.0, 1e8):  # no probability, but the logits of networks so small are all but zero
                one.real_target.assign(target)
                one.evaluation_seeds.state.assign(start)
                found.append(number(one.batch_losses(**batch)["d_loss"]))
        finally:
            one.real_target.assign(1.0)
        assert found[0] != found[1]

    # Sampling

    def test_generate_makes_outputs(self, one):
        made = self.generate(one, 9, seed=1)
        assert list(made) == list(one.output_fields)
        predicted = by_name(one, one.predict(self.inputs(one, 9, seed=1), verbose=0))
        for name, field in one.output_fields.items():
            assert len(made[name]) == 9 and made[name].dtype == field.dtype
            assert len(np.unique(made[name].reshape(9, -1), axis=0)) == 9
            decoded = ops.convert_to_numpy(field.decode(predicted[name]))
            assert largest_difference([decoded], [made[name].astype("int32")]) <= 1  # a grey level, by rounding
        assert all(len(array) == 1 for array in self.generate(one, 1, seed=0).values())

    def test_sample_is_generate_for_all_inputs(self, one):
        inputs = sampling.complete_inputs(one, 3, 1, self.given(one, 3))
        assert list(inputs) == list(one.input_fields)
        assert same(by_name(one, one.sample(**inputs)), self.generate(one, 3, seed=1))

    def test_a_seed_names_its_outputs(self, one):
        made = self.generate(one, 9, seed=1)
        assert same(self.generate(one, 9, seed=1), made)
        assert same(self.generate(one, 4, seed=1), {name: array[:4] for name, array in made.items()})
        assert same(self.generate(one, 1, seed=-(2**63)), self.generate(one, seed=[-(2**63)]))
        if self.draws_noise(one):
            assert not same(self.generate(one, 9, seed=2), made)
            assert not same(self.generate(one, 2), self.generate(one, 2))

    def test_a_list_of_seeds_names_each_output_in_any_batch(self, one):
        made = self.generate(one, seed=[3, 1, 4, 1], rows=[0, 1, 2, 1])
        for name, array in made.items():
            np.testing.assert_array_equal(array[1], array[3])
            for i, seed in enumerate([3, 1, 4]):
                np.testing.assert_array_equal(array[i], self.generate(one, seed=[seed], rows=[i])[name][0])
                np.testing.assert_array_equal(array[i], self.generate(one, 3, seed=seed, rows=[i, 0, 1])[name][0])
            np.testing.assert_array_equal(self.generate(one, 2, seed=np.array([3, 1]))[name], array[:2])

    def test_many_outputs_are_decoded_in_parts(self, one, monkeypatch):
        whole = self.generate(one, 7, seed=0)
        monkeypatch.setattr(sampling, "BATCH", 3)
        assert same(self.generate(one, 7, seed=0), whole)

    # Saving

    def test_config_is_json(self, one):
        config = json.loads(json.dumps(one.get_config()))
        rebuilt = type(one).from_config(json.loads(json.dumps(config)))
        assert json.loads(json.dumps(rebuilt.get_config())) == config
        assert json.loads(json.dumps(one.get_compile_config()))

    @pytest.mark.parametrize("compile", [True, False])
    def test_a_saved_model_is_the_same_model(self, one, whole, compile, monkeypatch):
        monkeypatch.setattr(files, "FREE_NUMBERS", 100)  # its file stores what it is made of
        loaded = read_model(whole.path(1), compile=compile)
        assert type(loaded) is type(one) and loaded.compiled == compile
        assert same(self.generate(loaded, 5, seed=2), self.generate(one, 5, seed=2))
        assert equal(values(loaded.weights), values(one.weights))
        if compile:
            assert equal(training_state(loaded), training_state(one))

    def test_a_resumed_run_equals_an_uninterrupted_one(self, whole):
        self._check_resumed(whole, validation_data=self.validation_data())

    def _check_resumed(self, whole, **fit):
        keras.utils.set_random_seed(99)  # nothing may hang on the global generators
        resumed = read_model(whole.path(0), compile=True)
        assert int(resumed.step) == whole.steps[0]
        resumed.fit(self.batches(), initial_epoch=1, epochs=2, verbose=0, **fit)
        assert int(resumed.step) == whole.steps[1]
        assert equal(training_state(resumed), whole.states[1])
        assert equal(values(resumed.variables), whole.variables[1])
        assert same(self.generate(resumed, 4, seed=0), self.generate(whole.gan, 4, seed=0))

    # What is refused

    def test_bad_values_are_refused(self, one):
        rows = self.rows()
        for name in rows:
            for kind, damaged, message in damages(one.batch_fields[name], rows[name]):
                wrong = {**rows, name: damaged}
                for use in (
                    lambda: one.fit(**self.arguments(wrong), verbose=0),
                    lambda: one.evaluate(**self.arguments(wrong), verbose=0),
                    lambda: one.fit(
                        **self.arguments(rows), validation_data=tuple(self.arguments(wrong).values()), verbose=0
                    ),
                ):
                    with pytest.raises(DataError, match=message):
                        use()
                        pytest.fail(f"{name} with damaged {kind} was taken")

    @pytest.mark.parametrize(
        "pack, options, message",
        [
            (lambda batch: {"picture": next(iter(batch.values()))}, {}, "with the keys.*Received the keys"),
            (lambda batch: batch, {"steps_per_epoch": 5}, "steps_per_epoch=5"),
            (lambda batch: {name: array[:0] for name, array in batch.items()}, {}, "empty"),
        ],
        ids=["key", "short", "empty"],
    )
    def test_bad_datasets_are_refused(self, one, pack, options, message):
        dataset = Rows(self.arrays(), self.batch_size, pack)
        with pytest.raises(DataError, match=message):
            one.fit(dataset, verbose=0, **options)

    def test_data_without_what_the_model_needs_is_refused(self, one):
        needed = [name for name in one.batch_fields if name not in one.optional_fields]
        for name in needed[1:]:
            rows = self.rows()
            del rows[name]
            for data in (rows, Rows(rows, self.batch_size), kg.data.Batches(**rows, batch_size=self.batch_size)):
                for use in (one.fit, one.evaluate):
                    with pytest.raises(DataError, match=f"Expected {name} in each batch"):
                        use(data, verbose=0)

    def test_arrays_of_different_lengths_are_refused(self, one):
        if len(one.batch_fields) > 1:
            rows = self.rows()
            last = list(rows)[-1]
            with pytest.raises(DataError, match=f"{self.batch_size} {next(iter(rows))} .*and {self.batch_size - 2}"):
                one.fit(**self.arguments({**rows, last: rows[last][2:]}), verbose=0)

    def test_data_without_batches_is_refused(self, one):
        for data in (Rows(self.rows(4), self.batch_size), iter(()), (x for x in ())):
            with pytest.raises(DataError, match="at least one batch"):
                one.fit(data, verbose=0)

    def test_arrays_packed_as_one_tuple_are_refused(self, one):
        images = next(iter(self.rows().values()))
        with pytest.raises(DataError, match="a tuple of arrays"):
            one.fit((images, np.arange(len(images))), verbose=0)

    def test_batches_smaller_than_the_discriminator_steps_are_refused(self, one):
        few = one.smallest_batch // one.packing - 1  # packs of one discriminator update less
        dataset = Rows(self.arrays(), few * one.packing)
        with pytest.raises(DataError, match="discriminator_steps"):
            one.fit(dataset, verbose=0)

    def test_weights_of_classes_and_samples_are_refused(self, one):
        rows = self.rows()
        for name, weights in (("class_weight", {0: 2.0}), ("sample_weight", np.ones(self.batch_size))):
            with pytest.raises(ConfigurationError, match=name):
                one.fit(**self.arguments(rows), verbose=0, **{name: weights})

    def test_training_needs_a_compiled_model_with_two_optimizers(self):
        gan = self.make()
        with pytest.raises(ConfigurationError, match="compile"):
            gan.fit(**self.arguments(self.rows()), verbose=0)
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
                self.rebuilt(one, discriminator=discriminator)
        for generator in (None, one.discriminator):
            with pytest.raises(ConfigurationError, match="generator"):
                self.rebuilt(one, generator=generator)

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
            self.rebuilt(one, **options)

    @pytest.mark.parametrize("n", [0, -1, 2.5, "3", True, None])
    def test_impossible_counts_are_refused(self, one, n):
        with pytest.raises(ConfigurationError, match="images|one value per image"):
            one.generate(n, seed=0, **self.given(one, 2))

    @pytest.mark.parametrize("seed", [1.5, "a", True, 2**63, -(2**63) - 1, [1, 2.5], [[1], [2]], []], ids=str)
    def test_impossible_seeds_are_refused(self, one, seed):
        if not self.draws_noise(one):
            pytest.skip("it has no use for a seed")
        with pytest.raises(ConfigurationError, match="seed"):
            one.generate(2, seed=seed, **self.given(one, 2))

    def test_more_or_fewer_seeds_than_outputs_are_refused(self, one):
        if not self.draws_noise(one):
            pytest.skip("it has no use for a seed")
        with pytest.raises(ConfigurationError, match="one seed per image"):
            one.generate(3, seed=[1, 2], **self.given(one, 3))

    def test_noise_that_does_not_fit_is_refused(self, one):
        if "noise" not in one.input_fields:
            pytest.skip("it takes no noise")
        for shape in ((2, one.latent_dim + 1), (one.latent_dim,), (0, one.latent_dim)):
            with pytest.raises(ConfigurationError, match="noise"):
                one.generate(noise=np.zeros(shape))
        with pytest.raises(ConfigurationError, match="n=3"):
            one.generate(3, noise=np.zeros((2, one.latent_dim)))
        with pytest.raises(ConfigurationError, match="1 NaN"):
            one.generate(noise=np.full((1, one.latent_dim), [np.nan, *[0.0] * (one.latent_dim - 1)]))

    def test_inputs_that_it_does_not_take_are_refused(self, one):
        with pytest.raises(ConfigurationError, match="takes no others. Received: strength"):
            one.generate(1, seed=0, strength=[1.0])
