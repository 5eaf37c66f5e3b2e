"""Slots: named variables on a model."""

import json

import keras
import numpy as np
from keras import ops

from keras_gans.layers import Slots


def test_a_name_is_one_variable():
    slots = Slots()
    first, second = slots.get("mean/0", shape=(2, 3)), slots.get("count", dtype="int32")
    assert slots.get("mean/0", shape=(2, 3)) is first and slots.get("count") is second
    assert tuple(first.shape) == (2, 3) and first.dtype == "float32" and second.dtype == "int32"
    assert not ops.convert_to_numpy(first.value).any()
    assert slots.trainable_weights == [] and len(slots.weights) == 2


def test_its_config_restores_the_variables():
    slots = Slots()
    slots.get("a", shape=(2,)), slots.get("b", dtype="int32")
    copy = Slots.from_config(json.loads(json.dumps(slots.get_config())))
    assert copy.get_config() == slots.get_config()
    assert [(w.shape, w.dtype) for w in copy.weights] == [(w.shape, w.dtype) for w in slots.weights]
    assert copy.get("b") is copy.weights[1]


def test_values_are_saved_and_loaded_in_a_model(tmp_path):
    """With a variable that was made after the model was built."""

    model = keras.Sequential([keras.Input((2,)), slots_layer()])
    model.layers[0].slots.get("late", shape=(3,)).assign([1.0, 2.0, 3.0])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", custom_objects={"Holder": Holder})
    np.testing.assert_array_equal(ops.convert_to_numpy(loaded.layers[0].slots.get("late").value), [1, 2, 3])


class Holder(keras.layers.Layer):
    def __init__(self, slots=None, **kwargs):
        super().__init__(**kwargs)
        self.slots = Slots(slots)

    def call(self, inputs):
        return inputs

    def get_config(self):
        return {**super().get_config(), "slots": self.slots.get_config()["slots"]}


def slots_layer():
    return Holder()
