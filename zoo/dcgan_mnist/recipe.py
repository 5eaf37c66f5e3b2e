"""DCGAN on MNIST, 28x28: Radford et al., 2015, https://arxiv.org/abs/1511.06434

    keras-gans train dcgan_mnist

The networks of the authors' Theano code for MNIST in half the width and without labels, with its dense layers, and a
moving average of the generator. Budget: about twenty minutes on two CPU cores; card.json says what it took.
"""

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)


def recipe(smoke=False):
    filters, units = (4, 16) if smoke else (32, 512)
    model = kg.DCGAN(
        build_generator(SHAPE, latent_dim=64, base_filters=filters, units=units),
        build_discriminator(SHAPE, base_filters=filters, units=units),
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(2e-4, beta_1=0.5), adam(2e-4, beta_1=0.5))  # the paper's, section 4
    return Recipe(
        title="Handwritten digits, 28x28, from a small DCGAN",
        dataset=kg.data.load("mnist", split="train", batch_size=64, take=256 if smoke else None),
        model=model,
        epochs=1 if smoke else 12,
        limits="Half the width of the authors' code, trained for twenty minutes: a few digits are between two.",
        not_good_for="Digits on demand: it takes no labels. A few samples are between two digits.",
    )
