"""Gated linear units: one half of the channels opens the other."""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError


@keras.saving.register_keras_serializable(package="keras_gans")
class GatedLinearUnit(keras.layers.Layer):
    """a sigmoid(b), where a and b are the first and the second half of the channels.

    Returns:
        (N, ..., channels / 2).

    Raises:
        ConfigurationError: an odd number of channels.

    Example:

    >>> ops.convert_to_numpy(GatedLinearUnit()(np.array([[3.0, 4.0, 0.0, 0.0]]))).tolist()
    [[1.5, 2.0]]

    Reference: Dauphin et al., 2017, https://arxiv.org/abs/1612.08083
    """

    def build(self, input_shape):
        self.compute_output_shape(input_shape)  # refuses an odd number

    def call(self, inputs):
        values, gates = ops.split(inputs, 2, axis=-1)
        return values * ops.sigmoid(gates)

    def compute_output_shape(self, input_shape):
        if input_shape[-1] % 2:
            raise ConfigurationError(f"Expected an even number of channels. Received: {input_shape[-1]}.")
        return (*input_shape[:-1], input_shape[-1] // 2)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)
