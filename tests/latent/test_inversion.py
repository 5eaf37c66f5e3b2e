"""Inversion: images that the model made are found again, and the model stays as it is."""

import keras
import numpy as np
import pytest

import keras_gans as kg
from keras_gans.latent import encode, inpaint, invert, nearest


@pytest.fixture(scope="module")
def gan():
    """DCGAN of 8x8 with batch normalization, its statistics those of some steps."""
    keras.utils.set_random_seed(0)
    gan = kg.DCGAN(kg.models.dcgan.build_generator((8, 8, 1), 4, base_filters=4), None, seed=0)
    for weight in gan.generator.weights:  # untrained images are all grey
        if "kernel" in weight.path:
            weight.assign(weight * 10.0)
    return gan


def test_images_of_the_model_are_found_again_and_nothing_else_changes(gan):
    images = gan.generate(3, seed=5)
    before = [keras.ops.convert_to_numpy(v) for v in gan.variables]
    found = invert(gan, images, steps=200, seed=1)
    assert (found.loss < 0.1 * found.first_loss).all(), (found.first_loss, found.loss)
    for old, variable in zip(before, gan.variables):
        np.testing.assert_array_equal(old, keras.ops.convert_to_numpy(variable))
    again = invert(gan, images, steps=200, seed=1)
    np.testing.assert_array_equal(found.noise, again.noise)
    made = kg.images.to_float(gan.generate(noise=found.noise)) - kg.images.to_float(images)
    losses = np.mean(np.square(keras.ops.convert_to_numpy(made)), axis=(1, 2, 3))
    np.testing.assert_allclose(losses, found.loss, atol=2e-4)  # of uint8 images: half a grey level


def test_the_gradient_is_that_of_each_image_alone(gan):
    images = gan.generate(2, seed=5)
    both = invert(gan, images, steps=10, start=gan.noise(2, 3))
    alone = invert(gan, images[1:], steps=10, start=gan.noise(2, 3)[1:])
    np.testing.assert_allclose(both.noise[1:], alone.noise, atol=1e-3)


def test_the_answer_is_never_worse_than_the_start(gan):
    found = invert(gan, gan.generate(2, seed=5), start=gan.noise(2, 5), steps=3, learning_rate=5.0)
    np.testing.assert_array_equal(found.noise, gan.noise(2, 5))
    np.testing.assert_array_equal(found.loss, found.first_loss)


def test_the_noise_stays_where_the_prior_is():
    """G(z) = 0.01 z W of orthonormal rows w_i: 0.5 w_1 is made by 50 e_1, and where the start is nearer, the ball of
    radius sqrt(4) + 2 ends at 4 e_1. A start further out keeps its own norm."""
    rows = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 4)))[0].T.astype("float32")
    latents = keras.Input((4,))
    network = keras.Model(latents, keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64, use_bias=False)(latents)))
    network.layers[1].set_weights([0.01 * rows])
    images = np.repeat(0.5 * rows[:1].reshape(1, 8, 8, 1), 2, axis=0)
    start = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 10.0, 0.0, 0.0]], "float32")
    found = invert(kg.DCGAN(network, None), images, start=start, steps=400, learning_rate=0.3)
    np.testing.assert_allclose(found.noise, [[4.0, 0.0, 0.0, 0.0], [10.0, 0.0, 0.0, 0.0]], atol=0.02)


def test_features_are_compared_as_well(gan):
    images = gan.generate(2, seed=5)
    pixels = kg.metrics.pixels((8, 8, 1))
    plain, both = (invert(gan, images, steps=1, features=f, feature_weight=2.0) for f in (None, pixels))
    start = keras.ops.convert_to_numpy(gan.generator(gan.noise(2, 0), training=False))
    wanted = pixels(images)
    extra = 2.0 * np.mean(np.square(pixels(np.clip(start, -1.0, 1.0)) - wanted), axis=1)
    np.testing.assert_allclose(both.first_loss - plain.first_loss, extra, rtol=1e-3)
    with pytest.raises(kg.errors.ConfigurationError, match="features for images"):
        invert(gan, images, features=kg.metrics.pixels((16, 16, 1)))


def with_a_hole():
    known = np.ones((8, 8), bool)
    known[2:6, 1:5] = False
    return known


def test_pixels_that_are_missing_have_no_influence(gan):
    images, known = gan.generate(2, seed=5), with_a_hole()
    spoiled = np.where(known[..., None], images, 255 - images)
    losses = []
    for given in (images, spoiled):
        seeds, distances = nearest(gan, given, seeds=20, mask=known)
        found = invert(gan, given, mask=known, steps=20)
        losses.append((seeds, distances, found.noise, found.loss))
    for one, other in zip(*losses):
        np.testing.assert_array_equal(one, other)
    assert (invert(gan, spoiled, steps=20).first_loss != found.first_loss).all()


def test_the_loss_is_the_mean_over_the_known_pixels(gan):
    images, known = gan.generate(3, seed=5), np.stack([with_a_hole(), ~with_a_hole(), np.ones((8, 8), bool)])
    start = gan.noise(3, 0)
    first = invert(gan, images, mask=known, start=start, steps=1).first_loss
    made = keras.ops.convert_to_numpy(gan.generator(start, training=False))
    squares = np.square(made - (images / 127.5 - 1.0))[..., 0]
    np.testing.assert_allclose(first, [squares[i][known[i]].mean() for i in range(3)], rtol=1e-4)
    np.testing.assert_array_equal(first[2:], invert(gan, images, start=start, steps=1).first_loss[2:])


def test_a_hole_is_filled_as_the_model_made_it(gan):
    images, known = gan.generate(3, seed=5), with_a_hole()
    filled, found = inpaint(gan, np.where(known[..., None], images, 0), known, seeds=300, steps=300)
    np.testing.assert_array_equal(filled[:, known], images[:, known])
    made = gan.generate(noise=found.noise)
    np.testing.assert_array_equal(filled[:, ~known], made[:, ~known])
    error = np.square((filled.astype("float32") - images) / 127.5)[:, ~known].mean()
    plain = np.square((images.mean(axis=0) - images) / 127.5)[:, ~known].mean()
    assert error < 0.2 * plain


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((8, 9), bool), r"\(8, 8\) or \(2, 8, 8\).*Received: bool \(8, 9\)"),
        (np.ones((3, 8, 8), bool), r"Received: bool \(3, 8, 8\)"),
        (np.full((8, 8), 0.5), "Received: float64"),
        (np.full((8, 8), 255, "uint8"), "Received: uint8"),
        (np.stack([np.ones((8, 8), bool), np.zeros((8, 8), bool)]), "none kept of image 1"),
    ],
)
def test_masks_that_do_not_fit_are_refused(gan, mask, message):
    images = gan.generate(2, seed=0)
    for function in (invert, inpaint):
        with pytest.raises(kg.errors.DataError, match=message):
            function(gan, images, mask=mask)


def test_inpainting_needs_a_mask(gan):
    with pytest.raises(kg.errors.DataError, match="Received: None"):
        inpaint(gan, gan.generate(2, seed=0), None)


def test_features_and_a_mask_exclude_each_other(gan):
    with pytest.raises(kg.errors.ConfigurationError, match="features or a mask, not both"):
        invert(gan, gan.generate(1, seed=0), mask=with_a_hole(), features=kg.metrics.pixels((8, 8, 1)))


def test_the_nearest_seed_of_an_image_is_its_own(gan):
    seeds, distances = nearest(gan, gan.generate(seed=[300, 11]), seeds=310)
    assert seeds.tolist() == [300, 11]
    np.testing.assert_allclose(distances, 0.0, atol=1e-4)
    assert nearest(gan, gan.generate(seed=[4]), seeds=[9, 4])[0].tolist() == [4]


def test_a_conditional_model_is_inverted_for_what_the_images_show():
    keras.utils.set_random_seed(0)
    gan = kg.CGAN(image_shape=(8, 8, 1), latent_dim=4, label_space=kg.data.Classes(3))
    images = gan.generate(seed=[30, 11], labels=[2, 0])
    assert nearest(gan, images, seeds=40, labels=[2, 0])[0].tolist() == [30, 11]
    start = gan.noise(2, seed=1)
    found = invert(gan, images, labels=[2, 0], start=start, steps=60)
    assert (found.loss < 0.5 * found.first_loss).all()
    again = gan.generate(noise=found.noise, labels=[2, 0]).astype("float32")
    np.testing.assert_allclose(np.square((again - images) / 127.5).mean(axis=(1, 2, 3)), found.loss, atol=1e-3)
    other = invert(gan, images, labels=1, start=start, steps=60)
    assert (other.first_loss != found.first_loss).all()
    for function in (invert, nearest):
        with pytest.raises(kg.errors.ConfigurationError, match="Expected labels, whole numbers from 0 to 2"):
            function(gan, images)
        with pytest.raises(kg.errors.ConfigurationError, match="2 noise and 3 labels"):
            function(gan, images, labels=[0, 1, 2])
    with pytest.raises(kg.errors.ConfigurationError, match="GAN takes no others. Received: labels"):
        nearest(kg.GAN(image_shape=(8, 8, 1), latent_dim=4), images, labels=1)


@pytest.mark.parametrize("function", [invert, nearest])
def test_images_of_another_size_are_refused(gan, function):
    with pytest.raises(kg.errors.DataError, match=r"\(N, 8, 8, 1\).*\(2, 9, 8, 1\)"):
        function(gan, np.zeros((2, 9, 8, 1), "uint8"))


def test_numbers_out_of_range(gan):
    images = gan.generate(2, seed=0)
    for wrong in ({"steps": 0}, {"learning_rate": 0.0}, {"feature_weight": -1.0}, {"start": np.zeros((1, 4))}):
        with pytest.raises(kg.errors.ConfigurationError):
            invert(gan, images, **wrong)
    with pytest.raises(kg.errors.ConfigurationError):
        nearest(gan, images, seeds=0)
    with pytest.raises(kg.errors.ConfigurationError, match="one seed or more"):
        nearest(gan, images, seeds=[])


def test_models_of_other_examples_are_refused():
    pairs, text = kg.CoGAN(image_shape=(16, 16, 1), latent_dim=4), kg.WGANGPText(length=8, alphabet="_ab")
    for model in (pairs, text):
        made = f"Received: {type(model).__name__}, which makes {' and '.join(model.output_fields)} from noise"
        with pytest.raises(kg.errors.UnsupportedError, match=made):
            nearest(model, np.zeros((1, 16, 16, 1), "uint8"))


def test_the_encoder_where_there_is_one(gan):
    model = kg.VEEGAN(image_shape=(8, 8, 1), latent_dim=4)
    images = model.generate(2, seed=0)
    np.testing.assert_array_equal(encode(model, images), model.encode(images))
    with pytest.raises(kg.errors.UnsupportedError, match="kg.latent.invert"):
        encode(gan, images)


def test_an_encoders_uniform_latents_are_brought_back_to_noise():
    """BiGAN's, U[-1, 1]; latents at the ends and beyond become noise of -4 and 4."""
    model = kg.BiGAN(image_shape=(8, 8, 1), latent_dim=5)
    images = model.generate(2, seed=0)
    wanted = np.array([[-0.99, -0.5, 0.0, 0.25, 0.999], [-7.0, -1.0, 0.1, 1.0, 1.5]], "float32")
    model.encoder.layers[-1].set_weights([np.zeros((1024, 5)), wanted[0]])
    (found, _) = encode(model, images)
    np.testing.assert_allclose(found, [-2.575829, -0.674490, 0.0, 0.318639, 3.290527], atol=2e-3)  # tables' quantiles
    latents = keras.ops.convert_to_numpy(model.prior(keras.ops.convert_to_tensor(found[None])))
    np.testing.assert_allclose(latents[0], wanted[0], atol=1e-5)
    model.encoder.layers[-1].set_weights([np.zeros((1024, 5)), wanted[1]])
    np.testing.assert_allclose(encode(model, images)[1], [-4.0, -4.0, 0.125661, 4.0, 4.0], atol=1e-4)


def on_the_sphere(noise):
    """Latents of norm 1, which do not say what norm the noise had."""
    return noise / keras.ops.sqrt(keras.ops.sum(keras.ops.square(noise), axis=1, keepdims=True) + 1e-6)


def test_an_encoder_of_latents_with_no_way_back_to_noise():
    model = kg.VEEGAN(image_shape=(8, 8, 1), latent_dim=4)
    model.input_fields["noise"].distribution = on_the_sphere
    with pytest.raises(kg.errors.UnsupportedError, match="that of VEEGAN. Use invert"):
        encode(model, np.zeros((1, 8, 8, 1), "uint8"))


def test_an_infogan_keeps_the_categories_of_the_start():
    keras.utils.set_random_seed(0)
    model = kg.InfoGAN(image_shape=(8, 8, 1), noise_dim=3, categories=(4,), continuous=1)
    images, start = model.generate(2, seed=5), model.noise(2, seed=1)
    found = invert(model, images, start=start, steps=20)
    np.testing.assert_array_equal(found.noise[:, 3:7], start[:, 3:7])
    assert (found.loss < found.first_loss).all() and (found.noise[:, [0, 1, 2, 7]] != start[:, [0, 1, 2, 7]]).all()
