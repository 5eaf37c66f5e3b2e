"""Images as the library keeps them: float32 in [-1, 1] inside, uint8 outside, and grids of them as files."""

import contextlib
import os
import uuid
from pathlib import Path

import numpy as np
from keras import ops
from PIL import Image, ImageDraw, ImageFont

from keras_gans.errors import ConfigurationError, DataError, OutputError
from keras_gans_core.checks import is_whole

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


def grid(images, columns=None):
    """Many images as one picture, row by row.

    Args:
        images: uint8 (N, height, width, channels).
        columns: images per row; by default the grid is as square as possible.

    Returns:
        uint8 (rows * height, columns * width, channels); missing images at the end are black.

    Raises:
        DataError: no images, or images of another shape or dtype.
    """
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0 or images.dtype != "uint8":
        raise DataError(
            f"Expected one image or more, uint8 (N, height, width, channels). Received: {images.dtype} {images.shape}. "
            "Convert floats in [-1, 1] with kg.images.to_uint8."
        )
    count, height, width, channels = images.shape
    columns = min(columns or int(np.ceil(np.sqrt(count))), count)
    rows = -(-count // columns)
    picture = np.zeros((rows * height, columns * width, channels), "uint8")
    for i, image in enumerate(images):
        top, left = i // columns * height, i % columns * width
        picture[top : top + height, left : left + width] = image
    return picture


def enlarged(picture, factor):
    """A picture a whole number of times as large: each pixel becomes factor x factor equal ones.

    Args:
        picture: uint8 (height, width, channels).
        factor: whole number, 1 or more.

    Raises:
        ConfigurationError: another factor.

    Example:

    >>> enlarged(np.array([[[0], [255]]], "uint8"), 2)[..., 0].tolist()
    [[0, 0, 255, 255], [0, 0, 255, 255]]
    """
    if not is_whole(factor, 1):
        raise ConfigurationError(f"Expected a factor of 1 or more. Received: {factor!r}.")
    return np.repeat(np.repeat(picture, factor, axis=0), factor, axis=1)


def side_by_side(pictures, gap=8):
    """Several pictures as one, from left to right.

    Args:
        pictures: uint8 arrays (height, width, channels). Lower ones are aligned at the top; grey ones become coloured
            if any picture is.
        gap: white columns between two pictures.

    Returns:
        uint8 (largest height, widths and gaps, channels).

    Example:

    >>> side_by_side([np.zeros((4, 6, 1), "uint8"), np.zeros((4, 2, 1), "uint8")]).shape
    (4, 16, 1)
    """
    height = max(picture.shape[0] for picture in pictures)
    colour, alpha = (any(picture.shape[2] in kinds for picture in pictures) for kinds in ((3, 4), (2, 4)))
    parts = []
    for picture in pictures:
        levels, cover = (picture[..., :-1], picture[..., -1:]) if picture.shape[2] in (2, 4) else (picture, None)
        if colour and levels.shape[2] == 1:
            levels = np.repeat(levels, 3, axis=2)
        if alpha:
            cover = np.full((*picture.shape[:2], 1), 255, "uint8") if cover is None else cover
            levels = np.concatenate([levels, cover], axis=2)
        levels = np.pad(levels, ((0, height - levels.shape[0]), (0, 0), (0, 0)), constant_values=255)
        parts += [np.full((height, gap, levels.shape[2]), 255, "uint8"), levels]
    return np.concatenate(parts[1:], axis=1)


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


def to_pillow(image):
    """A Pillow image of one uint8 array (height, width, channels), channels 1 (grey), 2 (grey, alpha), 3 or 4.

    With more channels, the first three are shown.
    """
    channels = image.shape[-1]
    if channels == 1:
        return Image.fromarray(image[..., 0])
    return Image.fromarray(np.ascontiguousarray(image if channels <= 4 else image[..., :3]))


def save(image, path, **options):
    """Writes a uint8 array (height, width, channels) or a Pillow image as the file `path`, whole or not at all.

    Raises:
        OutputError: the folder cannot be made or the file cannot be written.
        DataError: an array of another shape or dtype.
    """
    if not isinstance(image, Image.Image) and (np.ndim(image) != 3 or np.asarray(image).dtype != "uint8"):
        received = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
        raise DataError(
            f"Expected one image, uint8 (height, width, channels). Received: {received}. Combine several with "
            "kg.images.grid(images); convert floats in [-1, 1] with kg.images.to_uint8."
        )
    picture = to_pillow(image) if isinstance(image, np.ndarray) else image
    path = Path(path)
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:  # Pillow can only read some formats
        raise OutputError(f"Expected a file name with an image's ending, such as .png. Received: {path}")
    with atomic_write(path) as temporary:
        picture.save(temporary, format=Image.registered_extensions()[path.suffix.lower()], **options)


class atomic_write:
    """A context that gives a temporary path in `path`'s folder and renames it to `path` if its block succeeds.

    A reader sees the old file or the new one, never a partial one, even after a power failure. A failed write does not
    touch the old file.
    """

    def __init__(self, path):
        self.path = Path(path)

    def __enter__(self):
        self.temporary = self.path.with_name(f".{self.path.stem}-{uuid.uuid4().hex}{self.path.suffix}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.temporary.touch()
        except OSError as error:
            raise OutputError(f"Cannot write {self.path}: {error}. Choose a folder that can be written to.") from error
        return self.temporary

    def __exit__(self, kind, error, traceback):
        if kind is None:
            try:
                with open(self.temporary, "rb+") as file:
                    os.fsync(file.fileno())
                os.replace(self.temporary, self.path)
                return False
            except OSError as failure:
                error = failure
        with contextlib.suppress(OSError):  # the folder may be gone
            self.temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise OutputError(
                f"Cannot write {self.path}: {error}. The file that was there before is unchanged."
            ) from error
        return False


def remove_unfinished(folder, stem):
    """Removes temporary files that killed processes left in `folder`; `stem` is a pattern for the files' stems."""
    for path in Path(folder).glob(f".{stem}-{'[0-9a-f]' * 32}.*"):
        path.unlink(missing_ok=True)
