"""DeePSiM on MNIST: Dosovitskiy and Brox, 2016, https://arxiv.org/abs/1602.02644

    keras-gans train deepsim_mnist

Inverts the 64 features of `classifier_mnist`, whose last map is compared. Networks of a fraction of the paper's size.
Budget: a quarter of an hour on two CPU cores; card.json says what it took.
"""

import keras

import keras_gans as kg
from keras_gans.models.deepsim import build_discriminator, build_generator
from keras_gans.training import Recipe, fast_policy

SHAPE = (28, 28, 1)


def recipe(smoke=False):
    comparator = kg.zoo.load_classifier("classifier_mnist")
    keras.config.set_dtype_policy(fast_policy())
    codes = comparator.get_layer("features").output.shape[1:]
    filters, units = (4, 16) if smoke else (64, 256)
    model = kg.DeePSiM(
        build_generator(codes, SHAPE, filters=filters, units=units),
        build_discriminator(SHAPE, filters=4 if smoke else 16, units=16 if smoke else 64),
        comparator,
        layer="features",
        ema_decay=0.999,
    )
    model.compile()
    return Recipe(
        title="What a classifier's features know of a handwritten digit",
        dataset=kg.data.load("mnist", split="train", labels=False, batch_size=64, take=256 if smoke else None),
        model=model,
        epochs=1 if smoke else 6,
        held_back=kg.data.load("mnist", split="test", labels=False, batch_size=1, take=64),
        limits="Small networks; 64 features that tell digits apart say little about how one was written.",
        not_good_for="Copies: it shows what the features keep of a digit.",
    )
