"""Philox against the published vectors, and its normal numbers against the normal distribution."""

import numpy as np
import pytest

from keras_gans_core import philox


@pytest.mark.parametrize(
    "counter, key, expected",
    [
        # The known answers of philox4x32-10 in Random123 1.14 (tests/kat_vectors).
        ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_known_answers(counter, key, expected):
    words = philox.philox(np.array([counter, counter], "uint32"), np.array(key, "uint32"))
    assert [" ".join(f"{word:08x}" for word in row) for row in words] == [expected] * 2


@pytest.mark.parametrize("seed", [0, 1, -1, 2**63 - 1, -(2**63)])
def test_a_shorter_draw_is_the_beginning_of_a_longer_one(seed):
    longest = philox.normal(23, seed)
    assert longest.dtype == np.float32
    for size in range(1, 23):
        np.testing.assert_array_equal(philox.normal(size, seed), longest[:size])


def test_all_64_bits_of_the_seed_count():
    draws = {philox.normal(4, seed).tobytes() for seed in (0, 1, -1, 1 << 32, 1 << 62, -(1 << 63))}
    assert len(draws) == 6


def test_numbers_are_standard_normal():
    """Mean, variance, skewness and kurtosis of n numbers, each within four of its standard errors."""
    n = 40_000
    x = philox.normal(n, seed=3).astype("float64")
    assert abs(x.mean()) < 4 * np.sqrt(1 / n)
    assert abs(x.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs((x**3).mean()) < 4 * np.sqrt(15 / n)
    assert abs((x**4).mean() - 3) < 4 * np.sqrt(96 / n)
    assert abs((np.abs(x) < 1).mean() - 0.6827) < 4 * np.sqrt(0.2166 / n)
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 4 / np.sqrt(n)


def test_seeds_are_independent():
    draws = np.stack([philox.normal(64, seed) for seed in range(200)]).astype("float64")
    correlations = np.corrcoef(draws.T)[~np.eye(64, dtype=bool)]
    assert abs(correlations).max() < 5.5 / np.sqrt(200)
    assert abs(draws.mean()) < 4 / np.sqrt(draws.size)
