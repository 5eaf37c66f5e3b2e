"""Batches that several devices share: what is the same as with one, and what is refused."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import forked
import keras
import pytest
from contract import BACKEND, largest_difference, values

FOLDER = Path(__file__).parent
VARIANTS = {
    "tensorflow": [
        "TestACGAN", "TestAdversarialFlow", "TestALI", "TestBiGAN", "TestBigGAN", "TestCGAN", "TestCoGAN",
        "TestCycleGAN", "TestDCGAN", "TestDeePSiM", "TestDRAGAN", "TestFGAN", "TestGAN", "TestGLO", "TestGRAN",
        "TestIcGAN", "TestImprovedGAN", "TestInfoGAN", "TestLAPGAN", "TestLSGAN", "TestPacGAN", "TestPix2Pix",
        "TestPix2PixHD", "TestProGAN", "TestProjectionGAN", "TestR3GAN", "TestRelativisticGAN", "TestSAGAN",
        "TestSNGAN", "TestSRGAN", "TestStackGAN", "TestStyleGAN", "TestStyleGAN2", "TestUnrolledGAN", "TestVEEGAN",
        "TestVideoPredictionGAN", "TestWGAN", "TestWGANGP", "TestWGANGPText",
    ],
    "jax": ["TestDCGAN", "TestWGANGP", "TestImprovedGAN"],
    "torch": [],
}[BACKEND]  # fmt: skip
QUICK = ["TestALI", "TestCGAN", "TestDCGAN", "TestImprovedGAN", "TestWGANGP"]  # the others: pytest -m slow
# On TensorFlow a replica matches the features of its own share, compares the images of it, unrolls on it, keeps a pool
# of the first replica's images, or takes wrong images from its share, as their docstrings say.
OF_A_SHARE = {
    "tensorflow": [
        "TestCycleGAN", "TestImprovedGAN", "TestProGAN", "TestStackGAN", "TestStyleGAN", "TestStyleGAN2",
        "TestUnrolledGAN",
    ]
}.get(BACKEND, [])  # fmt: skip

pytestmark = pytest.mark.skipif(BACKEND == "torch", reason="Keras has no data parallelism for PyTorch")


RECIPE = """
import os

import keras
import numpy as np
import keras_gans as kg
from keras import layers
from keras_gans.training import Recipe


class Rows:
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, number):
        with open(f"read by {os.getpid()}", "a") as file:
            file.write(".")
        return self.images[number]


def recipe(smoke=False):
    images = np.random.default_rng(0).integers(0, 256, (48, 8, 8, 1)).astype("uint8")
    generator = [keras.Input((4,)), layers.Dense(64, "tanh"), layers.Reshape((8, 8, 1))]
    discriminator = [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(16, "tanh"), layers.Dense(1)]
    model = kg.LSGAN(keras.Sequential(generator), keras.Sequential(discriminator), ema_decay=0.9)
    model.compile(keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05))
    evaluator = kg.metrics.Evaluator(images, kg.metrics.pixels((8, 8, 1)), metrics=["kernel_distance"])
    aids = [
        kg.callbacks.HistoricalAveraging(0.1),
        kg.callbacks.EvaluateGenerator(evaluator, samples=8),
        kg.callbacks.GANDoctor(images[:8]),
    ]
    data = kg.data.Batches(Rows(images), batch_size=16, seed=1, workers=0)
    return Recipe(model=model, dataset=data, epochs=2, callbacks=aids)
"""


def lines(output, errors, code):
    """What a process of replicas.py or shares.py printed: {name: ...}."""
    assert code == 0, errors[-3000:]
    return {
        name: about for line in output.splitlines() if line.startswith("{") for name, about in json.loads(line).items()
    }


def printed(script, *arguments):
    """The `lines` of a script in a process of its own."""
    done = forked.run(FOLDER / script, *arguments, cwd=FOLDER, timeout=900)
    return lines(done.stdout, done.stderr, done.returncode)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("alone")


@pytest.fixture(scope="module")
def found(folder):
    return printed("replicas.py", folder, *(name for name in VARIANTS if name in QUICK))


@pytest.fixture(scope="module")
def others(folder):
    return printed("replicas.py", folder, *(name for name in VARIANTS if name not in QUICK))


def test_every_variant_is_tried():
    files = {path.stem.removeprefix("test_").replace("_", "") for path in (FOLDER / "models").glob("test_*.py")}
    assert BACKEND != "tensorflow" or {name.removeprefix("Test").lower() for name in VARIANTS} == files


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in VARIANTS]
)
def test_two_devices_train_as_one(name, request):
    """The same weights and losses but for rounding, with noise of the whole batch, and a model that loads on one."""
    about = request.getfixturevalue("found" if name in QUICK else "others")[name]
    assert about["devices"] == 2 and about["moved"] > 1e-6
    assert about["saved_and_loaded_on_one"]
    apart = max(about["weights"], about["logs"])
    assert apart > 1e-4 if name in OF_A_SHARE else apart < 1e-6, about


@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's replicas")
@pytest.mark.parametrize(
    "name, message",
    [
        ("jit_compile", "Expected no jit_compile where 2 devices.*Received: True. Leave it out"),
        ("steps_per_execution", "Expected no steps_per_execution where 2 devices.*Received: 4. Leave it out"),
        ("outside", "Expected networks whose variables are on all 2 replicas.*Build the networks inside"),
        ("odd", "Expected a batch_size that 2 devices share equally.*Received: 3. Choose a multiple of 2"),
        ("half packs", "2 devices share equally, at least 2 examples each in whole packs of 2. Received: 6. .* of 4"),
        ("again", "Expected 3 GPUs, or a CPU that can be divided.*in a new process"),
    ],
)
def test_what_replicas_cannot_do_is_refused(name, message, found):
    assert re.search(message, found["refusals"][name])


@pytest.fixture(scope="module")
def shares():
    return printed("shares.py")


# JAX has the arrays to validate on as they are: there a last batch that cannot be shared is refused before a step.
ARRAYS = ("validation array", "split")
STREAMS = ("array", "dict", "tensorflow", "rows", "generator", "batches", "validation", "evaluate", "evaluate batches")


@pytest.mark.parametrize("kind", [*ARRAYS, *STREAMS])
def test_no_device_gets_an_empty_share(kind, shares):
    """17 images in batches of 8: the last one image is given to each device twice, once for each update."""
    if kind in ARRAYS and BACKEND == "jax":
        assert re.search("Expected batches that 2 devices share equally.*the last of", shares[kind])
    else:
        assert shares[kind] == "fine"


@pytest.mark.parametrize("kind, size", [("uneven", 5), ("uneven stream", 7), ("less than the updates need", 2)])
def test_batches_that_devices_cannot_share_are_refused(kind, size, shares):
    assert re.search(f"a batch_size that 2 devices share equally, at least 2 .* Received: {size}.", shares[kind])


def cluster():
    """The environments of two machines at free ports."""
    with socket.socket() as first, socket.socket() as second:
        for free in (first, second):
            free.bind(("127.0.0.1", 0))
        workers = [f"127.0.0.1:{free.getsockname()[1]}" for free in (first, second)]
    tasks = [{"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}} for index in (0, 1)]
    return [{**os.environ, "TF_CONFIG": json.dumps(task)} for task in tasks]


def trained(folder, output, environment=None):
    command = [sys.executable, "-m", "keras_gans_cli.app", "train", "recipe.py", "--output", output]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's machines")
def test_two_machines_train_as_one_each_reads_its_share_and_the_first_writes_the_files(tmp_path):
    (tmp_path / "recipe.py").write_text(RECIPE)
    running = [trained(tmp_path, name, environment) for name, environment in zip(("first", "second"), cluster())]
    running.append(trained(tmp_path, "alone"))
    try:
        for process in running:
            errors = process.communicate(timeout=300)[1]
            assert process.returncode == 0, errors[-3000:]
    finally:
        for process in running:
            process.kill()
    assert not (tmp_path / "second").exists()
    read = [len((tmp_path / f"read by {process.pid}").read_text()) for process in running]
    assert read[0] == read[1] == read[2] - 48  # of six batches of 16 each machine reads the half
    logs = [json.loads((tmp_path / name / "progress.json").read_text())["history"] for name in ("first", "alone")]
    for ours, theirs in zip(*logs, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6)
    models = [keras.saving.load_model(tmp_path / name / "checkpoint.keras") for name in ("first", "alone")]
    assert int(models[0].step) == 6
    assert largest_difference(*(values(model.weights) for model in models)) < 1e-6
    names = [sorted(path.name for path in (tmp_path / name).iterdir()) for name in ("first", "alone")]
    assert names[0] == names[1]


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's machines")
def test_two_machines_train_every_variant_as_one(found, others, folder):
    command = [sys.executable, FOLDER / "replicas.py", folder, *VARIANTS]
    options = {"cwd": FOLDER, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, env=environment, **options) for environment in cluster()]
    try:
        first, second = (lines(*process.communicate(timeout=900), process.returncode) for process in running)
    finally:
        for process in running:
            process.kill()
    assert first == second and list(first) == VARIANTS
    for name, about in first.items():
        apart = max(about["weights"], about["logs"])
        assert about["machines"] == 2 and (apart > 1e-4 if name in OF_A_SHARE else apart < 1e-6), (name, about)
