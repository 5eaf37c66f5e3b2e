"""Instance normalization whose scale and offset come from outside."""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_number


@keras.saving.register_keras_serializable(package="keras_gans")
class AdaptiveInstanceNormalization(keras.layers.Layer):
    """AdaIN: normalises each channel of each example by its own statistics, then scales and moves it by a style.

        y = scale (x - mean) / sqrt(variance + epsilon) + offset

    Mean and variance are over the map of one channel of one example. In StyleGAN the scale and the offset of a layer
    are affine in the style w: dense layers with a gain of 1, with biases that begin as 1 for the scale and 0 for the
    offset. The layer has no weights. Statistics are computed in float32.

    Args:
        epsilon: added to the variance, above 0; 1e-8 in StyleGAN's code.

    Call arguments:
        inputs: [x (N, height, width, channels), scale (N, channels), offset (N, channels)].

    Returns:
        A tensor like x, in the layer's compute dtype.

    Raises:
        ConfigurationError: an epsilon that is not above 0, or styles of other channels than x.

    Example:

    >>> x = np.reshape([1.0, 3.0], (1, 1, 2, 1)).astype("float32")
    >>> scale, offset = np.full((1, 1), 2.0, "float32"), np.full((1, 1), 5.0, "float32")
    >>> made = AdaptiveInstanceNormalization()([x, scale, offset])
    >>> ops.convert_to_numpy(made).round(3).ravel().tolist()
    [3.0, 7.0]

    Reference: Huang and Belongie, 2017, "Arbitrary style transfer in real-time with adaptive instance normalization",
    https://arxiv.org/abs/1703.06868; in a generator: Karras et al., 2019, https://arxiv.org/abs/1812.04948
    """

    def __init__(self, epsilon=1e-8, **kwargs):
        super().__init__(**kwargs)
        if not (is_number(epsilon, 0.0) and epsilon > 0.0):
            raise ConfigurationError(f"Expected an epsilon above 0. Received: {epsilon!r}.")
        self.epsilon = epsilon

    def build(self, input_shape):
        channels = [shape[-1] for shape in input_shape]
        if len(channels) != 3 or len(set(channels)) != 1:
            raise ConfigurationError(
                "Expected maps, scales and offsets of as many channels: [(N, height, width, C), (N, C), (N, C)]. "
                f"Received: {input_shape}."
            )
        self.built = True

    def call(self, inputs):
        x, scale, offset = (ops.cast(tensor, "float32") for tensor in inputs)
        centred = x - ops.mean(x, axis=(1, 2), keepdims=True)
        variance = ops.mean(ops.square(centred), axis=(1, 2), keepdims=True)
        y = centred * (ops.rsqrt(variance + self.epsilon) * scale[:, None, None, :]) + offset[:, None, None, :]
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
