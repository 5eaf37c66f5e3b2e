"""The sizes of image files, read from their first bytes: many files are compared before one is decoded."""

import os
import warnings

from PIL import Image, ImageOps

from keras_gans.data.archives import Zipped
from keras_gans.data.folders import formats

HEAD = 2048  # bytes; a larger head, such as one with a colour profile, is left to Pillow
TAIL = 12  # bytes: PNG's last chunk
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
JPEG_END = b"\xff\xd9"
TURNED = (b"Exif", b"eXIf", b"exif", b"rientation")  # what may say that the camera was held upright
ORIENTATION = 0x0112  # EXIF's; from 5 on, width and height change places
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # the JPEG segments that hold the size


def size_of(path):
    """(height, width, channels) of the image in a file, upright: 1 channel if it is grey, else 3; None if unreadable.

    Of a plain PNG or JPEG file the first bytes are read, which is many times faster than Pillow; of others Pillow reads
    the head. A file that Pillow's limit of pixels excludes is unreadable. What follows the head may be damaged.

    Args:
        path: the file's path.

    Example:

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/a.png"
    >>> Image.new("RGB", (20, 10)).save(path)
    >>> size_of(path)
    (10, 20, 3)
    """
    try:
        with opened_bytes(path) as file:
            head = file.read(HEAD)
    except (OSError, ValueError):
        return None
    return _size(path, head)


def whole_size_of(path):
    """`size_of` of a file that can be read for sure, as far as its first and its last bytes tell; else None.

    It is a PNG or JPEG file with 8 bits a pixel that is not cut off. Others must be decoded to know.
    """
    try:
        with opened_bytes(path) as file:
            head = file.read(HEAD)
            file.seek(-TAIL, os.SEEK_END)
            tail = file.read(TAIL)
    except (OSError, ValueError):
        return None
    png = head.startswith(b"\x89PNG")
    if tail != PNG_END if png else not tail.endswith(JPEG_END) or not head.startswith(b"\xff\xd8"):
        return None
    if png and (len(head) < 26 or head[24] > 8):
        return None
    return _size(path, head)


def opened_bytes(path):
    """A file, or one in a zip file, to be read as bytes without a buffer."""
    return path.open("rb") if isinstance(path, Zipped) else open(path, "rb", buffering=0)


def _size(path, head):
    try:
        return _allowed(*(_of_head(head) or _of_pillow(path)))
    except Exception:  # each of Pillow's readers has its own errors for damaged files
        return None


def _allowed(height, width, channels):
    most = Image.MAX_IMAGE_PIXELS
    return None if most is not None and height * width > most else (height, width, channels)


def _of_head(head):
    """(height, width, channels) of an upright PNG or JPEG file, if its first bytes tell."""
    if any(word in head for word in TURNED):
        return None
    return _of_png(head) if head.startswith(b"\x89PNG") else _of_jpeg(head)


def _of_png(head):
    if head[12:16] != b"IHDR" or len(head) < 26:
        return None
    width, height = (int.from_bytes(head[i : i + 4]) for i in (16, 20))
    return height, width, 1 if head[25] in (0, 4) else 3


def _of_jpeg(head):
    place = 2 if head[:2] == b"\xff\xd8" else len(head)
    while place + 10 <= len(head) and head[place] == 0xFF:
        kind = head[place + 1]
        if kind in FRAMES:
            height, width = (int.from_bytes(head[i : i + 2]) for i in (place + 5, place + 7))
            return height, width, 1 if head[place + 9] == 1 else 3
        place += 2 + int.from_bytes(head[place + 2 : place + 4])
    return None


def _of_pillow(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with opened_bytes(path) as file, Image.open(file, formats=formats()) as picture:
            turned = picture.getexif().get(ORIENTATION, 1) >= 5
            grey = picture.mode in ("1", "L", "LA", "La") or picture.mode.startswith("I;16")
            if turned and picture.format == "TIFF":  # Pillow's versions differ in what its size is
                picture = ImageOps.exif_transpose(picture)
                turned = False
            size = picture.size if turned else picture.size[::-1]
            return *size, 1 if grey else 3
