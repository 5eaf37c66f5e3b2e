"""Noise, seeds and indices: what is drawn, how networks see it, what is refused."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import Index, Noise, Seeds, check_indices, normal, symmetric_uniform, truncated, uniform_of


def array(tensor):
    return ops.convert_to_numpy(tensor)


def normals(count, width):
    return np.random.default_rng(0).normal(size=(count, width)).astype("float32")


@pytest.mark.parametrize(
    "distribution, low, high, quartile", [(uniform_of, 0.0, 1.0, 0.75), (symmetric_uniform, -1.0, 1.0, 0.5)]
)
def test_uniform_distributions(distribution, low, high, quartile):
    numbers = array(distribution(normals(10_000, 2))).astype("float64")
    assert low <= numbers.min() and numbers.max() <= high
    counts = np.histogram(numbers, 10, (low, high))[0]
    assert ((counts - 2000) ** 2 / 2000).sum() < 33.7  # chi-squared with 9 degrees of freedom, p = 1e-4
    ends = array(distribution(np.array([-9.0, 0.0, 0.6744898, 9.0], "float32")))
    np.testing.assert_allclose(ends, [low, (low + high) / 2, quartile, high], atol=1e-6)


# How far rounding may move a truncated number: ten last places of erf below 1, divided by the slope of erf.
def rounding(numbers):
    return 10 * 2**-24 / (2 * np.exp(-(np.float64(numbers) ** 2) / 2) / (2 * np.pi) ** 0.5)


def fold(noise, limit):
    return array(truncated(np.float32(noise), np.float32(limit)))


@pytest.mark.parametrize("limit", [1e-3, 0.05, 0.5, 1.0, 2.0, 3.0, 4.5])
def test_truncated_numbers_are_the_same_quantiles_within_the_limit(limit):
    """By the survival functions in float64: 1 - u v = a + b - a b, where a = 1 - u and b = 1 - v."""
    noise, limit = np.linspace(0.001, 7.0, 701, dtype="float32"), float(np.float32(limit))
    beyond = math.erfc(limit / 2**0.5)
    shares = [math.erfc(z / 2**0.5) for z in noise.tolist()]
    expected = np.array([-NormalDist().inv_cdf((a + beyond - a * beyond) / 2) for a in shares])
    made = fold(noise, limit)
    assert made.dtype == np.float32 and made.max() <= limit
    assert (np.abs(made - expected) <= rounding(expected)).all()
    np.testing.assert_array_equal(fold(-noise, limit), -made)


@pytest.mark.parametrize("limit", [0.05, 0.5, 2.0])
def test_truncated_numbers_have_the_moments_of_the_truncated_normal_distribution(limit):
    noise = [NormalDist().inv_cdf((i + 0.5) / 10_000) for i in range(10_000)]
    made = fold(noise, limit).astype("float64")
    ends = 2 * limit * NormalDist().pdf(limit) / math.erf(limit / 2**0.5)
    assert np.mean(made) == pytest.approx(0.0, abs=1e-6)
    assert np.mean(made**2) == pytest.approx(1 - ends, rel=1e-4)
    assert np.mean(made**4) == pytest.approx(3 - (limit**2 + 3) * ends, rel=1e-4)


def test_truncation_keeps_the_order_and_a_smaller_limit_moves_towards_zero():
    noise, limits = np.linspace(-6, 6, 601, dtype="float32"), np.linspace(0, 3, 31, dtype="float32")
    made = fold(noise, limits[:, None])  # a row for each limit
    assert (np.diff(made, axis=1) >= -rounding(made[:, 1:])).all()
    assert (np.diff(np.abs(made), axis=0) >= -rounding(made[1:])).all()
    assert (np.abs(made) <= np.abs(noise)).all() and not made[0].any()


def test_a_large_limit_moves_only_what_is_beyond_it():
    noise = np.float32([-8.0, -5.5, 0.0, 0.5, 3.0, 5.25, 7.0])
    np.testing.assert_array_equal(fold(noise, 9.0), noise)
    np.testing.assert_array_equal(fold(noise, 5.0), np.clip(noise, -5.0, 5.0))
    np.testing.assert_array_equal(fold(noise, 1e30), noise)


def test_noise_is_standard_normal_for_the_user_and_latents_for_networks():
    field, noise = Noise(3, lambda noise: 2.0 * noise), normals(4, 3)
    assert (field.num_normals, field.shape, field.is_noise) == (3, (3,), True)
    np.testing.assert_array_equal(field.from_normals(noise), noise)
    np.testing.assert_array_equal(array(field.encode(noise)), 2.0 * noise)
    np.testing.assert_array_equal(array(Noise(3).encode(noise.astype("float64"))), noise)
    assert Noise(3).distribution is normal
    np.testing.assert_array_equal(field.check(noise.tolist()), noise)


@pytest.mark.parametrize(
    "noise, message",
    [
        (np.zeros((2, 4)), r"shape \(n, 3\).*Received: \(2, 4\)"),
        (np.zeros(3), r"Received: \(3,\)"),
        (np.zeros((0, 3)), "n of 1 or more"),
        (np.full((1, 3), [np.nan, 0.0, np.inf]), "finite noise. Received: 2 NaN or infinite"),
        ([["a", 0, 0]], "numbers. Received: could not convert"),
        ([[0.0], [0.0, 1.0]], "numbers. Received:"),
    ],
)
def test_noise_that_cannot_be_is_refused(noise, message):
    with pytest.raises(ConfigurationError, match=message):
        Noise(3).check(noise)


def test_seeds_are_whole_numbers_drawn_evenly():
    field = Seeds()
    seeds = field.from_normals(normals(4000, field.num_normals))
    assert seeds.dtype == "int32" and seeds.shape == (4000,) and len(np.unique(seeds)) > 3990
    assert seeds.min() >= 0
    for half in (seeds % 2, seeds > seeds.max() // 2):  # of the lowest and of the highest bits
        assert abs(half.mean() - 0.5) < 5 / np.sqrt(4 * 4000)
    np.testing.assert_array_equal(array(field.encode(field.check([7, 2**31 - 1]))), [7, 2**31 - 1])
    assert field.check(np.array([5], "uint8")).dtype == "int32"


@pytest.mark.parametrize("seeds", [[0.5], [[1]], 3, [], [2**31], [-(2**31) - 1], ["a"]], ids=str)
def test_seeds_that_cannot_be_are_refused(seeds):
    with pytest.raises(ConfigurationError, match="Expected seeds"):
        Seeds().check(seeds)


def test_indices_are_whole_numbers_below_the_count():
    field = Index(5)
    for indices in ([4, 0], np.array([[4], [0]]), ops.convert_to_tensor([4, 0])):
        np.testing.assert_array_equal(field.check(indices), [4, 0])
        np.testing.assert_array_equal(array(field.encode(np.asarray(array(indices)))), [4, 0])
    assert field.num_normals is None and str(field) == "indices from 0 to 4"


@pytest.mark.parametrize("indices", [[5], [-1], [0.0], [], [[0, 1]], 3], ids=str)
def test_indices_that_no_example_has_are_refused(indices):
    with pytest.raises(DataError, match="indices from 0 to 4, one per example"):
        check_indices(indices, 5)
