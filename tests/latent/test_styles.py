"""Tools for styles: mixing, SeFa and GANSpace on planted directions, and the projector's schedule and result."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError, UnsupportedError
from keras_gans.latent import (
    attribute_direction,
    class_directions,
    mapped_styles,
    mix,
    project,
    style_components,
    style_directions,
    traverse_styles,
)
from keras_gans.latent.styles import noise_regularization
from keras_gans.models.style_gan2 import StyleGAN2, build_generator
from keras_gans.networks.mapping import build_mapping

RNG = np.random.default_rng(0)


def tiny(mapping=None, **options):
    keras.utils.set_random_seed(0)
    mapping = build_mapping(4, 6, depth=2) if mapping is None else mapping
    return StyleGAN2(build_generator((8, 8, 1), 6, widths=(8, 4)), None, mapping, seed=0, **options)


@pytest.fixture(scope="module")
def gan():
    model = tiny()
    for layer in model.generator.layers:
        if isinstance(layer, kg.layers.NoiseInjection):
            layer.strength.assign(0.02)
        elif layer.name in ("image0", "image1"):
            layer.kernel.assign(0.2 * layer.kernel)  # images within [-1, 1], which uint8 does not clip
    return model


def planted(matrix):
    """A model whose mapping is z A, so that styles are normal with the covariance A^T A."""
    latents = keras.Input((len(matrix),))
    dense = layers.Dense(matrix.shape[1], use_bias=True)
    mapping = keras.Model(latents, dense(latents))
    dense.set_weights([matrix, np.ones(matrix.shape[1])])
    return tiny(mapping)


# Mixing and moving


def test_mixed_styles_have_the_columns_layers_and_the_rows_others(gan):
    styles = gan.to_styles(noise=gan.noise(5, seed=0))
    sheet = mix(styles[:2], styles[2:], [0, 2])
    assert sheet.shape == (2, 3, 4, 6)
    for a in range(2):
        for b in range(3):
            np.testing.assert_array_equal(sheet[a, b, [0, 2]], styles[2 + b, [0, 2]])
            np.testing.assert_array_equal(sheet[a, b, [1, 3]], styles[a, [1, 3]])
    images = gan.from_styles(mix(styles[:2], styles[2:], range(4)).reshape(6, 4, 6))
    assert np.abs(images[:3].astype(int) - gan.from_styles(styles[2:])).max() <= 1  # a grey level, by rounding


def test_a_style_moves_in_its_layers_alone():
    styles, direction = RNG.normal(size=(2, 3, 4)).astype("float32"), np.eye(4)[1]
    moved = traverse_styles(styles, direction, reach=2.0, steps=5, layers=[0, 2])
    assert moved.shape == (2, 5, 3, 4)
    for step, alpha in enumerate([-2.0, -1.0, 0.0, 1.0, 2.0]):
        expected = alpha * np.outer([1, 0, 1], direction)
        np.testing.assert_allclose(moved[:, step] - styles, np.stack([expected] * 2), atol=1e-6)
    everywhere = traverse_styles(styles, direction, reach=2.0, steps=2)
    np.testing.assert_allclose(everywhere[:, 1] - styles, np.tile(2.0 * direction, (2, 3, 1)), atol=1e-6)


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda s: mix(s, s, []), ConfigurationError, "layers from 0 to 2"),
        (lambda s: mix(s, s, [3]), ConfigurationError, "layers from 0 to 2"),
        (lambda s: mix(s, s[:, :2], [0]), DataError, "of one model"),
        (lambda s: mix(s[0], s, [0]), DataError, "to_styles"),
        (lambda s: traverse_styles(s, np.ones(3)), DataError, r"direction \(4,\)"),
        (lambda s: traverse_styles(s, np.ones(4), reach=0.0), ConfigurationError, "reach above 0"),
        (lambda s: traverse_styles(s, np.ones(4), layers=[-1]), ConfigurationError, "layers from 0"),
    ],
)
def test_impossible_mixtures_and_paths_are_refused(call, error, match):
    with pytest.raises(error, match=match):
        call(np.zeros((2, 3, 4), "float32"))


# Directions


def test_directions_move_the_modulation_furthest(gan):
    """Of 1000 random unit vectors none moves the units, each with weights of norm 1, further than the first."""
    directions, lengths = style_directions(gan)
    np.testing.assert_allclose(directions @ directions.T, np.eye(6), atol=1e-5)
    names = ["style0", "style1", "style2"]
    kernel = np.concatenate([ops.convert_to_numpy(gan.generator.get_layer(name).kernel) for name in names], axis=1)
    kernel = kernel / np.linalg.norm(kernel, axis=0)
    np.testing.assert_allclose(np.linalg.norm(directions @ kernel, axis=1), lengths, rtol=1e-4)
    random = RNG.normal(size=(1000, 6))
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    assert np.linalg.norm(random @ kernel, axis=1).max() <= lengths[0] * (1 + 1e-6)
    assert lengths.tolist() == sorted(lengths, reverse=True)
    assert np.sum(lengths.astype("float64") ** 2) == pytest.approx(kernel.shape[1], rel=1e-5)


def test_a_planted_direction_of_chosen_layers_is_found(gan):
    """Of all layers, with those of the images, and of one layer, whose units read one direction."""
    layer, planted = gan.generator.get_layer("image_style1"), np.array([0.6, 0.0, 0.8, 0.0, 0.0, 0.0])
    before = layer.kernel.numpy() if hasattr(layer.kernel, "numpy") else ops.convert_to_numpy(layer.kernel)
    layer.kernel.assign(np.outer(planted, np.arange(1, before.shape[1] + 1)))
    try:
        found, lengths = style_directions(gan, 2, layers=[3], image_layers=True)
        np.testing.assert_allclose(found[0], planted, atol=1e-5)
        assert lengths == pytest.approx([before.shape[1] ** 0.5, 0.0], abs=1e-3)
        with pytest.raises(ConfigurationError, match="not an image's"):
            style_directions(gan, layers=[3])
        assert np.sum(style_directions(gan, image_layers=True)[1] ** 2) == pytest.approx(8 + 8 + 4 + 8 + 4, rel=1e-4)
    finally:
        layer.kernel.assign(before)


def test_components_are_those_of_planted_styles():
    rotation = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    deviations = np.array([5.0, 3.0, 1.0, 0.5])
    model = planted(deviations[:, None] * rotation[:4])
    components, found, mean = style_components(model, 4, samples=4000)
    np.testing.assert_allclose(components @ components.T, np.eye(4), atol=1e-5)
    assert found == pytest.approx(deviations, rel=0.05)
    assert (np.abs(np.sum(components * rotation[:4], axis=1)) > 0.99).all()
    np.testing.assert_allclose(mean, 1.0, atol=0.3)
    np.testing.assert_array_equal(mapped_styles(model, 3, seed=5), model.to_styles(noise=model.noise(3, seed=5))[:, 0])


def test_an_attribute_of_styles_has_its_direction(monkeypatch):
    """A classifier that reads the side of a plane through the mean style."""
    model, planted_direction = planted(np.eye(4, 6)), np.array([0.0, 0.6, 0.0, 0.8, 0.0, 0.0])
    styles = mapped_styles(model, 2000)
    labels = ((styles - 1.0) @ planted_direction > 0).astype(int)
    assert attribute_direction(styles, labels) @ planted_direction > 0.95
    monkeypatch.setattr("keras_gans.latent.directions.predict_classes", lambda classifier, images: labels)
    classifier = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2)])
    found = class_directions(model, classifier, ["no", "yes"], ["yes"], mapped=True)
    assert found["yes"] @ planted_direction > 0.95 and found["yes"].shape == (6,)


@pytest.mark.parametrize(
    "tool",
    [
        lambda model: style_directions(model),
        lambda model: style_components(model),
        lambda model: mapped_styles(model, 2),
        lambda model: project(model, model.generate(1, seed=0)),
    ],
)
def test_models_without_styles_are_refused(tool):
    model = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
    with pytest.raises(UnsupportedError, match="a mapped latent space, .*StyleGAN2.* Received: GAN"):
        tool(model)


def test_impossible_directions_are_refused(gan):
    for call, match in (
        (lambda: style_directions(gan, 7), "from 1 to 6"),
        (lambda: style_directions(gan, layers=[4]), "layers from 0 to 3"),
        (lambda: style_components(gan, 0), "from 1 to 6"),
        (lambda: style_components(gan, samples=1), "samples"),
    ):
        with pytest.raises(ConfigurationError, match=match):
            call()


# Projection


def test_an_image_of_the_model_is_found_again_and_nothing_else_changes(gan):
    images = gan.from_styles(gan.to_styles(noise=gan.noise(2, seed=3)))
    before = [ops.convert_to_numpy(variable) for variable in gan.variables]
    found = project(gan, images, steps=400, samples=200, seed=1)
    assert (found.loss < 0.1 * found.first_loss).all(), (found.first_loss, found.loss)
    for old, variable in zip(before, gan.variables):
        np.testing.assert_array_equal(old, ops.convert_to_numpy(variable))
    assert found.styles.shape == (2, 4, 6) and (found.styles == found.styles[:, :1]).all()
    made = gan.from_styles(found.styles, found.noise_maps)
    difference = np.mean(np.square((made.astype("float64") - images) / 127.5), axis=(1, 2, 3))
    np.testing.assert_allclose(difference, found.loss, atol=1e-3)  # of uint8 images: half a grey level
    for maps in found.noise_maps:
        np.testing.assert_allclose(maps.mean(axis=(1, 2, 3)), 0.0, atol=1e-5)
        np.testing.assert_allclose(np.square(maps).mean(axis=(1, 2, 3)), 1.0, atol=1e-4)


def test_the_projector_is_deterministic_and_starts_at_the_mean_without_a_step(gan):
    images = gan.generate(2, seed=0)
    once, again = (project(gan, images, steps=2, samples=50, seed=2) for _ in range(2))
    np.testing.assert_array_equal(once.styles, again.styles)
    first = project(gan, images, steps=1, samples=50, seed=2)  # the learning rate of step 0 is 0
    np.testing.assert_allclose(first.styles, np.tile(mapped_styles(gan, 50, 2).mean(axis=0), (2, 4, 1)), atol=1e-6)
    own = project(gan, images, steps=4, samples=50, each_layer=True)
    assert not (own.styles == own.styles[:, :1]).all()


def test_neighbours_of_noise_maps_are_compared_at_all_sizes():
    maps = RNG.normal(size=(2, 16, 16, 1))
    expected = 0.0
    for level in (maps, maps.reshape(2, 8, 2, 8, 2, 1).mean(axis=(2, 4))):
        for axis in (1, 2):
            expected = expected + np.mean(level * np.roll(level, 1, axis), axis=(1, 2, 3)) ** 2
    np.testing.assert_allclose(ops.convert_to_numpy(noise_regularization(maps.astype("float32"))), expected, rtol=1e-3)


def test_impossible_projections_are_refused(gan):
    images = gan.generate(1, seed=0)
    for options, match in (
        ({"steps": 0}, "1 step or more"),
        ({"samples": 1}, "2 samples"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"noise_weight": -1.0}, "weights of 0"),
        ({"features": kg.metrics.pixels((9, 9, 1))}, "features for images"),
    ):
        with pytest.raises(ConfigurationError, match=match):
            project(gan, images, **options)
    with pytest.raises(DataError, match="shape"):
        project(gan, images[:, :4])
    with pytest.raises(ConfigurationError, match="noise maps"):
        gan.from_styles(np.zeros((1, 6)), [np.zeros((1, 8, 8, 1))])


def test_paths_between_styles_are_lines(gan):
    ends = gan.to_styles(noise=gan.noise(seed=[0, 1])).reshape(2, -1)
    path = kg.latent.strips(ends[:1], ends[1:], 3, kg.latent.lerp).reshape(3, 4, 6)
    np.testing.assert_allclose(path[1], ends.mean(axis=0).reshape(4, 6), atol=1e-6)
