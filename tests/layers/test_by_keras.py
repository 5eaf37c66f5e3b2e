"""Keras's own test of layers: configurations, symbolic, eager and compiled calls, training, mixed precision."""

import inspect

import keras
import pytest
from keras.src.testing import TestCase

import keras_gans as kg

MAPS = {"input_shape": (4, 6, 6, 2), "expected_output_shape": (4, 6, 6, 2)}
ROWS = {"input_shape": (4, 6)}


# Class: (arguments, what is given to it and expected of it).
LAYERS = {
    "AdaptiveInstanceNormalization": (
        {},
        {"input_shape": ((4, 6, 6, 2), (4, 2), (4, 2)), "expected_output_shape": (4, 6, 6, 2)},
    ),
    "AverageHalving": ({}, {"input_shape": (4, 6, 5, 2), "expected_output_shape": (4, 3, 3, 2)}),
    "BicubicEnlargement": ({"factor": 2}, {**MAPS, "expected_output_shape": (4, 12, 12, 2)}),
    "ConditionalBatchNormalization": (
        {},
        {
            "input_shape": ((4, 6, 6, 2), (4, 3)),
            "expected_output_shape": (4, 6, 6, 2),
            "expected_num_trainable_weights": 2,
            "expected_num_non_trainable_weights": 2,
        },
    ),
    "EqualizedConv2D": (
        {"filters": 3, "kernel_size": 3},
        {**MAPS, "expected_output_shape": (4, 6, 6, 3), "expected_num_trainable_weights": 2},
    ),
    "EqualizedDense": (
        {"units": 3, "learning_rate_multiplier": 0.1},
        {**ROWS, "expected_output_shape": (4, 3), "expected_num_trainable_weights": 2},
    ),
    "FIRBlur2D": ({"padding": 2}, {**MAPS, "expected_output_shape": (4, 7, 7, 2)}),
    "FIRDownsampling2D": ({}, {**MAPS, "expected_output_shape": (4, 3, 3, 2)}),
    "FIRUpsampling2D": ({}, {**MAPS, "expected_output_shape": (4, 12, 12, 2)}),
    "FadeIn": (
        {},
        {
            "input_shape": ((4, 6, 6, 2), (4, 6, 6, 2)),
            "expected_output_shape": (4, 6, 6, 2),
            "expected_num_non_trainable_weights": 1,
        },
    ),
    "FusedBatchNormalization": ({}, {**MAPS, "expected_num_trainable_weights": 2}),
    "GatedLinearUnit": ({}, {**MAPS, "expected_output_shape": (4, 6, 6, 1)}),
    "HashedDropout": (
        {"rate": 0.5, "number": 1},
        {"input_shape": ((4, 6), (4,)), "input_dtype": ("float32", "int32"), "expected_output_shape": (4, 6)},
    ),
    "InstanceNoise": ({"stddev": 0.1, "seed": 1}, {**MAPS, "expected_num_seed_generators": 1}),
    "InstanceNormalization": ({"affine": True}, {**MAPS, "expected_num_trainable_weights": 2}),
    "LearnedConstant": (
        {"shape": (3, 2)},
        {**ROWS, "expected_output_shape": (4, 3, 2), "expected_num_trainable_weights": 1},
    ),
    "Maxout": ({"units": 3, "pieces": 2}, {**ROWS, "expected_output_shape": (4, 3)}),
    "MinibatchDiscrimination": ({"kernels": 3, "dims": 2}, {**ROWS, "expected_output_shape": (4, 9)}),
    "MinibatchStandardDeviation": ({"group_size": 2}, {**MAPS, "expected_output_shape": (4, 6, 6, 3)}),
    "PixelNormalization": ({}, MAPS),
    "ModulatedConv2D": (
        {"filters": 3, "upsample": True, "use_bias": True},
        {
            "input_shape": ((4, 6, 6, 2), (4, 2)),
            "expected_output_shape": (4, 12, 12, 3),
            "expected_num_trainable_weights": 2,
        },
    ),
    "NoiseInjection": (
        {},
        {
            "input_shape": ((4, 6, 6, 2), (4, 6, 6, 1)),
            "expected_output_shape": (4, 6, 6, 2),
            "expected_num_trainable_weights": 1,
        },
    ),
    "PixelShuffle": (
        {"factor": 2},
        {"input_shape": (4, 6, 5, 8), "expected_output_shape": (4, 12, 10, 2)},
    ),
    "ReferenceBatch": ({"reference_size": 2}, {**ROWS, "expected_output_shape": (6, 6)}),
    "ReflectionPadding2D": ({"padding": 2}, {**MAPS, "expected_output_shape": (4, 10, 10, 2)}),
    "SelfAttention2D": (
        {},
        {
            "input_shape": (4, 6, 6, 8),
            "expected_output_shape": (4, 6, 6, 8),
            "expected_num_trainable_weights": 5,
            "expected_num_non_trainable_weights": 4,
        },
    ),
    "SpectralNormalization": (
        {"layer": keras.layers.Dense(3)},
        {**ROWS, "expected_output_shape": (4, 3), "expected_num_non_trainable_weights": 1},
    ),
    "StepBatchNormalization": (  # Keras's training and mixed precision pass no further arguments
        {"steps": 2},
        {**MAPS, "call_kwargs": {"step": 1}, "run_training_check": False, "run_mixed_precision_check": False},
    ),
    "UntiedBias": ({}, {**MAPS, "expected_num_trainable_weights": 1}),
    "VirtualBatchNormalization": ({"reference_size": 2}, {**MAPS, "expected_num_trainable_weights": 2}),
    "WeightNormalization": (
        {"layer": keras.layers.Dense(3, use_bias=False)},
        {**ROWS, "expected_output_shape": (4, 3), "expected_num_trainable_weights": 3},
    ),
    "WithoutReferenceBatch": ({"reference_size": 2}, {**ROWS, "expected_output_shape": (2, 6)}),
}
STATES = {"Averages", "ImagePool", "Slots", "StyleAverage"}  # they hold variables, and no network calls them


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")  # by Keras's test itself
@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
@pytest.mark.parametrize("name", LAYERS)
def test_it_is_a_layer_as_keras_tests_them(name):
    arguments, expected = LAYERS[name]
    test = TestCase()
    test.setUp()
    test.run_layer_test(getattr(kg.layers, name), arguments, **expected)


def test_every_layer_is_tried():
    found = {name for name in kg.layers.__all__ if inspect.isclass(getattr(kg.layers, name))}
    assert found == {*LAYERS, *STATES}


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
@pytest.mark.parametrize("name", ["SpectralNormalization", "WeightNormalization"])
def test_a_policy_of_the_wrapper_alone_is_that_of_its_outputs(name, policy):
    for layer in (keras.layers.Dense(3, use_bias=False), keras.layers.Conv2D(3, 2, use_bias=False)):
        made = getattr(kg.layers, name)(layer, dtype=policy)
        inputs = keras.ops.ones((2, 6) if isinstance(layer, keras.layers.Dense) else (2, 4, 4, 2))
        assert keras.backend.standardize_dtype(made(inputs).dtype) == made.compute_dtype != "float32"
