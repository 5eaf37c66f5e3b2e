"""The rules of labels without Keras: what a text means, and which label a random number draws."""

import math

import numpy as np

from keras_gans_core.checks import is_number


def uniform_of(normals):
    """Standard normal numbers as numbers from U[0, 1]: `keras_gans.fields.uniform_of` for an array.

    >>> uniform_of(np.array([-9.0, 0.0, 9.0], "float32")).tolist()
    [0.0, 0.5, 1.0]
    """
    scaled = normals * np.float32(0.5**0.5)
    halves = np.array([math.erf(number) for number in scaled.ravel()], "float32").reshape(normals.shape)
    return np.float32(0.5) * (np.float32(1.0) + halves)


# Texts


def numbers_in(text):
    """The numbers of a label that is written as numbers, with colons between its columns: a list.

    Raises:
        ValueError: something else.

    Example:

    >>> numbers_in("3"), numbers_in("0:0.5")
    ([3], [0, 0.5])
    """
    return [float(part) if "." in part else int(part) for part in text.split(":")]


def classes_in(text, names):
    """The numbers of classes that a text names, one for each feature, a list; None if it is not made of names.

    Args:
        text: names or numbers, with colons between the features if there are several; a name goes before a number.
        names: a list of names for each feature.

    Example:

    >>> classes_in("dog", [["cat", "dog"]]), classes_in("dog:0", [["cat", "dog"], ["big"]])
    ([1], [1, 0])
    >>> classes_in("cow", [["cat", "dog"]]) is None
    True
    """
    parts = [text] if len(names) == 1 else text.split(":")
    if len(parts) != len(names):
        return None
    found = [known.index(part) if part in known else _whole(part) for part, known in zip(parts, names)]
    return None if None in found else found


def attributes_in(text, names):
    """0 or 1 for each attribute, a list: whether a text names it; None if the text is not made of names.

    >>> attributes_in("hat:beard", ["hat", "glasses", "beard"]), attributes_in("0:1:1", ["hat", "glasses", "beard"])
    ([1, 0, 1], None)
    """
    parts = [text] if text in names else text.split(":")
    numbers = len(parts) == len(names) and set(parts) <= {"0", "1"}
    return None if numbers or not set(parts) <= set(names) else [int(name in parts) for name in names]


def _whole(text):
    """The whole number that a text is, or None; no label has twenty digits."""
    return int(text) if text.isdecimal() and len(text) < 20 else None


# Drawing, with numbers from U[0, 1], arrays (N, columns)


def drawn_classes(uniform, counts):
    """Class numbers (N, features), each equally likely.

    >>> drawn_classes(np.array([[0.0, 1.0], [0.5, 0.4]]), [2, 3]).tolist()
    [[0, 2], [1, 1]]
    """
    return np.minimum((np.asarray(uniform) * counts).astype("int64"), np.array(counts) - 1)


def drawn_attributes(uniform, rows=None, weights=None):
    """Rows of attributes: the first column chooses among `rows` by their weights. Without rows, each attribute is there
    for one image in two.

    >>> drawn_attributes(np.array([[0.7, 0.2], [0.8, 0.2]]), np.array([[0, 0], [1, 1]]), [3, 1]).tolist()
    [[0, 0], [1, 1]]
    """
    uniform = np.asarray(uniform)
    if rows is None:
        return (uniform >= 0.5).astype("int64")
    ends = np.cumsum(weights) / np.sum(weights)
    return rows[np.minimum(np.searchsorted(ends, uniform[:, 0], side="right"), len(ends) - 1)]


def drawn_values(uniform, low, high):
    """Numbers, evenly from `low` to `high`.

    >>> drawn_values(np.array([[0.5]]), 0.0, 10.0).tolist()
    [[5.0]]
    """
    return low + (high - low) * np.asarray(uniform, "float64")


# Of a label space's class and config


def label_in(kind, config, text):
    """The numbers of the label that a text means, a list; None if it means none.

    Args:
        kind: "Classes", "Attributes" or "Values".
        config: the label space's `get_config()`.
        text: as `LabelSpace.from_text` reads it.

    Example:

    >>> label_in("Classes", {"counts": [2], "names": ["cat", "dog"]}, "dog"), label_in("Classes", {"counts": [2]}, "2")
    ([1], None)
    """
    names, numbers = config.get("names"), None
    if names and kind == "Classes":
        numbers = classes_in(text, [names] if len(config["counts"]) == 1 else names)
    elif names and kind == "Attributes":
        numbers = attributes_in(text, names)
    try:
        numbers = numbers_in(text) if numbers is None else numbers
    except ValueError:
        return None
    if kind == "Values":
        good = [is_number(number, config["low"]) and number <= config["high"] for number in numbers]
        return numbers if len(numbers) == config["count"] and all(good) else None
    counts = config["counts"] if kind == "Classes" else [2] * config["count"]
    good = [type(number) is int and 0 <= number < count for number, count in zip(numbers, counts)]
    return numbers if len(numbers) == len(counts) and all(good) else None


def drawn(kind, config, normals):
    """Labels (N, columns) drawn from standard normal numbers, float32 (N, columns); see `label_in`."""
    uniform = uniform_of(normals)
    if kind == "Classes":
        return drawn_classes(uniform, config["counts"])
    if kind == "Attributes":
        rows = config.get("rows")
        return drawn_attributes(uniform, None if rows is None else np.array(rows, "int64"), config.get("weights"))
    return drawn_values(uniform, config["low"], config["high"])
