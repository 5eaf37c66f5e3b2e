"""Laplacian pyramids: what each scale of an image adds to the next coarser one. Differentiable, on every backend.

Halving applies the 5 x 5 binomial filter with mirrored borders and keeps every second pixel. Doubling inserts zeros
between the pixels and applies 4 times the same filter. Both are linear in rows and in columns, so each is two products
with a small matrix.
"""

import keras
import numpy as np
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_whole

BINOMIAL = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0


def _blur(size):
    """The filter along one side as a matrix (size, size)."""
    places = np.pad(np.arange(size), 2, mode="reflect")
    blur = np.zeros((size, size))
    for row in range(size):
        np.add.at(blur[row], places[row : row + 5], BINOMIAL)
    return blur


def _floats(images):
    """Images as a tensor of floats: cast to integers, the filter would be all zeros."""
    images = ops.convert_to_tensor(images)
    if len(images.shape) != 4:
        raise ConfigurationError(
            f"Expected images (N, height, width, channels). Received: {tuple(images.shape)}. Pass one as images[None]."
        )
    return images if "float" in keras.backend.standardize_dtype(images.dtype) else ops.cast(images, "float32")


def _along_sides(images, rows, columns):
    rows, columns = (ops.cast(matrix, images.dtype) for matrix in (rows, columns))
    return ops.einsum("qw,nhwc->nhqc", columns, ops.einsum("ph,nhwc->npwc", rows, images))


def halve(images):
    """Images of half the size.

    Args:
        images: (N, height, width, channels), 2 pixels or more per side; integers become floats of the same range.

    Returns:
        (N, height / 2, width / 2, channels), odd sizes rounded up.

    Raises:
        ConfigurationError: a side of one pixel, or not a batch of images.

    Example:

    >>> tuple(halve(np.ones((1, 7, 4, 3), "float32")).shape)
    (1, 4, 2, 3)
    """
    images = _floats(images)
    size = images.shape[1:3]
    if min(size) < 2:
        raise ConfigurationError(
            f"Expected images of 2 pixels or more per side to halve. Received: {tuple(size)}. Ask for fewer levels."
        )
    return _along_sides(images, *(_blur(side)[::2] for side in size))


def double(images, size):
    """Images of twice the size.

    Args:
        images: floats (N, height, width, channels).
        size: (height, width) of the result, whose half, rounded up, is the images' size.

    Returns:
        (N, *size, channels).

    Raises:
        ConfigurationError: images that do not have half of this size.

    Example:

    >>> tuple(double(np.ones((1, 4, 2, 3), "float32"), (7, 4)).shape)
    (1, 7, 4, 3)
    """
    images = _floats(images)
    if tuple(images.shape[1:3]) != tuple(-(-side // 2) for side in size):
        raise ConfigurationError(
            f"Expected images of half the size {tuple(size)}, rounded up. Received: {tuple(images.shape[1:3])}."
        )
    return _along_sides(images, *(2.0 * _blur(side)[:, ::2] for side in size))


def laplacian_pyramid(images, levels):
    """What each scale adds to the next coarser one; the last level is what remains, a small blurred image.

    Args:
        images: floats (N, height, width, channels).
        levels: number of levels, 1 or more.

    Returns:
        A list of tensors, the finest first, each half the size of the one before.

    Raises:
        ConfigurationError: no level, or more levels than the image size allows.

    Example:

    >>> [tuple(level.shape) for level in laplacian_pyramid(np.ones((1, 28, 28, 1), "float32"), 3)]
    [(1, 28, 28, 1), (1, 14, 14, 1), (1, 7, 7, 1)]

    Reference: Burt and Adelson, 1983, "The Laplacian pyramid as a compact image code"
    """
    if not is_whole(levels, 1):
        raise ConfigurationError(f"Expected levels of 1 or more. Received: {levels!r}.")
    images, pyramid = _floats(images), []
    for _ in range(levels - 1):
        smaller = halve(images)
        pyramid.append(images - double(smaller, images.shape[1:3]))
        images = smaller
    return [*pyramid, images]


def from_laplacian_pyramid(pyramid):
    """The images of a Laplacian pyramid: each level is added to the doubled sum of the coarser ones.

    Args:
        pyramid: list of tensors, the finest first, as `laplacian_pyramid` returns them.

    Returns:
        Images of the finest level's size.

    Raises:
        ConfigurationError: no level, or levels whose sizes do not match.

    Example:

    >>> images = np.arange(32, dtype="float32").reshape(1, 4, 8, 1)
    >>> again = from_laplacian_pyramid(laplacian_pyramid(images, 3))
    >>> bool(np.allclose(again, images, atol=1e-5))
    True
    """
    levels = [_floats(level) for level in pyramid]
    if len({level.shape[3] for level in levels}) != 1:
        raise ConfigurationError(
            "Expected one or more levels (N, height, width, channels) with the same channels. "
            f"Received: {[tuple(level.shape) for level in levels]}."
        )
    *finer, images = levels
    for level in reversed(finer):
        images = level + double(images, level.shape[1:3])
    return images
