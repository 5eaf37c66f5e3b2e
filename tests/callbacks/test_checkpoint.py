import shutil

import keras
import numpy as np
import pytest
from contract import equal, training_state, values

from keras_gans.callbacks import Checkpoint, HistoricalAveraging, LabelSmoothing, SampleGrid, resume
from keras_gans.errors import CheckpointError, OutputError


class InterruptAt(keras.callbacks.Callback):
    """Ends training in the middle of an epoch, counted from 0."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch and batch == 1:
            raise KeyboardInterrupt


def all_four(folder):
    return [
        LabelSmoothing(schedule=lambda epoch: 0.5 + 0.125 * epoch),
        HistoricalAveraging(0.5),
        SampleGrid(folder / "samples", rows=2, timelapse="timelapse.png"),
        Checkpoint(folder),
    ]


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
        killed.fit(batches, epochs=4, verbose=0, callbacks=[*all_four(tmp_path / "killed"), InterruptAt(2)])
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


def test_the_last_two_epochs_are_kept_and_nothing_else(make, batches, tmp_path):
    gan = make()
    gan.fit(batches, epochs=1, verbose=0, callbacks=[Checkpoint(tmp_path / "run")])
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoint.keras"]
    gan.fit(batches, initial_epoch=1, epochs=3, verbose=0, callbacks=[Checkpoint(tmp_path / "run")])
    steps = {path.name: int(keras.saving.load_model(path).step) for path in (tmp_path / "run").iterdir()}
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
    with pytest.warns(UserWarning, match="checkpoint.keras is not there: going on with .* the epoch before"):
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


def test_a_folder_that_cannot_be_written_to_is_refused_before_training(make, tmp_path):
    (tmp_path / "file").write_text("in the way")
    gan = make()
    with pytest.raises(OutputError, match="Choose another folder"):
        gan.fit(np.zeros((8, 8, 8, 1), "uint8"), verbose=0, callbacks=[Checkpoint(tmp_path / "file")])
    assert int(gan.step) == 0
