"""The folders that hold the two sides of pairs or domains; see `kg.data.load_pairs` for the layouts."""

import itertools

from keras_gans.data.folders import named_images
from keras_gans.errors import DataError, DatasetNotFoundError

NAMED = 5  # files that an error names


def layout_of(folder, split, sides, paired, instances):
    """How a folder is read: (description, folders), those of A, of B and of instances if there are any, or one folder
    with pictures side by side.

    Args:
        folder: its path.
        split, sides, instances: see `kg.data.load_pairs`.
        paired: whether the two sides are pairs, of which both may be in one picture.

    Raises:
        DatasetNotFoundError: there are no such folders.
        DataError: one of the folders is missing, or there are two ways to read them.
    """
    layouts = _layouts(folder, split, sides, paired, instances)
    if len(layouts) > 1:
        raise DataError(
            f"Expected one layout in a folder. Received: {folder}, readable as {' and as '.join(layouts)}. "
            "Move one of them into a folder of its own."
        )
    return next(iter(layouts.items()))


def _layouts(folder, split, sides, paired, instances):
    """{description: folders} of every way to read a folder."""
    ids = [] if instances is None else [instances]
    names = [*(("A", "B") if sides is None else sides), *ids]
    around = [(split, ""), (f"{split}_", ""), ("", f"/{split}"), (f"{split}/", "")]
    if split == "train" and not any((folder / side / split).is_dir() for side in names[:2]):
        around.append(("", ""))
    ways = [[f"{before}{name}{after}" for name in names] for before, after in around]
    if sides is None:
        ways.append([f"{split}_{name}" for name in ("label", "img", *ids)])
    candidates = {f"{', '.join(way[:-1])} and {way[-1]}": way for way in ways}
    found = {}
    for kind, way in candidates.items():
        there = [(folder / name).is_dir() for name in way]
        if all(there):
            found[kind] = [folder / name for name in way]
        elif any(there[:2]):
            remedy = " Without maps of instances leave out instances (--instances)." if all(there[:2]) else ""
            raise DataError(f"Expected the folders {kind} in {folder}. Received: no {way[there.index(False)]}.{remedy}")
    beside = sides is None and paired and instances is None
    if beside:
        for place in (folder / split, folder) if split == "train" else (folder / split,):
            if place.is_dir() and named_images(place)[0]:
                name = "the folder itself" if place == folder else f"{split}/"
                found[f"pictures of A and B side by side in {name}"] = (place,)
    if found:
        return found
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if (
        sides is None
        and len(names) == 2
        and names != ["A", "B"]
        and all(named_images(folder / name)[0] for name in names)
    ):
        raise DataError(
            f"Expected two sides in {folder}. Received: the folders {' and '.join(names)}, which may be the sides "
            f"({names[0]} as A or {names[1]} as A) or two classes. Pass sides=({names[0]!r}, {names[1]!r}) for the "
            "first as A; two classes are read by kg.data.load."
        )
    wanted = [*candidates, *([f"{split}/ with pictures of A and B side by side"] if beside else [])]
    raise DatasetNotFoundError(
        f"Expected in {folder} one of: {'; '.join(wanted)}. Received: {', '.join(names) or 'no folders'}."
        + (" Name the sides with sides=(A, B)." if sides is None else "")
    )


def check_names(files, places):
    """Raises a DataError if folders, the two sides first, do not have files of the same names."""
    for here, there in itertools.permutations(range(len(files)), 2):
        if alone := [name for name in files[here] if name not in files[there]]:
            others = "images without pairs are read by kg.data.load_unpaired"
            if max(here, there) > 1:
                others = "without instances (--instances) pairs need no maps of them"
            raise DataError(
                f"Expected files of the same names in {places[here].name} and {places[there].name}, which belong "
                f"together. Received: {len(files[here])} and {len(files[there])}; {len(alone)} without a partner in "
                f"{places[there]}: {_listed(alone)}. Remove them; {others}."
            )


def _listed(names):
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
