"""Training aids for any variant, one per file."""

from keras_gans.callbacks.adapt_augmentation import AdaptAugmentation
from keras_gans.callbacks.checkpoint import Checkpoint, resume
from keras_gans.callbacks.doctor import GANDoctor, Sickness, Verdict
from keras_gans.callbacks.evaluate_generator import EvaluateGenerator
from keras_gans.callbacks.historical_averaging import HistoricalAveraging
from keras_gans.callbacks.label_smoothing import LabelSmoothing
from keras_gans.callbacks.of_player import OfPlayer
from keras_gans.callbacks.sample_grid import SampleGrid
from keras_gans.callbacks.tensorboard import TensorBoard

GANMonitor = SampleGrid  # the name that Keras's examples made known

__all__ = [
    "AdaptAugmentation",
    "Checkpoint",
    "EvaluateGenerator",
    "GANDoctor",
    "GANMonitor",
    "HistoricalAveraging",
    "LabelSmoothing",
    "OfPlayer",
    "SampleGrid",
    "Sickness",
    "TensorBoard",
    "Verdict",
    "resume",
]
