"""The normalization of the feature vector at each position."""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_number


@keras.saving.register_keras_serializable(package="keras_gans")
class PixelNormalization(keras.layers.Layer):
    """Divides the channels at each position by their root mean square: y = x / sqrt(mean x^2 + epsilon).

    The mean is over the last axis, at each position of a map, or over the numbers of a latent vector. The layer has no
    weights. It is computed in float32.

    Args:
        epsilon: added to the mean square, above 0; 1e-8 in the paper.

    Returns:
        A tensor of the inputs' shape, in the layer's compute dtype.

    Raises:
        ConfigurationError: an epsilon that is not above 0.

    Example:

    >>> made = PixelNormalization()(np.array([[1.0, 7.0]], "float32"))     # divided by 5
    >>> [round(float(x), 3) for x in ops.convert_to_numpy(made)[0]]
    [0.2, 1.4]

    Reference: Karras et al., 2018, "Progressive growing of GANs for improved quality, stability, and variation",
    section 4.2, https://arxiv.org/abs/1710.10196
    """

    def __init__(self, epsilon=1e-8, **kwargs):
        super().__init__(**kwargs)
        if not (is_number(epsilon, 0.0) and epsilon > 0.0):
            raise ConfigurationError(f"Expected an epsilon above 0. Received: {epsilon!r}.")
        self.epsilon = epsilon

    def call(self, inputs):
        x = ops.cast(inputs, "float32")  # 16 bits overflow in squares, or lose epsilon
        x = x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + self.epsilon)
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
