"""What the discriminator answers at best, and what the players learn from the answer.

    python examples/theory/objectives.py --output docs/theory

Four panels: the optimal discriminator p / (p + q), as it is and with smoothed labels (Salimans et al., 2016, section
3.4, https://arxiv.org/abs/1606.03498); the generator's two losses (Goodfellow et al., 2014, section 3,
https://arxiv.org/abs/1406.2661) and their slopes, of which log(1 - D) has none where the discriminator is sure; and
minibatch discrimination (Salimans et al., section 3.2), which tells a collapsed batch by its similarities.
"""

import argparse
import math
from pathlib import Path

import keras
import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

import keras_gans as kg

X = np.linspace(-4.0, 8.0, 601)


def normal(x, mean, std):
    """The density of a Gaussian."""
    return np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * (2 * np.pi) ** 0.5)


def best_discriminator(p, q, real_target=1.0, fake_target=0.0):
    """D that minimises the cross-entropy with these targets: (real_target p + fake_target q) / (p + q).

    Smoothed on the real side alone it stays a multiple of p / (p + q). With a fake_target above 0 it rises where the
    generator is and no data: the generator would be rewarded for staying there.
    """
    return (real_target * p + fake_target * q) / (p + q)


def generator_losses(logit):
    """What the generator minimises, of the discriminator's logit for its image: (log(1 - D), -log D)."""
    return -np.logaddexp(0.0, logit), np.logaddexp(0.0, -logit)


def generator_slopes(logit):
    """Their derivatives by the logit: (-D, D - 1)."""
    probability = 1.0 / (1.0 + np.exp(-logit))
    return -probability, probability - 1.0


def similarity(spread, count=512):
    """The layer's mean similarity o / N of a batch of normal numbers; its limit is exp(spread^2) erfc(spread)."""
    layer = kg.layers.MinibatchDiscrimination(kernels=1, dims=1, kernel_initializer="ones")
    batch = spread * np.random.default_rng(0).standard_normal((count, 1))
    return float(keras.ops.convert_to_numpy(layer(batch.astype("float32")))[:, 1].mean()) / count


def expected_similarity(spread):
    """E exp(-|a - b|) for independent a and b from N(0, spread^2)."""
    return math.exp(spread**2) * math.erfc(spread)


def draw(path):
    figure, panels = plt.subplots(1, 4, figsize=(16, 3.6), layout="constrained")
    p, q = normal(X, 0.0, 1.0), normal(X, 3.0, 1.0)
    panels[0].fill_between(X, p, color="lightgrey", label="data")
    panels[0].fill_between(X, q, color="tab:green", alpha=0.25, label="generator")
    panels[0].plot(X, best_discriminator(p, q), color="black", label="D")
    panels[0].plot(X, best_discriminator(p, q, 0.9), color="tab:blue", label="one side smoothed: 0.9, 0")
    panels[0].plot(X, best_discriminator(p, q, 0.9, 0.1), "--", color="tab:red", label="both sides: 0.9, 0.1")
    panels[0].set(title="the optimal discriminator", xlim=(-4, 8), ylim=(0, 1.5))
    logits = np.linspace(-6.0, 6.0, 200)
    for panel, title, values in (
        (panels[1], "the generator's loss", generator_losses(logits)),
        (panels[2], "its slope", generator_slopes(logits)),
    ):
        for name, line in zip(("log(1 - D)", "-log D"), values):
            panel.plot(logits, line, label=name)
        panel.set(title=title, xlabel="logit of D: below 0 where it sees the fake")
    spreads = np.linspace(0.0, 3.0, 31)
    panels[3].plot(spreads, [similarity(s) for s in spreads], label="the layer, a batch of 512")
    panels[3].plot(spreads, [expected_similarity(s) for s in spreads], "k:", label="exp(s²) erfc(s)")
    panels[3].set(title="minibatch discrimination: similarity", xlabel="spread s of the batch", ylim=(0, 1.1))
    for panel in panels:
        panel.legend(fontsize=8)
    figure.savefig(path, dpi=60)
    plt.close(figure)
    print("where the discriminator is sure, at a logit of -6:")
    for name, slope in zip(("log(1 - D)", "-log D"), generator_slopes(np.float64(-6.0))):
        print(f"{name:12} slope {slope:8.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for objectives.png")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    draw(output / "objectives.png")


if __name__ == "__main__":
    main()
