"""Grey levels and floats, grids, and files that are complete or absent."""

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from keras_gans.engine import value_and_grad
from keras_gans.errors import ConfigurationError, DataError, OutputError
from keras_gans.images import atomic_write, enlarged, grid, pack, save, side_by_side, to_float, to_pillow, to_uint8


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def test_every_grey_level_survives_the_way_there_and_back():
    levels = np.arange(256, dtype="uint8")
    floats = numpy(to_float(levels))
    assert floats.dtype == np.float32 and floats[0] == -1.0 and floats[-1] == 1.0
    np.testing.assert_allclose(np.diff(floats), 2 / 255, atol=1e-6)
    np.testing.assert_array_equal(numpy(to_uint8(floats)), levels)


def test_floats_are_taken_as_they_are():
    values = np.array([-1.0, -0.5, 0.25, 1.0])
    assert numpy(to_float(values)).dtype == np.float32
    np.testing.assert_array_equal(numpy(to_float(values)), values)


def test_levels_are_rounded_to_the_nearest_and_clipped():
    floats = np.array([-1.5, 0.49 / 127.5 - 1, 0.51 / 127.5 - 1, 1.5 / 127.5 - 1 + 1e-4, 9.0], "float32")
    levels = numpy(to_uint8(floats))
    assert levels.dtype == np.uint8
    assert levels.tolist() == [0, 0, 1, 2, 255]


@pytest.mark.parametrize("shape", [(6, 3, 4, 2), (6, 5)])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_a_pack_is_its_images_side_by_side_in_the_channels(shape, degree):
    images = np.random.default_rng(0).normal(size=shape).astype("float32")
    packs = numpy(pack(images, degree))
    assert packs.shape == (6 // degree, *shape[1:-1], degree * shape[-1])
    for i, own in enumerate(packs):
        np.testing.assert_array_equal(own, np.concatenate(list(images[i * degree : (i + 1) * degree]), axis=-1))


def test_every_image_of_a_pack_gets_its_gradient():
    images = keras.Variable(np.ones((4, 2, 2, 1), "float32"))
    weights = np.random.default_rng(0).normal(size=(2, 2, 2, 2)).astype("float32")
    _, (slope,) = value_and_grad(
        lambda: ops.sum(ops.multiply(pack(ops.convert_to_tensor(images), 2), weights)), [images]
    )
    np.testing.assert_array_equal(numpy(pack(slope, 2)), weights)


def test_batches_that_do_not_divide_into_packs():
    with pytest.raises(DataError, match="packs of 4. Received: 6 images.*drop_remainder"):
        pack(np.zeros((6, 2, 2, 1), "float32"), 4)
    with pytest.raises(ConfigurationError, match="Received: 0"):
        pack(np.zeros((6, 2, 2, 1), "float32"), 0)
    assert pack(keras.Input((2, 2, 3)), 4).shape == (None, 2, 2, 12)  # known only when it runs


def test_grid_places_images_row_by_row():
    images = np.arange(1, 6, dtype="uint8").reshape(5, 1, 1, 1) * np.ones((5, 2, 3, 1), "uint8")
    picture = grid(images, columns=3)
    assert picture.shape == (4, 9, 1)
    assert picture[::2, ::3, 0].tolist() == [[1, 2, 3], [4, 5, 0]]
    assert grid(images).shape == (4, 9, 1)  # as square as possible: three columns
    assert grid(images, columns=9).shape == (2, 15, 1)  # no empty columns
    assert grid(images[:1]).shape == (2, 3, 1)
    # Images stay intact: one with all pixels different comes back unchanged.
    one = np.random.default_rng(0).integers(0, 255, (4, 3, 2, 3)).astype("uint8")
    np.testing.assert_array_equal(grid(one, columns=2)[3:, 2:], one[3])


def test_enlarging_repeats_pixels():
    picture = np.random.default_rng(0).integers(0, 255, (3, 4, 3)).astype("uint8")
    large = enlarged(picture, 3)
    assert large.shape == (9, 12, 3)
    for row, column in np.ndindex(9, 12):
        np.testing.assert_array_equal(large[row, column], picture[row // 3, column // 3])
    for factor in (0, 1.5, True):
        with pytest.raises(ConfigurationError, match="factor of 1 or more"):
            enlarged(picture, factor)


@pytest.mark.parametrize("channels, mode", [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA"), (5, "RGB")])
def test_pillow_shows_any_number_of_channels(channels, mode):
    image = np.random.default_rng(0).integers(0, 256, (3, 2, channels)).astype("uint8")
    picture = to_pillow(image)
    assert picture.mode == mode and picture.size == (2, 3)
    shown = np.asarray(picture).reshape(3, 2, -1)
    np.testing.assert_array_equal(shown, image[..., : shown.shape[-1]])


@pytest.mark.parametrize("image", [np.zeros((2, 4, 4, 1), "uint8"), np.zeros((4, 4, 1), "float32"), [1, 2], None])
def test_only_images_are_saved(image, tmp_path):
    with pytest.raises(DataError, match="Expected one image, uint8.*Combine several with kg.images.grid"):
        save(image, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape, dtype", [((0, 4, 4, 1), "uint8"), ((4, 4, 1), "uint8"), ((2, 4, 4, 1), "float32")])
def test_a_grid_needs_images(shape, dtype):
    with pytest.raises(DataError, match="Expected one image or more, uint8"):
        grid(np.zeros(shape, dtype))


def test_a_png_holds_the_image(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (5, 4, 3)).astype("uint8")
    path = tmp_path / "new" / "folder" / "image.PNG"
    save(image, path)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), image)
    save(to_pillow(255 - image), str(path))
    np.testing.assert_array_equal(np.asarray(Image.open(path)), 255 - image)
    assert [child.name for child in path.parent.iterdir()] == ["image.PNG"]


@pytest.mark.parametrize("name", ["image", "image.txt", "image.psd"])
def test_endings_that_are_not_image_formats_are_refused(name, tmp_path):
    with pytest.raises(OutputError, match="ending"):
        save(np.zeros((2, 2, 3), "uint8"), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "image.jpg"
    save(np.zeros((2, 2, 3), "uint8"), path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="unchanged"):
        save(np.zeros((2, 2, 4), "uint8"), path)  # JPEG has no alpha
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_lets_other_errors_through_and_cleans_up(tmp_path):
    path = tmp_path / "file.txt"
    with atomic_write(path) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".txt"
        temporary.write_text("first")
        assert not path.exists()
    with pytest.raises(KeyError), atomic_write(path) as temporary:
        temporary.write_text("second")
        raise KeyError
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Choose a folder"):
        save(np.zeros((2, 2, 3), "uint8"), tmp_path / "file" / "image.png")


@pytest.mark.parametrize("kinds, channels", [((1, 1), 1), ((1, 3), 3), ((1, 2), 2), ((2, 3), 4), ((4, 1), 4)], ids=str)
def test_pictures_side_by_side_get_the_channels_that_all_need(kinds, channels):
    pictures = [np.full((2, 2, kind), 7, "uint8") for kind in kinds]
    both = side_by_side(pictures, gap=0)
    assert both.shape == (2, 4, channels)
    for i, kind in enumerate(kinds):
        part = both[:, 2 * i : 2 * i + 2]
        opaque = channels in (2, 4) and kind in (1, 3)
        assert (part[..., : channels - opaque] == 7).all() and (not opaque or (part[..., -1] == 255).all())
