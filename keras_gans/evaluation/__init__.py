"""Measures presets and runs against data sets, writes the numbers into cards, and checks that a card is still true."""

from keras_gans.evaluation.compare import compare
from keras_gans.evaluation.measure import evaluate, evaluator, extractor, write_metrics
from keras_gans.evaluation.settings import Settings, load_split
from keras_gans.evaluation.verify import verify

__all__ = ["Settings", "compare", "evaluate", "evaluator", "extractor", "load_split", "verify", "write_metrics"]
