"""Files of strangers, through every door that takes them: a typed error or a model, and nothing else happens.

`fuzzing.py` damages files by chance; the inputs here are those that somebody would think of.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import keras_gans as kg
from keras_gans import evaluation, training
from keras_gans.errors import (
    CheckpointError,
    ConfigurationError,
    CorruptPresetError,
    DataError,
    KerasGansError,
    OutputError,
)
from keras_gans.files import CONFIG
from keras_gans_cli.app import app
from keras_gans_core import cards, trust

FUZZING = Path(__file__).with_name("fuzzing.py")
# MiB: what `read_model` promises for small files; of a picture, 15 bytes for each of the 89 million pixels that may be,
# which are three of four bytes and one of three while the transparent is made white.
# Of arrays, 64 that are unpacked at most, three times for their checks and conversions.
LARGEST_GROWTH = {"model": 64, "card": 64, "picture": 1280, "array": 192, "zip": 64, "folder": 64}


@pytest.fixture(scope="module")
def members():
    """Those of a small preset's file."""
    with zipfile.ZipFile(cards.find("classifier_mnist") / "model.keras") as file:
        return {name: file.read(name) for name in file.namelist()}


def packed(path, members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def as_preset(path, variant):
    """The folder of a preset whose card describes the file."""
    card = cards.read_card(cards.find("gan_mnist"))
    facts = {"variant": variant, "size": path.stat().st_size, "sha256": cards.sha256(path)}
    (path.parent / "card.json").write_text(json.dumps({**card, **facts}))
    return str(path.parent)


def command(*arguments):
    CliRunner().invoke(app, arguments, catch_exceptions=False)


DOORS = {
    "load": lambda path: kg.load(as_preset(path, "GAN")),
    "load_file": kg.zoo.load_file,
    "load_network": kg.zoo.load_network,
    "load_classifier": lambda path: kg.zoo.load_classifier(as_preset(path, cards.CLASSIFIER)),
    "features": lambda path: evaluation.extractor(str(path), (28, 28, 1)),
    "sample": lambda path: command("sample", as_preset(path, "GAN"), "-o", str(path.with_suffix(".png"))),
    "evaluate": lambda path: command("evaluate", str(path), "--data", "drawn:digits"),
}
HOSTILE = {
    "shapes": {"units": '"units": 64', "instead": '"units": 40000000'},
    "code": {"units": '"class_name": "Dense"', "instead": '"class_name": "Lambda"'},
    "a program": {
        "units": '"module": "keras.layers", "class_name": "Dense"',
        "instead": '"module": "subprocess", "class_name": "Popen"',
    },
}


@pytest.mark.parametrize("hostile", [*HOSTILE, "member", "bytes"])
@pytest.mark.parametrize("door", DOORS)
def test_every_door_is_guarded(door, hostile, members, tmp_path):
    path = tmp_path / "zoo" / "model.keras"
    path.parent.mkdir()
    if hostile == "bytes":
        path.write_bytes(b"no zip")
    elif hostile == "member":
        packed(path, {**members, "../../out.txt": b""})
    else:
        config = members[CONFIG].decode()
        change = HOSTILE[hostile]
        assert change["units"] in config
        packed(path, {**members, CONFIG: config.replace(change["units"], change["instead"])})
    with pytest.raises(CorruptPresetError, match=r"Expected a Keras model in .*model.keras. Received: \w+: .*Fetch it"):
        DOORS[door](path)
    assert os.listdir(tmp_path) == ["zoo"] and set(os.listdir(tmp_path / "zoo")) <= {"model.keras", "card.json"}


def test_a_checkpoint_that_is_none_is_not_resumed(members, tmp_path):
    path = packed(tmp_path / "checkpoint.keras", members)
    with pytest.raises(CheckpointError, match="checkpoint.keras holds a Functional without optimizers, not a training"):
        kg.callbacks.resume(tmp_path)
    shutil.copy(cards.find("gan_mnist") / "model.keras", path)
    with pytest.raises(CheckpointError, match="checkpoint.keras holds a GAN without optimizers, not a training"):
        kg.callbacks.resume(tmp_path)
    packed(path, {**members, "../../out.txt": b""})
    with pytest.raises(CheckpointError, match="checkpoint.keras cannot be read .*Expected the members"):
        kg.callbacks.resume(tmp_path)


def test_a_model_that_is_no_classifier_is_no_judge(tmp_path):
    path = Path(shutil.copy(cards.find("gan_mnist") / "model.keras", tmp_path))
    with pytest.raises(CorruptPresetError, match="Expected a network of one output in .*. Received: a GAN. Fetch"):
        kg.zoo.load_classifier(as_preset(path, cards.CLASSIFIER))
    with pytest.raises(ConfigurationError, match="functional Keras model"):
        evaluation.extractor(str(path), (28, 28, 1))


def test_only_one_place_reads_model_files():
    """Elsewhere Keras would read them unchecked."""
    root = Path(kg.__file__).parents[1]
    folders = ("keras_gans", "keras_gans_cli", "keras_gans_core")
    sources = [path for folder in folders for path in (root / folder).rglob("*.py")]
    found = [path.name for path in sources if "saving.load_model(" in path.read_text(encoding="utf-8")]
    assert found == ["files.py"]


def test_an_error_of_a_stranger_is_short_and_can_be_shown(members, tmp_path):
    """Keras puts the whole config into its error: here a name that clears the terminal, and a long one."""
    config = (
        members[CONFIG]
        .decode()
        .replace('"class_name": "Dense"', '"class_name": "De\\u001b[2J\\ud800nse' + "x" * 9999 + '"')
    )
    with pytest.raises(CorruptPresetError) as caught:
        kg.zoo.load_file(packed(tmp_path / "model.keras", {**members, CONFIG: config}))
    message = str(caught.value)
    assert len(message) < 1000 and message.isprintable() and r"De\x1b[2J\ud800nsexxx" in message
    message.encode()


# Cards

DEEP = "[" * 40 + "]" * 40
WILD_CARDS = {
    "size": (1.0, True, None, "10", [10], float("nan")),
    "sha256": (None, 5, ["a"], {}),
    "preset": (None, 5, ["a"], "\ud800", "\x1b[2J", "a\0b"),
    "variant": (None, True, [], {"a": 1}),
    "image_shape": (
        None,
        5,
        [],
        [28],
        [28, 28, 1, 1],
        ["28", 28, 1],
        [0, 28, 1],
        [28, 28, 10**9],
        [[28], 28, 1],
        "28x28",
    ),
    "title": (5, [], None, "\udcff", "\x9b2J"),
    "dataset": (
        5,
        [],
        "mnist",
        {"name": 5},
        {"name": {}},
        {"note": "\ud800"},
        {"\x1b": 1},
        {"domains": {}},
        {"domains": ["edges"]},
        {"domains": ["", 5]},
    ),
    "metrics": (5, [], None, {"frechet_distance": {"value": "\x07"}}),
    "training": (5, "x"),
    "evaluation": (5, [["x"]]),
    "more": ("\ud800", ["\x1b[2J"], json.loads(DEEP)),
}


@pytest.mark.parametrize("key", WILD_CARDS)
def test_a_wild_card_is_refused(key, tmp_path):
    card = cards.read_card(cards.find("gan_mnist"))
    for value in WILD_CARDS[key]:
        (tmp_path / "card.json").write_text(json.dumps({**card, key: value}))
        with pytest.raises(CorruptPresetError, match="Expected a card in .*. Received: .*Fetch it again") as caught:
            cards.read_card(tmp_path)
        assert str(caught.value).isprintable()


def test_a_card_that_is_no_text_or_lacks_an_entry_is_refused(tmp_path):
    card = cards.read_card(cards.find("gan_mnist"))
    lacking = (json.dumps({k: v for k, v in card.items() if k != key}).encode() for key in cards.REQUIRED)
    for content in (b"\xff\xfe\x00", b"null", b"9" * 5000, b'{"size": 1' + b"0" * 5000 + b"}", *lacking):
        (tmp_path / "card.json").write_bytes(content)
        with pytest.raises(CorruptPresetError, match="Expected a card"):
            cards.read_card(tmp_path)


def test_a_card_may_say_what_is_of_no_consequence(tmp_path):
    card = {**cards.read_card(cards.find("gan_mnist")), "note": ["Zeile\n\tzwei: é字", 1e308, -1, None, {"x": []}]}
    (tmp_path / "card.json").write_text(json.dumps(card), encoding="utf-8")
    assert cards.read_card(tmp_path) == card


def test_a_preset_of_an_unspeakable_name_is_not_listed(tmp_path, monkeypatch):
    for name in (b"\xff\xfe", b"\x1b[2J", b"decent"):
        shutil.copytree(cards.find("gan_mnist"), tmp_path / os.fsdecode(name))
    monkeypatch.setenv("KERAS_GANS_ZOO", str(tmp_path))
    assert set(cards.presets()) - set(os.listdir(cards.PACKAGE_ZOO)) == {"decent"}
    command("list")


# What `verify` reads besides


@pytest.fixture
def preset(tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(cards.find("gan_mnist"), folder)
    return folder


@pytest.mark.parametrize(
    "stated",
    [{"samples": 10**12}, {"samples": 0}, {"samples": "10"}, {"seed": 1.5}, {"metrics": 5}, {"metrics": [5]},
     {"source": ["mnist"]}, {"features": 5}, {"sides": [5]}, {"unknown": 1}],
)  # fmt: skip
def test_settings_that_no_run_states_are_said_to_be_wrong(stated, preset):
    card = cards.read_card(preset)
    card["evaluation"].update(stated)
    (preset / "card.json").write_text(json.dumps(card))
    *_, last = evaluation.verify(str(preset))
    assert last[0] == "card" and last[1].startswith("cannot be compared with its files: ")


def test_golden_samples_that_are_none_are_refused(preset):
    for content in (b"", b"no zip", (preset / "golden.npz").read_bytes()[:-50]):
        (preset / "golden.npz").write_bytes(content)
        with pytest.raises(CorruptPresetError, match="Expected golden samples in .*. Received: .*Fetch"):
            list(evaluation.verify(str(preset)))
    np.savez_compressed(preset / "golden.npz", noise=np.zeros((2**24, 2), "float32"))
    with pytest.raises(CorruptPresetError, match="more than 67108864"):
        list(evaluation.verify(str(preset)))
    np.savez(preset / "golden.npz", noise=np.array([object()], dtype=object))
    with pytest.raises(CorruptPresetError, match="(?i)pickle"):
        list(evaluation.verify(str(preset)))


@pytest.mark.parametrize("golden", [{}, {"noise": np.zeros((16, 64))}, {"inputs/noise": np.zeros((16, 64))}])
def test_golden_samples_without_names_of_inputs_and_outputs_are_refused(golden, preset):
    np.savez(preset / "golden.npz", **golden)
    with pytest.raises(CorruptPresetError, match="Expected golden samples under the names inputs/... and outputs/"):
        list(evaluation.verify(str(preset)))


IMAGES = np.zeros((16, 28, 28, 1), "uint8")


@pytest.mark.parametrize(
    "golden",
    [
        {"inputs/noise": "x", "outputs/images": IMAGES},
        {"inputs/noise": np.zeros((16, 3)), "outputs/images": IMAGES},
        {"inputs/codes": np.zeros((16, 64)), "outputs/images": IMAGES},
        {"inputs/noise": np.zeros((16, 64)), "outputs/faces": IMAGES},
        {"inputs/noise": np.zeros((16, 64)), "outputs/images": IMAGES[:2, :3]},
        {"inputs/noise": np.zeros((16, 64)), "outputs/images": "x"},
    ],
)
def test_other_golden_samples_are_said_to_be_wrong(golden, preset):
    np.savez(preset / "golden.npz", **golden)
    *_, last = evaluation.verify(str(preset))
    assert last[0] == "card" and "cannot be compared" in last[1]


# Zoo folders of strangers


@pytest.fixture
def soon():
    """What reads from a pipe or a device would not end."""

    def late(*_):
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", ["card.json", "model.keras", "golden.npz", "recipe.py"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_only_regular_files_are_read(kind, name, preset, soon):
    path = preset / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    if name == "recipe.py":  # no part of the model
        assert not trust.is_known(path)
        with pytest.raises(ConfigurationError, match="which is not a file"):
            training.read_recipe(path)
        command("sample", str(preset), "-n", "1", "-o", str(preset / "out.png"))
        return
    with pytest.raises(KerasGansError, match="no regular file|not a file|no such file|without one"):
        for _, problem in evaluation.verify(str(preset)):
            if problem:
                raise CorruptPresetError(problem)


def test_huge_files_are_refused_unread(preset, soon):
    for name, match in (("card.json", "more than 1048576"), ("golden.npz", "zip file"), ("model.keras", "at most")):
        whole = (preset / name).read_bytes()
        os.truncate(preset / name, 2**40)  # sparse
        with pytest.raises(CorruptPresetError, match=match):
            list(evaluation.verify(str(preset)))
            kg.load(str(preset))
        (preset / name).write_bytes(whole)
    os.truncate(preset / "recipe.py", 2**40)
    assert not trust.is_known(preset / "recipe.py") and not trust.remember(preset / "recipe.py")


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A folder of presets that is looked into first: a whole one, one whose card is broken, and what is none."""
    for name in ("whole", "broken", "cgan_digits"):
        shutil.copytree(cards.find("gan_mnist"), tmp_path / "zoo" / name)
    for name in ("broken", "cgan_digits"):
        (tmp_path / "zoo" / name / "card.json").write_text('{"preset": "\\u001b[2J"}')
    (tmp_path / "zoo" / "loose").write_text("")
    monkeypatch.setenv("KERAS_GANS_ZOO", str(tmp_path / "zoo"))
    return tmp_path / "zoo"


def test_a_broken_card_is_left_out_with_a_line_and_breaks_nothing_else(zoo):
    done = CliRunner().invoke(app, ["list"], catch_exceptions=False)
    assert done.exit_code == 0 and "whole " in done.stdout and "dcgan_mnist " in done.stdout
    assert "broken " not in done.stdout and "\x1b" not in done.output
    for name in ("broken", "cgan_digits"):
        assert f"Left out {name}: Expected a card in {zoo / name / 'card.json'}" in done.stderr
    listed = CliRunner().invoke(app, ["list", "--json"], catch_exceptions=False)
    assert {"gan_mnist", "dcgan_mnist"} <= {card["preset"] for card in json.loads(listed.stdout)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert {"whole", "dcgan_mnist"} <= set(kg.zoo.presets()) and "classifier_mnist" in kg.zoo.classifiers()
    said = [str(one.message).split(":")[0] for one in caught]
    assert said == 2 * ["Left out broken", "Left out cgan_digits"]
    assert kg.load("whole").generate(1, seed=0).shape == kg.load("dcgan_mnist").generate(1, seed=0).shape
    for name in ("broken", "cgan_digits"):  # which was asked for, and is not quietly another
        with pytest.raises(CorruptPresetError, match="Expected a card"):
            kg.load(name)


def test_a_classifiers_card_without_data_judges_nothing_and_breaks_nothing(tmp_path, monkeypatch):
    shutil.copytree(cards.find("classifier_mnist"), tmp_path / "a_judge")
    card = cards.read_card(tmp_path / "a_judge")
    for name in ("dataset", "metrics"):
        del card[name]
    (tmp_path / "a_judge" / "card.json").write_text(json.dumps(card))
    monkeypatch.setenv("KERAS_GANS_ZOO", str(tmp_path))
    assert evaluation.settings.classifiers_of("mnist") == ["classifier_mnist"]


@pytest.mark.parametrize("place", ["missing", "file", "x" * 5000, "a/" * 3000])
def test_a_zoo_that_is_no_folder_is_empty(place, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERAS_GANS_ZOO", str(tmp_path / place))
    assert set(cards.presets()) == {path.parent.name for path in cards.PACKAGE_ZOO.glob("*/card.json")}
    command("list")


def test_a_recipe_that_stands_in_for_the_packages_is_said(tmp_path, monkeypatch, capsys):
    for name in ("gan_mnist", "another"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "recipe.py").write_text("raise SystemExit('the code of a stranger ran')")
    assert cards.shadowed("gan_mnist") is None
    monkeypatch.setenv("KERAS_GANS_ZOO", str(tmp_path))
    assert cards.shadowed("another") is None and cards.shadowed("dcgan_mnist") is None
    done = CliRunner().invoke(app, ["train", "gan_mnist", "-o", str(tmp_path / "run")])
    assert f"The recipe gan_mnist is {tmp_path}/gan_mnist/recipe.py, of KERAS_GANS_ZOO, and not" in done.stderr
    assert "the code of a stranger ran" in done.output


LONG = {"letters": "x" * 5000, "folders": "a/" * 3000, "zero": "a\0b", "half": "\ud800", "nobody": "~nobody-here/x"}


@pytest.mark.parametrize("name", LONG)
def test_names_that_no_file_has_are_typed_errors(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = LONG[name]
    doors = [
        kg.load,
        kg.zoo.load_file,
        kg.zoo.load_classifier,
        kg.data.load,
        lambda name: kg.data.load_pairs(name, sides=("a", "b")),
        lambda name: kg.data.load_unpaired(name, sides=("a", "b")),
        kg.data.load_text,
        kg.data.load_captions,
        lambda name: kg.data.load_clips(name, context=2),
        kg.data.read_clip,
        lambda name: list(evaluation.verify(name)),
        lambda name: command("info", name),
        lambda name: command("sample", name),
        lambda name: command("train", "gan", "--data", name),
        kg.callbacks.resume,
    ]
    for door in doors:
        with pytest.raises(KerasGansError) as caught:
            door(name)
        shown = str(caught.value)
        assert "Expected" in shown and "Received" in shown and shown.replace("\n", "").isprintable()
        assert len(shown) < 2000


@pytest.mark.parametrize("name", ["x" * 5000, "a/" * 3000, "a\0b", "\ud800"])
def test_folders_that_cannot_be_made_are_typed_errors(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def recipe(smoke):
        pytest.fail("the data were read for nothing")

    model = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
    doors = [
        lambda: training.train(recipe, name),
        lambda: training.train(recipe, name, overwrite=True),
        lambda: training.train(recipe, name, resume_from=name),
        lambda: kg.callbacks.Checkpoint(name).set_model(model),
    ]
    for door in doors:
        with pytest.raises(KerasGansError) as caught:
            door()
        shown = str(caught.value)
        assert "Expected" in shown and "Received" in shown and len(shown) < 2000


def test_an_export_into_a_name_that_is_too_long_is_a_typed_error():
    with pytest.raises(OutputError, match="Choose") as caught:
        kg.export(kg.GAN(image_shape=(8, 8, 1), latent_dim=4), "x" * 5000)
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize(
    "labels", [10, -1, 10**30, [10**30], "9" * 5000, ["9" * 5000], "x" * 5000, 1.5, [[1, 2]], "1e400", [object()], {}]
)  # fmt: skip
def test_labels_outside_the_space_are_typed_errors(labels):
    with pytest.raises(DataError) as caught:
        kg.load("cgan_digits").generate(1, labels=labels)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("key", ["preset", "variant", "name"])
def test_a_card_with_a_name_of_5000_characters_is_refused(key, preset):
    card = cards.read_card(preset)
    (card["dataset"] if key == "name" else card)[key] = "x" * 5000
    (preset / "card.json").write_text(json.dumps(card))
    with pytest.raises(CorruptPresetError, match="Received: ValueError: a name of 5000 characters"):
        kg.load(str(preset))


@pytest.mark.parametrize("policy", ["int8", "int32", "uint8", "bool", "string", "complex64", "no type"])
@pytest.mark.parametrize("part", ["model", "generator"])
def test_dtype_policies_that_a_network_cannot_have_are_typed_errors(part, policy, tmp_path):
    with zipfile.ZipFile(cards.find("gan_mnist") / "model.keras") as file:
        members = {name: file.read(name) for name in file.namelist()}
    config = json.loads(members[CONFIG])
    if part == "model":
        config["config"]["dtype"]["config"]["name"] = policy
    else:
        layers = config["config"]["generator"]["config"]["layers"]
        dense = next(layer for layer in layers if layer["class_name"] == "Dense")
        dense["config"]["dtype"]["config"]["name"] = policy
    with pytest.raises(CorruptPresetError, match="Expected a Keras model"):
        kg.zoo.load_file(packed(tmp_path / "model.keras", {**members, CONFIG: json.dumps(config)}))


@pytest.mark.parametrize("inner", [[1, 2], [None], "text", 5])
def test_a_configuration_that_is_no_dict_is_a_typed_error(inner, tmp_path):
    with zipfile.ZipFile(cards.find("gan_mnist") / "model.keras") as file:
        members = {name: file.read(name) for name in file.namelist()}
    config = json.dumps({**json.loads(members[CONFIG]), "config": inner})
    with pytest.raises(CorruptPresetError, match="Expected a .*odel"):
        kg.zoo.load_file(packed(tmp_path / "model.keras", {**members, CONFIG: config}))


# By chance


def fuzz(count, seed, folder):
    """What `fuzzing.py` says of so many damaged files; it ends at an outcome that must not be."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": "ignore"}
    arguments = [sys.executable, str(FUZZING), str(count), str(seed), str(folder)]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{done.stderr[-3000:]} at input {(folder / 'now').read_text()}"
    found = json.loads(done.stdout.splitlines()[-1])
    assert sum(found["outcomes"].values()) == count
    for kind, (growth, _) in found["largest_growth_mib"].items():
        assert growth < LARGEST_GROWTH[kind]
    return found["outcomes"]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="what Keras reads does not hang on the backend")
def test_damaged_files_end_in_typed_errors(tmp_path):
    outcomes = fuzz(400, seed=0, folder=tmp_path)
    typed = [error.__name__ for error in KerasGansError.__subclasses__()] + ["LeftOut", "read"]
    assert all(outcome.split(": ")[1] in typed for outcome in outcomes)
    for kind in LARGEST_GROWTH.keys() - {"zip"}:  # damage is neither always noticed nor never
        ends = {outcome: number for outcome, number in outcomes.items() if outcome.startswith(kind)}
        assert 0 < ends[f"{kind}: read"] < sum(ends.values())
    assert "zip: read" not in outcomes  # zips of images are refused


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="what Keras reads does not hang on the backend")
@pytest.mark.parametrize("part", range(20))
def test_twenty_thousand_damaged_files_end_in_typed_errors(part, tmp_path):
    print(fuzz(1000, seed=1000 * (part + 1), folder=tmp_path))
