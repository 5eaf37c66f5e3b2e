"""How many test digits does a classifier get wrong that saw the labels of a hundred?

    python benchmarks/semi_supervised.py [--draws 5] [--labels-per-class 10] [--epochs 60] [--networks small|paper]

For each draw of labelled images it trains, with the same network, noise and optimizer steps,

- ImprovedGAN on them, all other training images without labels, and its generator's;
- the discriminator's network alone on them ("supervised").

Both classify the test images with the average of their weights. It prints each error, their means with standard
errors, and the published counts, which are of the networks and the 300 epochs of `--networks paper --epochs 300` at a
constant learning rate of 0.003, where here it falls to 0.001.
"""

import argparse
import os
import statistics

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow

import keras

import keras_gans as kg
from keras_gans.models.improved_gan import build_discriminator, build_generator

NETWORKS = {
    "small": ({"units": (200, 200)}, {"units": (300, 150, 100), "noise": 0.3}),
    "paper": ({}, {}),
}
# Errors on MNIST's 10,000 test digits by the number of labels, https://arxiv.org/abs/1606.03498.
PUBLISHED = {20: "1677 +- 452", 50: "221 +- 136", 100: "93 +- 6.5", 200: "90 +- 4.2"}


class Labelled(keras.utils.PyDataset):
    """The labelled part of semi-supervised batches."""

    def __init__(self, batches, steps):
        super().__init__()
        self.batches, self.steps = batches, steps

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        batch = self.batches.at(index)
        return batch["labelled_images"] / 127.5 - 1, batch["labels"]


def adam(steps, **options):
    rate = keras.optimizers.schedules.PolynomialDecay(3e-3, steps, 1e-3)
    return kg.optimizers.FusedAdam(rate, beta_1=0.5, epsilon=1e-4, **options)


def averaging(steps):
    """The decay of an average over about the last twentieth of a run, the paper's at most."""
    return min(0.9999, max(0.0, 1 - 20 / steps))


def discriminator(options, dataset, num_classes):
    network = build_discriminator(dataset.image_shape, num_classes, **options)
    kg.layers.initialize_from_data(network, dataset.images[:500] / 127.5 - 1)
    return network


def improved_gan(batches, networks, num_classes, epochs, test, verbose):
    """The test error of a semi-supervised run, a share."""
    shape, steps = batches.image_shape, epochs * len(batches)
    model = kg.ImprovedGAN(
        build_generator(shape, **networks[0]),
        discriminator(networks[1], batches, num_classes),
        discriminator_ema_decay=averaging(steps),
    )
    model.compile(adam(steps), adam(steps), steps_per_execution=20)
    model.fit(batches, epochs=epochs, verbose=verbose)
    return float((model.classify(test.images).argmax(1) != test.labels).mean())


def supervised(batches, networks, num_classes, epochs, test, verbose):
    """The test error of the same network trained as often on the labelled images alone, a share."""
    steps = epochs * len(batches)
    network = discriminator(networks[1], batches, num_classes)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(adam(steps, use_ema=True, ema_momentum=averaging(steps)), loss, steps_per_execution=20)
    network.fit(Labelled(batches, steps), verbose=verbose)
    logits = network.predict(test.images / 127.5 - 1, batch_size=256, verbose=0)
    return float((logits.argmax(1) != test.labels).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="mnist", help="as for kg.data.load, with the splits train and test")
    parser.add_argument("--draws", type=int, default=5, help="how many draws of labelled images, one run each")
    parser.add_argument("--labels-per-class", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--take", type=int, help="at most so many training images")
    parser.add_argument("--networks", choices=NETWORKS, default="small")
    parser.add_argument("--verbose", type=int, default=0)
    options = parser.parse_args()
    dataset = kg.data.load(options.data, split="train", batch_size=100, take=options.take)
    test = kg.data.load(options.data, split="test")
    num_classes = int(max(dataset.labels.max(), test.labels.max())) + 1
    found = {"semi-supervised": improved_gan, "supervised": supervised}
    errors = {name: [] for name in found}
    for draw in range(options.draws):
        batches = kg.data.semi_supervised(dataset, options.labels_per_class, seed=draw)
        for name, run in found.items():
            keras.utils.clear_session()
            keras.utils.set_random_seed(draw)
            error = run(batches, NETWORKS[options.networks], num_classes, options.epochs, test, options.verbose)
            errors[name].append(error)
            print(f"draw {draw}  {name:16} {error:7.2%}  {round(error * len(test.images))} errors", flush=True)
    labels = options.labels_per_class * num_classes
    for name, shares in errors.items():
        spread = statistics.stdev(shares) / len(shares) ** 0.5 if len(shares) > 1 else float("nan")
        print(f"{name:16} {labels} labels: {statistics.mean(shares):.2%} +- {spread:.2%}, mean of {len(shares)} draws")
    if options.data == "mnist" and labels in PUBLISHED:
        print(f"published        {labels} labels: {PUBLISHED[labels]} errors of 10000")


if __name__ == "__main__":
    main()
