"""SNGAN on avatars, 32x32 in colour: Miyato et al., 2018, https://arxiv.org/abs/1802.05957

    keras-gans train sngan_avatars

The paper's residual networks with an eighth of the filters and the hinge loss, one discriminator update a step with
twice the generator's learning rate instead of five, and a moving average of the generator. It took 25 minutes
of two CPU cores with bfloat16.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars", or pass images of your own to `keras-gans train sngan --data FOLDER --image-size 32`.
"""

import keras

import keras_gans as kg
from keras_gans.models.sngan import build_discriminator, build_generator
from keras_gans.training import Recipe, fast_policy

SHAPE = (32, 32, 3)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    model = kg.SNGAN(
        build_generator(SHAPE, latent_dim=64, base_filters=8 if smoke else 32),
        build_discriminator(SHAPE, base_filters=8 if smoke else 32),
        discriminator_steps=1,
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(2e-4, beta_1=0.0, beta_2=0.9), adam(4e-4, beta_1=0.0, beta_2=0.9))
    return Recipe(
        title="Drawn faces, 32x32 in colour, from spectrally normalized residual networks",
        dataset=kg.data.load(
            "avatars", split="train", labels=False, image_size=SHAPE[:2], batch_size=64, take=256 if smoke else None
        ),
        model=model,
        epochs=1 if smoke else 80,
        limits="An eighth of the paper's filters, trained for half an hour: faces are grainy, and styles of "
        "hair and hats are missing.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
