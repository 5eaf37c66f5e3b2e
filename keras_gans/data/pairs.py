"""Loads images of two domains: pairs for pix2pix, domains without pairs for CycleGAN.

The two sides are called A and B, as in the papers' data sets. These folder layouts are supported:

    trainA/ trainB/ testA/ testB/       files of the same name are pairs
    A/ B/                               likewise, with train/ and test/ above or below them if there are splits
    train_label/ train_img/             likewise: A are the label maps of pix2pixHD's code, B its photos
    train/ test/, or the folder itself  pictures of A and B side by side, A on the left: pairs only

A third folder, such as train_inst/, may hold maps of instances. Names are compared without what Cityscapes' file names
end with, such as "_gtFine_labelIds" and "_leftImg8bit".
"""

import hashlib
import warnings

import numpy as np
from PIL import Image, ImageOps

from keras_gans.data import loading
from keras_gans.data.batches import AHEAD
from keras_gans.data.decoding import nearest
from keras_gans.data.drawn import checked_size
from keras_gans.data.lazy import LazyArray, sample_of
from keras_gans.data.pair_batches import DIRECTIONS, CroppedDomains, PairedBatches, check_direction
from keras_gans.data.pair_files import Side
from keras_gans.data.pair_reading import Reading, check_sizes, one_size
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import LabelMaps
from keras_gans_core.checks import is_number, is_whole

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
    lazy=False,
    cache=None,
    workers=None,
    use_multiprocessing=False,
    ahead=AHEAD,
):
    """Loads pairs of images, as batches for `Pix2Pix`: into memory, or from the disk while they are read.

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
        lazy, cache: for the files of a folder, which stay on the disk; see `kg.data.load`. The batches are the same.
            With `lazy`, the class numbers of 64 maps are checked at once, and those of each other map when it is
            decoded.
        workers, use_multiprocessing, ahead: of data on the disk; see `Batches`.

    Returns:
        `PairedBatches`.

    Raises:
        DatasetNotFoundError: nothing is found.
        DataError: a side that is missing, images without a partner, pairs of two sizes, a label map with a class out of
            range, no images, or a folder that can be read in two ways; the message names files. From pairs on the disk,
            while batches are made: a file that changed or vanished.
        ConfigurationError: arguments out of range, or a source that cannot stay on the disk.

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
    kinds = Side(classes or 0), Side(target_classes or 0)
    reading = Reading(
        split=split,
        image_size=_scaled(image_size, scale),
        channels=channels,
        take=take,
        download=download,
        data_dir=data_dir,
        lazy=lazy,
        cache=cache,
        sides=kinds if first_is_source else kinds[::-1],
        first_is_source=first_is_source,
        instances=instances,
    )
    (a, b, *ids), about = reading.pairs(source, sides)
    for note in reading.notes:
        warnings.warn(note, stacklevel=2)
    sources, targets = (a, b) if first_is_source else (b, a)
    check_sizes((_sizes(sources), None), (_sizes(targets), None))
    sources, targets = _checked_side(sources, classes), _checked_side(targets, target_classes)
    if classes is None:
        _check_levels(sources)
    crop = image_size or targets.shape[1:3]
    about.update(split=split, examples=len(targets), image_shape=[*crop, *targets.shape[3:]], direction=direction)
    sources, targets, *ids = (_resized(images, _scaled(crop, scale)) for images in (sources, targets, *ids))
    return PairedBatches(
        sources,
        targets,
        instances=ids[0] if ids else None,
        crop=crop,
        flip=scale is not None,
        classes=classes or None,
        target_classes=target_classes,
        direction=direction,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        about=about,
        workers=workers,
        use_multiprocessing=use_multiprocessing,
        ahead=ahead,
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
    lazy=False,
    cache=None,
    workers=None,
    use_multiprocessing=False,
    ahead=AHEAD,
):
    """Loads images of two domains without pairs, as batches for `CycleGAN`: into memory, or from the disk.

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
    reading = Reading(
        split=split,
        image_size=_scaled(image_size, scale),
        channels=channels,
        take=take,
        download=download,
        data_dir=data_dir,
        lazy=lazy,
        cache=cache,
    )
    (a, b), about = reading.domains(source, sides)
    for note in reading.notes:
        warnings.warn(note, stacklevel=2)
    a, b = _checked_side(a), _checked_side(b)
    if a.shape[1:3] != b.shape[1:3]:
        raise DataError(
            f"Expected images of one size in both domains. Received: A {a.shape[1:3]} and B {b.shape[1:3]}. Pass "
            "image_size=(height, width)."
        )
    crop = image_size or a.shape[1:3]
    about.update(split=split, examples=max(len(a), len(b)), image_shape=[*crop, a.shape[-1]])
    domains = {"a": _resized(a, _scaled(crop, scale)), "b": _resized(b, _scaled(crop, scale))}
    return CroppedDomains(
        **domains,
        crop=crop,
        flip=scale is not None,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        about=about,
        workers=workers,
        use_multiprocessing=use_multiprocessing,
        ahead=ahead,
    )


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


# What was read


def _sizes(images):
    """(height, width) of each image of a side."""
    return [np.shape(image)[:2] for image in images] if isinstance(images, list) else [images.shape[1:3]] * len(images)


def _checked_side(images, classes=None):
    """Images (N, height, width, channels); with `classes` label maps, uint8 (N, height, width).

    Raises:
        DataError: other shapes or numbers, several sizes, or none.
    """
    if isinstance(images, LazyArray):  # checked when they are decoded
        return images
    if len(images) == 0:
        raise DataError(f"Expected at least one {'label map' if classes else 'image on each side'}. Received: none.")
    if isinstance(images, list):
        one_size(_sizes(images))
    if classes:
        return LabelMaps((None, None), classes).check(np.asarray(images)).astype("uint8", copy=False)
    return loading._shaped(images, None, None)


def _check_levels(sources):
    """Raises a DataError if images are almost black: they are probably label maps."""
    some = sources[sample_of(len(sources))] if isinstance(sources, LazyArray) else sources
    if some.shape[-1] == 1 and some.dtype == "uint8" and (highest := some.max()) < ALMOST_BLACK:
        raise DataError(
            f"Expected images. Received: sources whose values are {some.min()} to {highest} of 255, which as images "
            f"are almost black and as label maps have {highest + 1} classes. Pass classes={highest + 1} for label "
            "maps, or classes=0 for images."
        )


class _Resized(LazyArray):
    """Images or maps on the disk, each brought to another size when it is indexed; see `_resized`."""

    def __init__(self, images, size):
        self.images, self.size = images, size
        self.shape, self.dtype = (len(images), *size, *images.shape[3:]), images.dtype

    def rows(self, numbers):
        return _resized(self.images.rows(numbers), self.size)

    def fingerprint(self):
        return hashlib.sha256(f"{self.images.fingerprint()} {self.size}".encode()).hexdigest()


def _resized(images, size):
    """Images (N, height, width, channels), or maps, of another size: cropped to the middle and resized."""
    if images.shape[1:3] == size:
        return images
    if isinstance(images, LazyArray):
        return _Resized(images, size)
    made = np.empty((len(images), *size, *images.shape[3:]), images.dtype)
    for one, row in zip(images, made):
        if images.ndim == 3:
            row[:] = nearest(one, size)
            continue
        for c in range(one.shape[-1]):
            row[..., c] = ImageOps.fit(Image.fromarray(one[..., c]), size[::-1], Image.Resampling.BICUBIC)
    return np.clip(made, -1.0, 1.0, out=made) if images.dtype.kind == "f" else made
