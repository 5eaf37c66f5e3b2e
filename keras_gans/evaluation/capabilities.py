"""Measurements of what only some models can do: show labels, make pairs, translate, encode, edit, learn categories.

Each function in `CAPABILITIES` takes `Settings`, a model and the `Samples` that it made, and returns
{name: `Measurement`}. It checks what the model has: methods, fields and networks. The dictionary is empty for a model
that cannot be measured this way.
"""

from dataclasses import dataclass, replace

import keras
import numpy as np
from keras import ops

from keras_gans import data, zoo
from keras_gans.data import UnpairedBatches
from keras_gans.errors import ConfigurationError
from keras_gans.evaluation.enlargements import enlargements
from keras_gans.evaluation.predictions import predictions
from keras_gans.evaluation.settings import (
    CHANGES,
    MADE,
    classifiers_of,
    drawn_from,
    first_output,
    measured_outputs,
    names_of,
    real_values,
    reference,
)
from keras_gans.fields import Images, LabelMaps, Prompts
from keras_gans.images import to_float, to_uint8
from keras_gans.metrics import (
    MapEvaluator,
    Measurement,
    Protocol,
    pixel_agreement,
    predict_attributes,
    predict_classes,
    psnr,
    ssim,
)
from keras_gans.metrics.features import resized
from keras_gans_core import cards

SMALLEST_SSIM = 11  # pixels per side: its window
EQUAL_PSNR = 100.0  # dB, instead of infinity for two equal images


@dataclass(frozen=True)
class Judge:
    """A classifier of the zoo, for images of any size."""

    name: str
    network: keras.Model
    card: dict

    def __call__(self, images):
        """Classes (N,), or whether each attribute is seen, (N, attributes)."""
        predict = predict_classes if "num_classes" in self.card else predict_attributes
        return predict(self.network, resized(images, self.network.input_shape[1:3]))

    def labels(self, images, space):
        """The same in the numbers of a label space: by the classes' names, if both have names."""
        answers, names = self(images), self.card["dataset"].get("classes")
        return answers if not (names and space.names) else space.renumbered(answers, names)

    def measured(self, name, metric, right, real, image_shape, count=None):
        """{name: the share of the answers `right` that are True, under its protocol}, for `count` images, by default
        one per answer."""
        height, width = self.network.input_shape[1:3]
        protocol = Protocol(
            metric=metric,
            features=f"{self.name}, sha256 {self.card['sha256'][:12]}",
            resize="none" if image_shape[:2] == (height, width) else f"bicubic to {height}x{width}",
            real=real,
            fake_count=len(right) if count is None else count,
        )
        return {name: Measurement(name, float(right.mean()), None, protocol)}


def judge_of(settings, space=None):
    """The classifier in the settings' features; without features, the data set's first, or the first that knows the
    labels of a space. None for other features, or for data that are made here: stacked digits have a thousand classes,
    which no classifier distinguishes."""
    if settings.source in MADE:
        return None
    for name in [settings.features] if settings.features else classifiers_of(settings.source):
        if name in zoo.classifiers():
            card = cards.read_card(cards.find(name))
            if space is None or _knows(card, space, settings.labels):
                return Judge(name, zoo.load_classifier(name), card)
    return None


def _knows(card, space, labels):
    """Whether a classifier's answers are labels of a label space, those that `labels` selects: by their names, if both
    have names, else by their number."""
    if isinstance(space, data.Attributes):
        outputs = card.get("num_attributes")
    else:
        outputs = isinstance(space, data.Classes) and card.get("num_classes")
    if not outputs or card["dataset"].get("labels", labels) != labels:
        return False
    names = card["dataset"].get("classes")
    return set(space.names) <= set(names) if space.names and names else outputs == space.size


def label_accuracy(settings, model, samples):
    """{"labels": the share of labels that a classifier of the data set sees in the images}, if one knows them."""
    labels = samples.inputs.get("labels") if model.label_space is not None else None
    judge = None if labels is None else judge_of(settings, model.label_space)
    if judge is None:
        return {}
    images = samples.first
    right = judge.labels(images, model.label_space) == labels[: len(images)]
    metric, real = (
        "share of the labels that the classifier finds again",
        f"labels of {settings.source} {settings.split}",
    )
    return judge.measured("labels", metric, right, real, images.shape[1:])


def prompts_shown(settings, model, samples):
    """For a model of sentences: how often each classifier of the TFDS data set sees in an image what the labels of the
    sentence's own example say.

    {"shows_hair_color": ...} for classes; for attributes one number each, such as {"shows_hat": ...}. Each has a second
    number beside it, "shows_hat_by_chance", with the labels of another example.
    """
    if not _takes_sentences(model) or samples.examples is None or samples.examples.about.get("source") != "TFDS":
        return {}
    try:
        classifiers = classifiers_of(settings.source)
    except ConfigurationError:  # the data set has none: other features measure the images
        return {}
    found, images = {}, samples.first
    for name in classifiers:
        judge = judge_of(replace(settings, features=name))
        feature = judge.card["dataset"].get("labels", True)
        real = data.load(settings.source, split=settings.split, labels=feature, batch_size=1)
        if real.labels is None:  # an older card does not say which labels the classifier knows
            continue
        labels = drawn_from(real, settings.samples).labels[: len(images)]
        answers, names = judge(images), real.about.get("classes")
        if labels.ndim == 1:
            labels, answers, names = labels[:, None], answers[:, None], [feature if feature is not True else "label"]
        for column, what in enumerate(names):
            for ending, others, metric in (
                ("", labels, f"share of images in which the classifier sees the {what} of the sentence's example"),
                ("_by_chance", np.roll(labels, 1, axis=0), f"the same with the {what} of another example"),
            ):
                about = f"labels of {settings.source} {settings.split}", images.shape[1:]
                right = answers[:, column] == others[:, column]
                found |= judge.measured(f"shows_{what}{ending}", metric, right, *about)
    return found


def _takes_sentences(model):
    return any(isinstance(field, Prompts) for field in model.input_fields.values())


def agreement(settings, model, samples):
    """For a model that makes two images per example, if the settings say how the second should follow from the first.

    {"agreement": CoGAN's pixel agreement ratio, "by_chance": the same with the second images of other examples}.

    Raises:
        ConfigurationError: an unknown change, or a model with other outputs.
    """
    if settings.change is None:
        return {}
    shapes = [field.shape for field in model.output_fields.values() if isinstance(field, Images)]
    if settings.change not in CHANGES or len(shapes) != 2 or shapes[0] != shapes[1]:
        made = ", ".join(model.output_fields)
        raise ConfigurationError(
            f"Expected change for a model of two images per example, one of {', '.join(CHANGES)}. Received: "
            f"change={settings.change!r} and {type(model).__name__}, which makes {made}. Leave change out."
        )
    first, second = samples.outputs.values()
    found = {}
    for key, other in (("agreement", second), ("by_chance", np.roll(second, 1, axis=0))):
        ratio = pixel_agreement(fake=np.stack([first, other], axis=1), change=CHANGES[settings.change])
        protocol = Protocol(
            metric=f"share of black and white pixels that are those of the {settings.change} of the first image",
            features="pixels" if key == "agreement" else "pixels, of images of two pairs",
            resize="none",
            real="none",
            fake_count=len(first),
        )
        found[key] = Measurement(key, ratio, None, protocol)
    return found


def partners(settings, model, samples):
    """How far images made from given inputs are from the true ones, if the data contain these.

    {"l1": mean absolute difference, "psnr": ..., "ssim": ...}, and "l1_of_source": the difference between the unchanged
    source and the true image, if the source is an image of the same shape. For a model with two directions, the names
    end with the output: "l1_b".
    """
    examples, found = samples.examples, {}
    if examples is None or not _are_pairs(examples) or _takes_sentences(model):  # a sentence has many true images
        return {}
    for name, ending in measured_outputs(model).items():
        if not isinstance(model.output_fields[name], Images):
            continue
        made = samples.outputs[name]
        real = _as_uint8(real_values(examples, model, name)[: len(made)])
        numbers = {
            "l1": (_l1(real, made), "mean absolute difference, pixels in [0, 1]"),
            "psnr": (
                np.minimum(psnr(real=real, fake=made), EQUAL_PSNR).mean(),
                f"peak signal-to-noise ratio in dB, mean over images, of equal ones {EQUAL_PSNR:g}",
            ),
        }
        if min(real.shape[1:3]) >= SMALLEST_SSIM:
            numbers["ssim"] = ssim(real=real, fake=made).mean(), "SSIM, window of 11 pixels, mean over images"
        for given, values in samples.inputs.items():
            if given != name and isinstance(model.input_fields[given], Images) and values.shape == made.shape:
                numbers["l1_of_source"] = (
                    _l1(real, _as_uint8(values)),
                    "mean absolute difference of the unchanged source, pixels in [0, 1]",
                )
                break
        about = f"{settings.source} {settings.split}, true {name} of the same examples"
        for key, (value, metric) in numbers.items():
            protocol = Protocol(metric, "pixels", "none", about, len(made))
            found[f"{key}{ending}"] = Measurement(f"{key}{ending}", float(value), None, protocol)
    return found


def _are_pairs(examples):
    """Whether the rows of the arrays belong together."""
    return not isinstance(examples, UnpairedBatches) or examples.about.get("pairs", False)


def cycles(settings, model, samples):
    """{"cycle_a": how far images of A are from their translations to B and back, "cycle_b": the same for B}, for a
    model with two directions, whose outputs are also its inputs."""
    names = list(model.output_fields)
    if len(names) < 2 or names != list(model.input_fields) or not all(name in samples.inputs for name in names):
        return {}
    back, found = model.sample(**samples.outputs), {}
    for name in names:
        error = _l1(_as_uint8(samples.inputs[name]), back[name])
        about, count = f"{settings.source} {settings.split}", len(back[name])
        protocol = Protocol("mean absolute difference there and back, pixels in [0, 1]", "pixels", "none", about, count)
        found[f"cycle_{name}"] = Measurement(f"cycle_{name}", float(error), None, protocol)
    return found


def maps_read_back(settings, model, samples):
    """{"pixel_accuracy": ..., "class_accuracy": ..., "mean_iou": ...}: how well a segmentation network of the data set
    finds the given label maps in the images that were made from them; see `kg.metrics.segmentation_scores`."""
    field = first_output(model)
    given = [name for name in samples.inputs if isinstance(model.input_fields[name], LabelMaps)]
    if not given or not isinstance(field, Images):
        return {}
    classes, images = model.input_fields[given[0]].classes, samples.first
    for name in zoo.classifiers():
        card = cards.read_card(cards.find(name))
        known = card.get("dataset", {}).get("name") in names_of(settings.source)
        if known and card.get("num_pixel_classes") == classes:
            break
    else:
        return {}
    network = zoo.load_classifier(name)
    if tuple(network.input_shape[1:]) != tuple(images.shape[1:]):
        return {}
    maps = data.Batches(samples.inputs[given[0]], batch_size=1, about=samples.examples.about)
    measured = MapEvaluator(maps, classes)(predict_classes(network, images).astype("uint8"))
    features = f"{name}, sha256 {card['sha256'][:12]}"
    return {key: replace(one, protocol=replace(one.protocol, features=features)) for key, one in measured.items()}


def _as_uint8(images):
    return ops.convert_to_numpy(to_uint8(to_float(images)))


def _l1(real, fake):
    return np.mean(np.abs(real / 255.0 - fake / 255.0))


def _has(model, *methods):
    """Whether a model has all `methods`, and the networks that a preset keeps for them."""
    return all(hasattr(model, name) for name in methods) and all(
        getattr(model, name) is not None for name in model.kept
    )


def reconstruction(settings, model, samples):
    """{"reconstruction": how far images of the split are from their reconstructions by a model with encoders,
    "of_another": how far from those of other images, "kept": the share for which the classifier of the features gives
    the same answer}."""
    if not _has(model, "encode", "reconstruct"):
        return {}
    images = _as_uint8(reference(settings, settings.split, model).images[: settings.samples])
    again, real = model.reconstruct(images), f"{settings.source} {settings.split}"
    metric, found = "root of the mean squared difference, pixels in [0, 1]", {}
    for name, others, features in (
        ("reconstruction", again, "pixels"),
        ("of_another", np.roll(again, 1, axis=0), "pixels, of another image's reconstruction"),
    ):
        error = np.sqrt(np.mean(np.square(images / 255.0 - others / 255.0)))
        protocol = Protocol(metric=metric, features=features, resize="none", real=real, fake_count=len(images))
        found[name] = Measurement(name, float(error), None, protocol)
    judge = judge_of(settings)
    if judge is None:
        return found
    metric = "share of the classifier's answers that images and their reconstructions have in common"
    return found | judge.measured("kept", metric, judge(images) == judge(again), real, images.shape[1:])


def code_error(settings, model, samples):
    """{"code_error": how far codes of images of the split are from those of the images that the model makes of them, as
    a share of the distance to the codes of other images}, for a model that inverts a layer."""
    if not _has(model, "encode", "reconstruct") or "noise" in model.input_fields:
        return {}
    images = _as_uint8(reference(settings, settings.split, model).images[: settings.samples])
    codes = model.encode(images).reshape(len(images), -1)
    again = model.encode(model.reconstruct(images)).reshape(len(images), -1)
    error, others = (np.linalg.norm(codes - x, axis=1).mean() for x in (again, np.roll(codes, 1, axis=0)))
    metric = "mean distance of codes, as a share of that to another image's"
    about = f"{settings.source} {settings.split}"
    protocol = Protocol(metric, f"layer {model.layer}", "none", about, len(images))
    return {"code_error": Measurement("code_error", float(error / others), None, protocol)}


def latent_error(settings, model, samples):
    """{"latent_error": how far latents are from what the model's encoder finds in the images made from them: 1 if it
    finds only their mean, 0 if it finds them exactly}."""
    if not _has(model, "encode") or "noise" not in model.input_fields:
        return {}
    count, seed = settings.samples, settings.seed
    labels = model.draw("labels", count, seed)
    noise = model.noise(count, seed)
    latents = ops.convert_to_numpy(model.prior(noise))
    found = model.encode(model.generate(noise=noise, labels=labels))
    error = np.mean(np.square(found - latents)) / latents.var()
    metric = "mean squared difference of latents and what the encoder finds in their images, as a share of the variance"
    protocol = Protocol(metric=metric, features="latents", resize="none", real="none", fake_count=count)
    return {"latent_error": Measurement("latent_error", float(error), None, protocol)}


def edits(settings, model, samples):
    """{"edited": how often the classifier of the features sees an attribute that an edit of a real image asked for,
    "stayed": how often it sees no change in attributes that should stay}, over all images and all attributes."""
    if not (_has(model, "edit") and isinstance(model.label_space, data.Attributes)):
        return {}
    judge = judge_of(settings, model.label_space)
    if judge is None:
        return {}
    real = reference(settings, settings.split, model)
    images, labels = real.images[: settings.samples], real.labels[: settings.samples]
    edited, stayed = [], []
    for attribute in range(labels.shape[1]):
        wanted = _nearest_with(labels, attribute, real.labels)
        if wanted is None:
            continue
        right = judge.labels(model.edit(images, labels=wanted), model.label_space) == wanted
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
    """For each row of labels, the row of `known` that has the other value of the attribute and differs least, the most
    frequent if there are several. Asking for sunglasses also asks for glasses if no data have one without the other.
    None if `known` has only one value."""
    rows, counts = np.unique(known, axis=0, return_counts=True)
    if len(np.unique(rows[:, attribute])) < 2:
        return None
    distance = (labels[:, None] != rows).sum(-1) - counts / (1 + counts.sum())
    distance[labels[:, None, attribute] == rows[:, attribute]] = np.inf
    return rows[distance.argmin(axis=1)]


def purity(settings, model, samples):
    """{"purity": the share of images to which the classifier of the features gives the most frequent class of their
    category, for the categories of InfoGAN's first code}."""
    judge = judge_of(settings) if _has(model, "traverse") and getattr(model, "categories", ()) else None
    if judge is None or "num_classes" not in judge.card:
        return {}
    rows = max(1, settings.samples // model.categories[0])
    images = model.traverse(0, rows=rows, seed=settings.seed)[0]
    seen = judge(images.reshape(-1, *model.image_shape)).reshape(rows, -1)  # one column per category
    most = np.array([np.bincount(column).argmax() for column in seen.T])
    metric = "share of a category's images that the classifier takes for the category's most frequent class"
    return judge.measured("purity", metric, (seen == most).ravel(), "none", model.image_shape)


CAPABILITIES = (
    label_accuracy,
    prompts_shown,
    agreement,
    partners,
    cycles,
    maps_read_back,
    reconstruction,
    code_error,
    latent_error,
    edits,
    purity,
    enlargements,
    predictions,
)
