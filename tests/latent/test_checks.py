"""Latents that are none, or not of one space, are refused by every tool that takes them."""

import numpy as np
import pytest

import keras_gans as kg
from keras_gans import latent

THREE, FOUR, RAGGED = np.ones((2, 3)), np.ones((2, 4)), [[1.0, 2.0], [1.0]]


@pytest.mark.parametrize(
    "tool, arguments",
    [
        (latent.add, ([(1, THREE), (-1, FOUR)],)),
        (latent.add, ([(1, RAGGED)],)),
        (latent.rescale, (RAGGED,)),
        (latent.rescale, (2.0,)),
        (latent.lerp, (RAGGED, [1.0, 2.0], 0.5)),
        (latent.slerp, ("seed", [1.0, 2.0], 0.5)),
        (latent.strips, (THREE, FOUR, 3)),
        (latent.strips, (THREE[0], THREE[0], 3)),
        (latent.loop, (RAGGED, 3)),
        (latent.traverse, (THREE, FOUR[0])),
        (latent.traverse, (THREE[0], THREE[0])),
        (latent.attribute_direction, (RAGGED, [0, 1])),
        (latent.orthogonalize, (THREE[0], FOUR)),
        (latent.orthogonalize, (THREE, THREE)),
    ],
)
def test_they_are_refused(tool, arguments):
    with pytest.raises(kg.errors.DataError, match="Expected .* Received"):
        tool(*arguments)


def test_a_model_and_its_inversion_refuse_them():
    gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=2)
    with pytest.raises(kg.errors.ConfigurationError, match=r"Expected noise of shape \(n, 2\), numbers"):
        gan.generate(noise=RAGGED)
    images = np.zeros((2, 8, 8, 1), "uint8")
    with pytest.raises(kg.errors.DataError, match="Expected latents"):
        latent.invert(gan, images, start=RAGGED)
    for options in ({"learning_rate": "fast"}, {"learning_rate": 0.0}, {"feature_weight": -1.0}):
        with pytest.raises(kg.errors.ConfigurationError, match="learning_rate above 0"):
            latent.invert(gan, images, **options)


def test_models_without_noise_are_refused():
    gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=2)
    gan.input_fields = {"sources": gan.output_fields["images"]}
    images = np.zeros((2, 8, 8, 1), "uint8")
    for tool, arguments in (
        (latent.evaluate, ("3 - 5",)),
        (latent.first_layer_directions, ()),
        (latent.activation_directions, ("hidden0",)),
        (latent.class_directions, (None, ["old"])),
        (latent.invert, (images,)),
        (latent.nearest, (images,)),
    ):
        with pytest.raises(kg.errors.UnsupportedError, match="GAN, which makes images from sources"):
            tool(gan, *arguments)
