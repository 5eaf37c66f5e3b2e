"""Averages of weights: the formula by hand, their place when sampling, and that they are saved with the model."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_gans as kg
from keras_gans.layers.averages import Averages


def array(variable):
    return np.array(ops.convert_to_numpy(variable), copy=True)


def network():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((2,)), layers.Dense(3), layers.BatchNormalization(), layers.Dense(1)])


@pytest.mark.parametrize("decay", [0.15, 0.9])  # 0.15 is the smaller of both numbers from t = 1 on
def test_the_formula_by_hand(decay):
    """a_t = r a_(t-1) + (1 - r) w_t with r = min(decay, (1 + t) / (10 + t))."""
    net, rng = network(), np.random.default_rng(0)
    averages = Averages([net], decay)
    expected = [array(weight).astype("float64") for weight in net.trainable_variables]
    for step in range(4):
        for weight in net.trainable_variables:
            weight.assign(rng.normal(size=weight.shape))
        averages.update(ops.convert_to_tensor(step, "int32"))
        rate = min(decay, (1 + step) / (10 + step))
        expected = [rate * a + (1 - rate) * array(w) for a, w in zip(expected, net.trainable_variables)]
    for average, numbers in zip(averages.weights, expected, strict=True):
        np.testing.assert_allclose(array(average), numbers, atol=1e-6)


def test_networks_compute_with_the_averages_while_they_are_in_use():
    net, x = network(), np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
    averages, before = Averages([net], 0.9), array(net(x))
    start = [array(weight) for weight in net.trainable_variables]
    for weight in net.trainable_variables:
        weight.assign(weight + 1.0)
    moved = array(net(x))
    assert not np.allclose(moved, before)
    with averages.in_use():
        np.testing.assert_array_equal(array(net(x)), before)
    np.testing.assert_array_equal(array(net(x)), moved)
    for average, weight in zip(averages.weights, start, strict=True):
        np.testing.assert_array_equal(array(average), weight)


def test_moving_statistics_are_read_as_they_are():
    net, x = network(), np.ones((5, 2), "float32")
    averages, norm = Averages([net], 0.9), net.layers[1]
    assert len(averages.weights) == len(net.trainable_variables) == 6
    norm.moving_mean.assign(norm.moving_mean + 1.0)
    live = array(net(x))
    with averages.in_use():
        np.testing.assert_array_equal(array(net(x)), live)


def test_they_begin_and_begin_again_at_the_weights():
    net = network()
    averages = Averages([net], 0.9)
    for weight in net.trainable_variables:
        weight.assign(weight + 1.0)
    averages.restart()
    for average, weight in zip(averages.weights, net.trainable_variables, strict=True):
        np.testing.assert_array_equal(array(average), array(weight))
        weight.assign(weight + 1.0)
        assert not np.array_equal(array(average), array(weight))  # a copy, not the same memory


def test_several_networks_are_averaged_and_no_weight_is_the_layers_own():
    one, two = network(), network()
    averages = Averages([one, two], 0.9)
    assert len(averages.weights) == 12 and averages.trainable_variables == []
    assert {id(weight) for weight in averages.weights}.isdisjoint(id(w) for w in [*one.weights, *two.weights])


def test_they_are_saved_with_the_model(tmp_path):
    gan = kg.GAN(kg.models.gan.build_generator((8, 8, 1), 4, units=4), None, ema_decay=0.9)
    for weight in gan.generator.trainable_variables:
        weight.assign(weight + 0.5)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    for one, other in zip(gan.ema.weights, loaded.ema.weights, strict=True):
        np.testing.assert_array_equal(array(one), array(other))
    np.testing.assert_array_equal(gan.generate(2, seed=0), loaded.generate(2, seed=0))
