"""What `fit` and `evaluate` are given: named batches, and the checks of arrays, of batches and of labels."""

import itertools
import types
import warnings

import keras
import numpy as np
from keras import ops

from keras_gans import engine
from keras_gans.data.batches import Batches
from keras_gans.errors import ConfigurationError, DataError, KerasGansError
from keras_gans.fields import TEN_CLASSES, LabelSpace
from keras_gans_core.checks import is_whole

SHOWN = 64  # examples of the data that callbacks may show
ENDLESS = -1  # what tf.data calls the length of data without an end


# Named batches


def named(data, fields):
    """The values of a batch, however it is packed, as {name: values} in the order of `fields`.

    Args:
        data: the values of the first field; a tuple of values in the order of the fields, where values after the
            last field are ignored; or a dict by the fields' names or their singular, such as TFDS's "image".
        fields: {name: field}.

    Raises:
        DataError: a dict without the first field.
    """
    if isinstance(data, (tuple, list)) and len(data) and isinstance(data[0], (dict, tuple, list)):
        data = data[0]
    if not isinstance(data, dict):
        values = data if isinstance(data, (tuple, list)) else (data,)
        return {name: value for name, value in zip(fields, values) if value is not None}
    found = {}
    for name in fields:
        for key in (name, name.removesuffix("s")):
            if key in data:
                found[name] = data[key]
                break
    first = next(iter(fields))
    if first not in found:
        raise DataError(
            f"Expected a dict with the keys {', '.join(map(repr, fields))}. Received the keys: {sorted(data)}."
        )
    return found


def first_batch(dataset):
    """The first batch of the data, and the data to continue with (a generator gets its first batch back).

    Raises:
        DataError: there is no batch.
    """
    if isinstance(dataset, keras.utils.PyDataset):
        if dataset.num_batches == 0:
            raise DataError("Expected a dataset with at least one batch. Received: an empty PyDataset.")
        return dataset[0], dataset
    iterator = iter(dataset)
    try:
        batch = next(iterator)
    except StopIteration:
        raise DataError(
            "Expected a dataset with at least one batch. Received: an empty one. "
            "It is empty if there are fewer images than one batch and drop_remainder=True."
        ) from None
    if isinstance(dataset, types.GeneratorType):
        # Keras takes only generators, not every iterator, and only those of tuples.
        return batch, (b if isinstance(b, tuple) else (b,) for b in itertools.chain([batch], iterator))
    return batch, dataset


def length_of(dataset):
    """How many batches there are; None if the number is unknown or infinite."""
    if isinstance(dataset, keras.utils.PyDataset):
        return dataset.num_batches
    try:
        return len(dataset)
    except TypeError:
        return None


def _is_endless(dataset):
    """Whether a dataset says that it has no end; a generator cannot."""
    if isinstance(dataset, keras.utils.PyDataset):
        return dataset.num_batches is None
    return hasattr(dataset, "cardinality") and int(dataset.cardinality()) == ENDLESS


# Checks


def check_data(model, x, y=None, *, steps_per_epoch=None, training=False):
    """Checks what `fit` or `evaluate` was given.

    All of an array is checked, and all arrays of `Batches` that it does not change; of anything else, only the first
    batch. `BatchCheck` looks at the others when they are read.

    Args:
        model: an `AdversarialModel`.
        x, y: see `fit`.
        steps_per_epoch: see `fit`.
        training: whether batches must be large enough for a training step.

    Returns:
        The data to continue with, and the first examples, {name: values}.

    Raises:
        DataError: see the fields' `check`, `check_batch_size` and `first_batch`; fewer batches than
            `steps_per_epoch`; missing values; or labels of another space, see `match_labels`.

    Warns:
        UserWarning: in training, labels that `generate` draws and that no example has, if that is no chance.
    """
    x = match_labels(model, x, training)
    fields = model.batch_fields
    first = next(iter(fields))
    arrays = isinstance(x, (np.ndarray, list)) or ops.is_tensor(x)
    if arrays:
        x = np.asarray(x) if isinstance(x, list) else x
        if len(x) == 0:
            raise DataError(f"Expected at least one example of {first}. Received: an empty array.")
        values = named((x,) if y is None else (x, y), fields)
    elif isinstance(x, dict) and all(np.ndim(value) > 0 for value in x.values()):
        arrays, x = True, {name: np.asarray(v) if isinstance(v, list) else v for name, v in x.items()}
        values = named(x, fields)
    elif x is None or isinstance(x, (tuple, dict, str)):
        received = repr(x) if x is None or isinstance(x, str) else f"a {type(x).__name__} of arrays"
        raise DataError(
            f"Expected {first}, or batches of them. Received: {received}. Pass only the {first}, or "
            f"fit({', '.join(list(fields)[:2])}); for a name or a folder, pass what kg.data.load returns."
        )
    else:
        batch, x = first_batch(x)
        values = named(batch, fields)
        if isinstance(x, Batches):
            for field in fields.values():
                field.check_source(x.about)
        _check_batches(model, x, values, steps_per_epoch, training)
        if isinstance(x, Batches):
            values = {**values, **_whole_arrays(x, values)}
    _check_values(model, values)
    if arrays:
        check_counts(values)
    if training and "labels" in values and (arrays or isinstance(x, Batches)):
        _check_unseen_labels(model, x, values["labels"])
    return x, first_examples(x, values)


def match_labels(model, x, training):
    """Compares the label space of data with the model's, by the names of the classes if the data know them.

    A model whose classes have no names takes the data's. In training, names in another order are refused; outside, the
    labels are numbered as the model's.

    Returns:
        The data to continue with.

    Raises:
        DataError: another count of classes or attributes, or other names.
    """
    space = model.batch_fields.get("labels")
    if not isinstance(space, LabelSpace) or not isinstance(x, Batches) or x.given_labels is None:
        return x
    if not x.about.get("classes") or not isinstance(space, type(theirs := x.label_space)) or theirs.names is None:
        return x
    if not training:
        return x if space.names in (None, theirs.names) else x.labelled_as(space)
    if space.names == theirs.names or space.names is None and space.size == theirs.size:
        name_labels(model, theirs.names)
        return x
    argument = "label_space=data.label_space" if model.label_space is not None else f"num_classes={theirs.size}"
    other = ", or number the labels as the model does: data = data.labelled_as(model.label_space)"
    raise DataError(
        f"Expected data with the model's labels, {space}. Received: {theirs}, of {x.about.get('name', 'the data')}. "
        f"Build the model with {argument}{other if set(theirs.names) <= set(space.names or ()) else ''}."
    )


def name_labels(model, names):
    """Gives the classes or attributes of a conditional model names: in its fields, and in its file."""
    if model.label_space is None or model.label_space.names == names:
        return
    model.label_space = model.label_space.named(names)
    for fields in (model.batch_fields, model.input_fields):
        if "labels" in fields:
            fields["labels"] = model.label_space


def _check_unseen_labels(model, x, labels):
    """Warns of labels that `generate` draws and no example has; refuses them if the model's space is the default."""
    space = model.input_fields.get("labels")
    known = isinstance(x, Batches) and x.about.get("classes")  # `match_labels` has compared them
    if known or not isinstance(space, LabelSpace) or not (unseen := space.unseen(ops.convert_to_numpy(labels))):
        return
    remedy = "Build the model with label_space=kg.data.label_space_of(labels), and number classes from 0"
    if space is TEN_CLASSES:
        raise DataError(
            f"Expected labels of ten classes, as the model has by default. Received: labels without {unseen}. {remedy}."
        )
    warnings.warn(
        f"The data have no labels for {unseen}. generate draws them, and the model does not learn them. {remedy}, if "
        "that is not meant.",
        UserWarning,
        stacklevel=5,
    )


def _whole_arrays(batches, values):
    """{name: array} of all that `Batches` may hold under a name, where a batch is rows of it."""
    rows = {
        name: array
        for name, array in batches.arrays.items()
        if isinstance(array, np.ndarray) and not isinstance(array, np.memmap)
        if name in values and array.shape[1:] == values[name].shape[1:]
    }
    return {**rows, "labels": batches.given_labels} if "labels" in values else rows


def first_examples(x, values):
    """The first `SHOWN` examples, {name: values}, for callbacks; from several batches if `Batches` are small."""
    if isinstance(x, Batches):
        batches = [x.at(step) for step in range(min(len(x), -(-SHOWN // x.batch_size)))]
        values = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    return {name: ops.convert_to_numpy(value[:SHOWN]) for name, value in values.items()}


def check_counts(values):
    """Raises a `DataError` unless all names of a batch {name: values} have the same number of values."""
    counts = {name: len(value) for name, value in values.items()}
    if len(set(counts.values())) > 1:
        shown = " and ".join(f"{count} {name}" for name, count in counts.items())
        raise DataError(
            f"Expected the same number of values under each name. Received: {shown}. Leave out what has no partner; "
            "domains without pairs go into kg.data.UnpairedBatches."
        )


class BatchCheck:
    """Checks each batch of a stream as it is read, with `each_batch`; a context around Keras's `fit`.

    A backend replaces an error of the data by its own, so the context raises the first one that was found.

    Args:
        model: an `AdversarialModel`.
        nan_passes: whether values that are not finite pass, because a callback acts on the losses that they lead to.
    """

    def __init__(self, model, nan_passes=False):
        self.batch_fields, self.optional_fields = model.batch_fields, model.optional_fields
        self.nan_passes, self.read, self.error, self.opened = nan_passes, 0, None, []

    def __call__(self, batch):
        self.read += 1
        try:
            values = named(batch, self.batch_fields)
            check_counts(values)
            if not (self.nan_passes and any(map(_has_nan, values.values()))):
                _check_values(self, values, later=True)
        except DataError as error:
            self.error = self.error or DataError(f"{error} It is in batch {self.read} that was read.")
            raise self.error from None

    def passed(self, batch):
        """The batch, checked."""
        self(batch)
        return batch

    def noting(self, read):
        """A function that reads data: the same, with the first error of the library kept."""

        def noted(*arguments):
            try:
                return read(*arguments)
            except KerasGansError as error:
                self.error = self.error or error
                raise

        return noted

    def closing(self, data):
        """The data, which are closed at the end of the context."""
        self.opened.append(data)
        return data

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        for data in self.opened:
            data.close()
        if self.error is not None and isinstance(error, Exception):
            raise self.error from None


def _has_nan(values):
    values = ops.convert_to_numpy(values)
    return values.dtype.kind == "f" and not np.isfinite(values).all()


def _check_batches(model, x, values, steps_per_epoch, training):
    if training:
        size = len(next(iter(values.values())))
        if size:  # only of the first batch: the last one may be smaller
            check_batch_size(size, model.packing)
            check_shares(model, size)
        if 0 < size < model.smallest_batch:
            raise DataError(
                f"Expected at least {model.smallest_batch} images per batch, so that each discriminator step has its "
                f"own. Received: {size}. Use larger batches or fewer discriminator_steps."
            )
    if training and not steps_per_epoch and _is_endless(x):
        raise DataError(
            "Expected steps_per_epoch for data without an end. Received: None, so the first epoch would never end. "
            "Pass steps_per_epoch, or leave out .repeat()."
        )
    length = length_of(x)
    if steps_per_epoch and length is not None and not isinstance(x, Batches) and length < steps_per_epoch:
        raise DataError(
            f"Expected at least steps_per_epoch={steps_per_epoch} batches. Received: a dataset of {length}. "
            "Lower steps_per_epoch, leave it out, or add .repeat()."
        )


def _check_values(model, values, later=False):
    """Checks a batch by its fields; a later one of a stream, of which the first has passed, by less."""
    for name, field in model.batch_fields.items():
        if name in values:
            (field.check_later if later else field.check)(values[name])
        elif name not in model.optional_fields:
            raise DataError(
                f"Expected {name} in each batch: {field}. Received: only {', '.join(values)}. Pass them as a dict "
                f"with the keys {', '.join(map(repr, model.batch_fields))}, or as a tuple in that order: "
                f"fit({', '.join(model.batch_fields)})."
            )


def check_batch_size(size, packing):
    """Refuses a batch size that is not a multiple of `packing`, the number of examples judged together.

    Raises:
        DataError: a size that is not a whole number of 1 or more, or not a multiple of `packing`.
    """
    if not is_whole(size, 1):
        raise DataError(f"Expected a batch_size of 1 or more. Received: {size!r}.")
    if size % packing:
        nearest = max(1, round(size / packing)) * packing
        raise DataError(
            f"Expected a batch_size in whole packs of {packing}. Received: {size}. Choose {nearest}: examples "
            "that do not fill a pack would never be seen."
        )


def check_shares(model, size):
    """Refuses a batch size that several devices cannot share in whole packs."""
    devices = engine.devices_of(model)
    packs = devices * model.packing
    if devices > 1 and (size % packs or size // devices < model.smallest_batch):
        whole = f" in whole packs of {model.packing}" if model.packing > 1 else ""
        raise ConfigurationError(
            f"Expected a batch_size that {devices} devices share equally, at least {model.smallest_batch} examples "
            f"each{whole}. Received: {size}. Choose a multiple of {packs}, {devices * model.smallest_batch} or more."
        )
