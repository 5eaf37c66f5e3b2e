"""Presets on Kaggle: its real client against a server on the loopback address."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from test_hubs import digest, files_of

import keras_gans as kg
from keras_gans.errors import CorruptPresetError, HubError, OutputError, UnknownPresetError
from keras_gans_core import cards, handles

env = pytest.importorskip("kagglesdk.kaggle_env", reason='needs the extra "kaggle"')
PRESET = "wgan_mnist"
NAME = "ada/digits/keras/small"


class Kaggle(BaseHTTPRequestHandler):
    """What the client asks for: the newest version of a model, and a file of a version."""

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind = self.path.rsplit("/", 1)[-1]
        framework = str(asked["framework"]).lower().removeprefix("model_framework_")
        name = "/".join((asked["ownerSlug"], asked["modelSlug"], framework, asked["instanceSlug"]))
        self.server.requests.append((kind, asked.get("path")))
        versions = self.server.models.get(name)
        if self.server.status is not None or versions is None:
            return self.answer(self.server.status or 404, {"code": self.server.status or 404, "message": "no"})
        if kind == "GetModelInstance":
            return self.answer(200, {"versionNumber": max(versions)})
        content = versions.get(asked["versionNumber"], {}).get(asked["path"])
        if content is None:
            return self.answer(404, {"code": 404, "message": "no such file"})
        self.answer(200, content)

    def answer(self, status, body):
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def kaggle(tmp_path, monkeypatch):
    """A running server with two versions of a model, and a client that knows only this server and an empty cache."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Kaggle)
    files = files_of(cards.find(PRESET))
    card = {**json.loads(files["card.json"]), "title": "first"}
    server.models = {NAME: {1: {**files, "card.json": json.dumps(card).encode()}, 2: {**files, "code.py": b""}}}
    server.requests, server.status = [], None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setitem(env._env_to_endpoint, env.KaggleEnv.PROD, f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "nothing"))
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_API_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_model_is_loaded_by_its_handle(kaggle):
    model = kg.load(f"kaggle://{NAME}")
    np.testing.assert_array_equal(model.generate(2, seed=0), kg.load(PRESET).generate(2, seed=0))


def test_a_version_is_pinned_and_fetched_once(kaggle):
    path, pinned = handles.find(f"kaggle://{NAME}")
    assert pinned == f"kaggle://{NAME}/2"
    assert {"card.json", "golden.npz", "model.keras", "samples.png"} == set(os.listdir(path))  # no code
    first = handles.find(f"kaggle://{NAME}/1")
    assert first.pinned == f"kaggle://{NAME}/1" and cards.read_card(first.path)["title"] == "first"
    kaggle.requests.clear()
    assert handles.find(pinned) == (path, pinned)
    assert not kaggle.requests


def test_what_is_not_there_is_a_typed_error(kaggle):
    for handle in (f"kaggle://{NAME}/7", "kaggle://ada/none/keras/small"):
        with pytest.raises(UnknownPresetError, match=f"Received: {handle}, where Kaggle has no card.json"):
            handles.find(handle)
    with pytest.raises(UnknownPresetError, match="with a framework such as keras"):
        handles.find("kaggle://ada/digits/nothing/small")
    kaggle.status = 500
    with pytest.raises(HubError, match="Expected an answer of Kaggle.*Try again later"):
        handles.find(f"kaggle://{NAME}/1")


def test_a_tampered_file_is_refused_and_forgotten(kaggle):
    files = kaggle.models[NAME][2]
    model = files["model.keras"]
    files["model.keras"] = model[:-1] + bytes([model[-1] ^ 1])
    with pytest.raises(CorruptPresetError, match="Expected files that match their card. Received: kaggle://ada"):
        handles.find(f"kaggle://{NAME}")
    files["model.keras"] = model
    assert cards.sha256(handles.find(f"kaggle://{NAME}").path / "model.keras") == digest(model)


def test_what_kaggle_and_the_disk_refuse_has_its_own_remedy(kaggle, tmp_path, monkeypatch):
    kaggle.status = 401
    with pytest.raises(HubError, match="Expected an answer of Kaggle.*kagglehub.login"):
        handles.find(f"kaggle://{NAME}/1")
    kaggle.status = None
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OutputError, match="Cannot keep kaggle://.*KAGGLEHUB_CACHE"):
        handles.find(f"kaggle://{NAME}/1")


def test_a_version_without_golden_samples_is_read(kaggle):
    del kaggle.models[NAME][1]["golden.npz"], kaggle.models[NAME][1]["samples.png"]
    path = handles.find(f"kaggle://{NAME}/1").path
    assert sorted(os.listdir(path)) == ["card.json", "model.keras"]


def test_without_a_network_a_version_that_was_fetched_is_read(kaggle, monkeypatch):
    pinned = handles.find(f"kaggle://{NAME}")[1]
    monkeypatch.setitem(env._env_to_endpoint, env.KaggleEnv.PROD, "http://127.0.0.1:1")
    assert handles.find(pinned).pinned == pinned
    with pytest.raises(HubError, match="Expected to reach Kaggle for kaggle://ada/.*Check the network"):
        handles.find(f"kaggle://{NAME}")
