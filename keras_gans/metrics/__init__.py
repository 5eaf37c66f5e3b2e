"""Metrics of the quality of a model's samples, each with its protocol."""

from keras_gans.metrics.agreement import pixel_agreement
from keras_gans.metrics.battle import Battle, generative_adversarial_metric
from keras_gans.metrics.classes import predict_attributes, predict_classes, right_answers, stacked_classes
from keras_gans.metrics.evaluator import (
    INCEPTION_NAMES,
    METRICS,
    Evaluator,
    MapEvaluator,
    Measurement,
    Protocol,
    StackedEvaluator,
    TextEvaluator,
)
from keras_gans.metrics.features import FeatureExtractor, classifier_features, inception_v3, pixels
from keras_gans.metrics.frechet import FeatureStatistics, frechet_distance, frechet_distance_at_infinity
from keras_gans.metrics.inception_score import InceptionScore, inception_score
from keras_gans.metrics.kernel import KernelDistance, kernel_distance
from keras_gans.metrics.label_maps import confusion, segmentation_scores
from keras_gans.metrics.levels import luma
from keras_gans.metrics.manifold import DensityCoverage, PrecisionRecall, density_coverage, precision_recall
from keras_gans.metrics.memorization import (
    BirthdaySupport,
    Memorization,
    NearestNeighbors,
    birthday_support,
    memorization,
    nearest_neighbors,
)
from keras_gans.metrics.modes import ClassCoverage, ModeCoverage, class_coverage, mode_coverage
from keras_gans.metrics.path_length import lerp, perceptual_path_length, slerp
from keras_gans.metrics.prediction import moving_pixels, moving_psnr, moving_ssim, sharpness_difference
from keras_gans.metrics.similarity import ms_ssim, ms_ssim_diversity, psnr, ssim
from keras_gans.metrics.sliced_wasserstein import SlicedWasserstein, sliced_wasserstein_distance
from keras_gans.metrics.text import ngram_divergence

__all__ = [
    "INCEPTION_NAMES",
    "METRICS",
    "Battle",
    "BirthdaySupport",
    "ClassCoverage",
    "DensityCoverage",
    "Evaluator",
    "FeatureExtractor",
    "FeatureStatistics",
    "InceptionScore",
    "KernelDistance",
    "MapEvaluator",
    "Measurement",
    "Memorization",
    "ModeCoverage",
    "NearestNeighbors",
    "PrecisionRecall",
    "Protocol",
    "SlicedWasserstein",
    "StackedEvaluator",
    "TextEvaluator",
    "birthday_support",
    "class_coverage",
    "classifier_features",
    "confusion",
    "density_coverage",
    "frechet_distance",
    "frechet_distance_at_infinity",
    "generative_adversarial_metric",
    "inception_score",
    "inception_v3",
    "kernel_distance",
    "lerp",
    "luma",
    "memorization",
    "mode_coverage",
    "moving_pixels",
    "moving_psnr",
    "moving_ssim",
    "ms_ssim",
    "ms_ssim_diversity",
    "nearest_neighbors",
    "ngram_divergence",
    "perceptual_path_length",
    "pixel_agreement",
    "pixels",
    "precision_recall",
    "predict_attributes",
    "predict_classes",
    "psnr",
    "right_answers",
    "segmentation_scores",
    "sharpness_difference",
    "slerp",
    "sliced_wasserstein_distance",
    "ssim",
    "stacked_classes",
]
