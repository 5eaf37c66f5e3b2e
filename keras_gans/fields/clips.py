"""Clips as a field: a few frames in a row, as a model that predicts the next ones sees them."""

import numpy as np
from keras import ops

from keras_gans.fields.field import Field
from keras_gans.fields.images import check_images, check_range
from keras_gans.images import grid, side_by_side, to_float
from keras_gans_core.checks import is_whole
from keras_gans_core.errors import ConfigurationError, DataError


class Clips(Field):
    """Clips of equally many frames, the oldest first: uint8 or floats in [-1, 1] for the user.

    Networks see float32 in [-1, 1] of shape (N, height, width, frames * channels): the oldest frame's channels first.

    Args:
        shape: (frames, height, width, channels). A height or width of None allows any.
        multiple: what both sides must be a multiple of, 1 or more.

    Raises:
        ConfigurationError: a shape of another length, or no frames.

    Example:

    >>> field = Clips((2, 4, 4, 3))
    >>> tuple(field.encode(np.zeros((5, 2, 4, 4, 3), "uint8")).shape)
    (5, 4, 4, 6)
    """

    dtype = "uint8"

    def __init__(self, shape, multiple=1):
        self.shape, self.multiple = tuple(shape), multiple
        if len(self.shape) != 4 or not is_whole(self.shape[0], 1) or not is_whole(multiple, 1):
            raise ConfigurationError(
                f"Expected clips of a shape (frames, height, width, channels), and sides of a multiple of 1 or more. "
                f"Received: {shape!r} and multiple={multiple!r}."
            )

    def __str__(self):
        return f"clips {self._written()}, uint8 or floats in [-1, 1]"

    def check(self, values):
        frames = self._frames(values)
        check_images(frames, self.shape[1:])
        check_range(frames)
        return values

    def check_later(self, values):
        check_images(self._frames(values), self.shape[1:])  # not the range: one batch may hold bright clips alone
        return values

    def asked(self, values):
        values = np.asarray(ops.convert_to_numpy(values) if ops.is_tensor(values) else values)
        values = values[None] if values.ndim == len(self.shape) else values
        return self.check_later(values)

    def _frames(self, values):
        """All frames of clips of the right shape, (N * frames, height, width, channels)."""
        shape, wanted = tuple(values.shape), self.shape
        if len(shape) != 5 or shape[1] != wanted[0]:
            few = len(shape) == 5 and shape[1] < wanted[0]
            if len(shape) == 4 and shape[0] == wanted[0]:
                remedy = "Make one clip a batch: clips[None]."
            elif few:
                remedy = "The clips are too short: use longer ones."
            elif len(shape) == 5:
                remedy = "Cut longer clips: kg.data.load_clips for training, clips[:, -frames:] for prediction."
            else:
                remedy = "Stack the frames of a clip along a second axis, the oldest first."
            raise DataError(f"Expected clips of shape {self._written()}. Received: {shape}. {remedy}")
        if shape[0] == 0:
            raise DataError(f"Expected at least one clip in a batch {self._written()}. Received: an empty batch.")
        odd = [side % self.multiple for side in shape[2:4]]
        if None in wanted[1:3] and (any(odd) or not all(shape[2:4])):
            lower = [max(side - rest, self.multiple) for side, rest in zip(shape[2:4], odd)]
            raise DataError(
                f"Expected clips whose height and width are multiples of {self.multiple}. Received: {shape[2]}x"
                f"{shape[3]}. Crop or resize them, for instance to {lower[0]}x{lower[1]}."
            )
        values = values if isinstance(values, np.ndarray) else ops.convert_to_numpy(values)
        return values.reshape(-1, *shape[2:])

    def _written(self):
        return f"(N, {', '.join('any' if side is None else str(side) for side in self.shape)})"

    def encode(self, values):
        frames = to_float(values)
        return ops.concatenate([frames[:, i] for i in range(self.shape[0])], axis=-1)

    def picture(self, values, columns=None):
        """The frames of a clip stand side by side."""
        return grid(np.stack([side_by_side(list(clip), gap=0) for clip in np.asarray(values)]), columns)
