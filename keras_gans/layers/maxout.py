"""Maxout units."""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_whole


@keras.saving.register_keras_serializable(package="keras_gans")
class Maxout(keras.layers.Layer):
    """A dense layer in which each unit is the maximum of several linear pieces: h_i(x) = max_j (x W_ij + b_ij).

    Args:
        units: number of outputs, 1 or more.
        pieces: number of linear pieces per output, 1 or more.
        kernel_initializer: as for `keras.layers.Dense`.

    Returns:
        (N, units) for inputs (N, features).

    Raises:
        ConfigurationError: inputs that are not (N, features), or units or pieces that are not whole numbers of 1 or
            more.

    Example:

    >>> Maxout(240, pieces=5)(np.zeros((2, 784), "float32")).shape[1]
    240

    Reference: Goodfellow et al., 2013, "Maxout networks", https://arxiv.org/abs/1302.4389
    """

    def __init__(self, units, pieces, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        if not all(is_whole(count, 1) for count in (units, pieces)):
            raise ConfigurationError(
                f"Expected units and pieces that are whole numbers, 1 or more. Received: {units!r} and {pieces!r}."
            )
        self.units, self.pieces = units, pieces
        self.dense = keras.layers.Dense(
            units * pieces, kernel_initializer=kernel_initializer, dtype=self.dtype_policy, name="pieces"
        )

    def build(self, input_shape):
        if len(input_shape) != 2:
            raise ConfigurationError(
                f"Expected features (N, A). Received: inputs of shape {tuple(input_shape)}. Put a Flatten or a pooling "
                "layer before this one."
            )
        self.dense.build(input_shape)

    def call(self, inputs):
        return ops.max(ops.reshape(self.dense(inputs), (-1, self.units, self.pieces)), axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "pieces": self.pieces,
            "kernel_initializer": keras.saving.serialize_keras_object(self.dense.kernel_initializer),
        }
