"""CGAN on MNIST, 28x28, digits on demand: Mirza and Osindero, 2014, https://arxiv.org/abs/1411.1784

    keras-gans train cgan_mnist

The paper's objective with convolutional networks in the place of its perceptrons: DCGAN's with half the filters, the
label beside the latents and behind the discriminator's first map, and a moving average of the generator. Budget: 18
minutes on two CPU cores with bfloat16.
"""

import keras

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.training import Recipe, fast_policy

SHAPE = (28, 28, 1)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    filters = 4 if smoke else 32
    model = kg.CGAN(
        build_generator(SHAPE, latent_dim=64, base_filters=filters, label_size=10),
        build_discriminator(SHAPE, base_filters=filters, label_size=10),
        label_space=kg.data.Classes(10),
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(2e-4, beta_1=0.5), adam(2e-4, beta_1=0.5))
    return Recipe(
        title="Handwritten digits on demand, 28x28",
        dataset=kg.data.load("mnist", split="train", batch_size=64, take=256 if smoke else None),
        model=model,
        epochs=1 if smoke else 20,
        limits="Small networks, trained for a quarter of an hour: a few digits are between two.",
        not_good_for="Letters, or digits in another hand than MNIST's.",
    )
