"""What the folder of a run says: its progress, whether it is finished, its card, and the grids of its epochs."""

import json
import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from keras_gans_core import cards
from keras_gans_core.errors import CheckpointError, format_error

PROGRESS = "progress.json"
SAMPLES = "samples"  # the folder of the grids
LARGEST_PROGRESS = 2**28  # bytes


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


def _is_verdict(value):
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(key), kind) for key, kind in (("name", str), ("evidence", dict), ("remedy", str)))
        and all(type(value.get(key)) is int for key in ("epoch", *(("until",) if value.get("until") else ())))
    )


# Those that are left out where they are wrong.
OPTIONAL = {
    "from": lambda value: isinstance(value, dict) and all(isinstance(value.get(key), str) for key in START),
    "about": lambda value: isinstance(value, dict),
    "verdicts": lambda value: isinstance(value, list) and all(map(_is_verdict, value)),
}
START = ("preset", "sha256")
# What a page takes from the card of a run without a progress file.
ENDED = {
    "epochs": lambda value: type(value) is int,
    "wall_seconds": _is_number,
    "final_losses": lambda value: isinstance(value, dict),
}


@dataclass(frozen=True)
class Run:
    """What the folder of a run says.

    Args:
        folder: its `Path`.
        finished: whether the run is.
        epochs: how many are done; None if that is not known.
        planned: how many there will be in the phases that have begun; None if that is not known.
        seconds: that the training took so far; None if that is not known.
        history: the logs of each epoch, {name: value}, {} where they are lost; None if they are not known at all.
        last: the logs of the last epoch; where they are not known, the losses in the card of a finished run.
        verdicts: a doctor's, as dicts; None if no doctor's verdicts are known.
        card: the run's card; of an unfinished run what the card will say of its settings.
        grids: {epoch: path} of the sample grids of its epochs.
    """

    folder: Path
    finished: bool
    epochs: int | None = None
    planned: int | None = None
    seconds: float | None = None
    history: list | None = None
    last: dict = field(default_factory=dict)
    verdicts: list | None = None
    card: dict = field(default_factory=dict)
    grids: dict = field(default_factory=dict)


def read_run(folder):
    """The `Run` in a folder, also one that is still trained.

    Raises:
        CheckpointError: a folder without a run.
        CorruptPresetError: a card that cannot be read.
    """
    folder = Path(folder)
    if not any(os.path.exists(folder / name) for name in (PROGRESS, "card.json")):
        raise CheckpointError(
            f"Expected the folder of a run, with {PROGRESS} or card.json. Received: {folder}, without them. Name the "
            "folder that `keras-gans train` writes to (--output)."
        )
    progress, _ = read_progress(folder)
    finished = _says_finished(folder, progress)
    has_card = finished and os.path.exists(cards.path_of(folder, "card.json"))
    card = cards.read_card(folder) if has_card else progress.get("about", {})
    ended, history = _ended(card), progress.get("history")
    epochs = len(history) if history else ended.get("epochs", None if history is None else 0)
    planned = [phase.get("epochs") for phase in progress.get("phases", ())]
    return Run(
        folder=folder,
        finished=finished,
        epochs=epochs,
        planned=sum(planned) if planned and all(type(number) is int for number in planned) else None,
        seconds=progress.get("wall_seconds", ended.get("wall_seconds")),
        history=history,
        last=history[-1] if history and history[-1] else ended.get("final_losses", {}),
        verdicts=progress.get("verdicts"),
        card=card,
        # Later ones belong to an earlier run, which was overwritten.
        grids={epoch: path for epoch, path in grids(folder / SAMPLES).items() if epochs is None or epoch <= epochs},
    )


def _ended(card):
    """What a card says about how a training ended, as far as it can be used."""
    training = card.get("training")
    training = training if isinstance(training, dict) else {}
    return {key: training[key] for key, is_right in ENDED.items() if is_right(training.get(key))}


def grids(folder):
    """`{epoch: path}` of the sample grids in a folder, `epoch_0001.png` and so on, in order."""
    names = os.listdir(folder) if os.path.isdir(folder) else ()
    numbered = {int(found[1]): found[0] for name in names if (found := re.fullmatch(r"epoch_(\d{4,})\.png", name))}
    return {epoch: Path(folder) / name for epoch, name in sorted(numbered.items())}


def is_finished(folder):
    """Whether the run in a folder says that it is finished. One that says nothing is, if it has a model and its card:
    that of a classifier, or of an older version."""
    return _says_finished(folder, _load(folder)[0])


def _says_finished(folder, progress):
    finished = progress.get("finished")
    if isinstance(finished, bool):
        return finished
    return all((folder / name).exists() for name in ("model.keras", "card.json"))


def read_progress(folder):
    """What the progress file of a run says, as far as it can be read.

    Returns:
        Its entries, and a text about what is missing, or None.
    """
    found, problem = _load(folder)
    right = {**{key: check for key, (check, _) in NEEDED.items()}, **OPTIONAL}
    entries = {key: value for key, value in found.items() if key not in right or right[key](value)}
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
        with cards.open_file(folder / PROGRESS, LARGEST_PROGRESS) as file:
            found = json.loads(file.read(LARGEST_PROGRESS).decode("utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"a {type(found).__name__} instead of its entries")
        list(cards.levels(found))  # which are not too many
        return found, None
    except (OSError, ValueError, RecursionError) as error:
        return {}, format_error(error)
