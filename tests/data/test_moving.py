"""Digits that bounce and windows over photographs: exact motion, any length, functions of the seed."""

import numpy as np
import pytest

import keras_gans as kg
from keras_gans.data.moving import bounced
from keras_gans.errors import ConfigurationError, DataError

SQUARE = np.full((1, 4, 4), 255, "uint8")


def corners(clips):
    """(top, left) of the one bright square of each frame, (N, T, 2)."""
    rows, columns = clips[..., 0].any(axis=3).argmax(axis=2), clips[..., 0].any(axis=2).argmax(axis=2)
    return np.stack([rows, columns], axis=-1)


# Motion


@pytest.mark.parametrize("room, start, speed", [(10.0, 3.0, 0.7), (5.0, 5.0, -2.5), (3.0, 0.0, 11.0), (7.0, 2.0, 0.0)])
def test_bouncing_is_that_of_a_body_between_walls(room, start, speed):
    """Beside a simulation of many small steps that turns around at each wall."""
    substeps, place, direction, expected = 2000, start, speed, [start]
    for _ in range(8):
        for _ in range(substeps):
            place += direction / substeps
            if place > room or place < 0.0:
                place, direction = (2.0 * room - place if place > room else -place), -direction
        expected.append(place)
    found = bounced(start, speed, np.arange(9), room)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert found.min() >= 0.0 and found.max() <= room


def test_motion_is_a_function_of_time_alone():
    times = np.arange(100)
    whole = bounced(1.5, 2.25, times, 9.0)
    np.testing.assert_array_equal(whole[60:], bounced(1.5, 2.25, times[60:], 9.0))
    np.testing.assert_array_equal(bounced(0.3, 5.0, times, 0), np.zeros(100))


# Digits


def test_longer_and_more_clips_begin_alike():
    options = {"image_size": (16, 12), "images": SQUARE, "seed": 4}
    clips = kg.data.moving_digits(5, 9, **options)
    assert clips.shape == (5, 9, 16, 12, 1) and clips.dtype == np.uint8
    np.testing.assert_array_equal(kg.data.moving_digits(5, 30, **options)[:, :9], clips)
    np.testing.assert_array_equal(kg.data.moving_digits(2, 9, **options), clips[:2])
    assert not np.array_equal(kg.data.moving_digits(5, 9, **{**options, "seed": 5}), clips)


def test_a_digit_keeps_its_speed_and_its_pixels():
    clips = kg.data.moving_digits(40, 50, image_size=(20, 24), digits=1, speed=(1.5, 2.0), images=SQUARE)
    assert (clips.sum(axis=(2, 3, 4)) == 16 * 255).all()  # whole in each frame
    places = corners(clips)
    assert places.min() == 0 and (places.max(axis=(0, 1)) == [16, 20]).all()  # all of the room is used
    steps = np.abs(np.diff(places, axis=1)).astype(float)
    far = np.hypot(steps[..., 0], steps[..., 1])
    assert far.max() <= np.hypot(2.0, 2.0) + np.sqrt(2.0)  # rounding moves each side by half a pixel at most
    speeds = np.hypot(*np.abs(np.diff(places, axis=1)).mean(axis=1).T)  # reflections make the mean smaller
    assert 1.0 < np.median(speeds) < 2.0


def test_digits_are_chosen_and_pass_through_each_other():
    images = np.stack([np.full((4, 4), level, "uint8") for level in (100, 200)])
    clips = kg.data.moving_digits(30, 40, image_size=(8, 8), images=images, digits=2)
    assert set(np.unique(clips)) == {0, 100, 200}  # not 300: the brighter one is seen
    assert (clips.sum(axis=(2, 3, 4)) < 2 * 16 * 100).any()
    both = {tuple(np.unique(clip)) for clip in clips}
    assert both == {(0, 100), (0, 200), (0, 100, 200)}


def test_digits_as_large_as_the_frame_stay():
    clips = kg.data.moving_digits(2, 5, image_size=(4, 9), images=SQUARE, digits=1)
    assert (clips[:, :, :, :, 0].any(axis=3)).all()  # no room above and below


def test_mnists_digits_are_halved_in_small_frames():
    clips = kg.data.moving_digits(4, 6)
    assert clips.shape == (4, 6, 32, 32, 1) and clips.max() > 200
    large = kg.data.moving_digits(1, 2, image_size=(64, 64), digits=1)
    rows = np.flatnonzero(large[0, 0, :, :, 0].any(axis=1))
    assert 14 < rows[-1] - rows[0] + 1 <= 28
    assert not np.array_equal(clips, kg.data.moving_digits(4, 6, split="test"))


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"count": 0}, ConfigurationError, "count of 1"),
        ({"length": 1.5}, ConfigurationError, "length of 1"),
        ({"digits": 0}, ConfigurationError, "digits of 1"),
        ({"seed": -1}, ConfigurationError, "seed of 0"),
        ({"image_size": 32}, ConfigurationError, "image_size"),
        ({"speed": (2.0, 1.0)}, ConfigurationError, "speed"),
        ({"speed": 1.0}, ConfigurationError, "speed"),
        ({"image_size": (3, 8)}, DataError, "no larger than a frame"),
        ({"images": SQUARE / 255.0}, DataError, "uint8"),
        ({"images": np.zeros((0, 4, 4), "uint8")}, DataError, "images of digits"),
        ({"images": np.zeros((2, 4, 4, 3), "uint8")}, DataError, "images of digits"),
    ],
)
def test_digits_that_cannot_move_are_refused(options, error, message):
    given = {"count": 2, "length": 3, "image_size": (8, 8), "images": SQUARE, **options}
    with pytest.raises(error, match=message):
        kg.data.moving_digits(**given)


# Photographs


def slope(channels=3):
    """A photograph whose level is the column's."""
    return np.broadcast_to(np.arange(96, dtype="uint8")[:, None], (1, 64, 96, channels)).copy()


def test_windows_over_photographs_begin_alike():
    photos = np.random.default_rng(0).integers(0, 256, (3, 40, 48, 3)).astype("uint8")
    options = {"image_size": (16, 12), "photos": photos, "seed": 3}
    clips = kg.data.moving_photos(4, 7, **options)
    assert clips.shape == (4, 7, 16, 12, 3) and clips.dtype == np.uint8
    np.testing.assert_array_equal(kg.data.moving_photos(4, 20, **options)[:, :7], clips)
    np.testing.assert_array_equal(kg.data.moving_photos(1, 7, **options), clips[:1])
    assert not np.array_equal(kg.data.moving_photos(4, 7, **{**options, "seed": 2}), clips)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_window_without_zoom_moves_in_a_straight_line(channels):
    """The mean level of a slope is the window's place."""
    clips = kg.data.moving_photos(20, 30, image_size=(16, 16), speed=(2.0, 2.0), zoom=1.0, photos=slope(channels))
    steps = np.abs(np.diff(clips.astype(float).mean(axis=(2, 3, 4)), axis=1))
    assert steps.max() <= 2.0 + 0.3  # levels are rounded
    assert all(np.sort(row)[len(row) // 2] == pytest.approx(np.median(row), abs=0.3) for row in steps)
    assert len(np.unique(clips[:, 0].mean(axis=(1, 2, 3)).round())) > 5


def test_a_window_that_zooms_shows_more_or_less():
    """Without motion and with zoom, the slope across the window changes by the same factor until it turns around."""
    clips = kg.data.moving_photos(20, 40, image_size=(16, 16), speed=(0.0, 0.0), zoom=1.1, photos=slope())
    across = clips[..., 0].astype(float)
    spans = (across[..., -1] - across[..., 0]).mean(axis=2)
    assert spans.min() >= 14 and spans.max() <= 64 + 1
    assert (spans.max(axis=1) / spans.min(axis=1)).max() > 2.0


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"zoom": 0.9}, ConfigurationError, "zoom of 1"),
        ({"count": True}, ConfigurationError, "count of 1"),
        ({"photos": np.zeros((2, 8, 8, 3), "uint8")}, DataError, "of 16x16 or more"),
        ({"photos": np.zeros((2, 32, 32, 3))}, DataError, "uint8"),
        ({"photos": np.zeros((2, 32, 32), "uint8")}, DataError, "photographs"),
    ],
)
def test_photographs_that_do_not_do_are_refused(options, error, message):
    given = {"count": 2, "length": 3, "image_size": (16, 16), "photos": slope(), **options}
    with pytest.raises(error, match=message):
        kg.data.moving_photos(**given)


def test_both_are_data_by_their_names():
    for name, channels in (("moving_digits", 1), ("moving_photos", 3)):
        batches = kg.data.load_clips(name, take=6, batch_size=2)
        assert batches.count == 6 and batches.image_shape == (32, 32, channels)
        assert batches.arrays["later"].shape[1] == 7 and batches.about["name"] == name
    test = kg.data.load_clips("moving_digits", split="test", take=6, length=6, image_size=(16, 16), batch_size=2)
    assert test.image_shape == (16, 16, 1) and test.arrays["later"].shape[1] == 1
