"""A bias of its own for each place of an image."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_gans")
class UntiedBias(keras.layers.Layer):
    """Adds a number of its own to each place and channel: y = x + b, with b as large as one input.

    With b the log-odds of the mean image, a network that ends in this and a sigmoid begins at that image.

    Returns:
        Of the inputs' shape.

    Example:

    >>> layer = UntiedBias()
    >>> layer(np.zeros((2, 4, 4, 3), "float32")).shape == (2, 4, 4, 3), layer.count_params()
    (True, 48)
    """

    def build(self, input_shape):
        self.bias = self.add_weight(shape=input_shape[1:], initializer="zeros", name="bias")

    def call(self, inputs):
        return inputs + ops.cast(self.bias, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape
