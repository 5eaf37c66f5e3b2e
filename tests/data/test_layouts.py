"""Splits, classes and files of labels in a folder of images: what is understood, said, and refused."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import keras_gans as kg
from keras_gans.data.layouts import read_layout
from keras_gans.errors import ConfigurationError, DataError


def pictures(folder, *names):
    """A picture for each name; the grey level is the place among them."""
    for level, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), level).save(path)
    return folder


def loaded(folder, **options):
    return kg.data.load(folder, shuffle=False, batch_size=1, **options)


def levels(batches):
    return batches.images[:, 0, 0, 0].tolist()


# Splits


def test_splits_above_classes(tmp_path):
    pictures(tmp_path, "train/cat/0.png", "train/dog/0.png", "val/cat/0.png", "val/dog/0.png", "test/dog/0.png")
    train, val, test = (loaded(tmp_path, split=split) for split in ("train", "validation", "test"))
    assert [levels(batches) for batches in (train, val, test)] == [[0, 1], [2, 3], [4]]
    assert test.labels.tolist() == [1] and test.about["classes"] == ["cat", "dog"]  # though there is no cat
    assert train.labels.tolist() == val.labels.tolist() == [0, 1] and train.about["classes"] == ["cat", "dog"]
    assert train.about["layout"] == "2 images, the split train of test, train, val, 2 classes by folder (cat 1, dog 1)"


def test_splits_of_images_without_classes(tmp_path):
    pictures(tmp_path, "Training/0.png", "Testing/0.png", "Testing/1.png")
    assert levels(loaded(tmp_path)) == [0] and loaded(tmp_path).labels is None
    assert levels(loaded(tmp_path, split="test")) == [1, 2]
    assert "the split Testing of Testing, Training, no labels" in loaded(tmp_path, split="test").about["layout"]


def test_splits_in_each_class(tmp_path):
    pictures(tmp_path, "cat/train/0.png", "cat/test/0.png", "dog/train/0.png", "dog/train/1.png")
    assert loaded(tmp_path).labels.tolist() == [0, 1, 1] and levels(loaded(tmp_path)) == [0, 2, 3]
    assert levels(loaded(tmp_path, split="test")) == [1]


@pytest.mark.parametrize("names", [["train/0.png"], ["train/cat/0.png", "train/dog/0.png"]])
def test_a_folder_of_one_split_has_no_other(names, tmp_path):
    assert len(loaded(pictures(tmp_path, *names))) == len(names)
    with pytest.raises(DataError, match="Expected a split of .*: train. Received: 'test'"):
        loaded(tmp_path, split="test")


def test_two_names_of_one_split_are_refused_unless_one_is_asked_for(tmp_path):
    pictures(tmp_path, "train/0.png", "val/0.png", "valid/0.png")
    with pytest.raises(DataError, match="Received: 'validation', which could be val or valid"):
        loaded(tmp_path, split="validation")
    assert levels(loaded(tmp_path, split="valid")) == [2]


@pytest.mark.parametrize("beside", ["bus/0.png", "0.png"])
def test_splits_beside_something_else_are_refused_with_both_readings(beside, tmp_path):
    pictures(tmp_path, "train/0.png", "test/0.png", beside)
    with pytest.raises(DataError, match="test, train beside (bus|images without a folder), readable as splits, or"):
        loaded(tmp_path)
    assert len(loaded(tmp_path / "train")) == 1


def test_a_train_is_a_vehicle_too(tmp_path):
    pictures(tmp_path, "bus/0.png", "car/0.png", "train/0.png")
    assert loaded(tmp_path).about["classes"] == ["bus", "car", "train"]
    with pytest.raises(DataError, match="one split. Expected split='train'.* Received: 'test'"):
        loaded(tmp_path, split="test")


def test_a_folder_named_like_a_split_in_one_class_stays_in_it(tmp_path):
    pictures(tmp_path, "cat/test/0.png", "cat/1.png", "dog/0.png")
    assert loaded(tmp_path).labels.tolist() == [0, 0, 1]


# Classes


def test_numbers_are_in_the_order_of_numbers(tmp_path):
    pictures(tmp_path, *(f"{i}/0.png" for i in range(12)))
    batches = loaded(tmp_path)
    assert batches.about["classes"] == [str(i) for i in range(12)]
    assert batches.images[batches.labels == 10][0, 0, 0, 0] == 10
    pictures(tmp_path, "a/0.png")
    assert loaded(tmp_path).about["classes"][:4] == ["0", "1", "10", "11"]


def test_a_folder_around_everything_is_passed_through(tmp_path):
    pictures(tmp_path, "photos/all/cat/0.png", "photos/all/dog/0.png")
    assert loaded(tmp_path).about["classes"] == ["cat", "dog"]
    assert "2 images in photos/all, one split" in loaded(tmp_path).about["layout"]
    pictures(tmp_path, "photos/all/train/0.png", "photos/all/test/0.png")
    with pytest.raises(DataError, match="test, train beside cat, dog"):
        loaded(tmp_path)


def test_one_class_is_a_class(tmp_path):
    assert loaded(pictures(tmp_path, "cat/0.png", "cat/1.png", ".x/0.png")).about["classes"] == ["cat"]


@pytest.mark.parametrize("other", ["masks", "labels"])
def test_images_and_their_masks_are_no_classes(other, tmp_path):
    pictures(tmp_path, "images/0.png", f"{other}/0.png")
    with pytest.raises(DataError, match=rf"kg.data.load_pairs\('.*', sides=\('images', '{other}'\)\)"):
        loaded(tmp_path)
    assert len(kg.data.load_pairs(tmp_path, sides=("images", other), classes=0)) == 1


def test_folders_that_systems_make_for_themselves_are_left_out(tmp_path):
    pictures(tmp_path, "cat/0.png", "dog/0.png", "__MACOSX/0.png", "cat/@eaDir/0.png", "$RECYCLE.BIN/0.png")
    assert loaded(tmp_path).about["classes"] == ["cat", "dog"] and len(loaded(tmp_path)) == 2


# One line


def test_one_line_says_what_was_understood(tmp_path, capsys):
    pictures(tmp_path, "cat/0.png", "cat/1.png", "dog/0.png", ".cache/0.png")
    for name in ("cat/0.txt", "cat/1.txt", "readme"):
        (tmp_path / name).write_text("")
    loaded(tmp_path)
    line = "3 images, one split, 2 classes by folder (cat 2, dog 1), beside 2 .txt files and 1 hidden files"
    captured = capsys.readouterr()
    assert captured.err == f"{tmp_path}: {line} and 1 nameless files\n" and captured.out == ""
    keras.config.disable_interactive_logging()
    try:
        loaded(tmp_path)
        assert capsys.readouterr().err == ""
    finally:
        keras.config.enable_interactive_logging()


def test_the_line_stays_short(tmp_path):
    pictures(tmp_path, *(f"{i:03}/0.png" for i in range(200)))
    assert "200 classes by folder (000 1, " in loaded(tmp_path).about["layout"]
    assert len(loaded(tmp_path).about["layout"]) < 200


# Labels in files


def test_nvlabs_labels(tmp_path):
    pictures(tmp_path, "00000/img0.png", "00000/img1.png", "00001/img2.png")
    listed = [["00000/img1.png", 7], ["00000/img0.png", 2], ["00001/img2.png", 2]]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": listed}))
    batches = loaded(tmp_path)
    assert batches.labels.tolist() == [2, 7, 2] and "classes" not in batches.about
    assert "labels of dataset.json" in batches.about["layout"]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [[name, [label, 0.5]] for name, label in listed]}))
    assert loaded(tmp_path).labels.tolist() == [[2, 0.5], [7, 0.5], [2, 0.5]]
    (tmp_path / "dataset.json").write_text('{"labels": null}')
    assert loaded(tmp_path).labels is None  # the folders are shards, no classes
    assert "no labels: dataset.json has none" in loaded(tmp_path).about["layout"]


@pytest.fixture(params=["jsonl", "csv"])
def write(request, tmp_path):
    """Writes metadata, one dict a row."""

    def written(folder, rows):
        if request.param == "jsonl":
            return (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
        return (folder / "metadata.csv").write_text("\n".join(lines) + "\n")

    return written


def test_metadata_names_classes_and_columns(write, tmp_path):
    pictures(tmp_path, "0.png", "1.png", "sub/2.png")
    rows = [("sub/2.png", "dog", 3, 0.5), ("0.png", "dog", 1, 2), ("1.png", "cat", 2, 3)]
    write(tmp_path, [dict(zip(("file_name", "label", "count", "size"), row)) for row in rows])
    batches = loaded(tmp_path)
    assert batches.labels.tolist() == [1, 0, 1] and batches.about["classes"] == ["cat", "dog"]
    assert "2 classes, labels of metadata." in batches.about["layout"]
    counts = loaded(tmp_path, labels="count")
    assert counts.labels.tolist() == [1, 2, 3] and counts.labels.dtype == "int64" and counts.about["labels"] == "count"
    assert loaded(tmp_path, labels="size").labels.tolist() == [2.0, 3.0, 0.5]
    with pytest.raises(DataError, match="Expected a column of .*: count, label, size. Received: 'hair'"):
        loaded(tmp_path, labels="hair")


def test_metadata_without_labels_is_said(write, tmp_path):
    write(pictures(tmp_path, "a/0.png", "b/1.png"), [{"file_name": f, "text": "x"} for f in ("a/0.png", "b/1.png")])
    batches = loaded(tmp_path)
    assert batches.labels is None and "columns file_name, text" in batches.about["layout"]


def test_metadata_in_each_split_or_above_them(write, tmp_path):
    pictures(tmp_path, "train/0.png", "train/1.png", "test/0.png")
    write(tmp_path, [{"file_name": f, "label": f[:2]} for f in ("train/0.png", "train/1.png", "test/0.png")])
    test = loaded(tmp_path, split="test")
    assert test.labels.tolist() == [0] and test.about["classes"] == ["te", "tr"]
    write(tmp_path / "train", [{"file_name": "0.png", "label": "x"}, {"file_name": "1.png", "label": "y"}])
    assert loaded(tmp_path).about["classes"] == ["x", "y"]


def test_labels_that_do_not_fit_the_images_are_refused(write, tmp_path):
    pictures(tmp_path, "0.png", "1.png")
    for files, message in (
        (["0.png"], "Received: 1 images that it does not name, such as '1.png'"),
        (["0.png", "1.png", "2.png"], "Received: 1 names without a file, such as '2.png'"),
        (["0.png", "1.png", "1.png"], "'1.png' is there twice"),
    ):
        write(tmp_path, [{"file_name": name, "label": 1} for name in files])
        with pytest.raises(DataError, match=message):
            loaded(tmp_path)


@pytest.mark.parametrize(
    "name, content",
    [
        ("dataset.json", "{"),
        ("dataset.json", "[]"),
        ("dataset.json", '{"labels": [["0.png"]]}'),
        ("dataset.json", '{"labels": [["0.png", null]]}'),
        ("dataset.json", "[" * 100_000),
        ("metadata.jsonl", '"0.png"'),
        ("metadata.jsonl", '{"file": "0.png"}'),
        ("metadata.jsonl", '{"file_name": "0.png", "label": {"x": 1}}'),
        ("metadata.csv", "id,label\n0,1\n"),
        ("metadata.csv", "file_name,label\n0.png,\n"),
        ("metadata.csv", "file_name,label\n\xff"),
    ],
)
def test_files_of_labels_that_cannot_be_read_are_refused(name, content, tmp_path):
    (pictures(tmp_path, "0.png") / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=f"{name}.*(M|m)ove (it|the file) away") as refused:
        loaded(tmp_path)
    assert len(str(refused.value)) < 600


def test_two_files_of_labels_are_refused(tmp_path):
    for name in ("dataset.json", "metadata.csv"):
        (pictures(tmp_path, "0.png") / name).write_text("")
    with pytest.raises(DataError, match="dataset.json and metadata.csv, which may hold different labels"):
        loaded(tmp_path)


def test_a_column_of_a_folder_without_metadata_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="has no metadata.jsonl or metadata.csv with named columns"):
        loaded(pictures(tmp_path, "0.png"), labels="hair")


def test_nothing_is_opened_to_understand_a_folder(tmp_path):
    for name in ("cat/0.png", "dog/0.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    layout = read_layout(tmp_path, "train")
    np.testing.assert_array_equal(layout.labels, [0, 1])
    assert layout.classes == ["cat", "dog"] and layout.others is None


@pytest.mark.parametrize("name", ["5.5", "null", "[1]", '"' + "x" * 5000 + '"', '"a\\u0000b"', '"\\ud800"'])
def test_names_that_no_file_has_are_refused(name, tmp_path):
    pictures(tmp_path, "0.png")
    (tmp_path / "metadata.jsonl").write_text(
        f'{{"file_name": "0.png", "label": 1}}\n{{"file_name": {name}, "label": 1}}'
    )
    with pytest.raises(DataError, match="Expected (one label for each image|the file of each image)") as caught:
        loaded(tmp_path)
    assert len(str(caught.value)) < 1000
