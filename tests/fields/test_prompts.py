"""Prompts: words and ids, what is left out and named, and what is refused."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import Prompts, words_of

WORDS = ("a", "face", "größe", "hair", "red", "smiling", "with", "2")
FIELD = Prompts(WORDS, length=5)


@pytest.mark.parametrize(
    "text, words",
    [
        ("A face, with LONG hair!", ["a", "face", "with", "long", "hair"]),
        ("  red-brown\thair\n", ["red", "brown", "hair"]),
        ("snake_case and a man's hat", ["snake", "case", "and", "a", "man", "s", "hat"]),
        ("GRÖSSE Größe Ελλάδα 2½", ["grösse", "größe", "ελλάδα", "2½"]),
        ("लाल टोपी, Gro\u0308ße", ["लाल", "टोपी", "gro\u0308ße"]),
        ("...", []),
        ("", []),
    ],
)
def test_words_are_runs_of_letters_and_digits_in_lower_case(text, words):
    assert words_of(text) == words


@pytest.mark.parametrize("wrap", [list, tuple, np.array, lambda texts: np.array(texts, dtype=object)])
def test_text_becomes_rows_of_ids(wrap):
    ids = FIELD.asked(wrap(["A face with red hair.", "Größe 2"]))
    assert ids.dtype == np.int32
    assert ids.tolist() == [[1, 2, 7, 5, 4], [3, 8, 0, 0, 0]]
    assert FIELD.text(ids) == ["a face with red hair", "größe 2"]


def test_one_text_is_one_row():
    assert FIELD.asked("red hair").tolist() == [[5, 4, 0, 0, 0]]
    np.testing.assert_array_equal(FIELD.asked(np.array([5, 4, 0, 0, 0])), [[5, 4, 0, 0, 0]])


def test_ids_pass_and_networks_take_them_as_int32():
    ids = np.array([[5, 4, 0, 0, 0]], "int64")
    np.testing.assert_array_equal(FIELD.check(ids), ids)
    np.testing.assert_array_equal(FIELD.check(ops.convert_to_tensor(ids)), ids)
    encoded = FIELD.encode(ids)
    assert ops.dtype(encoded) == "int32" and ops.convert_to_numpy(encoded).tolist() == ids.tolist()


def test_unknown_words_are_left_out_and_named_once():
    with pytest.warns(UserWarning) as caught:
        ids = FIELD.asked(["a purple face", "purple wig and red hair", "smilling face"])
    assert ids.tolist() == [[1, 2, 0, 0, 0], [5, 4, 0, 0, 0], [2, 0, 0, 0, 0]]
    (warning,) = caught
    assert "'purple', 'wig', 'and', 'smilling'" in str(warning.message)


def test_a_word_that_is_almost_known_is_hinted_at():
    with pytest.warns(UserWarning, match="'smilling'. Did you mean smiling"):
        FIELD.asked("smilling face")


def test_known_words_give_no_warning(recwarn):
    FIELD.asked(["A Face", "red?"])
    assert not recwarn.list


def test_the_length_counts_known_words():
    with pytest.warns(UserWarning, match="'x'"):
        assert FIELD.asked("x a x face x with x red x hair x").tolist() == [[1, 2, 7, 5, 4]]
    with pytest.raises(DataError, match="up to 5 words. Received: 6 words"):
        FIELD.asked("a face with red hair smiling")


@pytest.mark.parametrize(
    "values, message",
    [
        ("", "a word or more. Received: ''"),
        (" ,. ", "a word or more"),
        (["a face", ""], "a word or more"),
        ("purple wig", "words that the model knows. Received: 'purple wig'"),
        (["a face", None], "as text. Received: a NoneType"),
        (["a face", 3], "as text. Received: a int"),
        ([b"a face"], "as text. Received: a bytes"),
        (b"a face", "as text, or rows"),
        (None, "as text, or rows"),
        (3.5, "as text, or rows .* Received: 3.5"),
        ([1.0, 2.0], "float64"),
        ([["a face"], ["hair"]], "as text, or rows|as rows"),
        ({"prompt": "a face"}, "as text, or rows"),
        ([], "as text, or rows|at least one"),
        ([[1, 2, 3]], r"\(N, 5\).*\(1, 3\)"),
        ([[1, 2, 3, 4, 9]], "from 1 to 9"),
        ([[0, 0, 0, 0, 0]], "none in row 0"),
        ([[1, 2], [3]], "as text, or rows|several lengths"),
    ],
)
def test_anything_else_is_refused(values, message):
    with pytest.raises(DataError, match=message) as caught:
        FIELD.asked(values)
    assert len(str(caught.value).splitlines()) <= 10


def test_training_takes_ids_and_says_how_to_make_them():
    with pytest.raises(DataError, match="kg.data.load_captions"):
        FIELD.check(np.array(["a face"]))
    with pytest.raises(DataError, match="at least one prompt"):
        FIELD.check(np.zeros((0, 5), "int32"))
    FIELD.check_source({"vocabulary": list(WORDS)})
    FIELD.check_source({})
    with pytest.raises(DataError, match="ids of 2 other words"):
        FIELD.check_source({"vocabulary": ["a", "b"]})


@pytest.mark.parametrize(
    "vocabulary, message",
    [
        ("a face", "list of text"),
        ([], "list of text"),
        (["a", 3], "list of text"),
        (["a", "a"], "different words"),
        (["a", "Face"], "lower case"),
        (["red hair"], "lower case, of letters"),
        (["a", ""], "lower case"),
    ],
)
def test_vocabularies_that_cannot_be_are_refused(vocabulary, message):
    with pytest.raises(ConfigurationError, match=message):
        Prompts(vocabulary, 5)


@pytest.mark.parametrize("length", [0, 2.5, "5", True])
def test_lengths_that_cannot_be_are_refused(length):
    with pytest.raises(ConfigurationError, match="length of 1 word"):
        Prompts(["a"], length)


def test_a_file_holds_the_vocabulary():
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(FIELD)))
    again = keras.saving.deserialize_keras_object(config)
    assert again == FIELD and again.vocabulary == WORDS and hash(again) == hash(FIELD)
    assert again != Prompts(WORDS, 6) and again != Prompts(WORDS[::-1], 5)


def test_control_characters_are_not_shown():
    with pytest.raises(DataError) as caught:
        FIELD.asked("\x1b[31m")
    assert "\x1b" not in str(caught.value)
