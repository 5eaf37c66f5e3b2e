"""Which model to start with: six of them, trained for the same seconds on the same data, measured in one protocol.

    python benchmarks/which_model.py --data mnist [--seconds 600] [--seeds 0 1 2] [--models DCGAN R3GAN ...]
                                     [--results which_model.jsonl] [--precision float32]

Each training is a process of its own, one after the other. Its seconds begin after the first step, which compiles: it
does not count. Then 5,000 images are measured against the test split by the features of the data's classifier, and
the seconds of generating a thousand, and the most memory that the process took, are noted. A row is written to the
results when it is known; what is there already is not trained again. At the end the table shows means over the seeds,
with half of the range.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow

DATA = {"mnist": ((28, 28, 1), "classifier_mnist"), "avatars": ((32, 32, 3), "classifier_avatars"),
        "drawn:digits": ((28, 28, 1), "classifier_digits")}  # fmt: skip
COLUMNS = {
    "distance": "{:.1f}",
    "precision": "{:.2f}",
    "recall": "{:.2f}",
    "steps": "{:.0f}",
    "seconds_a_thousand": "{:.2f}",
    "memory_mib": "{:.0f}",
}


def models():
    """{name: function of an image shape that returns a compiled model and its batch}. The networks are small ones, and
    not of one size."""
    import keras_gans as kg
    from keras_gans.models import adversarial_flow, r3gan, sngan, style_gan2, wgan_gp
    from keras_gans.networks import dcgan, mapping

    adam = kg.optimizers.FusedAdam

    def deep_convolutional(shape):
        model = kg.DCGAN(
            dcgan.build_generator(shape, 64, base_filters=32, units=512),
            dcgan.build_discriminator(shape, base_filters=32, units=512),
            ema_decay=0.999,
        )
        model.compile(adam(5e-4, beta_1=0.5), adam(5e-4, beta_1=0.5))
        return model, 64

    def wasserstein(shape):
        model = kg.WGANGP(
            wgan_gp.build_generator(shape, 64, base_filters=32, batch_norm=True),
            wgan_gp.build_discriminator(shape, base_filters=32),
            discriminator_steps=3,
            ema_decay=0.999,
        )
        model.compile(adam(2e-4, beta_1=0.0, beta_2=0.9), adam(2e-4, beta_1=0.0, beta_2=0.9))
        return model, 3 * 64

    def spectrally_normalized(shape):
        model = kg.SNGAN(
            sngan.build_generator(shape, 64, base_filters=32),
            sngan.build_discriminator(shape, base_filters=32),
            discriminator_steps=1,
            ema_decay=0.999,
        )
        model.compile(adam(2e-4, beta_1=0.0, beta_2=0.9), adam(4e-4, beta_1=0.0, beta_2=0.9))
        return model, 64

    def style_based(shape):
        widths = (64, 64, 32) if shape[0] == 28 else (64, 64, 64, 32)
        model = kg.StyleGAN2(
            style_gan2.build_generator(shape, 64, widths=widths),
            style_gan2.build_discriminator(shape, widths=widths),
            mapping.build_mapping(64, 64, depth=2),
            gamma=0.1,
            path_weight=0.0,
            ema_decay=0.999,
        )
        model.compile()
        return model, 64

    def relativistic(shape):
        widths = (64, 64, 32) if shape[0] == 28 else (64, 64, 64, 32)
        model = kg.R3GAN(
            r3gan.build_generator(shape, 64, widths=widths, blocks=1),
            r3gan.build_discriminator(shape, widths=widths, blocks=1),
            gamma=0.05,
            finite_differences=0.25,
            ema_decay=0.999,
        )
        model.compile()
        return model, 64

    def flow(shape):
        model = kg.AdversarialFlow(
            adversarial_flow.build_generator(shape, base_filters=16),
            dcgan.build_discriminator(shape, base_filters=32, batch_norm=False),
            ema_decay=0.999,
        )
        model.compile()
        return model, 64

    return {
        "DCGAN": deep_convolutional,
        "WGANGP": wasserstein,
        "SNGAN": spectrally_normalized,
        "StyleGAN2": style_based,
        "R3GAN": relativistic,
        "AdversarialFlow": flow,
    }


NAMES = ("DCGAN", "WGANGP", "SNGAN", "StyleGAN2", "R3GAN", "AdversarialFlow")


def measured(name, data, seconds, seed, take=None, count=5000, precision="float32"):
    """Trains one model and measures it: {column: number}."""
    import resource

    import keras

    import keras_gans as kg
    from keras_gans.batch_statistics import standing_statistics
    from keras_gans.evaluation.measure import extractor

    class Clock(keras.callbacks.Callback):
        """Ends the training after its seconds, which begin with the second step."""

        began = None

        def on_train_batch_end(self, batch, logs=None):
            self.began = self.began or time.perf_counter()
            if time.perf_counter() - self.began >= seconds:
                self.model.stop_training = True

    shape, classifier = DATA[data]
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(seed)
    model, batch = models()[name](shape)
    options = {} if data == "drawn:digits" else {"image_size": shape[:2]}
    train = kg.data.load(data, labels=False, batch_size=batch, seed=seed, take=take, **options)
    model.fit(train, epochs=10**6, callbacks=[Clock()], verbose=0)
    with standing_statistics(model):
        model.generate(64, seed=0)
        began = time.perf_counter()
        images = model.generate(count, seed=seed)
        generating = (time.perf_counter() - began) / count * 1000
    real = kg.data.load(data, split="test", labels=False, batch_size=1, take=count, **options)
    evaluate = kg.metrics.Evaluator(real, extractor(classifier, shape), ["frechet_distance", "precision_recall"])
    found = {key: number.value for key, number in evaluate(images).items()}
    return {
        "distance": found["frechet_distance"],
        "precision": found["precision"],
        "recall": found["recall"],
        "steps": int(model.step),
        "seconds_a_thousand": generating,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def trained(rows, arguments, child):
    """Runs what is not among the rows, each in a process of its own, and yields the rows that are asked for."""
    for name in arguments.models:
        for seed in arguments.seeds:
            job = {"data": arguments.data, "model": name, "seed": seed, "seconds": arguments.seconds,
                   "precision": arguments.precision, "take": arguments.take, "count": arguments.count}  # fmt: skip
            found = next((row for row in rows if job.items() <= row.items()), None)
            if found is None:
                done = subprocess.run([*child, json.dumps(job)], capture_output=True, text=True)
                if done.returncode != 0:
                    sys.exit(f"{name}, seed {seed}:\n{done.stderr}")
                found = {**job, **json.loads(done.stdout.splitlines()[-1])}
                with open(arguments.results, "a", encoding="utf-8") as file:
                    file.write(json.dumps(found) + "\n")
                print(f"{name}, seed {seed}: distance {found['distance']:.1f}", file=sys.stderr, flush=True)
            yield found


def shown(numbers, form):
    """The mean of numbers, with half of their range."""
    mean = form.format(statistics.mean(numbers))
    return mean if len(numbers) == 1 else f"{mean} ± {form.format((max(numbers) - min(numbers)) / 2)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", choices=DATA, default="mnist")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--models", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--results", type=Path, default=Path("which_model.jsonl"))
    parser.add_argument("--precision", choices=["float32", "mixed_bfloat16"], default="float32")
    parser.add_argument("--take", type=int, help="how many training images; all without it")
    parser.add_argument("--count", type=int, default=5000, help="how many images to measure")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        job = json.loads(arguments.job)
        print(json.dumps(measured(job.pop("model"), **job)))
        return
    lines = arguments.results.read_text(encoding="utf-8").splitlines() if arguments.results.exists() else []
    rows = list(trained([json.loads(line) for line in lines], arguments, [sys.executable, __file__, "--job"]))
    print(f"{arguments.data}, {arguments.seconds:g} seconds of steps, seeds {', '.join(map(str, arguments.seeds))}")
    print(f"| model | {' | '.join(column.replace('_', ' ') for column in COLUMNS)} |")
    print("|---" * (1 + len(COLUMNS)) + "|")
    for name in arguments.models:
        own = [row for row in rows if row["model"] == name]
        cells = [shown([row[column] for row in own], form) for column, form in COLUMNS.items()]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
