"""The decoded images of a folder, kept beside a run's checkpoints: a resumed run need not decode them again."""

import contextlib
import contextvars
import hashlib
import zipfile
from pathlib import Path

import numpy as np
import PIL

from keras_gans.errors import OutputError
from keras_gans.images import atomic_write

NAME = "decoded.npz"
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
    digest = hashlib.sha256(repr((settings, PIL.__version__)).encode())
    for path in files:
        about = path.stat()
        digest.update(f"{path.relative_to(folder)} {about.st_size} {about.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def load(key):
    """({index of a file: image}, names of unreadable files) that were kept under a key, or None."""
    path = _place.get()
    if path is None or not path.exists():
        return None
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as kept:
            if str(kept["key"]) != key:
                return None
            return dict(zip(kept["indices"].tolist(), kept["images"])), kept["unreadable"].tolist()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # damaged: they are read again
        return None


def save(key, read, unreadable, seconds):
    """Keeps what `load` returns, if images of one shape and depth took long to decode; a full disk keeps nothing."""
    path = _place.get()
    if path is None or seconds < WORTH or len({(image.shape, image.dtype) for image in read.values()}) != 1:
        return
    images, names = np.stack(list(read.values())), np.array(unreadable, dtype=str)
    with contextlib.suppress(OutputError, OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as unfinished:
            np.savez(unfinished, key=key, indices=np.array(list(read)), images=images, unreadable=names)
