"""What `fit` and `evaluate` take and in which packing, what they refuse before the first step, how epochs resume."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_gans as kg
from keras_gans.checking import check_batch_size, check_data, first_batch, length_of, named
from keras_gans.data import Batches, Classes
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import Images

SHAPE = (4, 4, 1)
FIELDS = {"images": Images(SHAPE), "labels": Classes(4)}


class Model:
    """What the checks ask a model for."""

    optional_fields, input_fields, label_space = (), {}, None

    def __init__(self, *names, smallest_batch=1, packing=1):
        self.batch_fields = {name: FIELDS[name] for name in names or ("images",)}
        self.smallest_batch, self.packing = smallest_batch, packing


def grey(count=4, value=0.5, dtype="float32"):
    return np.full((count, *SHAPE), value, dtype)


class Rows(keras.utils.PyDataset):
    """`length` batches; of none where it is 0."""

    def __init__(self, length, rows=4):
        super().__init__()
        self.length, self.rows = length, rows

    def __len__(self):
        return self.length

    @property
    def num_batches(self):
        return self.length

    def __getitem__(self, index):
        return (grey(self.rows),)


# Named batches


def test_the_names_of_every_way_to_pack_a_batch():
    images, labels, more = grey(), np.arange(4), np.ones(4)
    dicts = {"images": images, "labels": labels}, {"label": labels, "image": images, "id": more}
    for packed in (
        *dicts,
        (images, labels, more),
        [images, labels],
        ({"images": images, "labels": labels},),
        ((images, labels),),
    ):
        found = named(packed, FIELDS)
        assert list(found) == ["images", "labels"] and found["images"] is images and found["labels"] is labels
    for packed in (images, (images,), [images], {"image": images}, (images, None)):
        assert list(named(packed, FIELDS)) == ["images"]
    with pytest.raises(DataError, match=r"the keys 'images', 'labels'. Received the keys: \['id', 'photo'\]"):
        named({"photo": images, "id": labels}, FIELDS)


def test_a_plural_goes_before_its_singular():
    assert named({"image": 1, "images": 2}, FIELDS) == {"images": 2}


# Arrays


def test_an_array_is_checked_to_its_end():
    images = grey(1000)
    images[-1] = 7
    with pytest.raises(DataError, match="values from 0.5 to 7"):
        check_data(Model(), images)
    with pytest.raises(DataError, match="empty array"):
        check_data(Model(), images[:0])


def test_arrays_go_on_as_they_were_given():
    images, labels = grey(), np.arange(4)
    assert check_data(Model(), images)[0] is images
    assert check_data(Model(), images, labels)[0] is images  # labels that the model does not have are ignored
    data, shown = check_data(Model("images", "labels"), {"images": images, "labels": labels.tolist()})
    assert data["images"] is images and isinstance(data["labels"], np.ndarray)
    assert list(shown) == ["images", "labels"]
    assert isinstance(check_data(Model(), list(images))[0], np.ndarray)


def test_the_first_examples_are_kept_to_be_shown():
    _, shown = check_data(Model(), grey(100))
    np.testing.assert_array_equal(shown["images"], grey(64))


def test_as_many_values_are_needed_under_each_name():
    model = Model("images", "labels")
    for arguments in ((grey(), np.arange(3)), ({"images": grey(), "labels": np.arange(3)},)):
        with pytest.raises(DataError, match="Received: 4 images and 3 labels"):
            check_data(model, *arguments)


def test_values_of_each_field_are_needed_and_checked():
    model, images, wrong = Model("images", "labels"), grey(), np.arange(4) + 1
    for data in (images, {"image": images}, Batches(images, batch_size=4), [images]):
        with pytest.raises(DataError, match=r"Expected labels in each batch: whole.*Received: only images.*fit\("):
            check_data(model, data if not isinstance(data, list) else iter(data))
    for arguments in ((images, wrong), ({"images": images, "labels": wrong},), (Batches(images, wrong, batch_size=4),)):
        with pytest.raises(DataError, match="labels from 1 to 4"):
            check_data(model, *arguments)
    model.optional_fields = ("labels",)
    assert check_data(model, images)[0] is images
    with pytest.raises(DataError, match="labels from 1 to 4"):
        check_data(model, images, wrong)


def test_the_labels_of_batches_are_checked_to_their_end():
    labels = np.array([0, 0, 0, 7])
    with pytest.raises(DataError, match="labels from 0 to 7"):
        check_data(Model("images", "labels"), Batches(grey(), labels, batch_size=2, shuffle=False))


@pytest.mark.parametrize("packed", [(grey(), np.arange(4)), {"images": grey(), "id": 3}])
def test_arrays_packed_like_a_batch_are_an_error(packed):
    with pytest.raises(DataError, match=f"a {type(packed).__name__} of arrays"):
        check_data(Model(), packed)


@pytest.mark.parametrize("given", ["photos/", None])
def test_a_name_is_not_data(given):
    with pytest.raises(DataError, match="what kg.data.load returns"):
        check_data(Model(), given)


# Batches


def test_a_generator_is_kept_whole():
    data, _ = check_data(Model(), (grey(value=i / 10) for i in range(3)))
    assert [float(named(batch, FIELDS)["images"][0, 0, 0, 0]) for batch in data] == pytest.approx([0.0, 0.1, 0.2])


def test_an_endless_generator_is_asked_for_one_batch_only():
    asked = []

    def endless():
        while True:
            asked.append(1)
            yield (grey(),)

    data, _ = check_data(Model(), endless(), steps_per_epoch=1000, training=True)
    assert len(asked) == 1
    assert next(data)[0].shape == (4, *SHAPE)
    assert len(asked) == 1  # the one that was checked


def test_data_that_can_begin_again_is_passed_on_as_it_is():
    batches = Batches(np.zeros((8, *SHAPE), "uint8"), batch_size=4)
    assert check_data(Model(), batches)[0] is batches
    several = Rows(3)
    assert check_data(Model(), several)[0] is several


@pytest.mark.parametrize("empty", [Rows(0), (batch for batch in [])])
def test_no_batch_is_an_error(empty):
    with pytest.raises(DataError, match="at least one batch"):
        first_batch(empty)


def test_too_few_batches_for_an_epoch_are_an_error():
    with pytest.raises(DataError, match=r"steps_per_epoch=4 batches. Received: a dataset of 3.*\.repeat\(\)"):
        check_data(Model(), Rows(3), steps_per_epoch=4)
    check_data(Model(), Rows(3), steps_per_epoch=3)
    # Batches have no end: an epoch of more steps goes on with the next permutation.
    check_data(Model(), Batches(np.zeros((8, *SHAPE), "uint8"), batch_size=4), steps_per_epoch=40)


def test_a_batch_too_small_to_deal_out_is_an_error():
    with pytest.raises(DataError, match="at least 5 images per batch.*Received: 4"):
        check_data(Model(smallest_batch=5), Rows(1), training=True)
    check_data(Model(smallest_batch=4), Rows(1), training=True)
    check_data(Model(smallest_batch=5), Rows(1))  # `evaluate` has no steps to deal it out to


@pytest.mark.parametrize("size, nearest", [(1, 3), (2, 3), (4, 3), (5, 6)])
def test_a_batch_size_that_packs_do_not_divide_is_an_error(size, nearest):
    with pytest.raises(DataError, match=f"whole packs of 3. Received: {size}. Choose {nearest}:.*never be seen"):
        check_batch_size(size, 3)
    with pytest.raises(DataError, match=f"Received: {size}. Choose {nearest}"):
        check_data(Model(smallest_batch=3, packing=3), ((grey(size),) for _ in range(2)), training=True)


def test_a_batch_of_whole_packs_may_be_followed_by_a_smaller_one():
    model = Model(smallest_batch=3, packing=3)
    data, _ = check_data(model, ((grey(count),) for count in (6, 6, 4)), training=True)
    assert [len(batch[0]) for batch in data] == [6, 6, 4]
    assert check_data(model, grey(4), training=True)[0].shape == (4, *SHAPE)  # `fit` divides an array into batches


def test_lengths():
    assert length_of(Rows(3)) == 3
    assert length_of([1, 2]) == 2
    assert length_of(iter([1, 2])) is None


# Fitting


def tiny(**options):
    keras.utils.set_random_seed(0)
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(16), layers.Reshape(SHAPE)])
    discriminator = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(1)])
    gan = kg.DCGAN(generator, discriminator, seed=1, **options)
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    return gan


@pytest.mark.parametrize("steps", [0, -1, 1.5, "2"])
def test_an_epoch_of_no_steps_is_refused(steps):
    with pytest.raises(ConfigurationError, match="steps_per_epoch of 1 or more"):
        tiny().fit(Batches(grey(), batch_size=4), steps_per_epoch=steps, verbose=0)


def test_validating_on_labels_and_datasets():
    gan, images = tiny(), grey(8)
    batches = Batches(images, np.arange(8), batch_size=4)
    for validation in ((images, np.arange(8)), {"images": images}, batches, images):
        history = gan.fit(batches, validation_data=validation, verbose=0).history
        assert {"val_d_loss", "val_g_loss"} <= set(history)


def test_an_interrupted_epoch_is_ended_and_logged_whole():
    """Epochs of three batches: four steps are one epoch and a third. What is left comes first, then whole epochs."""
    images = np.random.default_rng(0).integers(0, 256, (12, *SHAPE)).astype("uint8")
    batches, whole, parted = Batches(images, batch_size=4, seed=3), tiny(), tiny()
    expected = whole.fit(batches, epochs=3, verbose=0).history
    parted.fit(batches, steps_per_epoch=4, verbose=0)
    begun = []

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            begun.append("train")

        def on_epoch_begin(self, epoch, logs=None):
            begun.append(epoch)

    history = parted.fit(batches, initial_epoch=1, epochs=3, verbose=0, callbacks=[Watch()]).history
    assert begun == ["train", 1, 2] and int(parted.step) == 9
    for one, other in zip(whole.weights, parted.weights):
        np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(weight) for weight in (one, other)))
    assert history["g_loss"][1:] == pytest.approx(expected["g_loss"][2:], rel=1e-6)


def test_small_batches_show_examples_of_several_of_them():
    images = np.arange(5, dtype="uint8")[:, None, None, None] * np.ones((1, *SHAPE), "uint8")
    labels = np.arange(5) % 4
    batches = Batches(images, labels, batch_size=2, shuffle=False)
    _, shown = check_data(Model("images", "labels"), batches)
    assert shown["images"][:, 0, 0, 0].tolist() == [0, 1, 2, 3] and shown["labels"].tolist() == [0, 1, 2, 3]


# Ranges and axes


def unit(count=32):
    return np.random.default_rng(0).random((count, *SHAPE)).astype("float32")


class Images01(Rows):
    def __getitem__(self, index):
        return (unit(self.rows),)


@pytest.mark.parametrize(
    "data",
    [
        lambda: unit(),
        lambda: ops.convert_to_tensor(unit()),
        lambda: {"images": unit()},
        lambda: Batches(unit(), batch_size=16),
        lambda: Images01(2),
        lambda: (unit(8) for _ in range(2)),
    ],
)
def test_floats_in_0_to_1_are_refused_however_they_are_packed(data):
    with pytest.raises(DataError, match=r"none of them negative.*2 \* images - 1"):
        check_data(Model(), data())


def test_channels_first_are_refused_in_streams_too():
    model = Model()
    model.batch_fields = {"images": Images((4, 4, 3))}
    for data in (np.zeros((8, 3, 4, 4), "uint8"), (np.zeros((8, 3, 4, 4), "uint8") for _ in range(2))):
        with pytest.raises(DataError, match=r"np.moveaxis\(images, 1, -1\)"):
            check_data(model, data)


def test_validation_data_have_the_same_range():
    gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=2)
    gan.compile()
    images = np.zeros((4, 8, 8, 1), "uint8")
    wrong = np.random.default_rng(0).random((4, 8, 8, 1))
    with pytest.raises(DataError, match="none of them negative"):
        gan.fit(images, batch_size=4, validation_data=(wrong,), verbose=0)
    with pytest.raises(DataError, match="none of them negative"):
        gan.evaluate(wrong, verbose=0)


def test_a_later_batch_of_a_stream_may_hold_bright_images_alone():
    """The first batch shows the range; floats without a negative number are no mistake after it."""
    rng = np.random.default_rng(0)
    dark, bright = rng.uniform(-1, 1, (16, 8, 8, 1)), rng.uniform(0.1, 1, (16, 8, 8, 1))
    gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
    gan.compile()
    gan.fit(((batch.astype("float32"),) for batch in (dark, bright)), steps_per_epoch=2, verbose=0)
    with pytest.raises(DataError, match=r"probably in \[0, 1\]|in \[-1, 1\]"):
        gan.fit(((batch.astype("float32"),) for batch in (bright, dark)), steps_per_epoch=2, verbose=0)
