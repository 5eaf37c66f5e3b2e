"""DCGAN on avatars, 64x64 in colour: Radford et al., 2015, https://arxiv.org/abs/1511.06434

    keras-gans train dcgan_avatars

Half the filters of the authors' Torch code in the generator, fewer in the discriminator. Drawn faces have flat colours
that no generator hits exactly, so a plain discriminator wins at once: it gets Gaussian noise on its input, one-sided
label smoothing and a lower learning rate. Budget: about three quarters of an hour on two CPU cores with bfloat16.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars", or pass images of your own to `keras-gans train dcgan --data FOLDER`.
"""

import keras
from keras import layers

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.training import Recipe, fast_policy

SHAPE = (64, 64, 3)


def noisy_discriminator(filters):
    images = keras.Input(SHAPE, name="images")
    noisy = layers.GaussianNoise(0.2, dtype="float32", name="noise")(images)
    logits = build_discriminator(SHAPE, base_filters=filters, kernel_size=4)(noisy)
    return keras.Model(images, logits, name="discriminator")


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    model = kg.DCGAN(
        build_generator(SHAPE, latent_dim=64, base_filters=4 if smoke else 32, kernel_size=4),
        noisy_discriminator(4 if smoke else 24),
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(4e-4, beta_1=0.5), adam(1e-4, beta_1=0.5))
    return Recipe(
        title="Drawn faces, 64x64 in colour",
        dataset=kg.data.load("avatars", split="train", labels=False, batch_size=64, take=256 if smoke else None),
        model=model,
        epochs=1 if smoke else 40,
        callbacks=[kg.callbacks.LabelSmoothing(0.9)],
        limits="A small network, trained for less than an hour: hair and glasses are smeared in many faces.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
