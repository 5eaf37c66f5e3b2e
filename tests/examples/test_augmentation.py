"""The example of data augmentation: its numbers by hand, and that it compares four classifiers."""

import importlib.util
from pathlib import Path

import forked
import numpy as np
from contract import once_elsewhere

import keras_gans as kg

FILE = Path(__file__).parents[2] / "examples" / "augmentation.py"


def example():
    spec = importlib.util.spec_from_file_location("augmentation", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_interval_of_three_numbers():
    """1, 2 and 3 have the mean 2 and the standard error 1 / sqrt(3); Student's factor is 4.30."""
    mean, half = example().interval([1.0, 2.0, 3.0])
    assert mean == 2.0 and abs(half - 4.30 / np.sqrt(3.0)) < 1e-12
    assert example().interval([5.0]) == (5.0, np.inf)


def test_each_class_has_as_many_examples_and_each_seed_others():
    images, labels = np.arange(60).reshape(60, 1), np.repeat([0, 1, 2], 20)
    drawn = [example().few(images, labels, 4, seed) for seed in (0, 0, 1)]
    for chosen, classes in drawn:
        assert np.bincount(classes).tolist() == [4, 4, 4] and len(np.unique(chosen)) == 12
        np.testing.assert_array_equal(labels[chosen[:, 0]], classes)
    np.testing.assert_array_equal(drawn[0][0], drawn[1][0])
    assert set(drawn[0][0].ravel()) != set(drawn[2][0].ravel())


def test_the_accuracy_is_that_of_inference():
    module = example()
    images = np.zeros((1001, 8, 8, 1), "uint8")
    images[:400] = 255

    def classifier(images, training):
        assert not training and len(images) <= 500
        bright = module.keras.ops.mean(images, axis=(1, 2, 3))
        return module.keras.ops.stack([-bright, bright], axis=1)

    assert module.accuracy(classifier, images, np.ones(1001)) == 400 / 1001


@once_elsewhere
def test_four_classifiers_are_compared(tmp_path):
    x, y = kg.data.digits(60)
    np.savez(tmp_path / "digits.npz", x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])
    options = ["--seeds", "1", "--per-class", "2", "--gan-steps", "1", "--generated", "2", "--steps", "1"]
    command = [FILE, "--data", "digits.npz", "--test", "20", *options, "--picture", "made.png"]
    done = forked.run(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = [line[:12].strip() for line in done.stdout.splitlines()[1:]]
    assert names == ["few labels", "classical", "generated", "both"]
    assert (tmp_path / "made.png").exists()
