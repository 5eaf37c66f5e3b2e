"""Trains a classifier of the zoo, and measures how often it is right."""

import time

from keras import ops

from keras_gans import zoo
from keras_gans.callbacks.folders import make_writable
from keras_gans.data import Batches
from keras_gans.images import to_float
from keras_gans.metrics import predict_attributes, predict_classes
from keras_gans.training.card import optimizer_settings, surroundings, words


def train_classifier(run, output, seed, epochs, verbose):
    """Trains the `ClassifierRecipe` `run` and writes it into `output`; the other arguments are those of `train`."""
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
        **words(run),
        "dataset": {**run.dataset.about, "fingerprint": run.dataset.fingerprint()},
        "metrics": {"accuracy": accuracy},
        "training": {
            "seed": seed,
            "steps": int(ops.convert_to_numpy(run.model.optimizer.iterations)),
            "epochs": epochs,
            "batch_size": run.dataset.batch_size,
            "optimizer": optimizer_settings(run.model.optimizer),
            "wall_seconds": round(seconds, 1),
            "final_losses": {name: float(values[-1]) for name, values in history.items()},
            **surroundings(),
        },
    }
    zoo.write_classifier(run.model, output, run.test.images[:32], card, attributes)
    return run.model
