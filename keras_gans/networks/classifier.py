"""A small image classifier that counts the classes of generated digits and gives features to compare them with.

It does not follow a paper. The classifiers of the mode-collapse protocols (specified as two 3x3 convolutions of 32 and
64 filters, a dense layer of 128 and dropout; 99.25 % on MNIST) have 1.2 million parameters; this one has a tenth of
that.
"""

import keras
from keras import layers

from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape


def build_classifier(image_shape=(28, 28, 1), num_classes=10, *, base_filters=16):
    """Four 3x3 convolutions with batch normalization that halve the map twice, then two dense layers.

    The first dense layer, with 4 `base_filters` ReLU units, is named "features"; dropout follows it.

    Args:
        image_shape: (height, width, channels), both sizes 4 or more.
        num_classes: number of classes, 2 or more.
        base_filters: channels of the first map.

    Returns:
        A Keras model of Keras's own layers, images in [-1, 1] to logits (N, num_classes).

    Raises:
        ConfigurationError: images too small to halve twice, or fewer than two classes.

    Example:

    >>> build_classifier((28, 28, 1)).get_layer("features").output.shape
    (None, 64)
    """
    check_image_shape(image_shape)
    if min(image_shape[:2]) < 4 or num_classes < 2:
        raise ConfigurationError(
            "Expected images of 4x4 or more and at least two classes. "
            f"Received: image_shape={tuple(image_shape)}, num_classes={num_classes!r}."
        )
    images = x = keras.Input(image_shape, name="images")
    for filters, strides in ((1, 1), (2, 2), (2, 1), (2, 2)):
        x = layers.Conv2D(filters * base_filters, 3, strides=strides, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))
    features = layers.Dense(4 * base_filters, activation="relu", dtype="float32", name="features")
    x = layers.Dropout(0.5)(features(layers.Flatten()(x)))
    return keras.Model(images, layers.Dense(num_classes, dtype="float32", name="logits")(x), name="classifier")
