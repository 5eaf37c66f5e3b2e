"""ACGAN on CIFAR-10, 32x32 in colour, its ten kinds on demand: Odena et al., 2017, https://arxiv.org/abs/1610.09585

    keras-gans train acgan_cifar10

DCGAN's networks, labels learned from real and from generated images as in the paper, and a moving average of the
generator. Budget: 200 epochs, for a GPU; not trained yet.
"""

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (32, 32, 3)


def recipe(smoke=False):
    filters = 4 if smoke else 64
    model = kg.ACGAN(
        build_generator(SHAPE, latent_dim=110, base_filters=filters, label_size=10),
        build_discriminator(SHAPE, base_filters=filters, logits=1 + 10),
        label_space=kg.data.Classes(10),
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(2e-4, beta_1=0.5), adam(2e-4, beta_1=0.5))
    return Recipe(
        title="Small photographs of the kind asked for, 32x32",
        dataset=kg.data.load("cifar10", split="train", batch_size=100, take=400 if smoke else None),
        model=model,
        epochs=1 if smoke else 200,
        not_good_for="Larger pictures, or kinds that CIFAR-10 does not have.",
    )
