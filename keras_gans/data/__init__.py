"""Images, clips and text from TFDS, folders, files, arrays and drawings, as shuffled batches."""

from keras_gans.data.batches import Batches
from keras_gans.data.captions import CaptionedBatches, load_captions
from keras_gans.data.clips import ClipBatches, load_clips, read_clip
from keras_gans.data.drawn import digits, shapes
from keras_gans.data.lazy import LazyArray
from keras_gans.data.loading import load, read_pictures
from keras_gans.data.moving import moving_digits, moving_photos
from keras_gans.data.pair_batches import CroppedDomains, PairedBatches
from keras_gans.data.pairs import load_pairs, load_unpaired
from keras_gans.data.patches import Patches, load_patches, make_small
from keras_gans.data.semi_supervised import SemiSupervisedBatches, semi_supervised
from keras_gans.data.stacked import stacked_mnist
from keras_gans.data.text import load_text
from keras_gans.data.toys import grid, grid_centers, points, ring, ring_centers
from keras_gans.data.unpaired import UnpairedBatches, edges, negatives, two_domains
from keras_gans.fields import Attributes, Classes, Values, decode_text, encode_text, label_space_of

__all__ = [
    "Attributes",
    "Batches",
    "CaptionedBatches",
    "Classes",
    "ClipBatches",
    "CroppedDomains",
    "LazyArray",
    "PairedBatches",
    "Patches",
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
    "load_clips",
    "load_captions",
    "load_pairs",
    "load_patches",
    "load_text",
    "load_unpaired",
    "make_small",
    "moving_digits",
    "moving_photos",
    "negatives",
    "points",
    "read_clip",
    "read_pictures",
    "ring",
    "ring_centers",
    "semi_supervised",
    "shapes",
    "stacked_mnist",
    "two_domains",
]
