"""Which images the metrics accept and refuse."""

import numpy as np
import pytest

from keras_gans.errors import DataError
from keras_gans.metrics.levels import checked_images, checked_pairs, grey_levels

IMAGES = np.arange(256, dtype="uint8").reshape(4, 8, 8, 1)


def test_floats_and_uint8_have_the_same_levels():
    np.testing.assert_array_equal(grey_levels(IMAGES).ravel(), np.arange(256))
    floats = (IMAGES / 127.5 - 1.0).astype("float32")
    assert grey_levels(floats).dtype == "float64"
    np.testing.assert_allclose(grey_levels(floats), IMAGES, atol=2e-5)  # float32's rounding near 1, times 127.5


@pytest.mark.parametrize(
    "images, message",
    [
        (IMAGES[0], r"Expected images \(N, height, width, channels\).*image\[None\]"),
        (IMAGES[..., 0], r"images\[\.\.\., None\]"),
        (IMAGES[:, :0], "Expected images"),
        (IMAGES[:0], "at least one image"),
        (IMAGES.astype("float32"), "127.5 - 1"),
        (IMAGES.astype("int64"), "dtype int64"),
        (np.full((1, 2, 2, 1), np.nan), "finite"),
    ],
    ids=["one image", "no channels", "no height", "none", "levels as floats", "integers", "nan"],
)
def test_arrays_that_are_not_images_are_refused(images, message):
    with pytest.raises(DataError, match=message):
        checked_images(images)
    for pair in ((images, IMAGES), (IMAGES, images)):
        with pytest.raises(DataError):
            checked_pairs(*pair)


@pytest.mark.parametrize("other", [IMAGES[:3], IMAGES[:, :7], np.repeat(IMAGES, 3, axis=-1)])
def test_two_shapes_are_refused(other):
    with pytest.raises(DataError, match="the same number of real and fake images, of one size"):
        checked_pairs(IMAGES, other)
