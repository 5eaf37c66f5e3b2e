"""How similar two images are, pixel by pixel (PSNR) and in structure (SSIM), and how similar a model's samples are.

A pair is one real and one generated image at the same index of their arrays, as for reconstructions and translations.
For samples without a counterpart, `ms_ssim_diversity` compares pairs of samples.
"""

import numpy as np

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics.levels import checked_images, checked_pairs, grey_levels

PEAK = 255.0
WINDOW = np.exp(-(np.arange(-5.0, 6.0) ** 2) / (2.0 * 1.5**2))  # 11 pixels, standard deviation 1.5
WINDOW /= WINDOW.sum()
C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])  # of the scales, the finest first
BATCH = 64  # pairs per batch


def psnr(*, real, fake):
    """The peak signal-to-noise ratio of each pair: 10 log10(255^2 / mean squared difference of grey levels), in dB.

    Args:
        real, fake: pairs of images, (N, height, width, channels), uint8 or floats in [-1, 1].

    Returns:
        float64 (N,); infinite if the two images are equal.

    Raises:
        DataError: no images, or images of two shapes or of another range.

    Example:

    >>> black = np.zeros((1, 4, 4, 1), "uint8")
    >>> round(float(kg.metrics.psnr(real=black, fake=black + 5)[0]), 4)     # 20 log10(255 / 5)
    34.1514
    """
    return _of_pairs(_psnr, *checked_pairs(real, fake))


def ssim(*, real, fake):
    """The structural similarity of each pair, 1 for equal images and near 0 for unrelated ones.

    In a window around each pixel, with means m, variances v and covariance c of the two images' grey levels,
    SSIM = (2 m1 m2 + C1) (2 c + C2) / ((m1^2 + m2^2 + C1) (v1 + v2 + C2)), C1 = (0.01 255)^2, C2 = (0.03 255)^2.
    The windows are Gaussian, 11 x 11 pixels, of standard deviation 1.5, at all positions where they fit in the image.
    The result is the mean over these positions and over the channels.

    Args:
        real, fake: pairs of images, (N, height, width, channels) of 11 pixels or more a side, uint8 or floats in
            [-1, 1].

    Returns:
        float64 (N,) in [-1, 1].

    Raises:
        DataError: no images, or images of two shapes, of another range, or smaller than the window.

    Example:

    >>> grey = np.full((1, 16, 16, 3), 100, "uint8")
    >>> kg.metrics.ssim(real=grey, fake=grey).tolist()
    [1.0]
    >>> kg.metrics.ssim(real=grey, fake=2 * grey).round(4).tolist()         # (40000 + C1) / (50000 + C1)
    [0.8]

    Reference: Wang et al., 2004, "Image quality assessment: from error visibility to structural similarity",
    https://doi.org/10.1109/TIP.2003.819861
    """
    real, fake = checked_pairs(real, fake)
    _scales(real)
    return _of_pairs(_ssim, real, fake)


def ms_ssim(*, real, fake):
    """The structural similarity of each pair over several scales, 1 for equal images and near 0 for unrelated ones.

    Between scales 2 x 2 pixels are averaged. The result is the product of the contrast and structure terms
    (2 c + C2) / (v1 + v2 + C2) of all scales but the coarsest, and of the SSIM of the coarsest, each a mean over
    windows and channels (see `ssim`), 0 where it is negative, to the power of the scale's weight: 0.0448, 0.2856,
    0.3001, 0.2363, 0.1333.

    Images whose smaller side has 176 pixels have five scales; with 88 there are four, with 44 three, with 22 two and
    with 11 one. The weights of these scales are divided by their sum. (ProGAN's published code shrinks the window
    instead, so its numbers differ below 176 pixels.) Compare only numbers of one image size.

    Args:
        real, fake: pairs of images, (N, height, width, channels) of 11 pixels or more a side, uint8 or floats in
            [-1, 1].

    Returns:
        float64 (N,) in [0, 1].

    Raises:
        DataError: no images, or images of two shapes, of another range, or smaller than the window.

    Example:

    >>> images = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1)).astype("uint8")
    >>> kg.metrics.ms_ssim(real=images, fake=images).tolist()
    [1.0, 1.0]

    Reference: Wang, Simoncelli and Bovik, 2003, "Multiscale structural similarity for image quality assessment",
    https://doi.org/10.1109/ACSSC.2003.1292216
    """
    real, fake = checked_pairs(real, fake)
    weights = WEIGHTS[: _scales(real)]
    weights = weights / weights.sum()
    return _of_pairs(lambda *pair: _ms_ssim(*pair, weights), real, fake)


def ms_ssim_diversity(*, fake, pairs=10_000, seed=0):
    """The mean MS-SSIM of random pairs of different samples; higher is less diverse.

    Compare the number with that of the same number of real images: above it, the samples are more alike than the data,
    as when a generator collapses. It is meant for samples of one class.

    Args:
        fake: samples (N, height, width, channels), two or more of 11 pixels or more a side, uint8 or floats in [-1, 1].
        pairs: number of pairs, 1 or more; a pair may be drawn more than once.
        seed: whole number that determines the pairs.

    Returns:
        A float in [0, 1].

    Raises:
        DataError: fewer than two images, or images that `ms_ssim` refuses.
        ConfigurationError: no pairs.

    Example:

    >>> one = np.random.default_rng(0).integers(0, 256, (1, 28, 28, 1)).astype("uint8")
    >>> kg.metrics.ms_ssim_diversity(fake=np.repeat(one, 5, axis=0), pairs=10)
    1.0

    Reference: Odena et al., 2017 (AC-GAN), https://arxiv.org/abs/1610.09585; Karras et al., 2018,
    https://arxiv.org/abs/1710.10196
    """
    fake = checked_images(fake)
    if len(fake) < 2:
        raise DataError("Expected at least two images, to compare with each other. Received: one. Generate more.")
    if not isinstance(pairs, int) or pairs < 1:
        raise ConfigurationError(f"Expected pairs as a whole number of 1 or more. Received: {pairs!r}.")
    rng = np.random.default_rng(seed)
    first = rng.integers(len(fake), size=pairs)
    second = (first + rng.integers(1, len(fake), size=pairs)) % len(fake)  # any other
    return float(ms_ssim(real=fake[first], fake=fake[second]).mean())


def _of_pairs(measure, real, fake):
    parts = [
        measure(grey_levels(real[i : i + BATCH]), grey_levels(fake[i : i + BATCH])) for i in range(0, len(real), BATCH)
    ]
    return np.concatenate(parts)


def _scales(images):
    """The number of scales at which a window fits."""
    side = min(images.shape[1:3])
    if side < len(WINDOW):
        raise DataError(
            f"Expected images of {len(WINDOW)} pixels or more a side, like the window. Received: {images.shape[1:3]}. "
            "Use psnr, or enlarge the images."
        )
    return sum(side // 2**scale >= len(WINDOW) for scale in range(len(WEIGHTS)))


def _psnr(real, fake):
    with np.errstate(divide="ignore"):  # equal images
        return 10.0 * np.log10(PEAK**2 / np.mean((real - fake) ** 2, axis=(1, 2, 3)))


def _ssim(real, fake):
    luminance, structure = _terms(real, fake)
    return np.mean(luminance * structure, axis=(1, 2, 3))


def _ms_ssim(real, fake, weights):
    product = 1.0
    for weight in weights[:-1]:
        structure = np.mean(_terms(real, fake)[1], axis=(1, 2, 3))
        product = product * np.maximum(structure, 0.0) ** weight
        real, fake = _halve(real), _halve(fake)
    return product * np.maximum(_ssim(real, fake), 0.0) ** weights[-1]


def _terms(real, fake):
    """SSIM's two factors at each position of the window: luminance, and contrast and structure."""
    mean1, mean2 = _window(real), _window(fake)
    variances = (_window(real**2) - mean1**2) + (_window(fake**2) - mean2**2)
    covariance = _window(real * fake) - mean1 * mean2
    luminance = (2.0 * mean1 * mean2 + C1) / (mean1**2 + mean2**2 + C1)
    return luminance, (2.0 * covariance + C2) / (variances + C2)


def _window(images):
    """The Gaussian mean around each position where the window fits."""
    height, width = (side - len(WINDOW) + 1 for side in images.shape[1:3])
    images = sum(weight * images[:, k : k + height] for k, weight in enumerate(WINDOW))
    return sum(weight * images[:, :, k : k + width] for k, weight in enumerate(WINDOW))


def _halve(images):
    """The means of 2 x 2 pixels; an odd side's last pixel counts twice, as in the published code."""
    count, height, width, channels = images.shape
    images = np.pad(images, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return images.reshape(count, -(-height // 2), 2, -(-width // 2), 2, channels).mean(axis=(2, 4))
