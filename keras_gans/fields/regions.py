"""Regions of an image as fields: which pixels belong together, and the style of each region."""

import numpy as np
from keras import ops

from keras_gans.fields.field import Field
from keras_gans.fields.images import checked_maps
from keras_gans_core.checks import is_whole
from keras_gans_core.errors import ConfigurationError, DataError

BITS = 16  # of a drawn style, before it becomes one of a few
MOST = 2 ** (31 - BITS)  # styles, so that their product with these bits is an int32


class InstanceMaps(Field):
    """Maps that tell the objects of an image apart: an id for each pixel, the same within an object.

    Networks see the objects numbered in the order of their ids, from 0, one-hot. What the ids are has no meaning, and
    two maps may use different ones.

    Args:
        size: (height, width) of a map.
        most: how many objects a map may have, 2 or more.

    Raises:
        ConfigurationError: fewer than 2.

    Example:

    >>> field = InstanceMaps((1, 3), most=2)
    >>> ops.convert_to_numpy(field.encode(np.array([[[26002, 7, 26002]]]))).tolist()
    [[[[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]]]
    """

    dtype = "int32"

    def __init__(self, size, most):
        self.shape, self.most = tuple(size), most
        if not is_whole(most, 2):
            raise ConfigurationError(f"Expected 2 objects or more in a map of instances. Received: {most!r}.")

    def __str__(self):
        size = ", ".join("any" if side is None else str(side) for side in self.shape)
        return f"instance maps (N, {size}) of whole numbers, at most {self.most} in one map"

    def check(self, values):
        maps = checked_maps(values, self.shape, "instance map", "an object's id")
        if maps.min() < -(2**31) or maps.max() >= 2**31:
            raise DataError(
                f"Expected ids of 32 bits in instance maps, from {-(2**31)} to {2**31 - 1}. Received: {maps.min()} to "
                f"{maps.max()}. Number the objects anew."
            )
        counts = [len(np.unique(one)) for one in maps]
        if max(counts) > self.most:
            raise DataError(
                f"Expected at most {self.most} ids in an instance map. Received: {max(counts)}, in map "
                f"{int(np.argmax(counts))}. Build the model with instances={max(counts)} or more, or give small "
                "objects one id."
            )
        return maps

    def asked(self, values):
        values = np.asarray(ops.convert_to_numpy(values) if ops.is_tensor(values) else values)
        return self.check(values[None] if values.ndim == 2 else values)

    def encode(self, values):
        values = ops.cast(values, "int32")
        values = values[..., 0] if len(values.shape) == 4 else values
        flat = ops.reshape(values, (-1, values.shape[1] * values.shape[2]))
        order = ops.argsort(flat, axis=1)
        ordered = ops.take_along_axis(flat, order, axis=1)
        new = ops.cast(ordered[:, 1:] != ordered[:, :-1], "int32")
        ranks = ops.pad(ops.cumsum(new, axis=1), ((0, 0), (1, 0)))
        ranks = ops.take_along_axis(ranks, ops.argsort(order, axis=1), axis=1)
        return ops.one_hot(ops.reshape(ranks, (-1, *values.shape[1:])), self.most, dtype="float32")


class Styles(Field):
    """The number of the style of each region of an image, from 0 to count - 1.

    Drawn ones are equally likely. They are made from signs of normal numbers, which do not depend on a backend's
    rounding.

    Args:
        regions: how many regions an image may have, 1 or more.
        count: how many styles there are, 1 to 32768.

    Raises:
        ConfigurationError: another number of regions or styles.

    Example:

    >>> Styles(2, count=10).from_normals(np.ones((1, 32), "float32")).tolist()
    [[9, 9]]
    """

    dtype = "int32"
    is_noise = True

    def __init__(self, regions, count):
        if not (is_whole(regions, 1) and is_whole(count, 1) and count <= MOST):
            raise ConfigurationError(
                f"Expected 1 region or more, and 1 to {MOST} styles. Received: {regions!r} and {count!r}."
            )
        self.shape, self.count, self.num_normals = (regions,), count, BITS * regions
        self.low, self.high = 0, count - 1

    def __str__(self):
        return f"styles (N, {self.shape[0]}), whole numbers from 0 to {self.count - 1}"

    def check(self, values):
        styles = np.asarray(ops.convert_to_numpy(values) if ops.is_tensor(values) else values)
        if styles.ndim != 2 or styles.shape[1:] != self.shape or len(styles) == 0 or styles.dtype.kind not in "iu":
            raise ConfigurationError(
                f"Expected styles of shape (n, {self.shape[0]}), a whole number for each region. Received: "
                f"{styles.dtype} {styles.shape}."
            )
        if styles.min() < 0 or styles.max() >= self.count:
            raise ConfigurationError(
                f"Expected styles from 0 to {self.count - 1}. Received: {styles.min()} to {styles.max()}."
            )
        return styles.astype("int32")

    def asked(self, values):
        styles = np.asarray(ops.convert_to_numpy(values) if ops.is_tensor(values) else values)
        return self.check(styles[None] if styles.ndim == 1 else styles)

    def encode(self, values):
        return ops.cast(values, "int32")

    def from_normals(self, normals):
        powers = 2 ** np.arange(BITS, dtype="int32")
        if not ops.is_tensor(normals):
            bits = np.reshape(normals > 0, (-1, *self.shape, BITS))
            return (np.sum(bits * powers, axis=2) * self.count >> BITS).astype("int32")
        bits = ops.cast(ops.reshape(normals, (-1, *self.shape, BITS)) > 0, "int32")
        drawn = ops.sum(bits * ops.convert_to_tensor(powers), axis=2)
        return ops.right_shift(ops.cast(drawn, "int32") * self.count, BITS)
