"""Dropout whose masks are the same in a resumed run."""

import random

from keras import layers


def seeded_dropout(rate, name):
    """A dropout layer with its own seed. Without one PyTorch's masks could not be reproduced in a resumed run.

    Args:
        rate: the fraction of units that are set to zero, in [0, 1).
        name: the layer's name.

    Returns:
        A `keras.layers.Dropout`. Its seed comes from Python's generator, which `keras.utils.set_random_seed` seeds.

    Example:

    >>> seeded_dropout(0.5, "dropout").seed is not None
    True
    """
    return layers.Dropout(rate, seed=random.randrange(2**31), name=name)
