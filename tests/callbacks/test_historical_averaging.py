import keras
import numpy as np
import pytest
from contract import BACKEND, equal, largest_difference, training_state, values

from keras_gans.callbacks import HistoricalAveraging
from keras_gans.errors import ConfigurationError

PLAYERS = ("generator", "discriminator")


class Trajectory(keras.callbacks.Callback):
    """Each player's trainable weights after each step."""

    def __init__(self):
        super().__init__()
        self.path = {player: [] for player in PLAYERS}

    def on_train_batch_end(self, batch, logs=None):
        model = self.model
        for player in PLAYERS:
            self.path[player].append(values(model.player_variables(player)))


class Interrupt(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt


def sgd():
    return {player + "_optimizer": keras.optimizers.SGD(0.1) for player in "gd"}


def means(gan, player):
    count = len(gan.player_variables(player))
    return values([gan.slots.get(f"historical_averaging/{player}/{i}") for i in range(count)])


def count(gan, player):
    return int(gan.slots.get(f"historical_averaging/{player}/count"))


def hooks(gan):
    return [key for table in (gan.penalties, gan.after_step) for player in PLAYERS for key in table[player]]


def test_the_mean_is_that_of_the_whole_trajectory(make, batches):
    gan, trajectory = make(**sgd()), Trajectory()
    gan.fit(batches, epochs=2, verbose=0, callbacks=[HistoricalAveraging(0.5), trajectory])
    for player in PLAYERS:
        path = trajectory.path[player]
        assert len(path) == count(gan, player) == 6
        expected = [np.mean(history, axis=0, dtype="float64") for history in zip(*path)]
        assert largest_difference(expected, means(gan, player)) < 1e-6
        assert largest_difference(path[-1], means(gan, player)) > 1e-4  # the last weights alone are not the mean


def test_the_mean_counts_every_update_of_a_step(make, batches):
    gan = make(discriminator_steps=2)
    gan.fit(batches, verbose=0, callbacks=[HistoricalAveraging()])
    assert count(gan, "discriminator") == 6 and count(gan, "generator") == 3


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_the_step_by_hand(run_eagerly, make, batches):
    """After one update the mean is theta - 1, say: the gradient of 0.5 ||theta - mean||^2 is 1, and SGD with a rate of
    0.1 moves each weight 0.1 further down. The mean of two is then halfway between itself and the new weights."""
    plain, gan = make(run_eagerly=run_eagerly, **sgd()), make(run_eagerly=run_eagerly, **sgd())
    averaging = HistoricalAveraging(0.5, players=("generator",))
    averaging.set_model(gan)
    gan.slots.get("historical_averaging/generator/count").assign(1)
    variables = gan.player_variables("generator")
    before = [value - 1.0 for value in values(variables)]
    for i, mean in enumerate(before):
        gan.slots.get(f"historical_averaging/generator/{i}").assign(mean)
    gan.fit(batches, steps_per_epoch=1, verbose=0, callbacks=[averaging])
    plain.fit(batches, steps_per_epoch=1, verbose=0)
    lowered = [value - 0.1 for value in values(plain.player_variables("generator"))]
    assert largest_difference(lowered, values(variables)) < 1e-6
    halfway = [(mean + value) / 2 for mean, value in zip(before, values(variables))]
    assert count(gan, "generator") == 2 and largest_difference(halfway, means(gan, "generator")) < 1e-6
    discriminators = (plain.player_variables("discriminator"), gan.player_variables("discriminator"))
    assert largest_difference(*map(values, discriminators)) < 1e-6  # only the generator was asked for


def test_it_acts_from_the_third_update_on(make, batches):
    plain, gan = make(**sgd()), make(**sgd())
    trajectories = Trajectory(), Trajectory()
    plain.fit(batches, verbose=0, callbacks=[trajectories[0]])
    gan.fit(batches, verbose=0, callbacks=[trajectories[1], HistoricalAveraging(2.0)])
    for player in PLAYERS:
        apart = [largest_difference(*pair) for pair in zip(*(t.path[player] for t in trajectories))]
        assert max(apart[:2]) < 1e-6 < 1e-5 < apart[2]


def test_an_eager_run_is_close_to_a_compiled_one(make, batches):
    gans = [make(run_eagerly=run_eagerly, **sgd()) for run_eagerly in (False, True)]
    for gan in gans:
        gan.fit(batches, epochs=2, verbose=0, callbacks=[HistoricalAveraging(0.5)])
    assert largest_difference(*(values(gan.weights) for gan in gans)) < 1e-5


@pytest.mark.skipif(BACKEND == "torch", reason="Keras asks for steps_per_execution=1 on PyTorch")
def test_several_steps_an_execution_change_nothing(make, batches):
    gans = [make(steps_per_execution=steps, **sgd()) for steps in (1, 3)]
    for gan in gans:
        gan.fit(batches, epochs=2, verbose=0, callbacks=[HistoricalAveraging(0.5)])
    assert count(gans[1], "generator") == 6
    assert largest_difference(*map(training_state, gans)) < 1e-6


def test_a_fit_without_it_is_plain_again(make, batches):
    gan, plain = make(**sgd()), make(**sgd())
    gan.fit(batches, verbose=0, callbacks=[HistoricalAveraging(0.0)])  # weight 0: counts, and changes no weight
    plain.fit(batches, verbose=0)
    assert hooks(gan) == []
    for model in (gan, plain):
        model.fit(batches, epochs=2, verbose=0)
    assert count(gan, "generator") == 3  # not the second fit's updates
    for player in PLAYERS:
        assert largest_difference(*(values(model.player_variables(player)) for model in (gan, plain))) < 1e-6


def test_a_run_goes_on_from_a_file_bit_for_bit(make, batches, tmp_path):
    whole, begun = make(), make()
    whole.fit(batches, epochs=3, verbose=0, callbacks=[HistoricalAveraging(0.5)])
    begun.fit(batches, epochs=2, verbose=0, callbacks=[HistoricalAveraging(0.5)])
    begun.save(tmp_path / "gan.keras")
    resumed = keras.saving.load_model(tmp_path / "gan.keras")
    assert count(resumed, "generator") == 6 and equal(means(resumed, "generator"), means(begun, "generator"))
    resumed.fit(batches, initial_epoch=2, epochs=3, verbose=0, callbacks=[HistoricalAveraging(0.5)])
    assert count(resumed, "generator") == 9
    assert equal(training_state(resumed), training_state(whole))


@pytest.mark.parametrize("backup_first", [True, False])
def test_keras_backups_restore_it_in_any_order(backup_first, make, batches, tmp_path):
    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def callbacks():
        pair = [keras.callbacks.BackupAndRestore(tmp_path / "backup"), HistoricalAveraging(0.5)]
        return pair if backup_first else pair[::-1]

    whole, killed, resumed = make(), make(), make()
    whole.fit(batches, epochs=3, verbose=0, callbacks=[HistoricalAveraging(0.5)])
    with pytest.raises(KeyboardInterrupt):
        killed.fit(batches, epochs=3, verbose=0, callbacks=[*callbacks(), Kill()])
    assert count(killed, "generator") == 6
    resumed.fit(batches, epochs=3, verbose=0, callbacks=callbacks())
    assert count(resumed, "generator") == 9
    assert equal(training_state(resumed), training_state(whole))


def test_another_fit_may_have_another_weight(make, batches):
    """The step is compiled anew, though no variable of it is new."""
    changed, same = make(**sgd()), make(**sgd())
    for gan, weights in ((changed, (0.5, 0.0)), (same, (0.5, 0.5))):
        for weight in weights:
            gan.fit(batches, verbose=0, callbacks=[HistoricalAveraging(weight)])
    assert count(changed, "generator") == count(same, "generator") == 6
    assert largest_difference(*(values(gan.trainable_variables) for gan in (changed, same))) > 1e-4


def test_an_exception_takes_the_hooks_away_too(make, batches):
    gan = make(**sgd())
    with pytest.raises(KeyboardInterrupt):
        gan.fit(batches, verbose=0, callbacks=[HistoricalAveraging(9.0), Interrupt()])
    assert count(gan, "generator") == 1 and hooks(gan) == []
    gan.fit(batches, verbose=0)
    assert count(gan, "generator") == 1


def test_players_may_have_callbacks_of_their_own(make, batches):
    both, each = make(**sgd()), make(**sgd())
    both.fit(batches, verbose=0, callbacks=[HistoricalAveraging(0.5)])
    each.fit(batches, verbose=0, callbacks=[HistoricalAveraging(0.5, [player]) for player in PLAYERS])
    assert largest_difference(*(values(gan.trainable_variables) for gan in (both, each))) < 1e-6


def test_mixed_precision_keeps_a_float32_mean(make, batches):
    keras.config.set_dtype_policy("mixed_bfloat16")
    gan = make()
    gan.fit(batches, verbose=0, callbacks=[HistoricalAveraging()])
    assert all(mean.dtype == np.float32 and np.isfinite(mean).all() for mean in means(gan, "generator"))


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf"), "1", None, True], ids=str)
def test_weights_that_cannot_be_are_refused(weight):
    with pytest.raises(ConfigurationError, match="weight"):
        HistoricalAveraging(weight)


@pytest.mark.parametrize("players", ["generator", ()], ids=str)
def test_what_is_no_tuple_of_players_is_refused(players):
    with pytest.raises(ConfigurationError, match="players"):
        HistoricalAveraging(players=players)


@pytest.mark.parametrize("players", [("critic",), ("generator", "critic")], ids=str)
def test_players_that_the_model_does_not_have_are_refused_before_training(players, make, batches):
    gan = make()
    with pytest.raises(ConfigurationError, match="players from generator, discriminator.*DCGAN.*critic"):
        gan.fit(batches, verbose=0, callbacks=[HistoricalAveraging(players=players)])
    assert int(gan.step) == 0
