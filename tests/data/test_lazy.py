"""Data on the disk: the same batches as from arrays in memory, whoever decodes them and whenever a run is killed."""

import contextlib
import os
import pickle
import re
import shutil
import threading
import time
import tracemalloc
import warnings
import zipfile
from concurrent.futures import Future

import keras
import numpy as np
import pytest
from PIL import Image, ImageCms

import keras_gans as kg
from keras_gans.callbacks import Checkpoint, resume
from keras_gans.checking import BatchCheck, named
from keras_gans.data import cache, lazy
from keras_gans.data.ahead import Ahead, _sent
from keras_gans.data.archives import Zipped
from keras_gans.data.semi_supervised import SemiSupervisedBatches
from keras_gans.errors import ConfigurationError, DataError, OutputError
from keras_gans.models.gan import build_discriminator, build_generator

COUNT, SIDE = 22, 12


def levels(i, mode="RGB", size=(SIDE + 4, SIDE)):
    """Pixels that follow from a number; those of 16 bits are at most 4000."""
    shape = {"RGB": (*size, 3), "RGBA": (*size, 4), "L": size, "I;16": size}[mode]
    numbers = np.random.default_rng(i).integers(0, 256, shape)
    return (numbers * 15).astype("uint16") if mode == "I;16" else numbers.astype("uint8")


def written(folder, modes=("RGB",), endings=("png", "jpg"), count=COUNT):
    """A folder with two classes of images."""
    for i in range(count):
        place = folder / ("cat", "dog")[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(levels(i, modes[i % len(modes)])).save(place / f"{i:03}.{endings[i // 2 % len(endings)]}")
    return folder


def damaged(folder):
    """An empty file, one that is cut off, one whose middle is damaged, and one that only its name makes an image."""
    files = sorted(folder.rglob("*.png"))
    files[0].write_bytes(b"")
    content = files[1].read_bytes()
    files[1].write_bytes(content[:-20])
    files[2].write_bytes(content[:60] + bytes(20) + content[80:])
    (folder / "dog" / "words.jpg").write_text("no image")
    return folder


def zipped(folder, place, **options):
    with zipfile.ZipFile(place, "w", **options) as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder))
    return place


def loaded(source, **options):
    """The batches, and the warnings."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        batches = kg.data.load(source, **{"batch_size": 4, "image_size": (8, 8), "seed": 2, **options})
    return batches, sorted(str(one.message) for one in said)


def assert_same(ours, theirs, steps=12):
    assert ours.image_shape == theirs.image_shape and ours.count == theirs.count
    assert ours.about["classes"] == theirs.about["classes"] and ours.about["layout"] == theirs.about["layout"]
    for step in (*range(steps), 1000):
        for (name, one), (other_name, other) in zip(ours.at(step).items(), theirs.at(step).items(), strict=True):
            assert name == other_name and one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


@contextlib.contextmanager
def traced():
    """A list that holds the most bytes that Python and NumPy took within the context."""
    most = []
    tracemalloc.start()
    try:
        yield most
    finally:
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()


WAYS = {
    "lazy": lambda folder: (folder, {"lazy": True}),
    "cache": lambda folder: (folder, {"cache": folder.parent / "cache"}),
    "zip": lambda folder: (zipped(folder, folder.parent / "photos.zip"), {}),
    "zip, lazy": lambda folder: (
        zipped(folder, folder.parent / "photos.zip", compression=zipfile.ZIP_DEFLATED),
        {"lazy": True},
    ),
    "zip, cache": lambda folder: (
        zipped(folder, folder.parent / "photos.zip"),
        {"cache": folder.parent / "cache", "lazy": True},
    ),
}
KINDS = {
    "colour": (("RGB",), ("png", "jpg"), {}),
    "whole": (("RGB",), ("png",), {"image_size": None}),
    "grey": (("L",), ("png", "jpg", "gif", "tif"), {}),
    "grey and colour": (("L", "L", "RGB"), ("png", "webp"), {}),
    "colour made grey": (("RGB",), ("jpg",), {"channels": 1}),
    "transparency that stays": (("RGBA",), ("png",), {"channels": 4}),
    "16 bits": (("I;16",), ("png", "tif"), {}),
    "16 bits and colour": (("I;16", "RGB"), ("png",), {"channels": 3}),
    "some": (("RGB",), ("png", "jpg"), {"take": 9}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_batches_and_warnings_are_those_of_arrays_in_memory(kind, way, tmp_path):
    modes, endings, options = KINDS[kind]
    source, more = WAYS[way](written(tmp_path / "photos", modes, endings))
    theirs, warned = loaded(tmp_path / "photos", **options)
    ours, said = loaded(source, **options, **more)
    assert_same(ours, theirs)
    assert said == warned
    if "zip" != way:
        assert isinstance(ours.images, kg.data.LazyArray) and ours.is_lazy and not theirs.is_lazy


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("take", [None, 17])
def test_files_that_cannot_be_read_are_left_out_as_in_memory(way, take, tmp_path):
    folder = damaged(written(tmp_path / "photos"))
    if way in ("lazy", "zip, lazy"):  # which look at the first and the last bytes
        sorted(folder.rglob("*.png"))[2].unlink()
    theirs, (warned,) = loaded(folder, take=take)
    source, options = WAYS[way](folder)
    ours, (said,) = loaded(source, take=take, **options)
    assert_same(ours, theirs)
    # Reasons are cut, and how much of a path is left depends on its length.
    reasons = [re.sub(r"image file '[^)]*\)", "image file)", text).split(", ") for text in (said, warned)]
    assert sorted(reasons[0]) == sorted(reasons[1]) and "UnidentifiedImageError" in said
    with pytest.raises(DataError, match="Expected only images in .*Received: [1-4] of"):
        kg.data.load(source, batch_size=4, image_size=(8, 8), strict=True, **options)


def test_transparent_areas_are_said_from_a_sample_or_from_all(tmp_path):
    written(tmp_path / "photos", ("RGBA", "RGB"), ("png",))
    theirs, (warned,) = loaded(tmp_path / "photos")
    ours, (said,) = loaded(tmp_path / "photos", cache=tmp_path / "cache")
    assert_same(ours, theirs)
    assert said == warned and "white in 11 of 22 images" in said
    ours, (said,) = loaded(tmp_path / "photos", lazy=True)
    assert_same(ours, theirs)
    assert "white in 11 of 22 images that were looked at. Pass channels=4" in said


@pytest.mark.parametrize("way", WAYS)
def test_several_sizes_and_no_images_are_refused_as_in_memory(way, tmp_path):
    folder = written(tmp_path / "photos")
    Image.new("RGB", (9, 9)).save(folder / "cat" / "000.png")
    source, options = WAYS[way](folder)
    with pytest.raises(DataError, match=r"Expected images of one size. Received: 2 sizes, from \(9, 9\)"):
        kg.data.load(source, batch_size=1, **options)
    for path in folder.rglob("*.*"):
        path.write_bytes(b"")
    source, options = WAYS[way](folder)
    with pytest.raises(DataError, match="Received: 22 files of that kind, 22 of them unreadable, such as cat/000"):
        kg.data.load(source, batch_size=1, image_size=(8, 8), **options)


def test_labels_splits_and_names_are_those_of_a_folder(tmp_path):
    for split in ("train", "test"):
        written(tmp_path / "photos" / split, count=8)
    lines = [f'{{"file_name": "cat/{i:03}.png", "label": {i}}}' for i in (0, 4)]
    for source in (tmp_path / "photos", zipped(tmp_path / "photos", tmp_path / "photos.zip")):
        found = kg.data.load(source, split="test", lazy=True, batch_size=2)
        assert found.about["split"] == "test" and found.about["classes"] == ["cat", "dog"] and found.count == 8
        assert found.label_space.names == ("cat", "dog") or list(found.label_space.names) == ["cat", "dog"]
        with pytest.raises(DataError, match="Expected a split of .*: test, train. Received: 'val'"):
            kg.data.load(source, split="val", lazy=True)
    shutil.rmtree(tmp_path / "photos" / "test")
    for path in [*(tmp_path / "photos" / "train").rglob("*.*")]:
        if path.name not in ("000.png", "004.png"):
            path.unlink()
    (tmp_path / "photos" / "train" / "metadata.jsonl").write_text("\n".join(lines))
    inside = zipped(tmp_path / "photos", tmp_path / "again.zip")
    assert kg.data.load(inside, lazy=True, batch_size=1).labels.tolist() == [0, 4]


# Who decodes, and when


def numbered(count, seconds=None):
    """Examples that are all pixels of their own number; each takes a time of its own."""

    class Numbers:
        read = []

        def __len__(self):
            return count

        def __getitem__(self, number):
            if seconds:
                time.sleep(seconds * (number % 7))
            self.read.append(number)
            return np.full((2, 2, 1), number % 256, "uint8")

    return Numbers()


@keras.saving.register_keras_serializable("test_lazy")
class Recording(kg.GAN):
    """Keeps the images of each step, and trains nothing."""

    def train_step(self, data):
        values = named(data, self.batch_fields)["images"]
        self.seen.append(np.array(keras.ops.convert_to_numpy(values)))
        return self.log(d_loss=0.0, g_loss=0.0)


def small(variant, image_shape):
    """A model of few weights, which are saved after each step."""
    return variant(build_generator(image_shape, 2, units=8), build_discriminator(image_shape, units=8), seed=3)


def recording(image_shape=(2, 2, 1)):
    gan = small(Recording, image_shape)
    gan.compile(run_eagerly=True)
    gan.seen = []
    return gan


@pytest.mark.parametrize("workers", [0, 3])
def test_batches_come_in_their_order_however_long_each_takes(workers):
    """Killed and resumed within an epoch, before its last step and at its end."""
    examples = numbered(50, seconds=1e-4)
    images = np.stack([examples[i] for i in range(50)])
    for kill in (4, 5, 6):

        class Kill(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if int(self.model.step) == kill:  # noqa: B023
                    raise KeyboardInterrupt

        gan, data = recording(), kg.data.Batches(examples, batch_size=8, seed=1, workers=workers)
        with pytest.raises(KeyboardInterrupt):
            gan.fit(data, epochs=3, verbose=0, callbacks=[Kill()])
        again = kg.data.Batches(examples, batch_size=8, seed=1, workers=workers)
        gan.fit(again, epochs=3, initial_epoch=kill // 6, verbose=0)
        expected = kg.data.Batches(images, batch_size=8, seed=1)
        assert len(gan.seen) == 18
        for step, batch in enumerate(gan.seen):
            np.testing.assert_array_equal(batch, expected.at(step)["images"])


@pytest.mark.parametrize("way", ["zip, lazy", "cache"])
def test_a_killed_and_resumed_run_is_that_of_arrays_in_memory_bit_for_bit(way, tmp_path):
    source, options = WAYS[way](written(tmp_path / "photos"))

    def model():
        keras.utils.set_random_seed(7)
        gan = small(kg.GAN, (8, 8, 3))
        gan.compile()
        return gan

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.step) == 8:
                raise KeyboardInterrupt

    whole = model()
    whole.fit(loaded(tmp_path / "photos")[0], epochs=3, verbose=0)
    with pytest.raises(KeyboardInterrupt):
        callbacks = [Checkpoint(tmp_path / "run", every_steps=1), Kill()]
        model().fit(loaded(source, **options)[0], epochs=3, verbose=0, callbacks=callbacks)
    gan = resume(tmp_path / "run")
    assert 5 < int(gan.step) < 10  # within the second epoch
    gan.fit(loaded(source, **options)[0], initial_epoch=1, epochs=3, verbose=0)
    assert int(gan.step) == 15
    for one, other in zip(whole.weights, gan.weights, strict=True):
        np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(variable) for variable in (one, other)))


def test_what_waits_is_bounded_by_bytes_and_by_workers():
    examples = numbered(4000)
    for ahead, workers, most in ((10 * 32, 4, 10), (0, 4, 1), (10**9, 3, 12)):
        batches = kg.data.Batches(examples, batch_size=8, workers=workers, ahead=ahead)
        assert batches.batch_bytes == 32
        maker = Ahead(batches, (0, 1))
        try:
            for step in range(40):
                before = len(examples.read)
                np.testing.assert_array_equal(maker.at(step)["images"], batches.at(step)["images"])
                assert len(maker.waiting) <= most - 1
            time.sleep(0.3)  # nothing asks any more
            made = len(examples.read)
            time.sleep(0.2)
            assert len(examples.read) == made > before
        finally:
            maker.close()
        del examples.read[:]


def test_an_epoch_takes_the_memory_of_some_batches(tmp_path):
    """Of 300 images of 64 KiB, at most 1 MiB of batches waits."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(levels(0)).save(folder / "0.png")
    for i in range(1, 300):
        os.link(folder / "0.png", folder / f"{i}.png")
    for options in ({"lazy": True}, {"cache": tmp_path / "cache"}):
        with traced() as most:
            batches = kg.data.load(folder, image_size=(256, 256), channels=1, batch_size=4, ahead=2**20, **options)
            following = batches.following(lambda: 0)
            for step in range(len(batches)):
                following[step]
            following.close()
        assert most[0] < 5 * 2**20 < batches.images.nbytes / 3, options


def test_workers_end_with_the_training():
    gan = recording()
    gan.fit(kg.data.Batches(numbered(40), batch_size=8, workers=3), epochs=2, verbose=0)
    left = [one for one in threading.enumerate() if one.name.startswith("batches")]
    for one in left:
        one.join(5)
    assert not any(one.is_alive() for one in left)


def test_evaluation_reads_lazily_too():
    images = np.random.default_rng(0).integers(0, 256, (20, 2, 2, 1)).astype("uint8")

    class Rows:
        def __len__(self):
            return len(images)

        def __getitem__(self, number):
            return images[number]

    found = []
    for data in (images, Rows()):
        keras.utils.set_random_seed(0)
        gan = kg.GAN(image_shape=(2, 2, 1), latent_dim=2, seed=3)
        gan.compile()
        found.append(gan.evaluate(kg.data.Batches(data, batch_size=5, seed=1), verbose=0, return_dict=True))
    assert found[0] == found[1] and found[0]


def test_readers_of_an_evaluation_read_no_further_and_end_with_it(monkeypatch):
    """After Ctrl-C too."""
    made, closed, plain = [], [], Ahead.close
    monkeypatch.setattr(Ahead, "close", lambda self: closed.append(self) or plain(self))
    begin = Ahead.__init__
    monkeypatch.setattr(Ahead, "__init__", lambda self, *given: made.append(self) or begin(self, *given))
    shown = numbered(40)
    data = kg.data.Batches(shown, batch_size=8, workers=3, shuffle=False)
    del shown.read[:]
    maker = data.following(None)
    for index in range(5):
        maker[index]
    maker.close()
    assert sorted(shown.read) == list(range(40))

    class Kill(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    for run in (
        lambda gan: gan.evaluate(data, verbose=0, callbacks=[Kill()]),
        lambda gan: gan.fit(np.zeros((8, 2, 2, 1), "uint8"), validation_data=data, verbose=0, callbacks=[Kill()]),
    ):
        before = len(made)
        with pytest.raises(KeyboardInterrupt):
            run(recording())
        assert len(made) == before + 1 and set(closed) == set(made)


def test_who_asks_while_the_workers_are_ended_gets_the_batch():
    batches = kg.data.Batches(numbered(40), batch_size=8, workers=1)
    maker = Ahead(batches, (0, 1))
    maker.waiting[0] = Future()
    maker.waiting[0].cancel()
    np.testing.assert_array_equal(maker.at(0)["images"], batches.at(0)["images"])
    maker.close()


def test_an_error_of_a_reader_is_not_replaced_by_the_backends():
    def read(step):
        raise ConfigurationError("no processes")

    with pytest.raises(ConfigurationError, match="no processes"), BatchCheck(recording()) as check:
        try:
            check.noting(read)(0)
        except ConfigurationError as error:
            raise RuntimeError("from_generator") from error


@pytest.mark.slow
def test_processes_make_the_same_batches(tmp_path):
    theirs, _ = loaded(written(tmp_path / "photos"))
    ours, _ = loaded(tmp_path / "photos", cache=tmp_path / "cache", workers=2, use_multiprocessing=True)
    following = ours.following(lambda: 3)
    following.on_epoch_begin()
    for index in range(5):
        np.testing.assert_array_equal(following[index]["images"], theirs.at(3 + index)["images"])
    following.close()


PARTS = {
    "all": lambda images: images,
    "some": lambda images: images[3:],
    "every second, reversed": lambda images: images[::-2],
    "turned": lambda images: images.swapaxes(1, 2),
}


@pytest.mark.parametrize("part", PARTS)
def test_memory_maps_are_sent_to_processes_as_places(part, tmp_path):
    images = np.random.default_rng(0).integers(0, 2**16, (50, 30, 20, 1)).astype("uint16")
    np.save(tmp_path / "images.npy", images)
    batches = kg.data.Batches(PARTS[part](np.load(tmp_path / "images.npy", mmap_mode="r")), batch_size=4)
    sent = _sent(batches)
    assert len(sent) < 4000 < images.nbytes
    again = pickle.loads(sent)
    assert again.is_lazy
    for step in range(3):
        np.testing.assert_array_equal(again.at(step)["images"], batches.at(step)["images"])


def test_what_cannot_be_sent_to_processes_is_refused(tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((8, 2, 2, 1), "uint8"))
    changed = np.load(tmp_path / "images.npy", mmap_mode="c")
    for images, message in (
        (numbered(8), "that can be sent to other processes. Received: .*numbered.*Define their"),
        (changed, r"file that other processes can read. Received: one whose changes no file has \(mode c\). Map it"),
    ):
        batches = kg.data.Batches(images, batch_size=4, use_multiprocessing=True)
        with pytest.raises(ConfigurationError, match=message):
            batches.following(lambda: 0)


def test_each_machine_reads_its_rows_alone(tmp_path):
    images = np.arange(1, 65, dtype="uint8").reshape(16, 2, 2, 1)
    np.save(tmp_path / "images.npy", images)
    for lazily in (np.load(tmp_path / "images.npy", mmap_mode="r"), kg.data.LazyArray(list(images))):
        batches = kg.data.Batches(lazily, batch_size=8)
        first, second = (batches.at(1, (number, 2))["images"] for number in range(2))
        assert not first[4:].any() and not second[:4].any()
        np.testing.assert_array_equal(first + second, batches.at(1)["images"])


def test_memory_maps_stay_on_the_disk(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 1)).astype("uint8")
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    batches = kg.data.Batches(mapped, batch_size=4)
    assert batches.is_lazy and isinstance(batches.images, np.memmap)
    theirs = kg.data.Batches(images, batch_size=4)
    np.testing.assert_array_equal(batches.at(3)["images"], theirs.at(3)["images"])
    assert batches.fingerprint() == theirs.fingerprint()


@pytest.mark.parametrize("name", ["workers", "ahead"])
def test_wrong_numbers_are_refused(name):
    for wrong in (-1, 1.5, "many"):
        with pytest.raises(ConfigurationError, match=f"Expected {name} of 0 or more. Received: {name}={wrong!r}"):
            kg.data.Batches(np.zeros((4, 2, 2, 1)), batch_size=2, **{name: wrong})


def test_workers_are_refused_for_data_in_memory():
    for options in ({"workers": 2}, {"workers": 0}, {"ahead": 2**20}, {"use_multiprocessing": True}):
        (name, value), *_ = options.items()
        with pytest.raises(ConfigurationError, match=f"are not in memory.*Received: {name}={value} for data in memory"):
            kg.data.load("drawn:digits", take=8, batch_size=4, **options)


def test_batches_made_of_batches_keep_the_workers(tmp_path):
    folder, options = written(tmp_path / "photos"), {"lazy": True, "workers": 3, "ahead": 2**20}
    data, _ = loaded(folder, **options)
    few = kg.data.semi_supervised(data, labels_per_class=2)
    indexed = kg.GLO.load_data(folder, image_size=(8, 8), batch_size=4, **options)
    assert data.decoding == few.decoding == indexed.decoding and few.decoding["workers"] == 3


def test_two_domains_are_made_in_memory(tmp_path):
    folder = written(tmp_path / "photos")
    for options in ({"lazy": True}, {"cache": tmp_path / "cache"}):
        with pytest.raises(ConfigurationError, match=f"read into memory.*Received: {next(iter(options))}. Leave"):
            kg.data.two_domains(folder, batch_size=2, image_size=(8, 8), **options)
    assert not (tmp_path / "cache").exists()


def test_the_mean_image_takes_one_reading():
    class Grey:
        read = []

        def __len__(self):
            return 4

        def __getitem__(self, number):
            self.read.append(number)
            return np.full((28, 28, 1), 40 * number, "uint8")

    gan, data = kg.BiGAN(image_shape=(28, 28, 1), seed=1), kg.data.Batches(Grey(), batch_size=4)
    del Grey.read[:]
    gan.initialize_from_data(data.images)
    assert Grey.read == [0, 1, 2, 3]


def test_two_threads_may_ask_for_the_batches_of_two_epochs():
    class Raced(SemiSupervisedBatches):
        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if name == "_drawn_to_match" and value[0] == 0:  # what another thread may do at once
                super().__setattr__(name, (1, self._permutation(len(self.images), 1, 1)))

    images, labels = np.arange(12, dtype="uint8").reshape(12, 1, 1, 1), np.arange(12) % 2
    given = SemiSupervisedBatches(images, labels, batch_size=4).at(0)["matched_images"]
    np.testing.assert_array_equal(Raced(images, labels, batch_size=4).at(0)["matched_images"], given)


# What changes while it is read


@pytest.mark.parametrize("change", ["removed", "changed", "damaged"])
def test_a_file_that_changes_is_named_and_the_run_goes_on_when_it_is_back(change, tmp_path):
    folder = written(tmp_path / "photos")
    path = folder / "dog" / "011.jpg"
    content, times = path.read_bytes(), (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    data, _ = loaded(folder, lazy=True, workers=2)

    class Change(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.step) == 1:
                if change == "removed":
                    path.unlink()
                else:
                    path.write_bytes(content[:-4] + b"...." if change == "changed" else content[:50] + b"." * 3)
                    if change == "damaged":
                        os.truncate(path, len(content))
                        os.utime(path, ns=times)

    with pytest.raises(DataError, match=r"dog/011.jpg") as raised:
        recording((8, 8, 3)).fit(
            data, epochs=9, verbose=0, callbacks=[Checkpoint(tmp_path / "run", every_steps=1), Change()]
        )
    assert "changed or removed since. Put it back" in str(raised.value) or change == "damaged"
    path.write_bytes(content)
    os.utime(path, ns=times)
    gan = resume(tmp_path / "run")
    gan.compile(run_eagerly=True)
    gan.seen, done = [], int(gan.step)
    assert done >= 1
    data, _ = loaded(folder, lazy=True)
    gan.fit(data, initial_epoch=done // 5, epochs=done // 5 + 1, verbose=0)
    for step, images in enumerate(gan.seen, done):
        np.testing.assert_array_equal(images, data.at(step)["images"])


def test_a_zip_file_that_vanishes_is_named(tmp_path):
    place = zipped(written(tmp_path / "photos"), tmp_path / "photos.zip")
    data, _ = loaded(place, lazy=True)
    place.unlink()
    with pytest.raises(DataError, match="Expected the zip file .*photos.zip until all is read.*last checkpoint"):
        data.at(0)


# Fingerprints


def test_a_fingerprint_of_files_follows_from_names_sizes_and_a_sample(tmp_path):
    first, _ = loaded(written(tmp_path / "photos"), lazy=True)
    shutil.copytree(tmp_path / "photos", tmp_path / "copy")
    same = [
        loaded(tmp_path / "copy", lazy=True)[0],
        loaded(tmp_path / "copy", cache=tmp_path / "cache")[0],
        loaded(tmp_path / "copy", cache=tmp_path / "cache")[0],
        loaded(zipped(tmp_path / "copy", tmp_path / "copy.zip"), lazy=True, seed=5)[0],
    ]
    assert {data.fingerprint() for data in same} == {first.fingerprint()}
    assert first.fingerprint().startswith("sample-")
    others = [loaded(tmp_path / "copy", lazy=True, image_size=(6, 6))[0].fingerprint()]
    path = tmp_path / "copy" / "cat" / "000.png"
    path.write_bytes((tmp_path / "copy" / "cat" / "002.jpg").read_bytes())
    others.append(loaded(tmp_path / "copy", lazy=True)[0].fingerprint())
    path.rename(path.with_name("x.png"))
    others.append(loaded(tmp_path / "copy", lazy=True)[0].fingerprint())
    assert len({first.fingerprint(), *others}) == 4


def test_a_file_that_vanishes_before_the_fingerprint_is_named(tmp_path):
    data, _ = loaded(written(tmp_path / "photos"), lazy=True)
    (tmp_path / "photos" / "cat" / "000.png").unlink()
    with pytest.raises(DataError, match="cat/000.png to stay as it is while the data are loaded"):
        data.fingerprint()


# What is known before a file is decoded


def test_photos_with_the_notes_of_cameras_are_not_decoded_to_be_looked_at(decoded, tmp_path):
    exif, profile = Image.Exif(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif[0x0112] = 6  # the camera was held upright
    files = []
    for name, options in {
        "a.jpg": {"exif": exif},
        "b.jpg": {"icc_profile": profile + bytes(4000)},
        "c.png": {"exif": exif},
        "d.png": {"icc_profile": profile},
    }.items():
        files.append(tmp_path / name)
        Image.fromarray(levels(1, size=(10, 6))).save(files[-1], **options)
    found = lazy.look_at(tmp_path, files)
    assert decoded == [] and not found.unreadable
    assert [found.sizes[path] for path in files] == [(6, 10, 3), (10, 6, 3), (6, 10, 3), (10, 6, 3)]
    files[0].write_bytes(files[0].read_bytes()[:-10])  # one that is cut off is
    lazy.look_at(tmp_path, files)
    assert decoded == ["a.jpg"]


def test_a_file_of_the_first_and_the_last_bytes_alone_is_left_out(tmp_path):
    whole = (written(tmp_path / "photos") / "cat" / "000.png").read_bytes()
    (tmp_path / "photos" / "cat" / "short.png").write_bytes(whole[:8] + whole[-12:])
    ours, (said,) = loaded(tmp_path / "photos", lazy=True)
    assert ours.count == COUNT and "Left out 1 of 23 files that cannot be read: cat/short.png" in said


# The cache


def test_other_images_with_the_same_names_sizes_and_times_are_other_ones(tmp_path):
    for number, name in enumerate(("one", "other")):
        (tmp_path / name).mkdir()
        for i in range(100):
            Image.fromarray(levels(100 * number + i, "L")).save(tmp_path / name / f"{i}.bmp")
            os.utime(tmp_path / name / f"{i}.bmp", (1, 1))
    for name in ("one", "other"):
        ours = kg.data.load(tmp_path / name, batch_size=4, cache=tmp_path / "cache")
        np.testing.assert_array_equal(ours.at(0)["images"], kg.data.load(tmp_path / name, batch_size=4).at(0)["images"])


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that are decoded."""
    names, plain = [], lazy.opened

    def counted(path, *arguments):
        names.append(path.name)
        return plain(path, *arguments)

    monkeypatch.setattr(lazy, "opened", counted)
    return names


def in_cache(tmp_path, ending="images"):
    (path,) = (tmp_path / "cache").glob(f"*.{ending}")
    return path


def test_a_cached_folder_is_decoded_once(decoded, tmp_path):
    folder = written(tmp_path / "photos")
    first, _ = loaded(folder, cache=tmp_path / "cache")
    assert len(decoded) == COUNT
    again, _ = loaded(folder, cache=tmp_path / "cache", seed=2, batch_size=4)
    assert_same(again, first)
    assert len(decoded) == COUNT
    images = np.memmap(in_cache(tmp_path), "uint8", shape=(COUNT, 8, 8, 3), mode="r")
    np.testing.assert_array_equal(images, np.asarray(first.images))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: {"image_size": (6, 6)},
        lambda folder: {"channels": 1},
        lambda folder: {"take": 7},
        lambda folder: os.utime(folder / "cat" / "004.png", (1, 1)),
        lambda folder: (folder / "cat" / "004.png").unlink(),
        lambda folder: (folder / "cat" / "004.png").rename(folder / "cat" / "005.png"),
    ],
    ids=["size", "channels", "take", "time", "one less", "name"],
)
def test_what_changes_is_decoded_again(change, decoded, tmp_path):
    folder = written(tmp_path / "photos")
    loaded(folder, cache=tmp_path / "cache")
    options = change(folder)
    options = options if isinstance(options, dict) else {}
    del decoded[:]
    ours, _ = loaded(folder, cache=tmp_path / "cache", **options)
    assert len(decoded) == ours.count
    assert_same(ours, loaded(folder, **options)[0])


@pytest.mark.parametrize("modes", [("RGB",), ("RGBA", "RGB")])
def test_of_some_files_only_those_in_the_places_of_broken_ones_are_decoded_again(modes, decoded, tmp_path):
    folder = written(tmp_path / "photos", modes, ("png", "webp"), count=60)
    for path in sorted(folder.rglob("*.png"))[::5]:
        content = path.read_bytes()
        path.write_bytes(content[:60] + bytes(20) + content[80:])
    ours, said = loaded(folder, cache=tmp_path / "cache", take=40)
    assert max(decoded.count(name) for name in decoded if name.endswith("png")) == 1
    assert max(map(decoded.count, decoded)) == 2  # these are decoded to be looked at too
    theirs, warned = loaded(folder, take=40)
    assert_same(ours, theirs)
    assert [sorted(one.split(", ")) for one in said] == [sorted(one.split(", ")) for one in warned]


DAMAGE = {
    "cut off": lambda tmp_path: os.truncate(in_cache(tmp_path), 100),
    "longer": lambda tmp_path: os.truncate(in_cache(tmp_path), 9000),
    "gone": lambda tmp_path: in_cache(tmp_path).unlink(),
    "words": lambda tmp_path: in_cache(tmp_path, "about").write_bytes(b"no zip file"),
    "empty words": lambda tmp_path: in_cache(tmp_path, "about").write_bytes(b""),
    "half of the words": lambda tmp_path: os.truncate(in_cache(tmp_path, "about"), 700),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_cache_is_made_again_and_it_is_said(kind, decoded, tmp_path):
    folder = written(tmp_path / "photos")
    theirs, _ = loaded(folder)
    loaded(folder, cache=tmp_path / "cache")
    DAMAGE[kind](tmp_path)
    del decoded[:]
    ours, (said,) = loaded(folder, cache=tmp_path / "cache")
    assert "is damaged: " in said and "It is made again." in said and len(decoded) == COUNT
    assert_same(ours, theirs)
    assert loaded(folder, cache=tmp_path / "cache")[1] == []


def test_a_damaged_image_of_a_cache_is_mended(decoded, tmp_path):
    """Noticed by its checksum; a file that is cut off while it is read ends nothing."""
    folder = written(tmp_path / "photos")
    theirs, _ = loaded(folder)
    ours, _ = loaded(folder, cache=tmp_path / "cache")
    with open(in_cache(tmp_path), "r+b") as file:
        file.seek(3 * 8 * 8 * 3 + 5)
        file.write(bytes([255 - int(theirs.images[3].ravel()[5])]))
    del decoded[:]
    with pytest.warns(UserWarning, match="damaged, first at cat/006.jpg. What is damaged is decoded from its"):
        np.testing.assert_array_equal(ours.images[[3, 4]], theirs.images[[3, 4]])
    assert_same(ours, theirs)
    assert decoded == ["006.jpg"]
    os.truncate(in_cache(tmp_path), 20 * 8 * 8 * 3)
    np.testing.assert_array_equal(np.asarray(ours.images), theirs.images)  # it has been said
    assert len(decoded) == 3
    assert loaded(folder, cache=tmp_path / "cache")[1] == []


def test_of_two_runs_that_begin_at_once_one_writes(decoded, tmp_path, capsys):
    folder = written(tmp_path / "photos")
    begun, found = threading.Barrier(4), []

    def run():
        begun.wait()
        found.append(kg.data.load(folder, cache=tmp_path / "cache", image_size=(8, 8), batch_size=4, seed=2))

    runs = [threading.Thread(target=run) for _ in range(4)]
    for one in runs:
        one.start()
    for one in runs:
        one.join(60)
    theirs, _ = loaded(folder)
    assert len(found) == 4 and len(decoded) == COUNT
    for ours in found:
        assert_same(ours, theirs)
    assert sorted(path.suffix for path in (tmp_path / "cache").iterdir()) == [".about", ".images", ".lock"]


def test_what_a_killed_run_left_is_removed_and_does_not_count(decoded, tmp_path):
    folder = written(tmp_path / "photos")
    loaded(folder, cache=tmp_path / "cache")
    in_cache(tmp_path, "about").unlink()  # it was killed before this was written
    left = tmp_path / "cache" / f".{in_cache(tmp_path).stem}-{'0' * 32}.images"
    left.write_bytes(b"the beginning")
    ours, said = loaded(folder, cache=tmp_path / "cache")
    assert said == [] and len(decoded) == 2 * COUNT and not left.exists()
    assert_same(ours, loaded(folder)[0])


def test_a_cache_without_space_or_in_a_file_is_refused(monkeypatch, tmp_path):
    folder = written(tmp_path / "photos")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write .*file"):
        kg.data.load(folder, cache=tmp_path / "file", image_size=(8, 8), batch_size=4)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda place: usage._replace(free=4223))
    with pytest.raises(OutputError, match="space for 22 images of 8x8x3 in .*Received: 4.12 KiB for 4.12 KiB"):
        kg.data.load(folder, cache=tmp_path / "cache", image_size=(8, 8), batch_size=4)
    assert not list((tmp_path / "cache").glob("*.images"))


def test_a_cache_among_the_images_is_none_of_them(decoded, tmp_path):
    folder = written(tmp_path / "photos")
    for _ in range(2):
        ours, said = loaded(folder, cache=folder / "cache")
        assert said == [] and ours.count == COUNT and ours.about["classes"] == ["cat", "dog"]
    assert len(decoded) == COUNT


def test_a_cache_that_may_only_be_read_is_read(monkeypatch, tmp_path):
    folder = written(tmp_path / "photos")
    theirs, _ = loaded(folder, cache=tmp_path / "cache")

    def refused(*arguments):
        raise PermissionError("read-only")

    for place, name in ((cache.filelock, "FileLock"), (cache, "atomic_write"), (cache, "remove_unfinished")):
        monkeypatch.setattr(place, name, refused)
    assert_same(loaded(folder, cache=tmp_path / "cache")[0], theirs)


# Zip files of strangers


def made(place, **files):
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return place


@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png", "a/../../out.png", "a\\..\\out.png"])
def test_names_that_lead_out_of_a_zip_file_are_refused(name, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as file:
        info = zipfile.ZipInfo("x")
        info.filename = name
        file.writestr(info, b"1")
    with pytest.raises(DataError, match="Expected files inside of .*which leads out of it"):
        kg.data.load(tmp_path / "photos.zip", batch_size=1)


def test_a_file_that_unpacks_to_much_is_unreadable(tmp_path):
    good = written(tmp_path / "photos") / "cat" / "000.png"
    zeros = good.read_bytes() + bytes(200 * 2**20)
    place = made(tmp_path / "photos.zip", **{"a.png": zeros, "b.png": good.read_bytes()})
    with traced() as most, pytest.warns(UserWarning, match=r"1 of 2 files that cannot be read: a.png \(.*bytes for"):
        found = kg.data.load(place, batch_size=1)
    assert most[0] < 2**25 and found.count == 1


def test_a_zip_file_without_images_or_cut_off_is_refused(tmp_path):
    with pytest.raises(DataError, match="Expected images .* in .*photos.zip. Received: 0 files"):
        kg.data.load(made(tmp_path / "photos.zip", a="text"), batch_size=1)
    place = zipped(written(tmp_path / "photos"), tmp_path / "photos.zip")
    content, name = bytearray(place.read_bytes()), b"cat/000.png"
    begin = content.index(name) + len(name)
    content[begin + 30 : begin + 90] = bytes(60)
    place.write_bytes(content)
    with pytest.warns(
        UserWarning, match=r"Left out 1 of 22 files that cannot be read: cat/000.png \(ValueError: damag"
    ):
        kg.data.load(place, batch_size=1)


def test_a_zip_file_whose_list_is_damaged_is_refused(tmp_path):
    place = zipped(written(tmp_path / "photos"), tmp_path / "photos.zip")
    place.write_bytes(place.read_bytes().replace(b"PK\1\2", b"PK..", 1))
    with pytest.raises(DataError, match="Expected a zip file of images. Received: .*photos.zip: .*Make it anew"):
        kg.data.load(place, batch_size=1)


def test_labels_of_names_that_begin_at_the_root_are_labels_without_a_file(tmp_path):
    """Whether there is such a file on this computer or not."""
    image = (written(tmp_path / "photos") / "cat" / "000.png").read_bytes()
    for name in ("/etc/passwd", "/no/such.png", str(tmp_path / "other.zip" / "a.png")):
        made(tmp_path / "other.zip", **{"a.png": image})
        lines = f'{{"file_name": "a.png", "label": 1}}\n{{"file_name": "{name}", "label": 2}}'
        place = made(tmp_path / "photos.zip", **{"a.png": image, "metadata.jsonl": lines})
        with pytest.raises(DataError, match="Received: 1 names without a file, such as '/"):
            kg.data.load(place, batch_size=1)
    assert not Zipped("/no/such.png").is_file()


def test_a_path_through_a_zip_file_is_read_as_one_through_folders(tmp_path):
    place = Zipped(made(tmp_path / "a.zip", **{"b/c.txt": "c\n", "b/d/e.txt": "e", "f.txt": "f"}))
    assert (place / "b" / "c.txt").is_file() and not (place / "b").is_file() and not (place / "x").is_file()
    assert (place / "b" / "d" / "e.txt").read_text() == "e" and (place / "f.txt").stat().st_size == 1
    found = {where: (names, files) for where, names, files in place.walk()}
    assert found == {place: (["b"], ["f.txt"]), place / "b": (["d"], ["c.txt"]), place / "b" / "d": ([], ["e.txt"])}
    with pytest.raises(FileNotFoundError, match="x.txt"):
        (place / "x.txt").open()


# Other sources


def test_rows_are_checked_and_named():
    def example(number):
        return {"image": np.zeros((2, 2, 1) if number < 3 else (3, 2, 1), "uint8"), "name": "a"}

    examples = [example(number) for number in range(5)]
    found = kg.data.LazyArray(examples, "image")
    assert found.shape == (5, 2, 2, 1) and found[1].shape == (2, 2, 1) and found[:2].shape == (2, 2, 2, 1)
    with pytest.raises(DataError, match=r"like the first one: uint8 \(2, 2, 1\). Received: uint8 \(3, 2, 1\), example"):
        found[[1, 4]]
    for wrong, message in (
        (lambda: kg.data.LazyArray(examples), "arrays of numbers. Received: dict, in example 0 of list. Name the part"),
        (lambda: kg.data.LazyArray(examples, "picture"), "example 0 of list, its 'picture'. Received: KeyError"),
        (lambda: kg.data.LazyArray([]), "at least one example. Received: none"),
    ):
        with pytest.raises(DataError, match=message):
            wrong()


def test_what_cannot_stay_on_the_disk_is_refused(tmp_path):
    for source in ("drawn:digits", np.zeros((4, 8, 8, 1), "uint8")):
        for options in ({"lazy": True}, {"cache": tmp_path}):
            with pytest.raises(ConfigurationError, match="Expected a folder or a zip file of images, which can stay"):
                kg.data.load(source, batch_size=2, take=4, **options)


def test_the_error_of_too_little_memory_names_the_ways(tmp_path, monkeypatch):
    folder = written(tmp_path / "photos")
    monkeypatch.setattr(kg.data.lazy.memory, "free_memory", lambda: 1000)
    with pytest.raises(DataError, match=r"fit into memory.*cache=DIR \(--cache DIR\).*lazy=True \(--lazy\)"):
        kg.data.load(folder, batch_size=2)
    found = kg.data.load(folder, batch_size=2, lazy=True)
    with pytest.raises(DataError, match="all are needed at once. Received: 22 of 16x12x3, which take 12.4 KiB"):
        np.asarray(found.images)
