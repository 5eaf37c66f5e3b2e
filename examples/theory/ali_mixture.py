"""25 Gaussians on a grid: the modes that a GAN and an ALI of the same networks find, and ALI's way there and back.

    python examples/theory/ali_mixture.py --output docs/theory

The experiment of Dumoulin et al., 2017 (https://arxiv.org/abs/1606.00704): 100 000 points, decoders of equal size, a
discriminator that in ALI sees the latents too. A mode is found where one of 10 000 samples is nearest to it. The paper
has 13.4 ± 5.8 modes for ALI and 10.4 ± 9.2 for the GAN over ten random settings; this is one setting, smaller networks
and a shorter training. Panels: points and samples; latents that the encoder gives to data, in their mode's colour;
their reconstructions, in the colour of the mode that they came from.
"""

import argparse
from pathlib import Path

import keras
import matplotlib
import numpy as np
from keras import layers

import keras_gans as kg

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402 - after the choice of a backend that needs no screen

SCALE = 4.5  # the coordinate that the networks see as 1
LATENTS = 2
CENTERS = kg.data.grid_centers()


def hidden(x, units, count, normalized):
    for _ in range(count):
        x = layers.Dense(units, use_bias=not normalized)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x)) if normalized else layers.LeakyReLU(0.2)(x)
    return x


def generator():
    latents = keras.Input((LATENTS,))
    return keras.Model(latents, layers.Reshape((1, 1, 2))(layers.Dense(2)(hidden(latents, 128, 3, True))))


def gan():
    points = keras.Input((1, 1, 2))
    logits = layers.Dense(1)(hidden(layers.Flatten()(points), 128, 3, False))
    return kg.GAN(generator(), keras.Model(points, logits), seed=0)


def ali():
    points, latents, pictures = keras.Input((1, 1, 2)), keras.Input((LATENTS,)), keras.Input((1, 1, 2))
    both = layers.Concatenate()([latents, layers.Flatten()(points)])
    discriminator = keras.Model([latents, points], layers.Dense(1)(hidden(both, 128, 3, False)))
    code = layers.Dense(2 * LATENTS)(hidden(layers.Flatten()(pictures), 128, 2, True))
    return kg.ALI(generator(), discriminator, keras.Model(pictures, code), seed=0)


def nearest(points):
    """Which mode each point (N, 2) belongs to: with equal weights and deviations, the nearest."""
    return np.linalg.norm(np.asarray(points)[:, None] - CENTERS, axis=-1).argmin(axis=1)


def trained(make, points, epochs):
    keras.utils.set_random_seed(0)
    model = make()
    model.compile(*(keras.optimizers.Adam(1e-3, beta_1=0.5) for _ in range(2)), steps_per_execution=50)
    model.fit(kg.data.points(points, scale=SCALE, batch_size=100), epochs=epochs, verbose=0)
    samples = SCALE * model.predict(model.noise(10_000, seed=0), batch_size=2500, verbose=0).reshape(-1, 2)
    print(f"{type(model).__name__:4} {len(set(nearest(samples))):3} of {len(CENTERS)} modes", flush=True)
    return model, samples


def draw(path, epochs):
    points, _ = kg.data.grid(100_000)
    held_out, modes = kg.data.grid(2500, seed=1)
    figure, panels = plt.subplots(1, 4, figsize=(14, 3.6), layout="constrained")
    for panel, make in zip(panels, (gan, ali)):
        model, samples = trained(make, points, epochs)
        panel.plot(*held_out.T, ".", color="lightgrey", markersize=3)
        panel.plot(*samples[:2500].T, ".", color="tab:blue", markersize=1)
        panel.set(title=f"{type(model).__name__}: {len(set(nearest(samples)))} modes", xlim=(-6, 6), ylim=(-6, 6))
    images = (held_out / SCALE).astype("float32").reshape(-1, 1, 1, 2)
    latents = model.encode(images)
    back = SCALE * model.predict(latents, batch_size=2500, verbose=0).reshape(-1, 2)
    kept = np.mean(nearest(back) == modes)
    print(f"ALI's reconstructions: {kept:.1%} are in the mode that they came from")
    colours = {"c": modes, "cmap": "gist_ncar", "s": 2}
    panels[2].scatter(*latents.T, **colours)
    panels[2].set(title="latents of data", xlim=(-4, 4), ylim=(-4, 4))
    panels[3].scatter(*back.T, **colours)
    panels[3].set(title=f"reconstructions: {kept:.0%} in their mode", xlim=(-6, 6), ylim=(-6, 6))
    figure.savefig(path, dpi=70)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for ali_mixture.png")
    parser.add_argument("--epochs", type=int, default=24)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    draw(options.output / "ali_mixture.png", options.epochs)


if __name__ == "__main__":
    main()
