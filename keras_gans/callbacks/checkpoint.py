"""Checkpoints of a training run, from which it goes on as if it had not been interrupted."""

import os
import warnings
from pathlib import Path

import keras

from keras_gans.callbacks.folders import make_writable
from keras_gans.errors import CheckpointError
from keras_gans.images import replacing

NEWEST, PREVIOUS = "checkpoint.keras", "checkpoint-previous.keras"


class Checkpoint(keras.callbacks.Callback):
    """Saves the whole training state at the end of each epoch, and keeps the one before.

    The state is all that the next step depends on: weights, moving averages, both optimizers, the noise's seeds, the
    step count and what callbacks keep on the model. With data from `kg.data.load`, whose order follows from the step
    count, a resumed run is the uninterrupted one, bit for bit; on PyTorch, dropout must have a seed of its own for
    that, `Dropout(rate, seed=...)`. List it last, after callbacks that change the model.

    Args:
        folder: for `checkpoint.keras` and `checkpoint-previous.keras`; made if need be. Each is written whole or not at
            all.

    Raises:
        OutputError: a folder that cannot be written to, found when training begins; or a full disk, which leaves the
            checkpoints that are there as they are.

    Example:

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> batches = kg.data.Batches(np.zeros((8, 8, 8, 1), "uint8"), batch_size=4)
    >>> gan = kg.DCGAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> gan.compile()
    >>> history = gan.fit(batches, epochs=1, callbacks=[Checkpoint(folder)], verbose=0)
    >>> gan = resume(folder)
    >>> done = int(gan.step) // len(batches)
    >>> history = gan.fit(batches, initial_epoch=done, epochs=3, callbacks=[Checkpoint(folder)], verbose=0)
    >>> history.epoch
    [1, 2]
    """

    def __init__(self, folder):
        super().__init__()
        self.folder = Path(folder)

    def on_train_begin(self, logs=None):
        make_writable(self.folder)

    def on_epoch_end(self, epoch, logs=None):
        newest = self.folder / NEWEST
        with replacing(newest) as path:
            self.model.save(path)
            if newest.exists():
                os.replace(newest, self.folder / PREVIOUS)


def resume(folder):
    """The model of the newest checkpoint in `folder` that can be read, compiled, to go on with.

    Args:
        folder: of a `Checkpoint`.

    Returns:
        The model; `int(model.step) // len(batches)` is the `initial_epoch` of the `fit` that goes on.

    Raises:
        CheckpointError: there is no checkpoint, or none that can be read.

    Warns:
        UserWarning: the newest is missing or damaged, and the model is that of the epoch before.
    """
    folder = Path(folder)
    try:
        return _read(folder / NEWEST)
    except CheckpointError as error:
        newest = error
    try:
        model = _read(folder / PREVIOUS)
    except CheckpointError as previous:
        raise CheckpointError(
            f"Expected a checkpoint in {folder}. Received: {newest}; {previous}. Give the folder of a Checkpoint "
            "callback, or start the training anew."
        ) from newest
    warnings.warn(f"{newest}: going on with the checkpoint of the epoch before, {folder / PREVIOUS}.", stacklevel=2)
    return model


def _read(path):
    if not path.is_file():
        raise CheckpointError(f"{path.name} is not there")
    try:
        return keras.saving.load_model(path)
    except Exception as error:  # zip, HDF5 and Keras each have their own for a damaged file
        raise CheckpointError(f"{path.name} cannot be read ({type(error).__name__}: {error})") from error
