"""Are samples from training in bfloat16 worse than from training in float32?

    python benchmarks/bfloat16.py [--data mnist] [--steps 3000] [--seeds 3]

Trains the same small DCGAN under the dtype policies float32 and mixed_bfloat16, with the same seeds, batches and
noise, and prints the Fréchet distance of its samples to the data, on the leading principal components of the
pixels:

    |mean - mean'|^2 + tr(C + C' - 2 (C C')^(1/2))

It ranks runs of this script only: the features are neither Inception's nor another data set's. The row "real" is the
distance of two halves of the data, below which nothing can be told.
"""

import argparse
import os
import statistics

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow

import keras
import numpy as np

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator

COMPONENTS = 48
POLICIES = ("float32", "mixed_bfloat16")
COUNT = 5000  # images on each side


def components(images):
    """The function from uint8 images to their `COMPONENTS` leading principal components, fitted on `images`."""
    flat = flatten(images)
    mean = flat.mean(0)
    _, _, basis = np.linalg.svd(flat - mean, full_matrices=False)
    return lambda others: (flatten(others) - mean) @ basis[:COMPONENTS].T


def flatten(images):
    """float64 rows of pixels in [-1, 1]; large images at half their size, in both directions."""
    images = images / 127.5 - 1.0
    if images.shape[1] >= 64:
        images = (images[:, ::2, ::2] + images[:, 1::2, ::2] + images[:, ::2, 1::2] + images[:, 1::2, 1::2]) / 4
    return images.reshape(len(images), -1)


def frechet(a, b):
    """The Fréchet distance of two sets of features, each taken for a Gaussian."""
    c, d = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(c)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    # tr (C D)^(1/2) is the sum of the roots of the eigenvalues of the symmetric C^(1/2) D C^(1/2)
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ d @ root), 0)).sum()
    return float(np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(c) + np.trace(d) - 2 * cross)


def samples(policy, seed, dataset, steps):
    """Images from a DCGAN trained for `steps`."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(policy)
    shape = dataset.image_shape
    model = kg.DCGAN(
        build_generator(shape, latent_dim=64, base_filters=32),
        build_discriminator(shape, base_filters=32),
        ema_decay=0.995,
        seed=seed,
    )
    model.compile()
    model.fit(dataset, epochs=1, steps_per_epoch=steps, verbose=0)
    return model.generate(COUNT, seed=seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="mnist", help="as for kg.data.load; `drawn:digits` needs no files")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    dataset = kg.data.load(options.data, labels=False, batch_size=64)
    images = np.random.default_rng(0).permutation(np.asarray(dataset.images))[: 2 * COUNT]
    features = components(images)
    half = len(images) // 2
    print(f"real            {frechet(features(images[:half]), features(images[half:])):8.3f}", flush=True)
    found = {policy: [] for policy in POLICIES}
    for seed in range(options.seeds):
        for policy in POLICIES:
            distance = frechet(features(images), features(samples(policy, seed, dataset, options.steps)))
            found[policy].append(distance)
            print(f"{policy:15} {distance:8.3f}   seed {seed}", flush=True)
    for policy, distances in found.items():
        spread = statistics.stdev(distances) / len(distances) ** 0.5 if len(distances) > 1 else float("nan")
        print(f"{policy:15} {statistics.mean(distances):8.3f} +- {spread:.3f}, mean of {len(distances)} seeds")


if __name__ == "__main__":
    main()
