"""Trainings that start from a preset: what it keeps, what is frozen, and what the new card says about it."""

import re
import shutil
from pathlib import Path

import click
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import keras_gans as kg
from keras_gans import training
from keras_gans.errors import CheckpointError, ConfigurationError, DataError, UnknownPresetError
from keras_gans.training.folder import clear
from keras_gans_cli.app import app
from keras_gans_cli.train import train
from keras_gans_core import cards


def weights(network):
    return [keras.ops.convert_to_numpy(variable) for variable in network.variables]


def same(one, other):
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for i in range(20):
        Image.fromarray(rng.integers(0, 256, (12, 10, 3)).astype("uint8")).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def trained():
    """A small model after a few steps, with averages that are no longer its weights."""
    keras.utils.set_random_seed(1)
    model = kg.GAN(image_shape=(8, 8, 1), latent_dim=4, ema_decay=0.5)
    model.compile()
    model.fit(np.random.default_rng(0).integers(0, 256, (32, 8, 8, 1)).astype("uint8"), batch_size=8, verbose=0)
    return model


@pytest.fixture(scope="module")
def preset(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "whole"
    trained.save_to_preset(folder, trainable=True)
    return folder


def test_a_trainable_preset_keeps_both_networks(trained, preset):
    model, card = kg.load(str(preset), trainable=True), cards.read_card(preset)
    assert same(weights(model.discriminator), weights(trained.discriminator))  # not rounded
    with trained.averages_in_use():
        assert same(weights(model.generator), weights(trained.generator))
    assert card["trainable"] is True and card["stored_as"] == "float32" and card["training"]["steps"] == 4
    assert type(kg.GAN.from_preset(str(preset), trainable=True)) is kg.GAN


def test_a_preset_for_sampling_says_what_it_lacks(trained, tmp_path):
    trained.save_to_preset(tmp_path / "small")
    with pytest.raises(ConfigurationError, match="small', without its discriminator.*trainable=True"):
        kg.load(str(tmp_path / "small"), trainable=True)
    with pytest.raises(ConfigurationError, match="Received: a GAN, without its discriminator"):
        kg.load(str(tmp_path / "small")).save_to_preset(tmp_path / "whole", trainable=True)
    assert not (tmp_path / "whole").exists()


@pytest.mark.parametrize("card", ["title", {"title": 3}, {"mine": np.zeros(2)}, {"limits": "x" * 2**21}])
def test_a_card_that_cannot_be_written_is_refused_before_sampling(card, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(kg.GAN, "sample", None)
    with pytest.raises(ConfigurationError, match="Expected (a card as a dict|what a card can hold)"):
        trained.save_to_preset(tmp_path / "mine", card)
    assert not (tmp_path / "mine").exists()


def test_a_card_of_a_users_own_does_not_change_the_facts(trained, tmp_path):
    known = {**cards.read_card(cards.find("gan_mnist")), "title": "mine"}
    trained.save_to_preset(tmp_path / "mine", known)
    card = cards.read_card(tmp_path / "mine")
    assert card["title"] == "mine" and card["preset"] == "mine" and card["image_shape"] == [8, 8, 1]
    kg.load(str(tmp_path / "mine"))


def test_frozen_layers_stay_and_the_others_learn(preset, images):
    model = kg.load(str(preset), trainable=True)
    first, *others = [layer for layer in model.discriminator.layers if layer.trainable_variables]
    first.trainable = False
    before = weights(first), weights(others[-1])
    model.compile()
    model.fit(images, batch_size=8, epochs=1, verbose=0)
    assert same(weights(first), before[0]) and not same(weights(others[-1]), before[1])


def test_a_training_starts_from_the_networks_of_a_preset(preset, photos, tmp_path):
    run = training.variant_recipe(kg.GAN, str(photos), start=str(preset), batch_size=5, epochs=1)()
    before = kg.load(str(preset), trainable=True)
    assert run.dataset.image_shape == (8, 8, 1)  # photos of 10x12 in colour, as the preset needs them
    for name in ("generator", "discriminator"):
        assert same(weights(getattr(run.model, name)), weights(getattr(before, name)))
    assert int(run.model.step) == 0 and run.model.ema_decay == 0.999 and run.model.compiled
    assert run.start == {"preset": "whole", "sha256": cards.sha256(preset / "model.keras")}


def test_the_card_says_what_it_started_from_also_after_a_resume(preset, photos, tmp_path):
    recipe = training.variant_recipe(kg.GAN, str(photos), start=str(preset), batch_size=5)
    training.train(recipe, tmp_path / "run", epochs=1, verbose=0)
    started = {"preset": "whole", "sha256": cards.sha256(preset / "model.keras")}
    assert cards.read_card(tmp_path / "run")["training"]["from"] == started
    assert "from whole" in (tmp_path / "run" / "README.md").read_text()
    # without the preset, and with the same file elsewhere, which is loaded again
    same_file = shutil.copy(preset / "model.keras", tmp_path / "mine.keras")
    run, options = tmp_path / "run", {"batch_size": 5}
    for epochs, start, resume_from in ((2, None, run), (3, str(same_file), None)):
        again = training.variant_recipe(kg.GAN, str(photos), start=start, resume_from=resume_from, **options)
        training.train(again, run, epochs=epochs, resume_from=run, verbose=0)
        card = cards.read_card(run)
        assert card["training"]["from"] == started and card["training"]["steps"] == 4 * epochs
    # a checkpoint keeps all networks
    checkpoint = shutil.copy(run / "checkpoint.keras", tmp_path / "mine.keras")
    found = training.variant_recipe(kg.GAN, str(photos), start=str(checkpoint), batch_size=5)().start
    assert found == {"preset": "mine.keras", "sha256": cards.sha256(checkpoint)}


def test_a_run_goes_on_with_the_start_that_it_began_with(preset, photos, trained, tmp_path):
    """Another start, or one of a run that had none, is refused; so is another variant."""
    trained.save(tmp_path / "other.keras")

    def recipe(start, resume_from=None, variant=kg.GAN):
        given = {"image_size": (8, 8), "channels": 1, "batch_size": 5}
        return training.variant_recipe(variant, str(photos), start=start, resume_from=resume_from, **given)

    for name, start in (("with", str(preset)), ("without", None)):
        run = tmp_path / name
        training.train(recipe(start), run, epochs=1, verbose=0)
        before = (run / "progress.json").read_bytes()
        for resume_from in (None, run):
            other = recipe(str(tmp_path / "other.keras"), resume_from)
            with pytest.raises(CheckpointError, match="Expected the start of the run.*another file.*Leave out --from"):
                training.train(other, run, epochs=2, resume_from=run, verbose=0)
        assert (run / "progress.json").read_bytes() == before
    with pytest.raises(CheckpointError, match="Expected a run of LSGAN"):
        training.train(recipe(None, run.parent / "with", kg.LSGAN), run, epochs=2, resume_from=run, verbose=0)


def test_a_variant_that_learns_something_of_each_image_refuses_another_start(photos, tmp_path):
    kg.GLO(image_shape=(8, 8, 1), latent_dim=4, num_images=20).save(tmp_path / "glo.keras")
    with pytest.raises(ConfigurationError, match="GLO, which learns something of each training image.*Leave out"):
        training.variant_recipe(kg.GLO, "no/such/folder", start=str(tmp_path / "glo.keras"))()


def test_lines_of_text_get_the_length_and_the_alphabet_of_the_start(tmp_path):
    kg.WGANGPText(length=5, alphabet="`abc", latent_dim=4).save(tmp_path / "text.keras")
    (tmp_path / "lines.txt").write_text("ab\n" * 40)
    run = training.variant_recipe(
        kg.WGANGPText, str(tmp_path / "lines.txt"), start=str(tmp_path / "text.keras"), batch_size=4
    )()
    assert run.model.length == 5 and run.dataset.about["alphabet"] == "`abc"
    assert run.dataset.arrays["tokens"].shape == (40, 5)


LAYER = """
import keras

@keras.saving.register_keras_serializable("of_fine_tuning")
class Twice(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs
"""


def test_a_start_with_layers_of_ones_own_is_imported(photos, tmp_path):
    (tmp_path / "layers.py").write_text(LAYER)
    twice = training.import_file(tmp_path / "layers.py").Twice()
    layers = keras.layers
    generator = keras.Sequential([keras.Input((4,)), layers.Dense(64, "tanh"), layers.Reshape((8, 8, 1))])
    critic = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), twice, layers.Dense(1)])
    kg.GAN(generator, critic).save(tmp_path / "mine.keras")

    def run(*options):
        keras.saving.get_custom_objects().pop("of_fine_tuning>Twice", None)
        given = ("--data", str(photos), "--batch-size", "10", "--epochs", "1", "-o", str(tmp_path / "run"), *options)
        return CliRunner().invoke(train, ["gan", *given])

    start, layers = ("--from", str(tmp_path / "mine.keras")), ("--import", str(tmp_path / "layers.py"))
    assert "Import the module" in str(run(*start).exception)
    done = run(*start, *layers)
    assert done.exit_code == 0, done.exception
    assert cards.read_card(tmp_path / "run")["training"]["from"]["preset"] == "mine.keras"
    assert run(*layers).exit_code == run("--large").exit_code == 2  # nothing to import or to read


def test_overwriting_a_run_keeps_a_page_of_ones_own(photos, tmp_path):
    run, recipe = tmp_path / "run", training.variant_recipe(kg.GAN, str(photos), image_size=(8, 8), batch_size=5)
    training.train(recipe, run, epochs=1, verbose=0)
    for page in (b"my words", b"my words \xff"):
        (run / "README.md").write_bytes(page)
        clear(run)
        assert (run / "README.md").read_bytes() == page and not (run / "card.json").exists()
    training.train(recipe, run, epochs=1, overwrite=True, verbose=0)
    assert (run / "README.md").read_bytes() == page


def test_a_file_of_ones_own_may_be_larger_than_one_of_a_hub(preset, trained, photos, tmp_path, monkeypatch):
    trained.save(tmp_path / "mine.keras")
    monkeypatch.setattr(cards, "LARGEST_FILE", 1000)
    monkeypatch.setattr(cards.sha256, "__defaults__", (1000,))
    start = training.variant_recipe(kg.GAN, str(photos), start=str(tmp_path / "mine.keras"), batch_size=5)().start
    trained.save_to_preset(tmp_path / "large")
    assert cards.read_card(tmp_path / "large")["size"] > 1000 and len(start["sha256"]) == 64


def test_what_does_not_fit_is_refused_before_a_step(preset, photos, tmp_path):
    with pytest.raises(UnknownPresetError, match="Expected a preset of DCGAN. Received: .*, a GAN"):
        training.variant_recipe(kg.DCGAN, str(photos), start=str(preset))()
    with pytest.raises(ConfigurationError, match="'gan_mnist', without its discriminator"):
        training.variant_recipe(kg.GAN, str(photos), start="gan_mnist")()
    for variant in (kg.ProGAN, kg.IcGAN):
        with pytest.raises(ConfigurationError, match="trained in one phase.*kg.load"):
            training.variant_recipe(variant, str(photos), start=str(preset))
    larger = training.variant_recipe(kg.GAN, str(photos), start=str(preset), image_size=(12, 12), batch_size=5)
    with pytest.raises(DataError, match="8, 8, 1"):
        training.train(larger, tmp_path / "run", epochs=1, verbose=0)


def test_a_recipe_may_keep_what_training_needs(trained, images, tmp_path):
    def recipe(smoke=False):
        model = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
        model.compile()
        data = kg.data.Batches(images, batch_size=8)
        return training.Recipe(model=model, dataset=data, epochs=1, trainable=True)

    training.train(recipe, tmp_path / "run", verbose=0)
    assert kg.load(str(tmp_path / "run"), trainable=True).discriminator is not None


def test_the_page_runs(tmp_path, monkeypatch):
    """The Python of docs/fine_tuning.md, with a small model and few images."""
    page = (Path(__file__).parents[1] / "docs" / "fine_tuning.md").read_text()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for i in range(16):
        Image.fromarray(rng.integers(0, 256, (20, 20, 3)).astype("uint8")).save(tmp_path / "photos" / f"{i}.png")
    (tmp_path / "runs" / "faces").mkdir(parents=True)
    kg.GAN(image_shape=(16, 16, 1), latent_dim=4).save("runs/faces/checkpoint.keras")
    names, blocks = {}, re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(block.replace("epochs=20", "epochs=1"), names)
    assert cards.read_card(tmp_path / "presets" / "mine")["title"] == "Faces of my own"
    assert (tmp_path / "samples").is_dir() and int(names["gan"].step) == 1


def test_the_command_line_starts_from_a_preset(preset, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = ("--data", str(photos), "--batch-size", "5", "--epochs", "1", "-o", "run")
    app.main(["train", "gan", "--from", str(preset), *settings], standalone_mode=False)
    assert cards.read_card(tmp_path / "run")["training"]["from"]["preset"] == "whole"
    with pytest.raises(click.UsageError, match="sets its own data and batch size. Leave out --from"):
        app.main(["train", "dcgan_mnist", "--from", str(preset)], standalone_mode=False)
