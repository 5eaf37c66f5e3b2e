"""Measuring, comparing and verifying presets, on drawn digits that need no download."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import keras_gans as kg
from keras_gans import evaluation
from keras_gans.data.batches import drawn_rows
from keras_gans.errors import ConfigurationError
from keras_gans.evaluation import Settings, capabilities, measure
from keras_gans.evaluation import settings as evaluation_settings
from keras_gans.evaluation.measure import Samples
from keras_gans.fields import Prompts, Tokens
from keras_gans.models.pix2pix import build_generator as build_translator
from keras_gans_core import cards

DRAWN = Settings("drawn:digits", "test", "classifier_mnist", ("frechet_distance", "kernel_distance"), samples=200)


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A zoo of the user's own: `copy`, of gan_mnist, to damage."""
    monkeypatch.setenv("KERAS_GANS_ZOO", str(tmp_path))
    shutil.copytree(cards.find("gan_mnist"), tmp_path / "copy")
    card = cards.read_card(tmp_path / "copy")
    card.pop("evaluation", None)
    card.pop("metrics", None)
    (tmp_path / "copy" / "card.json").write_text(json.dumps(card))
    return tmp_path


def problems(name):
    return {what: problem for what, problem in evaluation.verify(name)}


def test_a_model_is_measured_beside_real_images():
    model = kg.load("gan_mnist")
    found, floor = evaluation.evaluate(model, DRAWN)
    reference = kg.data.load("drawn:digits", split="test", take=200)
    others = kg.data.load("drawn:digits", split="train", take=200)
    features = evaluation.extractor("classifier_mnist", model.image_shape)
    expected = kg.metrics.frechet_distance(real=features(reference.images), fake=features(model.generate(200, seed=0)))
    assert found["frechet_distance"].value == pytest.approx(expected, rel=1e-6)
    assert floor["frechet_distance"].value == pytest.approx(
        kg.metrics.frechet_distance(real=features(reference.images), fake=features(others.images)), rel=1e-6
    )
    assert floor["frechet_distance"].better(found["frechet_distance"])  # as many real images: one protocol
    assert "drawn" in found["frechet_distance"].protocol.real


def test_a_card_keeps_what_verify_needs(zoo):
    before = cards.read_card(zoo / "copy")
    found, floor = evaluation.evaluate(kg.load("copy"), DRAWN)
    evaluation.write_metrics(zoo / "copy", DRAWN, found, floor)
    card = cards.read_card(zoo / "copy")
    assert {key: card[key] for key in before} == before
    assert card["metrics"]["frechet_distance"]["value"] == found["frechet_distance"].value
    assert card["metrics"]["frechet_distance"]["floor"] == floor["frechet_distance"].value
    assert card["metrics"]["frechet_distance"]["protocol"]["fake_count"] == 200
    assert problems("copy") == {
        "sha256": None,
        "golden samples": None,
        "frechet_distance": None,
        "kernel_distance": None,
    }


@pytest.mark.parametrize(
    ("change", "failing", "message"),
    [
        (
            lambda card: card["metrics"]["frechet_distance"].update(
                value=card["metrics"]["frechet_distance"]["value"] * 0.9
            ),
            "frechet_distance",
            "and not",
        ),
        (
            lambda card: card["metrics"]["kernel_distance"]["protocol"].update(fake_count=50_000),
            "kernel_distance",
            "another protocol",
        ),
        (lambda card: card.update(sha256="0" * 64), "sha256", "Expected"),
        (lambda card: card["evaluation"].update(source="no_such_data"), "metrics", "not checked"),
    ],
)
def test_a_card_that_lies_is_found_out(zoo, change, failing, message):
    found, _ = evaluation.evaluate(kg.load("copy"), DRAWN)
    evaluation.write_metrics(zoo / "copy", DRAWN, found, None)
    card = cards.read_card(zoo / "copy")
    change(card)
    (zoo / "copy" / "card.json").write_text(json.dumps(card))
    wrong = {what: problem for what, problem in problems("copy").items() if problem}
    assert list(wrong) == [failing] and message in wrong[failing]


def test_other_golden_images_are_found_out(zoo):
    path = zoo / "copy" / "golden.npz"
    golden = dict(np.load(path))
    golden["outputs/images"] = golden["outputs/images"] ^ 4
    np.savez(path, **golden)
    assert "differ" in problems("copy")["golden samples"]


def test_a_classifier_is_verified_by_its_logits_and_its_accuracy(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    found = problems("classifier_mnist")
    assert found.pop("metrics").startswith("not checked") and found == {"sha256": None, "golden logits": None}


OLD_NAMES = {
    "frechet_distance": "fid",
    "kernel_distance": "kid",
    "classifier_score": "is",
    "frechet_distance_infinity": "fid_infinity",
}


@pytest.mark.parametrize("ending", ["", "_a"])
def test_a_card_of_an_older_version_is_left_unmeasured_with_the_remedy(zoo, ending):
    """Its files are still checked; it fails no check."""
    settings = replace(DRAWN, metrics=("frechet_distance", "kernel_distance", "precision_recall"), floor=None)
    found, _ = evaluation.evaluate(kg.load("copy"), settings)
    evaluation.write_metrics(zoo / "copy", settings, found, None)
    card = cards.read_card(zoo / "copy")
    card["evaluation"]["metrics"] = [OLD_NAMES.get(name, name) for name in card["evaluation"]["metrics"]]
    card["metrics"] = {OLD_NAMES.get(name, name) + ending: number for name, number in card["metrics"].items()}
    (zoo / "copy" / "card.json").write_text(json.dumps(card))
    said = problems("copy")
    assert list(said) == ["sha256", "golden samples", "metrics"]
    assert said["sha256"] is None and said["golden samples"] is None and said["metrics"].startswith("not checked")
    assert "fid, kid" in said["metrics"]
    remedy = "keras-gans evaluate copy --metrics frechet_distance,kernel_distance,precision_recall --write"
    assert remedy in said["metrics"]


def sorted_digits(folder, kind, classes=4, each=30):
    """Images that are sorted by class, each with its row as its first pixel; as a "file", a "folder", or in memory for
    "tfds". Returns the source of `Settings`, and the images."""
    digits, labels = kg.data.digits(400, seed=3)
    rows = np.concatenate([np.flatnonzero(labels == label)[:each] for label in range(classes)])
    images = digits[rows].copy()
    images[:, 0, 0, 0] = np.arange(len(rows))
    if kind == "file":
        np.savez(folder / "sorted.npz", images=images, labels=labels[rows])
        return str(folder / "sorted.npz"), images
    if kind == "tfds":
        return "sorted", images
    for row, image in enumerate(images):
        (folder / "sorted" / str(labels[rows[row]])).mkdir(parents=True, exist_ok=True)
        kg.images.save(image, folder / "sorted" / str(labels[rows[row]]) / f"{row:03}.png")
    return str(folder / "sorted"), images


@pytest.mark.parametrize("kind", ["file", "folder", "tfds"])
def test_a_reference_smaller_than_its_split_is_drawn_from_all_of_it(kind, tmp_path, monkeypatch):
    """Of data sorted by class, all classes are in the reference and, in random order, in the floor."""
    source, images = sorted_digits(tmp_path, kind)
    if kind == "tfds":

        def read(feature, name, split, take, *_):
            about = {"name": "sorted", "source": "TFDS"}
            return images[:take], np.repeat(np.arange(4), 30)[:take], about

        monkeypatch.setattr("keras_gans.data.loading.read_tfds", read)
    model = kg.load("gan_mnist")
    settings = Settings(source, "train", "classifier_mnist", ("kernel_distance",), samples=40, floor="train")
    real = evaluation_settings.reference(settings, "train", model)
    rows = real.images[:, 0, 0, 0].astype(int)
    assert len(rows) == 40 and set(rows // 30) == {0, 1, 2, 3} and (images[rows] == real.images).all()
    seen = []
    measure_of = kg.metrics.Evaluator.__call__

    def asked(self, fake):
        seen.append(fake)
        return measure_of(self, fake)

    monkeypatch.setattr(kg.metrics.Evaluator, "__call__", asked)
    found, floor = evaluation.evaluate(model, settings)
    assert "40 images, drawn, sha256" in found["kernel_distance"].protocol.real
    order = seen[-1][:, 0, 0, 0].astype(int)
    assert sorted(order) == sorted(rows) and list(order) != sorted(order)
    again = evaluation.evaluate(model, settings)
    assert again == (found, floor)
    whole = evaluation_settings.reference(replace(settings, samples=120), "train", model)
    assert (whole.images == images).all() and "drawn" not in whole.about


def test_a_part_of_domains_is_drawn_from_each_and_pairs_stay_pairs(monkeypatch):
    """The shorter domain is whole, and its protocol does not say that it was drawn; so many images are translated."""
    rows = np.arange(40, dtype="uint8")[:, None, None, None] * np.ones((1, 12, 12, 1), "uint8")
    longer = {"a": rows, "b": 255 - rows[:10]}

    def load_data(source, *, take, **options):
        assert take is None  # not a folder or a file: all are read
        return kg.data.CroppedDomains(**longer, batch_size=1, about={"name": source, "pairs": len(longer["b"]) == 40})

    monkeypatch.setattr(kg.CycleGAN, "load_data", load_data)
    model = both_ways(keras.ops.negative, keras.ops.negative)
    settings = Settings("rows", "test", "pixels", ("kernel_distance",), samples=20, floor=None)
    examples = evaluation.load_split(settings, "test", model)
    assert {name: len(array) for name, array in examples.arrays.items()} == {"a": 20, "b": 10}
    assert max(examples.arrays["a"][:, 0, 0, 0]) > 30
    found, _ = evaluation.evaluate(model, settings)
    assert "20 images, drawn" in found["kernel_distance_a"].protocol.real
    assert "10 images, sha256" in found["kernel_distance_b"].protocol.real
    assert found["kernel_distance_a"].protocol.fake_count == 10
    given = measure.generated(settings, model, 0, None).inputs["a"][:, 0, 0, 0]
    assert len(given) == 10 and max(given) > 30
    longer["b"] = 255 - rows
    examples = evaluation.load_split(settings, "test", model)
    assert (examples.arrays["b"] == 255 - examples.arrays["a"]).all() and max(examples.arrays["a"][:, 0, 0, 0]) > 30
    assert evaluation.evaluate(model, settings)[0]["l1_a"].value == 0.0


def test_two_models_are_compared_with_the_same_noise():
    """Of a model and itself the means are equal; the interval is Student's, by hand for three numbers."""
    gan = kg.load("gan_mnist")
    table = evaluation.compare({"a": gan, "b": gan, "c": kg.load("dcgan_mnist")}, DRAWN, seeds=3)
    assert table["frechet_distance"]["a"] == table["frechet_distance"]["b"] != table["frechet_distance"]["c"]
    measure = evaluation.evaluator(DRAWN, gan)
    values = [measure(gan.generate(200, seed=seed))["frechet_distance"].value for seed in range(3)]
    mean, half = table["frechet_distance"]["a"]
    assert table["frechet_distance"].title == "frechet_distance (classifier_mnist)"
    assert mean == pytest.approx(np.mean(values))
    assert half == pytest.approx(4.303 * np.std(values, ddof=1) / np.sqrt(3))


def test_what_cannot_be_compared_is_refused():
    gan = kg.load("gan_mnist")
    other = kg.GAN(image_shape=(8, 8, 1))
    with pytest.raises(ConfigurationError, match="one shape"):
        evaluation.compare({"a": gan, "b": other}, DRAWN, seeds=2)
    with pytest.raises(ConfigurationError, match="2 to 10 seeds"):
        evaluation.compare({"a": gan}, DRAWN, seeds=1)
    texts = {name: SimpleNamespace(output_fields={"tokens": Tokens(8, f"`{name}")}) for name in ("ab", "cd")}
    with pytest.raises(ConfigurationError, match="one alphabet"):
        evaluation.compare(texts, DRAWN, seeds=2)


def test_models_are_compared_on_the_same_images_each_by_its_own_labels(monkeypatch):
    images, digits = kg.data.digits(60, seed=1)
    labels = {"digit": digits, "odd": digits % 2}

    def loaded(settings, split, model):
        about = {"name": "digits", "source": "TFDS", "split": split}
        return kg.data.Batches(images, labels.get(settings.labels), batch_size=1, about=about)

    for module in (measure, evaluation_settings):
        monkeypatch.setattr(module, "load_split", loaded)
    ten = digits_by_label(0)
    two = kg.CGAN(image_shape=(28, 28, 1), latent_dim=4, label_space=kg.data.Classes(2))
    settings = Settings("digits", "test", "pixels", ("kernel_distance",), samples=20)
    both = {"ten": "digit", "two": "odd"}
    table = evaluation.compare({"ten": ten, "two": two}, settings, 2, labels=both)
    assert table == evaluation.compare({"two": two, "ten": ten}, settings, 2, labels=both)
    for name, model in (("ten", ten), ("two", two)):
        alone = evaluation.compare({name: model}, replace(settings, labels=both[name]), 2)
        assert alone["kernel_distance"][name] == table["kernel_distance"][name]
    with pytest.raises(ConfigurationError, match="CGAN.*digits, feature 'label', which has none.*--label-feature"):
        evaluation.compare({"ten": ten, "two": two}, settings, 2, labels={"ten": "digit"})
    with pytest.raises(ConfigurationError, match="from 0 to 1\\. .*feature 'digit'.*--label-feature"):
        evaluation.compare({"two": two}, replace(settings, labels="digit"), 2)


def test_features_by_name(tmp_path):
    assert evaluation.extractor("pixels", (8, 8, 3)).size == 192
    kg.metrics.pixels((8, 8, 1)).network.save(tmp_path / "own.keras")
    assert evaluation.extractor(str(tmp_path / "own.keras"), (8, 8, 1)).name == "own.keras"
    with pytest.raises(ConfigurationError, match="Did you mean classifier_mnist"):
        evaluation.extractor("clasifier_mnist", (8, 8, 1))
    with pytest.raises(ConfigurationError, match="no classifier.*--features"):
        evaluation.evaluator(Settings("drawn:shapes", samples=8), kg.GAN(image_shape=(32, 32, 3)))


def test_a_model_of_text_is_measured_by_its_n_grams(tmp_path):
    verses = ["in the beginning", "and the earth was", "and the evening"] * 3
    (tmp_path / "verses.txt").write_text("\n".join(verses))
    lines = kg.data.load_text(verses, length=8, batch_size=3)
    gan = kg.WGANGPText(length=8, alphabet=lines.about["alphabet"])
    settings = Settings(str(tmp_path / "verses.txt"), "train", samples=5, floor="train")
    found, floor = evaluation.evaluate(gan, settings)
    made = gan.generate(5, seed=0)
    real = lines.arrays["tokens"]
    assert list(found) == ["js1", "js2", "js3", "js4"]
    assert found["js3"].value == kg.metrics.ngram_divergence(real=real, fake=made, n=3)
    assert floor["js1"].value == kg.metrics.ngram_divergence(real=real, fake=real[:5], n=1)
    assert floor["js1"].better(found["js1"]) and found["js1"].protocol.fake_count == 5


def digits_by_label(shift):
    """A CGAN whose generator shows a drawn digit of the class asked for, or of one `shift` classes further."""
    images, labels = kg.data.digits(300, seed=1)
    shown = np.stack([images[labels == (digit + shift) % 10][0] for digit in range(10)])
    latents, asked = keras.Input((4,)), keras.Input((10,))
    made = keras.layers.Dense(28 * 28, use_bias=False, name="table")(asked)
    made = keras.layers.Reshape((28, 28, 1))(made + 0.0 * keras.ops.sum(latents, axis=1, keepdims=True))
    generator = keras.Model([latents, asked], made)
    generator.get_layer("table").kernel.assign(shown.reshape(10, -1) / 127.5 - 1.0)
    return kg.CGAN(generator, None, label_space=kg.data.Classes(10))


def test_a_conditional_model_is_asked_for_the_labels_of_the_data_and_held_to_them():
    settings = Settings("drawn:digits", "test", "classifier_mnist", ("frechet_distance",), samples=300)
    found, floor = evaluation.evaluate(digits_by_label(0), settings)
    real = kg.data.load("drawn:digits", split="test", take=300)
    classifier = kg.zoo.load_classifier("classifier_mnist")
    known = (kg.metrics.predict_classes(classifier, real.images) == real.labels).mean()
    assert floor["labels"].value == known > 0.5  # it was trained on handwriting
    shown = kg.metrics.predict_classes(classifier, digits_by_label(0).generate(10, seed=0, labels=np.arange(10)))
    asked = real.labels[np.random.Generator(np.random.PCG64(0)).integers(300, size=300)]
    assert found["labels"].value == pytest.approx((shown[asked] == asked).mean())
    assert found["labels"].value > 0.5
    wrong, _ = evaluation.evaluate(digits_by_label(1), settings)
    assert wrong["labels"].value < 0.3 and found["labels"].better(wrong["labels"])


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_reconstructions_are_held_against_their_images(shift):
    """Of an ALI whose encoder and decoder copy: latents are pixels, brighter by `shift`, within [0, 1]."""
    images, latents = keras.Input((28, 28, 1)), keras.Input((784,))
    generator = keras.Model(latents, keras.layers.Reshape((28, 28, 1))(latents))
    encoder = keras.Model(images, keras.ops.clip(keras.layers.Flatten()(images) + 2 * shift, -1, 1))
    settings = Settings("drawn:digits", "test", "classifier_mnist", ("frechet_distance",), samples=200)
    found, floor = evaluation.evaluate(kg.ALI(generator, None, encoder), settings)
    real = kg.data.load("drawn:digits", split="test", take=200).images / 255.0
    again = np.round(np.clip(real + shift, 0, 1) * 255) / 255
    assert found["reconstruction"].value == pytest.approx(np.sqrt(np.mean((real - again) ** 2)), rel=1e-3)
    others = np.roll(again, 1, axis=0)
    assert found["of_another"].value == pytest.approx(np.sqrt(np.mean((real - others) ** 2)), rel=1e-3)
    classifier = kg.zoo.load_classifier("classifier_mnist")
    answers = [kg.metrics.predict_classes(classifier, np.round(x * 255).astype("uint8")) for x in (real, again)]
    assert found["kept"].value == pytest.approx((answers[0] == answers[1]).mean())
    assert (found["kept"].value == 1.0) == (shift == 0.0) and "kept" not in floor


def test_latents_are_held_against_what_the_encoder_finds():
    """G(z) = z / 4 and E(x) = 2 x, half of z: the square of the other half, of a variance of one."""
    images, latents = keras.Input((28, 28, 1)), keras.Input((784,))
    generator = keras.Model(latents, keras.layers.Reshape((28, 28, 1))(latents / 4))
    encoder = keras.Model(images, keras.layers.Flatten()(2 * images))
    settings = Settings("drawn:digits", "test", "classifier_mnist", ("frechet_distance",), samples=100)
    found = evaluation.evaluate(kg.ALI(generator, None, encoder), settings)[0]["latent_error"]
    assert found.value == pytest.approx(0.25, rel=0.01) and found.error is None


def pair_maker():
    """A CoGAN of two images for each latent, which do not belong together."""
    latents = keras.Input((4,))
    generators = [keras.Model(latents, keras.layers.Dense(4)(latents))]
    for _ in range(2):
        features = keras.Input((4,))
        made = keras.layers.Dense(28 * 28, activation="tanh", kernel_initializer="random_normal")(features)
        generators.append(keras.Model(features, keras.layers.Reshape((28, 28, 1))(made)))
    return kg.CoGAN(generators, None)


def test_two_images_an_example_are_measured_by_the_first_and_by_their_agreement():
    gan = pair_maker()
    settings = Settings(
        "drawn:digits", "test", "classifier_mnist", ("frechet_distance",), samples=100, change="negatives"
    )
    found, floor = evaluation.evaluate(gan, settings)
    made = gan.generate(100, seed=0)
    pairs = np.stack([made["first"], made["second"]], axis=1)
    assert found["agreement"].value == kg.metrics.pixel_agreement(fake=pairs, change=kg.data.negatives)
    assert found["by_chance"].value == pytest.approx(0.5, abs=0.02)
    assert (
        found["frechet_distance"].value == evaluation.evaluator(settings, gan)(made["first"])["frechet_distance"].value
    )
    assert list(floor) == ["frechet_distance"] and list(found) == ["frechet_distance", "agreement", "by_chance"]
    alone, _ = evaluation.evaluate(gan, replace(settings, change=None))
    assert list(alone) == ["frechet_distance"] and alone["frechet_distance"].value == found["frechet_distance"].value


def test_a_change_that_nothing_follows_is_refused():
    made = Samples({}, {}, None)
    settings = Settings("drawn:digits", change="load")
    with pytest.raises(ConfigurationError, match="edges, negatives. Received: change='load' and CoGAN"):
        capabilities.agreement(settings, pair_maker(), made)
    with pytest.raises(ConfigurationError, match="two images per example.*GAN, which makes images"):
        capabilities.agreement(replace(settings, change="edges"), kg.GAN(image_shape=(8, 8, 1)), made)


def translator(shift=0):
    """A Pix2Pix of grey images whose translation is the source, brighter by `shift` grey levels."""
    sources, seeds = keras.Input((28, 28, 1), name="sources"), keras.Input((), dtype="int32", name="seeds")
    made = (
        keras.ops.clip(sources + shift / 127.5, -1.0, 1.0) + 0.0 * keras.ops.cast(seeds, "float32")[:, None, None, None]
    )
    return kg.Pix2Pix(keras.Model([sources, seeds], made), None)


def test_translations_are_held_against_the_true_targets_of_their_sources():
    """The sources are the outlines of the drawn digits, in the order of the split."""
    settings = Settings("drawn:digits", "test", "classifier_mnist", ("frechet_distance",), samples=80, floor="train")
    found, floor = evaluation.evaluate(translator(), settings)
    targets = kg.data.load("drawn:digits", split="test", take=80).images
    sources = kg.data.edges(targets)
    distance = np.mean(np.abs(targets / 255.0 - sources / 255.0))
    assert found["l1"].value == pytest.approx(distance) == found["l1_of_source"].value
    assert found["psnr"].value == pytest.approx(kg.metrics.psnr(real=targets, fake=sources).mean())
    assert found["ssim"].value == pytest.approx(kg.metrics.ssim(real=targets, fake=sources).mean())
    brighter, _ = evaluation.evaluate(translator(51), settings)
    moved = np.clip(sources.astype(int) + 51, 0, 255)
    assert brighter["l1"].value == pytest.approx(np.mean(np.abs(targets / 255.0 - moved / 255.0)), rel=1e-6)
    assert brighter["l1_of_source"].value == found["l1_of_source"].value
    assert found["l1"].better(brighter["l1"]) and found["psnr"].better(brighter["psnr"])
    assert found["l1"].protocol.fake_count == 80 and "true targets" in found["l1"].protocol.real
    features = evaluation.extractor("classifier_mnist", (28, 28, 1))
    expected = kg.metrics.frechet_distance(real=features(targets), fake=features(sources))
    assert found["frechet_distance"].value == pytest.approx(expected, rel=1e-6) and list(floor) == ["frechet_distance"]


def test_larger_images_are_measured_beside_bicubic_resizing():
    """The generator is nearest-neighbour resizing, and the true images are given for the second."""
    small = keras.Input((None, None, 3))
    model = kg.SRGAN(keras.Model(small, keras.layers.UpSampling2D(4)(small)), None)
    images = kg.data.shapes(40, image_size=(64, 64))[0]
    settings = Settings("drawn:shapes", "train", "classifier_cifar10", samples=40)
    batches = kg.data.load_patches(images, image_size=(64, 64), batch_size=1, augment=False)
    given = {"small": batches.arrays["small"]}
    found = capabilities.enlargements(settings, model, Samples(given, model.sample(**given), batches))
    names = ("psnr_luma", "ssim_luma", "sharpness_gap", "patch_distance")
    assert sorted(found) == sorted(f"{name}{ending}" for name in names for ending in ("", "_of_bicubic"))
    nearest = np.repeat(np.repeat(given["small"], 4, axis=1), 4, axis=2)
    true, seen = (kg.metrics.luma(array)[:, 4:-4, 4:-4] for array in (images, nearest))
    error = np.square(true - seen).mean(axis=(1, 2, 3))
    assert found["psnr_luma"].value == pytest.approx((10 * np.log10(255**2 / error)).mean())
    assert found["psnr_luma_of_bicubic"].better(found["psnr_luma"]) is True  # edges are nearer
    exact = capabilities.enlargements(settings, model, Samples(given, {"images": images}, batches))
    assert exact["sharpness_gap"].value == 0.0 and abs(exact["patch_distance"].value) < 1e-6
    assert exact["ssim_luma"].value == pytest.approx(1.0)


def going_on():
    """A model of two frames that predicts twice the newest minus the one before."""
    clips = keras.Input((None, None, 2))
    line = keras.layers.Conv2D(1, 1, use_bias=False)
    network = keras.Model(clips, line(clips))
    line.kernel.assign(np.array([-1.0, 2.0], "float32").reshape(1, 1, 2, 1))
    return kg.VideoPredictionGAN(network)


def predicted(clips, context=2):
    """The measurements of `going_on` for clips (N, frames, height, width, 1)."""
    batches = kg.data.load_clips(clips, context=context, length=clips.shape[1], batch_size=1, augment=False)
    model, given = going_on(), {"clips": batches.arrays["clips"]}
    return capabilities.predictions(Settings("clips", "test"), model, Samples(given, model.sample(**given), batches))


def test_predictions_are_measured_beside_copying_the_last_frame():
    """A slope that moves by one pixel a frame, 10 levels: copying is wrong by 10, 20, ..., 80 levels."""
    slope = np.broadcast_to(10 * np.arange(24)[None, None, None, :, None], (2, 10, 16, 24, 1))
    moved = (slope + 10 * np.arange(10)[None, :, None, None, None]).clip(0, 255).astype("uint8")[:, :, :, :16]
    found = predicted(moved[:, :, :, :14])
    names = ("psnr_moving", "ssim_moving", "sharpness_moving")
    endings = [f"_{which}{ending}" for which in ("1", "1_to_8") for ending in ("", "_of_copying")]
    assert sorted(found) == sorted(f"{name}{ending}" for name in names for ending in endings)
    assert found["psnr_moving_1"].value == 100.0 and found["psnr_moving_1_to_8"].value == 100.0
    assert found["psnr_moving_1_of_copying"].value == pytest.approx(20 * np.log10(255 / 10))
    copied = np.mean([20 * np.log10(255 / (10 * k)) for k in range(1, 9)])
    assert found["psnr_moving_1_to_8_of_copying"].value == pytest.approx(copied)
    assert found["sharpness_moving_1_of_copying"].value == 100.0  # as steep
    assert found["psnr_moving_1"].protocol == found["psnr_moving_1_of_copying"].protocol
    assert found["psnr_moving_1"].better(found["psnr_moving_1_of_copying"])
    assert found["psnr_moving_1"].protocol.fake_count == 2


def test_clips_without_motion_are_left_out_of_the_numbers():
    clips = np.zeros((3, 4, 12, 12, 1), "uint8")
    clips[1] = (40 * np.arange(4)[:, None, None, None]).astype("uint8")
    found = predicted(clips)
    assert found["psnr_moving_1_of_copying"].value == pytest.approx(20 * np.log10(255 / 40))
    assert found["psnr_moving_1_to_2"].value == 100.0
    assert predicted(np.zeros((2, 4, 12, 12, 1), "uint8")) == {}
    clips[1, :3] = 0  # the first predicted frame is like the one before it
    later = predicted(clips)
    assert {name.removesuffix("_of_copying") for name in later} == {
        f"{name}_1_to_2" for name in ("psnr_moving", "ssim_moving", "sharpness_moving")
    }
    assert later["psnr_moving_1_to_2_of_copying"].value == pytest.approx(20 * np.log10(255 / 120))


def test_data_without_later_frames_have_numbers_of_the_first():
    clips = np.broadcast_to((20 * np.arange(3))[None, :, None, None, None], (2, 3, 8, 8, 1)).astype("uint8")
    assert sorted(predicted(clips)) == sorted(
        f"{name}_1{ending}" for name in ("psnr_moving", "sharpness_moving") for ending in ("", "_of_copying")
    )


def test_a_predictor_is_evaluated_on_moving_digits(monkeypatch):
    settings = Settings("moving_digits", "test", "pixels", ("kernel_distance",), samples=12, floor=None)
    small = kg.data.load_clips("moving_digits", split="test", take=16, context=2, batch_size=1, augment=False)
    monkeypatch.setattr(kg.VideoPredictionGAN, "load_data", lambda source, **options: small)
    found, _ = evaluation.evaluate(going_on(), settings)
    assert {"psnr_moving_1", "psnr_moving_1_to_8_of_copying", "l1", "kernel_distance"} <= set(found)
    assert all(np.isfinite(number.value) for number in found.values())


def test_equal_images_have_a_finite_psnr(monkeypatch):
    images = kg.data.digits(6)[0]
    pairs = kg.data.Batches(sources=images, targets=images, batch_size=1)
    made = Samples({"sources": images}, {"targets": images}, pairs)
    found = capabilities.partners(Settings("digits"), translator(), made)
    assert {name: number.value for name, number in found.items()} == {
        "l1": 0.0,
        "psnr": 100.0,
        "ssim": 1.0,
        "l1_of_source": 0.0,
    }
    small = Samples({}, {"targets": images[:, :8, :8]}, kg.data.Batches(targets=images[:, :8, :8], batch_size=1))
    assert list(capabilities.partners(Settings("digits"), translator(), small)) == ["l1", "psnr"]


def test_pairs_are_loaded_as_they_are_and_in_order(monkeypatch):
    asked = {}

    def load_data(source, **options):
        asked.update(options, source=source)
        return kg.data.Batches(sources=np.zeros((3, 32, 32), "uint8"), targets=np.zeros((3, 32, 32, 3), "uint8"))

    monkeypatch.setattr(kg.Pix2Pix, "load_data", load_data)
    generator = build_translator((32, 32, 8), (32, 32, 3), filters=2)
    model = kg.Pix2Pix(generator, None, source_classes=8, direction="BtoA")
    settings = Settings("faces", "test", samples=3, sides=("part_map", "image"))
    with pytest.raises(kg.errors.DataError):  # three are too few for a batch of 64
        evaluation.load_split(settings, "test", model)
    assert asked == {
        "source": "faces", "split": "test", "batch_size": 1, "take": None, "augment": False, "image_size": (32, 32),
        "sides": ("part_map", "image"), "direction": "BtoA", "classes": 8,
    }  # fmt: skip


def test_both_directions_are_measured_and_domains_are_no_pairs():
    images = keras.Input((28, 28, 1))
    networks = [keras.Model(images, keras.ops.negative(images)) for _ in range(2)]
    model = kg.CycleGAN(*networks, None, None, identity_weight=0)
    settings = Settings("drawn:digits", "test", "pixels", ("kernel_distance",), samples=20, floor="train")
    found, floor = evaluation.evaluate(model, settings)
    assert list(found) == ["kernel_distance_a", "kernel_distance_b", "cycle_a", "cycle_b"] and list(floor) == [
        "kernel_distance_a",
        "kernel_distance_b",
    ]
    split = kg.data.load_unpaired("drawn:digits", split="test", image_size=(28, 28), take=20, augment=False)
    measure = kg.metrics.Evaluator(split.arrays["b"], kg.metrics.pixels((28, 28, 1)), ["kernel_distance"])
    assert found["kernel_distance_b"].value == pytest.approx(measure(255 - split.arrays["a"])["kernel_distance"].value)


def both_ways(ab, ba, shape=(12, 12, 1)):
    """A CycleGAN whose translators are functions of images in [-1, 1]."""
    images = keras.Input(shape)
    return kg.CycleGAN(keras.Model(images, ab(images)), keras.Model(images, ba(images)), None, None, identity_weight=0)


def flat(*levels, count=3, shape=(12, 12, 1)):
    """{"a": images of one level, "b": of another}."""
    return {name: np.full((count, *shape), level, "uint8") for name, level in zip("ab", levels)}


def test_translations_there_and_back_are_held_against_their_images():
    """By hand: half of 255 (1.0) is 191 (0.5), whose negative is 64; the negative of 51 is 204 (0.6), half of which is
    166 (0.3)."""
    settings, domains = Settings("faces"), flat(255, 51)
    model = both_ways(lambda x: 0.5 * x, keras.ops.negative)
    made = Samples(domains, model.sample(**domains), kg.data.UnpairedBatches(**domains, batch_size=1))
    found = capabilities.cycles(settings, model, made)
    assert {name: number.value for name, number in found.items()} == {
        "cycle_a": pytest.approx((255 - 64) / 255),
        "cycle_b": pytest.approx((166 - 51) / 255),
    }
    assert found["cycle_a"].protocol.fake_count == 3 and found["cycle_a"].protocol.real == "faces test"
    one = {"a": domains["a"]}  # of one direction there is no way back
    assert capabilities.cycles(settings, model, Samples(one, model.sample(**one), None)) == {}


def test_what_comes_back_as_it_was_has_no_cycle_error():
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 12, 12, 1)).astype("uint8")
    domains = dict(zip("ab", images))
    for there, back in ((lambda x: 1.0 * x, lambda x: 1.0 * x), (keras.ops.negative, keras.ops.negative)):
        model = both_ways(there, back)
        found = capabilities.cycles(Settings("faces"), model, Samples(domains, model.sample(**domains), None))
        assert {name: number.value for name, number in found.items()} == {"cycle_a": 0.0, "cycle_b": 0.0}
    lost = both_ways(lambda x: 0.0 * x, lambda x: 1.0 * x)  # grey, 128, whatever it was
    found = capabilities.cycles(Settings("faces"), lost, Samples(domains, lost.sample(**domains), None))
    assert found["cycle_a"].value == pytest.approx(np.mean(np.abs(images[0] / 255.0 - 128 / 255.0)))


def test_models_without_a_way_back_have_no_cycle_error():
    images = kg.data.digits(3)[0]
    made = Samples({"sources": images}, {"targets": images}, None)
    assert capabilities.cycles(Settings("digits"), translator(), made) == {}
    pairs = pair_maker()
    assert capabilities.cycles(Settings("digits"), pairs, Samples({}, pairs.generate(2, seed=0), None)) == {}


def test_both_translations_are_held_against_their_partners_where_rows_are_pairs():
    """By hand: 51 becomes 204 and should be 153; 153 stays and should be 51. Unchanged, both are 102 away."""
    domains, model = flat(51, 153), both_ways(keras.ops.negative, lambda x: 1.0 * x)
    about = {"name": "faces", "pairs": True}
    paired, unpaired = (kg.data.CroppedDomains(**domains, batch_size=1, about=a) for a in (about, {"name": "faces"}))
    made = model.sample(**domains)
    found = capabilities.partners(Settings("faces"), model, Samples(domains, made, paired))
    names = ("l1", "psnr", "ssim", "l1_of_source")
    assert list(found) == [f"{name}_{side}" for side in "ab" for name in names]
    expected = {"l1_a": 102, "l1_of_source_a": 102, "l1_b": 51, "l1_of_source_b": 102}
    for name, levels in expected.items():
        assert found[name].value == pytest.approx(levels / 255) and found[name].protocol.fake_count == 3
    assert found["psnr_b"].value == pytest.approx(20 * np.log10(255 / 51))
    assert "true b of the same examples" in found["l1_b"].protocol.real
    assert capabilities.partners(Settings("faces"), model, Samples(domains, made, unpaired)) == {}


def test_partners_are_those_of_the_same_rows():
    """The partner of an image is its negative, and so is its translation; that of the row after it is not."""
    images = np.random.default_rng(0).integers(0, 256, (6, 12, 12, 1)).astype("uint8")
    model = both_ways(keras.ops.negative, keras.ops.negative)
    for shift in (0, 1):
        domains = {"a": images, "b": np.roll(255 - images, shift, axis=0)}
        pairs = kg.data.UnpairedBatches(**domains, batch_size=1, about={"pairs": True})
        inputs = {name: values[:4] for name, values in domains.items()}
        found = capabilities.partners(Settings("faces"), model, Samples(inputs, model.sample(**inputs), pairs))
        for side in "ab":
            assert (found[f"l1_{side}"].value == 0.0) == (shift == 0) and found[f"l1_of_source_{side}"].value > 0.2


def test_a_model_of_two_directions_is_measured_by_its_pairs(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (8, 12, 12, 1)).astype("uint8")

    def load_data(source, *, split, take, **options):
        assert options["augment"] is False and options["sides"] == ("x", "y")
        about = {"name": source, "split": split, "pairs": True}
        return kg.data.CroppedDomains(a=images[:take], b=255 - images[:take], batch_size=1, about=about)

    monkeypatch.setattr(kg.CycleGAN, "load_data", load_data)
    settings = Settings("faces", "test", "pixels", ("kernel_distance",), samples=6, sides=("x", "y"))
    found, floor = evaluation.evaluate(both_ways(keras.ops.negative, keras.ops.negative), settings)
    partners = [f"{name}_{side}" for side in "ab" for name in ("l1", "psnr", "ssim", "l1_of_source")]
    assert list(found) == ["kernel_distance_a", "kernel_distance_b", *partners, "cycle_a", "cycle_b"] and list(
        floor
    ) == ["kernel_distance_a", "kernel_distance_b"]
    assert found["l1_a"].value == found["l1_b"].value == found["cycle_a"].value == 0.0
    shown = images[drawn_rows(8, 6)]
    expected = np.mean(np.abs(shown / 255.0 - (255 - shown) / 255.0))
    assert found["l1_of_source_a"].value == pytest.approx(expected)


# Label maps read back


LEVELS = np.array([40, 120, 200])  # of the three classes, in images


def reader(shape=(12, 12, 1), classes=3):
    """A segmentation network: pixels nearer to the first level than to the second are of class 0, others of class 1."""
    images, logits = keras.Input(shape), keras.layers.Conv2D(classes, 1)
    network = keras.Model(images, logits(images))
    levels = LEVELS[:2] / 127.5 - 1.0
    kernel, bias = np.zeros((1, 1, shape[-1], classes)), np.full(classes, -100.0)
    kernel[0, 0, 0, :2], bias[:2] = 2.0 * levels, -(levels**2)  # the nearest level has the largest logit
    logits.set_weights([kernel, bias])
    return network


def painter(levels=LEVELS):
    """A Pix2Pix from maps of three classes to images in which each class has its level."""
    maps, seeds = keras.Input((12, 12, 3)), keras.Input((), dtype="int32")
    paint = keras.layers.Conv2D(1, 1, use_bias=False)
    model = kg.Pix2Pix(keras.Model([maps, seeds], paint(maps)), None, source_classes=3)
    paint.set_weights([(np.asarray(levels) / 127.5 - 1.0).reshape(1, 1, 3, 1)])
    return model


@pytest.fixture
def faces(tmp_path, monkeypatch):
    """Pairs of maps and images of a data set "faces", and a folder of networks that read maps back: `write`."""
    maps = np.random.default_rng(0).integers(0, 3, (10, 12, 12)).astype("uint8")
    images = LEVELS[maps].astype("uint8")[..., None]

    def load_data(source, *, split, take, classes, **options):
        rows = slice(0, 5) if split == "test" else slice(5, 10)
        about = {"name": source, "split": split}
        return kg.data.PairedBatches(maps[rows][:take], images[rows][:take], classes=classes, about=about)

    def write(network, name="reader", of="faces"):
        images, card = np.zeros((1, *network.input_shape[1:]), "uint8"), {"dataset": {"name": of}}
        kg.zoo.write_classifier(network, tmp_path / name, images, card, KIND)

    monkeypatch.setattr(kg.Pix2Pix, "load_data", load_data)
    monkeypatch.setenv("KERAS_GANS_ZOO", str(tmp_path))
    return SimpleNamespace(maps=maps[:5], images=images[:5], write=write, folder=tmp_path)


KIND = "num_pixel_classes"
FACES = Settings("faces", "test", "pixels", ("kernel_distance",), samples=5)
SCORES = ["pixel_accuracy", "class_accuracy", "mean_iou"]


def test_maps_are_read_back_from_what_was_made_of_them(faces):
    """The network takes class 2 for class 1. A perfect model gets what real images get; one that paints class 0 like
    class 1 loses class 0 as well."""
    faces.write(reader())
    found, floor = evaluation.evaluate(painter(), FACES)
    counts = np.bincount(faces.maps.ravel())
    by_hand = {
        "pixel_accuracy": (counts[0] + counts[1]) / counts.sum(),
        "class_accuracy": 2 / 3,
        "mean_iou": (1 + counts[1] / (counts[1] + counts[2])) / 3,
    }
    assert {name: found[name].value for name in SCORES} == pytest.approx(by_hand)
    assert {name: floor[name].value for name in SCORES} == pytest.approx(by_hand)
    assert list(found) == ["kernel_distance", "l1", "psnr", "ssim", *SCORES] and list(floor) == [
        "kernel_distance",
        *SCORES,
    ]
    worse, again = evaluation.evaluate(painter([120, 120, 200]), FACES)
    assert worse["pixel_accuracy"].value == pytest.approx(counts[1] / counts.sum())
    assert worse["class_accuracy"].value == pytest.approx(1 / 3)
    assert worse["mean_iou"].value == pytest.approx(counts[1] / counts.sum() / 3)
    assert {name: again[name] for name in SCORES} == {name: floor[name] for name in SCORES}
    assert all(found[name].better(worse[name]) for name in SCORES)
    protocol, card = found["mean_iou"].protocol, cards.read_card(faces.folder / "reader")
    assert protocol.features == f"reader, sha256 {card['sha256'][:12]}" and protocol.fake_count == 5
    assert protocol.real.startswith("faces test, 5 maps")
    alone, none = evaluation.evaluate(painter(), replace(FACES, floor=None))
    assert alone["mean_iou"] == found["mean_iou"] and none is None


def test_a_pix2pix_hd_is_measured_as_a_pix2pix_is(faces, monkeypatch):
    """What it paints is the same image of the same maps, with boundaries that it does not look at."""
    faces.write(reader())
    seen, paint = keras.Input((12, 12, 4)), keras.layers.Conv2D(1, 1, use_bias=False)
    model = kg.Pix2PixHD(keras.Model(seen, paint(seen)), None, source_classes=3)
    paint.set_weights([np.append(LEVELS / 127.5 - 1.0, 0.0).reshape(1, 1, 4, 1)])
    monkeypatch.setattr(kg.Pix2PixHD, "load_data", kg.Pix2Pix.load_data)
    assert evaluation.evaluate(model, FACES) == evaluation.evaluate(painter(), FACES)


@pytest.mark.parametrize("source", ["faces", "faces:1.0.0", "faces/small", "faces/small:1.0.0"])
def test_maps_are_read_back_by_the_network_of_their_data_set(source, faces):
    pairs = kg.Pix2Pix.load_data(source, split="test", take=5, classes=3)
    made = Samples({"sources": faces.maps}, {"targets": faces.images}, pairs)
    assert capabilities.maps_read_back(replace(FACES, source=source), painter(), made) == {}
    faces.write(reader(), "a_other", of="streets")
    faces.write(reader(classes=4), "b_other")
    assert capabilities.maps_read_back(replace(FACES, source=source), painter(), made) == {}
    faces.write(reader(), "reader")
    found = capabilities.maps_read_back(replace(FACES, source=source), painter(), made)
    assert list(found) == SCORES and found["mean_iou"].protocol.features.startswith("reader,")


def test_maps_are_not_read_back_by_a_network_of_another_size_or_from_maps(faces):
    faces.write(reader((16, 16, 1)))
    pairs = kg.Pix2Pix.load_data("faces", split="test", take=5, classes=3)
    made = Samples({"sources": faces.maps}, {"targets": faces.images}, pairs)
    assert capabilities.maps_read_back(FACES, painter(), made) == {}
    images = Samples({"sources": faces.images}, {"targets": faces.images}, pairs)
    assert capabilities.maps_read_back(FACES, translator(), images) == {}
    generator = build_translator((12, 12, 3), (12, 12, 3), filters=2, maps=True)
    to_maps = kg.Pix2Pix(generator, None, source_classes=3, target_classes=3)
    both = Samples({"sources": faces.maps}, {"targets": faces.maps}, pairs)
    assert capabilities.maps_read_back(FACES, to_maps, both) == {}


def test_pairs_whose_targets_are_maps_are_loaded_as_such(monkeypatch):
    asked = {}

    def load_data(source, **options):
        asked.update(options)
        raise kg.errors.DataError("enough")

    monkeypatch.setattr(kg.Pix2Pix, "load_data", load_data)
    for given, taken in (({"target_classes": 3}, {"target_classes": 3}), ({"source_classes": 3}, {"classes": 3})):
        model = kg.Pix2Pix(build_translator((16, 16, 3), (16, 16, 3), filters=2, maps=True), None, **given)
        asked.clear()
        with pytest.raises(kg.errors.DataError, match="enough"):
            evaluation.load_split(replace(FACES, sides=("x", "y")), "test", model)
        assert {name: asked[name] for name in ("classes", "target_classes") if name in asked} == taken
        assert asked["image_size"] == (16, 16)


def test_a_pix2pix_of_maps_is_measured_by_them_without_a_floor(faces, monkeypatch):
    """Maps from images: those of the painter above, the other way round."""

    def load_data(source, *, split, take, target_classes, **options):
        about = {"name": source, "split": split}
        return kg.data.PairedBatches(faces.images, faces.maps, target_classes=target_classes, about=about)

    monkeypatch.setattr(kg.Pix2Pix, "load_data", load_data)
    images, seeds = keras.Input((12, 12, 1)), keras.Input((), dtype="int32")
    model = kg.Pix2Pix(keras.Model([images, seeds], keras.layers.Softmax()(reader()(images))), None, target_classes=3)
    found, floor = evaluation.evaluate(model, replace(FACES, samples=4))
    right = np.mean(faces.maps[drawn_rows(len(faces.maps), 4)] < 2)
    assert floor is None and list(found) == SCORES and found["pixel_accuracy"].value == pytest.approx(right)
    assert found["pixel_accuracy"].protocol.features == "label maps of 3 classes"


def test_features_are_not_those_of_a_network_that_labels_pixels(faces):
    faces.write(reader(), "a_reader")
    with pytest.raises(ConfigurationError, match="Expected features for faces, for which the zoo has no class") as said:
        evaluation_settings.classifiers_of("faces")
    assert "classifier_mnist" in str(said.value) and "a_reader" not in str(said.value)
    images = keras.Input((12, 12, 1))
    features = keras.layers.Dense(4, name="features")(keras.layers.Flatten()(images))
    classifier = keras.Model(images, keras.layers.Dense(2)(features))
    card = {"dataset": {"name": "faces"}}
    kg.zoo.write_classifier(classifier, faces.folder / "z_classes", np.zeros((1, 12, 12, 1), "uint8"), card)
    for source in ("faces", "faces:1.0.0"):
        assert evaluation_settings.classifiers_of(source) == ["z_classes"]
        assert capabilities.judge_of(Settings(source)).name == "z_classes"
    assert set(kg.zoo.classifiers()) >= {"a_reader", "z_classes"}


def test_a_segmentation_network_is_verified_by_its_logits_and_its_pixels(faces, monkeypatch):
    """Its share of right pixels is that of classes 0 and 1; one that the card overstates is found out."""
    asked = []

    def load(source, **options):
        asked.append((source, options))
        return kg.data.Batches(faces.images, faces.maps[..., None], batch_size=1)

    monkeypatch.setattr(kg.data, "load", load)
    test = load(None)
    right = float(np.mean(faces.maps < 2))
    for value, problem in ((right, None), (right + 0.01, f"{right:.5g} and not {right + 0.01:.5g}")):
        accuracy = {"value": value, "split": "test", "fingerprint": test.fingerprint()}
        card = {"dataset": {"name": "faces", "labels": "parts"}, "metrics": {"accuracy": accuracy}}
        kg.zoo.write_classifier(reader(), faces.folder / "reader", faces.images[:2], card, KIND)
        assert problems("reader") == {"sha256": None, "golden logits": None, "accuracy": problem}
    options = {"split": "test", "image_size": [12, 12], "labels": "parts", "batch_size": 1}
    assert asked[1:] == [("faces", options)] * 2


def test_label_maps_are_held_against_the_true_maps():
    """By hand: of four pixels three are right; the classes' shares are 2/3 and 1, their overlaps 2/3 and 1/2."""
    real = np.array([[[0, 0], [0, 1]]], "uint8")
    fake = np.array([[[0, 0], [1, 1]]], "uint8")
    found = kg.metrics.MapEvaluator(real, 3, name="maps")(fake)
    assert found["pixel_accuracy"].value == 0.75
    assert found["class_accuracy"].value == pytest.approx(5 / 6)
    assert found["mean_iou"].value == pytest.approx(7 / 12)
    assert found["mean_iou"].protocol.features == "label maps of 3 classes"


class MapMaker:
    """A model from images to label maps: bright pixels are of class 1."""

    label_space, optional_inputs = None, ()
    batch_fields = {"images": kg.fields.Images((4, 4, 1)), "maps": kg.fields.LabelMaps((4, 4), 2)}
    input_fields = {"images": kg.fields.Images((4, 4, 1))}
    output_fields = {"maps": kg.fields.LabelMaps((4, 4), 2)}
    kept = ()

    @classmethod
    def load_data(cls, source, *, take, **options):
        images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1)).astype("uint8")
        return kg.data.Batches(images, maps=(images[..., 0] > 100).astype("uint8"), batch_size=1)

    def sample(self, images):
        return {"maps": (images[..., 0] > 127).astype("uint8")}


def test_a_model_that_makes_label_maps_is_measured_by_them_without_a_floor():
    found, floor = evaluation.evaluate(MapMaker(), Settings("streets", "test", samples=4))
    data = MapMaker.load_data("streets", take=None)
    rows = drawn_rows(data.count, 4)
    images, maps = data.images[rows], data.arrays["maps"][rows]
    right = (images[..., 0] > 127) == maps
    assert floor is None and list(found) == ["pixel_accuracy", "class_accuracy", "mean_iou"]
    assert found["pixel_accuracy"].value == right.mean()


def test_edits_are_seen_by_a_classifier_of_attributes(monkeypatch):
    """Images of two pixels, black or white: the first attribute is the left one. The first edit succeeds for every
    image; the second one for none, and makes the left pixel white."""
    labels = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "uint8")
    images = np.repeat((255 * labels).reshape(4, 1, 2, 1), 32, axis=1)
    dataset = kg.data.Batches(images, labels, batch_size=4)

    class Editor:
        label_space, kept = kg.data.Attributes(2), ()

        def edit(self, shown, labels):
            made = shown.copy()
            if (labels[:, 0] != dataset.labels[:, 0]).all():
                made[:, :, 0, 0] = 255 * labels[:, :1]
            else:
                made[:, :, 0] = 255
            return made

    pixels = keras.Input((32, 2, 1))
    reader = keras.Model(pixels, keras.ops.mean(pixels, axis=(1, 3)))
    monkeypatch.setattr(capabilities, "reference", lambda settings, split, model: dataset)
    monkeypatch.setattr(kg.zoo, "load_classifier", lambda name: reader)
    read = cards.read_card
    monkeypatch.setattr(cards, "read_card", lambda folder: {**read(folder), "num_attributes": 2})
    settings = Settings("avatars", "test", "classifier_avatars", samples=4, labels="attributes")
    found = capabilities.edits(settings, Editor(), None)
    assert found["edited"].value == 0.5  # four of eight
    assert found["stayed"].value == 0.75  # four of four, and where the left pixel was white already
    assert found["stayed"].protocol.fake_count == 8


def test_edits_ask_for_labels_that_there_are():
    """The second attribute is never there without the first; the third always is."""
    known = np.array([[0, 0, 1], [1, 0, 1], [1, 0, 1], [1, 1, 1]])
    labels = known[[0, 1, 3]]
    np.testing.assert_array_equal(capabilities._nearest_with(labels, 0, known), [[1, 0, 1], [0, 0, 1], [0, 0, 1]])
    np.testing.assert_array_equal(capabilities._nearest_with(labels, 1, known), [[1, 1, 1], [1, 1, 1], [1, 0, 1]])
    assert capabilities._nearest_with(labels, 2, known) is None


def test_a_card_that_says_more_or_less_than_is_measured_is_found_out(zoo):
    settings = Settings(
        "drawn:digits", "test", "classifier_mnist", ("frechet_distance", "classifier_score"), samples=100, floor=None
    )
    found, _ = evaluation.evaluate(kg.load("copy"), settings)
    number = found.pop("classifier_score")
    evaluation.write_metrics(zoo / "copy", settings, found | {"kernel_distance": number}, None)
    said = problems("copy")
    assert said["frechet_distance"] is None
    assert "only in the card" in said["kernel_distance"] and "not in the card" in said["classifier_score"]


@pytest.mark.parametrize(
    "labels, space, judge",
    [
        ("attributes", kg.data.Attributes(6), "classifier_avatars"),
        ("hair_color", kg.data.Classes(5), "classifier_avatars_hair"),
        ("skin_color", kg.data.Classes(5), None),
        ("hair_color", kg.data.Classes(4), None),
        ("attributes", kg.data.Values(6), None),
        (True, None, "classifier_avatars"),
    ],
)
def test_labels_are_found_again_by_a_classifier_of_these_labels(labels, space, judge):
    for source in ("avatars", "avatars:1.0.0"):
        found = capabilities.judge_of(Settings(source, labels=labels), space)
        assert (found and found.name) == judge


def test_categories_are_held_against_the_classes_that_they_became(monkeypatch):
    """Three categories of two rows: both images of the first are of class 2, of the others one is of another class."""

    class Categories:
        categories, image_shape, kept = (3,), (32, 32, 3), ()

        def traverse(self, code, rows, seed):
            assert (code, rows, seed) == (0, 2, 5)
            return np.broadcast_to(np.array([[2, 0, 1], [2, 1, 0]])[..., None, None, None], (2, 3, 32, 32, 3)), None

    monkeypatch.setattr(capabilities, "predict_classes", lambda network, images: images[:, 0, 0, 0].astype(int))
    settings = Settings("cifar10", "test", "classifier_cifar10", samples=7, seed=5)
    assert capabilities.purity(settings, Categories(), None)["purity"].value == pytest.approx(4 / 6)
    assert capabilities.purity(settings, kg.load("gan_mnist"), None) == {}


@pytest.mark.parametrize("variant", ["ALI", "IcGAN"])
def test_models_without_their_encoders_are_measured_by_their_samples(variant):
    latents = [keras.Input((4,)), keras.Input((10,))][: 1 + (variant == "IcGAN")]
    hidden = keras.layers.Concatenate()(latents) if len(latents) > 1 else latents[0]
    made = keras.layers.Reshape((28, 28, 1))(keras.layers.Dense(784, activation="tanh")(hidden))
    generator = keras.Model(latents if len(latents) > 1 else latents[0], made)
    settings = Settings("drawn:digits", "test", "classifier_mnist", ("frechet_distance",), samples=100, floor=None)
    found, _ = evaluation.evaluate(getattr(kg, variant)(generator), settings)
    assert set(found) == {"frechet_distance"} | ({"labels"} if variant == "IcGAN" else set())


def test_glo_reconstructs_what_it_was_trained_on_by_number_and_is_not_asked_to():
    gan = kg.GLO(image_shape=(28, 28, 1), latent_dim=4, num_images=20)
    settings = Settings("drawn:digits", "test", "classifier_mnist", ("frechet_distance",), samples=100, floor=None)
    assert list(evaluation.evaluate(gan, settings)[0]) == ["frechet_distance"]


def test_a_conditional_model_needs_data_with_labels(tmp_path):
    np.save(tmp_path / "images.npy", kg.data.digits(20)[0])
    settings = Settings(str(tmp_path / "images.npy"), "train", "classifier_mnist", samples=10, floor=None)
    with pytest.raises(
        ConfigurationError, match="data set with labels.*images.npy, which has none.*an .npz of images and"
    ):
        evaluation.evaluate(digits_by_label(0), settings)


def test_what_sentences_say_is_looked_for_in_the_images():
    """Real faces show it, as often as the classifiers are right; faces of other sentences show it by chance."""
    settings = Settings("avatars", "test", samples=300)
    captions = kg.data.load_captions("avatars", split="test", batch_size=1, augment=False)
    prompts = Prompts(captions.about["vocabulary"], captions.about["length"])
    model = SimpleNamespace(input_fields={"prompts": prompts}, label_space=None)
    examples = evaluation_settings.drawn_from(captions, settings.samples)
    real = Samples({"prompts": examples.arrays["prompts"]}, {"images": examples.images}, examples)
    found = capabilities.prompts_shown(settings, model, real)
    whats = ["beard", "glasses", "hat", "long_hair", "smiling", "sunglasses", "hair_color"]
    assert {*found} >= {f"shows_{what}{ending}" for what in whats for ending in ("", "_by_chance")}
    assert all(found[f"shows_{what}"].value > 0.93 for what in whats[:6])  # they are resized otherwise than in training
    assert found["shows_hair_color"].value > 0.8  # hats hide it
    assert all(found[f"shows_{what}"].value > found[f"shows_{what}_by_chance"].value + 0.1 for what in whats)
    texts = prompts.text(real.inputs["prompts"])
    share = np.mean([("hat" in a) == ("hat" in b) for a, b in zip(texts, np.roll(texts, 1))])
    assert found["shows_hat_by_chance"].value == pytest.approx(share, abs=0.02)
    assert found["shows_hat"].protocol.fake_count == 300 and "the hat of" in found["shows_hat"].protocol.metric
    swapped = Samples(real.inputs, {"images": np.roll(examples.images, 1, axis=0)}, examples)
    others = capabilities.prompts_shown(settings, model, swapped)
    assert others["shows_hair_color"].value < 0.5
    assert capabilities.prompts_shown(settings, SimpleNamespace(input_fields={}), real) == {}
    alone = Samples(real.inputs, real.outputs, None)
    assert capabilities.prompts_shown(settings, model, alone) == {}
    other = Settings("captions_without_a_classifier", "test", "pixels", samples=300)
    assert capabilities.prompts_shown(other, model, real) == {}
