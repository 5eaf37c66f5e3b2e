"""The page for browsers: complete, and without a word to anyone outside."""

import importlib.util
import json
import re
import shutil
import subprocess

import click
import keras
import numpy as np
import pytest

import keras_gans as kg
from keras_gans_cli import page
from keras_gans_cli.app import app
from keras_gans_core import philox

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
needs_onnx = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow"
    or not all(importlib.util.find_spec(package) for package in ("onnxruntime", "tf2onnx")),
    reason="needs TensorFlow and the extra onnx",
)


@pytest.fixture
def runtime(tmp_path):
    """A folder with files of the names of ONNX Runtime Web's."""
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in (*page.RUNTIME, "ort.webgpu.min.js"):
        (folder / name).write_text(name)
    return folder


def make_model(label_space):
    labels = {} if label_space is None else {"label_space": label_space}
    kind = kg.GAN if label_space is None else kg.CGAN
    model = kind(image_shape=(8, 8, 3), latent_dim=4, **labels)
    return kg.zoo.sampler(model)


def about_in(folder):
    text = (folder / "index.html").read_text()
    return json.loads(re.search(r'<script id="about" type="application/json">(.*?)</script>', text, re.S).group(1))


@needs_onnx
@pytest.mark.parametrize(
    "space, columns",
    [
        (None, None),
        (kg.data.Classes(2, names=["</script>", "dog"]), [{"title": "class", "choices": ["</script>", "dog"]}]),
        (kg.data.Attributes(1, names=["hat"]), [{"title": "hat", "choices": ["no", "yes"]}]),
        (kg.data.Values(1, low=0.0, high=2.0), [{"title": "number 1", "low": 0.0, "high": 2.0}]),
    ],
)
def test_a_page_is_complete_and_refers_to_nothing_outside(tmp_path, runtime, capfd, space, columns):
    import onnxruntime

    make_model(space).save(tmp_path / "mine.keras")
    folder = tmp_path / "page"
    arguments = ("export", str(tmp_path / "mine.keras"), "--format", "web", "--runtime", str(runtime))
    app([*arguments, "-o", str(folder)], standalone_mode=False)
    assert capfd.readouterr() == (f"wrote {folder}\n", "")
    files = {path.name for path in folder.iterdir()}
    assert files == {*page.RUNTIME, "index.html", "network.onnx", "noise.js"}
    for name in page.RUNTIME:
        assert (folder / name).read_text() == name
    text = (folder / "index.html").read_text()
    named = set(re.findall(r"""(?:src|href)="([^"]*)"|create\("([^"]*)"\)""", text))
    assert {next(filter(None, names)) for names in named} - {"data:,"} == {
        "ort.wasm.min.js",
        "noise.js",
        "network.onnx",
    }
    assert "://" not in text and "://" not in (folder / "noise.js").read_text()
    assert "default-src 'self'" in text

    about = about_in(folder)
    assert about.get("columns") == columns and about["name"] == "mine" and about["outputs"] == ["images"]
    session = onnxruntime.InferenceSession(folder / "network.onnx")
    inputs = {"noise": np.zeros((3, about["noise"]), "float32")}
    if columns:
        shape = (3,) if about["flat"] else (3, len(columns))
        inputs["labels"] = np.zeros(shape, "int64" if about["whole"] else "float32")
    assert session.run(about["outputs"], inputs)[0].shape == (3, 8, 8, 3)


@needs_node
def test_a_seed_has_the_same_noise_in_the_browser():
    script = (page.OWN / "noise.js").read_text()
    for seed, size in ((0, 12), (-7, 5), (2**63 - 1, 64), (-(2**63), 1), (123456789012, 6)):
        code = f"{script}\nconsole.log(JSON.stringify([...normal({size}, {seed}n)]))"
        done = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
        np.testing.assert_allclose(json.loads(done.stdout), philox.normal(size, seed), atol=2e-6)


@needs_node
def test_the_scripts_can_be_read(tmp_path):
    scripts = re.findall(r"<script>(.*?)</script>", (page.OWN / "index.html").read_text(), re.S)
    assert len(scripts) == 1
    (tmp_path / "page.js").write_text(scripts[0])
    done = subprocess.run(["node", "--check", tmp_path / "page.js"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_a_page_needs_is_asked_for(tmp_path, runtime):
    (runtime / page.RUNTIME[2]).unlink()
    out = str(tmp_path / "page")
    for arguments, error in (
        (("-o", out, "--format", "web"), "Expected --runtime FOLDER"),
        (("-o", out, "--runtime", str(runtime)), "only there"),
        (("-o", out, "--format", "web", "--runtime", str(runtime)), rf"without {re.escape(page.RUNTIME[2])}\. .*npm"),
        ((out, "-o", out), "Received: both"),
        ((), "Received: neither"),
    ):
        with pytest.raises(click.UsageError, match=error):
            app(["export", "gan_mnist", *arguments], standalone_mode=False)
    assert not (tmp_path / "page").exists()


@needs_onnx
def test_a_model_of_given_images_has_no_page(tmp_path, runtime):
    with pytest.raises(kg.errors.ConfigurationError, match="from noise and labels. .* whose inputs are images"):
        page.write(kg.load("deepsim_mnist"), tmp_path / "page", "deepsim_mnist", runtime)
    assert not (tmp_path / "page").exists()
