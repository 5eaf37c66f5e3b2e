"""What a recipe file returns, and the recipe for a variant on any data."""

import importlib.util
import re
from dataclasses import dataclass, field
from pathlib import Path

import keras

from keras_gans.data import Batches
from keras_gans.errors import ConfigurationError
from keras_gans.model import AdversarialModel
from keras_gans.phases import Phase
from keras_gans.saving import fresh
from keras_gans_core import cards, handles

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
            starts from, instead of new ones. The size and the channels of images are its own unless they are given.
        options: further ones of the variant's `load_data`, such as `channels`, or `sides` of pairs.

    Returns:
        A function from `smoke` to a `Recipe`, for `train`. With `start` it raises what `kg.load` does, and a
        `ConfigurationError` for a variant that is trained in several phases, which begin with new networks.
    """
    if start is not None and variant.phases is not AdversarialModel.phases:
        raise ConfigurationError(
            f"Expected a variant that is trained in one phase, to go on from a preset. Received: {variant.__name__}, "
            "whose phases are its own. In Python: kg.load(preset, trainable=True), compile() and fit."
        )

    def recipe(smoke=False):
        size = batch_size or (SMOKE_BATCH if smoke else None)
        before, about = (None, None) if start is None else _started(variant, start)
        given = {
            **options,
            "image_size": image_size,
            "labels": labels,
            "batch_size": size,
            "take": 4 * size if smoke else None,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if before is not None and len(before.image_shape) == 3 and None not in before.image_shape:
            given = {"image_size": before.image_shape[:2], "channels": before.image_shape[2], **given}
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


def _started(variant, handle):
    """The model that a training starts from, and what its card says about it."""
    path, pinned = handles.find(handle)
    model = variant.from_preset(pinned, trainable=True)
    file = cards.path_of(path, "model.keras") if path.is_dir() else path
    if not handles.is_remote(pinned):  # a card does not tell where a user's folders are
        pinned = cards.read_card(path)["preset"] if path.is_dir() else path.name
    return model, {"preset": pinned, "sha256": cards.sha256(file)}
