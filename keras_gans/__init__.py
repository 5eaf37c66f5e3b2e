"""keras_gans: generative adversarial networks for Keras 3.

Importing it registers every class, so that `keras.saving.load_model` reads any model of this library.
"""

import os
import sys

if "tensorflow" not in sys.modules:
    # TensorFlow switches oneDNN's kernels on by itself only on processors with AVX-512; others gain a third from them.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from keras_gans import (
    augment,
    callbacks,
    data,
    errors,
    fields,
    images,
    latent,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    penalties,
    pyramids,
    resampling,
    zoo,
)
from keras_gans.model import AdversarialModel
from keras_gans.models import *  # noqa: F403 - every variant, as models/__init__.py lists them
from keras_gans.serving import export
from keras_gans.zoo import load, upload_preset

__version__ = "0.2.0"
__all__ = [
    *models.__all__,
    "AdversarialModel",
    "augment",
    "callbacks",
    "data",
    "fields",
    "errors",
    "export",
    "images",
    "latent",
    "layers",
    "load",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "penalties",
    "pyramids",
    "resampling",
    "upload_preset",
    "zoo",
]
