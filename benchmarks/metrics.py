"""Times the metrics of features: the Fréchet distance beside scipy's matrix square root, and the nearest neighbors.

    python benchmarks/metrics.py [--parts frechet neighbors] [--rounds 3] [--quick]

frechet: the distance of two `FeatureStatistics` of 2048 dimensions, whole, beside scipy.linalg.sqrtm of the product of
the same two covariances, alone (scipy is no dependency of ours: install it to compare). Two spectra: of features mixed
by a random matrix, where eigenvalues are enough, and variances that span eight decades along common axes, where ours
takes singular values. A ratio is the median over rounds of the ratios inside a round.

neighbors: 10 000 reals and 10 000 fakes of 2048 dimensions in float32, with the peak of memory over the inputs; then
those of 1000 standard normals beside the numbers of one draw by the paper's code. They spread from draw to draw: for
2 000 of them density is 1.00 in the mean of 16, and 0.09 its standard deviation.
"""

import argparse
import statistics
import time
import tracemalloc

import numpy as np

import keras_gans as kg

# README of https://github.com/clovaai/generative-evaluation-prdc: 10 000 each of N(0, I) in 1000 dimensions, k = 5.
REFERENCE = {"precision": 0.477, "recall": 0.470, "density": 1.056, "coverage": 0.9735}


def seconds(function, *arguments, **options):
    """The result, and the seconds that it took."""
    start = time.perf_counter()
    result = function(*arguments, **options)
    return result, time.perf_counter() - start


def spectra(dimension, count, random):
    """Yields (name, reals, fakes)."""
    mixer = random.normal(size=(dimension, dimension)) / dimension**0.5
    basis = np.linalg.qr(random.normal(size=(dimension, dimension)))[0]
    decay = basis * np.logspace(0, -4, dimension)  # deviations; the variances span twice the decades
    one, two = random.normal(size=(2, count, dimension))
    yield "mixed normals", one @ mixer, 1.1 * two @ mixer.T
    yield "eight decades", one @ decay.T, 1.1 * two @ decay.T


def frechet(options):
    try:
        import scipy.linalg
    except ImportError:
        scipy = None
        print("scipy is not installed, so ours is timed alone: pip install scipy to compare.")
    dimension = 128 if options.quick else 2048
    print(
        f"\n{'frechet, ' + str(dimension):20} {'ours, s':>10} {'sqrtm, s':>10} {'ratio':>8} {'relative difference':>20}"
    )
    for name, real, fake in spectra(dimension, 3 * dimension, np.random.default_rng(0)):
        real, fake = kg.metrics.FeatureStatistics.of(real), kg.metrics.FeatureStatistics.of(fake)
        first, second, shift = real.covariance, fake.covariance, real.mean - fake.mean
        rest = shift @ shift + np.trace(first) + np.trace(second)
        times = []
        for _ in range(options.rounds):
            distance, ours = seconds(kg.metrics.frechet_distance, real=real, fake=fake)
            root, theirs = (np.nan, np.nan) if scipy is None else seconds(scipy.linalg.sqrtm, first @ second)
            times.append((ours, theirs))
        difference = abs((rest - distance) / 2.0 / np.trace(np.atleast_2d(root)).real - 1.0)
        ours, theirs = (statistics.median(column) for column in zip(*times))
        ratio = statistics.median(b / a for a, b in times)
        print(f"{name:20} {ours:10.3f} {theirs:10.3f} {ratio:8.1f} {difference:20.1e}", flush=True)


def neighbors(options):
    count, dimension = (500, 64) if options.quick else (10_000, 2048)
    random = np.random.default_rng(0)
    real, fake = (random.normal(size=(count, dimension)).astype("float32") for _ in range(2))
    print(f"\n{f'neighbors, {count} x {dimension}':30} {'seconds':>10} {'peak over the inputs, MiB':>28}")
    for metric in (kg.metrics.precision_recall, kg.metrics.density_coverage):
        tracemalloc.start()
        _, elapsed = seconds(metric, real=real, fake=fake)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(f"{metric.__name__:30} {elapsed:10.2f} {peak / 2**20:28.0f}", flush=True)

    real, fake = (random.normal(size=(count, 1000)) for _ in range(2))
    near = kg.metrics.precision_recall(real=real, fake=fake, neighbors=5)
    dense = kg.metrics.density_coverage(real=real, fake=fake, neighbors=5)
    print(f"\n{f'{count} x N(0, I) of 1000':30} {'ours':>10} {'code of the paper, 10 000':>28}")
    for name, value in {**vars(near), **vars(dense)}.items():
        print(f"{name:30} {value:10.4f} {REFERENCE[name]:28.4f}")


PARTS = {"frechet": frechet, "neighbors": neighbors}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="every code path in seconds; numbers of no meaning")
    options = parser.parse_args()
    for part in options.parts:
        PARTS[part](options)


if __name__ == "__main__":
    main()
