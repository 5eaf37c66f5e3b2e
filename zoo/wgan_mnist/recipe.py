"""WGAN on MNIST, 28x28: Arjovsky et al., 2017, https://arxiv.org/abs/1701.07875

    keras-gans train wgan_mnist

DCGAN's networks with half the filters of its authors' code for MNIST and half its dense layers, the critic with batch
norm as in the authors' code of WGAN; five critic updates for each of the generator's and RMSprop, as in the paper, with
a higher learning rate and wider clipping for the shorter run, and a moving average of the generator. It took 14 minutes
of one CPU core, beside other work.
"""

import keras

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)


def recipe(smoke=False):
    filters, units = (4, 16) if smoke else (32, 512)
    model = kg.WGAN(
        build_generator(SHAPE, latent_dim=64, base_filters=filters, units=units),
        build_discriminator(SHAPE, base_filters=filters, units=units),
        clip=0.03,
        ema_decay=0.999,
    )
    model.compile(keras.optimizers.RMSprop(1e-3), keras.optimizers.RMSprop(1e-3))
    return Recipe(
        title="Handwritten digits, 28x28, from a Wasserstein GAN with clipping",
        dataset=kg.data.load("mnist", split="train", batch_size=5 * 64, take=640 if smoke else None),
        model=model,
        epochs=1 if smoke else 14,
        limits="Half the filters, trained for a quarter of an hour: strokes are uneven, some digits are between two.",
        not_good_for="Digits on demand: it takes no labels. Clipping keeps the critic simple, and strokes uneven.",
    )
