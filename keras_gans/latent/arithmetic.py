"""Sums and differences of averaged latents: "man with glasses - man + woman" (Radford et al., 2015)."""

import re

import numpy as np

from keras_gans.errors import ConfigurationError, DataError
from keras_gans.latent.checks import as_latents, check_noise

EXPRESSION = re.compile(r"\s*[+-]?\s*\d+(\s*,\s*\d+)*(\s*[+-]\s*\d+(\s*,\s*\d+)*)*\s*")


def rescale(latents, norm=None):
    """Latents scaled to one norm, by default sqrt(d): Gaussian latents of d numbers have about that norm.

    The zero vector has no direction and stays zero, which is the prior's mean.

    Args:
        latents: (..., d).
        norm: 0 or more; None for sqrt(d).

    Returns:
        float32 (..., d).

    Raises:
        DataError: latents of several lengths.

    Example:

    >>> rescale([[3.0, 4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]).tolist()
    [[1.2..., 1.6..., 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    latents = as_latents(latents)
    norm = latents.shape[-1] ** 0.5 if norm is None else norm
    norms = np.linalg.norm(latents, axis=-1, keepdims=True)
    return (latents * (norm / np.where(norms > 0.0, norms, 1.0))).astype("float32")


def add(terms):
    """The sum of signed averages, with the norm of a latent (`rescale`).

    The norm of an average of m independent latents is 1 / sqrt(m) times that of one latent. A sum of averages therefore
    lies where the generator was not trained, so only its direction is kept.

    Args:
        terms: list of (sign, latents): 1 or -1, and (m, d) to average.

    Returns:
        float32 (d,).

    Raises:
        ConfigurationError: no terms, or a term without latents.
        DataError: latents of several lengths.

    Example:

    >>> add([(1, [[1.0, 0.0], [1.0, 2.0]]), (-1, [[1.0, 0.0]])]).tolist()
    [0.0, 1.414...]
    """
    terms = [(sign, as_latents(latents)) for sign, latents in terms]
    if not terms or any(latents.ndim != 2 or len(latents) == 0 for _, latents in terms):
        raise ConfigurationError("Expected terms (sign, latents (m, d)), each of one latent or more.")
    widths = sorted({latents.shape[1] for _, latents in terms})
    if len(widths) > 1:
        raise DataError(f"Expected latents of one model, all of one length. Received: lengths {widths}.")
    return rescale(sum(sign * latents.mean(axis=0) for sign, latents in terms))


def evaluate(model, expression):
    """The latents of an expression over seeds: "3,5,8 - 1,2 + 4,9" is mean(3, 5, 8) - mean(1, 2) + mean(4, 9).

    Each seed stands for the noise of `model.generate(seed=[seed])`. The paper averages three for each concept.

    Args:
        model: an `AdversarialModel` with noise as an input.
        expression: seeds separated by commas, whole numbers from 0 on; + and - between terms.

    Returns:
        The sum, float32 (1, latent_dim), of norm sqrt(latent_dim); and the terms, float32 (terms, latent_dim), also
        rescaled, without their signs, for pictures.

    Raises:
        ConfigurationError: an expression of another form.
        UnsupportedError: a model without noise.

    Reference: Radford, Metz and Chintala, 2015, "Unsupervised representation learning with deep convolutional
    generative adversarial networks", section 6.3.2, https://arxiv.org/abs/1511.06434
    """
    check_noise(model)
    if not EXPRESSION.fullmatch(expression):
        raise ConfigurationError(
            f'Expected seeds, such as "3,5,8 - 1,2 + 4,9". Received: {expression!r}. Separate the seeds of an average '
            "by commas, and averages by + or -."
        )
    terms = [
        (-1 if sign == "-" else 1, model.noise(seed=[int(seed) for seed in seeds.split(",")]))
        for sign, seeds in re.findall(r"([+-]?)([\d,]+)", re.sub(r"\s", "", expression))
    ]
    return add(terms)[None], rescale([latents.mean(axis=0) for _, latents in terms])
