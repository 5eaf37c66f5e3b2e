"""Adam by one kernel, and the players' optimizers behind the one `model.optimizer` that Keras's trainers know."""

import keras

from keras_gans import engine

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


def with_loss_scale(optimizer, policy):
    """`optimizer`, wrapped in a dynamic loss scale where the dtype policy is mixed_float16."""
    if policy.name != "mixed_float16" or isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)
