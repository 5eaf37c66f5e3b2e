"""Batch normalization whose gain and offset depend on a label."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_gans")
class ConditionalBatchNormalization(keras.layers.Layer):
    """Batch normalization without affine weights, then x (1 + W y) + V y for an encoded label y.

    W and V start at zero, so that every label begins with a gain of one. For a one-hot y they are a table of gains and
    offsets, one row per class.

    Args:
        momentum, epsilon: as for `keras.layers.BatchNormalization`.

    Returns:
        Maps of the first input's shape, for inputs [maps (N, height, width, C), labels (N, size)].

    Example:

    >>> maps, labels = np.ones((2, 4, 4, 3), "float32"), np.eye(2, dtype="float32")
    >>> tuple(ConditionalBatchNormalization()([maps, labels], training=True).shape)
    (2, 4, 4, 3)

    Reference: Dumoulin et al., 2016, https://arxiv.org/abs/1610.07629; in a generator: Miyato and Koyama, 2018,
    https://arxiv.org/abs/1802.05637
    """

    def __init__(self, momentum=0.9, epsilon=2e-5, **kwargs):
        super().__init__(**kwargs)
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, input_shape):
        (*_, channels), labels = input_shape
        options = {"momentum": self.momentum, "epsilon": self.epsilon, "dtype": self.dtype_policy}
        self.norm = keras.layers.BatchNormalization(center=False, scale=False, name="norm", **options)
        self.norm.build(input_shape[0])
        for name in ("gain", "offset"):
            table = keras.layers.Dense(
                channels, use_bias=False, kernel_initializer="zeros", dtype=self.dtype_policy, name=name
            )
            table.build(labels)
            setattr(self, name, table)
        self.built = True

    def call(self, inputs, training=None):
        maps, labels = inputs
        gain, offset = (ops.expand_dims(table(labels), (1, 2)) for table in (self.gain, self.offset))
        return self.norm(maps, training=training) * (1.0 + gain) + offset

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}
