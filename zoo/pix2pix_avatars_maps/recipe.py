"""pix2pix from avatars to part maps, 64x64: Isola et al., 2017, https://arxiv.org/abs/1611.07004

    keras-gans train pix2pix_avatars_maps

The other way round than pix2pix_avatars: the part of the face at each pixel, 8 classes, from the drawn face. A face has
one right map, so the distance to it says all: in the paper's table of photos to labels L1 alone is best. The networks
have a quarter of the paper's filters; 8 pairs a batch, mirrored at random but not cropped, and a moving average of the
generator.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars".
"""

import keras_gans as kg
from keras_gans.models.pix2pix import build_generator
from keras_gans.networks.patch import build_patch_discriminator
from keras_gans.training import Recipe

CLASSES = 8


def recipe(smoke=False):
    options = {"sides": ("image", "parts"), "target_classes": CLASSES}
    dataset = kg.data.load_pairs("avatars", jitter=1, batch_size=8, take=32 if smoke else None, **options)
    filters = 4 if smoke else 16
    images, maps = dataset.source_shape, (*dataset.image_shape, CLASSES)
    model = kg.Pix2Pix(
        build_generator(images, maps, filters=filters, maps=True),
        build_patch_discriminator(maps, images, filters=filters, affine=True),
        target_classes=CLASSES,
        ema_decay=0.999,
    )
    model.compile()
    return Recipe(
        title="Part maps of drawn faces, 64x64",
        model=model,
        dataset=dataset,
        epochs=1 if smoke else 4,
        held_back=kg.data.load_pairs("avatars", split="test", take=64, **options),
        limits="A quarter of the paper's filters and 5,000 steps on a processor. It finds background, skin, hair and "
        "clothes, takes hats for hair and beards for skin, and leaves specks: segmenter_avatars is far better at it.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
