"""PacGAN: the contract for packs of two, where packs come from, and the published networks."""

import keras
import numpy as np
import pytest
from contract import (
    Rows,
    VariantContract,
    equal,
    largest_difference,
    needs_tensorflow,
    number,
    slow_on_jax,
    training_state,
    values,
)
from keras import ops

import keras_gans as kg
from keras_gans import engine
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.layers import Maxout
from keras_gans.models.pacgan import (
    PacGAN,
    _doubled,
    build_discriminator,
    build_generator,
    build_point_discriminator,
    build_point_generator,
    build_unrolled_discriminator,
    build_unrolled_generator,
)


def array(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


def numbered(count, shape=(8, 8, 1)):
    """Images that carry their number: the i-th is i / 100 - 1 everywhere."""
    return np.broadcast_to(np.arange(count).reshape(-1, 1, 1, 1) / 100 - 1, (count, *shape)).astype("float32")


def numbers(images):
    return np.round((array(images)[:, 0, 0, 0] + 1) * 100).astype(int).tolist()


class TestPacGAN(VariantContract):
    packing = 2
    # The weights that `make` enlarges enlarge the gradients, and Adam's quotient of two of them: 5.7e-7 seen on JAX.
    rounding = 1e-6

    def make(self, **options):
        options = {"packing": self.packing, **options}
        generator = build_generator(self.shape, latent_dim=4, base_filters=4)
        for weight in generator.trainable_weights:  # else images of networks this small differ by a grey level
            if len(weight.shape) > 1:
                weight.assign(10.0 * weight)
        return PacGAN(generator, build_discriminator(self.shape, options["packing"], base_filters=4), **options)

    def judged(self, gan, images):
        return kg.images.pack(images, self.packing)

    def images(self, count=None):
        return self.arrays()["images"][:count]

    def test_the_last_pack_of_an_array_is_dealt_out_again(self, plain):
        """It is left for two discriminator steps; one image less is refused, see below."""
        gan = plain.again(self.images(self.batch_size + 2), batch_size=self.batch_size)
        assert int(gan.step) == 2
        assert all(np.isfinite(array).all() for array in training_state(gan))

    @pytest.mark.parametrize("discriminator_steps", [1, pytest.param(3, marks=slow_on_jax)])
    def test_packs_of_one_are_the_plain_gan_bit_for_bit(self, discriminator_steps):
        runs = []
        for variant in (PacGAN, kg.DCGAN):
            keras.utils.set_random_seed(1)
            networks = [build_generator(self.shape, 4, base_filters=4)]
            networks.append(build_discriminator(self.shape, packing=1, base_filters=4))
            options = {"packing": 1} if variant is PacGAN else {}
            gan = variant(*networks, discriminator_steps=discriminator_steps, seed=5, **options)
            gan.compile(*(keras.optimizers.Adam(1e-3, beta_1=0.5) for _ in range(2)))
            images = self.images()
            gan.fit(images, batch_size=self.batch_size, shuffle=False, epochs=2, verbose=0)  # 8, 8, 8 and 2 images
            losses = gan.evaluate(images[:9], batch_size=4, verbose=0)
            runs.append((training_state(gan), losses, gan.generate(3, seed=0)))
        assert equal(runs[0][0], runs[1][0])
        assert runs[0][1] == runs[1][1]
        np.testing.assert_array_equal(runs[0][2], runs[1][2])

    def test_a_step_takes_whole_packs(self):
        for packing, k, count, expected in (
            (2, 1, 8, [*range(8)]),
            (2, 1, 7, [*range(6)]),  # the rest is left out
            (3, 2, 8, [*range(6)]),
            (2, 3, 4, [0, 1, 2, 3, 0, 1]),  # a pack for each discriminator step
            (2, 3, 3, [0, 1, 2, 0, 1, 2]),  # of two different images
            (4, 1, 3, [0, 1, 2, 0]),  # a pack must repeat itself
            (1, 1, 3, [0, 1, 2]),
        ):
            gan = self.make(packing=packing, discriminator_steps=k)
            assert numbers(gan.encode_batch((numbered(count),))["images"]) == expected

    @pytest.mark.parametrize("size, nearest", [(7, 8), (5, 4), (1, 4)])
    def test_batches_that_packs_do_not_divide_are_refused(self, size, nearest):
        gan, images = self.gan(packing=4), self.images()
        for data in (
            {"x": images, "batch_size": size},
            {"x": {"images": images}, "batch_size": size},
            {"x": kg.data.Batches(images, batch_size=size)},
            {"x": Rows(self.arrays(), size, lambda batch: (batch["images"], None))},
            {"x": Rows(self.arrays(), size, lambda batch: {"image": batch["images"]})},
            {"x": (images[i : i + size] for i in range(0, 21, size)), "steps_per_epoch": 3},
        ):
            with pytest.raises(DataError, match=f"whole packs of 4. Received: {size}. Choose {nearest}"):
                gan.fit(**data, verbose=0)
        assert int(gan.step) == 0

    @needs_tensorflow
    def test_a_tensorflow_dataset_that_packs_do_not_divide_is_refused(self):
        import tensorflow as tf

        gan, images = self.gan(), tf.data.Dataset.from_tensor_slices(self.images())
        with pytest.raises(DataError, match="whole packs of 2. Received: 5. Choose 4"):
            gan.fit(images.batch(5), verbose=0)
        gan.fit(images.take(11).batch(4), verbose=0)  # and a last batch of three
        assert int(gan.step) == 3

    def test_packs_are_dealt_out_whole_and_no_image_twice(self, monkeypatch):
        gan = self.gan(compile={"run_eagerly": True}, discriminator_steps=2)
        seen, minimize = [], gan.minimize

        def watched(player, loss_fn, *inputs):
            if player == "discriminator":
                seen.append([array(images) for images in inputs])
            return minimize(player, loss_fn, *inputs)

        monkeypatch.setattr(gan, "minimize", watched)
        gan.fit(numbered(9), batch_size=10, shuffle=False, verbose=0)
        assert [numbers(real) for real, _ in seen] == [[0, 1, 4, 5], [2, 3, 6, 7]]
        assert [len(fake) for _, fake in seen] == [4, 4]
        fakes = np.concatenate([fake for _, fake in seen]).reshape(8, -1)
        assert len(np.unique(fakes, axis=0)) == 8  # as many latents as images

    def test_the_logits_are_of_packs_and_every_image_gets_a_gradient(self):
        gan = self.gan()
        real, fake = np.random.default_rng(0).uniform(-1, 1, (2, 6, *self.shape)).astype("float32")
        pairs = [np.concatenate(pair, axis=-1) for pair in zip(fake[::2], fake[1::2])]
        logits = np.concatenate([array(gan.discriminator(pair[None])) for pair in pairs])
        assert logits.shape == (3, 1)
        np.testing.assert_allclose(array(gan.score(fake, training=False)), logits, rtol=1e-4, atol=1e-6)
        expected = np.log1p(np.exp(-logits.astype("float64"))).mean()
        assert number(gan.generator_loss(fake, training=False)) == pytest.approx(expected, rel=1e-5)
        d_real = array(gan.score(real, training=False)).astype("float64")
        expected = np.log1p(np.exp(-d_real)).mean() + np.log1p(np.exp(logits)).mean()
        assert number(gan.discriminator_loss(real, fake, training=False)) == pytest.approx(expected, rel=1e-5)
        slopes = array(engine.input_gradient(lambda x: gan.generator_loss(x, training=False), fake))
        assert (abs(slopes).max(axis=(1, 2, 3)) > 0).all()

    @pytest.mark.parametrize("count, size", [(9, 8), (1, 8), (33, None)])
    def test_arrays_that_end_in_less_than_a_pack_are_refused(self, count, size):
        gan = self.gan()
        images = self.images()[np.arange(count) % 26]
        for x in (images, list(images), {"image": images}):
            with pytest.raises(DataError, match="a pack. Received.*another batch_size, or pass kg.data.Batches"):
                gan.fit(x, batch_size=size, verbose=0)
        assert int(gan.step) == 0

    def test_batches_of_fewer_packs_than_discriminator_steps_are_refused(self):
        gan = self.gan(discriminator_steps=3)
        with pytest.raises(DataError, match="at least 6 images per batch.*larger batches"):
            gan.fit(Rows(self.arrays(), 4), verbose=0)

    @slow_on_jax
    @pytest.mark.parametrize("last", [3, 1])
    def test_a_smaller_last_batch_of_a_stream_trains(self, last):
        images, gan = self.images(), self.gan()
        gan.fit((images[:count] for count in (8, 8, last)), steps_per_epoch=3, verbose=0)
        assert int(gan.step) == 3 and all(np.isfinite(array).all() for array in training_state(gan))

    def test_odd_batches_evaluate(self):
        assert np.isfinite(self.gan().evaluate(self.images(9), batch_size=4, verbose=0)).all()

    def test_the_packing_is_saved(self, tmp_path):
        gan = self.gan(packing=3)
        gan.save(tmp_path / "gan.keras")
        loaded = keras.saving.load_model(tmp_path / "gan.keras")
        assert loaded.packing == 3 and loaded.discriminator.input_shape == (None, 8, 8, 3)

    @pytest.mark.parametrize("packing", [0, -1, 1.5, True, "2"], ids=str)
    def test_a_packing_that_is_none_is_refused(self, packing):
        gan = self.make()
        for make in (
            lambda: PacGAN(gan.generator, gan.discriminator, packing=packing),
            lambda: build_discriminator(self.shape, packing),
            lambda: build_unrolled_discriminator(self.shape, packing),
            lambda: build_point_discriminator(packing),
        ):
            with pytest.raises(ConfigurationError, match="packing of 1 or more"):
                make()

    def test_a_discriminator_for_other_packs_is_refused(self):
        gan = self.make()
        for packing in (1, 3):
            with pytest.raises(ConfigurationError, match=r"takes what the generator makes, \(8, 8, [13]\)"):
                PacGAN(gan.generator, gan.discriminator, packing=packing)

    def test_compile_alone_is_veegans_protocol(self):
        gan = self.gan()
        for optimizer in (gan.g_optimizer, gan.d_optimizer):
            config = optimizer.get_config()
            assert isinstance(optimizer, keras.optimizers.Adam)
            assert [config[key] for key in ("learning_rate", "beta_1", "beta_2")] == pytest.approx([2e-4, 0.5, 0.999])


def trainable(network):
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


def maps(network, kind):
    return [tuple(layer.output.shape[1:]) for layer in network.layers if isinstance(layer, kind)]


@slow_on_jax
@pytest.mark.parametrize("packing", [1, 4])
def test_veegans_protocol(packing):
    """By hand: kernels, biases where no batch norm follows, and two numbers a channel of a batch norm."""
    gan = PacGAN(packing=packing)
    generator, discriminator = gan.generator, gan.discriminator
    assert (gan.image_shape, gan.latent_dim) == ((28, 28, 3), 100)
    assert maps(generator, keras.layers.Cropping2D) == [(4, 4, 256), (7, 7, 128), (14, 14, 64), (28, 28, 3)]
    norms = 2 * (512 + 256 + 128 + 64)
    assert trainable(generator) == (100 * 2048 + 25 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 3 + norms)
    assert maps(discriminator, keras.layers.Conv2D) == [(14, 14, 64), (7, 7, 128), (4, 4, 256), (2, 2, 512)]
    norms = 2 * (128 + 256 + 512)
    assert trainable(discriminator) == (
        25 * (3 * packing * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 64 + norms + 2 * 2 * 512 + 1
    )


@slow_on_jax
@pytest.mark.parametrize("base_filters", [2, 4])
def test_the_unrolled_gans_protocol(base_filters):
    generator, discriminator = build_unrolled_generator(), build_unrolled_discriminator(base_filters=base_filters)
    assert generator.input_shape == (None, 256) and generator.output_shape == (None, 28, 28, 3)
    assert maps(generator, keras.layers.Cropping2D) == [(7, 7, 32), (14, 14, 16), (28, 28, 8)]
    norms = 2 * (64 + 32 + 16 + 8)
    assert trainable(generator) == 256 * 1024 + 9 * (64 * 32 + 32 * 16 + 16 * 8 + 8 * 3) + 3 + norms
    a, b, c = base_filters, 2 * base_filters, 4 * base_filters
    assert maps(discriminator, keras.layers.Conv2D) == [(14, 14, a), (7, 7, b), (4, 4, c)]
    assert trainable(discriminator) == 9 * (6 * a + a * b + b * c) + 2 * (a + b + c) + 16 * c + 1
    slopes = {x.negative_slope for x in discriminator.layers if isinstance(x, keras.layers.LeakyReLU)}
    assert [round(float(slope), 3) for slope in slopes] == [0.3]


@slow_on_jax
@pytest.mark.parametrize("packing", [1, 3])
def test_the_networks_for_points(packing):
    """2 - 400 - 400 - 400 - 400 - 2 with biases at the end alone; 2 m - maxout 200 x 5, three times - 1."""
    generator, discriminator = build_point_generator(), build_point_discriminator(packing)
    assert trainable(generator) == 2 * 400 + 3 * 400 * 400 + 4 * 2 * 400 + 401 * 2
    assert trainable(discriminator) == (2 * packing + 1) * 1000 + 2 * 201 * 1000 + 201
    assert [(m.units, m.pieces) for m in discriminator.layers if isinstance(m, Maxout)] == [(200, 5)] * 3
    assert generator.output_shape == (None, 1, 1, 2) and discriminator.input_shape == (None, 1, 1, 2 * packing)
    for network in (generator, discriminator):
        for weight in network.trainable_weights:
            if len(weight.shape) > 1:
                spread = 0.02 * (1 + 4 / np.sqrt(2 * np.prod(weight.shape)))
                assert array(weight).std() == pytest.approx(0.02, abs=spread - 0.02)


def test_points_train():
    points, _ = kg.data.ring(64)
    gan = PacGAN(build_point_generator(units=8), build_point_discriminator(3, units=6, pieces=2), packing=3, seed=0)
    gan.compile()
    before = values(gan.trainable_variables)
    gan.fit(points.reshape(-1, 1, 1, 2) / 1.1, batch_size=30, verbose=0)  # ten packs, ten and one
    assert int(gan.step) == 3 and 0.0 < largest_difference(before, values(gan.trainable_variables)) < np.inf
    assert gan.generate(5, seed=0).shape == (5, 1, 1, 2)


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("size", [(7, 8), (8, 7)])
def test_doubling_is_the_adjoint_of_the_strided_convolution(kernel_size, size):
    """<conv(x), y> = <x, doubled(y)> for one kernel: what a transposed convolution to an explicit size is."""
    rng = np.random.default_rng(0)
    inputs = keras.Input((4, 4, 3))
    network = keras.Model(inputs, _doubled(inputs, 2, kernel_size, size, use_bias=False))
    kernel = rng.normal(size=(kernel_size, kernel_size, 2, 3)).astype("float32")
    network.layers[1].kernel.assign(kernel)
    x = rng.normal(size=(1, *size, 2)).astype("float32")
    y = rng.normal(size=(1, 4, 4, 3)).astype("float32")
    doubled = array(network(y))
    assert doubled.shape == x.shape
    halved = array(ops.conv(x, kernel, strides=2, padding="same"))
    assert (x * doubled).sum() == pytest.approx((halved * y).sum(), rel=1e-4)


def test_images_that_cannot_be_halved_are_refused():
    for build in (build_generator, build_discriminator, build_unrolled_generator, build_unrolled_discriminator):
        with pytest.raises(ConfigurationError, match="build_point_generator"):
            build((1, 2, 2))
