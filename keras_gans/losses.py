"""Adversarial objectives: pure functions of logits.

Every function takes logits (no sigmoid), computes in float32 and returns a scalar mean to be minimised. Logits of any
shape are accepted; the mean is over all of them.
"""

import keras
from keras import ops

register = keras.saving.register_keras_serializable(package="keras_gans")


def cross_entropy(logits, target):
    """Binary cross-entropy from logits: E[t softplus(-d) + (1 - t) softplus(d)] for a target t in [0, 1].

    Args:
        logits: discriminator outputs before any sigmoid, any shape.
        target: a number or scalar tensor, the wanted probability of "real".

    Returns:
        A float32 scalar.

    Example:

    >>> round(float(cross_entropy(np.zeros((4, 1), "float32"), 1.0)), 4)     # log 2
    0.6931
    """
    logits = ops.cast(logits, "float32")
    # t softplus(-d) + (1 - t) softplus(d) = softplus(d) - t d: one softplus, and never the logarithm of a sigmoid.
    return ops.mean(ops.softplus(logits) - target * logits)


@register
def minimax_discriminator_loss(real_logits, fake_logits, real_target=1.0):
    """The discriminator's side of the minimax game: -E[log D(x)] - E[log(1 - D(G(z)))].

    That is E[softplus(-d(x))] + E[softplus(d(G(z)))] for logits d, the negated value function; 2 log 2 where D is
    undecided. `real_target` below one is one-sided label smoothing: the target of real images, fakes keep zero.

    Args:
        real_logits, fake_logits: discriminator outputs before any sigmoid.
        real_target: the wanted probability of "real" for real images, in (0, 1].

    Returns:
        A float32 scalar.

    Example:

    >>> zeros = np.zeros((2, 1), "float32")
    >>> round(float(minimax_discriminator_loss(zeros, zeros)), 4)
    1.3863

    Reference: Goodfellow et al., 2014, eq. 1, https://arxiv.org/abs/1406.2661; smoothing: Salimans et al., 2016, 3.4,
    https://arxiv.org/abs/1606.03498
    """
    return cross_entropy(real_logits, real_target) + cross_entropy(fake_logits, 0.0)


@register
def minimax_generator_loss(fake_logits):
    """The generator's side of the minimax game: E[log(1 - D(G(z)))] = -E[softplus(d(G(z)))].

    It saturates where the discriminator wins: at d = -20 its gradient is 2e-9. Published for the theory; train with
    `non_saturating_generator_loss`.

    Args:
        fake_logits: discriminator outputs for generated images, before any sigmoid.

    Returns:
        A float32 scalar.

    Example:

    >>> round(float(minimax_generator_loss(np.zeros((2, 1), "float32"))), 4)     # -log 2
    -0.6931

    Reference: Goodfellow et al., 2014, eq. 1, https://arxiv.org/abs/1406.2661
    """
    return -cross_entropy(fake_logits, 0.0)


@register
def non_saturating_discriminator_loss(real_logits, fake_logits, real_target=1.0):
    """The discriminator's loss of the non-saturating game, which is the minimax game's.

    See `minimax_discriminator_loss`; the two games differ in the generator's loss alone.

    Example:

    >>> round(float(non_saturating_discriminator_loss(np.array([2.0]), np.array([-2.0]))), 4)   # 2 softplus(-2)
    0.2539
    """
    return minimax_discriminator_loss(real_logits, fake_logits, real_target)


@register
def non_saturating_generator_loss(fake_logits):
    """The generator's heuristic loss: -E[log D(G(z))] = E[softplus(-d(G(z)))].

    Args:
        fake_logits: discriminator outputs for generated images, before any sigmoid.

    Returns:
        A float32 scalar.

    Example:

    >>> round(float(non_saturating_generator_loss(np.array([2.0]))), 4)          # softplus(-2)
    0.1269

    Reference: Goodfellow et al., 2014, section 3, https://arxiv.org/abs/1406.2661
    """
    return cross_entropy(fake_logits, 1.0)
