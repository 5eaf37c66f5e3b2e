"""The residual networks of SNGAN and, with labels, of the projection discriminator, and their blocks, of which SAGAN
and BigGAN make others: Miyato et al., 2018, https://arxiv.org/abs/1802.05957; Miyato and Koyama, 2018,
https://arxiv.org/abs/1802.05637"""

import keras
from keras import initializers, layers

from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape
from keras_gans.layers import ConditionalBatchNormalization, FusedBatchNormalization, SpectralNormalization
from keras_gans.networks.heads import image_values


def halvings(image_shape):
    """How often an image can be halved while its sides are even and 8 or more: 3 times for 32x32, which ends at 4x4."""
    height, width, _ = image_shape
    halvings = 0
    while height % 2 == width % 2 == 0 and min(height, width) >= 8:
        height, width, halvings = height // 2, width // 2, halvings + 1
    if halvings == 0:
        raise ConfigurationError(
            "Expected a height and width that are even and 8 or more, best a power of two. Received: "
            f"image_shape={tuple(image_shape)}. Resize the images, for instance to 32x32."
        )
    return halvings


def doubling_widths(image_shape, base_filters):
    """Channels of a network's blocks, those of the smallest map first: doubled from block to block, up to 16 times."""
    return [base_filters * min(16, 2**i) for i in reversed(range(halvings(image_shape)))]


def attended_height(image_shape, asked, most):
    """The height of the maps that both networks let attend to themselves; 0 for none.

    Args:
        image_shape: (height, width, channels).
        asked: a height, or 0; None for the largest that is at most `most` and half the image's.
        most: see `asked`.

    Raises:
        ConfigurationError: a height that no map has in both networks.
    """
    heights = [image_shape[0] >> i for i in range(1, halvings(image_shape) + 1)]
    if asked is None:
        return max((height for height in heights if height <= most), default=heights[-1])
    if isinstance(asked, bool) or asked not in (0, *heights):
        raise ConfigurationError(
            f"Expected an attention_height among {', '.join(map(str, heights))}, the heights of the maps inside both "
            f"networks, or 0 for none. Received: {asked!r}."
        )
    return asked


def _conv(filters, size, activated=True):
    """A convolution; one on the residual path is initialised for the ReLU, with a gain of sqrt(2)."""
    gain = 2.0 if activated else 1.0  # scales the variance
    return layers.Conv2D(
        filters, size, padding="same", kernel_initializer=initializers.VarianceScaling(gain, "fan_avg", "uniform")
    )


def _spectral(filters, size, activated=True):
    return SpectralNormalization(_conv(filters, size, activated))


def generator_block(x, filters, norm, conv):
    """norm - ReLU - double - conv - norm - ReLU - conv, plus the shortcut double - conv.

    Args:
        x: maps (N, height, width, channels), symbolic.
        filters: channels of the block's maps.
        norm: function from maps to normalised maps.
        conv: function (filters, size, activated=True) to a convolution that keeps the map's size; `activated` is false
            for one that does not follow a ReLU.

    Returns:
        Maps (N, 2 * height, 2 * width, filters).
    """
    shortcut = conv(filters, 1, activated=False)(layers.UpSampling2D()(x))
    x = conv(filters, 3)(layers.UpSampling2D()(layers.ReLU()(norm(x))))
    x = conv(filters, 3)(layers.ReLU()(norm(x)))
    return layers.Add()([x, shortcut])


def discriminator_block(x, filters, conv, *, halve=False, first=False):
    """ReLU - conv - ReLU - conv - halve, plus conv - halve; the first block has no first ReLU, and halve - conv.

    A block that does not halve adds its inputs as they are, or convolved if it changes the number of channels.

    Args:
        x, filters, conv: see `generator_block`.
        halve: whether the map's sides are halved.
        first: whether the block's inputs are images.
    """
    shortcut = x
    if halve or x.shape[-1] != filters:
        point = conv(filters, 1, activated=False)
        halved = layers.AveragePooling2D(2) if halve else lambda maps: maps
        shortcut = point(halved(x)) if first else halved(point(x))
    x = conv(filters, 3)(x if first else layers.ReLU()(x))
    x = conv(filters, 3)(layers.ReLU()(x))
    return layers.Add()([layers.AveragePooling2D(2)(x) if halve else x, shortcut])


def projection_logits(x, labels, initializer="glorot_uniform"):
    """The logit psi(phi) + <V y, phi> of maps and encoded labels y, float32 (N, 1); psi(phi) alone without labels.

    phi are the maps after a ReLU, summed over their places: the hinge loss's margin is meant for the sum.

    Args:
        x: maps (N, height, width, channels), symbolic.
        labels: encoded labels (N, size), symbolic, or None.
        initializer: of the kernels of psi and V, which are spectrally normalized.
    """

    def dense(units, name):
        options = {"use_bias": False, "kernel_initializer": initializer, "dtype": "float32", "name": name}
        return SpectralNormalization(layers.Dense(units, **options))

    x = layers.ReLU()(x)
    places, features = x.shape[1] * x.shape[2], x.shape[-1]
    x = layers.GlobalAveragePooling2D(dtype="float32", name="mean")(x)
    x = layers.Rescaling(places, dtype="float32", name="sum")(x)
    logits = dense(1, "logits")(x)
    if labels is None:
        return logits
    product = layers.Dot(1, dtype="float32", name="projection")([dense(features, "embed")(labels), x])
    return layers.Add(dtype="float32", name="logits_and_projection")([logits, product])


def _norm(labels):
    """The normalisation of a generator, which depends on the labels if there are any."""
    if labels is None:
        return lambda x: FusedBatchNormalization(momentum=0.9, epsilon=2e-5)(x)
    return lambda x: ConditionalBatchNormalization(momentum=0.9, epsilon=2e-5)([x, labels])


def build_generator(image_shape=(32, 32, 3), latent_dim=128, *, base_filters=256, label_size=0, overshoot=0.0):
    """The paper's residual generator: a 4x4 map whose size is doubled by residual blocks.

    Args:
        image_shape: (height, width, channels), both sizes even and 8 or more; powers of two start from 4x4, like the
            paper's 32x32; 28x28 starts from 7x7.
        latent_dim: size of the latents.
        base_filters: channels of every map.
        label_size: size of the encoded labels, on which every normalisation except the last depends; 0 without labels.
        overshoot: the tanh is multiplied by 1 + overshoot and clipped to [-1, 1], so that it reaches pure black and
            white; 0, as in the paper, for neither.

    Returns:
        A Keras model, (N, latent_dim), or [(N, latent_dim), (N, label_size)], to (N, height, width, channels) in
        [-1, 1].

    Raises:
        ConfigurationError: sizes that cannot be halved, or a negative overshoot.
    """
    check_image_shape(image_shape)
    doublings = halvings(image_shape)
    height, width, channels = image_shape
    smallest = (height >> doublings, width >> doublings, base_filters)
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(smallest[0] * smallest[1] * base_filters, name="project")(latents)
    x = layers.Reshape(smallest, name="reshape")(x)
    labels = keras.Input((label_size,), name="labels") if label_size else None
    for _ in range(doublings):
        x = generator_block(x, base_filters, _norm(labels), _conv)
    x = layers.Conv2D(channels, 3, padding="same", name="to_image")(layers.ReLU()(_norm(None)(x)))
    return keras.Model([latents, labels] if label_size else latents, image_values(x, overshoot), name="generator")


def build_discriminator(image_shape=(32, 32, 3), *, base_filters=128, label_size=0):
    """The paper's residual discriminator, with every layer spectrally normalized: blocks that halve the map to twice
    the generator's smallest map, two more blocks, and a sum over the map.

    Args:
        image_shape: as for `build_generator`; 32x32 ends at 8x8, 8x8 at 4x4.
        base_filters: channels of every map.
        label_size: size of the encoded labels, whose embedding is projected onto the sum; 0 without labels.

    Returns:
        A Keras model, images, or [labels (N, label_size), images], to logits (N, 1).

    Raises:
        ConfigurationError: sizes that cannot be halved.
    """
    check_image_shape(image_shape)
    images = x = keras.Input(image_shape, name="images")
    for stage in range(max(1, halvings(image_shape) - 1)):
        x = discriminator_block(x, base_filters, _spectral, halve=True, first=stage == 0)
    for _ in range(2):
        x = discriminator_block(x, base_filters, _spectral)
    labels = keras.Input((label_size,), name="labels") if label_size else None
    logits = projection_logits(x, labels)
    return keras.Model([labels, images] if label_size else images, logits, name="discriminator")
