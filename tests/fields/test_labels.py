"""Label spaces: encodings and losses by hand, what is drawn, what is refused."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import Attributes, Classes, Values, check_label_space, label_space_of

SPACES = [Classes(4), Classes(2, 3), Attributes(3), Values(2, low=0.0, high=10.0)]


def encoded(space, labels):
    return ops.convert_to_numpy(space.encode(np.array(labels)))


def test_encodings_by_hand():
    np.testing.assert_array_equal(encoded(Classes(3), [2, 0]), [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(encoded(Classes(3), [[2], [0]]), [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(encoded(Classes(2, 3), [[1, 2]]), [[0, 1, 0, 0, 1]])
    np.testing.assert_array_equal(encoded(Attributes(2), [[True, False]]), [[1, 0]])
    np.testing.assert_allclose(encoded(Values(1, low=0.0, high=10.0), [[0.0], [5.0], [10.0]]), [[-1], [0], [1]])


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_drawn_labels_are_labels_and_cover_the_space(space):
    uniform = np.random.default_rng(0).uniform(size=(2000, space.num_uniforms))
    labels = space.draw(uniform)
    np.testing.assert_array_equal(space.check(labels), labels)
    assert labels.shape == (2000, *space.shape)
    assert encoded(space, labels).shape == (2000, space.size)
    for column, low, high in zip(
        labels.reshape(2000, -1).T,
        np.broadcast_to(space.low, space.num_uniforms),
        np.broadcast_to(space.high, space.num_uniforms),
    ):
        if labels.dtype.kind == "i":
            counts = np.bincount(column)
            assert len(counts) == high + 1
            expected = 2000 / len(counts)
            assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)
        else:
            assert column.mean() == pytest.approx((low + high) / 2, abs=5 * (high - low) / np.sqrt(12 * 2000))
    ends = space.draw(np.array([np.zeros(space.num_uniforms), np.ones(space.num_uniforms)]))
    np.testing.assert_array_equal(ends, [np.broadcast_to(end, space.shape) for end in (space.low, space.high)])


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_what_was_encoded_is_predicted(space):
    labels = space.draw(np.random.default_rng(0).uniform(size=(50, space.num_uniforms)))
    predictions = encoded(space, labels)
    logits = predictions if isinstance(space, Values) else 2.0 * predictions - 1.0
    np.testing.assert_allclose(space.predict(logits), labels, atol=1e-5)


def test_losses_by_hand():
    logits = np.array([[0.0, np.log(3.0), 1.0, 1.0, 1.0]], "float32")
    loss = Classes(2, 3).loss(logits, encoded(Classes(2, 3), [[1, 0]]))
    assert float(loss) == pytest.approx(-np.log(3 / 4) - np.log(1 / 3), rel=1e-6)
    loss = Attributes(2).loss(np.log([[3.0, 3.0]]).astype("float32"), encoded(Attributes(2), [[1, 0]]))
    assert float(loss) == pytest.approx(-np.log(3 / 4) - np.log(1 / 4), rel=1e-6)
    loss = Values(2).loss(np.array([[0.0, 2.0], [0.0, 0.0]], "float32"), encoded(Values(2), [[1.0, 0.0], [0.0, 0.0]]))
    assert float(loss) == pytest.approx((1 + 4) / 2, rel=1e-6)
    huge = Classes(2).loss(np.array([[1e4, -1e4]], "float32"), encoded(Classes(2), [1]))
    assert float(huge) == pytest.approx(2e4)


def test_a_grid_shows_one_class_a_column_where_all_find_room():
    np.testing.assert_array_equal(Classes(3).in_grid(8, 4), [0, 1, 2, 0] * 2)
    np.testing.assert_array_equal(Classes(3).in_grid(6, 2), [0, 1, 2, 0, 1, 2])
    none, first, second = [0, 0], [1, 0], [0, 1]
    np.testing.assert_array_equal(Attributes(2).in_grid(8, 4), [none, first, second, none] * 2)
    np.testing.assert_array_equal(Attributes(2).in_grid(4, 2), [none, first, second, none])
    assert all(space.in_grid(6, 3) is None for space in SPACES[1:] if not isinstance(space, Attributes))


@pytest.mark.parametrize(
    "space, labels, message",
    [
        (Classes(3), [0, 3], "whole numbers from 0 to 2. Received: labels from 0 to 3"),
        (Classes(3), [-1, 1], "labels from -1 to 1"),
        (Classes(3), [0.0, 1.0], "dtype float64"),
        (Classes(3), [True, False], "dtype bool"),
        (Classes(3), np.zeros(0, "int64"), r"shape \(N,\)"),
        (Classes(3), [[1, 2]], r"shape \(N,\)"),
        (Classes(3), 1, r"shape \(N,\)"),
        (Classes(2, 3), [1, 0], r"shape \(N, 2\)"),
        (Classes(2, 3), [[2, 2]], "from 0 to 1, 2 in 2 columns"),
        (Attributes(2), [[0, 2]], "0 or 1 in 2 columns"),
        (Attributes(2), [[0, 1, 1]], r"shape \(N, 2\)"),
        (Values(1), [[1.5]], "numbers from -1 to 1 in 1 column. Received: labels from 1.5"),
        (Values(1), [[np.nan]], "numbers from -1 to 1"),
    ],
)
def test_labels_that_are_none_of_the_space_are_refused(space, labels, message):
    with pytest.raises(DataError, match=message):
        space.check(labels)


def test_labels_of_any_whole_type_pass():
    for dtype in ("uint8", "int32", "int64"):
        assert Classes(3).check(np.array([0, 2], dtype)).tolist() == [0, 2]
    for column in ([[0], [2]], np.array([[0], [2]])):
        assert Classes(3).check(column).tolist() == [0, 2]
    assert Values(1, low=0, high=9).check(np.array([[3]])).tolist() == [[3]]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Classes(), "counts of classes"),
        (lambda: Classes(0), "counts of classes"),
        (lambda: Classes(2.5), "counts of classes"),
        (lambda: Attributes(0), "attributes"),
        (lambda: Attributes(2, rows=[[0, 1, 1]]), r"combinations of attributes. .* shape \(N, 2\)"),
        (lambda: Attributes(2, rows=[[0, 2]]), "combinations of attributes"),
        (lambda: Attributes(2, rows=[[0, 1]], weights=[0]), "one weight above 0"),
        (lambda: Attributes(2, rows=[[0, 1]], weights=[1, 1]), "one weight above 0"),
        (lambda: Attributes(2, weights=[1, 1]), "combinations of attributes"),
        (lambda: Values(0), "count of numbers"),
        (lambda: Values(1, low=1.0, high=1.0), "low below high"),
        (lambda: Values(1, low=1.7e9, high=1.7e9 + 100), "Subtract an offset"),
        (lambda: Values(1, low=-1e39, high=1e39), "up to 1e38"),
        (lambda: check_label_space(10), "kg.data.Classes"),
    ],
)
def test_spaces_that_cannot_be_are_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_config_brings_a_space_back(space):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(space))
    assert again == space and hash(again) == hash(space)
    assert again != Classes(7) and str(again) == str(space)


def test_the_space_of_a_data_set():
    assert label_space_of(np.array([0, 9, 3])) == Classes(10)
    assert label_space_of(np.array([[0, 2], [1, 0]])) == Classes(2, 3)
    assert label_space_of(np.zeros(3, "int64")) == Classes(2)
    assert label_space_of(np.zeros((3, 4), bool)) == Attributes(4, rows=[[0] * 4], weights=[3])
    assert label_space_of(np.array([0.5, 2.5], "float32")) == Values(1, low=0.5, high=2.5)
    assert label_space_of(np.array([True, False, True])) == Attributes(1, rows=[[1], [0]], weights=[2, 1])
    strange = [np.zeros((3, 2, 2), int), np.array(["a"]), np.array([None]), np.ones(3), np.array([0.0, np.nan])]
    for labels in (None, [], np.array([-1, 2]), *strange):
        with pytest.raises(DataError, match="labels"):
            label_space_of(labels)


@pytest.mark.parametrize(
    "labels",
    [[0, 9, 3], [[0, 2], [1, 0]], [[True, False]], [True, False], [0.5, 2.5], [[0.5], [2.5]], [[0.1, 0.2]]],
    ids=str,
)
def test_a_data_sets_space_takes_its_labels(labels):
    space = label_space_of(np.array(labels))
    checked = space.check(np.array(labels))
    assert encoded(space, labels).shape == encoded(space, checked).shape == (len(labels), space.size)
    np.testing.assert_allclose(encoded(space, labels), encoded(space, checked))


def test_attributes_are_drawn_as_often_as_data_have_them():
    columns = np.repeat([[0, 0, 0], [1, 0, 0], [1, 1, 0]], [5, 3, 2], axis=0).astype(bool)
    space = label_space_of(columns)
    count = 5000
    drawn = space.draw(np.random.default_rng(0).uniform(size=(count, space.num_uniforms)))
    rows, found = np.unique(drawn, axis=0, return_counts=True)
    assert rows.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert np.abs(found - count * np.array([0.5, 0.3, 0.2])).max() < 5 * np.sqrt(count / 4)
    ends = space.draw(np.array([[0.0, 1, 1], [1.0, 0, 0], [0.499, 0, 0], [0.501, 0, 0]]))
    assert ends.tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 0], [1, 0, 0]]
    # None, the first, the second, which comes with the first alone, and the third, which nobody has: the most frequent.
    assert space.in_grid(4, 4).tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]]


def test_attributes_keep_the_most_frequent_combinations():
    columns = np.unpackbits(np.arange(2048, dtype=">u2").view("uint8").reshape(-1, 2), axis=1).astype(bool)
    space = label_space_of(np.concatenate([columns, columns[1500:1501]]))
    assert len(space.rows) == len(space.weights) == 1000
    assert space.rows[0].tolist() == columns[1500].tolist() and space.weights[0] == 2


@pytest.mark.parametrize(
    "space, labels, asked",
    [
        (Classes(3), 2, [2]),
        (Classes(3), [2, 1], [2, 1]),
        (Classes(2, 3), [1, 2], [[1, 2]]),
        (Classes(2, 3), [[1, 2], [0, 0]], [[1, 2], [0, 0]]),
        (Attributes(1), 1, [[1]]),
        (Attributes(1), [1, 0, 1], [[1], [0], [1]]),
        (Attributes(1), [[1], [0]], [[1], [0]]),
        (Values(1), 0.5, [[0.5]]),
        (Values(1), np.array([0.5, 0.25]), [[0.5], [0.25]]),
        (Values(2), (0.5, 0.25), [[0.5, 0.25]]),
    ],
)
def test_one_label_is_asked_for_without_an_axis_of_labels(space, labels, asked):
    assert space.asked(labels).tolist() == asked


def test_labels_in_rows_of_several_lengths_are_refused():
    with pytest.raises(DataError, match=r"shape \(N, 2\)"):
        Classes(3, 3).check([[1], [1, 2]])


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_other_labels_differ_and_are_labels(space):
    rng = np.random.default_rng(0)
    given = encoded(space, space.draw(rng.uniform(size=(500, space.num_uniforms))))
    for uniform in (
        rng.uniform(size=(500, space.num_uniforms)),
        np.zeros((500, space.num_uniforms)),
        np.ones((500, space.num_uniforms)),
    ):
        others = ops.convert_to_numpy(space.others(given, uniform.astype("float32")))
        assert others.shape == given.shape and (others != given).any(axis=1).all()
        if isinstance(space, Values):
            assert np.abs(others).max() <= 1.0
        else:
            np.testing.assert_array_equal(encoded(space, space.predict(2.0 * others - 1.0)), others)


def test_other_attributes_are_those_of_another_image_of_the_batch():
    space, rng = Attributes(3), np.random.default_rng(0)
    rows = np.array([[0, 0, 0], [1, 1, 0], [0, 1, 1]], "float32")  # three of the eight combinations
    given = rows[rng.integers(0, 3, 3000)]
    uniform = rng.uniform(size=given.shape).astype("float32")
    others = ops.convert_to_numpy(space.others(given, uniform))
    assert {tuple(row) for row in others} == {tuple(row) for row in rows}
    for row in rows:  # the two other combinations, each as often as its share in the batch
        drawn = others[(given == row).all(axis=1)]
        assert (drawn != row).any(axis=1).all()
        first, second = (np.mean((drawn == other).all(axis=1)) for other in rows if (other != row).any())
        assert first + second == 1.0 and abs(first - second) < 0.2


def test_other_attributes_are_made_up_where_a_batch_has_the_same_ones():
    given = np.ones((4, 2), "float32")
    uniform = np.array([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0], [1.0, 0.0]], "float32")
    others = ops.convert_to_numpy(Attributes(2).others(given, uniform))
    assert others.tolist() == [[0.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 0.0]]


def test_other_classes_are_equally_likely():
    space, count = Classes(4), 3000
    given = encoded(space, np.full(count, 2))
    uniform = np.random.default_rng(0).uniform(size=(count, 1)).astype("float32")
    found = np.bincount(space.predict(ops.convert_to_numpy(space.others(given, uniform))), minlength=4)
    assert found[2] == 0 and np.abs(found[[0, 1, 3]] - count / 3).max() < 5 * np.sqrt(count / 3)


# Names

PETS = Classes(names=["cat", "dog", "red, large"])
FACES = Attributes(3, names=["hat", "glasses", "beard"])
HAIR = Classes(2, 3, names=[["short", "long"], ["black", "red", "1"]])


@pytest.mark.parametrize(
    "space, asked, labels",
    [
        (PETS, "dog", [1]),
        (PETS, ["dog", "cat", "dog"], [1, 0, 1]),
        (PETS, np.array(["red, large", "cat"]), [2, 0]),
        (PETS, ("cat", 1), [0, 1]),
        (PETS, "2", [2]),
        (PETS, 2, [2]),
        (Classes(names=["3", "7"]), ["7", "3", "0"], [1, 0, 0]),  # a name goes before a number
        (Classes(3), "2", [2]),
        (Classes(3), ["2", "0"], [2, 0]),
        (FACES, "glasses", [[0, 1, 0]]),
        (FACES, ["beard:hat", "glasses"], [[1, 0, 1], [0, 1, 0]]),
        (FACES, [["beard", "hat"], ["glasses"]], [[1, 0, 1], [0, 1, 0]]),
        (FACES, "0:1:1", [[0, 1, 1]]),
        (FACES, [0, 1, 1], [[0, 1, 1]]),
        (HAIR, "long:red", [[1, 1]]),
        (HAIR, ["long:1", "0:black"], [[1, 2], [0, 0]]),
        (HAIR, [["short", "red"]], [[0, 1]]),
        (Values(2), "0.5:-1", [[0.5, -1]]),
    ],
)
def test_labels_are_asked_for_by_name_and_by_number(space, asked, labels):
    np.testing.assert_array_equal(space.asked(asked), labels)


@pytest.mark.parametrize(
    "space, asked, message",
    [
        (PETS, "dgo", r"whole numbers from 0 to 2 \(cat, dog, red, large\). Received: 'dgo'. Did you mean dog\?"),
        (PETS, ["cat", "bird"], "Received: 'bird'"),
        (PETS, "3", "from 0 to 2.*Received: labels from 3"),
        (PETS, "cat:dog", "Received: 'cat:dog'"),
        (Classes(3), "cat", "Received: 'cat'. They have no names: write numbers"),
        (FACES, "hat:gloves", "Received: 'hat:gloves'"),
        (FACES, "1:0", "colons between the columns"),
        (HAIR, "red:long", "Received: 'red:long'"),
        (Values(1), "high", "no names"),
        (Classes(names=[f"class {i}" for i in range(1000)]), "x" * 10_000, r"class 11, ... 1000 in all"),
    ],
)
def test_unknown_names_are_refused_with_similar_ones_on_less_than_a_screen(space, asked, message):
    with pytest.raises(DataError, match=message) as refused:
        space.asked(asked)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("space", [PETS, FACES, HAIR, Attributes(2, rows=[[0, 1]], names=["a", "b"])], ids=str)
def test_names_are_kept_in_the_configuration(space):
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(keras.saving.serialize_keras_object(space))))
    assert again == space and again.names == space.names
    assert space.named(None).names is None and space.named(None).named(space.names) == space
    assert space.named(None) != space and "names" not in space.named(None).get_config()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Classes(2, names=["cat"]),
        lambda: Classes(names=["cat", "cat"]),
        lambda: Classes(names=[]),
        lambda: Classes(2, 2, names=[["a", "b"]]),
        lambda: Classes(2, names=[1, 2]),
        lambda: Attributes(2, names=["a", ""]),
    ],
)
def test_names_that_do_not_fit_are_refused(make):
    with pytest.raises(ConfigurationError, match="names|counts"):
        make()


def test_labels_of_another_numbering_are_matched_by_name():
    np.testing.assert_array_equal(PETS.renumbered(np.array([0, 1, 2, -1]), ["dog", "emu", "cat"]), [1, -1, 0, -1])
    made = FACES.renumbered(np.array([[True, False, True]]), ["beard", "hat", "glasses"])
    np.testing.assert_array_equal(made, [[0, 1, 1]])
    np.testing.assert_array_equal(FACES.renumbered(np.array([[1, 0]]), ["beard", "hat"]), [[0, -1, 1]])
    made = HAIR.renumbered(np.array([[0, 0], [1, 1]]), [["long", "short"], ["red", "blue"]])
    np.testing.assert_array_equal(made, [[1, 1], [0, -1]])


@pytest.mark.parametrize(
    "space, labels, unseen",
    [
        (Classes(10), np.arange(60) % 3, "7 of 10 classes (3, 4, 5, 6, 7, 8, 9)"),
        (Classes(10), np.arange(9), None),  # too few examples to tell
        (Classes(10), np.arange(60) % 9, None),
        (Classes(10), np.arange(300) % 9, "1 of 10 classes (9)"),
        (Classes(4), 1 + np.arange(60) % 3, "1 of 4 classes (0)"),
        (Classes(1000), np.arange(5000) % 997, None),
        (Classes(2, 3), np.stack([np.arange(60) % 2, np.zeros(60, int)], 1), "2 of 3 classes in column 1 (1, 2)"),
        (Attributes(2), np.stack([np.arange(60) % 2, np.zeros(60)], 1), "1 of 2 attributes (column 1)"),
        (Attributes(2, rows=[[0, 0], [1, 0]]), np.stack([np.arange(60) % 2, np.zeros(60)], 1), None),
        (Attributes(2), np.zeros((9, 2)), None),
        (Values(1), np.linspace(0, 0.5, 60)[:, None], "75% of the range from -1 to 1"),
        (Values(1), np.linspace(-0.9, 0.9, 60)[:, None], None),
    ],
)
def test_labels_that_would_be_drawn_and_are_not_in_the_data(space, labels, unseen):
    found = space.unseen(labels)
    assert found is None if unseen is None else unseen in found


def test_the_space_of_named_labels():
    assert label_space_of(np.array([0, 0]), ["cat", "dog"]) == Classes(names=["cat", "dog"])
    assert label_space_of(np.array([[True, False]]), ["hat", "beard"]).names == ("hat", "beard")
    assert label_space_of(np.array([[0, 3], [1, 5]]), ["hair", "skin"]) == Classes(2, 6)  # the columns' names
    assert label_space_of(np.array([0.0, 1.0]), ["age"]) == Values(1, low=0, high=1)
    with pytest.raises(DataError, match=r"2 classes \(cat, dog\). Received: the label 2"):
        label_space_of(np.array([0, 2]), ["cat", "dog"])
