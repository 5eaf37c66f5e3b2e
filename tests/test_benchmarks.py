"""The benchmarks run from end to end, at sizes whose numbers mean nothing."""

import importlib
import math
import os
from pathlib import Path

import forked
import keras
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
COMMANDS = {
    "battle.py": (["--quick"], "1 - 3 steps: "),
    "bfloat16.py": (["--data", "drawn:digits", "--steps", "20", "--seeds", "1"], "bfloat16"),
    "data.py": (["--images", "128", "--steps", "2", "--ways", "lazy"], "peak MiB, lazy"),
    "doctor.py": (
        ["--quick", "--runs", "blind generator, GAN", "rotation, linear WGAN", "GAN, fast discriminator, ring"],
        "3 of 3 as expected",
    ),
    "epochs.py": (["--epochs", "3", "--steps", "2"], "ours   shortest"),
    "first_image.py": (["--rounds", "1"], "next "),
    "generate.py": (["--rounds", "1"], "generate"),
    "high_fidelity.py": (["--quick", "--rounds", "1"], "generate(64)           predict"),
    "latent.py": (["--images", "4"], "arithmetic"),
    "metrics.py": (["--quick"], "density_coverage"),
    "modes.py": (["--quick"], "published: PacDCGAN4"),
    "pix2pix_losses.py": (["--rows", "L1", "--epochs", "1", "--filters", "4", "--take", "32"], "real faces"),
    "semi_supervised.py": (
        ["--draws", "1", "--epochs", "1", "--take", "400", "--labels-per-class", "1"],
        "mean of 1 draws",
    ),
    "what_helps.py": (["--steps", "2", "--rows", "base", "labels"], "labels  "),
    "which_model.py": (
        ["--data", "drawn:digits", "--seconds", "0.1", "--seeds", "0", "--take", "400", "--count", "100"],
        "| AdversarialFlow | ",
    ),
    "train_step.py": (["--workloads", "mlp", "pix2pix", "cyclegan", "--rounds", "1"], "cyclegan  peak"),
}
IMPORTED = {"style_based.py", "systems.py", "translation.py"}  # by train_step.py
# The others: pytest -m slow
QUICK = ["battle.py", "latent.py", "metrics.py", "pix2pix_losses.py", "semi_supervised.py", "what_helps.py"]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="measured on TensorFlow")
@pytest.mark.parametrize(
    "script", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in COMMANDS]
)
def test_a_benchmark_prints_its_table(script, tmp_path):
    arguments, row = COMMANDS[script]
    if script in ("pix2pix_losses.py", "semi_supervised.py") and "TFDS_DATA_DIR" not in os.environ:
        pytest.skip("TFDS_DATA_DIR holds no prepared data")
    done = forked.run(BENCHMARKS / script, *arguments, cwd=tmp_path, timeout=1200)
    assert done.returncode == 0, done.stderr
    assert row in done.stdout


def test_every_benchmark_is_run():
    assert {path.name for path in BENCHMARKS.glob("*.py")} == set(COMMANDS) | IMPORTED


@pytest.fixture
def train_step(monkeypatch):
    """The script as a module, its translations one step of one small image."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    script = importlib.import_module("train_step")
    for workload in (*script.translation.SIDES, *script.ALONE):
        side = 32 if workload == "srgan" else 16
        monkeypatch.setitem(script.WORKLOADS, workload, {"image_shape": (side, side, 3), "batch": 2, "steps": 1})
    return script


def numbers(networks):
    """How many trained numbers each network has, in PyTorch or in Keras."""
    return [
        sum(math.prod(weight.shape) for weight in getattr(network, "trainable_weights", None) or network.parameters())
        for network in networks
    ]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="measured on TensorFlow")
@pytest.mark.parametrize("workload", ["pix2pix", "cyclegan"])
def test_competitors_of_a_translation_have_networks_of_one_size(train_step, workload):
    translation, shape = train_step.translation, (64, 64, 3)
    ours = translation.networks(workload, shape)
    cloned = [translation.with_keras_layers(network) for network in ours]
    assert numbers(cloned) == numbers(ours)
    assert [network.output_shape for network in cloned] == [network.output_shape for network in ours]
    torch = pytest.importorskip("torch")
    theirs = translation.torch_networks(workload, shape)
    assert numbers(theirs) == numbers(ours)
    taken = [6 if workload == "pix2pix" and network is theirs[-1] else 3 for network in theirs]
    made = [network(torch.zeros(1, channels, 64, 64)).permute(0, 2, 3, 1) for network, channels in zip(theirs, taken)]
    assert [(None, *images.shape[1:]) for images in made] == [network.output_shape for network in ours]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="measured on TensorFlow")
@pytest.mark.parametrize(
    ("workload", "side"), [("pix2pix_hd", 64), ("srgan", 96), ("stack_gan", 64), ("style_gan2", 32)]
)
def test_competitors_of_a_system_have_networks_of_one_size(train_step, workload, side):
    pytest.importorskip("torch")
    ours, theirs = (
        networks(workload, (side, side, 3))
        for networks in (train_step.ALONE[workload].networks, train_step.ALONE[workload].torch_networks)
    )
    assert numbers(theirs) == numbers(ours)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="measured on TensorFlow")
@pytest.mark.parametrize(
    ("workload", "competitor"),
    [
        ("pix2pix", "ours"),
        ("pix2pix", "keras"),
        ("pix2pix", "torch"),
        ("cyclegan", "ours"),
        pytest.param("cyclegan", "keras", marks=pytest.mark.slow),  # 20 seconds of tracing
        pytest.param("pix2pix", "keras in turn", marks=pytest.mark.slow),
        ("cyclegan", "torch"),
        ("pix2pix_hd", "torch"),
        ("srgan", "torch"),
        ("stack_gan", "torch"),
        ("style_gan2", "torch"),
        pytest.param("pix2pix_hd", "ours", marks=pytest.mark.slow),
        pytest.param("srgan", "ours", marks=pytest.mark.slow),
        pytest.param("stack_gan", "ours", marks=pytest.mark.slow),
        pytest.param("style_gan2", "ours", marks=pytest.mark.slow),
    ],
)
def test_a_competitor_of_a_translation_takes_its_steps(train_step, workload, competitor):
    if competitor == "torch":
        pytest.importorskip("torch")
    run, work = train_step.COMPETITORS[competitor](workload)
    run()
    assert work is None
