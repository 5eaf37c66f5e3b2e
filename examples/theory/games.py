"""Two games that gradient play cannot settle, and what settles them.

    python examples/theory/games.py --output docs/theory

The bilinear game min_x max_y x y, and rock-paper-scissors: each has one equilibrium, and players who follow their
gradients turn around it. Averages over time, extra-gradient steps and historical averaging (Salimans et al., 2016,
section 3.3, https://arxiv.org/abs/1606.03498) reach it.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

PAYOFF = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])  # rock, paper, scissors


def simultaneous(x, y, step, mean):
    """Multiplies the radius by sqrt(1 + step^2): it spirals outwards."""
    return x - step * y, y + step * x


def alternating(x, y, step, mean):
    """y answers the new x: conserves x^2 - step x y + y^2, an ellipse."""
    x = x - step * y
    return x, y + step * x


def extra_gradient(x, y, step, mean):
    """Looks one step ahead and moves by the gradient there (Korpelevich, 1976)."""
    ahead_x, ahead_y = x - step * y, y + step * x
    return x - step * ahead_y, y + step * ahead_x


def historical_averaging(x, y, step, mean, weight=0.25):
    """Each player also descends weight times its squared distance to the mean of its own past.

    The mean, and the players with it, come to the equilibrium as t^(-1 / (1 + 4 weight^2)): follow z = x + i y, with
    z' = i z - 2 weight (z - m) in balance and m' = (z - m) / t.
    """
    pull = 2 * weight
    return x - step * (y + pull * (x - mean[0])), y + step * (x - pull * (y - mean[1]))


METHODS = {
    "simultaneous": simultaneous,
    "alternating": alternating,
    "extra-gradient": extra_gradient,
    "historical averaging": historical_averaging,
}


def play_bilinear(update, steps=300, step=0.1, start=(1.0, 1.0)):
    """The points (steps + 1, 2) of min_x max_y x y."""
    points, mean = [np.array(start)], np.array(start)
    for t in range(1, steps + 1):
        points.append(np.array(update(*points[-1], step, mean)))
        mean = mean + (points[-1] - mean) / (t + 1)
    return np.array(points)


def play_rock_paper_scissors(rounds=3000, rate=0.1, start=(0.6, 0.3, 0.1)):
    """Both players raise the weights of what pays (multiplicative weights).

    Returns:
        The first player's mixed strategy in each round (rounds + 1, 3), and its running mean likewise.
    """
    first, second = np.array(start), np.array(start)[::-1].copy()
    played = [first]
    for _ in range(rounds):
        gain, loss = PAYOFF @ second, PAYOFF.T @ first
        first, second = first * np.exp(rate * gain), second * np.exp(-rate * loss)
        first, second = first / first.sum(), second / second.sum()
        played.append(first)
    played = np.array(played)
    return played, np.cumsum(played, axis=0) / np.arange(1, len(played) + 1)[:, None]


def in_triangle(strategies):
    """Mixed strategies (N, 3) as points of a triangle with corners rock, paper, scissors."""
    return strategies @ np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])


def draw(path):
    figure, panels = plt.subplots(1, 3, figsize=(13, 4.4), layout="constrained")
    for name, update in METHODS.items():
        points = play_bilinear(update)
        panels[0].plot(*points.T, linewidth=1, label=name)
        panels[1].semilogy(np.hypot(*points.T), linewidth=1, label=name)
    means = np.cumsum(play_bilinear(alternating), axis=0) / np.arange(1, 302)[:, None]
    panels[1].semilogy(np.hypot(*means.T), "--", color="tab:orange", linewidth=1, label="alternating, averaged")
    panels[0].set(title="min over x, max over y of x y", xlabel="x", ylabel="y", xlim=(-4, 4), ylim=(-4, 4))
    panels[1].set(title="distance to the equilibrium", xlabel="step")
    panels[1].legend(fontsize=8)
    played, mean = play_rock_paper_scissors()
    panels[2].plot(*in_triangle(np.eye(3)[[0, 1, 2, 0]]).T, color="black", linewidth=1)
    panels[2].plot(*in_triangle(played).T, linewidth=0.6, label="what is played")
    panels[2].plot(*in_triangle(mean).T, color="tab:red", linewidth=1.2, label="its average")
    for corner, name in zip(in_triangle(np.eye(3)), ("rock", "paper", "scissors")):
        panels[2].annotate(name, corner, ha="center", va="bottom" if name == "scissors" else "top")
    panels[2].set(title="rock-paper-scissors", aspect="equal", ylim=(-0.08, 0.95))
    panels[2].axis("off")
    panels[2].legend(fontsize=8, loc="upper left")
    figure.savefig(path, dpi=80)
    plt.close(figure)
    print(f"rock-paper-scissors: last {np.round(played[-1], 3)}, average {np.round(mean[-1], 3)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for games.png")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    draw(output / "games.png")


if __name__ == "__main__":
    main()
