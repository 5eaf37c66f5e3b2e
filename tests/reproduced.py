"""Trains a tiny DCGAN in several ways and writes what came of each.

    python reproduced.py START.npz OUTPUT.npz [THREADS]

START gives the initial weights, or receives them where it is missing. Eight epochs of three batches; batch
normalization, no dropout. In a process of its own: threads are chosen before TensorFlow is used.
"""

import sys
from pathlib import Path

import keras
import numpy as np

BACKEND = keras.backend.backend()
if BACKEND == "tensorflow" and len(sys.argv) > 3:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[3]))
    tf.config.threading.set_inter_op_parallelism_threads(int(sys.argv[3]))

import keras_gans as kg  # noqa: E402
from keras_gans.networks.dcgan import build_discriminator, build_generator  # noqa: E402

IMAGES = kg.data.digits(26, image_size=(8, 8))[0]
OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.05),
    "adam": lambda: keras.optimizers.Adam(1e-3, beta_1=0.5),
}
WAYS = {"compiled": {}, "eager": {"run_eagerly": True}}
if BACKEND == "tensorflow":
    WAYS |= {"xla": {"jit_compile": True}, "executions": {"steps_per_execution": 3}}


def made():
    return build_generator((8, 8, 1), latent_dim=4, base_filters=4), build_discriminator((8, 8, 1), base_filters=4)


def restore(networks, start):
    with np.load(start) as file:
        weights = [file[name] for name in file.files]
    networks[0].set_weights(weights[: len(networks[0].weights)])
    networks[1].set_weights(weights[len(networks[0].weights) :])


def trained(start, optimizer, given, **compile):
    """Final trainable weights, from the weights of `start`, and images; the latents are drawn, or given and the same on
    each backend."""
    keras.utils.set_random_seed(1)
    networks = made()
    gan = kg.DCGAN(*networks, seed=5)
    if not start.exists():
        np.savez(start, *networks[0].get_weights(), *networks[1].get_weights())
    restore(networks, start)
    gan.compile(OPTIMIZERS[optimizer](), OPTIMIZERS[optimizer](), **compile)
    if given:
        noise = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
        gan.latents_like = lambda images, training=True: keras.ops.convert_to_tensor(noise)
    gan.fit(kg.data.Batches(IMAGES, batch_size=8, seed=2), epochs=8, verbose=0)
    return flat(networks), gan.generate(16, seed=0)


def flat(networks):
    variables = [variable for network in networks for variable in network.trainable_variables]
    return np.concatenate([keras.ops.convert_to_numpy(variable).ravel() for variable in variables])


if __name__ == "__main__":
    start, found = Path(sys.argv[1]), {}
    for optimizer in OPTIMIZERS:
        found[f"{optimizer} drawn"], found[f"{optimizer} images"] = trained(start, optimizer, given=False)
        for way, compile in WAYS.items():
            if (way, optimizer) == ("executions", "adam") or BACKEND == "jax" and way == "eager":
                continue
            found[f"{optimizer} {way}"], _ = trained(start, optimizer, given=True, **compile)
    networks = made()
    restore(networks, start)
    found["start"], found["images"] = flat(networks), kg.DCGAN(*networks).generate(64, seed=0)
    np.savez(sys.argv[2], **found)
