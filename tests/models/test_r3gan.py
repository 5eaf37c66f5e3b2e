"""R3GAN: the contract, the parameters of the paper's networks, their first state, and both objectives."""

import math

import keras
import numpy as np
import pytest
from contract import VariantContract, equal, number, slow_on_jax, training_state
from keras import layers, ops

import keras_gans as kg
from keras_gans.errors import ConfigurationError
from keras_gans.models.r3gan import GAIN, R3GAN, build_discriminator, build_generator
from keras_gans.optimizers import RisingAdam

SMALL = {"widths": (8, 4), "cardinality": 1, "blocks": 1}


def softplus(values):
    return np.logaddexp(0.0, values)


def flat(kernel, shape=(8, 8, 1)):
    """The discriminator <a, x>, whose penalties are |a|^2 everywhere."""
    network = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(1, use_bias=False)])
    network.set_weights([np.reshape(kernel, (-1, 1))])
    return network


class TestR3GAN(VariantContract):
    def make(self, **options):
        return R3GAN(build_generator(self.shape, 4, **SMALL), build_discriminator(self.shape, **SMALL), **options)

    def images(self, count=6, seed=0):
        return np.random.default_rng(seed).uniform(-1, 1, (2, count, *self.shape)).astype("float32")

    def test_losses_are_the_formula(self):
        """|a|^2 = 9 for both penalties: gamma / 2 (9 + 9)."""
        kernel = np.zeros(64, "float32")
        kernel[[0, 5, 9]] = [2.0, -2.0, 1.0]
        gan = R3GAN(self.make().generator, flat(kernel), gamma=0.7)
        real, fake = self.images()
        r = (real - fake).reshape(6, -1) @ kernel
        vector = ops.convert_to_numpy(gan.loss_and_penalties(real, fake))
        assert vector.tolist() == pytest.approx([softplus(-r).mean() + 0.7 * 9.0, 9.0, 9.0], rel=1e-4)
        assert number(gan.generator_loss(fake, real)) == pytest.approx(softplus(r).mean(), rel=1e-4)

    def test_images_are_paired_by_their_place(self):
        """Logits (0, 10) of both are undecided, but not with the generated ones swapped: their mean is the same."""
        gan = R3GAN(self.make().generator, flat(np.eye(64, dtype="float32")[0] * 10.0))
        images = np.zeros((2, *self.shape), "float32")
        images[1, 0, 0, 0] = 1.0
        assert number(gan.generator_loss(images, images)) == pytest.approx(np.log(2.0), rel=1e-5)
        assert number(gan.generator_loss(images[::-1].copy(), images)) == pytest.approx(5.0, rel=1e-3)

    def test_a_constant_added_to_the_logits_changes_nothing(self):
        network = keras.Sequential([keras.Input(self.shape), layers.Flatten(), layers.Dense(1)])
        gan, found = R3GAN(self.make().generator, network), []
        for bias in (0.0, 3.0):
            network.layers[-1].bias.assign([bias])
            real, fake = self.images()
            found.append(
                [*ops.convert_to_numpy(gan.loss_and_penalties(real, fake)), number(gan.generator_loss(fake, real))]
            )
        assert found[0] == pytest.approx(found[1], rel=1e-5)

    def test_finite_differences_take_a_share_of_the_batch_and_estimate_the_same(self, monkeypatch):
        kernel, seen = np.full(64, 3.0 / 8.0, "float32"), []
        gan = R3GAN(self.make().generator, flat(kernel), finite_differences=0.25)
        score = gan.score
        monkeypatch.setattr(gan, "score", lambda images, training: seen.append(len(images)) or score(images, training))
        real, fake = self.images(count=4002)
        _, r1, r2 = ops.convert_to_numpy(gan.loss_and_penalties(real, fake))
        assert sorted(seen) == [1001] * 4 + [4002] * 2  # a quarter, rounded up
        assert [r1, r2] == pytest.approx([9.0, 9.0], abs=4 * 9 * math.sqrt(2 / 1001))
        assert r1 != r2  # noise of their own

    @pytest.mark.parametrize(
        "step, gamma, rate, beta_2",
        [(0, 2.0, 2e-4, 0.9), (50, 1.1, 1.25e-4, 0.945), (100, 0.2, 5e-5, 0.99), (1000, 0.2, 5e-5, 0.99)],
    )
    def test_gamma_and_rates_fall_and_beta_2_rises_along_half_a_cosine(self, step, gamma, rate, beta_2):
        gan = self.gan(gamma=2.0, decay_steps=100, discriminator_steps=2)
        gan.step.assign(step)
        assert number(gan.current_gamma()) == pytest.approx(gamma, rel=1e-5)
        for optimizer, updates in ((gan.g_optimizer, step), (gan.d_optimizer, 2 * step)):
            optimizer.iterations.assign(updates)
            assert number(optimizer.learning_rate) == pytest.approx(rate, rel=1e-5)
            assert number(optimizer.beta_2) == pytest.approx(beta_2, rel=1e-5)

    def test_a_run_with_schedules_is_resumed_exactly(self, tmp_path):
        first, whole = (self.trained(epochs, decay_steps=8) for epochs in (1, 2))
        first.save(tmp_path / "x.keras")
        resumed = keras.saving.load_model(tmp_path / "x.keras")
        resumed.fit(self.batches(), initial_epoch=1, epochs=2, verbose=0)
        assert type(resumed.g_optimizer) is RisingAdam
        assert equal(training_state(resumed), training_state(whole))

    def test_without_a_schedule_all_stays(self):
        constant = self.gan(gamma=2.0)
        assert constant.current_gamma() == 2.0
        config = constant.g_optimizer.get_config()
        assert [config[key] for key in ("learning_rate", "beta_1", "beta_2")] == pytest.approx([2e-4, 0.0, 0.99])

    def test_batch_normalization_in_the_discriminator_is_refused(self):
        network = keras.Sequential(
            [keras.Input(self.shape), layers.BatchNormalization(), layers.Flatten(), layers.Dense(1)]
        )
        with pytest.raises(ConfigurationError, match="without batch normalization"):
            R3GAN(self.make().generator, network)

    def test_arguments_survive_a_save(self, tmp_path):
        gan = self.make(gamma=0.3, decay_steps=7, finite_differences=0.5)
        gan.save(tmp_path / "x.keras")
        read = keras.saving.load_model(tmp_path / "x.keras")
        assert (read.gamma, read.decay_steps, read.finite_differences) == (0.3, 7, 0.5)

    @pytest.mark.parametrize(
        "options",
        [{"gamma": 0.0}, {"gamma": -1.0}, {"gamma": True}, {"decay_steps": 0}, {"decay_steps": 1.5}]
        + [{"finite_differences": share} for share in (0.0, 1.5, True, "half")],
    )
    def test_numbers_out_of_range_are_refused(self, options):
        with pytest.raises(ConfigurationError, match=next(iter(options))):
            self.make(**options)


# Networks


@slow_on_jax
def test_parameters_of_the_papers_networks():
    """The published counts for FFHQ-256: 23.058 and 23.010 million."""
    shape, widths = (256, 256, 3), (768, 768, 768, 768, 384, 192, 96)
    options = {"widths": widths, "cardinality": [width // 8 for width in widths]}
    assert build_generator(shape, **options).count_params() == 23_057_952
    assert build_discriminator(shape, **options).count_params() == 23_009_568


def test_each_network_begins_as_its_resampling():
    """The blocks are the identity, so the generator is linear: G(a z1 + b z2) = a G(z1) + b G(z2)."""
    generator = build_generator((16, 16, 3), 8, widths=(16, 8, 8), cardinality=2)
    first, second = np.random.default_rng(0).normal(size=(2, 4, 8)).astype("float32")
    made = [ops.convert_to_numpy(generator(z)) for z in (first, second, 2.0 * first - 3.0 * second)]
    np.testing.assert_allclose(made[2], 2.0 * made[0] - 3.0 * made[1], rtol=0, atol=1e-4)
    assert made[0].std() > 0.1


def test_images_are_bounded_where_the_tanh_overshoots():
    for overshoot, expected in ((None, 3.0), (0.0, math.tanh(3.0)), (0.1, 1.0)):
        generator = build_generator((8, 8, 1), 4, **SMALL, overshoot=overshoot)
        end = keras.Model(generator.get_layer("to_image").output, generator.output)
        assert number(end(np.full((1, 8, 8, 1), 3.0))[0, 0, 0, 0]) == pytest.approx(expected, rel=1e-6)


def test_first_weights_have_the_papers_deviations():
    """gain L^(-1/4) / sqrt(fan-in), with L = 6 blocks; the last of a block is zero."""
    network = build_discriminator((16, 16, 3), widths=(64, 64, 64), cardinality=4)
    initial = GAIN * 6**-0.25
    for layer in network.layers:
        if layer.name.endswith("_wide"):
            assert np.std(layer.get_weights()[0]) == pytest.approx(initial / math.sqrt(64), rel=0.1)
        elif layer.name.endswith("_grouped"):
            kernel, bias = layer.get_weights()
            assert kernel.shape == (3, 3, 32, 128) and not bias.any()
            assert np.std(kernel) == pytest.approx(initial / math.sqrt(9 * 32), rel=0.1)
        elif layer.name.endswith("_narrow"):
            assert not layer.get_weights()[0].any()
    assert not any(
        isinstance(layer, (layers.BatchNormalization, layers.GroupNormalization)) for layer in network.layers
    )


@pytest.mark.parametrize("shape, smallest", [((28, 28, 1), (7, 7)), ((32, 32, 3), (4, 4)), ((16, 24, 3), (4, 6))])
def test_sizes_are_halved_until_a_side_is_below_eight(shape, smallest):
    stages = {(7, 7): 3, (4, 4): 4, (4, 6): 3}[smallest]
    generator = build_generator(shape, 4, widths=[4] * stages, cardinality=1, blocks=1)
    assert generator.get_layer("basis").output.shape[1:3] == smallest
    assert generator(np.zeros((2, 4), "float32")).shape == (2, *shape)
    discriminator = build_discriminator(shape, widths=[4] * stages, cardinality=1, blocks=1)
    assert discriminator(np.zeros((2, *shape), "float32")).shape == (2, 1)


@pytest.mark.parametrize(
    "options, match",
    [
        ({"image_shape": (6, 6, 1)}, "even and 8 or more"),
        ({"image_shape": (16, 16, 1), "widths": (8, 8)}, "each of the 3 maps 4x4, 8x8, 16x16"),
        ({"image_shape": (8, 8, 1), "widths": (8, 0)}, "widths with a number of 1 or more"),
        ({"image_shape": (8, 8, 1), "widths": (8, 8), "cardinality": (1, 2, 1)}, "cardinality with a number"),
        ({"image_shape": (8, 8, 1), "widths": (8, 8), "cardinality": 5}, "divides twice the width"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(options, match):
    for build in (build_generator, build_discriminator):
        with pytest.raises(ConfigurationError, match=match):
            build(**options)


def test_default_networks_are_small_enough_for_a_first_try():
    gan = kg.R3GAN(image_shape=(64, 64, 3))
    assert gan.generator.get_layer("width4").kernel.shape == (1, 1, 64, 32)
    assert gan.generator.count_params() + gan.discriminator.count_params() < 3e6
