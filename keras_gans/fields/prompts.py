"""Prompts: sentences as a field, rows of word ids for networks."""

import unicodedata
import warnings

import keras
import numpy as np
from keras import ops

from keras_gans.fields.field import Field
from keras_gans_core.cards import did_you_mean
from keras_gans_core.checks import is_whole
from keras_gans_core.errors import ConfigurationError, DataError, printable

OF_WORDS = "LMN"  # Unicode's letters, marks, which are vowels and accents of many scripts, and numbers
SHOWN = 10  # words that a message names


def words_of(text):
    """The words of a sentence: its runs of letters, with their accents and vowel signs, and digits, in lower case.
    Whatever is between two runs only separates them.

    >>> words_of("A face, with LONG red-brown hair!")
    ['a', 'face', 'with', 'long', 'red', 'brown', 'hair']
    """
    kept = (letter if unicodedata.category(letter)[0] in OF_WORDS else " " for letter in text.lower())
    return "".join(kept).split()


@keras.saving.register_keras_serializable(package="keras_gans")
class Prompts(Field):
    """Sentences that say what to generate. `generate` takes text; `fit` and `sample` take rows of word ids, as
    `kg.data.load_captions` makes them.

    An id is the place of a word in the vocabulary, counted from 1; zeros fill the rest of a row. A word that is not in
    the vocabulary is left out, with a warning that names it: a network has never seen it.

    Args:
        vocabulary: the words, a list of texts as `words_of` makes them, all different.
        length: the largest number of words in a prompt.

    Raises:
        ConfigurationError: a vocabulary or a length that cannot be.

    Example:

    >>> prompts = Prompts(["a", "face", "hat", "with"], length=5)
    >>> prompts.asked(["A face with a hat.", "a hat"]).tolist()
    [[1, 2, 4, 1, 3], [1, 3, 0, 0, 0]]
    >>> prompts.text(prompts.asked("Face with hat"))
    ['face with hat']
    """

    dtype = "int32"

    def __init__(self, vocabulary, length):
        texts = isinstance(vocabulary, (list, tuple)) and all(isinstance(word, str) for word in vocabulary)
        if not texts or not vocabulary or len(set(vocabulary)) < len(vocabulary):
            raise ConfigurationError(
                f"Expected a vocabulary of different words, a list of text. Received: {vocabulary!r:.100}."
            )
        if wrong := [word for word in vocabulary if words_of(word) != [word]]:
            raise ConfigurationError(
                f"Expected words in lower case, of letters and digits alone. Received: {wrong[0]!r:.60}. "
                "kg.fields.words_of makes them of text."
            )
        if not is_whole(length, 1):
            raise ConfigurationError(f"Expected a length of 1 word or more. Received: {length!r}.")
        self.vocabulary, self.length = tuple(vocabulary), int(length)
        self.shape = (self.length,)
        self.places = {word: place for place, word in enumerate(self.vocabulary, 1)}

    def __str__(self):
        return f"prompts, text of up to {self.length} of {len(self.vocabulary)} words"

    def check(self, values):
        try:
            ids = ops.convert_to_numpy(values) if ops.is_tensor(values) else np.asarray(values)
        except ValueError as error:
            raise DataError(f"Expected prompts as {self._rows()}. Received: rows of several lengths.") from error
        if ids.dtype.kind in "USO":
            raise DataError(
                f"Expected prompts as {self._rows()}. Received: text. Load images and captions with "
                "kg.data.load_captions, or make ids of text with kg.fields.Prompts(...).asked(texts)."
            )
        if ids.ndim != 2 or ids.shape[1:] != self.shape or ids.dtype.kind not in "iu":
            raise DataError(f"Expected prompts as {self._rows()}. Received: {ids.dtype} {ids.shape}.")
        if len(ids) == 0:
            raise DataError(f"Expected at least one prompt. Received: an empty batch {ids.shape}.")
        if ids.min() < 0 or ids.max() > len(self.vocabulary):
            raise DataError(
                f"Expected prompts as {self._rows()}. Received: ids from {ids.min()} to {ids.max()}. Make them with "
                "the model's own vocabulary."
            )
        if not (ids > 0).any(axis=1).all():
            empty = np.flatnonzero(~(ids > 0).any(axis=1))
            raise DataError(f"Expected prompts with a word or more. Received: none in row {empty[0]}.")
        return ids

    def _rows(self):
        return f"rows of word ids (N, {self.length}) from 0 to {len(self.vocabulary)}"

    def check_source(self, about):
        given = about.get("vocabulary")
        if given is not None and tuple(given) != self.vocabulary:
            raise DataError(
                f"Expected ids of the model's {len(self.vocabulary)} words. Received: ids of {len(given)} other words. "
                "Pass vocabulary=model.prompts.vocabulary to kg.data.load_captions, or build the model with for_data."
            )

    def asked(self, values):
        """The ids of prompts that are text, one or a list of them, int32 (N, length); ids pass as in `check`.

        Raises:
            DataError: anything but text or ids; no text, or text without a word that the vocabulary has; or too many
                words.

        Warns:
            UserWarning: words that are not in the vocabulary.
        """
        if isinstance(values, np.ndarray) and values.dtype.kind in "USO":
            values = values.tolist()
        if isinstance(values, str):
            return self.ids([values])
        if isinstance(values, (list, tuple)) and any(isinstance(value, (str, bytes)) for value in values):
            return self.ids(values)
        try:
            values = ops.convert_to_numpy(values) if ops.is_tensor(values) else np.asarray(values)
        except ValueError:
            values = np.array(None)
        if values.dtype.kind not in "iu":
            raise DataError(f"Expected prompts as text, or {self._rows()}. Received: {_described(values)}.")
        return self.check(values[None] if values.ndim == 1 else values)

    def ids(self, texts):
        """`asked` for a list of texts alone."""
        rows, unknown = np.zeros((len(texts), self.length), "int32"), {}
        for row, text in zip(rows, texts):
            if not isinstance(text, str):
                raise DataError(f"Expected prompts as text. Received: a {type(text).__name__}, {text!r:.60}.")
            words = words_of(text)
            if not words:
                raise DataError(
                    f"Expected prompts with a word or more. Received: {printable(text)!r:.60}. Write what to generate, "
                    f"in words such as {self._some_words()}."
                )
            known = [self.places[word] for word in words if word in self.places]
            unknown.update(dict.fromkeys(word for word in words if word not in self.places))
            if not known:
                raise DataError(
                    f"Expected prompts of words that the model knows. Received: {printable(text)!r:.60}. "
                    f"{did_you_mean(words[0], self.vocabulary) or f'It knows {self._some_words()}.'}"
                )
            if len(known) > self.length:
                raise DataError(
                    f"Expected prompts of up to {self.length} words. Received: {len(known)} words, "
                    f"{printable(text)!r:.60}. Shorten it."
                )
            row[: len(known)] = known
        if unknown:
            self._warn(list(unknown))
        return rows

    def _warn(self, unknown):
        first = printable(unknown[0])
        named = ", ".join(repr(printable(word)) for word in unknown[:SHOWN]) + (", ..." if unknown[SHOWN:] else "")
        known = did_you_mean(first, self.vocabulary) or f"It knows {self._some_words()}."
        warnings.warn(f"Left out of the prompts, since the model does not know it: {named}. {known}", stacklevel=3)

    def _some_words(self):
        return ", ".join(self.vocabulary[:SHOWN]) + (", ..." if self.vocabulary[SHOWN:] else "")

    def text(self, values):
        """The prompts that ids (N, length) stand for, a list of text: lower case, without punctuation."""
        return [" ".join(self.vocabulary[i - 1] for i in row if i > 0) for row in np.asarray(values).tolist()]

    def encode(self, values):
        return ops.cast(values, "int32")

    def get_config(self):
        return {"vocabulary": list(self.vocabulary), "length": self.length}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __eq__(self, other):
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self):
        return hash((self.vocabulary, self.length))


def _described(values):
    return f"{values.item()!r:.60}" if values.ndim == 0 else f"{values.dtype} {values.shape}"
