"""The examples in the docstrings run."""

import doctest
import importlib
import pkgutil

import keras
import numpy as np
import pytest
from keras import ops

import keras_gans as kg
import keras_gans_cli
import keras_gans_core

OTHER_BACKENDS = {"tensorflow", "jax", "torch"} - {keras.backend.backend()}
OTHER_ENGINES = {f"keras_gans.engine.{backend}" for backend in OTHER_BACKENDS}
MODULES = {
    module.name
    for package in (kg, keras_gans_core, keras_gans_cli)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
}
NAMES = ["keras_gans", *sorted(MODULES - OTHER_ENGINES)]


@pytest.mark.parametrize("name", NAMES)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where examples may write
    module = importlib.import_module(name)
    names = {"np": np, "kg": kg, "ops": ops, "keras": keras, **vars(module)}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    output = []
    for test in doctest.DocTestFinder().find(module, name, globs=names):
        runner.run(test, out=output.append)
    assert runner.failures == 0, "".join(output)


def test_there_are_examples():
    for name in ("keras_gans.losses.adversarial", "keras_gans.model"):
        tests = doctest.DocTestFinder().find(importlib.import_module(name), name)
        assert any(test.examples for test in tests), name
