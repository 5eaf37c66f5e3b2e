"""Measures several models with the same noise against the same data."""

import math
import statistics
from dataclasses import asdict, replace

from keras_gans.errors import ConfigurationError
from keras_gans.evaluation.measure import evaluator, generated, known_labels
from keras_gans.evaluation.settings import first_output
from keras_gans_core import cards

# Student's t for a two-sided 95 % interval, 1 to 9 degrees of freedom.
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


class Row(dict):
    """{name of a model: (mean, half of the 95 % confidence interval of the mean over the seeds)} of one metric.

    Attributes:
        title: how the metric is shown, with its features.
    """

    def __init__(self, metric, protocol):
        super().__init__()
        self.title = cards.titled(metric, asdict(protocol))


def compare(models, settings, seeds, cache=None, *, labels=None):
    """Measures models with the same noise against the same reference, several times.

    Args:
        models: {name: `AdversarialModel`}, whose first outputs have one shape, and one alphabet if they are text.
        settings: `Settings`; its seed is the first.
        seeds: how many, 2 to 10.
        labels: {name: the `labels` of its settings} for models that show other labels of the reference's images than
            those in `settings`.

    Returns:
        {metric: {name: (mean, half of the 95 % confidence interval of the mean over the seeds)}}, a `Row` a metric.

    Raises:
        ConfigurationError: models of different shapes or alphabets, seeds out of range, or no labels for a
            conditional model.
    """
    outputs = {name: first_output(model) for name, model in models.items()}
    shapes = {name: field.shape for name, field in outputs.items()}
    if len(set(shapes.values())) > 1:
        raise ConfigurationError(f"Expected models that make images of one shape. Received: {shapes}.")
    alphabets = {name: getattr(field, "alphabet", None) for name, field in outputs.items()}
    if len(set(alphabets.values())) > 1:
        raise ConfigurationError(
            f"Expected models of text of one alphabet. Received: {alphabets}. Train both on lines of one alphabet."
        )
    if not 2 <= seeds <= len(STUDENT) + 1:
        raise ConfigurationError(f"Expected 2 to {len(STUDENT) + 1} seeds. Received: {seeds}.")
    measure = evaluator(settings, next(iter(models.values())), cache)  # which looks only at images, not at labels
    labels = {name: settings.labels for name in models} | (labels or {})
    known = {name: known_labels(replace(settings, labels=labels[name]), model) for name, model in models.items()}
    table = {}
    for name, model in models.items():
        runs = [measure(generated(settings, model, settings.seed + i, known[name]).first) for i in range(seeds)]
        for metric in measure.names:
            table.setdefault(metric, Row(metric, runs[0][metric].protocol))
            values = [run[metric].value for run in runs]
            half = STUDENT[seeds - 2] * statistics.stdev(values) / math.sqrt(seeds)
            table[metric][name] = statistics.mean(values), half
    return table
