"""Measuring a generator: real and generated images, features, and numbers with their protocol."""

import hashlib
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from keras_gans.data.batches import Batches, drawn_rows
from keras_gans.errors import ConfigurationError, DataError, ProtocolError
from keras_gans.fields import check_images, check_range
from keras_gans.images import atomic_write
from keras_gans.metrics.classes import stacked_classes
from keras_gans.metrics.frechet import FeatureStatistics, frechet_distance, frechet_distance_at_infinity
from keras_gans.metrics.inception_score import inception_score
from keras_gans.metrics.kernel import kernel_distance
from keras_gans.metrics.label_maps import segmentation_scores
from keras_gans.metrics.manifold import density_coverage, precision_recall
from keras_gans.metrics.modes import class_coverage
from keras_gans.metrics.similarity import ms_ssim_diversity
from keras_gans.metrics.sliced_wasserstein import sliced_wasserstein_distance
from keras_gans.metrics.text import ngram_divergence


@dataclass(frozen=True)
class Protocol:
    """Everything that two numbers must have in common to be comparable.

    Args:
        metric: its name and settings.
        features: the features used for the comparison, with their digest.
        resize: how images were resized to the features' size.
        real: the reference's data, split, count and digest.
        fake_count: number of generated images.
    """

    metric: str
    features: str
    resize: str
    real: str
    fake_count: int

    def __str__(self):
        return f"{self.metric}; {self.features}; resize {self.resize}; {self.real}; {self.fake_count} generated"


@dataclass(frozen=True)
class Measurement:
    """A number with its protocol; `<` and `>` compare it with others of the same protocol.

    Args:
        name: such as "frechet_distance".
        value: the number.
        error: its standard error, or None if it is not known.
        protocol: a `Protocol`.

    Example:

    >>> first = Measurement("swd", 3.0, None, Protocol("SWD", "pixels", "none", "mnist test", 1000))
    >>> second = Measurement("swd", 2.0, None, Protocol("SWD", "pixels", "none", "mnist test", 5000))
    >>> second < first
    Traceback (most recent call last):
        ...
    keras_gans_core.errors.ProtocolError: Expected numbers of one protocol. Received: ...
    """

    name: str
    value: float
    error: float | None
    protocol: Protocol

    def __lt__(self, other):
        self._check(other)
        return self.value < other.value

    def __gt__(self, other):
        self._check(other)
        return self.value > other.value

    def better(self, other):
        """Whether this number is better than the other.

        Raises:
            ProtocolError: the protocols differ.
        """
        higher = self.name in HIGHER_IS_BETTER or self.name.startswith(tuple(f"{name}_" for name in HIGHER_IS_BETTER))
        return self > other if higher else self < other

    def _check(self, other):
        if self.protocol != other.protocol:
            raise ProtocolError(
                f"Expected numbers of one protocol. Received: {self.protocol} and {other.protocol}. Measure both with "
                "one Evaluator, or with the same options of `keras-gans evaluate`."
            )


class Examples:
    """Images and what the metrics need from them, each computed once.

    Args:
        images: (N, height, width, channels), uint8 or floats in [-1, 1].
        extractor: a `FeatureExtractor`.
    """

    def __init__(self, images, extractor):
        self.images, self.extractor = np.asarray(images), extractor
        check_images(self.images, self.images.shape[1:])

    @cached_property
    def extracted(self):
        return self.extractor.extract(self.images)

    @property
    def features(self):
        return self.extracted[0]

    @property
    def probabilities(self):
        if self.extracted[1] is None:
            raise ConfigurationError(
                f"Expected features of a classifier, for the classifier score. Received: {self.extractor}."
            )
        return self.extracted[1]

    @cached_property
    def statistics(self):
        return FeatureStatistics.of(self.features)


def _frechet_distance(real, fake):
    return {"frechet_distance": (frechet_distance(real=real.statistics, fake=fake.statistics), None)}


def _frechet_distance_infinity(real, fake):
    smallest = max(1 + fake.features.shape[1], len(fake.images) // 10)  # fewer would add another bias
    found = frechet_distance_at_infinity(real=real.statistics, fake=fake.features, smallest=smallest, points=10)
    return {"frechet_distance_infinity": (found, None)}


def _kernel_distance(real, fake):
    size = min(1000, len(real.images), len(fake.images))
    found = kernel_distance(real=real.features, fake=fake.features, subset_size=size)
    every = size == len(real.images) == len(fake.images)  # every subset is the whole set: the spread is 0
    return {"kernel_distance": (found.value, None if every else found.error)}


def _classifier_score(real, fake):
    found = inception_score(probabilities=fake.probabilities)
    return {"classifier_score": (found.mean, found.error)}


def _precision_recall(real, fake):
    found = precision_recall(real=real.features, fake=fake.features)
    return {"precision": (found.precision, None), "recall": (found.recall, None)}


def _density_coverage(real, fake):
    found = density_coverage(real=real.features, fake=fake.features)
    return {"density": (found.density, None), "coverage": (found.coverage, None)}


def _sliced_wasserstein(real, fake):
    count = min(len(real.images), len(fake.images))
    real, fake = (one.images[drawn_rows(len(one.images), count)] for one in (real, fake))
    return {"swd": (sliced_wasserstein_distance(real=real, fake=fake).mean, None)}


def _ms_ssim(real, fake):
    return {"ms_ssim": (ms_ssim_diversity(fake=fake.images), None)}


# What `Evaluator` can measure: functions of two `Examples` that return numbers, each with its error or None.
METRICS = {
    "frechet_distance": _frechet_distance,
    "frechet_distance_infinity": _frechet_distance_infinity,
    "kernel_distance": _kernel_distance,
    "classifier_score": _classifier_score,
    "precision_recall": _precision_recall,
    "density_coverage": _density_coverage,
    "swd": _sliced_wasserstein,
    "ms_ssim": _ms_ssim,
}
# Names that papers define by the features of Inception. With any others, the number is not theirs.
INCEPTION_NAMES = {
    "fid": "frechet_distance",
    "fid_infinity": "frechet_distance_infinity",
    "kid": "kernel_distance",
    "is": "classifier_score",
}
NUMBERS = {"precision_recall": ("precision", "recall"), "density_coverage": ("density", "coverage")}
# The settings of each number, a part of its protocol.
SETTINGS = {
    "frechet_distance": "Frechet distance",
    "frechet_distance_infinity": "Frechet distance at infinity, by 10 sizes from a tenth or the features' number",
    "kernel_distance": "kernel distance, cubic, 100 subsets of 1000 or all",
    "classifier_score": "classifier score, 10 splits",
    "precision": "precision, k = 3",
    "recall": "recall, k = 3",
    "density": "density, k = 5",
    "coverage": "coverage, k = 5",
    "swd": "sliced Wasserstein distance x 1000, mean over levels, as many images of each",
    "ms_ssim": "MS-SSIM of pairs",
}
HIGHER_IS_BETTER = {  # and names that go on with an underscore, such as psnr_b, or shows_hat of a model of sentences
    "agreement",
    "class_accuracy",
    "classes",
    "labels",
    "classifier_score",
    "is",
    "precision",
    "recall",
    "density",
    "coverage",
    "kept",
    "edited",
    "stayed",
    "mean_iou",
    "pixel_accuracy",
    "psnr",
    "sharpness_moving",
    "shows",
    "ssim",
}


class Evaluator:
    """Measures generated images against one reference, always by the same protocol.

    "frechet_distance", "frechet_distance_infinity", "kernel_distance" and "classifier_score" are what "fid",
    "fid_infinity", "kid" and "is" are called with any features. The short names are defined by the features of the
    Inception network, so they are refused with others. A number is comparable only with numbers of the same `Protocol`.

    Args:
        real: the reference: `kg.data.load`'s batches, or images (N, height, width, channels).
        extractor: a `FeatureExtractor`.
        metrics: names in `kg.metrics.METRICS`; with Inception's features also those in `kg.metrics.INCEPTION_NAMES`.
        name: what the protocol calls the reference; by default its data set's name and split.
        cache: folder that keeps the reference's features, by the digest of images and network; None for no cache.

    Raises:
        ConfigurationError: an unknown metric, or "fid", "fid_infinity", "kid" or "is" with features other than
            Inception's.
        DataError: images of a wrong shape or range, or no images.

    Example:

    >>> digits = kg.data.load("drawn:digits", take=400)
    >>> evaluator = kg.metrics.Evaluator(digits, kg.metrics.pixels((28, 28, 1)), metrics=["kernel_distance"])
    >>> found = evaluator(digits.images[:200])
    >>> found["kernel_distance"].protocol.fake_count
    200
    """

    def __init__(self, real, extractor, metrics=("frechet_distance", "kernel_distance"), *, name=None, cache=None):
        metrics = [metrics] if isinstance(metrics, str) else list(metrics)
        known = {**METRICS, **(INCEPTION_NAMES if extractor.inception else {})}
        for metric in metrics:
            if metric in INCEPTION_NAMES and metric not in known:
                general, paper = INCEPTION_NAMES[metric], metric.split("_")[0].upper()
                raise ConfigurationError(
                    f"Expected {general}, because {paper} is defined by Inception features. Received: {metric!r} with "
                    f"the features {extractor.name}. Ask for {general!r}, or for the features inception_v3."
                )
        if not metrics or any(metric not in known for metric in metrics):
            raise ConfigurationError(f"Expected metrics out of {', '.join(known)}. Received: {metrics}.")
        batches = real if isinstance(real, Batches) else Batches(np.asarray(real), batch_size=1)
        self.metrics, self.extractor = metrics, extractor
        self.real = Examples(batches.images, extractor)
        check_range(self.real.images)
        digest = hashlib.sha256(f"{self.real.images.shape} {self.real.images.dtype.str}".encode())
        digest.update(np.ascontiguousarray(self.real.images).data)
        self.fingerprint = digest.hexdigest()
        self.name = name or _name(batches)
        self.drawn = _drawn(batches)
        if cache is not None:
            self.real.extracted = _cached(self.real, Path(cache) / f"{self.fingerprint}-{extractor.sha256}.npz")

    def __call__(self, fake):
        """Measures images.

        Args:
            fake: (N, height, width, channels), uint8 or floats in [-1, 1]; the reference's shape.

        Returns:
            A dict from names to `Measurement`s; "precision_recall" gives two, "precision" and "recall".

        Raises:
            DataError: images of another shape or range, or no images.
        """
        fake = Examples(fake, self.extractor)
        self.check(fake.images.shape[1:])
        numbers = {}
        for metric in self.metrics:
            if metric in INCEPTION_NAMES:
                (numbers[metric],) = METRICS[INCEPTION_NAMES[metric]](self.real, fake).values()
            else:
                numbers.update(METRICS[metric](self.real, fake))
        return {
            name: Measurement(name, float(value), error, self.protocol(name, len(fake.images)))
            for name, (value, error) in numbers.items()
        }

    @property
    def names(self):
        """The names of the numbers, in order."""
        return [name for metric in self.metrics for name in NUMBERS.get(metric, (metric,))]

    def check(self, image_shape):
        """Refuses images of another shape than the reference's.

        Raises:
            DataError: (height, width, channels) is not the reference's.
        """
        reference = self.real.images.shape[1:]
        if tuple(image_shape) != reference:
            raise DataError(
                f"Expected images of the reference's shape {reference}. Received: {tuple(image_shape)}. Load the "
                "reference with the model's image_size."
            )

    def protocol(self, name, count):
        """The `Protocol` of the number `name` for `count` generated images."""
        on_images = name in ("swd", "ms_ssim")
        return Protocol(
            metric=SETTINGS[INCEPTION_NAMES.get(name, name)],
            features="pixels" if on_images else str(self.extractor),
            resize="none" if on_images else self.extractor.resizing(self.real.images.shape[1:]),
            real=f"{self.name}, {len(self.real.images)} images{self.drawn}, sha256 {self.fingerprint[:12]}",
            fake_count=count,
        )


class TextEvaluator:
    """Measures generated lines against a reference: the Jensen-Shannon divergences of n-grams, "js1" to "js4", in bits.

    Args:
        real: the reference: `kg.data.load_text`'s batches, in the model's alphabet. The paper compares 640 generated
            lines with all lines.
        name: what the protocol calls it; by default its data set's name and split.

    Example:

    >>> lines = kg.data.load_text(["a cat", "a dog", "a hen", "a pig"], length=5, batch_size=2)
    >>> found = TextEvaluator(lines)(lines.arrays["tokens"])
    >>> found["js2"].value
    0.0

    Reference: Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028
    """

    names = ["js1", "js2", "js3", "js4"]

    def __init__(self, real, *, name=None):
        self.real = next(iter(real.arrays.values()))
        self.name, self.fingerprint = name or _name(real), real.fingerprint()

    def __call__(self, fake):
        """Measures lines.

        Args:
            fake: ids of characters (N, length), as `generate` returns them.

        Returns:
            A dict from names to `Measurement`s.

        Raises:
            DataError: not ids, or another length.
        """
        fake = np.asarray(fake)
        self.check(fake.shape[1:])
        return {
            name: Measurement(
                name,
                ngram_divergence(real=self.real, fake=fake, n=int(name[2:])),
                None,
                Protocol(
                    metric=f"Jensen-Shannon divergence of {name[2:]}-grams in bits",
                    features="characters",
                    resize="none",
                    real=f"{self.name}, {len(self.real)} lines, sha256 {self.fingerprint[:12]}",
                    fake_count=len(fake),
                ),
            )
            for name in self.names
        }

    def check(self, shape):
        """Refuses lines of another length than the reference's.

        Raises:
            DataError: the length differs.
        """
        if tuple(shape) != self.real.shape[1:]:
            raise DataError(
                f"Expected lines of the reference's {self.real.shape[1]} characters. Received: shape {tuple(shape)}. "
                "Load the reference with the model's length."
            )


class StackedEvaluator:
    """Counts the classes of stacked digits: "classes" of 1000, and "class_kl", the KL of their histogram from the
    uniform one in nats.

    Args:
        classifier: of one digit, images (N, height, width, 1) in [-1, 1] to logits (N, 10).
        name: what the protocol calls it.

    Example:

    >>> digits = kg.data.stacked_mnist(kg.data.digits(100), count=64, batch_size=64)[0]["images"]
    >>> found = StackedEvaluator(kg.zoo.load_classifier("classifier_mnist"), "classifier_mnist")(digits)
    >>> list(found)
    ['classes', 'class_kl']

    Reference: Srivastava et al., 2017 (VEEGAN), https://arxiv.org/abs/1705.07761, who count 26 000 samples' classes
    """

    names = ["classes", "class_kl"]

    def __init__(self, classifier, name):
        self.classifier, self.name = classifier, name

    def __call__(self, fake):
        """Measures images (N, height, width, 3), uint8 or floats in [-1, 1].

        Returns:
            A dict from names to `Measurement`s.

        Raises:
            DataError: images of another shape.
        """
        found = class_coverage(fake_classes=stacked_classes(self.classifier, fake))
        numbers = {
            "classes": (found.classes, "classes found of 1000"),
            "class_kl": (found.kl, "KL from the uniform distribution over 1000 classes in nats"),
        }
        return {
            name: Measurement(
                name, float(value), None, Protocol(metric, f"{self.name} on each channel", "none", "uniform", len(fake))
            )
            for name, (value, metric) in numbers.items()
        }

    def check(self, image_shape):
        """Refuses images that do not have the size of three stacked digits.

        Raises:
            DataError: the shape differs.
        """
        expected = (*self.classifier.input_shape[1:3], 3)
        if tuple(image_shape) != expected:
            raise DataError(f"Expected images of shape {expected}. Received: {tuple(image_shape)}.")


class MapEvaluator:
    """Measures label maps against the true maps of the same examples, in their order: "pixel_accuracy",
    "class_accuracy" and "mean_iou"; see `kg.metrics.segmentation_scores`.

    Args:
        real: the reference: batches whose `images` are label maps (N, height, width), or these.
        classes: how many classes there are.
        name: what the protocol calls the reference; by default its data set's name and split.

    Example:

    >>> maps = np.array([[[0, 0, 0, 1]]])
    >>> MapEvaluator(maps, 2)(maps)["mean_iou"].value
    1.0
    """

    names = ["pixel_accuracy", "class_accuracy", "mean_iou"]

    def __init__(self, real, classes, *, name=None):
        batches = real if isinstance(real, Batches) else Batches(np.asarray(real), batch_size=1)
        self.real, self.classes = batches.images, classes
        self.name, self.fingerprint = name or _name(batches), batches.fingerprint()
        self.drawn = _drawn(batches)

    def __call__(self, fake):
        """Measures label maps.

        Args:
            fake: (N, height, width), of the first N examples of the reference.

        Returns:
            A dict from names to `Measurement`s.

        Raises:
            DataError: another shape, values that are no class, or more maps than the reference has.
        """
        fake = np.asarray(fake)
        scores = segmentation_scores(real=self.real[: len(fake)], fake=fake, classes=self.classes)
        protocol = {
            "features": f"label maps of {self.classes} classes",
            "resize": "none",
            "real": f"{self.name}, {len(self.real)} maps{self.drawn}, sha256 {self.fingerprint[:12]}",
            "fake_count": len(fake),
        }
        metrics = {
            "pixel_accuracy": "share of pixels whose class is right",
            "class_accuracy": "share of each class's pixels that are right, mean over classes",
            "mean_iou": "intersection over union, mean over classes",
        }
        return {
            name: Measurement(name, scores[name], None, Protocol(metric=metrics[name], **protocol))
            for name in self.names
        }


def _name(batches):
    return " ".join(str(batches.about[key]) for key in ("name", "split") if key in batches.about) or "images"


def _drawn(batches):
    """What the protocol says if the reference is a random part of its split."""
    return ", drawn" if batches.about.get("drawn") else ""


def _cached(examples, path):
    """The examples' features and probabilities, read from the cache file, or computed and written to it."""
    try:
        with open(path, "rb") as file, np.load(file) as stored:
            return stored["features"], stored.get("probabilities")
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):  # missing or damaged
        features, probabilities = examples.extracted
    arrays = {"features": features} if probabilities is None else {"features": features, "probabilities": probabilities}
    with atomic_write(path) as unfinished:
        np.savez(unfinished, **arrays)
    return features, probabilities
