"""The information bound: its closed forms and its slopes."""

import math

import numpy as np
import pytest
from keras import Variable, ops

from keras_gans import losses
from keras_gans.engine import value_and_grad
from keras_gans.errors import DataError


def number(tensor):
    return float(ops.convert_to_numpy(tensor))


@pytest.mark.parametrize("count", [2, 10])
def test_a_perfect_head_has_all_information_and_an_ignorant_one_none(count):
    """log K nats in a code that is uniform over K categories."""
    codes = np.eye(count, dtype="float32")
    assert number(losses.categorical_information(1e4 * codes, codes)) == pytest.approx(math.log(count), rel=1e-6)
    assert number(losses.categorical_information(0.0 * codes, codes)) == pytest.approx(0.0, abs=1e-6)
    assert number(losses.categorical_information(0.0 * codes + 7.0, codes)) == pytest.approx(0.0, abs=1e-6)
    wrong = number(losses.categorical_information(1e4 * codes, np.roll(codes, 1, axis=0)))
    assert wrong == pytest.approx(math.log(count) - 1e4, rel=1e-6)  # finite, where log(0 + 1e-8) would stop


def test_a_binary_symmetric_channel():
    """A head that is right with probability 3/4 and says so: log 2 less the channel's entropy."""
    logits = np.log([[3.0, 1.0]] * 4)
    codes = np.eye(2)[[0, 0, 0, 1]]
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert number(losses.categorical_information(logits, codes)) == pytest.approx(math.log(2) - entropy, rel=1e-6)


def test_the_slope_for_logits_is_the_codes_less_the_probabilities():
    rng = np.random.default_rng(0)
    logits = Variable(rng.normal(size=(5, 3)).astype("float32"))
    codes = np.eye(3, dtype="float32")[[0, 2, 1, 1, 0]]
    _, (slope,) = value_and_grad(lambda: losses.categorical_information(logits * 1.0, codes), [logits])
    exp = np.exp(ops.convert_to_numpy(logits).astype("float64"))
    np.testing.assert_allclose(ops.convert_to_numpy(slope), (codes - exp / exp.sum(1, keepdims=True)) / 5, atol=1e-7)


def test_continuous_codes_against_two_normal_densities():
    """log N(c; mean, 1) - log N(c; 0, 1), summed over the codes; 1/6 a code where the mean is a uniform code itself."""
    rng = np.random.default_rng(0)
    codes, means = rng.uniform(-1, 1, (6, 2)), rng.normal(size=(6, 2))

    def log_normal(x, mean):
        return -0.5 * np.log(2 * np.pi) - 0.5 * (x - mean) ** 2

    expected = (log_normal(codes, means) - log_normal(codes, 0.0)).sum(axis=1).mean()
    assert number(losses.continuous_information(means, codes)) == pytest.approx(expected, rel=1e-5)
    assert number(losses.continuous_information(0.0 * means, codes)) == 0.0
    even = np.linspace(-1, 1, 2001)[:, None]
    # The mean square of n even points is (n + 1) / (n - 1) / 3.
    assert number(losses.continuous_information(even, even)) == pytest.approx(2002 / 2000 / 6, rel=1e-5)


def test_no_code_has_no_information():
    none = np.zeros((4, 0), "float32")
    assert number(losses.continuous_information(none, none)) == 0.0


def test_codes_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"one shape.*\(4, 1\) and \(4,\)"):
        losses.continuous_information(np.ones((4, 1), "float32"), np.ones(4, "float32"))
    with pytest.raises(DataError, match=r"one shape.*\(3, 3\) and \(3,\)"):
        losses.categorical_information(np.eye(3, dtype="float32"), np.arange(3))
