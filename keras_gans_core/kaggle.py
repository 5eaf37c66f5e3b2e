"""Presets among Kaggle's models, fetched by its own client, `kagglehub`."""

import contextlib
import os

from keras_gans_core import cards
from keras_gans_core.errors import (
    ConfigurationError,
    CorruptPresetError,
    HubError,
    KerasGansError,
    OutputError,
    UnknownPresetError,
    format_error,
)


def client():
    """The package `kagglehub`, imported at first use.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import kagglehub
        import kagglehub.exceptions
    except ImportError as error:
        raise ConfigurationError(
            "Expected the package kagglehub for handles that begin with kaggle://. Received: it is not installed. "
            'Install it: pip install "keras-gans[kaggle]"'
        ) from error
    return kagglehub


def fetch(name, version):
    """The folder in the client's cache with the preset's files, and the version that they are of.

    A file that is in the cache is not asked for again; one that a version does not have is. Only the files of a preset
    are fetched: no code. The client does not say how large a file is before it fetches it.

    Args:
        name: user/model/framework/variation.
        version: a whole number as text; None for the newest.

    Raises:
        UnknownPresetError: no such model or version, or one without the files of a preset.
        CorruptPresetError: files that do not match their card. They are removed from the cache.
        HubError: Kaggle cannot be reached, or refuses.
        OutputError: a file that cannot be kept in the cache.
    """
    hub, handle = client(), f"kaggle://{name}" + (f"/{version}" if version else "")
    folder = None
    for file in [file for file in cards.FILES if file != "README.md"]:  # each takes the client a second
        needed = file in ("card.json", "model.keras")  # to read the model; without a network the others may be missing
        spared = () if needed else (UnknownPresetError, HubError)
        with contextlib.suppress(*spared), _typed(hub, handle, file):
            path = hub.model_download(f"{name}/{version}" if version else name, path=file)
            folder = os.path.dirname(path)
            version = os.path.basename(folder)  # the other files are of the same
    try:
        cards.check_model(folder, cards.read_card(folder))
    except CorruptPresetError as error:
        for file in cards.FILES:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(folder, file))
        raise CorruptPresetError(
            f"Expected files that match their card. Received: {handle}, where {error} What was fetched has been "
            "removed: try again, and if it is the same, tell the model's owner."
        ) from error
    return folder, version


@contextlib.contextmanager
def _typed(hub, handle, file):
    """Turns the client's errors into the library's."""
    try:
        yield
    except hub.exceptions.KaggleApiHTTPError as error:
        status = error.response.status_code
        if status in (403, 404):  # Kaggle does not tell a private model from none
            raise UnknownPresetError(
                f"Expected a preset: card.json and model.keras. Received: {handle}, where Kaggle has no {file} that "
                "you may read. Check the spelling, or log in: kagglehub.login()"
            ) from error
        remedy = "Log in: kagglehub.login()" if status == 401 else "Try again later."
        raise HubError(
            f"Expected an answer of Kaggle to {handle}. Received: {format_error(error, 200)} {remedy}"
        ) from error
    except KerasGansError:
        raise
    except ValueError as error:  # such as a framework that Kaggle does not know
        raise UnknownPresetError(
            f"Expected kaggle://user/model/framework/variation, with a framework such as keras. Received: {handle}. "
            f"{format_error(error, 200)}"
        ) from error
    except Exception as error:  # the client raises those of the package that it makes requests with
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
            raise OutputError(
                f"Cannot keep {handle} in the cache: {error}. Make room, or set KAGGLEHUB_CACHE to another folder."
            ) from error
        raise HubError(
            f"Expected to reach Kaggle for {handle}. Received: {format_error(error, 200)} Check the network."
        ) from error
