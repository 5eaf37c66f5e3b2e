"""What the TensorFlow engine promises beyond the others: compiled noise, and replicas that share a batch."""

import forked
import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("the TensorFlow engine", allow_module_level=True)

import tensorflow as tf  # noqa: E402
from contract import Rows, equal, training_state  # noqa: E402

import keras_gans as kg  # noqa: E402
from keras_gans import engine  # noqa: E402


@pytest.mark.parametrize("jit_compile", [False, True])
def test_noise_is_the_same_compiled_or_not(jit_compile):
    eager, compiled = keras.random.SeedGenerator(3), keras.random.SeedGenerator(3)
    draw = tf.function(lambda: engine.normal((5, 7), compiled), jit_compile=jit_compile)
    for _ in range(3):
        np.testing.assert_allclose(draw().numpy(), engine.normal((5, 7), eager).numpy(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_seeded_noise_is_the_same_compiled_or_not(jit_compile):
    seeds = tf.constant([0, 7, -1], "int64")
    draw = tf.function(lambda seeds: engine.seeded_normal(seeds, 6), jit_compile=jit_compile)
    np.testing.assert_allclose(draw(seeds).numpy(), engine.seeded_normal(seeds, 6).numpy(), rtol=0, atol=2e-6)


def test_one_trace_serves_every_batch_size():
    traces = []

    def fn(inputs):
        traces.append(inputs["x"].shape)
        return {"double": 2.0 * inputs["x"]}

    compiled = engine.function(fn)
    for count in (1, 4, 9):
        compiled({"x": np.ones((count, 3))})
    assert len(traces) == 1
    compiled({"x": np.ones((1, 4))})
    assert len(traces) == 2


TWO_REPLICAS = """
import keras, numpy as np, tensorflow as tf
from keras import layers
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras_gans as kg
from keras_gans import engine

images = np.random.default_rng(0).integers(0, 256, (32, 4, 4, 1)).astype("uint8")

def train(strategy):
    with strategy.scope():
        keras.utils.set_random_seed(0)
        generator = keras.Sequential([keras.Input((3,)), layers.Dense(16, "tanh"), layers.Reshape((4, 4, 1))])
        scores = [layers.Flatten(), layers.Dense(8, "tanh"), layers.Dense(1)]
        discriminator = keras.Sequential([keras.Input((4, 4, 1)), *scores])
        gan = kg.DCGAN(generator, discriminator, seed=1, ema_decay=0.9)
        gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    history = gan.fit(kg.data.Batches(images, batch_size=8, seed=0), epochs=2, verbose=0).history
    return [w.numpy() for w in gan.weights], history, gan

one, one_log, _ = train(tf.distribute.get_strategy())
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
two, two_log, gan = train(strategy)
print("weights", max(np.abs(a - b).max() for a, b in zip(one, two)))
print("losses", max(abs(a - b) for name in one_log for a, b in zip(one_log[name], two_log[name])))

with strategy.scope():
    shared = keras.random.SeedGenerator(5)
whole = engine.normal((6, 2), keras.random.SeedGenerator(5)).numpy()
parts = strategy.run(lambda: engine.normal((3, 2), shared)).values
print("noise", np.abs(np.concatenate([part.numpy() for part in parts]) - whole).max())
"""


def test_two_replicas_train_as_one():
    """They share a batch and its noise, and sum their gradients: the weights are those of one device."""
    done = forked.run("-c", TWO_REPLICAS)
    assert done.returncode == 0, done.stderr[-3000:]
    differences = dict(line.split() for line in done.stdout.strip().splitlines()[-3:])
    assert set(differences) == {"weights", "losses", "noise"}
    assert all(float(difference) < 1e-6 for difference in differences.values()), differences


# How data are read


def numbered(count):
    """Images (N, 4, 4, 1) that hold their own number."""
    return np.broadcast_to(np.arange(count, dtype="uint8")[:, None, None, None], (count, 4, 4, 1)).copy()


def arrays_of(batches):
    return [keras.tree.map_structure(np.asarray, batch) for batch in batches]


def assert_same(batches, expected):
    batches, expected = arrays_of(batches), arrays_of(expected)
    assert len(batches) == len(expected)
    for one, other in zip(batches, expected):
        keras.tree.assert_same_structure(one, other)
        for a, b in zip(keras.tree.flatten(one), keras.tree.flatten(other)):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


X, Y = numbered(10), np.arange(10) % 3
DATA = kg.data.Batches(X, Y, batch_size=4, seed=1)
PAIRS = kg.data.CroppedDomains(a=X, b=X[:7, :, :, :1], crop=(2, 2), flip=True, batch_size=3)


@pytest.mark.parametrize(
    "given, expected",
    [
        ((DATA,), [DATA.at(i) for i in range(2)]),
        ((PAIRS,), [PAIRS.at(i) for i in range(3)]),
        ((DATA.following(lambda: 0, 3),), [DATA.at(i) for i in range(3)]),
        (
            (DATA.following(lambda: 0, pick=lambda b: (b["images"], b["labels"])),),
            [(*DATA.at(i).values(),) for i in (0, 1)],
        ),
        ((X, None, {"batch_size": 4}), [X[:4], X[4:8], X[8:]]),
        ((tf.constant(X), None, {"batch_size": 4}), [X[:4], X[4:8], X[8:]]),
        ((numbered(40),), [numbered(40)[:32], numbered(40)[32:]]),
        ((X, Y, {"batch_size": 6}), [(X[:6], Y[:6]), (X[6:], Y[6:])]),
        ((X, Y.tolist(), {"batch_size": 6}), [(X[:6], Y[:6]), (X[6:], Y[6:])]),
        (
            ({"images": X, "labels": Y}, None, {"batch_size": 6}),
            [{"images": X[i], "labels": Y[i]} for i in (slice(6), slice(6, 10))],
        ),
        ((tf.data.Dataset.from_tensor_slices(X).batch(4),), [X[:4], X[4:8], X[8:]]),
    ],
    ids=["batches", "domains", "following", "picked", "array", "tensor", "default", "two", "list", "dict", "dataset"],
)
def test_data_are_read_as_they_are_and_without_tuning(given, expected):
    data, second, _ = engine.readable(*given)
    assert isinstance(data, tf.data.Dataset) and second is None
    assert data.options().autotune.enabled is False and int(data.cardinality()) == len(expected)
    for _ in range(2):
        assert_same(data, expected)


def test_other_data_are_left_alone():
    """A user's own `PyDataset`, which may count its epochs; generators; and arrays that Keras divides itself."""
    for data in (Rows({"images": X}, 4), (batch for batch in [X]), [X, X]):
        options = {"epochs": 2, "shuffle": False}
        found = engine.readable(data, None, options)
        assert found[0] is data and found[1] is None and found[2] == options
    options = {"validation_split": 0.2, "batch_size": 4, "shuffle": True}
    found = engine.readable(X, Y, options)
    assert found[0] is X and found[1] is Y and found[2] == options


def test_the_options_of_a_users_data_set_stay():
    options = tf.data.Options()
    options.deterministic, options.threading.private_threadpool_size = False, 3
    found = engine.readable(tf.data.Dataset.range(3).with_options(options))[0].options()
    assert found.deterministic is False and found.threading.private_threadpool_size == 3
    assert found.autotune.enabled is False


def test_what_is_applied_to_arrays_is_not_asked_of_keras_again():
    given = {"batch_size": 4, "shuffle": True, "epochs": 3}
    data, _, options = engine.readable(X, None, given)
    assert options == {"shuffle": False, "epochs": 3} and given == {"batch_size": 4, "shuffle": True, "epochs": 3}
    assert int(data.cardinality()) == 3
    assert engine.readable(X, None, {"verbose": 0})[2] == {"verbose": 0}  # of `evaluate`, which does not shuffle
    assert engine.readable(DATA, None, {"shuffle": False, "epochs": 3})[2] == {"shuffle": False, "epochs": 3}


def watched(steps, width, **compiled):
    """A GAN that learns nothing, and a variable with the numbers in the images of each of its steps; -1: none."""
    latents, images = keras.Input((2,)), keras.Input((4, 4, 1))
    made = keras.layers.Reshape((4, 4, 1))(keras.layers.Dense(16, "tanh")(latents))
    judged = keras.layers.Dense(1)(keras.layers.Flatten()(images))
    gan = kg.GAN(keras.Model(latents, made), keras.Model(images, judged), seed=0)
    gan.compile(**compiled)
    seen = tf.Variable(-np.ones((steps, width), "int32"))

    def train_step(data):
        pixels = tf.round((gan.encode_batch(data)["images"][:, 0, 0, 0] + 1.0) * 127.5)
        row = tf.pad(tf.cast(pixels, "int32"), [[0, width - tf.shape(pixels)[0]]], constant_values=-1)
        seen.scatter_nd_update(tf.reshape(gan.step.value, (1, 1)), row[None])
        return gan.log(**dict.fromkeys(gan.log_names, 0.0))

    gan.train_step = train_step
    return gan, seen


def shown_at(batches, step):
    return batches.at(step)["images"][:, 0, 0, 0].tolist()


@pytest.mark.parametrize("steps_per_execution", [1, 2, 5])
@pytest.mark.parametrize("run_eagerly", [False, True])
def test_each_step_reads_its_own_batch_in_every_epoch(steps_per_execution, run_eagerly):
    """Five batches an epoch: with two steps an execution, the last of an epoch has one."""
    batches = kg.data.Batches(numbered(23), batch_size=4, seed=2)
    gan, seen = watched(15, 4, steps_per_execution=steps_per_execution, run_eagerly=run_eagerly)
    gan.fit(batches, epochs=2, verbose=0)
    gan.fit(batches, epochs=1, verbose=0)  # another training goes on
    assert int(gan.step) == 15
    assert seen.numpy().tolist() == [shown_at(batches, step) for step in range(15)]


@pytest.mark.parametrize("count", [2, 7])
def test_epochs_of_another_length_go_on_with_the_next_batch(count):
    batches = kg.data.Batches(numbered(23), batch_size=4, seed=2)
    gan, seen = watched(3 * count, 4)
    gan.fit(batches, steps_per_epoch=count, epochs=3, verbose=0)
    assert seen.numpy().tolist() == [shown_at(batches, step) for step in range(3 * count)]


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_the_rest_of_an_epoch_that_was_begun_comes_first(steps_per_execution):
    batches = kg.data.Batches(numbered(23), batch_size=4, seed=2)
    gan, seen = watched(15, 4, steps_per_execution=steps_per_execution)
    gan.fit(batches, steps_per_epoch=2, verbose=0)
    gan.fit(batches, initial_epoch=0, epochs=3, verbose=0)
    assert int(gan.step) == 15
    assert seen.numpy().tolist() == [shown_at(batches, step) for step in range(15)]


def test_arrays_are_shuffled_anew_in_each_epoch_as_the_seed_says():
    """Each row comes once an epoch; 23 rows are five batches and a rest. A second training has other orders."""
    orders = []
    for seed in (3, 3, 4):
        gan, seen = watched(18, 4)
        keras.utils.set_random_seed(seed)
        gan.fit(numbered(23), batch_size=4, epochs=2, shuffle=True, verbose=0)
        gan.fit(numbered(23), batch_size=4, epochs=1, verbose=0)
        epochs = [[n for n in epoch if n >= 0] for epoch in seen.numpy().reshape(3, -1).tolist()]
        assert all(sorted(epoch) == list(range(23)) and epoch != list(range(23)) for epoch in epochs)
        assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
        orders.append(epochs)
    assert orders[0] == orders[1] != orders[2]


def test_arrays_that_are_not_to_be_shuffled_keep_their_order():
    gan, seen = watched(6, 8)
    gan.fit(numbered(23), batch_size=8, epochs=2, shuffle=False, verbose=0)
    assert [n for n in seen.numpy().ravel().tolist() if n >= 0] == [*range(23), *range(23)]


def test_validation_batches_are_as_large_as_those_of_training():
    """As Keras says, unless validation_batch_size says otherwise."""
    for options, expected in (({}, [4, 4, 2]), ({"validation_batch_size": 5}, [5, 5])):
        gan, _ = watched(2, 4, run_eagerly=True)
        sizes, test_step = [], gan.test_step

        def counted(data):
            sizes.append(len(data[0] if isinstance(data, tuple) else data))
            return test_step(data)

        gan.test_step = counted
        gan.fit(numbered(8), batch_size=4, validation_data=(numbered(10), None), verbose=0, **options)
        assert sizes == expected


def conditional():
    keras.utils.set_random_seed(0)
    gan = kg.CGAN(image_shape=(8, 8, 1), latent_dim=2, label_space=kg.data.Classes(3), seed=1)
    gan.compile()
    return gan


@pytest.mark.parametrize("kind", ["batches", "arrays", "floats", "dict", "dataset"])
def test_what_is_learned_and_measured_is_what_keras_reads_itself(kind, monkeypatch):
    """Bit for bit, beside the data that Keras would read by its own adapters."""
    images = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 1)).astype("uint8")
    given = {
        "batches": (kg.data.Batches(images, Y, batch_size=4, seed=1), None),
        "arrays": (images, Y),
        "floats": (images / 127.5 - 1.0, Y.astype("uint8")),
        "dict": ({"images": images, "labels": Y.tolist()}, None),
        "dataset": (tf.data.Dataset.from_tensor_slices((images, Y)).batch(4), None),
    }[kind]
    size = {} if kind in ("batches", "dataset") else {"batch_size": 4}
    runs = []
    for read in (engine.readable, lambda x, y=None, options=None: (x, y, options or {})):
        monkeypatch.setattr(engine, "readable", read)
        gan = conditional()
        history = gan.fit(*given, epochs=2, shuffle=False, verbose=0, **size).history
        losses = gan.evaluate(*given, verbose=0, return_dict=True, **size)
        runs.append((training_state(gan), history, losses))
    (state, history, losses), (other_state, other_history, other_losses) = runs
    assert equal(state, other_state) and history == other_history and losses == other_losses


def test_gradients_do_not_pass_through_one_identity():
    """Grappler would drop the edges that keep the reads of a weight before its update."""
    weight, optimizer = keras.Variable(np.ones(2, "float32")), keras.optimizers.SGD(0.5)
    optimizer.build([weight])
    step = tf.function(lambda slope: engine.apply_gradients(optimizer, [slope], [weight]))
    graph = step.get_concrete_function(tf.TensorSpec((2,))).graph
    assert "IdentityN" not in {operation.type for operation in graph.get_operations()}
    step(tf.constant([1.0, -2.0]))
    assert weight.numpy().tolist() == [0.5, 2.0]
