"""The adversarial objectives against numbers by hand, closed forms and the games whose solutions are known."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans import losses
from keras_gans.engine import value_and_grad
from keras_gans.errors import DataError
from keras_gans.models import veegan


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def number(tensor):
    return float(ops.convert_to_numpy(tensor))


def array(*numbers):
    return np.array(numbers, "float32")


def slope(loss_fn, at):
    """The derivative of a loss of one number."""
    variable = keras.Variable(np.float32(at))
    _, (gradient,) = value_and_grad(lambda: loss_fn(variable * 1.0), [variable])
    return number(gradient)


GAMES = [
    (losses.minimax_discriminator_loss, losses.minimax_generator_loss),
    (losses.non_saturating_discriminator_loss, losses.non_saturating_generator_loss),
]
PAIRS = [
    *GAMES,
    (losses.least_squares_discriminator_loss, losses.least_squares_generator_loss),
    (losses.hinge_discriminator_loss, losses.hinge_generator_loss),
    (losses.wasserstein_discriminator_loss, losses.wasserstein_generator_loss),
]
RELATIVISTIC = [
    (losses.relativistic_average_discriminator_loss, losses.relativistic_average_generator_loss),
    (losses.relativistic_pairing_discriminator_loss, losses.relativistic_pairing_generator_loss),
]


@pytest.mark.parametrize("discriminator_loss, generator_loss", GAMES)
def test_an_undecided_discriminator_costs_log_four(discriminator_loss, generator_loss):
    zeros = np.zeros((4, 1), "float32")
    assert number(discriminator_loss(zeros, zeros)) == pytest.approx(2 * np.log(2), rel=1e-6)
    expected = -np.log(2) if generator_loss is losses.minimax_generator_loss else np.log(2)
    assert number(generator_loss(zeros)) == pytest.approx(expected, rel=1e-6)


def test_hand_numbers():
    """Probabilities 3/4 and 1/4 have the logits log 3 and -log 3."""
    real, fake = array(np.log(3), 0.0), array(-np.log(3), np.log(3))
    # -(log 3/4 + log 1/2) / 2 - (log 3/4 + log 1/4) / 2
    expected = -np.log(3 / 4 * 1 / 2) / 2 - np.log(3 / 4 * 1 / 4) / 2
    for loss, _ in GAMES:
        assert number(loss(real, fake)) == pytest.approx(expected, rel=1e-5)
    assert number(losses.minimax_generator_loss(fake)) == pytest.approx(np.log(3 / 4 * 1 / 4) / 2, rel=1e-5)
    assert number(losses.non_saturating_generator_loss(fake)) == pytest.approx(-np.log(1 / 4 * 3 / 4) / 2, rel=1e-5)


def test_the_real_target_smooths_one_side():
    real, fake = array(np.log(3)), array(-np.log(4))
    # -0.9 log 3/4 - 0.1 log 1/4 for the real image; the fake one, D = 1/5, keeps -log 4/5
    expected = -0.9 * np.log(3 / 4) - 0.1 * np.log(1 / 4) - np.log(4 / 5)
    for loss, _ in GAMES:
        assert number(loss(real, fake, 0.9)) == pytest.approx(expected, rel=1e-5)
    # The smoothed loss is least where D(x) is the target.
    assert slope(lambda d: losses.cross_entropy(d, 0.9), np.log(0.9 / 0.1)) == pytest.approx(0.0, abs=1e-6)


def test_cross_entropy_is_the_textbook_one():
    logits = np.random.default_rng(0).normal(0, 3, (5, 2)).astype("float32")
    p = sigmoid(logits.astype("float64"))
    for target in (0.0, 0.3, 1.0):
        expected = -np.mean(target * np.log(p) + (1 - target) * np.log(1 - p))
        assert number(losses.cross_entropy(logits, target)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("logit", [12.0, 14.0, 17.0, 20.0])
def test_the_loss_of_a_certain_discriminator_is_exact(logit):
    expected = np.log1p(np.exp(-logit))  # in float64
    for sign, target in ((1.0, 1.0), (-1.0, 0.0)):
        assert number(losses.cross_entropy(np.array([sign * logit], "float32"), target)) == pytest.approx(
            expected, rel=1e-5
        )
    assert slope(losses.non_saturating_generator_loss, logit) == pytest.approx(-sigmoid(-logit), rel=1e-5)


def test_the_saturating_loss_saturates_and_the_other_does_not():
    assert 0 < abs(slope(losses.minimax_generator_loss, -20.0)) < 1e-8
    assert slope(losses.minimax_generator_loss, -20.0) == pytest.approx(-sigmoid(-20.0), rel=1e-4)
    assert slope(losses.non_saturating_generator_loss, -20.0) == pytest.approx(-1.0, rel=1e-6)


@pytest.mark.parametrize("theta, psi", [(1.0, 0.0), (0.5, -2.0), (-1.5, 0.7)])
def test_the_dirac_gan_has_the_published_gradient_field(theta, psi):
    """Data at 0, the generator's point at theta, D(x) = psi x (Mescheder et al., 2018): gradients by hand."""
    t, p = keras.Variable(theta), keras.Variable(psi)
    for discriminator_loss, _ in GAMES:  # softplus(-0) + softplus(psi theta)
        _, (d_psi,) = value_and_grad(lambda: discriminator_loss(p * 0.0, p * t), [p])
        assert number(d_psi) == pytest.approx(theta * sigmoid(psi * theta), rel=1e-5)
    _, (d_theta,) = value_and_grad(lambda: losses.non_saturating_generator_loss(p * t), [t])
    assert number(d_theta) == pytest.approx(-psi * sigmoid(-psi * theta), rel=1e-5)
    _, (d_theta,) = value_and_grad(lambda: losses.minimax_generator_loss(p * t), [t])
    assert number(d_theta) == pytest.approx(-psi * sigmoid(psi * theta), rel=1e-5)


P, Q = np.array([8, 4, 2, 1, 1]) / 16, np.array([1, 1, 2, 4, 8]) / 16
REAL, FAKE = (np.repeat(np.arange(5), (16 * mass).astype(int)) for mass in (P, Q))  # exact expectations


def trained(discriminator_loss, steps, rate):
    """A score for each of five points, after gradient descent on the loss, and the loss."""
    scores = keras.Variable(np.zeros(5, "float32"))
    for _ in range(steps):
        value, (gradient,) = value_and_grad(
            lambda: discriminator_loss(ops.take(scores, REAL), ops.take(scores, FAKE)), [scores]
        )
        scores.assign(scores - rate * gradient)
    return ops.convert_to_numpy(scores.value), number(value)


def test_the_optimal_discriminator_is_the_density_ratio():
    """On five points the best D is p / (p + q), of value -log 4 + 2 JSD(p, q) (Goodfellow et al., section 4)."""
    logits, value = trained(losses.minimax_discriminator_loss, steps=60, rate=8.0)
    np.testing.assert_allclose(sigmoid(logits), P / (P + Q), atol=1e-5)
    mean = (P + Q) / 2
    divergence = np.sum(P * np.log(P / mean)) / 2 + np.sum(Q * np.log(Q / mean)) / 2
    assert -value == pytest.approx(-np.log(4) + 2 * divergence, abs=1e-6)


@pytest.mark.parametrize("target", [0.9, 0.75])
def test_the_smoothed_optimum_is_the_share_times_the_target(target):
    """D = a p / (p + q): with a target for the fakes too, the sum in the numerator would keep q (Salimans, 3.4)."""
    logits, value = trained(lambda *scores: losses.minimax_discriminator_loss(*scores, target), steps=80, rate=8.0)
    best = target * P / (P + Q)
    np.testing.assert_allclose(sigmoid(logits), best, atol=1e-5)
    expected = -np.sum(P * (target * np.log(best) + (1 - target) * np.log(1 - best)) + Q * np.log(1 - best))
    assert value == pytest.approx(expected, abs=1e-6)


# Least squares, hinge, Wasserstein


def test_least_squares_by_hand():
    real, fake = array(2.0, 0.0), array(1.0, -2.0)
    assert number(losses.least_squares_discriminator_loss(real, fake)) == pytest.approx((1 + 1) / 4 + (1 + 4) / 4)
    assert number(losses.least_squares_generator_loss(fake)) == pytest.approx((0 + 9) / 4)
    # the codes a = -1, b = 1, c = 0
    assert number(losses.least_squares_discriminator_loss(real, fake, 1.0, -1.0)) == pytest.approx(0.5 + (4 + 1) / 4)
    assert number(losses.least_squares_generator_loss(fake, 0.0)) == pytest.approx((1 + 4) / 4)


def test_least_squares_cost_nothing_at_the_codes():
    a, b, c = array(-0.3), array(1.7), array(0.4)
    assert number(losses.least_squares_discriminator_loss(b, a, real_target=1.7, fake_target=-0.3)) == 0.0
    assert number(losses.least_squares_generator_loss(c, target=0.4)) == 0.0


def test_the_optimal_least_squares_discriminator():
    """(b p + a q) / (p + q); with b - c = 1 and b - a = 2 the game is that of Pearson's chi squared, P + Q to 2 Q."""

    def loss(real, fake):
        return losses.least_squares_discriminator_loss(real, fake, real_target=1.0, fake_target=-1.0)

    best, _ = trained(loss, steps=60, rate=2.0)
    np.testing.assert_allclose(best, (P - Q) / (P + Q), atol=1e-5)
    # E_P[(D - c)^2] / 2 + E_Q[(D - c)^2] / 2 = chi^2(P + Q || 2 Q) / 2; the generator moves the second term
    on_both = [number(losses.least_squares_generator_loss(best[points], 0.0)) for points in (REAL, FAKE)]
    pearson = np.sum((2 * Q - (P + Q)) ** 2 / (P + Q))
    assert sum(on_both) == pytest.approx(pearson / 2, rel=1e-5)


def test_the_hinge_by_hand():
    real, fake = array(2.0, 0.0), array(-1.0, 1.0)
    assert number(losses.hinge_discriminator_loss(real, fake)) == (0 + 1) / 2 + (0 + 2) / 2
    assert number(losses.hinge_discriminator_loss(array(0.0), array(0.0))) == 2.0
    assert number(losses.hinge_discriminator_loss(array(1.0, 7.0), array(-1.0, -7.0))) == 0.0
    assert number(losses.hinge_generator_loss(array(3.0, -1.0))) == -1.0
    # Beyond the margin there is no gradient; before it the gradient is one.
    assert slope(lambda d: losses.hinge_discriminator_loss(d, -d), 1.5) == 0.0
    assert slope(lambda d: losses.hinge_discriminator_loss(d, -5.0 - d), 0.5) == -1.0
    assert slope(lambda d: losses.hinge_discriminator_loss(5.0 + d, d), 0.5) == 1.0


def test_the_optimal_hinge_discriminator_is_the_sign():
    """Its value is 2 - 2 TV(P, Q): sum of 2 min(p, q)."""
    scores, value = trained(losses.hinge_discriminator_loss, steps=80, rate=0.25)
    apart = P != Q
    np.testing.assert_allclose(scores[apart], np.sign(P - Q)[apart], atol=0.13)  # within a step of the corner
    assert value == pytest.approx(np.sum(2 * np.minimum(P, Q)), rel=0.03)


def test_the_critic_by_hand():
    real, fake = array(3.0, 1.0), array(-1.0, -3.0, 1.0)
    assert number(losses.wasserstein_discriminator_loss(real, fake)) == -3.0  # -1 - 2
    assert number(losses.wasserstein_generator_loss(fake)) == 1.0


@pytest.mark.parametrize("theta", [-0.7, 0.4])
def test_parallel_lines_are_theta_apart(theta):
    """(0, Z) and (theta, Z): f(x, y) = -sign(theta) x is best among slopes of one, and W = |theta|."""
    height = ops.linspace(0.0, 1.0, 11)
    t = keras.Variable(theta)

    def critic(x, y):
        return -math.copysign(1.0, theta) * x + 0.0 * y

    distance = -number(losses.wasserstein_discriminator_loss(critic(0.0 * height, height), critic(t * 1.0, height)))
    assert distance == pytest.approx(abs(theta), rel=1e-6)
    _, (gradient,) = value_and_grad(lambda: losses.wasserstein_generator_loss(critic(t * 1.0, height)), [t])
    assert number(gradient) == pytest.approx(math.copysign(1.0, theta), rel=1e-6)  # towards zero, of constant strength


@pytest.mark.parametrize("discriminator_loss, generator_loss", PAIRS)
def test_each_player_pulls_its_way(discriminator_loss, generator_loss):
    """Real logits up and fake ones down for the discriminator; fake ones up for the generator."""
    assert slope(lambda d: discriminator_loss(d, -0.5), 0.5) < 0
    assert slope(lambda d: discriminator_loss(0.5, d), 0.5) > 0
    assert slope(generator_loss, 0.5) < 0


# Relativistic


def test_relativistic_pairing_by_hand():
    real, fake = array(3.0, 0.0), array(1.0, np.log(3))
    by_hand = (np.log1p(np.exp(-2)) + np.log(1 + 3)) / 2  # softplus(-2), softplus(log 3)
    assert number(losses.relativistic_pairing_discriminator_loss(real, fake)) == pytest.approx(by_hand, rel=1e-5)
    by_hand = (np.log1p(np.exp(2)) + np.log(1 + 1 / 3)) / 2
    assert number(losses.relativistic_pairing_generator_loss(real, fake)) == pytest.approx(by_hand, rel=1e-5)


def test_relativistic_average_by_hand():
    """Means 4 and 2: real margins 3 and 1, the fake one -2."""
    real, fake = array(5.0, 3.0), array(2.0)
    softplus = {d: np.log1p(np.exp(d)) for d in (-3, -2, -1, 1, 2, 3)}
    by_hand = (softplus[-3] + softplus[-1]) / 2 + softplus[-2]
    assert number(losses.relativistic_average_discriminator_loss(real, fake)) == pytest.approx(by_hand, rel=1e-5)
    by_hand = (softplus[3] + softplus[1]) / 2 + softplus[2]
    assert number(losses.relativistic_average_generator_loss(real, fake)) == pytest.approx(by_hand, rel=1e-5)


def test_pairs_matter_to_one_and_not_to_the_other():
    """D(x) = (0, 10), D(G(z)) = (0, 10): undecided pair by pair; swapped they are 10 apart."""
    logits, swapped = array(0.0, 10.0), array(10.0, 0.0)
    pairing, average = (pair[0] for pair in RELATIVISTIC[::-1])
    assert number(pairing(logits, logits)) == pytest.approx(np.log(2), rel=1e-6)
    assert number(pairing(logits, swapped)) == pytest.approx((10 + 2 * np.log1p(np.exp(-10))) / 2, rel=1e-5)
    assert number(average(logits, logits)) == pytest.approx(number(average(logits, swapped)), rel=1e-6)


@pytest.mark.parametrize("pair", RELATIVISTIC)
def test_relativistic_losses_ignore_a_constant(pair):
    real, fake = np.random.default_rng(0).normal(0, 2, (2, 6, 1)).astype("float32")
    for loss in pair:
        assert number(loss(real + 5.0, fake + 5.0)) == pytest.approx(number(loss(real, fake)), rel=1e-5)
        assert number(loss(real, fake + 5.0)) != pytest.approx(number(loss(real, fake)), rel=1e-2)
    discriminator_loss, generator_loss = pair
    zeros = np.zeros((3, 1), "float32")
    assert number(discriminator_loss(zeros, zeros)) == number(generator_loss(zeros, zeros))
    assert (
        slope(lambda d: discriminator_loss(d, 0.0 * d + 0.2), 0.5)
        < 0
        < slope(lambda d: discriminator_loss(0 * d, d), 1)
    )
    assert slope(lambda d: generator_loss(0.0 * d + 0.2, d), 0.5) < 0


def test_logits_that_are_not_pairs_are_refused():
    """(4, 1) minus (4,) would be sixteen comparisons."""
    column = np.zeros((4, 1), "float32")
    for other in (column[:, 0], column[:3], column[:1]):
        for loss in RELATIVISTIC[1]:
            with pytest.raises(DataError, match="of one shape"):
                loss(column, other)


# Safety


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("logit", [-1e4, -100.0, 0.0, 100.0, 1e4])
def test_losses_and_gradients_are_finite_for_large_logits(logit, dtype):
    logits = ops.cast(np.full((3, 1), logit, "float32"), dtype)
    for discriminator_loss, generator_loss in PAIRS:
        for loss in (discriminator_loss(logits, logits), discriminator_loss(-logits, logits), generator_loss(logits)):
            assert ops.dtype(loss) == "float32" and tuple(loss.shape) == ()
            assert np.isfinite(number(loss))
        assert np.isfinite(slope(lambda d: generator_loss(ops.cast(d, dtype)), logit))
        assert np.isfinite(slope(lambda d: discriminator_loss(ops.cast(d, dtype), ops.cast(d, dtype)), logit))
    for pair in RELATIVISTIC:
        for loss in pair:
            for real, fake in ((logits, logits), (-logits, logits), (logits, -logits)):
                assert ops.dtype(loss(real, fake)) == "float32" and np.isfinite(number(loss(real, fake)))
            assert np.isfinite(slope(lambda d: loss(ops.cast(d, dtype), ops.cast(-d, dtype)), logit))
    # softplus(d) is d for large d: the loss is not clipped.
    assert number(losses.cross_entropy(logits, 0.0)) == pytest.approx(
        max(float(ops.convert_to_numpy(ops.cast(logits, "float32"))[0, 0]), 0.0), abs=0.7
    )


SIGNS = np.array([[1, -1, 0], [-1, -1, 1], [0, 1, 1]], "float32")
LABELS, CODES = np.array([0, 1, 2]), np.eye(3, dtype="float32")
OF_VECTORS = {  # of two tensors (3, 3): logits over classes, features or latents
    "labelled": lambda x, y: losses.semi_supervised_labelled_loss(x, LABELS),
    "unlabelled": losses.semi_supervised_unlabelled_loss,
    "feature matching": losses.feature_matching_loss,
    "feature matching, discriminator": losses.feature_matching_discriminator_loss,
    "categorical": lambda x, y: losses.categorical_information(x, CODES),
    "continuous": losses.continuous_information,
    "algorithm 1": lambda x, y: veegan.algorithm_1_generator_loss(lambda pair: pair[0], [y, None], [x, None], y),
    "notebook": lambda x, y: veegan.notebook_generator_loss(lambda pair: pair[0], [y, None], [x, None], y),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("size", [-1e4, -100.0, 0.0, 100.0, 1e4])
@pytest.mark.parametrize("name", OF_VECTORS)
def test_objectives_of_vectors_and_their_gradients_are_finite_for_large_numbers(name, size, dtype):
    """Both signs stand in one row; the second tensor is the first, then its negative."""
    numbers = keras.Variable(size * SIGNS)
    for sign in (1.0, -1.0):
        value, (gradient,) = value_and_grad(
            lambda: OF_VECTORS[name](ops.cast(numbers, dtype), ops.cast(sign * numbers, dtype)), [numbers]
        )
        assert ops.dtype(value) == "float32" and tuple(value.shape) == ()
        assert np.isfinite(number(value)) and np.isfinite(ops.convert_to_numpy(gradient)).all()


@pytest.mark.parametrize("game", [*PAIRS, *RELATIVISTIC])
def test_losses_are_registered_under_their_names(game):
    for loss in game:
        assert keras.saving.get_registered_name(loss) == f"keras_gans>{loss.__name__}"
        assert keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss)) is loss
