"""Measures presets and runs against data sets, writes the numbers into cards, and checks that a card is still true."""

import json
import math
import re
import statistics
import zipfile
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_gans import data, zoo
from keras_gans.errors import (
    ConfigurationError,
    CorruptPresetError,
    DataError,
    DatasetNotFoundError,
    KerasGansError,
)
from keras_gans.images import replacing, to_float, to_uint8
from keras_gans.metrics import (
    Evaluator,
    FeatureExtractor,
    Measurement,
    Protocol,
    StackedEvaluator,
    TextEvaluator,
    classifier_features,
    inception_v3,
    pixel_agreement,
    pixels,
    predict_attributes,
    predict_classes,
)
from keras_gans.metrics.features import resized
from keras_gans_cli import cards
from keras_gans_cli.errors import shown

# Student's t for 95 % on both sides, of 1 to 9 degrees of freedom.
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
# What a number of a card may change by on another machine, as a share of it: a generated pixel in a thousand is rounded
# to the next grey level there.
DRIFT = 0.01
CHANGES = {None: None, "edges": data.edges, "negatives": data.negatives}  # names of Settings.change
STACKED = "stacked_mnist"  # what `kg.data.stacked_mnist` makes; its classes are counted
LARGEST_GOLDEN = 64 * 2**20  # bytes of the golden samples, unpacked
MOST_SAMPLES = 100_000  # that a card may ask for


@dataclass(frozen=True)
class Settings:
    """What `evaluate` needs to know beside the model; a card keeps it, so that `verify` can do the same again.

    Args:
        source: a data set, as for `kg.data.load`.
        split: of the reference.
        features: a classifier of the zoo, "pixels", "inception_v3" or a .keras file; None for the first classifier
            whose card names the data set.
        metrics: names in `kg.metrics.METRICS`; of a model of text, "js1" to "js4" are all; of stacked digits,
            "classes" and "class_kl".
        samples: how many are generated; of images, as many of the reference at most.
        seed: names them.
        floor: a split whose images are measured in the place of generated ones: what real images reach; None for none.
        labels: of a conditional model which labels of the data set it is asked for, as for `kg.data.load`. As many as
            `samples` are drawn from those of the split, so that they are as frequent as there.
        change: of a model of pairs how the second domain was made of the first: "edges" or "negatives".
    """

    source: str
    split: str = "test"
    features: str | None = None
    metrics: tuple = ("fid", "kid")
    samples: int = 10_000
    seed: int = 0
    floor: str | None = "train"
    labels: str | bool = True
    change: str | None = None


def extractor(name, image_shape):
    """The feature extractor of a name.

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


def evaluator(settings, model, cache=None):
    """The `Evaluator` of settings for a model's samples; the `TextEvaluator`, where they are lines of text; the
    `StackedEvaluator`, where they are stacked digits.

    Raises:
        ConfigurationError: no features for this data set, or unknown ones.
        DatasetNotFoundError: the data set is not there.
    """
    if model.samples_name == "tokens":
        return TextEvaluator(_lines(settings, settings.split, model))
    if (settings.change is not None) != (model.example_shape != model.image_shape) or settings.change not in CHANGES:
        raise ConfigurationError(
            f"Expected change for a model of pairs alone, one of {', '.join(filter(None, CHANGES))}. Received: "
            f"change={settings.change!r} and {type(model).__name__}, of examples {model.example_shape}."
        )
    if settings.source == STACKED:
        return StackedEvaluator(zoo.load_classifier("classifier_mnist"), "classifier_mnist")
    reference = _images(settings, settings.split, model)
    name = settings.features or _classifiers_of(reference.about["name"])[0]
    return Evaluator(reference, extractor(name, model.image_shape), settings.metrics, cache=cache)


def evaluate(model, settings, cache=None):
    """Measures a model.

    Args:
        model: an `AdversarialModel`.
        settings: `Settings`.
        cache: see `Evaluator`.

    Returns:
        {name: `Measurement`} of the model, and the same of real examples, or None without a floor.

    Raises:
        ConfigurationError: features or metrics that are not there, or no labels to ask a conditional model for.
        DatasetNotFoundError: the data set is not there.

    Example:

    >>> settings = Settings("drawn:digits", "train", "classifier_mnist", samples=200, floor=None)
    >>> found, floor = evaluate(kg.load("dcgan_mnist"), settings)
    >>> list(found), floor
    (['fid', 'kid'], None)
    """
    measure = evaluator(settings, model, cache)
    if settings.change is not None:
        pairs = model.generate(settings.samples, seed=settings.seed)
        found = {**measure(pairs[:, 0]), **_agreement(settings, pairs)}
        return found, settings.floor and measure(_images(settings, settings.floor, model).images[: settings.samples])
    known = _known_labels(settings, model)
    images, asked = _generated(settings, model, settings.seed, known)
    found = {**measure(images), **_label_accuracy(settings, model, images, asked)}
    for more in (_reconstruction, _latent_error, _edits, _purity):
        found.update(more(settings, model))
    if settings.floor is None:
        return found, None
    if model.samples_name == "tokens":
        return found, measure(_lines(settings, settings.floor, model).images[: settings.samples])
    floor = measure(_images(settings, settings.floor, model).images[: settings.samples])
    if asked is None:
        return found, floor
    real = _images(settings, settings.split, model)  # labels: of the split that the classifier was not trained on
    return found, floor | _label_accuracy(settings, model, real.images[: settings.samples], known)


def _known_labels(settings, model):
    """The labels of the split, to ask a conditional model for; None for a model that takes none."""
    if model.label_space is None:
        return None
    real = _images(settings, settings.split, model)
    if real.about.get("source") == "TFDS":
        place = f"{settings.source}, feature {settings.labels if isinstance(settings.labels, str) else 'label'!r}"
        remedy = "Name the feature that holds them: --label-feature, or labels= of Settings."
    else:
        place, remedy = settings.source, "Give an .npz of images and labels, or a folder with one for each class."
    if real.labels is None:
        raise ConfigurationError(
            f"Expected a data set with labels, to ask {type(model).__name__} for. Received: {place}: there are none. "
            f"{remedy}"
        )
    try:
        return model.label_space.checked(real.labels)
    except DataError as error:
        raise ConfigurationError(f"{error} The labels are those of {place}. {remedy}") from error


def _generated(settings, model, seed, known):
    """Samples to measure, and the labels that they were asked to show, as frequent as the known ones; None without."""
    asked = known
    if known is not None:
        asked = known[np.random.Generator(np.random.PCG64(seed)).integers(len(known), size=settings.samples)]
    return model.generate(settings.samples, seed=seed, labels=asked), asked


@dataclass(frozen=True)
class _Judge:
    """A classifier of the zoo, which says what images of any size show."""

    name: str
    network: keras.Model
    card: dict

    def __call__(self, images):
        """Classes (N,), or whether each attribute is seen, (N, attributes)."""
        predict = predict_classes if "num_classes" in self.card else predict_attributes
        return predict(self.network, resized(images, self.network.input_shape[1:3]))

    def measured(self, name, metric, right, real, image_shape, count=None):
        """{name: the share of the answers `right`, of `count` images or an image each, that are True, under its
        protocol}."""
        height, width = self.network.input_shape[1:3]
        protocol = Protocol(
            metric=metric,
            features=f"{self.name}, sha256 {self.card['sha256'][:12]}",
            resize="none" if image_shape[:2] == (height, width) else f"bicubic to {height}x{width}",
            real=real,
            fake_count=len(right) if count is None else count,
        )
        return {name: Measurement(name, float(right.mean()), None, protocol)}


def _judge(settings, space=None):
    """The classifier among the features of settings; where they name none, the data set's first, or first that knows
    the labels of a space. None where the features are others, or where no one class is seen."""
    if settings.source == STACKED:  # its classes are three digits', which no classifier names at once
        return None
    for name in [settings.features] if settings.features else _classifiers_of(settings.source):
        if name in zoo.classifiers():
            card = cards.read_card(cards.find(name))
            if space is None or _knows(card, space, settings.labels):
                return _Judge(name, zoo.load_classifier(name), card)
    return None


def _knows(card, space, labels):
    """Whether a classifier's answers are labels of a label space, of those that `labels` names."""
    if isinstance(space, data.Attributes):
        outputs = card.get("num_attributes")
    else:
        outputs = isinstance(space, data.Classes) and card.get("num_classes")
    return outputs == space.size and card["dataset"].get("labels", labels) == labels


def _label_accuracy(settings, model, images, labels):
    """{"labels": how many of the labels a classifier of the data set finds again in the images}, if one knows them."""
    judge = None if labels is None else _judge(settings, model.label_space)
    if judge is None:
        return {}
    right = judge(images) == labels[: len(images)]
    metric, real = (
        "share of the labels that the classifier finds again",
        f"labels of {settings.source} {settings.split}",
    )
    return judge.measured("labels", metric, right, real, images.shape[1:])


def _agreement(settings, pairs):
    """{"agreement": CoGAN's pixel agreement ratio of pairs, "by_chance": that of their images paired with others}."""
    found = {}
    for key, second in (("agreement", pairs[:, 1]), ("by_chance", np.roll(pairs[:, 1], 1, axis=0))):
        ratio = pixel_agreement(fake=np.stack([pairs[:, 0], second], axis=1), change=CHANGES[settings.change])
        protocol = Protocol(
            metric=f"share of black and white pixels that are those of the {settings.change} of the first image",
            features="pixels" if key == "agreement" else "pixels, of images of two pairs",
            resize="none",
            real="none",
            fake_count=len(pairs),
        )
        found[key] = Measurement(key, ratio, None, protocol)
    return found


def _has_encoders(model):
    return all(getattr(model, name) is not None for name in model.encoders)


def _reconstruction(settings, model):
    """{"reconstruction": how far images of the split are from what a model with encoders makes of them,
    "of_another": how far from what it makes of other images, "kept": for how many the classifier of the features has
    the same answer}."""
    if not (hasattr(model, "encode") and hasattr(model, "reconstruct") and _has_encoders(model)):
        return {}
    images = _images(settings, settings.split, model).images[: settings.samples]
    images = ops.convert_to_numpy(to_uint8(to_float(images)))
    again, real = model.reconstruct(images), f"{settings.source} {settings.split}"
    metric, found = "root of the mean squared difference, pixels in [0, 1]", {}
    for name, others, features in (
        ("reconstruction", again, "pixels"),
        ("of_another", np.roll(again, 1, axis=0), "pixels, of another image's reconstruction"),
    ):
        error = np.sqrt(np.mean(np.square(images / 255.0 - others / 255.0)))
        protocol = Protocol(metric=metric, features=features, resize="none", real=real, fake_count=len(images))
        found[name] = Measurement(name, float(error), None, protocol)
    judge = _judge(settings)
    if judge is None:
        return found
    metric = "share of the classifier's answers that images and their reconstructions have in common"
    return found | judge.measured("kept", metric, judge(images) == judge(again), real, images.shape[1:])


def _latent_error(settings, model):
    """{"latent_error": how far latents are from what a model with encoders finds in the images that it makes of them:
    1 where it finds their mean, 0 where it finds them}."""
    if not (hasattr(model, "encode") and _has_encoders(model)):
        return {}
    count, seed = settings.samples, settings.seed
    labels = None if model.label_space is None else model.labels(count, seed)
    noise = model.noise(count, seed)
    latents = ops.convert_to_numpy(model.prior(noise))
    found = model.encode(model.generate(noise=noise, labels=labels))
    error = np.mean(np.square(found - latents)) / latents.var()
    metric = "mean squared difference of latents and what the encoder finds in their images, as a share of the variance"
    protocol = Protocol(metric=metric, features="latents", resize="none", real="none", fake_count=count)
    return {"latent_error": Measurement("latent_error", float(error), None, protocol)}


def _edits(settings, model):
    """{"edited": how often the classifier of the features sees an attribute that an edit of a real image asked for,
    "stayed": how often it sees the attributes as they were that were to stay}, over all images and all attributes."""
    if not (hasattr(model, "edit") and isinstance(model.label_space, data.Attributes) and _has_encoders(model)):
        return {}
    judge = _judge(settings, model.label_space)
    if judge is None:
        return {}
    real = _images(settings, settings.split, model)
    images, labels = real.images[: settings.samples], real.labels[: settings.samples]
    edited, stayed = [], []
    for attribute in range(labels.shape[1]):
        wanted = _nearest_with(labels, attribute, real.labels)
        if wanted is None:
            continue
        right = judge(model.edit(images, labels=wanted)) == wanted
        edited.append(right[:, attribute])
        stayed.append(right[wanted == labels])
    if not edited:
        return {}
    about = f"{settings.source} {settings.split}", images.shape[1:], len(edited) * len(images)
    metric = "share of edits to the nearest labels of the data after which the classifier sees the attribute asked for"
    found = judge.measured("edited", metric, np.concatenate(edited), *about)
    if labels.shape[1] > 1:
        metric = "share of the attributes asked to stay that it sees as they were"
        found |= judge.measured("stayed", metric, np.concatenate(stayed), *about)
    return found


def _nearest_with(labels, attribute, known):
    """For each row of labels the row of `known` that has the other value of the attribute and differs least, of several
    the most frequent: sunglasses bring glasses along where no data have one without the other. None where `known` has
    one value alone."""
    rows, counts = np.unique(known, axis=0, return_counts=True)
    if len(np.unique(rows[:, attribute])) < 2:
        return None
    distance = (labels[:, None] != rows).sum(-1) - counts / (1 + counts.sum())
    distance[labels[:, None, attribute] == rows[:, attribute]] = np.inf
    return rows[distance.argmin(axis=1)]


def _purity(settings, model):
    """{"purity": how many images of a category of InfoGAN's first code the classifier of the features takes for what it
    takes most images of that category for}."""
    judge = _judge(settings) if getattr(model, "categories", ()) else None
    if judge is None or "num_classes" not in judge.card:
        return {}
    rows = max(1, settings.samples // model.categories[0])
    images = model.traverse(0, rows=rows, seed=settings.seed)[0]
    seen = judge(images.reshape(-1, *model.image_shape)).reshape(rows, -1)  # a column a category
    most = np.array([np.bincount(column).argmax() for column in seen.T])
    metric = "share of a category's images that the classifier takes for the category's most frequent class"
    return judge.measured("purity", metric, (seen == most).ravel(), "none", model.image_shape)


def write_metrics(folder, settings, found, floor):
    """Writes measurements into the card in `folder`, in the place of those that were there.

    Args:
        folder: of a preset.
        settings, found, floor: what `evaluate` was given and returned.

    Raises:
        OutputError: a card that cannot be written.
    """
    card = cards.read_card(folder)
    card["evaluation"] = asdict(settings)
    card["metrics"] = {
        name: {
            "value": number.value,
            "error": number.error,
            "floor": floor[name].value if floor and name in floor else None,
            "protocol": asdict(number.protocol),
        }
        for name, number in found.items()
    }
    with replacing(Path(folder) / "card.json") as path:
        path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def verify(name, cache=None):
    """Whether a preset is what its card says: the file's digest, the golden images, and the metrics.

    Args:
        name: see `kg.load`.
        cache: see `Evaluator`.

    Yields:
        (what was checked, None where it holds, else what was found instead). A data set that is not there is said as
        such, and is no failure: ("fid", "not checked: ...").

    Raises:
        UnknownPresetError: no such preset.
    """
    folder = cards.find(name)
    card = cards.read_card(folder)
    classifier = card["variant"] == cards.CLASSIFIER
    try:
        cards.verified_model(folder, classifier)
    except CorruptPresetError as error:
        yield "sha256", str(error)
        return
    yield "sha256", None
    try:
        golden = _golden(folder / "golden.npz")
        yield from _verify_classifier(name, card, golden) if classifier else _verify_model(name, card, golden, cache)
    except DatasetNotFoundError as error:
        yield "metrics", f"not checked: {error}"
    except ConfigurationError as error:  # such as golden samples that are not the model's
        yield "card", f"cannot be compared with its files: {shown(error)}"
    except KerasGansError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        yield "card", f"cannot be compared with its files: {shown(error)}"


def _golden(path):
    try:
        with zipfile.ZipFile(path) as file:
            size = sum(member.file_size for member in file.infolist())
        if size > LARGEST_GOLDEN:
            raise ValueError(f"{size} bytes, more than {LARGEST_GOLDEN}")
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise CorruptPresetError(
            f"Expected golden samples in {path}. Received: {shown(error)}. Fetch the preset again."
        ) from error


def _verify_classifier(name, card, golden):
    network, attributes = zoo.load_classifier(name), "num_attributes" in card
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
        yield "accuracy", "not checked: the data are another version's"
        return
    right = (predict_attributes if attributes else predict_classes)(network, test.images) == test.labels
    # Of ten thousand answers two may be on the border.
    good = abs(right.mean() - claimed["value"]) <= 2e-4
    yield "accuracy", None if good else f"{right.mean():.5g} and not {claimed['value']:.5g}"


def _verify_model(name, card, golden, cache):
    model = zoo.load(name)
    again = model.generate(noise=golden["noise"], labels=golden["labels"] if "labels" in golden else None)
    different = np.abs(again.astype(int) - golden["images"])
    allowed = zoo.LARGEST_CHANGE[model.samples_name]
    # Another processor may round a float the other way: a grey level, rarely; or another character of a text.
    good = (different > 0).mean() < 0.01 and (different.max() <= allowed or model.samples_name == "tokens")
    yield "golden samples", None if good else f"{(different > 0).sum()} numbers of {different.size} differ"
    if "evaluation" not in card:
        return
    found, _ = evaluate(model, _settings(card["evaluation"]), cache)
    for metric in sorted(card["metrics"].keys() ^ found.keys()):
        yield metric, "in the card alone" if metric in card["metrics"] else "not in the card: evaluate it with --write"
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
    numbers = settings.samples, settings.seed
    if not all(isinstance(text, str) for text in texts) or not all(type(number) is int for number in numbers):
        raise TypeError(f"settings of other types: {stated!r}")
    if not 2 <= settings.samples <= MOST_SAMPLES:
        raise ValueError(f"{settings.samples} samples to measure, and not 2 to {MOST_SAMPLES}")
    return settings


def compare(models, settings, seeds, cache=None, *, labels=None):
    """Measures models with the same noise against the same reference, several times.

    Args:
        models: {name: `AdversarialModel`}, of images of one shape, or of text of one alphabet.
        settings: `Settings`; its seed is the first.
        seeds: how many, 2 to 10.
        labels: {name: the `labels` of its settings} of models that show other labels of the reference's images than
            `settings` says.

    Returns:
        {metric: {name: (mean, half of the 95 % confidence interval of the mean over the seeds)}}.

    Raises:
        ConfigurationError: models of different shapes or alphabets, seeds out of range, or no labels to ask a
            conditional model for.
    """
    shapes = {name: model.example_shape for name, model in models.items()}
    if len(set(shapes.values())) > 1:
        raise ConfigurationError(f"Expected models of images of one shape. Received: {shapes}.")
    alphabets = {name: getattr(model, "alphabet", None) for name, model in models.items()}
    if len(set(alphabets.values())) > 1:
        raise ConfigurationError(
            f"Expected models of text of one alphabet. Received: {alphabets}. Train both on lines of one alphabet."
        )
    if not 2 <= seeds <= len(STUDENT) + 1:
        raise ConfigurationError(f"Expected 2 to {len(STUDENT) + 1} seeds. Received: {seeds}.")
    measure = evaluator(settings, next(iter(models.values())), cache)  # which looks at images alone, at no labels
    labels = {name: settings.labels for name in models} | (labels or {})
    known = {name: _known_labels(replace(settings, labels=labels[name]), model) for name, model in models.items()}
    table = {metric: {} for metric in measure.names}
    for name, model in models.items():
        samples = (_generated(settings, model, settings.seed + i, known[name])[0] for i in range(seeds))
        runs = [measure(made if settings.change is None else made[:, 0]) for made in samples]
        for metric in measure.names:
            values = [run[metric].value for run in runs]
            half = STUDENT[seeds - 2] * statistics.stdev(values) / math.sqrt(seeds)
            table[metric][name] = statistics.mean(values), half
    return table


def _images(settings, split, model):
    if settings.source == STACKED:
        return data.stacked_mnist(count=settings.samples, seed=1, batch_size=1)
    height, width, channels = model.image_shape
    labels = settings.labels if model.label_space is not None else False
    options = {"image_size": (height, width), "channels": channels, "labels": labels, "take": settings.samples}
    return data.load(settings.source, split=split, batch_size=1, **options)


def _lines(settings, split, model):
    """All lines of a split; characters that the model does not know are its padding."""
    options = {"length": model.example_shape[0], "alphabet": model.alphabet, "unknown": model.alphabet[0]}
    return data.load_text(settings.source, split=split, batch_size=1, **options)


def _classifiers_of(source):
    """The zoo's classifiers of a data set, one or more."""
    plain = re.split("[/:]", source)[0]  # as cards name it, without TFDS's /config and :version
    names = [
        name for name in zoo.classifiers() if cards.read_card(cards.find(name))["dataset"]["name"] in (source, plain)
    ]
    if names:
        return names
    raise ConfigurationError(
        f"Expected features for {source}, for which the zoo has no classifier. Choose with --features: "
        f"{', '.join(zoo.classifiers())}, pixels, inception_v3 (downloads 92 MB once) or a .keras file."
    )
