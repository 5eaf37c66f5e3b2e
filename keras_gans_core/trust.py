"""Recipe files that this user has run: the layers that they define may be read again without asking.

A model's file says which layers it has, not what they do. Reading one with layers of somebody's own needs the code that
defines them. `keras-gans train recipe.py` has run that code, so it puts a copy of the recipe beside the model and notes
the copy's SHA-256 in the user's home. A folder from somebody else has no note, whatever it holds.
"""

import os
from pathlib import Path

from keras_gans_core.cards import sha256

NOTES = "keras_gans_recipes.txt"  # one SHA-256 a line, in Keras's own folder
LARGEST_RECIPE = 2**22  # bytes; larger files are no recipes


def _notes():
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / NOTES


def remember(file):
    """Notes the content of a recipe that was run; returns whether it could be noted."""
    if is_known(file):
        return True
    try:
        _notes().parent.mkdir(parents=True, exist_ok=True)
        with open(_notes(), "a", encoding="utf-8") as notes:
            notes.write(f"{sha256(file, LARGEST_RECIPE)}\n")
    except (OSError, ValueError):
        return False
    return True


def is_known(file):
    """Whether this user has run a recipe of the same content."""
    try:
        return sha256(file, LARGEST_RECIPE) in _notes().read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return False
