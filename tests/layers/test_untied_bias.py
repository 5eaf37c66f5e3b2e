import keras
import numpy as np
from keras import ops

from keras_gans.layers import UntiedBias


def test_each_position_and_channel_has_its_own_bias():
    layer = UntiedBias()
    layer.build((None, 2, 3, 2))
    added = np.arange(12.0).reshape(2, 3, 2).astype("float32")
    layer.bias.assign(added)
    images = np.ones((4, 2, 3, 2), "float32")
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(images)), images + added)


def test_it_follows_the_inputs_precision():
    layer = UntiedBias(dtype="mixed_bfloat16")
    assert keras.backend.standardize_dtype(layer(np.ones((1, 2, 2, 1), "float32")).dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(layer.bias.dtype) == "float32"
