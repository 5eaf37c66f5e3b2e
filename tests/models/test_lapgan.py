"""LAPGAN: the contract on pyramids, levels that are trained apart, the balance rule, and its class-conditional form."""

import keras
import numpy as np
import pytest
from conditional import SPACE, ConditionalContract
from contract import VariantContract, by_name, equal, values
from keras import layers, ops

import keras_gans as kg
from keras_gans.errors import ConfigurationError
from keras_gans.images import to_float
from keras_gans.models.lapgan import LAPGAN, build_discriminators, build_generators, sizes_of
from keras_gans.pyramids import double, halve


def networks(shape, levels=2, label_size=0):
    options = {"filters": 4, "label_size": label_size}
    return (
        build_generators(shape, levels, 4, kernel_sizes=(3, 3), units=8, **options),
        build_discriminators(shape, levels, kernel_size=3, units=8, **options),
    )


def arrays_of(tensors):
    return [ops.convert_to_numpy(tensor) for tensor in tensors]


class Pyramids:
    """What both forms share: two levels, whose losses are of the residuals [h_0, I_1]."""

    logits = 2
    shape = (8, 8, 3)  # PyTorch 2.13's CPU kernel fails at one image of one channel: "grad_weight must be contiguous"

    def seen(self, examples):
        return halve(to_float(examples))  # the last of the residuals

    def scored(self, gan, made):
        residuals, coarse = gan.real_pyramid(made["images"])
        labels = [] if gan.label_space is None else [SPACE.encode(np.arange(len(made["images"])) % 3)]
        return gan.score(residuals, coarse, labels, training=False), len(made["images"])

    def test_networks_that_do_not_fit_are_refused(self, one):
        fine, coarsest = one.discriminators
        flat = layers.Concatenate()([layers.Flatten()(x) for x in fine.inputs])
        other = keras.Sequential([keras.Input((6, 6, 3)), layers.Flatten(), layers.Dense(1)])
        cases = [
            ([keras.Model(fine.inputs, layers.Dense(1, activation="sigmoid")(flat)), coarsest], "sigmoid"),
            ([keras.Model(fine.inputs, layers.Dense(2)(flat)), coarsest], "one logit"),
            ([fine, other], "takes what the generator makes"),
            ([coarsest, fine], "takes what the generator makes"),
            ([fine, keras.Sequential([layers.Dense(1)])], "built"),
            ([fine], "list of 2 discriminators, one for each level. Received: 1"),
            (fine, "list of 2 discriminators"),
            ("discriminator", "list of 2 discriminators"),
        ]
        for discriminators, message in cases:
            with pytest.raises(ConfigurationError, match=message):
                self.rebuilt(one, discriminators=discriminators)
        fine, coarsest = one.generators
        cases = [
            (None, "generators as a list of networks, the finest level first"),
            ([], "generators as a list"),
            (fine, "generators as a list"),
            ([fine, "generator"], "built"),
            ([coarsest, fine], "level 0 of 2 to take"),
            ([fine], "level 0 of 1 to take noise"),
            ([fine, fine, coarsest], "level 1 of 3 to take .* half the size"),
        ]
        for generators, message in cases:
            with pytest.raises(ConfigurationError, match=message):
                self.rebuilt(one, generators=generators)


class TestLAPGAN(Pyramids, VariantContract):
    def make(self, **options):
        return LAPGAN(*networks(self.shape), **options)

    def test_the_losses_are_sums_over_the_levels(self, one):
        """Recomputed in NumPy from the logits of both levels."""
        images = to_float(self.rows()["images"])
        start = values([one.evaluation_seeds.state])[0]
        losses = {name: float(loss) for name, loss in by_name(one, one.batch_losses(images)).items()}
        one.evaluation_seeds.state.assign(start)
        real, coarse = one.real_pyramid(images)
        made = one.residuals(one.latents_like(images, training=False), coarse, training=False)
        d_real, d_fake = (
            ops.convert_to_numpy(one.score(residuals, coarse, training=False)).astype("float64")
            for residuals in (real, made)
        )
        expected = 0.5 * (np.log1p(np.exp(-d_real)) + np.log1p(np.exp(d_fake))).mean(0).sum()
        assert losses["d_loss"] == pytest.approx(expected, rel=1e-4)
        assert losses["g_loss"] == pytest.approx(np.log1p(np.exp(-d_fake)).mean(0).sum(), rel=1e-4)

    # The pyramid

    @pytest.mark.parametrize("shape, levels", [((32, 32, 3), 4), ((28, 28, 1), 3), ((18, 30, 1), 2), ((8, 8, 1), 1)])
    def test_residuals_over_the_doubled_coarse_images_are_the_images(self, shape, levels):
        gan = LAPGAN(*networks(shape, levels))
        images = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype("float32")
        residuals, coarse = map(arrays_of, gan.real_pyramid(images))
        assert len(coarse) == levels - 1
        assert [x.shape[1:3] for x in residuals] == sizes_of(shape, levels)
        finer = images
        for level in range(levels - 1):
            np.testing.assert_allclose(residuals[level] + coarse[level], finer, atol=1e-5)
            finer = ops.convert_to_numpy(halve(finer))
        np.testing.assert_allclose(residuals[-1], finer, atol=1e-5)

    def test_sampling_with_true_residuals_is_the_image(self, monkeypatch):
        """Generators that know h_0, h_1 and I_2 by heart are asked for them over the true coarse images."""
        shape = (18, 12, 3)
        gan = LAPGAN(*networks(shape, levels=3))
        images = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype("float32")
        residuals, (coarse0, coarse1) = map(arrays_of, gan.real_pyramid(images))
        seen = {}

        def knows(level, residual):
            def call(inputs, **options):
                seen[level] = [ops.convert_to_numpy(x) for x in keras.tree.flatten(inputs)][1:]  # without the noise
                return ops.convert_to_tensor(residual)

            monkeypatch.setattr(gan.generators[level], "call", call)

        for level, residual in enumerate(residuals):
            knows(level, residual)
        made = ops.convert_to_numpy(gan.compute_outputs(self.inputs(gan, 2)))
        np.testing.assert_allclose(made, images, atol=1e-5)
        assert [len(seen[level]) for level in range(3)] == [1, 1, 0]
        np.testing.assert_allclose(seen[0][0], coarse0, atol=1e-5)
        np.testing.assert_allclose(seen[1][0], coarse1, atol=1e-5)

    def test_the_discriminator_sees_the_sum(self, one):
        (h, _), (coarse,) = map(arrays_of, one.real_pyramid(to_float(self.rows(3)["images"])))
        plain = one.discriminators[0].predict([h, coarse], verbose=0)
        moved = one.discriminators[0].predict([h + 0.25, coarse - 0.25], verbose=0)
        np.testing.assert_allclose(moved, plain, atol=1e-5)
        assert not np.allclose(one.discriminators[0].predict([h, coarse + 0.25], verbose=0), plain)

    def test_the_noise_of_the_coarsest_level_comes_first(self, one):
        """So that a seed's numbers stay where they are: 4 of level 1, then a plane of 8x8 of level 0."""
        latents = ops.convert_to_tensor(self.inputs(one, 3)["noise"])
        assert tuple(latents.shape) == (3, one.latent_dim) == (3, 4 + 64)
        fine, coarsest = arrays_of(one.noise_of_levels(latents))
        np.testing.assert_array_equal(coarsest, latents[:, :4])
        np.testing.assert_array_equal(fine, latents[:, 4:])
        stages = arrays_of(one.stages(latents))
        np.testing.assert_array_equal(stages[0], ops.convert_to_numpy(one.generators[1](coarsest, training=False)))
        doubled = double(ops.convert_to_tensor(stages[0]), (8, 8))
        expected = doubled + one.generators[0]([ops.convert_to_tensor(fine), doubled], training=False)
        np.testing.assert_allclose(stages[1], ops.convert_to_numpy(expected), atol=1e-6)

    def test_scales_are_the_stages_of_generate(self, one):
        coarse, fine = one.scales(3, seed=4)
        np.testing.assert_array_equal(fine, one.generate(3, seed=4))
        assert coarse.shape == (3, 4, 4, 3)
        picture = one.picture_of_scales([coarse, fine])
        assert picture.shape == (3 * 8, 2 * 8, 3)
        np.testing.assert_array_equal(picture[:8:2, :8:2], coarse[0])
        np.testing.assert_array_equal(picture[8:16, 8:], fine[1])

    # The levels

    @pytest.mark.parametrize("level", [0, 1])
    def test_a_level_is_trained_alone(self, level):
        """With momentum and moving averages of its own from before: the other level keeps every bit."""
        gan = self.gan(ema_decay=0.9, compile={"g_optimizer": "adam", "d_optimizer": "adam"})
        gan.fit(self.batches(), verbose=0)
        gan.trained_levels = (level,)
        gan.compile("adam", "adam")

        def weights(k):
            return [*values(gan.generators[k].weights), *values(gan.discriminators[k].weights)]

        before = [weights(k) for k in range(2)]
        gan.fit(self.batches(), verbose=0)
        after = [weights(k) for k in range(2)]
        moved = [not equal(before[k], after[k]) for k in range(2)]
        assert moved == [k == level for k in range(2)]

    @pytest.mark.parametrize("level", [0, 1])
    def test_levels_trained_together_are_trained_as_alone(self, level):
        """A level sees no noise but its own: together with the other it takes the same steps."""
        runs = []
        for levels in ((0, 1), (level,)):
            keras.utils.set_random_seed(1)
            gan = self.make(seed=5, trained_levels=levels)
            gan.compile()
            gan.fit(self.batches(), verbose=0)
            runs.append(values([*gan.generators[level].weights, *gan.discriminators[level].weights]))
        assert max(np.abs(a - b).max() for a, b in zip(*runs)) < 1e-6

    def test_other_levels_need_another_compile(self):
        gan = self.gan()
        gan.trained_levels = np.array([1])
        assert gan.trained_levels == (1,) and type(gan.get_config()["trained_levels"][0]) is int
        with pytest.raises(ConfigurationError, match=r"Call compile\(\) first"):
            gan.fit(self.batches(), verbose=0)

    def test_a_number_is_no_label_space(self):
        with pytest.raises(ConfigurationError, match="label_space such as"):
            LAPGAN(image_shape=(32, 32, 3), label_space=10)

    @pytest.mark.parametrize("levels", [(), (2,), (-1,), (0, 0), 1, [[0]], [True], [0.0], "1"], ids=str)
    def test_levels_that_are_not_there_are_refused(self, one, levels):
        with pytest.raises(ConfigurationError, match="levels out of 0 to 1"):
            self.rebuilt(one, trained_levels=levels)

    def test_sizes_that_cannot_be_halved_so_often_are_refused(self):
        assert sizes_of((28, 28, 1), 4) == [(28, 28), (14, 14), (7, 7), (4, 4)]
        for shape, levels in (((32, 32, 3), 4), ((28, 28, 1), 4), ((16, 16, 1), 3)):
            with pytest.raises(ConfigurationError, match="levels of 9 pixels or more a side above the coarsest"):
                LAPGAN(image_shape=shape, levels=levels)
        wrong = [((28, 28, 1), 5, 4), ((8, 32, 3), 3, 2), ((32, 32, 3), 0, 4)]
        for shape, levels, most in [*wrong, *(((32, 32, 3), levels, 4) for levels in (2.0, "2", True))]:
            with pytest.raises(ConfigurationError, match=f"1 to {most} levels of {shape[0]}x{shape[1]}"):
                LAPGAN(image_shape=shape, levels=levels)

    @pytest.mark.parametrize("side, levels", [(8, 1), (9, 2), (16, 2), (17, 3), (28, 3), (64, 3)])
    def test_data_get_the_levels_that_their_size_has_room_for(self, side, levels):
        assert LAPGAN.for_data(kg.data.Batches(np.zeros((1, side, 64, 1), "uint8"), batch_size=1)).levels == levels

    # The balance rule

    @pytest.mark.parametrize(
        "of_real, of_fake, discriminator, generator",
        [(0.1, 0.3, 0, 1), (0.1, 0.5, 1, 0), (0.8, 0.3, 1, 1), (0.8, 1.2, 1, 0), (0.8, 1.0, 1, 1)],
    )
    def test_the_balance_rule_by_hand(self, monkeypatch, of_real, of_fake, discriminator, generator):
        gan = self.make(balance=0.3, trained_levels=(1,))
        found = {True: [9.0, of_real], False: [0.0, of_fake]}
        monkeypatch.setattr(gan, "errors", lambda pyramid, is_real: np.array(found[is_real], "float32"))
        learns, plays = gan.learning(None, None)
        assert ops.convert_to_numpy(learns).tolist() == [0, discriminator]
        assert ops.convert_to_numpy(plays).tolist() == [0, generator]

    def test_a_resting_player_stays(self):
        """A margin below every difference: the generators rest; plain gradient descent leaves them as they are."""
        gan = self.gan(balance=0.0, compile={"g_optimizer": "sgd", "d_optimizer": "sgd"})
        for network in gan.discriminators:  # takes everything for real: the error of generated images is larger
            network.get_layer("logits").bias.assign([50.0])
        before = [values(gan.player_variables(player)) for player in gan.players]
        gan.fit(self.batches(), steps_per_epoch=1, verbose=0)
        after = [values(gan.player_variables(player)) for player in gan.players]
        assert equal(before[0], after[0]) and not equal(before[1], after[1])
        with pytest.raises(ConfigurationError, match="balance"):
            self.make(balance=-0.1)


class TestClassConditionalLAPGAN(Pyramids, ConditionalContract):
    def make(self, label_space=SPACE, **options):
        return LAPGAN(*networks(self.shape, label_size=label_space.size), label_space=label_space, **options)

    def asked(self, gan):
        return gan.generators[1]

    def test_a_generator_without_labels_is_refused(self, one):
        with pytest.raises(ConfigurationError, match=r"labels \(N, 3\)"):
            self.rebuilt(one, generators=networks(self.shape)[0], discriminators=None)
        with pytest.raises(ConfigurationError, match=r"labels \(N, 5\)"):
            self.rebuilt(one, discriminators=None, label_space=kg.data.Classes(5))

    def test_labels_count_in_the_losses(self, one):
        rows, found = self.rows(), []
        start = values([one.evaluation_seeds.state])[0]
        for labels in (rows["labels"], rows["labels"], (rows["labels"] + 1) % 3):
            one.evaluation_seeds.state.assign(start)
            found.append(one.evaluate(rows["images"], labels, batch_size=8, return_dict=True, verbose=0))
        assert found[0] == found[1] != found[2]

    def test_every_level_hears_the_label(self, one):
        residuals, coarse = one.real_pyramid(to_float(self.rows(3)["images"]))
        same, other = (SPACE.encode(np.array(labels)) for labels in ([0, 0, 0], [2, 2, 2]))
        logits = arrays_of(one.score(residuals, coarse, [labels], training=False) for labels in (same, other))
        assert (logits[0] != logits[1]).any(axis=0).all()
        latents = ops.convert_to_tensor(self.inputs(one, 3)["noise"])
        made = [arrays_of(one.residuals(latents, coarse, [labels], training=False)) for labels in (same, other)]
        assert all((a != b).any() for a, b in zip(*made))

    def test_scales_follow_the_labels(self, one):
        coarse, fine = one.scales(2, seed=1, labels=[2, 0])
        np.testing.assert_array_equal(fine, one.generate(2, seed=1, labels=[2, 0]))
        assert coarse.shape == (2, 4, 4, 3)


def test_the_papers_networks():
    """Page's table for 32x32: 4 -> 64 -> 64 -> 3 planes by 7x7, 7x7, 5x5; 3 -> 64 -> 64 by 5x5, then one unit."""
    gan = LAPGAN(image_shape=(32, 32, 3), levels=3)
    level = gan.generators[0]
    assert level.count_params() == (4 * 49 * 64 + 64) + (64 * 49 * 64 + 64) + (64 * 25 * 3 + 3)
    level = gan.discriminators[0]
    assert level.get_layer("conv1").output.shape[1:] == (12, 12, 64)
    assert level.count_params() == (3 * 25 * 64 + 64) + (64 * 25 * 64 + 64) + (12 * 12 * 64 + 1)
    assert gan.generators[2].count_params() == (100 * 1200 + 1200) + (1200 * 1200 + 1200) + (1200 * 192 + 192)
    assert gan.latent_dim == 100 + 16 * 16 + 32 * 32


def test_noise_is_uniform_on_both_sides_of_zero():
    prior = ops.convert_to_numpy(
        kg.LAPGAN(image_shape=(8, 8, 1), levels=1).prior(np.array([-9.0, 0.0, 9.0], "float32"))
    )
    np.testing.assert_allclose(prior, [-1.0, 0.0, 1.0], atol=1e-6)


def test_a_trained_finest_level_adds_what_is_fine():
    """Page's test 5. Other noise of level 0 changes a sample by what the next coarser image hardly keeps: of white
    noise that is (sum of the filter's squares)^2 = 7.5 % of the power. And a sample, halved, is what it was made from.
    """
    gan = kg.load("lapgan_avatars")
    noise, other = gan.noise(16, seed=0), gan.noise(16, seed=1)
    other[:, : -32 * 32] = noise[:, : -32 * 32]
    made, changed = (gan.predict(gan.prior(n), verbose=0) for n in (noise, other))
    power = np.square(changed - made).mean()
    assert 0 < np.square(ops.convert_to_numpy(halve(changed - made))).mean() < 0.25 * power
    *_, coarse, fine = (scale.astype("float32") for scale in gan.scales(16, seed=0))
    apart = np.sqrt(np.square(ops.convert_to_numpy(halve(fine)) - coarse).mean())
    assert apart < 0.2 * np.sqrt(np.square(coarse[1:] - coarse[:-1]).mean())
