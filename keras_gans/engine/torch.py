"""Gradients, noise and compilation on PyTorch."""

import contextlib

import keras
import torch

from keras_gans.errors import UnsupportedError
from keras_gans_core import philox


def value_and_grad(loss_fn, variables, scale=None):
    """`loss_fn()` and its gradients for `variables`; see `engine.tensorflow`."""
    return _loss_and_gradients(loss_fn, [variable.value for variable in variables], scale)


def forward(fn, variables):
    """`fn()`, with its forward pass kept; see `engine.tensorflow`."""
    with torch.enable_grad():
        outputs = fn()
    tensors = outputs if isinstance(outputs, list) else [outputs]

    def packed(tensors):
        return tensors if isinstance(outputs, list) else tensors[0]

    def backward(loss_fn, scale=None):
        leaves = [tensor.detach().requires_grad_(True) for tensor in tensors]
        loss, slopes = _loss_and_gradients(lambda: loss_fn(packed(leaves)), leaves, scale)
        slopes = [torch.zeros_like(leaf) if slope is None else slope for leaf, slope in zip(leaves, slopes)]
        return loss, _gradients(tensors, [variable.value for variable in variables], slopes)

    return packed([tensor.detach() for tensor in tensors]), backward


def input_gradients(fn, inputs):
    """The gradients of sum(fn(*inputs)) for each of a list of inputs; see `engine.tensorflow`."""
    with torch.enable_grad():
        inputs = [keras.ops.convert_to_tensor(x) for x in inputs]
        inputs = [x if x.requires_grad else x.detach().requires_grad_(True) for x in inputs]
        slopes = torch.autograd.grad(fn(*inputs).sum(), inputs, create_graph=True, materialize_grads=True)
    return list(slopes)


def _loss_and_gradients(loss_fn, tensors, scale):
    with torch.enable_grad():
        loss = loss_fn()
        objective = loss if scale is None else scale(loss)
    return loss.detach(), _gradients(objective, tensors)


def _gradients(outputs, tensors, slopes=None):
    return list(torch.autograd.grad(outputs, tensors, slopes, allow_unused=True))


def when(condition, fn, otherwise):
    """`fn()` or `otherwise()`; see `engine.tensorflow`."""
    return fn() if condition else otherwise()


def apply_gradients(optimizer, gradients, variables, condition=None):
    """One step of a Keras optimizer; see `engine.tensorflow`."""
    if condition is None or condition:
        optimizer.apply(gradients, variables)


fused_batch_norm = fused_adam = None  # Keras's own code runs


def readable(x, y=None, options=None):
    """The data and options of `fit` unchanged."""
    return x, y, options or {}


def replica_count():
    """How many replicas share a batch: Keras trains on one device at a time with PyTorch."""
    return 1


def shared_by(count):
    """A context for one device; more are refused, since Keras has no data parallelism for PyTorch."""
    if count == 1:
        return contextlib.nullcontext()
    raise UnsupportedError(
        f"Expected one device with PyTorch. Received: {count}. Set KERAS_BACKEND=tensorflow or jax to train on several."
    )


def scope_of(model):
    """A context for creating variables of a model. PyTorch needs none."""
    return contextlib.nullcontext()


def machine_of(model):
    """The number of this machine, from 0, and how many machines train the model: there is one."""
    return 0, 1


def devices_of(model):
    """How many devices train a model."""
    return 1


def check_replicas(model, jit_compile, steps_per_execution):
    """Checks nothing: there is one device."""


def normal(shape, seed_generator):
    """Standard normal noise inside a step."""
    return keras.random.normal(shape, seed=seed_generator)


def seeded_normal(seeds, size):
    """`size` standard normal numbers for each of `seeds`, int64 (N,): float32 (N, size), row i only from seed i."""
    return philox.normal_of(seeds, size)


def function(fn):
    """`fn`, from {name: tensor} to {name: tensor}, without gradients; it takes and returns arrays of any batch size."""

    def call(inputs):
        with torch.no_grad():
            outputs = fn({name: keras.ops.convert_to_tensor(array) for name, array in inputs.items()})
        return {name: keras.ops.convert_to_numpy(tensor) for name, tensor in outputs.items()}

    return call


def substituted(pairs):
    """A context in which the variable of each pair (variable, value) has that value."""
    return keras.StatelessScope(pairs)


def forget_kernels():
    """Does nothing: only TensorFlow keeps them; see `engine.tensorflow`."""


def adapt(model):
    """Does nothing: PyTorch's trainer calls `train_step(data)` directly."""


def accelerators():
    """The name of the GPU that trains, or none."""
    return [torch.cuda.get_device_name()] if torch.cuda.is_available() else []


def accelerators_multiply_bfloat16():
    """Whether the GPU computes with bfloat16 itself; None without GPUs."""
    return torch.cuda.get_device_capability() >= (8, 0) if torch.cuda.is_available() else None
