"""Feature extractors: what they compute, how they resize images, and the digest that identifies them."""

import forked
import keras
import numpy as np
import pytest
from contract import needs_tensorflow
from keras import layers
from PIL import Image

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError, DatasetNotFoundError
from keras_gans.metrics.features import FeatureExtractor, classifier_features, inception_v3, pixels, resized


def some_images(count=3, shape=(8, 8, 1)):
    return np.random.default_rng(0).integers(0, 256, (count, *shape)).astype("uint8")


def test_pixels_are_the_images_in_minus_one_to_one():
    images = some_images()
    np.testing.assert_allclose(pixels((8, 8, 1))(images), images.reshape(3, -1) / 127.5 - 1, atol=1e-6)


def test_more_images_than_a_batch_come_in_order():
    images = some_images(501)
    np.testing.assert_allclose(pixels((8, 8, 1))(images), images.reshape(501, -1) / 127.5 - 1, atol=1e-6)


def test_resizing_is_bicubic_antialiased_unrounded_and_clipped():
    """Each channel separately as Pillow's 32-bit floats; a hard edge overshoots and is clipped."""
    images = some_images(2, (12, 10, 3))
    made = resized(images, (6, 5))
    for image, small in zip(images, made):
        for c in range(3):
            channel = Image.fromarray((image[..., c] / 127.5 - 1).astype("float32"))
            expected = np.asarray(channel.resize((5, 6), Image.Resampling.BICUBIC)).clip(-1, 1)
            np.testing.assert_allclose(small[..., c], expected, atol=1e-6)
    edge = np.zeros((1, 8, 8, 1), "uint8")
    edge[:, :, 4:] = 255
    assert resized(edge, (16, 16)).max() == 1.0 and resized(edge, (16, 16)).min() == -1.0


def test_grey_images_become_three_equal_channels():
    grey = some_images(2)
    np.testing.assert_array_equal(pixels((8, 8, 3))(grey), pixels((8, 8, 3))(np.repeat(grey, 3, axis=3)))


def test_a_classifier_gives_its_features_and_probabilities():
    images = keras.Input((8, 8, 1))
    hidden = layers.Dense(5, name="features")(layers.Flatten()(images))
    classifier = keras.Model(images, layers.Dense(3)(hidden))
    features, probabilities = classifier_features(classifier, "small").extract(some_images())
    logits = classifier.predict(some_images() / 127.5 - 1, verbose=0)
    np.testing.assert_allclose(probabilities, np.exp(logits) / np.exp(logits).sum(1, keepdims=True), rtol=1e-5)
    kernel, bias = classifier.layers[-1].get_weights()
    np.testing.assert_allclose(features @ kernel + bias, logits, rtol=1e-4, atol=1e-5)


def test_attributes_have_no_probabilities_of_classes():
    classifier = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(5, name="features"), layers.Dense(3)]
    )
    extractor = classifier_features(classifier, "attributes", classes=False)
    assert extractor.classes is None and extractor.extract(some_images())[1] is None


def test_the_digest_names_weights_and_shapes():
    def network(units=4):
        return keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(units)])

    one = network()
    same, other = network(), network()
    same.set_weights(one.get_weights())
    digests = [FeatureExtractor(made, "x").sha256 for made in (one, same, other)]
    assert digests[0] == digests[1] != digests[2]
    assert pixels((8, 8, 1)).sha256 != pixels((8, 4, 2)).sha256


def test_the_digest_is_the_same_in_another_process():
    code = (
        "import keras_gans as kg; print(kg.metrics.classifier_features("
        "kg.zoo.load_classifier('classifier_mnist'), 'x').sha256)"
    )
    shown = forked.run("-c", code).stdout
    here = classifier_features(kg.zoo.load_classifier("classifier_mnist"), "x")
    assert shown.strip() == here.sha256


def test_weights_that_cannot_be_fetched_are_a_typed_error(monkeypatch):
    def fetch(**options):
        raise Exception("URL fetch failure on https://example.com: no network")

    monkeypatch.setattr(keras.applications, "InceptionV3", fetch)
    with pytest.raises(DatasetNotFoundError, match="URL fetch failure.*~/.keras/models"):
        inception_v3()


@needs_tensorflow  # building Keras's network takes half a minute
def test_inception_takes_any_size_and_names_its_weights():
    extractor = inception_v3(weights=None)
    features, probabilities = extractor.extract(some_images(1, (8, 8, 3)))
    assert features.shape == (1, 2048) and probabilities.shape == (1, 1000)
    np.testing.assert_allclose(probabilities.sum(1), 1.0, rtol=1e-5)
    assert extractor.name == "keras_inception_v3" and extractor.resizing((8, 8, 3)) == "bicubic to 299x299"


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((0, 8, 8, 1), "uint8"), "at least one image"),
        (np.zeros((2, 8, 8), "uint8"), "shape"),
        (np.zeros((2, 8, 8, 3), "uint8"), "1 channels"),
        (np.full((2, 8, 8, 1), 255.0), r"\[-1, 1\]"),
        (np.full((2, 8, 8, 1), np.nan), "finite"),
    ],
)
def test_images_that_cannot_be_taken_are_refused(images, message):
    with pytest.raises(DataError, match=message):
        pixels((8, 8, 1))(images)


def test_networks_of_another_kind_are_refused():
    with pytest.raises(ConfigurationError, match="built, functional Keras model"):
        FeatureExtractor(keras.Sequential([layers.Flatten()]), "x")
    with pytest.raises(ConfigurationError, match=r"features \(N, d\)"):
        FeatureExtractor(keras.Sequential([keras.Input((8, 8, 1)), layers.ReLU()]), "x")
    with pytest.raises(ConfigurationError, match="one shape"):
        FeatureExtractor(keras.Sequential([keras.Input((None, 8, 1)), layers.GlobalMaxPooling2D()]), "x")
    with pytest.raises(ConfigurationError, match='named "features"'):
        classifier_features(keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2)]), "x")
