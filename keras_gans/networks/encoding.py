"""What a model's encoders make of images."""

import numpy as np
from keras import ops

from keras_gans import engine
from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_images
from keras_gans.images import to_float

BATCH = 256  # images encoded at once


def encode_images(model, name, images):
    """What one of a model's networks, which encodes images, makes of given ones, with its averages if it has any.

    Args:
        model: an `AdversarialModel` of images.
        name: the attribute that holds the network.
        images: uint8, or floats in [-1, 1], (N, height, width, channels).

    Returns:
        float32, as the network gives it.

    Raises:
        ConfigurationError: a model without this network.
        DataError: images that do not fit the model.

    Example:

    >>> gan = kg.BiGAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> encode_images(gan, "encoder", np.zeros((2, 8, 8, 1), "uint8")).shape
    (2, 4)
    """
    network = getattr(model, name)
    if network is None:
        raise ConfigurationError(
            f"Expected a model with {name}, to encode images. Received: one without. Build {type(model).__name__} "
            f"with a {name}, or load a model that has kept it."
        )
    images = np.asarray(images)
    check_images(images, model.image_shape)

    def encode(inputs):
        with model.averages_in_use():
            return {"codes": network(inputs["images"], training=False)}

    encode, floats = engine.function(encode), ops.convert_to_numpy(to_float(images))
    parts = [encode({"images": floats[i : i + BATCH]})["codes"] for i in range(0, len(floats), BATCH)]
    return np.concatenate(parts).astype("float32")
