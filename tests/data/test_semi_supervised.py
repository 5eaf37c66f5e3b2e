"""Few labels and many images: the draw is class balanced and fixed by its seed, a batch follows from the step."""

import numpy as np
import pytest

from keras_gans.data import Batches, SemiSupervisedBatches, load, semi_supervised
from keras_gans.errors import ConfigurationError, DataError


def numbered(count=60, classes=3, **options):
    """Images that are all pixels of their own number; their class is the number modulo `classes`."""
    numbers = np.arange(count)
    images = np.broadcast_to(numbers[:, None, None, None], (count, 2, 3, 1)).astype("uint8")
    return Batches(images, numbers % classes, **{"batch_size": 8, "seed": 3, **options})


def numbers(images):
    return images[:, 0, 0, 0]


@pytest.mark.parametrize("per_class", [1, 4, 20])
def test_the_draw_is_class_balanced_and_true(per_class):
    dataset = numbered()
    batches = semi_supervised(dataset, per_class)
    known = batches.labels >= 0
    assert np.bincount(batches.labels[known]).tolist() == [per_class] * 3
    np.testing.assert_array_equal(batches.labels[known], dataset.labels[known])
    assert (batches.labels[~known] == -1).all()
    np.testing.assert_array_equal(batches.images, dataset.images)


def test_the_seed_names_the_draw_and_the_datasets_seed_the_order():
    draw = semi_supervised(numbered(), 2, seed=1).known
    np.testing.assert_array_equal(draw, semi_supervised(numbered(seed=9), 2, seed=1).known)
    assert len({tuple(semi_supervised(numbered(), 2, seed=s).known) for s in range(6)}) == 6
    one, other = semi_supervised(numbered(), 2), semi_supervised(numbered(seed=9), 2)
    assert not np.array_equal(one.at(0)["images"], other.at(0)["images"])


def test_the_fingerprint_is_of_the_labels_that_are_known():
    prints = {semi_supervised(numbered(), 2, seed=s).fingerprint() for s in (0, 0, 1)}
    assert len(prints) == 2 and numbered().fingerprint() not in prints


def test_a_batch_has_as_many_of_each_and_labels_with_their_images():
    batches = semi_supervised(numbered(), 2)
    for step in range(20):
        batch = batches.at(step)
        assert set(batch) == {"images", "matched_images", "labelled_images", "labels"}
        assert {len(array) for array in batch.values()} == {8}
        np.testing.assert_array_equal(numbers(batch["labelled_images"]) % 3, batch["labels"])
        assert set(numbers(batch["labelled_images"])) <= set(batches.known)


def test_the_images_are_in_the_datasets_order_and_matched_by_another():
    dataset, batches = numbered(), semi_supervised(numbered(), 2)
    for step in range(15):
        np.testing.assert_array_equal(batches.at(step)["images"], dataset.at(step)["images"])
    for epoch in range(3):
        steps = range(7 * epoch, 7 * epoch + 7)
        orders = [np.concatenate([numbers(batches.at(s)[key]) for s in steps]) for key in ("images", "matched_images")]
        assert all(len(set(order)) == 56 for order in orders)
        assert (orders[0] == orders[1]).mean() < 0.2


@pytest.mark.parametrize("per_class", [1, 2, 3])
def test_labelled_images_come_equally_often(per_class):
    """Rounds of all known images, across the ends of batches and epochs: 3, 6 or 9 of them in batches of 8."""
    batches = semi_supervised(numbered(), per_class)
    stream = np.concatenate([numbers(batches.at(step)["labelled_images"]) for step in range(27)])  # 216 = 8 * 27
    rounds = stream.reshape(-1, 3 * per_class)
    assert all(set(order) == set(batches.known) for order in rounds)
    assert len({tuple(order) for order in rounds}) > 1


def test_a_step_has_its_batch_whatever_was_asked_before():
    forwards, anew = semi_supervised(numbered(), 2), semi_supervised(numbered(), 2)
    all_batches = [forwards.at(step) for step in range(24)]
    for step in (23, 0, 6, 7, 6, 2):
        for key, array in anew.at(step).items():
            np.testing.assert_array_equal(array, all_batches[step][key])


def test_without_shuffling_the_order_is_the_arrays():
    batches = semi_supervised(numbered(shuffle=False), 2)
    for step in range(9):
        batch = batches.at(step)
        np.testing.assert_array_equal(numbers(batch["images"]), np.arange(8) + 8 * (step % 7))
        np.testing.assert_array_equal(batch["matched_images"], batch["images"])
        np.testing.assert_array_equal(
            numbers(batch["labelled_images"]), batches.known[np.arange(8 * step, 8 * step + 8) % 6]
        )


def test_options_and_facts_are_the_datasets():
    dataset = load("drawn:digits", take=100, batch_size=20, seed=4)
    batches = semi_supervised(dataset, labels_per_class=3, seed=5)
    assert (batches.batch_size, batches.seed, batches.shuffle) == (20, 4, True)
    assert batches.about == {**dataset.about, "labels_per_class": 3, "labels_seed": 5}


@pytest.mark.parametrize(
    "labels, message",
    [
        (np.full(4, -1), "at least one labelled"),
        (np.array([0, -2, 1, 1]), "from -2 to 1"),
        (np.array([0.0, 1.0, 1.0, -1.0]), "float64"),
        (np.zeros((4, 2), "int64"), r"\(4, 2\)"),
        (np.zeros(3, "int64"), "as many labels as images"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels, message):
    with pytest.raises(DataError, match=message):
        SemiSupervisedBatches(np.zeros((4, 2, 2, 1), "uint8"), labels, batch_size=2)


def test_data_without_enough_labels_is_refused():
    with pytest.raises(DataError, match="at least 21 images of each class. Received: 20 of class 0"):
        semi_supervised(numbered(), 21)
    with pytest.raises(DataError, match="labelled Batches"):
        semi_supervised(Batches(np.zeros((4, 2, 2, 1), "uint8"), batch_size=2))
    with pytest.raises(DataError, match="labelled Batches"):
        semi_supervised(np.zeros((4, 2, 2, 1), "uint8"))


@pytest.mark.parametrize("options", [{"labels_per_class": 0}, {"labels_per_class": 1.5}, {"seed": -1}, {"seed": True}])
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        semi_supervised(numbered(), **options)
