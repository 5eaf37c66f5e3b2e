"""Large images through a convolutional network in tiles, so that memory does not grow with the image."""

import math
import warnings

import keras
import numpy as np
from PIL import Image

from keras_gans.data.progress import shown
from keras_gans.errors import ConfigurationError
from keras_gans.layers import BicubicEnlargement, InstanceNormalization, PixelShuffle, SelfAttention2D
from keras_gans_core.checks import is_whole

WHOLE = 2**17  # pixels of the largest image that is not made larger in tiles unless it is asked for: 362x362
TILE = 256  # side of the tiles of larger ones
PAD = 10  # around the tiles of a network that sees whole images, as other tools have it
# Layers whose every output depends on the whole image.
OF_THE_WHOLE = (
    InstanceNormalization,
    SelfAttention2D,
    keras.layers.Flatten,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GroupNormalization,
)


def in_tiles(make, images, factor, tile=None, pad=None, needed=0):
    """What `make` gives for images, computed in tiles and written into one array of uint8.

    The tiles of an image are about as large as each other. `make` gets images of one size for all of them, so that it
    is compiled once: near a border, more of the image instead of nothing.

    Args:
        make: function from uint8 or float images (N, h, w, channels) to images `factor` times as large, uint8.
        images: array (N, height, width, channels).
        factor: how many times larger.
        tile: longest side of a tile without what is around it; 0 for whole images; None for `TILE` where an image has
            more than `WHOLE` pixels and tiles cannot be seen.
        pad: pixels around a tile that `make` also gets, where the image has them; None for `needed`.
        needed: the `pad` from which tiles cannot be seen in the result, infinite where they always can; see `reach`.

    Returns:
        uint8 (N, factor height, factor width, channels).

    Raises:
        ConfigurationError: a tile or a pad out of range.

    Warns:
        UserWarning: a pad that is smaller than needed.

    Example:

    >>> images = np.arange(30, dtype="uint8").reshape(1, 5, 6, 1)
    >>> double = lambda part: part.repeat(2, axis=1).repeat(2, axis=2)
    >>> bool((in_tiles(double, images, 2, tile=4, pad=1) == double(images)).all())
    True
    """
    count, height, width, channels = images.shape
    if tile is None:
        tile = TILE if height * width > WHOLE and needed < math.inf else 0
    if pad is None:
        pad = needed if needed < math.inf else PAD
    if not is_whole(tile, 0) or not is_whole(pad, 0):
        raise ConfigurationError(
            f"Expected a tile and a tile_pad of whole pixels, 0 or more. Received: {tile!r} and {pad!r}."
        )
    if tile == 0 or tile >= max(height, width):
        return np.asarray(make(images))
    if pad < needed:
        remedy = f"{needed} pixels around each, and tile_pad is {pad}. Pass tile_pad={needed}."
        if needed == math.inf:
            remedy = "the whole image. Pass tile=0 for the network's own result, where it fits into memory."
        warnings.warn(f"Tiles may show: the network sees {remedy}", stacklevel=3)
    made = np.empty((count, factor * height, factor * width, channels), "uint8")
    places = [(row, column) for row in _tiles(height, tile, pad) for column in _tiles(width, tile, pad)]
    for (top, bottom, above, below), (left, right, before, after) in shown(places, "Tiles:"):
        large = np.asarray(make(images[:, above:below, before:after]))
        rows = slice(factor * (top - above), factor * (bottom - above))
        columns = slice(factor * (left - before), factor * (right - before))
        made[:, factor * top : factor * bottom, factor * left : factor * right] = large[:, rows, columns]
    return made


def _tiles(side, tile, pad):
    """(start, end, start of what is seen, its end) of each tile along a side.

    >>> _tiles(10, tile=4, pad=1)
    [(0, 4, 0, 6), (4, 8, 3, 9), (8, 10, 4, 10)]
    """
    tile = math.ceil(side / math.ceil(side / tile))
    seen = min(tile + 2 * pad, side)
    starts = [(start, min(max(start - pad, 0), side - seen)) for start in range(0, side, tile)]
    return [(start, min(start + tile, side), first, first + seen) for start, first in starts]


def reach(network):
    """How many pixels of its input, in each direction, a pixel of a network's output may depend on.

    The largest sum on a way through the network, of (kernel - 1) / 2 dilation for each convolution and 1 or 2 for
    each enlargement that interpolates, in pixels of the input: after an enlargement by r they count 1 / r. Infinite
    where a layer of `OF_THE_WHOLE` is on the way.

    Example:

    >>> images = keras.Input((None, None, 1))
    >>> x = keras.layers.Conv2D(4, 5, padding="same")(images)
    >>> reach(keras.Model(images, keras.layers.Conv2D(1, 3, padding="same")(PixelShuffle(2)(x))))
    3
    """
    known = {id(tensor): (0.0, 1.0) for tensor in network.inputs}
    found = max(_reach_of(tensor, known)[0] for tensor in network.outputs)
    return found if found == math.inf else math.ceil(found)


def _reach_of(tensor, known):
    """(the pixels that a tensor depends on, its pixels in one of the input's); `known` holds those of other tensors."""
    if id(tensor) not in known:
        layer, node, _ = tensor._keras_history
        before = [_reach_of(part, known) for part in layer._inbound_nodes[node].input_tensors]
        pixels, scale = max(part[0] for part in before), before[0][1]
        if isinstance(layer, OF_THE_WHOLE):
            pixels = math.inf
        elif isinstance(layer, PixelShuffle):
            scale *= layer.factor
        elif isinstance(layer, BicubicEnlargement):
            pixels, scale = pixels + 2.0 / scale, scale * layer.factor
        elif isinstance(layer, keras.layers.UpSampling2D):
            pixels += 0.0 if layer.interpolation == "nearest" else 1.0 / scale
            scale *= max(layer.size)
        elif isinstance(layer, keras.layers.Conv2D):
            pixels += max((size - 1) / 2 * rate for size, rate in zip(layer.kernel_size, layer.dilation_rate)) / scale
            scale /= max(layer.strides)
        elif isinstance(layer, keras.Model):
            pixels += reach(layer) / scale
        known[id(tensor)] = pixels, scale
    return known[id(tensor)]


def resized(images, size, scale):
    """Images as large as `scale` times a size, by Lanczos resampling.

    Args:
        images: uint8 (N, h, w, channels).
        size: (height, width).
        scale: number above 0.
    """
    height, width = (max(1, round(side * scale)) for side in size)
    made = np.empty((len(images), height, width, images.shape[-1]), "uint8")
    for image, row in zip(images, made):
        for c in range(images.shape[-1]):
            row[..., c] = Image.fromarray(image[..., c]).resize((width, height), Image.Resampling.LANCZOS)
    return made
