"""Presets on hubs: the real client of the Hugging Face Hub against a server on the loopback address."""

import builtins
import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from hub_server import TOKEN, Hub, digest

import keras_gans as kg
from keras_gans import evaluation, training
from keras_gans.errors import ConfigurationError, CorruptPresetError, HubError, UnknownPresetError
from keras_gans_cli.latent import traverse
from keras_gans_core import cards, handles

settings = pytest.importorskip("huggingface_hub.constants", reason='needs the extra "hf"')
# The client uploads large files in a way that its own package for requests would rather not have.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")
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


def after_the_info(monkeypatch, happens):
    """Lets something happen after the client has asked what a revision has."""
    api = pytest.importorskip("huggingface_hub").HfApi
    real = api.model_info

    def info(self, *arguments, **options):
        about = real(self, *arguments, **options)
        happens(about)
        return about

    monkeypatch.setattr(api, "model_info", info)


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


def test_a_file_whose_size_the_hub_does_not_tell_is_not_fetched(hub, monkeypatch):
    after_the_info(monkeypatch, lambda about: [setattr(file, "size", None) for file in about.siblings])
    with pytest.raises(CorruptPresetError, match="Expected a card.json of at most .* with an unknown number"):
        handles.find(f"hf://{NAME}")
    assert not any("/resolve/" in path for _, path, _ in hub.requests)


def test_a_branch_that_goes_on_meanwhile_is_read_as_its_sizes_were_asked_for(hub, monkeypatch):
    first, large = hub.branches[NAME, "main"], {"golden.npz": b"larger"}
    after_the_info(monkeypatch, lambda about: hub.commit(NAME, large))
    path, pinned = handles.find(f"hf://{NAME}")
    assert pinned == f"hf://{NAME}@{first}" and (path / "golden.npz").read_bytes() != b"larger"
    hub.stop()
    assert handles.find(f"hf://{NAME}") == (path, pinned)


def test_a_commit_that_was_fetched_in_part_is_completed(hub):
    path, pinned = handles.find(f"hf://{NAME}")
    (path / "golden.npz").unlink()
    assert handles.find(pinned).path == path and (path / "golden.npz").is_file()
    (path / "golden.npz").unlink()
    hub.stop()
    assert handles.find(pinned).path == path  # the model can be read without it


def test_an_interrupted_download_goes_on_where_it_was(hub, monkeypatch):
    monkeypatch.setattr(settings, "DOWNLOAD_CHUNK_SIZE", 1000)  # the client keeps whole chunks, by default of 10 MiB
    hub.cuts["model.keras"] = [100_000]
    with contextlib.suppress(HubError):  # of a client before version 2, which goes on at the next call
        handles.find(f"hf://{NAME}")
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


def test_a_classifier_of_a_hub_gives_directions_and_is_told_from_a_model(hub, tmp_path):
    folder, handle = cards.find("classifier_mnist"), "hf://ada/classifier"
    hub.commit(
        "ada/classifier", {name: (folder / name).read_bytes() for name in ("card.json", "golden.npz", "model.keras")}
    )
    with pytest.raises(UnknownPresetError, match=f"Use kg.zoo.load_classifier.'{handle}'"):
        kg.load(handle)
    with pytest.raises(UnknownPresetError, match=f"Use kg.load.'hf://{NAME}'"):
        kg.zoo.load_classifier(f"hf://{NAME}")
    options = ["--classifier", handle, "--attribute", "3", "--steps", "2", "-o", str(tmp_path / "grid.png")]
    done = CliRunner().invoke(traverse, ["gan_mnist", *options])
    assert done.exit_code == 0 and (tmp_path / "grid.png").is_file(), done.output


@pytest.mark.parametrize("remote", [True, False])
def test_only_a_card_of_this_machine_is_to_be_written_again(remote, hub, tmp_path):
    shutil.copytree(cards.find(PRESET), tmp_path / "old")
    card = cards.read_card(tmp_path / "old")
    card["metrics"]["fid"] = {"value": 1.0, "protocol": {}}  # of features that are not Inception's
    (tmp_path / "old" / "card.json").write_text(json.dumps(card))
    hub.commit("ada/old", files_of(tmp_path / "old"))
    *_, (what, said) = evaluation.verify("hf://ada/old" if remote else str(tmp_path / "old"))
    assert what == "metrics" and "Measure again: keras-gans evaluate" in said and ("--write" in said) is not remote


# Uploading


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def test_a_preset_that_is_pushed_is_what_others_load(hub, token, tmp_path):
    model = kg.SNGAN.from_preset("sngan_avatars")
    model.save_to_preset(tmp_path / "mine", {"title": "Faces", "license": "mit"})
    (tmp_path / "mine" / "recipe.py").write_text("raise SystemExit")
    pinned = kg.upload_preset("hf://eve/faces", tmp_path / "mine")
    commit = hub.branches["eve/faces", "main"]
    assert pinned == f"hf://eve/faces@{commit}"
    names = {"README.md", "card.json", "golden.npz", "model.keras", "samples.png"}
    assert names <= set(hub.commits[commit]) and "recipe.py" not in hub.commits[commit]
    model_file = hub.commits[commit]["model.keras"]
    assert (
        digest(model_file) in hub.large and digest(hub.commits[commit]["card.json"]) not in hub.large
    )  # two protocols
    assert 'kg.load("hf://eve/faces")' in hub.commits[commit]["README.md"].decode()
    found = kg.load(pinned)
    np.testing.assert_array_equal(found.generate(2, seed=0), model.generate(2, seed=0))
    assert cards.read_card(handles.find(pinned).path)["title"] == "Faces"
    # once more, with another title: only the card is sent, and the old revision stays
    kg.zoo.update_card(tmp_path / "mine", {"title": "More faces"})
    again = kg.upload_preset("hf://eve/faces", tmp_path / "mine")
    assert again != pinned and len(hub.large) == 3
    assert cards.read_card(handles.find("hf://eve/faces").path)["title"] == "More faces"
    assert cards.read_card(handles.find(pinned).path)["title"] == "Faces"


def test_a_page_of_ones_own_is_pushed_as_it_is(hub, token, tmp_path):
    shutil.copytree(cards.find(PRESET), tmp_path / "mine")
    (tmp_path / "mine" / "README.md").write_text("---\nlicense: mit\n---\nmy words")
    kg.zoo.update_card(tmp_path / "mine", {"title": "other"})
    kg.upload_preset("hf://eve/mine", tmp_path / "mine")
    assert hub.commits[hub.branches["eve/mine", "main"]]["README.md"].endswith(b"my words")


def test_what_is_wrong_with_an_upload_is_a_typed_error(hub, tmp_path, monkeypatch):
    with pytest.raises(HubError, match="Expected an answer of the hub to hf://eve/mine.*hf auth login"):
        kg.upload_preset("hf://eve/mine", PRESET)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(UnknownPresetError, match="Expected a branch.*hf://ada/digits@v9"):
        kg.upload_preset("hf://ada/digits@v9", PRESET)
    hub.requests.clear()
    for handle in ("ada/digits", "hf://digits", str(tmp_path), "kaggle://ada/digits/keras/small"):
        with pytest.raises(UnknownPresetError, match="hf://user/model"):
            kg.upload_preset(handle, PRESET)
    shutil.copytree(cards.find(PRESET), tmp_path / "damaged")
    (tmp_path / "damaged" / "model.keras").write_bytes(b"short")
    with pytest.raises(CorruptPresetError, match="as its card says"):
        kg.upload_preset("hf://eve/mine", tmp_path / "damaged")
    with pytest.raises(UnknownPresetError, match="Expected the name of a preset"):
        kg.upload_preset("hf://eve/mine", tmp_path / "nothing")
    assert not hub.requests


def test_an_upload_that_the_hub_refuses_leaves_no_model_behind(hub, token, tmp_path):
    shutil.copytree(cards.find(PRESET), tmp_path / "mine")
    for page in (b"no front matter", b"---\nlicense: mit\n---\n\xff"):
        (tmp_path / "mine" / "README.md").write_bytes(page)
        with pytest.raises(HubError, match="Expected a README.md that the hub takes. Received for hf://eve/mine"):
            kg.upload_preset("hf://eve/mine", tmp_path / "mine")
    with pytest.raises(UnknownPresetError, match="Received: hf://eve/mine@v1, and no such model"):
        kg.upload_preset("hf://eve/mine@v1", PRESET)
    assert not hub.has("eve/mine")


@pytest.mark.parametrize("revision", ["", "@main"])
def test_an_upload_that_breaks_off_says_that_the_new_model_may_be_empty_and_goes_on(revision, hub, token, monkeypatch):
    create = hub.commit

    def create_and_break(*arguments):
        create(*arguments)
        hub.status = 403

    monkeypatch.setattr(hub, "commit", create_and_break)
    said = "The model hf://eve/mine.* has been created, and may be empty. Push again"
    with pytest.raises(HubError, match=said) as error:
        kg.upload_preset(f"hf://eve/mine{revision}", PRESET)
    assert str(error.value).startswith("Expected an answer of the hub to hf://eve/mine") and hub.has("eve/mine")
    assert set(hub.commits[hub.branches["eve/mine", "main"]]) == {".gitattributes"}
    monkeypatch.setattr(hub, "commit", create)
    hub.status = None
    pinned = kg.upload_preset(f"hf://eve/mine{revision}", PRESET)
    assert hub.commits[pinned.rpartition("@")[2]]["model.keras"] == files_of(cards.find(PRESET))["model.keras"]


def test_a_public_model_does_not_become_private_by_an_upload(hub, token):
    before = dict(hub.branches)
    with pytest.raises(HubError, match="Received: hf://ada/digits, which is there and public.*leave --private out"):
        kg.upload_preset(f"hf://{NAME}", PRESET, private=True)
    assert hub.branches == before
    kg.upload_preset("hf://eve/new", PRESET, private=True)
    assert hub.has("eve/new")


def test_a_page_names_the_branch_that_it_is_on(hub, token):
    hub.branches[NAME, "v1"] = hub.branches[NAME, "main"]
    kg.upload_preset(f"hf://{NAME}@v1", PRESET)
    assert f'kg.load("hf://{NAME}@v1")' in hub.commits[hub.branches[NAME, "v1"]]["README.md"].decode()


def test_files_that_others_would_not_fetch_are_not_sent(hub, token, tmp_path, monkeypatch):
    monkeypatch.setitem(cards.FILES, "golden.npz", 1000)
    hub.requests.clear()
    with pytest.raises(CorruptPresetError, match="Expected a golden.npz of at most 1000 bytes"):
        kg.upload_preset("hf://eve/mine", PRESET)
    monkeypatch.setitem(cards.FILES, "golden.npz", 2**27)
    monkeypatch.setattr(Path, "read_bytes", lambda path: open(path / "nothing").read())
    with pytest.raises(CorruptPresetError, match="Expected files that can be read.*card.json"):
        kg.upload_preset("hf://eve/mine", PRESET)
    assert not hub.requests


def test_the_command_line_takes_handles_and_pushes(hub, tmp_path):
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}

    def run(*arguments, code=0):
        command = [sys.executable, "-m", "keras_gans_cli.app", *arguments]
        done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    hub.requests.clear()
    assert "preset: wgan_mnist" in run("info", f"hf://{NAME}")
    assert "hf://user/model@revision" in run("info", "hf://digits", code=2)
    assert "which it does not have" in run("sample", "hf://ada/none", code=2)
    said = run("push", PRESET, "hf://eve/copy")
    assert "pushed to hf://eve/copy@" in said and 'kg.load("hf://eve/copy")' in said
    assert "hf://user/model" in run("push", PRESET, "eve/copy", code=2)
    assert (
        digest(hub.commits[hub.branches["eve/copy", "main"]]["model.keras"])
        == cards.read_card(cards.find(PRESET))["sha256"]
    )
    agents = {agent for _, _, agent in hub.requests if agent}
    assert not any("telemetry" in path for _, path, _ in hub.requests)
    assert agents and not any("torch" in agent or "tensorflow" in agent for agent in agents)  # what telemetry tells


def test_a_training_that_starts_from_a_hub_pins_the_revision(hub, tmp_path):
    keras.utils.set_random_seed(0)
    kg.GAN(image_shape=(8, 8, 1), latent_dim=4).save_to_preset(tmp_path / "whole", {"title": "small"}, trainable=True)
    commit = hub.commit("ada/small", files_of(tmp_path / "whole"))
    np.savez(tmp_path / "images.npz", images=np.zeros((10, 8, 8, 1), "uint8"))
    recipe = training.variant_recipe(
        kg.GAN, str(tmp_path / "images.npz"), start="hf://ada/small", batch_size=5, epochs=1
    )
    training.train(recipe, tmp_path / "run", verbose=0)
    file = hub.commits[commit]["model.keras"]
    started = {"preset": f"hf://ada/small@{commit}", "sha256": digest(file)}
    assert cards.read_card(tmp_path / "run")["training"]["from"] == started
    assert 'base_model: "ada/small"' in (tmp_path / "run" / "README.md").read_text()
    # it goes on when the hub is gone
    hub.stop()
    shutil.rmtree(tmp_path / "cache")
    again = training.variant_recipe(
        kg.GAN,
        str(tmp_path / "images.npz"),
        start="hf://ada/small",
        resume_from=tmp_path / "run",
        batch_size=5,
        epochs=2,
    )
    training.train(again, tmp_path / "run", resume_from=tmp_path / "run", verbose=0)
    card = cards.read_card(tmp_path / "run")
    assert card["training"]["from"] == started and card["training"]["epochs"] == 2
