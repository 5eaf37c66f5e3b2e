"""How long an epoch of `fit` takes, one after the other: whether the next epoch waits for the last one's data set.

    python benchmarks/epochs.py [--epochs 8] [--steps 40]

On TensorFlow, tf.data tunes itself in a thread that sleeps 10, 20, 40, ... ms, up to a minute. The end of an epoch may
come too late for it to notice, and closing the data set then waits until it wakes: for as long as the epoch took.
Whether that happens depends on how the threads meet. Rows: the same small model by Keras's own `fit` on a plain
`tf.data` pipeline, and a `DCGAN` by ours, which reads data with the tuning off.
"""

import argparse
import time

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import keras_gans as kg

SHAPE = (32, 32, 3)


class Times(keras.callbacks.Callback):
    """The seconds from the beginning of each epoch to that of the next."""

    def __init__(self):
        super().__init__()
        self.begun = []

    def on_epoch_begin(self, epoch, logs=None):
        self.begun.append(time.perf_counter())

    def on_train_end(self, logs=None):
        self.seconds = np.diff([*self.begun, time.perf_counter()])[1:]  # the first one compiles


def plain(images, epochs):
    model = keras.Sequential([layers.Conv2D(64, 5, padding="same") for _ in range(2)])
    model.add(layers.Conv2D(3, 5, padding="same"))
    model.compile("sgd", "mse")
    times = Times()
    dataset = tf.data.Dataset.from_tensor_slices((images, images)).batch(16).prefetch(2)
    model.fit(dataset, epochs=epochs, callbacks=[times], verbose=0)
    return times.seconds


def ours(images, epochs):
    model = kg.DCGAN(image_shape=SHAPE)
    model.compile()
    times = Times()
    model.fit(images, batch_size=16, epochs=epochs, callbacks=[times], verbose=0)
    return times.seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    images = np.random.default_rng(0).uniform(-1, 1, (16 * options.steps, *SHAPE)).astype("float32")
    for name, run in (("keras", plain), ("ours", ours)):
        seconds = run(images, options.epochs)
        shown = " ".join(f"{second:.2f}" for second in seconds)
        print(f"{name:6} shortest {seconds.min():.2f} s, mean {seconds.mean() / seconds.min():.2f} times that: {shown}")


if __name__ == "__main__":
    main()
