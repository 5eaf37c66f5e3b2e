"""How near predicted frames of a clip are to the true ones, where something moves.

Copying the last frame is right wherever nothing moves, so that numbers over whole frames say little.
"""

import numpy as np

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics.levels import checked_pairs, grey_levels
from keras_gans.metrics.similarity import PEAK, ssim
from keras_gans_core.checks import is_number


def moving_pixels(frames, before, threshold=0.05):
    """Which pixels of frames move: those that differ from the frame before, and their neighbours.

    Args:
        frames, before: (N, height, width, channels), uint8 or floats in [-1, 1].
        threshold: by how much a channel must differ, in units of [-1, 1], 0 or more.

    Returns:
        bool (N, height, width): where one of the 3 x 3 pixels around differs by more.

    Raises:
        DataError: no frames, or frames of two shapes or of another range.
        ConfigurationError: a threshold below 0.

    Example:

    >>> before = np.zeros((1, 5, 5, 1), "uint8")
    >>> after = before.copy()
    >>> after[0, 0, 1] = 255
    >>> moving_pixels(after, before).astype(int)[0].tolist()
    [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    """
    if not is_number(threshold, 0.0):
        raise ConfigurationError(f"Expected a threshold of 0 or more. Received: {threshold!r}.")
    frames, before = checked_pairs(frames, before)
    differs = (np.abs(grey_levels(frames) - grey_levels(before)) > 127.5 * threshold).any(axis=3)
    height, width = differs.shape[1:]
    padded = np.pad(differs, ((0, 0), (1, 1), (1, 1)))
    return np.any([padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)], axis=0)


def moving_psnr(*, real, fake, moving):
    """The peak signal-to-noise ratio of each pair of frames over moving pixels alone, in dB.

    10 log10(255^2 / mean squared difference of grey levels). The paper's code makes still pixels equal and keeps them
    in the mean, which gives higher numbers, the more pixels are still.

    Args:
        real, fake: pairs of frames, (N, height, width, channels), uint8 or floats in [-1, 1].
        moving: bool (N, height, width), such as `moving_pixels` returns.

    Returns:
        float64 (N,); infinite if all moving pixels are equal, NaN if none moves.

    Raises:
        DataError: no frames, frames of two shapes or of another range, or other pixels.

    Example:

    >>> black = np.zeros((1, 4, 4, 1), "uint8")
    >>> round(float(moving_psnr(real=black, fake=black + 5, moving=np.ones((1, 4, 4), bool))[0]), 4)
    34.1514
    """
    real, fake, moving = _checked(real, fake, moving)
    errors = np.square(grey_levels(real) - grey_levels(fake)).mean(axis=3)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 10.0 * np.log10(PEAK**2 / _mean(errors, moving))


def moving_ssim(*, real, fake, moving):
    """The structural similarity of each pair of frames whose still pixels are made black in both; see `ssim`.

    Args:
        real, fake, moving: see `moving_psnr`.

    Returns:
        float64 (N,); 1 if none moves.

    Raises:
        DataError: see `moving_psnr`; or frames smaller than the window of `ssim`.
    """
    real, fake, moving = _checked(real, fake, moving)
    shown = (np.where(moving[..., None], grey_levels(images), 0.0) / 127.5 - 1.0 for images in (real, fake))
    return ssim(**dict(zip(("real", "fake"), shown)))


def sharpness_difference(*, real, fake, moving=None):
    """How near the sharpness of each pair of frames is, in dB: higher is nearer.

    10 log10(1 / mean( | |dx fake| - |dx real| | + | |dy fake| - |dy real| | )) of pixels in [0, 1], where dx and dy
    are the differences from the left and the upper neighbour, over pixels that have both. The paper's code has
    255^2 / (128^2 mean) of pixels in [-1, 1], which is 2.98 dB more.

    Args:
        real, fake: see `moving_psnr`.
        moving: which pixels count; None for all.

    Returns:
        float64 (N,); infinite if the differences are the same, NaN if no such pixel moves.

    Raises:
        DataError: see `moving_psnr`; or frames of one row or column.

    Example:

    >>> stripes = np.tile(np.array([0, 255], "uint8"), 4).reshape(1, 1, 8, 1).repeat(8, axis=1)
    >>> sharpness_difference(real=stripes, fake=255 - stripes).tolist()      # as sharp, though all is wrong
    [inf]
    >>> sharpness_difference(real=stripes, fake=0 * stripes).tolist()        # 10 log10(1 / 1)
    [0.0]

    Reference: Mathieu et al., 2016, section 3.2, https://arxiv.org/abs/1511.05440
    """
    everywhere = np.ones(np.shape(real)[:3], bool) if moving is None else moving
    real, fake, moving = _checked(real, fake, everywhere)
    if min(real.shape[1:3]) < 2:
        raise DataError(f"Expected frames of 2 pixels a side or more. Received: {real.shape[1:3]}.")
    real, fake = grey_levels(real), grey_levels(fake)
    gaps = 0.0
    for axis in (1, 2):
        steps = [np.abs(np.diff(images, axis=axis)) for images in (fake, real)]
        gap = np.abs(steps[0] - steps[1]).mean(axis=3)
        gaps = gaps + (gap[:, :, 1:] if axis == 1 else gap[:, 1:])
    with np.errstate(divide="ignore", invalid="ignore"):
        return 10.0 * np.log10(PEAK / _mean(gaps, moving[:, 1:, 1:]))


def _checked(real, fake, moving):
    real, fake = checked_pairs(real, fake)
    moving = np.asarray(moving)
    if moving.dtype != bool or moving.shape != real.shape[:3]:
        raise DataError(
            f"Expected moving pixels as bool {real.shape[:3]}. Received: {moving.dtype} {moving.shape}. "
            "kg.metrics.moving_pixels finds them."
        )
    return real, fake, moving


def _mean(values, chosen):
    """The mean of each example's chosen values."""
    return np.where(chosen, values, 0.0).sum(axis=(1, 2)) / chosen.sum(axis=(1, 2))
