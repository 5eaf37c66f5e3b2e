"""Trains tiny models of the variants on one device and on two that share their batches; prints how far apart they are.

    python replicas.py FOLDER TestDCGAN ...

FOLDER receives the weights of one device. With the environment variable TF_CONFIG it is one of several machines, reads
them there, and prints how far the machines end from them.

In a process of its own: a CPU is divided into devices before it is used, or not at all.
"""

import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"  # what JAX needs; TensorFlow is told by shared_by

import keras  # noqa: E402
import numpy as np  # noqa: E402

from keras_gans import engine  # noqa: E402

engine.shared_by(2)  # before the first tensor

from contract import VariantContract, equal, largest_difference, values  # noqa: E402

import keras_gans as kg  # noqa: E402
from keras_gans.errors import ConfigurationError  # noqa: E402
from keras_gans.models import pacgan  # noqa: E402


def contracts():
    """{name: class} of the tests of all variants."""
    found = {}
    for path in sorted((Path(__file__).parent / "models").glob("test_*.py")):
        module = importlib.import_module(f"models.{path.stem}")
        tests = [test for test in vars(module).values() if isinstance(test, type) and issubclass(test, VariantContract)]
        found.update({test.__name__: test for test in tests if test is not VariantContract})
    return found


def without_what_differs():
    """Batch normalization over the whole batch: with statistics of its own share a replica is another model. And no
    dropout: on TensorFlow Keras draws the same mask for each replica's share."""
    normalization, dropout = keras.layers.BatchNormalization.__init__, keras.layers.Dropout.__init__
    keras.layers.BatchNormalization.__init__ = lambda self, **o: normalization(self, **{**o, "synchronized": True})
    keras.layers.Dropout.__init__ = lambda self, rate, **options: dropout(self, 0.0, **options)


def made(contract):
    sgd = keras.optimizers.SGD
    return contract.gan(ema_decay=0.9, compile={"g_optimizer": sgd(0.05), "d_optimizer": sgd(0.05)})


def trained(contract, gan):
    networks = gan.networks(*(name for names in gan.players.values() for name in names))
    variables = [*(variable for network in networks for variable in network.weights), *gan.ema.weights]
    before = values(variables)
    history = gan.fit(contract.batches(), epochs=1, verbose=0).history
    return before, values(variables), np.array([losses[-1] for losses in history.values()])


def saved(gan):
    with tempfile.TemporaryDirectory() as folder:
        gan.save(f"{folder}/model.keras")
        return keras.saving.load_model(f"{folder}/model.keras")


def of_a_machine(contract, folder):
    with engine.shared_by(1):  # by all machines
        gan = made(contract)
    _, weights, logs = trained(contract, gan)
    with np.load(folder / f"{type(contract).__name__}.npz") as alone:
        theirs = [alone[name] for name in alone.files]
    return {
        "machines": engine.machine_of(gan)[1],
        "weights": largest_difference(weights, theirs[1:]),
        "logs": float(np.abs(logs - theirs[0]).max()),
    }


def compared(contract, folder):
    with engine.shared_by(1):
        alone = made(contract)
    before, weights, logs = trained(contract, alone)
    np.savez(folder / f"{type(contract).__name__}.npz", logs, *weights)
    with engine.shared_by(2):
        shared = made(contract)
    _, others, other_logs = trained(contract, shared)
    count = engine.devices_of(shared)
    return {
        "devices": count,
        "moved": largest_difference(weights, before),
        "weights": largest_difference(weights, others),
        "logs": float(np.abs(logs - other_logs).max()),
        "saved_and_loaded_on_one": equal(values(saved(shared).weights), values(shared.weights)),
    }


def refusals():
    """What Keras cannot do on TensorFlow's replicas."""

    def message(function):
        try:
            function()
        except ConfigurationError as error:
            return str(error)

    outside = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
    with engine.shared_by(2):
        gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
        gan.compile()
        packed = kg.PacGAN(pacgan.build_point_generator(), pacgan.build_point_discriminator(2))
        packed.compile()
        odd = kg.data.Batches(np.zeros((9, 8, 8, 1), "uint8"), batch_size=3)
        half_packs = kg.data.points(np.zeros((12, 2)), scale=1.0, batch_size=6)
        return {
            "jit_compile": message(lambda: gan.compile(jit_compile=True)),
            "steps_per_execution": message(lambda: gan.compile(steps_per_execution=4)),
            "outside": message(lambda: kg.GAN(outside.generator, outside.discriminator).compile()),
            "odd": message(lambda: gan.fit(odd, verbose=0)),
            "half packs": message(lambda: packed.fit(half_packs, verbose=0)),
            "again": message(lambda: engine.shared_by(3)),
        }


if __name__ == "__main__":
    tensorflow, machine = keras.backend.backend() == "tensorflow", "TF_CONFIG" in os.environ
    if tensorflow and not machine:
        print(json.dumps({"refusals": refusals()}), flush=True)
    if tensorflow:
        without_what_differs()
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    for name, contract in contracts().items():
        if name in names:
            about = of_a_machine(contract(), folder) if machine else compared(contract(), folder)
            print(json.dumps({name: about}), flush=True)
