"""A likelihood blurs, a discriminator does not: an autoencoder beside a GAN on the same digits.

    python examples/theory/blurry_likelihood.py --output docs/theory

The autoencoder minimises the squared error, which is the likelihood of a Gaussian around each pixel. Where its four
latents leave open where a stroke is, the best answer is the mean of all places: grey. Its samples are decodings of
latents drawn from a Gaussian with the mean and covariance of the codes. The GAN has the same networks and as many
latents, but a grey stroke is what its discriminator learns to recognise.

Two numbers stand beside the pictures. Sharpness is the mean squared difference between neighbouring pixels over that
of any two pixels. Grey is the share of pixels between a quarter and three quarters of white among those that are above
a quarter; the data has some too, at the edges of strokes.
"""

import argparse
from pathlib import Path

import keras
import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator

SIDE = 20
SHAPE = (SIDE, SIDE, 1)
LATENTS = 4
FILTERS = 24
BATCH = 64


def sharpness(images):
    """How much neighbours differ: 1 minus their correlation, of images (N, height, width, 1); 1 for noise.

    The mean squared difference of neighbours over that of any two pixels.

    >>> ramp = np.linspace(0.0, 1.0, 5).reshape(1, 5, 1, 1) * np.ones((1, 5, 5, 1))
    >>> sharpness(ramp), sharpness(ramp > 0.5)    # (1/16 + 0) / 2 over 2/8; (1/4 + 0) / 2 over 12/25
    (0.125, 0.260417)
    """
    images = np.asarray(images, "float64")
    across, down = (np.mean(np.diff(images, axis=axis) ** 2) for axis in (1, 2))
    return round(float((across + down) / 2 / (2 * images.var())), 6)


def grey(images):
    """The share of pixels between 1/4 and 3/4 among those above 1/4."""
    lit = images > 0.25
    return float((lit & (images < 0.75)).sum() / lit.sum())


def digits(count):
    """Held-out images come last: float32 (count, 20, 20, 1) in [-1, 1]."""
    images, _ = kg.data.digits(count, SHAPE[:2])
    return images.astype("float32") / 127.5 - 1.0


def autoencoder(images, epochs):
    """(encoder, decoder), trained together on the squared error."""
    inputs = keras.Input(SHAPE)
    encode = build_discriminator(SHAPE, base_filters=FILTERS, logits=LATENTS)
    decode = build_generator(SHAPE, LATENTS, base_filters=FILTERS)
    both = keras.Model(inputs, decode(encode(inputs)))
    both.compile(keras.optimizers.Adam(1e-3), "mean_squared_error")
    both.fit(images, images, batch_size=BATCH, epochs=epochs, verbose=0)
    return encode, decode


def trained_gan(images, epochs):
    """A GAN with the same networks: the decoder generates, and the encoder with one output discriminates."""
    generator = build_generator(SHAPE, LATENTS, base_filters=FILTERS)
    gan = kg.DCGAN(generator, build_discriminator(SHAPE, base_filters=FILTERS), seed=0)
    gan.compile(*(keras.optimizers.Adam(5e-4, beta_1=0.5) for _ in range(2)))
    gan.fit(images, batch_size=BATCH, epochs=epochs, verbose=0)
    return gan


def gallery(count=4096, epochs=20, shown=1024):
    """Images in [0, 1] by name: data, the autoencoder's reconstructions and samples, and the GAN's samples."""
    keras.utils.set_random_seed(0)
    images = digits(count + shown)
    images, held_out = images[:count], images[count:]
    encode, decode = autoencoder(images, epochs)
    gan = trained_gan(images, epochs)
    codes = encode.predict(images, verbose=0)
    drawn = np.random.default_rng(0).multivariate_normal(codes.mean(0), np.cov(codes.T), shown).astype("float32")
    made = {
        "held-out data": held_out,
        "autoencoder, reconstructed": decode.predict(encode.predict(held_out, verbose=0), verbose=0),
        "autoencoder, sampled": decode.predict(drawn, verbose=0),
        "GAN, sampled": gan.predict(gan.prior(gan.noise(shown, seed=0)), verbose=0),
    }
    return {name: (images + 1) / 2 for name, images in made.items()}


def draw(path, epochs):
    figure, panels = plt.subplots(1, 4, figsize=(12, 3.8), layout="constrained")
    for panel, (name, images) in zip(panels, gallery(epochs=epochs).items()):
        tiles = kg.images.grid(np.round(255 * images[:36]).astype("uint8"), columns=6)
        panel.imshow(tiles[..., 0], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        panel.set(title=f"{name}\nsharpness {sharpness(images):.2f}, grey {grey(images):.0%}")
        panel.axis("off")
        print(f"{name:28} sharpness {sharpness(images):.3f}  grey {grey(images):.1%}", flush=True)
    figure.savefig(path, dpi=60)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for blurry_likelihood.png")
    parser.add_argument("--epochs", type=int, default=20, help="passes over the data, for each network")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    draw(options.output / "blurry_likelihood.png", options.epochs)


if __name__ == "__main__":
    main()
