"""Samples in less than a second: without Keras and TensorFlow, whose import takes most of a command's time.

With the extra `fast`, the first `keras-gans sample` of a preset keeps its network, converted to ONNX, in a file that is
named after the preset's digest. The next ones run it with ONNX Runtime, on noise from NumPy.
"""

import contextlib
import importlib.metadata
import importlib.util
import json
import math
import os
import random
import sys
from hashlib import sha256
from pathlib import Path

import click

from keras_gans_cli.models import has_options
from keras_gans_core import cards, handles
from keras_gans_core.errors import KerasGansError, UnsupportedError, format_error

FOLDER = "keras_gans_networks"  # in Keras's own folder
FORMAT = 1  # of kept files; raised by a change of what they have, or of the network that the same model becomes
LARGEST = 2**30  # bytes of a kept file
MOST = 2 * LARGEST  # bytes of all kept files
SEEDS = range(-(2**63), 2**63)


def _path(digest):
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / FOLDER / f"{digest}.network"


def _installed(*packages):
    return all(importlib.util.find_spec(package) is not None for package in packages)


def card_of(name):
    """The card of the preset or run `name` if its network may be kept, else None: a .keras file has no card, and layers
    of one's own and large models have rules of their own.

    Raises:
        KerasGansError: no such preset, or one whose files do not match its card.
    """
    if name.endswith(".keras") or has_options() or not _installed("onnxruntime"):
        return None
    folder = handles.find_preset(name).path
    cards.verified_model(folder, handle=name)
    return cards.read_card(folder)


def _key(card):
    """What else the images of a digest depend on."""
    try:
        version = importlib.metadata.version("keras-gans")
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        version = None
    return {"format": FORMAT, "version": version, "classes": card.get("dataset", {}).get("classes")}


# Keeping


def keep(name, card, model):
    """Keeps the network of a model that `card` is about, if it is of a kind that `Network` samples from."""
    try:
        _keep(name, card, model)
    # The command has written its images, and nothing that goes wrong here, in any package, may fail it any more.
    except Exception as error:
        text = str(error) if isinstance(error, KerasGansError) else format_error(error)
        click.echo(f"The next calls will not be faster. {text}", err=True)


def _keep(name, card, model):
    import keras

    path, known = _path(card["sha256"]), about(model)
    if known is None or keras.backend.backend() != "tensorflow" or not _installed("tf2onnx"):
        return
    folder = handles.find_preset(name).path
    if _read(path, _key(card)) is not None or cards.read_card(folder) != card:
        return
    from keras_gans import files, serving
    from keras_gans_core.pictures import atomic_write

    if files.own_layers(cards.path_of(folder, "model.keras")):
        return  # what they do may change while the preset's digest does not
    if sys.stderr.isatty():
        click.echo(f"keeping {name}, converted, for the next calls", err=True)
    failure = None
    with atomic_write(path) as temporary:  # where nobody can write, that is known before a conversion of seconds
        try:
            content = _content(card, known, serving.converted(model, "onnx"))
            if len(content) > LARGEST:
                raise UnsupportedError(f"Expected a file of at most {LARGEST} bytes. Received: {len(content)}.")
        except Exception as error:
            content, failure = _content(card, known, b""), error  # so that the next calls do not try again
        temporary.write_bytes(content)
    _remove_oldest(path.parent)
    if failure is not None:
        raise failure


def _content(card, known, network):
    """The bytes of a kept file. An empty network is one that cannot be kept."""
    rest = json.dumps({"key": _key(card), **known}).encode() + b"\n" + network
    return sha256(rest).hexdigest().encode() + b"\n" + rest


def _remove_oldest(folder):
    """Removes kept files, those that were written first, until the others have at most `MOST` bytes."""
    kept, total = [], 0
    for path in folder.glob("*.network"):
        with contextlib.suppress(OSError):  # another process may remove it too
            about = path.stat()
            kept.append((about.st_mtime_ns, about.st_size, path))
    for _, size, path in sorted(kept, reverse=True):
        total += size
        if total > MOST:
            with contextlib.suppress(OSError):
                path.unlink()


def about(model):
    """What `Network` needs to know of a model; None if it cannot sample from it."""
    from keras_gans import sampling
    from keras_gans.fields import Attributes, Classes, Images, Noise, Values

    outputs = list(model.output_fields.values())
    if not all(type(field) is Images and None not in field.shape for field in outputs):
        return None
    inputs = {}
    for name, field in model.input_fields.items():
        if name in model.optional_inputs:
            continue
        if type(field) not in (Noise, Classes, Attributes, Values):
            return None
        inputs[name] = {
            "kind": type(field).__name__,
            "config": {} if type(field) is Noise else field.get_config(),
            "normals": field.num_normals,
            "stream": sampling.stream_of(name),
            "shape": field.shape,
            "dtype": field.dtype,
        }
    if not inputs:
        return None
    return {
        "inputs": inputs,
        "outputs": list(model.output_fields),
        "batch": sampling.batch_size(model, {}),
        "most": sampling.LARGEST_PICTURE // sum(math.prod(field.shape) for field in outputs),
    }


# Sampling


def _read(path, key):
    """(what is known of a network, its bytes) of a kept file; None if there is none, or a damaged or an older one. No
    bytes: it cannot be kept."""
    try:
        with cards.open_file(path, LARGEST) as file:
            digest, rest = file.read().split(b"\n", 1)
        if sha256(rest).hexdigest().encode() != digest:
            return None
        about, network = rest.split(b"\n", 1)
        about = json.loads(about)
        return (about, network) if about["key"] == json.loads(json.dumps(key)) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def network(card):
    """The kept `Network` of a preset's card, or None."""
    about, content = _read(_path(card["sha256"]), _key(card)) or (None, b"")
    try:
        return Network(about, content) if content else None
    except Exception:  # a runtime, perhaps an older one, that cannot run it: it has a class for each status
        return None


class Network:
    """A kept network, which draws its inputs and samples as the library does."""

    def __init__(self, about, content):
        from keras_gans_core.networks import OnnxNetwork

        self.about, self.run = about, OnnxNetwork(content)

    def inputs(self, count, seed=None, seeds=None, labels=None):
        """{name: values (count, ...)} of the inputs; None for what the library refuses."""
        import numpy as np

        seeds = [random.randrange(2**31) if seed is None else seed] if seeds is None else seeds
        if not all(seed in SEEDS for seed in seeds) or (labels is not None and "labels" not in self.about["inputs"]):
            return None
        made = {}
        for name, about in self.about["inputs"].items():
            if name == "labels" and labels is not None:
                values = _labels(about, labels, count)
                if values is None:
                    return None
            else:
                values = _drawn(about, seeds, count)
            made[name] = np.reshape(values, (count, *about["shape"])).astype(about["dtype"])
        return made

    def sampled(self, inputs, batch=None):
        """Yields {name: images}, `batch` examples at a time."""
        batch = batch or self.about["batch"]
        for i in range(0, len(next(iter(inputs.values()))), batch):
            yield self.run({name: values[i : i + batch] for name, values in inputs.items()})

    def picture(self, images):
        """One picture of {name: images}."""
        from keras_gans_core.pictures import grid, in_rows

        parts = [images[name] for name in self.about["outputs"]]
        return grid(parts[0]) if len(parts) == 1 else in_rows([list(example) for example in zip(*parts)], None)

    def fits(self, count):
        """Whether so many images may be one picture."""
        return count <= self.about["most"]


def _drawn(about, seeds, count):
    """The values of an input, drawn from one seed for all examples or from one for each."""
    from keras_gans_core import labels, philox

    size = about["normals"] * (count // len(seeds))
    normals = philox.normal_of([seed ^ about["stream"] for seed in seeds], size).reshape(count, -1)
    return normals if about["kind"] == "Noise" else labels.drawn(about["kind"], about["config"], normals)


def _labels(about, text, count):
    """The labels in the text of --labels, which take turns; None for what the library refuses."""
    from keras_gans_core.labels import label_in

    whole = text in (about["config"].get("names") or ())  # a name may have a comma
    rows = [label_in(about["kind"], about["config"], label) for label in ([text] if whole else text.split(","))]
    return None if None in rows or len(rows) > count else [rows[i % len(rows)] for i in range(count)]
