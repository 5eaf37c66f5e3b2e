"""Folders that callbacks write to."""

import tempfile

from keras_gans.errors import OutputError


def make_writable(folder):
    """Creates `folder` and, for a moment, a file in it, so that training does not fail after its first epoch.

    Raises:
        OutputError: the folder cannot be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"Expected a folder that can be written to. Received: {folder}: {error}. Choose another folder."
        ) from error
