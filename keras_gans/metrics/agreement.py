"""How well the two images of a generated pair match, if it is known how one follows from the other."""

import numpy as np

from keras_gans.errors import ConfigurationError, DataError


def pixel_agreement(*, fake, change):
    """CoGAN's pixel agreement ratio: the share of pixels in which the second image is the changed first one.

    Both are rounded to black and white at half the brightness; level 128 is the first white one. The ratio is the mean
    over pixels and pairs. Compare it with the ratio of the same images paired at random: if most of a picture is black,
    that is high too, and blank pictures, whose edges are blank, agree fully.

    Args:
        fake: pairs (N, 2, height, width, channels), uint8; from the outputs of `kg.CoGAN.generate`,
            np.stack([made["first"], made["second"]], axis=1).
        change: how the second domain follows from the first, a function from uint8 images to the same number of images,
            such as `kg.data.edges`.

    Returns:
        A float from 0 to 1, 1 for pairs that agree in every pixel.

    Raises:
        DataError: anything but uint8 pairs.
        ConfigurationError: a change that is not a function, or one that does not return such images.

    Example:

    >>> images = kg.data.digits(8)[0]
    >>> pairs = np.stack([images, kg.data.negatives(images)], axis=1)
    >>> kg.metrics.pixel_agreement(fake=pairs, change=kg.data.negatives)
    1.0
    >>> kg.metrics.pixel_agreement(fake=pairs[:, ::-1] // 2, change=kg.data.negatives)     # all black, all white
    0.0

    Reference: Liu and Tuzel, 2016, section 4, https://arxiv.org/abs/1606.07536
    """
    fake = np.asarray(fake)
    if fake.ndim != 5 or fake.shape[1] != 2 or fake.size == 0 or fake.dtype != "uint8":
        raise DataError(
            f"Expected uint8 pairs (N, 2, height, width, channels). Received: {fake.dtype} {fake.shape}. Combine the "
            "images of both domains with np.stack([first, second], axis=1)."
        )
    if not callable(change):
        raise ConfigurationError(
            f"Expected change to be a function of images, such as kg.data.edges. Received: {change!r}."
        )
    wanted, second = np.asarray(change(fake[:, 0])), fake[:, 1]
    if wanted.shape != second.shape or wanted.dtype != "uint8":
        raise ConfigurationError(
            f"Expected a change that returns uint8 images {second.shape}. Received: {wanted.dtype} {wanted.shape}."
        )
    return float(((wanted > 127) == (second > 127)).mean())
