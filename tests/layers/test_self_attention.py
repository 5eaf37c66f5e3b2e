"""Self-attention: the published formula in NumPy, its start as the identity, and what it refuses."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.engine import value_and_grad
from keras_gans.errors import ConfigurationError
from keras_gans.layers import SelfAttention2D


def maps(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def array(tensor):
    return np.array(ops.convert_to_numpy(tensor), copy=True)


def built(shape, spectral=False, scale=0.7, seed=1):
    keras.utils.set_random_seed(seed)
    layer = SelfAttention2D(spectral_normalization=spectral)
    layer.build((None, *shape))
    layer.scale.assign(scale)
    return layer


def kernels(layer):
    """The matrices of the four convolutions (inputs, outputs), divided by their largest singular values if asked."""
    found = []
    for point in (layer.theta, layer.phi, layer.g, layer.o):
        kernel = array(point.layer.kernel if layer.spectral_normalization else point.kernel)[0, 0]
        top = np.linalg.svd(kernel, compute_uv=False)[0] if layer.spectral_normalization else 1.0
        found.append(kernel / top)
    return found


def by_hand(x, layer):
    """One example of even sides, place by place."""
    theta, phi, g, o = kernels(layer)
    height, width, _ = x.shape
    blocks = [x[i : i + 2, j : j + 2].reshape(4, -1) for i in range(0, height, 2) for j in range(0, width, 2)]
    keys, held = (np.stack([(block @ kernel).max(axis=0) for block in blocks]) for kernel in (phi, g))
    y, rows = np.empty_like(x), []
    for i in range(height):
        for j in range(width):
            match = keys @ (x[i, j] @ theta)
            weight = np.exp(match - match.max())
            rows.append(weight / weight.sum())
            y[i, j] = x[i, j] + array(layer.scale) * (rows[-1] @ held) @ o
    return y, np.stack(rows)


@pytest.mark.parametrize("shape", [(4, 6, 16), (2, 4, 8), (8, 4, 24)])
@pytest.mark.parametrize("spectral", [False, True])
def test_it_is_the_formula(shape, spectral):
    layer, x = built(shape, spectral), maps(3, *shape)
    if spectral:
        for _ in range(50):
            layer(x, training=True)
    expected = [by_hand(one, layer) for one in x]
    np.testing.assert_allclose(array(layer(x)), np.stack([y for y, _ in expected]), atol=2e-4)
    weights = array(layer.attention(x))
    np.testing.assert_allclose(weights, np.stack([rows for _, rows in expected]), atol=2e-4)
    assert weights.shape == (3, shape[0] * shape[1], shape[0] * shape[1] // 4)
    np.testing.assert_allclose(weights.sum(axis=-1), 1.0, atol=1e-5)


def test_it_begins_as_the_identity_and_learns_its_scale_first():
    layer, x = built((4, 4, 8), scale=0.0), maps(2, 4, 4, 8)
    np.testing.assert_array_equal(array(layer(x)), x)
    target = maps(2, 4, 4, 8, seed=3)
    _, slopes = value_and_grad(lambda: ops.sum(ops.multiply(layer(x), target)), layer.trainable_variables)
    moved = {v.path.split("/")[-1] if "scale" in v.path else v.path for v, s in zip(layer.trainable_variables, slopes)
             if np.abs(array(s)).max() > 0.0}  # fmt: skip
    assert moved == {"scale"}


def test_matches_are_not_divided_by_the_root_of_the_channels():
    """Two keys with matches 0 and m: the second gets the weight sigmoid(m), with m the plain inner product."""
    layer = built((2, 4, 32))
    theta, phi = np.zeros((2, 32, 4), "float32")
    theta[0], phi[0] = 0.5, 0.5  # the first channel, on all four
    layer.theta.kernel.assign(theta[None, None])
    layer.phi.kernel.assign(phi[None, None])
    x = np.zeros((1, 2, 4, 32), "float32")
    x[0, :, 2:, 0] = 2.0
    match = 4 * (2.0 * 0.5) ** 2
    weights = array(layer.attention(x))[0]
    np.testing.assert_allclose(weights[[2, 3, 6, 7], 1], 1.0 / (1.0 + np.exp(-match)), rtol=1e-5)
    np.testing.assert_allclose(weights[[0, 1, 4, 5]], 0.5, rtol=1e-5)  # whose queries are zero


def test_the_order_of_the_keys_does_not_matter():
    """Blocks of four places exchanged: each place finds the same, where it now stands."""
    layer, x = built((4, 4, 16)), maps(2, 4, 4, 16)
    moved = np.concatenate([x[:, 2:], x[:, :2]], axis=1)
    y = array(layer(x))
    np.testing.assert_allclose(array(layer(moved)), np.concatenate([y[:, 2:], y[:, :2]], axis=1), atol=1e-5)


def test_odd_sides_lose_no_place():
    """A map of 3x3 has four keys, and the last place is the only one of its key."""
    layer, x = built((3, 3, 8)), maps(1, 3, 3, 8)
    assert tuple(layer.attention(x).shape) == (1, 9, 4)
    changed = x.copy()
    changed[0, 2, 2] += 5.0
    assert np.abs(array(layer(changed)) - array(layer(x)))[0, 0, 0].max() > 1e-4


def test_only_training_moves_the_singular_vectors():
    layer, x = built((4, 4, 8), spectral=True), maps(2, 4, 4, 8)
    before = [array(v) for v in layer.non_trainable_variables]
    layer(x)
    assert all(np.array_equal(a, array(v)) for a, v in zip(before, layer.non_trainable_variables))
    layer(x, training=True)
    assert len(before) == 4
    assert not all(np.array_equal(a, array(v)) for a, v in zip(before, layer.non_trainable_variables))


@pytest.mark.parametrize("spectral", [False, True])
def test_it_survives_a_file(spectral, tmp_path):
    inputs = keras.Input((4, 4, 8))
    model = keras.Model(
        inputs, SelfAttention2D(spectral_normalization=spectral, kernel_initializer="orthogonal")(inputs)
    )
    model.layers[-1].scale.assign(0.5)
    model.save(tmp_path / "model.keras")
    loaded, x = keras.saving.load_model(tmp_path / "model.keras"), maps(2, 4, 4, 8)
    assert loaded.layers[-1].spectral_normalization == spectral
    assert isinstance(loaded.layers[-1].kernel_initializer, keras.initializers.Orthogonal)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("shape", [(None, 4, 4, 7), (None, 16, 8), (None, None, 4, 8), (None, 2, 2, 8)])
def test_maps_that_it_cannot_take_are_refused(shape):
    with pytest.raises(ConfigurationError, match="Expected maps.*8 channels or more: .*Received"):
        SelfAttention2D().build(shape)
