"""The folder of a run: whether it holds one, whether that is finished, and what its progress file says."""

import contextlib
import json
import math
import os
import shutil

from keras_gans.callbacks.checkpoint import NEWEST, PREVIOUS
from keras_gans.callbacks.folders import RESULTS, HeldFolder
from keras_gans.errors import CheckpointError, OutputError
from keras_gans_core import readme
from keras_gans_core.cards import NEXT
from keras_gans_core.errors import format_error

PROGRESS = "progress.json"


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


# The entries of a progress file that a resumed run needs, what is right for each, and what is done without it.
NEEDED = {
    "seed": (lambda value: type(value) is int and 0 <= value < 2**32, "its seed is taken to be the one given now"),
    "data": (lambda value: isinstance(value, str), "its data are not compared with those given now"),
    "batch_size": (lambda value: type(value) is int and value > 0, "its batch size is not compared"),
    "history": (
        lambda value: isinstance(value, list) and all(isinstance(logs, dict) for logs in value),
        "the losses of its epochs so far are lost",
    ),
    "wall_seconds": (_is_number, "the time that it took so far is lost"),
    "phases": (
        lambda value: isinstance(value, list) and all(isinstance(phase, dict) for phase in value),
        "its phases so far are taken to be the recipe's",
    ),
}


@contextlib.contextmanager
def only_run_in(folder, check):
    """A context in which no other run writes to a folder; gives the `HeldFolder`.

    Args:
        folder: the run's.
        check: function of the folder that may refuse it, before anything in it is touched.

    Raises:
        OutputError: another run uses it, or it cannot be written to.
    """
    held = HeldFolder(folder)
    if not held.was_used:
        check(folder)
    held.take()
    try:
        check(folder)
        yield held
    finally:
        held.give_back()


def is_same(one, other):
    """Whether two paths name one folder."""
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them is not there
        return os.path.realpath(one) == os.path.realpath(other)
    except ValueError:  # a name that no file can have
        return str(one) == str(other)


def refuse_a_run(folder):
    """Refuses a folder that holds a run.

    Raises:
        CheckpointError: there is a checkpoint or a model; the message says whether the run is finished.
    """
    found = [name for name in RESULTS if os.path.exists(folder / name)]
    if not found:
        return
    if is_finished(folder):
        raise CheckpointError(
            f"Expected a folder without a finished run. Received: {folder}, which holds one. Choose another folder "
            "(--output), or pass --overwrite (overwrite=True) to lose it."
        )
    unfinished = any(name in (NEWEST, PREVIOUS) for name in found)
    kind, remedy = ("an unfinished run", f"Continue that run (--resume {folder}), c") if unfinished else ("a run", "C")
    raise CheckpointError(
        f"Expected a folder without {kind}. Received: {folder}, with {found[0]}. {remedy}hoose another folder "
        "(--output), or pass --overwrite (overwrite=True) to lose it."
    )


def is_finished(folder):
    """Whether the run in a folder says that it is finished. One that says nothing is, if it has a model and its card:
    that of a classifier, or of an older version."""
    finished = _load(folder)[0].get("finished")
    if isinstance(finished, bool):
        return finished
    return all((folder / name).exists() for name in ("model.keras", "card.json"))


def clear(folder):
    """Removes the run in a folder, except its pictures, its recipe, and a README.md that a user wrote.

    Raises:
        OutputError: a file cannot be removed.
    """
    shutil.rmtree(folder / NEXT, ignore_errors=True)  # of a preset whose writer was killed
    for name in ("card.json", PROGRESS, "model.keras", "golden.npz", "samples.png", "README.md", PREVIOUS, NEWEST):
        if name == "README.md" and readme.is_own(folder / name):
            continue
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot remove {folder / name}: {error}. Choose another folder (--output).") from error


def read_progress(folder):
    """What the progress file of a run says, as far as it can be read.

    Returns:
        Its entries, and a text about what is missing, or None.
    """
    found, problem = _load(folder)
    entries = {key: value for key, value in found.items() if key not in NEEDED or NEEDED[key][0](value)}
    start = entries.get("from")
    if not (isinstance(start, dict) and all(isinstance(start.get(key), str) for key in ("preset", "sha256"))):
        entries.pop("from", None)
    missing = [key for key in NEEDED if key not in entries]
    if not missing:
        return entries, None
    problem = problem or f"no usable {', '.join(missing)}"
    without = "; ".join(NEEDED[key][1] for key in missing)
    return entries, (
        f"Expected the file {PROGRESS} of the run in {folder}. Received: {problem}. The run goes on from its "
        f"checkpoint: {without}."
    )


def _load(folder):
    try:
        found = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"a {type(found).__name__} instead of its entries")
        return found, None
    except (OSError, ValueError, RecursionError) as error:
        return {}, format_error(error)
