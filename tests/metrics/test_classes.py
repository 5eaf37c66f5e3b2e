"""Classes of images, from a classifier of brightness and from the zoo's classifier."""

import keras
import numpy as np
import pytest

import keras_gans as kg
from keras_gans.errors import DataError
from keras_gans.metrics import classes, predict_classes, right_answers, stacked_classes

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


def test_an_image_is_answered_right_where_its_class_is_its_label(brightness):
    digits = np.arange(30) % CLASSES
    labels = np.where(np.arange(30) % 3 == 0, (digits + 1) % CLASSES, digits)
    right = right_answers(brightness, pixels(digits), labels)
    assert right.dtype == bool and right.tolist() == [i % 3 != 0 for i in range(30)]
    assert right_answers(brightness, pixels(digits), labels.tolist()).tolist() == right.tolist()


def test_attributes_are_answered_right_one_by_one():
    """The attributes are whether the left and whether the right pixel is bright."""
    images = keras.Input((1, 2, 1))
    network = keras.Model(images, keras.layers.Flatten()(images))
    shown = np.array([[0, 0], [0, 255], [255, 0], [255, 255]], "uint8")
    labels = np.array([[0, 0], [1, 1], [1, 1], [0, 0]])
    wanted = [[True, True], [False, True], [True, False], [False, False]]
    for given in (labels, labels.astype(bool)):
        right = right_answers(network, shown.reshape(4, 1, 2, 1), given)
        assert right.dtype == bool and right.tolist() == wanted


def test_pixels_are_answered_right_one_by_one(monkeypatch):
    """A segmentation network of two classes: a pixel is of class 1 where it is bright."""
    monkeypatch.setattr(classes, "BATCH", 2)
    images = keras.Input((2, 3, 1))
    logits = keras.layers.Conv2D(2, 1)
    network = keras.Model(images, logits(images))
    logits.set_weights([np.array([-1.0, 1.0]).reshape(1, 1, 1, 2), np.zeros(2)])
    maps = np.random.default_rng(0).integers(0, 2, (5, 2, 3, 1))
    shown = (255 * maps).astype("uint8")
    np.testing.assert_array_equal(predict_classes(network, shown), maps[..., 0])
    labels = maps.copy()
    labels[3, 1, 2, 0] = 1 - labels[3, 1, 2, 0]
    right = right_answers(network, shown, labels)
    assert right.dtype == bool and right.shape == (5, 2, 3, 1) and np.argwhere(~right).tolist() == [[3, 1, 2, 0]]


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
