"""Data that come batch by batch, with something done to each batch as it is read."""

import copy
import functools
import types

import keras
import numpy as np


def each_batch(data, look=None, whole=1, least=0):
    """The same data, of which every batch is looked at when it is read.

    Args:
        data: what Keras's `fit` takes batch by batch: a `tf.data.Dataset`, a `PyDataset`, a generator, or PyTorch's
            `DataLoader`. Other data are returned unchanged.
        look: function of a batch, as the data pack it, that raises an error if the batch is wrong; None for no look.
        whole, least: a batch is filled up to a multiple of `whole` rows, and to `least` of them, by repeating its first
            ones.

    Example:

    >>> sizes = [5, 5, 3]
    >>> [len(batch) for batch in each_batch((np.zeros((size, 1)) for size in sizes), whole=5)]
    [5, 5, 5]
    """
    seen = functools.partial(_seen, look, whole, least)
    if isinstance(data, keras.utils.PyDataset):
        return _EachBatch(data, seen)
    if isinstance(data, types.GeneratorType):
        return (seen(batch) for batch in data)
    if _is_a("DatasetV2", "tensorflow", data):
        return _each_of_tensorflow(data, look, whole, least)
    if _is_a("DataLoader", "torch", data):
        data, collate = copy.copy(data), data.collate_fn
        data.collate_fn = functools.partial(_collated, collate, seen)
    return data


def _seen(look, whole, least, batch):
    if look is not None:
        look(batch)
    count = next(len(array) for array in keras.tree.flatten(batch) if array is not None)
    if count % whole == 0 and count >= least:
        return batch
    rows = np.arange(max(-(-count // whole) * whole, least)) % count
    return keras.tree.map_structure(lambda array: None if array is None else np.asarray(array)[rows], batch)


def _collated(collate, seen, rows):  # a function of the module: PyTorch may send it to other processes
    return seen(collate(rows))


class _EachBatch(keras.utils.PyDataset):
    def __init__(self, data, seen):
        super().__init__(
            workers=data.workers, use_multiprocessing=data.use_multiprocessing, max_queue_size=data.max_queue_size
        )
        self.data, self.seen = data, seen

    @property
    def num_batches(self):
        return self.data.num_batches

    def __getitem__(self, index):
        return self.seen(self.data[index])

    def on_epoch_begin(self):
        self.data.on_epoch_begin()

    def on_epoch_end(self):
        self.data.on_epoch_end()


def _is_a(name, package, data):
    """Whether the data's class has a base of that name in a package, which need not be installed."""
    return any(base.__name__ == name and base.__module__.startswith(package) for base in type(data).__mro__)


def _each_of_tensorflow(dataset, look, whole, least):
    import tensorflow as tf

    packed = not isinstance(dataset.element_spec, tuple)

    def seen(*batch):
        batch = batch[0] if packed else batch
        tensors = tf.nest.flatten(batch)
        dense = [i for i, tensor in enumerate(tensors) if isinstance(tensor, tf.Tensor)]  # not sparse, not ragged

        def look_at(*arrays):
            values = [None] * len(tensors)
            for i, array in zip(dense, arrays):
                values[i] = array
            look(tf.nest.pack_sequence_as(batch, values))
            return True

        after = [] if look is None else [tf.numpy_function(look_at, [tensors[i] for i in dense], tf.bool)]
        with tf.control_dependencies(after):
            tensors = [tf.identity(tensor) if i in dense else tensor for i, tensor in enumerate(tensors)]
        if whole > 1 or least > 1:
            count = tf.shape(tensors[dense[0]])[0]
            rows = tf.range(tf.maximum(-(-count // whole) * whole, least)) % count
            tensors = [tf.gather(tensor, rows) if i in dense else tensor for i, tensor in enumerate(tensors)]
        return tf.nest.pack_sequence_as(batch, tensors)

    return dataset.map(seen).prefetch(2)  # the look costs the steps no time
