"""DCGAN on MNIST, 28x28: Radford et al., 2015, https://arxiv.org/abs/1511.06434

    keras-gans train dcgan_mnist

Half the filters of the authors' Theano code for MNIST and no labels, with a moving average of the generator. Budget:
about half an hour on two CPU cores; card.json says what it took.
"""

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)


def recipe(smoke=False):
    filters = 4 if smoke else 32
    model = kg.DCGAN(
        build_generator(SHAPE, latent_dim=64, base_filters=filters),
        build_discriminator(SHAPE, base_filters=filters),
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(2e-4, beta_1=0.5), adam(2e-4, beta_1=0.5))  # the paper's, section 4
    return Recipe(
        title="Handwritten digits, 28x28, from a small DCGAN",
        dataset=kg.data.load("mnist", split="train", batch_size=64, take=256 if smoke else None),
        model=model,
        epochs=1 if smoke else 20,
        limits="Half the filters of the authors' code, trained for less than half an hour: some digits are "
        "between two.",
        not_good_for="Digits on demand: it takes no labels. Some samples are between two digits.",
    )
