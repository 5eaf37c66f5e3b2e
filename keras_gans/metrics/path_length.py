"""How smoothly images change along paths between latents: the perceptual path length."""

import numpy as np
from keras import ops

from keras_gans.errors import ConfigurationError, DataError

PARALLEL = 1e-8  # sine of the angle below which two directions count as equal or opposite


def lerp(start, end, t):
    """Points on the straight line from `start` to `end`: start + t (end - start).

    Args:
        start, end: (N, latent_dim).
        t: a number or (N,); 0 is the start, 1 the end.

    Returns:
        float64 (N, latent_dim).

    Example:

    >>> lerp(np.array([[0.0, 2.0]]), np.array([[4.0, 0.0]]), 0.25).tolist()
    [[1.0, 1.5]]
    """
    start, end = np.asarray(start, "float64"), np.asarray(end, "float64")
    return start + np.asarray(t, "float64")[..., None] * (end - start)


def slerp(start, end, t):
    """Points on the shortest arc from `start` to `end`, with a direction that turns at constant speed.

    With the angle w between the two, the direction is that of start cos(t w) + c sin(t w), where `start` is scaled to
    length one and c is the unit vector orthogonal to it in their plane. The length changes linearly from that of
    `start` to that of `end`. So Gaussian latents of many dimensions, which all have about the same length, keep it; on
    a straight line they would become shorter. For unit vectors this is StyleGAN's interpolation. Opposite vectors have
    no shortest arc: they are joined by one of the half circles, always the same one.

    Args:
        start, end: (N, latent_dim), latent_dim 2 or more, none of them zero.
        t: a number or (N,); 0 is the start, 1 the end.

    Returns:
        float64 (N, latent_dim).

    Raises:
        DataError: a zero vector, or vectors of one number.

    Example:

    >>> slerp(np.array([[2.0, 0.0]]), np.array([[0.0, 4.0]]), 0.5).round(4).tolist()    # 45 degrees, length 3
    [[2.1213, 2.1213]]
    """
    start, end = np.asarray(start, "float64"), np.asarray(end, "float64")
    lengths = [np.linalg.norm(vectors, axis=-1, keepdims=True) for vectors in (start, end)]
    shortest = min(np.min(length) for length in lengths)
    if start.shape[-1] < 2 or not shortest > 0.0:
        raise DataError(
            "Expected vectors of two or more numbers, none of them zero, which have a direction. "
            f"Received: vectors of {start.shape[-1]}, the shortest of length {shortest:g}. Use lerp."
        )
    a, b = start / lengths[0], end / lengths[1]
    cosine = np.sum(a * b, axis=-1, keepdims=True)
    rest = b - cosine * a
    sine = np.linalg.norm(rest, axis=-1, keepdims=True)
    # If the two are parallel, any direction orthogonal to a: the axis farthest from it, minus the part along a.
    axis = np.eye(a.shape[-1])[np.abs(a).argmin(axis=-1)]
    rest = np.where(sine > PARALLEL, rest, axis - np.sum(axis * a, axis=-1, keepdims=True) * a)
    rest /= np.linalg.norm(rest, axis=-1, keepdims=True)
    angle = lerp(0.0, np.arctan2(sine, cosine), t)
    return lerp(*lengths, t) * (a * np.cos(angle) + rest * np.sin(angle))


def perceptual_path_length(generate, features, *, start, end, interpolate=slerp, at=None, epsilon=1e-4, batch_size=100):
    """The mean squared speed of an image's features along paths between latents, without the extreme 1 % on each side.

    For each pair of latents the value is |f(G(z(t + epsilon))) - f(G(z(t)))|^2 / epsilon^2, where z(t) is the path and
    f(G) are the features of the image. Values below the 1st percentile (of the values themselves, the next lower) or
    above the 99th (the next higher) are dropped. Smaller is smoother. A collapsed generator has 0, so read it together
    with a measure of diversity.

    Published numbers use 50 000 pairs, epsilon 1e-4 and LPIPS, the squared distance of normalised, weighted VGG16
    features. Numbers of other features are comparable only with each other. In float32 rounding adds about
    (1e-7 |f| / epsilon)^2: halve epsilon and check that the number stays the same; 1e-3 or 1e-2 may be needed.

    Args:
        generate: function of latents (n, latent_dim), float64, to images as floats. The same latents must give the same
            image: noise inputs fixed, batch normalisation in inference.
        features: function of what `generate` returns to floats (n, numbers), for example the flattened images.
        start, end: latents at the ends of the paths, (N, latent_dim).
        interpolate: function of (start, end, t), such as `slerp` for Gaussian latents and `lerp` for a mapped latent
            space.
        at: positions on the paths, (N,) numbers from 0 to 1, such as `np.random.default_rng(0).random(N)` for the
            published "full"; None for 0, the published "end".
        epsilon: the step along the path, above 0 and at most 1.
        batch_size: pairs per batch, 1 or more.

    Returns:
        A float, 0 or more.

    Raises:
        DataError: latents that are empty, of two shapes or not finite, images in uint8, or features that are not finite
            or not (n, numbers).
        ConfigurationError: numbers out of range.

    Example:

    A generator that doubles its latent moves, on a straight path of length 5, by 10 a unit of t:

    >>> start, end = np.zeros((4, 2)), np.tile([3.0, 4.0], (4, 1))
    >>> length = kg.metrics.perceptual_path_length(
    ...     lambda latents: 2.0 * latents, lambda images: images, start=start, end=end, interpolate=kg.metrics.lerp
    ... )
    >>> round(length, 4)
    100.0

    Reference: Karras et al., 2019 (StyleGAN), https://arxiv.org/abs/1812.04948; code:
    https://github.com/NVlabs/stylegan2-ada-pytorch (metrics/perceptual_path_length.py)
    """
    start, end = np.asarray(start, "float64"), np.asarray(end, "float64")
    if start.ndim != 2 or start.size == 0 or start.shape != end.shape:
        raise DataError(f"Expected start and end of one shape (N, latent_dim). Received: {start.shape}, {end.shape}.")
    if not (np.isfinite(start).all() and np.isfinite(end).all()):
        raise DataError("Expected finite latents. Received: some that are NaN or infinite.")
    t = np.zeros(len(start)) if at is None else np.asarray(at, "float64")
    if t.shape != (len(start),) or not ((t >= 0.0) & (t <= 1.0)).all():
        raise ConfigurationError(
            f"Expected at as {len(start)} numbers from 0 to 1, one for each path, or None. Received: shape {t.shape}."
        )
    if not 0.0 < epsilon <= 1.0 or not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigurationError(
            "Expected epsilon above 0 and at most 1, and a batch_size of 1 or more. "
            f"Received: {epsilon!r}, {batch_size!r}."
        )
    squares = []
    for i in range(0, len(start), batch_size):
        part = slice(i, i + batch_size)
        here, there = (
            _features(generate(interpolate(start[part], end[part], t[part] + step)), features)
            for step in (0.0, epsilon)
        )
        squares.append(np.sum((there - here) ** 2, axis=1) / epsilon**2)
    squares = np.concatenate(squares)
    low, high = np.percentile(squares, 1, method="lower"), np.percentile(squares, 99, method="higher")
    return float(squares[(squares >= low) & (squares <= high)].mean())


def _features(images, features):
    if ops.dtype(images) == "uint8":
        raise DataError(
            "Expected generate to return floats. Received: uint8, whose rounding hides a small step. Call the "
            "generator network itself."
        )
    values = np.asarray(ops.convert_to_numpy(features(images)), "float64")
    if values.ndim != 2 or len(values) != len(images):
        raise DataError(
            f"Expected features ({len(images)}, numbers). Received: {values.shape}. Flatten them to one row per image."
        )
    if not np.isfinite(values).all():
        raise DataError(
            f"Expected finite features. Received: {int((~np.isfinite(values)).sum())} NaN or infinite ones."
        )
    return values
