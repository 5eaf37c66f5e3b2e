"""The examples in the docstrings run."""

import doctest
import importlib
import pkgutil

import keras
import numpy as np
import pytest
from keras import ops

import keras_gans as kg

BACKENDS = {"tensorflow", "jax", "torch"}
NAMES = [
    "keras_gans",
    *(
        module.name
        for module in pkgutil.walk_packages(kg.__path__, "keras_gans.")
        if not (module.name.startswith("keras_gans.engine.") and module.name.split(".")[-1] in BACKENDS - {keras.backend.backend()})
    ),
]


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
    finder = doctest.DocTestFinder()
    found = {name: sum(len(t.examples) for t in finder.find(importlib.import_module(name), name)) for name in ("keras_gans.losses", "keras_gans.model")}
    assert all(found.values()), found
