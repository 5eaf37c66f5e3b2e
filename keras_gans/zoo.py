"""The zoo: pretrained models, loaded in one line and checked before they are parsed."""

import warnings

from keras_gans.errors import CorruptPresetError
from keras_gans.model import AdversarialModel
from keras_gans.presets import reading
from keras_gans.presets.reading import load_network
from keras_gans.presets.writing import (
    SHOWN,
    differences,
    golden_parts,
    sampler,
    update_card,
    write_classifier,
    write_golden,
    write_preset,
)
from keras_gans_core import cards, handles

__all__ = [
    "SHOWN",
    "classifiers",
    "differences",
    "golden_parts",
    "load",
    "load_classifier",
    "load_file",
    "load_network",
    "presets",
    "sampler",
    "update_card",
    "upload_preset",
    "write_classifier",
    "write_golden",
    "write_preset",
]


def presets():
    """The names that `load` takes. A preset whose card cannot be read is left out, with a warning.

    >>> "dcgan_mnist" in kg.zoo.presets()
    True
    """
    return _names(classifier=False)


def classifiers():
    """The names that `load_classifier` takes. A preset whose card cannot be read is left out, with a warning.

    >>> "classifier_mnist" in kg.zoo.classifiers()
    True
    """
    return _names(classifier=True)


def _names(classifier):
    read, left_out = cards.readable()
    for line in left_out:
        warnings.warn(line, stacklevel=3)
    return [name for name, card in read.items() if (card["variant"] == cards.CLASSIFIER) == classifier]


def load(name, safe_mode=True, large=False, trainable=False):
    """The pretrained model that `name` names, ready to `generate`; not compiled.

    Of a preset's name, the folder in the environment variable KERAS_GANS_ZOO is searched first, then the package's own
    zoo. What is on a hub is fetched into the hub's own cache, at first use. A preset's file is compared with its card,
    by size and SHA-256, before any of it is parsed.

    Args:
        name: one of `presets()`; the folder of a finished run; a `.keras` file; or a model on a hub,
            `hf://user/model[@revision]` or `kaggle://user/model/framework/variation[/version]`. See docs/hubs.md.
        safe_mode, large: see `load_file`.
        trainable: whether to refuse a preset without the networks that training needs, such as the discriminator; most
            presets keep only those that sampling needs. See docs/fine_tuning.md.

    Returns:
        An `AdversarialModel`. It can sample and be exported, and trained after `compile` if it is trainable.

    Raises:
        UnknownPresetError: no such preset (the message gives similar names), a handle of no known form, or a
            classifier.
        CorruptPresetError: a file that does not match its card, was saved by an older version of this library, or holds
            no model of this library.
        UntrustedFileError: see `load_file`.
        HubError: a hub that cannot be reached, or refuses.
        OutputError: files that cannot be kept in the hub's cache.
        ConfigurationError: the hub's own package is not installed, or a preset that is not trainable.

    Example:

    >>> kg.load("dcgan_mnist").generate(64, seed=0).shape
    (64, 28, 28, 1)
    """
    return reading.load(AdversarialModel, name, trainable, safe_mode, large)


def upload_preset(handle, folder, private=False):
    """Uploads a preset to a hub, with a model card `README.md`; returns a handle of the revision that was made.

    Log in first: `hf auth login`, or a token in the environment variable HF_TOKEN. On the command line:
    `keras-gans push FOLDER hf://user/model`.

    Args:
        handle: `hf://user/model[@branch]`. The model is created if needed.
        folder: a preset's folder, as a run or `model.save_to_preset` wrote it, or its name. It is checked first.
        private: whether a model that is created can be seen by its owner alone.

    Raises:
        UnknownPresetError: a handle of another form; no preset there; no such branch.
        CorruptPresetError: files that do not match their card, cannot be read, or are larger than others would fetch.
        HubError: a hub that cannot be reached, or refuses, such as without a token; or a public model that is to be
            private.
        ConfigurationError: the package huggingface_hub is not installed.

    Example:

    >>> kg.upload_preset("hf://ada/digits", "runs/digits")  # doctest: +SKIP
    'hf://ada/digits@0123456789abcdef0123456789abcdef01234567'
    """
    return handles.push(handle, folder, private)


def load_file(path, safe_mode=True, large=False):
    """The model in a `.keras` file, such as a run's checkpoint, ready to `generate`; not compiled.

    The file may be untrusted: it is refused if it holds anything but a model, such as code or compressed members.
    Reading takes less than 16 times the file's size plus 64 MiB; see `keras_gans.files`. A model with layers of your
    own is read after importing the module that registers them.

    Args:
        path: the file's path.
        safe_mode: False also reads a file with a Python lambda, and runs its code: only for files that you trust.
        large: whether to read a model whose images, or other inputs and outputs, have more than 2**24 numbers each
            (4096x4096 grey pixels), or that has layers of more than 2**26. A small file can hold one, and generating
            with it takes gigabytes.

    Returns:
        An `AdversarialModel`.

    Raises:
        CorruptPresetError: no file, or one that holds anything but a model, was saved by an older version of this
            library, holds no model of this library, or one whose weights are not finite.
        UntrustedFileError: layers that are not registered; in safe mode, code in the file; or a large model that was
            not asked for.

    Example:

    >>> load_file("missing.keras")
    Traceback (most recent call last):
        ...
    keras_gans_core.errors.CorruptPresetError: Expected a Keras model in missing.keras. ...
    """
    return reading.load_file(AdversarialModel, path, safe_mode, large)


def load_classifier(name):
    """The classifier `name`, with which `kg.metrics.predict_classes` classifies images.

    It is found and checked as by `load`. Its card says how often it is right, and on which data.

    Args:
        name: one of `classifiers()`.

    Returns:
        A Keras model, images in [-1, 1] to logits (N, classes), with a layer "features" before the logits; or a
        segmentation network, with logits (N, height, width, classes).

    Raises:
        UnknownPresetError: no such preset (the message gives similar names), or a model that generates.
        CorruptPresetError: a file that does not match its card, or is not a classifier.

    Example:

    >>> classifier = kg.zoo.load_classifier("classifier_mnist")
    >>> classifier.output_shape, classifier.get_layer("features").output.shape
    ((None, 10), (None, 64))
    """
    folder = handles.find_preset(name).path
    path = folder / "model.keras"
    classifier = cards.unreplaced(folder, lambda: load_network(cards.verified_model(folder, True, name)))
    if len(getattr(classifier, "outputs", ())) != 1:
        raise CorruptPresetError(
            f"Expected a network of one output in {path}. Received: a {type(classifier).__name__}. Fetch it again."
        )
    return classifier
