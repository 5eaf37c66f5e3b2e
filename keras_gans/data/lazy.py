"""Data that stay on the disk: examples that are read or decoded when they are indexed."""

import contextlib
import dataclasses
import hashlib
import os

import numpy as np

from keras_gans.data.decoding import Decoder, depth_notes, fitted, opened, plain, transparency_notes
from keras_gans.data.folders import names_below
from keras_gans.data.headers import size_of, whole_size_of
from keras_gans.data.progress import shown
from keras_gans.errors import DataError
from keras_gans.fields import depth_of
from keras_gans_core import memory
from keras_gans_core.errors import format_error, printable

SAMPLE = 64  # examples whose bytes a fingerprint covers
SEEN = "images that were looked at"


class LazyArray:
    """An array whose rows are read when it is indexed: what `Batches` take in the place of an array.

    Args:
        source: an object with `len()` whose items by number are examples: what `tfds.data_source` returns, a map-style
            dataset of PyTorch, or one of h5py. It must give the same example each time, and be readable by several
            threads.
        key: which part of an example the rows are, for examples that are dicts or tuples: a name or a number. None for
            all of it.

    Attributes:
        shape, dtype: as those of an array; what the first example has.

    Raises:
        DataError: no examples, or a first one that is no array. When it is indexed: an example of another shape or
            dtype, or one that cannot be read.

    Example:

    >>> squares = LazyArray([{"image": np.full((8, 8, 1), i, "uint8")} for i in range(10)], "image")
    >>> squares.shape, squares[[3, 1]][:, 0, 0, 0].tolist()
    ((10, 8, 8, 1), [3, 1])
    """

    def __init__(self, source, key=None):
        self.source, self.key = source, key
        if len(source) == 0:
            raise DataError("Expected at least one example. Received: none.")
        first = self._read(0)
        self.shape, self.dtype = (len(source), *first.shape), first.dtype

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def nbytes(self):
        """Bytes that all rows take in memory."""
        return len(self) * self.row_bytes

    @property
    def row_bytes(self):
        return int(np.prod(self.shape[1:], dtype="int64")) * self.dtype.itemsize

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        rows = np.arange(len(self))[index]
        return self.rows(rows[None])[0] if rows.ndim == 0 else self.rows(rows)

    def __array__(self, dtype=None, copy=None):
        reason = memory.does_not_fit(self.nbytes)
        if reason is not None:
            raise DataError(
                f"Expected examples that fit into memory, since all are needed at once. Received: {len(self):,} of "
                f"{'x'.join(map(str, self.shape[1:]))}, which take {reason}. Read fewer of them (take=...), or smaller "
                "ones (image_size=..., --image-size)."
            )
        return np.asarray(self[:], dtype)

    def rows(self, numbers):
        """The examples with these numbers, in a new array."""
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        for row, number in zip(found, numbers.tolist()):
            example = self._read(number)
            if example.shape != row.shape or example.dtype != self.dtype:
                raise DataError(
                    f"Expected examples like the first one: {self.dtype} {row.shape}. Received: {example.dtype} "
                    f"{example.shape}, example {number}. Bring all to one shape and dtype."
                )
            row[...] = example
        return found

    def fingerprint(self):
        """SHA-256 over the shape, the dtype and the bytes of a sample of the rows, in hexadecimal."""
        digest = hashlib.sha256(f"{self.shape} {self.dtype.str}".encode())
        for number in sample_of(len(self)):
            digest.update(np.ascontiguousarray(self[number]).data)
        return digest.hexdigest()

    def _read(self, number):
        try:
            example = self.source[number]
            example = np.asarray(example if self.key is None else example[self.key])
        except DataError:
            raise
        except Exception as error:  # the source is the user's
            raise DataError(
                f"Expected example {number} of {type(self.source).__name__}"
                f"{'' if self.key is None else f', its {self.key!r}'}. Received: {format_error(error, longest=200)}. "
                "Mend the data, and go on with the last checkpoint."
            ) from error
        if example.dtype.kind not in "biuf":
            raise DataError(
                f"Expected examples that are arrays of numbers. Received: "
                f"{type(example.item(0)).__name__ if example.size else example.dtype}, in example {number} of "
                f"{type(self.source).__name__}. Name the part that is: kg.data.LazyArray(source, 'image')."
            )
        return example


@dataclasses.dataclass
class Found:
    """What is known of image files before they are decoded."""

    files: list  # paths, of those that can be read
    read: list  # the places of these among all files
    image_size: tuple | None  # see `Decoder`
    channels: int | None  # see `Decoder`
    shape: tuple  # (height, width, channels) of one image; without an `image_size`, which follows from `sizes`
    bits: int  # those that grey levels of 16 bits are read as
    unreadable: list  # names of others, and why
    notes: list  # what had to be decided, for warnings
    sizes: dict  # {path: (height, width, channels)}, without an `image_size`


class FileImages(LazyArray):
    """Images of files, each decoded when it is indexed: uint8 (N, height, width, channels).

    Args:
        folder: a path, or a `Zipped` one.
        found: what `look_at` returned.
        states: what `states_of` returned for the files of `found`; None to look now.

    Raises:
        DataError: when it is indexed: a file that changed or vanished, or that cannot be read.
    """

    def __init__(self, folder, found, states=None):
        self.folder, self.image_size, self.channels, self.bits = folder, found.image_size, found.channels, found.bits
        self.names = ["/".join(names_below(folder, path)) for path in found.files]  # less memory than paths
        self.shape, self.dtype = (len(self.names), *found.shape), np.dtype("uint8")
        self.states = states_of(found.files, folder) if states is None else states

    def rows(self, numbers):
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        for row, number in zip(found, numbers.tolist()):
            self.decoded(number, row[None])
        return found

    def decoded(self, number, row):
        """`decode`, with a `DataError` for a damaged file too."""
        try:
            return self.decode(number, row)
        except DataError:
            raise
        except Exception as error:  # each of Pillow's readers has its own errors for damaged files
            raise DataError(
                f"Expected an image in {printable(str(self.path(number)))}. Received: "
                f"{format_error(error, longest=80)}. Leave it out, and begin anew. cache=DIR (--cache DIR) reads all "
                "files before the training."
            ) from error

    def decode(self, number, row):
        """Decodes one image into an array (1, height, width, channels); returns the `Decoder`.

        Raises:
            DataError: the file changed or vanished, or there is too little memory.
            Others: whatever Pillow's readers raise for a damaged file.
        """
        path = self.path(number)
        with contextlib.suppress(FileNotFoundError):
            about = path.stat()
            if (about.st_size, about.st_mtime_ns) == tuple(self.states[number]):
                return self.read(path, row)
        raise DataError(
            f"Expected {printable(str(path))} as it was when the data were loaded. Received: a file that was "
            "changed or removed since. Put it back, and go on with the last checkpoint; or begin anew."
        )

    def read(self, path, row):
        """`decode` of a file that has not changed."""
        decoder = Decoder(self.image_size, self.channels)
        decoder.images, decoder.bits = row, self.bits
        with opened(path, self.image_size) as picture:
            decoder.add(picture)
        return decoder

    def notes_of_a_sample(self):
        """`transparency_notes` of a sample of the images, which is decoded for it."""
        some, row = sample_of(len(self)), np.empty((1, *self.shape[1:]), self.dtype)
        return transparency_notes(sum(self.decoded(number, row).transparent for number in some), len(some), SEEN)

    def path(self, number):
        return self.folder / self.names[number]

    def fingerprint(self):
        """SHA-256 over the names and sizes of all files, the bytes of a sample of them, and how they are decoded."""
        digest = hashlib.sha256(repr((self.image_size, self.channels, self.shape, self.bits)).encode())
        for name, size in zip(self.names, self.states[:, 0].tolist()):
            digest.update(os.fsencode(f"{name} {size}\n"))
        for number in sample_of(len(self)):
            digest.update(digest_of(self.path(number)))
        return digest.hexdigest()


def sample_of(count):
    """The numbers of at most `SAMPLE` of `count` examples, spread over all of them."""
    return np.unique(np.linspace(0, count - 1, SAMPLE).astype("int64")).tolist()


def digest_of(path):
    """SHA-256 over the bytes of a file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.sha256(file.read()).digest()
    except (OSError, ValueError) as error:
        raise DataError(
            f"Expected {printable(str(path))} to stay as it is while the data are loaded. Received: "
            f"{format_error(error, longest=80)}. Put it back, or leave it out."
        ) from error


def states_of(files, folder):
    """The sizes of files, and when they were changed, int64 (N, 2).

    Raises:
        DataError: one that is not there any more.
    """
    states = np.empty((len(files), 2), "int64")
    try:
        for state, path in zip(states, shown(files, f"Looking for changes in {printable(str(folder))}:")):
            about = path.stat()
            state[:] = about.st_size, about.st_mtime_ns
    except OSError as error:
        raise DataError(f"Expected a folder that does not change while it is read. Received: {error}.") from error
    return states


def look_at(folder, files, image_size=None, channels=None, take=None, known=None):
    """What is known of image files without decoding most of them, as `Found`.

    Of a PNG or JPEG file of 8 bits the head and the last bytes are read. Others are decoded once: whether they can be
    read, and the depth of grey levels of 16 bits, follow from nothing less.

    Args:
        folder: the path of their folder.
        files: their paths.
        image_size, channels, take: see `kg.data.load`.
        known: {the place of a file: what `_decoded` returns}, which is filled; what is in it is not looked at again.
    """
    order, known = np.arange(len(files)), {} if known is None else known
    if take is not None:
        order = np.random.Generator(np.random.PCG64(0)).permutation(order)
    count, read, unreadable, sizes = min(take or len(files), len(files)), [], [], {}
    most, highest, deep = 1, 0, 0
    while len(read) < count and len(order):  # again, with others, if some of the files to take cannot be read
        part, order = np.sort(order[: count - len(read)]), order[count - len(read) :]
        for index in shown(part.tolist(), f"Looking at {printable(str(folder))}:"):
            path = files[index]
            if index not in known:
                size = whole_size_of(path)
                known[index] = _decoded(path, image_size, channels == 4) if size is None else (size, None, None)
            size, high, reason = known[index]
            if reason is None:
                read.append(index)
                highest, deep = max(highest, high or 0), deep + (high is not None)
            else:
                unreadable.append(f"{printable('/'.join(names_below(folder, path)))} ({reason})")
            if size is not None:
                most = max(most, size[2])
                if image_size is None:
                    sizes[path] = size
    read.sort()
    bits, notes = depth_of(highest) if deep else 8, depth_notes(deep, highest)
    shape = (*(image_size or (0, 0)), channels or most)
    return Found([files[i] for i in read], read, image_size, channels, shape, bits, unreadable, notes, sizes)


def _decoded(path, image_size, alpha):
    """Of a file that is decoded: (height, width, channels), the highest grey level of 16 bits or None, and why it
    cannot be read, or None."""
    try:
        with opened(path, image_size) as picture:
            picture = plain(picture, alpha)
            size = picture.size[::-1]
            levels = fitted(picture, image_size or size, 1) if picture.mode.startswith("I;16") else None
        grey = levels is not None or picture.mode == "L"
        return (*size, 1 if grey else 3), None if levels is None else int(levels.max()), None
    except DataError:  # too little memory: it says nothing about the file
        raise
    except Exception as error:  # each of Pillow's readers has its own errors for damaged files
        return size_of(path), None, format_error(error, longest=80)
