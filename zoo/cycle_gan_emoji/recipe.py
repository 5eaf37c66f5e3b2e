"""CycleGAN between two vendors' emoji, 64x64 in colour: Zhu et al., 2017, https://arxiv.org/abs/1703.10593

    keras-gans train cycle_gan_emoji

A: Noto's drawings, B: Twemoji's. A batch has two of each, at random, so the model never sees which are of the same
emoji. The paper's networks with 24 filters instead of 64 and 4 residual blocks instead of 6; its weights, its pools of
50 images and its rate, which is constant at first and then falls to zero. Images are neither mirrored nor cropped,
because a flag must not be mirrored and resizing blurs drawings. A moving average of both generators.

The data set (3,410 emoji, Noto under Apache 2.0 and Twemoji under CC BY 4.0) is not in TFDS's catalogue: prepare it as
TFDS "emoji".
"""

import keras_gans as kg
from keras_gans.models.cycle_gan import build_generator
from keras_gans.networks.patch import build_patch_discriminator
from keras_gans.optimizers import FusedAdam, LinearDecay
from keras_gans.training import Recipe


def recipe(smoke=False):
    options = {"sides": ("noto", "twemoji"), "augment": False}
    dataset = kg.data.load_unpaired("emoji", batch_size=2, take=8 if smoke else None, **options)
    filters, blocks = (4, 1) if smoke else (24, 4)
    shape = dataset.image_shape
    model = kg.CycleGAN(
        build_generator(shape, filters=filters, blocks=blocks),
        build_generator(shape, filters=filters, blocks=blocks),
        build_patch_discriminator(shape, filters=filters),
        build_patch_discriminator(shape, filters=filters),
        ema_decay=0.999,
    )
    epochs = 1 if smoke else 5
    rates = (LinearDecay(2e-4, len(dataset), epochs - epochs // 2, epochs // 2) for _ in range(2))
    model.compile(*(FusedAdam(rate, beta_1=0.5, epsilon=1e-8) for rate in rates))
    return Recipe(
        title="Emoji of two vendors, each redrawn in the other's style, 64x64 in colour",
        model=model,
        dataset=dataset,
        epochs=epochs,
        held_back=kg.data.load_unpaired("emoji", split="test", take=64, **options),
        limits="Small networks and 8,500 steps: colours and outlines change, shapes hardly do.",
        not_good_for="Photographs, or drawings in another style: it has seen two vendors' emoji only.",
    )
