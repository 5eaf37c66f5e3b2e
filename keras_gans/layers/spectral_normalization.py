"""Spectral normalization of a layer's kernel."""

import keras
from keras import layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_whole

_DIRECT = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.Embedding)  # outputs on the last axis
_TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)  # outputs on the second to last
_EPSILON = 1e-12


@keras.saving.register_keras_serializable(package="keras_gans")
class SpectralNormalization(layers.Wrapper):
    """A layer whose kernel W is divided by its largest singular value: W / sigma(W).

    W is reshaped to a matrix with one row per output channel (for an embedding: one column per class). One step of
    power iteration with the persistent vector u estimates sigma:

        v = W^T u / |W^T u|,    u <- W v / |W v|,    sigma = u^T W v.

    The gradient treats u and v as constants. It flows through W both in the numerator and in sigma: with
    G = dL/d(W/sigma),

        dL/dW = (G - <G, W/sigma> u v^T) / sigma.

    Every call with `training=True` updates u, as in the authors' code: with real images, generated images and a penalty
    there are two or three power iterations per training step. Inference does not change u. The kernel itself is never
    assigned, unlike in `keras.layers.SpectralNormalization`. Biases are not normalised, and there is no scale
    parameter.

    Args:
        layer: a Dense, Conv1D to Conv3D, Conv1DTranspose to Conv3DTranspose or Embedding layer, or a subclass of one.
            Its bias and its activation are not changed.
        power_iterations: power iterations per call, 1 or more.

    Returns:
        What the layer returns.

    Raises:
        ConfigurationError: a layer of another kind, or power_iterations below 1.

    Example:

    >>> dense = SpectralNormalization(keras.layers.Dense(1, use_bias=False))
    >>> dense.build((None, 2))
    >>> dense.layer.set_weights([np.array([[3.0], [4.0]])])  # sigma is 5
    >>> outputs = ops.convert_to_numpy(dense(np.ones((1, 2), "float32")))
    >>> round(float(outputs[0, 0]), 4)  # (3 + 4) / 5
    1.4

    Reference: Miyato et al., 2018, "Spectral normalization for generative adversarial networks", algorithm 1,
    https://arxiv.org/abs/1802.05957
    """

    def __init__(self, layer, power_iterations=1, **kwargs):
        if not isinstance(layer, (*_DIRECT, *_TRANSPOSED)):
            raise ConfigurationError(
                "Expected a Dense, Conv1D to Conv3D, Conv1DTranspose to Conv3DTranspose or Embedding layer, which has "
                f"one linear kernel. Received: {layer!r}. Wrap the layers inside it, or do not wrap it."
            )
        if not is_whole(power_iterations, 1):
            raise ConfigurationError(f"Expected power_iterations of 1 or more. Received: {power_iterations!r}.")
        super().__init__(layer, **{"dtype": layer.dtype_policy, **kwargs})
        self.power_iterations = power_iterations

    def build(self, input_shape):
        super().build(input_shape)
        self.u = self.add_weight(
            shape=(self._matrix().shape[0], 1),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            trainable=False,
            autocast=False,
            dtype="float32",
            name="u",
        )

    def _matrix(self):
        """The kernel as a float32 matrix (outputs, everything else)."""
        embedding = isinstance(self.layer, layers.Embedding)
        kernel = ops.cast(self.layer.embeddings if embedding else self.layer.kernel, "float32")
        if isinstance(self.layer, _TRANSPOSED):
            kernel = ops.swapaxes(kernel, -1, -2)
        return ops.transpose(ops.reshape(kernel, (-1, kernel.shape[-1])))

    def sigma(self, training=False):
        """The power method's estimate of the largest singular value, a float32 scalar; training updates u."""
        matrix = self._matrix()
        constant = ops.stop_gradient(matrix)
        u = _unit(ops.convert_to_tensor(self.u))
        for _ in range(self.power_iterations if training else 1):
            v = _unit(ops.matmul(ops.transpose(constant), u))
            u = _unit(ops.matmul(constant, v)) if training else u
        if training:
            self.u.assign(u)
        sigma = ops.sum(u * ops.matmul(matrix, v))
        return ops.where(sigma > _EPSILON, sigma, 1.0)  # a zero kernel is not divided

    def call(self, inputs, training=False):
        # The layer is linear in its inputs up to its bias, so (W / sigma) x + b is W (x / sigma) + b: the layer runs
        # unchanged, and W gets both parts of its gradient. An embedding's inputs are labels; its outputs are divided
        # instead.
        sigma = self.sigma(training)
        if isinstance(self.layer, layers.Embedding):
            return self._divided(self.layer(inputs), sigma)
        return ops.cast(self.layer(self._divided(inputs, sigma)), self.compute_dtype)

    def _divided(self, x, sigma):
        return ops.cast(ops.cast(x, "float32") / sigma, self.compute_dtype)  # in float32, so that sigma is not rounded

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {**super().get_config(), "power_iterations": self.power_iterations}


def _unit(vector):
    return vector / ops.maximum(ops.norm(vector), _EPSILON)
