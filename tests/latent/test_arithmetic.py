"""Arithmetic on averages of latents."""

import numpy as np
import pytest

import keras_gans as kg
from keras_gans.latent import add, evaluate, rescale


def test_an_expression_is_the_sum_of_the_means_of_its_seeds():
    gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=6, seed=0)
    found, terms = evaluate(gan, " 3,5, 8 - 1,2+4")
    means = [gan.noise(seed=seeds).mean(axis=0) for seeds in ([3, 5, 8], [1, 2], [4])]
    total = means[0] - means[1] + means[2]
    np.testing.assert_allclose(found, total[None] * 6**0.5 / np.linalg.norm(total), rtol=1e-5)
    np.testing.assert_allclose(terms, [m * 6**0.5 / np.linalg.norm(m) for m in means], rtol=1e-5)
    np.testing.assert_allclose(evaluate(gan, "-3")[0], -evaluate(gan, "3")[0])


@pytest.mark.parametrize("text", ["", "3,", "3 5", "3 -", "3 - - 5", "a", "3 * 5", "3.5", "3 + __import__('os')"])
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(kg.errors.ConfigurationError, match="Expected seeds"):
        evaluate(kg.GAN(image_shape=(8, 8, 1), latent_dim=6), text)


def test_sums_have_the_norm_of_latents_and_zero_stays_zero():
    z = np.random.default_rng(0).normal(size=(9, 16))
    assert np.linalg.norm(add([(1, z[:3]), (-1, z[3:6]), (1, z[6:])])) == pytest.approx(4.0, rel=1e-6)
    np.testing.assert_array_equal(add([(1, z), (-1, z)]), np.zeros(16))
    np.testing.assert_allclose(rescale([[0.0, 2.0], [0.0, 0.0]], norm=5.0), [[0.0, 5.0], [0.0, 0.0]])


@pytest.mark.parametrize("terms", [[], [(1, np.zeros((0, 3)))], [(1, np.zeros(3))]])
def test_terms_without_latents_are_refused(terms):
    with pytest.raises(kg.errors.ConfigurationError):
        add(terms)
