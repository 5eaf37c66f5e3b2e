"""The residual networks of SNGAN and, with labels, of the projection discriminator: Miyato et al., 2018,
https://arxiv.org/abs/1802.05957; Miyato and Koyama, 2018, https://arxiv.org/abs/1802.05637"""

import keras
from keras import initializers, layers

from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape
from keras_gans.layers import ConditionalBatchNormalization, FusedBatchNormalization, SpectralNormalization


def _halvings(image_shape):
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


def _conv(filters, size, activated=True):
    """A convolution; one on the residual path is initialised for the ReLU, with a gain of sqrt(2)."""
    gain = 2.0 if activated else 1.0  # scales the variance
    return layers.Conv2D(
        filters, size, padding="same", kernel_initializer=initializers.VarianceScaling(gain, "fan_avg", "uniform")
    )


def _activated(x, labels=None):
    if labels is not None:
        return layers.ReLU()(ConditionalBatchNormalization(momentum=0.9, epsilon=2e-5)([x, labels]))
    return layers.ReLU()(FusedBatchNormalization(momentum=0.9, epsilon=2e-5)(x))


def _generator_block(x, filters, labels):
    """norm - ReLU - double - conv - norm - ReLU - conv, plus the shortcut double - conv."""
    shortcut = _conv(filters, 1, activated=False)(layers.UpSampling2D()(x))
    x = _conv(filters, 3)(layers.UpSampling2D()(_activated(x, labels)))
    x = _conv(filters, 3)(_activated(x, labels))
    return layers.Add()([x, shortcut])


def _discriminator_block(x, filters, *, halve=False, first=False):
    """ReLU - conv - ReLU - conv - halve, plus conv - halve; the first block has no first ReLU, and halve - conv."""
    shortcut = x
    if halve:
        point = SpectralNormalization(_conv(filters, 1, activated=False))
        halved = layers.AveragePooling2D(2)
        shortcut = point(halved(x)) if first else halved(point(x))
    x = SpectralNormalization(_conv(filters, 3))(x if first else layers.ReLU()(x))
    x = SpectralNormalization(_conv(filters, 3))(layers.ReLU()(x))
    return layers.Add()([layers.AveragePooling2D(2)(x) if halve else x, shortcut])


def build_generator(image_shape=(32, 32, 3), latent_dim=128, *, base_filters=256, label_size=0):
    """The paper's residual generator: a 4x4 map whose size is doubled by residual blocks.

    Args:
        image_shape: (height, width, channels), both sizes even and 8 or more; powers of two start from 4x4, like the
            paper's 32x32; 28x28 starts from 7x7.
        latent_dim: size of the latents.
        base_filters: channels of every map.
        label_size: size of the encoded labels, on which every normalisation except the last depends; 0 without labels.

    Returns:
        A Keras model, (N, latent_dim), or [(N, latent_dim), (N, label_size)], to (N, height, width, channels) in
        [-1, 1].

    Raises:
        ConfigurationError: sizes that cannot be halved.
    """
    check_image_shape(image_shape)
    doublings = _halvings(image_shape)
    height, width, channels = image_shape
    smallest = (height >> doublings, width >> doublings, base_filters)
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(smallest[0] * smallest[1] * base_filters, name="project")(latents)
    x = layers.Reshape(smallest, name="reshape")(x)
    labels = keras.Input((label_size,), name="labels") if label_size else None
    for _ in range(doublings):
        x = _generator_block(x, base_filters, labels)
    x = layers.Conv2D(channels, 3, padding="same", name="to_image")(_activated(x))
    images = layers.Activation("tanh", dtype="float32", name="images")(x)
    return keras.Model([latents, labels] if label_size else latents, images, name="generator")


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
    for stage in range(max(1, _halvings(image_shape) - 1)):
        x = _discriminator_block(x, base_filters, halve=True, first=stage == 0)
    for _ in range(2):
        x = _discriminator_block(x, base_filters)
    x = layers.ReLU()(x)
    places = x.shape[1] * x.shape[2]
    x = layers.GlobalAveragePooling2D(dtype="float32", name="mean")(x)
    x = layers.Rescaling(places, dtype="float32", name="sum")(x)  # the hinge loss's margin is meant for the sum
    logits = SpectralNormalization(layers.Dense(1, use_bias=False, dtype="float32", name="logits"))(x)
    if not label_size:
        return keras.Model(images, logits, name="discriminator")
    labels = keras.Input((label_size,), name="labels")
    embed = layers.Dense(base_filters, use_bias=False, dtype="float32", name="embed")
    product = layers.Dot(1, dtype="float32", name="projection")([SpectralNormalization(embed)(labels), x])
    logits = layers.Add(dtype="float32", name="logits_and_projection")([logits, product])
    return keras.Model([labels, images], logits, name="discriminator")
