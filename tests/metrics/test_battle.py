"""GAM: ratios and winners by hand, discriminators that are known, and what is refused."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics import Battle, generative_adversarial_metric

SHAPE = (2, 2, 1)


@pytest.mark.parametrize(
    "test_errors, sample_errors, ratios, winner",
    [
        ((0.2, 0.2), (0.1, 0.4), (1.0, 0.25), 1),
        ((0.2, 0.2), (0.4, 0.1), (1.0, 4.0), 2),
        ((0.2, 0.2), (0.3, 0.3), (1.0, 1.0), None),
        ((0.4, 0.2), (0.1, 0.4), (2.0, 0.25), None),  # the first discriminator is weak
        ((0.2, 0.4), (0.1, 0.4), (0.5, 0.25), None),
        ((0.2, 0.21), (0.1, 0.4), (0.2 / 0.21, 0.25), 1),  # within a tenth
        ((0.2, 0.23), (0.1, 0.4), (0.2 / 0.23, 0.25), None),
        ((0.2, 0.2), (0.0, 0.4), (1.0, 0.0), 1),
        ((0.2, 0.2), (0.4, 0.0), (1.0, np.inf), 2),
        ((0.2, 0.2), (0.0, 0.0), (1.0, np.nan), None),
        ((0.0, 0.0), (0.1, 0.4), (np.nan, 0.25), None),
        ((0.1, 0.0), (0.1, 0.4), (np.inf, 0.25), None),
    ],
)
def test_hand_numbers_and_both_ways_round(test_errors, sample_errors, ratios, winner):
    battle = Battle(test_errors, sample_errors)
    assert [battle.test_ratio, battle.sample_ratio] == pytest.approx(ratios, nan_ok=True)
    assert battle.winner == winner
    swapped = Battle(test_errors[::-1], sample_errors[::-1])
    with np.errstate(divide="ignore"):
        inverted = 1.0 / np.array(ratios)
    assert [swapped.test_ratio, swapped.sample_ratio] == pytest.approx(list(inverted), nan_ok=True)
    assert swapped.winner == (None if winner is None else 3 - winner)


def test_the_tolerance_decides_what_is_comparable():
    errors = {"test_errors": (0.3, 0.2), "sample_errors": (0.1, 0.2)}
    assert Battle(**errors).winner is None and Battle(**errors, tolerance=0.6).winner == 1


def model(scale, threshold, latent=1):
    """G(z) = scale z in each pixel; D takes for real what is brighter than the threshold on average."""
    latents = keras.Input((latent,))
    make = layers.Dense(4, use_bias=False)
    generator = keras.Model(latents, layers.Reshape(SHAPE)(make(latents)))
    generator.set_weights([np.full((latent, 4), scale, "float32")])
    judge = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(1)])
    judge.set_weights([np.full((4, 1), 0.25, "float32"), np.array([-threshold], "float32")])
    return kg.DCGAN(generator, judge)


def test_the_errors_are_those_of_known_discriminators():
    """Real images at 0.1, 0.3, 0.5 and 0.7; the first D errs below 0.2, the second below 0.4."""
    first, second = model(1.0, 0.2), model(-2.0, 0.4)
    real = np.repeat(np.array([0.1, 0.3, 0.5, 0.7], "float32"), 4).reshape(4, *SHAPE)
    battle = generative_adversarial_metric(first=first, second=second, real=real, n=500, seed=3, tolerance=1.0)
    noise = first.noise(500, seed=3)[:, 0]
    assert battle.test_errors == (0.25, 0.5)
    expected = (-2.0 * noise > 0.2).mean(), (noise > 0.4).mean()
    assert battle.sample_errors == pytest.approx(expected, abs=1 / 500)  # one image at the border
    assert battle.test_ratio == 0.5 and battle.winner == (1 if expected[0] < expected[1] else 2) == 2
    other = generative_adversarial_metric(first=second, second=first, real=real, n=500, seed=3, tolerance=1.0)
    assert other.test_errors == battle.test_errors[::-1] and other.sample_errors == battle.sample_errors[::-1]
    assert other.winner == 1


def test_a_model_against_itself_ties():
    one = model(1.0, 0.2)
    real = np.full((3, *SHAPE), 0.1, "float32")
    battle = generative_adversarial_metric(first=one, second=one, real=real, n=100)
    assert battle.test_ratio == battle.sample_ratio == 1.0 and battle.winner is None


def test_it_beats_noise():
    """The first generator makes 0.5 always, as the data; the second is noise; both discriminators know 0.3 as dark."""
    latents = keras.Input((1,))
    constant = layers.Dense(4, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(0.5))
    noise = model(1.0, 0.3)
    good = kg.DCGAN(keras.Model(latents, layers.Reshape(SHAPE)(constant(latents))), model(1.0, 0.3).discriminator)
    real = np.repeat(np.linspace(-0.25, 0.75, 50, dtype="float32"), 4).reshape(50, *SHAPE)
    assert generative_adversarial_metric(first=good, second=noise, real=real).winner == 1


def test_bytes_are_read_as_images():
    one = model(1.0, 0.0)
    levels = np.array([0, 127, 128, 255], "uint8")[:, None, None, None] * np.ones((1, *SHAPE), "uint8")
    assert generative_adversarial_metric(first=one, second=one, real=levels, n=10).test_errors == (0.5, 0.5)


def test_what_cannot_fight_is_refused():
    one, real = model(1.0, 0.2), np.zeros((3, *SHAPE), "float32")
    pairs = kg.VEEGAN(image_shape=SHAPE, latent_dim=2)
    packs = kg.PacGAN(one.generator, keras.Sequential([keras.Input((2, 2, 2)), layers.Flatten(), layers.Dense(1)]))
    for other, message in (
        (kg.DCGAN(one.generator, None), "second to have a discriminator.*a generator alone"),
        (pairs, "single images"),
        (packs, "single images"),
        (kg.GAN(image_shape=(4, 4, 1), latent_dim=2), "one shape"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            generative_adversarial_metric(first=one, second=other, real=real)
    for options in ({"n": 0}, {"tolerance": -0.1}):
        with pytest.raises(ConfigurationError, match="Expected n of 1 or more"):
            generative_adversarial_metric(first=one, second=one, real=real, **options)
    with pytest.raises(DataError, match="shape"):
        generative_adversarial_metric(first=one, second=one, real=real[:, :1])
