"""Features that no metric can use are errors with a remedy, in every metric of features."""

import numpy as np
import pytest

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics import (
    FeatureStatistics,
    density_coverage,
    frechet_distance,
    frechet_distance_at_infinity,
    inception_score,
    kernel_distance,
    precision_recall,
)

METRICS = [frechet_distance, frechet_distance_at_infinity, kernel_distance, precision_recall, density_coverage]
GOOD = np.random.default_rng(0).normal(size=(20, 3))
BAD = {
    "no rows": GOOD[:0],
    "no columns": GOOD[:, :0],
    "vector": GOOD[0],
    "images": GOOD[:, None, None],
    "strings": np.array([["a"]]),
    "complex": GOOD * 1j,
}


@pytest.mark.parametrize("name", ["real", "fake"])
@pytest.mark.parametrize("metric", METRICS)
def test_arrays_that_are_not_features_are_refused(metric, name):
    for bad in BAD.values():
        with pytest.raises(DataError, match=f"Expected {name} to be features: .* Flatten"):
            metric(**{"real": GOOD, "fake": GOOD, name: bad})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("metric", METRICS)
def test_numbers_that_are_not_finite_are_counted(metric, value):
    bad = GOOD.astype("float32")
    bad[[2, 5, 5], [0, 1, 2]] = value
    with pytest.raises(DataError, match="Expected fake .* 2 of 20 rows with NaN or infinity"):
        metric(real=GOOD, fake=bad)


@pytest.mark.parametrize("metric", METRICS)
def test_dimensions_that_differ_are_refused(metric):
    with pytest.raises(DataError, match="same dimension. Received: 3 and 2"):
        metric(real=GOOD, fake=GOOD[:, :2])


@pytest.mark.parametrize("metric", METRICS)
def test_arguments_have_names(metric):
    with pytest.raises(TypeError):
        metric(GOOD, GOOD)


@pytest.mark.parametrize("metric", [kernel_distance, precision_recall, density_coverage])
@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "uint8", "int64"])
def test_small_whole_numbers_are_the_same_in_every_type(metric, dtype):
    """Computing in uint8 would wrap around."""
    rows = np.random.default_rng(1).integers(0, 100, (2, 20, 3))
    options = {"subset_size": 10, "subsets": 3} if metric is kernel_distance else {}
    expected = metric(real=rows[0].astype("float64"), fake=rows[1].astype("float64"), **options)
    assert metric(real=rows[0].astype(dtype), fake=rows[1].astype(dtype), **options) == expected
    distances = [
        frechet_distance(real=rows[0].astype(one), fake=FeatureStatistics.of(rows[1].astype(one)))
        for one in (dtype, "float64")
    ]
    assert distances[0] == distances[1] > 0.0


def test_statistics_refuse_the_same():
    for bad in BAD.values():
        with pytest.raises(DataError, match="Expected features to be features: .* Flatten"):
            FeatureStatistics.of(bad)
    statistics = FeatureStatistics.of(GOOD)
    with pytest.raises(DataError, match="dimension 3, as before. Received: 2"):
        statistics.update(GOOD[:, :2])
    with pytest.raises(DataError, match="same dimension. Received: 2 and 3"):
        frechet_distance(real=GOOD[:, :2], fake=statistics)
    assert statistics.count == 20


@pytest.mark.parametrize("one", [GOOD[:1], FeatureStatistics.of(GOOD[:1])], ids=["features", "statistics"])
def test_one_row_has_no_covariance(one):
    with pytest.raises(DataError, match="Expected fake of 2 rows or more"):
        frechet_distance(real=GOOD, fake=one)
    with pytest.raises(DataError, match="Expected real of 2 rows or more"):
        frechet_distance_at_infinity(real=one, fake=GOOD)
    with pytest.raises(DataError, match="2 rows or more"):
        _ = FeatureStatistics.of(GOOD[:1]).covariance


@pytest.mark.parametrize("options", [{"smallest": 1}, {"smallest": 20}, {"points": 1}, {"smallest": 10, "points": 12}])
def test_invalid_sizes_are_refused(options):
    with pytest.raises(ConfigurationError, match="the 20 fakes minus one"):
        frechet_distance_at_infinity(real=GOOD, fake=GOOD, **{"smallest": 5, **options})


@pytest.mark.parametrize("options", [{"subset_size": 1}, {"subsets": 1}, {"real": GOOD[:1]}, {"fake": GOOD[:1]}])
def test_invalid_subsets_are_refused(options):
    with pytest.raises(ConfigurationError, match="2 or more. .* Give more features"):
        kernel_distance(**{"real": GOOD, "fake": GOOD, **options})


@pytest.mark.parametrize("neighbors", [0, -1, 20, 1.0])
@pytest.mark.parametrize("metric", [precision_recall, density_coverage])
def test_neighbors_that_a_set_does_not_have_are_refused(metric, neighbors):
    with pytest.raises(ConfigurationError, match="neighbors from 1 to 19: real has 20 rows"):
        metric(real=GOOD, fake=GOOD, neighbors=neighbors)
    with pytest.raises(ConfigurationError, match="neighbors from 1 to 2: real has 3 rows"):
        metric(real=GOOD[:3], fake=GOOD, neighbors=3)
    metric(real=GOOD, fake=GOOD, neighbors=19)


def test_only_recall_needs_neighbors_among_the_fakes():
    with pytest.raises(ConfigurationError, match="neighbors from 1 to 2: fake has 3 rows"):
        precision_recall(real=GOOD, fake=GOOD[:3])
    density_coverage(real=GOOD, fake=GOOD[:1])


@pytest.mark.parametrize(
    "probabilities, message",
    [
        (np.zeros((0, 3)), "Expected probabilities to be probabilities of classes"),
        (np.ones(3) / 3, "Expected probabilities to be probabilities of classes"),
        ([[0.5, np.nan]], "1 of 1 rows with NaN"),
        ([[1.0, 0.0], [2.0, 3.0]], "a row that sums to 5"),
        ([[1.0, 0.0], [1.5, -0.5]], "a smallest of -0.5"),
        ([[1.0, 0.0], [0.5, 0.49]], "a row that sums to 0.99"),
    ],
)
def test_rows_that_are_not_probabilities_are_refused(probabilities, message):
    with pytest.raises(DataError, match=message):
        inception_score(probabilities=probabilities, splits=1)


@pytest.mark.parametrize("splits", [0, 4, 1.0])
def test_splits_out_of_range_are_refused(splits):
    with pytest.raises(ConfigurationError, match="Expected splits from 1 to the 3 rows"):
        inception_score(probabilities=np.eye(3), splits=splits)
