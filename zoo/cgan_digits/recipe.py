"""Conditional GAN on drawn digits, 28x28, for a first look: Mirza and Osindero, 2014, https://arxiv.org/abs/1411.1784

    keras-gans train cgan_digits

The data are drawn, so nothing is downloaded. DCGAN's networks for MNIST in a quarter of the width, with the label
beside the latents and behind the discriminator's first map, Adam with five times DCGAN's rate, and a moving average of
the generator. Budget: a minute and a half on two CPU cores without AVX-512; card.json says what it took.
"""

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)


def recipe(smoke=False):
    filters, units = (4, 16) if smoke else (16, 256)
    dataset = kg.data.load("drawn:digits", batch_size=64, take=256 if smoke else None)
    model = kg.CGAN(
        build_generator(SHAPE, latent_dim=32, base_filters=filters, units=units, label_size=10),
        build_discriminator(SHAPE, base_filters=filters, units=units, label_size=10),
        label_space=dataset.label_space,
        ema_decay=0.99,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(1e-3, beta_1=0.5), adam(1e-3, beta_1=0.5))
    return Recipe(
        title="Drawn digits on demand, 28x28: a newcomer's first training",
        dataset=dataset,
        model=model,
        epochs=1 if smoke else 16,
        limits="Small networks, trained for a minute.",
        not_good_for="Handwriting: it has seen one typeface, turned, stretched and shifted.",
    )
