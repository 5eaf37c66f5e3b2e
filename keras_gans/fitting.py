"""The loops around Keras's `fit` and `evaluate`: whole epochs, resumed epochs, checked streams."""

import keras
import numpy as np
from keras import ops

from keras_gans import engine, sampling
from keras_gans.checking import BatchCheck, check_data, check_shares
from keras_gans.data.batches import Batches
from keras_gans.data.streams import each_batch
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.guards import FiniteTraining
from keras_gans_core.checks import is_number, is_whole

PHASE = "phase"  # the slot of a model that is trained in phases


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
    if shuffle is None:
        shuffle = arrays  # Keras warns about shuffle=True if it cannot shuffle
    callbacks = flat(callbacks)
    guard = FiniteTraining(callbacks)
    callbacks = [guard, *callbacks]
    try:
        with BatchCheck(model, nan_passes=bool(guard.left_to_others)) as check:
            if validation_data is not None:
                size = kwargs.get("validation_batch_size") or kwargs.get("batch_size")
                validation_data = _readable_validation(model, validation_data, size, check)
            kwargs |= {"epochs": epochs, "shuffle": shuffle, "validation_data": validation_data, "verbose": verbose}
            if isinstance(x, Batches):
                count = steps_per_epoch or len(x)
                return _fit_batches(model, keras_fit, x, count, initial_epoch, callbacks, check, **kwargs)
            if arrays:
                _check_arrays(model, x, kwargs.get("batch_size") or 32, steps_per_epoch)
            kwargs |= {"initial_epoch": initial_epoch or 0, "steps_per_epoch": steps_per_epoch, "callbacks": callbacks}
            x, y, kwargs = _readable(model, x, y, kwargs, check)
            return keras_fit(x, y, **kwargs)
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


def _readable(model, x, y, options, check=None):
    """The data and options of Keras's `fit`: checked batch by batch, and filled up so that devices can share them."""
    devices = engine.devices_of(model)
    whole, least = (1, 0) if devices == 1 else (devices * model.packing, devices * model.smallest_batch)
    if not _are_arrays(x):
        plain = isinstance(x, Batches) and x.batch_size % whole == 0 and x.batch_size >= least
        return engine.readable(x if plain else each_batch(x, check, whole, least), y, options)
    size, count = options.get("batch_size") or 32, len(keras.tree.flatten(x)[0])
    x, y, options = engine.readable(x, y, options)
    if devices == 1:
        return x, y, options
    if _are_arrays(x) and ((rest := count % size) % whole or 0 < rest < least):
        raise ConfigurationError(
            f"Expected batches that {devices} devices share equally. Received: {count} examples in batches of {size}, "
            f"the last of {rest}. Pass kg.data.Batches(..., batch_size={size}), which leaves out the rest of an epoch."
        )
    return each_batch(x, None, whole, least), y, options


def _fit_batches(model, keras_fit, batches, count, initial_epoch, callbacks, check, *, epochs, **kwargs):
    """Keras's `fit` on epochs of `count` batches from the model's step on; the rest of a started epoch comes first."""
    _, phase_start, epochs_before = phase_of(model)

    def fit_epochs(first, last, count, callbacks):
        following = batches.following(lambda: steps_of(model) - phase_start, count, check.passed)
        # TensorFlow may count a step before it reads the step's batch, so each epoch's first batch is fixed in advance.
        beginning = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: following.on_epoch_begin())
        if isinstance(callbacks, OneTraining):
            callbacks.callbacks.append(beginning)
        else:
            callbacks = [*callbacks, beginning]
        data, _, options = engine.readable(following, None, kwargs)
        check.read = 0  # TensorFlow has looked at a batch
        return keras_fit(data, initial_epoch=first, epochs=last, callbacks=callbacks, **options)

    first = initial_epoch or 0
    done = (first - epochs_before) * count
    begun = 0 if initial_epoch is None else steps_of(model) - phase_start - done
    if first >= epochs or not 0 < begun < count:
        return fit_epochs(first, epochs, count, callbacks)
    both = OneTraining(model, callbacks, kwargs["verbose"], epochs, count - begun, count)
    fit_epochs(first, first + 1, count - begun, both)
    if first + 1 < epochs and not model.stop_training:
        fit_epochs(first + 1, epochs, count, both)
    return both.end()


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
