"""Images from TFDS, folders, arrays and drawings, as shuffled batches."""

from keras_gans.data.batches import Batches
from keras_gans.data.drawn import digits, shapes
from keras_gans.data.loading import load
from keras_gans.data.semi_supervised import SemiSupervisedBatches, semi_supervised
from keras_gans.data.stacked import stacked_mnist
from keras_gans.data.toys import grid, grid_centers, points, ring, ring_centers

__all__ = [
    "Batches",
    "SemiSupervisedBatches",
    "digits",
    "grid",
    "grid_centers",
    "load",
    "points",
    "ring",
    "ring_centers",
    "semi_supervised",
    "shapes",
    "stacked_mnist",
]
