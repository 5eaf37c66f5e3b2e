"""DCGAN's networks layer by layer (specs: tables of the two code bases of the authors)."""

import keras
import numpy as np
import pytest
from contract import slow_on_jax
from keras import layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans.networks.dcgan import build_discriminator, build_generator


@slow_on_jax
def test_parameters_of_the_papers_networks():
    """The Theano code's 64x64 networks, by hand.

    Generator: dense 100 * 16384 = 1 638 400, its norm 2 * 16384; 25 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3)
    = 17 212 800, norms 2 * (512 + 256 + 128). Discriminator: the same kernels, norms 2 * (256 + 512 + 1024), dense
    16384.
    """
    count = {"generator": 1_638_400 + 32_768 + 17_212_800 + 1_792, "discriminator": 17_212_800 + 3_584 + 16_384}
    assert count == {"generator": 18_885_760, "discriminator": 17_232_768}
    networks = {
        "generator": build_generator((64, 64, 3), 100, base_filters=128),
        "discriminator": build_discriminator((64, 64, 3), base_filters=128),
    }
    for name, network in networks.items():
        assert sum(int(np.prod(w.shape)) for w in network.trainable_weights) == count[name]


def maps(network, kind):
    return [tuple(layer.output.shape[1:]) for layer in network.layers if isinstance(layer, kind)]


@slow_on_jax
@pytest.mark.parametrize(
    "image_shape, filters, generator_maps, discriminator_maps",
    [
        (
            (64, 64, 3),
            128,
            [(8, 8, 512), (16, 16, 256), (32, 32, 128), (64, 64, 3)],
            [(32, 32, 128), (16, 16, 256), (8, 8, 512), (4, 4, 1024)],
        ),
        (
            (64, 64, 3),
            64,
            [(8, 8, 256), (16, 16, 128), (32, 32, 64), (64, 64, 3)],
            [(32, 32, 64), (16, 16, 128), (8, 8, 256), (4, 4, 512)],
        ),
        ((32, 32, 3), 128, [(8, 8, 256), (16, 16, 128), (32, 32, 3)], [(16, 16, 128), (8, 8, 256), (4, 4, 512)]),
        ((28, 28, 1), 64, [(14, 14, 64), (28, 28, 1)], [(14, 14, 64), (7, 7, 128)]),
        ((16, 24, 2), 4, [(8, 12, 4), (16, 24, 2)], [(8, 12, 4), (4, 6, 8)]),
        ((8, 8, 5), 4, [(8, 8, 5)], [(4, 4, 4)]),
    ],
    ids=["64 Theano", "64 Torch", "32", "28", "16x24", "8"],
)
def test_feature_maps_match_the_tables(image_shape, filters, generator_maps, discriminator_maps):
    generator = build_generator(image_shape, 10, base_filters=filters)
    discriminator = build_discriminator(image_shape, base_filters=filters)
    assert maps(generator, layers.Conv2DTranspose) == generator_maps
    assert maps(discriminator, layers.Conv2D) == discriminator_maps
    assert maps(generator, layers.Reshape) == [discriminator_maps[-1]]
    assert generator.input_shape == (None, 10) and generator.output_shape == (None, *image_shape)
    assert discriminator.input_shape == (None, *image_shape) and discriminator.output_shape == (None, 1)


@slow_on_jax
@pytest.mark.parametrize("kernel_size", [4, 5])
def test_layers_keep_the_papers_rules(kernel_size):
    generator = build_generator((16, 16, 3), 10, base_filters=4, kernel_size=kernel_size)
    discriminator = build_discriminator((16, 16, 3), base_filters=4, kernel_size=kernel_size)

    def kinds(network):
        norm = layers.BatchNormalization
        return [(norm if isinstance(layer, norm) else type(layer)).__name__ for layer in network.layers[1:]]

    assert kinds(generator) == (
        ["Dense", "BatchNormalization", "ReLU", "Reshape"]
        + ["Conv2DTranspose", "BatchNormalization", "ReLU"]
        + ["Conv2DTranspose", "Activation"]  # none before the image
    )
    assert kinds(discriminator) == (
        ["Conv2D", "LeakyReLU"]  # none after the image
        + ["Conv2D", "BatchNormalization", "LeakyReLU"]
        + ["Flatten", "Dense"]
    )
    for layer in generator.layers + discriminator.layers:
        assert not getattr(layer, "use_bias", False), layer.name
        if isinstance(layer, (layers.Conv2D, layers.Conv2DTranspose)):
            assert layer.kernel_size == (kernel_size, kernel_size) and layer.strides == (2, 2)
        if isinstance(layer, layers.LeakyReLU):
            assert layer.negative_slope == pytest.approx(0.2)
    assert tuple(generator.get_layer("project_norm").gamma.shape) == (4 * 4 * 8,)  # per unit, before the reshape
    assert generator.layers[-1].activation is keras.activations.tanh


@slow_on_jax
def test_initial_weights_have_the_papers_spread():
    keras.utils.set_random_seed(0)
    generator, discriminator = build_generator((64, 64, 3), 100, base_filters=16), build_discriminator((64, 64, 3))
    for layer in generator.layers + discriminator.layers:
        if isinstance(layer, layers.BatchNormalization):
            gamma = ops.convert_to_numpy(layer.gamma.value)
            assert abs(gamma.mean() - 1) < 5 * 0.02 / np.sqrt(gamma.size)
            assert gamma.std() == pytest.approx(0.02, rel=5 / np.sqrt(2 * gamma.size))
            assert not ops.convert_to_numpy(layer.beta.value).any()
        elif layer.weights:
            kernel = ops.convert_to_numpy(layer.kernel.value)
            assert kernel.std() == pytest.approx(0.02, rel=5 / np.sqrt(2 * kernel.size))
            assert abs(kernel.mean()) < 5 * 0.02 / np.sqrt(kernel.size)


@pytest.mark.parametrize("image_shape", [(7, 7, 1), (8, 7, 1), (6, 6, 1), (27, 28, 3)])
def test_sizes_that_cannot_be_halved_are_refused(image_shape):
    for build in (build_generator, build_discriminator):
        with pytest.raises(ConfigurationError, match="even and 8 or more"):
            build(image_shape)


@slow_on_jax
def test_the_discriminator_without_batch_norm_has_no_other_change():
    plain, normed = (build_discriminator((16, 16, 1), base_filters=4, batch_norm=on) for on in (False, True))
    kinds = [type(layer) for layer in normed.layers if not isinstance(layer, layers.BatchNormalization)]
    assert [type(layer) for layer in plain.layers] == kinds and len(kinds) == len(normed.layers) - 1


def test_noise_is_added_in_training_alone():
    keras.utils.set_random_seed(0)
    noisy, images = build_discriminator((8, 8, 1), base_filters=2, input_noise=0.2), np.zeros((1, 8, 8, 1), "float32")
    assert noisy.get_layer("noise").stddev == 0.2
    still, moved = (ops.convert_to_numpy(noisy(images, training=training)) for training in (False, True))
    assert still[0, 0] == 0.0 != moved[0, 0]


def test_dense_units_stand_before_the_projection_and_after_the_convolutions():
    """Dense, batch norm, activation, as in the Theano code for MNIST; the other layers stay."""
    generator = build_generator((28, 28, 1), 16, base_filters=8, units=32)
    discriminator = build_discriminator((28, 28, 1), base_filters=8, units=32)
    names = [layer.name for layer in generator.layers]
    assert names[1:5] == ["dense", "dense_norm", "dense_relu", "project"]
    assert names[4:] == [layer.name for layer in build_generator((28, 28, 1), 16, base_filters=8).layers][1:]
    names = [layer.name for layer in discriminator.layers]
    assert names[-5:] == ["flatten", "dense", "dense_norm", "dense_relu", "logits"]
    dense = 16 * 32 + 4 * 32 + (32 - 16) * 7 * 7 * 16  # kernel, batch norm, and a wider projection
    assert generator.count_params() - build_generator((28, 28, 1), 16, base_filters=8).count_params() == dense
    without = build_discriminator((28, 28, 1), base_filters=8, batch_norm=False, units=32)
    assert not any("norm" in layer.name for layer in without.layers)
