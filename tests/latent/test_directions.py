"""Directions: planted ones are found, closed forms hold."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_gans as kg
from keras_gans.latent import (
    activation_directions,
    attribute_direction,
    class_directions,
    first_layer_directions,
    orthogonalize,
    traverse,
)

RNG = np.random.default_rng(0)


def linear(matrix):
    """A model whose images are z A in a row of pixels, A (d, 64), whose latents go into the dense layer "first"."""
    inputs = keras.Input((len(matrix),))
    dense = layers.Dense(64, name="first")
    model = keras.Model(inputs, layers.Reshape((8, 8, 1))(dense(inputs)))
    dense.set_weights([matrix, RNG.normal(size=64)])
    return kg.DCGAN(model, None)


def normed(kernel):
    """A kernel whose units have weights of norm 1."""
    return kernel / np.linalg.norm(kernel, axis=0, keepdims=True)


def images_of(model, noise):
    return keras.ops.convert_to_numpy(model.generator(noise)).reshape(len(noise), -1)


@pytest.mark.parametrize("size", [8, 16])
def test_a_classifiers_directions_by_name(size):
    """A classifier that reads z x a and z x b off the images, at their size or at twice of it."""
    model = linear(0.1 * np.linalg.qr(RNG.normal(size=(64, 5)))[0].T)
    a, b = np.eye(5)[0], np.array([0.0, 0.6, 0.8, 0.0, 0.0])
    bias, kernel = (ops.convert_to_numpy(w) for w in (model.generator.layers[1].bias, model.generator.layers[1].kernel))
    model.generator.layers[1].bias.assign(bias * 0.0)
    inputs = keras.Input((size, size, 1))
    x = layers.Flatten()(layers.AveragePooling2D(size // 8)(inputs))
    dense = layers.Dense(2)
    classifier = keras.Model(inputs, dense(x))
    dense.set_weights([np.linalg.pinv(kernel) @ np.stack([a, b], axis=1), np.zeros(2)])
    found = class_directions(model, classifier, ["old", "new"], attributes=True, samples=2000)
    assert list(found) == ["old", "new"] and found["old"] @ a > 0.95 and found["new"] @ b > 0.95
    (only,) = class_directions(model, classifier, ["old", "new"], ["new"], samples=2000).values()
    assert only @ (b - a) / np.sqrt(2) > 0.95  # of two classes the one with the larger logit
    with pytest.raises(kg.errors.ConfigurationError, match="Expected attributes of old, new. Received: odd"):
        class_directions(model, classifier, ["old", "new"], ["odd"])
    conditional = kg.CGAN(image_shape=(8, 8, 1), latent_dim=4, label_space=kg.data.Classes(2))
    with pytest.raises(kg.errors.ConfigurationError, match="Expected a label, whole numbers from 0 to 1"):
        class_directions(conditional, classifier, ["old", "new"])
    with pytest.raises(kg.errors.UnsupportedError, match="Expected a model of images"):
        class_directions(kg.CoGAN(image_shape=(16, 16, 1), latent_dim=4), classifier, ["old", "new"])


def test_the_direction_of_a_planted_attribute():
    a, z = RNG.normal(size=12), RNG.normal(size=(2000, 12))
    found = attribute_direction(z, z @ a > 0)
    assert found @ a / np.linalg.norm(a) > 0.95
    assert np.linalg.norm(found) == pytest.approx(1.0, rel=1e-5)
    scores = traverse(z[:5], found)[..., :] @ a
    assert (np.diff(scores, axis=1) > 0).all()


def test_attributes_that_no_image_or_all_have():
    z = RNG.normal(size=(4, 3))
    for labels, attribute in (([1, 2, 3, 3], 7), ([1, 1, 1, 1], 1)):
        with pytest.raises(kg.errors.ConfigurationError, match="the labels are"):
            attribute_direction(z, labels, attribute)
    with pytest.raises(kg.errors.DataError):
        attribute_direction(z, [0, 1])
    with pytest.raises(kg.errors.DataError, match="equal means"):
        attribute_direction(np.ones((4, 3)), [0, 1, 0, 1])


def test_orthogonalized_directions_leave_the_others_alone():
    n, others = RNG.normal(size=5), RNG.normal(size=(2, 5))
    found = orthogonalize(n, others)
    np.testing.assert_allclose(others @ found, 0.0, atol=1e-6)
    unit = [x / np.linalg.norm(x) for x in (n, others[0])]
    by_hand = unit[0] - (unit[0] @ unit[1]) * unit[1]
    np.testing.assert_allclose(orthogonalize(unit[0], unit[1]), by_hand / np.linalg.norm(by_hand), rtol=1e-5)
    with pytest.raises(kg.errors.ConfigurationError):
        orthogonalize(others[0] - 2 * others[1], others)


def test_the_first_layer_moves_furthest_along_its_directions():
    matrix = normed(RNG.normal(size=(10, 64)) * np.linspace(0.5, 2.0, 10)[:, None])
    model = linear(matrix)
    found, lengths = first_layer_directions(model)
    np.testing.assert_allclose(found @ found.T, np.eye(10), atol=1e-5)
    np.testing.assert_allclose(lengths, np.linalg.svd(matrix)[1], rtol=1e-4)
    random = RNG.normal(size=(1000, 10))
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    assert np.linalg.norm(found[0] @ matrix) > np.linalg.norm(random @ matrix, axis=1).max()
    z = RNG.normal(size=(1, 10)).astype("float32")
    for direction, length in zip(found, lengths):
        change = images_of(model, z + direction[None]) - images_of(model, z)
        assert np.linalg.norm(change) == pytest.approx(length, rel=1e-4)
    np.testing.assert_array_equal(first_layer_directions(model, 3)[0], found[:3])


def test_the_first_layers_directions_do_not_depend_on_the_units_scales():
    """As in the paper's code, each unit counts alike, one without weights not at all."""
    matrix = RNG.normal(size=(10, 64))
    scales = RNG.uniform(0.1, 10.0, 64)
    found, lengths = first_layer_directions(linear(matrix))
    scaled, of_scaled = first_layer_directions(linear(matrix * scales))
    np.testing.assert_allclose(scaled, found, atol=1e-4)
    np.testing.assert_allclose(of_scaled, lengths, rtol=1e-4)
    np.testing.assert_allclose(np.square(lengths).sum(), 64.0, rtol=1e-4)
    scales[:4] = 0.0
    np.testing.assert_allclose(np.square(first_layer_directions(linear(matrix * scales))[1]).sum(), 60.0, rtol=1e-4)


def test_the_first_layers_directions_are_of_the_noise_where_an_affine_prior_makes_latents_of_it():
    """GLO's z = noise K + b: the singular vectors of K W, which one step of the noise in ten directions bears out."""
    axes = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    table = RNG.normal(size=(500, 6)) * [4.0, 2.0, 1.0, 0.5, 0.2, 0.0] @ axes + 3.0  # its last axis has no variance
    network = linear(RNG.normal(size=(6, 64))).generator
    model = kg.GLO(network, kg.models.glo.build_latents(500, 6), levels=1)
    model.latents.layers[-1].embeddings.assign(table.astype("float32"))
    model.fit_gaussian()
    mixing = ops.convert_to_numpy(model.gaussian.kernel)
    kernel = ops.convert_to_numpy(network.get_layer("first").kernel)
    norms = np.linalg.norm(mixing @ kernel, axis=0)
    left, values, _ = np.linalg.svd(mixing @ kernel / norms)
    found, lengths = first_layer_directions(model)
    np.testing.assert_allclose(lengths[:5], values[:5], rtol=1e-3)
    assert lengths[5] < 1e-3 * lengths[0]
    np.testing.assert_allclose(np.abs(np.sum(found * left.T, axis=1)), 1.0, atol=1e-3)
    noise = model.noise(1, seed=0)
    images = [images_of(model, model.prior(ops.convert_to_tensor(n))) for n in (noise, *(noise + found[:, None]))]
    changes = np.linalg.norm((np.concatenate(images[1:]) - images[0]) / norms, axis=1)
    np.testing.assert_allclose(changes, lengths, rtol=1e-3, atol=1e-3)
    assert abs(found[0] @ np.linalg.svd(kernel)[0][:, 0]) < 0.9  # the latents' own direction is another


@pytest.mark.parametrize("build", [kg.GAN, kg.FGAN])
def test_the_first_layers_directions_of_uniform_latents_are_the_kernels(build):
    matrix = normed(RNG.normal(size=(6, 64)))
    found, lengths = first_layer_directions(build(linear(matrix).generator, None), 3)
    left, values, _ = np.linalg.svd(matrix)
    np.testing.assert_allclose(np.abs(np.sum(found * left.T[:3], axis=1)), 1.0, atol=1e-5)
    np.testing.assert_allclose(lengths, values[:3], rtol=1e-5)


def test_the_first_layers_directions_leave_infogans_categories_alone():
    """Although these move the layer furthest: an argmax makes them, so that a step of noise is no step of theirs."""
    matrix = RNG.normal(size=(8, 64))
    matrix[3:7] *= 10.0
    model = kg.InfoGAN(linear(matrix).generator, None, categories=(4,), continuous=1)
    found, lengths = first_layer_directions(model)
    assert found.shape == (4, 8)
    np.testing.assert_array_equal(found[:, 3:7], 0.0)
    np.testing.assert_allclose(found @ found.T, np.eye(4), atol=1e-5)
    np.testing.assert_allclose(lengths, np.linalg.svd(normed(matrix[[0, 1, 2, 7]]))[1], rtol=1e-5)
    with pytest.raises(kg.errors.ConfigurationError, match="from 1 to 4"):
        first_layer_directions(model, 5)


def on_the_sphere(noise):
    """Each latent is made of all of the noise."""
    return noise / ops.sqrt(ops.sum(ops.square(noise), axis=1, keepdims=True) + 1e-6)


def test_the_first_layers_directions_need_a_prior_that_steps_of_noise_go_through():
    network = linear(RNG.normal(size=(5, 64))).generator
    normed = kg.DCGAN(network, None)
    normed.input_fields["noise"].distribution = on_the_sphere
    for model in (normed, kg.InfoGAN(network, None, categories=(3, 2), continuous=0)):
        with pytest.raises(kg.errors.UnsupportedError, match=f"{type(model).__name__}. Use activation_directions"):
            first_layer_directions(model)
        assert activation_directions(model, "first", 2, samples=100)[0].shape == (2, 5)


def test_components_of_activations_lead_back_to_the_latents():
    """Three latents of ten move the activations, by 4, 2 and 1 along orthonormal axes."""
    axes = np.linalg.qr(RNG.normal(size=(64, 3)))[0].T
    planted = np.linalg.qr(RNG.normal(size=(10, 3)))[0].T  # in latent space
    matrix = planted.T @ (np.array([[4.0], [2.0], [1.0]]) * axes)
    model = linear(matrix)
    for samples in (50, 2000):  # fewer than units, and more
        found, variances = activation_directions(model, "first", 3, samples=samples)
        assert (np.diff(variances) < 0).all()
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-5)
        if samples == 2000:  # the error falls as 1 / sqrt(samples)
            assert (np.abs(np.sum(found * planted, axis=1)) > 0.98).all()
            np.testing.assert_allclose(variances, [16.0, 4.0, 1.0], rtol=0.15)
    with pytest.raises(kg.errors.ConfigurationError, match="3 or less"):
        activation_directions(model, "first", 4)


def test_directions_of_a_conditional_models_noise():
    """Its labels would move the activations furthest: all images have one."""
    latents, labels = keras.Input((4,)), keras.Input((2,))
    first, second = layers.Dense(64, use_bias=False), layers.Dense(64, use_bias=False)
    x = layers.Add(name="sum")([first(latents), second(labels)])
    model = kg.CGAN(keras.Model([latents, labels], layers.Reshape((8, 8, 1))(x)), None, label_space=kg.data.Classes(2))
    axes = np.linalg.qr(RNG.normal(size=(64, 6)))[0].T
    first.set_weights([axes[:4] * [[1.0], [4.0], [2.0], [0.5]]])
    second.set_weights([20.0 * axes[4:]])
    directions, variances = activation_directions(model, "sum", count=2, label=1)
    assert abs(directions[0][1]) > 0.95 and abs(directions[1][2]) > 0.95
    assert variances == pytest.approx([16 / 12, 4 / 12], rel=0.05)  # the latents are U[0, 1]
    with pytest.raises(kg.errors.ConfigurationError, match="Expected a label, whole numbers from 0 to 1"):
        activation_directions(model, "sum", count=2)
    with pytest.raises(kg.errors.ConfigurationError, match="DCGAN takes no others. Received: labels"):
        activation_directions(linear(RNG.normal(size=(10, 64))), "first", count=2, label=1)


def test_the_first_layers_directions_of_a_conditional_model():
    latents, labels = keras.Input((4,)), keras.Input((2,))
    kernel = RNG.normal(size=(6, 64)) * [[1.0], [3.0], [1.0], [1.0], [9.0], [9.0]]
    for order, rows in (([latents, labels], range(6)), ([labels, latents], [4, 5, 0, 1, 2, 3])):
        x = layers.Dense(64, name="first")(layers.Concatenate()(order))
        network = keras.Model([latents, labels], layers.Reshape((8, 8, 1))(x))
        network.get_layer("first").set_weights([kernel[rows], np.zeros(64)])
        model = kg.CGAN(network, None, label_space=kg.data.Classes(2))
        if order[0] is labels:  # which rows are the latents' is not known
            with pytest.raises(kg.errors.UnsupportedError, match="dense layer of 4 latents"):
                first_layer_directions(model)
            continue
        directions, lengths = first_layer_directions(model, 2)
        np.testing.assert_allclose(np.linalg.norm(directions @ normed(kernel[:4]), axis=1), lengths, rtol=1e-5)
        assert abs(directions[0][1]) > 0.9


def test_the_first_layers_of_a_generator_whose_latents_enter_twice():
    model = kg.BiGAN(image_shape=(8, 8, 1), latent_dim=4)
    kernels = []
    for name in ("hidden0", "from_latents"):
        kernels.append(RNG.normal(size=(4, 1024)))
        model.generator.get_layer(name).kernel.assign(kernels[-1])
    _, lengths = first_layer_directions(model)
    np.testing.assert_allclose(lengths, np.linalg.svd(normed(np.hstack(kernels)))[1], rtol=1e-5)


def test_directions_that_do_not_exist():
    model = linear(RNG.normal(size=(10, 64)))
    for count in (0, 11, 2.5):
        with pytest.raises(kg.errors.ConfigurationError, match="from 1 to 10"):
            first_layer_directions(model, count)
    with pytest.raises(kg.errors.ConfigurationError, match="first"):
        activation_directions(model, "second")
    inputs = keras.Input((4,))
    images = layers.Conv2DTranspose(1, 8)(layers.Reshape((1, 1, 4))(inputs))
    convolutional = kg.DCGAN(keras.Model(inputs, images), None)
    with pytest.raises(kg.errors.UnsupportedError, match="activation_directions"):
        first_layer_directions(convolutional)


def test_traversals_need_steps_and_a_reach():
    for reach, steps in ((3.0, 1), (0.0, 7), (np.nan, 7)):
        with pytest.raises(kg.errors.ConfigurationError):
            traverse(np.zeros((1, 2)), [1.0, 0.0], reach, steps)
