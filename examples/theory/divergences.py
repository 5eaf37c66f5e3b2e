"""What four distances between distributions say as one of them moves away.

    python examples/theory/divergences.py --output docs/theory

Two Gaussian peaks; two parallel lines (Arjovsky et al., 2017, example 1, https://arxiv.org/abs/1701.07875), where only
the earth mover's distance still tells how far; and the lambda divergence, from one Kullback-Leibler to the other.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt


def kl(p, q, width=1.0):
    """KL(p || q) in nats of densities on a grid of cells of `width`, or of probabilities; infinite where q misses p."""
    p, q = np.asarray(p, "float64"), np.asarray(q, "float64")
    there = p > 0
    with np.errstate(divide="ignore"):
        return float(np.sum(p[there] * (np.log(p[there]) - np.log(q[there]))) * width)


def lambda_divergence(p, q, weight, width=1.0):
    """weight KL(p || m) + (1 - weight) KL(q || m) with m = weight p + (1 - weight) q; at one half Jensen-Shannon's."""
    m = weight * np.asarray(p) + (1 - weight) * np.asarray(q)
    return weight * kl(p, m, width) + (1 - weight) * kl(q, m, width)


def js(p, q, width=1.0):
    """The Jensen-Shannon divergence, at most log 2."""
    return lambda_divergence(p, q, 0.5, width)


def earth_mover(p, q, width=1.0):
    """W1 on the line: the area between the distribution functions."""
    return float(np.sum(np.abs(np.cumsum(p - q))) * width**2)


def normal(x, mean, std):
    """The density of a Gaussian."""
    return np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * (2 * np.pi) ** 0.5)


def gan_value(p, q):
    """max over D of E_p log D + E_q log(1 - D), reached at D = p / (p + q): -log 4 + 2 JS(p, q)."""
    p, q = np.asarray(p, "float64"), np.asarray(q, "float64")
    both = p + q
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p / both), 0.0) + np.where(q > 0, q * np.log(q / both), 0.0)
    return float(terms.sum())


def parallel_lines(count=201):
    """`theta` in [-1, 1], and JS and W1 of the lines at 0 and at each theta: of the laws of x, all that differs."""
    theta = np.linspace(-1, 1, count)
    width = theta[1] - theta[0]
    laws = np.eye(count) / width  # the law at theta[i] is all in the cell i
    still = laws[count // 2]
    return theta, [js(still, law, width) for law in laws], [earth_mover(still, law, width) for law in laws]


def draw(path):
    figure, panels = plt.subplots(1, 4, figsize=(16, 3.8), layout="constrained")
    x = np.linspace(-12, 18, 6001)
    width = x[1] - x[0]
    still = normal(x, 0.0, 1.0)
    shifts = np.linspace(0.0, 6.0, 61)
    panels[0].plot(x, still, label="p")
    for shift in (1.0, 3.0, 6.0):
        panels[0].plot(x, normal(x, shift, 0.7), "--", label=f"q at {shift:g}")
    panels[0].set(title="a peak moves away", xlim=(-4, 9))
    panels[0].legend(fontsize=8)

    moved = [normal(x, shift, 0.7) for shift in shifts]
    for name, values in {
        "KL(p, q)": [kl(still, q, width) for q in moved],
        "KL(q, p)": [kl(q, still, width) for q in moved],
        "Jensen-Shannon": [js(still, q, width) for q in moved],
        "earth mover": [earth_mover(still, q, width) for q in moved],
    }.items():
        panels[1].plot(shifts, values, label=name)
    panels[1].axhline(np.log(2), color="grey", linewidth=0.6)
    panels[1].set(title="how far is q from p?", xlabel="shift", ylim=(0, 8))
    panels[1].legend(fontsize=8)

    theta, shannon, earth = parallel_lines()
    panels[2].plot(theta, shannon, label="Jensen-Shannon: log 2 or 0")
    panels[2].plot(theta, earth, label="earth mover: |theta|")
    panels[2].plot([0.0], [0.0], "o", color="tab:red", label="KL: infinite, but here", markersize=4)
    panels[2].set(title="parallel lines", xlabel="theta", ylim=(-0.05, 1.4))
    panels[2].legend(fontsize=8)

    q = normal(x, 1.5, 0.7)
    weights = np.linspace(0.001, 0.999, 200)
    values = np.array([lambda_divergence(still, q, weight, width) for weight in weights])
    panels[3].plot(weights, values / weights, label="D / lambda, to KL(p, q) at 0")
    panels[3].plot(weights, values / (1 - weights), label="D / (1 - lambda), to KL(q, p) at 1")
    panels[3].plot([0.0], [kl(still, q, width)], "o", color="tab:blue")
    panels[3].plot([1.0], [kl(q, still, width)], "o", color="tab:orange")
    panels[3].set(title="lambda divergence, q at 1.5", xlabel="lambda", ylim=(0, None))
    panels[3].legend(fontsize=8)
    figure.savefig(path, dpi=70)
    plt.close(figure)
    print(
        f"at a shift of 6: KL {kl(still, moved[-1], width):.1f}, JS {js(still, moved[-1], width):.3f} of log 2 = 0.693"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for divergences.png")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    draw(output / "divergences.png")


if __name__ == "__main__":
    main()
