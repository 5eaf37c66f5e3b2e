"""TensorBoard with images: Keras's callback, which also shows a grid of generated images."""

from pathlib import Path

import keras

from keras_gans import sampling
from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_whole


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras's `TensorBoard`, which writes the logs, plus a grid of samples as the image "samples".

    The grid is that of `SampleGrid` with as many columns as rows. List it after callbacks that add to the logs, such as
    `EvaluateGenerator`: its "val_frechet_distance" then appears among the validation curves.

    It needs the packages tensorboard and tensorflow: pip install "keras-gans[tensorboard]".

    Args:
        log_dir: folder of the event files; `tensorboard --logdir log_dir` shows them. The samples are in its
            subfolder `samples`, next to Keras's `train` and `validation`.
        rows: rows and columns of the grid, 1 or more.
        every: epochs from one grid to the next, 1 or more.
        seed: whole number that determines the noise.
        **kwargs: arguments of `keras.callbacks.TensorBoard`.

    Raises:
        ConfigurationError: numbers out of range.

    Example:

    >>> board = TensorBoard("logs", rows=4, every=5)
    >>> board.rows, board.update_freq
    (4, 'epoch')
    """

    def __init__(self, log_dir="logs", *, rows=8, every=1, seed=0, **kwargs):
        super().__init__(log_dir=str(log_dir), **kwargs)
        for name, number in (("rows", rows), ("every", every)):
            if not is_whole(number, 1):
                raise ConfigurationError(f"Expected {name} to be a whole number, 1 or more. Received: {number!r}.")
        self.rows, self.every, self.seed = rows, every, seed
        self._samples = None

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if (epoch + 1) % self.every:
            return
        if self._samples is None:
            self._samples = self.summary.create_file_writer(str(Path(self.log_dir) / "samples"))
        picture = sampling.sheet(self.model, self.rows, self.rows, self.seed)
        with self._samples.as_default():
            self.summary.image("samples", picture[None], step=epoch)

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        if self._samples is not None:
            self._samples.close()
            self._samples = None
