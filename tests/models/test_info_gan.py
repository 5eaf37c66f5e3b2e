"""InfoGAN: the contract, the prior, both players' gradients by hand, traversals, and codes that are found."""

import functools
import math

import keras
import numpy as np
import pytest
from contract import VariantContract, equal, number, slow_on_jax
from keras import layers, ops

from keras_gans import zoo
from keras_gans.batch_statistics import judged_by_batch, standing_statistics
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.models.info_gan import InfoGAN, build_discriminator, build_generator, build_recognizer


class TestInfoGAN(VariantContract):
    # Of gradients near one, after up to seven batch norms of eight images, each of which divides by a small deviation.
    rounding = 2e-6

    def make(self, **options):
        generator = build_generator(self.shape, 14, base_filters=6, units=12)
        kernel = generator.get_layer("to_image").kernel
        kernel.assign(20.0 * kernel)  # images that differ: a batch norm of all but equal ones makes rounding large
        return InfoGAN(
            generator,
            build_discriminator(self.shape, base_filters=6, units=12),
            build_recognizer(12, 12, units=12),
            # The slope of the information passes up to seven batch norms of eight images: a tenth of it rounds less.
            **{"categorical_weight": 0.1, "continuous_weight": 0.1, **options},
        )

    def test_networks_and_codes_that_do_not_fit_are_refused(self, one):
        def make(recognizer=one.recognizer, **options):
            return InfoGAN(one.generator, one.discriminator, recognizer, **options)

        for recognizer, message in (
            (None, "built"),
            (keras.Sequential([layers.Dense(12)]), "built"),
            (build_recognizer(7, 12, units=4), r"\(12,\) to \(12,\). Received: \(7,\)"),
            (build_recognizer(12, 13, units=4), r"Received: \(12,\) to \(13,\)"),
        ):
            with pytest.raises(ConfigurationError, match=message):
                make(recognizer)
        with pytest.raises(ConfigurationError, match="recognizer from the features"):
            make(continuous=1)
        with pytest.raises(ConfigurationError, match="15 latents or more.*Received: 14"):
            make(continuous=5)
        with pytest.raises(ConfigurationError, match="layer named 'features'"):
            InfoGAN(one.generator, self.discriminator_ending_in(one, layers.Dense(1)), one.recognizer)
        for options in (
            {"categories": (1,)},
            {"categories": (2.5,)},
            {"continuous": -1},
            {"continuous": True},
            {"categories": 10},
        ):
            with pytest.raises(ConfigurationError, match="2 or more for each code"):
                make(**options)
        with pytest.raises(ConfigurationError, match="at least one code"):
            make(categories=(), continuous=0)
        for noise in (2.5, -5, True):
            with pytest.raises(ConfigurationError, match="noise_dim of 0 or more"):
                InfoGAN(noise_dim=noise)
        for name in ("categorical_weight", "continuous_weight"):
            with pytest.raises(ConfigurationError, match=name):
                make(**{name: -0.5})
        for build in (build_generator, build_discriminator):
            with pytest.raises(ConfigurationError, match="multiples of 4"):
                build((30, 28, 1))

    def test_compile_alone_is_the_published_codes(self):
        gan = self.gan()
        for optimizer, rate in ((gan.g_optimizer, 1e-3), (gan.d_optimizer, 2e-4)):
            config = optimizer.get_config()
            assert isinstance(optimizer, keras.optimizers.Adam)
            assert [config[key] for key in ("learning_rate", "beta_1")] == pytest.approx([rate, 0.5])

    def test_evaluate_logs_the_information(self, one):
        """The sum of both terms without their weights, for the latents that `evaluate` draws."""
        gan = self.gan(categorical_weight=3.0, continuous_weight=0.1)
        images = self.arrays()["images"][:8]
        logged = gan.evaluate(images, return_dict=True, verbose=0)["information"]
        gan.evaluation_seeds.state.assign(self.gan().evaluation_seeds.state)
        latents = gan.latents_like(images, training=False)
        with judged_by_batch(gan):
            recognized = gan.judge(gan.generator(latents, training=False), training=False)[1]
        assert logged == pytest.approx(sum(number(term) for term in gan.information(recognized, latents)), rel=1e-4)

    # The codes

    def test_the_prior_is_that_of_the_paper(self, one):
        """Frequencies of 4000 within five standard deviations; moments of U(-1, 1), 0 and 1/3, likewise."""
        latents = ops.convert_to_numpy(one.prior(ops.convert_to_tensor(one.noise(4000, seed=0))))
        assert latents.shape == (4000, 14) and latents.dtype == np.float32
        noise, category, style = latents[:, :2], latents[:, 2:12], latents[:, 12:]
        np.testing.assert_array_equal(np.sort(category, axis=1), np.eye(10)[[9] * 4000])
        assert np.abs(category.mean(0) - 0.1).max() < 5 * math.sqrt(0.09 / 4000)
        for numbers in (noise, style):
            assert np.abs(numbers).max() <= 1.0
            assert np.abs(numbers.mean(0)).max() < 5 * math.sqrt(1 / 3 / 4000)
            assert np.abs((numbers**2).mean(0) - 1 / 3).max() < 5 * math.sqrt((1 / 5 - 1 / 9) / 4000)
        assert np.abs(np.corrcoef(latents.T) - np.eye(14))[:2].max() < 5 / math.sqrt(4000)

    def test_several_codes_and_none_of_a_kind(self, one):
        noise = ops.convert_to_tensor(one.noise(50, seed=0))
        latents = ops.convert_to_numpy(InfoGAN(one.generator, categories=(3, 2), continuous=1).prior(noise))
        np.testing.assert_array_equal(latents[:, 8:11].sum(1), 1.0)
        np.testing.assert_array_equal(latents[:, 11:13].sum(1), 1.0)
        np.testing.assert_array_equal(latents[:, 8:11].argmax(1), ops.convert_to_numpy(noise)[:, 8:11].argmax(1))
        for options in ({"categories": (), "continuous": 2}, {"categories": (4,), "continuous": 0}):
            codes = 2 if options["continuous"] else 4
            gan = InfoGAN(one.generator, one.discriminator, build_recognizer(12, codes, units=4), **options)
            parts = gan.information(np.zeros((8, codes), "float32"), gan.prior(noise)[:8])
            assert [number(part) for part in parts] == pytest.approx([0.0, 0.0], abs=1e-6)

    def test_information_is_of_each_code_by_its_own_outputs(self, one):
        """Outputs that name the codes: log 3 + log 2, and c^2 / 2 of each continuous code."""
        gan = InfoGAN(one.generator, categories=(3, 2), continuous=2)
        latents = ops.convert_to_numpy(gan.prior(ops.convert_to_tensor(one.noise(40, seed=0))))
        codes = latents[:, -7:]
        recognized = np.concatenate([1e4 * codes[:, :5], codes[:, 5:]], axis=1)
        categorical, continuous = gan.information(recognized, latents)
        assert number(categorical) == pytest.approx(math.log(6), rel=1e-5)
        assert number(continuous) == pytest.approx(0.5 * (codes[:, 5:] ** 2).sum(1).mean(), rel=1e-5)

    # What was learned

    def test_recognize(self, one):
        images = self.arrays()["images"][:5]
        floats = (images / 127.5 - 1.0).astype("float32")
        found = one.recognize(images)
        assert found.shape == (5, 12) and found.dtype == np.float32
        np.testing.assert_allclose(found[:, :10].sum(1), 1.0, rtol=1e-5)
        raw = ops.convert_to_numpy(one.judge(floats, training=False)[1])
        np.testing.assert_allclose(found[:, 10:], raw[:, 10:], atol=1e-5)
        np.testing.assert_array_equal(found[:, :10].argmax(1), raw[:, :10].argmax(1))
        np.testing.assert_allclose(one.recognize(floats), found, atol=1e-5)
        with pytest.raises(DataError, match="shape"):
            one.recognize(images[:, :6])
        with pytest.raises(ConfigurationError, match="generator alone"):
            InfoGAN(one.generator).recognize(images)

    def test_one_pass_gives_what_both_heads_give(self, one):
        floats = ops.convert_to_tensor(self.seen(self.arrays()["images"][:6]))
        logits, recognized = one.judge(floats, training=False)
        features = keras.Model(one.discriminator.inputs[0], one.discriminator.get_layer("features").output)
        np.testing.assert_allclose(*map(ops.convert_to_numpy, (logits, one.score(floats, training=False))), atol=1e-6)
        again = one.recognizer(features(floats, training=False), training=False)
        np.testing.assert_allclose(*map(ops.convert_to_numpy, (recognized, again)), atol=1e-6)

    def test_the_zoo_keeps_the_codes_and_not_the_head(self, one):
        small = zoo.sampler(one)
        assert small.discriminator is small.recognizer is None and small.categories == (10,)
        with standing_statistics(one):
            expected = one.traverse(0, rows=1, seed=0)[0]
        assert np.abs(small.traverse(0, rows=1, seed=0)[0].astype(int) - expected).max() <= 1  # by rounding

    @pytest.mark.parametrize("code, columns", [(0, 10), (1, 10), (2, 10)])
    def test_a_traversal_is_along_one_code(self, one, code, columns):
        images, picture = one.traverse(code, rows=3, seed=4)
        assert images.shape == (3, columns, *self.shape) and images.dtype == picture.dtype == np.uint8
        assert picture.shape == (3 * 8, columns * 8, 1)
        np.testing.assert_array_equal(picture[8:16, 16:24], images[1, 2])
        place = {0: slice(2, 12), 1: slice(12, 13), 2: slice(13, 14)}[code]
        latents = ops.convert_to_numpy(one.prior(ops.convert_to_tensor(one.noise(3, seed=4))))
        steps = np.eye(10) if code == 0 else np.linspace(-1, 1, 10)[:, None]
        for row, column in ((0, 0), (2, 7)):
            wanted = latents[row : row + 1].copy()
            wanted[:, place] = steps[column]
            expected = self.made(one(wanted, training=False))
            assert np.abs(ops.convert_to_numpy(expected)[0].astype(int) - images[row, column]).max() <= 1

    def test_traversals_of_given_values(self, one):
        images, _ = one.traverse(0, values=[7, 7, 1], rows=1, seed=4)
        np.testing.assert_array_equal(images[0, 0], images[0, 1])
        np.testing.assert_array_equal(images[0, [0, 2]], one.traverse(0, rows=1, seed=4)[0][0, [7, 1]])
        assert one.traverse(2, values=np.array([-2.0, 2.0]), rows=2)[0].shape == (2, 2, *self.shape)
        for code in (3, -1, True, 0.0):
            with pytest.raises(ConfigurationError, match="code from 0 to 2"):
                one.traverse(code)
        for values_ in ([10], [-1], [0.5], []):
            with pytest.raises(ConfigurationError, match="categories from 0 to 9"):
                one.traverse(0, values=values_)
        assert one.traverse(1, values=0.5, rows=2)[0].shape == (2, 1, *self.shape)
        for values_ in ([], ["a"], [[0.5], [1.0]], [np.nan]):
            with pytest.raises(ConfigurationError, match="numbers as values"):
                one.traverse(1, values=values_)


def test_networks_are_those_of_the_page():
    """Kernels, biases, and gamma and beta of the norms, by hand."""
    gan = InfoGAN()
    trained = [
        sum(math.prod(v.shape) for v in network.trainable_variables)
        for network in (gan.generator, gan.discriminator, gan.recognizer)
    ]
    assert trained == [
        74 * 1024 + 2 * 1024 + 1024 * 49 * 128 + 2 * 128 + 16 * 128 * 64 + 2 * 64 + 16 * 64 + 1,
        16 * 64 + 64 + 16 * 64 * 128 + 2 * 128 + 49 * 128 * 1024 + 2 * 1024 + 1024 + 1,
        1024 * 128 + 2 * 128 + 128 * 12 + 12,
    ]
    slopes = [layer.negative_slope for layer in gan.discriminator.layers if isinstance(layer, layers.LeakyReLU)]
    assert slopes == pytest.approx([0.01] * 3)


# One step of plain descent against gradients by hand: everything is linear

PIXELS, HIDDEN, RATE = 3, 4, 0.1


@functools.cache
def numbers():
    """G = 3x5, features W = 4x3, d = a, Q = 3x4 (a code of two categories, one continuous), images and latents."""
    draw = np.random.default_rng(5).normal
    latents = np.concatenate([draw(size=(6, 2)), np.eye(2)[[0, 1, 1, 0, 1, 0]], draw(size=(6, 1))], axis=1)
    return {
        "G": draw(size=(PIXELS, 5)),
        "W": draw(size=(HIDDEN, PIXELS)),
        "a": draw(size=HIDDEN),
        "Q": draw(size=(3, HIDDEN)),
        "x": draw(size=(6, PIXELS)).clip(-1, 1),
        "z": latents,
        "anew": latents[::-1] * np.array([1.0, 1.0, 1.0, 1.0, -0.5]),
    }


def linear(at=(), d_rate=RATE, g_rate=RATE, epochs=1, frozen=False, **options):
    """G(z) = G z, d(x) = a W x, Q(x) = Q W x; steps of descent from `numbers()`, changed by `at`."""
    n = {**numbers(), **dict(at)}
    shape = (1, 1, PIXELS)
    latents, images, features = keras.Input((5,)), keras.Input(shape), keras.Input((HIDDEN,))
    dense = functools.partial(layers.Dense, use_bias=False)
    generator = keras.Model(latents, layers.Reshape(shape)(dense(PIXELS)(latents)))
    hidden = dense(HIDDEN, name="features")(layers.Flatten()(images))
    discriminator, recognizer = keras.Model(images, dense(1)(hidden)), keras.Model(features, dense(3)(features))
    generator.set_weights([n["G"].T.astype("float32")])
    discriminator.set_weights([n["W"].T.astype("float32"), n["a"][:, None].astype("float32")])
    recognizer.set_weights([n["Q"].T.astype("float32")])
    gan = InfoGAN(generator, discriminator, recognizer, categories=(2,), continuous=1, seed=0, **options)
    gan.discriminator.trainable = not frozen
    gan.compile(keras.optimizers.SGD(g_rate), keras.optimizers.SGD(d_rate), run_eagerly=True)
    drawn = []

    def latents_like(images, training=True):
        drawn.append("anew" if len(drawn) % 2 else "z")
        return ops.convert_to_tensor(n[drawn[-1]].astype("float32"))

    gan.latents_like = latents_like
    real = n["x"].reshape(-1, *shape).astype("float32")
    gan.fit(real, batch_size=6, shuffle=False, verbose=0, epochs=epochs)
    return gan


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def slope_of_q(recognized, latents, categorical_weight, continuous_weight):
    """d(-I)/d(Q's output), a row for each image: probabilities less codes, mean less code, weighted."""
    exp = np.exp(recognized[:, :2])
    slope = np.concatenate([exp / exp.sum(1, keepdims=True), recognized[:, 2:]], axis=1) - latents[:, 2:]
    return slope * np.array([categorical_weight, categorical_weight, continuous_weight]) / len(latents)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (2.0, 0.5)])
def test_both_players_gradients_by_hand(weights):
    """The discriminator's step is on the latents of its images; the generator's, at the moved weights, on fresh ones.
    Codes of another batch or in another order would give other gradients."""
    n, options = numbers(), {"categorical_weight": weights[0], "continuous_weight": weights[1]}
    gan = linear(**options)
    fake = n["z"] @ n["G"].T
    of_q = slope_of_q(fake @ n["W"].T @ n["Q"].T, n["z"], *weights)
    of_real = -sigmoid(-n["x"] @ n["W"].T @ n["a"]) / 6
    of_fake = sigmoid(fake @ n["W"].T @ n["a"]) / 6
    d_a = n["W"] @ (n["x"].T @ of_real + fake.T @ of_fake)
    d_q = of_q.T @ fake @ n["W"].T
    d_w = np.outer(n["a"], n["x"].T @ of_real + fake.T @ of_fake) + n["Q"].T @ of_q.T @ fake
    moved = {name: n[name] - RATE * slope for name, slope in (("a", d_a), ("Q", d_q), ("W", d_w))}
    trunk, head = gan.discriminator.get_weights()
    for got, name in ((trunk.T, "W"), (head[:, 0], "a"), (gan.recognizer.get_weights()[0].T, "Q")):
        np.testing.assert_allclose(got, moved[name], rtol=1e-4, atol=1e-4)
    fake = n["anew"] @ n["G"].T
    of_q = slope_of_q(fake @ moved["W"].T @ moved["Q"].T, n["anew"], *weights)
    of_fake = -sigmoid(-fake @ moved["W"].T @ moved["a"]) / 6
    d_g = (np.outer(of_fake, moved["a"]) + of_q @ moved["Q"]) @ moved["W"]
    np.testing.assert_allclose(
        gan.generator.get_weights()[0].T, n["G"] - RATE * d_g.T @ n["anew"], rtol=1e-4, atol=1e-4
    )


def test_the_information_alone_moves_the_generator():
    """A discriminator that sees nothing, a = 0, gives no gradient; Q does."""
    blind = (("a", np.zeros(HIDDEN)),)
    still = linear(blind, d_rate=0.0, categorical_weight=0.0, continuous_weight=0.0)
    np.testing.assert_array_equal(still.generator.get_weights()[0], numbers()["G"].T.astype("float32"))
    told = linear(blind, d_rate=0.0)
    assert np.abs(told.generator.get_weights()[0] - numbers()["G"].T).max() > 1e-3


def test_the_head_has_no_term_of_real_images():
    others = (("x", -0.5 * numbers()["x"]),)
    one, another = linear(), linear(others)
    assert not equal(one.discriminator.get_weights(), another.discriminator.get_weights())
    assert equal(one.recognizer.get_weights(), another.recognizer.get_weights())


def test_the_heads_term_falls_where_only_it_learns():
    """With the features and the generator frozen, what is left of the discriminator's loss to fall is -I, convex in a
    linear Q: it falls at every step."""
    gan = linear(g_rate=0.0, epochs=6, frozen=True)
    assert np.diff(gan.history.history["d_loss"]).max() < -1e-4
    assert equal(gan.discriminator.get_weights()[0].T, numbers()["W"].astype("float32"))


@slow_on_jax
def test_it_finds_the_kinds_of_images_without_labels():
    """Two kinds, dark and light: the code tells them apart, in what is generated and in what is recognized."""
    rng = np.random.default_rng(0)
    kinds = np.arange(256) % 2
    images = (30 * rng.random((256, 2, 2, 1)) + 225 * kinds[:, None, None, None]).astype("uint8")
    keras.utils.set_random_seed(0)
    latents, pixels, features = keras.Input((6,)), keras.Input((2, 2, 1)), keras.Input((16,))
    made = layers.Dense(4, activation="tanh")(layers.Dense(16, activation="relu")(latents))
    seen = layers.Dense(16, activation="leaky_relu", name="features")(layers.Flatten()(pixels))
    gan = InfoGAN(
        keras.Model(latents, layers.Reshape((2, 2, 1))(made)),
        keras.Model(pixels, layers.Dense(1)(seen)),
        keras.Model(features, layers.Dense(2)(features)),
        categories=(2,),
        continuous=0,
        seed=0,
    )
    adam = keras.optimizers.Adam
    gan.compile(adam(5e-3, beta_1=0.5), adam(5e-3, beta_1=0.5))
    gan.fit(images, batch_size=64, epochs=60, verbose=0)
    made = gan.traverse(0, rows=20, seed=0)[0].mean(axis=(2, 3, 4))  # (rows, categories)
    light = made.mean(axis=0).argmax()
    assert (made[:, light] > 192).mean() > 0.9 and (made[:, 1 - light] < 64).mean() > 0.9
    assert (gan.recognize(images)[:, light] > 0.5).astype(int).tolist() == kinds.tolist()
