"""Runs a recipe: trains, checkpoints every epoch, and writes the model with its card."""

import json
import time
from pathlib import Path

import keras

from keras_gans import engine, zoo
from keras_gans.callbacks import Checkpoint, SampleGrid, resume
from keras_gans.callbacks.checkpoint import NEWEST
from keras_gans.callbacks.folders import make_writable
from keras_gans.data import decoded
from keras_gans.errors import CheckpointError
from keras_gans.fitting import phase_of, steps_of
from keras_gans.guards import check_finite
from keras_gans.images import atomic_write
from keras_gans.phases import begin, data_of, place_of, seed_of
from keras_gans.training.card import training_card
from keras_gans.training.classifier import train_classifier
from keras_gans.training.recipe import ClassifierRecipe
from keras_gans_core import trust
from keras_gans_core.errors import format_error


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
    overwrite=False,
    recipe_file=None,
):
    """Trains what a recipe says and writes the result as a preset.

    The phases of a recipe are trained one after the other, and the display says which one runs. The same recipe and
    seed give the same weights on the same device. A checkpoint is saved in `output` after each epoch and,
    in long epochs, every five minutes. With `resume_from=output`, an interrupted run continues from there as if it had
    not been interrupted. `progress.json` holds the logs of all epochs. Images of a folder that took more than two
    seconds to decode are in `decoded.npz` until the run is finished: resuming does not decode them again.

    A classifier trains in minutes. It is written when it is done, has no checkpoints and cannot be resumed.

    Args:
        recipe: function from `smoke` to a `Recipe` or a `ClassifierRecipe`; called after the seed is set.
        output: folder for `model.keras`, `card.json`, `golden.npz`, `samples.png` and the checkpoints.
        seed: determines the initial weights and the noise.
        smoke: a rehearsal that takes seconds.
        epochs: of each phase, instead of the recipe's.
        resume_from: folder of a run to continue.
        devices: how many share each batch: GPUs, or parts of a CPU (a rehearsal); see docs/devices.md. If TF_CONFIG
            describes a cluster, its machines share each batch with all their GPUs, and the first one writes the files.
        checkpoint_steps: steps between checkpoints within an epoch, in addition to those every five minutes.
        verbose: as in `keras.Model.fit`.
        overwrite: whether `output` may hold a finished run, which is lost then.
        recipe_file: the file that the recipe was read from; a copy goes into `output`, for layers that it defines. The
            command line reads the copy of a recipe that was run here without asking; see `keras_gans_core.trust`.

    Returns:
        The trained model.

    Raises:
        CheckpointError: nothing to resume, a run of another variant or with other data, or a classifier; or,
            without `resume_from`, an `output` that holds a run, which would be lost.
        OutputError: `output` cannot be written to.
        DivergenceError: losses or weights that are not finite. The last good checkpoint stays, and no card is written.
        ConfigurationError, UnsupportedError: more devices than there are, or several with PyTorch.
    """
    output = Path(output)
    if resume_from is None:
        _refuse_an_unfinished_run(output)
        if not overwrite and (output / "card.json").exists() and (output / "model.keras").exists():
            raise CheckpointError(
                f"Expected a folder without a finished run. Received: {output}, which holds one. Choose another folder "
                "(--output), or pass --overwrite (overwrite=True) to lose it."
            )
    with engine.shared_by(devices), decoded.kept_in(resume_from or output):
        keras.utils.set_random_seed(seed)
        run = recipe(smoke)
    if recipe_file is not None and engine.writes_files(run.model):
        _keep_recipe(Path(recipe_file), output)
    if isinstance(run, ClassifierRecipe):
        if resume_from is not None:
            raise CheckpointError(
                f"Expected a run of a model that generates, to resume. Received: {resume_from} and a classifier's "
                "recipe. Leave out the folder to resume from: the classifier is trained from the start."
            )
        return train_classifier(run, output, seed, epochs or run.epochs, verbose)
    progress = {
        "wall_seconds": 0.0,
        "seed": seed,
        "data": run.dataset.fingerprint(),
        "batch_size": run.dataset.batch_size,
        "history": [],
        "phases": [],
    }
    model = run.model
    if resume_from is not None:
        with engine.shared_by(devices):
            model = resume(resume_from)
        if (index := place_of(model)[0]) >= len(run.phases):
            raise CheckpointError(
                f"Expected a run of {len(run.phases)} phases, to resume. Received: {resume_from}, in phase "
                f"{index + 1}. Resume with the recipe that started the run."
            )
        if index == 0 and type(model) is not type(run.model):
            raise CheckpointError(
                f"Expected a run of {type(run.model).__name__}, to resume. Received: {resume_from}, of "
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
    model, checkpoint = _fit_phases(model, run, output, progress, epochs, checkpoint_steps, devices, verbose)
    if engine.writes_files(model):
        examples = run.held_back and {name: array[: zoo.SHOWN] for name, array in run.held_back.arrays.items()}
        zoo.write_preset(model, output, training_card(model, run, checkpoint.progress), examples)
        decoded.forget(output)
    return model


def _fit_phases(model, run, output, progress, epochs, checkpoint_steps, devices, verbose):
    """Trains the remaining phases of a run; returns the model and the checkpoint, which holds the progress."""
    checkpoint = _RunCheckpoint(output, progress, every_steps=checkpoint_steps, every_minutes=5)
    current, before = place_of(model)
    for index in range(current, len(run.phases)):
        phase = run.phases[index]
        with engine.shared_by(devices):
            if index > current:
                keras.utils.set_random_seed(seed_of(progress["seed"], index))
                model = begin(phase, model, index, before)
            if index > 0:  # again, because a resumed run skips the lines above
                keras.utils.set_random_seed(seed_of(progress["seed"], index))
            data = data_of(phase, model, index)
        last = before + (epochs or phase.epochs)
        done = before + (steps_of(model) - phase_of(model)[1]) // len(data)
        progress["phases"][index:] = [{"title": phase.title, "epochs": last - before}]
        if done < last or index == len(run.phases) - 1:
            if len(run.phases) > 1 and verbose != 0:
                title = f", {phase.title}" if phase.title else ""
                print(f"Phase {index + 1} of {len(run.phases)}{title}: epochs {before + 1} to {last}", flush=True)
            callbacks = [*run.callbacks, SampleGrid(output / "samples"), checkpoint]
            logs = model.fit(data, initial_epoch=done, epochs=last, callbacks=callbacks, verbose=verbose).history
            check_finite(model, {name: values[-1] for name, values in logs.items()}, "at the end of the training")
        before = last
    return model, checkpoint


class _RunCheckpoint(Checkpoint):
    """Keeps with the checkpoint what the card says about the whole run, interruptions included."""

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
        self.progress["wall_seconds"] = time.monotonic() - self.started  # a recipe's callback may have kept running

    def _save(self):
        self.progress["wall_seconds"] = time.monotonic() - self.started
        self._write_progress()
        super()._save()

    def _write_progress(self):
        if not engine.writes_files(self.model):
            return
        with atomic_write(self.folder / "progress.json") as path:
            path.write_text(json.dumps(self.progress, indent=1) + "\n", encoding="utf-8")


def _keep_recipe(file, output):
    """Puts a copy of the recipe beside the model that it makes, and notes that it was run here."""
    make_writable(output)
    copy, content = output / "recipe.py", file.read_bytes()
    if not (copy.exists() and copy.read_bytes() == content):
        with atomic_write(copy) as path:
            path.write_bytes(content)
    trust.remember(copy)


def _refuse_an_unfinished_run(folder):
    """Refuses a folder with a checkpoint that is newer than its card, or without a card: a finished run has one."""
    checkpoint, card = folder / NEWEST, folder / "card.json"
    if checkpoint.exists() and not (card.exists() and card.stat().st_mtime >= checkpoint.stat().st_mtime):
        raise CheckpointError(
            f"Expected a folder without an unfinished run. Received: {folder}, with {checkpoint.name}. Continue that "
            f"run (--resume {folder}), choose another folder (--output), or delete this one."
        )


def _read_progress(folder):
    try:
        progress = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
        kinds = {"wall_seconds": float, "seed": int, "data": str, "batch_size": int, "history": list, "phases": list}
        if not isinstance(progress, dict) or not all(
            isinstance(progress.get(key, kind()), kind) for key, kind in kinds.items()
        ):
            raise ValueError(f"entries that no run writes: {progress!r}")
        return progress
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"Expected the file progress.json of a run in {folder}. Received: {format_error(error)}. Start the "
            "training again."
        ) from error
