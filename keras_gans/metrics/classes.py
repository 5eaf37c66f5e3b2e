"""The classes that a classifier predicts for images."""

import numpy as np
from keras import ops

from keras_gans.fields import check_images
from keras_gans.images import to_float

BATCH = 500  # images per batch; divides the protocols' 10 000 and 26 000


def predict_classes(classifier, images):
    """The class of each image: the index of its largest logit.

    Args:
        classifier: Keras model, images in [-1, 1] to logits (N, classes), such as `kg.zoo.load_classifier` returns; or
            a segmentation network, to logits (N, height, width, classes).
        images: (N, height, width, channels), uint8 or floats in [-1, 1]. Floats in [0, 1] would look grey and be
            misclassified.

    Returns:
        int64 (N,), or (N, height, width) of a segmentation network.

    Raises:
        DataError: images of another shape or range, or no images.

    Example:

    >>> classifier = kg.zoo.load_classifier("classifier_mnist")
    >>> kg.metrics.predict_classes(classifier, kg.load("dcgan_mnist").generate(3, seed=0)).shape
    (3,)
    """
    return _logits(classifier, images).argmax(axis=-1)


def predict_attributes(classifier, images):
    """The attributes of each image: those whose logit is above zero.

    Args:
        classifier: Keras model, images in [-1, 1] to logits (N, attributes), such as
            `kg.zoo.load_classifier("classifier_avatars")`; its card has the attributes' names.
        images: (N, height, width, channels), uint8 or floats in [-1, 1].

    Returns:
        bool (N, attributes).

    Raises:
        DataError: images of another shape or range, or no images.
    """
    return _logits(classifier, images) > 0.0


def right_answers(classifier, images, labels):
    """Which answers of a classifier are right.

    Args:
        classifier, images: see `predict_classes`.
        labels: classes (N,); yes/no attributes (N, K); or a class for each pixel, (N, height, width, 1).

    Returns:
        bool, of the labels' shape.

    Example:

    >>> digits, classes = kg.data.digits(4)
    >>> right_answers(kg.zoo.load_classifier("classifier_mnist"), digits, classes).shape
    (4,)
    """
    labels = np.asarray(labels)
    if labels.ndim == 2:
        return predict_attributes(classifier, images) == labels
    return predict_classes(classifier, images).reshape(labels.shape) == labels


def stacked_classes(classifier, images):
    """The class of each stacked digit: 100 a + 10 b + c for the digits a, b and c of its three channels.

    Args:
        classifier: of one digit, images (N, height, width, 1) in [-1, 1] to logits (N, 10).
        images: (N, height, width, 3), uint8 or floats in [-1, 1].

    Returns:
        int64 (N,) in 0..999.

    Raises:
        DataError: images of another shape or range, or no images.

    Example:

    >>> batch = kg.data.stacked_mnist(kg.data.digits(100), count=64, batch_size=2)[0]
    >>> kg.metrics.stacked_classes(kg.zoo.load_classifier("classifier_mnist"), batch["images"]).shape
    (2,)

    Reference: Srivastava et al., 2017, https://arxiv.org/abs/1705.07761
    """
    images = np.asarray(images)
    check_images(images, (*classifier.input_shape[1:3], 3))
    return sum(10 ** (2 - c) * predict_classes(classifier, images[..., c : c + 1]) for c in range(3))


def _logits(classifier, images):
    images = np.asarray(images)
    check_images(images, classifier.input_shape[1:])
    parts = [
        ops.convert_to_numpy(classifier.predict_on_batch(ops.convert_to_numpy(to_float(images[i : i + BATCH]))))
        for i in range(0, len(images), BATCH)
    ]
    return np.concatenate(parts)
