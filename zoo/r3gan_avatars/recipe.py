"""R3GAN on avatars, 64x64 in colour: Huang et al., 2024, https://arxiv.org/abs/2501.05441

    keras-gans train r3gan_avatars

A twelfth of the paper's channels at the small sizes and fewer at the large ones, one residual block a size instead of
two, and no groups. Drawn faces have flat colours, so the generator ends in a tanh that overshoots and is clipped: it
reaches pure white. gamma is a fortieth of what the paper has for photographs of this size, and both players move by
Adam with momentum. The penalties are exact, because bfloat16 rounds the small differences that would estimate them.
It has not been trained to its end yet; two CPU cores with bfloat16 need about three hours, by the cost of a few steps.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars", or pass images of your own to `keras-gans train r3gan --data FOLDER --image-size 64`.
"""

import keras

import keras_gans as kg
from keras_gans.models.r3gan import build_discriminator, build_generator
from keras_gans.training import Recipe, fast_policy

SHAPE = (64, 64, 3)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    widths = (8, 8, 8, 4, 4) if smoke else (64, 64, 64, 32, 16)
    model = kg.R3GAN(
        build_generator(SHAPE, 64, widths=widths, blocks=1, overshoot=0.1),
        build_discriminator(SHAPE, widths=widths, blocks=1),
        gamma=0.05,
        ema_decay=0.998,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(5e-4, beta_1=0.5, beta_2=0.99), adam(5e-4, beta_1=0.5, beta_2=0.99))
    return Recipe(
        title="Drawn faces, 64x64 in colour, from residual networks without normalization",
        dataset=kg.data.load("avatars", split="train", labels=False, batch_size=64, take=256 if smoke else None),
        model=model,
        epochs=1 if smoke else 40,
        limits="A twelfth of the paper's channels or fewer, and some hundred thousand images in place of its millions.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
