"""The average of styles and truncation; noise maps; the learned constant."""

import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import LearnedConstant, NoiseInjection, StyleAverage


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def test_the_average_moves_by_its_formula():
    average, expected = StyleAverage(3, decay=0.9), np.zeros(3)
    rng = np.random.default_rng(0)
    for _ in range(3):
        styles = rng.normal(size=(4, 3)).astype("float32")
        average.update(styles)
        expected += 0.1 * (styles.mean(axis=0) - expected)
    np.testing.assert_allclose(numpy(average.value), expected, rtol=1e-5)


def test_truncation_is_a_line_to_the_average_for_each_example_and_the_first_layers():
    average = StyleAverage(2)
    average.average.assign([1.0, -1.0])
    styles = np.random.default_rng(0).normal(size=(3, 4, 2)).astype("float32")
    psi, cutoff = np.array([0.0, 0.5, 1.0], "float32"), np.array([4, 1, 2], "int32")
    whole = numpy(average.truncated(styles, psi))
    np.testing.assert_allclose(whole, [1, -1] + psi[:, None, None] * (styles - [1, -1]), rtol=0, atol=1e-6)
    part = numpy(average.truncated(styles, psi, cutoff))
    for i, layers in enumerate(cutoff):
        np.testing.assert_array_equal(part[i, :layers], whole[i, :layers])
        np.testing.assert_array_equal(part[i, layers:], styles[i, layers:])


@pytest.mark.parametrize("style_dim, decay", [(0, 0.9), (2.5, 0.9), (2, 1.0), (2, -0.1), (2, True)])
def test_impossible_averages_are_refused(style_dim, decay):
    with pytest.raises(ConfigurationError, match="style_dim of 1 or more"):
        StyleAverage(style_dim, decay)


def test_noise_is_added_to_all_channels_with_a_strength_of_zero_at_first():
    layer, rng = NoiseInjection(), np.random.default_rng(0)
    x, noise = rng.normal(size=(2, 3, 4, 5)).astype("float32"), rng.normal(size=(2, 3, 4, 1)).astype("float32")
    np.testing.assert_array_equal(numpy(layer([x, noise])), x)
    layer.strength.assign(-0.5)
    np.testing.assert_allclose(numpy(layer([x, noise])), x - 0.5 * noise, rtol=1e-6)
    assert layer.count_params() == 1


def test_the_constant_is_the_same_for_every_example():
    layer = LearnedConstant((3, 2, 64))
    made = numpy(layer(np.ones((4, 7), "float32")))
    assert made.shape == (4, 3, 2, 64) and (made == made[0]).all()
    assert abs(made[0].mean()) < 0.2 and abs(made[0].std() - 1.0) < 0.15
    with pytest.raises(ConfigurationError, match="whole numbers"):
        LearnedConstant((3, 0))
