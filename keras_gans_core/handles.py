"""Handles: the ways to name a model, and the one place that finds what a handle names."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from keras_gans_core import cards, hugging_face, kaggle, readme
from keras_gans_core.errors import CorruptPresetError, UnknownPresetError, format_error

FORMS = (
    "a preset's name, the folder of a finished run, a .keras file, hf://user/model, hf://user/model@revision, "
    "kaggle://user/model/framework/variation or kaggle://user/model/framework/variation/version"
)
PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
HUBS = {  # by the scheme: what follows it, the module that speaks to the hub, and how a handle with a revision looks
    "hf": (re.compile(rf"({PART}/{PART})(?:@([A-Za-z0-9][A-Za-z0-9._/-]*))?"), hugging_face, "hf://{}@{}"),
    "kaggle": (re.compile(rf"({PART}/{PART}/{PART}/{PART})(?:/([1-9][0-9]*))?"), kaggle, "kaggle://{}/{}"),
}


class Found(NamedTuple):
    """What a handle names: the path of a preset's folder or of a `.keras` file, and a handle of exactly this content:
    that of a hub has a revision."""

    path: Path
    pinned: str


def find(handle):
    """What `handle` names, as `Found`. What is on a hub is fetched into the hub's own cache, and checked there.

    Args:
        handle: a preset's name, the folder of a finished run, a `.keras` file, `hf://user/model[@revision]`, or
            `kaggle://user/model/framework/variation[/version]`.

    Raises:
        UnknownPresetError: a handle of no such form, or nothing there.
        CorruptPresetError: what was fetched does not match its card.
        HubError: a hub that cannot be reached, or refuses.
        OutputError: files that cannot be kept in the hub's cache.
        ConfigurationError: the hub's own package is not installed.
    """
    handle = str(handle)
    is_file = handle.endswith(".keras") and not is_remote(handle) and not os.path.isdir(handle)
    return Found(Path(handle), handle) if is_file and handle not in cards.presets() else find_preset(handle)


def find_preset(handle):
    """`find`, for what needs a card: a `.keras` file is refused."""
    handle = str(handle)
    if not is_remote(handle):
        return Found(cards.find(handle), handle)
    hub, name, revision = parsed(handle)
    module, form = HUBS[hub][1:]
    folder, revision = module.fetch(name, revision)
    return Found(Path(folder), form.format(name, revision))


def push(handle, folder, private=False):
    """Uploads the preset in `folder` to a hub, with a README.md; returns a handle of the revision that was made.

    Args:
        handle: `hf://user/model[@branch]`. The model is created if needed.
        folder: a preset's name or folder. It is checked first, as before loading.
        private: whether a model that is created can be seen by its owner alone.

    Raises:
        UnknownPresetError: a handle of another form; no preset there; no such branch.
        CorruptPresetError: files that do not match their card, cannot be read, or are larger than others would fetch.
        HubError: a hub that cannot be reached, or refuses, such as without a token; or a public model that is to be
            private.
        ConfigurationError: the hub's own package is not installed.
    """
    handle = str(handle)
    hub, name, revision = parsed(handle) if is_remote(handle) else (None, None, None)
    if hub != "hf":
        raise UnknownPresetError(
            f"Expected hf://user/model or hf://user/model@branch, to upload to. Received: {handle[:200]!r}."
        )
    folder = cards.find(str(folder))
    try:
        card, files = cards.unreplaced(folder, lambda: _contents(folder))
    except OSError as error:
        raise CorruptPresetError(f"Expected files that can be read. Received: {format_error(error)}.") from error
    if not readme.is_own(cards.path_of(folder, "README.md")):
        files["README.md"] = readme.readme(card, handle).encode()
    module, form = HUBS[hub][1:]
    return form.format(name, module.push(name, revision, files, f"Upload the preset {card['preset']}", private))


def _contents(folder):
    """The card of a preset, and its files as {name: bytes}. They are in memory, so that all are of one moment."""
    card, files = cards.read_card(folder), {}
    cards.check_model(folder, card)
    for file, largest in cards.FILES.items():
        path = cards.path_of(folder, file)
        if not path.is_file():
            continue
        if (size := path.stat().st_size) > largest:
            raise CorruptPresetError(
                f"Expected a {file} of at most {largest} bytes, since others fetch no larger one. Received: {path} "
                f"with {size}. Make it smaller."
            )
        files[file] = path.read_bytes()
    return card, files


def is_remote(handle):
    """Whether a handle has a scheme, such as hf://."""
    return re.match(r"[A-Za-z]+://", handle) is not None


def parsed(handle):
    """The hub, the name there and the revision, or None, in a handle with a scheme.

    >>> parsed("hf://ada/digits@v1")
    ('hf', 'ada/digits', 'v1')
    """
    hub, _, rest = handle.partition("://")
    found = HUBS[hub][0].fullmatch(rest) if hub in HUBS else None
    if found is None or ".." in rest:
        raise UnknownPresetError(f"Expected {FORMS}. Received: {handle[:200]!r}.")
    return hub, *found.groups()
