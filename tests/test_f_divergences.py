"""The f-GAN family against its definitions: conjugates, the variational bound, known divergences."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans import losses
from keras_gans.engine import input_gradient, value_and_grad
from keras_gans.errors import ConfigurationError

DIVERGENCES = [
    losses.KullbackLeibler(),
    losses.ReverseKullbackLeibler(),
    losses.Pearson(),
    losses.Neyman(),
    losses.SquaredHellinger(),
    losses.JensenShannon(),
    losses.GANDivergence(),
    losses.WeightedJensenShannon(0.3),
    losses.WeightedJensenShannon(0.8),
    losses.TotalVariation(),
]
every_divergence = pytest.mark.parametrize("divergence", DIVERGENCES, ids=lambda d: type(d).__name__)


def numpy(tensor):
    return np.array(ops.convert_to_numpy(tensor), "float64")


def number(tensor):
    return float(ops.convert_to_numpy(tensor))


def array(*numbers):
    return np.array(numbers, "float32")


def kl(p, q, weights=1.0):
    return np.sum(weights * p * np.log(p / q))


def of_densities(divergence, p, q, weights=1.0):
    """The divergence by its textbook definition, without any f; `weights` are those of a quadrature."""
    w = getattr(divergence, "weight", 0.5)
    mixture = w * p + (1 - w) * q
    jsd = w * kl(p, mixture, weights) + (1 - w) * kl(q, mixture, weights)
    return {
        losses.KullbackLeibler: lambda: kl(p, q, weights),
        losses.ReverseKullbackLeibler: lambda: kl(q, p, weights),
        losses.Pearson: lambda: np.sum(weights * (p - q) ** 2 / q),
        losses.Neyman: lambda: np.sum(weights * (p - q) ** 2 / p),
        losses.SquaredHellinger: lambda: np.sum(weights * (np.sqrt(p) - np.sqrt(q)) ** 2),
        losses.JensenShannon: lambda: 2 * jsd,
        losses.GANDivergence: lambda: 2 * jsd - np.log(4),
        losses.WeightedJensenShannon: lambda: jsd,
        losses.TotalVariation: lambda: np.sum(weights * np.abs(p - q)) / 2,
    }[type(divergence)]()


def slope_of_f(divergence, ratio):
    """f'(u), by automatic differentiation of f."""
    return numpy(input_gradient(divergence.f, np.asarray(ratio, "float32")))


# The rows of the table


@every_divergence
def test_the_conjugate_is_the_supremum(divergence):
    """f*(t) = max_u (u t - f(u)), on a grid of u, for t at the images of scores and so inside the domain."""
    u = np.exp(np.linspace(-12, 12, 400_001))
    f = numpy(divergence.f(u.astype("float32")))
    for score in (-1.0, -0.3, 0.4, 1.2):
        t = number(divergence.activation(array(score)[0]))
        expected = np.max(u * t - f)
        assert number(divergence.conjugate(np.float32(t))) == pytest.approx(expected, abs=1e-5)
        assert number(divergence.activated_conjugate(array(score)[0])) == pytest.approx(expected, abs=1e-5)


@every_divergence
def test_the_activation_increases_into_the_domain_of_the_conjugate(divergence):
    scores = np.concatenate([np.linspace(-30, 30, 601), [-1e4, -100, 100, 1e4]]).astype("float32")
    scores.sort()
    t, conjugate = numpy(divergence.activation(scores)), numpy(divergence.activated_conjugate(scores))
    unit = np.spacing(np.abs(t[:-1]).astype("float32"))  # a backend's tanh is not monotone in its last digit
    assert (np.diff(t) >= -2 * unit).all()
    rising = scores >= -2 if isinstance(divergence, losses.Pearson) else slice(None)  # t^2 / 4 + t falls below -2
    assert (np.diff(conjugate[rising]) >= -1e-6).all()
    moderate = (scores > -6) & (scores < 6)
    assert (np.diff(t[moderate]) > 0).all() and np.isfinite(numpy(divergence.conjugate(t[moderate]))).all()
    # Both round by float32; the conjugate's slope multiplies what t lost.
    np.testing.assert_allclose(numpy(divergence.conjugate(t[moderate])), conjugate[moderate], rtol=3e-5, atol=1e-5)


@every_divergence
def test_f_at_equal_densities(divergence):
    """f(1) = 0, or -log 4 for the GAN; f' there is the threshold; the conjugate touches: f*(f'(1)) = f'(1) - f(1)."""
    expected = -np.log(4) if isinstance(divergence, losses.GANDivergence) else 0.0
    assert number(divergence.f(np.float32(1.0))) == pytest.approx(expected, abs=1e-6)
    if not isinstance(divergence, losses.TotalVariation):  # whose f has a corner there, and 0 is between its slopes
        assert slope_of_f(divergence, [1.0])[0] == pytest.approx(divergence.threshold, abs=1e-5)
    touched = number(divergence.conjugate(np.float32(divergence.threshold)))
    assert touched == pytest.approx(divergence.threshold - expected, abs=1e-5)


def test_activated_conjugates_by_hand():
    """Of the score log 3: the sigmoid is 3/4, exp(-v) a third."""
    score = np.log(3.0)
    by_hand = {
        losses.KullbackLeibler(): 3 / np.e,
        losses.ReverseKullbackLeibler(): np.log(3) - 1,
        losses.Pearson(): np.log(3) ** 2 / 4 + np.log(3),
        losses.Neyman(): 2 - 2 / np.sqrt(3),
        losses.SquaredHellinger(): 2.0,
        losses.JensenShannon(): np.log(2),
        losses.GANDivergence(): np.log(4),
        # w exp(t / w) = sigmoid(v)^(1 / w) = 9/16
        losses.WeightedJensenShannon(0.5): 0.5 * np.log(0.5 / (1 - 9 / 16)),
        losses.TotalVariation(): (3 - 1 / 3) / (3 + 1 / 3) / 2,
    }
    for divergence, expected in by_hand.items():
        assert number(divergence.activated_conjugate(array(score)[0])) == pytest.approx(expected, rel=1e-5), divergence


@pytest.mark.parametrize("weight", [1e-6, 0.01, 0.3, 0.9])
def test_the_weighted_conjugate_has_no_seam(weight):
    """Beyond 15 - log w another formula takes over; in float64 the first one still holds there."""
    scores = np.linspace(10, 25, 301) - np.log(weight)
    s = np.log1p(np.exp(-scores)) / weight
    expected = (1 - weight) * (np.log(1 - weight) - np.log(-np.expm1(-s)))
    found = numpy(losses.WeightedJensenShannon(weight).activated_conjugate(scores.astype("float32")))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


# The bound

P, Q = np.array([8, 4, 2, 1, 1]) / 16, np.array([1, 1, 2, 4, 8]) / 16
REAL, FAKE = (np.repeat(np.arange(5), (16 * mass).astype(int)) for mass in (P, Q))  # exact expectations


def best_scores(loss, mass):
    """One score per point that minimises the loss, from zero with Newton's method on each; and that loss.

    `mass` is how much each point weighs in the loss.
    """
    scores = keras.Variable(np.zeros(len(mass), "float32"))

    def slope(at):
        scores.assign(at.astype("float32"))
        value, (gradient,) = value_and_grad(lambda: loss(scores), [scores])
        return number(value), numpy(gradient) / mass

    at, near = np.zeros(len(mass)), 0.02
    for _ in range(32):
        curvature = (slope(at + near)[1] - slope(at - near)[1]) / (2 * near)  # a score's slope depends on it alone
        reach = 1.0 + np.abs(at)  # where the loss is not convex the step is downhill, of limited length
        at = at - np.clip(slope(at)[1] / (np.abs(curvature) + 1e-7), -reach, reach)
    return at, slope(at)[0]


@every_divergence
def test_the_optimal_discriminator_gives_the_divergence(divergence):
    """One score per point, trained to the optimum: then -loss = D(P || Q), and T = f'(p / q)."""

    def loss(scores):
        return losses.f_gan_discriminator_loss(divergence, ops.take(scores, REAL), ops.take(scores, FAKE))

    at, value = best_scores(loss, P + Q)
    assert -value == pytest.approx(of_densities(divergence, P, Q), abs=1e-3)
    T = numpy(divergence.activation(at.astype("float32")))
    apart = P != Q if isinstance(divergence, losses.TotalVariation) else slice(None)
    np.testing.assert_allclose(T[apart], slope_of_f(divergence, P / Q)[apart], rtol=1e-5, atol=1e-5)
    if type(divergence) is losses.GANDivergence:
        np.testing.assert_allclose(1 / (1 + np.exp(-at)), P / (P + Q), atol=1e-5)
    # Above the threshold, and nowhere else, the image is more likely real.
    assert ((T > divergence.threshold + 1e-3) == (P > Q)).all()


def gaussian(x, mean, deviation):
    return np.exp(-((x - mean) ** 2) / (2 * deviation**2)) / (deviation * np.sqrt(2 * np.pi))


X = np.linspace(-7, 7.5, 4001)  # both distributions' mass except 1e-9
STEP = X[1] - X[0]
MEAN, DEVIATION = 0.5, 0.9
NORMAL, OTHER = gaussian(X, 0.0, 1.0), gaussian(X, MEAN, DEVIATION)


def closed_forms(m, s):
    """Closed forms, if any, for N(0, 1) and N(m, s^2): Gaussian integrals of p log(p / q), sqrt(p q), p^2 / q."""
    low, high = sorted(np.roots([1 - s**2, -2 * m, m**2 + 2 * s**2 * np.log(s)]))  # where the densities are equal

    def between(mean, deviation):
        return (math.erf((high - mean) / deviation / 2**0.5) - math.erf((low - mean) / deviation / 2**0.5)) / 2

    return {
        losses.KullbackLeibler: np.log(s) + (1 + m**2) / (2 * s**2) - 0.5,
        losses.ReverseKullbackLeibler: -np.log(s) + (s**2 + m**2) / 2 - 0.5,
        losses.SquaredHellinger: 2 - 2 * np.sqrt(2 * s / (1 + s**2)) * np.exp(-(m**2) / (4 * (1 + s**2))),
        losses.Pearson: s**2 / np.sqrt(2 * s**2 - 1) * np.exp(m**2 / (2 * s**2 - 1)) - 1,
        losses.Neyman: 1 / s / np.sqrt(2 - s**2) * np.exp(m**2 / (2 - s**2)) - 1,
        losses.TotalVariation: abs(between(0.0, 1.0) - between(m, s)),
    }


def test_the_quadrature_has_the_gaussians_closed_forms():
    for kind, expected in closed_forms(MEAN, DEVIATION).items():
        assert of_densities(kind(), NORMAL, OTHER, STEP) == pytest.approx(expected, abs=1e-5), kind
    shifted = of_densities(losses.TotalVariation(), NORMAL, gaussian(X, 1.0, 1.0), STEP)
    assert shifted == pytest.approx(math.erf(1 / (2 * math.sqrt(2))), abs=1e-5)  # 2 Phi(1/2) - 1


@every_divergence
def test_the_best_function_reaches_the_divergence_of_two_gaussians(divergence):
    """E_P[T] - E_Q[f*(T)] at T = f'(p / q), and less at any other T."""

    # Farther out float32 rounds some T to the end of the domain; the two sides are equal point by point.
    step = STEP * (np.abs(X) < 5)

    def bound(T):
        conjugate = numpy(divergence.conjugate(T.astype("float32")))
        return np.sum((step * NORMAL * T - step * OTHER * conjugate)[step > 0])

    best = slope_of_f(divergence, NORMAL / OTHER)
    expected = of_densities(divergence, NORMAL, OTHER, step)
    assert bound(best) == pytest.approx(expected, abs=1e-4)
    inside = 0.9 * best + 0.1 * divergence.threshold  # between two points of the domain
    assert bound(inside) < expected - 1e-4


CELLS = np.linspace(-4.5, 5.0, 381)  # the ratio of the densities goes to 180 there, and grows without end
WIDTH = CELLS[1] - CELLS[0]


@every_divergence
def test_the_best_function_of_two_gaussians_is_found(divergence):
    """One score per cell of a grid, trained to the optimum: the bound is the divergence, and T = f'(p / q)."""
    p, q = (WIDTH * gaussian(CELLS, *law) for law in ((0.0, 1.0), (MEAN, DEVIATION)))
    real, fake = (ops.convert_to_tensor(mass.astype("float32")) for mass in (p, q))

    def loss(scores):  # the means of `f_gan_discriminator_loss`, with densities
        return ops.sum(fake * divergence.activated_conjugate(scores)) - ops.sum(real * divergence.activation(scores))

    scores, value = best_scores(loss, p + q)
    assert -value == pytest.approx(of_densities(divergence, p, q), abs=1e-4)
    closed = closed_forms(MEAN, DEVIATION).get(type(divergence))
    if closed is not None:
        assert -value == pytest.approx(closed, abs=2e-3)  # the cells end where Pearson's integral still lacks 0.001
    apart = np.abs(p / q - 1) > 0.1 if isinstance(divergence, losses.TotalVariation) else slice(None)
    T, best = numpy(divergence.activation(scores.astype("float32"))), slope_of_f(divergence, p / q)
    np.testing.assert_allclose(T[apart], best[apart], rtol=1e-3, atol=1e-3)


# A quadratic score holds the best T of two Gaussians exactly where T is a function of a multiple of log(p / q).
MULTIPLES = [
    (losses.KullbackLeibler(), 1.0, 1.0),  # T = 1 + log r
    (losses.ReverseKullbackLeibler(), 1.0, 0.0),  # -exp(-v) = -1 / r
    (losses.Neyman(), 2.0, 0.0),  # 1 - exp(-v) = 1 - 1 / r^2
    (losses.SquaredHellinger(), 0.5, 0.0),  # 1 - exp(-v) = 1 - 1 / sqrt r
    (losses.JensenShannon(), 1.0, 0.0),
    (losses.GANDivergence(), 1.0, 0.0),
]


@pytest.mark.parametrize("divergence, multiple, offset", MULTIPLES, ids=[type(m[0]).__name__ for m in MULTIPLES])
def test_a_trained_quadratic_finds_the_divergence_of_two_gaussians(divergence, multiple, offset):
    """V(x) = a + b x + c x^2 trained from zero by Newton's method on quantiles of the two laws."""
    count = 4000
    levels = (np.arange(count) + 0.5) / count
    cumulated = np.cumsum(NORMAL) * STEP
    normal = np.interp(levels, cumulated, X + STEP / 2).astype("float32")
    real, fake = (ops.convert_to_tensor(x) for x in (normal, DEVIATION * normal + MEAN))
    weights = keras.Variable(np.zeros(3, "float32"))

    def score(x):
        return weights[0] + weights[1] * x + weights[2] * x**2

    def slope(at):
        weights.assign(at.astype("float32"))
        value, (gradient,) = value_and_grad(
            lambda: losses.f_gan_discriminator_loss(divergence, score(real), score(fake)), [weights]
        )
        return number(value), numpy(gradient)

    at, near = np.zeros(3), 0.02
    for _ in range(10):
        curvature = np.stack([(slope(at + near * e)[1] - slope(at - near * e)[1]) / (2 * near) for e in np.eye(3)])
        value, gradient = slope(at)
        bends, directions = np.linalg.eigh((curvature + curvature.T) / 2)
        # Down along each direction, also where the loss is not convex.
        at = at - directions @ np.clip((directions.T @ gradient) / (np.abs(bends) + 1e-6), -0.5, 0.5)
    assert -value == pytest.approx(of_densities(divergence, NORMAL, OTHER, STEP), abs=2e-3)
    # log(p / q) = log s + m^2 / (2 s^2) - x m / s^2 + x^2 (1 / s^2 - 1) / 2
    s2 = DEVIATION**2
    ratio = np.array([np.log(DEVIATION) + MEAN**2 / (2 * s2), -MEAN / s2, (1 / s2 - 1) / 2])
    np.testing.assert_allclose(at, multiple * ratio + [offset, 0, 0], atol=0.01)  # a flat loss, in float32


@every_divergence
def test_equal_laws_have_no_divergence(divergence):
    """P = Q: the loss is least at the threshold's score, and is -f(1): log 4 for the GAN, 0 for the others."""
    scores = np.linspace(-6, 6, 61).astype("float32")
    values = [number(losses.f_gan_discriminator_loss(divergence, s, s)) for s in scores]
    if isinstance(divergence, losses.TotalVariation):
        assert max(values) - min(values) < 1e-6  # T - f*(T) = 0 wherever T is
    else:
        below, above = numpy(divergence.activation(scores[np.argmin(values)] + np.array([-0.2, 0.2], "float32")))
        assert below < divergence.threshold < above
    expected = np.log(4) if isinstance(divergence, losses.GANDivergence) else 0.0
    assert min(values) == pytest.approx(expected, abs=1e-3)


# Relations


def test_the_gan_row_is_the_minimax_game():
    real, fake = np.random.default_rng(0).normal(0, 3, (2, 7, 1)).astype("float32")
    gan, js = losses.GANDivergence(), losses.JensenShannon()
    minimax = number(losses.minimax_discriminator_loss(real, fake))
    assert number(losses.f_gan_discriminator_loss(gan, real, fake)) == pytest.approx(minimax, rel=1e-6)
    assert number(losses.f_gan_discriminator_loss(js, real, fake)) == pytest.approx(minimax - np.log(4), rel=1e-5)
    assert number(losses.f_gan_generator_loss(gan, fake)) == pytest.approx(
        number(losses.minimax_generator_loss(fake)), rel=1e-6
    )
    assert number(losses.f_gan_practical_generator_loss(gan, fake)) == pytest.approx(
        number(losses.non_saturating_generator_loss(fake)), rel=1e-6
    )


def test_the_weighted_divergence_has_the_others_as_limits():
    ratio = (P / Q).astype("float32")

    def divergence(weight):
        return np.sum(Q * numpy(losses.WeightedJensenShannon(weight).f(ratio)))

    assert divergence(0.5) == pytest.approx(of_densities(losses.JensenShannon(), P, Q) / 2, rel=1e-5)
    assert divergence(1e-3) / 1e-3 == pytest.approx(kl(P, Q), rel=1e-2)
    assert divergence(1 - 1e-3) / 1e-3 == pytest.approx(kl(Q, P), rel=1e-2)


@every_divergence
def test_the_generators_losses_raise_its_scores(divergence):
    """Both fall with the score of a generated image; the discriminator's rises with it, and falls with a real one's."""
    for score in (-1.5, 0.0, 2.0):  # Pearson's t^2 / 4 + t falls below -2
        v = keras.Variable(np.float32(score))
        other = np.float32(0.5)
        for loss, sign in (
            (lambda: losses.f_gan_generator_loss(divergence, v * 1.0), -1),
            (lambda: losses.f_gan_practical_generator_loss(divergence, v * 1.0), -1),
            (lambda: losses.f_gan_discriminator_loss(divergence, other, v * 1.0), 1),
            (lambda: losses.f_gan_discriminator_loss(divergence, v * 1.0, other), -1),
        ):
            _, (slope,) = value_and_grad(loss, [v])
            assert np.sign(number(slope)) == sign


# Safety


@every_divergence
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("score", [-1e4, -100.0, -10.5, 0.0, 15.5, 100.0, 1e4])
def test_no_score_overflows(divergence, dtype, score):
    v = keras.Variable(np.full((3, 1), score, "float32"))
    for loss_fn in (
        lambda: losses.f_gan_discriminator_loss(divergence, ops.cast(v, dtype), ops.cast(v, dtype)),
        lambda: losses.f_gan_discriminator_loss(divergence, ops.cast(-v, dtype), ops.cast(v, dtype)),
        lambda: losses.f_gan_generator_loss(divergence, ops.cast(v, dtype)),
        lambda: losses.f_gan_practical_generator_loss(divergence, ops.cast(v, dtype)),
    ):
        loss, (slope,) = value_and_grad(loss_fn, [v])
        assert ops.dtype(loss) == "float32" and tuple(loss.shape) == ()
        assert np.isfinite(number(loss)) and np.isfinite(numpy(slope)).all()


def test_a_tamed_score_still_has_a_gradient_and_keeps_the_bound():
    """Clipped scores would have no gradient; an exponential continued by its tangent would not be a bound."""
    for divergence, far in ((losses.KullbackLeibler(), 1e4), (losses.ReverseKullbackLeibler(), -1e4)):
        v = keras.Variable(np.float32(far))
        _, (slope,) = value_and_grad(lambda: losses.f_gan_generator_loss(divergence, v * 1.0), [v])
        assert number(slope) < 0
        T = number(divergence.activation(array(far)[0]))
        expected = number(divergence.conjugate(np.float32(T)))
        assert number(divergence.activated_conjugate(array(far)[0])) == pytest.approx(expected, rel=1e-3)


# Objects


@every_divergence
def test_divergences_are_saved_with_a_model(divergence):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(divergence))
    assert type(again) is type(divergence) and again.get_config() == divergence.get_config()


@pytest.mark.parametrize("weight", [0.0, 1.0, -0.1, float("nan"), "0.5", True])
def test_weights_out_of_range_are_refused(weight):
    with pytest.raises(ConfigurationError, match=r"in \(0, 1\)"):
        losses.WeightedJensenShannon(weight)
