"""Layers that Keras does not have, one per file."""

from keras_gans.layers.adaptive_instance_normalization import AdaptiveInstanceNormalization
from keras_gans.layers.average_halving import AverageHalving
from keras_gans.layers.averages import Averages
from keras_gans.layers.bicubic_enlargement import BicubicEnlargement
from keras_gans.layers.conditional_batch_normalization import ConditionalBatchNormalization
from keras_gans.layers.equalized import EqualizedConv2D, EqualizedDense
from keras_gans.layers.fade_in import FadeIn
from keras_gans.layers.fir_resampling import FIRBlur2D, FIRDownsampling2D, FIRUpsampling2D
from keras_gans.layers.fused_batch_normalization import FusedBatchNormalization
from keras_gans.layers.gated_linear_unit import GatedLinearUnit
from keras_gans.layers.hashed_dropout import HashedDropout
from keras_gans.layers.image_pool import ImagePool
from keras_gans.layers.instance_noise import InstanceNoise
from keras_gans.layers.instance_normalization import InstanceNormalization
from keras_gans.layers.learned_constant import LearnedConstant
from keras_gans.layers.maxout import Maxout
from keras_gans.layers.minibatch_discrimination import MinibatchDiscrimination
from keras_gans.layers.minibatch_standard_deviation import MinibatchStandardDeviation
from keras_gans.layers.modulated_conv2d import ModulatedConv2D
from keras_gans.layers.noise_injection import NoiseInjection
from keras_gans.layers.pixel_normalization import PixelNormalization
from keras_gans.layers.pixel_shuffle import PixelShuffle
from keras_gans.layers.reflection_padding import ReflectionPadding2D
from keras_gans.layers.seeded_dropout import seeded_dropout
from keras_gans.layers.self_attention import SelfAttention2D
from keras_gans.layers.slots import Slots
from keras_gans.layers.spectral_normalization import SpectralNormalization
from keras_gans.layers.step_batch_normalization import StepBatchNormalization
from keras_gans.layers.style_average import StyleAverage
from keras_gans.layers.untied_bias import UntiedBias
from keras_gans.layers.virtual_batch_normalization import (
    ReferenceBatch,
    VirtualBatchNormalization,
    WithoutReferenceBatch,
)
from keras_gans.layers.weight_normalization import WeightNormalization, initialize_from_data

__all__ = [
    "AdaptiveInstanceNormalization",
    "AverageHalving",
    "Averages",
    "BicubicEnlargement",
    "ConditionalBatchNormalization",
    "EqualizedConv2D",
    "EqualizedDense",
    "FIRBlur2D",
    "FIRDownsampling2D",
    "FIRUpsampling2D",
    "FadeIn",
    "FusedBatchNormalization",
    "GatedLinearUnit",
    "HashedDropout",
    "ImagePool",
    "InstanceNoise",
    "InstanceNormalization",
    "LearnedConstant",
    "Maxout",
    "MinibatchDiscrimination",
    "MinibatchStandardDeviation",
    "ModulatedConv2D",
    "NoiseInjection",
    "PixelNormalization",
    "PixelShuffle",
    "ReferenceBatch",
    "ReflectionPadding2D",
    "SelfAttention2D",
    "Slots",
    "SpectralNormalization",
    "StepBatchNormalization",
    "StyleAverage",
    "UntiedBias",
    "VirtualBatchNormalization",
    "WeightNormalization",
    "WithoutReferenceBatch",
    "initialize_from_data",
    "seeded_dropout",
]
