"""What a discriminator knows about the generator's mistakes: its density ratio brings samples nearer to the data.

    python examples/theory/importance_sampling.py --output docs/theory

The best discriminator of a fixed generator has the logit d(x) = log p(x) / q(x), with p the data's density and q the
generator's. So exp(d(x)) weighs samples of q as if they came from p (importance sampling; Grover et al., 2019,
https://arxiv.org/abs/1906.09531), and a sample that is kept with probability min(1, exp(d(x) - c)) comes from p where
d <= c (rejection sampling; Azadi et al., 2019, https://arxiv.org/abs/1810.06758).

Above: two peaks on a line, and a generator that is linear in a normal number, so that it makes one. Below: drawn
digits of 16x16 pixels and a GAN that was trained briefly. In both, once the GAN is trained, a discriminator is trained
against the generator as it is, and judges new samples. Distances are to data that no network has seen.
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
from keras_gans.networks.dcgan import build_discriminator, build_generator

PEAK, STD = 0.4, 0.12  # peaks at -PEAK and PEAK
SHAPE = (16, 16, 1)  # of a digit
SHARE = 0.2  # of the digits that are kept


def peaks(count, seed):
    """Points of the data, float32 (count,)."""
    rng = np.random.default_rng(seed)
    return (rng.choice([-PEAK, PEAK], count) + STD * rng.standard_normal(count)).astype("float32")


def weights_of(logits):
    """Importance weights exp(d), which sum to 1."""
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def cap_for(logits, share):
    """The c at which min(1, exp(d - c)) is `share` on average."""
    low, high = logits.min() - 1.0, logits.max() - np.log(share)
    for _ in range(60):
        middle = (low + high) / 2
        kept = np.minimum(1.0, np.exp(np.minimum(logits - middle, 0.0))).mean()
        low, high = (middle, high) if kept > share else (low, middle)
    return high


def accepted(logits, cap, seed=0):
    """Which samples rejection keeps, bool (N,)."""
    chance = np.exp(np.minimum(logits - cap, 0.0))
    return np.random.default_rng(seed).random(len(logits)) < chance


def earth_mover(points, others, weights=None):
    """W1 on the line between weighted points and others: the area between their distribution functions."""
    weights = np.full(len(points), 1.0 / len(points)) if weights is None else weights
    line = np.sort(np.concatenate([points, others]))
    order = np.argsort(points)
    below = np.concatenate([[0.0], np.cumsum(weights[order])])
    own = below[np.searchsorted(points[order], line[:-1], side="right")]
    other = np.searchsorted(np.sort(others), line[:-1], side="right") / len(others)
    return float(np.sum(np.abs(own - other) * np.diff(line)))


def hidden(x, units):
    for _ in range(2):
        x = layers.LeakyReLU(0.2)(layers.Dense(units)(x))
    return x


def trained(generator, discriminator, images, epochs, rate=5e-4):
    """A GAN of these networks, sampled from the average of its weights."""
    gan = kg.DCGAN(generator, discriminator, ema_decay=0.99, seed=0)
    gan.compile(*(keras.optimizers.Adam(rate, beta_1=0.5) for _ in range(2)))
    gan.fit(images, batch_size=128, epochs=epochs, verbose=0)
    return gan


def made(gan, count, seed):
    """Samples, float32 in the networks' range."""
    return gan.predict(gan.prior(gan.noise(count, seed=seed)), batch_size=1024, verbose=0)


def trained_judge(real, fake, epochs, dropout=0.0):
    """A discriminator of features (N, numbers) of data and of samples: its logits, at best log p / q, as a function."""
    inputs = keras.Input(real.shape[1:])
    network = keras.Model(inputs, layers.Dense(1)(layers.Dropout(dropout, seed=0)(hidden(inputs, 64))))
    network.compile(keras.optimizers.Adam(1e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    both, targets = np.concatenate([real, fake]), np.repeat([[1.0], [0.0]], [len(real), len(fake)], axis=0)
    network.fit(both, targets, batch_size=256, epochs=epochs, verbose=0)
    return lambda x: network.predict(x, batch_size=1024, verbose=0)[:, 0].astype("float64")


def on_the_line(epochs=10, count=20_000):
    """The line: samples, logits, which samples are kept, and the distances to held-out data."""
    keras.utils.set_random_seed(0)
    data = peaks(count, seed=0)[:, None]
    latents, points = keras.Input((1,)), keras.Input((1, 1, 1))
    linear = keras.Model(latents, layers.Reshape((1, 1, 1))(layers.Dense(1)(latents)))
    discriminator = keras.Model(points, layers.Dense(1)(hidden(layers.Flatten()(points), 32)))
    gan = trained(linear, discriminator, data[:, :, None, None], epochs, rate=2e-3)
    judge = trained_judge(data, made(gan, count, seed=1)[:, :, 0, 0], epochs)
    points = made(gan, count, seed=2)[:, :, 0, 0]
    logits, points = judge(points), points[:, 0]
    kept, held_out = accepted(logits, logits.max()), peaks(count, seed=1)
    distances = {
        "as they are": earth_mover(points, held_out),
        "weighted": earth_mover(points, held_out, weights_of(logits)),
        "kept": earth_mover(points[kept], held_out),
    }
    return points, logits, kept, distances


def classifier(images, labels, epochs=8):
    """A function from images to 32 features of a classifier of digits, in which samples are compared."""
    inputs = keras.Input(SHAPE)
    features = layers.Dense(32, activation="relu")(hidden(layers.Flatten()(inputs), 256))
    network = keras.Model(inputs, layers.Dense(10)(features))
    network.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(images, labels, batch_size=128, epochs=epochs, verbose=0)
    network = keras.Model(inputs, features)
    return lambda x: network.predict(x, batch_size=1024, verbose=0).astype("float64")


def on_digits(epochs=12, count=8192):
    """The digits: samples, logits, which samples are kept, and the distances to held-out data.

    A discriminator of raw pixels tells all samples by their speckle: p and q hardly overlap, and the ratio says
    little. So it reads the first 16 principal components. Distances are Frechet's, of a classifier's features.
    """
    keras.utils.set_random_seed(0)
    images, labels = kg.data.digits(count + count // 2, SHAPE[:2])
    images = images.astype("float32") / 127.5 - 1.0
    data, held_out = images[:count], images[count:]
    gan = trained(
        build_generator(SHAPE, 16, base_filters=16), build_discriminator(SHAPE, base_filters=16), data, epochs
    )
    mean = data.mean(0).ravel()
    _, _, components = np.linalg.svd(data[:4096].reshape(-1, mean.size) - mean, full_matrices=False)

    def projected(x):
        return 0.3 * (x.reshape(len(x), -1) - mean) @ components[:16].T

    samples = made(gan, round(count / 2 / SHARE), seed=2)
    judge = trained_judge(projected(data), projected(made(gan, count, seed=1)), 10, dropout=0.2)
    logits = judge(projected(samples))
    kept = accepted(logits, cap_for(logits, SHARE))
    features = classifier(data, labels[:count])
    real, fake = features(held_out), features(samples)
    first = np.arange(len(kept)) < kept.sum()  # as many: the distance depends on the count
    distances = {
        name: kg.metrics.frechet_distance(real=real, fake=fake[chosen])
        for name, chosen in (("as they are", first), ("kept", kept))
    }
    return samples, logits, kept, distances


def tiles(images, columns=15):
    """Images in [-1, 1] side by side, uint8 (height, width)."""
    return kg.images.grid(np.round((images + 1) * 127.5).astype("uint8"), columns=columns)[..., 0]


def draw(path, epochs):
    points, logits, kept, distances = on_the_line(*([epochs] if epochs else []))
    figure, grid = plt.subplot_mosaic([["a", "b"], ["c", "d"]], figsize=(12, 6.4), layout="constrained")
    bins = np.linspace(-1.2, 1.2, 97)
    grid["a"].hist(peaks(20_000, seed=1), bins, density=True, color="lightgrey", label="data")
    for name, shown, weights in (
        ("as they are", points, None),
        ("weighted", points, weights_of(logits)),
        ("kept", points[kept], None),
    ):
        label = f"{name}: earth mover {distances[name]:.3f}"
        grid["a"].hist(shown, bins, weights=weights, density=True, histtype="step", label=label)
    print(f"line: kept {kept.mean():.0%}; " + ", ".join(f"{k} {v:.4f}" for k, v in distances.items()), flush=True)
    grid["a"].set(title="two peaks, and a generator that makes one", ylim=(0, 3))
    order, mean, std = np.argsort(points), points.mean(), points.std()
    truth = sum(np.exp(-0.5 * ((points[order] - m) / STD) ** 2) / (2 * STD) for m in (-PEAK, PEAK))
    truth = np.log(truth) + 0.5 * ((points[order] - mean) / std) ** 2 + np.log(std)
    grid["b"].plot(points[order], truth, color="lightgrey", linewidth=4, label="log p / q")
    grid["b"].plot(points[order], logits[order], label="logit of the discriminator")
    grid["b"].set(title="what the discriminator knows", xlim=(-1.2, 1.2), ylim=(-6, 3))
    for name in "ab":
        grid[name].legend(fontsize=8)
    samples, logits, kept, distances = on_digits(*([epochs] if epochs else []))
    print(f"digits: kept {kept.mean():.0%}; " + ", ".join(f"{k} {v:.2f}" for k, v in distances.items()))
    for name, title, shown in (("c", "as they are", samples), ("d", "kept", samples[kept])):
        grid[name].imshow(tiles(shown[:60]), cmap="gray", vmin=0, vmax=255)
        grid[name].set(title=f"{title}: Fréchet distance {distances[title]:.2f}")
        grid[name].axis("off")
    figure.savefig(path, dpi=60)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for importance_sampling.png")
    parser.add_argument("--epochs", type=int, help="of the GANs; 10 on the line and 12 of digits by default")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    draw(options.output / "importance_sampling.png", options.epochs)


if __name__ == "__main__":
    main()
