"""The players' optimizers behind the one `model.optimizer` that Keras's trainers know."""

import keras


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
