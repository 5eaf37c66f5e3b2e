"""Whether the two images of a generated pair show the same thing, where it is known how one is made of the other."""

import numpy as np

from keras_gans.errors import ConfigurationError, DataError


def pixel_agreement(*, fake, change):
    """CoGAN's pixel agreement ratio: how many pixels of the second image are those of the first, changed.

    Both are rounded to black and white at half the brightness, level 128 being the first white one; the ratio is the
    mean over pixels and pairs. Compare it with that of the same images paired at random: where most of a picture is
    black, that is high too, and blank pictures, whose edges are blank, agree fully.

    Args:
        fake: pairs (N, 2, height, width, channels), uint8, as `kg.CoGAN.generate` makes them.
        change: how the second domain is made of the first, a function from uint8 images to as many, such as
            `kg.data.edges`.

    Returns:
        A float from 0 to 1, 1 for pairs that agree in every pixel.

    Raises:
        DataError: anything else than uint8 pairs.
        ConfigurationError: a change that is no function, or one that returns anything else than such images.

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
            f"Expected uint8 pairs (N, 2, height, width, channels). Received: {fake.dtype} {fake.shape}. Put images of "
            "both domains together with np.stack([first, second], axis=1)."
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
