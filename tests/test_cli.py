"""The command line, as a newcomer uses it: in a process of its own, in an empty folder."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import termios
import time
from types import SimpleNamespace

import click
import forked
import keras
import numpy as np
import pytest
from contract import assert_golden
from PIL import Image, ImageSequence

import keras_gans as kg
from keras_gans.models.pix2pix import build_generator
from keras_gans.networks.segmenter import build_segmenter
from keras_gans_cli import app, measure
from keras_gans_cli.app import main
from keras_gans_cli.options import labels_for
from keras_gans_core import cards

COMMAND = [sys.executable, "-m", "keras_gans_cli.app"]


def run(*arguments, cwd, code=0, anew=False, **environment):
    """The command in a process of its own, which is forked, or begins `anew` with the imports."""
    start = forked.run_anew if anew else forked.run
    done = start(*COMMAND[1:], *arguments, cwd=cwd, env={**os.environ, **environment})
    assert done.returncode == code, done.stdout + done.stderr
    return done


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("info", "dcgan_mnist"), ("train", "--help")])
def test_light_commands_answer_without_keras(arguments, tmp_path):
    code = (
        "import sys; from keras_gans_cli.app import app; app(sys.argv[1:], standalone_mode=False);"
        "heavy = {'keras', 'tensorflow', 'numpy', 'keras_gans'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_list_shows_every_preset(tmp_path):
    lines = run("list", cwd=tmp_path, anew=True).stdout.splitlines()
    assert [line.split()[0] for line in lines][: len(cards.presets())] == list(cards.presets())
    assert [card["preset"] for card in json.loads(run("list", "--json", cwd=tmp_path, anew=True).stdout)] == list(
        cards.presets()
    )


def test_info_shows_the_card(tmp_path):
    shown = run("info", "dcgan_mnist", cwd=tmp_path, anew=True).stdout
    assert "  frechet distance (classifier_mnist):" in shown
    card = cards.read_card(cards.find("dcgan_mnist"))
    assert card["sha256"] in shown and "wall seconds" in shown
    assert json.loads(run("info", "dcgan_mnist", "--json", cwd=tmp_path, anew=True).stdout) == card


def test_sample_writes_the_grid_of_the_seed_and_is_quiet(tmp_path):
    done = run("sample", "dcgan_mnist", "-n", "6", "--seed", "3", "-o", "out/grid.png", cwd=tmp_path, anew=True)
    assert done.stderr == "" and done.stdout == "wrote out/grid.png\n"
    wanted = kg.images.grid(kg.load("dcgan_mnist").generate(6, seed=3))[..., 0]
    np.testing.assert_array_equal(pixels(tmp_path / "out" / "grid.png"), wanted)


def test_sample_enlarges_the_picture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))  # where no network is kept that would round differently
    call("sample", "dcgan_mnist", "-n", "4", "--seed", "3", "--enlarge", "3", "-o", "grid.png")
    picture = kg.images.grid(kg.load("dcgan_mnist").generate(4, seed=3))
    np.testing.assert_array_equal(pixels("grid.png"), kg.images.enlarged(picture, 3)[..., 0])


def test_sample_writes_one_file_an_image(tmp_path):
    run("sample", "gan_mnist", "-n", "3", "--seed", "0", "--folder", "digits", cwd=tmp_path)
    files = sorted((tmp_path / "digits").iterdir())
    assert [file.name for file in files] == [f"gan_mnist_000{i}.png" for i in range(3)]
    images = kg.load("gan_mnist").generate(3, seed=0)
    for file, image in zip(files, images):
        np.testing.assert_array_equal(pixels(file), image[..., 0])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("info", "dcgan_mnits"), "Did you mean dcgan_mnist"),
        (("sample", "nothing_like_it"), "`keras-gans list` shows them"),
        (("train", "dcgn"), "Did you mean dcgan"),
        (("train", "dcgan_mnist", "--data", "photos"), "Leave out --data"),
        (("train", "nowhere/recipe.py"), "which is not a file"),
        (("train", "dcgan", "--data", "./nowhere"), "nowhere"),
        (("train", "dcgan_mnist", "--label-feature", "parts"), "Leave out --label-feature"),
        (("train", "cgan", "--data", "drawn:digits", "--label-feature", "parts"), "Leave the name out"),
        (("train", "wgan_gp_text", "--data", "verse.txt", "--label-feature", "parts"), "text has none"),
        (("train", "cogan", "--label-feature", "parts"), "from images alone"),
        (("sample", "dcgan_mnist", "-n", "0"), "-n"),
        (("sample", "dcgan_mnist", "-o", "grid.txt"), "such as .png"),
        (("sample", "dcgan_mnist", "-o", "."), "is a directory"),
        (("compare", "dcgan_mnist", "gan_mnist", "-o", "both"), "such as .png"),
        (("sample", "classifier_mnist"), "Use kg.zoo.load_classifier"),
        (("export", "classifier_mnist", "serving"), "Use kg.zoo.load_classifier"),
        (("export", "x", "x.onnx", "--format", "onnx", "--max-examples", "3"), "--max-examples with a SavedModel"),
        (("interpolate", "dcgan_mnist", "--seeds", "1,b"), "whole numbers"),
        (("interpolate", "dcgan_mnist", "--seeds", "1"), "two seeds"),
        (("arithmetic", "gan_mnist", "3 * 5"), "Expected seeds"),
        (("traverse", "gan_mnist", "--layer", "nowhere"), "Received: 'nowhere'"),
        (("traverse", "gan_mnist", "--count", "1000"), "from 1 to"),
        (("traverse", "gan_mnist", "--attribute", "hat"), "--classifier"),
        (("traverse", "dcgan_avatars", "--classifier", "classifier_avatars", "--attribute", "hut"), "beard"),
        (("traverse", "dcgan_avatars", "--classifier", "classifier_avatars", "--count", "2"), "no --count"),
        (("traverse", "dcgan_avatars", "--classifier", "dcgan_mnist"), "dcgan_mnist"),
        (("traverse", "cgan_mnist", "--classifier", "classifier_mnist"), "Expected a label"),
        (("traverse", "cgan_mnist", "--layer", "project_relu"), "Expected a label"),
        (("traverse", "cgan_mnist", "--classifier", "classifier_mnist", "--labels", "1,2"), "--labels for 1 images"),
        (("sample", "cgan_mnist", "-n", "2", "--labels", "0,1,2"), "--labels for 2 images"),
        (("traverse", "gan_mnist", "--code", "0"), "Received: gan_mnist, a GAN"),
        (("traverse", "info_gan_mnist", "--code", "3"), "code from 0 to 2"),
        (("traverse", "info_gan_mnist", "--code", "0", "--steps", "5"), "code 0 has 10 categories"),
        (("traverse", "info_gan_mnist", "--code", "0", "--reach", "2"), "code 0 has 10 categories"),
        (("traverse", "info_gan_mnist", "--code", "1", "--labels", "3"), "no --labels with --code"),
        (("translate", "gan_mnist", "."), "Use: keras-gans sample gan_mnist"),
        (("translate", "gan_mnist", "nowhere"), "does not exist"),
        (("traverse", "info_gan_mnist", "--code", "1", "--reach", "0"), "--reach"),
        (("traverse", "lapgan_avatars", "--layer", "level2"), "Expected a model with one generator"),
        (("traverse", "gan_mnist", "--layer", "nosuch"), "Expected layer to be one of"),
        (("train", "bigan", "--sides", "a,b"), "a model that translates images"),  # bi_gan, too
        (("train", "gan", "--target-classes", "3"), "--target-classes and --instances with a model that translates"),
        (("train", "gan", "--instances", "inst"), "--instances with a model that translates images"),
        (("train", "cycle_gan", "--instances", "inst"), "Expected options for the data of CycleGAN"),
        (("train", "pix2pix", "--instances", "inst"), "Leave it out, or use Pix2PixHD"),
        (("train", "pix2pix_hd", "--instances", "inst"), "Received: instances='inst', 'drawn:digits'"),
        (("train", "pix2pix", "--target-classes", "1"), "--target-classes"),
        (("train", "cycle_gan", "--target-classes", "3"), "no label maps"),
        (("train", "pix2pix_avatars", "--target-classes", "8"), "Leave out --target-classes"),
        (("train", "gan", "--seed", "-1"), "--seed"),
        (("sample", "."), "with a card.json"),
        (("info", "mine.keras"), "a file without a card. Use kg.load."),
        (("invert", "gan_mnist", "nowhere.png"), "does not exist"),
        (("inpaint", "gan_mnist", sys.executable, "--box", "1,2,3"), "left,top,right,bottom"),
        (("inpaint", "gan_mnist", sys.executable, "--box", "5,5,5,9"), "left < right"),
        (("inpaint", "gan_mnist", sys.executable, "--box", "0,0,9,9"), "to be an image"),
        (("invert", "gan_mnist", sys.executable), "to be an image"),
        (("invert", "wgan_gp_text_kjv", sys.executable), "Expected a model of images"),
        (("frobnicate",), "No such command"),
    ],
)
def test_a_mistake_ends_with_code_2_and_the_remedy(arguments, message, tmp_path, monkeypatch, capsys):
    """In this process: in ones of their own most of the time would go to imports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["keras-gans", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_run_that_is_not_finished_is_no_misspelt_preset(tmp_path):
    (tmp_path / "checkpoint.keras").write_bytes(b"")
    with pytest.raises(kg.errors.UnknownPresetError, match="which was interrupted.*--resume"):
        cards.find(tmp_path)


def test_a_file_of_ones_own_is_sampled(tmp_path):
    shutil.copy(cards.find("gan_mnist") / "model.keras", tmp_path / "mine.keras")
    run("sample", "mine.keras", "-n", "4", "--seed", "1", cwd=tmp_path)
    wanted = kg.images.grid(kg.load("gan_mnist").generate(4, seed=1))[..., 0]
    np.testing.assert_array_equal(pixels(tmp_path / "grid.png"), wanted)


def test_directions_are_not_those_of_a_network_that_labels_pixels(tmp_path, monkeypatch):
    network = build_segmenter((28, 28, 1), 3, base_filters=2)
    images, card = np.zeros((2, 28, 28, 1), "uint8"), {"dataset": {"name": "drawn:digits"}}
    kg.zoo.write_classifier(network, tmp_path / "parts", images, card, "num_pixel_classes")
    monkeypatch.setenv("KERAS_GANS_ZOO", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.UsageError, match="a classifier of images. Received: parts, which labels pixels"):
        app.app(["traverse", "gan_mnist", "--classifier", "parts"], standalone_mode=False)
    app.app(["traverse", "gan_mnist", "--classifier", "classifier_mnist", "--steps", "2"], standalone_mode=False)
    assert pixels("traversal.png").shape == (10 * 28, 2 * 28)


def test_labels_take_turns_along_the_directions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app.app(["traverse", "cgan_mnist", "--count", "2", "--steps", "3", "--labels", "1,2"], standalone_mode=False)
    assert pixels(tmp_path / "traversal.png").shape == (2 * 28, 3 * 28)


def test_an_unwritable_output_is_a_typed_error(tmp_path):
    (tmp_path / "file").write_text("")
    done = run("sample", "dcgan_mnist", "-o", "file/grid.png", cwd=tmp_path, code=2)
    assert "Cannot write" in done.stderr and "Traceback" not in done.stderr


def test_latents_are_walked_added_changed_and_found(tmp_path):
    gan = kg.load("gan_mnist")
    run("interpolate", "gan_mnist", "--seeds", "0,1,2", "--steps", "3", cwd=tmp_path)
    noise = gan.noise(seed=[0, 1, 2])
    rows = kg.latent.strips(noise[:-1], noise[1:], 3).reshape(6, -1)
    wanted = kg.images.grid(gan.generate(noise=rows), 3)[..., 0]
    np.testing.assert_array_equal(pixels(tmp_path / "interpolation.png"), wanted)
    run("interpolate", "gan_mnist", "--seeds", "0,1", "--steps", "3", "-o", "walk.gif", cwd=tmp_path)
    with Image.open(tmp_path / "walk.gif") as walk:
        assert walk.n_frames == 6 and walk.size == (28, 28)
    run("arithmetic", "gan_mnist", "3,5 - 1", cwd=tmp_path)
    assert pixels(tmp_path / "arithmetic.png").shape == (28, 3 * 28)
    run("traverse", "gan_mnist", "--count", "2", "--steps", "3", cwd=tmp_path)
    assert pixels(tmp_path / "traversal.png").shape == (2 * 28, 3 * 28)
    kg.images.save(gan.generate(1, seed=4)[0], tmp_path / "digit.png")
    done = run("invert", "gan_mnist", "digit.png", "--steps", "5", "--seeds", "5", cwd=tmp_path)
    assert "digit.png: mean squared difference" in done.stdout
    assert pixels(tmp_path / "inversion.png").shape == (28, 3 * 28)


def test_codes_are_traversed(tmp_path):
    run("traverse", "info_gan_mnist", "--code", "0", "--count", "2", "--seed", "3", cwd=tmp_path)
    wanted = kg.load("info_gan_mnist").traverse(0, rows=2, seed=3)[1][..., 0]
    np.testing.assert_array_equal(pixels(tmp_path / "traversal.png"), wanted)
    run("traverse", "info_gan_mnist", "--code", "1", "--count", "2", "-o", "lean.gif", cwd=tmp_path)
    with Image.open(tmp_path / "lean.gif") as turning:
        assert turning.n_frames == 10 and turning.size == (2 * 28, 28)
    run("traverse", "info_gan_mnist", "--code", "2", "--count", "1", "--steps", "3", "--reach", "2", cwd=tmp_path)
    wanted = kg.load("info_gan_mnist").traverse(2, [-2.0, 0.0, 2.0], rows=1, seed=0)[1][..., 0]
    np.testing.assert_array_equal(pixels(tmp_path / "traversal.png"), wanted)


def test_labels_that_the_model_reads_need_not_be_given(tmp_path):
    model = kg.load("icgan_avatars")
    kg.images.save(model.generate(1, seed=4)[0], tmp_path / "face.png")
    read = ":".join(map(str, model.read_labels(model.generate(1, seed=4))[0]))
    arguments = ("invert", "icgan_avatars", "face.png", "--encoder", "--steps", "2")
    done = run(*arguments, "-o", "read.png", cwd=tmp_path)
    assert f"face.png: read --labels {read}\n" in done.stdout
    done = run(*arguments, "-o", "given.png", "--labels", read, cwd=tmp_path)
    assert "read" not in done.stdout
    np.testing.assert_array_equal(pixels(tmp_path / "read.png"), pixels(tmp_path / "given.png"))
    flipped = ":".join(str(1 - int(label)) for label in read.split(":"))
    run(*arguments, "-o", "other.png", "--labels", flipped, cwd=tmp_path)
    assert (pixels(tmp_path / "other.png") != pixels(tmp_path / "read.png")).any()


def test_a_picture_of_another_size_is_resized_when_asked(tmp_path):
    kg.images.save(np.zeros((20, 40, 3), "uint8"), tmp_path / "photo.png")
    done = run("invert", "gan_mnist", "photo.png", cwd=tmp_path, code=2)
    assert "(28, 28, 1)" in done.stderr and "(20, 40, 1)" in done.stderr and "--resize" in done.stderr
    run("invert", "gan_mnist", "photo.png", "--resize", "--steps", "2", "--seeds", "2", cwd=tmp_path)


def test_a_box_of_a_picture_is_filled(tmp_path):
    kg.images.save(kg.load("gan_mnist").generate(1, seed=30)[0], tmp_path / "digit.png")
    short = ("--steps", "2", "--seeds", "5")
    done = run("inpaint", "gan_mnist", "digit.png", "--box", "8,4,20,16", *short, cwd=tmp_path)
    assert "digit.png: mean squared difference" in done.stdout
    shown = pixels(tmp_path / "inpainting.png")
    assert shown.shape == (28, 3 * 28)
    missing, filled, original = np.split(shown.astype(int), 3, axis=1)
    for made in (missing, filled):
        differs = made != original
        assert differs[4:16, 8:20].any()
        differs[4:16, 8:20] = False
        assert not differs.any()
    assert (missing[4:16, 8:20] == 128).all() and len(np.unique(filled[4:16, 8:20])) > 10
    done = run("inpaint", "gan_mnist", "digit.png", "--box", "8,4,29,16", cwd=tmp_path, code=2)
    assert "28 pixels wide" in done.stderr


def test_export_counts_versions(tmp_path):
    for version in "12":
        done = run("export", "gan_mnist", "serving", "--max-examples", "9", cwd=tmp_path, anew=version == "1")
        assert f"serving{os.sep}{version}" in done.stdout
        assert (tmp_path / "serving" / version / "saved_model.pb").is_file()


# Translating


@pytest.fixture(scope="module")
def translators(tmp_path_factory):
    """A folder with tiny models of 16x16 pixels: maps.keras, of label maps to colour; to_maps.keras, of grey images to
    maps of five classes, the fifths of their levels; both.keras, of two directions."""
    folder = tmp_path_factory.mktemp("translators")
    keras.utils.set_random_seed(0)
    generator = build_generator((16, 16, 4), (16, 16, 3), filters=2)
    kg.Pix2Pix(generator, None, source_classes=4).save(folder / "maps.keras")
    images, seeds = keras.Input((16, 16, 1)), keras.Input((), dtype="int32")
    logits = keras.layers.Conv2D(5, 1, name="logits")
    to_maps = keras.Model([images, seeds], keras.layers.Softmax()(logits(images)))
    middles = np.array([-0.8, -0.4, 0.0, 0.4, 0.8])  # -(x - middle)^2 without x^2: the nearest has the largest logit
    logits.set_weights([2.0 * middles.reshape(1, 1, 1, 5), -(middles**2)])
    kg.Pix2Pix(to_maps, None, target_classes=5).save(folder / "to_maps.keras")
    negative, half = (keras.Model(images, keras.layers.Rescaling(scale)(images)) for scale in (-1.0, 0.5))
    kg.CycleGAN(negative, half, None, None, identity_weight=0).save(folder / "both.keras")
    return folder


def pictures(folder, count=3, shape=(16, 16)):
    random = np.random.default_rng(0)
    folder.mkdir()
    images = random.integers(0, 256, (count, *shape)).astype("uint8")
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{'cab'[i]}.png")
    return images


def test_translate_writes_a_picture_for_each_of_a_folder(translators, tmp_path):
    images = pictures(tmp_path / "in")
    done = run("translate", str(translators / "both.keras"), "in", "-o", "out", cwd=tmp_path)
    assert done.stdout == "wrote 3 images to out\n" and "translating 3 images" in done.stderr
    assert sorted(os.listdir(tmp_path / "out")) == ["a.png", "b.png", "c.png"]
    for name, image in zip("cab", images):
        np.testing.assert_array_equal(pixels(tmp_path / "out" / f"{name}.png"), 255 - image)


def call(*arguments):
    """The command in this process."""
    app.app(list(arguments), standalone_mode=False)


def test_reconstruct_writes_what_the_model_makes_of_each_image(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = pictures(tmp_path / "in", shape=(28, 28))
    call("reconstruct", "ali_mnist", "in", "-o", "out")
    made = kg.load("ali_mnist").reconstruct(images[..., None])
    for name, image in zip("cab", made):
        assert np.abs(pixels(f"out/{name}.png").astype(int) - image[..., 0]).max() <= 1  # alone, not in a batch


@pytest.mark.parametrize("name, kind", [("gan_mnist", "GAN"), ("glo_avatars", "GLO")])
def test_a_model_without_an_encoder_is_searched_instead(tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "in", shape=kg.load(name).image_shape[:2])
    with pytest.raises(click.UsageError, match=f"Received: {name}, a {kind}. .* keras-gans invert {name} FILES"):
        call("reconstruct", name, "in")
    call("invert", name, "in/a.png", "--steps", "1", "--seeds", "2", "-o", "found.png", "--resize")
    assert pixels("found.png").shape[1] == 3 * kg.load(name).image_shape[1]


# Sentences


@pytest.fixture(scope="module")
def painter(tmp_path_factory):
    """The file of a tiny StackGAN that knows four words."""
    from keras_gans.models import stack_gan

    keras.utils.set_random_seed(0)
    prompts, sizes = kg.fields.Prompts(["blue", "face", "hat", "red"], 4), {"stages": 2, "condition_dim": 2}
    generator = stack_gan.build_generator((8, 8, 3), latent_dim=2, filters=2, **sizes)
    encoder = stack_gan.build_text_encoder(prompts, text_dim=4, word_dim=2, filters=4)
    path = tmp_path_factory.mktemp("painter") / "painter.keras"
    kg.StackGAN(generator, stack_gan.build_conditioner(4, 2), encoder, None, prompts=prompts).save(path)
    return str(path)


def test_sample_shows_what_prompts_say(painter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = kg.zoo.load_file(painter)
    call("sample", painter, "--prompt", "Red hat!", "-n", "4", "--seed", "3", "-o", "one.png")
    made = model.generate(4, seed=3, prompts="red hat")
    np.testing.assert_array_equal(pixels("one.png"), kg.images.grid(made))
    call("sample", painter, "--prompt", "red hat", "--prompt", "blue", "-n", "3", "--seed", "3", "--folder", "out")
    made = model.generate(3, seed=3, prompts=["red hat", "blue", "red hat"])
    for i, image in enumerate(made):
        np.testing.assert_array_equal(pixels(f"out/image_000{i}.png"), image)


def test_sample_names_words_that_it_does_not_know(painter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="'purple'"):
        call("sample", painter, "--prompt", "purple hat", "-n", "1")


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((), click.UsageError, 'which needs prompts. Use: keras-gans sample .* --prompt "..."'),
        (("--prompt", ""), kg.errors.DataError, "a word or more"),
        (("--prompt", "purple"), kg.errors.DataError, "words that the model knows"),
        (("--prompt", "red", "--prompt", "blue", "-n", "1"), click.UsageError, "Received: 2, and -n 1"),
        (("--prompt", "red", "--labels", "3"), kg.errors.ConfigurationError, "takes no others. Received: labels"),
    ],
)
def test_sample_refuses_prompts_that_cannot_be(painter, arguments, error, message):
    with pytest.raises(error, match=message):
        call("sample", painter, *arguments)


def test_sample_refuses_a_prompt_for_another_model():
    with pytest.raises(click.UsageError, match="a model of sentences, such as a StackGAN"):
        call("sample", "gan_mnist", "--prompt", "a three")


@pytest.fixture(scope="module")
def enlarger(tmp_path_factory):
    """The file of a model that doubles images in colour: each pixel becomes four."""
    images = keras.Input((None, None, 3))
    path = tmp_path_factory.mktemp("enlarger") / "double.keras"
    kg.SRGAN(keras.Model(images, keras.layers.UpSampling2D(2)(images)), None).save(path)
    return str(path)


def test_upscale_writes_a_larger_picture_for_each_of_a_folder(enlarger, tmp_path):
    images = pictures(tmp_path / "in", shape=(9, 14))
    Image.fromarray(np.stack([images[0]] * 3, axis=-1)).save(tmp_path / "in" / "d.png")
    done = run("upscale", enlarger, "in", "-o", "out", "--tile", "4", "--tile-pad", "0", cwd=tmp_path)
    assert done.stdout == "wrote 4 images to out\n"
    assert re.fullmatch(r"(.* \d+ of \d+.*\n)*", done.stderr)  # what takes more than two seconds says how far it is
    assert sorted(os.listdir(tmp_path / "out")) == ["a_x2.png", "b_x2.png", "c_x2.png", "d_x2.png"]
    for name, image in zip("cab", images):  # grey ones stay grey
        np.testing.assert_array_equal(pixels(tmp_path / "out" / f"{name}_x2.png"), kg.images.enlarged(image, 2))
    assert pixels(tmp_path / "out" / "d_x2.png").shape == (18, 28, 3)


def test_upscale_makes_large_images_larger_in_tiles_by_itself(enlarger, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (image,), parts = pictures(tmp_path / "in", 1, shape=(400, 500)), []
    sample = kg.SRGAN.sample
    monkeypatch.setattr(kg.SRGAN, "sample", lambda self, small: parts.append(small.shape) or sample(self, small=small))
    call("upscale", enlarger, "in", "-o", "out")
    np.testing.assert_array_equal(pixels("out/c_x2.png"), kg.images.enlarged(image, 2))
    assert parts == [(1, 200, 250, 3)] * 4
    call("upscale", enlarger, "in", "-o", "out", "--tile", "0")
    assert parts[4:] == [(1, 400, 500, 3)]


def test_upscale_takes_one_file_a_scale_and_a_name(enlarger, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "in", shape=(10, 20))
    call("upscale", enlarger, "in/a.png", "-o", "out", "-s", "3.5", "--suffix", "_large", "--ext", "jpg")
    assert os.listdir("out") == ["a_large.jpg"] and pixels("out/a_large.jpg").shape == (35, 70)


def test_upscale_refuses_what_it_cannot_do(enlarger, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "in")
    cases = [
        (("upscale", "gan_mnist", "in"), "a model that makes images larger"),
        (("upscale", enlarger, "nowhere"), "does not exist"),
        (("upscale", enlarger, "in", "-o", "in/a.png"), "a folder for the results"),
        (("upscale", enlarger, "in", "-o", "in", "--suffix", ""), "not in their place"),
        (("upscale", enlarger, "in", "--ext", "txt"), "an image's ending"),
        (("upscale", enlarger, "in", "-s", "0"), "not in the range"),
    ]
    for arguments, message in cases:
        with pytest.raises(click.UsageError, match=message):
            call(*arguments)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    """The file of a model of two frames that goes on in a straight line: twice the newest minus the one before."""
    clips = keras.Input((None, None, 2))
    line = keras.layers.Conv2D(1, 1, use_bias=False)
    network = keras.Model(clips, line(clips))
    line.kernel.assign(np.array([-1.0, 2.0], "float32").reshape(1, 1, 2, 1))
    path = tmp_path_factory.mktemp("predictor") / "line.keras"
    kg.VideoPredictionGAN(network).save(path)
    return str(path)


def brighter(count, size=(6, 10)):
    """Grey frames of the levels 20, 30, ..."""
    return [Image.fromarray(np.full(size, 20 + 10 * i, "uint8")) for i in range(count)]


def shades(path):
    """The level of each frame of an animation."""
    with Image.open(path) as picture:
        return [int(np.asarray(frame.convert("L"))[0, 0]) for frame in ImageSequence.Iterator(picture)]


def test_predict_frames_goes_on_with_an_animation(predictor, tmp_path):
    first, *others = brighter(4)
    first.save(tmp_path / "clip.gif", save_all=True, append_images=others)
    done = run("predict-frames", predictor, "clip.gif", "-n", "5", "-o", "out.gif", cwd=tmp_path)
    assert done.stdout == "wrote out.gif\n" and done.stderr == ""
    assert shades(tmp_path / "out.gif") == [60, 70, 80, 90, 100]


def test_predict_frames_takes_and_writes_folders_of_frames(predictor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for i, frame in enumerate(brighter(11)):
        frame.save(tmp_path / "in" / f"{i}.png")
    call("predict-frames", predictor, "in", "-n", "2", "-o", "out")
    assert sorted(os.listdir("out")) == ["1.png", "2.png"]
    assert [pixels(f"out/{i}.png")[0, 0] for i in (1, 2)] == [130, 140]
    with pytest.raises(click.UsageError, match=r"without other frames.*holds 2\.png\. Empty it"):
        call("predict-frames", predictor, "in", "-n", "1", "-o", "out")
    call("predict-frames", predictor, "in", "-n", "1", "-o", "all", "--with-clip", "--image-size", "4")
    assert sorted(os.listdir("all")) == [f"{i:02}.png" for i in range(1, 13)]
    assert pixels("all/12.png").shape == (4, 4) and pixels("all/12.png")[0, 0] == 130
    call("predict-frames", predictor, "in", "-n", "1", "-o", "all.apng", "--with-clip")
    assert shades("all.apng") == list(range(20, 140, 10))


def test_predict_frames_refuses_what_it_cannot_do(predictor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    brighter(1)[0].save("in/0.png")
    brighter(1)[0].save("one.gif")
    usage = [
        (("predict-frames", "gan_mnist", "in"), "a model that predicts frames"),
        (("predict-frames", predictor, "nowhere"), "does not exist"),
        (("predict-frames", predictor, "in", "-o", "out.mp4"), ".gif or .apng"),
        (("predict-frames", predictor, "in", "-o", "in"), "not in its place"),
        (("predict-frames", predictor, "in", "-n", "0"), "not in the range"),
        (("sample", predictor), "Use: keras-gans predict-frames .*line.keras FOLDER -o OUT"),
    ]
    for arguments, message in usage:
        with pytest.raises(click.UsageError, match=message):
            call(*arguments)
    for clip, message in (("in", "too short.* Look at in"), ("one.gif", "one.gif, which has one")):
        with pytest.raises(kg.errors.DataError, match=message):
            call("predict-frames", predictor, clip)
    done = run("predict-frames", predictor, "one.gif", code=2, cwd=tmp_path)
    assert done.stderr.startswith("Error: Expected an animation of several frames.")


def test_translate_takes_a_direction_and_one_file(translators, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = pictures(tmp_path / "in")[1]
    call("translate", str(translators / "both.keras"), "in/a.png", "-o", "one.png", "--direction", "BtoA")
    wanted = np.round((image / 127.5 - 1.0) * 0.5 * 127.5 + 127.5)
    np.testing.assert_allclose(pixels("one.png"), wanted, atol=1)
    call("translate", str(translators / "both.keras"), "in/a.png", "-o", "folder")
    np.testing.assert_array_equal(pixels("folder/a.png"), 255 - image)


def test_label_maps_are_translated_by_their_numbers(translators, tmp_path, monkeypatch):
    """From grey and from palette files; the same seed, the same picture whatever else is translated."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    maps = random.integers(0, 4, (2, 16, 16)).astype("uint8")
    (tmp_path / "in").mkdir()
    Image.fromarray(maps[0]).save("in/grey.png")
    palette = Image.fromarray(maps[1], mode="P")
    palette.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200, 0, 0, 0])
    palette.save("in/palette.png")
    model = str(translators / "maps.keras")
    call("translate", model, "in", "-o", "out", "--seed", "5")
    made = kg.zoo.load_file(model)
    for name, one in zip(("grey", "palette"), maps):
        np.testing.assert_array_equal(pixels(f"out/{name}.png"), made.translate(one[None], seed=5)[0])
    call("translate", model, "in/palette.png", "-o", "alone", "--seed", "5")
    np.testing.assert_array_equal(pixels("alone/palette.png"), pixels("out/palette.png"))


def palette_of(path):
    """The numbers of a palette file."""
    with Image.open(path) as picture:
        assert picture.mode == "P"
        return np.asarray(picture)


def test_label_maps_are_written_as_palette_files_of_their_numbers(translators, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = pictures(tmp_path / "in")
    call("translate", str(translators / "to_maps.keras"), "in", "-o", "out")
    call("translate", str(translators / "to_maps.keras"), "in/c.png", "-o", "alone.png")
    for name, image in zip("cab", images):
        inside = image % 51 > 0  # and not between two fifths
        np.testing.assert_array_equal(palette_of(f"out/{name}.png")[inside], image[inside] // 51)
        assert set(np.unique(image[inside] // 51)) == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(palette_of("alone.png"), palette_of("out/c.png"))
    with Image.open("alone.png") as picture:  # what a viewer shows
        colours = kg.fields.LabelMaps((16, 16), 5).colours
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), colours[palette_of("alone.png")])


def test_maps_that_a_model_wrote_are_read_by_another(translators, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    Image.fromarray(np.repeat(np.arange(16, dtype="uint8"), 16).reshape(16, 16) * 12).save("in/a.png")  # up to 180
    call("translate", str(translators / "to_maps.keras"), "in", "-o", "between")
    call("translate", str(translators / "maps.keras"), "between", "-o", "out", "--seed", "1")
    numbers = palette_of("between/a.png")
    assert set(np.unique(numbers)) == {0, 1, 2, 3}
    made = kg.zoo.load_file(translators / "maps.keras").translate(numbers, seed=1)[0]
    np.testing.assert_array_equal(pixels("out/a.png"), made)


def test_pictures_of_other_sizes_are_resized_where_asked(translators, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "in", 1, (20, 24))
    with pytest.raises(kg.errors.DataError, match="16x16 pixels .* Received: in/c.png, 20x24. Pass --resize"):
        call("translate", str(translators / "both.keras"), "in")
    call("translate", str(translators / "both.keras"), "in", "--resize")
    assert pixels("translated/c.png").shape == (16, 16)


def test_what_translate_cannot_read_is_said(translators, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    both, maps = str(translators / "both.keras"), str(translators / "maps.keras")
    pictures(tmp_path / "in")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    Image.fromarray(np.zeros((16, 16, 3), "uint8")).save("colour.png")
    (tmp_path / "twice").mkdir()
    for name in ("a.png", "a.bmp"):
        Image.fromarray(np.zeros((16, 16), "uint8")).save(tmp_path / "twice" / name)
    for arguments, error, message in (
        ((both, "empty"), kg.errors.DataError, "Expected images .* in empty. Received: none"),
        ((both, "in", "-o", "file"), click.UsageError, "a folder for the results. Received: --output file"),
        ((both, "in", "-o", "in"), click.UsageError, "another folder than that of the images"),
        ((both, "in", "--direction", "AtoC"), kg.errors.ConfigurationError, "Did you mean 'AtoB'|Did you mean AtoB"),
        ((maps, "in"), kg.errors.DataError, "classes from 0 to 3.*Look at in/a.png"),
        ((both, "colour.png"), kg.errors.DataError, "that is grey, as the model takes.*colour.png, which is in"),
        ((maps, "in", "--instances", "in"), click.UsageError, "for no other. Received: it for .*maps.keras. Leave it"),
        ((maps, "colour.png"), kg.errors.DataError, "label map: a grey or palette image.*colour.png, of Pillow's"),
        ((both, "file"), kg.errors.DataError, "Expected file to be an image"),
        ((both, "twice"), kg.errors.DataError, "one image of each name in twice.*a.bmp and a.png"),
    ):
        with pytest.raises(error, match=message):
            call("translate", *arguments)


@pytest.mark.parametrize("model", ["both.keras", "maps.keras"])
def test_sample_names_the_command_for_a_model_that_changes_images(model, translators):
    with pytest.raises(click.UsageError, match=f"from a seed alone.*Use: keras-gans translate .*{model}"):
        call("sample", str(translators / model))
    with pytest.raises(click.UsageError, match="Expected a model with noise as an input"):
        call("interpolate", str(translators / model))


def test_training_from_the_disk_is_training_from_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for i in range(12):
        levels = np.random.default_rng(i).integers(0, 256, (20, 20)).astype("uint8")
        Image.fromarray(levels).save(tmp_path / "photos" / f"{i}.png")
    common = ["train", "gan", "--data", "photos", "--image-size", "8", "--batch-size", "4", "--epochs", "2"]
    call(*common, "-o", "memory")
    call(*common, "--cache", "cache", "-o", "cached")
    call(*common, "--lazy", "--workers", "1", "--ahead", "1", "-o", "lazy")
    cards = [json.loads((tmp_path / name / "card.json").read_text()) for name in ("memory", "cached", "lazy")]
    memory, *others = (
        keras.saving.load_model(tmp_path / name / "checkpoint.keras") for name in ("memory", "cached", "lazy")
    )
    for other in others:
        for one, theirs in zip(memory.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(one, theirs)
    prints = [card["dataset"]["fingerprint"] for card in cards]
    assert prints[0] != prints[1] == prints[2] and prints[1].startswith("sample-")
    with pytest.raises(kg.errors.CheckpointError, match="data that started the run, with --cache or --lazy"):
        call(*common, "--resume", "cached")
    with pytest.raises(kg.errors.ConfigurationError, match="options for the data of SRGAN.*'cache'. Leave it out"):
        call("train", "srgan", "--data", "photos", "--cache", "cache", "-o", "other")
    with pytest.raises(click.UsageError, match="Leave out --cache, --lazy"):
        call("train", "dcgan_mnist", "--cache", "cache", "--lazy")


def test_training_on_pairs_from_the_disk_is_training_from_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for side in ("trainA", "trainB"):
        pictures(tmp_path / side, 3, (32, 32))
    common = ["train", "pix2pix", "--data", ".", "--image-size", "16", "--batch-size", "1", "--epochs", "1"]
    call(*common, "-o", "memory")
    call(*common, "--lazy", "--workers", "1", "-o", "lazy")
    memory, lazy = (keras.saving.load_model(tmp_path / name / "checkpoint.keras") for name in ("memory", "lazy"))
    for one, theirs in zip(memory.get_weights(), lazy.get_weights(), strict=True):
        np.testing.assert_array_equal(one, theirs)
    assert cards.read_card(tmp_path / "lazy")["dataset"]["fingerprint"].startswith("sample-")
    with pytest.raises(kg.errors.ConfigurationError, match=r"on the disk. Received: lazy=True for 'nowhere'.*\(--lazy"):
        call("train", "pix2pix", "--data", "nowhere", "--lazy", "-o", "other")


def test_pix2pix_is_trained_on_a_folder_of_pairs_and_translates(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for side in ("trainA", "trainB"):
        pictures(tmp_path / side, 2, (32, 32))
    call("train", "pix2pix", "--data", ".", "--epochs", "1", "--batch-size", "2", "--image-size", "16", "-o", "done")
    call("translate", "done", "trainA", "-o", "out", "--resize")
    assert pixels("out/a.png").shape == (16, 16) and (tmp_path / "done" / "samples.png").is_file()


def test_pix2pix_hd_is_trained_coarse_to_fine_on_a_folder_of_maps_and_images_and_translates(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("keras_gans.models.pix2pix_hd.COARSE", 16)
    images = pictures(tmp_path / "trainB", 2)
    (tmp_path / "trainA").mkdir()
    for name, image in zip("ca", images):
        Image.fromarray(image // 86).save(tmp_path / "trainA" / f"{name}.png")
    options = ("--epochs", "1", "--batch-size", "2", "--classes", "3", "-o", "done")
    call("train", "pix2pix_hd", "--data", ".", *options)
    model = kg.load("done")
    assert (model.source_classes, model.image_shape) == (3, (16, 16, 1))
    assert "global" in [layer.name for layer in model.generator.layers] and not model.fixed_global
    titles = [phase["title"] for phase in cards.read_card(tmp_path / "done")["training"]["phases"]]
    assert titles == ["global generator, half the size", "local enhancer", "both together"]
    assert_golden(tmp_path / "done")
    call("translate", "done", "trainA", "-o", "out")
    for name, image in zip("ca", images):
        np.testing.assert_array_equal(pixels(f"out/{name}.png"), model.translate(image // 86)[0, ..., 0])


def test_pix2pix_hd_learns_and_translates_with_maps_of_instances_in_cityscapes_folders(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = ("train_label/{}_gtFine_labelIds", "train_img/{}_leftImg8bit", "train_inst/{}_gtFine_instanceIds")
    maps = np.random.default_rng(0).integers(0, 3, (2, 16, 16)).astype("uint8")
    ids = np.arange(256).reshape(16, 16) // 64 + 1000 * maps.astype("uint16")  # 12 objects
    for name, numbers, objects in zip("ca", maps, ids.astype("uint16")):
        for file, values in zip(files, (numbers, numbers * 80, objects)):
            path = tmp_path / f"{file.format(name)}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(values).save(path)
    options = ("--epochs", "1", "--batch-size", "2", "--classes", "3", "-o", "done")
    call("train", "pix2pix_hd", "--data", ".", "--instances", "inst", *options)
    assert "translate done FOLDER -o OUT --instances FOLDER" in capsys.readouterr().out
    model = kg.load("done")
    assert (model.source_classes, model.instances) == (3, 12)
    assert_golden(tmp_path / "done")
    call("translate", "done", "train_label", "--instances", "train_inst", "-o", "out")
    for name, numbers, objects in zip("ca", maps, ids):
        made = model.translate(numbers, instances=objects)[0, ..., 0]
        np.testing.assert_array_equal(pixels(f"out/{name}_gtFine_labelIds.png"), made)
        assert (made != model.translate(numbers, instances=np.zeros_like(objects))[0, ..., 0]).any()
    one, its = f"{files[0].format('a')}.png", f"{files[2].format('a')}.png"
    call("translate", "done", one, "--instances", its, "-o", "one.png")
    np.testing.assert_array_equal(pixels("one.png"), made)
    with pytest.raises(click.UsageError, match="Received: done without it. Name their folder"):
        call("translate", "done", "train_label")
    Image.fromarray(np.arange(256, dtype="uint8").reshape(16, 16)).save(its)
    with pytest.raises(kg.errors.DataError, match="at most 12 ids .*Received: 256.* Look at train_inst/a_gtFine"):
        call("translate", "done", "train_label", "--instances", "train_inst", "-o", "out")
    Image.new("RGB", (16, 16)).save(its)
    with pytest.raises(kg.errors.DataError, match="a map of instances: .* up to 16 bits.*train_inst/a_gtFine.*RGB"):
        call("translate", "done", one, "--instances", its, "-o", "out")
    (tmp_path / its).unlink()
    with pytest.raises(kg.errors.DataError, match="each image's name in train_inst. Received: 1, none for a. "):
        call("translate", "done", "train_label", "--instances", "train_inst", "-o", "out")


def test_pix2pix_is_trained_on_a_folder_of_images_and_maps_and_writes_maps(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = pictures(tmp_path / "trainA", 2)
    (tmp_path / "trainB").mkdir()
    for name, image in zip("ca", images):
        Image.fromarray(image // 86).save(tmp_path / "trainB" / f"{name}.png")
    options = ("--epochs", "1", "--batch-size", "2", "--target-classes", "3", "-o", "done")
    call("train", "pix2pix", "--data", ".", *options)
    model = kg.load("done")
    assert (model.target_classes, model.source_classes, model.image_shape) == (3, None, (16, 16))
    card = cards.read_card(tmp_path / "done")
    assert card["image_shape"] == [16, 16] and card["hyper_parameters"]["target_classes"] == 3
    assert_golden(tmp_path / "done")
    call("translate", "done", "trainA", "-o", "out", "--seed", "2")
    for name, image in zip("ca", images):
        np.testing.assert_array_equal(palette_of(f"out/{name}.png"), model.translate(image[..., None], seed=2)[0])
    with pytest.raises(kg.errors.DataError, match="from 0 to 1 in label maps.*Look at trainB/"):
        call("train", "pix2pix", "--data", ".", "--epochs", "1", "--target-classes", "2", "-o", "other")


def folder_of_images(folder, count=24):
    images, _ = kg.data.digits(count, image_size=(16, 16))
    folder.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(folder / f"{i}.png")


def test_training_on_a_folder_stopped_and_resumed_equals_the_uninterrupted_run(tmp_path):
    """Ctrl-C in the third epoch loses that epoch's start only: the resumed run ends with the same bytes of weights."""
    folder_of_images(tmp_path / "photos")
    common = ["train", "dcgan", "--data", "photos", "--batch-size", "8", "--epochs", "4"]
    run(*common, "--output", "whole", cwd=tmp_path)
    # A shell's background jobs ignore Ctrl-C, and so would what they start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [*COMMAND, *common[:-1], "1000", "--output", "parts"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 300
    try:
        while not (tmp_path / "parts" / "samples" / "epoch_0002.png").is_file():
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline, "no epoch ended in five minutes"
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        stderr = process.communicate(timeout=60)[1]
    finally:
        process.kill()  # nothing where it has ended: a failure here is not to stop the tests after it
    assert process.returncode == 130, stderr
    assert "--resume parts" in stderr and "Traceback" not in stderr
    state = keras.saving.load_model(tmp_path / "parts" / "checkpoint.keras")
    done = int(state.step) // 3
    total = max(4, done + 1)
    if total != 4:  # the machine was fast: compare at the epoch that was reached
        run(*common[:-1], str(total), "--output", "whole", "--resume", "whole", cwd=tmp_path)
    run(*common[:-1], str(total), "--resume", "parts", cwd=tmp_path)
    whole = keras.saving.load_model(tmp_path / "whole" / "checkpoint.keras")
    parts = keras.saving.load_model(tmp_path / "parts" / "checkpoint.keras")
    for a, b in zip(
        [*whole.get_weights(), *map(keras.ops.convert_to_numpy, whole.optimizer.variables)],
        [*parts.get_weights(), *map(keras.ops.convert_to_numpy, parts.optimizer.variables)],
    ):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(
        kg.load(str(tmp_path / "whole")).generate(4, seed=0), kg.load(str(tmp_path / "parts")).generate(4, seed=0)
    )
    run("sample", "parts", "-n", "4", "-o", "grid.png", cwd=tmp_path)


@pytest.mark.slow
def test_a_terminal_that_is_closed_saves_the_run(tmp_path):
    """What the command would still say has no place to go."""
    terminal, its = os.openpty()
    process = subprocess.Popen(
        [*COMMAND, "train", "gan", "--image-size", "8", "--epochs", "10000", "-o", "run"],
        cwd=tmp_path, stdin=its, stdout=its, stderr=its, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(its)
    try:
        deadline = time.monotonic() + 300
        while not (tmp_path / "run" / "checkpoint-previous.keras").is_file():
            assert process.poll() is None and time.monotonic() < deadline
            os.read(terminal, 2**16)
        saved = (tmp_path / "run" / "checkpoint.keras").stat().st_mtime_ns
        os.close(terminal)
        assert process.wait(timeout=60) == 128 + signal.SIGHUP
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "run" / "checkpoint.keras").stat().st_mtime_ns > saved
    assert int(kg.callbacks.resume(tmp_path / "run").step) > 0


def test_resuming_with_other_data_or_from_nothing_is_refused(tmp_path):
    run("train", "gan", "--smoke", "--output", "drawn", cwd=tmp_path)
    folder_of_images(tmp_path / "photos", count=300)
    other = ["train", "gan", "--data", "photos", "--smoke", "--resume"]
    assert "the same data" in run(*other, "drawn", cwd=tmp_path, code=2).stderr
    (tmp_path / "empty").mkdir()
    assert "Traceback" not in run(*other, "empty", cwd=tmp_path, code=2).stderr


DRAWN = ("--data", "drawn:digits", "--features", "classifier_mnist", "-n", "100")


def test_evaluate_prints_numbers_with_their_protocols(tmp_path):
    shown = run("evaluate", "gan_mnist", *DRAWN, "--metrics", "kernel_distance,precision_recall", cwd=tmp_path).stdout
    assert all(
        name in shown for name in ("kernel_distance", "precision", "recall", "real images", "100 generated", "sha256")
    )
    assert "kernel_distance (classifier_mnist): " in shown and "recall (classifier_mnist): " in shown
    found = json.loads(run("evaluate", "gan_mnist", *DRAWN, "--json", "--floor", "", cwd=tmp_path).stdout)
    assert (
        set(found) == {"frechet_distance", "kernel_distance"}
        and found["frechet_distance"]["value"] > 0
        and found["frechet_distance"]["floor"] is None
    )
    done = run("evaluate", "gan_mnist", *DRAWN, "--metrics", "fid", cwd=tmp_path, code=2)
    assert "Expected frechet_distance, because FID is defined by Inception features" in done.stderr
    # The floor's split is the reference itself, so there is none.
    assert "real images" not in run("evaluate", "gan_mnist", *DRAWN, "--split", "train", cwd=tmp_path).stdout


def test_evaluate_takes_a_file_and_says_what_it_needs_beside_it(tmp_path):
    shutil.copy(cards.find("gan_mnist") / "model.keras", tmp_path / "mine.keras")
    assert "--data" in run("evaluate", "mine.keras", cwd=tmp_path, code=2).stderr
    assert "frechet_distance" in run("evaluate", "mine.keras", *DRAWN, cwd=tmp_path).stdout
    shutil.copy(cards.find("cogan_mnist_edges") / "model.keras", tmp_path / "pairs.keras")
    assert "agreement" in run("evaluate", "pairs.keras", *DRAWN, "--change", "edges", cwd=tmp_path).stdout
    done = run("evaluate", "gan_mnist", *DRAWN, "--metrics", "fidd", cwd=tmp_path, code=2)
    assert "Expected metrics out of frechet_distance" in done.stderr and "Traceback" not in done.stderr


def test_compare_draws_both_models_and_prints_their_intervals(tmp_path):
    shown = run("compare", "gan_mnist", "dcgan_mnist", *DRAWN, "--seeds", "2", cwd=tmp_path).stdout
    assert "gan_mnist" in shown and "dcgan_mnist" in shown and shown.count("+-") == 4
    with Image.open(tmp_path / "compare.png") as picture:
        assert picture.size == (2 * 8 * 28 + 8, 8 * 28)


@pytest.mark.parametrize(
    "name, data, feature, labels",
    [
        ("acgan_avatars", None, None, "attributes"),
        ("acgan_avatars", "avatars", None, "attributes"),
        ("acgan_avatars", "avatars:1.0.0", None, "attributes"),
        ("acgan_avatars", "mine.npz", None, True),
        ("acgan_avatars", "photos/avatars", None, True),
        ("acgan_avatars", "avatars", "parts", "parts"),
        ("cc_lapgan_avatars", None, None, "hair_color"),
        ("sngan_avatars", None, None, True),
        ("mine.keras", "avatars", None, True),
        ("mine.keras", "avatars", "attributes", "attributes"),
    ],
)
def test_the_feature_of_a_card_counts_for_its_own_data(name, data, feature, labels, monkeypatch):
    monkeypatch.setattr(measure, "sampler", lambda name: (None, None))
    about = measure._loaded(name, data, feature)[1]
    assert about == {"source": data or "avatars", "labels": labels, "change": None, "sides": None}


@pytest.mark.parametrize(
    "data, sides, found",
    [
        (None, None, ("part_map", "image")),
        ("avatars", None, ("part_map", "image")),
        ("photos", None, None),
        ("photos", "left,right", ("left", "right")),
    ],
)
def test_the_sides_of_a_card_count_for_its_own_data(data, sides, found, tmp_path, monkeypatch):
    card = {"dataset": {"name": "avatars", "sides": ["part_map", "image"]}}
    monkeypatch.setattr(measure, "sampler", lambda name: (None, None))
    monkeypatch.setattr(cards, "find", lambda name: tmp_path)
    monkeypatch.setattr(cards, "read_card", lambda folder: card)
    assert measure._loaded("pix2pix_avatars", data, None, sides=sides)[1]["sides"] == found


def test_a_folder_of_the_data_sets_name_is_another_source(tmp_path, monkeypatch):
    (tmp_path / "avatars").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measure, "sampler", lambda name: (None, None))
    assert measure._loaded("acgan_avatars", "avatars", None)[1]["labels"] is True


@pytest.mark.parametrize(
    "arguments, labels",
    [
        (("sngan_avatars", "acgan_avatars"), [True, "attributes"]),
        (("cc_lapgan_avatars", "acgan_avatars"), ["hair_color", "attributes"]),
        (("acgan_avatars", "sngan_avatars", "--data", "mine.npz"), [True, True]),
        (("cc_lapgan_avatars", "mine.keras", "--label-feature", "hair_color,attributes"), ["hair_color", "attributes"]),
        (("acgan_avatars", "mine.keras", "--label-feature", "attributes"), ["attributes", "attributes"]),
    ],
)
def test_compare_asks_each_model_for_the_labels_of_its_own_card(arguments, labels, tmp_path, monkeypatch):
    from keras_gans import evaluation

    asked = {}

    def compare(models, settings, seeds, cache, *, labels):
        asked.update(labels=labels, settings=settings)
        return {}

    model = SimpleNamespace(label_space=kg.data.Classes(2))
    monkeypatch.setattr(measure, "sampler", lambda name: (None, model))
    monkeypatch.setattr(measure, "_picture", lambda *_: np.zeros((8, 8, 3), "uint8"))
    monkeypatch.setattr(evaluation, "compare", compare)
    monkeypatch.chdir(tmp_path)
    app.app(["compare", *arguments], standalone_mode=False)
    assert asked["labels"] == dict(zip(arguments, labels))
    assert asked["settings"].source == ("mine.npz" if "mine.npz" in arguments else "avatars")
    assert asked["settings"].labels is True  # of a reference, whose images alone count


def test_models_of_other_labels_are_compared(tmp_path, monkeypatch, capsys):
    if not os.path.isdir(os.path.join(os.environ.get("TFDS_DATA_DIR", ""), "avatars")):
        pytest.skip("TFDS_DATA_DIR holds no such prepared data")
    monkeypatch.chdir(tmp_path)
    shutil.copy(cards.find("acgan_avatars") / "model.keras", "mine.keras")
    options = ("--features", "pixels", "--metrics", "kernel_distance", "-n", "20")
    app.app(["compare", "sngan_avatars", "acgan_avatars", *options, "--seeds", "2"], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["sngan_avatars", "acgan_avatars"] and lines[1].count("+-") == 2
    assert lines[1].startswith("kernel_distance (pixels) ")
    mine = ["evaluate", "mine.keras", "--data", "avatars", "--floor", "", *options]
    with pytest.raises(kg.errors.ConfigurationError, match="avatars, feature 'label', which has none.*--label-feature"):
        app.app(mine, standalone_mode=False)
    app.app([*mine, "--label-feature", "attributes"], standalone_mode=False)
    assert "kernel_distance" in capsys.readouterr().out


def test_a_conditional_model_is_measured_against_a_file_of_images_and_labels(tmp_path, monkeypatch, capsys):
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (20, 32, 32, 3), "uint8"), random.integers(0, 2, (20, 6))
    np.savez(tmp_path / "mine.npz", images=images, labels=labels)
    monkeypatch.chdir(tmp_path)
    options = ("--split", "train", "--floor", "", "--features", "pixels", "--metrics", "kernel_distance", "-n", "20")
    app.app(["evaluate", "acgan_avatars", "--data", "mine.npz", *options], standalone_mode=False)
    assert "mine.npz train, 20 images" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("evaluate", "gan_mnist", "--label-feature", "digit"), "no --label-feature"),
        (("compare", "gan_mnist", "dcgan_mnist", "--label-feature", "digit"), "no --label-feature"),
        (("compare", "gan_mnist", "cgan_mnist", "--label-feature", "a,b,c"), "one name or two"),
    ],
)
def test_label_features_that_nothing_asks_for_are_refused(arguments, message):
    with pytest.raises(click.UsageError, match=message):
        app.app([*arguments], standalone_mode=False)


@pytest.mark.parametrize(
    "space, text, labels",
    [
        (kg.data.Classes(10), "3", [3, 3, 3, 3]),
        (kg.data.Classes(10), "0,2", [0, 2, 0, 2]),
        (kg.data.Values(1), "0.5", [[0.5]] * 4),
        (kg.data.Values(1), "0.5,1.0,0.25,0", [[0.5], [1], [0.25], [0]]),
        (kg.data.Attributes(1), "1", [[1]] * 4),
        (kg.data.Attributes(1), "0,1", [[0], [1], [0], [1]]),
        (kg.data.Attributes(4), "0:1:0:1", [[0, 1, 0, 1]] * 4),
        (kg.data.Classes(2, 3), "0:1,1:2", [[0, 1], [1, 2], [0, 1], [1, 2]]),
    ],
)
def test_commas_are_between_labels_and_colons_between_columns(space, text, labels):
    made = labels_for(text, 4, SimpleNamespace(label_space=space))
    np.testing.assert_array_equal(space.check(made), labels)


def test_as_many_labels_as_columns_are_not_taken_for_one_label():
    with pytest.raises(click.UsageError, match="0 or 1 in 4 columns: colons between the columns.* commas are between"):
        labels_for("0,1,0,1", 4, SimpleNamespace(label_space=kg.data.Attributes(4)))


def test_one_value_is_the_label_of_all_images_of_a_model_of_values(tmp_path, monkeypatch):
    model = kg.CGAN(image_shape=(8, 8, 1), latent_dim=4, label_space=kg.data.Values(1))
    kg.zoo.write_preset(model, tmp_path / "tiny", {"dataset": {"name": "drawn:digits"}})
    monkeypatch.chdir(tmp_path)
    app.app(["sample", "./tiny", "--labels", "0.5", "-n", "4", "--seed", "3"], standalone_mode=False)
    loaded = kg.load(str(tmp_path / "tiny"))
    wanted = kg.images.grid(loaded.generate(4, seed=3, labels=np.full((4, 1), 0.5)))
    np.testing.assert_array_equal(pixels("grid.png"), wanted[..., 0])


def test_verify_fails_where_a_file_is_not_what_its_card_says(tmp_path):
    shutil.copytree(cards.find("gan_mnist"), tmp_path / "zoo" / "copy")
    zoo = {"KERAS_GANS_ZOO": str(tmp_path / "zoo"), "TFDS_DATA_DIR": str(tmp_path)}
    assert "golden samples  ok" in run("verify", "copy", cwd=tmp_path, **zoo).stdout
    with open(tmp_path / "zoo" / "copy" / "model.keras", "ab") as file:
        file.write(b"0")
    done = run("verify", "copy", cwd=tmp_path, code=1, **zoo)
    assert "1 of the checks failed" in done.stderr


def test_a_conditional_model_draws_the_labels_asked_for(tmp_path):
    keras.utils.set_random_seed(0)
    model = kg.CGAN(image_shape=(8, 8, 1), latent_dim=4, label_space=kg.data.Classes(3))
    kg.zoo.write_preset(model, tmp_path / "tiny", {"dataset": {"name": "drawn:digits"}})
    assert_golden(tmp_path / "tiny")
    run("sample", "./tiny", "--labels", "0,2", "-n", "5", "--seed", "3", cwd=tmp_path)
    loaded = kg.load(str(tmp_path / "tiny"))
    wanted = kg.images.grid(loaded.generate(5, seed=3, labels=[0, 2, 0, 2, 0]))
    np.testing.assert_array_equal(pixels(tmp_path / "grid.png"), wanted[..., 0])
    run("interpolate", "./tiny", "--seeds", "0,1,2", "--steps", "3", "--labels", "0,2", cwd=tmp_path)
    rows = kg.latent.strips(loaded.noise(seed=[0, 1]), loaded.noise(seed=[1, 2]), 3).reshape(6, 4)
    wanted = kg.images.grid(loaded.generate(noise=rows, labels=[0, 0, 0, 2, 2, 2]), 3)
    np.testing.assert_array_equal(pixels(tmp_path / "interpolation.png"), wanted[..., 0])
    Image.fromarray(loaded.generate(1, seed=3, labels=1)[0, ..., 0]).save(tmp_path / "one.png")
    assert "Expected labels" in run("invert", "./tiny", "one.png", cwd=tmp_path, code=2).stderr
    run("invert", "./tiny", "one.png", "--labels", "1", "--steps", "2", cwd=tmp_path)
    for labels, message in (("0,5", "from 0 to 2"), ("a", "no names: write numbers"), ("0:1", "colons between")):
        assert message in run("sample", "./tiny", "--labels", labels, cwd=tmp_path, code=2).stderr


DIVERGING = """
import keras
import numpy as np
import keras_gans as kg
from keras_gans.training import Recipe


class Rising(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self.model.g_optimizer.learning_rate = self.model.d_optimizer.learning_rate = 1e30


def recipe(smoke=False):
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1)).astype("uint8")
    model = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
    model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01))
    return Recipe(model=model, dataset=kg.data.Batches(images, batch_size=8), epochs=5, callbacks=[Rising(), *AIDS])
"""


@pytest.mark.parametrize("aids", ["[]", "[keras.callbacks.TerminateOnNaN()]"])
def test_a_training_that_diverges_fails_and_keeps_the_last_good_checkpoint(tmp_path, aids):
    (tmp_path / "diverging.py").write_text(DIVERGING.replace("*AIDS", f"*{aids}"))
    done = run("train", "diverging.py", "-o", "run", cwd=tmp_path, code=1)
    assert "Error: Expected finite" in done.stderr and "Traceback" not in done.stderr
    assert re.search(r"(at|from) step [34]\b", done.stderr)
    assert "The last checkpoint before it is in run." in done.stderr
    assert not (tmp_path / "run" / "card.json").exists() and not (tmp_path / "run" / "model.keras").exists()
    kept = kg.callbacks.resume(tmp_path / "run")
    assert int(kept.step) == 2 and all(np.isfinite(keras.ops.convert_to_numpy(w)).all() for w in kept.weights)
    assert json.loads((tmp_path / "run" / "progress.json").read_text())["epochs"] == 1
