"""A classifier of the colour of avatars' clothes, 32x32 in colour, which models of sentences are judged by.

    keras-gans train classifier_avatars_clothes

Blue, red, green, grey, black or pink. Adam with a rate that falls to zero along a cosine. Budget: ten minutes on two
CPU cores; card.json says what it took and how many of the test split it tells right.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars".
"""

import keras

import keras_gans as kg
from keras_gans.networks.classifier import build_classifier
from keras_gans.training import ClassifierRecipe


def recipe(smoke=False):
    options = {"image_size": (32, 32), "labels": "clothes_color", "batch_size": 64}
    train = kg.data.load("avatars", split="train", take=256 if smoke else None, **options)
    test = kg.data.load("avatars", split="test", take=128 if smoke else None, **options)
    model = build_classifier(train.image_shape, num_classes=6, base_filters=4 if smoke else 16)
    epochs = 1 if smoke else 12
    rate = keras.optimizers.schedules.CosineDecay(2e-3, decay_steps=epochs * len(train))
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(kg.optimizers.FusedAdam(rate), cross_entropy, metrics=["accuracy"])
    return ClassifierRecipe(
        title="The colour of an avatar's clothes; 64 features",
        model=model,
        dataset=train,
        test=test,
        epochs=epochs,
        limits="A small network, so that it judges fast: a larger one would err less.",
        not_good_for="Photographs, or drawings in another style: it has an answer for noise too.",
    )
