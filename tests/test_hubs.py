"""Presets on hubs: the real client of the Hugging Face Hub against a server on the loopback address."""

import builtins
import json
import os

import numpy as np
import pytest
from hub_server import Hub, digest

import keras_gans as kg
from keras_gans.errors import ConfigurationError, CorruptPresetError, HubError, UnknownPresetError
from keras_gans_core import cards, handles

settings = pytest.importorskip("huggingface_hub.constants", reason='needs the extra "hf"')
PRESET = "wgan_mnist"
NAME = "ada/digits"


def files_of(folder):
    return {name: (folder / name).read_bytes() for name in ("card.json", "golden.npz", "model.keras", "samples.png")}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A running hub with one model, and a client that knows only this hub and an empty cache."""
    with Hub() as running:
        constants = {
            "ENDPOINT": running.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": running.url + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_CACHE": str(tmp_path / "cache"),
            "HF_TOKEN_PATH": str(tmp_path / "token"),
            "HF_HUB_DISABLE_XET": True,  # a protocol of its own for large files, in binary
            "HF_HUB_DISABLE_TELEMETRY": True,
            "HF_HUB_DISABLE_PROGRESS_BARS": True,
        }
        for name, value in constants.items():
            monkeypatch.setattr(settings, name, value)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        running.commit(NAME, {**files_of(cards.find(PRESET)), "recipe.py": b"raise SystemExit", ".gitattributes": b""})
        yield running


def paths(hub, method="GET"):
    return [path for asked, path, _ in hub.requests if asked == method]


def test_a_model_is_loaded_by_its_handle(hub):
    model = kg.load(f"hf://{NAME}")
    np.testing.assert_array_equal(model.generate(2, seed=0), kg.load(PRESET).generate(2, seed=0))
    assert type(kg.WGAN.from_preset(f"hf://{NAME}")) is kg.WGAN
    with pytest.raises(UnknownPresetError, match="Expected a preset of GAN. Received: 'hf://ada/digits', a WGAN"):
        kg.GAN.from_preset(f"hf://{NAME}")


def test_what_is_found_is_pinned_and_read_again_without_a_request(hub):
    first = hub.branches[NAME, "main"]
    path, pinned = handles.find(f"hf://{NAME}")
    assert pinned == f"hf://{NAME}@{first}" and cards.read_card(path)["preset"] == PRESET
    assert sorted(os.listdir(path)) == ["card.json", "golden.npz", "model.keras", "samples.png"]  # no code
    hub.commit(NAME, {"card.json": b"{}"})
    hub.requests.clear()
    assert handles.find(pinned) == (path, pinned) and not hub.requests


def test_a_branch_a_tag_and_a_commit_are_revisions(hub):
    first = hub.branches[NAME, "main"]
    card = json.loads((cards.find(PRESET) / "card.json").read_text())
    second = hub.commit(NAME, {"card.json": json.dumps({**card, "title": "second"}).encode()})
    hub.branches[NAME, "v1"] = first
    for revision, commit, title in (
        ("v1", first, card["title"]),
        ("main", second, "second"),
        (first, first, card["title"]),
    ):
        path, pinned = handles.find(f"hf://{NAME}@{revision}")
        assert pinned == f"hf://{NAME}@{commit}" and cards.read_card(path)["title"] == title
    with pytest.raises(UnknownPresetError, match="after the @. Received: hf://ada/digits@v7"):
        handles.find(f"hf://{NAME}@v7")


def test_a_model_that_is_not_there_is_a_typed_error(hub):
    with pytest.raises(UnknownPresetError, match="hf://ada/none, which it does not have"):
        kg.load("hf://ada/none")
    hub.commit("ada/empty", {"README.md": b"", "model.keras": b""})
    with pytest.raises(UnknownPresetError, match="hf://ada/empty, without card.json"):
        kg.load("hf://ada/empty")


@pytest.mark.parametrize(
    "handle",
    [
        "hf://",
        "hf://digits",
        "hf://ada/digits/more",
        "hf://ada/digits@",
        "hf://ada/../digits",
        "hf://ada/digits@../../x",
        "hf://-ada/digits",
        "HF://ada/digits",
        "https://ada/digits",
        "kaggle://ada/digits",
        "kaggle://ada/digits/keras/small/0",
        "kaggle://ada/digits/keras/small/main",
        "hf://ada/\x1b[2J",
    ],
)
def test_a_bad_handle_shows_the_forms(handle, hub):
    with pytest.raises(UnknownPresetError, match="hf://user/model@revision, kaggle://") as refused:
        kg.load(handle)
    assert "\x1b" not in str(refused.value) and not hub.requests


@pytest.mark.parametrize("kind", ["card", "model", "shorter"])
def test_a_tampered_file_is_refused_and_forgotten(kind, hub):
    model = hub.commits[hub.branches[NAME, "main"]]["model.keras"]
    changed = {
        "card": {"card.json": b'{"preset": "x"}'},
        "model": {"model.keras": model[:-1] + bytes([model[-1] ^ 1])},
        "shorter": {"model.keras": model[:-1]},
    }[kind]
    hub.tampered = changed
    with pytest.raises(CorruptPresetError, match="Expected files that match their card. Received: hf://ada/digits"):
        handles.find(f"hf://{NAME}")
    hub.tampered = {}
    assert cards.sha256(handles.find(f"hf://{NAME}").path / "model.keras") == digest(model)


def test_a_file_that_is_too_large_is_not_fetched(hub, monkeypatch):
    monkeypatch.setitem(cards.FILES, "model.keras", 1000)
    with pytest.raises(CorruptPresetError, match="Expected a model.keras of at most 1000 bytes"):
        handles.find(f"hf://{NAME}")
    assert not any("/resolve/" in path for _, path, _ in hub.requests)


def test_an_interrupted_download_goes_on_where_it_was(hub, monkeypatch):
    monkeypatch.setattr(settings, "DOWNLOAD_CHUNK_SIZE", 1000)  # the client keeps whole chunks, by default of 10 MiB
    hub.cuts["model.keras"] = [100_000]
    path = handles.find(f"hf://{NAME}").path
    content = hub.commits[hub.branches[NAME, "main"]]["model.keras"]
    assert (path / "model.keras").read_bytes() == content
    assert [start for name, start in hub.ranges if name == "model.keras"] == [0, 100_000]


def test_without_a_network_what_was_fetched_is_read(hub):
    path, pinned = handles.find(f"hf://{NAME}")
    hub.stop()
    assert handles.find(f"hf://{NAME}") == handles.find(pinned) == (path, pinned)
    for handle in ("hf://ada/other", f"hf://{NAME}@v1"):
        with pytest.raises(HubError, match="Expected to reach the hub for hf://ada/.*Check the network"):
            handles.find(handle)


def test_a_hub_that_is_out_of_order_is_a_typed_error(hub):
    hub.status = 503
    with pytest.raises(HubError, match="Expected an answer of the hub to hf://ada/digits.*503.*Try again later"):
        handles.find(f"hf://{NAME}")


def test_without_the_client_the_error_has_the_line_that_installs_it(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.split(".")[0] in ("huggingface_hub", "kagglehub"):
            raise ModuleNotFoundError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    for handle, extra in (("hf://ada/digits", "hf"), ("kaggle://ada/digits/keras/small", "kaggle")):
        with pytest.raises(ConfigurationError, match=rf'pip install "keras-gans\[{extra}\]"'):
            kg.load(handle)
