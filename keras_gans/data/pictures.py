"""Image files as the inputs of a model that translates images or makes them larger."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from keras_gans.data.decoding import MODES, holds_numbers, nearest, opened, plain_alone
from keras_gans.data.folders import by_scene, endings, named_images
from keras_gans.errors import DataError, DatasetNotFoundError
from keras_gans.fields import Images, InstanceMaps, LabelMaps
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


def partners(paths, place):
    """The files of the same names in another place, in the order of the given ones.

    Args:
        paths: of images.
        place: path of an image, the partner of the only given one, or of a folder. What Cityscapes' names end with is
            no part of a name.

    Raises:
        DataError: a file without a partner; and what `picture_files` raises for the place.
    """
    others = picture_files(place)
    if Path(place).is_file() and len(paths) == 1:
        return others
    found = by_scene({path.stem: path for path in others}, place)
    names = list(by_scene({path.stem: path for path in paths}, "the folder of the images"))
    if alone := [name for name in names if name not in found]:
        raise DataError(
            f"Expected a map of instances of each image's name in {place}. Received: {len(others)}, none for "
            f"{', '.join(alone[:5])}{', ...' if len(alone) > 5 else ''}. Add them, or move the images away."
        )
    return [found[name] for name in names]


def read_input(path, field, resize=False):
    """An image file as one value of a field: uint8 (height, width, channels), or (height, width) for a map.

    Transparent areas become white, unless the field has four channels.

    Args:
        path: file of an image; for a map a grey or palette image whose values are class numbers, or an object's ids, of
            which grey ones may have 16 bits.
        field: `Images`, `LabelMaps` or `InstanceMaps`.
        resize: whether to center-crop and resize images of other sizes, maps without interpolation.

    Raises:
        DataError: a file that is not an image, or an image of another size or other channels; the message names it.
    """
    bits = 8 if isinstance(field, LabelMaps) else 16 if isinstance(field, InstanceMaps) else None
    if bits is None and not isinstance(field, Images):
        raise DataError(
            f"Expected an input of images, label maps or maps of instances. Received: {type(field).__name__}."
        )
    picture = _opened(path, bits, alpha=field.shape[2:] == (4,))
    height, width = field.shape[:2]
    size = height or picture.height, width or picture.width
    if (picture.height, picture.width) != size:
        if not resize:
            raise DataError(
                f"Expected an image of {_written(height)}x{_written(width)} pixels (height x width), the size that "
                f"the model takes. Received: {path}, {picture.height}x{picture.width}. Pass --resize (resize=True) to "
                "center-crop and resize it."
            )
        if bits:
            picture = Image.fromarray(nearest(np.asarray(picture), size))
        else:
            picture = ImageOps.fit(picture, size[::-1], Image.Resampling.LANCZOS)
    values = np.asarray(picture)
    if bits:
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
    picture = _opened(path, None, alpha=False)
    grey = len(picture.getbands()) == 1
    if channels == 1 and not grey:
        raise DataError(f"Expected a grey image, as the model takes. Received: {path}, which is in colour. Convert it.")
    return np.asarray(picture.convert(MODES[channels])).reshape(picture.height, picture.width, channels), grey


def _written(side):
    return "any" if side is None else side


def _opened(path, bits, alpha):
    """The image in 8 bits, grey or colour; for a map, the numbers of up to `bits` bits in its file."""
    try:
        with opened(path) as picture:
            if bits is None:
                return plain_alone(picture, alpha)
            mode, fits, numbers = picture.mode, holds_numbers(picture, bits), np.asarray(picture)
    except DataError:
        raise
    except Exception as error:  # each of Pillow's readers has its own errors for damaged files
        raise DataError(f"Expected {path} to be an image. Received: {format_error(error, longest=80)}.") from error
    if not fits:
        kind, wanted = ("a label map", "class numbers") if bits == 8 else ("a map of instances", "ids")
        raise DataError(
            f"Expected {kind}: a grey or palette image of up to {bits} bits with {wanted} as values. Received: {path}, "
            f"of Pillow's mode {mode}. Convert its colours to {wanted}."
        )
    return Image.fromarray(numbers.astype(f"uint{bits}"))


def _checked_map(values, field, path):
    try:
        return field.check(values[None])[0]
    except DataError as error:
        raise DataError(f"{error} Look at {path}.") from error
