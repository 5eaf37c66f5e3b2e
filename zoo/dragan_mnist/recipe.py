"""DRAGAN on MNIST, 28x28: Kodali et al., 2017, https://arxiv.org/abs/1705.07215

    keras-gans train dragan_mnist

The networks of DCGAN's Theano code for MNIST in half the width, without batch norm in the discriminator, the penalty of
DRAGAN's code, Adam at five times DCGAN's rate, and a moving average of the generator. It took 9 minutes of one CPU
core, beside other work.
"""

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)


def recipe(smoke=False):
    filters, units = (4, 16) if smoke else (32, 512)
    model = kg.DRAGAN(
        build_generator(SHAPE, latent_dim=64, base_filters=filters, units=units),
        build_discriminator(SHAPE, base_filters=filters, units=units, batch_norm=False),
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(1e-3, beta_1=0.5), adam(1e-3, beta_1=0.5))
    return Recipe(
        title="Handwritten digits, 28x28, with a penalty near the data",
        dataset=kg.data.load("mnist", split="train", batch_size=64, take=256 if smoke else None),
        model=model,
        epochs=1 if smoke else 4,
        limits="Half the width of DCGAN's code, trained for ten minutes: some digits are between two.",
        not_good_for="Digits on demand: it takes no labels. Some samples are between two digits.",
    )
