"""Losses for learning from few labels: K classes plus one for "generated", and feature matching for the generator.

A discriminator gives K logits l_1 .. l_K. The logit of "generated" is fixed to zero. This loses nothing, because a
softmax does not change when a constant is added to all of its logits. With lse = log sum_k exp l_k the probability of
"real" is D = exp(lse) / (exp(lse) + 1), the sigmoid of lse.
"""

import keras
from keras import ops

from keras_gans.errors import DataError
from keras_gans.losses.adversarial import cross_entropy, float32

register = keras.saving.register_keras_serializable(package="keras_gans")


@register
def semi_supervised_labelled_loss(logits, labels):
    """The discriminator's loss for labelled images: E[-log p(y | x, x is real)] = E[lse(x) - l_y(x)].

    It is the cross-entropy of a softmax over the K classes, "generated" left out: log K where all logits are equal.

    Args:
        logits: the discriminator's logits for labelled images, (N, K).
        labels: their classes, integers from 0 to K - 1, N of them in any shape.

    Returns:
        A float32 scalar, 0 or more.

    Raises:
        DataError: not one label for each image, or labels that are not integers. The range is checked only by `fit`:
            here a label out of range has no logit, and its term is lse(x).

    Example:

    >>> logits = np.array([[0.0, 0.0], [0.0, np.log(3.0)]])
    >>> round(float(semi_supervised_labelled_loss(logits, np.array([0, 1]))), 4)     # (log 2 + log 4/3) / 2
    0.4904

    Reference: Salimans et al., 2016, section 5, https://arxiv.org/abs/1606.03498
    """
    logits, labels = float32(logits), ops.reshape(labels, (-1,))
    if None not in (logits.shape[0], labels.shape[0]) and logits.shape[0] != labels.shape[0]:
        raise DataError(
            f"Expected a label for each of {logits.shape[0]} images. Received: {labels.shape[0]}. Give one per image."
        )
    if "int" not in (dtype := keras.backend.standardize_dtype(labels.dtype)):
        raise DataError(f"Expected labels as whole numbers. Received: {dtype}. Convert them to integers.")
    chosen = ops.one_hot(labels, logits.shape[-1], dtype="float32")
    return ops.mean(ops.logsumexp(logits, axis=-1) - ops.sum(chosen * logits, axis=-1))


@register
def semi_supervised_unlabelled_loss(real_logits, fake_logits):
    """The discriminator's loss for unlabelled and generated images: -E[log D(x)] / 2 - E[log(1 - D(G(z)))] / 2.

    That is E[softplus(-lse(x))] / 2 + E[softplus(lse(G(z)))] / 2 with D the sigmoid of lse. It is the GAN's loss,
    halved as in the authors' code, so that it has the same weight as the labelled loss.

    Args:
        real_logits: the discriminator's logits for unlabelled images, (N, K).
        fake_logits: its logits for generated images, (M, K).

    Returns:
        A float32 scalar, 0 or more.

    Example:

    >>> zeros = np.zeros((2, 10))     # lse = log 10, D = 10 / 11
    >>> round(float(semi_supervised_unlabelled_loss(zeros, zeros)), 4)     # (log 1.1 + log 11) / 2
    1.2466

    Reference: Salimans et al., 2016, section 5, https://arxiv.org/abs/1606.03498; code:
    https://github.com/openai/improved-gan
    """
    real, fake = (ops.logsumexp(float32(logits), axis=-1) for logits in (real_logits, fake_logits))
    return 0.5 * cross_entropy(real, 1.0) + 0.5 * cross_entropy(fake, 0.0)


@register
def feature_matching_loss(real_features, fake_features):
    """The generator's feature matching loss: the squared distance between the mean features of two batches.

    (1/F) sum_j (E[f_j(x)] - E[f_j(G(z))])^2 over F features. The paper writes the sum, which is F times larger; the
    authors' code for MNIST takes the mean. Adam takes the same steps for both.

    Args:
        real_features: outputs of an intermediate layer of the discriminator for real images, (N, F).
        fake_features: outputs of the same layer for generated images, (M, F).

    Returns:
        A float32 scalar, 0 or more.

    Example:

    >>> float(feature_matching_loss(np.array([[1.0, 0.0], [3.0, 0.0]]), np.array([[0.0, 2.0]])))     # (2^2 + 2^2) / 2
    4.0

    Reference: Salimans et al., 2016, section 3.1, https://arxiv.org/abs/1606.03498; code:
    https://github.com/openai/improved-gan
    """
    if tuple(real_features.shape[1:]) != tuple(fake_features.shape[1:]):
        raise DataError(
            f"Expected features of one layer. Received: {tuple(real_features.shape)}, {tuple(fake_features.shape)}."
        )
    gap = ops.mean(float32(real_features), axis=0) - ops.mean(float32(fake_features), axis=0)
    return ops.mean(ops.square(gap))


@register
def feature_matching_discriminator_loss(real_features, fake_features):
    """The discriminator's loss of the game on features: minus the distance that the generator minimises.

    -(1/F) sum_j (E[f_j(x)] - E[f_j(G(z))])^2, so that with `feature_matching_loss` for the generator the players
    solve min over G of max over f of the distance between mean features. ImprovedGAN differs: there the discriminator
    classifies, and only the generator looks at the features. The loss has no least value: bound the features, by
    tanh or a clip after the last layer, or the discriminator only makes them larger. Like any
    game it may circle without an end.

    Args:
        real_features, fake_features: as in `feature_matching_loss`.

    Returns:
        A float32 scalar, 0 or less.

    Example:

    >>> float(feature_matching_discriminator_loss(np.array([[1.0, 0.0], [3.0, 0.0]]), np.array([[0.0, 2.0]])))
    -4.0

    Reference: Mroueh, Sercu and Goel, 2017, "McGan: mean and covariance feature matching GAN",
    https://arxiv.org/abs/1702.08398
    """
    return -feature_matching_loss(real_features, fake_features)
