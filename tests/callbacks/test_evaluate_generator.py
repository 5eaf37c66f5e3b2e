"""Numbers in the logs of every epoch, for the callbacks that choose by them, without a change to the training."""

import keras
import numpy as np
import pytest
from contract import equal, values

import keras_gans as kg
from keras_gans.callbacks import Checkpoint, EvaluateGenerator, resume
from keras_gans.errors import ConfigurationError, DataError


@pytest.fixture
def evaluator(images):
    return kg.metrics.Evaluator(images, kg.metrics.pixels(images.shape[1:]), ["kernel_distance", "precision_recall"])


class Scripted:
    """An evaluator whose numbers are known beforehand."""

    names = ["frechet_distance"]

    def __init__(self, values):
        self.values, self.asked = list(values), 0

    def check(self, image_shape):
        pass

    def __call__(self, images):
        self.asked += 1
        protocol = kg.metrics.Protocol("frechet_distance", "none", "none", "none", len(images))
        return {
            "frechet_distance": kg.metrics.Measurement("frechet_distance", self.values[self.asked - 1], None, protocol)
        }


def test_the_numbers_are_those_of_generate(make, batches, evaluator):
    gan, measured = make(), EvaluateGenerator(evaluator, samples=10, seed=3)
    history = gan.fit(batches, epochs=2, callbacks=[measured], verbose=0).history
    expected = evaluator(gan.generate(10, seed=3))
    assert set(history) >= {"val_kernel_distance", "val_precision", "val_recall"}
    for name, number in expected.items():
        assert history[f"val_{name}"][-1] == pytest.approx(number.value, rel=1e-6)  # kept in float32
    epoch, last = measured.measurements[-1]
    assert epoch == 2 and last == expected


def test_measuring_changes_no_training(make, batches, evaluator):
    plain, watched = make(), make()
    plain.fit(batches, epochs=2, verbose=0)
    watched.fit(batches, epochs=2, callbacks=[EvaluateGenerator(evaluator, samples=10)], verbose=0)
    slots = {id(variable) for variable in watched.slots.weights}
    assert len(slots) == 4  # three numbers and a count, saved beside the weights

    def state(gan):
        own = [variable for variable in gan.weights if id(variable) not in slots]
        return values([*own, *gan.g_optimizer.variables, *gan.d_optimizer.variables, gan.latent_seeds.state])

    assert equal(state(plain), state(watched))


def test_epochs_in_between_log_the_last_number_again(make, batches):
    scripted = Scripted([5.0, 4.0, 3.0, 2.0])
    history = make().fit(batches, epochs=6, callbacks=[EvaluateGenerator(scripted, every=3)], verbose=0).history
    assert history["val_frechet_distance"] == [
        5.0,
        5.0,
        4.0,
        4.0,
        4.0,
        3.0,
    ]  # the first, every third; the last is one of them
    history = make().fit(batches, epochs=2, callbacks=[EvaluateGenerator(Scripted([5.0, 4.0]), every=3)], verbose=0)
    assert history.history["val_frechet_distance"] == [5.0, 4.0]


def test_the_best_checkpoint_is_kept_and_not_the_latest(make, batches, tmp_path):
    """Of epochs that measure 5, 2, 2 (again) and 4, the second is kept: its weights are in the file."""
    gan, weights = make(), []

    class Remember(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            weights.append([np.array(value) for value in self.model.get_weights()])

    keep = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras", monitor="val_frechet_distance", mode="min", save_best_only=True
    )
    measured = EvaluateGenerator(Scripted([5.0, 2.0, 4.0]), every=2)
    gan.fit(batches, epochs=4, callbacks=[measured, Remember(), keep], verbose=0)
    best = keras.saving.load_model(tmp_path / "best.keras").get_weights()
    assert equal(best, weights[1]) and not equal(best, weights[2]) and not equal(best, weights[3])


def test_early_stopping_sees_it(make, batches):
    stop = keras.callbacks.EarlyStopping(monitor="val_frechet_distance", mode="min", patience=2)
    history = make().fit(
        batches, epochs=9, callbacks=[EvaluateGenerator(Scripted([3.0, 2.0, 2.5, 2.5, 2.5])), stop], verbose=0
    )
    assert history.history["val_frechet_distance"] == [3.0, 2.0, 2.5, 2.5]


def test_a_resumed_run_logs_what_the_uninterrupted_one_does(make, batches, evaluator, tmp_path):
    def callbacks(folder):
        return [EvaluateGenerator(evaluator, samples=10, every=3), Checkpoint(tmp_path / folder)]

    whole = make().fit(batches, epochs=5, callbacks=callbacks("whole"), verbose=0).history
    # To the end of the fourth epoch of five: stopped, as a run that is killed after its checkpoint.
    cut = make()

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 3

    cut.fit(batches, epochs=5, callbacks=[*callbacks("parts"), Stop()], verbose=0)
    resumed = resume(tmp_path / "parts")
    history = resumed.fit(batches, initial_epoch=4, epochs=6, callbacks=callbacks("parts"), verbose=0).history
    assert (
        history["val_kernel_distance"][0] == whole["val_kernel_distance"][3]
    )  # that of the third epoch, not of the fifth
    assert history["val_kernel_distance"][1] != history["val_kernel_distance"][0]


@pytest.mark.parametrize("options", [{"samples": 1}, {"samples": 2.0}, {"every": 0}, {"every": True}])
def test_numbers_out_of_range_are_refused(options, evaluator):
    with pytest.raises(ConfigurationError, match="whole number"):
        EvaluateGenerator(evaluator, **options)


def test_a_reference_of_another_shape_is_refused_before_training(make, batches):
    other = np.zeros((4, 16, 16, 1), "uint8")
    evaluator = kg.metrics.Evaluator(other, kg.metrics.pixels((16, 16, 1)), "kernel_distance")
    with pytest.raises(DataError, match="reference's shape"):
        make().fit(batches, callbacks=[EvaluateGenerator(evaluator)], verbose=0)


def test_inputs_that_cannot_be_drawn_are_given_and_an_output_is_chosen(batches, images):
    """A network that returns its sources, whose pairs are measured against themselves."""
    sources, seeds = keras.Input((8, 8, 1)), keras.Input((), dtype="int32")
    nothing = keras.layers.Reshape((1, 1, 1))(0.0 * keras.ops.cast(seeds, "float32"))
    made = keras.layers.Conv2D(1, 1, kernel_initializer="ones")(sources) + nothing
    target = keras.Input((8, 8, 1))
    logits = keras.layers.Conv2D(1, 3)(keras.layers.Concatenate()([sources, target]))
    gan = kg.Pix2Pix(keras.Model([sources, seeds], made), keras.Model([sources, target], logits))
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    pairs = {"sources": images[:8], "targets": images[:8]}
    evaluator = kg.metrics.Evaluator(images, kg.metrics.pixels(images.shape[1:]), "kernel_distance")
    measured = EvaluateGenerator(evaluator, samples=26, inputs={"sources": images}, output="targets")
    gan.fit(pairs, batch_size=8, callbacks=[measured], verbose=0)
    assert measured.measurements[0][1] == evaluator(images)
    for options, message in ((dict(), "sources, which cannot be drawn"), (dict(output="images"), "output to be one")):
        with pytest.raises(ConfigurationError, match=message):
            gan.fit(pairs, batch_size=8, callbacks=[EvaluateGenerator(evaluator, **options)], verbose=0)
