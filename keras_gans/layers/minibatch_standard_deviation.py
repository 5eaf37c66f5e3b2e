"""The minibatch standard deviation."""

import math

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_whole


@keras.saving.register_keras_serializable(package="keras_gans")
class MinibatchStandardDeviation(keras.layers.Layer):
    """Appends one feature map that tells the discriminator how much the images of a group differ.

    The batch is split into groups of `group_size`. For each group

        s = mean over positions and channels of sqrt(variance over the group + 1e-8),

    and s fills an extra channel of all of the group's images. Images i, i + M, i + 2M, ... form one group, where M is
    the number of groups. If group_size does not divide the batch, there are M = ceil(N / group_size) groups whose sizes
    differ by at most one; a batch smaller than group_size is one group. (The authors' code requires that group_size
    divides the batch.) A group of one image, or of equal images, has s = 1e-4, the square root of the constant.

    Args:
        group_size: images per group, 1 or more; 4 in the paper's code.

    Returns:
        (N, ..., C + 1) for inputs (N, ..., C); the map is the last channel.

    Raises:
        ConfigurationError: group_size below 1.

    Example: two images whose pixels are 1 and 3 differ from their mean, 2, by 1.

    >>> images = np.reshape([1.0, 3.0], (2, 1, 1, 1)).astype("float32") * np.ones((2, 4, 4, 1), "float32")
    >>> outputs = ops.convert_to_numpy(MinibatchStandardDeviation()(images))
    >>> outputs.shape, round(outputs[0, 0, 0, 1].item(), 4)
    ((2, 4, 4, 2), 1.0)

    Reference: Karras et al., 2018, "Progressive growing of GANs for improved quality, stability, and variation",
    section 3, https://arxiv.org/abs/1710.10196
    """

    def __init__(self, group_size=4, **kwargs):
        super().__init__(**kwargs)
        if not is_whole(group_size, 1):
            raise ConfigurationError(f"Expected a group_size of 1 or more. Received: {group_size!r}.")
        self.group_size = group_size

    def call(self, inputs):
        count, size = ops.shape(inputs)[0], math.prod(inputs.shape[1:])
        groups = -(-count // self.group_size)
        empty = self.group_size * groups - count
        # Every group gets `group_size` slots; empty slots have weight 0.
        images = ops.reshape(ops.cast(inputs, "float32"), (count, size))
        images = ops.concatenate([images, ops.zeros((empty, size))])
        images = ops.reshape(images, (self.group_size, groups, size))
        weights = ops.cast(ops.arange(self.group_size * groups) < count, "float32")
        weights = ops.reshape(weights, (self.group_size, groups, 1))
        weights /= ops.sum(weights, axis=0)
        deviations = images - ops.sum(weights * images, axis=0)
        variances = ops.sum(weights * ops.square(deviations), axis=0)
        statistic = ops.mean(ops.sqrt(variances + 1e-8), axis=-1)  # the constant also keeps the gradient finite
        statistic = ops.tile(statistic, (self.group_size,))[:count]
        statistic = ops.reshape(statistic, (count, *(1 for _ in inputs.shape[1:])))
        extra = ops.zeros_like(inputs[..., :1]) + ops.cast(statistic, inputs.dtype)
        return ops.concatenate([inputs, extra], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 1)

    def get_config(self):
        return {**super().get_config(), "group_size": self.group_size}
