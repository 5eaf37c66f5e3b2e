"""A fused Adam, also with a beta_2 that rises, and one `model.optimizer` that presents both players' optimizers to
Keras's trainers.

`compile(g_optimizer=..., d_optimizer=...)` gives each player its own optimizer. With different learning rates this is
the two time-scale update rule, TTUR (Heusel et al., 2017, https://arxiv.org/abs/1706.08500). SAGAN, for example, uses
1e-4 for the generator and 4e-4 for the discriminator. A learning-rate schedule counts its own player's updates: with
`discriminator_steps=k` the discriminator's advances k times as fast as the generator's.

Keras's callbacks for the learning rate act on both optimizers, each from its own rate:

- `LearningRateScheduler` calls its function twice per epoch, first with the generator's rate, then with the
  discriminator's;
- `ReduceLROnPlateau` multiplies both by its factor, which keeps their ratio. Give it `mode="min"` or `mode="max"`:
  Keras cannot infer the direction from the names `g_loss` and `d_loss`.

`kg.callbacks.OfPlayer("generator", callback)` lets such a callback act on one player.

Both need a number as learning rate: if an optimizer has a schedule, Keras raises a TypeError.
"""

import math

import keras
from keras import ops

from keras_gans import engine
from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_number, is_whole

# The backend's own class, because PyTorch's updates all variables at once. It is read without calling `__init__`: the
# learning rate would be the first tensor, and after that TensorFlow's devices can no longer be configured.
ADAM = type(keras.optimizers.Adam.__new__(keras.optimizers.Adam))


@keras.saving.register_keras_serializable(package="keras_gans")
class FusedAdam(ADAM):
    """`keras.optimizers.Adam` with one kernel per variable instead of a dozen.

    The mathematics, the arguments and the state are the same. On TensorFlow an update of a float32 variable is one
    kernel; elsewhere, with `amsgrad`, and on several replicas Keras's own code runs.

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


@keras.saving.register_keras_serializable(package="keras_gans")
class RisingAdam(FusedAdam):
    """`FusedAdam` whose beta_2 rises along half a cosine and then stays: late updates average over more gradients.

    At update t, counted from 0, beta_2 is `cosine_fall(first_beta_2, beta_2, t, rise_steps)`, in the corrections of the
    moments too.

    Args:
        learning_rate: as for `keras.optimizers.Adam`.
        first_beta_2: beta_2 at the first update, in [0, 1).
        beta_2: the last one.
        rise_steps: updates until then, 1 or more.
        kwargs: as for `keras.optimizers.Adam`.

    Raises:
        ConfigurationError: numbers out of range.

    Example:

    >>> adam = RisingAdam(2e-4, first_beta_2=0.9, beta_2=0.99, rise_steps=1000)
    >>> round(float(ops.convert_to_numpy(adam.beta_2)), 3)
    0.9

    Reference: Huang et al., 2024, https://arxiv.org/abs/2501.05441
    """

    def __init__(self, learning_rate=0.001, *, first_beta_2=0.9, beta_2=0.99, rise_steps, **kwargs):
        for name, value in (("first_beta_2", first_beta_2), ("beta_2", beta_2)):
            if not (is_number(value, 0.0) and value < 1.0):
                raise ConfigurationError(f"Expected a {name} in [0, 1). Received: {value!r}.")
        if not is_whole(rise_steps, 1):
            raise ConfigurationError(f"Expected rise_steps of 1 or more. Received: {rise_steps!r}.")
        super().__init__(learning_rate, beta_2=beta_2, **kwargs)
        self.first_beta_2, self.rise_steps = first_beta_2, rise_steps

    @property
    def beta_2(self):
        """beta_2 of the next update, a scalar tensor."""
        return cosine_fall(self.first_beta_2, self.last_beta_2, self.iterations, self.rise_steps)

    @beta_2.setter
    def beta_2(self, value):
        self.last_beta_2 = value

    def get_config(self):
        own = {"first_beta_2": self.first_beta_2, "beta_2": self.last_beta_2, "rise_steps": self.rise_steps}
        return {**super().get_config(), **own}


def lazy_adam(interval, learning_rate=2.5e-3, beta_1=0.0, beta_2=0.99, epsilon=1e-8):
    """Adam for a player with lazy regularization, a further update every `interval` steps.

    With c = interval / (interval + 1), the learning rate is multiplied by c, and the betas become beta^c, so that
    interval + 1 updates in interval steps move and forget as much as interval updates would.

    Args:
        interval: steps from one regularization to the next, 1 or more.
        learning_rate, beta_1, beta_2: as they would be without regularization; the defaults are StyleGAN2-ADA's.
        epsilon: as in `keras.optimizers.Adam`.

    Raises:
        ConfigurationError: an interval below 1.

    Example:

    >>> adam = lazy_adam(16)
    >>> round(float(keras.ops.convert_to_numpy(adam.learning_rate)), 6), round(adam.beta_2, 4)
    (0.002353, 0.9906)

    Reference: Karras et al., 2020, "Analyzing and improving the image quality of StyleGAN", appendix B,
    https://arxiv.org/abs/1912.04958
    """
    if not is_whole(interval, 1):
        raise ConfigurationError(f"Expected an interval of 1 or more. Received: {interval!r}.")
    c = interval / (interval + 1)
    return FusedAdam(learning_rate * c, beta_1=beta_1**c, beta_2=beta_2**c, epsilon=epsilon)


@keras.saving.register_keras_serializable(package="keras_gans")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that is constant for some epochs and then falls to zero in equal steps, one per epoch.

    In epoch e, counted from 1:

        rate = learning_rate (1 - max(0, e - constant_epochs) / (decay_epochs + 1))

    The last of constant_epochs + decay_epochs epochs still has learning_rate / (decay_epochs + 1); the rate is zero
    after it.

    Args:
        learning_rate: learning rate in the constant epochs.
        steps_per_epoch: the player's updates per epoch, 1 or more: for the discriminator `discriminator_steps` times
            the number of batches.
        constant_epochs, decay_epochs: whole numbers, 0 or more; 100 and 100 in CycleGAN's paper.

    Raises:
        ConfigurationError: numbers out of range.

    Example:

    >>> schedule = LinearDecay(0.4, steps_per_epoch=10, constant_epochs=1, decay_epochs=3)
    >>> [round(float(schedule(step)), 4) for step in (0, 9, 10, 20, 30, 40)]
    [0.4, 0.4, 0.3, 0.2, 0.1, 0.0]

    Reference: Zhu et al., 2017, section 4, https://arxiv.org/abs/1703.10593
    """

    def __init__(self, learning_rate, steps_per_epoch, constant_epochs=100, decay_epochs=100):
        if not is_number(learning_rate, 0.0):
            raise ConfigurationError(f"Expected a learning_rate of 0 or more. Received: {learning_rate!r}.")
        for name, number, least in (
            ("steps_per_epoch", steps_per_epoch, 1),
            ("constant_epochs", constant_epochs, 0),
            ("decay_epochs", decay_epochs, 0),
        ):
            if not is_whole(number, least):
                raise ConfigurationError(f"Expected {name} of {least} or more. Received: {number!r}.")
        self.learning_rate, self.steps_per_epoch = learning_rate, steps_per_epoch
        self.constant_epochs, self.decay_epochs = constant_epochs, decay_epochs

    def __call__(self, step):
        epoch = ops.cast(ops.cast(step, "int32") // self.steps_per_epoch + 1, "float32")
        fallen = ops.maximum(epoch - self.constant_epochs, 0.0) / (self.decay_epochs + 1)
        return self.learning_rate * ops.maximum(1.0 - fallen, 0.0)

    def get_config(self):
        names = ("learning_rate", "steps_per_epoch", "constant_epochs", "decay_epochs")
        return {name: getattr(self, name) for name in names}


def cosine_fall(first, last, step, steps):
    """A number that falls from `first` to `last` over `steps` steps along half a cosine, and then stays.

    >>> [round(float(cosine_fall(2.0, 0.0, step, 10)), 4) for step in (0, 5, 10, 20)]
    [2.0, 1.0, 0.0, 0.0]
    """
    fallen = ops.minimum(ops.cast(step, "float32") / steps, 1.0)
    return last + (first - last) * 0.5 * (1.0 + ops.cos(math.pi * fallen))


class OptimizerGroup:
    """Presents several optimizers as one to Keras's trainers, which ask for the variables and whether they are built.

    It is not an optimizer and is not saved; the model saves its attributes `g_optimizer` and `d_optimizer`. Callbacks
    that log `model.optimizer` read the first player's learning rate and the settings of both.
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
    def name(self):
        return "_".join(optimizer.name for optimizer in self.optimizers)

    @property
    def iterations(self):
        return self.optimizers[0].iterations

    @property
    def learning_rate(self):
        return self.optimizers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, rate):
        raise ConfigurationError(
            f"Expected the learning rate of one player. Received: model.optimizer.learning_rate = {rate!r}, which both "
            "players read. Set model.g_optimizer.learning_rate or model.d_optimizer.learning_rate, or compile the "
            "model with a schedule such as keras.optimizers.schedules.CosineDecay."
        )

    def get_config(self):
        return {f"{i}_{key}": value for i, one in enumerate(self.optimizers) for key, value in one.get_config().items()}


def optimizer_of(name, optimizer):
    """The Keras optimizer for the argument of `compile` that is named "g_optimizer" or "d_optimizer".

    Raises:
        ConfigurationError: Keras does not recognise the argument, or the optimizer averages weights.
    """
    try:
        found = keras.optimizers.get(optimizer)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"Expected {name} to be a Keras optimizer, its name, or None for the paper's. Received: {optimizer!r}. "
            'Pass keras.optimizers.Adam(1e-4), or "adam".'
        ) from error
    plain = getattr(found, "inner_optimizer", found)  # of a loss scale
    if getattr(plain, "use_ema", False) and not plain.ema_overwrite_frequency:
        # Keras's own fit would put the averages in place after training.
        raise ConfigurationError(
            f"Expected {name} without use_ema: its averages would never be used. Received: use_ema=True and no "
            f"ema_overwrite_frequency. Build the model with ema_decay={plain.ema_momentum:g}, which generate uses."
        )
    return found


def with_loss_scale(optimizer, policy):
    """`optimizer`, wrapped in a dynamic loss scale if the dtype policy is mixed_float16."""
    if policy.name != "mixed_float16" or isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)
