"""Instance normalization."""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_number


@keras.saving.register_keras_serializable(package="keras_gans")
class InstanceNormalization(keras.layers.Layer):
    """Normalises each channel of each example by its own mean and variance over the map.

        y = gamma (x - mean) / sqrt(variance + epsilon) + beta

    No statistics are kept: the layer does the same in training and in inference, and an example's result does not
    depend on its batch. With a batch of one image it is batch normalization by the batch's statistics. A map of one
    pixel becomes beta, so such a map should not be normalised.

    Args:
        affine: whether gamma and beta are learned, one of each a channel; otherwise they are 1 and 0.
        epsilon: added to the variance, above 0.
        gamma_initializer: of gamma.

    Raises:
        ConfigurationError: an epsilon that is not above 0.

    Example:

    >>> images = np.reshape([1.0, 3.0], (1, 1, 2, 1)).astype("float32")
    >>> ops.convert_to_numpy(InstanceNormalization()(images)).round(3).ravel().tolist()
    [-1.0, 1.0]

    Reference: Ulyanov et al., 2016, "Instance normalization: the missing ingredient for fast stylization",
    https://arxiv.org/abs/1607.08022
    """

    def __init__(self, affine=False, epsilon=1e-5, gamma_initializer="ones", **kwargs):
        super().__init__(**kwargs)
        if not (is_number(epsilon, 0.0) and epsilon > 0.0):
            raise ConfigurationError(f"Expected an epsilon above 0. Received: {epsilon!r}.")
        self.affine, self.epsilon = affine, epsilon
        self.gamma_initializer = keras.initializers.get(gamma_initializer)

    def build(self, input_shape):
        if self.affine:
            shape = (input_shape[-1],)
            self.gamma = self.add_weight(shape=shape, initializer=self.gamma_initializer, name="gamma")
            self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")
        self.built = True

    def call(self, inputs):
        x = ops.cast(inputs, "float32")  # sums over a map lose too much in 16 bits
        axes = tuple(range(1, len(x.shape) - 1))
        mean = ops.mean(x, axis=axes, keepdims=True)
        centred = x - mean
        variance = ops.mean(ops.square(centred), axis=axes, keepdims=True)
        scale = ops.rsqrt(variance + self.epsilon)
        if self.affine:
            scale = scale * ops.cast(self.gamma, "float32")
        x = centred * scale
        return ops.cast(x + ops.cast(self.beta, "float32") if self.affine else x, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        initializer = keras.initializers.serialize(self.gamma_initializer)
        own = {"affine": self.affine, "epsilon": self.epsilon, "gamma_initializer": initializer}
        return {**super().get_config(), **own}
