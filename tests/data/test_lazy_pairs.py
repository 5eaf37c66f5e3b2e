"""Pairs and domains that stay on the disk: the same batches and errors as from arrays in memory."""

import os
import pickle
import warnings

import keras
import numpy as np
import pytest
from PIL import Image

import keras_gans as kg
from keras_gans.data import pair_files, pair_reading
from keras_gans.data.ahead import _sent
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.models.pix2pix import build_generator
from keras_gans.networks.patch import build_patch_discriminator
from keras_gans_core import memory

COUNT, SIZE, CLASSES = 7, (12, 16), 5
SCENES = ("P", "RGB", "I;16")  # label maps, photos and maps of instances


def pixels(i, mode, size=SIZE):
    """Numbers that follow from `i`; those of 16 bits take 8, 10 or 12 bits, those of maps are classes."""
    numbers = np.random.default_rng(i).integers(0, 256, (*size, {"RGB": 3, "RGBA": 4}.get(mode, 1)))
    if mode == "I;16":
        return (numbers[..., 0] * (15, 1, 4)[i % 3]).astype("uint16")
    return np.squeeze(numbers % CLASSES if mode == "P" else numbers, -1 if mode in "LP" else ()).astype("uint8")


def written(folder, modes=("RGB", "RGB"), ending="png", counts=(COUNT, COUNT, COUNT)):
    """Two folders of files, or three with maps of instances."""
    for side, (name, mode) in enumerate(zip(("A", "B", "inst"), modes)):
        (folder / name).mkdir(parents=True)
        for i in range(counts[side]):
            Image.fromarray(pixels(2 * i + side, mode)).save(folder / name / f"{i}.{ending}")
    return folder


def beside(folder, mode="RGB", count=COUNT):
    """A folder of pictures of both sides."""
    folder.mkdir()
    for i in range(count):
        picture = np.concatenate([pixels(2 * i + side, mode) for side in (0, 1)], axis=1)
        Image.fromarray(picture).save(folder / f"{i}.png")
    return folder


def loaded(load, folder, **options):
    """The batches, and the warnings."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        batches = load(folder, **{"batch_size": 2, "seed": 3, **options})
    assert all(one.filename == __file__ for one in said)
    return batches, [str(one.message).replace(kg.data.lazy.SEEN, "images") for one in said]


def ways(tmp_path):
    return {"lazy": {"lazy": True, "workers": 2}, "cache": {"cache": tmp_path / "cache"}}


WAYS = ["lazy", "cache"]
PAIRS, UNPAIRED = kg.data.load_pairs, kg.data.load_unpaired
OBJECTS = {"classes": CLASSES, "instances": "inst"}
KINDS = {  # what loads, the files, and options
    "pairs": (PAIRS, written, {}),
    "of a size": (PAIRS, lambda folder: written(folder, ending="jpg"), {"image_size": (4, 4)}),
    "whole": (PAIRS, written, {"augment": False}),
    "some": (PAIRS, written, {"take": 4, "direction": "BtoA"}),
    "grey and colour": (PAIRS, lambda folder: written(folder, ("L", "RGB")), {}),
    "16 bits": (PAIRS, lambda folder: written(folder, ("RGB", "I;16")), {"image_size": (8, 8)}),
    "transparent": (PAIRS, lambda folder: written(folder, ("RGBA", "RGB")), {}),
    "four channels": (PAIRS, lambda folder: written(folder, ("RGBA", "RGB")), {"channels": 4}),
    "maps": (PAIRS, lambda folder: written(folder, ("P", "RGB")), {"classes": CLASSES}),
    "maps of a size": (PAIRS, lambda folder: written(folder, ("P", "L")), {"classes": CLASSES, "image_size": (4, 4)}),
    "maps to learn": (PAIRS, lambda folder: written(folder, ("RGB", "P")), {"target_classes": CLASSES}),
    "instances": (PAIRS, lambda folder: written(folder, SCENES), OBJECTS),
    "instances of a size": (PAIRS, lambda folder: written(folder, SCENES), {**OBJECTS, "image_size": (4, 4)}),
    "instances of 8 bits": (PAIRS, lambda folder: written(folder, ("P", "RGB", "L")), {**OBJECTS, "take": 4}),
    "halves": (PAIRS, beside, {}),
    "halves of a size": (PAIRS, beside, {"image_size": (6, 6), "direction": "BtoA"}),
    "halves with maps": (PAIRS, lambda folder: beside(folder, "P"), {"classes": CLASSES, "target_classes": CLASSES}),
    "domains": (UNPAIRED, lambda folder: written(folder, counts=(COUNT, 4)), {}),
    "domains of a size": (UNPAIRED, lambda folder: written(folder, counts=(3, COUNT)), {"image_size": (6, 6)}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_batches_and_warnings_are_those_of_arrays_in_memory(kind, way, tmp_path, monkeypatch):
    load, write, options = KINDS[kind]
    folder = write(tmp_path / "photos")
    theirs, warned = loaded(load, folder, **options)
    monkeypatch.setattr(pair_reading, "allocated", lambda *_: pytest.fail("read into memory"))
    ours, said = loaded(load, folder, **options, **ways(tmp_path)[way])
    assert said == warned and ours.about == theirs.about and ours.image_shape == theirs.image_shape
    assert all(isinstance(array, kg.data.LazyArray) for array in ours.arrays.values())
    assert ours.is_lazy and not theirs.is_lazy and len(ours) == len(theirs)
    for step in (*range(2 * len(ours)), 1000):
        for (name, one), (other_name, other) in zip(ours.at(step).items(), theirs.at(step).items(), strict=True):
            assert name == other_name and one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("load", [PAIRS, UNPAIRED])
def test_a_run_that_goes_on_gets_the_batches_of_its_steps(load, way, tmp_path):
    """Worker threads begin at a step within an epoch; the batch of each step is that of arrays in memory."""
    folder = written(tmp_path / "photos")
    theirs, _ = loaded(load, folder)
    ours, _ = loaded(load, folder, **ways(tmp_path)[way])
    following = ours.following(lambda: 5, 4)
    following.on_epoch_begin()
    try:
        for index in range(4):
            for one, other in zip(following[index].values(), theirs.at(5 + index).values(), strict=True):
                np.testing.assert_array_equal(one, other)
    finally:
        following.close()


def test_fit_gets_the_same_pairs(tmp_path, monkeypatch):
    seen, shape = [], (16, 16, 3)

    def train_step(model, data):
        seen.append([keras.ops.convert_to_numpy(values) for values in model.encode_batch(data).values()])
        return model.log(**dict.fromkeys(model.log_names, 0.0))

    monkeypatch.setattr(kg.Pix2Pix, "train_step", train_step)
    model = kg.Pix2Pix(build_generator(shape, shape, filters=2), build_patch_discriminator(shape, shape, filters=2))
    model.compile(run_eagerly=True)
    folder = written(tmp_path / "photos")
    theirs, _ = loaded(PAIRS, folder, image_size=(16, 16))
    model.fit(loaded(PAIRS, folder, image_size=(16, 16), lazy=True)[0], epochs=2, verbose=0)
    assert len(seen) == 2 * len(theirs) == 6
    for step, arrays in enumerate(seen):
        for found, wanted in zip(arrays, model.encode_batch(theirs.at(step)).values(), strict=True):
            np.testing.assert_array_equal(found, keras.ops.convert_to_numpy(wanted))


@pytest.mark.parametrize("variant", [kg.Pix2Pix, kg.Pix2PixHD, kg.CycleGAN])
def test_the_data_of_a_variant_may_stay_on_the_disk(variant, tmp_path):
    """What `keras-gans train VARIANT --data FOLDER --lazy` asks for."""
    options = {} if variant is kg.CycleGAN else {"classes": CLASSES}
    folder = written(tmp_path / "photos", ("RGB" if variant is kg.CycleGAN else "P", "RGB"))
    assert variant.load_data(folder, lazy=True, workers=1, ahead=2**20, **options).is_lazy


def test_pairs_that_do_not_fit_into_memory_are_read_from_the_disk(tmp_path, monkeypatch):
    folder = written(tmp_path / "photos")
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    with pytest.raises(DataError, match=r"fit into memory.*lazy=True \(--lazy\)"):
        PAIRS(folder)
    found = PAIRS(folder, lazy=True, augment=False)
    assert found[0]["targets"].shape == (1, *SIZE, 3)
    for needs_all in (lambda: np.asarray(found.arrays["targets"]), found.halved):
        with pytest.raises(DataError, match="all are needed at once. Received: 7 of 12x16x3"):
            needs_all()


def test_halved_pairs_are_those_of_arrays_in_memory(tmp_path):
    folder = written(tmp_path / "photos", ("P", "RGB"))
    ours, theirs = (loaded(PAIRS, folder, classes=CLASSES, augment=False, lazy=lazy)[0] for lazy in (True, False))
    for one, other in zip(ours.halved().arrays.values(), theirs.halved().arrays.values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_processes_get_the_same_pairs(tmp_path):
    for kind, (load, write, options) in KINDS.items():
        for way in WAYS:
            folder = tmp_path / kind
            data, _ = loaded(load, folder if folder.exists() else write(folder), **options, **ways(tmp_path)[way])
            for one, other in zip(pickle.loads(_sent(data)).at(1).values(), data.at(1).values(), strict=True):
                np.testing.assert_array_equal(one, other)


def test_a_cache_is_made_once_for_each_way_to_read(tmp_path, monkeypatch):
    folder, cache = beside(tmp_path / "photos", "L"), tmp_path / "cache"
    first = PAIRS(folder, cache=cache)
    assert len(list(cache.glob("*.about"))) == 2  # a half each
    PAIRS(folder, cache=cache, classes=256)  # maps are read in another way
    assert len(list(cache.glob("*.about"))) == 3
    monkeypatch.setattr(pair_files, "opened", lambda *_: pytest.fail("decoded"))
    np.testing.assert_array_equal(PAIRS(folder, cache=cache)[0]["sources"], first[0]["sources"])


def test_a_damaged_cache_of_ids_is_mended_from_their_files(tmp_path):
    folder, cache = written(tmp_path / "photos", SCENES), tmp_path / "cache"
    theirs = PAIRS(folder, batch_size=COUNT, **OBJECTS)[0]["instances"]
    PAIRS(folder, cache=cache, **OBJECTS)
    size = 2 * COUNT * np.prod(SIZE)  # two bytes for each id
    (path,) = (path for path in cache.glob("*.images") if path.stat().st_size == size)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    ours = PAIRS(folder, cache=cache, batch_size=COUNT, **OBJECTS)
    with pytest.warns(UserWarning, match="is damaged, first at 6.png"):
        np.testing.assert_array_equal(ours[0]["instances"], theirs)


def test_a_model_counts_the_objects_of_maps_on_the_disk(tmp_path):
    folder = written(tmp_path / "photos", SCENES)
    found = [PAIRS(folder, lazy=lazy, image_size=(16, 16), **OBJECTS) for lazy in (True, False)]
    ours, theirs = (kg.Pix2PixHD.for_data(batches).instances for batches in found)
    assert ours == theirs > 100


def test_a_fingerprint_follows_from_the_files_and_the_way_to_read(tmp_path):
    folder = beside(tmp_path / "photos", "L")
    found = {
        PAIRS(folder, lazy=True, **options).fingerprint()
        for options in ({}, {"direction": "BtoA"}, {"classes": 256}, {"augment": False}, {"image_size": (6, 6)})
    }
    assert len(found) == 5 and all(one.startswith("sample-") for one in found)
    assert PAIRS(folder, cache=tmp_path / "cache").fingerprint() in found
    Image.fromarray(np.zeros((SIZE[0], 2 * SIZE[1]), "uint8")).save(folder / "0.png")
    assert PAIRS(folder, lazy=True).fingerprint() not in found


# What is refused


@pytest.mark.parametrize("way", WAYS)
def test_files_that_are_no_images_are_refused_with_their_names(way, tmp_path):
    for kind, write in (("apart", written), ("beside", beside)):
        folder = write(tmp_path / kind)
        path = max(folder.rglob("1.png"))
        path.write_bytes(path.read_bytes()[:60])
        with pytest.raises(DataError, match=r"only images.*Received: 1.png.*with its partner"):
            loaded(PAIRS, folder, **ways(tmp_path)[way])


@pytest.mark.parametrize("way", [*WAYS, "memory"])
def test_what_is_wrong_with_a_side_is_said_as_in_memory(way, tmp_path):
    kept = ways(tmp_path).get(way, {})
    for name, write, options, message in (
        ("class", lambda folder: written(folder, ("L", "RGB")), {"classes": 4}, "0 to 3.* Look at .*A/0.png"),
        ("colour", written, {"classes": 4}, "Expected label maps of one channel of 8 bits.*A/0.png"),
        ("ids", lambda folder: written(folder, ("P", "RGB", "RGB")), OBJECTS, "maps of instances of one.*inst/0.png"),
        ("dark", lambda folder: written(folder, ("P", "RGB")), {}, "Pass classes=5 for label maps"),
        ("count", lambda folder: written(folder, counts=(3, 4)), {}, "without a partner"),
        ("square", lambda folder: square(beside(folder)), {}, "side by side in each picture.*16 wide and 16 high"),
        ("two sizes", lambda folder: square(written(folder)), {}, r"one size. Received: .*\(16, 16\)"),
    ):
        folder = write(tmp_path / name)
        with pytest.raises(DataError, match=message):
            loaded(PAIRS, folder, **options, **kept)


def square(folder):
    Image.new("RGB", (16, 16)).save(max(folder.rglob("2.png")))
    return folder


def test_a_pair_that_changes_while_it_is_read_is_named(tmp_path):
    folder = written(tmp_path / "photos")
    data, _ = loaded(PAIRS, folder, lazy=True)
    os.utime(folder / "B" / "3.png", (1, 1))
    with pytest.raises(DataError, match="B/3.png as it was when the data were loaded"):
        [data.at(step) for step in range(2 * len(data))]


def test_halves_of_16_bits_cannot_stay_on_the_disk(tmp_path):
    folder = beside(tmp_path / "photos", "I;16")
    with pytest.raises(DataError, match="depth of its own. Received: 16 bits"):
        PAIRS(folder, lazy=True)


@pytest.mark.parametrize("load", [PAIRS, UNPAIRED])
def test_what_cannot_stay_on_the_disk_is_refused(load, tmp_path):
    images = np.full((4, 8, 8, 1), 200, "uint8")
    for source in ("drawn:digits", "avatars", (images, images)):
        for options in ({"lazy": True}, {"cache": tmp_path}):
            with pytest.raises(ConfigurationError, match="path of a folder of images, which can stay on the disk"):
                load(source, **options)
    with pytest.raises(ConfigurationError, match="workers=2 for data in memory"):
        load((images, images), workers=2)
