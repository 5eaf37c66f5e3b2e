"""The perceptual path length of generators whose paths are known (specs: 14.7)."""

import math

import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.metrics import lerp, perceptual_path_length, slerp

MATRIX = np.random.default_rng(3).normal(size=(4, 6))


def ends(count=40, seed=0):
    return np.random.default_rng(seed).normal(size=(2, count, 4))


def identity(images):
    return images


def linear(latents):
    return latents @ MATRIX


# Interpolation


def test_lines_by_hand():
    start, end = np.array([[0.0, 2.0], [1.0, 1.0]]), np.array([[4.0, 0.0], [3.0, 5.0]])
    assert lerp(start, end, 0.5).tolist() == [[2.0, 1.0], [2.0, 3.0]]
    assert lerp(start, end, np.array([0.25, 1.0])).tolist() == [[1.0, 1.5], [3.0, 5.0]]


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_arcs_by_hand(t):
    """From (1, 0) to 120 degrees, length 1 to 3."""
    end = 3.0 * np.array([[math.cos(2 * math.pi / 3), math.sin(2 * math.pi / 3)]])
    angle, length = 2 * math.pi / 3 * t, 1 + 2 * t
    expected = [[length * math.cos(angle), length * math.sin(angle)]]
    np.testing.assert_allclose(slerp(np.array([[1.0, 0.0]]), end, t), expected, atol=1e-15)


def test_arcs_are_the_formula_with_sines():
    """Shoemake: sin((1 - t) w) / sin w a + sin(t w) / sin w b for unit vectors."""
    start, end = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in ends())
    t = np.random.default_rng(1).random(40)
    for row, (a, b) in enumerate(zip(start, end)):
        w = math.acos(a @ b)
        expected = math.sin((1 - t[row]) * w) / math.sin(w) * a + math.sin(t[row] * w) / math.sin(w) * b
        np.testing.assert_allclose(slerp(start, end, t)[row], expected, atol=1e-12)


@pytest.mark.parametrize("dimensions", [2, 3, 100])
@pytest.mark.parametrize("factor", [1.0, 2.5, -1.0, -0.5])
def test_parallel_and_opposite_vectors(dimensions, factor):
    """The ends are met, the directions' angle grows evenly, the length goes evenly; nothing is NaN."""
    start = np.random.default_rng(0).normal(size=(5, dimensions))
    end = factor * start
    np.testing.assert_allclose(slerp(start, end, 0.0), start, atol=1e-14)
    np.testing.assert_allclose(slerp(start, end, 1.0), end, atol=1e-7)  # the bound for parallel is 1e-8 a unit
    middle = slerp(start, end, 0.5)
    lengths = np.linalg.norm(start, axis=1)
    np.testing.assert_allclose(np.linalg.norm(middle, axis=1), lengths * (1 + abs(factor)) / 2, rtol=1e-7)
    cosine = np.sum(start * middle, axis=1) / lengths / np.linalg.norm(middle, axis=1)
    np.testing.assert_allclose(cosine, 1.0 if factor > 0.0 else 0.0, atol=1e-7)


def test_an_axis_and_its_opposite():
    """Where a coordinate axis itself gives no orthogonal direction."""
    start = np.eye(3)
    middle = slerp(start, -start, 0.5)
    np.testing.assert_allclose(np.linalg.norm(middle, axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(np.sum(start * middle, axis=1), 0.0, atol=1e-15)


@pytest.mark.parametrize("tilt", [1e-3, 1e-6, 1e-7])
def test_nearly_parallel_vectors_keep_their_small_angle(tilt):
    start = np.array([[1.0, 0.0, 0.0]])
    end = np.array([[math.cos(tilt), 0.0, math.sin(tilt)]])
    found = slerp(start, end, 0.25)[0]
    assert found[2] == pytest.approx(math.sin(tilt / 4), rel=1e-6)
    assert slerp(start, -end, 0.5)[0, 2] == pytest.approx(-math.cos(tilt / 2), rel=1e-9)


@pytest.mark.parametrize("start", [np.zeros((1, 3)), np.ones((1, 1))])
def test_vectors_without_a_direction_are_refused(start):
    with pytest.raises(DataError, match="Use lerp"):
        slerp(start, np.ones_like(start), 0.5)


# The path length


@pytest.mark.parametrize("epsilon", [1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("at", [None, np.linspace(0.0, 1.0, 40)])
def test_straight_paths_of_a_linear_generator(epsilon, at):
    """|J (w1 - w0)|^2 of each pair, whatever epsilon and t; of 40 values no whole percent is dropped."""
    start, end = ends()
    found = perceptual_path_length(
        linear, identity, start=start, end=end, interpolate=lerp, at=at, epsilon=epsilon, batch_size=7
    )
    expected = np.mean([sum((MATRIX.T @ (b - a)) ** 2) for a, b in zip(start, end)])
    assert found == pytest.approx(expected, rel=1e-9)


def test_arcs_of_the_identity():
    """On the unit sphere at an even pace: the speed is the angle; the chord of a step e is 2 sin(e w / 2)."""
    start, end = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in ends())
    angles = np.arccos(np.sum(start * end, axis=1))
    at = np.random.default_rng(0).random(40)
    for epsilon in (1e-4, 0.1):
        found = perceptual_path_length(identity, identity, start=start, end=end, at=at, epsilon=epsilon)
        assert found == pytest.approx(np.mean((2 * np.sin(epsilon * angles / 2) / epsilon) ** 2), rel=1e-8)


def test_the_place_on_the_path_counts():
    """G(z) = z^2 from 0 to 1 has speed 2 t: at t and a step of e, ((t + e)^2 - t^2) / e = 2 t + e."""
    start, end = np.zeros((3, 1)), np.ones((3, 1))
    options = {"start": start, "end": end, "interpolate": lerp, "epsilon": 0.01}
    assert perceptual_path_length(np.square, identity, **options) == pytest.approx(0.01**2)
    found = perceptual_path_length(np.square, identity, at=[0.0, 0.5, 1.0], batch_size=2, **options)
    # Three values: the 1st percentile's next lower is the least, the 99th's next higher the largest. All stay.
    assert found == pytest.approx(np.mean([0.01**2, 1.01**2, 2.01**2]))


def test_one_percent_on_each_side_is_dropped():
    """Speeds sqrt(0 ... 200): of 201 values the 1st percentile is the third, the 99th the third from above."""
    squares = np.random.default_rng(0).permutation(201).astype("float64")
    squares[squares == 200] = 1e9
    squares[squares == 0] = -0.0
    end = np.sqrt(squares)[:, None]
    found = perceptual_path_length(
        identity, identity, start=np.zeros((201, 1)), end=end, interpolate=lerp, epsilon=0.5, batch_size=1000
    )
    assert found == pytest.approx(np.mean(np.arange(2, 199)))
    # Of 150 values the percentiles lie between two: 1.49 falls to 1, 147.51 rises to 148.
    found = perceptual_path_length(
        identity, identity, start=np.zeros((150, 1)), end=np.sqrt(np.arange(150.0))[:, None] * 2, interpolate=lerp
    )
    assert found == pytest.approx(4 * np.mean(np.arange(1, 149)))


def test_a_constant_has_no_length_and_twice_the_generator_four_times():
    start, end = ends()
    options = {"start": start, "end": end, "interpolate": lerp}
    assert perceptual_path_length(np.ones_like, identity, **options) == 0.0
    one, two = (perceptual_path_length(lambda z: f * np.tanh(z @ MATRIX), identity, **options) for f in (1.0, 2.0))
    assert two == pytest.approx(4.0 * one, rel=1e-12)


def test_the_features_are_measured_not_the_images():
    start, end = ends()
    found = perceptual_path_length(
        lambda z: (z @ MATRIX).reshape(len(z), 2, 3, 1),
        lambda images: ops.convert_to_tensor(3.0 * images[:, 0, :, 0]),
        start=start,
        end=end,
        interpolate=lerp,
        epsilon=0.5,
    )
    expected = 9.0 * np.mean(np.sum(((end - start) @ MATRIX[:, :3]) ** 2, axis=1))
    assert found == pytest.approx(expected, rel=1e-5)  # a tensor of the backend may be float32


# Errors


@pytest.mark.parametrize(
    "start, end, message",
    [
        (np.zeros((0, 4)), np.zeros((0, 4)), "of one shape"),
        (np.zeros((2, 4)), np.zeros((3, 4)), "of one shape"),
        (np.zeros(4), np.zeros(4), "of one shape"),
        (np.zeros((2, 4)), np.full((2, 4), np.nan), "finite latents"),
    ],
)
def test_latents_that_do_not_fit_are_refused(start, end, message):
    with pytest.raises(DataError, match=message):
        perceptual_path_length(linear, identity, start=start, end=end)


@pytest.mark.parametrize(
    "options",
    [{"at": [0.0]}, {"at": np.full(40, 1.1)}, {"at": np.full(40, np.nan)}, {"epsilon": 0.0}, {"batch_size": 0}],
)
def test_numbers_out_of_range_are_errors(options):
    start, end = ends()
    with pytest.raises(ConfigurationError, match="Expected (at|epsilon)"):
        perceptual_path_length(linear, identity, start=start, end=end, **options)


def test_uint8_images_are_refused():
    start, end = ends()
    with pytest.raises(DataError, match="return floats"):
        perceptual_path_length(lambda z: z.astype("uint8"), identity, start=start, end=end)


@pytest.mark.parametrize(
    "features, message",
    [
        (lambda images: images[:, :, None], r"features \(40, numbers\)"),
        (lambda images: images[:1], r"features \(40, numbers\)"),
        (lambda images: images * np.nan, "finite features"),
    ],
)
def test_invalid_features_are_refused(features, message):
    start, end = ends()
    with pytest.raises(DataError, match=message):
        perceptual_path_length(linear, features, start=start, end=end)
