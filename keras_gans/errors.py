"""Every error that the library raises on purpose: one base class, so that a program can catch them all.

Each is also the built-in error that it resembles, so that `except ValueError` works as expected.
"""


class KerasGansError(Exception):
    """The base of all errors of keras_gans."""


class ConfigurationError(KerasGansError, ValueError):
    """An argument, a network or a combination of options that cannot work."""


class DataError(KerasGansError, ValueError):
    """Images or labels that do not fit the model: shape, dtype, range, count."""


class DatasetNotFoundError(KerasGansError, FileNotFoundError):
    """A data set that is not where it was looked for."""


class UnknownPresetError(KerasGansError, ValueError):
    """A name that no zoo folder holds."""


class CorruptPresetError(KerasGansError, ValueError):
    """A zoo file that is not the one its card describes, or a card that cannot be read."""


class CheckpointError(KerasGansError, ValueError):
    """A training checkpoint that cannot be continued."""


class OutputError(KerasGansError, OSError):
    """A file or folder that cannot be written."""


class UnsupportedError(KerasGansError, NotImplementedError):
    """A feature that the current Keras backend does not have."""
