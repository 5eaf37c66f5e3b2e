"""PSNR by hand; SSIM and MS-SSIM in closed form and by loops (Wang et al. 2004; specs: 14.8)."""

import math

import numpy as np
import pytest

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics import luma, ms_ssim, ms_ssim_diversity, psnr, similarity, ssim

C1, C2 = 6.5025, 58.5225  # (0.01 255)^2, (0.03 255)^2
WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]


def random_images(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")


def constant(level, size=16):
    return np.full((1, size, size, 1), level, "uint8")


# PSNR


@pytest.mark.parametrize("difference, decibels", [(255, 0.0), (1, 48.1308), (16, 24.0484)])
def test_psnr_by_hand(difference, decibels):
    """20 log10(255 / difference)."""
    found = psnr(real=constant(0), fake=constant(difference))
    assert found.shape == (1,)
    assert found[0] == pytest.approx(decibels, abs=1e-4)


def test_psnr_is_of_each_pairs_mean_square():
    real = np.zeros((3, 2, 2, 3), "uint8")
    fake = real.copy()
    fake[0, 0, 0, 0] = 12  # 144 / 12 = 12
    fake[1, :, :, 1] = 30  # 900 / 3 = 300
    found = psnr(real=real, fake=fake)
    np.testing.assert_allclose(found[:2], [10 * math.log10(65025 / 12), 10 * math.log10(65025 / 300)], rtol=1e-12)
    assert found[2] == math.inf


# SSIM


@pytest.mark.parametrize("channels", [1, 3])
def test_equal_images_are_one_and_it_is_symmetric(channels):
    one, other = random_images((2, 3, 20, 15, channels))
    assert ssim(real=one, fake=one).tolist() == [1.0] * 3
    assert ssim(real=one, fake=other) == pytest.approx(ssim(real=other, fake=one), rel=1e-13)


@pytest.mark.parametrize("a, b", [(0, 255), (100, 101), (50, 200)])
def test_two_greys_differ_in_luminance_alone(a, b):
    expected = (2 * a * b + C1) / (a**2 + b**2 + C1)
    assert ssim(real=constant(a), fake=constant(b))[0] == pytest.approx(expected, rel=1e-9)


def ssim_map(one, other):
    """(luminance, structure) at each whole window of one channel, by loops."""
    weights = np.array([[math.exp(-(i * i + j * j) / 4.5) for j in range(-5, 6)] for i in range(-5, 6)])
    weights /= weights.sum()
    height, width = one.shape
    luminance, structure = np.zeros((2, height - 10, width - 10))
    for y in range(height - 10):
        for x in range(width - 10):
            a, b = one[y : y + 11, x : x + 11], other[y : y + 11, x : x + 11]
            m1, m2 = (weights * a).sum(), (weights * b).sum()
            v1, v2 = (weights * (a - m1) ** 2).sum(), (weights * (b - m2) ** 2).sum()
            covariance = (weights * (a - m1) * (b - m2)).sum()
            luminance[y, x] = (2 * m1 * m2 + C1) / (m1**2 + m2**2 + C1)
            structure[y, x] = (2 * covariance + C2) / (v1 + v2 + C2)
    return luminance, structure


def related(shape, seed=0):
    """Pairs of images, the second the first with noise."""
    rng = np.random.default_rng(seed)
    real = rng.integers(0, 256, shape)
    return real.astype("uint8"), np.clip(0.6 * real + 60 + rng.normal(0, 20, shape), 0, 255).astype("uint8")


def test_ssim_is_the_mean_over_windows_and_channels_by_loops():
    real, fake = related((2, 14, 17, 3))
    expected = []
    for one, other in zip(real.astype("float64"), fake.astype("float64")):
        maps = [np.prod(ssim_map(one[..., c], other[..., c]), axis=0) for c in range(3)]
        expected.append(np.mean(maps))
    np.testing.assert_allclose(ssim(real=real, fake=fake), expected, rtol=1e-10)
    assert 0.2 < min(expected) < max(expected) < 0.95  # a number that the terms decide


def test_unrelated_noise_is_near_zero_and_a_negative_below():
    one, other = random_images((2, 1, 64, 64, 1))
    assert abs(ssim(real=one, fake=other)[0]) < 0.05
    assert ssim(real=one, fake=255 - one)[0] < -0.8


def test_floats_are_the_images_of_their_levels_and_blocks_change_nothing(monkeypatch):
    real, fake = related((5, 24, 24, 1))
    plain = [measure(real=real, fake=fake) for measure in (psnr, ssim, ms_ssim)]
    monkeypatch.setattr(similarity, "BATCH", 2)
    for measure, expected in zip((psnr, ssim, ms_ssim), plain):
        assert expected.shape == (5,) and expected.dtype == "float64"
        np.testing.assert_allclose(measure(real=real / 127.5 - 1.0, fake=fake), expected, rtol=1e-9)


# MS-SSIM


def by_loops(one, other, scales):
    """MS-SSIM of one pair (height, width, channels): means over places and channels of each scale."""
    weights = [weight / sum(WEIGHTS[:scales]) for weight in WEIGHTS[:scales]]
    product = 1.0
    for scale, weight in enumerate(weights):
        maps = [ssim_map(one[..., c], other[..., c]) for c in range(one.shape[-1])]
        last = scale == scales - 1
        mean = np.mean([luminance * structure if last else structure for luminance, structure in maps])
        product *= max(mean, 0.0) ** weight
        one, other = (halved(image) for image in (one, other))
    return product


def halved(image):
    height, width, channels = image.shape
    result = np.zeros((math.ceil(height / 2), math.ceil(width / 2), channels))
    for y in range(result.shape[0]):
        for x in range(result.shape[1]):
            rows, columns = [min(2 * y + i, height - 1) for i in (0, 1)], [min(2 * x + i, width - 1) for i in (0, 1)]
            result[y, x] = sum(image[i, j] for i in rows for j in columns) / 4
    return result


@pytest.mark.parametrize(
    "shape, scales", [((14, 21, 1), 1), ((22, 22, 3), 2), ((25, 30, 1), 2), ((43, 45, 1), 2), ((44, 45, 1), 3)]
)
def test_ms_ssim_by_loops(shape, scales):
    real, fake = related((2, *shape), seed=3)
    expected = [by_loops(a, b, scales) for a, b in zip(real.astype("float64"), fake.astype("float64"))]
    np.testing.assert_allclose(ms_ssim(real=real, fake=fake), expected, rtol=1e-10)


@pytest.mark.parametrize("side, scales", [(11, 1), (21, 1), (22, 2), (43, 2), (44, 3), (87, 3), (88, 4), (176, 5)])
def test_greys_show_the_last_scales_weight(side, scales):
    """Of two greys all structure is 1: what is left is the luminance to the power of the coarsest scale's weight."""
    luminance = (2 * 50 * 200 + C1) / (50**2 + 200**2 + C1)
    weight = WEIGHTS[scales - 1] / sum(WEIGHTS[:scales])
    found = ms_ssim(real=constant(50, side), fake=constant(200, side))
    assert found[0] == pytest.approx(luminance**weight, rel=1e-9)


def test_negative_terms_count_as_zero():
    """On the one scale of 16 pixels, and on the first of two: a chessboard and its negative become one grey."""
    image = random_images((1, 16, 16, 1))
    assert ms_ssim(real=image, fake=255 - image).tolist() == [0.0]
    board = (78 + 100 * (np.indices((22, 22)).sum(axis=0) % 2)).astype("uint8")[None, ..., None]
    assert ms_ssim(real=board, fake=board).tolist() == [1.0]
    assert ms_ssim(real=board, fake=255 - board).tolist() == [0.0]


# Diversity


def test_repeated_images_give_one_and_noise_is_near_zero():
    noise = random_images((30, 32, 32, 1))
    assert ms_ssim_diversity(fake=np.repeat(noise[:1], 4, axis=0), pairs=50) == 1.0
    assert ms_ssim_diversity(fake=noise, pairs=50) < 0.2


def test_pairs_are_of_different_images_and_equally_frequent():
    """Of three images the mean over many pairs is that of the three pairs; pairs of the same image would raise it."""
    images = np.concatenate([*related((1, 16, 16, 1)), random_images((1, 16, 16, 1), seed=9)])
    values = [ms_ssim(real=images[[i]], fake=images[[j]])[0] for i, j in ((0, 1), (0, 2), (1, 2))]
    found = ms_ssim_diversity(fake=images, pairs=4000)
    assert found == pytest.approx(np.mean(values), abs=4 * np.std(values) / math.sqrt(4000))


def test_the_seed_determines_the_pairs():
    images = random_images((20, 16, 16, 1))
    found = [ms_ssim_diversity(fake=images, pairs=5, seed=seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


# Errors


@pytest.mark.parametrize("measure", [ssim, ms_ssim])
def test_images_smaller_than_the_window_are_refused(measure):
    small = constant(0, 10)
    with pytest.raises(DataError, match="11 pixels or more a side.*psnr"):
        measure(real=small, fake=small)
    with pytest.raises(DataError, match="11 pixels or more"):
        ms_ssim_diversity(fake=np.repeat(small, 2, axis=0), pairs=1)


@pytest.mark.parametrize("measure", [psnr, ssim, ms_ssim])
def test_two_shapes_and_a_wrong_range_are_refused(measure):
    with pytest.raises(DataError, match="the same number of real and fake images"):
        measure(real=constant(0), fake=constant(0, 17))
    with pytest.raises(DataError, match=r"in \[-1, 1\]"):
        measure(real=constant(0), fake=constant(255).astype("float32"))


def test_one_image_has_no_diversity():
    with pytest.raises(DataError, match="two images"):
        ms_ssim_diversity(fake=constant(0))
    with pytest.raises(ConfigurationError, match="pairs"):
        ms_ssim_diversity(fake=random_images((2, 16, 16, 1)), pairs=0)


def test_luma_is_that_of_the_standard():
    """White is 235, black 16; the weights are BT.601's."""
    colours = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], "uint8")
    found = luma(colours.reshape(5, 1, 1, 3)).ravel()
    np.testing.assert_allclose(found, [235.0, 16.0, 81.481, 144.553, 40.966])
    grey = np.array([0, 128, 255], "uint8").reshape(3, 1, 1, 1)
    np.testing.assert_allclose(luma(grey), luma(np.repeat(grey, 3, axis=3)))
    with pytest.raises(DataError, match="1 or 3 channels"):
        luma(np.zeros((1, 2, 2, 2), "uint8"))


def test_an_error_of_the_same_size_everywhere():
    """20 log10(255 / e)."""
    real = np.full((1, 8, 8, 3), 100, "uint8")
    assert psnr(real=real, fake=real + 7) == pytest.approx(20 * np.log10(255 / 7))
