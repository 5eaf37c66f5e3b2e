"""Images in memory as batches whose order is a pure function of the seed and the step."""

import hashlib

import keras
import numpy as np

from keras_gans.errors import DataError


class StackedImages:
    """Images whose channels are others' first channels: to `Batches` an array, put together when it is indexed.

    Args:
        images: array (M, height, width, 1).
        chosen: whole numbers (N, channels), which of them is which channel.
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
    """Shuffled batches of arrays, for any backend; what `kg.data.load` returns.

    Epoch e visits the examples in the order of a permutation drawn from (seed, e), so the batch of a step is known
    without running the steps before it: `AdversarialModel.fit` starts at the model's own step count, and training that
    was interrupted goes on with the batches that it would have seen. The last examples of an epoch that fill no whole
    batch are left out, others in each epoch.

    Args:
        images: array (N, height, width, channels), uint8 or float32 in [-1, 1], or `StackedImages`.
        labels: array (N, ...) or None.
        batch_size: examples a batch, from 1 to N.
        shuffle: whether to permute; without it every epoch has the arrays' order.
        seed: whole number, names the sequence of permutations.
        about: what a card says of the data (name, version, split, licence, ...).

    Raises:
        DataError: no examples, too few for one batch, or not one label for each image.

    Example:

    >>> batches = Batches(np.zeros((10, 8, 8, 1), "uint8"), batch_size=4, seed=0)
    >>> len(batches), batches[0][0].shape
    (2, (4, 8, 8, 1))
    """

    def __init__(self, images, labels=None, *, batch_size=64, shuffle=True, seed=0, about=None):
        super().__init__()
        images = images if isinstance(images, StackedImages) else np.asarray(images)
        if len(images) == 0:
            raise DataError("Expected at least one example. Received: none.")
        if not 1 <= batch_size <= len(images):
            raise DataError(
                f"Expected a batch_size from 1 to the {len(images)} examples there are. Received: {batch_size}."
            )
        if labels is not None and len(labels) != len(images):
            raise DataError(f"Expected one label for each of {len(images)} images. Received: {len(labels)} labels.")
        self.images, self.labels = images, None if labels is None else np.asarray(labels)
        self.batch_size, self.shuffle, self.seed = int(batch_size), shuffle, int(seed)
        self.about = dict(about or {})
        self._drawn = None, None  # the epoch whose order was asked for last, and that order

    def __len__(self):
        return len(self.images) // self.batch_size

    @property
    def num_batches(self):
        return len(self)

    @property
    def image_shape(self):
        """(height, width, channels) of one image."""
        return tuple(self.images.shape[1:])

    @property
    def given_labels(self):
        """The labels that batches may hold, or None."""
        return self.labels

    def fingerprint(self):
        """SHA-256 over the arrays' shapes, types and bytes, in hexadecimal."""
        digest = hashlib.sha256()
        for array in (self.images, self.labels):
            if array is not None:
                digest.update(f"{array.shape} {array.dtype.str}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def order(self, epoch):
        """The permutation of the examples in `epoch`, int64 (N,)."""
        if not self.shuffle:
            return np.arange(len(self.images))
        return np.random.Generator(np.random.PCG64([self.seed, epoch])).permutation(len(self.images))

    def at(self, step):
        """The batch of a training step, counted from 0: (images,) or (images, labels)."""
        epoch, index = divmod(step, len(self))
        if self._drawn[0] != epoch:
            self._drawn = epoch, self.order(epoch)
        chosen = self._drawn[1][index * self.batch_size : (index + 1) * self.batch_size]
        return tuple(array[chosen] for array in (self.images, self.labels) if array is not None)

    def __getitem__(self, index):
        return self.at(index)

    def following(self, step, count=None):
        """The same batches for a model that counts its steps: an epoch is `count` batches from that of `step()` on."""
        return _Following(self, step, count or len(self))


class _Following(keras.utils.PyDataset):
    """Batches from wherever the model stands when an epoch begins."""

    def __init__(self, batches, step, count):
        super().__init__()
        self.batches, self.step, self.count, self.start = batches, step, count, 0

    def __len__(self):
        return self.count

    @property
    def num_batches(self):
        return self.count

    def on_epoch_begin(self):
        self.start = self.step()

    def __getitem__(self, index):
        return self.batches.at(self.start + index)
