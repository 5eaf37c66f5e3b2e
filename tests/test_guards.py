"""Wrong batches of a stream, and losses and weights that are not finite, end a training with an error at once."""

import json

import keras
import numpy as np
import pytest

import keras_gans as kg
from keras_gans.callbacks import Checkpoint, GANDoctor, resume
from keras_gans.errors import CheckpointError, ConfigurationError, CorruptPresetError, DataError, DivergenceError
from keras_gans.guards import FiniteTraining, broken_file, broken_weights
from keras_gans.networks.classifier import build_classifier
from keras_gans_core import cards

SHAPE = (8, 8, 1)


def images(count=24, dtype="uint8"):
    values = np.random.default_rng(0).integers(0, 256, (count, *SHAPE)).astype("uint8")
    return values if dtype == "uint8" else (values / 127.5 - 1.0).astype(dtype)


def made(variant=kg.GAN, rate=0.01, **options):
    keras.utils.set_random_seed(0)
    gan = variant(image_shape=SHAPE, latent_dim=4, seed=0, **options)
    gan.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate))
    return gan


def conditional():
    return made(kg.CGAN, label_space=kg.data.Classes(10))


class Rows(keras.utils.PyDataset):
    def __init__(self, arrays, size=8, **options):
        super().__init__(**options)
        self.arrays, self.size = arrays, size

    @property
    def num_batches(self):
        return -(-len(self.arrays[0]) // self.size)

    def __getitem__(self, index):
        part = slice(index * self.size, (index + 1) * self.size)
        return tuple(array[part] for array in self.arrays)


def of_tensorflow(arrays):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices(arrays).batch(8)


def of_torch(arrays):
    data = pytest.importorskip("torch.utils.data")
    return data.DataLoader([tuple(array[i : i + 8] for array in arrays) for i in range(0, 24, 8)], batch_size=None)


STREAMS = {
    "tensorflow": of_tensorflow,
    "rows": Rows,
    "rows by threads": lambda arrays: Rows(arrays, workers=2),
    "generator": lambda arrays: (Rows(arrays)[i] for i in range(3)),
    "torch": of_torch,
}


def late(values, wrong):
    """The values with one wrong row in the second batch of eight."""
    values = values.copy()
    values[12] = wrong
    return values


# Data


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize(
    "arrays, message",
    [
        ((images(), late(np.arange(24) % 10, 10)), "whole numbers from 0 to 9. Received: labels from"),
        ((images(), late(np.arange(24) % 10, -1)), "whole numbers from 0 to 9. Received: labels from -1"),
        ((late(images(dtype="float32"), np.nan), np.arange(24) % 10), "Expected finite values. Received: 64 NaN"),
        ((late(images(dtype="float32"), 255.0), np.arange(24) % 10), r"floats in \[-1, 1\]. Received: values from"),
    ],
    ids=["a class too many", "no class", "nan", "grey levels"],
)
def test_a_wrong_batch_of_a_stream_ends_the_training(kind, arrays, message):
    with pytest.raises(DataError, match=message) as caught:
        conditional().fit(STREAMS[kind](arrays), verbose=0)
    assert len(str(caught.value)) < 600 and "It is in batch " in str(caught.value)


def test_the_error_names_the_batch():
    with pytest.raises(DataError, match="It is in batch 2 that was read."):
        conditional().fit(Rows((images(), late(np.arange(24) % 10, 10))), verbose=0)


@pytest.mark.parametrize("source", ["array", "labelled", "npz", "labelled npz", "pairs", "unpaired"])
def test_an_image_of_nan_is_refused_when_a_source_is_loaded(source, tmp_path):
    values, labels = late(images(dtype="float32"), np.nan), np.arange(24) % 10
    np.savez(tmp_path / "images.npz", images=values)
    np.savez(tmp_path / "labelled.npz", images=values, labels=labels)
    loads = {
        "array": lambda: kg.data.load(values, batch_size=8),
        "labelled": lambda: kg.data.load((values, labels), batch_size=8),
        "npz": lambda: kg.data.load(tmp_path / "images.npz", batch_size=8),
        "labelled npz": lambda: kg.data.load(tmp_path / "labelled.npz", batch_size=8),
        "pairs": lambda: kg.data.load_pairs((images(dtype="float32"), values), batch_size=8),
        "unpaired": lambda: kg.data.load_unpaired((values, images(dtype="float32")), batch_size=8),
    }
    with pytest.raises(DataError, match="Expected finite values. Received: 64 NaN"):
        loads[source]()


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_without_fault_is_trained_on(kind):
    gan = conditional()
    data = STREAMS[kind]((images(), np.arange(24) % 10))
    history = gan.fit(data, steps_per_epoch=3, verbose=0).history
    assert int(gan.step) == 3 and np.isfinite(history["d_loss"]).all()


def test_as_many_labels_as_images_are_needed_in_each_batch():
    parts = [(images(8), np.arange(8)), (images(8), np.arange(7))]
    with pytest.raises(DataError, match="Received: 8 images and 7 labels"):
        conditional().fit((part for part in parts), verbose=0)


@pytest.mark.parametrize("kind", ["tensorflow", "rows"])
def test_wrong_batches_are_found_when_evaluating_and_validating(kind):
    gan, wrong = conditional(), (images(), late(np.arange(24) % 10, 10))
    with pytest.raises(DataError, match="Received: labels from"):
        gan.evaluate(STREAMS[kind](wrong), verbose=0)
    with pytest.raises(DataError, match="Received: labels from"):
        gan.fit(images(), np.arange(24) % 10, validation_data=STREAMS[kind](wrong), verbose=0)


def test_arrays_in_batches_are_checked_to_their_end_before_the_first_step():
    for wrong, message in ((np.nan, "finite values"), (7.0, "values from -1 to 7")):
        gan, batches = made(), kg.data.Batches(late(images(dtype="float32"), wrong), batch_size=8)
        with pytest.raises(DataError, match=message):
            gan.fit(batches, verbose=0)
        assert int(gan.step) == 0


def test_a_users_own_batches_are_checked_as_they_come():
    class Drifting(kg.data.Batches):
        def at(self, step):
            batch = super().at(step)
            return {"images": batch["images"] + np.float32(step)}

    gan = made()
    with pytest.raises(DataError, match="floats in"):
        gan.fit(Drifting(np.zeros((24, *SHAPE), "float32"), batch_size=8), epochs=2, verbose=0)


# Losses and weights


def batches():
    return kg.data.Batches(images(), batch_size=8, seed=1)


class Poison(keras.callbacks.Callback):
    """Makes a weight of a player NaN at the end of a step, counted from 1 in its epoch."""

    def __init__(self, player="generator", epoch=0, step=2):
        super().__init__()
        self.player, self.at, self.epoch = player, (epoch, step), None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch + 1) == self.at:
            bias = getattr(self.model, self.player).trainable_variables[-1]  # no ReLU takes its NaN for 0
            bias.assign(bias * np.nan)


# On JAX a callback's change within an epoch is not seen by the next step.
within_an_epoch = pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX keeps the state of an epoch")


@pytest.mark.parametrize("verbose", [0, 2])
def test_diverged_losses_end_the_training_with_an_error(verbose):
    gan = made(rate=1e30)
    with pytest.raises(
        DivergenceError, match=r"the generator's g_loss is (nan|inf).* at step [12]. The training"
    ) as caught:
        gan.fit(batches(), epochs=50, verbose=verbose)
    assert isinstance(caught.value, ArithmeticError) and int(gan.step) < 6
    assert "Lower the learning rates" in str(caught.value)


@within_an_epoch
@pytest.mark.parametrize("player, loss", [("generator", "g_loss"), ("discriminator", "d_loss")])
def test_the_step_and_the_loss_are_named(player, loss):
    """Broken after step 5, the second of the second epoch, so step 6 has the first losses that are not finite."""
    with pytest.raises(DivergenceError, match=rf"the {player}'s {loss} is nan.* at step 6"):
        made().fit(batches(), epochs=3, verbose=0, callbacks=[Poison(player, 1)])


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_weights_broken_by_the_last_step_of_an_epoch_are_found_before_they_are_saved(player, tmp_path):
    """Callbacks are called in order, and the check is the first of them."""
    keep = keras.callbacks.ModelCheckpoint(str(tmp_path / "last.keras"))
    gan = made()
    gan.fit(batches(), verbose=0, callbacks=[keep])
    before = (tmp_path / "last.keras").read_bytes()

    def break_it(epoch, logs):
        variable = getattr(gan, player).trainable_variables[0]
        variable.assign(variable * np.nan)

    class Breaking(FiniteTraining):
        def on_epoch_end(self, epoch, logs=None):
            break_it(epoch, logs)
            super().on_epoch_end(epoch, logs)

    with pytest.raises(DivergenceError, match=f"of the {player}, after epoch 1, step 6"):
        gan.fit(batches(), verbose=0, callbacks=[Breaking([]), keep])
    assert (tmp_path / "last.keras").read_bytes() == before


def test_a_good_checkpoint_is_not_overwritten(tmp_path):
    gan, checkpoint = made(), Checkpoint(tmp_path, every_steps=1)
    gan.fit(batches(), verbose=0, callbacks=[checkpoint])
    for optimizer in (gan.g_optimizer, gan.d_optimizer):
        optimizer.learning_rate = 1e30
    with pytest.raises(DivergenceError):
        gan.fit(batches(), epochs=3, verbose=0, callbacks=[checkpoint])
    saved = resume(tmp_path)
    assert all(np.isfinite(keras.ops.convert_to_numpy(variable)).all() for variable in saved.weights)
    assert 3 <= int(saved.step) < 6


@within_an_epoch
@pytest.mark.parametrize("weights_only", [False, True])
def test_keras_own_checkpoints_within_an_epoch_are_not_overwritten_either(weights_only, tmp_path):
    """The losses of step 2 are finite: its update breaks the weights, before the file is written again."""
    path = tmp_path / ("last.weights.h5" if weights_only else "last.keras")
    seen = []

    class See(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(path.read_bytes())

    keep = keras.callbacks.ModelCheckpoint(str(path), save_freq=1, save_weights_only=weights_only)
    with pytest.raises(DivergenceError, match="that would replace .*last"):
        made().fit(batches(), verbose=0, callbacks=[Poison(), keep, See()])
    assert [path.read_bytes()] == seen


def test_terminate_on_nan_ends_the_training_without_an_error(tmp_path, capsys):
    gan = made(rate=1e30)
    callbacks = [keras.callbacks.TerminateOnNaN(), Checkpoint(tmp_path, every_steps=1)]
    history = gan.fit(batches(), epochs=6, verbose=0, callbacks=callbacks)
    assert len(history.epoch) == 1 and not np.isfinite(history.history["d_loss"][-1])
    assert not (tmp_path / "checkpoint.keras").exists()
    assert "the last checkpoint in" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="Terminating training"):
        made(rate=1e30).fit(batches(), verbose=0, callbacks=[keras.callbacks.TerminateOnNaN(raise_error=True)])


def test_terminate_on_nan_lets_a_healthy_run_go_on():
    history = made().fit(batches(), epochs=3, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert len(history.epoch) == 3


@within_an_epoch
def test_a_doctor_that_is_asked_to_rolls_back_instead(tmp_path):
    doctor, checkpoint = GANDoctor(images(8), rollback=True, period=2), Checkpoint(tmp_path)
    callbacks = [Poison(epoch=1, step=1), doctor, checkpoint]
    gan = made()
    history = gan.fit(batches(), epochs=4, verbose=0, callbacks=callbacks).history
    assert [verdict.name for verdict in doctor.verdicts] == ["divergence"]  # in an epoch that the period leaves out
    assert np.isnan(history["g_loss"][1]) and np.isfinite(history["g_loss"][2:]).all()
    assert int(resume(tmp_path).step) == int(gan.step) == 12


@within_an_epoch
@pytest.mark.parametrize("options, ends", [({}, True), ({"stop": True}, False)])
def test_a_doctor_that_only_looks_leaves_it_to_fit(options, ends):
    doctor = GANDoctor(images(8), **options)
    fit = lambda: made().fit(batches(), epochs=3, verbose=0, callbacks=[Poison(), doctor])  # noqa: E731
    if ends:
        pytest.raises(DivergenceError, fit)
    else:
        assert len(fit().epoch) == 1 and doctor.verdicts[0].name == "divergence"


def test_skipped_steps_of_a_loss_scale_are_no_divergence():
    """A scale of 2^60 overflows float16 many times before it has been halved enough; each such step is skipped."""
    keras.utils.set_random_seed(0)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        gan = kg.GAN(image_shape=SHAPE, latent_dim=4, seed=0)
        scaled = lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=2.0**60)  # noqa: E731
        gan.compile(scaled(), scaled())
    finally:
        keras.config.set_dtype_policy(policy)
    before = keras.ops.convert_to_numpy(gan.generator.trainable_variables[0]).copy()
    gan.fit(batches(), epochs=2, verbose=0)
    np.testing.assert_array_equal(before, keras.ops.convert_to_numpy(gan.generator.trainable_variables[0]))
    assert float(keras.ops.convert_to_numpy(gan.g_optimizer.dynamic_scale)) == 2.0**54


# Files


def broken(value, folder, name="checkpoint.keras", network="generator"):
    """The file of a model with a weight that is not finite."""
    gan = made(ema_decay=0.9)
    getattr(gan, network).trainable_variables[-1].assign(np.full(gan.generator.trainable_variables[-1].shape, value))
    gan.save(folder / name)
    return gan


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_file_whose_weights_are_not_finite_is_refused(value, tmp_path):
    broken(value, tmp_path)
    with pytest.raises(CorruptPresetError, match="Expected finite weights in .*Received: NaN or infinite weights in"):
        kg.zoo.load_file(tmp_path / "checkpoint.keras")
    with pytest.raises(CheckpointError, match="checkpoint.keras holds NaN or infinite weights in"):
        resume(tmp_path)


def test_a_run_goes_on_with_the_last_checkpoint_that_is_finite(tmp_path):
    broken(np.nan, tmp_path)
    made().save(tmp_path / "checkpoint-previous.keras")
    with pytest.warns(UserWarning, match="NaN or infinite weights in .*: going on with the checkpoint before it"):
        assert broken_weights(resume(tmp_path)) is None


def test_a_preset_and_a_classifier_whose_weights_are_not_finite_are_refused(tmp_path, monkeypatch):
    kg.zoo.write_preset(made(), tmp_path / "preset", {})
    network = build_classifier(SHAPE, base_filters=2)
    kg.zoo.write_classifier(network, tmp_path / "classifier", images(4), {})
    for name, load in (("preset", kg.load), ("classifier", kg.zoo.load_classifier)):
        path = tmp_path / name / "model.keras"
        load(str(path.parent))
        model = keras.saving.load_model(path)
        last = model.weights[-1]
        last.assign(np.full(last.shape, np.nan))
        path.unlink()
        model.save(path)
        card = json.loads((path.parent / "card.json").read_text())
        card |= {"size": path.stat().st_size, "sha256": cards.sha256(path)}
        (path.parent / "card.json").write_text(json.dumps(card))
        with pytest.raises(CorruptPresetError, match="NaN or infinite weights"):
            load(str(path.parent))


def test_the_name_of_a_broken_weight_is_shown_safely(tmp_path):
    """It comes from the file."""
    inputs = keras.Input((4,))
    network = keras.Model(inputs, keras.layers.Dense(2, name="x" * 5000 + "\x1b[2J")(inputs))
    assert broken_file(network) is None
    network.layers[-1].bias.assign([0.0, np.nan])
    assert len(broken_file(network)) < 200 and "\x1b" not in broken_file(network)
    network.layers[-1].name = "\x1b[2J"
    assert broken_file(network).isprintable()


def test_what_callbacks_keep_may_be_nan(tmp_path):
    gan = made()
    gan.slots.get("mine", (2,)).assign([np.nan, 1.0])
    gan.save(tmp_path / "checkpoint.keras")
    kg.zoo.load_file(tmp_path / "checkpoint.keras")
    assert resume(tmp_path).compiled


# Arguments of fit


def test_a_validation_split_is_the_last_part():
    gan, given = conditional(), images()
    labels = np.arange(24) % 10
    history = gan.fit(given, labels, batch_size=8, validation_split=1 / 3, verbose=0).history
    assert int(gan.step) == 2 and "val_g_loss" in history
    dicts = conditional().fit({"images": given, "labels": labels}, batch_size=8, validation_split=1 / 3, verbose=0)
    assert "val_g_loss" in dicts.history
    for wrong in (1.0, -0.5, 0.99, "half"):
        with pytest.raises(ConfigurationError, match="validation_split"):
            gan.fit(given, labels, validation_split=wrong, verbose=0)
    with pytest.raises(ConfigurationError, match="Received: Batches. Pass validation_data"):
        made().fit(batches(), validation_split=0.5, verbose=0)
