"""How many images a discriminator needs: few it learns by heart, and the generator then comes near to copies of them.

    python examples/theory/generalization.py --output docs/theory

The same small GAN is trained with the same number of steps on 64 to 8192 drawn digits. Left: the share of real images
that the discriminator takes for real, of those that it was trained on and of others. Where they part, it recognises
images and not digits, and the best generator for it repeats the training set. Arora et al., 2017
(https://arxiv.org/abs/1703.00573), say how many images it takes until a discriminator of a given size cannot do so.
Right: the median distance of samples to the nearest training image, against that of held-out digits.
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

SHAPE = (14, 14, 1)
LATENTS = 32
BATCH = 64
COUNTS = (64, 256, 1024, 8192)
HELD_OUT = 2048


def hidden(x, units=256):
    for _ in range(2):
        x = layers.LeakyReLU(0.2)(layers.Dense(units)(x))
    return x


def build():
    latents, images = keras.Input((LATENTS,)), keras.Input(SHAPE)
    pixels = layers.Dense(SHAPE[0] * SHAPE[1], activation="tanh")(hidden(latents))
    generator = keras.Model(latents, layers.Reshape(SHAPE)(pixels))
    discriminator = keras.Model(images, layers.Dense(1)(hidden(layers.Flatten()(images))))
    gan = kg.DCGAN(generator, discriminator, seed=0)
    gan.compile(*(keras.optimizers.Adam(5e-4, beta_1=0.5) for _ in range(2)))
    return gan


def taken_for_real(gan, images):
    """The share of images of which the discriminator says D > 1/2."""
    return float((keras.ops.convert_to_numpy(gan.discriminator(images, training=False)) > 0).mean())


def measured(train, held_out, epochs):
    """Of a GAN trained on these images: shares taken for real (train, held_out, fake), and distances (fake, held_out).

    Distances are the medians of those to the nearest training image, in grey levels.
    """
    keras.utils.set_random_seed(0)
    gan = build()
    repeated = np.resize(train, (max(COUNTS), *SHAPE))  # so that an epoch has as many steps for every count
    gan.fit(repeated, batch_size=BATCH, epochs=epochs, verbose=0)
    fake = gan.predict(gan.prior(gan.noise(HELD_OUT, seed=0)), batch_size=1024, verbose=0)
    near = kg.metrics.memorization(fake=fake, train=train, held_out=held_out)
    return [taken_for_real(gan, x) for x in (train, held_out, fake)], (near.fake_median, near.held_out_median)


def draw(path, epochs):
    images, _ = kg.data.digits(max(COUNTS) + HELD_OUT, SHAPE[:2])
    images = images.astype("float32") / 127.5 - 1.0
    found = []
    for count in COUNTS:
        shares, distances = measured(images[:count], images[-HELD_OUT:], epochs)
        found.append([*shares, *distances])
        print(
            f"{count:5} images: taken for real {shares[0]:.0%} of those seen, {shares[1]:.0%} of others, "
            f"{shares[2]:.0%} of samples; to the nearest: samples {distances[0]:.0f}, others {distances[1]:.0f}",
            flush=True,
        )
    seen, others, fakes, to_fake, to_others = np.array(found).T
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for name, shares in (("training images", seen), ("held-out images", others), ("samples", fakes)):
        left.semilogx(COUNTS, shares, "o-", label=name)
    left.set(title="taken for real by the discriminator", ylim=(-0.03, 1.03), xlabel="training images")
    for name, distances in (("held-out images", to_others), ("samples", to_fake)):
        right.semilogx(COUNTS, distances, "o-", label=name)
    right.set(title="distance to the nearest training image", ylim=(0, None), xlabel="training images")
    for panel in (left, right):
        panel.legend(fontsize=8)
    figure.savefig(path, dpi=60)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for generalization.png")
    parser.add_argument("--epochs", type=int, default=20, help="of each training, each of 128 steps")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    draw(options.output / "generalization.png", options.epochs)


if __name__ == "__main__":
    main()
