"""The adversarial objectives against numbers by hand, closed forms and the games whose solutions are known."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans import losses
from keras_gans.engine import value_and_grad


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
    real, fake = array(np.log(3)), array(0.0)
    # -0.9 log 3/4 - 0.1 log 1/4 for the real image; the fake one keeps -log 1/2
    expected = -0.9 * np.log(3 / 4) - 0.1 * np.log(1 / 4) - np.log(1 / 2)
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


def test_the_optimal_discriminator_is_the_density_ratio():
    """On five points the best D is p / (p + q), of value -log 4 + 2 JSD(p, q) (Goodfellow et al., section 4)."""
    p, q = np.array([8, 4, 2, 1, 1]) / 16, np.array([1, 1, 2, 4, 8]) / 16
    real, fake = (np.repeat(np.arange(5), (16 * mass).astype(int)) for mass in (p, q))  # exact expectations
    logits = keras.Variable(np.zeros(5, "float32"))

    def loss():
        return losses.minimax_discriminator_loss(ops.take(logits, real), ops.take(logits, fake))

    for _ in range(60):
        value, (gradient,) = value_and_grad(loss, [logits])
        logits.assign(logits - 8.0 * gradient)
    best = p / (p + q)
    np.testing.assert_allclose(sigmoid(ops.convert_to_numpy(logits.value)), best, atol=1e-5)
    mean = (p + q) / 2
    divergence = np.sum(p * np.log(p / mean)) / 2 + np.sum(q * np.log(q / mean)) / 2
    assert -number(value) == pytest.approx(-np.log(4) + 2 * divergence, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("logit", [-1e4, -100.0, 0.0, 100.0, 1e4])
def test_losses_and_gradients_are_finite_for_large_logits(logit, dtype):
    logits = ops.cast(np.full((3, 1), logit, "float32"), dtype)
    for discriminator_loss, generator_loss in GAMES:
        for loss in (discriminator_loss(logits, logits), discriminator_loss(-logits, logits), generator_loss(logits)):
            assert ops.dtype(loss) == "float32" and tuple(loss.shape) == ()
            assert np.isfinite(number(loss))
        assert np.isfinite(slope(lambda d: generator_loss(ops.cast(d, dtype)), logit))
        assert np.isfinite(slope(lambda d: discriminator_loss(ops.cast(d, dtype), ops.cast(d, dtype)), logit))
    # softplus(d) is d for large d: the loss is not clipped.
    assert number(losses.cross_entropy(logits, 0.0)) == pytest.approx(
        max(float(ops.convert_to_numpy(ops.cast(logits, "float32"))[0, 0]), 0.0), abs=0.7
    )


@pytest.mark.parametrize("game", GAMES)
def test_losses_are_registered_under_their_names(game):
    for loss in game:
        assert keras.saving.get_registered_name(loss) == f"keras_gans>{loss.__name__}"
        assert keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss)) is loss
