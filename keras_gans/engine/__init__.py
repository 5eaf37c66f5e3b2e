"""The only place that knows how a backend makes gradients and random numbers.

Each backend's module defines the same names, and nothing else of the package names a backend's library:

- `value_and_grad(loss_fn, variables, scale)`: a loss and its gradients for a list of variables;
- `forward(fn, variables)`: the output of `fn`, a tensor or a list of them, and a function that takes a loss of it back
  to the variables;
- `input_gradients(fn, inputs)`: the gradients for a list of inputs, themselves differentiable (for penalties, and for
  unrolled updates);
- `apply_gradients(optimizer, gradients, variables)`: one step of a Keras optimizer;
- `fused_batch_norm(inputs, scale, offset, epsilon)`: batch normalization in one kernel, or None where there is none;
- `fused_adam(variable, momentum, velocity, gradient, ...)`: an update of Adam in one kernel, or None likewise;
- `normal(shape, seed_generator)`: fresh noise inside a training step, this replica's share of the batch's;
- `seeded_normal(seeds, size)`: the same noise for the same seed, on every backend, compiled or not;
- `function(fn, variables)`: `fn` compiled for inference;
- `replica_count()`: how many devices share a batch;
- `shared_by(count)`: a context in which a model is made that several devices train;
- `devices_of(model)`: how many train a model;
- `scope_of(model)`: a context for making more variables of one;
- `machine_of(model)`: which of how many machines that train a model this is;
- `check_replicas(model, jit_compile, steps_per_execution)`: refuses what cannot be trained so;
- `adapt(model)`: what the backend's trainer asks of a model beside `train_step(self, data)`.
"""

import keras

from keras_gans.errors import UnsupportedError

if keras.backend.backend() == "tensorflow":
    from keras_gans.engine import tensorflow as _backend
elif keras.backend.backend() == "jax":
    from keras_gans.engine import jax as _backend
elif keras.backend.backend() == "torch":
    from keras_gans.engine import torch as _backend
else:
    raise UnsupportedError(
        "keras_gans trains on the Keras backends 'tensorflow', 'jax' and 'torch'. "
        f"Received: KERAS_BACKEND={keras.backend.backend()!r}. Set KERAS_BACKEND to one of the three before importing."
    )

value_and_grad = _backend.value_and_grad
forward = _backend.forward
input_gradients = _backend.input_gradients
apply_gradients = _backend.apply_gradients
fused_batch_norm = _backend.fused_batch_norm
fused_adam = _backend.fused_adam
normal = _backend.normal
seeded_normal = _backend.seeded_normal
function = _backend.function
replica_count = _backend.replica_count
shared_by = _backend.shared_by
devices_of = _backend.devices_of
scope_of = _backend.scope_of
machine_of = _backend.machine_of
check_replicas = _backend.check_replicas
adapt = _backend.adapt


def writes_files(model):
    """Whether this process writes the model's files: of several machines the first does."""
    return machine_of(model)[0] == 0


def input_gradient(fn, inputs):
    """The gradient of sum(fn(inputs)) for one input, itself differentiable."""
    return input_gradients(fn, [inputs])[0]
