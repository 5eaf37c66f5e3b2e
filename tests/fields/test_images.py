"""Images and label maps: what is refused and with which remedy, and both ways between users and networks."""

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import Images, LabelMaps, check_axes, check_image_shape, check_images, check_range, depth_of

SHAPE = (4, 4, 1)


def grey(count=4, value=0.5, dtype="float32"):
    return np.full((count, *SHAPE), value, dtype)


def holed(value):
    images = grey()
    images[1, 2, 3, 0] = value
    return images


def array(tensor):
    return ops.convert_to_numpy(tensor)


# Images


@pytest.mark.parametrize(("value", "dtype"), [(0.5, "float32"), (-1, "float16"), (1.0005, "float64"), (255, "uint8")])
def test_good_images_pass(value, dtype):
    images = grey(value=value, dtype=dtype)
    assert check_images(images, SHAPE) is None
    assert Images(SHAPE).check(images) is images


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((4, 5, 4, 1), "uint8"), r"shape \(N, 4, 4, 1\). Received: \(4, 5, 4, 1\).*image_shape=\(5, 4, 1\)"),
        (np.zeros((4, 4, 4, 3), "uint8"), r"Received: \(4, 4, 4, 3\)"),
        (np.zeros((4, 4, 4), "uint8"), r"Received: \(4, 4, 4\)"),
        (np.zeros((4, 4, 1), "uint8"), r"Received: \(4, 4, 1\)"),
        (grey(0), "at least one image in a batch"),
        (holed(np.nan), "finite values. Received: 1 NaN or infinite"),
        (holed(-np.inf), "finite values. Received: 1 NaN or infinite"),
        (grey(value=1.01), r"floats in \[-1, 1\]. Received: values from 1.01 to 1.01"),
        (holed(255.0), r"Received: values from 0.5 to 255.*x / 127.5 - 1"),
        (holed(-1.01), "Received: values from -1.01 to 0.5"),
        (grey(dtype="int64", value=9), r"Received: dtype int64.*astype\(\"uint8\"\)"),
        (grey(dtype="bool"), r'Received: dtype bool, .*images.astype\("uint8"\) \* 255'),
        (grey(dtype="int64", value=1), r'images.astype\("uint8"\) \* 255'),
        (grey(dtype="uint16", value=4000), r"dtype uint16, from 4000 to 4000. Levels of 12 bits.* x / 2047.5 - 1"),
        (grey(dtype="int32", value=60_000), r"Levels of 16 bits become floats by x / 32767.5 - 1"),
        (grey(dtype="int16", value=-1000), r"2 \* \(x - low\) / \(high - low\) - 1"),
        (holed(1023.0), r"Received: values from 0.5 to 1023.* x / 511.5 - 1, if their levels have 10 bits"),
    ],
)
def test_bad_images_are_errors_with_a_remedy(images, message):
    with pytest.raises(DataError, match=message):
        check_images(images, SHAPE)
    with pytest.raises(DataError, match=message):
        Images(SHAPE).check(images)


def test_tensors_are_checked():
    assert check_images(ops.convert_to_tensor(grey()), SHAPE) is None
    with pytest.raises(DataError, match="finite"):
        check_images(ops.convert_to_tensor(holed(np.nan)), SHAPE)


@pytest.mark.parametrize(
    "shape, remedy",
    [
        ((5, 8, 8), r"images\[..., None\]"),
        ((8, 8, 1), r"images\[None\]"),
        ((5, 9, 8, 1), r"or build the model with image_shape=\(9, 8, 1\)"),
        ((5, 64), r"images.reshape\(-1, 8, 8, 1\)\.$"),
        ((5, 9), r"images.reshape\(-1, height, width, channels\)\.$"),
        ((5, 1, 8, 8), r"channels come last: np.moveaxis\(images, 1, -1\)"),
        ((8, 8, 1, 5), r"examples come first: np.moveaxis\(images, -1, 0\)"),
        ((5, 8, 8, 3), r"kg.data.load\(images, channels=1\); or build the model with image_shape=\(8, 8, 3\)"),
        ((5, 8, 8, 4), r"channels=1\), in which transparent areas are white"),
        ((5, 8, 8, 1, 1), r"image_size=...\)\)\.$"),
    ],
)
def test_the_remedy_fits_the_shape(shape, remedy):
    with pytest.raises(DataError, match=remedy):
        check_images(np.zeros(shape, "uint8"), (8, 8, 1))


def test_sides_that_are_swapped_are_seen():
    with pytest.raises(DataError, match=r"np.swapaxes\(images, 1, 2\); or .* with image_shape=\(9, 8, 3\)"):
        check_images(np.zeros((5, 9, 8, 3), "uint8"), (8, 9, 3))
    with pytest.raises(DataError, match=r"\(-1, 8, 9, 3\); .*np.moveaxis\(images.reshape\(-1, 3, 8, 9\), 1, -1\)"):
        check_images(np.zeros((5, 216), "uint8"), (8, 9, 3))


# Ranges and axes


def spread(low, high, count=4):
    """Images with all levels from `low` to `high`."""
    return np.linspace(low, high, count * 16).reshape(count, 4, 4, 1).astype("float32")


@pytest.mark.parametrize(
    "images",
    [
        spread(0, 1),  # a few, with black
        spread(0.01, 0.9),
        spread(0.3, 0.7, count=16),  # many, without
        np.round(spread(0, 1)),  # black or white
        spread(0, 1).astype("float16"),
    ],
)
def test_floats_that_are_probably_in_0_to_1_are_refused_with_both_readings(images):
    assert check_images(images, SHAPE) is None
    message = r"none of them negative. Scale images in \[0, 1\]: 2 \* images - 1. .*kg.images.to_uint8\(images\)"
    for refuse in (check_range, Images(SHAPE).check):
        with pytest.raises(DataError, match=message):
            refuse(images)
    Images(SHAPE).check(2 * images - 1)
    Images(SHAPE).check(array(kg.images.to_uint8(images)))


@pytest.mark.parametrize(
    "images",
    [
        spread(-1, 1, count=16),
        spread(-0.1, 0.9, count=16),
        spread(0.02, 1),  # a few bright ones
        grey(16, 1.0),
        grey(16, 0.0),
        grey(16, 0.5),
        np.sign(spread(-1, 1)),
        spread(0, 1).reshape(64, 1, 1, 1),  # points
        grey(16, 1, "uint8"),
        np.arange(256, dtype="uint8").reshape(16, 4, 4, 1),
    ],
)
def test_images_that_can_be_in_minus_1_to_1_are_no_false_alarm(images):
    assert check_range(images) is None


def test_bytes_of_only_0_and_1_are_refused():
    bits = (np.arange(256).reshape(16, 4, 4, 1) % 2).astype("uint8")
    with pytest.raises(DataError, match=r"only 0 and 1, which are almost black. Scale them: images \* 255"):
        Images(SHAPE).check(bits)
    assert check_range(bits[:15]) is None and check_range(bits * 255) is None


def test_one_bright_image_may_be_asked_for():
    assert Images(SHAPE).asked(spread(0, 1)[-1]).shape == (1, *SHAPE)


@pytest.mark.parametrize(
    "shape", [(9, 8, 8, 3), (9, 8, 8), (9, 1, 64, 1), (9, 4, 4, 3), (3, 8, 8), (9, 8, 8, 30), (9, 1, 1, 2)]
)
def test_usual_axes_pass(shape):
    check_axes(shape)


def test_depths_are_those_of_cameras():
    assert [depth_of(2**bits - 1) for bits in (1, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17)] == [
        *(8, 8, 10, 10, 12, 12, 14, 14, 16, 16, 17)
    ]


@pytest.mark.parametrize("shape, reshape", [((64,), r"\(1, 1, 64\)"), ((28, 28), r"\(28, 28, 1\)")])
def test_networks_of_no_images_are_refused(shape, reshape):
    with pytest.raises(ConfigurationError, match=rf"\(N, height, width, channels\).*layers.Reshape\({reshape}\)"):
        Images(shape)


def test_a_size_of_none_allows_any():
    field = Images((None, None, 3))
    for side in (1, 7):
        assert field.check(np.zeros((2, side, 5, 3), "uint8")).shape == (2, side, 5, 3)
    with pytest.raises(DataError, match=r"\(N, any, any, 3\). Received: \(2, 7, 5, 1\)"):
        field.check(np.zeros((2, 7, 5, 1), "uint8"))
    assert str(field) == "images (N, any, any, 3), uint8 or floats in [-1, 1]"


def test_bytes_become_floats_and_come_back():
    levels = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)
    field = Images((16, 16, 1))
    floats = array(field.encode(levels))
    assert floats.dtype == "float32" and (floats.min(), floats.max()) == (-1.0, 1.0)
    np.testing.assert_allclose(floats, levels / 127.5 - 1.0, atol=1e-6)
    np.testing.assert_array_equal(array(field.decode(floats)), levels)
    np.testing.assert_array_equal(array(field.encode(floats)), floats)


def test_one_image_is_asked_for_without_a_batch_axis():
    field = Images(SHAPE)
    assert field.asked(grey()[0]).shape == (1, *SHAPE) and field.asked(grey()).shape == (4, *SHAPE)
    assert field.asked(ops.convert_to_tensor(grey())).shape == (4, *SHAPE)


def test_a_picture_is_a_grid():
    images = np.arange(4, dtype="uint8")[:, None, None, None] * np.ones((1, *SHAPE), "uint8")
    assert Images(SHAPE).picture(images, columns=2).shape == (8, 8, 1)


@pytest.mark.parametrize("channels, mode", [(1, "L"), (3, "RGB")])
def test_a_file_of_an_image_holds_its_levels(channels, mode, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype("uint8")
    Images((5, 7, channels)).file_image(image).save(tmp_path / "image.png")
    with Image.open(tmp_path / "image.png") as picture:
        assert picture.mode == mode and picture.size == (7, 5)
        np.testing.assert_array_equal(np.asarray(picture).reshape(5, 7, channels), image)


@pytest.mark.parametrize("shape", [(28, 28), 28, (28, 28, 0), (28.0, 28, 1), None])
def test_what_is_not_an_image_shape_is_refused(shape):
    with pytest.raises(ConfigurationError, match="three whole numbers"):
        check_image_shape(shape)
    check_image_shape([28, 28, 1])


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (4, 48, 64)])
def test_an_image_shape_with_the_channels_first_is_refused(shape):
    line = rf"image_shape=\({shape[1]}, {shape[2]}, {shape[0]}\) and np.moveaxis\(images, 1, -1\)"
    with pytest.raises(ConfigurationError, match=line):
        check_image_shape(shape)
    for usual in ((3, 4, 4), (4, 4, 3), (1, 64, 1), (64, 1, 8), (1, 1, 64)):
        check_image_shape(usual)


# Label maps


def test_a_map_becomes_one_hot_and_comes_back():
    maps = np.array([[[0, 2], [1, 1]]], "uint8")
    field = LabelMaps((2, 2), classes=3)
    hot = array(field.encode(maps))
    assert hot.dtype == "float32"
    np.testing.assert_array_equal(hot, np.eye(3)[maps])
    np.testing.assert_array_equal(array(field.encode(maps[..., None])), hot)
    decoded = array(field.decode(hot))
    assert decoded.dtype == "uint8"
    np.testing.assert_array_equal(decoded, maps)


def test_maps_of_any_whole_type_and_with_a_channel_pass():
    field, maps = LabelMaps((2, None), classes=3), np.array([[[0, 2, 1], [1, 1, 0]]])
    for given in (maps, maps.astype("uint8"), maps[..., None], ops.convert_to_tensor(maps), maps.tolist()):
        np.testing.assert_array_equal(field.check(given), maps)
    assert field.asked(maps[0]).shape == field.asked(maps).shape == (1, 2, 3)
    assert str(field) == "label maps (N, 2, any) of whole numbers from 0 to 2"


@pytest.mark.parametrize(
    "maps, message",
    [
        (np.zeros((1, 3, 2), int), r"shape \(N, 2, 2\).*Received: \(1, 3, 2\). Resize them without interpolation"),
        (np.zeros((2, 2), int), r"Received: \(2, 2\)"),
        (np.zeros((1, 2, 2, 3), int), r"Received: \(1, 2, 2, 3\)"),
        (np.zeros((0, 2, 2), int), "at least one label map"),
        (np.zeros((1, 2, 2)), "whole numbers. Received: dtype float64"),
        (np.array([np.zeros((2, 2), int), [[0, 0], [0, 3]]]), "from 0 to 2.*Received: 0 to 3, first in map 1"),
        (np.full((1, 2, 2), -1), "Received: -1 to -1, first in map 0"),
    ],
)
def test_bad_maps_are_errors_with_a_remedy(maps, message):
    with pytest.raises(DataError, match=message):
        LabelMaps((2, 2), classes=3).check(maps)


@pytest.mark.parametrize("size, classes", [((2,), 3), ((0, 2), 3), ((2, 2, 1), 3), ((2, 2), 1), ((2, 2), 257)])
def test_maps_that_cannot_be_are_refused(size, classes):
    with pytest.raises(ConfigurationError, match="size|classes"):
        LabelMaps(size, classes)


def test_a_picture_gives_each_class_its_own_colour():
    field = LabelMaps((1, 12), classes=12)
    colours = field.picture(np.arange(12).reshape(1, 1, 12))
    assert colours.shape == (1, 12, 3) and len(np.unique(colours[0], axis=0)) == 12
    assert colours[0, 0].tolist() == [0, 0, 0]
    assert keras.utils.array_to_img(colours).size == (12, 1)


@pytest.mark.parametrize("classes", [2, 12, 256])
def test_a_file_of_a_map_holds_its_numbers_and_shows_its_colours(classes, tmp_path):
    numbers = np.random.default_rng(0).integers(0, classes, (9, 16))
    numbers[0, 0] = classes - 1
    field = LabelMaps((9, 16), classes)
    for given in (numbers, numbers.astype("uint8")):
        field.file_image(given).save(tmp_path / "map.png")
        with Image.open(tmp_path / "map.png") as picture:
            assert picture.mode == "P" and picture.size == (16, 9)
            np.testing.assert_array_equal(np.asarray(picture), numbers)
            np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), field.picture(numbers[None]))
