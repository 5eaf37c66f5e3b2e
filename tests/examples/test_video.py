"""The example of video prediction: its numbers by hand, and that it writes its animation."""

import importlib.util
from pathlib import Path

import forked
import numpy as np
import pytest
from contract import once_elsewhere
from PIL import Image

FILE = Path(__file__).parents[2] / "examples" / "video.py"


def example():
    spec = importlib.util.spec_from_file_location("video", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_numbers_of_each_frame():
    """Levels of 20, 40, 60 of which the predictions miss 0, 10, 20; the first frame of the second clip is still."""
    real = np.broadcast_to(np.array([20, 40, 60], "uint8")[None, :, None, None, None], (2, 3, 8, 8, 1)).copy()
    real[1, 0] = 0
    made = real + np.array([0, 10, 20], "uint8")[None, :, None, None, None]
    found = example().curves(real, made, np.zeros((2, 8, 8, 1), "uint8"))
    np.testing.assert_allclose(found["PSNR"], [100.0, 20 * np.log10(25.5), 20 * np.log10(12.75)])
    np.testing.assert_allclose(found["sharpness"], 100.0)


def test_both_models_have_the_same_networks():
    video = example()
    data = video.kg.data.load_clips(np.zeros((4, 6, 8, 8, 1), "uint8") + np.arange(64, dtype="uint8").reshape(8, 8, 1),
                                    batch_size=2)  # fmt: skip
    models = [video.trained(data, 1, 2, options) for options in video.LOSSES.values()]
    shapes = [[weight.shape for weight in model.generator.weights] for model in models]
    assert shapes[0] == shapes[1]
    assert [int(model.step) for model in models] == [1, 1] and int(video.trained(data, 5, 2, {"p": 2}).step) == 5


@once_elsewhere
def test_it_writes_its_animation(tmp_path):
    options = ["--steps", "2", "--filters", "1", "--clips", "32"]
    done = forked.run(FILE, "--output", tmp_path / "pictures", *options)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if "PSNR" in line or "sharpness" in line]
    assert len(rows) == 6 and all(len(row.split()[-8:]) == 8 for row in rows)
    with Image.open(tmp_path / "pictures" / "video.gif") as picture:
        assert picture.n_frames == 12 and picture.size == (6 * 96, 3 * 96)


@pytest.mark.parametrize("count", [1, 6])
def test_a_film_begins_with_the_clip(count, tmp_path):
    levels = np.random.default_rng(0).integers(0, 256, (count, 5, 8, 8, 1)).astype("uint8")
    example().film(tmp_path / "a.apng", levels[:, :3], levels[:, 3:], {"one": levels[:, 3:]}, factor=1)
    with Image.open(tmp_path / "a.apng") as picture:
        assert picture.n_frames == 5 and picture.size == (8 * count, 16)
        np.testing.assert_array_equal(np.asarray(picture.convert("L"))[:8, :8], levels[0, 0, ..., 0])
