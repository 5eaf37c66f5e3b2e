"""StyleGAN: the contract, the objective by hand, styles and noise in the generator, and first states."""

import itertools

import keras
import numpy as np
import pytest
from contract import VariantContract, number, values
from keras import layers, ops

import keras_gans as kg
from keras_gans import engine
from keras_gans.errors import ConfigurationError
from keras_gans.models.style_gan import StyleGAN, build_discriminator, build_generator
from keras_gans.networks.mapping import build_mapping

WIDTHS = (6, 4)


def plain(tensor):
    return ops.convert_to_numpy(tensor)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def maps_for(generator, count=2, seed=1):
    return [random(count, *tensor.shape[1:], seed=seed + i) for i, tensor in enumerate(generator.inputs[1:])]


class TestStyleGAN(VariantContract):
    shape = (7, 7, 1)  # one size of maps: StyleGAN2's contract has the layers between two, which compile for long

    def make(self, **options):
        return StyleGAN(
            build_generator(self.shape, 6, widths=(6,)),
            build_discriminator(self.shape, widths=(6,)),
            build_mapping(4, 6, depth=1, learning_rate_multiplier=1.0),  # weights near one
            **{"gamma": 1.0, **options},
        )

    @pytest.mark.parametrize("n", [0, -1, 2.5, "3", True])  # None is as many as there are numbers of truncation
    def test_impossible_counts_are_refused(self, one, n):
        with pytest.raises(ConfigurationError, match="images|one value per image"):
            one.generate(n, seed=0, **self.given(one, 2))

    def test_losses_are_the_formula(self):
        """<a, x> with |a|^2 = 9: gamma / 2 9 is added, whatever the generated images are."""
        kernel = np.zeros((49, 1), "float32")
        kernel[[0, 5, 9], 0] = [2.0, -2.0, 1.0]
        flat = keras.Sequential([keras.Input(self.shape), layers.Flatten(), layers.Dense(1, use_bias=False)])
        flat.set_weights([kernel])
        gan = StyleGAN(self.make().generator, flat, self.make().mapping, gamma=10.0)
        real, fake = random(2, 6, *self.shape)
        real_logits, fake_logits = (x.reshape(6, -1) @ kernel[:, 0] for x in (real, fake))
        game = np.logaddexp(0, -real_logits).mean() + np.logaddexp(0, fake_logits).mean()
        assert plain(gan.loss_and_penalty(real, fake)).tolist() == pytest.approx([game + 45.0, 9.0], rel=1e-4)
        assert number(gan.generator_loss(fake)) == pytest.approx(np.logaddexp(0, -fake_logits).mean(), rel=1e-4)

    def test_optimizers_are_the_papers(self):
        config = self.gan().g_optimizer.get_config()
        found = [config[key] for key in ("learning_rate", "beta_1", "beta_2", "epsilon")]
        assert found == pytest.approx([1e-3, 0.0, 0.99, 1e-8])
        assert StyleGAN.__init__.__kwdefaults__["gamma"] == 10.0
        assert (self.make().mixing, self.make().style_decay) == (0.9, 0.995)

    # What a style is

    def test_a_style_says_mean_and_deviation_of_its_layer_alone(self):
        """y = s (x - mean) / deviation + b; a layer before does not see a later style."""
        generator = build_generator((8, 8, 1), 6, widths=WIDTHS)
        names = [f"styled{i}" for i in range(4)]
        seen = keras.Model(generator.inputs, [generator.get_layer(name).output for name in names])
        styles, maps = random(2, 4, 6), maps_for(generator)
        before = [plain(output) for output in seen([styles, *maps])]
        for i, output in enumerate(before):
            for name, statistic in (("scale", lambda x: x.std((1, 2))), ("offset", lambda x: x.mean((1, 2)))):
                wanted = plain(generator.get_layer(f"{name}{i}")(styles[:, i]))
                np.testing.assert_allclose(
                    statistic(output), np.abs(wanted) if name == "scale" else wanted, rtol=0, atol=1e-3
                )
        for i in range(4):
            other = styles.copy()
            other[:, i] += 1.0
            after = [plain(output) for output in seen([other, *maps])]
            assert [np.array_equal(a, b) for a, b in zip(before[:i], after[:i])] == [True] * i
            assert not np.allclose(before[i], after[i])

    def test_scales_begin_around_one_and_offsets_around_zero(self):
        generator = build_generator((8, 8, 1), 6, widths=WIDTHS)
        for i in range(4):
            scale, offset = (generator.get_layer(f"{name}{i}") for name in ("scale", "offset"))
            assert (plain(scale.bias) == 1.0).all() and (plain(offset.bias) == 0.0).all()
            assert scale.gain == offset.gain == 1.0

    def test_noise_does_nothing_at_first_and_moves_each_channel_by_its_strength(self):
        generator = build_generator((8, 8, 1), 6, widths=WIDTHS)
        styles = random(2, 4, 6)
        first, second = (plain(generator([styles, *maps_for(generator, seed=seed)])) for seed in (1, 9))
        np.testing.assert_array_equal(first, second)
        layer = generator.get_layer("noisy3")
        assert layer.strength.shape == (4,)
        layer.strength.assign(np.array([0.0, 0.0, 2.0, 0.0]))
        x, noise = random(2, 8, 8, 4), random(2, 8, 8, 1, seed=3)
        made = plain(layer([x, noise]))
        np.testing.assert_allclose(made - x, noise * np.array([0.0, 0.0, 2.0, 0.0]), rtol=0, atol=1e-6)
        third = plain(generator([styles, *maps_for(generator, seed=9)]))
        assert not np.allclose(first, third)

    def test_every_update_draws_latents_and_noise_of_its_own(self, watched):
        fakes = [plain(inputs[1]) for player, inputs in watched.inputs if player == "discriminator"]
        fakes += [plain(inputs[0]) for player, inputs in watched.inputs if player == "generator"]
        assert len({fake.tobytes() for fake in fakes}) == len(fakes) == 8

    def test_r1_reaches_the_discriminator_and_not_the_generator(self):
        gan = self.make()
        real, fake = random(2, 4, *self.shape)
        variables = [*gan.player_variables("discriminator"), *gan.player_variables("generator")]
        _, slopes = engine.value_and_grad(lambda: gan.loss_and_penalty(real, fake)[1], variables)
        moved = [slope is not None and bool(np.any(plain(slope))) for slope in slopes]
        count = len(gan.player_variables("discriminator"))
        assert any(moved[:count]) and not any(moved[count:])

    def test_truncation_to_the_average_makes_one_image(self, one):
        average = values([one.style_average.average])[0]
        assert np.abs(average).max() > 0.0  # it was trained
        made = one.generate(4, seed=0, truncation_psi=0.0)
        assert len(np.unique(made.reshape(4, -1), axis=0)) == 1
        whole = one.generate(4, seed=0, truncation_psi=1.0)
        np.testing.assert_array_equal(whole, one.generate(4, seed=0))

    @pytest.mark.parametrize("options", [{"gamma": -1.0}, {"gamma": "a"}, {"mixing": 1.5}, {"style_decay": 1.0}])
    def test_numbers_of_its_own_out_of_range_are_refused(self, options):
        with pytest.raises(ConfigurationError, match=next(iter(options)).removeprefix("style_")):
            self.make(**options)


# Networks


def test_signals_keep_their_size_on_their_way():
    keras.utils.set_random_seed(0)
    widths = (64, 64, 64)
    generator = build_generator((16, 16, 3), 32, widths=widths)
    styles = np.repeat(random(32, 1, 32), 6, axis=1)
    assert plain(generator([styles, *maps_for(generator, 32)])).std() == pytest.approx(1.4, rel=0.3)  # s^2 + b^2 = 2
    discriminator = build_discriminator((16, 16, 3), widths=widths)
    inner = keras.Model(discriminator.input, discriminator.get_layer("dense").output)
    assert 0.3 < plain(inner(random(32, 16, 16, 3))).std() < 3.0


def test_parameters_of_the_papers_networks():
    """The paper: 26.2 million in the generator for 1024x1024, of which the mapping network has 2.1 million."""

    def counted(widths):
        pairs = [(512, 512)] + [pair for a, b in itertools.pairwise(widths) for pair in ((a, b), (b, b))]
        channels = [512, *(b for _, b in pairs)]
        convolutions = sum(9 * a * b + b for a, b in pairs) + widths[-1] * 3 + 3
        return 16 * 512 + convolutions + sum(channels) + sum(2 * (512 * c + c) for c in channels)  # map, noise, styles

    assert counted((512,) * 4 + (256, 128, 64, 32, 16)) + 8 * (512 * 512 + 512) == pytest.approx(26.2e6, rel=0.002)
    widths = (512, 512, 512, 512, 256)
    assert build_generator((64, 64, 3), 512, widths=widths).count_params() == counted(widths)
    assert build_mapping(512, 512).count_params() == 8 * (512 * 512 + 512)


@pytest.mark.parametrize(
    "options, match",
    [
        ({"image_shape": (30, 30, 1)}, "power of two"),
        ({"image_shape": (8, 8, 1), "widths": (8,)}, "each of the 2 maps 4x4, 8x8"),
        ({"image_shape": (8, 8, 1), "widths": (8, 0)}, "widths with a number of 1 or more"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(options, match):
    for build in (build_generator, build_discriminator):
        with pytest.raises(ConfigurationError, match=match):
            build(**options)
    with pytest.raises(ConfigurationError, match="style_dim"):
        build_generator((8, 8, 1), 0)


def test_default_networks_are_small_enough_for_a_first_try():
    gan = kg.StyleGAN(image_shape=(32, 32, 3))
    assert gan.style_layers == 8 and len(gan.noise_shapes) == 8
    assert len([layer for layer in gan.mapping.layers if "mapping" in layer.name and layer.weights]) == 8
    assert gan.generator.count_params() + gan.discriminator.count_params() + gan.mapping.count_params() < 1e6
