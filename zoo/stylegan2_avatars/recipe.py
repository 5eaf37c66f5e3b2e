"""StyleGAN2 on avatars, 64x64 in colour: Karras et al., 2020, https://arxiv.org/abs/1912.04958

    keras-gans train stylegan2_avatars

An eighth of the paper's channels or fewer, two mapping layers, and no path length regularization, as the authors have
it for small images. Budget: less than an hour of two CPU cores with bfloat16.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars", or pass images of your own to `keras-gans train style_gan2 --data FOLDER --image-size 64`.
"""

import keras

import keras_gans as kg
from keras_gans.models.style_gan2 import build_discriminator, build_generator
from keras_gans.networks.mapping import build_mapping
from keras_gans.training import Recipe, fast_policy

SHAPE = (64, 64, 3)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    widths = (8, 8, 8, 8, 4) if smoke else (64, 64, 64, 32, 16)
    model = kg.StyleGAN2(
        build_generator(SHAPE, 64, widths=widths),
        build_discriminator(SHAPE, widths=widths),
        build_mapping(64, 64, depth=2),
        gamma=0.1,
        path_weight=0.0,
        ema_decay=0.998,
    )
    model.compile()
    return Recipe(
        title="Drawn faces, 64x64 in colour, from styles",
        dataset=kg.data.load("avatars", split="train", labels=False, batch_size=32, take=64 if smoke else None),
        model=model,
        epochs=1 if smoke else 32,
        limits="A small network, trained for less than an hour.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
