"""Image files as the inputs of a model that translates images or makes them larger."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from keras_gans.data.decoding import MODES, opened, plain_alone
from keras_gans.data.folders import endings, named_images
from keras_gans.errors import DataError, DatasetNotFoundError
from keras_gans.fields import Images, LabelMaps
from keras_gans_core.errors import format_error

KINDS = {1: "grey", 3: "in colour", 4: "in colour with transparency"}  # of images, by their channels


def picture_files(place):
    """The files to read: the file itself, or the images in a folder, sorted by name.

    Args:
        place: path of an image or of a folder of images. Subfolders are not searched.

    Raises:
        DatasetNotFoundError: nothing was found.
        DataError: a folder without images, with more files that cannot be read, or with two images of the same name,
            such as a.png and a.jpg.

    Warns:
        UserWarning: files that may be images and cannot be read.
    """
    place = Path(place)
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise DatasetNotFoundError(f"Expected an image or a folder of images. Received: {place}, which is not there.")
    found, left_out = named_images(place)
    if not found:
        raise DataError(f"Expected images ({', '.join(endings())}) in {place}. Received: none.")
    if left_out:
        warnings.warn(left_out, stacklevel=2)
    return list(found.values())


def read_input(path, field, resize=False):
    """An image file as one value of a field: uint8 (height, width, channels), or (height, width) for a label map.

    Transparent areas become white, unless the field has four channels.

    Args:
        path: file of an image; for a label map a grey or palette image whose values are class numbers.
        field: `Images` or `LabelMaps`.
        resize: whether to center-crop and resize images of other sizes, label maps without interpolation.

    Raises:
        DataError: a file that is not an image, or an image of another size or other channels; the message names it.
    """
    is_map = isinstance(field, LabelMaps)
    if not is_map and not isinstance(field, Images):
        raise DataError(f"Expected an input of images or label maps. Received: {type(field).__name__}.")
    picture = _opened(path, is_map, alpha=field.shape[2:] == (4,))
    height, width = field.shape[:2]
    size = height or picture.height, width or picture.width
    if (picture.height, picture.width) != size:
        if not resize:
            raise DataError(
                f"Expected an image of {_written(height)}x{_written(width)} pixels (height x width), the size that "
                f"the model takes. Received: {path}, {picture.height}x{picture.width}. Pass --resize (resize=True) to "
                "center-crop and resize it."
            )
        method = Image.Resampling.NEAREST if is_map else Image.Resampling.LANCZOS
        picture = ImageOps.fit(picture, size[::-1], method)
    values = np.asarray(picture)
    if is_map:
        return _checked_map(values, field, path)
    channels = len(picture.getbands())
    if channels != field.shape[2]:
        raise DataError(
            f"Expected an image that is {KINDS.get(field.shape[2], f'of {field.shape[2]} channels')}, as the model "
            f"takes. Received: {path}, which is {KINDS[channels]}. Convert it."
        )
    return values.reshape(*size, channels)


def read_photo(path, channels):
    """An image file of any size as uint8 (height, width, channels), and whether it is grey. Transparent areas become
    white.

    Args:
        path: file of an image.
        channels: 1 for a grey image or 3 for one in colour; grey ones are converted to colour.

    Raises:
        DataError: a file that is not an image, or one in colour where grey ones are taken.
    """
    picture = _opened(path, is_map=False, alpha=False)
    grey = len(picture.getbands()) == 1
    if channels == 1 and not grey:
        raise DataError(f"Expected a grey image, as the model takes. Received: {path}, which is in colour. Convert it.")
    return np.asarray(picture.convert(MODES[channels])).reshape(picture.height, picture.width, channels), grey


def _written(side):
    return "any" if side is None else side


def _opened(path, is_map, alpha):
    """The image in 8 bits, grey or colour; for a label map, the numbers in its file."""
    try:
        with opened(path) as picture:
            if not is_map:
                return plain_alone(picture, alpha)
            mode, numbers = picture.mode, np.asarray(picture)
    except DataError:
        raise
    except Exception as error:  # each of Pillow's readers has its own errors for damaged files
        raise DataError(f"Expected {path} to be an image. Received: {format_error(error, longest=80)}.") from error
    if mode not in ("1", "L", "P"):
        raise DataError(
            f"Expected a label map: a grey or palette image of 8 bits with class numbers as values. Received: {path}, "
            f"of Pillow's mode {mode}. Convert its colours to class numbers."
        )
    return Image.fromarray(numbers.astype("uint8"))


def _checked_map(values, field, path):
    try:
        return field.check(values[None])[0]
    except DataError as error:
        raise DataError(f"{error} Look at {path}.") from error
