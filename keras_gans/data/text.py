"""Lines of text as rows of character ids."""

import os
import re
from pathlib import Path

import numpy as np

from keras_gans.data.batches import Batches
from keras_gans.data.checks import is_whole
from keras_gans.data.loading import TFDS_NAME, read_tfds
from keras_gans.errors import ConfigurationError, DataError, DatasetNotFoundError

PADDING = "`"  # the language model of WGAN-GP fills lines up with it
# Printable ASCII, the padding first.
ALPHABET = PADDING + "".join(chr(code) for code in range(32, 127) if chr(code) != PADDING)
LARGEST_ALPHABET = 256  # what uint8 ids can tell apart
SHOWN = 10  # characters that an error names


def load_text(
    source,
    *,
    split="train",
    length=32,
    alphabet=None,
    unknown=None,
    batch_size=64,
    take=None,
    shuffle=True,
    seed=0,
    download=False,
    data_dir=None,
):
    """Lines of text, whole in memory, as shuffled batches of character ids for `WGANGPText.fit`.

    A line is cut after `length` characters, or padded to them; white space around it is dropped, and so are empty
    lines.

    Args:
        source: one of
            - a list of lines;
            - the path of a text file in UTF-8, a line each;
            - the name of a TFDS data set with a feature "text", a line each, such as "name" or "name:1.0.0". A file of
              that name in the current directory comes first.
        split: of a TFDS data set, such as "train" or "train[:10%]". The other sources have "train" alone.
        length: characters a line, 1 or more.
        alphabet: the characters, the first of which pads; None for those of the lines after a backtick.
        unknown: the character of `alphabet` that takes the place of those outside it; None refuses them.
        batch_size, shuffle, seed: see `Batches`.
        take: at most so many lines, the first ones; None for all.
        download, data_dir: see `load`.

    Returns:
        `Batches` of ids uint8 (N, length); `about["alphabet"]` is what `decode_text` and the model need.

    Raises:
        DatasetNotFoundError: nothing there.
        DataError: no lines, a file that is no text, or characters outside the alphabet.
        ConfigurationError: arguments out of range, or an alphabet that cannot be; see `check_alphabet`.

    Example:

    >>> batches = kg.data.load_text(["a cat", "a dog barks"], length=5, batch_size=2, shuffle=False)
    >>> batches.about["alphabet"]
    '` acdgot'
    >>> kg.data.decode_text(batches.at(0)[0], batches.about["alphabet"])
    ['a cat', 'a dog']
    """
    _check_length(length)
    if take is not None and not is_whole(take, 1):
        raise ConfigurationError(f"Expected to take 1 line or more, or None. Received: take={take!r}.")
    lines, about = _read(source, split, take, download, data_dir)
    lines = [line.strip()[:length] for line in lines]
    lines = [line for line in lines if line][:take]
    if not lines:
        raise DataError(f"Expected at least one line of text. Received: none in {about['name']}.")
    if alphabet is None:
        alphabet = PADDING + "".join(sorted(set().union(*lines) - {PADDING}))
    tokens = encode_text(lines, alphabet, length, unknown)
    about = {"license": f"of the {about['source']}'s owner", **about, "split": split, "examples": len(lines)}
    about.update(length=length, alphabet=alphabet)
    return Batches(tokens, batch_size=batch_size, shuffle=shuffle, seed=seed, about=about)


def _read(source, split, take, download, data_dir):
    """The lines of a source, and what is known of it."""
    if isinstance(source, (list, tuple)):
        if not all(isinstance(line, str) for line in source):
            raise DataError("Expected lines as strings. Received: a list with something else in it.")
        lines, about = source, {"name": "list", "source": "list"}
    elif not isinstance(source, (str, os.PathLike)):
        raise DataError(
            f"Expected a list of lines, a text file or the name of a data set. Received: {type(source).__name__}."
        )
    elif (path := Path(source).expanduser()).is_file():
        try:
            lines = path.read_text(encoding="utf-8-sig").split("\n")
        except ValueError as error:
            raise DataError(
                f"Expected a text file in UTF-8. Received: {path}: {error}. Convert it, for instance with iconv."
            ) from error
        about = {"name": path.name, "source": "file"}
    elif isinstance(source, os.PathLike) or not re.fullmatch(TFDS_NAME, source):
        raise DatasetNotFoundError(
            f"Expected a text file or the name of a data set. Received: {str(source)!r}, which is no file. Looked in: "
            f"{path.absolute().parent}."
        )
    else:
        texts, _, about = read_tfds("text", source, split, take, download, data_dir)
        return [text.decode("utf-8") for text in texts], about
    if split != "train":
        raise DataError(f"A {about['source']} is one split. Expected split='train'. Received: {split!r}.")
    return lines, about


def _check_length(length):
    if not is_whole(length, 1):
        raise ConfigurationError(f"Expected a length of 1 character or more. Received: {length!r}.")


def check_alphabet(alphabet):
    """Refuses what cannot be an alphabet.

    Raises:
        ConfigurationError: no string of 2 to 256 different characters.
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


def encode_text(lines, alphabet, length, unknown=None):
    """Lines as rows of ids, the places of their characters in `alphabet`.

    The padding is no character of a line: where one has it, it is taken for one outside the alphabet.

    Args:
        lines: strings; what is longer than `length` is cut.
        alphabet: 2 to 256 different characters, the first of which pads.
        length: characters a row, 1 or more.
        unknown: the character of `alphabet` that takes the place of those outside it; None refuses them.

    Returns:
        uint8 (N, length).

    Raises:
        ConfigurationError: an alphabet or a length that cannot be, or an `unknown` outside the alphabet.
        DataError: one string in place of lines, or characters outside the alphabet, and no `unknown`.

    Example:

    >>> encode_text(["ab", "bab!"], alphabet="`ab", length=3).tolist()
    [[1, 2, 0], [2, 1, 2]]
    """
    check_alphabet(alphabet)
    _check_length(length)
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
            "them after its first character, or `unknown`, the character that takes their place."
        )
    places.update(dict.fromkeys(outside, places.get(unknown)))
    tokens = np.zeros((len(lines), length), "uint8")
    for row, line in zip(tokens, lines):
        row[: len(line)] = [places[character] for character in line]
    return tokens


def decode_text(tokens, alphabet):
    """The lines that rows of ids stand for, without the padding at their ends.

    Args:
        tokens: integers (N, length), each the place of a character in `alphabet`.
        alphabet: the characters, the first of which pads.

    Returns:
        A list of N strings.

    Raises:
        ConfigurationError: an alphabet that cannot be.
        DataError: no rows of integers, or ids that name no character.

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
