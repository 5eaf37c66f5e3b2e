"""Drawn digits and shapes: the same for the same numbers, and where and how large they were asked for."""

import numpy as np
import pytest

from keras_gans.data import digits, shapes
from keras_gans.data.drawn import COLORS, SHAPES, draw_digit, draw_shape
from keras_gans.errors import ConfigurationError


def ink(image, background=0):
    """(top, left, bottom, right) of what is more than half as bright as the brightest, ends excluded."""
    levels = np.abs(image.astype("float64") - background).max(axis=-1)
    rows, columns = np.nonzero(levels > levels.max() / 2)
    return rows.min(), columns.min(), rows.max() + 1, columns.max() + 1


def area(shape, **options):
    """The part of the image that black covers on white."""
    image = draw_shape(shape, (100, 100), color=(0, 0, 0), background=(255, 255, 255), **options)
    return 1.0 - image.mean() / 255.0


# Data sets


@pytest.mark.parametrize(
    ("draw", "size", "channels", "classes"), [(digits, (28, 28), 1, 10), (shapes, (64, 64), 3, len(SHAPES))]
)
def test_shapes_types_and_classes(draw, size, channels, classes):
    images, labels = draw(200)
    assert images.shape == (200, *size, channels) and images.dtype == "uint8"
    assert labels.shape == (200,) and labels.dtype == "int64"
    assert set(labels.tolist()) == set(range(classes))
    assert all(len(np.unique(image)) > 1 for image in images)  # none is blank
    assert draw(2, (12, 20))[0].shape == (2, 12, 20, channels)


@pytest.mark.parametrize("draw", [digits, shapes])
def test_an_image_follows_from_the_seed_and_its_place(draw):
    images, labels = draw(12, (16, 16), seed=7)
    again, labels_again = draw(5, (16, 16), seed=7)
    np.testing.assert_array_equal(again, images[:5])
    np.testing.assert_array_equal(labels_again, labels[:5])
    assert len(np.unique(images, axis=0)) == 12
    other = draw(12, (16, 16), seed=8)[0]
    assert not any(np.array_equal(a, b) for a in other for b in images)


def test_digits_in_three_channels_are_grey():
    images, _ = digits(4)
    colour, _ = digits(4, channels=3)
    np.testing.assert_array_equal(colour, np.repeat(images, 3, axis=-1))


def test_digits_resemble_mnist():
    images, _ = digits(500)
    assert 15 < images.mean() < 60  # MNIST: 33.3
    border = np.concatenate([images[:, [0, -1]].ravel(), images[:, :, [0, -1]].ravel()])
    assert (border > 0).mean() < 0.01


def test_the_digits_of_one_class_are_alike():
    """The mean image of each class, from other drawings, names most digits: they are what their labels say."""
    images, labels = digits(1000, seed=1)
    train, test = images[:800].reshape(800, -1) / 255.0, images[800:].reshape(200, -1) / 255.0
    means = np.stack([train[labels[:800] == digit].mean(axis=0) for digit in range(10)])
    nearest = ((test[:, None] - means) ** 2).sum(axis=-1).argmin(axis=1)
    assert (nearest == labels[800:]).mean() > 0.6  # 0.1 by chance


@pytest.mark.parametrize("draw", [digits, shapes])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count of 1 or more. Received: 0"),
        ({"count": 2.0}, "count of 1 or more. Received: 2.0"),
        ({"seed": -1}, "whole number, 0 or more. Received: -1"),
        ({"image_size": (0, 8)}, r"two positive whole numbers. Received: \(0, 8\)"),
        ({"image_size": 28}, "two positive whole numbers. Received: 28"),
        ({"image_size": (8, 8, 1)}, "two positive whole numbers"),
        ({"image_size": (8.0, 8.0)}, "two positive whole numbers"),
    ],
)
def test_arguments_out_of_range_are_errors(draw, arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        draw(**arguments)


def test_digits_have_one_or_three_channels():
    with pytest.raises(ConfigurationError, match="channels 1 or 3. Received: 4"):
        digits(2, channels=4)


# One digit


@pytest.mark.parametrize("digit", range(10))
def test_a_digit_is_in_the_middle_and_twenty_pixels_high(digit):
    top, left, bottom, right = ink(draw_digit(digit))
    assert bottom - top == pytest.approx(20, abs=1.01)
    assert (top + bottom) / 2 == pytest.approx(14, abs=0.51)
    assert (left + right) / 2 == pytest.approx(14, abs=0.51)


def test_a_digits_transforms_do_what_they_say():
    straight = np.array(ink(draw_digit(0, (56, 56))))
    height, width = straight[2] - straight[0], straight[3] - straight[1]

    def box(**options):
        return np.array(ink(draw_digit(0, (56, 56), **options)))

    np.testing.assert_allclose(box(shift=(0.125, 0.0)) - straight, [0, 7, 0, 7], atol=0.01)
    np.testing.assert_allclose(box(shift=(0.0, -0.125)) - straight, [-7, 0, -7, 0], atol=0.01)
    half = box(scale=0.5)
    assert half[2] - half[0] == pytest.approx(height / 2, abs=1.01)
    narrow = box(stretch=0.5)
    assert (narrow[2] - narrow[0], narrow[3] - narrow[1]) == pytest.approx((height, width / 2), abs=1.01)
    turned = box(rotation=90.0)
    assert (turned[2] - turned[0], turned[3] - turned[1]) == pytest.approx((width, height), abs=1.01)
    bold = box(stroke=0.05)  # 5 % of 40 pixels on either side
    assert bold[2] - bold[0] == pytest.approx(height + 4, abs=1.01)


@pytest.mark.parametrize("rotation", [20.0, 45.0, -70.0, 180.0])
def test_rotation_changes_no_area(rotation):
    straight, turned = (draw_digit(5, (56, 56), rotation=r).sum(dtype="float64") for r in (0.0, rotation))
    assert turned == pytest.approx(straight, rel=0.02)


def test_rotation_is_counter_clockwise_and_shear_leans_to_the_right():
    def top_minus_bottom(**options):
        levels = draw_digit(1, (56, 56), **options)[..., 0].astype("float64")
        columns = [(half * np.arange(56)).sum() / half.sum() for half in (levels[:24], levels[32:])]
        return columns[0] - columns[1]

    straight = top_minus_bottom()
    assert top_minus_bottom(rotation=20.0) < straight - 3
    assert top_minus_bottom(shear=0.3) > straight + 3


def test_there_are_ten_digits():
    with pytest.raises(ConfigurationError, match="digit from 0 to 9. Received: 10"):
        draw_digit(10)


# One shape


@pytest.mark.parametrize(
    ("shape", "expected"),
    [  # parts of the image that a circumradius of 0.4 encloses
        ("circle", np.pi * 0.16),
        ("square", 2 * 0.16),
        ("triangle", 3 * np.sqrt(3) / 4 * 0.16),
        ("star", 5 * 0.45 * np.sin(np.pi / 5) * 0.16),  # ten triangles of sides 1 and 0.45 at 36 degrees
        ("ring", np.pi * 0.16 * (1 - 0.55**2)),
        ("cross", (8 * 0.33 * np.sqrt(1 - 0.33**2) - 4 * 0.33**2) * 0.16),  # two bars less the square they share
    ],
)
def test_a_shapes_area_is_the_closed_form(shape, expected):
    assert area(shape, radius=0.4) == pytest.approx(expected, abs=0.008)
    assert area(shape, radius=0.4, rotation=17.0) == pytest.approx(expected, abs=0.008)
    assert area(shape, radius=0.2) == pytest.approx(expected / 4, abs=0.005)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_outline_is_thin_and_lies_along_the_shape(shape):
    assert 0 < area(shape, radius=0.4, line=0.01) < 0.5 * area(shape, radius=0.4)
    full, thin = (ink(draw_shape(shape, (100, 100), line=line), COLORS["white"]) for line in (None, 0.02))
    np.testing.assert_allclose(thin, full, atol=3)


@pytest.mark.parametrize("line", [None, 0.05])
def test_colours_are_the_ones_asked_for(line):
    image = draw_shape("square", color=(10, 200, 30), background=(90, 80, 70), line=line)
    found = {tuple(pixel) for pixel in image.reshape(-1, 3).tolist()}
    assert {(10, 200, 30), (90, 80, 70)} <= found
    assert tuple(image[0, 0]) == (90, 80, 70)


def test_a_rings_hole_shows_the_background():
    assert tuple(draw_shape("ring", background=(1, 2, 3))[32, 32]) == (1, 2, 3)
    assert tuple(draw_shape("circle", color=(9, 8, 7))[32, 32]) == (9, 8, 7)


def test_the_center_goes_right_then_down():
    top, left, bottom, right = ink(draw_shape("circle", (40, 80), center=(0.75, 0.25), radius=0.2), COLORS["white"])
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((60, 10), abs=0.6)
    assert (right - left, bottom - top) == pytest.approx((16, 16), abs=1.01)  # of the smaller side


def test_a_shape_turns_counter_clockwise():
    # The upper corner of a triangle goes to the left.
    top, left, bottom, right = ink(draw_shape("triangle", (100, 100), radius=0.4, rotation=90.0), COLORS["white"])
    assert (left, right) == pytest.approx((10, 70), abs=1.5)
    assert (top, bottom) == pytest.approx((50 - 34.6, 50 + 34.6), abs=1.5)


def test_unknown_shapes_are_errors():
    with pytest.raises(ConfigurationError, match="circle, square.*Received: 'blob'"):
        draw_shape("blob")
