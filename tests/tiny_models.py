"""One tiny untrained model for each kind of input and output, as files."""

import keras
import numpy as np

import keras_gans as kg
from keras_gans.fields import Prompts
from keras_gans.models import (
    bi_gan,
    cgan,
    cogan,
    cycle_gan,
    gan,
    pix2pix,
    srgan,
    stack_gan,
    style_gan2,
    video_prediction_gan,
    wgan_gp_text,
)
from keras_gans.networks.mapping import build_mapping

GREY, COLOUR = (8, 8, 1), (8, 8, 3)
PROMPTS = Prompts(["a", "blue", "face", "hat", "red", "with"], length=5)
SPACES = {
    "classes": kg.data.Classes(names=["cat", "dog", "<b>"]),
    "features": kg.data.Classes(2, 3),
    "attributes": kg.data.Attributes(2, names=["glasses", "hat"]),
    "values": kg.data.Values(1, low=0.0, high=10.0),
}


def conditional(kind):
    generator = cgan.build_generator(COLOUR, 4, SPACES[kind].size, units=(8, 8, 8))
    return kg.CGAN(generator, label_space=SPACES[kind], seed=0)


def mapped():
    model = kg.StyleGAN2(
        style_gan2.build_generator(COLOUR, 6, widths=(8, 4)), None, build_mapping(4, 6, depth=1), seed=0
    )
    model.style_average.average.assign(np.linspace(-1.0, 1.0, 6))
    return model


def sentences():
    size = {"condition_dim": 2, "filters": 4, "stages": 2}
    return kg.StackGAN(
        stack_gan.build_generator(COLOUR, latent_dim=3, blocks=1, **size),
        stack_gan.build_conditioner(6, 2),
        stack_gan.build_text_encoder(PROMPTS, text_dim=6, word_dim=4, filters=8),
        None,
        prompts=PROMPTS,
        seed=0,
    )


def encoder():
    networks = [build(GREY, 4, units=8) for build in (bi_gan.build_generator, bi_gan.build_encoder)]
    return kg.BiGAN(networks[0], None, networks[1], seed=0)


def two_ways():
    there, back = ((GREY, COLOUR), (COLOUR, GREY))
    generators = [cycle_gan.build_generator(*way, filters=2, blocks=1) for way in (there, back)]
    return kg.CycleGAN(*generators, identity_weight=0.0, seed=0)


KINDS = {
    "noise": lambda: kg.GAN(gan.build_generator(GREY, 4, units=8), seed=0),
    **{kind: lambda kind=kind: conditional(kind) for kind in SPACES},
    "mapped": mapped,
    "sentences": sentences,
    "encoder": encoder,
    "text": lambda: kg.WGANGPText(wgan_gp_text.build_generator(8, 95, latent_dim=4, width=4, blocks=1), seed=0),
    "pairs": lambda: kg.CoGAN(cogan.build_generators(GREY, 4, filters=(8, 4, 4)), seed=0),
    "maps": lambda: kg.Pix2Pix(pix2pix.build_generator(COLOUR, COLOUR, filters=2), source_classes=3, seed=0),
    "two_ways": two_ways,
    "larger": lambda: kg.SRGAN(srgan.build_generator(3, filters=2, blocks=1), seed=0),
    "clips": lambda: kg.VideoPredictionGAN(video_prediction_gan.build_generator(1, 3, 2, filters=2), seed=0),
}


def save(kinds, folder):
    """Writes models of these kinds as files of a folder. Returns their paths, texts."""
    paths = [str(folder / f"{kind}.keras") for kind in kinds]
    for kind, path in zip(kinds, paths):
        keras.utils.set_random_seed(0)
        KINDS[kind]().save(path)
    return paths
