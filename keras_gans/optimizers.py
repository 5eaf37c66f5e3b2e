"""Adam by one kernel, and the players' optimizers behind the one `model.optimizer` that Keras's trainers know.

`compile(g_optimizer=..., d_optimizer=...)` gives each player an optimizer of its own. With learning rates that differ
this is the two time-scale update rule, TTUR (Heusel et al., 2017, https://arxiv.org/abs/1706.08500), such as SAGAN's
1e-4 for the generator and 4e-4 for the discriminator. A learning-rate schedule counts its own player's updates: with
`discriminator_steps=k` the discriminator's advances k times as fast as the generator's.

Keras's callbacks for the learning rate act on both optimizers, each from its own rate:

- `LearningRateScheduler` calls its function twice an epoch, with the generator's rate, then with the discriminator's;
- `ReduceLROnPlateau` multiplies both by its factor, which keeps their ratio. Give it `mode="min"` or `mode="max"`:
  Keras finds no direction in the names `g_loss` and `d_loss`.

Both need a number as learning rate: where an optimizer has a schedule Keras raises a TypeError.
"""

import keras

from keras_gans import engine
from keras_gans.errors import ConfigurationError

# The backend's own class, since PyTorch's updates all variables at once; of no instance, whose learning rate would
# be the first tensor, after which TensorFlow's devices can no longer be configured.
ADAM = type(keras.optimizers.Adam.__new__(keras.optimizers.Adam))


@keras.saving.register_keras_serializable(package="keras_gans")
class FusedAdam(ADAM):
    """`keras.optimizers.Adam`, by one kernel a variable instead of a dozen.

    The same mathematics, arguments and state. On TensorFlow an update of a float32 variable is one kernel; elsewhere,
    with `amsgrad`, and on several replicas Keras's own code runs.

    Args:
        args, kwargs: as for `keras.optimizers.Adam`.

    Example:

    >>> gan = kg.DCGAN(image_shape=(28, 28, 1))
    >>> gan.compile(g_optimizer=FusedAdam(2e-4, beta_1=0.5))

    Reference: Kingma and Ba, 2014, algorithm 1 as rearranged at the end of section 2, https://arxiv.org/abs/1412.6980
    """

    def update_step(self, gradient, variable, learning_rate):
        fused = engine.fused_adam is not None and engine.replica_count() == 1
        if not fused or self.amsgrad or keras.backend.standardize_dtype(variable.dtype) != "float32":
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        engine.fused_adam(
            variable,
            self._momentums[index],
            self._velocities[index],
            gradient,
            self.iterations + 1,
            learning_rate,
            self.beta_1,
            self.beta_2,
            self.epsilon,
        )


class OptimizerGroup:
    """Presents several optimizers as one to Keras's trainers, which ask for the variables and whether they are built.

    It is not an optimizer and not saved: the model's attributes `g_optimizer` and `d_optimizer` are.
    """

    def __init__(self, optimizers):
        self.optimizers = list(optimizers)

    @property
    def variables(self):
        return [variable for optimizer in self.optimizers for variable in optimizer.variables]

    @property
    def built(self):
        return all(optimizer.built for optimizer in self.optimizers)

    @property
    def iterations(self):
        return self.optimizers[0].iterations


def optimizer_of(name, optimizer):
    """What `keras.optimizers.get` makes of the argument of `compile` that is named "g_optimizer" or "d_optimizer".

    Raises:
        ConfigurationError: it makes nothing of it.
    """
    try:
        return keras.optimizers.get(optimizer)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"Expected {name} to be a Keras optimizer, its name, or None for the paper's. Received: {optimizer!r}. "
            'Pass keras.optimizers.Adam(1e-4), or "adam".'
        ) from error


def with_loss_scale(optimizer, policy):
    """`optimizer`, wrapped in a dynamic loss scale where the dtype policy is mixed_float16."""
    if policy.name != "mixed_float16" or isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)
