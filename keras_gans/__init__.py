"""keras_gans: generative adversarial networks for Keras 3."""

from keras_gans import data, losses
from keras_gans.model import AdversarialModel
from keras_gans.models import DCGAN, GAN

__version__ = "0.1.0"
__all__ = ["DCGAN", "GAN", "AdversarialModel", "data", "losses"]
