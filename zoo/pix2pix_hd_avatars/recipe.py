"""pix2pixHD from part maps to avatars, 64x64 in colour: Wang et al., 2018, https://arxiv.org/abs/1711.11585

    keras-gans train pix2pix_hd_avatars

A map names the part of the face at each pixel, 8 classes, as in `pix2pix_avatars`. Boundaries are those of the parts.
An encoder finds ten styles of each part, such as colours of hair; `translate(maps, style={part: number})` asks for one.

The paper's phases: the global generator at 32x32, the local enhancer alone, then both at 64x64. Half the filters and
fewer residual blocks, 8 pairs a batch in place of 1, mirrored at random but not cropped, no perceptual loss, and moving
averages. Budget: 40 minutes on two CPU cores.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars".
"""

import keras_gans as kg
from keras_gans.models.pix2pix_hd import build_discriminator, build_encoder, build_enhancer, build_generator
from keras_gans.optimizers import FusedAdam, LinearDecay
from keras_gans.phases import Phase
from keras_gans.training import Recipe

CLASSES, STYLE = 8, 3
SEEN = CLASSES + 1  # with the boundaries


def optimizers(steps, constant, falling):
    """The paper's, whose rate is constant for some epochs and then falls to zero."""
    return [FusedAdam(LinearDecay(2e-4, steps, constant, falling), beta_1=0.5, epsilon=1e-8) for _ in range(2)]


def recipe(smoke=False):
    options = {"sides": ("parts", "image"), "classes": CLASSES}
    dataset = kg.data.load_pairs("avatars", jitter=1, batch_size=8, take=32 if smoke else None, **options)
    half, steps = dataset.halved(), len(dataset)
    first, second, third = (1, 1, 1) if smoke else (4, 1, 2)
    filters, judged, blocks = (4, 4, 1) if smoke else (32, 24, 4)
    (height, width, channels), (small, narrow, _) = dataset.image_shape, half.image_shape
    model = kg.Pix2PixHD(
        build_generator((small, narrow, SEEN + STYLE), channels, filters=filters, halvings=2, blocks=blocks),
        build_discriminator((small, narrow, channels), (small, narrow, SEEN), filters=judged),
        build_encoder((None, None, channels), STYLE, filters=filters // 4, halvings=2),
        ema_decay=0.999,
    )
    model.compile(*optimizers(steps, first - first // 2, first // 2))

    def enhanced(model):
        shape = (height, width, channels)
        model = model.with_enhancer(
            build_enhancer(model.generator, blocks=1 if smoke else 2),
            build_discriminator(shape, (height, width, SEEN), filters=judged),
        )
        model.find_styles(dataset)
        model.compile()
        return model

    def whole(model):
        model = model.with_all()
        model.compile(*optimizers(steps, third - third // 2, third // 2))
        return model

    return Recipe(
        title="Drawn faces from part maps, in several styles, 64x64 in colour",
        model=model,
        phases=[
            Phase(half, first, title="global generator, 32x32"),
            Phase(dataset, second, prepare=enhanced, title="local enhancer"),
            Phase(dataset, third, prepare=whole, title="both together"),
        ],
        held_back=kg.data.load_pairs("avatars", split="test", take=64, **options),
        limits="Half the paper's filters, fewer blocks and a short training on a processor.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
