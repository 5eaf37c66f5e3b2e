"""What TensorBoard would show: read back from the event files by its own reader."""

import keras
import numpy as np
import pytest

import keras_gans as kg
from keras_gans.callbacks import EvaluateGenerator, TensorBoard
from keras_gans.errors import ConfigurationError
from keras_gans.metrics import Evaluator, pixels

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorboard")
pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="needs TensorFlow's event files")


def tensors(folder):
    """{tag: [(step, tensor), ...]} of all event files in a folder."""
    found = {}
    for path in sorted(folder.glob("events*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, tf.make_ndarray(value.tensor)))
    return found


def test_samples_and_numbers_are_written(make, batches, images, tmp_path):
    gan = make()
    evaluator = Evaluator(images, pixels(images.shape[1:]), "kernel_distance")
    measured = EvaluateGenerator(evaluator, samples=10)
    board = TensorBoard(tmp_path, rows=3, every=2, seed=4)
    history = gan.fit(batches, epochs=4, callbacks=[measured, board], verbose=0).history
    pictures = tensors(tmp_path / "samples")["samples"]
    assert [step for step, _ in pictures] == [1, 3]
    width, height, encoded = pictures[-1][1]
    assert (int(width), int(height)) == (24, 24)
    shown = tf.io.decode_png(encoded).numpy()
    np.testing.assert_array_equal(shown[..., :1], kg.images.grid(gan.generate(9, seed=4), 3))
    curve = tensors(tmp_path / "validation")["epoch_kernel_distance"]
    assert [float(value) for _, value in curve] == pytest.approx(history["val_kernel_distance"], rel=1e-6)


@pytest.mark.parametrize("options", [{"rows": 0}, {"every": 1.5}])
def test_numbers_out_of_range_are_refused(options, tmp_path):
    with pytest.raises(ConfigurationError, match="whole number"):
        TensorBoard(tmp_path, **options)
