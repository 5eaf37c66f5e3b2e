"""The birthday test on supports of a known size, and nearest neighbors by loops."""

import importlib
import math

import numpy as np
import pytest

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics import birthday_support, memorization, nearest_neighbors

MODULE = importlib.import_module("keras_gans.metrics.memorization")  # the package's name of it is the function


def normal(count, seed, dimensions=5):
    return np.random.default_rng(seed).normal(size=(count, dimensions))


# Birthdays


@pytest.mark.parametrize("count, size", [(100, 12), (2000, 50)])
def test_the_support_of_items_drawn_evenly(count, size):
    """The estimate's 95 % interval holds n, and it is within four standard errors."""
    batches = 1500
    items = normal(count, seed=0)
    fake = items[np.random.default_rng(1).integers(count, size=batches * size)]
    found = birthday_support(fake=fake, batch_size=size, threshold=1e-6)
    probability = 1 - math.prod(1 - i / count for i in range(size))  # exactly
    assert found.probability == pytest.approx(probability, abs=4 * math.sqrt(probability / batches))
    # d n / n = -d log(1 - P) / log(1 - P); the formula's own error is of order s / (3 n).
    error = math.sqrt(probability * (1 - probability) / batches) / (1 - probability) / -math.log(1 - probability)
    assert found.support == pytest.approx(count, rel=4 * error + size / (3 * count))
    assert found.interval[0] < found.support < found.interval[1]
    assert found.interval[1] - found.interval[0] == pytest.approx(2 * 1.96 * error * count, rel=0.25)


def test_the_number_is_the_formulas():
    """Two batches of four with a duplicate in one: -ln(1 - 1/2) = 4 3 / (2 n)."""
    fake = np.array([0, 1, 2, 3, 4, 5, 6, 5.0])[:, None]
    found = birthday_support(fake=fake, batch_size=4, threshold=0.0)
    assert found.probability == 0.5
    assert found.support == pytest.approx(6 / math.log(2))
    assert found.pairs.tolist()[0] == [5, 7]
    assert found.distances.tolist() == [0.0, 1.0]


def test_uneven_items_look_as_if_there_were_fewer():
    """One item with probability 1/2, 1000 share the rest: 1 / (sum p^2) = 4."""
    rng = np.random.default_rng(0)
    fake = np.where(rng.random(6000) < 0.5, 0, rng.integers(1, 1001, size=6000)).astype("float64")[:, None]
    found = birthday_support(fake=fake, batch_size=2, threshold=0.5)
    # P = 1/4 with an error of 0.8 %, and n = 1 / -log(1 - P) for two samples.
    assert found.probability == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 3000))
    assert found.support == pytest.approx(1 / -math.log(1 - found.probability))


def test_no_duplicates_give_only_a_lower_bound_and_only_duplicates_an_upper_one():
    none = birthday_support(fake=np.arange(500.0)[:, None], batch_size=5, threshold=0.9)
    assert (none.probability, none.support, none.interval[1]) == (0.0, math.inf, math.inf)
    high = 1.96**2 / 100 / (1 + 1.96**2 / 100)  # Wilson's bound at 0 of 100
    assert none.interval[0] == pytest.approx(10 / -math.log(1 - high))
    always = birthday_support(fake=np.zeros((500, 1)), batch_size=5, threshold=0.0)
    assert (always.probability, always.support, always.interval[0]) == (1.0, 0.0, 0.0)
    assert always.interval[1] == pytest.approx(10 / -math.log(high))


@pytest.mark.parametrize("kind", ["uint8", "floats", "features"])
def test_the_closest_pairs_by_loops(kind):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (23, 3, 2, 1)).astype("uint8")
    fake = {"uint8": images, "floats": images / 127.5 - 1.0, "features": images.reshape(23, 6) * 1.0}[kind]
    found = birthday_support(fake=fake, batch_size=5, threshold=150.0)
    expected = []
    for start in range(0, 20, 5):  # the remaining three are left out
        expected.append(
            min(
                (math.dist(images[i].ravel().astype(float), images[j].ravel().astype(float)), i, j)
                for i in range(start, start + 5)
                for j in range(i + 1, start + 5)
            )
        )
    expected.sort()
    np.testing.assert_allclose(found.distances, [distance for distance, *_ in expected], rtol=1e-12)
    np.testing.assert_array_equal(found.pairs, [pair for _, *pair in expected])
    assert found.probability == np.mean([distance <= 150.0 for distance, *_ in expected])
    assert 0.0 < found.probability < 1.0


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 2.0}, {"threshold": -1.0}])
def test_birthday_arguments_out_of_range_are_errors(options):
    with pytest.raises(ConfigurationError, match="batch_size of 2 or more and a threshold"):
        birthday_support(**{"fake": normal(10, 0), "batch_size": 5, "threshold": 0.1, **options})


def test_too_few_samples_for_a_batch():
    with pytest.raises(DataError, match="one batch of 11 samples. Received: 10"):
        birthday_support(fake=normal(10, 0), batch_size=11, threshold=0.1)


# Neighbors


@pytest.mark.parametrize("block", [3, 1000])
def test_neighbors_by_loops(block, monkeypatch):
    monkeypatch.setattr(MODULE, "BLOCK", block)  # full and partial blocks of both sets
    fake, among = normal(10, 0), normal(14, 1)
    found = nearest_neighbors(fake=fake, among=among)
    for row, point in enumerate(fake):
        distances = [math.dist(point, other) for other in among]
        assert found.indices[row] == np.argmin(distances)
        assert found.distances[row] == pytest.approx(min(distances), rel=1e-12)


def test_images_of_both_kinds_are_at_their_grey_levels():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 4, 4, 3)).astype("uint8")
    found = nearest_neighbors(fake=(images[[4, 2]] / 127.5 - 1.0), among=images)
    assert found.indices.tolist() == [4, 2]
    np.testing.assert_allclose(found.distances, 0.0, atol=1e-10)
    black = np.zeros((1, 2, 2, 1), "uint8")
    found = nearest_neighbors(fake=black, among=np.concatenate([black + 20, black + 3]))
    assert found.indices.tolist() == [1] and found.distances.tolist() == [6.0]  # sqrt(4 3^2)


def test_a_copy_is_at_distance_zero_and_ties_give_the_first(monkeypatch):
    among = 1e6 + normal(50, 0, dimensions=300)  # |a|^2 + |b|^2 - 2 a b has lost all here but a tenth
    found = nearest_neighbors(fake=among[[7]], among=np.concatenate([among, among]))
    assert found.distances.tolist() == [0.0]
    monkeypatch.setattr(MODULE, "BLOCK", 2)  # the second is in another block
    few = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])
    assert nearest_neighbors(fake=few[2:], among=few).indices.tolist() == [0]


# Memorization


def test_a_generator_that_copies_is_caught():
    train, held_out = normal(800, 0), normal(800, 1)
    copies = train[np.random.default_rng(2).integers(800, size=300)] + 1e-3 * normal(300, 3)
    found = memorization(fake=copies, train=train, held_out=held_out)
    assert found.share > 0.99
    assert found.expected == 0.01
    assert found.fake_median < 0.01 * found.held_out_median
    assert len(found.samples) == round(found.share * 300)


@pytest.mark.parametrize("percentile", [1.0, 10.0])
def test_new_samples_of_the_distribution_have_the_expected_share(percentile):
    """Of 4000 samples and as many held-out items, both of which vary: a deviation of sqrt(p (1 - p) 2 / 4000)."""
    fake, train, held_out = (normal(4000, seed) for seed in (10, 11, 12))
    found = memorization(fake=fake, train=train, held_out=held_out, percentile=percentile)
    p = percentile / 100
    assert found.expected == pytest.approx(p)
    assert found.share == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) * 2 / 4000))
    assert found.fake_median == pytest.approx(found.held_out_median, rel=0.05)


def test_all_numbers_by_hand():
    """Training items 0, 10, 20, ...; held-out ones at distances 1, 2, 3, 4, of which the median percentile is 2.5."""
    train = np.arange(0.0, 100.0, 10.0)[:, None]
    held_out = np.array([[1.0], [12.0], [23.0], [44.0]])
    fake = np.array([[15.0], [31.0], [50.5], [62.5], [70.0], [82.0]])  # 5, 1, 0.5, 2.5, 0, 2
    found = memorization(fake=fake, train=train, held_out=held_out, percentile=50)
    assert (found.fake_median, found.held_out_median, found.threshold) == (1.5, 2.5, 2.5)
    assert found.share == pytest.approx(4 / 6)
    assert found.expected == 0.5
    assert found.samples.tolist() == [4, 2, 1, 5]  # 2.5 itself is not closer
    assert found.nearest.tolist() == [7, 5, 3, 8]


def test_images_are_compared_as_images():
    rng = np.random.default_rng(0)
    train, held_out = rng.integers(0, 256, (2, 120, 4, 4, 1)).astype("uint8")
    found = memorization(fake=train[:10] / 127.5 - 1.0, train=train, held_out=held_out)
    assert found.share == 1.0
    np.testing.assert_array_equal(np.sort(found.samples), np.arange(10))
    np.testing.assert_array_equal(found.nearest, found.samples)


def test_too_few_held_out_items_for_the_percentile():
    sets = {"fake": normal(5, 0), "train": normal(50, 1)}
    with pytest.raises(DataError, match="at least 100 held-out items, for the percentile 1. Received: 99"):
        memorization(**sets, held_out=normal(99, 2))
    assert memorization(**sets, held_out=normal(20, 2), percentile=5).expected == 0.05


def test_held_out_items_of_the_training_set_are_refused():
    train = normal(200, 0)
    with pytest.raises(DataError, match="not in the training set. Received: 100 of 100"):
        memorization(fake=normal(5, 1), train=train, held_out=train[:100])


@pytest.mark.parametrize("percentile", [0.0, 100.0, -1, float("nan")])
def test_percentiles_out_of_range_are_errors(percentile):
    with pytest.raises(ConfigurationError, match="percentile between 0 and 100"):
        memorization(fake=normal(5, 0), train=normal(5, 1), held_out=normal(500, 2), percentile=percentile)


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda x: x[:0], "one or more"),
        (lambda x: x[0], "Expected .* as images"),
        (lambda x: x * np.nan, "finite"),
        (lambda x: x.astype(str), "Expected .* as images"),
        (lambda x: x[:, :-1], "of one shape in all sets"),
        (lambda x: x.reshape(-1, 1, 1, 5), r"in \[-1, 1\]"),
        (lambda x: np.tanh(x.reshape(-1, 1, 1, 5)), "of one shape in all sets"),
    ],
    ids=["empty", "rank", "nan", "strings", "width", "range", "images and features"],
)
def test_sets_that_do_not_fit_are_refused(damage, message):
    sets = {"fake": normal(100, 0), "train": normal(100, 1), "held_out": normal(100, 2)}
    for name in sets:
        with pytest.raises(DataError, match=message):
            memorization(**{**sets, name: damage(sets[name])})
    for fake, among in ((damage(sets["fake"]), sets["train"]), (sets["fake"], damage(sets["train"]))):
        with pytest.raises(DataError, match=message):
            nearest_neighbors(fake=fake, among=among)
