"""Bicubic enlargement of maps of any size."""

import keras
import numpy as np
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.resampling import cubic
from keras_gans_core.checks import is_whole

TAPS = np.arange(-2, 3)  # pixels around one, as far as the cubic of any new pixel in it reaches


@keras.saving.register_keras_serializable(package="keras_gans")
class BicubicEnlargement(keras.layers.Layer):
    """Makes images a whole number of times larger by cubic convolution with a = -1/2; see `kg.resampling.bicubic`.

    Beyond the border the border's pixels count. Inside, the result is that of `bicubic`. It has no weights.

    Args:
        factor: how many times larger, 1 or more.

    Returns:
        (N, factor height, factor width, channels), in the layer's compute dtype.

    Raises:
        ConfigurationError: another factor.

    Example:

    >>> BicubicEnlargement(2)(np.ones((1, 3, 4, 3), "float32")).shape[1:] == (6, 8, 3)
    True
    """

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        if not is_whole(factor, 1):
            raise ConfigurationError(f"Expected a factor of 1 or more. Received: {factor!r}.")
        self.factor = factor

    def call(self, inputs):
        offsets = (np.arange(self.factor) + 0.5) / self.factor - 0.5  # of the new pixels from the middle of an old one
        weights = cubic(np.abs(TAPS[:, None] - offsets[None]))
        for axis in (1, 2):
            first, last = (ops.take(inputs, [place] * 2, axis=axis) for place in (0, -1))
            inputs = self._larger(ops.concatenate([first, inputs, last], axis=axis), weights, axis)
        return inputs

    def _larger(self, padded, weights, axis):
        channels = padded.shape[-1]
        kernel = np.repeat(np.expand_dims(weights, (2 - axis, 2))[..., :], channels, axis=2)
        made = ops.depthwise_conv(padded, ops.cast(kernel, padded.dtype), padding="valid", data_format="channels_last")
        count, height, width = ops.shape(made)[:3]
        made = ops.reshape(made, (count, height, width, channels, self.factor))
        if axis == 1:
            return ops.reshape(ops.transpose(made, (0, 1, 4, 2, 3)), (count, height * self.factor, width, channels))
        return ops.reshape(ops.transpose(made, (0, 1, 2, 4, 3)), (count, height, width * self.factor, channels))

    def compute_output_shape(self, input_shape):
        count, height, width, channels = input_shape
        return (count, height and height * self.factor, width and width * self.factor, channels)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
