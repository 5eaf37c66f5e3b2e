"""Checkpoints of a training run, from which it goes on as if it had not been interrupted."""

import contextlib
import math
import os
import shutil
import signal
import tempfile
import threading
import time
import uuid
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_gans import engine
from keras_gans.callbacks.folders import HeldFolder
from keras_gans.callbacks.messages import say
from keras_gans.errors import CheckpointError, ConfigurationError, OutputError, UntrustedFileError
from keras_gans.files import read_model
from keras_gans.guards import broken_file, is_finite
from keras_gans.images import atomic_write, remove_unfinished
from keras_gans.model import AdversarialModel
from keras_gans.saving import check_readable, older_structure
from keras_gans_core.checks import is_number, is_whole
from keras_gans_core.errors import format_error

NEWEST, PREVIOUS = "checkpoint.keras", "checkpoint-previous.keras"
KEY = "checkpoint"
# The counts of Keras's callbacks that watch a metric: ModelCheckpoint, EarlyStopping, ReduceLROnPlateau.
COUNTS = ("wait", "best_epoch", "stopped_epoch", "cooldown_counter", "epochs_since_last_save")
KEPT = ("best", *COUNTS)
SIGNALS = [signal.SIGINT, signal.SIGTERM]
if hasattr(signal, "SIGHUP"):  # Windows has none
    SIGNALS.append(signal.SIGHUP)


class Checkpoint(keras.callbacks.Callback):
    """Saves the whole training state after each epoch and, if asked, within it; keeps the previous checkpoint too.

    The state is all that the next step depends on: weights, moving averages, both optimizers and their loss scales, the
    noise's seeds, the step count, the running means of the logs and what callbacks keep on the model. With arrays and
    data from `kg.data.load`, whose order follows from the step count, a resumed run equals the uninterrupted one bit
    for bit, and with other data unless `fit` warns of their order. On PyTorch dropout needs a seed of its own for that,
    `Dropout(rate, seed=...)`. List this callback last, after those that change the model.

    A state whose weights or losses are not finite is not saved: the last good checkpoint stays, and says so. A file is
    written whole, put on the disk and read back before it takes the place of the last one, which becomes the previous
    one after that. At every moment, also if the process is killed or the disk fails, `checkpoint.keras` is there and is
    one of the last two. After Ctrl-C, SIGTERM or SIGHUP the current step is finished and the state saved once more
    before training ends; a second signal ends it at once. Several machines save only after epochs and by steps.

    One run at a time writes to a folder. A second one is refused before it touches anything. Where the folder is
    removed during the training, it is made again; if another run has been in it by then, this one ends.

    Args:
        folder: for `checkpoint.keras` and `checkpoint-previous.keras`; created if needed.
        every_steps: save also when this many steps have passed since the last checkpoint, 1 or more.
        every_minutes: the same in minutes, more than 0.
        keep: Keras's callbacks whose best value and counts are saved and restored: `ModelCheckpoint`, `EarlyStopping`,
            `ReduceLROnPlateau`. Others start afresh in a resumed run.

    Raises:
        ConfigurationError: numbers out of range; or, when training begins, networks that a file cannot be read back
            with, such as a `Lambda` layer of a Python lambda.
        OutputError: when training begins, a folder that cannot be written to or that another run writes to; later, a
            full disk, which leaves the existing checkpoints as they are, or a folder that another run has taken.
        KeyboardInterrupt, SystemExit: after Ctrl-C; after SIGTERM (with the code 143) and SIGHUP (129).

    Example:

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> batches = kg.data.Batches(np.zeros((8, 8, 8, 1), "uint8"), batch_size=4)
    >>> gan = kg.DCGAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> gan.compile()
    >>> history = gan.fit(batches, epochs=1, callbacks=[Checkpoint(folder)], verbose=0)
    >>> gan = resume(folder)
    >>> done = int(gan.step) // len(batches)
    >>> history = gan.fit(batches, initial_epoch=done, epochs=3, callbacks=[Checkpoint(folder)], verbose=0)
    >>> history.epoch
    [1, 2]
    """

    def __init__(self, folder, every_steps=None, every_minutes=None, keep=()):
        super().__init__()
        if every_steps is not None and not is_whole(every_steps, 1):
            raise ConfigurationError(f"Expected every_steps of 1 or more, or None. Received: {every_steps!r}.")
        if every_minutes is not None and not (is_number(every_minutes, 0.0) and every_minutes > 0.0):
            raise ConfigurationError(f"Expected every_minutes of more than 0, or None. Received: {every_minutes!r}.")
        self.folder, self.keep = Path(folder), tuple(keep)
        self.every_steps, self.every_minutes = every_steps or math.inf, every_minutes or math.inf
        self._held, self._holds, self._handlers = HeldFolder(folder), False, {}
        self._wrote = False  # the newest checkpoint, so it is known to be good

    def set_model(self, model):
        # Slots are created here, not in on_train_begin, where another callback may already load them. The folder is
        # taken here, because other callbacks may write to it when training begins.
        super().set_model(model)
        with engine.scope_of(model):
            for i in range(len(self.keep)):  # float64 as pairs of int32: a backend may lack it
                model.slots.get(f"{KEY}/{i}", (2 * len(KEPT),), "int32")
                model.slots.get(f"{KEY}/{i}/is_kept", (), "int32")
        index, self._machines = engine.machine_of(model)
        self._writes = index == 0
        if self._writes and not self._holds:
            self._held.take()
            self._holds = True

    def on_train_begin(self, logs=None):
        check_readable(self.model)
        if self._writes:
            remove_unfinished(self.folder, "*")
        self._restore_kept()
        self._signal, self._steps, self._saved = None, 0, time.monotonic()
        # All machines must save at the same step, but clocks and signals differ. Only the main thread gets signals.
        if self._machines == 1 and threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) not in (None, signal.SIG_IGN):
                    self._handlers[number] = signal.signal(number, self._asked_to_leave)

    def on_epoch_begin(self, epoch, logs=None):
        self._batch = -1

    def on_train_batch_end(self, batch, logs=None):
        if self._writes:
            self._held.keep()  # before other callbacks write at the epoch's end
        self._steps += batch - self._batch
        self._batch = batch
        if batch + 1 == self.params["steps"]:
            return  # on_epoch_end saves it, when the epoch's images and logs are there too
        minutes = (time.monotonic() - self._saved) / 60 if self._machines == 1 else 0.0
        if self._steps >= self.every_steps or minutes >= self.every_minutes or self._signal:
            self._save_or_keep(logs)

    def on_epoch_end(self, epoch, logs=None):
        self._save_or_keep(logs)

    def _save_or_keep(self, logs):
        """Saves a state that can be trained on. Otherwise the last checkpoint stays."""
        saved = is_finite(self.model, logs)
        if saved:
            self._save()
        else:
            say(f"\nThe losses or weights are not finite: the last checkpoint in {self.folder} stays.")
        if self._signal == signal.SIGINT:
            step = int(ops.convert_to_numpy(self.model.step))
            said = f"which is saved in {self.folder}" if saved else "with NaN or infinite numbers, which are not saved"
            raise KeyboardInterrupt(f"Stopped at step {step}, {said}.")
        if self._signal:
            raise SystemExit(128 + self._signal)

    def release(self):
        """Called by `fit` however it ends: releases the folder's lock and the signal handlers."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}
        if self._holds:
            self._holds = False
            self._held.give_back()

    def _asked_to_leave(self, number, frame):
        self._signal = number
        signal.signal(number, self._handlers.pop(number))  # a second signal acts at once

    def _save(self):
        model = self.model
        self._store_kept(model)
        if self._writes:
            self._write(model)
        else:  # reading the variables that machines share needs all of them
            with tempfile.TemporaryDirectory() as folder:
                model.save(Path(folder) / NEWEST)
        self._steps, self._saved = 0, time.monotonic()

    def _write(self, model):
        """Writes the newest checkpoint; what was the newest becomes the previous one after that.

        Whatever fails or is killed, the newest is there, and no good file is lost before a better one has its place.
        """
        newest, previous = self.folder / NEWEST, self.folder / PREVIOUS
        self._held.keep()
        last = newest.with_name(f".{newest.stem}-{uuid.uuid4().hex}{newest.suffix}")
        try:
            with atomic_write(newest) as path:
                model.save(path)
                if not _reads_back(path):
                    raise OSError("the written file does not read back")
                if newest.exists() and (self._wrote or _reads_back(newest)):  # a damaged one takes no good one's place
                    _name_again(newest, last)
            self._wrote = True
            if last.exists():
                try:
                    os.replace(last, previous)
                except OSError as error:
                    raise OutputError(
                        f"Cannot make the checkpoint before the newest {previous}: {error}. The newest is saved in "
                        f"{newest}. Choose a folder that can be written to."
                    ) from error
            _put_on_disk(self.folder)
        finally:
            with contextlib.suppress(OSError):
                last.unlink(missing_ok=True)
            self._held.note()

    # The counts of Keras's callbacks

    def _store_kept(self, model):
        for i, callback in enumerate(self.keep):
            values = [getattr(callback, name, None) for name in KEPT]
            floats = np.array([np.nan if value is None else value for value in values], "float64")
            model.slots.get(f"{KEY}/{i}").assign(floats.view("int32"))
            model.slots.get(f"{KEY}/{i}/is_kept").assign(1)

    def _restore_kept(self):
        slots = self.model.slots
        for i, callback in enumerate(self.keep):
            if int(ops.convert_to_numpy(slots.get(f"{KEY}/{i}/is_kept"))):
                floats = np.array(ops.convert_to_numpy(slots.get(f"{KEY}/{i}"))).view("float64")
                for name, value in zip(KEPT, floats.tolist()):
                    if not math.isnan(value):
                        setattr(callback, name, int(value) if name in COUNTS else value)


def _reads_back(path):
    """Whether a file is there and whole."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError):  # how damage shows
        return False


def _name_again(path, name):
    """Gives a file a second name; on a file system without such names, a copy of it."""
    try:
        os.link(path, name)
    except (OSError, NotImplementedError):
        shutil.copyfile(path, name)
        with open(name, "rb+") as file:
            os.fsync(file.fileno())


def _put_on_disk(folder):
    """Puts a folder's names on the disk, so that a power failure does not undo them, where the system can do that."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def resume(folder, safe_mode=True):
    """The compiled model of the newest readable checkpoint in `folder`, to continue training.

    A model with layers of your own is read after importing the module that registers them.

    Args:
        folder: the folder of a `Checkpoint`.
        safe_mode: False also reads a checkpoint with a Python lambda, and runs its code: only for files that you trust.

    Returns:
        The model. Continue with `fit(..., initial_epoch=int(model.step) // len(batches))`, which first finishes an
        interrupted epoch.

    Raises:
        CheckpointError: there is no checkpoint, or none that can be read and has finite weights.
        UntrustedFileError: layers that are not registered; or, in safe mode, code in the file.

    Warns:
        UserWarning: the newest checkpoint is missing or damaged or not finite, and the previous one was read.
    """
    folder = Path(folder)
    try:
        return _read(folder / NEWEST, safe_mode)
    except CheckpointError as error:
        newest = error
    try:
        model = _read(folder / PREVIOUS, safe_mode)
    except CheckpointError as previous:
        raise CheckpointError(
            f"Expected a checkpoint in {folder}. Received: {newest}; {previous}. Give the folder of a Checkpoint "
            "callback, or start the training again."
        ) from newest
    warnings.warn(f"{newest}: going on with the checkpoint before it, {folder / PREVIOUS}.", stacklevel=2)
    return model


def _read(path, safe_mode):
    if not os.path.isfile(path):
        raise CheckpointError(f"{path.name} is not there")
    try:
        model = read_model(path, compile=True, safe_mode=safe_mode)
    except UntrustedFileError:
        raise
    except Exception as error:  # zip, HDF5 and Keras each raise their own for a damaged file
        older = older_structure(path)
        if older:
            raise CheckpointError(f"{path.name} holds {older}") from error
        raise CheckpointError(f"{path.name} cannot be read ({format_error(error)})") from error
    if not isinstance(model, AdversarialModel) or model.g_optimizer is None:
        raise CheckpointError(f"{path.name} holds a {type(model).__name__} without optimizers, not a training state")
    if (broken := broken_file(model)) is not None:
        raise CheckpointError(f"{path.name} holds {broken}")
    return model
