"""Images with captions: their sources, the vocabulary, several captions of an image, and what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError, DatasetNotFoundError

CAPTIONS = ["a red hat", "no hat", "A face, smiling!"]


def images(count=3, side=8):
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3)).astype("uint8")


def folder_of(folder, captions=None, names=("a", "b", "c"), place=""):
    """Writes a picture for each name, and text beside it for each caption that is not None."""
    (folder / place).mkdir(exist_ok=True, parents=True)
    for name, image, text in zip(names, images(len(names)), captions or [None] * len(names)):
        Image.fromarray(image).save(folder / place / f"{name}.png")
        if text is not None:
            (folder / place / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def texts(batches):
    prompts = kg.fields.Prompts(batches.about["vocabulary"], batches.about["length"])
    return prompts.text(batches.arrays["prompts"])


def load(source, **options):
    return kg.data.load_captions(source, **{"batch_size": 1, "augment": False, **options})


WORDS = ["a red hat", "no hat", "a face smiling"]


@pytest.mark.parametrize("wrap", [list, tuple, np.array])
def test_arrays_and_captions(wrap):
    batches = load((images(), wrap(CAPTIONS)))
    assert texts(batches) == WORDS
    assert batches.about["vocabulary"] == ["a", "face", "hat", "no", "red", "smiling"]
    assert batches.about["length"] == 3 and batches.arrays["prompts"].dtype == np.int32
    np.testing.assert_array_equal(batches.images, images())


def test_text_files_beside_images(tmp_path, capsys):
    batches = load(folder_of(tmp_path, CAPTIONS))
    assert texts(batches) == WORDS
    np.testing.assert_array_equal(batches.images, images())
    assert "captions of text files" in batches.about["layout"]
    assert batches.about["name"] == tmp_path.name


def test_captions_stay_with_their_images_where_one_cannot_be_read(tmp_path):
    folder_of(tmp_path, CAPTIONS)
    (tmp_path / "b.png").write_bytes(b"no image")
    with pytest.warns(UserWarning, match="Left out 1 of 3 files .*b.png"):
        batches = load(tmp_path)
    assert texts(batches) == [WORDS[0], WORDS[2]]
    np.testing.assert_array_equal(batches.images, images()[[0, 2]])


@pytest.mark.parametrize("column", ["caption", "text", "says"])
@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_metadata(tmp_path, ending, column):
    folder_of(tmp_path)
    rows = [{"file_name": f"{name}.png", "width": 8, column: text} for name, text in zip("abc", CAPTIONS)]
    if ending == "jsonl":
        lines = [json.dumps(row) for row in rows]
    else:
        lines = [f"file_name,width,{column}", *(f'{row["file_name"]},8,"{row[column]}"' for row in rows)]
    (tmp_path / f"metadata.{ending}").write_text("\n".join(lines), encoding="utf-8")
    if column == "says":
        with pytest.raises(DataError, match="column 'caption' or 'text' in .*Received: says, width.*Name it: caption="):
            load(tmp_path)
    batches = load(tmp_path, caption="says" if column == "says" else None)
    assert texts(batches) == WORDS
    assert f"column {column}" in batches.about["layout"]


def test_each_split_has_its_metadata(tmp_path):
    for split, text in (("train", "red"), ("test", "blue")):
        folder_of(tmp_path, names=("a", "b"), place=split)
        rows = [json.dumps({"file_name": f"{name}.png", "text": text}) for name in "ab"]
        (tmp_path / split / "metadata.jsonl").write_text("\n".join(rows))
    assert texts(load(tmp_path)) == ["red"] * 2 and texts(load(tmp_path, split="test")) == ["blue"] * 2


def test_text_files_of_splits(tmp_path):
    folder_of(tmp_path, ["red", "red"], names=("a", "b"), place="train")
    folder_of(tmp_path, ["blue", "blue"], names=("a", "b"), place="test")
    assert texts(load(tmp_path, split="test")) == ["blue"] * 2


@pytest.mark.parametrize("kind", ["arrays", "lines", "metadata"])
def test_one_of_several_captions_is_taken_at_random(tmp_path, kind):
    several = [["red", "blue hat"], ["face"], ["a", "b", "c"]]
    if kind == "arrays":
        source = images(), several
    elif kind == "lines":
        source = folder_of(tmp_path, ["\n".join(lines) + "\n" for lines in several])
    else:
        source = folder_of(tmp_path)
        rows = [json.dumps({"file_name": f"{name}.png", "text": lines}) for name, lines in zip("abc", several)]
        (tmp_path / "metadata.jsonl").write_text("\n".join(rows))
    batches = load(source, augment=True, batch_size=3, shuffle=False)
    assert batches.arrays["prompts"].shape == (3, 3, 2)
    prompts = kg.fields.Prompts(batches.about["vocabulary"], batches.about["length"])
    seen = [prompts.text(batches.at(step)["prompts"]) for step in range(40)]
    assert [sorted({row[i] for row in seen}) for i in range(3)] == [sorted(lines) for lines in several]
    assert prompts.text(batches.at(7)["prompts"]) == seen[7]  # a function of the step
    assert texts(load(source)) == ["red", "face", "a"]


def test_images_are_mirrored_with_their_captions_only_in_training():
    batches = load((images(), CAPTIONS), augment=None, batch_size=3, shuffle=False)
    seen = [batches.at(step)["images"] for step in range(8)]
    mirrored = [[bool((a == b[:, ::-1]).all()) for a, b in zip(batch, images())] for batch in seen]
    plain = [[bool((a == b).all()) for a, b in zip(batch, images())] for batch in seen]
    assert all(m != p for row, others in zip(mirrored, plain) for m, p in zip(row, others))
    assert 4 < np.sum(mirrored) < 20
    np.testing.assert_array_equal(batches.at(3)["images"], seen[3])
    np.testing.assert_array_equal(load((images(), CAPTIONS), batch_size=3, shuffle=False).at(3)["images"], images())


def test_the_captions_of_a_tfds_data_set():
    batches = load("avatars", split="test", take=8)
    assert batches.about["captions"] == "caption" and batches.image_shape == (64, 64, 3)
    assert all(text.startswith("a face with ") for text in texts(batches)) and batches.count == 8
    assert "classes" not in batches.about
    named = load("avatars", split="test", take=8, caption="caption", image_size=(16, 16))
    assert texts(named) == texts(batches) and named.image_shape == (16, 16, 3)
    with pytest.raises(DataError, match="feature of avatars with text"):
        load("avatars", split="test", take=8, caption="hair_color")
    with pytest.raises(DataError, match="Expected a feature of 'mnist'.*'caption'"):
        load("mnist", split="test", take=8)


def test_words_outside_a_vocabulary_are_left_out_and_counted():
    known = ("a", "face", "hat", "red")
    with pytest.warns(UserWarning, match=r"Left out 2 words .*'no' \(1 times\), 'smiling' \(1 times\)"):
        batches = load((images(), CAPTIONS), vocabulary=known)
    assert texts(batches) == ["a red hat", "hat", "a face"] and batches.about["vocabulary"] == list(known)
    with pytest.raises(DataError, match="of image 1, 'no hat', none of whose words"):
        load((images(), CAPTIONS), vocabulary=["red", "face"])


def test_captions_that_are_too_long_are_cut_and_counted():
    with pytest.warns(UserWarning, match="Cut 2 captions to 2 words; the longest has 3"):
        batches = load((images(), CAPTIONS), length=2)
    assert texts(batches) == ["a red", "no hat", "a face"]
    assert load((images(), CAPTIONS), length=9).arrays["prompts"].shape == (3, 9)


def test_fewer_can_be_taken(tmp_path):
    for source in ((images(20), [f"face {i}" for i in range(20)]), folder_of(tmp_path, CAPTIONS)):
        batches = load(source, take=2)
        assert batches.count == 2 and batches.about["drawn"] and len(set(texts(batches))) == 2
        again = load(source)
        places = [int(np.flatnonzero((again.images == one).all((1, 2, 3)))[0]) for one in batches.images]
        assert texts(batches) == [texts(again)[i] for i in places]


@pytest.mark.parametrize(
    "captions, message",
    [
        (["a", "b"], "as many captions as images, one for each of 3. Received: 2"),
        (["a", "", "c"], "a word or more. Received: of image 1, ''"),
        (["a", "b", "?!"], "a word or more. Received: of image 2"),
        (["a", 3, "c"], "for each image. Received: of image 1, 3"),
        (["a", [], "c"], "for each image. Received: of image 1"),
        (["a", ["b", None], "c"], "for each image. Received: of image 1"),
        ("a", "a list. Received: one text"),
    ],
)
def test_captions_that_cannot_be_are_refused(captions, message):
    with pytest.raises(DataError, match=message):
        load((images(), captions))


def test_images_without_captions_are_named(tmp_path):
    with pytest.raises(DataError, match="a text file of the same name beside each image.*Received: neither"):
        load(folder_of(tmp_path / "none"))
    with pytest.raises(DataError, match="1 of 3 images without one: b.png"):
        load(folder_of(tmp_path / "some", ["red", None, "blue"]))
    with pytest.raises(DataError, match="of c.png, ''|for each image. Received: of c.png"):
        load(folder_of(tmp_path / "empty", ["red", "blue", " \n"]))
    folder = folder_of(tmp_path / "rows")
    (folder / "metadata.jsonl").write_text(json.dumps({"file_name": "a.png", "text": "red"}))
    with pytest.raises(DataError, match="2 images|2 of 3 images"):
        load(folder)


def test_captions_in_two_places_are_refused(tmp_path):
    folder = folder_of(tmp_path, CAPTIONS)
    rows = [json.dumps({"file_name": f"{name}.png", "text": "red"}) for name in "abc"]
    (folder / "metadata.jsonl").write_text("\n".join(rows))
    with pytest.raises(DataError, match="captions in one place.*metadata.jsonl"):
        load(folder)
    assert texts(load(folder, caption="text")) == ["red"] * 3


def test_metadata_that_name_images_that_are_not_there_are_refused(tmp_path):
    rows = [json.dumps({"file_name": f"{name}.png", "text": "red"}) for name in "abcd"]
    (folder_of(tmp_path) / "metadata.jsonl").write_text("\n".join(rows))
    with pytest.raises(DataError, match="file for each caption in .*1 names without a file, such as 'd.png'"):
        load(tmp_path)


def test_a_column_of_text_files_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="no caption= for .*text files beside the images. Received: 'text'"):
        load(folder_of(tmp_path, CAPTIONS), caption="text")


def test_files_that_are_no_text_are_refused(tmp_path):
    folder = folder_of(tmp_path, CAPTIONS)
    (folder / "b.txt").write_bytes(b"\xff\xfe\x00r")
    with pytest.raises(DataError, match="captions in UTF-8. Received: .*b.txt"):
        load(folder)
    for path in folder.glob("*.txt"):
        path.unlink()
    (folder / "metadata.jsonl").write_text("{")
    with pytest.raises(DataError, match="metadata.jsonl"):
        load(folder)


@pytest.mark.parametrize(
    "source, options, error, message",
    [
        ("drawn:digits", {}, DataError, "which has none. Name a folder with a text file for each image"),
        ("no_such_set", {}, DatasetNotFoundError, "no_such_set"),
        ("no such folder/", {}, DatasetNotFoundError, "folder of images with captions"),
        ([1, 2], {}, DataError, "Received: list"),
        ((1, 2, 3), {}, DataError, "a tuple of 3"),
        ((images(), CAPTIONS), {"split": "test"}, DataError, "split='train'"),
        ((images(), CAPTIONS), {"caption": "text"}, ConfigurationError, "no caption= for arrays"),
        ((images(), CAPTIONS), {"caption": 3}, ConfigurationError, "name of a feature"),
        ((images(), CAPTIONS), {"take": 0}, ConfigurationError, "take=0"),
        ((images(), CAPTIONS), {"seed": -1}, ConfigurationError, "seed"),
        ((images(), CAPTIONS), {"length": 0}, ConfigurationError, "length of 1 word"),
        ((images(), CAPTIONS), {"vocabulary": "red"}, ConfigurationError, "list of text"),
        ((images(), CAPTIONS), {"channels": 2}, ConfigurationError, "channels"),
    ],
)
def test_arguments_that_cannot_be_are_refused(source, options, error, message):
    with pytest.raises(error, match=message):
        load(source, **options)
