"""DeePSiM on avatars, 32x32 in colour: Dosovitskiy and Brox, 2016, https://arxiv.org/abs/1602.02644

    keras-gans train deepsim_avatars

Inverts the 64 features of `classifier_avatars`, whose last map is compared: what a network that tells beards, glasses,
hats, long hair and smiles apart keeps of a face. Networks of a fraction of the paper's size. Budget: half an hour on
two CPU cores.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars".
"""

import keras

import keras_gans as kg
from keras_gans.models.deepsim import build_discriminator, build_generator
from keras_gans.training import Recipe, fast_policy

SHAPE = (32, 32, 3)


def recipe(smoke=False):
    comparator = kg.zoo.load_classifier("classifier_avatars")
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
    options = {"image_size": SHAPE[:2], "labels": False}
    return Recipe(
        title="What a classifier's features know of a drawn face",
        dataset=kg.data.load("avatars", split="train", batch_size=64, take=256 if smoke else None, **options),
        model=model,
        epochs=1 if smoke else 60,
        held_back=kg.data.load("avatars", split="test", batch_size=1, take=64, **options),
        limits="Small networks; 64 features that tell six attributes apart say little about colours.",
        not_good_for="Copies: it shows what the features keep of a face.",
    )
