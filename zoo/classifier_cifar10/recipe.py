"""A classifier of CIFAR-10, 32x32 in colour, which the samples of other models are judged by.

    keras-gans train classifier_cifar10

The classifier of the other data sets with twice the filters, behind random flips and shifts by up to four pixels, which
are there in training alone. Adam with a rate that falls to zero along a cosine. Intended budget: twenty minutes on two
CPU cores; card.json says what it took and how many images of the test split it gets right.
"""

import keras
from keras import layers

import keras_gans as kg
from keras_gans.networks.classifier import build_classifier
from keras_gans.training import ClassifierRecipe


def recipe(smoke=False):
    train = kg.data.load("cifar10", split="train", batch_size=128, take=512 if smoke else None)
    test = kg.data.load("cifar10", split="test", batch_size=128, take=256 if smoke else None)
    classifier = build_classifier(train.image_shape, base_filters=4 if smoke else 32)
    images = keras.Input(train.image_shape, name="images")
    x = layers.RandomFlip("horizontal", name="flip")(images)
    x = layers.RandomTranslation(4 / 32, 4 / 32, fill_mode="constant", fill_value=0.0, name="shift")(x)
    for layer in classifier.layers[1:]:
        x = layer(x)
    model = keras.Model(images, x, name="classifier")
    epochs = 1 if smoke else 25
    rate = keras.optimizers.schedules.CosineDecay(2e-3, decay_steps=epochs * len(train))
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(kg.optimizers.FusedAdam(rate), cross_entropy, metrics=["accuracy"])
    return ClassifierRecipe(
        title="What a CIFAR-10-like image shows; 128 features",
        model=model,
        dataset=train,
        test=test,
        epochs=epochs,
        not_good_for="Recognition: far better networks exist. It compares small pictures of ten kinds of things.",
    )
