"""Paths between latents: closed forms, and what is not defined."""

import numpy as np
import pytest
from PIL import Image

import keras_gans as kg
from keras_gans.latent import animate, lerp, loop, slerp, strips

RNG = np.random.default_rng(0)


def test_the_ends_are_the_ends():
    a, b = RNG.normal(size=(2, 5, 7))
    for between in (lerp, slerp):
        np.testing.assert_allclose(between(a, b, 0.0), a, rtol=1e-6)
        np.testing.assert_allclose(between(a, b, 1.0), b, rtol=1e-6, atol=1e-7)


def test_slerp_stays_on_the_sphere_and_turns_evenly_in_each_row():
    """A dot product over the whole batch would put the rows at each other's angle."""
    a, b = RNG.normal(size=(2, 6, 4))
    a, b = (3.0 * x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    path = slerp(a[:, None], b[:, None], np.linspace(0.0, 1.0, 5))
    np.testing.assert_allclose(np.linalg.norm(path, axis=-1), 3.0, rtol=1e-5)
    angle = np.arccos(np.sum(a * b, axis=1) / 9.0)
    turned = np.arccos(np.sum(path[:, 0] * path[:, 1], axis=1) / 9.0)
    np.testing.assert_allclose(turned, angle / 4.0, rtol=1e-3)


def test_slerp_by_hand():
    """At right angles w = pi/2: halfway sqrt(1/2) of each, also of unequal norms."""
    np.testing.assert_allclose(slerp([1.0, 0.0], [0.0, 3.0], 0.5), [0.5**0.5, 3.0 * 0.5**0.5], rtol=1e-6)


@pytest.mark.parametrize(
    "a, b",
    [
        ([0, 0], [1, 2]),
        ([1, 2], [0, 0]),
        ([0, 0], [0, 0]),
        ([1, 2], [1, 2]),
        ([1, 2], [-1, -2]),
        ([1, 2], [2, 4]),
        ([1, 0], [1, 1e-8]),
        ([1e-200, 0], [0, 1e-200]),
    ],
)
def test_where_no_arc_is_defined_slerp_is_lerp(a, b):
    t = np.linspace(0.0, 1.0, 9)
    np.testing.assert_allclose(slerp(a, b, t), lerp(a, b, t), atol=1e-6)


def test_equal_vectors_whose_cosine_rounds_above_one():
    for vector in RNG.normal(size=(200, 100)):
        assert np.isfinite(slerp(vector, vector, 0.3)).all()


@pytest.mark.parametrize("between", [lerp, slerp])
@pytest.mark.parametrize("a, b, t", [((4,), (5,), ()), ((4,), (1,), ()), ((3, 4), (2, 4), ()), ((3, 4), (3, 4), (2,))])
def test_shapes_that_do_not_meet(between, a, b, t):
    with pytest.raises(kg.errors.DataError, match=r"whose shapes broadcast. Received: \("):
        between(np.ones(a), np.ones(b), np.ones(t))


def test_strips_and_loops():
    a, b = RNG.normal(size=(2, 3, 4))
    rows = strips(a, b, 5)
    assert rows.shape == (3, 5, 4)
    np.testing.assert_allclose(rows[1], [slerp(a[1], b[1], t) for t in np.linspace(0, 1, 5)], rtol=1e-6)
    path = loop(a, 4, between=lerp)
    np.testing.assert_allclose(path[[0, 4, 8]], a, rtol=1e-6)
    np.testing.assert_allclose(path[10], (a[2] + a[0]) / 2, rtol=1e-5)


@pytest.mark.parametrize(
    "call", [lambda: strips([[1.0]], [[2.0]], 1), lambda: loop([[1.0]], 3), lambda: loop(np.eye(2), 0)]
)
def test_too_few_steps_or_points(call):
    with pytest.raises(kg.errors.ConfigurationError):
        call()


@pytest.mark.parametrize("name", ["walk.gif", "walk.apng", "walk.png"])
@pytest.mark.parametrize("channels", [1, 3])
def test_animations_have_a_frame_a_picture(name, channels, tmp_path):
    pictures = np.stack([np.full((8, 8, channels), level, "uint8") for level in (0, 120, 255)])
    animate(pictures, tmp_path / name, milliseconds=50)
    with Image.open(tmp_path / name) as found:
        assert found.n_frames == 3
        for i, level in enumerate((0, 120, 255)):
            found.seek(i)
            assert np.abs(np.asarray(found.convert("L"), int) - level).max() <= 1


def test_other_files_are_refused(tmp_path):
    for pictures, name in (
        (np.zeros((2, 8, 8, 1), "uint8"), "walk.mp4"),
        (np.zeros((0, 8, 8, 1), "uint8"), "walk.gif"),
    ):
        with pytest.raises(kg.errors.ConfigurationError):
            animate(pictures, tmp_path / name)
