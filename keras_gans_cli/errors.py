"""The errors that the zoo's cards can raise; `keras_gans.errors` has all."""


class KerasGansError(Exception):
    """The base of all errors of keras_gans."""


class UnknownPresetError(KerasGansError, ValueError):
    """A name that no zoo folder holds, or one of another kind of model."""


class CorruptPresetError(KerasGansError, ValueError):
    """A zoo file that is not the one its card describes, or a card that cannot be read."""
