"""Prepares images for metrics: checks them and gives grey levels from 0 to 255 in float64."""

import numpy as np

from keras_gans.errors import DataError
from keras_gans.fields import check_images


def checked_images(images):
    """Checks a set of images; returns an array (N, height, width, channels).

    Raises:
        DataError: no images, not images, or values that are not finite or out of range.
    """
    images = np.asarray(images)
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise DataError(
            f"Expected images (N, height, width, channels). Received: shape {images.shape}. Give a single image as "
            "image[None] and grey images without a channel axis as images[..., None]."
        )
    check_images(images, images.shape[1:])
    return images


def checked_pairs(real, fake):
    """Checks two sets of images with the same count and size; returns arrays.

    Raises:
        DataError: see `checked_images`; or shapes that differ.
    """
    real, fake = checked_images(real), checked_images(fake)
    if real.shape != fake.shape:
        raise DataError(
            f"Expected the same number of real and fake images, of one size. Received: {real.shape} and {fake.shape}. "
            "Leave out the extra images, and resize the images of one set."
        )
    return real, fake


def grey_levels(images):
    """Images in float64 from 0 to 255, not rounded: uint8 as they are, floats in [-1, 1] as (x + 1) 127.5.

    >>> grey_levels(np.array([-1.0, 0.0, 1.0])).tolist()
    [0.0, 127.5, 255.0]
    """
    levels = images.astype("float64")
    return levels if images.dtype == "uint8" else (levels + 1.0) * 127.5


def luma(images):
    """The luma of images, Y of ITU-R BT.601 from 16 to 235: 16 + (65.481 R + 128.553 G + 24.966 B) / 255.

    Args:
        images: (N, height, width, 3), or grey ones (N, height, width, 1) with R = G = B; uint8 or floats in [-1, 1].

    Returns:
        float64 (N, height, width, 1), not rounded.

    Raises:
        DataError: no images, or images with other channels.

    Example:

    >>> white = np.full((1, 1, 1, 3), 255, "uint8")
    >>> [float(luma(image).item()) for image in (white, 0 * white)]
    [235.0, 16.0]
    """
    images = checked_images(images)
    if images.shape[3] not in (1, 3):
        raise DataError(f"Expected images with 1 or 3 channels. Received: shape {images.shape}.")
    levels = grey_levels(images) / 255.0
    levels = np.repeat(levels, 3, axis=3) if levels.shape[3] == 1 else levels
    return 16.0 + levels @ np.array([[65.481], [128.553], [24.966]])
