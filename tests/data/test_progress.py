"""What takes long says how far it is; large JPEGs are decoded small."""

import sys

import keras
import numpy as np
import pytest
from PIL import Image, ImageOps

import keras_gans as kg
from keras_gans.data import progress
from keras_gans.data.progress import shown


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests set."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def read(clock, seconds, count=10, **options):
    done = []
    for item in shown(list(range(count)), "Reading photos:", **options):
        clock[0] += seconds
        done.append(item)
    assert done == list(range(count))


def test_what_is_fast_says_nothing(clock, capsys):
    read(clock, 0.15)
    assert capsys.readouterr().err == ""


def test_a_log_file_gets_a_line_every_ten_seconds(clock, capsys):
    read(clock, 1.0, count=30)
    assert capsys.readouterr().err.splitlines() == [
        "Reading photos: 2 of 30, about 28 s left",
        "Reading photos: 12 of 30, about 18 s left",
        "Reading photos: 22 of 30, about 8 s left",
    ]


def test_a_terminal_has_one_line_that_is_taken_away_at_the_end(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    read(clock, 1.0, count=1500)
    said = capsys.readouterr().err
    assert "\n" not in said and said.startswith("Reading photos: 2 of 1,500, about 1498 s left\r")
    assert said.endswith("\r") and said.rstrip("\r").rpartition("\r")[2].isspace()


def test_of_items_that_nobody_has_counted_only_those_that_are_done_are_said(clock, capsys):
    for _ in shown(iter(range(5)), "Looking:"):
        clock[0] += 1.0
    assert capsys.readouterr().err == "Looking: 2\n"


def test_only_what_will_be_read_is_counted(clock, capsys):
    for _ in zip(range(3), shown(list(range(10)), "Reading:", 3)):
        clock[0] += 1.0
    assert capsys.readouterr().err == "Reading: 2 of 3, about 1 s left\n"


def test_nothing_is_said_where_keras_says_nothing(clock, capsys):
    keras.config.disable_interactive_logging()
    try:
        read(clock, 5.0)
    finally:
        keras.config.enable_interactive_logging()
    assert capsys.readouterr().err == ""


def photo(path, size, turned=False):
    drawn = np.random.default_rng(0).integers(0, 256, (3, 4, 3), "uint8")
    exif = Image.Exif()
    exif[0x0112] = 6 if turned else 1  # a quarter turn
    Image.fromarray(drawn).resize(size, Image.Resampling.BICUBIC).save(path, quality=90, exif=exif)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("image_size", [(16, 16), (32, 20), (20, 32)])
def test_a_large_jpeg_is_decoded_small_and_looks_the_same(tmp_path, image_size, turned, monkeypatch):
    photo(tmp_path / "a.jpg", (1200, 900), turned)
    decoded, transpose = [], ImageOps.exif_transpose
    monkeypatch.setattr(ImageOps, "exif_transpose", lambda image: decoded.append(image.size) or transpose(image))
    small = kg.data.load(tmp_path, image_size=image_size, batch_size=1).images[0]
    assert decoded == [(150, 113)]
    with Image.open(tmp_path / "a.jpg") as picture:
        whole = ImageOps.fit(transpose(picture), image_size[::-1], Image.Resampling.LANCZOS)
    assert np.abs(small.astype(int) - np.asarray(whole).astype(int)).max() <= 3


@pytest.mark.parametrize("size, image_size", [((1200, 900), None), ((120, 90), (64, 64)), ((127, 127), (32, 32))])
def test_a_jpeg_that_is_not_twice_as_large_is_decoded_whole(tmp_path, size, image_size):
    photo(tmp_path / "a.jpg", size)
    found = kg.data.load(tmp_path, image_size=image_size, batch_size=1).images[0]
    with Image.open(tmp_path / "a.jpg") as picture:
        whole = picture.convert("RGB")
    if image_size:
        whole = ImageOps.fit(whole, image_size[::-1], Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(found, np.asarray(whole))


def test_pairs_are_decoded_small_too(tmp_path):
    for side in ("A", "B"):
        (tmp_path / side).mkdir()
        photo(tmp_path / side / "1.jpg", (800, 800))
    pairs = kg.data.load_pairs(tmp_path, image_size=(16, 16), batch_size=1, augment=False)
    with Image.open(tmp_path / "A" / "1.jpg") as picture:
        whole = ImageOps.fit(picture, (16, 16), Image.Resampling.LANCZOS)
    assert np.abs(pairs.arrays["sources"][0].astype(int) - np.asarray(whole).astype(int)).max() <= 3
