"""The folder of a run: whether it is finished, what destroys it, who writes to it, what is left without its files."""

import contextlib
import json
import os
import re
import shutil
import sys

import keras
import pytest
from contract import equal, values
from file_faults import newest_step, step_in
from light_runs import IMAGES, NEWEST, PREVIOUS, At, a_gan, light, run  # noqa: F401

import keras_gans as kg
from keras_gans.callbacks import Checkpoint, SampleGrid, resume
from keras_gans.errors import CheckpointError, ConfigurationError, OutputError
from keras_gans.models.gan import build_discriminator, build_generator
from keras_gans.training import ClassifierRecipe, Recipe, train
from keras_gans_cli.app import app, main
from keras_gans_core.runs import is_finished, read_progress

pytestmark = pytest.mark.usefixtures("light")


def interrupted(folder, step=3, phases=1):
    """A run with checkpoints of the last two steps before it was killed."""
    with pytest.raises(KeyboardInterrupt):
        run(folder, a_gan(phases, [At(step + 1)]))
    assert step_in(folder / NEWEST) == step and step_in(folder / PREVIOUS) == step - 1
    return folder


made = {}


@pytest.fixture
def of_three_steps(light, tmp_path_factory):  # noqa: F811
    """An unfinished run, made once for all tests."""
    if "unfinished" not in made:
        made["unfinished"] = interrupted(tmp_path_factory.mktemp("run") / "unfinished")
    return made["unfinished"]


@pytest.fixture
def of_four_steps(light, tmp_path_factory):  # noqa: F811
    """A finished run, made once for all tests."""
    if "finished" not in made:
        made["finished"] = tmp_path_factory.mktemp("run") / "finished"
        run(made["finished"])
    return made["finished"]


@pytest.fixture
def unfinished(of_three_steps, tmp_path):
    return shutil.copytree(of_three_steps, tmp_path / "unfinished")


@pytest.fixture
def finished(of_four_steps, tmp_path):
    return shutil.copytree(of_four_steps, tmp_path / "finished")


def about(folder):
    """Content and time of all in a folder, and its own time: what is equal, nobody has touched."""
    files = [folder, *sorted(folder.rglob("*"))]
    return [(path, path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None) for path in files]


def assert_refused(folder, match, error=CheckpointError, **options):
    before = about(folder)
    with pytest.raises(error, match=match):
        run(folder, **options)
    assert about(folder) == before


# Finished or not


def test_a_run_says_itself_whether_it_is_finished(of_three_steps, of_four_steps):
    for folder, wanted in ((of_three_steps, False), (of_four_steps, True)):
        assert json.loads((folder / "progress.json").read_text())["finished"] is wanted
        assert is_finished(folder) is wanted


@pytest.mark.parametrize("lost", [[NEWEST], [PREVIOUS], [NEWEST, ".lock"]], ids=str)
def test_either_checkpoint_makes_an_unfinished_run(lost, unfinished):
    for name in lost:
        (unfinished / name).unlink()
    assert_refused(unfinished, "an unfinished run. Received: .*--resume")
    kept = newest_step(unfinished)
    assert kept == (3 if lost == [PREVIOUS] else 2)
    said = pytest.warns(UserWarning, match="going on with the checkpoint before")
    with said if kept == 2 else contextlib.nullcontext():
        assert int(run(unfinished, resume_from=unfinished).step) == 4


@pytest.mark.parametrize("times", ["card older", "card newer", "all equal"])
def test_times_say_nothing(times, finished, unfinished):
    for folder in (finished, unfinished):
        (folder / "card.json").write_bytes((finished / "card.json").read_bytes())  # of an earlier end of the run
        (folder / "model.keras").write_bytes((finished / "model.keras").read_bytes())
        seconds = {"card older": 1, "card newer": 3, "all equal": 2}[times]
        for path in folder.iterdir():
            os.utime(path, (2, 2))
        os.utime(folder / "card.json", (seconds, seconds))
    assert_refused(finished, "a finished run.*holds one.*--overwrite")
    assert_refused(unfinished, "an unfinished run.*--resume")


@pytest.mark.parametrize("record", [None, b"", b"[1", b'{"finished": "yes"}'], ids=str)
def test_a_run_without_a_record_is_not_overwritten_either(record, finished, unfinished):
    """As those of older versions, which have no record."""
    for folder in (finished, unfinished):
        (folder / "progress.json").unlink()
        if record is not None:
            (folder / "progress.json").write_bytes(record)
    assert_refused(finished, "a finished run.*--overwrite")
    assert_refused(unfinished, "an unfinished run.*--resume")


@pytest.mark.parametrize("kept", ["card.json", "model.keras"])
def test_a_part_of_a_result_is_not_overwritten(kept, finished, tmp_path):
    (tmp_path / "part").mkdir()
    shutil.copy(finished / kept, tmp_path / "part")
    assert_refused(tmp_path / "part", f"without a run. Received: .*part, with {kept}.*--overwrite")


def test_a_run_that_goes_on_after_its_end_is_unfinished_until_it_ends_again(finished):
    with pytest.raises(KeyboardInterrupt):
        run(finished, a_gan(callbacks=[At(6)], epochs=3), resume_from=finished)
    assert not is_finished(finished)
    assert_refused(finished, "an unfinished run")
    run(finished, a_gan(epochs=3), resume_from=finished)
    assert is_finished(finished) and newest_step(finished) == 6


def test_a_run_that_was_killed_before_its_record_ends_again(of_four_steps, finished):
    """The card was written, and the record was not."""
    progress = json.loads((finished / "progress.json").read_text())
    (finished / "progress.json").write_text(json.dumps({**progress, "finished": False}))
    (finished / "model.keras").unlink()
    run(finished, resume_from=finished)
    assert is_finished(finished)
    assert (finished / "model.keras").read_bytes() == (of_four_steps / "model.keras").read_bytes()


# What destroys a run


@pytest.mark.parametrize("kind", ["finished", "unfinished"])
def test_resuming_into_another_run_is_refused(kind, unfinished, request, tmp_path):
    other = shutil.copytree(request.getfixturevalue(kind), tmp_path / "other")
    assert_refused(other, "Expected a folder without", resume_from=unfinished)
    (other / NEWEST).unlink()
    assert_refused(other, "Expected a folder without", resume_from=unfinished)


def test_resuming_into_a_new_folder_leaves_the_first_alone(unfinished, tmp_path):
    before = about(unfinished)
    run(tmp_path / "new", resume_from=unfinished)
    assert about(unfinished) == before and is_finished(tmp_path / "new")
    assert newest_step(tmp_path / "new") == 4


@pytest.mark.parametrize("spelling", ["relative", "dots", "link"])
def test_a_folder_is_itself_under_any_name(spelling, unfinished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(unfinished, target_is_directory=True)
    name = {"relative": "unfinished", "dots": tmp_path / "link" / ".." / "unfinished", "link": "link"}[spelling]
    train(a_gan(), unfinished, resume_from=name, verbose=0)
    assert is_finished(unfinished)


@pytest.mark.parametrize("kind", ["finished", "unfinished"])
def test_overwrite_loses_all_of_the_old_run(kind, request):
    folder = request.getfixturevalue(kind)
    with pytest.raises(KeyboardInterrupt):  # before anything is saved
        run(folder, a_gan(callbacks=[At(1)]), overwrite=True, seed=1)
    left = {path.name for path in folder.iterdir()}
    assert left <= {".lock", "progress.json", "samples"}  # no checkpoint that a resumed run would mix with the new one
    run(folder, seed=1)
    assert is_finished(folder)


def test_overwrite_loses_nothing_where_the_new_run_cannot_begin(finished):
    def broken(smoke):
        raise RuntimeError("no data")

    assert_refused(finished, "no data", RuntimeError, recipe=broken, overwrite=True)


def a_wgan(smoke=False):
    networks = build_generator((8, 8, 1), 2, units=2), build_discriminator((8, 8, 1), units=2, pieces=1)
    gan = kg.LSGAN(*networks)
    gan.compile(run_eagerly=True)
    return Recipe(gan, kg.data.Batches(IMAGES, batch_size=4, seed=2), 1)


def test_to_resume_and_to_overwrite_one_folder_is_a_contradiction(unfinished):
    assert_refused(
        unfinished, "to resume, or one to overwrite", ConfigurationError, resume_from=unfinished, overwrite=True
    )


def test_a_run_that_is_not_resumed_leaves_the_folder_alone(unfinished):
    """What speaks against it is known before anything is written."""
    (unfinished / "recipe.py").write_text("# of this run\n")
    other = unfinished.parent / "other.py"
    other.write_text("# of another\n")
    match = "Expected a run of LSGAN.*of GAN"
    assert_refused(unfinished, match, recipe=a_wgan, resume_from=unfinished, recipe_file=other)


def a_classifier(smoke=False):
    images, labels = kg.data.digits(8, (8, 8))
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(name="features"), keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, run_eagerly=True)
    data = kg.data.Batches(images, labels, batch_size=4)
    return ClassifierRecipe(model=model, dataset=data, test=data, epochs=1)


def test_a_classifiers_run_is_not_overwritten_and_overwrites_no_other(unfinished, tmp_path):
    train(a_classifier, tmp_path / "new", verbose=0)
    for recipe in (a_classifier, a_gan()):
        assert_refused(tmp_path / "new", "a finished run.*--overwrite", recipe=recipe)
    assert_refused(unfinished, "an unfinished run", recipe=a_classifier)
    train(a_classifier, unfinished, verbose=0, overwrite=True)
    assert not list(unfinished.glob("checkpoint*")) and is_finished(unfinished)


def test_a_folder_that_was_made_for_a_run_that_cannot_begin_is_removed(tmp_path):
    def broken(smoke):
        raise RuntimeError("no data")

    with pytest.raises(RuntimeError, match="no data"):
        run(tmp_path / "new", broken)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    with pytest.raises(RuntimeError, match="no data"):
        run(tmp_path / "mine", broken)
    assert (tmp_path / "mine").is_dir()


# One run at a time


def test_a_second_run_that_is_refused_has_touched_nothing(tmp_path):
    folder, refused = tmp_path / "run", []

    def second(**options):
        def act():
            assert_refused(folder, "no other run writes to", OutputError, **options)
            refused.append(options)

        return act

    file = tmp_path / "recipe.py"
    file.write_text("# another\n")
    other = a_gan(callbacks=[SampleGrid(folder / "samples" / "more")])
    ways = [{}, {"resume_from": folder}, {"overwrite": True}, {"recipe": a_classifier}, {"recipe": other}]
    ways = [{**way, "recipe_file": file} for way in ways]
    run(folder, a_gan(callbacks=[At(3, second(**way)) for way in ways]))
    assert len(refused) == len(ways) and newest_step(folder) == 4


def test_a_second_training_that_is_refused_has_touched_nothing(tmp_path):
    """In Python, where another callback comes first."""

    def second():
        gan = a_gan()().model
        before = about(tmp_path)
        with pytest.raises(OutputError, match="no other run writes to"):
            gan.fit(IMAGES, verbose=0, callbacks=[SampleGrid(tmp_path / "samples"), Checkpoint(tmp_path)])
        assert about(tmp_path) == before and int(gan.step) == 0

    a_gan()().model.fit(IMAGES, batch_size=4, verbose=0, callbacks=[At(1, second), Checkpoint(tmp_path)])


class AtTheEnd(keras.callbacks.Callback):
    def __init__(self, act):
        super().__init__()
        self.act = act

    def on_train_end(self, logs=None):
        self.act()


def test_the_folder_is_held_from_phase_to_phase_and_until_the_card_is_written(tmp_path, monkeypatch):
    seen = []

    def second():
        assert_refused(tmp_path / "run", "no other run writes to", OutputError, overwrite=True)
        seen.append(newest_step(tmp_path / "run"))

    write = kg.zoo.write_preset
    monkeypatch.setattr(kg.zoo, "write_preset", lambda *arguments: (second(), write(*arguments)))

    def between(model):
        second()
        return model

    recipe = a_gan(phases=2)()
    recipe.phases[1].prepare = between
    run(tmp_path / "run", lambda smoke: recipe)
    assert seen == [4, 8]


@pytest.mark.parametrize("what", ["folder", "lock"])
def test_deleting_a_live_runs_folder_lets_no_second_run_in(what, tmp_path):
    folder, ends = tmp_path / "run", []

    def delete():
        shutil.rmtree(folder) if what == "folder" else (folder / ".lock").unlink()

    def second():
        with pytest.raises(OutputError, match="no other run writes to"):
            run(folder, overwrite=True)
        ends.append(step_in(folder / NEWEST))

    run(folder, a_gan(callbacks=[At(2, delete), At(3, second)]))
    assert ends == [2] and step_in(folder / NEWEST) == 4 and step_in(folder / PREVIOUS) == 3
    assert is_finished(folder)


@pytest.mark.parametrize(
    "second", [{}, {"resume_from": "itself"}, {"recipe": a_classifier}], ids=["new", "resumed", "classifier"]
)
def test_a_run_whose_folder_another_one_took_ends_without_a_trace(second, tmp_path):
    folder, taken = tmp_path / "run", []

    def take():
        if "resume_from" in second:
            (folder / ".lock").unlink()
        else:
            shutil.rmtree(folder)
        run(folder, **{**second, **({"resume_from": folder} if "resume_from" in second else {})})
        taken.append(about(folder))

    with pytest.raises(OutputError, match="in which another run has been since"):
        run(folder, a_gan(callbacks=[At(3, take)]))
    assert [about(folder)] == taken and is_finished(folder)


def test_a_run_whose_folder_a_live_one_took_ends(tmp_path):
    """The first one comes to its next step while the second trains."""
    folder, first = tmp_path / "run", a_gan()().model

    def fit(gan, *callbacks):
        gan.fit(IMAGES, batch_size=4, epochs=2, verbose=0, callbacks=[*callbacks, Checkpoint(folder, every_steps=1)])

    checkpoint = Checkpoint(folder, every_steps=1)

    def go_on():
        with pytest.raises(OutputError, match="which another run uses"):
            checkpoint.on_train_batch_end(0)

    def take():
        shutil.rmtree(folder)
        fit(a_gan()().model, At(3, go_on))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.fit(IMAGES, batch_size=4, verbose=0, callbacks=[At(1, take), checkpoint])
    assert newest_step(folder) == 4


# What the command says


@pytest.mark.parametrize(
    "step, said", [(None, "Nothing is saved yet."), (2, "Go on from the last save with: --resume")]
)
def test_the_command_says_whether_something_is_saved(step, said, tmp_path, monkeypatch, capsys):
    def recipe(smoke):
        if step is None:
            raise KeyboardInterrupt
        return a_gan(callbacks=[At(step)])()

    monkeypatch.setattr(kg.training, "read_recipe", lambda file: recipe)
    arguments = ["train", "dcgan_mnist", "-o", str(tmp_path / "run"), "--checkpoint-steps", "1"]
    monkeypatch.setattr(sys, "argv", ["keras-gans", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130 and f"Stopped. {said}" in capsys.readouterr().err


# The doctor


def test_a_doctor_that_is_asked_for_watches_every_phase_and_changes_nothing(tmp_path):
    watched, plain = (run(tmp_path / str(doctor), a_gan(2), doctor=doctor) for doctor in (True, False))
    assert equal(values(watched.generator.weights), values(plain.generator.weights))
    progress, without = (json.loads((tmp_path / name / "progress.json").read_text()) for name in ("True", "False"))
    assert len(progress["history"]) == 4 and "verdicts" in progress and "verdicts" not in without
    for logs, others in zip(progress["history"], without["history"]):
        assert "doctor/diversity" in logs
        assert {name: value for name, value in logs.items() if not name.startswith("doctor/")} == others
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", a_gan(2, [At(7)]), doctor=True)
    run(tmp_path / "parts", a_gan(2), doctor=True, resume_from=tmp_path / "parts")
    assert json.loads((tmp_path / "parts" / "progress.json").read_text())["history"] == progress["history"]


def test_batches_of_one_example_are_watched_too(tmp_path):
    def recipe(smoke=False):
        return Recipe(a_gan()().model, kg.data.Batches(IMAGES, batch_size=1), 1)

    run(tmp_path / "run", recipe, doctor=True)
    assert "doctor/diversity" in json.loads((tmp_path / "run" / "progress.json").read_text())["history"][0]


def test_a_recipe_with_a_doctor_gets_no_other(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(kg.callbacks.GANDoctor, "on_train_end", lambda self, logs=None: seen.append(self))
    run(tmp_path / "run", a_gan(callbacks=[kg.callbacks.GANDoctor(IMAGES)]), doctor=True)
    assert len(seen) == 1


def test_a_classifier_has_no_doctor(tmp_path):
    with pytest.raises(ConfigurationError, match="with --doctor .* that of a classifier"):
        train(a_classifier, tmp_path / "run", doctor=True)


def test_the_command_asks_for_the_doctor(tmp_path, monkeypatch):
    monkeypatch.setattr(kg.training, "read_recipe", lambda file: a_gan())
    app(["train", "dcgan_mnist", "-o", str(tmp_path / "run"), "--doctor"], standalone_mode=False)
    assert "doctor/finite" in json.loads((tmp_path / "run" / "progress.json").read_text())["history"][1]


# Files that are lost


def losing(name):
    return lambda folder: (folder / name).unlink()


def of_content(content):
    return lambda folder: (folder / "progress.json").write_bytes(content)


def without(*keys):
    def lose(folder):
        progress = json.loads((folder / "progress.json").read_text())
        (folder / "progress.json").write_text(json.dumps({k: v for k, v in progress.items() if k not in keys}))

    return lose


def of_wrong(**entries):
    def damage(folder):
        progress = json.loads((folder / "progress.json").read_text())
        (folder / "progress.json").write_text(json.dumps({**progress, **entries}))

    return damage


@pytest.mark.parametrize(
    "damage, said",
    [
        (losing("progress.json"), "FileNotFoundError.*seed.*losses.*time"),
        (of_content(b""), "JSONDecodeError"),
        (of_content(b"\xff"), "UnicodeDecodeError"),
        (of_content(b"[]"), "a list instead"),
        (of_content(b"[" * 100_000), "RecursionError"),
        (lambda folder: os.truncate(folder / "progress.json", 100), "JSONDecodeError"),
        (without("history"), "no usable history.*the losses of its epochs so far are lost.$"),
        (without("seed", "data"), "no usable seed, data.*are not compared"),
        (of_wrong(wall_seconds="1"), "no usable wall_seconds"),
        (of_wrong(wall_seconds=float("inf"), seed=-1), "no usable seed, wall_seconds"),
        (of_wrong(history=[1, 2], phases=3), "no usable history, phases"),
    ],
)
def test_what_a_progress_file_does_not_say_is_said(damage, said, unfinished):
    whole, nothing = read_progress(unfinished)
    assert nothing is None and {"seed", "data", "batch_size", "history", "wall_seconds", "phases"} <= set(whole)
    damage(unfinished)
    entries, missing = read_progress(unfinished)
    assert all(whole[key] == entry for key, entry in entries.items())
    assert re.search(f"^Expected the file progress.json of the run in .*. Received: .*{said}", missing)
    assert "The run goes on from its checkpoint: " in missing and len(missing) < 800


@pytest.mark.parametrize("damage", [losing("progress.json"), without("history", "epochs")])
def test_a_progress_file_that_is_lost_is_built_anew(damage, of_four_steps, unfinished):
    damage(unfinished)
    with pytest.warns(UserWarning, match="(?s)Expected the file progress.json.*goes on from its checkpoint"):
        model = run(unfinished, resume_from=unfinished)
    whole = resume(of_four_steps)
    assert equal(values(model.variables), values(whole.variables)) and is_finished(unfinished)
    progress, wanted = (json.loads((folder / "progress.json").read_text()) for folder in (unfinished, of_four_steps))
    assert progress["epochs"] == 2 and progress["history"] == [{}, wanted["history"][1]]
    for key in ("data", "batch_size", "phases", "seed"):
        assert progress[key] == wanted[key]


def test_of_a_run_that_had_ended_the_epochs_are_known_without_the_progress(finished):
    (finished / "progress.json").unlink()
    with pytest.warns(UserWarning, match="Expected the file progress.json"):
        run(finished, resume_from=finished)
    assert json.loads((finished / "progress.json").read_text())["epochs"] == 2 and is_finished(finished)


def test_a_lost_progress_in_a_later_phase(tmp_path):
    whole, parts = tmp_path / "whole", interrupted(tmp_path / "parts", step=6, phases=2)
    run(whole, a_gan(phases=2))
    (parts / "progress.json").unlink()
    with pytest.warns(UserWarning, match="its phases so far are taken to be the recipe's"):
        run(parts, a_gan(phases=2), resume_from=parts)
    progress, wanted = (json.loads((folder / "progress.json").read_text()) for folder in (parts, whole))
    assert progress["phases"] == wanted["phases"] and progress["epochs"] == 4
    assert progress["history"] == [{}, {}, {}, wanted["history"][3]]
    assert equal(*(values(resume(folder).variables) for folder in (parts, whole)))


def test_other_data_are_still_refused_where_they_are_known(unfinished):
    without("history")(unfinished)

    def other(smoke):
        recipe = a_gan()()
        data = kg.data.Batches(255 - IMAGES, batch_size=4, seed=2)
        return Recipe(recipe.model, data, 2)

    assert_refused(unfinished, "Expected the same data as the run", recipe=other, resume_from=unfinished)
