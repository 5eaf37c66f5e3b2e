"""The image files below a folder: which are read, and which are left out."""

import contextlib
import dataclasses
import functools
import operator
import os
import re
from collections import Counter
from pathlib import Path

from PIL import Image

from keras_gans.data.archives import Zipped
from keras_gans.data.progress import shown
from keras_gans.errors import DataError
from keras_gans_core.errors import printable

SHOWN = 5  # kinds of files that a line names
# What names of Cityscapes' files end with, after that of the scene.
CITYSCAPES = re.compile(r"_(leftImg8bit|gt(Fine|Coarse)_(label|instance)(Train)?Ids)$")
# Endings and, out of Pillow's forty readers, those that read them. HEIF's is in the package pillow-heif.
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
# Endings of what may be a data set's images and is not read.
OTHERS = (
    ".arw", ".cr2", ".cr3", ".dng", ".eps", ".exr", ".hdr", ".ico", ".jp2", ".jxl", ".nef", ".orf", ".pbm", ".pcx",
    ".pgm", ".ppm", ".psd", ".raf", ".raw", ".rw2", ".svg", ".tga", ".xcf",
    ".avi", ".mkv", ".mov", ".mp4", ".webm", ".h5", ".mat", ".npy", ".npz", ".parquet", ".pt", ".tfrecord",
    ".7z", ".gz", ".rar", ".tar", ".tgz", ".zip",
)  # fmt: skip


@functools.cache
def _register():
    """Registers Pillow's readers, and that of HEIF where its package is installed."""
    Image.init()
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()


def is_hidden(name):
    """Whether a file or folder is none of a data set's: hidden, or made by a system for itself."""
    return name.startswith(".") or name in ("__MACOSX", "@eaDir", "$RECYCLE.BIN")


def endings():
    """The endings of files that Pillow can read here."""
    _register()
    return tuple(ending for ending, reader in READERS.items() if reader in Image.OPEN)


def formats():
    """Pillow's names of the readers that `endings` needs: any other could be a hostile file's choice."""
    return tuple(sorted({READERS[ending] for ending in endings()}))


@dataclasses.dataclass
class Found:
    """What is in a folder: sorted paths of images, and how many of what else, {what: count}."""

    images: list
    others: dict  # files that may hold images and cannot be read, by their ending
    rest: dict  # other files by their ending, and "hidden"

    def left_out(self, place):
        """One line on the files that may hold images, None if there are none.

        Raises:
            DataError: there are more of them than images.
        """
        if not self.others:
            return None
        counted = _counted(self.others)
        heif = (
            " .heic and .heif are read where pillow-heif is installed." if {".heic", ".heif"} & {*self.others} else ""
        )
        if sum(self.others.values()) > len(self.images):
            raise DataError(
                f"Expected images ({', '.join(endings())}) in {place}. Received: {len(self.images)} of these, and "
                f"{counted}. Convert the others, or move them away.{heif}"
            )
        return f"Left out {counted} in {printable(str(place))}, which cannot be read here.{heif}"

    @property
    def uncounted(self):
        """The rest in words."""
        return _counted(self.rest)


def _counted(counts):
    named = [f"{count} {what or 'nameless'} files" for what, count in sorted(counts.items(), key=lambda item: -item[1])]
    return printable(" and ".join(named[:SHOWN]) + (" and others" if len(named) > SHOWN else ""))


def image_files(folder, below=True):
    """What is in a folder, as `Found`.

    Hidden files and folders are left out at any depth. Links to folders are followed, unless they lead back to a folder
    that they are in.

    Args:
        folder: a path.
        below: whether to look into its subfolders.
    """
    known, images, others, rest = endings(), [], Counter(), Counter()
    walk = folder.walk() if isinstance(folder, Zipped) else _walk(folder)
    for place, name in shown(_names(folder, walk, below, rest), f"Looking for images in {printable(str(folder))}:"):
        ending = os.path.splitext(name)[1].lower().removesuffix(".")
        if ending in known:
            images.append(place / name)
        elif ending in READERS or ending in OTHERS:
            others[ending] += 1
        else:
            rest[ending] += 1
    images.sort(key=operator.attrgetter("parts"))  # the order of paths, of which comparing two takes long
    return Found(images, dict(others), {what: count for what, count in rest.items() if count})


def _names(folder, walk, below, rest):
    """(folder, name) of each file that is not hidden; counts the others in `rest`."""
    for place, names, files in walk:
        rest["hidden"] += sum(is_hidden(name) for name in (*files, *names))
        names[:] = sorted(name for name in names if not is_hidden(name) and not _leads_back(folder, place, name))
        if not below:
            names.clear()
        place = type(folder)(place)
        yield from ((place, name) for name in files if not is_hidden(name))


def _walk(folder):
    """As `os.walk` with links: (place, names of folders, names of files), but only what is there and is a file."""
    waiting = [os.fspath(folder)]
    while waiting:
        place, names, files = waiting.pop(), [], []
        with contextlib.suppress(OSError), os.scandir(place) as entries:  # a folder that may not be read
            for entry in entries:
                with contextlib.suppress(OSError):  # a link to itself
                    if entry.is_dir():
                        names.append(entry.name)
                    elif entry.is_file():
                        files.append(entry.name)
        yield place, names, files
        waiting += [os.path.join(place, name) for name in names]


def names_below(folder, path):
    """The names from a folder to what is in it, a tuple of texts; many times faster than `relative_to`."""
    return path.parts[len(folder.parts) :]


def named_images(place):
    """The images in a folder, not below it, as {name without its ending: path}, sorted; and a line on what is left out.

    Raises:
        DataError: two images of one name, or more files that cannot be read than images.
    """
    found, files = image_files(place, below=False), {}
    for path in found.images:
        if path.stem in files:
            raise DataError(
                f"Expected one image of each name in {place}. Received: {files[path.stem].name} and {path.name}. "
                "Rename or remove one of them."
            )
        files[path.stem] = path
    return files, found.left_out(place)


def by_scene(files, place):
    """`{name: path}` of files by their names without Cityscapes' endings, so that maps and photos of a scene have one.

    Args:
        files: {name without its ending: path}, as `named_images` returns it.
        place: the folder that they are in.

    Raises:
        DataError: two files of one scene.

    Example:

    >>> by_scene({"ulm_1_gtFine_labelIds": "ulm_1_gtFine_labelIds.png"}, "train_label")
    {'ulm_1': 'ulm_1_gtFine_labelIds.png'}
    """
    found = {}
    for name, path in files.items():
        scene = CITYSCAPES.sub("", name)
        if scene in found:
            raise DataError(
                f"Expected one image of each scene in {place}. Received: {found[scene].name} and {path.name}. Remove "
                "one of them."
            )
        found[scene] = path
    return found


def _leads_back(folder, place, name):
    """Whether a link is to one of the folders that it is in."""
    path = os.path.join(place, name)
    if not os.path.islink(path):
        return False
    inside, target = Path(place), os.path.realpath(path)
    around = [inside, *inside.parents]
    return target in {os.path.realpath(above) for above in around[: len(around) - len(Path(folder).parents)]}
