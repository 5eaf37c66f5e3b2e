"""The PatchGAN discriminator: a logit for each patch of an image."""

import keras
from keras import initializers, layers

from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape
from keras_gans.layers import InstanceNormalization
from keras_gans_core.checks import is_whole


def layers_for(image_shape):
    """How many layers of stride 2 the discriminator of a size has by default: 3 from 64x64 on, fewer below.

    >>> [layers_for((side, side, 3)) for side in (16, 32, 64, 256)]
    [1, 2, 3, 3]
    """
    return min(max(min(image_shape[:2]).bit_length() - 4, 1), 3)


def receptive_field(num_layers):
    """The side of the patch that one logit sees.

    >>> [receptive_field(n) for n in range(6)]
    [1, 16, 34, 70, 142, 286]
    """
    side = 1
    for stride in [] if num_layers == 0 else [1, 1, *[2] * num_layers]:
        side = (side - 1) * stride + 4
    return side


def map_side(side, num_layers):
    """How many logits there are along a side of an image; below 1 where the image is too small.

    >>> [map_side(side, 3) for side in (256, 128, 64)]
    [30, 14, 6]
    """
    for _ in range(num_layers):
        side = (side - 2) // 2 + 1
    return side if num_layers == 0 else side - 2


def build_patch_discriminator(image_shape, source_shape=None, *, filters=64, num_layers=None, affine=False):
    """Convolutions 4x4 with a border of one zero pixel: C64 - C128 - C256 - C512 - C1, as the papers write it.

    `num_layers` of them have stride 2; two follow with stride 1. Channels double up to 8 times `filters`. Leaky ReLU of
    0.2 follows each but the last, instance normalization each but the first and the last.

    Args:
        image_shape: (height, width, channels) of the images that are judged.
        source_shape: of the images that they were made from and that are judged with them; None for none.
        filters: channels of the first convolution.
        num_layers: of stride 2. 0 is the PixelGAN, three convolutions 1x1; None for `layers_for(image_shape)`.
        affine: whether instance normalization learns gamma and beta. The convolutions before it have no bias, which it
            would take away.

    Returns:
        A Keras model, images, or [sources, images], to logits (N, h, w, 1).

    Raises:
        ConfigurationError: images too small for so many layers, or sources of another size.

    Example:

    >>> build_patch_discriminator((64, 64, 3), filters=4).output_shape
    (None, 6, 6, 1)
    """
    check_image_shape(image_shape)
    num_layers = layers_for(image_shape) if num_layers is None else num_layers
    if not is_whole(num_layers, 0):
        raise ConfigurationError(f"Expected 0 layers of stride 2 or more. Received: {num_layers!r}.")
    if min(map_side(side, num_layers) for side in image_shape[:2]) < 1:
        least = next(side for side in range(2 ** (num_layers + 4)) if map_side(side, num_layers) >= 1)
        raise ConfigurationError(
            f"Expected images of {least}x{least} or more for {num_layers} layers of stride 2. Received: "
            f"image_shape={tuple(image_shape)}. Resize the images, or use fewer layers."
        )
    images = keras.Input(image_shape, name="images")
    inputs, x = images, images
    if source_shape is not None:
        if tuple(source_shape[:2]) != tuple(image_shape[:2]):
            raise ConfigurationError(
                f"Expected sources as large as the images, {tuple(image_shape[:2])}. Received: {tuple(source_shape)}."
            )
        sources = keras.Input(source_shape, name="sources")
        inputs, x = [sources, images], layers.Concatenate(name="both")([sources, images])
    return keras.Model(inputs, patch_maps(x, filters, num_layers, affine)[-1], name="discriminator")


def patch_maps(x, filters, num_layers, affine=False, border=1, prefix=""):
    """The layers of `build_patch_discriminator`.

    Args:
        x: symbolic maps (N, height, width, channels).
        filters, num_layers, affine: see there.
        border: zero pixels around the maps before each convolution.
        prefix: of the layers' names.

    Returns:
        A list of symbolic maps: after each activation, then the logits.

    Example:

    >>> [x.shape[1] for x in patch_maps(keras.Input((32, 32, 3)), 2, num_layers=2, border=2)]
    [17, 9, 10, 11]
    """
    pixels = num_layers == 0
    strides = [1, 1, 1] if pixels else [2] * num_layers + [1, 1]
    maps = []
    for i, stride in enumerate(strides):
        first, last = i == 0, i == len(strides) - 1
        if not pixels:
            x = layers.ZeroPadding2D(border, name=f"{prefix}border{i}")(x)
        x = layers.Conv2D(
            1 if last else filters * min(2**i, 8),
            1 if pixels else 4,
            stride,
            use_bias=first or last,
            kernel_initializer=initializers.RandomNormal(0.0, 0.02),
            dtype="float32" if last else None,
            name=f"{prefix}logits" if last else f"{prefix}conv{i}",
        )(x)
        if not first and not last:
            gamma = initializers.RandomNormal(1.0, 0.02)
            x = InstanceNormalization(affine, gamma_initializer=gamma, name=f"{prefix}norm{i}")(x)
        if not last:
            x = layers.LeakyReLU(0.2, name=f"{prefix}act{i}")(x)
        maps.append(x)
    return maps
