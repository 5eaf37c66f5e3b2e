"""The segmentation network's shapes and numbers, what one answer sees, and that it learns to label pixels."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans import engine
from keras_gans.errors import ConfigurationError
from keras_gans.networks.segmenter import build_segmenter


def test_shapes_and_parameters():
    """By hand, of 3 channels and 4 filters: kernels 9 * (3*4 + 4*8 + 8*8 + 8*16 + 2*16*16 + (16+8)*8 + (8+4)*4), four
    numbers of each normalization, and 4 * 5 + 5 of the logits."""
    network = build_segmenter((16, 12, 3), 5, base_filters=4)
    kernels = 9 * (12 + 32 + 64 + 128 + 2 * 256 + 192 + 48)
    assert network.count_params() == kernels + 4 * (4 + 2 * 8 + 3 * 16 + 8 + 4) + 25
    assert network.output_shape == (None, 16, 12, 5)
    made = network(np.zeros((2, 16, 12, 3), "float32"))
    assert made.shape == (2, 16, 12, 5) and keras.backend.standardize_dtype(made.dtype) == "float32"
    assert [layer.output.shape[1] for layer in network.layers if "conv" in layer.name] == [16, 8, 8, 4, 4, 4, 8, 16]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (((18, 16, 3),), "multiples of 4"),
        (((16, 18, 3),), "multiples of 4"),
        (((16, 16, 3), 1), "two classes"),
        (((16, 16),), "three whole numbers"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        build_segmenter(*arguments)


@pytest.mark.parametrize("kept, least, most", [("across", 5, 5), ("from below", 17, 64)])
def test_fine_details_come_across_and_the_surroundings_from_below(kept, least, most):
    """The last 3x3 convolution reads 8 channels from half size and 4 of full size, which have seen 3x3 pixels."""
    keras.utils.set_random_seed(0)
    network = build_segmenter((64, 64, 1), 2, base_filters=4)
    last = [layer for layer in network.layers if "conv2d" in layer.name][-1]
    kernel = last.get_weights()[0]
    assert kernel.shape == (3, 3, 8 + 4, 4)
    kernel[:, :, slice(8) if kept == "across" else slice(8, None)] = 0.0
    last.set_weights([kernel])
    images = np.random.default_rng(0).uniform(-1, 1, (16, 64, 64, 1)).astype("float32")
    slope = engine.input_gradient(lambda x: network(x, training=False)[:, 32, 32], images)
    seen = (np.abs(ops.convert_to_numpy(slope)) > 0).any((0, 2, 3))
    assert least <= np.ptp(np.flatnonzero(seen)) + 1 <= most


def test_it_learns_where_a_class_begins():
    """Pixels right of a bright line at a random place are of class 1: its own level, the same on both sides, says
    nothing."""
    keras.utils.set_random_seed(0)
    places = np.random.default_rng(0).integers(2, 14, 64)
    images = np.full((64, 16, 16, 1), -0.5, "float32")
    images[np.arange(64), :, places] = 1.0
    maps = (np.arange(16) >= places[:, None])[:, None, :] * np.ones((1, 16, 1), int)
    network = build_segmenter((16, 16, 1), 2, base_filters=8)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(1e-2), cross_entropy, jit_compile=False)
    network.fit(images[:48], maps[:48, ..., None], batch_size=8, epochs=10, verbose=0)
    right = ops.convert_to_numpy(network(images[48:], training=False)).argmax(-1) == maps[48:]
    assert right.mean() > 0.9
