"""The evaluator: its numbers equal the metrics', each has its protocol, and protocols do not mix."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_gans as kg
from keras_gans.data.batches import drawn_rows
from keras_gans.errors import ConfigurationError, DataError, ProtocolError
from keras_gans.metrics.evaluator import (
    HIGHER_IS_BETTER,
    INCEPTION_NAMES,
    METRICS,
    SETTINGS,
    Evaluator,
    Measurement,
    Protocol,
)
from keras_gans.metrics.features import FeatureExtractor, classifier_features, inception_v3, pixels


def some_images(seed=0, count=80, shape=(16, 16, 1)):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype("uint8")


@pytest.fixture(scope="module")
def classifier():
    return classifier_features(kg.zoo.load_classifier("classifier_mnist"), "classifier_mnist")


def test_every_number_is_its_metric_on_the_features(classifier):
    real, fake = some_images(0, 90, (28, 28, 1)), some_images(1, 80, (28, 28, 1))
    evaluator = Evaluator(real, classifier, METRICS)
    found = evaluator(fake)
    x, y = classifier(real), classifier(fake)
    kernel = kg.metrics.kernel_distance(real=x, fake=y)
    near, dense = kg.metrics.precision_recall(real=x, fake=y), kg.metrics.density_coverage(real=x, fake=y)
    expected = {
        "frechet_distance": kg.metrics.frechet_distance(real=x, fake=y),
        "frechet_distance_infinity": kg.metrics.frechet_distance_at_infinity(real=x, fake=y, smallest=65, points=10),
        "kernel_distance": kernel.value,
        "classifier_score": kg.metrics.inception_score(probabilities=classifier.extract(fake)[1]).mean,
        "precision": near.precision,
        "recall": near.recall,
        "density": dense.density,
        "coverage": dense.coverage,
        "swd": kg.metrics.sliced_wasserstein_distance(real=real[drawn_rows(90, 80)], fake=fake).mean,
        "ms_ssim": kg.metrics.ms_ssim_diversity(fake=fake),
    }
    assert {name: number.value for name, number in found.items()} == pytest.approx(expected, rel=1e-9)
    assert list(found) == evaluator.names == list(SETTINGS)
    of_capabilities = {"classes", "labels", "kept", "edited", "stayed", "agreement", "psnr", "shows", "ssim"}
    of_label_maps, of_clips = {"pixel_accuracy", "class_accuracy", "mean_iou"}, {"sharpness_moving"}
    assert HIGHER_IS_BETTER < {*SETTINGS, "is", *of_capabilities, *of_label_maps, *of_clips}


@pytest.mark.parametrize("name", INCEPTION_NAMES)
def test_the_names_of_papers_are_refused_with_features_of_another_network(classifier, name):
    for extractor, real in ((pixels((28, 28, 1)), some_images(0, 30, (28, 28, 1))), (classifier, [])):
        real = real if len(real) else some_images(1, 30, (28, 28, 1))
        for metrics in (name, [name], ["precision_recall", name]):
            with pytest.raises(ConfigurationError) as caught:
                Evaluator(real, extractor, metrics)
            said = str(caught.value)
            assert said.startswith(f"Expected {INCEPTION_NAMES[name]}, because ") and "defined by Inception" in said
            assert repr(name) in said and extractor.name in said


@pytest.mark.parametrize("name", INCEPTION_NAMES)
def test_with_inceptions_features_numbers_are_called_as_they_are_asked_for(classifier, name):
    """Both names give one number, of one protocol."""
    extractor = FeatureExtractor(classifier.network, "inception_2015", inception=True)
    real, fake = some_images(0, 90, (28, 28, 1)), some_images(1, 80, (28, 28, 1))
    general = INCEPTION_NAMES[name]
    evaluator = Evaluator(real, extractor, [name, general])
    found = evaluator(fake)
    assert list(found) == evaluator.names == [name, general]
    assert dataclasses.replace(found[name], name=general) == found[general]
    assert found[name].name == name
    assert found[name].better(dataclasses.replace(found[name], value=found[name].value + 1.0)) == (name != "is")


def test_which_features_are_inceptions(classifier):
    assert inception_v3(weights=None).inception
    assert not classifier.inception and not pixels((8, 8, 1)).inception
    assert not FeatureExtractor(classifier.network, "keras_inception_v3").inception  # a name alone is no proof


def test_the_classifier_score_has_the_standard_error_of_its_splits(classifier):
    real, fake = some_images(0, 30, (28, 28, 1)), some_images(1, 40, (28, 28, 1))
    found = Evaluator(real, classifier, "classifier_score")(fake)["classifier_score"]
    parts = classifier.extract(fake)[1].astype("float64").reshape(10, 4, -1)
    relative = parts * np.log(parts / parts.mean(axis=1, keepdims=True))
    scores = np.exp(relative.sum(axis=2).mean(axis=1))
    assert found.value == pytest.approx(scores.mean()) and found.error == pytest.approx(scores.std() / np.sqrt(10))


def test_the_sliced_wasserstein_distance_takes_images_of_all_classes():
    """The reference is sorted: dark, then bright. Half as many generated images, of both kinds, are near to a part that
    is drawn from it, and far from its first half, which is dark."""
    dark, bright = some_images(0, 100) // 8, 224 + some_images(1, 100) // 8
    real, fake = (
        np.concatenate([dark, bright]),
        np.concatenate([some_images(2, 50) // 8, 224 + some_images(3, 50) // 8]),
    )
    for one, other in ((real, fake), (fake, real)):
        found = Evaluator(one, pixels((16, 16, 1)), "swd")(other)["swd"]
        of_the_first = kg.metrics.sliced_wasserstein_distance(real=one[:100], fake=other[:100]).mean
        assert found.value < 0.5 * of_the_first
        assert "as many images of each" in found.protocol.metric


def test_a_protocol_says_that_the_reference_was_drawn():
    images = some_images(0, 50)
    part, whole = (kg.data.load(images, take=take, batch_size=1) for take in (20, 50))
    for batches, said in ((part, "array train, 20 images, drawn, sha256"), (whole, "array train, 50 images, sha256")):
        found = Evaluator(batches, pixels((16, 16, 1)), "kernel_distance")(images)["kernel_distance"]
        assert found.protocol.real.startswith(said)


def test_a_protocol_names_the_data_the_features_and_the_counts():
    digits = kg.data.load("drawn:digits", take=100)
    extractor = pixels((28, 28, 1))
    protocol = Evaluator(digits, extractor, "kernel_distance")(digits.images[:40])["kernel_distance"].protocol
    assert protocol.fake_count == 40 and protocol.resize == "none"
    assert digits.about["name"] in protocol.real and "100 images" in protocol.real
    assert extractor.sha256[:12] in protocol.features
    for part in dataclasses.astuple(protocol):
        assert str(part) in str(protocol)


def test_subsets_that_are_the_whole_have_no_error():
    real, fake = some_images(), some_images(1)
    assert len(real) == len(fake) < 1000
    assert Evaluator(real, pixels((16, 16, 1)), "kernel_distance")(fake)["kernel_distance"].error is None
    assert Evaluator(real, pixels((16, 16, 1)), "kernel_distance")(fake[1:])["kernel_distance"].error > 0


@pytest.mark.parametrize("change", ["real", "count", "features", "size"])
def test_numbers_of_different_protocols_are_not_compared(change):
    real, fake = some_images(), some_images(1)
    one = Evaluator(real, pixels((16, 16, 1)), "kernel_distance")(fake)["kernel_distance"]
    other = {
        "real": lambda: Evaluator(real[1:], pixels((16, 16, 1)), "kernel_distance")(fake)["kernel_distance"],
        "count": lambda: Evaluator(real, pixels((16, 16, 1)), "kernel_distance")(fake[1:])["kernel_distance"],
        "features": lambda: Evaluator(real, pixels((16, 16, 3)), "kernel_distance")(fake)["kernel_distance"],
        "size": lambda: Evaluator(real, pixels((8, 8, 1)), "kernel_distance")(fake)["kernel_distance"],
    }[change]()
    for compare in (lambda: one < other, lambda: one > other, lambda: sorted([one, other]), lambda: one.better(other)):
        with pytest.raises(ProtocolError, match="one protocol"):
            compare()


def test_better_is_lower_for_distances_and_higher_for_shares():
    protocol = Protocol("m", "f", "none", "r", 1)
    for name in SETTINGS:
        low, high = (Measurement(name, value, None, protocol) for value in (1.0, 2.0))
        assert high.better(low) == (name in HIGHER_IS_BETTER) != low.better(high)
        assert sorted([high, low]) == [low, high]


def test_the_references_features_are_kept(tmp_path, monkeypatch, classifier):
    real, fake = some_images(0, 30, (28, 28, 1)), some_images(1, 30, (28, 28, 1))
    first = Evaluator(real, classifier, ["kernel_distance", "classifier_score"], cache=tmp_path)(fake)
    assert len(list(tmp_path.iterdir())) == 1
    seen = []
    extract = type(classifier).extract
    monkeypatch.setattr(
        type(classifier), "extract", lambda self, images: seen.append(len(images)) or extract(self, images)
    )
    again = Evaluator(real, classifier, ["kernel_distance", "classifier_score"], cache=tmp_path)(fake)
    assert seen == [30] and again == first  # the fakes alone
    Evaluator(real[:-1], classifier, "kernel_distance", cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_cache_is_rebuilt(tmp_path):
    real = some_images()
    first = Evaluator(real, pixels((16, 16, 1)), "kernel_distance", cache=tmp_path)(some_images(1))
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:50])
    assert Evaluator(real, pixels((16, 16, 1)), "kernel_distance", cache=tmp_path)(some_images(1)) == first


def test_what_cannot_be_measured_is_refused():
    extractor = pixels((16, 16, 1))
    with pytest.raises(ConfigurationError, match="out of frechet_distance, "):
        Evaluator(some_images(), extractor, ["fidd"])
    with pytest.raises(ConfigurationError, match="out of frechet_distance, "):
        Evaluator(some_images(), extractor, [])
    with pytest.raises(DataError, match="reference's shape"):
        Evaluator(some_images(), extractor)(some_images(shape=(8, 8, 1)))
    with pytest.raises(DataError, match=r"\[-1, 1\]"):
        Evaluator(some_images().astype("float32"), extractor)
    with pytest.raises(ConfigurationError, match="classifier"):
        Evaluator(some_images(), extractor, "classifier_score")(some_images())


def test_lines_of_another_length_are_refused():
    evaluator = kg.metrics.TextEvaluator(kg.data.load_text(["a cat", "a dog"], length=5, batch_size=1))
    with pytest.raises(DataError, match="5 characters"):
        evaluator(np.zeros((2, 6), "uint8"))


def test_stacked_digits_are_counted():
    """Digits for a perfect classifier, which reads the class from one pixel."""
    images = keras.Input((4, 4, 1))
    level = keras.ops.reshape(images[:, 0, 0, 0], (-1, 1)) * 127.5 + 127.5  # 0 to 255
    centers = np.arange(10, dtype="float32") * 25
    classifier = keras.Model(images, -keras.ops.abs(level - centers))
    digits = np.zeros((30, 4, 4, 3), "uint8")
    codes = np.array([0, 7, 70, 700, 999] * 6)
    for channel, power in enumerate((100, 10, 1)):
        digits[..., channel] = (25 * (codes // power % 10))[:, None, None]
    evaluator = kg.metrics.StackedEvaluator(classifier, "levels")
    found = evaluator(digits)
    assert (found["classes"].value, found["classes"].protocol.fake_count) == (5, 30)
    assert found["class_kl"].value == pytest.approx(np.log(1000 / 5))
    assert evaluator(digits[:10])["class_kl"].protocol != found["class_kl"].protocol
    evaluator.check((4, 4, 3))
    for shape in ((4, 4, 1), (5, 4, 3)):
        with pytest.raises(DataError, match=r"\(4, 4, 3\)"):
            evaluator.check(shape)
