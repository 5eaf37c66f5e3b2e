"""Two domains: edges by brute force, halves without a common image, and orders of their own."""

import numpy as np
import pytest

import keras_gans as kg
from keras_gans.data import UnpairedBatches, edges, negatives, two_domains
from keras_gans.errors import ConfigurationError, DataError


def numbered(count, start=0):
    """Images that hold their own number."""
    return np.broadcast_to((start + np.arange(count, dtype="uint8"))[:, None, None, None], (count, 2, 3, 1))


def numbers(images):
    return images[..., 0, 0, 0].tolist()


# What the second domain is made of


def test_edges_are_the_dilation_less_the_image():
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 2)).astype("uint8")
    expected = np.zeros_like(images)
    for n, i, j, c in np.ndindex(*images.shape):
        near = images[n, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2, c]
        expected[n, i, j, c] = near.max() - images[n, i, j, c]
    np.testing.assert_array_equal(edges(images), expected)
    assert edges(images).dtype == "uint8" and not edges(np.full((1, 4, 4, 1), 255, "uint8")).any()


def test_negatives_undo_themselves():
    images = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)
    np.testing.assert_array_equal(negatives(images) + images, np.full_like(images, 255))
    np.testing.assert_array_equal(negatives(negatives(images)), images)


@pytest.mark.parametrize("change", [edges, negatives])
@pytest.mark.parametrize("images", [np.zeros((2, 4, 4, 1)), np.zeros((4, 4, 1), "uint8")], ids=["floats", "one"])
def test_other_than_uint8_images_are_refused(change, images):
    with pytest.raises(DataError, match="Expected uint8 images"):
        change(images)


# Both domains


@pytest.mark.parametrize("count", [64, 65])
def test_no_image_is_in_both_domains(count):
    images = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 1)).astype("uint8")
    batches = two_domains(images, negatives, batch_size=8, seed=3)
    first, second = batches.arrays["first"], negatives(batches.arrays["second"])
    parts = [{image.tobytes() for image in domain} for domain in (first, second)]
    assert parts[0].isdisjoint(parts[1]) and parts[0] | parts[1] == {image.tobytes() for image in images}
    assert [len(part) for part in parts] == [count - count // 2, count // 2]


def test_the_halves_are_shuffled_and_fixed_by_the_seed():
    images = numbered(40)
    one, again, other = (two_domains(images, negatives, batch_size=4, seed=seed) for seed in (1, 1, 2))
    assert one.fingerprint() == again.fingerprint() != other.fingerprint()
    assert numbers(one.arrays["first"]) != sorted(numbers(one.arrays["first"]))
    for step in (0, 3, 11):
        for name in ("first", "second"):
            np.testing.assert_array_equal(one.at(step)[name], again.at(step)[name])


def test_it_says_what_the_domains_are():
    batches = two_domains("drawn:digits", edges, take=20, batch_size=5)
    assert batches.about["domains"] == ["as they are", "edges"] and batches.about["name"] == "drawn:digits"
    assert len(batches) == 2 and batches.image_shape == (28, 28, 1)
    assert {name: array.shape for name, array in batches[0].items()} == dict.fromkeys(
        ["first", "second"], (5, 28, 28, 1)
    )


@pytest.mark.parametrize("counts", [(12, 12), (12, 6), (4, 12)])
def test_an_epoch_visits_the_larger_domain_once(counts):
    batches = UnpairedBatches(first=numbered(counts[0]), second=numbered(counts[1], 100), batch_size=4, seed=0)
    assert len(batches) == 3
    for epoch in (0, 5):
        for k, (name, count) in enumerate(zip(("first", "second"), counts)):
            seen = np.concatenate([batches.at(3 * epoch + i)[name] for i in range(3)])
            expected = sorted([100 * k + i for i in range(count)] * (12 // count))
            assert sorted(numbers(seen)) == expected


def test_the_domains_have_orders_of_their_own():
    """Of 200 images the two orders, or two epochs, have few places in common: one on average."""
    batches = UnpairedBatches(first=numbered(200), second=numbered(200), batch_size=200, seed=0)
    orders = [numbers(images) for step in (0, 1) for images in batches.at(step).values()]
    for i in range(4):
        for j in range(i):
            assert sum(a == b for a, b in zip(orders[i], orders[j])) < 10


def test_a_step_is_known_without_those_before():
    first, second = numbered(10), numbered(10, 100)
    batches = UnpairedBatches(first=first, second=second, batch_size=3, seed=7)
    late = batches.at(8)["second"]
    for step in range(8):
        batches.at(step)
    np.testing.assert_array_equal(batches.at(8)["second"], late)
    np.testing.assert_array_equal(
        UnpairedBatches(first=first, second=second, batch_size=3, seed=7).at(8)["second"], late
    )


def test_without_shuffling_the_arrays_keep_their_order():
    batches = UnpairedBatches(first=numbered(4), second=numbered(2, 100), batch_size=2, shuffle=False)
    batch = batches.at(3)
    assert numbers(batch["first"]) == [2, 3] and numbers(batch["second"]) == [100, 101]


# What is refused


def test_a_domain_without_images_is_refused():
    with pytest.raises(DataError, match="at least one example"):
        UnpairedBatches(first=numbered(4), second=numbered(0), batch_size=2)


def test_domains_of_other_shapes_and_dtypes_stand_side_by_side():
    """Each domain has a field of its own in the model, which checks it."""
    batch = UnpairedBatches(maps=np.zeros((4, 2, 2), "int64"), photos=numbered(6), batch_size=3)[1]
    assert [(array.shape, array.dtype.name) for array in batch.values()] == [
        ((3, 2, 2), "int64"),
        ((3, 2, 3, 1), "uint8"),
    ]


def test_two_domains_can_be_left_in_order():
    batches = two_domains(numbered(8), negatives, batch_size=4, shuffle=False)
    for step in (0, 1):
        for name, array in batches.arrays.items():
            np.testing.assert_array_equal(batches.at(step)[name], array)


@pytest.mark.parametrize("change", [lambda images: images[1:], lambda images: images / 255.0])
def test_a_change_gives_as_many_images_of_the_same_kind(change):
    with pytest.raises(ConfigurationError, match="Expected a change that returns uint8 images"):
        two_domains(numbered(4), change, batch_size=1)


def test_what_gives_no_two_domains_is_refused():
    with pytest.raises(DataError, match="one for each domain"):
        two_domains(numbered(1), batch_size=1)
    with pytest.raises(DataError, match="uint8"):
        two_domains(np.zeros((4, 2, 3, 1), "float32"), batch_size=1)
    with pytest.raises(ConfigurationError, match="change to be a function"):
        two_domains(numbered(4), "edges", batch_size=1)
    with pytest.raises(kg.errors.DataError, match="batch_size"):
        two_domains(numbered(4), batch_size=3)
