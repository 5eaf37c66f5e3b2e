"""DCGAN on avatars, 64x64 in colour: Radford et al., 2015, https://arxiv.org/abs/1511.06434

    keras-gans train dcgan_avatars

Half the filters of the authors' Torch code. Drawn faces have flat colours that a tanh never hits exactly, so a plain
discriminator wins at once. Here the generator's tanh overshoots and is clipped, so that it reaches pure white, and R1
bounds the discriminator's gradient. Budget: an hour of two CPU cores with bfloat16; card.json says what it took.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars", or pass images of your own to `keras-gans train dcgan --data FOLDER`.
"""

import keras

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.training import Recipe, fast_policy

SHAPE = (64, 64, 3)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    filters = 4 if smoke else 32
    model = kg.DCGAN(
        build_generator(SHAPE, latent_dim=64, base_filters=filters, kernel_size=4, overshoot=0.1),
        build_discriminator(SHAPE, base_filters=filters, kernel_size=4),
        r1_weight=0.025,
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(1e-3, beta_1=0.5), adam(1e-3, beta_1=0.5))
    return Recipe(
        title="Drawn faces, 64x64 in colour",
        dataset=kg.data.load("avatars", split="train", labels=False, batch_size=64, take=256 if smoke else None),
        model=model,
        epochs=1 if smoke else 36,
        limits="A small network, trained for an hour: hair and glasses are smeared in some faces.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
