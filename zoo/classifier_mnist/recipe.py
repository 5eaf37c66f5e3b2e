"""A classifier of MNIST's digits, 28x28, which the samples of other models are judged by.

    keras-gans train classifier_mnist

Adam with a rate that falls to zero along a cosine. Budget: ten minutes on two CPU cores; card.json says what it took
and how many digits of the test split it gets right.
"""

import keras

import keras_gans as kg
from keras_gans.networks.classifier import build_classifier
from keras_gans.training import ClassifierRecipe


def recipe(smoke=False):
    train = kg.data.load("mnist", split="train", batch_size=128, take=512 if smoke else None)
    test = kg.data.load("mnist", split="test", batch_size=128, take=256 if smoke else None)
    model = build_classifier(train.image_shape, base_filters=4 if smoke else 16)
    epochs = 1 if smoke else 8
    rate = keras.optimizers.schedules.CosineDecay(2e-3, decay_steps=epochs * len(train))
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(kg.optimizers.FusedAdam(rate), cross_entropy, metrics=["accuracy"])
    return ClassifierRecipe(
        title="Which digit an MNIST-like image shows; 64 features",
        model=model,
        dataset=train,
        test=test,
        epochs=epochs,
        limits="A small network, so that it judges fast: a larger one would err less.",
        not_good_for="Other digits than MNIST's: it knows one size, place and style, and has an answer for noise too.",
    )
