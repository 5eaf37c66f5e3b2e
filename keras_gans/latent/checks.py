"""What the tools look at before they compute with latents."""

import numpy as np

from keras_gans.errors import DataError

SHAPES = {None: "(..., d)", 1: "(d,)", 2: "(N, d)"}


def as_latents(latents, rank=None):
    """Latents (..., d), or of one rank, as a float64 array.

    Raises:
        DataError: no numbers, rows of several lengths, or another rank.
    """
    try:
        array = np.asarray(latents, "float64")
    except (TypeError, ValueError) as error:
        raise DataError(f"Expected latents {SHAPES[rank]}, numbers, all of one d. Received: {error}") from error
    if array.ndim == 0 or rank not in (None, array.ndim):
        raise DataError(f"Expected latents {SHAPES[rank]}, numbers. Received: an array {array.shape}.")
    return array
