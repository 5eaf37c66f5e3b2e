"""Figure 1 of the first GAN paper, from a GAN that trains: data, generator and discriminator on a line.

    python examples/theory/one_dimension.py --output docs/theory

Data is N(0.35, 0.15^2), the noise one uniform number, both networks small (Goodfellow et al., 2014,
https://arxiv.org/abs/1406.2661). Dotted: the data's density; solid: the generator's, from samples; dashed: the
discriminator D, with p / (p + p_G), the best that it could be, in grey. The lines below show where noise goes.
"""

import argparse
from pathlib import Path

import keras
import matplotlib

matplotlib.use("Agg")
import numpy as np
from keras import layers
from matplotlib import animation
from matplotlib import pyplot as plt

import keras_gans as kg

MEAN, STD = 0.35, 0.15
BATCH = 256
LINE = np.linspace(-1.0, 1.0, 201)


def data(count=20_000, seed=0):
    """Points of the data as images of one pixel, float32 (count, 1, 1, 1)."""
    points = np.random.Generator(np.random.PCG64(seed)).normal(MEAN, STD, count)
    return np.clip(points, -1, 1).astype("float32").reshape(-1, 1, 1, 1)


def build(steps):
    """A plain non-saturating GAN of points, whose learning rates fall to 0 within `steps`: it would circle without."""
    latents = keras.Input((1,))
    x = layers.Dense(32, activation="softplus")(latents)
    x = layers.Reshape((1, 1, 1))(layers.Dense(1, activation="tanh")(x))
    points = keras.Input((1, 1, 1))
    y = layers.Rescaling(4.0)(layers.Flatten()(points))
    for _ in range(2):
        y = layers.Dense(32, activation="softplus")(y)
    gan = kg.GAN(keras.Model(latents, x), keras.Model(points, layers.Dense(1)(y)), seed=0)
    # The discriminator learns faster, so that it is near its best for each generator, as in the paper's figure.
    falling = keras.optimizers.schedules.CosineDecay
    gan.compile(
        keras.optimizers.Adam(falling(1e-3, steps), beta_1=0.5),
        keras.optimizers.Adam(falling(1e-2, steps), beta_1=0.5),
    )
    return gan


def density(samples, bandwidth=0.03):
    """Of samples, on `LINE`: the mean of Gaussians around them."""
    return np.exp(-0.5 * ((LINE[:, None] - samples) / bandwidth) ** 2).mean(1) / (bandwidth * (2 * np.pi) ** 0.5)


class Panels(keras.callbacks.Callback):
    """Keeps after each epoch what a frame shows: (epoch, D on the line, the generator's density, where noise goes)."""

    def __init__(self, every):
        super().__init__()
        self.every, self.frames = every, []

    def on_train_begin(self, logs=None):
        self.noise = self.model.prior(self.model.noise(2000, seed=1))
        self.ladder = np.linspace(-(3**0.5), 3**0.5, 17, dtype="float32")[:, None]  # the prior's range
        self.keep(0)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            self.keep(epoch + 1)

    def keep(self, epoch):
        def on_noise(noise):
            return keras.ops.convert_to_numpy(self.model.generator(noise))[:, 0, 0, 0]

        logits = self.model.discriminator(LINE.astype("float32").reshape(-1, 1, 1, 1))
        probabilities = keras.ops.convert_to_numpy(keras.ops.sigmoid(logits))[:, 0]
        self.frames.append((epoch, probabilities, density(on_noise(self.noise)), on_noise(self.ladder)))


def draw(frames, path):
    """The frames as an animation."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(5, 4), sharex=True, height_ratios=(4, 1), layout="constrained")
    wanted = np.exp(-0.5 * ((LINE - MEAN) / STD) ** 2) / (STD * (2 * np.pi) ** 0.5)

    def show(frame):
        epoch, probabilities, made, goes_to = frame
        above.clear()
        below.clear()
        above.plot(LINE, wanted / 3, "k:", label="data / 3")
        above.plot(LINE, made / 3, color="tab:green", label="generator / 3")
        above.plot(LINE, wanted / (wanted + made + 1e-9), color="lightgrey", label="best D")
        above.plot(LINE, probabilities, "--", color="tab:blue", label="D")
        above.set(title=f"epoch {epoch}", ylim=(0, 1.5), xlim=(-1, 1))
        above.legend(fontsize=8, loc="upper left")
        for start, end in zip(np.linspace(-1, 1, len(goes_to)), goes_to):
            below.plot([start, end], [0, 1], color="tab:green", linewidth=0.7)
        below.set(yticks=[0, 1], yticklabels=["noise", "x"], ylim=(0, 1))

    animation.FuncAnimation(figure, show, frames=frames).save(path, writer=animation.PillowWriter(fps=6), dpi=60)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for one_dimension.gif")
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--every", type=int, default=2, help="epochs between two frames")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    panels = Panels(options.every)
    points = data()
    gan = build(options.epochs * -(-len(points) // BATCH))
    gan.fit(points, epochs=options.epochs, batch_size=BATCH, callbacks=[panels], verbose=0)
    draw(panels.frames, options.output / "one_dimension.gif")
    _, probabilities, made, _ = panels.frames[-1]
    mean = np.sum(LINE * made) / made.sum()
    std = (np.sum((LINE - mean) ** 2 * made) / made.sum()) ** 0.5
    print(f"generator: mean {mean:.3f}, deviation {std:.3f}; data: {MEAN}, {STD}; D within {probabilities.min():.2f} "
          f"and {probabilities.max():.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
