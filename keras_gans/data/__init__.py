"""Images from TFDS, folders, arrays and drawings, as shuffled batches."""

from keras_gans.data.batches import Batches

__all__ = ["Batches"]
