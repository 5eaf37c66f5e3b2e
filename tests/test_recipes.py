"""Every recipe of the zoo in a rehearsal, from its data to the model, its card and its golden samples."""

import os

import forked
import pytest
from contract import assert_golden

import keras_gans as kg
from keras_gans import training
from keras_gans_core import cards


def command(*arguments, cwd, start=forked.run):
    """What the command says, in a process of its own."""
    done = start("-m", "keras_gans_cli.app", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def eager(monkeypatch):
    """Models whose steps are not compiled. A rehearsal takes four in a phase, and compiling takes longer than these;
    that the steps can be compiled is a promise of each variant, which tests/models keeps."""
    compile = kg.AdversarialModel.compile

    def compile_eager(model, *optimizers, **options):
        compile(model, *optimizers, **{**options, "run_eagerly": True})

    monkeypatch.setattr(kg.AdversarialModel, "compile", compile_eager)


@pytest.mark.parametrize(
    "name", [name for name in cards.recipes() if not name.startswith(("classifier_", "segmenter_"))]
)
def test_every_recipe_in_smoke_mode(name, tmp_path, eager):
    if not os.path.isdir(os.path.join(os.environ.get("TFDS_DATA_DIR", ""), "mnist")):
        pytest.skip("TFDS_DATA_DIR holds no prepared data")
    folder = tmp_path / "rehearsal"
    if name == "dcgan_mnist":  # compiled
        command("train", name, "--smoke", "--output", "rehearsal", cwd=tmp_path, start=forked.run_anew)
    else:  # as the command does, in this process, which has its backend already
        training.train(training.read_recipe(cards.recipes()[name]), folder, smoke=True, verbose=0)
    assert {"model.keras", "card.json", "golden.npz", "samples.png", "checkpoint.keras"} <= set(os.listdir(folder))
    card = cards.read_card(folder)
    phases = len(card["training"].get("phases", "1"))  # of an epoch each
    assert card["training"]["epochs"] == phases and 1 <= card["training"]["steps"] <= 4 * phases
    if name in cards.presets():
        assert {word: card[word] for word in training.WORDS}.items() <= cards.read_card(cards.find(name)).items()
    assert_golden(folder)


@pytest.mark.parametrize(
    "name, outputs",
    [
        ("classifier_digits", (10,)),
        ("classifier_mnist", (10,)),
        ("classifier_avatars", (6,)),
        ("classifier_avatars_hair", (5,)),
        ("classifier_cifar10", (10,)),
        ("segmenter_avatars", (64, 64, 8)),
    ],
)
def test_a_classifiers_recipe_in_smoke_mode(name, outputs, tmp_path):
    data = name.split("_")[1]  # digits are drawn
    if data != "digits" and not os.path.isdir(os.path.join(os.environ.get("TFDS_DATA_DIR", ""), data)):
        pytest.skip("TFDS_DATA_DIR holds no such prepared data")
    said = command("train", name, "--smoke", "--output", "rehearsal", cwd=tmp_path)
    assert "kg.zoo.load_classifier('rehearsal')" in said
    assert set(os.listdir(tmp_path / "rehearsal")) == {
        *("README.md", "model.keras", "card.json", "golden.npz", "recipe.py", ".lock")
    }
    assert command("info", "rehearsal", cwd=tmp_path).startswith("preset: rehearsal")
    card = cards.read_card(tmp_path / "rehearsal")
    if name in cards.presets():
        assert {word: card[word] for word in training.WORDS}.items() <= cards.read_card(cards.find(name)).items()
    assert kg.zoo.load_classifier(str(tmp_path / "rehearsal")).output_shape == (None, *outputs)
