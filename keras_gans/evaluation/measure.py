"""Measures a model against a data set, and writes the numbers into its card."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from keras_gans import sampling, zoo
from keras_gans.data import Batches
from keras_gans.data.batches import drawn_rows
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.evaluation.capabilities import CAPABILITIES, label_accuracy, maps_read_back, prompts_shown
from keras_gans.evaluation.settings import (
    classifiers_of,
    first_output,
    labels_of,
    load_split,
    measured_outputs,
    of_class,
    real_values,
    reference,
)
from keras_gans.fields import Images, LabelMaps, Tokens
from keras_gans.metrics import (
    Evaluator,
    FeatureExtractor,
    MapEvaluator,
    StackedEvaluator,
    TextEvaluator,
    classifier_features,
    inception_v3,
    pixels,
)
from keras_gans.sampling import needed_inputs
from keras_gans_core import cards


@dataclass(frozen=True)
class Samples:
    """A model's outputs, to be measured.

    Args:
        inputs: {name: values} that it was given or that were drawn.
        outputs: {name: values} that it made from them.
        examples: the data that given inputs were taken from, in the same order; None if every input was drawn.
    """

    inputs: dict
    outputs: dict
    examples: Batches | None

    @property
    def first(self):
        """The values of the first output."""
        return next(iter(self.outputs.values()))


def extractor(name, image_shape):
    """The feature extractor with a given name.

    Args:
        name: a classifier of the zoo, "pixels", "inception_v3", or a .keras file of a network from images to features.
        image_shape: (height, width, channels) of the images, for pixels.

    Returns:
        A `FeatureExtractor`.

    Raises:
        ConfigurationError: no such features.

    Example:

    >>> extractor("classifier_mnist", (28, 28, 1)).size
    64
    """
    if name == "pixels":
        return pixels(image_shape)
    if name == "inception_v3":
        return inception_v3()
    if Path(name).suffix == ".keras" and Path(name).is_file():
        return FeatureExtractor(zoo.load_network(name), Path(name).name)
    if name in zoo.classifiers():
        return classifier_features(zoo.load_classifier(name), name, "num_classes" in cards.read_card(cards.find(name)))
    raise ConfigurationError(
        f"Expected features: {', '.join(zoo.classifiers())}, pixels, inception_v3 or a .keras file. Received: {name!r}."
        f" {cards.did_you_mean(name, zoo.classifiers())}"
    )


# Evaluators: functions of (settings, model, the output's name, cache)


def _of_images(settings, model, output, cache):
    real = reference(settings, settings.split, model, output)
    name = settings.features or classifiers_of(real.about["name"])[0]
    return Evaluator(real, extractor(name, real.image_shape), settings.metrics, cache=cache)


def _of_text(settings, model, output, cache):
    return TextEvaluator(reference(settings, settings.split, model, output))


def _of_maps(settings, model, output, cache):
    return MapEvaluator(reference(settings, settings.split, model, output), model.output_fields[output].classes)


def _of_stacked_digits(settings, model, output, cache):
    return StackedEvaluator(zoo.load_classifier("classifier_mnist"), "classifier_mnist")


EVALUATORS = {Images: _of_images, Tokens: _of_text, LabelMaps: _of_maps}  # by the class of the output
SOURCE_EVALUATORS = {"stacked_mnist": _of_stacked_digits}  # by the data set, whatever the output
WITHOUT_FLOOR = (LabelMaps,)  # compared with the true outputs of the same examples: those of other examples say nothing


def evaluator(settings, model, cache=None, output=None):
    """The evaluator for a model's output, by default the first: an `Evaluator`, or that of its field or its data set.

    Raises:
        ConfigurationError: no features for this data set, or unknown ones.
        DatasetNotFoundError: the data set is not there.
    """
    output = output or next(iter(model.output_fields))
    make = SOURCE_EVALUATORS.get(settings.source) or of_class(EVALUATORS, model.output_fields[output])
    return make(settings, model, output, cache)


def evaluate(model, settings, cache=None):
    """Measures a model.

    Args:
        model: an `AdversarialModel`.
        settings: `Settings`.
        cache: see `Evaluator`.

    Returns:
        {name: `Measurement`} of the model, and the same for real examples, or None without a floor. If a model that
        changes images has several outputs, the measurements' names end with the output's:
        "frechet_distance_a".

    Raises:
        ConfigurationError: unknown features or metrics, or no labels for a conditional model.
        DatasetNotFoundError: the data set is not there.

    Example:

    >>> from keras_gans.evaluation import Settings, evaluate
    >>> settings = Settings("drawn:digits", "train", "classifier_mnist", samples=200, floor=None)
    >>> found, floor = evaluate(kg.load("dcgan_mnist"), settings)
    >>> list(found), floor
    (['frechet_distance', 'kernel_distance'], None)
    """
    measures = {name: evaluator(settings, model, cache, name) for name in measured_outputs(model)}
    known = known_labels(settings, model)
    samples = generated(settings, model, settings.seed, known)
    found = {}
    for name, ending in measured_outputs(model).items():
        found |= {f"{key}{ending}": number for key, number in measures[name](samples.outputs[name]).items()}
    for capability in CAPABILITIES:
        found |= capability(settings, model, samples)
    if not settings.floor or isinstance(first_output(model), WITHOUT_FLOOR):
        return found, None
    floor = {}
    for name, ending in measured_outputs(model).items():
        real = reference(settings, settings.floor, model, name).images
        # In random order, as generated examples are: some numbers depend on it, such as those over consecutive splits.
        order = np.random.Generator(np.random.PCG64(0)).permutation(len(real))
        floor |= {f"{key}{ending}": number for key, number in measures[name](real[order[: settings.samples]]).items()}
    if samples.examples is not None:
        real = real_values(samples.examples, model, next(iter(model.output_fields)))[: len(samples.first)]
        true = Samples(samples.inputs, {next(iter(model.output_fields)): real}, samples.examples)
        floor |= maps_read_back(settings, model, true) | prompts_shown(settings, model, true)
    if known is None:
        return found, floor
    # Labels come from the split that the classifier was not trained on.
    real = reference(settings, settings.split, model).images[: settings.samples]
    return found, floor | label_accuracy(settings, model, Samples({"labels": known}, {"images": real}, None))


def known_labels(settings, model):
    """The labels of the split, for a conditional model; None for a model that takes none."""
    if model.label_space is None:
        return None
    real = load_split(settings, settings.split, model)
    if real.about.get("source") == "TFDS":
        place = f"{settings.source}, feature {settings.labels if isinstance(settings.labels, str) else 'label'!r}"
        remedy = "Name the feature that holds them: --label-feature, or labels= of Settings."
    else:
        place, remedy = settings.source, "Give an .npz of images and labels, or a folder with one for each class."
    if real.labels is None:
        raise ConfigurationError(
            f"Expected a data set with labels, for {type(model).__name__}. Received: {place}, which has none. {remedy}"
        )
    try:
        return model.label_space.check(labels_of(real, model))
    except (DataError, ConfigurationError) as error:
        raise ConfigurationError(f"{error} The labels are those of {place}. {remedy}") from error


def generated(settings, model, seed, known):
    """`Samples` to measure: labels are drawn from the known ones, given inputs are the split's, in order."""
    inputs, examples, count = {}, None, settings.samples
    if needed_inputs(model):
        examples = load_split(settings, settings.split, model)
        inputs = {name: examples.arrays[name] for name in needed_inputs(model) if name in examples.arrays}
        count = min(count, *map(len, inputs.values()))
        inputs = {name: values[drawn_rows(len(values), count)] for name, values in inputs.items()}
    if known is not None:
        chosen = np.random.Generator(np.random.PCG64(seed)).integers(len(known), size=count)
        inputs["labels"] = known[chosen]
    inputs = sampling.complete_inputs(model, count, seed, inputs)
    return Samples(inputs, model.sample(**inputs), examples)


def write_metrics(folder, settings, found, floor):
    """Writes measurements into the card in `folder`, replacing those that were there.

    Args:
        folder: the preset's.
        settings, found, floor: what `evaluate` was given and returned.

    Raises:
        OutputError: a card that cannot be written.
    """
    metrics = {
        name: {
            "value": number.value,
            "error": number.error,
            "floor": floor[name].value if floor and name in floor else None,
            "protocol": asdict(number.protocol),
        }
        for name, number in found.items()
    }
    zoo.update_card(folder, {"evaluation": asdict(settings), "metrics": metrics})
