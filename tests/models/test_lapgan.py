"""LAPGAN: the contract on pyramids, levels that are trained apart, the balance rule, and its class-conditional form."""

import keras
import numpy as np
import pytest
from conditional import SPACE, ConditionalContract
from contract import VariantContract, equal, values
from keras import layers, ops

import keras_gans as kg
from keras_gans.errors import ConfigurationError
from keras_gans.images import to_float
from keras_gans.models.lapgan import LAPGAN, build_discriminator, build_generator, sizes_of
from keras_gans.pyramids import halve


def networks(shape, levels=2, label_size=0):
    options = {"filters": 4, "label_size": label_size}
    return (
        build_generator(shape, levels, 4, kernel_sizes=(3, 3), units=8, **options),
        build_discriminator(shape, levels, kernel_size=3, units=8, **options),
    )


class Pyramids:
    """What both forms share: the discriminator judges [labels, h_0, l_0, I_1]."""

    logits = 2
    shape = (8, 8, 3)  # PyTorch 2.13's CPU kernel fails at one image of one channel: "grad_weight must be contiguous"

    def seen(self, examples):
        return halve(to_float(examples))  # the last of what is judged

    def test_networks_that_do_not_fit_are_refused(self, one):
        judged = one.discriminator.inputs
        flat = layers.Concatenate()([layers.Flatten()(x) for x in judged])
        other = keras.Sequential([keras.Input((6, 6, 3)), layers.Flatten(), layers.Dense(2)])
        cases = [
            (keras.Model(judged, layers.Dense(2, activation="sigmoid")(flat)), "sigmoid"),
            (other, "takes what the generator makes"),
            ("discriminator", "built"),
        ]
        for discriminator, message in cases:
            with pytest.raises(ConfigurationError, match=message):
                self.rebuilt(one, one.generator, discriminator)
        with pytest.raises(ConfigurationError, match="generator"):
            self.rebuilt(one, None, one.discriminator)


class TestLAPGAN(Pyramids, VariantContract):
    def make(self, **options):
        return LAPGAN(*networks(self.shape), **options)

    def judged(self, gan, images):
        return gan.real_pyramid(ops.convert_to_tensor(images))

    def losses(self, gan, real, latents):
        raise AssertionError("of pyramids: see the test of evaluate")

    def test_evaluate_is_the_loss_in_inference_mode(self):
        gan = self.trained()
        images = to_float(self.arrays()[0][:8])
        seed = gan.evaluation_seeds.state
        start = values([seed])[0]
        losses = gan.evaluate(ops.convert_to_numpy(images), batch_size=8, return_dict=True, verbose=0)
        seed.assign(start)
        real = gan.real_pyramid(images)
        made = gan.residuals(gan.latents_like(images, training=False), real, training=False)
        d_real, d_fake = (
            ops.convert_to_numpy(gan.discriminator(pyramid, training=False)).astype("float64")
            for pyramid in (real, gan.beside(made, real))
        )
        expected = (np.log1p(np.exp(-d_real)) + np.log1p(np.exp(d_fake))).mean(0).sum()
        assert losses["d_loss"] == pytest.approx(expected, rel=1e-4)
        assert losses["g_loss"] == pytest.approx(np.log1p(np.exp(-d_fake)).mean(0).sum(), rel=1e-4)

    # The pyramid

    @pytest.mark.parametrize("shape, levels", [((32, 32, 3), 4), ((28, 28, 1), 3), ((18, 30, 1), 2), ((8, 8, 1), 1)])
    def test_residuals_over_the_doubled_coarse_images_are_the_images(self, shape, levels):
        gan = LAPGAN(*networks(shape, levels))
        images = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype("float32")
        pyramid = [ops.convert_to_numpy(x) for x in gan.real_pyramid(images)]
        assert len(pyramid) == 2 * levels - 1
        assert [x.shape[1:3] for x in pyramid[::2]] == sizes_of(shape, levels)
        finer = images
        for level in range(levels - 1):
            np.testing.assert_allclose(pyramid[2 * level] + pyramid[2 * level + 1], finer, atol=1e-5)
            finer = ops.convert_to_numpy(halve(finer))
        np.testing.assert_allclose(pyramid[-1], finer, atol=1e-5)

    def test_sampling_with_true_residuals_is_the_image(self, monkeypatch):
        """Generators that know h_0, h_1 and I_2 by heart are asked for them over the true coarse images."""
        shape = (18, 12, 3)
        gan = LAPGAN(*networks(shape, levels=3))
        images = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype("float32")
        h0, coarse0, h1, coarse1, coarsest = (ops.convert_to_numpy(x) for x in gan.real_pyramid(images))
        seen = {}

        def knows(level, residual):
            def call(inputs, **options):
                seen[level] = [ops.convert_to_numpy(x) for x in keras.tree.flatten(inputs)][1:]  # without the noise
                return ops.convert_to_tensor(residual)

            monkeypatch.setattr(gan.generator.get_layer(f"level{level}"), "call", call)

        for level, residual in enumerate((h0, h1, coarsest)):
            knows(level, residual)
        made = ops.convert_to_numpy(gan.generator(gan.inputs_like(2, 0), training=False))
        np.testing.assert_allclose(made, images, atol=1e-5)
        assert [len(seen[level]) for level in range(3)] == [1, 1, 0]
        np.testing.assert_allclose(seen[0][0], coarse0, atol=1e-5)
        np.testing.assert_allclose(seen[1][0], coarse1, atol=1e-5)

    def test_the_discriminator_sees_the_sum(self, one):
        h, coarse, coarsest = (ops.convert_to_numpy(x) for x in one.real_pyramid(to_float(self.arrays()[0][:3])))
        plain = one.discriminator.predict([h, coarse, coarsest], verbose=0)
        moved = one.discriminator.predict([h + 0.25, coarse - 0.25, coarsest], verbose=0)
        np.testing.assert_allclose(moved, plain, atol=1e-5)
        assert not np.allclose(one.discriminator.predict([h, coarse + 0.25, coarsest], verbose=0)[:, 0], plain[:, 0])

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
            return [*(values(getattr(gan, player).get_layer(f"level{k}").weights) for player in
                      ("generator", "discriminator"))]  # fmt: skip

        before = [weights(k) for k in range(2)]
        gan.fit(self.batches(), verbose=0)
        after = [weights(k) for k in range(2)]
        moved = [not all(equal(a, b) for a, b in zip(before[k], after[k])) for k in range(2)]
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
            networks = (getattr(gan, player).get_layer(f"level{level}") for player in ("generator", "discriminator"))
            runs.append([value for network in networks for value in values(network.weights)])
        assert max(np.abs(a - b).max() for a, b in zip(*runs)) < 1e-6

    def test_other_levels_need_another_compile(self):
        gan = self.gan()
        gan.trained_levels = np.array([1])
        assert gan.trained_levels == (1,) and type(gan.get_config()["trained_levels"][0]) is int
        with pytest.raises(ConfigurationError, match=r"Call compile\(\) first"):
            gan.fit(self.batches(), verbose=0)

    def test_a_generator_without_levels_is_refused(self, one):
        latents = keras.Input((4,))
        plain = keras.Model(latents, keras.layers.Reshape((8, 8, 3))(keras.layers.Dense(192)(latents)))
        for discriminator in (None, one.discriminator):
            with pytest.raises(ConfigurationError, match="layers level0, image0"):
                LAPGAN(plain, discriminator)
        with pytest.raises(ConfigurationError, match="label_space such as"):
            LAPGAN(image_shape=(32, 32, 3), label_space=10)

    @pytest.mark.parametrize("levels", [(), (2,), (-1,), (0, 0), 1, [[0]], [True], [0.0], "1"], ids=str)
    def test_levels_that_are_not_there_are_refused(self, one, levels):
        with pytest.raises(ConfigurationError, match="levels out of 0 to 1"):
            self.rebuilt(one, one.generator, one.discriminator, trained_levels=levels)

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
        monkeypatch.setattr(gan, "errors", lambda pyramid, real: np.array(found[real], "float32"))
        learns, plays = gan.learning(None, None)
        assert ops.convert_to_numpy(learns).tolist() == [0, discriminator]
        assert ops.convert_to_numpy(plays).tolist() == [0, generator]

    def test_a_resting_player_stays(self):
        """A margin below every difference: the generators rest; plain gradient descent leaves them as they are."""
        gan = self.gan(balance=0.0, compile={"g_optimizer": "sgd", "d_optimizer": "sgd"})
        for k in range(2):  # which takes everything for real: the error of generated images is the larger one
            gan.discriminator.get_layer(f"level{k}").get_layer("logits").bias.assign([50.0])
        before = [values(gan.player_variables(player)) for player in ("generator", "discriminator")]
        gan.fit(self.batches(), steps_per_epoch=1, verbose=0)
        after = [values(gan.player_variables(player)) for player in ("generator", "discriminator")]
        assert equal(before[0], after[0]) and not equal(before[1], after[1])
        with pytest.raises(ConfigurationError, match="balance"):
            self.make(balance=-0.1)


class TestClassConditionalLAPGAN(Pyramids, ConditionalContract):
    def make(self, label_space=SPACE, **options):
        return LAPGAN(*networks(self.shape, label_size=label_space.size), label_space=label_space, **options)

    def judged(self, gan, images):
        return gan.real_pyramid(ops.convert_to_tensor(images), [SPACE.encode(np.arange(len(images)) % 3)])

    def asked(self, gan):
        return gan.generator.get_layer("level1")

    def losses(self, gan, real, latents):
        raise AssertionError("of pyramids: TestLAPGAN tests evaluate")

    def test_evaluate_is_the_loss_in_inference_mode(self):
        """Labels count: other ones, other losses."""
        gan = self.trained()
        images, labels = (array[:8] for array in self.arrays())
        start = values([gan.evaluation_seeds.state])[0]
        found = []
        for shown in (labels, labels, (labels + 1) % 3):
            gan.evaluation_seeds.state.assign(start)
            found.append(gan.evaluate(images, shown, batch_size=8, return_dict=True, verbose=0))
        assert found[0] == found[1] != found[2]

    def test_every_level_hears_the_label(self, one):
        real = self.judged(one, to_float(self.arrays()[0][:3]))
        same, other = (SPACE.encode(np.array(labels)) for labels in ([0, 0, 0], [2, 2, 2]))
        verdicts = [one.discriminator([labels, *real[1:]], training=False) for labels in (same, other)]
        assert (ops.convert_to_numpy(verdicts[0]) != ops.convert_to_numpy(verdicts[1])).any(axis=0).all()
        latents = ops.convert_to_tensor(one.inputs_like(3, 0)[0])
        made = [one.residuals(latents, [labels, *real[1:]], training=False) for labels in (same, other)]
        assert all((ops.convert_to_numpy(a) != ops.convert_to_numpy(b)).any() for a, b in zip(*made))

    def test_scales_follow_the_labels(self, one):
        coarse, fine = one.scales(2, seed=1, labels=[2, 0])
        np.testing.assert_array_equal(fine, one.generate(2, seed=1, labels=[2, 0]))
        assert coarse.shape == (2, 4, 4, 3)


def test_the_papers_networks():
    """Page's table for 32x32: 4 -> 64 -> 64 -> 3 planes by 7x7, 7x7, 5x5; 3 -> 64 -> 64 by 5x5, then one unit."""
    gan = LAPGAN(image_shape=(32, 32, 3), levels=3)
    level = gan.generator.get_layer("level0")
    assert level.count_params() == (4 * 49 * 64 + 64) + (64 * 49 * 64 + 64) + (64 * 25 * 3 + 3)
    level = gan.discriminator.get_layer("level0")
    assert level.get_layer("conv1").output.shape[1:] == (12, 12, 64)
    assert level.count_params() == (3 * 25 * 64 + 64) + (64 * 25 * 64 + 64) + (12 * 12 * 64 + 1)
    coarsest = gan.generator.get_layer("level2")
    assert coarsest.count_params() == (100 * 1200 + 1200) + (1200 * 1200 + 1200) + (1200 * 192 + 192)
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
    first = gan.generator.get_layer("noise0").get_config()
    noise, other = gan.noise(16, seed=0), gan.noise(16, seed=1)
    other[:, : first["start"]] = noise[:, : first["start"]]
    made, changed = (gan.predict(gan.prior(n), verbose=0) for n in (noise, other))
    power = np.square(changed - made).mean()
    assert 0 < np.square(ops.convert_to_numpy(halve(changed - made))).mean() < 0.25 * power
    *_, coarse, fine = (scale.astype("float32") for scale in gan.scales(16, seed=0))
    apart = np.sqrt(np.square(ops.convert_to_numpy(halve(fine)) - coarse).mean())
    assert apart < 0.2 * np.sqrt(np.square(coarse[1:] - coarse[:-1]).mean())
