"""The loops around Keras's `fit` and `evaluate`: whole epochs, resumed epochs, checked streams."""

import itertools
import types
import warnings

import keras
import numpy as np
from keras import ops

from keras_gans import engine, sampling
from keras_gans.checking import BatchCheck, check_data, check_shares, length_of, named
from keras_gans.data.ahead import ALL
from keras_gans.data.batches import Batches, WholeEpochs
from keras_gans.data.streams import doubts, each_batch, starting_at
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.guards import FiniteTraining
from keras_gans_core.checks import is_number, is_whole

PHASE = "phase"  # the slot of a model that is trained in phases
ROWS = "rows"  # the slot of a model that is trained on arrays: the seed of their order, and where it began
BATCH_SIZE = 32  # of arrays, as in Keras
ALONE = 1, 0  # what one device asks of a batch: any number of examples


def fit(
    model,
    keras_fit,
    x,
    y,
    *,
    epochs=1,
    initial_epoch=None,
    steps_per_epoch=None,
    shuffle=None,
    validation_data=None,
    verbose="auto",
    callbacks=None,
    **kwargs,
):
    """`AdversarialModel.fit`; `keras_fit` is `keras.Model.fit`, bound to the model."""
    if not model.compiled:
        raise ConfigurationError(
            "Expected a compiled model. Call compile() first; without arguments it uses the paper's optimizers."
        )
    for name in ("class_weight", "sample_weight"):
        if kwargs.get(name) is not None:
            raise ConfigurationError(f"Expected no {name}: adversarial losses do not use it. Leave it out.")
    if steps_per_epoch is not None and not is_whole(steps_per_epoch, 1):
        raise ConfigurationError(f"Expected steps_per_epoch of 1 or more, or None. Received: {steps_per_epoch!r}.")
    _check_arguments(x, y, shuffle, kwargs)
    x, model.shown_examples = check_data(model, x, y, steps_per_epoch=steps_per_epoch, training=True)
    sampling.settle_averages(model)
    arrays = _are_arrays(x)
    if (fraction := kwargs.pop("validation_split", None)) and validation_data is None:
        x, y, validation_data = _divided(x, y, fraction)
    callbacks = flat(callbacks)
    guard = FiniteTraining(callbacks)
    callbacks = [guard, *callbacks]
    try:
        with BatchCheck(model, nan_passes=bool(guard.left_to_others)) as check:
            if validation_data is not None:
                size = kwargs.get("validation_batch_size") or kwargs.get("batch_size")
                validation_data = _readable_validation(model, validation_data, size, check)
            if arrays:
                size = kwargs.pop("batch_size", None) or BATCH_SIZE
                shuffle = shuffle is None or bool(shuffle)
                x, begun_at = _as_batches(model, x, y, size, steps_per_epoch, shuffle, initial_epoch)
                shuffle = False
                kwargs["validation_batch_size"] = kwargs.get("validation_batch_size") or size
            kwargs |= {"epochs": epochs, "shuffle": shuffle or False, "verbose": verbose}
            kwargs |= {"initial_epoch": initial_epoch, "callbacks": callbacks, "validation_data": validation_data}
            if isinstance(x, Batches):
                begun_at = begun_at if arrays else phase_of(model)[1:]
                return _fit_batches(model, keras_fit, x, steps_per_epoch or len(x), begun_at, check, **kwargs)
            return _fit_stream(model, keras_fit, x, steps_per_epoch, check, **kwargs)
    finally:
        for callback in callbacks:  # Keras does not tell callbacks about an exception
            if hasattr(callback, "release") and callback.model is model:
                callback.release()


def _are_arrays(x):
    return isinstance(x, (np.ndarray, dict)) or ops.is_tensor(x)


def _check_arguments(x, y=None, shuffle=None, options=()):
    """Refuses what Keras leaves unused without a word."""
    if x is None or isinstance(x, (str, tuple)):  # which `check_data` refuses
        return
    if _are_arrays(x) or isinstance(x, list):
        if isinstance(x, dict) and y is not None:
            raise ConfigurationError("Expected y to be in the dict of arrays. Received: a dict, and y. Leave y out.")
        return
    kind = type(x).__name__
    if y is not None:
        raise ConfigurationError(
            f"Expected {kind} with all fields in each batch. Received: y besides it. Put y into the batches."
        )
    if options and options.get("batch_size") is not None:
        raise ConfigurationError(
            f"Expected no batch_size, since {kind} has batches of its own. Received: batch_size="
            f"{options['batch_size']!r}. Make the data with that size: kg.data.Batches(..., batch_size=...)."
        )
    if shuffle and isinstance(x, Batches):
        raise ConfigurationError(
            f"Expected no shuffle, since {kind} has an order of its own. Received: shuffle={shuffle!r}. Make the data "
            "with kg.data.Batches(..., shuffle=True, seed=...)."
        )


def _check_arrays(model, x, batch_size, steps_per_epoch):
    check_shares(model, batch_size)
    there = -(-len(keras.tree.flatten(x)[0]) // batch_size)
    if steps_per_epoch and steps_per_epoch > there:
        raise DataError(
            f"Expected at least steps_per_epoch={steps_per_epoch} batches. Received: arrays for {there} of {batch_size}"
            ". Lower steps_per_epoch, leave it out, or pass kg.data.Batches, which goes on with the next epoch."
        )


def _as_batches(model, x, y, batch_size, steps_per_epoch, shuffle, initial_epoch):
    """Arrays as batches whose order follows from the model's step; and the step and the epoch at which it began.

    The order's seed is drawn from NumPy's generator, which `keras.utils.set_random_seed` seeds. The model keeps it in
    its file, so that a resumed run goes on with the same order.
    """
    _check_arrays(model, x, batch_size, steps_per_epoch)
    values = named(x if y is None else (x, y), model.batch_fields)
    arrays = {name: ops.convert_to_numpy(v) if ops.is_tensor(v) else np.asarray(v) for name, v in values.items()}
    batches = WholeEpochs(batch_size=batch_size, shuffle=shuffle, **arrays)
    count, step = steps_per_epoch or len(batches), steps_of(model)
    if initial_epoch is not None and ROWS in model.slots.names:
        seed, start, before = ops.convert_to_numpy(model.slots.get(ROWS)).tolist()
        if 0 <= step - start - (initial_epoch - before) * count < count:
            return batches.reseeded(seed), (start, before)
    seed, before = np.random.randint(2**31 - 1) if shuffle else 0, initial_epoch or 0
    with engine.scope_of(model):
        model.slots.get(ROWS, (3,), "int32").assign([seed, step, before])
    return batches.reseeded(seed), (step, before)


def check_batch(model, x, y, options):
    """Checks what `train_on_batch` or `test_on_batch` was given; returns it as it goes to the step.

    Raises:
        ConfigurationError: weights, which no variant uses.
        DataError: see `check_data`.
    """
    for name in ("class_weight", "sample_weight"):
        if options.get(name) is not None:
            raise ConfigurationError(f"Expected no {name}: adversarial losses do not use it. Leave it out.")
    _check_arguments(x, y)
    x, _ = check_data(model, x, y)
    return x


def _divided(x, y, fraction):
    """Arrays without their last `fraction`, and that part as data to validate on, as Keras divides them."""
    if not _are_arrays(x):
        raise ConfigurationError(
            f"Expected arrays, of which validation_split takes the last part. Received: {type(x).__name__}. Pass "
            "validation_data instead."
        )
    count = len(keras.tree.flatten(x)[0])
    kept = int(count * (1.0 - fraction)) if is_number(fraction, 0.0) else 0
    if not 0 < kept < count:
        raise ConfigurationError(
            f"Expected a validation_split that leaves examples on both sides. Received: {fraction!r} of {count}."
        )
    y = None if y is None else np.asarray(y)
    first, last = (
        keras.tree.map_structure(lambda array: None if array is None else array[part], [x, y])
        for part in (slice(kept), slice(kept, None))
    )
    return *first, last


def _readable_validation(model, data, batch_size, check):
    """The `validation_data` of Keras's `fit`, checked."""
    x, y = data, None
    if isinstance(data, (tuple, list)):
        if len(data) > 2 and data[2] is not None:
            raise ConfigurationError(
                "Expected validation_data without sample weights: adversarial losses do not use them. Leave them out."
            )
        x, y = (*data[:2], None)[:2]
    x, y, _ = _readable(model, check_data(model, x, y)[0], y, {"batch_size": batch_size}, check)
    return x if y is None else (x, y)


def _shares(model):
    """What a batch is filled up to, so that the devices can share it: a multiple, and a least number of examples."""
    devices = engine.devices_of(model)
    return ALONE if devices == 1 else (devices * model.packing, devices * model.smallest_batch)


def _readable(model, x, y, options, check=None):
    """The data and options of Keras's `fit`: checked batch by batch, and filled up so that devices can share them."""
    whole, least = _shares(model)
    if not _are_arrays(x):
        plain = isinstance(x, Batches) and x.batch_size % whole == 0 and x.batch_size >= least
        if isinstance(x, Batches) and x.is_lazy:
            x = check.closing(x.following(None, noting=check.noting))
        return engine.readable(x if plain else each_batch(x, check, whole, least), y, options)
    size, count = options.get("batch_size") or BATCH_SIZE, len(keras.tree.flatten(x)[0])
    x, y, options = engine.readable(x, y, options)
    if (whole, least) == ALONE:
        return x, y, options
    if _are_arrays(x) and ((rest := count % size) % whole or 0 < rest < least):
        raise ConfigurationError(
            f"Expected batches that {engine.devices_of(model)} devices share equally. Received: {count} examples in "
            f"batches of {size}, the last of {rest}. Pass kg.data.Batches(..., batch_size={size}), which leaves out "
            "the rest of an epoch."
        )
    return each_batch(x, None, whole, least), y, options


def _fit_batches(model, keras_fit, batches, count, begun_at, check, *, verbose, **options):
    """Keras's `fit` on epochs of `count` batches from the model's step on; the rest of a started epoch comes first."""

    share = _share_of(model, batches)

    def fit_epochs(first, last, count, callbacks):
        following = batches.following(
            lambda: steps_of(model) - begun_at[0], count, check.passed, share=share, noting=check.noting
        )
        # TensorFlow may count a step before it reads the step's batch, so each epoch's first batch is fixed in advance.
        beginning = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: following.on_epoch_begin())
        if isinstance(callbacks, OneTraining):
            callbacks.callbacks.append(beginning)
        else:
            callbacks = [*callbacks, beginning]
        data, _, others = engine.readable(following, None, {**options, "verbose": verbose})
        if isinstance(batches, WholeEpochs) and _shares(model) != ALONE:  # the last batch of an epoch may be small
            data = each_batch(data, None, *_shares(model))
        check.read = 0  # TensorFlow has looked at a batch
        try:
            return keras_fit(data, **{**others, "initial_epoch": first, "epochs": last, "callbacks": callbacks})
        finally:
            following.close()

    return _fit_rest_first(model, fit_epochs, count, begun_at, verbose=verbose, **options)


def _share_of(model, batches):
    """Which rows of each batch this machine reads, see `Batches.at`: where each has one device, they are in its
    number's part."""
    machine = engine.machine_of(model)
    return machine if engine.devices_of(model) == machine[1] and type(batches).at is Batches.at else ALL


def _fit_stream(model, keras_fit, x, steps_per_epoch, check, **options):
    """Keras's `fit` on data that come batch by batch; a resumed run leaves out the batches that it has seen."""
    begun_at, count = phase_of(model)[1:], steps_per_epoch or length_of(x)
    resumed = options["initial_epoch"] is not None and steps_of(model) > begun_at[0]
    if resumed:
        _warn_of_doubts(x, count, options["shuffle"])

    def fit_epochs(first, last, steps, callbacks):
        # With steps_per_epoch an epoch begins where the last one ended, otherwise with the first batch.
        seen = steps_of(model) - begun_at[0] if resumed and count else 0
        start = seen if steps_per_epoch else seen % count if steps != count else 0
        data = starting_at(x, start, endless=bool(steps_per_epoch)) if start else x
        counted = steps_per_epoch or isinstance(data, types.GeneratorType) and steps
        if counted and isinstance(data, types.GeneratorType):  # what reads ahead must leave the rest for the next call
            data = (batch for batch in itertools.islice(data, steps * (last - first)))
        data, _, others = _readable(model, data, None, options, check)
        given = {"initial_epoch": first, "epochs": last, "callbacks": callbacks}
        return keras_fit(data, **{**others, **given, "steps_per_epoch": steps if counted else None})

    return _fit_rest_first(model, fit_epochs, count, begun_at, **options)


def _fit_rest_first(model, fit_epochs, count, begun_at, *, epochs, initial_epoch, callbacks, verbose, **options):
    """`fit_epochs(first, last, steps, callbacks)` of all epochs; of a started one, first of its rest.

    Args:
        count: batches of an epoch, None if unknown.
        begun_at: the step at which the run began, and the epochs before it.
        epochs, initial_epoch, callbacks, verbose: of Keras's `fit`.
    """
    start, before = begun_at
    first = initial_epoch or 0
    known = initial_epoch is not None and count is not None
    begun = steps_of(model) - start - (first - before) * count if known else 0
    if first >= epochs or not known or not 0 < begun < count:
        return fit_epochs(first, epochs, count, callbacks)
    both = OneTraining(model, callbacks, verbose, epochs, count - begun, count)
    fit_epochs(first, first + 1, count - begun, both)
    if first + 1 < epochs and not model.stop_training:
        fit_epochs(first + 1, epochs, count, both)
    return both.end()


def _warn_of_doubts(x, count, shuffle):
    """Warns that a resumed run will not be the uninterrupted one, if these data may be others than before."""
    kind, exact = type(x).__name__, "Pass arrays, kg.data.Batches or what kg.data.load returns, which resume exactly."
    if count is None:
        said = f"the length of this {kind} is not known, so a started epoch starts again. Pass steps_per_epoch. {exact}"
    elif doubt := doubts(x, shuffle):
        said = f"of this {kind}, {doubt}. The number of steps is right, but the batches are others. {exact}"
    else:
        return
    warnings.warn(f"The resumed run will not be exactly the uninterrupted one: {said}", UserWarning, stacklevel=5)


def evaluate(model, keras_evaluate, x, y, **kwargs):
    """`AdversarialModel.evaluate`; `keras_evaluate` is `keras.Model.evaluate`, bound to the model."""
    if kwargs.get("_use_cached_eval_dataset"):  # called by `fit`, which has checked its validation data
        return keras_evaluate(x, y, **kwargs)
    means = running_means(model)
    _check_arguments(x, y, None, kwargs)
    if kwargs.get("sample_weight") is not None:
        raise ConfigurationError("Expected no sample_weight: adversarial losses do not use it. Leave it out.")
    try:
        with BatchCheck(model) as check:
            x, y, kwargs = _readable(model, check_data(model, x, y)[0], y, kwargs, check)
            return keras_evaluate(x, y, **kwargs)
    finally:
        set_running_means(model, means)  # a started epoch may continue after this


def steps_of(model):
    """How many training steps the model has done, a Python int."""
    return int(ops.convert_to_numpy(model.step))


def phase_of(model):
    """Where the model's training phase began: the phase's index, the step, and the epochs before; zeros if none did."""
    if PHASE not in model.slots.names:
        return 0, 0, 0
    return tuple(ops.convert_to_numpy(model.slots.get(PHASE)).tolist())


def running_means(model):
    """The values of the variables behind the logs."""
    return [ops.convert_to_numpy(variable) for variable in model.metrics_variables]


def set_running_means(model, means):
    """Sets what `running_means` returned."""
    for variable, mean in zip(model.metrics_variables, means):
        variable.assign(mean)


class OneTraining(keras.callbacks.CallbackList):
    """The callbacks of two calls of Keras's `fit`, the first of which finishes a started epoch.

    The callbacks see one training, and the running means of that epoch cover the whole epoch.
    """

    def __init__(self, model, callbacks, verbose, epochs, left, steps):
        super().__init__(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            model=model,
            verbose=verbose,
            epochs=epochs,
            steps=left,
        )
        self.begun, self.steps = False, steps
        self.means = running_means(model)

    def on_train_begin(self, logs=None):
        if not self.begun:
            self.begun = True
            super().on_train_begin(logs)

    def on_epoch_begin(self, epoch, logs=None):
        if self.means is not None:  # Keras has just set them to zero
            set_running_means(self.model, self.means)
            self.means = None
        else:
            self.set_params({**self.params, "steps": self.steps})
        super().on_epoch_begin(epoch, logs)

    def on_train_end(self, logs=None):
        self.logs = logs

    def end(self):
        """Ends the training for the callbacks; returns Keras's `History`."""
        super().on_train_end(self.logs)
        return self.model.history


def flat(callbacks):
    """The callbacks given to `fit`, as a list. It takes one callback, nested lists or a `CallbackList`."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks.callbacks
    return keras.tree.flatten(callbacks) if callbacks else []
