"""pix2pix from one vendor's emoji to the other's, 64x64 in colour: Isola et al., 2017,
https://arxiv.org/abs/1611.07004

    keras-gans train pix2pix_emoji

From Noto's drawing to Twemoji's of the same emoji: what cycle_gan_emoji learns without pairs, learned with them. The
paper's networks with half the filters, its weights and its optimizers; 8 pairs a batch in place of 1, neither mirrored
nor cropped, because a flag must not be mirrored and resizing blurs drawings, and a moving average of the generator.

The data set (3,410 emoji, Noto under Apache 2.0 and Twemoji under CC BY 4.0) is not in TFDS's catalogue: prepare it as
TFDS "emoji".
"""

import keras_gans as kg
from keras_gans.models.pix2pix import build_generator
from keras_gans.networks.patch import build_patch_discriminator
from keras_gans.training import Recipe


def recipe(smoke=False):
    options = {"sides": ("noto", "twemoji"), "augment": False}
    dataset = kg.data.load_pairs("emoji", batch_size=8, take=32 if smoke else None, **options)
    filters, shape = 4 if smoke else 32, dataset.image_shape
    model = kg.Pix2Pix(
        build_generator(shape, shape, filters=filters),
        build_patch_discriminator(shape, shape, filters=filters, affine=True),
        ema_decay=0.999,
    )
    model.compile()
    return Recipe(
        title="Twemoji's drawings from Noto's, learned from pairs, 64x64 in colour",
        model=model,
        dataset=dataset,
        epochs=1 if smoke else 16,
        held_back=kg.data.load_pairs("emoji", split="test", take=64, **options),
        limits="Half the paper's filters and pairs whose outlines do not match: colours come out right, edges are "
        "ragged, and small things dissolve.",
        not_good_for="Photographs, or drawings in another style: it has seen two vendors' emoji only.",
    )
