"""What can be done with the latents of a trained model: paths, arithmetic, directions, inversion.

Tools work on the standard normal noise that `generate(noise=...)` takes, float32 (N, latent_dim). Where a variant's
prior is another distribution, `model.prior` turns the noise into latents, so that no result leaves the prior's support.
A tool takes any model with an input field named "noise"; those that look at images also need a single output, images.
Those in `keras_gans.latent.styles` work on the styles of a model with a mapped latent space; `lerp`, `strips`, `loop`
and `attribute_direction` work on any vectors.
"""

from keras_gans.latent.arithmetic import add, evaluate, rescale
from keras_gans.latent.directions import (
    activation_directions,
    attribute_direction,
    class_directions,
    first_layer_directions,
    orthogonalize,
    traverse,
)
from keras_gans.latent.inversion import Inversion, encode, inpaint, invert, nearest
from keras_gans.latent.paths import animate, lerp, loop, slerp, strips
from keras_gans.latent.styles import (
    Projection,
    mapped_styles,
    mix,
    project,
    style_components,
    style_directions,
    traverse_styles,
)

__all__ = [
    "Inversion",
    "Projection",
    "activation_directions",
    "add",
    "animate",
    "attribute_direction",
    "class_directions",
    "encode",
    "evaluate",
    "first_layer_directions",
    "inpaint",
    "invert",
    "lerp",
    "loop",
    "mapped_styles",
    "mix",
    "nearest",
    "orthogonalize",
    "project",
    "rescale",
    "slerp",
    "strips",
    "style_components",
    "style_directions",
    "traverse",
    "traverse_styles",
]
