"""One-sided label smoothing: Salimans et al., 2016, "Improved techniques for training GANs", section 3.4."""

import keras
import numpy as np

from keras_gans.errors import ConfigurationError


class LabelSmoothing(keras.callbacks.Callback):
    """Lowers the discriminator's target for real images from 1; the target for generated images stays 0.

    With a target a for real images the best discriminator is a p_data / (p_data + p_model). A target above 0 for
    generated images would add p_model to the numerator, and so reward the generator for staying where it is.

    When training ends, even by an exception, the target is 1 again.

    Args:
        target: the wanted probability of "real" for real images, in (0, 1].
        schedule: instead of a fixed target, a function from the epoch, counted from 0, to the target of that epoch; a
            run that is resumed with `initial_epoch` continues the schedule from there.

    Raises:
        ConfigurationError: a target that is not a number in (0, 1], a schedule that is not a function, or, in `fit`, a
            model whose loss has no labels, or a schedule whose target is out of range in one of the epochs.

    Example:

    >>> smoothing = LabelSmoothing(schedule=lambda epoch: min(1.0, 0.8 + 0.02 * epoch))
    >>> smoothing.schedule(5)
    0.9

    Reference: Salimans et al., 2016, https://arxiv.org/abs/1606.03498
    """

    def __init__(self, target=0.9, schedule=None):
        super().__init__()
        if schedule is not None and not callable(schedule):
            raise ConfigurationError(f"Expected schedule to be a function from the epoch. Received: {schedule!r}.")
        self.target, self.schedule = _checked(target), schedule

    def set_model(self, model):
        if getattr(model, "real_target", None) is None:
            raise ConfigurationError(
                f"Expected a model whose loss has labels to smooth. Received: {type(model).__name__}, which has no "
                "real_target. Leave LabelSmoothing out."
            )
        super().set_model(model)

    def on_train_begin(self, logs=None):
        for epoch in range(self.params["epochs"]):  # checks all before time is spent
            self._target(epoch)

    def on_epoch_begin(self, epoch, logs=None):
        self.model.real_target.assign(self._target(epoch))  # a variable of the compiled step: no new trace

    def release(self):
        """Called by `fit` however it ends: back to plain labels."""
        self.model.real_target.assign(1.0)

    def _target(self, epoch):
        return self.target if self.schedule is None else _checked(self.schedule(epoch), f" in epoch {epoch}")


def _checked(target, when=""):
    try:  # a schedule may return a 0-d array or tensor; float() also takes strings and booleans
        number = 0.0 if isinstance(target, (str, bytes, bool, np.bool_)) else float(target)
    except (TypeError, ValueError):
        number = 0.0
    if not 0.0 < number <= 1.0:
        raise ConfigurationError(f"Expected a target that is a number in (0, 1]{when}. Received: {target!r}.")
    return number
