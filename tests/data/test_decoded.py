"""Images that took long to decode are kept beside a run, as long as the folder is the same."""

import os

import numpy as np
import pytest
from PIL import Image

import keras_gans as kg
from keras_gans import training
from keras_gans.data import decoded, loading

NAMES = [f"{i}.png" for i in range(6)]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, name in enumerate(NAMES):
        Image.fromarray(np.full((12, 12), 10 * i, "uint8")).save(folder / name)
    return folder


@pytest.fixture
def read(monkeypatch):
    """The names of the files that are decoded, each of which takes a second."""
    seen, now, plain = [], [0.0], loading.opened

    def counted(path, *arguments):
        seen.append(path.name)
        now[0] += 1.0
        return plain(path, *arguments)

    monkeypatch.setattr(loading, "opened", counted)
    monkeypatch.setattr(loading.time, "monotonic", lambda: now[0])
    return seen


def loaded(photos, run, **options):
    with decoded.kept_in(run):
        return kg.data.load(photos, **{"image_size": (8, 8), "batch_size": 2, **options})


def test_a_second_reading_decodes_nothing(photos, read, tmp_path):
    first = loaded(photos, tmp_path / "run")
    assert read == NAMES
    again = loaded(photos, tmp_path / "run")
    assert read == NAMES and again.fingerprint() == first.fingerprint() and again.images.dtype == "uint8"
    loaded(photos, tmp_path / "another")
    kg.data.load(photos, image_size=(8, 8), batch_size=2)
    assert read == 3 * NAMES


def test_labels_and_what_was_left_out_come_back(photos, read, tmp_path):
    for i, name in enumerate(NAMES):
        (photos / "ab"[i % 2]).mkdir(exist_ok=True)
        os.rename(photos / name, photos / "ab"[i % 2] / name)
    (photos / "a" / "7.png").write_bytes(b"no image")
    found = []
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"Left out 1 of 7 files that cannot be read: a/7.png"):
            found.append(loaded(photos, tmp_path / "run"))
    assert len(read) == 7 and found[0].labels.tolist() == found[1].labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert found[0].fingerprint() == found[1].fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        lambda photos: {"image_size": (6, 6)},
        lambda photos: {"channels": 3},
        lambda photos: {"take": 4},
        lambda photos: os.utime(photos / "3.png", (1, 1)),
        lambda photos: (photos / "3.png").unlink(),
        lambda photos: os.rename(photos / "3.png", photos / "9.png"),
    ],
    ids=["size", "channels", "take", "time", "one less", "name"],
)
def test_what_changes_is_decoded_again(change, photos, read, tmp_path):
    loaded(photos, tmp_path / "run")
    del read[:]
    options = change(photos)
    loaded(photos, tmp_path / "run", **(options if isinstance(options, dict) else {}))
    assert len(read) >= 4


def test_what_is_fast_is_not_kept(photos, tmp_path):
    loaded(photos, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_had_to_be_decided_is_said_again(photos, read, tmp_path):
    Image.fromarray(np.zeros((12, 12, 4), "uint8")).save(photos / "nothing.png")
    for _ in range(2):
        with pytest.warns(UserWarning, match="Made transparent areas white in 1 of 7 images"):
            loaded(photos, tmp_path / "run")
    assert len(read) == 7


def test_a_damaged_file_is_not_read(photos, read, tmp_path):
    first = loaded(photos, tmp_path / "run")
    for content in (b"", b"damaged", (tmp_path / "run" / decoded.NAME).read_bytes()[:200]):
        (tmp_path / "run" / decoded.NAME).write_bytes(content)
        assert loaded(photos, tmp_path / "run").fingerprint() == first.fingerprint()
    assert len(read) == 4 * len(NAMES)


def test_a_resumed_run_does_not_decode_and_a_finished_one_keeps_nothing(photos, read, tmp_path):
    recipe = training.variant_recipe(kg.GAN, photos, image_size=(8, 8), batch_size=2)
    kept = tmp_path / "run" / decoded.NAME

    def interrupted(smoke):
        run = recipe(smoke)
        run.callbacks.append(kg.callbacks.LabelSmoothing(schedule=ends))
        return run

    def ends(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.train(interrupted, tmp_path / "run", epochs=1, verbose=0)
    assert kept.exists() and read == NAMES
    training.train(recipe, tmp_path / "run", epochs=1, verbose=0)
    assert read == NAMES and not kept.exists()
