"""StyleGAN2: the contract, the objective by hand, lazy regularization, mixed styles, their average, truncation."""

import math

import keras
import numpy as np
import pytest
from contract import VariantContract, equal, number, values
from keras import layers, ops

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.models.style_gan2 import StyleGAN2, build_discriminator, build_generator
from keras_gans.networks.mapping import build_mapping
from keras_gans.penalties import path_lengths

WIDTHS = (8, 4)


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


class TestStyleGAN2(VariantContract):
    def make(self, **options):
        return StyleGAN2(
            build_generator(self.shape, 6, widths=WIDTHS),
            build_discriminator(self.shape, widths=WIDTHS),
            build_mapping(4, 6, depth=1, learning_rate_multiplier=1.0),  # weights near one
            **{"r1_interval": 2, "path_interval": 2, "gamma": 1.0, **options},
        )

    def schedule(self, discriminator_steps):
        return ["generator"] + ["discriminator"] * discriminator_steps

    @pytest.mark.parametrize("n", [0, -1, 2.5, "3", True])  # None is as many as there are numbers of truncation
    def test_impossible_counts_are_refused(self, one, n):
        with pytest.raises(ConfigurationError, match="images|one value per image"):
            one.generate(n, seed=0, **self.given(one, 2))

    def trained_on_noise(self, steps, **options):
        """A model after some eager steps on one batch, and the order of its updates."""
        keras.utils.set_random_seed(0)
        gan, order = self.make(seed=3, **options), []
        gan.compile(run_eagerly=True)
        minimize, regularize = gan.minimize, gan.regularize

        def minimized(player, *inputs):
            order.append(player)
            return minimize(player, *inputs)

        def regularized(player, *inputs):
            before = int(numpy((gan.g_optimizer if player == "generator" else gan.d_optimizer).iterations))
            found = regularize(player, *inputs)
            after = int(numpy((gan.g_optimizer if player == "generator" else gan.d_optimizer).iterations))
            order.extend([f"{player} penalty"] * (after - before))
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gan, "minimize", minimized)
            patch.setattr(gan, "regularize", regularized)
            for _ in range(steps):
                gan.train_on_batch(self.rows()["images"])
        return gan, order

    # The order and the number of updates

    def test_updates_come_in_the_order_of_the_code(self):
        g, d = "generator", "discriminator"
        _, order = self.trained_on_noise(3, r1_interval=2, path_interval=3)
        assert order == [g, f"{g} penalty", d, f"{d} penalty", g, d, g, d, f"{d} penalty"]

    def test_a_weight_of_zero_takes_no_step(self):
        gan, order = self.trained_on_noise(2, gamma=0.0, path_weight=0.0)
        assert order == ["generator", "discriminator"] * 2
        assert number(gan.path_mean) == 0.0

    def test_of_thirty_two_steps_eight_and_two_take_a_penalty(self):
        gan, _ = self.trained_on_noise(0)
        counts = {"generator": 0, "discriminator": 0}
        for step in range(32):
            gan.step.assign(step)
            for player, interval in (("generator", 4), ("discriminator", 16)):
                weight = gan.player_variables(player)[0]
                due, _ = gan.regularize(player, interval, lambda: ops.reshape(ops.sum(weight * weight), (1,)), 1)
                counts[player] += int(bool(due))
        assert counts == {"generator": 8, "discriminator": 2}
        assert [int(numpy(o.iterations)) for o in (gan.g_optimizer, gan.d_optimizer)] == [8, 2]

    def test_optimizers_have_the_corrected_constants(self):
        gan = self.gan(r1_interval=16, path_interval=4)
        for optimizer, c in ((gan.g_optimizer, 4 / 5), (gan.d_optimizer, 16 / 17)):
            config = optimizer.get_config()
            found = [config[key] for key in ("learning_rate", "beta_1", "beta_2", "epsilon")]
            assert found == pytest.approx([2.5e-3 * c, 0.0, 0.99**c, 1e-8])

    def test_the_contracts_run_was_resumed_between_two_penalties(self, whole):
        """Three steps an epoch and a penalty every second: at the fourth step none is due."""
        assert whole.steps[0] % 2 == 1
        counts = [int(numpy(o.iterations)) for o in (whole.gan.g_optimizer, whole.gan.d_optimizer)]
        assert counts == [6 + 3, 2 * 6 + 3]  # two discriminator steps
        assert number(whole.gan.path_mean) != 0.0

    # The objective

    def test_losses_are_the_formula(self):
        """A linear discriminator <a, x> with |a|^2 = 9 has R1 = 9, wherever the images are."""
        kernel = np.zeros((64, 1), "float32")
        kernel[[0, 5, 9], 0] = [2.0, -2.0, 1.0]
        flat = keras.Sequential([keras.Input(self.shape), layers.Flatten(), layers.Dense(1, use_bias=False)])
        flat.set_weights([kernel])
        networks = self.make()
        gan = StyleGAN2(networks.generator, flat, networks.mapping, gamma=0.5, r1_interval=16)
        real, fake = random(2, 6, *self.shape)
        real_logits, fake_logits = (x.reshape(6, -1) @ kernel[:, 0] for x in (real, fake))
        expected = np.logaddexp(0, -real_logits).mean() + np.logaddexp(0, fake_logits).mean()
        assert number(gan.discriminator_loss(real, fake)) == pytest.approx(expected, rel=1e-4)
        assert number(gan.generator_loss(fake)) == pytest.approx(np.logaddexp(0, -fake_logits).mean(), rel=1e-4)
        assert numpy(gan.r1_loss(real)).tolist() == pytest.approx([0.25 * 9 * 16, 9.0], rel=1e-4)

    def test_path_lengths_of_a_linear_generator(self):
        """G(w) = sum over layers of A_l w_l: |J^T y|^2 is the mean over l of |A_l^T y|^2."""
        kernels, noise, styles = random(3, 2, 5 * 4 * 2), random(6, 5, 4, 2, seed=1), random(6, 3, 2, seed=2)

        def generate(styles):
            return ops.reshape(ops.einsum("nld,ldp->np", styles, kernels), (-1, 5, 4, 2))

        y = noise.reshape(6, -1).astype("float64") / math.sqrt(5 * 4)
        expected = np.sqrt(np.mean(np.sum(np.einsum("np,ldp->nld", y, kernels) ** 2, axis=2), axis=1))
        np.testing.assert_allclose(numpy(path_lengths(generate, styles, noise)), expected, rtol=1e-4)

    def test_the_path_penalty_reads_the_moved_mean(self, monkeypatch):
        gan = self.make(path_weight=2.0, path_interval=4)
        gan.path_mean.assign(3.0)
        draws, lengths = gan.draws_like(random(4, *self.shape)), np.array([1.0, 2.0, 4.0, 9.0], "float32")
        monkeypatch.setattr("keras_gans.models.style_gan2.path_lengths", lambda *_: ops.convert_to_tensor(lengths))
        loss, penalty, mean = numpy(gan.path_loss(draws, random(4, *self.shape))).tolist()
        assert mean == pytest.approx(3.0 + 0.01 * (4.0 - 3.0))
        assert penalty == pytest.approx(np.mean((lengths - mean) ** 2), rel=1e-5)
        assert loss == pytest.approx(2.0 * 4 * penalty, rel=1e-6)
        assert number(gan.path_mean) == 3.0  # the step assigns it

    def test_the_path_penalty_moves_the_mapping_and_not_the_average_of_styles(self):
        gan, _ = self.trained_on_noise(0)
        before, average = values(gan.mapping.trainable_variables), values(gan.style_average.weights)
        draws, noise = gan.draws_like(random(4, *self.shape)), random(4, *self.shape, seed=1)
        due, numbers = gan.regularize("generator", 2, lambda: gan.path_loss(draws, noise), 3)
        assert bool(due) and number(numbers[0]) > 0.0
        assert not any(np.array_equal(a, b) for a, b in zip(before, values(gan.mapping.trainable_variables)))
        assert equal(average, values(gan.style_average.weights))

    def test_r1_reaches_no_generator(self):
        gan, _ = self.trained_on_noise(0)
        before = values(gan.player_variables("generator"))
        gan.regularize("discriminator", 2, lambda: gan.r1_loss(ops.convert_to_tensor(random(4, *self.shape))), 2)
        assert equal(before, values(gan.player_variables("generator")))

    # Mixing, the average, truncation

    def test_mixed_styles_change_from_one_layer_on_for_the_whole_batch(self):
        gan, seen = self.make(mixing=0.5, seed=1), []
        for _ in range(40):
            draws = gan.draws_like(random(3, *self.shape))
            mapped, styles = map(numpy, gan.mixed_styles(draws))
            second = numpy(gan.mapping(draws[1]))
            own = (styles == mapped[:, None]).all(axis=2)
            assert (own == own[0]).all() and own[:, 0].all()
            first = int(own[0].sum())
            assert (own[0] == (np.arange(4) < first)).all()
            np.testing.assert_array_equal(styles[:, first:], np.repeat(second[:, None], 4 - first, axis=1))
            seen.append(first)
        assert set(seen) == {1, 2, 3, 4} and 10 < seen.count(4) < 30  # 4: not mixed

    def test_without_mixing_all_layers_have_one_style(self):
        gan = self.make(mixing=0.0)
        mapped, styles = gan.mixed_styles(gan.draws_like(random(3, *self.shape)))
        np.testing.assert_array_equal(numpy(styles), np.repeat(numpy(mapped)[:, None], 4, axis=1))

    def test_the_average_follows_the_first_latents_in_training_alone(self, one):
        gan = self.make(style_decay=0.5, mixing=1.0)
        draws = gan.draws_like(random(3, *self.shape))
        gan.images_from(draws)
        expected = 0.5 * numpy(gan.mapping(draws[0])).mean(axis=0)
        np.testing.assert_allclose(numpy(gan.style_average.value), expected, rtol=1e-5)
        gan.generate(2, seed=0)
        gan.batch_losses(random(2, *self.shape))
        np.testing.assert_allclose(numpy(gan.style_average.value), expected, rtol=1e-5)
        assert number(ops.max(ops.abs(one.style_average.value))) > 0.0

    def test_truncation_pulls_to_the_average(self):
        """Functions that are compiled apart may round a grey level apart."""
        gan, average = self.make(seed=0), np.linspace(-1.0, 1.0, 6).astype("float32")
        gan.style_average.average.assign(average)
        styles, whole = gan.to_styles(4, seed=0), gan.generate(4, seed=0)

        def close(images, others):
            return np.abs(images.astype(int) - others).max() <= 1

        assert styles.shape == (4, 4, 6) and close(gan.from_styles(styles), whole)
        half = gan.generate(4, seed=0, truncation_psi=0.5)
        assert close(half, gan.from_styles(average + 0.5 * (styles - average))) and not close(half, whole)
        same = gan.generate(4, seed=0, truncation_psi=0.0)
        assert (same == same[0]).all() and close(same, gan.from_styles(np.repeat(average[None], 4, axis=0)))
        first = gan.generate(4, seed=0, truncation_psi=0.0, truncation_cutoff=1)
        styles[:, :1] = average
        assert close(first, gan.from_styles(styles)) and not close(first, same)
        each = gan.generate(4, seed=0, truncation_psi=[0.0, 0.5, 1.0, 1.0], truncation_cutoff=[4, 4, 0, 2])
        assert close(each, np.stack([same[0], half[1], whole[2], whole[3]]))

    @pytest.mark.parametrize(
        "options, match",
        [
            ({"truncation_psi": float("nan")}, "truncation_psi"),
            ({"truncation_psi": "half"}, "truncation_psi"),
            ({"truncation_psi": [[0.5]]}, "truncation_psi"),
            ({"truncation_psi": 0.5, "truncation_cutoff": 5}, "whole numbers from 0 to 4"),
            ({"truncation_psi": 0.5, "truncation_cutoff": 1.5}, "whole numbers from 0 to 4"),
        ],
        ids=str,
    )
    def test_impossible_truncations_are_refused(self, one, options, match):
        with pytest.raises(DataError, match=match):
            one.generate(2, seed=0, **options)

    def test_truncation_works_under_mixed_precision(self):
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            gan = self.gan()
        finally:
            keras.config.set_dtype_policy("float32")
        gan.style_average.average.assign(np.full(gan.style_average.average.shape, 0.1001, "float32"))
        near, far = (gan.generate(2, seed=0, truncation_psi=psi, truncation_cutoff=1) for psi in (0.0, 1.0))
        assert near.shape == far.shape == (2, *gan.image_shape)
        average = gan.generate(2, seed=0, truncation_psi=0.0)
        np.testing.assert_array_equal(average[0], average[1])

    def test_counts_that_differ_are_refused(self, one):
        noise = one.noise(3, seed=0)
        with pytest.raises(ConfigurationError, match="3 noise and 2 truncation_psi"):
            one.sample(noise=noise, truncation_psi=[0.5, 0.7])

    @pytest.mark.parametrize("wrong", [np.nan, np.inf])
    def test_styles_that_are_not_finite_are_refused(self, one, wrong):
        styles = one.to_styles(2, seed=0)
        styles[0, 0, 0] = wrong
        with pytest.raises(ConfigurationError, match="finite styles"):
            one.from_styles(styles)

    def test_tools_for_noise_name_those_for_styles(self, one):
        with pytest.raises(kg.errors.UnsupportedError, match="style_directions"):
            kg.latent.first_layer_directions(one, 2)

    def test_a_cutoff_alone_is_refused(self, one):
        with pytest.raises(ConfigurationError, match="Expected truncation_psi with truncation_cutoff"):
            one.generate(2, seed=0, truncation_cutoff=1)

    def test_truncation_of_a_model_without_styles_names_those_that_have_it(self):
        gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
        with pytest.raises(ConfigurationError, match="Received: truncation_psi. It is an input of .*StyleGAN2"):
            gan.generate(2, seed=0, truncation_psi=0.7)

    @pytest.mark.parametrize("shape", [(2, 5), (2, 4, 5), (0, 6), (6,)])
    def test_styles_of_another_shape_are_refused(self, one, shape):
        with pytest.raises(ConfigurationError, match=r"styles \(N, 6\) or \(N, 4, 6\)"):
            one.from_styles(np.zeros(shape))

    # Noise maps

    def test_noise_does_nothing_at_first_and_then_only_in_training(self):
        gan = self.make()
        draws, others = (gan.draws_like(random(3, *self.shape)) for _ in range(2))
        mixed = [*draws[:3], *others[3:]]
        np.testing.assert_array_equal(numpy(gan.images_from(draws)), numpy(gan.images_from(mixed)))
        for layer in gan.generator.layers:
            if isinstance(layer, kg.layers.NoiseInjection):
                layer.strength.assign(1.0)
        assert not np.array_equal(numpy(gan.images_from(draws)), numpy(gan.images_from(mixed)))
        np.testing.assert_array_equal(gan.generate(seed=[4, 5])[0], gan.generate(seed=[4])[0])

    # What is refused

    @pytest.mark.parametrize(
        "options",
        [{"gamma": -1.0}, {"path_weight": True}, {"r1_interval": 0}, {"path_interval": 1.5}]
        + [{"mixing": 1.5}, {"mixing": -0.1}],
        ids=str,
    )
    def test_settings_out_of_range_are_refused(self, options):
        with pytest.raises(ConfigurationError, match=next(iter(options))):
            self.make(**options)

    def test_mappings_that_do_not_fit_are_refused(self, one):
        for mapping, match in ((build_mapping(4, 5, depth=1), r"styles \(N, 6\)"), (None, "mapping")):
            with pytest.raises(ConfigurationError, match=match):
                self.rebuilt(one, mapping=mapping)
        network = keras.Sequential(
            [keras.Input(self.shape), layers.BatchNormalization(), layers.Flatten(), layers.Dense(1)]
        )
        with pytest.raises(ConfigurationError, match="without batch normalization"):
            self.rebuilt(one, discriminator=network)

    def test_arguments_survive_a_save(self, tmp_path):
        options = {"gamma": 0.3, "r1_interval": 7, "path_weight": 0.5, "path_interval": 3, "mixing": 0.2}
        gan = self.make(**options, style_decay=0.9)
        gan.style_average.average.assign(np.arange(6.0))
        gan.save(tmp_path / "x.keras")
        read = keras.saving.load_model(tmp_path / "x.keras")
        assert {name: getattr(read, name) for name in options} == options and read.style_decay == 0.9
        assert numpy(read.style_average.value).tolist() == list(range(6))


# Networks


def test_mapped_latents_do_not_depend_on_the_length_of_z():
    mapping, z = build_mapping(8, 6, depth=2), random(3, 8)
    np.testing.assert_allclose(numpy(mapping(5.0 * z)), numpy(mapping(z)), rtol=1e-4, atol=1e-6)


def test_the_mapping_learns_a_hundred_times_slower():
    kernel = numpy(build_mapping(64, 128, depth=2).get_layer("mapping1").kernel)
    assert kernel.std() == pytest.approx(100.0, rel=0.05)


def test_signals_neither_vanish_nor_explode_on_their_way():
    """The filter takes the high frequencies of the first map away, which is white noise: a part of its power."""
    keras.utils.set_random_seed(0)
    generator = build_generator((32, 32, 3), 32, widths=(64,) * 4)
    names = [layer.name for layer in generator.layers if layer.name.startswith("act") and layer.name.endswith("gain")]
    middle = keras.Model(generator.inputs, [generator.get_layer(name).output for name in names])
    inputs = [random(4, *tensor.shape[1:], seed=i) for i, tensor in enumerate(generator.inputs)]
    for made in middle(inputs):
        assert 0.1 < np.mean(np.square(numpy(made).astype("float64"))) < 2.0
    assert len(names) == 7 and len(generator.inputs) == 1 + 7 and generator.inputs[0].shape == (None, 8, 32)


@pytest.mark.parametrize("shape, smallest", [((28, 28, 1), (7, 7)), ((32, 32, 3), (4, 4)), ((16, 24, 3), (4, 6))])
def test_sizes_begin_at_four_to_seven(shape, smallest):
    stages = {(7, 7): 3, (4, 4): 4, (4, 6): 3}[smallest]
    generator = build_generator(shape, 4, widths=[4] * stages)
    assert generator.get_layer("constant").output.shape[1:3] == smallest
    assert generator.output_shape == (None, *shape)
    assert build_discriminator(shape, widths=[4] * stages).output_shape == (None, 1)


@pytest.mark.parametrize(
    "options, match",
    [
        ({"image_shape": (30, 30, 1)}, "4, 5, 6 or 7 times .* 16x16 or 32x32. Received.*30"),
        ({"image_shape": (3, 3, 1)}, "such as 4x4"),
        ({"image_shape": (64, 16, 1)}, "same power of two"),
        ({"image_shape": (16, 16, 1), "widths": (8, 8)}, "each of the 3 maps 4x4, 8x8, 16x16"),
        ({"image_shape": (8, 8, 1), "widths": (8, 0)}, "widths with a number of 1 or more"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(options, match):
    for build in (build_generator, build_discriminator):
        with pytest.raises(ConfigurationError, match=match):
            build(**options)


def test_default_networks_are_small_enough_for_a_first_try():
    gan = kg.StyleGAN2(image_shape=(64, 64, 3))
    assert gan.gamma == pytest.approx(0.0002 * 64 * 64 / 32)
    assert gan.generator.count_params() + gan.discriminator.count_params() < 1e6
