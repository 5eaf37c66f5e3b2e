"""The labels of data and model are compared, by name where they have names: in fit, files, cards, evaluation."""

import json
import warnings
from types import SimpleNamespace

import click
import keras
import numpy as np
import pytest
from PIL import Image

import keras_gans as kg
from keras_gans.checking import check_data
from keras_gans.data import drawn
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.evaluation import Settings, capabilities, measure
from keras_gans_cli import app
from keras_gans_cli.options import labels_for

GREYS = {"cat": 40, "dog": 120, "emu": 200}


def make(**options):
    return kg.CGAN(image_shape=(8, 8, 1), latent_dim=4, **options)


def pets(folder, *names, count=12):
    """A folder for each class, and the data that are read from it."""
    for name in names:
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(np.full((8, 8), GREYS[name] + i, "uint8")).save(folder / name / f"{i}.png")
    return kg.data.load(folder, batch_size=4)


def rows(classes, count=60):
    return np.zeros((count, 8, 8, 1), "uint8"), np.arange(count) % classes


def check(model, *data, training=True):
    return check_data(model, *data, training=training)[0]


def test_a_model_without_names_takes_those_of_the_data_and_keeps_them(tmp_path):
    gan, other = make(label_space=kg.data.Classes(2)), make(label_space=kg.data.Classes(2))
    gan.compile()
    gan.fit(pets(tmp_path / "pets", "cat", "dog"), verbose=0)
    assert gan.label_space.names == ("cat", "dog") and other.label_space.names is None
    np.testing.assert_array_equal(gan.generate(3, seed=0, labels="dog"), gan.generate(3, seed=0, labels=1))
    wanted = gan.generate(3, seed=0, labels=[1, 0, 1])
    np.testing.assert_array_equal(gan.generate(3, seed=0, labels=["dog", "cat", "dog"]), wanted)
    with pytest.raises(DataError, match="Did you mean dog"):
        gan.generate(3, seed=0, labels="dgo")
    gan.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(again.generate(3, seed=0, labels="dog"), gan.generate(3, seed=0, labels=1))
    kg.zoo.write_preset(gan, tmp_path / "kept", {})
    card = json.loads((tmp_path / "kept" / "card.json").read_text())
    assert card["label_names"] == ["cat", "dog"] and card["labels"] == "whole numbers from 0 to 1"
    assert kg.load(str(tmp_path / "kept")).label_space.names == ("cat", "dog")
    noise = kg.latent.invert(gan, wanted[:1], labels="dog", steps=1).noise
    np.testing.assert_array_equal(noise, kg.latent.invert(gan, wanted[:1], labels=[1], steps=1).noise)


@pytest.mark.parametrize(
    "space, names, message",
    [
        (kg.data.Classes(10), ("cat", "dog"), r"from 0 to 9. Received: whole numbers from 0 to 1 \(cat, dog\)"),
        (kg.data.Classes(2), ("cat", "dog", "emu"), r"from 0 to 1. Received: .* 2 \(cat, dog, emu\)"),
        (kg.data.Classes(names=["dog", "cow"]), ("cat", "dog"), r"\(dog, cow\). Received: .*\(cat, dog\)"),
        (kg.data.Classes(names=["dog", "cat"]), ("cat", "dog"), "data = data.labelled_as"),
        (kg.data.Classes(names=["cat", "dog", "emu"]), ("cat", "emu"), "data = data.labelled_as"),
    ],
)
def test_data_with_other_classes_are_refused_with_the_line_to_write(space, names, message, tmp_path):
    data, gan = pets(tmp_path / "pets", *names), make(label_space=space)
    with pytest.raises(DataError, match=message) as refused:
        check(gan, data)
    assert "label_space=data.label_space" in str(refused.value) and len(str(refused.value)) < 500
    check(make(label_space=data.label_space), data)
    if "labelled_as" in message:
        assert check(gan, data.labelled_as(gan.label_space)).labels.tolist() == [
            space.names.index(names[label]) for label in data.labels
        ]


def test_attributes_are_compared_by_name_too():
    images, labels = rows(2)
    about = {"classes": ["hat", "beard"]}
    data = kg.data.Batches(images, np.stack([labels == 0, labels == 1], 1), batch_size=4, about=about)
    with pytest.raises(DataError, match=r"\(beard, hat\). Received: 0 or 1 in 2 columns \(hat, beard\)"):
        check(make(label_space=kg.data.Attributes(2, names=["beard", "hat"])), data)
    gan = make(label_space=kg.data.Attributes(2))
    check(gan, data)
    assert gan.label_space.names == gan.input_fields["labels"].names == ("hat", "beard")


def test_the_classes_of_a_classifier_are_compared():
    digits = kg.data.semi_supervised(kg.data.load("drawn:shapes", take=120, image_size=(8, 8)), labels_per_class=5)
    gan = kg.ImprovedGAN(image_shape=(8, 8, 3), latent_dim=4, num_classes=10)
    gan.compile()
    with pytest.raises(DataError, match="circle, square.*num_classes=6"):
        gan.fit(digits, verbose=0)
    assert kg.ImprovedGAN.for_data(digits).num_classes == 6


def test_ten_classes_by_default_are_refused_for_data_of_three():
    for data in (rows(3), (kg.data.load(rows(3), batch_size=20),)):
        with pytest.raises(DataError, match=r"ten classes.* default. Received: labels without 7 of 10 classes"):
            check(make(), *data)
        with pytest.warns(UserWarning, match="no labels for 7 of 10 classes .* label_space=kg.data.label_space_of"):
            check(make(label_space=kg.data.Classes(10)), *data)
        check(make(label_space=kg.data.Classes(3)), *data)


def test_labels_that_may_lack_a_class_by_chance_are_taken_in_silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(make(), *rows(10, 8))
        check(make(), *rows(9, 60))
        check(make(), *rows(10))
        check(make(), *rows(3), training=False)  # evaluate may see a part of the classes
        check(make(), iter([(rows(1, 8))]))  # the first batch of a stream says nothing about the rest
        check(make(label_space=kg.data.Values(1, low=0, high=9)), *rows(10))


def test_validation_data_are_numbered_by_name(tmp_path):
    gan = make(label_space=kg.data.Classes(names=["dog", "emu", "cat"]))
    data = pets(tmp_path / "pets", "cat", "dog")
    assert set(check(gan, data, training=False).labels[:12]) == {2}
    with pytest.raises(DataError, match=r"\(dog, cow\). Received: .* \(cat, dog\)"):
        check(make(label_space=kg.data.Classes(names=["dog", "cow"])), data, training=False)


def test_labels_that_are_texts_are_names():
    images, labels = rows(2, 6)
    data = kg.data.load((images, np.array(["dog", "cat"])[labels]), batch_size=2)
    assert data.labels.tolist() == [1, 0] * 3 and data.label_space == kg.data.Classes(names=["cat", "dog"])
    assert kg.data.load("drawn:shapes", take=4, batch_size=1).label_space.names == drawn.SHAPES
    assert kg.data.load("drawn:digits", take=4, batch_size=1).label_space.names == tuple("0123456789")


def test_names_and_spaces_that_cannot_be_matched_are_refused():
    images, labels = rows(2, 6)
    named, plain = (kg.data.Batches(images, labels, batch_size=2, about=a) for a in ({"classes": ["cat", "dog"]}, {}))
    for data, space in (
        (plain, kg.data.Classes(names=["cat", "dog"])),
        (named, kg.data.Classes(2)),
        (named, kg.data.Attributes(1, names=["cat"])),
    ):
        with pytest.raises(DataError, match="to match them"):
            data.labelled_as(space)
    with pytest.raises(DataError, match="with labels. Received: one without"):
        assert kg.data.Batches(images, batch_size=2).label_space


# Evaluation


def grey_of(names):
    """A CGAN whose images have the grey of the class asked for."""
    latents, asked = keras.Input((4,)), keras.Input((len(names),))
    made = keras.layers.Dense(64, use_bias=False, name="table")(asked)
    made = keras.layers.Reshape((8, 8, 1))(made + 0.0 * keras.ops.sum(latents, axis=1, keepdims=True))
    generator = keras.Model([latents, asked], made)
    greys = np.array([GREYS[name] for name in names])[:, None] * np.ones((1, 64))
    generator.get_layer("table").kernel.assign(greys / 127.5 - 1.0)
    return kg.CGAN(generator, None, label_space=kg.data.Classes(names=names))


@pytest.mark.parametrize("names", [("cat", "dog"), ("dog",), ("cat", "dog", "emu")])
def test_a_model_is_asked_for_the_classes_of_the_data_by_name(names, tmp_path):
    data = pets(tmp_path / "pets", *names)
    settings = Settings(
        str(tmp_path / "pets"), "train", "pixels", ("frechet_distance",), samples=len(data.images), floor=None
    )
    model = grey_of(["emu", "dog", "cat"])  # another order, and a class more
    known = measure.known_labels(settings, model)
    made = model.generate(seed=0, labels=known)
    assert np.abs(made.astype(int) - data.images).max() <= 12  # each is the grey of its folder
    with pytest.raises(ConfigurationError, match="cow|Leave out"):
        measure.known_labels(settings, grey_of(["emu"]))


def test_a_classifier_that_numbers_the_classes_otherwise_judges_by_name():
    class Answers(capabilities.Judge):
        def __call__(self, images):
            return answers

    answers = np.array([0, 1, 2])
    judge = Answers("judge", None, {"dataset": {"classes": ["cat", "dog", "emu"]}, "num_classes": 3})
    np.testing.assert_array_equal(judge.labels(None, kg.data.Classes(names=["emu", "cat"])), [1, -1, 0])
    np.testing.assert_array_equal(judge.labels(None, kg.data.Classes(3)), answers)
    knows = capabilities._knows
    for space, known in (
        (kg.data.Classes(names=["emu", "cat"]), True),
        (kg.data.Classes(names=["emu", "cow", "cat"]), False),
        (kg.data.Classes(3), True),
        (kg.data.Classes(2), False),
        (kg.data.Attributes(3), False),
    ):
        assert knows(judge.card, space, True) is known


# Cards and the command line


def test_presets_know_the_names_in_their_cards():
    red = kg.load("cc_lapgan_avatars")
    np.testing.assert_array_equal(red.generate(1, seed=0, labels="red"), red.generate(1, seed=0, labels=3))
    faces = kg.load("acgan_avatars")
    asked = faces.label_space.asked(["hat:smiling", "glasses"]).tolist()
    assert asked == [[0, 0, 1, 0, 1, 0], [0, 1, 0, 0, 0, 0]]
    digits = kg.load("cgan_mnist")
    wanted = digits.generate(2, seed=0, labels=[3, 8])
    np.testing.assert_array_equal(digits.generate(2, seed=0, labels=["3", "8"]), wanted)


def test_the_card_of_a_preset_with_names_is_shown(tmp_path, capsys):
    kg.zoo.write_preset(make(label_space=kg.data.Classes(names=["cat", "red, large"])), tmp_path / "kept", {})
    app.app(["info", str(tmp_path / "kept")], standalone_mode=False)
    said = capsys.readouterr().out
    assert "label names: cat, red, large\n" in said and "image shape: 8 x 8 x 1\n" in said


@pytest.mark.parametrize(
    "space, text, labels",
    [
        (kg.data.Classes(names=["cat", "dog"]), "dog", [1, 1, 1, 1]),
        (kg.data.Classes(names=["cat", "dog"]), "dog,cat", [1, 0, 1, 0]),
        (kg.data.Classes(names=["cat", "dog"]), "dog,0", [1, 0, 1, 0]),
        (kg.data.Classes(names=["cat", "red, large"]), "red, large", [1, 1, 1, 1]),
        (kg.data.Attributes(2, names=["hat", "beard"]), "hat:beard,hat", [[1, 1], [1, 0]] * 2),
    ],
)
def test_the_option_takes_names(space, text, labels):
    np.testing.assert_array_equal(space.check(labels_for(text, 4, SimpleNamespace(label_space=space))), labels)


def test_an_unknown_name_in_the_option_is_refused_with_similar_ones():
    space = kg.data.Classes(names=["cat", "dog"])
    with pytest.raises(click.UsageError, match=r"\(cat, dog\). Received: 'dgo'. Did you mean dog\?.*commas"):
        labels_for("cat,dgo", 4, SimpleNamespace(label_space=space))
