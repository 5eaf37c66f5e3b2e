"""Every error that the library raises on purpose, and how an error is shown. Users find them in `keras_gans.errors`."""

import re
import unicodedata

HIDDEN = ("Cc", "Cs")  # control characters, which can rewrite what a terminal shows, and halves of surrogate pairs
TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # turn the text after them around


def printable(text, allowed=""):
    """A text with escapes in the place of what a terminal cannot show, or would obey, except for `allowed` characters.

    Names of files and folders may have any bytes in them, and texts from files any characters.

    >>> print(printable("cat\\x1b[2J\\udcff"))
    cat\\x1b[2J\\udcff
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        ascii(letter)[1:-1] if _cannot_be_shown(letter) and letter not in allowed else letter for letter in text
    )


def _cannot_be_shown(letter):
    return unicodedata.category(letter) in HIDDEN or unicodedata.bidirectional(letter) in TURNING


class KerasGansError(Exception):
    """The base of all errors of keras_gans. A terminal can show their texts, whatever is in a file's name; what has
    more than 500 letters without a space is cut."""

    def __str__(self):
        return re.sub(r"(\S{500})\S+", r"\1...", printable(super().__str__(), allowed="\n\t"))


class ConfigurationError(KerasGansError, ValueError):
    """An argument, a network or a combination of options that cannot work."""


class DataError(KerasGansError, ValueError):
    """Images or labels that do not fit the model: shape, dtype, range, count."""


class DatasetNotFoundError(KerasGansError, FileNotFoundError):
    """A data set that is not where it was looked for."""


class DivergenceError(KerasGansError, ArithmeticError):
    """A training whose losses or weights are no longer finite."""


class CheckpointError(KerasGansError, ValueError):
    """A training checkpoint that cannot be continued."""


class HubError(KerasGansError, ConnectionError):
    """A hub of models that cannot be reached, or that refuses what it was asked for."""


class OutputError(KerasGansError, OSError):
    """A file or folder that cannot be written."""


class ProtocolError(KerasGansError, ValueError):
    """Numbers that were measured in different ways and cannot be compared."""


class UnsupportedError(KerasGansError, NotImplementedError):
    """A feature that the current Keras backend does not have, a format that cannot hold a model, or a package that is
    not installed."""


class UnknownPresetError(KerasGansError, ValueError):
    """A name that is in no zoo folder, or that belongs to another kind of model."""


class CorruptPresetError(KerasGansError, ValueError):
    """A zoo file that is not the one its card describes, or a card that cannot be read."""


class UntrustedFileError(KerasGansError, ValueError):
    """A model's file that needs code: layers of somebody's own that are not imported, or code in the file itself."""


class FewSamplesWarning(UserWarning):
    """A metric from few samples. It is computed correctly, but is far from its value for many samples."""


def format_error(error, longest=300):
    """The name and the text of an error, on one short line that a terminal can show.

    Keras's errors repeat the whole config of a file, which may be untrusted. The text is cut after `longest`
    characters, and control characters are escaped.
    """
    text = " ".join(str(error).split())
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[: longest + 1])
    return f"{type(error).__name__}: {text if len(text) <= longest else text[:longest] + ' ...'}"
