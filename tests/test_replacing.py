"""A preset that is written again: a reader gets the old one or the new one, and so it does after a kill at any call."""

import os
import shutil
import threading

import forked
import keras
import numpy as np
import pytest

import keras_gans as kg
from keras_gans.errors import OutputError, UnknownPresetError
from keras_gans_core import cards

FILES = ("README.md", "card.json", "golden.npz", "model.keras", "samples.png")


def make(seed):
    keras.utils.set_random_seed(seed)
    return kg.GAN(image_shape=(8, 8, 1), latent_dim=4)


def write(folder, seed):
    kg.zoo.write_preset(make(seed), folder, {"title": f"of seed {seed}"})


def read(folder):
    """The seed that all files of a preset are of."""
    model, card = kg.load(str(folder)), cards.read_card(folder)
    inputs, outputs = kg.zoo.golden_parts(dict(np.load(cards.path_of(folder, "golden.npz"))))
    np.testing.assert_array_equal(model.sample(**inputs)["images"], outputs["images"])
    return int(card["title"].split()[-1])


def test_a_reader_in_a_loop_never_fails_while_a_preset_is_rewritten(tmp_path):
    noise, models, images, loads, failed = np.ones((1, 4), "float32"), [make(seed) for seed in range(4)], set(), [], []
    for model in models:
        kg.zoo.write_preset(model, tmp_path, {"title": "before"})
        images.add(kg.load(str(tmp_path)).generate(noise=noise).tobytes())
    done = threading.Event()

    def look():
        while not done.is_set() or not loads:
            try:
                loads.append(kg.load(str(tmp_path)).generate(noise=noise).tobytes())
            except Exception as error:
                failed.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for turn in range(20):
            kg.zoo.write_preset(models[turn % 4], tmp_path, {"title": f"of seed {turn % 4}"})
    finally:
        done.set()
        reader.join()
    assert not failed and len(images) == 4
    assert loads and set(loads) <= images


KILLED = """
import os, signal, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
import test_replacing as tests

folder, name, count = sys.argv[2], sys.argv[3], int(sys.argv[4])
calls, function = iter(range(count - 1)), getattr(os, name)


def called(*args, **options):
    if next(calls, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
    return function(*args, **options)


model = tests.make(1)
setattr(os, name, called)
tests.kg.zoo.write_preset(model, folder, {"title": "of seed 1"})
"""


def killed(folder, place, count):
    """Whether a process that rewrites a preset was killed just before a call of a function of `os`."""
    done = forked.run("-c", KILLED, __file__, str(folder), place, str(count))
    assert done.returncode in (0, -9), done.stderr[-2000:]
    return done.returncode != 0


# The files are written one by one, their folder is renamed, and they are moved: three of four replacements are of that.
@pytest.mark.parametrize(("place", "count", "seed"), [("rename", 1, 0), ("replace", 6, 1)])
def test_what_a_kill_leaves_is_a_whole_preset(place, count, seed, tmp_path):
    write(tmp_path, 0)
    assert killed(tmp_path, place, count) and read(tmp_path) == seed
    write(tmp_path, 2)
    assert read(tmp_path) == 2 and sorted(os.listdir(tmp_path)) == list(FILES)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["fsync", "rename", "replace", "rmdir"])
def test_a_kill_at_every_call_leaves_a_whole_preset(place, tmp_path):
    seeds = []
    for count in range(1, 30):
        shutil.rmtree(tmp_path)
        write(tmp_path, 0)
        if not killed(tmp_path, place, count):
            break
        seeds.append(read(tmp_path))
    assert seeds and seeds == sorted(seeds) and read(tmp_path) == 1


@pytest.mark.parametrize("name", ["fsync", "rename", "replace"])
def test_a_fault_leaves_the_old_preset_or_the_new_one(name, tmp_path, monkeypatch):
    write(tmp_path, 0)
    function, model, kept = getattr(os, name), make(1), []
    for count in range(1, 30):
        calls = iter(range(count - 1))

        def called(*args, **options):
            if next(calls, None) is None:
                raise OSError(28, "No space left on device")
            return function(*args, **options)

        monkeypatch.setattr(os, name, called)
        try:
            kg.zoo.write_preset(model, tmp_path, {"title": "of seed 1"})
        except OutputError as error:
            assert "No space left on device" in str(error)
        else:
            break
        finally:
            monkeypatch.setattr(os, name, function)
        kept.append(read(tmp_path))
        assert not list(tmp_path.glob(".preset-*"))
    assert kept and set(kept) <= {0, 1} and read(tmp_path) == 1


def test_a_first_preset_that_is_killed_is_no_finished_run(tmp_path):
    assert killed(tmp_path / "new", "fsync", 2)
    with pytest.raises(UnknownPresetError, match="Expected a folder with a card.json"):
        kg.load(str(tmp_path / "new"))
    write(tmp_path / "new", 1)
    assert read(tmp_path / "new") == 1 and sorted(os.listdir(tmp_path / "new")) == list(FILES)


def test_a_damaged_model_beside_checkpoints_is_written_again_by_its_run(tmp_path):
    write(tmp_path, 0)
    (tmp_path / "checkpoint.keras").write_bytes(b"")
    (tmp_path / "model.keras").write_bytes(b"short")
    with pytest.raises(kg.errors.CorruptPresetError, match="Let the run write them again.*--resume"):
        kg.load(str(tmp_path))
    (tmp_path / "checkpoint.keras").unlink()
    with pytest.raises(kg.errors.CorruptPresetError, match="Fetch the preset again"):
        kg.load(str(tmp_path))
