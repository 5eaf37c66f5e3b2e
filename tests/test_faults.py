"""Faults on purpose: what a run does, and what is left of it."""

import contextlib
import resource
import shutil
import signal

import keras
import numpy as np
import pytest
from contract import equal, values

import keras_gans as kg
from keras_gans.callbacks import Checkpoint, GANDoctor, SampleGrid, Sickness, resume
from keras_gans.errors import OutputError

IMAGES = np.random.default_rng(0).integers(0, 256, (26, 8, 8, 1)).astype("uint8")


def batches():
    return kg.data.Batches(IMAGES, batch_size=8, seed=2)


def make():
    keras.utils.set_random_seed(1)
    gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=4, seed=5)
    gan.compile()
    return gan


@contextlib.contextmanager
def full_disk(size):
    """Writing fails where a file grows beyond `size` bytes, as on a disk that is full."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


class When(keras.callbacks.Callback):
    """Does something when an epoch begins, counted from 0."""

    def __init__(self, epoch, act):
        super().__init__()
        self.epoch, self.act = epoch, act

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            self.act()


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_disk_that_is_full_while_a_checkpoint_is_written(tmp_path):
    make().fit(batches(), epochs=2, verbose=0, callbacks=[Checkpoint(tmp_path)])
    before, gan = contents(tmp_path), resume(tmp_path)
    with full_disk(10_000), pytest.raises(OutputError, match="checkpoint.keras: .*File too large.*is unchanged"):
        gan.fit(batches(), initial_epoch=2, epochs=3, verbose=0, callbacks=[Checkpoint(tmp_path)])
    assert contents(tmp_path) == before
    assert int(resume(tmp_path).step) == 6


def test_a_disk_that_is_full_while_a_picture_is_written(tmp_path):
    gan = make()
    with full_disk(100), pytest.raises(OutputError, match="epoch_0001.png: .*File too large"):
        gan.fit(batches(), verbose=0, callbacks=[SampleGrid(tmp_path)])
    assert contents(tmp_path) == {}


def test_a_disk_that_is_full_while_a_model_is_exported(tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow exports")
    kg.export(make(), tmp_path)
    before = contents(tmp_path)
    with full_disk(10_000), pytest.raises(OutputError, match="Choose a folder that can be written to"):
        kg.export(make(), tmp_path)
    assert contents(tmp_path) == before and [path.name for path in tmp_path.iterdir()] == ["1"]


def test_a_folder_that_is_removed_is_made_again(tmp_path):
    run, whole = tmp_path / "run", make()
    gan = make()
    removed = When(1, lambda: shutil.rmtree(run))
    callbacks = [removed, SampleGrid(run / "samples", rows=1, timelapse="run.gif"), Checkpoint(run, every_steps=2)]
    gan.fit(batches(), epochs=3, verbose=0, callbacks=callbacks)
    whole.fit(batches(), epochs=3, verbose=0)
    assert equal(values(gan.variables), values(whole.variables))
    assert {path.name for path in (run / "samples").iterdir()} == {"epoch_0002.png", "epoch_0003.png", "run.gif"}
    assert int(resume(run).step) == 9


def test_a_folder_that_becomes_a_file_is_an_error_that_names_it(tmp_path):
    run = tmp_path / "run"

    def replace():
        shutil.rmtree(run)
        run.write_text("in the way")

    gan = make()
    with pytest.raises(OutputError, match="run/checkpoint.keras"):
        gan.fit(batches(), epochs=2, verbose=0, callbacks=[When(1, replace), Checkpoint(run)])
    assert run.read_text() == "in the way"


class Broken(kg.data.Batches):
    """The fifth batch of a run cannot be read."""

    def at(self, step):
        if step == 4:
            raise RuntimeError("the disk of the images is gone")
        return super().at(step)


def test_data_that_raises_in_the_middle_says_so_and_the_run_goes_on_with_other(tmp_path):
    gan, whole = make(), make()
    with pytest.raises(Exception, match="the disk of the images is gone"):
        gan.fit(
            Broken(IMAGES, batch_size=8, seed=2),
            epochs=3,
            verbose=0,
            callbacks=[Checkpoint(tmp_path, every_steps=1)],
        )
    whole.fit(batches(), epochs=3, verbose=0)
    gan = resume(tmp_path)
    done = int(gan.step) // len(batches())
    gan.fit(batches(), initial_epoch=done, epochs=3, verbose=0, callbacks=[Checkpoint(tmp_path)])
    assert equal(values(gan.variables), values(whole.variables))


class OneOfNaN(keras.utils.PyDataset):
    """Three batches an epoch; the second of the second epoch is no image."""

    def __init__(self):
        super().__init__()
        self.epoch = -1

    def __len__(self):
        return 3

    def on_epoch_begin(self):
        self.epoch += 1

    def __getitem__(self, index):
        images = IMAGES[8 * index :][:8].astype("float32") / 127.5 - 1.0
        return (np.full_like(images, np.nan) if (self.epoch, index) == (1, 1) else images,)


def finite(gan):
    return all(np.isfinite(value).all() for value in values([*gan.generator.weights, *gan.discriminator.weights]))


def test_a_batch_of_nan_stops_the_run_where_asked():
    gan, doctor = make(), GANDoctor(IMAGES[:8], stop=True)
    history = gan.fit(OneOfNaN(), epochs=5, verbose=0, callbacks=[doctor])
    assert history.epoch == [0, 1] and not finite(gan)
    assert [(verdict.name, verdict.epoch) for verdict in doctor.verdicts] == [(Sickness.DIVERGENCE, 2)]


def test_a_batch_of_nan_is_rolled_back_where_asked_and_the_rates_are_lowered():
    gan = make()
    gan.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(2e-3))
    doctor = GANDoctor(IMAGES[:8], patience=9, rollback=True, rate_factor=0.5)
    history = gan.fit(OneOfNaN(), epochs=5, verbose=0, callbacks=[doctor])
    assert history.epoch == [0, 1, 2, 3, 4] and finite(gan)
    assert np.isfinite(history.history["d_loss"]).tolist() == [True, False, True, True, True]
    rates = [float(optimizer.learning_rate) for optimizer in (gan.g_optimizer, gan.d_optimizer)]
    np.testing.assert_allclose(rates, [5e-4, 1e-3], rtol=1e-6)
    assert [(verdict.name, verdict.epoch, verdict.until) for verdict in doctor.verdicts] == [
        (Sickness.DIVERGENCE, 2, 2)
    ]
