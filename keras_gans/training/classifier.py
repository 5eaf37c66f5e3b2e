"""Trains a classifier of the zoo, and measures how often it is right."""

import time

import keras
import numpy as np
from keras import ops

from keras_gans import zoo
from keras_gans.callbacks.folders import make_writable
from keras_gans.data import Batches
from keras_gans.errors import DivergenceError
from keras_gans.fields.images import check_images
from keras_gans.guards import broken_weights
from keras_gans.images import to_float
from keras_gans.metrics import predict_classes, right_answers, segmentation_scores
from keras_gans.presets.facts import optimizer_settings, surroundings
from keras_gans.saving import check_readable
from keras_gans.training.card import words

# By the rank of the labels: what a card calls the number of outputs, and how right answers are counted.
ANSWERS = {
    1: ("num_classes", "share of the images whose largest logit is their label's, each scored once, not augmented"),
    2: (
        "num_attributes",
        "share of the yes/no attributes that their logit's sign tells, each scored once, not augmented",
    ),
    4: ("num_pixel_classes", "share of the pixels whose largest logit is their label's, not augmented"),
}


def train_classifier(run, output, held, seed, epochs, verbose):
    """Trains the `ClassifierRecipe` `run` and writes it into `output`, which `held` holds where this process writes
    files; the other arguments are those of `train`."""
    check_readable(run.model, compile=False)
    for part in (run.dataset, run.test):
        check_images(part.images, part.images.shape[1:])
    make_writable(output)
    started = time.monotonic()
    floats = Batches(
        ops.convert_to_numpy(to_float(run.dataset.images)),
        run.dataset.labels,
        batch_size=run.dataset.batch_size,
        seed=seed,
    )
    batches = floats.following(
        lambda: int(ops.convert_to_numpy(run.model.optimizer.iterations)),
        pick=lambda batch: (batch["images"], batch["labels"]),
    )
    ender = keras.callbacks.TerminateOnNaN()
    history = run.model.fit(batches, epochs=epochs, shuffle=False, verbose=verbose, callbacks=[ender]).history
    steps = int(ops.convert_to_numpy(run.model.optimizer.iterations))
    loss, path = history["loss"][-1], broken_weights(run.model)
    if not np.isfinite(loss) or path is not None:
        broken = f"a loss of {loss}" if path is None else f"NaN or infinite weights in {path}"
        raise DivergenceError(
            f"Expected finite losses and weights. Received: {broken} at step {steps}, in epoch {len(history['loss'])}: "
            "the training has diverged. Lower the learning rate of the recipe's optimizer, or give it clipnorm=1.0."
        )
    seconds = time.monotonic() - started
    outputs, protocol = ANSWERS[run.test.labels.ndim]
    right = right_answers(run.model, run.test.images, run.test.labels)
    accuracy = {
        "value": float(right.mean()),
        "protocol": protocol,
        "split": run.test.about.get("split"),
        "examples": len(right),
        "fingerprint": run.test.fingerprint(),
    }
    if outputs == "num_attributes":
        accuracy["of_each"] = dict(zip(run.test.about["classes"], right.mean(axis=0).tolist()))
    if outputs == "num_pixel_classes":
        found, classes = predict_classes(run.model, run.test.images), run.model.output_shape[-1]
        accuracy |= segmentation_scores(real=run.test.labels[..., 0], fake=found, classes=classes)
    card = {
        **words(run),
        "dataset": {**run.dataset.about, "fingerprint": run.dataset.fingerprint()},
        "metrics": {"accuracy": accuracy},
        "training": {
            "seed": seed,
            "steps": steps,
            "epochs": epochs,
            "batch_size": run.dataset.batch_size,
            "optimizer": optimizer_settings(run.model.optimizer),
            "wall_seconds": round(seconds, 1),
            "final_losses": {name: float(values[-1]) for name, values in history.items()},
            **surroundings(),
        },
    }
    if held is not None:
        held.keep()
    golden = run.test.images[: 2 if outputs == "num_pixel_classes" else 32]  # logits for each pixel take megabytes
    zoo.write_classifier(run.model, output, golden, card, outputs)
    return run.model
