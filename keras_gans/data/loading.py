"""Loads images from a TFDS data set, a folder, a NumPy file or arrays, or draws them without files."""

import difflib
import os
import re
import sys
import time
import warnings
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from keras_gans.data import decoded, drawn
from keras_gans.data.archives import Zipped, is_zip_of_images
from keras_gans.data.arrays import is_npz, read_npy, read_npz
from keras_gans.data.batches import AHEAD, Batches, drawn_rows
from keras_gans.data.cache import cached
from keras_gans.data.decoding import MODES, Decoder, fitted, opened, plain, plain_alone
from keras_gans.data.folders import endings, names_below
from keras_gans.data.headers import size_of
from keras_gans.data.layouts import read_layout, shown_names
from keras_gans.data.lazy import FileImages, LazyArray, look_at
from keras_gans.data.progress import shown
from keras_gans.errors import ConfigurationError, DataError, DatasetNotFoundError
from keras_gans.fields import check_axes, check_images, check_range
from keras_gans_core.checks import is_whole
from keras_gans_core.errors import format_error, printable

DRAWN = {"drawn:digits": drawn.digits, "drawn:shapes": drawn.shapes}
DRAWN_NAMES = {"drawn:digits": [str(digit) for digit in range(10)], "drawn:shapes": list(drawn.SHAPES)}
DRAWN_SEEDS = {"train": 0, "test": 1}
DRAWN_COUNT = 4096
PLACES = {"image": "a folder of images", "text": "a text file"}  # alternatives to a TFDS feature, for error messages
NAMED = 10  # unreadable files that a warning names
TFDS_NAME = r"[a-z]\w*(/[\w.+-]+)?(:[\w.*]+)?"  # name, name/config, name:1.0.0
TFDS_BATCH = 1000  # examples per read; reading one by one is several times slower

# For the cards: licences of data sets whose TFDS entry states none.
LICENSES = {
    "mnist": "CC BY-SA 3.0",
    "cifar10": "research use, no explicit licence",
    "avatars": "design by Pablo Stanley, free for personal and commercial use",
    "emoji": "Noto: Apache-2.0; Twemoji: CC BY 4.0",
    "photo_patches": "CC BY-SA",
    "kjv_text": "public domain",
    "drawn:digits": "Apache-2.0",
    "drawn:shapes": "Apache-2.0",
}


def load(
    source,
    *,
    split="train",
    image_size=None,
    channels=None,
    batch_size=64,
    take=None,
    labels=True,
    shuffle=True,
    seed=0,
    download=False,
    data_dir=None,
    strict=False,
    lazy=False,
    cache=None,
    workers=None,
    use_multiprocessing=False,
    ahead=AHEAD,
):
    """Loads a data set of images, as shuffled batches for `fit`: into memory, or from the disk while it is read.

    Unusual images in a folder are converted. CMYK and palettes become colour, and only the first frame of an animation
    is used. Transparent areas become white, with a warning, unless `channels` is given: 4 keeps them. Grey images of 16
    bits per pixel are read by their real depth, the smallest of 8, 10, 12, 14 and 16 bits that holds the highest value
    of all, with a warning where it is not 16. Files that cannot be read are left out, with one warning that counts them
    and names the first ten: truncated or empty files, other files with an image's extension, 32-bit images, colour
    images of 16 bits that use only 12, and images with more than `PIL.Image.MAX_IMAGE_PIXELS` (89 million) pixels,
    which could fill the memory. A JPEG is decoded to a half, a quarter or an eighth of its size where that is at least
    twice `image_size`. Where reading takes more than two seconds, a line on stderr shows how far it is.

    The images of a folder are decoded into one array, which is allocated before: reading takes little more memory than
    that array. If the files' heads show that it does not fit into memory, or that the images have several sizes, the
    folder is refused before it is decoded, except for one image of each of two sizes.

    Data that are larger than memory stay on the disk with `lazy` or `cache`. The batches are the same; see
    docs/large_data.md.

    Args:
        source: one of
            - an array (N, height, width, channels) or (N, height, width), or (images, labels), where labels that are
              texts are the classes' names, numbered in sorted order;
            - the path of an `.npy` file, or of an `.npz` with `images` and optionally `labels` (or `x_train`,
              `y_train`, with `x_test`, `y_test` for the split "test"). Arrays of Python objects are refused, and an
              `.npz` that unpacks to more than 100 times its size and 64 MiB;
            - the path of a folder of images, or of a zip file of one, which is not unpacked; if all images are in
              subfolders, these are the classes, numbered in sorted order (2 before 10). Folders named train, val and
              test (or like them) are splits. NVlabs' `dataset.json` and the `metadata.jsonl` or `metadata.csv` of
              Hugging Face's image folders hold labels instead of the folders' names. One line says what was understood,
              on the standard error stream and in `about["layout"]`; `keras.config.disable_interactive_logging()` keeps
              it off the stream;
            - "drawn:digits" or "drawn:shapes", drawn on demand; "train" and "test" use different random numbers;
            - the name of a TFDS data set with a feature "image", such as "mnist", "name/config" or "name:1.0.0". A
              folder of that name in the current directory comes first.
        split: split of a TFDS data set, a drawing, or a folder or an `.npz` with several, such as "train", "test" or,
            for TFDS only, "train[:10%]". The other sources have only "train".
        image_size: (height, width); images are center-cropped and resized to it. None if all images have one size
            already.
        channels: 1 for grey, 3 for colour or 4 for colour and transparency; None for what the images have (3 where a
            folder has both; 4 only from arrays and TFDS).
        batch_size, shuffle, seed: see `Batches`.
        take: the maximum number of examples. From a folder, a file or arrays, which may be sorted by class, random ones
            are taken, the same each time; from a TFDS data set the first ones, so that the rest need not be read. For
            drawings it is the exact number (by default 4096). None for all.
        labels: whether to keep the labels, if there are any; or, for a TFDS data set or a folder with metadata, the
            name of the feature or column to use as labels instead of "label", such as "hair_color". A dict of features
            becomes one column per entry, in the order of their names, which are in `about["classes"]`.
        download: whether TFDS may download the data set if it is not prepared.
        data_dir: TFDS's folder; None for $TFDS_DATA_DIR, or TFDS's default.
        strict: whether to refuse a folder with a file that cannot be read, instead of leaving the file out.
        lazy: whether the images of a folder or a zip file are decoded whenever they are needed, instead of all at once.
        cache: a folder in which the images of a folder or a zip file are kept decoded; None for none. They are decoded
            at the first time, into a file as large as all of them, and read from there, in any run with the same files
            and settings. With `lazy` or without, they are not in memory.
        workers, use_multiprocessing, ahead: of data on the disk; see `Batches`.

    Returns:
        `Batches` of uint8 images; float images of arrays in [-1, 1] stay float32.

    Raises:
        DatasetNotFoundError: nothing was found; the message names the places and the remedies.
        DataError: no readable image, more unreadable files than images or, with `strict`, an unreadable one; images of
            several sizes without `image_size`; more images than fit into memory; an unknown split; a folder that can be
            read in two ways; arrays of another range (see `kg.fields.check_range`) or with other axes, such as the
            channels first. From data on the disk, while batches are made: a file that changed or vanished.
        ConfigurationError: arguments out of range, or a source that cannot stay on the disk.
        OutputError: the cache cannot be written.

    Warns:
        UserWarning: files in a folder that cannot be read; transparent areas that became white; 16-bit images read as
            fewer bits.

    Example:

    >>> batches = kg.data.load("drawn:digits", take=256, batch_size=64)
    >>> len(batches), batches.image_shape
    (4, (28, 28, 1))
    """
    if image_size is not None:
        image_size = drawn.checked_size(image_size)
    check_channels(channels)
    named = labels if isinstance(labels, str) else None
    if take is not None and not is_whole(take, 1):
        raise ConfigurationError(f"Expected to take 1 example or more, or None. Received: take={take!r}.")
    if not is_whole(seed, 0):
        raise ConfigurationError(f"Expected a seed that is a whole number, 0 or more. Received: {seed!r}.")
    if isinstance(source, np.ndarray):
        images, classes, about = _one_split(split, "An array", (source, None, {"name": "array", "source": "array"}))
    elif isinstance(source, tuple):
        if len(source) != 2:
            raise DataError(f"Expected (images, labels). Received: a tuple of {len(source)}.")
        images, classes, about = _one_split(split, "An array", (*source, {"name": "array", "source": "array"}))
    elif not isinstance(source, (str, os.PathLike)):
        raise DataError(
            "Expected an array, (images, labels), a path, or the name of a data set. "
            f"Received: {type(source).__name__}. Convert lists and tensors with np.asarray."
        )
    elif str(source).startswith("drawn:"):
        images, classes, about = _read_drawn(source, split, image_size, take)
    elif os.path.isdir(path := Path(os.path.expanduser(source))) and source != "":  # "" is the current directory
        images, classes, about = _read_folder(path, split, image_size, channels, take, strict, named, lazy, cache)
    elif is_zip_of_images(path):
        path = Zipped(path)
        images, classes, about = _read_folder(path, split, image_size, channels, take, strict, named, lazy, cache)
    elif os.path.exists(path) and not os.path.isdir(path):
        images, classes, about = _read_numpy(path, split)
    elif isinstance(source, os.PathLike) or not re.fullmatch(TFDS_NAME, source):
        raise DatasetNotFoundError(
            f"Expected a folder of images, a NumPy file or the name of a data set. Received: {str(source)!r}, which "
            f"is not there. Looked in: {path.absolute().parent}."
        )
    else:
        images, classes, about = read_tfds("image", source, split, take, download, data_dir, named or "label")
    if named is not None and about["source"] not in ("TFDS", "folder"):
        raise ConfigurationError(
            f"Expected labels=True or False: {source!r} is not a TFDS data set and has no named features. "
            f"Received: {labels!r}. Leave the name out."
        )
    for what, array in (("images", images), ("labels", classes)):
        if isinstance(array, np.ndarray) and array.ndim == 0:
            raise DataError(f"Expected an array of {what}. Received: one {array.dtype}, without a shape.")
    if (lazy or cache is not None) and not isinstance(images, LazyArray):
        raise ConfigurationError(
            f"Expected a folder or a zip file of images, which can stay on the disk. Received: "
            f"{'lazy=True' if lazy else f'cache={cache!r}'} for {about['name']} ({about['source']}). Leave it out."
        )
    if take is not None and len(images) > take:
        if classes is not None and len(classes) != len(images):
            raise DataError(
                f"Expected as many labels as images, one for each of {len(images)}. Received: {len(classes)} labels."
            )
        rows, about["drawn"] = drawn_rows(len(images), take), True
        images, classes = images[rows], None if classes is None else np.asarray(classes)[rows]
    if not isinstance(images, LazyArray):
        images = _shaped(images, image_size, channels)
    if classes is not None and np.asarray(classes).dtype.kind == "U":
        names, classes = np.unique(classes, return_inverse=True)
        about["classes"] = shown_names(names.tolist(), "the labels")
    classes = _checked_labels(classes) if labels and classes is not None else None
    if named is not None:
        about["labels"] = named
    about.update(split=split, examples=len(images), image_shape=list(images.shape[1:]))
    about.setdefault("license", f"of the {about['source']}'s owner")
    decoding = {"workers": workers, "use_multiprocessing": use_multiprocessing, "ahead": ahead}
    return Batches(images, classes, batch_size=batch_size, shuffle=shuffle, seed=seed, about=about, **decoding)


def check_channels(channels):
    """Raises a `ConfigurationError` unless images can be read with this many channels."""
    if channels not in (None, *MODES):
        raise ConfigurationError(f"Expected channels of 1, 3, 4 or None. Received: {channels!r}.")


def _one_split(split, kind, content):
    """`content` if the split is "train". Any other split would silently give the same images."""
    if split != "train":
        raise DataError(
            f"{kind} is one split. Expected split='train'. Received: {split!r}. "
            "Give the path of the other images as the source."
        )
    return content


def _checked_labels(labels):
    labels = np.asarray(labels)
    if labels.dtype.kind not in "biuf":
        raise DataError(f"Expected labels that are numbers. Received: dtype {labels.dtype}.")
    return labels


def _shaped(images, image_size, channels):
    """An array (N, height, width, channels) of the requested size and channels, from an array or a list of arrays.

    Raises:
        DataError: no images, or images that cannot be used or brought to one shape.
    """
    if len(images) == 0:
        raise DataError("Expected at least one image. Received: none.")
    if isinstance(images, np.ndarray) and images.ndim == 3:
        check_axes(images.shape)
        images = images[..., None]  # grey
    shapes = {np.shape(image) for image in images} if isinstance(images, list) else {images.shape[1:]}
    for shape in shapes:
        check_axes((len(images), *shape))
    if any(len(shape) != 3 for shape in shapes):
        raise DataError(f"Expected images (height, width, channels). Received: {sorted(shapes)[0]}.")
    sizes = sorted({shape[:2] for shape in shapes})
    if image_size is None and len(sizes) > 1:
        raise DataError(
            f"Expected images of one size. Received: {len(sizes)} sizes, from {sizes[0]} to {sizes[-1]}. "
            "Pass image_size=(height, width), or --image-size."
        )
    wanted = image_size or sizes[0]
    channels = channels or max(shape[2] for shape in shapes)
    if shapes == {(*wanted, channels)}:
        images = np.asarray(images)
        check_images(images, images.shape[1:])
        check_range(images)
        return images if images.dtype == "uint8" else images.astype("float32", copy=False)
    if any(image.dtype != "uint8" or image.shape[2] not in MODES for image in images) or channels not in MODES:
        raise DataError(
            "Expected uint8 images with 1, 3 or 4 channels, to resize or to convert. "
            f"Received: {images[0].dtype} {images[0].shape}. Convert them first."
        )
    pictures = (Image.fromarray(image[..., 0] if image.shape[2] == 1 else image) for image in images)
    return np.stack([fitted(plain(picture, alpha=channels == 4), wanted, channels) for picture in pictures])


def _read_drawn(name, split, image_size, take):
    if name not in DRAWN:
        raise DatasetNotFoundError(f"Expected one of the drawings {', '.join(DRAWN)}. Received: {name!r}.")
    if split not in DRAWN_SEEDS:
        raise DataError(f"Expected the split 'train' or 'test' of {name}. Received: {split!r}.")
    options = {"image_size": image_size} if image_size else {}
    images, classes = DRAWN[name](take or DRAWN_COUNT, seed=DRAWN_SEEDS[split], **options)
    about = {"name": name, "version": "1", "license": LICENSES[name], "source": "drawing", "classes": DRAWN_NAMES[name]}
    return images, classes, about


def _read_folder(folder, split, image_size, channels, take, strict, label, lazy=False, cache=None):
    """The images of a folder in sorted order; unreadable ones are left out with a warning, or refused."""
    layout = read_layout(folder, split, label)
    images, read, about = read_files(folder, layout, image_size, channels, take, strict, lazy, cache)
    if layout.classes is not None:
        about["classes"] = layout.classes
    return images, None if layout.labels is None else layout.labels[read], about


def read_files(folder, layout, image_size, channels, take, strict=False, lazy=False, cache=None):
    """The images of a `Layout` in sorted order, the places of their files in it, and a description.

    Files that cannot be read are left out with a warning, or refused.
    """
    files = layout.files
    if layout.others:
        warnings.warn(layout.others, stacklevel=4)
    if lazy or cache is not None:
        kept = _on_the_disk(folder, files, image_size, channels, take, cache)
    else:
        key, began = decoded.key_of(folder, files, image_size, channels, take), time.monotonic()
        kept = decoded.load(key)
        if kept is None:
            kept = _decoded(folder, files, image_size, channels, take)
            decoded.save(key, kept, time.monotonic() - began)
    images, read, unreadable, notes = kept
    named = ", ".join(unreadable[:NAMED]) + (", ..." if len(unreadable) > NAMED else "")
    if strict and unreadable:
        raise DataError(
            f"Expected only images in {folder}. Received: {len(unreadable)} of {len(files)} files that cannot be "
            f"read: {named}. Remove them, or pass strict=False to leave them out."
        )
    if len(unreadable) > len(read) or not read:
        first = f", such as {unreadable[0]}" if unreadable else ""
        raise DataError(
            f"Expected images ({', '.join(endings())}) in {folder}. Received: {len(files)} files of that kind, "
            f"{len(unreadable)} of them unreadable{first}."
        )
    if unreadable:
        warnings.warn(f"Left out {len(unreadable)} of {len(files)} files that cannot be read: {named}", stacklevel=4)
    for note in notes:
        warnings.warn(note, stacklevel=4)
    about = {"name": printable(folder.resolve().name), "source": "folder", "layout": layout.said}
    if len(read) < len(files) - len(unreadable):
        about["drawn"] = True
    if keras.config.is_interactive_logging_enabled():
        print(f"{printable(str(folder))}: {layout.said}", file=sys.stderr)
    return images, read, about


def _on_the_disk(folder, files, image_size, channels, take, cache):
    """As `_decoded`, but the images are read when they are needed, from their files or from a cache."""

    def shape_of(found):
        return (*(image_size or _one_size(found.sizes)), found.shape[2])

    if cache is not None:
        images, found = cached(cache, folder, files, image_size, channels, take, shape_of)
        return images, found.read, found.unreadable, found.notes
    found = look_at(folder, files, image_size, channels, take)
    if not found.read:
        return None, [], found.unreadable, []
    found.shape = shape_of(found)
    images = FileImages(folder, found)
    return images, found.read, found.unreadable, images.notes_of_a_sample() + found.notes


def _decoded(folder, files, image_size, channels, take):
    """What can be read of files: the images (N, ...), the files' indices, names of unreadable files, and notes."""
    order = np.arange(len(files))
    if take is not None:
        order = np.random.Generator(np.random.PCG64(0)).permutation(order)
    count, decoder, read, unreadable = min(take or len(files), len(files)), Decoder(image_size, channels), [], []
    while len(read) < count and len(order):  # again, with others, if some of the files to take cannot be read
        part, order = np.sort(order[: count - len(read)]), order[count - len(read) :]
        _expect(decoder, [files[index] for index in part], count)
        for index in shown(part.tolist(), f"Reading {printable(str(folder))}:"):
            try:
                with opened(files[index], image_size) as picture:
                    decoder.add(picture)
                read.append(index)
            except DataError:  # it says nothing about the file
                raise
            except Exception as error:  # each of Pillow's readers has its own errors for damaged files
                name = printable("/".join(names_below(folder, files[index])))
                unreadable.append(f"{name} ({format_error(error, longest=80)})")
    images = decoder.finish() if read else np.zeros((0, 1, 1, 1), "uint8")
    return _in_order(images, read), sorted(read), unreadable, decoder.notes


def _expect(decoder, files, count):
    """Tells a decoder the size and the channels of files, from their heads: before one is decoded.

    Raises:
        DataError: images of several sizes, of which two at least can be read; or more than fit into memory.
    """
    if decoder.image_size and decoder.channels:
        sizes = {}
    else:
        sizes = {path: size for path in files if (size := size_of(path)) is not None}
    size = decoder.image_size or _one_size(sizes)
    channels = max((size[2] for size in sizes.values()), default=1)
    if decoder.images is None:
        decoder.expect(count, size, channels)
    elif decoder.channels is None and channels > decoder.images.shape[3]:  # colour after grey images
        decoder.images = np.repeat(decoder.images, channels, axis=3)


def _one_size(sizes):
    """The (height, width) that images {path: (height, width, channels)} have, but for those that cannot be read."""
    alike = {}
    for path, size in sizes.items():
        alike.setdefault(size[:2], []).append(path)
    if len(alike) < 2:
        return next(iter(alike), (1, 1))
    found = {}  # one that can be read of each of two sizes
    for size, paths in sorted(alike.items(), key=lambda item: -len(item[1])):
        path = next(filter(_is_readable, paths), None)
        if path is not None:
            found[size] = path
        if len(found) == 2:
            first, last = min(alike), max(alike)
            named = " and ".join(f"{path.name}, {size}" for size, path in found.items())
            raise DataError(
                f"Expected images of one size. Received: {len(alike)} sizes, from {first} to {last}, such as {named}. "
                "Pass image_size=(height, width), or --image-size."
            )
    return next(iter(found), (1, 1))


def _is_readable(path):
    try:
        with opened(path) as picture:
            picture.load()
    except DataError:
        raise
    except Exception:
        return False
    return True


def _in_order(rows, keys):
    """Rows sorted by their keys, in the same memory."""
    left = {place: source for place, source in enumerate(np.argsort(keys).tolist()) if place != source}
    while left:
        first, source = left.popitem()
        place, row = first, rows[first].copy()
        while source != first:
            rows[place] = rows[source]
            place, source = source, left.pop(source)
        rows[place] = row
    return rows


def read_pictures(paths, image_shape, resize=False):
    """Reads image files as one array for a model.

    Args:
        paths: files.
        image_shape: (height, width, channels 1, 3 or 4) of the model. With 1 or 3, transparent areas become white.
        resize: whether to center-crop and resize images of other sizes.

    Returns:
        uint8 (N, height, width, channels).

    Raises:
        DataError: a file that is not an image, or an image of another size.
    """
    images = []
    for path in paths:
        try:
            with opened(path) as picture:
                picture = plain_alone(picture, alpha=image_shape[2] == 4)
            images.append(fitted(picture, image_shape[:2] if resize else picture.size[::-1], image_shape[2]))
        except DataError:
            raise
        except Exception as error:  # each of Pillow's readers has its own errors for damaged files
            raise DataError(f"Expected {path} to be an image. Received: {format_error(error, longest=80)}.") from error
        if images[-1].shape != tuple(image_shape):
            raise DataError(
                f"Expected an image {tuple(image_shape)}. Received: {path}, {images[-1].shape}. Pass resize=True, or "
                "--resize."
            )
    return np.stack(images)


def _read_numpy(path, split):
    about = {"name": printable(path.name), "source": "file"}
    pairs = [(f"x_{split}", f"y_{split}"), *([("images", "labels")] if split == "train" else [])]
    known = []

    def choose(names):
        known.extend(names)
        found = next((pair for pair in pairs if pair[0] in names), ())
        return [name for name in found if name in names]

    try:
        if not is_npz(path):
            return _one_split(split, "An .npy file", (read_npy(path), None, about))
        images, labels = [*read_npz(path, choose).values(), None, None][:2]
    except DataError:
        raise
    except (OSError, ValueError, MemoryError) as error:
        kind = (
            ""
            if path.suffix.lower() in (".npz", ".npy")
            else " Give the folder of an image; read text with kg.data.load_text."
        )
        raise DataError(
            f"Expected a folder of images, or an .npz or .npy file of plain arrays. Received: {path}: {error}.{kind}"
        ) from error
    if images is not None:
        return images, labels, about
    names = ", ".join(known[:NAMED]) + (", ..." if len(known) > NAMED else "") or "none"
    wanted = "images or x_train" if split == "train" else f"x_{split}"
    raise DataError(f"Expected an array named {wanted}, for the split {split!r}, in {path}. Received: {names}.")


def read_tfds(feature, source, split, take, download, data_dir, label="label"):
    """The examples' `feature` ("image" or "text"), their labels, and a description, of a TFDS data set."""
    place = PLACES.get(feature, PLACES["image"])
    root = Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()
    folder = _prepared(root, source)
    if folder is None and not download:
        # TFDS itself would wait for the network for minutes.
        names = sorted({path.relative_to(root).parts[0] for path in root.glob("*/**/dataset_info.json")})
        close = difflib.get_close_matches(source, names, n=3)
        there = f"There are {', '.join(names)}" if names else "There is none" if root.is_dir() else "No such folder"
        raise DatasetNotFoundError(
            f"Expected the path of {place}, or a TFDS data set prepared in {root}. Received: {source!r}, which is "
            f"neither. {there}. "
            + (f"Did you mean {' or '.join(close)}? " if close else "")
            + "Set TFDS_DATA_DIR to its folder, let TFDS download it once for all commands with "
            f"kg.data.load({source!r}, download=True), or give {place}."
        )
    try:
        import tensorflow as tf
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DatasetNotFoundError(
            f"Expected tensorflow-datasets, to read {source!r}. Received: {error}. Install tensorflow-datasets and "
            "tensorflow, or pass a folder, an .npz file or arrays."
        ) from error
    if keras.backend.backend() != "tensorflow":
        try:
            tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes all of its memory
        except RuntimeError:  # TensorFlow has started already
            pass
    if folder is not None:
        builder = tfds.builder_from_directory(str(folder))  # the prepared version, not the newest that TFDS knows
    else:
        if not sys.stderr.isatty():
            tfds.disable_progress_bar()
        try:
            builder = tfds.builder(source, data_dir=str(root))
            builder.download_and_prepare()
        except Exception as error:  # from the network, TFDS or the data set's own code
            raise DatasetNotFoundError(
                f"Expected TFDS to download {source!r} to {root}. Received: {type(error).__name__}: {error}. "
                f"Prepare it on a machine with a network and set TFDS_DATA_DIR, or give {place}."
            ) from error
    features = builder.info.features
    if feature not in features:
        raise DataError(
            f"Expected a data set with the feature {feature!r}. Received: {source!r}: {', '.join(features)}."
        )
    try:
        count = builder.info.splits[split].num_examples
    except (KeyError, ValueError) as error:
        raise DataError(
            f"Expected a split of {source!r}: {', '.join(builder.info.splits)}, or a part such as 'train[:10%]'. "
            f"Received: {split!r}."
        ) from error
    if count == 0:
        raise DataError(f"Expected at least one {feature} in {source!r}, split {split!r}. Received: none.")
    if label != "label" and label not in features:
        raise DataError(f"Expected a feature of {source!r}: {', '.join(features)}. Received: {label!r}.")
    kept = [name for name in (feature, label) if name in features]
    # Keep the order of the files; do not cache in TensorFlow what is read once.
    reading = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    data = builder.as_dataset(split=split, shuffle_files=False, read_config=reading)
    data = data if take is None else data.take(take)
    data = data.map(lambda example: {name: example[name] for name in kept})
    if None in features[feature].shape:
        examples = list(tfds.as_numpy(data))
        arrays = {name: [_columns(example[name]) for example in examples] for name in kept}
    else:
        batches = list(tfds.as_numpy(data.batch(TFDS_BATCH)))
        arrays = {name: np.concatenate([_columns(batch[name]) for batch in batches]) for name in kept}
    about = {
        "name": builder.info.name,
        "version": str(builder.info.version),
        "source": "TFDS",
        "license": builder.info.redistribution_info.license or LICENSES.get(builder.info.name) or "see its citation",
        # The description says where a copy differs from the original.
        "description": " ".join((builder.info.description or "").split("\n\n")[0].split()),
        "citation": " ".join((builder.info.citation or "").split()),
    }
    if builder.info.config_name:
        about["config"] = builder.info.config_name
    if label in features:
        named = features[label]
        about["classes"] = sorted(named.keys()) if hasattr(named, "keys") else list(getattr(named, "names", None) or ())
    return arrays[feature], arrays.get(label), {name: value for name, value in about.items() if value}


def _columns(values):
    """An array unchanged, or a dict's arrays as columns, in the order of their names."""
    return np.stack([values[name] for name in sorted(values)], axis=-1) if isinstance(values, dict) else values


def _prepared(root, source):
    """The folder of the newest version of `source` that is prepared in `root`, or None.

    Raises:
        DataError: there are several configurations and `source` names none.
    """
    name, _, version = source.partition(":")
    if not os.path.isdir(root / name):
        return None
    found = list((root / name).glob(f"{version or '*'}/dataset_info.json"))
    if not found and "/" not in name:
        found = list((root / name).glob(f"*/{version or '*'}/dataset_info.json"))
        configurations = sorted({f"{name}/{path.parts[-3]}" for path in found})
        if len(configurations) > 1:
            raise DataError(f"Expected one of {', '.join(configurations)}. Received: {source!r}.")
    return max(
        (path.parent for path in found), key=lambda f: [int(n) for n in re.findall(r"\d+", f.name)], default=None
    )
