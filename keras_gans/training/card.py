"""What a card says about a training: the recipe's words, the settings, the machine and the packages."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import keras
from keras import ops

from keras_gans import zoo
from keras_gans.training.recipe import Recipe
from keras_gans_core import cards

PACKAGES = ("keras-gans", "keras", "tensorflow", "jax", "torch", "numpy")
WORDS = ("title", "limits", "not_good_for")  # texts of a recipe, for its card


def update_card(recipe, folder):
    """Updates the card of an earlier run with the recipe's words (`WORDS`) and the trained model's settings.

    What the run measured stays.

    Args:
        recipe: function from `smoke` to a `Recipe` or a `ClassifierRecipe`.
        folder: the preset's.

    Raises:
        CorruptPresetError: no card there.
    """
    folder = Path(folder)
    run = recipe(smoke=True)
    changes = words(run)
    if isinstance(run, Recipe):
        changes["hyper_parameters"] = zoo.load_file(cards.path_of(folder, "model.keras")).hyper_parameters
    zoo.update_card(folder, changes)


def check_card(run):
    """Refuses, before training, data and words that the card of a `Recipe` or a `ClassifierRecipe` cannot hold.

    Raises:
        ConfigurationError: such as more names of classes than fit into a megabyte.
    """
    blank = {"preset": "", "variant": "", "sha256": "", "size": 0, "image_shape": [1, 1]}
    names = run.dataset.about.get("classes")  # twice: of the data, and of the model's labels
    cards.card_text({**blank, **words(run), "dataset": run.dataset.about, "label_names": names})


def words(run):
    """A recipe's words, for its card."""
    return {name: getattr(run, name) for name in WORDS}


def training_card(model, run, progress):
    """What the card says about the training; see `zoo.write_preset` for what it says about the file."""
    second = list(model.players)[1]
    return {
        **words(run),
        "dataset": {**run.dataset.about, "fingerprint": progress["data"]},
        "training": {
            "seed": progress["seed"],
            "steps": int(ops.convert_to_numpy(model.step)),
            "epochs": progress.get("epochs", 0),
            **({"phases": progress["phases"]} if len(run.phases) > 1 else {}),
            "batch_size": run.dataset.batch_size,
            "discriminator_steps": model.discriminator_steps,
            "ema_decay": model.ema_decay,
            "dtype_policy": model.dtype_policy.name,
            "g_optimizer": optimizer_settings(model.g_optimizer),
            "d_optimizer": optimizer_settings(model.d_optimizer),
            f"{second}_parameters": sum(network.count_params() for network in model.networks(*model.players[second])),
            "wall_seconds": round(progress["wall_seconds"], 1),
            "final_losses": progress.get("final_losses", {}),
            **surroundings(),
        },
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
    return f"{os.cpu_count()} x {platform.machine()} CPU"


def _commit():
    try:
        here = Path(__file__).parent
        return subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
