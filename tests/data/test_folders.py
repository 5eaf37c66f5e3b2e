"""Which files below a folder are images, and what is said of the others."""

import os
import sys
import types
import zipfile

import numpy as np
import pytest
from PIL import Image

import keras_gans as kg
from keras_gans.data import folders
from keras_gans.data.folders import endings, formats, image_files
from keras_gans.data.pictures import picture_files
from keras_gans.errors import DataError


def picture(path, level=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8), level, "uint8")).save(path, format="PNG")
    return path


def names(folder):
    return [path.relative_to(folder).as_posix() for path in image_files(folder).images]


def test_hidden_files_and_folders_are_left_out_at_any_depth(tmp_path):
    for name in (
        "cat/0.png",
        "dog/0.png",
        ".git/0.png",
        "cat/.ipynb_checkpoints/0.png",
        "dog/._0.png",
        "dog/a/b/1.png",
    ):
        picture(tmp_path / name)
    assert names(tmp_path) == ["cat/0.png", "dog/0.png", "dog/a/b/1.png"]
    assert kg.data.load(tmp_path, batch_size=1).about["classes"] == ["cat", "dog"]


def test_links_are_followed_and_loops_are_not(tmp_path):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    picture(elsewhere / "0.png"), picture(root / "dog" / "0.png")
    os.symlink(elsewhere, root / "cat")
    os.symlink(root, root / "dog" / "again")
    os.symlink(elsewhere, elsewhere / "itself")
    os.symlink(root / "dog", elsewhere / "there")  # which holds a link back to the root
    assert names(root) == ["cat/0.png", "cat/there/0.png", "dog/0.png"]


def test_a_link_to_nothing_is_no_image(tmp_path):
    picture(tmp_path / "0.png")
    os.symlink(tmp_path / "gone.png", tmp_path / "1.png")
    assert names(tmp_path) == ["0.png"]


def test_every_ending_that_pillow_can_open_is_read(tmp_path):
    for i, ending in enumerate(endings()):
        Image.fromarray(np.full((8, 8, 3), 20 * i, "uint8")).save(tmp_path / f"{i:02}{ending.upper()}")
    assert {"PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"} <= set(formats()) and ".jfif" in endings()
    assert len(kg.data.load(tmp_path, batch_size=1).images) == len(endings())


def test_the_reader_of_heif_is_used_where_it_is_installed(tmp_path, monkeypatch):
    """Here a stand-in that reads PNG."""
    monkeypatch.setattr(Image, "OPEN", {key: reader for key, reader in Image.OPEN.items() if key != "HEIF"})
    monkeypatch.setattr(Image, "ID", [*Image.ID])
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    folders._register.cache_clear()
    picture(tmp_path / "0.png"), picture(tmp_path / "1.HEIC")
    with pytest.warns(UserWarning, match="Left out 1 .heic files in .* where pillow-heif is installed"):
        assert len(kg.data.load(tmp_path, batch_size=1).images) == 1
    plugin = types.SimpleNamespace(register_heif_opener=lambda: Image.register_open("HEIF", *Image.OPEN["PNG"]))
    monkeypatch.setitem(sys.modules, "pillow_heif", plugin)
    folders._register.cache_clear()
    assert len(kg.data.load(tmp_path, batch_size=1).images) == 2


def test_pictures_that_cannot_be_read_are_counted(tmp_path):
    for i in range(3):
        picture(tmp_path / f"{i}.png")
    for name in ("a.NEF", "b.nef", "c.svg", "captions.txt", "labels.json"):
        (tmp_path / name).write_bytes(b"")
    found = image_files(tmp_path)
    assert found.others == {".nef": 2, ".svg": 1} and found.rest == {".txt": 1, ".json": 1}
    with pytest.warns(UserWarning, match="Left out 2 .nef files and 1 .svg files"):
        assert len(kg.data.load(tmp_path, batch_size=1).images) == 3


def test_a_folder_of_mostly_other_pictures_is_refused(tmp_path):
    picture(tmp_path / "0.png")
    for i in range(2):
        (tmp_path / f"{i}.CR2").write_bytes(b"")
    with pytest.raises(DataError, match="Received: 1 of these, and 2 .cr2 files. Convert"):
        kg.data.load(tmp_path)


@pytest.mark.parametrize("ending", [".npy", ".mp4", ".tar", ".HEIC" if ".heic" not in endings() else ".jxl"])
def test_other_kinds_of_data_are_not_passed_over(ending, tmp_path):
    picture(tmp_path / "0.png")
    for i in range(2):
        (tmp_path / f"{i}{ending}").write_bytes(b"")
    with pytest.raises(DataError, match=f"Received: 1 of these, and 2 {ending.lower()} files"):
        kg.data.load(tmp_path)


@pytest.mark.parametrize("load", [kg.data.load_pairs, kg.data.load_unpaired])
def test_pictures_of_a_side_that_cannot_be_read_are_counted(load, tmp_path):
    for side in "AB":
        for i in range(2):
            picture(tmp_path / side / f"{i}.png")
    (tmp_path / "B" / "3.nef").write_bytes(b"")
    with pytest.warns(UserWarning, match="Left out 1 .nef files in .*B, which cannot be read here") as caught:
        load(tmp_path)
    assert len(caught) == 1 and caught[0].filename == __file__
    for i in range(2):
        (tmp_path / "B" / f"{i}.cr2").write_bytes(b"")
    with pytest.raises(DataError, match="Received: 2 of these, and 2 .cr2 files and 1 .nef files"):
        load(tmp_path)


def test_inputs_that_cannot_be_read_are_counted(tmp_path):
    picture(tmp_path / "0.png")
    (tmp_path / "1.nef").write_bytes(b"")
    with pytest.warns(UserWarning, match="Left out 1 .nef files"):
        assert len(picture_files(tmp_path)) == 1


def test_a_folder_of_mostly_damaged_images_is_refused(tmp_path):
    picture(tmp_path / "0.png")
    for i in range(1, 3):
        (tmp_path / f"{i}.png").write_bytes(b"")
    with pytest.raises(DataError, match="3 files of that kind, 2 of them unreadable, such as 1.png"):
        kg.data.load(tmp_path)


def test_a_zip_of_many_damaged_images_is_refused_in_a_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as file:
        for i in range(2000):
            file.writestr(f"0/img{i:08}.png", b"")
    with pytest.raises(DataError, match="2000 of them unreadable, such as 0/img00000000.png") as refused:
        kg.data.load(tmp_path / "photos.zip")
    assert len(str(refused.value)) < 500


def test_an_npz_of_many_arrays_is_refused_in_a_line(tmp_path):
    np.savez(tmp_path / "arrays.npz", **{f"array{i}": np.zeros(1) for i in range(200)})
    with pytest.raises(DataError, match=r"named images or x_train.*array9, \.\.\.") as refused:
        kg.data.load(tmp_path / "arrays.npz")
    assert len(str(refused.value)) < 500
