"""Presets: every card is true, every file is checked before it is parsed, and a fresh process can load one."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import forked
import keras
import numpy as np
import pytest
from PIL import Image

import keras_gans as kg
from keras_gans import evaluation, sampling
from keras_gans.batch_statistics import standing_statistics
from keras_gans.errors import ConfigurationError, CorruptPresetError, UnknownPresetError
from keras_gans.fields import LabelMaps
from keras_gans.models import dcgan, deepsim
from keras_gans.networks.classifier import build_classifier
from keras_gans.training import WORDS
from keras_gans_core import cards

FOLDERS = sorted(folder for folder in cards.PACKAGE_ZOO.iterdir() if (folder / "card.json").is_file())
CLASSIFIERS = [folder.name for folder in FOLDERS if cards.read_card(folder)["variant"] == cards.CLASSIFIER]
PRESETS = [folder.name for folder in FOLDERS if folder.name not in CLASSIFIERS]
TEXTS = [name for name in PRESETS if cards.read_card(cards.find(name))["variant"].endswith("Text")]
QUICK = ("dcgan_mnist", "classifier_mnist")  # measured again in every run of the tests


@pytest.fixture(scope="module")
def preset(request):
    """A preset that is read once for all tests of it, which leave it as it is: `name`, `folder`, `card` and `model`;
    for a preset that is no classifier `inputs` and `outputs`, its golden samples."""
    folder = cards.find(request.param)
    found = SimpleNamespace(name=request.param, folder=folder, card=cards.read_card(folder))
    if found.name in CLASSIFIERS:
        found.model = kg.zoo.load_classifier(found.name)
    else:
        found.model = kg.load(found.name)
        found.inputs, found.outputs = kg.zoo.golden_parts(dict(np.load(folder / "golden.npz")))
    return found


def each(names):
    return pytest.mark.parametrize("preset", names, indirect=True)


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A folder that is looked into first, with a copy of one preset."""
    shutil.copytree(cards.find("dcgan_mnist"), tmp_path / "copy")
    monkeypatch.setenv("KERAS_GANS_ZOO", str(tmp_path))
    return tmp_path


def change_card(folder, **entries):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, **entries}))


def test_every_preset_has_its_recipe():
    """The other way round need not be: a recipe may ask for more than has been trained yet."""
    assert (
        {"dcgan_avatars", "dcgan_mnist", "gan_mnist"} <= set(PRESETS) <= set(kg.zoo.presets()) <= set(cards.recipes())
    )


@pytest.mark.parametrize("name", [folder.name for folder in FOLDERS])
def test_a_card_says_what_the_model_is_not_for(name):
    card = cards.read_card(cards.find(name))
    assert all(card[word].strip().endswith(".") for word in ("limits", "not_good_for"))
    assert card["dataset"]["license"].strip()


@each(PRESETS)
def test_a_preset_reproduces_its_golden_samples(preset):
    model, golden = preset.model, preset.outputs
    made = model.sample(**preset.inputs)
    assert set(preset.inputs) == set(model.input_fields) and set(made) == set(golden) == set(model.output_fields)
    for key, values in golden.items():
        assert made[key].dtype == values.dtype == "uint8" and made[key].shape == values.shape
        # Another processor or backend may round the last bit of a float the other way: one grey level, rarely; a
        # character of a text, or a class of a map, is another then.
        difference = np.abs(made[key].astype(int) - values)
        assert difference.max() <= 1 or model.output_fields[key].tolerance == 0
        assert (difference > 0).mean() < 0.01


@each(PRESETS)
def test_a_card_says_what_the_file_is(preset):
    card, model = preset.card, preset.model
    assert card["preset"] == preset.name
    assert card["variant"] == type(model).__name__
    assert tuple(card["image_shape"]) == model.image_shape
    assert card.get("latent_dim") == model.latent_dim
    assert card["hyper_parameters"] == json.loads(json.dumps(model.hyper_parameters))
    assert card["generator_parameters"] == sum(one.count_params() for one in sampling.generators(model))
    assert card["training"]["steps"] > 0 and card["training"]["wall_seconds"] > 0
    assert len(card["dataset"]["fingerprint"]) == 64
    assert card["dataset"]["license"] and all(card[word] for word in WORDS)
    assert (preset.folder / "recipe.py").is_file() and (preset.folder / "samples.png").is_file()


# Two draws of as many samples as there are golden ones: for another number sampling would be compiled again.


@each(TEXTS)
def test_texts_are_varied(preset):
    count = len(preset.outputs["tokens"])
    assert len({line for seed in (1, 2) for line in preset.model.generate_text(count, seed=seed)}) == 2 * count


@each(sorted(set(PRESETS) - set(TEXTS)))
def test_samples_are_varied_and_use_the_range(preset):
    """A collapsed or washed-out generator fails: every pair of images differs, black (or dark) and white occur."""
    model, count = preset.model, len(next(iter(preset.outputs.values())))
    given = {name: preset.inputs[name] for name in sampling.needed_inputs(model)}
    draws = [
        model.sample(**sampling.complete_inputs(model, None if given else count, seed, given))
        for seed in ((1,) if given else (1, 2))
    ]
    for key in model.output_fields:
        images = np.concatenate([made[key] for made in draws])
        if isinstance(model.output_fields[key], LabelMaps):
            images = model.output_fields[key].colours[images]
        flat = images.astype(float).reshape(len(images), -1)
        distances = np.sqrt(((flat[:, None] - flat[None]) ** 2).mean(-1))[~np.eye(len(images), dtype=bool)]
        assert distances.min() > 5  # grey levels, root mean square
        assert np.percentile(images, 1) < 40 and np.percentile(images, 99) > 215


def test_a_loaded_model_says_why_it_does_not_train():
    with pytest.raises(kg.errors.ConfigurationError, match="only generator"):
        kg.load("gan_mnist").compile()


def test_a_fresh_process_loads_presets():
    """Plain Keras does so after the import, and `kg.load` too."""
    code = f"""import keras, keras_gans as kg
print(type(keras.saving.load_model({str(cards.find("gan_mnist") / "model.keras")!r})).__name__)
print(kg.load("dcgan_mnist").generate(2, seed=0).sum())"""
    shown = forked.run("-c", code).stdout
    assert shown.split() == ["GAN", str(kg.load("dcgan_mnist").generate(2, seed=0).sum())]


def test_an_unknown_name_gets_the_close_ones():
    with pytest.raises(UnknownPresetError, match="Did you mean .*dcgan_mnist"):
        kg.load("dcgan_mnits")


def test_the_users_zoo_is_looked_into_first(zoo):
    assert "copy" in kg.zoo.presets()
    np.testing.assert_array_equal(kg.load("copy").generate(2, seed=0), kg.load("dcgan_mnist").generate(2, seed=0))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing", "longer"])
def test_a_damaged_file_is_refused_before_it_is_parsed(zoo, damage, monkeypatch):
    path = zoo / "copy" / "model.keras"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "longer":
        path.write_bytes(content + b"0")
    else:
        path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("parsed"))
    with pytest.raises(CorruptPresetError, match="Fetch"):
        kg.load("copy")


def test_an_oversized_file_is_refused_unread(zoo, monkeypatch):
    monkeypatch.setattr(cards, "LARGEST_FILE", 1000)
    monkeypatch.setattr(cards, "sha256", lambda *_: pytest.fail("read"))
    with pytest.raises(CorruptPresetError, match="at most 1000 bytes"):
        kg.load("copy")


@pytest.mark.parametrize("card", ["", "[]", "{", '{"preset": 3}', "\xff", "[" * 100_000])
def test_a_broken_card_is_a_typed_error(zoo, card):
    (zoo / "copy" / "card.json").write_text(card, encoding="latin-1")
    with pytest.raises(CorruptPresetError, match="Expected a card"):
        kg.load("copy")


def test_a_verified_file_that_is_no_model_is_a_typed_error(zoo):
    path = zoo / "copy" / "model.keras"
    path.write_bytes(b"not a zip")
    change_card(zoo / "copy", size=9, sha256=cards.sha256(path))
    with pytest.raises(CorruptPresetError, match="Expected a Keras model"):
        kg.load("copy")


def test_a_model_of_another_library_is_a_typed_error(zoo):
    path = zoo / "copy" / "model.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    change_card(zoo / "copy", size=path.stat().st_size, sha256=cards.sha256(path))
    with pytest.raises(CorruptPresetError, match="Expected a model of keras_gans"):
        kg.load("copy")


def test_write_preset_stores_half_and_samples_from_the_moving_average(tmp_path):
    keras.utils.set_random_seed(0)
    shape = (8, 8, 1)
    gan = kg.DCGAN(
        dcgan.build_generator(shape, 4, base_filters=8), dcgan.build_discriminator(shape, base_filters=4), ema_decay=0.5
    )
    gan.step.assign(1)  # before training the averages are the weights
    for weight in gan.ema.weights:  # distinct from the generator, and images that are not all grey
        weight.assign(weight + 0.05)
    kg.zoo.write_preset(gan, tmp_path / "tiny", {"title": "tiny"})
    card = cards.read_card(tmp_path / "tiny")
    assert card["stored_as"] == "float16" and card["title"] == "tiny"
    loaded = kg.load(str(tmp_path / "tiny"))
    assert loaded.discriminator is None and loaded.ema_decay is None
    with standing_statistics(gan):
        made = gan.generate(8, seed=3)
    assert np.abs(loaded.generate(8, seed=3).astype(int) - made).max() <= 1
    assert np.abs(loaded.generate(8, seed=3).astype(int) - kg.zoo.sampler(gan).generate(8, seed=3)).max() <= 1
    with zipfile.ZipFile(tmp_path / "tiny" / "model.keras") as file:
        assert file.testzip() is None


def test_two_samplers_of_a_model_are_the_same_to_the_seeds_of_dropout():
    comparator = build_classifier((8, 8, 1), 3, base_filters=2)  # its dropout has a seed
    model = kg.DeePSiM(deepsim.build_generator((8,), (8, 8, 1), filters=4, units=4), None, comparator)
    one, other = kg.zoo.sampler(model), kg.zoo.sampler(model)
    for sampler in (one, other):
        assert len(sampler.comparator.variables) == len(sampler.comparator.weights) + 1
        for wanted, found in zip(comparator.variables, sampler.comparator.variables, strict=True):
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(wanted), keras.ops.convert_to_numpy(found))


def test_a_sampler_of_several_networks_keeps_those_of_the_preset_with_their_averages():
    networks = kg.models.cogan
    gan = kg.CoGAN(
        networks.build_generators((8, 8, 1), 4, filters=(4, 4)),
        networks.build_discriminators((8, 8, 1), filters=(4, 4), units=8, kernel_size=2),
        ema_decay=0.5,
    )
    gan.step.assign(1)
    for weight in gan.ema.weights:
        weight.assign(weight + 0.05)
    copy = kg.zoo.sampler(gan)
    assert copy.discriminators is None and copy.ema_decay is None and len(copy.generators) == 3
    with standing_statistics(gan):
        made = gan.generate(4, seed=3)
    for name, images in copy.generate(4, seed=3).items():
        assert np.abs(images.astype(int) - made[name]).max() <= 1  # a grey level, by rounding


def test_a_preset_of_a_translation_keeps_examples_of_what_it_was_given(tmp_path):
    """Golden sources are examples of the data, and the picture shows source, output and target."""
    source, seeds, target = keras.Input((8, 8, 1)), keras.Input((), dtype="int32"), keras.Input((8, 8, 1))
    number = keras.layers.Reshape((1,))(keras.ops.cast(seeds, "float32") / 2.0**31)
    noise = keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64)(number))
    made = keras.layers.Conv2D(1, 3, padding="same", activation="tanh")(source + noise)
    logits = keras.layers.Conv2D(1, 3)(keras.layers.Concatenate()([source, target]))
    gan = kg.Pix2Pix(keras.Model([source, seeds], made), keras.Model([source, target], logits))
    with pytest.raises(ConfigurationError, match="sources, which cannot be drawn"):
        kg.zoo.write_preset(gan, tmp_path / "tiny", {})
    images = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 1)).astype("uint8")
    examples = {"sources": images, "targets": images[::-1]}
    kg.zoo.write_preset(gan, tmp_path / "tiny", {"title": "tiny"}, examples)
    card = cards.read_card(tmp_path / "tiny")
    assert card["image_shape"] == [8, 8, 1] and "latent_dim" not in card and "labels" not in card
    inputs, outputs = kg.zoo.golden_parts(dict(np.load(tmp_path / "tiny" / "golden.npz")))
    np.testing.assert_array_equal(inputs["sources"][:10], images)
    loaded = kg.load(str(tmp_path / "tiny"))
    np.testing.assert_array_equal(loaded.sample(**inputs)["targets"], outputs["targets"])
    with Image.open(tmp_path / "tiny" / "samples.png") as picture:
        assert picture.size == (8 * 3 * 8, 8 * 8)
        np.testing.assert_array_equal(np.asarray(picture)[:8, :8], images[0, ..., 0])
        np.testing.assert_array_equal(np.asarray(picture)[:8, 16:24], images[-1, ..., 0])


def test_a_preset_of_version_0_1_0_says_that_it_is_one(zoo):
    """Its networks had other names: here an option that is none."""
    path = zoo / "copy" / "model.keras"
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    config = json.loads(members["config.json"])
    config["config"]["pyramid"] = 3
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    with pytest.raises(CorruptPresetError, match="a DCGAN with the options pyramid.*Train it again, or load it with"):
        kg.zoo.load_file(path)


def test_golden_samples_of_version_0_1_0_say_what_is_expected():
    with pytest.raises(CorruptPresetError, match="under the names inputs/.*Received: noise, images. Fetch"):
        kg.zoo.golden_parts({"noise": 0, "images": 0})


def test_a_mixed_precision_model_is_stored_in_float32(tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        gan = kg.DCGAN(
            dcgan.build_generator((8, 8, 1), 4, base_filters=4), dcgan.build_discriminator((8, 8, 1), base_filters=4)
        )
    finally:
        keras.config.set_dtype_policy(before)
    copy = kg.zoo.sampler(gan)
    assert {layer.dtype_policy.name for layer in copy.generator.layers} == {"float32"}
    assert all(np.array_equal(a, b) for a, b in zip(copy.generator.get_weights(), gan.generator.get_weights()))


REACHED = {  # a metric, and the least of it that a preset has
    "labels": {"cgan_mnist": 0.97, "acgan_avatars": 0.95, "icgan_avatars": 0.85, "cc_lapgan_avatars": 0.6},
    "classes": {"pacgan_stacked_mnist": 1000},
    "purity": {"info_gan_mnist": 0.85},
    "edited": {"icgan_avatars": 0.85},
    "stayed": {"icgan_avatars": 0.85},
    "kept": {"ali_mnist": 0.75},
}


@pytest.mark.parametrize("metric", REACHED)
def test_cards_reach_what_the_zoo_promises(metric):
    for name, least in REACHED[metric].items():
        assert cards.read_card(cards.find(name))["metrics"][metric]["value"] >= least


def test_cards_measure_what_their_variant_is_for():
    read = {name: cards.read_card(cards.find(name)) for name in PRESETS}
    assert all("labels" in card["metrics"] for card in read.values() if "labels" in card)
    metrics = read["ali_mnist"]["metrics"]
    assert metrics["reconstruction"]["value"] < 0.7 * metrics["of_another"]["value"]
    pairs = read["cogan_mnist_edges"]["metrics"]
    assert pairs["agreement"]["value"] > pairs["by_chance"]["value"] + 0.05
    assert read["gran_mnist"]["hyper_parameters"]["steps"] == 3


# Classifiers


def test_the_two_kinds_are_told_apart():
    assert CLASSIFIERS == kg.zoo.classifiers() and {"classifier_avatars", "classifier_mnist"} <= set(CLASSIFIERS)
    assert not set(CLASSIFIERS) & set(kg.zoo.presets())
    with pytest.raises(UnknownPresetError, match=r"kg\.zoo\.load_classifier\('classifier_mnist'\)"):
        kg.load("classifier_mnist")
    with pytest.raises(UnknownPresetError, match=r"kg\.load\('dcgan_mnist'\)"):
        kg.zoo.load_classifier("dcgan_mnist")
    with pytest.raises(UnknownPresetError, match="Did you mean .*classifier_mnist"):
        kg.zoo.load_classifier("clasifier_mnist")


@each(CLASSIFIERS)
def test_a_classifier_reproduces_its_golden_logits(preset):
    golden = np.load(preset.folder / "golden.npz")
    logits = preset.model.predict_on_batch((golden["images"] / 127.5 - 1.0).astype("float32"))
    # Rounding adds up over four layers with sums of up to 288 terms: 1e-7 sqrt(288) of each layer's magnitude.
    np.testing.assert_allclose(np.asarray(logits), golden["logits"], rtol=1e-4, atol=1e-4)


@each(CLASSIFIERS)
def test_a_classifiers_card_says_what_the_file_is(preset):
    name, card, model = preset.name, preset.card, preset.model
    assert card["preset"] == name and card["size"] < 2**21
    outputs = next(card[kind] for kind in ("num_classes", "num_attributes", "num_pixel_classes") if kind in card)
    assert (None, *card["image_shape"]) == model.input_shape and outputs == model.output_shape[-1]
    assert card["parameters"] == model.count_params() and not model.compiled
    if "num_pixel_classes" in card:
        assert model.output_shape[1:3] == model.input_shape[1:3] and card["metrics"]["accuracy"]["mean_iou"] > 0.95
    else:
        assert len(model.output_shape) == 2 and model.get_layer("features").output.shape[1] >= 64
    assert card["training"]["steps"] > 0 and card["dataset"]["split"] == "train"
    assert card["dataset"]["license"] and all(card[word] for word in WORDS)
    accuracy = card["metrics"]["accuracy"]
    assert accuracy["split"] == "test" and accuracy["examples"] >= 2000
    assert accuracy["value"] >= {"classifier_mnist": 0.99, "classifier_avatars": 0.99}.get(name, 0.75)
    assert min(accuracy.get("of_each", {"": 1.0}).values()) >= 0.95


def test_a_damaged_classifier_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    shutil.copytree(cards.find("classifier_mnist"), tmp_path / "copy")
    path = tmp_path / "copy" / "model.keras"
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("parsed"))
    with pytest.raises(CorruptPresetError, match="Fetch"):
        kg.zoo.load_classifier(str(tmp_path / "copy"))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="measured once, on TensorFlow")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in cards.presets()]
)
def test_a_preset_is_what_its_card_says(name):
    """Its file, its golden samples, and its metrics measured again; a data set that is not there is left out. All of
    the zoo is a tier of its own, of minutes a preset: pytest -m slow tests/test_zoo.py"""
    found = dict(evaluation.verify(name))
    wrong = {what: problem for what, problem in found.items() if problem and not problem.startswith("not checked")}
    assert not wrong and "sha256" in found


@pytest.mark.parametrize("script", ["zoo_table.py", "gallery.py"])
def test_the_pages_of_the_zoo_are_the_cards(script):
    root = cards.PACKAGE_ZOO.parent
    if not (root / "README.md").is_file():
        pytest.skip("an installed package has no README beside it")
    shown = subprocess.run(
        [sys.executable, str(root / "docs" / script), "--check"], capture_output=True, text=True, env=os.environ
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr


def test_every_lecture_names_a_variant_and_what_trains_it():
    page = cards.PACKAGE_ZOO.parent / "docs" / "lectures.md"
    if not page.is_file():
        pytest.skip("an installed package has no docs beside it")
    rows = [
        line.split("|")[1:] for line in page.read_text(encoding="utf-8").splitlines() if "`keras-gans train" in line
    ]
    named = {row[1].strip(" `") for row in rows}
    assert named == set(cards.variants().values())
    trained = {row[2].strip(" `").removeprefix("keras-gans train ") for row in rows}
    assert trained <= {*cards.recipes(), *cards.variants()}
