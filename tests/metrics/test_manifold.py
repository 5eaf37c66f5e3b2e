"""Precision, recall, density and coverage against double loops, hand numbers and expectations."""

import tracemalloc

import numpy as np
import pytest

from keras_gans.metrics import density_coverage, manifold, precision_recall


def normal(count, seed, dimension=4):
    return np.random.default_rng(seed).normal(size=(count, dimension))


def distance(x, y):
    return sum((a - b) ** 2 for a, b in zip(x, y)) ** 0.5


def radii(rows, neighbors):
    return [
        sorted(distance(x, y) for j, y in enumerate(rows) if j != i)[neighbors - 1] for i, x in enumerate(rows)
    ]  # fmt: skip


def share_within(points, rows, neighbors):
    edges = radii(rows, neighbors)
    return np.mean([any(distance(point, x) <= edge for x, edge in zip(rows, edges)) for point in points])


def by_loops(real, fake, neighbors):
    real, fake = real.tolist(), fake.tolist()
    edges = radii(real, neighbors)
    held = [[distance(x, y) < edge for y in fake] for x, edge in zip(real, edges)]
    return (
        share_within(fake, real, neighbors),
        share_within(real, fake, neighbors),
        np.sum(held) / (neighbors * len(fake)),
        np.mean([any(one) for one in held]),
    )


def all_four(real, fake, neighbors):
    near = precision_recall(real=real, fake=fake, neighbors=neighbors)
    dense = density_coverage(real=real, fake=fake, neighbors=neighbors)
    return near.precision, near.recall, dense.density, dense.coverage


@pytest.mark.parametrize("neighbors", [1, 3, 5])
@pytest.mark.parametrize("block", [manifold.BLOCK, 100, 1], ids=["whole", "blocks", "rows"])
def test_they_are_the_double_loops(neighbors, block, monkeypatch):
    monkeypatch.setattr(manifold, "BLOCK", block)
    real, fake = normal(40, seed=0), 0.8 * normal(31, seed=1) + 0.7
    expected = by_loops(real, fake, neighbors)
    assert all(0.1 < value < 1.1 for value in expected)
    assert all_four(real, fake, neighbors) == pytest.approx(expected, abs=1e-12)


def test_a_large_mean_changes_nothing():
    """Deviations of 1e-3 around 1e4: not centred, squared distances of 1e-6 would be wrong by 1e-8."""
    real, fake = normal(60, seed=0), 0.8 * normal(50, seed=1) + 0.5
    expected = all_four(real, fake, 3)
    assert all_four(1e-3 * real + 1e4, 1e-3 * fake + 1e4, 3) == expected
    assert all_four(1e-3 * real - 1e4, 1e-3 * fake - 1e4, 3) == expected


@pytest.mark.parametrize("dtype", ["int64", "float32"])
@pytest.mark.parametrize("seed", range(4))
def test_points_on_an_edge_are_exact(dtype, seed):
    """Points of a lattice have many equal distances, which the loops find exactly. 8194^2 is not exact in float32."""
    random = np.random.default_rng(seed)
    real, fake = 4097 * random.integers(0, 4, (31, 5)), 4097 * random.integers(0, 4, (23, 5))
    expected = by_loops(real, fake, 3)
    assert all_four(real.astype(dtype), fake.astype(dtype), 3) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_set_against_itself(dtype, scale):
    """Each ball holds its center and k - 1 others, its edge not: density 1. In another order, and in other blocks."""
    real = (scale * (normal(700, seed=2, dimension=33) + 3.0)).astype(dtype)
    for fake in (real, real[::-1], real[np.random.default_rng(0).permutation(700)]):
        assert all_four(real, fake, 3) == (1.0, 1.0, 1.0, 1.0)


def test_copies_are_at_zero():
    """Four copies of each: balls of radius 0 contain their edge, the copies, and nothing nearby."""
    rows = np.repeat(normal(20, seed=3, dimension=300), 4, axis=0)
    assert precision_recall(real=rows, fake=rows, neighbors=3) == manifold.PrecisionRecall(precision=1.0, recall=1.0)
    near = rows + 1e-4
    assert precision_recall(real=rows, fake=near, neighbors=3) == manifold.PrecisionRecall(precision=0.0, recall=0.0)
    for start in range(0, 80, 4):  # single rows give products of another shape, which round differently
        for fake in (rows, rows[start : start + 1], rows[start : start + 7]):
            found = density_coverage(real=rows, fake=fake, neighbors=3)
            assert found == manifold.DensityCoverage(density=0.0, coverage=0.0)


def test_sets_far_apart():
    assert all_four(normal(30, seed=4), normal(30, seed=5) + 1e3, 3) == (0.0, 0.0, 0.0, 0.0)
    assert all_four(normal(30, seed=4), normal(30, seed=5) + 1e9, 3) == (0.0, 0.0, 0.0, 0.0)


def test_fakes_of_one_mode_of_two():
    modes = np.concatenate([normal(50, seed=6), normal(50, seed=7) + 1e3])
    assert all_four(modes, modes[:50], 3) == (1.0, 0.5, 1.0, 0.5)


def test_collapsed_fakes():
    real = normal(40, seed=8)
    precision, recall, _, coverage = all_four(real, np.tile(real[7], (40, 1)), 3)
    assert precision == 1.0 and recall == 1 / 40  # the real that the fakes copy
    held = np.mean([distance(real[7], x) < edge for x, edge in zip(real, radii(real, 3))])
    assert coverage == held < 0.5


def test_hand_numbers():
    """Reals 0, 2, 6: radii 2, 2, 4. Fakes -2, 1, 11: radii 3, 3, 10."""
    found = precision_recall(real=[[0], [2], [6]], fake=[[-2], [1], [11]], neighbors=1)
    assert found.precision == pytest.approx(2 / 3)  # -2 is on the edge of 0's ball, 1 within two, 11 in none
    assert found.recall == 1.0  # 6 within 11's
    found = density_coverage(real=[[0], [2], [6]], fake=[[-2], [1], [11]], neighbors=1)
    assert (found.density, found.coverage) == pytest.approx((2 / 3, 2 / 3))  # 1 in two balls, the edge in none


def test_roles_swapped():
    real, fake = normal(60, seed=9), 0.6 * normal(50, seed=10) + 0.4
    one, other = precision_recall(real=real, fake=fake), precision_recall(real=fake, fake=real)
    assert (one.precision, one.recall) == (other.recall, other.precision)
    assert one.precision > one.recall + 0.1


def test_an_outlier_lifts_density_by_one_ball_alone():
    """Its ball holds every fake, and adds 1/k; the precision of fakes that are far from all others is lifted to 1."""
    real, fake = normal(60, seed=11), normal(50, seed=12) + 20.0
    outlier = np.concatenate([real, [[1e4, 0.0, 0.0, 0.0]]])
    assert all_four(real, fake, 5) == (0.0, 0.0, 0.0, 0.0)
    precision, _, density, coverage = all_four(outlier, fake, 5)
    assert precision == 1.0
    assert density == pytest.approx(1 / 5) and coverage == pytest.approx(1 / 61)


@pytest.mark.parametrize("count, others, neighbors", [(40, 40, 5), (30, 60, 3), (50, 20, 1)])
def test_the_expectations_for_the_reals_own_distribution(count, others, neighbors):
    """Coverage 1 - prod (N - i) / (N + M - i): the k nearest others of a real are not all reals. Density 1."""
    found = [
        density_coverage(real=normal(count, seed=2 * seed), fake=normal(others, seed=2 * seed + 1), neighbors=neighbors)
        for seed in range(300)
    ]
    i = np.arange(1, neighbors + 1)
    expected = 1.0 - np.prod((count - i) / (count + others - i))
    coverage, density = [one.coverage for one in found], [one.density for one in found]
    for values, mean in ((coverage, expected), (density, 1.0)):
        error = np.std(values) / np.sqrt(len(values))
        assert error < 0.015
        assert np.mean(values) == pytest.approx(mean, abs=4 * error)


def test_memory_is_that_of_blocks(monkeypatch):
    """1500 x 1500 distances are 17 MiB; a few blocks of 1/4 MiB and the sets, 1/10 MiB each, stay far below."""
    monkeypatch.setattr(manifold, "BLOCK", 2**15)
    real, fake = normal(1500, seed=13, dimension=8), normal(1500, seed=14, dimension=8)
    for metric in (precision_recall, density_coverage):
        tracemalloc.start()
        metric(real=real, fake=fake)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2 * 2**20
