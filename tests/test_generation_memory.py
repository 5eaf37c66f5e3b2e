"""Generation is bounded in bytes: large images are made one at a time, and a stranger's only if they are asked for."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

import keras_gans as kg
from keras_gans import files, sampling
from keras_gans.errors import ConfigurationError, CorruptPresetError, UntrustedFileError
from keras_gans_cli.app import app
from keras_gans_core import memory
from keras_gans_core.errors import KerasGansError

GIB = 2**30


def generator(side, channels=1, inner=None):
    """Few weights and large images; `inner` is the (side, channels) of a layer before."""
    noise = keras.Input((2,))
    wide, deep = inner or (side, channels)
    made = layers.UpSampling2D(wide)(layers.Reshape((1, 1, deep))(layers.Dense(deep)(noise)))
    if inner:
        made = layers.Conv2D(channels, 1)(layers.AveragePooling2D(wide // side)(made))
    return keras.Model(noise, layers.Activation("tanh")(made))


def discriminator(side, channels=1):
    images = keras.Input((side, side, channels))
    return keras.Model(images, layers.Dense(1)(layers.GlobalAveragePooling2D()(images)))


def model(side, channels=1, inner=None):
    return kg.GAN(generator=generator(side, channels, inner), discriminator=discriminator(side, channels))


@pytest.fixture(scope="module")
def huge(tmp_path_factory):
    """A small file of a model whose images have 8192x8192 pixels."""
    path = tmp_path_factory.mktemp("huge") / "huge.keras"
    model(8192).save(path)
    assert path.stat().st_size < 60_000
    return path


def growth(code, *arguments, timeout=300):
    """By how much a process's highest memory grows while code runs, after the library is warm; and its output."""
    script = (
        "import resource, sys, keras_gans as kg\n"
        "def highest(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "kg.GAN(image_shape=(8, 8, 1), latent_dim=2).generate(2, seed=0); before = highest()\n"
        f"{code}\n"
        "print(highest() - before)"
    )
    command = [sys.executable, "-c", script, *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    assert run.returncode == 0, run.stderr
    *said, grown = run.stdout.splitlines()
    return int(grown), "\n".join(said)


# How many examples at once


def test_a_layer_that_is_wide_inside_makes_smaller_batches():
    inputs = {"noise": np.zeros((300, 2), "float32")}
    assert sampling.batch_size(model(8), inputs) == sampling.BATCH
    assert sampling.batch_size(model(8, inner=(1024, 4)), inputs) == sampling.INNER_NUMBERS // (1024 * 1024 * 4) == 32
    assert sampling.batch_size(model(2048), inputs) == 1


def test_a_layer_in_a_network_in_a_network_counts():
    inner = generator(8, inner=(1024, 4))
    noise = keras.Input((2,))
    gan = kg.GAN(generator=keras.Model(noise, inner(layers.Dense(2)(noise))), discriminator=discriminator(8))
    assert sampling.batch_size(gan, {"noise": np.zeros((300, 2), "float32")}) == 32


@pytest.mark.parametrize("name", ["dcgan_mnist", "dcgan_avatars", "wgan_gp_avatars", "acgan_avatars"])
def test_presets_are_computed_in_batches_as_large_as_before(name):
    gan = kg.load(name)
    inputs = sampling.complete_inputs(gan, 2, 0)
    outside = max(int(np.prod(field.shape)) for field in gan.output_fields.values())
    assert sampling.batch_size(gan, inputs) == min(256, 2**22 // outside)


def test_what_is_sampled_in_pieces_is_what_is_sampled_at_once(monkeypatch):
    gan = kg.CoGAN(image_shape=(28, 28, 1), latent_dim=3)
    inputs = sampling.complete_inputs(gan, 7, 0)
    expected = gan.sample(**inputs)
    monkeypatch.setattr(sampling, "BATCH", 3)
    made = gan.sample(**inputs)
    pieces = list(sampling.sampled(gan, inputs))
    assert [len(next(iter(piece.values()))) for piece in pieces] == [3, 3, 1]
    for name, values in expected.items():
        assert made[name].shape == values.shape and made[name].dtype == values.dtype == "uint8"
        assert np.abs(made[name].astype(int) - values).max() <= 1
        np.testing.assert_array_equal(made[name], np.concatenate([piece[name] for piece in pieces]))


def test_generated_images_take_little_more_than_their_array():
    """40 images of 4 MiB: twice as much before, and all 40 in floats if they were made at once."""
    code = (
        "import keras; from keras import layers\n"
        "noise, images = keras.Input((2,)), keras.Input((2048, 2048, 1))\n"
        "made = layers.UpSampling2D(2048)(layers.Reshape((1, 1, 1))(layers.Dense(1)(noise)))\n"
        "judged = layers.Dense(1)(layers.GlobalAveragePooling2D()(images))\n"
        "gan = kg.GAN(generator=keras.Model(noise, made), discriminator=keras.Model(images, judged))\n"
        "gan.generate(1, seed=0); before = highest()\n"
        "made = gan.generate(80, seed=0); assert made.nbytes == 80 * 2**22\n"
    )
    grown, _ = growth(code)
    assert grown <= 1.3 * 80 * 2**22


def test_examples_that_do_not_fit_are_refused_with_the_numbers(monkeypatch):
    gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=2)
    monkeypatch.setattr(sampling, "BATCH", 4)
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    assert len(gan.generate(4, seed=0)) == 4
    with pytest.raises(
        ConfigurationError, match="Received: 16, which take 1 KiB, with 1e[+]03 bytes free. Generate fewer"
    ):
        gan.generate(16, seed=0)


# Strangers


def test_a_strangers_large_images_are_refused_unless_asked_for(huge):
    with pytest.raises(
        UntrustedFileError, match=r"images have at most 16,777,216 numbers.*8192x8192x1.*large=True \(--large\)"
    ):
        kg.zoo.load_file(huge)
    assert kg.zoo.load_file(huge, large=True).image_shape == (8192, 8192, 1)
    assert keras.saving.load_model(huge).image_shape == (8192, 8192, 1)  # one's own


@pytest.mark.parametrize("inner, refused", [((4096, 4), False), ((4096, 5), True), ((8192, 4), True)])
def test_a_strangers_large_layers_are_refused_unless_asked_for(inner, refused, tmp_path):
    """67,108,864 numbers are allowed, 256 MiB; images of 8x8 made from more are not."""
    model(8, inner=inner).save(tmp_path / "a.keras")
    if not refused:
        assert kg.zoo.load_file(tmp_path / "a.keras").image_shape == (8, 8, 1)
        return
    with pytest.raises(UntrustedFileError, match=r"layers of at most 67,108,864 numbers.*large=True \(--large\)"):
        kg.zoo.load_file(tmp_path / "a.keras")
    kg.zoo.load_file(tmp_path / "a.keras", large=True)


def test_no_one_gets_layers_that_no_machine_holds(tmp_path, monkeypatch):
    model(8, inner=(64, 4)).save(tmp_path / "a.keras")
    monkeypatch.setattr(files, "LARGEST_OUTPUT", 64 * 64 * 4 - 1)
    with pytest.raises(CorruptPresetError, match="Expected layers of at most 16383 numbers"):
        kg.zoo.load_file(tmp_path / "a.keras", large=True)


def test_a_strangers_large_noise_is_refused(tmp_path):
    noise = keras.Input((4096 * 4097,))
    made = layers.Reshape((1, 1, 1))(
        layers.Dense(1)(layers.AveragePooling1D(4096 * 4097)(layers.Reshape((-1, 1))(noise))[:, 0])
    )
    kg.GAN(generator=keras.Model(noise, made), discriminator=discriminator(1)).save(tmp_path / "a.keras")
    with pytest.raises(UntrustedFileError, match="Expected a model whose noise have at most"):
        kg.zoo.load_file(tmp_path / "a.keras")


@pytest.mark.parametrize("command", [["sample", "-n", "16"], ["export"], ["interpolate"], ["traverse"]])
def test_commands_refuse_them_too(command, huge, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    more = [str(tmp_path / "out")] if command == ["export"] else []
    with pytest.raises(KerasGansError, match="--large"):
        app([command[0], str(huge), *more, *command[1:]], standalone_mode=False)


def test_a_picture_that_would_be_too_large_is_refused_before_it_is_made(huge, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kg.AdversarialModel, "sample", None)  # nothing is made
    with pytest.raises(
        ConfigurationError, match="a picture of at most 256 MiB. Received: 16 examples, which take 1 GiB"
    ):
        app(["sample", str(huge), "--large", "-n", "16"], standalone_mode=False)
    assert os.listdir(tmp_path) == []


def test_a_small_file_does_not_fill_the_memory(huge, tmp_path):
    """16 images of 8192x8192 took 6 GiB. By default they are refused; asked for, they are made one at a time."""
    code = (
        "from keras_gans_cli.app import app\n"
        "try: app(sys.argv[1:], standalone_mode=False)\n"
        "except kg.errors.KerasGansError as error: print(error)\n"
    )
    grown, said = growth(code, "sample", huge, "-n", 16, "-o", tmp_path / "grid.png")
    assert grown < GIB / 2 and "--large" in said
    grown, said = growth(code, "sample", huge, "--large", "-n", 3, "--folder", tmp_path / "all")
    assert grown < 2 * GIB and len(os.listdir(tmp_path / "all")) == 3


def test_the_files_of_sample_are_the_images_of_generate(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "BATCH", 4)
    gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=2)
    gan.save(tmp_path / "a.keras")
    app(
        ["sample", str(tmp_path / "a.keras"), "-n", "10", "--seed", "3", "--folder", str(tmp_path / "all")],
        standalone_mode=False,
    )
    found = sorted(os.listdir(tmp_path / "all"))
    assert found == [f"image_{i:04}.png" for i in range(10)]
    images = kg.data.read_pictures([tmp_path / "all" / name for name in found], (8, 8, 1))
    np.testing.assert_array_equal(images, gan.generate(10, seed=3))
