"""The f-GAN family: one class per divergence, and the losses that a divergence defines.

D_f(P || Q) = E_Q[f(p / q)] for the data P and the generator Q is bounded from below by

    F = E_P[T(x)] - E_Q[f*(T(x))],   T = g_f(V),

where V is the discriminator's unconstrained score, the activation g_f maps it into the domain of the conjugate
f*(t) = sup_u (u t - f(u)), and the bound is tight at T = f'(p / q). The discriminator raises F, the generator lowers
it. Every g_f is increasing, so a larger score means more real. The decision boundary is T > f'(1), the `threshold`; for
some divergences this is not V > 0.

Where the published g_f or f*(g_f) is an exponential, scores beyond 10 in magnitude first go through `tame`. The result
is another activation into the same domain, so F stays a lower bound. Its gradient neither overflows nor vanishes;
clipped scores would have no gradient.

Reference: Nowozin et al., 2016, https://arxiv.org/abs/1606.00709
"""

import keras
import numpy as np
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.losses.adversarial import float32

register = keras.saving.register_keras_serializable(package="keras_gans")

LARGEST_EXPONENT = 10.0  # e^10 = 22026: no batch can resolve a larger ratio of densities


def tame(scores):
    """Keeps scores up to 10; maps a larger one to 10 + log(score - 9), so that exp continues as its tangent at 10.

    Example:

    >>> [round(float(tame(np.array(v))), 4) for v in (-1e4, 3.0, 1e4)]
    [-10000.0, 3.0, 19.2094]
    """
    scores = float32(scores)
    return ops.minimum(scores, LARGEST_EXPONENT) + ops.log1p(ops.relu(scores - LARGEST_EXPONENT))


class FDivergence:
    """The base class of the divergences. Models take a divergence as an argument.

    A divergence without parameters needs no `get_config` of its own.
    """

    threshold = 0.0  # f'(1): an image looks real where T is larger

    def f(self, ratio):
        """The convex function f of a ratio of densities; float32, any shape.

        The ratio must be greater than zero: at 0, f is only defined as a limit, and 0 log 0 gives NaN.
        """
        raise NotImplementedError

    def conjugate(self, t):
        """f*(t) = sup_u (u t - f(u)), for t inside its domain; float32, any shape.

        The domain is not checked. Outside it the formula gives NaN or a number that is not the supremum.
        """
        raise NotImplementedError

    def activation(self, scores):
        """T = g_f(V), increasing, from any score into the domain of f*; float32, of the scores' shape."""
        raise NotImplementedError

    def activated_conjugate(self, scores):
        """f*(g_f(V)), written so that no score overflows; float32, of the scores' shape."""
        raise NotImplementedError

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@register
class KullbackLeibler(FDivergence):
    """KL(P || Q): f(u) = u log u, f*(t) = exp(t - 1), g_f(v) = v, f'(1) = 1. The generator covers all modes.

    Example:

    >>> kl = kg.losses.KullbackLeibler()
    >>> float(kl.activated_conjugate(np.array(1.0))), kl.threshold
    (1.0, 1.0)

    Reference: Nowozin et al., 2016
    """

    threshold = 1.0

    def f(self, ratio):
        return float32(ratio) * ops.log(float32(ratio))

    def conjugate(self, t):
        return ops.exp(float32(t) - 1.0)

    def activation(self, scores):
        return tame(scores)

    def activated_conjugate(self, scores):
        return ops.exp(tame(scores) - 1.0)


@register
class ReverseKullbackLeibler(FDivergence):
    """KL(Q || P): f(u) = -log u, f*(t) = -1 - log(-t) for t < 0, g_f(v) = -exp(-v), f'(1) = -1. It seeks one mode.

    Some implementations write -exp(v), with the opposite sign of V.

    Example:

    >>> reverse = kg.losses.ReverseKullbackLeibler()
    >>> float(reverse.activation(np.array(0.0))), float(reverse.activated_conjugate(np.array(3.0)))
    (-1.0, 2.0)

    Reference: Nowozin et al., 2016
    """

    threshold = -1.0

    def f(self, ratio):
        return -ops.log(float32(ratio))

    def conjugate(self, t):
        return -1.0 - ops.log(-float32(t))

    def activation(self, scores):
        return -ops.exp(tame(-float32(scores)))

    def activated_conjugate(self, scores):
        return -tame(-float32(scores)) - 1.0


@register
class Pearson(FDivergence):
    """Pearson's chi squared, integral of (p - q)^2 / q: f(u) = (u - 1)^2, f*(t) = t^2 / 4 + t, g_f(v) = v, f'(1) = 0.

    The conjugate is that of f on the whole real line; the optimal T = 2 (p / q - 1) is never below -2.

    Example:

    >>> pearson = kg.losses.Pearson()
    >>> float(pearson.f(np.array(3.0))), float(pearson.activated_conjugate(np.array(2.0)))
    (4.0, 3.0)

    Reference: Nowozin et al., 2016
    """

    def f(self, ratio):
        return ops.square(float32(ratio) - 1.0)

    def conjugate(self, t):
        return ops.square(float32(t)) / 4.0 + float32(t)

    def activation(self, scores):
        return float32(scores)

    def activated_conjugate(self, scores):
        return self.conjugate(scores)


@register
class Neyman(FDivergence):
    """Neyman's chi squared, integral of (p - q)^2 / p: f(u) = (1 - u)^2 / u, f*(t) = 2 - 2 sqrt(1 - t) for t < 1.

    g_f(v) = 1 - exp(-v), f'(1) = 0.

    Example:

    >>> neyman = kg.losses.Neyman()
    >>> float(neyman.f(np.array(4.0))), float(neyman.conjugate(np.array(-3.0)))
    (2.25, -2.0)

    Reference: Nowozin et al., 2016 (f*(g_f(v)) = 2 - 2 exp(-v / 2): derived here)
    """

    def f(self, ratio):
        return ops.square(1.0 - float32(ratio)) / float32(ratio)

    def conjugate(self, t):
        return 2.0 - 2.0 * ops.sqrt(1.0 - float32(t))

    def activation(self, scores):
        return 1.0 - ops.exp(tame(-float32(scores)))

    def activated_conjugate(self, scores):
        return 2.0 - 2.0 * ops.exp(tame(-float32(scores)) / 2.0)


@register
class SquaredHellinger(FDivergence):
    """Squared Hellinger, integral of (sqrt p - sqrt q)^2: f(u) = (sqrt u - 1)^2, f*(t) = t / (1 - t) for t < 1.

    g_f(v) = 1 - exp(-v), f'(1) = 0. Some authors add a factor of 1/2; there is none here.

    Example:

    >>> hellinger = kg.losses.SquaredHellinger()
    >>> float(hellinger.f(np.array(9.0))), float(hellinger.conjugate(np.array(0.5)))
    (4.0, 1.0)

    Reference: Nowozin et al., 2016
    """

    def f(self, ratio):
        return ops.square(ops.sqrt(float32(ratio)) - 1.0)

    def conjugate(self, t):
        return float32(t) / (1.0 - float32(t))

    def activation(self, scores):
        return 1.0 - ops.exp(-self._tame(scores))

    def activated_conjugate(self, scores):
        return ops.exp(self._tame(scores)) - 1.0

    @staticmethod
    def _tame(scores):
        return -tame(-tame(scores))  # on both sides: g_f has exp(-v), f*(g_f) has exp(v)


@register
class JensenShannon(FDivergence):
    """KL(P || M) + KL(Q || M) with M = (P + Q) / 2: twice the usual JSD, which has a half before each term.

    f(u) = u log u - (u + 1) log((u + 1) / 2), f*(t) = -log(2 - exp(t)) for t < log 2,
    g_f(v) = log 2 - softplus(-v), f'(1) = 0.

    Example:

    >>> js = kg.losses.JensenShannon()
    >>> float(js.f(np.array(1.0))), js.threshold
    (0.0, 0.0)

    Reference: Nowozin et al., 2016
    """

    def f(self, ratio):
        ratio = float32(ratio)
        return ratio * ops.log(ratio) - (ratio + 1.0) * ops.log((ratio + 1.0) / 2.0)

    def conjugate(self, t):
        return -ops.log(2.0 - ops.exp(float32(t)))

    def activation(self, scores):
        return np.log(2.0).item() - ops.softplus(-float32(scores))

    def activated_conjugate(self, scores):
        return ops.softplus(float32(scores)) - np.log(2.0).item()


@register
class GANDivergence(FDivergence):
    """The original GAN's: 2 JSD(P, Q) - log 4, so -log 4 where P = Q; F is the value function of the minimax game.

    f(u) = u log u - (u + 1) log(u + 1), f*(t) = -log(1 - exp(t)) for t < 0, g_f(v) = -softplus(-v) = log sigmoid(v),
    f'(1) = -log 2.

    Example:

    >>> gan = kg.losses.GANDivergence()
    >>> round(float(gan.f(np.array(1.0))), 4), round(float(gan.activation(np.array(0.0))), 4)     # -log 4, -log 2
    (-1.3863, -0.6931)

    Reference: Nowozin et al., 2016; Goodfellow et al., 2014, section 4, https://arxiv.org/abs/1406.2661
    """

    threshold = -np.log(2.0).item()

    def f(self, ratio):
        ratio = float32(ratio)
        return ratio * ops.log(ratio) - (ratio + 1.0) * ops.log(ratio + 1.0)

    def conjugate(self, t):
        return -ops.log(1.0 - ops.exp(float32(t)))

    def activation(self, scores):
        return -ops.softplus(-float32(scores))

    def activated_conjugate(self, scores):
        return ops.softplus(float32(scores))


@register
class WeightedJensenShannon(FDivergence):
    """The lambda divergence w KL(P || M) + (1 - w) KL(Q || M) with M = w P + (1 - w) Q; w = 1/2 is the usual JSD.

    f(u) = w u log u - (1 - w + w u) log(1 - w + w u), f*(t) = (1 - w) log((1 - w) / (1 - w exp(t / w))) for
    t < -w log w, g_f(v) = -w log w - softplus(-v), f'(1) = 0. Divided by w it tends to KL(P || Q) as w goes to 0,
    divided by 1 - w to KL(Q || P) as w goes to 1 (Huszar, 2015, https://arxiv.org/abs/1511.05101).

    Args:
        weight: w, the data's share, in (0, 1).

    Raises:
        ConfigurationError: a weight out of range.

    Example:

    >>> half, whole = kg.losses.WeightedJensenShannon(0.5), kg.losses.JensenShannon()
    >>> round(float(half.f(np.array(3.0)) / whole.f(np.array(3.0))), 4)
    0.5

    Reference: Nowozin et al., 2016 (f*(g_f(v)): derived here)
    """

    def __init__(self, weight=0.5):
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0.0 < weight < 1.0:
            raise ConfigurationError(
                f"Expected the data's weight as a number in (0, 1). Received: {weight!r}. At 0 and 1 the divergence "
                "vanishes; its limits after scaling are KullbackLeibler and ReverseKullbackLeibler."
            )
        self.weight = float(weight)

    def f(self, ratio):
        ratio, w = float32(ratio), self.weight
        mixture = 1.0 - w + w * ratio
        return w * ratio * ops.log(ratio) - mixture * ops.log(mixture)

    def conjugate(self, t):
        w = self.weight
        return (1.0 - w) * (np.log(1.0 - w).item() - ops.log(1.0 - w * ops.exp(float32(t) / w)))

    def activation(self, scores):
        return -self.weight * np.log(self.weight).item() - ops.softplus(-float32(scores))

    def activated_conjugate(self, scores):
        # With w exp(t / w) = exp(-s), s = softplus(-v) / w, this is (1 - w) (log(1 - w) - log(1 - exp(-s))). Where s
        # is too small for float32 the last logarithm is log s = -v - log w. Each branch sees only its own scores:
        # otherwise `where` would multiply an infinite gradient by zero, which is NaN.
        scores, w = float32(scores), self.weight
        large = scores > 15.0 - np.log(w).item()
        s = ops.softplus(-ops.where(large, 0.0, scores)) / w
        logarithm = ops.where(large, -scores - np.log(w).item(), ops.log(-ops.expm1(-s)))
        return (1.0 - w) * (np.log(1.0 - w).item() - logarithm)

    def get_config(self):
        return {"weight": self.weight}


@register
class TotalVariation(FDivergence):
    """Total variation, half the integral of |p - q|: f(u) = |u - 1| / 2, f*(t) = t for |t| <= 1/2.

    g_f(v) = tanh(v) / 2, which saturates where the discriminator is certain. f has a corner at 1, where any number in
    [-1/2, 1/2] is a slope; the threshold is the middle, 0.

    Example:

    >>> float(kg.losses.TotalVariation().f(np.array(3.0)))
    1.0

    Reference: Nowozin et al., 2016 (f*(t) = t and the threshold: derived here)
    """

    def f(self, ratio):
        return ops.abs(float32(ratio) - 1.0) / 2.0

    def conjugate(self, t):
        return float32(t)

    def activation(self, scores):
        return ops.tanh(float32(scores)) / 2.0

    def activated_conjugate(self, scores):
        return self.activation(scores)


@register
def f_gan_discriminator_loss(divergence, real_scores, fake_scores):
    """The discriminator's side of an f-GAN: -F = -E[g_f(V(x))] + E[f*(g_f(V(G(z))))].

    Its minimum is -D_f(P || Q). With `GANDivergence()` it is the minimax discriminator's loss.

    Args:
        divergence: such as `KullbackLeibler()`.
        real_scores, fake_scores: the discriminator's outputs V, without an activation, any shape.

    Returns:
        A float32 scalar.

    Example:

    >>> zeros = np.zeros((2, 1), "float32")
    >>> round(float(f_gan_discriminator_loss(kg.losses.GANDivergence(), zeros, zeros)), 4)     # log 4
    1.3863

    Reference: Nowozin et al., 2016, section 2 and algorithm 1, https://arxiv.org/abs/1606.00709
    """
    return ops.mean(divergence.activated_conjugate(fake_scores)) - ops.mean(divergence.activation(real_scores))


@register
def f_gan_generator_loss(divergence, fake_scores):
    """The generator's side of an f-GAN, the part of F that depends on the generator: -E[f*(g_f(V(G(z))))].

    As in the minimax game, it can saturate where the discriminator wins.

    Args:
        divergence: the same as the discriminator's.
        fake_scores: the discriminator's outputs V for generated images, without an activation.

    Returns:
        A float32 scalar.

    Example:

    >>> float(f_gan_generator_loss(kg.losses.Pearson(), np.array([2.0])))     # -(1 + 2)
    -3.0

    Reference: Nowozin et al., 2016, section 2 and algorithm 1, https://arxiv.org/abs/1606.00709
    """
    return -ops.mean(divergence.activated_conjugate(fake_scores))


@register
def f_gan_practical_generator_loss(divergence, fake_scores):
    """The generator's alternative loss of section 3.2: -E[g_f(V(G(z)))]. It trains better according to the paper.

    It generalises -E[log D(G(z))] and equals it for `GANDivergence()`. The generator moves towards what the
    discriminator takes for real, not away from what it takes for generated.

    Args:
        divergence: the same as the discriminator's.
        fake_scores: the discriminator's outputs V for generated images, without an activation.

    Returns:
        A float32 scalar.

    Example:

    >>> round(float(f_gan_practical_generator_loss(kg.losses.GANDivergence(), np.array([2.0]))), 4)    # softplus(-2)
    0.1269

    Reference: Nowozin et al., 2016, section 3.2, https://arxiv.org/abs/1606.00709
    """
    return -ops.mean(divergence.activation(fake_scores))
