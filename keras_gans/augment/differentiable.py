"""Differentiable augmentation: random changes of images through which gradients still reach the generator.

An augmentation is a function `fn(images, seeds)` of a float tensor of images (N, height, width, channels) in [-1, 1]
and a `keras.random.SeedGenerator`; every image gets its own random change. `DiffAugment` applies a sequence of them.
The functions underneath, `translate` and `cut_out`, take the drawn numbers as an argument.

Reference: Zhao et al., 2020, "Differentiable augmentation for data-efficient GAN training",
https://arxiv.org/abs/2006.10738; code: https://github.com/mit-han-lab/data-efficient-gans
"""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError

_register = keras.saving.register_keras_serializable(package="keras_gans")


def translate(images, shifts):
    """Moves each image by whole pixels and fills with zeros: y[i, j] = x[i - down, j - right].

    Args:
        images: (N, height, width, channels).
        shifts: int32 (N, 2), how many pixels each image moves down and to the right.

    Example:

    >>> row = np.reshape([1.0, 2.0, 3.0], (1, 1, 3, 1))
    >>> ops.convert_to_numpy(translate(row, np.array([[0, 1]]))).ravel().tolist()
    [0.0, 1.0, 2.0]
    """
    for axis in (1, 2):
        size = images.shape[axis]
        sources = ops.arange(size)[None] - ops.cast(shifts[:, axis - 1 : axis], "int32")
        inside = ops.logical_and(sources >= 0, sources < size)
        shape = (-1, size, 1, 1) if axis == 1 else (-1, 1, size, 1)
        moved = ops.take_along_axis(images, ops.reshape(ops.clip(sources, 0, size - 1), shape), axis=axis)
        images = ops.where(ops.reshape(inside, shape), moved, ops.zeros_like(moved))
    return images


def mirror_and_move(images, flips, shifts):
    """Mirrors chosen images, then moves each by whole pixels and fills with its reflection at the border's pixels.

    Args:
        images: (N, height, width, channels).
        flips: booleans (N,), which images are mirrored left to right.
        shifts: int32 (N, 2), how many pixels each image moves down and to the right; less than its sides.

    Example:

    >>> row = np.reshape([1.0, 2.0, 3.0], (1, 1, 3, 1))
    >>> ops.convert_to_numpy(mirror_and_move(row, np.array([True]), np.array([[0, 1]]))).ravel().tolist()
    [2.0, 3.0, 2.0]
    """
    flips = ops.convert_to_tensor(flips)[:, None]
    for axis in (1, 2):
        last = images.shape[axis] - 1
        sources = ops.arange(last + 1)[None] - ops.cast(shifts[:, axis - 1 : axis], "int32")
        sources = last - ops.absolute(last - ops.absolute(sources))
        sources = ops.where(flips, last - sources, sources) if axis == 2 else sources
        shape = (-1, last + 1, 1, 1) if axis == 1 else (-1, 1, last + 1, 1)
        images = ops.take_along_axis(images, ops.reshape(sources, shape), axis=axis)
    return images


def cut_out(images, centers, sides):
    """Sets a rectangle of each image to zero: `side` rows or columns from center - side // 2 on, clipped to the image.

    Args:
        images: (N, height, width, channels).
        centers: int32 (N, 2), row and column.
        sides: (height, width) of the rectangle.

    Example:

    >>> row = np.reshape([1.0, 2.0, 3.0], (1, 1, 3, 1))
    >>> ops.convert_to_numpy(cut_out(row, np.array([[0, 0]]), sides=(1, 2))).ravel().tolist()
    [0.0, 2.0, 3.0]
    """
    cut = []
    for axis, side in enumerate(sides):
        first = ops.cast(centers[:, axis : axis + 1], "int32") - side // 2
        places = ops.arange(images.shape[axis + 1])[None]
        cut.append(ops.logical_and(places >= first, places < first + side))
    cut = ops.logical_and(cut[0][:, :, None, None], cut[1][:, None, :, None])
    return ops.where(cut, ops.zeros_like(images), images)


def _uniform(images, low, high, seeds):
    return ops.cast(keras.random.uniform((ops.shape(images)[0], 1, 1, 1), low, high, seed=seeds), images.dtype)


@_register
def brightness(images, seeds):
    """x + U(-0.5, 0.5), one number per image. Not clipped."""
    return images + _uniform(images, -0.5, 0.5, seeds)


@_register
def saturation(images, seeds):
    """(x - m) U(0, 2) + m, with m the mean over each pixel's channels; grey images stay as they are."""
    mean = ops.mean(images, axis=3, keepdims=True)
    return (images - mean) * _uniform(images, 0.0, 2.0, seeds) + mean


@_register
def contrast(images, seeds):
    """(x - m) U(0.5, 1.5) + m, with m the mean over the image's pixels and channels."""
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return (images - mean) * _uniform(images, 0.5, 1.5, seeds) + mean


@_register
def color(images, seeds):
    """Brightness, then saturation, then contrast."""
    return contrast(saturation(brightness(images, seeds), seeds), seeds)


@_register
def translation(images, seeds, ratio=0.125):
    """A shift by whole pixels, uniform in [-s, s] with s = int(size * ratio + 0.5), down and to the right; see
    `translate`."""
    shifts = []
    for size in images.shape[1:3]:
        most = int(size * ratio + 0.5)
        shifts.append(keras.random.randint((ops.shape(images)[0], 1), -most, most + 1, seed=seeds))
    return translate(images, ops.concatenate(shifts, axis=1))


@_register
def flip_and_shift(images, seeds, ratio=0.125):
    """A mirror image or not, alike, and a shift by whole pixels, uniform in [-s, s] with s = int(size * ratio + 0.5),
    with reflected borders: the transformation of consistency regularization; see `mirror_and_move` and
    `kg.penalties.consistency_penalty`."""
    count, shifts = ops.shape(images)[0], []
    for size in images.shape[1:3]:
        most = int(size * ratio + 0.5)
        shifts.append(keras.random.randint((count, 1), -most, most + 1, seed=seeds))
    flips = keras.random.randint((count,), 0, 2, seed=seeds) == 1
    return mirror_and_move(images, flips, ops.concatenate(shifts, axis=1))


@_register
def cutout(images, seeds, ratio=0.5):
    """A hole of side s = int(size * ratio + 0.5) whose centre is uniform in [0, size + 1 - s % 2); see `cut_out`."""
    sides = [int(size * ratio + 0.5) for size in images.shape[1:3]]
    centers = [
        keras.random.randint((ops.shape(images)[0], 1), 0, size + 1 - side % 2, seed=seeds)
        for size, side in zip(images.shape[1:3], sides)
    ]
    return cut_out(images, ops.concatenate(centers, axis=1), sides)


@_register
class DiffAugment(keras.layers.Layer):
    """Augments every image that a discriminator sees, real and generated alike, in both players' updates:

        discriminator: D(T(x)), D(T(G(z)))        generator: D(T(G(z))), with the gradient through T.

    Every call draws new numbers for every image, and no image is skipped. Augmenting only the real images would teach
    the augmentation to the generator. Samples are not augmented. The layer has no inference mode: the caller decides
    when to use it. The losses of most variants see images only through `score`, where the example below applies the
    layer; UnrolledGAN, ImprovedGAN and InfoGAN also use other methods. Where images are judged together with labels or
    latents (CGAN, ProjectionGAN, IcGAN, VEEGAN, ALI, BiGAN) `score` gets a list whose last entry is the images: augment
    only that entry. The layer does not fit LAPGAN, whose list holds the levels of a pyramid, or CoGAN, whose images are
    pairs.

    The paper's scripts use (translation, cutout) for BigGAN on CIFAR-10, together with flipped data, (color, cutout)
    for StyleGAN2 on all of CIFAR-10, and all three when data are scarce.

    Args:
        policy: augmentations, functions of (images, seeds), in the order in which they are applied. For another
            strength write another function and register it with `keras.saving.register_keras_serializable`, so that it
            can be saved.
        seed: seed of the random numbers; None for different ones in each run.

    Returns:
        Floats of the inputs' shape, (N, height, width, channels); the inputs are in [-1, 1]. Keep the layer as an
        attribute of the model, which saves its seeds.

    Raises:
        ConfigurationError: a policy that is not a list or tuple of functions; or, in a call, anything but one float
            tensor of images.

    Example:

    >>> augment = DiffAugment([color, translation, cutout], seed=0)
    >>> augment(np.zeros((2, 8, 8, 3), "float32")).shape[1:] == (8, 8, 3)
    True

    A DCGAN for small data sets, registered so that it can be saved:

    >>> @keras.saving.register_keras_serializable(package="mine")
    ... class AugmentedDCGAN(kg.DCGAN):
    ...     def __init__(self, *networks, **options):
    ...         super().__init__(*networks, **options)
    ...         self.augment = DiffAugment([color, translation, cutout], seed=self.seed)
    ...
    ...     def score(self, images, training=True):
    ...         return super().score(self.augment(images) if training else images, training)
    >>> gan = AugmentedDCGAN(image_shape=(8, 8, 3), latent_dim=4)
    >>> gan.compile()
    >>> history = gan.fit(np.zeros((8, 8, 8, 3), "uint8"), verbose=0)
    >>> gan.generate(2, seed=0).shape
    (2, 8, 8, 3)
    """

    def __init__(self, policy=(color, translation, cutout), seed=None, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(policy, (list, tuple)) or not all(callable(augmentation) for augmentation in policy):
            raise ConfigurationError(
                f"Expected a sequence of functions, such as (color, translation, cutout). Received: policy={policy!r}."
            )
        self.policy, self.seed = tuple(policy), seed
        self.seeds = keras.random.SeedGenerator(seed)
        self.built = True  # Keras would rebuild a model that has an unbuilt layer

    def call(self, images):
        check_floats(images)
        for augmentation in self.policy:
            images = augmentation(images, self.seeds)
        return images

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        policy = [keras.saving.serialize_keras_object(augmentation) for augmentation in self.policy]
        return {**super().get_config(), "policy": policy, "seed": self.seed}

    @classmethod
    def from_config(cls, config):
        policy = [keras.saving.deserialize_keras_object(augmentation) for augmentation in config["policy"]]
        return cls(**{**config, "policy": policy})


def check_floats(images):
    """Raises a `ConfigurationError` unless `images` is one float tensor (N, height, width, channels)."""
    shape = getattr(images, "shape", None)  # a list has no shape
    if shape is None or len(shape) != 4 or not keras.backend.is_float_dtype(images.dtype):
        dtype = None if shape is None else keras.backend.standardize_dtype(images.dtype)
        received = f"a {type(images).__name__}" if shape is None else f"{dtype} {tuple(shape)}"
        raise ConfigurationError(
            f"Expected images as floats in [-1, 1], one tensor (N, height, width, channels). Received: {received}. In "
            "a list such as [labels, images], augment the images only; convert grey levels by x / 127.5 - 1."
        )
