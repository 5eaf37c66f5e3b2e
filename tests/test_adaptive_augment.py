"""ADA's transformations against NumPy and closed forms, their probabilities, and the layer in front of a network."""

import math

import keras
import numpy as np
import pytest
from contract import values
from keras import layers, ops

from keras_gans import penalties
from keras_gans.augment import (
    AdaptiveAugment,
    ada_blit,
    ada_color,
    ada_cutout,
    ada_filter,
    ada_geometry,
    ada_noise,
    adapted_probability,
    amplify_bands,
    band_filters,
    band_gains,
    blit_matrices,
    color_matrices,
    cut_square,
    geometry_matrices,
    recolor,
    warp,
    with_augmentation,
)
from keras_gans.engine import value_and_grad
from keras_gans.errors import ConfigurationError

ALL = (ada_blit, ada_geometry, ada_color, ada_filter, ada_noise, ada_cutout)
YES, NO = -9.0, 9.0  # normal numbers that decide for and against a transformation, at any p between


def numpy(tensor):
    return np.array(ops.convert_to_numpy(tensor), copy=True)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def count(transformation, shape):
    return transformation.numbers(shape) if callable(transformation.numbers) else transformation.numbers


def apply(transformation, images, probability, seed=1):
    numbers = normal(len(images), count(transformation, images.shape[1:]), seed=seed)
    return numpy(transformation(ops.convert_to_tensor(images), ops.convert_to_tensor(numbers), probability))


# Moving pixels


def sampled(image, matrix):
    """One image, pixel by pixel."""
    height, width, _ = image.shape

    def read(x, y):
        places = []
        for index, size in ((x, width), (y, height)):
            if not 1 - size <= index <= 2 * size - 2:
                return 0.0
            index = -index if index < 0 else index
            places.append(2 * (size - 1) - index if index >= size else index)
        return image[places[1], places[0]]

    made = np.zeros_like(image, "float64")
    for i in range(height):
        for j in range(width):
            x, y, _ = matrix @ [j - (width - 1) / 2, i - (height - 1) / 2, 1.0]
            x, y = x + (width - 1) / 2, y + (height - 1) / 2
            left, top = math.floor(x), math.floor(y)
            for dx in (0, 1):
                for dy in (0, 1):
                    made[i, j] += read(left + dx, top + dy) * abs(1 - dx - (x - left)) * abs(1 - dy - (y - top))
    return made


def test_warping_is_bilinear_and_reflects_once():
    images = normal(6, 5, 7, 2)
    matrices = np.eye(3) + 0.4 * normal(6, 3, 3, seed=1) * [[1, 1, 8], [1, 1, 8], [0, 0, 0]]
    expected = [sampled(image, matrix) for image, matrix in zip(images, matrices)]
    np.testing.assert_allclose(numpy(warp(images, matrices)), expected, atol=1e-4)


def test_whole_pixels_are_moved_exactly():
    image, identity = normal(1, 6, 6, 3), np.eye(3)[None]
    np.testing.assert_array_equal(numpy(warp(image, identity)), image)
    shifted = identity + [[0, 0, -2], [0, 0, 1], [0, 0, 0]]  # two to the right, one up
    expected = np.pad(image, ((0, 0), (0, 1), (2, 0), (0, 0)), mode="reflect")[:, 1:, :6]
    np.testing.assert_array_equal(numpy(warp(image, shifted)), expected)
    far = identity + [[0, 0, 17], [0, 0, 0], [0, 0, 0]]  # beyond the reflection
    np.testing.assert_array_equal(numpy(warp(image, far)), np.zeros_like(image))


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("flip", [False, True])
def test_a_blit_mirrors_turns_and_shifts(flip, quarters):
    """Each decision by hand: the mirror first, then the turn, then the shift by round(0.125 * 8 * U(-1, 1))."""
    u = (0.75 if flip else 0.25, (quarters + 0.5) / 4)
    numbers = [math.sqrt(2) * float(numpy(ops.erfinv(2 * one - 1))) for one in u]
    numbers = np.array([[numbers[0], YES, numbers[1], YES, 9.0, -9.0, YES]], "float32")
    image = normal(1, 8, 8, 3)
    made = numpy(ada_blit(ops.convert_to_tensor(image), ops.convert_to_tensor(numbers), 0.5))
    expected = image[:, :, ::-1] if flip else image
    expected = np.rot90(expected, -quarters, axes=(1, 2))
    expected = np.pad(expected, ((0, 0), (0, 1), (1, 0), (0, 0)), mode="reflect")[:, 1:, :8]
    np.testing.assert_allclose(made, expected, atol=1e-6)


def test_at_p_one_half_of_the_images_are_mirrored_and_a_quarter_turned_each_way():
    matrices = numpy(blit_matrices(normal(8000, 7), 1.0, 32, 64))
    found, counts = np.unique(matrices[:, :2, :2].reshape(-1, 4).round(), axis=0, return_counts=True)
    assert len(found) == 8
    np.testing.assert_allclose(counts, 1000, rtol=0.15)  # five deviations
    flipped = np.linalg.det(matrices[:, :2, :2]) < 0
    assert flipped.mean() == pytest.approx(0.5, abs=0.03)
    shifts = numpy(blit_matrices(np.concatenate([np.full((8000, 4), NO), normal(8000, 3)], 1), 1.0, 32, 64))[:, :2, 2]
    for along, most in zip(shifts.T, (8, 4)):  # x to the right: an eighth of the width
        assert set(np.unique(along)) == set(range(-most, most + 1))
        inner = np.abs(along) < most  # the ends are half as frequent
        np.testing.assert_allclose(inner.mean(), 1 - 1 / (2 * most), atol=0.02)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_each_blit_has_the_probability(probability):
    numbers = normal(8000, 7)
    numbers[:, [1, 3]] = NO
    moved = numpy(blit_matrices(numbers, probability, 512, 512))[:, :2, 2].any(axis=1)
    assert moved.mean() == pytest.approx(probability, abs=0.025)


@pytest.mark.parametrize("probability", [0.0, 0.3, 0.8, 1.0, 1.7])
def test_geometry_scales_and_turns_with_its_probabilities(probability):
    """One rotation or both: p. The size changes with p, by 2^N(0, 0.2^2); the determinant has its inverse square."""
    numbers = normal(8000, 11)
    numbers[:, 10] = NO
    matrices, p = numpy(geometry_matrices(numbers, probability, 32, 32)), min(probability, 1.0)
    turned = np.abs(matrices[:, 0, 1]) > 1e-5
    assert turned.mean() == pytest.approx(p, abs=0.025)
    scale = -np.log2(np.linalg.det(matrices[:, :2, :2])) / 2
    changed = np.abs(scale) > 1e-5
    assert changed.mean() == pytest.approx(p, abs=0.025)
    if changed.any():
        assert scale[changed].std() == pytest.approx(0.2, rel=0.1) and abs(scale[changed].mean()) < 0.02
    assert probability > 1.0 or not matrices[:, :2, 2].any()
    np.testing.assert_array_equal(matrices[:, 2], np.tile([0.0, 0.0, 1.0], (8000, 1)))


def test_geometry_stretches_one_axis_as_it_shrinks_the_other_and_shifts_by_fractions():
    numbers = normal(8000, 11)
    numbers[:, [1, 3, 7]] = NO
    matrices = numpy(geometry_matrices(numbers, 1.0, 64, 32))
    stretch = -np.log2(matrices[:, 0, 0])
    np.testing.assert_allclose(stretch, np.log2(matrices[:, 1, 1]), atol=1e-5)
    assert stretch.std() == pytest.approx(0.2, rel=0.05)
    # In the image's own pixels the shift is N(0, 0.125^2) size; the matrix reads it back through the stretch.
    shifts = -np.linalg.solve(matrices[:, :2, :2].astype("float64"), matrices[:, :2, 2:])[..., 0]
    np.testing.assert_allclose(shifts.std(axis=0), [0.125 * 32, 0.125 * 64], rtol=0.05)


# Colours


def test_colours_are_mapped_by_the_matrix_and_grey_levels_by_its_mean():
    images, matrices = normal(4, 3, 2, 3), normal(4, 4, 4, seed=1)
    expected = np.einsum("nhwc,ndc->nhwd", images, matrices[:, :3, :3]) + matrices[:, None, None, :3, 3]
    np.testing.assert_allclose(numpy(recolor(images, matrices)), expected, atol=1e-5)
    grey, mean = images[..., :1], matrices[:, :3].mean(axis=1)[:, None, None]
    expected = grey * mean[..., :3].sum(axis=-1, keepdims=True) + mean[..., 3:]
    np.testing.assert_allclose(numpy(recolor(grey, matrices)), expected, atol=1e-5)
    with pytest.raises(ConfigurationError, match="1 or 3 channels.*Received: 2"):
        recolor(images[..., :2], matrices)


def color_matrix(**changes):
    """The matrix where only the changes by name are made, with their normal numbers."""
    numbers = np.full((1, 10), NO, "float32")
    for name, number in changes.items():
        place = 2 * ["bright", "contrast", "flip", "hue", "saturation"].index(name)
        numbers[0, place : place + 2] = number, YES
    return numpy(color_matrices(ops.convert_to_tensor(numbers), 0.5))[0]


def test_each_change_of_colour_by_hand():
    grey = np.ones((3, 3)) / 3
    np.testing.assert_allclose(color_matrix(), np.eye(4), atol=1e-7)
    added = np.eye(4)
    added[:3, 3] = 0.2 * 1.5
    np.testing.assert_allclose(color_matrix(bright=1.5), added, atol=1e-6)
    np.testing.assert_allclose(color_matrix(contrast=-2.0)[:3, :3], 0.5 * np.eye(3), atol=1e-6)  # 2^(0.5 * -2)
    np.testing.assert_allclose(color_matrix(flip=9.0)[:3, :3], np.eye(3) - 2 * grey, atol=1e-6)
    np.testing.assert_allclose(color_matrix(flip=-9.0), np.eye(4), atol=1e-6)  # chosen, and not flipped
    third = math.sqrt(2) * float(numpy(ops.erfinv(2 / 3)))  # an angle of 2 pi / 3: red to green to blue
    np.testing.assert_allclose(color_matrix(hue=third)[:3, :3], np.eye(3)[[2, 0, 1]], atol=1e-5)
    np.testing.assert_allclose(color_matrix(saturation=1.0)[:3, :3], grey + 2 * (np.eye(3) - grey), atol=1e-6)


def test_changes_of_colour_follow_one_another():
    """Brightness, contrast, mirror, hue, saturation."""
    names = {"bright": 0.7, "contrast": -0.4, "flip": 9.0, "hue": 0.3, "saturation": 0.6}
    expected = np.eye(4)
    for name, number in names.items():
        single = color_matrix(**{name: number})
        expected = single @ expected
    np.testing.assert_allclose(color_matrix(**names)[:3], expected[:3], atol=1e-5)


def test_grey_images_have_no_hue_and_no_saturation():
    numbers = normal(5, 10)
    numbers[:, 1:6:2] = NO
    np.testing.assert_allclose(numpy(color_matrices(numbers, 0.99, channels=1)), np.tile(np.eye(4), (5, 1, 1)))
    image = normal(5, 4, 4, 1)
    np.testing.assert_array_equal(numpy(ada_color(image, numbers, 0.99)), image)


# Filters, noise, holes


def test_the_bands_split_the_frequencies():
    """Symmetric filters whose sum is the identity. A constant is in the lowest, alternating pixels in the highest."""
    bank = band_filters()
    assert bank.shape == (4, 43)
    np.testing.assert_allclose(bank, bank[:, ::-1], atol=1e-12)
    np.testing.assert_allclose(bank.sum(axis=0), np.eye(43)[21], atol=1e-12)
    np.testing.assert_allclose(bank.sum(axis=1), [1, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(np.abs(bank @ (-1.0) ** np.arange(43)), [0, 0, 0, 1], atol=1e-12)


@pytest.mark.parametrize("shape", [(32, 24), (64, 44)])
def test_bands_are_amplified_along_both_axes(shape):
    image, gains = normal(1, *shape, 2), np.array([[1.5, 0.5, 2.0, 0.25]], "float32")
    taps = gains[0] @ band_filters()

    def filtered(x, axis):
        pads = [(21, 21) if i == axis else (0, 0) for i in range(4)]
        padded = np.pad(x, pads, mode="reflect")
        return np.apply_along_axis(lambda line: np.convolve(line, taps, mode="valid"), axis, padded)

    expected = filtered(filtered(image.astype("float64"), 1), 2)
    np.testing.assert_allclose(numpy(amplify_bands(image, gains)), expected, atol=1e-4)


def test_equal_gains_multiply_by_their_square():
    image = normal(2, 8, 16, 3)
    np.testing.assert_allclose(numpy(amplify_bands(image, 2.0 * np.ones((2, 4)))), 4.0 * image, atol=1e-5)


def test_gains_keep_the_power_of_natural_images():
    """One band amplified alone: its gain against the others is 2^n, and the expected power stays one."""
    for band in range(4):
        numbers = np.full((3, 8), NO, "float32")
        numbers[:, 2 * band], numbers[:, 2 * band + 1] = [-1.0, 0.5, 2.0], YES
        gains = numpy(band_gains(numbers, 0.5))
        others = np.delete(gains, band, axis=1)
        np.testing.assert_allclose(gains[:, band] / others[:, 0], 2.0 ** numbers[:, 2 * band], rtol=1e-5)
        np.testing.assert_allclose(gains**2 @ (np.array([10, 1, 1, 1]) / 13), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(numpy(band_gains(normal(4, 8), 0.0)), np.ones((4, 4)))


def test_noise_has_a_deviation_of_each_images_own():
    made = apply(ada_noise, np.zeros((300, 16, 16, 3), "float32"), 1.0)
    deviations = made.std(axis=(1, 2, 3))
    numbers = normal(300, count(ada_noise, (16, 16, 3)), seed=1)
    np.testing.assert_allclose(deviations, 0.1 * np.abs(numbers[:, 0]), rtol=0.15)
    changed = apply(ada_noise, np.zeros((4000, 2, 2, 1), "float32"), 0.3).any(axis=(1, 2, 3))
    assert changed.mean() == pytest.approx(0.3, abs=0.035)


def test_holes_are_half_as_wide_and_high_and_cut_by_the_border():
    made = apply(ada_cutout, np.ones((4000, 16, 8, 1), "float32"), 0.5)
    holes = (made == 0.0)[..., 0]
    cut = holes.any(axis=(1, 2))
    assert cut.mean() == pytest.approx(0.5, abs=0.035)
    heights, widths = holes.any(axis=2).sum(axis=1)[cut], holes.any(axis=1).sum(axis=1)[cut]
    assert (heights.max(), widths.max()) == (8, 4) and holes.sum(axis=(1, 2)).max() == 32
    assert (heights.min(), widths.min()) == (4, 2)  # centred on the border
    middle = cut_square(np.ones((1, 4, 4, 1), "float32"), np.array([[0.0, 0.75]]), np.array([0.5]))
    np.testing.assert_array_equal(numpy(middle)[0, :, :, 0] == 0, [[0] * 4, [0] * 4, [1, 0, 0, 0], [1, 0, 0, 0]])


# The layer


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 12, 1)])
def test_with_p_zero_or_outside_training_nothing_changes(shape):
    images = normal(3, *shape)
    np.testing.assert_array_equal(numpy(AdaptiveAugment(ALL)(images, training=True)), images)
    np.testing.assert_array_equal(numpy(AdaptiveAugment(ALL, probability=1.0)(images)), images)


def test_every_image_and_call_has_changes_of_its_own():
    layer, images = AdaptiveAugment(ALL, probability=1.0, seed=3), np.tile(normal(1, 8, 8, 3), (5, 1, 1, 1))
    first, second = (numpy(layer(images, training=True)) for _ in range(2))
    assert all((first[i] != first[0]).any() for i in range(1, 5)) and (first != second).any()
    again = numpy(AdaptiveAugment(ALL, probability=1.0, seed=3)(images, training=True))
    np.testing.assert_array_equal(again, first)


def test_p_is_the_share_of_images_that_change():
    layer = AdaptiveAugment([ada_noise], seed=0)
    images = np.zeros((4000, 2, 2, 1), "float32")
    for p in (0.2, 0.7):
        layer.probability.assign(p)
        changed = numpy(layer(images, training=True)).any(axis=(1, 2, 3))
        assert changed.mean() == pytest.approx(p, abs=0.035)


@pytest.mark.parametrize("transformation", ALL, ids=lambda transformation: transformation.__name__)
def test_the_gradient_reaches_the_images(transformation):
    """All are affine in the images: a difference of two values is the slope."""
    images, weights = keras.Variable(0.3 * normal(3, 8, 8, 3)), normal(3, 8, 8, 3, seed=1)
    numbers = ops.convert_to_tensor(normal(3, count(transformation, (8, 8, 3)), seed=2))

    def value(x):
        return ops.sum(ops.multiply(transformation(x, numbers, 0.9), weights))

    _, (slope,) = value_and_grad(lambda: value(ops.convert_to_tensor(images)), [images])
    start, direction = numpy(images.value), normal(3, 8, 8, 3, seed=4)
    sides = [float(numpy(value(ops.convert_to_tensor(start + sign * direction)))) for sign in (1.0, -1.0)]
    assert np.sum(numpy(slope) * direction) == pytest.approx((sides[0] - sides[1]) / 2, rel=1e-2, abs=1e-2)
    assert (numpy(slope) != 0.0).any(axis=(1, 2, 3)).all()


def test_r1_is_of_the_image_before_the_augmentation():
    """A mirror image leaves it as it is, |a|^2; contrast multiplies it; and it differentiates again."""
    a = keras.Variable(normal(8, 8, 1))
    images, squares = ops.convert_to_tensor(normal(4, 8, 8, 1)), float(np.square(numpy(a.value)).sum())

    def r1(transformation, numbers):
        def score(x):
            moved = transformation(x, ops.convert_to_tensor(np.tile(numbers, (4, 1))), 0.5)
            return ops.sum(moved * ops.convert_to_tensor(a), axis=(1, 2, 3))

        return value_and_grad(lambda: penalties.r1_penalty(score, images), [a])

    mirror = np.array([[9.0, YES, 0.0, NO, 0.0, 0.0, NO]], "float32")
    loss, (slope,) = r1(ada_blit, mirror)
    assert float(numpy(loss)) == pytest.approx(squares, rel=1e-5)
    np.testing.assert_allclose(numpy(slope), 2 * numpy(a.value), rtol=1e-4)
    contrast = np.array([[0.0, NO, 2.0, YES] + [0.0, NO] * 3], "float32")  # twice
    assert float(numpy(r1(ada_color, contrast)[0])) == pytest.approx(4 * squares, rel=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_in_a_compiled_step_that_is_saved(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    network = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1)])
    model = with_augmentation(network, AdaptiveAugment(ALL, probability=0.5, seed=3))
    model.compile("sgd", "mse")
    layer = next(one for one in model.layers if isinstance(one, AdaptiveAugment))
    before = numpy(layer.seeds.state.value)
    model.fit(normal(10, 8, 8, 3), normal(10, 1), batch_size=4, verbose=0)  # and a last batch of two
    assert (numpy(layer.seeds.state.value) != before).any()
    layer.probability.assign(0.25)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    other = next(one for one in loaded.layers if isinstance(one, AdaptiveAugment))
    assert other.policy == ALL and float(numpy(other.probability)) == 0.25
    images = normal(2, 8, 8, 3)
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))
    assert len(model.trainable_weights) == 2 and values(model.trainable_weights)[0].dtype == np.float32


def test_only_the_images_of_a_list_are_augmented():
    labels, images = keras.Input((3,)), keras.Input((8, 8, 1))
    judged = layers.Concatenate()([labels, layers.Flatten()(images)])
    network = with_augmentation(keras.Model([labels, images], judged), AdaptiveAugment([ada_noise], 1.0, seed=0))
    rows, ones = np.eye(3, dtype="float32"), np.ones((3, 8, 8, 1), "float32")
    made = numpy(network([rows, ones], training=True))
    np.testing.assert_array_equal(made[:, :3], rows)
    assert (made[:, 3:] != 1.0).any(axis=1).all()
    np.testing.assert_array_equal(numpy(network([rows, ones]))[:, 3:], 1.0)
    with pytest.raises(ConfigurationError, match="last input is images"):
        with_augmentation(keras.Sequential([keras.Input((3,)), layers.Dense(1)]), AdaptiveAugment())


@pytest.mark.parametrize("policy", ["color", None, (len,), ["ada_color"]])
def test_policies_are_transformations(policy):
    with pytest.raises(ConfigurationError, match="sequence of functions"):
        AdaptiveAugment(policy)


@pytest.mark.parametrize("probability", [-0.1, True, "0.5", math.nan])
def test_probabilities_below_zero_are_refused(probability):
    with pytest.raises(ConfigurationError, match="probability of 0 or more"):
        AdaptiveAugment(probability=probability)


def test_images_that_are_not_floats_are_refused():
    with pytest.raises(ConfigurationError, match="Expected images as floats"):
        AdaptiveAugment()(np.zeros((2, 8, 8, 3), "uint8"), training=True)


@pytest.mark.parametrize(
    "before, sign, after",
    [(0.0, 1.0, 0.000512), (0.5, 0.61, 0.500512), (0.5, 0.59, 0.499488), (0.0004, -1.0, 0.0), (1.2, 1.0, 1.200512)]
    + [(0.3, 0.6, 0.3)],
)
def test_an_adjustment_by_hand(before, sign, after):
    """64 * 4 / 500 000 up or down, never below 0, and without an end above."""
    assert adapted_probability(before, sign, count=4 * 64) == pytest.approx(after, abs=1e-12)
