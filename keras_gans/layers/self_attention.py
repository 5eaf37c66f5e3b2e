"""Self-attention between the places of a map."""

import keras
from keras import layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers.inner import fresh
from keras_gans.layers.spectral_normalization import SpectralNormalization


@keras.saving.register_keras_serializable(package="keras_gans")
class SelfAttention2D(keras.layers.Layer):
    """Adds to every place of a map what it finds at the places that it attends to: y = x + s o(A g(x)).

    theta, phi, g and o are 1x1 convolutions without bias, to C / 8, C / 8, C / 2 and back to C channels. phi and g are
    halved by max pooling, which leaves a quarter of the places as keys. A has a row for each of the height * width
    places,

        A = softmax over the keys of theta(x) phi(x)^T,

    without a division by the root of the channels. The learned scale s is zero at first, so that the layer begins as
    the identity. This is the form of the authors' code. The paper's text has no pooling, and C / 8 channels for g too.
    Odd sides are pooled with a last pair of one place; the code takes even sides only.

    A map of height * width places makes a matrix of that many rows and a quarter as many columns for each example.

    Args:
        spectral_normalization: whether the kernels are divided by their largest singular values, as in the paper; see
            `keras_gans.layers.SpectralNormalization`.
        kernel_initializer: of the four convolutions.

    Returns:
        Maps of the inputs' shape, (N, height, width, C), with C of 8 or more.

    Raises:
        ConfigurationError: a map of another rank, without fixed sides, of one key, or with fewer than 8 channels.

    Example:

    >>> maps = np.random.default_rng(0).normal(size=(2, 4, 4, 8)).astype("float32")
    >>> attention = SelfAttention2D()
    >>> bool(np.array_equal(ops.convert_to_numpy(attention(maps)), maps))
    True
    >>> tuple(attention.attention(maps).shape)     # 16 places, 4 keys
    (2, 16, 4)

    Reference: Zhang et al., 2018, "Self-attention generative adversarial networks", https://arxiv.org/abs/1805.08318;
    code: https://github.com/brain-research/self-attention-gan
    """

    def __init__(self, spectral_normalization=True, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.spectral_normalization = spectral_normalization
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        fixed = len(input_shape) == 4 and None not in input_shape[1:]
        if not fixed or max(input_shape[1:3]) <= 2 or input_shape[-1] < 8:
            raise ConfigurationError(
                "Expected maps (N, height, width, channels) of fixed size, larger than 2x2, which has one key, with 8 "
                f"channels or more: keys have an eighth of them. Received: {tuple(input_shape)}."
            )
        channels = input_shape[-1]
        inner = (*input_shape[:-1], channels // 2)
        self.theta = self._point("theta", channels // 8, input_shape)
        self.phi = self._point("phi", channels // 8, input_shape)
        self.g = self._point("g", channels // 2, input_shape)
        self.o = self._point("o", channels, inner)
        self.scale = self.add_weight(shape=(), initializer="zeros", name="scale")
        self.built = True

    def _point(self, name, filters, input_shape):
        # Keras passes `trainable` on only to layers that exist when it is set.
        options = {"name": name, "dtype": self.dtype_policy, "trainable": self.trainable}
        layer = layers.Conv2D(filters, 1, use_bias=False, kernel_initializer=fresh(self.kernel_initializer), **options)
        if self.spectral_normalization:
            layer = SpectralNormalization(layer, trainable=self.trainable)
        layer.build(input_shape)
        return layer

    def _keys(self, point, maps, training):
        """What the keys are matched by, or hold: (N, keys, channels)."""
        pooled = ops.max_pool(_apply(point, maps, training), 2, strides=2, padding="same")
        return ops.reshape(pooled, (-1, pooled.shape[1] * pooled.shape[2], pooled.shape[3]))

    def attention(self, maps, training=False):
        """Where each place looks: float32 (N, height * width, keys), places and keys row by row; each row sums to 1."""
        theta = _apply(self.theta, maps, training)
        queries = ops.reshape(theta, (-1, theta.shape[1] * theta.shape[2], theta.shape[3]))
        matches = ops.matmul(queries, ops.swapaxes(self._keys(self.phi, maps, training), 1, 2))
        return ops.softmax(ops.cast(matches, "float32"), axis=-1)

    def call(self, inputs, training=False):
        weights = ops.cast(self.attention(inputs, training), self.compute_dtype)
        found = ops.matmul(weights, self._keys(self.g, inputs, training))
        found = ops.reshape(found, (-1, *inputs.shape[1:3], found.shape[-1]))
        return inputs + self.scale * _apply(self.o, found, training)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "spectral_normalization": self.spectral_normalization,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _apply(layer, inputs, training):
    return layer(inputs, training=training) if isinstance(layer, SpectralNormalization) else layer(inputs)
