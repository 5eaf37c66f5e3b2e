"""Runs of a variant on any data; whole runs are tested in test_cli.py and test_recipes.py."""

import json
import time

import keras
import numpy as np
import pytest
from contract import equal, values

import keras_gans as kg
from keras_gans import training
from keras_gans.errors import CheckpointError, DataError, DivergenceError
from keras_gans.models.wgan_gp_text import build_discriminator, build_generator
from keras_gans.networks.classifier import build_classifier
from keras_gans.networks.segmenter import build_segmenter
from keras_gans.training import ClassifierRecipe, Recipe, train, variant_recipe
from keras_gans_core import cards


@pytest.mark.parametrize("variant, images_a_step", [(kg.DCGAN, 8), (kg.WGAN, 40)])
def test_each_update_of_the_discriminator_gets_the_asked_number_of_images(tmp_path, variant, images_a_step):
    np.savez(tmp_path / "images.npz", images=np.zeros((90, 16, 16, 1), "uint8"))
    run = variant_recipe(variant, tmp_path / "images.npz", batch_size=8)()
    assert run.dataset.batch_size == images_a_step
    assert len(run.dataset) == 90 // images_a_step
    assert run.dataset[0]["images"].shape == (images_a_step, 16, 16, 1)


def test_a_run_of_ic_gan_on_any_data_trains_its_encoders(tmp_path):
    """In a second phase, in which the generator stays as it is."""
    images, labels = kg.data.digits(8, (8, 8))
    np.savez(tmp_path / "digits.npz", images=images, labels=labels)
    names, seen = ("generator", "latent_encoder", "label_encoder"), []

    class Record(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append([values(getattr(self.model, name).weights) for name in names])

    def recipe(smoke):
        run = variant_recipe(kg.IcGAN, tmp_path / "digits.npz", batch_size=4)(smoke)
        run.callbacks.append(Record())
        return run

    model = train(recipe, tmp_path / "run", smoke=True, verbose=0)
    last = [values(getattr(model, name).weights) for name in names]
    start, middle = seen
    assert not equal(start[0], middle[0]) and equal(middle[0], last[0])
    for i in (1, 2):
        assert equal(start[i], middle[i]) and not equal(middle[i], last[i])


def test_a_variants_default_batch_size_is_that_of_its_data(tmp_path):
    pairs = np.full((6, 16, 16, 1), 200, "uint8")
    for source, variant, size in (("drawn:digits", kg.GAN, 64), ((pairs, pairs), kg.Pix2Pix, 1)):
        run = variant_recipe(variant, source, image_size=(16, 16))()
        assert run.dataset.batch_size == size
    assert variant_recipe(kg.GAN, image_size=(16, 16))(smoke=True).dataset.count == 64


def classifier_recipe(smoke=False):
    images, labels = kg.data.digits(108 if smoke else 300, (8, 8))
    model = build_classifier((8, 8, 1), base_filters=8)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), cross_entropy, jit_compile=False, run_eagerly=smoke)
    return ClassifierRecipe(
        model=model,
        dataset=kg.data.load((images[:-44], labels[:-44]), batch_size=32),
        test=kg.data.load((images[-44:], labels[-44:]), batch_size=1),
        epochs=6,
        title="tiny",
    )


def test_a_classifier_learns_and_its_card_says_how_well(tmp_path):
    model = train(classifier_recipe, tmp_path / "tiny", seed=3, verbose=0)
    card = cards.read_card(tmp_path / "tiny")
    accuracy, training = card["metrics"]["accuracy"], card["training"]
    held_out = classifier_recipe().test
    right = kg.metrics.predict_classes(model, held_out.images) == held_out.labels
    assert accuracy["examples"] == 44 and accuracy["value"] == right.mean() > 0.5  # chance is 0.1
    assert (training["seed"], training["steps"], training["epochs"]) == (3, 48, 6)
    assert card["title"] == "tiny" and card["variant"] == cards.CLASSIFIER
    loaded = kg.zoo.load_classifier(str(tmp_path / "tiny"))
    assert all(np.array_equal(a, b) for a, b in zip(loaded.get_weights(), model.get_weights()))


def test_a_classifier_of_attributes_is_told_right_attribute_by_attribute(tmp_path):
    images, digits = kg.data.digits(300, (8, 8))
    labels = np.stack([digits < 5, digits % 2 == 0, np.zeros(300, bool)], axis=1)

    def recipe(smoke=False):
        model = build_classifier((8, 8, 1), num_classes=3, base_filters=4)
        model.compile(keras.optimizers.Adam(1e-2), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
        dataset, test = (kg.data.load((images[i], labels[i]), batch_size=32) for i in (slice(256), slice(256, None)))
        test.about["classes"] = ["small", "even", "never"]
        return ClassifierRecipe(model=model, dataset=dataset, test=test, epochs=6)

    model = train(recipe, tmp_path / "tiny", verbose=0)
    card = cards.read_card(tmp_path / "tiny")
    accuracy = card["metrics"]["accuracy"]
    right = kg.metrics.predict_attributes(model, images[256:]) == labels[256:]
    assert accuracy["value"] == right.mean() and accuracy["examples"] == 44
    assert accuracy["of_each"] == dict(zip(["small", "even", "never"], right.mean(axis=0)))
    assert accuracy["of_each"]["never"] > 0.9
    assert card["num_attributes"] == 3 and "num_classes" not in card


def test_a_segmentation_network_is_told_right_pixel_by_pixel(tmp_path):
    """Its labels are the digits' bright pixels, and a third class that is never there."""
    images, _ = kg.data.digits(96, (8, 8))
    maps = (images > 127).astype("uint8")

    def recipe(smoke=False):
        model = build_segmenter((8, 8, 1), 3, base_filters=4)
        cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-2), cross_entropy, jit_compile=False)
        dataset, test = (kg.data.load((images[i], maps[i]), batch_size=16) for i in (slice(64), slice(64, None)))
        return ClassifierRecipe(model=model, dataset=dataset, test=test, epochs=40)

    model = train(recipe, tmp_path / "tiny", seed=1, verbose=0)
    card = cards.read_card(tmp_path / "tiny")
    assert card["num_pixel_classes"] == 3 and not {"num_classes", "num_attributes"} & set(card)
    accuracy = card["metrics"]["accuracy"]
    found = kg.metrics.predict_classes(model, images[64:])
    right = found == maps[64:, ..., 0]
    assert accuracy["value"] == right.mean() > max(0.9, (maps[64:] == 0).mean()) and accuracy["examples"] == 32
    assert "pixels" in accuracy["protocol"] and accuracy["pixel_accuracy"] == pytest.approx(accuracy["value"])
    shares, overlaps = [], []
    for number in (0, 1):  # by hand, of the classes that are there
        real, made = maps[64:, ..., 0] == number, found == number
        shares.append((real & made).sum() / real.sum())
        overlaps.append((real & made).sum() / (real | made).sum())
    assert accuracy["class_accuracy"] == pytest.approx(np.mean(shares))
    assert accuracy["mean_iou"] == pytest.approx(np.mean(overlaps))
    with np.load(tmp_path / "tiny" / "golden.npz") as golden:
        assert golden["images"].shape == (2, 8, 8, 1) and golden["logits"].shape == (2, 8, 8, 3)
    loaded = kg.zoo.load_classifier(str(tmp_path / "tiny"))
    np.testing.assert_array_equal(kg.metrics.predict_classes(loaded, images[64:]), found)


def diverging(rate=1e39, epochs=3, images=None):
    """A classifier's recipe, of two steps an epoch."""

    def recipe(smoke=False):
        digits, labels = kg.data.digits(8, (8, 8))
        layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(name="features"), keras.layers.Dense(10)]
        model = keras.Sequential(layers)
        cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(rate), cross_entropy, run_eagerly=True)
        data = kg.data.Batches(digits if images is None else images(digits), labels, batch_size=4)
        return ClassifierRecipe(model=model, dataset=data, test=data, epochs=epochs)

    return recipe


def test_a_classifier_that_diverges_has_no_card_and_the_step_is_named(tmp_path):
    with pytest.raises(DivergenceError, match=r"Received: .* at step [1-3], in epoch [12]: .*Lower the learning rate"):
        train(diverging(), tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def test_a_classifier_whose_last_step_breaks_a_weight_has_no_card(tmp_path, monkeypatch):
    """Its losses are finite."""
    fit = keras.Sequential.fit

    def breaking(self, *arguments, **options):
        history = fit(self, *arguments, **options)
        self.layers[-1].kernel.assign(self.layers[-1].kernel * np.nan)
        return history

    monkeypatch.setattr(keras.Sequential, "fit", breaking)
    with pytest.raises(DivergenceError, match="weights in .*kernel at step 2, in epoch 1"):
        train(diverging(rate=0.1, epochs=1), tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def test_a_classifier_is_not_trained_on_an_image_of_nan(tmp_path):
    def one_of_nan(digits):
        floats = digits / np.float32(127.5) - 1.0
        floats[5, 0, 0] = np.nan
        return floats

    with pytest.raises(DataError, match="Expected finite values"):
        train(diverging(images=one_of_nan), tmp_path / "run", verbose=0)


def test_the_seed_names_a_classifiers_run(tmp_path):
    options = {"epochs": 1, "smoke": True, "verbose": 0}
    runs = [train(classifier_recipe, tmp_path / name, seed=seed, **options) for name, seed in zip("abc", (0, 0, 1))]
    first, again, other = (run.get_weights() for run in runs)
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert not np.array_equal(first[0], other[0])


def test_a_classifiers_run_is_not_resumed(tmp_path):
    with pytest.raises(CheckpointError, match="is trained from the start"):
        train(classifier_recipe, tmp_path, resume_from=tmp_path)


def test_a_run_that_was_interrupted_is_not_overwritten(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                raise KeyboardInterrupt

    def recipe(smoke, callbacks=()):
        model = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
        model.compile()
        dataset = kg.data.load(np.zeros((8, 8, 8, 1), "uint8"), batch_size=4)
        return training.Recipe(model, dataset, epochs=1, callbacks=list(callbacks))

    with pytest.raises(KeyboardInterrupt):
        train(lambda smoke: recipe(smoke, [Stop()]), tmp_path, checkpoint_steps=1, verbose=0)
    kept = (tmp_path / "checkpoint.keras").read_bytes()
    with pytest.raises(CheckpointError, match="unfinished run. Received: .*--resume"):
        train(recipe, tmp_path, verbose=0)
    assert (tmp_path / "checkpoint.keras").read_bytes() == kept
    train(recipe, tmp_path, resume_from=tmp_path, verbose=0)


def test_a_run_of_another_variant_is_not_resumed(tmp_path):
    train(variant_recipe(kg.GAN, image_size=(8, 8)), tmp_path, smoke=True, verbose=0)
    with pytest.raises(CheckpointError, match="Expected a run of LSGAN.*of GAN"):
        train(variant_recipe(kg.LSGAN, image_size=(8, 8)), tmp_path, smoke=True, resume_from=tmp_path, verbose=0)


def test_a_finished_run_is_not_trained_over_unless_asked(tmp_path):
    recipe = variant_recipe(kg.GAN, image_size=(8, 8))
    train(recipe, tmp_path, smoke=True, verbose=0)
    finished = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(CheckpointError, match="holds one.*--overwrite"):
        train(recipe, tmp_path, seed=1, smoke=True, verbose=0)
    assert finished == {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    train(recipe, tmp_path, seed=1, smoke=True, verbose=0, overwrite=True)
    assert (tmp_path / "model.keras").read_bytes() != finished["model.keras"]


def test_what_callbacks_do_at_the_end_is_in_the_wall_time(tmp_path):
    class GoOn(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            time.sleep(2)

    def recipe(smoke):
        model = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
        model.compile(jit_compile=False)
        dataset = kg.data.load(np.zeros((8, 8, 8, 1), "uint8"), batch_size=4)
        return training.Recipe(model, dataset, epochs=1, callbacks=[GoOn()])

    started = time.monotonic()
    train(recipe, tmp_path, verbose=0)
    seconds = cards.read_card(tmp_path)["training"]["wall_seconds"]
    at_the_epochs_end = json.loads((tmp_path / "progress.json").read_text())["wall_seconds"]
    assert at_the_epochs_end + 2 <= seconds + 0.1 < time.monotonic() - started


def test_update_card_takes_the_recipes_words(tmp_path):
    """The settings stay the trained model's: the text of a rehearsal has fewer characters."""

    def recipe(smoke=False):
        text = kg.data.load_text(["ab", "ba"] if smoke else ["abc", "cab"], length=8, batch_size=2)
        sizes = {"width": 4, "blocks": 1}
        letters = len(text.about["alphabet"])
        networks = build_generator(8, letters, 4, **sizes), build_discriminator(8, letters, **sizes)
        model = kg.WGANGPText(*networks, alphabet=text.about["alphabet"], discriminator_steps=1)
        model.compile(run_eagerly=True)
        return Recipe(model=model, dataset=text, epochs=1, title=f"told {smoke}", limits="time", not_good_for="reading")

    train(recipe, tmp_path / "tiny", verbose=0)
    before = cards.read_card(tmp_path / "tiny")
    assert before["title"] == "told False" and before["hyper_parameters"]["alphabet"] == "`abc"
    training.update_card(recipe, tmp_path / "tiny")
    assert cards.read_card(tmp_path / "tiny") == {**before, "title": "told True"}


def test_an_option_that_no_loader_takes_is_told_from_a_mistake_in_a_loader(monkeypatch):
    with pytest.raises(kg.errors.ConfigurationError, match="for the data of GAN. Received: .*'sides'. Leave it"):
        variant_recipe(kg.GAN, sides=("A", "B"))(smoke=True)
    monkeypatch.setattr(kg.GAN, "load_data", lambda source, **options: (lambda: None)(colour=True))
    with pytest.raises(TypeError, match="colour"):
        variant_recipe(kg.GAN)(smoke=True)
