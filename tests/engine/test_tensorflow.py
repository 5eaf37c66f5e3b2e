"""What the TensorFlow engine promises beyond the others: compiled noise, and replicas that share a batch."""

import subprocess
import sys

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("the TensorFlow engine", allow_module_level=True)

import tensorflow as tf  # noqa: E402

from keras_gans import engine  # noqa: E402


@pytest.mark.parametrize("jit_compile", [False, True])
def test_noise_is_the_same_compiled_or_not(jit_compile):
    eager, compiled = keras.random.SeedGenerator(3), keras.random.SeedGenerator(3)
    draw = tf.function(lambda: engine.normal((5, 7), compiled), jit_compile=jit_compile)
    for _ in range(3):
        np.testing.assert_allclose(draw().numpy(), engine.normal((5, 7), eager).numpy(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_seeded_noise_is_the_same_compiled_or_not(jit_compile):
    seeds = tf.constant([0, 7, -1], "int64")
    draw = tf.function(lambda seeds: engine.seeded_normal(seeds, 6), jit_compile=jit_compile)
    np.testing.assert_allclose(draw(seeds).numpy(), engine.seeded_normal(seeds, 6).numpy(), rtol=0, atol=2e-6)


def test_one_trace_serves_every_batch_size():
    traces = []

    def fn(inputs):
        traces.append(inputs["x"].shape)
        return {"double": 2.0 * inputs["x"]}

    compiled = engine.function(fn)
    for count in (1, 4, 9):
        compiled({"x": np.ones((count, 3))})
    assert len(traces) == 1
    compiled({"x": np.ones((1, 4))})
    assert len(traces) == 2


TWO_REPLICAS = """
import keras, numpy as np, tensorflow as tf
from keras import layers
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras_gans as kg
from keras_gans import engine

images = np.random.default_rng(0).integers(0, 256, (32, 4, 4, 1)).astype("uint8")

def train(strategy):
    with strategy.scope():
        keras.utils.set_random_seed(0)
        generator = keras.Sequential([keras.Input((3,)), layers.Dense(16, "tanh"), layers.Reshape((4, 4, 1))])
        scores = [layers.Flatten(), layers.Dense(8, "tanh"), layers.Dense(1)]
        discriminator = keras.Sequential([keras.Input((4, 4, 1)), *scores])
        gan = kg.DCGAN(generator, discriminator, seed=1, ema_decay=0.9)
        gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    history = gan.fit(kg.data.Batches(images, batch_size=8, seed=0), epochs=2, verbose=0).history
    return [w.numpy() for w in gan.weights], history, gan

one, one_log, _ = train(tf.distribute.get_strategy())
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
two, two_log, gan = train(strategy)
print("weights", max(np.abs(a - b).max() for a, b in zip(one, two)))
print("losses", max(abs(a - b) for name in one_log for a, b in zip(one_log[name], two_log[name])))

with strategy.scope():
    shared = keras.random.SeedGenerator(5)
whole = engine.normal((6, 2), keras.random.SeedGenerator(5)).numpy()
parts = strategy.run(lambda: engine.normal((3, 2), shared)).values
print("noise", np.abs(np.concatenate([part.numpy() for part in parts]) - whole).max())
"""


def test_two_replicas_train_as_one():
    """They share a batch and its noise, and sum their gradients: the weights are those of one device."""
    done = subprocess.run([sys.executable, "-c", TWO_REPLICAS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    differences = dict(line.split() for line in done.stdout.strip().splitlines()[-3:])
    assert set(differences) == {"weights", "losses", "noise"}
    assert all(float(difference) < 1e-6 for difference in differences.values()), differences
