"""A classifier of CIFAR-10, 32x32 in colour, which the samples of other models are judged by.

    keras-gans train classifier_cifar10

Five convolutions with batch normalization and a mean over the map, behind random flips and shifts by up to four pixels,
which are there in training alone. Adam with a rate that falls to zero along a cosine. Its 20 epochs took 49 minutes on
two CPU cores that did other work beside it; card.json says how many images of the test split it gets right.
"""

import keras
from keras import layers

import keras_gans as kg
from keras_gans.training import ClassifierRecipe


def build_classifier(image_shape, width):
    """The layer before the logits is "features", of 4 `width` rectified units."""
    images = keras.Input(image_shape, name="images")
    x = layers.RandomFlip("horizontal", name="flip")(images)
    x = layers.RandomTranslation(4 / 32, 4 / 32, fill_mode="constant", fill_value=0.0, name="shift")(x)
    for filters, strides in ((1, 1), (2, 2), (2, 1), (4, 2), (4, 1)):
        x = layers.Conv2D(filters * width, 3, strides=strides, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))
    x = layers.Dense(4 * width, activation="relu", name="features")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(images, layers.Dense(10, name="logits")(layers.Dropout(0.2)(x)), name="classifier")


def recipe(smoke=False):
    train = kg.data.load("cifar10", split="train", batch_size=128, take=512 if smoke else None)
    test = kg.data.load("cifar10", split="test", batch_size=128, take=256 if smoke else None)
    model = build_classifier(train.image_shape, width=4 if smoke else 32)
    epochs = 1 if smoke else 20
    rate = keras.optimizers.schedules.CosineDecay(2e-3, decay_steps=epochs * len(train))
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(kg.optimizers.FusedAdam(rate), cross_entropy, metrics=["accuracy"])
    return ClassifierRecipe(
        title="What a CIFAR-10-like image shows; 128 features",
        model=model,
        dataset=train,
        test=test,
        epochs=epochs,
        limits="A small network, so that it judges fast: a fifth of the pictures are beyond it.",
        not_good_for="Recognition: far better networks exist. It compares small pictures of ten kinds of things.",
    )
