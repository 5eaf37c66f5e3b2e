"""The only place that knows how a backend makes gradients and random numbers.

Each backend's module defines the same names, and models use the backend only through them:

- `value_and_grad(loss_fn, variables, scale)`: a loss and its gradients for a list of variables;
- `forward(fn, variables)`: the output of `fn`, a tensor or a list of them, and a function that backpropagates a loss
  on it to the variables;
- `input_gradients(fn, inputs)`: the gradients for a list of inputs, themselves differentiable (for penalties, and for
  unrolled updates);
- `when(condition, fn, otherwise)`: the tensors of one of two functions;
- `apply_gradients(optimizer, gradients, variables, condition)`: one step of a Keras optimizer, always or if a condition
  is true;
- `fused_batch_norm(inputs, scale, offset, epsilon)`: batch normalization in one kernel, or None if there is none;
- `fused_adam(variable, momentum, velocity, gradient, ...)`: one update of Adam in one kernel, or None if there is none;
- `normal(shape, seed_generator)`: fresh noise inside a training step, this replica's share of the batch's noise;
- `seeded_normal(seeds, size)`: the same noise for the same seed, on every backend, compiled or not;
- `function(fn)`: `fn`, from a dict of arrays to a dict of arrays, compiled for inference;
- `substituted(pairs)`: a context in which variables have other values;
- `readable(x, y, options)`: the data and options of Keras's `fit`, in the form that its trainer reads fastest;
- `replica_count()`: how many devices share a batch;
- `shared_by(count)`: a context for creating a model that several devices train;
- `devices_of(model)`: how many devices train a model;
- `scope_of(model)`: a context for creating more variables of a model;
- `machine_of(model)`: this machine's number among those that train a model, and how many there are;
- `check_replicas(model, jit_compile, steps_per_execution)`: refuses what cannot be trained on several replicas;
- `accelerators()`: the names of the GPUs or TPUs that train, a list;
- `accelerators_multiply_bfloat16()`: whether the GPUs compute with bfloat16 themselves, or None without GPUs;
- `forget_kernels()`: frees what the backend keeps of operations, also of those on variables that are gone;
- `adapt(model)`: adapts a model to the backend's trainer, which may need more than `train_step(self, data)`.
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
when = _backend.when
apply_gradients = _backend.apply_gradients
fused_batch_norm = _backend.fused_batch_norm
fused_adam = _backend.fused_adam
normal = _backend.normal
seeded_normal = _backend.seeded_normal
function = _backend.function
substituted = _backend.substituted
readable = _backend.readable
replica_count = _backend.replica_count
shared_by = _backend.shared_by
devices_of = _backend.devices_of
scope_of = _backend.scope_of
machine_of = _backend.machine_of
check_replicas = _backend.check_replicas
accelerators = _backend.accelerators
accelerators_multiply_bfloat16 = _backend.accelerators_multiply_bfloat16
forget_kernels = _backend.forget_kernels
adapt = _backend.adapt


def writes_files(model=None):
    """Whether this process writes the model's files. Of several machines only the first does.

    Without a model, it is of one that is made in the present scope of `shared_by`.
    """
    return machine_of(model)[0] == 0


def input_gradient(fn, inputs):
    """The gradient of sum(fn(inputs)) for one input, itself differentiable."""
    return input_gradients(fn, [inputs])[0]
