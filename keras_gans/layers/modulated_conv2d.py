"""Convolutions whose input channels a style scales."""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers.fir_resampling import blurred
from keras_gans_core.checks import is_whole

EPSILON = 1e-8


@keras.saving.register_keras_serializable(package="keras_gans")
class ModulatedConv2D(keras.layers.Layer):
    """A convolution whose kernel is scaled for each example, by its style, and then normalised.

    For an example with the style s, one number for each input channel, and the kernel W (height, width, in, out):

        W' = s_in W,    W'' = W' / sqrt(sum over height, width and in of W'^2 + 1e-8),    y = W'' * x + b.

    W'' takes the place of an instance normalization: if the inputs have variance 1, so have the outputs, whatever the
    style is. W begins as N(0, 1). Instead of a kernel for each example, which needs a grouped convolution, the inputs
    are scaled by s and the outputs by the root: the same numbers, with one convolution for the batch.

    With `upsample` the map becomes twice as large: a transposed convolution of stride 2, then the filter [1, 3, 3, 1]
    of `FIRUpsampling2D`, as in the authors' code. Like there, W is then applied as a convolution,
    y[2 i + k] += W[k] x[i], and without `upsample` as a correlation, which other libraries call convolution.

    Args:
        filters: channels of the outputs.
        kernel_size: height and width of the kernel, odd. 3 in the paper, and 1 in the layers that make images.
        demodulate: whether W' is normalised. The layers that make images have W' itself, and styles that are divided by
            sqrt(in).
        upsample: whether the map becomes twice as large, for a kernel_size of 3.
        use_bias: whether there is b.

    Call arguments:
        inputs: [x (N, height, width, in), styles (N, in)].

    Returns:
        (N, height, width, filters), or twice the height and width, in the layer's compute dtype.

    Raises:
        ConfigurationError: numbers out of range, or an `upsample` with another kernel.

    Example: ten times the style, the same outputs.

    >>> x = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("float32")
    >>> conv, styles = ModulatedConv2D(3), np.ones((2, 4), "float32")
    >>> first, second = (ops.convert_to_numpy(conv([x, s])) for s in (styles, 10.0 * styles))
    >>> bool(np.allclose(first, second, atol=1e-4))
    True

    Reference: Karras et al., 2020, "Analyzing and improving the image quality of StyleGAN", section 2.2,
    https://arxiv.org/abs/1912.04958
    """

    def __init__(self, filters, kernel_size=3, demodulate=True, upsample=False, use_bias=False, **kwargs):
        super().__init__(**kwargs)
        if not is_whole(filters, 1) or not is_whole(kernel_size, 1) or kernel_size % 2 == 0:
            raise ConfigurationError(
                "Expected filters of 1 or more and an odd kernel_size. Received: "
                f"filters={filters!r} and kernel_size={kernel_size!r}."
            )
        if upsample and kernel_size != 3:
            raise ConfigurationError(f"Expected a kernel_size of 3 with upsample. Received: {kernel_size!r}.")
        self.filters, self.kernel_size = filters, kernel_size
        self.demodulate, self.upsample, self.use_bias = bool(demodulate), bool(upsample), bool(use_bias)

    def build(self, input_shape):
        maps, styles = input_shape
        if maps[-1] != styles[-1]:
            raise ConfigurationError(
                f"Expected styles with a number for each of the {maps[-1]} channels. Received: {styles[-1]}."
            )
        self.kernel = self.add_weight(
            shape=(self.kernel_size, self.kernel_size, maps[-1], self.filters),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.built = True

    def call(self, inputs):
        x, styles = inputs
        x = x * styles[:, None, None, :]
        if self.upsample:
            kernel = ops.transpose(self.kernel, (0, 1, 3, 2))
            x = ops.conv_transpose(x, kernel, strides=2, padding="valid", data_format="channels_last")
            x = blurred(x, 1, gain=4.0)
        else:
            x = ops.conv(x, self.kernel, padding="same", data_format="channels_last")
        if self.demodulate:
            # In float32: squares of small numbers vanish in float16.
            squares = ops.sum(ops.square(ops.cast(self.kernel, "float32")), axis=(0, 1))
            sums = ops.matmul(ops.square(ops.cast(styles, "float32")), squares)
            x = x * ops.cast(ops.rsqrt(sums + EPSILON), x.dtype)[:, None, None, :]
        return x + self.bias if self.use_bias else x

    def compute_output_shape(self, input_shape):
        count, height, width, _ = input_shape[0]
        scale = 2 if self.upsample else 1
        return (count, height and scale * height, width and scale * width, self.filters)

    def compute_output_spec(self, inputs):
        shape = self.compute_output_shape([tensor.shape for tensor in inputs])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        own = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "demodulate": self.demodulate,
            "upsample": self.upsample,
            "use_bias": self.use_bias,
        }
        return {**super().get_config(), **own}
