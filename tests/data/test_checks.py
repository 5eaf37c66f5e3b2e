"""What `fit` refuses before the first step, and that what it looks at is not lost."""

import keras
import numpy as np
import pytest

from keras_gans.data import Batches, Classes
from keras_gans.data.checks import (
    check_batch_size,
    check_dataset,
    check_images,
    first_batch,
    images_of,
    labels_of,
    length_of,
)
from keras_gans.errors import DataError

SHAPE = (4, 4, 1)


def grey(count=4, value=0.5, dtype="float32"):
    return np.full((count, *SHAPE), value, dtype)


def holed(value):
    images = grey()
    images[1, 2, 3, 0] = value
    return images


@pytest.mark.parametrize(("value", "dtype"), [(0.5, "float32"), (-1, "float16"), (1.0005, "float64"), (255, "uint8")])
def test_good_images_pass(value, dtype):
    assert check_images(grey(value=value, dtype=dtype), SHAPE) is None


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((4, 5, 4, 1), "uint8"), r"shape \(N, 4, 4, 1\). Received: \(4, 5, 4, 1\).*image_shape=\(5, 4, 1\)"),
        (np.zeros((4, 4, 4, 3), "uint8"), r"Received: \(4, 4, 4, 3\)"),
        (np.zeros((4, 4, 4), "uint8"), r"Received: \(4, 4, 4\)"),
        (np.zeros((4, 4, 1), "uint8"), r"Received: \(4, 4, 1\)"),
        (grey(0), "at least one image in a batch"),
        (holed(np.nan), "finite values. Received: 1 NaN or infinite"),
        (holed(-np.inf), "finite values. Received: 1 NaN or infinite"),
        (grey(value=1.01), r"floats in \[-1, 1\]. Received: values from 1.01 to 1.01"),
        (holed(255.0), r"Received: values from 0.5 to 255.*x / 127.5 - 1"),
        (holed(-1.01), "Received: values from -1.01 to 0.5"),
        (grey(dtype="int64", value=9), r"Received: dtype int64.*astype\(\"uint8\"\)"),
        (grey(dtype="bool"), "Received: dtype bool"),
    ],
)
def test_bad_images_are_errors_with_a_remedy(images, message):
    with pytest.raises(DataError, match=message):
        check_images(images, SHAPE)
    with pytest.raises(DataError, match=message if len(images) else "empty array"):
        check_dataset(images, SHAPE)


def test_tensors_are_looked_into():
    assert check_images(keras.ops.convert_to_tensor(grey()), SHAPE) is None
    with pytest.raises(DataError, match="finite"):
        check_images(keras.ops.convert_to_tensor(holed(np.nan)), SHAPE)


def test_an_array_is_looked_at_to_its_end():
    images = grey(1000)
    images[-1] = 7
    with pytest.raises(DataError, match="values from 0.5 to 7"):
        check_dataset(images, SHAPE)


def test_images_of_every_way_to_pack_a_batch():
    images, labels = grey(), np.arange(4)
    for packed in (images, (images,), (images, labels), [images, labels], {"image": images, "id": labels}):
        assert images_of(packed) is images
    with pytest.raises(DataError, match=r"key 'image'. Received the keys: \['id', 'photo'\]"):
        images_of({"photo": images, "id": labels})


def test_a_generator_is_kept_whole():
    made = [grey(value=i / 10) for i in range(3)]
    data = check_dataset((batch for batch in made), SHAPE)
    seen = [images_of(batch) for batch in data]
    assert [float(batch[0, 0, 0, 0]) for batch in seen] == pytest.approx([0.0, 0.1, 0.2])


def test_an_endless_generator_gives_one_batch_only():
    asked = []

    def endless():
        while True:
            asked.append(1)
            yield (grey(),)

    data = check_dataset(endless(), SHAPE, steps_per_epoch=1000)
    assert len(asked) == 1
    assert images_of(next(data)).shape == (4, *SHAPE)
    assert len(asked) == 1  # the one that was looked at


def test_data_that_can_begin_again_is_passed_on_as_it_is():
    batches = Batches(np.zeros((8, *SHAPE), "uint8"), batch_size=4)
    assert check_dataset(batches, SHAPE) is batches
    several = Rows(3)
    assert check_dataset(several, SHAPE) is several


class Rows(keras.utils.PyDataset):
    """`length` batches; of none where it is 0."""

    def __init__(self, length):
        super().__init__()
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return (grey(),)


@pytest.mark.parametrize("empty", [Rows(0), (batch for batch in [])])
def test_no_batch_is_an_error(empty):
    with pytest.raises(DataError, match="at least one batch"):
        first_batch(empty)


def test_too_few_batches_for_an_epoch_are_an_error():
    with pytest.raises(DataError, match=r"steps_per_epoch=4 batches. Received: a dataset of 3.*\.repeat\(\)"):
        check_dataset(Rows(3), SHAPE, steps_per_epoch=4)
    check_dataset(Rows(3), SHAPE, steps_per_epoch=3)
    # Batches have no end: an epoch of more steps goes on with the next permutation.
    check_dataset(Batches(np.zeros((8, *SHAPE), "uint8"), batch_size=4), SHAPE, steps_per_epoch=40)


def test_a_batch_too_small_to_deal_out_is_an_error():
    with pytest.raises(DataError, match="at least 5 images a batch.*Received: 4"):
        check_dataset(Rows(1), SHAPE, smallest_batch=5)
    check_dataset(Rows(1), SHAPE, smallest_batch=4)


@pytest.mark.parametrize("size, nearest", [(1, 3), (2, 3), (4, 3), (5, 6)])
def test_a_batch_size_that_packs_do_not_divide_is_an_error(size, nearest):
    with pytest.raises(DataError, match=f"packs of 3 divide. Received: {size}. Choose {nearest}:.*never be seen"):
        check_batch_size(size, 3)
    batches = ((grey(size),) for _ in range(2))
    with pytest.raises(DataError, match=f"Received: {size}. Choose {nearest}"):
        check_dataset(batches, SHAPE, smallest_batch=3, packing=3)


def test_a_batch_of_whole_packs_may_be_followed_by_a_smaller_one():
    data = check_dataset(((grey(count),) for count in (6, 6, 4)), SHAPE, smallest_batch=3, packing=3)
    assert [len(images_of(batch)) for batch in data] == [6, 6, 4]
    assert check_dataset(grey(4), SHAPE, packing=3).shape == (4, *SHAPE)  # an array's batches are `fit`'s to divide


@pytest.mark.parametrize("packed", [(grey(), np.arange(4)), {"image": grey()}])
def test_arrays_packed_like_a_batch_are_an_error(packed):
    with pytest.raises(DataError, match=f"a {type(packed).__name__} of arrays"):
        check_dataset(packed, SHAPE)


@pytest.mark.parametrize("given", ["photos/", None])
def test_a_name_is_no_data(given):
    with pytest.raises(DataError, match="what kg.data.load returns"):
        check_dataset(given, SHAPE)


@pytest.mark.parametrize(
    "shape, remedy",
    [
        ((5, 8, 8), r"images\[..., None\]"),
        ((8, 8, 1), r"images\[None\]"),
        ((5, 9, 8, 1), r"or build the model with image_shape=\(9, 8, 1\)"),
        ((5, 9), r"image_size=...\)\)\.$"),
    ],
)
def test_the_remedy_is_for_the_shape(shape, remedy):
    with pytest.raises(DataError, match=remedy):
        check_images(np.zeros(shape, "uint8"), (8, 8, 1))


def test_lengths():
    assert length_of(Rows(3)) == 3
    assert length_of([1, 2]) == 2
    assert length_of(iter([1, 2])) is None


def test_labels_of_every_way_to_pack_a_batch():
    images, labels = grey(), np.arange(4)
    for packed in ((images, labels), [images, labels], {"image": images, "label": labels}, ({"label": labels},)):
        assert labels_of(packed) is labels
    for packed in (images, (images,), {"image": images}):
        assert labels_of(packed) is None


def test_labels_are_looked_at_where_there_are_classes():
    images, wrong = grey(), np.arange(4) + 1
    for labels in (None, wrong):
        assert check_dataset(images, SHAPE, labels=labels) is images
    assert check_dataset(images, SHAPE, labels=wrong, label_space=Classes(5)) is images
    assert check_dataset(images, SHAPE, label_space=Classes(4), labels_needed=False) is images
    with pytest.raises(DataError, match="images alone"):
        check_dataset(images, SHAPE, label_space=Classes(4))
    for needed in (True, False):
        with pytest.raises(DataError, match="labels from 1 to 4"):
            check_dataset(images, SHAPE, labels=wrong, label_space=Classes(4), labels_needed=needed)
    with pytest.raises(DataError, match="labels from 1 to 4"):
        check_dataset(Batches(images, wrong, batch_size=4), SHAPE, label_space=Classes(4))
