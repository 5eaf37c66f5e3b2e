"""What the tools check before they compute: latents, and models that make images from noise."""

import numpy as np

from keras_gans import sampling
from keras_gans.errors import DataError, UnsupportedError
from keras_gans.fields import Images
from keras_gans.mapped import MappedModel

SHAPES = {None: "(..., d)", 1: "(d,)", 2: "(N, d)"}


def as_latents(latents, rank=None):
    """Latents (..., d), or of one rank, as a float64 array.

    Raises:
        DataError: not numbers, rows of several lengths, or another rank.
    """
    try:
        array = np.asarray(latents, "float64")
    except (TypeError, ValueError) as error:
        raise DataError(f"Expected latents {SHAPES[rank]}, numbers, all of one d. Received: {error}") from error
    if array.ndim == 0 or rank not in (None, array.ndim):
        raise DataError(f"Expected latents {SHAPES[rank]}, numbers. Received: an array {array.shape}.")
    return array


def check_noise(model):
    """Raises an `UnsupportedError` unless a model has noise as an input."""
    if "noise" not in model.input_fields:
        raise UnsupportedError(f"Expected a model with noise as an input. Received: {_described(model)}.")


def check_mapped(model):
    """Raises an `UnsupportedError` unless a model maps its latents to styles; it names the variants that do."""
    if not isinstance(model, MappedModel):
        known = " or ".join(sorted(cls.__name__ for cls in MappedModel.__subclasses__()))
        raise UnsupportedError(
            f"Expected a model with a mapped latent space, {known}. Received: {type(model).__name__}. Use the tools "
            "for noise instead."
        )


def images_of(model):
    """The image field of a model that makes images from noise.

    Raises:
        UnsupportedError: a model without noise, with several outputs, or with an output other than images.
    """
    check_noise(model)
    fields = list(model.output_fields.values())
    if len(fields) != 1 or not isinstance(fields[0], Images):
        raise UnsupportedError(
            f"Expected a model of images: one image for each row of noise. Received: {_described(model)}. Choose a "
            "model that makes single images."
        )
    return fields[0]


def _described(model):
    outputs, inputs = " and ".join(model.output_fields), " and ".join(model.input_fields)
    return f"{type(model).__name__}, which makes {outputs} from {inputs}"


def generator_of(model):
    """The one network that makes a model's images.

    Raises:
        UnsupportedError: a model of several generators, or one whose generator takes styles.
    """
    if isinstance(model, MappedModel):
        raise UnsupportedError(
            f"Expected a model whose generator takes noise. Received: {type(model).__name__}, whose generator takes "
            "styles. Use kg.latent.style_directions or style_components."
        )
    networks = sampling.generators(model)
    if len(networks) != 1:
        raise UnsupportedError(
            f"Expected a model with one generator. Received: {type(model).__name__}, with {len(networks)}. Interpolate "
            "or invert instead, which works with any model that takes noise."
        )
    return networks[0]
