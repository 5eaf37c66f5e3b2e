"""Data that come batch by batch, with something done to each batch as it is read."""

import copy
import functools
import itertools
import re
import types

import keras
import numpy as np

# TensorFlow's operations that draw; those called Stateless... follow from seeds that they are given.
DRAWING = re.compile("Random|Shuffle|Multinomial|TruncatedNormal|ParameterizedTruncated|Stateful(?!Partitioned)|Rng")


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


def starting_at(data, start, endless=False):
    """The same data from batch `start` on; a generator, which nobody can turn back, as it is.

    Args:
        data: see `each_batch`.
        start: how many batches to leave out, 0 or more.
        endless: whether the first batch follows the last, again and again.

    Example:

    >>> list(starting_at([(0,), (1,), (2,)], 2)), list(itertools.islice(starting_at([(0,), (1,)], 3, endless=True), 3))
    ([(2,)], [(1,), (0,), (1,)])
    """
    if isinstance(data, types.GeneratorType):
        return data
    if isinstance(data, keras.utils.PyDataset):
        return _Later(data, start, endless)
    if _is_a("DatasetV2", "tensorflow", data):
        count = int(data.cardinality())
        return data.repeat().skip(start % count if count > 0 else start) if endless else data.skip(start)
    return _later(data, start, endless)


def _later(data, start, endless):
    """A generator of tuples, which are all that Keras takes from one."""
    again = itertools.chain.from_iterable(itertools.repeat(data)) if endless else data
    for batch in itertools.islice(again, start, None):
        if _is_a("DataLoader", "torch", data):
            batch = keras.tree.map_structure(np.asarray, batch)
        yield tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)


def doubts(data, shuffle=False):
    """Why batches may be others when data start again in a new process, in words; None if they are the same.

    Args:
        data: see `each_batch`.
        shuffle: the option of Keras's `fit`.

    Example:

    >>> doubts(number for number in range(4))
    'a generator begins with its first batch again'
    """
    if isinstance(data, keras.utils.PyDataset):
        base = keras.utils.PyDataset
        if shuffle:
            return "shuffle=True draws another order"
        if any(getattr(type(data), name) is not getattr(base, name) for name in ("on_epoch_begin", "on_epoch_end")):
            return "its on_epoch_begin or on_epoch_end may change the order"
        return None
    if _is_a("DatasetV2", "tensorflow", data):
        return _doubts_of_tensorflow(data)
    if isinstance(data, types.GeneratorType):
        return "a generator begins with its first batch again"
    if _is_a("DataLoader", "torch", data):
        samplers = [type(sampler).__name__ for sampler in (data.batch_sampler, data.sampler)]
        return None if samplers == ["BatchSampler", "SequentialSampler"] else "its sampler may draw another order"
    return "nothing is known of its order"


def _doubts_of_tensorflow(dataset):
    """Looks at the parts of a pipeline and at the functions in them. TensorFlow has no public way to do so."""
    parts = [dataset]
    while parts:
        part = parts.pop()
        try:
            parts += part._inputs()
            graphs = [function.function.graph.as_graph_def() for function in part._functions()]
        except (AttributeError, NotImplementedError):
            return f"nothing is known of its {type(part).__name__}"
        if "Shuffle" in type(part).__name__:
            return "its shuffle draws another order"
        if getattr(part, "_deterministic", "default") == "false" or part.options().deterministic is False:
            return "deterministic=False leaves its order open"
        used = {node.op for graph in graphs for node in graph.node}
        used |= {node.op for graph in graphs for function in graph.library.function for node in function.node_def}
        if "Random" in type(part).__name__ or any(DRAWING.match(op) for op in used):
            return "it draws random numbers"
        if any("PyFunc" in op for op in used):
            return "it runs Python code, which may give others"
    return None


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


class _Later(keras.utils.PyDataset):
    def __init__(self, data, start, endless):
        super().__init__(
            workers=data.workers, use_multiprocessing=data.use_multiprocessing, max_queue_size=data.max_queue_size
        )
        self.data, self.start, self.endless = data, start, endless

    @property
    def num_batches(self):
        count = self.data.num_batches
        return None if count is None or self.endless else count - self.start

    def __getitem__(self, index):
        count = self.data.num_batches
        return self.data[self.start + index if count is None else (self.start + index) % count]

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
