"""Images and label maps as fields: what `fit` takes, what networks see, what `generate` returns."""

import keras
import numpy as np
from keras import ops
from PIL import Image

from keras_gans.fields.field import Field
from keras_gans.images import grid, to_float, to_pillow, to_uint8
from keras_gans_core.checks import is_whole
from keras_gans_core.errors import ConfigurationError, DataError


class Images(Field):
    """Images: uint8 or floats in [-1, 1] for the user, float32 in [-1, 1] for networks.

    Args:
        shape: (height, width, channels). A height or width of None allows any.

    Example:

    >>> field = Images((2, 2, 1))
    >>> ops.convert_to_numpy(field.encode(np.full((1, 2, 2, 1), 255, "uint8"))).ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    dtype = "uint8"
    tolerance = 1

    def __init__(self, shape):
        self.shape = tuple(shape)

    def __str__(self):
        return f"images {_written(self.shape)}, uint8 or floats in [-1, 1]"

    def check(self, values):
        check_images(values, self.shape)
        return values

    def asked(self, values):
        values = np.asarray(ops.convert_to_numpy(values) if ops.is_tensor(values) else values)
        return self.check(values[None] if values.ndim == len(self.shape) else values)

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

    def __str__(self):
        return f"label maps {_written(self.shape)} of whole numbers from 0 to {self.classes - 1}"

    def check(self, values):
        maps = np.asarray(ops.convert_to_numpy(values) if ops.is_tensor(values) else values)
        if maps.ndim == 4 and maps.shape[-1] == 1:
            maps = maps[..., 0]
        expected = _written(self.shape)
        if not _fits(maps.shape[1:], self.shape):
            raise DataError(
                f"Expected label maps of shape {expected}, a class number for each pixel. Received: "
                f"{np.shape(values)}. Resize them without interpolation."
            )
        if len(maps) == 0:
            raise DataError(f"Expected at least one label map in a batch {expected}. Received: an empty batch.")
        if maps.dtype.kind not in "iu":
            raise DataError(f"Expected label maps of whole numbers. Received: dtype {maps.dtype}. Convert them.")
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
        remedy = "Resize them (kg.data.load(..., image_size=...))"
        if _fits(shape, image_shape):
            remedy = "Make one image a batch: images[None], or .batch(n) of a dataset"
        elif _fits(shape[1:], image_shape[:-1]) and image_shape[-1] == 1:
            remedy = "Add a channel to grey images: images[..., None]"
        elif len(shape) == len(image_shape) + 1:
            remedy += f" or build the model with image_shape={shape[1:]}"
        raise DataError(f"Expected images of shape {expected}. Received: {shape}. {remedy}.")
    if shape[0] == 0:
        raise DataError(f"Expected at least one image in a batch {expected}. Received: an empty batch.")
    values = keras.ops.convert_to_numpy(images)
    if values.dtype == "uint8":
        return
    if not np.issubdtype(values.dtype, np.floating):
        raise DataError(
            f"Expected images as uint8 in 0..255 or as floats in [-1, 1]. Received: dtype {values.dtype}. "
            'Convert them with .astype("uint8") if they are grey levels.'
        )
    if not np.isfinite(values).all():
        raise DataError(f"Expected finite values. Received: {int((~np.isfinite(values)).sum())} NaN or infinite ones.")
    low, high = float(values.min()), float(values.max())
    if low < -1.001 or high > 1.001:
        raise DataError(
            f"Expected floats in [-1, 1]. Received: values from {low:g} to {high:g}. Pass uint8 images as they are, "
            "or scale floats: x / 127.5 - 1."
        )


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
