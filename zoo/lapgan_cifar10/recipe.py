"""LAPGAN on CIFAR-10, 32x32 in colour, in three levels: Denton et al., 2015, https://arxiv.org/abs/1506.05751

    keras-gans train lapgan_cifar10

The paper's networks for 8x8, 16x16 and 32x32, all levels in one run, Adam in the place of gradient descent, and a
moving average of the generators. Budget: 200 epochs, for a GPU; not trained yet.
"""

import keras_gans as kg
from keras_gans.models.lapgan import build_discriminators, build_generators
from keras_gans.training import Recipe

SHAPE = (32, 32, 3)


def recipe(smoke=False):
    sizes = {"filters": 4, "units": 16} if smoke else {}
    model = kg.LAPGAN(
        build_generators(SHAPE, levels=3, **sizes), build_discriminators(SHAPE, levels=3, **sizes), ema_decay=0.999
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(2e-4, beta_1=0.5), adam(2e-4, beta_1=0.5))
    return Recipe(
        title="Small photographs of ten kinds, 32x32, from a Laplacian pyramid",
        dataset=kg.data.load("cifar10", split="train", labels=False, batch_size=128, take=512 if smoke else None),
        model=model,
        epochs=1 if smoke else 200,
        not_good_for="Larger pictures, or a kind on demand: cc_lapgan_cifar10 takes labels.",
    )
