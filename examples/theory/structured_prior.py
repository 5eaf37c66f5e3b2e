"""Eight clusters from one Gaussian or from a mixture: what discrete codes in the latents are for.

    python examples/theory/structured_prior.py --output docs/theory

A generator is continuous. From latents that form one cloud it can only make one connected set of points: between the
clusters of the data stay bridges, or clusters are left out. A prior with a one-hot code of eight categories is a
mixture of eight clouds, which need not touch. But nothing says that each code has to mean one cluster: trained as it
is, the generator mixes them up. InfoGAN (Chen et al., 2016, https://arxiv.org/abs/1606.03657) asks that the points tell
their code, here with weight 0, which is the GAN as it is, and with weight 1.

Three GANs of the same hidden layers are trained on eight Gaussians on a circle. The last one's clusters are narrower
than the data's: points in the middle of a cluster tell their code best. A sample is off where it is more than
three deviations from every cluster. Pure is the share of samples in the cluster to which most of their code go.
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

MODES, STD, SCALE = 8, 0.05, 1.5
CENTERS = kg.data.ring_centers(MODES)
NOISE = 2
SHAPE = (1, 1, 2)


def hidden(x, units=128, **last):
    x = layers.LeakyReLU(0.2)(layers.Dense(units)(x))
    return layers.LeakyReLU(0.2, **last)(layers.Dense(units)(x))


def networks(latent_dim):
    """A generator of points and a discriminator with a layer named "features"."""
    latents, points = keras.Input((latent_dim,)), keras.Input(SHAPE)
    made = layers.Dense(2, activation="tanh")(hidden(latents))
    logits = layers.Dense(1)(hidden(layers.Flatten()(points), name="features"))
    return keras.Model(latents, layers.Reshape(SHAPE)(made)), keras.Model(points, logits)


def one_gaussian():
    return kg.DCGAN(*networks(NOISE), ema_decay=0.99, seed=0)


def mixture(weight):
    generator, discriminator = networks(NOISE + MODES)
    features = keras.Input(discriminator.get_layer("features").output.shape[1:])
    recognizer = keras.Model(features, layers.Dense(MODES)(features))
    codes = {"categories": (MODES,), "continuous": 0, "categorical_weight": weight}
    return kg.InfoGAN(generator, discriminator, recognizer, **codes, ema_decay=0.99, seed=0)


MODELS = {
    "one Gaussian": one_gaussian,
    "a mixture of eight": lambda: mixture(0.0),
    "the same, and the points tell the code": lambda: mixture(1.0),
}


def trained(make, epochs):
    keras.utils.set_random_seed(0)
    gan = make()
    gan.compile(*(keras.optimizers.Adam(1e-3, beta_1=0.5) for _ in range(2)))
    points, _ = kg.data.ring(12_800, MODES, std=STD)
    gan.fit(kg.data.points(points, scale=SCALE, batch_size=128), epochs=epochs, verbose=0)
    return gan


def samples(gan, count=2500):
    """Points (count, 2), and the code of each, zeros where the prior has none."""
    latents = keras.ops.convert_to_numpy(gan.prior(gan.noise(count, seed=0)))
    points = SCALE * gan.predict(latents, batch_size=2500, verbose=0).reshape(-1, 2)
    codes = latents[:, NOISE:]
    return points, codes.argmax(1) if codes.size else np.zeros(count, int)


def off(points):
    """The share of points that are more than three deviations from every cluster."""
    distances = np.linalg.norm(points[:, None] - CENTERS, axis=-1)
    return float((distances.min(1) > 3 * STD).mean())


def modes_found(points):
    """How many clusters have 1 % of the points or more within three deviations."""
    distances = np.linalg.norm(points[:, None] - CENTERS, axis=-1)
    return int(((distances <= 3 * STD).mean(0) >= 0.01).sum())


def purity(points, codes):
    """The share of points whose nearest cluster is the one that most points of their code are nearest to."""
    nearest = np.linalg.norm(points[:, None] - CENTERS, axis=-1).argmin(1)
    return sum(np.bincount(nearest[codes == code]).max() for code in set(codes)) / len(points)


def draw(path, epochs):
    figure, panels = plt.subplots(1, len(MODELS), figsize=(12, 4.3), layout="constrained")
    for panel, (name, make) in zip(panels, MODELS.items()):
        points, codes = samples(trained(make, epochs))
        found = f"{modes_found(points)} clusters, {off(points):.0%} off, {purity(points, codes):.0%} pure"
        panel.plot(*CENTERS.T, "o", markersize=22, color="lightgrey", zorder=0)
        panel.scatter(*points.T, c=codes, cmap="tab10", vmin=0, vmax=9, s=2)
        panel.set(title=f"{name}\n{found}", xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal")
        panel.title.set_fontsize(10)
        print(f"{name:40} {found}", flush=True)
    figure.savefig(path, dpi=60)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for structured_prior.png")
    parser.add_argument("--epochs", type=int, default=30, help="of each training, each of 100 steps")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    draw(options.output / "structured_prior.png", options.epochs)


if __name__ == "__main__":
    main()
