"""The divergence of n-grams: closed forms, hand numbers, and a count by dictionaries."""

from collections import Counter
from math import log2

import numpy as np
import pytest

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics import ngram_divergence


@pytest.fixture
def lines():
    return np.random.default_rng(0).integers(0, 6, (40, 9)).astype("uint8")


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_same_lines_in_another_order_are_at_zero(lines, n):
    assert ngram_divergence(real=lines, fake=lines[::-1], n=n) == 0.0
    assert ngram_divergence(real=lines, fake=np.repeat(lines, 3, axis=0), n=n) == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_lines_without_a_common_character_are_one_bit_apart(lines, n):
    assert ngram_divergence(real=lines, fake=lines + 6, n=n) == pytest.approx(1.0, abs=1e-12)


def test_hand_numbers():
    real, fake = kg.data.encode_text(["abab", "abba"], "`ab", 4)[:, None]
    # Bigrams: ab 2/3, ba 1/3 against ab, bb, ba 1/3 each; m = 1/2, 1/3, 1/6.
    p = 2 / 3 * log2(4 / 3) + 1 / 3 * log2(1)
    q = 1 / 3 * (log2(2 / 3) + log2(1) + log2(2))
    assert ngram_divergence(real=real, fake=fake, n=2) == pytest.approx((p + q) / 2, abs=1e-12)
    assert ngram_divergence(real=real, fake=fake, n=1) == 0.0  # two of each


def by_dictionaries(real, fake, n):
    counts = [Counter(tuple(row[i : i + n]) for row in rows for i in range(len(row) - n + 1)) for rows in (real, fake)]
    p, q = ({gram: count / sum(c.values()) for gram, count in c.items()} for c in counts)
    total = 0.0
    for one in (p, q):
        for gram, share in one.items():
            total += share * log2(2 * share / (p.get(gram, 0) + q.get(gram, 0))) / 2
    return total


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_it_is_the_count_by_dictionaries_and_symmetric(lines, n):
    other = np.random.default_rng(1).binomial(255, 0.01, (25, 7))
    expected = by_dictionaries(lines.tolist(), other.tolist(), n)
    assert 0.0 < expected <= 1.0 + 1e-12
    assert ngram_divergence(real=lines, fake=other, n=n) == pytest.approx(expected, abs=1e-12)
    assert ngram_divergence(real=other, fake=lines, n=n) == pytest.approx(expected, abs=1e-12)


def test_longer_runs_tell_more(lines):
    """Data processing: the n-grams of lines without an edge, here rings, determine the shorter ones."""
    rings = [np.concatenate([rows, rows[:, :3]], axis=1) for rows in (lines[:20], lines[20:])]
    found = [ngram_divergence(real=rings[0][:, : 8 + n], fake=rings[1][:, : 8 + n], n=n) for n in (1, 2, 3, 4)]
    assert all(a < b for a, b in zip(found, found[1:]))


def test_padding_counts():
    real, fake = (kg.data.encode_text([line], "`ab", 4) for line in ("ab", "abab"))
    assert ngram_divergence(real=real, fake=fake, n=1) > 0.0


@pytest.mark.parametrize("n", [0, 10, 1.0, -1])
def test_invalid_run_lengths_are_refused(lines, n):
    with pytest.raises(ConfigurationError, match="Expected n from 1 to the 9"):
        ngram_divergence(real=lines, fake=lines, n=n)


def test_runs_too_long_to_count_are_refused(lines):
    wide = lines.astype("int64")
    wide[0, 0] = 255
    assert ngram_divergence(real=wide, fake=wide, n=7) == 0.0
    with pytest.raises(ConfigurationError, match=r"256\^n below 2\^63"):
        ngram_divergence(real=wide, fake=wide, n=8)


@pytest.mark.parametrize(
    "damage",
    [lambda x: x[:0], lambda x: x[0], lambda x: x.astype("float32"), lambda x: x.astype("int64") - 1, lambda x: ["ab"]],
    ids=["empty", "rank", "dtype", "negative", "strings"],
)
def test_arrays_that_are_not_text_are_refused(lines, damage):
    for arguments in ({"real": damage(lines), "fake": lines}, {"real": lines, "fake": damage(lines)}):
        with pytest.raises(DataError, match="ids of characters"):
            ngram_divergence(**arguments, n=1)
