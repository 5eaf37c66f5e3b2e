"""Batches of pairs and of domains, cropped and mirrored at random."""

import copy

import numpy as np

from keras_gans.data.batches import AHEAD, Batches
from keras_gans.data.unpaired import UnpairedBatches
from keras_gans.errors import ConfigurationError, DataError
from keras_gans_core.cards import did_you_mean

DIRECTIONS = ("AtoB", "BtoA")


def check_direction(direction, directions):
    """The direction, if it is one of `directions`.

    Raises:
        ConfigurationError: it is not; the message gives similar names.
    """
    if direction not in directions:
        hint = did_you_mean(str(direction), directions)
        raise ConfigurationError(
            f"Expected a direction among {', '.join(map(repr, directions))}. Received: {direction!r}. {hint}".rstrip()
        )
    return direction


class PairedBatches(Batches):
    """Batches of pairs, cropped and flipped at random, both sides of a pair alike.

    Crops and flips are a function of the seed and the step, so that an interrupted training continues with the same
    images.

    Args:
        sources: array (N, H, W, channels), or (N, H, W) of label maps.
        targets: likewise.
        instances: maps of instances (N, H, W), ids of the objects that the sources show; None for none.
        crop: (height, width) of the images in a batch; None for H and W.
        flip: whether to mirror pairs from left to right, each with probability 1/2.
        classes, target_classes: number of classes if the sources or the targets are label maps; None if they are
            images.
        direction: "AtoB" or "BtoA": which side the sources were.
        batch_size, shuffle, seed, about, workers, use_multiprocessing, ahead: see `Batches`.

    Raises:
        DataError: sides of different sizes or counts, or what `Batches` refuses.

    Example:

    >>> images = np.arange(2 * 6 * 6 * 1, dtype="uint8").reshape(2, 6, 6, 1)
    >>> batch = PairedBatches(images, images, crop=(4, 4), flip=True, batch_size=2)[0]
    >>> batch["sources"].shape, bool((batch["sources"] == batch["targets"]).all())
    ((2, 4, 4, 1), True)
    """

    def __init__(
        self,
        sources,
        targets,
        *,
        instances=None,
        crop=None,
        flip=False,
        classes=None,
        target_classes=None,
        direction="AtoB",
        batch_size=1,
        shuffle=True,
        seed=0,
        about=None,
        workers=None,
        use_multiprocessing=False,
        ahead=AHEAD,
    ):
        sides = {"sources": sources, "targets": targets}
        if instances is not None:
            sides["instances"] = instances
        decoding = {"workers": workers, "use_multiprocessing": use_multiprocessing, "ahead": ahead}
        super().__init__(**sides, batch_size=batch_size, shuffle=shuffle, seed=seed, about=about, **decoding)
        sizes = {name: array.shape[1:3] for name, array in self.arrays.items()}
        if len(set(sizes.values())) > 1:
            raise DataError(f"Expected both sides of a pair to have one size. Received: {sizes}. Resize one of them.")
        self.crop = _checked_crop(crop, self.arrays)
        self.flip, self.classes, self.target_classes = flip, classes, target_classes
        self.direction = check_direction(direction, DIRECTIONS)

    @property
    def image_shape(self):
        """(height, width, channels) of a target in a batch, (height, width) of a label map."""
        return (*self.crop, *self.arrays["targets"].shape[3:])

    @property
    def source_shape(self):
        """The shape of a source in a batch."""
        return (*self.crop, *self.arrays["sources"].shape[3:])

    def at(self, step):
        batch = super().at(step)
        return _cropped_and_flipped(batch, self.crop, self.flip, [self.seed, step, 1])

    def halved(self):
        """The pairs at half the size, in memory: the mean of four pixels of an image, one of four pixels of a map.

        Raises:
            DataError: a height or width that is odd; or pairs on the disk that do not fit into memory.

        Example:

        >>> maps = np.array([[[0, 1, 2, 2], [1, 1, 2, 2]]], "uint8")
        >>> half = PairedBatches(maps, maps[..., None], classes=3).halved()
        >>> half.arrays["sources"].tolist(), half.arrays["targets"].ravel().tolist()
        ([[[0, 2]]], [1, 2])
        """
        if any(side % 2 for side in self.crop):
            raise DataError(f"Expected a height and a width that can be halved. Received: {self.crop}. Resize them.")
        half = copy.copy(self)
        half.crop = tuple(side // 2 for side in self.crop)
        half.arrays = {name: _halved(np.asarray(array)) for name, array in self.arrays.items()}
        half.about = {**self.about, "image_shape": [*half.crop, *self.image_shape[2:]]}
        return half


def _halved(array):
    """Images, or maps (N, H, W), of half the size; the last row or column of an odd one is left out."""
    array = array[:, : array.shape[1] // 2 * 2, : array.shape[2] // 2 * 2]
    if array.ndim == 3:
        return array[:, ::2, ::2]
    sums = sum(array[:, i::2, j::2].astype("float32") for i in (0, 1) for j in (0, 1)) / 4.0
    return np.round(sums).astype(array.dtype) if array.dtype == "uint8" else sums.astype(array.dtype)


class CroppedDomains(UnpairedBatches):
    """`UnpairedBatches` whose images are cropped and flipped at random, each independently; see `PairedBatches`.

    Args:
        crop: (height, width) of the images in a batch; None for whole images.
        flip: whether to mirror images from left to right, each with probability 1/2.
        options: domains by name and what `UnpairedBatches` takes.

    Example:

    >>> a, b = np.zeros((3, 6, 6, 1), "uint8"), np.ones((5, 6, 6, 1), "uint8")
    >>> batches = CroppedDomains(a=a, b=b, crop=(4, 4), batch_size=2)
    >>> {name: array.shape for name, array in batches[0].items()}
    {'a': (2, 4, 4, 1), 'b': (2, 4, 4, 1)}
    """

    def __init__(self, *, crop=None, flip=False, **options):
        super().__init__(**options)
        self.crop, self.flip = _checked_crop(crop, self.arrays), flip

    @property
    def image_shape(self):
        """(height, width, channels) of an image in a batch."""
        return (*self.crop, *super().image_shape[2:])

    def at(self, step):
        batch = {}
        for i, (name, array) in enumerate(super().at(step).items()):
            batch |= _cropped_and_flipped({name: array}, self.crop, self.flip, [self.seed, step, 2 + i])
        return batch


def _checked_crop(crop, arrays):
    size = tuple(next(iter(arrays.values())).shape[1:3])
    crop = size if crop is None else tuple(crop)
    for name, array in arrays.items():
        if crop[0] > array.shape[1] or crop[1] > array.shape[2]:
            raise DataError(f"Expected {name} of {crop} or more, to crop. Received: {array.shape[1:3]}. Resize them.")
    return crop


def _cropped_and_flipped(batch, crop, flip, words):
    """Each example of the batch cropped at a random place and mirrored at random, all arrays alike."""
    count, height, width = next(iter(batch.values())).shape[:3]
    if (height, width) == crop and not flip:
        return batch
    generator = np.random.Generator(np.random.PCG64(words))
    tops = generator.integers(0, height - crop[0] + 1, count)
    lefts = generator.integers(0, width - crop[1] + 1, count)
    mirrored = generator.integers(0, 2, count) * bool(flip)
    changed = {}
    for name, array in batch.items():
        rows = [array[i, t : t + crop[0], s : s + crop[1]] for i, (t, s) in enumerate(zip(tops, lefts))]
        changed[name] = np.stack([row[:, ::-1] if mirror else row for row, mirror in zip(rows, mirrored)])
    return changed
