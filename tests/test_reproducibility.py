"""What `docs/reproducibility.md` says: what is equal, and how far apart the rest is."""

import importlib.util
import os
import re
from pathlib import Path

import forked
import numpy as np
import pytest
from contract import BACKEND

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent / "docs" / "reproducibility.md"
# Four times the largest differences of weights that the page gives, after 24 steps.
ROUNDING = {"sgd": 2e-7, "adam": 1.6e-6}

needs_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="a feature of the TensorFlow backend")


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """A function from a start's name, a backend and a number of threads to what a process of `reproduced.py` found."""
    folder, done = tmp_path_factory.mktemp("reproduced"), {}

    def run(start="start", backend=BACKEND, threads=2):
        key = start, backend, threads
        if key not in done:
            output = folder / f"{len(done)}.npz"
            command = [FOLDER / "reproduced.py", folder / f"{start}.npz", output, str(threads)]
            if backend == BACKEND:
                made = forked.run(*command)
            else:
                made = forked.run_anew(*command, env={**os.environ, "KERAS_BACKEND": backend})
            assert made.returncode == 0, made.stderr[-3000:]
            with np.load(output) as file:
                done[key] = dict(file)
        return done[key]

    return run


def apart(one, other):
    return float(np.abs(one.astype("float64") - other).max())


def test_the_same_seed_twice_in_two_processes_is_equal(reproduced):
    first, second = reproduced(), reproduced("drawn anew")
    assert list(first) == list(second)
    for name, found in first.items():
        np.testing.assert_array_equal(found, second[name], err_msg=name)
    assert apart(first["sgd drawn"], first["start"]) > 1e-3  # and they have been trained
    assert apart(first["adam drawn"], first["start"]) > 1e-3


@needs_tensorflow
@pytest.mark.parametrize("optimizer", ROUNDING)
def test_one_thread_and_two_differ_by_rounding(optimizer, reproduced):
    one, two = reproduced(threads=1), reproduced()
    assert apart(one[f"{optimizer} drawn"], two[f"{optimizer} drawn"]) < ROUNDING[optimizer]
    assert apart(one[f"{optimizer} compiled"], two[f"{optimizer} compiled"]) < ROUNDING[optimizer]


@pytest.mark.skipif(BACKEND == "jax", reason="JAX runs eagerly for minutes")
@pytest.mark.parametrize("optimizer", ROUNDING)
def test_eager_and_compiled_differ_by_rounding(optimizer, reproduced):
    found = reproduced()
    assert apart(found[f"{optimizer} eager"], found[f"{optimizer} compiled"]) < ROUNDING[optimizer]


@needs_tensorflow
@pytest.mark.parametrize("optimizer", ROUNDING)
def test_xla_and_not_differ_by_rounding(optimizer, reproduced):
    found = reproduced()
    assert apart(found[f"{optimizer} xla"], found[f"{optimizer} compiled"]) < ROUNDING[optimizer]


@needs_tensorflow
def test_several_steps_an_execution_are_equal(reproduced):
    np.testing.assert_array_equal(reproduced()["sgd executions"], reproduced()["sgd compiled"])


@pytest.mark.skipif(BACKEND == "tensorflow", reason="it is what the others are compared with")
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed")
@pytest.mark.parametrize("optimizer", ROUNDING)
def test_backends_differ_by_rounding_where_the_noise_is_given(optimizer, reproduced):
    theirs, ours = reproduced(backend="tensorflow"), reproduced()
    np.testing.assert_array_equal(ours["start"], theirs["start"])
    assert apart(ours[f"{optimizer} compiled"], theirs[f"{optimizer} compiled"]) < ROUNDING[optimizer]
    levels = np.abs(ours["images"].astype(int) - theirs["images"])  # of the same weights and seed
    assert levels.max() <= 1 and (levels > 0).mean() < 0.001  # a rounding may cross the border of a grey level


def test_every_test_that_the_page_names_exists():
    named = re.findall(r"`((?:\w+/)*\w+\.py)::(\w+)`", PAGE.read_text())
    assert len(named) > 10
    for file, test in named:
        assert f"def {test}(" in (FOLDER / file).read_text(), f"{file}::{test}"
