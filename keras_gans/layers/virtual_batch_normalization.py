"""Virtual batch normalization, and the reference batch that it normalises by.

The reference batch is saved with the network as a weight of its first layer and goes through the network with every
batch, in front of it, so that each normalization finds the reference's present activations in its first rows:

    inputs = keras.Input((100,))
    x = ReferenceBatch(64)(inputs)                        # (64 + N, 100)
    x = keras.layers.Dense(128)(x)
    x = keras.layers.ReLU()(VirtualBatchNormalization(64)(x))
    x = keras.layers.Dense(784, activation="tanh")(x)
    outputs = WithoutReferenceBatch(64)(x)                # (N, 784)

There is nothing to update and nothing to forget: the statistics are those of the weights as they are, in training and
in inference, and the gradient goes through them. The layers between must treat each example by itself. The price is a
pass of the reference batch with every batch.
"""

import keras
import numpy as np
from keras import ops

from keras_gans.data.checks import is_number, is_whole
from keras_gans.errors import ConfigurationError
from keras_gans.layers.inner import inner_layers


def _checked_size(size):
    if not is_whole(size, 1):
        raise ConfigurationError(f"Expected a reference batch of 1 example or more. Received: reference_size={size!r}.")
    return size


def check_reference_batch(name, network):
    """Refuses a network in which virtual batch normalization would not find its reference batch.

    Args:
        name: of the network, for the error.
        network: a Keras model.

    Raises:
        ConfigurationError: layers of two sizes, or without a `ReferenceBatch` before and a `WithoutReferenceBatch`
            behind them.
    """
    kinds = (ReferenceBatch, VirtualBatchNormalization, WithoutReferenceBatch)
    found = [layer for layer in inner_layers(network) if isinstance(layer, kinds)]
    counts = [sum(isinstance(layer, kind) for layer in found) for kind in kinds]
    sizes = sorted({layer.reference_size for layer in found})
    if found and (len(sizes) > 1 or counts[0] != 1 or counts[2] != 1):
        raise ConfigurationError(
            f"Expected {name} to have one ReferenceBatch and one WithoutReferenceBatch around its layers of "
            f"VirtualBatchNormalization, all of one reference_size. Received: {counts[0]}, {counts[2]} and "
            f"{counts[1]} of them, of the sizes {sizes}."
        )


@keras.saving.register_keras_serializable(package="keras_gans")
class ReferenceBatch(keras.layers.Layer):
    """Puts the reference batch, a fixed weight, in front of every batch.

    Args:
        reference_size: n, how many examples it has.
        initializer: what they are drawn from, once: by default N(0, 1), the prior of most generators. For a network of
            images, `assign` real ones.

    Returns:
        (n + N, ...) for inputs (N, ...).

    Raises:
        ConfigurationError: reference_size below 1.

    Example:

    >>> reference = ReferenceBatch(3)
    >>> reference(np.zeros((2, 4), "float32")).shape[0]
    5
    """

    def __init__(self, reference_size, initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.reference_size = _checked_size(reference_size)
        self.initializer = keras.initializers.get(initializer or keras.initializers.RandomNormal(stddev=1.0))

    def build(self, input_shape):
        self.reference = self.add_weight(
            shape=(self.reference_size, *input_shape[1:]),
            initializer=self.initializer,
            trainable=False,
            name="reference",
        )

    def assign(self, examples):
        """Makes `examples`, (n, ...) as the layer's inputs, the reference batch: an array, a tensor or lists.

        Raises:
            ConfigurationError: examples of another shape or that are no finite numbers, or a layer that is not built.
        """
        if not self.built:
            raise ConfigurationError("Expected a built layer. Call build(input_shape) or put it into a network first.")
        expected = tuple(self.reference.shape)
        try:
            examples = np.asarray(ops.convert_to_numpy(examples), "float64")
        except (TypeError, ValueError):
            raise ConfigurationError(
                f"Expected a reference batch of numbers, of shape {expected}. Received: a {type(examples).__name__} "
                "that is no array of numbers. Give an array, a tensor or lists of equal lengths."
            ) from None
        if examples.shape != expected:
            raise ConfigurationError(
                f"Expected a reference batch of shape {expected}. Received: {examples.shape}. "
                "Give as many examples as reference_size, each of the shape of the layer's inputs."
            )
        bad = int((~np.isfinite(examples)).sum())
        if bad:
            raise ConfigurationError(
                f"Expected a reference batch of finite numbers. Received: {bad} of {examples.size} that are NaN or "
                "infinite. Every output would be: leave such examples out."
            )
        self.reference.assign(examples)

    def call(self, inputs):
        return ops.concatenate([ops.cast(self.reference, inputs.dtype), inputs])

    def compute_output_shape(self, input_shape):
        count = input_shape[0]
        return (None if count is None else self.reference_size + count, *input_shape[1:])

    def get_config(self):
        initializer = keras.saving.serialize_keras_object(self.initializer)
        return {**super().get_config(), "reference_size": self.reference_size, "initializer": initializer}


@keras.saving.register_keras_serializable(package="keras_gans")
class WithoutReferenceBatch(keras.layers.Layer):
    """Takes the rows of the reference batch away again: (N, ...) for inputs (n + N, ...).

    Args:
        reference_size: n.

    Example:

    >>> WithoutReferenceBatch(3)(np.zeros((5, 4), "float32")).shape[0]
    2
    """

    def __init__(self, reference_size, **kwargs):
        super().__init__(**kwargs)
        self.reference_size = _checked_size(reference_size)

    def call(self, inputs):
        return inputs[self.reference_size :]

    def compute_output_shape(self, input_shape):
        count = input_shape[0]
        return (None if count is None else count - self.reference_size, *input_shape[1:])

    def get_config(self):
        return {**super().get_config(), "reference_size": self.reference_size}


@keras.saving.register_keras_serializable(package="keras_gans")
class VirtualBatchNormalization(keras.layers.Layer):
    """Normalises each example by the reference batch and itself; other examples of its batch play no part.

    With the means m_R of x and q_R of x^2 over the reference batch and space, and those of the example over space,

        w = 1 / (n + 1),    m = w mean(x) + (1 - w) m_R,    q = w mean(x^2) + (1 - w) q_R,
        y = gamma (x - m) / sqrt(epsilon + q - m^2) + beta.

    The reference examples themselves are normalised by m_R and q_R, as by batch normalization.

    Args:
        reference_size: n; the first n rows of the inputs are the reference batch, as `ReferenceBatch` puts them. The
            same number in all of a network's layers.
        epsilon: in the root, above 0.
        gamma_initializer: of the scale, one a channel (last axis); N(1, 0.02) in the authors' code.
        beta_initializer: of the offset.

    Returns:
        (n + N, ..., channels), like the inputs.

    Raises:
        ConfigurationError: numbers out of range, or a batch too small to hold the reference.

    Example: a reference of 0 and an example of 2 have the mean 1 and the variance 1.

    >>> layer = VirtualBatchNormalization(1, epsilon=1e-9, gamma_initializer="ones")
    >>> outputs = layer(np.array([[0.0], [2.0]], "float32"))
    >>> [round(float(y), 4) for y in ops.convert_to_numpy(outputs)[:, 0]]
    [0.0, 1.0]

    Reference: Salimans et al., 2016, "Improved techniques for training GANs", section 3.5,
    https://arxiv.org/abs/1606.03498; the weights are those of the code, https://github.com/openai/improved-gan
    """

    def __init__(self, reference_size, epsilon=1e-5, gamma_initializer=None, beta_initializer="zeros", **kwargs):
        super().__init__(**kwargs)
        if not (is_number(epsilon, 0.0) and epsilon > 0.0):
            raise ConfigurationError(f"Expected an epsilon that is a number above 0. Received: {epsilon!r}.")
        self.reference_size, self.epsilon = _checked_size(reference_size), epsilon
        self.gamma_initializer = keras.initializers.get(
            gamma_initializer or keras.initializers.RandomNormal(mean=1.0, stddev=0.02)
        )
        self.beta_initializer = keras.initializers.get(beta_initializer)

    def build(self, input_shape):
        self.gamma = self.add_weight(shape=input_shape[-1:], initializer=self.gamma_initializer, name="gamma")
        self.beta = self.add_weight(shape=input_shape[-1:], initializer=self.beta_initializer, name="beta")

    def call(self, inputs):
        size, rows = self.reference_size, inputs.shape[0]
        if rows is not None and rows < size:
            raise ConfigurationError(
                f"Expected the {size} examples of the reference batch before the batch. Received: {rows} rows. Put "
                f"ReferenceBatch({size}) at the network's start."
            )
        x = ops.cast(inputs, "float32")
        space = tuple(range(1, len(inputs.shape) - 1))
        mean = ops.mean(x, axis=space, keepdims=True)  # of each example
        variance = ops.mean(ops.square(x - mean), axis=space, keepdims=True)
        reference_mean = ops.mean(mean[:size], axis=0, keepdims=True)
        reference_variance = ops.mean(ops.square(x[:size] - reference_mean), axis=(0, *space), keepdims=True)
        own = ops.arange(ops.shape(inputs)[0]) >= size  # the reference has no share but its own
        weight = ops.reshape(ops.cast(own, "float32") / (size + 1.0), (-1, *(1 for _ in inputs.shape[1:])))
        # q - m^2 as the variance of a mixture, which no rounding makes negative.
        between = weight * (1.0 - weight) * ops.square(mean - reference_mean)
        variance = weight * variance + (1.0 - weight) * reference_variance + between
        mean = weight * mean + (1.0 - weight) * reference_mean
        y = (x - mean) * ops.rsqrt(variance + self.epsilon)
        return ops.cast(ops.cast(self.gamma, "float32") * y + ops.cast(self.beta, "float32"), inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "reference_size": self.reference_size,
            "epsilon": self.epsilon,
            "gamma_initializer": keras.saving.serialize_keras_object(self.gamma_initializer),
            "beta_initializer": keras.saving.serialize_keras_object(self.beta_initializer),
        }
