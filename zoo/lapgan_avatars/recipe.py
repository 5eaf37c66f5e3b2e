"""LAPGAN on avatars, 32x32 in colour, in three levels: Denton et al., 2015, https://arxiv.org/abs/1506.05751

    keras-gans train lapgan_avatars

The paper's networks for 8x8, 16x16 and 32x32 with half the filters and units, all levels in one run, Adam in the place
of gradient descent, and a moving average of the generators. It took 28 minutes of two CPU cores with bfloat16,
beside other work.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars", or pass images of your own to `keras-gans train lapgan --data FOLDER --image-size 32`.
"""

import keras

import keras_gans as kg
from keras_gans.models.lapgan import build_discriminators, build_generators
from keras_gans.training import Recipe, fast_policy

SHAPE = (32, 32, 3)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    data = kg.data.load(
        "avatars",
        split="train",
        labels=False,
        image_size=SHAPE[:2],
        batch_size=64,
        take=256 if smoke else None,
    )
    sizes = {"filters": 4 if smoke else 32, "units": 16 if smoke else 600}
    model = kg.LAPGAN(
        build_generators(SHAPE, levels=3, **sizes), build_discriminators(SHAPE, levels=3, **sizes), ema_decay=0.999
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(2e-4, beta_1=0.5), adam(2e-4, beta_1=0.5))
    return Recipe(
        title="Drawn faces, 32x32, from a Laplacian pyramid",
        dataset=data,
        model=model,
        epochs=1 if smoke else 60,
        limits="Networks of half the paper's width, trained for half an hour: faces are rough and backgrounds smeared.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
