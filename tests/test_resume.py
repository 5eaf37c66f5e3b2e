"""A run that is interrupted within an epoch and resumed is the uninterrupted one, or says why it is not."""

import re
import warnings

import keras
import numpy as np
import pytest

import keras_gans as kg
from keras_gans.callbacks import Checkpoint, resume
from keras_gans.checking import named
from keras_gans.data.streams import doubts, starting_at

SHAPE, COUNT, SIZE, EPOCHS = (4, 4, 1), 38, 4, 4
STEPS = -(-COUNT // SIZE)  # of an epoch: the last batch has two images
KILLED = 16  # steps that are done and saved: six of the second epoch's
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (COUNT, *SHAPE)).astype("uint8")
LABELS = RNG.integers(0, 3, COUNT)


class Rows(keras.utils.PyDataset):
    """Batches that follow from their index."""

    length = STEPS

    def __len__(self):
        return self.length

    @property
    def num_batches(self):
        return self.length

    def __getitem__(self, index):
        index %= STEPS
        return (IMAGES[index * SIZE : (index + 1) * SIZE],)


class Endless(Rows):
    length = None


class Shuffling(Rows):
    def __init__(self):
        super().__init__()
        self.order = np.random.permutation(STEPS)

    def __getitem__(self, index):
        return super().__getitem__(self.order[index])

    def on_epoch_end(self):
        np.random.shuffle(self.order)


def dataset():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(IMAGES)


def noisy(images):
    import tensorflow as tf

    return images + tf.cast(tf.random.uniform(tf.shape(images), 0, 1), "uint8")


def in_python(images):
    import tensorflow as tf

    return tf.ensure_shape(tf.numpy_function(lambda x: x, [images], "uint8"), (None, *SHAPE))


def parallel():
    import tensorflow as tf

    rows = tf.data.Dataset.range(COUNT)
    return rows.map(lambda i: tf.gather(IMAGES, i), num_parallel_calls=2, deterministic=False).batch(SIZE)


def from_generator():
    import tensorflow as tf

    made = tf.data.Dataset.from_generator(
        lambda: (IMAGES[i : i + SIZE] for i in range(0, COUNT, SIZE)),
        output_signature=tf.TensorSpec((None, *SHAPE), "uint8"),
    )
    return made


def loader(**options):
    torch = pytest.importorskip("torch")
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(IMAGES)), SIZE, **options)


def generator():
    while True:
        for i in range(0, COUNT, SIZE):
            yield (IMAGES[i : i + SIZE],)


def tensor():
    return keras.ops.convert_to_tensor(IMAGES)


ARRAYS = {"batch_size": SIZE}
EPOCH_OF_7 = {"steps_per_epoch": 7}  # which does not divide the data
EXACT = {
    "array": (lambda: {"x": IMAGES}, ARRAYS),
    "list": (lambda: {"x": list(IMAGES)}, ARRAYS),
    "array in order": (lambda: {"x": IMAGES}, {**ARRAYS, "shuffle": False}),
    "array, short epochs": (lambda: {"x": IMAGES}, {**ARRAYS, **EPOCH_OF_7}),
    "tensor": (lambda: {"x": tensor()}, ARRAYS),
    "dict": (lambda: {"x": {"image": IMAGES, "id": np.arange(COUNT)}}, ARRAYS),
    "part of an array": (lambda: {"x": np.concatenate([IMAGES, IMAGES])}, {**ARRAYS, "validation_split": 0.5}),
    "batches": (lambda: {"x": kg.data.Batches(np.concatenate([IMAGES, IMAGES[:2]]), batch_size=SIZE)}, {}),
    "tf.data": (lambda: {"x": dataset().batch(SIZE)}, {}),
    "tf.data with functions": (lambda: {"x": dataset().cache().map(lambda x: x + 1, 2).batch(SIZE).prefetch(2)}, {}),
    "tf.data in dicts": (lambda: {"x": dataset().map(lambda x: {"image": x}).batch(SIZE)}, {}),
    "tf.data, endless": (lambda: {"x": dataset().repeat().batch(SIZE)}, EPOCH_OF_7),
    "PyDataset": (lambda: {"x": Rows()}, {}),
    "PyDataset, endless": (lambda: {"x": Endless()}, EPOCH_OF_7),
    "PyDataset of two workers": (lambda: {"x": Rows(workers=2)}, {}),
    "DataLoader": (lambda: {"x": loader()}, {}),
}
INEXACT = {
    "tf.data, shuffled": (lambda: {"x": dataset().shuffle(COUNT).batch(SIZE)}, {}, "its shuffle draws another order"),
    "tf.data, seeded": (lambda: {"x": dataset().batch(SIZE).shuffle(COUNT, seed=1)}, {}, "its shuffle"),
    "tf.data, noisy": (lambda: {"x": dataset().batch(SIZE).map(noisy)}, {}, "it draws random numbers"),
    "tf.data, Python": (lambda: {"x": dataset().batch(SIZE).map(in_python)}, {}, "it runs Python code"),
    "tf.data, parallel": (lambda: {"x": parallel()}, {}, "deterministic=False"),
    "PyDataset that shuffles": (lambda: {"x": Shuffling()}, {}, "its on_epoch_begin or on_epoch_end"),
    "PyDataset, shuffled": (lambda: {"x": Rows()}, {"shuffle": True}, "shuffle=True draws another order"),
    "generator": (lambda: {"x": generator()}, {"steps_per_epoch": STEPS}, "a generator begins with its first batch"),
    "DataLoader, shuffled": (lambda: {"x": loader(shuffle=True)}, {}, "its sampler may draw another order"),
}


class Kill(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) == KILLED:
            raise KeyboardInterrupt


class Recording(kg.GAN):
    """Keeps the images of each step, and trains nothing: the order of the data is looked at."""

    def train_step(self, data):
        values = named(data, self.batch_fields)["images"]
        self.seen.append(np.array(keras.ops.convert_to_numpy(values)))
        return self.log(d_loss=0.0, g_loss=0.0)


def recording(step=0):
    gan = Recording(image_shape=SHAPE, latent_dim=2, seed=3)
    gan.compile(run_eagerly=True)
    gan.step.assign(step)
    gan.seen = []
    return gan


class Count(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.epochs, self.steps, self.trainings = [], 0, 0

    def on_train_begin(self, logs=None):
        self.trainings += 1

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append(epoch)

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1


@pytest.mark.parametrize("kind", EXACT)
def test_a_resumed_run_sees_what_the_uninterrupted_one_sees(kind):
    make, options = EXACT[kind]
    steps = options.get("steps_per_epoch", STEPS)
    whole, gan, count = recording(), recording(), Count()
    keras.utils.set_random_seed(1)
    whole.fit(**make(), epochs=EPOCHS, verbose=0, **options)
    keras.utils.set_random_seed(1)
    with pytest.raises(KeyboardInterrupt):
        gan.fit(**make(), epochs=EPOCHS, verbose=0, callbacks=[Kill()], **options)
    assert len(gan.seen) == KILLED
    gan.fit(**make(), initial_epoch=KILLED // steps, epochs=EPOCHS, verbose=0, callbacks=[count], **options)
    assert count.steps == EPOCHS * steps - KILLED and int(gan.step) == EPOCHS * steps
    assert count.epochs == [*range(KILLED // steps, EPOCHS)] and count.trainings == 1
    for one, other in zip(whole.seen, gan.seen, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", INEXACT)
def test_what_is_not_exact_is_said_and_has_the_right_number_of_steps(kind):
    make, options, doubt = INEXACT[kind]
    gan, count = recording(KILLED), Count()
    with pytest.warns(UserWarning, match=f"will not be exactly.*{re.escape(doubt)}.*kg.data.Batches") as caught:
        gan.fit(**make(), initial_epoch=1, epochs=EPOCHS, verbose=0, callbacks=[count], **options)
    (said,) = (warning for warning in caught if warning.category is UserWarning)
    assert said.filename == __file__
    assert count.steps == EPOCHS * STEPS - KILLED and int(gan.step) == EPOCHS * STEPS


@pytest.mark.parametrize("kind", ["array", "tf.data"])
def test_a_resumed_run_is_the_uninterrupted_one(kind, tmp_path):
    """Weights and logs, from a checkpoint."""
    make, options = EXACT[kind]

    def model():
        keras.utils.set_random_seed(7)
        gan = kg.GAN(image_shape=SHAPE, latent_dim=2, seed=3)
        gan.compile()
        return gan

    whole = model()
    expected = whole.fit(**make(), epochs=EPOCHS, verbose=0, **options).history
    with pytest.raises(KeyboardInterrupt):
        callbacks = [Checkpoint(tmp_path, every_steps=2), Kill()]
        model().fit(**make(), epochs=EPOCHS, verbose=0, callbacks=callbacks, **options)
    gan = resume(tmp_path)
    found = gan.fit(**make(), initial_epoch=int(gan.step) // STEPS, epochs=EPOCHS, verbose=0, **options).history
    for one, other in zip(whole.weights, gan.weights):
        np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(variable) for variable in (one, other)))
    for name, values in found.items():
        assert values == pytest.approx(expected[name][1:], rel=1e-5)


def test_a_stream_of_unknown_length_says_that_its_epoch_starts_again():
    with pytest.warns(
        UserWarning, match="length of this .* is not known, so a started epoch starts again. Pass steps_per_epoch"
    ):
        warnings.filterwarnings("ignore", "Your input ran out of data")  # which Keras says of each unknown length
        recording(KILLED).fit(from_generator(), initial_epoch=1, epochs=2, verbose=0)


def test_a_new_run_says_nothing():
    """Nor does one without initial_epoch: it begins with a whole epoch."""
    gan = recording()
    for options in ({"initial_epoch": 0}, {}, {}):
        gan.fit(dataset().shuffle(COUNT).batch(SIZE), epochs=1, verbose=0, **options)
    assert int(gan.step) == 3 * STEPS


def test_a_run_resumed_at_the_end_of_an_epoch_warns_too():
    """The next epochs' order would not be that of an uninterrupted run."""
    with pytest.warns(UserWarning, match="its shuffle draws another order"):
        recording(STEPS).fit(dataset().shuffle(COUNT).batch(SIZE), initial_epoch=1, epochs=2, verbose=0)


NUMBERED = np.arange(COUNT, dtype="uint8").reshape(-1, 1, 1, 1) * np.ones((1, *SHAPE), "uint8")


def visited(gan, **options):
    """The numbers of the rows that a training visits, epoch by epoch."""
    gan.seen = []
    gan.fit(NUMBERED, batch_size=16, verbose=0, **options)
    rows = np.concatenate(gan.seen)[:, 0, 0, 0].tolist()
    return [rows[i : i + COUNT] for i in range(0, len(rows), COUNT)]


def test_arrays_are_visited_whole_in_an_order_that_the_seed_determines():
    found = []
    for seed in (1, 1, 2):
        gan = recording(5)  # no matter how many steps there were before
        keras.utils.set_random_seed(seed)
        found.append(visited(gan, epochs=2) + visited(gan))
        assert all(sorted(epoch) == [*range(COUNT)] for epoch in found[-1])
        assert len({tuple(epoch) for epoch in found[-1]}) == 3
        assert visited(gan, shuffle=False, epochs=2) == 2 * [[*range(COUNT)]]
    assert found[0] == found[1] != found[2]


def test_epochs_that_follow_continue_the_order_and_others_begin_a_new_one():
    """With initial_epoch a training goes on with the last one, as if it had not ended; else its order is its own."""
    keras.utils.set_random_seed(1)
    whole = visited(recording(), epochs=3)
    keras.utils.set_random_seed(1)
    gan = recording(7)
    assert visited(gan, epochs=1) + visited(gan, initial_epoch=1, epochs=3) == whole
    assert visited(gan, initial_epoch=0, epochs=3) != whole  # these three epochs were there already


@pytest.mark.parametrize("start, endless", [(0, False), (3, False), (3, True), (25, True)])
@pytest.mark.parametrize("kind", ["tf.data", "PyDataset", "DataLoader"])
def test_a_stream_starts_at_any_batch(kind, start, endless):
    later = starting_at(EXACT[kind][0]()["x"], start, endless)
    found = (
        [later[i] for i in range(STEPS - 3)] if kind == "PyDataset" else [x for x, _ in zip(later, range(STEPS - 3))]
    )
    for i, batch in enumerate(found):
        batch = batch[0] if isinstance(batch, (tuple, list)) else batch
        np.testing.assert_array_equal(np.asarray(batch), Rows()[start + i][0])


def test_stateless_random_numbers_are_no_doubt():
    import tensorflow as tf

    seeded = dataset().map(lambda x: x + tf.cast(tf.random.stateless_uniform((), (1, 2)), "uint8")).batch(SIZE)
    assert doubts(seeded) is None
    assert doubts(tf.data.Dataset.zip(seeded, dataset().shuffle(3))) == "its shuffle draws another order"
    inner = tf.data.Dataset.range(3).flat_map(lambda i: tf.data.Dataset.range(9).shuffle(3))
    assert doubts(inner) is not None
    assert doubts([1, 2]) == "nothing is known of its order"
