"""25 Gaussians on a grid: the modes that a GAN and an ALI of the same networks find, and ALI's way there and back.

    python examples/theory/ali_mixture.py --output docs/theory [--runs 10]

The experiment of Dumoulin et al., 2017 (https://arxiv.org/abs/1606.00704): 100 000 points, decoders of equal size and
the same normal prior, a discriminator that in ALI sees the latents too. A mode is found where one of 10 000 samples is
nearest to it. With `--runs N` each model is trained N times with random rate, beta_1 and deviation of the initial
weights, the same for both, and the picture shows the run of each that found the most modes, as in the paper. Its
numbers are 13.4 ± 5.8 modes for ALI and 10.4 ± 9.2 for the GAN over ten runs; from which ranges it draws is not said.

Left out: the encoders that the paper compares with ALI's on 10 000 held-out points, of a GAN (by regression on its
samples, and by ALI's game after the GAN's) and of a VAE; here are ALI's reconstructions of such points alone. Networks
are smaller than the code's (three layers of 128 units; there 400, and maxout units of 200 in the discriminator), and
training is shorter (24 epochs by default, there 200).

Panels: points and samples; latents that the encoder gives to data, in their mode's colour; their reconstructions, in
the colour of the mode that they came from.
"""

import argparse
import statistics
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
SETTING = (1e-3, 0.5, None)  # of a single run: rate, beta_1, and deviation of the initial weights, None for Keras's own


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
    # Of the models with the GAN's losses the one with ALI's prior: that of `kg.GAN` is uniform.
    return kg.DCGAN(generator(), keras.Model(points, logits), seed=0)


def ali():
    points, latents, pictures = keras.Input((1, 1, 2)), keras.Input((LATENTS,)), keras.Input((1, 1, 2))
    both = layers.Concatenate()([latents, layers.Flatten()(points)])
    discriminator = keras.Model([latents, points], layers.Dense(1)(hidden(both, 128, 3, False)))
    code = layers.Dense(2 * LATENTS)(hidden(layers.Flatten()(pictures), 128, 2, True))
    return kg.ALI(generator(), discriminator, keras.Model(pictures, code), seed=0)


def nearest(points):
    """Which mode each point (N, 2) belongs to: with equal weights and deviations, the nearest."""
    return np.linalg.norm(np.asarray(points)[:, None] - CENTERS, axis=-1).argmin(axis=1)


def random_settings(runs):
    """So many as `SETTING`; the ranges are ours."""
    uniform = np.random.default_rng(0).uniform
    return [(10 ** uniform(-4, -2.5), uniform(0, 0.9), 10 ** uniform(-2, -0.5)) for _ in range(runs)]


def sampled(model, count):
    """Points (count, 2) that the model makes."""
    latents = keras.ops.convert_to_numpy(model.prior(model.noise(count, seed=0)))
    return SCALE * model.predict(latents, batch_size=2500, verbose=0).reshape(-1, 2)


def trained(make, setting, points, epochs):
    rate, beta_1, deviation = setting
    keras.utils.set_random_seed(0)
    model = make()
    for weight in model.trainable_variables:
        if deviation and weight.name == "kernel":
            weight.assign(keras.random.normal(weight.shape, stddev=deviation))
    at_once = 1 if keras.backend.backend() == "torch" else 50  # PyTorch has no graphs of several steps
    model.compile(*(keras.optimizers.Adam(rate, beta_1=beta_1) for _ in range(2)), steps_per_execution=at_once)
    model.fit(kg.data.points(points, scale=SCALE, batch_size=100), epochs=epochs, verbose=0)
    return model


def best_of(make, settings, points, epochs):
    """The model, samples and count of modes of the run that found the most."""
    name, runs = make.__name__.upper(), []
    for setting in settings:
        model = trained(make, setting, points, epochs)
        samples = sampled(model, 10_000)
        runs.append((model, samples, len(set(nearest(samples)))))
        print(f"{name:4} {runs[-1][2]:3} of {len(CENTERS)} modes", flush=True)
    found = [modes for *_, modes in runs]
    if len(found) > 1:
        mean, deviation = statistics.mean(found), statistics.stdev(found)
        print(f"{name:4} {mean:.1f} ± {deviation:.1f} modes, {min(found)} to {max(found)}, over {len(found)} runs")
    return max(runs, key=lambda run: run[2])


def draw(path, epochs, runs):
    points, _ = kg.data.grid(100_000)
    held_out, modes = kg.data.grid(10_000, seed=1)
    settings = [SETTING] if runs < 2 else random_settings(runs)
    figure, panels = plt.subplots(1, 4, figsize=(14, 3.6), layout="constrained")
    for panel, make in zip(panels, (gan, ali)):
        model, samples, found = best_of(make, settings, points, epochs)
        panel.plot(*held_out[:2500].T, ".", color="lightgrey", markersize=3)
        panel.plot(*samples[:2500].T, ".", color="tab:blue", markersize=1)
        panel.set(title=f"{make.__name__.upper()}: {found} modes", xlim=(-6, 6), ylim=(-6, 6))
    images = (held_out / SCALE).astype("float32").reshape(-1, 1, 1, 2)
    latents = model.encode(images)
    back = SCALE * model.predict(latents, batch_size=2500, verbose=0).reshape(-1, 2)
    kept = np.mean(nearest(back) == modes)
    print(f"ALI's reconstructions: {kept:.1%} are in the mode that they came from")
    colours = {"c": modes[:2500], "cmap": "gist_ncar", "s": 2}
    panels[2].scatter(*latents[:2500].T, **colours)
    panels[2].set(title="latents of data", xlim=(-4, 4), ylim=(-4, 4))
    panels[3].scatter(*back[:2500].T, **colours)
    panels[3].set(title=f"reconstructions: {kept:.0%} in their mode", xlim=(-6, 6), ylim=(-6, 6))
    figure.savefig(path, dpi=70)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for ali_mixture.png")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--runs", type=int, default=1, help="of each model, from 2 on with random settings")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    draw(options.output / "ali_mixture.png", options.epochs, options.runs)


if __name__ == "__main__":
    main()
