"""Images from TFDS, folders, arrays and drawings, as shuffled batches."""

from keras_gans.data.batches import Batches
from keras_gans.data.drawn import digits, shapes
from keras_gans.data.loading import load
from keras_gans.data.toys import grid, ring

__all__ = ["Batches", "digits", "grid", "load", "ring", "shapes"]
