"""What a recipe file returns, and the recipe for a variant on any data."""

import importlib.util
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import keras

from keras_gans.callbacks import resume
from keras_gans.data import Batches
from keras_gans.errors import CheckpointError, ConfigurationError, CorruptPresetError
from keras_gans.fields import Index, Tokens
from keras_gans.model import AdversarialModel
from keras_gans.phases import Phase
from keras_gans.saving import fresh
from keras_gans_core import cards, handles
from keras_gans_core.errors import format_error
from keras_gans_core.runs import read_progress

SMOKE_BATCH = 16  # batch size of a rehearsal


@dataclass
class Recipe:
    """What a recipe file's `recipe(smoke)` returns: a model and the phases of its training.

    For training in one phase, pass `dataset` and `epochs`.

    Args:
        model: a compiled model.
        dataset: what `kg.data.load` returned.
        epochs: passes over the data.
        phases: instead of `dataset` and `epochs`, a list of `Phase`s in order. The first one has data, not a function.
        callbacks: further Keras callbacks of the run; every run has sample grids and checkpoints.
        held_back: what `kg.data.load_pairs` or the like returned for a split that is not trained on: its first examples
            are in the preset's samples. None for the first examples of `dataset`. For models that change given images.
        title: one line for the card.
        limits: what the budget limits, for the card.
        not_good_for: what the model should not be used for, for the card.
        trainable: whether the preset also keeps the networks that training needs, so that it can be fine-tuned. It is
            larger: its weights are stored as float32.
        start: what the model was loaded from, for the card: {"preset": handle, "sha256": the file's}; None for nothing.

    Raises:
        ConfigurationError: neither data nor phases, or both; a model that is not compiled; no epochs; or a first phase
            whose data or model depend on an earlier phase.
    """

    model: AdversarialModel
    dataset: Batches | None = None
    epochs: int | None = None
    phases: list = field(default_factory=list)
    callbacks: list = field(default_factory=list)
    held_back: Batches | None = None
    title: str = ""
    limits: str = ""
    not_good_for: str = ""
    trainable: bool = False
    start: dict | None = None

    def __post_init__(self):
        if not getattr(self.model, "compiled", False):
            raise ConfigurationError(
                f"Expected a compiled model. Received: {self.model!r}. Call compile() first; without arguments it "
                "uses the paper's optimizers."
            )
        alone = self.dataset is not None or self.epochs is not None
        if bool(self.phases) == alone:
            raise ConfigurationError(
                "Expected a dataset with epochs, or phases. Received: "
                f"{'both. Leave one of them out' if alone else 'neither. Give one of them'}."
            )
        if alone:
            self.phases = [Phase(self.dataset, self.epochs)]
        wrong = [phase for phase in self.phases if not isinstance(phase, Phase)]
        if wrong:
            raise ConfigurationError(f"Expected phases as keras_gans.training.Phase. Received: {wrong[0]!r}.")
        first = self.phases[0]
        if not isinstance(first.data, Batches) or first.prepare is not None:
            raise ConfigurationError(
                "Expected a first phase with Batches and without prepare: it trains the recipe's model. Received: "
                f"data={first.data!r}, prepare={first.prepare!r}. Load the data, and prepare the model, in the recipe."
            )
        self.dataset = first.data


@dataclass
class ClassifierRecipe:
    """What a recipe file's `recipe(smoke)` returns for a classifier.

    Args:
        model: a compiled Keras model, images in [-1, 1] to logits.
        dataset: what `kg.data.load` returned, with labels: classes (N,), or yes/no attributes (N, K).
        test: the same for images that are not trained on: the card says how often the model is right on them.
        epochs: passes over the data.
        title: one line for the card.
        limits: what the budget limits, for the card.
        not_good_for: what the model should not be used for, for the card.
    """

    model: keras.Model
    dataset: Batches
    test: Batches
    epochs: int
    title: str = ""
    limits: str = ""
    not_good_for: str = ""


def read_recipe(path):
    """The function `recipe` of the Python file `path`.

    Raises:
        ConfigurationError: no such file, or one without `recipe(smoke=False)`.
    """
    module = import_file(path)
    if not callable(getattr(module, "recipe", None)):
        raise ConfigurationError(f"Expected {path} to define recipe(smoke=False). Received: no such function.")
    return module.recipe


def import_file(path):
    """Runs the Python file `path`, such as a recipe whose layers a model needs; returns it as a module.

    Raises:
        ConfigurationError: no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigurationError(f"Expected a Python file, such as a recipe. Received: {path}, which is not a file.")
    spec = importlib.util.spec_from_file_location(f"recipe_{path.parent.name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def variant_recipe(
    variant,
    source="drawn:digits",
    *,
    image_size=None,
    labels=None,
    batch_size=None,
    download=False,
    epochs=None,
    start=None,
    resume_from=None,
    large=False,
    **options,
):
    """The recipe for a variant on any data, with its paper's networks and optimizers.

    Args:
        variant: a class such as `keras_gans.DCGAN`.
        source, image_size, download: see `kg.data.load`, or `kg.data.load_text` for a variant of text.
        labels: for a TFDS data set, the name of the feature that holds the labels; None for "label".
        batch_size: images per discriminator update; a step takes `discriminator_steps` times as many. None for
            the default of the variant's `load_data`.
        epochs: passes over the data; None for 25, and for 1 in a rehearsal.
        start: what `kg.load` takes: a preset that keeps the networks that training needs, whose networks the training
            starts from, instead of new ones. The size and the channels of images are its own unless they are given;
            so are the length and the alphabet of text.
        resume_from: the folder of the run that `train` will go on with. If it began with a `start`, that is not loaded
            again, and need not be given.
        large: whether the images of `start` may be larger; see `kg.load`.
        options: further ones of the variant's `load_data`, such as `channels`, or `sides` of pairs.

    Returns:
        A function from `smoke` to a `Recipe`, for `train`. With `start` it raises what `kg.load` does; a
        `ConfigurationError` for a variant with phases of its own, which begin with new networks, or that learns
        something of each training image; and a `CheckpointError` for a run that began with another start.
    """
    if start is not None and variant.phases is not AdversarialModel.phases:
        raise ConfigurationError(
            "Expected a variant that is always trained in one phase, to go on from a preset. Received: "
            f"{variant.__name__}, which makes phases of its own. In Python: kg.load(preset, trainable=True), compile() "
            "and fit."
        )

    def recipe(smoke=False):
        size = batch_size or (SMOKE_BATCH if smoke else None)
        before, about = _started(variant, start, resume_from, large)
        given = {
            **options,
            "image_size": image_size,
            "labels": labels,
            "batch_size": size,
            "take": 4 * size if smoke else None,
        }
        given = {name: value for name, value in given.items() if value is not None}
        given = {**_like(before), **given}
        try:
            dataset = variant.load_data(source, download=download, **given)
        except TypeError as error:
            name = re.search(r"unexpected keyword argument '(\w+)'", str(error))
            if name is None or name[1] not in given:  # a mistake in a loader
                raise
            raise ConfigurationError(
                f"Expected options for the data of {variant.__name__}. Received: {error}. Leave it out."
            ) from error
        averages = {"ema_decay": 0.999}
        if before is None:
            model = variant.for_data(dataset, **averages)
        else:
            model = fresh(before, seed=None, **averages)
        model.compile()
        dataset.batch_size = min(dataset.batch_size * model.discriminator_steps, dataset.count)
        return Recipe(
            title=f"{variant.__name__} on {dataset.about.get('name', source)}",
            model=model,
            phases=model.phases(dataset, epochs or (1 if smoke else 25)),
            start=about,
        )

    return recipe


def _started(variant, handle, folder, large):
    """The model that a training starts from, and what its card says about it; None and None if there is none.

    A run in `folder` knows what it started from. Its checkpoint has the model's settings then.
    """
    known = None if folder is None else read_progress(Path(folder))[0].get("from")
    if known:
        if handle is not None and not _is_the_start(known, handle):
            raise CheckpointError(
                f"Expected the start of the run in {folder}: {known['preset']}. Received: {handle}, another file. "
                "Leave out --from (start): the run goes on from its checkpoint."
            )
        model = resume(folder)
        if not isinstance(model, variant):
            raise CheckpointError(
                f"Expected a run of {variant.__name__}, to resume. Received: {folder}, of {type(model).__name__}. "
                "Resume with the variant that started the run."
            )
        return model, known
    if handle is None:
        return None, None
    path, pinned = handles.find(handle)
    model = variant.from_preset(pinned, trainable=True, large=large)
    if indexed := [name for name, field in model.batch_fields.items() if isinstance(field, Index)]:
        raise ConfigurationError(
            f"Expected a variant that can go on with other images. Received: {variant.__name__}, which learns "
            f"something of each training image ({', '.join(indexed)}). Leave out --from (start): it begins with "
            "new networks."
        )
    digest = _digest(path)
    if not handles.is_remote(pinned):  # a card does not tell where a user's folders are
        pinned = cards.read_card(path)["preset"] if path.is_dir() else path.name
    return model, {"preset": pinned, "sha256": digest}


def _is_the_start(known, handle):
    """Whether a handle names what a run started from. A hub is not asked about a model without a revision."""
    if handles.is_remote(handle) and handles.is_remote(known["preset"]):
        given, began = handles.parsed(handle), handles.parsed(known["preset"])
        if given[:2] == began[:2] and given[2] in (None, began[2]):
            return True
    return _digest(handles.find(handle).path) == known["sha256"]


def _digest(path):
    """The SHA-256 of a preset's model, or of a `.keras` file of any size."""
    file = cards.path_of(path, "model.keras") if path.is_dir() else path
    try:
        return cards.sha256(file, os.path.getsize(file))
    except (OSError, ValueError) as error:
        raise CorruptPresetError(f"Expected a model in {file}. Received: {format_error(error)}.") from error


def _like(model):
    """The options of a variant's `load_data` for data as a model takes them; none without a model."""
    if model is None:
        return {}
    for tokens in model.batch_fields.values():
        if isinstance(tokens, Tokens):
            return {"length": tokens.length, "alphabet": tokens.alphabet}
    if len(model.image_shape) == 3 and None not in model.image_shape:
        return {"image_size": model.image_shape[:2], "channels": model.image_shape[2]}
    return {}
