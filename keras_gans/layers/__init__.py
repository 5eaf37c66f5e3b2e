"""Layers that Keras does not have, one a file."""

from keras_gans.layers.maxout import Maxout
from keras_gans.layers.slots import Slots

__all__ = ["Maxout", "Slots"]
