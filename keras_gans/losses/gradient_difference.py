"""How differently two images change from pixel to pixel."""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.losses.adversarial import float32
from keras_gans.losses.relativistic import check_paired
from keras_gans_core.checks import is_number


@keras.saving.register_keras_serializable(package="keras_gans")
def gradient_difference_loss(images, others, alpha=1.0):
    """The gradient difference loss of two batches of images, which a blurred image does not keep low.

    E[| |x_(i,j) - x_(i-1,j)| - |y_(i,j) - y_(i-1,j)| |^alpha]
        + E[| |x_(i,j) - x_(i,j-1)| - |y_(i,j) - y_(i,j-1)| |^alpha]

    Differences are taken between neighbours in the image alone: there is no border. Each mean is over the batch, the
    pairs of neighbours and the channels; the paper's formula is a sum, its authors' code has these means. An image of
    one row has no first term, one of one column no second.

    Args:
        images, others: (N, height, width, channels).
        alpha: 1 or more.

    Returns:
        A float32 scalar, 0 or more. It is 0 for images that differ by a constant, and for a negative.

    Raises:
        ConfigurationError: an alpha below 1, whose gradient is infinite where the images agree.
        DataError: shapes that differ, or have no four axes.

    Example:

    >>> edge = np.array([[0.0, 0.0, 1.0, 1.0]], "float32").reshape(1, 1, 4, 1)
    >>> blurred = np.array([[0.0, 0.0, 0.5, 1.0]], "float32").reshape(1, 1, 4, 1)
    >>> round(float(gradient_difference_loss(edge, blurred)), 4)     # (0 + |1 - 0.5| + |0 - 0.5|) / 3
    0.3333

    Reference: Mathieu et al., 2016, eq. 6, https://arxiv.org/abs/1511.05440
    """
    if not is_number(alpha, 1.0):
        raise ConfigurationError(f"Expected an alpha of 1 or more. Received: {alpha!r}.")
    images, others = float32(images), float32(others)
    check_paired(images, others)
    if len(images.shape) != 4:
        raise DataError(
            f"Expected images (N, height, width, channels). Received: {tuple(images.shape)}. Give a single image as "
            "image[None], and grey images without channels as images[..., None]."
        )
    loss = ops.zeros(())
    for steps in (lambda x: x[:, 1:] - x[:, :-1], lambda x: x[:, :, 1:] - x[:, :, :-1]):
        first, second = ops.abs(steps(images)), ops.abs(steps(others))
        if 0 not in first.shape[1:]:
            loss = loss + ops.mean(ops.power(ops.abs(first - second), alpha))
    return loss
