"""SNGAN on CIFAR-10, 32x32 in colour: Miyato et al., 2018, https://arxiv.org/abs/1802.05957

    keras-gans train sngan_cifar10

The paper's residual networks, hinge loss, five discriminator updates a step and falling learning rate, and a moving
average of the generator. Budget: 50,000 steps, for a GPU; not trained yet.
"""

import keras_gans as kg
from keras_gans.models.sngan import UPDATES, build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (32, 32, 3)


def recipe(smoke=False):
    model = kg.SNGAN(
        build_generator(SHAPE, base_filters=8 if smoke else 256),
        build_discriminator(SHAPE, base_filters=8 if smoke else 128),
        discriminator_steps=1 if smoke else 5,
        ema_decay=0.999,
    )
    model.compile()
    dataset = kg.data.load("cifar10", split="train", labels=False, batch_size=5 * 64, take=640 if smoke else None)
    return Recipe(
        title="Small photographs of ten kinds, 32x32, from spectrally normalized residual networks",
        dataset=dataset,
        model=model,
        epochs=1 if smoke else UPDATES // len(dataset),
        not_good_for="Larger pictures, or a kind on demand: it takes no labels.",
    )
