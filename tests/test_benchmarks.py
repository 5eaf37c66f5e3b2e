"""The benchmarks run from end to end, at sizes whose numbers mean nothing."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
COMMANDS = {
    "battle.py": (["--quick"], "1 - 3 steps: "),
    "bfloat16.py": (["--data", "drawn:digits", "--steps", "20", "--seeds", "1"], "bfloat16"),
    "doctor.py": (
        ["--quick", "--runs", "blind generator, GAN", "rotation, linear WGAN", "GAN, fast discriminator, ring"],
        "3 of 3 as expected",
    ),
    "generate.py": (["--rounds", "1"], "generate"),
    "latent.py": (["--images", "4"], "arithmetic"),
    "metrics.py": (["--quick"], "density_coverage"),
    "modes.py": (["--quick"], "published: PacDCGAN4"),
    "semi_supervised.py": (
        ["--draws", "1", "--epochs", "1", "--take", "400", "--labels-per-class", "1"],
        "mean of 1 draws",
    ),
    "train_step.py": (["--workloads", "mlp", "--rounds", "1"], "mlp"),
}
QUICK = ["battle.py", "latent.py", "metrics.py", "semi_supervised.py"]  # the others: pytest -m slow


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="measured on TensorFlow")
@pytest.mark.parametrize(
    "script", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in COMMANDS]
)
def test_a_benchmark_prints_its_table(script, tmp_path):
    arguments, row = COMMANDS[script]
    if script == "semi_supervised.py" and "TFDS_DATA_DIR" not in os.environ:
        pytest.skip("TFDS_DATA_DIR holds no prepared mnist")
    done = subprocess.run(
        [sys.executable, BENCHMARKS / script, *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=1200
    )
    assert done.returncode == 0, done.stderr
    assert row in done.stdout


def test_every_benchmark_is_run():
    assert {path.name for path in BENCHMARKS.glob("*.py")} == set(COMMANDS)
