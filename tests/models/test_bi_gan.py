"""BiGAN: the contract, separate passes of the discriminator, each network's gradient by hand, and the prior."""

import functools

import keras
import numpy as np
import pytest
from contract import equal, number
from joint import JointContract
from keras import layers, ops

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.models.bi_gan import BiGAN, build_discriminator, build_encoder, build_generator


class TestBiGAN(JointContract):
    def make(self, **options):
        return BiGAN(
            build_generator(self.shape, 4, units=8),
            build_discriminator(self.shape, 4, units=8),
            self.build_encoder(self.shape, 4),
            **options,
        )

    def build_encoder(self, shape, outputs):
        return build_encoder(shape, outputs, units=8)

    def test_compile_alone_is_the_paper(self):
        for optimizer in (self.gan().g_optimizer, self.gan().d_optimizer):
            config = optimizer.get_config()
            assert [config[key] for key in ("learning_rate", "beta_1")] == pytest.approx([2e-4, 0.5])

    def test_the_prior_is_uniform_on_minus_one_to_one(self, one):
        latents = np.sort(ops.convert_to_numpy(one.prior(one.noise(1000, seed=0))).ravel())
        np.testing.assert_allclose(latents, np.linspace(-1, 1, latents.size), atol=0.05)

    def test_an_encoder_of_means_and_deviations_is_refused(self, one):
        with pytest.raises(ConfigurationError, match=r"to \(4,\). Received: one from \(8, 8, 1\) to \(8,\)"):
            self.rebuilt(one, encoder=build_encoder(self.shape, 8, units=4))

    def test_the_discriminator_sees_each_kind_of_pairs_in_a_pass_of_its_own(self, one, monkeypatch):
        """Each loss has one pass of the data pairs, then one of the generated pairs."""
        images, passes = self.seen(self.rows()["images"]), []
        latents = ops.convert_to_tensor(self.latents(one, 8))
        fake, encoded = one.pass_through(latents, images, training=False)
        call = one.discriminator.call

        def watched(inputs, **options):
            passes.append([np.array(ops.convert_to_numpy(part)) for part in inputs])
            return call(inputs, **options)

        monkeypatch.setattr(one.discriminator, "call", watched)
        pairs = [encoded, images], [latents, fake]
        for loss in (one.discriminator_loss, one.generator_loss):
            loss(*pairs, training=False)
        for seen, pair in zip(passes, 2 * pairs, strict=True):
            assert equal(seen, [ops.convert_to_numpy(part) for part in pair])


def test_batch_norm_in_the_discriminator_has_the_statistics_of_one_kind_of_pairs():
    """Of [0, 0] or [1, 1] alone it makes zeros; of both as one batch it would make -1 and 1. So both losses are those
    of logits of 0, (log 2 + log 2) / 2."""
    latents, images = keras.Input((1,)), keras.Input((1, 1, 1))
    pair = layers.Add()([latents, layers.Flatten()(images)])
    norm = layers.BatchNormalization(center=False, scale=False)
    gan = BiGAN(
        build_generator((1, 1, 1), 1, units=2),
        keras.Model([latents, images], layers.Dense(1, kernel_initializer="ones")(norm(pair))),
        build_encoder((1, 1, 1), 1, units=2),
    )
    zeros, ones = ([np.zeros((2, 1), "float32"), np.full((2, 1, 1, 1), value, "float32")] for value in (0.0, 1.0))
    assert number(gan.discriminator_loss(zeros, ones)) == pytest.approx(np.log(2), rel=1e-6)
    assert number(gan.generator_loss(zeros, ones)) == pytest.approx(np.log(2), rel=1e-6)


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
    encoder s(d_q) a x^T and the generator -s(-d_p) b z^T, each halved; s is the sigmoid."""
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
    gan = BiGAN(generator, discriminator, encoder, seed=0)
    gan.compile(g_optimizer=keras.optimizers.SGD(RATE), d_optimizer=keras.optimizers.SGD(RATE))
    gan.latents_like = lambda images, training=True: ops.convert_to_tensor(n["z"].astype("float32"))
    gan.fit(n["x"].reshape(-1, *shape).astype("float32"), batch_size=6, shuffle=False, verbose=0)

    data = np.hstack([n["x"] @ n["E"].T, n["x"]])
    generated = np.hstack([n["z"], n["z"] @ n["G"].T])
    d_q, d_p, a, b = data @ n["d"], generated @ n["d"], n["d"][:LATENT], n["d"][LATENT:]
    expected = (
        np.outer(b, -sigmoid(-d_p) @ n["z"] / 6) / 2,
        np.outer(a, sigmoid(d_q) @ n["x"] / 6) / 2,
        (-sigmoid(-d_q) @ data + sigmoid(d_p) @ generated) / 12,
    )
    for start, network, gradient in zip((n["G"], n["E"], n["d"]), (generator, encoder, discriminator), expected):
        moved = (start - network.get_weights()[0].T.squeeze()) / RATE
        np.testing.assert_allclose(moved, gradient, rtol=1e-4, atol=1e-4)


# The networks


def test_networks_are_those_of_the_page():
    """Kernels and biases by hand; batch norm has neither gain nor bias."""
    gan = BiGAN()
    trained = [
        sum(int(np.prod(v.shape)) for v in network.trainable_variables)
        for network in (gan.generator, gan.encoder, gan.discriminator)
    ]
    assert trained == [
        50 * 1024 + (1024 + 50) * 1024 + 1024 * 784 + 784,
        785 * 1024 + 1024 * 1024 + 1025 * 50,
        785 * 1024 + (1024 + 50) * 1024 + 1025,
    ]


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
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1)).astype("uint8")
    images[:, :4] = 0
    gan = BiGAN.for_data(kg.data.Batches(images, batch_size=10), latent_dim=4, ema_decay=0.9)
    latents, generator = np.ones((1, 4), "float32"), gan.generator
    with gan.averages_in_use():
        averaged = ops.convert_to_numpy(generator(latents))
    np.testing.assert_array_equal(averaged, ops.convert_to_numpy(generator(latents)))
    bias = ops.convert_to_numpy(generator.get_layer("pixels").bias.value)
    generator.set_weights([weight * 0.0 for weight in generator.get_weights()])
    generator.get_layer("pixels").bias.assign(bias)
    made = ops.convert_to_numpy(generator(latents))[0]
    np.testing.assert_allclose(made, images.mean(axis=0) / 127.5 - 1.0, atol=2.1e-3)
    with pytest.raises(DataError, match="shape"):
        gan.initialize_from_data(images[:, :4])
