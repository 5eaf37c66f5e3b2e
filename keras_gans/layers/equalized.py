"""Layers with an equalized learning rate: weights with a standard deviation of one, scaled whenever they are used."""

import math

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_number, is_whole


class _Equalized(keras.layers.Layer):
    """The weights of a layer, and how they are scaled."""

    def __init__(self, gain, learning_rate_multiplier, use_bias, bias_initializer, **kwargs):
        super().__init__(**kwargs)
        for name, number in (("gain", gain), ("learning_rate_multiplier", learning_rate_multiplier)):
            if not (is_number(number, 0.0) and number > 0.0):
                raise ConfigurationError(f"Expected a {name} above 0. Received: {number!r}.")
        self.gain, self.learning_rate_multiplier = gain, learning_rate_multiplier
        self.use_bias, self.bias_initializer = bool(use_bias), keras.initializers.get(bias_initializer)

    def _add_weights(self, shape):
        deviation = 1.0 / self.learning_rate_multiplier
        self.kernel = self.add_weight(
            shape=shape, initializer=keras.initializers.RandomNormal(stddev=deviation), name="kernel"
        )
        if self.use_bias:
            self.bias = self.add_weight(shape=shape[-1:], initializer=self.bias_initializer, name="bias")
        self.scale = self.gain * self.learning_rate_multiplier / math.sqrt(math.prod(shape[:-1]))

    def _biased(self, x):
        if not self.use_bias:
            return x
        bias = self.bias if self.learning_rate_multiplier == 1.0 else self.bias * self.learning_rate_multiplier
        return x + bias

    def get_config(self):
        own = {
            "gain": self.gain,
            "learning_rate_multiplier": self.learning_rate_multiplier,
            "use_bias": self.use_bias,
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="keras_gans")
class EqualizedDense(_Equalized):
    """A dense layer with an equalized learning rate.

        y = s W x + m b    with s = gain m / sqrt(inputs),    W from N(0, 1 / m^2),    m = learning_rate_multiplier.

    At first s W has a standard deviation of gain / sqrt(inputs), whatever m is. An optimizer that normalises gradients,
    such as Adam, moves all weights W by the same amount, so that no layer learns faster because it has more inputs.
    A step changes m b, and s W beside its deviation, m times as much as with m = 1.

    Args:
        units: outputs.
        gain: sqrt(2), He's constant for a rectifier, as in progressive growing. StyleGAN2's layers have 1, with the
            sqrt(2) behind the activation.
        learning_rate_multiplier: m, above 0; 0.01 in the mapping networks of StyleGAN.
        use_bias: whether there is b.
        bias_initializer: of b, which is used m times.

    Returns:
        (N, ..., units) for inputs (N, ..., inputs), in the layer's compute dtype.

    Raises:
        ConfigurationError: numbers out of range.

    Example:

    >>> dense = EqualizedDense(1, gain=1.0)
    >>> dense.build((None, 4))
    >>> dense.set_weights([np.ones((4, 1)), np.array([0.5])])
    >>> ops.convert_to_numpy(dense(np.ones((1, 4), "float32"))).tolist()     # 4 / sqrt(4) + 0.5
    [[2.5]]

    Reference: Karras et al., 2018, "Progressive growing of GANs for improved quality, stability, and variation",
    section 4.1, https://arxiv.org/abs/1710.10196; the multiplier in Karras et al., 2019,
    https://arxiv.org/abs/1812.04948
    """

    def __init__(
        self,
        units,
        gain=2.0**0.5,
        learning_rate_multiplier=1.0,
        use_bias=True,
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(gain, learning_rate_multiplier, use_bias, bias_initializer, **kwargs)
        if not is_whole(units, 1):
            raise ConfigurationError(f"Expected 1 or more units. Received: {units!r}.")
        self.units = units

    def build(self, input_shape):
        self._add_weights((input_shape[-1], self.units))
        self.built = True

    def call(self, inputs):
        return self._biased(ops.matmul(inputs, self.kernel * self.scale))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="keras_gans")
class EqualizedConv2D(_Equalized):
    """A convolution with an equalized learning rate; see `EqualizedDense`.

        y = s W * x + m b    with s = gain m / sqrt(height width channels) of the kernel W,    W from N(0, 1 / m^2).

    Args:
        filters: channels of the outputs.
        kernel_size: of the kernel (height, width, input channels, filters): a number, or (height, width).
        strides: a number, or one for each axis.
        padding: "same" or "valid", as in `keras.layers.Conv2D`.
        gain, learning_rate_multiplier, use_bias, bias_initializer: see `EqualizedDense`.

    Returns:
        (N, height, width, filters), in the layer's compute dtype.

    Raises:
        ConfigurationError: numbers out of range, or another padding.

    Example:

    >>> conv = EqualizedConv2D(1, 3, gain=1.0)
    >>> conv.build((None, 5, 5, 1))
    >>> conv.set_weights([np.ones((3, 3, 1, 1)), np.zeros(1)])
    >>> round(float(ops.convert_to_numpy(conv(np.ones((1, 5, 5, 1), "float32")))[0, 2, 2, 0]), 3)     # 9 / sqrt(9)
    3.0

    Reference: see `EqualizedDense`.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="same",
        gain=2.0**0.5,
        learning_rate_multiplier=1.0,
        use_bias=True,
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(gain, learning_rate_multiplier, use_bias, bias_initializer, **kwargs)
        if not is_whole(filters, 1):
            raise ConfigurationError(f"Expected 1 or more filters. Received: {filters!r}.")
        if padding not in ("same", "valid"):
            raise ConfigurationError(f"Expected the padding 'same' or 'valid'. Received: {padding!r}.")
        self.filters, self.padding = filters, padding
        self.kernel_size, self.strides = _pair("kernel_size", kernel_size), _pair("strides", strides)

    def build(self, input_shape):
        self._add_weights((*self.kernel_size, input_shape[-1], self.filters))
        self.built = True

    def call(self, inputs):
        return self._biased(
            ops.conv(inputs, self.kernel * self.scale, self.strides, self.padding, data_format="channels_last")
        )

    def compute_output_shape(self, input_shape):
        count, *sides, _ = input_shape
        lost = self.kernel_size if self.padding == "valid" else (1, 1)
        sides = [
            None if side is None else (side - size) // stride + 1
            for side, size, stride in zip(sides, lost, self.strides)
        ]
        return (count, *sides, self.filters)

    def get_config(self):
        own = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
        }
        return {**super().get_config(), **own}


def _pair(name, numbers):
    """A number for each axis of a map."""
    pair = tuple(numbers) if isinstance(numbers, (tuple, list)) else (numbers, numbers)
    if len(pair) != 2 or not all(is_whole(number, 1) for number in pair):
        raise ConfigurationError(f"Expected {name} of 1 or more, a number or two. Received: {numbers!r}.")
    return pair
