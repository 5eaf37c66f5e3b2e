"""The distance of images scale by scale."""

import keras
from keras import ops

from keras_gans.losses.adversarial import float32
from keras_gans.losses.relativistic import check_paired
from keras_gans.pyramids import laplacian_pyramid


@keras.saving.register_keras_serializable(package="keras_gans")
def laplacian_loss(images, others, levels=4):
    """The Laplacian pyramid loss Lap1: sum_j mean |L^j(x) - L^j(x')| over the levels j of both pyramids.

    The mean is over images and a level's numbers. A level has a quarter of the numbers of the one before, so this is
    sum_j 2^(2j) |L^j(x) - L^j(x')|_1, divided by how many numbers an image has; that the paper weighs by 2^(2j) is
    unconfirmed. The last level is the small blurred image that remains.

    Args:
        images, others: (N, height, width, channels).
        levels: of the pyramids, 1 or more; with 1 the loss is the mean |x - x'|.

    Returns:
        A float32 scalar, 0 or more.

    Raises:
        ConfigurationError: more levels than the images can be halved for.
        DataError: shapes that differ.

    Example:

    >>> ones = np.ones((2, 8, 8, 1), "float32")     # a shift changes the last level alone
    >>> round(float(laplacian_loss(ones, -0.5 * ones, levels=3)), 4)
    1.5

    Reference: Bojanowski et al., 2017, https://arxiv.org/abs/1707.05776
    """
    images, others = float32(images), float32(others)
    check_paired(images, others)
    difference = laplacian_pyramid(images - others, levels)
    return sum(ops.mean(ops.abs(level)) for level in difference)
