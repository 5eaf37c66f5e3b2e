"""Names that cannot be shown, such as those of files with any bytes in them: escaped when data are read."""

import os
import warnings

import forked
import keras
import numpy as np
import pytest
from PIL import Image

import keras_gans as kg
from keras_gans import training
from keras_gans.data import decoded
from keras_gans.errors import ConfigurationError, DataError, DatasetNotFoundError, OutputError
from keras_gans_core import cards
from keras_gans_core.errors import printable

CLEAR, UNDECODABLE, TITLE = b"\x1b[2J", b"\xff", b"\x1b]0;x\x07"  # of a terminal; of no encoding
NAMES = [b"cat" + CLEAR, b"dog" + UNDECODABLE]


def safe(text):
    """Whether a text has nothing that a terminal obeys, and can be written in UTF-8."""
    text.encode()
    return "\x1b" not in text and "\x07" not in text


def folder_of_classes(root, names=NAMES, count=5):
    folder = os.path.join(os.fsencode(root), b"data" + CLEAR + UNDECODABLE)
    rng = np.random.default_rng(0)
    for name in names:
        os.makedirs(os.path.join(folder, name))
        for i in range(count):
            picture = Image.fromarray(rng.integers(0, 256, (8, 8, 3)).astype("uint8"))
            picture.save(os.path.join(folder, name, b"%d" % i + TITLE + UNDECODABLE + b".png"))
    return os.fsdecode(folder)


def test_what_can_be_shown_stays():
    for text in ("cat", "Käse 字 🐈", "می\u200cخواهم", "a\\x1b", "", "e\u0301"):
        assert printable(text) == text
    assert printable("a\x1b\n\t\x9b\udcff\u202e\x7f\0") == r"a\x1b\n\t\x9b\udcff\u202e\x7f\x00"
    assert printable("a\n\tb\x1b", allowed="\n\t") == "a\n\tb\\x1b"


def test_classes_by_folder_are_escaped(tmp_path, capsys):
    keras.config.enable_interactive_logging()
    data = kg.data.load(folder_of_classes(tmp_path), batch_size=2)
    assert data.about["classes"] == [r"cat\x1b[2J", r"dog\udcff"] == list(data.label_space.names)
    assert data.about["name"] == r"data\x1b[2J\udcff" and safe(data.about["layout"])
    assert safe(capsys.readouterr().err)


def test_unreadable_files_are_named_with_escapes(tmp_path):
    folder = folder_of_classes(tmp_path)
    for name in (b"bad" + TITLE + UNDECODABLE + b".png", b"other." + CLEAR):
        with open(os.path.join(os.fsencode(folder), NAMES[0], name), "wb") as file:
            file.write(b"no image")
    with pytest.warns(UserWarning, match=r"cat\\x1b\[2J/bad\\x1b\]0;x\\x07\\udcff.png") as caught:
        kg.data.load(folder, batch_size=2)
    assert all(safe(str(one.message)) for one in caught)
    with pytest.raises(DataError) as refused:
        kg.data.load(folder, batch_size=2, strict=True)
    assert safe(str(refused.value)) and "bad" in str(refused.value)


def test_decoded_images_are_kept_whatever_their_names(tmp_path, monkeypatch):
    monkeypatch.setattr(decoded, "WORTH", 0.0)
    folder, kept = folder_of_classes(tmp_path), tmp_path / "run"
    with open(os.path.join(os.fsencode(folder), NAMES[0], b"bad" + UNDECODABLE + b".png"), "wb"):
        pass
    with warnings.catch_warnings(), decoded.kept_in(kept):
        warnings.simplefilter("ignore")
        first, second = (kg.data.load(folder, batch_size=2) for _ in range(2))
    assert (kept / decoded.NAME).exists() and first.fingerprint() == second.fingerprint()


def test_names_that_are_alike_when_shown_are_refused(tmp_path):
    folder = folder_of_classes(tmp_path, [b"cat\x1b", b"cat\\x1b"])
    with pytest.raises(DataError, match=r"names differ when they are shown. Received: 'cat\\\\x1b' twice"):
        kg.data.load(folder, batch_size=2)


def test_names_in_arrays_and_metadata_are_escaped(tmp_path):
    images = np.zeros((2, 8, 8, 1), "uint8")
    data = kg.data.load((images, np.array(["cat\x1b[2J", "dog"])), batch_size=1)
    assert data.about["classes"] == [r"cat\x1b[2J", "dog"]
    for i in range(2):
        Image.new("L", (8, 8)).save(tmp_path / f"{i}.png")
    lines = ['{"file_name": "0.png", "label": "cat\\u001b[2J"}', '{"file_name": "1.png", "label": "\\ud800"}']
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    assert kg.data.load(tmp_path, batch_size=1).about["classes"] == [r"cat\x1b[2J", r"\ud800"]


@pytest.mark.parametrize("error", [ConfigurationError, DataError, DatasetNotFoundError, OutputError])
def test_every_error_can_be_shown(error):
    """Wherever a name comes from."""
    shown = str(error("Expected a file.\nReceived: \x1b[2J\udcff."))
    assert shown == "Expected a file.\nReceived: \\x1b[2J\\udcff."
    assert repr(error("\x1b")).isprintable()


def test_a_run_on_unspeakable_names_writes_a_card_that_is_read(tmp_path):
    source, output = folder_of_classes(tmp_path), os.fsdecode(os.fsencode(tmp_path) + b"/run" + CLEAR + UNDECODABLE)
    recipe = training.variant_recipe(kg.CGAN, source, image_size=(8, 8), batch_size=4, epochs=1)
    training.train(recipe, output, verbose=0)
    card = cards.read_card(output)
    assert card["preset"] == r"run\x1b[2J\udcff" and card["dataset"]["classes"] == card["label_names"]
    images = kg.load(output).generate(2, labels=card["label_names"])
    assert images.shape == (2, 8, 8, 3)


def test_words_of_a_recipe_and_names_of_a_model_are_escaped_in_its_card(tmp_path):
    model = kg.CGAN(image_shape=(8, 8, 1), latent_dim=4, label_space=kg.data.Classes(names=["a\x1b", "b\udcff"]))
    kg.zoo.write_preset(model, tmp_path, {"title": "two\nlines\x1b[2J", "more": [{"\x07": 1}]})
    card = cards.read_card(tmp_path)
    assert card["title"] == "two\nlines\\x1b[2J" and card["more"] == [{r"\x07": 1}]
    assert card["label_names"] == [r"a\x1b", r"b\udcff"]


def test_a_card_that_would_be_refused_is_not_written(tmp_path):
    model = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
    kg.zoo.write_preset(model, tmp_path / "a", {"title": "whole"})
    for more in ({"dataset": {"classes": ["x" * 2**20]}}, {"title": 5}, {"dataset": {"name": "x" * 5000}}):
        with pytest.raises(ConfigurationError, match="Expected what a card can hold. Received"):
            kg.zoo.write_preset(model, tmp_path / "a", more)
    assert cards.read_card(tmp_path / "a")["title"] == "whole" and len(os.listdir(tmp_path / "a")) == 5


def test_what_no_card_can_hold_is_refused_before_training(tmp_path):
    images, names = np.zeros((4, 8, 8, 1), "uint8"), [f"{i:05} {'x' * 60}" for i in range(9000)]
    data = kg.data.Batches(images, np.arange(4), batch_size=2, about={"name": "many", "classes": names})
    model = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
    model.compile()

    class Never(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            pytest.fail("it trains")

    recipe = training.Recipe(model=model, dataset=data, epochs=1, callbacks=[Never()])
    with pytest.raises(ConfigurationError, match="Expected what a card can hold.*most of them in"):
        training.train(lambda smoke: recipe, tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def test_characters_of_a_text_that_cannot_be_shown_are_refused_or_replaced():
    with pytest.raises(DataError, match=r"Received: '\\x07\\x1b' in list. Remove them"):
        kg.data.load_text(["a\x1bcat", "b\x07b"], length=5)
    data = kg.data.load_text(["a\x1bcat", "bab"], length=5, alphabet="` abct", unknown=" ", batch_size=1)
    assert kg.data.decode_text(data.arrays["tokens"], "` abct") == ["a cat", "bab"]
    with pytest.raises(ConfigurationError, match=r"characters that can be shown. Received: '\\x1b'"):
        kg.data.load_text(["a"], length=5, alphabet="`a\x1b")
    assert kg.data.load_text(["a\tb"], length=5, batch_size=1).about["alphabet"] == "`\tab"


def test_nothing_that_a_terminal_obeys_leaves_the_command_line(tmp_path):
    source = folder_of_classes(tmp_path)
    with open(os.path.join(os.fsencode(source), NAMES[0], b"bad" + TITLE + b".png"), "wb") as file:
        file.write(b"no image")
    output = os.fsencode(tmp_path) + b"/run" + CLEAR + UNDECODABLE
    train = ["train", "gan", "--data", source, "--image-size", "8", "--epochs", "1", "--batch-size", "2", "-o", output]
    for arguments in (train, ["info", output], ["info", source]):
        done = forked.run("-m", "keras_gans_cli.app", *arguments, cwd=tmp_path, text=False)
        said = done.stdout + done.stderr
        assert b"Traceback" not in said and done.returncode in (0, 2), said
        assert said.decode() and CLEAR not in said and b"\x1b]" not in said and b"\x07" not in said
