"""Metrics of predicted frames: which pixels move, and closed forms of the numbers."""

import numpy as np
import pytest

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError


def levels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")


def everywhere(images):
    return np.ones(images.shape[:3], bool)


# Moving pixels


@pytest.mark.parametrize("row, column, count", [(3, 3, 9), (0, 0, 4), (0, 3, 6), (5, 6, 4)])
def test_a_moving_pixel_has_its_neighbours(row, column, count):
    before = np.zeros((1, 6, 7, 3), "uint8")
    frames = before.copy()
    frames[0, row, column, 1] = 200
    moving = kg.metrics.moving_pixels(frames, before)
    assert moving.shape == (1, 6, 7) and moving.sum() == count
    rows, columns = np.nonzero(moving[0])
    assert np.abs(rows - row).max() <= 1 and np.abs(columns - column).max() <= 1


@pytest.mark.parametrize("as_floats", [False, True])
def test_the_threshold_is_in_units_of_minus_one_to_one(as_floats):
    before, frames = np.full((1, 4, 4, 1), 100, "uint8"), np.full((1, 4, 4, 1), 106, "uint8")  # 0.047
    if as_floats:
        before, frames = before / 127.5 - 1.0, frames / 127.5 - 1.0
    assert not kg.metrics.moving_pixels(frames, before).any()
    assert kg.metrics.moving_pixels(frames, before, threshold=0.04).all()
    with pytest.raises(ConfigurationError, match="threshold of 0 or more"):
        kg.metrics.moving_pixels(frames, before, threshold=-1.0)


# Numbers


def test_psnr_of_a_constant_error():
    """An error of 0.1 in [-1, 1]: the paper's code, with 128 for 127.5, has 25.99 dB."""
    real = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 8, 8, 1))
    found = kg.metrics.moving_psnr(real=real, fake=real + 0.1, moving=everywhere(real))
    np.testing.assert_allclose(found - 20.0 * np.log10(128.0 / 127.5), 10.0 * np.log10(65025 / 163.84), atol=1e-6)
    assert found[0] - 20.0 * np.log10(128.0 / 127.5) == pytest.approx(25.99, abs=0.005)


def test_only_moving_pixels_count():
    real, fake = levels(2, 16, 16, 3), levels(2, 16, 16, 3, seed=1)
    moving = np.zeros((2, 16, 16), bool)
    moving[:, 4:12, 5:11] = True
    psnr = kg.metrics.moving_psnr(real=real, fake=fake, moving=moving)
    inside = kg.metrics.psnr(real=real[:, 4:12, 5:11], fake=fake[:, 4:12, 5:11])
    np.testing.assert_allclose(psnr, inside)
    other = np.where(moving[..., None], fake, 255 - real)
    for metric in (kg.metrics.moving_psnr, kg.metrics.moving_ssim):
        np.testing.assert_allclose(
            metric(real=real, fake=other, moving=moving), metric(real=real, fake=fake, moving=moving)
        )
    black = [np.where(moving[..., None], images, 0).astype("uint8") for images in (real, fake)]
    ssim = kg.metrics.moving_ssim(real=real, fake=fake, moving=moving)
    np.testing.assert_allclose(ssim, kg.metrics.ssim(real=black[0], fake=black[1]))
    np.testing.assert_allclose(
        kg.metrics.moving_psnr(real=real, fake=fake, moving=everywhere(real)), kg.metrics.psnr(real=real, fake=fake)
    )


def test_equal_frames_and_still_ones():
    real = levels(2, 12, 12, 1)
    moving = everywhere(real)
    moving[1] = False
    assert kg.metrics.moving_psnr(real=real, fake=real, moving=moving)[0] == np.inf
    for metric in (kg.metrics.moving_psnr, kg.metrics.sharpness_difference):
        assert np.isnan(metric(real=real, fake=255 - real, moving=moving)[1])
    np.testing.assert_allclose(kg.metrics.moving_ssim(real=real, fake=real, moving=moving), 1.0)


def by_hand(real, fake):
    """The sharpness difference pixel by pixel."""
    real, fake = real / 255.0, fake / 255.0
    gaps = []
    for i in range(1, real.shape[0]):
        for j in range(1, real.shape[1]):
            across = np.abs(np.abs(fake[i, j] - fake[i, j - 1]) - np.abs(real[i, j] - real[i, j - 1]))
            down = np.abs(np.abs(fake[i, j] - fake[i - 1, j]) - np.abs(real[i, j] - real[i - 1, j]))
            gaps.append((across + down).mean())
    return 10.0 * np.log10(1.0 / np.mean(gaps))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_sharpness_difference_by_hand(channels):
    real, fake = levels(3, 5, 7, channels), levels(3, 5, 7, channels, seed=1)
    found = kg.metrics.sharpness_difference(real=real, fake=fake)
    np.testing.assert_allclose(found, [by_hand(*pair) for pair in zip(real.astype(float), fake.astype(float))])
    in_floats = kg.metrics.sharpness_difference(real=real / 127.5 - 1.0, fake=fake / 127.5 - 1.0)
    np.testing.assert_allclose(in_floats, found)
    np.testing.assert_allclose(kg.metrics.sharpness_difference(real=fake, fake=real), found)


def test_the_code_of_the_paper_has_a_constant_more():
    """255^2 / (128^2 mean) of pixels in [-1, 1], whose differences are twice as large."""
    assert 10.0 * np.log10(255**2 / 128**2 / 2.0) == pytest.approx(2.98, abs=0.005)


def test_shifted_and_negative_frames_are_as_sharp():
    real = levels(2, 8, 8, 1) // 2
    for fake in (real + 100, 255 - real):
        assert (kg.metrics.sharpness_difference(real=real, fake=fake) == np.inf).all()


def test_blurring_is_less_sharp_the_more_it_blurs():
    """An edge of 0 and 1 spread over n pixels in each of 8 rows: the gaps are (1 - 1/n) + (n - 1)/n over 15 pixels."""
    edge = np.zeros((1, 8, 16, 1))
    edge[:, :, 8:] = 1.0
    found = []
    for n in (2, 4):
        blurred = edge.copy()
        blurred[0, :, 7 : 7 + n, 0] = np.arange(1, n + 1) / n
        moving = np.ones((1, 8, 16), bool)
        number = kg.metrics.sharpness_difference(real=2 * edge - 1, fake=2 * blurred - 1, moving=moving)[0]
        assert number == pytest.approx(-10.0 * np.log10(2.0 * (1.0 - 1.0 / n) / 15))
        found.append(number)
    assert found[0] > found[1]


def test_what_cannot_be_compared_is_refused():
    real = levels(2, 12, 12, 1)
    for metric in (kg.metrics.moving_psnr, kg.metrics.moving_ssim, kg.metrics.sharpness_difference):
        with pytest.raises(DataError, match="one size"):
            metric(real=real, fake=real[:1], moving=everywhere(real))
        for moving in (everywhere(real).astype("uint8"), everywhere(real)[:1], everywhere(real)[..., None]):
            with pytest.raises(DataError, match="moving pixels as bool"):
                metric(real=real, fake=real, moving=moving)
    with pytest.raises(DataError, match="2 pixels a side"):
        kg.metrics.sharpness_difference(real=real[:, :1], fake=real[:, :1])
    with pytest.raises(DataError, match="11 pixels"):
        kg.metrics.moving_ssim(real=real[:, :8], fake=real[:, :8], moving=everywhere(real)[:, :8])
