"""What ends a generator."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.models import biggan, sagan, stack_gan, wgan_gp
from keras_gans.networks import dcgan, residual
from keras_gans.networks.heads import image_values


@pytest.mark.parametrize("overshoot, expected", [(0.0, (-0.964028, 0.761594, 0.964028)), (0.1, (-1.0, 0.837754, 1.0))])
def test_with_an_overshoot_pure_black_and_white_are_reached(overshoot, expected):
    """tanh(2) is 0.964, and 1.1 times that is clipped; tanh(1) is 0.762."""
    values = keras.Input((1, 3, 1))
    head = keras.Model(values, image_values(values, overshoot))
    images = ops.convert_to_numpy(head(np.array([-2.0, 1.0, 2.0], "float32").reshape(1, 1, 3, 1)))
    np.testing.assert_allclose(images.ravel(), expected, rtol=1e-5)


def test_a_negative_overshoot_is_refused():
    with pytest.raises(ConfigurationError, match="overshoot of 0 or more"):
        image_values(keras.Input((8, 8, 1)), -0.1)


@pytest.mark.parametrize("builder", [dcgan, residual, wgan_gp])
def test_generators_pass_the_overshoot_on(builder):
    generator = builder.build_generator((8, 8, 1), 4, base_filters=4, overshoot=0.1)
    assert generator.get_layer("images_overshoot").scale == pytest.approx(1.1)


@pytest.mark.parametrize("builder", [sagan, biggan])
def test_generators_with_labels_pass_the_overshoot_on(builder):
    generator = builder.build_generator((8, 8, 1), base_filters=8, label_size=2, attention_height=0, overshoot=0.1)
    assert generator.get_layer("images_overshoot").scale == pytest.approx(1.1)


def test_each_scale_of_a_stack_has_the_overshoot():
    generator = stack_gan.build_generator(
        (16, 16, 1), stages=2, latent_dim=4, condition_dim=4, filters=2, overshoot=0.1
    )
    scales = [generator.get_layer(f"image{stage}_overshoot").scale for stage in range(2)]
    assert scales == pytest.approx([1.1, 1.1])
