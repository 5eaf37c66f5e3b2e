"""Random numbers as inputs: the noise that samples are made from, and the seeds of dropout."""

import numpy as np
from keras import ops

from keras_gans.fields.field import Field
from keras_gans_core.errors import ConfigurationError, DataError

UNLIMITED = 5.0  # the limit from which on `truncated` moves no number within it


def normal(noise):
    """The standard normal distribution: the noise itself."""
    return noise


def uniform_of(noise):
    """Turns standard normal numbers into ones from U[0, 1], by their distribution function, (1 + erf(n / sqrt(2))) / 2.

    >>> ops.convert_to_numpy(uniform_of(np.array([-9.0, 0.0, 9.0], "float32"))).tolist()
    [0.0, 0.5, 1.0]
    """
    return 0.5 * (1.0 + ops.erf(noise * 0.5**0.5))


def symmetric_uniform(noise):
    """Turns standard normal numbers into ones from U[-1, 1].

    >>> ops.convert_to_numpy(symmetric_uniform(np.array([-9.0, 0.0, 9.0], "float32"))).tolist()
    [-1.0, 0.0, 1.0]
    """
    return ops.erf(noise * 0.5**0.5)  # a product: TensorFlow divides by reciprocals in graphs, but not elsewhere


def truncated(noise, limit):
    """Standard normal numbers z, moved to where they have the normal distribution between -t and t, the limit:

        z' = sign(z) sqrt(2) erfinv(u erf(t / sqrt(2))),  u = erf(|z| / sqrt(2)).

    u is the share of normal numbers that are smaller than z in size. z' is the size that the same share of those within
    the limit are smaller than. A second draw would give the same distribution. This way nothing is drawn: a seed names
    one image at every limit, and a smaller limit moves the image smoothly towards the middle, that of z = 0.

    A limit of 5 or more moves only the numbers beyond it. One in two million is larger than 5, and float32 has only ten
    numbers from erf(5 / sqrt(2)) to 1. Rounding moves z' by up to 1e-5 where it is at most 2, 1e-4 at most 3, and 2e-3
    at most 4.

    Args:
        noise: standard normal numbers, a float32 tensor.
        limit: the largest size, 0 or more, a float32 tensor that broadcasts to the noise.

    Returns:
        A float32 tensor, in [-limit, limit].

    Example:

    >>> noise = np.array([0.25, -1.0, 7.0], "float32")
    >>> ops.convert_to_numpy(truncated(noise, np.float32(0.5))).round(3).tolist()
    [0.09..., -0.33..., 0.5]
    """
    size = ops.absolute(noise)
    within = ops.minimum(size, limit)
    moved = ops.erfinv(ops.erf(size * 0.5**0.5) * ops.erf(limit * 0.5**0.5)) * 2.0**0.5
    return ops.sign(noise) * ops.where(limit < UNLIMITED, ops.minimum(moved, within), within)


class Noise(Field):
    """Standard normal numbers, which networks see through a distribution.

    The user's value is always standard normal noise (N, size), so that a seed means the same for every model. The
    network's value is `distribution(noise)`, its latents.

    Args:
        size: numbers per example, 1 or more.
        distribution: function from standard normal noise (N, size) to latents (N, size): `normal`, `uniform_of`,
            `symmetric_uniform`, or a variant's own.

    Example:

    >>> field = Noise(3, symmetric_uniform)
    >>> field.encode(field.from_normals(np.zeros((2, 3), "float32"))).shape == (2, 3)
    True
    """

    is_noise = True

    def __init__(self, size, distribution=normal):
        self.size = self.num_normals = size
        self.shape, self.distribution = (size,), distribution

    def __str__(self):
        return f"standard normal noise (N, {self.size})"

    def check(self, values):
        try:
            noise = np.asarray(values, "float32")
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"Expected noise of shape (n, {self.size}), numbers. Received: {error}") from error
        if noise.ndim != 2 or noise.shape[1] != self.size or len(noise) == 0:
            raise ConfigurationError(
                f"Expected noise of shape (n, {self.size}) with n of 1 or more. Received: {noise.shape}."
            )
        if not np.isfinite(noise).all():
            bad = int((~np.isfinite(noise)).sum())
            raise ConfigurationError(f"Expected finite noise. Received: {bad} NaN or infinite numbers.")
        return noise

    def encode(self, values):
        return self.distribution(ops.cast(values, "float32"))

    def from_normals(self, normals):
        return normals


class Seeds(Field):
    """One whole number per example, from which dropout derives its mask: the same mask for a number in any batch.

    A drawn seed has 31 bits, each the sign of a normal number: unlike the numbers' last digits, signs do not depend on
    a backend's rounding.

    Example:

    >>> Seeds().from_normals(np.array([[1.0, -1.0, 0.5, *[-1.0] * 28]], "float32")).tolist()
    [5]
    """

    dtype = "int32"
    num_normals = 31
    is_noise = True

    def __str__(self):
        return "seeds (N,), whole numbers of 32 bits"

    def check(self, values):
        seeds = np.asarray(values)
        if seeds.ndim != 1 or len(seeds) == 0 or seeds.dtype.kind not in "iu":
            raise ConfigurationError(
                f"Expected seeds of shape (n,), whole numbers. Received: {seeds.dtype} {seeds.shape}."
            )
        if seeds.min() < -(2**31) or seeds.max() >= 2**31:
            raise ConfigurationError(f"Expected seeds of 32 bits. Received: {seeds.min()} to {seeds.max()}.")
        return seeds.astype("int32")

    def encode(self, values):
        return ops.cast(values, "int32")

    def from_normals(self, normals):
        powers = 2 ** np.arange(self.num_normals, dtype="int32")
        if not ops.is_tensor(normals):
            return np.sum((normals > 0) * powers, axis=1, dtype="int32")
        return ops.cast(ops.sum(ops.cast(normals > 0, "int32") * ops.convert_to_tensor(powers), axis=1), "int32")


class Index(Field):
    """The number of a training example, from 0 to count - 1.

    Args:
        count: how many examples there are.
    """

    dtype = "int64"

    def __init__(self, count):
        self.count, self.low, self.high = count, 0, count - 1

    def __str__(self):
        return f"indices from 0 to {self.count - 1}"

    def check(self, values):
        return check_indices(values, self.count)

    def encode(self, values):
        return ops.reshape(ops.cast(values, "int32"), (-1,))


def check_indices(values, count):
    """Indices as an int array (N,).

    Raises:
        DataError: no indices, or some outside 0 to count - 1.
    """
    indices = np.asarray(ops.convert_to_numpy(values) if ops.is_tensor(values) else values)
    if indices.ndim == 2 and indices.shape[1] == 1:
        indices = indices[:, 0]
    whole = indices.ndim == 1 and indices.dtype.kind in "iu" and len(indices) > 0
    if not whole or indices.min() < 0 or indices.max() >= count:
        raise DataError(f"Expected indices from 0 to {count - 1}, one per example. Received: {indices!r}.")
    return indices
