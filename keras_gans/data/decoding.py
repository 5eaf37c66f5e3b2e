"""What the numbers in image files mean: depth, transparency, grey or colour."""

import contextlib
import warnings

import numpy as np
from PIL import Image, ImageOps

from keras_gans.data.folders import formats
from keras_gans.fields import depth_of

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
        Others: whatever Pillow's readers raise for a damaged file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's warnings about EXIF entries and palettes
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=formats()) as picture:
            if ";16" in str(picture.tile) and len(picture.getbands()) > 1:
                highest = max(high for _, high in picture.getextrema())
                if 0 < highest < UPPER_8_OF_12:
                    raise ValueError("colours of 12 bits or fewer in 16: save them with 8 bits")
            if image_size is not None and hasattr(picture, "draft"):
                side = 2 * max(image_size)  # of both: the camera may have been turned
                picture.draft(None, (side, side))
            yield ImageOps.exif_transpose(picture)


class Decoder:
    """Decodes the images of one data set, which share a depth. `notes` says what had to be decided, for a warning.

    Args:
        image_size: (height, width) to crop and resize to; None keeps each image's own.
        channels: 1, 3 or 4; None for grey or colour as each file has it, where transparent areas become white.
    """

    def __init__(self, image_size=None, channels=None):
        self.image_size, self.channels = image_size, channels
        self.transparent, self.notes = 0, []

    def decode(self, picture):
        """An array (height, width, channels): uint8, or uint16 (height, width, 1) until `finish`."""
        if self.channels is None and picture.has_transparency_data:
            covered = picture if "A" in picture.getbands() else picture.convert("RGBA")
            self.transparent += covered.getchannel("A").getextrema()[0] < 255
        picture = plain(picture, alpha=self.channels == 4)
        channels = self.channels or (3 if picture.mode == "RGB" else 1)
        return fitted(picture, self.image_size or picture.size[::-1], channels)

    def finish(self, images):
        """All decoded images, as uint8."""
        if self.transparent:
            self.notes.append(
                f"Made transparent areas white in {self.transparent} of {len(images)} images. Pass channels=4 to keep "
                "the transparency, or channels=3 if white is right."
            )
        deep = [image for image in images if image.dtype != "uint8"]
        if not deep:
            return images
        bits, highest = _depth(deep)
        if bits < 16:
            self.notes.append(
                f"Read {len(deep)} images of 16 bits as {bits} bits, since no value is above {highest} of 65535. If "
                "they are dark images of 16 bits, save them with 8 bits: levels >> 8."
            )
        return [in_8_bits(image, bits, self.channels) for image in images]


def plain_alone(picture, alpha=False):
    """`plain` of one image that belongs to no data set, always in 8 bits.

    Raises:
        ValueError: see `plain`; or 16 bits whose values could have fewer: only those of a whole data set tell.
    """
    picture = plain(picture, alpha)
    if not picture.mode.startswith("I;16"):
        return picture
    levels = np.asarray(picture)
    bits, highest = _depth([levels])
    if bits < 16:
        raise ValueError(f"{bits} bits, or dark with 16? Highest: {highest}. Save it with 8 bits")
    return Image.fromarray((levels >> 8).astype("uint8"))


def _depth(images):
    highest = max(int(image.max()) for image in images)
    return depth_of(highest) if highest else 16, highest


def in_8_bits(image, bits, channels):
    """An array of `fitted` as uint8, with its upper 8 of `bits` bits."""
    if image.dtype == "uint8":
        return image
    levels = Image.fromarray((image[..., 0] >> (bits - 8)).astype("uint8"))
    return np.asarray(levels.convert(MODES[channels or 1])).reshape(*image.shape[:2], channels or 1)


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
