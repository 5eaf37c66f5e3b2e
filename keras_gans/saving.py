"""What a model's file holds: its configuration, and the states that Keras leaves out."""

import inspect
import io
import json
import random
import tempfile
import types
import warnings
import zipfile
from pathlib import Path

import h5py
import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.files import (
    CONFIG,
    KNOWN_PACKAGES,
    WEIGHTS,
    check_file,
    has_lambda,
    own_objects,
    read_model,
    unregistered,
)
from keras_gans_core.errors import format_error

# What every model's configuration has; the variants' constructors have further parameters.
SHARED = ("discriminator_steps", "ema_decay", "seed")
# Parameters that a card shows in other entries.
ELSEWHERE = ("image_shape", "latent_dim", "label_space")


# Parameters of the base class that follow from the others, or that have their own entries in Keras's configuration.
DERIVED = ("self", "batch_fields", "input_fields", "output_fields", "name", "dtype")


def parameters(cls):
    """The names of the parameters of a variant's constructor.

    If the constructor passes on further keywords, the parameters of its parent classes are included, up to the base's.
    """
    named = []
    for part in cls.__mro__:
        if part is keras.Model:
            break
        if "__init__" in vars(part):
            given = inspect.signature(part.__init__).parameters.values()
            named += [p.name for p in given if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
            if all(p.kind is not p.VAR_KEYWORD for p in given):
                break
    return [name for name in dict.fromkeys(named) if name not in DERIVED]


def get_config(model):
    """The configuration of a model: for each parameter of its constructor, the attribute of the same name.

    Raises:
        ConfigurationError: a parameter without an attribute, which a file would lose.
    """
    values = {}
    for name in parameters(type(model)):
        if not hasattr(model, name):
            raise ConfigurationError(
                f"Expected an attribute for each parameter of {type(model).__name__}'s constructor, for saving. "
                f"Received: {name} without one. Set self.{name} = {name} in the constructor."
            )
        values[name] = getattr(model, name)
    return {
        "name": model.name,
        "dtype": keras.saving.serialize_keras_object(model.dtype_policy),
        **{name: _serialized(value) for name, value in values.items()},
        "slots": model.slots.get_config()["slots"],
    }


def _serialized(value):
    if isinstance(value, (list, tuple)):
        return [_serialized(part) for part in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return keras.saving.serialize_keras_object(value)


def from_config(cls, config, custom_objects=None):
    """The model with a given configuration."""
    known = parameters(cls)
    # Older files have "label_space": None in the configuration of every unconditional variant.
    config = {name: value for name, value in config.items() if value is not None or name in known}
    slots = config.pop("slots", {})
    model = cls(**keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))
    for name, about in slots.items():
        model.slots.get(name, **about)
    return model


def fresh(model, **changes):
    """A model of the same networks and settings at the first step of a training; not compiled.

    Args:
        model: whose networks it shares: it is not to be used beside the new one.
        changes: arguments of the constructor that are other than the model's.
    """
    given = {name: getattr(model, name) for name in parameters(type(model))}
    return type(model)(**{**given, **changes})


def get_compile_config(model):
    """The arguments of `compile`, for a file."""
    if not model.compiled:
        return {}
    return {
        "g_optimizer": keras.saving.serialize_keras_object(model.g_optimizer),
        "d_optimizer": keras.saving.serialize_keras_object(model.d_optimizer),
        "jit_compile": model.jit_compile,
        "run_eagerly": model.run_eagerly,
        "steps_per_execution": model.steps_per_execution,
    }


def hyper_parameters(model):
    """The settings of the variant's objective, `{name: value}`, for cards.

    These are the constructor's parameters except networks and what every model has. A function or an
    object, such as a divergence, is shown by its name.
    """
    plain = (bool, int, float, str, list, tuple)
    shown = {}
    for name in parameters(type(model)):
        value = getattr(model, name)
        networks = model.networks(name)
        if name in (*SHARED, *ELSEWHERE) or value is None or any(isinstance(n, keras.Model) for n in networks):
            continue
        shown[name] = value if isinstance(value, plain) else getattr(value, "__name__", type(value).__name__)
    return shown


# States that Keras keeps out of `weights` and out of files


def _states(model):
    """(key, variable) of the seeds of latents and dropout, and of the logs' running means.

    A resumed epoch continues with all of them.
    """
    saved = {id(weight) for weight in model.weights}
    seeds = [variable for variable in model.variables if id(variable) not in saved]
    return [
        *((f"seed_{i}", state) for i, state in enumerate(seeds)),
        *((f"log_{i}", variable) for i, variable in enumerate(model.metrics_variables)),
    ]


def save_states(model, store):
    """Puts the states into a file's store."""
    for key, state in _states(model):
        store[key] = ops.convert_to_numpy(state)


def without_states(model, store):
    """The entries of a file's store that are Keras's own."""
    ours = {key for key, _ in _states(model)}
    return {key: store[key] for key in store.keys() if key not in ours}


def load_states(model, store):
    """Loads the states that a file's store has."""
    for key, state in _states(model):
        if key in store.keys():
            state.assign(store[key])


# Layers of one's own


def check_readable(model, compile=True):
    """Refuses, before training, a model that cannot be read back from the file that training writes.

    A model of Keras's and this library's parts alone can. One with others is written and read back once.

    Args:
        model: a Keras model.
        compile: whether its optimizers are to be read too.

    Raises:
        ConfigurationError: a Python lambda, which files keep as code; a class or function that is not registered; or
            one that is registered and cannot be read back. The message says how to mend it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's, about lambdas
        try:
            config = keras.saving.serialize_keras_object(model)
        except Exception as error:  # from anybody's get_config
            raise _unreadable(format_error(error), GET_CONFIG) from error
    config = config if compile else {**config, "compile_config": None}
    functions = [function for layer in model._flatten_layers() for function in _own_functions(layer)]
    if has_lambda(config) or any(function.__name__ == "<lambda>" for function in functions):
        raise _unreadable(
            "a lambda, in a Lambda layer or as a function",
            "Files keep it as code, which is not run when they are read. Use a Keras layer such as Activation('tanh'), "
            f"or write a layer of your own. {REGISTER} Without a Checkpoint, fit trains it as it is.",
        )
    names = [keras.saving.get_registered_name(function) for function in functions]
    names = [name for name in names if keras.saving.get_registered_object(name) is None]
    if unknown := list(dict.fromkeys([*unregistered(config), *names])):
        raise _unreadable(f"{', '.join(unknown[:5])}, not registered", REGISTER)
    if not own_objects(config) and not functions:
        return
    state = random.getstate()  # Keras draws seeds for new layers
    try:
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder) / "model.keras")
            read_model(Path(folder) / "model.keras", compile=compile)
    except Exception as error:  # from anybody's layer; Keras puts whole configs before the reason
        reason = type(error)(str(error).rpartition("Exception encountered: ")[2])
        raise _unreadable(format_error(reason), GET_CONFIG) from error
    finally:
        random.setstate(state)


REGISTER = (
    'Put @keras.saving.register_keras_serializable("mine") before each class and function of your own, and import '
    "their module before the file is read."
)
GET_CONFIG = "A layer needs a get_config with all arguments of its constructor, and builds its weights in build."


def _unreadable(received, remedy):
    return ConfigurationError(
        f"Expected layers and functions with which the files of this training can be read. Received: {received}. "
        f"{remedy}"
    )


def _own_functions(layer):
    """The functions of a layer that are neither Keras's nor this library's, such as its activation."""
    kept = [value for name, value in vars(layer).items() if not hasattr(type(layer), name)]  # no methods
    functions = [value for value in kept if isinstance(value, types.FunctionType)]
    return [f for f in functions if (f.__module__ or "").split(".")[0] not in KNOWN_PACKAGES]


# Files of older versions


def older_structure(path):
    """What is outdated about this library's model in a `.keras` file, and what to do; None for any other file.

    Version 0.1.0 kept the averages of the weights as a network, "ema_generator", and some variants had other networks.

    Args:
        path: a file that could not be read.
    """
    try:
        check_file(Path(path))
        with zipfile.ZipFile(path) as members:
            config = json.loads(members.read(CONFIG))
            with h5py.File(io.BytesIO(members.read(WEIGHTS)), "r") as weights:
                averages = "ema_generator" in weights
        cls = keras.saving.get_registered_object(config["registered_name"])
        if not hasattr(cls, "batch_losses"):  # no model of this library
            return None
        unknown = sorted(set(config["config"]) - {*parameters(cls), "name", "dtype", "slots"})
    except Exception:  # zip, HDF5 and Keras each raise their own for a damaged file
        return None
    if not averages and not unknown:
        return None
    found = "a moving average that is a network" if averages else f"the options {_shown(unknown)}"
    return (
        f"a {cls.__name__} with {found}, as version 0.1.0 saved it. Train it again, or load it with version 0.1.0 of "
        "keras_gans."
    )


def _shown(names):
    """A few names from a file, which may be untrusted, on one short line that a terminal can show."""
    return ", ".join(ascii(str(name)[:30])[1:-1] for name in names[:5])
