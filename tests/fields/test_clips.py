"""Clips as a field: which arrays are taken, and how networks see them."""

import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import Clips


def levels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype("uint8")


@pytest.mark.parametrize("channels", [1, 3])
def test_networks_see_the_frames_one_after_the_other(channels):
    clips = levels(2, 3, 4, 5, channels)
    seen = ops.convert_to_numpy(Clips((3, 4, 5, channels)).encode(clips))
    assert seen.shape == (2, 4, 5, 3 * channels)
    for i in range(3):
        expected = clips[:, i] / np.float32(127.5) - 1.0
        np.testing.assert_allclose(seen[..., i * channels : (i + 1) * channels], expected, atol=1e-6)


def test_a_single_clip_is_asked_for_without_a_batch():
    clip = levels(3, 4, 5, 1)
    field = Clips((3, None, None, 1))
    assert field.asked(clip).shape == (1, 3, 4, 5, 1)
    assert field.asked(clip[None]).shape == (1, 3, 4, 5, 1)


@pytest.mark.parametrize(
    "values, message",
    [
        (levels(2, 2, 4, 4, 1), r"shape \(N, 3, 4, 4, 1\). Received: \(2, 2, 4, 4, 1\). The clips are too short"),
        (levels(2, 4, 4, 4, 1), "Cut longer clips"),
        (levels(3, 4, 4, 1), r"clips\[None\]"),
        (levels(2, 4, 4, 1), "Stack the frames"),
        (levels(0, 3, 4, 4, 1), "at least one clip"),
        (levels(2, 3, 4, 4, 3), "shape"),
        (levels(2, 3, 8, 4, 1), "shape"),
        (levels(2, 3, 4, 4, 1).astype("int64"), "int64"),
        (np.full((2, 3, 4, 4, 1), np.nan), "finite"),
        (levels(2, 3, 4, 4, 1) / 255.0, r"\[0, 1\]"),
        (levels(2, 3, 4, 4, 1).astype("float32"), r"\[-1, 1\]"),
    ],
)
def test_what_is_not_such_clips_is_refused(values, message):
    with pytest.raises(DataError, match=message):
        Clips((3, 4, 4, 1)).check(values)


def test_bright_clips_of_a_later_batch_pass():
    bright = np.linspace(0.0, 1.0, 2 * 3 * 16).reshape(2, 3, 4, 4, 1)
    field = Clips((3, 4, 4, 1))
    with pytest.raises(DataError):
        field.check(bright)
    field.check_later(bright)


@pytest.mark.parametrize(
    "height, width, message", [(8, 12, None), (8, 10, "8x10. .* to 8x8"), (3, 8, "3x8. .* to 4x8")]
)
def test_sides_that_are_no_multiple_are_refused(height, width, message):
    field, clips = Clips((2, None, None, 1), multiple=4), levels(1, 2, height, width, 1)
    if message is None:
        assert field.check(clips) is clips
    else:
        with pytest.raises(DataError, match=f"multiples of 4. Received: {message}"):
            field.check(clips)


@pytest.mark.parametrize(
    "shape, multiple", [((4, 4, 1), 1), ((0, 4, 4, 1), 1), ((None, 4, 4, 1), 1), ((2, 4, 4, 1), 0)]
)
def test_shapes_that_are_no_clips_are_refused(shape, multiple):
    with pytest.raises(ConfigurationError, match="frames, height, width, channels"):
        Clips(shape, multiple)


def test_a_picture_shows_the_frames_side_by_side():
    clips = levels(2, 3, 4, 5, 1)
    picture = Clips((3, 4, 5, 1)).picture(clips, columns=1)
    assert picture.shape == (2 * 4, 3 * 5, 1)
    np.testing.assert_array_equal(picture[4:, 5:10], clips[1, 1])
