"""Runs a recipe: trains, checkpoints every epoch, and writes the model with its card.

python -m keras_gans.training zoo/dcgan_mnist/recipe.py        the same as: keras-gans train dcgan_mnist
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import keras
from keras import ops

from keras_gans import engine, zoo
from keras_gans.callbacks import Checkpoint, SampleGrid, resume
from keras_gans.callbacks.checkpoint import NEWEST
from keras_gans.callbacks.folders import make_writable
from keras_gans.data import Batches
from keras_gans.errors import CheckpointError, ConfigurationError
from keras_gans.images import replacing, to_float
from keras_gans.metrics import predict_attributes, predict_classes
from keras_gans.model import AdversarialModel
from keras_gans_cli.cards import read_card
from keras_gans_cli.errors import shown

PACKAGES = ("keras-gans", "keras", "tensorflow", "jax", "torch", "numpy")
WORDS = ("title", "limits", "not_good_for")  # of a recipe, for its card


@dataclass
class Recipe:
    """What a recipe file's `recipe(smoke)` returns.

    Args:
        model: a compiled model.
        dataset: what `kg.data.load` returned.
        epochs: passes over the data.
        callbacks: Keras callbacks of the run, beside the sample grids and checkpoints that every run has.
        title: one line for the card.
        limits: what the budget limits, for the card.
        not_good_for: what the model should not be used for, for the card.
    """

    model: AdversarialModel
    dataset: Batches
    epochs: int
    callbacks: list = field(default_factory=list)
    title: str = ""
    limits: str = ""
    not_good_for: str = ""


@dataclass
class ClassifierRecipe:
    """What a recipe file's `recipe(smoke)` returns for a classifier.

    Args:
        model: a compiled Keras model, images in [-1, 1] to logits.
        dataset: what `kg.data.load` returned, with labels: classes (N,), or yes/no attributes (N, K).
        test: the same of images that are not trained on: the card says how many of them it gets right.
        epochs: passes over the data.
        title: one line for the card.
        limits: what the budget limits, for the card.
        not_good_for: what the model should not be used for, for the card.
    """

    model: keras.Model
    dataset: Batches
    test: Batches
    epochs: int
    title: str = ""
    limits: str = ""
    not_good_for: str = ""


def read_recipe(path):
    """The function `recipe` of the Python file `path`.

    Raises:
        ConfigurationError: no such file, or one without `recipe(smoke=False)`.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigurationError(f"Expected a recipe file. Received: {path}, which is no file.")
    spec = importlib.util.spec_from_file_location(f"recipe_{path.parent.name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(getattr(module, "recipe", None)):
        raise ConfigurationError(f"Expected {path} to define recipe(smoke=False). Received: no such function.")
    return module.recipe


def variant_recipe(
    variant, source="drawn:digits", *, image_size=None, labels=None, batch_size=64, download=False, epochs=25
):
    """The recipe of a variant with its paper's networks and optimizers on any data.

    Args:
        variant: a class such as `keras_gans.DCGAN`.
        source, image_size, download: see `kg.data.load`, or `kg.data.load_text` for a variant of text.
        labels: of a TFDS data set, the name of the feature that is to be the labels; None for "label".
        batch_size: images of one discriminator update; a step deals out `discriminator_steps` times as many.
        epochs: passes over the data.

    Returns:
        A function from `smoke` to a `Recipe`, for `train`.
    """

    def recipe(smoke=False):
        dataset = variant.load_data(
            source,
            image_size=image_size,
            batch_size=batch_size,
            download=download,
            take=4 * batch_size if smoke else None,
            **({} if labels is None else {"labels": labels}),
        )
        model = variant.for_data(dataset, ema_decay=0.999)
        model.compile()
        dataset.batch_size = min(batch_size * model.discriminator_steps, len(dataset.images))
        return Recipe(
            title=f"{variant.__name__} on {dataset.about.get('name', source)}",
            dataset=dataset,
            model=model,
            epochs=1 if smoke else epochs,
            callbacks=model.run_callbacks(dataset),
        )

    return recipe


def train(
    recipe,
    output,
    *,
    seed=0,
    smoke=False,
    epochs=None,
    resume_from=None,
    checkpoint_steps=None,
    devices=1,
    verbose="auto",
):
    """Trains what a recipe says and writes the result as a preset.

    The same recipe and seed give the same weights on the same device. Each epoch's end is checkpointed in `output`, and
    in long epochs every five minutes; a run that was interrupted goes on from there with `resume_from=output`, as if it
    had not been. `progress.json` holds the logs of all epochs.

    A classifier, which trains in minutes, is written when it is done: without checkpoints, and not to be resumed.

    Args:
        recipe: function from `smoke` to a `Recipe` or a `ClassifierRecipe`; called after the seed is set.
        output: folder for `model.keras`, `card.json`, `golden.npz`, `samples.png` and the checkpoints.
        seed: names the initial weights and the noise.
        smoke: a rehearsal of seconds.
        epochs: instead of the recipe's.
        resume_from: folder of a run to go on with.
        devices: how many share each batch: GPUs, or parts of a CPU (a rehearsal); see docs/devices.md. Where TF_CONFIG
            names a cluster, its machines share it with all their GPUs, and the first one writes the files.
        checkpoint_steps: steps from one checkpoint within an epoch to the next, beside those every five minutes.
        verbose: as in `keras.Model.fit`.

    Returns:
        The trained model.

    Raises:
        CheckpointError: nothing to resume, a run of another variant or with other data, or a classifier; or, with
            nothing to be resumed, an `output` that holds an unfinished run, which would be lost.
        OutputError: `output` cannot be written to.
        ConfigurationError, UnsupportedError: more devices than there are, or several with PyTorch.
    """
    output = Path(output)
    if resume_from is None:
        _refuse_an_unfinished_run(output)
    with engine.shared_by(devices):
        keras.utils.set_random_seed(seed)
        run = recipe(smoke)
    epochs = epochs or run.epochs
    if isinstance(run, ClassifierRecipe):
        if resume_from is not None:
            raise CheckpointError(
                f"Expected a run of a model that generates, to go on with. Received: {resume_from} and a classifier's "
                "recipe. Leave out the folder to resume from: it trains anew."
            )
        return _train_classifier(run, output, seed, epochs, verbose)
    progress = {
        "wall_seconds": 0.0,
        "seed": seed,
        "data": run.dataset.fingerprint(),
        "batch_size": run.dataset.batch_size,
        "history": [],
    }
    model = run.model
    if resume_from is not None:
        with engine.shared_by(devices):
            model = resume(resume_from)
        if type(model) is not type(run.model):
            raise CheckpointError(
                f"Expected a run of {type(run.model).__name__}, to go on with. Received: {resume_from}, of "
                f"{type(model).__name__}. Resume with the recipe or the variant that started the run."
            )
        before = _read_progress(Path(resume_from))
        for key, name in (("data", "the same data"), ("batch_size", "the same batch size")):
            if (known := before.get(key)) != progress[key]:
                raise CheckpointError(
                    f"Expected {name} as the run in {resume_from}. Received: {progress[key]} instead of {known}. "
                    "Resume with the recipe and data that started the run."
                )
        progress |= before
    done = int(ops.convert_to_numpy(model.step)) // len(run.dataset)
    checkpoint = _RunCheckpoint(output, progress, every_steps=checkpoint_steps, every_minutes=5)
    model.fit(
        run.dataset,
        initial_epoch=done,
        epochs=epochs,
        callbacks=[*run.callbacks, SampleGrid(output / "samples"), checkpoint],
        verbose=verbose,
    )
    if engine.writes_files(model):
        zoo.write_preset(model, output, _card(model, run, checkpoint.progress))
    return model


def _train_classifier(run, output, seed, epochs, verbose):
    make_writable(output)
    started = time.monotonic()
    floats = Batches(
        ops.convert_to_numpy(to_float(run.dataset.images)),
        run.dataset.labels,
        batch_size=run.dataset.batch_size,
        seed=seed,
    )
    batches = floats.following(lambda: int(ops.convert_to_numpy(run.model.optimizer.iterations)))
    history = run.model.fit(batches, epochs=epochs, shuffle=False, verbose=verbose).history
    seconds = time.monotonic() - started
    attributes = run.test.labels.ndim == 2
    protocol = "share of the images whose largest logit is their label's, each scored once, not augmented"
    if attributes:
        protocol = "share of the yes/no attributes that their logit's sign tells, each scored once, not augmented"
    predict = predict_attributes if attributes else predict_classes
    right = predict(run.model, run.test.images) == run.test.labels
    accuracy = {
        "value": float(right.mean()),
        "protocol": protocol,
        "split": run.test.about.get("split"),
        "examples": len(right),
        "fingerprint": run.test.fingerprint(),
    }
    if attributes:
        accuracy["of_each"] = dict(zip(run.test.about["classes"], right.mean(axis=0).tolist()))
    card = {
        **_words(run),
        "dataset": {**run.dataset.about, "fingerprint": run.dataset.fingerprint()},
        "metrics": {"accuracy": accuracy},
        "training": {
            "seed": seed,
            "steps": int(ops.convert_to_numpy(run.model.optimizer.iterations)),
            "epochs": epochs,
            "batch_size": run.dataset.batch_size,
            "optimizer": _settings(run.model.optimizer),
            "wall_seconds": round(seconds, 1),
            "final_losses": {name: float(values[-1]) for name, values in history.items()},
            **_surroundings(),
        },
    }
    zoo.write_classifier(run.model, output, run.test.images[:32], card, attributes)
    return run.model


class _RunCheckpoint(Checkpoint):
    """Keeps beside the checkpoint what the card must know of the whole run, interruptions included."""

    def __init__(self, folder, progress, **options):
        super().__init__(folder, **options)
        self.progress = progress

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.started = time.monotonic() - self.progress["wall_seconds"]
        self._write_progress()  # the first checkpoint may come before the first epoch's end

    def on_epoch_end(self, epoch, logs=None):
        losses = {name: float(value) for name, value in (logs or {}).items()}
        history = [*self.progress["history"][:epoch], losses]
        self.progress.update(epochs=epoch + 1, final_losses=losses, history=history)
        super().on_epoch_end(epoch, logs)

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        self.progress["wall_seconds"] = time.monotonic() - self.started  # a recipe's callback may have gone on

    def _save(self):
        self.progress["wall_seconds"] = time.monotonic() - self.started
        self._write_progress()
        super()._save()

    def _write_progress(self):
        if not engine.writes_files(self.model):
            return
        with replacing(self.folder / "progress.json") as path:
            path.write_text(json.dumps(self.progress, indent=1) + "\n", encoding="utf-8")


def _refuse_an_unfinished_run(folder):
    """A finished one has a card, which is written last, and may be trained anew."""
    checkpoint, card = folder / NEWEST, folder / "card.json"
    if checkpoint.exists() and not (card.exists() and card.stat().st_mtime >= checkpoint.stat().st_mtime):
        raise CheckpointError(
            f"Expected a folder without an unfinished run. Received: {folder}, with {checkpoint.name}. Go on with that "
            f"run (--resume {folder}), choose another folder (--output), or delete this one."
        )


def _read_progress(folder):
    try:
        progress = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
        kinds = {"wall_seconds": float, "seed": int, "data": str, "batch_size": int, "history": list}
        if not isinstance(progress, dict) or not all(
            isinstance(progress.get(key, kind()), kind) for key, kind in kinds.items()
        ):
            raise ValueError(f"entries that no run writes: {progress!r}")
        return progress
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"Expected the file progress.json of a run in {folder}. Received: {shown(error)}. Start the training anew."
        ) from error


def retell(recipe, folder):
    """Puts the words of a recipe (`WORDS`) and the settings of the trained model into the card of a run that it made
    earlier.

    What the run measured stays.

    Args:
        recipe: function from `smoke` to a `Recipe` or a `ClassifierRecipe`.
        folder: of the preset.

    Raises:
        CorruptPresetError: no card there.
    """
    folder = Path(folder)
    run = recipe(smoke=True)
    card = {**read_card(folder), **_words(run)}
    if isinstance(run, Recipe):
        card["hyper_parameters"] = zoo.load_file(folder / "model.keras").hyper_parameters
    with replacing(folder / "card.json") as path:
        path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def _words(run):
    return {name: getattr(run, name) for name in WORDS}


def _card(model, run, progress):
    """What the card says of the training; see `zoo.write_preset` for what it says of the file."""
    return {
        **_words(run),
        "dataset": {**run.dataset.about, "fingerprint": progress["data"]},
        "training": {
            "seed": progress["seed"],
            "steps": int(ops.convert_to_numpy(model.step)),
            "epochs": progress.get("epochs", 0),
            "batch_size": run.dataset.batch_size,
            "discriminator_steps": model.discriminator_steps,
            "ema_decay": model.ema_decay,
            "dtype_policy": model.dtype_policy.name,
            "g_optimizer": _settings(model.g_optimizer),
            "d_optimizer": _settings(model.d_optimizer),
            "discriminator_parameters": int(model.discriminator.count_params()),
            "wall_seconds": round(progress["wall_seconds"], 1),
            "final_losses": progress.get("final_losses", {}),
            **_surroundings(),
        },
    }


def _surroundings():
    return {
        "device": _device(),
        "backend": keras.backend.backend(),
        "packages": _versions(),
        "commit": _commit(),
    }


def _settings(optimizer):
    """What an optimizer was set to, without the options that it does not use."""
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


def main(arguments=None):
    """The command line of `python -m keras_gans.training`."""
    parser = argparse.ArgumentParser(prog="python -m keras_gans.training", description="Trains a recipe.")
    parser.add_argument("recipe", help="a recipe file, such as zoo/dcgan_mnist/recipe.py")
    parser.add_argument("--output", help="folder for the results; by default runs/<name of the recipe's folder>")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--smoke", action="store_true", help="a rehearsal of seconds")
    parser.add_argument("--resume", metavar="DIR", help="go on with the run in this folder")
    parser.add_argument("--retell", action="store_true", help="only put the recipe's words into the card beside it")
    parser.add_argument("--devices", type=int, default=1, help="how many share each batch")
    parser.add_argument("--checkpoint-steps", type=int, help="save every so many steps too")
    options = parser.parse_args(arguments)
    if options.retell:
        return retell(read_recipe(options.recipe), options.output or Path(options.recipe).parent)
    output = options.output or options.resume or Path("runs") / Path(options.recipe).resolve().parent.name
    train(
        read_recipe(options.recipe),
        output,
        seed=options.seed,
        smoke=options.smoke,
        epochs=options.epochs,
        resume_from=options.resume,
        checkpoint_steps=options.checkpoint_steps,
        devices=options.devices,
    )
    print(f"wrote {output}", file=sys.stderr)


if __name__ == "__main__":
    from keras_gans import training  # the module that recipes import: classes of this one would be others

    training.main()
