"""Gradients, noise and compilation on JAX.

JAX differentiates pure functions, so every variable that a loss touches is threaded through a `StatelessScope`: a child
scope inside the differentiated function records what is assigned (moving averages, seeds), and the updates are assigned
again outside.
"""

import contextlib
import functools

import jax
import keras
import numpy as np

from keras_gans.errors import ConfigurationError
from keras_gans_core import philox


class _Scope(keras.StatelessScope):
    """A stateless scope that starts from the scope around it and remembers what it reads and updates."""

    def __init__(self, state_mapping=()):
        super().__init__()
        self.own = {id(variable): value for variable, value in state_mapping}
        self.read, self.updates = {}, {}

    def __enter__(self):
        entered = super().__enter__()
        if self.original_scope is not None:
            self.state_mapping.update(self.original_scope.state_mapping)
        self.state_mapping.update(self.own)
        return entered

    def get_current_value(self, variable):
        if id(variable) not in self.own:
            self.read[id(variable)] = variable
            if isinstance(self.original_scope, _Scope):
                self.original_scope.get_current_value(variable)  # it remembers the variable too
        return super().get_current_value(variable)

    def add_update(self, update):
        super().add_update(update)
        self.updates[id(update[0])] = update

    def current_values(self, variables):
        return [self.state_mapping.get(id(variable)) for variable in variables]


def _pure(fn, assigned):
    """`fn` as a pure function of (variables' values, arguments) that returns (outputs, values of what it assigned).

    The variables that it assigned are put into the list `assigned` while it is traced.
    """

    def pure(variables, values, *inputs):
        with _Scope(zip(variables, values)) as scope:
            outputs = fn(*inputs)
        assigned[:] = [variable for variable, _ in scope.updates.values()]
        return outputs, [value for _, value in scope.updates.values()]

    return pure


def _assign(variables, values):
    for variable, value in zip(variables, values):
        variable.assign(value)


def _loss_and_gradients(loss_fn, scale, variables, values, *inputs):
    """The loss and its gradients with respect to the variables' values or, if there are inputs, to the first input."""
    assigned = []

    def differentiated(values, *inputs):
        def scaled_loss(*inputs):
            loss = loss_fn(*inputs)
            return (loss if scale is None else scale(loss)), loss

        (scaled, loss), updates = _pure(scaled_loss, assigned)(variables, values, *inputs)
        return scaled, (loss, updates)

    gradient = jax.value_and_grad(differentiated, argnums=1 if inputs else 0, has_aux=True)
    (_, (loss, updates)), slopes = gradient(values, *inputs)
    _assign(assigned, updates)
    return loss, slopes


def value_and_grad(loss_fn, variables, scale=None):
    """`loss_fn()` and its gradients for `variables`; see `engine.tensorflow`."""
    return _loss_and_gradients(loss_fn, scale, variables, [variable.value for variable in variables])


def forward(fn, variables):
    """`fn()`, with its forward pass kept; see `engine.tensorflow`."""
    assigned = []
    pure = functools.partial(_pure(fn, assigned), variables)
    outputs, pullback, updates = jax.vjp(pure, [variable.value for variable in variables], has_aux=True)
    _assign(assigned, updates)

    def backward(loss_fn, scale=None):
        loss, slopes = _loss_and_gradients(loss_fn, scale, [], [], outputs)
        return loss, pullback(slopes)[0]

    return outputs, backward


def input_gradients(fn, inputs):
    """The gradients of sum(fn(*inputs)) for each of a list of inputs; see `engine.tensorflow`."""
    inputs = [keras.ops.convert_to_tensor(x) for x in inputs]
    return _loss_and_gradients(lambda inputs: fn(*inputs).sum(), None, [], [], inputs)[1]


def when(condition, fn, otherwise):
    """`fn()` or `otherwise()`; see `engine.tensorflow`."""
    assigned = []

    def read(variables):
        return [keras.ops.convert_to_tensor(variable) for variable in variables]

    def branch(fn):
        def run(variables, values):
            with _Scope() as scope:
                outputs = fn()
                new = {id(variable): value for variable, value in scope.updates.values()}
            assigned.extend(variable for variable, _ in scope.updates.values())
            return outputs, [new.get(id(variable), value) for variable, value in zip(variables, values)]

        return run

    for one in (fn, otherwise):  # which variables do they assign?
        jax.eval_shape(lambda one=one: branch(one)([], [])[0])
    variables = list({id(variable): variable for variable in assigned}.values())
    values = read(variables)
    outputs, values = jax.lax.cond(
        condition, lambda: branch(fn)(variables, values), lambda: branch(otherwise)(variables, values)
    )
    _assign(variables, values)
    return outputs


def apply_gradients(optimizer, gradients, variables, condition=None):
    """One step of a Keras optimizer; see `engine.tensorflow`."""
    if condition is not None:

        def step():
            apply_gradients(optimizer, gradients, variables)
            return []

        when(condition, step, list)
        return
    if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer.apply(gradients, variables)
        return
    # Its `apply` assigns inside the branches of a `cond`, and JAX does not let these values out.
    state = optimizer.variables
    weights, state_after = optimizer.stateless_apply(
        [variable.value for variable in state], gradients, [variable.value for variable in variables]
    )
    _assign([*variables, *state], [*weights, *state_after])


fused_batch_norm = fused_adam = None  # XLA fuses Keras's own code


def readable(x, y=None, options=None):
    """The data and options of `fit` unchanged."""
    return x, y, options or {}


def replica_count():
    """How many replicas share a batch: JAX shards one program, so its losses are already those of the whole batch."""
    return 1


def shared_by(count):
    """A context for creating a model; from now on `count` devices share all batches. See `engine.tensorflow`."""
    devices = jax.devices()
    if len(devices) < count:
        raise ConfigurationError(
            f"Expected {count} devices. Received: {len(devices)}. To divide a CPU, set the environment variable "
            f"XLA_FLAGS=--xla_force_host_platform_device_count={count}."
        )
    sharing = None if count == 1 else keras.distribution.DataParallel(devices=devices[:count])
    keras.distribution.set_distribution(sharing)
    return contextlib.nullcontext()


def scope_of(model):
    """A context for creating variables of a model. JAX needs none."""
    return contextlib.nullcontext()


def machine_of(model):
    """The number of this machine, from 0, and how many machines train the model: there is one."""
    return 0, 1


def devices_of(model):
    """How many devices train a model."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else distribution.device_mesh.devices.size


def check_replicas(model, jit_compile, steps_per_execution):
    """Checks nothing: one program runs on all devices."""


def normal(shape, seed_generator):
    """Standard normal noise inside a step."""
    return keras.random.normal(shape, seed=seed_generator)


def seeded_normal(seeds, size):
    """`size` standard normal numbers for each of `seeds`, int64 (N,): float32 (N, size), row i only from seed i."""
    return philox.normal_of(seeds, size)


def function(fn):
    """`fn`, from {name: tensor} to {name: tensor}, compiled for each shape; it takes and returns arrays.

    A trace finds the variables that it reads. Each call passes their current values.
    """
    traces = {}

    def call(inputs):
        arrays = {name: np.asarray(array) for name, array in inputs.items()}
        key = tuple((name, array.dtype.name, array.shape) for name, array in arrays.items())
        if key not in traces:
            with _Scope() as scope:
                jax.eval_shape(fn, arrays)
            traces[key] = _compiled(fn, list(scope.read.values()))
        pure, variables = traces[key]
        outputs = pure([variable.value for variable in variables], arrays)
        return {name: np.asarray(tensor) for name, tensor in outputs.items()}

    return call


def _compiled(fn, variables):
    @jax.jit
    def pure(values, inputs):
        with _Scope(zip(variables, values)):
            return fn(inputs)

    return pure, variables


def substituted(pairs):
    """A context in which the variable of each pair (variable, value) has that value."""
    return _Scope((variable, keras.ops.convert_to_tensor(value)) for variable, value in pairs)


def forget_kernels():
    """Does nothing: only TensorFlow keeps them; see `engine.tensorflow`."""


def adapt(model):
    """JAX's trainer calls `train_step(state, data)`: this wraps the stateful steps of this one instance."""
    model.train_step = _stateless(
        model,
        type(model).train_step,
        ("trainable_variables", "non_trainable_variables", "optimizer", "metrics_variables"),
    )
    model.test_step = _stateless(
        model, type(model).test_step, ("trainable_variables", "non_trainable_variables", "metrics_variables")
    )


def _stateless(model, step, groups):
    @functools.wraps(step)
    def stateless(state, data):
        variables = [model.optimizer.variables if g == "optimizer" else getattr(model, g) for g in groups]
        mapping = [pair for refs, values in zip(variables, state) for pair in zip(refs, values)]
        with _Scope(mapping) as scope:
            logs = step(model, data)
        return logs, tuple(scope.current_values(refs) for refs in variables)

    return stateless


def _accelerators():
    return [device for device in jax.devices() if device.platform != "cpu"]


def accelerators():
    """The names of the accelerators."""
    return [device.device_kind for device in _accelerators()]


def accelerators_multiply_bfloat16():
    """Whether all accelerators compute with bfloat16 themselves; None without accelerators."""
    devices = _accelerators()
    capability = [float(getattr(device, "compute_capability", 8.0)) for device in devices]  # TPUs have none
    return all(number >= 8.0 for number in capability) if devices else None
