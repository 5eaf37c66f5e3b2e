"""ProGAN on avatars, 64x64 in colour: Karras et al., 2018, https://arxiv.org/abs/1710.10196

    keras-gans train progan_avatars

Five phases, from 4x4 to 64x64, with bfloat16 and a moving average of the generator. An eighth of the paper's channels
or fewer, latents of 128 numbers, and a small part of its images; all else is the paper's: batches of 16, and each size
fades in over the first half of its phase. Budget: an hour on two CPU cores.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars", or pass images of your own to `keras-gans train progan --data FOLDER --image-size 64`.
"""

import keras

import keras_gans as kg
from keras_gans.training import Recipe, fast_policy

SHAPE = (64, 64, 3)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    dataset = kg.data.load(
        "avatars", split="train", labels=False, image_size=SHAPE[:2], batch_size=16, take=64 if smoke else None
    )
    model = kg.ProGAN.for_data(
        dataset,
        latent_dim=128,
        widths=(8, 8, 8, 4, 4) if smoke else (64, 64, 48, 32, 16),
        ema_decay=0.999,
    )
    model.compile()
    return Recipe(
        title="Drawn faces, 64x64 in colour, from networks that grew from 4x4",
        model=model,
        phases=model.phases(dataset, [1] * 5 if smoke else [4, 8, 10, 11, 16]),
        limits="An eighth of the paper's channels or fewer, and half a million images in place of its millions.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
