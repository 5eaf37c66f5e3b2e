"""The command line for models with a mapped latent space: truncation, lists of seeds, walks in W, mixing; and the
truncation of other models."""

import click
import keras
import numpy as np
import pytest
from PIL import Image

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError, UnsupportedError
from keras_gans.fields import Numbers
from keras_gans.models import biggan
from keras_gans.models.style_gan2 import StyleGAN2, build_generator
from keras_gans.networks.mapping import build_mapping
from keras_gans_cli.app import app
from keras_gans_cli.options import numbers_of, truncation_for


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    keras.utils.set_random_seed(0)
    mapped = StyleGAN2(build_generator((8, 8, 3), 6, widths=(8, 4)), None, build_mapping(4, 6, depth=1), seed=0)
    mapped.style_average.average.assign(np.linspace(-1.0, 1.0, 6))
    folder = tmp_path_factory.mktemp("styles")
    mapped.save(folder / "mapped.keras")
    kg.GAN(image_shape=(8, 8, 1), latent_dim=4, seed=0).save(folder / "plain.keras")
    noise = biggan.build_generator((8, 8, 3), 4, base_filters=4, embedding_size=2, attention_height=0)
    kg.BigGAN(noise, None, seed=0).save(folder / "noise.keras")
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return kg.zoo.load_file(folder / "mapped.keras")


@pytest.fixture
def run(folder, monkeypatch):
    def run(command, *arguments, file="mapped.keras", to="made.png"):
        monkeypatch.chdir(folder)
        app([command, file, *arguments, "-o", to], standalone_mode=False)
        with Image.open(to) as picture:
            return np.asarray(picture)

    return run


def test_a_list_of_seeds_is_truncated_as_generate_does(run, model):
    picture = run("sample", "--seeds", "0-2,7", "--truncation", "0.7", "--cutoff", "2")
    images = model.generate(seed=[0, 1, 2, 7], truncation_psi=0.7, truncation_cutoff=2)
    np.testing.assert_array_equal(picture, kg.images.grid(images))
    assert not np.array_equal(run("sample", "--seeds", "0-2,7"), picture)


def test_noise_is_truncated_as_generate_does(run, folder):
    model = kg.zoo.load_file(folder / "noise.keras")
    picture = run("sample", "--seeds", "0-2,7", "--truncation", "0.5", "--labels", "3", file="noise.keras")
    images = model.generate(seed=[0, 1, 2, 7], labels=3, truncation=0.5)
    np.testing.assert_array_equal(picture, kg.images.grid(images))
    walk = ("interpolate", "--seeds", "0,1", "--steps", "2", "--labels", "3")
    picture = run(*walk, "--truncation", "0.5", file="noise.keras")
    assert np.abs(picture.astype(int) - kg.images.grid(images[:2])).max() <= 1  # by rounding
    assert not np.array_equal(picture, run(*walk, file="noise.keras"))


def test_a_model_of_both_truncations_is_refused(model, monkeypatch):
    monkeypatch.setitem(model.input_fields, "truncation", Numbers("truncation", 0))
    with pytest.raises(click.UsageError, match="Received: mine, a StyleGAN2 with both"):
        truncation_for("mine", model, 0.5, None)


def test_images_of_seeds_have_their_names(folder, model):
    arguments = ["sample", folder / "mapped.keras", "--seeds", "3,12", "--folder", folder / "out"]
    app([str(argument) for argument in arguments], standalone_mode=False)
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["image_0003.png", "image_0012.png"]
    with Image.open(folder / "out" / "image_0012.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), model.generate(seed=[12])[0])


def test_a_walk_in_w_is_a_line_of_styles(run, model):
    picture = run("interpolate", "--space", "w", "--seeds", "0,1", "--steps", "3", "--truncation", "0.5")
    ends = model.to_styles(seed=[0, 1], truncation_psi=0.5)
    images = model.from_styles(np.stack([ends[0], ends.mean(axis=0), ends[1]]))
    assert np.abs(picture.astype(int) - kg.images.grid(images, 3)).max() <= 1
    assert not np.array_equal(picture, run("interpolate", "--seeds", "0,1", "--steps", "3", "--truncation", "0.5"))
    run("interpolate", "--space", "w", "--seeds", "0,1", "--steps", "2", to="walk.gif")
    with Image.open("walk.gif") as walk:
        assert walk.n_frames == 4


def test_a_sheet_of_mixed_styles(run, model):
    picture = run("mix", "--rows", "0,1", "--columns", "5-7", "--layers", "0,1")
    assert picture.shape == (3 * 8, 4 * 8, 3) and (picture[:8, :8] == 255).all()
    styles = model.to_styles(noise=model.noise(seed=[0, 1, 5, 6, 7]))
    images = model.from_styles(styles)
    assert np.abs(picture[:8, 8:].astype(int) - np.concatenate(images[2:], axis=1)).max() <= 1  # by rounding
    assert np.abs(picture[8:, :8].astype(int) - np.concatenate(images[:2])).max() <= 1
    mixed = styles[[1]].copy()
    mixed[:, :2] = styles[4, :2]
    assert np.abs(picture[16:, 24:].astype(int) - model.from_styles(mixed)[0]).max() <= 1
    np.testing.assert_array_equal(run("mix", "--rows", "0,1", "--columns", "5-7"), picture)  # the first half


@pytest.mark.parametrize(
    "arguments, file, error, match",
    [
        (
            ["sample", "--truncation", "0.7"],
            "plain.keras",
            click.UsageError,
            "truncation_psi, such as StyleGAN and StyleGAN2, or truncation, such as BigGAN. .* a GAN with neither",
        ),
        (
            ["sample", "--truncation", "0.7", "--cutoff", "2"],
            "noise.keras",
            ConfigurationError,
            "truncation_cutoff. It is an input of StyleGAN and StyleGAN2",
        ),
        (["sample", "--truncation", "-0.5"], "noise.keras", DataError, "numbers of 0 or more"),
        (["mix"], "plain.keras", UnsupportedError, "mapped latent space, .*StyleGAN2"),
        (["interpolate", "--space", "w"], "plain.keras", UnsupportedError, "mapped latent space"),
        (["interpolate", "--space", "w", "--labels", "3"], "mapped.keras", click.UsageError, "no --labels"),
        (["sample", "--cutoff", "2"], "mapped.keras", click.UsageError, "Expected --truncation with --cutoff"),
        (["sample", "--truncation", "0.7", "--cutoff", "9"], "mapped.keras", DataError, "from 0 to 4"),
        (["sample", "--seeds", "0-3", "-n", "4"], "mapped.keras", click.UsageError, "Expected --seeds, or -n"),
        (["mix", "--layers", "4"], "mapped.keras", ConfigurationError, "layers from 0 to 3"),
    ],
)
def test_what_a_model_cannot_do_is_refused(run, arguments, file, error, match):
    with pytest.raises(error, match=match):
        run(*arguments, file=file)


def test_lists_of_numbers():
    assert numbers_of(None, None, "0-3, 7,-2") == [0, 1, 2, 3, 7, -2] and numbers_of(None, None, None) is None
    for text in ("1,b", "3-1", "", "0-", "1.5", "0-99999999"):
        with pytest.raises(click.BadParameter, match="from-to"):
            numbers_of(None, None, text)
