"""Adversarial objectives: pure functions of logits.

Every function takes logits (no sigmoid), computes in float32 and returns a scalar mean to be minimised. Logits of any
shape are accepted; the mean is over all of them. No finite logit makes a logarithm or an exponential overflow.
"""

import keras
from keras import ops

register = keras.saving.register_keras_serializable(package="keras_gans")


def cross_entropy(logits, target):
    """Binary cross-entropy from logits: E[t softplus(-d) + (1 - t) softplus(d)] for a target t in [0, 1].

    Args:
        logits: discriminator outputs before any sigmoid, any shape.
        target: a number or scalar tensor, the target probability of "real".

    Returns:
        A float32 scalar.

    Example:

    >>> round(float(cross_entropy(np.zeros((4, 1), "float32"), 1.0)), 4)     # log 2
    0.6931
    """
    logits = float32(logits)
    # Not log(sigmoid(d)), which underflows, nor softplus(d) - t d, which cancels where D is nearly certain.
    return ops.mean(target * ops.softplus(-logits) + (1.0 - target) * ops.softplus(logits))


@register
def minimax_discriminator_loss(real_logits, fake_logits, real_target=1.0):
    """The discriminator's side of the minimax game: -E[log D(x)] - E[log(1 - D(G(z)))].

    That is E[softplus(-d(x))] + E[softplus(d(G(z)))] for logits d, the negated value function. It is 2 log 2 where D is
    undecided. A `real_target` below 1 is one-sided label smoothing: it is the target for real images; the target for
    fakes stays 0.

    Args:
        real_logits, fake_logits: discriminator outputs before any sigmoid.
        real_target: the target probability of "real" for real images, in (0, 1].

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

    It saturates where the discriminator wins: at d = -20 its gradient is 2e-9. It is here for the theory; train with
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
    """The discriminator's loss of the non-saturating game. It equals the minimax game's.

    See `minimax_discriminator_loss`; the two games differ only in the generator's loss.

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


@register
def least_squares_discriminator_loss(real_logits, fake_logits, real_target=1.0, fake_target=0.0):
    """The discriminator's loss of the least squares GAN: E[(d(x) - b)^2] / 2 + E[(d(G(z)) - a)^2] / 2.

    The optimal d is (b p + a q) / (p + q) for the densities p of the data and q of the generator. The paper's other
    choice of codes is a = -1, b = 1 and, for the generator, c = 0. It has b - c = 1 and b - a = 2, so the generator
    minimises the Pearson divergence between p + q and 2 q.

    Args:
        real_logits, fake_logits: discriminator outputs, without a sigmoid.
        real_target: the code b of real images.
        fake_target: the code a of generated images.

    Returns:
        A float32 scalar, 0 or more.

    Example:

    >>> float(least_squares_discriminator_loss(np.array([1.0, 3.0]), np.array([1.0])))     # (0 + 4) / 2 / 2 + 1 / 2
    1.5

    Reference: Mao et al., 2017, https://arxiv.org/abs/1611.04076
    """
    real_logits, fake_logits = float32(real_logits), float32(fake_logits)
    return (ops.mean(ops.square(real_logits - real_target)) + ops.mean(ops.square(fake_logits - fake_target))) / 2.0


@register
def least_squares_generator_loss(fake_logits, target=1.0):
    """The generator's loss of the least squares GAN: E[(d(G(z)) - c)^2] / 2.

    Args:
        fake_logits: discriminator outputs for generated images, without a sigmoid.
        target: the code c that the generator aims for: 1 with the codes a = 0 and b = 1, 0 with a = -1 and b = 1.

    Returns:
        A float32 scalar, 0 or more.

    Example:

    >>> float(least_squares_generator_loss(np.array([1.0, 3.0])))     # (0 + 4) / 2 / 2
    1.0

    Reference: Mao et al., 2017, https://arxiv.org/abs/1611.04076
    """
    return ops.mean(ops.square(float32(fake_logits) - target)) / 2.0


@register
def hinge_discriminator_loss(real_logits, fake_logits):
    """The discriminator's hinge loss: E[max(0, 1 - d(x))] + E[max(0, 1 + d(G(z)))].

    It is 2 where d = 0; images beyond the margin, d(x) >= 1 and d(G(z)) <= -1, add nothing to the loss and have no
    gradient.

    Args:
        real_logits, fake_logits: discriminator outputs, without a sigmoid.

    Returns:
        A float32 scalar, 0 or more.

    Example:

    >>> float(hinge_discriminator_loss(np.array([2.0, 0.0]), np.array([-1.0, 1.0])))     # (0 + 1) / 2 + (0 + 2) / 2
    1.5

    Reference: Lim and Ye, 2017, https://arxiv.org/abs/1705.02894; as used by Miyato et al., 2018,
    https://arxiv.org/abs/1802.05957
    """
    return ops.mean(ops.relu(1.0 - float32(real_logits))) + ops.mean(ops.relu(1.0 + float32(fake_logits)))


@register
def hinge_generator_loss(fake_logits):
    """The generator's loss that goes with the hinge loss: -E[d(G(z))].

    Args:
        fake_logits: discriminator outputs for generated images, without a sigmoid.

    Returns:
        A float32 scalar.

    Example:

    >>> float(hinge_generator_loss(np.array([2.0, -1.0])))
    -0.5

    Reference: Lim and Ye, 2017, https://arxiv.org/abs/1705.02894
    """
    return -ops.mean(float32(fake_logits))


@register
def wasserstein_discriminator_loss(real_logits, fake_logits):
    """The critic's loss of the Wasserstein GAN: E[f(G(z))] - E[f(x)].

    Its negative estimates the Wasserstein-1 distance, up to the factor K, if the critic is K-Lipschitz. This function
    does not enforce that; see `keras_gans.penalties`. The authors' code trains -f, which is equivalent.

    Args:
        real_logits, fake_logits: the critic's scores.

    Returns:
        A float32 scalar.

    Example:

    >>> float(wasserstein_discriminator_loss(np.array([3.0, 1.0]), np.array([-1.0])))     # -1 - 2
    -3.0

    Reference: Arjovsky et al., 2017, algorithm 1, https://arxiv.org/abs/1701.07875
    """
    return ops.mean(float32(fake_logits)) - ops.mean(float32(real_logits))


@register
def wasserstein_generator_loss(fake_logits):
    """The generator's loss of the Wasserstein GAN: -E[f(G(z))].

    Args:
        fake_logits: the critic's scores of generated images.

    Returns:
        A float32 scalar.

    Example:

    >>> float(wasserstein_generator_loss(np.array([2.0, -1.0])))
    -0.5

    Reference: Arjovsky et al., 2017, algorithm 1, https://arxiv.org/abs/1701.07875
    """
    return -ops.mean(float32(fake_logits))


def float32(scores):
    """Scores as float32. Every objective is computed in float32, whatever the networks' dtype."""
    return ops.cast(scores, "float32")
