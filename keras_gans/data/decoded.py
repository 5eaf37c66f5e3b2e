"""The decoded images of a folder, kept beside a run's checkpoints: a resumed run need not decode them again."""

import contextlib
import contextvars
import hashlib
import os
import zipfile
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from keras_gans.data.folders import names_below
from keras_gans.errors import OutputError
from keras_gans.images import atomic_write

NAME = "decoded.npz"
FORM = 2  # changes with what is kept
WORTH = 2.0  # seconds of decoding: less is not worth a file

_place = contextvars.ContextVar("place", default=None)


@contextlib.contextmanager
def kept_in(folder):
    """A context in which images that took long to decode are kept in a folder, and are taken from there again."""
    token = _place.set(Path(folder) / NAME)
    try:
        yield
    finally:
        _place.reset(token)


def forget(folder):
    """Removes what was kept in a folder."""
    (Path(folder) / NAME).unlink(missing_ok=True)


def key_of(folder, files, *settings):
    """A string that changes with the files' names, sizes and times, with the settings, and with Pillow."""
    digest = hashlib.sha256(repr((settings, PIL.__version__, Image.MAX_IMAGE_PIXELS, FORM)).encode())
    for path in files:
        about = path.stat()
        digest.update(os.fsencode(f"{'/'.join(names_below(folder, path))} {about.st_size} {about.st_mtime_ns}\n"))
    return digest.hexdigest()


def load(key):
    """What `save` kept under a key, or None."""
    path = _place.get()
    if path is None or not path.exists():
        return None
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as kept:
            if str(kept["key"]) != key:
                return None
            return kept["images"], *(kept[name].tolist() for name in ("indices", "unreadable", "notes"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # damaged: they are read again
        return None


def save(key, read, seconds):
    """Keeps images that took long to decode; a full disk keeps nothing.

    Args:
        key: see `key_of`.
        read: the images uint8 (N, ...), the indices of their files, the names of unreadable files, and notes.
        seconds: how long it took.
    """
    path = _place.get()
    if path is None or seconds < WORTH or len(read[0]) == 0:
        return
    images, indices, *words = read
    unreadable, notes = (np.array(lines, dtype=str) for lines in words)
    with contextlib.suppress(OutputError, OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as unfinished:
            np.savez(unfinished, key=key, indices=indices, images=images, unreadable=unreadable, notes=notes)
