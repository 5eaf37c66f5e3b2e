"""Runs whose steps and results cost next to nothing, for tests of the run's folder."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_gans as kg
from keras_gans.images import atomic_write
from keras_gans.models.gan import build_discriminator, build_generator
from keras_gans.phases import Phase
from keras_gans.training import Recipe, train

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 1)).astype("uint8")
NEWEST, PREVIOUS = "checkpoint.keras", "checkpoint-previous.keras"


def a_step(self, data):
    """In the place of `train_step`: what it leaves depends on the weights before it and on its batch."""
    mean, kernel = ops.mean(self.encode_batch(data)["images"]), self.generator.trainable_variables[0]
    kernel.assign(0.5 * kernel + mean)
    return self.log(d_loss=mean, g_loss=ops.sum(kernel))


def a_preset(model, folder, card, examples=None, trainable=False):
    """In the place of `zoo.write_preset`: the same files in the same order, without a model in them."""
    for name in ("model.keras", "golden.npz", "samples.png", "card.json"):
        with atomic_write(folder / name) as path:
            path.write_text(str(int(model.step)))


@pytest.fixture
def light(monkeypatch):
    monkeypatch.setattr(kg.GAN, "train_step", a_step)
    monkeypatch.setattr(kg.zoo, "write_preset", a_preset)
    monkeypatch.setattr(kg.callbacks.SampleGrid, "_draw", lambda self: setattr(self, "_drawn", self._last))


class At(keras.callbacks.Callback):
    """Does something when a step of the run is done; by default it ends the process, as far as a test can."""

    def __init__(self, step, act=None):
        super().__init__()
        self.step, self.act = step, act

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) == self.step:
            if self.act is None:
                raise KeyboardInterrupt
            self.act()


def a_gan(phases=1, callbacks=(), epochs=2):
    """A recipe of two steps an epoch."""

    def recipe(smoke=False):
        networks = build_generator((8, 8, 1), 2, units=2), build_discriminator((8, 8, 1), units=2, pieces=1)
        gan = kg.GAN(*networks)
        gan.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), run_eagerly=True)
        data = kg.data.Batches(IMAGES, batch_size=4, seed=2)
        return Recipe(gan, phases=[Phase(data, epochs) for _ in range(phases)], callbacks=list(callbacks))

    return recipe


def run(folder, recipe=None, **options):
    """Trains with a checkpoint after each step."""
    return train(recipe or a_gan(), folder, checkpoint_steps=1, verbose=0, **options)
