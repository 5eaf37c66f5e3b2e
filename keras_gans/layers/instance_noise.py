"""Instance noise."""

import keras
from keras import ops

from keras_gans import engine
from keras_gans.data.checks import is_number
from keras_gans.errors import ConfigurationError


@keras.saving.register_keras_serializable(package="keras_gans")
class InstanceNoise(keras.layers.Layer):
    """Adds normal noise to its inputs in training: x + stddev * N(0, 1).

    At the start of a discriminator it spreads real and generated images alike, so that their distributions overlap and
    the discriminator's gradient says something. The deviation is a variable, saved with the model, so that it can fall
    to zero while a compiled step runs:

        anneal = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: noise.stddev.assign(0.1 * max(0.0, 1.0 - epoch / 20))
        )

    `keras.layers.GaussianNoise` has a constant instead, compiled into the step; where nothing is annealed it will do.
    Each replica of a distributed batch draws its own noise.

    Args:
        stddev: the deviation at the start, 0 or more, in units of the inputs (images: of [-1, 1]).
        seed: of the noise; None for another at each run.

    Returns:
        Inputs with noise; in inference the inputs.

    Raises:
        ConfigurationError: a negative deviation.

    Example:

    >>> noise = InstanceNoise(0.5)
    >>> noise(np.zeros((2, 3), "float32"), training=True).shape[1]
    3

    Reference: Sonderby et al., 2017, "Amortised MAP inference for image super-resolution",
    https://arxiv.org/abs/1610.04490 (unconfirmed: cited from memory); Mescheder et al., 2018, "Which training methods
    for GANs do actually converge?", https://arxiv.org/abs/1801.04406, for why it converges.
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
