"""VEEGAN: the contract, each network's gradient, and the signs of both objectives."""

import functools

import keras
import numpy as np
import pytest
from contract import equal, number, slow_on_jax, values
from joint import JointContract
from keras import layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans.models.veegan import (
    VEEGAN,
    algorithm_1_generator_loss,
    build_discriminator,
    build_generator,
    build_reconstructor,
    notebook_generator_loss,
)

OBJECTIVES = [algorithm_1_generator_loss, notebook_generator_loss]


class TestVEEGAN(JointContract):
    encoder = "reconstructor"

    def make(self, **options):
        return VEEGAN(
            build_generator(self.shape, 4, units=8),
            build_discriminator(self.shape, 4, units=8),
            build_reconstructor(self.shape, 4, units=8),
            **options,
        )

    def build_encoder(self, shape, outputs):
        return build_reconstructor(shape, outputs, units=8)

    def test_an_objective_that_is_not_a_function_is_refused(self):
        with pytest.raises(ConfigurationError, match="function"):
            self.make(generator_objective="notebook")

    def test_compile_alone_is_the_notebook(self):
        gan = self.gan()
        for optimizer in (gan.g_optimizer, gan.d_optimizer):
            config = optimizer.get_config()
            assert isinstance(optimizer, keras.optimizers.Adam)
            assert [config[key] for key in ("learning_rate", "beta_1")] == pytest.approx([1e-3, 0.7])

    def test_the_objective_survives_a_save(self, tmp_path):
        gan = self.gan(generator_objective=notebook_generator_loss)
        gan.save(tmp_path / "x.keras")
        assert keras.saving.load_model(tmp_path / "x.keras").generator_objective is notebook_generator_loss


# One step of plain descent against gradients by hand: everything is linear


LATENT, PIXELS, RATE = 2, 3, 0.1


@functools.cache
def numbers():
    """G = 3x2, F = 2x3, d = (a, b), images and latents, in float64."""
    draw = np.random.default_rng(5).normal
    return {
        "G": draw(size=(PIXELS, LATENT)),
        "F": draw(size=(LATENT, PIXELS)),
        "a": draw(size=LATENT),
        "b": draw(size=PIXELS),
        "x": draw(size=(6, PIXELS)).clip(-1, 1),
        "z": draw(size=(6, LATENT)),
    }


def linear(objective, at=(), rate=RATE, **options):
    """G(z) = G z, F(x) = F x, d(z, x) = a z + b x; a step of descent from `numbers()`, changed by `at`."""
    n = {**numbers(), **dict(at)}
    shape = (1, 1, PIXELS)
    latents, images, other = keras.Input((LATENT,)), keras.Input(shape), keras.Input(shape)
    dense = functools.partial(layers.Dense, use_bias=False)
    generator = keras.Model(latents, layers.Reshape(shape)(dense(PIXELS)(latents)))
    reconstructor = keras.Model(other, dense(LATENT)(layers.Flatten()(other)))
    pair = layers.Concatenate()([latents, layers.Flatten()(images)])
    discriminator = keras.Model([latents, images], dense(1)(pair))
    generator.set_weights([n["G"].T.astype("float32")])
    reconstructor.set_weights([n["F"].T.astype("float32")])
    discriminator.set_weights([np.concatenate([n["a"], n["b"]])[:, None].astype("float32")])
    gan = VEEGAN(generator, discriminator, reconstructor, generator_objective=objective, seed=0, **options)
    gan.compile(g_optimizer=keras.optimizers.SGD(rate), d_optimizer=keras.optimizers.SGD(rate))
    gan.latents_like = lambda images, training=True: ops.convert_to_tensor(n["z"].astype("float32"))
    gan.fit(n["x"].reshape(-1, *shape).astype("float32"), batch_size=6, shuffle=False, verbose=0)
    return gan


def steps(gan):
    """How far descent moved G, F and (a, b), over -rate: the gradients."""
    n = numbers()
    start = [n["G"], n["F"], np.concatenate([n["a"], n["b"]])]
    networks = (gan.generator, gan.reconstructor, gan.discriminator)
    return [(before - net.get_weights()[0].T.squeeze()) / RATE for before, net in zip(start, networks)]


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_all_three_gradients_by_hand_at_the_same_weights(objective):
    """With r = F G z - z: d|r|^2/dF = 2 r (G z)^T and d|r|^2/dG = 2 F^T r z^T; d(z, G z) adds b z^T to G's. The
    notebook halves the square (a mean over two latents) and adds -d(F x, x), which is -a x^T to F's. The
    discriminator's logits of generated pairs go up."""
    n = numbers()
    fake = n["z"] @ n["G"].T
    residual = fake @ n["F"].T - n["z"]
    weight = 1.0 if objective is algorithm_1_generator_loss else 1.0 / LATENT
    d_generator = weight * 2 * n["F"].T @ residual.T @ n["z"] / 6 + np.outer(n["b"], n["z"].mean(axis=0))
    d_reconstructor = weight * 2 * residual.T @ fake / 6
    if objective is notebook_generator_loss:
        d_reconstructor -= np.outer(n["a"], n["x"].mean(axis=0))
    generated, data = np.hstack([n["z"], fake]), np.hstack([n["x"] @ n["F"].T, n["x"]])
    weights = np.concatenate([n["a"], n["b"]])
    d_discriminator = -(sigmoid(-generated @ weights) @ generated) / 6 + (sigmoid(data @ weights) @ data) / 6
    for moved, expected in zip(steps(linear(objective)), (d_generator, d_reconstructor, d_discriminator)):
        np.testing.assert_allclose(moved, expected, rtol=1e-4, atol=1e-4)


def test_in_algorithm_1_the_reconstructor_does_not_see_the_discriminator():
    """One player moves the generator and the reconstructor, yet with another discriminator the latter's step is the
    same, bit for bit, and the former's is not; in the notebook's form both change."""
    other = {"a": -2.0 * numbers()["a"], "b": 3.0 + numbers()["b"]}
    for objective in OBJECTIVES:
        one, another = linear(objective), linear(objective, at=tuple(other.items()))
        assert not equal(one.generator.get_weights(), another.generator.get_weights())
        same = equal(one.reconstructor.get_weights(), another.reconstructor.get_weights())
        assert same == (objective is algorithm_1_generator_loss)


@slow_on_jax
def test_one_optimizer_for_two_networks_is_two_optimizers():
    """Adam keeps each weight's moments apart: the reconstructor's steps are those of an Adam of its own on its own
    gradient, with another discriminator too."""
    other = {"a": -2.0 * numbers()["a"], "b": 3.0 + numbers()["b"]}
    reached = []
    for at in ((), tuple(other.items())):
        gan = linear(algorithm_1_generator_loss, at, rate=0.0)
        gan.compile(g_optimizer=keras.optimizers.Adam(0.01), d_optimizer=keras.optimizers.Adam(0.01))
        gan.fit(np.zeros((6, 1, 1, PIXELS), "float32"), batch_size=6, verbose=0)
        reached.append(values(gan.reconstructor.trainable_variables)[0])
    np.testing.assert_array_equal(*reached)
    n = numbers()
    fake = n["z"] @ n["G"].T
    gradient = 2 * (fake @ n["F"].T - n["z"]).T @ fake / 6
    np.testing.assert_allclose(reached[0].T, n["F"] - 0.01 * np.sign(gradient), atol=1e-5)  # Adam's first step


def test_the_discriminators_optimum_is_positive_where_pairs_are_generated():
    gan = linear(algorithm_1_generator_loss, rate=0.0)
    pairs = [[np.zeros((6, n), "float32").reshape(6, *shape) for n, shape in ((2, (2,)), (3, (1, 1, 3)))]] * 2
    assert number(gan.discriminator_loss(*pairs)) == pytest.approx(2 * np.log(2.0), rel=1e-6)
    n = numbers()
    weights = np.concatenate([n["a"], n["b"]])
    generated = [weights[None, :2].astype("float32"), weights[None, 2:].reshape(1, 1, 1, 3).astype("float32")]
    logit = float(weights @ weights)
    data = [-part for part in generated]
    assert number(gan.discriminator_loss(data, generated)) == pytest.approx(2 * np.log1p(np.exp(-logit)), rel=1e-4)


@slow_on_jax
def test_points_are_images_of_one_pixel():
    gan = VEEGAN(image_shape=(1, 1, 2), latent_dim=3)
    assert gan.image_shape == (1, 1, 2)
    far = np.full((1, 3), 1e3, "float32")
    assert np.abs(ops.convert_to_numpy(gan.generator(far))).max() > 1.0  # points have no bounds
    assert np.abs(ops.convert_to_numpy(VEEGAN(image_shape=(2, 2, 1), latent_dim=3).generator(far))).max() <= 1.0
