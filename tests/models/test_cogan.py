"""CoGAN: the contract on pairs, which layers are shared and which are not, and the penalty."""

import keras
import numpy as np
import pytest
from contract import VariantContract, by_name, equal, largest_difference, needs_tensorflow, number, values
from keras import layers, ops

import keras_gans as kg
from keras_gans import training
from keras_gans.batch_statistics import standing_statistics
from keras_gans.engine import value_and_grad
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.images import to_float
from keras_gans.models.cogan import DOMAINS, CoGAN, build_discriminators, build_generators


class TestCoGAN(VariantContract):
    logits = 2

    def make(self, **options):
        generators = build_generators(self.shape, 4, filters=(8, 4, 4))
        discriminators = build_discriminators(self.shape, filters=(4, 4), units=8, kernel_size=2)
        return CoGAN(generators, discriminators, **options)

    def scored(self, gan, made):
        pair = [ops.convert_to_tensor(made[domain]) for domain in DOMAINS]
        return gan.score(pair, training=False), len(pair[0])

    def first_field_in(self, judged):
        return judged[0]

    def pair(self, count):
        """Images of both domains, a list of two."""
        return [to_float(images) for images in self.rows(count).values()]

    def test_networks_that_do_not_fit_are_refused(self, one):
        first, second, common = one.discriminators
        dense = layers.Dense

        def judge(*last):
            maps = keras.Input(common.input_shape[1:])
            x = layers.Flatten()(maps)
            for layer in last:
                x = layer(x)
            return keras.Model(maps, x)

        other = keras.Sequential([keras.Input((6, 6, 1)), layers.Conv2D(4, 2)])
        wide = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(5, 2)])
        cases = [
            ([first, second, judge(dense(1, activation="sigmoid"))], "sigmoid"),
            ([first, second, judge(dense(2))], "one logit"),
            ([first, other, common], "second domain that takes what the generator makes"),
            ([wide, second, common], "takes what the generator makes"),
            ([first, second, keras.Sequential([dense(2)])], "built"),
            ([first, common], "discriminators as a list of three"),
            ("discriminators", "discriminators as a list of three"),
        ]
        for discriminators, message in cases:
            with pytest.raises(ConfigurationError, match=message):
                self.rebuilt(one, discriminators=discriminators)
        common, first, second = one.generators
        flat = keras.Sequential([keras.Input(common.output_shape[1:]), layers.Flatten()])
        cases = [
            (None, "generators as a list of three"),
            ([first, second], "generators as a list of three"),
            ([common, first, keras.Sequential([dense(2)])], "built"),
            ([common, first, flat], "generator of the second domain that makes images"),
            ([common, common, second], "generator of the first domain that makes images"),
            ([first, first, second], "generator of latents"),
        ]
        for generators, message in cases:
            with pytest.raises(ConfigurationError, match=message):
                self.rebuilt(one, generators=generators)
        with pytest.raises(ConfigurationError, match="l2_weight"):
            self.make(l2_weight=-1.0)

    def test_images_of_one_domain_alone_are_refused(self, one):
        with pytest.raises(DataError, match="Expected second in each batch"):
            one.fit(self.rows()["first"], verbose=0)
        with pytest.raises(ConfigurationError, match="from images alone"):
            CoGAN.load_data("drawn:digits", labels="label")

    # What is shared

    def test_after_training_the_domains_share_all_but_their_own_layers(self, one):
        """Kernels and slopes of the common generator; conv, dense, slope and logit of the common discriminator. Where a
        domain's own networks have the weights of the other's, both halves are the same."""
        common, *own = one.generators
        assert len(common.trainable_variables) == 3 + 3
        assert len(one.discriminators[2].trainable_variables) == 2 + 2 + 1 + 2
        for first, second in (own, one.discriminators[:2]):
            assert len(first.weights) == len(second.weights) == 2
            assert not equal(values(first.weights), values(second.weights))
        copy = CoGAN.from_config(one.get_config())
        copy.set_weights(one.get_weights())
        for first, second in (copy.generators[1:], copy.discriminators[:2]):
            second.set_weights(first.get_weights())
        made = by_name(copy, copy.compute_outputs(self.inputs(copy, 3)))
        np.testing.assert_array_equal(made["first"], made["second"])
        images = self.pair(3)[0]
        logits = ops.convert_to_numpy(copy.score([images, images], training=False))
        np.testing.assert_array_equal(logits[:, 0], logits[:, 1])

    @pytest.mark.parametrize("domain", DOMAINS)
    def test_a_domain_teaches_the_common_layers_and_its_own(self, domain):
        gan, random = self.make(), np.random.default_rng(0)
        for v in gan.trainable_variables:  # of both signs, so that no slope of a PReLU is idle
            v.assign(random.normal(0.0, 0.5, v.shape))
        place = DOMAINS.index(domain)
        latents = ops.convert_to_tensor(self.inputs(gan, 5)["noise"])
        real = self.pair(5)
        cases = [
            ("generator", gan.generators[2 - place], lambda: ops.mean(ops.square(gan.pairs(latents)[place] - 0.3))),
            ("discriminator", gan.discriminators[1 - place], lambda: ops.mean(gan.score(real)[:, place])),
        ]
        for player, others, loss in cases:
            variables = gan.player_variables(player)
            _, slopes = value_and_grad(loss, variables)
            still = {id(v) for v, g in zip(variables, slopes) if g is None or not np.any(ops.convert_to_numpy(g))}
            assert still == {id(v) for v in others.trainable_variables}

    def test_a_logit_is_of_its_own_image_alone(self, one):
        first, second = self.pair(6)
        logits, others = (
            ops.convert_to_numpy(one.score(pair, training=False))
            for pair in ([first, second], [first, ops.flip(second, axis=0)])
        )
        np.testing.assert_allclose(others[:, 0], logits[:, 0], atol=1e-6)
        np.testing.assert_allclose(others[::-1, 1], logits[:, 1], atol=1e-6)
        assert not np.allclose(others[:, 1], logits[:, 1])

    def test_the_losses_are_means_over_both_domains(self):
        gan = self.make()
        logits = np.array([[1.0, -2.0], [0.5, 3.0]], "float32")
        gan.score = lambda pair, training=True: pair
        softplus = lambda x: np.log1p(np.exp(x))  # noqa: E731
        found = number(gan.discriminator_loss(logits, -2.0 * logits))
        assert found == pytest.approx(softplus(-logits).mean() + softplus(-2.0 * logits).mean(), rel=1e-5)
        assert number(gan.generator_loss(logits)) == pytest.approx(softplus(-logits).mean(), rel=1e-5)

    def test_a_pair_is_of_one_z(self):
        """Where the second domain's own layer is the first's negated, each image is its partner's negative, and that
        of no other z: halves of two draws agree by chance alone."""
        keras.utils.set_random_seed(0)
        gan = self.make()
        _, first, second = gan.generators
        kernel, bias = first.get_weights()
        first.set_weights([kernel, 0.0 * bias])
        second.set_weights([-kernel, 0.0 * bias])
        first, second = gan.generate(200, seed=0).values()
        pairs, mixed = (np.stack([first, other], axis=1) for other in (second, np.roll(second, 1, axis=0)))
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
        for player in gan.players:
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

    def test_the_picture_shows_each_pair_side_by_side(self, one):
        made = one.generate(5, seed=0)
        picture = kg.sampling.picture(one, made, columns=3)
        assert picture.shape == (2 * 8, 3 * 16, 1)
        np.testing.assert_array_equal(picture[8:, 16:24], made["first"][4])
        np.testing.assert_array_equal(picture[8:, 24:32], made["second"][4])

    def test_a_preset_is_written_and_read(self, one, tmp_path):
        kg.zoo.write_preset(one, tmp_path / "tiny", {"title": "tiny pairs"})
        loaded = kg.load(str(tmp_path / "tiny"))
        assert len(loaded.generators) == 3 and loaded.discriminators is None
        with standing_statistics(one):
            made, expected = loaded.generate(4, seed=0), one.generate(4, seed=0)
        assert all(largest_difference([made[domain]], [expected[domain]]) <= 1 for domain in DOMAINS)

    def test_inversion_and_features_of_single_images_are_refused(self, one):
        with pytest.raises(kg.errors.UnsupportedError):
            kg.latent.invert(one, self.rows(2)["first"], steps=1)

    @needs_tensorflow
    def test_an_export_gives_pairs(self, one, tmp_path):
        import tensorflow as tf

        signatures = tf.saved_model.load(str(kg.export(one, tmp_path))).signatures
        with standing_statistics(one):
            pairs = one.generate(seed=[3, 1, 4])
        served = signatures["from_seed"](seeds=tf.constant([3, 1, 4], "int64"))
        for domain in DOMAINS:
            np.testing.assert_array_equal(served[domain], pairs[domain])

    def test_a_variants_recipe_makes_two_domains(self, monkeypatch):
        for build in ("build_generators", "build_discriminators"):
            whole, filters = getattr(kg.models.cogan, build), (4, 4)
            small = lambda *sizes, whole=whole, filters=filters: whole(*sizes, filters=filters)  # noqa: E731
            monkeypatch.setattr(kg.models.cogan, build, small)
        run = training.variant_recipe(CoGAN, "drawn:digits", batch_size=8)(smoke=True)
        assert {name: images.shape for name, images in run.dataset.at(0).items()} == dict.fromkeys(
            DOMAINS, (8, 28, 28, 1)
        )
        assert run.dataset.about["domains"] == ["as they are", "edges"]


def test_networks_are_the_published_ones():
    """Kernels and biases by hand; four maps with one slope each, and moving statistics of 1920 channels."""
    (common, *own), (*each, judge) = build_generators(), build_discriminators()
    shared = 16 * 100 * 1024 + 9 * (1024 * 512 + 512 * 256 + 256 * 128) + 4
    assert common.count_params() == shared + 2 * (1024 + 512 + 256 + 128)
    assert [network.count_params() for network in own] == [36 * 128 + 1] * 2
    sizes = [common.get_layer(f"{name}_norm").output.shape[1:3] for name in ("project", "up0", "up1", "up2")]
    assert sizes == [(4, 4), (7, 7), (13, 13), (25, 25)]
    assert judge.count_params() == 25 * 20 * 50 + 50 + 16 * 50 * 500 + 500 + 1 + 501
    assert [network.count_params() for network in each] == [25 * 20 + 20] * 2
    assert [network.output_shape[1:3] for network in each] == [(24, 24), (24, 24)]


@pytest.mark.parametrize("shape", [(32, 32, 3), (9, 14, 1), (28, 28, 1)])
@pytest.mark.parametrize("filters", [(4,), (4, 4, 4)])
def test_pairs_of_any_size(shape, filters):
    common, *own = build_generators(shape, 4, filters=filters)
    maps = common(np.random.default_rng(0).normal(size=(2, 4)).astype("float32"))
    for network in own:
        images = ops.convert_to_numpy(network(maps))
        assert images.shape == (2, *shape) and np.abs(images).max() <= 1.0
        assert (images.std(axis=(1, 2)) > 0.0).all()
        for side in (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]):
            assert side.std() > 0.0  # no border that a convolution does not reach


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(ConfigurationError, match="smaller kernel_size"):
        build_discriminators((8, 28, 1))
    with pytest.raises(ConfigurationError, match="one common map or more"):
        build_generators(filters=())
