"""The image files below a folder: which are read, and which are left out."""

import os
from collections import Counter
from pathlib import Path

from PIL import Image

# Endings and, out of Pillow's forty readers, those that read them. HEIF needs pillow_heif.register_heif_opener().
READERS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
}
# Endings of pictures that are not read.
OTHER_PICTURES = (
    ".arw", ".cr2", ".cr3", ".dng", ".eps", ".exr", ".hdr", ".ico", ".jp2", ".jxl", ".nef", ".orf", ".pbm", ".pcx",
    ".pgm", ".ppm", ".psd", ".raf", ".raw", ".rw2", ".svg", ".tga", ".xcf",
)  # fmt: skip


def endings():
    """The endings of files that Pillow can read here."""
    Image.init()  # registers the readers
    return tuple(ending for ending, reader in READERS.items() if reader in Image.OPEN)


def formats():
    """Pillow's names of the readers that `endings` needs: any other could be a hostile file's choice."""
    return tuple(sorted({READERS[ending] for ending in endings()}))


def image_files(folder):
    """The images below a folder, and how many other pictures there are.

    Hidden files and folders are left out at any depth. Links to folders are followed, unless they lead back to a folder
    that they are in.

    Args:
        folder: a path.

    Returns:
        (sorted paths, {ending: how many pictures cannot be read}).
    """
    known, images, others = endings(), [], Counter()
    for place, names, files in os.walk(folder, followlinks=True):
        names[:] = sorted(name for name in names if not name.startswith(".") and not _leads_back(folder, place, name))
        for name in files:
            path = Path(place, name)
            ending = path.suffix.lower()
            if name.startswith("."):
                continue
            if ending in known and path.is_file():
                images.append(path)
            elif ending in READERS or ending in OTHER_PICTURES:
                others[ending] += 1
    return sorted(images), dict(others.most_common())


def _leads_back(folder, place, name):
    """Whether a link is to one of the folders that it is in."""
    path = os.path.join(place, name)
    if not os.path.islink(path):
        return False
    inside, target = Path(place), os.path.realpath(path)
    around = [inside, *inside.parents]
    return target in {os.path.realpath(above) for above in around[: len(around) - len(Path(folder).parents)]}
