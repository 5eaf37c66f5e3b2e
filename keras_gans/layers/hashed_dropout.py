"""Dropout as noise: masks that are a function of a seed for each example."""

import math

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_number, is_whole

BITS = 24  # of the hash, which decide


@keras.saving.register_keras_serializable(package="keras_gans")
class HashedDropout(keras.layers.Layer):
    """Dropout whose mask is a hash of the example's seed, the unit's place and the layer's number.

        y = x keep / (1 - rate),    keep = hash(seed, place, number) < (1 - rate) 2^24

    A generator that uses dropout as its noise keeps it on when it samples, in training and in inference alike. The
    same seed drops the same units on every backend, compiled or not, whatever else is in the batch: the hash uses
    int32 operations alone. `keras.layers.Dropout` has other bits on each backend and draws them for a whole batch.

    Args:
        rate: the share of units that become zero, in [0, 1).
        number: whole number that tells this layer from the others of a network: with the same number two layers of the
            same size would drop the same units.

    Call arguments:
        inputs: [x (N, ...), seeds int32 (N,)].

    Returns:
        A tensor like x.

    Raises:
        ConfigurationError: a rate outside [0, 1), or a number that is not whole.

    Example:

    >>> x, seeds = np.ones((2, 1000), "float32"), np.array([7, 7], "int32")
    >>> dropped = ops.convert_to_numpy(HashedDropout(0.5)([x, seeds]))
    >>> bool((dropped[0] == dropped[1]).all()), sorted(set(dropped[0].tolist()))
    (True, [0.0, 2.0])

    Reference: the hash is lowbias32 of Wellons, 2018, https://nullprogram.com/blog/2018/07/31/
    """

    def __init__(self, rate=0.5, number=0, **kwargs):
        super().__init__(**kwargs)
        if not (is_number(rate, 0.0) and rate < 1.0):
            raise ConfigurationError(f"Expected a rate in [0, 1). Received: {rate!r}.")
        if not is_whole(number, 0) or number >= 2**31:
            raise ConfigurationError(f"Expected a number that is whole, 0 or more. Received: {number!r}.")
        self.rate, self.number = rate, number

    def call(self, inputs):
        x, seeds = inputs
        places = mixed(ops.arange(math.prod(x.shape[1:]), dtype="int32"))
        keys = mixed(ops.bitwise_xor(ops.cast(seeds, "int32"), mixed(ops.convert_to_tensor(self.number, "int32"))))
        hashes = mixed(ops.bitwise_xor(places[None], keys[:, None]))
        kept = ops.bitwise_and(hashes, 2**BITS - 1) < round((1.0 - self.rate) * 2**BITS)
        kept = ops.reshape(kept, (-1, *x.shape[1:]))
        return ops.where(kept, x / (1.0 - self.rate), ops.zeros_like(x))

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs[0].shape, dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "number": self.number}


def mixed(numbers):
    """Each int32 number mapped to another, one to one, by lowbias32; products wrap around."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B - 2**32)):
        numbers = ops.bitwise_xor(numbers, _shifted(numbers, shift)) * factor
    return ops.bitwise_xor(numbers, _shifted(numbers, 16))


def _shifted(numbers, by):
    """The bits moved to the right and zeros in their place: int32 would repeat the sign."""
    return ops.bitwise_and(ops.right_shift(numbers, by), 2 ** (32 - by) - 1)
