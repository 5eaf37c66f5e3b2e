"""The second `keras-gans sample` of a preset: the library's images to one grey level, without Keras."""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import keras_gans as kg
from keras_gans import serving
from keras_gans.fields import uniform_of
from keras_gans_cli import fast
from keras_gans_cli.app import app
from keras_gans_core import cards, labels

pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow alone exports"),
    pytest.mark.skipif(
        not all(importlib.util.find_spec(package) for package in ("onnxruntime", "tf2onnx")),
        reason="needs the extra fast",
    ),
]

ALONE = """
import sys
from keras_gans_cli.app import app
app(sys.argv[1:], standalone_mode=False)
heavy = {"keras", "tensorflow", "keras_gans"} & set(sys.modules)
sys.exit(str(heavy) if heavy else 0)
"""


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Runs a command here, in an empty folder and home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    return lambda *arguments: app(arguments, standalone_mode=False)


def alone(*arguments, code=0):
    """Runs a command in a process that fails if it imports Keras."""
    done = subprocess.run([sys.executable, "-c", ALONE, *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture).astype("int64")


def assert_close(path, picture):
    wanted = picture[..., 0] if picture.shape[-1] == 1 else picture
    made = pixels(path)
    assert made.shape == wanted.shape and np.abs(made - wanted).max() <= 1
    assert made.std() > 20


def kept_files(tmp_path):
    return sorted((tmp_path / "home" / fast.FOLDER).glob("*"))


def test_the_second_call_makes_the_same_images_without_keras(call, tmp_path, capfd):
    call("sample", "dcgan_mnist", "--seed", "3", "-n", "5")
    assert capfd.readouterr() == ("wrote grid.png\n", "")
    (kept,) = kept_files(tmp_path)
    assert kept.stem == cards.read_card(cards.find("dcgan_mnist"))["sha256"]
    model = kg.load("dcgan_mnist")
    for arguments, seed, count, factor in (
        ((), 3, 64, 1),
        (("-n", "5", "--enlarge", "2"), 2**63 - 1, 5, 2),
        (("-n", "300"), -7, 300, 1),
    ):
        done = alone("sample", "dcgan_mnist", *arguments, "--seed", str(seed), "-o", "out.png")
        assert (done.stdout, done.stderr) == ("wrote out.png\n", "")
        assert_close("out.png", kg.images.enlarged(kg.images.grid(model.generate(count, seed=seed)), factor))
    alone("sample", "dcgan_mnist", "-n", "3", "--seed", "1", "--folder", "files")
    for i, image in enumerate(model.generate(3, seed=1)):
        assert_close(f"files/dcgan_mnist_{i:04}.png", image)
    alone("sample", "dcgan_mnist", "--seeds", "7,-2", "--folder", "seeds")
    for seed in (7, -2):
        assert_close(f"seeds/dcgan_mnist_{seed:04}.png", model.generate(seed=[seed])[0])
    alone("sample", "dcgan_mnist", "-n", "4", "-o", "a.png")
    alone("sample", "dcgan_mnist", "-n", "4", "-o", "b.png")
    assert (pixels("a.png") != pixels("b.png")).any()
    with pytest.raises(kg.errors.ConfigurationError, match="Expected inputs among noise"):
        call("sample", "dcgan_mnist", "--labels", "3")


@pytest.mark.parametrize(
    "name, given",
    [
        ("cgan_digits", {"3": 3, "0,1,2": [0, 1, 2], None: None}),
        ("acgan_avatars", {"0:1:0:1:0:0,1:0:0:0:0:1": [[0, 1, 0, 1, 0, 0], [1, 0, 0, 0, 0, 1]], None: None}),
    ],
)
def test_labels_are_the_librarys(call, name, given):
    call("sample", name, "-n", "2")
    model = kg.load(name)
    if model.label_space.names:
        first, second = model.label_space.names[:2]
        given = {**given, second: second, f"{first},{second}": [first, second]}
        if name == "acgan_avatars":
            given[f"{second}:{first}"] = f"{second}:{first}"
    for text, wanted in given.items():
        alone("sample", name, "-n", "6", "--seed", "5", *(() if text is None else ("--labels", text)), "-o", "out.png")
        turns = wanted if not isinstance(wanted, list) else [wanted[i % len(wanted)] for i in range(6)]
        options = {} if text is None else {"labels": turns}
        assert_close("out.png", kg.images.grid(model.generate(6, seed=5, **options)))


def test_several_outputs_stand_side_by_side(call):
    from keras_gans import sampling

    call("sample", "cogan_mnist_edges", "-n", "2", "--seed", "4", "-o", "wanted.png")
    alone("sample", "cogan_mnist_edges", "-n", "2", "--seed", "4", "-o", "made.png")
    model = kg.load("cogan_mnist_edges")
    assert_close("made.png", sampling.picture(model, model.generate(2, seed=4)))
    assert np.abs(pixels("made.png") - pixels("wanted.png")).max() <= 1


def test_what_the_library_refuses_it_still_refuses(call, capfd):
    call("sample", "cgan_digits", "-n", "2")
    assert fast.network(cards.read_card(cards.find("cgan_digits"))) is not None
    for arguments, error in (
        (("--labels", "10"), "from 0 to 9"),
        (("--labels", "cow"), "cow"),
        (("-n", "1", "--labels", "1,2"), "for 1 images"),
        (("--seed", str(2**63)), "Expected a seed"),
        (("--truncation", "0"), "truncation_psi"),
        (("--prompt", "a cat"), "Expected a model of sentences"),
    ):
        with pytest.raises(Exception, match=error):
            call("sample", "cgan_digits", *arguments)


def test_a_damaged_file_is_written_again(call, tmp_path):
    call("sample", "gan_mnist", "-n", "2")
    (kept,) = kept_files(tmp_path)
    content = kept.read_bytes()
    card = cards.read_card(cards.find("gan_mnist"))
    for damaged in (content[:-1], content[: len(content) // 2] + b"?" + content[len(content) // 2 + 1 :], b"", b"\0"):
        kept.write_bytes(damaged)
        assert fast.network(card) is None
    call("sample", "gan_mnist", "-n", "2", "--seed", "0", "-o", "slow.png")
    assert fast.network(card) is not None and kept_files(tmp_path) == [kept]
    alone("sample", "gan_mnist", "-n", "2", "--seed", "0", "-o", "fast.png")
    assert np.abs(pixels("slow.png") - pixels("fast.png")).max() <= 1


def test_a_damaged_preset_is_refused_though_its_network_is_kept(call, tmp_path, monkeypatch):
    call("sample", "gan_mnist", "-n", "2")
    folder = tmp_path / "zoo" / "gan_mnist"
    folder.mkdir(parents=True)
    (folder / "card.json").write_bytes((cards.find("gan_mnist") / "card.json").read_bytes())
    (folder / "model.keras").write_bytes(b"damaged")
    monkeypatch.setenv("KERAS_GANS_ZOO", str(tmp_path / "zoo"))
    with pytest.raises(kg.errors.CorruptPresetError):
        call("sample", "gan_mnist", "-n", "2")


def test_other_classes_versions_and_formats_need_another_file(tmp_path, monkeypatch):
    path, card, others = tmp_path / "kept", {"dataset": {"classes": ["a", "b"]}}, {"dataset": {"classes": ["b", "a"]}}
    path.write_bytes(fast._content(card, {"batch": 3}, b"network"))
    about, network = fast._read(path, fast._key(card))
    assert about["batch"] == 3 and network == b"network"
    assert fast._read(path, fast._key(others)) is None and fast._read(path, fast._key({})) is None
    for change in ((fast, "FORMAT", fast.FORMAT + 1), (fast.importlib.metadata, "version", lambda name: "other")):
        with monkeypatch.context() as changed:
            changed.setattr(*change)
            assert fast._read(path, fast._key(card)) is None


@pytest.mark.parametrize("error", [KeyError("while"), kg.errors.UnsupportedError("Expected operations.")])
def test_a_network_that_cannot_be_converted_is_tried_once(call, monkeypatch, capfd, error):
    tried = []

    def converted(model, format):
        tried.append(format)
        raise error

    monkeypatch.setattr(serving, "converted", converted)
    call("sample", "gan_mnist", "-n", "2", "--seed", "0")
    shown = capfd.readouterr()
    assert shown.out == "wrote grid.png\n" and shown.err.startswith("The next calls will not be faster. ")
    assert str(error) in shown.err
    call("sample", "gan_mnist", "-n", "2", "--seed", "0", "-o", "second.png")
    assert capfd.readouterr() == ("wrote second.png\n", "") and tried == ["onnx"]
    assert (pixels("second.png") == pixels("grid.png")).all()


def test_a_preset_that_is_gone_after_its_images_is_no_error(call, capfd):
    card = cards.read_card(cards.find("gan_mnist"))
    fast.keep("gone", card, kg.load("gan_mnist"))
    assert capfd.readouterr().err.startswith("The next calls will not be faster. Expected the name of a preset. ")


def test_the_oldest_networks_make_room(call, tmp_path, monkeypatch, capfd):
    folder = tmp_path / "home" / fast.FOLDER
    folder.mkdir(parents=True)
    for age, name in enumerate("bac"):
        (folder / f"{name}.network").write_bytes(bytes(4000))
        os.utime(folder / f"{name}.network", (10**9 - age, 10**9 - age))
    monkeypatch.setattr(fast, "LARGEST", 5000)
    monkeypatch.setattr(fast, "MOST", 10000)
    monkeypatch.setattr(serving, "converted", lambda model, format: bytes(5000))
    call("sample", "gan_mnist", "-n", "2")
    assert "Expected a file of at most 5000 bytes. Received: " in capfd.readouterr().err
    newest = cards.read_card(cards.find("gan_mnist"))["sha256"]
    assert {path.stem for path in kept_files(tmp_path)} == {"a", "b", newest}
    assert sum(path.stat().st_size for path in kept_files(tmp_path)) <= 10000


@keras.saving.register_keras_serializable(package="fast_tests")
class Doubled(keras.layers.Layer):
    """A layer of one's own, whose code may change while the model's file does not."""

    def call(self, inputs):
        return 2.0 * inputs


def test_layers_of_ones_own_are_not_kept(call, tmp_path, capfd):
    noise = keras.Input((4,))
    images = keras.layers.Reshape((2, 2, 1))(keras.ops.tanh(Doubled()(noise)))
    kg.GAN(keras.Model(noise, images)).save_to_preset("own")
    capfd.readouterr()
    call("sample", "own", "-n", "2")
    assert capfd.readouterr() == ("wrote grid.png\n", "") and not kept_files(tmp_path)


def test_without_the_extra_nothing_changes(call, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(fast, "_installed", lambda *packages: False)
    call("sample", "gan_mnist", "-n", "2", "--seed", "0")
    assert capfd.readouterr() == ("wrote grid.png\n", "") and not kept_files(tmp_path)


def test_a_home_that_cannot_be_written_to_is_named_before_a_conversion(call, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(serving, "converted", lambda *_: pytest.fail("converted"))
    (tmp_path / "home").write_text("a file")
    call("sample", "gan_mnist", "-n", "2", "--seed", "0")
    shown = capfd.readouterr()
    assert shown.out == "wrote grid.png\n"
    assert shown.err.startswith("The next calls will not be faster. Cannot write ")


def test_text_and_given_images_are_not_kept():
    assert fast.about(kg.load("wgan_gp_text_kjv")) is None
    assert fast.about(kg.load("deepsim_mnist")) is None


@pytest.mark.parametrize(
    "space",
    [
        kg.data.Classes(7),
        kg.data.Classes(3, 5, names=[["a", "b", "c"], ["v", "w", "x", "y", "z"]]),
        kg.data.Attributes(3, names=["hat", "glasses", "beard"]),
        kg.data.Attributes(2, rows=[[0, 0], [0, 1], [1, 1]], weights=[1, 5, 2]),
        kg.data.Values(2, low=-3.0, high=7.5),
    ],
)
def test_labels_are_drawn_and_read_alike(space):
    normals = np.random.default_rng(0).normal(size=(500, space.num_normals)).astype("float32")
    np.testing.assert_allclose(labels.uniform_of(normals), uniform_of(normals), atol=1e-7)
    kind, config = type(space).__name__, space.get_config()
    made = labels.drawn(kind, config, normals).reshape(500, *space.shape)
    np.testing.assert_allclose(made, space.from_normals(normals), rtol=1e-6, atol=1e-6)
    texts = ["0", "1", "6", "7", "-1", "0:1", "1:4", "2:5", "0:1:1", "1:1", "b:z", "z:b", "hat", "beard:hat", "cat"]
    for text in [*texts, "1.5:2", "7.6:0", "nan:0", "inf:0", "", ":", "0.0:1", "True", "1e0:0"]:
        try:
            wanted = space.check(np.asarray([space.from_text(text)])).ravel().tolist()
        except (kg.errors.DataError, OverflowError):
            wanted = None
        assert labels.label_in(kind, config, text) == wanted, text
