"""GLO: the contract with indices for labels, which latents move, the ball, the loss, and the fitted Gaussian."""

import keras
import numpy as np
import pytest
from contract import VariantContract, equal, needs_tensorflow, number, slow_on_jax, training_state, values
from keras import layers, ops

import keras_gans as kg
from keras_gans import zoo
from keras_gans.batch_statistics import standing_statistics
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.images import to_float
from keras_gans.models import glo
from keras_gans.models.glo import GLO, UnitBall, build_latents, principal_components
from keras_gans.networks.dcgan import build_generator

SGD = keras.optimizers.SGD


class TestGLO(VariantContract):
    """The second player is the table of latents: what is made of images elsewhere, of indices here."""

    logits = 4  # latents of an image
    # Of gradients through batch norm, which plain descent at rates of 1 and 10 adds to the weights as they are.
    rounding = 1e-6

    def make(self, **options):
        generator = build_generator(self.shape, 4, base_filters=4, kernel_size=4)
        return GLO(generator, build_latents(26, 4), levels=3, **options)

    def gan(self, compile=None, **options):
        latents = {} if compile is None else {"d_optimizer": SGD(10.0)}  # what else would move them is refused
        return super().gan(compile={**(compile or {}), **latents}, **options)

    def scored(self, gan, made):
        count = len(made["images"])
        return gan.latents(np.arange(count)), count

    def test_logs_are_named_and_finite(self, plain):
        assert set(plain.history) == {"g_loss"} and np.isfinite(plain.history["g_loss"]).all()

    def test_validation_is_logged(self, whole):
        assert np.isfinite(whole.history["val_g_loss"]).all()

    def test_the_seed_names_the_run(self, plain):
        """Or rather: no noise is drawn, so nothing hangs on it."""
        other = self.gan(seed=6, discriminator_steps=2)
        assert equal(training_state(plain.again(self.batches())), plain.states[0])
        plain.again(self.batches(), seeds=ops.convert_to_numpy(other.latent_seeds.state))
        assert equal(values(plain.gan.weights), plain.weights[0])

    def test_evaluate_is_the_loss_in_inference_mode(self, one):
        images, indices = (array[3:11] for array in self.arrays().values())
        before = training_state(one)
        losses = one.evaluate(images, indices, batch_size=8, return_dict=True, verbose=0)
        assert equal(before, training_state(one))
        made = one.generator(one.learned_latents[indices], training=False)
        assert losses == pytest.approx({"g_loss": number(one.reconstruction_loss(made, to_float(images)))}, rel=1e-4)

    def test_networks_that_do_not_fit_are_refused(self, one):
        indices = keras.Input(())
        cases = [
            (keras.Sequential([indices, layers.Embedding(26, 4), layers.Dense(4)]), "ends in Dense"),
            (build_latents(26, 5), "table of 4 latents.*5 numbers"),
            (keras.Sequential([keras.Input(self.shape), layers.Flatten(), layers.Dense(4)]), "takes indices"),
            (keras.Sequential([layers.Embedding(26, 4)]), "built"),
            ("latents", "built"),
        ]
        for table, message in cases:
            with pytest.raises(ConfigurationError, match=message):
                GLO(one.generator, table)
        for generator in (None, one.latents):
            with pytest.raises(ConfigurationError, match="generator"):
                GLO(generator, one.latents)
        for options in ({"levels": 0}, {"levels": 1.5}, {"l2_weight": -1.0}):
            with pytest.raises(ConfigurationError, match=next(iter(options))):
                GLO(one.generator, one.latents, **options)
        with pytest.raises(ConfigurationError, match="num_images"):
            GLO(image_shape=self.shape)

    def test_compile_alone_is_plain_descent_with_two_rates(self):
        gan = self.gan()
        assert [float(o.learning_rate) for o in (gan.g_optimizer, gan.d_optimizer)] == [1.0, 10.0]
        for optimizer in (keras.optimizers.Adam(), SGD(momentum=0.9), SGD(weight_decay=0.1)):
            with pytest.raises(ConfigurationError, match="SGD without momentum"):
                gan.compile(d_optimizer=optimizer)

    def test_indices_that_no_image_has_are_refused(self, one):
        images, indices = self.arrays().values()
        for wrong in (indices + 1, indices - 1, indices.astype("float32")):
            with pytest.raises(DataError, match="from 0 to 25"):
                one.fit(images, wrong, verbose=0)
        with pytest.raises(DataError, match="Expected indices in each batch"):
            one.fit(images, verbose=0)

    # The latents

    def test_only_the_batchs_latents_move_and_stay_in_the_ball(self):
        """Rows of images outside the batch are the same bit for bit, those on the surface too."""
        gan = self.gan(compile={"d_optimizer": SGD(1000.0)})
        images, indices = self.arrays().values()
        start = gan.learned_latents
        surface = np.linalg.norm(start, axis=1) > 1.0 - 1e-6
        assert 10 < surface.sum() < 26 and surface[4]  # rows of both kinds
        for chosen in (np.array([5, 0, 17, 3]), np.array([17, 25, 1, 2])):
            before = gan.learned_latents
            gan.fit(images[chosen], indices[chosen], batch_size=4, shuffle=False, verbose=0)
            moved = (gan.learned_latents != before).any(axis=1)
            assert set(np.flatnonzero(moved)) == set(chosen)
            assert np.linalg.norm(gan.learned_latents, axis=1).max() <= 1.0 + 1e-6
        assert equal([gan.learned_latents[4]], [start[4]])

    def test_latents_follow_their_images_through_any_order(self):
        """A step on a permuted batch is the same step."""
        images, indices = self.arrays().values()
        reached = []
        for order in (np.arange(8), np.array([3, 1, 7, 0, 2, 6, 5, 4])):
            gan = self.gan()
            gan.fit(images[order], indices[order], batch_size=8, shuffle=False, verbose=0)
            reached.append(gan.learned_latents)
        np.testing.assert_allclose(*reached, atol=2e-4)  # descent at a rate of 10 of sums in two orders

    def test_the_zoo_keeps_the_gaussian_and_not_the_table(self, one, tmp_path):
        small = zoo.sampler(one)
        assert small.latents is None
        assert equal(values(small.gaussian.weights), values(one.gaussian.weights))
        with standing_statistics(one):
            expected = one.generate(4, seed=0)
        assert np.abs(small.generate(4, seed=0).astype(int) - expected).max() <= 1  # by rounding
        for use in (lambda: small.reconstruct([0]), lambda: small.learned_latents, small.fit_gaussian):
            with pytest.raises(ConfigurationError, match="generator alone"):
                use()
        one.save(tmp_path / "x.keras")
        loaded = keras.saving.load_model(tmp_path / "x.keras")
        np.testing.assert_array_equal(loaded.learned_latents, one.learned_latents)

    @needs_tensorflow
    def test_an_export_draws_from_the_gaussian(self, one, tmp_path):
        import tensorflow as tf

        served = tf.saved_model.load(str(kg.export(one, tmp_path))).signatures["from_seed"]
        images = served(seeds=tf.constant([3, 4], "int64"))["images"].numpy()
        with standing_statistics(one):
            np.testing.assert_array_equal(images, one.generate(seed=[3, 4]))

    def test_reconstruct(self, one):
        made = one.reconstruct(np.array([7, 0]))
        assert made.dtype == np.uint8
        with one.averages_in_use():
            expected = self.made(one.generator(one.learned_latents[[7, 0]], training=False))
        assert np.abs(ops.convert_to_numpy(expected).astype(int) - made).max() <= 1  # a grey level, by rounding
        for indices in ([26], [-1], [0.5], [], [[1, 2]], 3):
            with pytest.raises(DataError, match="indices from 0 to 25"):
                one.reconstruct(indices)

    # Sampling

    def test_the_gaussian_is_that_of_the_latents(self, one):
        """After `fit`; mean and covariance of many latents drawn from it, to five standard errors or so."""
        latents = one.learned_latents.astype("float64")
        factor, mean = (ops.convert_to_numpy(weight) for weight in one.gaussian.weights)
        np.testing.assert_allclose(mean, latents.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(factor.T @ factor, np.cov(latents.T, bias=True), atol=1e-6)
        drawn = ops.convert_to_numpy(one.prior(ops.convert_to_tensor(one.noise(20000, seed=0))))
        np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=5 * latents.std() / 20000**0.5)
        np.testing.assert_allclose(np.cov(drawn.T), np.cov(latents.T, bias=True), atol=8 * latents.var() / 20000**0.5)

    def test_generate_follows_the_gaussian(self):
        gan = self.gan()
        gan.generate(2, seed=0)  # compiled before the fit
        gan.latents.layers[-1].embeddings.assign(np.full((26, 4), 0.25, "float32"))
        gan.fit_gaussian()
        images = gan.generate(5, seed=0)  # of a distribution without variance
        np.testing.assert_array_equal(images, np.repeat(images[:1], 5, axis=0))
        np.testing.assert_allclose(ops.convert_to_numpy(gan.gaussian.bias), 0.25)

    # Data

    def test_load_data_tells_the_indices(self):
        data = GLO.load_data("drawn:digits", take=40, batch_size=8)
        images, indices = data[2].values()
        np.testing.assert_array_equal(images, data.images[indices])
        gan = GLO.for_data(data, latent_dim=3)
        assert gan.num_images == 40 and gan.image_shape == (28, 28, 1)
        rows = ops.convert_to_numpy(to_float(data.images)).reshape(40, -1)
        np.testing.assert_array_equal(gan.learned_latents, UnitBall()(principal_components(rows, 3)))

    def test_what_cannot_begin_is_refused(self):
        with pytest.raises(ConfigurationError, match="1 to 4 levels for images"):
            GLO(image_shape=(8, 8, 1), num_images=3, levels=5)
        data = kg.data.Batches(self.arrays()["images"], batch_size=8)
        gan, other = self.make(), self.make()
        gan.initialize_from_data(data)
        other.initialize_from_data(list(data.images))
        assert equal(values(gan.latents.weights), values(other.latents.weights))

    def test_latents_begin_as_principal_components(self):
        """Of images whose directions halve in size: the first four, by a full decomposition."""
        draw = np.random.default_rng(0).normal
        rows = (draw(size=(26, 20)) * 0.5 ** np.arange(20)) @ np.linalg.qr(draw(size=(64, 20)))[0].T
        images = rows.reshape(26, *self.shape).astype("float32").clip(-1, 1)
        gan = self.make()
        gan.initialize_from_data(images)
        rows = images.reshape(26, -1).astype("float64")
        left, scale, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
        expected = left[:, :4] * scale[:4]
        expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1.0)
        signs = np.sign((gan.learned_latents * expected).sum(axis=0))
        np.testing.assert_allclose(gan.learned_latents * signs, expected, atol=1e-5)
        for wrong, message in ((images[:25], "26 images"), (images[:, :6], "shape")):
            with pytest.raises(DataError, match=message):
                gan.initialize_from_data(wrong)


def test_the_ball_is_closed_and_full():
    rows = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
    rows[0], rows[1], rows[2] = 0.0, [0.5, 0.0, 0.5], [3.0, 0.0, 4.0]
    ball = UnitBall()
    once = ops.convert_to_numpy(ball(rows))
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(once, rows / np.maximum(norms, 1.0), rtol=1e-6)
    inside = norms[:, 0] <= 1.0
    assert 0 < inside.sum() < 50
    np.testing.assert_array_equal(once[inside], rows[inside])
    np.testing.assert_array_equal(ops.convert_to_numpy(ball(once)), once)  # again changes nothing
    np.testing.assert_allclose(once[2], [0.6, 0.0, 0.8], rtol=1e-6)


def test_few_components_leave_latents_at_zero():
    gan = GLO(build_generator((8, 8, 1), 6, base_filters=2), build_latents(3, 6))
    gan.initialize_from_data(np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1)).astype("uint8"))
    assert gan.learned_latents.any(axis=0).tolist()[3:] == [False] * 3


def linear(**options):
    """G(z) = W z for images of 1 x 2 pixels, three images, latents well inside the ball."""
    latents = keras.Input((2,))
    dense = layers.Dense(2, use_bias=False)
    generator = keras.Model(latents, layers.Reshape((1, 2, 1))(dense(latents)))
    gan = GLO(generator, build_latents(3, 2), levels=1, **options)
    generator.set_weights([np.array([[0.5, -0.2], [0.1, 0.4]], "float32")])
    gan.latents.set_weights([np.array([[0.1, 0.2], [-0.3, 0.1], [0.2, -0.2]], "float32")])
    return gan


def test_both_gradients_by_hand_at_the_same_weights():
    """Lap1 of one level is the mean |G(z) - x|; two images of two pixels each."""
    gan = linear(l2_weight=0.7)
    gan.compile(SGD(0.1), SGD(0.2))
    (kernel,), (table,) = gan.generator.get_weights(), gan.latents.get_weights()
    images = np.array([[0.9, -0.8], [-0.7, 0.6]], "float32")
    gan.fit(images.reshape(2, 1, 2, 1), np.array([2, 0]), batch_size=2, shuffle=False, verbose=0)
    gap = table[[2, 0]] @ kernel - images
    slope = (np.sign(gap) + 0.7 * 2 * gap) / 4
    np.testing.assert_allclose(gan.generator.get_weights()[0], kernel - 0.1 * table[[2, 0]].T @ slope, atol=1e-6)
    expected = table.copy()
    expected[[2, 0]] -= 0.2 * slope @ kernel.T
    np.testing.assert_allclose(gan.learned_latents, expected, atol=1e-6)


def test_one_image_is_learned_by_heart():
    """The page's bound for one image and one vector of latents."""
    keras.utils.set_random_seed(0)
    image = np.random.default_rng(0).uniform(-0.8, 0.8, (1, 2, 2, 1)).astype("float32")
    latents = keras.Input((3,))
    gan = GLO(keras.Model(latents, layers.Reshape((2, 2, 1))(layers.Dense(4)(latents))), build_latents(1, 3), levels=2)
    falling = keras.optimizers.schedules.CosineDecay
    gan.compile(keras.optimizers.Adam(falling(0.05, 200)), SGD(falling(0.01, 200)))
    gan.fit(np.repeat(image, 200, axis=0), np.zeros(200, "int32"), batch_size=1, verbose=0)
    assert gan.evaluate(image, np.zeros(1, "int32"), return_dict=True, verbose=0)["g_loss"] < 1e-3


@slow_on_jax
def test_reconstructions_are_nearer_than_the_mean_image():
    """Drawn shapes from their principal components in some epochs."""
    data = kg.data.load("drawn:shapes", take=64, image_size=(8, 8), channels=1, labels=False, batch_size=16)
    keras.utils.set_random_seed(0)
    gan = GLO(build_generator((8, 8, 1), 8, base_filters=16, kernel_size=4), build_latents(64, 8), levels=3)
    gan.initialize_from_data(data.images)
    gan.compile(keras.optimizers.Adam(5e-3), SGD(10.0))
    gan.fit(data.images, np.arange(64), batch_size=16, epochs=40, verbose=0)
    real = data.images.astype(float)

    def error(made):
        return ((made - real) ** 2).mean()

    assert error(gan.reconstruct(np.arange(64))) < 0.5 * error(real.mean(axis=0))


def test_principal_components_do_not_read_more_images_than_they_say(monkeypatch):
    """Directions of the first ones, coordinates of all."""
    monkeypatch.setattr(glo, "PRINCIPAL", 20)
    rows = np.random.default_rng(0).normal(size=(30, 3)).astype("float32") * np.array([5.0, 1.0, 0.1], "float32")
    rows[20:, 2] = 100.0
    found = principal_components(rows, 1)
    assert found.shape == (30, 1) and np.abs(found).max() < 40.0
