"""One input with two possible outputs: a regressor predicts their mean, an adversarial loss picks one of them.

    python examples/theory/mode_averaging.py --output docs/theory

The target of x is b(x) or -b(x), each with probability 1/2. The squared error is smallest at the mean, which is 0 and
no target of any x; the absolute error is the same everywhere between the targets. This is why images that are predicted
by a distance alone are blurred, and why pix2pix (Isola et al., 2017, https://arxiv.org/abs/1611.07004) and video
prediction (Mathieu et al., 2016, https://arxiv.org/abs/1511.05440) add a discriminator. The conditional GAN here is
`kg.CGAN` with x as its label and the target as an image of one pixel.
"""

import argparse
from pathlib import Path

import keras
import matplotlib

matplotlib.use("Agg")
import numpy as np
from keras import layers
from matplotlib import pyplot as plt

import keras_gans as kg

EXAMPLES = 4096
LATENTS = 2


def branch(x):
    """The positive target of x in [-1, 1]: between 0.25 and 0.75.

    >>> branch(np.array([-1.0, 0.0, 1.0])).tolist()
    [0.75, 0.5, 0.25]
    """
    return 0.5 - 0.25 * np.sin(np.pi / 2 * x)


def pairs(count, seed=0):
    """Inputs and targets, float32 (count,) each."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, count)
    return x.astype("float32"), (branch(x) * rng.choice([-1.0, 1.0], count)).astype("float32")


def best_constant(targets, weights, power):
    """The number c of a grid that makes sum_i weights_i |targets_i - c|^power smallest; the middle one of several.

    >>> best_constant([-0.5, 0.5], [0.5, 0.5], 2), best_constant([-0.5, 0.5], [0.75, 0.25], 1)
    (0.0, -0.5)
    """
    grid = np.linspace(-1.0, 1.0, 2001)
    errors = sum(w * np.abs(t - grid) ** power for t, w in zip(targets, weights))
    best = grid[np.isclose(errors, errors.min(), rtol=0, atol=1e-12)]
    return round(float(best[len(best) // 2]), 3) + 0.0


def dense(inputs, units=64):
    for _ in range(2):
        inputs = layers.Dense(units, activation="leaky_relu")(inputs)
    return inputs


def regressor(x, y, epochs):
    """A network from x to y, trained on the squared error."""
    inputs = keras.Input((1,))
    network = keras.Model(inputs, layers.Dense(1)(dense(inputs)))
    network.compile(keras.optimizers.Adam(1e-3), "mean_squared_error")
    network.fit(x[:, None], y[:, None], batch_size=128, epochs=epochs, verbose=0)
    return network


def conditional_gan(x, y, epochs):
    """A CGAN of x as the label and y as an image of one pixel."""
    latents, labels = keras.Input((LATENTS,)), keras.Input((1,))
    made = layers.Dense(1, activation="tanh")(dense(layers.Concatenate()([latents, labels])))
    generator = keras.Model([latents, labels], layers.Reshape((1, 1, 1))(made))
    labels, images = keras.Input((1,)), keras.Input((1, 1, 1))
    pair = layers.Concatenate()([labels, layers.Flatten()(images)])
    discriminator = keras.Model([labels, images], layers.Dense(1)(dense(pair)))
    gan = kg.CGAN(generator, discriminator, label_space=kg.data.Values(1), ema_decay=0.99, seed=0)
    adam = keras.optimizers.Adam
    gan.compile(adam(1e-3, beta_1=0.5), adam(1e-3, beta_1=0.5))
    gan.fit(y[:, None, None, None], x[:, None], batch_size=128, epochs=epochs, verbose=0)
    return gan


def distance_to_targets(x, y):
    """How far predictions are from the nearer of the two targets, (N,)."""
    return np.abs(np.abs(y) - branch(x))


def draw(path, epochs):
    keras.utils.set_random_seed(0)
    x, y = pairs(EXAMPLES)
    network, gan = regressor(x, y, epochs), conditional_gan(x, y, epochs)
    asked = np.linspace(-1.0, 1.0, 400).astype("float32")
    mean = network.predict(asked[:, None], verbose=0)[:, 0]
    latents = gan.prior(gan.noise(len(asked), seed=0))
    samples = gan.predict([latents, gan.label_space.encode(asked[:, None])], verbose=0).reshape(-1)
    figure, panels = plt.subplots(1, 3, figsize=(13, 3.4), sharey=True, layout="constrained")
    shown = (("data", x[:800], y[:800]), ("squared error", asked, mean), ("adversarial loss", asked, samples))
    for panel, (name, inputs, outputs) in zip(panels, shown):
        panel.plot(asked, branch(asked), color="lightgrey", linewidth=6, zorder=0)
        panel.plot(asked, -branch(asked), color="lightgrey", linewidth=6, zorder=0)
        panel.scatter(inputs, outputs, s=5, color="tab:blue")
        distance = distance_to_targets(inputs, outputs).mean()
        panel.set(title=f"{name}: {distance:.2f} from the nearer target", xlabel="input", ylim=(-1, 1))
        print(f"{name:16} mean distance to the nearer target {distance:.3f}")
    panels[0].set_ylabel("output")
    figure.savefig(path, dpi=70)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for mode_averaging.png")
    parser.add_argument("--epochs", type=int, default=60, help="passes over the data, for each network")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    draw(options.output / "mode_averaging.png", options.epochs)


if __name__ == "__main__":
    main()
