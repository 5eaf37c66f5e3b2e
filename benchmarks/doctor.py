"""A table of `GANDoctor`'s verdicts over runs that are sick by construction and over healthy ones.

    python benchmarks/doctor.py [--quick] [--runs NAME ...] [--seed 0] [--signals]

Small perceptrons on drawn digits of 12x12 pixels and on the eight modes of a ring, seconds each. A sick run passes with
its verdict, whatever else is found; a healthy one without any. `--quick` runs an example of each sickness and half of
the healthy ones, for as few epochs as show it. `--signals` prints each epoch's.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow

import keras
import numpy as np
from keras import initializers, layers

import keras_gans as kg
from keras_gans.callbacks import GANDoctor, Sickness

DIGIT, POINT = (12, 12, 1), (1, 1, 2)
EPOCHS = 15
BATCH = 256  # what the doctor looks at


def generator(shape, units=64, latent_dim=4, blind=False):
    """A perceptron; a blind one multiplies its latents by zero, so that it makes one image."""
    latents = x = keras.Input((latent_dim,))
    if blind:
        x = layers.Rescaling(0.0)(x)
    for _ in range(2):
        x = layers.Dense(units, activation="relu")(x)
    x = layers.Dense(int(np.prod(shape)), activation=None if shape == POINT else "tanh")(x)
    return keras.Model(latents, layers.Reshape(shape)(x))


def discriminator(shape, units=64, packing=1):
    images = keras.Input((*shape[:2], shape[2] * packing))
    x = layers.Flatten()(images)
    for _ in range(2):
        x = layers.LeakyReLU(0.2)(layers.Dense(units)(x))
    return keras.Model(images, layers.Dense(1)(x))


def on_digits(variant, blind=False, **options):
    return lambda: variant(generator(DIGIT, 128, 16, blind), discriminator(DIGIT, 128), seed=1, **options)


def on_points(variant, packing=1, **options):
    options |= {"packing": packing} if packing > 1 else {}
    return lambda: variant(generator(POINT), discriminator(POINT, packing=packing), seed=1, **options)


def rotating():
    """A cloud that the generator can only shift, against a linear critic without penalty: the bilinear game, whose
    players circle each other for ever (Mescheder et al., 2018, https://arxiv.org/abs/1801.04406)."""
    latents, points = keras.Input((2,)), keras.Input(POINT)
    start = {"kernel_initializer": initializers.Identity(0.3), "bias_initializer": initializers.Constant(0.7)}
    shifted = layers.Reshape(POINT)(layers.Dense(2, **start)(latents))
    cloud = keras.Model(latents, shifted)
    cloud.layers[1].kernel.trainable = False
    critic = keras.Model(points, layers.Dense(1)(layers.Flatten()(points)))
    return kg.WGANGP(cloud, critic, gp_weight=0.0, discriminator_steps=1, seed=1)


def adam(rate):
    return keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.9)


def sgd(rate):
    return keras.optimizers.SGD(rate)


MINIMAX = {"generator_objective": kg.losses.minimax_generator_loss}
DIGITS = {"data": "digits", "rates": (5e-4, 5e-4), "optimizer": adam, "batch": 64, "steps": 100, "images": None}
RING = {**DIGITS, "data": "ring", "batch": 256}
FAST_CRITIC = {**DIGITS, "rates": (5e-4, 3e-3), "batch": 50}
FEW = {**FAST_CRITIC, "images": 100}
# A line each: what is expected, how to make the model, and the settings.
SICK = {
    "blind generator, GAN": (Sickness.MODE_COLLAPSE, on_digits(kg.GAN, blind=True), DIGITS),
    "blind generator, WGANGP": (Sickness.MODE_COLLAPSE, on_digits(kg.WGANGP, blind=True), {**DIGITS, "batch": 160}),
    "frozen discriminator, GAN": (Sickness.MODE_COLLAPSE, on_digits(kg.GAN), {**DIGITS, "rates": (1e-3, 0.0)}),
    "frozen generator, GAN": (Sickness.OVERPOWERING, on_digits(kg.GAN), {**DIGITS, "rates": (0.0, 1e-3)}),
    "frozen generator, LSGAN": (Sickness.OVERPOWERING, on_digits(kg.LSGAN), {**DIGITS, "rates": (0.0, 1e-3)}),
    "frozen generator, WGANGP": (
        Sickness.OVERPOWERING,
        on_digits(kg.WGANGP),
        {**DIGITS, "rates": (0.0, 1e-3), "batch": 160},
    ),
    "minimax loss, strong discriminator": (
        Sickness.VANISHING_GRADIENT,
        on_digits(kg.GAN, **MINIMAX),
        {**DIGITS, "rates": (1e-5, 2e-3)},
    ),
    "learning rate 1, GAN": (Sickness.DIVERGENCE, on_digits(kg.GAN), {**DIGITS, "rates": (1.0, 1.0), "stop": True}),
    "gradient descent at 10, WGANGP": (
        Sickness.DIVERGENCE,
        on_digits(kg.WGANGP),
        {**DIGITS, "rates": (10.0, 10.0), "optimizer": sgd, "batch": 160, "stop": True},
    ),
    "100 images, WGANGP": (Sickness.OVERFITTING, on_digits(kg.WGANGP), {**DIGITS, "images": 100, "batch": 100}),
    "100 images, WGANGP, one step": (Sickness.OVERFITTING, on_digits(kg.WGANGP, discriminator_steps=1), FEW),
    "100 images, SNGAN": (Sickness.OVERFITTING, on_digits(kg.SNGAN), {**DIGITS, "images": 100}),
    "rotation, linear WGAN": (
        Sickness.OSCILLATION,
        rotating,
        {**RING, "rates": (0.1, 0.1), "optimizer": sgd, "steps": 20},
    ),
    "GAN, equal rates, ring": (Sickness.OSCILLATION, on_points(kg.GAN), {**RING, "rates": (2e-4, 2e-4)}),
    "no penalty, Wasserstein": (
        Sickness.OSCILLATION,
        on_points(kg.WGANGP, gp_weight=0.0, discriminator_steps=1),
        {**RING, "rates": (1e-3, 1e-3), "batch": 64},
    ),
}
HEALTHY = {
    "WGANGP, digits": (None, on_digits(kg.WGANGP), {**DIGITS, "batch": 160}),
    "WGANGP, one step, digits": (None, on_digits(kg.WGANGP, discriminator_steps=1), FAST_CRITIC),
    "SNGAN, digits": (None, on_digits(kg.SNGAN), DIGITS),
    "GAN, digits": (None, on_digits(kg.GAN), {**DIGITS, "rates": (2e-4, 2e-4)}),
    "LSGAN, digits": (None, on_digits(kg.LSGAN), {**DIGITS, "rates": (2e-4, 2e-4)}),
    "DRAGAN, digits": (None, on_digits(kg.DRAGAN), {**DIGITS, "rates": (2e-4, 2e-4)}),
    "WGAN, digits": (None, on_digits(kg.WGAN), {**DIGITS, "rates": (5e-4, 5e-4), "batch": 160}),
    "GAN, fast discriminator, ring": (None, on_points(kg.GAN), {**RING, "rates": (2e-4, 1e-3)}),
    "LSGAN, ring": (None, on_points(kg.LSGAN), RING),
    "FGAN, fast discriminator, ring": (None, on_points(kg.FGAN), {**RING, "rates": (2e-4, 1e-3)}),
    "PacGAN, ring": (None, on_points(kg.PacGAN, 2), {**RING, "batch": 512}),
    "WGANGP, ring": (None, on_points(kg.WGANGP, gp_weight=1.0), {**RING, "batch": 1280}),
    "VEEGAN, ring": (
        None,
        lambda: kg.VEEGAN(image_shape=POINT, latent_dim=4, seed=1),
        RING,
    ),
}
# Those of --quick and of the tests, and for how many epochs.
QUICK = {
    "blind generator, GAN": 3,
    "frozen generator, LSGAN": 3,
    "minimax loss, strong discriminator": 3,
    "learning rate 1, GAN": 3,
    "100 images, WGANGP, one step": 10,
    "rotation, linear WGAN": 8,
    "WGANGP, one step, digits": 10,
    "GAN, fast discriminator, ring": 8,
    "LSGAN, ring": 8,
    "PacGAN, ring": 8,
    "GAN, digits": 8,
    "DRAGAN, digits": 8,
}


def images_of(data):
    if data == "digits":
        return kg.data.digits(4096, DIGIT[:2])[0]
    return (kg.data.ring(4096)[0] / 1.1).astype("float32").reshape(-1, *POINT)


def diagnosed(make, settings, epochs, seed=0):
    """The doctor after one run, and the run's history."""
    images = images_of(settings["data"])
    held_out, train = images[:BATCH], images[BATCH:]
    train = train[: settings["images"]]
    keras.utils.set_random_seed(seed)
    gan = make()
    gan.compile(*(settings["optimizer"](rate) for rate in settings["rates"]), jit_compile=False)
    # Without `stop`, `fit` itself ends a run whose losses are not finite, before the doctor has looked.
    doctor = GANDoctor(train[:BATCH], held_out, stop=settings.get("stop", False))
    dataset = kg.data.Batches(train, batch_size=settings["batch"], seed=seed)
    history = gan.fit(dataset, epochs=epochs, steps_per_epoch=settings["steps"], verbose=0, callbacks=[doctor])
    return doctor, history.history


def passed(expected, doctor):
    found = [verdict.name for verdict in doctor.verdicts]
    return not found if expected is None else expected in found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    runs = {**SICK, **HEALTHY}
    parser.add_argument(
        "--runs", nargs="+", choices=list(runs), metavar="RUN", help="lines of the table, by default all"
    )
    parser.add_argument("--epochs", type=int, help="of every run, by default 15")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="six of each, in a minute or two")
    parser.add_argument("--signals", action="store_true", help="each epoch's")
    options = parser.parse_args()
    keras.config.disable_interactive_logging()  # the table says it
    print(f"{'run':36} {'expected':30} {'verdicts (epoch)':60} {'':6} {'seconds':>7}", flush=True)
    right = []
    for name in options.runs or (list(QUICK) if options.quick else runs):
        expected, make, settings = runs[name]
        epochs = options.epochs or (QUICK[name] if options.quick else EPOCHS)
        start = time.perf_counter()
        doctor, history = diagnosed(make, settings, epochs, options.seed)
        found = ", ".join(f"{v.name} ({v.epoch}{'' if v.until is None else f'-{v.until}'})" for v in doctor.verdicts)
        right.append(passed(expected, doctor))
        seconds = time.perf_counter() - start
        line = f"{name:36} {expected or 'none':30} {found or 'none':60} {'ok' if right[-1] else 'WRONG':6}"
        print(f"{line} {seconds:7.1f}", flush=True)
        if options.signals:
            for signal, values in history.items():
                print(f"    {signal:26}" + " ".join(f"{value:8.3g}" for value in values))
    print(f"{sum(right)} of {len(right)} as expected")
    return 0 if all(right) else 1


if __name__ == "__main__":
    raise SystemExit(main())
