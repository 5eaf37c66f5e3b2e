"""Video prediction: scales and guesses, the losses, who learns from what, and predictions of predictions."""

import keras
import numpy as np
import pytest
from contract import VariantContract, equal, needs_tensorflow, number, training_state, values
from keras import layers, ops

import keras_gans as kg
from keras_gans import engine, sampling
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.losses import cross_entropy, gradient_difference_loss
from keras_gans.models.video_prediction_gan import build_discriminators, build_generator, scales_of

CONTEXT = 3


def tiny(channels=1, scales=2, context=CONTEXT):
    return build_generator(channels, context, scales, filters=2)


def tiny_discriminators(shape=(8, 8, 1), context=CONTEXT):
    return build_discriminators(shape, context, filters=2, units=(4,))


class TestVideoPredictionGAN(VariantContract):
    def make(self, **options):
        return kg.VideoPredictionGAN(tiny(), tiny_discriminators(), **options)

    def scored(self, gan, made):
        clips = gan.batch_fields["clips"].encode(self.rows(len(made["frames"]))["clips"])
        return gan.logits(gan.at_scales(clips), gan.at_scales(made["frames"]), training=False)[-1], len(clips)

    def first_field(self):
        return "frames"  # the list of losses' inputs begins with frames at every scale, the finest last

    def first_field_in(self, judged):
        return judged[-1]

    def seen(self, examples):
        return kg.images.to_float(examples)

    def test_the_seed_names_the_run(self, plain, idle):
        """The same start goes on the same way. No noise is drawn, so that another seed goes this way too."""
        assert equal(idle.start, plain.start)
        assert equal(training_state(plain.again(self.batches())), plain.states[0])
        other = self.rebuilt(plain.gan, seed=6)
        plain.again(self.batches(), seeds=ops.convert_to_numpy(other.latent_seeds.state))
        assert equal(values(plain.gan.weights), plain.weights[0])

    @pytest.mark.parametrize("n", [0, -1, 2.5, "3", True])  # None is as many as there are clips
    def test_impossible_counts_are_refused(self, one, n):
        with pytest.raises(ConfigurationError, match="images|one value per image"):
            one.generate(n, seed=0, **self.given(one, 2))

    def test_networks_that_do_not_fit_are_refused(self, one):
        coarse, fine = one.discriminators

        def ending(*last, shape=(8, 8, CONTEXT + 1)):
            return keras.Sequential([keras.Input(shape), layers.Flatten(), *last])

        cases = [
            ([coarse, ending(layers.Dense(1, activation="sigmoid"))], "sigmoid"),
            ([coarse, ending(layers.Dense(2))], "one logit"),
            ([coarse, ending(layers.Dense(1), shape=(6, 6, CONTEXT + 1))], "takes what the generator makes"),
            ([coarse, ending(layers.Dense(1), shape=(7, 8, CONTEXT + 1))], "multiples of 2"),
            ([coarse, ending(layers.Dense(1), shape=(8, 8, 1))], "takes what the generator makes"),
            ([coarse, ending(layers.Dense(1), shape=(8,))], "takes what the generator makes"),
            ([fine, coarse], "takes what the generator makes"),
            ([coarse, keras.Sequential([layers.Dense(1)])], "built"),
            ([fine], "list of 2 discriminators, one for each scale from coarse to fine. Received: 1"),
            (fine, "list of 2 discriminators"),
        ]
        for discriminators, message in cases:
            with pytest.raises(ConfigurationError, match=message):
                self.rebuilt(one, discriminators=discriminators)
        images = keras.Input((8, 8, 3))
        wider = keras.Model(images, layers.UpSampling2D((1, 2))(layers.Conv2D(1, 1)(images)))
        half = keras.Model(images, [layers.Conv2D(1, 1)(images), layers.Conv2D(1, 1)(images)])
        channels = keras.Model(images, layers.Conv2D(2, 1)(images))
        flat = keras.Model(images, layers.Flatten()(images))
        bright = keras.Model(images, layers.Conv2D(1, 1, activation="sigmoid")(images))
        unknown = keras.Sequential([keras.Input((8, 8, None)), layers.Activation("tanh")])
        for generator in (None, coarse, wider, half, channels, flat, unknown):
            with pytest.raises(ConfigurationError, match="generator"):
                self.rebuilt(one, generator=generator)
        with pytest.raises(ConfigurationError, match="sigmoid"):
            self.rebuilt(one, generator=bright, discriminators=None)


def levels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")


def floats(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1.0, 1.0, shape).astype("float32")


def arrays(tensors):
    return [ops.convert_to_numpy(tensor) for tensor in tensors]


def model(shape=(8, 8, 1), **options):
    keras.utils.set_random_seed(3)
    gan = kg.VideoPredictionGAN(tiny(shape[-1], scales_of(shape)), tiny_discriminators(shape), **{"seed": 0, **options})
    gan.compile()
    return gan


def batch(gan, count=4, shape=(8, 8, 1)):
    """{name: tensor} of an encoded batch."""
    clips, frames = levels(count, CONTEXT, *shape), levels(count, *shape, seed=1)
    return {"clips": gan.batch_fields["clips"].encode(clips), "frames": gan.batch_fields["frames"].encode(frames)}


# Networks


def test_the_networks_of_the_script():
    """Kernels and filters of every scale, for clips of four frames in colour."""
    generator = build_generator()
    table = {
        0: [(3, 16), (3, 32), (3, 16), (3, 3)],
        1: [(5, 16), (3, 32), (3, 16), (5, 3)],
        2: [(5, 16), (3, 32), (3, 64), (3, 32), (3, 16), (5, 3)],
        3: [(7, 16), (5, 32), (5, 64), (5, 32), (5, 16), (7, 3)],
    }
    for scale, wanted in table.items():
        convs = [x for x in generator.layers if isinstance(x, layers.Conv2D) and x.name.startswith(f"scale{scale}_")]
        assert [(conv.kernel_size[0], conv.filters) for conv in convs] == wanted
        assert {conv.padding for conv in convs} == {"same"} and {conv.strides for conv in convs} == {(1, 1)}
        assert convs[0].kernel.shape[2] == (12 if scale == 0 else 15)
    tables = [
        (4, [(3, 32)]),
        (8, [(3, 32), (3, 32), (3, 64)]),
        (16, [(5, 32), (5, 32), (5, 64)]),
        (32, [(7, 32), (7, 32), (5, 64), (5, 128)]),
    ]
    for network, (side, wanted) in zip(build_discriminators(), tables, strict=True):
        assert network.input_shape == (None, side, side, 15)  # test 2: the clip's four frames and the one to judge
        convs = [x for x in network.layers if isinstance(x, layers.Conv2D)]
        assert [(conv.kernel_size[0], conv.filters) for conv in convs] == wanted
        assert {conv.padding for conv in convs} == {"valid"}
        assert [x.units for x in network.layers if isinstance(x, layers.Dense)] == [256, 128, 1]
    assert network.get_layer("pool").output.shape[1:3] == (6, 6)


@pytest.mark.parametrize(
    "shape, scales",
    [((64, 64, 3), 4), ((32, 32, 3), 4), ((16, 48, 1), 3), ((28, 28, 1), 3), ((20, 8, 1), 2), ((15, 8, 1), 1)],
)
def test_the_image_size_says_how_many_scales_there_are(shape, scales):
    assert scales_of(shape) == scales
    gan = kg.VideoPredictionGAN(build_generator(shape[-1], 2, scales, filters=1), build_discriminators(shape, 2))
    made = gan.generator(floats(1, *shape[:2], 2 * shape[2]))
    sizes = [tuple(frame.shape[1:3]) for frame in keras.tree.flatten(made)]
    assert sizes == [tuple(side >> (scales - 1 - k) for side in shape[:2]) for k in range(scales)]


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(ConfigurationError, match="4 pixels a side or more"):
        scales_of((3, 8, 1))
    with pytest.raises(ConfigurationError, match="1 to 2 scales of images"):
        build_discriminators((8, 8, 1), scales=3)
    for shape in (32, (32, 32), (1, 32, 32)):
        with pytest.raises(ConfigurationError, match="image_shape"):
            kg.VideoPredictionGAN(image_shape=shape)
    for options in ({"scales": 0}, {"scales": 5}, {"context": 0}):
        with pytest.raises(ConfigurationError, match="1 to 4 scales"):
            build_generator(**options)


def test_black_and_white_are_where_the_tanh_has_a_slope():
    """At -1 and 1 the slope of tanh(x) / 0.9 is (1 - 0.81) / 0.9; that of a bare tanh is 0."""
    network = build_generator(1, scales=1, filters=2)
    change = network.layers[-3]
    frame = keras.Model(change.output, network.output)
    for value in (-1.0, 1.0):
        x = np.arctanh(0.9 * value)
        low, high = (
            np.asarray(ops.convert_to_numpy(keras.tree.flatten(frame(np.full((1, 4, 4, 1), x + d, "float32")))[0]))
            for d in (-0.01, 0.01)
        )
        np.testing.assert_allclose((low + high) / 2, value, atol=1e-3)
        np.testing.assert_allclose((high - low) / 0.02, 0.19 / 0.9, rtol=1e-2)


def test_a_guess_is_added_before_the_tanh():
    """With the coarsest bias alone, y_1 = tanh(b) / 0.9, y_2 = tanh(y_1) / 0.9, ..."""
    generator = build_generator(1, 4, 4, filters=2)
    for weight in generator.trainable_variables:
        weight.assign(np.zeros(weight.shape, "float32"))
    clips = floats(1, 32, 32, 4)
    assert all(np.all(frame == 0.0) for frame in arrays(generator(clips)))
    generator.get_layer("scale0_change").bias.assign([0.8])
    expected = 0.8
    for frame in arrays(generator(clips)):
        expected = np.tanh(expected) / 0.9
        np.testing.assert_allclose(frame, expected, atol=1e-6)


def test_a_guess_is_seen_and_not_detached():
    """Each scale's loss alone reaches the coarsest scale's weights."""
    gan = model((16, 16, 1))
    clips, frames = batch(gan, 2, (16, 16, 1)).values()
    real = gan.at_scales(frames)
    for scale in range(gan.scales):
        weights = [w for w in gan.generator.trainable_variables if w.path.startswith("scale0_conv0")]
        _, gradients = engine.value_and_grad(
            lambda k=scale: ops.mean(ops.square(gan.generator(clips)[k] - real[k])), weights, lambda loss: loss
        )
        assert all(np.abs(ops.convert_to_numpy(gradient)).max() > 0 for gradient in gradients)
    seen = gan.generator.get_layer("scale1_conv0").kernel.shape[2]
    assert seen == CONTEXT + 1


def test_coarser_scales_are_means_of_the_same_pixels():
    """The mean is kept."""
    gan, images = model((16, 16, 1)), floats(2, 16, 16, 1)
    coarse, middle, fine = arrays(gan.at_scales(ops.convert_to_tensor(images)))
    np.testing.assert_array_equal(fine, images)
    np.testing.assert_allclose(middle, images.reshape(2, 8, 2, 8, 2, 1).mean((2, 4)), atol=1e-6)
    np.testing.assert_allclose(coarse, images.reshape(2, 4, 4, 4, 4, 1).mean((2, 4)), atol=1e-6)
    inner = keras.Model(gan.generator.input, gan.generator.get_layer("scale0_clips").output)
    np.testing.assert_allclose(ops.convert_to_numpy(inner(np.repeat(images, 3, axis=3)))[..., :1], coarse, atol=1e-6)


def test_the_generator_moves_with_the_clip_and_takes_larger_ones():
    """A clip moved by the coarsest window moves the prediction, but for the borders."""
    generator = build_generator(1, CONTEXT, 2, filters=4)
    clip = floats(1, 80, 12, CONTEXT)
    plain, moved = (ops.convert_to_numpy(generator(x)[-1]) for x in (clip, np.roll(clip, 2, axis=1)))
    assert plain.shape == (1, 80, 12, 1)
    far = 14 + 2 * 8  # rows that a pixel sees on each side: the finest scale's, and the coarser one's at half the size
    np.testing.assert_allclose(moved[:, far + 2 : 80 - far], plain[:, far : 78 - far], atol=1e-6)
    assert not np.allclose(moved[:, far + 2 : 80 - far], plain[:, far + 2 : 80 - far], atol=1e-3)


def test_the_discriminator_takes_one_size_and_sees_the_clip():
    gan = model((16, 16, 1))
    with pytest.raises(DataError, match="shape"):
        gan.fit(levels(4, CONTEXT, 32, 32, 1), levels(4, 32, 32, 1), verbose=0)
    with pytest.raises(ValueError, match="shape|axis"):
        gan.discriminators[-1](floats(1, 32, 32, CONTEXT + 1))
    clips, frames = batch(gan, 2, (16, 16, 1)).values()
    frames = gan.at_scales(frames)
    for k, network in enumerate(gan.discriminators):
        assert network.input_shape[-1] == CONTEXT + 1
        first, other = (
            ops.convert_to_numpy(gan.logits(gan.at_scales(x), frames, False)[k]) for x in (clips, ops.flip(clips, 0))
        )
        assert not np.allclose(first, other, atol=1e-7)


# Losses


def power(x, p):
    return np.abs(x.astype("float64")) ** p


@pytest.mark.parametrize("p, alpha", [(1, 1), (2, 1), (1, 2), (1.5, 1.5)])
def test_the_generators_loss_is_the_weighted_sum_over_the_scales(p, alpha):
    """Recomputed in NumPy."""
    gan = model(adversarial_weight=0.3, lp_weight=0.7, gdl_weight=2.0, p=p, alpha=alpha)
    clips, frames = batch(gan).values()
    real, seen = gan.at_scales(frames), gan.at_scales(clips)
    made = gan.generator(clips, training=False)
    total, lp, gdl = ops.convert_to_numpy(gan.generator_loss(made, real, seen, training=False))
    pairs = list(zip(arrays(real), arrays(made), strict=True))
    assert lp == pytest.approx(sum(power(y - x, p).mean() for y, x in pairs), rel=1e-4)
    expected = 0.0
    for axis in (1, 2):
        expected += sum(
            power(np.abs(np.diff(y, axis=axis)) - np.abs(np.diff(x, axis=axis)), alpha).mean() for y, x in pairs
        )
    assert gdl == pytest.approx(expected, rel=1e-4)
    judged = sum(number(cross_entropy(logits, 1.0)) for logits in gan.logits(seen, made, training=False))
    assert total == pytest.approx(0.7 * lp + 2.0 * gdl + 0.3 * judged, rel=1e-4)


def test_the_discriminators_loss_is_the_sum_over_the_scales():
    gan = model()
    clips, frames = batch(gan).values()
    real, seen, made = gan.at_scales(frames), gan.at_scales(clips), gan.generator(clips, training=False)
    expected = sum(number(cross_entropy(x, 1.0)) for x in gan.logits(seen, real, False))
    expected += sum(number(cross_entropy(x, 0.0)) for x in gan.logits(seen, made, False))
    assert number(gan.discriminator_loss(real, made, seen, training=False)) == pytest.approx(expected, rel=1e-5)


def test_the_adversarial_loss_alone_moves_every_weight_of_the_generator_and_none_of_the_discriminators():
    gan = model(lp_weight=0.0, gdl_weight=0.0, adversarial_weight=1.0)
    gan.compile(keras.optimizers.Adam(1e-2), keras.optimizers.SGD(0.0))
    before, judges = (
        values(gan.generator.trainable_variables),
        values([w for d in gan.discriminators for w in d.weights]),
    )
    gan.fit(levels(8, CONTEXT, 8, 8, 1), levels(8, 8, 8, 1), batch_size=8, epochs=2, verbose=0)
    after, same = (values(gan.player_variables(player)) for player in gan.players)
    assert not any(np.array_equal(a, b) for a, b in zip(before, after))
    assert judges and equal(judges, same)


def test_without_an_adversarial_loss_the_generator_is_trained_alone():
    gan = kg.VideoPredictionGAN(tiny(), None, adversarial_weight=0.0, gdl_weight=0.0, p=2, seed=0)
    gan.compile(keras.optimizers.Adam(1e-2))
    data = kg.data.load_clips(levels(8, CONTEXT + 1, 8, 8, 1), context=CONTEXT, batch_size=4)
    logs = gan.fit(data, epochs=3, verbose=0).history
    assert set(logs) == {"g_loss", "lp_loss", "gdl_loss"} and logs["g_loss"][-1] < logs["g_loss"][0]
    assert logs["g_loss"] == pytest.approx(logs["lp_loss"])
    assert set(gan.evaluate(data, verbose=0, return_dict=True)) == set(logs)
    assert kg.VideoPredictionGAN(image_shape=(8, 8, 1), adversarial_weight=0.0).discriminators is None


@pytest.mark.parametrize(
    "options, message",
    [
        ({"adversarial_weight": -0.1}, "adversarial_weight of 0 or more"),
        ({"lp_weight": True}, "lp_weight of 0 or more"),
        ({"gdl_weight": "1"}, "gdl_weight of 0 or more"),
        ({"p": 0.5}, "p of 1 or more"),
        ({"alpha": 0}, "alpha of 1 or more"),
        ({"adversarial_weight": 0, "lp_weight": 0, "gdl_weight": 0.0}, "a weight above 0"),
        ({"adversarial_weight": 0, "discriminator_steps": 2}, "discriminator_steps=1 with adversarial_weight=0"),
    ],
)
def test_weights_out_of_range_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        kg.VideoPredictionGAN(tiny(), tiny_discriminators(), **options)


# The gradient difference loss


def row(*numbers):
    return np.array(numbers, "float32").reshape(1, 1, -1, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_equal_shifted_and_negative_images_have_the_same_gradients(channels):
    images = floats(2, 6, 5, channels)
    for other in (images, images + 0.25, -images):
        assert number(gradient_difference_loss(images, other)) == pytest.approx(0.0, abs=1e-6)
    assert number(gradient_difference_loss(np.ones((1, 4, 4, 1)), -np.ones((1, 4, 4, 1)))) == 0.0  # there is no border


@pytest.mark.parametrize("alpha, expected", [(1, (0.5 + 0.5) / 3), (2, (0.25 + 0.25) / 3), (3.0, 0.25 / 3)])
def test_a_blurred_edge_by_hand(alpha, expected):
    edge, blurred = row(0, 0, 1, 1), row(0, 0, 0.5, 1)
    assert number(gradient_difference_loss(edge, blurred, alpha)) == pytest.approx(expected, rel=1e-6)
    assert number(gradient_difference_loss(blurred, edge, alpha)) == pytest.approx(expected, rel=1e-6)
    turned = [np.swapaxes(x, 1, 2) for x in (edge, blurred)]
    assert number(gradient_difference_loss(*turned, alpha)) == pytest.approx(expected, rel=1e-6)
    tall = [np.repeat(x, 5, axis=1) for x in (edge, blurred)]  # five equal rows have no vertical difference
    assert number(gradient_difference_loss(*tall, alpha)) == pytest.approx(expected, rel=1e-6)


def test_one_pixel_has_no_gradients():
    assert number(gradient_difference_loss(np.zeros((2, 1, 1, 3)), np.ones((2, 1, 1, 3)))) == 0.0


def test_it_refuses_what_cannot_be_compared():
    with pytest.raises(DataError, match="one shape"):
        gradient_difference_loss(np.zeros((1, 4, 4, 1)), np.zeros((1, 4, 4, 3)))
    for shape in ((4, 4, 1), (4, 4)):
        with pytest.raises(DataError, match=r"images \(N, height, width, channels\)"):
            gradient_difference_loss(np.zeros(shape), np.zeros(shape))
    with pytest.raises(ConfigurationError, match="alpha of 1 or more"):
        gradient_difference_loss(np.zeros((1, 4, 4, 1)), np.zeros((1, 4, 4, 1)), alpha=0.5)


# Predicting


def going_on():
    """A generator that goes on in a straight line: twice the newest frame minus the one before it."""
    clips = keras.Input((None, None, CONTEXT))
    line = layers.Conv2D(1, 1, use_bias=False)
    network = keras.Model(clips, line(clips))
    line.kernel.assign(np.array([0.0, -1.0, 2.0], "float32").reshape(1, 1, CONTEXT, 1))
    return kg.VideoPredictionGAN(network)


def test_predictions_are_the_newest_frames_of_the_next_clip():
    """A clip that becomes brighter by 10 levels a frame goes on like that."""
    clip = np.full((1, 5, 4, 6, 1), 0, "uint8") + np.arange(50, 100, 10, dtype="uint8")[:, None, None, None]
    made = going_on().predict_frames(clip, frames=6)
    assert made.shape == (1, 6, 4, 6, 1)
    np.testing.assert_array_equal(made[0, :, 0, 0, 0], np.arange(100, 160, 10))
    np.testing.assert_array_equal(going_on().predict_frames(clip[0], frames=6), made)
    as_floats = going_on().predict_frames(clip / 127.5 - 1.0, frames=6)
    np.testing.assert_array_equal(as_floats, made)
    assert int(going_on().predict_frames(clip[:, ::-1], frames=1)[0, 0, 0, 0, 0]) == 40


def test_eight_frames_are_four_and_then_four_more():
    gan, clips = model(), levels(2, 5, 16, 8, 1)
    whole = gan.predict_frames(clips)
    assert whole.shape == (2, 8, 16, 8, 1) and whole.dtype == np.uint8
    longer = np.concatenate([clips, whole[:, :4]], axis=1)
    assert np.abs(gan.predict_frames(longer, frames=4).astype(int) - whole[:, 4:]).max() <= 1
    np.testing.assert_array_equal(gan.generate(clips=clips[:, -CONTEXT:]), whole[:, 0])


@pytest.mark.parametrize(
    "shape, message",
    [
        ((1, CONTEXT - 1, 8, 8, 1), "too short"),
        ((1, CONTEXT, 8, 9, 1), "multiples of 2. Received: 8x9. Crop or resize them, for instance to 8x8"),
        ((1, CONTEXT, 8, 8, 3), "shape"),
        ((8, 8, 1), "shape"),
        ((0, CONTEXT, 8, 8, 1), "at least one clip"),
    ],
)
def test_clips_that_cannot_be_predicted_are_refused(shape, message):
    with pytest.raises(DataError, match=message):
        model().predict_frames(levels(*shape))


@pytest.mark.parametrize("frames", [0, 1.5, True, None])
def test_impossible_numbers_of_frames_are_refused(frames):
    with pytest.raises(ConfigurationError, match="frames of 1 or more"):
        model().predict_frames(levels(1, CONTEXT, 8, 8, 1), frames=frames)


def test_a_sheet_shows_the_clip_the_prediction_and_the_next_frame():
    gan, clips, frames = model(), levels(2, CONTEXT, 8, 8, 1), levels(2, 8, 8, 1, seed=1)
    sheet = sampling.sheet(gan, 2, 1, given={"clips": clips, "frames": frames})
    assert sheet.shape == (2 * 8, (CONTEXT + 2) * 8, 1)
    np.testing.assert_array_equal(sheet[:8, :8], clips[0, 0])
    np.testing.assert_array_equal(sheet[8:, -8:], frames[1])
    later = levels(2, 7, 8, 8, 1)  # what evaluations alone read
    more = sampling.sheet(gan, 2, 1, given={"clips": clips, "frames": frames, "later": later})
    np.testing.assert_array_equal(more, sheet)


@needs_tensorflow
def test_an_export_takes_clips_of_several_sizes(tmp_path):
    import tensorflow as tf

    gan = model()
    predict = tf.saved_model.load(kg.export(gan, tmp_path)).signatures["serving_default"]
    for size in ((8, 8), (6, 12)):
        clips = levels(3, CONTEXT, *size, 1)
        made = predict(clips=tf.constant(clips))["frames"].numpy()
        assert np.abs(made.astype(int) - gan.predict_frames(clips, frames=1)[:, 0]).max() <= 1


def test_it_is_built_for_data():
    data = kg.data.load_clips(levels(4, 10, 8, 8, 3), context=2, batch_size=2)
    gan = kg.VideoPredictionGAN.for_data(data, ema_decay=0.9)
    gan.compile()
    gan.fit(data, verbose=0)
    assert (gan.context, gan.scales, gan.batch_fields["clips"].shape) == (2, 2, (2, 8, 8, 3))
    with pytest.raises(ConfigurationError, match="no labels"):
        kg.VideoPredictionGAN.load_data(levels(4, 10, 8, 8, 3), labels="label")
