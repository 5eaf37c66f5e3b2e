"""What a model's card says about its training, as far as the model and the machine know it."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import keras
from keras import ops

from keras_gans import engine

PACKAGES = ("keras-gans", "keras", "tensorflow", "jax", "torch", "numpy")


def settings(model):
    """The steps and the settings of a model's training; those of its optimizers, if it is compiled."""
    second = list(model.players)[1]
    optimizers = {"g_optimizer": model.g_optimizer, "d_optimizer": model.d_optimizer}
    return {
        "steps": int(ops.convert_to_numpy(model.step)),
        "discriminator_steps": model.discriminator_steps,
        "ema_decay": model.ema_decay,
        "dtype_policy": model.dtype_policy.name,
        **{name: optimizer_settings(optimizer) for name, optimizer in optimizers.items() if optimizer is not None},
        f"{second}_parameters": sum(network.count_params() for network in model.networks(*model.players[second])),
    }


def surroundings():
    """The machine, the backend, the packages and the commit of a training."""
    return {
        "device": _device(),
        "backend": keras.backend.backend(),
        "packages": _versions(),
        "commit": _commit(),
    }


def optimizer_settings(optimizer):
    """An optimizer's settings, without the options that it does not use."""
    return {key: value for key, value in optimizer.get_config().items() if value not in (None, False)}


def _versions():
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _device():
    return ", ".join(engine.accelerators()) or f"{os.cpu_count()} x {platform.machine()} CPU"


def _commit():
    try:
        here = Path(__file__).parent
        return subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
