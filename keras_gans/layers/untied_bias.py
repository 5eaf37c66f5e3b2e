"""A separate bias for each position of an image."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_gans")
class UntiedBias(keras.layers.Layer):
    """Adds a separate bias to each position and channel: y = x + b, where b has the shape of one input.

    If b is the log-odds of the mean image, a network that ends in this layer and a sigmoid starts at that image.

    Returns:
        A tensor of the inputs' shape.

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
