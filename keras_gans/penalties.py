"""Regularisation of a discriminator: penalties to add to its loss, and weight clipping.

A penalty is a float32 scalar, a mean without its weight: a variant's `discriminator_loss` writes the weight out.
Gradient penalties take the discriminator as a function that scores each image independently; batch normalization would
couple the images. Random numbers come in as tensors, drawn in the step from the model's seeds:

    loss += self.gp_weight * gradient_penalty(self.score, real, fake, self.uniform_like(real))

Images are treated as constants: no gradient reaches the generator that made them.
"""

import math

import keras
from keras import ops

from keras_gans import engine
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.layers.inner import inner_layers
from keras_gans.losses.adversarial import float32
from keras_gans.losses.relativistic import check_paired
from keras_gans_core.checks import is_number

register = keras.saving.register_keras_serializable(package="keras_gans")


# Penalties on the critic's gradient


@register
def gradient_penalty(score_fn, real, fake, epsilon, target=1.0):
    """WGAN-GP's two-sided penalty: E[(|grad f(x')| - target)^2] at x' = epsilon x + (1 - epsilon) G(z).

    The norm is over all values of one image, the mean over the images. The paper's weight is 10. Epsilon weights the
    real image, as in the paper and in StudioGAN; in the authors' code and in TF-GAN it weights the generated one.

    Args:
        score_fn: the critic, from images (N, ...) to one score per image, (N, 1) or (N,).
        real, fake: images (N, ...), paired by position in the batch.
        epsilon: one number in [0, 1] per image, (N, 1, 1, 1) for (N, height, width, channels); or one for all.
        target: the target for the gradient norm.

    Returns:
        A float32 scalar, 0 or more.

    Raises:
        DataError: images of different shapes, or an epsilon that is not one number per image.

    Example:

    >>> images = np.ones((2, 1, 2, 1), "float32")
    >>> steep = lambda x: 3.0 * x[:, 0, 0] + 4.0 * x[:, 0, 1]     # slope 5
    >>> round(float(ops.convert_to_numpy(gradient_penalty(steep, images, -images, epsilon=0.3))), 4)
    16.0

    Reference: Gulrajani et al., 2017, eq. 3, https://arxiv.org/abs/1704.00028
    """
    return ops.mean(ops.square(_norms(score_fn, _between(real, fake, epsilon)) - target))


@register
def one_sided_gradient_penalty(score_fn, real, fake, epsilon, target=1.0):
    """E[max(0, |grad f(x')| - target)^2] at x' = epsilon x + (1 - epsilon) G(z): smaller slopes cost nothing.

    According to its paper it is slightly worse than the two-sided penalty.

    Args:
        score_fn, real, fake, epsilon, target: see `gradient_penalty`.

    Returns:
        A float32 scalar, 0 or more.

    Raises:
        DataError: images of different shapes, or an epsilon that is not one number per image.

    Example:

    >>> flat = lambda x: 0.5 * x[:, 0]
    >>> ones = np.ones((2, 1), "float32")
    >>> float(ops.convert_to_numpy(one_sided_gradient_penalty(flat, ones, -ones, epsilon=0.3)))
    0.0

    Reference: Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028
    """
    return ops.mean(ops.square(ops.relu(_norms(score_fn, _between(real, fake, epsilon)) - target)))


@register
def zero_centred_gradient_penalty(score_fn, real, fake, epsilon):
    """E[|grad f(x')|^2] at x' = epsilon x + (1 - epsilon) G(z): a target slope of zero between data and generator.

    The points x' are chosen as in WGAN-GP.

    Args:
        score_fn, real, fake, epsilon: see `gradient_penalty`.

    Returns:
        A float32 scalar, 0 or more.

    Raises:
        DataError: images of different shapes, or an epsilon that is not one number per image.

    Example:

    >>> ones = np.ones((2, 1), "float32")
    >>> float(ops.convert_to_numpy(zero_centred_gradient_penalty(lambda x: 3.0 * x[:, 0], ones, -ones, epsilon=0.3)))
    9.0

    Reference: Thanh-Tung et al., 2019, https://arxiv.org/abs/1902.03984
    """
    return ops.mean(_squared_norms(score_fn, _between(real, fake, epsilon)))


@register
def dragan_penalty(score_fn, real, noise, epsilon, target=1.0):
    """DRAGAN's penalty around the data: E[(|grad f(x')| - target)^2] at x' = x + epsilon std(x) / 2 noise.

    std is one number over the whole batch. This is the form of the authors' code: the noise is uniform on [0, 1), so
    images only become brighter, and the penalty's weight is 10.

    Args:
        score_fn: the discriminator, from images (N, ...) to one logit per image.
        real: images (N, ...).
        noise: numbers in [0, 1), in the images' shape.
        epsilon: one number in [0, 1] per image, (N, 1, 1, 1) for (N, height, width, channels); or one for all.
        target: the target for the gradient norm.

    Returns:
        A float32 scalar, 0 or more.

    Raises:
        DataError: noise of another shape than the images, or an epsilon that is not one number per image.

    Example:

    >>> ones = np.ones((2, 1), "float32")
    >>> float(ops.convert_to_numpy(dragan_penalty(lambda x: 3.0 * x[:, 0], ones, ones, epsilon=0.3)))     # (3 - 1)^2
    4.0

    Reference: Kodali et al., 2017, https://arxiv.org/abs/1705.07215; code:
    https://github.com/kodalinaveen3/DRAGAN
    """
    check_paired(real, noise)
    real = float32(real)
    moved = real + 0.5 * ops.std(real) * float32(noise)
    return ops.mean(ops.square(_norms(score_fn, _between(moved, real, epsilon)) - target))


@register
def r1_penalty(score_fn, real):
    """R1: E[|grad d(x)|^2] at real images. Its paper's weight is gamma / 2.

    The square is summed over all values of an image; a mean would make it 3072 times weaker at 32x32x3. The authors'
    code has a `reg_param` without the factor 1/2: it corresponds to gamma / 2 here.

    Args:
        score_fn: the discriminator, from images (N, ...) to one logit per image.
        real: images (N, ...).

    Returns:
        A float32 scalar, 0 or more.

    Example:

    >>> linear = lambda x: 3.0 * x[:, 0] + 4.0 * x[:, 1]
    >>> float(ops.convert_to_numpy(r1_penalty(linear, np.zeros((2, 2), "float32"))))     # 3^2 + 4^2
    25.0

    Reference: Mescheder et al., 2018, https://arxiv.org/abs/1801.04406
    """
    return ops.mean(_squared_norms(score_fn, real))


@register
def r2_penalty(score_fn, fake):
    """R2: E[|grad d(G(z))|^2] at generated images. Its paper's weight is gamma / 2.

    Args:
        score_fn: the discriminator, from images (N, ...) to one logit per image.
        fake: generated images (N, ...).

    Returns:
        A float32 scalar, 0 or more.

    Example:

    >>> float(ops.convert_to_numpy(r2_penalty(lambda x: 3.0 * x[:, 0], np.zeros((2, 2), "float32"))))
    9.0

    Reference: Mescheder et al., 2018, https://arxiv.org/abs/1801.04406; together with R1 in Huang et al., 2024,
    https://arxiv.org/abs/2501.05441
    """
    return ops.mean(_squared_norms(score_fn, fake))


@register
def finite_difference_penalty(score_fn, images, noise, epsilon=0.01):
    """E[(d(x) - d(x + epsilon n))^2] / epsilon^2 with n ~ N(0, I): R1, or R2, without second-order gradients.

    To first order in epsilon its mean over n is E[|grad d(x)|^2]. It costs one more forward pass and its gradient.

    Args:
        score_fn: the discriminator, from images (N, ...) to one logit per image.
        images: real or generated images (N, ...).
        noise: standard normal numbers in the images' shape.
        epsilon: the step.

    Returns:
        A float32 scalar, 0 or more.

    Raises:
        DataError: noise of another shape than the images.

    Example:

    >>> linear = lambda x: 3.0 * x[:, 0] + 4.0 * x[:, 1]
    >>> zeros, ones = np.zeros((2, 2), "float32"), np.ones((2, 2), "float32")
    >>> round(float(ops.convert_to_numpy(finite_difference_penalty(linear, zeros, ones))), 3)     # (3 + 4)^2
    49.0

    Reference: Lin et al., 2025, https://arxiv.org/abs/2511.22475
    """
    check_paired(images, noise)
    images, noise = ops.stop_gradient(float32(images)), float32(noise)
    differences = float32(score_fn(images)) - float32(score_fn(images + epsilon * noise))
    return ops.mean(ops.square(differences / epsilon))


# Penalties on the generator


@register
def path_lengths(generator_fn, styles, noise):
    """|J^T y| at each style, where J is the Jacobian of the images and y = noise / sqrt(height width).

    J^T y is the gradient of the sum of G(w) y for w. StyleGAN2's penalty is E[(|J^T y| - a)^2] with a moving average a
    of the mean length, and the weight 2: a step in w shall change an image equally, whatever its direction.

    Args:
        generator_fn: function from styles to images (N, height, width, channels).
        styles: (N, style_dim); or (N, layers, style_dim): |J^T y|^2 is then the mean over the layers of the sums over
            style_dim.
        noise: standard normal numbers in the images' shape.

    Returns:
        float32 (N,).

    Example: images that are 3 w have J^T y = 3 y.

    >>> noise = np.full((2, 1, 1, 1), 2.0, "float32")
    >>> lengths = path_lengths(lambda w: 3.0 * w[:, None, None, :], np.ones((2, 1), "float32"), noise)
    >>> ops.convert_to_numpy(lengths).round(4).tolist()
    [6.0, 6.0]

    Reference: Karras et al., 2020, section 3.2, https://arxiv.org/abs/1912.04958
    """
    noise = float32(noise)
    noise = noise / math.sqrt(noise.shape[1] * noise.shape[2])
    slopes = float32(engine.input_gradient(lambda styles: float32(generator_fn(styles)) * noise, float32(styles)))
    squares = ops.sum(ops.square(slopes), axis=-1)
    squares = squares if len(squares.shape) == 1 else ops.mean(squares, axis=1)
    return ops.sqrt(squares + 1e-12)  # the square root has an infinite slope at zero


# Penalties on the logits


@register
def lecam_penalty(real_logits, fake_logits, real_anchor, fake_anchor):
    """LeCam: E[max(0, d(x) - a_F)^2] + E[max(0, a_R - d(G(z)))^2], a_R and a_F moving means of the logits.

    It pulls the logits together: real logits cost above the mean of the fake ones, fake logits below the mean of the
    real ones. This is the form of both of the authors' implementations; the paper's text has the squares without the
    maximum. Their weight for BigGAN on CIFAR is 0.3, from step 1000 on. This function does not count steps: for a
    delayed start make the weight a `keras.Variable` of the model that is 0 until a callback assigns it.

    Args:
        real_logits, fake_logits: discriminator outputs, without a sigmoid.
        real_anchor, fake_anchor: scalars, such as those of `LeCamAnchors`; constants for the gradient.

    Returns:
        A float32 scalar, 0 or more.

    Example:

    >>> float(lecam_penalty(np.array([2.0, -3.0]), np.array([0.0]), real_anchor=1.0, fake_anchor=-1.0))
    5.5

    That is (3^2 + 0) / 2 + 1^2.

    Reference: Tseng et al., 2021, https://arxiv.org/abs/2104.03310
    """
    real_anchor, fake_anchor = (ops.stop_gradient(float32(anchor)) for anchor in (real_anchor, fake_anchor))
    above, below = ops.relu(float32(real_logits) - fake_anchor), ops.relu(real_anchor - float32(fake_logits))
    return ops.mean(ops.square(above)) + ops.mean(ops.square(below))


@register
class LeCamAnchors(keras.layers.Layer):
    """Keeps the anchors of `lecam_penalty`: exponential moving means of the real and of the fake logits.

    As in the authors' TensorFlow code, the means are corrected for their start at zero, so that after the first batch
    they are that batch's means. The current batch is included before the anchors are used. As an attribute of a model
    the layer is saved with it.

    Args:
        decay: decay of the moving means, in [0, 1): 0.99 in the authors' StyleGAN2, 0.9 in their BigGAN.

    Call arguments:
        real_logits, fake_logits: discriminator outputs, without a sigmoid.
        training: whether the logits update the means.

    Returns:
        The real and the fake anchor, float32 scalars; 0 before the first batch.

    Raises:
        ConfigurationError: a decay out of range.

    Example:

    >>> anchors = LeCamAnchors(decay=0.5)
    >>> first = anchors(np.array([[4.0]], "float32"), np.array([[-2.0]], "float32"), training=True)
    >>> [float(a) for a in first]
    [4.0, -2.0]
    >>> second = anchors(np.array([[1.0]], "float32"), np.array([[1.0]], "float32"), training=True)
    >>> [float(a) for a in second]     # (4 / 4 + 1 / 2) / (3 / 4), (-2 / 4 + 1 / 2) / (3 / 4)
    [2.0, 0.0]

    Reference: Tseng et al., 2021, https://arxiv.org/abs/2104.03310
    """

    def __init__(self, decay=0.99, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})  # under float16 too: the means change in small steps
        if isinstance(decay, bool) or not isinstance(decay, (int, float)) or not 0.0 <= decay < 1.0:
            raise ConfigurationError(f"Expected a decay as a number in [0, 1). Received: {decay!r}.")
        self.decay = float(decay)
        self.real, self.fake, self.total_weight = (
            # Replicas see different images: their means are averaged.
            self.add_weight(
                shape=(), initializer="zeros", dtype="float32", trainable=False, aggregation="mean", name=name
            )
            for name in ("real", "fake", "total_weight")
        )
        self.built = True

    def call(self, real_logits, fake_logits, training=False):
        if training:
            for mean, now in ((self.real, real_logits), (self.fake, fake_logits), (self.total_weight, 1.0)):
                now = ops.stop_gradient(ops.mean(float32(now)))
                mean.assign(self.decay * mean + (1.0 - self.decay) * now)
        total = ops.maximum(self.total_weight, keras.config.epsilon())
        return self.real / total, self.fake / total

    def get_config(self):
        return {**super().get_config(), "decay": self.decay}


@register
def consistency_penalty(logits, augmented_logits):
    """Consistency: E[(d(x) - d(t(x)))^2] for a transformation t that should not matter, such as a flip or a shift.

    CR applies it to real images with weight 10. Balanced consistency (bCR) adds the same term for generated images,
    also with weight 10, and uses untransformed images in the adversarial loss. zCR's discriminator term compares G(z)
    with G(z + noise); `diversity_penalty` is its generator's term. `kg.augment.flip_and_shift` makes CR's flips and
    shifts.

    Args:
        logits: the discriminator's logits for images.
        augmented_logits: its logits for the transformed images, in the same order and shape.

    Returns:
        A float32 scalar, 0 or more.

    Raises:
        DataError: shapes that differ.

    Example:

    >>> float(consistency_penalty(np.array([1.0, 2.0]), np.array([3.0, 2.0])))     # (4 + 0) / 2
    2.0

    Reference: Zhang et al., 2020, https://arxiv.org/abs/1910.12027; Zhao et al., 2020,
    https://arxiv.org/abs/2002.04724
    """
    check_paired(logits, augmented_logits)
    return ops.mean(ops.square(float32(logits) - float32(augmented_logits)))


@register
def diversity_penalty(images, moved_images):
    """zCR's term of the generator: -E[(G(z) - G(z + n))^2], which pushes the images of near latents apart.

    The mean is over all values of the images. The authors' weight is 0.5, with n ~ N(0, s^2) and s of 0.05 or more.
    It has no lower bound, so it needs the discriminator's term: `consistency_penalty` of D(G(z)) and D(G(z + n)), with
    weight 20. No gradient is stopped: both images are the generator's.

    Args:
        images: generated images (N, ...).
        moved_images: those of the same latents with noise added, in the same order and shape.

    Returns:
        A float32 scalar, 0 or less.

    Raises:
        DataError: shapes that differ.

    Example:

    >>> float(diversity_penalty(np.array([[1.0, 2.0]]), np.array([[3.0, 2.0]])))     # -(4 + 0) / 2
    -2.0

    Reference: Zhao et al., 2020, https://arxiv.org/abs/2002.04724
    """
    check_paired(images, moved_images)
    return -ops.mean(ops.square(float32(images) - float32(moved_images)))


def refuse_batch_norm(discriminator):
    """Refuses a discriminator with batch normalization, which couples images that a penalty treats independently.

    The paper of WGAN-GP replaces it by a layer normalization that takes mean and variance over all values of one image
    and has one gain and one bias per channel. In Keras that is group normalization with one group; Keras's layer
    normalization is over the last axis only.

    Raises:
        ConfigurationError: a batch normalization layer, at any depth.

    Reference: Gulrajani et al., 2017, section 4, "No critic batch normalization", https://arxiv.org/abs/1704.00028
    """
    for layer in inner_layers(discriminator):
        if isinstance(layer, keras.layers.BatchNormalization):
            raise ConfigurationError(
                f"Expected a discriminator without batch normalization. Received: the layer {layer.name!r}. Use no "
                "normalization, or keras.layers.GroupNormalization(groups=1, epsilon=1e-5), as the paper of WGAN-GP."
            )


# Penalties on the weights


@register
def l2_penalty(weights):
    """|w|^2 / 2, summed over all weights: its gradient is w, like the weight decay of PyTorch's optimizers.

    Args:
        weights: variables of one player.

    Returns:
        A float32 scalar.

    Example:

    >>> float(ops.convert_to_numpy(l2_penalty([np.array([3.0], "float32"), np.array([[2.0, 1.0]], "float32")])))
    7.0
    """
    return 0.5 * sum(ops.sum(ops.square(ops.cast(weight, "float32"))) for weight in weights)


@register
def orthogonal_penalty(kernels):
    """BigGAN's orthogonal regularization: the sum over kernels of |W^T W (1 - I)|^2, with zeros on the diagonal.

    Each kernel is a matrix W with one column for each output. The penalty is zero where the columns are orthogonal to
    each other; their norms are free. With W as rows of outputs, as in the paper, it is |W W^T (1 - I)|^2. Its gradient
    is 4 W (W^T W (1 - I)). The authors' PyTorch code adds 2 W (W^T W (1 - I)) times the same weight, which is the
    gradient of half the penalty. The paper's weight is 1e-4.

    Args:
        kernels: tensors or variables of rank 2 or more whose last axis is the outputs', such as those of Dense and
            Conv2D.

    Returns:
        A float32 scalar, 0 or more.

    Raises:
        DataError: a kernel of rank below 2.

    Example:

    >>> orthogonal, alike = np.array([[2.0, 0.0], [0.0, 3.0]], "float32"), np.array([[1.0, 2.0]], "float32")
    >>> [float(ops.convert_to_numpy(orthogonal_penalty([kernel]))) for kernel in (orthogonal, alike)]     # 2 (1 * 2)^2
    [0.0, 8.0]

    Reference: Brock et al., 2018, eq. 3, https://arxiv.org/abs/1809.11096
    """
    total = 0.0
    for kernel in kernels:
        if len(kernel.shape) < 2:
            raise DataError(f"Expected kernels of rank 2 or more. Received: one of shape {tuple(kernel.shape)}.")
        matrix = ops.reshape(ops.cast(kernel, "float32"), (-1, kernel.shape[-1]))
        rows, columns = matrix.shape
        if rows >= columns:
            gram = ops.matmul(ops.transpose(matrix), matrix)
            total += ops.sum(ops.square(gram * (1.0 - ops.eye(columns))))
        else:  # |W^T W| = |W W^T|, which is smaller
            diagonal = ops.sum(ops.square(matrix), axis=0)
            gram = ops.matmul(matrix, ops.transpose(matrix))
            total += ops.sum(ops.square(gram)) - ops.sum(ops.square(diagonal))
    return ops.cast(total, "float32")


def clip_weights(variables, limit=0.01):
    """Clips all values of the variables to [-limit, limit], in place.

    The first WGAN makes its critic Lipschitz this way. The paper clips all trainable weights of the critic, including
    those of batch normalization, after each critic update. It never clips the generator's weights.

    Args:
        variables: `keras.Variable`s, such as `model.discriminator.trainable_variables`.
        limit: above 0; the paper's is 0.01.

    Raises:
        ConfigurationError: a limit that is not above 0.

    Example:

    >>> weights = keras.Variable([-3.0, 0.005, 2.0])
    >>> clip_weights([weights])
    >>> [round(float(w), 4) for w in ops.convert_to_numpy(weights)]
    [-0.01, 0.005, 0.01]

    Reference: Arjovsky et al., 2017, algorithm 1, https://arxiv.org/abs/1701.07875
    """
    if not is_number(limit, 0.0) or limit == 0.0:
        raise ConfigurationError(f"Expected a limit as a number above 0. Received: {limit!r}.")
    for variable in variables:
        variable.assign(ops.clip(variable, -limit, limit))


# Helpers


def _between(real, fake, epsilon):
    """epsilon real + (1 - epsilon) fake, image by image."""
    check_paired(real, fake)
    real, fake = float32(real), float32(fake)
    sizes = tuple(getattr(epsilon, "shape", ()))
    # (N, 1) would broadcast against (N, height, width, channels): each column of pixels would have its own number.
    if sizes and (len(sizes) != len(real.shape) or any(size not in (1, None) for size in sizes[1:])):
        raise DataError(
            f"Expected epsilon as one number per image, of shape (N{', 1' * (len(real.shape) - 1)}), or one for all. "
            f"Received: {sizes} for images of shape {tuple(real.shape)}. Draw it with keras.random.uniform."
        )
    epsilon = float32(epsilon)
    return epsilon * real + (1.0 - epsilon) * fake


def _squared_norms(score_fn, images):
    """|grad f|^2 at each image, (N,)."""
    slopes = float32(engine.input_gradient(score_fn, ops.stop_gradient(float32(images))))
    return ops.sum(ops.square(ops.reshape(slopes, (ops.shape(slopes)[0], -1))), axis=1)


def _norms(score_fn, images):
    # The square root has an infinite slope at zero, so a flat critic would give NaN.
    return ops.sqrt(_squared_norms(score_fn, images) + 1e-12)
