"""Training in phases: what each phase trains, and how one follows another."""

from collections.abc import Callable
from dataclasses import dataclass

from keras import ops

from keras_gans.data.batches import Batches
from keras_gans.errors import ConfigurationError
from keras_gans.fitting import PHASE, phase_of, steps_of
from keras_gans_core.checks import is_whole

STREAM = 1_000_003  # separates the seeds of one phase from those of the next


@dataclass
class Phase:
    """A part of a training: one `fit`, which begins with fresh optimizers.

    `data` and `prepare` are called when the phase begins, each after the random seeds are set from the run's seed and
    the number of the phase. `data` is called again when a run is resumed within the phase, so it may read only what the
    phase does not train.

    Args:
        data: `Batches`, or a function from the model to them, such as images that the model generates.
        epochs: passes over the data.
        prepare: function from the previous phase's model to the model to train; it may be a new one that shares
            networks with it. None continues with the model as it is.
        title: what the phase does, in a few words, for the display and the card.

    Raises:
        ConfigurationError: data that is neither `Batches` nor a function, fewer than one epoch, or a `prepare` that is
            not a function.

    Example:

    >>> batches = kg.data.Batches(np.zeros((8, 8, 8, 1), "uint8"), batch_size=4)
    >>> Phase(batches, epochs=2, title="on all images").epochs
    2
    """

    data: Batches | Callable
    epochs: int
    prepare: Callable | None = None
    title: str = ""

    def __post_init__(self):
        if not isinstance(self.data, Batches) and not callable(self.data):
            raise ConfigurationError(
                "Expected data to be Batches, such as kg.data.load returns, or a function from the model to them. "
                f"Received: {self.data!r}."
            )
        if not is_whole(self.epochs, 1):
            raise ConfigurationError(f"Expected epochs of 1 or more. Received: epochs={self.epochs!r}.")
        if self.prepare is not None and not callable(self.prepare):
            raise ConfigurationError(
                f"Expected prepare to be a function from a model to the model to train, or None. Received: "
                f"{self.prepare!r}."
            )


def seed_of(seed, index):
    """The random seed of phase `index` of a run; the run's own for the first."""
    return (seed + STREAM * index) % 2**31


def begin(phase, model, index, epochs_before):
    """The model that a phase trains, made from the previous phase's model. Set the random seeds first.

    The step count continues. Averages and noise seeds are carried over; optimizers are fresh.

    Args:
        phase: a `Phase`.
        model: the previous phase's.
        index: the phase's, from 0.
        epochs_before: epochs of all previous phases.

    Returns:
        A compiled model that records its phase.

    Raises:
        ConfigurationError: `prepare` did not return a model of this library.
    """
    if index == 0:
        return model
    prepared = model if phase.prepare is None else phase.prepare(model)
    if not hasattr(prepared, "slots"):
        raise ConfigurationError(
            f"Expected prepare of phase {index + 1} to return the model to train, such as the one that it was given. "
            f"Received: {prepared!r}."
        )
    if prepared is not model:
        _carry(model, prepared)
    if not prepared.compiled:
        prepared.compile()
    elif prepared is model:
        prepared.compile_from_config(prepared.get_compile_config())  # the same optimizers without their state
    prepared.slots.get(PHASE, (3,), "int32").assign([index, steps_of(model), epochs_before])
    prepared.make_train_function(force=True)
    return prepared


def _carry(before, after):
    """Hands over the step count, the noise seeds, and the averages of networks that both models hold."""
    after.step.assign(ops.convert_to_numpy(before.step))
    for name in ("latent_seeds", "evaluation_seeds"):
        getattr(after, name).state.assign(ops.convert_to_numpy(getattr(before, name).state))
    if before.ema_decay is not None and after.ema_decay is not None:
        after.ema.take_over(before.ema)


def data_of(phase, model, index):
    """The batches of a phase's data, in the phase's own order. Set the random seeds first.

    Raises:
        ConfigurationError: the phase's function returned something else.
    """
    data = phase.data if isinstance(phase.data, Batches) else phase.data(model)
    if not isinstance(data, Batches):
        raise ConfigurationError(
            f"Expected data of phase {index + 1} to return Batches, such as kg.data.load does. Received: {data!r}."
        )
    if index == 0:
        return data
    return data.reseeded(seed_of(data.seed, index))


def place_of(model):
    """Where a model stands: the index of its phase and the epochs of the previous phases."""
    index, _, before = phase_of(model)
    return index, before
