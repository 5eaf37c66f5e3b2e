"""A segmentation network for avatars, 64x64 in colour: the part of the face at each pixel, 8 classes.

    keras-gans train segmenter_avatars

It reads the part maps back from faces that pix2pix made of them, as the paper's FCN-8s reads street maps back. Adam
with a rate that falls to zero along a cosine. card.json says how many pixels of the test split it gets right.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars".
"""

import keras

import keras_gans as kg
from keras_gans.networks.segmenter import build_segmenter
from keras_gans.training import ClassifierRecipe


def recipe(smoke=False):
    options = {"labels": "parts", "batch_size": 32}
    train = kg.data.load("avatars", split="train", take=64 if smoke else None, **options)
    test = kg.data.load("avatars", split="test", take=32 if smoke else None, **options)
    model = build_segmenter(train.image_shape, num_classes=8, base_filters=4 if smoke else 16)
    epochs = 1 if smoke else 4
    rate = keras.optimizers.schedules.CosineDecay(2e-3, decay_steps=epochs * len(train))
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(kg.optimizers.FusedAdam(rate), cross_entropy, metrics=["accuracy"])
    return ClassifierRecipe(
        title="The part of an avatar at each pixel, 8 classes",
        model=model,
        dataset=train,
        test=test,
        epochs=epochs,
        limits="A small network, so that it judges fast: a larger one would err less.",
        not_good_for="Photographs, or drawings in another style: it has an answer for noise too.",
    )
