"""How good a model's samples are: numbers with the protocol that they need."""

from keras_gans.metrics.classes import predict_classes, stacked_classes
from keras_gans.metrics.modes import ClassCoverage, ModeCoverage, class_coverage, mode_coverage
from keras_gans.metrics.text import ngram_divergence

__all__ = [
    "ClassCoverage",
    "ModeCoverage",
    "class_coverage",
    "mode_coverage",
    "ngram_divergence",
    "predict_classes",
    "stacked_classes",
]
