"""A run's folder under random sequences of what users, systems and disks do to it: nothing that was saved is lost."""

import contextlib
import os
import random
import shutil
import tempfile
import warnings
from pathlib import Path

import pytest
from file_faults import Died, at, calls_in, newest_step, step_in
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from light_runs import NEWEST, PREVIOUS, At, a_gan, light, run  # noqa: F401

from keras_gans.callbacks import Checkpoint, resume
from keras_gans.errors import CheckpointError, KerasGansError, OutputError

EPOCHS = 2  # of two steps
NAMES = ["a", "b"]


class Folders(RuleBasedStateMachine):
    """Two folders of runs. `saved` holds the step that each is known to have saved."""

    @initialize()
    def begin(self):
        self.place = Path(tempfile.mkdtemp())
        self.saved = dict.fromkeys(NAMES, 0)
        self.finished = dict.fromkeys(NAMES, False)

    def teardown(self):
        shutil.rmtree(self.place, ignore_errors=True)

    def folder(self, name):
        return self.place / name

    @contextlib.contextmanager
    def noting(self, name):
        """What is saved in a folder is noted when the method that saves it returns."""
        save = Checkpoint._save

        def noted(checkpoint):
            save(checkpoint)
            if checkpoint.folder == self.folder(name):
                self.saved[name] = int(checkpoint.model.step)

        Checkpoint._save = noted
        try:
            yield
        finally:
            Checkpoint._save = save

    def trained(self, name, act=None, step=None, **options):
        """Trains in a folder; at a step something happens. Returns the error with which it was refused, or None."""
        begins = "resume_from" not in options
        holds = bool(self.saved[name]) or self.finished[name]
        before = self.saved[name]
        recipe = a_gan(callbacks=[At(step, act)] if step else [], epochs=EPOCHS)
        with self.noting(name), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                run(self.folder(name), recipe, **options)
            except CheckpointError as refused:
                assert self.saved[name] == before
                return refused
        assert not (begins and holds and not options.get("overwrite")), "a run was trained over"
        self.finished[name] = True
        return None

    # What users do

    @rule(name=st.sampled_from(NAMES))
    def train(self, name):
        self.trained(name)

    @rule(name=st.sampled_from(NAMES))
    def go_on(self, name):
        refused = self.trained(name, resume_from=self.folder(name))
        assert (refused is None) == bool(self.saved[name])

    @rule(name=st.sampled_from(NAMES), step=st.integers(1, 3), resumes=st.booleans())
    def interrupt(self, name, step, resumes):
        options = {"resume_from": self.folder(name)} if resumes else {}
        with contextlib.suppress(KeyboardInterrupt):
            self.trained(name, None, step, **options)

    @rule(name=st.sampled_from(NAMES))
    def go_on_into_the_other(self, name):
        other = NAMES[1 - NAMES.index(name)]
        holds = bool(self.saved[other]) or self.finished[other]
        refused = self.trained(other, resume_from=self.folder(name))
        assert (refused is None) == (bool(self.saved[name]) and not holds)

    @rule(name=st.sampled_from(NAMES))
    def overwrite(self, name):
        self.saved[name], self.finished[name] = 0, False
        self.trained(name, overwrite=True)

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name):
        shutil.rmtree(self.folder(name), ignore_errors=True)
        self.saved[name], self.finished[name] = 0, False

    @rule(name=st.sampled_from(NAMES), times=st.booleans())
    def copy(self, name, times):
        """To the other folder, in the place of what was there."""
        other = NAMES[1 - NAMES.index(name)]
        if self.folder(name).exists():
            shutil.rmtree(self.folder(other), ignore_errors=True)
            shutil.copytree(self.folder(name), self.folder(other), copy_function=shutil.copy2 if times else shutil.copy)
            self.saved[other], self.finished[other] = self.saved[name], self.finished[name]

    @rule(name=st.sampled_from(NAMES), lost=st.sampled_from(["progress.json", ".lock", "card.json", PREVIOUS]))
    def lose_a_file(self, name, lost):
        if lost != PREVIOUS or step_in(self.folder(name) / NEWEST) is not None:
            (self.folder(name) / lost).unlink(missing_ok=True)

    @rule(name=st.sampled_from(NAMES), seed=st.integers(0, 2**16))
    def change_the_clock(self, name, seed):
        draw = random.Random(seed)
        for path in self.folder(name).glob("*"):
            os.utime(path, (draw.randint(0, 2**31), draw.randint(0, 2**31)))

    # What systems and disks do

    @rule(name=st.sampled_from(NAMES), number=st.integers(1, 150), resumes=st.booleans())
    def kill(self, name, number, resumes):
        options = {"resume_from": self.folder(name)} if resumes else {}
        with contextlib.suppress(Died), calls_in(self.folder(name), at(number, Died())):
            self.trained(name, **options)

    @rule(name=st.sampled_from(NAMES), number=st.integers(1, 150), resumes=st.booleans())
    def fail(self, name, number, resumes):
        """A call that changes a file of the run fails."""
        options = {"resume_from": self.folder(name)} if resumes else {}
        with contextlib.suppress(KerasGansError, OSError), calls_in(self.folder(name), at(number)):
            self.trained(name, **options)

    @rule(name=st.sampled_from(NAMES), resumes=st.booleans(), step=st.integers(1, 3))
    def second_process(self, name, resumes, step):
        options = {"resume_from": self.folder(name)} if resumes else {}

        def second():
            for more in ({}, {"resume_from": self.folder(name)}, {"overwrite": True}):
                with pytest.raises(OutputError, match="another run uses"):
                    run(self.folder(name), **more)

        self.trained(name, second, step, **options)

    @rule(name=st.sampled_from(NAMES), step=st.integers(1, 3))
    def delete_while_it_trains(self, name, step):
        def delete():
            shutil.rmtree(self.folder(name))
            self.saved[name], self.finished[name] = 0, False

        self.trained(name, delete, step)

    # What holds

    @invariant()
    def nothing_that_was_saved_is_lost(self):
        for name in NAMES:
            assert (newest_step(self.folder(name)) or 0) >= self.saved[name], name
            if self.saved[name]:
                self.saved[name] = newest_step(self.folder(name))

    @invariant()
    def what_is_saved_is_read(self):
        name = NAMES[0]
        if self.saved[name] and step_in(self.folder(name) / NEWEST) is not None:
            assert int(resume(self.folder(name)).step) == self.saved[name]


def check(examples, steps):
    options = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],  # a failing sequence is short enough, and shortening it takes minutes
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Folders, settings=options)


def test_a_runs_folder_loses_nothing(light):  # noqa: F811
    check(examples=12, steps=10)


@pytest.mark.slow
def test_a_runs_folder_loses_nothing_in_long_sequences(light):  # noqa: F811
    check(examples=200, steps=30)
