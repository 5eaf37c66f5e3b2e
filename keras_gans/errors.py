"""Every error that the library raises on purpose: one base class, so that a program can catch them all.

Each is also the built-in error that it resembles, so that `except ValueError` works as expected. A warning of its own
class can be silenced alone, by `warnings.filterwarnings("ignore", category=kg.errors.FewSamplesWarning)`.
"""

from keras_gans_core.errors import (
    CheckpointError,
    ConfigurationError,
    CorruptPresetError,
    DataError,
    DatasetNotFoundError,
    DivergenceError,
    FewSamplesWarning,
    HubError,
    KerasGansError,
    OutputError,
    ProtocolError,
    UnknownPresetError,
    UnsupportedError,
    UntrustedFileError,
)

__all__ = [
    "CheckpointError",
    "ConfigurationError",
    "CorruptPresetError",
    "DataError",
    "DatasetNotFoundError",
    "DivergenceError",
    "FewSamplesWarning",
    "HubError",
    "KerasGansError",
    "OutputError",
    "ProtocolError",
    "UnknownPresetError",
    "UnsupportedError",
    "UntrustedFileError",
]
