"""Stacked digits: three independent draws, fixed by the seed."""

import numpy as np
import pytest

import keras_gans as kg
from keras_gans.data import stacked_mnist
from keras_gans.errors import ConfigurationError, DataError


@pytest.fixture(scope="module")
def digits():
    """Every digit thirty times, its class as its brightness."""
    labels = np.arange(300) % 10
    return np.broadcast_to((20 * labels + 10).astype("uint8")[:, None, None, None], (300, 4, 5, 1)), labels


def test_channels_are_the_digits_of_the_label(digits):
    images, codes = stacked_mnist(digits, count=400, batch_size=64)[0].values()
    assert images.shape == (64, 4, 5, 3) and images.dtype == "uint8"
    shown = (images[:, 0, 0].astype(int) - 10) // 20
    np.testing.assert_array_equal(codes, 100 * shown[:, 0] + 10 * shown[:, 1] + shown[:, 2])
    assert (images == images[:, :1, :1]).all()


def test_rows_and_columns_stay_in_place():
    images = np.arange(2 * 3 * 4, dtype="uint8").reshape(2, 3, 4, 1)
    batches = stacked_mnist((images, np.array([0, 1])), count=20, batch_size=20)
    for stacked, code in zip(*batches[0].values()):
        for channel, digit in enumerate((code // 100, code // 10 % 10, code % 10)):
            np.testing.assert_array_equal(stacked[..., channel], images[digit, ..., 0])


def test_the_three_draws_are_independent_and_uniform(digits):
    """Chi-squared of the 1000 classes: 999 degrees of freedom, deviation sqrt(2 * 999)."""
    codes = stacked_mnist(digits, count=60_000).labels
    counts = np.bincount(codes, minlength=1000)
    assert abs(((counts - 60) ** 2 / 60).sum() - 999) < 5 * np.sqrt(2 * 999)


def test_the_set_is_fixed_by_the_seed(digits):
    first, again, other = (stacked_mnist(digits, count=100, seed=seed) for seed in (1, 1, 2))
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    np.testing.assert_array_equal(first.at(7)["images"], again.at(7)["images"])
    visited = np.concatenate([stacked_mnist(digits, count=100, batch_size=50, seed=1).at(i)["labels"] for i in (4, 5)])
    np.testing.assert_array_equal(np.sort(visited), np.sort(first.labels))  # every epoch has the same images


def test_stacked_images_look_like_an_array(digits):
    images = stacked_mnist(digits, count=30, batch_size=5).images
    whole = np.asarray(images)
    assert whole.shape == images.shape == (30, 4, 5, 3) and len(images) == 30
    np.testing.assert_array_equal(images[[3, 1]], whole[[3, 1]])
    np.testing.assert_array_equal(images[4], whole[4])
    np.testing.assert_array_equal(images[10:12], whole[10:12])


def test_any_variant_trains_on_them():
    gan = kg.GAN(image_shape=(8, 8, 3), latent_dim=2)
    gan.compile(run_eagerly=True)
    batches = stacked_mnist(kg.data.digits(10, (8, 8)), count=8, batch_size=4)
    assert np.isfinite(gan.fit(batches, verbose=0).history["d_loss"]).all()


@pytest.mark.parametrize("channels, count, highest", [(3, 4, 9), (1, 3, 9), (1, 4, 10)])
def test_digits_that_are_not_are_errors(channels, count, highest):
    labels = np.linspace(0, highest, count).astype(int)
    with pytest.raises(DataError, match="a label in 0..9"):
        stacked_mnist((np.zeros((4, 8, 8, channels), "uint8"), labels), count=8, batch_size=2)


@pytest.mark.parametrize("options", [{"count": 0}, {"seed": -1}])
def test_arguments_out_of_range_are_errors(digits, options):
    with pytest.raises(ConfigurationError, match="1 or more"):
        stacked_mnist(digits, **options)


def test_mnist_is_the_default(monkeypatch, digits):
    """Both splits, as in VEEGAN's protocol, and their licence."""
    asked = []

    def load(*source, **options):
        asked.append((source, options))
        return kg.data.Batches(*digits, about={"license": "L", "name": "mnist"})

    monkeypatch.setattr("keras_gans.data.stacked.load", load)
    batches = stacked_mnist()
    assert asked == [(("mnist",), {"split": "train+test", "download": False})]
    assert batches.images.shape == (128_000, 4, 5, 3)
    assert batches.about["license"] == "L" and batches.about["name"] == "stacked_mnist"
