"""What the files of one side of pairs or domains hold, and how they are decoded: into memory, or from the disk."""

import dataclasses
import functools
import hashlib

import numpy as np

from keras_gans.data.cache import cached
from keras_gans.data.decoding import Decoder, holds_numbers, nearest, opened
from keras_gans.data.lazy import FileImages, look_at
from keras_gans.errors import DataError
from keras_gans_core.errors import format_error, printable


@dataclasses.dataclass(frozen=True)
class Side:
    """What the files of one side hold: images, or maps, in all of a picture or in half of it.

    Args:
        classes: the number of classes of label maps; 0 for others.
        instances: whether they are maps of instances.
        half: 0 for the left half of each picture, 1 for the right one, None for all of it.

    Example:

    >>> Side().shape((32, 64), channels=3), Side(classes=8).shape((32, 64), channels=3)
    ((32, 64, 3), (32, 64))
    """

    classes: int = 0
    instances: bool = False
    half: int | None = None

    @property
    def is_map(self):
        return self.instances or self.classes > 0

    @property
    def dtype(self):
        return np.dtype("uint16" if self.instances else "uint8")

    def shape(self, size, channels):
        """The shape of one image or map of `size`, (height, width)."""
        return tuple(size) if self.is_map else (*size, channels)

    def decoder(self, image_size, channels):
        return MapDecoder(image_size) if self.is_map else Decoder(image_size, channels)

    def add(self, picture, decoder, path):
        """Decodes what this side has of a picture.

        Raises:
            DataError: a picture that is not a map, or a class number out of range; and what a `Decoder` raises.
        """
        if self.half is not None:
            width = picture.width // 2
            picture = picture.crop((self.half * width, 0, (self.half + 1) * width, picture.height))
        if self.is_map and not holds_numbers(picture, bits=8 * self.dtype.itemsize):
            expected = "label maps of one channel of 8 bits, a class number for each pixel"
            remedy = "Map its colours to numbers, or leave out classes for images."
            if self.instances:
                expected = "maps of instances of one channel of 8 or 16 bits, an object's id for each pixel"
                remedy = "Map its colours to ids."
            raise DataError(f"Expected {expected}. Received: {path}, of Pillow's mode {picture.mode}. {remedy}")
        decoder.add(picture)
        if self.classes:
            numbers = decoder.images[decoder.count - 1]
            if numbers.max() >= self.classes:
                raise DataError(
                    f"Expected classes from 0 to {self.classes - 1} in label maps. Received: {numbers.min()} to "
                    f"{numbers.max()}. Look at {path}: map the other values to these classes, or pass more classes."
                )


IMAGES = Side()


class MapDecoder:
    """A `Decoder` of label maps or maps of instances (count, height, width), the numbers in the files."""

    def __init__(self, image_size):
        self.image_size, self.images, self.count, self.notes, self.transparent = image_size, None, 0, [], 0

    def add(self, picture):
        numbers = np.asarray(picture).astype(self.images.dtype)
        if self.image_size and numbers.shape != self.image_size:
            numbers = nearest(numbers, self.image_size)
        self.images[self.count] = numbers
        self.count += 1

    def finish(self):
        return self.images


def decode(path, parts):
    """Decodes the picture in a file.

    Args:
        path: the file's path.
        parts: a list of (side, decoder): one, or both halves.

    Raises:
        DataError: see `Side.add`.
        Others: whatever Pillow's readers raise for a damaged file.
    """
    side, decoder = parts[0]
    with opened(path, decoder.image_size if side == IMAGES else None) as picture:  # a map must not be made smaller
        for side, decoder in parts:
            side.add(picture, decoder, path)


def decode_now(path, parts):
    """`decode`, with a `DataError` for a damaged file too."""
    try:
        decode(path, parts)
    except DataError:
        raise
    except Exception as error:  # each of Pillow's readers raises its own for a damaged file
        raise DataError(
            f"Expected {path} to be an image. Received: {format_error(error, longest=80)}. Remove it, with its partner "
            "where it has one."
        ) from error


class SideOfFiles(FileImages):
    """The images or maps of one side, each decoded when it is indexed: (N, height, width, channels) or (N, height,
    width).

    Args:
        side: `Side`.
        folder, found, states: see `FileImages`.

    Raises:
        DataError: halves of 16 bits; and what `FileImages` raises.
    """

    def __init__(self, side, folder, found, states=None):
        super().__init__(folder, found, states)
        self.side, self.dtype = side, side.dtype
        if side.half is not None and self.bits > 8:
            raise DataError(
                f"Expected pictures of 8 bits, side by side, to stay on the disk: each half of 16 bits has a depth of "
                f"its own. Received: 16 bits in {printable(str(folder))}. Save them with 8 bits, or as two folders."
            )

    def read(self, path, row):
        decoder = self.side.decoder(self.image_size, self.channels)
        decoder.images, decoder.bits = row, self.bits
        decode(path, [(self.side, decoder)])
        return decoder

    def fingerprint(self):
        return hashlib.sha256(f"{super().fingerprint()} {self.side}".encode()).hexdigest()


def on_the_disk(side, shape, folder, files, image_size, channels, cache):
    """The images or maps of one side, which stay on the disk; and a list of warnings about them.

    Args:
        side, shape: `Side`, and the shape of one of its images.
        folder, files: the folder's path, and those of its files.
        image_size, channels: see `kg.data.load`.
        cache: the folder of caches; None to decode them whenever they are needed.

    Raises:
        DataError: a file that cannot be read; see also `Side.add`.
        OutputError: see `cached`.
    """
    kind, notes = functools.partial(SideOfFiles, side), []
    if cache is None:
        found = look_at(folder, files, image_size, channels)
    else:
        images, found = cached(cache, folder, files, image_size, channels, None, lambda found: shape, kind, (side,))
    if found.unreadable:
        raise DataError(
            f"Expected only images in {folder}. Received: {found.unreadable[0]}. Remove it, with its partner where it "
            "has one."
        )
    if cache is None:
        found.shape = shape
        images = kind(folder, found)
        notes = images.notes_of_a_sample()
    return images, notes + ([] if side.is_map else found.notes)  # those of maps are on the depth of grey levels
