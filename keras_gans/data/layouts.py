"""How a folder of images is read: its splits, its classes, and files that hold the labels.

cat/ dog/                           classes, named by the folders
train/ val/ test/                   splits, with images or classes in them
cat/train/ cat/test/ dog/train/ ... splits in each class
dataset.json                        NVlabs' labels: {"labels": [["00000/img0.png", 3], ...]}
metadata.jsonl, metadata.csv        Hugging Face's image folders: a file_name and other columns, in the folder of
                                    the images or above; there may be one in each split
"""

import contextlib
import csv
import dataclasses
import json
import os
from collections import Counter

import numpy as np

from keras_gans.data.archives import Zipped
from keras_gans.data.folders import image_files, names_below
from keras_gans.errors import ConfigurationError, DataError
from keras_gans_core.errors import format_error, printable

SIDES = (("trainA", "trainB"), ("testA", "testB"), ("train_label", "train_img"))  # folders of pairs, or of two domains
PAIRS = (("A", "B"), ("images", "masks"), ("images", "labels"))  # folders of pairs if some names are equal
SPLITS = ({"train", "training"}, {"val", "valid", "validation", "dev"}, {"test", "testing"})
LABEL_FILES = ("dataset.json", "metadata.jsonl", "metadata.csv")
SHOWN = 10  # classes that the line names


@dataclasses.dataclass
class Layout:
    """The images of a split, and what was understood."""

    files: list  # paths
    labels: np.ndarray | None  # one for each file
    classes: list | None  # names
    others: str | None  # files that may be images and were left out, in words
    said: str  # what was understood, for one line


def read_layout(folder, split, label=None):
    """Reads what is in a folder, but no image.

    Args:
        folder: a path.
        split: the name of a split; without folders of splits, all images are "train".
        label: the column of the labels in a metadata file; None for "label", where there is one.

    Returns:
        A `Layout`.

    Raises:
        DataError: a split that is not there, a folder that can be read in two ways, mostly files that cannot be read,
            or labels that do not fit the images.
        ConfigurationError: a `label` for a folder without a metadata file.
    """
    found = image_files(folder)
    others = found.left_out(folder)
    inner = _inner(folder, found.images)
    _refuse_two_sides(inner, found.images)
    parts = [names_below(inner, path) for path in found.images]
    level, names = _splits(inner, parts)
    chosen = range(len(parts))
    if names:
        name = _chosen(folder, split, names)
        chosen = [i for i in chosen if parts[i][level] == name]
        said = f"the split {name} of {', '.join(names)}"
    elif split != "train":
        raise DataError(
            f"A folder is one split. Expected split='train', or folders such as train and test in it. Received: "
            f"{split!r}. Give the path of the other images as the source."
        )
    else:
        said = "one split"
    files = [found.images[i] for i in chosen]
    tops = [[name for k, name in enumerate(part[:-1]) if not names or k != level][:1] for part in parts]
    source = _label_file([inner / name] if names and level == 0 else [], inner, folder)
    if source is not None:
        labels, classes, told = _labels_of(source, files, label)
    elif label is not None:
        raise ConfigurationError(
            f"Expected labels=True or False: {folder} has no {' or '.join(LABEL_FILES[1:])} with named columns. "
            f"Received: {label!r}. Leave the name out."
        )
    elif files and all(tops[i] for i in chosen):
        names = _in_order({name for top in tops for name in top})  # the same for every split
        labels, classes = _places([tops[i][0] for i in chosen], names), shown_names(names, folder)
        told = f"{len(classes)} classes by folder"
    else:
        labels, classes, told = None, None, "no labels"
    if classes:
        counts = Counter(labels.tolist())
        shown = ", ".join(f"{name} {counts[k]}" for k, name in enumerate(classes[:SHOWN]))
        told += f" ({shown}{', ...' if len(classes) > SHOWN else ''})"
    ignored = f", beside {found.uncounted}" if found.rest else ""
    below = "" if inner == folder else f" in {inner.relative_to(folder)}"
    said = printable(f"{len(files)} images{below}, {said}, {told}{ignored}")
    return Layout(files, labels, classes, others, said)


def _inner(folder, files):
    """The folder in which there is more than one folder."""
    parts = [names_below(folder, path) for path in files]
    tops = {part[0] for part in parts}
    if len(tops) == 1 and all(len(part) > 2 for part in parts) and not tops & set().union(*SPLITS):
        return _inner(folder / tops.pop(), files)
    return folder


def shown_names(names, place):
    """Names of classes, with escapes for what cannot be shown; they must still differ then.

    Raises:
        DataError: two names that are shown alike.
    """
    escaped = [printable(name) for name in names]
    alike = sorted(name for name, count in Counter(escaped).items() if count > 1)
    if alike:
        raise DataError(
            f"Expected classes whose names differ when they are shown. Received: {alike[0]!r} twice in {place}, "
            "where characters that cannot be shown are escaped. Rename one of them."
        )
    return escaped


def _places(names, classes):
    place = {name: label for label, name in enumerate(classes)}
    return np.array([place[name] for name in names], "int64")


def _in_order(names):
    """Names sorted: 2 before 10 where all are whole numbers."""
    return sorted(names, key=int if all(name.isdecimal() for name in names) else str)


def _splits(folder, parts):
    """At which depth folders are splits, and their names; (0, []) if none are."""
    known = set().union(*SPLITS)
    tops = {part[0] for part in parts if len(part) > 1}
    loose = any(len(part) == 1 for part in parts)
    found = sorted(name for name in tops if name.lower() in known)
    if found and len(found) == len(tops) and not loose:
        return 0, found
    if len(found) > 1:
        beside = ", ".join(sorted(tops - set(found))) or "images without a folder"
        raise DataError(
            f"Expected splits or classes in {folder}. Received: the folders {', '.join(found)} beside {beside}, "
            "readable as splits, or as classes among others. Move the others away, read one split with "
            f"kg.data.load({str(folder / found[0])!r}), or rename the classes."
        )
    inner = {part[1] for part in parts if len(part) > 2}
    if len(inner) > 1 and all(len(part) > 2 and part[1].lower() in known for part in parts):
        return 1, sorted(inner)
    return 0, []


def _chosen(folder, split, names):
    """The folder's name for a split, such as "val" for "validation"."""
    alike = next((words for words in SPLITS if split in words), {split})
    found = [name for name in names if name == split] or [name for name in names if name.lower() in alike]
    if len(found) == 1:
        return found[0]
    received = f"{split!r}, which could be {' or '.join(found)}" if found else repr(split)
    raise DataError(f"Expected a split of {folder}: {', '.join(names)}. Received: {received}.")


def _refuse_two_sides(folder, files):
    """Raises a DataError for a folder of pairs or of two domains, which would be read as two classes."""
    names = {}
    for path in files:
        top, *below = names_below(folder, path)
        names.setdefault(top, set()).add(tuple(below))
    sides = [(a, b) for a, b in SIDES if a in names and b in names]
    sides += [(a, b) for a, b in PAIRS if names.get(a, set()) & names.get(b, set())]
    if not sides:
        return
    a, b = sides[0]
    given = f", sides={sides[0]}" if sides[0] in PAIRS[1:] else ""
    raise DataError(
        f"Expected images of one kind, or classes in folders of their own. Received: {folder}, whose folders "
        f"{a} and {b} are two sides of a translation. Read pairs with kg.data.load_pairs({str(folder)!r}{given}), "
        f"domains without pairs with kg.data.load_unpaired({str(folder)!r}{given}), or only one side with "
        f"kg.data.load({str(folder / a)!r})."
    )


# Labels in files


def _label_file(nearer, *folders):
    """The file of the labels in the nearest of the folders, or None."""
    for place in (*nearer, *folders):
        there = [place / name for name in LABEL_FILES if (place / name).is_file()]
        if len(there) > 1:
            raise DataError(
                f"Expected one file of labels in {place}. Received: {' and '.join(path.name for path in there)}, which "
                "may hold different labels. Move one of them away."
            )
        if there:
            return there[0]
    return None


def _labels_of(source, files, label):
    """The labels of files, the names of their classes, and words on them."""
    try:
        rows = _dataset_json(source, label) if source.suffix == ".json" else _metadata(source, label)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        if isinstance(error, (DataError, ConfigurationError)):
            raise
        raise DataError(
            f"Expected the file of each image, and its label. Received: {source}: {format_error(error, longest=80)}. "
            "Mend it, or move it away to read the images without it."
        ) from error
    if isinstance(rows, str):
        return None, None, f"no labels: {rows}"
    names = ["/".join(names_below(source.parent, path)) for path in files]
    missing = [name for name in names if name not in rows]
    absent = names_without_file(source, rows)
    for wrong, what in ((missing, "images that it does not name"), (absent, "names without a file")):
        if wrong:
            raise DataError(
                f"Expected one label for each image in {source}. Received: {len(wrong)} {what}, such as "
                f"{wrong[0]!r:.300}. "
                "Add or remove them, or move the file away to read the images without it."
            )
    values, told = [rows[name] for name in names], f"labels of {source.name}"
    if not all(isinstance(value, str) and value for value in rows.values()):
        return _numbers(source, values), None, told
    with contextlib.suppress(ValueError):  # a .csv has only text
        numbers = np.array([float(value) for value in values])
        return numbers.astype("int64") if (numbers == np.rint(numbers)).all() else numbers, None, told
    names = sorted(set(rows.values()))
    return _places(values, names), shown_names(names, source), f"{len(names)} classes, {told}"


def _numbers(source, values):
    try:
        labels = np.array(values)
    except ValueError:  # rows of several lengths
        labels = np.array(None)
    if labels.dtype.kind not in "biuf":
        raise DataError(
            f"Expected labels in {source} that are all numbers, lists of as many numbers, or all text. Received: such "
            f"as {values[0]!r:.40} and {values[-1]!r:.40}. Mend the file, or move it away."
        )
    return labels


def _dataset_json(source, label):
    if label is not None:
        raise ConfigurationError(f"Expected labels=True or False: {source} has no named columns. Received: {label!r}.")
    labels = json.loads(source.read_text(encoding="utf-8"))["labels"]
    return "dataset.json has none" if labels is None else _unique(labels)


def _unique(pairs):
    """A dict of pairs (file name, value)."""
    pairs = [(name, value) for name, value in pairs]
    if others := [name for name, _ in pairs if not isinstance(name, str)]:
        raise ValueError(f"a file name that is {others[0]!r:.40}")
    counts = Counter(name for name, _ in pairs)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise ValueError(f"{twice[0]!r} is there twice")
    return dict(pairs)


def _metadata(source, label):
    rows = metadata_rows(source)
    columns = columns_of(rows)
    if label is None and "label" not in columns:
        return f"{source.name} has the columns {', '.join(['file_name', *columns])}"
    if (label or "label") not in columns:
        raise DataError(f"Expected a column of {source}: {', '.join(columns)}. Received: {label!r}.")
    return {name: row.get(label or "label") for name, row in rows.items()}


def metadata_rows(source):
    """{file name: row, a dict by column} of a `metadata.jsonl` or `metadata.csv`."""
    with source.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.DictReader(file) if source.suffix == ".csv" else (json.loads(line) for line in file if line.strip())
        return _unique((row["file_name"], row) for row in lines)


def columns_of(rows):
    """The names of the columns besides file_name of what `metadata_rows` returned, sorted."""
    return sorted({str(name) for row in rows.values() for name in row} - {"file_name"})


def names_without_file(source, rows):
    """The names in a file of labels or captions, the keys of `rows`, that are no files beside or below it, such as
    names that begin at the root."""
    is_file = Zipped.is_file if isinstance(source, Zipped) else os.path.isfile  # which takes any text for a name
    return [name for name in rows if os.path.isabs(name) or not is_file(source.parent / name)]
