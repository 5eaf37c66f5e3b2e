import hashlib

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import HashedDropout
from keras_gans.layers.hashed_dropout import mixed

SEEDS = np.array([0, 1, -5, 2**31 - 1], "int32")


def dropped(rate=0.5, number=0, seeds=SEEDS, shape=(8, 8, 16)):
    x = np.ones((len(seeds), *shape), "float32")
    return ops.convert_to_numpy(HashedDropout(rate, number)([x, seeds]))


def lowbias32(x):
    """The published function in 64 bits: https://nullprogram.com/blog/2018/07/31/"""
    x = x.astype("uint64")
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor) & np.uint64(0xFFFFFFFF)
    return x ^ (x >> np.uint64(16))


def test_the_hash_is_the_published_one():
    numbers = np.array([0, 1, 2, 12345, 2**31 - 1, -1, -(2**31)], "int32")
    expected = lowbias32(numbers.view("uint32")).astype("uint32").view("int32")
    assert ops.convert_to_numpy(mixed(ops.convert_to_tensor(numbers))).tolist() == expected.tolist()


def test_the_bits_are_those_of_every_backend():
    """Computed once; the same on TensorFlow, JAX and PyTorch."""
    assert hashlib.sha256(dropped().astype("uint8").tobytes()).hexdigest()[:16] == "193af0f93b2221e5"


def test_a_mask_depends_on_the_seed_alone_whatever_is_in_the_batch():
    whole = dropped()
    for i in range(len(SEEDS)):
        np.testing.assert_array_equal(dropped(seeds=SEEDS[i : i + 1])[0], whole[i])
    assert not np.array_equal(whole[0], whole[1])


def test_masks_of_other_layers_and_seeds_are_independent():
    a = dropped() > 0
    for b in (dropped(number=1) > 0, dropped(seeds=SEEDS + np.array([1, 1, 1, -1], "int32")) > 0):
        assert abs(np.mean(a == b) - 0.5) < 0.03  # 4096 units: a standard deviation of 0.008
    for shift in (1, 8 * 16):
        flat = a.reshape(4, -1)
        assert abs(np.mean(flat[:, shift:] == flat[:, :-shift]) - 0.5) < 0.03


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.5, 0.9])
def test_the_share_and_the_mean_are_as_asked(rate):
    y = dropped(rate, shape=(32, 32, 16))
    assert abs(np.mean(y == 0) - rate) < 0.01
    assert abs(y.mean() - 1.0) < 0.03
    assert set(np.unique(y).tolist()) <= {0.0, float(np.float32(1.0) / np.float32(1.0 - rate))}


def test_it_stays_on_in_inference_and_compiled_is_eager():
    x, seeds = keras.Input((6, 6, 4)), keras.Input((), dtype="int32")
    model = keras.Model([x, seeds], HashedDropout(0.5, 3)([x, seeds]))
    ones = np.ones((len(SEEDS), 6, 6, 4), "float32")
    expected = ops.convert_to_numpy(HashedDropout(0.5, 3)([ones, SEEDS]))
    np.testing.assert_array_equal(model.predict([ones, SEEDS], verbose=0), expected)
    assert (expected == 0).any()


def test_numbers_out_of_range_are_refused():
    for rate in (-0.1, 1.0, "half"):
        with pytest.raises(ConfigurationError, match="rate"):
            HashedDropout(rate)
    with pytest.raises(ConfigurationError, match="number"):
        HashedDropout(0.5, -1)


def test_it_is_saved_and_follows_the_precision():
    layer = HashedDropout(0.25, 7, dtype="mixed_float16")
    again = HashedDropout.from_config(layer.get_config())
    assert (again.rate, again.number) == (0.25, 7)
    y = layer([np.ones((4, 3), "float16"), SEEDS])
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
