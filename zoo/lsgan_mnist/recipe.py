"""LSGAN on MNIST, 28x28: Mao et al., 2017, https://arxiv.org/abs/1611.04076

    keras-gans train lsgan_mnist

The networks of DCGAN's Theano code for MNIST in half the width, the objective's targets 0 and 1, and a moving average
of the generator. Budget: about twenty minutes on two CPU cores; card.json says what it took.
"""

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)


def recipe(smoke=False):
    filters, units = (4, 16) if smoke else (32, 512)
    model = kg.LSGAN(
        build_generator(SHAPE, latent_dim=64, base_filters=filters, units=units),
        build_discriminator(SHAPE, base_filters=filters, units=units),
        ema_decay=0.999,
    )
    model.compile()
    return Recipe(
        title="Handwritten digits, 28x28, by least squares",
        dataset=kg.data.load("mnist", split="train", batch_size=64, take=256 if smoke else None),
        model=model,
        epochs=1 if smoke else 12,
        limits="Half the width of DCGAN's code, trained for twenty minutes: a few digits are between two.",
        not_good_for="Digits on demand: it takes no labels. A few samples are between two digits.",
    )
