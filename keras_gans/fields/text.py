"""Text as a field: rows of character ids for the user, one-hot rows for networks."""

import keras
import numpy as np
from keras import ops

from keras_gans.fields.field import Field
from keras_gans.images import text_grid
from keras_gans_core.checks import is_whole
from keras_gans_core.errors import ConfigurationError, DataError, printable

PADDING = "`"  # the language model of WGAN-GP pads lines with it
# Printable ASCII, the padding first.
ALPHABET = PADDING + "".join(chr(code) for code in range(32, 127) if chr(code) != PADDING)
LARGEST_ALPHABET = 256  # what uint8 ids can tell apart
SHOWN = 10  # characters that an error names


class Tokens(Field):
    """Lines of text: rows of character ids for the user, one-hot rows (N, length, characters) for networks.

    Args:
        length: characters per line.
        alphabet: the characters, starting with the padding.

    Example:

    >>> field = Tokens(2, "`ab")
    >>> ops.convert_to_numpy(field.encode(np.array([[1, 0]]))).tolist()
    [[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]]
    """

    dtype = "uint8"

    def __init__(self, length, alphabet=ALPHABET):
        check_alphabet(alphabet)
        check_length(length)
        self.length, self.alphabet = length, alphabet
        self.shape = (length,)

    def __str__(self):
        return f"rows of character ids (N, {self.length}) from 0 to {len(self.alphabet) - 1}"

    def check(self, values):
        check_tokens(values, self.shape, len(self.alphabet))
        return values

    def check_source(self, about):
        given = about.get("alphabet", self.alphabet)
        if given != self.alphabet:
            raise DataError(
                f"Expected ids of the model's alphabet, {self.alphabet!r}. Received: ids of {given!r}. Pass the "
                "same alphabet to kg.data.load_text and to the model, or build the model with for_data."
            )

    def encode(self, values):
        return ops.one_hot(ops.cast(values, "int32"), len(self.alphabet), dtype="float32")

    def decode(self, encoded):
        """The ids of the most probable characters, uint8 (N, length)."""
        return ops.cast(ops.argmax(encoded, axis=-1), "uint8")

    def text(self, values):
        """The lines that ids (N, length) stand for, a list of strings."""
        return decode_text(values, self.alphabet)

    def picture(self, values, columns=None):
        """The lines one below the other, regardless of `columns`; see `kg.images.text_grid`."""
        return text_grid(self.text(values), self.length)


def check_length(length):
    """Raises a `ConfigurationError` unless `length` is a whole number of 1 or more."""
    if not is_whole(length, 1):
        raise ConfigurationError(f"Expected a length of 1 character or more. Received: {length!r}.")


def check_alphabet(alphabet):
    """Refuses an invalid alphabet.

    Raises:
        ConfigurationError: anything but a string of 2 to 256 different characters that a terminal can show.
    """
    if not isinstance(alphabet, str) or len(set(alphabet)) != len(alphabet):
        raise ConfigurationError(
            f"Expected an alphabet as a string of characters that all differ. Received: {alphabet!r}."
        )
    if not 2 <= len(alphabet) <= LARGEST_ALPHABET:
        raise ConfigurationError(
            f"Expected an alphabet of 2 to {LARGEST_ALPHABET} characters, the padding included, for ids of one byte. "
            f"Received: {len(alphabet)}. Pass an alphabet of the frequent ones, and `unknown` for the others."
        )
    if hidden := unprintable(alphabet.removeprefix("\0")):  # padding may be invisible: it is cut off
        raise ConfigurationError(
            f"Expected an alphabet of characters that can be shown. Received: {hidden!r} in it. Leave them out, and "
            "pass `unknown`, the character that replaces them in lines."
        )


def unprintable(letters):
    """The letters that a terminal cannot show or would obey, except line breaks and tabs."""
    return "".join(letter for letter in sorted(letters) if printable(letter, allowed="\n\t") != letter)[:SHOWN]


def encode_text(lines, alphabet, length, unknown=None):
    """Lines as rows of ids, the positions of their characters in `alphabet`.

    The padding is not a character for lines: a line that contains it has a character outside the alphabet.

    Args:
        lines: strings; those longer than `length` are cut.
        alphabet: 2 to 256 different characters, starting with the padding.
        length: characters per row, 1 or more.
        unknown: the character of `alphabet` that replaces those outside it; None refuses them.

    Returns:
        uint8 (N, length).

    Raises:
        ConfigurationError: an invalid alphabet or length, or an `unknown` outside the alphabet.
        DataError: one string instead of lines, or characters outside the alphabet without an `unknown`.

    Example:

    >>> encode_text(["ab", "bab!"], alphabet="`ab", length=3).tolist()
    [[1, 2, 0], [2, 1, 2]]
    """
    check_alphabet(alphabet)
    check_length(length)
    if isinstance(lines, str):
        raise DataError("Expected a list of lines. Received: one string. Pass it as [line], or split it into lines.")
    places = {character: place for place, character in enumerate(alphabet)}
    if unknown is not None and unknown not in places:
        raise ConfigurationError(f"Expected `unknown` to be a character of {alphabet!r}. Received: {unknown!r}.")
    lines = [line[:length] for line in lines]
    outside = set().union(*lines) - set(alphabet[1:])
    if outside and unknown is None:
        shown = "".join(sorted(outside)[:SHOWN])
        raise DataError(
            f"Expected lines of the characters {alphabet[1:]!r}. Received also: {shown!r}"
            f"{' and others' if len(outside) > SHOWN else ''}, where {alphabet[0]!r} pads. Pass an alphabet that has "
            "them after its first character, or `unknown`, the character that replaces them."
        )
    places.update(dict.fromkeys(outside, places.get(unknown)))
    tokens = np.zeros((len(lines), length), "uint8")
    for row, line in zip(tokens, lines):
        row[: len(line)] = [places[character] for character in line]
    return tokens


def decode_text(tokens, alphabet):
    """The lines that rows of ids stand for, without the padding at their ends.

    Args:
        tokens: integers (N, length), each the position of a character in `alphabet`.
        alphabet: the characters, starting with the padding.

    Returns:
        A list of N strings.

    Raises:
        ConfigurationError: an invalid alphabet.
        DataError: no rows of integers, or ids that stand for no character.

    Example:

    >>> decode_text(np.array([[1, 2, 0], [0, 1, 2]]), alphabet="`ab")
    ['ab', '`ab']
    """
    check_alphabet(alphabet)
    tokens = np.asarray(tokens)
    if tokens.ndim != 2 or tokens.dtype.kind not in "iu":
        raise DataError(f"Expected rows of ids, integers (N, length). Received: {tokens.dtype} {tokens.shape}.")
    if tokens.size and not 0 <= tokens.min() <= tokens.max() < len(alphabet):
        raise DataError(
            f"Expected ids from 0 to {len(alphabet) - 1}. Received: {tokens.min()} to {tokens.max()}. Pass the "
            "alphabet that they were encoded with."
        )
    return ["".join(alphabet[token] for token in row).rstrip(alphabet[0]) for row in tokens.tolist()]


def check_tokens(tokens, shape, vocabulary):
    """Refuses rows of character ids that the model cannot learn from.

    Args:
        tokens: one batch, a tensor or array (N, length).
        shape: (length,) of the model.
        vocabulary: how many characters there are.

    Raises:
        DataError: another shape or dtype, no row at all, ids that stand for no character.
    """
    sizes = tuple(tokens.shape)
    if len(sizes) != 2 or sizes[1:] != tuple(shape):
        raise DataError(
            f"Expected rows of character ids of shape (N, {shape[0]}). Received: {sizes}. Make them with "
            f"kg.data.load_text(..., length={shape[0]}) or kg.data.encode_text."
        )
    if sizes[0] == 0:
        raise DataError(f"Expected at least one row of ids in a batch (N, {shape[0]}). Received: an empty batch.")
    values = keras.ops.convert_to_numpy(tokens)
    if not np.issubdtype(values.dtype, np.integer):
        raise DataError(f"Expected character ids as integers. Received: dtype {values.dtype}. Use kg.data.encode_text.")
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >= vocabulary:
        raise DataError(
            f"Expected character ids from 0 to {vocabulary - 1}. Received: values from {low} to {high}. Encode the "
            "text with the model's own alphabet."
        )
