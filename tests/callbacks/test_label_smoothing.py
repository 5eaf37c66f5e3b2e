import keras
import numpy as np
import pytest
from contract import equal, training_state, values
from keras import ops

from keras_gans.callbacks import LabelSmoothing
from keras_gans.errors import ConfigurationError


class Targets(keras.callbacks.Callback):
    """The target after each step, and how often the step was traced."""

    def __init__(self):
        super().__init__()
        self.seen, self.traces = [], 0

    def set_model(self, model):
        super().set_model(model)

        def hook():
            self.traces += 1

        model.after_step["generator"]["traces"] = hook

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(self.model.real_target))


def test_the_target_holds_while_training_and_is_one_again_after(make, batches):
    gan, targets = make(), Targets()
    gan.fit(batches, verbose=0, callbacks=[LabelSmoothing(0.75), targets])
    assert targets.seen == [0.75] * 3
    assert float(gan.real_target) == 1.0


def test_the_compiled_step_uses_it(make, batches):
    smoothed, plain = make(), make()
    smoothed.fit(batches, verbose=0, callbacks=[LabelSmoothing(0.5)])
    plain.fit(batches, verbose=0)
    assert not equal(values(smoothed.trainable_variables), values(plain.trainable_variables))
    by_hand = make()
    by_hand.real_target.assign(0.5)
    by_hand.fit(batches, verbose=0)
    assert equal(values(smoothed.trainable_variables), values(by_hand.trainable_variables))


def test_a_schedule_is_followed_without_another_trace(make, batches):
    gan, targets = make(), Targets()
    gan.fit(batches, epochs=1, verbose=0, callbacks=[LabelSmoothing(), targets])
    traces = targets.traces
    targets.seen = []
    schedule = [0.5, 0.75, 1.0].__getitem__
    gan.fit(batches, epochs=3, verbose=0, callbacks=[LabelSmoothing(schedule=schedule), targets])
    assert targets.seen == [0.5] * 3 + [0.75] * 3 + [1.0] * 3
    if keras.backend.backend() != "torch":  # which traces nothing: it runs the hook at each step
        assert targets.traces == traces


def test_a_resumed_run_follows_the_schedule_at_its_own_epoch(make, batches, tmp_path):
    def schedule(epoch):
        return 0.5 + 0.125 * epoch

    whole, begun, targets = make(), make(), Targets()
    whole.fit(batches, epochs=3, verbose=0, callbacks=[LabelSmoothing(schedule=schedule)])
    begun.fit(batches, epochs=2, verbose=0, callbacks=[LabelSmoothing(schedule=schedule)])
    begun.save(tmp_path / "gan.keras")
    resumed = keras.saving.load_model(tmp_path / "gan.keras")
    resumed.fit(batches, initial_epoch=2, epochs=3, verbose=0, callbacks=[LabelSmoothing(schedule=schedule), targets])
    assert targets.seen == [0.75] * 3
    assert equal(training_state(resumed), training_state(whole))


def test_a_schedule_out_of_range_is_refused_before_training(make, batches):
    gan = make()
    with pytest.raises(ConfigurationError, match=r"in epoch 2\. Received: 1.25"):
        gan.fit(batches, epochs=4, verbose=0, callbacks=[LabelSmoothing(schedule=lambda epoch: 0.75 + 0.25 * epoch)])
    assert int(gan.step) == 0 and float(gan.real_target) == 1.0


@pytest.mark.parametrize("target", [0.0, -0.1, 1.01, float("nan"), "a", "0.9", True, np.True_, None], ids=repr)
def test_targets_out_of_range_are_refused(target):
    with pytest.raises(ConfigurationError, match=r"\(0, 1\]"):
        LabelSmoothing(target)


@pytest.mark.parametrize("kind", [np.float32, np.array, ops.convert_to_tensor])
def test_a_schedule_may_return_any_0_d_number(kind, make, batches):
    gan, targets = make(), Targets()
    gan.fit(batches, verbose=0, callbacks=[LabelSmoothing(schedule=lambda epoch: kind(0.75)), targets])
    assert targets.seen == [0.75] * 3


def test_a_schedule_that_is_no_function_is_refused():
    with pytest.raises(ConfigurationError, match="function"):
        LabelSmoothing(schedule=[0.9, 1.0])


def test_a_model_without_labels_is_refused(make):
    gan = make()
    gan.real_target = None
    with pytest.raises(ConfigurationError, match="DCGAN, which has no real_target"):
        gan.fit(np.zeros((8, 8, 8, 1), "uint8"), verbose=0, callbacks=[LabelSmoothing()])
