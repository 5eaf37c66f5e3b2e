"""Penalties against closed forms, their second derivatives, and inside a compiled step."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans import engine, losses, penalties
from keras_gans.engine import value_and_grad
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import noise_to_images
from keras_gans.model import AdversarialModel


def numpy(tensor):
    return np.array(ops.convert_to_numpy(tensor), "float64")


def number(tensor):
    return float(ops.convert_to_numpy(tensor))


def array(*numbers):
    return np.array(numbers, "float32")


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def linear(weight):
    """The critic of slope `weight`, (height, width, channels), with one score an image, (N, 1)."""
    return lambda x: ops.sum(ops.multiply(x, weight), axis=(1, 2, 3))[:, None]


def quadratic(a):
    """D(x) = a |x|^2 / 2, of slope a x."""
    return lambda x: a * ops.sum(ops.square(x), axis=(1, 2, 3))[:, None] / 2.0


FIVE = np.reshape(array(3.0, 4.0), (1, 2, 1))  # of slope five
EVERY = {
    "two-sided": lambda score, x, y, epsilon: penalties.gradient_penalty(score, x, y, epsilon),
    "one-sided": lambda score, x, y, epsilon: penalties.one_sided_gradient_penalty(score, x, y, epsilon),
    "zero-centred": lambda score, x, y, epsilon: penalties.zero_centred_gradient_penalty(score, x, y, epsilon),
    "dragan": lambda score, x, y, epsilon: penalties.dragan_penalty(score, x, ops.ones_like(x), epsilon),
    "r1": lambda score, x, y, epsilon: penalties.r1_penalty(score, x),
    "r2": lambda score, x, y, epsilon: penalties.r2_penalty(score, y),
}
every_penalty = pytest.mark.parametrize("name", EVERY)


def test_finite_differences_estimate_the_squared_slope():
    """Of a linear critic each estimate is (a . n)^2, whose mean is |a|^2 = 25 and whose variance 2 |a|^4."""
    images, noise = draw(20_000, 1, 2, 1), np.random.default_rng(1).normal(size=(20_000, 1, 2, 1)).astype("float32")
    penalty = penalties.finite_difference_penalty(linear(FIVE), images, noise)
    assert number(penalty) == pytest.approx(25.0, abs=4 * 25 * np.sqrt(2 / 20_000))
    by_hand = np.mean(np.sum(noise * ops.convert_to_numpy(FIVE), axis=(1, 2, 3)) ** 2)
    assert number(penalty) == pytest.approx(by_hand, rel=2e-3)  # differences of logits have few digits


def test_finite_differences_take_noise_of_the_images_shape():
    with pytest.raises(DataError, match="one shape"):
        penalties.finite_difference_penalty(linear(FIVE), draw(4, 1, 2, 1), draw(3, 1, 2, 1))


# The slope


@every_penalty
@pytest.mark.parametrize("count", [1, 6])  # a norm over the whole batch would fail at 6
def test_a_linear_critic_of_slope_five(name, count):
    """(5 - 1)^2 = 16 about one, 5^2 about zero, wherever the images are."""
    expected = 25.0 if name in ("zero-centred", "r1", "r2") else 16.0
    images, others = draw(count, 1, 2, 1), draw(count, 1, 2, 1, seed=1)
    for epsilon in (0.3, np.linspace(0, 1, count, dtype="float32").reshape(-1, 1, 1, 1)):
        penalty = EVERY[name](linear(FIVE), images, others, epsilon)
        assert number(penalty) == pytest.approx(expected, rel=1e-5)
        assert ops.dtype(penalty) == "float32" and tuple(penalty.shape) == ()


@pytest.mark.parametrize("slope, two_sided, one_sided", [(0.2, 0.64, 0.0), (1.0, 0.0, 0.0), (3.0, 4.0, 4.0)])
def test_the_one_sided_penalty_ignores_a_flat_critic(slope, two_sided, one_sided):
    images = draw(4, 1, 2, 1)
    critic = linear(slope * FIVE / 5.0)
    assert number(penalties.gradient_penalty(critic, images, -images, 0.5)) == pytest.approx(two_sided, abs=1e-5)
    assert number(penalties.one_sided_gradient_penalty(critic, images, -images, 0.5)) == pytest.approx(
        one_sided, abs=1e-5
    )


def test_the_target_is_the_wanted_slope():
    images, noise = draw(4, 1, 2, 1), np.ones((4, 1, 2, 1), "float32")
    critic = linear(FIVE)
    assert number(penalties.gradient_penalty(critic, images, -images, 0.5, target=2.0)) == pytest.approx(9.0, rel=1e-5)
    assert number(penalties.one_sided_gradient_penalty(critic, images, -images, 0.5, target=7.0)) == 0.0
    assert number(penalties.dragan_penalty(critic, images, noise, 0.5, target=5.0)) == pytest.approx(0.0, abs=1e-9)


def test_a_quadratic_critic_shows_the_points():
    """The slope of a |x|^2 / 2 is a x: the penalty says where it was taken."""
    a, real, fake = 3.0, draw(5, 2, 2, 3), draw(5, 2, 2, 3, seed=1)
    epsilon = np.linspace(0.1, 0.9, 5, dtype="float32").reshape(-1, 1, 1, 1)

    def norms(x):
        return a * np.sqrt(np.sum(x.astype("float64") ** 2, axis=(1, 2, 3)))

    def found(name):
        return number(EVERY[name](quadratic(a), real, fake, epsilon))

    between = epsilon * real + (1 - epsilon) * fake  # epsilon is the share of the real image
    moved = real + epsilon * 0.5 * real.std()
    assert found("two-sided") == pytest.approx(np.mean((norms(between) - 1) ** 2), rel=1e-4)
    assert found("one-sided") == pytest.approx(np.mean(np.maximum(norms(between) - 1, 0) ** 2), rel=1e-4)
    assert found("zero-centred") == pytest.approx(np.mean(norms(between) ** 2), rel=1e-4)
    assert found("dragan") == pytest.approx(np.mean((norms(moved) - 1) ** 2), rel=1e-4)
    assert found("r1") == pytest.approx(np.mean(norms(real) ** 2), rel=1e-4)
    assert found("r2") == pytest.approx(np.mean(norms(fake) ** 2), rel=1e-4)


# d/da of the penalty on a |x|^2 / 2, whose slope's norm is a n at |x'| = n
SECOND_DERIVATIVES = {
    "two-sided": lambda a, n: np.mean(2 * (a * n - 1) * n),
    "one-sided": lambda a, n: np.mean(2 * np.maximum(a * n - 1, 0) * n),
    "zero-centred": lambda a, n: np.mean(2 * a * n**2),
    "dragan": lambda a, n: np.mean(2 * (a * n - 1) * n),
    "r1": lambda a, n: np.mean(2 * a * n**2),
    "r2": lambda a, n: np.mean(2 * a * n**2),
}


@every_penalty
def test_penalties_differentiate_again(name):
    a, real, fake = 0.5, draw(9, 1, 2, 3), draw(9, 1, 2, 3, seed=1)
    points = {"dragan": real + 0.25 * 0.5 * real.std(), "r1": real, "r2": fake}
    points = points.get(name, 0.25 * real + 0.75 * fake)
    lengths = np.sqrt(np.sum(points.astype("float64") ** 2, axis=(1, 2, 3)))
    assert (a * lengths > 1).any() and (a * lengths < 1).any()  # so that the sides differ
    weight = keras.Variable(np.float32(a))
    _, (slope,) = value_and_grad(lambda: EVERY[name](quadratic(weight), real, fake, 0.25), [weight])
    assert number(slope) == pytest.approx(SECOND_DERIVATIVES[name](a, lengths), rel=1e-4)


@every_penalty
def test_a_flat_critic_has_a_finite_gradient(name):
    """The norm's own slope is infinite at zero."""
    weight = keras.Variable(np.zeros((1, 2, 1), "float32"))
    images = draw(3, 1, 2, 1)
    value, (slope,) = value_and_grad(lambda: EVERY[name](linear(weight), images, -images, 0.5), [weight])
    assert number(value) == pytest.approx(1.0 if name in ("two-sided", "dragan") else 0.0, abs=1e-5)
    assert np.isfinite(numpy(slope)).all()


@every_penalty
def test_no_gradient_reaches_the_images(name):
    """The penalties are for the discriminator; they give the generator no gradient."""
    shift, weight = keras.Variable(np.float32(0.5)), keras.Variable(np.float32(2.0))

    def penalty(factor):
        images = draw(3, 1, 2, 1)
        return EVERY[name](quadratic(weight), shift * images, shift * (images + 1.0), 0.5) + factor * shift

    # Backends differ in what they return where nothing flows: the added term makes it a number.
    _, (of_images, of_critic) = value_and_grad(lambda: penalty(7.0), [shift, weight])
    assert number(of_images) == 7.0 and number(of_critic) != 0.0


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@every_penalty
def test_steep_critics_and_small_dtypes_stay_finite(name, dtype):
    weight = keras.Variable(np.float32(1e4))

    def penalty():
        images = ops.cast(draw(3, 1, 2, 1), dtype)
        return EVERY[name](lambda x: quadratic(weight)(ops.cast(x, dtype)), images, -images, 0.3)

    value, (slope,) = value_and_grad(penalty, [weight])
    assert ops.dtype(value) == "float32"
    assert np.isfinite(number(value)) and np.isfinite(number(slope))


def test_dragan_moves_images_up_by_half_a_deviation_at_most():
    """With the critic |x|^2 / 2 and the target 0 the penalty is E[|x'|^2]."""
    real = draw(6, 2, 2, 1)
    noise = np.random.default_rng(1).uniform(size=real.shape).astype("float32")
    for epsilon in (0.0, 0.5, 1.0):
        moved = real + epsilon * 0.5 * real.std() * noise
        found = penalties.dragan_penalty(quadratic(1.0), real, noise, epsilon, target=0.0)
        assert number(found) == pytest.approx(np.mean(np.sum(moved**2, axis=(1, 2, 3))), rel=1e-5)


@pytest.mark.parametrize("shape", [(3,), (3, 1), (1, 2, 1), (3, 1, 2, 1), (3, 1, 1, 3)])
def test_an_epsilon_that_is_not_one_an_image_is_refused(shape):
    """(3, 1) would broadcast against the images' width and channels without an error."""
    images = draw(3, 1, 2, 3)
    with pytest.raises(DataError, match="one number per image"):
        penalties.gradient_penalty(linear(np.ones((1, 2, 3), "float32")), images, images, np.full(shape, 0.5))


def test_images_that_are_not_pairs_are_refused():
    images = draw(3, 1, 2, 3)
    score = linear(np.ones((1, 2, 3), "float32"))
    for other in (images[:1], images[..., :1], images[0]):
        with pytest.raises(DataError, match="of one shape"):
            penalties.gradient_penalty(score, images, other, 0.5)
        with pytest.raises(DataError, match="of one shape"):
            penalties.dragan_penalty(score, images, other, 0.5)


def test_vectors_are_images_too():
    """Toys on the plane: (N, 2)."""
    points = draw(4, 2)
    penalty = penalties.gradient_penalty(lambda x: ops.matmul(x, array(3.0, 4.0)[:, None]), points, -points, 0.5)
    assert number(penalty) == pytest.approx(16.0, rel=1e-5)


# The logits


def test_lecam_by_hand():
    """a_R = 1, a_F = -1: (2 + 1)^2 and 0 for the real logits, (1 - 0)^2 and 0 for the generated ones."""
    penalty = penalties.lecam_penalty(array(2.0, -3.0), array(0.0, 5.0), 1.0, -1.0)
    assert number(penalty) == pytest.approx(9 / 2 + 1 / 2)
    assert number(penalties.lecam_penalty(array(-2.0), array(2.0), 1.0, -1.0)) == 0.0  # d(x) < a_F, d(G(z)) > a_R


def test_lecam_draws_logits_together_and_leaves_the_anchors():
    real, fake, anchors = (keras.Variable(array(*v)) for v in ((2.0, -3.0), (0.0, 5.0), (1.0, -1.0)))

    def penalty():
        return penalties.lecam_penalty(real * 1.0, fake * 1.0, anchors[0], anchors[1]) + ops.sum(anchors * 3.0)

    _, slopes = value_and_grad(penalty, [real, fake, anchors])
    # d/dd mean relu(d - a_F)^2 = 2 relu(d - a_F) / 2 = 3, 0; -relu(a_R - d) = -1, 0; the anchors have the sum's alone
    assert [numpy(slope).tolist() for slope in slopes] == [[3.0, 0.0], [-1.0, 0.0], [3.0, 3.0]]


def test_anchors_are_moving_means_without_a_start():
    """Weights .5 .25 / .75 after two batches; the first anchors are the first batch's means."""
    anchors = penalties.LeCamAnchors(decay=0.5)
    assert [number(a) for a in anchors(array(9.0), array(8.0))] == [0.0, 0.0]  # not training: nothing has entered
    first = anchors(array(3.0, 5.0), array(-2.0), training=True)
    assert [number(a) for a in first] == [4.0, -2.0]
    second = anchors(array(1.0), array(1.0), training=True)
    assert [number(a) for a in second] == pytest.approx([(0.25 * 4 + 0.5 * 1) / 0.75, (0.25 * -2 + 0.5 * 1) / 0.75])
    third = anchors(array(100.0), array(100.0))
    assert [number(a) for a in third] == [number(a) for a in second]


def test_anchors_follow_inside_a_loss_and_survive_saving():
    logits, anchors = keras.Variable(array(2.0)), penalties.LeCamAnchors()

    def penalty():
        return penalties.lecam_penalty(logits * 1.0, -logits, *anchors(logits * 1.0, -logits, training=True))

    value, (slope,) = value_and_grad(penalty, [logits])
    # a_R = 2, a_F = -2: relu(2 + 2)^2 + relu(2 + 2)^2, each of slope 2 * 4, since the anchors stay
    assert number(value) == pytest.approx(32.0) and numpy(slope)[0] == pytest.approx(16.0)
    assert number(anchors.total_weight) == pytest.approx(0.01)
    assert len(anchors.trainable_variables) == 0 and len(anchors.non_trainable_variables) == 3
    again = penalties.LeCamAnchors.from_config(anchors.get_config())
    again.set_weights(anchors.get_weights())
    assert again.decay == 0.99 and number(again(array(0.0), array(0.0))[0]) == pytest.approx(2.0)


def test_anchors_are_float32_under_a_mixed_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    anchors = penalties.LeCamAnchors()
    real, _ = anchors(array(1.001), array(0.0), training=True)
    assert ops.dtype(real) == "float32" and number(real) == pytest.approx(1.001, rel=1e-5)


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan"), "0.9", True])
def test_decays_out_of_range_are_refused(decay):
    with pytest.raises(ConfigurationError, match=r"in \[0, 1\)"):
        penalties.LeCamAnchors(decay)


def test_consistency_by_hand():
    logits, augmented = keras.Variable(array(1.0, 2.0)), array(3.0, 2.0)
    value, (slope,) = value_and_grad(lambda: penalties.consistency_penalty(logits * 1.0, augmented), [logits])
    assert number(value) == 2.0  # (4 + 0) / 2
    assert numpy(slope).tolist() == [-2.0, 0.0]
    with pytest.raises(DataError, match="of one shape"):
        penalties.consistency_penalty(draw(3, 1), draw(3))


def test_diversity_by_hand_and_its_gradient_to_both_images():
    first, second = keras.Variable(draw(3, 2, 2, 1)), keras.Variable(draw(3, 2, 2, 1, seed=1))
    loss, slopes = value_and_grad(
        lambda: penalties.diversity_penalty(ops.convert_to_tensor(first), ops.convert_to_tensor(second)),
        [first, second],
    )
    apart = numpy(first.value) - numpy(second.value)
    assert number(loss) == pytest.approx(-np.mean(apart**2), rel=1e-5)
    for slope, sign in zip(slopes, (-1.0, 1.0)):
        np.testing.assert_allclose(numpy(slope), sign * 2.0 * apart / apart.size, rtol=1e-4, atol=1e-7)
    with pytest.raises(DataError):
        penalties.diversity_penalty(draw(3, 2), draw(2, 2))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("logit", [-1e4, 0.0, 1e4])
def test_penalties_on_logits_are_finite(logit, dtype):
    v = keras.Variable(np.full((3, 1), logit, "float32"))
    for penalty in (
        lambda: penalties.lecam_penalty(ops.cast(v, dtype), ops.cast(-v, dtype), logit, -logit),
        lambda: penalties.lecam_penalty(ops.cast(v, dtype), ops.cast(-v, dtype), -logit, logit),
        lambda: penalties.consistency_penalty(ops.cast(v, dtype), ops.cast(-v, dtype)),
    ):
        value, (slope,) = value_and_grad(penalty, [v])
        assert ops.dtype(value) == "float32" and np.isfinite(number(value)) and np.isfinite(numpy(slope)).all()


# Normalization beside a penalty


def test_batch_norm_is_refused_for_the_papers_layer_norm():
    def critic(*layers):
        return keras.Sequential([keras.Input((4, 4, 2)), *layers, keras.layers.Flatten(), keras.layers.Dense(1)])

    penalties.refuse_batch_norm(critic(keras.layers.GroupNormalization(groups=1, epsilon=1e-5)))
    with pytest.raises(ConfigurationError, match=r"'the_one'.*GroupNormalization\(groups=1, epsilon=1e-5\)"):
        penalties.refuse_batch_norm(critic(keras.layers.BatchNormalization(name="the_one")))


def test_the_papers_layer_norm_is_one_group():
    """Mean and variance of one image over (C, H, W), gain and bias a channel."""
    norm = keras.layers.GroupNormalization(groups=1, epsilon=1e-5)
    images = draw(3, 4, 4, 2) * array(1.0, 5.0) + 2.0
    together = numpy(norm(images))
    assert [tuple(weight.shape) for weight in norm.trainable_weights] == [(2,), (2,)]
    x = images.astype("float64")
    mean, variance = x.mean((1, 2, 3), keepdims=True), x.var((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(together, (x - mean) / np.sqrt(variance + 1e-5), atol=1e-5)
    others = np.concatenate([images[:1], 100.0 * draw(2, 4, 4, 2, seed=1)])
    np.testing.assert_allclose(numpy(norm(others))[0], together[0], atol=1e-6)
    # So the penalty treats each image independently, which batch normalization would prevent.
    critic = keras.Sequential([keras.Input((4, 4, 2)), norm, keras.layers.Flatten(), keras.layers.Dense(1)])
    slopes = [numpy(engine.input_gradient(critic, ops.convert_to_tensor(batch)))[0] for batch in (images, others)]
    np.testing.assert_allclose(*slopes, atol=1e-6)
    assert np.abs(slopes[0]).max() > 1e-3


# The weights


def test_clipping_by_hand():
    weights = [keras.Variable(array(-3.0, 0.005, 2.0)), keras.Variable(np.full((2, 2), -1.0, "float32"))]
    penalties.clip_weights(weights)
    np.testing.assert_allclose(numpy(weights[0]), [-0.01, 0.005, 0.01], rtol=1e-6)
    np.testing.assert_allclose(numpy(weights[1]), -0.01, rtol=1e-6)
    penalties.clip_weights(weights, limit=0.001)
    np.testing.assert_allclose(numpy(weights[0]), [-0.001, 0.001, 0.001], rtol=1e-6)


@pytest.mark.parametrize("limit", [0.0, -0.01, float("nan"), None, True])
def test_invalid_limits_are_refused(limit):
    with pytest.raises(ConfigurationError, match="above 0"):
        penalties.clip_weights([], limit)


def test_a_clipped_linear_critic_estimates_the_distance_times_the_limit():
    """|w| <= c: the best f(x) = w x has E f(x) - E f(G(z)) = c |m_r - m_g|."""
    real, fake, weight = draw(50), draw(50, seed=1) + 3.0, keras.Variable(np.float32(0.0))
    for _ in range(5):
        loss, (slope,) = value_and_grad(
            lambda: losses.wasserstein_discriminator_loss(weight * real, weight * fake), [weight]
        )
        weight.assign(weight - slope)
        penalties.clip_weights([weight], 0.01)
    assert number(loss) == pytest.approx(-0.01 * abs(real.mean() - fake.mean()), rel=1e-5)


# Inside a step


class Penalised(AdversarialModel):
    """A Wasserstein GAN with everything of this module in its discriminator's loss."""

    def __init__(self, generator, discriminator, **kwargs):
        fields = noise_to_images(generator)
        super().__init__(generator=generator, discriminator=discriminator, **fields, **kwargs)
        self.anchors = penalties.LeCamAnchors()

    def discriminator_loss(self, real, fake, training=True):
        count = ops.shape(real)[0]
        epsilon = 0.5 + 0.5 * ops.erf(engine.normal((count, 1, 1, 1), self.latent_seeds) * 0.5**0.5)
        real_logits, fake_logits = self.score(real), self.score(fake)
        on_slopes = [EVERY[name](self.score, real, fake, epsilon) for name in EVERY]
        anchors = self.anchors(real_logits, fake_logits, training=training)
        return (
            losses.wasserstein_discriminator_loss(real_logits, fake_logits)
            + sum(on_slopes)
            + penalties.lecam_penalty(real_logits, fake_logits, *anchors)
            + penalties.consistency_penalty(real_logits, self.score(ops.flip(real, axis=2)))
        )

    def generator_loss(self, fake, training=True):
        return losses.wasserstein_generator_loss(self.score(fake))

    def train_step(self, data):
        real = self.encode_batch(data)["images"]
        fake = self.generator(self.latents_like(real), training=True)
        d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake)
        penalties.clip_weights(self.player_variables("discriminator"), 0.3)
        g_loss = self.minimize("generator", self.generator_loss, self.record(self.latents_like(real)))
        return self.log(d_loss=d_loss, g_loss=g_loss)


def test_penalties_train_inside_a_compiled_step():
    """`compile()` as a user calls it; the last batch of an epoch is smaller."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(4, "tanh"), layers.Reshape((2, 2, 1))])
    critic = [layers.Flatten(), layers.Dense(4, "tanh"), layers.Dense(1)]
    gan = Penalised(generator, keras.Sequential([keras.Input((2, 2, 1)), *critic]), seed=0)
    gan.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(1.0))
    before = [numpy(v.value) for v in gan.discriminator.trainable_variables]
    history = gan.fit(np.clip(draw(22, 2, 2, 1), -1, 1), batch_size=8, epochs=2, verbose=0).history
    assert np.isfinite(history["d_loss"]).all() and np.isfinite(history["g_loss"]).all()
    after = [numpy(v.value) for v in gan.discriminator.trainable_variables]
    assert max(np.abs(w).max() for w in after) == pytest.approx(0.3, rel=1e-6)  # clipped after the update
    assert any((a != b).any() for a, b in zip(before, after))
    assert number(gan.anchors.total_weight) == pytest.approx(1 - 0.99**6, rel=1e-4)


def test_the_gradient_of_the_l2_penalty_is_the_weights():
    variables = [keras.Variable(draw(3, 2)), keras.Variable(draw(4, seed=1))]
    loss, slopes = value_and_grad(lambda: penalties.l2_penalty(variables), variables)
    weights = [numpy(v.value) for v in variables]
    assert number(loss) == pytest.approx(sum((w**2).sum() for w in weights) / 2, rel=1e-6)
    for slope, weight in zip(slopes, weights):
        np.testing.assert_allclose(numpy(slope), weight, rtol=1e-6)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (3, 3, 2, 4), (1, 1, 3, 7)])
def test_the_orthogonal_penalty_and_its_gradient_by_hand(shape):
    """|W^T W (1 - I)|^2 and 4 W (W^T W (1 - I)), also where it is computed of the smaller product."""
    kernel = keras.Variable(draw(*shape))
    loss, (slope,) = value_and_grad(lambda: penalties.orthogonal_penalty([ops.convert_to_tensor(kernel)]), [kernel])
    matrix = numpy(kernel).reshape(-1, shape[-1])
    gram = matrix.T @ matrix
    gram -= np.diag(np.diag(gram))
    assert number(loss) == pytest.approx(np.square(gram).sum(), rel=1e-4)
    np.testing.assert_allclose(numpy(slope).reshape(matrix.shape), 4 * matrix @ gram, rtol=1e-3, atol=1e-3)


def test_orthogonal_outputs_of_any_norm_cost_nothing():
    """2 I, and columns of different norms; two kernels cost their sum, in any dtype."""
    columns = np.linalg.qr(draw(8, 3))[0].astype("float32") * array(1.0, 5.0, 0.1)
    assert number(penalties.orthogonal_penalty([2.0 * np.eye(4, dtype="float32")])) == 0.0
    assert number(penalties.orthogonal_penalty([columns])) == pytest.approx(0.0, abs=1e-9)
    both = [array(1.0, 2.0)[None], ops.cast(array(1.0, 3.0)[None], "float16")]
    assert number(penalties.orthogonal_penalty(both)) == 2 * 2.0**2 + 2 * 3.0**2
    with pytest.raises(DataError, match="rank 2"):
        penalties.orthogonal_penalty([array(1.0, 2.0)])


# Names


@pytest.mark.parametrize("function", [getattr(penalties, name) for name in dir(penalties) if "_penalty" in name])
def test_penalties_are_registered_under_their_names(function):
    assert keras.saving.get_registered_name(function) == f"keras_gans>{function.__name__}"
