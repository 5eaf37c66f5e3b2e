"""The example of inpainting and anomalies: its numbers by hand, and that it writes its picture."""

import importlib.util
from pathlib import Path

import forked
import numpy as np
from contract import once_elsewhere
from PIL import Image

import keras_gans as kg

FILE = Path(__file__).parents[2] / "examples" / "inversion.py"


def example():
    spec = importlib.util.spec_from_file_location("inversion", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_area_under_the_curve():
    """Of 3 x 2 pairs the damaged image is larger in 4 and equal in 1."""
    assert example().area([1.0, 2.0, 4.0], [2.0, 5.0]) == 4.5 / 6.0
    assert example().area([0.0], [1.0]) == 1.0


def test_the_error_inside_a_square():
    one = np.zeros((2, 4, 4, 1), "uint8")
    other, inside = one.copy(), np.zeros((2, 4, 4), bool)
    other[:, 0] = 255
    inside[0, :2], inside[1, 2:] = True, True
    np.testing.assert_allclose(example().errors(one, other, inside), [2.0, 0.0])  # half of the pixels differ by 2
    np.testing.assert_allclose(example().errors(one, other), 1.0)


def test_the_squares_lie_inside():
    inside = example().squares(50, 10, (28, 28, 1), seed=0)
    assert (inside.sum(axis=(1, 2)) == 100).all() and len(np.unique(inside.argmax(axis=2).max(axis=1))) > 3
    assert not inside[:, :7].any() and not inside[:, :, 21:].any()


def test_the_nearest_training_image_is_that_of_the_known_pixels():
    train = np.zeros((2, 4, 4, 1), "uint8")
    train[1] = 200
    image, known = np.full((1, 4, 4, 1), 200, "uint8"), np.zeros((1, 4, 4), bool)
    image[0, 1:], known[0, 0] = 0, True
    np.testing.assert_array_equal(example().nearest_training(train, image, known), train[1:])


@once_elsewhere
def test_it_writes_its_picture(tmp_path):
    x, y = kg.data.digits(60)
    np.savez(tmp_path / "digits.npz", x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])
    options = ["--count", "2", "--steps", "1", "--seeds", "2", "--train", "4", "--data", "digits.npz"]
    done = forked.run(FILE, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mean training image" in done.stdout and "the largest error lies in the square" in done.stdout
    with Image.open(tmp_path / "inversion.png") as picture:
        assert picture.size == (2 * 28 * 3, 5 * 28 * 3)
