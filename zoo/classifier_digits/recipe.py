"""A classifier of drawn digits, 28x28, which the samples of `cgan_digits` are judged by.

    keras-gans train classifier_digits

The networks and rates of `classifier_mnist`, on digits that are drawn and need no download. Budget: a minute on two CPU
cores; card.json says how many digits of the test split it gets right.
"""

import keras

import keras_gans as kg
from keras_gans.networks.classifier import build_classifier
from keras_gans.training import ClassifierRecipe


def recipe(smoke=False):
    train = kg.data.load("drawn:digits", split="train", batch_size=64, take=512 if smoke else 8192)
    test = kg.data.load("drawn:digits", split="test", batch_size=128, take=256 if smoke else None)
    model = build_classifier(train.image_shape, base_filters=4 if smoke else 16)
    epochs = 1 if smoke else 4
    rate = keras.optimizers.schedules.CosineDecay(2e-3, decay_steps=epochs * len(train))
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(kg.optimizers.FusedAdam(rate), cross_entropy, metrics=["accuracy"])
    return ClassifierRecipe(
        title="Which digit a drawn image shows; 64 features",
        model=model,
        dataset=train,
        test=test,
        epochs=epochs,
        limits="A small network, trained for a minute on one typeface.",
        not_good_for="Handwriting, or another typeface; it has an answer for noise too.",
    )
