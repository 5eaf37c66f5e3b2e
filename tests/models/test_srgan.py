"""SRGAN: the networks' numbers, what the losses weigh, tiles, and how small images are made."""

import math
import tracemalloc

import keras
import numpy as np
import pytest
from contract import VariantContract, equal, number, training_state, values
from keras import ops
from PIL import Image

import keras_gans as kg
from keras_gans import phases, sampling, tiles
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.layers import BicubicEnlargement, InstanceNormalization, PixelShuffle
from keras_gans.losses import cross_entropy
from keras_gans.models.srgan import build_discriminator, build_generator
from keras_gans.tiles import in_tiles, reach, resized

LARGE = (32, 32, 1)


def tiny(channels=1, **options):
    return build_generator(channels, filters=2, blocks=1, **options)


class TestSRGAN(VariantContract):
    def make(self, **options):
        return kg.SRGAN(tiny(), build_discriminator(LARGE, filters=2, units=4), **options)

    def judged(self, gan, images):
        return ops.image.resize(images, LARGE[:2])

    def first_field(self):
        return "images"  # the discriminator never sees small ones

    def test_the_seed_names_the_run(self, plain, idle):
        """The same start goes on the same way. No noise is drawn, so that another seed goes this way too."""
        assert equal(idle.start, plain.start)
        assert equal(training_state(plain.again(self.batches())), plain.states[0])
        other = self.rebuilt(plain.gan, seed=6)
        plain.again(self.batches(), seeds=ops.convert_to_numpy(other.latent_seeds.state))
        assert equal(values(plain.gan.weights), plain.weights[0])

    @pytest.mark.parametrize("n", [0, -1, 2.5, "3", True])  # None is as many as there are small images
    def test_impossible_counts_are_refused(self, one, n):
        with pytest.raises(ConfigurationError, match="images|one value per image"):
            one.generate(n, seed=0, **self.given(one, 2))


def floats(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1.0, 1.0, shape).astype("float32")


def tensors(*shape, seed=0):
    return ops.convert_to_tensor(floats(*shape, seed=seed))


def levels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")


def model(**options):
    keras.utils.set_random_seed(3)
    gan = kg.SRGAN(tiny(3), build_discriminator((16, 16, 3), filters=2, units=4), seed=0, **options)
    gan.compile()
    return gan


# Networks


def test_the_generators_parameter_count_is_the_papers():
    """1,549,443, and a PReLU slope for each channel of 17 maps at the small size and of 2 larger."""
    weights = build_generator().trainable_variables
    assert sum(int(np.prod(weight.shape)) for weight in weights) == 1_549_443 + 64 * 17 + 64 * 2


def test_the_discriminators_maps_are_the_papers():
    network = build_discriminator()
    shapes = [network.get_layer(f"conv{i}").output.shape[1:] for i in range(8)]
    sides, filters = (96, 48, 48, 24, 24, 12, 12, 6), (64, 64, 128, 128, 256, 256, 512, 512)
    assert shapes == [(side, side, count) for side, count in zip(sides, filters)]
    assert network.get_layer("dense").units == 1024
    assert "norm0" not in [layer.name for layer in network.layers]


def test_pixel_shuffle_follows_the_papers_formula():
    """out[h r + i, w r + j, c] = in[h, w, c r^2 + i r + j], and nothing is lost."""
    height, width, channels, r = 2, 3, 5, 2
    maps = np.arange(height * width * channels * r * r, dtype="float32").reshape(1, height, width, -1)
    made = ops.convert_to_numpy(PixelShuffle(r)(maps))
    assert made.shape == (1, height * r, width * r, channels)
    for h, w, c, i, j in np.ndindex(height, width, channels, r, r):
        assert made[0, h * r + i, w * r + j, c] == maps[0, h, w, c * r * r + i * r + j]


def test_pixel_shuffle_refuses_other_channels():
    with pytest.raises(ConfigurationError, match="multiple of 4. Received: 6"):
        PixelShuffle(2)(np.zeros((1, 2, 2, 6), "float32"))
    with pytest.raises(ConfigurationError, match="factor of 1 or more"):
        PixelShuffle(0)


@pytest.mark.parametrize("height, width", [(5, 8), (12, 3)])
def test_images_of_any_size_become_four_times_as_large(height, width):
    assert tiny(3)(floats(2, height, width, 3)).shape == (2, 4 * height, 4 * width, 3)


def test_without_weights_the_blocks_pass_on_what_the_head_sees():
    """The skip connections lead around every block."""
    network = build_generator(1, filters=2, blocks=2)
    for layer in network.layers:
        if layer.name.startswith(("block", "body")) and layer.weights and "act" not in layer.name:
            for weight in layer.trainable_variables:
                weight.assign(np.zeros(weight.shape, "float32"))
    inner = keras.Model(network.input, [network.get_layer(name).output for name in ("head_act", "body")])
    head, body = map(ops.convert_to_numpy, inner(floats(1, 6, 6, 1)))
    np.testing.assert_array_equal(head, body)


@pytest.mark.parametrize("skip", [False, True])
def test_how_far_a_pixel_sees(skip):
    """Of a change of one pixel, nothing is seen beyond `reach`, and something at it; in pixels of the small image."""
    network = build_generator(1, filters=4, blocks=1, factor=2, skip=skip)
    network.get_layer("images").kernel.assign(np.full((9, 9, 4, 1), 0.1, "float32"))
    far = reach(network)
    assert far == 4 + 2 + 1 + 1 + 2  # the head, a block, the body, the shuffle's, and 9x9 at twice the size
    images = floats(1, 41, 41, 1)
    changed = images.copy()
    changed[0, 20, 20, 0] += 1.0
    seen = np.abs(ops.convert_to_numpy(network(changed) - network(images)))[0, ..., 0].max(axis=1) > 0
    rows = np.flatnonzero(seen) // 2
    assert (rows.min(), rows.max()) == (20 - far, 20 + far)


def test_the_skip_adds_the_enlarged_image():
    """At first, the network is bicubic resizing."""
    images = floats(2, 9, 7, 3)
    network = build_generator(3, filters=2, blocks=1, skip=True)
    made, bicubic = (ops.convert_to_numpy(x) for x in (network(images), kg.resampling.bicubic(images, (36, 28))))
    np.testing.assert_allclose(made[:, 8:-8, 8:-8], bicubic[:, 8:-8, 8:-8], atol=1e-6)
    flat = np.full((1, 1, 2, 3), 0.25, "float32")
    np.testing.assert_allclose(ops.convert_to_numpy(network(flat)), np.full((1, 4, 8, 3), 0.25), atol=1e-6)


def test_enlarging_by_a_factor_is_pillows_inside():
    images = floats(1, 12, 10, 1)
    made = ops.convert_to_numpy(BicubicEnlargement(3)(images))[0, ..., 0]
    theirs = np.asarray(Image.fromarray(images[0, ..., 0]).resize((30, 36), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(made[6:-6, 6:-6], theirs[6:-6, 6:-6], atol=2e-6)
    with pytest.raises(ConfigurationError, match="factor of 1 or more"):
        BicubicEnlargement(2.0)


# Small images


@pytest.mark.parametrize("size", [(24, 24), (30, 7), (96, 96), (150, 130)])
def test_bicubic_resizing_is_pillows(size):
    images = floats(2, 96, 96, 1)
    made = ops.convert_to_numpy(kg.resampling.bicubic(images, size))
    for image, one in zip(images, made):
        theirs = Image.fromarray(image[..., 0]).resize(size[::-1], Image.Resampling.BICUBIC)
        np.testing.assert_allclose(one[..., 0], np.asarray(theirs), atol=2e-6)


def test_small_images_are_antialiased():
    """Stripes of one pixel become grey; every fourth pixel would be black."""
    stripes = np.tile(np.array([0, 255], "uint8"), (1, 32, 16))[..., None]
    inner = kg.data.make_small(stripes)[:, 1:-1, 1:-1].astype(int)
    assert np.abs(inner - 127.5).max() < 5


def test_patches_are_cut_around_the_centre():
    image = np.arange(10 * 13, dtype="uint8").reshape(1, 10, 13, 1).repeat(3, axis=3)
    batches = kg.data.load_patches(image, image_size=(4, 4), factor=2, batch_size=1, augment=False)
    assert batches.count == 6
    np.testing.assert_array_equal(batches.images[0], image[0, 1:5, :4])
    np.testing.assert_array_equal(batches.images[5], image[0, 5:9, 8:12])
    np.testing.assert_array_equal(batches.arrays["small"], kg.data.make_small(batches.images, 2))


def test_photographs_of_any_size_are_cut_at_their_own_resolution(tmp_path):
    for i, (height, width) in enumerate([(20, 40), (8, 8), (50, 17), (64, 64)]):
        Image.fromarray(levels(height, width, 3, seed=i)).save(tmp_path / f"{i}.png")
    with pytest.warns(UserWarning, match=r"1 of 4 files: 1.png \(8x8 is too small\)"):
        batches = kg.data.load_patches(tmp_path, image_size=(16, 16), batch_size=2)
    assert batches.count == 2 + 3 + 16 and batches.about["patches"] == "16x16"
    np.testing.assert_array_equal(batches.images[0], levels(20, 40, 3)[2:18, 4:20])


def test_both_images_of_a_pair_are_flipped_alike():
    images = levels(64, 16, 16, 3)
    batches = kg.data.load_patches(images, image_size=(16, 16), batch_size=32)
    batch, again = batches.at(7), batches.at(7)
    plain = kg.data.Patches(batches.arrays["small"], batches.images, batch_size=32).at(7)
    flipped = [(a[:, ::-1] == b).all() for a, b in zip(plain["images"], batch["images"])]
    assert 5 < sum(flipped) < 27
    for i, mirrored in enumerate(flipped):
        for name in ("small", "images"):
            np.testing.assert_array_equal(batch[name][i], plain[name][i][:, ::-1] if mirrored else plain[name][i])
            np.testing.assert_array_equal(batch[name][i], again[name][i])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"image_size": (30, 32)}, r"multiples of 4, such as \(96, 96\). Received: \(30, 32\)"),
        ({"factor": 1}, "factor=1"),
        ({"channels": 4}, "1 or 3 channels"),
    ],
)
def test_patches_refuse_sizes_that_do_not_fit(options, message):
    with pytest.raises(ConfigurationError, match=message):
        kg.data.load_patches(levels(2, 32, 32, 3), batch_size=1, **options)


def test_images_smaller_than_a_patch_are_refused():
    with pytest.raises(DataError, match="images of 96x96 or more"):
        kg.data.load_patches(levels(2, 32, 32, 3), batch_size=1)
    with pytest.raises(ConfigurationError, match="divides both sides"):
        kg.data.make_small(levels(1, 9, 8, 3))


# Losses


def frozen_features():
    images = keras.Input((None, None, 3))
    return keras.Model(images, keras.layers.Conv2D(3, 3, name="fixed")(images))


def test_the_content_loss_is_of_the_features_and_their_weights_never_change():
    """0 for equal images; its gradient reaches the generator; the features stay."""
    features = frozen_features()
    gan = model(features=features)
    a, b = tensors(2, 16, 16, 3), tensors(2, 16, 16, 3, seed=1)
    assert number(gan.content_loss(a, a)) == 0.0
    expected = np.square(ops.convert_to_numpy(features(a)) - ops.convert_to_numpy(features(b))).mean()
    assert number(gan.content_loss(a, b)) == pytest.approx(expected, rel=1e-5)
    before, generator = values(features.weights), values(gan.generator.trainable_variables)
    gan.fit(levels(4, 4, 4, 3), levels(4, 16, 16, 3), batch_size=4, verbose=0)
    assert equal(before, values(features.weights))
    assert not any(np.array_equal(a, b) for a, b in zip(generator, values(gan.generator.trainable_variables)))


def test_the_adversarial_loss_alone_is_weighed():
    """content + 1e-3 softplus(-d); a higher score lowers it."""
    gan = model()
    made, images = tensors(2, 16, 16, 3), tensors(2, 16, 16, 3, seed=1)
    bias = gan.discriminator.get_layer("logits").bias
    totals = []
    for score in (-2.0, 0.0, 2.0):
        bias.assign([score])
        total, content = ops.convert_to_numpy(gan.generator_loss(made, images, training=False))
        adversarial = number(cross_entropy(gan.score(made, training=False), 1.0))
        assert total == pytest.approx(number(ops.mean(ops.square(made - images))) + 1e-3 * adversarial, rel=1e-5)
        assert content == pytest.approx(number(ops.mean(ops.square(made - images))), rel=1e-5)
        totals.append(total)
    assert totals[0] > totals[1] > totals[2]


def test_pixels_can_be_weighed_beside_the_features():
    a, b = tensors(2, 16, 16, 3), tensors(2, 16, 16, 3, seed=1)
    features = frozen_features()
    alone, both = model(features=features), model(features=features, pixel_weight=0.5)
    more = number(both.content_loss(a, b)) - number(alone.content_loss(a, b))
    assert more == pytest.approx(0.5 * number(ops.mean(ops.square(a - b))), rel=1e-4)


def test_the_statistics_of_the_batch_norm_are_fixed_when_upscaling():
    """An image gives the same alone and in a batch, within one grey level of rounding."""
    gan, images = model(), levels(2, 6, 6, 3)
    both = gan.upscale(images).astype(int)
    assert np.abs(both[:1] - gan.upscale(images[:1])).max() <= 1


# Phases


def patches(count=8):
    return kg.data.load_patches(levels(count, 16, 16, 3), image_size=(16, 16), batch_size=4)


def test_the_first_phase_trains_the_generator_alone():
    gan = model(pretraining=True)
    gan.compile(keras.optimizers.Adam(1e-2))
    before = values(gan.discriminator.weights)
    logs = gan.fit(patches(), epochs=3, verbose=0).history
    assert list(logs) == ["pixel_loss"] and logs["pixel_loss"][-1] < logs["pixel_loss"][0]
    assert equal(before, values(gan.discriminator.weights))
    assert list(gan.evaluate(patches(), verbose=0, return_dict=True)) == ["pixel_loss"]


def test_srresnet_needs_no_discriminator():
    gan = kg.SRGAN(tiny(3), pretraining=True)
    gan.compile()
    gan.fit(patches(), verbose=0)
    with pytest.raises(ConfigurationError, match="a model with a discriminator"):
        gan.for_adversary()


def test_the_second_phase_goes_on_with_the_generator():
    gan, data = model(pretraining=True), patches()
    first, second = gan.phases(data, 10)
    assert (first.epochs, second.epochs) == (10, 2)
    gan.fit(data, verbose=0)
    before = values(gan.generator.weights)
    after = phases.begin(second, gan, 1, 10)
    assert after.generator is gan.generator and not after.pretraining and after.compiled
    assert equal(before, values(after.generator.weights))
    schedule = after.g_optimizer._learning_rate
    assert [number(schedule(step)) for step in (0, 2, 3, 4)] == pytest.approx([1e-4, 1e-4, 1e-5, 1e-5])
    state = training_state(after)
    after.fit(data, verbose=0)
    assert not equal(state, training_state(after))


def test_the_game_alone_is_one_phase():
    (phase,) = model().phases(patches(), 10)
    assert phase.epochs == 10


def test_a_sheet_shows_small_images_as_high_as_large_ones():
    gan, small = model(), levels(2, 4, 4, 3)
    sheet = sampling.sheet(gan, 1, 2, given={"small": small, "images": levels(2, 16, 16, 3)})
    assert sheet.shape == (16, 2 * 3 * 16, 3)
    np.testing.assert_array_equal(sheet[:, :16], kg.images.enlarged(small[0], 4))
    np.testing.assert_array_equal(sheet[:, 32:48], levels(2, 16, 16, 3)[0])


# Upscaling


def test_tiles_cannot_be_seen():
    gan, images = model(), levels(1, 50, 41, 3)
    whole = gan.upscale(images)
    tiled = gan.upscale(images, tile=16, tile_pad=reach(gan.generator))
    assert np.abs(whole.astype(int) - tiled).max() <= 1
    with pytest.warns(UserWarning, match="tile_pad is 1. Pass tile_pad="):
        gan.upscale(images, tile=16, tile_pad=1)


def seen_parts(factor=2):
    """What repeats pixels `factor` times, and a list that will have the shapes of what it is given."""
    shapes = []

    def make(images):
        shapes.append(images.shape)
        return images.repeat(factor, axis=1).repeat(factor, axis=2)

    return make, shapes


def test_large_images_are_made_larger_in_tiles_of_one_size():
    images, (make, shapes) = levels(1, 400, 900, 3), seen_parts()
    made = in_tiles(make, images, 2, needed=18)
    np.testing.assert_array_equal(made, images.repeat(2, axis=1).repeat(2, axis=2))
    # 400 in 2 tiles of 200, 900 in 4 of 225, and 18 pixels around each
    assert made.dtype == "uint8" and shapes == [(1, 236, 261, 3)] * 8


def test_images_of_the_usual_size_are_made_larger_whole():
    for size in ((362, 362), (256, 512), (1, 2**17)):
        images, (make, shapes) = levels(1, *size, 1), seen_parts()
        in_tiles(make, images, 2)
        assert shapes == [images.shape]
    images, (make, shapes) = levels(1, 363, 363, 1), seen_parts()
    in_tiles(make, images, 2, tile=0)
    assert shapes == [images.shape]


@pytest.mark.parametrize("tile, pad", [(1, 0), (4, 1), (4, 9), (5, 2), (10, 3), (11, 100)])
def test_tiles_of_any_size_fill_the_result(tile, pad):
    images, (make, shapes) = levels(2, 10, 11, 1), seen_parts(3)
    made = in_tiles(make, images, 3, tile=tile, pad=pad)
    np.testing.assert_array_equal(made, images.repeat(3, axis=1).repeat(3, axis=2))
    assert len(set(shapes)) == 1 and max(shapes[0][1:3]) <= max(tile + 2 * pad, 2)


def peak_of(make):
    """What a function returns, and the most bytes that NumPy's arrays took meanwhile."""
    tracemalloc.start()
    try:
        return make(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_large_result_is_in_memory_once():
    images, (make, _) = levels(1, 1000, 750, 3), seen_parts(4)
    made, peak = peak_of(lambda: in_tiles(make, images, 4))
    assert made.nbytes == 16 * images.nbytes and peak < 1.25 * made.nbytes  # and two tiles, a 12th each


def test_a_resized_result_is_in_memory_once():
    images = levels(1, 2000, 1500, 3)
    made, peak = peak_of(lambda: resized(images, (500, 375), 3.0))
    # The result, and of one channel what it is made from and what it becomes: 5.1, 3 and 1.7 MB.
    assert made.nbytes == 1500 * 1125 * 3 and peak < 1.8 * made.nbytes


def test_a_generator_of_one_size_has_no_tiles_by_itself():
    images = keras.Input((400, 400, 3))
    gan = kg.SRGAN(keras.Model(images, keras.layers.UpSampling2D(2)(images)), pretraining=True)
    small = levels(1, 400, 400, 3)
    np.testing.assert_array_equal(gan.upscale(small), small.repeat(2, axis=1).repeat(2, axis=2))


def test_tiles_cannot_be_seen_without_asking(monkeypatch):
    gan, images = model(), levels(1, 50, 41, 3)
    whole = gan.upscale(images)
    monkeypatch.setattr(tiles, "WHOLE", 1000)
    monkeypatch.setattr(tiles, "TILE", 16)
    sample, shapes = gan.sample, []
    monkeypatch.setattr(gan, "sample", lambda small: shapes.append(small.shape) or sample(small=small))
    tiled = gan.upscale(images)
    assert np.abs(whole.astype(int) - tiled).max() <= 1 and len(shapes) == 12


def test_a_generator_that_sees_the_whole_image_has_no_tiles_by_itself(monkeypatch):
    images = x = keras.Input((None, None, 3))
    x = keras.layers.UpSampling2D(2)(InstanceNormalization()(keras.layers.Conv2D(3, 3, padding="same")(x)))
    gan, small = kg.SRGAN(keras.Model(images, x), pretraining=True), levels(1, 20, 24, 3)
    assert reach(gan.generator) == math.inf
    whole = gan.upscale(small)
    monkeypatch.setattr(tiles, "WHOLE", 100)
    np.testing.assert_array_equal(gan.upscale(small), whole)
    with pytest.warns(UserWarning, match="sees the whole image. Pass tile=0"):
        gan.upscale(small, tile=8)


def test_another_outscale_resizes_the_result():
    gan, images = model(), levels(1, 10, 7, 3)
    made = gan.upscale(images, outscale=2)
    assert made.shape == (1, 20, 14, 3) and made.dtype == np.uint8
    whole = Image.fromarray(gan.upscale(images)[0, ..., 0])
    np.testing.assert_array_equal(made[0, ..., 0], np.asarray(whole.resize((14, 20), Image.Resampling.LANCZOS)))
    assert gan.upscale(images[0], outscale=1.5).shape == (1, 15, 10, 3)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"outscale": 0}, "outscale above 0"),
        ({"outscale": "4"}, "outscale above 0"),
        ({"tile": -1}, "whole pixels"),
        ({"tile": 4, "tile_pad": 0.5}, "whole pixels"),
    ],
)
def test_upscaling_refuses_numbers_out_of_range(options, message):
    with pytest.raises(ConfigurationError, match=message):
        model().upscale(levels(1, 8, 8, 3), **options)


def test_upscaling_refuses_other_channels():
    with pytest.raises(DataError, match="channels"):
        model().upscale(levels(1, 8, 8, 1))


def test_networks_that_do_not_fit_are_refused():
    images = keras.Input((8, 8, 3))
    flat = keras.Model(images, keras.layers.Dense(4)(keras.layers.Flatten()(images)))
    wider = keras.Model(images, keras.layers.UpSampling2D((2, 1))(images))
    images = keras.Input((8, 8, 1))
    grey = keras.Model(images, keras.layers.Conv2D(1, 3)(images))
    cases = [
        ({"generator": flat}, "images to images"),
        ({"generator": wider}, "both sides larger by one whole number"),
        ({"generator": tiny(3), "discriminator": build_discriminator(LARGE, filters=2, units=2)}, "discriminator"),
        ({"generator": tiny(3), "discriminator": build_discriminator((18, 18, 3), filters=2, units=2)}, "multiples of"),
        ({"generator": tiny(3), "features": grey}, "features"),
        ({"generator": tiny(3), "adversarial_weight": -1.0}, "adversarial_weight of 0 or more"),
        ({"generator": tiny(3), "pixel_weight": True}, "pixel_weight of 0 or more"),
    ]
    for options, message in cases:
        with pytest.raises(ConfigurationError, match=message):
            kg.SRGAN(**options)
    with pytest.raises(ConfigurationError, match="power of two"):
        build_generator(factor=3)
    with pytest.raises(ConfigurationError, match="16x16 or more"):
        build_discriminator((8, 8, 3))


def test_labels_are_refused():
    with pytest.raises(ConfigurationError, match="images alone"):
        kg.SRGAN.load_data("photo_patches", labels="label")
