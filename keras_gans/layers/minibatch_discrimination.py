"""Minibatch discrimination."""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_whole


@keras.saving.register_keras_serializable(package="keras_gans")
class MinibatchDiscrimination(keras.layers.Layer):
    """Appends to each example's features their similarity to those of the other examples of the batch.

    A discriminator that sees the whole batch notices a generator that repeats one image. With features f(x_i) of A
    numbers and a learned tensor T of shape (A, kernels, dims):

        M_i = f(x_i) T,    o_b(x_i) = sum_j exp(-|M_ib - M_jb|_1),    outputs: [f(x_i), o(x_i)],

    where the sum is over the whole batch, including the example itself, as in the paper. (The authors' code excludes
    the example, adds a learned bias, normalises T and sets its scale from data.) Real and generated images are passed
    in separate batches. When several devices share a batch, each compares only its own share.

    The layer costs batch^2 * kernels * dims operations. It compares the dims one after another, so that memory is of
    the order of batch^2 * kernels.

    Args:
        kernels: number of similarities to append; 100 in the authors' code for CIFAR-10, 300 for ImageNet.
        dims: number of values that a kernel compares; 5 for CIFAR-10 and 50 for ImageNet in that code.
        kernel_initializer: initializer of T; by default N(0, 0.05), as in the authors' code.

    Returns:
        (N, A + kernels) for inputs (N, A). For a batch of n equal examples all similarities are n; for examples far
        apart they are 1.

    Raises:
        ConfigurationError: inputs that are not (N, A), or sizes below 1.

    Example:

    >>> layer = MinibatchDiscrimination(kernels=2, dims=3)
    >>> ops.convert_to_numpy(layer(np.ones((4, 1), "float32"))).tolist()[0]
    [1.0, 4.0, 4.0]

    Reference: Salimans et al., 2016, "Improved techniques for training GANs", section 3.2,
    https://arxiv.org/abs/1606.03498; code: https://github.com/openai/improved-gan
    """

    def __init__(self, kernels=100, dims=5, kernel_initializer=None, **kwargs):
        super().__init__(**kwargs)
        if not all(is_whole(size, 1) for size in (kernels, dims)):
            raise ConfigurationError(f"Expected kernels and dims of 1 or more. Received: {kernels!r} and {dims!r}.")
        self.kernels, self.dims = kernels, dims
        initializer = kernel_initializer or keras.initializers.RandomNormal(stddev=0.05)
        self.kernel_initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        if len(input_shape) != 2:
            raise ConfigurationError(
                f"Expected features (N, A). Received: inputs of shape {tuple(input_shape)}. Put a Flatten or a pooling "
                "layer before this one."
            )
        # Ordered by dims first: the kernels of one dim are neighbours.
        self.tensor = self.add_weight(
            shape=(input_shape[-1], self.dims * self.kernels), initializer=self.kernel_initializer, name="tensor"
        )

    def call(self, inputs):
        matrices = ops.cast(ops.matmul(inputs, self.tensor), "float32")  # their differences need the precision
        distances = 0.0
        for of_dim in ops.split(matrices, self.dims, axis=1):
            one, other = of_dim[:, None], of_dim[None]
            # |a - b|, written so that the gradient stores a and b, (N, kernels), and not a - b, (N, N, kernels).
            distances += 2.0 * ops.maximum(one, other) - one - other
        similarities = ops.sum(ops.exp(-distances), axis=1)
        return ops.concatenate([inputs, ops.cast(similarities, inputs.dtype)], axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[1] + self.kernels)

    def get_config(self):
        return {
            **super().get_config(),
            "kernels": self.kernels,
            "dims": self.dims,
            "kernel_initializer": keras.saving.serialize_keras_object(self.kernel_initializer),
        }
