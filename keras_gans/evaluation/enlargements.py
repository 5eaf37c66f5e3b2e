"""Measurements of models that make images larger, beside bicubic resizing."""

import numpy as np
from keras import ops

from keras_gans import zoo
from keras_gans.data.patches import cut
from keras_gans.images import to_float, to_uint8
from keras_gans.metrics import Measurement, Protocol, classifier_features, frechet_distance, luma, psnr, ssim
from keras_gans.resampling import bicubic
from keras_gans_core import cards

SMALLEST = 11  # pixels a side: the window of SSIM


def enlargements(settings, model, samples):
    """How near images that a model made larger are to the true ones.

    {"psnr_luma", "ssim_luma": of the luma, without as many border pixels as the factor; "sharpness_gap": how far the
    mean absolute difference of neighbours in the luma is from the true images', as a share of theirs; "patch_distance":
    the Frechet distance of the classifier's features for patches of its size}, and each "_of_bicubic", for the same
    small images resized. For a model with `upscale`.
    """
    if not hasattr(model, "upscale") or samples.examples is None:
        return {}
    made = samples.first
    real = samples.examples.images[: len(made)]
    small = samples.inputs["small"]
    plain = np.concatenate(
        [ops.convert_to_numpy(to_uint8(bicubic(to_float(part[None]), real.shape[1:3]))) for part in small]
    )
    found = {}
    for ending, images in (("", made), ("_of_bicubic", plain)):
        for key, (value, metric, features) in _numbers(settings, model.factor, real, images).items():
            about = f"{settings.source} {settings.split}, true images"
            protocol = Protocol(metric, features, "none", about, len(images))
            found[f"{key}{ending}"] = Measurement(f"{key}{ending}", float(value), None, protocol)
    return found


def _numbers(settings, border, real, made):
    inner = (slice(None), slice(border, -border), slice(border, -border))
    true, seen = luma(real)[inner], luma(made)[inner]
    about = f"without {border} pixels at the borders, mean over images"
    gap = abs(1.0 - _steps(seen) / _steps(true))
    numbers = {"sharpness_gap": (gap, "|1 - s|, s the share of the true differences of neighbours", "luma")}
    if min(true.shape[1:3]) >= SMALLEST:
        pair = {"real": true / 127.5 - 1.0, "fake": seen / 127.5 - 1.0}
        numbers |= {
            "psnr_luma": (psnr(**pair).mean(), f"peak signal-to-noise ratio in dB, {about}", "luma"),
            "ssim_luma": (ssim(**pair).mean(), f"SSIM, window of 11 pixels, {about}", "luma"),
        }
    if settings.features in zoo.classifiers():
        name, card = settings.features, cards.read_card(cards.find(settings.features))
        extractor = classifier_features(zoo.load_classifier(name), name, "num_classes" in card)
        height, width, channels = card["image_shape"]
        if channels == real.shape[3] and height <= real.shape[1] and width <= real.shape[2]:
            sets = {"real": real, "fake": made}
            distance = frechet_distance(
                **{key: extractor(cut(images, (height, width))) for key, images in sets.items()}
            )
            metric = f"Frechet distance of patches of {height}x{width}"
            numbers["patch_distance"] = distance, metric, f"{name}, sha256 {card['sha256'][:12]}"
    return numbers


def _steps(levels):
    """The mean absolute difference of neighbouring levels, across and down."""
    return sum(np.abs(np.diff(levels, axis=axis)).mean() for axis in (1, 2))
