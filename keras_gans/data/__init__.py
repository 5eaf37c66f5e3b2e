"""Images and text from TFDS, folders, files, arrays and drawings, as shuffled batches."""

from keras_gans.data.batches import Batches
from keras_gans.data.drawn import digits, shapes
from keras_gans.data.label_spaces import Attributes, Classes, Values, label_space_of
from keras_gans.data.loading import load, read_pictures
from keras_gans.data.semi_supervised import SemiSupervisedBatches, semi_supervised
from keras_gans.data.stacked import stacked_mnist
from keras_gans.data.text import decode_text, encode_text, load_text
from keras_gans.data.toys import grid, grid_centers, points, ring, ring_centers
from keras_gans.data.unpaired import UnpairedBatches, edges, negatives, two_domains

__all__ = [
    "Attributes",
    "Batches",
    "Classes",
    "SemiSupervisedBatches",
    "UnpairedBatches",
    "Values",
    "decode_text",
    "digits",
    "edges",
    "encode_text",
    "grid",
    "grid_centers",
    "label_space_of",
    "load",
    "load_text",
    "negatives",
    "points",
    "read_pictures",
    "ring",
    "ring_centers",
    "semi_supervised",
    "shapes",
    "stacked_mnist",
    "two_domains",
]
