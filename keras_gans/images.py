"""Images as the library keeps them: float32 in [-1, 1] inside, uint8 outside, and grids of them as files."""

import numpy as np
from keras import ops
from PIL import Image, ImageDraw, ImageFont

from keras_gans.errors import ConfigurationError, DataError
from keras_gans_core.pictures import atomic_write, enlarged, grid, remove_unfinished, save, side_by_side, to_pillow

__all__ = [
    "atomic_write",
    "enlarged",
    "grid",
    "pack",
    "remove_unfinished",
    "save",
    "side_by_side",
    "text_grid",
    "to_float",
    "to_pillow",
    "to_uint8",
]

CELL = (16, 9)  # (height, width) in pixels of a character in a picture of text


def to_float(images):
    """Images as float32 in [-1, 1]. The dtype decides: uint8 is scaled, floats are taken to be in [-1, 1] already.

    >>> ops.convert_to_numpy(to_float(np.array([0, 255], "uint8"))).tolist()
    [-1.0, 1.0]
    """
    if ops.dtype(images) == "uint8":
        return ops.cast(images, "float32") / 127.5 - 1.0
    return ops.cast(images, "float32")


def to_uint8(images):
    """Images in [-1, 1] as uint8, rounded to the nearest grey level and clipped.

    >>> ops.convert_to_numpy(to_uint8(np.array([-1.0, 0.0, 2.0], "float32"))).tolist()
    [0, 128, 255]
    """
    levels = ops.round((ops.cast(images, "float32") + 1.0) * 127.5)
    return ops.cast(ops.clip(levels, 0.0, 255.0), "uint8")


def pack(images, degree):
    """Packs of `degree` images, joined along the channels: the inputs of PacGAN's discriminator.

    Consecutive images form a pack, so a pack of independent images needs a shuffled batch (real) or independent latents
    (generated). The gradient goes to all images of a pack; a `degree` of 1 changes nothing. Points are packed in the
    same way.

    Args:
        images: (N, height, width, channels), or points (N, features).
        degree: images per pack, m, 1 or more.

    Returns:
        (N / m, height, width, m * channels), where channels j * C to (j + 1) * C of a pack are its j-th image; or
        (N / m, m * features).

    Raises:
        ConfigurationError: a degree below 1.
        DataError: a batch that m does not divide. If the size is known only when the step runs, as in a TensorFlow
            graph, that step fails instead: use `drop_remainder=True` and a batch size that is a multiple of m.

    Example:

    >>> pack(np.zeros((6, 4, 4, 1), "float32"), degree=2).shape[-1]
    2

    Reference: Lin et al., 2018, "PacGAN: The power of two samples in generative adversarial networks",
    https://arxiv.org/abs/1712.04086; code: https://github.com/fjxmlzn/PacGAN
    """
    if not isinstance(degree, int) or degree < 1:
        raise ConfigurationError(f"Expected a degree of packing of 1 or more. Received: {degree!r}.")
    count, *shape = images.shape
    if count is not None and count % degree:
        raise DataError(
            f"Expected a batch that divides into packs of {degree}. Received: {count} images. Choose a batch size that "
            f"is a multiple of {degree} and leave out an epoch's last, smaller batch (drop_remainder=True)."
        )
    packs = ops.reshape(images, (-1, degree, *shape))
    packs = ops.moveaxis(packs, 1, -2)
    return ops.reshape(packs, (-1, *shape[:-1], degree * shape[-1]))


def text_grid(lines, length):
    """Lines of text as one picture, black on white, each character in its own cell.

    Args:
        lines: strings; they are cut after `length` characters.
        length: cells per line.

    Returns:
        uint8 (lines * 16, length * 9, 1), in Pillow's own font.

    Example:

    >>> text_grid(["a cat", "a dog"], length=6).shape
    (32, 54, 1)
    """
    height, width = CELL
    picture = Image.new("L", (length * width, len(lines) * height), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    for row, line in enumerate(lines):
        for column, character in enumerate(line[:length]):
            left = column * width + (width - font.getlength(character)) / 2
            draw.text((left, row * height), character, fill="black", font=font)
    return np.asarray(picture)[..., None]
