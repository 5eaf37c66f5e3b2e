"""Stacked digits: three grey images as the channels of one, to count a thousand modes."""

import numpy as np

from keras_gans.data.batches import Batches, StackedImages
from keras_gans.data.loading import load
from keras_gans.errors import ConfigurationError, DataError


def stacked_mnist(digits=None, *, count=128_000, batch_size=64, seed=0, download=False):
    """Images of three digits each, chosen independently for red, green and blue: 1000 classes.

    The protocol of VEEGAN and PacGAN: 128 000 images from the 70 000 digits of both splits, drawn once and then fixed.
    The evaluation uses 26 000 generated images; see `kg.metrics.stacked_classes` and `kg.metrics.class_coverage`.

    Args:
        digits: (images, labels) of any digits, images (M, height, width, 1) and labels in 0..9, such as
            `kg.data.digits(4096)`; None for MNIST, which TFDS has or downloads.
        count: number of images, 1 or more.
        batch_size: see `Batches`.
        seed: whole number, 0 or more; determines which digits are drawn and the order of the batches.
        download: whether TFDS may download MNIST if it is not prepared.

    Returns:
        `Batches` of images (N, height, width, 3) and labels 100 a + 10 b + c for the digits a, b, c of the channels. An
        image is assembled when its batch is requested; only the digits are kept in memory.

    Raises:
        DatasetNotFoundError: MNIST was not found.
        DataError: digits of another shape, or labels that are not 0..9, one per digit.
        ConfigurationError: a count below 1 or a seed below 0.

    Example:

    >>> batches = stacked_mnist(kg.data.digits(100), count=512)
    >>> len(batches), batches.image_shape, batches[0]["images"].dtype.name
    (8, (28, 28, 3), 'uint8')

    Reference: Srivastava et al., 2017, https://arxiv.org/abs/1705.07761, after Metz et al., 2016,
    https://arxiv.org/abs/1611.02163; the counts from PacGAN's code, https://github.com/fjxmlzn/PacGAN
    """
    if digits is None:
        mnist = load("mnist", split="train+test", download=download)
        images, labels, about = mnist.images, mnist.labels, mnist.about
    else:
        images, labels = (np.asarray(array) for array in digits)
        about = {"source": "array"}
    if (
        images.ndim != 4
        or images.shape[-1] != 1
        or labels.shape != (len(images),)
        or not np.isin(labels, range(10)).all()
    ):
        raise DataError(
            "Expected digits (M, height, width, 1) and a label in 0..9 for each. "
            f"Received: images {images.shape} and labels {labels.shape}."
        )
    if count < 1 or seed < 0:
        raise ConfigurationError(
            f"Expected a count of 1 or more and a seed of 0 or more. Received: {count!r}, {seed!r}."
        )
    drawn = np.random.Generator(np.random.PCG64(seed)).integers(len(images), size=(count, 3))
    stacked = StackedImages(images, drawn)
    about = {
        **{name: about[name] for name in ("version", "source", "license", "citation") if name in about},
        "name": "stacked_mnist" if digits is None else "stacked digits",
        "examples": count,
        "image_shape": list(stacked.shape[1:]),
    }
    return Batches(stacked, labels[drawn] @ [100, 10, 1], batch_size=batch_size, seed=seed, about=about)
