"""A run in processes of its own that are killed again and again, and the same run left alone."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import pytest
from contract import equal, values

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the command line is tested there")

RECIPE = """
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
        epochs=4,
        callbacks=[
            kg.callbacks.LabelSmoothing(schedule=lambda epoch: 0.8 + 0.05 * epoch),
            kg.callbacks.HistoricalAveraging(0.1),
            kg.callbacks.GANDoctor(images[:8]),
        ],
    )
"""
STEPS = 20  # four epochs of five
# Where the processes are killed, one after the other. A fresh run renames its list of logs at the start and before each
# checkpoint; a resumed one likewise, and its first checkpoint then has two renames of its own.
PLACES = [
    "step 1",  # before the first checkpoint
    "writestr 1",  # in the first
    "fsync 5",  # in the second, whole and not yet on the disk
    "testzip 1",
    "replace 3",  # before the older one makes place
    "replace 4",  # between the two renames: the newest is missing
    "step 9",  # in the middle of an epoch
    "replace 6",  # a picture
]


def process(place, folder):
    command = [sys.executable, Path(__file__).with_name("killed.py"), place, "train", "recipe.py"]
    output = "--resume" if list((folder / "run").glob("checkpoint*.keras")) else "--output"
    return subprocess.Popen(
        [*command, output, "run", "--checkpoint-steps", "2"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def files(folder):
    return {path.name: path.read_bytes() for path in (folder / "run" / "samples").iterdir()}


def test_a_run_that_is_killed_again_and_again_is_the_run_that_is_left_alone(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
        (folder / "recipe.py").write_text(RECIPE)
    alone = process("-", whole)
    said = ""
    for place in PLACES:
        dying = process(place, killed)
        said += dying.communicate(timeout=300)[1]
        assert dying.returncode == -signal.SIGKILL, f"{place}: {dying.returncode} {said}"
    for _ in range(2):  # at any moment
        dying = process("-", killed)
        time.sleep(random.uniform(3.0, 8.0))
        dying.kill()
        dying.communicate()
    last = process("-", killed)
    assert last.communicate(timeout=300) and last.returncode == 0
    assert alone.communicate(timeout=300) and alone.returncode == 0
    assert "checkpoint.keras is not there: going on with the checkpoint before it" in said
    assert sorted(path.name for path in (killed / "run").iterdir()) == sorted(
        path.name for path in (whole / "run").iterdir()
    )
    logs = [json.loads((folder / "run" / "progress.json").read_text())["history"] for folder in (whole, killed)]
    assert logs[0] == logs[1] and len(logs[0]) == 4
    assert files(whole) == files(killed) and len(files(whole)) == 4
    models = [keras.saving.load_model(folder / "run" / "checkpoint.keras") for folder in (whole, killed)]
    assert int(models[0].step) == STEPS
    assert equal(*(values([*model.variables, *model.optimizer.variables]) for model in models))
    samplers = [keras.saving.load_model(folder / "run" / "model.keras") for folder in (whole, killed)]
    assert equal(*(values(model.variables) for model in samplers))
