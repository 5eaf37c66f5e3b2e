"""Pictures without Keras: grids of images, and files that appear whole."""

import contextlib
import os
import uuid
from pathlib import Path

import numpy as np
from PIL import Image

from keras_gans_core.checks import is_whole
from keras_gans_core.errors import ConfigurationError, DataError, OutputError


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


def in_rows(examples, columns):
    """One picture of several pictures of each example, which stand side by side; smaller ones are enlarged by whole
    factors.

    Args:
        examples: a list with a list of pictures for each example, uint8 (height, width, channels).
        columns: examples per row; see `grid`.

    Example:

    >>> small, large = np.zeros((2, 2, 1), "uint8"), np.zeros((4, 4, 1), "uint8")
    >>> in_rows([[small, large], [small, large]], columns=1).shape
    (8, 8, 1)
    """
    joined = []
    for pictures in examples:
        height = max(picture.shape[0] for picture in pictures)
        joined.append(side_by_side([enlarged(picture, height // picture.shape[0]) for picture in pictures], gap=0))
    return grid(np.stack(joined), columns)


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
