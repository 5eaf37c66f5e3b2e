"""Counts the modes that variants cover, beside the published tables: a ring of 8, a grid of 25, 1000 stacked digits.

    python benchmarks/modes.py [--data ring grid stacked] [--variants WGANGP PacGAN2 ...] [--seeds 5] [--quick]

Points: the rings and grids of PacGAN's code, 100 000 for training; each variant gets the same small networks (three
hidden layers of 128 units, the generator's without normalization), 2 latents, Adam whose rate falls to zero along a
cosine, and as many images and steps as its row in POINTS says; 2500 samples from the moving average of the generator.
A mode is covered where a sample is within three standard deviations of it, which makes the sample one of high quality.

Stacked MNIST: VEEGAN's protocol (128 000 images, 26 000 samples, the KL to the uniform distribution) with the networks
of PacGAN's code for the protocol of Unrolled GAN, at rates of 2e-3 that leave the first class within the 6000 steps a
CPU has time for (published: 1e-4 and 2e-4, 500 000 steps); classes from the zoo's classifier. So the published rows are
of longer training, VEEGAN's protocol of larger networks too, and "true data" is the row to hold a model against.

Means over seeds, with their standard errors; seconds are the processor's, of all cores together. A published number is
comparable with ours only as far as its protocol is: between papers the same GAN covers 1 to 6 modes of the ring.
"""

import argparse
import statistics
import time

import keras
from keras import layers

import keras_gans as kg
from keras_gans.models import pacgan

SAMPLES = {"ring": 2500, "grid": 2500, "stacked": 26_000}
TRAINING_POINTS = 100_000
LATENTS = 2
TOYS = {  # what draws the points, the modes, their deviation, and what coordinate becomes 1
    "ring": (kg.data.ring, kg.data.ring_centers(), 0.01, 1.1),
    "grid": (kg.data.grid, kg.data.grid_centers(), 0.05, 4.5),
}
# Modes or classes, % of high quality, KL in nats, and in parentheses who measured it: VEEGAN's paper over 5 runs,
# PacGAN's over 10, in the protocol of Unrolled GAN over 50.
PUBLISHED = {
    "ring": {
        "GAN (VEEGAN)": ("1", "99.3", ""),
        "ALI (VEEGAN)": ("2.8", "0.13", ""),
        "UnrolledGAN (VEEGAN)": ("7.6", "35.6", ""),
        "VEEGAN (VEEGAN)": ("8", "52.9", ""),
        "GAN (PacGAN)": ("6.3 ± 0.5", "98.2 ± 0.2", "0.45 ± 0.09"),
        "ALI (PacGAN)": ("6.6 ± 0.3", "97.6 ± 0.4", "0.36 ± 0.04"),
        "PacGAN2 (PacGAN)": ("7.9 ± 0.1", "95.6 ± 2.0", "0.07 ± 0.03"),
        "PacGAN3 (PacGAN)": ("7.8 ± 0.1", "97.7 ± 0.3", "0.10 ± 0.02"),
        "PacGAN4 (PacGAN)": ("7.8 ± 0.1", "95.9 ± 1.4", "0.07 ± 0.02"),
    },
    "grid": {
        "GAN (VEEGAN)": ("3.3", "0.5", ""),
        "ALI (VEEGAN)": ("15.8", "1.6", ""),
        "UnrolledGAN (VEEGAN)": ("23.6", "16", ""),
        "VEEGAN (VEEGAN)": ("24.6", "40", ""),
        "GAN (PacGAN)": ("17.3 ± 0.8", "94.8 ± 0.7", "0.70 ± 0.07"),
        "ALI (PacGAN)": ("24.1 ± 0.4", "95.7 ± 0.6", "0.14 ± 0.03"),
        "PacGAN2 (PacGAN)": ("23.8 ± 0.7", "91.3 ± 0.8", "0.13 ± 0.04"),
        "PacGAN3 (PacGAN)": ("24.6 ± 0.4", "94.2 ± 0.4", "0.06 ± 0.02"),
        "PacGAN4 (PacGAN)": ("24.8 ± 0.2", "93.6 ± 0.6", "0.04 ± 0.01"),
    },
    "stacked": {
        "DCGAN (VEEGAN)": ("99", "", "3.40"),
        "ALI (VEEGAN)": ("16", "", "5.40"),
        "UnrolledGAN (VEEGAN)": ("48.7", "", "4.32"),
        "VEEGAN (VEEGAN)": ("150", "", "2.95"),
        "DCGAN (PacGAN)": ("78.9 ± 6.5", "", "4.50 ± 0.13"),
        "PacDCGAN2 (PacGAN)": ("1000 ± 0", "", "0.06 ± 0.003"),
        "PacDCGAN3 (PacGAN)": ("1000 ± 0", "", "0.06 ± 0.003"),
        "PacDCGAN4 (PacGAN)": ("1000 ± 0", "", "0.07 ± 0.005"),
        # Protocol of Unrolled GAN, with a discriminator of half the generator's channels, as ours.
        "DCGAN (Unrolled)": ("628 ± 141", "", "2.58 ± 0.75"),
        "UnrolledGAN, 1 step (Unrolled)": ("523.6 ± 55.8", "", "2.44 ± 0.26"),
        "UnrolledGAN, 5 steps (Unrolled)": ("732 ± 45", "", "1.66 ± 0.09"),
        "UnrolledGAN, 10 steps (Unrolled)": ("817.4 ± 37.9", "", "1.43 ± 0.12"),
        "DCGAN (PacGAN, Unrolled's protocol)": ("487.7 ± 34.6", "", "2.24 ± 0.15"),
        "PacDCGAN2 (PacGAN, Unrolled's protocol)": ("840.7 ± 15.9", "", "1.00 ± 0.05"),
        "PacDCGAN3 (PacGAN, Unrolled's protocol)": ("866.6 ± 12.1", "", "0.90 ± 0.04"),
        "PacDCGAN4 (PacGAN, Unrolled's protocol)": ("820.2 ± 25.5", "", "1.15 ± 0.14"),
    },
}


def perceptron(x, outputs, activation):
    for _ in range(3):
        x = layers.Dense(128, activation=activation)(x)
    return layers.Dense(outputs)(x)


def point_generator():
    latents = keras.Input((LATENTS,))
    return keras.Model(latents, layers.Reshape((1, 1, 2))(perceptron(latents, 2, "relu")))


def point_discriminator(packing=1):
    points = keras.Input((1, 1, 2 * packing))
    return keras.Model(points, perceptron(layers.Flatten()(points), 1, "leaky_relu"))


def on_points(variant, **options):
    """A function that makes the variant with the networks for points."""
    packing = options.get("packing", 1)
    return lambda: variant(point_generator(), point_discriminator(packing=packing), ema_decay=0.999, **options)


def veegan_on_points():
    """VEEGAN with the same networks, one more for the latents of points, and a discriminator of pairs."""
    latents, points = keras.Input((LATENTS,)), keras.Input((1, 1, 2))
    flat = layers.Flatten()(points)
    pair = layers.Concatenate()([latents, flat])
    discriminator = keras.Model([latents, points], perceptron(pair, 1, "leaky_relu"))
    reconstructor = keras.Model(points, perceptron(flat, LATENTS, "relu"))
    return kg.VEEGAN(point_generator(), discriminator, reconstructor, ema_decay=0.999)


def ali_on_points():
    """ALI with the same networks: one more for the mean and deviation of latents, and a discriminator of pairs."""
    latents, points = keras.Input((LATENTS,)), keras.Input((1, 1, 2))
    flat = layers.Flatten()(points)
    discriminator = keras.Model([latents, points], perceptron(layers.Concatenate()([latents, flat]), 1, "leaky_relu"))
    encoder = keras.Model(points, perceptron(flat, 2 * LATENTS, "relu"))
    return kg.ALI(point_generator(), discriminator, encoder, ema_decay=0.999)


def on_stacked(variant, **options):
    """A function that makes the variant with small networks for stacked digits."""
    packing = options.get("packing", 1)
    return lambda: variant(
        pacgan.build_unrolled_generator(),
        pacgan.build_unrolled_discriminator(packing=packing, base_filters=4),
        **options,
    )


# A line each: how to make it, and the settings in which it differs from its kind's.
POINT_SETTINGS = {"steps": 24_000, "batch": 256, "g_rate": 1e-3, "d_rate": 1e-3, "beta_1": 0.5, "beta_2": 0.9}
POINTS = {
    "GAN": (on_points(kg.GAN), {}),
    "LSGAN": (on_points(kg.LSGAN), {}),
    "DRAGAN": (on_points(kg.DRAGAN, gp_weight=0.1), {}),
    "WGANGP": (on_points(kg.WGANGP, gp_weight=0.1, discriminator_steps=1), {"beta_1": 0.0}),
    "PacGAN2": (on_points(kg.PacGAN, packing=2), {"batch": 512}),
    "PacGAN4": (on_points(kg.PacGAN, packing=4), {"batch": 1024}),
    "UnrolledGAN": (on_points(kg.UnrolledGAN), {"d_rate": 1e-4}),
    "ALI": (ali_on_points, {}),
    "VEEGAN": (veegan_on_points, {}),
}
STACKED_SETTINGS = {"steps": 6000, "batch": 128, "g_rate": 2e-3, "d_rate": 2e-3, "beta_1": 0.5, "beta_2": 0.99}
STACKED = {
    "GAN": (on_stacked(kg.DCGAN), {}),
    "PacGAN2": (on_stacked(kg.PacGAN, packing=2), {"batch": 256}),
    "PacGAN4": (on_stacked(kg.PacGAN, packing=4), {"batch": 512}),
}
VARIANTS = {"ring": POINTS, "grid": POINTS, "stacked": STACKED}


def trained(make, dataset, settings, seed, decay):
    """The variant after `steps` batches of the dataset, and the seconds of processor time that they took."""
    keras.utils.set_random_seed(seed)
    gan = make()

    def adam(rate, updates):
        rate = keras.optimizers.schedules.CosineDecay(rate, updates) if decay else rate
        return keras.optimizers.Adam(rate, beta_1=settings["beta_1"], beta_2=settings["beta_2"])

    steps = settings["steps"]
    long = steps >= 1000  # compiling pays
    # XLA pays for the small dense networks; JAX without it would run operation by operation.
    gan.compile(
        adam(settings["g_rate"], steps),
        adam(settings["d_rate"], steps * gan.discriminator_steps),
        jit_compile=long and (decay or keras.backend.backend() == "jax"),
        steps_per_execution=100 if long else 1,
    )
    start = time.process_time()
    gan.fit(dataset, steps_per_epoch=steps, verbose=0)
    return gan, time.process_time() - start


def points_run(data, make, settings, seed, samples):
    """(modes, share of high quality, reverse KL, seconds) of one training."""
    draw, centers, std, scale = TOYS[data]
    points, _ = draw(TRAINING_POINTS)
    dataset = kg.data.points(points, scale=scale, batch_size=settings["batch"], seed=seed)
    gan, seconds = trained(make, dataset, settings, seed, decay=True)
    fake = scale * gan.predict(gan.prior(gan.noise(samples, seed=0)), batch_size=samples, verbose=0)
    found = kg.metrics.mode_coverage(fake=fake, centers=centers, std=std)
    return found.modes, found.high_quality, found.reverse_kl, seconds


def stacked_run(digits, make, settings, seed, samples):
    """(classes, None, KL, seconds) of one training."""
    dataset = kg.data.stacked_mnist(digits, batch_size=settings["batch"], seed=2 + seed)  # 1: the true data
    gan, seconds = trained(make, dataset, settings, seed, decay=False)
    return *judged(gan.generate(samples, seed=0)), seconds


def judged(images):
    classes = kg.metrics.stacked_classes(kg.zoo.load_classifier("classifier_mnist"), images)
    found = kg.metrics.class_coverage(fake_classes=classes)
    return found.classes, None, found.kl


def true_data(data, digits, samples):
    """The numbers of fresh data in the place of a model's samples."""
    if data == "stacked":
        return judged(kg.data.stacked_mnist(digits, count=samples, seed=1, batch_size=1).images)
    draw, centers, std, _ = TOYS[data]
    found = kg.metrics.mode_coverage(fake=draw(samples, seed=1)[0], centers=centers, std=std)
    return found.modes, found.high_quality, found.reverse_kl


def shown(values, factor=1.0, digits=2):
    """The mean and, of two or more, its standard error."""
    if values[0] is None:
        return ""
    values = [factor * value for value in values]
    mean = f"{statistics.mean(values):.{digits}f}"
    if len(values) < 2:
        return mean
    return f"{mean} ± {statistics.stdev(values) / len(values) ** 0.5:.{digits}f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--variants", nargs="+", choices=sorted({*POINTS, *STACKED}), help="by default all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="instead of each row's")
    parser.add_argument("--quick", action="store_true", help="every code path in a minute; numbers of no meaning")
    options = parser.parse_args()
    seeds, digits = (1 if options.quick else options.seeds), None
    if options.quick:
        digits = kg.data.digits(500)
    for data in options.data:
        count, base = ("classes", STACKED_SETTINGS) if data == "stacked" else ("modes", POINT_SETTINGS)
        samples = 250 if options.quick else SAMPLES[data]
        print(f"\n{data:40} {count:>14} {'% high quality':>16} {'KL':>16} {'CPU seconds':>14}", flush=True)

        def row(name, runs):
            columns = list(zip(*runs))
            cells = [shown(columns[0], digits=1), shown(columns[1], 100.0, 1), shown(columns[2])]
            cells.append(shown(columns[3], digits=0) if len(columns) > 3 else "")
            print(f"{name:40} {cells[0]:>14} {cells[1]:>16} {cells[2]:>16} {cells[3]:>14}", flush=True)

        row("true data", [true_data(data, digits, samples)])
        for name, (make, own) in VARIANTS[data].items():
            if options.variants and name not in options.variants:
                continue
            settings = {**base, **own}
            settings["steps"] = 20 if options.quick else options.steps or settings["steps"]
            run = stacked_run if data == "stacked" else points_run
            runs = [run(digits if data == "stacked" else data, make, settings, seed, samples) for seed in range(seeds)]
            row(name, runs)
        for name, (modes, quality, kl) in PUBLISHED[data].items():
            print(f"{'published: ' + name:40} {modes:>14} {quality:>16} {kl:>16}")


if __name__ == "__main__":
    main()
