"""Which training methods converge on the simplest GAN there is.

    python examples/theory/dirac_gan.py --output docs/theory

The Dirac-GAN (Mescheder et al., 2018, https://arxiv.org/abs/1801.04406): all data is the point 0, the generator makes
the point theta, the discriminator is D(x) = psi x. Theta descends and psi ascends

    L(theta, psi) = E f(D(fake)) + E f(-D(real)),    f(t) = -log(1 + exp(-t)),

whose only equilibrium is (0, 0). A method is a vector field v(theta, psi) here and each step adds h v. Where the
Jacobian of v at (0, 0) has eigenvalues with negative real parts, training converges near the equilibrium; where they
are imaginary, it circles, and steps of finite length may drift outwards.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

STEP, STEPS, START = 0.2, 500, (1.0, 1.0)  # as in the paper's notebook
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(32)  # expectations over a standard normal
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def slope(t):
    """f'(t) of f(t) = -log(1 + exp(-t)): the sigmoid of -t."""
    return 1.0 / (1.0 + np.exp(t))


def curvature(t):
    """f''(t)."""
    return -slope(t) * slope(-t)


def minimax(theta, psi):
    """The game as it is, without a regularizer: it circles."""
    return -psi * slope(theta * psi), theta * slope(theta * psi)


def non_saturating(theta, psi):
    """The generator ascends f(-D) instead: it turns in more and more slowly, ever more slowly near the end."""
    return -psi * slope(-theta * psi), theta * slope(theta * psi)


def wasserstein(theta, psi):
    """f(t) = t; the clipping of psi is `clipped` after the step."""
    return -psi, np.asarray(theta)


def gradient_penalty(theta, psi, weight=0.7, target=1.0):
    """WGAN-GP: the slope of D is psi, so the penalty is weight / 2 (|psi| - target)^2."""
    return -psi, theta - weight * np.sign(psi) * (np.abs(psi) - target)


def dragan(theta, psi, weight=0.7, target=1.0):
    """The game itself with DRAGAN's penalty: the same, since D has one slope everywhere, so also around the data."""
    d_theta, d_psi = minimax(theta, psi)
    return d_theta, d_psi - weight * np.sign(psi) * (np.abs(psi) - target)


def instance_noise(theta, psi, std=0.7):
    """Gaussian noise on real and fake points, its expectation by quadrature."""
    theta, psi = np.asarray(theta)[..., None], np.asarray(psi)[..., None]
    fake, real = theta + std * NODES, std * NODES
    return (
        (-psi * slope(psi * fake)) @ WEIGHTS,
        (fake * slope(psi * fake) - real * slope(-psi * real)) @ WEIGHTS,
    )


def r1(theta, psi, gamma=0.3):
    """The zero-centred penalty gamma / 2 psi^2; gamma = 2 f'(0) = 1 is critical damping."""
    d_theta, d_psi = minimax(theta, psi)
    return d_theta, d_psi - gamma * psi


def critical_r1(theta, psi):
    """R1 with gamma = 1."""
    return r1(theta, psi, gamma=1.0)


def consensus(theta, psi, weight=1.0):
    """Consensus optimization: v - weight J^T v, which descends |v|^2 / 2 as well (Mescheder et al., 2017)."""
    d_theta, d_psi = minimax(theta, psi)
    u = theta * psi
    across = slope(u) + u * curvature(u)  # J = [[-psi^2 f'', -across], [across, theta^2 f'']]
    return (
        d_theta + weight * (psi**2 * curvature(u) * d_theta - across * d_psi),
        d_psi + weight * (across * d_theta - theta**2 * curvature(u) * d_psi),
    )


def simultaneous(field, theta, psi, step):
    """Both players move from the same point."""
    d_theta, d_psi = field(theta, psi)
    return theta + step * d_theta, psi + step * d_psi


def alternating(field, theta, psi, step):
    """The generator moves, then the discriminator sees where it went."""
    theta = theta + step * field(theta, psi)[0]
    return theta, psi + step * field(theta, psi)[1]


def clipped(field, theta, psi, step, limit=1.0):
    """WGAN's: |psi| <= limit after each step."""
    theta, psi = simultaneous(field, theta, psi, step)
    return theta, np.clip(psi, -limit, limit)


METHODS = {
    "minimax, simultaneous": (minimax, simultaneous),
    "minimax, alternating": (minimax, alternating),
    "non-saturating": (non_saturating, simultaneous),
    "WGAN, clipped": (wasserstein, clipped),
    "WGAN-GP": (gradient_penalty, simultaneous),
    "DRAGAN": (dragan, simultaneous),
    "instance noise 0.7": (instance_noise, simultaneous),
    "R1, gamma 0.3": (r1, simultaneous),
    "R1, gamma 1 (critical)": (critical_r1, simultaneous),
    "consensus": (consensus, simultaneous),
}


def trajectory(field, update, steps=STEPS, step=STEP, start=START):
    """The points (steps + 1, 2) that training visits."""
    points = [start]
    for _ in range(steps):
        points.append(update(field, *points[-1], step))
    return np.array(points)


def eigenvalues(field, distance=1e-5):
    """Of the field's Jacobian at (0, 0), by central differences."""
    columns = [
        (np.array(field(dt, dp)) - np.array(field(-dt, -dp))) / (2 * distance)
        for dt, dp in ((distance, 0.0), (0.0, distance))
    ]
    return np.linalg.eigvals(np.array(columns).T)


def lyapunov_rate(field, theta, psi):
    """How fast theta^2 + psi^2 changes along a field's flow; negative around the equilibrium: a Lyapunov function.

    0 in the game as it is, which keeps the circle; -2 gamma psi^2 more with R1.
    """
    d_theta, d_psi = field(theta, psi)
    return 2 * (theta * d_theta + psi * d_psi)


def outcome(points):
    """What a run came to: the last radius against the first, and whether its second half went further out."""
    radii = np.hypot(*points.T)
    if radii[-1] < 0.01 * radii[0]:
        return "converges"
    before, after = np.array_split(radii, 2)
    return "diverges" if after.max() > 1.01 * before.max() else "goes on turning"


def draw(path):
    """The fields and the trajectories of `METHODS`, and a table of them on the terminal."""
    figure, panels = plt.subplots(2, 5, figsize=(16, 7), sharex=True, sharey=True, layout="constrained")
    mesh = np.meshgrid(np.linspace(-2, 2, 17), np.linspace(-2, 2, 17))
    print(f"{'method':24} {'eigenvalues at (0, 0)':32} {'last radius':>12}  outcome")
    for panel, (name, (field, update)) in zip(panels.flat, METHODS.items()):
        points = trajectory(field, update)
        arrows = np.stack(np.broadcast_arrays(*field(*mesh)))
        lengths = np.hypot(*arrows) + 1e-9
        panel.quiver(*mesh, *(arrows / lengths), lengths, cmap="Greys", norm="log", alpha=0.5)
        panel.plot(*points.T, color="tab:blue", linewidth=0.8)
        panel.plot(*points[0], "o", color="tab:green", markersize=5)
        panel.plot(*points[-1], "o", color="tab:red", markersize=5)
        panel.set(title=f"{name}: {outcome(points)}", xlim=(-2, 2), ylim=(-2, 2), aspect="equal")
        panel.title.set_fontsize(10)
        smooth = field not in (gradient_penalty, dragan)
        around = np.array2string(eigenvalues(field), precision=3) if smooth else "not smooth"
        print(f"{name:24} {around:32} {np.hypot(*points[-1]):12.2e}  {outcome(points)}")
    figure.supxlabel("generator: theta")
    figure.supylabel("discriminator: psi")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for dirac_gan.png")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    draw(output / "dirac_gan.png")


if __name__ == "__main__":
    main()
