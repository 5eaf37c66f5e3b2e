"""The fused Adam is Keras's, and the paper's algorithm; beta_2 may rise; each player has a learning rate of its own."""

import keras
import numpy as np
import pytest
from keras import ops
from keras.optimizers import SGD

import keras_gans as kg
from keras_gans.errors import ConfigurationError
from keras_gans.optimizers import FusedAdam, RisingAdam

PLAYERS = ("generator", "discriminator")


def trained(optimizer, dtype="float32", steps=5):
    """Two variables after some steps on gradients that are drawn, a large one and one of zeros among them."""
    rng = np.random.default_rng(0)
    variables = [keras.Variable(rng.normal(size=shape), dtype=dtype) for shape in ((4, 3), (5,))]
    optimizer.build(variables)
    for step in range(steps):
        gradients = [rng.normal(size=v.shape) * (1e3 if step == 2 else 1.0) * (step != 3) for v in variables]
        optimizer.apply([ops.cast(g, dtype) for g in gradients], variables)
    state = [*variables, *optimizer.variables]
    return [ops.convert_to_numpy(ops.cast(v, "float32")) for v in state]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"learning_rate": 2e-4, "beta_1": 0.5, "epsilon": 1e-8},
        {"beta_1": 0.0, "beta_2": 0.99},
        {"clipnorm": 1.0, "weight_decay": 0.1},
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)},
        {"amsgrad": True},
        {"use_ema": True, "ema_momentum": 0.9},
        {"gradient_accumulation_steps": 2},
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_equals_keras(options, dtype):
    for own, other in zip(trained(FusedAdam(**options), dtype), trained(keras.optimizers.Adam(**options), dtype)):
        np.testing.assert_allclose(own, other, rtol=2e-5, atol=1e-7)  # products in another order


def test_the_first_step_by_hand():
    variable = keras.Variable([1.0, 1.0])
    FusedAdam(learning_rate=0.1, epsilon=0.0).apply([ops.convert_to_tensor([3.0, -0.5])], [variable])
    # m / sqrt(v), both without bias, is the gradient's sign: m = 0.1 g / (1 - 0.9), v = 0.001 g^2 / (1 - 0.999)
    np.testing.assert_allclose(ops.convert_to_numpy(variable), [0.9, 1.1], rtol=1e-6)


def test_it_survives_its_config():
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(FusedAdam(beta_1=0.5)))
    assert type(copy) is FusedAdam and copy.beta_1 == 0.5


def test_beta_2_rises_from_update_to_update():
    """Adam's formula with beta_2 at 0.5, 0.7 and 0.9 in three updates, then 0.9 for ever."""
    variable, gradients = keras.Variable([1.0]), [3.0, -0.5, 2.0, 1.0, 4.0]
    adam = RisingAdam(0.1, beta_1=0.5, first_beta_2=0.5, beta_2=0.9, rise_steps=2, epsilon=0.0)
    expected, m, v = 1.0, 0.0, 0.0
    for t, (gradient, beta_2) in enumerate(zip(gradients, (0.5, 0.7, 0.9, 0.9, 0.9))):
        adam.apply([ops.convert_to_tensor([gradient])], [variable])
        m, v = 0.5 * m + 0.5 * gradient, beta_2 * v + (1.0 - beta_2) * gradient**2
        expected -= 0.1 * m / (1.0 - 0.5 ** (t + 1)) / np.sqrt(v / (1.0 - beta_2 ** (t + 1)))
        assert float(ops.convert_to_numpy(variable)[0]) == pytest.approx(expected, rel=1e-5)


def test_a_rising_beta_2_survives_its_config_and_is_kept_in_range():
    adam = RisingAdam(2e-4, first_beta_2=0.8, beta_2=0.95, rise_steps=7)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(adam))
    assert (type(copy), copy.first_beta_2, copy.last_beta_2, copy.rise_steps) == (RisingAdam, 0.8, 0.95, 7)
    for wrong in ({"first_beta_2": 1.0}, {"beta_2": -0.1}, {"rise_steps": 0}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            RisingAdam(**{"rise_steps": 7, **wrong})


# The players' rates: two time scales, schedules, Keras's callbacks


def game(g_optimizer, d_optimizer, **options):
    """A game of two linear networks, the same at every call."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(4), layers.Reshape((2, 2, 1))])
    discriminator = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(1)])
    gan = kg.DCGAN(generator, discriminator, seed=1, **options)
    gan.compile(g_optimizer, d_optimizer)
    return gan


def fit(gan, **options):
    """Fits on one batch; `options` may set the epochs."""
    images = np.random.default_rng(0).integers(0, 256, (6, 2, 2, 1)).astype("uint8")
    return gan.fit(images, batch_size=6, shuffle=False, verbose=0, **options).history


def moves(gan, **options):
    """How far `fit` moves each player's weights."""

    def weights(player):
        return np.concatenate([ops.convert_to_numpy(v.value).ravel() for v in gan.player_variables(player)])

    before = {player: weights(player).copy() for player in PLAYERS}
    fit(gan, **options)
    return {player: weights(player) - before[player] for player in PLAYERS}


def rates(gan):
    return [float(ops.convert_to_numpy(optimizer.learning_rate)) for optimizer in (gan.g_optimizer, gan.d_optimizer)]


def test_two_time_scales():
    """A step of gradient descent is the rate times a gradient: half the rate, half the step, of one player only."""
    g_moves, d_moves = {}, {}
    for g_rate, d_rate in ((1.0, 1.0), (0.5, 1.0), (1.0, 0.25), (0.5, 0.25)):
        moved = moves(game(SGD(g_rate), SGD(d_rate)))
        g_moves[g_rate, d_rate], d_moves[g_rate, d_rate] = (moved[player] for player in PLAYERS)
    assert min(np.abs(moved).max() for moved in (*g_moves.values(), *d_moves.values())) > 0.01
    for d_rate in (1.0, 0.25):  # the generator's gradient is taken after the discriminator's step
        np.testing.assert_allclose(g_moves[0.5, d_rate], 0.5 * g_moves[1.0, d_rate], atol=1e-6)
        np.testing.assert_array_equal(d_moves[0.5, d_rate], d_moves[1.0, d_rate])
    np.testing.assert_allclose(d_moves[1.0, 0.25], 0.25 * d_moves[1.0, 1.0], atol=1e-6)


def test_a_schedule_counts_its_own_players_updates():
    """Rates of zero after three updates: the discriminator's are over in one step, the generator's in three."""
    three = keras.optimizers.schedules.PiecewiseConstantDecay([2], [1.0, 0.0])  # updates 0, 1 and 2
    gan = game(SGD(three), SGD(three), discriminator_steps=3)
    moved = [{player for player, move in moves(gan).items() if move.any()} for _ in range(4)]
    assert moved == [{"generator", "discriminator"}, {"generator"}, {"generator"}, set()]
    counts = [int(ops.convert_to_numpy(o.iterations.value)) for o in (gan.g_optimizer, gan.d_optimizer)]
    assert counts == [4, 12]


def test_keras_scheduler_sets_both_rates():
    seen = []

    def halved(epoch, rate):
        seen.append((epoch, rate))
        return rate / 2 if epoch < 2 else 0.0

    gan, callback = game(SGD(0.5), SGD(2.0)), keras.callbacks.LearningRateScheduler(halved)
    moved = moves(gan, callbacks=[callback])  # of an epoch at half the rates
    expected = moves(game(SGD(0.25), SGD(1.0)))
    for player in PLAYERS:
        np.testing.assert_array_equal(moved[player], expected[player])
    logs = fit(gan, callbacks=[callback], initial_epoch=1, epochs=2)
    assert seen == [(0, 0.5), (0, 2.0), (1, 0.25), (1, 1.0)]
    names = [f"learning_rate_{optimizer.name}" for optimizer in (gan.g_optimizer, gan.d_optimizer)]
    assert [logs[name] for name in names] == [[0.125], [0.5]]
    assert not any(move.any() for move in moves(gan, callbacks=[callback], initial_epoch=2, epochs=4).values())
    assert rates(gan) == [0.0, 0.0]


@pytest.mark.parametrize("monitor", ["g_loss", "d_loss"])
def test_keras_plateau_reduces_both_rates_by_one_factor(monitor):
    """An improvement of 10^9 never comes: each epoch after the first is one of the plateau."""
    gan = game(SGD(0.5), SGD(2.0))
    plateau = keras.callbacks.ReduceLROnPlateau(monitor, mode="min", min_delta=1e9, patience=1, factor=0.25)
    fit(gan, epochs=3, callbacks=[plateau])
    assert rates(gan) == [0.5 / 16, 2.0 / 16]
    with pytest.raises(ValueError, match="Pass `mode="):
        fit(gan, callbacks=[keras.callbacks.ReduceLROnPlateau(monitor)])


def test_keras_callbacks_refuse_a_schedule():
    gan = game(SGD(0.5), SGD(keras.optimizers.schedules.ExponentialDecay(2.0, 10, 0.5)))
    for callback in (
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1),
        keras.callbacks.ReduceLROnPlateau("g_loss", mode="min", min_delta=1e9, patience=1),
    ):
        with pytest.raises(TypeError, match="not settable"):
            fit(gan, epochs=2, callbacks=[callback])


def test_linear_decay_is_the_papers_schedule():
    """CycleGAN: 1 in the epochs 1 to 100, then equal steps down to 1/101 in the last; never 0 while training."""
    schedule = kg.optimizers.LinearDecay(2e-4, steps_per_epoch=7)
    factors = [float(schedule(7 * (epoch - 1) + step)) / 2e-4 for epoch in range(1, 202) for step in (0, 6)]
    expected = [1.0] * 100 + [1.0 - i / 101 for i in range(1, 101)] + [0.0]
    np.testing.assert_allclose(factors, np.repeat(expected, 2), atol=1e-5)
    assert factors[399] == pytest.approx(1 / 101, rel=1e-3)
    again = kg.optimizers.LinearDecay.from_config(schedule.get_config())
    assert float(again(7 * 150)) == float(schedule(7 * 150))


@pytest.mark.parametrize(
    "options",
    [{"learning_rate": -1.0}, {"steps_per_epoch": 0}, {"constant_epochs": 1.5}, {"decay_epochs": -1}],
    ids=str,
)
def test_linear_decay_refuses_numbers_out_of_range(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        kg.optimizers.LinearDecay(**{"learning_rate": 1e-3, "steps_per_epoch": 1, **options})
