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
