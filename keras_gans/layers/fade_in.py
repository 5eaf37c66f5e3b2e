"""The slow change from one path of a network to another."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_gans")
class FadeIn(keras.layers.Layer):
    """Blends the path that a network had before with one that takes its place: y = (1 - alpha) before + alpha after.

    alpha is a variable, 0 at first, which training moves to 1. At 0 and at 1 the outputs are those of one path, bit for
    bit. It is saved with the network, so that a network samples as far as it has changed.

    Call arguments:
        inputs: a list of two tensors of one shape, before and after.

    Returns:
        A tensor of their shape, in the layer's compute dtype.

    Example:

    >>> fade = FadeIn()
    >>> before, after = np.zeros((1, 2), "float32"), np.full((1, 2), 4.0, "float32")
    >>> float(ops.convert_to_numpy(fade([before, after]))[0, 0])
    0.0
    >>> _ = fade.alpha.assign(0.25)
    >>> float(ops.convert_to_numpy(fade([before, after]))[0, 0])
    1.0

    Reference: Karras et al., 2018, "Progressive growing of GANs for improved quality, stability, and variation",
    section 2, https://arxiv.org/abs/1710.10196
    """

    def build(self, input_shape):
        self.alpha = self.add_weight(
            shape=(),
            initializer="zeros",
            trainable=False,
            autocast=False,
            dtype="float32",
            aggregation="only_first_replica",
            name="alpha",
        )
        self.built = True

    def call(self, inputs):
        before, after = inputs
        alpha = ops.cast(ops.convert_to_tensor(self.alpha), self.compute_dtype)
        return (1.0 - alpha) * before + alpha * after

    def compute_output_shape(self, input_shape):
        return input_shape[1]

    def get_config(self):  # Keras's own would refuse a dtype policy that is an object
        return super().get_config()
