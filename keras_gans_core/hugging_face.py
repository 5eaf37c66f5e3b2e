"""Presets on the Hugging Face Hub, fetched and pushed by its own client, `huggingface_hub`."""

import contextlib
import os
from pathlib import Path

from keras_gans_core import cards
from keras_gans_core.errors import (
    ConfigurationError,
    CorruptPresetError,
    HubError,
    KerasGansError,
    OutputError,
    UnknownPresetError,
    format_error,
)

COMMIT = 40  # hexadecimal digits of a revision that stays what it is


def client():
    """The package `huggingface_hub`, imported at first use and without its telemetry.

    Raises:
        ConfigurationError: it is not installed.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        raise ConfigurationError(
            "Expected the package huggingface_hub for handles that begin with hf://. Received: it is not installed. "
            'Install it: pip install "keras-gans[hf]"'
        ) from error
    return huggingface_hub


def fetch(name, revision):
    """The folder in the client's cache with the preset's files, and the commit that they are of.

    A commit that is in the cache is not asked for again, and without a network the last known one of a branch is taken.
    Only the files of a preset are fetched, of limited sizes: no code.

    Args:
        name: user/model.
        revision: a branch, a tag or a commit; None for the main branch.

    Raises:
        UnknownPresetError: no such model or revision, or one without the files of a preset.
        CorruptPresetError: files that are too large, or do not match their card. They are removed from the cache.
        HubError: the hub cannot be reached, or refuses.
        OutputError: files that cannot be kept in the cache.
    """
    hub, handle = client(), f"hf://{name}" + (f"@{revision}" if revision else "")
    with _typed(hub, handle):
        whole = ("card.json", "model.keras", "golden.npz")  # what every preset has
        folder = _cached(hub, name, revision, whole) if _is_commit(revision) else None
        if folder is None:
            folder = _download(hub, name, revision, handle)
    try:
        cards.check_model(folder, cards.read_card(folder))
    except CorruptPresetError as error:
        _forget(folder)
        raise CorruptPresetError(
            f"Expected files that match their card. Received: {handle}, where {error} What was fetched has been "
            "removed: try again, and if it is the same, tell the model's owner."
        ) from error
    return folder, os.path.basename(folder)


def _download(hub, name, revision, handle):
    try:
        about = hub.HfApi().model_info(name, revision=revision, files_metadata=True)
    except Exception as error:
        if isinstance(error, hub.errors.HfHubHTTPError) and error.response.status_code < 500:
            raise
        with contextlib.suppress(Exception):  # the error above says more
            if (folder := _cached(hub, name, revision)) is not None:
                return folder
        raise
    sizes = {file.rfilename: file.size for file in about.siblings or ()}
    for needed in ("card.json", "model.keras"):
        if needed not in sizes:
            raise UnknownPresetError(
                f"Expected a preset: card.json and model.keras, as `keras-gans push` uploads them. Received: {handle}, "
                f"without {needed}."
            )
    files = {file: largest for file, largest in cards.FILES.items() if file in sizes}
    for file, largest in files.items():
        if sizes[file] is None or sizes[file] > largest:
            raise CorruptPresetError(
                f"Expected a {file} of at most {largest} bytes. Received: {handle}, with "
                f"{'an unknown number' if sizes[file] is None else sizes[file]}."
            )
    # The commit that the sizes are of: a branch may go on meanwhile.
    folder = hub.snapshot_download(name, revision=about.sha, allow_patterns=list(files))
    if not _is_commit(revision):
        _note(folder, revision or "main", about.sha)
    return folder


def _note(folder, branch, commit):
    """Notes in the client's cache which commit a branch is at, as the client does, for times without a network."""
    path = Path(folder).parents[1] / "refs" / branch
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(commit)


def _cached(hub, name, revision, files=("card.json", "model.keras")):
    """The folder of a revision in the client's cache, or None if one of the files is not there."""
    found = [hub.try_to_load_from_cache(name, file, revision=revision) for file in files]
    return os.path.dirname(found[0]) if all(isinstance(path, str) for path in found) else None


def _is_commit(revision):
    return revision is not None and len(revision) == COMMIT and all(digit in "0123456789abcdef" for digit in revision)


def _forget(folder):
    """Removes a preset's files from the cache: both the links in the folder and what they lead to."""
    for name in cards.FILES:
        for path in (os.path.realpath(os.path.join(folder, name)), os.path.join(folder, name)):
            with contextlib.suppress(OSError):
                os.unlink(path)


def push(name, revision, files, message, private):
    """Uploads files, {name: bytes}, in one commit to a model, which is created if needed; returns the commit.

    The hub looks at README.md first, so that one that it does not take leaves no new model behind.

    Raises:
        UnknownPresetError: no such branch, or a branch of a model that is not there.
        HubError: the hub cannot be reached, or refuses, such as without a token; the upload to a new model breaks off,
            which may leave it empty; or a model that is there and public, and is to be private.
    """
    hub, handle = client(), f"hf://{name}" + (f"@{revision}" if revision else "")
    with _typed(hub, handle):
        api = hub.HfApi()
        try:
            if private and not api.model_info(name).private:
                raise HubError(
                    f"Expected a model that only you can see, with --private (private=True). Received: {handle}, which "
                    "is there and public. Make it private in its settings on the hub, or leave --private out."
                )
            return _commit(hub, api, name, revision, files, message, handle)
        except hub.errors.RepositoryNotFoundError as error:
            if revision not in (None, "main"):
                raise UnknownPresetError(
                    f"Expected a branch of a model that is on the hub. Received: {handle}, and no such model. Create "
                    f"it first: push to hf://{name}"
                ) from error
        api.create_repo(name, private=private, exist_ok=True)
        try:
            with _typed(hub, handle):
                return _commit(hub, api, name, revision, files, message, handle)
        except KerasGansError as error:
            raise HubError(
                f"{error} The model {handle} has been created, and may be empty. Push again with the same command: it "
                "uploads to that model."
            ) from error


def _commit(hub, api, name, revision, files, message, handle):
    added = [hub.CommitOperationAdd(file, content) for file, content in files.items()]
    try:
        return api.create_commit(name, added, commit_message=message, revision=revision).oid
    except (hub.errors.HFValidationError, hub.errors.HfHubHTTPError):  # some are ValueErrors
        raise
    except ValueError as error:
        if not isinstance(error, UnicodeDecodeError) and "README.md" not in str(error):
            raise
        raise HubError(
            f"Expected a README.md that the hub takes. Received for {handle}: {format_error(error, 200)} Mend the file "
            "in the preset's folder, or remove it: then it is made of card.json."
        ) from error


@contextlib.contextmanager
def _typed(hub, handle):
    """Turns the client's errors into the library's."""
    errors = hub.errors
    try:
        yield
    except KerasGansError:
        raise
    except errors.RevisionNotFoundError as error:
        raise UnknownPresetError(
            f"Expected a branch, a tag or a commit after the @. Received: {handle}, which the hub does not have."
        ) from error
    except errors.GatedRepoError as error:
        raise HubError(
            f"Expected a model that you may read. Received: {handle}, which asks for an agreement. Accept it on the "
            "model's page, then log in: hf auth login"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise UnknownPresetError(
            f"Expected a model on the hub. Received: {handle}, which it does not have, or which is private. Check the "
            "spelling, or log in: hf auth login"
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        remedy = "Log in with a token that may do this: hf auth login" if status in (401, 403) else "Try again later."
        raise HubError(
            f"Expected an answer of the hub to {handle}. Received: {format_error(error, 200)} {remedy}"
        ) from error
    except errors.HFValidationError as error:
        raise UnknownPresetError(f"Expected hf://user/model. Received: {handle}. {format_error(error, 200)}") from error
    except Exception as error:  # the client raises those of the package that it makes requests with
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
            raise OutputError(
                f"Cannot keep {handle} in the cache: {error}. Make room, or set HF_HOME to another folder."
            ) from error
        reason = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error  # of an upload
        raise HubError(
            f"Expected to reach the hub for {handle}. Received: {format_error(reason, 200)} Check the network. A model "
            "that was fetched before is read without one: hf://user/model@commit"
        ) from error
