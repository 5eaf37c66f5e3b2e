"""Times sampling against Keras's `predict` on the same generator, a DCGAN of 64x64x3 images.

    python benchmarks/generate.py [--rounds 15]

Both are warmed up. A round times each call once, one after the other, so that all see the same machine; a ratio is the
median over rounds of the ratios inside a round. `generate` starts from a seed and ends in uint8; `predict` is given its
latents and ends in float32.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow

TARGETS = {1: 10.0, 64: 1.5}  # how many times faster than predict, for each batch


def calls(count):
    """The calls to compare, each without arguments; all make `count` images of one model."""
    import keras_gans as kg

    model = kg.DCGAN(image_shape=(64, 64, 3), seed=0)
    latents = model.prior(model.noise(count, seed=0))
    seeds = list(range(count))
    return {
        f"predict({count})": lambda: model.generator.predict(latents, verbose=0),
        f"generate({count})": lambda: model.generate(count, seed=0),
        f"generate(seed=[{count}])": lambda: model.generate(seed=seeds),  # one at a time: the same in any batch
    }


def compare(count, rounds):
    """Rows (call, median milliseconds, median of how many times faster than predict)."""
    candidates = calls(count)
    times = {name: [] for name in candidates}
    for call in candidates.values():
        for _ in range(2):
            call()
    for _ in range(rounds):
        for name, call in candidates.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    predict = times[f"predict({count})"]
    return [
        (name, statistics.median(own) * 1e3, statistics.median(other / mine for other, mine in zip(predict, own)))
        for name, own in times.items()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"{'call':20} {'ms':>9} {'times faster':>13} {'target':>7}")
    for count, target in TARGETS.items():
        for name, milliseconds, ratio in compare(count, rounds):
            shown = f"{target:.1f}" if name == f"generate({count})" else ""
            print(f"{name:20} {milliseconds:9.1f} {ratio:13.2f} {shown:>7}", flush=True)


if __name__ == "__main__":
    main()
