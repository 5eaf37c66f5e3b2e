"""Images and label maps as fields: what `fit` takes, what networks see, what `generate` returns."""

import math

import keras
import numpy as np
from keras import ops
from PIL import Image

from keras_gans.fields.field import Field
from keras_gans.images import grid, to_float, to_pillow, to_uint8
from keras_gans_core.checks import is_whole
from keras_gans_core.errors import ConfigurationError, DataError

MANY = 16  # images, of which some have a pixel darker than mid grey
NEARLY_ZERO = 0.02  # the darkest pixel of a few images in [0, 1]
DEPTHS = (8, 10, 12, 14, 16)  # bits of cameras and scanners


class Images(Field):
    """Images: uint8 or floats in [-1, 1] for the user, float32 in [-1, 1] for networks.

    Args:
        shape: (height, width, channels). A height or width of None allows any. Points are images of one pixel,
            (1, 1, numbers).

    Raises:
        ConfigurationError: a shape of another length.

    Example:

    >>> field = Images((2, 2, 1))
    >>> ops.convert_to_numpy(field.encode(np.full((1, 2, 2, 1), 255, "uint8"))).ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    dtype = "uint8"
    tolerance = 1

    def __init__(self, shape):
        self.shape = tuple(shape)
        if len(self.shape) != 3:
            reshape = (1, 1, *self.shape) if len(self.shape) == 1 else (*self.shape, 1)
            raise ConfigurationError(
                f"Expected networks of images (N, height, width, channels). Received: {_written(self.shape)}. End the "
                f"generator in layers.Reshape({reshape[-3:]}), give the other networks that shape, and reshape the "
                "data. generate() returns images in uint8, predict() the floats."
            )

    def __str__(self):
        return f"images {_written(self.shape)}, uint8 or floats in [-1, 1]"

    def check(self, values):
        check_images(values, self.shape)
        check_range(values)
        return values

    def check_later(self, values):
        check_images(values, self.shape)  # not the range: one batch may hold bright images alone
        return values

    def asked(self, values):
        values = np.asarray(ops.convert_to_numpy(values) if ops.is_tensor(values) else values)
        values = values[None] if values.ndim == len(self.shape) else values
        check_images(values, self.shape)  # not the range: a few images may all be bright
        return values

    def encode(self, values):
        return to_float(values)

    def decode(self, encoded):
        return to_uint8(encoded)

    def picture(self, values, columns=None):
        return grid(values, columns)

    def file_image(self, value):
        """One value as a Pillow image, for a file."""
        return to_pillow(value)


class LabelMaps(Field):
    """Maps that name a class for each pixel: whole numbers for the user, one-hot for networks.

    Args:
        size: (height, width) of a map.
        classes: how many classes there are; a pixel holds 0 to classes - 1.

    Example:

    >>> field = LabelMaps((1, 2), classes=3)
    >>> ops.convert_to_numpy(field.encode(np.array([[[0, 2]]]))).tolist()
    [[[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]]
    """

    dtype = "uint8"

    def __init__(self, size, classes):
        self.shape, self.classes = tuple(size), classes
        if len(self.shape) != 2 or not all(side is None or is_whole(side, 1) for side in self.shape):
            raise ConfigurationError(f"Expected a size (height, width) of label maps. Received: {size!r}.")
        if not is_whole(classes, 2) or classes > 256:
            raise ConfigurationError(f"Expected 2 to 256 classes in a label map. Received: {classes!r}.")
        self.low, self.high = 0, classes - 1

    def __str__(self):
        return f"label maps {_written(self.shape)} of whole numbers from 0 to {self.classes - 1}"

    def check(self, values):
        maps = checked_maps(values, self.shape, "label map", "a class number")
        if maps.min() < 0 or maps.max() >= self.classes:
            wrong = np.flatnonzero((maps < 0).any((1, 2)) | (maps >= self.classes).any((1, 2)))
            raise DataError(
                f"Expected classes from 0 to {self.classes - 1} in label maps. Received: {maps.min()} to {maps.max()}, "
                f"first in map {wrong[0]}. Map the other values to these classes, or build the model with more classes."
            )
        return maps

    def asked(self, values):
        values = np.asarray(ops.convert_to_numpy(values) if ops.is_tensor(values) else values)
        return self.check(values[None] if values.ndim == 2 else values)

    def encode(self, values):
        values = ops.cast(values, "int32")
        values = values[..., 0] if len(values.shape) == 4 else values
        return ops.one_hot(values, self.classes, dtype="float32")

    def decode(self, encoded):
        return ops.cast(ops.argmax(encoded, axis=-1), "uint8")

    def picture(self, values, columns=None):
        return grid(self.colours[np.asarray(values)], columns)

    def file_image(self, value):
        """One label map as a Pillow image, for a file: the values are the class numbers, a palette colours them."""
        image = Image.fromarray(np.asarray(value, "uint8"))
        image.putpalette(self.colours.tobytes())
        return image

    @property
    def colours(self):
        """A colour for each class, uint8 (classes, 3): black, then hues spread around the circle."""
        turns = np.arange(self.classes - 1)[:, None] * 0.61803399 + np.array([0.0, 1 / 3, 2 / 3])
        hues = np.round(127.5 * (1.0 + np.cos(2.0 * np.pi * turns)))
        return np.vstack([np.zeros((1, 3)), hues]).astype("uint8")


def checked_maps(values, size, kind, number):
    """Maps of whole numbers as an array (N, height, width).

    Args:
        values: array or tensor, with or without an axis of one channel.
        size: (height, width) of a map; None for any.
        kind, number: what a map and what a pixel's number are called, for errors.

    Raises:
        DataError: another shape, no map, or numbers that are not whole.
    """
    maps = np.asarray(ops.convert_to_numpy(values) if ops.is_tensor(values) else values)
    if maps.ndim == 4 and maps.shape[-1] == 1:
        maps = maps[..., 0]
    expected = _written(size)
    if not _fits(maps.shape[1:], size):
        raise DataError(
            f"Expected {kind}s of shape {expected}, {number} for each pixel. Received: "
            f"{np.shape(values)}. Resize them without interpolation."
        )
    if len(maps) == 0:
        raise DataError(f"Expected at least one {kind} in a batch {expected}. Received: an empty batch.")
    if maps.dtype.kind not in "iu":
        raise DataError(f"Expected {kind}s of whole numbers. Received: dtype {maps.dtype}. Convert them.")
    return maps


def check_images(images, image_shape):
    """Refuses images that the model cannot learn from.

    Args:
        images: one batch, a tensor or array (N, height, width, channels).
        image_shape: (height, width, channels) of the model; a height or width of None allows any.

    Raises:
        DataError: another shape or dtype, no image at all, values that are not finite or outside [-1, 1].
    """
    expected, shape = _written(image_shape), tuple(images.shape)
    if not _fits(shape[1:], image_shape):
        raise DataError(
            f"Expected images of shape {expected}. Received: {shape}. {_remedy(shape, tuple(image_shape))}."
        )
    if shape[0] == 0:
        raise DataError(f"Expected at least one image in a batch {expected}. Received: an empty batch.")
    values = _as_numpy(images)
    if values.dtype == "uint8":
        return
    if not np.issubdtype(values.dtype, np.floating):
        numbers = values.dtype.kind in "biu"
        about = f", from {values.min()} to {values.max()}. {_scaling(values)}" if numbers else ". Convert them"
        raise DataError(
            f"Expected images as uint8 in 0..255 or as floats in [-1, 1]. Received: dtype {values.dtype}{about}."
        )
    low, high = float(values.min()), float(values.max())  # which takes no memory; NaN if one is
    if not (np.isfinite(low) and np.isfinite(high)):
        broken = np.array([np.size(image) - np.isfinite(image).sum() for image in values])
        raise DataError(
            f"Expected finite values. Received: {broken.sum()} NaN or infinite ones, in {(broken > 0).sum()} of "
            f"{len(values)} images, first in image {(broken > 0).argmax()}. Leave these images out."
        )
    if low < -1.001 or high > 1.001:
        raise DataError(
            f"Expected floats in [-1, 1]. Received: values from {low:g} to {high:g}. Pass uint8 images as they are, "
            f"or scale floats: {_scaling(values)}."
        )


def check_range(images):
    """Refuses images that are probably in [0, 1], where uint8 in 0..255 or floats in [-1, 1] are expected.

    Read as floats in [-1, 1], their black would be mid grey for ever. The rule: no number is negative, and not all are
    equal. So no pixel would be darker than mid grey. That can be true of a few bright images, so fewer than 16 are
    refused only if their darkest pixel is also below 0.02, as black in [0, 1] is. 16 or more uint8 images of only 0 and
    1 are refused too. Points, images of one pixel, are not judged.

    Whoever has bright images in [-1, 1] passes them as uint8.

    Args:
        images: images that `check_images` takes: all of an array, or the first batch of a stream.

    Raises:
        DataError: the images are probably in [0, 1]; the message has the line for each of the two readings.

    Example:

    >>> check_range(np.linspace(-1.0, 1.0, 16).reshape(1, 4, 4, 1))
    >>> check_range(np.full((1, 4, 4, 1), 0.5))  # one number says nothing
    """
    if math.prod(images.shape[1:3]) == 1:
        return
    values = _as_numpy(images)
    low, high = values.min(), values.max()
    if low < 0 or low == high:
        return
    if values.dtype == "uint8":
        if high == 1 and len(values) >= MANY:
            raise DataError(
                "Expected uint8 images in 0..255. Received: only 0 and 1, which are almost black. Scale them: "
                "images * 255."
            )
    elif len(values) >= MANY or low < NEARLY_ZERO:
        raise DataError(
            f"Expected floats in [-1, 1]. Received: values from {low:g} to {high:g}, none of them negative. Scale "
            "images in [0, 1]: 2 * images - 1. Images in [-1, 1] without a pixel darker than mid grey are taken as "
            "uint8: kg.images.to_uint8(images)."
        )


def check_axes(shape):
    """Refuses arrays whose axes are probably not (N, height, width, channels) or, for grey ones, (N, height, width).

    Raises:
        DataError: channels or examples on another axis, one image without a batch axis, or rows of numbers; the message
            has the line that makes images of them.

    Example:

    >>> check_axes((100, 28, 28, 1))
    """
    few = (1, 3, 4)
    if len(shape) == 4 and _channels_first(shape[1:]):
        remedy = f"{shape[1]} channels first? np.moveaxis(images, 1, -1)"
    elif len(shape) == 4 and shape[2] in few and min(shape[0], shape[1], shape[3]) > max(few):
        remedy = "The examples last? np.moveaxis(images, -1, 0)"
    elif len(shape) == 3 and shape[2] in few and min(shape[:2]) > max(few):
        remedy = "One image? images[None]. Narrow grey images? images[..., None]"
    elif len(shape) == 2:
        remedy = _of_rows(shape[1])
    else:
        return
    raise DataError(
        f"Expected images (N, height, width, channels), or grey ones (N, height, width). Received: {shape}. {remedy}."
    )


def _channels_first(shape):
    """Whether (height, width, channels) are rather (channels, height, width)."""
    return shape[0] in (1, 3, 4) and min(shape[1:]) >= 8


def depth_of(highest):
    """The smallest usual number of bits for a grey level, at least 8.

    >>> depth_of(1), depth_of(4092), depth_of(65535)
    (8, 12, 16)
    """
    return next((bits for bits in DEPTHS if highest < 2**bits), int(highest).bit_length())


def _as_numpy(images):
    """Images as an array; an array as it is, which Keras would copy."""
    return images if isinstance(images, np.ndarray) else keras.ops.convert_to_numpy(images)


def _remedy(shape, wanted):
    """What to do with an array of a shape that a model does not take."""
    one, channels = shape[1:], wanted[-1]
    if _fits(shape, wanted):
        return "Make one image a batch: images[None], or .batch(n) of a dataset"
    if _fits(one, wanted[:-1]) and channels == 1:
        return "Add a channel to grey images: images[..., None]"
    if len(shape) == 2:
        return _of_rows(shape[1], wanted)
    if len(shape) != 4:
        return "Resize them (kg.data.load(..., image_size=...))"
    if _fits((*one[1:], one[0]), wanted):
        return "The channels come last: np.moveaxis(images, 1, -1)"
    if _fits(shape[:3], wanted):
        return "The examples come first: np.moveaxis(images, -1, 0)"
    if _fits(one[:-1], wanted[:-1]) and one[-1] in (1, 3, 4) and channels in (1, 3, 4):
        transparent = ", in which transparent areas are white" if one[-1] == 4 else ""
        return (
            f"Convert them: kg.data.load(images, channels={channels}){transparent}; or build the model with "
            f"image_shape={one}"
        )
    if _fits((one[1], one[0], one[2]), wanted):
        return f"Swap the sides: np.swapaxes(images, 1, 2); or build the model with image_shape={one}"
    return f"Resize them (kg.data.load(..., image_size=...)) or build the model with image_shape={one}"


def _of_rows(size, wanted=(None, None, None)):
    """The line that makes images of rows of numbers."""
    if None in wanted:
        side, channels = next(
            ((math.isqrt(size // c), c) for c in (1, 3, 4) if size == c * math.isqrt(size // c) ** 2), (None, None)
        )
        wanted = (side, side, channels)
    if None in wanted or math.prod(wanted) != size:
        return "Images have at least a height and a width: images.reshape(-1, height, width, channels)"
    height, width, channels = wanted
    line = f"Make images of rows: images.reshape(-1, {height}, {width}, {channels})"
    if channels > 1:
        line += (
            "; rows of one colour after the other, such as CIFAR's: "
            f"np.moveaxis(images.reshape(-1, {channels}, {height}, {width}), 1, -1)"
        )
    return line


def _scaling(values):
    """The line that brings numbers of another type or range to what models take."""
    low, high = values.min(), values.max()
    whole = values.dtype.kind in "iu"
    if values.dtype == bool or (whole and low >= 0 and high == 1):
        return 'Scale them: images.astype("uint8") * 255'
    if whole and 0 <= low and high <= 255:
        return 'Convert them with .astype("uint8") if they are grey levels'
    if low < 0:
        return "map the lowest and the highest value that images can have to -1 and 1: 2 * (x - low) / (high - low) - 1"
    bits = depth_of(high)
    floats = f"x / {(2**bits - 1) / 2:.8g} - 1"
    if whole:
        return f"Levels of {bits} bits become floats by {floats}"
    return floats if bits == 8 else f"{floats}, if their levels have {bits} bits"


def _fits(shape, wanted):
    """Whether a shape matches the wanted one, in which None stands for any size."""
    return len(shape) == len(wanted) and all(side in (None, got) for side, got in zip(wanted, shape))


def _written(shape):
    return f"(N, {', '.join('any' if side is None else str(side) for side in shape)})"


def check_image_shape(image_shape):
    """Raises a `ConfigurationError` unless it is (height, width, channels), three whole numbers."""
    sizes = tuple(image_shape) if isinstance(image_shape, (tuple, list)) else ()
    if len(sizes) != 3 or not all(is_whole(size, 1) for size in sizes):
        raise ConfigurationError(
            "Expected image_shape=(height, width, channels), three whole numbers of 1 or more. Received: "
            f"image_shape={image_shape!r}. Give grey images one channel: (28, 28, 1)."
        )
    if _channels_first(sizes):
        raise ConfigurationError(
            f"Expected image_shape=(height, width, channels). Received: image_shape={image_shape!r}, which may have "
            f"the channels first. Pass image_shape={(*sizes[1:], sizes[0])} and np.moveaxis(images, 1, -1)."
        )
