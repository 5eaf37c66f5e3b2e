"""Loads images of two domains: pairs for pix2pix, domains without pairs for CycleGAN.

The two sides are called A and B, as in the papers' data sets. These folder layouts are supported:

    trainA/ trainB/ testA/ testB/       files of the same name are pairs
    A/ B/                               likewise, with train/ and test/ above or below them if there are splits
    train_label/ train_img/             likewise: A are the label maps of pix2pixHD's code, B its photos
    train/ test/, or the folder itself  pictures of A and B side by side, A on the left: pairs only

A third folder, such as train_inst/, may hold maps of instances. Names are compared without what Cityscapes' file names
end with, such as "_gtFine_labelIds" and "_leftImg8bit".
"""

import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from keras_gans.data import loading
from keras_gans.data.batches import drawn_rows
from keras_gans.data.decoding import Decoder, allocated, holds_numbers, nearest, opened
from keras_gans.data.drawn import checked_size
from keras_gans.data.folders import by_scene, endings, named_images
from keras_gans.data.headers import size_of
from keras_gans.data.pair_batches import DIRECTIONS, CroppedDomains, PairedBatches, check_direction
from keras_gans.data.pair_layouts import check_names, layout_of
from keras_gans.data.progress import shown
from keras_gans.data.unpaired import edges
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import LabelMaps, check_axes
from keras_gans_core.checks import is_number, is_whole
from keras_gans_core.errors import format_error, printable

JITTER = 286 / 256  # how much larger than a crop the papers' images are before they are cropped
DRAWN_SIZE = (32, 32)
ALMOST_BLACK = 32  # sources with only grey levels below it are probably label maps


def load_pairs(
    source,
    *,
    split="train",
    sides=None,
    direction="AtoB",
    classes=None,
    target_classes=None,
    instances=None,
    image_size=None,
    channels=None,
    augment=None,
    jitter=JITTER,
    batch_size=1,
    take=None,
    shuffle=True,
    seed=0,
    download=False,
    data_dir=None,
):
    """Loads pairs of images into memory, as batches for `Pix2Pix`.

    Args:
        source: a folder (see above), a TFDS name, "drawn:digits" or "drawn:shapes" (A: their edges, B: the drawings,
            of 32x32 pixels by default), or two arrays (A, B).
        split: "train", "test" or another that exists; for arrays only "train".
        sides: the names of A and B. For a TFDS data set, two features, such as ("parts", "image"), which must be
            given; for a folder, two folders in it, with None for A and B.
        direction: "AtoB": A are the sources and B the targets; or "BtoA".
        classes: number of classes if the sources are label maps, whole numbers in one channel; 0 for images that look
            like label maps; None for images.
        target_classes: number of classes if the targets are label maps; None for images.
        instances: the name of a third folder with maps of instances, such as "inst" for train_inst/, where
            train_label/ and train_img/ are the other two. The maps are grey images of 8 or 16 bits, and the value of a
            pixel is the id of its object. None for pairs without such maps.
        image_size: (height, width) of the images in a batch; other sizes are cropped to the middle and resized. None
            for the size that all have.
        channels: 1, 3 or 4, for images on both sides; None for what they have. See `kg.data.load` for transparency and
            16 bits; each side has its own depth.
        augment: whether to crop at random from images `jitter` times as large, and to flip; None: only for the split
            "train".
        jitter: 1 or more; 286 / 256 in the papers. 1 disables cropping.
        batch_size, shuffle, seed: see `PairedBatches`.
        take: at most this many pairs, drawn at random, the same each time; of a TFDS data set the first ones, so that
            the rest need not be read. None for all.
        download, data_dir: see `kg.data.load`.

    Returns:
        `PairedBatches`.

    Raises:
        DatasetNotFoundError: nothing is found.
        DataError: a side that is missing, images without a partner, pairs of two sizes, a label map with a class out of
            range, no images, or a folder that can be read in two ways; the message names files.
        ConfigurationError: arguments out of range.

    Example:

    >>> batches = kg.data.load_pairs("drawn:digits", image_size=(32, 32), take=64, batch_size=4)
    >>> batches[0]["sources"].shape, batches[0]["targets"].shape
    ((4, 32, 32, 1), (4, 32, 32, 1))
    """
    check_direction(direction, DIRECTIONS)
    image_size, scale = _checked(source, split, image_size, channels, augment, jitter, take, seed)
    for number in (classes or None, target_classes):
        if number is not None:
            LabelMaps((1, 1), number)  # checks it
    first_is_source = direction == "AtoB"
    maps = (bool(classes), bool(target_classes))
    maps = maps if first_is_source else maps[::-1]
    size = _scaled(image_size, scale)
    reading = _Reading(split, size, channels, take, download, data_dir, maps, first_is_source, instances)
    a, b, about = reading.pairs(source, sides)
    for note in reading.notes:
        warnings.warn(note, stacklevel=2)
    sources, targets = (a, b) if first_is_source else (b, a)
    (sources, source_names), (targets, target_names) = sources, targets
    if image_size is None or not source_names:  # files were brought to one size
        shapes = ([np.shape(image)[:2] for image in side] for side in (sources, targets))
        _check_sizes(*zip(shapes, (source_names, target_names)))
    if classes:
        sources = _checked_maps(sources, classes, source_names)
    else:
        sources = _checked_images(sources, source_names)
        if classes is None and sources.shape[-1] == 1 and sources.dtype == "uint8" and sources.max() < ALMOST_BLACK:
            raise DataError(
                f"Expected images. Received: sources whose values are {sources.min()} to {sources.max()} of 255, which "
                f"as images are almost black and as label maps have {sources.max() + 1} classes. Pass "
                f"classes={sources.max() + 1} for label maps, or classes=0 for images."
            )
    if target_classes:
        targets = _checked_maps(targets, target_classes, target_names)
    else:
        targets = _checked_images(targets, target_names)
    crop = image_size or targets.shape[1:3]
    ids = None if reading.ids is None else _resized(reading.ids, _scaled(crop, scale))
    about.update(split=split, examples=len(targets), image_shape=[*crop, *targets.shape[3:]], direction=direction)
    return PairedBatches(
        _resized(sources, _scaled(crop, scale)),
        _resized(targets, _scaled(crop, scale)),
        instances=ids,
        crop=crop,
        flip=scale is not None,
        classes=classes or None,
        target_classes=target_classes,
        direction=direction,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        about=about,
    )


def load_unpaired(
    source,
    *,
    split="train",
    sides=None,
    image_size=None,
    channels=None,
    augment=None,
    jitter=JITTER,
    batch_size=1,
    take=None,
    shuffle=True,
    seed=0,
    download=False,
    data_dir=None,
):
    """Loads images of two domains without pairs into memory, as batches for `CycleGAN`.

    Args:
        source: a folder (see above; names need not be equal), a TFDS name with two features of images, "drawn:digits"
            or "drawn:shapes" (A: half of them, B: the edges of the others), or two arrays (A, B) of any lengths.
        take: at most this many of each domain, as in `load_pairs`; None for all.
        others: see `load_pairs`.

    Returns:
        `CroppedDomains` with the domains "a" and "b". Which images meet in a batch is random. `about["pairs"]` is True
        where the rows of both arrays are pairs, as in a TFDS data set: `kg.evaluation` measures the distance to the
        true partner there.

    Raises:
        DatasetNotFoundError, DataError, ConfigurationError: see `load_pairs`.

    Example:

    >>> batches = kg.data.load_unpaired("drawn:digits", image_size=(32, 32), take=64, batch_size=4)
    >>> sorted(batches[0]), batches[0]["a"].shape
    (['a', 'b'], (4, 32, 32, 1))
    """
    image_size, scale = _checked(source, split, image_size, channels, augment, jitter, take, seed)
    reading = _Reading(split, _scaled(image_size, scale), channels, take, download, data_dir)
    (a, a_names), (b, b_names), about = reading.domains(source, sides)
    for note in reading.notes:
        warnings.warn(note, stacklevel=2)
    a, b = _checked_images(a, a_names), _checked_images(b, b_names)
    if a.shape[1:3] != b.shape[1:3]:
        raise DataError(
            f"Expected images of one size in both domains. Received: A {a.shape[1:3]} and B {b.shape[1:3]}. Pass "
            "image_size=(height, width)."
        )
    crop = image_size or a.shape[1:3]
    about.update(split=split, examples=max(len(a), len(b)), image_shape=[*crop, a.shape[-1]])
    domains = {"a": _resized(a, _scaled(crop, scale)), "b": _resized(b, _scaled(crop, scale))}
    options = {"batch_size": batch_size, "shuffle": shuffle, "seed": seed, "about": about}
    return CroppedDomains(**domains, crop=crop, flip=scale is not None, **options)


# Arguments


def _checked(source, split, image_size, channels, augment, jitter, take, seed):
    """The size of a batch's images, or None; and how much larger they are before cropping, None for no augmentation."""
    loading.check_channels(channels)
    if not is_number(jitter, 1.0):
        raise ConfigurationError(f"Expected a jitter of 1 or more. Received: {jitter!r}.")
    if take is not None and not is_whole(take, 1):
        raise ConfigurationError(f"Expected to take 1 pair or more, or None. Received: take={take!r}.")
    if not is_whole(seed, 0):
        raise ConfigurationError(f"Expected a seed that is a whole number, 0 or more. Received: {seed!r}.")
    if image_size is None and isinstance(source, str) and source.startswith("drawn:"):
        image_size = DRAWN_SIZE
    augmented = split == "train" if augment is None else augment
    return None if image_size is None else checked_size(image_size), jitter if augmented else None


def _scaled(size, scale):
    return size if size is None or scale is None else tuple(round(side * scale) for side in size)


# Reading


class _Reading:
    """Reads the two sides. Each is an array, or a list of arrays of several sizes, with the names of its files or None.

    `notes` are warnings: what had to be decided. `drawn` says in `about` that not all were taken. `ids` are the maps in
    the folder `instances`, None without one.
    """

    def __init__(
        self,
        split,
        image_size,
        channels,
        take,
        download,
        data_dir,
        maps=(False, False),
        first_is_source=True,
        instances=None,
    ):
        self.split, self.image_size, self.channels, self.take = split, image_size, channels, take
        self.download, self.data_dir, self.maps = download, data_dir, maps
        self.first_is_source, self.notes, self.drawn = first_is_source, [], {}
        self.instances, self.ids = instances, None

    def pairs(self, source, sides):
        named = self.instances is None or isinstance(self.instances, str) and self.instances
        if not named or self.instances is not None and not _is_folder(source):
            raise ConfigurationError(
                "Expected instances='inst', the name of a folder with maps of instances, and the path of a folder that "
                f"holds it. Received: instances={self.instances!r:.40}, "
                f"{'arrays' if isinstance(source, (tuple, list)) else repr(source):.80}. For ids in an array use "
                "kg.data.PairedBatches(..., instances=ids)."
            )
        a, b, about = self._sides(source, sides, paired=True)
        if len(a[0]) != len(b[0]):
            raise DataError(f"Expected one image of B for each of A. Received: {len(a[0])} of A and {len(b[0])} of B.")
        return a, b, about

    def domains(self, source, sides):
        return self._sides(source, sides, paired=False)

    def _sides(self, source, sides, paired):
        if isinstance(source, (tuple, list)):
            return self._arrays(source)
        if not isinstance(source, (str, os.PathLike)) or source == "":
            raise DataError(
                f"Expected a folder, the name of a data set, or two arrays (A, B). Received: {source!r:.80}."
            )
        if str(source).startswith("drawn:"):
            return self._drawn(source, paired)
        path = Path(os.path.expanduser(source))
        if os.path.isdir(path):
            return self._folder(path, sides, paired)
        return self._tfds(source, sides)

    def _arrays(self, source):
        if len(source) != 2:
            raise DataError(f"Expected two arrays (A, B). Received: {len(source)}.")
        loading._one_split(self.split, "A pair of arrays", None)
        a, b = (self._part(np.asarray(array)) for array in source)
        for array, is_map in zip((a, b), self.maps):
            if not is_map:
                check_axes(array.shape)
        return (a, None), (b, None), {"name": "array", "source": "array", **self.drawn}

    def _part(self, rows):
        """At most `take` of the rows of an array or a list, drawn at random."""
        chosen = drawn_rows(len(rows), self.take)
        if len(chosen) < len(rows):
            self.drawn = {"drawn": True}
        return rows[chosen] if isinstance(rows, np.ndarray) else [rows[index] for index in chosen]

    def _drawn(self, source, paired):
        """Edges and drawings; without pairs, half of the drawings and the edges of the others."""
        take = None if self.take is None else self.take * (1 if paired else 2)
        drawn = loading.load(source, split=self.split, image_size=self.image_size, take=take, batch_size=1)
        about, images = drawn.about, drawn.images
        if paired:
            return (edges(images), None), (images, None), about
        half = len(images) // 2
        return (images[:half], None), (edges(images[half:]), None), about

    def _tfds(self, source, sides):
        if not isinstance(sides, (tuple, list)) or len(sides) != 2 or sides[0] == sides[1]:
            raise ConfigurationError(
                f"Expected sides=(A, B), the names of two features of {str(source)!r}, such as ('parts', 'image'); "
                f"or the path of a folder. Received: sides={sides!r}."
            )
        a, b = sides
        where = (str(source), self.split, self.take, self.download, self.data_dir)
        images, others, about = loading.read_tfds(b, *where, a)
        about.pop("classes", None)
        return (others, None), (images, None), {**about, "sides": [a, b], "pairs": True}

    def _folder(self, folder, sides, paired):
        kind, places = layout_of(folder, self.split, sides, paired, self.instances)
        about = {"name": printable(folder.resolve().name), "source": "folder", "sides": printable(kind)}
        if len(places) == 1:
            return (*self._halves(places[0]), {**about, **self.drawn})
        files = [self._files(place) for place in places]
        for place, found in zip(places, files):
            if not found:
                raise DataError(f"Expected images ({', '.join(endings())}) in {place}. Received: none.")
        if paired:
            files = [by_scene(found, place) for found, place in zip(files, places)]
            check_names(files, places)
            files = [{name: found[name] for name in files[0]} for found in files]
        paths = [self._part(list(found.values())) for found in files]
        sizes = [[size_of(path) for path in side] for side in paths]
        names = [[str(path) for path in side] for side in paths]
        decoders = self._expecting(sizes, names, paired)
        for side, decoder in zip(paths, decoders):
            size = self.image_size if isinstance(decoder, Decoder) else None
            for path in shown(side, f"Reading {printable(str(folder))}:"):
                _opened(path, lambda picture: _add(picture, decoder, path), size)
        a, b, *ids = map(self._finished, decoders)
        self.ids = ids[0] if ids else None
        return (a, names[0]), (b, names[1]), {**about, **self.drawn}

    def _expecting(self, sizes, names, paired):
        """A decoder for each side, whose array is allocated; sizes of files, from their heads, are compared before.

        After the two sides there may be maps of instances.

        Args:
            sizes: for each side what `size_of` returned of each file.
            names: for each side those of its files.
            paired: whether the sides' files are pairs.
        """
        if self.image_size is None:
            shapes = [[size and size[:2] for size in side] for side in sizes]
            if paired:
                sides = [*zip(shapes, names)]
                _check_sizes(*(sides[:2] if self.first_is_source else sides[1::-1]))
                for ids in sides[2:]:
                    _check_sizes(sides[0], ids, ("image", "map of instances"))
            for side, named in zip(shapes, names):
                _one_size(side, named)
        decoders, beside = [], 0
        for side, kind in zip(sizes, [*(_Maps if is_map else Decoder for is_map in self.maps), _InstanceMaps]):
            decoder = kind(self.image_size, self.channels)
            known = [size for size in side if size is not None] or [(1, 1, 1)]
            decoder.expect(len(side), known[0][:2], max(size[2] for size in known), beside)
            beside += decoder.images.nbytes
            decoders.append(decoder)
        return decoders

    def _files(self, place):
        files, left_out = named_images(place)
        self.notes += [left_out] if left_out else []
        return files

    def _finished(self, decoder):
        images = decoder.finish()
        self.notes += decoder.notes
        return images

    def _halves(self, place):
        """Pictures of A on the left and B on the right."""
        paths = self._part(list(self._files(place).values()))
        names = [str(path) for path in paths]
        halves = [_half_of(size_of(path)) for path in paths]
        decoders = self._expecting([halves, halves], [names, names], paired=True)
        for path in shown(paths, f"Reading {printable(str(place))}:"):
            _opened(path, lambda picture: self._split(picture, decoders, path))
        a, b = map(self._finished, decoders)
        return (a, names), (b, names)

    def _split(self, picture, decoders, path):
        if _is_no_pair(picture.width, picture.height):
            raise DataError(
                "Expected A and B side by side in each picture, so an even width that exceeds the height. Received: "
                f"{path}, {picture.width} wide and {picture.height} high. Two folders A and B of files with the same "
                "names work too."
            )
        half, height = picture.width // 2, picture.height
        parts = picture.crop((0, 0, half, height)), picture.crop((half, 0, 2 * half, height))
        for part, decoder in zip(parts, decoders):
            _add(part, decoder, path)


class _Maps:
    """A `Decoder` of label maps: uint8 (count, height, width), the numbers in the files."""

    bits = 8
    expected = "label maps of one channel of 8 bits, a class number for each pixel"
    remedy = "Map its colours to numbers, or leave out classes for images."

    def __init__(self, image_size, channels):
        self.image_size, self.images, self.count, self.notes = image_size, None, 0, []

    def expect(self, count, size, channels, beside):
        self.images = allocated((count, *(self.image_size or size)), beside, dtype=f"uint{self.bits}")

    def add(self, picture):
        numbers = np.asarray(picture).astype(self.images.dtype)
        if self.image_size and numbers.shape != self.image_size:
            numbers = nearest(numbers, self.image_size)
        self.images[self.count] = numbers
        self.count += 1

    def finish(self):
        return self.images


class _InstanceMaps(_Maps):
    """The same of maps of instances, uint16."""

    bits = 16
    expected = "maps of instances of one channel of 8 or 16 bits, an object's id for each pixel"
    remedy = "Map its colours to ids."


def _add(picture, decoder, path):
    """Decodes the picture in a file; a map only if it is one."""
    if isinstance(decoder, _Maps) and not holds_numbers(picture, decoder.bits):
        raise DataError(
            f"Expected {decoder.expected}. Received: {path}, of Pillow's mode {picture.mode}. {decoder.remedy}"
        )
    decoder.add(picture)


def _half_of(size):
    """The size of each half of a picture; None if it has no halves, which is an error when it is read."""
    return size and (None if _is_no_pair(size[1], size[0]) else (size[0], size[1] // 2, size[2]))


def _is_no_pair(width, height):
    return width % 2 or width <= height


def _opened(path, read, image_size=None):
    """`read` of the picture in a file; a JPEG may be decoded to a smaller size above `image_size`."""
    try:
        with opened(path, image_size) as picture:
            return read(picture)
    except DataError:
        raise
    except Exception as error:  # each of Pillow's readers raises its own for a damaged file
        raise DataError(
            f"Expected {path} to be an image. Received: {format_error(error, longest=80)}. Remove it, with its partner "
            "where it has one."
        ) from error


def _is_folder(source):
    is_path = isinstance(source, (str, os.PathLike)) and not str(source).startswith("drawn:")
    return is_path and os.path.isdir(os.path.expanduser(source))


# Checks


def _at(names, index):
    return f" {index}" if names is None else f" {names[index]}"


def _check_sizes(sources, targets, kinds=("source", "target")):
    """Raises a DataError if the two images of a pair have different sizes.

    Args:
        sources, targets: the sizes of a side's images, None where it is unknown, and the names of their files or None.
        kinds: what the two are called.
    """
    for i, sizes in enumerate(zip(sources[0], targets[0])):
        if None not in sizes and sizes[0] != sizes[1]:
            raise DataError(
                f"Expected both images of a pair to have one size. Received: the {kinds[0]}{_at(sources[1], i)}, "
                f"{sizes[0]}, and the {kinds[1]}{_at(targets[1], i)}, {sizes[1]}. Pass image_size=(height, width)."
            )


def _one_size(sizes, names):
    known = [i for i, size in enumerate(sizes) if size is not None]
    for i in known:
        if sizes[i] != sizes[known[0]]:
            raise DataError(
                f"Expected images of one size. Received:{_at(names, known[0])}, {sizes[known[0]]}, and{_at(names, i)}, "
                f"{sizes[i]}. Pass image_size=(height, width), or --image-size."
            )


def _checked_images(images, names):
    """An array (N, height, width, channels)."""
    if len(images) == 0:
        raise DataError("Expected at least one image on each side. Received: none.")
    if isinstance(images, list):
        _one_size([np.shape(image)[:2] for image in images], names)
    return loading._shaped(images, None, None)


def _checked_maps(maps, classes, names):
    """An array uint8 (N, height, width) of class numbers.

    Raises:
        DataError: other shapes or numbers; the message names the file.
    """
    if len(maps) == 0:
        raise DataError("Expected at least one label map. Received: none.")
    if isinstance(maps, list):
        _one_size([np.shape(one)[:2] for one in maps], names)
    maps = np.asarray(maps)
    field = LabelMaps((None, None), classes)
    try:
        return field.check(maps).astype("uint8", copy=False)
    except DataError as error:
        wrong = [i for i, one in enumerate(maps) if one.dtype.kind in "iu" and (one.min() < 0 or one.max() >= classes)]
        raise DataError(f"{error} Look at{_at(names, wrong[0])}." if wrong and names else str(error)) from error


def _resized(images, size):
    """Images (N, height, width, channels), or maps, of another size: cropped to the middle and resized."""
    if images.shape[1:3] == size:
        return images
    made = np.empty((len(images), *size, *images.shape[3:]), images.dtype)
    for one, row in zip(images, made):
        if images.ndim == 3:
            row[:] = nearest(one, size)
            continue
        for c in range(one.shape[-1]):
            row[..., c] = ImageOps.fit(Image.fromarray(one[..., c]), size[::-1], Image.Resampling.BICUBIC)
    return np.clip(made, -1.0, 1.0, out=made) if images.dtype.kind == "f" else made
