"""StackGAN++: the losses by hand, where gradients flow, the wrong pairs, the text encoder's phase, and prompts."""

import keras
import numpy as np
import pytest
from contract import VariantContract, equal, needs_tensorflow, number, training_state, values
from keras import layers, ops

import keras_gans as kg
from keras_gans import engine, phases
from keras_gans.batch_statistics import judged_by_batch, standing_statistics
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import Prompts, words_of
from keras_gans.files import read_model
from keras_gans.layers import GatedLinearUnit
from keras_gans.models.stack_gan import (
    _colors,
    build_conditioner,
    build_discriminators,
    build_generator,
    build_image_encoder,
    build_text_encoder,
    sizes_of,
    stages_for,
)
from keras_gans.serving import _Words

PROMPTS = Prompts(["a", "blue", "face", "hat", "red", "with"], length=5)
SHAPE = (8, 8, 3)  # PyTorch 2.13's CPU kernel fails at one image of one channel: "grad_weight must be contiguous"


def networks(unconditional=True, condition_dim=2, filters=4):
    size = {"condition_dim": condition_dim, "filters": filters, "stages": 2}
    return {
        "generator": build_generator(SHAPE, latent_dim=3, blocks=1, **size),
        "conditioner": build_conditioner(6, condition_dim),
        "text_encoder": build_text_encoder(PROMPTS, text_dim=6, word_dim=4, filters=8),
        "discriminators": build_discriminators(SHAPE, unconditional=unconditional, **size),
    }


class TestStackGAN(VariantContract):
    logits = 2
    shape = SHAPE

    def make(self, **options):
        return kg.StackGAN(**networks(), **{"prompts": PROMPTS, **options})

    def scored(self, gan, made):
        mean, _ = gan.condition(np.ones((len(made["images"]), PROMPTS.length), "int32"))
        logits = gan.score(gan.pyramid(made["images"]), mean, training=False)
        return logits[:, -1], len(made["images"])

    @pytest.mark.parametrize("n", [0, -1, 2.5, "3", True])  # None is as many as there are prompts
    def test_impossible_counts_are_refused(self, one, n):
        with pytest.raises(ConfigurationError, match="images|one value per image"):
            one.generate(n, seed=0, **self.given(one, 2))

    def test_noise_that_does_not_fit_is_refused(self, one):
        given = self.given(one, 1)
        for shape in ((2, one.latent_dim + 1), (one.latent_dim,), (0, one.latent_dim)):
            with pytest.raises(ConfigurationError, match="noise"):
                one.generate(noise=np.zeros(shape), **given)
        with pytest.raises(ConfigurationError, match="n=3"):
            one.generate(3, noise=np.zeros((2, one.latent_dim)), **given)

    def test_networks_that_do_not_fit_are_refused(self, one):
        small, large = one.discriminators
        flat = layers.Concatenate()([layers.Flatten()(x) for x in large.inputs])
        bounded = keras.Model(large.inputs, layers.Dense(2, activation="sigmoid")(flat))
        single = keras.Model(large.inputs, layers.Dense(1)(flat))
        alone = keras.Sequential([keras.Input((3,)), layers.Dense(192), layers.Reshape((8, 8, 3))])
        latents, code = keras.Input((3,)), keras.Input((2,))
        image = layers.Reshape((4, 4, 3))(layers.Dense(48, "tanh")(layers.Concatenate()([latents, code])))
        equal_sizes = keras.Model([latents, code], [image, layers.Activation("tanh")(image)])
        cases = [
            ({"discriminators": [small, bounded]}, "sigmoid"),
            ({"discriminators": [small, single]}, "2 logits"),
            ({"discriminators": [large, small]}, "takes what the generator makes"),
            ({"discriminators": [small, keras.Sequential([layers.Dense(1)])]}, "built"),
            ({"discriminators": [small]}, "list of 2 discriminators, one for each scale. Received: 1"),
            ({"discriminators": "discriminator"}, "list of 2 discriminators"),
            ({"generator": None}, "generator to be a built"),
            ({"generator": alone}, "to a list of images"),
            ({"generator": equal_sizes}, "twice as large"),
            ({"conditioner": build_conditioner(5, 2)}, "conditioner from"),
            ({"conditioner": build_conditioner(6, 3)}, "conditioner from"),
            ({"conditioner": None}, "conditioner to be a built"),
            ({"text_encoder": None}, "text_encoder to be a built"),
            ({"prompts": Prompts(PROMPTS.vocabulary, 7)}, "word ids .N, 7."),
            ({"prompts": Prompts([*PROMPTS.vocabulary, "green"], 5)}, "7 words and the padding. Received: one of 7"),
            ({"prompts": ["a", "face"]}, "kg.fields.Prompts"),
            ({"image_encoder": build_image_encoder((8, 8, 1), text_dim=6)}, "image_encoder"),
            ({"kl_weight": -1.0}, "kl_weight of 0 or more"),
            ({"r1_weight": -1.0}, "r1_weight of 0 or more"),
            ({"color_weight": "50"}, "color_weight of 0 or more"),
            ({"unconditional_weight": 0.0}, "1 logits: of images with their sentences alone"),
            ({"margin": 0}, "margin above 0"),
            ({"margin": 2.0}, "below 2"),
        ]
        for changes, message in cases:
            with pytest.raises(ConfigurationError, match=message):
                self.rebuilt(one, **changes)

    @needs_tensorflow
    def test_an_export_takes_text(self, one, tmp_path):
        import tensorflow as tf

        signatures = tf.saved_model.load(kg.export(one, tmp_path)).signatures
        texts, seeds = ["A red hat!", "a  FACE; with a hat", "a purple face"], [3, 1, 4]
        made = signatures["from_seed"](seeds=tf.constant(seeds, "int64"), prompts=tf.constant(texts))["images"]
        files = signatures["png"](seeds=tf.constant(seeds, "int64"), prompts=tf.constant(texts))["png_bytes"]
        with standing_statistics(one), pytest.warns(UserWarning, match="'purple'"):
            expected = one.generate(seed=seeds, prompts=texts)
        np.testing.assert_array_equal(made, expected)
        np.testing.assert_array_equal(tf.io.decode_png(files[0]), expected[0])


@needs_tensorflow
@pytest.mark.parametrize(
    "text",
    [
        "ΟΔΟΣ, Größe; GRO\u0308SSE",
        "लाल टोपी!",
        "red_hat and a man's 2½",
        "İstanbul",
        "ファイル-赤い",
        "\u200bred\tx",
    ],
)
def test_an_export_reads_words_as_prompts_do(text):
    import tensorflow as tf

    field = Prompts(sorted(set(words_of(text))), 8)
    texts = [text, words_of(text)[-1]]
    np.testing.assert_array_equal(_Words(field)(tf.constant(texts)), field.ids(texts))


def floats(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1.0, 1.0, shape).astype("float32")


def tensors(*shape, seed=0):
    return ops.convert_to_tensor(floats(*shape, seed=seed))


def ids(*texts):
    return ops.convert_to_tensor(PROMPTS.asked(list(texts)))


def model(unconditional=True, **options):
    keras.utils.set_random_seed(3)
    if not unconditional:
        options["unconditional_weight"] = 0.0
    return kg.StackGAN(**networks(unconditional=unconditional), prompts=PROMPTS, seed=0, **options)


def softplus(x):
    return np.logaddexp(0.0, x)


# Networks


def test_the_maps_are_the_papers():
    """The paper's table, for 64, 128 and 256 pixels, without building the weights of the largest layers."""
    assert sizes_of((256, 256, 3), 3) == ([(64, 64), (128, 128), (256, 256)], 4)
    generator = build_generator((256, 256, 3), filters=8)  # an eighth of the paper's channels
    maps = {layer.name: layer.output.shape[1:] for layer in generator.layers if hasattr(layer, "output")}
    assert maps["seen"] == (228,) and maps["start"] == (4, 4, 128)
    assert [maps[f"up{i}_glu"] for i in range(4)] == [(8, 8, 64), (16, 16, 32), (32, 32, 16), (64, 64, 8)]
    assert maps["stage1_seen"] == (64, 64, 8 + 128) and maps["stage1_up_glu"] == (128, 128, 4)
    assert maps["stage2_seen"] == (128, 128, 4 + 128) and maps["stage2_up_glu"] == (256, 256, 2)
    assert [name for name in maps if name.endswith("_block1")] == ["stage1_block1", "stage2_block1"]
    assert [shape[1:] for shape in generator.output_shape] == [(64, 64, 3), (128, 128, 3), (256, 256, 3)]
    for network, halvings in zip(build_discriminators((256, 256, 3), filters=2), (4, 5, 6)):
        maps = {layer.name: layer.output.shape[1:] for layer in network.layers}
        assert maps[f"down{halvings - 1}"] == (4, 4, 2 << (halvings - 1))
        assert maps["joint"] == (4, 4, 16) and maps["seen"] == (4, 4, 16 + 128)
        assert network.output_shape == (None, 2)
    assert not [layer.name for layer in generator.layers if getattr(layer, "use_bias", False)]


def test_discriminators_of_larger_scales_become_narrow_again():
    networks = build_discriminators((256, 256, 3), filters=2)
    narrow = [
        [layer.output.shape[1:] for layer in network.layers if layer.name in ("narrow1", "narrow0")]
        for network in networks
    ]
    assert narrow == [[], [(4, 4, 16)], [(4, 4, 32), (4, 4, 16)]]


@pytest.mark.parametrize(
    "shape, stages, sizes, start",
    [
        ((64, 64, 3), 3, [(16, 16), (32, 32), (64, 64)], (4, 4)),
        ((32, 32, 3), 2, [(16, 16), (32, 32)], (4, 4)),
        ((28, 28, 1), 2, [(14, 14), (28, 28)], (7, 7)),
        ((48, 32, 3), 2, [(24, 16), (48, 32)], (6, 4)),
        ((8, 8, 3), 1, [(8, 8)], (4, 4)),
    ],
)
def test_sizes_and_numbers_of_stages_can_be_chosen(shape, stages, sizes, start):
    """Every scale's judge takes images of its own size alone."""
    generator = build_generator(shape, stages=stages, latent_dim=2, condition_dim=2, filters=2, blocks=1)
    assert [part.shape[1:3] for part in generator.outputs] == sizes
    assert generator.get_layer("start").output.shape[1:3] == start
    judges = build_discriminators(shape, stages=stages, condition_dim=2, filters=2)
    assert [judge.input_shape[1][1:3] for judge in judges] == sizes
    with pytest.raises(ValueError, match="shape"):
        judges[-1]([floats(1, 2), floats(1, 2 * shape[0], shape[1], shape[2])])


def test_sizes_that_cannot_be_halved_are_refused():
    with pytest.raises(ConfigurationError, match="multiples of 8, for 3 stages. Received: 30x64. .* to 32x64"):
        build_generator((30, 64, 3), stages=3)
    with pytest.raises(ConfigurationError, match="1 stage or more"):
        build_discriminators((32, 32, 3), stages=0)
    assert [stages_for((side, side, 3)) for side in (64, 28, 30)] == [3, 2, 1]


def test_gated_units_halve_the_channels():
    """The output is a sigmoid(b): a / 2 at b = 0."""
    x = floats(2, 3, 3, 6)
    made = ops.convert_to_numpy(GatedLinearUnit()(x))
    np.testing.assert_allclose(made, x[..., :3] / (1 + np.exp(-x[..., 3:])), rtol=1e-5)
    closed = np.concatenate([x[..., :3], np.zeros_like(x[..., :3])], axis=-1)
    np.testing.assert_allclose(ops.convert_to_numpy(GatedLinearUnit()(closed)), x[..., :3] / 2, rtol=1e-6)
    with pytest.raises(ConfigurationError, match="even number"):
        GatedLinearUnit()(floats(2, 3))


# Losses


def test_the_divergence_is_a_mean():
    """0 for N(0, 1), 0.5 for the mean 1, whatever the size; and by hand for other numbers."""
    gan = model()
    for size in (2, 128):
        zeros, ones = ops.zeros((3, size)), ops.ones((3, size))
        assert number(gan.kl_loss(zeros, zeros)) == 0.0
        assert number(gan.kl_loss(ones, zeros)) == pytest.approx(0.5)
    mean, log_variance = floats(4, 5), floats(4, 5, seed=1)
    expected = -0.5 * np.mean(1 + log_variance - mean**2 - np.exp(log_variance))
    found = gan.kl_loss(*map(ops.convert_to_tensor, (mean, log_variance)))
    assert number(found) == pytest.approx(expected, rel=1e-5)


def with_fixed_logits(monkeypatch, gan, table):
    """Makes `score` return the pairs of `table`, (conditional, unconditional) logits, one for each call."""
    calls = iter(table)

    def score(images, mean, training=True):
        conditional, alone = next(calls)
        return ops.stack([ops.full((2, gan.stages), conditional), ops.full((2, gan.stages), alone)], axis=-1)

    monkeypatch.setattr(gan, "score", score)


@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_wrong_pairs_are_real_images_with_another_sentence(weight, monkeypatch):
    """Real, wrong, fake; conditional targets 1, 0, 0; unconditional ones 1, 1, 0."""
    gan, images = model(unconditional_weight=weight), [tensors(2, 4, 4, 3), tensors(2, 8, 8, 3)]
    with_fixed_logits(monkeypatch, gan, [(0.3, -0.7), (1.1, 0.2), (-0.4, 0.9)])
    found = number(gan.discriminator_loss(images, images, ids("red hat", "blue hat"), ops.zeros((2, 2))))
    expected = softplus(-0.3) + softplus(1.1) + softplus(-0.4)
    expected += weight * (softplus(0.7) + softplus(-0.2) + softplus(0.9))
    assert found == pytest.approx(2 * expected, rel=1e-5)  # two scales


def test_smoothed_labels_are_those_of_all_real_images(monkeypatch):
    """Without its sentence a wrong image is as real as the others: its target is theirs."""
    gan, images = model(), [tensors(2, 4, 4, 3), tensors(2, 8, 8, 3)]
    gan.real_target.assign(0.9)
    with_fixed_logits(monkeypatch, gan, [(0.3, -0.7), (1.1, 0.2), (-0.4, 0.9)])
    found = number(gan.discriminator_loss(images, images, ids("red hat", "blue hat"), ops.zeros((2, 2))))
    smooth = [0.9 * softplus(-logit) + 0.1 * softplus(logit) for logit in (0.3, -0.7, 0.2)]
    assert found == pytest.approx(2 * (sum(smooth) + softplus(1.1) + softplus(-0.4) + softplus(0.9)), rel=1e-5)


def test_without_the_unconditional_head_wrong_and_generated_count_half(monkeypatch):
    gan, images = model(unconditional=False), [tensors(2, 4, 4, 3), tensors(2, 8, 8, 3)]
    assert [judge.output_shape for judge in gan.discriminators] == [(None, 1)] * 2
    with_fixed_logits(monkeypatch, gan, [(0.3, 9.0), (1.1, 9.0), (-0.4, 9.0)])
    found = number(gan.discriminator_loss(images, images, ids("red hat", "blue hat"), ops.zeros((2, 2))))
    assert found == pytest.approx(2 * (softplus(-0.3) + 0.5 * (softplus(1.1) + softplus(-0.4))), rel=1e-5)


def test_r1_is_of_the_sum_of_both_logits_at_each_scale():
    """Of linear discriminators it is the squared sum of the weights of both logits."""

    def linear(side):
        means, images = keras.Input((2,)), keras.Input((side, side, 3))
        seen = layers.Concatenate()([layers.Flatten()(images), means])
        return keras.Model([means, images], layers.Dense(2)(seen))

    parts = {**networks(), "discriminators": [linear(4), linear(8)], "prompts": PROMPTS}
    real, fake = [[tensors(2, side, side, 3, seed=seed) for side in (4, 8)] for seed in (0, 1)]
    losses = [
        number(kg.StackGAN(**parts, r1_weight=weight).discriminator_loss(real, fake, ids("red", "hat"), tensors(2, 2)))
        for weight in (0.0, 0.5)
    ]
    kernels = values([judge.layers[-1].kernel for judge in parts["discriminators"]])
    expected = 0.5 * sum(np.sum(kernel[:-2].sum(axis=1) ** 2) for kernel in kernels)
    assert losses[1] - losses[0] == pytest.approx(expected, rel=1e-4)


def test_the_generators_loss_by_hand(monkeypatch):
    gan = model(unconditional_weight=0.5, kl_weight=3.0)
    with_fixed_logits(monkeypatch, gan, [(0.3, -0.7)])
    made = [tensors(2, 4, 4, 3), tensors(2, 8, 8, 3), ops.ones((2, 2)), ops.zeros((2, 2))]
    total, kl = ops.convert_to_numpy(gan.generator_loss(made))
    assert kl == pytest.approx(0.5)
    assert total == pytest.approx(2 * (softplus(-0.3) + 0.5 * softplus(0.7)) + 3.0 * 0.5, rel=1e-5)


def test_a_wrong_image_has_another_sentence():
    """The next one of the batch, around its end; images with the same words are passed over."""
    rows, exists = model().wrong_rows(ids("red hat", "red hat", "blue hat", "red hat", "a face"))
    assert ops.convert_to_numpy(rows).tolist() == [2, 2, 3, 4, 0]
    assert ops.convert_to_numpy(exists).tolist() == [1.0] * 5
    _, exists = model().wrong_rows(ids("red hat", "Red hat!"))
    assert ops.convert_to_numpy(exists).tolist() == [0.0, 0.0]


def test_a_batch_of_one_sentence_has_no_wrong_pairs(monkeypatch):
    gan, images = model(), [tensors(2, 4, 4, 3), tensors(2, 8, 8, 3)]
    with_fixed_logits(monkeypatch, gan, [(0.3, -0.7), (1.1, 0.2), (-0.4, 0.9)])
    found = number(gan.discriminator_loss(images, images, ids("red hat", "red hat"), ops.zeros((2, 2))))
    expected = softplus(-0.3) + softplus(-0.4) + softplus(0.7) + softplus(0.9)
    assert found == pytest.approx(2 * expected, rel=1e-5)


def test_wrong_images_are_judged_with_the_sentence_that_is_not_theirs(monkeypatch):
    """What the discriminators are shown, in three batches: real, wrong and generated images, with the same m."""
    gan, seen = model(), []
    score = gan.score

    def watched(images, mean, training=True):
        seen.append((list(map(ops.convert_to_numpy, images)), ops.convert_to_numpy(mean)))
        return score(images, mean, training)

    monkeypatch.setattr(gan, "score", watched)
    real, fake = gan.pyramid(tensors(3, 8, 8, 3)), gan.pyramid(tensors(3, 8, 8, 3, seed=1))
    mean = tensors(3, 2)
    gan.discriminator_loss(real, fake, ids("red", "red", "blue"), mean)
    of_real, of_wrong, of_fake = (images for images, _ in seen)
    for scale in range(2):
        np.testing.assert_array_equal(of_real[scale], ops.convert_to_numpy(real[scale]))
        np.testing.assert_array_equal(of_wrong[scale], ops.convert_to_numpy(real[scale])[[2, 2, 0]])
        np.testing.assert_array_equal(of_fake[scale], ops.convert_to_numpy(fake[scale]))
    assert all(np.array_equal(m, ops.convert_to_numpy(mean)) for _, m in seen)


def test_real_images_are_made_smaller_by_means():
    gan, images = model(), floats(2, 8, 8, 3)
    small, large = map(ops.convert_to_numpy, gan.pyramid(images))
    np.testing.assert_array_equal(large, images)
    np.testing.assert_allclose(small, images.reshape(2, 4, 2, 4, 2, 3).mean(axis=(2, 4)), atol=1e-6)


# Gradients


def test_the_adversary_reaches_the_conditioner_through_its_means_alone():
    """With a generator that ignores c, and no KL, the conditioner still learns, by d_i(., m)."""
    gan = model(kl_weight=0.0)
    images = [tensors(2, 4, 4, 3), tensors(2, 8, 8, 3)]
    prompts, variables = ids("red hat", "blue hat"), gan.conditioner.trainable_variables

    def loss():
        return gan.generator_loss([*images, *gan.condition(prompts, training=True)])[0]

    _, gradients = engine.value_and_grad(loss, variables)
    assert max(np.abs(ops.convert_to_numpy(gradient)).max() for gradient in gradients) > 1e-6


def test_a_discriminators_update_leaves_the_conditioner(monkeypatch):
    """The conditioner gets no gradient there. And the generator is judged by the updated discriminators."""
    gan, order = model(), []
    gan.compile(run_eagerly=True)
    minimize = gan.minimize

    def watched(player, loss_fn, *inputs):
        before = values(gan.conditioner.weights), values(gan.player_variables("discriminator"))
        result = minimize(player, loss_fn, *inputs)
        after = values(gan.conditioner.weights), values(gan.player_variables("discriminator"))
        order.append((player, *map(equal, before, after)))
        return result

    monkeypatch.setattr(gan, "minimize", watched)
    gan.fit({"images": floats(4, 8, 8, 3), "prompts": rows(4)}, batch_size=4, verbose=0)
    assert order == [("discriminator", True, False), ("generator", False, True)]


def test_the_text_encoder_is_fixed_in_the_game():
    gan = model(discriminator_steps=2)
    gan.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2))
    before = values(gan.text_encoder.weights)
    gan.fit({"images": floats(4, 8, 8, 3), "prompts": rows(4)}, batch_size=4, verbose=0)
    assert equal(before, values(gan.text_encoder.weights)) and not gan.text_encoder.trainable


def rows(count):
    return np.resize(PROMPTS.asked(["a red hat", "a blue hat", "face with a hat", "red face"]), (count, 5))


# Colours


def test_colours_of_an_enlarged_image_are_the_same_and_the_smaller_one_gets_no_gradient():
    gan, small = model(), tensors(2, 4, 4, 3)
    large = ops.repeat(ops.repeat(small, 2, axis=1), 2, axis=2)
    assert number(gan.color_loss([small, large])) == pytest.approx(0.0, abs=1e-10)
    # PyTorch refuses a loss that depends on nothing: the sum adds no gradient.
    to_small = engine.input_gradients(lambda x: gan.color_loss([x, 0.5 * large]) + 0.0 * ops.sum(x), [small])
    to_large = engine.input_gradients(lambda x: gan.color_loss([small, x]), [0.5 * large])
    assert np.abs(ops.convert_to_numpy(to_small[0])).max() == 0.0
    assert np.abs(ops.convert_to_numpy(to_large[0])).max() > 1e-6


def test_the_colours_loss_by_hand():
    """By hand; a constant image has covariance 0, equal channels have one of rank 1."""
    gan = model(color_weight=50.0)
    small, large = floats(2, 4, 4, 3), floats(2, 8, 8, 3, seed=1)

    def statistics(images):
        pixels = images.reshape(len(images), -1, images.shape[-1]).astype("float64")
        return pixels.mean(1), np.stack([np.cov(one.T, bias=True) for one in pixels])

    (m1, s1), (m2, s2) = statistics(small), statistics(large)
    expected = np.mean((m1 - m2) ** 2) + 5 * np.mean((s1 - s2) ** 2)
    found = gan.color_loss([ops.convert_to_tensor(small), ops.convert_to_tensor(large)])
    assert number(found) == pytest.approx(expected, rel=1e-4)
    constant = ops.convert_to_numpy(_colors(ops.full((1, 4, 4, 3), 0.3))[1])
    np.testing.assert_allclose(constant, 0.0, atol=1e-12)
    same = ops.convert_to_numpy(_colors(ops.convert_to_tensor(np.repeat(small[..., :1], 3, axis=-1)))[1])
    assert np.linalg.matrix_rank(same[0], tol=1e-6) == 1
    without, total = model(), [*map(ops.convert_to_tensor, (small, large)), ops.zeros((2, 2)), ops.zeros((2, 2))]
    apart = number(gan.generator_loss(total, training=False)[0]) - number(without.generator_loss(total, False)[0])
    assert apart == pytest.approx(50.0 * expected, rel=1e-4)


# Sentences to images


def test_all_scales_are_of_one_chain():
    """All scales change with z; f_1 is made of the maps that f_2 is made of."""
    gan = model()
    before, after = (gan.scales(prompts="a red hat", seed=seed) for seed in (0, 1))
    assert [images.shape for images in before] == [(1, 4, 4, 3), (1, 8, 8, 3)]
    assert all(not np.array_equal(a, b) for a, b in zip(before, after))
    np.testing.assert_array_equal(before[-1], gan.generate(prompts="a red hat", seed=0))
    maps = keras.Model(gan.generator.inputs, gan.generator.get_layer("up0_glu").output)
    later = keras.Model(maps.output, gan.generator.get_layer("image0").output)
    inputs = [floats(2, 3), floats(2, 2)]
    np.testing.assert_allclose(
        ops.convert_to_numpy(later(maps(inputs))), ops.convert_to_numpy(gan.generator(inputs)[0]), atol=1e-6
    )


def test_swapped_sentences_swap_their_codes():
    """The prompt changes c and so the image, of its own row alone."""
    gan = model()
    gan.conditioner.get_layer("dense").kernel.assign(floats(6, 8, seed=4) * 3.0)
    one = gan.generate(3, seed=0, prompts=["red hat", "blue face", "a face"])
    two = gan.generate(3, seed=0, prompts=["blue face", "blue face", "a face"])
    assert [np.array_equal(a, b) for a, b in zip(one, two)] == [False, True, True]


def test_codes_are_drawn_around_the_mean_by_the_noise():
    """c = m + exp(s / 2) e, with e the last numbers of the noise; z the first."""
    gan, seen = model(), []
    gan.conditioner.get_layer("dense").bias.assign(floats(8, seed=2))
    call = gan.generator.call
    gan.generator.call = lambda inputs, **options: seen.append(inputs) or call(inputs, **options)
    noise, prompts = floats(2, 5), ids("red hat", "a face")
    gan.made_of(ops.convert_to_tensor(noise), prompts)
    mean, log_variance = map(ops.convert_to_numpy, gan.condition(prompts))
    np.testing.assert_allclose(ops.convert_to_numpy(seen[0][0]), noise[:, :3])
    expected = mean + np.exp(0.5 * log_variance) * noise[:, 3:]
    np.testing.assert_allclose(ops.convert_to_numpy(seen[0][1]), expected, rtol=1e-5)


def test_prompts_are_text():
    gan = model()
    one = gan.generate(prompts="A Red Hat.", seed=0)
    np.testing.assert_array_equal(one, gan.generate(prompts=["a red hat"], seed=0))
    np.testing.assert_array_equal(one, gan.generate(prompts=np.array(["a red hat"]), seed=0))
    np.testing.assert_array_equal(one, gan.generate(prompts=PROMPTS.asked("a red hat"), seed=0))
    assert gan.generate(4, prompts="a red hat", seed=0).shape == (4, 8, 8, 3)
    assert len(np.unique(gan.generate(4, prompts="a red hat", seed=0), axis=0)) == 4
    assert gan.generate(seed=[3, 4], prompts="a red hat").shape == (2, 8, 8, 3)
    with pytest.raises(ConfigurationError, match="Expected prompts, which cannot be drawn"):
        gan.generate(2, seed=0)
    with pytest.raises(ConfigurationError, match="one value per image"):
        gan.generate(3, seed=0, prompts=["red", "blue"])


def test_words_that_are_not_known_are_named():
    gan = model()
    with pytest.warns(UserWarning, match="'purple', 'wig'"):
        made = gan.generate(prompts="a purple hat, wig", seed=0)
    np.testing.assert_array_equal(made, gan.generate(prompts="a hat", seed=0))
    for prompt in ("", "  ", "...!", ["a hat", ""]):
        with pytest.raises(DataError, match="a word or more"):
            gan.generate(prompts=prompt, seed=0)


# The text encoder's phase


def pretrained(parts=None, **options):
    keras.utils.set_random_seed(3)
    parts = {**(parts or networks()), "image_encoder": build_image_encoder(SHAPE, text_dim=6, filters=4)}
    gan = kg.StackGAN(**parts, prompts=PROMPTS, pretraining=True, seed=0, **options)
    gan.compile()
    return gan


def captioned(count=32, batch_size=8, **options):
    """Images that are dark or bright, with the captions "a blue face" and "a red hat"."""
    bright = np.arange(count) % 2
    images = np.random.default_rng(0).integers(0, 60, (count, *SHAPE)) + 180 * bright[:, None, None, None]
    captions = ["a red hat" if one else "a blue face" for one in bright]
    options = {"vocabulary": PROMPTS.vocabulary, "length": 5, "batch_size": batch_size, **options}
    return kg.data.load_captions((images.astype("uint8"), captions), **options)


def test_the_joint_loss_by_hand():
    gan = pretrained(margin=0.7)
    images, prompts = tensors(4, 8, 8, 3), ids("red hat", "blue hat", "red hat", "a face")
    v, t = (
        np.float64([row / np.linalg.norm(row) for row in ops.convert_to_numpy(codes)])
        for codes in (gan.image_encoder(images, training=False), gan.text_encoder(prompts))
    )
    scores, errors, right = v @ t.T, [], []
    for i in range(4):
        others = [j for j in range(4) if j != i and {i, j} != {0, 2}]  # the same sentence is no other
        for j in others:
            errors.append(max(0, 0.7 + scores[i, j] - scores[i, i]) + max(0, 0.7 + scores[j, i] - scores[i, i]))
        right.append(scores[i, i] > max(scores[i, j] for j in others))
    found = ops.convert_to_numpy(gan.joint_loss(images, prompts, training=False))
    np.testing.assert_allclose(found, [np.mean(errors), np.mean(right)], rtol=1e-4)


def test_the_first_phase_trains_both_encoders_alone():
    gan = pretrained()
    names = ("generator", "conditioner", "text_encoder", "image_encoder")
    before = {name: values(getattr(gan, name).trainable_variables) for name in names}
    judges = values([v for judge in gan.discriminators for v in judge.weights])
    logs = gan.fit(captioned(), epochs=8, verbose=0).history
    assert list(logs) == ["joint_loss", "matched"]
    assert logs["joint_loss"][-1] < 0.5 * logs["joint_loss"][0] and logs["matched"][-1] > 0.9
    after = {name: values(getattr(gan, name).trainable_variables) for name in names}
    moved = [any(not np.array_equal(a, b) for a, b in zip(before[name], after[name])) for name in names]
    assert moved == [False, False, True, True]
    assert equal(judges, values([v for judge in gan.discriminators for v in judge.weights]))
    found = gan.evaluate(captioned(), return_dict=True, verbose=0)
    assert set(found) == {"joint_loss", "matched"} and np.isfinite(list(found.values())).all()


@pytest.mark.parametrize("phase", [0, 1])
def test_each_phase_resumes_exactly(phase, tmp_path):
    gan, data = pretrained(ema_decay=0.9), captioned()
    parts = gan.phases(data, 10)
    assert [part.epochs for part in parts] == [2, 10]
    gan.fit(data, epochs=1, verbose=0)
    if phase:
        gan = phases.begin(parts[1], gan, 1, 1)
        assert not gan.pretraining and gan.image_encoder is None and gan.compiled
        data = data.reseeded(1)
        gan.fit(data, epochs=1, verbose=0)
    gan.save(tmp_path / "model.keras")
    other = read_model(tmp_path / "model.keras", compile=True)
    assert other.pretraining == (phase == 0) and other.prompts == PROMPTS
    for one in (gan, other):
        one.fit(data, epochs=1, verbose=0)
    assert equal(training_state(gan), training_state(other))


def test_the_game_goes_on_with_the_text_encoder():
    gan = pretrained()
    gan.fit(captioned(), verbose=0)
    game = gan.for_game()
    assert game.text_encoder is gan.text_encoder and game.generator is gan.generator
    assert [part.title for part in game.phases(captioned(), 3)] == ["images of sentences"]
    alone = kg.StackGAN(**{**networks(), "discriminators": None}, prompts=PROMPTS)
    with pytest.raises(ConfigurationError, match="with discriminators"):
        alone.for_game()


def test_default_networks_are_for_what_was_loaded():
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 1)).astype("uint8")
    data = kg.StackGAN.load_data((images, ["red", "blue", "red", "blue"]), batch_size=2)
    gan = kg.StackGAN.for_data(data, latent_dim=2, condition_dim=2)
    assert gan.pretraining and gan.stages == 3 and gan.image_shape == (16, 16, 1)
    assert gan.prompts == Prompts(["blue", "red"], 1)
    with pytest.raises(DataError, match="ids of 6 other words"):
        gan.compile()
        gan.fit(captioned(), verbose=0)


def game_of(data, epochs):
    gan = pretrained(networks(condition_dim=16, filters=8), kl_weight=1.0)
    gan.fit(data, epochs=3, verbose=0)
    game = gan.for_game()
    game.compile(keras.optimizers.Adam(2e-3, beta_1=0.5), keras.optimizers.Adam(1e-3, beta_1=0.5))
    return game, game.fit(data, epochs=epochs, verbose=0).history


@needs_tensorflow  # long; the other backends train it in the contract
def test_discriminators_learn_to_tell_wrong_pairs():
    """Dark and bright images: at each scale, the conditional logit of an image falls with the other sentence, and the
    unconditional one, which does not see it, stays."""
    data = captioned(128, 16)
    game, _ = game_of(data, 8)
    images, prompts = data.images[:32], data.arrays["prompts"][:32]
    real = game.pyramid(game.batch_fields["images"].encode(images))
    with judged_by_batch(game):
        right, wrong = (
            ops.convert_to_numpy(game.score(real, game.condition(rows)[0], training=False))
            for rows in (prompts, prompts[::-1])  # even and odd ones change places
        )
    assert ((right - wrong)[..., 0].mean(axis=0) > 1.0).all()
    np.testing.assert_allclose(right[..., 1], wrong[..., 1], atol=1e-4)


@pytest.mark.slow
@needs_tensorflow
def test_it_learns_what_a_sentence_says():
    """After a training of a minute the prompt decides, and the KL term stays above zero."""
    game, logs = game_of(captioned(128, 16), 60)
    red, blue = (game.scales(32, seed=0, prompts=prompt) for prompt in ("a red hat", "a blue face"))
    assert all(bright.mean() - dark.mean() > 40 for bright, dark in zip(red, blue))
    assert logs["kl"][-1] > 0.01
