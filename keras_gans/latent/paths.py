"""Paths between latents, and walks along them as animations."""

from pathlib import Path

import numpy as np

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.images import save, to_pillow
from keras_gans.latent.checks import as_latents
from keras_gans_core.checks import is_whole

PARALLEL = 1e-6  # where the sine is below it, the arc between two vectors is a line, or is not defined


def lerp(a, b, t):
    """(1 - t) a + t b.

    Use it for latents of a space without a preferred norm. Between two Gaussian latents the norm falls midway to values
    that the prior almost never has: see `slerp`.

    Args:
        a, b: (..., d).
        t: (...), 0 at a and 1 at b. Shapes are broadcast.

    Returns:
        float32 (..., d).

    Raises:
        DataError: shapes that do not broadcast, or vectors of different lengths.

    Example:

    >>> lerp([1.0, 0.0], [0.0, 1.0], [0.0, 0.5]).tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    a, b, t = _broadcast(a, b, t)
    return ((1.0 - t) * a + t * b).astype("float32")


def slerp(a, b, t):
    """sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b, where w is the angle between a and b, for each row separately.

    Norms are interpolated too: between vectors of one norm the path stays on the sphere. Where no arc is defined, that
    is, where one of the vectors is zero or both are parallel or opposite (|sin w| < 1e-6), the path is `lerp`. That is
    the limit for parallel vectors; between opposite ones the path passes through zero.

    Args:
        a, b: (..., d).
        t: (...), 0 at a and 1 at b. Shapes are broadcast, so that t (T,) and two vectors (d,) make (T, d).

    Returns:
        float32 (..., d), finite for finite inputs.

    Raises:
        DataError: shapes that do not broadcast, or vectors of different lengths.

    Example:

    >>> [f"{x:.4f}" for x in slerp([1.0, 0.0], [0.0, 1.0], 0.5)]
    ['0.7071', '0.7071']

    Reference: White, 2016, "Sampling generative networks", https://arxiv.org/abs/1609.04468
    """
    a, b, t = _broadcast(a, b, t)
    norms = np.linalg.norm(a, axis=-1, keepdims=True) * np.linalg.norm(b, axis=-1, keepdims=True)
    cosine = np.sum(a * b, axis=-1, keepdims=True) / np.where(norms > 0.0, norms, 1.0)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))  # rounding gives 1.0000001 for equal vectors
    sine = np.sin(angle)
    line = (norms == 0.0) | (sine < PARALLEL)
    sine = np.where(line, 1.0, sine)
    first = np.where(line, 1.0 - t, np.sin((1.0 - t) * angle) / sine)
    second = np.where(line, t, np.sin(t * angle) / sine)
    return (first * a + second * b).astype("float32")


def strips(a, b, steps, between=slerp):
    """Paths from each row of `a` to the same row of `b`, ends included.

    Args:
        a, b: (N, d).
        steps: latents in each path, 2 or more.
        between: `slerp` or `lerp`.

    Returns:
        float32 (N, steps, d).

    Raises:
        ConfigurationError: fewer than two steps.
        DataError: latents of other shapes.
    """
    if not is_whole(steps, 2):
        raise ConfigurationError(f"Expected steps to be a whole number, 2 or more. Received: {steps!r}.")
    return between(as_latents(a, 2)[:, None], as_latents(b, 2)[:, None], np.linspace(0.0, 1.0, steps))


def loop(points, steps, between=slerp):
    """A closed path through points in their order and back to the first, which it contains once.

    Args:
        points: (K, d), K of 2 or more.
        steps: latents from a point to the next, 1 or more.
        between: `slerp` or `lerp`.

    Returns:
        float32 (K * steps, d).

    Raises:
        ConfigurationError: fewer than two points, or no steps.
        DataError: points of several lengths.

    Example:

    >>> loop(np.eye(3), steps=4).shape
    (12, 3)
    """
    points = as_latents(points)
    if points.ndim != 2 or len(points) < 2 or not is_whole(steps, 1):
        raise ConfigurationError(
            f"Expected points (K, d), 2 or more, and 1 step or more. Received: {points.shape} and {steps!r}."
        )
    ends = np.roll(points, -1, axis=0)
    path = between(points[:, None], ends[:, None], np.arange(steps) / steps)
    return path.reshape(len(points) * steps, -1)


def animate(pictures, path, milliseconds=80):
    """Writes pictures as an animation that repeats forever.

    Args:
        pictures: uint8 (T, height, width, channels), T of 1 or more.
        path: file name that ends in .gif, .apng or .png (an animated PNG, in which colours are exact).
        milliseconds: how long each is shown, 1 or more; GIF rounds to tens.

    Raises:
        ConfigurationError: another ending, no pictures, or a time below 1.
        OutputError: the file cannot be written.
    """
    ending = Path(path).suffix.lower()
    if ending not in (".gif", ".apng", ".png"):
        raise ConfigurationError(f"Expected a file name that ends in .gif, .apng or .png. Received: {path}.")
    if len(pictures) == 0 or not is_whole(milliseconds, 1):
        raise ConfigurationError(
            f"Expected pictures, shown 1 millisecond or more. Received: {len(pictures)} and {milliseconds!r}."
        )
    first, *others = [to_pillow(np.asarray(picture)) for picture in pictures]
    options = {"duration": milliseconds, "loop": 0}  # 0: forever
    if first.mode in ("LA", "RGBA") and ending == ".gif":
        options["disposal"] = 2  # each picture is removed before the next, which may not cover it
    save(first, path, save_all=True, append_images=others, **options)


def _broadcast(a, b, t):
    a, b, t = as_latents(a), as_latents(b), np.asarray(t, "float64")
    try:
        if a.shape[-1:] != b.shape[-1:]:
            raise ValueError
        np.broadcast_shapes(a.shape[:-1], b.shape[:-1], t.shape)
    except ValueError:
        raise DataError(
            f"Expected latents (..., d) of one d, and t (...), whose shapes broadcast. "
            f"Received: {a.shape}, {b.shape} and t {t.shape}."
        ) from None
    return a, b, t[..., None]
