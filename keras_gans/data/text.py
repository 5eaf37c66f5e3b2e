"""Lines of text as rows of character ids."""

import os
import re
from pathlib import Path

from keras_gans.data.batches import Batches
from keras_gans.data.loading import TFDS_NAME, read_tfds
from keras_gans.errors import ConfigurationError, DataError, DatasetNotFoundError
from keras_gans.fields.text import PADDING, check_length, encode_text, unprintable
from keras_gans_core.checks import is_whole
from keras_gans_core.errors import printable


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
    """Loads lines of text into memory, as shuffled batches of character ids for `WGANGPText.fit`.

    Lines are cut or padded to `length` characters. White space around them is dropped, and so are empty lines.

    Args:
        source: one of
            - a list of lines;
            - the path of a text file in UTF-8, one example per line;
            - the name of a TFDS data set with a feature "text", one line per example, such as "name" or "name:1.0.0". A
              file of that name in the current directory comes first.
        split: of a TFDS data set, such as "train" or "train[:10%]". The other sources have only "train".
        length: characters per line, 1 or more.
        alphabet: the characters, starting with the padding; None for a backtick and then those of the lines.
        unknown: the character of `alphabet` that replaces those outside it; None refuses them.
        batch_size, shuffle, seed: see `Batches`.
        take: the maximum number of lines; the first ones are taken. None for all.
        download, data_dir: see `load`.

    Returns:
        `Batches` of tokens, uint8 ids (N, length); `about["alphabet"]` is what `decode_text` and the model need.

    Raises:
        DatasetNotFoundError: nothing was found.
        DataError: no lines, a file that is not text, or characters outside the alphabet.
        ConfigurationError: arguments out of range, or an invalid alphabet; see `check_alphabet`.

    Example:

    >>> batches = kg.data.load_text(["a cat", "a dog barks"], length=5, batch_size=2, shuffle=False)
    >>> batches.about["alphabet"]
    '` acdgot'
    >>> kg.data.decode_text(batches[0]["tokens"], batches.about["alphabet"])
    ['a cat', 'a dog']
    """
    check_length(length)
    if take is not None and not is_whole(take, 1):
        raise ConfigurationError(f"Expected to take 1 line or more, or None. Received: take={take!r}.")
    lines, about = _read(source, split, take, download, data_dir)
    lines = [line.strip()[:length] for line in lines]
    lines = [line for line in lines if line][:take]
    if not lines:
        raise DataError(f"Expected at least one line of text. Received: none in {about['name']}.")
    if alphabet is None:
        if hidden := unprintable(set().union(*lines)):
            raise DataError(
                f"Expected lines of characters that can be shown. Received: {hidden!r} in {about['name']}. Remove "
                "them, or pass an alphabet without them and `unknown`, the character that replaces them."
            )
        alphabet = PADDING + "".join(sorted(set().union(*lines) - {PADDING}))
    tokens = encode_text(lines, alphabet, length, unknown)
    about = {"license": f"of the {about['source']}'s owner", **about, "split": split, "examples": len(lines)}
    about.update(length=length, alphabet=alphabet)
    return Batches(tokens=tokens, batch_size=batch_size, shuffle=shuffle, seed=seed, about=about)


def _read(source, split, take, download, data_dir):
    """The lines of a source, and facts about it."""
    if isinstance(source, (list, tuple)):
        if not all(isinstance(line, str) for line in source):
            raise DataError("Expected lines as strings. Received: a list with something else in it.")
        lines, about = source, {"name": "list", "source": "list"}
    elif not isinstance(source, (str, os.PathLike)):
        raise DataError(
            f"Expected a list of lines, a text file or the name of a data set. Received: {type(source).__name__}."
        )
    elif os.path.isfile(path := Path(os.path.expanduser(source))):
        try:
            lines = path.read_text(encoding="utf-8-sig").split("\n")
        except (OSError, ValueError) as error:
            raise DataError(
                f"Expected a text file in UTF-8. Received: {path}: {error}. Convert it, for instance with iconv."
            ) from error
        about = {"name": printable(path.name), "source": "file"}
    elif isinstance(source, os.PathLike) or not re.fullmatch(TFDS_NAME, source):
        raise DatasetNotFoundError(
            f"Expected a text file or the name of a data set. Received: {str(source)!r}, which is not a file. "
            f"Looked in: {path.absolute().parent}."
        )
    else:
        texts, _, about = read_tfds("text", source, split, take, download, data_dir)
        return [text.decode("utf-8") for text in texts], about
    if split != "train":
        raise DataError(f"A {about['source']} is one split. Expected split='train'. Received: {split!r}.")
    return lines, about
