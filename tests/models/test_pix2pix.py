"""pix2pix: the networks' numbers, what is judged, and what dropout does; the numbers are those of the paper's code."""

import keras
import numpy as np
import pytest
from contract import VariantContract, examples, number, values
from keras import ops

import keras_gans as kg
from keras_gans import engine
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.models.pix2pix import build_generator, levels_for
from keras_gans.networks.patch import build_patch_discriminator

SOURCE, TARGET = (8, 8, 3), (8, 8, 1)


def tiny(source=SOURCE, target=TARGET, **options):
    return build_generator(source, target, filters=2, **options)


def tiny_discriminator(source=SOURCE, target=TARGET):
    return build_patch_discriminator(target, source, filters=2, affine=True)


class TestPix2Pix(VariantContract):
    def make(self, **options):
        # The paper's weight of 100 overflows float16 until its loss scale has fallen, longer than the tests train.
        return kg.Pix2Pix(tiny(), tiny_discriminator(), **{"source_classes": 3, "l1_weight": 1.0, **options})

    def judged(self, gan, images):
        sources = gan.batch_fields["sources"]
        return [sources.encode(examples(sources, len(images))), images]

    def first_field_in(self, judged):
        return judged[0]

    def scored(self, gan, made):
        logits, count = super().scored(gan, made)
        return logits[:, 0, 0], count

    @pytest.mark.parametrize("n", [0, -1, 2.5, "3", True])  # None is as many as there are sources
    def test_impossible_counts_are_refused(self, one, n):
        with pytest.raises(ConfigurationError, match="images|one value per image"):
            one.generate(n, seed=0, **self.given(one, 2))


def floats(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1.0, 1.0, shape).astype("float32")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    model = kg.Pix2Pix(
        build_generator((32, 32, 3), filters=4), build_patch_discriminator((32, 32, 3), (32, 32, 3), filters=4), seed=0
    )
    model.compile()
    return model


# Networks


def test_the_parameter_counts_are_the_papers():
    """Gamma and beta are instance normalization's here, as many as batch normalization's there. The paper's count has
    no running statistics either."""
    generator = build_generator((256, 256, 3))
    assert generator.count_params() == 54_413_955
    discriminator = build_patch_discriminator((256, 256, 3), (256, 256, 3), affine=True)
    assert discriminator.count_params() == 2_768_705
    assert discriminator.output_shape == (None, 30, 30, 1)
    sizes = {layer.name: layer.output.shape[1:] for layer in generator.layers}
    assert sizes["down0"] == (128, 128, 64) and sizes["down7"] == (1, 1, 512)
    assert sizes["skip7"] == (2, 2, 1024) and sizes["skip4"] == (16, 16, 1024) and sizes["skip1"] == (128, 128, 128)
    assert sorted(name for name in sizes if "dropout" in name) == ["dropout5", "dropout6", "dropout7"]
    assert not {"down_norm0", "down_norm7"} & set(sizes) and "up_norm7" in sizes


@pytest.mark.parametrize("num_layers, side, expected", [(3, 256, 30), (3, 64, 6), (2, 32, 6), (1, 32, 14), (0, 8, 8)])
def test_the_map_has_a_logit_for_each_patch(num_layers, side, expected):
    network = build_patch_discriminator((side, side, 3), filters=2, num_layers=num_layers)
    assert network.output_shape == (None, expected, expected, 1)


@pytest.mark.parametrize("num_layers, field", [(0, 1), (1, 16), (2, 34), (3, 70)])
def test_a_logit_sees_its_patch_alone(num_layers, field):
    """The gradient of one logit. Normalization, which sees the whole map, is taken out."""
    network = build_patch_discriminator((96, 96, 1), filters=2, num_layers=num_layers)
    middle = network.output_shape[1] // 2

    def one(images):
        x = images
        for layer in network.layers[1:]:
            x = x if "norm" in layer.name else layer(x)
        return x[:, middle, middle]

    seen = np.abs(ops.convert_to_numpy(engine.input_gradient(one, floats(1, 96, 96, 1)))[0, :, :, 0]) > 0
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == field


@pytest.mark.parametrize("skips", [True, False])
def test_the_skips_are_used(skips):
    """With a bottleneck of zeros the output depends on the sources through the skips alone."""
    generator = tiny((16, 16, 3), (16, 16, 3), skips=skips)
    bottleneck = generator.get_layer("down3")
    bottleneck.kernel.assign(np.zeros(bottleneck.kernel.shape))
    seeds = np.zeros(1, "int32")
    a, b = (ops.convert_to_numpy(generator([floats(1, 16, 16, 3, seed=seed), seeds])) for seed in (0, 1))
    assert (np.abs(a - b).max() > 1e-4) == skips


def test_the_bottleneck_learns_from_one_image():
    """Normalised, its one pixel would be zero."""
    generator = tiny((16, 16, 3), (16, 16, 3))
    kernel = generator.get_layer("down3").kernel
    inputs = [floats(1, 16, 16, 3), np.zeros(1, "int32")]
    _, (gradient,) = engine.value_and_grad(lambda: ops.mean(ops.abs(generator(inputs) - 0.5)), [kernel])
    assert np.abs(ops.convert_to_numpy(gradient)).max() > 0


def test_levels_follow_from_the_size():
    assert [levels_for((side, side, 3)) for side in (256, 96, 30)] == [8, 5, 1]
    assert levels_for((64, 48, 3)) == 4
    with pytest.raises(ConfigurationError, match=r"multiples of 4, such as 28 and 32. Received: \(30, 30\)"):
        build_generator((30, 30, 3))
    with pytest.raises(ConfigurationError, match="multiples of 32, such as 32 and 64"):
        build_generator((48, 48, 3), levels=5)
    with pytest.raises(ConfigurationError, match="one size"):
        build_generator((32, 32, 3), (16, 16, 3))
    with pytest.raises(ConfigurationError, match="levels"):
        build_generator((32, 32, 3), levels=1)
    with pytest.raises(ConfigurationError, match="24x24 or more for 3 layers"):
        build_patch_discriminator((16, 16, 3), num_layers=3)
    with pytest.raises(ConfigurationError, match="as large as the images"):
        build_patch_discriminator((16, 16, 3), (8, 8, 3))


# The game


def test_the_discriminator_sees_the_condition(model):
    sources, images = floats(4, 32, 32, 3), floats(4, 32, 32, 3, seed=1)
    logits, others = (ops.convert_to_numpy(model.score([x, images])) for x in (sources, sources[::-1]))
    assert np.abs(logits - others).max() > 1e-4
    assert model.discriminator.get_layer("both").output.shape[-1] == 6


def test_the_losses_are_those_of_the_paper(model):
    """Undecided and 0.01 away from the target, log 2 + 100 * 0.01; and half of the sum."""
    start = model.discriminator.get_weights()
    model.discriminator.set_weights([np.zeros_like(weight) for weight in start])
    sources, fake = ops.convert_to_tensor(floats(2, 32, 32, 3)), ops.full((2, 32, 32, 3), 0.5)
    total, distance = ops.convert_to_numpy(model.generator_loss(fake, sources, fake - 0.01))
    assert distance == pytest.approx(0.01, rel=1e-4) and total == pytest.approx(np.log(2) + 1.0, rel=1e-4)
    pair = [sources, fake]
    assert number(model.discriminator_loss(pair, pair)) == pytest.approx(np.log(2), rel=1e-5)
    model.discriminator.set_weights(start)


@pytest.mark.parametrize("options, expected", [({"adversarial_weight": 0.0}, 5.0), ({"l1_weight": 0.0}, np.log(2))])
def test_each_part_can_be_trained_alone(options, expected):
    """The paper's L1 and cGAN; the judge is undecided and the distance 0.05."""
    model = kg.Pix2Pix(tiny(), tiny_discriminator(), **options)
    model.discriminator.set_weights([np.zeros_like(weight) for weight in model.discriminator.get_weights()])
    fake, sources = ops.zeros((1, *TARGET)), ops.convert_to_tensor(floats(1, *SOURCE))
    loss = model.generator_loss(fake, sources, fake + 0.05)
    assert number(loss[0]) == pytest.approx(expected, rel=1e-4)


def test_the_generator_learns_from_the_updated_discriminator():
    """The first loss of the generator is that of the discriminator after its step, on the same translations."""
    keras.utils.set_random_seed(1)
    model = kg.Pix2Pix(tiny(), tiny_discriminator(), seed=2)
    model.compile(d_optimizer=keras.optimizers.SGD(1.0), run_eagerly=True)
    made, minimize, losses = [], model.minimize, {}

    def watched(player, loss_fn, *inputs):
        made.append(inputs[1][1] if player == "discriminator" else inputs[0].outputs)
        if player == "generator":
            losses["after"] = number(model.generator_loss(made[-1], sources, targets)[0])
        result = minimize(player, loss_fn, *inputs)
        losses[player] = number(result[0]) if player == "generator" else number(result)
        return result

    model.minimize = watched
    sources, targets = (ops.convert_to_tensor(floats(2, *shape)) for shape in (SOURCE, TARGET))
    model.fit(*map(ops.convert_to_numpy, (sources, targets)), batch_size=2, shuffle=False, verbose=0)
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, made))
    assert losses["generator"] == pytest.approx(losses["after"], rel=1e-5)


def test_it_learns_a_translation():
    """Targets that are the sources' negatives: the distance falls, and l1_loss is what `translate` shows."""
    keras.utils.set_random_seed(0)
    images = np.repeat(np.repeat(np.random.default_rng(0).integers(0, 256, (32, 4, 4, 1)), 4, 1), 4, 2).astype("uint8")
    model = kg.Pix2Pix(
        build_generator((16, 16, 1), filters=16), build_patch_discriminator((16, 16, 1), (16, 16, 1), filters=8), seed=0
    )
    model.compile(g_optimizer=keras.optimizers.Adam(2e-3, 0.5))
    history = model.fit(images, 255 - images, batch_size=4, epochs=12, verbose=0).history
    assert history["l1_loss"][-1] < 0.4 * history["l1_loss"][0]
    made = model.translate(images, seed=0)
    shown = np.abs(made.astype("float32") - (255 - images)).mean() / 127.5
    assert shown == pytest.approx(history["l1_loss"][-1], rel=0.5)


# Translating


def test_dropout_stays_on_and_is_named_by_its_seed(model):
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype("uint8")
    again = [model.translate(images, seed=seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(again[0], again[1])
    assert not np.array_equal(again[0], again[2])
    assert not np.array_equal(model.translate(images), model.translate(images))
    same = model.generate(sources=np.repeat(images[:1], 3, 0), seeds=[5, 6, 5])
    np.testing.assert_array_equal(same[0], same[2])
    assert not np.array_equal(same[0], same[1])


def test_a_translation_depends_on_its_image_alone(model):
    """No statistics of other images, neither of the batch nor of the past."""
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("uint8")
    whole = model.generate(sources=images, seeds=[1, 2, 3, 4])
    alone = model.generate(sources=images[2:3], seeds=[3])
    assert np.abs(whole[2].astype(int) - alone[0]).max() <= 1  # a grey level, by rounding


def test_the_direction_is_that_of_the_training(model):
    images = np.zeros((1, 32, 32, 3), "uint8")
    assert model.translate(images[0], direction="AtoB", seed=0).shape == (1, 32, 32, 3)
    with pytest.raises(ConfigurationError, match="direction 'AtoB', in which.*load_pairs.*direction='BtoA'.*CycleGAN"):
        model.translate(images, direction="BtoA")
    with pytest.raises(ConfigurationError, match="Did you mean AtoB"):
        model.translate(images, direction="Atob")
    for wrong in (images[:, :16], np.zeros((1, 32, 32, 1), "uint8")):
        with pytest.raises(DataError, match=r"\(N, 32, 32, 3\)"):
            model.translate(wrong)


def test_classes_out_of_range_are_refused():
    model = kg.Pix2Pix(tiny(), tiny_discriminator(), source_classes=3)
    with pytest.raises(DataError, match="from 0 to 2"):
        model.translate(np.full((1, 8, 8), 3))
    with pytest.raises(ConfigurationError, match="4 channels, one for each class"):
        kg.Pix2Pix(tiny(), tiny_discriminator(), source_classes=4)


@pytest.mark.parametrize(
    "options",
    [{"l1_weight": -1.0}, {"adversarial_weight": "1"}, {"direction": "BtoC"}, {"image_shape": (30, 30, 3)}],
    ids=str,
)
def test_arguments_out_of_range_are_refused(options):
    with pytest.raises(ConfigurationError, match="l1_weight|adversarial_weight|AtoB|multiples of 4"):
        kg.Pix2Pix(**options)


def test_generators_that_are_none_are_refused():
    images, seeds = keras.Input((8, 8, 1)), keras.Input((), dtype="int32")
    without_seeds = keras.Model(images, keras.layers.Conv2D(1, 3, padding="same")(images))
    smaller = keras.Model([images, seeds], keras.layers.Conv2D(1, 3)(images))
    for generator in (without_seeds, smaller):
        with pytest.raises(ConfigurationError, match="a generator of .sources"):
            kg.Pix2Pix(generator)


# Data


def test_the_networks_follow_from_the_data():
    maps = np.random.default_rng(0).integers(0, 3, (4, 16, 16)).astype("uint8")
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 1)).astype("uint8")
    data = kg.Pix2Pix.load_data((images, maps), classes=3, direction="BtoA", batch_size=2, augment=False)
    model = kg.Pix2Pix.for_data(data, l1_weight=10.0)
    assert model.generator.input_shape[0] == (None, 16, 16, 3) and model.image_shape == (16, 16, 1)
    assert model.direction == "BtoA" and model.hyper_parameters["source_classes"] == 3
    data = kg.Pix2Pix.load_data("drawn:digits", take=4, batch_size=2)
    assert kg.Pix2Pix.for_data(data).generator.input_shape[0] == (None, 32, 32, 1)
    with pytest.raises(ConfigurationError, match="no labels"):
        kg.Pix2Pix.load_data("drawn:digits", labels="label")


def test_a_run_that_stopped_in_an_epoch_goes_on_with_the_same_crops(tmp_path):
    def made():
        keras.utils.set_random_seed(4)
        model = kg.Pix2Pix(tiny(), tiny_discriminator(), seed=1)
        model.compile()
        return model

    images = np.random.default_rng(0).integers(0, 256, (6, 10, 10, 3)).astype("uint8")
    data = kg.data.PairedBatches(images, images[..., :1], crop=(8, 8), flip=True, batch_size=2)
    whole, stopped = made(), made()
    whole.fit(data, epochs=2, verbose=0)
    stopped.fit(data, steps_per_epoch=2, verbose=0)
    stopped.save(tmp_path / "stopped.keras")
    resumed = keras.saving.load_model(tmp_path / "stopped.keras")
    resumed.fit(data, initial_epoch=0, epochs=2, verbose=0)
    for own, other in zip(values(whole.variables), values(resumed.variables)):
        np.testing.assert_array_equal(own, other)


# Label maps as targets


GREY, MAPS = (8, 8, 1), (8, 8, 3)


def map_maker(generator=None, **options):
    """A Pix2Pix from grey images to maps of three classes, whose judge is tiny."""
    generator = tiny(GREY, MAPS, maps=True) if generator is None else generator
    return kg.Pix2Pix(generator, tiny_discriminator(GREY, MAPS), target_classes=3, **options)


def by_brightness():
    """Dark pixels are of class 0, bright ones of class 2; those within 0.21 of the middle are of class 1."""
    sources, seeds = keras.Input(GREY, name="sources"), keras.Input((), dtype="int32", name="seeds")
    logits = keras.layers.Conv2D(3, 1, name="logits")
    generator = keras.Model([sources, seeds], keras.layers.Softmax()(logits(sources)))
    logits.set_weights([np.array([-1.0, 0.0, 1.0]).reshape(1, 1, 1, 3), np.array([0.0, 0.21, 0.0])])
    return generator


def grey_levels(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *GREY)).astype("uint8")


def maps_of(images):
    """What `by_brightness` says of them."""
    x = images[..., 0] / 127.5 - 1.0
    return np.where(np.abs(x) < 0.21, 1, np.where(x > 0, 2, 0)).astype("uint8")


def test_a_generator_of_maps_makes_probabilities_of_classes():
    made = ops.convert_to_numpy(tiny(GREY, MAPS, maps=True)([floats(4, *GREY), np.arange(4, dtype="int32")]))
    assert made.dtype == "float32" and made.shape == (4, *MAPS) and made.min() > 0 and made.std() > 1e-3
    np.testing.assert_allclose(made.sum(axis=-1), 1.0, rtol=1e-6)
    values = ops.convert_to_numpy(tiny(GREY, MAPS)([floats(4, *GREY), np.arange(4, dtype="int32")]))
    assert values.min() < 0


def test_a_translation_names_the_most_likely_class_of_each_pixel():
    model, images = map_maker(by_brightness()), grey_levels(5)
    for made in (model.translate(images), model.translate(images, seed=3), model.generate(sources=images, seed=3)):
        assert made.dtype == "uint8" and made.shape == (5, 8, 8)
        np.testing.assert_array_equal(made, maps_of(images))
    np.testing.assert_array_equal(model.translate(images[1]), maps_of(images[1:2]))


def test_the_distance_to_a_map_is_that_to_its_one_hot():
    """A third for each class is 2/3 from the true one and 1/3 from each other: 4/9; an undecided judge says log 2."""
    model = map_maker()
    for network, name in ((model.generator, "up0"), (model.discriminator, None)):
        part = network if name is None else network.get_layer(name)
        part.set_weights([np.zeros_like(weight) for weight in part.get_weights()])
    model.compile()
    images = grey_levels(4)
    found = model.evaluate(images, maps_of(images), batch_size=2, return_dict=True, verbose=0)
    assert found["l1_loss"] == pytest.approx(4 / 9, rel=1e-5) and found["d_loss"] == pytest.approx(np.log(2), rel=1e-5)
    assert found["g_loss"] == pytest.approx(np.log(2) + 100 * 4 / 9, rel=1e-5)
    right = map_maker(by_brightness(), l1_weight=1.0)
    right.compile()
    assert right.evaluate(images, maps_of(images), return_dict=True, verbose=0)["l1_loss"] < 4 / 9


def test_a_step_on_maps_moves_both_players():
    """Of maps with a channel of their own as of those without: bit for bit the same."""
    images, ends = grey_levels(2), []
    for maps in (maps_of(images), maps_of(images)[..., None]):
        keras.utils.set_random_seed(1)
        model = map_maker(seed=4)
        model.compile()
        before = [values(network.trainable_variables) for network in (model.generator, model.discriminator)]
        logs = model.fit(images, maps, batch_size=2, shuffle=False, verbose=0).history
        after = [values(network.trainable_variables) for network in (model.generator, model.discriminator)]
        assert int(ops.convert_to_numpy(model.step)) == 1 and all(np.isfinite(logs[name][0]) for name in logs)
        for one, other in zip(before, after):
            assert any(not np.array_equal(a, b) for a, b in zip(one, other))
        ends.append(after)
    for one, other in zip(*map(lambda end: end[0] + end[1], ends)):
        np.testing.assert_array_equal(one, other)


def test_it_learns_maps_and_a_saved_one_makes_the_same(tmp_path):
    keras.utils.set_random_seed(0)
    images = np.repeat(np.repeat(np.random.default_rng(0).integers(0, 256, (32, 2, 2, 1)), 4, 1), 4, 2).astype("uint8")
    generator = build_generator(GREY, MAPS, filters=16, maps=True)
    model = map_maker(generator, seed=0)
    model.compile(g_optimizer=keras.optimizers.Adam(2e-3, 0.5))
    before = (model.translate(images, seed=0) == maps_of(images)).mean()
    model.fit(images, maps_of(images), batch_size=4, epochs=12, verbose=0)
    made = model.translate(images, seed=0)
    assert (made == maps_of(images)).mean() > max(0.75, before)  # no class has more than half of the pixels
    assert np.bincount(maps_of(images).ravel()).max() < 0.5 * made.size
    model.save(tmp_path / "maps.keras")
    for loaded in (keras.saving.load_model(tmp_path / "maps.keras"), kg.zoo.load_file(tmp_path / "maps.keras")):
        assert loaded.target_classes == 3 and loaded.source_classes is None
        np.testing.assert_array_equal(loaded.translate(images, seed=0), made)
    assert kg.zoo.sampler(model).target_classes == 3 and model.hyper_parameters["target_classes"] == 3


def test_maps_are_translated_to_maps():
    """Of four classes to three, by the paper's networks."""
    model = kg.Pix2Pix(image_shape=(16, 16), source_classes=4, target_classes=3)
    assert model.generator.input_shape[0] == (None, 16, 16, 4) and model.generator.output_shape == (None, 16, 16, 3)
    assert [shape[1:] for shape in model.discriminator.input_shape] == [(16, 16, 4), (16, 16, 3)]
    made = model.translate(np.random.default_rng(0).integers(0, 4, (2, 16, 16)), seed=0)
    assert made.shape == (2, 16, 16) and made.max() <= 2 and model.image_shape == (16, 16)


@pytest.mark.parametrize("classes", [2, 4])
def test_other_numbers_of_channels_than_classes_are_refused(classes):
    with pytest.raises(ConfigurationError, match=rf"targets with {classes} channels, one for each class.*8, 8, 3"):
        kg.Pix2Pix(tiny(GREY, MAPS, maps=True), target_classes=classes)


@pytest.mark.parametrize("classes", [1, 257, 2.5])
def test_impossible_numbers_of_target_classes_are_refused(classes):
    with pytest.raises(ConfigurationError, match="2 to 256 classes"):
        kg.Pix2Pix(image_shape=(16, 16, 3), target_classes=classes)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda maps: maps + 1, "from 0 to 2 in label maps.*Received: 1 to 3"),
        (lambda maps: maps.astype("int64") - 1, "from 0 to 2 in label maps.*Received: -1 to 1"),
        (lambda maps: maps.astype("float32"), "whole numbers"),
        (lambda maps: maps[:, :4], r"\(N, 8, 8\)"),
        (lambda maps: np.eye(3)[maps], r"\(N, 8, 8\)"),
    ],
    ids=["high", "low", "floats", "size", "one-hot"],
)
def test_targets_that_are_no_maps_are_refused(change, message):
    model, images = map_maker(), grey_levels(4)
    model.compile()
    assert set(np.unique(maps_of(images))) == {0, 1, 2}
    for method in (model.fit, model.evaluate):
        with pytest.raises(DataError, match=message):
            method(images, change(maps_of(images)), verbose=0)


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_the_networks_follow_from_data_whose_targets_are_maps(direction):
    images = np.random.default_rng(0).integers(40, 256, (4, 16, 16, 3)).astype("uint8")
    maps = np.random.default_rng(0).integers(0, 5, (4, 16, 16)).astype("uint8")
    source = (images, maps) if direction == "AtoB" else (maps, images)
    data = kg.Pix2Pix.load_data(source, target_classes=5, direction=direction, batch_size=2, augment=False)
    model = kg.Pix2Pix.for_data(data, seed=0)
    assert model.generator.input_shape[0] == (None, 16, 16, 3) and model.generator.output_shape == (None, 16, 16, 5)
    assert (model.target_classes, model.source_classes, model.direction) == (5, None, direction)
    assert model.generator.get_layer("images").activation is keras.activations.softmax
    made = model.translate(images, seed=0)
    assert made.shape == (4, 16, 16) and made.max() <= 4


def test_data_of_maps_on_both_sides_make_a_model_of_both():
    maps = np.random.default_rng(0).integers(0, 5, (2, 16, 16)).astype("uint8")
    data = kg.Pix2Pix.load_data((maps, maps % 2), classes=5, target_classes=2, batch_size=2, augment=False)
    model = kg.Pix2Pix.for_data(data)
    assert (model.source_classes, model.target_classes) == (5, 2)
    assert model.translate(maps, seed=0).max() <= 1
