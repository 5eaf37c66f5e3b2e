"""Files in zip files, read in place: a zip file of images is a folder that need not be unpacked."""

import functools
import io
import os
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from keras_gans.data.arrays import FREE_BYTES, METHODS, MOST_UNPACKED
from keras_gans.errors import DataError

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)  # RuntimeError: a password


class Zipped(PurePosixPath):
    """A path that leads through a zip file: photos.zip/cat/0.png. It is read as a `pathlib.Path` of a folder is.

    Nothing is unpacked to the disk, and a file is unpacked in memory only if it is not suspiciously small for what it
    declares. A name that would lead out of the zip file is refused.

    Example:

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp(), "photos.zip")
    >>> with zipfile.ZipFile(place, "w") as file:
    ...     file.writestr("cat/about.txt", "a cat")
    >>> (Zipped(place) / "cat" / "about.txt").read_text()
    'a cat'
    """

    __slots__ = ()

    def resolve(self):
        return Zipped(Path(self).resolve())

    def is_file(self):
        return self._info() is not None

    def open(self, mode="r", encoding=None, newline=None):
        """The file, in memory.

        Raises:
            FileNotFoundError: the zip file does not have it.
            ValueError: it is damaged, encrypted, or declares more than 100 times its bytes and 64 MiB.
        """
        zip_path, about = self._zip_path(), self._info()
        if about is None:
            raise FileNotFoundError(f"No such file in a zip file: {self}")
        if about.file_size > MOST_UNPACKED * about.compress_size + FREE_BYTES or about.compress_type not in METHODS:
            raise ValueError(f"{about.compress_size} bytes for {about.file_size}, or an unusual compression")
        try:
            content = _Content(_opened(zip_path, *_identity(zip_path))[0].read(about))
        except DAMAGED as error:
            raise ValueError(f"damaged in its zip file: {error}") from error
        content.name = str(self)
        return content if "b" in mode else io.TextIOWrapper(content, encoding, newline=newline)

    def read_text(self, encoding=None):
        with self.open(encoding=encoding) as file:
            return file.read()

    def stat(self):
        """What `os.stat` says of a file, as far as a zip file knows it: its size, and its checksum as its time."""
        about = self._info()
        if about is None:
            raise FileNotFoundError(f"No such file in a zip file: {self}")
        return _Stat(about)

    def walk(self):
        """As `os.walk`: (place, names of folders, names of files)."""
        inside = {}
        for name in sorted(_opened(str(self), *_identity(str(self)))[1]):
            place, _, last = name.rpartition("/")
            inside.setdefault(place, []).append(last)
        below = {}
        for place in inside:
            while place:
                above, _, last = place.rpartition("/")
                below.setdefault(above, set()).add(last)
                place = above
        waiting = [""]
        while waiting:
            place = waiting.pop()
            names = sorted(below.get(place, ()))
            yield self / place, names, inside.get(place, [])
            waiting += [f"{place}/{name}".lstrip("/") for name in names]

    def _zip_path(self):
        paths = (str(self), *map(str, self.parents))
        return next((path for path in paths if path in _KNOWN or _is_known(path)), None)

    def _info(self):
        zip_path = self._zip_path()
        if zip_path is None:  # an absolute name leads out of it
            return None
        return _opened(zip_path, *_identity(zip_path))[1].get(str(self)[len(zip_path) + 1 :])


class _Content(io.BytesIO):
    def __repr__(self):
        return repr(self.name)  # as errors of Pillow's show it


class _Stat:
    def __init__(self, about):
        self.st_size, self.st_mtime_ns = about.file_size, about.CRC


_KNOWN = set()  # paths that are zip files: most of a path's parents are folders in one


def _is_known(path):
    if not os.path.isfile(path):
        return False
    _KNOWN.add(path)
    return True


def _identity(path):
    try:
        about = os.stat(path)
    except OSError as error:
        raise DataError(
            f"Expected the zip file {path} until all is read. Received: {error.strerror}. Put it back, and go on with "
            "the last checkpoint."
        ) from error
    return about.st_size, about.st_mtime_ns


@functools.lru_cache(maxsize=4)
def _opened(path, size, time):
    """The open zip file, and {name: what it says of it} of its files."""
    members = _members(path)
    files = {about.filename: about for about in members.infolist() if not about.is_dir()}
    for name in files:
        if name.startswith("/") or ".." in name.split("/") or "\\" in name:
            raise DataError(
                f"Expected files inside of {path}. Received: {name!r:.200}, which leads out of it. Make it anew."
            )
    return members, files


def _members(path):
    try:
        return zipfile.ZipFile(path)
    except (*DAMAGED, OSError, ValueError) as error:
        raise DataError(f"Expected a zip file of images. Received: {path}: {error}. Make it anew.") from error


def is_zip_of_images(path):
    """Whether a file is a zip file, and none of arrays as NumPy writes them."""
    if path.suffix.lower() == ".npz" or not os.path.isfile(path) or not zipfile.is_zipfile(path):
        return False
    with _members(path) as members:
        return not any(name.endswith(".npy") for name in members.namelist())
