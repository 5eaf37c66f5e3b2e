"""A lower bound on the mutual information between generated images and their codes."""

import math

import keras
from keras import ops

from keras_gans.losses.adversarial import float32
from keras_gans.losses.relativistic import check_paired

register = keras.saving.register_keras_serializable(package="keras_gans")


@register
def categorical_information(logits, codes):
    """The bound for a code that is uniform over K categories: E[log q(c | G(z, c))] + log K, in nats.

    Both q and the generator maximise it. It is 0 for a q that knows nothing, log K for one that is always right and
    certain.

    Args:
        logits: q's logits over the categories for generated images, (N, K).
        codes: the codes that the images were made from, one-hot, (N, K).

    Returns:
        A float32 scalar, log K or less.

    Raises:
        DataError: shapes that differ.

    Example:

    >>> logits, codes = np.log(np.array([[1.0, 3.0], [1.0, 1.0]])), np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> round(float(categorical_information(logits, codes)), 4)     # (log 3/4 + log 1/2) / 2 + log 2
    0.2027

    Reference: Chen et al., 2016, section 5, https://arxiv.org/abs/1606.03657; code: https://github.com/openai/InfoGAN
    """
    logits, codes = float32(logits), float32(codes)
    check_paired(logits, codes)
    return ops.mean(ops.sum(codes * ops.log_softmax(logits, axis=-1), axis=-1)) + math.log(logits.shape[-1])


@register
def continuous_information(means, codes):
    """The bound for continuous codes and a q that is normal with variance 1: E[sum_j (c_j^2 - (c_j - mean_j)^2) / 2].

    This is log q(c) - log p(c) with a standard normal p, as in the authors' code. It is also used for codes that are
    uniform on [-1, 1]; their own density would lower it by a constant, which has no gradient. It is 0 for means of
    zero.

    Args:
        means: q's means for generated images, (N, J).
        codes: the codes that the images were made from, (N, J).

    Returns:
        A float32 scalar.

    Raises:
        DataError: shapes that differ.

    Example:

    >>> float(continuous_information(np.array([[1.0], [0.0]]), np.array([[1.0], [-1.0]])))     # (1/2 + 0) / 2
    0.25

    Reference: Chen et al., 2016, section 5, https://arxiv.org/abs/1606.03657; code: https://github.com/openai/InfoGAN
    """
    means, codes = float32(means), float32(codes)
    check_paired(means, codes)
    return 0.5 * ops.mean(ops.sum(ops.square(codes) - ops.square(codes - means), axis=-1))
