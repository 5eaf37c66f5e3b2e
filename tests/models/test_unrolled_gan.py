"""Unrolled GAN: the contract, the Dirac-GAN's closed forms, and what unrolling leaves alone."""

import keras
import numpy as np
import pytest
from contract import VariantContract, equal, largest_difference, number, slow_on_jax, values
from keras import layers, ops

from keras_gans import engine
from keras_gans.errors import ConfigurationError
from keras_gans.models.unrolled_gan import UnrolledGAN, build_discriminator, build_generator
from keras_gans.networks import dcgan


def descent(rate=0.1, **options):
    return keras.optimizers.SGD(rate, **options)


def both(make):
    return {"g_optimizer": make(), "d_optimizer": make()}


class TestUnrolledGAN(VariantContract):
    def make(self, **options):
        generator = build_generator(self.shape, latent_dim=4, units=8)
        discriminator = build_discriminator(self.shape, units=8)
        return UnrolledGAN(generator, discriminator, **{"unrolled_steps": 1, **options})  # the steps after are one loop

    def schedule(self, discriminator_steps):
        return ["discriminator"] * (discriminator_steps - 1) + ["generator", "discriminator"]

    def test_evaluation_does_not_unroll(self, one):
        images = self.encoded(one, self.rows())["images"]
        start = values([one.evaluation_seeds.state])[0]
        losses = one.batch_losses(images)
        one.evaluation_seeds.state.assign(start)
        fake = one.generator(one.latents_like(images, training=False), training=False)
        d_loss = number(one.discriminator_loss(images, fake, training=False))
        assert [number(losses["d_loss"]), number(losses["g_loss"])] == pytest.approx([d_loss, -d_loss], rel=1e-6)

    def test_compile_alone_is_the_notebook(self):
        gan = self.gan()
        for optimizer, rate in ((gan.g_optimizer, 1e-3), (gan.d_optimizer, 1e-4)):
            config = optimizer.get_config()
            assert isinstance(optimizer, keras.optimizers.Adam)
            keys = ("learning_rate", "beta_1", "beta_2", "epsilon")
            assert [config[key] for key in keys] == pytest.approx([rate, 0.5, 0.999, 1e-8])

    @pytest.mark.parametrize("steps", [-1, 1.5, True, "5"])
    def test_impossible_numbers_of_steps_are_refused(self, steps):
        with pytest.raises(ConfigurationError, match="unrolled_steps"):
            self.make(unrolled_steps=steps)

    @pytest.mark.parametrize(
        "optimizer, message",
        [
            (lambda: keras.optimizers.RMSprop(), "RMSprop"),
            (lambda: "rmsprop", "RMSprop"),
            (lambda: keras.optimizers.AdamW(), "weight_decay"),
            (lambda: keras.optimizers.Adam(amsgrad=True), "amsgrad"),
            (lambda: keras.optimizers.Adam(clipnorm=1.0), "clipnorm"),
            (lambda: descent(clipvalue=1.0), "clipvalue"),
            (lambda: descent(global_clipnorm=1.0), "global_clipnorm"),
            (lambda: descent(gradient_accumulation_steps=2), "gradient_accumulation_steps"),
            (lambda: descent(use_ema=True, ema_overwrite_frequency=2), "ema_overwrite_frequency"),
            (lambda: descent(loss_scale_factor=8.0), "loss_scale_factor"),
            (lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.RMSprop()), "RMSprop"),
        ],
    )
    def test_optimizers_that_cannot_be_unrolled_are_refused(self, optimizer, message):
        gan = self.make()
        with pytest.raises(ConfigurationError, match=message):
            gan.compile(d_optimizer=optimizer())
        assert not gan.compiled
        gan = self.make(unrolled_steps=0)
        gan.compile(d_optimizer=optimizer(), jit_compile=False)
        gan.fit(self.batches(), steps_per_epoch=1, verbose=0)


# The Dirac-GAN (Mescheder et al., 2018): data at 0, the generator at theta, d(x) = psi x


class Offset(layers.Layer):
    """latents to theta + 0 z."""

    def build(self, shape):
        self.theta = self.add_weight(shape=(1,), initializer="zeros", name="theta")

    def call(self, latents):
        return 0.0 * latents + self.theta


def dirac(theta, psi, **options):
    latents, images = keras.Input((1,)), keras.Input((1, 1, 1))
    generator = keras.Model(latents, layers.Reshape((1, 1, 1))(Offset()(latents)))
    discriminator = keras.Model(images, layers.Dense(1, use_bias=False)(layers.Flatten()(images)))
    generator.set_weights([np.array([theta], "float32")])
    discriminator.set_weights([np.array([[psi]], "float32")])
    return UnrolledGAN(generator, discriminator, seed=0, **options)


def position(gan):
    return [float(network.get_weights()[0].squeeze()) for network in (gan.generator, gan.discriminator)]


def one_step(gan, place=0.0):
    gan.fit(np.full((4, 1, 1, 1), place, "float32"), batch_size=4, verbose=0)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def softplus(x):
    return np.logaddexp(0.0, x)


def dirac_generator_loss(theta, psi, steps, update):
    """-L(theta, psi_K) with L = log 2 + softplus(psi theta) and dL/dpsi = theta sigmoid(psi theta), in float64."""
    state = None
    for k in range(steps):
        move, state = update(theta * sigmoid(psi * theta), k, state)
        psi = psi + move
    return -np.log(2.0) - softplus(psi * theta)


def descended(rate, momentum=0.0):
    def update(gradient, k, velocity):
        velocity = momentum * (velocity or 0.0) - rate * gradient
        return velocity, velocity

    return update


def adam(rate, beta_1, beta_2, epsilon, start=(0.0, 0.0, 0)):
    """Adam's update number start[2] + k + 1 from the moments start[:2], in the published order of operations."""

    def update(gradient, k, state):
        m, v = state or start[:2]
        m, v = beta_1 * m + (1 - beta_1) * gradient, beta_2 * v + (1 - beta_2) * gradient**2
        t = start[2] + k + 1
        rescaled = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        return -rescaled * m / (np.sqrt(v) + epsilon), (m, v)

    return update


def slope_in_theta(theta, psi, steps, update, h=1e-5):
    return (
        dirac_generator_loss(theta + h, psi, steps, update) - dirac_generator_loss(theta - h, psi, steps, update)
    ) / (2 * h)


@pytest.mark.parametrize("theta, psi", [(1.0, 1.0), (0.5, -2.0), (-1.5, 0.3)])
def test_no_unrolled_step_is_the_plain_simultaneous_game(theta, psi):
    """theta' = theta + h psi sigmoid(psi theta), psi' = psi - h theta sigmoid(psi theta): both from the old pair."""
    gan = dirac(theta, psi, unrolled_steps=0)
    gan.compile(**both(descent))
    one_step(gan)
    s = sigmoid(psi * theta)
    assert position(gan) == pytest.approx([theta + 0.1 * psi * s, psi - 0.1 * theta * s], rel=1e-5)


@pytest.mark.parametrize("theta, psi", [(1.0, 1.0), (0.5, -2.0), (-1.5, 0.3)])
def test_one_unrolled_step_is_the_closed_form(theta, psi):
    """psi_1 = psi - h theta s(psi theta), and d(-L(theta, psi_1))/dtheta = -s(psi_1 theta) (psi_1 + theta psi_1'), with
    psi_1' = -h (s + theta psi s (1 - s)); the discriminator still steps from psi, once."""
    h = 0.4
    gan = dirac(theta, psi, unrolled_steps=1)
    gan.compile(g_optimizer=descent(), d_optimizer=descent(h))
    one_step(gan)
    s = sigmoid(psi * theta)
    unrolled, change = psi - h * theta * s, -h * (s + theta * psi * s * (1 - s))
    slope = -sigmoid(unrolled * theta) * (unrolled + theta * change)
    assert position(gan) == pytest.approx([theta - 0.1 * slope, psi - h * theta * s], rel=1e-5)


def test_a_smoothed_target_is_in_the_real_step_and_in_the_unrolled_ones():
    """Data at c, since at 0 every target costs log 2: with the target t the slope in psi is
    L' = c (s(psi c) - t) + theta s(psi theta). The discriminator steps along it; psi_1 = psi - h L'(psi) and
    d(-L(theta, psi_1))/dtheta = -s(psi_1 theta) psi_1 - L'(psi_1) psi_1', with psi_1' as above."""
    theta, psi, c, t, h = 0.8, -0.7, 0.5, 0.9, 0.4
    gan = dirac(theta, psi, unrolled_steps=1)
    gan.compile(g_optimizer=descent(), d_optimizer=descent(h))
    gan.real_target.assign(t)
    one_step(gan, place=c)

    def slope(psi):
        return c * (sigmoid(psi * c) - t) + theta * sigmoid(psi * theta)

    s = sigmoid(psi * theta)
    unrolled, change = psi - h * slope(psi), -h * (s + theta * psi * s * (1 - s))
    of_theta = -sigmoid(unrolled * theta) * unrolled - slope(unrolled) * change
    assert position(gan) == pytest.approx([theta - 0.1 * of_theta, psi - h * slope(psi)], rel=1e-5)


# Moments as a run leaves them: they enter the unrolled updates, and so does the count of updates.
MOMENTUM, VELOCITY, UPDATES = 0.3, 0.05, 7


@slow_on_jax
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("name", ["SGD", "momentum", "Adam", "Adam in a run"])
def test_the_generators_gradient_is_that_of_finite_differences(name, steps):
    theta, psi, rate = 0.8, -0.7, 0.2
    optimizer, update = {
        "SGD": lambda: (descent(rate), descended(rate)),
        "momentum": lambda: (descent(rate, momentum=0.9), descended(rate, 0.9)),
        "Adam": lambda: (keras.optimizers.Adam(rate, beta_1=0.5, epsilon=1e-2), adam(rate, 0.5, 0.999, 1e-2)),
        "Adam in a run": lambda: (
            keras.optimizers.Adam(rate, beta_1=0.5, epsilon=1e-2),
            adam(rate, 0.5, 0.999, 1e-2, (MOMENTUM, VELOCITY, UPDATES)),
        ),
    }[name]()
    gan = dirac(theta, psi, unrolled_steps=steps)
    gan.compile(g_optimizer=descent(), d_optimizer=optimizer)
    if name == "Adam in a run":
        optimizer.iterations.assign(UPDATES)
        optimizer._momentums[0].assign([[MOMENTUM]])
        optimizer._velocities[0].assign([[VELOCITY]])
    one_step(gan)
    slope = slope_in_theta(theta, psi, steps, update)
    assert (theta - position(gan)[0]) / 0.1 == pytest.approx(slope, rel=2e-4)
    move, _ = update(theta * sigmoid(psi * theta), 0, None)  # once, from psi, whatever was foreseen
    assert position(gan)[1] == pytest.approx(psi + move, rel=1e-5)
    assert int(optimizer.iterations) == (UPDATES + 1 if name == "Adam in a run" else 1)


# The unrolled weights are those that the real optimizer would reach


def small_discriminator(*between, **dense):
    images = keras.Input((8, 8, 1))
    x = layers.Dense(6, activation="tanh", **dense)(layers.Flatten()(images))
    for layer in between:
        x = layer(x)
    return keras.Model(images, layers.Dense(1)(x))


def batch():
    return [
        ops.convert_to_tensor(x) for x in np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 8, 1)).astype("float32")
    ]


@pytest.mark.parametrize(
    "optimizer, dense",
    [
        (lambda: keras.optimizers.Adam(0.05, beta_1=0.5), {}),
        (lambda: descent(0.3), {}),
        (lambda: descent(0.3, momentum=0.8), {}),
        (lambda: descent(0.3, momentum=0.8, nesterov=True), {}),
        (lambda: descent(0.3), {"kernel_constraint": "unit_norm"}),
    ],
    ids=["adam", "sgd", "momentum", "nesterov", "constraint"],
)
def test_unrolled_weights_are_those_of_the_real_optimizer(optimizer, dense):
    """Two real updates first, so that the moments are not zero; then three foreseen against three real."""
    keras.utils.set_random_seed(1)
    gan = UnrolledGAN(build_generator((8, 8, 1), 4, units=4), small_discriminator(**dense), unrolled_steps=3, seed=0)
    gan.compile(d_optimizer=optimizer())
    real, fake = batch()
    for _ in range(2):
        gan.minimize("discriminator", gan.discriminator_loss, real, fake)
    everything = [*gan.variables, *gan.d_optimizer.variables]
    before = values(everything)
    foreseen = [np.array(ops.convert_to_numpy(w)) for w in map(ops.stop_gradient, gan.unrolled_weights(real, fake))]
    assert equal(before, values(everything))  # unrolling moves nothing: weights, moments, step count, seeds
    start = values(gan.discriminator.trainable_variables)
    for _ in range(3):
        gan.minimize("discriminator", gan.discriminator_loss, real, fake)
    reached = values(gan.discriminator.trainable_variables)
    assert largest_difference(start, reached) > 0.05
    assert largest_difference(foreseen, reached) < 2e-6  # values near one in float32, three updates


def test_state_that_is_not_trained_stands_still():
    """Batch norm's averages and dropout's seed move by the discriminator's ordinary step alone, and the unrolled losses
    see the ordinary step's mask: with a rate of zero the generator's loss is minus the discriminator's, bit for bit."""
    keras.utils.set_random_seed(1)
    norm, drop = layers.BatchNormalization(momentum=0.5), layers.Dropout(0.5, seed=3)
    discriminator = small_discriminator(norm, drop)
    gan = UnrolledGAN(build_generator((8, 8, 1), 4, units=4), discriminator, unrolled_steps=2, seed=0)
    gan.compile(**both(lambda: descent(0.0)))
    real, fake = batch()
    moving = [norm.moving_mean, norm.moving_variance, drop.seed_generator.state]
    before = values(moving)
    g_loss, _ = engine.value_and_grad(lambda: gan.generator_loss(real, fake), gan.player_variables("discriminator"))
    assert equal(before, values(moving))
    d_loss = gan.minimize("discriminator", gan.discriminator_loss, real, fake)
    assert number(g_loss) == pytest.approx(-number(d_loss), rel=1e-6)
    once = values(moving)
    assert not any(equal([a], [b]) for a, b in zip(before, once))
    for variable, value in zip(moving, before):
        variable.assign(value)
    gan.minimize("discriminator", gan.discriminator_loss, real, fake)
    assert equal(once, values(moving))


@slow_on_jax
def test_a_weight_that_no_image_reaches_makes_no_nan():
    """Its gradient and second moment are zero, where the root's slope is infinite."""
    gan = dirac(0.0, 0.5, unrolled_steps=2)  # data and generator at 0: every gradient of psi is zero
    gan.compile()
    one_step(gan)
    assert np.isfinite(position(gan)).all()


@slow_on_jax
def test_dcgans_networks_with_batch_norm_train():
    keras.utils.set_random_seed(1)
    gan = UnrolledGAN(
        dcgan.build_generator((8, 8, 1), 4, base_filters=4),
        dcgan.build_discriminator((8, 8, 1), base_filters=4),
        unrolled_steps=2,
    )
    gan.compile()
    before = values(gan.trainable_variables)
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1)).astype("uint8")
    history = gan.fit(images, batch_size=8, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert not any(equal([a], [b]) for a, b in zip(before, values(gan.trainable_variables)))


@slow_on_jax
def test_the_image_shape_chooses_the_default_networks():
    points, images = UnrolledGAN(), UnrolledGAN(image_shape=(16, 16, 3), latent_dim=8)
    assert points.image_shape == (1, 1, 2) and points.latent_dim == 256 and points.unrolled_steps == 5
    # Notebook: 256 - 128 - 128 - 2 and 2 - 128 - 128 - 1.
    assert points.generator.count_params() == 257 * 128 + 129 * 128 + 129 * 2
    assert points.discriminator.count_params() == 3 * 128 + 129 * 128 + 129
    assert images.image_shape == (16, 16, 3) and images.latent_dim == 8
    assert any(isinstance(layer, layers.Conv2DTranspose) for layer in images.generator.layers)
