"""Class-conditional LAPGAN on CIFAR-10, 32x32 in colour, its ten kinds on demand: Denton et al., 2015,
https://arxiv.org/abs/1506.05751

    keras-gans train cc_lapgan_cifar10

As lapgan_cifar10, with the kind as the class. Budget: 200 epochs, for a GPU; not trained yet.
"""

import keras_gans as kg
from keras_gans.models.lapgan import build_discriminators, build_generators
from keras_gans.training import Recipe

SHAPE = (32, 32, 3)


def recipe(smoke=False):
    sizes = {"label_size": 10, **({"filters": 4, "units": 16} if smoke else {})}
    model = kg.LAPGAN(
        build_generators(SHAPE, levels=3, **sizes),
        build_discriminators(SHAPE, levels=3, **sizes),
        label_space=kg.data.Classes(10),
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(2e-4, beta_1=0.5), adam(2e-4, beta_1=0.5))
    return Recipe(
        title="Small photographs of the kind asked for, 32x32, from a Laplacian pyramid",
        dataset=kg.data.load("cifar10", split="train", batch_size=128, take=512 if smoke else None),
        model=model,
        epochs=1 if smoke else 200,
        not_good_for="Larger pictures, or kinds that CIFAR-10 does not have.",
    )
