"""Faults of a disk, and deaths of a process, at any call that changes files in a folder."""

import builtins
import contextlib
import errno
import io
import os
import zipfile
from pathlib import Path

import h5py

CHANGES = ("fsync", "replace", "rename", "link", "unlink", "mkdir", "rmdir", "sendfile")  # of `os`
ERRORS = {"write": errno.ENOSPC, "sendfile": errno.ENOSPC, "link": errno.EPERM}  # the others: a disk that fails


class Died(BaseException):
    """Stands for SIGKILL: from here on nothing changes a file any more, whatever cleans up on the way out."""


class File:
    """A file that is written, whose calls are counted; all else is the file's own."""

    def __init__(self, file, calls):
        self._file, self._calls = file, calls

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def __iter__(self):
        return iter(self._file)

    def write(self, content):
        def half():
            self._file.write(content[: len(content) // 2])

        return self._calls.made("write", lambda: self._file.write(content), half)

    def close(self):
        if self._file.closed or self._calls.dead:
            return self._file.close()

        def half():
            self._file.close()
            os.truncate(self._file.name, os.path.getsize(self._file.name) // 2)

        return self._calls.made("close", self._file.close, half)


@contextlib.contextmanager
def calls_in(folder, act=lambda name, number: None):
    """A context in which `act(name, number)` is called before each call that changes a file in a folder, from 1 on.

    It may raise an `OSError`, with which the call fails, a write after half of it, or `Died`. Gives the list of names.
    """
    calls = _Calls(os.path.abspath(folder), act)
    with contextlib.ExitStack() as undo:
        for name in CHANGES:
            undo.callback(setattr, os, name, getattr(os, name))
            setattr(os, name, calls.watched(name, getattr(os, name)))
        for module in (builtins, io):
            undo.callback(setattr, module, "open", module.open)
            module.open = calls.opened(module.open)
        try:
            yield calls.names
        finally:
            undo.close()


class _Calls:
    def __init__(self, folder, act):
        self.folder, self.act, self.names, self.dead, self.busy = folder, act, [], False, False

    def made(self, name, call, half=lambda: None):
        if self.busy:  # what `act` does is not watched
            return call()
        if self.dead:
            raise Died
        self.names.append(name)
        self.busy = True
        try:
            self.act(name, len(self.names))
        except OSError:
            half()
            raise
        except Died:
            self.dead = True
            half()
            raise
        finally:
            self.busy = False
        return call()

    def inside(self, path):
        if isinstance(path, int):
            with contextlib.suppress(OSError):
                path = os.readlink(f"/proc/self/fd/{path}")
        return isinstance(path, (str, os.PathLike)) and (os.path.abspath(path) + "/").startswith(self.folder + "/")

    def watched(self, name, function):
        def call(path, *rest, **options):
            if not self.inside(path):
                return function(path, *rest, **options)
            return self.made(name, lambda: function(path, *rest, **options))

        return call

    def opened(self, function):
        def call(file, mode="r", *rest, **options):
            writes = set(mode) & set("wax+") and not self.busy and self.inside(file)
            if writes and self.dead:
                raise Died
            opened = function(file, mode, *rest, **options)
            return File(opened, self) if writes else opened

        return call


def at(number, error=None):
    """For `calls_in`: the call of this number fails as disks do, or with an error such as `Died`."""

    def act(name, count):
        if count == number:
            raise error or OSError(ERRORS.get(name, errno.EIO), os.strerror(ERRORS.get(name, errno.EIO)))

    return act


def step_in(path):
    """The step of a whole checkpoint; None if it is not there or cannot be read. It is read in one opening."""
    try:
        with open(path, "rb") as file:
            content = io.BytesIO(file.read())
        with zipfile.ZipFile(content) as members:
            if members.testzip() is not None:
                return None
            with h5py.File(io.BytesIO(members.read("model.weights.h5"))) as weights:
                return int(weights["vars/0"][()])
    except (OSError, zipfile.BadZipFile, KeyError, EOFError):
        return None


def newest_step(folder):
    """The step that a run in a folder is resumed from, as `resume` looks for it; None without a readable checkpoint."""
    for name in ("checkpoint.keras", "checkpoint-previous.keras"):
        if (step := step_in(Path(folder) / name)) is not None:
            return step
    return None
