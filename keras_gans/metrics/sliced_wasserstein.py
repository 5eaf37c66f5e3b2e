"""The sliced Wasserstein distance between patches of images, on each level of their Laplacian pyramids.

It compares the textures of two sets of images at each scale without a feature network, so it works everywhere and for
any number of channels. The numbers depend on the number of images: compare with those of the same number of held-out
real images.
"""

from dataclasses import dataclass

import numpy as np

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics.levels import checked_pairs, grey_levels

BINOMIAL = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
SMALLEST = 16  # pixels of the coarsest level's smaller side
PATCH = 7  # pixels of a patch's side
BATCH = 250  # images per batch of pyramids
GROUP = 16  # directions per batch of projections
FLAT = 1e-4  # standard deviation in grey levels below which a channel is constant up to float32 rounding


@dataclass(frozen=True)
class SlicedWasserstein:
    """What `sliced_wasserstein_distance` returns.

    Args:
        sizes: (height, width) of each level in pixels, the finest first.
        distances: the distance of each level, times 1000 as in the paper, 0 or more.
        mean: mean of `distances`.
    """

    sizes: tuple
    distances: tuple
    mean: float


def sliced_wasserstein_distance(*, real, fake, patches=128, directions=512, seed=0):
    """How far the patches of generated images are from those of real ones, scale by scale.

    Each image becomes a Laplacian pyramid down to 16 pixels. Random patches of 7 x 7 pixels are taken from each level
    and normalised to mean 0 and standard deviation 1 in each channel over all patches of their set. The distance
    between two sets of patches is the mean |difference| of their sorted projections on a line, averaged over random
    directions.

    Each set is normalised separately, so a shift or a contrast that all images of a set share has no effect. A channel
    that is constant in a whole set, as in a collapse to one color, becomes 0.

    Published numbers use 16 384 images of each set in uint8, as `generate` returns them, and 4 repeats of 128
    directions; their mean is that of 512. The memory needed is one level's patches of both sets in float64: 8 x 49 x
    `patches` x channels bytes per image.

    Args:
        real, fake: the same number of images (N, height, width, channels), 16 pixels or more a side, uint8 or floats in
            [-1, 1].
        patches: number of patches per image and level, 1 or more.
        directions: number of directions, 1 or more.
        seed: whole number that determines the positions of the patches and the directions.

    Returns:
        A `SlicedWasserstein`.

    Raises:
        DataError: no images, or images of two shapes, of another range, or smaller than 16 pixels.
        ConfigurationError: no patches or no directions.

    Example:

    >>> images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 1)).astype("uint8")
    >>> found = kg.metrics.sliced_wasserstein_distance(real=images[:3], fake=images[3:])
    >>> found.sizes
    ((32, 32), (16, 16))

    Reference: Karras et al., 2018, "Progressive growing of GANs for improved quality, stability, and variation",
    https://arxiv.org/abs/1710.10196; code: https://github.com/tkarras/progressive_growing_of_gans
    (metrics/sliced_wasserstein.py)
    """
    real, fake = checked_pairs(real, fake)
    for name, value in (("patches", patches), ("directions", directions)):
        if not isinstance(value, int) or value < 1:
            raise ConfigurationError(f"Expected {name} as a whole number of 1 or more. Received: {value!r}.")
    sizes = _sizes(real.shape[1:3])
    rng = np.random.default_rng(seed)
    distances = []
    for level in range(len(sizes)):
        one, other = (_descriptors(images, level, sizes, patches, rng) for images in (real, fake))
        distances.append(1e3 * projected_distance(one, other, directions, rng))
    return SlicedWasserstein(sizes=sizes, distances=tuple(distances), mean=float(np.mean(distances)))


def pyramid_down(images):
    """Images of half the size: the 5 x 5 binomial filter with mirrored borders, then every second pixel.

    Args:
        images: floats (N, height, width, channels), 3 pixels or more a side.

    Returns:
        (N, height / 2, width / 2, channels), odd sizes rounded up.
    """
    return _blur(images)[:, ::2, ::2]


def pyramid_up(images, size):
    """Images of twice the size: zeros between the pixels, and 4 times the filter of `pyramid_down`.

    Args:
        images: floats (N, height, width, channels).
        size: (height, width) of the result; `pyramid_down` of it gives the images' size.

    Returns:
        (N, *size, channels).
    """
    spread = np.zeros((len(images), *size, images.shape[-1]))
    spread[:, ::2, ::2] = images
    return 4.0 * _blur(spread)


def laplacian_pyramid(images, levels):
    """What each scale adds to the next coarser one; the last level is what remains, a small blurred image.

    With L the levels, images = L[0] + up(L[1] + up(L[2] + ...)): see `pyramid_up`.

    Args:
        images: floats (N, height, width, channels).
        levels: number of levels, 1 or more.

    Returns:
        A list of arrays, the finest first, each half the size of the one before.
    """
    pyramid = []
    for _ in range(levels - 1):
        smaller = pyramid_down(images)
        pyramid.append(images - pyramid_up(smaller, images.shape[1:3]))
        images = smaller
    return [*pyramid, images]


def projected_distance(real, fake, directions, rng):
    """The mean |difference| of two sets' sorted projections, averaged over random directions.

    Args:
        real, fake: (N, numbers), with the same number of rows.
        directions: number of directions.
        rng: NumPy generator of the directions, uniform on the sphere.

    Returns:
        A float, 0 or more.
    """
    lines = rng.standard_normal((directions, real.shape[1]))
    lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    total = 0.0
    for i in range(0, directions, GROUP):
        one, other = (np.sort(lines[i : i + GROUP] @ points.T, axis=1) for points in (real, fake))
        total += np.abs(one - other).mean(axis=1).sum()
    return float(total / directions)


def _sizes(size):
    if min(size) < SMALLEST:
        raise DataError(
            f"Expected images of {SMALLEST} pixels or more a side. Received: {size[0]} x {size[1]}. Smaller images "
            "have too few places for patches of 7 x 7 pixels."
        )
    sizes = [tuple(size)]
    while min(following := tuple(-(-side // 2) for side in sizes[-1])) >= SMALLEST:
        sizes.append(following)
    return tuple(sizes)


def _descriptors(images, level, sizes, patches, rng):
    """Normalised patches of one level, (N * patches, channels * 49)."""
    count, channels = len(images), images.shape[-1]
    height, width = sizes[level]
    rows = rng.integers(height - PATCH + 1, size=(count, patches))
    columns = rng.integers(width - PATCH + 1, size=(count, patches))
    found = np.empty((count, patches, channels, PATCH, PATCH))
    for i in range(0, count, BATCH):
        part = laplacian_pyramid(grey_levels(images[i : i + BATCH]), len(sizes))[level]
        windows = np.lib.stride_tricks.sliding_window_view(part, (PATCH, PATCH), axis=(1, 2))
        found[i : i + BATCH] = windows[np.arange(len(part))[:, None], rows[i : i + BATCH], columns[i : i + BATCH]]
    found -= found.mean(axis=(0, 1, 3, 4), keepdims=True)
    std = found.std(axis=(0, 1, 3, 4), keepdims=True)
    found *= np.where(std > FLAT, 1.0 / np.maximum(std, FLAT), 0.0)
    return found.reshape(count * patches, -1)


def _blur(images):
    for axis in (1, 2):
        side = images.shape[axis]
        border = [(2, 2) if i == axis else (0, 0) for i in range(4)]
        padded = np.pad(images, border, mode="reflect")
        images = sum(weight * padded.take(range(k, k + side), axis) for k, weight in enumerate(BINOMIAL))
    return images
