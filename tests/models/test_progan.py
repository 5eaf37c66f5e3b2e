"""ProGAN: the contract, fading in, the schedule of sizes, the objective, and first states of the networks."""

import itertools
import json

import keras
import numpy as np
import pytest
from contract import VariantContract, equal, number, values
from keras import layers, ops

import keras_gans as kg
from keras_gans import engine, phases
from keras_gans.callbacks import resume
from keras_gans.errors import CheckpointError, ConfigurationError, DataError
from keras_gans.fitting import phase_of, steps_of
from keras_gans.layers import FadeIn
from keras_gans.models.progan import ProGAN, build_discriminator, build_generator
from keras_gans.networks.doubling import doubled_sides
from keras_gans.training import Recipe, train

SMALL = {"image_shape": (4, 4, 1), "final_size": (16, 16), "latent_dim": 4, "widths": (6, 4, 4)}


def random_images(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")


def floats(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def half(images):
    count, height, width, channels = images.shape
    return images.reshape(count, height // 2, 2, width // 2, 2, channels).mean((2, 4))


def twice(images):
    return images.repeat(2, axis=1).repeat(2, axis=2)


def plain(tensor):
    return ops.convert_to_numpy(tensor)


def fade(gan, alpha):
    for layer in gan.fades():
        layer.alpha.assign(alpha)


class TestProGAN(VariantContract):
    def make(self, **options):
        """A model of 8x8 whose second block fades in over four steps."""
        small = ProGAN(image_shape=(4, 4, 1), final_size=(8, 8), latent_dim=4, widths=(6, 4))
        networks = [
            build((8, 8, 1), widths=(6, 4), below=below, **more)
            for build, below, more in (
                (build_generator, small.generator, {"latent_dim": 4}),
                (build_discriminator, small.discriminator, {}),
            )
        ]
        return ProGAN(*networks, fade_steps=4, **options)

    # The objective

    def test_losses_are_the_formula(self):
        """<a, x> + b with |a| = 3: the penalty is (3 - 1)^2 everywhere, and real scores are pulled to zero."""
        kernel = np.zeros(64, "float32")
        kernel[[0, 5, 9]] = [2.0, -2.0, 1.0]
        network = keras.Sequential([keras.Input(self.shape), layers.Flatten(), layers.Dense(1)])
        generator = build_generator(self.shape, 4, widths=(4, 4))
        gan = ProGAN(generator, network, gp_weight=7.0, drift_weight=0.1)
        network.set_weights([kernel[:, None], np.array([0.5])])
        real, fake = floats(2, 6, *self.shape)
        scores, others = (x.reshape(6, -1) @ kernel + 0.5 for x in (real, fake))
        expected = others.mean() - scores.mean() + 7.0 * 4.0 + 0.1 * np.square(scores).mean()
        assert plain(gan.loss_and_penalty(real, fake)).tolist() == pytest.approx([expected, 4.0], rel=1e-4)
        assert number(gan.generator_loss(fake)) == pytest.approx(-others.mean(), rel=1e-4)

    def test_a_constant_added_to_the_scores_is_not_free(self):
        """Without the drift term it would be: its slope is 2 weight E[d(x)]."""
        network = keras.Sequential([keras.Input(self.shape), layers.Flatten(), layers.Dense(1)])
        network.layers[-1].bias.assign([3.0])
        real, fake, slopes = *floats(2, 6, *self.shape), {}
        for weight in (0.0, 0.25):
            gan = ProGAN(build_generator(self.shape, 4, widths=(4, 4)), network, drift_weight=weight)
            bias = [network.layers[-1].bias]
            slopes[weight] = plain(engine.value_and_grad(lambda: gan.discriminator_loss(real, fake), bias)[1][0])[0]
        assert slopes[0.0] == pytest.approx(0.0, abs=1e-6)
        assert slopes[0.25] == pytest.approx(0.5 * plain(network(real)).mean(), rel=1e-4)

    def test_optimizers_are_the_papers(self):
        config = self.gan().d_optimizer.get_config()
        found = [config[key] for key in ("learning_rate", "beta_1", "beta_2", "epsilon")]
        assert found == pytest.approx([1e-3, 0.0, 0.99, 1e-8])

    # Fading in

    def test_at_first_the_images_are_the_smaller_networks_enlarged(self):
        gan = ProGAN(**SMALL)
        grown, noise = gan.grown(fade_steps=4), floats(5, 4)
        before = plain(gan.generator(noise))
        np.testing.assert_array_equal(plain(grown.generator(noise)), twice(before))
        generated = gan.generate(3, seed=1), grown.generate(3, seed=1)
        np.testing.assert_array_equal(generated[1], twice(generated[0]))

    def test_at_first_scores_are_those_of_images_of_half_the_size(self):
        gan = ProGAN(**SMALL)
        grown, images = gan.grown(fade_steps=4), floats(4, 8, 8, 1)
        expected = plain(gan.discriminator(half(images)))
        np.testing.assert_allclose(plain(grown.discriminator(images)), expected, rtol=0, atol=1e-5)

    def test_at_last_the_old_paths_have_no_influence(self):
        grown, noise, images = ProGAN(**SMALL).grown(fade_steps=4), floats(5, 4), floats(4, 8, 8, 1)
        fade(grown, 1.0)
        before = plain(grown.generator(noise)), plain(grown.discriminator(images))
        for network, name in ((grown.generator, "to_image0"), (grown.discriminator, "from_image0")):
            layer = network.get_layer(name)
            layer.set_weights([weight + 1.0 for weight in layer.get_weights()])
        np.testing.assert_array_equal(plain(grown.generator(noise)), before[0])
        np.testing.assert_array_equal(plain(grown.discriminator(images)), before[1])
        fade(grown, 0.5)
        assert not np.array_equal(plain(grown.generator(noise)), before[0])

    def test_real_images_lose_as_much_detail_as_generated_ones(self):
        grown, images = ProGAN(**SMALL).grown(fade_steps=4), floats(3, 8, 8, 1)
        tensor = ops.convert_to_tensor(images)
        for alpha in (0.0, 0.25, 1.0):
            fade(grown, alpha)
            expected = (1 - alpha) * twice(half(images)) + alpha * images
            np.testing.assert_allclose(plain(grown.faded(tensor)), expected, rtol=0, atol=1e-6)
        fade(grown, 0.0)
        other = ops.convert_to_tensor(twice(half(images)).astype("float32"))  # what of the detail is left decides
        fake = ops.convert_to_tensor(floats(3, 8, 8, 1, seed=4))
        found = []
        for real in (tensor, other):
            grown.evaluation_seeds.state.assign(np.zeros_like(values([grown.evaluation_seeds.state])[0]))
            found.append(number(grown.discriminator_loss(real, fake, training=False)))
        assert found[0] == pytest.approx(found[1], rel=1e-4)
        scores = [plain(grown.batch_scores(real)[0]) for real in (tensor, other)]
        np.testing.assert_allclose(*scores, rtol=0, atol=1e-4)

    def test_a_step_blends_then_updates_the_discriminator_the_generator_and_the_average(self, monkeypatch):
        """The blend follows the steps: a quarter each for four."""
        gan, seen = self.gan(ema_decay=0.9, compile={"run_eagerly": True}), []
        fade_in, minimize, update = gan.fade_in, gan.minimize, gan.ema.update

        def watched(player, *rest):
            seen.append((player, *(float(plain(f.alpha)) for f in gan.fades())))
            return minimize(player, *rest)

        monkeypatch.setattr(gan, "fade_in", lambda: seen.append("fade") or fade_in())
        monkeypatch.setattr(gan, "minimize", watched)
        monkeypatch.setattr(gan.ema, "update", lambda step: seen.append("average") or update(step))
        gan.fit(self.batches(), epochs=2, verbose=0)
        assert seen == [
            event
            for a in (0.0, 0.25, 0.5, 0.75, 1.0, 1.0)
            for event in ("fade", ("discriminator", a, a), ("generator", a, a), "average")
        ]

    # Growing

    def test_a_grown_model_shares_the_weights_and_keeps_the_settings(self):
        gan = ProGAN(**SMALL, gp_weight=5.0, drift_weight=0.1, discriminator_steps=2, ema_decay=0.9, seed=3)
        gan.step.assign(1)
        for average in gan.ema.weights:
            average.assign(plain(average) + 1.0)
        grown = gan.grown(7)
        for name in ("generator", "discriminator"):
            known = {id(weight) for weight in getattr(grown, name).weights}
            assert {id(weight) for weight in getattr(gan, name).weights} < known
        config, before = grown.get_config(), gan.get_config()
        assert {key for key in config if config[key] != before[key]} == {
            "generator", "discriminator", "image_shape", "fade_steps",
        }  # fmt: skip
        assert (config["fade_steps"], grown.image_shape) == (7, (8, 8, 1))
        # the averages of what both have go on; the new block's begin at its weights
        averages = {id(weight): average for weight, average in zip(gan.generator.trainable_variables, gan.ema.weights)}
        for weight, average in zip(grown.generator.trainable_variables, grown.ema.weights):
            expected = averages.get(id(weight), weight)
            np.testing.assert_array_equal(plain(average), plain(expected))

    def test_a_model_grows_to_its_final_size_and_not_further(self):
        gan = ProGAN(**SMALL)
        for size in (8, 16):
            gan = gan.grown()
            assert gan.image_shape == (size, size, 1) and [float(plain(f.alpha)) for f in gan.fades()] == [1.0, 1.0]
        assert [layer.name for layer in gan.generator.layers if "to_image" in layer.name] == ["to_image1", "to_image2"]
        with pytest.raises(ConfigurationError, match="below its final size.*16x16, which is final.*such as 32x32"):
            gan.grown()

    def test_only_networks_of_the_builders_grow(self):
        gan = self.make()
        other = ProGAN(self.make().generator, gan.discriminator, final_size=(16, 16), widths=(6, 4, 4), fade_steps=4)
        other.generator = keras.Sequential([keras.Input((4,)), layers.Dense(64), layers.Reshape((8, 8, 1))])
        with pytest.raises(ConfigurationError, match="that the same builder made for half the size"):
            other.grown()
        alone = self.rebuilt(gan, discriminator=None)
        alone.final_size = (16, 16)
        with pytest.raises(ConfigurationError, match="with a discriminator"):
            alone.grown()

    @pytest.mark.parametrize(
        "options, match",
        [
            ({"final_size": (48, 48)}, "4x4 reaches: 4x4, 8x8, 16x16, 32x32, 64x64, 128x128.*Received: 48x48"),
            ({"final_size": (8, 16)}, "Received: 8x16"),
            ({"final_size": (2, 2)}, "Received: 2x2"),
            ({"final_size": 16}, r"final_size=\(height, width\)"),
            ({"widths": (6, 4)}, "each of the 3 maps 4x4, 8x8, 16x16"),
            ({"widths": (6, 4, 0)}, "widths with a number of 1 or more"),
            ({"image_shape": (30, 30, 1), "final_size": None}, "power of two, such as 16x16 or 32x32.*30, 30"),
            ({"image_shape": (9, 9, 1), "final_size": None}, r"\(9, 9, 1\)"),
            ({"image_shape": (64, 8, 1), "final_size": None}, r"\(64, 8, 1\)"),
            ({"gp_weight": -1.0}, "gp_weight"),
            ({"drift_weight": "a"}, "drift_weight"),
            ({"fade_steps": 1.5}, "fade_steps"),
            ({"fade_steps": 3}, "fade_steps=0"),
        ],
        ids=str,
    )
    def test_what_cannot_be_built_is_refused(self, options, match):
        with pytest.raises(ConfigurationError, match=match):
            ProGAN(**{**SMALL, **options})

    def test_networks_that_shall_grow_need_widths(self):
        gan = self.make()
        with pytest.raises(ConfigurationError, match="Expected widths of the maps up to final_size"):
            ProGAN(gan.generator, gan.discriminator, final_size=(16, 16))

    def test_networks_below_must_fit(self):
        small = build_generator((4, 4, 1), 4, widths=(6,))
        for options, match in (
            ({"image_shape": (16, 16, 1), "widths": (6, 4, 4)}, "grow to 16x16"),
            ({"image_shape": (8, 8, 1), "widths": (5, 4)}, "such as 6 in conv0. Received: 5"),
            ({"image_shape": (8, 8, 1), "widths": (6, 4), "latent_dim": 5}, "latent_dim=4"),
        ):
            with pytest.raises(ConfigurationError, match=match):
                build_generator(**{"latent_dim": 4, **options}, below=small)


# The schedule


def dataset(size=16, count=8, batch_size=4):
    return kg.data.Batches(random_images(count, size, size, 1), batch_size=batch_size, seed=2, about={"name": "noise"})


def test_sizes_and_blends_follow_the_images_shown_as_in_the_code():
    """lod, per 600 thousand images: 0 is the largest size, 2.5 half way between 4x4 and 8x8."""
    table = {0: 3, 600: 3, 900: 2.5, 1200: 2, 1800: 2, 2100: 1.5, 2400: 1, 3000: 1, 3600: 0, 4000: 0}
    start = {"image_shape": (4, 4, 1), "final_size": (32, 32), "latent_dim": 4, "widths": (4, 4, 4, 4)}
    data, gan, found = dataset(32, count=12, batch_size=2), ProGAN(**start), {}
    gan.compile(run_eagerly=True)
    for index, phase in enumerate(gan.phases(data, 7)):  # an epoch has 600 thousand images, a step 100 thousand
        gan = gan if phase.prepare is None else phase.prepare(gan)
        for step in range(phase.epochs * len(data)):
            gan.step.assign(step)
            gan.fade_in()
            alpha = float(plain(gan.fades()[0].alpha)) if gan.fade_steps else 1.0
            found[100 * len(found)] = 3 - index + 1 - alpha
    assert {shown: found[shown] for shown in table} == pytest.approx(table)
    # Images count, not steps: with batches twice as large the fades have half the steps.
    larger = ProGAN(**start).phases(dataset(32, count=12, batch_size=4), 7)
    assert [phase.title for phase in larger[1:]] == [
        f"{side}x{side}, which fades in over 3 steps" for side in (8, 16, 32)
    ]


def test_epochs_are_shared_out_and_may_be_given():
    gan = ProGAN(**SMALL)
    assert [phase.epochs for phase in gan.phases(dataset(), 10)] == [2, 4, 4]
    assert [phase.epochs for phase in gan.phases(dataset(), 1)] == [1, 1, 1]
    given = gan.phases(dataset(), [3, 1, 2])
    assert [phase.epochs for phase in given] == [3, 1, 2]
    assert [phase.title for phase in given] == [
        "4x4", "8x8, which fades in over 1 steps", "16x16, which fades in over 2 steps",
    ]  # fmt: skip
    for wrong in ([3, 1], [3, 1, 0], 0, 2.5):
        with pytest.raises(ConfigurationError, match="epochs"):
            gan.phases(dataset(), wrong)
    with pytest.raises(DataError, match=r"\(16, 16, 1\). Received: \(8, 8, 1\)"):
        gan.phases(dataset(8), 3)


def test_smaller_images_are_the_means_of_their_pixels():
    data = dataset()
    first, *others = ProGAN(**SMALL).phases(data, 3)
    expected = data.images.reshape(8, 4, 4, 4, 4, 1).mean((2, 4))
    np.testing.assert_array_equal(first.data.images, np.round(expected))
    assert first.data.images.dtype == "uint8" and first.data.about == {"name": "noise", "image_shape": [4, 4, 1]}
    assert data.image_shape == (16, 16, 1)
    signs = kg.data.Batches(floats(4, 16, 16, 1), batch_size=4)
    smaller = ProGAN(**SMALL).phases(signs, 3)[0].data.images
    np.testing.assert_allclose(smaller, signs.images.reshape(4, 4, 4, 4, 4, 1).mean((2, 4)), rtol=0, atol=1e-6)


def test_data_of_28_pixels_begin_at_seven():
    data = kg.data.Batches(random_images(4, 28, 28, 1), batch_size=4)
    gan = ProGAN.for_data(data, widths=(4, 4, 4), latent_dim=4)
    assert (gan.image_shape, gan.final_size) == ((7, 7, 1), (28, 28))
    assert [phase.title.split(",")[0] for phase in gan.phases(data, 5)] == ["7x7", "14x14", "28x28"]


class Killed(Exception):
    """Stands for what ends a process."""


class KillAt(keras.callbacks.Callback):
    def __init__(self, phase, step):
        super().__init__()
        self.place = phase, step

    def on_train_batch_end(self, batch, logs=None):
        if (phase_of(self.model)[0], steps_of(self.model)) == self.place:
            raise Killed


def growing(kill=None):
    def recipe(smoke=False):
        gan = ProGAN(**{**SMALL, "final_size": (8, 8), "widths": (6, 4)}, ema_decay=0.9)
        gan.compile(keras.optimizers.Adam(2e-3, beta_1=0.0), keras.optimizers.Adam(1e-3, beta_1=0.0), run_eagerly=True)
        return Recipe(model=gan, phases=gan.phases(dataset(8), [1, 2]), callbacks=[KillAt(*kill)] if kill else [])

    return recipe


def run(recipe, folder, **options):
    return train(recipe, folder, seed=3, verbose=0, **options)


def state(model):
    return [*values(model.variables), *values(model.optimizer.variables), *values(model.metrics_variables)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of two phases, of 2 and 4 steps, of which the first two of the second fade."""
    folder = tmp_path_factory.mktemp("whole")
    return run(growing(), folder), folder


def test_after_the_last_phase_it_is_a_model_as_any_other(whole):
    gan, folder = whole
    assert gan.image_shape == (8, 8, 1) and [float(plain(f.alpha)) for f in gan.fades()] == [1.0, 1.0]
    assert (steps_of(gan), int(plain(gan.g_optimizer.iterations))) == (6, 4)  # fresh optimizers at each size
    assert float(plain(gan.g_optimizer.learning_rate)) == pytest.approx(2e-3)
    loaded = kg.load(str(folder))
    assert loaded.discriminator is None
    made = loaded.generate(4, seed=0)
    assert made.shape == (4, 8, 8, 1)
    sampled = kg.zoo.sampler(gan).generate(4, seed=0)
    assert np.abs(made.astype("int32") - sampled).max() <= 2  # grey levels: its weights may be stored as float16
    card = json.loads((folder / "card.json").read_text())
    assert card["image_shape"] == [8, 8, 1] and [p["epochs"] for p in card["training"]["phases"]] == [1, 2]
    assert card["dataset"] == {**dataset(8).about, "fingerprint": dataset(8).fingerprint()}  # of the final size


def test_a_run_that_was_killed_while_a_block_fades_in_ends_as_the_whole_run(whole, tmp_path):
    with pytest.raises(Killed):
        run(growing(kill=(1, 5)), tmp_path, checkpoint_steps=1)  # the checkpoint is that of the step before
    kept = resume(tmp_path)
    assert kept.image_shape == (8, 8, 1) and kept.generate(2, seed=0).shape == (2, 8, 8, 1)
    assert [float(plain(f.alpha)) for f in kept.fades()] == [0.5, 0.5] and steps_of(kept) == 4
    assert equal(state(run(growing(), tmp_path, resume_from=tmp_path)), state(whole[0]))


def test_a_checkpoint_of_another_size_is_refused(tmp_path):
    gan, data = ProGAN(**SMALL), dataset()
    for phase in gan.phases(data, 3)[1:]:
        with pytest.raises(CheckpointError, match="Expected a model of .* in this phase. Received: one of 4x4"):
            phases.data_of(phase, gan, 1)
    gan.compile()
    with pytest.raises(DataError, match="shape"):
        gan.fit(data, verbose=0)


# Networks


def test_first_outputs_keep_their_size_through_the_networks():
    """Before each activation the variance of a convolution is about 2, since the pixels before it are normalised."""
    keras.utils.set_random_seed(1)
    generator = build_generator((16, 16, 3), 64, widths=(128, 128, 128))
    names = ["project", "conv0", *(f"conv{stage}_{i}" for stage in (1, 2) for i in (0, 1))]
    seen = keras.Model(generator.input, [generator.get_layer(name).output for name in names])
    noise = np.random.default_rng(0).normal(size=(64, 64)).astype("float32")
    for name, output in zip(names, seen(noise)):
        inner = plain(output) if name == "project" else plain(output)[:, 1:-1, 1:-1]
        expected = 2.0 / 16 if name == "project" else 2.0
        assert np.mean(np.square(inner)) == pytest.approx(expected, rel=0.25), name
    image = plain(generator(noise))
    assert image.var() == pytest.approx(1.0, rel=0.5)  # of a gain of one
    assert np.abs(image).max() > 1.0  # nothing bounds it


def test_widths_and_parameters_of_the_papers_networks():
    """512 channels up to 32x32, then half as many; 23.1 million parameters each at 1024x1024, as in its table 2."""
    assert [len(doubled_sides((side, side, 3))) for side in (4, 64, 1024)] == [1, 5, 9]
    widths = [512, 512, 512, 512, 256, 128, 64, 32, 16]
    convolutions = [(512, 512)] + [pair for a, b in itertools.pairwise(widths) for pair in ((a, b), (b, b))]
    counted = sum(9 * a * b + b for a, b in convolutions)
    generator = build_generator((64, 64, 3))
    first = sum(9 * a * b + b for a, b in convolutions[:9])
    dense = 512 * 512 * 16 + 512 * 16
    assert generator.count_params() == dense + first + 256 * 3 + 3
    whole = dense + counted + 16 * 3 + 3
    assert whole == pytest.approx(23.1e6, rel=0.005)


def test_identical_images_have_no_deviation():
    gan = ProGAN(image_shape=(4, 4, 1), latent_dim=4, widths=(4,))
    layer = gan.discriminator.get_layer("deviation")
    seen = keras.Model(gan.discriminator.input, layer.output)
    images = np.repeat(floats(1, 4, 4, 1), 4, axis=0)
    assert np.abs(plain(seen(images))[..., -1]).max() <= 1.1e-4
    assert plain(seen(floats(4, 4, 4, 1)))[..., -1].min() > 0.01
    assert layer.output.shape[-1] == 5


def test_a_loaded_model_goes_on_where_its_fade_was(tmp_path):
    gan = ProGAN(**SMALL).grown(fade_steps=8)
    fade(gan, 0.375)
    gan.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [float(plain(f.alpha)) for f in loaded.fades()] == [0.375, 0.375]
    assert loaded.widths == [6, 4, 4] and loaded.final_size == (16, 16) and loaded.grown(3).image_shape == (16, 16, 1)
    np.testing.assert_array_equal(loaded.generate(3, seed=0), gan.generate(3, seed=0))


def test_no_layer_of_the_finished_networks_is_left_over():
    """A model that was built at its final size has no path that fades."""
    gan = ProGAN(image_shape=(16, 16, 1), latent_dim=4, widths=(4, 4, 4))
    assert gan.fades() == [] and not any(isinstance(layer, FadeIn) for layer in gan.generator.layers)
    assert [phase.title for phase in gan.phases(dataset(), 5)] == ["16x16"]
    assert phases.begin(gan.phases(dataset(), 5)[0], gan, 0, 0) is gan
