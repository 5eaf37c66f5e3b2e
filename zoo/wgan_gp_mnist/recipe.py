"""WGAN-GP on MNIST, 28x28: Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028

    keras-gans train wgan_gp_mnist

The published code's critic with half the filters and its penalty, DCGAN's generator with a dense layer and batch norm,
and a moving average of it. For the shorter run, three critic updates a step instead of five, and a higher learning
rate. It took 29 minutes of one CPU core, beside other work.
"""

import keras_gans as kg
from keras_gans.models.wgan_gp import build_discriminator
from keras_gans.networks.dcgan import build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)


def recipe(smoke=False):
    filters, units = (4, 16) if smoke else (32, 512)
    model = kg.WGANGP(
        build_generator(SHAPE, latent_dim=64, base_filters=filters, units=units),
        build_discriminator(SHAPE, base_filters=filters),
        discriminator_steps=3,
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(1e-3, beta_1=0.0, beta_2=0.9), adam(1e-3, beta_1=0.0, beta_2=0.9))
    return Recipe(
        title="Handwritten digits, 28x28, from a Wasserstein GAN with gradient penalty",
        dataset=kg.data.load("mnist", split="train", batch_size=3 * 64, take=384 if smoke else None),
        model=model,
        epochs=1 if smoke else 12,
        limits="Half the filters, trained for half an hour: a few digits are between two.",
        not_good_for="Digits on demand: it takes no labels. A few samples are between two digits.",
    )
