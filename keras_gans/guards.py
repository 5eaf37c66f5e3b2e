"""What ends a training whose numbers are no longer finite, before its state is saved over a good one."""

import math
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_gans.errors import DivergenceError

SAID = {"d_loss": "the discriminator's d_loss", "g_loss": "the generator's g_loss"}
REMEDY = (
    "The training has diverged. Lower the learning rates in compile(), or give the optimizers clipnorm=1.0; under "
    "mixed_float16 try mixed_bfloat16. kg.callbacks.GANDoctor(images, rollback=True) goes back to the last healthy "
    "weights instead."
)


def broken_losses(names, logs):
    """{name: value} of the losses of some names in `logs`, the means of the epoch so far, that are not finite."""
    return {name: logs[name] for name in names if name in (logs or {}) and not np.isfinite(logs[name]).all()}


def broken_weights(model):
    """The path of a weight of a Keras model that is not finite, or None.

    What callbacks keep on a model of this library may be NaN.
    """
    kept = {id(variable) for variable in model.slots.weights} if hasattr(model, "slots") else ()
    for variable in model.weights:
        if id(variable) in kept:
            continue
        values = ops.convert_to_numpy(variable)
        if values.dtype.kind not in "biu" and not np.isfinite(np.sum(values, dtype="float64")):
            return variable.path
    return None


def is_finite(model, logs):
    """Whether all weights of a model are finite, and its losses in `logs`."""
    return not broken_losses(model.log_names, logs) and broken_weights(model) is None


def check_finite(model, logs, when):
    """Refuses losses in `logs` and weights that are not finite.

    Args:
        model: an `AdversarialModel`.
        logs: {name: number}, or None.
        when: words for the error, such as "at step 3".

    Raises:
        DivergenceError: NaN or infinite numbers; it names the losses, or else the weight and its player.
    """
    if broken := broken_losses(model.log_names, logs):
        raise _diverged(broken, when)
    if path := broken_weights(model):
        players = [player for player, names in model.players.items() if _holds(model.networks(*names), path)]
        where = f"{path}, of the {players[0]}," if players else path
        raise DivergenceError(f"Expected finite weights. Received: NaN or infinite ones in {where} {when}. {REMEDY}")


def check_overwriting(model, path):
    """Raises a `DivergenceError` if a file would be replaced by weights that are not finite."""
    if Path(path).exists():
        check_finite(model, None, f"that would replace {path}")


def broken_file(model):
    """What is wrong with a model from a file whose weights are not finite, or None.

    The file may be untrusted: the text is one short line that a terminal can show.
    """
    if (path := broken_weights(model)) is None:
        return None
    return f"NaN or infinite weights in {ascii(path[:60])[1:-1]}, as a training leaves them that has diverged"


def _diverged(losses, when):
    named = " and ".join(f"{SAID.get(name, name)} is {value}" for name, value in losses.items())
    return DivergenceError(f"Expected finite losses. Received: {named} {when}. {REMEDY}")


def _holds(networks, path):
    return any(variable.path == path for network in networks for variable in network.weights)


class FiniteTraining(keras.callbacks.Callback):
    """Ends the training with a `DivergenceError` when a loss or a weight is not finite; `fit` adds it.

    It reads the losses after each step, as the numbers that Keras hands to all callbacks, and the weights after each
    epoch, before other callbacks save them. Where other callbacks are asked to act on such values, it leaves it to
    them: Keras's `TerminateOnNaN`, and callbacks whose `acts_on_divergence` is true.

    Args:
        callbacks: the others of this training.
    """

    async_safe = True  # Keras may go on with the next step meanwhile: `on_train_batch_end` must not touch the model

    def __init__(self, callbacks):
        super().__init__()
        self.enders = [one for one in callbacks if isinstance(one, keras.callbacks.TerminateOnNaN)]
        self.left_to_others = self.enders or any(getattr(one, "acts_on_divergence", False) for one in callbacks)

    def set_model(self, model):
        super().set_model(model)
        self.names = model.log_names

    def on_epoch_begin(self, epoch, logs=None):
        self.begun = int(ops.convert_to_numpy(self.model.step))

    def on_train_batch_end(self, batch, logs=None):
        # The first loss reads both players' networks: what breaks one of them breaks it in the next step at the latest.
        self._tell(batch, (logs or {}).get(self.names[0]))
        if not self.left_to_others and (broken := broken_losses(self.names, logs)):
            raise _diverged(broken, f"at step {self.begun + batch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        if not self.left_to_others:
            # A broken weight breaks the losses of the next step, so it is the last one's.
            check_finite(
                self.model, logs, f"after epoch {epoch + 1}, step {int(ops.convert_to_numpy(self.model.step))}"
            )
        elif self.enders and not self.model.stop_training and not is_finite(self.model, logs):
            self._tell(self.params["steps"], math.nan)

    def _tell(self, batch, loss):
        """Shows a loss to Keras's `TerminateOnNaN`, which looks for one of that name."""
        for callback in self.enders:
            callback.on_batch_end(batch, {"loss": loss})
