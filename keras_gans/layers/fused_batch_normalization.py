"""Batch normalization with the backend's fused kernel."""

import keras
from keras import ops

from keras_gans import engine


@keras.saving.register_keras_serializable(package="keras_gans")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` over the last axis, with one kernel instead of several.

    The mathematics, the arguments and the weights are the same. In training on TensorFlow the statistics, the
    normalisation and their gradients are single kernels; elsewhere Keras's own code runs.

    Args:
        kwargs: as for `keras.layers.BatchNormalization`; `axis` is the last one.

    Example:

    >>> FusedBatchNormalization(momentum=0.9)(np.ones((2, 4, 4, 3), "float32"), training=True).shape[-1]
    3
    """

    def call(self, inputs, training=None, mask=None):
        plain = not (self.renorm or self.synchronized) and mask is None
        if engine.fused_batch_norm is None or not (training and self.trainable and plain):
            return super().call(inputs, training=training, mask=mask)
        channels = inputs.shape[-1:]
        gamma = self.gamma if self.scale else ops.ones(channels, "float32")
        beta = self.beta if self.center else ops.zeros(channels, "float32")
        outputs, mean, variance = engine.fused_batch_norm(inputs, gamma, beta, self.epsilon)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + ops.stop_gradient(batch) * (1.0 - self.momentum))
        return outputs
