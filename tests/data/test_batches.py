"""Batches: the order is a permutation that follows from the seed and the epoch; a batch follows from the step."""

import hashlib

import numpy as np
import pytest

from keras_gans.data import Batches
from keras_gans.errors import DataError


def numbered(count=26, **options):
    """Batches of images that are all pixels of their own number, which is the label too."""
    numbers = np.arange(count)
    images = np.broadcast_to(numbers[:, None, None, None], (count, 2, 3, 1)).astype("uint8")
    return Batches(images, numbers, **{"batch_size": 8, "seed": 3, **options})


def test_every_epoch_is_a_permutation_and_no_two_are_alike():
    batches = numbered(100)
    orders = [batches.order(epoch) for epoch in range(5)]
    for order in orders:
        assert sorted(order) == list(range(100))
    assert len({tuple(order) for order in orders}) == 5
    assert not np.array_equal(numbered(100, seed=4).order(0), orders[0])
    np.testing.assert_array_equal(numbered(100).order(2), orders[2])


def test_a_steps_batch_is_its_part_of_its_epochs_order():
    batches = numbered()
    for step in range(9):
        epoch, index = divmod(step, 3)
        np.testing.assert_array_equal(batches.at(step)["labels"], batches.order(epoch)[8 * index : 8 * index + 8])


def test_an_epochs_batches_are_disjoint():
    batches = numbered()
    assert len(batches) == batches.num_batches == 3  # 26 // 8
    for epoch in range(4):
        seen = np.concatenate([batches.at(3 * epoch + i)["labels"] for i in range(3)])
        assert len(set(seen)) == 24


def test_the_rest_is_left_out_of_another_place_each_epoch():
    batches = numbered()
    left_out = {i for epoch in range(60) for i in batches.order(epoch)[24:].tolist()}
    assert left_out == set(range(26))  # missed with probability 26 (24/26)^60 < 0.3 %, and the seed is fixed


def test_labels_go_with_their_images():
    images, labels = numbered().at(7).values()
    assert images.shape == (8, 2, 3, 1) and images.dtype == "uint8"
    np.testing.assert_array_equal(images[:, 0, 0, 0], labels)


def test_a_step_has_its_batch_whatever_was_asked_before():
    forwards, anew = numbered(), numbered()
    all_batches = [forwards.at(step)["labels"] for step in range(12)]
    for step in (11, 0, 5, 6, 5, 2):
        np.testing.assert_array_equal(anew.at(step)["labels"], all_batches[step])


def test_items_are_the_first_epoch():
    batches = numbered()
    for index in range(3):
        np.testing.assert_array_equal(batches[index]["labels"], batches.at(index)["labels"])


def test_without_shuffling_every_epoch_has_the_arrays_order():
    batches = numbered(shuffle=False)
    for step in range(6):
        np.testing.assert_array_equal(batches.at(step)["labels"], np.arange(8) + 8 * (step % 3))


def test_without_labels_a_batch_is_the_images_alone(images):
    batch = Batches(images, batch_size=8).at(0)
    assert list(batch) == ["images"] and batch["images"].shape == (8, 8, 8, 1)
    assert Batches(images, batch_size=8).image_shape == (8, 8, 1)


def test_following_starts_an_epoch_where_the_model_stands():
    batches, step = numbered(), 0
    following = batches.following(lambda: step)
    for step in (0, 3, 5, 100):  # noqa: B007
        following.on_epoch_begin()
        assert len(following) == 3
        for index in range(3):
            np.testing.assert_array_equal(following[index]["labels"], batches.at(step + index)["labels"])


def test_following_can_have_epochs_of_another_length():
    batches = numbered()
    following = batches.following(lambda: 2, 5)
    following.on_epoch_begin()
    assert len(following) == following.num_batches == 5
    np.testing.assert_array_equal(following[4]["labels"], batches.at(6)["labels"])


def test_arrays_of_any_names_go_together():
    sources, targets = np.arange(6), 10 * np.arange(6)
    batches = Batches(sources=sources, targets=targets, batch_size=4, seed=1)
    assert (batches.images, batches.labels, batches.count, len(batches)) == (None, None, 6, 1)
    batch = batches[0]
    assert list(batch) == ["sources", "targets"] and len(batch["sources"]) == 4
    np.testing.assert_array_equal(batch["targets"], 10 * batch["sources"])
    with pytest.raises(DataError, match="one for each of 6. Received: 5 targets"):
        Batches(sources=sources, targets=targets[1:], batch_size=4)
    with pytest.raises(DataError, match="at least one example"):
        Batches(batch_size=1)


def test_following_gives_what_is_picked_of_a_batch():
    batches = numbered()
    following = batches.following(lambda: 1, pick=lambda batch: (batch["images"], batch["labels"]))
    following.on_epoch_begin()
    np.testing.assert_array_equal(following[0][1], batches.at(1)["labels"])


def test_the_fingerprint_is_of_shape_type_and_bytes():
    images = np.arange(4, dtype="uint8").reshape(4, 1, 1, 1)
    expected = hashlib.sha256(b"(4, 1, 1, 1) |u1\x00\x01\x02\x03").hexdigest()
    assert Batches(images, batch_size=1).fingerprint() == expected
    assert Batches(images, batch_size=2, seed=9, shuffle=False).fingerprint() == expected  # of the data, not its order
    others = [
        Batches(images.reshape(2, 2, 1, 1), batch_size=1),
        Batches(images.astype("float32"), batch_size=1),
        Batches(images[::-1], batch_size=1),
        Batches(images, np.arange(4), batch_size=1),
        Batches(images, np.zeros(4, "int64"), batch_size=1),
    ]
    assert len({expected, *(batches.fingerprint() for batches in others)}) == 6


def test_the_fingerprint_sees_values_and_not_memory():
    images = np.arange(32, dtype="uint8").reshape(2, 4, 4, 1)
    turned = np.asfortranarray(images)
    assert Batches(turned, batch_size=1).fingerprint() == Batches(images, batch_size=1).fingerprint()


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((0, 2, 2, 1)), {}, "at least one example"),
        (np.zeros((4, 2, 2, 1)), {"batch_size": 5}, "from 1 to the 4 examples there are. Received: 5"),
        (np.zeros((4, 2, 2, 1)), {"batch_size": 0}, "from 1 to the 4 examples"),
        (
            np.zeros((4, 2, 2, 1)),
            {"labels": np.zeros(3)},
            "one for each of 4. Received: 3 labels",
        ),
    ],
)
def test_what_fills_no_batch_is_an_error(images, options, message):
    with pytest.raises(DataError, match=message):
        Batches(images, **{"batch_size": 2, **options})
