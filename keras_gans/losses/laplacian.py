"""A distance between images, scale by scale."""

import keras
from keras import ops

from keras_gans.losses.adversarial import float32
from keras_gans.losses.relativistic import check_paired
from keras_gans.pyramids import laplacian_pyramid


@keras.saving.register_keras_serializable(package="keras_gans")
def laplacian_loss(images, others, levels=4):
    """The Laplacian pyramid loss Lap1: sum_j mean |L^j(x) - L^j(x')| over the levels j of both pyramids.

    The mean is over the images and the values of a level. Each level has a quarter of the values of the one before, so
    this is sum_j 2^(2j) |L^j(x) - L^j(x')|_1 divided by the number of values of an image. The weights 2^(2j) are this
    library's choice; they give every level the same total weight. The last level is the small blurred image that
    remains.

    Args:
        images, others: (N, height, width, channels).
        levels: number of pyramid levels, 1 or more; with 1 the loss is the mean |x - x'|.

    Returns:
        A float32 scalar, 0 or more.

    Raises:
        ConfigurationError: more levels than the image size allows.
        DataError: shapes that differ.

    Example:

    >>> ones = np.ones((2, 8, 8, 1), "float32")     # a shift changes only the last level
    >>> round(float(laplacian_loss(ones, -0.5 * ones, levels=3)), 4)
    1.5

    Reference: Bojanowski et al., 2017, https://arxiv.org/abs/1707.05776
    """
    images, others = float32(images), float32(others)
    check_paired(images, others)
    difference = laplacian_pyramid(images - others, levels)
    return sum(ops.mean(ops.abs(level)) for level in difference)
