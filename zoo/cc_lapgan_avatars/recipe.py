"""Class-conditional LAPGAN on avatars, 32x32, the hair's colour on demand: Denton et al., 2015,
https://arxiv.org/abs/1506.05751

    keras-gans train cc_lapgan_avatars

The paper's networks for 8x8, 16x16 and 32x32 with half the generator's filters, in windows of 5x5, and half the units;
all levels in one run, Adam in the place of gradient descent, twice as fast for the discriminators, and a moving average
of the generators. The class is the color of the hair. It took 38 minutes of two CPU cores with bfloat16,
beside other work.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars".
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
        labels="hair_color",
        image_size=SHAPE[:2],
        batch_size=64,
        take=256 if smoke else None,
    )
    hair = kg.data.Classes(5)  # black, brown, blond, red, grey
    filters = (4, 8) if smoke else (32, 64)
    sizes = {"units": 16 if smoke else 600, "label_size": hair.size}
    model = kg.LAPGAN(
        build_generators(SHAPE, levels=3, filters=filters[0], kernel_sizes=(5, 5, 5), **sizes),
        build_discriminators(SHAPE, levels=3, filters=filters[1], **sizes),
        label_space=hair,
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(2e-4, beta_1=0.5), adam(4e-4, beta_1=0.5))
    return Recipe(
        title="Drawn faces with hair of the colour asked for, 32x32, from a Laplacian pyramid",
        dataset=data,
        model=model,
        epochs=1 if smoke else 60,
        limits="Networks of half the paper's width, trained for less than an hour: faces are rough, "
        "backgrounds smeared, and a third of the hair has not the colour asked for.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
