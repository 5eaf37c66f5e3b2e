"""One Gaussian fitted to two peaks: which divergence covers both, and which chooses one.

    python examples/theory/mode_seeking.py --output docs/theory

KL(data || model), which maximum likelihood minimises, asks the model to be wherever data is; the reverse asks it to be
nowhere else. The divergences are those that an f-GAN minimises (Nowozin et al., 2016,
https://arxiv.org/abs/1606.00709), here evaluated by quadrature at every mean and deviation of a grid.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

X = np.linspace(-12.0, 12.0, 1201)
WIDTH = X[1] - X[0]
MEANS, DEVIATIONS = np.linspace(-3.0, 3.0, 121), np.linspace(0.2, 3.2, 121)
TINY = 1e-300  # below any density that matters; keeps 0 log 0 at 0


def normal(x, mean, std):
    """The density of a Gaussian."""
    return np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * (2 * np.pi) ** 0.5)


def mixture(x, distance=2.0, variance=0.25):
    """Two equal peaks at -distance and distance."""
    return 0.5 * normal(x, -distance, variance**0.5) + 0.5 * normal(x, distance, variance**0.5)


def kullback_leibler(p, q):
    """KL(p || q) along the last axis."""
    return np.sum(p * (np.log(p + TINY) - np.log(q + TINY)), axis=-1) * WIDTH


DIVERGENCES = {
    "KL(data, model)": kullback_leibler,
    "Jensen-Shannon": lambda p, q: (kullback_leibler(p, (p + q) / 2) + kullback_leibler(q, (p + q) / 2)) / 2,
    "squared Hellinger": lambda p, q: np.sum((p**0.5 - q**0.5) ** 2, axis=-1) * WIDTH,
    "KL(model, data)": lambda p, q: kullback_leibler(q, p),
}


def best_fit(divergence):
    """(mean, standard deviation, value) of the Gaussian on the grid that is nearest to the mixture.

    Where two fits are mirror images the one with the lower mean is given.
    """
    data = mixture(X)
    values = np.array([divergence(data, normal(X, MEANS[:, None], std)) for std in DEVIATIONS])
    row, column = np.unravel_index(values.argmin(), values.shape)
    return float(MEANS[column]), float(DEVIATIONS[row]), float(values[row, column])


def draw(path):
    figure, panels = plt.subplots(1, len(DIVERGENCES), figsize=(14, 3), sharey=True, layout="constrained")
    for panel, (name, divergence) in zip(panels, DIVERGENCES.items()):
        mean, std, value = best_fit(divergence)
        panel.fill_between(X, mixture(X), color="lightgrey", label="data")
        panel.plot(X, normal(X, mean, std), color="tab:blue", label="model")
        panel.set(title=f"{name}: {value:.2f}", xlim=(-5, 5))
        panel.set_xlabel(f"mean {mean:.2f}, deviation {std:.2f}")
        print(f"{name:18} mean {mean:5.2f}  deviation {std:.2f}  value {value:.3f}")
    panels[0].legend(fontsize=8)
    figure.savefig(path, dpi=70)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for mode_seeking.png")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    draw(output / "mode_seeking.png")


if __name__ == "__main__":
    main()
