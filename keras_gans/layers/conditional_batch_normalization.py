"""Batch normalization whose gain and offset depend on a label."""

import keras
from keras import ops

from keras_gans.layers.inner import fresh
from keras_gans.layers.spectral_normalization import SpectralNormalization


@keras.saving.register_keras_serializable(package="keras_gans")
class ConditionalBatchNormalization(keras.layers.Layer):
    """Batch normalization without affine weights, then x (1 + W y) + V y for an encoded label y.

    W and V start at zero, so that every label begins with a gain of one. For a one-hot y they are a table of gains and
    offsets, one row per class. BigGAN's start orthogonal and are spectrally normalized; there y is a label's embedding
    beside a part of the noise.

    Args:
        momentum, epsilon: as for `keras.layers.BatchNormalization`.
        kernel_initializer: of W and V.
        spectral_normalization: whether W and V are divided by their largest singular values.

    Returns:
        Maps of the first input's shape, for inputs [maps (N, height, width, C), labels (N, size)].

    Example:

    >>> maps, labels = np.ones((2, 4, 4, 3), "float32"), np.eye(2, dtype="float32")
    >>> tuple(ConditionalBatchNormalization()([maps, labels], training=True).shape)
    (2, 4, 4, 3)

    Reference: Dumoulin et al., 2016, https://arxiv.org/abs/1610.07629; in a generator: Miyato and Koyama, 2018,
    https://arxiv.org/abs/1802.05637; on embeddings and noise: Brock et al., 2018, https://arxiv.org/abs/1809.11096
    """

    def __init__(self, momentum=0.9, epsilon=2e-5, kernel_initializer="zeros", spectral_normalization=False, **kwargs):
        super().__init__(**kwargs)
        self.momentum, self.epsilon = momentum, epsilon
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.spectral_normalization = spectral_normalization

    def build(self, input_shape):
        (*_, channels), labels = input_shape
        # Keras passes `trainable` on only to layers that exist when it is set.
        shared = {"dtype": self.dtype_policy, "trainable": self.trainable}
        options = {"momentum": self.momentum, "epsilon": self.epsilon, **shared}
        self.norm = keras.layers.BatchNormalization(center=False, scale=False, name="norm", **options)
        self.norm.build(input_shape[0])
        for name in ("gain", "offset"):
            table = keras.layers.Dense(
                channels,
                use_bias=False,
                kernel_initializer=fresh(self.kernel_initializer),
                name=name,
                **shared,
            )
            table = SpectralNormalization(table, trainable=self.trainable) if self.spectral_normalization else table
            table.build(labels)
            setattr(self, name, table)
        self.built = True

    def call(self, inputs, training=None):
        maps, labels = inputs
        options = {"training": training} if self.spectral_normalization else {}
        gain, offset = (ops.expand_dims(table(labels, **options), (1, 2)) for table in (self.gain, self.offset))
        return self.norm(maps, training=training) * (1.0 + gain) + offset

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "spectral_normalization": self.spectral_normalization,
        }
