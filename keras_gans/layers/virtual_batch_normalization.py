"""Virtual batch normalization and its reference batch.

The reference batch is saved with the network as a weight of its first layer. It is put in front of every batch and goes
through the network with it, so that each normalization finds the reference's current activations in its first rows:

    inputs = keras.Input((100,))
    x = ReferenceBatch(64)(inputs)                        # (64 + N, 100)
    x = keras.layers.Dense(128)(x)
    x = keras.layers.ReLU()(VirtualBatchNormalization(64)(x))
    x = keras.layers.Dense(784, activation="tanh")(x)
    outputs = WithoutReferenceBatch(64)(x)                # (N, 784)

There are no moving averages: the statistics always come from the current weights, in training and in inference, and the
gradient flows through them. The layers in between must treat each example independently. The cost is one pass of the
reference batch with every batch.
"""

import keras
import numpy as np
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers.inner import inner_layers
from keras_gans_core.checks import is_number, is_whole


def _checked_size(size):
    if not is_whole(size, 1):
        raise ConfigurationError(f"Expected a reference batch of 1 example or more. Received: reference_size={size!r}.")
    return size


def check_reference_batch(name, network):
    """Refuses a network in which virtual batch normalization cannot find its reference batch.

    Args:
        name: the network's name, for the error.
        network: a Keras model.

    Raises:
        ConfigurationError: layers with different sizes, or without a `ReferenceBatch` before and a
            `WithoutReferenceBatch` after them.
    """
    kinds = (ReferenceBatch, VirtualBatchNormalization, WithoutReferenceBatch)
    found = [layer for layer in inner_layers(network) if isinstance(layer, kinds)]
    counts = [sum(isinstance(layer, kind) for layer in found) for kind in kinds]
    sizes = sorted({layer.reference_size for layer in found})
    if found and (len(sizes) > 1 or counts[0] != 1 or counts[2] != 1):
        raise ConfigurationError(
            f"Expected {name} to have one ReferenceBatch and one WithoutReferenceBatch around its "
            f"VirtualBatchNormalization layers, all with one reference_size. Received: {counts[0]} ReferenceBatch, "
            f"{counts[2]} WithoutReferenceBatch and {counts[1]} VirtualBatchNormalization, with the sizes {sizes}."
        )


@keras.saving.register_keras_serializable(package="keras_gans")
class ReferenceBatch(keras.layers.Layer):
    """Puts the reference batch, a fixed weight, in front of every batch.

    Args:
        reference_size: n, the number of examples in it.
        initializer: the distribution from which they are drawn once; by default N(0, 1), the prior of most generators.
            For a network that takes images, `assign` real ones.

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
        """Sets the reference batch to `examples`, (n, ...) like the layer's inputs: an array, a tensor or lists.

        Raises:
            ConfigurationError: examples of another shape or with values that are not finite, or a layer that is not
                built.
        """
        if not self.built:
            raise ConfigurationError("Expected a built layer. Call build(input_shape) or put it into a network first.")
        expected = tuple(self.reference.shape)
        try:
            examples = np.asarray(ops.convert_to_numpy(examples), "float64")
        except (TypeError, ValueError):
            raise ConfigurationError(
                f"Expected a reference batch of numbers, of shape {expected}. Received: a {type(examples).__name__} "
                "that does not convert to an array of numbers. Give an array, a tensor or lists of equal lengths."
            ) from None
        if examples.shape != expected:
            raise ConfigurationError(
                f"Expected a reference batch of shape {expected}. Received: {examples.shape}. "
                "Give reference_size examples, each with the shape of the layer's inputs."
            )
        bad = int((~np.isfinite(examples)).sum())
        if bad:
            raise ConfigurationError(
                f"Expected a reference batch of finite numbers. Received: {bad} of {examples.size} that are NaN or "
                "infinite. They would spread to every output: leave such examples out."
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
    """Removes the rows of the reference batch: (N, ...) for inputs (n + N, ...).

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
    """Normalises each example with the reference batch and itself; the other examples of its batch have no effect.

    With the means m_R of x and q_R of x^2 over the reference batch and all positions, and the example's means over all
    positions,

        w = 1 / (n + 1),    m = w mean(x) + (1 - w) m_R,    q = w mean(x^2) + (1 - w) q_R,
        y = gamma (x - m) / sqrt(epsilon + q - m^2) + beta.

    The reference examples themselves are normalised with m_R and q_R, as in batch normalization.

    Args:
        reference_size: n; the first n rows of the inputs are the reference batch, put there by `ReferenceBatch`. It is
            the same number in all layers of a network.
        epsilon: added to the variance, above 0.
        gamma_initializer: initializer of the scale, one per channel (last axis); N(1, 0.02) in the authors' code.
        beta_initializer: initializer of the offset.

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
    https://arxiv.org/abs/1606.03498; the weights w and 1 - w follow the code, https://github.com/openai/improved-gan
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
        own = ops.arange(ops.shape(inputs)[0]) >= size  # reference examples use the reference's statistics only
        weight = ops.reshape(ops.cast(own, "float32") / (size + 1.0), (-1, *(1 for _ in inputs.shape[1:])))
        # q - m^2, computed as the variance of a mixture, which rounding cannot make negative.
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
