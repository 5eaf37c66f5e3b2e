"""Picture files as inputs of models that change images."""

import numpy as np
import pytest
from PIL import Image

from keras_gans.data import read_pictures
from keras_gans.data.pictures import partners, picture_files, read_input
from keras_gans.errors import DataError, DatasetNotFoundError
from keras_gans.fields import Images, InstanceMaps, LabelMaps, Noise


def saved(path, values, mode=None):
    Image.fromarray(np.asarray(values, "uint8"), mode=mode).save(path)
    return path


def test_files_are_read_in_the_order_of_their_names(tmp_path):
    for name in ("b.png", "a.jpg", "c.BMP", ".hidden.png"):
        saved(tmp_path / name if name != "c.BMP" else tmp_path / "c.bmp", np.zeros((2, 2)))
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in picture_files(tmp_path)] == ["a.jpg", "b.png", "c.bmp"]
    assert picture_files(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]


def test_places_without_pictures_are_refused(tmp_path):
    with pytest.raises(DataError, match="Expected images .*Received: none"):
        picture_files(tmp_path)
    with pytest.raises(DatasetNotFoundError, match="which is not there"):
        picture_files(tmp_path / "nowhere")


def test_images_keep_their_values(tmp_path):
    grey = np.arange(12).reshape(3, 4)
    assert read_input(saved(tmp_path / "a.png", grey), Images((3, 4, 1))).tolist() == grey[..., None].tolist()
    colour = np.arange(36).reshape(3, 4, 3)
    path = saved(tmp_path / "b.png", colour)
    np.testing.assert_array_equal(read_input(path, Images((None, None, 3))), colour)  # of any size
    assert read_input(path, Images((8, 6, 3)), resize=True).shape == (8, 6, 3)
    with pytest.raises(DataError, match="an image of anyx8 pixels .* Received: .*b.png, 3x4. Pass --resize"):
        read_input(path, Images((None, 8, 3)))
    with pytest.raises(DataError, match="an image that is grey.*b.png, which is in colour"):
        read_input(path, Images((3, 4, 1)))


def test_transparency_is_kept_where_the_model_takes_four_channels(tmp_path):
    path = saved(tmp_path / "a.png", np.full((3, 4, 4), (1, 2, 3, 0)))
    assert read_input(path, Images((3, 4, 4)))[0, 0].tolist() == [1, 2, 3, 0]
    assert read_input(path, Images((3, 4, 3)))[0, 0].tolist() == [255] * 3
    opaque = saved(tmp_path / "b.png", np.full((3, 4, 3), (1, 2, 3)))
    assert read_input(opaque, Images((6, 8, 4)), resize=True)[0, 0].tolist() == [1, 2, 3, 255]


def test_one_image_of_sixteen_bits_is_read_where_its_depth_is_certain(tmp_path):
    path, field = tmp_path / "a.png", Images((3, 4, 1))
    Image.fromarray(np.full((3, 4), 40_000, "uint16")).save(path)
    assert read_input(path, field).ravel().tolist() == [156] * 12
    assert read_pictures([path], (3, 4, 3)).tolist() == [[[[156] * 3] * 4] * 3]
    Image.fromarray(np.full((3, 4), 4000, "uint16")).save(path)
    for read in (lambda: read_input(path, field), lambda: read_pictures([path], (3, 4, 1))):
        with pytest.raises(DataError, match="a.png.*12 bits, or dark with 16.*4000. Save it with 8 bits"):
            read()


def test_label_maps_keep_their_numbers_also_when_resized(tmp_path):
    numbers = np.array([[0, 1], [2, 3]])
    big = np.kron(numbers, np.ones((2, 2)))
    field = LabelMaps((4, 4), 4)
    path = saved(tmp_path / "map.png", numbers)
    assert read_input(path, field, resize=True).tolist() == big.tolist()
    with pytest.raises(DataError, match="from 0 to 2.*Look at .*map.png"):
        read_input(path, LabelMaps((2, 2), 3))


@pytest.mark.parametrize("size", [(8, 12), (15, 9), (40, 40)])
def test_maps_of_instances_are_resized_as_label_maps_are(size, tmp_path):
    numbers = np.random.default_rng(0).integers(0, 9, (20, 24)).astype("uint8")
    labels = read_input(saved(tmp_path / "map.png", numbers), LabelMaps(size, 9), resize=True)
    Image.fromarray(numbers.astype("uint16") * 7000).save(tmp_path / "ids.png")
    ids = read_input(tmp_path / "ids.png", InstanceMaps(size, 9), resize=True)
    np.testing.assert_array_equal(ids, labels.astype("int32") * 7000)


def test_partners_are_found_by_name(tmp_path):
    for name in ("maps/b_gtFine_labelIds", "maps/a", "ids/a", "ids/b_gtFine_instanceIds", "ids/c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        saved(tmp_path / f"{name}.png", np.zeros((2, 2)))
    paths = picture_files(tmp_path / "maps")
    assert [path.name for path in partners(paths, tmp_path / "ids")] == ["a.png", "b_gtFine_instanceIds.png"]
    one = tmp_path / "ids" / "c.png"
    assert partners(paths[:1], one) == [one]  # whose name may be another
    with pytest.raises(DataError, match="each image's name in .*c.png. Received: 1, none for a, b. Add them"):
        partners(paths, one)


def test_other_inputs_are_no_pictures(tmp_path):
    with pytest.raises(DataError, match="label maps or maps of instances. Received: Noise"):
        read_input(saved(tmp_path / "a.png", np.zeros((2, 2))), Noise(4))
