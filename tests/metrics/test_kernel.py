"""The kernel distance against a double loop, and the meaning of its three numbers."""

import numpy as np
import pytest

from keras_gans.metrics import kernel_distance


def normal(count, seed, shift=0.0, dimension=5):
    return shift + np.random.default_rng(seed).normal(size=(count, dimension))


def by_loops(real, fake):
    """The unbiased estimate, sum by sum."""

    def kernel(x, y):
        return (sum(a * b for a, b in zip(x, y)) / len(x) + 1.0) ** 3

    def own(rows):
        count = len(rows)
        pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
        return sum(kernel(rows[i], rows[j]) for i, j in pairs) / (count * (count - 1))

    across = [kernel(x, y) for x in real for y in fake]
    return own(real) + own(fake) - 2.0 * sum(across) / len(across)


def test_hand_number():
    """d = 2: k of (1, 0) and (0, 1) is 1, of (1, 1) and either 27/8; so 1 + 8 - 2 * 27/8 with fakes (1, 1) twice."""
    found = kernel_distance(real=[[1, 0], [0, 1]], fake=[[1, 1], [1, 1]])
    assert found.value == pytest.approx(1.0 + 8.0 - 27.0 / 4.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_the_double_loop(dtype):
    """Subsets of all rows are the sets themselves, in any order: the draws are without repetition."""
    real, fake = normal(17, seed=0).astype(dtype), normal(17, seed=1, shift=0.5).astype(dtype)
    found = kernel_distance(real=real, fake=fake, subset_size=17, subsets=5)
    assert found.value == pytest.approx(by_loops(real.astype("float64").tolist(), fake.astype("float64").tolist()))
    assert found.deviation < 1e-12 and found.error < 1e-12
    assert kernel_distance(real=real, fake=fake, subset_size=1000, subsets=5) == found  # at most all


def test_the_smaller_set_bounds_the_subsets():
    """Three of the reals each time: the mean over subsets is that over all triples."""
    real, fake = normal(5, seed=2), normal(3, seed=3)
    found = kernel_distance(real=real, fake=fake, subsets=4000)
    triples = [[i, j, k] for i in range(5) for j in range(i) for k in range(j)]
    values = [by_loops(real[triple].tolist(), fake.tolist()) for triple in triples]
    assert found.error > 0.0
    assert found.value == pytest.approx(np.mean(values), abs=4 * found.error)
    assert found.deviation == pytest.approx(np.std(values), rel=0.1)  # 4000 draws: 1 / sqrt(2 * 4000) and its tails


def test_a_set_against_itself_is_below_zero():
    """Only the cross term has pairs of a row with itself, so the value is not 0."""
    rows = normal(12, seed=4)
    found = kernel_distance(real=rows, fake=rows, subsets=2)
    assert found.value == pytest.approx(by_loops(rows.tolist(), rows.tolist()))
    assert found.value < -0.1


def test_no_bias_in_any_subset_size():
    """Of the same distribution the mean is 0; with their diagonals, 10 rows have 2 (E k(x, x) - E k) / 10 > 1."""
    for size in (3, 10):
        values = [
            kernel_distance(
                real=normal(size, seed=2 * seed), fake=normal(size, seed=2 * seed + 1), subset_size=size, subsets=2
            ).value
            for seed in range(400)
        ]
        error = np.std(values) / np.sqrt(len(values))
        assert error < 0.2 and abs(np.mean(values)) < 4 * error


def test_it_rises_with_the_shift():
    real = normal(300, seed=5)
    values = [
        kernel_distance(real=real, fake=normal(300, seed=6, shift=shift), subset_size=100, subsets=20).value
        for shift in (0.0, 0.2, 0.5, 1.0, 2.0)
    ]
    assert all(a < b for a, b in zip(values, values[1:]))


def test_error_is_that_of_the_mean_over_subsets():
    """Over seeds the value deviates by the error; the deviation is that of one subset."""
    real, fake = normal(200, seed=7), normal(200, seed=8)
    found = [kernel_distance(real=real, fake=fake, subset_size=10, subsets=50, seed=seed) for seed in range(200)]
    spread = np.std([one.value for one in found])
    assert np.sqrt(np.mean([one.error**2 for one in found])) == pytest.approx(spread, rel=0.2)  # 1 / sqrt(400) is 5 %
    assert found[0].error * 7.0 == pytest.approx(found[0].deviation)
    singles = [kernel_distance(real=real, fake=fake, subset_size=10, subsets=2, seed=seed).value for seed in range(400)]
    typical = np.sqrt(np.mean([one.deviation**2 for one in found]))
    assert np.std(singles) * np.sqrt(2.0) == pytest.approx(typical, rel=0.2)


def test_the_seed_decides():
    sets = {"real": normal(40, seed=9), "fake": normal(40, seed=10), "subset_size": 10, "subsets": 3}
    assert kernel_distance(**sets, seed=1) == kernel_distance(**sets, seed=1)
    assert kernel_distance(**sets, seed=1) != kernel_distance(**sets, seed=2)
