"""Weight normalization of a layer, and the initialization of its scales from data."""

import keras
from keras import layers, ops

from keras_gans.errors import ConfigurationError

_EPSILON = 1e-12


@keras.saving.register_keras_serializable(package="keras_gans")
class WeightNormalization(layers.Wrapper):
    """A layer whose kernel V is replaced by g V / |V|, with one norm |V| and one scale g for each output.

    y = (g / |V|) (V x) + b, with V the wrapped layer's kernel. The length and the direction of the weights are learned
    separately: V / |V| has norm one, whatever the optimizer does to V.

    Args:
        layer: Dense or Conv1D to Conv3D with `use_bias=False` and no activation. This layer has the bias b; put an
            activation after it.
        train_scale: whether g is learned; otherwise it stays at one, or at the value from `initialize_from_data`.

    Returns:
        What the layer returns.

    Raises:
        ConfigurationError: another kind of layer, or one with a bias or an activation.

    Example:

    >>> dense = WeightNormalization(keras.layers.Dense(1, use_bias=False))
    >>> dense.build((None, 2))
    >>> dense.layer.set_weights([np.array([[3.0], [4.0]])])     # the norm is 5
    >>> round(float(ops.convert_to_numpy(dense(np.ones((1, 2), "float32")))[0, 0]), 4)     # (3 + 4) / 5
    1.4

    Reference: Salimans and Kingma, 2016, "Weight normalization", https://arxiv.org/abs/1602.07868
    """

    def __init__(self, layer, train_scale=True, **kwargs):
        if not isinstance(layer, (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D)):
            raise ConfigurationError(f"Expected a Dense or Conv1D to Conv3D layer. Received: {layer!r}.")
        if layer.use_bias or layer.activation is not keras.activations.linear:
            raise ConfigurationError(
                "Expected a layer with use_bias=False and without an activation. "
                f"Received: {layer!r}, use_bias={layer.use_bias}, activation={layer.activation.__name__}. "
                "The wrapper has its own bias; put the activation after it."
            )
        super().__init__(layer, **{"dtype": layer.dtype_policy, **kwargs})
        self.train_scale = bool(train_scale)

    def build(self, input_shape):
        super().build(input_shape)
        count = self.layer.kernel.shape[-1]
        self.scale = self.add_weight(shape=(count,), initializer="ones", trainable=self.train_scale, name="scale")
        self.bias = self.add_weight(shape=(count,), initializer="zeros", name="bias")

    def call(self, inputs):
        kernel = ops.cast(self.layer.kernel, "float32")
        norm = ops.sqrt(ops.maximum(ops.sum(ops.square(kernel), axis=list(range(len(kernel.shape) - 1))), _EPSILON))
        factor = ops.cast(ops.cast(self.scale, "float32") / norm, self.compute_dtype)
        return ops.cast(self.layer(inputs), self.compute_dtype) * factor + self.bias

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {**super().get_config(), "train_scale": self.train_scale}


def initialize_from_data(network, images):
    """Sets scales and biases so that each output of each `WeightNormalization` has mean 0 and variance 1 on `images`.

    The layers are visited in order, each after those before it are set. The passes use `training=True`, so that noise
    layers and batch normalization work as in training.

    Args:
        network: a built functional or sequential model with `WeightNormalization` layers.
        images: a batch of some hundred inputs, in the form that the network takes.

    Raises:
        ConfigurationError: a network without such layers.

    Example:

    >>> dense = WeightNormalization(keras.layers.Dense(2, use_bias=False))
    >>> network = keras.Sequential([keras.Input((3,)), dense])
    >>> initialize_from_data(network, np.random.default_rng(0).uniform(size=(100, 3)))
    >>> outputs = ops.convert_to_numpy(network(np.random.default_rng(0).uniform(size=(100, 3))))
    >>> bool(np.allclose(outputs.mean(0), 0, atol=1e-5) and np.allclose(outputs.std(0), 1, atol=1e-4))
    True

    Reference: Salimans and Kingma, 2016, section 3, https://arxiv.org/abs/1602.07868
    """
    found = [layer for layer in network.layers if isinstance(layer, WeightNormalization)]
    if not found:
        raise ConfigurationError(f"Expected a network with WeightNormalization layers. Received: {network.name!r}.")
    for layer in found:
        outputs = keras.Model(network.inputs[0], layer.output)(images, training=True)
        outputs = ops.cast(outputs, "float32")
        mean, variance = ops.moments(outputs, axes=list(range(len(outputs.shape) - 1)))
        # An output that is the same for all images has no variance to set.
        factor = ops.where(variance > 1e-8, ops.rsqrt(ops.maximum(variance, 1e-8)), 1.0)
        layer.scale.assign(layer.scale * factor)
        layer.bias.assign((layer.bias - mean) * factor)
