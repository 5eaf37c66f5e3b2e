"""Images, in memory or on the disk, as batches whose order is a pure function of the seed and the step."""

import copy
import functools
import hashlib

import keras
import numpy as np

from keras_gans.data.ahead import ALL, Ahead
from keras_gans.data.lazy import LazyArray
from keras_gans.data.progress import shown
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import label_space_of
from keras_gans_core.checks import is_whole

AHEAD = 2**26  # bytes
PIECE = 2**24  # bytes that are read at a time
UNSAID = {"workers": None, "use_multiprocessing": False, "ahead": AHEAD}


def drawn_rows(count, take):
    """At most `take` of `count` rows, drawn at random, the same each time, in ascending order; None takes all.

    The first rows of data that are sorted by class would have one class.

    Example:

    >>> drawn_rows(3, 5)
    array([0, 1, 2])
    """
    rows = np.arange(count)
    if take is None or take >= count:
        return rows
    return np.sort(np.random.Generator(np.random.PCG64(0)).permutation(rows)[:take])


class StackedImages:
    """Images whose channels are other images' first channels: an array to `Batches`, assembled when it is indexed.

    Args:
        images: array (M, height, width, 1).
        chosen: whole numbers (N, channels), the index in `images` of each channel.
    """

    def __init__(self, images, chosen):
        self.images, self.chosen = images, chosen
        self.shape, self.dtype = (*chosen.shape[:1], *images.shape[1:3], *chosen.shape[1:]), images.dtype

    def __len__(self):
        return len(self.chosen)

    def __getitem__(self, index):
        return np.moveaxis(self.images[self.chosen[index], ..., 0], -3, -1)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)


class Batches(keras.utils.PyDataset):
    """Shuffled batches of named arrays, for any backend; what `kg.data.load` returns.

    A batch is a dict with an entry for each array: {"images": ..., "labels": ...}. Its names are those of the model's
    `batch_fields`.

    Epoch e visits the examples in the order of a permutation drawn from (seed, e), so the batch of a step is known
    without running the steps before it: `AdversarialModel.fit` starts at the model's own step count, and training that
    was interrupted goes on with the batches that it would have seen. The last examples of an epoch that do not fill a
    batch are left out, different ones in each epoch.

    Any array may be a `LazyArray`, whose rows are read when they are needed; an object that only has `len()` and items
    by number is made one. Memory maps (`np.memmap`) stay on the disk too. While a model learns from such data, worker
    threads or processes make the next batches. Neither they nor their number change any batch: training is resumed at
    any step as with arrays in memory.

    Args:
        images: array (N, height, width, channels), uint8 or float32 in [-1, 1], or `StackedImages`; may be left out
            if others are given.
        labels: array (N, ...) or None.
        batch_size: examples per batch, from 1 to N.
        shuffle: whether to permute; without it every epoch has the arrays' order.
        seed: whole number that determines the permutations.
        about: facts about the data for a card (name, version, split, licence, ...). "classes" are the names of the
            classes of labels (N,), or of the columns of labels (N, columns).
        workers: how many threads or processes make batches ahead, for data that are not in memory: 1 or more; 0 makes
            each batch when it is asked for. None for one on each processor, at most 8.
        use_multiprocessing: whether these are processes. They share no interpreter, which pays from about four
            processors on, but each imports the library again: half a gigabyte, and some seconds.
        ahead: bytes of batches that may wait; at least one batch is made at a time. Four batches wait for each worker
            at most.
        others: further arrays (N, ...) by name, such as sources= and targets=.

    Raises:
        DataError: no examples, too few for one batch, or arrays of different lengths.
        ConfigurationError: `workers` or `ahead` that are no whole numbers of 0 or more; or these or
            `use_multiprocessing` for data in memory.

    Example:

    >>> batches = Batches(np.zeros((10, 8, 8, 1), "uint8"), batch_size=4, seed=0)
    >>> len(batches), batches[0]["images"].shape
    (2, (4, 8, 8, 1))
    """

    def __init__(
        self,
        images=None,
        labels=None,
        *,
        batch_size=64,
        shuffle=True,
        seed=0,
        about=None,
        workers=None,
        use_multiprocessing=False,
        ahead=AHEAD,
        **others,
    ):
        super().__init__()  # Keras's own workers would begin before an epoch's first step is known
        given = {"images": images, "labels": None if labels is None else np.asarray(labels), **others}
        self.arrays = {name: _as_array(array) for name, array in given.items() if array is not None}
        if not self.arrays or 0 in map(len, self.arrays.values()):
            raise DataError("Expected at least one example. Received: none.")
        self._check_lengths()
        if not 1 <= batch_size <= self.count:
            raise DataError(
                f"Expected a batch_size from 1 to the {self.count} examples there are. Received: {batch_size}."
            )
        self.batch_size, self.shuffle, self.seed = int(batch_size), shuffle, int(seed)
        self.about = dict(about or {})
        for name, value in (("workers", workers), ("ahead", ahead)):
            if not is_whole(value, 0) and (value is not None or name == "ahead"):
                raise ConfigurationError(f"Expected {name} of 0 or more. Received: {name}={value!r}.")
        self.decoding = {"workers": workers, "use_multiprocessing": bool(use_multiprocessing), "ahead": ahead}
        unused = [f"{name}={value!r}" for name, value in self.decoding.items() if value != UNSAID[name]]
        if unused and not self.is_lazy:
            raise ConfigurationError(
                f"Expected data that are not in memory, of which batches are made ahead. Received: {', '.join(unused)} "
                "for data in memory. Pass lazy=True or cache=DIR (--lazy, --cache) for a folder of images, or leave it "
                "out."
            )
        self._drawn = None, None  # the epoch that was requested last, and its order

    def _check_lengths(self):
        first, count = next(iter(self.arrays)), self.count
        for name, array in self.arrays.items():
            if len(array) != count:
                raise DataError(
                    f"Expected as many {name} as {first}, one for each of {count}. Received: {len(array)} {name}."
                )

    def __len__(self):
        return self.count // self.batch_size

    @property
    def num_batches(self):
        return len(self)

    @property
    def count(self):
        """How many examples an epoch visits."""
        return max(map(len, self.arrays.values()))

    @property
    def images(self):
        """The array of images, or None."""
        return self.arrays.get("images")

    @property
    def labels(self):
        """The array of labels, or None."""
        return self.arrays.get("labels")

    @property
    def image_shape(self):
        """(height, width, channels) of one image of the first array."""
        return tuple(next(iter(self.arrays.values())).shape[1:])

    @property
    def is_lazy(self):
        """Whether any of the data is not in memory."""
        return any(isinstance(array, (LazyArray, np.memmap)) for array in self.arrays.values())

    @property
    def batch_bytes(self):
        """Bytes that a batch takes."""
        rows = (np.prod(array.shape[1:], dtype="int64") * array.dtype.itemsize for array in self.arrays.values())
        return self.batch_size * int(sum(rows))

    @property
    def given_labels(self):
        """The labels that batches may hold, or None."""
        return self.labels

    @property
    def label_space(self):
        """What the labels are, with the names that the data know; see `label_space_of`, which raises a `DataError`."""
        return label_space_of(self.given_labels, self.about.get("classes"))

    def labelled_as(self, label_space):
        """The same examples with the labels numbered as in another label space, by the names of the classes.

        Args:
            label_space: that of a model; with names, as the data's.

        Raises:
            DataError: no names; or a class or an attribute that the other lacks.

        Example:

        >>> pets = kg.data.load((np.zeros((2, 8, 8, 1), "uint8"), np.array(["cat", "dog"])), batch_size=1)
        >>> pets.labelled_as(kg.data.Classes(names=["dog", "emu", "cat"])).labels.tolist()
        [2, 0]
        """
        own = self.label_space
        if own.names is None or label_space.names is None or not isinstance(label_space, type(own)):
            raise DataError(
                f"Expected labels and a label space with names of one kind, to match them. Received: {own} and "
                f"{label_space}. Name them: kg.data.load does for folders of classes; about={{'classes': [...]}}."
            )
        labels = label_space.renumbered(self.labels, own.names)
        if ((labels == -1) & (self.labels != -1)).any():
            raise DataError(
                f"Expected classes or attributes that have the names of {label_space}. Received: {own}. Leave out the "
                "others, or use a model that was trained on them."
            )
        other = copy.copy(self)
        other.arrays = {**self.arrays, "labels": labels}
        other.about = {**self.about, "classes": list(label_space.names)}
        return other

    def fingerprint(self):
        """SHA-256 over the arrays' shapes, types and bytes, in hexadecimal.

        Of a `LazyArray` its own fingerprint counts instead of all bytes, and the text begins with "sample-".
        """
        digest, sampled = hashlib.sha256(), ""
        for array in self.arrays.values():
            digest.update(f"{array.shape} {array.dtype.str}".encode())
            if isinstance(array, LazyArray):
                digest.update(array.fingerprint().encode())
                sampled = "sample-"
            elif isinstance(array, np.memmap):
                step = max(1, PIECE * len(array) // max(1, array.nbytes))
                for start in shown(range(0, len(array), step), "Reading the memory map, pieces:"):
                    digest.update(np.ascontiguousarray(array[start : start + step]).data)
            else:
                digest.update(np.ascontiguousarray(array).data)
        return sampled + digest.hexdigest()

    def order(self, epoch):
        """The permutation of the examples in `epoch`, int64 (N,)."""
        if not self.shuffle:
            return np.arange(self.count)
        return np.random.Generator(np.random.PCG64([self.seed, epoch])).permutation(self.count)

    def at(self, step, share=ALL):
        """The batch of a training step, counted from 0: a dict of arrays (batch_size, ...).

        Args:
            step: the step.
            share: the number of a machine, and how many there are. Of data that are not in memory only this machine's
                rows are read; the others are zeros.
        """
        epoch, index = divmod(step, len(self))
        drawn = self._drawn
        if drawn[0] != epoch:  # in a variable of its own: several threads may be here
            drawn = self._drawn = epoch, self.order(epoch)
        chosen = drawn[1][index * self.batch_size : (index + 1) * self.batch_size]
        return {name: _rows(array, chosen, share) for name, array in self.arrays.items()}

    def __getitem__(self, index):
        return self.at(index)

    def batch_signature(self):
        """A batch whose shapes, but for the first number, and dtypes are those of all."""
        return self.at(0)

    def reseeded(self, seed):
        """The same examples in the orders of another seed."""
        other = copy.copy(self)
        other.seed, other._drawn = int(seed), (None, None)
        return other

    def following(self, step, count=None, pick=lambda batch: batch, share=ALL, noting=lambda read: read):
        """The same batches for a model that counts its steps: an epoch is `count` batches, from batch `step()` on.

        Args:
            step: function without arguments, the model's step count; None for epochs that all begin with batch 0.
            count: batches per epoch; None for all.
            pick: function from a batch to what Keras gets, such as a tuple of inputs and targets for a plain model.
            share: see `at`.
            noting: function from the function that makes a step's batch to the one that is called.
        """
        return _Following(self, step, count or len(self), pick, share, noting)


def _as_array(array):
    """What batches are taken from: an array in memory, a memory map, or rows that are read when they are needed."""
    if isinstance(array, (StackedImages, LazyArray, np.memmap)):
        return array
    plain = isinstance(array, (list, tuple, str)) or hasattr(array, "__array__")
    rows = hasattr(array, "__len__") and hasattr(array, "__getitem__")
    return LazyArray(array) if rows and not plain else np.asarray(array)


def _rows(array, chosen, share):
    """The chosen rows of an array; of one that is not in memory only a share of them is read."""
    number, count = share
    if count == 1 or not isinstance(array, (LazyArray, np.memmap)) or len(chosen) % count:
        return array[chosen]
    found = np.zeros((len(chosen), *array.shape[1:]), array.dtype)
    size = len(chosen) // count
    part = slice(number * size, (number + 1) * size)
    found[part] = array[chosen[part]]
    return found


class WholeEpochs(Batches):
    """`Batches` whose epochs have every example, as Keras's own of arrays do: the last batch may be smaller.

    Args:
        batch_size: examples per batch, 1 or more; at most all there are.
        arrays, shuffle, seed: see `Batches`.

    Example:

    >>> batches = WholeEpochs(images=np.zeros((5, 8, 8, 1), "uint8"), batch_size=4)
    >>> [len(batches.at(step)["images"]) for step in range(4)]
    [4, 1, 4, 1]
    """

    def __init__(self, *, batch_size, shuffle=True, seed=0, **arrays):
        count = max(map(len, arrays.values()))
        super().__init__(batch_size=min(batch_size, count), shuffle=shuffle, seed=seed, **arrays)

    def __len__(self):
        return -(-self.count // self.batch_size)


class _Following(keras.utils.PyDataset):
    """Batches from the model's step count on, read when an epoch begins."""

    def __init__(self, batches, step, count, pick, share, noting):
        super().__init__()
        self.batches, self.step, self.count, self.pick, self.start = batches, step, count, pick, 0
        lazy = batches.is_lazy and batches.decoding["workers"] != 0
        self.ahead = Ahead(batches, share, count if step is None else None) if lazy else None
        read = batches.at if share == ALL else functools.partial(batches.at, share=share)
        self.read = noting(read if self.ahead is None else self.ahead.at)

    def __len__(self):
        return self.count

    @property
    def num_batches(self):
        return self.count

    def on_epoch_begin(self):
        self.start = 0 if self.step is None else self.step()

    def __getitem__(self, index):
        return self.pick(self.read(self.start + index))

    def close(self):
        """Ends the workers."""
        if self.ahead is not None:
            self.ahead.close()

    def batch_signature(self):
        return self.pick(self.batches.at(0))
