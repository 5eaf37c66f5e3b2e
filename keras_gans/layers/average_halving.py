"""Halving by averages that leave the border out."""

import keras
import numpy as np
from keras import ops

from keras_gans.errors import ConfigurationError


@keras.saving.register_keras_serializable(package="keras_gans")
class AverageHalving(keras.layers.Layer):
    """Halves maps by the mean of 3x3 pixels, of those that there are: beyond the border there is nothing.

    An average with zeros beyond the border would darken the border at each halving. Here a constant stays constant.

    Args:
        inputs: (N, height, width, channels) of a known height and width.

    Returns:
        (N, height / 2, width / 2, channels), odd sizes rounded up. Each is the mean around a pixel: the first, the
        third and so on.

    Raises:
        ConfigurationError: maps of an unknown height or width.

    Example:

    >>> row = np.reshape([0.0, 2.0, 4.0, 9.0], (1, 1, 4, 1)).astype("float32")
    >>> ops.convert_to_numpy(AverageHalving()(row)).ravel().tolist()
    [1.0, 5.0]
    """

    def build(self, input_shape):
        if None in input_shape[1:3]:
            raise ConfigurationError(
                f"Expected maps of a known height and width. Received: {tuple(input_shape)}. Give keras.Input both."
            )
        self.built = True

    def call(self, inputs):
        sides = [_counts(side) for side in inputs.shape[1:3]]
        padded = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
        shares = 9.0 / (sides[0][:, None] * sides[1])
        return ops.average_pool(padded, 3, 2, "valid") * ops.cast(shares[None, :, :, None], inputs.dtype)

    def compute_output_shape(self, input_shape):
        count, height, width, channels = input_shape
        return (count, (height + 1) // 2, (width + 1) // 2, channels)


def _counts(side):
    """How many of the three pixels around each second one there are."""
    centres = np.arange(0, side, 2)
    return np.minimum(centres + 1, side - 1) - np.maximum(centres - 1, 0) + 1.0
