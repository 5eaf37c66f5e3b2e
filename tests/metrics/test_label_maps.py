"""Label maps against the true ones, by hand."""

import numpy as np
import pytest

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics import MapEvaluator, confusion, segmentation_scores


def test_the_confusion_counts_pixels_of_all_maps():
    real = np.array([[[0, 1]], [[1, 2]]])
    fake = np.array([[[0, 1]], [[2, 2]]])
    assert confusion(real=real, fake=fake, classes=3).tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 1]]


def test_the_scores_are_those_of_the_formulas():
    """Of class 0 three of four pixels are right, of class 1 one of two; class 2 is given once and never true."""
    real = np.array([[[0, 0, 0, 0, 1, 1]]])
    fake = np.array([[[0, 0, 0, 1, 1, 2]]])
    found = segmentation_scores(real=real, fake=fake, classes=3)
    assert found["pixel_accuracy"] == pytest.approx(4 / 6)
    assert found["class_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert found["mean_iou"] == pytest.approx((3 / 4 + 1 / 3) / 2)


def test_equal_maps_have_every_score_of_one():
    maps = np.random.default_rng(0).integers(0, 5, (3, 4, 4))
    assert set(segmentation_scores(real=maps, fake=maps, classes=7).values()) == {1.0}


@pytest.mark.parametrize(
    "real, fake, message",
    [
        (np.zeros((1, 2, 2), int), np.zeros((1, 2, 3), int), "of one shape"),
        (np.zeros((0, 2, 2), int), np.zeros((0, 2, 2), int), "with pixels"),
        (np.zeros((1, 2, 2), int), np.full((1, 2, 2), 3), "from 0 to 2. Received: int64, 3 to 3"),
        (np.zeros((1, 2, 2)), np.zeros((1, 2, 2), int), "whole numbers.*float64"),
    ],
)
def test_maps_that_cannot_be_compared_are_refused(real, fake, message):
    with pytest.raises(DataError, match=message):
        segmentation_scores(real=real, fake=fake, classes=3)
    with pytest.raises(ConfigurationError, match="1 class or more"):
        confusion(real=real, fake=fake, classes=0)


def test_the_evaluator_measures_the_first_maps_under_its_protocol():
    real = np.random.default_rng(0).integers(0, 2, (5, 2, 2)).astype("uint8")
    found = MapEvaluator(real, 2, name="streets test")(1 - real[:3])
    assert {name: number.value for name, number in found.items()} == dict.fromkeys(MapEvaluator.names, 0.0)
    protocol = found["mean_iou"].protocol
    assert protocol.fake_count == 3 and protocol.real.startswith("streets test, 5 maps, sha256 ")
    right = MapEvaluator(real, 2, name="streets test")(real[:3])
    assert right["mean_iou"].better(found["mean_iou"])
