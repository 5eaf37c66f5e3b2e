"""The Inception Score: closed forms and a loop."""

from math import exp, log

import numpy as np
import pytest

from keras_gans.metrics import inception_score

CLASSES = 8


def softmax(count, seed):
    logits = np.exp(3.0 * np.random.default_rng(seed).normal(size=(count, CLASSES)))
    return logits / logits.sum(axis=1, keepdims=True)


def by_loops(rows):
    marginal = [sum(row[c] for row in rows) / len(rows) for c in range(len(rows[0]))]
    return exp(sum(p * log(p / q) for row in rows for p, q in zip(row, marginal)) / len(rows))


def test_a_classifier_that_knows_nothing():
    found = inception_score(probabilities=np.full((40, CLASSES), 1.0 / CLASSES))
    assert found.mean == pytest.approx(1.0, abs=1e-14) and found.deviation == pytest.approx(0.0, abs=1e-14)


def test_sure_and_even_is_the_number_of_classes():
    """Also that 0 log 0 is 0, without a warning."""
    found = inception_score(probabilities=np.tile(np.eye(CLASSES), (10, 1)))
    assert found.mean == pytest.approx(CLASSES, rel=1e-14) and found.deviation == pytest.approx(0.0, abs=1e-14)


def test_one_class_alone():
    assert inception_score(probabilities=np.tile(np.eye(CLASSES)[3], (10, 1))).mean == 1.0


def test_sorted_samples_have_splits_of_one_class():
    rows = np.repeat(np.eye(CLASSES), 5, axis=0)
    assert inception_score(probabilities=rows, splits=CLASSES).mean == 1.0
    assert inception_score(probabilities=rows, splits=1).mean == pytest.approx(CLASSES)


def test_hand_number():
    """p(y) = (5/8, 3/8): KL of (3/4, 1/4) and (1/2, 1/2) to it."""
    kl = (0.75 * log(6 / 5) + 0.25 * log(2 / 3) + 0.5 * log(4 / 5) + 0.5 * log(4 / 3)) / 2
    assert inception_score(probabilities=[[0.75, 0.25], [0.5, 0.5]], splits=1).mean == pytest.approx(exp(kl))


@pytest.mark.parametrize("splits, edges", [(1, []), (2, [11]), (3, [7, 15]), (4, [5, 11, 17]), (23, range(1, 23))])
def test_splits_are_consecutive_and_take_every_row(splits, edges):
    rows = softmax(23, seed=0)
    scores = [by_loops(part.tolist()) for part in np.split(rows, list(edges))]
    found = inception_score(probabilities=rows, splits=splits)
    assert found.mean == pytest.approx(np.mean(scores), rel=1e-12)
    assert found.deviation == pytest.approx(np.sqrt(np.mean((np.array(scores) - np.mean(scores)) ** 2)), abs=1e-12)
    assert found.error == pytest.approx(found.deviation / np.sqrt(splits), abs=1e-12)


def test_the_error_is_that_of_the_mean():
    """Two splits: certain and even, exp(log 2) = 2; and all alike, exp(0) = 1. Their deviation is 1/2."""
    found = inception_score(probabilities=[[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.5, 0.5]], splits=2)
    assert found.mean == pytest.approx(1.5) and found.deviation == pytest.approx(0.5)
    assert found.error == pytest.approx(0.5 / 2**0.5)


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-6), ("float16", 1e-2)])
def test_the_rounding_of_a_networks_softmax_is_taken(dtype, tolerance):
    rows = softmax(50, seed=1)
    expected = inception_score(probabilities=rows).mean
    assert inception_score(probabilities=rows.astype(dtype)).mean == pytest.approx(expected, rel=tolerance)
