"""Every error that the library raises on purpose: one base class, so that a program can catch them all.

Each is also the built-in error that it resembles, so that `except ValueError` works as expected. A warning of its own
class can be silenced alone, by `warnings.filterwarnings("ignore", category=kg.errors.FewSamplesWarning)`.
"""

from keras_gans_cli.errors import CorruptPresetError, KerasGansError, UnknownPresetError

__all__ = [
    "CheckpointError",
    "ConfigurationError",
    "CorruptPresetError",
    "DataError",
    "DatasetNotFoundError",
    "FewSamplesWarning",
    "KerasGansError",
    "OutputError",
    "ProtocolError",
    "UnknownPresetError",
    "UnsupportedError",
]


class ConfigurationError(KerasGansError, ValueError):
    """An argument, a network or a combination of options that cannot work."""


class DataError(KerasGansError, ValueError):
    """Images or labels that do not fit the model: shape, dtype, range, count."""


class DatasetNotFoundError(KerasGansError, FileNotFoundError):
    """A data set that is not where it was looked for."""


class CheckpointError(KerasGansError, ValueError):
    """A training checkpoint that cannot be continued."""


class OutputError(KerasGansError, OSError):
    """A file or folder that cannot be written."""


class ProtocolError(KerasGansError, ValueError):
    """Numbers that were measured in different ways and cannot be compared."""


class UnsupportedError(KerasGansError, NotImplementedError):
    """A feature that the current Keras backend does not have."""


class FewSamplesWarning(UserWarning):
    """A number that is right, of so few samples that it is far from that of many."""
