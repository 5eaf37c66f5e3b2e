"""Spectral normalization against NumPy's singular values and the closed form of its gradient."""

import keras
import numpy as np
import pytest
from contract import slow_on_jax
from keras import layers, ops

from keras_gans.engine import input_gradient, value_and_grad
from keras_gans.errors import ConfigurationError
from keras_gans.layers import SpectralNormalization


def numpy(tensor):
    return np.array(ops.convert_to_numpy(tensor), copy=True)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def as_matrix(kernel, layer):
    """(outputs, rest), written out: every weight of one output is in one row."""
    outputs_axis = kernel.ndim - (2 if "Transpose" in type(layer).__name__ else 1)
    return np.stack([np.take(kernel, i, axis=outputs_axis).ravel() for i in range(kernel.shape[outputs_axis])])


# The layer, the shape of its inputs and how many outputs it has: never as many as inputs, so that axes cannot be
# confused.
CASES = {
    "dense": (lambda: layers.Dense(5, activation="tanh"), (3, 4)),
    "conv1d": (lambda: layers.Conv1D(5, 3, padding="same"), (2, 6, 4)),
    "conv2d": (lambda: layers.Conv2D(5, 3, strides=2, padding="same", activation="relu"), (2, 6, 6, 4)),
    "conv3d": (lambda: layers.Conv3D(5, 2), (2, 3, 3, 3, 4)),
    "conv1d_transpose": (lambda: layers.Conv1DTranspose(5, 4, strides=2, padding="same"), (2, 4, 3)),
    "conv2d_transpose": (lambda: layers.Conv2DTranspose(5, 4, strides=2, padding="same"), (2, 4, 4, 3)),
    "conv3d_transpose": (lambda: layers.Conv3DTranspose(5, 2, strides=2), (2, 2, 2, 2, 3)),
    "embedding": (lambda: layers.Embedding(6, 4), (5,)),
}


def case(name, **options):
    make, shape = CASES[name]
    layer = SpectralNormalization(make(), **options)
    inputs = np.array([0, 2, 5, 2, 1]) if name == "embedding" else normal(*shape)
    layer.build(inputs.shape)
    for weight in layer.layer.weights:
        weight.assign(normal(*weight.shape, seed=1))
    return layer, inputs, layer.layer.weights[0]


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_those_of_the_divided_kernel(name):
    layer, inputs, kernel = case(name, power_iterations=100)
    outputs = numpy(layer(inputs, training=True))
    top = np.linalg.svd(as_matrix(numpy(kernel.value), layer.layer))[1][0]
    assert layer.u.shape[0] == as_matrix(numpy(kernel.value), layer.layer).shape[0]
    np.testing.assert_allclose(numpy(layer.sigma()), top, rtol=1e-4)
    plain = CASES[name][0]()
    plain.build(inputs.shape)
    plain.set_weights([numpy(kernel.value) / top, *[numpy(w.value) for w in layer.layer.weights[1:]]])
    np.testing.assert_allclose(outputs, numpy(plain(inputs)), rtol=1e-3, atol=1e-4)


def one_iteration(matrix, u):
    v = matrix.T @ u / np.linalg.norm(matrix.T @ u)
    u = matrix @ v / np.linalg.norm(matrix @ v)
    return u, v, float((u.T @ matrix @ v).item())


@pytest.mark.parametrize("name", ["dense", "conv2d", "conv2d_transpose", "embedding"])
def test_one_call_is_one_step_of_the_power_method_and_leaves_the_kernel_alone(name):
    layer, inputs, kernel = case(name)
    before = [numpy(w.value) for w in layer.trainable_variables]
    matrix, u = as_matrix(before[0], layer.layer).astype("float64"), numpy(layer.u.value)
    for _ in range(2):
        layer(inputs, training=True)
        u, _, _ = one_iteration(matrix, u)
        np.testing.assert_allclose(numpy(layer.u.value), u, atol=1e-5)
    for weight, was in zip(layer.trainable_variables, before):
        np.testing.assert_array_equal(numpy(weight.value), was)  # bit for bit
    state = numpy(layer.u.value)
    first, second = (numpy(layer(inputs, training=False)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(numpy(layer.u.value), state)
    np.testing.assert_allclose(numpy(layer.sigma()), np.linalg.norm(matrix.T @ u), rtol=1e-4)  # v from the stored u
    layer.u.assign(7.0 * layer.u)  # as before the first training pass, when u is noise of any length
    np.testing.assert_allclose(numpy(layer.sigma()), np.linalg.norm(matrix.T @ u), rtol=1e-4)


@pytest.mark.parametrize("name", ["dense", "conv2d", "conv2d_transpose", "embedding"])
def test_gradient_goes_through_the_kernel_and_through_sigma(name):
    """dL/dW = (G - <G, W / sigma> u v^T) / sigma, with G the gradient of the same layer for the kernel W / sigma."""
    layer, inputs, kernel = case(name)
    matrix = as_matrix(numpy(kernel.value), layer.layer).astype("float64")
    u, v, sigma = one_iteration(matrix, numpy(layer.u.value).astype("float64"))  # far from converged, so all terms show
    assert abs(sigma / np.linalg.svd(matrix)[1][0] - 1) > 0.005

    def loss(apply):
        return ops.sum(ops.cast(apply(inputs), "float32") ** 3)

    _, (slope,) = value_and_grad(lambda: loss(lambda x: layer(x, training=True)), [kernel])
    plain = CASES[name][0]()
    plain.build(inputs.shape)
    plain.set_weights([numpy(kernel.value) / sigma, *[numpy(w.value) for w in layer.layer.weights[1:]]])
    _, (direct,) = value_and_grad(lambda: loss(plain), [plain.weights[0]])
    slope, direct = (as_matrix(numpy(ops.convert_to_tensor(dense(g))), plain) for g in (slope, direct))
    expected = (direct - np.sum(direct * matrix / sigma) * u @ v.T) / sigma
    np.testing.assert_allclose(slope, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def dense(gradient):
    """TensorFlow's gradient of an embedding lists rows; here it is a matrix."""
    return ops.add(gradient, 0.0) if type(gradient).__name__ == "IndexedSlices" else gradient


def test_converged_gradient_is_orthogonal_to_the_kernel():
    """W / sigma(W) does not change with the length of W."""
    layer, inputs, kernel = case("conv2d", power_iterations=200)
    _, (slope,) = value_and_grad(lambda: ops.sum(layer(inputs, training=True) ** 2), [kernel])
    slope, weight = numpy(slope), numpy(kernel.value)
    assert abs(np.sum(slope * weight)) < 1e-4 * np.linalg.norm(slope) * np.linalg.norm(weight)


def test_a_longer_kernel_changes_nothing():
    layer, inputs, kernel = case("conv2d")
    outputs = numpy(layer(inputs))
    kernel.assign(kernel * 10.0)
    np.testing.assert_allclose(numpy(layer(inputs)), outputs, rtol=1e-4, atol=1e-5)


def test_real_images_generated_ones_and_a_penalty_in_one_loss():
    """Once u has converged, u v^T is the derivative of the singular value: finite differences give the gradient."""
    layer, real, kernel = case("dense", power_iterations=100)
    fake = normal(3, 4, seed=3)

    def loss():
        slopes = input_gradient(lambda x: layer(x, training=True), fake)
        penalty = ops.mean((ops.sqrt(ops.sum(slopes**2, axis=1)) - 1.0) ** 2)
        return ops.sum(layer(real, training=True) ** 2) + ops.sum(layer(fake, training=False)) + 10.0 * penalty

    _, (slope,) = value_and_grad(loss, [kernel])
    weight, direction, step = numpy(kernel.value), normal(4, 5, seed=4), 1e-2
    sides = []
    for sign in (1.0, -1.0):
        kernel.assign(weight + sign * step * direction)
        sides.append(float(numpy(ops.stop_gradient(loss()))))
    assert np.sum(numpy(slope) * direction) == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-2)


def test_two_passes_in_one_loss_add_their_gradients():
    (one, _, kernel), (other, _, twin) = case("dense"), case("dense")
    other.u.assign(one.u)
    real, fake = normal(3, 4, seed=2), normal(3, 4, seed=3)

    def loss(layer, x):
        return ops.sum(layer(x, training=True) ** 2)

    _, (together,) = value_and_grad(lambda: loss(one, real) + loss(one, fake), [kernel])
    _, (first,) = value_and_grad(lambda: loss(other, real), [twin])
    _, (second,) = value_and_grad(lambda: loss(other, fake), [twin])
    np.testing.assert_allclose(numpy(together), numpy(first) + numpy(second), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(numpy(one.u.value), numpy(other.u.value))


def test_a_kernel_of_zeros_is_not_divided():
    layer = SpectralNormalization(layers.Dense(2, kernel_initializer="zeros", bias_initializer="ones"))
    assert numpy(layer(normal(2, 3), training=True)).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    _, (slope,) = value_and_grad(
        lambda: ops.sum(layer(np.ones((1, 3), "float32"), training=True)), [layer.layer.kernel]
    )
    assert np.isfinite(numpy(slope)).all()


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    layer = SpectralNormalization(layers.Dense(4), power_iterations=50)
    keras.config.set_dtype_policy("float32")
    outputs = layer(normal(3, 6), training=True)
    assert ops.dtype(outputs) == "bfloat16"
    assert layer.u.dtype == layer.layer.kernel.dtype == "float32"


def test_mixed_precision_does_not_round_sigma():
    """A rounded sigma would scale every output. The reference is the same layer by itself, because some processors
    truncate products instead of rounding."""
    layer = SpectralNormalization(layers.Dense(40, dtype="mixed_bfloat16"), power_iterations=300)
    plain = layers.Dense(40, dtype="mixed_bfloat16")
    inputs = normal(50, 60)
    layer.build(inputs.shape)
    plain.build(inputs.shape)
    kernel = normal(60, 40, seed=1)
    sigma = 1.5 + 1 / 256  # halfway between two bfloat16 numbers
    kernel *= sigma / np.linalg.svd(kernel)[1][0]
    layer.layer.kernel.assign(kernel)
    plain.kernel.assign(kernel)
    expected = numpy(ops.cast(plain(inputs / sigma), "float32"))
    for training in (True, False):
        outputs = numpy(ops.cast(layer(inputs, training=training), "float32"))
        assert np.sum(outputs * expected) / np.sum(expected**2) == pytest.approx(1.0, abs=1e-3)


def network():
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            SpectralNormalization(layers.Conv2D(3, 3, activation="relu")),
            SpectralNormalization(layers.Conv2DTranspose(4, 3, strides=2)),
            layers.Flatten(),
            SpectralNormalization(layers.Dense(1), power_iterations=2),
        ]
    )


@pytest.mark.parametrize("policy", ["float32", pytest.param("mixed_bfloat16", marks=slow_on_jax)])
def test_compiled_training_is_eager_training_and_is_saved(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    x, y = normal(10, 6, 6, 2), normal(10, 1, seed=5)
    models = [network(), network()]
    models[1].set_weights(models[0].get_weights())
    for model, eager in zip(models, (False, True)):
        model.compile(keras.optimizers.SGD(0.05), "mse", run_eagerly=eager)
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)  # and a last batch of two
    for own, other in zip(models[0].get_weights(), models[1].get_weights()):
        np.testing.assert_allclose(own, other, atol=1e-5 if policy == "float32" else 0.02)
    assert len(models[0].non_trainable_weights) == 3 and len(models[0].trainable_weights) == 6
    models[0].save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for own, other in zip(models[0].get_weights(), loaded.get_weights()):
        np.testing.assert_array_equal(own, other)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), models[0].predict(x, verbose=0))
    assert loaded.layers[-1].power_iterations == 2


@pytest.mark.parametrize(
    "layer", [layers.BatchNormalization(), layers.SeparableConv2D(2, 3), layers.DepthwiseConv2D(3)]
)
def test_layers_without_one_linear_kernel_are_refused(layer):
    with pytest.raises(ConfigurationError, match="Expected a Dense.*Received: <"):
        SpectralNormalization(layer)


@pytest.mark.parametrize("count", [0, 1.5])
def test_invalid_power_iterations_are_refused(count):
    with pytest.raises(ConfigurationError, match=f"Received: {count}"):
        SpectralNormalization(layers.Dense(1), power_iterations=count)
