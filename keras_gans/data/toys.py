"""Two-dimensional mixtures of Gaussians for measuring mode collapse.

The defaults are those of PacGAN's published code (Lin et al., 2018, https://arxiv.org/abs/1712.04086): eight modes on a
circle of radius 1 with standard deviation 0.01, and 25 modes on a 5 x 5 grid with coordinates -4, -2, 0, 2, 4 and
standard deviation 0.05; 100 000 training points, 2500 for the evaluation.
"""

import numpy as np

from keras_gans.data.batches import Batches
from keras_gans.errors import ConfigurationError, DataError


def ring_centers(modes=8, radius=1.0):
    """The modes of `ring`, float64 (modes, 2), counter-clockwise from (radius, 0)."""
    angles = np.arange(modes) * (2.0 * np.pi / modes)  # linspace with both ends would repeat the first mode
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def grid_centers(side=5, spacing=2.0):
    """The modes of `grid`, float64 (side * side, 2), around the origin, row by row from the lower left."""
    line = spacing * (np.arange(side) - (side - 1) / 2)
    return np.stack([np.tile(line, side), np.repeat(line, side)], axis=1)


def ring(count, modes=8, radius=1.0, std=0.01, seed=0):
    """Points of Gaussians on a circle, each mode equally likely.

    Args:
        count: number of points.
        modes: number of Gaussians.
        radius: radius of the circle.
        std: standard deviation of each Gaussian in x and in y.
        seed: whole number, 0 or more.

    Returns:
        points, float32 (count, 2), and the mode of each, int64 (count,), a row of `ring_centers(modes, radius)`.

    Raises:
        ConfigurationError: no points, no modes, or a standard deviation below 0.

    Example:

    >>> points, modes = ring(1000)
    >>> points.shape, modes.max()
    ((1000, 2), np.int64(7))
    """
    _check_toy(count, modes, std)
    return _mixture(ring_centers(modes, radius), count, std, seed)


def grid(count, side=5, spacing=2.0, std=0.05, seed=0):
    """Points of Gaussians on a square grid, each mode equally likely.

    Args:
        count: number of points.
        side: number of rows, and of Gaussians per row.
        spacing: distance between neighbours.
        std: standard deviation of each Gaussian in x and in y.
        seed: whole number, 0 or more.

    Returns:
        points, float32 (count, 2), and the mode of each, int64 (count,), a row of `grid_centers(side, spacing)`.

    Raises:
        ConfigurationError: no points, no modes, or a standard deviation below 0.

    Example:

    >>> points, modes = grid(1000)
    >>> points.shape, modes.max()
    ((1000, 2), np.int64(24))
    """
    _check_toy(count, side, std)
    return _mixture(grid_centers(side, spacing), count, std, seed)


def points(drawn, labels=None, *, scale, batch_size=100, seed=0):
    """Points as images of one pixel with one channel per coordinate, so that any variant can be trained on them.

    `generate` rounds to 256 levels per axis, which is as coarse as the modes are wide. Sample points as in the example.
    Before comparing, multiply them by `scale`, or divide the centers and the standard deviation by it.

    Args:
        drawn: (N, dimensions), such as `ring` and `grid` draw.
        labels: (N,), such as the modes; None for no labels.
        scale: the coordinate that becomes 1, above 0; no coordinate may be larger.
        batch_size, seed: see `Batches`.

    Returns:
        `Batches` of float32 images (N, 1, 1, dimensions) in [-1, 1].

    Raises:
        DataError: coordinates beyond `scale`, or not points.
        ConfigurationError: a scale that is not above 0.

    Example:

    >>> batches = points(kg.data.ring(1000)[0], scale=1.5)
    >>> gan = kg.GAN(image_shape=batches.image_shape, latent_dim=2)
    >>> gan.image_shape
    (1, 1, 2)
    >>> samples = 1.5 * gan.predict(gan.prior(gan.noise(10, seed=0)), verbose=0).reshape(10, 2)
    """
    drawn = np.asarray(drawn)
    if not scale > 0:
        raise ConfigurationError(f"Expected a scale above 0. Received: {scale!r}.")
    if drawn.ndim != 2:
        raise DataError(f"Expected points (N, dimensions). Received: shape {drawn.shape}.")
    if not np.abs(drawn).max(initial=0.0) <= scale:
        raise DataError(
            f"Expected coordinates from -{scale:g} to {scale:g}. Received: some up to {np.abs(drawn).max():g}. "
            "Choose a larger scale."
        )
    images = (drawn / scale).astype("float32")[:, None, None, :]
    return Batches(images, labels, batch_size=batch_size, seed=seed)


def _check_toy(count, modes, std):
    if count < 1 or modes < 1 or std < 0:
        raise ConfigurationError(
            "Expected at least one point, at least one mode and a standard deviation of 0 or more. "
            f"Received: {count!r}, {modes!r}, {std!r}."
        )


def _mixture(centers, count, std, seed):
    rng = np.random.Generator(np.random.PCG64(seed))
    modes = rng.integers(len(centers), size=count)
    points = centers[modes] + std * rng.standard_normal((count, 2))
    return points.astype("float32"), modes
