"""What the numbers in image files mean: depth, transparency, grey or colour."""

import contextlib
import math
import warnings

import numpy as np
from PIL import Image, ImageOps

from keras_gans.data.archives import Zipped
from keras_gans.data.folders import formats
from keras_gans.errors import DataError
from keras_gans.fields import depth_of
from keras_gans_core import memory

MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's, by channels
UPPER_8_OF_12 = 16  # what the upper 8 of 16 bits stay below if only 12 are used


@contextlib.contextmanager
def opened(path, image_size=None):
    """The image in a file, upright, as Pillow opens it.

    Args:
        path: the file's path.
        image_size: (height, width) to which the image will be resized. A JPEG is decoded to a half, a quarter or an
            eighth of its size if that is at least twice as large: photos are read several times faster, and single grey
            levels differ by one or two. None decodes all of it.

    Raises:
        ValueError: colours of 16 bits whose values have 12 bits or fewer, of which Pillow reads only the upper 8.
        DataError: there is too little memory for it, which says nothing about the file.
        Others: whatever Pillow's readers raise for a damaged file.
    """
    with warnings.catch_warnings(), _enough_memory(path):
        warnings.simplefilter("ignore")  # Pillow's warnings about EXIF entries and palettes
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        source = path.open("rb") if isinstance(path, Zipped) else path
        with Image.open(source, formats=formats()) as picture:
            if ";16" in str(picture.tile) and len(picture.getbands()) > 1:
                highest = max(high for _, high in picture.getextrema())
                if 0 < highest < UPPER_8_OF_12:
                    raise ValueError("colours of 12 bits or fewer in 16: save them with 8 bits")
            if image_size is not None and hasattr(picture, "draft"):
                side = 2 * max(image_size)  # of both: the camera may have been turned
                picture.draft(None, (side, side))
            yield ImageOps.exif_transpose(picture)


@contextlib.contextmanager
def _enough_memory(path):
    try:
        yield
    except (MemoryError, OSError) as error:
        if isinstance(error, OSError) and "out of memory" not in str(error):  # which Pillow's readers say
            raise
        free = memory.free_memory()
        left = "" if free is None else f" There are {memory.in_units(max(free, 0))} free."
        raise DataError(
            f"Expected memory for decoding {path}. Received: too little.{left} Read fewer images (take=...), or "
            "smaller ones (image_size=..., --image-size), or end other programs."
        ) from error


def holds_numbers(picture, bits=8):
    """Whether a picture has one channel of whole numbers, of 8 bits or, where `bits` is 16, of 16."""
    return picture.mode in ("1", "L", "P") or bits == 16 and picture.mode.startswith("I;16")


def nearest(numbers, image_size):
    """A map of whole numbers, uint8 or uint16 (height, width), center-cropped and resized without interpolation.

    Maps of different bits keep the same pixels. Pillow alone chooses others where an image has 16 bits.

    Example:

    >>> nearest(np.array([[1, 2, 3, 4]], "uint16"), (1, 2)).tolist()
    [[2, 3]]
    """
    wide = Image.fromarray(numbers.astype("int32") if numbers.dtype == "uint16" else numbers)
    return np.asarray(ImageOps.fit(wide, image_size[::-1], Image.Resampling.NEAREST)).astype(numbers.dtype)


class Decoder:
    """Decodes the images of one data set, which share a size and a depth, into one array that is allocated before.

    Attributes:
        images: uint8 (count, height, width, channels) after `expect`; rows from `count` on are not decoded yet.
        count: how many images are decoded.
        notes: what had to be decided, for warnings, after `finish`.

    Args:
        image_size: (height, width) to crop and resize to; None keeps each image's own.
        channels: 1, 3 or 4; None for grey or colour as the files have it, where transparent areas become white.
    """

    def __init__(self, image_size=None, channels=None):
        self.image_size, self.channels = image_size, channels
        self.images, self.count, self.notes = None, 0, []
        self.transparent = self.highest = 0
        self.deep, self.bits = [], 8  # rows of 16 bits, and the bits that they are read as so far

    def expect(self, count, size, channels=1, beside=0):
        """Allocates the array.

        Args:
            count: how many images come at most.
            size: their (height, width); `image_size` goes before it.
            channels: those that the files have, 1 or 3; `channels` of the decoder go before them.
            beside: bytes that other arrays will take.

        Raises:
            DataError: they do not fit into memory.
        """
        self.images = allocated((count, *(self.image_size or size), self.channels or channels), beside)

    def add(self, picture):
        """Decodes the next image.

        Raises:
            DataError: its size is not the expected one.
            ValueError: see `plain`.
        """
        if self.channels is None and picture.has_transparency_data:
            covered = picture if "A" in picture.getbands() else picture.convert("RGBA")
            self.transparent += covered.getchannel("A").getextrema()[0] < 255
        picture = plain(picture, alpha=self.channels == 4)
        size = self.image_size or picture.size[::-1]
        if size != self.images.shape[1:3]:
            raise DataError(
                f"Expected images of one size. Received: {size} and {self.images.shape[1:3]}. Pass "
                "image_size=(height, width), or --image-size."
            )
        decoded = fitted(picture, size, self.images.shape[3])
        row = self.images[self.count]
        if decoded.dtype == "uint8":
            row[:] = decoded
        else:
            row[..., :3] = self._in_8_bits(decoded)
            row[..., 3:] = 255
        self.count += 1

    def _in_8_bits(self, levels):
        """The upper 8 of the bits that all images of 16 bits have so far; those before follow."""
        highest = int(levels.max())
        bits = max(self.bits, depth_of(highest))
        if bits > self.bits:
            for row in self.deep:
                self.images[row, ..., :3] >>= bits - self.bits
        self.bits, self.highest = bits, max(self.highest, highest)
        self.deep.append(self.count)
        return (levels >> (bits - 8)).astype("uint8")

    def finish(self):
        """All decoded images, uint8 (count, height, width, channels)."""
        self.notes += transparency_notes(self.transparent, self.count) + depth_notes(len(self.deep), self.highest)
        return self.images[: self.count]


def transparency_notes(transparent, count, what="images"):
    """A list of one warning if images had transparent areas, which became white; otherwise an empty list."""
    if not transparent:
        return []
    return [
        f"Made transparent areas white in {transparent} of {count} {what}. Pass channels=4 to keep the transparency, "
        "or channels=3 if white is right."
    ]


def depth_notes(deep, highest):
    """The same of images of 16 bits, of which `highest` is the highest level."""
    if not deep or not highest or (bits := depth_of(highest)) == 16:
        return []
    return [
        f"Read {deep} images of 16 bits as {bits} bits, since no value is above {highest} of 65535. If they are dark "
        "images of 16 bits, save them with 8 bits: levels >> 8."
    ]


FEWER = (
    "read fewer of them (take=...); or, for a folder or a zip file, cache=DIR (--cache DIR), which decodes them once "
    "to the disk, or lazy=True (--lazy), which decodes them whenever they are needed"
)


def allocated(shape, beside=0, fewer=FEWER, dtype="uint8"):
    """An array whose values are not set.

    Args:
        shape: (count, ...).
        beside: bytes that other arrays will take.
        fewer: what a user can do for a smaller count, in words for an error.
        dtype: of its values.

    Raises:
        DataError: it does not fit into memory.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize + beside
    reason = memory.does_not_fit(size)
    if reason is None:
        try:
            return np.empty(shape, dtype)
        except MemoryError:
            reason = memory.in_units(size)
    raise DataError(
        f"Expected images that fit into memory. Received: {shape[0]:,} of {'x'.join(map(str, shape[1:]))}, which take "
        f"{reason}. Pass a smaller image_size=(height, width), or --image-size; or {fewer}."
    )


def plain_alone(picture, alpha=False):
    """`plain` of one image that belongs to no data set, always in 8 bits.

    Raises:
        ValueError: see `plain`; or 16 bits whose values could have fewer: only those of a whole data set tell.
    """
    picture = plain(picture, alpha)
    if not picture.mode.startswith("I;16"):
        return picture
    levels = np.asarray(picture)
    highest = int(levels.max())
    bits = depth_of(highest) if highest else 16
    if bits < 16:
        raise ValueError(f"{bits} bits, or dark with 16? Highest: {highest}. Save it with 8 bits")
    return Image.fromarray((levels >> 8).astype("uint8"))


def fitted(picture, image_size, channels):
    """What `plain` returned, center-cropped and resized, as uint8 (height, width, channels) or uint16 (..., 1)."""
    height, width = image_size
    deep = picture.mode.startswith("I;16")
    if picture.size != (width, height):
        if deep:  # Pillow resizes these as floats only
            picture = Image.fromarray(np.asarray(picture, "float32"))
        picture = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    if deep:
        return np.clip(np.rint(np.asarray(picture)), 0, 65535).astype("uint16")[..., None]
    return np.asarray(picture.convert(MODES[channels])).reshape(height, width, channels)


def plain(picture, alpha=False):
    """A grey or colour image; transparent areas become white, or stay in RGBA with `alpha`. Grey of 16 bits stays.

    Raises:
        ValueError: 32-bit numbers, whose range is unknown.
    """
    if picture.mode in ("I", "F"):
        raise ValueError(f"32-bit numbers, Pillow's mode {picture.mode}: save them with 8 bits")
    if picture.mode.startswith("I;16"):
        return picture
    if alpha:
        return picture.convert("RGBA")
    if picture.has_transparency_data:
        grey = picture.mode in ("LA", "La", "L", "1")
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("L" if grey else "RGB")
    return picture.convert("L" if picture.mode in ("1", "L") else "RGB")
