"""CycleGAN: the direction of its terms, who learns from them, its pools; the numbers are those of the papers' code."""

import keras
import numpy as np
import pytest
from contract import VariantContract, number, values
from keras import ops

import keras_gans as kg
from keras_gans import sampling
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.models.cycle_gan import blocks_for, build_generator
from keras_gans.networks.patch import build_patch_discriminator

A, B = (8, 8, 1), (8, 8, 2)


def networks(a=A, b=B):
    generators = build_generator(a, b, filters=2, blocks=1), build_generator(b, a, filters=2, blocks=1)
    return *generators, *(build_patch_discriminator(shape, filters=2) for shape in (a, b))


class TestCycleGAN(VariantContract):
    """Domains of two shapes, without the identity term."""

    def make(self, **options):
        # The paper's weight of 10 makes gradients of networks so small that float16 overflows and rounding shows.
        small = {"cycle_weight": 0.1, "identity_weight": 0.0, "pool_size": 5}
        return kg.CycleGAN(*networks(), **{**small, **options})

    def schedule(self, discriminator_steps):
        return ["generator"] + ["discriminator"] * discriminator_steps

    def scored(self, gan, made):
        logits = gan.discriminator_a(made["a"])
        return logits[:, 0, 0], len(made["a"])

    @pytest.mark.parametrize("n", [0, -1, 2.5, "3", True])  # None is as many as there are images
    def test_impossible_counts_are_refused(self, one, n):
        with pytest.raises(ConfigurationError, match="images|one value per image"):
            one.generate(n, seed=0, **self.given(one, 2))

    def test_networks_that_do_not_fit_are_refused(self, one):
        dense, (ab, ba, judge_a, judge_b) = keras.layers.Dense, networks()
        flat = [keras.Input(A), keras.layers.Flatten()]
        cases = [
            ({"discriminator_a": keras.Sequential([*flat, dense(1, activation="sigmoid")])}, "sigmoid"),
            ({"discriminator_a": keras.Sequential([*flat, dense(2)])}, "one score per patch"),
            ({"discriminator_a": judge_b}, r"discriminator_a that maps images \(8, 8, 1\)"),
            ({"discriminator_b": judge_a}, r"discriminator_b that maps images \(8, 8, 2\)"),
            ({"discriminator_b": "judge"}, "built"),
            ({"generator_ab": None}, "generator_ab to be a built"),
            ({"generator_ba": ab}, "two generators"),
            ({"generator_ba": build_generator((12, 12, 2), (12, 12, 1), filters=2, blocks=1)}, "other makes"),
            ({"identity_weight": 0.5}, "one shape, for the identity term"),
        ]
        for changes, message in cases:
            with pytest.raises(ConfigurationError, match=message):
                self.rebuilt(one, **{"generator_ab": ab, "generator_ba": ba, **changes})


def floats(*shape, seed=0):
    return ops.convert_to_tensor(np.random.default_rng(seed).uniform(-1.0, 1.0, shape).astype("float32"))


def made(**options):
    keras.utils.set_random_seed(3)
    model = kg.CycleGAN(*networks(A, A), seed=0, **options)
    model.compile(run_eagerly=True)
    return model


# Networks


@pytest.mark.parametrize("side, paper, biases", [(256, 11_378_179, 5_248), (128, 7_837_699, 3_712)])
def test_the_generators_parameter_counts_are_the_papers(side, paper, biases):
    """Less the biases before an instance normalization, which takes them away:
    64 + 128 + 256 + 2 * 256 for each block + 128 + 64."""
    assert biases == 640 + 512 * blocks_for((side, side, 3))
    assert build_generator((side, side, 3)).count_params() == paper - biases


def test_the_discriminators_parameter_count_is_the_papers():
    """Less the biases of the three normalised convolutions: 128 + 256 + 512."""
    assert build_patch_discriminator((256, 256, 3)).count_params() == 2_764_737 - 896


@pytest.mark.parametrize("side, expected", [(256, 30), (128, 14), (64, 6)])
def test_the_map_of_scores(side, expected):
    assert build_patch_discriminator((side, side, 3), filters=2).output_shape == (None, expected, expected, 1)


def test_a_constant_image_gives_a_constant_one():
    """Reflected borders are no frame. Below the first two convolutions zeros pad, as in the paper."""
    generator = build_generator((16, 16, 1), filters=2, blocks=1)
    first = keras.Model(generator.input, generator.get_layer("first").output)
    maps = ops.convert_to_numpy(first(ops.full((1, 16, 16, 1), 0.5)))
    assert maps.shape == (1, 16, 16, 2) and np.ptp(maps, axis=(1, 2)).max() < 1e-6


@pytest.mark.parametrize("shape", [(30, 30, 3), (4, 4, 3), (32, 30, 3)])
def test_sizes_that_four_does_not_divide_are_refused(shape):
    with pytest.raises(ConfigurationError, match="multiples of 4, 8 or more.*such as"):
        build_generator(shape)


# The game


class Constant(keras.layers.Layer):
    """Not a network of the paper's: an image times a number, to know the losses by hand."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = self.add_weight(shape=(), initializer=keras.initializers.Constant(factor), name="factor")
        self.built = True

    def call(self, images):
        return self.factor * images


def scaled(factor):
    images = keras.Input(A)
    return keras.Model(images, Constant(factor)(images))


def judge(bias=0.0):
    """A discriminator that gives every image the same score."""
    images = keras.Input(A)
    last = keras.layers.Conv2D(1, 1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(bias))
    return keras.Model(images, last(images))


def by_hand(ab, ba, **options):
    return kg.CycleGAN(scaled(ab), scaled(ba), judge(), judge(), **options)


def mean(tensor):
    return float(np.abs(ops.convert_to_numpy(tensor)).mean())


def test_identities_cost_nothing_but_the_game():
    """With F = G = the identity, the cycle and the identity terms are 0; both judges say 0 for 1."""
    model, a, b = by_hand(1.0, 1.0), floats(2, *A), floats(2, *A, seed=1)
    loss, cycle = ops.convert_to_numpy(model.generator_loss(a, b, model.translations(a, b)))
    assert cycle == 0.0 and loss == pytest.approx(2.0)


def test_a_cycle_ends_where_it_began():
    """F(G(a)) = a / 2 of a, and G(F(b)) = b / 2 of b: with G = 2 and F = 1/4."""
    model, a, b = by_hand(2.0, 0.25, identity_weight=0.0), floats(2, *A), floats(2, *A, seed=1)
    loss, cycle = ops.convert_to_numpy(model.generator_loss(a, b, model.translations(a, b)))
    assert cycle == pytest.approx(0.5 * (mean(a) + mean(b)), rel=1e-5)
    assert loss == pytest.approx(2.0 + 10.0 * cycle, rel=1e-5)


def test_the_identity_term_is_of_images_that_are_in_their_domain_already():
    """|G(b) - b| = |b| with G = 2, |F(a) - a| = 0.5 |a| with F = 1/2; the cycles are closed."""
    model, a, b = by_hand(2.0, 0.5), floats(2, *A), floats(2, *A, seed=1)
    loss, cycle = ops.convert_to_numpy(model.generator_loss(a, b, model.translations(a, b)))
    assert cycle == pytest.approx(0.0, abs=1e-6)
    assert loss == pytest.approx(2.0 + 5.0 * (mean(b) + 0.5 * mean(a)), rel=1e-5)


def test_each_domain_has_its_judge():
    """Scores 0.25 of A and 0.75 of B, for all images: half squares of both, and whole ones of the generators."""
    model = kg.CycleGAN(scaled(1.0), scaled(1.0), judge(0.25), judge(0.75))
    a, b = floats(2, *A), floats(2, *A, seed=1)
    expected = (0.75**2 + 0.25**2) / 2 + (0.25**2 + 0.75**2) / 2
    assert number(model.discriminator_loss(a, b, a, b)) == pytest.approx(expected)
    loss = model.generator_loss(a, b, [b, a, a, b])[0]
    assert number(loss) == pytest.approx(0.75**2 + 0.25**2)


def test_the_cycle_teaches_both_generators():
    """Of either cycle alone, both have a gradient."""
    model = made(identity_weight=0.0)
    a, b = floats(2, *A), floats(2, *A, seed=1)
    for cycle in (2, 3):
        recorded = model.record_pass(lambda: model.translations(a, b))
        target = (a, b)[cycle - 2]
        _, gradients = recorded.backward(lambda outputs: ops.mean(ops.abs(outputs[cycle] - target)))
        count = len(model.generator_ab.trainable_variables)
        for part in (gradients[:count], gradients[count:]):
            assert all(np.abs(ops.convert_to_numpy(gradient)).max() > 0 for gradient in part)


def test_the_discriminators_learn_from_the_pools():
    """The translations of the step go into the pools, and what comes out of them is judged."""
    model = made(pool_size=3)
    model.compile(g_optimizer=keras.optimizers.SGD(0.0), d_optimizer=keras.optimizers.SGD(0.0), run_eagerly=True)
    judged, minimize = [], model.minimize

    def watched(player, loss_fn, *inputs):
        if player == "discriminator":
            judged.append([ops.convert_to_numpy(images) for images in inputs])
        return minimize(player, loss_fn, *inputs)

    model.minimize = watched
    for seed in range(8):
        model.fit(*(ops.convert_to_numpy(floats(1, *A, seed=s)) for s in (seed, 100 + seed)), verbose=0)
    fresh = [ops.convert_to_numpy(model.generator_ab(floats(1, *A, seed=seed), training=True)) for seed in range(8)]
    came = [next(i for i, image in enumerate(fresh) if np.allclose(image, made_b)) for _, _, _, made_b in judged]
    assert came[:3] == [0, 1, 2] and any(i != step for step, i in enumerate(came))
    assert int(model.pool_b.count) == int(model.pool_a.count) == 3
    for real, step in zip(judged, range(8)):
        np.testing.assert_array_equal(real[0], ops.convert_to_numpy(floats(1, *A, seed=step)))


def test_without_a_pool_the_newest_are_judged():
    model = made(pool_size=0)
    assert not hasattr(model, "pool_a")
    history = model.fit(np.zeros((2, *A), "uint8"), np.ones((2, *A), "uint8"), verbose=0).history
    assert np.isfinite(history["d_loss"]).all()


def test_the_pools_are_saved_and_a_sampler_has_none(tmp_path):
    model = made(pool_size=3)
    images = np.random.default_rng(0).integers(0, 256, (4, *A)).astype("uint8")
    model.fit(images, images, batch_size=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert int(loaded.pool_a.count) == 3
    for own, other in zip(values(model.variables), values(loaded.variables)):
        np.testing.assert_array_equal(own, other)
    alone = kg.CycleGAN(model.generator_ab, model.generator_ba)
    assert not hasattr(alone, "pool_a") and len(alone.non_trainable_variables) < 5


# Translating


def test_both_directions(tmp_path):
    keras.utils.set_random_seed(0)
    model = kg.CycleGAN(*networks(), identity_weight=0.0)
    a, b = (np.random.default_rng(0).integers(0, 256, (3, *shape)).astype("uint8") for shape in (A, B))
    there, back = model.translate(a), model.translate(b, direction="BtoA")
    assert there.shape == (3, *B) and back.shape == (3, *A) and there.dtype == np.uint8
    both = model.generate(a=a, b=b)
    np.testing.assert_array_equal(both["b"], there)
    np.testing.assert_array_equal(both["a"], back)
    made_b = ops.convert_to_numpy(model.generator_ab(model.batch_fields["a"].encode(a)))
    assert np.abs(np.round((made_b + 1.0) * 127.5) - there).max() <= 1
    assert model.translate(a[0]).shape == (1, *B)


def test_translations_that_cannot_be_are_refused():
    model = kg.CycleGAN(*networks(), identity_weight=0.0)
    with pytest.raises(ConfigurationError, match="'AtoB', 'BtoA'. Received: 'atob'. Did you mean"):
        model.translate(np.zeros((1, *A), "uint8"), direction="atob")
    with pytest.raises(DataError, match=r"\(N, 8, 8, 2\)"):
        model.translate(np.zeros((1, *A), "uint8"), direction="BtoA")
    with pytest.raises(ConfigurationError, match="one or more of a, b"):
        model.generate(2, seed=0)


@pytest.mark.parametrize(
    "options", [{"cycle_weight": -1.0}, {"identity_weight": "1"}, {"pool_size": 1.5}, {"pool_size": -1}], ids=str
)
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        kg.CycleGAN(*networks(A, A), **options)


# Data


def test_the_networks_follow_from_the_data():
    data = kg.CycleGAN.load_data("drawn:digits", image_size=(16, 16), take=4, batch_size=2)
    model = kg.CycleGAN.for_data(data, pool_size=2)
    assert model.generator_ab.input_shape == (None, 16, 16, 1) and model.image_shape == (16, 16, 1)
    with pytest.raises(ConfigurationError, match="no labels"):
        kg.CycleGAN.load_data("drawn:digits", labels="label")


def test_a_run_that_stopped_in_an_epoch_goes_on_as_if_it_had_not(tmp_path):
    """Domains of two lengths, crops, flips and full pools."""

    def model():
        keras.utils.set_random_seed(4)
        model = kg.CycleGAN(*networks(A, A), pool_size=2, seed=1)
        rates = [kg.optimizers.LinearDecay(1e-3, 4, constant_epochs=1, decay_epochs=1) for _ in range(2)]
        model.compile(*map(keras.optimizers.Adam, rates))
        return model

    images = np.random.default_rng(0).integers(0, 256, (8, 10, 10, 1)).astype("uint8")
    data = kg.data.CroppedDomains(a=images, b=images[:3], crop=(8, 8), flip=True, batch_size=2)
    whole, stopped = model(), model()
    whole.fit(data, epochs=2, verbose=0)
    stopped.fit(data, steps_per_epoch=3, verbose=0)
    stopped.save(tmp_path / "stopped.keras")
    resumed = keras.saving.load_model(tmp_path / "stopped.keras")
    resumed.fit(data, initial_epoch=0, epochs=2, verbose=0)
    for own, other in zip(values(whole.variables), values(resumed.variables)):
        np.testing.assert_array_equal(own, other)


def test_a_sheet_shows_each_source_beside_what_is_made_of_it():
    model = made(pool_size=0)
    rng = np.random.default_rng(0)
    shapes = {name: field.shape for name, field in model.batch_fields.items()}
    given = {name: rng.integers(0, 256, (2, *shape)).astype("uint8") for name, shape in shapes.items()}
    picture = sampling.sheet(model, 1, 2, seed=0, given=given)
    made_b, made_a = (model.translate(given[name], way) for name, way in (("a", "AtoB"), ("b", "BtoA")))
    for i in range(2):
        parts = [given["a"][i], made_b[i], given["b"][i], made_a[i]]
        example = kg.images.side_by_side(parts, gap=0)
        width = example.shape[1]
        np.testing.assert_array_equal(picture[:, i * width : (i + 1) * width], example)
