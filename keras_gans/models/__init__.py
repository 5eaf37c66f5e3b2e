"""The variants: one file per paper."""

from keras_gans.models.acgan import ACGAN
from keras_gans.models.adversarial_flow import AdversarialFlow
from keras_gans.models.ali import ALI
from keras_gans.models.bi_gan import BiGAN
from keras_gans.models.biggan import BigGAN
from keras_gans.models.cgan import CGAN
from keras_gans.models.cogan import CoGAN
from keras_gans.models.cycle_gan import CycleGAN
from keras_gans.models.dcgan import DCGAN
from keras_gans.models.deepsim import DeePSiM
from keras_gans.models.dragan import DRAGAN
from keras_gans.models.f_gan import FGAN
from keras_gans.models.gan import GAN
from keras_gans.models.glo import GLO
from keras_gans.models.gran import GRAN
from keras_gans.models.ic_gan import IcGAN
from keras_gans.models.improved_gan import ImprovedGAN
from keras_gans.models.info_gan import InfoGAN
from keras_gans.models.lapgan import LAPGAN
from keras_gans.models.lsgan import LSGAN
from keras_gans.models.pacgan import PacGAN
from keras_gans.models.pix2pix import Pix2Pix
from keras_gans.models.pix2pix_hd import Pix2PixHD
from keras_gans.models.progan import ProGAN
from keras_gans.models.projection_gan import ProjectionGAN
from keras_gans.models.r3gan import R3GAN
from keras_gans.models.relativistic_gan import RelativisticGAN
from keras_gans.models.sagan import SAGAN
from keras_gans.models.sngan import SNGAN
from keras_gans.models.srgan import SRGAN
from keras_gans.models.stack_gan import StackGAN
from keras_gans.models.style_gan import StyleGAN
from keras_gans.models.style_gan2 import StyleGAN2
from keras_gans.models.unrolled_gan import UnrolledGAN
from keras_gans.models.veegan import VEEGAN
from keras_gans.models.video_prediction_gan import VideoPredictionGAN
from keras_gans.models.wgan import WGAN
from keras_gans.models.wgan_gp import WGANGP
from keras_gans.models.wgan_gp_text import WGANGPText

__all__ = [
    "ACGAN",
    "ALI",
    "AdversarialFlow",
    "BiGAN",
    "BigGAN",
    "CGAN",
    "CoGAN",
    "CycleGAN",
    "DCGAN",
    "DRAGAN",
    "DeePSiM",
    "FGAN",
    "GAN",
    "GLO",
    "GRAN",
    "IcGAN",
    "ImprovedGAN",
    "InfoGAN",
    "LAPGAN",
    "LSGAN",
    "PacGAN",
    "Pix2Pix",
    "Pix2PixHD",
    "ProGAN",
    "ProjectionGAN",
    "R3GAN",
    "RelativisticGAN",
    "SAGAN",
    "SNGAN",
    "SRGAN",
    "StackGAN",
    "StyleGAN",
    "StyleGAN2",
    "UnrolledGAN",
    "VEEGAN",
    "VideoPredictionGAN",
    "WGAN",
    "WGANGP",
    "WGANGPText",
]
