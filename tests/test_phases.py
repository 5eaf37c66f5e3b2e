"""Trainings of several phases: what carries over, what begins anew, and exact resume from any point."""

import json

import keras
import numpy as np
import pytest
from contract import equal, values

import keras_gans as kg
from keras_gans.callbacks import resume
from keras_gans.errors import CheckpointError, ConfigurationError
from keras_gans.fitting import phase_of, steps_of
from keras_gans.models.gan import build_discriminator, build_generator
from keras_gans.phases import data_of, seed_of
from keras_gans.training import Phase, Recipe, train
from keras_gans_core import cards

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1)).astype("uint8")
STEPS = 6  # of each phase: two epochs of three batches


def dataset():
    return kg.data.Batches(IMAGES, batch_size=4, seed=2, about={"name": "noise"})


def noise_images(model):
    """Of the random numbers that are set when a phase begins."""
    return kg.data.Batches(np.random.randint(0, 256, (12, 8, 8, 1)).astype("uint8"), batch_size=4)


def first_model():
    networks = build_generator((8, 8, 1), 4, units=8), build_discriminator((8, 8, 1), units=8, pieces=2)
    gan = kg.GAN(*networks, ema_decay=0.9)
    gan.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3), run_eagerly=True)
    return gan


def another_model(model):
    """One that shares the networks, judged by another loss."""
    other = kg.LSGAN(model.generator, model.discriminator, ema_decay=0.9)
    other.compile(run_eagerly=True)
    return other


def two_phases(prepare=another_model, callbacks=()):
    def recipe(smoke=False):
        return Recipe(
            model=first_model(),
            phases=[Phase(dataset(), 2), Phase(noise_images, 2, prepare=prepare, title="again")],
            callbacks=list(callbacks),
        )

    return recipe


class Killed(Exception):
    """Stands for what ends a process."""


class KillAt(keras.callbacks.Callback):
    """Raises when a training begins, ends a batch or ends with the model at a step, in a phase."""

    def __init__(self, event, phase, step):
        super().__init__()
        self.place = event, phase, step

    def _maybe(self, event):
        if (event, phase_of(self.model)[0], steps_of(self.model)) == self.place:
            raise Killed

    def on_train_begin(self, logs=None):
        self._maybe("begin")

    def on_train_batch_end(self, batch, logs=None):
        self._maybe("batch")

    def on_train_end(self, logs=None):
        self._maybe("end")


class Record(keras.callbacks.Callback):
    """What a model is like when each phase begins and ends."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def _note(self):
        model = self.model
        self.seen.append(
            {
                "steps": steps_of(model),
                "phase": phase_of(model),
                "updates": [int(o.iterations) for o in (model.g_optimizer, model.d_optimizer)],
                "moments": values(model.optimizer.variables),
                "averages": values(model.ema.weights),
                "weights": values(model.generator.weights),
            }
        )

    def on_train_begin(self, logs=None):
        self._note()

    def on_train_end(self, logs=None):
        self._note()


def state(model):
    """Everything that the next step depends on."""
    return [*values(model.variables), *values(model.optimizer.variables), *values(model.metrics_variables)]


def run(recipe, folder, **options):
    return train(recipe, folder, seed=3, verbose=0, checkpoint_steps=1, **options)


KILLS = [
    pytest.param(("batch", 0, 2), id="within the first phase"),
    pytest.param(("batch", 0, 6), id="before the first phase's last checkpoint"),
    pytest.param(("end", 0, 6), id="at the end of the first phase"),
    pytest.param(("begin", 1, 6), id="at the begin of the second phase"),
    pytest.param(("batch", 1, 7), id="before the second phase's first checkpoint"),
    pytest.param(("batch", 1, 8), id="within an epoch of the second phase"),
    pytest.param(("batch", 1, 11), id="within the second phase's last epoch"),
    pytest.param(("end", 1, 12), id="at the end of the second phase"),
]


PLACES = [pytest.param(another_model, *kill.values, id=f"another model, {kill.id}") for kill in KILLS]
PLACES += [pytest.param(None, *kill.values, id=f"the same model, {kill.id}") for kill in KILLS[2:6]]


@pytest.mark.parametrize("prepare, place", PLACES)
def test_a_run_that_was_killed_anywhere_ends_as_the_whole_run(prepare, place, tmp_path, request):
    whole, folder = whole_run(prepare, request), tmp_path / "parts"
    with pytest.raises(Killed):
        run(two_phases(prepare, [KillAt(*place)]), folder)
    kept = resume(folder)
    assert steps_of(kept) in (place[2], place[2] - 1)
    parts = run(two_phases(prepare), folder, resume_from=folder)
    assert type(parts) is type(whole["model"]) and steps_of(parts) == 2 * STEPS
    assert equal(state(parts), whole["state"])
    progress = json.loads((folder / "progress.json").read_text())
    assert progress["history"] == whole["progress"]["history"] and progress["epochs"] == 4
    np.testing.assert_array_equal(kg.load(str(folder)).generate(4, seed=0), whole["samples"])


def whole_run(prepare, request):
    """The same run without a kill; made once for all tests of a session."""
    kept = request.config.stash.setdefault(WHOLE, {})
    if prepare not in kept:
        folder = request.getfixturevalue("tmp_path_factory").mktemp("whole")
        model = run(two_phases(prepare), folder)
        kept[prepare] = {
            "model": model,
            "state": state(model),
            "progress": json.loads((folder / "progress.json").read_text()),
            "samples": kg.load(str(folder)).generate(4, seed=0),
            "folder": folder,
        }
    return kept[prepare]


WHOLE = pytest.StashKey()


@pytest.mark.parametrize("prepare", [another_model, None], ids=["another model", "the same model"])
def test_a_phase_begins_with_fresh_optimizers_and_all_else_carried_over(prepare, tmp_path):
    record = Record()
    run(two_phases(prepare, [record]), tmp_path)
    start, end, begin, last = record.seen
    assert (start["steps"], end["steps"], begin["steps"], last["steps"]) == (0, STEPS, STEPS, 2 * STEPS)
    assert begin["phase"] == (1, STEPS, 2) and end["phase"] == (0, 0, 0)
    assert end["updates"] == [STEPS, STEPS] and begin["updates"] == [0, 0] and last["updates"] == [STEPS, STEPS]
    moments = [moment for moment in begin["moments"] if moment.dtype == "float32" and moment.ndim > 0]
    assert moments and not any(moment.any() for moment in moments)
    assert equal(begin["averages"], end["averages"]) and not equal(begin["averages"], last["averages"])
    assert equal(begin["weights"], end["weights"])


def test_the_same_model_keeps_the_optimizers_that_it_was_compiled_with(tmp_path):
    model = run(two_phases(prepare=None), tmp_path)
    assert type(model.g_optimizer) is type(first_model().g_optimizer)
    np.testing.assert_allclose(float(model.g_optimizer.learning_rate), 1e-3, rtol=1e-6)


def test_noise_goes_on_where_the_phase_before_ended(request):
    model = whole_run(another_model, request)["model"]
    before = whole_run(None, request)["model"]
    np.testing.assert_array_equal(*values([model.latent_seeds.state, before.latent_seeds.state]))


def test_each_phase_has_batches_of_its_own_order():
    phase = Phase(dataset(), 1)
    assert data_of(phase, None, 0) is phase.data
    again, other = data_of(phase, None, 1), data_of(phase, None, 1)
    assert again.seed == seed_of(2, 1) and again is not phase.data and phase.data.seed == 2
    for step in range(3):
        np.testing.assert_array_equal(again.at(step)["images"], other.at(step)["images"])
    assert any((again.at(step)["images"] != phase.data.at(step)["images"]).any() for step in range(3))


def test_the_random_numbers_of_a_phase_are_those_of_the_seed_and_its_number(tmp_path):
    seen = []

    def prepare(model):
        seen.append(np.random.rand())
        return model

    for folder in "ab":
        run(two_phases(prepare), tmp_path / folder)
    keras.utils.set_random_seed(seed_of(3, 1))
    assert seen == [np.random.rand()] * 2
    assert seed_of(3, 0) == 3 and 0 <= seed_of(2**31 - 1, 7) < 2**31


def test_the_epochs_that_are_asked_for_are_those_of_each_phase(tmp_path, capsys):
    model = train(two_phases(), tmp_path, epochs=1, verbose=2)
    assert steps_of(model) == STEPS and phase_of(model) == (1, 3, 1)
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Phase")]
    assert shown == ["Phase 1 of 2: epochs 1 to 1", "Phase 2 of 2, again: epochs 2 to 2"]


def test_the_card_tells_of_the_whole_run(request):
    card = cards.read_card(whole_run(another_model, request)["folder"])
    assert card["variant"] == "LSGAN" and card["dataset"]["fingerprint"] == dataset().fingerprint()
    training = card["training"]
    assert (training["steps"], training["epochs"], training["seed"]) == (12, 4, 3)
    assert training["phases"] == [{"title": "", "epochs": 2}, {"title": "again", "epochs": 2}]
    assert training["g_optimizer"]["name"].startswith("fused_adam")
    assert set(training["final_losses"]) == {"d_loss", "g_loss"}


def test_a_run_of_more_phases_than_the_recipe_has_is_not_resumed(tmp_path):
    run(two_phases(prepare=None), tmp_path)
    with pytest.raises(CheckpointError, match="run of 1 phases.*in phase 2"):
        run(lambda smoke: Recipe(model=first_model(), dataset=dataset(), epochs=2), tmp_path, resume_from=tmp_path)


def test_wrong_phases_are_refused():
    with pytest.raises(ConfigurationError, match="Expected data to be Batches.*Received: 'mnist'"):
        Phase("mnist", 1)
    with pytest.raises(ConfigurationError, match="epochs of 1 or more. Received: epochs=0"):
        Phase(dataset(), 0)
    with pytest.raises(ConfigurationError, match="prepare to be a function"):
        Phase(dataset(), 1, prepare=first_model)
        Phase(dataset(), 1, prepare="grow")


def test_what_a_phase_gives_back_is_checked(tmp_path):
    with pytest.raises(ConfigurationError, match="prepare of phase 2 to return the model.*Received: None"):
        run(two_phases(prepare=lambda model: None), tmp_path / "a")

    def recipe(smoke):
        return Recipe(model=first_model(), phases=[Phase(dataset(), 1), Phase(lambda model: IMAGES, 1)])

    with pytest.raises(ConfigurationError, match="data of phase 2 to return Batches"):
        run(recipe, tmp_path / "b")


@pytest.mark.parametrize(
    "options, message",
    [
        ({}, "Received: neither. Give one"),
        ({"dataset": dataset(), "epochs": 1, "phases": [Phase(dataset(), 1)]}, "Received: both. Leave one"),
        ({"epochs": 1, "phases": [Phase(dataset(), 1)]}, "Received: both. Leave one"),
        ({"dataset": dataset()}, "epochs of 1 or more. Received: epochs=None"),
        ({"epochs": 1}, "Expected data to be Batches.*Received: None"),
        ({"phases": [(dataset(), 1)]}, "phases as keras_gans.training.Phase"),
        ({"phases": [Phase(noise_images, 1)]}, "first phase with Batches and without prepare.*data=<function"),
        ({"phases": [Phase(dataset(), 1, prepare=another_model)]}, "first phase with Batches.*prepare=<function"),
    ],
)
def test_a_recipe_that_cannot_be_run_is_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        Recipe(model=first_model(), **options)


def test_a_recipe_needs_a_compiled_model():
    with pytest.raises(ConfigurationError, match="compiled model.*Call compile"):
        Recipe(model=kg.GAN(image_shape=(8, 8, 1)), dataset=dataset(), epochs=1)
