"""Text as ids: both ways between lines and ids, and what networks see of them."""

import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import ALPHABET, Tokens, decode_text, encode_text


def test_the_round_trip():
    lines = ["".join(ALPHABET[1:48]), "".join(ALPHABET[48:]), " spaces  inside ", ""]
    tokens = encode_text(lines, ALPHABET, 48)
    assert tokens.shape == (4, 48) and tokens.dtype == "uint8" and tokens[3].tolist() == [0] * 48
    assert decode_text(tokens, ALPHABET) == lines
    assert decode_text(encode_text(lines, ALPHABET, 5), ALPHABET) == [line[:5] for line in lines]


def test_the_alphabet_is_printable_ascii_after_a_backtick():
    assert len(ALPHABET) == len(set(ALPHABET)) == 95 and ALPHABET[0] == "`" and ALPHABET.isascii()
    assert ALPHABET.isprintable()


@pytest.mark.parametrize("alphabet", ["", "`", "`aba", None, ["a", "b"]])
def test_what_is_no_alphabet_is_refused(alphabet):
    for use in (lambda: encode_text(["a"], alphabet, 4), lambda: decode_text([[0]], alphabet)):
        with pytest.raises(ConfigurationError, match="Expected an alphabet"):
            use()


def test_one_string_is_no_list_of_lines():
    with pytest.raises(DataError, match="one string"):
        encode_text("abba", "`ab", 4)


@pytest.mark.parametrize(
    "tokens, message",
    [([[-1]], "-1 to -1"), ([[0, 3]], "from 0 to 2. Received: 0 to 3"), ([1, 2], "rows"), ([[0.5]], "rows")],
)
def test_ids_that_name_no_character_are_refused(tokens, message):
    with pytest.raises(DataError, match=message):
        decode_text(tokens, "`ab")


# As a field


def test_ids_become_one_hot_rows_and_come_back():
    field, ids = Tokens(3, "`ab"), np.array([[1, 2, 0], [0, 0, 1]], "uint8")
    hot = ops.convert_to_numpy(field.encode(ids))
    assert hot.dtype == "float32"
    np.testing.assert_array_equal(hot, np.eye(3)[ids])
    decoded = ops.convert_to_numpy(field.decode(hot))
    assert decoded.dtype == "uint8"
    np.testing.assert_array_equal(decoded, ids)
    assert field.text(ids) == ["ab", "``a"] and field.check(ids) is ids
    assert str(field) == "rows of character ids (N, 3) from 0 to 2"


@pytest.mark.parametrize(
    "tokens, message",
    [
        (np.zeros((2, 4), "uint8"), r"\(N, 3\). Received: \(2, 4\).*length=3"),
        (np.zeros(3, "uint8"), r"Received: \(3,\)"),
        (np.zeros((0, 3), "uint8"), "an empty batch"),
        (np.zeros((2, 3)), "dtype float64"),
        (np.full((2, 3), 3), "from 0 to 2. Received: values from 3 to 3"),
        (np.full((2, 3), -1), "values from -1 to -1"),
    ],
)
def test_tokens_that_cannot_be_are_refused(tokens, message):
    with pytest.raises(DataError, match=message):
        Tokens(3, "`ab").check(tokens)


@pytest.mark.parametrize("length, alphabet", [(0, "`ab"), (2.5, "`ab"), (3, "`"), (3, "`aa"), (3, None)])
def test_a_field_that_cannot_be_is_refused(length, alphabet):
    with pytest.raises(ConfigurationError, match="Expected a length|Expected an alphabet"):
        Tokens(length, alphabet)
