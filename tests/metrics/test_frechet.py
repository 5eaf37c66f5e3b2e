"""The Fréchet distance: closed forms on features whose mean and covariance are exact, and other routes to the trace."""

import tracemalloc

import numpy as np
import pytest

from keras_gans.errors import FewSamplesWarning
from keras_gans.metrics import FeatureStatistics, frechet, frechet_distance, frechet_distance_at_infinity

DIMENSION = 12


def standard(count, seed, dimension=DIMENSION):
    """Features whose mean is 0 and whose unbiased covariance is the identity, up to rounding."""
    draws = np.random.default_rng(seed).normal(size=(count, dimension))
    draws -= draws.mean(axis=0)
    return np.linalg.solve(np.linalg.cholesky(draws.T @ draws / (count - 1)), draws.T).T


def rotation(seed, dimension=DIMENSION):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(dimension, dimension)))[0]


def mixed(count, seed, dimension=DIMENSION):
    """Features with correlations."""
    random = np.random.default_rng(seed)
    return random.normal(size=(count, dimension)) @ random.normal(size=(dimension, dimension))


def by_general_eigenvalues(real, fake):
    """Torch-fidelity's route: the roots of the eigenvalues of S1 S2, which is not symmetric."""
    first, second = (np.cov(rows, rowvar=False) for rows in (real, fake))
    root = np.sqrt(np.linalg.eigvals(first @ second).astype(complex)).real.sum()
    shift = real.mean(axis=0) - fake.mean(axis=0)
    return shift @ shift + np.trace(first) + np.trace(second) - 2.0 * root


# Statistics


@pytest.mark.parametrize("splits", [[], [1], [1, 2, 3], [40], [10, 11, 60]])
def test_batches_have_the_statistics_of_all(splits):
    features = mixed(70, seed=0) + 5.0
    statistics = FeatureStatistics()
    for batch in np.split(features, splits):
        statistics.update(batch)
    assert statistics.count == 70
    np.testing.assert_allclose(statistics.mean, features.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(statistics.covariance, np.cov(features, rowvar=False), rtol=0, atol=1e-12)


def test_many_rows_at_once_are_split(monkeypatch):
    features = mixed(70, seed=0)
    whole = FeatureStatistics.of(features)
    monkeypatch.setattr(frechet, "ROWS", 16)  # four parts and a remainder
    parts = FeatureStatistics.of(features)
    np.testing.assert_allclose(parts.covariance, whole.covariance, rtol=0, atol=1e-12)
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=0, atol=1e-13)
    assert parts.count == 70


def test_a_batch_that_is_updated_in_place_later_changes_nothing():
    features = mixed(20, seed=0)
    statistics = FeatureStatistics.of(features)
    before = statistics.covariance.copy(), statistics.mean.copy()
    features[:] = 0.0
    np.testing.assert_array_equal(statistics.covariance, before[0])
    np.testing.assert_array_equal(statistics.mean, before[1])


def test_a_large_mean_costs_no_digits():
    """float32 around 1e4 with deviations of about 1: raw sums of squares in float64 would keep 8 digits of 16."""
    features = (1e4 + standard(500, seed=1)).astype("float32")
    expected = np.cov(features.astype("float64") - 1e4, rowvar=False)
    statistics = FeatureStatistics()
    for batch in np.array_split(features, 7):
        statistics.update(batch)
    np.testing.assert_allclose(statistics.covariance, expected, rtol=0, atol=1e-11)
    moved = (features.astype("float64") - 1e4 + 3.0).astype("float32")
    assert frechet_distance(real=features, fake=moved) == pytest.approx(DIMENSION * (1e4 - 3.0) ** 2, rel=1e-9)
    assert frechet_distance(real=features, fake=features[::-1]) == pytest.approx(0.0, abs=1e-9)


# Closed forms


@pytest.mark.parametrize("scale", [0.25, 1.0, 3.0])
def test_isotropic_normals(scale):
    """|m|^2 + d (1 - s)^2."""
    shift = np.linspace(-1.0, 2.0, DIMENSION)
    found = frechet_distance(real=standard(50, seed=0), fake=shift + scale * standard(80, seed=1))
    assert found == pytest.approx(shift @ shift + DIMENSION * (1.0 - scale) ** 2, rel=1e-11)


def test_covariances_that_commute():
    """Sum of (sqrt a - sqrt b)^2, in any common basis."""
    a, b = np.random.default_rng(2).uniform(0.1, 9.0, (2, DIMENSION))
    basis = rotation(3)
    found = frechet_distance(
        real=(standard(50, seed=0) * np.sqrt(a)) @ basis, fake=(standard(80, seed=1) * np.sqrt(b)) @ basis
    )
    assert found == pytest.approx(np.sum((np.sqrt(a) - np.sqrt(b)) ** 2), rel=1e-11)


def test_two_dimensions_by_hand():
    """Two lines of variance 1 at an angle a: S1 S2 has the eigenvalues cos(a)^2 and 0."""
    line = np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])  # variance 1
    angle = 0.3
    turned = line @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    assert frechet_distance(real=line, fake=turned) == pytest.approx(2.0 - 2.0 * np.cos(angle), abs=1e-12)


def test_the_same_set_is_at_zero():
    """Never below zero, whatever the rounding."""
    for seed in range(20):
        features = mixed(60, seed=seed)
        assert 0.0 <= frechet_distance(real=features, fake=features) < 1e-10
        assert 0.0 <= frechet_distance(real=FeatureStatistics.of(features), fake=features[::-1]) < 1e-10


def test_symmetric_and_invariant_to_a_common_rotation_and_shift():
    real, fake = mixed(60, seed=5), mixed(45, seed=6) + 1.0
    expected = frechet_distance(real=real, fake=fake)
    assert expected > 1.0
    assert frechet_distance(real=fake, fake=real) == pytest.approx(expected, rel=1e-12)
    basis, shift = rotation(7), np.linspace(-30.0, 40.0, DIMENSION)
    assert frechet_distance(real=real @ basis + shift, fake=fake @ basis + shift) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("counts", [(60, 45), (60, 8), (8, 60), (8, 5), (DIMENSION, DIMENSION + 1)])
def test_it_equals_the_route_over_general_eigenvalues(counts):
    """Below d rows the covariances are singular: their null eigenvalues, 1e-16 of the largest, have roots of 1e-8."""
    real, fake = mixed(counts[0], seed=8), mixed(counts[1], seed=9) + 0.5
    expected = by_general_eigenvalues(real, fake)
    few = min(counts) <= DIMENSION
    for made in (np.asarray, FeatureStatistics.of):
        arguments = {"real": made(real), "fake": made(fake)}
        if few:
            with pytest.warns(FewSamplesWarning, match="singular, and the distance biased upwards"):
                found = frechet_distance(**arguments)
        else:
            found = frechet_distance(**arguments)
        assert found == pytest.approx(expected, rel=1e-6 if few else 1e-11)


def test_features_and_their_statistics_have_the_same_distance_below_d_rows():
    """One uses the features as a factor of the covariance, the other its eigenvectors: 1e-8 of twice the trace."""
    real, fake = mixed(9, seed=10), mixed(7, seed=11)
    with pytest.warns(FewSamplesWarning):
        thin = frechet_distance(real=real, fake=fake)
    with pytest.warns(FewSamplesWarning):
        assert frechet_distance(real=FeatureStatistics.of(real), fake=fake) == pytest.approx(thin, rel=2e-8)


def test_few_rows_need_no_covariance():
    """3000 dimensions have one of 69 MiB; 20 rows are 1/2 MiB."""
    real, fake = np.random.default_rng(0).normal(size=(2, 20, 3000))
    with pytest.warns(FewSamplesWarning):
        tracemalloc.start()
        found = frechet_distance(real=real, fake=fake)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * 2**20
    assert found > 3000.0  # nearly at right angles: two traces, and the means' 2 * 3000 / 20


def test_few_rows_of_a_large_mean():
    """The covariances' traces are 12 each: 1e-8 of twice their root's may be lost. float32 has 1e-3 here."""
    features = np.random.default_rng(0).normal(size=(2, 9, DIMENSION))
    large = (features + 1e4).astype("float32")
    with pytest.warns(FewSamplesWarning):
        expected = frechet_distance(real=large[0].astype("float64") - 1e4, fake=large[1].astype("float64") - 1e4)
    with pytest.warns(FewSamplesWarning):
        assert frechet_distance(real=large[0], fake=large[1]) == pytest.approx(expected, rel=5e-8)


def test_samples_in_a_subspace():
    """Rounding makes null eigenvalues of 1e-16, whose roots, 1e-8, must not count: 180 of them."""
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(400, 200)), random.normal(size=(400, 20)) @ random.normal(size=(20, 200))
    centred = [(rows - rows.mean(axis=0)) / np.sqrt(399) for rows in (real, fake)]
    root = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    shift = real.mean(axis=0) - fake.mean(axis=0)
    expected = shift @ shift + sum(np.sum(rows**2) for rows in centred) - 2.0 * root
    assert frechet_distance(real=real, fake=fake) == pytest.approx(expected, abs=1e-11 * root)
    assert frechet_distance(real=fake, fake=real) == pytest.approx(expected, abs=1e-11 * root)


def test_samples_that_collapsed():
    """A point has no covariance: |m1 - m2|^2 + tr S1 is left."""
    point, spread = np.full((30, DIMENSION), 3.0), standard(30, seed=12)
    assert frechet_distance(real=point, fake=point + 2.0) == pytest.approx(4.0 * DIMENSION, rel=1e-12)
    assert frechet_distance(real=spread, fake=point) == pytest.approx(10.0 * DIMENSION, rel=1e-12)
    dead = spread * ([0.0] * 5 + [1.0] * (DIMENSION - 5))  # units that are never active
    assert frechet_distance(real=spread, fake=dead) == pytest.approx(5.0, rel=1e-9)


@pytest.mark.parametrize("decades", [6, 10, 14])
def test_covariances_with_small_eigenvalues(decades):
    """S1 = W^2 and S2 = Q W^2 Q^T: the trace is the sum of the singular values of W Q W.

    Of 14 decades in W^2 the roots of the eigenvalues of a product are right to 1e-8 of the sum.
    """
    dimension = 60
    scale, other = np.logspace(-decades / 2, 0, dimension), rotation(13, dimension)
    root = np.linalg.svd(scale[:, None] * other * scale, compute_uv=False).sum()
    real = standard(200, seed=14, dimension=dimension) * scale
    fake = standard(200, seed=15, dimension=dimension) * scale @ other.T
    found = frechet_distance(real=real, fake=fake)
    assert found == pytest.approx(2.0 * np.sum(scale**2) - 2.0 * root, abs=1e-10 * root)


# Few samples


def test_few_samples_give_a_warning():
    enough, few = mixed(DIMENSION + 1, seed=0), mixed(DIMENSION, seed=1)
    assert frechet_distance(real=enough, fake=enough) < 1e-10
    for name, other in (("real", "fake"), ("fake", "real")):
        for made in (np.asarray, FeatureStatistics.of):
            with pytest.warns(FewSamplesWarning, match=f"^{name} has 12 rows of 12 features.*more than 12") as caught:
                frechet_distance(**{name: made(few), other: made(enough)})
            assert len(caught) == 1 and caught[0].filename == __file__


def test_the_bias_of_few_samples():
    """N fakes of N(0, I) against its true moments: to second order d / N of the mean, d (d + 1) / (4 (N - 1)) of S."""
    real, count, dimension = standard(50, seed=0, dimension=4), 200, 4
    random = np.random.default_rng(1)
    found = [frechet_distance(real=real, fake=random.normal(size=(count, dimension))) for _ in range(300)]
    expected = dimension / count + dimension * (dimension + 1) / (4 * (count - 1))
    error = np.std(found) / np.sqrt(len(found))
    assert error < 0.05 * expected
    assert np.mean(found) == pytest.approx(expected, abs=4 * error)


def test_the_line_takes_the_bias_out():
    real, true = standard(50, seed=0, dimension=4), 0.25  # a shift of 1/4 along each axis
    random = np.random.default_rng(2)
    fakes = [0.25 + random.normal(size=(300, 4)) for _ in range(60)]
    plain = np.array([frechet_distance(real=real, fake=fake) for fake in fakes])
    lines = np.array([frechet_distance_at_infinity(real=real, fake=fake, smallest=30) for fake in fakes])
    errors = np.std([plain, lines], axis=1) / np.sqrt(len(fakes))
    assert np.mean(plain) - true > 0.02 and np.mean(lines) == pytest.approx(true, abs=4 * errors[1])
    assert errors[1] < 0.01


def test_the_line_is_a_function_of_its_arguments():
    real, fake = mixed(100, seed=15), mixed(90, seed=16)
    options = {"real": FeatureStatistics.of(real), "fake": fake, "smallest": 20, "points": 4}
    found = frechet_distance_at_infinity(**options, seed=3)
    order = fake.copy()
    assert frechet_distance_at_infinity(**options, seed=3) == found
    np.testing.assert_array_equal(fake, order)
    assert frechet_distance_at_infinity(**options, seed=4) != found
    assert frechet_distance_at_infinity(**{**options, "real": real}, seed=3) == pytest.approx(found, rel=1e-12)


def test_a_flat_line():
    """If all fakes are one point, the distance does not depend on their number."""
    real = standard(50, seed=0)
    found = frechet_distance_at_infinity(real=real, fake=np.full((40, DIMENSION), 2.0), smallest=13, points=5)
    assert found == pytest.approx(5.0 * DIMENSION, rel=1e-11)


def test_a_line_through_two_points_is_exact():
    """Through (1/4, D) of all four fakes and (1/3, D') of three: (4 D - 3 D') / (4 - 3) at 0."""
    real = standard(50, seed=0, dimension=1)
    fake = np.array([[0.0]] * 2 + [[1.0]] * 2)
    # Three of the four have mean 1/3 or 2/3 and variance 1/3; all have mean 1/2 and variance 1/3.
    near, far, whole = (mean**2 + (1.0 - np.sqrt(1.0 / 3.0)) ** 2 for mean in (1 / 3, 2 / 3, 1 / 2))
    expected = [4.0 * whole - 3.0 * part for part in (near, far)]
    found = {
        round(frechet_distance_at_infinity(real=real, fake=fake, smallest=3, points=2, seed=seed), 10)
        for seed in range(20)
    }
    assert sorted(found) == pytest.approx(sorted(expected), abs=1e-9)


def test_a_smallest_subset_below_the_dimension_gives_a_warning():
    with pytest.warns(FewSamplesWarning, match="^the smallest subset of fake has 12 rows"):
        frechet_distance_at_infinity(real=mixed(50, seed=0), fake=mixed(50, seed=1), smallest=12)
    with pytest.warns(FewSamplesWarning, match="^real has 12 rows"):
        frechet_distance_at_infinity(real=mixed(12, seed=0), fake=mixed(50, seed=1), smallest=13)
