"""Instance noise."""

import keras
from keras import ops

from keras_gans import engine
from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_number


@keras.saving.register_keras_serializable(package="keras_gans")
class InstanceNoise(keras.layers.Layer):
    """Adds normal noise to its inputs in training: x + stddev * N(0, 1).

    As the first layer of a discriminator it blurs the distributions of real and generated images, so that they overlap
    and the discriminator's gradient is informative. The standard deviation is a variable, saved with the model, so that
    it can be annealed to zero while a compiled step runs:

        anneal = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: noise.stddev.assign(0.1 * max(0.0, 1.0 - epoch / 20))
        )

    `keras.layers.GaussianNoise` has a constant standard deviation, compiled into the step; use it if you do not anneal.
    Each replica of a distributed batch draws its own noise.

    Args:
        stddev: the initial standard deviation, 0 or more, in units of the inputs (images are in [-1, 1]).
        seed: seed of the noise; None for a different one in each run.

    Returns:
        The inputs plus noise; in inference the inputs.

    Raises:
        ConfigurationError: a negative stddev.

    Example:

    >>> noise = InstanceNoise(0.5)
    >>> noise(np.zeros((2, 3), "float32"), training=True).shape[1]
    3

    Reference: Sonderby et al., 2017, "Amortised MAP inference for image super-resolution",
    https://arxiv.org/abs/1610.04490; on why it converges: Mescheder et al., 2018, "Which training methods for GANs do
    actually converge?", https://arxiv.org/abs/1801.04406
    """

    def __init__(self, stddev=0.1, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not is_number(stddev, 0.0):
            raise ConfigurationError(f"Expected a stddev of 0 or more. Received: {stddev!r}.")
        self.initial_stddev, self.seed = float(stddev), seed
        self.seeds = keras.random.SeedGenerator(seed)
        self.stddev = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self.initial_stddev),
            trainable=False,
            autocast=False,
            dtype="float32",
            name="stddev",
        )
        self.built = True

    def call(self, inputs, training=False):
        if not training:
            return inputs
        noise = self.stddev * engine.normal((ops.shape(inputs)[0], *inputs.shape[1:]), self.seeds)
        return inputs + ops.cast(noise, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "stddev": self.initial_stddev, "seed": self.seed}
