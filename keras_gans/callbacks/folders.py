"""Folders that callbacks write to, and the one run that may write to a folder."""

import contextlib
import os
import tempfile
from pathlib import Path

import filelock

from keras_gans.errors import OutputError
from keras_gans_core.errors import format_error, printable

LOCK = ".lock"
# The files by which a folder that was removed and made again shows that another run has been in it.
RESULTS = ("checkpoint.keras", "checkpoint-previous.keras", "model.keras", "card.json")


def make_writable(folder):
    """Creates `folder` and, for a moment, a file in it, so that training does not fail after its first epoch.

    Raises:
        OutputError: the folder cannot be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        raise _unwritable(folder, error) from error


class HeldFolder:
    """A folder that one run writes to, held by a lock on its file `.lock`, which ends with the process.

    Whoever takes it several times gives it back as often.
    """

    def __init__(self, folder):
        self.folder, self._times, self._known = Path(folder), 0, {}

    @property
    def was_used(self):
        """Whether a run has held the folder before: it has a lock file."""
        return os.path.exists(self.folder / LOCK)

    def take(self):
        """Holds the folder, which is made if needed. If another run holds it, nothing in it is touched.

        Raises:
            OutputError: another run holds it, or it cannot be written to.
        """
        if self._times == 0:
            self._made = not os.path.exists(self.folder)
            try:
                self._acquire()
            except OutputError:
                raise
            except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
                raise _unwritable(self.folder, error) from error
            try:
                make_writable(self.folder)
                self.note()
            except BaseException:
                self._lock.release()
                raise
        self._times += 1

    def give_back(self):
        """Lets others hold the folder. If it was made for this run, which then wrote nothing, it is removed."""
        self._times -= 1
        if self._times == 0:
            try:
                if self._made and self._is_ours() and [path.name for path in self.folder.iterdir()] == [LOCK]:
                    (self.folder / LOCK).unlink()
                    self.folder.rmdir()
            except OSError:
                pass  # it stays
            finally:
                self._lock.release()

    def note(self):
        """Notes which results are in the folder, after this run has written there."""
        self._known = self._results()

    def keep(self):
        """Holds the folder again where it was removed, and with it the lock, by which another run could take it.

        Raises:
            OutputError: another run has taken it since.
        """
        if self._is_ours():
            return
        self._lock.release()
        try:
            self._acquire()
        except OutputError:
            raise
        except OSError:
            return  # the next file that is written there says what is wrong
        if any(self._known.get(name) != about for name, about in self._results().items()):
            raise OutputError(
                f"Expected {self.folder} to stay while a run writes to it. Received: a folder that was removed, and in "
                "which another run has been since. That one's files stay. Leave the folder of a run in place."
            )

    def _acquire(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = filelock.FileLock(self.folder / LOCK, thread_local=False)
        try:
            self._lock.acquire(blocking=False)
        except filelock.Timeout:
            raise OutputError(
                f"Expected a folder that no other run writes to. Received: {self.folder}, which another run uses. "
                "Wait until it ends, or choose another folder."
            ) from None
        self._file = self._identity()

    def _identity(self):
        about = os.stat(self.folder / LOCK)
        return about.st_dev, about.st_ino

    def _is_ours(self):
        try:
            return self._lock.is_locked and self._identity() == self._file
        except OSError:
            return False

    def _results(self):
        found = {}
        for name in RESULTS:
            with contextlib.suppress(OSError):
                about = os.stat(self.folder / name)
                found[name] = about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns
        return found


def _unwritable(folder, error):
    shown, why = printable(str(folder)), format_error(error)
    return OutputError(f"Expected a folder that can be written to. Received: {shown}: {why}. Choose another folder.")
