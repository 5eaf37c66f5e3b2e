"""Every kind of source gives the same thing: shuffled batches of uint8 images, or an error with the remedy."""

import importlib.util
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image, ImageDraw

import keras_gans as kg
from keras_gans.data.drawn import draw_shape
from keras_gans.errors import ConfigurationError, DataError, DatasetNotFoundError

TFDS = os.environ.get("TFDS_DATA_DIR", "")
needs_mnist = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow" or not os.path.isdir(os.path.join(TFDS, "mnist")),
    reason="TFDS_DATA_DIR holds no prepared mnist, or TensorFlow is not the backend",
)


def in_order(source, **options):
    return kg.data.load(source, shuffle=False, **{"batch_size": 1, **options})


@pytest.fixture
def photos(tmp_path):
    """Two classes of one grey level each: cats/ is dark, dogs/ is light."""
    for name, level in (("cats", 10), ("dogs", 200)):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.new("RGB", (20, 10), (level, level, level + i)).save(tmp_path / name / f"{i}.png")
    return tmp_path


def test_an_array_and_its_labels():
    images = np.arange(2 * 4 * 4, dtype="uint8").reshape(2, 4, 4, 1)
    batches = in_order((images, [5, 6]))
    np.testing.assert_array_equal(batches.images, images)
    assert batches.labels.tolist() == [5, 6]
    assert in_order((images, [5, 6]), labels=False).labels is None
    assert len(in_order(images, take=1)) == 1
    assert in_order(images[..., 0]).image_shape == (4, 4, 1)
    about = {"name": "array", "source": "array", "split": "train", "examples": 2, "image_shape": [4, 4, 1]}
    assert about.items() <= in_order(images).about.items()


def test_float_arrays_stay_floats():
    images = np.linspace(-1.0, 1.0, 32).reshape(2, 4, 4, 1)
    loaded = in_order(images).images
    assert loaded.dtype == "float32"
    np.testing.assert_allclose(loaded, images, atol=1e-7)
    with pytest.raises(DataError, match="uint8 images.*Received: float64"):
        in_order(images, image_size=(8, 8))


def test_arrays_are_resized_and_converted():
    red = np.zeros((2, 8, 8, 3), "uint8")
    red[..., 0] = 255
    assert in_order(red, image_size=(4, 6)).images.shape == (2, 4, 6, 3)
    grey = in_order(red, channels=1).images
    assert grey.shape == (2, 8, 8, 1) and set(grey.ravel()) == {76}  # 0.299 of 255, the luma of ITU-R BT.601
    np.testing.assert_array_equal(in_order(grey, channels=3).images, np.repeat(grey, 3, axis=-1))
    clear = np.concatenate([red, np.zeros_like(red[..., :1])], axis=-1)
    assert in_order(clear).image_shape == (8, 8, 4)
    assert in_order(clear, channels=3).images.min() == 255  # the transparent shows white
    small = in_order(clear, image_size=(4, 4)).images
    assert small.shape == (2, 4, 4, 4) and small[..., 3].max() == 0  # kept, not made white
    assert in_order(red, channels=4).images[..., 3].min() == 255


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((0, 4, 4, 1), "uint8"), "at least one image"),
        (np.zeros((4, 784), "uint8"), r"Received: \(4, 784\).*images.reshape\(-1, 28, 28, 1\)"),
        (
            np.zeros((4, 3072), "uint8"),
            r"reshape\(-1, 32, 32, 3\); .*np.moveaxis\(images.reshape\(-1, 3, 32, 32\), 1, -1\)",
        ),
        (np.zeros((4, 7), "uint8"), r"images.reshape\(-1, height, width, channels\)"),
        (np.zeros((9, 3, 8, 9), "uint8"), r"Received: \(9, 3, 8, 9\).*np.moveaxis\(images, 1, -1\)"),
        (np.zeros((9, 1, 8, 8)), r"1 channels first\? np.moveaxis\(images, 1, -1\)"),
        (np.zeros((8, 8, 3, 99), "uint8"), r"examples last\? np.moveaxis\(images, -1, 0\)"),
        (np.zeros((8, 8, 3), "uint8"), r"One image\? images\[None\]"),
        (np.zeros((2, 3, 4, 4, 3), "uint8"), r"\(height, width, channels\). Received: \(3, 4, 4, 3\)"),
        (np.linspace(0, 1, 64).reshape(4, 4, 4, 1), r"from 0 to 1, none of them negative.* 2 \* images - 1"),
        (np.arange(32).reshape(2, 4, 4, 1).astype("uint16") * 130, r"12 bits become floats by x / 2047.5 - 1"),
        (np.zeros((4, 4, 4, 1), "int64"), "dtype int64"),
        (np.full((4, 4, 4, 1), 255.0), r"floats in \[-1, 1\]"),
        ((np.zeros((4, 4, 4, 1), "uint8"), np.zeros(3)), "as many labels as images, one for each of 4"),
        ((np.zeros((2, 4, 4, 1), "uint8"), [None, "dog"]), "labels that are numbers"),
        ((np.zeros((2, 4, 4, 1), "uint8"),), "tuple of 1"),
        ([[1, 2]], "Received: list"),
        (None, "Received: NoneType"),
    ],
)
def test_arrays_that_are_no_images_are_refused(source, message):
    with pytest.raises(DataError, match=message):
        in_order(source)


@pytest.mark.parametrize("names", [("images", "labels"), ("x_train", "y_train")])
def test_a_numpy_file(names, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3)).astype("uint8")
    np.savez(tmp_path / "data.npz", **dict(zip(names, (images, np.arange(3)))))
    batches = in_order(str(tmp_path / "data.npz"))
    np.testing.assert_array_equal(batches.images, images)
    assert batches.labels.tolist() == [0, 1, 2]
    np.save(tmp_path / "data.npy", images)
    np.testing.assert_array_equal(in_order(tmp_path / "data.npy").images, images)


def test_a_numpy_file_with_two_splits(tmp_path):
    train, test = np.zeros((3, 4, 4), "uint8"), np.ones((2, 4, 4), "uint8")
    np.savez(tmp_path / "data.npz", x_train=train, x_test=test, y_test=[4, 5])
    path = tmp_path / "data.npz"
    assert in_order(path).images.max() == 0 and in_order(path).labels is None
    assert in_order(path, split="test").images.min() == 1
    assert in_order(path, split="test").labels.tolist() == [4, 5]
    with pytest.raises(DataError, match="x_validation.*Received: x_train, x_test, y_test"):
        in_order(path, split="validation")


def test_a_picture_or_a_text_in_the_place_of_arrays_is_told_what_to_do(tmp_path):
    (tmp_path / "lines.txt").write_text("all flesh\n")
    with pytest.raises(
        DataError, match="Python objects, which are not read. Give the folder of an image; read text"
    ) as error:
        in_order(tmp_path / "lines.txt")
    assert "allow_pickle" not in str(error.value)


@pytest.mark.parametrize("name", ["data.npz", "data.npy", "data.bin"])
def test_a_file_that_is_not_numpys_is_refused(name, tmp_path):
    for content in (b"", b"PK\x03\x04 cut off", b"\x93NUMPY\x01\x00", b"hello"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"plain arrays. Received: .*{name}"):
            in_order(tmp_path / name)


def test_a_numpy_file_with_a_flipped_bit_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 8)).astype("uint8")
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "data.npz", images=noise)
        content = bytearray((tmp_path / "data.npz").read_bytes())
        content[len(content) // 2] ^= 255
        (tmp_path / "data.npz").write_bytes(content)
        with pytest.raises(DataError, match="plain arrays"):
            in_order(tmp_path / "data.npz")


def test_sources_of_one_split_have_no_other(photos, tmp_path):
    """The same images under the name "test" would be a test on the training data."""
    images = np.zeros((2, 4, 4, 1), "uint8")
    np.save(tmp_path / "data.npy", images)
    np.savez(tmp_path / "data.npz", images=images)
    for source in (images, (images, [0, 1]), tmp_path / "data.npy", tmp_path / "data.npz", photos):
        with pytest.raises(DataError, match="split.*'test'"):
            in_order(source, split="test")


def test_a_numpy_file_without_images_or_with_objects_is_refused(tmp_path):
    np.savez(tmp_path / "data.npz", pictures=np.zeros(3))
    with pytest.raises(DataError, match="Received: pictures"):
        in_order(str(tmp_path / "data.npz"))
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="plain arrays"):
        in_order(str(tmp_path / "objects.npy"))


def test_a_folder_and_its_classes(photos):
    batches = in_order(str(photos))
    assert batches.image_shape == (10, 20, 3)
    assert batches.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert batches.images[:, 0, 0, 0].tolist() == [10] * 3 + [200] * 3
    assert batches.images[:3, 0, 0, 2].tolist() == [10, 11, 12]

    assert batches.about["classes"] == ["cats", "dogs"] and batches.about["name"] == photos.name
    assert not any(str(photos) in str(value) for value in batches.about.values())  # a card names nobody's folders


def test_folders_in_a_class_belong_to_it(photos):
    (photos / "dogs" / "puppies").mkdir()
    Image.new("RGB", (20, 10), "white").save(photos / "dogs" / "puppies" / "a.png")
    assert in_order(photos).labels.tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_a_flat_folder_has_no_labels(photos):
    assert in_order(str(photos / "cats")).labels is None
    Image.new("RGB", (20, 10)).save(photos / "loose.png")
    assert in_order(photos).labels is None


def test_hidden_files_are_no_images(photos):
    (photos / "cats" / "._0.png").write_bytes(b"what macOS leaves")
    assert len(in_order(photos)) == 6


@pytest.mark.parametrize("kind", ["arrays", "npz", "npy"])
def test_a_part_of_images_sorted_by_class_is_of_all_classes(kind, tmp_path):
    labels = np.repeat(np.arange(5), 40)
    images = np.arange(200, dtype="uint8")[:, None, None, None] * np.ones((1, 4, 4, 1), "uint8")
    source = (images, labels)
    if kind == "npz":
        source = tmp_path / "sorted.npz"
        np.savez(source, images=images, labels=labels)
    elif kind == "npy":
        source = tmp_path / "sorted.npy"
        np.save(source, images)
    some = in_order(source, take=50)
    rows = some.images[:, 0, 0, 0]
    assert len(some) == 50 == len(set(rows)) and set(rows // 40) == set(range(5))
    assert some.about["drawn"] is True and some.about["examples"] == 50
    if kind != "npy":
        assert (some.labels == rows // 40).all()  # still those of the images
    assert some.fingerprint() == in_order(source, take=50, seed=5).fingerprint()
    whole = in_order(source, take=200)
    assert (whole.images == images).all() and "drawn" not in whole.about


def test_labels_of_another_number_are_refused_of_a_part_too():
    with pytest.raises(DataError, match="as many labels as images"):
        in_order((np.zeros((9, 4, 4, 1), "uint8"), np.zeros(7, "int64")), take=3)


def test_some_files_of_a_folder_are_of_all_its_classes(tmp_path):
    for name in "abc":
        (tmp_path / name).mkdir()
        for i in range(20):
            Image.new("L", (2, 2), i).save(tmp_path / name / f"{i:02}.png")
    some = in_order(tmp_path, take=20)
    assert len(some) == 20 and set(some.labels) == {0, 1, 2}
    assert some.labels.tolist() == sorted(some.labels)
    assert some.fingerprint() == in_order(tmp_path, take=20, seed=5).fingerprint()
    assert some.about["drawn"] is True
    assert len(in_order(tmp_path, take=100)) == 60 and "drawn" not in in_order(tmp_path, take=60).about


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff", "PNG"])
def test_every_format_is_read(ending, tmp_path):
    picture = draw_shape("circle", (32, 32), color=(200, 30, 30))
    Image.fromarray(picture).save(tmp_path / f"a.{ending}")
    (image,) = in_order(tmp_path).images
    assert np.abs(image.astype("float64") - picture).mean() < 8


def test_resizing_crops_to_the_middle(tmp_path):
    wide = np.zeros((8, 24, 3), "uint8")
    wide[:, 8:16] = 255  # the middle square is white
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert in_order(str(tmp_path), image_size=(4, 4)).images.min() > 200
    np.testing.assert_array_equal(in_order(str(tmp_path), image_size=(8, 24)).images[0], wide)
    np.testing.assert_array_equal(in_order(str(tmp_path), image_size=(8, 8)).images[0], wide[:, 8:16])


def test_resizing_averages(tmp_path):
    """A checkerboard of single pixels becomes grey, not one of its colours."""
    board = np.indices((32, 32)).sum(axis=0) % 2 * 255
    Image.fromarray(board.astype("uint8")).save(tmp_path / "board.png")
    (image,) = in_order(tmp_path, image_size=(4, 4)).images
    assert np.abs(image.astype("float64") - 127.5).max() < 8


def test_the_camera_held_upright(tmp_path):
    """EXIF orientation 6: the stored picture is to be turned clockwise."""
    stored = Image.new("RGB", (24, 16), "white")
    ImageDraw.Draw(stored).rectangle((0, 0, 7, 15), fill="black")  # left, which is up
    stored.save(tmp_path / "a.jpg", exif=_rotated(), quality=95)
    (image,) = in_order(tmp_path).images
    assert image.shape == (24, 16, 3)
    assert image[:6].max() < 40 and image[10:].min() > 215


def test_sixteen_bits_keep_their_brightness(tmp_path):
    """A dark picture stays dark, and a bright one is not clipped."""
    for name, level in (("a", 200), ("b", 40_000)):
        Image.fromarray(np.full((4, 4), level, "uint16")).save(tmp_path / f"{name}.png")
    assert in_order(tmp_path).images[:, 0, 0, 0].tolist() == [200 // 256, 40_000 // 256]


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_sixteen_bit_files_are_read_by_the_depth_of_all(ending, bits, tmp_path):
    ramp = np.linspace(0, 2**bits - 1, 256).round().astype("uint16").reshape(16, 16)
    for i, levels in enumerate((ramp, ramp // 4)):
        Image.fromarray(levels).save(tmp_path / f"{i}.{ending}")
    with pytest.warns(UserWarning, match=f"Read 2 images of 16 bits as {bits} bits, since no value is above") as caught:
        images = in_order(tmp_path).images
    assert len(caught) == 1 and caught[0].filename == __file__
    np.testing.assert_array_equal(images[0].ravel(), np.arange(256))
    assert np.abs(images[1].ravel() - np.arange(256) // 4).max() <= 1  # as dark as its file, beside the other
    with pytest.warns(UserWarning, match=f"as {bits} bits"):
        small = in_order(tmp_path, image_size=(8, 8), channels=3).images
    means = images[0].reshape(8, 2, 8, 2).mean((1, 3))
    assert small.shape == (2, 8, 8, 3) and np.abs(small[0, 1:-1, 1:-1, 0] - means[1:-1, 1:-1]).max() < 3


def test_files_of_eight_and_of_sixteen_bits_are_one_data_set(tmp_path):
    Image.new("RGB", (4, 4), (9, 8, 7)).save(tmp_path / "a.png")
    Image.fromarray(np.full((4, 4), 60_000, "uint16")).save(tmp_path / "b.png")
    assert in_order(tmp_path).images[:, 0, 0].tolist() == [[9, 8, 7], [234] * 3]
    assert in_order(tmp_path, channels=4).images[:, 0, 0].tolist() == [[9, 8, 7, 255], [234] * 3 + [255]]


def _deep_png(path, level, colour_type):
    """A PNG of 16 bits a channel, which Pillow cannot write; type 2 is RGB, 4 grey with alpha, 6 RGBA."""
    channels = {2: 3, 4: 2, 6: 4}[colour_type]
    rows = zlib.compress((b"\0" + np.full((8, channels), level, ">u2").tobytes()) * 8)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, colour_type, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts))


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("colour_type", [2, 4, 6])
def test_twelve_bits_of_colour_are_not_read_as_almost_black(colour_type, tmp_path):
    """Pillow reads the upper 8 of 16 bits, which are 0 to 15."""
    _deep_png(tmp_path / "a.png", 4000, colour_type)
    with pytest.raises(DataError, match="colours of 12 bits or fewer in 16: save them with 8 bits"):
        in_order(tmp_path)
    _deep_png(tmp_path / "a.png", 65535, colour_type)
    assert in_order(tmp_path).images.min() == 255
    _deep_png(tmp_path / "a.png", 0, 2)
    assert in_order(tmp_path).images.max() == 0


@pytest.fixture
def sprites(tmp_path):
    """A red square on nothing, as RGBA and as a palette, and a picture without transparency."""
    pixels = np.zeros((8, 8, 4), "uint8")
    pixels[2:6, 2:6] = (200, 30, 30, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).quantize(8).save(tmp_path / "b.png")
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "c.png")
    return tmp_path


def test_transparency_is_kept_where_four_channels_are_asked_for(sprites):
    images = in_order(sprites, channels=4).images
    assert images.shape == (3, 8, 8, 4)
    for image in images[:2]:
        assert image[3, 3].tolist() == [200, 30, 30, 255] and image[0, 0, 3] == 0
    assert images[2, 0, 0].tolist() == [1, 2, 3, 255]
    assert in_order(sprites, channels=4, image_size=(4, 4)).images[0, 1, 1, 3] > 200


def test_transparency_becomes_white_in_words(sprites):
    with pytest.warns(UserWarning, match="white in 2 of 3 images. Pass channels=4 to keep.*or channels=3"):
        images = in_order(sprites).images
    assert images.shape == (3, 8, 8, 3) and images[0, 0, 0].tolist() == [255] * 3
    np.testing.assert_array_equal(in_order(sprites, channels=3).images, images)  # asked for, so no warning


def test_opaque_images_with_four_channels_are_no_matter_for_words(tmp_path):
    Image.new("RGBA", (8, 8), (1, 2, 3, 255)).save(tmp_path / "a.png")
    assert in_order(tmp_path).images[0, 0, 0].tolist() == [1, 2, 3]


def test_sizes_that_differ_need_a_size(photos):
    Image.new("RGB", (7, 7)).save(photos / "odd.png")
    with pytest.raises(DataError, match="Pass image_size"):
        in_order(str(photos))
    assert in_order(str(photos), image_size=(8, 8)).images.shape == (7, 8, 8, 3)


def test_odd_files_are_read_or_left_out(tmp_path):
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "a_transparent.png")
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "b_cmyk.jpg")
    Image.fromarray(np.full((8, 8), 65535, "uint16")).save(tmp_path / "c_sixteen.png")
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 0, 255, 0])
    palette.save(tmp_path / "d_palette.gif", save_all=True, append_images=[Image.new("P", (8, 8))])
    turned = Image.new("RGB", (8, 8), (255, 255, 255))
    turned.save(tmp_path / "e_turned.jpg", exif=_rotated())
    (tmp_path / "f_empty.png").write_bytes(b"")
    (tmp_path / "g_text.jpg").write_text("not an image")
    whole = (tmp_path / "e_turned.jpg").read_bytes()
    (tmp_path / "h_half.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "notes.txt").write_text("of another kind, not counted")
    with pytest.warns(UserWarning, match="Left out 3 of 8 files.*f_empty.png.*g_text.jpg"):
        batches = in_order(str(tmp_path), channels=3)
    means = batches.images.mean((1, 2))
    assert means.shape == (5, 3)
    assert means[0].tolist() == [255] * 3  # transparent on white
    assert means[1][0] > 200 and means[1][1] < 60  # cyan-less red ink
    assert means[2].tolist() == [255] * 3
    assert means[3].tolist() == [0, 255, 0]


def _picture(mode, color=None):
    return Image.new(mode, (8, 8), color)


def _truncated_jpeg(path):
    Image.effect_noise((64, 64), 90).save(path)
    path.write_bytes(path.read_bytes()[:-200])


def _bomb(path):
    """A PNG of 20 kB that stands for 30,000 x 30,000 pixels."""
    rows = zlib.compress(b"\0" * 20_000_000)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts))


UNREADABLE = {
    "truncated.jpg": _truncated_jpeg,
    "empty.png": lambda path: path.write_bytes(b""),
    "text.gif": lambda path: path.write_text("not an image"),
    "bomb.png": _bomb,
    "numbers.tif": lambda path: Image.fromarray(np.full((8, 8), 1e6, "float32")).save(path),
    "postscript.png": lambda path: path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_read_is_left_out_or_refused(name, tmp_path):
    _picture("RGB", "red").save(tmp_path / "a.png")
    UNREADABLE[name](tmp_path / name)
    with pytest.warns(UserWarning, match=f"Left out 1 of 2 files that cannot be read: {name} "):
        assert in_order(tmp_path).images.shape == (1, 8, 8, 3)
    with pytest.raises(DataError, match=f"Received: 1 of 2 files that cannot be read: {name} .*strict=False"):
        in_order(tmp_path, strict=True)
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataError, match="1 files of that kind, 1 of them unreadable"):
        in_order(tmp_path)


def test_a_picture_that_is_larger_than_pillow_allows_is_left_out(tmp_path, monkeypatch):
    """Pillow alone warns up to twice its limit, and reads."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 63)
    _picture("RGB", "red").save(tmp_path / "large.png")
    Image.new("RGB", (7, 9), "red").save(tmp_path / "small.png")
    with pytest.warns(UserWarning, match=r"Left out 1 of 2 files that cannot be read: large.png \(DecompressionBomb"):
        assert in_order(tmp_path).images.shape == (1, 9, 7, 3)


def _sixteen_bits(path):
    Image.fromarray(np.full((8, 8), 200 * 256 + 5, "uint16")).save(path)


def _palette_with_transparency(path):
    palette = _picture("P", 1)
    palette.putpalette([0, 0, 0, 9, 9, 9])
    palette.save(path, transparency=1)


def _animation(path):
    red, blue = _picture("RGB", "red"), _picture("RGB", "blue")
    red.save(path, save_all=True, append_images=[blue], duration=100)


@pytest.mark.parametrize(
    ("ending", "write", "expected"),
    [
        ("png", _sixteen_bits, (200,)),
        ("tif", _sixteen_bits, (200,)),
        ("jpg", lambda path: _picture("CMYK", (0, 255, 255, 0)).save(path), (255, 0, 0)),
        ("tif", lambda path: _picture("CMYK", (0, 255, 255, 0)).save(path), (255, 0, 0)),
        ("png", _palette_with_transparency, (255, 255, 255)),
        ("gif", _palette_with_transparency, (255, 255, 255)),
        ("gif", _animation, (255, 0, 0)),  # its first frame
        ("webp", lambda path: _picture("RGBA", (0, 0, 0, 0)).save(path, lossless=True), (255, 255, 255)),
        ("png", lambda path: _picture("LA", (0, 0)).save(path), (255,)),
        ("bmp", lambda path: _picture("1", 1).save(path), (255,)),
    ],
)
def test_an_odd_picture_is_converted(ending, write, expected, tmp_path):
    write(tmp_path / f"odd.{ending}")
    (image,) = in_order(tmp_path, strict=True, channels=len(expected)).images
    assert image.shape == (8, 8, len(expected))
    assert (image == expected).all()


def _rotated():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_grey_files_stay_grey_unless_colour_is_asked_for(tmp_path):
    Image.new("L", (8, 8), 7).save(tmp_path / "grey.png")
    assert in_order(str(tmp_path)).image_shape == (8, 8, 1)
    assert in_order(str(tmp_path), channels=3).image_shape == (8, 8, 3)
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "red.png")
    assert in_order(str(tmp_path)).images[:, 0, 0].tolist() == [[7, 7, 7], [1, 2, 3]]
    assert in_order(str(tmp_path), channels=1).image_shape == (8, 8, 1)


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "bad.png").write_text("")
    with pytest.raises(DataError, match="1 files.*1 of them unreadable, such as bad.png"):
        in_order(str(tmp_path))
    (tmp_path / "bad.png").unlink()
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(DataError, match=r"Expected images \(.png, .jpg.*Received: 0 files"):
        in_order(str(tmp_path))


def test_many_unreadable_files_are_counted_in_one_warning(photos):
    for i in range(12):
        (photos / "cats" / f"bad{i:02}.png").write_bytes(b"")
        Image.new("RGB", (20, 10)).save(photos / "dogs" / f"good{i:02}.png")
    with pytest.warns(UserWarning, match="12 of 30 files.*bad09.png.*, \\.\\.\\.$") as caught:
        assert len(in_order(photos)) == 18
    assert len(caught) == 1 and "bad10.png" not in str(caught[0].message)
    assert caught[0].filename == __file__  # the caller's line


def test_drawn_data():
    batches = kg.data.load("drawn:digits", take=32, batch_size=8)
    assert batches.images.shape == (32, 28, 28, 1) and set(batches.labels) <= set(range(10))
    assert kg.data.load("drawn:shapes", take=8, image_size=(32, 32), batch_size=4).image_shape == (32, 32, 3)
    with pytest.raises(DatasetNotFoundError, match="drawn:digits, drawn:shapes. Received: 'drawn:letters'"):
        kg.data.load("drawn:letters")


def test_drawn_data_are_the_same_for_every_order_and_not_those_of_the_test_split():
    several = ({}, {"seed": 1}, {"split": "test"})
    train, again, test = (kg.data.load("drawn:digits", take=20, batch_size=4, **options) for options in several)
    assert train.fingerprint() == again.fingerprint()
    assert not np.array_equal(train.at(0)["images"], again.at(0)["images"])
    assert not any(np.array_equal(a, b) for a in train.images for b in test.images)
    np.testing.assert_array_equal(train.images, kg.data.digits(20)[0])
    with pytest.raises(DataError, match="'train' or 'test'.*Received: 'validation'"):
        kg.data.load("drawn:digits", split="validation")


@needs_mnist
def test_real_mnist():
    batches = in_order("mnist", take=100)
    assert batches.images.shape == (100, 28, 28, 1) and batches.images.dtype == "uint8"
    assert batches.about["version"] == "3.0.1" and batches.about["license"] == "CC BY-SA 3.0"
    assert len(batches.labels) == 100 and set(batches.labels) == set(range(10))
    assert in_order("mnist", split="test", take=3).images.shape[0] == 3
    assert in_order("mnist", take=3, image_size=(32, 32), channels=3).image_shape == (32, 32, 3)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A TFDS folder of small sets: `plain` in two versions, `sized` in two image sizes, `texts`, `many/a`, `many/b`."""
    tfds = pytest.importorskip("tensorflow_datasets")
    folder = tmp_path_factory.mktemp("tfds")

    def store(name, version, rows, config=None, **features):
        label = {"label": tfds.features.ClassLabel(names=["no", "yes"])} if "image" in features else {}
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name, version=version, features=tfds.features.FeaturesDict({**features, **label}), config=config,
            split_datasets={split: list(enumerate(rows)) for split in ("train", "test")},
            data_dir=folder, disable_shuffling=True,
            description="Levels of grey,\nin order.\n\nMore.", citation="@book{none}",
        )  # fmt: skip

    def rows(*shapes, **extra):
        return [{"image": np.full(shape, i, "uint8"), "label": i % 2, **extra} for i, shape in enumerate(shapes)]

    tfds.disable_progress_bar()
    store("plain", "9.0.0", rows((4, 4, 1)), image=tfds.features.Image(shape=(4, 4, 1)))
    seven = rows(*[(4, 4, 1)] * 7, caption="words, as others have them")
    store("plain", "10.0.0", seven, image=tfds.features.Image(shape=(4, 4, 1)), caption=tfds.features.Text())
    store("sized", "1.0.0", rows((4, 4, 3), (8, 4, 3)), image=tfds.features.Image())
    yes_no = tfds.features.FeaturesDict({"tall": np.bool_, "old": np.bool_})
    told = [{**row, "traits": {"tall": i > 1, "old": i == 0}} for i, row in enumerate(rows(*[(4, 4, 1)] * 3))]
    store("told", "1.0.0", told, image=tfds.features.Image(shape=(4, 4, 1)), traits=yes_no)
    store("texts", "1.0.0", [{"text": "a"}], text=tfds.features.Text())
    for config in "ab":
        store("many", "1.0.0", rows((4, 4, 1)), config=config, image=tfds.features.Image(shape=(4, 4, 1)))
    return folder


def test_a_tfds_set(prepared):
    batches = in_order("plain", data_dir=prepared)
    assert batches.images[:, 0, 0, 0].tolist() == list(range(7)) and batches.images.dtype == "uint8"
    assert batches.labels.tolist() == [0, 1, 0, 1, 0, 1, 0] and batches.labels.dtype == "int64"
    assert batches.about == {
        "name": "plain", "version": "10.0.0", "source": "TFDS", "license": "see its citation", "classes": ["no", "yes"],
        "description": "Levels of grey, in order.", "citation": "@book{none}",
        "split": "train", "examples": 7, "image_shape": [4, 4, 1],
    }  # fmt: skip
    assert in_order("plain", data_dir=prepared, take=3).images[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert len(in_order("plain", data_dir=prepared, split="test[2:4]")) == 2


def test_the_folder_in_the_environment_is_looked_in(prepared, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    assert len(in_order("plain:9.0.0")) == 1
    assert in_order("plain:9.*.*").about["version"] == "9.0.0"


def test_tfds_images_of_several_sizes(prepared):
    with pytest.raises(DataError, match=r"2 sizes, from \(4, 4\) to \(8, 4\)"):
        in_order("sized", data_dir=prepared)
    batches = in_order("sized", data_dir=prepared, image_size=(4, 4))
    assert batches.images.shape == (2, 4, 4, 3) and batches.labels.tolist() == [0, 1]


def test_another_feature_as_labels(prepared):
    """A dict of features gives a column each, in the order of their names."""
    batches = in_order("told", data_dir=prepared, labels="traits")
    assert batches.labels.tolist() == [[True, False], [False, False], [False, True]]
    assert batches.about["classes"] == ["old", "tall"]
    assert in_order("told", data_dir=prepared).labels.tolist() == [0, 1, 0]
    assert in_order("told", data_dir=prepared, labels=False).labels is None
    with pytest.raises(DataError, match="feature of 'told'.*Received: 'trait'"):
        in_order("told", data_dir=prepared, labels="trait")
    with pytest.raises(ConfigurationError, match="not a TFDS data set"):
        kg.data.load("drawn:digits", labels="digit", take=4, batch_size=2)


def test_tfds_configurations(prepared):
    assert in_order("many/b", data_dir=prepared).about["config"] == "b"
    with pytest.raises(DataError, match="Expected one of many/a, many/b. Received: 'many'"):
        in_order("many", data_dir=prepared)


def test_a_tfds_set_without_the_feature_or_the_split(prepared):
    with pytest.raises(DataError, match="feature 'image'. Received: 'texts': text"):
        in_order("texts", data_dir=prepared)
    for split in ("trian", "train[", "train[:x]"):
        with pytest.raises(DataError, match="Expected a split of 'plain': (train, test|test, train)"):
            in_order("plain", data_dir=prepared, split=split)
    with pytest.raises(DataError, match="at least one image"):
        in_order("plain", data_dir=prepared, split="train[:0]")


@pytest.fixture
def without_tfds(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)


@pytest.mark.parametrize("name", ["mnits", "celeb_a", "many/c", "mnist:4.0.0"])
def test_a_tfds_set_that_is_not_there_is_an_error_at_once(name, tmp_path, without_tfds):
    """TFDS, which would try the network for minutes, is not even imported."""
    (tmp_path / "mnist" / "3.0.1").mkdir(parents=True)
    (tmp_path / "mnist" / "3.0.1" / "dataset_info.json").touch()
    message = "There are mnist.*TFDS_DATA_DIR.*download=True.*folder of images"
    with pytest.raises(DatasetNotFoundError, match=message) as caught:
        in_order(name, data_dir=tmp_path)
    assert str(tmp_path) in str(caught.value) and name in str(caught.value)
    assert ("Did you mean mnist?" in str(caught.value)) == (name in ("mnits", "mnist:4.0.0"))
    with pytest.raises(DatasetNotFoundError, match="There is none"):
        in_order(name, data_dir=tmp_path / "mnist" / "3.0.1")
    with pytest.raises(DatasetNotFoundError, match="No such folder"):
        in_order(name, data_dir=tmp_path / "nowhere")


def test_without_tfds_the_error_says_what_to_install(tmp_path, without_tfds):
    (tmp_path / "mnist" / "3.0.1").mkdir(parents=True)
    (tmp_path / "mnist" / "3.0.1" / "dataset_info.json").touch()
    with pytest.raises(DatasetNotFoundError, match="Install tensorflow-datasets"):
        in_order("mnist", data_dir=tmp_path)


def test_a_download_that_fails_is_one_error(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(DatasetNotFoundError, match="Expected TFDS to download 'no_such_set'"):
        in_order("no_such_set", data_dir=tmp_path, download=True)


def test_a_download_is_asked_of_tfds(tmp_path, prepared, monkeypatch):
    import tensorflow_datasets as tfds

    asked = []

    def builder(name, data_dir):
        found = tfds.builder_from_directory(str(prepared / "plain" / "10.0.0"))
        monkeypatch.setattr(found, "download_and_prepare", lambda: asked.append((name, data_dir)))
        return found

    monkeypatch.setattr(tfds, "builder", builder)
    assert len(in_order("plain", data_dir=tmp_path, download=True)) == 7
    assert asked == [("plain", str(tmp_path))]
    in_order("plain", data_dir=prepared, download=True)
    assert len(asked) == 1  # what is there is not fetched again


@pytest.mark.parametrize(
    "source", ["./nowhere", "nowhere.npz", "/no/folder", "~/nowhere", "folder/", "My folder", "", Path("mnist")]
)
def test_a_path_that_is_not_there_is_named(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetNotFoundError, match=f"Received: '{source}', which is not there. Looked in: "):
        kg.data.load(source)


@pytest.mark.parametrize(
    "options",
    [
        {"take": 0},
        {"take": 2.5},
        {"image_size": (0, 8)},
        {"image_size": 32},
        {"image_size": (8, 8, 3)},
        {"channels": 2},
        {"seed": -1},
        {"seed": None},
    ],
)
def test_arguments_out_of_range_are_refused(options):
    with pytest.raises(ConfigurationError, match="Expected"):
        kg.data.load("drawn:digits", **options)


def test_folders_files_and_drawings_need_neither_tfds_nor_tensorflow(photos):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed")
    np.savez(photos / "data.npz", images=np.zeros((4, 8, 8, 1), "uint8"))
    code = f"""
import sys, numpy, keras_gans as kg
kg.data.load({str(photos)!r}, batch_size=2)
kg.data.load({str(photos / "data.npz")!r}, batch_size=2)
kg.data.load(numpy.zeros((4, 8, 8, 1), "uint8"), batch_size=2)
kg.data.load("drawn:digits", take=4, batch_size=2)
print("imported:", *[name for name in ("tensorflow", "tensorflow_datasets") if name in sys.modules])
"""
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(Path(kg.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["imported:"]


def test_pictures_of_one_shape(tmp_path):
    wide = np.random.default_rng(0).integers(0, 256, (8, 12, 3)).astype("uint8")
    Image.fromarray(wide).save(tmp_path / "wide.png")
    Image.fromarray(wide[:, 2:10]).save(tmp_path / "square.png")
    (tmp_path / "text.png").write_text("no picture")
    both = [tmp_path / "square.png", tmp_path / "wide.png"]
    np.testing.assert_array_equal(kg.data.read_pictures(both[:1], (8, 8, 3)), wide[None, :, 2:10])
    np.testing.assert_array_equal(kg.data.read_pictures(both, (8, 8, 3), resize=True), wide[None, :, 2:10].repeat(2, 0))
    assert kg.data.read_pictures(both[:1], (4, 4, 1), resize=True).shape == (1, 4, 4, 1)
    with pytest.raises(DataError, match=r"wide.png, \(8, 12, 3\). Pass resize=True"):
        kg.data.read_pictures(both, (8, 8, 3))
    with pytest.raises(DataError, match="text.png to be an image"):
        kg.data.read_pictures([tmp_path / "text.png"], (8, 8, 3))
