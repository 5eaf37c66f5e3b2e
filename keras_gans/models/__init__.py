"""The variants: one file a paper."""

from keras_gans.models.dcgan import DCGAN
from keras_gans.models.gan import GAN

__all__ = ["DCGAN", "GAN"]
