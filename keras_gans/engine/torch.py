"""Gradients, noise and compilation on PyTorch."""

import contextlib

import keras
import numpy as np
import torch

from keras_gans.engine import philox
from keras_gans.errors import UnsupportedError


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


def apply_gradients(optimizer, gradients, variables):
    """One step of a Keras optimizer; see `engine.tensorflow`."""
    optimizer.apply(gradients, variables)


fused_batch_norm = fused_adam = None  # Keras's own run


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
    """A context in which variables are made that belong to a model: any."""
    return contextlib.nullcontext()


def machine_of(model):
    """Which of the machines that train the model this is, counted from 0, and of how many: there is one."""
    return 0, 1


def devices_of(model):
    """How many devices train a model."""
    return 1


def check_replicas(model, jit_compile, steps_per_execution):
    """Nothing: there is one device."""


def normal(shape, seed_generator):
    """Standard normal noise inside a step."""
    return keras.random.normal(shape, seed=seed_generator)


def seeded_normal(seeds, size):
    """`size` standard normal numbers for each of `seeds`, int64 (N,): float32 (N, size), row i from seed i alone."""
    return np.stack([philox.normal(size, int(seed)) for seed in seeds])


def function(fn, variables):
    """`fn`, from one float32 array to a tensor or a list of them, without gradients."""
    del variables

    def call(inputs):
        with torch.no_grad():
            outputs = fn(keras.ops.convert_to_tensor(inputs, "float32"))
            return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)

    return call


def adapt(model):
    """Nothing: PyTorch's trainer calls `train_step(data)` as it stands."""
