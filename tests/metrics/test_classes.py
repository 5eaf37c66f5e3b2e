"""Classes of images, from a classifier of brightness and from the zoo's classifier."""

import keras
import numpy as np
import pytest

import keras_gans as kg
from keras_gans.errors import DataError
from keras_gans.metrics import classes, predict_classes, stacked_classes

CLASSES = 10


@pytest.fixture(scope="module")
def brightness():
    """A classifier whose class is the brightness of the one pixel: class c at c / 9 of the range."""
    images = keras.Input((1, 1, 1))
    dense = keras.layers.Dense(CLASSES)
    classifier = keras.Model(images, dense(keras.layers.Flatten()(images)))
    level = 2.0 * np.arange(CLASSES) / (CLASSES - 1) - 1.0
    dense.set_weights([2.0 * level[None], -(level**2)])  # -(x - level)^2 without x^2: the nearest level has the largest
    return classifier


def pixels(digits):
    """uint8 images of one pixel in the classes' brightnesses; digits (N,) or (N, channels)."""
    levels = np.rint(np.asarray(digits) * 255 / (CLASSES - 1)).astype("uint8")
    return levels.reshape(len(levels), 1, 1, -1)


@pytest.mark.parametrize("as_float", [False, True])
def test_the_class_is_the_largest_logits(brightness, as_float, monkeypatch):
    monkeypatch.setattr(classes, "BATCH", 4)  # full batches and a remainder
    digits = np.random.default_rng(0).integers(CLASSES, size=11)
    images = pixels(digits)
    images = (images / 127.5 - 1.0).astype("float32") if as_float else images
    found = predict_classes(brightness, images)
    assert found.dtype == "int64"
    np.testing.assert_array_equal(found, digits)


def test_each_channel_is_judged_by_itself(brightness):
    digits = np.random.default_rng(1).integers(CLASSES, size=(40, 3))
    np.testing.assert_array_equal(stacked_classes(brightness, pixels(digits)), digits @ [100, 10, 1])


def test_stacked_labels_are_what_the_judge_sees(brightness):
    digits = np.arange(50) % CLASSES
    batch = kg.data.stacked_mnist((pixels(digits), digits), count=200, batch_size=200)[0]
    np.testing.assert_array_equal(stacked_classes(brightness, batch["images"]), batch["labels"])


@pytest.mark.parametrize("judge, channels", [(predict_classes, 3), (stacked_classes, 1)])
def test_images_of_another_shape_are_an_error(brightness, judge, channels):
    with pytest.raises(DataError, match="Expected images of shape"):
        judge(brightness, np.zeros((2, 1, 1, channels), "uint8"))
    with pytest.raises(DataError, match="at least one"):
        judge(brightness, np.zeros((0, 1, 1, 4 - channels), "uint8"))


def test_the_zoos_classifier_names_the_digits_that_the_zoos_gan_makes():
    """A collapsed classifier or generator fails: there must be all ten digits, and none in half of the samples."""
    found = predict_classes(kg.zoo.load_classifier("classifier_mnist"), kg.load("dcgan_mnist").generate(300, seed=0))
    counts = np.bincount(found, minlength=10)
    assert len(counts) == 10 and counts.min() > 0 and counts.max() < 150
