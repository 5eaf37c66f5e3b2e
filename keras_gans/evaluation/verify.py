"""Checks that a preset is what its card says."""

import math
from dataclasses import asdict

import numpy as np
from keras import ops

from keras_gans import data, sampling, zoo
from keras_gans.data.arrays import read_npz
from keras_gans.errors import ConfigurationError, CorruptPresetError, DatasetNotFoundError, KerasGansError
from keras_gans.evaluation.measure import evaluate
from keras_gans.evaluation.settings import Settings
from keras_gans.images import to_float
from keras_gans.metrics import INCEPTION_NAMES, right_answers
from keras_gans_core import cards, handles
from keras_gans_core.errors import format_error

# How much a number of a card may change on another machine, as a share of it: there, one generated pixel in a thousand
# is rounded to the next grey level.
DRIFT = 0.01
# What share of the golden numbers may change there: the processor may round a float the other way, which gives the next
# grey level, or another character or class.
MOST_CHANGED = 0.01
LARGEST_GOLDEN = 64 * 2**20  # bytes of the golden samples, unpacked
MOST_SAMPLES = 100_000  # samples that a card may ask for


def verify(name, cache=None):
    """Whether a preset is what its card says: the file's digest, the golden images, and the metrics.

    Args:
        name: see `kg.load`.
        cache: see `Evaluator`.

    Yields:
        (what was checked, None if it holds, otherwise what was found instead). A missing data set is reported and is
        not a failure: ("metrics", "not checked: ...").

    Raises:
        UnknownPresetError: no such preset.
    """
    folder, name = handles.find_preset(name)
    card = cards.read_card(folder)
    classifier = card["variant"] == cards.CLASSIFIER
    try:
        cards.verified_model(folder, classifier, name)
    except CorruptPresetError as error:
        yield "sha256", str(error)
        return
    yield "sha256", None
    try:
        card, golden, model = cards.unreplaced(folder, lambda: _read(folder, name, classifier))
        if classifier:
            yield from _verify_classifier(model, card, golden)
        else:
            yield from _verify_model(name, model, card, golden, cache)
    except DatasetNotFoundError as error:
        yield "metrics", f"not checked: {error}"
    except ConfigurationError as error:  # such as golden samples that do not fit the model
        yield "card", f"cannot be compared with its files: {format_error(error)}"
    except KerasGansError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        yield "card", f"cannot be compared with its files: {format_error(error)}"


def _read(folder, name, classifier):
    golden = _golden(cards.path_of(folder, "golden.npz"))
    return cards.read_card(folder), golden, zoo.load_classifier(name) if classifier else zoo.load(name)


def _golden(path):
    try:
        return read_npz(path, most=LARGEST_GOLDEN)
    except (OSError, ValueError, MemoryError) as error:
        raise CorruptPresetError(
            f"Expected golden samples in {path}. Received: {format_error(error)}. Fetch the preset again."
        ) from error


def _verify_classifier(network, card, golden):
    attributes = "num_attributes" in card
    logits = ops.convert_to_numpy(network.predict_on_batch(ops.convert_to_numpy(to_float(golden["images"]))))
    # Rounding adds up over four layers with sums of up to 576 terms: 1e-7 sqrt(576) of each layer's magnitude.
    close = np.allclose(logits, golden["logits"], rtol=1e-4, atol=1e-4)
    yield "golden logits", None if close else f"other ones, by up to {np.abs(logits - golden['logits']).max():.3g}"
    claimed = card["metrics"]["accuracy"]
    test = data.load(
        card["dataset"]["name"],
        split=claimed["split"],
        image_size=card["image_shape"][:2],
        labels=card["dataset"].get("labels", "attributes" if attributes else True),
        batch_size=1,
    )
    if test.fingerprint() != claimed["fingerprint"]:
        yield "accuracy", "not checked: the data are of another version"
        return
    right = right_answers(network, test.images, test.labels)
    # Two of ten thousand answers may be borderline.
    good = abs(right.mean() - claimed["value"]) <= 2e-4
    yield "accuracy", None if good else f"{right.mean():.5g} and not {claimed['value']:.5g}"


def _verify_model(name, model, card, golden, cache):
    inputs, outputs = zoo.golden_parts(golden)
    made = model.sample(**sampling.complete_inputs(model, inputs=inputs))
    for output, different in zoo.differences(made, outputs).items():
        tolerance = model.output_fields[output].tolerance
        good = (different > 0).mean() < MOST_CHANGED and (different.max() <= tolerance or tolerance == 0)
        what = "golden samples" if len(outputs) == 1 else f"golden {output}"
        yield what, None if good else f"{(different > 0).sum()} numbers of {different.size} differ"
    if "evaluation" not in card:
        return
    settings = _settings(card["evaluation"])
    write, by = ("", "") if handles.is_remote(name) else (" --write", " with --write")  # a hub's card stays as it is
    renamed = [name for name in INCEPTION_NAMES if {name, f"{name}_a", f"{name}_b"} & card["metrics"].keys()]
    if renamed and settings.features != "inception_v3":
        metrics = ",".join(INCEPTION_NAMES.get(metric, metric) for metric in settings.metrics)
        problem = (
            f"the card calls numbers {', '.join(renamed)} that are not of Inception's features, as older versions did"
        )
        yield (
            "metrics",
            f"not checked: {problem}. Measure again: keras-gans evaluate {name} --metrics {metrics}{write}",
        )
        return
    found, _ = evaluate(model, settings, cache)
    for metric in sorted(card["metrics"].keys() ^ found.keys()):
        yield metric, "only in the card" if metric in card["metrics"] else f"not in the card: evaluate it{by}"
    for metric, number in found.items():
        claimed = card["metrics"].get(metric)
        if claimed is None:
            continue
        if asdict(number.protocol) != claimed["protocol"]:
            yield metric, f"another protocol: {number.protocol}"
        elif not math.isclose(number.value, claimed["value"], rel_tol=DRIFT, abs_tol=1e-3):
            yield metric, f"{number.value:.5g} and not {claimed['value']:.5g}"
        else:
            yield metric, None


def _settings(stated):
    """The settings that a card states, as `verify` measures by them."""
    settings = Settings(**{**stated, "metrics": tuple(stated["metrics"]), "floor": None})
    texts = [settings.source, settings.split, *settings.metrics, settings.features or "", settings.change or ""]
    texts += settings.sides or ()
    numbers = settings.samples, settings.seed
    if not all(isinstance(text, str) for text in texts) or not all(type(number) is int for number in numbers):
        raise TypeError(f"settings of other types: {stated!r}")
    if not 2 <= settings.samples <= MOST_SAMPLES:
        raise ValueError(f"{settings.samples} samples to measure, and not 2 to {MOST_SAMPLES}")
    return settings
