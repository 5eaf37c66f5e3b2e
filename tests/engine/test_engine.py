"""The engine's functions, with the same promises on every backend."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans import engine
from keras_gans_core import philox


def numpy(tensor):
    return np.array(ops.convert_to_numpy(tensor), copy=True)


def variable(*numbers):
    return keras.Variable(np.array(numbers, "float32"))


# Gradients


def test_value_and_grad_by_hand():
    """f = sum(a^2 b): df/da = 2 a b; b is a constant."""
    a, b = variable(1.0, 2.0), variable(3.0, -1.0)
    loss, (slope,) = engine.value_and_grad(lambda: ops.sum(a * a * b), [a])
    assert float(loss) == 3.0 - 4.0
    assert numpy(slope).tolist() == [6.0, -4.0]


def test_scale_multiplies_the_gradient_and_not_the_loss():
    a = variable(3.0)
    loss, (slope,) = engine.value_and_grad(lambda: ops.sum(a * a), [a], lambda loss: 8.0 * loss)
    assert float(loss) == 9.0 and numpy(slope).tolist() == [48.0]


def test_value_and_grad_keeps_what_the_loss_assigns():
    """Moving statistics and seeds advance inside the loss, once."""
    norm, drop = keras.layers.BatchNormalization(momentum=0.0), keras.layers.Dropout(0.5, seed=1)
    x = np.random.default_rng(0).normal(3.0, 1.0, (16, 2)).astype("float32")
    norm(x)
    before = numpy(drop.seed_generator.state.value)
    engine.value_and_grad(lambda: ops.sum(drop(norm(x, training=True), training=True)), norm.trainable_variables)
    np.testing.assert_allclose(numpy(norm.moving_mean.value), x.mean(axis=0), rtol=1e-5)
    assert (numpy(drop.seed_generator.state.value) - before).tolist() == [0, 1]


def network():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    )
    return model, np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


@pytest.mark.parametrize("scale", [None, lambda loss: 4.0 * loss])
def test_forward_and_back_equals_the_direct_gradient(scale):
    def loss_of(outputs):
        return ops.sum(ops.square(outputs) + ops.sin(outputs))

    model, x = network()
    direct, slopes = engine.value_and_grad(lambda: loss_of(model(x, training=True)), model.trainable_variables, scale)
    statistics = [numpy(v.value) for v in model.non_trainable_variables]
    model, x = network()
    outputs, backward = engine.forward(lambda: model(x, training=True), model.trainable_variables)
    loss, backed = backward(loss_of, scale)
    assert float(loss) == pytest.approx(float(direct), rel=1e-6)
    assert len(backed) == len(slopes) == 6
    for one, other in zip(slopes, backed):
        np.testing.assert_allclose(numpy(one), numpy(other), rtol=1e-4, atol=1e-5)
    for before, after in zip(statistics, model.non_trainable_variables):
        np.testing.assert_array_equal(before, numpy(after.value))
    np.testing.assert_allclose(float(loss_of(outputs)), float(loss), rtol=1e-6)


def test_backward_reads_the_other_player_as_it_is_then():
    """The generator's loss is scored by the discriminator after its update, on images from before it."""
    generator, discriminator = variable(2.0), variable(5.0)
    image, backward = engine.forward(lambda: 3.0 * generator, [generator])
    discriminator.assign([7.0])
    loss, (slope,) = backward(lambda images: ops.sum(discriminator * images))
    assert float(loss) == 42.0 and numpy(slope).tolist() == [21.0]  # 7 * 6, d/dg 7 * 3 g


def test_forward_of_several_outputs():
    """a and a b, kept: the loss 3 a + (a b)^2 has the slopes 3 + 2 a b^2 and 2 a^2 b; a loss of the second output alone
    has 2 a b^2 and 2 a^2 b, and one of the first alone 3 and nothing."""
    a, b = variable(2.0), variable(5.0)

    def slopes(loss_of):
        outputs, backward = engine.forward(lambda: [1.0 * a, a * b], [a, b])
        assert [numpy(output).tolist() for output in outputs] == [[2.0], [10.0]]
        return [0.0 if slope is None else float(numpy(slope)[0]) for slope in backward(loss_of)[1]]

    assert slopes(lambda made: ops.sum(3.0 * made[0] + ops.square(made[1]))) == [103.0, 40.0]
    assert slopes(lambda made: ops.sum(ops.square(made[1]))) == [100.0, 40.0]
    assert slopes(lambda made: ops.sum(3.0 * made[0])) == [3.0, 0.0]


def test_input_gradients_by_hand():
    """f = sum(a^2 b) with a third input that it ignores."""
    a, b, c = (np.array(x, "float32") for x in ([1.0, 2.0], [3.0, -1.0], [[7.0]]))
    slopes = engine.input_gradients(lambda a, b, c: a * a * b, [a, b, c])
    assert [numpy(slope).tolist() for slope in slopes] == [[6.0, -4.0], [1.0, 4.0], [[0.0]]]


def test_a_gradient_step_on_inputs_differentiates_again():
    """Two unrolled steps of descent on w^2 x^3 / 2 from w, as a loss of x: w_(k+1) = w_k (1 - h x^3)."""
    x, w, rate = variable(0.5), np.array([3.0], "float32"), 0.4

    def loss():
        weights = [ops.convert_to_tensor(w)]
        for _ in range(2):
            slopes = engine.input_gradients(lambda w: ops.square(w) * x * x * x / 2.0, weights)
            weights = [weight - rate * slope for weight, slope in zip(weights, slopes)]
        return ops.sum(weights[0])

    value, (slope,) = engine.value_and_grad(loss, [x])
    assert float(value) == pytest.approx(3.0 * (1 - 0.4 * 0.125) ** 2, rel=1e-6)
    assert numpy(slope)[0] == pytest.approx(3.0 * 2 * (1 - 0.4 * 0.125) * (-0.4 * 3 * 0.25), rel=1e-6)


def test_input_gradient_of_a_quadratic_critic():
    """D(x) = x^T A x / 2 + b x with a symmetric A has the gradient A x + b."""
    matrix, offset = np.array([[2.0, 1.0], [1.0, 3.0]], "float32"), np.array([0.5, -1.0], "float32")
    x = np.array([[1.0, 2.0], [0.0, -1.0], [4.0, 0.0]], "float32")

    def critic(x):
        return ops.sum(ops.multiply(x, ops.matmul(x, matrix)) / 2.0 + ops.multiply(x, offset), axis=1)

    np.testing.assert_allclose(numpy(engine.input_gradient(critic, x)), x @ matrix + offset, rtol=1e-6)


def test_a_penalty_on_the_input_gradient_differentiates_again():
    """D(x) = a x^2 / 2: the penalty E[(a x)^2] has the slope 2 a E[x^2]; with it a gradient step can be made."""
    a, x = variable(3.0), np.array([[1.0], [2.0], [-3.0]], "float32")

    def penalty():
        return ops.mean(ops.square(engine.input_gradient(lambda x: a * ops.square(x) / 2.0, x)))

    value, (slope,) = engine.value_and_grad(penalty, [a])
    mean_square = (1 + 4 + 9) / 3
    assert float(value) == pytest.approx(9 * mean_square, rel=1e-6)
    assert numpy(slope)[0] == pytest.approx(2 * 3 * mean_square, rel=1e-6)


def test_a_penalty_trains_inside_a_compiled_step():
    """The second derivative under the backend's own compilation: SGD on (|grad D| - 1)^2 makes the slope one."""

    class Penalised(keras.Model):
        def __init__(self):
            super().__init__()
            self.critic = keras.layers.Dense(1, use_bias=False)
            self.critic.build((None, 2))
            self.built = True
            engine.adapt(self)

        @property
        def metrics(self):
            return []

        def train_step(self, data):
            x = data[0] if isinstance(data, tuple) else data

            def penalty():
                slopes = engine.input_gradient(self.critic, x)
                return ops.mean(ops.square(ops.sqrt(ops.sum(ops.square(slopes), axis=1)) - 1.0))

            loss, slopes = engine.value_and_grad(penalty, self.critic.trainable_variables)
            self.optimizer.apply(slopes, self.critic.trainable_variables)
            return {"penalty": loss}

    model = Penalised()
    model.compile(optimizer=keras.optimizers.SGD(0.25))
    model.optimizer.build(model.trainable_variables)
    model.fit(np.ones((64, 2), "float32"), batch_size=4, verbose=0)
    assert np.linalg.norm(numpy(model.critic.kernel.value)) == pytest.approx(1.0, abs=1e-3)


def test_a_loss_scale_grows_with_finite_gradients_and_halves_without():
    """By hand, compiled: two steps at rate 1/4 on w x (gradient x), the scale doubled after two; inf moves nothing."""

    class Linear(keras.Model):
        def __init__(self):
            super().__init__()
            self.w = self.add_weight(shape=(), initializer="zeros")
            self.built = True
            engine.adapt(self)

        @property
        def metrics(self):
            return []

        def train_step(self, data):
            x = ops.mean(data[0] if isinstance(data, tuple) else data)
            loss, slopes = engine.value_and_grad(lambda: self.w * x, [self.w], self.optimizer.scale_loss)
            engine.apply_gradients(self.optimizer, slopes, [self.w])
            return {"loss": loss}

    model, sgd = Linear(), keras.optimizers.SGD(0.25)
    model.compile(optimizer=keras.optimizers.LossScaleOptimizer(sgd, initial_scale=8.0, dynamic_growth_steps=2))
    model.optimizer.build([model.w])
    found = []
    for x in (1.0, 1.0, np.inf, 1.0):
        model.fit(np.full((1, 1), x, "float32"), verbose=0)
        found.append([float(v) for v in (numpy(model.w.value), numpy(model.optimizer.dynamic_scale.value))])
    assert found == [[-0.25, 8.0], [-0.5, 16.0], [-0.5, 8.0], [-0.75, 8.0]]
    assert int(sgd.iterations) == 3


# Noise


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 100])
def test_seeded_normal_is_philox(size):
    seeds = [0, 1, 12345, 2**40, -1, 2**63 - 1, -(2**63)]
    noise = np.asarray(engine.seeded_normal(seeds, size))
    assert noise.shape == (len(seeds), size) and noise.dtype == np.float32
    expected = np.stack([philox.normal(size, seed) for seed in seeds])
    np.testing.assert_allclose(noise, expected, rtol=0, atol=2e-6)


def test_a_row_of_seeded_normal_depends_on_its_seed_alone():
    seeds = [5, 6, 7, 5]
    noise = np.asarray(engine.seeded_normal(seeds, 9))
    np.testing.assert_array_equal(noise[0], noise[3])
    for row, seed in zip(noise, seeds):
        np.testing.assert_array_equal(row, np.asarray(engine.seeded_normal([seed], 9))[0])


def test_noise_in_a_step_is_standard_normal_and_fresh():
    seeds = keras.random.SeedGenerator(3)
    first, second = (numpy(engine.normal((4000, 5), seeds)).astype("float64") for _ in range(2))
    n = first.size
    assert first.shape == (4000, 5)
    assert abs(first.mean()) < 4 / np.sqrt(n) and abs(first.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs((first**4).mean() - 3) < 4 * np.sqrt(96 / n)
    assert abs((first * second).mean()) < 4 / np.sqrt(n)
    np.testing.assert_array_equal(numpy(engine.normal((4000, 5), keras.random.SeedGenerator(3))), first)
    # Every number is drawn: no column repeats another.
    assert abs(np.corrcoef(first.T)[~np.eye(5, dtype=bool)]).max() < 5 / np.sqrt(4000)


# Compilation


def test_function_follows_its_variables_for_any_batch():
    weight = variable(2.0)
    compiled = engine.function(lambda inputs: {"product": weight * inputs["x"]})

    def product(array):
        return compiled({"x": np.asarray(array, "float32")})["product"]

    assert product([[1.0, 2.0]]).tolist() == [[2.0, 4.0]]
    weight.assign([3.0])
    assert product(np.ones((3, 2))).tolist() == [[3.0, 3.0]] * 3
    assert product(np.ones((2, 5))).shape == (2, 5)
    assert isinstance(product(np.ones((1, 1))), np.ndarray)


def test_function_takes_any_inputs_by_name_and_type():
    weight = variable(2.0)

    def outputs(inputs):
        made = {"double": weight * inputs["x"]}
        if "whole" in inputs:
            made["next"] = inputs["whole"] + 1
        return made

    compiled = engine.function(outputs)
    x, whole = np.ones((2, 1), "float32"), np.array([4, 5], "int32")
    assert list(compiled({"x": x})) == ["double"]
    both = compiled({"x": x, "whole": whole})
    assert both["next"].tolist() == [5, 6] and both["next"].dtype == "int32"


def test_values_stand_in_the_place_of_variables():
    weight, average = variable(2.0), variable(5.0)

    def outputs(inputs):
        with engine.substituted([(weight, average)]):
            return {"product": weight * inputs["x"]}

    compiled, ones = engine.function(outputs), {"x": np.ones((2, 1), "float32")}
    assert compiled(ones)["product"].tolist() == [[5.0], [5.0]]
    average.assign([6.0])
    weight.assign([3.0])
    assert compiled(ones)["product"].tolist() == [[6.0], [6.0]]
    assert ops.convert_to_numpy(weight.value).tolist() == [3.0]


def test_one_device_is_one_replica():
    assert engine.replica_count() == 1


def test_one_of_two_functions_runs_with_what_it_assigns():
    weight, count, step = variable(3.0), variable(0.0), variable(0.0)

    def fn():
        count.assign(count + 1.0)
        loss, (slope,) = engine.value_and_grad(lambda: ops.sum(weight * weight), [weight])
        return [loss, slope]

    def otherwise():
        step.assign(step - 1.0)
        return [ops.zeros(()), ops.zeros((1,))]

    found = [engine.when(ops.convert_to_tensor(chosen), fn, otherwise) for chosen in (True, False, True)]
    assert [(float(loss), numpy(slope).tolist()) for loss, slope in found] == [(9.0, [6.0]), (0.0, [0.0]), (9.0, [6.0])]
    assert [numpy(v.value).tolist() for v in (count, step, weight)] == [[2.0], [-1.0], [3.0]]


@pytest.mark.parametrize("scaled", [False, True])
def test_an_update_under_a_condition_is_the_update_or_none(scaled):
    def optimizer(weight):
        made = keras.optimizers.Adam(0.1)
        made = keras.optimizers.LossScaleOptimizer(made, initial_scale=1.0) if scaled else made
        made.build([weight])
        return made

    always, sometimes = variable(1.0, 2.0), variable(1.0, 2.0)
    first, second = optimizer(always), optimizer(sometimes)
    for chosen in (True, False, True):
        gradients = [ops.convert_to_tensor(np.array([0.5, -2.0], "float32"))]
        if chosen:
            engine.apply_gradients(first, gradients, [always])
        engine.apply_gradients(second, gradients, [sometimes], ops.convert_to_tensor(chosen))
    np.testing.assert_array_equal(numpy(always), numpy(sometimes))
    for one, other in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(numpy(one), numpy(other))
