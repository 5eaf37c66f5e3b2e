"""LSGAN on MNIST, 28x28: Mao et al., 2017, https://arxiv.org/abs/1611.04076

    keras-gans train lsgan_mnist

DCGAN's networks with half the filters of its authors' code for MNIST, the objective's targets 0 and 1, and a moving
average of the generator. Budget: about half an hour on two CPU cores; card.json says what it took.
"""

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)


def recipe(smoke=False):
    filters = 4 if smoke else 32
    model = kg.LSGAN(
        build_generator(SHAPE, latent_dim=64, base_filters=filters),
        build_discriminator(SHAPE, base_filters=filters),
        ema_decay=0.999,
    )
    model.compile()
    return Recipe(
        title="Handwritten digits, 28x28, by least squares",
        dataset=kg.data.load("mnist", split="train", batch_size=64, take=256 if smoke else None),
        model=model,
        epochs=1 if smoke else 12,
        limits="Half the filters of DCGAN's code, trained for less than half an hour: some digits are between two.",
        not_good_for="Digits on demand: it takes no labels. Some samples are between two digits.",
    )
