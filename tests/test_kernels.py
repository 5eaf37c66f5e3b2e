"""Importing the library switches TensorFlow's faster kernels on, unless the user has decided otherwise."""

import os
import subprocess
import sys

import keras
import pytest

NAME = "TF_ENABLE_ONEDNN_OPTS"


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="it is TensorFlow's setting")
@pytest.mark.parametrize(
    ("script", "own", "seen"),
    [
        ("import keras_gans", None, "1"),
        ("import keras_gans", "0", "0"),
        ("import tensorflow, keras_gans", None, "None"),
    ],
    ids=["by default", "the user's own", "too late"],
)
def test_faster_kernels_are_chosen_before_tensorflow_is_imported(script, own, seen):
    surroundings = {key: value for key, value in os.environ.items() if key != NAME}
    surroundings |= {NAME: own} if own else {}
    script = f"{script}, os; print(os.environ.get({NAME!r}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=surroundings, timeout=300)
    assert done.stdout.split() == [seen], done.stderr
