"""The shortest map from noise to data: an adversarial flow on a line, with and without its transport term.

    python examples/theory/shortest_map.py --output docs/theory

The data are four peaks, the latents z normal numbers. Many maps send z to the data, and a GAN finds one by chance. On a
line the map that moves z the least never changes the order: it is the quantile function of the data. The transport
term of `kg.AdversarialFlow`, E[(G(z) - z)^2], picks it, whatever the first weights were (Lin et al., 2025,
https://arxiv.org/abs/2511.22475). A number on the line is an image of one pixel.
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

PEAKS, SPREAD = (-0.9, -0.3, 0.3, 0.9), 0.03
EXAMPLES = 4096


def points(count, seed=0):
    """float32 (count,): the same number from each peak."""
    rng = np.random.default_rng(seed)
    return (np.resize(PEAKS, count) + SPREAD * rng.normal(size=count)).astype("float32")


def order_kept(z, x):
    """Spearman's correlation of two lists of numbers: 1 if they have the same order, -1 if the opposite one.

    >>> order_kept(np.array([3.0, 1.0, 2.0]), np.array([9.0, -5.0, 0.0]))
    1.0
    """
    ranks = [np.argsort(np.argsort(values)) for values in (z, x)]
    return round(float(np.corrcoef(*ranks)[0, 1]), 4)


def peaks_found(x):
    """How many peaks have at least a tenth of the points within three deviations.

    >>> peaks_found(np.array([-0.9, -0.88, 0.3]))
    2
    """
    return sum(int(np.mean(np.abs(x - peak) < 3 * SPREAD) >= 0.1) for peak in PEAKS)


def dense(inputs, units=128):
    for _ in range(3):
        inputs = layers.Dense(units, activation="leaky_relu")(inputs)
    return inputs


def flow(transport_weight, seed, epochs):
    """An adversarial flow from normal numbers to the points, trained."""
    keras.utils.set_random_seed(seed)
    latents, images = keras.Input((1,)), keras.Input((1, 1, 1))
    generator = keras.Model(latents, layers.Reshape((1, 1, 1))(layers.Dense(1)(dense(latents))))
    discriminator = keras.Model(images, layers.Dense(1)(dense(layers.Flatten()(images))))
    gan = kg.AdversarialFlow(
        generator, discriminator, transport_weight=transport_weight, gp_weight=0.01, ema_decay=0.99, seed=seed
    )
    adam = keras.optimizers.Adam
    gan.compile(adam(1e-3, beta_1=0.0, beta_2=0.9), adam(1e-3, beta_1=0.0, beta_2=0.9))
    gan.fit(points(EXAMPLES)[:, None, None, None], batch_size=256, epochs=epochs, verbose=0)
    return gan


def mapped(gan, z):
    """G(z) for numbers z, (N,)."""
    return gan.predict(np.asarray(z, "float32")[:, None], verbose=0).reshape(-1)


def draw(path, epochs, runs):
    z = np.linspace(-2.5, 2.5, 400)
    drawn = np.random.default_rng(1).normal(size=2000)
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
    for panel, weight in zip(panels, (0.0, 0.05)):
        for seed in range(runs):
            gan = flow(weight, seed, epochs)
            kept, found = order_kept(drawn, mapped(gan, drawn)), peaks_found(mapped(gan, drawn))
            panel.plot(z, mapped(gan, z), label=f"run {seed}: order {kept:.2f}, {found} peaks")
            print(f"transport weight {weight}, run {seed}: order kept {kept}, peaks found {found}")
        for peak in PEAKS:
            panel.axhline(peak, color="lightgrey", linewidth=6, zorder=0)
        panel.set(title=f"transport weight {weight:g}", xlabel="z", ylim=(-1.8, 1.2))
        panel.legend(fontsize=7, loc="lower center", ncols=2)
    panels[0].set_ylabel("G(z)")
    figure.savefig(path, dpi=70)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for shortest_map.png")
    parser.add_argument("--epochs", type=int, default=120, help="passes over the data, for each run")
    parser.add_argument("--runs", type=int, default=3, help="runs from other first weights")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    draw(options.output / "shortest_map.png", options.epochs, options.runs)


if __name__ == "__main__":
    main()
