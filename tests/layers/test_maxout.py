"""Maxout against its definition."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import Maxout


def inputs():
    return np.random.default_rng(0).normal(size=(6, 4)).astype("float32")


def test_equal_pieces_are_a_dense_layer():
    maxout, dense = Maxout(3, pieces=5), keras.layers.Dense(3)
    x = inputs()
    maxout(x), dense(x)
    kernel, bias = (ops.convert_to_numpy(w.value) for w in dense.weights)
    maxout.set_weights([np.repeat(kernel, 5, axis=1), np.repeat(bias + 0.5, 5)])
    dense.set_weights([kernel, bias + 0.5])
    found, expected = (ops.convert_to_numpy(layer(x)) for layer in (maxout, dense))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)  # sums of five numbers below 2, in any order


def test_a_unit_is_the_largest_of_its_own_pieces():
    maxout, x = Maxout(3, pieces=2), inputs()
    maxout.build(x.shape)
    rng = np.random.default_rng(1)
    kernel, bias = rng.normal(size=(4, 6)).astype("float32"), rng.normal(size=6).astype("float32")
    maxout.set_weights([kernel, bias])
    pieces = x @ kernel + bias
    expected = np.stack([pieces[:, 2 * unit : 2 * unit + 2].max(axis=1) for unit in range(3)], axis=1)
    np.testing.assert_allclose(ops.convert_to_numpy(maxout(x)), expected, rtol=1e-5)


def test_two_opposite_pieces_are_an_absolute_value():
    maxout = Maxout(1, pieces=2)
    maxout.build((None, 1))
    maxout.set_weights([np.array([[1.0, -1.0]]), np.zeros(2)])
    x = np.array([[-2.0], [0.0], [3.0]], "float32")
    assert ops.convert_to_numpy(maxout(x)).ravel().tolist() == [2.0, 0.0, 3.0]


def test_shapes_and_config():
    layer = Maxout(7, pieces=3, kernel_initializer=keras.initializers.RandomUniform(-0.1, 0.1))
    symbolic = keras.Input((4,))
    assert layer(symbolic).shape == (None, 7) == layer.compute_output_shape((None, 4))
    assert layer.count_params() == 4 * 21 + 21
    assert abs(ops.convert_to_numpy(layer.weights[0].value)).max() <= 0.1
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert copy.get_config() == layer.get_config()


def test_saved_in_a_model(tmp_path):
    model = keras.Sequential([keras.Input((4,)), Maxout(3, pieces=2)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(inputs(), verbose=0), model.predict(inputs(), verbose=0))


def test_computes_in_its_dtype_policy():
    layer = Maxout(3, pieces=2, dtype="mixed_bfloat16")
    assert ops.dtype(layer(inputs())) == "bfloat16"
    assert layer.weights[0].dtype == "float32"


@pytest.mark.parametrize("shape", [(6,), (6, 4, 3), (6, 2, 2, 3)])
def test_inputs_that_are_not_rows_of_features_are_refused(shape):
    with pytest.raises(ConfigurationError, match=r"Expected features \(N, A\).*Received.*Flatten"):
        Maxout(3, pieces=2).build(shape)
    with pytest.raises(ConfigurationError, match="Flatten"):
        Maxout(3, pieces=2)(np.zeros(shape, "float32"))


@pytest.mark.parametrize(
    "units, pieces", [("4", 2), (4, "2"), (0, 2), (4, 0), (4.0, 2), (4, 2.5), (True, 2), (4, None)]
)
def test_units_and_pieces_are_whole_numbers(units, pieces):
    with pytest.raises(ConfigurationError, match="units and pieces that are whole numbers, 1 or more. Received: "):
        Maxout(units, pieces)
