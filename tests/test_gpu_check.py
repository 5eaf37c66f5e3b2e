"""The check on a GPU, rehearsed on a CPU: it writes its files, ends in time, and reads packed images."""

import importlib
import json
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_gans as kg
from keras_gans_core import cards

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("gpu_check")


def rehearse(script, monkeypatch, folder, *arguments):
    """What the check found."""
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--smoke", "--output", str(folder), *arguments])
    script.main()
    return json.loads((folder / "gpu.json").read_text())


def in_pytorch(script):
    return ["ours", "eager PyTorch"] if script.installed("torch") else ["ours"]


@pytest.mark.parametrize(
    "work", [["dcgan64"], pytest.param(["style_gan2", "r3gan"], marks=pytest.mark.slow)], ids="-".join
)
def test_a_rehearsal_trains_and_times_all_that_is_there(script, work, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    given = ["--seconds", "900", "--recipe", "cgan_digits", "--work", *work]
    found = rehearse(script, monkeypatch, tmp_path, *given)
    assert found["backend"] == keras.backend.backend() and found["smoke"]
    assert found["training"]["steps"] > 0
    card = cards.read_card(tmp_path / "cgan_digits")
    assert card["training"]["steps"] == found["training"]["steps"]
    assert kg.load(str(tmp_path / "cgan_digits")).generate(2, seed=0).shape == (2, *card["image_shape"])
    expected = [
        (script.WORK[name][0], side, policy)
        for name in work
        for policy in ("float32", "mixed_bfloat16")
        for side in (in_pytorch(script) if name != "r3gan" else ["ours"])
    ]
    assert [(row["step"], row["competitor"], row["policy"]) for row in found["steps"]] == expected
    assert all(row["milliseconds"] > 0.0 and row["rounds"] == 1 for row in found["steps"])
    compared = {row["step"] for row in found["steps"] if "pytorch_over_ours" in row}
    beside = {script.WORK[name][0] for name in work if name != "r3gan"}
    assert compared == (beside if script.installed("torch") else set())
    shown = (tmp_path / "gpu.md").read_text()
    assert shown.startswith("# A rehearsal on a CPU") and shown == capsys.readouterr().out
    assert shown.count("\n| ") == 1 + len(expected)  # a heading


def test_what_is_not_done_in_time_is_left_out_and_named(script, monkeypatch, tmp_path):
    monkeypatch.setattr(script, "choose", lambda *_: (keras.backend.backend(), []))
    found = rehearse(script, monkeypatch, tmp_path, "--seconds", "0.2")
    assert found["training"] == {"missing": "not done in its time"}
    assert {row["missing"] for row in found["steps"]} == {"not done in its time"}
    assert not (tmp_path / "r3gan_avatars" / "card.json").exists()


def test_why_something_is_missing_is_what_its_process_said_last(script, monkeypatch, tmp_path):
    monkeypatch.setattr(script, "choose", lambda *_: (keras.backend.backend(), []))
    monkeypatch.setattr(script, "compared", lambda *_: [])
    found = rehearse(script, monkeypatch, tmp_path, "--recipe", "no_such_recipe", "--work", "r3gan")
    assert "no_such_recipe" in found["training"]["missing"]
    assert "not done: " in (tmp_path / "gpu.md").read_text()


def test_a_gpu_is_expected_except_in_a_rehearsal(script, monkeypatch, tmp_path):
    seen = {"tensorflow": [], "jax": ["GPU A"], "torch": ["GPU B"]}

    def child(arguments, log, backend):
        said = None if backend not in seen else {"accelerators": seen[backend]}
        return types.SimpleNamespace(answer=lambda deadline: said, stop=lambda: None)

    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr(script, "Child", child)
    monkeypatch.setattr(script, "installed", lambda name: "1.0")
    assert script.choose(tmp_path, 0.0, smoke=False) == ("jax", ["GPU A"])
    seen.update(jax=[], torch=[])
    assert script.choose(tmp_path, 0.0, smoke=True) == ("tensorflow", [])
    with pytest.raises(SystemExit, match="Expected a GPU"):
        script.choose(tmp_path, 0.0, smoke=False)
    seen.clear()  # none can be imported
    with pytest.raises(SystemExit, match="Expected a GPU"):
        script.choose(tmp_path, 0.0, smoke=True)


def test_packed_images_are_read_in_the_place_of_a_data_set(script, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3)).astype("uint8")
    np.savez_compressed(tmp_path / "faces.npz", images=images)
    load = script.reading(kg.data.load, str(tmp_path / "faces.npz"))
    read = load("avatars", split="train", labels=False, batch_size=4, take=8)
    assert (len(read), read.image_shape) == (2, (8, 8, 3))
    assert (read.about["name"], read.about["split"], read.about["examples"]) == ("avatars", "train", 8)
    assert "Pablo Stanley" in read.about["license"]
    whole = load("avatars", labels=False, batch_size=4)
    assert whole.fingerprint() == kg.data.Batches(images, batch_size=4).fingerprint()


def test_a_folder_for_the_results_is_asked_for(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gpu_check.py"])
    with pytest.raises(SystemExit) as ended:
        script.main()
    assert ended.value.code == 2 and "Give --output DIR" in capsys.readouterr().err
