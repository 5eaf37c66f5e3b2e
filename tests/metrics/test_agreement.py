"""The pixel agreement ratio: hand numbers, true pairs, and pairs at random."""

import numpy as np
import pytest

import keras_gans as kg
from keras_gans.data import edges, negatives
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics import pixel_agreement

DIGITS = kg.data.digits(200)[0]


def test_hand_numbers():
    """Level 128 is white and 127 black: of eight pixels, negated, five agree."""
    first = np.array([[[0, 255], [127, 128]], [[10, 20], [30, 40]]], "uint8")[..., None]
    second = np.array([[[255, 0], [255, 255]], [[128, 127], [200, 0]]], "uint8")[..., None]
    assert pixel_agreement(fake=np.stack([first, second], axis=1), change=negatives) == 5 / 8


@pytest.mark.parametrize("change", [edges, negatives])
def test_true_pairs_agree_and_others_do_not(change):
    true = np.stack([DIGITS, change(DIGITS)], axis=1)
    assert pixel_agreement(fake=true, change=change) == 1.0
    others = np.stack([DIGITS, change(DIGITS[::-1])], axis=1)
    assert pixel_agreement(fake=others, change=change) < 0.95


def test_noise_is_at_chance():
    """Independent fair coins agree in half of N pixels, with a deviation of 1 / (2 sqrt(N))."""
    noise = np.random.default_rng(0).integers(0, 256, (50, 2, 20, 20, 1)).astype("uint8")
    assert abs(pixel_agreement(fake=noise, change=negatives) - 0.5) < 5 / (2 * np.sqrt(50 * 400))


@pytest.mark.parametrize(
    "fake",
    [DIGITS, np.zeros((2, 3, 4, 4, 1), "uint8"), np.zeros((2, 2, 4, 4, 1)), np.zeros((0, 2, 4, 4, 1), "uint8")],
    ids=["images", "three", "floats", "none"],
)
def test_anything_but_pairs_is_refused(fake):
    with pytest.raises(DataError, match="Expected uint8 pairs"):
        pixel_agreement(fake=fake, change=negatives)


@pytest.mark.parametrize("change", ["edges", lambda x: x[:, :1], lambda x: x / 255.0])
def test_invalid_changes_are_refused(change):
    with pytest.raises(ConfigurationError, match="Expected"):
        pixel_agreement(fake=np.zeros((2, 2, 4, 4, 1), "uint8"), change=change)
