"""What to measure a model against: the settings of a measurement, and the real examples for it."""

import copy
import re
from dataclasses import dataclass
from pathlib import Path

from keras_gans import checking, data, zoo
from keras_gans.data.batches import drawn_rows
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import Images, Prompts, Tokens
from keras_gans.sampling import needed_inputs
from keras_gans_core import cards

CHANGES = {"edges": data.edges, "negatives": data.negatives}  # names of Settings.change


@dataclass(frozen=True)
class Settings:
    """What `evaluate` needs to know besides the model. A card stores it, so that `verify` can repeat the measurement.

    Args:
        source: a data set, as for `kg.data.load`, or for the `load_data` of a model that changes given images.
        split: the reference's.
        features: a classifier of the zoo, "pixels", "inception_v3" or a .keras file; None for the first classifier
            whose card names the data set.
        metrics: names as for `kg.metrics.Evaluator`. They apply to images; other outputs are always measured by all
            numbers of their evaluator: text by "js1" to "js4", label maps by "pixel_accuracy", "class_accuracy" and
            "mean_iou", stacked digits by "classes" and "class_kl".
        samples: how many to generate; for images, the reference has at most as many, drawn from the split.
        seed: determines them.
        floor: a split whose images are measured instead of generated ones: what real images reach. None for none.
        labels: for a conditional model, which labels of the data set it is asked for, as in `kg.data.load`. `samples`
            of them are drawn from those of the split, with the same frequencies.
        change: for a model that makes two images per example, how the second should follow from the first: "edges" or
            "negatives"; None if no function describes it.
        sides: for data with pairs, the names of both sides, as in `kg.data.load_pairs`; None for its default.
    """

    source: str
    split: str = "test"
    features: str | None = None
    metrics: tuple = ("frechet_distance", "kernel_distance")
    samples: int = 10_000
    seed: int = 0
    floor: str | None = "train"
    labels: str | bool = True
    change: str | None = None
    sides: tuple | None = None


# Real examples

# Data sets that are made here, under their name in cards.
MADE = {"stacked_mnist": lambda settings: data.stacked_mnist(count=settings.samples, seed=1, batch_size=1)}


def _size(field):
    """The option for the size of a field's images; none if any size will do."""
    size = tuple(field.shape[:2])
    return {} if None in size else {"image_size": size}


def _image_options(field, settings, model):
    labels = settings.labels if model.label_space is not None else False
    return {**_size(field), "channels": field.shape[2], "labels": labels, "take": _take(settings)}


def _take(settings):
    """How many examples to load. Of a TFDS data set all, since `take` gives the first ones, which may be of one class;
    `load_split` draws from them. Other sources draw themselves."""
    draws = settings.source.startswith("drawn:") or Path(settings.source).expanduser().exists()
    return settings.samples if draws else None


def _text_options(field, settings, model):
    """The options for all lines; unknown characters become the padding."""
    return {"length": field.length, "alphabet": field.alphabet, "unknown": field.alphabet[0]}


def _pair_options(settings, model):
    """The options for data that also hold given inputs, unchanged: neither cropped nor flipped at random."""
    options = {"take": _take(settings), "augment": False, **_size(first_output(model))}
    if settings.sides is not None:
        options["sides"] = settings.sides
    if hasattr(model, "direction"):
        options["direction"] = model.direction
    for option, attribute in (("classes", "source_classes"), ("target_classes", "target_classes")):
        if getattr(model, attribute, None) is not None:
            options[option] = getattr(model, attribute)
    for field in model.input_fields.values():
        if isinstance(field, Prompts):
            options |= {"vocabulary": field.vocabulary, "length": field.length}
    return options


# How the real examples of an output field are loaded: the function, and its options for (field, settings, model).
LOADERS = {Images: (data.load, _image_options), Tokens: (data.load_text, _text_options)}


def of_class(table, field):
    """The entry of a table for a field, by its class.

    Raises:
        ConfigurationError: there is none.
    """
    for kind, entry in table.items():
        if isinstance(field, kind):
            return entry
    known = ", ".join(kind.__name__ for kind in table)
    raise ConfigurationError(f"Expected outputs that can be measured: {known}. Received: {type(field).__name__}.")


def load_split(settings, split, model):
    """The examples of a split, `Batches`: real outputs, with labels where the model takes labels. Images are drawn from
    it at random, always the same ones, if it has more than `settings.samples`.

    The examples of a model that needs given inputs come from its own `load_data`, so that they hold inputs and outputs.
    """
    if settings.source in MADE:
        return MADE[settings.source](settings)
    if needed_inputs(model):
        options = _pair_options(settings, model)
        return drawn_from(
            type(model).load_data(settings.source, split=split, batch_size=1, **options), settings.samples
        )
    field = first_output(model)
    load, options_of = of_class(LOADERS, field)
    examples = load(settings.source, split=split, batch_size=1, **options_of(field, settings, model))
    return examples if isinstance(field, Tokens) else drawn_from(examples, settings.samples)


def drawn_from(examples, take):
    """At most `take` of the examples, drawn at random; of domains of several lengths, of each. Pairs stay pairs."""
    rows = {name: drawn_rows(len(array), take) for name, array in examples.arrays.items()}
    if all(len(rows[name]) == len(array) for name, array in examples.arrays.items()):
        return examples
    part = copy.copy(examples)
    part.arrays = {name: array[rows[name]] for name, array in examples.arrays.items()}
    part.about = {**examples.about, "examples": part.count, "drawn": True}
    return part


def first_output(model):
    """The field of a model's first output."""
    return next(iter(model.output_fields.values()))


def measured_outputs(model):
    """The outputs that are measured, {name: the ending of their measurements' names}: the first one.

    For a model that changes given images, all of them: they are its directions.
    """
    names = list(model.output_fields)
    if len(names) > 1 and needed_inputs(model):
        return {name: f"_{name}" for name in names}
    return {names[0]: ""}


def real_values(examples, model, name):
    """The real values of an output in examples: under the output's name, or under another of its class and shape.

    Args:
        examples: what `load_split` returned.
        model: an `AdversarialModel`.
        name: the output's.
    """
    if name in examples.arrays:
        return examples.arrays[name]
    field = model.output_fields[name]
    alike = [
        key
        for key, other in model.batch_fields.items()
        if key in examples.arrays and key not in model.input_fields
        and type(other) is type(field) and other.shape == field.shape
    ]  # fmt: skip
    return examples.arrays[alike[0] if alike else next(iter(examples.arrays))]


def reference(settings, split, model, output=None):
    """`Batches` of the real values of one output, by default the first, as `images`; and of the labels."""
    examples = load_split(settings, split, model)
    values = real_values(examples, model, output or next(iter(model.output_fields)))
    labels = labels_of(examples, model) if model.label_space is not None else None
    about = dict(examples.about)
    if len(values) < settings.samples:  # this domain is whole, and another one was drawn from
        about.pop("drawn", None)
    return data.Batches(values, labels, batch_size=1, about=about)


def labels_of(examples, model):
    """The labels of examples in the numbers of a conditional model: by the classes' names, if both have names.

    Raises:
        ConfigurationError: classes or attributes that the model does not know.
    """
    try:
        return checking.match_labels(model, examples, training=False).labels
    except DataError as error:
        raise ConfigurationError(str(error)) from error


def names_of(source):
    """What cards may call a data set: its name, and that without TFDS's /config and :version."""
    return source, re.split("[/:]", source)[0]


def classifiers_of(source):
    """The zoo's classifiers of a data set, one or more.

    Raises:
        ConfigurationError: there is none.
    """
    found = {name: cards.read_card(cards.find(name)) for name in zoo.classifiers()}
    found = {name: card for name, card in found.items() if "num_pixel_classes" not in card}  # these have no features
    names = [name for name, card in found.items() if card.get("dataset", {}).get("name") in names_of(source)]
    if names:
        return names
    raise ConfigurationError(
        f"Expected features for {source}, for which the zoo has no classifier. Choose with --features: "
        f"{', '.join(found)}, pixels, inception_v3 (downloads 92 MB once) or a .keras file."
    )
