"""Modulated convolutions against a kernel for each example, and the sums of the published resampling by hand."""

import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import FIRBlur2D, ModulatedConv2D

KERNEL = np.array([1.0, 3.0, 3.0, 1.0])


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def built(channels, filters, **options):
    layer = ModulatedConv2D(filters, **options)
    layer.build([(None, 4, 4, channels), (None, channels)])
    return layer, ops.convert_to_numpy(layer.kernel).astype("float64")


def kernels_of(kernel, styles, demodulate):
    """The kernel of each example: (N, height, width, in, out)."""
    kernels = kernel[None] * styles.astype("float64")[:, None, None, :, None]
    if demodulate:
        kernels /= np.sqrt((kernels**2).sum(axis=(1, 2, 3), keepdims=True) + 1e-8)
    return kernels


def correlated(x, kernel):
    """ "Same" correlation of one image (height, width, in) with a kernel."""
    size, (height, width, _) = len(kernel) // 2, x.shape
    padded = np.pad(x.astype("float64"), ((size, size), (size, size), (0, 0)))
    parts = [
        np.einsum("hwi,io->hwo", padded[r : r + height, c : c + width], kernel[r, c])
        for r in range(len(kernel))
        for c in range(len(kernel))
    ]
    return np.sum(parts, axis=0)


def filtered(x, up):
    """The published `upfirdn2d` with [1, 3, 3, 1]: zeros between pixels, padding 2 and 1, the filter with gain up^2."""
    height, width, channels = x.shape
    zeros = np.zeros((up * height, up * width, channels))
    zeros[::up, ::up] = x
    padded = np.pad(zeros, ((2, 1), (2, 1), (0, 0)))
    made = np.zeros_like(zeros)
    for r, a in enumerate(KERNEL):
        for c, b in enumerate(KERNEL):
            made += a * b * padded[r : r + up * height, c : c + up * width] * up**2 / 64
    return made


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_scaled_inputs_and_outputs_are_a_kernel_for_each_example(kernel_size, demodulate):
    layer, kernel = built(3, 4, kernel_size=kernel_size, demodulate=demodulate)
    x, styles = random(2, 6, 5, 3), random(2, 3, seed=1)
    made = ops.convert_to_numpy(layer([x, styles]))
    expected = [correlated(*pair) for pair in zip(x, kernels_of(kernel, styles, demodulate))]
    np.testing.assert_allclose(made, expected, rtol=0, atol=2e-5)


def test_upsampling_is_the_convolution_of_zero_inserted_maps_and_the_filter():
    """Inside, where both orders are the same: the filter of the doubled map, then W turned round."""
    layer, kernel = built(3, 4, upsample=True)
    x, styles = random(2, 6, 5, 3), random(2, 3, seed=1)
    made = ops.convert_to_numpy(layer([x, styles]))
    assert made.shape == (2, 12, 10, 4)
    for image, per_image, found in zip(x, kernels_of(kernel, styles, True), made):
        expected = correlated(filtered(image, 2), per_image[::-1, ::-1])
        np.testing.assert_allclose(found[2:-2, 2:-2], expected[2:-2, 2:-2], rtol=0, atol=2e-5)


def test_upsampling_at_the_border_is_the_transposed_convolution_first():
    layer, kernel = built(1, 1, upsample=True, demodulate=False)
    x = random(1, 3, 3, 1)
    wide = np.zeros((9, 9))  # the transposed convolution is 7x7, with a zero on each side for the filter
    for row in range(3):
        for column in range(3):
            wide[1 + 2 * row : 4 + 2 * row, 1 + 2 * column : 4 + 2 * column] += (
                x[0, row, column, 0] * kernel[:, :, 0, 0]
            )
    expected = sum(a * b * wide[r : r + 6, c : c + 6] / 16 for r, a in enumerate(KERNEL) for c, b in enumerate(KERNEL))
    made = ops.convert_to_numpy(layer([x, np.ones((1, 1), "float32")]))[0, :, :, 0]
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-5)


def test_demodulated_outputs_have_variance_one_for_any_style():
    layer, _ = built(16, 8)
    x = random(2, 64, 64, 16)
    styles = np.stack([random(16, seed=1), 100.0 * random(16, seed=2)]).astype("float32")
    made = ops.convert_to_numpy(layer([x, styles]))[:, 1:-1, 1:-1]
    assert made.var(axis=(1, 2)) == pytest.approx(np.ones((2, 8)), abs=0.1)


def test_ten_times_the_style_changes_demodulated_outputs_in_nothing_and_others_tenfold():
    x, styles = random(2, 6, 6, 3), random(2, 3, seed=1)
    for demodulate, factor in ((True, 1.0), (False, 10.0)):
        layer, _ = built(3, 4, demodulate=demodulate)
        first, second = (ops.convert_to_numpy(layer([x, s])) for s in (styles, 10.0 * styles))
        np.testing.assert_allclose(second, factor * first, rtol=1e-4, atol=1e-5)


def test_a_style_of_zero_gives_the_bias():
    layer, _ = built(3, 2, use_bias=True)
    layer.bias.assign([1.0, -2.0])
    made = ops.convert_to_numpy(layer([random(1, 4, 4, 3), np.zeros((1, 3), "float32")]))
    assert made.reshape(-1, 2).tolist() == [[1.0, -2.0]] * 16


@pytest.mark.parametrize(
    "options, match",
    [
        ({"filters": 0}, "filters of 1"),
        ({"filters": 2, "kernel_size": 2}, "odd"),
        ({"filters": 2, "kernel_size": 1, "upsample": True}, "kernel_size of 3"),
    ],
)
def test_impossible_convolutions_are_refused(options, match):
    with pytest.raises(ConfigurationError, match=match):
        ModulatedConv2D(**options)


def test_styles_of_other_channels_are_refused():
    with pytest.raises(ConfigurationError, match="each of the 3 channels"):
        ModulatedConv2D(2)([random(1, 4, 4, 3), random(1, 4)])


@pytest.mark.parametrize("padding", [1, 2])
def test_a_blur_is_the_filter_with_zeros_around(padding):
    x = random(1, 5, 6, 2)
    padded = np.pad(x[0], ((padding, padding), (padding, padding), (0, 0)))
    height, width = padded.shape[0] - 3, padded.shape[1] - 3
    expected = sum(
        a * b * padded[r : r + height, c : c + width] / 64 for r, a in enumerate(KERNEL) for c, b in enumerate(KERNEL)
    )
    np.testing.assert_allclose(ops.convert_to_numpy(FIRBlur2D(padding)(x))[0], expected, rtol=0, atol=1e-6)
    with pytest.raises(ConfigurationError, match="padding"):
        FIRBlur2D(-1)
