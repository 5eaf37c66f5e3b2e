"""A save of a checkpoint under a fault at each of its calls, with readers, and with deaths of the process."""

import errno
import os
import threading

import keras
import numpy as np
import pytest
from file_faults import Died, at, calls_in, newest_step, step_in

import keras_gans as kg
from keras_gans.callbacks import Checkpoint
from keras_gans.errors import OutputError
from keras_gans.models.gan import build_discriminator, build_generator

NEWEST, PREVIOUS = "checkpoint.keras", "checkpoint-previous.keras"


@pytest.fixture(scope="module")
def gan():
    networks = build_generator((8, 8, 1), 1, units=1), build_discriminator((8, 8, 1), units=1, pieces=1)
    gan = kg.GAN(*networks)
    gan.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), run_eagerly=True)
    gan.fit(np.zeros((4, 8, 8, 1), "uint8"), batch_size=4, verbose=0)
    return gan


class Saver:
    """Saves a model as a training does, step by step, in a folder that it holds."""

    def __init__(self, gan, folder):
        self.gan, self.folder, self.checkpoint = gan, folder, Checkpoint(folder)
        self.checkpoint.set_params({"steps": 10**6})
        self.checkpoint.set_model(gan)
        self.checkpoint.on_train_begin()
        self.checkpoint.on_epoch_begin(0)

    def save(self, step):
        self.gan.step.assign(step)
        self.checkpoint.on_epoch_end(0, {})

    def files(self):
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.name != ".lock"}


@pytest.fixture
def saver(gan, tmp_path):
    saver = Saver(gan, tmp_path / "run")
    saver.save(1)
    saver.save(2)
    yield saver
    saver.checkpoint.release()


@pytest.fixture(scope="module")
def calls(gan, tmp_path_factory):
    """The names of the calls of a save, the third of a run."""
    saver = Saver(gan, tmp_path_factory.mktemp("calls") / "run")
    saver.save(1)
    saver.save(2)
    with calls_in(saver.folder) as names:
        saver.save(3)
    saver.checkpoint.release()
    return names


def test_a_save_makes_the_calls_that_are_tested(calls):
    assert {"write", "close", "fsync", "link", "replace"} <= set(calls)
    assert calls.count("replace") == 2 and calls.index("fsync") < calls.index("replace")


def test_at_every_call_the_newest_checkpoint_is_there(saver):
    """Both before and after each call: what a reader, or a kill, finds at that moment."""
    found = []
    with calls_in(saver.folder, lambda name, number: found.append(step_in(saver.folder / NEWEST))):
        for step in (3, 4):
            saver.save(step)
    assert set(found) == {2, 3, 4} and found == sorted(found)
    assert (step_in(saver.folder / NEWEST), step_in(saver.folder / PREVIOUS)) == (4, 3)
    assert set(saver.files()) == {NEWEST, PREVIOUS}


def save_with_a_fault(saver, number, step):
    """Saves a step while a call fails; whether it is saved, and the call's name. What the user is told is true."""
    before = saver.files()
    with calls_in(saver.folder, at(number)) as names:
        try:
            saver.save(step)
            said = None
        except OutputError as error:
            said = str(error)
    at_call = f"call {number}, {names[number - 1]}: {said}"
    after = saver.files()
    assert set(after) == {NEWEST, PREVIOUS}, at_call  # no half-written file is left
    if said is None:
        assert newest_step(saver.folder) == step, at_call
    elif "The newest is saved in" in said:
        assert step_in(saver.folder / NEWEST) == step and str(saver.folder / NEWEST) in said, at_call
        assert after[PREVIOUS] == before[PREVIOUS], at_call
    else:
        assert "is unchanged" in said and str(saver.folder / NEWEST) in said and after == before, at_call
    return said is None, names[number - 1]


def test_a_call_that_fails_loses_nothing_and_the_message_is_true(saver, calls):
    ended = {save_with_a_fault(saver, number, number + 2) for number in range(1, len(calls) + 1)}
    assert {name for saved, name in ended if not saved} >= {"write", "close", "fsync", "replace"}
    assert (True, "link") in ended  # a disk without second names gets a copy


def test_a_death_at_any_call_leaves_one_of_the_last_two(gan, calls, tmp_path):
    for number in range(1, len(calls) + 1):
        saver = Saver(gan, tmp_path / "run")  # the next process removes what the one before left
        saver.save(2 * number)
        with calls_in(saver.folder, at(number, Died())) as names, pytest.raises(Died):
            saver.save(2 * number + 1)
        saver.checkpoint.release()
        found = step_in(saver.folder / NEWEST)
        assert found in (2 * number, 2 * number + 1), f"call {number}, {names[number - 1]}"
    Saver(gan, tmp_path / "run").checkpoint.release()
    assert {path.name for path in (tmp_path / "run").iterdir()} == {".lock", NEWEST, PREVIOUS}


def test_copies_in_the_place_of_second_names_may_fail_too(saver, monkeypatch):
    """On a file system without hard links the previous checkpoint is a copy."""

    def no_links(*paths):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with calls_in(saver.folder) as names:
        saver.save(3)
    assert (step_in(saver.folder / NEWEST), step_in(saver.folder / PREVIOUS)) == (3, 2)
    ended = [save_with_a_fault(saver, i, i + 3) for i in range(names.index("link") + 1, len(names) + 1)]
    assert {name for saved, name in ended if not saved} >= {"sendfile", "close", "fsync", "replace"}


def test_a_reader_in_a_loop_always_finds_a_checkpoint(saver):
    found, done = [], threading.Event()

    def read():
        while not done.is_set():
            found.append(step_in(saver.folder / NEWEST))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for step in range(3, 23):
            saver.save(step)
    finally:
        done.set()
        reader.join()
    assert None not in found and found == sorted(found) and len(set(found)) > 5


def test_a_damaged_newest_checkpoint_does_not_take_the_place_of_the_good_one(saver, gan):
    saver.checkpoint.release()
    newest = saver.folder / NEWEST
    newest.write_bytes(newest.read_bytes()[:-100])
    again = Saver(gan, saver.folder)
    again.save(3)
    again.checkpoint.release()
    assert (step_in(newest), step_in(saver.folder / PREVIOUS)) == (3, 1)
