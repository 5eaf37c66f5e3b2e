"""Runs in processes of their own that are killed again and again, and the same runs left alone."""

import io
import json
import random
import re
import shutil
import signal
import zipfile
from pathlib import Path

import forked
import h5py
import keras
import numpy as np
import pytest
from file_faults import newest_step

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the command line is tested there")

HERE = Path(__file__).parent
# Callbacks that keep their own state, and a picture, a save every second step, and logs for each epoch.
WITH_CALLBACKS = """
import numpy as np
import keras_gans as kg
from keras_gans.training import Recipe


def recipe(smoke=False):
    images, _ = kg.data.digits(43, image_size=(8, 8))
    model = kg.GAN(image_shape=(8, 8, 1), latent_dim=4, ema_decay=0.9)
    model.compile()
    return Recipe(
        model=model,
        dataset=kg.data.Batches(images, batch_size=8, seed=3),
        epochs=2,
        callbacks=[
            kg.callbacks.LabelSmoothing(schedule=lambda epoch: 0.8 + 0.05 * epoch),
            kg.callbacks.HistoricalAveraging(0.1),
            kg.callbacks.GANDoctor(images[:8]),
        ],
    )
"""
# The small models of the variants' own tests, in the phases that each variant has.
OF_A_VARIANT = """
import sys
sys.path.insert(0, {tests!r})
import importlib
from keras_gans.training import Recipe


def recipe(smoke=False):
    test = importlib.import_module("models.{module}").{name}()
    model, data = test.gan(ema_decay=0.9, compile=dict(run_eagerly=True)), test.batches()
    return Recipe(model=model, phases=model.phases(data, 1), held_back=data if {given} else None)
"""
CLASSIFIER = """
import keras
import keras_gans as kg
from keras_gans.training import ClassifierRecipe


def recipe(smoke=False):
    images, labels = kg.data.digits(16, (8, 8))
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(name="features"), keras.layers.Dense(10)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, run_eagerly=True)
    data = kg.data.Batches(images, labels, batch_size=4)
    return ClassifierRecipe(model=model, dataset=data, test=data, epochs=2)
"""


def kinds():
    """{name: recipe} of a run with callbacks, a classifier's run, and one of each variant."""
    found = {"callbacks": WITH_CALLBACKS, "classifier": CLASSIFIER}
    for path in sorted((HERE / "models").glob("test_*.py")):
        name = re.search(r"^class (Test\w+)\(.*Contract\)", path.read_text(), re.MULTILINE)[1]
        given = name in ("TestPix2Pix", "TestCycleGAN")
        found[name] = OF_A_VARIANT.format(tests=str(HERE), module=path.stem, name=name, given=given)
    return found


KINDS = kinds()


def command(folder, *arguments, kill=0):
    """Runs the command in a process of its own, see killed.py: its exit code, its calls and what it said."""
    done = forked.run(HERE / "killed.py", str(kill), *arguments, cwd=folder)
    counted = folder / "calls"
    calls = int(counted.read_text()) if counted.exists() else None
    counted.unlink(missing_ok=True)
    return {"code": done.returncode, "calls": calls, "said": done.stderr}


def arrays(path):
    """{name: array} of all that a model's file stores."""
    with zipfile.ZipFile(path) as members, h5py.File(io.BytesIO(members.read("model.weights.h5"))) as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        return found


def assert_same(one, other):
    assert list(one) == list(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def train(folder, kill=0):
    """Begins the run in a folder or goes on with it, as a user would."""
    saved = list((folder / "run").glob("checkpoint*.keras"))
    output = "--resume" if saved else "--output"
    again = ["--overwrite"] if not saved and (folder / "run" / "model.keras").exists() else []  # a classifier's
    return command(folder, "train", "recipe.py", output, "run", "--checkpoint-steps", "2", *again, kill=kill)


def killed(kind, folder, kills, moments):
    """A run that is killed at random calls; then finished. The same run left alone is in WHOLE."""
    whole, parts = folder / "whole", folder / "parts"
    for each in (whole, parts):
        each.mkdir()
        (each / "recipe.py").write_text(KINDS[kind])
    alone = train(whole)
    assert alone["code"] == 0, alone["said"]
    dead, reported = 0, 0
    while dead < kills:
        at = moments.randint(1, alone["calls"])
        about = train(parts, kill=at)
        place = f"{kind}: kill {dead + 1} at call {at}, {about['said']}"
        if about["code"] == 0:  # the end came before: from the start again
            shutil.rmtree(parts / "run")
            reported = 0
            continue
        assert about["code"] == -signal.SIGKILL, place
        dead += 1
        step = newest_step(parts / "run") if (parts / "run").exists() else None
        assert (step or 0) >= reported, place  # what was saved is not lost
        reported = step or 0
    last = train(parts)
    assert last["code"] == 0, last["said"]
    return whole / "run", parts / "run"


def check(whole, parts):
    names = [sorted(str(path.relative_to(run)) for path in run.rglob("*")) for run in (whole, parts)]
    assert names[0] == names[1]
    for name in ("checkpoint.keras", "model.keras"):
        if (whole / name).exists():
            assert_same(arrays(whole / name), arrays(parts / name))
    if (whole / "progress.json").exists():
        logs = [json.loads((run / "progress.json").read_text()) for run in (whole, parts)]
        assert logs[0]["history"] == logs[1]["history"] and logs[0]["finished"] and logs[1]["finished"]
    for path in (whole / "samples").glob("*"):
        assert path.read_bytes() == (parts / "samples" / path.name).read_bytes()


def moments(kind):
    return random.Random(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_killed_again_and_again_is_the_run_that_is_left_alone(kind, tmp_path):
    check(*killed(kind, tmp_path, 2, moments(kind)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_kills(kind, tmp_path):
    check(*killed(kind, tmp_path, 20, moments(f"twenty {kind}")))
