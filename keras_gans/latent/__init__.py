"""What can be done with the latents of a trained model: paths, arithmetic, directions, inversion.

All work on the standard normal noise that `generate(noise=...)` takes, float32 (N, latent_dim), for any variant: where
a variant's prior is another distribution, `model.prior` makes its latents of the noise, so that no result leaves the
prior's support.
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
from keras_gans.latent.inversion import Inversion, encode, invert, nearest
from keras_gans.latent.paths import animate, lerp, loop, slerp, strips

__all__ = [
    "Inversion",
    "activation_directions",
    "add",
    "animate",
    "attribute_direction",
    "class_directions",
    "encode",
    "evaluate",
    "first_layer_directions",
    "invert",
    "lerp",
    "loop",
    "nearest",
    "orthogonalize",
    "rescale",
    "slerp",
    "strips",
    "traverse",
]
