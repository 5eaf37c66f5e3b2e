"""Presets as Keras users know them: `from_preset`, `presets` and `kg.load`, for every class."""

import json
import os
import platform
import shutil

import keras
import pytest

import keras_gans as kg
from keras_gans import engine
from keras_gans.errors import ConfigurationError, CorruptPresetError, UnknownPresetError
from keras_gans.presets import facts
from keras_gans_core import cards

VARIANTS = [getattr(kg, name) for name in kg.models.__all__]


@keras.saving.register_keras_serializable("mine")
class MyDCGAN(kg.DCGAN):
    """A variant of a user's own."""


@pytest.fixture
def tiny(tmp_path):
    """A folder with a preset of a user's own class."""
    model = MyDCGAN(image_shape=(8, 8, 1), latent_dim=2)
    kg.zoo.write_preset(model, tmp_path / "tiny", {"title": "mine"})
    return tmp_path / "tiny"


def test_a_card_names_what_trained(monkeypatch):
    assert isinstance(engine.accelerators(), list)
    for names, expected in ((["GPU A", "GPU A"], "GPU A, GPU A"), ([], f"{os.cpu_count()} x {platform.machine()} CPU")):
        monkeypatch.setattr(engine, "accelerators", lambda names=names: names)
        assert facts.surroundings()["device"] == expected


def test_each_variant_has_its_own_presets():
    found = {variant.__name__: set(variant.presets) for variant in VARIANTS}
    assert "dcgan_mnist" in found["DCGAN"] and "gan_mnist" in found["GAN"]
    assert set().union(*found.values()) == set(kg.zoo.presets()) == set(kg.AdversarialModel.presets)
    assert sum(map(len, found.values())) == len(kg.zoo.presets())  # each in one class
    for variant in VARIANTS:
        assert all(cards.read_card(cards.find(name))["variant"] == variant.__name__ for name in variant.presets)


def test_a_preset_is_summed_up():
    assert kg.DCGAN.presets["dcgan_mnist"] == {
        "metadata": {
            "description": "Handwritten digits, 28x28, from a small DCGAN",
            "params": 1705120,
            "image_shape": (28, 28, 1),
            "dataset": "mnist",
            "license": "CC BY-SA 3.0",
        }
    }


def test_a_models_own_licence_comes_before_that_of_its_data(tmp_path, monkeypatch):
    card = {**cards.read_card(cards.find("dcgan_mnist")), "license": "mit"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "card.json").write_text(json.dumps(card))
    monkeypatch.setenv("KERAS_GANS_ZOO", str(tmp_path))
    assert kg.DCGAN.presets["mine"]["metadata"]["license"] == "mit"


def test_presets_count_for_the_classes_above(tiny, monkeypatch):
    monkeypatch.setenv("KERAS_GANS_ZOO", str(tiny.parent))
    assert set(MyDCGAN.presets) == {"tiny"} and "tiny" in kg.DCGAN.presets and "tiny" not in kg.GAN.presets
    assert type(kg.DCGAN.from_preset("tiny")) is MyDCGAN and type(MyDCGAN.from_preset("tiny")) is MyDCGAN


def test_a_card_that_cannot_be_read_is_left_out_with_a_warning(tmp_path, monkeypatch):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "card.json").write_text("{")
    monkeypatch.setenv("KERAS_GANS_ZOO", str(tmp_path))
    with pytest.warns(UserWarning, match="Left out bad"):
        assert "dcgan_mnist" in kg.DCGAN.presets


@pytest.mark.parametrize("form", ["name", "folder", "file"])
def test_from_preset_takes_a_name_a_folder_and_a_file(form, tmp_path):
    folder = cards.find("sngan_avatars")
    handle = {"name": "sngan_avatars", "folder": str(folder), "file": str(folder / "model.keras")}[form]
    assert type(kg.SNGAN.from_preset(handle)) is type(kg.load(handle)) is kg.SNGAN
    with pytest.raises(UnknownPresetError, match="Expected a preset of GAN. Received: .*, a SNGAN. Use kg.load"):
        kg.GAN.from_preset(handle)


def test_another_class_is_refused_before_the_file_is_read(monkeypatch):
    monkeypatch.setattr("keras_gans.presets.reading.read_model", lambda *a, **k: pytest.fail("read"))
    with pytest.raises(UnknownPresetError, match=r"a DCGAN. Use kg.load\('dcgan_mnist'\)"):
        kg.WGAN.from_preset("dcgan_mnist")
    with pytest.raises(UnknownPresetError, match="kg.zoo.load_classifier"):
        kg.DCGAN.from_preset("classifier_mnist")


def test_a_card_that_lies_about_the_class_is_found_out(tmp_path):
    folder = tmp_path / "liar"
    shutil.copytree(cards.find("sngan_avatars"), folder)
    text = (folder / "card.json").read_text()
    (folder / "card.json").write_text(text.replace('"variant": "SNGAN"', '"variant": "GAN"'))
    with pytest.raises(UnknownPresetError, match="Expected a preset of GAN. Received: .*, a SNGAN"):
        kg.GAN.from_preset(str(folder))


def test_a_damaged_file_is_refused_by_every_door(tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(cards.find("sngan_avatars"), folder)
    with open(folder / "model.keras", "ab") as file:
        file.write(b"more")
    for read in (kg.load, kg.SNGAN.from_preset):
        with pytest.raises(CorruptPresetError, match="as its card says"):
            read(str(folder))


def test_what_training_needs_is_asked_for_early():
    with pytest.raises(ConfigurationError, match="'sngan_avatars', without its discriminator.*checkpoint.keras"):
        kg.load("sngan_avatars", trainable=True)
