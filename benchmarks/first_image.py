"""Times a command from its start to its picture: 64 images of `dcgan_mnist`.

    python benchmarks/first_image.py [--rounds 5] [--torch-python PYTHON]

- `first`: `keras-gans sample`, the first call, in an empty home: it imports TensorFlow and keeps the converted network;
- `next`: the same call again, with the extra `fast`: ONNX Runtime and NumPy;
- `torch`: a plain PyTorch script that loads the same network's weights, samples from the same noise and writes the same
  picture; with --torch-python alone, a Python with torch, NumPy and Pillow.

A round runs each command once, one after the other, so that all see the same machine. The numbers are medians over the
rounds of the wall time and of the processor time of each process, after one round that is not counted. Then the
pictures are compared.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow
PRESET, COUNT, SEED = "dcgan_mnist", 64, 0

NETWORK = """
import sys
import numpy as np
import torch
from PIL import Image
from torch import nn

class Up(nn.Module):  # Keras's padding "same"
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 5, 2, padding=1, bias=False)
    def forward(self, x):
        return self.conv(x)[..., : 2 * x.shape[2], : 2 * x.shape[3]]

network = nn.Sequential(
    nn.Linear(64, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU(),
    nn.Linear(512, 3136, bias=False), nn.BatchNorm1d(3136), nn.ReLU(),
    nn.Unflatten(1, (64, 7, 7)), Up(64, 32), nn.BatchNorm2d(32), nn.ReLU(), Up(32, 1), nn.Tanh(),
).eval()
"""

# Keras's map has its channels last: the rows that make it are put in the order of PyTorch's once, before the timing.
CONVERT = (
    NETWORK
    + """
stored = np.load(sys.argv[1])
arrays = [stored[f"arr_{i}"] for i in range(len(stored.files))]
places = np.arange(3136).reshape(7, 7, 64).transpose(2, 0, 1).ravel()
arrays[5:10] = [arrays[5][:, places], *(array[places] for array in arrays[6:10])]
state = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
for (name, value), array in zip(state.items(), arrays, strict=True):
    array = array.T if array.ndim == 2 else array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
    assert array.shape == tuple(value.shape), name
    value.copy_(torch.from_numpy(np.ascontiguousarray(array)))
torch.save(network.state_dict(), sys.argv[2])
"""
)

SAMPLE = (
    NETWORK
    + """
network.load_state_dict(torch.load(sys.argv[1], weights_only=True))
with torch.inference_mode():
    images = network(torch.from_numpy(np.load(sys.argv[2])))
levels = ((images[:, 0] + 1) * 127.5).round().clip(0, 255).to(torch.uint8).numpy()
Image.fromarray(levels.reshape(8, 8, 28, 28).transpose(0, 2, 1, 3).reshape(224, 224)).save(sys.argv[3])
"""
)


def prepare(folder, torch_python):
    """Writes what the PyTorch script reads into `folder`."""
    import keras_gans as kg

    model = kg.load(PRESET)
    np.savez(folder / "weights.npz", *model.generator.get_weights())
    np.save(folder / "noise.npy", model.noise(COUNT, seed=SEED))
    arguments = [torch_python, "-c", CONVERT, folder / "weights.npz", folder / "network.pt"]
    subprocess.run(arguments, check=True)


def timed(arguments, environment):
    """(wall seconds, processor seconds) of a command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(arguments, check=True, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(folder, rounds, torch_python):
    """{name: [(wall seconds, processor seconds) of each round]}; the pictures are left in `folder`."""
    sample = [sys.executable, "-m", "keras_gans_cli.app", "sample", PRESET, "--seed", str(SEED), "-o"]
    commands = {name: [*sample, folder / f"{name}.png"] for name in ("first", "next")}
    if torch_python:
        prepare(folder, torch_python)
        files = [folder / "network.pt", folder / "noise.npy", folder / "torch.png"]
        commands["torch"] = [torch_python, "-c", SAMPLE, *files]
    times = {name: [] for name in commands}
    for i in range(rounds + 1):
        shutil.rmtree(folder / "home", ignore_errors=True)
        for name, arguments in commands.items():
            taken = timed(arguments, {"KERAS_HOME": str(folder / "home")})
            if i > 0:
                times[name].append(taken)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--torch-python", help="a Python with torch; without it that row is left out")
    options = parser.parse_args()
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        times = measure(Path(folder), options.rounds, options.torch_python)
        pictures = {name: np.asarray(Image.open(Path(folder) / f"{name}.png")).astype(int) for name in times}
    print(f"{'command':8} {'seconds':>8} {'of a processor':>15} {'grey levels from the first':>27}")
    for name, taken in times.items():
        wall, processor = map(statistics.median, zip(*taken))
        difference = np.abs(pictures[name] - pictures["first"]).max()
        print(f"{name:8} {wall:8.2f} {processor:15.2f} {difference:27}")


if __name__ == "__main__":
    main()
