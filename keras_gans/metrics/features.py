"""Features for metrics: the outputs of a network, and the name that shows whether two numbers are comparable."""

import hashlib

import keras
import numpy as np
from keras import layers, ops
from PIL import Image

from keras_gans import engine
from keras_gans.errors import ConfigurationError, DataError, DatasetNotFoundError
from keras_gans.fields import check_images
from keras_gans.images import to_float

BATCH = 250  # images per batch


class FeatureExtractor:
    """Maps images to features and, if the network is a classifier, to the probabilities of classes.

    Images of another size than the network's are resized as in clean-fid: bicubic with antialiasing, each channel as
    float32, clipped to [0, 255], not rounded. Grey images become three equal channels if the network takes colours.

    Args:
        network: built Keras model, images (N, height, width, channels) in [-1, 1] to features (N, d), or to
            [features, probabilities (N, classes)].
        name: what a protocol calls it.
        inception: whether it is the Inception network, whose features define FID, KID and the Inception Score: only
            with them `Evaluator` takes the names "fid", "fid_infinity", "kid" and "is".

    Attributes:
        name, inception: as given.
        image_shape, size: (height, width, channels) of the network; d.
        classes: number of classes, or None.
        sha256: digest of the network's layers and weights, hexadecimal.

    Raises:
        ConfigurationError: a network with other inputs or outputs.

    Example:

    >>> features = kg.metrics.pixels((8, 8, 1))
    >>> features(np.zeros((5, 8, 8, 1), "uint8")).shape
    (5, 64)

    Reference: Parmar, Zhang and Zhu, 2022, "On aliased resizing and surprising subtleties in GAN evaluation",
    https://arxiv.org/abs/2104.11222
    """

    def __init__(self, network, name, *, inception=False):
        if not (isinstance(network, keras.Model) and network.built and hasattr(network, "outputs")):
            raise ConfigurationError(f"Expected network to be a built, functional Keras model. Received: {network!r}.")
        outputs = [tuple(tensor.shape) for tensor in network.outputs]
        if len(network.inputs) != 1 or not 1 <= len(outputs) <= 2 or any(len(shape) != 2 for shape in outputs):
            raise ConfigurationError(
                "Expected a network from images to features (N, d), or to [features, probabilities (N, classes)]. "
                f"Received: {len(network.inputs)} inputs and outputs of shapes {outputs}."
            )
        self.network, self.name, self.inception = network, name, inception
        self.image_shape = tuple(network.inputs[0].shape[1:])
        if len(self.image_shape) != 3 or None in self.image_shape:
            raise ConfigurationError(
                f"Expected a network for images of one shape (height, width, channels). Received: {self.image_shape}."
            )
        self.size, self.classes = outputs[0][1], outputs[1][1] if len(outputs) == 2 else None
        self.sha256 = _digest(network)
        # Not `predict`, which gives each row once for every replica of the strategy that a network was made under.
        self._apply = engine.function(self._named_outputs)

    def __str__(self):
        return f"{self.name} ({self.size} features, sha256 {self.sha256[:12]})"

    def __call__(self, images):
        """The features of images.

        Args:
            images: (N, h, w, channels), uint8 or floats in [-1, 1].

        Returns:
            float32 (N, size).

        Raises:
            DataError: no images, or images of another range or with channels that the network does not take.
        """
        return self.extract(images)[0]

    def extract(self, images):
        """The features and the probabilities of images.

        Args:
            images: see `__call__`.

        Returns:
            float32 (N, size), and float32 (N, classes) or None.

        Raises:
            DataError: see `__call__`.
        """
        images = np.asarray(images)
        check_images(images, images.shape[1:] if images.ndim == 4 else self.image_shape)
        channels = self.image_shape[2]
        if images.shape[3] not in (1, channels):
            raise DataError(
                f"Expected images of {channels} channels, or of one, for {self.name}. Received: {images.shape}."
            )
        parts = [self._outputs(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
        features, *probabilities = (np.concatenate(part) for part in zip(*parts))
        return features, probabilities[0] if probabilities else None

    def resizing(self, image_shape):
        """How images of a shape are resized for the network, for the protocol: "none" or "bicubic to HxW"."""
        height, width = self.image_shape[:2]
        return "none" if image_shape[:2] == (height, width) else f"bicubic to {height}x{width}"

    def _outputs(self, images):
        images = resized(images, self.image_shape[:2])
        if images.shape[3] != self.image_shape[2]:
            images = np.repeat(images, self.image_shape[2], axis=3)
        return list(self._apply({"images": ops.convert_to_numpy(to_float(images))}).values())

    def _named_outputs(self, inputs):
        outputs = self.network(inputs["images"], training=False)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        return dict(zip(("features", "probabilities"), outputs))


def resized(images, size):
    """Resizes images: bicubic with antialiasing, each channel as float32, clipped, not rounded.

    Args:
        images: (N, h, w, channels), uint8 or floats in [-1, 1].
        size: (height, width).

    Returns:
        float32 (N, height, width, channels) in [-1, 1]; images that already have the size are returned unchanged.

    Example:

    >>> resized(np.full((1, 8, 8, 3), 255, "uint8"), (16, 16)).max()
    np.float32(1.0)
    """
    if images.shape[1:3] == tuple(size):
        return images
    floats = ops.convert_to_numpy(to_float(images))
    made = np.empty((len(floats), *size, floats.shape[3]), "float32")
    for i, image in enumerate(floats):
        for c in range(floats.shape[3]):
            channel = Image.fromarray(np.ascontiguousarray(image[..., c]))  # mode "F"
            made[i, ..., c] = channel.resize(size[::-1], Image.Resampling.BICUBIC)
    return made.clip(-1.0, 1.0)


def pixels(image_shape):
    """The pixels themselves as features: independent of any network, but blind to what an image shows.

    Args:
        image_shape: (height, width, channels).

    Returns:
        A `FeatureExtractor`.

    Example:

    >>> kg.metrics.pixels((28, 28, 1)).size
    784
    """
    return FeatureExtractor(keras.Sequential([keras.Input(image_shape), layers.Flatten()]), "pixels")


def classifier_features(classifier, name, classes=True):
    """The last features of a classifier, and its probabilities.

    Args:
        classifier: Keras model, images in [-1, 1] to logits, with a layer "features": see `kg.zoo.load_classifier`.
        name: what a protocol calls it, such as the preset's name.
        classes: whether each image has exactly one class; False if the logits are attributes, of which an image may
            have several: then there are no probabilities of classes.

    Returns:
        A `FeatureExtractor`.

    Raises:
        ConfigurationError: no layer "features".

    Example:

    >>> features = kg.metrics.classifier_features(kg.zoo.load_classifier("classifier_mnist"), "classifier_mnist")
    >>> features.size, features.classes
    (64, 10)
    """
    found = [layer for layer in classifier.layers if layer.name == "features"]
    if not found:
        raise ConfigurationError(
            'Expected a classifier with a layer named "features". Received the layers: '
            f"{', '.join(layer.name for layer in classifier.layers)}."
        )
    outputs = [found[0].output]
    if classes:
        outputs.append(layers.Softmax(name="probabilities", dtype="float32")(classifier.outputs[0]))
    return FeatureExtractor(keras.Model(classifier.inputs[0], outputs), name)


def inception_v3(weights="imagenet"):
    """Keras's InceptionV3: 2048 features at 299x299 and 1000 classes.

    These are not the weights of the 2015 graph that published FIDs use: compare its numbers with each other, not with
    those of a paper.

    Args:
        weights: as in `keras.applications.InceptionV3`: "imagenet", which downloads 92 MB on first use, a file, or None
            for random weights.

    Returns:
        A `FeatureExtractor`.

    Raises:
        DatasetNotFoundError: weights that cannot be downloaded.

    Reference: https://keras.io/api/applications/inceptionv3/
    """
    try:
        network = keras.applications.InceptionV3(weights=weights, input_shape=(299, 299, 3))  # takes [-1, 1] too
    except Exception as error:  # Keras raises a plain Exception if the download fails
        if "URL fetch failure" not in str(error):
            raise
        raise DatasetNotFoundError(
            f"Expected the weights of InceptionV3, which Keras downloads once. Received: {error}. Put the file into "
            "~/.keras/models, or use the features of a classifier of the zoo."
        ) from error
    features = network.get_layer("avg_pool").output
    return FeatureExtractor(
        keras.Model(network.inputs[0], [features, network.outputs[0]]), "keras_inception_v3", inception=True
    )


def _digest(network):
    """SHA-256 of the shapes, the kinds of layers in order, and the weights: the same in every process and backend."""
    digest = hashlib.sha256()
    digest.update(repr([tuple(tensor.shape[1:]) for tensor in (*network.inputs, *network.outputs)]).encode())
    digest.update(" ".join(type(layer).__name__ for layer in network.layers).encode())
    for weight in network.weights:
        digest.update(np.ascontiguousarray(ops.convert_to_numpy(weight)).tobytes())
    return digest.hexdigest()
