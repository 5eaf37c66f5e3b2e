"""How good a model's samples are: numbers with the protocol that they need."""

from keras_gans.metrics.classes import predict_classes, stacked_classes
from keras_gans.metrics.features import FeatureExtractor, classifier_features, inception_v3, pixels
from keras_gans.metrics.frechet import FeatureStatistics, frechet_distance, frechet_distance_at_infinity
from keras_gans.metrics.inception_score import InceptionScore, inception_score
from keras_gans.metrics.kernel import KernelDistance, kernel_distance
from keras_gans.metrics.manifold import DensityCoverage, PrecisionRecall, density_coverage, precision_recall
from keras_gans.metrics.modes import ClassCoverage, ModeCoverage, class_coverage, mode_coverage
from keras_gans.metrics.text import ngram_divergence

__all__ = [
    "ClassCoverage",
    "DensityCoverage",
    "FeatureExtractor",
    "FeatureStatistics",
    "InceptionScore",
    "KernelDistance",
    "ModeCoverage",
    "PrecisionRecall",
    "class_coverage",
    "classifier_features",
    "density_coverage",
    "frechet_distance",
    "frechet_distance_at_infinity",
    "inception_score",
    "inception_v3",
    "kernel_distance",
    "mode_coverage",
    "ngram_divergence",
    "pixels",
    "precision_recall",
    "predict_classes",
    "stacked_classes",
]
