"""What the labels of a conditional model can be: classes, several at once, yes/no attributes, or numbers.

A label space turns labels into the float vectors that networks take, checks what a user passes, draws labels where none
are given, and knows the loss of a network that predicts them. Classes and attributes may have names, by which labels
can be asked for and compared.
"""

import math

import keras
import numpy as np
from keras import ops

from keras_gans.fields.field import Field
from keras_gans.fields.noise import uniform_of
from keras_gans_core.cards import did_you_mean
from keras_gans_core.checks import is_number, is_whole
from keras_gans_core.errors import ConfigurationError, DataError
from keras_gans_core.labels import (
    attributes_in,
    classes_in,
    drawn_attributes,
    drawn_classes,
    drawn_values,
    numbers_in,
)

register = keras.saving.register_keras_serializable(package="keras_gans")


class LabelSpace(Field):
    """What `Classes`, `Attributes` and `Values` share.

    `size` is the width of an encoded label, `shape` the shape of one label, and `num_uniforms` how many numbers from
    U[0, 1] a label is drawn from. `names` are those of the classes or attributes, or None.
    """

    dtype = "int64"
    names = None

    @property
    def num_normals(self):
        return self.num_uniforms

    def from_normals(self, normals):
        """Labels (N, *shape) drawn from standard normal numbers, an array (N, num_uniforms); see `draw`."""
        return self.draw(ops.convert_to_numpy(uniform_of(normals)))

    def check(self, labels):
        """The labels as an array (N, *shape).

        Args:
            labels: array, list or tensor.

        Raises:
            DataError: another shape or dtype, no label, or values outside the space.
        """
        given = values = self._array(labels)
        if self.shape == () and given.ndim == 2 and given.shape[1] == 1:
            values = given[:, 0]
        elif self.shape == (1,) and given.ndim == 1:
            values = given[:, None]
        if values.shape[1:] != self.shape or values.ndim == 0 or len(values) == 0:
            raise DataError(
                f"Expected labels of shape {_written(self.shape)}, {self}. Received: shape {given.shape}. Pass one "
                f"label for each image, or build the model with another label_space."
            )
        if values.dtype.kind not in self.kinds:
            texts = values.dtype.kind in "USO"
            remedy = "Load them with kg.data.load((images, labels)), which numbers names." if texts else "Convert them."
            raise DataError(f"Expected labels that are {self}. Received: dtype {values.dtype}. {remedy}")
        if not np.isfinite(values).all() or (values < self.low).any() or (values > self.high).any():
            none = " Only kg.data.SemiSupervisedBatches takes -1, which marks an image without a label."
            raise DataError(
                f"Expected labels that are {self}. Received: labels from {values.min():g} to {values.max():g}. Build "
                "the model with a label_space, or num_classes, that holds them all."
                f"{none if (values == -1).any() else ''}"
            )
        return values

    def asked(self, labels):
        """`check` for `generate`: it also takes names, and one label without the batch axis for all: (1, *shape).

        Args:
            labels: see `check`; or text, one label or a list of them, as `from_text` reads it. The columns of a label
                may be a list: [["glasses", "hat"], ["beard"]].
        """
        if isinstance(labels, str):
            labels = [self.from_text(labels)]
        elif isinstance(labels, (list, tuple, np.ndarray)) and any(isinstance(name, str) for name in _flat(labels)):
            labels = [self.from_text(":".join(map(str, _flat([label])))) for label in labels]
        given = self._array(labels)
        if given.ndim == 0 or given.ndim == 1 and self.shape not in ((), (1,)):
            given = given[None]
        return self.check(given)

    def from_text(self, text):
        """One label that is written as text, a list of its numbers.

        A name stands for itself and goes before a number: "cat" and "3". Colons separate the columns of a label: "0:1"
        is a label of two columns. Of attributes, "glasses:hat" names those that are there.

        Raises:
            DataError: text that is neither. The message gives the names, and similar ones.
        """
        numbers = self._by_name(text)
        if numbers is not None:
            return numbers
        try:
            numbers = numbers_in(text)
        except ValueError:
            raise DataError(
                f"Expected labels that are {self}. Received: {text[:60]!r}. "
                + (did_you_mean(text, _flat(self.names)) if self.names else "They have no names: write numbers.")
            ) from None
        if len(numbers) != math.prod(self.shape):
            raise DataError(
                f"Expected labels that are {self}: colons between the columns of one. Received: {text[:60]!r}, of "
                f"{len(numbers)}."
            )
        return numbers

    def _by_name(self, text):
        """The numbers of the label that a text names, a list; None if it is not made of names."""
        return None

    def named(self, names):
        """The same labels with names; without a place for names, as `Values`, the space itself."""
        return self

    def renumbered(self, labels, names):
        """Labels of another numbering, whose names are `names`, in this space's numbers; -1 for a class that it lacks.

        Args:
            labels: array (N, *shape); -1, no label, stays.
            names: as those of `label_space_of`.
        """
        return labels

    def unseen(self, labels):
        """What `draw` draws and no label of a data set is, in words, if that is no chance; else None.

        Args:
            labels: all labels of a data set, an array that passes `check`.
        """
        return None

    def _array(self, labels):
        try:
            return ops.convert_to_numpy(labels) if ops.is_tensor(labels) else np.asarray(labels)
        except ValueError as error:
            raise DataError(
                f"Expected labels of shape {_written(self.shape)}, {self}. Received: rows of several lengths."
            ) from error

    def in_grid(self, n, columns):
        """Labels (n, *shape) for a grid of `columns` columns; None if any will do."""
        return None

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __eq__(self, other):
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self):
        return hash(str(self.get_config()))


@register
class Classes(LabelSpace):
    """One of several classes; or, for several features, one class each.

    Args:
        counts: the number of classes of each feature. With one count labels are whole numbers (N,), with more
            (N, len(counts)), each column from 0 to its count minus one. They are encoded as one-hot vectors side by
            side.
        names: the classes' names in the order of their numbers, a list; for several features one list for each. With
            names the counts may be left out. None for none: `fit` takes those that the data know.

    Raises:
        ConfigurationError: a count that is not a whole number of 1 or more, or no count; or names that are not as many
            different texts.

    Example:

    >>> space = kg.data.Classes(2, 3)
    >>> np.asarray(space.encode(np.array([[1, 0], [0, 2]]))).tolist()
    [[0.0, 1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 1.0]]
    >>> kg.data.Classes(names=["cat", "dog"]).asked(["dog", "cat"]).tolist()
    [1, 0]
    """

    kinds = "iu"
    low = 0

    def __init__(self, *counts, names=None):
        several = names is not None and not all(isinstance(name, str) for name in names)
        if names is not None and not counts:
            counts = tuple(map(len, names)) if several else (len(names),)
        if not counts or not all(is_whole(count, 1) for count in counts):
            raise ConfigurationError(f"Expected counts of classes, whole numbers of 1 or more. Received: {counts}.")
        self.counts = tuple(int(count) for count in counts)
        self.size, self.num_uniforms = sum(self.counts), len(self.counts)
        self.shape = () if len(self.counts) == 1 else (len(self.counts),)
        self.high = self.counts[0] - 1 if self.shape == () else np.array(self.counts) - 1
        if self.shape == () and 8 <= self.counts[0] <= 12:
            self.grid_columns = self.counts[0]  # one for each class
        if names is not None:
            given = names if several else [names]
            if len(given) != len(self.counts):
                raise ConfigurationError(f"Expected a list of names for each of {len(self.counts)} features. Received: "
                                         f"{len(given)}.")  # fmt: skip
            given = tuple(_checked_names(part, count) for part, count in zip(given, self.counts))
            self.names = given[0] if self.shape == () else given

    def __str__(self):
        if self.shape == ():
            return f"whole numbers from 0 to {self.high}{_shown(self.names)}"
        whole = f"whole numbers from 0 to {', '.join(map(str, self.high))} in {len(self.counts)} columns"
        return whole + "".join(map(_shown, self.names or ()))

    def named(self, names):
        """The same classes with names."""
        return type(self)(*self.counts, names=names)

    def _by_name(self, text):
        if self.names is None:
            return None
        return classes_in(text, [self.names] if self.shape == () else self.names)

    def renumbered(self, labels, names):
        """See `LabelSpace`."""
        places = [names] if self.shape == () else names
        known = [self.names] if self.shape == () else self.names
        columns = np.reshape(labels, (len(labels), len(known)))
        made = [
            np.array([here.index(name) if name in here else -1 for name in there] + [-1])[column]
            for here, there, column in zip(known, places, columns.T)
        ]
        return np.stack(made, axis=1).reshape(np.shape(labels))

    def unseen(self, labels):
        """See `LabelSpace`."""
        for i, (column, count) in enumerate(zip(np.reshape(labels, (len(labels), -1)).T, self.counts)):
            missing = sorted(set(range(count)) - set(np.unique(column).tolist()))
            # How probable it is that some classes of this number are missing, if each is equally likely.
            choices = math.lgamma(count + 1) - math.lgamma(len(missing) + 1) - math.lgamma(count - len(missing) + 1)
            if missing and choices + len(column) * math.log1p(-len(missing) / count) < CHANCE:
                place = "" if self.shape == () else f" in column {i}"
                return f"{len(missing)} of {count} classes{place} ({_listed(missing)})"
        return None

    def _columns(self, labels):
        labels = ops.reshape(ops.cast(labels, "int32"), (-1, len(self.counts)))
        return [labels[:, i] for i in range(len(self.counts))]

    def encode(self, labels):
        """The labels as float32 (N, size)."""
        hot = [ops.one_hot(column, count) for column, count in zip(self._columns(labels), self.counts)]
        return ops.cast(ops.concatenate(hot, axis=1), "float32")

    def draw(self, uniform):
        """Labels drawn with numbers from U[0, 1], an array (N, num_uniforms); each class is equally likely."""
        labels = drawn_classes(uniform, self.counts)
        return labels[:, 0] if self.shape == () else labels

    def others(self, encoded, uniform):
        """Encoded labels that differ from `encoded`, unless there is only one label, drawn with numbers from U[0, 1],
        (N, num_uniforms). With one feature, all other labels are equally likely."""
        ends = np.cumsum([0, *self.counts])
        columns = [ops.argmax(encoded[:, a:b], axis=-1) for a, b in zip(ends[:-1], ends[1:])]
        if len(columns) == 1:
            shifts = [1 + _whole(uniform[:, 0], self.counts[0] - 1)]
        else:
            shifts = [_whole(uniform[:, i], count) for i, count in enumerate(self.counts)]
            none = ops.cast(ops.equal(sum(shifts), 0), "int32")
            shifts = [shift + none for shift in shifts]
        shifted = [
            (ops.cast(column, "int32") + shift) % count for column, shift, count in zip(columns, shifts, self.counts)
        ]
        return self.encode(ops.stack(shifted, axis=1))

    def in_grid(self, n, columns):
        """Labels for a grid: each column shows one class if there is room for all; otherwise they follow each other."""
        if self.shape != ():
            return None
        return np.arange(n) % max(columns, self.counts[0]) % self.counts[0]

    def loss(self, logits, encoded):
        """The mean over images of -log p(label), summed over the features: softmax cross-entropy.

        Args:
            logits: (N, size).
            encoded: what `encode` returned.

        Returns:
            A float32 scalar.

        Example:

        >>> space = kg.data.Classes(2)
        >>> round(float(space.loss(np.zeros((1, 2), "float32"), space.encode([1]))), 4)    # log 2
        0.6931
        """
        encoded, total, start = ops.convert_to_tensor(encoded), 0.0, 0
        for count in self.counts:
            part = slice(start, start + count)
            total -= ops.mean(ops.sum(encoded[:, part] * ops.log_softmax(logits[:, part], axis=-1), axis=-1))
            start += count
        return total

    def predict(self, logits):
        """The most likely labels according to logits (N, size), an array."""
        ends = np.cumsum(self.counts)
        labels = np.stack([np.argmax(part, axis=1) for part in np.split(logits, ends[:-1], axis=1)], axis=1)
        return labels[:, 0] if self.shape == () else labels

    def get_config(self):
        return {"counts": list(self.counts), **_names_config(self.names)}

    @classmethod
    def from_config(cls, config):
        return cls(*config["counts"], names=config.get("names"))


@register
class Attributes(LabelSpace):
    """Several yes/no attributes: labels (N, count) of 0 and 1, or of booleans.

    Attributes of real data depend on each other: there are no sunglasses without glasses. So labels are drawn from
    `rows`, the combinations in the data, as often as they occur there. A user can still ask for other combinations.

    Args:
        count: how many attributes.
        rows: combinations to draw from, (K, count) of 0 and 1; None: all, equally likely.
        weights: how often each row is drawn relative to the others, K numbers above 0; None: equally often.
        names: the attributes' names in the order of the columns, a list; None for none: `fit` takes those that the data
            know.

    Raises:
        ConfigurationError: a count that is not a whole number of 1 or more, rows that are not labels, not one weight
            for each, or names that are not as many different texts.

    Example:

    >>> np.asarray(kg.data.Attributes(3).encode(np.array([[True, False, True]]))).tolist()
    [[1.0, 0.0, 1.0]]
    >>> kg.data.Attributes(2, rows=[[0, 0], [1, 1]], weights=[3, 1]).draw(np.array([[0.7, 0.2], [0.8, 0.2]])).tolist()
    [[0, 0], [1, 1]]
    >>> kg.data.Attributes(3, names=["hat", "glasses", "beard"]).asked(["hat:beard", "glasses"]).tolist()
    [[1, 0, 1], [0, 1, 0]]
    """

    kinds = "biu"
    low, high = 0, 1

    def __init__(self, count, *, rows=None, weights=None, names=None):
        if not is_whole(count, 1):
            raise ConfigurationError(f"Expected a count of attributes, 1 or more. Received: {count!r}.")
        self.count = self.size = self.num_uniforms = int(count)
        self.shape = (self.count,)
        self.rows, self.weights = rows, weights
        self.names = None if names is None else _checked_names(names, self.count)
        if rows is None and weights is None:
            return
        try:
            self.rows = self.check(rows).astype("int64")
        except DataError as error:
            raise ConfigurationError(f"Expected rows to be combinations of attributes. {error}") from error
        self.weights = [1] * len(self.rows) if weights is None else np.ravel(weights).tolist()
        if len(self.weights) != len(self.rows) or not all(is_number(w, 0) and w > 0 for w in self.weights):
            raise ConfigurationError(
                f"Expected one weight above 0 for each of {len(self.rows)} rows. Received: weights={weights!r}."
            )

    def __str__(self):
        return f"0 or 1 in {self.count} columns{_shown(self.names)}"

    def named(self, names):
        """The same attributes with names."""
        return Attributes(self.count, rows=self.rows, weights=self.weights, names=names)

    def _by_name(self, text):
        return None if self.names is None else attributes_in(text, self.names)

    def renumbered(self, labels, names):
        """See `LabelSpace`."""
        columns = np.concatenate([np.asarray(labels), np.full((len(labels), 1), -1)], axis=1)
        return columns[:, [names.index(name) if name in names else -1 for name in self.names]]

    def unseen(self, labels):
        """See `LabelSpace`."""
        found = np.asarray(labels).astype("int64")
        same = np.flatnonzero(found.min(axis=0) == found.max(axis=0)).tolist()
        if self.rows is None and same and len(found) * math.log(0.5) < CHANCE:
            return f"both values of {len(same)} of {self.count} attributes (column {_listed(same)})"
        return None

    def encode(self, labels):
        """The labels as float32 (N, count): 1 if the attribute is there."""
        return ops.reshape(ops.cast(labels, "float32"), (-1, self.count))

    def others(self, encoded, uniform):
        """Encoded labels that differ from `encoded`, drawn with numbers from U[0, 1], (N, count): for each image those
        of another image of the batch, so that only combinations that exist occur. Where all images of a batch have
        the same attributes, others are made up."""
        n = ops.shape(encoded)[0]
        same = ops.all(ops.equal(encoded[:, None], encoded[None]), axis=-1)
        places = ops.arange(n)
        # Each image looks for other labels from a place of its own, and goes around the batch once.
        start = ops.minimum(ops.cast(ops.multiply(uniform[:, :1], ops.cast(n, "float32")), "int32"), n - 1)
        distance = (places[None] - start) % n
        nearest = ops.argmin(ops.where(same, n, distance), axis=1)
        drawn = ops.cast(uniform >= 0.5, "float32")
        made_up = ops.where(ops.all(ops.equal(drawn, encoded), axis=1, keepdims=True), 1.0 - encoded, drawn)
        return ops.where(ops.all(same, axis=1, keepdims=True), made_up, ops.take(encoded, nearest, axis=0))

    def draw(self, uniform):
        """Labels drawn with numbers from U[0, 1], an array (N, count): the first column chooses among the rows by their
        weights; without rows, each attribute is there for one image in two."""
        return drawn_attributes(uniform, self.rows, self.weights)

    def in_grid(self, n, columns):
        """Labels for a grid: the first column shows no attribute, each other column one; without room for all, they
        follow each other. With `rows`, each label is the nearest row, of several the most frequent."""
        kinds = np.vstack([np.zeros((1, self.count), "int64"), np.eye(self.count, dtype="int64")])
        if self.rows is not None:
            # A mismatch in the attribute that is asked for counts more than all others together.
            missed = ((1 + self.count * kinds[:, None]) * (kinds[:, None] != self.rows)).sum(-1)
            kinds = self.rows[[np.lexsort((-np.asarray(self.weights), row))[0] for row in missed]]
        return kinds[np.arange(n) % max(columns, len(kinds)) % len(kinds)]

    def loss(self, logits, encoded):
        """The mean over images of -log p(labels), summed over the attributes: sigmoid cross-entropy."""
        logits, encoded = ops.convert_to_tensor(logits), ops.convert_to_tensor(encoded)
        return ops.mean(ops.sum(ops.softplus(logits) - encoded * logits, axis=-1))

    def predict(self, logits):
        """The most likely labels according to logits (N, count), an array."""
        return (np.asarray(logits) > 0).astype("int64")

    def get_config(self):
        names = _names_config(self.names)
        if self.rows is None:
            return {"count": self.count, **names}
        return {"count": self.count, "rows": self.rows.tolist(), "weights": self.weights, **names}


@register
class Values(LabelSpace):
    """Continuous labels (N, count), encoded as numbers in [-1, 1].

    Args:
        count: how many numbers a label has.
        low, high: the smallest and the largest number.

    Raises:
        ConfigurationError: a count that is not a whole number of 1 or more, low that is not below high, or so
            close to it that float32 cannot tell the numbers in between apart, or bounds beyond 1e38.

    Example:

    >>> np.asarray(kg.data.Values(1, low=0.0, high=10.0).encode(np.array([[0.0], [7.5]]))).tolist()
    [[-1.0], [0.5]]
    """

    kinds = "iuf"
    dtype = "float32"

    def __init__(self, count=1, *, low=-1.0, high=1.0):
        if not is_whole(count, 1):
            raise ConfigurationError(f"Expected a count of numbers, 1 or more. Received: {count!r}.")
        if not is_number(low) or not is_number(high) or not low < high:
            raise ConfigurationError(
                f"Expected low below high, two finite numbers. Received: low={low!r}, high={high!r}."
            )
        if high - low < 1e-4 * max(abs(low), abs(high)) or max(abs(low), abs(high)) > 1e38:
            raise ConfigurationError(
                "Expected labels that float32 can tell apart: low and high that differ by a ten thousandth of "
                f"themselves or more, up to 1e38. Received: low={low!r}, high={high!r}. Subtract an offset from the "
                "labels, or scale them."
            )
        self.count = self.size = self.num_uniforms = int(count)
        self.low, self.high, self.shape = float(low), float(high), (self.count,)

    def __str__(self):
        return f"numbers from {self.low:g} to {self.high:g} in {self.count} column{'s' * (self.count > 1)}"

    def unseen(self, labels):
        """See `LabelSpace`."""
        found = np.asarray(labels, "float64").reshape(len(labels), -1)
        part = np.ptp(found, axis=0).min() / (self.high - self.low)
        if part < 0.5 and len(found) * math.log(0.5) < CHANCE:
            return f"{1 - part:.0%} of the range from {self.low:g} to {self.high:g}"
        return None

    def encode(self, labels):
        """The labels as float32 (N, count): -1 at `low`, 1 at `high`."""
        labels = ops.reshape(ops.cast(labels, "float32"), (-1, self.count))
        return (labels - self.low) * (2.0 / (self.high - self.low)) - 1.0

    def others(self, encoded, uniform):
        """Encoded labels at a distance of 1/2 to 1 from `encoded` in each number, wrapped around the ends of [-1, 1],
        drawn with numbers from U[0, 1], (N, count)."""
        moved = encoded + 0.5 + uniform
        return ops.where(moved > 1.0, moved - 2.0, moved)

    def draw(self, uniform):
        """Labels drawn with numbers from U[0, 1], an array (N, count), evenly from `low` to `high`."""
        return drawn_values(uniform, self.low, self.high)

    def loss(self, logits, encoded):
        """The mean over images of the squared distance of predictions (N, count) from the encoded labels."""
        return ops.mean(ops.sum(ops.square(ops.convert_to_tensor(logits) - ops.convert_to_tensor(encoded)), axis=-1))

    def predict(self, logits):
        """Predictions (N, count), an array, as labels."""
        values = self.low + (self.high - self.low) * (np.asarray(logits, "float64") + 1.0) / 2.0
        return np.clip(values, self.low, self.high)

    def get_config(self):
        return {"count": self.count, "low": self.low, "high": self.high}


CHANCE = math.log(1e-6)  # what is less probable is no chance
MOST_SHOWN = 12  # names in an error, which is to fit on a screen
COMBINATIONS = 1000  # the most that attributes of a data set are drawn from: a model's file keeps them
TEN_CLASSES = Classes(10)  # as in most data sets with few classes


def check_label_space(label_space):
    """Returns a label space unchanged.

    Raises:
        ConfigurationError: not a label space, such as a number of classes.
    """
    if not isinstance(label_space, LabelSpace):
        raise ConfigurationError(
            "Expected a label_space such as kg.data.Classes(10), kg.data.Attributes(5) or kg.data.Values(1). "
            f"Received: {label_space!r}."
        )
    return label_space


def label_space_of(labels, names=None):
    """The smallest label space that holds the labels of a data set; `Batches.label_space` is that of its labels.

    Args:
        labels: array of whole numbers, booleans or floats, (N,) or (N, columns).
        names: the names of the classes of labels (N,), also of those that no example has; or of the attributes, one for
            each column of booleans. Other labels take none.

    Returns:
        `Classes` for whole numbers, with two classes or more in each column; `Attributes` for booleans, drawn from the
        thousand most frequent combinations as often as they occur; `Values` for floats.

    Raises:
        DataError: no labels, negative whole numbers, more classes than names, floats that are not finite or all equal,
            or anything else.
        ConfigurationError: floats that `Values` refuses.

    Example:

    >>> kg.data.label_space_of(np.array([[0, 3], [1, 5]])).counts
    (2, 6)
    """
    if labels is None or len(labels) == 0:
        raise DataError(
            "Expected a data set with labels. Received: one without. Name the feature that has them "
            "(kg.data.load(..., labels=name), --label-feature), or give a folder a sub-folder for each class."
        )
    labels = np.asarray(labels)
    if labels.ndim > 2 or labels.dtype.kind not in "biuf":
        raise DataError(
            "Expected labels (N,) or (N, columns) of whole numbers, booleans or floats. Received: "
            f"{labels.dtype} {labels.shape}. Number the classes from 0."
        )
    columns = labels.reshape(len(labels), -1)
    if labels.dtype.kind == "b":
        rows, weights = np.unique(columns, axis=0, return_counts=True)
        most = np.argsort(-weights, kind="stable")[:COMBINATIONS]
        names = names if names and len(names) == columns.shape[1] else None
        rows, weights = rows[most].astype("int64"), weights[most].tolist()
        return Attributes(columns.shape[1], rows=rows, weights=weights, names=names)
    if labels.dtype.kind == "f":
        if not np.isfinite(columns).all() or columns.min() == columns.max():
            raise DataError(
                f"Expected finite floats as labels, not all equal. Received: {columns.min()} to {columns.max()}."
            )
        return Values(columns.shape[1], low=float(columns.min()), high=float(columns.max()))
    if columns.min() < 0:
        raise DataError(f"Expected labels of 0 or more. Received: {columns.min()}.")
    if names and labels.ndim == 1:
        if labels.max() >= len(names):
            raise DataError(f"Expected labels of {len(names)} classes{_shown(names)}. Received: the label "
                            f"{labels.max()}. Name all classes.")  # fmt: skip
        return Classes(names=names)
    return Classes(*np.maximum(2, columns.max(axis=0).astype("int64") + 1).tolist())


def _whole(uniform, count):
    """Turns numbers from U[0, 1], both ends included, into whole numbers from 0 to count - 1."""
    return ops.minimum(ops.cast(uniform * count, "int32"), max(0, count - 1))


def _checked_names(names, count):
    """The names of `count` classes or attributes, a tuple."""
    names = tuple(names)
    if len(names) != count or len(set(names)) < count or not all(isinstance(name, str) and name for name in names):
        raise ConfigurationError(f"Expected {count} different names, texts. Received: {_listed(names)}.")
    return names


def _names_config(names):
    if names is None:
        return {}
    return {"names": [name if isinstance(name, str) else list(name) for name in names]}


def _flat(names):
    """All names in a list, or in the lists in it."""
    return [name for part in names for name in (part if isinstance(part, (list, tuple, np.ndarray)) else [part])]


def _shown(names):
    return f" ({_listed(names)})" if names else ""


def _listed(values):
    """A few of the values on a short line."""
    most = ", ".join(str(value)[:30] for value in values[:MOST_SHOWN])
    return most if len(values) <= MOST_SHOWN else f"{most}, ... {len(values)} in all"


def _written(shape):
    return f"(N, {shape[0]})" if shape else "(N,)"
