"""Which statistics batch norm uses outside training: of averaged weights, and of the batch that is judged."""

import contextlib
import functools

import keras
import numpy as np
from keras import ops

from keras_gans import engine, sampling
from keras_gans.layers.inner import inner_layers

BATCHES = 8  # of up to 256 examples each, drawn from the seeds 0 to 7


@contextlib.contextmanager
def standing_statistics(model):
    """A context in which batch norm computes with statistics of the averaged weights; see `standing_values`.

    During training, batch norm's moving statistics follow the weights, not their averages. They are back when the
    context ends, so that using it does not change the training. Without averages or batch norm, or if an input cannot
    be drawn and `fit` has seen no example of it, the context does nothing.

    Args:
        model: an `AdversarialModel`.
    """
    new = [] if model.ema_decay is None else standing_values(model)
    before = [(variable, ops.convert_to_numpy(variable)) for variable, _ in new]
    try:
        for variable, value in new:
            variable.assign(value)
        yield
    finally:
        for variable, value in before:
            variable.assign(value)


def standing_values(model, examples=None):
    """The mean and variance of batch norm's inputs over `BATCHES` batches that the model makes with averaged weights.

    A batch passes as in training: each batch norm normalises it with its own statistics. Over the batches b, the mean
    is that of the means m_b, and the variance is that of the whole,

        mean(v_b) + mean(m_b^2) - mean(m_b)^2.

    Args:
        model: an `AdversarialModel`.
        examples: {name: values} of inputs that cannot be drawn; None for those that `fit` was last given.

    Returns:
        A list of (moving statistic, a variable; its value, float32) of the batch norms that sampling uses; empty if
        there are none, or if an input is missing.

    Reference: "standing statistics" in Brock et al., 2018, https://arxiv.org/abs/1809.11096
    """
    examples = model.shown_examples if examples is None else examples
    norms = batch_norms(model.networks(*model.averaged))
    if not norms or not set(sampling.needed_inputs(model)) <= set(examples or {}):
        return []
    if getattr(model, "_compiled_statistics", None) is None:
        model._compiled_statistics = engine.function(lambda inputs: _of_one_batch(model, norms, inputs))
    n = sampling.batch_size(model, sampling.given_inputs(model, 1, examples))
    given = sampling.given_inputs(model, n, examples)
    found = [model._compiled_statistics(sampling.complete_inputs(model, n, seed, given)) for seed in range(BATCHES)]
    values = []
    for i, norm in enumerate(norms):
        if f"mean{i}" in found[0]:
            means, variances = (np.float64([batch[f"{name}{i}"] for batch in found]) for name in ("mean", "variance"))
            values.append((norm.moving_mean, means.mean(axis=0)))
            values.append((norm.moving_variance, variances.mean(axis=0) + means.var(axis=0)))
    return [(variable, value.astype("float32")) for variable, value in values]


def _of_one_batch(model, norms, inputs):
    """The statistics of one batch: {"mean0": ..., "variance0": ...} of the norms that it passes."""
    momenta = [norm.momentum for norm in norms]
    averages = engine.substituted([]) if model.ema_decay is None else model.averages_in_use()
    try:
        for norm in norms:
            norm.momentum = 0.0  # the moving statistics become those of the batch
        with averages as scope:
            model.compute_outputs(sampling.encode_inputs(model, inputs), training=True)
            statistics = {}
            for i, norm in enumerate(norms):
                for name, variable in (("mean", norm.moving_mean), ("variance", norm.moving_variance)):
                    if (value := scope.get_current_value(variable)) is not None:
                        statistics[f"{name}{i}"] = ops.convert_to_tensor(value)
            return statistics
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum


@contextlib.contextmanager
def judged_by_batch(model):
    """A context in which the discriminator's batch norms use the batch's statistics outside training too.

    A discriminator sees real and generated images in separate batches, and its moving statistics are a mixture of both.
    With them it judges neither as it does in training. Losses of validation data, the doctor and battles of models use
    this context. The moving statistics stay the same, and dropout and noise stay off.

    Args:
        model: an `AdversarialModel`.
    """
    norms = batch_norms(model.networks(*model.players.get("discriminator", ())))
    for norm in norms:
        norm.call = functools.partial(_call_by_batch, norm)
    try:
        yield
    finally:
        for norm in norms:
            del norm.call


def _call_by_batch(norm, inputs, training=None, mask=None):
    momentum, norm.momentum = norm.momentum, 1.0  # the moving statistics keep their values
    try:
        return type(norm).call(norm, inputs, training=True, mask=mask)
    finally:
        norm.momentum = momentum


def batch_norms(networks):
    """The batch norms in networks, also those inside other layers, a list."""
    layers = [layer for network in networks for layer in inner_layers(network)]
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
