import types

import keras
import numpy as np
import pytest
from contract import equal, training_state
from PIL import Image, ImageSequence

import keras_gans as kg
from keras_gans import sampling
from keras_gans.batch_statistics import standing_statistics
from keras_gans.callbacks import GANMonitor, SampleGrid
from keras_gans.errors import ConfigurationError, OutputError


class StopAfter(keras.callbacks.Callback):
    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch + 1 >= self.epochs


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def frames(path):
    with Image.open(path) as picture:
        return [np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(picture)]


def test_it_has_the_name_of_keras_examples_too():
    assert GANMonitor is SampleGrid is kg.callbacks.SampleGrid


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_the_picture_is_the_grid_of_what_generate_makes(ema_decay, make, batches, tmp_path):
    gan = make(ema_decay=ema_decay)
    gan.fit(batches, verbose=0, callbacks=[SampleGrid(tmp_path, rows=2, columns=3, seed=7)])
    with Image.open(tmp_path / "epoch_0001.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (16, 24)
    with standing_statistics(gan):
        made = gan.generate(6, seed=7)
    np.testing.assert_array_equal(pixels[:8, 16:], made[2, ..., 0])
    np.testing.assert_array_equal(pixels[8:, :8], made[3, ..., 0])


@pytest.mark.parametrize(
    "fit, every, expected",
    [
        ({"epochs": 3}, 1, [1, 2, 3]),
        ({"epochs": 5}, 2, [2, 4, 5]),
        ({"epochs": 4}, 2, [2, 4]),
        ({"initial_epoch": 2, "epochs": 7}, 3, [3, 6, 7]),  # counted from the first epoch of all
    ],
)
def test_pictures_come_at_their_epochs_and_at_the_last(fit, every, expected, make, batches, tmp_path):
    make().fit(batches, steps_per_epoch=1, verbose=0, callbacks=[SampleGrid(tmp_path, rows=1, every=every)], **fit)
    assert names(tmp_path) == [f"epoch_{epoch:04d}.png" for epoch in expected]


@pytest.mark.parametrize("first", [0, 1])
def test_the_last_picture_is_there_when_training_ends_early(first, make, batches, tmp_path):
    callbacks = [StopAfter(3), SampleGrid(tmp_path, rows=1, every=2)]
    make().fit(batches, epochs=9, steps_per_epoch=1, verbose=0, callbacks=callbacks[first:] + callbacks[:first])
    assert names(tmp_path) == ["epoch_0002.png", "epoch_0003.png"]


def test_the_last_picture_comes_before_callbacks_change_the_weights_again(make, batches, tmp_path):
    class Restore(keras.callbacks.Callback):
        """As `EarlyStopping(restore_best_weights=True)` does."""

        def on_train_end(self, logs=None):
            self.model.generator.set_weights([weight * 0.0 for weight in self.model.generator.get_weights()])

    gan, plain = make(), make()
    gan.fit(batches, epochs=2, verbose=0, callbacks=[Restore(), SampleGrid(tmp_path, rows=1, every=5)])
    plain.fit(batches, epochs=2, verbose=0)
    with Image.open(tmp_path / "epoch_0002.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), plain.generate(1, seed=0)[0, ..., 0])


def test_sampling_changes_no_training(make, batches, tmp_path):
    watched, plain = make(ema_decay=0.9), make(ema_decay=0.9)
    watched.fit(batches, epochs=2, verbose=0, callbacks=[SampleGrid(tmp_path, rows=2, timelapse="all.gif")])
    plain.fit(batches, epochs=2, verbose=0)
    assert equal(training_state(watched), training_state(plain))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", ["timelapse.gif", "timelapse.png"])
def test_the_timelapse_shows_the_pictures_in_order(name, channels, tmp_path, monkeypatch):
    """Drawn by hand, without training: flat colours, which a GIF's palette holds exactly."""
    levels = iter([30, 90, 200])

    def sheet(model, rows, columns, seed):
        level = next(levels)
        image = np.full((8, 8, channels), level, "uint8")
        if channels == 4:
            image[..., 3] = 255
            image[: level // 30, :, 3] = 0  # a growing transparent part, which must not show the one before
        return image

    monkeypatch.setattr(sampling, "sheet", sheet)
    grid = SampleGrid(tmp_path, rows=1, timelapse=name, milliseconds=50)
    grid.set_params({"epochs": 3})
    grid.set_model(types.SimpleNamespace(ema_decay=None))
    grid.on_train_begin()
    for epoch in range(3):
        grid.on_epoch_end(epoch)
    grid.on_train_end()
    assert names(tmp_path) == ["epoch_0001.png", "epoch_0002.png", "epoch_0003.png", name]
    animation, pictures = frames(tmp_path / name), [frames(path)[0] for path in sorted(tmp_path.glob("epoch_*"))]
    assert len(animation) == 3
    for shown, picture in zip(animation, pictures):
        np.testing.assert_array_equal(shown[..., 3], picture[..., 3])
        opaque = picture[..., 3] == 255
        np.testing.assert_array_equal(shown[opaque], picture[opaque])
    with Image.open(tmp_path / name) as moving:
        assert moving.info["duration"] == 50 and moving.info["loop"] == 0


def test_a_translation_shows_what_it_was_given_its_output_and_its_target(tmp_path):
    """A network that negates its source, trained with rates of 0 on pairs of flat images."""
    source, seeds = keras.Input((8, 8, 1)), keras.Input((), dtype="int32")
    negated = keras.layers.Conv2D(1, 1, kernel_initializer=keras.initializers.Constant(-1.0))(source)
    nothing = keras.layers.Reshape((1, 1, 1))(0.0 * keras.ops.cast(seeds, "float32"))
    target = keras.Input((8, 8, 1))
    logits = keras.layers.Conv2D(1, 3)(keras.layers.Concatenate()([source, target]))
    gan = kg.Pix2Pix(keras.Model([source, seeds], negated + nothing), keras.Model([source, target], logits))
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    levels = np.array([10, 20, 30], "uint8")
    sources = np.tile(levels[:, None, None, None], (1, 8, 8, 1))
    pairs = {"sources": sources, "targets": np.full((3, 8, 8, 1), 99, "uint8")}
    gan.fit(pairs, batch_size=3, verbose=0, callbacks=[SampleGrid(tmp_path, rows=2, columns=2)])
    with Image.open(tmp_path / "epoch_0001.png") as picture:
        shown = np.asarray(picture)[::8, ::8]
    rows = [[given, 255 - given, 99] for given in (10, 20, 30, 10)]  # the examples are repeated
    np.testing.assert_array_equal(shown, [rows[0] + rows[1], rows[2] + rows[3]])


def test_a_resumed_runs_timelapse_is_complete_and_leaves_out_other_runs(make, batches, tmp_path):
    gan = make()
    grid = SampleGrid(tmp_path, rows=2, timelapse="timelapse.png")
    fit = {"verbose": 0, "callbacks": [grid]}
    gan.fit(batches, epochs=2, **fit)
    for number, size in (("0000", 3), ("0005", 16), ("10000", 16)):  # of another size, and beyond the last epoch
        kg.images.save(np.zeros((size, size, 1), "uint8"), tmp_path / f"epoch_{number}.png")
    gan.fit(batches, initial_epoch=2, epochs=4, **fit)
    shown = frames(tmp_path / "timelapse.png")
    pictures = [frames(tmp_path / f"epoch_000{epoch}.png")[0] for epoch in (1, 2, 3, 4)]
    assert equal(shown, pictures)


def test_nothing_to_train_draws_nothing(make, batches, tmp_path):
    make().fit(batches, initial_epoch=2, epochs=2, verbose=0, callbacks=[SampleGrid(tmp_path, timelapse="a.gif")])
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_written_to_is_refused_before_training(make, batches, tmp_path):
    (tmp_path / "file").write_text("in the way")
    gan = make()
    with pytest.raises(OutputError, match="Choose another folder"):
        gan.fit(batches, verbose=0, callbacks=[SampleGrid(tmp_path / "file" / "samples")])
    assert int(gan.step) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"rows": 0},
        {"rows": 2.0},
        {"columns": -1},
        {"every": 0},
        {"every": True},
        {"seed": "a"},
        {"seed": 2**63},
        {"seed": None},
        {"timelapse": "film.mp4"},
        {"timelapse": "gif"},
        {"milliseconds": 0},
    ],
    ids=str,
)
def test_arguments_that_cannot_be_are_refused(options):
    with pytest.raises(ConfigurationError, match=f"Expected.*{next(iter(options))}.*Received"):
        SampleGrid(**options)
