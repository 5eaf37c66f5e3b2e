"""The losses of K + 1 classes against a naive softmax, the paper's hand numbers, and feature matching."""

import math

import numpy as np
import pytest
from keras import Variable, ops

from keras_gans import losses
from keras_gans.engine import value_and_grad
from keras_gans.errors import DataError


def number(tensor):
    return float(ops.convert_to_numpy(tensor))


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def naive(logits):
    """Probabilities of K + 1 classes, the last "generated" with logit zero, float64."""
    exp = np.exp(np.concatenate([logits, np.zeros((len(logits), 1))], axis=1))
    return exp / exp.sum(1, keepdims=True)


def test_the_losses_are_those_of_a_naive_softmax_with_a_logit_of_zero():
    labelled, real, fake = 3 * normal(5, 4), 3 * normal(6, 4, seed=1), 3 * normal(7, 4, seed=2)
    labels = np.array([0, 3, 1, 1, 2])
    p = naive(labelled)
    expected = -np.log(p[np.arange(5), labels] / (1 - p[:, -1])).mean()
    assert number(losses.semi_supervised_labelled_loss(labelled, labels)) == pytest.approx(expected, rel=1e-5)
    expected = -0.5 * np.log(1 - naive(real)[:, -1]).mean() - 0.5 * np.log(naive(fake)[:, -1]).mean()
    assert number(losses.semi_supervised_unlabelled_loss(real, fake)) == pytest.approx(expected, rel=1e-5)


def test_ten_logits_of_zero():
    """lse = log 10 and D = 10 / 11: by hand."""
    zeros = np.zeros((3, 10))
    assert number(losses.semi_supervised_labelled_loss(zeros, np.arange(3))) == pytest.approx(math.log(10), rel=1e-6)
    expected = -0.5 * math.log(10 / 11) - 0.5 * math.log(1 / 11)
    assert number(losses.semi_supervised_unlabelled_loss(zeros, zeros)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_labels_of_any_whole_type_and_packing(dtype, shape):
    logits, labels = normal(4, 3), np.array([2, 0, 1, 2])
    expected = number(losses.semi_supervised_labelled_loss(logits, labels))
    assert number(losses.semi_supervised_labelled_loss(logits, labels.astype(dtype).reshape(shape))) == expected


def test_large_logits_are_finite_and_exact():
    sure = np.array([[200.0, 0.0], [200.0, 0.0]])
    assert number(losses.semi_supervised_labelled_loss(sure, np.array([0, 1]))) == pytest.approx(100.0)
    assert number(losses.semi_supervised_unlabelled_loss(sure, -sure)) == pytest.approx(0.5 * math.log(2), rel=1e-6)
    assert number(losses.semi_supervised_unlabelled_loss(-sure - 200, sure)) == pytest.approx(200.0)


def test_the_slope_of_the_unlabelled_loss_is_the_closed_form():
    """d/dl_k = ((D(x) - 1) softmax(l(x))_k) / 2 for real images and D softmax_k / 2 for generated ones."""
    logits = normal(1, 3).astype("float32")
    share = np.exp(logits) / np.exp(logits).sum()
    d = np.exp(logits).sum() / (1 + np.exp(logits).sum())
    far = np.full((1, 3), -50.0, "float32")
    for loss, factor in (
        (lambda x: losses.semi_supervised_unlabelled_loss(x, far), d - 1),
        (lambda x: losses.semi_supervised_unlabelled_loss(far, x), d),
    ):
        variable = Variable(logits)
        _, (slope,) = value_and_grad(lambda: loss(variable * 1.0), [variable])
        np.testing.assert_allclose(ops.convert_to_numpy(slope), 0.5 * factor * share, rtol=1e-5)


def test_feature_matching_compares_means_of_batches():
    real, fake = normal(6, 5), normal(4, 5, seed=1)
    expected = ((real.mean(0) - fake.mean(0)) ** 2).mean()
    assert number(losses.feature_matching_loss(real, fake)) == pytest.approx(expected, rel=1e-5)
    assert number(losses.feature_matching_loss(real, real)) == 0.0
    assert number(losses.feature_matching_loss(real[::-1], fake)) == pytest.approx(expected, rel=1e-5)


def test_the_game_on_features_by_hand():
    """Means (1, 2) and (3, -1): the distance is (2^2 + 3^2) / 2."""
    real, fake = np.array([[0.0, 2.0], [2.0, 2.0]]), np.array([[3.0, 0.0], [3.0, -2.0]])
    assert number(losses.feature_matching_loss(real, fake)) == pytest.approx(6.5)
    assert number(losses.feature_matching_discriminator_loss(real, fake)) == pytest.approx(-6.5)
    assert number(losses.feature_matching_discriminator_loss(real, real)) == 0.0


def test_the_discriminator_raises_the_distance_that_the_generator_lowers():
    """Feature tanh(w x) of real 1 and fake b: a step of each player by its own loss."""
    w, b = Variable(0.5), Variable(-0.2)

    def features(x):
        return ops.reshape(ops.tanh(w * x), (1, 1))

    def distance():
        return number(losses.feature_matching_loss(features(1.0), features(b)))

    start = distance()
    loss = losses.feature_matching_discriminator_loss
    _, (slope,) = value_and_grad(lambda: loss(features(1.0), features(b)), [w])
    # d = tanh(w) - tanh(w b), and the slope of -d^2 is -2 d (1 - tanh(w)^2 - b (1 - tanh(w b)^2)).
    own, other = math.tanh(0.5), math.tanh(-0.1)
    assert number(slope) == pytest.approx(-2 * (own - other) * (1 - own**2 + 0.2 * (1 - other**2)), rel=1e-5)
    w.assign(w - 0.1 * slope)
    assert distance() > start
    start = distance()
    _, (slope,) = value_and_grad(lambda: losses.feature_matching_loss(features(1.0), features(b)), [b])
    b.assign(b - 0.1 * slope)
    assert distance() < start


def test_labels_and_features_that_do_not_match_are_refused():
    with pytest.raises(DataError, match="a label for each of 4 images. Received: 1"):
        losses.semi_supervised_labelled_loss(np.zeros((4, 3), "float32"), np.array([1]))
    with pytest.raises(DataError, match="labels as whole numbers. Received: float"):
        losses.semi_supervised_labelled_loss(np.zeros((2, 3), "float32"), np.array([0.0, 1.0], "float32"))
    for loss in (losses.feature_matching_loss, losses.feature_matching_discriminator_loss):
        with pytest.raises(DataError, match="features of one layer"):
            loss(np.zeros((2, 3), "float32"), np.zeros((2, 1), "float32"))
