"""CoGAN: the contract on pairs, which layers are shared and which are not, and the penalty."""

import keras
import numpy as np
import pytest
from contract import PLAYERS, Rows, VariantContract, equal, largest_difference, needs_tensorflow, number, values
from keras import layers, ops

import keras_gans as kg
from keras_gans import training
from keras_gans.engine import value_and_grad
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.files import read_model
from keras_gans.models.cogan import DOMAINS, CoGAN, build_discriminator, build_generator


def of_domain(network, domain):
    """The variables of one domain's own layers."""
    return [v for layer in network.layers if layer.name.startswith(domain) for v in layer.trainable_variables]


class TestCoGAN(VariantContract):
    shape = (2, 8, 8, 1)
    logits = 2

    def make(self, **options):
        generator = build_generator(self.shape[1:], 4, filters=(8, 4, 4))
        discriminator = build_discriminator(self.shape[1:], filters=(4, 4), units=8, kernel_size=2)
        return CoGAN(generator, discriminator, **options)

    def test_builds_networks_that_fit(self, one):
        assert one.image_shape == (8, 8, 1) and one.example_shape == self.shape
        pairs = one.generator(self.inputs(one, 4))
        assert tuple(pairs.shape) == (4, *self.shape) and tuple(one.discriminator(pairs).shape) == (4, 2)
        assert sum(len(one.player_variables(player)) for player in PLAYERS) == len(one.trainable_variables)

    def test_networks_that_do_not_fit_are_refused(self, one):
        def network(*last, shape=None):
            return self.discriminator_ending_in(one, *last, shape=shape)

        cases = [
            (network(layers.Dense(2, activation="sigmoid")), "sigmoid"),
            (network(layers.Dense(1)), "one logit"),
            (network(layers.Dense(2), shape=(8, 8, 1)), "takes what the generator makes"),
            (keras.Sequential([layers.Dense(2)]), "built"),
        ]
        for discriminator, message in cases:
            with pytest.raises(ConfigurationError, match=message):
                CoGAN(one.generator, discriminator)
        for shape in ((8, 8, 1), (3, 8, 8, 1)):
            latents = keras.Input((4,))
            x = layers.Reshape(shape)(layers.Dense(int(np.prod(shape)))(latents))
            with pytest.raises(ConfigurationError, match="generator of pairs"):
                CoGAN(keras.Model(latents, x))
        with pytest.raises(ConfigurationError, match="l2_weight"):
            self.make(l2_weight=-1.0)

    @pytest.mark.parametrize(
        "damage, message",
        [
            (lambda x: x[:, :1], "shape"),
            (lambda x: x[:, 0], "one of each domain.*two_domains"),
            (lambda x: x[:, :, :6], "shape"),
            (lambda x: np.where(x > 0.5, np.nan, x), "finite"),
            (lambda x: x * 255.0, r"\[-1, 1\]"),
            (lambda x: x.astype("int64"), "int64"),
            (lambda x: x[:0], "empty"),
        ],
        ids=["one domain", "no pairs", "size", "nan", "range", "dtype", "empty"],
    )
    def test_bad_images_are_refused(self, one, damage, message):
        images = np.random.default_rng(0).uniform(-1, 1, (16, *self.shape)).astype("float32")
        with pytest.raises(DataError, match=message):
            one.fit(damage(images), verbose=0)
        with pytest.raises(DataError, match=message):
            one.evaluate(damage(images), verbose=0)
        with pytest.raises(DataError, match=message):
            one.fit(images, validation_data=(damage(images),), verbose=0)

    @pytest.mark.parametrize(
        "pack, options, message",
        [
            (lambda x, y: {"picture": x}, {}, "image"),
            (lambda x, y: x, {"steps_per_epoch": 5}, "steps_per_epoch=5"),
            (lambda x, y: x[:, 0], {}, "one of each domain"),
            (lambda x, y: x[:0], {}, "empty"),
        ],
        ids=["key", "short", "images", "empty"],
    )
    def test_bad_datasets_are_refused(self, one, pack, options, message):
        with pytest.raises(DataError, match=message):
            one.fit(Rows(*self.arrays(), self.batch_size, pack), verbose=0, **options)

    # What is shared

    def test_after_training_and_from_a_file_the_domains_share_all_but_their_own_layers(self, one, tmp_path):
        """With the own layers of the first domain in the place of the second's, both halves are the same."""
        one.save(tmp_path / "gan.keras")
        for gan in (one, read_model(tmp_path / "gan.keras", compile=True)):
            generator, discriminator = gan.generator, gan.discriminator
            rest = [
                len(
                    {id(v) for v in network.trainable_variables}
                    - {id(v) for d in DOMAINS for v in of_domain(network, d)}
                )
                for network in (generator, discriminator)
            ]
            assert rest == [3 + 3, 2 + 2 + 1 + 2]  # kernels and slopes; conv, dense, slope, logit
            copies = [keras.models.clone_model(network) for network in (generator, discriminator)]
            for network, copy in zip((generator, discriminator), copies):
                copy.set_weights(network.get_weights())
                own = [of_domain(copy, domain) for domain in DOMAINS]
                assert len(own[0]) == len(own[1]) == 2 and not equal(values(own[0]), values(own[1]))
                for mine, other in zip(*own):
                    other.assign(mine)
            pairs = ops.convert_to_numpy(copies[0](self.inputs(gan, 3), training=False))
            np.testing.assert_array_equal(pairs[:, 0], pairs[:, 1])
            images = to_floats(self.arrays()[0][:3, :1])
            logits = ops.convert_to_numpy(copies[1](np.repeat(images, 2, axis=1), training=False))
            np.testing.assert_array_equal(logits[:, 0], logits[:, 1])

    @pytest.mark.parametrize("domain, other", [("first", "second"), ("second", "first")])
    def test_a_domain_teaches_the_shared_layers_and_its_own(self, domain, other):
        gan, random = self.make(), np.random.default_rng(0)
        for v in gan.trainable_variables:  # of both signs, so that no slope of a PReLU is idle
            v.assign(random.normal(0.0, 0.5, v.shape))
        place = DOMAINS.index(domain)
        latents = ops.convert_to_tensor(self.inputs(gan, 5))
        real = to_floats(self.arrays()[0][:5])
        cases = [
            (gan.generator, lambda: ops.mean(ops.square(gan.generator(latents, training=True)[:, place] - 0.3))),
            (gan.discriminator, lambda: ops.mean(gan.score(real)[:, place])),
        ]
        for network, loss in cases:
            variables = network.trainable_variables
            _, slopes = value_and_grad(loss, variables)
            still = {id(v) for v, g in zip(variables, slopes) if g is None or not np.any(ops.convert_to_numpy(g))}
            assert still == {id(v) for v in of_domain(network, other)}

    def test_a_logit_is_of_its_own_image_alone(self, one):
        real = to_floats(self.arrays()[0][:6])
        mixed = np.stack([real[:, 0], real[::-1, 1]], axis=1)
        logits, others = (one.discriminator.predict(x, verbose=0) for x in (real, mixed))
        np.testing.assert_allclose(others[:, 0], logits[:, 0], atol=1e-6)
        np.testing.assert_allclose(others[::-1, 1], logits[:, 1], atol=1e-6)
        assert not np.allclose(others[:, 1], logits[:, 1])

    def test_the_losses_are_means_over_both_domains(self):
        gan = self.make()
        logits = np.array([[1.0, -2.0], [0.5, 3.0]], "float32")
        gan.score = lambda images, training=True: images
        softplus = lambda x: np.log1p(np.exp(x))  # noqa: E731
        found = number(gan.discriminator_loss(logits, -2.0 * logits))
        assert found == pytest.approx(softplus(-logits).mean() + softplus(-2.0 * logits).mean(), rel=1e-5)
        assert number(gan.generator_loss(logits)) == pytest.approx(softplus(-logits).mean(), rel=1e-5)

    def test_a_pair_is_of_one_z(self):
        """Where the second domain's own layer is the first's negated, each image is its partner's negative, and that
        of no other z: halves of two draws agree by chance alone."""
        keras.utils.set_random_seed(0)
        gan = self.make()
        kernel, bias = values(of_domain(gan.generator, "first"))
        for v, value in zip(of_domain(gan.generator, "second"), (-kernel, 0.0 * bias)):
            v.assign(value)
        of_domain(gan.generator, "first")[1].assign(0.0 * bias)
        pairs = gan.generate(200, seed=0)
        mixed = np.stack([pairs[:, 0], np.roll(pairs[:, 1], 1, axis=0)], axis=1)
        found = [kg.metrics.pixel_agreement(fake=fake, change=kg.data.negatives) for fake in (pairs, mixed)]
        assert found[0] > 0.99 and found[1] < 0.85, found

    # The penalty

    def test_the_penalty_pulls_all_weights_towards_zero(self):
        """One step of descent with it and one without differ by rate * l2_weight * w, the weights before."""
        rate, weight, gans = 0.1, 0.5, []
        for l2_weight in (0.0, weight):
            sgd = keras.optimizers.SGD
            gan = self.gan(
                l2_weight=l2_weight, compile={"g_optimizer": sgd(rate), "d_optimizer": sgd(0.0), "run_eagerly": True}
            )
            before = values(gan.player_variables("generator"))
            gan.fit(self.batches(), steps_per_epoch=1, verbose=0)
            gans.append(values(gan.player_variables("generator")))
        pulled = [plain - decayed for plain, decayed in zip(*gans)]
        assert largest_difference(pulled, [rate * weight * w for w in before]) < 1e-6
        gan = self.make(l2_weight=weight)
        for player in PLAYERS:
            squares = sum((w.astype("float64") ** 2).sum() for w in values(gan.player_variables(player)))
            assert number(gan.penalties[player]["l2"]()) == pytest.approx(0.5 * weight * squares, rel=1e-5)

    def test_the_weight_survives_a_save(self, tmp_path):
        self.make(l2_weight=0.25).save(tmp_path / "x.keras")
        assert keras.saving.load_model(tmp_path / "x.keras").l2_weight == 0.25

    def test_compile_alone_is_the_published_codes(self):
        gan = self.gan()
        for optimizer in (gan.g_optimizer, gan.d_optimizer):
            config = optimizer.get_config()
            assert isinstance(optimizer, keras.optimizers.Adam)
            assert [config[key] for key in ("learning_rate", "beta_1", "beta_2")] == pytest.approx([2e-4, 0.5, 0.999])

    # Pairs in and out

    def test_the_picture_shows_the_first_domain_above_the_second(self, one):
        pairs = one.generate(5, seed=0)
        picture = one.picture(pairs, columns=3)
        assert picture.shape == (2 * 16, 3 * 8, 1)
        np.testing.assert_array_equal(picture[16:24, 8:16], pairs[4, 0])
        np.testing.assert_array_equal(picture[24:, 8:16], pairs[4, 1])

    def test_a_preset_is_written_and_read(self, one, tmp_path):
        kg.zoo.write_preset(one, tmp_path / "tiny", {"title": "tiny pairs"})
        loaded = kg.load(str(tmp_path / "tiny"))
        golden = np.load(tmp_path / "tiny" / "golden.npz")
        assert golden["images"].shape == (16, *self.shape)
        np.testing.assert_array_equal(loaded.generate(noise=golden["noise"]), golden["images"])

    def test_inversion_and_features_of_single_images_are_refused(self, one):
        with pytest.raises(kg.errors.UnsupportedError, match="several at once"):
            kg.latent.invert(one, self.arrays()[0][:2], steps=1)

    @needs_tensorflow
    def test_an_export_gives_pairs(self, one, tmp_path):
        import tensorflow as tf

        signatures = tf.saved_model.load(str(kg.export(one, tmp_path))).signatures
        pairs = one.generate(seed=[3, 1, 4])
        served = signatures["from_seed"](seeds=tf.constant([3, 1, 4], "int64"))["images"]
        np.testing.assert_array_equal(served, pairs)
        files = signatures["png"](seeds=tf.constant([3, 1, 4], "int64"))["png_bytes"].numpy()
        assert files.shape == (3, 2)
        np.testing.assert_array_equal(tf.io.decode_png(files[2, 1]), pairs[2, 1])

    def test_a_variants_recipe_makes_two_domains(self, monkeypatch):
        for build in ("build_generator", "build_discriminator"):
            whole, filters = getattr(kg.models.cogan, build), (4, 4)
            small = lambda *sizes, whole=whole, filters=filters: whole(*sizes, filters=filters)  # noqa: E731
            monkeypatch.setattr(kg.models.cogan, build, small)
        run = training.variant_recipe(CoGAN, "drawn:digits", batch_size=8)(smoke=True)
        assert run.dataset.at(0)[0].shape == (8, *run.model.example_shape) == (8, 2, 28, 28, 1)
        assert run.dataset.about["domains"] == ["as they are", "edges"]


def to_floats(images):
    return (images / 127.5 - 1.0).astype("float32")


def test_networks_are_the_published_ones():
    """Kernels and biases by hand; four maps with one slope each, and moving statistics of 1920 channels."""
    generator, discriminator = build_generator(), build_discriminator()
    shared = 16 * 100 * 1024 + 9 * (1024 * 512 + 512 * 256 + 256 * 128) + 4
    assert generator.count_params() == shared + 2 * (36 * 128 + 1) + 2 * (1024 + 512 + 256 + 128)
    sizes = [generator.get_layer(f"{name}_norm").output.shape[1:3] for name in ("project", "up0", "up1", "up2")]
    assert sizes == [(4, 4), (7, 7), (13, 13), (25, 25)]
    shared = 25 * 20 * 50 + 50 + 16 * 50 * 500 + 500 + 1 + 501
    assert discriminator.count_params() == shared + 2 * (25 * 20 + 20)
    sizes = [discriminator.get_layer(f"{name}").output.shape[1:3] for name in ("first_conv", "second_conv")]
    assert sizes == [(24, 24), (24, 24)]


@pytest.mark.parametrize("shape", [(32, 32, 3), (9, 14, 1), (28, 28, 1)])
@pytest.mark.parametrize("filters", [(4,), (4, 4, 4)])
def test_pairs_of_any_size(shape, filters):
    generator = build_generator(shape, 4, filters=filters)
    pairs = ops.convert_to_numpy(generator(np.random.default_rng(0).normal(size=(2, 4)).astype("float32")))
    assert pairs.shape == (2, 2, *shape) and np.abs(pairs).max() <= 1.0
    assert (pairs.std(axis=(2, 3)) > 0.0).all()  # no border that a convolution does not reach
    for side in (pairs[:, :, 0], pairs[:, :, -1], pairs[:, :, :, 0], pairs[:, :, :, -1]):
        assert side.std() > 0.0


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(ConfigurationError, match="smaller kernel_size"):
        build_discriminator((8, 28, 1))
    with pytest.raises(ConfigurationError, match="one shared map or more"):
        build_generator(filters=())
