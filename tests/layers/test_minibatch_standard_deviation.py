"""The minibatch standard deviation against its definition, group by group."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.engine import value_and_grad
from keras_gans.errors import ConfigurationError
from keras_gans.layers import MinibatchStandardDeviation


def numpy(tensor):
    return np.array(ops.convert_to_numpy(tensor), copy=True)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def by_hand(images, group_size):
    images = images.astype("float64")
    extra = np.zeros((*images.shape[:-1], 1))
    groups = -(-len(images) // group_size)
    for group in range(groups):
        own = list(range(group, len(images), groups))
        extra[own] = np.mean(np.sqrt(np.var(images[own], axis=0) + 1e-8))
    return np.concatenate([images, extra], axis=-1)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 6, 7, 8, 12])
def test_it_is_the_definition_in_every_batch(count):
    images = normal(count, 3, 2, 5) + 1.0
    outputs = numpy(MinibatchStandardDeviation(4)(images))
    np.testing.assert_allclose(outputs, by_hand(images, 4), rtol=1e-5)
    np.testing.assert_array_equal(outputs[..., :5], images)


def test_it_is_the_authors_reshape_where_the_batch_divides():
    images = normal(8, 3, 2, 5)
    groups = images.reshape(4, 2, 3, 2, 5)
    statistic = np.sqrt(np.mean((groups - groups.mean(axis=0)) ** 2, axis=0) + 1e-8).mean(axis=(1, 2, 3))
    expected = np.tile(statistic, 4)[:, None, None] * np.ones((8, 3, 2))
    np.testing.assert_allclose(numpy(MinibatchStandardDeviation(4)(images))[..., 5], expected, rtol=1e-5)


def test_groups_do_not_touch_each_other():
    images = normal(8, 2, 2, 1)
    before = numpy(MinibatchStandardDeviation(4)(images))
    images[1] += normal(2, 2, 1, seed=1)
    after = numpy(MinibatchStandardDeviation(4)(images))
    np.testing.assert_array_equal(after[0::2, ..., 1], before[0::2, ..., 1])
    assert (after[1::2, ..., 1] != before[1::2, ..., 1]).all()
    swapped = numpy(MinibatchStandardDeviation(4)(images[[2, 1, 0, 3, 4, 5, 6, 7]]))
    np.testing.assert_allclose(swapped[..., 1], after[..., 1], rtol=1e-6)


def test_equal_images_have_no_deviation_and_a_finite_gradient():
    images = keras.Variable(np.full((4, 2, 2, 3), 0.7, "float32"))
    layer = MinibatchStandardDeviation()
    np.testing.assert_allclose(numpy(layer(images))[..., 3], 1e-4, rtol=1e-3)
    _, (slope,) = value_and_grad(lambda: ops.sum(layer(ops.convert_to_tensor(images)) ** 2), [images])
    assert np.isfinite(numpy(slope)).all()


def test_gradient_reaches_every_image_of_an_uneven_batch():
    images = keras.Variable(normal(5, 2, 2, 3))
    layer, direction = MinibatchStandardDeviation(), normal(5, 2, 2, 3, seed=1)
    _, (slope,) = value_and_grad(lambda: ops.sum(layer(ops.convert_to_tensor(images))[..., 3]), [images])
    start = numpy(images.value).astype("float64")
    sides = [by_hand(start + step * direction, 4)[..., 3].sum() for step in (1e-6, -1e-6)]
    assert np.sum(numpy(slope) * direction) == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-3)
    assert (numpy(slope) != 0).any(axis=(1, 2, 3)).all()


def test_mixed_precision_computes_in_float32():
    images = 100.0 + normal(8, 4, 4, 3)  # pure bfloat16 would lose the deviations
    outputs = MinibatchStandardDeviation(dtype="mixed_bfloat16")(images)
    assert ops.dtype(outputs) == "bfloat16"
    rounded = numpy(ops.cast(ops.cast(images, "bfloat16"), "float32"))
    np.testing.assert_allclose(numpy(ops.cast(outputs, "float32")), by_hand(rounded, 4), rtol=0.01)


def test_compiled_training_is_eager_training_and_is_saved(tmp_path):
    def network():
        layers = [MinibatchStandardDeviation(3), keras.layers.Flatten(), keras.layers.Dense(1)]
        return keras.Sequential([keras.Input((2, 2, 1)), *layers])

    x, y = normal(10, 2, 2, 1), normal(10, 1, seed=5)
    models = [network(), network()]
    models[1].set_weights(models[0].get_weights())
    for model, eager in zip(models, (False, True)):
        model.compile(keras.optimizers.SGD(0.05), "mse", run_eagerly=eager)
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)  # batches of 4, 4 and 2 in groups of three
    for own, other in zip(models[0].get_weights(), models[1].get_weights()):
        np.testing.assert_allclose(own, other, atol=1e-6)
    models[0].save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].group_size == 3
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), models[0].predict(x, verbose=0))


def test_shapes_and_errors():
    layer = MinibatchStandardDeviation()
    assert layer(keras.Input((4, 4, 6))).shape == (None, 4, 4, 7) == layer.compute_output_shape((None, 4, 4, 6))
    with pytest.raises(ConfigurationError, match="group_size of 1 or more. Received: 0"):
        MinibatchStandardDeviation(0)
