"""GRAN: the contract, the recurrence against its networks one by one, and what the steps share."""

import functools

import keras
import numpy as np
import pytest
from contract import VariantContract, number, slow_on_jax, values
from keras import layers, ops

import keras_gans as kg
from keras_gans.batch_statistics import standing_statistics
from keras_gans.engine import value_and_grad
from keras_gans.errors import ConfigurationError
from keras_gans.files import read_model
from keras_gans.models.gran import GRAN, build_discriminator, build_generator

SHAPE = (8, 8, 1)


def small(steps, shape=SHAPE, **options):
    return build_generator(shape, 4, steps=steps, base_filters=4, code_size=6, **options)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


class TestGRAN(VariantContract):
    def make(self, **options):
        return GRAN(small(2), build_discriminator(SHAPE, base_filters=4, units=8), **options)

    def test_compile_alone_is_the_published_codes(self):
        gan = self.gan()
        for optimizer, rate in ((gan.g_optimizer, 1e-4), (gan.d_optimizer, 4e-5)):
            config = optimizer.get_config()
            assert isinstance(optimizer, keras.optimizers.Adam)
            assert [config[key] for key in ("learning_rate", "beta_1", "beta_2")] == pytest.approx([rate, 0.9, 0.999])

    def test_the_penalty_is_of_the_dense_kernels_alone(self):
        gan = self.make(l2_weight=0.5)
        real, fake = (np.random.default_rng(seed).uniform(-1, 1, (3, *SHAPE)).astype("float32") for seed in (0, 1))
        with_it = number(gan.discriminator_loss(real, fake, training=False))
        gan.l2_weight = 0.0
        without = number(gan.discriminator_loss(real, fake, training=False))
        kernels = [ops.convert_to_numpy(gan.discriminator.get_layer(name).kernel) for name in ("dense", "logits")]
        squares = sum((kernel.astype("float64") ** 2).sum() for kernel in kernels)
        assert with_it - without == pytest.approx(0.5 * 0.5 * squares, rel=1e-4)

    # The canvas

    def test_the_last_canvas_is_the_image(self, one):
        canvases = one.canvases(5, seed=3)
        images = one.generate(5, seed=3)
        assert canvases.shape == (5, 2, *SHAPE) and canvases.dtype == np.uint8
        assert np.abs(canvases[:, -1].astype(int) - images).max() <= 1  # a grey level, by rounding
        assert not np.array_equal(canvases[:, 0], canvases[:, 1])
        again = one.canvases(seed=[3, 7])
        assert np.abs(again[0].astype(int) - canvases[0]).max() <= 1

    def test_the_canvases_are_of_the_moving_average(self):
        gan = self.gan(ema_decay=0.9)
        before = gan.canvases(2, seed=0)
        for weight in gan.generator.trainable_variables:
            weight.assign(weight + 0.1)
        np.testing.assert_array_equal(gan.canvases(2, seed=0), before)

    def test_the_picture_has_a_row_for_each_image(self, one):
        canvases = one.canvases(3, seed=0)
        picture = one.picture_of_canvases(canvases)
        assert picture.shape == (3 * 8, 2 * 8, 1)
        np.testing.assert_array_equal(picture[16:, :8], canvases[2, 0])
        np.testing.assert_array_equal(picture[8:16, 8:], canvases[1, 1])

    def test_a_preset_shows_its_canvases(self, one, tmp_path):
        kg.zoo.write_preset(one, tmp_path / "tiny", {"title": "tiny"})
        loaded = kg.load(str(tmp_path / "tiny"))
        assert loaded.steps == 2
        with standing_statistics(one):
            expected = one.canvases(4, seed=1)
        assert np.abs(loaded.canvases(4, seed=1).astype(int) - expected).max() <= 1

    def test_the_weight_and_the_steps_survive_a_save(self, tmp_path):
        gan = GRAN(small(3, same_noise=False), l2_weight=0.25)
        gan.save(tmp_path / "x.keras")
        loaded = read_model(tmp_path / "x.keras")
        assert loaded.l2_weight == 0.25 and loaded.steps == 3 and loaded.latent_dim == 12
        np.testing.assert_array_equal(loaded.canvases(2, seed=0), gan.canvases(2, seed=0))

    def test_generators_without_a_canvas_are_refused(self, one):
        plain = keras.Sequential([keras.Input((4,)), layers.Dense(64), layers.Reshape(SHAPE)])
        with pytest.raises(ConfigurationError, match="layers named canvas0.*Received the layers: dense"):
            GRAN(plain, one.discriminator)
        with pytest.raises(ConfigurationError, match="l2_weight"):
            self.make(l2_weight=-1.0)
        for steps in (0, 1.5, True):
            with pytest.raises(ConfigurationError, match="steps of 1 or more"):
                small(steps)
        for build in (build_generator, build_discriminator):
            with pytest.raises(ConfigurationError, match="even and 8 or more"):
                build((9, 8, 1))


# The recurrence


def by_hand(generator, z, steps, stages):
    """What each step adds to the canvas, layer after layer of the network, in inference mode."""
    layer = generator.get_layer

    def norm(name, x, step):
        return ops.convert_to_numpy(layer(name)(x, step=step, training=False))

    def of(name, x):
        return ops.convert_to_numpy(layer(name)(x))

    added = []
    for t in range(steps):
        draw = z[:, 4 * t : 4 * t + 4] if z.shape[1] > 4 else z
        h_z = np.tanh(
            norm("noise_norm", draw @ ops.convert_to_numpy(layer("noise").kernel), t if z.shape[1] > 4 else 0)
        )
        x = h_z @ ops.convert_to_numpy(layer("project_noise").kernel)
        if t > 0:
            y = functools.reduce(lambda y, stage: of(f"down{stage}", y), range(stages), added[-1])
            code = of("code", y.reshape(len(z), -1))
            h_c = np.tanh(norm("code_norm", code, t - 1))
            x = x + h_c @ ops.convert_to_numpy(layer("project_code").kernel)
        x = np.maximum(norm("project_norm", x, t), 0.0).reshape(len(z), 4, 4, -1)
        for stage in range(stages - 1):
            x = np.maximum(norm(f"up{stage}_norm", of(f"up{stage}", x), t), 0.0)
        added.append(of("to_image", x))
    return added


@pytest.mark.parametrize("steps, same_noise, stages", [(1, True, 1), (2, False, 1), (4, True, 1), (3, False, 2)])
def test_the_image_is_the_sigmoid_of_the_sum(steps, same_noise, stages):
    keras.utils.set_random_seed(0)
    shape = (4 << stages, 4 << stages, 1)
    generator = small(steps, shape, same_noise=same_noise)
    random = np.random.default_rng(1)
    # Not too far from what they were, so that no sigmoid is saturated; variances stay positive.
    generator.set_weights([w + random.uniform(-0.3, 0.3, w.shape).astype("float32") for w in generator.get_weights()])
    z = random.normal(size=(3, 4 if same_noise else 4 * steps)).astype("float32")
    added = by_hand(generator, z, steps, stages)
    assert np.std(added) > 0.1
    sums = keras.Model(generator.input, [generator.get_layer(f"canvas{t}").output for t in range(steps)])
    for canvas, expected in zip(keras.tree.flatten(sums(z, training=False)), np.cumsum(added, axis=0), strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(canvas), expected, atol=1e-4)
    images = ops.convert_to_numpy(generator(z, training=False))
    np.testing.assert_allclose(images, 2.0 * sigmoid(sum(added)) - 1.0, atol=1e-4)
    gan = GRAN(generator)
    assert gan.steps == steps and gan.hyper_parameters["steps"] == steps
    canvases = gan.canvases(noise=z)
    assert canvases.shape == (3, steps, *shape)
    expected = np.round(255.0 * sigmoid(np.cumsum(added, axis=0))).transpose(1, 0, 2, 3, 4)
    assert np.abs(canvases - expected).max() <= 1  # a grey level, by rounding


def test_the_steps_share_all_weights():
    shapes = [[v.shape for v in small(steps).trainable_variables] for steps in (2, 3, 7)]
    assert shapes[0] == shapes[1] == shapes[2]
    moving = [len(small(steps).non_trainable_variables) for steps in (2, 3, 7)]
    assert moving == [2 * (1 + steps + steps - 1) for steps in (2, 3, 7)]  # noise, projection and code


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_gradients_go_back_through_all_steps(steps):
    """The encoder learns from two steps on; of one step there is none."""
    generator = small(steps)
    encoder = [v for v in generator.trainable_variables if "code" in v.path or "down" in v.path]
    assert len(encoder) == (0 if steps == 1 else 2 + 1 + 2 + 1)
    if steps > 1:
        z = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(5, 4)).astype("float32"))
        _, slopes = value_and_grad(lambda: ops.mean(generator(z, training=True) ** 3), encoder)
        assert all(np.abs(ops.convert_to_numpy(slope)).max() > 0.0 for slope in slopes)


def test_gradients_are_those_of_the_whole_recurrence():
    """By central differences for the last layer's bias: each step adds it, and the encoder passes it on to the next."""
    generator = small(3)
    random = np.random.default_rng(0)
    generator.set_weights(
        [w + random.normal(0.0, 0.2, w.shape).astype("float32") ** 2 for w in generator.get_weights()]
    )
    z = ops.convert_to_tensor(random.normal(size=(5, 4)).astype("float32"))
    sums = keras.Model(generator.input, generator.get_layer("canvas2").output)
    bias, step = generator.get_layer("to_image").bias, 1e-3

    def loss():
        return ops.mean(ops.square(sums(z, training=False)))

    _, (slope,) = value_and_grad(loss, [bias])
    found = []
    for sign in (1.0, -1.0):
        bias.assign_add([sign * step])
        found.append(number(loss()))
        bias.assign_add([-sign * step])
    assert number(slope[0]) == pytest.approx((found[0] - found[1]) / (2 * step), rel=1e-2)  # float32, less a kink
    without_encoder = number(ops.mean(2.0 * 3.0 * sums(z, training=False)))
    assert abs(number(slope[0]) / without_encoder - 1.0) > 0.05


@slow_on_jax
def test_each_step_has_averages_of_its_own():
    generator = small(3)
    before = values(generator.non_trainable_variables)
    z = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    generator(z, training=True)
    after = values(generator.non_trainable_variables)
    assert all(not np.array_equal(a, b) for a, b in zip(before, after))
    means = [norm.moving_mean for norm in generator.get_layer("project_norm").norms]
    numbers = values(means)
    assert not np.allclose(numbers[0], numbers[1]) and not np.allclose(numbers[1], numbers[2])


def test_networks_are_the_papers():
    """Kernels and biases by hand, at 28x28: 7x7x256, 14x14x128, and the encoder's way back."""
    generator, discriminator = build_generator(), build_discriminator()
    units = 7 * 7 * 256
    trainable = sum(int(np.prod(v.shape)) for v in generator.trainable_variables)
    assert trainable == (
        (100 * 100 + 2 * 100)
        + (2 * 100 * units + 2 * units)
        + (25 * 256 * 128 + 2 * 128)
        + (25 * 128 + 1)
        + (25 * 128 + 128 + 25 * 128 * 256 + 256)
        + (100 * units + 2 * 100)
    )
    maps = [discriminator.get_layer(f"down{i}").output.shape[1:] for i in range(2)]
    assert maps == [(14, 14, 256), (7, 7, 128)]  # narrower towards the smallest
    assert discriminator.count_params() == (
        (25 * 256 + 4 * 256) + (25 * 256 * 128 + 4 * 128) + (49 * 128 * 100 + 100) + 101
    )
    larger = GRAN(image_shape=(32, 32, 3), steps=1)
    assert [larger.discriminator.get_layer(f"down{i}").output.shape[-1] for i in range(3)] == [1024, 512, 256]
    assert larger.generator.get_layer("reshape").output.shape == (None, 4, 4, 1024)
    assert [discriminator.get_layer(name).activation.__name__ for name in ("tanh", "logits")] == ["tanh", "linear"]
