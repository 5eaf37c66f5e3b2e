"""Adaptive discriminator augmentation (ADA): random changes of images, each made with a probability p that is adapted.

A transformation is a function `fn(images, numbers, probability)`: images (N, height, width, channels), standard normal
numbers (N, fn.numbers) from which it draws, and p. Each image is changed, or not, by itself. `fn.numbers` says how many
numbers one image takes: a whole number, or a function of the image's shape. `AdaptiveAugment` applies a sequence of
them, and `kg.callbacks.AdaptAugmentation` adapts its p. The functions underneath (`warp`, `recolor`, `amplify_bands`,
`cut_square`) take what was drawn.

Reference: Karras et al., 2020, "Training generative adversarial networks with limited data",
https://arxiv.org/abs/2006.06676; code: https://github.com/NVlabs/stylegan2-ada-pytorch
"""

import contextlib
import math

import keras
import numpy as np
from keras import ops

from keras_gans import engine
from keras_gans.augment.differentiable import check_floats
from keras_gans.errors import ConfigurationError
from keras_gans.fields.noise import uniform_of
from keras_gans_core.checks import is_number

SHIFT = 0.125  # of the image's size: the largest shift by whole pixels, and the deviation of that by fractions
SCALE = 0.2  # deviation of the logarithm, to base 2, of a change of size
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.5, 1.0  # deviations; of the last two of their logarithms to base 2
BAND_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # of natural images, from low to high frequencies
NOISE = 0.1  # deviation of the noise's deviation
HOLE = 0.5  # of the image's size
AXIS = np.ones(3) / math.sqrt(3.0)  # the grey axis of colours

# Changes that were drawn


def warp(images, matrices):
    """Moves each image by an affine map, and samples it bilinearly.

    Places are counted in pixels from the image's centre: x to the right, y down. What lies outside is reflected at the
    border's pixels, once; further out there is zero. The authors' code enlarges images twice, by a wavelet's filter,
    before it samples them, and reduces them afterwards. Here nothing is filtered: it is faster on a CPU, and a matrix
    of whole pixels moves them exactly.

    Args:
        images: (N, height, width, channels).
        matrices: (N, 3, 3), which map the place (x, y, 1) of a pixel to the place where the image is read.

    Returns:
        Images of the same shape and dtype.

    Example: each pixel reads its right neighbour; beyond the border the neighbour is the one before.

    >>> row, right = np.reshape([1.0, 2.0, 3.0], (1, 1, 3, 1)), np.eye(3)[None] + np.eye(3, k=2)[None]
    >>> ops.convert_to_numpy(warp(row, right)).ravel().tolist()
    [2.0, 3.0, 2.0]
    """
    images = ops.convert_to_tensor(images)
    _, height, width, channels = images.shape
    middle = np.array([(width - 1) / 2, (height - 1) / 2], "float32")
    places = np.stack([*np.meshgrid(np.arange(width), np.arange(height)), np.ones((height, width))], axis=-1)
    places = places.reshape(-1, 3).astype("float32") - np.array([*middle, 0.0], "float32")
    read = ops.matmul(ops.convert_to_tensor(places), ops.swapaxes(ops.cast(matrices, "float32"), 1, 2))
    axes = [_neighbours(read[..., i] + middle[i], size) for i, size in enumerate((width, height))]
    first = ops.arange(ops.shape(images)[0])[:, None] * (height * width)  # each image's first pixel
    pixels, warped = ops.reshape(ops.cast(images, "float32"), (-1, channels)), 0.0
    for column, weight_x in axes[0]:
        for row, weight_y in axes[1]:
            warped += ops.take(pixels, first + row * width + column, axis=0) * (weight_x * weight_y)[..., None]
    return ops.cast(ops.reshape(warped, ops.shape(images)), images.dtype)


def _neighbours(places, size):
    """The two pixels beside each place along an axis: two pairs of (indices, weights). Places beyond the border are
    reflected once; farther out the weight is 0."""
    below = ops.floor(places)
    above = places - below
    pairs = []
    for index, weight in ((below, 1.0 - above), (below + 1.0, above)):
        inside = ops.logical_and(index >= 1 - size, index <= 2 * size - 2)
        reflected = (size - 1) - ops.absolute((size - 1) - ops.absolute(index))
        pairs.append((ops.cast(ops.clip(reflected, 0, size - 1), "int32"), ops.where(inside, weight, 0.0)))
    return pairs


def recolor(images, matrices):
    """Maps each image's colours by an affine map; grey levels by the mean of its three rows.

    Args:
        images: (N, height, width, 1 or 3).
        matrices: (N, 4, 4), which map the colour (red, green, blue, 1).

    Returns:
        Images of the same shape and dtype. Not clipped.

    Raises:
        ConfigurationError: another number of channels.

    Example:

    >>> twice = np.diag([2.0, 2.0, 2.0, 1.0])[None]
    >>> ops.convert_to_numpy(recolor(np.full((1, 1, 1, 3), 0.25, "float32"), twice)).ravel().tolist()
    [0.5, 0.5, 0.5]
    """
    images = ops.convert_to_tensor(images)
    if images.shape[-1] not in (1, 3):
        raise ConfigurationError(
            f"Expected images with 1 or 3 channels, whose colours can change. Received: {images.shape[-1]}. Leave "
            "ada_color out of the policy."
        )
    rows = ops.cast(matrices, "float32")[:, :3]
    x = ops.cast(images, "float32")
    if images.shape[-1] == 1:
        rows = ops.mean(rows, axis=1)[:, None, None]
        return ops.cast(x * ops.sum(rows[..., :3], axis=-1, keepdims=True) + rows[..., 3:], images.dtype)
    return ops.cast(ops.einsum("nhwc,ndc->nhwd", x, rows[..., :3]) + rows[:, None, None, :, 3], images.dtype)


def amplify_bands(images, gains):
    """Multiplies four bands of frequencies of each image, along its rows and along its columns.

    The bands are those of the wavelet sym2, a filter of 43 pixels that is reflected at the borders. With equal gains
    the image stays as it is, up to their square: rows and columns are both filtered.

    Args:
        images: (N, height, width, channels).
        gains: (N, 4), from the lowest band to the highest.

    Returns:
        Images of the same shape and dtype.

    Example:

    >>> image = np.random.default_rng(0).uniform(-1, 1, (1, 8, 8, 1)).astype("float32")
    >>> bool(np.allclose(ops.convert_to_numpy(amplify_bands(image, np.ones((1, 4)))), image, atol=1e-6))
    True
    """
    images, gains = ops.convert_to_tensor(images), ops.cast(gains, "float32")
    rows, columns = (
        ops.einsum("nb,bij->nij", gains, ops.convert_to_tensor(_band_matrices(size))) for size in images.shape[1:3]
    )
    x = ops.einsum("nij,njwc->niwc", rows, ops.cast(images, "float32"))
    return ops.cast(ops.einsum("nvw,niwc->nivc", columns, x), images.dtype)


def band_filters():
    """The filters of the four bands, float64 (4, 43): each is symmetric, and their sum is one at its middle."""
    root = math.sqrt(3.0)
    low = np.array([1.0 - root, 3.0 - root, 3.0 + root, 1.0 + root]) / (4.0 * math.sqrt(2.0))
    high = low * [1.0, -1.0, 1.0, -1.0]
    low, high = (np.convolve(half, half[::-1]) / 2.0 for half in (low, high))
    bank = np.eye(4, 1)
    for band in range(1, 4):  # what was split so far is split in two, at half its frequencies
        spread = np.zeros((4, 2 * bank.shape[1] - 1))
        spread[:, ::2] = bank
        bank = np.stack([np.convolve(row, low) for row in spread])
        start = (bank.shape[1] - len(high)) // 2
        bank[band, start : start + len(high)] += high
    return bank


def _band_matrices(size):
    """What the four filters do to `size` pixels in a row, float32 (4, size, size): borders are reflected."""
    bank = band_filters()
    matrices, half, period = np.zeros((4, size, size)), bank.shape[1] // 2, max(1, 2 * (size - 1))
    for i in range(size):
        for k in range(bank.shape[1]):
            j = (i + k - half) % period
            matrices[:, i, min(j, period - j)] += bank[:, k]
    return matrices.astype("float32")


def cut_square(images, centers, sizes):
    """Sets a part of each image to zero: pixels whose middle is closer than size / 2 to the centre, along both axes.

    Args:
        images: (N, height, width, channels).
        centers: (N, 2), x to the right and y down, from 0 to 1.
        sizes: (N,), in parts of the image's sides; 0 cuts nothing.

    Returns:
        Images of the same shape and dtype.

    Example:

    >>> row = np.ones((1, 1, 4, 1), "float32")
    >>> ops.convert_to_numpy(cut_square(row, np.array([[0.5, 0.5]]), np.array([0.5]))).ravel().tolist()
    [1.0, 0.0, 0.0, 1.0]
    """
    images, centers = ops.convert_to_tensor(images), ops.cast(centers, "float32")
    half = ops.cast(sizes, "float32")[:, None] / 2.0
    near = []
    for axis, size in enumerate((images.shape[2], images.shape[1])):
        middles = ops.convert_to_tensor((np.arange(size, dtype="float32") + 0.5) / size)
        near.append(ops.absolute(middles[None] - centers[:, axis : axis + 1]) < half)
    inside = ops.logical_and(near[0][:, None, :, None], near[1][:, :, None, None])
    return ops.where(inside, ops.zeros_like(images), images)


# Drawing them


def _chosen(number, probability, value, otherwise):
    """`value` with the probability, else `otherwise`; a normal number (N,) decides."""
    return ops.where(uniform_of(number) < probability, value, otherwise + ops.zeros_like(number))


def _one_of(number, count):
    """A whole number from 0 to count - 1 from a normal number, as a float."""
    return ops.minimum(ops.floor(uniform_of(number) * count), count - 1.0)


def _angle(number):
    """U(-pi, pi) from a normal number."""
    return math.pi * ops.erf(number * 0.5**0.5)


def _matrices(rows, like):
    """(N, rows, columns) from rows of numbers (N,) or plain ones; `like` is one of shape (N,)."""
    flat = [ops.zeros_like(like) + entry for row in rows for entry in row]
    return ops.reshape(ops.stack(flat, axis=1), (-1, len(rows), len(rows[0])))


def _scaled(x, y):
    """The inverse of a change of size by x and y."""
    return _matrices([[1.0 / x, 0.0, 0.0], [0.0, 1.0 / y, 0.0], [0.0, 0.0, 1.0]], x)


def _rotated(cosine, sine):
    """The inverse of a rotation."""
    return _matrices([[cosine, sine, 0.0], [-1.0 * sine, cosine, 0.0], [0.0, 0.0, 1.0]], cosine)


def _shifted(x, y):
    """The inverse of a shift."""
    return _matrices([[1.0, 0.0, -1.0 * x], [0.0, 1.0, -1.0 * y], [0.0, 0.0, 1.0]], x)


def _product(*matrices):
    product = matrices[0]
    for matrix in matrices[1:]:
        product = ops.matmul(product, matrix)
    return product


def blit_matrices(numbers, probability, height, width):
    """The matrices (N, 3, 3) of `ada_blit`, from normal numbers (N, 7); see `warp`."""
    n = ops.unstack(ops.cast(numbers, "float32"), 7, axis=1)
    flip = _chosen(n[1], probability, _one_of(n[0], 2), 0.0)
    quarter = _chosen(n[3], probability, _one_of(n[2], 4), 0.0)
    cosine = ops.where(quarter == 0.0, 1.0, 0.0) - ops.where(quarter == 2.0, 1.0, 0.0)
    sine = ops.where(quarter == 1.0, 1.0, 0.0) - ops.where(quarter == 3.0, 1.0, 0.0)
    shifts = [
        _chosen(n[6], probability, ops.round((2.0 * uniform_of(number) - 1.0) * SHIFT * size), 0.0)
        for number, size in zip(n[4:6], (width, height))
    ]
    return _product(_scaled(1.0 - 2.0 * flip, ops.ones_like(flip)), _rotated(cosine, sine), _shifted(*shifts))


def geometry_matrices(numbers, probability, height, width):
    """The matrices (N, 3, 3) of `ada_geometry`, from normal numbers (N, 11); see `warp`."""
    n = ops.unstack(ops.cast(numbers, "float32"), 11, axis=1)
    whole = _chosen(n[1], probability, 2.0 ** (SCALE * n[0]), 1.0)
    unchanged = ops.clip(1.0 - ops.convert_to_tensor(probability, "float32"), 0.0, 1.0)
    either = 1.0 - ops.sqrt(unchanged)  # of each rotation, so that one or both have p
    angles = [_chosen(n[i + 1], either, _angle(n[i]), 0.0) for i in (2, 6)]
    before, after = (_rotated(ops.cos(angle), ops.sin(angle)) for angle in angles)
    wide = _chosen(n[5], probability, 2.0 ** (SCALE * n[4]), 1.0)
    shifts = [_chosen(n[10], probability, SHIFT * size * number, 0.0) for number, size in zip(n[8:10], (width, height))]
    return _product(_scaled(whole, whole), before, _scaled(wide, 1.0 / wide), after, _shifted(*shifts))


def color_matrices(numbers, probability, channels=3):
    """The matrices (N, 4, 4) of `ada_color`, from normal numbers (N, 10); see `recolor`."""
    n = ops.unstack(ops.cast(numbers, "float32"), 10, axis=1)
    along, across = np.outer(AXIS, AXIS), np.eye(3) - np.outer(AXIS, AXIS)  # onto the grey axis, and its rest
    bright = _chosen(n[1], probability, BRIGHTNESS * n[0], 0.0)
    contrast = _chosen(n[3], probability, 2.0 ** (CONTRAST * n[2]), 1.0)
    flip = _chosen(n[5], probability, _one_of(n[4], 2), 0.0)
    matrix = _product(
        _linear(np.eye(3) - 2.0 * along, flip, otherwise=np.eye(3)),
        _matrices(
            [[contrast if i == j else bright * contrast if j == 3 else 0.0 for j in range(4)] for i in range(3)]
            + [[0.0, 0.0, 0.0, 1.0]],
            bright,
        ),
    )
    if channels == 1:  # a grey image has no hue and no saturation
        return matrix
    hue = _chosen(n[7], probability, _angle(n[6]), 0.0)
    x, y, z = AXIS
    turn = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    saturation = _chosen(n[9], probability, 2.0 ** (SATURATION * n[8]), 1.0)
    turned = _sum((along, 1.0), (across, ops.cos(hue)), (turn, ops.sin(hue)), like=hue)
    return _product(_sum((along, 1.0), (across, saturation), like=saturation), turned, matrix)


def _sum(*parts, like):
    """The sum of 3x3 matrices, each times numbers (N,), as (N, 4, 4) with a last row and column of the identity."""
    rows = [[sum(float(matrix[i, j]) * number for matrix, number in parts) for j in range(3)] + [0.0] for i in range(3)]
    return _matrices([*rows, [0.0, 0.0, 0.0, 1.0]], like)


def _linear(matrix, chosen, otherwise):
    """`matrix` where `chosen` (N,) is 1, and `otherwise` where it is 0; see `_sum`."""
    return _sum((matrix, chosen), (otherwise, 1.0 - chosen), like=chosen)


def band_gains(numbers, probability):
    """The gains (N, 4) of `ada_filter`, from normal numbers (N, 8); see `amplify_bands`.

    One band after the other gets its gain, and all four are divided by the root of what that makes of the power of
    natural images.
    """
    n = ops.unstack(ops.cast(numbers, "float32"), 8, axis=1)
    gains = 1.0
    for band in range(4):
        gain = _chosen(n[2 * band + 1], probability, 2.0 ** n[2 * band], 1.0)
        power = BAND_POWER[band] * ops.square(gain) + 1.0 - BAND_POWER[band]
        changed = ops.stack([gain if i == band else ops.ones_like(gain) for i in range(4)], axis=1)
        gains = gains * changed / ops.sqrt(power)[:, None]
    return gains


# Transformations


def _transformation(numbers):
    """Registers a function under its name, with how many normal numbers it takes for one image."""

    def registered(fn):
        fn.numbers = numbers
        return keras.saving.register_keras_serializable(package="keras_gans")(fn)

    return registered


@_transformation(7)
def ada_blit(images, numbers, probability):
    """Moves whole pixels: a mirror image, or not, alike; a rotation by 0, 90, 180 or 270 degrees alike; a shift of
    round(U(-0.125, 0.125) size) along each axis."""
    return warp(images, blit_matrices(numbers, probability, *images.shape[1:3]))


@_transformation(11)
def ada_geometry(images, numbers, probability):
    """Scales by 2^N(0, 0.2^2), rotates by U(-pi, pi), scales the axes by s and 1 / s with s = 2^N(0, 0.2^2), rotates
    again, and shifts by N(0, 0.125^2) size along each axis. Each rotation has the probability 1 - sqrt(1 - p)."""
    return warp(images, geometry_matrices(numbers, probability, *images.shape[1:3]))


@_transformation(10)
def ada_color(images, numbers, probability):
    """Adds N(0, 0.2^2), multiplies by 2^N(0, 0.5^2), mirrors the lightness, or not, alike, rotates hues by U(-pi, pi),
    and multiplies saturations by 2^N(0, 1). Grey images have no hue and no saturation."""
    return recolor(images, color_matrices(numbers, probability, images.shape[-1]))


@_transformation(8)
def ada_filter(images, numbers, probability):
    """Multiplies four bands of frequencies by 2^N(0, 1) each, and all so that the power of natural images stays."""
    return amplify_bands(images, band_gains(numbers, probability))


@_transformation(lambda shape: 2 + math.prod(shape))
def ada_noise(images, numbers, probability):
    """Adds normal noise of the deviation |N(0, 0.1^2)|."""
    deviation = _chosen(numbers[:, 1], probability, NOISE * ops.absolute(numbers[:, 0]), 0.0)
    noise = ops.reshape(numbers[:, 2:], (-1, *images.shape[1:]))
    return images + ops.cast(deviation[:, None, None, None] * noise, images.dtype)


@_transformation(3)
def ada_cutout(images, numbers, probability):
    """Sets a square of half the image's sides to zero, with its centre anywhere in the image."""
    sizes = _chosen(numbers[:, 2], probability, HOLE, 0.0)
    return cut_square(images, uniform_of(numbers[:, :2]), sizes)


@keras.saving.register_keras_serializable(package="keras_gans")
class AdaptiveAugment(keras.layers.Layer):
    """Augments, in training, what a discriminator sees; each transformation is made with the probability p.

    p is a variable, saved with the model. `kg.callbacks.AdaptAugmentation` raises it while the discriminator overfits.
    Up to about 0.8 the generator does not learn the augmentation: the unchanged images stay the most frequent ones.
    Above 1, p acts as 1.

    Put the layer in front of a discriminator with `with_augmentation`: then every variant with one discriminator of
    images, or of images beside something else, augments real and generated images in both players' updates, and no
    samples. Beside other images, such as Pix2Pix's sources, which stay as they are, use colours and noise alone. LAPGAN
    and CoGAN judge several images of an example, which would change differently. Every call draws new numbers for every
    image, so R3GAN's `finite_differences`, which compare two calls, do not fit it.

    The authors' policies: (ada_blit, ada_geometry, ada_color), which is the default; all six add ada_filter, ada_noise
    and ada_cutout.

    Differences from the authors' code: images are sampled without a low-pass filter, see `warp`; `ada_blit` and
    `ada_geometry` sample one after the other, so that the first reflects what lies outside before the second does.
    With p = 0 the images stay exactly as they are.

    Args:
        policy: transformations, functions of (images, numbers, probability), in the order in which they are applied.
            Register your own with `keras.saving.register_keras_serializable`, so that it can be saved.
        probability: p at first, 0 or more.
        seed: seed of the random numbers; None for different ones in each run.

    Returns:
        In training, floats of the inputs' shape, (N, height, width, channels); else the inputs. They are in [-1, 1],
        augmented ones may leave it.

    Raises:
        ConfigurationError: a policy that is not a list or tuple of transformations, or a probability below 0; or, in a
            call, anything but one float tensor of images.

    Example:

    >>> discriminator = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    >>> generator = keras.Sequential(
    ...     [keras.Input((4,)), keras.layers.Dense(64, "tanh"), keras.layers.Reshape((8, 8, 1))]
    ... )
    >>> gan = kg.DCGAN(generator, with_augmentation(discriminator, AdaptiveAugment(seed=0)))
    >>> gan.compile()
    >>> batches = kg.data.Batches(np.zeros((8, 8, 8, 1), "uint8"), batch_size=4)
    >>> history = gan.fit(batches, callbacks=[kg.callbacks.AdaptAugmentation(batches)], verbose=0).history
    >>> sorted(history)
    ['augment_probability', 'd_loss', 'g_loss', 'real_sign']
    """

    def __init__(self, policy=(ada_blit, ada_geometry, ada_color), probability=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(policy, (list, tuple)) or not all(hasattr(one, "numbers") for one in policy):
            raise ConfigurationError(
                "Expected a sequence of functions that have an attribute numbers, such as (ada_blit, ada_color). "
                f"Received: policy={policy!r}."
            )
        if not is_number(probability, 0.0):
            raise ConfigurationError(f"Expected a probability of 0 or more. Received: {probability!r}.")
        self.policy, self.seed, self.initial_probability = tuple(policy), seed, float(probability)
        self.seeds = keras.random.SeedGenerator(seed)
        self.probability = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self.initial_probability),
            trainable=False,
            autocast=False,
            dtype="float32",
            name="probability",
        )
        self.given = None  # the numbers of `drawn_from`
        self.built = True  # Keras would rebuild a model that has an unbuilt layer

    def count(self, shape):
        """How many normal numbers one image (height, width, channels) takes."""
        return sum(self._counts(shape))

    def _counts(self, shape):
        return [one.numbers(shape) if callable(one.numbers) else one.numbers for one in self.policy]

    @contextlib.contextmanager
    def drawn_from(self, numbers):
        """A context in which every call augments, outside training too, by the same normal numbers (N, count)."""
        self.given = numbers
        try:
            yield
        finally:
            self.given = None

    def call(self, images, training=False):
        check_floats(images)
        if not training and self.given is None:
            return images
        shape = tuple(images.shape[1:])
        numbers, first = self.given, 0
        if numbers is None:
            numbers = engine.normal((ops.shape(images)[0], self.count(shape)), self.seeds)
        probability = ops.convert_to_tensor(self.probability)
        for transformation, count in zip(self.policy, self._counts(shape)):
            images = transformation(images, numbers[:, first : first + count], probability)
            first += count
        return images

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        policy = [keras.saving.serialize_keras_object(transformation) for transformation in self.policy]
        return {
            **super().get_config(),
            "policy": policy,
            "probability": self.initial_probability,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        policy = [keras.saving.deserialize_keras_object(transformation) for transformation in config["policy"]]
        return cls(**{**config, "policy": policy})


def with_augmentation(discriminator, augment):
    """A discriminator behind a layer that augments the images that it sees.

    Args:
        discriminator: Keras model of images (N, height, width, channels), or of a list whose last entry is the images.
        augment: an `AdaptiveAugment`, or another layer for images.

    Returns:
        A Keras model with the same inputs and outputs, which shares the discriminator's weights.

    Raises:
        ConfigurationError: a model whose last input is not images.
    """
    symbolic = isinstance(discriminator, keras.Model) and discriminator.built and getattr(discriminator, "inputs", None)
    if not symbolic or len(discriminator.inputs[-1].shape) != 4:
        raise ConfigurationError(
            "Expected a built discriminator with symbolic inputs, whose last input is images (N, height, width, "
            f"channels). Received: {str(discriminator.input_shape if symbolic else discriminator):.200}."
        )
    inputs = [keras.Input(one.shape[1:], dtype=one.dtype) for one in discriminator.inputs]
    seen = [*inputs[:-1], augment(inputs[-1])]
    logits = discriminator(seen if len(seen) > 1 else seen[0])
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], logits, name=f"augmented_{discriminator.name}")


def adapted_probability(probability, sign, *, target=0.6, count, images_to_one=500_000):
    """p after an adjustment: up if the mean sign of the logits of real images is above the target, down if below.

    Args:
        probability: p before it.
        sign: mean of sign(D(x)) over the real images since the last adjustment, in [-1, 1].
        target: what it should be.
        count: how many images that were.
        images_to_one: after how many images p would rise from 0 to 1.

    Returns:
        p + sign(sign - target) count / images_to_one, 0 or more.

    Example: four batches of 64.

    >>> round(adapted_probability(0.0, 0.9, count=4 * 64), 6), adapted_probability(0.0001, 0.5, count=4 * 64)
    (0.000512, 0.0)
    """
    return max(0.0, float(probability + np.sign(sign - target) * count / images_to_one))
