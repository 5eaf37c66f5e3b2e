"""DeePSiM: what is compared with what, who stops, and shapes; the numbers are those of the authors' networks."""

import keras
import numpy as np
import pytest
from contract import BACKEND, VariantContract, equal, number, training_state, values
from keras import ops

import keras_gans as kg
from keras_gans.errors import ConfigurationError
from keras_gans.losses import cross_entropy
from keras_gans.models.deepsim import build_discriminator, build_generator
from keras_gans.networks.classifier import build_classifier

SHAPE = (8, 8, 1)


def comparator():
    return build_classifier(SHAPE, 3, base_filters=2)


class TestDeePSiM(VariantContract):
    def make(self, **options):
        judge = comparator()
        generator = build_generator((8,), SHAPE, filters=4, units=4)
        return kg.DeePSiM(generator, build_discriminator(SHAPE, filters=2, units=4), judge, **options)

    def test_the_seed_names_the_run(self, plain, idle):
        """The same start goes on the same way. No noise is drawn, so that another seed goes this way too."""
        assert equal(idle.start, plain.start)
        assert equal(training_state(plain.again(self.batches())), plain.states[0])
        other = self.rebuilt(plain.gan, seed=6)
        plain.again(self.batches(), seeds=ops.convert_to_numpy(other.latent_seeds.state))
        assert equal(values(plain.gan.weights), plain.weights[0])

    @pytest.mark.parametrize("n", [0, -1, 2.5, "3", True])  # None is as many as there are images
    def test_impossible_counts_are_refused(self, one, n):
        with pytest.raises(ConfigurationError, match="images|one value per image"):
            one.generate(n, seed=0, **self.given(one, 2))


def floats(*shape, seed=0):
    return ops.convert_to_tensor(np.random.default_rng(seed).uniform(-1.0, 1.0, shape).astype("float32"))


def model(**options):
    keras.utils.set_random_seed(3)
    gan = TestDeePSiM().make(seed=0, **options)
    gan.compile(run_eagerly=True)
    return gan


# Networks


def test_the_generators_shapes_are_the_papers():
    """4x4 to 256, cropped to 227."""
    network = build_generator((4096,))
    shapes = {layer.name: layer.output.shape[1:] for layer in network.layers}
    assert [shapes[f"up{i}"] for i in range(6)] == [
        (8, 8, 256), (16, 16, 256), (32, 32, 128), (64, 64, 64), (128, 128, 32), (256, 256, 3)
    ]  # fmt: skip
    assert [shapes[f"conv{i}"] for i in range(3)] == [(8, 8, 512), (16, 16, 256), (32, 32, 128)]
    assert "conv3" not in shapes and network.output_shape == (None, 227, 227, 3)
    assert [shapes[f"dense{i}"] for i in range(3)] == [(4096,)] * 3


def test_a_map_goes_through_convolutions():
    network = build_generator((7, 7, 32), (28, 28, 1), filters=8)
    assert network.output_shape == (None, 28, 28, 1)
    assert not [layer.name for layer in network.layers if "dense" in layer.name]


def test_the_generator_is_not_bounded_and_has_no_batch_norm():
    network = build_generator((8,), SHAPE, filters=4, units=4)
    assert not [layer for layer in network.layers if "orm" in type(layer).__name__]
    assert np.abs(ops.convert_to_numpy(network(1e3 * floats(4, 8)))).max() > 1.0


def test_the_discriminators_maps_are_the_papers():
    shapes = [layer.output.shape[1:] for layer in build_discriminator().layers if layer.name.startswith("conv")]
    assert [shape for shape in shapes[::2]] == [
        (56, 56, 32), (52, 52, 64), (25, 25, 128), (23, 23, 256), (11, 11, 256)
    ]  # fmt: skip


# Losses


def test_the_losses_are_means_and_their_weights_are_known():
    """With means: x' = x + 1 everywhere costs 1. The features' distance is that of the comparator."""
    gan = model(image_weight=3.0, feature_weight=5.0, adversarial_weight=7.0)
    images = 0.5 * floats(4, *SHAPE)
    _, features = gan.seen(images)
    total, image, feature, adversarial = ops.convert_to_numpy(
        gan.generator_loss(images + 1.0, images, features, training=False)
    )
    inner = gan.comparator.get_layer(gan.compared)
    maps = keras.Model(gan.comparator.input, inner.output)
    expected = np.square(ops.convert_to_numpy(maps(images)) - ops.convert_to_numpy(maps(images + 1.0))).mean()
    assert image == pytest.approx(1.0, rel=1e-5) and feature == pytest.approx(expected, rel=1e-4)
    assert adversarial == pytest.approx(number(cross_entropy(gan.score(images + 1.0, training=False), 1.0)), rel=1e-5)
    assert total == pytest.approx(3.0 * image + 5.0 * feature + 7.0 * adversarial, rel=1e-5)
    same = ops.convert_to_numpy(gan.generator_loss(images, images, features, training=False))
    assert same[1] == same[2] == 0.0


def test_the_last_map_is_compared_by_default():
    gan = model()
    assert gan.layer == "features" and len(gan.comparator.get_layer(gan.compared).output.shape) == 4
    assert model(compared="features").compared == "features"


def test_the_comparator_never_changes_and_passes_gradients_on():
    """Its dropout is off, its statistics and weights stay, and the generator learns through it."""
    gan = model(image_weight=0.0, adversarial_weight=0.0)
    before, generator = values(gan.comparator.variables), values(gan.generator.trainable_variables)
    images = np.random.default_rng(0).integers(0, 256, (8, *SHAPE)).astype("uint8")
    assert equal([ops.convert_to_numpy(gan.seen(kg.images.to_float(images))[0])],
                 [ops.convert_to_numpy(gan.seen(kg.images.to_float(images))[0])])  # fmt: skip
    gan.fit(images, batch_size=8, verbose=0)
    assert equal(before, values(gan.comparator.variables))
    assert not equal(generator, values(gan.generator.trainable_variables))


# Who goes on


def test_a_player_that_is_too_far_ahead_stops():
    """The script of ratios."""
    gan = model()
    expected = [(0.05, 0, 1), (0.3, 0, 1), (0.6, 1, 1), (11.0, 1, 0), (1.0, 1, 0), (0.05, 0, 1), (20.0, 1, 0)]
    for ratio, d, g in expected:
        gan.decide(ratio * 2.0, 2.0)
        assert (number(gan.goes_on["discriminator"]), number(gan.goes_on["generator"])) == (d, g), ratio


@pytest.mark.parametrize("stopped", ["discriminator", "generator"])
def test_a_stopped_player_changes_in_nothing(stopped):
    """Neither its weights nor its moments nor its averages; the other one learns."""
    gan = model(ema_decay=0.5)
    gan.decide = lambda *losses: None
    gan.goes_on[stopped].assign(0.0)

    def state(player):
        optimizer = gan.g_optimizer if player == "generator" else gan.d_optimizer
        averages = gan.ema.variables if player == "generator" else []
        return values([*gan.player_variables(player), *optimizer.variables, *averages])

    other = "generator" if stopped == "discriminator" else "discriminator"
    before, others = state(stopped), state(other)
    gan.fit(np.random.default_rng(0).integers(0, 256, (8, *SHAPE)).astype("uint8"), batch_size=4, verbose=0)
    assert equal(before, state(stopped)) and not equal(others, state(other))


def test_the_ratio_is_of_unweighted_losses(monkeypatch):
    seen = []
    images = np.random.default_rng(0).integers(0, 256, (4, *SHAPE)).astype("uint8")
    for weight in (1.0, 100.0):
        gan = model(adversarial_weight=weight)
        monkeypatch.setattr(gan, "decide", lambda *losses: seen.append([number(loss) for loss in losses]))
        gan.fit(images, batch_size=4, verbose=0)
    assert seen[0] == pytest.approx(seen[1], rel=1e-5)


@pytest.mark.skipif(BACKEND == "jax", reason="JAX traces losses, so that they cannot look at weights")
def test_the_generator_is_judged_by_the_updated_discriminator():
    gan, scores = model(), []
    score = gan.score
    gan.score = lambda images, training=True: (
        scores.append(values(gan.discriminator.weights)) or score(images, training)
    )
    gan.fit(np.random.default_rng(0).integers(0, 256, (4, *SHAPE)).astype("uint8"), batch_size=4, verbose=0)
    real, fake, again = scores
    assert equal(real, fake) and not equal(fake, again)


def test_who_has_stopped_is_part_of_the_saved_state(tmp_path):
    gan = model()
    gan.goes_on["discriminator"].assign(0.0)
    gan.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert number(loaded.goes_on["discriminator"]) == 0.0 and number(loaded.goes_on["generator"]) == 1.0
    assert equal(training_state(gan), training_state(loaded))


# Inverting


def test_a_reconstruction_depends_on_the_codes_alone():
    gan = model()
    images = np.random.default_rng(0).integers(0, 256, (3, *SHAPE)).astype("uint8")
    made = gan.reconstruct(images)
    codes = gan.seen(kg.images.to_float(images))[0]
    np.testing.assert_array_equal(made, ops.convert_to_numpy(kg.images.to_uint8(gan.generator(codes))))
    assert gan.reconstruct(images[0]).shape == (1, *SHAPE)
    np.testing.assert_allclose(gan.encode(images), ops.convert_to_numpy(codes), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"comparator": None}, "Expected a comparator"),
        ({"layer": "featurs"}, "Did you mean features"),
        ({"compared": 3}, "a layer of the comparator"),
        ({"image_weight": -1.0}, "image_weight of 0 or more"),
        ({"generator": build_generator((9,), SHAPE, filters=4, units=4)}, "from the layer's outputs"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    parts = {
        "generator": build_generator((8,), SHAPE, filters=4, units=4),
        "discriminator": build_discriminator(SHAPE, filters=2, units=4),
        "comparator": comparator(),
    }
    with pytest.raises(ConfigurationError, match=message):
        kg.DeePSiM(**{**parts, **options})


def test_labels_and_codes_of_unknown_size_are_refused():
    with pytest.raises(ConfigurationError, match="without labels"):
        kg.DeePSiM.load_data("mnist", labels="label")
    with pytest.raises(ConfigurationError, match="known size"):
        build_generator((None, None, 3), SHAPE)
