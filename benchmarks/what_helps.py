"""What makes samples better at the same number of steps: a small DCGAN on digits or drawn faces, with one change at a
time.

    python benchmarks/what_helps.py [--data drawn:digits] [--steps 2048] [--rows base "rate 5e-4" ...]

Prints the share of 2,000 samples that a classifier recognises with a probability above 0.9 (of faces, each of six
attributes), the Frechet distance of its features to those of the data's test split, and the processor's seconds.
docs/training.md says what follows for digits.
"""

import argparse
import time

import keras
import numpy as np

import keras_gans as kg
from keras_gans.batch_statistics import standing_statistics
from keras_gans.metrics import frechet_distance
from keras_gans.networks.dcgan import build_discriminator, build_generator

CLASSIFIERS = {"drawn:digits": "classifier_digits", "mnist": "classifier_mnist", "avatars": "classifier_avatars"}
BASE = {
    "units": 256,
    "rate": 1e-3,
    "last_rate": 1e-3,
    "d_share": 1.0,  # the discriminator's rate, as a share of the generator's
    "filters": 16,
    "kernel": 5,
    "average": 0.99,
    "labels": False,
    "standing": True,
    "noise": 0.0,
    "r1": 0.0,
    "overshoot": 0.0,
}
FACES = {**BASE, "units": 0, "filters": 32, "kernel": 4, "average": 0.998}
OF_DIGITS = {
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
OF_FACES = {
    "base": {},
    "noise 0.2": {"noise": 0.2},
    "noise 0.2, a quarter of the rate": {"noise": 0.2, "d_share": 0.25},
    "overshoot 0.1": {"overshoot": 0.1},
    "R1 of 0.025": {"r1": 0.025},
    "both": {"r1": 0.025, "overshoot": 0.1},
    "both, rate 4e-4": {"r1": 0.025, "overshoot": 0.1, "rate": 4e-4, "last_rate": 4e-4},
    "both, dense layers": {"r1": 0.025, "overshoot": 0.1, "units": 256},
}
ROWS = {"drawn:digits": (BASE, OF_DIGITS), "mnist": (BASE, OF_DIGITS), "avatars": (FACES, OF_FACES)}


def model_of(settings, dataset, steps):
    shape, size = dataset.image_shape, 10 if settings["labels"] else 0
    options = {"base_filters": settings["filters"], "kernel_size": settings["kernel"], "units": settings["units"]}
    networks = (
        build_generator(shape, latent_dim=32, label_size=size, overshoot=settings["overshoot"], **options),
        build_discriminator(shape, label_size=size, input_noise=settings["noise"], **options),
    )
    given = {"ema_decay": settings["average"], "seed": 0}
    if size:
        model = kg.CGAN(*networks, label_space=dataset.label_space, **given)
    else:
        model = kg.DCGAN(*networks, r1_weight=settings["r1"], **given)
    first, last = settings["rate"], settings["last_rate"]
    model.compile(
        *(
            kg.optimizers.FusedAdam(
                keras.optimizers.schedules.PolynomialDecay(share * first, steps, share * last), beta_1=0.5
            )
            for share in (1.0, settings["d_share"])
        )
    )
    return model


def outputs_of(classifier, images):
    """Features, and how sure the classifier is of each image: the largest probability, of attributes the least sure."""
    network = keras.Model(classifier.inputs, [classifier.get_layer("features").output, classifier.outputs[0]])
    features, logits = network.predict(kg.images.to_float(images), verbose=0)
    if logits.shape[1] == 10:
        return features, keras.ops.convert_to_numpy(keras.ops.softmax(logits)).max(axis=1)
    yes = keras.ops.convert_to_numpy(keras.ops.sigmoid(logits))
    return features, np.maximum(yes, 1.0 - yes).min(axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", choices=CLASSIFIERS, default="drawn:digits")
    parser.add_argument("--steps", type=int, default=2048)
    parser.add_argument("--rows", nargs="+", choices=[*OF_DIGITS, *OF_FACES])
    options = parser.parse_args()
    base, rows = ROWS[options.data]
    if not set(options.rows or rows) <= set(rows):
        parser.error(f"the rows of {options.data} are {', '.join(rows)}")
    classifier = kg.zoo.load_classifier(CLASSIFIERS[options.data])
    size = {"image_size": (32, 32), "labels": "attributes"} if options.data == "avatars" else {}
    dataset = kg.data.load(options.data, batch_size=64, **size)
    real, sure = outputs_of(classifier, kg.data.load(options.data, split="test", **size).images[:2000])
    print(f"{options.data}, {options.steps} steps of 64 images")
    print(f"{'':33}{'% recognised':>14}{'distance':>10}{'CPU seconds':>13}")
    print(f"{'real images':33}{100 * np.mean(sure > 0.9):14.1f}")
    for row in options.rows or rows:
        settings = {**base, **rows[row]}
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
        print(f"{row:33}{100 * np.mean(sure > 0.9):14.1f}{distance:10.1f}{seconds:13.0f}", flush=True)


if __name__ == "__main__":
    main()
