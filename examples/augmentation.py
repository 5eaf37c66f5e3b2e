"""Do generated images help a classifier that has few labelled ones?

    python examples/augmentation.py --per-class 10

A few labelled MNIST digits of each class are kept, drawn anew for each seed. Four classifiers learn from them: from the
digits alone; with classical augmentation (random shifts, turns and sizes in each batch); with images that a conditional
GAN generated; and with both. The GAN is trained on the same few digits, which its discriminator sees shifted and with a
square cut out at random (DiffAugment). All classifiers have the same networks, steps and batches. With generated images
a batch is half real, half generated.

The script prints the accuracy on the test digits, the mean over the seeds with its 95 % interval, and the same for the
differences to the classifier without augmentation. `--generator cgan_mnist`, or another conditional preset, takes the
place of the GAN. Such a preset was trained on all labels of MNIST, which nobody with few labels has: its numbers show
what its data are worth, not the method.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from keras import layers

import keras_gans as kg
from keras_gans.models import projection_gan
from keras_gans.networks.classifier import build_classifier

BATCH = 64
T = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}  # Student's, 95 %, by seeds
ARMS = {"few labels": (False, False), "classical": (True, False), "generated": (False, True), "both": (True, True)}


class ShiftedProjectionGAN(kg.ProjectionGAN):
    """A ProjectionGAN whose discriminator sees all images shifted and with a square cut out."""

    def __init__(self, *networks, **options):
        super().__init__(*networks, **options)
        self.augment = kg.augment.DiffAugment([kg.augment.translation, kg.augment.cutout], seed=self.seed)

    def score(self, inputs, training=True):
        labels, images = inputs
        return super().score([labels, self.augment(images)], training)


def few(images, labels, per_class, seed):
    """`per_class` examples of each class, drawn at random."""
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(np.flatnonzero(labels == label), per_class, replace=False) for label in np.unique(labels)]
    chosen = rng.permutation(np.concatenate(chosen))
    return images[chosen], labels[chosen]


def trained_generator(images, labels, steps, seed):
    """A conditional GAN, trained on these images alone, as a preset would keep it."""
    keras.utils.set_random_seed(seed)
    shape, classes = images.shape[1:], int(labels.max()) + 1
    gan = ShiftedProjectionGAN(
        projection_gan.build_generator(shape, 64, label_size=classes, base_filters=32),
        projection_gan.build_discriminator(shape, label_size=classes, base_filters=32),
        label_space=kg.data.Classes(classes),
        discriminator_steps=1,
        ema_decay=0.995,
        seed=seed,
    )
    gan.compile(*(kg.optimizers.FusedAdam(2e-4, beta_1=0.0, beta_2=0.9) for _ in range(2)))
    repeated = np.resize(np.arange(len(images)), steps * BATCH)
    gan.fit(kg.data.Batches(images[repeated], labels[repeated], batch_size=BATCH, seed=seed), epochs=1, verbose=0)
    return kg.zoo.sampler(gan)


def classical():
    """Shifts of up to 2 pixels of 28, turns of up to 15 degrees, sizes from 0.9 to 1.1."""
    options = {"fill_mode": "constant", "fill_value": -1.0}
    return keras.Sequential(
        [
            layers.RandomTranslation(2 / 28, 2 / 28, **options),
            layers.RandomRotation(15 / 360, **options),
            layers.RandomZoom(0.1, **options),
        ]
    )


def trained_classifier(images, labels, generated, augmented, steps, seed):
    """A classifier trained on batches of the few, half of each from `generated`, (images, labels), if there are any."""
    keras.utils.set_random_seed(seed)
    classifier = build_classifier(images.shape[1:], int(labels.max()) + 1)
    classifier.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng, augment = np.random.default_rng(seed), classical()
    sources = [(images, labels)] if generated is None else [(images, labels), generated]
    for _ in range(steps):
        rows = [rng.integers(0, len(source[0]), BATCH // len(sources)) for source in sources]
        x = np.concatenate([source[0][row] for source, row in zip(sources, rows)])
        y = np.concatenate([source[1][row] for source, row in zip(sources, rows)])
        x = kg.images.to_float(x)
        classifier.train_on_batch(augment(x, training=True) if augmented else x, y)
    return classifier


def accuracy(classifier, images, labels):
    """The share of images whose class is found, from 0 to 1."""
    blocks = range(0, len(images), 500)
    logits = [classifier(kg.images.to_float(images[i : i + 500]), training=False) for i in blocks]
    found = np.concatenate([keras.ops.convert_to_numpy(block).argmax(axis=1) for block in logits])
    return float((found == labels).mean())


def interval(values):
    """(mean, half the width of its 95 % interval) of a few numbers; infinite for one, a little wide for over ten."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return values.mean(), np.inf
    return values.mean(), T.get(len(values), T[10]) * values.std(ddof=1) / np.sqrt(len(values))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist", help="what kg.data.load takes, with classes")
    parser.add_argument("--per-class", type=int, default=10, help="labelled images of each class")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--generator", help="a conditional preset or .keras file instead of a GAN trained on the few")
    parser.add_argument("--gan-steps", type=int, default=2000)
    parser.add_argument("--generated", type=int, default=200, help="generated images of each class")
    parser.add_argument("--steps", type=int, default=600, help="steps of each classifier")
    parser.add_argument("--test", type=int, help="test images, drawn at random; all by default")
    parser.add_argument("--picture", type=Path, help="where to write generated images, a row for each class")
    options = parser.parse_args()
    train = kg.data.load(options.data, batch_size=1)
    test = kg.data.load(options.data, split="test", take=options.test, batch_size=1)
    found = {name: [] for name in ARMS}
    for seed in range(options.seeds):
        images, labels = few(train.images, train.labels, options.per_class, seed)
        if options.generator:
            gan = kg.load(options.generator)
        else:
            gan = trained_generator(images, labels, options.gan_steps, seed)
        shown = np.repeat(np.unique(labels), options.generated)
        generated = gan.generate(seed=seed, n=len(shown), labels=shown), shown
        if options.picture and seed == 0:
            rows = [generated[0][shown == label][:10] for label in np.unique(labels)]
            kg.images.save(kg.images.enlarged(kg.images.grid(np.concatenate(rows), len(rows[0])), 2), options.picture)
        for name, (augmented, with_generated) in ARMS.items():
            given = generated if with_generated else None
            classifier = trained_classifier(images, labels, given, augmented, options.steps, seed)
            found[name].append(100.0 * accuracy(classifier, test.images, test.labels))
        print(f"seed {seed}: " + ", ".join(f"{name} {values[-1]:.1f} %" for name, values in found.items()), flush=True)
    for name, values in found.items():
        mean, half = interval(values)
        change, change_half = interval(np.subtract(values, found["few labels"]))
        print(f"{name:12} {mean:5.1f} ± {half:.1f} %   {change:+5.1f} ± {change_half:.1f}")


if __name__ == "__main__":
    main()
