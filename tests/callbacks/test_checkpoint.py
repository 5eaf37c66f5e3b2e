import io
import math
import os
import shutil
import signal
import time
import zipfile

import h5py
import keras
import numpy as np
import pytest
from contract import equal, training_state, values

from keras_gans.callbacks import Checkpoint, HistoricalAveraging, LabelSmoothing, SampleGrid, resume
from keras_gans.callbacks.checkpoint import SIGNALS
from keras_gans.errors import CheckpointError, ConfigurationError, OutputError


class At(keras.callbacks.Callback):
    """Does something after the second step of an epoch, counted from 0; by default it ends the training."""

    def __init__(self, epoch, act=None):
        super().__init__()
        self.epoch, self.act = epoch, act

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch and batch == 1:
            if self.act is None:
                raise KeyboardInterrupt
            self.act()


def all_four(folder, **options):
    return [
        LabelSmoothing(schedule=lambda epoch: 0.5 + 0.125 * epoch),
        HistoricalAveraging(0.5),
        SampleGrid(folder / "samples", rows=2, timelapse="timelapse.png"),
        Checkpoint(folder, **options),
    ]


def as_before(content):
    """A .keras file whose averages are named as version 0.1.0 named them."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            weights = io.BytesIO(source.read(name))
            if name.endswith(".h5"):
                with h5py.File(weights, "r+") as file:
                    file.move("ema", "ema_generator")
            copy.writestr(name, weights.getvalue())
    return target.getvalue()


@pytest.fixture(scope="module")
def of_two_epochs(make, batches, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    make().fit(batches, epochs=2, verbose=0, callbacks=[Checkpoint(folder)])
    return folder


@pytest.fixture
def two_epochs(of_two_epochs, tmp_path):
    """A folder with the checkpoints of epochs 1 and 2, a test's own."""
    return shutil.copytree(of_two_epochs, tmp_path / "run")


@pytest.mark.parametrize("truncated", [False, True], ids=["whole", "truncated"])
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(truncated, make, batches, tmp_path):
    whole, killed = make(ema_decay=0.9), make(ema_decay=0.9)
    whole.fit(batches, epochs=4, verbose=0, callbacks=all_four(tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        killed.fit(batches, epochs=4, verbose=0, callbacks=[*all_four(tmp_path / "killed"), At(2)])
    keras.utils.set_random_seed(99)  # nothing may hang on the global generators
    if truncated:
        newest = tmp_path / "killed" / "checkpoint.keras"
        newest.write_bytes(newest.read_bytes()[:-100])
        with pytest.warns(UserWarning, match="checkpoint-previous.keras"):
            resumed = resume(tmp_path / "killed")
    else:
        resumed = resume(tmp_path / "killed")
    done = int(resumed.step) // len(batches)
    assert done == (1 if truncated else 2)
    resumed.fit(batches, initial_epoch=done, epochs=4, verbose=0, callbacks=all_four(tmp_path / "killed"))
    assert equal(training_state(resumed), training_state(whole))
    assert equal(values(resumed.variables), values(whole.variables))
    timelapses = [tmp_path / name / "samples" / "timelapse.png" for name in ("whole", "killed")]
    assert timelapses[0].read_bytes() == timelapses[1].read_bytes()


def test_a_run_interrupted_within_an_epoch_goes_on_with_its_next_step(make, batches, tmp_path):
    whole, killed = make(ema_decay=0.9), make(ema_decay=0.9)
    history = whole.fit(batches, epochs=4, verbose=0, callbacks=all_four(tmp_path / "whole")).history
    with pytest.raises(KeyboardInterrupt):
        killed.fit(batches, epochs=4, verbose=0, callbacks=[*all_four(tmp_path / "killed", every_steps=2), At(2)])
    resumed = resume(tmp_path / "killed")
    assert int(resumed.step) == 8  # two epochs of three, and two more
    resumed.evaluate(batches, verbose=0)  # changes nothing of the training
    options = {"initial_epoch": 2, "epochs": 4, "verbose": 0}
    after = resumed.fit(batches, callbacks=all_four(tmp_path / "killed"), **options)
    assert after.epoch == [2, 3]
    assert after.history == {name: values[2:] for name, values in history.items()}  # of all three steps
    assert equal(training_state(resumed), training_state(whole))
    timelapses = [tmp_path / name / "samples" / "timelapse.png" for name in ("whole", "killed")]
    assert timelapses[0].read_bytes() == timelapses[1].read_bytes()


def test_an_epoch_that_was_begun_is_ended_once(make, batches):
    class Calls(keras.callbacks.Callback):
        calls = []

        def on_train_begin(self, logs=None):
            self.calls.append("begin")

        def on_train_batch_end(self, batch, logs=None):
            self.calls.append((batch, self.params["steps"]))

        def on_train_end(self, logs=None):
            self.calls.append("end")

    gan = make()
    gan.fit(batches, steps_per_epoch=2, verbose=0)
    gan.fit(batches, initial_epoch=0, epochs=2, verbose=0, callbacks=[Calls()])
    assert Calls.calls == ["begin", (0, 1), (0, 3), (1, 3), (2, 3), "end"]
    gan.fit(batches, steps_per_epoch=2, verbose=0)
    Calls.calls.clear()
    gan.fit(batches, epochs=1, verbose=0, callbacks=[Calls()])  # further epochs, wherever the model stands
    assert Calls.calls == ["begin", (0, 3), (1, 3), (2, 3), "end"]
    gan.fit(batches, initial_epoch=3, epochs=3, verbose=0)
    assert int(gan.step) == 11


class Saves(Checkpoint):
    def _save(self):
        super()._save()
        self.steps.append(int(self.model.step))

    steps = []


@pytest.mark.parametrize(
    "options, steps",
    [
        ({"every_steps": 1}, [1, 2, 3, 4, 5, 6]),
        ({"every_steps": 2}, [2, 3, 5, 6]),
        ({"every_steps": 3}, [3, 6]),
        ({"every_minutes": 1e-9}, [1, 2, 3, 4, 5, 6]),
        ({"every_minutes": 60}, [3, 6]),
    ],
)
def test_checkpoints_within_epochs(options, steps, make, batches, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", iter(range(10**9, 0, -3600)).__next__)  # a clock that goes backwards
    Saves.steps.clear()
    make().fit(batches, epochs=2, verbose=0, callbacks=[Saves(tmp_path, **options)])
    assert Saves.steps == steps


NUMBERS = [{"every_steps": 0}, {"every_steps": 1.5}]
NUMBERS += [{"every_minutes": minutes} for minutes in (0, -1.0, float("inf"), float("nan"), "5", True)]


@pytest.mark.parametrize("options", NUMBERS, ids=str)
def test_numbers_out_of_range_are_refused(options, tmp_path):
    with pytest.raises(ConfigurationError, match="Expected every_"):
        Checkpoint(tmp_path, **options)


@pytest.mark.parametrize(
    "number, error",
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit), (signal.SIGHUP, SystemExit)],
)
def test_a_signal_saves_and_ends_the_training(number, error, make, batches, tmp_path):
    before = {other: signal.signal(other, signal.default_int_handler) for other in SIGNALS}
    try:
        gan = make()
        with pytest.raises(error) as ended:
            gan.fit(
                batches,
                epochs=4,
                verbose=0,
                callbacks=[At(1, lambda: os.kill(os.getpid(), number)), Checkpoint(tmp_path)],
            )
        assert number == signal.SIGINT or ended.value.code == {signal.SIGTERM: 143, signal.SIGHUP: 129}[number]
        assert int(resume(tmp_path).step) == 5
        assert all(signal.getsignal(number) is signal.default_int_handler for number in before)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_signal_that_is_ignored_stays_so(make, batches, tmp_path):
    """As SIGHUP is by nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        hang_up = At(0, lambda: os.kill(os.getpid(), signal.SIGHUP))
        make().fit(batches, epochs=2, verbose=0, callbacks=[hang_up, Checkpoint(tmp_path)])
        assert int(resume(tmp_path).step) == 6 and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_run_in_the_same_folder_is_refused(make, batches, tmp_path):
    def second():
        gan = make()
        with pytest.raises(OutputError, match="no other run writes to"):
            gan.fit(batches, verbose=0, callbacks=[Checkpoint(tmp_path)])
        assert int(gan.step) == 0

    with pytest.raises(KeyboardInterrupt):
        make().fit(batches, epochs=2, verbose=0, callbacks=[At(0, second), At(1), Checkpoint(tmp_path)])
    make().fit(batches, verbose=0, callbacks=[Checkpoint(tmp_path)])  # neither end nor exception keeps the folder
    make().fit(batches, verbose=0, callbacks=[Checkpoint(tmp_path)])


def test_what_a_killed_process_left_half_written_is_removed(make, batches, tmp_path):
    half = tmp_path / f".checkpoint-{'0a' * 16}.keras"
    half.write_bytes(b"half")
    (tmp_path / ".checkpoint-mine.keras").write_bytes(b"not ours")
    make().fit(batches, verbose=0, callbacks=[Checkpoint(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {".lock", ".checkpoint-mine.keras", "checkpoint.keras"}


def test_a_file_that_does_not_read_back_takes_no_ones_place(make, batches, two_epochs, monkeypatch):
    before = {path.name: path.read_bytes() for path in two_epochs.iterdir()}
    gan = make()
    save = type(gan).save

    def damaged(path):
        save(gan, path)
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])

    monkeypatch.setattr(gan, "save", damaged)
    with pytest.raises(OutputError, match="does not read back"):
        gan.fit(batches, verbose=0, callbacks=[Checkpoint(two_epochs)])
    assert {path.name: path.read_bytes() for path in two_epochs.iterdir()} == before


def test_keras_s_callbacks_go_on_counting_where_they_are_kept(make, batches, tmp_path):
    class Number(keras.callbacks.Callback):
        """Falls, and rises from the third epoch on."""

        def on_epoch_end(self, epoch, logs=None):
            logs["val_frechet_distance"] = 0.1 + abs(epoch - 2)

    def callbacks(kept):
        stopping = keras.callbacks.EarlyStopping(monitor="val_frechet_distance", mode="min", patience=3)
        best = keras.callbacks.ModelCheckpoint(
            tmp_path / "best.keras", monitor="val_frechet_distance", mode="min", save_best_only=True
        )
        keep = (stopping, best) if kept else ()
        return [Number(), stopping, best, Checkpoint(tmp_path / "run", keep=keep)]

    make().fit(batches, epochs=4, verbose=0, callbacks=callbacks(True))
    written = (tmp_path / "best.keras").read_bytes()
    gan = resume(tmp_path / "run")
    kept = callbacks(True)
    history = gan.fit(batches, initial_epoch=4, epochs=9, verbose=0, callbacks=kept)
    assert history.epoch == [4, 5]  # the second and third epoch without an improvement
    assert kept[1].best == kept[2].best == 0.1 and math.isclose(history.history["val_frechet_distance"][0], 2.1)
    assert (tmp_path / "best.keras").read_bytes() == written  # and not of a worse epoch
    gan = resume(tmp_path / "run")
    assert gan.fit(batches, initial_epoch=6, epochs=12, verbose=0, callbacks=callbacks(False)).epoch == [6, 7, 8, 9]


def test_the_last_two_epochs_are_kept_and_nothing_else(make, batches, tmp_path):
    gan = make()
    gan.fit(batches, epochs=1, verbose=0, callbacks=[Checkpoint(tmp_path / "run")])
    assert {path.name for path in (tmp_path / "run").iterdir()} == {".lock", "checkpoint.keras"}
    gan.fit(batches, initial_epoch=1, epochs=3, verbose=0, callbacks=[Checkpoint(tmp_path / "run")])
    steps = {path.name: int(keras.saving.load_model(path).step) for path in (tmp_path / "run").glob("*.keras")}
    assert steps == {"checkpoint.keras": 9, "checkpoint-previous.keras": 6}


def test_a_save_that_fails_leaves_the_checkpoints_alone(make, batches, two_epochs, monkeypatch):
    before = {path.name: path.read_bytes() for path in two_epochs.iterdir()}
    gan = make()

    def full_disk(path):
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(gan, "save", full_disk)
    with pytest.raises(OutputError, match="no space left"):
        gan.fit(batches, verbose=0, callbacks=[Checkpoint(two_epochs)])
    assert {path.name: path.read_bytes() for path in two_epochs.iterdir()} == before


def test_a_run_killed_between_the_two_renames_falls_back(two_epochs):
    (two_epochs / "checkpoint.keras").unlink()
    with pytest.warns(UserWarning, match="checkpoint.keras is not there: going on with the checkpoint before it"):
        assert int(resume(two_epochs).step) == 3


@pytest.mark.parametrize("damage", ["empty", "half", "flipped", "no model"])
def test_a_damaged_newest_file_falls_back(damage, two_epochs):
    newest = two_epochs / "checkpoint.keras"
    data = newest.read_bytes()
    middle = len(data) // 2
    flipped = data[:middle] + bytes(255 - byte for byte in data[middle : middle + 8]) + data[middle + 8 :]
    newest.write_bytes({"empty": b"", "half": data[:middle], "flipped": flipped, "no model": b"model " * 99}[damage])
    with pytest.warns(UserWarning, match="checkpoint.keras cannot be read"):
        gan = resume(two_epochs)
    assert int(gan.step) == 3 and gan.compiled


def test_without_a_readable_checkpoint_there_is_an_error(two_epochs, tmp_path):
    for name in ("checkpoint.keras", "checkpoint-previous.keras"):
        (two_epochs / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match="checkpoint.keras cannot be read.*previous.keras cannot be"):
        resume(two_epochs)
    for missing in (tmp_path / "nowhere", tmp_path / "checkpoint.keras"):
        with pytest.raises(CheckpointError, match="Expected.*Received: checkpoint.keras is not.*Give the"):
            resume(missing)


def test_a_checkpoint_of_version_0_1_0_says_that_it_is_one(make, two_epochs):
    """Its average of the weights was a network; here its name alone is."""
    make(ema_decay=0.9).save(two_epochs / "checkpoint.keras")
    shutil.copy(two_epochs / "checkpoint.keras", two_epochs / "checkpoint-previous.keras")
    for path in two_epochs.glob("*.keras"):
        path.write_bytes(as_before(path.read_bytes()))
    with pytest.raises(CheckpointError, match="holds a DCGAN with a moving average that is a network.*Train it again"):
        resume(two_epochs)


def test_a_folder_that_cannot_be_written_to_is_refused_before_training(make, tmp_path):
    (tmp_path / "file").write_text("in the way")
    gan = make()
    with pytest.raises(OutputError, match="Choose another folder"):
        gan.fit(np.zeros((8, 8, 8, 1), "uint8"), verbose=0, callbacks=[Checkpoint(tmp_path / "file")])
    assert int(gan.step) == 0
