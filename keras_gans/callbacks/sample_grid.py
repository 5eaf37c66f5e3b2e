"""Grids of images that show the training's progress: the same noise, epoch after epoch."""

from pathlib import Path

import keras
from PIL import Image

from keras_gans import engine, images, sampling
from keras_gans.batch_statistics import standing_statistics
from keras_gans.callbacks.folders import make_writable
from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_whole
from keras_gans_core.runs import grids


class SampleGrid(keras.callbacks.Callback):
    """Writes a grid of generated images as `epoch_0001.png`, ... and, if asked, all of them as one animation.

    The images are made from the same noise each time, with the moving averages of the weights if the model keeps them
    and batch norm's statistics computed for them. A conditional model shows one class per column if there is room.
    Inputs that cannot be drawn, such as images to translate, are the first examples of the data, and are shown next to
    the outputs. Sampling does not change the training.

    Args:
        folder: for the files; created if needed.
        rows, columns: of the grid, 1 or more; as many columns as rows by default.
        every: epochs from one grid to the next, 1 or more; a resumed run keeps counting. The last epoch of a run always
            has a grid.
        seed: whole number that determines the noise.
        timelapse: file name of the animation, a GIF ("timelapse.gif") or an animated PNG ("timelapse.png", in which
            colours are exact), written to `folder` when training ends; None for none. It shows all grids in the
            folder up to the last epoch that are as large as the last one; in a resumed run, from its beginning.
        milliseconds: how long the animation shows a grid, 1 or more; GIF counts in tens.

    Raises:
        ConfigurationError: numbers out of range, or an animation that is neither GIF nor PNG.
        OutputError: when training begins, a folder that cannot be written to.

    Example:

    >>> grid = SampleGrid("samples", rows=4, every=5, timelapse="timelapse.gif")
    >>> grid.rows, grid.columns
    (4, 4)
    """

    def __init__(self, folder="samples", *, rows=8, columns=None, every=1, seed=0, timelapse=None, milliseconds=200):
        super().__init__()
        columns = rows if columns is None else columns
        for name, number in (("rows", rows), ("columns", columns), ("every", every), ("milliseconds", milliseconds)):
            if not is_whole(number, 1):
                raise ConfigurationError(f"Expected {name} to be a whole number, 1 or more. Received: {number!r}.")
        if not is_whole(seed, -(2**63)) or seed >= 2**63:
            raise ConfigurationError(f"Expected a seed that is a whole number of 64 bits. Received: {seed!r}.")
        if timelapse is not None and Path(timelapse).suffix.lower() not in (".gif", ".png"):
            raise ConfigurationError(
                f"Expected timelapse to be a file name that ends in .gif or .png, or None. Received: {timelapse!r}."
            )
        self.folder, self.rows, self.columns, self.every, self.seed = Path(folder), rows, columns, every, seed
        self.timelapse, self.milliseconds = timelapse, milliseconds

    def on_train_begin(self, logs=None):
        if engine.writes_files(self.model):
            make_writable(self.folder)
            images.remove_unfinished(self.folder, "epoch_*")
        self._last = self._drawn = 0

    def on_epoch_end(self, epoch, logs=None):
        if not engine.writes_files(self.model):
            return
        self._last = epoch + 1
        if self._last % self.every == 0 or self._last == self.params["epochs"]:
            self._draw()

    def on_train_end(self, logs=None):
        if self._last == 0:  # nothing was left to train
            return
        if self._drawn < self._last:  # another callback ended the training early
            self._draw()
        if self.timelapse is not None:
            self._animate()

    def _draw(self):
        with standing_statistics(self.model):
            picture = sampling.sheet(self.model, self.rows, self.columns, self.seed)
        images.save(picture, self.folder / f"epoch_{self._last:04d}.png")
        self._drawn = self._last

    def _animate(self):
        # Later ones belong to another run.
        pictures = [_read(path) for epoch, path in grids(self.folder).items() if epoch <= self._last]
        first, *others = [picture for picture in pictures if picture.size == pictures[-1].size]
        options = {"duration": self.milliseconds, "loop": 0}  # repeats for ever
        if first.mode == "RGBA" and Path(self.timelapse).suffix.lower() == ".gif":
            options["disposal"] = 2  # clears a frame before the next, which would not cover it
        images.save(first, self.folder / self.timelapse, save_all=True, append_images=others, **options)


def _read(path):
    with Image.open(path) as picture:
        return picture.copy()
