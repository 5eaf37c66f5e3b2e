"""pix2pix from part maps to avatars, 64x64 in colour: Isola et al., 2017, https://arxiv.org/abs/1611.07004

    keras-gans train pix2pix_avatars

A map names the part of the face at each pixel: background, skin, hair, brows, eyes and so on, 8 classes. It does not
say which colours they have. The paper's networks with half the filters, its weights and its optimizers; 8 pairs a batch
in place of 1, mirrored at random but not cropped, since resizing blurs drawings, and a moving average of the generator.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars".
"""

import keras_gans as kg
from keras_gans.models.pix2pix import build_generator
from keras_gans.networks.patch import build_patch_discriminator
from keras_gans.training import Recipe

CLASSES = 8


def recipe(smoke=False):
    options = {"sides": ("parts", "image"), "classes": CLASSES}
    dataset = kg.data.load_pairs("avatars", jitter=1, batch_size=8, take=32 if smoke else None, **options)
    filters = 4 if smoke else 32
    maps, images = (*dataset.image_shape[:2], CLASSES), dataset.image_shape
    model = kg.Pix2Pix(
        build_generator(maps, images, filters=filters),
        build_patch_discriminator(images, maps, filters=filters, affine=True),
        source_classes=CLASSES,
        ema_decay=0.999,
    )
    model.compile()
    return Recipe(
        title="Drawn faces from part maps, 64x64 in colour",
        model=model,
        dataset=dataset,
        epochs=1 if smoke else 6,
        held_back=kg.data.load_pairs("avatars", split="test", take=64, **options),
        limits="Half the paper's filters and 7,500 steps on a processor: hair is sometimes streaky. A map does not say "
        "which colours a face has, and the model picks nearly the same for the same map.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
