"""The errors that the zoo's cards can raise; `keras_gans.errors` has all."""


class KerasGansError(Exception):
    """The base of all errors of keras_gans."""


class UnknownPresetError(KerasGansError, ValueError):
    """A name that no zoo folder holds, or one of another kind of model."""


class CorruptPresetError(KerasGansError, ValueError):
    """A zoo file that is not the one its card describes, or a card that cannot be read."""


def shown(error, longest=300):
    """What an error says, on one short line that a terminal can show: Keras's say all of a stranger's config."""
    text = " ".join(str(error).split())
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[: longest + 1])
    return f"{type(error).__name__}: {text if len(text) <= longest else text[:longest] + ' ...'}"
