"""Bicubic resizing, antialiased, of tensors and arrays: the same numbers on every backend, and Pillow's."""

import functools

import numpy as np
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_whole


def bicubic(images, size):
    """Resizes images by cubic convolution with a = -1/2, widened where it makes them smaller (antialiased).

    A new pixel at x, in pixels of the image, is the mean of the pixels at p weighted by k((p - x) / s), where s is the
    factor by which the image shrinks, or 1 where it grows, and

        k(t) = 3/2 |t|^3 - 5/2 |t|^2 + 1 for |t| <= 1,   -1/2 |t|^3 + 5/2 |t|^2 - 4 |t| + 2 for 1 < |t| < 2.

    Near a border only pixels of the image count. These are the weights of Pillow's `BICUBIC` and, inside of the image,
    of MATLAB's `imresize`.

    Args:
        images: floats (N, height, width, channels) of known height and width.
        size: (height, width) of the result.

    Returns:
        float32 (N, *size, channels), not clipped: at edges the result overshoots.

    Raises:
        ConfigurationError: an unknown size.

    Example:

    >>> stripes = np.tile(np.reshape([-1.0, 1.0], (1, 1, 2, 1)), (1, 8, 4, 1))
    >>> bool(ops.all(ops.abs(bicubic(stripes, (2, 2))) < 0.1))      # grey: every fourth pixel would be black
    True
    """
    shape = tuple(images.shape)
    if len(shape) != 4 or not all(is_whole(side, 1) for side in (*shape[1:3], *size)):
        raise ConfigurationError(
            f"Expected images (N, height, width, channels) of a known size, and a size (height, width). Received: "
            f"{shape} and {size}."
        )
    images = ops.cast(images, "float32")
    for axis, letter in ((1, "h"), (2, "w")):
        if shape[axis] != size[axis - 1]:
            weights = ops.convert_to_tensor(_weights(shape[axis], size[axis - 1]))
            images = ops.einsum(f"o{letter},nhwc->n{'ow' if axis == 1 else 'ho'}c", weights, images)
    return images


@functools.lru_cache(maxsize=64)
def _weights(before, after):
    """float32 (after, before): the weight of each pixel in each new one."""
    shrink = max(before / after, 1.0)
    centers = (np.arange(after) + 0.5) * before / after
    distance = np.abs((np.arange(before) + 0.5)[None] - centers[:, None]) / shrink
    weights = cubic(distance)
    return (weights / weights.sum(axis=1, keepdims=True)).astype("float32")


def cubic(distance):
    """k(t) of `bicubic`, for distances t of 0 or more.

    >>> cubic(np.array([0.0, 0.5, 1.0, 1.5, 2.0])).tolist()
    [1.0, 0.5625, 0.0, -0.0625, 0.0]
    """
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1.0
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4.0 * distance + 2.0
    return np.where(distance <= 1.0, near, np.where(distance < 2.0, far, 0.0))
