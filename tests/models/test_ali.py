"""ALI: the contract, each network's gradient by hand, draws of latents, the table's sizes, and an encoder that becomes
the generator's inverse."""

import functools

import keras
import numpy as np
import pytest
from joint import JointContract
from keras import layers, ops

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.images import to_float
from keras_gans.models import bi_gan
from keras_gans.models.ali import ALI, build_discriminator, build_encoder, build_generator


class TestALI(JointContract):
    """With BiGAN's dense networks, which are tiny at 8x8."""

    def make(self, **options):
        return ALI(
            bi_gan.build_generator(self.shape, 4, units=8),
            bi_gan.build_discriminator(self.shape, 4, units=8),
            self.build_encoder(self.shape, 8),
            **options,
        )

    def build_encoder(self, shape, outputs):
        return bi_gan.build_encoder(shape, outputs, units=8)

    def test_compile_alone_is_the_paper(self):
        for optimizer in (self.gan().g_optimizer, self.gan().d_optimizer):
            config = optimizer.get_config()
            assert [config[key] for key in ("learning_rate", "beta_1")] == pytest.approx([1e-4, 0.5])

    def test_a_draw_of_latents_is_the_mean_and_sigma_times_noise(self, one):
        images = self.arrays()["images"][:5]
        with one.averages_in_use():
            code = ops.convert_to_numpy(one.encoder(to_float(images)))
        noise = one.noise(5, seed=3)
        wanted = code[:, :4] + np.exp(code[:, 4:]) * noise
        np.testing.assert_allclose(one.encode(images, seed=3), wanted, rtol=1e-4, atol=1e-5)
        assert np.abs(one.encode(images, seed=4) - wanted).max() > 0.01
        latents = ops.convert_to_tensor(noise)
        one_draw, another = (one.pass_through(latents, to_float(images))[1] for _ in range(2))
        assert np.abs(ops.convert_to_numpy(one_draw - another)).max() > 0.01

    def test_the_deviations_learn_too(self):
        gan = self.gan()
        before = gan.encoder.get_layer("code").get_weights()[0]
        gan.fit(self.batches(), steps_per_epoch=1, verbose=0)
        moved = np.abs(gan.encoder.get_layer("code").get_weights()[0] - before)
        assert moved[:, :4].max() > 0 and moved[:, 4:].max() > 0


# One step of plain descent against gradients by hand: everything is linear


LATENT, PIXELS, RATE = 2, 3, 0.1


@functools.cache
def numbers():
    """G = 3x2, E = 2x3, d = (a, b), images and latents, in float64."""
    draw = np.random.default_rng(5).normal
    return {
        "G": draw(size=(PIXELS, LATENT)),
        "E": draw(size=(LATENT, PIXELS)),
        "d": draw(size=LATENT + PIXELS),
        "x": draw(size=(6, PIXELS)).clip(-1, 1),
        "z": draw(size=(6, LATENT)),
    }


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def test_all_three_gradients_by_hand_at_the_same_weights():
    """With d_q = a E x + b x and d_p = a z + b G z: the discriminator descends -s(-d_q) (E x, x) + s(d_p) (z, G z), the
    encoder s(d_q) a x^T and the generator -s(-d_p) b z^T, s the sigmoid."""
    n, shape = numbers(), (1, 1, PIXELS)
    latents, images, other = keras.Input((LATENT,)), keras.Input(shape), keras.Input(shape)
    dense = functools.partial(layers.Dense, use_bias=False)
    generator = keras.Model(latents, layers.Reshape(shape)(dense(PIXELS)(latents)))
    encoder = keras.Model(other, dense(LATENT)(layers.Flatten()(other)))
    pair = layers.Concatenate()([latents, layers.Flatten()(images)])
    discriminator = keras.Model([latents, images], dense(1)(pair))
    generator.set_weights([n["G"].T.astype("float32")])
    encoder.set_weights([n["E"].T.astype("float32")])
    discriminator.set_weights([n["d"][:, None].astype("float32")])
    gan = ALI(generator, discriminator, encoder, seed=0)
    gan.compile(g_optimizer=keras.optimizers.SGD(RATE), d_optimizer=keras.optimizers.SGD(RATE))
    gan.latents_like = lambda images, training=True: ops.convert_to_tensor(n["z"].astype("float32"))
    gan.fit(n["x"].reshape(-1, *shape).astype("float32"), batch_size=6, shuffle=False, verbose=0)

    data = np.hstack([n["x"] @ n["E"].T, n["x"]])
    generated = np.hstack([n["z"], n["z"] @ n["G"].T])
    d_q, d_p, a, b = data @ n["d"], generated @ n["d"], n["d"][:LATENT], n["d"][LATENT:]
    expected = (
        np.outer(b, -sigmoid(-d_p) @ n["z"] / 6),
        np.outer(a, sigmoid(d_q) @ n["x"] / 6),
        (-sigmoid(-d_q) @ data + sigmoid(d_p) @ generated) / 6,
    )
    for start, network, gradient in zip((n["G"], n["E"], n["d"]), (generator, encoder, discriminator), expected):
        moved = (start - network.get_weights()[0].T.squeeze()) / RATE
        np.testing.assert_allclose(moved, gradient, rtol=1e-4, atol=1e-4)


def test_the_discriminator_judges_both_kinds_of_pairs_as_one_batch():
    """Batch norm of [0, 0] and of [1, 1] alone is 0 everywhere; of [0, 0, 1, 1] it is -1 and 1."""
    latents, images = keras.Input((1,)), keras.Input((1, 1, 1))
    pair = layers.Add()([latents, layers.Flatten()(images)])
    norm = layers.BatchNormalization(epsilon=0.0, center=False, scale=False)
    gan = ALI(
        bi_gan.build_generator((1, 1, 1), 1, units=2),
        keras.Model([latents, images], layers.Dense(1, kernel_initializer="ones")(norm(pair))),
        bi_gan.build_encoder((1, 1, 1), 1, units=2),
    )
    zeros, ones = ([np.zeros((2, 1), "float32"), np.full((2, 1, 1, 1), value, "float32")] for value in (0.0, 1.0))
    of_data, of_generated = (ops.convert_to_numpy(logits).ravel() for logits in gan.score_both(zeros, ones))
    np.testing.assert_allclose([of_data, of_generated], [[-1, -1], [1, 1]], atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="6000 steps, whose mathematics the contract tests")
def test_an_encoder_becomes_the_generators_inverse():
    """On one number x of N(0.2, 0.3), with a linear encoder and a linear decoder: E(G(z)) comes to z soon, and the
    generator to the data later. It starts at a deviation of 0.007."""
    keras.utils.set_random_seed(3)
    shape = (1, 1, 1)
    images, latents, other = keras.Input(shape), keras.Input((1,)), keras.Input(shape)
    generator = keras.Model(latents, layers.Reshape(shape)(layers.Dense(1)(latents)))
    encoder = keras.Model(other, layers.Dense(1)(layers.Flatten()(other)))
    x = layers.Concatenate()([latents, layers.Flatten()(images)])
    for _ in range(2):
        x = layers.LeakyReLU(0.2)(layers.Dense(32)(x))
    gan = ALI(generator, keras.Model([latents, images], layers.Dense(1)(x)), encoder, seed=0)
    gan.compile(*(keras.optimizers.Adam(rate, beta_1=0.5) for rate in (5e-3, 1e-2)), jit_compile=False)
    points = np.random.default_rng(0).normal(0.2, 0.3, (6400, *shape)).astype("float32").clip(-1, 1)
    gan.fit(kg.data.Batches(points, batch_size=64), epochs=60, verbose=0)
    noise = gan.noise(200, seed=0)
    made = gan.generator.predict(noise, verbose=0)
    back = gan.encoder.predict(made, verbose=0)
    assert np.abs(back - noise).mean() < 0.2
    assert abs(made.mean() - 0.2) < 0.1 and 0.15 < made.std() < 0.6


# The networks


@pytest.mark.parametrize("size, sizes", [(32, [28, 13, 10, 4, 1, 1]), (28, [24, 11, 8, 3, 1, 1])])
def test_the_tables_sizes(size, sizes):
    shape = (size, size, 3)
    encoder = build_encoder(shape, 5, base_filters=2)
    down = [encoder.get_layer(f"down{i}").output.shape[1:] for i in range(6)]
    assert [(height, width) for height, width, _ in down] == [(s, s) for s in sizes]
    assert [filters for *_, filters in down] == [2, 4, 8, 16, 32, 32] and encoder.output_shape == (None, 10)
    generator = build_generator(shape, 5, base_filters=2)
    up = [generator.get_layer(f"up{i}").output.shape[1:] for i in range(6)]
    assert [height for height, *_ in up] == [*sizes[-3::-1], size, size]
    assert [filters for *_, filters in up] == [16, 8, 4, 2, 2, 2] and generator.output_shape == (None, *shape)
    discriminator = build_discriminator(shape, 5, base_filters=2)
    judged = [discriminator.get_layer(f"image{i}").output.shape[1:] for i in range(5)]
    assert judged == [(s, s, filters) for s, filters in zip(sizes, (2, 4, 8, 16, 32))]
    assert discriminator.get_layer("both").output.shape[1:] == (64,)


def test_the_default_networks_are_the_papers():
    """Kernels and biases as the tables have them: batch norm has two weights a channel beside its averages, a maxout
    unit two pieces with a bias each, and each of the 3072 pixels a bias."""
    gan = ALI()

    def convolutions(kernels, widths):
        return sum(k * k * a * b for k, a, b in zip(kernels, widths, widths[1:]))

    widths = [3, 32, 64, 128, 256, 512, 512]
    trainable = {name: sum(int(np.prod(v.shape)) for v in getattr(gan, name).trainable_variables) for name in NETWORKS}
    assert trainable["encoder"] == convolutions([5, 4, 4, 4, 4, 1], widths) + 2 * sum(widths[1:]) + 513 * 128
    widths = [64, 256, 128, 64, 32, 32, 32]
    assert trainable["generator"] == convolutions([4, 4, 4, 4, 5, 1], widths) + 2 * sum(widths[1:]) + 32 * 3 + 3072
    widths = [3, 32, 64, 128, 256, 512]
    of_images = 2 * (convolutions([5, 4, 4, 4, 4], widths) + sum(widths[1:]))
    of_latents, of_both = 2 * (65 * 512 + 513 * 512), 2 * (2 * 1025 * 1024) + 1025
    assert trainable["discriminator"] == of_images + of_latents + of_both


NETWORKS = ("generator", "discriminator", "encoder")


def test_other_sizes_are_refused():
    for shape in ((30, 30, 1), (32, 28, 1)):
        with pytest.raises(ConfigurationError, match="32x32 or 28x28"):
            ALI(image_shape=shape)


def test_the_discriminator_looks_at_latents_and_images():
    keras.utils.set_random_seed(0)
    network = build_discriminator((28, 28, 1), 4)
    rng = np.random.default_rng(0)
    latents, images = rng.normal(size=(2, 4)).astype("float32"), rng.uniform(-1, 1, (2, 28, 28, 1)).astype("float32")
    one, other_latents, other_images = (
        ops.convert_to_numpy(network([z, x])) for z, x in ((latents, images), (-latents, images), (latents, -images))
    )
    assert np.abs(one - other_latents).min() > 0 and np.abs(one - other_images).min() > 0


def test_training_begins_at_the_mean_image():
    """Weights of 0 leave the biases alone; a pixel that is always black is a little above it."""
    images = np.random.default_rng(0).integers(0, 256, (50, 28, 28, 1)).astype("uint8")
    images[:, :4] = 0
    gan = ALI.for_data(kg.data.Batches(images, batch_size=10), latent_dim=4, ema_decay=0.9)
    latents, generator = np.ones((1, 4), "float32"), gan.generator
    with gan.averages_in_use():
        averaged = ops.convert_to_numpy(generator(latents))
    np.testing.assert_array_equal(averaged, ops.convert_to_numpy(generator(latents)))
    bias = ops.convert_to_numpy(generator.get_layer("pixels").bias.value)
    generator.set_weights([weight * 0.0 for weight in generator.get_weights()])
    generator.get_layer("pixels").bias.assign(bias)
    made = ops.convert_to_numpy(generator(latents))[0]
    np.testing.assert_allclose(made, images.mean(axis=0) / 127.5 - 1.0, atol=2.1e-3)


def test_a_generator_without_pixels_to_begin_at_is_refused():
    images, latents = keras.Input((2, 2, 1)), keras.Input((1,))
    generator = keras.Model(latents, layers.Reshape((2, 2, 1))(layers.Dense(4, name="all")(latents)))
    pair = layers.Concatenate()([latents, layers.Flatten()(images)])
    encoder = keras.Model(images, layers.Dense(1)(layers.Flatten()(images)))
    gan = ALI(generator, keras.Model([latents, images], layers.Dense(1)(pair)), encoder)
    with pytest.raises(ConfigurationError, match="a layer named 'pixels'.*all"):
        gan.initialize_from_data(np.zeros((3, 2, 2, 1), "uint8"))
    with pytest.raises(DataError, match="shape"):
        gan.initialize_from_data(np.zeros((3, 4, 4, 1), "uint8"))
