"""Differentiable augmentation, pixel by pixel, and its random numbers."""

import keras
import numpy as np
import pytest
from contract import equal, slow_on_jax, training_state, values
from keras import ops

import keras_gans as kg
from keras_gans import augment
from keras_gans.augment import (
    DiffAugment,
    brightness,
    color,
    contrast,
    cut_out,
    cutout,
    flip_and_shift,
    mirror_and_move,
    saturation,
    translate,
    translation,
)
from keras_gans.engine import value_and_grad
from keras_gans.errors import ConfigurationError
from keras_gans.files import read_model
from keras_gans.images import to_float


def numpy(tensor):
    return np.array(ops.convert_to_numpy(tensor), copy=True)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def seeds():
    return keras.random.SeedGenerator(7)


def moved(image, down, right):
    """One image, pixel by pixel."""
    outputs = np.zeros_like(image)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            if 0 <= i - down < image.shape[0] and 0 <= j - right < image.shape[1]:
                outputs[i, j] = image[i - down, j - right]
    return outputs


SHIFTS = [(0, 0), (2, -1), (-3, 3), (1, 0), (0, -5), (-6, 9)]


def test_translation_is_exact():
    images = normal(6, 5, 7, 2)
    expected = [moved(image, *shift) for image, shift in zip(images, SHIFTS)]
    np.testing.assert_array_equal(numpy(translate(images, np.array(SHIFTS))), expected)


def test_gradient_of_a_translation_is_the_translation_back():
    images, weights = keras.Variable(normal(6, 5, 7, 2)), normal(6, 5, 7, 2, seed=1)
    _, (slope,) = value_and_grad(
        lambda: ops.sum(ops.multiply(translate(ops.convert_to_tensor(images), np.array(SHIFTS)), weights)), [images]
    )
    expected = [moved(weight, -down, -right) for weight, (down, right) in zip(weights, SHIFTS)]
    np.testing.assert_array_equal(numpy(slope), expected)


def test_mirrored_and_moved_images_reflect_at_their_borders():
    images, shifts = normal(6, 5, 7, 2), [(0, 0), (2, -1), (-3, 3), (1, 0), (0, -5), (-4, 6)]
    flips, expected = np.array([False, True, True, False, True, False]), []
    for image, flip, (down, right) in zip(images, flips, shifts):
        image = image[:, ::-1] if flip else image
        padded = np.pad(image, ((4, 4), (6, 6), (0, 0)), mode="reflect")
        expected.append(padded[4 - down : 9 - down, 6 - right : 13 - right])
    np.testing.assert_array_equal(numpy(mirror_and_move(images, flips, np.array(shifts))), expected)


def test_half_of_the_images_are_flipped_and_all_shifts_are_alike():
    images = np.zeros((4000, 16, 24, 1), "float32")  # int(16 / 8 + .5) = 2 down, int(24 / 8 + .5) = 3 to the right
    images[:, 8, 11], images[:, 8, 12] = 1.0, 2.0
    made = numpy(flip_and_shift(ops.convert_to_tensor(images), seeds()))[..., 0]
    rows, columns = np.nonzero(made == 1.0)[1:]
    flipped = np.nonzero(made == 2.0)[2] < columns
    assert flipped.mean() == pytest.approx(0.5, abs=0.035)
    for found, most in ((rows - 8, 2), (columns - np.where(flipped, 12, 11), 3)):
        values, counts = np.unique(found, return_counts=True)
        assert values.tolist() == list(range(-most, most + 1))
        np.testing.assert_allclose(counts, 4000 / len(values), rtol=0.2)


@pytest.mark.parametrize("sides", [(2, 4), (3, 3), (1, 7)])
def test_cutout_is_exact_and_stops_the_gradient(sides):
    images, centers = keras.Variable(normal(4, 5, 7, 2)), np.array([(0, 0), (5, 7), (2, 3), (4, 1)])
    keep = np.ones((4, 5, 7, 2), "float32")
    for k, (row, column) in enumerate(centers):
        for i in range(row - sides[0] // 2, row - sides[0] // 2 + sides[0]):
            for j in range(column - sides[1] // 2, column - sides[1] // 2 + sides[1]):
                if 0 <= i < 5 and 0 <= j < 7:
                    keep[k, i, j] = 0.0
    weights = normal(4, 5, 7, 2, seed=1)
    outputs = numpy(cut_out(ops.convert_to_tensor(images), centers, sides))
    np.testing.assert_array_equal(outputs, numpy(images.value) * keep)
    _, (slope,) = value_and_grad(
        lambda: ops.sum(ops.multiply(cut_out(ops.convert_to_tensor(images), centers, sides), weights)), [images]
    )
    np.testing.assert_array_equal(numpy(slope), weights * keep)


def test_brightness_adds_one_number_an_image():
    images = normal(4000, 2, 2, 3)
    added = numpy(brightness(ops.convert_to_tensor(images), seeds())) - images
    np.testing.assert_allclose(added, added[:, :1, :1, :1] * np.ones_like(added), atol=1e-6)
    uniform_in(added[:, 0, 0, 0], -0.5, 0.5)


def test_saturation_scales_about_each_pixels_mean():
    images = normal(4000, 2, 2, 3)
    outputs, mean = numpy(saturation(ops.convert_to_tensor(images), seeds())), images.mean(axis=3, keepdims=True)
    factors = np.sum((outputs - mean) * (images - mean), axis=(1, 2, 3)) / np.sum((images - mean) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(outputs, (images - mean) * factors[:, None, None, None] + mean, atol=1e-5)
    uniform_in(factors, 0.0, 2.0)


def test_contrast_scales_about_the_images_mean():
    images = normal(4000, 2, 2, 3)
    outputs, mean = numpy(contrast(ops.convert_to_tensor(images), seeds())), images.mean(axis=(1, 2, 3), keepdims=True)
    factors = np.sum((outputs - mean) * (images - mean), axis=(1, 2, 3)) / np.sum((images - mean) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(outputs, (images - mean) * factors[:, None, None, None] + mean, atol=1e-5)
    uniform_in(factors, 0.5, 1.5)


def uniform_in(draws, low, high):
    """4000 draws: in the interval, near its ends, with its mean and deviation; all draws differ."""
    width = high - low
    assert low - 1e-5 <= draws.min() < low + 0.01 * width and high - 0.01 * width < draws.max() <= high + 1e-5
    assert draws.mean() == pytest.approx((low + high) / 2, abs=0.02 * width)  # four standard errors
    assert draws.std() == pytest.approx(width / 12**0.5, rel=0.05)
    assert len(np.unique(draws)) > 3000


def test_color_is_brightness_then_saturation_then_contrast():
    images = ops.convert_to_tensor(normal(5, 4, 4, 3))
    ours, own = seeds(), seeds()
    expected = contrast(saturation(brightness(images, own), own), own)
    np.testing.assert_array_equal(numpy(color(images, ours)), numpy(expected))


def test_translation_draws_every_shift_alike_in_both_directions():
    images = np.zeros((4000, 16, 24, 1), "float32")  # int(16 / 8 + .5) = 2 down, int(24 / 8 + .5) = 3 to the right
    images[:, 8, 12] = 1.0
    _, rows, columns, _ = np.nonzero(numpy(translation(images, seeds())))
    for found, most in ((rows - 8, 2), (columns - 12, 3)):
        values, counts = np.unique(found, return_counts=True)
        assert values.tolist() == list(range(-most, most + 1))
        np.testing.assert_allclose(counts, 4000 / len(values), rtol=0.2)
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.07


@pytest.mark.parametrize("height, side", [(8, 4), (6, 3), (7, 4)])
def test_cutout_draws_every_centre_alike(height, side):
    outputs = numpy(cutout(np.ones((4000, height, 4, 1), "float32"), seeds()))
    rows = (outputs == 0.0).any(axis=(2, 3))  # the rows of each image that the hole meets
    centers = (
        np.array([np.nonzero(row)[0].max() for row in rows]) + 1 - (side - side // 2)
    )  # right, unless clipped below
    ends = np.unique(rows, axis=0, return_counts=True)
    assert len(ends[0]) == height + 1 - side % 2  # one pattern a centre
    np.testing.assert_allclose(ends[1], 4000 / len(ends[0]), rtol=0.25)
    assert centers.min() == 0 and rows.sum(axis=1).max() == side
    holes = (outputs == 0.0).sum(axis=(1, 2, 3))
    assert holes.max() == side * 2  # the width is 4: a side of 2


def test_zero_strength_changes_nothing():
    images = normal(5, 8, 8, 3)
    np.testing.assert_array_equal(numpy(translation(images, seeds(), ratio=0.0)), images)
    np.testing.assert_array_equal(numpy(cutout(images, seeds(), ratio=0.0)), images)
    np.testing.assert_array_equal(numpy(DiffAugment([])(images)), images)
    grey = normal(5, 8, 8, 1)
    np.testing.assert_allclose(numpy(saturation(ops.convert_to_tensor(grey), seeds())), grey, atol=1e-6)


def test_equal_images_differ_afterwards_and_calls_differ():
    layer, images = DiffAugment(seed=3), np.tile(normal(1, 8, 8, 3), (6, 1, 1, 1))
    first, second = numpy(layer(images)), numpy(layer(images))
    assert all((first[i] != first[0]).any() for i in range(1, 6)) and (first != second).any()
    again = numpy(DiffAugment(seed=3)(images))
    np.testing.assert_array_equal(again, first)  # same seed, same draws


def test_the_gradient_reaches_the_images():
    images, weights = keras.Variable(0.3 * normal(3, 8, 8, 3)), normal(3, 8, 8, 3, seed=1)

    def value(x):  # linear in the images; the random numbers are the same each time
        return ops.sum(ops.multiply(DiffAugment(seed=3)(x), weights))

    _, (slope,) = value_and_grad(lambda: value(ops.convert_to_tensor(images)), [images])
    start, direction = numpy(images.value), normal(3, 8, 8, 3, seed=2)
    sides = [float(numpy(value(start + sign * direction))) for sign in (1.0, -1.0)]
    assert np.sum(numpy(slope) * direction) == pytest.approx((sides[0] - sides[1]) / 2, rel=1e-3)
    assert (numpy(slope) != 0.0).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_in_a_compiled_step_that_is_saved(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    layers = [keras.Input((8, 8, 3)), DiffAugment([color, translation], seed=3), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    before = numpy(model.layers[0].seeds.state.value)
    model.fit(normal(10, 8, 8, 3), normal(10, 1), batch_size=4, verbose=0)  # and a last batch of two
    assert (numpy(model.layers[0].seeds.state.value) != before).any()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].policy == (color, translation)
    assert ops.dtype(loaded.layers[0](normal(2, 8, 8, 3))) == ("float32" if policy == "float32" else "bfloat16")


def test_policies_are_functions():
    for policy in ("color,cutout", ["color"], "", None, color, {color}):
        with pytest.raises(ConfigurationError, match="sequence of functions"):
            DiffAugment(policy)
    assert augment.DiffAugment is DiffAugment


IMAGES = normal(2, 8, 8, 3)


@pytest.mark.parametrize(
    "images, received",
    [
        ([np.eye(2, dtype="float32"), IMAGES], "a list"),
        (np.zeros((2, 8, 8, 3), "uint8"), "uint8"),
        (np.zeros((2, 8, 8, 3), "int32"), "int32"),
        (IMAGES[0], r"float32 \(8, 8, 3\)"),
        (IMAGES[:, None], r"float32 \(2, 1, 8, 8, 3\)"),
    ],
)
def test_anything_but_one_float_tensor_of_images_is_refused(images, received):
    with pytest.raises(ConfigurationError, match=f"Expected images as floats.*Received: {received}.*augment the"):
        DiffAugment([translation])(images)


# In a variant, as a user puts it there


@keras.saving.register_keras_serializable(package="keras_gans_tests")
class AugmentedDCGAN(kg.DCGAN):
    def __init__(self, *networks, policy=(translation, cutout), **options):
        super().__init__(*networks, **options)
        self.policy, self.augment = policy, DiffAugment(policy, seed=self.seed)

    def score(self, images, training=True):
        return super().score(self.augment(images) if training else images, training)


def dcgan(variant=kg.DCGAN, compile=None, **options):
    keras.utils.set_random_seed(1)
    generator = [keras.Input((4,)), keras.layers.Dense(64, "tanh"), keras.layers.Reshape((8, 8, 1))]
    discriminator = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
    gan = variant(keras.Sequential(generator), keras.Sequential(discriminator), seed=5, **options)
    gan.compile(**(compile or {}))
    return gan


def test_a_variant_augments_real_and_fake_images_for_both_players(images, monkeypatch):
    """D(T(x)) and D(T(G(z))) in the discriminator's update, D(T(G(z))) in the generator's: three calls a step."""
    players, seen, judged = [], [], []

    def watch(images, seeds):
        seen.append((players[-1], images))
        return images

    gan = dcgan(AugmentedDCGAN, policy=[watch], compile={"run_eagerly": True})
    minimize = gan.minimize

    def watched(player, loss_fn, *inputs):
        players.append(player)
        judged.append(inputs)
        return minimize(player, loss_fn, *inputs)

    monkeypatch.setattr(gan, "minimize", watched)
    gan.fit(images[:8], batch_size=8, shuffle=False, verbose=0)
    assert [player for player, _ in seen] == ["discriminator", "discriminator", "generator"]
    (_, real), (_, fake), (_, last) = seen
    np.testing.assert_allclose(numpy(real), numpy(to_float(images[:8])), atol=1e-6)
    np.testing.assert_array_equal(numpy(fake), numpy(judged[0][1]))
    assert tuple(last.shape) == (8, 8, 8, 1)  # on JAX it has no values here, because it is traced for the gradient
    gan.generate(3, seed=0)
    gan.evaluate(images, verbose=0)
    assert len(seen) == 3


def test_samples_of_an_augmented_variant_are_those_of_the_plain_one():
    np.testing.assert_array_equal(dcgan(AugmentedDCGAN).generate(5, seed=0), dcgan().generate(5, seed=0))


def zeros(images, seeds):
    return 0.0 * images


@pytest.mark.parametrize("policy, moves", [((translation, cutout), True), ((zeros,), False)])
def test_the_generator_learns_through_the_augmentation(policy, moves, images):
    sgd = keras.optimizers.SGD
    gan = dcgan(AugmentedDCGAN, policy=policy, compile={"g_optimizer": sgd(0.1), "d_optimizer": sgd(0.1)})
    before = values(gan.generator.trainable_variables)
    gan.fit(images[:8], batch_size=8, verbose=0)
    after = values(gan.generator.trainable_variables)
    assert [not equal([a], [b]) for a, b in zip(before, after)] == [moves, moves]


def test_an_augmented_variant_is_saved_and_trained_on(images, tmp_path):
    gan, batches = dcgan(AugmentedDCGAN), kg.data.Batches(images, batch_size=8, seed=2)
    gan.fit(batches, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = read_model(tmp_path / "gan.keras", compile=True)
    np.testing.assert_array_equal(loaded.generate(5, seed=0), gan.generate(5, seed=0))
    for one in (gan, loaded):
        one.fit(batches, verbose=0)
    assert equal(training_state(loaded), training_state(gan))  # so the augmentation drew on, too
    plain = dcgan()
    plain.fit(batches, epochs=2, verbose=0)
    assert not equal(values(plain.discriminator.weights), values(gan.discriminator.weights))


LABELLED = [kg.CGAN, kg.ProjectionGAN, kg.IcGAN]


@slow_on_jax
@pytest.mark.parametrize("variant", [*LABELLED, kg.VEEGAN, kg.BiGAN])  # BiGAN has ALI's, and smaller networks
def test_where_images_are_judged_with_something_else_they_come_last(variant, monkeypatch):
    """What DiffAugment's docstring says of these variants' `score`."""
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1)).astype("uint8")
    options = {"label_space": kg.data.Classes(3)} if variant in LABELLED else {}
    gan = variant(image_shape=(16, 16, 1), latent_dim=4, seed=5, **options)
    gan.compile(run_eagerly=True)
    judged, score = [], gan.score

    def watched(inputs, training=True):
        judged.append([tuple(x.shape[1:]) for x in inputs])
        return score(inputs, training)

    monkeypatch.setattr(gan, "score", watched)
    gan.fit(images, *([np.arange(8) % 3] if options else []), batch_size=8, verbose=0)
    assert judged and all(shapes == [(3 if options else 4,), (16, 16, 1)] for shapes in judged)
