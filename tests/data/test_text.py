"""Text as rows of ids: it comes back as it was, from wherever it is read."""

import os

import keras
import numpy as np
import pytest

import keras_gans as kg
from keras_gans.data import decode_text, encode_text, load_text
from keras_gans.errors import ConfigurationError, DataError, DatasetNotFoundError
from keras_gans.fields import ALPHABET

LINES = ["In the beginning", "was the Word,", "", "  and the Word was with God "]
needs_kjv = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow"
    or not os.path.isdir(os.path.join(os.environ.get("TFDS_DATA_DIR", ""), "kjv_text")),
    reason="TFDS_DATA_DIR holds no prepared kjv_text, or TensorFlow is not the backend",
)


def in_order(source, **options):
    return load_text(source, shuffle=False, **{"batch_size": 1, "length": 12, **options})


def lines_of(batches):
    return decode_text(batches.arrays["tokens"], batches.about["alphabet"])


def test_two_hundred_and_fifty_six_characters_fit_in_a_byte_and_no_more():
    many = "".join(chr(0x4E00 + i) for i in range(256))
    assert encode_text([many[1:]], many, 255).tolist() == [list(range(1, 256))]
    assert decode_text([[255]], many) == [many[255]]
    with pytest.raises(ConfigurationError, match="2 to 256 characters.*Received: 257.*`unknown`"):
        encode_text(["a"], many + "a", 4)
    with pytest.raises(ConfigurationError, match="Received: 257"):
        load_text([many], length=300)  # and the padding


def test_characters_outside_the_alphabet_are_refused_or_replaced():
    with pytest.raises(DataError, match="characters 'ab'. Received also: '!c'.*`unknown`"):
        encode_text(["abc!"], "`ab", 4)
    assert encode_text(["abc!"], "`ab", 4, unknown="b").tolist() == [[1, 2, 2, 2]]
    assert encode_text(["ab!!"], "`ab", 2).tolist() == [[1, 2]]  # what is cut off is not looked at
    with pytest.raises(ConfigurationError, match="`unknown` to be a character"):
        encode_text(["ab"], "`ab", 4, unknown="?")
    with pytest.raises(DataError, match="Received also: '`', where '`' pads"):
        encode_text(["a`b"], "`ab", 4)
    assert in_order(["a`b"], unknown="a", alphabet="`ab").arrays["tokens"][0, :4].tolist() == [1, 1, 2, 0]


def test_lines_are_stripped_cut_and_padded():
    batches = in_order(LINES)
    (tokens,) = batches.arrays.values()
    assert tokens.shape == (3, 12) and tokens.dtype == "uint8" and list(batches.arrays) == ["tokens"]
    assert lines_of(batches) == ["In the begin", "was the Word", "and the Word"]
    assert batches.about == {
        "license": "of the list's owner", "name": "list", "source": "list", "split": "train", "examples": 3,
        "length": 12, "alphabet": "` IWabdeghinorstw",
    }  # fmt: skip
    assert lines_of(in_order(LINES, take=2)) == ["In the begin", "was the Word"]
    assert in_order(LINES, alphabet=ALPHABET).about["alphabet"] == ALPHABET


def test_the_order_is_that_of_batches():
    """A pure function of seed and step: `Batches`' own, which an interrupted run goes on with."""
    lines = [f"{i:03}" for i in range(26)]
    batches = load_text(lines, length=3, batch_size=8, seed=3)
    same = kg.data.Batches(tokens=encode_text(lines, batches.about["alphabet"], 3), batch_size=8, seed=3)
    for step in (0, 7, 2, 100):
        np.testing.assert_array_equal(batches.at(step)["tokens"], same.at(step)["tokens"])


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_file(tmp_path, ending):
    (tmp_path / "lines.txt").write_bytes(ending.join(["\ufeffGräßlich", *LINES]).encode())
    for source in (tmp_path / "lines.txt", str(tmp_path / "lines.txt")):
        batches = in_order(source)
        assert lines_of(batches)[:2] == ["Gräßlich", "In the begin"]
        assert batches.about["name"] == "lines.txt" and batches.about["source"] == "file"


@pytest.mark.parametrize("content", [b"", b"\n \n\n"])
def test_an_empty_file_is_refused(tmp_path, content):
    (tmp_path / "empty.txt").write_bytes(content)
    with pytest.raises(DataError, match="at least one line.*none in empty.txt"):
        in_order(tmp_path / "empty.txt")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "picture.png").write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match="text file in UTF-8.*picture.png"):
        in_order(tmp_path / "picture.png")


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("./nowhere.txt", DatasetNotFoundError, "'./nowhere.txt', which is not a file. Looked in: "),
        ("no_such_set", DatasetNotFoundError, "Expected the path of a text file, or a TFDS.*or give a text file"),
        ([], DataError, "at least one line"),
        (["a", 3], DataError, "lines as strings"),
        (7, DataError, "Expected a list of lines.*Received: int"),
    ],
)
def test_what_is_not_there_is_an_error_at_once(source, error, message, tmp_path):
    with pytest.raises(error, match=message):
        load_text(source, data_dir=tmp_path)


@pytest.mark.parametrize("options", [{"length": 0}, {"length": 2.5}, {"take": 0}, {"take": "3"}])
def test_arguments_out_of_range_are_refused(options):
    with pytest.raises(ConfigurationError, match="Expected"):
        load_text(LINES, **{"batch_size": 1, **options})


def test_numpys_counts_are_counts_and_truth_values_are_none():
    assert load_text(LINES, length=np.int64(4), take=np.int64(2), batch_size=1).arrays["tokens"].shape == (2, 4)
    for length in (True, -1, "4"):
        with pytest.raises(ConfigurationError, match="a length of 1"):
            encode_text(["a"], "`a", length)


def test_a_file_or_a_list_is_one_split():
    with pytest.raises(DataError, match="A list is one split"):
        load_text(LINES, split="test")


def test_a_tfds_set(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    tfds.disable_progress_bar()

    def store(name, **row):
        features = {
            key: tfds.features.Text() if isinstance(x, str) else tfds.features.Scalar(np.int64)
            for key, x in row.items()
        }
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name, version="1.0.0", features=tfds.features.FeaturesDict(features),
            split_datasets={"train": [(i, {**row}) for i in range(2)]}, data_dir=tmp_path, disable_shuffling=True,
        )  # fmt: skip

    store("lines", text="Ähre und Ehre", reference="1:1")
    store("numbers", number=3)
    batches = in_order("lines", data_dir=tmp_path)
    assert lines_of(batches) == ["Ähre und Ehr"] * 2
    assert batches.about["source"] == "TFDS" and batches.about["version"] == "1.0.0"
    with pytest.raises(DataError, match="feature 'text'. Received: 'numbers': number"):
        in_order("numbers", data_dir=tmp_path)
    with pytest.raises(DataError, match="Expected a split of 'lines'"):
        in_order("lines", data_dir=tmp_path, split="test")


@needs_kjv
def test_the_real_text():
    batches = in_order("kjv_text", take=3, length=32)
    assert lines_of(batches) == [
        "And when all the people saw it, ", "And thus shalt thou do unto them", "The children of Bakbuk, the chil",
    ]  # fmt: skip
    assert batches.about["license"] == "public domain"
