"""Noise maps that a generator adds to its maps."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_gans")
class NoiseInjection(keras.layers.Layer):
    """Adds a noise map to all channels, with a learned strength: y = x + strength * noise.

    The strength is 0 at first. The noise comes in as a tensor, so that the caller decides what it is: fresh for each
    example, or the same for all.

    Args:
        per_channel: whether each channel has a strength of its own, as in StyleGAN; in StyleGAN2 there is one for all.

    Call arguments:
        inputs: [x (N, height, width, channels), noise (N, height, width, 1)].

    Returns:
        A tensor like x.

    Example:

    >>> layer = NoiseInjection()
    >>> x, noise = np.ones((2, 4, 4, 3), "float32"), np.full((2, 4, 4, 1), 3.0, "float32")
    >>> float(ops.convert_to_numpy(layer([x, noise])).max())
    1.0
    >>> _ = layer.strength.assign(0.5)
    >>> float(ops.convert_to_numpy(layer([x, noise])).max())
    2.5

    Reference: Karras et al., 2020, "Analyzing and improving the image quality of StyleGAN",
    https://arxiv.org/abs/1912.04958; for each channel: Karras et al., 2019, https://arxiv.org/abs/1812.04948
    """

    def __init__(self, per_channel=False, **kwargs):
        super().__init__(**kwargs)
        self.per_channel = bool(per_channel)

    def build(self, input_shape):
        shape = input_shape[0][-1:] if self.per_channel else ()
        self.strength = self.add_weight(shape=shape, initializer="zeros", name="strength")
        self.built = True

    def call(self, inputs):
        x, noise = inputs
        return x + ops.cast(noise, x.dtype) * ops.cast(self.strength, x.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs[0].shape, dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "per_channel": self.per_channel}
