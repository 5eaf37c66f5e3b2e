"""The projection discriminator: the contract with labels, and the inner product on features summed over the map."""

import keras
import numpy as np
import pytest
from conditional import SPACE, ConditionalContract
from contract import number, once_elsewhere
from keras import ops

from keras_gans.models.projection_gan import ProjectionGAN
from keras_gans.networks.residual import build_discriminator, build_generator


class TestProjectionGAN(ConditionalContract):
    shape = (8, 8, 3)  # PyTorch 2.13's CPU kernel fails at one image of one channel: "grad_weight must be contiguous"

    rounding = 5e-7  # a last place of Adam's averages of squares between 4 and 8

    def make(self, label_space=SPACE, discriminator_steps=1, **options):
        generator = build_generator(self.shape, 4, base_filters=4, label_size=label_space.size)
        discriminator = build_discriminator(self.shape, base_filters=4, label_size=label_space.size)
        options |= {"label_space": label_space, "discriminator_steps": discriminator_steps}
        return ProjectionGAN(generator, discriminator, **options)

    def gan(self, compile=None, **options):
        """Batch norm takes the biases in front of it out again: their gradients are rounding errors, whose signs Adam
        would follow, were its epsilon not above them."""
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
        real, fake = np.random.default_rng(0).uniform(-1, 1, (2, 6, *self.shape)).astype("float32")
        labels = ops.convert_to_numpy(SPACE.encode(np.arange(6) % 3))
        d, g = (one.discriminator.predict([labels, images], verbose=0) for images in (real, fake))
        expected = np.maximum(0, 1 - d).mean() + np.maximum(0, 1 + g).mean()
        assert number(one.discriminator_loss(real, fake, labels, training=False)) == pytest.approx(expected, rel=1e-5)
        assert number(one.generator_loss(fake, labels, training=False)) == pytest.approx(-g.mean(), rel=1e-5)

    def test_the_logit_is_psi_and_the_projection(self, one):
        """f(x, y) = psi(phi) + <V y, phi>, and f is psi alone where the label is zero."""
        network = one.discriminator
        images = np.random.default_rng(0).uniform(-1, 1, (3, *self.shape)).astype("float32")
        labels = np.eye(3, dtype="float32")
        phi = keras.Model(network.inputs[1], network.get_layer("sum").output).predict(images, verbose=0)
        psi, embed = (
            next(x for x in network.layers if getattr(getattr(x, "layer", None), "name", "") == name)
            for name in ("logits", "embed")
        )
        psi, embedded = (ops.convert_to_numpy(part) for part in (psi(phi), embed(labels)))
        expected = psi[:, 0] + (embedded * phi).sum(1)
        np.testing.assert_allclose(network.predict([labels, images], verbose=0)[:, 0], expected, rtol=1e-4, atol=1e-5)
        alone = network.predict([np.zeros_like(labels), images], verbose=0)
        np.testing.assert_allclose(alone, psi, rtol=1e-4, atol=1e-5)
        assert np.abs(expected - psi[:, 0]).min() > 1e-4

    def test_features_are_summed_over_the_map(self, one):
        """Four times the places, four times the sum; a mean would stay."""
        head = keras.Sequential([one.discriminator.get_layer(name) for name in ("mean", "sum")])
        maps = np.random.default_rng(0).uniform(0, 1, (1, 4, 4, 4)).astype("float32")
        np.testing.assert_allclose(ops.convert_to_numpy(head(maps)), maps.sum((1, 2)), rtol=1e-5)

    def test_the_generators_gains_follow_the_label(self, one):
        norms = [x for x in one.generator.layers if type(x).__name__ == "ConditionalBatchNormalization"]
        assert norms and all(norm.gain.kernel.shape[0] == 3 for norm in norms)
        fresh = self.make()
        images = fresh.generate(3, seed=[1, 1, 1], labels=[0, 1, 2])  # gains of one and no offset, for every label
        np.testing.assert_array_equal(images[0], images[1])
        images = one.generate(3, seed=[1, 1, 1], labels=[0, 1, 2])
        assert not np.array_equal(images[0], images[1])
