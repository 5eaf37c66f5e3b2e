"""Runs a recipe: trains, checkpoints every epoch, and writes the model with its card."""

import contextlib
import json
import time
import warnings
from pathlib import Path

import keras
import numpy as np

from keras_gans import engine, zoo
from keras_gans.callbacks import Checkpoint, GANDoctor, SampleGrid, resume
from keras_gans.data import decoded
from keras_gans.errors import CheckpointError, ConfigurationError
from keras_gans.fitting import phase_of, steps_of
from keras_gans.guards import broken_losses, check_finite, is_finite
from keras_gans.images import atomic_write, remove_unfinished
from keras_gans.phases import begin, data_of, place_of, seed_of
from keras_gans.training.card import begun_card, check_card, training_card
from keras_gans.training.classifier import train_classifier
from keras_gans.training.folder import clear, is_same, only_run_in, refuse_a_run
from keras_gans.training.recipe import ClassifierRecipe
from keras_gans_core import trust
from keras_gans_core.runs import PROGRESS, SAMPLES, read_progress


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
    doctor=False,
    recipe_file=None,
):
    """Trains what a recipe says and writes the result as a preset.

    The phases of a recipe are trained one after the other, and the display says which one runs. The same recipe and
    seed give the same weights on the same device. A checkpoint is saved in `output` after each epoch and,
    in long epochs, every five minutes. With `resume_from=output`, an interrupted run continues from there as if it had
    not been interrupted. `progress.json` holds the logs of all epochs, the settings, the verdicts of its `GANDoctor`,
    and whether the run is finished. If it is lost or damaged, the run goes on from its checkpoint, with a warning about
    what is not known any more. Images of a folder that took more than two seconds to decode are in `decoded.npz` until
    the run is finished: resuming does not decode them again.

    Nothing but `overwrite` destroys a run. While a run is trained, it alone writes to its folder; a second one is
    refused before it touches anything there.

    A classifier trains in minutes. It is written when it is done, has no checkpoints and cannot be resumed.

    Args:
        recipe: function from `smoke` to a `Recipe` or a `ClassifierRecipe`; called after the seed is set.
        output: folder for `model.keras`, `card.json`, `golden.npz`, `samples.png` and the checkpoints.
        seed: determines the initial weights and the noise.
        smoke: a rehearsal that takes seconds.
        epochs: of each phase, instead of the recipe's.
        resume_from: folder of a run to continue; in `output`, which may be the same folder.
        devices: how many share each batch: GPUs, or parts of a CPU (a rehearsal); see docs/devices.md. If TF_CONFIG
            describes a cluster, its machines share each batch with all their GPUs, and the first one writes the files.
        checkpoint_steps: steps between checkpoints within an epoch, in addition to those every five minutes.
        verbose: as in `keras.Model.fit`.
        overwrite: whether `output` may hold a run, finished or not, which is lost when the training begins.
        doctor: whether a `GANDoctor` watches the training, if the recipe has none. It looks at the first batch of each
            phase, and at no held-out examples. Pass it again when the run is resumed.
        recipe_file: the file that the recipe was read from; a copy goes into `output`, for layers that it defines. The
            command line reads the copy of a recipe that was run here without asking; see `keras_gans_core.trust`.

    Returns:
        The trained model.

    Raises:
        CheckpointError: nothing to resume, a run of another variant or with other data, or a classifier; or an
            `output` that holds another run, which would be lost.
        OutputError: `output` cannot be written to, or another run uses it.
        DivergenceError: losses or weights that are not finite. The last good checkpoint stays, and no card is written.
        ConfigurationError, UnsupportedError: names or words that a card cannot hold; more devices than there are, or
            several with PyTorch; a run that is to be both resumed and overwritten.

    Warns:
        UserWarning: a checkpoint or `progress.json` of the run to resume is lost or damaged.
    """
    output = Path(output)
    goes_on = resume_from is not None and is_same(output, resume_from)
    if goes_on and overwrite:
        raise ConfigurationError(
            f"Expected a run to resume, or one to overwrite. Received: both, in {output}. Leave out --overwrite "
            "(overwrite=True) to go on with it, or --resume (resume_from) to lose it."
        )
    with contextlib.ExitStack() as stack:
        with engine.shared_by(devices):
            writes = engine.writes_files()
        held, keeps_decoded = None, contextlib.nullcontext()
        if writes:
            held = stack.enter_context(only_run_in(output, _accept if goes_on or overwrite else refuse_a_run))
            keeps_decoded = decoded.kept_in(output)
        with engine.shared_by(devices), keeps_decoded:
            keras.utils.set_random_seed(seed)
            run = recipe(smoke)
        check_card(run)
        if isinstance(run, ClassifierRecipe):
            if resume_from is not None:
                raise CheckpointError(
                    f"Expected a run of a model that generates, to resume. Received: {resume_from} and a classifier's "
                    "recipe. Leave out the folder to resume from: the classifier is trained from the start."
                )
            if doctor:
                raise ConfigurationError(
                    "Expected a recipe of a model that generates, with --doctor (doctor=True). Received: that of a "
                    "classifier. Leave it out."
                )
            _begin(output, overwrite, recipe_file, writes)
            return train_classifier(run, output, held, seed, epochs or run.epochs, verbose)
        progress = {
            "finished": False,
            "wall_seconds": 0.0,
            "seed": seed,
            "data": run.dataset.fingerprint(),
            "batch_size": run.dataset.batch_size,
            "history": [],
            "phases": [],
            **({"from": run.start} if run.start else {}),
        }
        model = run.model
        if resume_from is not None:
            with engine.shared_by(devices):
                model = resume(resume_from)
            _go_on(Path(resume_from), model, run, progress, epochs)
        _begin(output, overwrite, recipe_file, writes)
        model, checkpoint, data = _fit_phases(
            model, run, output, held, progress, epochs, checkpoint_steps, devices, verbose, doctor
        )
        if writes:
            held.keep()
            examples = run.held_back and {name: array[: zoo.SHOWN] for name, array in run.held_back.arrays.items()}
            card = training_card(model, run, checkpoint.progress, data)
            zoo.write_preset(model, output, card, examples, run.trainable)
            held.note()
            checkpoint.finish()
            decoded.forget(output)
    return model


def _accept(folder):
    """Refuses no folder: it is gone on with, or its run may be lost."""


def _begin(output, overwrite, recipe_file, writes):
    """Prepares the folder of a run that nothing speaks against any more."""
    if writes:
        remove_unfinished(output, "*")  # what a killed process left; a classifier's run has no checkpoint that does it
        if overwrite:
            clear(output)
        if recipe_file is not None:
            _keep_recipe(Path(recipe_file), output)


def _go_on(folder, model, run, progress, epochs):
    """Checks that a model from the checkpoint in a folder is one of this run; takes over the run's progress."""
    index, _ = place_of(model)
    if index >= len(run.phases):
        raise CheckpointError(
            f"Expected a run of {len(run.phases)} phases, to resume. Received: {folder}, in phase {index + 1}. Resume "
            "with the recipe that started the run."
        )
    if index == 0 and type(model) is not type(run.model):
        raise CheckpointError(
            f"Expected a run of {type(run.model).__name__}, to resume. Received: {folder}, of "
            f"{type(model).__name__}. Resume with the recipe or the variant that started the run."
        )
    before, missing = read_progress(folder)
    for key, name in (("data", "the same data"), ("batch_size", "the same batch size")):
        if (known := before.get(key, progress[key])) != progress[key]:
            ways = [str(one).startswith("sample-") for one in (known, progress[key])]
            disk = f", {'with' if ways[0] else 'without'} --cache or --lazy" if ways[0] != ways[1] else ""
            raise CheckpointError(
                f"Expected {name} as the run in {folder}. Received: {progress[key]} instead of {known}. "
                f"Resume with the recipe and data that started the run{disk}."
            )
    if run.start and (missing is None or "from" in before):
        _check_start(folder, before.get("from") or {}, run.start)
    if missing is not None:
        warnings.warn(missing, stacklevel=3)
    earlier = [{"title": phase.title, "epochs": epochs or phase.epochs} for phase in run.phases[:index]]
    progress |= {"phases": earlier, **before, "finished": False}


def _check_start(folder, known, start):
    """Refuses a start of which a run knows nothing, or another."""
    if known.get("sha256") != start.get("sha256"):
        raise CheckpointError(
            f"Expected the start of the run in {folder}: {known.get('preset', 'new networks')}. Received: "
            f"{start.get('preset')}, another file. Leave out --from (start), or start another run (--output)."
        )


def _fit_phases(model, run, output, held, progress, epochs, checkpoint_steps, devices, verbose, doctor):
    """Trains the remaining phases of a run.

    Returns:
        The model, the checkpoint, which holds the progress, and the last phase's data.
    """
    doctors = [callback for callback in run.callbacks if isinstance(callback, GANDoctor)]
    checkpoint = _RunCheckpoint(output, held, progress, doctors, every_steps=checkpoint_steps, every_minutes=5)
    doctor, (current, before) = doctor and not doctors, place_of(model)
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
        progress.setdefault("epochs", done)
        progress["about"] = begun_card(model, run, progress, data)
        if done < last or index == len(run.phases) - 1:
            if len(run.phases) > 1 and verbose != 0:
                title = f", {phase.title}" if phase.title else ""
                print(f"Phase {index + 1} of {len(run.phases)}{title}: epochs {before + 1} to {last}", flush=True)
            watching = [_doctor_of(data)] if doctor else []
            doctors += watching
            callbacks = [*run.callbacks, *watching, SampleGrid(output / SAMPLES), checkpoint]
            logs = model.fit(data, initial_epoch=done, epochs=last, callbacks=callbacks, verbose=verbose).history
            check_finite(model, {name: values[-1] for name, values in logs.items()}, checkpoint.since())
        before = last
    return model, checkpoint, data


def _doctor_of(data):
    """A doctor that looks at the first batch of a phase's data, which fits into memory as a step does; at two batches
    of one example."""
    batches = [data.at(step) for step in range(1 if data.batch_size > 1 else 2)]
    return GANDoctor({name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]})


class _RunCheckpoint(Checkpoint):
    """Keeps with the checkpoint what the card says about the whole run, interruptions included."""

    def __init__(self, folder, held, progress, doctors, **options):
        super().__init__(folder, **options)
        self.progress, self.doctors = progress, doctors
        if held is not None:  # the run holds its folder from its start to its end
            self._held = held
        self._broken = None  # the step since which the losses are not finite

    def since(self):
        """Words about where losses or weights that are not finite at the end of the training come from."""
        if self._broken is not None:
            return f"from step {self._broken} on, at the end of the training"
        return f"at the end of the training, step {steps_of(self.model)}"

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.started = time.monotonic() - self.progress["wall_seconds"]
        self._write_progress()  # the first checkpoint may come before the first epoch's end

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self._begun = steps_of(self.model)  # within an epoch JAX does not tell

    def on_train_batch_end(self, batch, logs=None):
        if self._broken is None and broken_losses(self.model.log_names, logs):  # a callback may want to act on it
            self._broken = self._begun + batch + 1
        super().on_train_batch_end(batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        losses = {name: float(value) for name, value in (logs or {}).items()}
        known = self.progress["history"][:epoch]
        history = [*known, *({} for _ in range(epoch - len(known))), losses]  # {} of epochs whose losses are lost
        self.progress.update(epochs=epoch + 1, final_losses=losses, history=history)
        if self.doctors:
            self.progress["verdicts"] = self._verdicts(epoch)
        if not is_finite(self.model, logs):  # the last checkpoint stays; a page about the run shows what came after it
            shown = {key: self.progress[key] for key in ("history", "verdicts") if key in self.progress}
            self._write_progress({**self._written, **shown})
        super().on_epoch_end(epoch, logs)

    def _verdicts(self, epoch):
        """Those of the run so far. A resumed run's doctors do not know the verdicts that had ended before."""
        found = {(known["name"], known["epoch"]): known for known in self.progress.get("verdicts", ())}
        found = {place: known for place, known in found.items() if known["epoch"] <= epoch}
        for verdict in (verdict for doctor in self.doctors for verdict in doctor.verdicts):
            found[verdict.name, verdict.epoch] = {**vars(verdict), "evidence": dict(verdict.evidence)}
        return list(found.values())

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        self.progress["wall_seconds"] = time.monotonic() - self.started  # a recipe's callback may have kept running

    def _save(self):
        self.progress["wall_seconds"] = time.monotonic() - self.started
        self._write_progress()
        super()._save()
        self._broken = None

    def finish(self):
        """Records in the run that it is finished: its model and card are written."""
        self._write_progress({**self._written, "finished": True})

    def _write_progress(self, progress=None):
        if not engine.writes_files(self.model):
            return
        self._held.keep()
        self._written = dict(progress or self.progress)
        with atomic_write(self.folder / PROGRESS) as path:
            path.write_text(json.dumps(self._written, indent=1) + "\n", encoding="utf-8")


def _keep_recipe(file, output):
    """Puts a copy of the recipe beside the model that it makes, and notes that it was run here."""
    copy, content = output / "recipe.py", file.read_bytes()
    if not (copy.exists() and copy.read_bytes() == content):
        with atomic_write(copy) as path:
            path.write_bytes(content)
    trust.remember(copy)
