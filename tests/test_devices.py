"""Batches that several devices share: what is the same as with one, and what is refused."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from contract import BACKEND

FOLDER = Path(__file__).parent
VARIANTS = {
    "tensorflow": [
        "TestDCGAN", "TestDRAGAN", "TestFGAN", "TestGAN", "TestImprovedGAN", "TestLSGAN", "TestPacGAN", "TestSNGAN",
        "TestUnrolledGAN", "TestVEEGAN", "TestWGAN", "TestWGANGP", "TestWGANGPText",
    ],
    "jax": ["TestDCGAN", "TestWGANGP", "TestImprovedGAN"],
    "torch": [],
}[BACKEND]  # fmt: skip
# On TensorFlow a replica matches the features of its own share, or unrolls on it, as their docstrings say.
OF_A_SHARE = {"tensorflow": ["TestImprovedGAN", "TestUnrolledGAN"]}.get(BACKEND, [])

pytestmark = pytest.mark.skipif(BACKEND == "torch", reason="Keras has no data parallelism for PyTorch")


@pytest.fixture(scope="module")
def found():
    done = subprocess.run(
        [sys.executable, FOLDER / "replicas.py", *VARIANTS], cwd=FOLDER, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return {name: about for line in lines for name, about in json.loads(line).items()}


def test_every_variant_is_tried():
    files = {path.stem.removeprefix("test_").replace("_", "") for path in (FOLDER / "models").glob("test_*.py")}
    assert BACKEND != "tensorflow" or {name.removeprefix("Test").lower() for name in VARIANTS} == files


@pytest.mark.parametrize("name", VARIANTS)
def test_two_devices_train_as_one(name, found):
    """The same weights and losses but for rounding, with noise of the whole batch, and a model that loads on one."""
    about = found[name]
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
        ("outside", "Expected networks whose variables 2 replicas hold.*Build the networks too inside"),
        ("odd", "Expected a batch_size that 2 devices share equally.*Received: 3. Choose a multiple of 2"),
        ("again", "Expected 3 GPUs, or a CPU that can be divided.*in a new process"),
    ],
)
def test_what_replicas_cannot_do_is_refused(name, message, found):
    assert re.search(message, found["refusals"][name])
