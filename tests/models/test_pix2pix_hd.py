"""pix2pixHD: boundaries, scales, matched maps, the phases of coarse to fine, and styles of regions."""

import itertools

import keras
import numpy as np
import pytest
from contract import VariantContract, equal, number, training_state, values
from keras import ops

import keras_gans as kg
from keras_gans import engine, phases, sampling
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import InstanceMaps
from keras_gans.layers import AverageHalving
from keras_gans.models.pix2pix_hd import (
    build_discriminator,
    build_encoder,
    build_enhancer,
    build_generator,
    halvings_for,
    scales_for,
)
from keras_gans.networks.regions import edge_map

CLASSES = 3


def tiny(side=8, channels=1, style_channels=0):
    return build_generator((side, side, CLASSES + 1 + style_channels), channels, filters=2, halvings=1, blocks=1)


def tiny_discriminator(side=8, channels=1, **options):
    shape = (side, side, channels)
    return build_discriminator(shape, (side, side, CLASSES + 1), **{"filters": 2, "num_layers": 1, **options})


def tiny_encoder(channels=1):
    return build_encoder((None, None, channels), 2, filters=2, halvings=1)


class TestPix2PixHD(VariantContract):
    """From label maps alone, one scale."""

    def make(self, **options):
        # The paper's weight of 10 makes gradients of networks so small that float16 overflows and rounding shows.
        return kg.Pix2PixHD(tiny(), tiny_discriminator(), **{"matching_weight": 0.1, **options})

    def schedule(self, discriminator_steps):
        return ["generator"] + ["discriminator"] * discriminator_steps

    def judged(self, gan, images):
        given = self.given(gan, len(images))
        encoded = [gan.input_fields[name].encode(values) for name, values in given.items()]
        return [gan.conditions(*encoded), images]

    def first_field_in(self, judged):
        return judged[0][..., :CLASSES]

    def scored(self, gan, made):
        judged = self.judged(gan, ops.convert_to_tensor(next(iter(made.values()))))
        return gan.judged(judged)[0][-1][:, 0, 0], len(judged[-1])

    def test_the_seed_names_the_run(self, plain, idle):
        """The same start goes on the same way. No noise is drawn, so that another seed goes this way too."""
        assert equal(idle.start, plain.start)
        assert equal(training_state(plain.again(self.batches())), plain.states[0])
        other = self.rebuilt(plain.gan, seed=6)
        plain.again(self.batches(), seeds=ops.convert_to_numpy(other.latent_seeds.state))
        assert equal(values(plain.gan.weights), plain.weights[0])

    @pytest.mark.parametrize("n", [0, -1, 2.5, "3", True])  # None is as many as there are sources
    def test_impossible_counts_are_refused(self, one, n):
        with pytest.raises(ConfigurationError, match="images|one value per image"):
            one.generate(n, seed=0, **self.given(one, 2))


class TestPix2PixHDOfStyles(TestPix2PixHD):
    """With maps of instances, styles, two scales and a perceptual loss."""

    def make(self, **options):
        options = {"features": frozen_features(), "instances": 5, "num_styles": 4, **options}
        networks = tiny(style_channels=2), tiny_discriminator(scales=2), tiny_encoder()
        return kg.Pix2PixHD(*networks, **{"matching_weight": 0.1, "perceptual_weight": 0.1, **options})

    def test_evaluate_is_the_loss_in_inference_mode(self, one, monkeypatch):
        """Styles are drawn for sampling alone: evaluating has those of the images."""
        monkeypatch.setattr(self, "draws_noise", lambda gan: False)
        super().test_evaluate_is_the_loss_in_inference_mode(one)


def frozen_features(channels=1):
    images = keras.Input((None, None, channels))
    x = keras.layers.Conv2D(2, 3, name="fixed0")(images)
    return keras.Model(images, [x, keras.layers.Conv2D(3, 3, name="fixed1")(x)])


def floats(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1.0, 1.0, shape).astype("float32")


def tensors(*shape, seed=0):
    return ops.convert_to_tensor(floats(*shape, seed=seed))


def levels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")


def label_maps(count=4, side=8, seed=0):
    """Blocks of 2x2 pixels of one class."""
    blocks = np.random.default_rng(seed).integers(0, CLASSES, (count, side // 2, side // 2))
    return blocks.repeat(2, 1).repeat(2, 2).astype("uint8")


def model(side=8, *, style_channels=0, scales=1, **options):
    keras.utils.set_random_seed(3)
    encoder = tiny_encoder() if style_channels else None
    networks = tiny(side, style_channels=style_channels), tiny_discriminator(side, scales=scales), encoder
    gan = kg.Pix2PixHD(*networks, seed=0, **options)
    gan.compile()
    return gan


# Networks


def test_the_global_generators_maps_are_the_papers():
    """64 to 1024 channels at a sixteenth of the size, nine blocks; the last activation's map has 64."""
    network = build_generator((64, 64, 37), halvings=4)
    shapes = {layer.name: layer.output.shape[1:] for layer in network.layers}
    assert [shapes[f"down{i}"] for i in (1, 2, 3, 4)] == [(32, 32, 128), (16, 16, 256), (8, 8, 512), (4, 4, 1024)]
    assert [shapes[f"up{i}"] for i in (3, 2, 1, 0)] == [(8, 8, 512), (16, 16, 256), (32, 32, 128), (64, 64, 64)]
    assert sorted(name for name in shapes if name.startswith("block") and name.endswith("b_norm"))[-1] == "block8b_norm"
    assert "block0_act" not in shapes and "block0b_act" not in shapes  # no ReLU after the sum
    assert network.output_shape == (None, 64, 64, 3)


def test_the_enhancer_adds_maps_of_64_channels_at_half_the_size():
    """The output is as large as the input, and the tail of the global network is left out."""
    inner = build_generator((16, 16, 5), filters=64, halvings=1, blocks=1)
    network = build_enhancer(inner)
    assert network.output_shape == (None, 32, 32, 3)
    assert network.get_layer("enhanced").output.shape == (None, 16, 16, 64)
    assert network.get_layer("first").output.shape == (None, 32, 32, 32)
    left_out = {layer.name for layer in inner.layers} - {layer.name for layer in network.get_layer("global").layers}
    assert left_out == {"last_border", "last", "made"}
    ids = {id(weight) for weight in inner.weights}
    assert len(ids & {id(weight) for weight in network.weights}) == len(ids) - 2  # the last kernel and bias


def test_an_enhancer_can_be_enhanced():
    inner = build_generator((8, 8, 4), 1, filters=4, halvings=1, blocks=1)
    assert build_enhancer(build_enhancer(inner, blocks=0), blocks=0).output_shape == (None, 32, 32, 1)


def test_the_discriminators_maps_are_the_papers():
    """Kernels of 4 with a border of two, so that a map of n has n / 2 + 1, then one more at each layer."""
    network = build_discriminator((64, 64, 3), (64, 64, 36))
    sides = [[(one.shape[1], one.shape[3]) for one in maps] for maps in network.output]
    assert sides[0] == [(33, 64), (17, 128), (9, 256), (10, 512), (11, 1)]
    assert [maps[0][0] for maps in sides] == [33, 17, 9]
    assert network.get_layer("both").output.shape[-1] == 39
    names = [layer.name for layer in network.layers]
    assert "scale0_norm1" in names and not {"scale0_norm0", "scale0_norm4"} & set(names)


def test_the_scales_have_weights_of_their_own_and_see_halved_images():
    network = tiny_discriminator(16, scales=2)
    assert network.get_layer("scale0_conv0").kernel is not network.get_layer("scale1_conv0").kernel
    seen = keras.Model(network.input, network.get_layer("halved1").output)
    given = [floats(1, 16, 16, CLASSES + 1), floats(1, 16, 16, 1)]
    expected = AverageHalving()(np.concatenate(given, axis=-1))
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (seen(given), expected)), atol=1e-6)


def test_scales_and_halvings_follow_from_the_size():
    assert [scales_for((side, side, 3)) for side in (8, 31, 32, 63, 64, 512)] == [1, 1, 2, 2, 3, 3]
    assert [halvings_for((side, 512, 3)) for side in (8, 16, 32, 64, 128)] == [1, 1, 2, 3, 4]


def test_an_encoder_sees_images_of_any_size():
    encoder = build_encoder(channels=2, filters=2, halvings=2)
    assert encoder(floats(1, 8, 12, 3)).shape == (1, 8, 12, 2)


# What the networks see


def test_boundaries_are_marked_on_both_sides():
    """A vertical split marks two columns, the image's border nothing, one region nothing."""
    split = np.array([[[0, 0, 1, 1]] * 4])
    expected = np.array([[0.0, 1.0, 1.0, 0.0]] * 4)
    np.testing.assert_array_equal(ops.convert_to_numpy(edge_map(split))[0, ..., 0], expected)
    np.testing.assert_array_equal(ops.convert_to_numpy(edge_map(split.transpose(0, 2, 1)))[0, ..., 0], expected.T)
    assert not ops.convert_to_numpy(edge_map(np.full((2, 4, 4), 7))).any()


def test_one_pixel_marks_itself_and_its_four_neighbours():
    ids = np.zeros((1, 5, 5), "int32")
    ids[0, 2, 1] = 3
    marked = ops.convert_to_numpy(edge_map(ids))[0, ..., 0]
    assert sorted(zip(*map(list, np.nonzero(marked)))) == [(1, 1), (2, 0), (2, 1), (2, 2), (3, 1)]


def test_boundaries_are_those_of_the_ids_where_there_are_some():
    """Two objects of one class that touch are told apart."""
    maps = np.zeros((1, 8, 8), "uint8")
    ids = np.tile(np.where(np.arange(8) < 4, 26001, 26002), (1, 8, 1))
    plain, told = model(), model(instances=4)
    sources = plain.batch_fields["sources"].encode(maps)
    assert not ops.convert_to_numpy(plain.conditions(sources))[..., -1].any()
    seen = ops.convert_to_numpy(told.conditions(sources, told.batch_fields["instances"].encode(ids)))
    np.testing.assert_array_equal(seen[0, ..., -1], np.tile([0, 0, 0, 1, 1, 0, 0, 0], (8, 1)))
    np.testing.assert_array_equal(seen[0, ..., :CLASSES].sum(-1), np.ones((8, 8)))


@pytest.mark.parametrize("shape", [(6, 8), (7, 5), (1, 4)])
def test_halving_averages_the_pixels_that_there_are(shape):
    """A constant stays constant up to the border; the mean is over what lies within the image."""
    layer, (height, width) = AverageHalving(), shape
    np.testing.assert_allclose(ops.convert_to_numpy(layer(np.full((1, *shape, 1), 0.7, "float32"))), 0.7, rtol=1e-6)
    images = floats(2, *shape, 3)
    made = ops.convert_to_numpy(layer(images))
    assert made.shape == (2, (height + 1) // 2, (width + 1) // 2, 3)
    for row, column in np.ndindex(made.shape[1:3]):
        window = images[:, max(2 * row - 1, 0) : 2 * row + 2, max(2 * column - 1, 0) : 2 * column + 2]
        np.testing.assert_allclose(made[:, row, column], window.mean((1, 2)), atol=1e-6)


def test_an_image_does_not_depend_on_the_others_of_its_batch():
    gan, maps = model(), label_maps()
    assert np.abs(gan.translate(maps)[1].astype(int) - gan.translate(maps[1:2])[0]).max() <= 1  # by rounding


# The game


def test_maps_of_the_same_image_match():
    """No distance where made and true images are equal."""
    gan = model(16, scales=2)
    seen, images = tensors(2, 16, 16, CLASSES + 1), tensors(2, 16, 16, 1, seed=1)
    maps = gan.judged([seen, images])
    assert number(gan.matching_loss(maps, maps)) == 0.0
    assert number(gan.matching_loss(maps, gan.judged([seen, -images]))) > 0.0


def test_matching_reaches_the_made_image_and_not_the_true_one():
    """Only the maps of the true image are constants."""
    gan = model()
    seen = tensors(2, 8, 8, CLASSES + 1)

    def distance(real, fake):
        return gan.matching_loss(gan.judged([seen, real]), gan.judged([seen, fake]))

    given = [tensors(2, 8, 8, 1, seed=1), tensors(2, 8, 8, 1, seed=2)]
    to_real, to_fake = map(ops.convert_to_numpy, engine.input_gradients(distance, given))
    assert not to_real.any() and np.abs(to_fake).max() > 0


def test_matching_is_the_mean_over_scales_and_the_game_their_sum():
    """Of two equal scales, matching is that of one and the game twice; scores do not match."""
    gan = model()
    seen, images = tensors(2, 8, 8, CLASSES + 1), tensors(2, 8, 8, 1, seed=1)
    (real,), (fake,) = gan.judged([seen, images]), gan.judged([seen, -images])
    assert len(real) == 3  # num_layers + 1 maps and the scores
    one = number(gan.matching_loss([real], [fake]))
    assert number(gan.matching_loss([real] * 2, [fake] * 2)) == pytest.approx(one, rel=1e-6)
    far = [*fake[:-1], fake[-1] + 5.0]
    assert number(gan.matching_loss([real], [far])) == one
    distances = [np.abs(ops.convert_to_numpy(a) - ops.convert_to_numpy(b)).mean() for a, b in zip(real[:-1], fake[:-1])]
    assert one == pytest.approx(4 / 2 * sum(distances), rel=1e-5)
    losses = []
    for scales in ([real], [real] * 2):
        gan.judged = lambda examples, training=True, scales=scales: scales
        losses.append(number(gan.discriminator_loss(None, None)))
    assert losses[1] == pytest.approx(2 * losses[0], rel=1e-6)


def test_four_maps_of_three_layers_are_weighed_by_one():
    gan = model()
    maps = [[ops.full((1, 2, 2, 1), level) for level in (1.0, 2.0, 3.0, 4.0, 9.0)]]
    zeros = [[ops.zeros((1, 2, 2, 1))] * 5]
    assert number(gan.matching_loss(zeros, maps)) == pytest.approx(10.0)


def test_the_losses_are_those_of_the_page():
    """Scores of 0.5 for all: D 0.5 (0.25 + 0.25) and G 0.25 for each scale."""
    gan = model(16, scales=2)
    for layer in gan.discriminator.layers:
        if layer.name.endswith("logits"):
            layer.set_weights([np.zeros(layer.kernel.shape), np.full((1,), 0.5)])
    seen, images = tensors(2, 16, 16, CLASSES + 1), tensors(2, 16, 16, 1, seed=1)
    assert number(gan.discriminator_loss([seen, images], [seen, -images])) == pytest.approx(2 * 0.25, rel=1e-5)
    total, matching = ops.convert_to_numpy(gan.generator_loss(-images, seen, images))
    assert total == pytest.approx(2 * 0.25 + 10.0 * matching, rel=1e-5)


def test_the_perceptual_loss_weighs_later_maps_more():
    """Two maps: 1/4 and 1; five: 1/32, 1/16, 1/8, 1/4, 1."""
    features = frozen_features()
    gan = model(features=features)
    a, b = tensors(2, 8, 8, 1), tensors(2, 8, 8, 1, seed=1)
    assert number(gan.perceptual_loss(a, a)) == 0.0
    distances = [
        np.abs(ops.convert_to_numpy(one) - ops.convert_to_numpy(other)).mean()
        for one, other in zip(features(a), features(b))
    ]
    assert number(gan.perceptual_loss(a, b)) == pytest.approx(distances[0] / 4 + distances[1], rel=1e-5)
    images = keras.Input((8, 8, 1))
    five = keras.Model(images, [keras.layers.Rescaling(1.0, name=f"map{i}")(images) for i in range(5)])
    gan.features = five
    expected = (1 / 32 + 1 / 16 + 1 / 8 + 1 / 4 + 1) * np.abs(ops.convert_to_numpy(a - b)).mean()
    assert number(gan.perceptual_loss(a, b)) == pytest.approx(expected, rel=1e-5)
    assert number(model().perceptual_loss(a, b)) == 0.0


def test_the_perceptual_networks_weights_never_change():
    gan = model(features=frozen_features())
    before = values(gan.features.weights)
    gan.fit(label_maps(), levels(4, 8, 8, 1), batch_size=4, verbose=0)
    assert equal(before, values(gan.features.weights))


def test_the_discriminator_sees_the_condition():
    gan = model()
    seen, images = floats(4, 8, 8, CLASSES + 1), floats(4, 8, 8, 1, seed=1)
    scores = [ops.convert_to_numpy(gan.score([given, images])) for given in (seen, seen[::-1])]
    assert scores[0].shape == (4, 7 * 7) and np.abs(scores[0] - scores[1]).max() > 1e-4


def test_it_learns_what_classes_look_like():
    """Three classes, three grey levels."""
    keras.utils.set_random_seed(0)
    maps = label_maps(32, 16)
    images = (40 + 85 * maps)[..., None].astype("uint8")
    networks = build_generator((16, 16, 4), 1, filters=8, halvings=1, blocks=1), tiny_discriminator(16, filters=8)
    gan = kg.Pix2PixHD(*networks, seed=0)
    gan.compile(keras.optimizers.Adam(2e-3, 0.5), keras.optimizers.Adam(2e-4, 0.5))
    before = np.abs(gan.translate(maps).astype(float) - images).mean()
    gan.fit(maps, images, batch_size=4, epochs=10, verbose=0)
    assert np.abs(gan.translate(maps).astype(float) - images).mean() < 0.5 * before


# Phases


def pairs(count=8, side=16, **options):
    maps = label_maps(count, side)
    images = (40 + 85 * maps)[..., None].astype("uint8")
    return kg.data.PairedBatches(maps, images, classes=CLASSES, batch_size=4, **options)


def test_the_first_phase_learns_at_half_the_size():
    gan, data = model(), pairs()
    first, second, third = gan.phases(data, 40)
    assert (first.epochs, second.epochs, third.epochs) == (40, 2, 18)
    assert first.data.image_shape == (8, 8, 1) and second.data.image_shape == third.data.image_shape == (16, 16, 1)
    rates = [number(gan.g_optimizer._learning_rate(epoch * len(data))) for epoch in (0, 19, 20, 39, 40)]
    assert rates == pytest.approx([2e-4, 2e-4, 2e-4 * 20 / 21, 2e-4 / 21, 0.0], abs=1e-9)
    with pytest.raises(DataError, match="label maps of shape"):
        gan.fit(data, verbose=0)


def test_data_of_the_models_size_are_one_phase():
    (phase,) = model(16).phases(pairs(), 10)
    assert phase.epochs == 10 and phase.data.image_shape == (16, 16, 1)


def test_at_one_size_styles_are_found_where_the_rate_falls():
    gan, data = model(16, style_channels=2), pairs()
    first, second = gan.phases(data, 5)
    assert (first.epochs, second.epochs) == (3, 2)
    table = gan.styles.get_layer("table")
    before = values(table.weights)
    first, second = in_phases(gan, data, 2)
    assert not equal(before, values(table.weights)) and second.encoder is first.encoder
    assert "encoder" in first.players["generator"] and second.fixed_encoder
    found = values(table.weights)
    second.find_styles(data)
    assert equal(found, values(table.weights))  # of the encoder as it is
    per_epoch = len(data)
    rates = [number(second.g_optimizer._learning_rate(step)) for step in (0, per_epoch)]
    assert rates == pytest.approx([1e-4, 0.0], abs=1e-9)


def in_phases(gan, data, epochs):
    """The model of each phase, before it is trained."""
    before = 0
    for index, phase in enumerate(gan.phases(data, epochs)):
        gan = phases.begin(phase, gan, index, before)
        yield gan
        gan.fit(phases.data_of(phase, gan, index), verbose=0)
        before += phase.epochs


def test_the_global_generator_is_fixed_in_the_second_phase_alone():
    """Bit for bit; and in the third phase both learn, with new optimizers."""
    trained = []
    for index, gan in enumerate(in_phases(model(), pairs(), 4)):
        inner = gan.generator.get_layer("global") if index else gan.generator
        own = [w for w in gan.generator.weights if id(w) not in {id(other) for other in inner.weights}]
        trained.append((gan, inner, own, values(inner.weights), values(own)))
        if index:
            before = trained[index - 1]
            if index == 1:
                assert not equal(before[3], values(before[1].weights))
            assert int(ops.convert_to_numpy(gan.g_optimizer.iterations)) == 0
    (_, _, _, _, _), (second, inner, own, old_inner, old_own), (third, _, _, last_inner, last_own) = trained
    assert equal(old_inner, last_inner) and not equal(old_own, last_own)
    assert not equal(last_inner, values(inner.weights)) and not equal(last_own, values(own))
    assert second.generator is third.generator and second.discriminator is third.discriminator
    assert third.translate(label_maps(2, 16)).shape == (2, 16, 16, 1)


@pytest.mark.parametrize("phase", [1, 2])
def test_each_phase_can_be_saved_and_goes_on(phase, tmp_path):
    gan = next(itertools.islice(in_phases(model(style_channels=2, ema_decay=0.9), pairs(), 2), phase, None))
    gan.save(tmp_path / "model.keras")
    loaded, data = keras.saving.load_model(tmp_path / "model.keras"), pairs()
    for one in (gan, loaded):
        one.fit(data, verbose=0)
    assert equal(values(gan.weights), values(loaded.weights))
    assert loaded.fixed_global == (phase == 1) and loaded.fixed_encoder
    fixed = [layer for layer in loaded.generator.layers if layer.name == "global"]
    assert fixed[0].trainable == (phase == 2)


def test_a_presets_copy_samples_as_the_enhanced_model_does():
    gan = next(itertools.islice(in_phases(model(style_channels=2), pairs(), 2), 1, None))
    maps = label_maps(3, 16)
    np.testing.assert_array_equal(
        kg.zoo.sampler(gan, {"sources": maps}).translate(maps, seed=1), gan.translate(maps, seed=1)
    )


def test_halves_of_pairs_have_the_same_order():
    data = pairs(8, 16, flip=True, seed=3)
    half = data.halved()
    for step in (0, 5):
        whole, small = data.at(step), half.at(step)
        np.testing.assert_array_equal(whole["sources"][:, ::2, ::2], small["sources"])
        means = whole["targets"].reshape(4, 8, 2, 8, 2, 1).mean((2, 4))
        np.testing.assert_allclose(small["targets"], means, atol=0.5)
    with pytest.raises(DataError, match="can be halved"):
        pairs(4, 10).halved().halved()


# Styles


def test_instances_are_numbered_in_the_order_of_their_ids():
    field = InstanceMaps((2, 3), most=4)
    ids = np.array([[[26002, 7, 26001], [7, 26002, 7]], [[5, 5, 5], [5, 5, 5]]], "int32")
    ranks = ops.convert_to_numpy(field.encode(ids)).argmax(-1)
    np.testing.assert_array_equal(ranks, [[[2, 0, 1], [0, 2, 0]], [[0, 0, 0], [0, 0, 0]]])


def styled(**options):
    """A model of styles whose table is far apart, and maps whose left half is class 0 and right half class 2."""
    gan = model(style_channels=2, num_styles=4, **options)
    gan.styles.get_layer("table").set_weights([10.0 * floats(CLASSES * 4, 2)])
    return gan, np.tile(np.where(np.arange(8) < 4, 0, 2), (3, 8, 1)).astype("uint8")


def seen_styles(gan, maps, **given):
    """The last channels that the generator sees when it translates."""
    encoded = {"sources": gan.input_fields["sources"].encode(maps)}
    if "instances" in given:
        encoded["instances"] = gan.input_fields["instances"].encode(given["instances"])
    numbers = gan._numbers(given["style"], maps, given.get("instances"), 0)
    return seen_by_the_generator(
        gan, lambda: gan.compute_outputs({**encoded, "styles": ops.convert_to_tensor(numbers)})
    )[..., -2:]


def seen_by_the_generator(gan, use):
    seen, call = [], gan.generator.call

    def watched(inputs, **options):
        seen.append(np.array(ops.convert_to_numpy(inputs)))
        return call(inputs, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gan.generator, "call", watched)
        use()
    return seen[0]


def test_each_region_has_the_numbers_of_its_style():
    gan, maps = styled()
    table = ops.convert_to_numpy(gan.styles.get_layer("table").embeddings).reshape(CLASSES, 4, 2)
    shown = seen_styles(gan, maps, style=[1, 0, 3])
    np.testing.assert_allclose(shown[:, :, :4], np.broadcast_to(table[0, 1], (3, 8, 4, 2)), rtol=1e-6)
    np.testing.assert_allclose(shown[:, :, 4:], np.broadcast_to(table[2, 3], (3, 8, 4, 2)), rtol=1e-6)


def test_objects_of_one_class_have_styles_of_their_own():
    gan, _ = styled(instances=3)
    maps = np.zeros((1, 8, 8), "uint8")
    ids = np.tile(np.where(np.arange(8) < 4, 500, 90), (1, 8, 1))
    table = ops.convert_to_numpy(gan.styles.get_layer("table").embeddings).reshape(CLASSES, 4, 2)
    shown = seen_styles(gan, maps, instances=ids, style=[[2, 1, 0]])  # 90 comes first
    np.testing.assert_allclose(shown[0, 0, [0, 7]], [table[0, 1], table[0, 2]], rtol=1e-6)
    edited = gan._numbers({500: 3}, maps, ids, 4)
    drawn = gan.draw("styles", 1, 4)
    np.testing.assert_array_equal(edited, [[drawn[0, 0], 3, drawn[0, 2]]])


def test_an_edit_changes_one_regions_style():
    gan, maps = styled()
    drawn = np.array(gan.draw("styles", 3, 7))
    numbers = gan._numbers({2: 1}, maps, None, 7)
    np.testing.assert_array_equal(numbers[:, :2], drawn[:, :2])
    np.testing.assert_array_equal(numbers[:, 2], [1, 1, 1])
    same = gan.translate(maps, style={2: int(drawn[0, 2])}, seed=7)[0]
    np.testing.assert_array_equal(same, gan.translate(maps, seed=7)[0])
    other = gan.translate(maps, style={2: (int(drawn[0, 2]) + 1) % 4}, seed=7)[0]
    assert not np.array_equal(same, other)
    np.testing.assert_array_equal(gan.translate(maps, style=2), gan.translate(maps, style=[2, 2, 2]))


def test_an_edit_of_one_map_shows_it_once_for_each_seed_and_once_for_each_map_of_instances():
    gan, maps = styled()
    edited = gan.translate(maps[:1], style={0: 1}, seed=[3, 4, 5])
    for seed, image in zip((3, 4, 5), edited, strict=True):
        np.testing.assert_array_equal(image, gan.translate(maps[:1], style={0: 1}, seed=[seed])[0])
    told, _ = styled(instances=3)
    ids = np.stack([np.tile(np.where(np.arange(8) < split, 5, 9), (8, 1)) for split in (2, 4, 6)])
    for one, several in ((maps[:1], ids), (maps, ids[:1])):
        drawn = told.draw("styles", 3, 0)
        np.testing.assert_array_equal(told._numbers({9: 3}, one, several, 0), [[a, 3, c] for a, _, c in drawn])
        assert told.translate(one, style={9: 3}, instances=several, seed=0).shape == (3, 8, 8, 1)


def test_several_outputs_of_one_map():
    gan, maps = styled()
    made = [gan.translate(maps[:1], seed=seed) for seed in range(6)]
    assert len({image.tobytes() for image in made}) > 1
    assert np.array_equal(gan.translate(maps[:1], seed=0), made[0])


def test_styles_are_drawn_alike():
    """Each of seven styles is equally likely; the same from an array and from a tensor."""
    field = kg.fields.Styles(3, count=7)
    normals = np.random.default_rng(0).normal(size=(4000, field.num_normals)).astype("float32")
    drawn = field.from_normals(normals)
    counts = np.bincount(drawn.ravel(), minlength=7)
    assert len(counts) == 7 and np.abs(counts - 12000 / 7).max() < 5 * np.sqrt(12000 / 7)
    np.testing.assert_array_equal(drawn, ops.convert_to_numpy(field.from_normals(ops.convert_to_tensor(normals))))


def test_the_training_sees_the_mean_of_each_region():
    """The encoder's map, averaged over each region of the image."""
    gan, maps = styled()
    images = tensors(3, 8, 8, 1)
    encoded = ops.convert_to_numpy(gan.encoder(images))
    sources = gan.input_fields["sources"].encode(maps)
    seen = seen_by_the_generator(gan, lambda: gan.made_like(images, sources))
    for half in (slice(0, 4), slice(4, 8)):
        means = encoded[:, :, half].mean((1, 2))
        np.testing.assert_allclose(seen[:, 3, half.start, -2:], means, atol=1e-5)
        assert np.ptp(seen[:, :, half, -2:], axis=(1, 2)).max() == 0


def test_the_encoder_learns_with_the_generator():
    gan = model(style_channels=2)
    before = values(gan.encoder.trainable_variables)
    gan.fit(label_maps(), levels(4, 8, 8, 1), batch_size=4, verbose=0)
    assert not any(np.array_equal(a, b) for a, b in zip(before, values(gan.encoder.trainable_variables)))


def test_found_styles_are_the_means_that_regions_have():
    """Two kinds of images for each class: two styles are their encodings, and `styles_of` tells which."""
    gan = model(style_channels=2, num_styles=2)
    maps = np.tile(np.where(np.arange(8) < 4, 0, 2), (8, 8, 1)).astype("uint8")
    kinds = np.arange(8) % 2
    images = levels(2, 8, 8, 1)[kinds]
    before = ops.convert_to_numpy(gan.styles.get_layer("table").embeddings).copy()
    gan.find_styles(kg.data.PairedBatches(maps, images, classes=CLASSES, batch_size=4))
    table = ops.convert_to_numpy(gan.styles.get_layer("table").embeddings).reshape(CLASSES, 2, 2)
    np.testing.assert_array_equal(table[1], before.reshape(CLASSES, 2, 2)[1])  # no region of class 1
    encoded = ops.convert_to_numpy(gan.encoder(gan.batch_fields["targets"].encode(images[:2])))
    for classed, half in ((0, slice(0, 4)), (2, slice(4, 8))):
        means = encoded[:, :, half].mean((1, 2))
        found = table[classed][np.argsort(table[classed][:, 0])]
        np.testing.assert_allclose(found, means[np.argsort(means[:, 0])], atol=1e-5)
    numbers = gan.styles_of(images, maps)
    assert (numbers[kinds == 0] == numbers[0]).all() and (numbers[kinds == 1] == numbers[1]).all()
    assert (numbers[0, [0, 2]] != numbers[1, [0, 2]]).all() and not numbers[:, 1].any()


def test_styles_are_those_of_weights_that_were_set_by_hand():
    gan = model(style_channels=2, ema_decay=0.9)
    images, maps = levels(4, 8, 8, 1), label_maps()
    gan.encoder.set_weights([3.0 * weight for weight in gan.encoder.get_weights()])
    means, pixels, _ = gan._regions(images, maps, None)
    encoded = ops.convert_to_numpy(gan.encoder(gan.batch_fields["targets"].encode(images)))
    for row, column in zip(*np.nonzero(pixels)):
        expected = encoded[row][maps[row] == column].mean(0)
        np.testing.assert_allclose(means[row, column], expected, atol=1e-5)


# What is refused


@pytest.mark.parametrize(
    "options, message",
    [
        ({"matching_weight": -1.0}, "matching_weight of 0 or more"),
        ({"perceptual_weight": "1"}, "perceptual_weight of 0 or more"),
        ({"direction": "BtoC"}, "AtoB"),
        ({"source_classes": None}, "source_classes"),
        ({"source_classes": 1}, "2 to 256 classes"),
        ({"image_shape": (33, 32, 3)}, "multiples of 4, 8 or more, such as 32 and 36"),
        ({"instances": 1}, "2 objects or more"),
        ({"num_styles": 0}, "num_styles of 1 or more"),
        ({"style_channels": -1}, "style_channels of 0 or more"),
        ({"fixed_global": True}, "build_enhancer"),
    ],
    ids=str,
)
def test_arguments_out_of_range_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        kg.Pix2PixHD(**{"image_shape": (16, 16, 1), "source_classes": CLASSES, **options})


def test_networks_that_do_not_fit_are_refused():
    images = keras.Input((8, 8, CLASSES + 1))
    smaller = keras.Model(images, keras.layers.Conv2D(1, 3)(images))
    cases = [
        ((smaller,), {}, "the same, known size"),
        ((tiny(),), {"source_classes": 5}, "5 classes"),
        ((tiny(), None, tiny_encoder(3)), {}, "an encoder of images"),
        ((tiny(style_channels=1), None, tiny_encoder()), {"source_classes": CLASSES}, "2 channels of a style"),
        ((tiny(), None, None, None, frozen_features(3)), {}, "features to take"),
        ((tiny(), tiny_discriminator(16)), {}, "takes what the generator makes"),
    ]
    for networks, options, message in cases:
        with pytest.raises(ConfigurationError, match=message):
            kg.Pix2PixHD(*networks, **options)
    with pytest.raises(ConfigurationError, match="last_border"):
        build_enhancer(smaller)
    with pytest.raises(ConfigurationError, match="Expected 1 filters"):
        build_enhancer(tiny(), filters=3)
    with pytest.raises(ConfigurationError, match="multiples of 8, 16 or more, such as 16. Received: .8, 8."):
        build_generator((8, 8, CLASSES + 1), halvings=3)
    with pytest.raises(ConfigurationError, match="a known height and width"):
        AverageHalving()(keras.Input((None, 8, 1)))


@pytest.mark.parametrize("which", ["encoder", "features"])
def test_networks_of_one_size_are_refused_before_a_training_coarse_to_fine(which):
    images = keras.Input((8, 8, 1))
    beside = keras.Model(images, keras.layers.Conv2D(2, 1, activation="tanh")(images))
    options = {"encoder": None, "features": None, which: beside}
    gan = kg.Pix2PixHD(tiny(style_channels=2 * (which == "encoder")), tiny_discriminator(), **options)
    with pytest.raises(ConfigurationError, match=r"images \(16, 16, 1\)"):
        gan.phases(pairs(), 2)


def test_styles_are_refused_where_there_are_none():
    gan, maps = model(), label_maps()
    for use in (
        lambda: gan.translate(maps, style=0),
        lambda: gan.find_styles(pairs(4, 8)),
        lambda: gan.styles_of(levels(4, 8, 8, 1), maps),
    ):
        with pytest.raises(ConfigurationError, match="a model with an encoder"):
            use()


def test_styles_out_of_range_and_regions_that_are_not_there_are_refused():
    gan, maps = styled()
    for style in (4, -1, [0, 0, 4], {0: 4}):
        with pytest.raises(ConfigurationError, match="styles from 0 to 3"):
            gan.translate(maps, style=style)
    for style in ({0: 1.7}, {0: "1"}, {0: True}, {2.0: 1}, {"0": 1}):
        with pytest.raises(ConfigurationError, match="a whole number for a class or an id"):
            gan.translate(maps, style=style)
    with pytest.raises(ConfigurationError, match="styles from 0 to 3. Received: .* to 1099511627776"):
        gan.translate(maps, style={0: 2**40})
    for style in ({0: 1}, 1):
        with pytest.raises(ConfigurationError, match="takes no others. Received: instances"):
            gan.translate(maps, style=style, instances=maps)
    for style in ([0, 1], [[0, 0]], 0.5):
        with pytest.raises(ConfigurationError, match="a whole number for each region"):
            gan.translate(maps, style=style)
    with pytest.raises(DataError, match="a class. Received: 1, which no map has"):
        gan.translate(maps, style={1: 0})
    for images, given in ((levels(2, 8, 8, 1), maps), (levels(3, 8, 8, 1), maps[0])):
        with pytest.raises(DataError, match=f"Received: {len(images)} targets, {1 if given.ndim == 2 else 3} sources"):
            gan.styles_of(images, given)
    for arguments in ((0, 2), (2, 0), (2, 2**15 + 1), (2.0, 2)):
        with pytest.raises(ConfigurationError, match="1 to 32768 styles"):
            kg.fields.Styles(*arguments)
    assert kg.fields.Styles(1, 2**15).from_normals(np.ones((1, 16), "float32")).tolist() == [[2**15 - 1]]


def test_missing_instances_are_refused():
    gan, maps = model(instances=3), label_maps()
    with pytest.raises(ConfigurationError, match="Expected maps of instances.*instances="):
        gan.translate(maps)
    with pytest.raises(DataError, match="Expected instances in each batch"):
        gan.fit(pairs(8, 8), verbose=0)
    with pytest.raises(DataError, match="at most 3 ids in an instance map. Received: 4, in map 1. .*instances=4"):
        gan.translate(maps[:2], instances=np.stack([np.zeros((8, 8), int), np.arange(64).reshape(8, 8) // 16]))
    made = gan.translate(maps, instances=maps)
    assert made.shape == (4, 8, 8, 1)


def test_the_direction_is_that_of_the_training():
    with pytest.raises(ConfigurationError, match="direction 'AtoB', in which"):
        model().translate(label_maps(), direction="BtoA")


# Data


def test_the_networks_follow_from_the_data():
    maps, images = label_maps(4, 32), levels(4, 32, 32, 3)
    data = kg.Pix2PixHD.load_data((images, maps), classes=CLASSES, direction="BtoA", batch_size=2, augment=False)
    gan = kg.Pix2PixHD.for_data(data)
    assert gan.image_shape == (32, 32, 3) and gan.source_classes == CLASSES and gan.direction == "BtoA"
    for options in ({"labels": "label"}, {"target_classes": 3}):
        with pytest.raises(ConfigurationError, match="makes images from label maps"):
            kg.Pix2PixHD.load_data((maps, images), **options)


def test_pairs_may_have_instances():
    maps, images = label_maps(4, 8), levels(4, 8, 8, 1)
    data = kg.data.PairedBatches(
        maps, images, instances=maps.astype("int32") * 1000, crop=(6, 6), flip=True, batch_size=2
    )
    batch = data.at(3)
    np.testing.assert_array_equal(batch["instances"], batch["sources"].astype("int32") * 1000)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int64"])  # as files and users have them
def test_the_model_takes_as_many_objects_as_the_data_have(dtype):
    maps, images = label_maps(4, 16), levels(4, 16, 16, 1)
    ids = maps.astype(dtype)
    ids[2, :4] = [[10], [20], [30], [40]]
    data = kg.data.PairedBatches(maps, images, instances=ids, classes=CLASSES, batch_size=2)
    assert kg.Pix2PixHD.for_data(data).instances == len(np.unique(ids[2])) > 4
    assert kg.Pix2PixHD.for_data(data, instances=90).instances == 90
    alike = kg.data.PairedBatches(maps, images, instances=0 * ids, classes=CLASSES, batch_size=2)
    gan = kg.Pix2PixHD.for_data(alike)
    assert gan.instances == 2  # the fewest there are
    gan = model(16, instances=8)
    gan.compile()
    gan.fit(data, verbose=0)


def test_a_sheet_shows_maps_and_images():
    gan = model()
    sheet = sampling.sheet(gan, 1, 2, given={"sources": label_maps(), "targets": levels(4, 8, 8, 1)})
    assert sheet.shape == (8, 2 * 3 * 8, 3)
