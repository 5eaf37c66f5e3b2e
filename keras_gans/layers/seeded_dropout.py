"""Dropout whose masks a resumed run draws again."""

import random

from keras import layers


def seeded_dropout(rate, name):
    """A dropout layer with a seed of its own: PyTorch's masks follow no other, and could not be resumed.

    Args:
        rate: the share of units that become zero, in [0, 1).
        name: the layer's.

    Returns:
        A `keras.layers.Dropout`. Its seed is drawn by `keras.utils.set_random_seed`'s generator.

    Example:

    >>> seeded_dropout(0.5, "dropout").seed is not None
    True
    """
    return layers.Dropout(rate, seed=random.randrange(2**31), name=name)
