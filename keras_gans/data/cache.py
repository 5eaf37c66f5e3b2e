"""Decoded images on the disk, in a folder that runs share: decoded once, and read in batches from then on.

KEY.images      the images, uint8, one after the other, without a head: np.memmap(path, "uint8", shape=...) reads them;
                maps of instances are uint16
KEY.about       what is known of them, with a checksum of each: NumPy's .npz; written last
KEY.lock        held by the run that writes them

Rows are read from the file, not through a memory map: a map that is cut off while it is read would end the process, and
the pages of a map count as the process's own memory.
"""

import contextlib
import hashlib
import os
import shutil
import sys
import threading
import warnings
import weakref
import zipfile
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import keras
import numpy as np
import PIL
from PIL import Image

from keras_gans.data.ahead import usable_processors
from keras_gans.data.decoding import transparency_notes
from keras_gans.data.folders import names_below
from keras_gans.data.lazy import FileImages, Found, LazyArray, digest_of, look_at, sample_of, states_of
from keras_gans.data.progress import shown
from keras_gans.errors import DataError, OutputError
from keras_gans.images import atomic_write, remove_unfinished
from keras_gans_core import memory
from keras_gans_core.errors import format_error, printable

FORM = 1  # changes with what is kept
PIECE = 2**19  # bytes of images that a thread decodes at a time


class CachedImages(LazyArray):
    """Images that were decoded before, read when they are indexed: uint8 (N, height, width, channels), or maps.

    An image whose checksum is wrong is decoded from its file again, and mended in the cache. The first one is said.

    Args:
        path: the file of images.
        sums: their checksums, uint32 (N,).
        files: `FileImages`, the same images.
        digest: their fingerprint.
    """

    def __init__(self, path, sums, files, digest):
        self.place, self.sums, self.files, self.digest = path, sums, files, digest
        self.shape, self.dtype, self.said = files.shape, files.dtype, False
        self._open()

    def _open(self):
        self.file, self.lock = open(self.place, "rb", buffering=0), threading.Lock()
        weakref.finalize(self, self.file.close)

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name not in ("file", "lock")}

    def __setstate__(self, state):
        vars(self).update(state)
        self._open()

    def rows(self, numbers):
        # Zeros, because of a file that was cut off nothing is read, and memory may still hold the same image.
        found, size = np.zeros((len(numbers), *self.shape[1:]), self.dtype), self.row_bytes
        for row, number in zip(found, numbers.tolist()):
            with self.lock, contextlib.suppress(OSError):
                self.file.seek(number * size)
                self.file.readinto(row)
            if zlib.crc32(row) != self.sums[number]:
                self._mend(number, row)
        return found

    def _mend(self, number, row):
        if not self.said:  # the rest of a file that was cut off may be thousands
            self.said = True
            warnings.warn(
                f"The cache {self.place} is damaged, first at {self.files.names[number]}. What is damaged is decoded "
                "from its file again.",
                stacklevel=2,
            )
        row[...] = self.files[number]
        with contextlib.suppress(OSError), open(self.place, "rb+") as file:  # it may be for reading only
            file.seek(number * self.row_bytes)
            file.write(row)

    def fingerprint(self):
        """That of the files; see `FileImages.fingerprint`."""
        return self.digest


def cached(place, folder, files, image_size, channels, take, shape_of, kind=FileImages, settings=()):
    """The images of files from a cache, which is made if there is none: (`CachedImages`, what `look_at` returns).

    There is no cache, but None, where no file can be read.

    Of two runs that need the same images at once, one makes them, and the other waits.

    Args:
        place: the folder of caches.
        folder, files, image_size, channels, take: see `look_at`.
        shape_of: function from what `look_at` returns to the shape of one image.
        kind: `FileImages`, or a function of its arguments that returns others which are decoded in another way.
        settings: what that way depends on.

    Raises:
        DataError: see `look_at`; or files that change meanwhile.
        OutputError: the folder cannot be written to, or has too little space.
    """
    place, states = Path(os.path.expanduser(place)), states_of(files, folder)
    settings = image_size, channels, take, PIL.__version__, Image.MAX_IMAGE_PIXELS, FORM, len(files), *settings
    digest = hashlib.sha256(repr(settings).encode())
    for path, state in zip(files, states.tolist()):
        digest.update(os.fsencode(f"{'/'.join(names_below(folder, path))} {state}\n"))
    for number in sample_of(len(files)):  # other images may have the same names, sizes and times
        with contextlib.suppress(DataError):  # what cannot be read is left out
            digest.update(digest_of(files[number]))
    path = place / f"{digest.hexdigest()[:32]}.images"
    found, _ = _read(path, folder, files, states, kind)
    if found is not None:
        return found
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path.with_suffix(".lock"))
        with _held(lock, path):
            found, damage = _read(path, folder, files, states, kind)
            if found is not None:
                return found
            if damage is not None:
                warnings.warn(f"The cache {path} is damaged: {damage}. It is made again.", stacklevel=5)
            path.with_suffix(".about").unlink(missing_ok=True)
            remove_unfinished(place, path.stem)
            found = _make(path, folder, files, states, image_size, channels, take, shape_of, kind)
            if not found.read:
                return None, found
            found, damage = _read(path, folder, files, states, kind)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        open_elsewhere = " On Windows a run that reads it must end first." if os.name == "nt" else ""
        raise OutputError(
            f"Cannot write {path}: {error}. Choose a folder that can be written to.{open_elsewhere}"
        ) from error
    if found is None:
        raise OutputError(f"Expected the cache {path} that was just written. Received: {damage}. Choose another disk.")
    return found


@contextlib.contextmanager
def _held(lock, path):
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        if keras.config.is_interactive_logging_enabled():
            print(f"Waiting for the run that makes {printable(str(path))}", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _read(path, folder, files, states, kind):
    """What is in a cache, or None; and what is wrong with it, or None."""
    about_path = path.with_suffix(".about")
    if not about_path.exists():
        return None, None  # what was begun is not there yet
    try:
        with open(about_path, "rb") as file, np.load(file, allow_pickle=False) as kept:
            names = ("sums", "read", "shape", "bits", "image_size", "channels", "unreadable", "notes", "digest")
            about = {name: kept[name] for name in names}
        read = about["read"].tolist()
        shape, size = tuple(about["shape"].tolist()), tuple(about["image_size"].tolist()) or None
        words = (about[name].tolist() for name in ("unreadable", "notes"))
        channels, bits = int(about["channels"]) or None, int(about["bits"])
        found = Found([files[i] for i in read], read, size, channels, shape, bits, *words, {})
        images, there = kind(folder, found, states[about["read"]]), path.stat().st_size
        if there != images.nbytes or len(about["sums"]) != len(read):
            return None, f"{there} bytes instead of {images.nbytes}"
        return (CachedImages(path, about["sums"], images, str(about["digest"])), found), None
    except (OSError, ValueError, KeyError, EOFError, IndexError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        return None, format_error(error, longest=80)


def _make(path, folder, files, states, image_size, channels, take, shape_of, kind):
    """Writes a cache; returns what `look_at` found, without what could not be decoded."""
    known, done, before = {}, {}, None  # of files, see `look_at`; of decoded images, see `_written`; how these were
    while True:
        found = look_at(folder, files, image_size, channels, take, known)
        if not found.read:
            return found
        found.shape = shape_of(found)
        images = kind(folder, found, states[found.read])
        free = shutil.disk_usage(path.parent).free
        if images.nbytes > free:
            raise OutputError(
                f"Expected space for {len(images):,} images of {'x'.join(map(str, found.shape))} in {path.parent}. "
                f"Received: {memory.in_units(free)} for {memory.in_units(images.nbytes)}. Choose another folder, or a "
                "smaller image_size (--image-size)."
            )
        same = before == (found.shape, found.bits)
        there = {number: done[place] for number, place in enumerate(found.read) if same and place in done}
        with atomic_write(path) as unfinished:
            sums, transparent, broken = _written(images, unfinished, f"Decoding {printable(str(folder))}:", path, there)
        if take is None or not broken:
            break
        rest = [place for number, place in enumerate(found.read) if number not in broken]
        done = {place: (row, transparent[row]) for row, place in enumerate(rest)}
        before = found.shape, found.bits
        for number, reason in broken.items():  # others take their places
            place = found.read[number]
            known[place] = known[place][0], None, reason
    kept = [number for number in range(len(images)) if number not in broken]
    names = [f"{printable(images.names[number])} ({reason})" for number, reason in broken.items()]
    found.files, found.read = ([values[number] for number in kept] for values in (found.files, found.read))
    notes = transparency_notes(sum(transparent), len(kept))
    found.unreadable, found.notes = found.unreadable + names, notes + found.notes
    if kept:
        with atomic_write(path.with_suffix(".about")) as unfinished, open(unfinished, "wb") as file:
            np.savez(
                file,
                sums=np.array(sums, "uint32"),
                read=np.array(found.read, "int64"),
                shape=np.array(found.shape, "int64"),
                bits=found.bits,
                image_size=np.array(image_size or (), "int64"),
                channels=channels or 0,
                unreadable=np.array(found.unreadable, str),
                notes=np.array(found.notes, str),
                digest=kind(folder, found, states[found.read]).fingerprint(),
            )
    return found


def _written(images, path, line, before, there):
    """Decodes images into a file, those that can be read one after the other.

    Args:
        images: `FileImages`.
        path: the file.
        line: words for the progress.
        before, there: a file of rows, and {number: (the row of an image that is in it, whether it has transparent
            areas)}: these are copied.

    Returns:
        Their checksums, for each whether it has transparent areas, and {number: why} of those that cannot be read.
    """
    sums, transparent, broken, waiting = [], [], {}, deque()

    def decoded(numbers):
        rows, found = np.empty((len(numbers), *images.shape[1:]), images.dtype), []
        for row, number in zip(rows, numbers):
            if number in there:
                place, transparent = there[number]
                row[...] = np.fromfile(before, row.dtype, row.size, offset=place * row.nbytes).reshape(row.shape)
                found.append((zlib.crc32(row), transparent))
                continue
            try:
                transparent = images.decode(number, row[None]).transparent
                found.append((zlib.crc32(row), transparent))
            except DataError:
                raise
            except Exception as error:  # each of Pillow's readers has its own errors for damaged files
                found.append((None, format_error(error, longest=80)))
        return numbers, rows, found

    workers, size = usable_processors(), max(1, PIECE // images.row_bytes)
    with open(path, "wb") as file, ThreadPoolExecutor(workers) as pool:

        def write():
            for number, row, (total, said) in zip(*waiting.popleft().result()):
                if total is None:
                    broken[number] = said
                    continue
                file.write(row)
                sums.append(total)
                transparent.append(said)

        for number in shown(range(len(images)), line):
            if number % size == 0:
                waiting.append(pool.submit(decoded, range(number, min(number + size, len(images)))))
            if len(waiting) > 2 * workers:  # which bounds the memory
                write()
        while waiting:
            write()
    return sums, transparent, broken
