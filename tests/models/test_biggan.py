"""BigGAN: the contract with labels, chunks of latents, the penalty on kernels, truncated sampling."""

import keras
import numpy as np
import pytest
from conditional import SPACE, ConditionalContract
from contract import number, once_elsewhere, values
from keras import ops

from keras_gans.batch_statistics import batch_norms, standing_statistics
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import truncated
from keras_gans.layers import ConditionalBatchNormalization, SpectralNormalization
from keras_gans.layers.inner import inner_layers
from keras_gans.models.biggan import BigGAN, build_discriminator, build_generator


def array(tensor):
    return np.array(ops.convert_to_numpy(tensor), copy=True)


def images(count, shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, *shape)).astype("float32")


class TestBigGAN(ConditionalContract):
    shape = (8, 8, 3)  # PyTorch 2.13's CPU kernel fails at one image of one channel: "grad_weight must be contiguous"
    rounding = 5e-7  # a last place of Adam's averages of squares between 4 and 8

    def make(self, label_space=SPACE, discriminator_steps=1, **options):
        size = label_space.size
        generator = build_generator(self.shape, 4, base_filters=8, label_size=size, embedding_size=4)
        # One network that attends is enough here: graphs with two are slow to make.
        discriminator = build_discriminator(self.shape, base_filters=8, label_size=size, attention_height=0)
        options |= {"label_space": label_space, "discriminator_steps": discriminator_steps}
        return BigGAN(generator, discriminator, **options)

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

    def test_the_losses_are_hinges_and_the_penalty(self, one):
        real, fake = images(12, self.shape).reshape(2, 6, *self.shape)
        labels = SPACE.encode(np.arange(6) % 3)
        d, g = (one.discriminator.predict([array(labels), x], verbose=0) for x in (real, fake))
        real, fake = ops.convert_to_tensor(real), ops.convert_to_tensor(fake)
        expected = np.maximum(0, 1 - d).mean() + np.maximum(0, 1 + g).mean()
        assert number(one.discriminator_loss(real, fake, labels, training=False)) == pytest.approx(expected, rel=1e-5)
        assert number(one.generator_loss(fake, labels, training=False)) == pytest.approx(-g.mean(), rel=1e-5)
        latents = ops.convert_to_tensor(one.noise(6, seed=0))
        made = one.generator([latents, labels], training=False)
        penalty = 0.0
        for kernel in values(one.regularized()):
            matrix = kernel.reshape(-1, kernel.shape[-1]).astype("float64")
            gram = matrix.T @ matrix
            penalty += np.square(gram - np.diag(np.diag(gram))).sum()
        game = number(one.generator_loss(made, labels, training=False))
        found = array(one.loss_and_penalty(latents, labels, training=False))
        assert found.tolist() == pytest.approx([game + 1e-4 * penalty, penalty], rel=1e-4)
        assert penalty > 1e-3

    def test_all_kernels_but_the_embedding_are_regularized(self, one):
        names = {v.path for v in one.generator.trainable_variables if len(v.shape) > 1}
        assert names - {v.path for v in one.regularized()} == {"embedding/kernel"}

    def test_the_penalty_moves_the_generator_and_only_it(self):
        """Against a game of logits zero, so that nothing else does."""
        steps = []
        for weight in (0.0, 1.0):
            keras.utils.set_random_seed(1)
            gan = self.make(orthogonal_weight=weight, seed=3)
            for variable in gan.discriminator.trainable_variables:
                variable.assign(0.0 * variable)
            gan.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(0.0), run_eagerly=True)
            kernels = gan.regularized()
            before = values([*kernels, *gan.discriminator.trainable_variables])
            gan.fit(**self.arguments(self.rows()), batch_size=8, verbose=0)
            after = values([*kernels, *gan.discriminator.trainable_variables])
            steps.append([b - a for a, b in zip(before, after)])
        assert all(not step.any() for step in steps[0])
        for kernel, step in zip(before, steps[1][: len(kernels)]):
            matrix = kernel.reshape(-1, kernel.shape[-1]).astype("float64")
            gram = matrix.T @ matrix
            slope = 4 * matrix @ (gram - np.diag(np.diag(gram)))
            np.testing.assert_allclose(step.reshape(matrix.shape), -1e-3 * slope, atol=1e-6)
        assert all(not step.any() for step in steps[1][len(kernels) :])

    def test_compile_alone_is_the_papers(self):
        gan = BigGAN(self.make().generator, self.make().discriminator, label_space=SPACE)
        gan.compile()
        found = [optimizer.get_config() for optimizer in (gan.g_optimizer, gan.d_optimizer)]
        assert [config["learning_rate"] for config in found] == pytest.approx([5e-5, 2e-4])
        assert [(c["beta_1"], c["beta_2"], c["epsilon"]) for c in found] == [(0.0, 0.999, 1e-6)] * 2
        assert (gan.discriminator_steps, gan.orthogonal_weight) == (2, 1e-4)

    # Sampling

    @pytest.mark.parametrize("n", [0, -1, 2.5, "3", True])  # None is as many as there are numbers of truncation
    def test_impossible_counts_are_refused(self, one, n):
        super().test_impossible_counts_are_refused(one, n)

    def test_truncated_images_are_those_of_truncated_noise(self, one):
        noise = one.noise(6, seed=4)
        limits = np.float32([0.1, 0.5, 0.5, 1.0, 2.0, 9.0])
        made = one.generate(6, seed=4, labels=1, truncation=limits)
        moved = array(truncated(noise, limits[:, None]))
        # Two functions are compiled, whose roundings differ by up to a grey level.
        assert np.abs(made.astype(int) - one.generate(noise=moved, labels=1)).max() <= 1
        np.testing.assert_array_equal(made, one.generate(noise=noise, labels=1, truncation=limits))
        assert not np.array_equal(made, one.generate(6, seed=4, labels=1))

    def test_a_seed_and_a_truncation_name_an_image_in_any_batch(self, one):
        made = one.generate(9, seed=3, labels=2, truncation=0.4)
        np.testing.assert_array_equal(one.generate(9, seed=3, labels=2, truncation=0.4), made)
        np.testing.assert_array_equal(one.generate(4, seed=3, labels=2, truncation=0.4), made[:4])
        assert not np.array_equal(one.generate(9, seed=3, labels=2, truncation=0.5), made)
        listed = one.generate(seed=[5, 3, 5], labels=2, truncation=0.4)
        np.testing.assert_array_equal(listed[0], listed[2])
        np.testing.assert_array_equal(one.generate(seed=[3], labels=2, truncation=0.4)[0], listed[1])

    def test_truncation_to_nothing_makes_one_image_of_a_label(self, one):
        made = one.generate(3, seed=0, labels=[0, 0, 1], truncation=0.0)
        np.testing.assert_array_equal(made[0], made[1])
        assert not np.array_equal(made[0], made[2])

    @pytest.mark.parametrize("truncation", [-0.5, True, "0.5", np.nan])
    def test_truncations_that_cannot_be_are_refused(self, one, truncation):
        with pytest.raises(DataError, match="truncation .N,., numbers of 0 or more"):
            one.generate(2, seed=0, truncation=truncation)

    def test_standing_statistics_are_of_the_averaged_generator(self, one):
        norms = batch_norms([one.generator])
        assert len(norms) == 2 + 1  # of one block, and the last
        before = values([norm.moving_mean for norm in norms])
        with standing_statistics(one):
            within = values([norm.moving_mean for norm in norms])
        assert all(not np.allclose(a, b, atol=1e-7) for a, b in zip(before, within))
        assert all(np.array_equal(a, array(norm.moving_mean)) for a, norm in zip(before, norms))

    @pytest.mark.parametrize("weight", [-1e-4, True, "1e-4", np.nan])
    def test_weights_out_of_range_are_refused(self, weight):
        with pytest.raises(ConfigurationError, match="orthogonal_weight"):
            self.make(orthogonal_weight=weight)

    def test_the_weight_survives_a_save(self, tmp_path):
        self.make(orthogonal_weight=0.25).save(tmp_path / "x.keras")
        assert keras.saving.load_model(tmp_path / "x.keras").orthogonal_weight == 0.25


# Networks


def test_a_chunk_acts_from_its_block_on():
    """Latents of chunk k + 1 change the maps from block k on, and no map before it."""
    keras.utils.set_random_seed(0)
    network = build_generator((16, 16, 3), 6, base_filters=8, label_size=3, embedding_size=4)
    tops = [network.get_layer("reshape").output]
    tops += [layer.output for layer in network.layers if type(layer).__name__ == "Add"]
    maps = keras.Model(network.inputs, [*tops, network.output])
    latents, labels = np.random.default_rng(0).normal(size=(2, 6)).astype("float32"), np.eye(3, dtype="float32")[:2]
    first = [array(x) for x in maps([latents, labels])]
    for chunk in range(3):
        changed = latents.copy()
        changed[:, 2 * chunk : 2 * chunk + 2] += 1.0
        moved = [not np.array_equal(a, array(b)) for a, b in zip(first, maps([changed, labels]))]
        assert moved == [i >= chunk for i in range(4)]


def test_every_kernel_but_the_embedding_is_normalized():
    networks = [
        build_generator((16, 16, 3), 6, base_filters=8, label_size=3, embedding_size=4),
        build_discriminator((16, 16, 3), base_filters=8, label_size=3),
    ]
    found = []
    for network in networks:
        wrapped = {id(x.layer) for x in inner_layers(network) if isinstance(x, SpectralNormalization)}
        found += [x.name for x in inner_layers(network) if hasattr(x, "kernel") and id(x) not in wrapped]
    assert found == ["embedding"]
    norms = [x for x in inner_layers(networks[0]) if isinstance(x, ConditionalBatchNormalization)]
    assert len(norms) == 4 and all(norm.epsilon == 1e-5 for norm in norms)
    assert {norm.gain.layer.kernel.shape for norm in norms} == {(4 + 2, 16), (4 + 2, 8)}


def test_kernels_start_orthogonal():
    generator = build_generator((16, 16, 3), 6, base_filters=8, label_size=3, embedding_size=4)
    for variable in generator.trainable_variables:
        if len(variable.shape) > 1 and "attention/scale" not in variable.path:
            matrix = array(variable).reshape(-1, variable.shape[-1])
            matrix = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
            np.testing.assert_allclose(matrix.T @ matrix, np.eye(matrix.shape[1]), atol=1e-5)


def test_gains_start_near_one():
    norm = ConditionalBatchNormalization(kernel_initializer="orthogonal", spectral_normalization=True)
    conditions = np.random.default_rng(0).normal(size=(500, 20)).astype("float32") / np.sqrt(20)
    norm.build([(None, 4, 4, 64), (None, 20)])
    gains = 1.0 + array(norm.gain(conditions))
    assert gains.mean() == pytest.approx(1.0, abs=0.02) and gains.std() < 0.3
    assert not np.array_equal(*values([norm.gain.layer.kernel, norm.offset.layer.kernel]))


@pytest.mark.parametrize("latent_dim", [81, 0, -4, 10.0, True])
def test_latents_that_cannot_be_cut_are_refused(latent_dim):
    with pytest.raises(ConfigurationError, match="into 4 equal chunks"):
        build_generator((32, 32, 3), latent_dim)


def test_the_papers_chunks():
    """128x128: six chunks of 20."""
    options = {"base_filters": 4, "label_size": 3, "embedding_size": 2}
    assert build_generator((128, 128, 3), **options).input_shape[0] == (None, 120)
