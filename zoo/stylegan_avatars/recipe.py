"""StyleGAN on avatars, 32x32 in colour: Karras et al., 2019, https://arxiv.org/abs/1812.04948

    keras-gans train stylegan_avatars

An eighth of the paper's channels or fewer, four mapping layers, batches of 32, twice the learning rate and a smaller
weight of R1, as small images need it, with bfloat16 and a moving average of the generator. It does not grow. Budget: an
hour on two CPU cores.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars", or pass images of your own to `keras-gans train style_gan --data FOLDER --image-size 32`.
"""

import keras

import keras_gans as kg
from keras_gans.models.style_gan import build_discriminator, build_generator
from keras_gans.networks.mapping import build_mapping
from keras_gans.training import Recipe, fast_policy

SHAPE = (32, 32, 3)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    widths = (8, 8, 8, 4) if smoke else (64, 64, 48, 24)
    model = kg.StyleGAN(
        build_generator(SHAPE, 64, widths=widths),
        build_discriminator(SHAPE, widths=widths),
        build_mapping(64, 64, depth=4),
        gamma=0.05,
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(*(adam(2e-3, beta_1=0.0, beta_2=0.99, epsilon=1e-8) for _ in range(2)))
    return Recipe(
        title="Drawn faces, 32x32 in colour, from styles that can be mixed and truncated",
        dataset=kg.data.load(
            "avatars", split="train", labels=False, image_size=SHAPE[:2], batch_size=32, take=128 if smoke else None
        ),
        model=model,
        epochs=1 if smoke else 30,
        limits="An eighth of the paper's channels or fewer, trained for an hour.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
