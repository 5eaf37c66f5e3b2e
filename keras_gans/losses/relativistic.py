"""Relativistic objectives: the discriminator says which of two images is the real one.

Pure functions of logits, as in `keras_gans.losses.adversarial`; here the generator's losses need the real logits too.
"""

import keras
from keras import ops

from keras_gans.errors import DataError
from keras_gans.losses.adversarial import cross_entropy, float32

register = keras.saving.register_keras_serializable(package="keras_gans")


@register
def relativistic_average_discriminator_loss(real_logits, fake_logits):
    """E[softplus(-(d(x) - E d(G(z))))] + E[softplus(d(G(z)) - E d(x))]: is a real image more real than the mean fake?

    This is the sum of the two halves, as in TF-GAN; the author's code divides it by two. The inner means are over the
    batch (over each replica's share if several replicas split it) and carry gradients. Adding a constant to d changes
    nothing.

    Args:
        real_logits, fake_logits: discriminator outputs, without a sigmoid; their counts may differ.

    Returns:
        A float32 scalar; 2 log 2 where D is undecided.

    Example:

    >>> round(float(relativistic_average_discriminator_loss(np.array([5.0, 3.0]), np.array([2.0]))), 4)
    0.3079

    That is (softplus(-3) + softplus(-1)) / 2 + softplus(-2).

    Reference: Jolicoeur-Martineau, 2018, https://arxiv.org/abs/1807.00734; code:
    https://github.com/AlexiaJM/RelativisticGAN
    """
    real_logits, fake_logits = float32(real_logits), float32(fake_logits)
    real_margin, fake_margin = real_logits - ops.mean(fake_logits), fake_logits - ops.mean(real_logits)
    return cross_entropy(real_margin, 1.0) + cross_entropy(fake_margin, 0.0)


@register
def relativistic_average_generator_loss(real_logits, fake_logits):
    """E[softplus(-(d(G(z)) - E d(x)))] + E[softplus(d(x) - E d(G(z)))]: the discriminator's loss with sides swapped.

    Args:
        real_logits, fake_logits: discriminator outputs, without a sigmoid; their counts may differ. The generator
            affects both terms, the second through the mean.

    Returns:
        A float32 scalar; 2 log 2 where D is undecided.

    Example:

    >>> round(float(relativistic_average_generator_loss(np.array([2.0]), np.array([5.0, 3.0]))), 4)
    0.3079

    Reference: Jolicoeur-Martineau, 2018, https://arxiv.org/abs/1807.00734; code:
    https://github.com/AlexiaJM/RelativisticGAN
    """
    return relativistic_average_discriminator_loss(fake_logits, real_logits)


@register
def relativistic_pairing_discriminator_loss(real_logits, fake_logits):
    """E[softplus(-(d(x_i) - d(G(z_i))))]: is each real image more real than its own fake?

    Real and generated images are paired by position in the batch, so permuting one side changes the loss; adding a
    constant to d does not.

    Args:
        real_logits, fake_logits: discriminator outputs, without a sigmoid, of the same shape.

    Returns:
        A float32 scalar; log 2 where D is undecided.

    Raises:
        DataError: shapes that differ, which would compare images across pairs.

    Example:

    >>> round(float(relativistic_pairing_discriminator_loss(np.array([3.0]), np.array([1.0]))), 4)     # softplus(-2)
    0.1269

    Reference: Huang et al., 2024, https://arxiv.org/abs/2501.05441; Jolicoeur-Martineau, 2018,
    https://arxiv.org/abs/1807.00734
    """
    check_paired(real_logits, fake_logits)
    return cross_entropy(float32(real_logits) - float32(fake_logits), 1.0)


@register
def relativistic_pairing_generator_loss(real_logits, fake_logits):
    """E[softplus(-(d(G(z_i)) - d(x_i)))]: the discriminator's loss with sides swapped.

    The real scores carry no gradient to the generator, but they are needed: they set how far the softplus is saturated.

    Args:
        real_logits, fake_logits: discriminator outputs, without a sigmoid, of the same shape.

    Returns:
        A float32 scalar; log 2 where D is undecided.

    Raises:
        DataError: shapes that differ, which would compare images across pairs.

    Example:

    >>> round(float(relativistic_pairing_generator_loss(np.array([3.0]), np.array([1.0]))), 4)     # softplus(2)
    2.1269

    Reference: Huang et al., 2024, https://arxiv.org/abs/2501.05441
    """
    return relativistic_pairing_discriminator_loss(fake_logits, real_logits)


def check_paired(first, second):
    """Raises an error if two tensors cannot be compared image by image. Sizes that are unknown while tracing pass.

    Raises:
        DataError: shapes that differ; scores (N, 1) minus scores (N,) would be (N, N).
    """
    first, second = tuple(first.shape), tuple(second.shape)
    if len(first) != len(second) or any(a != b and None not in (a, b) for a, b in zip(first, second)):
        raise DataError(
            f"Expected two tensors of one shape, paired image by image. Received: {first} and {second}. Use the "
            "same number of images on both sides, and the same networks."
        )
