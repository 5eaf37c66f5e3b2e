"""The folder of a run: who writes to it, whether it holds a run already, and how that is removed."""

import contextlib
import os
import shutil

from keras_gans.callbacks.checkpoint import NEWEST, PREVIOUS
from keras_gans.callbacks.folders import RESULTS, HeldFolder
from keras_gans.errors import CheckpointError, OutputError
from keras_gans_core import readme
from keras_gans_core.cards import NEXT
from keras_gans_core.runs import PROGRESS, is_finished


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
