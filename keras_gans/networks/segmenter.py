"""A small segmentation network: the class of each pixel, by which images that were made of label maps are read back."""

import keras
from keras import layers

from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape


def build_segmenter(image_shape=(64, 64, 3), num_classes=8, *, base_filters=16):
    """3x3 convolutions with batch normalization at full, half and quarter size, and back with connections across.

    Args:
        image_shape: (height, width, channels), both sizes multiples of 4.
        num_classes: number of classes, 2 or more.
        base_filters: channels at full size; twice and four times as many at half and quarter size.

    Returns:
        A Keras model of Keras's own layers, images in [-1, 1] to logits (N, height, width, num_classes).

    Raises:
        ConfigurationError: sizes that cannot be halved twice, or fewer than two classes.

    Example:

    >>> build_segmenter((16, 16, 3), 5, base_filters=4).output_shape
    (None, 16, 16, 5)
    """
    check_image_shape(image_shape)
    if image_shape[0] % 4 or image_shape[1] % 4 or num_classes < 2:
        raise ConfigurationError(
            "Expected a height and a width that are multiples of 4, and at least two classes. "
            f"Received: image_shape={tuple(image_shape)}, num_classes={num_classes!r}."
        )

    def block(x, scale, strides=1):
        x = layers.Conv2D(scale * base_filters, 3, strides=strides, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))

    images = keras.Input(image_shape, name="images")
    full = block(images, 1)
    half = block(block(full, 2, strides=2), 2)
    x = block(block(block(half, 4, strides=2), 4), 4)
    for connected, scale in ((half, 2), (full, 1)):
        x = layers.Concatenate()([layers.UpSampling2D()(x), connected])
        x = block(x, scale)
    logits = layers.Conv2D(num_classes, 1, dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="segmenter")
