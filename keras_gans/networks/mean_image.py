"""The end of generators that can begin at the mean image: a bias for each pixel, then a sigmoid."""

import numpy as np
from keras import layers

from keras_gans.errors import ConfigurationError
from keras_gans.layers import UntiedBias

PIXELS = "pixels"  # the layer that holds the biases


def biased_pixels(x):
    """Images in [-1, 1] of numbers for each pixel: 2 sigmoid(x + b) - 1, with a bias b for each pixel."""
    x = layers.Activation("sigmoid", dtype="float32", name="sigmoid")(UntiedBias(dtype="float32", name=PIXELS)(x))
    return layers.Rescaling(2.0, offset=-1.0, dtype="float32", name="images")(x)


def set_mean_image(generator, images):
    """Sets the biases of a generator's pixels to the log-odds of the mean image.

    Args:
        generator: one that ends in `biased_pixels`.
        images: uint8, or floats in [-1, 1], (N, height, width, channels).

    Raises:
        ConfigurationError: a generator without the layer "pixels".
    """
    names = [layer.name for layer in generator.layers]
    if PIXELS not in names:
        raise ConfigurationError(
            f"Expected a generator with a layer named {PIXELS!r}, of a bias for each pixel. Received the layers: "
            f"{', '.join(names)}. Leave the call out, or use build_generator."
        )
    images = np.asarray(images)
    mean = images.mean(axis=0, dtype="float64")
    mean = mean / 255 if images.dtype == "uint8" else mean / 2 + 0.5
    mean = mean.clip(1e-3, 1 - 1e-3)  # a pixel that is always black would never be anything else
    generator.get_layer(PIXELS).bias.assign(np.log(mean / (1 - mean)).astype("float32"))
