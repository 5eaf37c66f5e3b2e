"""Times what the style-based models and R3GAN compute against the other ways to compute the same.

    python benchmarks/high_fidelity.py [--rounds 9] [--quick]

- modulated convolution: scaled inputs and outputs (ours) against a kernel for each example in a grouped convolution,
  forward and backward, 32 maps of 16x16 with 64 channels;
- R3GAN: a step at 32x32 with finite differences on a quarter of the batch against exact penalties;
- StyleGAN2: `generate(64)` at 64x64 with truncation against `predict` of its generator on styles that are there.

Each is warmed up. A round times each call once, one after the other, so that all see the same machine; a ratio is the
median over rounds of the ratios inside a round.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow

TARGETS = {"modulated convolution": 1.5, "R3GAN step": 1.5, "generate(64)": 1.0}


def grouped(x, styles, kernel):
    """What `ModulatedConv2D` computes, by a kernel for each example."""
    from keras import ops

    count, height, width, channels = x.shape
    kernels = kernel[None] * styles[:, None, None, :, None]
    kernels = kernels * ops.rsqrt(ops.sum(ops.square(kernels), axis=(1, 2, 3), keepdims=True) + 1e-8)
    kernels = ops.reshape(ops.transpose(kernels, (1, 2, 3, 0, 4)), (*kernel.shape[:3], count * kernel.shape[3]))
    x = ops.reshape(ops.transpose(x, (1, 2, 0, 3)), (1, height, width, count * channels))
    made = ops.conv(x, kernels, padding="same", data_format="channels_last")
    return ops.transpose(ops.reshape(made, (height, width, count, -1)), (2, 0, 1, 3))


def convolutions(quick):
    import numpy as np
    import tensorflow as tf

    from keras_gans.layers import ModulatedConv2D

    random, (count, side, channels) = np.random.default_rng(0), (2, 4, 4) if quick else (32, 16, 64)
    layer = ModulatedConv2D(channels)
    x = tf.constant(random.normal(size=(count, side, side, channels)), "float32")
    styles = tf.constant(random.normal(1.0, 0.3, (count, channels)), "float32")
    layer([x, styles])

    def timed(form):
        @tf.function
        def both_ways():
            with tf.GradientTape() as tape:
                tape.watch((x, styles))
                made = form()
                loss = tf.reduce_sum(made * made)
            return made, tape.gradient(loss, (x, styles, layer.kernel.value))

        return lambda: tf.nest.map_structure(lambda tensor: tensor.numpy(), both_ways())

    calls = {
        "ours": timed(lambda: layer([x, styles])),
        "grouped": timed(lambda: grouped(x, styles, tf.convert_to_tensor(layer.kernel))),
    }
    (ours, slopes), (theirs, their_slopes) = (call() for call in calls.values())
    for one, other in zip((ours, *slopes), (theirs, *their_slopes)):
        np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-3 * np.abs(other).max())
    return calls


def r3gan_steps(quick):
    import numpy as np

    import keras_gans as kg

    side, batch = (8, 4) if quick else (32, 64)
    images = np.random.default_rng(0).integers(0, 256, (batch, side, side, 3)).astype("uint8")

    def step(share):
        model = kg.R3GAN(image_shape=(side, side, 3), finite_differences=share)
        model.compile()
        return lambda: model.train_on_batch(images)

    return {"finite differences": step(0.25), "exact": step(None)}


def generations(quick):
    import keras_gans as kg

    side, count = (16, 4) if quick else (64, 64)
    model = kg.StyleGAN2(image_shape=(side, side, 3))
    model.generate(2, seed=0)
    styles = model.to_styles(count, seed=0)
    inputs = [styles, *(map.numpy() for map in model.constant_maps(count))]
    return {
        "generate": lambda: model.generate(count, seed=0, truncation_psi=0.7),
        "predict": lambda: model.generator.predict(inputs, batch_size=64, verbose=0),
    }


WORK = {"modulated convolution": convolutions, "R3GAN step": r3gan_steps, "generate(64)": generations}


def compare(calls, rounds):
    """Rows (call, median milliseconds, median of how many times faster the first call is)."""
    times = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(2):
            call()
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    ours = next(iter(times.values()))
    return [
        (name, statistics.median(own) * 1e3, statistics.median(other / mine for other, mine in zip(own, ours)))
        for name, own in times.items()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="small sizes, whose numbers mean nothing")
    arguments = parser.parse_args()
    print(f"{'work':22} {'by':20} {'ms':>9} {'time over ours':>15} {'target':>7}")
    for work, calls in WORK.items():
        for i, (name, milliseconds, ratio) in enumerate(compare(calls(arguments.quick), arguments.rounds)):
            target = f"{TARGETS[work]:.1f}" if i else ""
            print(f"{work:22} {name:20} {milliseconds:9.1f} {ratio:15.2f} {target:>7}", flush=True)


if __name__ == "__main__":
    main()
