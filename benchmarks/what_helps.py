"""What makes samples better at the same number of steps: a small DCGAN on digits, with one change at a time.

    python benchmarks/what_helps.py [--data drawn:digits] [--steps 2048] [--rows base rate ...]

Prints the share of 2,000 samples that a classifier recognises with a probability above 0.9, the Frechet distance of its
features to those of the data's test split, and the processor's seconds. docs/training.md says what follows.
"""

import argparse
import time

import keras
import numpy as np

import keras_gans as kg
from keras_gans.batch_statistics import standing_statistics
from keras_gans.metrics import frechet_distance
from keras_gans.networks.dcgan import build_discriminator, build_generator

CLASSIFIERS = {"drawn:digits": "classifier_digits", "mnist": "classifier_mnist"}
BASE = {
    "units": 256,
    "rate": 1e-3,
    "last_rate": 1e-3,
    "filters": 16,
    "kernel": 5,
    "average": 0.99,
    "labels": False,
    "standing": True,
}
ROWS = {
    "base": {},
    "no dense layers": {"units": 0},
    "the paper's rate, 2e-4": {"rate": 2e-4, "last_rate": 2e-4},
    "rate 5e-4": {"rate": 5e-4, "last_rate": 5e-4},
    "rate falls to a tenth": {"last_rate": 1e-4},
    "half the filters": {"filters": 8},
    "twice the filters": {"filters": 32},
    "kernels 4x4": {"kernel": 4},
    "no moving average": {"average": None},
    "moving average of 0.999": {"average": 0.999},
    "statistics of training": {"standing": False},
    "labels": {"labels": True},
}


def model_of(settings, dataset, steps):
    shape, size = dataset.image_shape, 10 if settings["labels"] else 0
    options = {"base_filters": settings["filters"], "kernel_size": settings["kernel"], "units": settings["units"]}
    networks = (
        build_generator(shape, latent_dim=32, label_size=size, **options),
        build_discriminator(shape, label_size=size, **options),
    )
    given = {"ema_decay": settings["average"], "seed": 0}
    model = kg.CGAN(*networks, label_space=dataset.label_space, **given) if size else kg.DCGAN(*networks, **given)
    rate = keras.optimizers.schedules.PolynomialDecay(settings["rate"], steps, settings["last_rate"])
    adam = kg.optimizers.FusedAdam
    model.compile(adam(rate, beta_1=0.5), adam(rate, beta_1=0.5))
    return model


def outputs_of(classifier, images):
    """Features, and the largest probability of each image."""
    network = keras.Model(classifier.inputs, [classifier.get_layer("features").output, classifier.outputs[0]])
    features, logits = network.predict(kg.images.to_float(images), verbose=0)
    return features, keras.ops.convert_to_numpy(keras.ops.softmax(logits)).max(axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", choices=CLASSIFIERS, default="drawn:digits")
    parser.add_argument("--steps", type=int, default=2048)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    options = parser.parse_args()
    classifier = kg.zoo.load_classifier(CLASSIFIERS[options.data])
    dataset = kg.data.load(options.data, batch_size=64)
    real, sure = outputs_of(classifier, kg.data.load(options.data, split="test").images[:2000])
    print(f"{options.data}, {options.steps} steps of 64 images")
    print(f"{'':28}{'% recognised':>14}{'distance':>10}{'CPU seconds':>13}")
    print(f"{'real images':28}{100 * np.mean(sure > 0.9):14.1f}")
    for row in options.rows:
        settings = {**BASE, **ROWS[row]}
        keras.utils.set_random_seed(0)
        model = model_of(settings, dataset, options.steps)
        began = time.process_time()
        epochs = -(-options.steps // len(dataset))
        model.fit(dataset, epochs=epochs, steps_per_epoch=min(len(dataset), options.steps), verbose=0)
        seconds = time.process_time() - began
        if settings["standing"]:
            with standing_statistics(model):
                made = model.generate(2000, seed=0)
        else:
            made = model.generate(2000, seed=0)
        features, sure = outputs_of(classifier, made)
        distance = frechet_distance(real=real, fake=features)
        print(f"{row:28}{100 * np.mean(sure > 0.9):14.1f}{distance:10.1f}{seconds:13.0f}", flush=True)


if __name__ == "__main__":
    main()
