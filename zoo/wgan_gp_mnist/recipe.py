"""WGAN-GP on MNIST, 28x28: Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028

    keras-gans train wgan_gp_mnist

The published code's networks for MNIST with half the filters, its penalty, and a moving average of the generator.
Budget: about half an hour on two CPU cores, so three critic updates a step instead of five and a higher
learning rate.
"""

import keras_gans as kg
from keras_gans.models.wgan_gp import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)


def recipe(smoke=False):
    filters = 4 if smoke else 32
    model = kg.WGANGP(
        build_generator(SHAPE, latent_dim=64, base_filters=filters),
        build_discriminator(SHAPE, base_filters=filters),
        discriminator_steps=3,
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(2e-4, beta_1=0.0, beta_2=0.9), adam(2e-4, beta_1=0.0, beta_2=0.9))
    return Recipe(
        title="Handwritten digits, 28x28, from a Wasserstein GAN with gradient penalty",
        dataset=kg.data.load("mnist", split="train", batch_size=3 * 64, take=384 if smoke else None),
        model=model,
        epochs=1 if smoke else 14,
        limits="Half the filters, and half an hour in which most updates are the critic's: some digits are "
        "between two.",
        not_good_for="Digits on demand: it takes no labels. Some samples are between two digits.",
    )
