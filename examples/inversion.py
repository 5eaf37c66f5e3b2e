"""What a generator knows of an image: missing parts are filled, and damage is found, by inversion.

    python examples/inversion.py

**Inpainting**: a square of each test digit is hidden, the rest is inverted, and the image that was found fills the
square. The script prints the mean squared error in the square, and those of the mean training digit and of the training
digit that is nearest in the known pixels.

**Anomalies**: a square of a test digit is replaced by that of another digit. The generator makes whole digits, so the
error of the inversion should be larger. The script prints the area under the ROC curve when this error tells damaged
digits, the same for the distance to the mean training digit, and how often the largest error lies in the square.

`inversion.png` has a column for each digit: as it was, with the square missing, filled, damaged, and where the error
of the damaged one is.
"""

import argparse
from pathlib import Path

import numpy as np

import keras_gans as kg


def squares(count, side, shape, seed):
    """bool (N, height, width): a square for each image, True inside, around the middle half of the image."""
    rng = np.random.default_rng(seed)
    inside = np.zeros((count, *shape[:2]), bool)
    for square in inside:
        top, left = (rng.integers(length // 4, 3 * length // 4 - side + 1) for length in shape[:2])
        square[top : top + side, left : left + side] = True
    return inside


def area(normal, damaged):
    """The area under the ROC curve: how often a damaged image has the larger number; ties count half."""
    normal, damaged = np.asarray(normal)[:, None], np.asarray(damaged)[None]
    return float(np.mean((damaged > normal) + 0.5 * (damaged == normal)))


def errors(one, other, inside=None):
    """Mean squared difference of uint8 images in [-1, 1], over the pixels inside; (N,)."""
    squared = np.square((one.astype("float32") - other) / 127.5).mean(axis=-1)
    weights = np.ones_like(squared) if inside is None else inside
    return (squared * weights).sum(axis=(1, 2)) / weights.sum(axis=(1, 2))


def nearest_training(train, images, known):
    """The training image nearest to each image in its known pixels."""
    numbers = train.reshape(len(train), -1).astype("float32")
    found = []
    for image, mask in zip(images, known):
        keep = np.broadcast_to(mask[..., None], image.shape).ravel()
        found.append(np.square(numbers[:, keep] - image.ravel()[keep]).sum(axis=1).argmin())
    return train[found]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for inversion.png")
    parser.add_argument("--model", default="dcgan_mnist", help="preset or .keras file that makes images from noise")
    parser.add_argument("--data", default="mnist", help="the data that it was trained on")
    parser.add_argument("--count", type=int, default=64, help="test images")
    parser.add_argument("--side", type=int, default=10, help="of the square, in pixels")
    parser.add_argument("--steps", type=int, default=300, help="steps of each inversion")
    parser.add_argument("--seeds", type=int, default=1000, help="seeds that the start is chosen from")
    parser.add_argument("--train", type=int, help="training images for the mean and the nearest; all by default")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    model = kg.load(options.model)
    sizes = {"image_size": model.image_shape[:2], "channels": model.image_shape[2], "batch_size": 1}
    train = kg.data.load(options.data, take=options.train, **sizes).images
    test = kg.data.load(options.data, split="test", take=options.count, **sizes).images
    if not 1 <= options.side <= min(model.image_shape[:2]) // 2:
        parser.error(f"--side: expected 1 to half of the images' smaller side. Received: {options.side}.")
    inside = squares(len(test), options.side, model.image_shape, seed=0)
    mean = np.broadcast_to(train.mean(axis=0).round().astype("uint8"), test.shape)

    filled, _ = kg.latent.inpaint(model, test, ~inside, seeds=options.seeds, steps=options.steps)
    print("error in the missing square:")
    for name, made in (
        ("inversion", filled),
        ("nearest training image", nearest_training(train, test, ~inside)),
        ("mean training image", mean),
    ):
        print(f"  {name:24} {errors(test, made, inside).mean():.3f}", flush=True)

    damaged = np.where(inside[..., None], np.roll(test, 1, axis=0), test)
    made = []
    for images in (test, damaged):
        start = model.noise(seed=kg.latent.nearest(model, images, options.seeds)[0])
        made.append(model.generate(noise=kg.latent.invert(model, images, start=start, steps=options.steps).noise))
    by_inversion = [errors(images, found) for images, found in zip((test, damaged), made)]
    by_mean = [errors(images, mean) for images in (test, damaged)]
    print("area under the ROC curve, damaged or not:")
    print(f"  {'error of the inversion':24} {area(*by_inversion):.3f}")
    print(f"  {'distance to the mean':24} {area(*by_mean):.3f}")
    residual = np.abs(damaged.astype("float32") - made[1]).mean(axis=-1)
    places = residual.reshape(len(test), -1).argmax(axis=1)
    hits = inside.reshape(len(test), -1)[np.arange(len(test)), places].mean()
    share = inside.mean()
    print(f"the largest error lies in the square: {hits:.0%} (by chance {share:.0%})")

    residual = np.broadcast_to(residual[..., None], test.shape).round().astype("uint8")
    missing = np.where(inside[..., None], 128, test).astype("uint8")
    rows = np.concatenate([part[:10] for part in (test, missing, filled, damaged, residual)])
    picture = kg.images.enlarged(kg.images.grid(rows, min(10, len(test))), 3)
    kg.images.save(picture, options.output / "inversion.png")


if __name__ == "__main__":
    main()
