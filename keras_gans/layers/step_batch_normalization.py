"""Batch normalization of a layer that is used several times in one pass."""

import keras

from keras_gans.errors import ConfigurationError
from keras_gans.layers.fused_batch_normalization import FusedBatchNormalization
from keras_gans_core.checks import is_whole


@keras.saving.register_keras_serializable(package="keras_gans")
class StepBatchNormalization(keras.layers.Layer):
    """Batch normalization with one gain and offset for all steps, and separate moving averages for each step.

    A recurrent network's activations differ from step to step, so averages over all steps would fit none of them.

    Args:
        steps: number of steps, 1 or more.
        momentum, epsilon: as for `keras.layers.BatchNormalization`.

    Returns:
        A tensor of the input's shape; `step`, from 0, is an argument of the call.

    Raises:
        ConfigurationError: steps that are not a whole number of 1 or more.

    Example:

    >>> norm = StepBatchNormalization(steps=3)
    >>> norm(np.ones((2, 5), "float32"), step=2, training=True).shape[-1]
    5
    >>> len(norm.trainable_variables), len(norm.non_trainable_variables)
    (2, 6)

    Reference: Cooijmans et al., 2016, "Recurrent batch normalization", https://arxiv.org/abs/1603.09025
    """

    def __init__(self, steps, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        if not is_whole(steps, 1):
            raise ConfigurationError(f"Expected steps to be a whole number, 1 or more. Received: {steps!r}.")
        self.steps, self.momentum, self.epsilon = steps, momentum, epsilon

    def build(self, input_shape):
        self.gamma = self.add_weight(shape=input_shape[-1:], initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=input_shape[-1:], initializer="zeros", name="beta")
        options = {"momentum": self.momentum, "epsilon": self.epsilon, "dtype": self.dtype_policy}
        options["trainable"] = self.trainable  # Keras passes it on only to layers that exist when it is set
        self.norms = [
            FusedBatchNormalization(center=False, scale=False, name=f"step{step}", **options)
            for step in range(self.steps)
        ]
        for norm in self.norms:
            norm.build(input_shape)
        self.built = True

    def call(self, inputs, step, training=None):
        return self.norms[step](inputs, training=training) * self.gamma + self.beta

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "steps": self.steps, "momentum": self.momentum, "epsilon": self.epsilon}
