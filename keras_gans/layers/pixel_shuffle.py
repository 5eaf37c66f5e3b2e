"""Pixel shuffle: channels become pixels."""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_whole


@keras.saving.register_keras_serializable(package="keras_gans")
class PixelShuffle(keras.layers.Layer):
    """Makes maps `factor` times larger: each pixel becomes factor x factor pixels, whose values are its channels.

        y[n, r h + i, r w + j, c] = x[n, h, w, c r^2 + i r + j],    r = factor

    This is the paper's and PyTorch's order of channels. TensorFlow's `depth_to_space` has the channels c innermost.

    Args:
        factor: r, 1 or more.

    Returns:
        (N, r height, r width, channels / r^2).

    Raises:
        ConfigurationError: a factor below 1, or channels that r^2 does not divide.

    Example:

    >>> pixel = np.reshape([1.0, 2.0, 3.0, 4.0], (1, 1, 1, 4))
    >>> ops.convert_to_numpy(PixelShuffle(2)(pixel))[0, ..., 0].tolist()
    [[1.0, 2.0], [3.0, 4.0]]

    Reference: Shi et al., 2016, "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network", https://arxiv.org/abs/1609.05158
    """

    def __init__(self, factor=2, **kwargs):
        super().__init__(**kwargs)
        if not is_whole(factor, 1):
            raise ConfigurationError(f"Expected a factor of 1 or more. Received: {factor!r}.")
        self.factor = factor

    def call(self, inputs):
        factor, channels = self.factor, self.compute_output_shape(inputs.shape)[-1]
        count, height, width = ops.shape(inputs)[:3]
        pixels = ops.reshape(inputs, (count, height, width, channels, factor, factor))
        pixels = ops.transpose(pixels, (0, 1, 4, 2, 5, 3))
        return ops.reshape(pixels, (count, height * factor, width * factor, channels))

    def compute_output_shape(self, input_shape):
        count, height, width, channels = input_shape
        if channels % self.factor**2:
            raise ConfigurationError(
                f"Expected a number of channels that is a multiple of {self.factor**2}. Received: {channels}."
            )
        return (count, height and height * self.factor, width and width * self.factor, channels // self.factor**2)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=inputs.dtype)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
