"""SAGAN: the contract with labels, kernels whose sizes say nothing, where the maps attend, and two time scales."""

import keras
import numpy as np
import pytest
from conditional import SPACE, ConditionalContract
from contract import number, once_elsewhere, slow_on_jax
from keras import layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import ConditionalBatchNormalization, SelfAttention2D, SpectralNormalization
from keras_gans.layers.inner import inner_layers
from keras_gans.models.sagan import SAGAN, build_discriminator, build_generator


def array(tensor):
    return np.array(ops.convert_to_numpy(tensor), copy=True)


def images(count, shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, *shape)).astype("float32")


class TestSAGAN(ConditionalContract):
    shape = (8, 8, 3)  # PyTorch 2.13's CPU kernel fails at one image of one channel: "grad_weight must be contiguous"
    rounding = 5e-7  # a last place of Adam's averages of squares between 4 and 8

    def make(self, label_space=SPACE, **options):
        # One network that attends is enough here: graphs with two are slow to make.
        generator = build_generator(self.shape, 4, base_filters=8, label_size=label_space.size)
        options |= {"label_space": label_space}
        discriminator = build_discriminator(self.shape, base_filters=4, label_size=label_space.size, attention_height=0)
        return SAGAN(generator, discriminator, **options)

    def gan(self, compile=None, **options):
        """Batch norm takes the biases in front of it out again: their gradients are rounding errors, whose signs Adam
        would follow, were its epsilon not above them. So are those of attention while its scale is near zero."""
        optimizer = keras.optimizers.Adam(2e-4, beta_1=0.0, beta_2=0.9, epsilon=1e-4)
        return super().gan(compile={"g_optimizer": optimizer, **(compile or {})}, **options)

    @once_elsewhere
    @pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
    def test_mixed_precision_trains_finitely(self, policy, tmp_path):
        # Float16's first loss scale is too large for a sum over a map: it is halved three times.
        self.batches_per_epoch = 10 if policy == "mixed_float16" else 3
        super().test_mixed_precision_trains_finitely(policy, tmp_path)

    def judged(self, gan, images):
        return [SPACE.encode(np.arange(len(images)) % 3), images]

    def test_the_losses_are_hinges(self, one):
        real, fake = images(12, self.shape).reshape(2, 6, *self.shape)
        labels = ops.convert_to_numpy(SPACE.encode(np.arange(6) % 3))
        d, g = (one.discriminator.predict([labels, x], verbose=0) for x in (real, fake))
        expected = np.maximum(0, 1 - d).mean() + np.maximum(0, 1 + g).mean()
        assert number(one.discriminator_loss(real, fake, labels, training=False)) == pytest.approx(expected, rel=1e-5)
        assert number(one.generator_loss(fake, labels, training=False)) == pytest.approx(-g.mean(), rel=1e-5)

    def test_compile_alone_has_two_time_scales_and_one_update_each(self):
        gan = self.make()
        gan.compile()
        found = [optimizer.get_config() for optimizer in (gan.g_optimizer, gan.d_optimizer)]
        assert [config["learning_rate"] for config in found] == pytest.approx([1e-4, 4e-4])
        assert [(config["beta_1"], config["beta_2"]) for config in found] == [(0.0, 0.9)] * 2
        assert gan.discriminator_steps == 1

    def test_a_label_changes_nothing_before_training(self):
        fresh = self.make().generate(3, seed=[1, 1, 1], labels=[0, 1, 2])
        np.testing.assert_array_equal(fresh[0], fresh[1])

    def test_attention_is_learned(self, one):
        """It begins as the identity."""
        fresh, trained = (gan.generator.get_layer("attention") for gan in (self.make(), one))
        assert number(fresh.scale) == 0.0 != number(trained.scale)


def kernels(network):
    """{whether it is normalized: kernels} of the layers with one."""
    wrappers = [layer for layer in inner_layers(network) if isinstance(layer, SpectralNormalization)]
    wrapped = {id(wrapper.layer) for wrapper in wrappers}
    tables = {id(table) for norm in inner_layers(network) if isinstance(norm, ConditionalBatchNormalization)
              for table in (norm.gain, norm.offset)}  # fmt: skip
    found = {True: [], False: []}
    for layer in inner_layers(network):
        if hasattr(layer, "kernel") and id(layer) not in tables:
            found[id(layer) in wrapped].append(layer.kernel)
    return found


def test_every_kernel_of_both_networks_is_normalized():
    """Ten times the kernels are the same kernels: so are the logits, and the images."""
    keras.utils.set_random_seed(0)
    shape, labels = (16, 16, 3), np.eye(3, dtype="float32")
    generator = build_generator(shape, 4, base_filters=8, label_size=3)
    discriminator = build_discriminator(shape, base_filters=8, label_size=3)
    latents = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    # project, two blocks of three, four of attention, to_image; two blocks of three, one of two, four, two of the head
    for network, inputs, count in ((generator, [latents, labels], 12), (discriminator, [labels, images(3, shape)], 14)):
        for _ in range(30):
            network(inputs, training=True)
        found, before = kernels(network), array(network(inputs))
        assert (len(found[True]), len(found[False])) == (count, 0)
        for kernel in found[True]:
            kernel.assign(10.0 * kernel)
        np.testing.assert_allclose(array(network(inputs)), before, rtol=1e-3, atol=1e-4)
        assert np.abs(before).max() > 1e-2


@slow_on_jax
@pytest.mark.parametrize(
    "shape, asked, attended, widths",
    [
        ((128, 128, 3), None, 32, [64, 64, 32, 16, 8, 4]),  # the published networks, with a sixteenth of the channels
        ((64, 64, 3), None, 32, [64, 64, 32, 16, 8]),
        ((32, 32, 3), 8, 8, [16, 16, 8, 4]),
        ((32, 32, 1), 0, None, [8, 8, 4, 2]),
        ((28, 28, 1), None, 14, [16, 16, 8]),
    ],
)
def test_maps_and_where_they_attend(shape, asked, attended, widths):
    """`widths` are the generator's, from its smallest map on."""
    options = {"base_filters": widths[-1], "label_size": 3, "attention_height": asked}
    networks = build_generator(shape, 4, **options), build_discriminator(shape, **options)
    for network in networks:
        found = [layer.output.shape[1] for layer in network.layers if isinstance(layer, SelfAttention2D)]
        assert found == ([] if attended is None else [attended])
    made, halved = (
        [layer.output.shape[1:] for layer in network.layers if isinstance(layer, layers.Add) and layer.output.shape[2:]]
        for network in networks
    )
    sides = [shape[0] >> i for i in range(len(widths))][::-1]
    assert networks[0].get_layer("reshape").output.shape[1:] == (sides[0], sides[0], widths[0])
    assert made == [(side, side, width) for side, width in zip(sides[1:], widths[1:])]
    smallest = (sides[0], sides[0], widths[0])
    expected = [(side, side, width) for side, width in zip(sides, widths[1:])][::-1]
    assert halved == [*expected, smallest]


@pytest.mark.parametrize("asked", [32, 7, 4.5, True, -16, "16", 2])
def test_heights_that_no_map_has_are_refused(asked):
    for build in (build_generator, build_discriminator):
        with pytest.raises(ConfigurationError, match="attention_height among 16, 8, 4"):
            build((32, 32, 3), attention_height=asked)


def test_maps_with_too_few_channels_to_attend_are_refused():
    with pytest.raises(ConfigurationError, match="8 channels or more"):
        build_generator((32, 32, 3), base_filters=2)
