"""DCGAN on drawn digits, 28x28, for a first look: Radford et al., 2015, https://arxiv.org/abs/1511.06434

    keras-gans train dcgan_digits

The data are drawn, so nothing is downloaded. The networks of the authors' Theano code for MNIST in a quarter of the
width and without labels, Adam with five times the paper's rate, which falls to half of the paper's, and a moving
average of the generator. Budget: a minute and a half on two CPU cores without AVX-512.
"""

import keras

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)
EPOCHS = 32


def recipe(smoke=False):
    filters, units = (4, 16) if smoke else (16, 256)
    epochs = 1 if smoke else EPOCHS
    dataset = kg.data.load("drawn:digits", batch_size=64, take=256 if smoke else None)
    model = kg.DCGAN(
        build_generator(SHAPE, latent_dim=32, base_filters=filters, units=units),
        build_discriminator(SHAPE, base_filters=filters, units=units),
        ema_decay=0.99,
    )
    rate = keras.optimizers.schedules.PolynomialDecay(1e-3, epochs * len(dataset), 1e-4)
    adam = kg.optimizers.FusedAdam
    model.compile(adam(rate, beta_1=0.5), adam(rate, beta_1=0.5))
    return Recipe(
        title="Drawn digits, 28x28: the first training of a newcomer",
        dataset=dataset,
        model=model,
        epochs=epochs,
        limits="Small networks, trained for a minute and a half: one digit in ten is between two.",
        not_good_for="Handwriting: it has seen one typeface, turned, stretched and shifted. It takes no labels.",
    )
