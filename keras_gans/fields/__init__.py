"""What the tensors of a model mean: fields of images, label maps, clips, noise, labels, text and prompts."""

from keras_gans.fields.clips import Clips
from keras_gans.fields.field import Field
from keras_gans.fields.images import (
    Images,
    LabelMaps,
    check_axes,
    check_image_shape,
    check_images,
    check_range,
    depth_of,
)
from keras_gans.fields.labels import (
    TEN_CLASSES,
    Attributes,
    Classes,
    LabelSpace,
    Values,
    check_label_space,
    label_space_of,
)
from keras_gans.fields.noise import (
    Index,
    Noise,
    Seeds,
    check_indices,
    normal,
    symmetric_uniform,
    truncated,
    uniform_of,
)
from keras_gans.fields.numbers import Numbers
from keras_gans.fields.prompts import Prompts, words_of
from keras_gans.fields.regions import InstanceMaps, Styles
from keras_gans.fields.sets import noise_to_images
from keras_gans.fields.text import ALPHABET, Tokens, check_alphabet, decode_text, encode_text

__all__ = [
    "ALPHABET",
    "Attributes",
    "Classes",
    "Clips",
    "Field",
    "Images",
    "Index",
    "InstanceMaps",
    "LabelMaps",
    "LabelSpace",
    "Noise",
    "Numbers",
    "Prompts",
    "Seeds",
    "Styles",
    "TEN_CLASSES",
    "Tokens",
    "Values",
    "check_alphabet",
    "check_axes",
    "check_image_shape",
    "check_images",
    "check_indices",
    "check_label_space",
    "check_range",
    "decode_text",
    "depth_of",
    "encode_text",
    "label_space_of",
    "noise_to_images",
    "normal",
    "symmetric_uniform",
    "truncated",
    "uniform_of",
    "words_of",
]
