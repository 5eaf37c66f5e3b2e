"""Measurements of models that predict the next frames of clips, beside copying the last frame."""

import numpy as np

from keras_gans.metrics import Measurement, Protocol, moving_pixels, moving_psnr, moving_ssim, sharpness_difference

FRAMES = 8  # that are predicted, or as many as the data have
SMALLEST = 11  # pixels a side: the window of SSIM
EQUAL = 100.0  # dB, instead of infinity for frames without an error


def predictions(settings, model, samples):
    """How near predicted frames are to the true ones on moving pixels: those that differ from the true frame before.

    {"psnr_moving", "ssim_moving", "sharpness_moving"}, each "_1" for the first predicted frame and "_1_to_8" for the
    mean over the first eight, each predicted from those before it; and each "_of_copying" for the clip's last frame in
    their place. For a model with `predict_frames`.
    """
    if not hasattr(model, "predict_frames") or samples.examples is None:
        return {}
    clips, arrays = samples.inputs["clips"], samples.examples.arrays
    real = arrays["frames"][: len(clips), None]
    if "later" in arrays:
        real = np.concatenate([real, arrays["later"][: len(clips), : FRAMES - 1]], axis=1)
    count = real.shape[1]
    made = {"": model.predict_frames(clips, frames=count), "_of_copying": np.repeat(clips[:, -1:], count, axis=1)}
    found = {}
    for ending, frames in made.items():
        numbers = [_numbers(real, frames, clips, frame) for frame in range(count)]
        for key in [key for key in SAID if any(key in number for number in numbers)]:
            values = [number[key] for number in numbers if number]
            means = {"1": values[0]} if numbers[0] else {}  # the clips may begin to move later
            means |= {f"1_to_{count}": np.mean(values)} if count > 1 else {}
            for which, value in means.items():
                name, about = f"{key}_{which}{ending}", f"{settings.source} {settings.split}, true next frames"
                metric = f"{SAID[key]}, frames {which.replace('_', ' ')}, mean over frames in which something moves"
                protocol = Protocol(metric, "moving pixels", "none", about, len(clips))
                found[name] = Measurement(name, float(value), None, protocol)
    return found


SAID = {
    "psnr_moving": "peak signal-to-noise ratio in dB",
    "ssim_moving": "SSIM, window of 11 pixels, still pixels black",
    "sharpness_moving": "10 log10(1 / mean difference of the absolute gradients) in dB",
}


def _numbers(real, made, clips, frame):
    """{name: mean over the clips in which something moves} of one frame of the predictions; {} if nothing does."""
    before = real[:, frame - 1] if frame else clips[:, -1]
    moving = moving_pixels(real[:, frame], before)
    some = moving[:, 1:, 1:].any(axis=(1, 2))
    if not some.any():
        return {}
    pair = {"real": real[some, frame], "fake": made[some, frame], "moving": moving[some]}
    numbers = {"psnr_moving": np.minimum(moving_psnr(**pair), EQUAL).mean()}
    if min(real.shape[2:4]) >= SMALLEST:
        numbers["ssim_moving"] = moving_ssim(**pair).mean()
    return numbers | {"sharpness_moving": np.minimum(sharpness_difference(**pair), EQUAL).mean()}
