"""A learned map as the first of a generator."""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_whole


@keras.saving.register_keras_serializable(package="keras_gans")
class LearnedConstant(keras.layers.Layer):
    """The same learned numbers for every example, whatever its inputs are. They begin as N(0, 1).

    Args:
        shape: of the constant, such as (4, 4, 512), the first map of StyleGAN.
        initializer: of the constant; ones in StyleGAN, N(0, 1) in StyleGAN2.

    Call arguments:
        inputs: a tensor (N, ...), of which only N counts.

    Returns:
        (N, *shape), in the layer's compute dtype.

    Raises:
        ConfigurationError: a shape that is not of whole numbers.

    Example:

    >>> LearnedConstant((4, 4, 8))(np.zeros((5, 2), "float32")).shape == (5, 4, 4, 8)
    True

    Reference: Karras et al., 2019, "A style-based generator architecture for generative adversarial networks",
    https://arxiv.org/abs/1812.04948
    """

    def __init__(self, shape, initializer=None, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(shape, (tuple, list)) or not all(is_whole(side, 1) for side in shape):
            raise ConfigurationError(f"Expected a shape of whole numbers, 1 or more. Received: {shape!r}.")
        self.shape = tuple(shape)
        self.initializer = keras.initializers.get(initializer or keras.initializers.RandomNormal(stddev=1.0))

    def build(self, input_shape):
        self.constant = self.add_weight(shape=self.shape, initializer=self.initializer, name="constant")
        self.built = True

    def call(self, inputs):
        return ops.tile(
            ops.cast(self.constant, self.compute_dtype)[None], (ops.shape(inputs)[0], *[1] * len(self.shape))
        )

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.shape)

    def get_config(self):
        own = {"shape": self.shape, "initializer": keras.initializers.serialize(self.initializer)}
        return {**super().get_config(), **own}
