"""Resampling by the filter [1, 3, 3, 1]: twice as large, or half as large, without the artefacts of strides alone."""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_whole


def _padded(x, padding):
    """Maps (N, height, width, channels) with `padding` zeros on each side."""
    return ops.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))


def _averaged(x, *strides):
    """Maps under the filter [1, 1] / 2 along each axis, once for each stride.

    Three times is [1, 3, 3, 1] / 8. Pooling has fast kernels on CPUs: shifts and sums take up to ten times as long.
    """
    for stride in strides:
        x = ops.average_pool(x, 2, strides=stride, padding="valid", data_format="channels_last")
    return x


def blurred(x, padding, gain=1.0):
    """Maps (N, height, width, channels) with `padding` zeros on each side, under the filter [1, 3, 3, 1] / 8 along each
    axis, times `gain`: sides become longer by 2 padding - 3."""
    x = _averaged(_padded(x, padding), 1, 1, 1)
    return x if gain == 1.0 else gain * x


@keras.saving.register_keras_serializable(package="keras_gans")
class FIRBlur2D(keras.layers.Layer):
    """The filter [1, 3, 3, 1] / 8 along each axis, with zeros beyond the border.

    Before a convolution of stride 2 it keeps what the stride would alias. StyleGAN2's discriminator has it with
    padding=2 before its 3x3 convolutions of stride 2 without padding, which halve a map together.

    Args:
        padding: zeros on each side, 0 or more; the filter is four long, so each side becomes longer by 2 padding - 3.

    Returns:
        (N, height + 2 padding - 3, width + 2 padding - 3, channels), in the layer's compute dtype.

    Raises:
        ConfigurationError: a padding below 0.

    Example:

    >>> FIRBlur2D(padding=2)(np.ones((1, 8, 6, 3), "float32")).shape[1:] == (9, 7, 3)
    True

    Reference: see `FIRUpsampling2D`.
    """

    def __init__(self, padding=2, **kwargs):
        super().__init__(**kwargs)
        if not is_whole(padding, 0):
            raise ConfigurationError(f"Expected a padding of 0 or more. Received: {padding!r}.")
        self.padding = padding

    def call(self, inputs):
        return blurred(inputs, self.padding)

    def compute_output_shape(self, input_shape):
        count, height, width, channels = input_shape
        more = 2 * self.padding - 3
        return (count, height and height + more, width and width + more, channels)

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}


@keras.saving.register_keras_serializable(package="keras_gans")
class FIRUpsampling2D(keras.layers.Layer):
    """Makes maps twice as large: zeros between the pixels, then the filter [1, 3, 3, 1] / 4 along each axis.

        y[2 i] = (x[i - 1] + 3 x[i]) / 4,    y[2 i + 1] = (3 x[i] + x[i + 1]) / 4,    with zeros beyond the border.

    This is a transposed convolution of stride 2, as `upsample2d` of StyleGAN2 and R3GAN. It has no weights.

    Returns:
        (N, 2 height, 2 width, channels), in the layer's compute dtype.

    Example:

    >>> FIRUpsampling2D()(np.ones((1, 3, 4, 2), "float32")).shape[1:] == (6, 8, 2)
    True

    Reference: Karras et al., 2020, https://arxiv.org/abs/1912.04958; Huang et al., 2024,
    https://arxiv.org/abs/2501.05441
    """

    def call(self, inputs):
        # Zeros between the pixels under [1, 1] are the pixels repeated; [1, 2, 1] / 4 is what is left of the filter.
        return _averaged(_padded(ops.repeat(ops.repeat(inputs, 2, axis=1), 2, axis=2), 1), 1, 1)

    def compute_output_shape(self, input_shape):
        count, height, width, channels = input_shape
        return (count, height and 2 * height, width and 2 * width, channels)


@keras.saving.register_keras_serializable(package="keras_gans")
class FIRDownsampling2D(keras.layers.Layer):
    """Makes maps of an even height and width half as large: the filter [1, 3, 3, 1] / 8 along each axis, every second
    value.

        y[i] = (x[2 i - 1] + 3 x[2 i] + 3 x[2 i + 1] + x[2 i + 2]) / 8,    with zeros beyond the border.

    It has no weights.

    Raises:
        ConfigurationError: an odd height or width.

    Returns:
        (N, height / 2, width / 2, channels), in the layer's compute dtype.

    Example:

    >>> FIRDownsampling2D()(np.ones((1, 6, 8, 2), "float32")).shape[1:] == (3, 4, 2)
    True

    Reference: see `FIRUpsampling2D`.
    """

    def call(self, inputs):
        self.compute_output_shape(inputs.shape)
        return _averaged(_padded(inputs, 1), 1, 1, 2)

    def compute_output_shape(self, input_shape):
        count, height, width, channels = input_shape
        if any(side is not None and side % 2 for side in (height, width)):
            raise ConfigurationError(f"Expected maps of an even height and width. Received: {height}x{width}.")
        return (count, height and height // 2, width and width // 2, channels)
