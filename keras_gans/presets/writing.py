"""Writes presets: what sampling needs, its golden examples, and a card."""

import contextlib
import io
import json
import os
import shutil
import uuid
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import ops

from keras_gans import sampling
from keras_gans.batch_statistics import standing_values
from keras_gans.errors import CorruptPresetError, OutputError
from keras_gans.files import WEIGHTS, read_model
from keras_gans.images import atomic_write, save, to_float
from keras_gans.presets import facts
from keras_gans.presets.reading import check_trainable
from keras_gans.saving import parameters
from keras_gans_core import cards, readme

GOLDEN, GOLDEN_SEED = 16, 2014  # golden examples of a preset, and the seed of their drawn inputs
SHOWN = 64  # examples in samples.png, or slightly fewer if they do not fill its rows


def sampler(model, examples=None, trainable=False):
    """A copy of `model` that holds what sampling needs: the networks in `kept`, in float32, and nothing for training.

    If the model keeps averages of its weights, they become the copy's weights, and batch norm's statistics are computed
    anew from batches that the copy makes; see `keras_gans.batch_statistics.standing_values`.

    Args:
        model: an `AdversarialModel`.
        examples: {name: values} of inputs that cannot be drawn; by default those that `fit` was last given.
        trainable: whether the copy also holds the networks that training needs.
    """
    players = [name for player in model.players.values() for name in player] if trainable else []
    kept = tuple(dict.fromkeys((*model.kept, *players)))
    networks = [name for name in parameters(type(model)) if any(map(_is_network, model.networks(name)))]
    dropped = {name: None for name in networks if name not in kept}
    config = {**model.get_config(), **dropped, "ema_decay": None, "slots": {}}
    copy = type(model).from_config(_in_float32(config))
    sampling.settle_averages(model)
    with model.averages_in_use():
        weights = [ops.convert_to_numpy(variable.value) for variable in _variables(model, kept)]
    for variable, value in zip(_variables(copy, kept), weights, strict=True):
        variable.assign(value)
    if model.ema_decay is not None:
        for variable, value in standing_values(copy, model.shown_examples if examples is None else examples):
            variable.assign(value)
    return copy


def _is_network(value):
    return isinstance(value, keras.Model)


def _variables(model, names):
    """The variables of the named networks, with the seeds of dropout, so that files are reproducible."""
    return [variable for network in model.networks(*names) for variable in network.variables]


def _in_float32(config):
    """The config with mixed-precision policies replaced: a loaded layer would keep them on machines without support."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {**config["config"], "name": "float32"}}
        return {key: _in_float32(value) for key, value in config.items()}
    return [_in_float32(value) for value in config] if isinstance(config, (list, tuple)) else config


@contextlib.contextmanager
def _replacing(folder):
    """A context that gives a new folder for a preset's files. They replace those in `folder` all at once.

    At one moment, the renaming of their folder to `cards.NEXT`, the new files begin to count: `cards.path_of` looks
    there first. Then they are moved to their places. A writer that is killed before this moment leaves the old preset,
    and a hidden folder that the next writer removes; later, the new preset, whose files the next writer moves on.

    Raises:
        OutputError: a file that cannot be written. The old preset stays.
    """
    new = folder / f".preset-{uuid.uuid4().hex}"
    try:
        _finish_replacing(folder)
        for left in folder.glob(f".preset-{'[0-9a-f]' * 32}"):
            shutil.rmtree(left, ignore_errors=True)
        new.mkdir(parents=True)
        yield new
        os.rename(new, folder / cards.NEXT)
        _finish_replacing(folder)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"Cannot write the preset {folder}: {error}. Choose a folder that can be written to."
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _finish_replacing(folder):
    """Moves the files that are in `cards.NEXT` to their places, the card last."""
    new = folder / cards.NEXT
    for path in sorted(new.glob("*"), key=lambda path: path.name == "card.json"):
        os.replace(path, folder / path.name)
    if new.is_dir():
        new.rmdir()


def write_preset(model, folder, card, examples=None, trainable=False):
    """Writes `model.keras`, `golden.npz`, `samples.png`, `card.json` and `README.md` into `folder`.

    They replace those of an earlier preset at once: a reader gets the old preset or the new one, and so it does if the
    writer is killed.

    `golden.npz` holds the inputs and outputs of a few examples, "inputs/noise", "outputs/images" and so on. The weights
    are stored as float16 if that changes no golden image by more than one grey level and no character of a golden text.

    Args:
        model: a trained model.
        folder: the preset's folder; its name is the preset's.
        card: what the card says in addition to the facts about the file, which are as they are.
        examples: {name: values} of examples, for inputs that cannot be drawn; by default those that `fit` was last
            given.
        trainable: whether the preset also keeps the networks that training needs, as float32.

    Raises:
        OutputError: a file that cannot be written.
        ConfigurationError: a trainable preset of a model that lacks networks; an input that cannot be drawn, and no
            examples of it; or a card that cannot be read again, such as one of more than a megabyte.
    """
    folder = Path(folder)
    examples = model.shown_examples if examples is None else examples
    cards.check_words(card)
    if trainable:
        check_trainable(model, f"a {type(model).__name__}")
    small = sampler(model, examples, trainable)
    given = sampling.given_inputs(small, GOLDEN, examples)
    inputs = sampling.complete_inputs(small, GOLDEN, GOLDEN_SEED, given)
    outputs = small.sample(**inputs)
    with _replacing(folder) as new:
        with atomic_write(new / "model.keras") as path:
            small.save(path)
            half = not trainable and _stored_in_half(path, small, inputs, outputs)
            stored = read_model(path)
            made = stored.sample(**inputs)
        with atomic_write(new / "golden.npz") as path:
            write_golden(path, inputs, made)
        columns = max(field.grid_columns for field in stored.input_fields.values())
        save(sampling.sheet(stored, SHOWN // columns, columns, seed=0, given=examples), new / "samples.png")
        about = {
            "preset": folder.name,
            "variant": type(model).__name__,
            "image_shape": list(model.image_shape),
            **({"latent_dim": model.latent_dim} if "noise" in model.input_fields else {}),
            **_about_labels(model.input_fields.get("labels")),
            "inputs": _kinds(model.input_fields),
            "outputs": _kinds(model.output_fields),
            **({"trainable": True} if trainable else {}),
            "hyper_parameters": model.hyper_parameters,
            "generator_parameters": sum(int(network.count_params()) for network in sampling.generators(small)),
            "stored_as": "float16" if half else "float32",
        }
        _write_card(new, {**about, **card, **about, **_about_file(new)}, folder)


def _stored_in_half(path, model, inputs, outputs):
    """Stores the weights of a model's file as float16, if that changes no output by more than its tolerance."""
    full = path.read_bytes()
    path.write_bytes(_in_half(full))
    changes = differences(read_model(path).sample(**inputs), outputs)
    half = all(change.max() <= model.output_fields[name].tolerance for name, change in changes.items())
    if not half:
        path.write_bytes(full)
    return half


def save_to_preset(model, folder, card=None, examples=None, trainable=False):
    """See `AdversarialModel.save_to_preset`."""
    card = {} if card is None else card
    cards.check_words(card)
    known = {"training": {**facts.settings(model), **facts.surroundings()}}
    write_preset(model, folder, {**known, **card}, examples, trainable)


def _kinds(fields):
    """What a card says about a model's inputs or outputs: {name: class of the field}."""
    return {name: type(field).__name__ for name, field in fields.items()}


def _about_file(folder):
    """What a card says about the file of the model."""
    path = folder / "model.keras"
    size = path.stat().st_size
    return {"size": size, "sha256": cards.sha256(path, size)}


def _write_card(folder, card, present):
    """Writes a card, and the README.md that is made of it unless there is another in the preset's folder `present`."""
    text = cards.card_text(card)
    for name, content in (("README.md", _page(present, json.loads(text))), ("card.json", text)):
        if content is not None:
            with atomic_write(folder / name) as path:
                path.write_text(content, encoding="utf-8")


def _page(folder, card):
    """The README.md of a card; None where a user has written one."""
    return None if readme.is_own(folder / "README.md") else readme.readme(card)


def _about_labels(space):
    """What a card says about a model's labels."""
    if space is None:
        return {}
    return {"labels": str(space.named(None)), **({"label_names": space.names} if space.names else {})}


def write_golden(path, inputs, outputs):
    """Writes golden examples, two {name: values}, as arrays "inputs/name" and "outputs/name" of an npz file."""
    parts = {"inputs": inputs, "outputs": outputs}
    arrays = {f"{part}/{name}": values for part, named in parts.items() for name, values in named.items()}
    np.savez_compressed(path, **arrays)


def golden_parts(arrays):
    """The inputs and the outputs, two {name: values}, in the arrays of a `golden.npz`.

    Raises:
        CorruptPresetError: there are none.

    Example:

    >>> golden_parts({"inputs/noise": 1, "outputs/images": 2})
    ({'noise': 1}, {'images': 2})
    """
    inputs, outputs = (
        {name.removeprefix(part): values for name, values in arrays.items() if name.startswith(part)}
        for part in ("inputs/", "outputs/")
    )
    if not inputs or not outputs:
        raise CorruptPresetError(
            f"Expected golden samples under the names inputs/... and outputs/.... Received: {', '.join(arrays)}. Fetch "
            "the preset again, or write it again with kg.zoo.write_preset."
        )
    return inputs, outputs


def differences(made, wanted):
    """The absolute differences of two {name: outputs}, number by number, as {name: differences}."""
    return {name: np.abs(made[name].astype("float64") - wanted[name]) for name in wanted}


def write_classifier(model, folder, images, card, outputs="num_classes"):
    """Writes `model.keras`, `golden.npz` (some images and their logits) and `card.json` into `folder`, all at once, as
    `write_preset` does.

    Args:
        model: a trained classifier, images in [-1, 1] to logits.
        folder: the preset's folder; its name is the preset's.
        images: uint8 images for `golden.npz`.
        card: what the card says in addition to the facts about the file, which are as they are.
        outputs: what the card calls the number of logits: "num_classes", "num_attributes" if each stands for a yes/no
            attribute, or "num_pixel_classes" for a segmentation network.

    Raises:
        OutputError: a file that cannot be written.
    """
    folder = Path(folder)
    small = type(model).from_config(model.get_config())  # not compiled: without the optimizer's moments
    small.set_weights(model.get_weights())
    logits = ops.convert_to_numpy(small(to_float(images), training=False))
    with _replacing(folder) as new:
        with atomic_write(new / "model.keras") as path:
            small.save(path)
        with atomic_write(new / "golden.npz") as path:
            np.savez_compressed(path, images=images, logits=logits)
        about = {
            "preset": folder.name,
            "variant": cards.CLASSIFIER,
            "image_shape": list(model.input_shape[1:]),
            outputs: model.output_shape[-1],
            "parameters": int(model.count_params()),
            "stored_as": "float32",
        }
        _write_card(new, {**about, **card, **about, **_about_file(new)}, folder)


def _in_half(model_file):
    """The bytes of a .keras file with its float32 weights as float16, which Keras loads into float32 variables."""
    source, target = zipfile.ZipFile(io.BytesIO(model_file)), io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for member in source.namelist():
            content = source.read(member)
            copy.writestr(zipfile.ZipInfo(member), _weights_in_half(content) if member == WEIGHTS else content)
    return target.getvalue()


def _weights_in_half(content):
    target = io.BytesIO()
    with h5py.File(io.BytesIO(content)) as source, h5py.File(target, "w") as copy:

        def visit(name, item):
            if isinstance(item, h5py.Group):
                made = copy.require_group(name)
            else:
                value = item[()]
                made = copy.create_dataset(name, data=value.astype("float16") if value.dtype == "float32" else value)
            made.attrs.update(item.attrs)

        copy.attrs.update(source.attrs)
        source.visititems(visit)
    return target.getvalue()


def update_card(folder, changes):
    """Changes entries of the card in `folder`, a dict.

    Raises:
        CorruptPresetError: no card there.
        OutputError: a card that cannot be written.
        ConfigurationError: see `write_preset`.
    """
    folder = Path(folder)
    card = cards.read_card(folder)
    _finish_replacing(folder)
    _write_card(folder, {**card, **changes}, folder)
