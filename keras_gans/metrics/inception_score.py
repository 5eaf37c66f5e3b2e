"""How certain a classifier is of each sample's class, and how evenly the classes occur.

It is the Inception Score if the classifier is Inception, and called "classifier_score" by `Evaluator` otherwise.
"""

import math
from dataclasses import dataclass

import numpy as np

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics.checks import check_rows


@dataclass(frozen=True)
class InceptionScore:
    """What `inception_score` returns.

    Args:
        mean: mean over the splits, from 1 to the number of classes.
        deviation: standard deviation over the splits, with divisor `splits`: the number that papers print after the
            mean. 0 for one split.
        error: standard error of the mean, deviation / sqrt(splits).
    """

    mean: float
    deviation: float
    error: float


def inception_score(*, probabilities, splits=10):
    """exp(mean KL(p(y | x) || p(y))), p(y) the mean of p(y | x): 1 if all are equal, K for K classes, certain and even.

    The mean is over the samples of a split; the splits are consecutive, and differ by one row at most. Shuffle samples
    that are sorted by class first, or no split has all classes. The score rises with the size of a split: the protocol
    has 50 000 samples in 10 splits.

    Published scores use the Inception network of 2015-12-05 and the softmax of its 1008 logits without their bias. Real
    CIFAR-10 images have 11.24. Scores of another classifier are not comparable: name the classifier with the number.

    Args:
        probabilities: (N, classes), rows of 0 or more that sum to 1: outputs of a softmax, not logits.
        splits: 1 to N.

    Returns:
        An `InceptionScore`.

    Raises:
        DataError: rows that are not probabilities, or no rows.
        ConfigurationError: splits out of range.

    Example:

    >>> kg.metrics.inception_score(probabilities=[[1.0, 0.0], [0.0, 1.0]], splits=1)
    InceptionScore(mean=2.0, deviation=0.0, error=0.0)

    Reference: Salimans et al., 2016, https://arxiv.org/abs/1606.03498
    """
    probabilities = check_rows("probabilities", probabilities, "probabilities of classes").astype("float64")
    sums = probabilities.sum(axis=1)
    worst = np.abs(sums - 1.0).argmax()
    if probabilities.min() < 0.0 or abs(sums[worst] - 1.0) > 1e-3:  # float16 rounds each by up to 2^-11 of its value
        raise DataError(
            "Expected probabilities of 0 or more, in rows that sum to 1. Received: a smallest of "
            f"{probabilities.min():.4g}, and a row that sums to {sums[worst]:.4g}. Apply keras.ops.softmax to logits."
        )
    count = len(probabilities)
    if not isinstance(splits, int) or not 1 <= splits <= count:
        raise ConfigurationError(f"Expected splits from 1 to the {count} rows. Received: {splits!r}.")
    scores = []
    for part in range(splits):
        p = probabilities[part * count // splits : (part + 1) * count // splits]
        # The mean KL is the entropy of the mean minus the mean entropy.
        scores.append(np.exp(_negative_entropy(p).mean() - _negative_entropy(p.mean(axis=0))))
    deviation = float(np.std(scores))
    return InceptionScore(mean=float(np.mean(scores)), deviation=deviation, error=deviation / math.sqrt(splits))


def _negative_entropy(p):
    """sum p log p along the last axis, with 0 log 0 = 0."""
    return np.sum(p * np.log(p, where=p > 0.0, out=np.zeros_like(p)), axis=-1)
