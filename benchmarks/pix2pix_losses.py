"""The table of losses in pix2pix's paper, for faces made from part maps.

    python benchmarks/pix2pix_losses.py [--rows L1 cGAN L1+cGAN] [--epochs 2] [--filters 32] [--picture FILE]

The same generator is trained from the same weights with the distance alone, with the adversarial loss alone and with
both, and translates the part maps of the test split. A segmentation network of the zoo, which has never seen generated
faces, reads the maps back; the last row is what it reads from real faces. In the paper's table (of street scenes) the
order is L1+cGAN, cGAN, L1. --picture writes part maps of the test split, what each row makes of them, and the real
faces, a row each: a map leaves the colours open, so the distance alone averages them, and an adversarial loss picks.

The data set "avatars" must be there; see `zoo/pix2pix_avatars/recipe.py`.
"""

import argparse
import time
from dataclasses import asdict

import keras
import numpy as np

import keras_gans as kg
from keras_gans.evaluation import Settings, evaluate
from keras_gans.fields import LabelMaps
from keras_gans.models.pix2pix import build_generator
from keras_gans.networks.patch import build_patch_discriminator
from keras_gans_core import cards

ROWS = {
    "L1": {"adversarial_weight": 0.0},
    "cGAN": {"l1_weight": 0.0},
    "L1+cGAN": {},
}
CLASSES, SHOWN = 8, 12
COLUMNS = ("pixel_accuracy", "class_accuracy", "mean_iou", "l1", "ssim", "frechet_distance")


def trained(dataset, filters, epochs, weights):
    keras.utils.set_random_seed(0)
    images, maps = dataset.image_shape, (*dataset.image_shape[:2], CLASSES)
    model = kg.Pix2Pix(
        build_generator(maps, images, filters=filters),
        build_patch_discriminator(images, maps, filters=filters, affine=True),
        source_classes=CLASSES,
        ema_decay=0.999,
        **weights,
    )
    model.compile()
    model.fit(dataset, epochs=epochs, verbose=2)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--filters", type=int, default=32)
    parser.add_argument("--take", type=int, help="Train and measure with this many pairs instead of all.")
    parser.add_argument("--picture", help="An image file to write.")
    arguments = parser.parse_args()
    sides = ("parts", "image")
    dataset = kg.data.load_pairs("avatars", sides=sides, classes=CLASSES, jitter=1, batch_size=8, take=arguments.take)
    settings = Settings("avatars", samples=arguments.take or 10_000, metrics=("frechet_distance",), sides=sides)
    shown = kg.data.load_pairs("avatars", split="test", sides=sides, classes=CLASSES, take=SHOWN).arrays
    maps = LabelMaps(dataset.image_shape[:2], CLASSES)
    lines, floor, rows = [], {}, [maps.colours[shown["sources"]]]
    for name in arguments.rows:
        started = time.process_time()
        model = trained(dataset, arguments.filters, arguments.epochs, ROWS[name])
        seconds = time.process_time() - started
        found, floor = evaluate(model, settings)
        rows.append(model.translate(shown["sources"], seed=0))
        lines.append((name, found, f"{seconds:.0f}"))
    lines.append(("real faces", floor, ""))
    widths = {column: 16 for column in COLUMNS}
    title = cards.titled(COLUMNS[-1], asdict(floor[COLUMNS[-1]].protocol))
    widths[COLUMNS[-1]] = len(title) + 2
    heads = "".join(f"{column:>{widths[column]}}" for column in COLUMNS[:-1])
    print(f"{'loss':<12}{heads}  {title}{'CPU seconds':>13}")
    for name, found, seconds in lines:
        numbers = {column: f"{found[column].value:.4g}" if column in found else "" for column in COLUMNS}
        row = "".join(f"{number:>{widths[column]}}" for column, number in numbers.items())
        print(f"{name:<12}{row}{seconds:>13}", flush=True)
    if arguments.picture:
        kg.images.save(kg.images.grid(np.concatenate([*rows, shown["targets"]]), columns=SHOWN), arguments.picture)


if __name__ == "__main__":
    main()
