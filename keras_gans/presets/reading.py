"""Presets and model files, found and checked before they are parsed."""

import math
import warnings

import keras

from keras_gans import checking
from keras_gans.errors import ConfigurationError, CorruptPresetError, UnknownPresetError, UntrustedFileError
from keras_gans.fields import Attributes
from keras_gans.files import LARGE, LARGEST_EXAMPLE, read_model
from keras_gans.guards import broken_file
from keras_gans.saving import older_structure
from keras_gans_core import cards, handles
from keras_gans_core.errors import format_error


class Presets:
    """The presets of a class and of those under it, as an attribute of the class: `{name: {"metadata": ...}}`."""

    def __get__(self, model, cls):
        read, left_out = cards.readable()
        for line in left_out:
            warnings.warn(line, stacklevel=2)
        names = _variants(cls)
        return {name: {"metadata": _summary(card)} for name, card in read.items() if card["variant"] in names}


def _summary(card):
    data = card.get("dataset", {})
    return {
        "description": card.get("title", ""),
        "params": card.get("generator_parameters"),
        "image_shape": tuple(card["image_shape"]),
        "dataset": data.get("name"),
        "license": card.get("license") or data.get("license"),
    }


def _variants(cls):
    """The names of a class and of those under it, as cards have them."""
    return {cls.__name__}.union(*map(_variants, cls.__subclasses__()))


def load(cls, handle, trainable=False, safe_mode=True, large=False):
    """The model that `handle` names, if it is one of `cls`; see `kg.load`."""
    found = handles.find(handle)
    if not found.path.is_dir():
        model = load_file(cls, found.path, safe_mode, large)
    else:
        model = cards.unreplaced(found.path, lambda: _read(cls, handle, found.path, safe_mode, large))
    if trainable:
        check_trainable(model, repr(str(handle)))
    return model


def _read(cls, handle, folder, safe_mode, large):
    path, card = cards.verified_model(folder, handle=handle), cards.read_card(folder)
    known = keras.saving.get_registered_object(f"keras_gans>{card['variant']}")
    if known is not None and card["variant"] not in _variants(cls):  # before the file is read
        raise _of_another(cls, handle, card["variant"])
    model = load_file(cls, path, safe_mode, large)
    _name_labels(model, card.get("dataset", {}).get("classes"))
    return model


def _of_another(cls, handle, variant):
    return UnknownPresetError(
        f"Expected a preset of {cls.__name__}. Received: {str(handle)!r}, a {variant}. Use kg.load({str(handle)!r}), "
        f"which reads any; {cls.__name__}.presets has those of {cls.__name__}."
    )


def check_trainable(model, said):
    """Refuses a model without the networks that training needs; `said` is what the message calls it."""
    names = [name for player in model.players.values() for name in player]
    if missing := [name for name in names if getattr(model, name) is None]:
        raise ConfigurationError(
            f"Expected a model that keeps what training needs. Received: {said}, without its "
            f"{', '.join(missing)}. A run's checkpoint.keras has all networks: pass its path. Recipe(trainable=True) "
            "and model.save_to_preset(folder, trainable=True) make presets that keep them."
        )


def _name_labels(model, names):
    """Gives the labels of a conditional model the names that its card knows, where its file has none."""
    space = model.label_space
    if space is None or space.names is not None or not (space.shape == () or isinstance(space, Attributes)):
        return
    texts = isinstance(names, list) and all(isinstance(name, str) and name for name in names)
    if texts and len(set(names)) == len(names) == space.size:
        checking.name_labels(model, tuple(names))


def load_file(cls, path, safe_mode=True, large=False):
    """The model in a `.keras` file, if it is one of `cls`; see `kg.zoo.load_file`."""
    model = load_network(path, safe_mode, large)
    if not isinstance(model, cls):
        if hasattr(model, "input_fields"):
            raise _of_another(cls, path, type(model).__name__)
        raise CorruptPresetError(f"Expected a model of keras_gans in {path}. Received: a {type(model).__name__}.")
    for name, field in () if large else (*model.input_fields.items(), *model.output_fields.items()):
        if math.prod(side or 1 for side in field.shape) > LARGEST_EXAMPLE:
            raise UntrustedFileError(
                f"Expected a model whose {name} have at most {LARGEST_EXAMPLE:,} numbers each, such as 4096x4096 grey "
                f"pixels. Received: {path}, with {'x'.join(map(str, field.shape))}. {LARGE}"
            )
    return model


def load_network(path, safe_mode=True, large=False):
    """The Keras model in a `.keras` file, of this library or not; not compiled. The file is checked as by `load_file`.

    Args:
        path, safe_mode, large: see `load_file`.

    Returns:
        A Keras model.

    Raises:
        CorruptPresetError: no file, no model, or one whose weights are not finite.
        UntrustedFileError: see `load_file`.

    Example:

    >>> load_network(cards.find("classifier_mnist") / "model.keras").count_params()
    124698
    """
    try:
        network = read_model(path, safe_mode=safe_mode, large=large)
    except UntrustedFileError:
        raise
    except Exception as error:  # zip, HDF5 and Keras each raise their own for a damaged file
        older = older_structure(path)
        if older:
            raise CorruptPresetError(f"Expected a model of this version in {path}. Received: {older}") from error
        raise CorruptPresetError(
            f"Expected a Keras model in {path}. Received: {format_error(error)} Fetch it again, or save it with "
            "model.save."
        ) from error
    if (broken := broken_file(network)) is not None:
        raise CorruptPresetError(
            f"Expected finite weights in {path}. Received: {broken}. Load an earlier checkpoint, or train it again "
            "with lower learning rates. keras.saving.load_model reads the file as it is."
        )
    return network
