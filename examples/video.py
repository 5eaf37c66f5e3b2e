"""The squared error blurs what comes next: one network for video prediction, trained by two losses.

    python examples/video.py --output pictures

Both models see four frames of two digits that bounce and predict the next, then go on from their own predictions. One
is trained by the squared error alone, the other by the absolute and the gradient difference loss and a discriminator at
each scale. Where it is not certain by which pixel a digit moves, the best answer to the squared error is the mean of
all, a blurred digit; errors and blur grow from frame to frame.

Printed are, for each of eight predicted frames of digits that neither has seen, the peak signal-to-noise ratio and the
sharpness difference on moving pixels, in dB, higher is better, beside copying the last frame. `video.gif` shows clips:
the true frames, the squared error's and the other model's.
"""

import argparse
from pathlib import Path

import keras
import numpy as np

import keras_gans as kg
from keras_gans.models.video_prediction_gan import build_discriminators, build_generator, scales_of

FRAMES = 8
LOSSES = {
    "squared error": {"adversarial_weight": 0.0, "gdl_weight": 0.0, "p": 2},
    "adversarial + GDL": {"adversarial_weight": 0.05, "gdl_weight": 1.0, "p": 1},
}


def trained(data, steps, filters, options, seed=0):
    """A model with some weights of the losses, trained for some steps on `ClipBatches`; the same networks each time."""
    keras.utils.set_random_seed(seed)
    shape = data.image_shape
    generator = build_generator(shape[-1], scales=scales_of(shape), filters=filters)
    discriminators = build_discriminators(shape, filters=filters, units=(8 * filters,))
    model = kg.VideoPredictionGAN(generator, discriminators, ema_decay=0.99, seed=seed, **options)
    falling = keras.optimizers.schedules.CosineDecay(4e-4, steps, alpha=0.05)
    model.compile(kg.optimizers.FusedAdam(falling, beta_1=0.9), kg.optimizers.FusedAdam(1e-4, beta_1=0.9))
    epochs, rest = divmod(steps, len(data))
    if epochs:
        model.fit(data, epochs=epochs, verbose=0)
    if rest:
        model.fit(data, steps_per_epoch=rest, verbose=0)
    return model


def curves(real, made, before):
    """The mean over clips of two numbers of each frame, on moving pixels.

    Args:
        real, made: uint8 (N, frames, height, width, channels).
        before: the frame before the first, (N, height, width, channels).

    Returns:
        {name: array (frames,)}, capped at 100 dB; frames in which nothing moves do not count.
    """
    metrics = {"PSNR": kg.metrics.moving_psnr, "sharpness": kg.metrics.sharpness_difference}
    found = {name: [] for name in metrics}
    for frame in range(real.shape[1]):
        moving = kg.metrics.moving_pixels(real[:, frame], real[:, frame - 1] if frame else before)
        for name, metric in metrics.items():
            found[name].append(
                np.nanmean(np.minimum(metric(real=real[:, frame], fake=made[:, frame], moving=moving), 100.0))
            )
    return {name: np.array(values) for name, values in found.items()}


def predictions(train, test, steps, filters):
    """The true frames after the test clips, and {name: frames} of both models and of copying the last frame."""
    clips = test.arrays["clips"]
    real = np.concatenate([test.arrays["frames"][:, None], test.arrays["later"]], axis=1)[:, :FRAMES]
    made = {"copying": np.repeat(clips[:, -1:], real.shape[1], axis=1)}
    for name, options in LOSSES.items():
        model = trained(train, steps, filters, options)
        made[name] = model.predict_frames(clips, real.shape[1])
        print(f"trained: {name}", flush=True)
    return real, made


def film(path, clips, real, made, count=6, factor=3):
    """An animation of some clips, a column each: the true frames, then a row for each model, after the clip's own."""
    rows, count, pictures = [real, *made.values()], min(count, len(clips)), []
    for frame in range(clips.shape[1] + real.shape[1]):
        seen = frame < clips.shape[1]
        frames = [clips[:count, frame] if seen else row[:count, frame - clips.shape[1]] for row in rows]
        pictures.append(kg.images.enlarged(kg.images.grid(np.concatenate(frames), columns=count), factor))
    kg.latent.animate(pictures, path, milliseconds=250)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for video.gif")
    parser.add_argument("--steps", type=int, default=2000, help="training steps of each model")
    parser.add_argument("--filters", type=int, default=8, help="of the first convolutions; 16 in the paper's script")
    parser.add_argument("--clips", type=int, default=4096, help="clips to train on; an eighth as many to test on")
    parser.add_argument("--source", default="moving_digits", help="what kg.data.load_clips takes")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    train = kg.data.load_clips(options.source, take=options.clips, batch_size=16)
    test = kg.data.load_clips(options.source, split="test", take=max(8, options.clips // 8), batch_size=1)
    real, made = predictions(train, test, options.steps, options.filters)
    for name, frames in made.items():
        for metric, values in curves(real, frames, test.arrays["clips"][:, -1]).items():
            print(f"{name:18} {metric:10}" + "".join(f" {value:5.1f}" for value in values), flush=True)
    del made["copying"]
    film(options.output / "video.gif", test.arrays["clips"], real, made)


if __name__ == "__main__":
    main()
