"""Metrics of generated text."""

import numpy as np

from keras_gans.errors import ConfigurationError, DataError
from keras_gans_core.checks import is_whole


def ngram_divergence(*, real, fake, n):
    """The Jensen-Shannon divergence, in bits, between the n-grams of two sets of lines.

    JS = KL(p | m) / 2 + KL(q | m) / 2 with m = (p + q) / 2, where p and q are the frequencies of all runs of n
    characters within a line, including the padding. It is 0 for equal frequencies, and 1 if no n-gram is in both sets.
    The paper reports n = 1 to 4 for 640 generated lines against all lines of the data. The number depends on the number
    of lines, so compare it with that of the same number of held-out lines.

    Args:
        real, fake: ids of characters, integers from 0 on, (N, length) and (M, length); the lengths may differ.
        n: characters per run, 1 or more.

    Returns:
        A float in [0, 1].

    Raises:
        DataError: no lines, or lines that are not ids.
        ConfigurationError: n below 1, longer than a line, or too large to count with 63 bits: above 7 for 256
            characters.

    Example:

    >>> lines = np.array([[1, 2, 1, 2]])
    >>> round(ngram_divergence(real=lines, fake=np.array([[1, 1, 1, 1]]), n=1), 4)
    0.3113

    That is p = (1/2, 1/2), q = (1, 0), m = (3/4, 1/4): 1/2 (1/2 log2(2/3) + 1/2 log2 2) + 1/2 log2(4/3).

    Reference: Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028; code:
    https://github.com/igul222/improved_wgan_training (language_helpers.py)
    """
    real, fake = np.asarray(real), np.asarray(fake)
    for name, lines in (("real", real), ("fake", fake)):
        if lines.ndim != 2 or lines.size == 0 or lines.dtype.kind not in "iu" or lines.min() < 0:
            raise DataError(
                f"Expected {name} to be ids of characters, integers (N, length) from 0 on. Received: {lines.dtype} "
                f"{lines.shape}. Encode lines with kg.data.encode_text."
            )
    vocabulary = 1 + int(max(real.max(), fake.max()))
    longest = min(real.shape[1], fake.shape[1])
    if not is_whole(n, 1) or n > longest or vocabulary**n >= 2**63:
        raise ConfigurationError(
            f"Expected n from 1 to the {longest} characters of a line, with {vocabulary}^n below 2^63. Received: {n!r}."
        )
    codes = [_codes(lines, n, vocabulary) for lines in (real, fake)]
    _, places = np.unique(np.concatenate(codes), return_inverse=True)
    p, q = (np.bincount(part, minlength=places.max() + 1) / len(part) for part in np.split(places, [len(codes[0])]))
    middle = (p + q) / 2.0
    return float((_divergence(p, middle) + _divergence(q, middle)) / 2.0)


def _codes(lines, n, vocabulary):
    """A number for each run of n characters."""
    runs = np.lib.stride_tricks.sliding_window_view(lines.astype("int64"), n, axis=1)
    return (runs @ vocabulary ** np.arange(n)).ravel()


def _divergence(p, m):
    """KL(p | m) in bits; 0 log 0 is 0."""
    there = p > 0.0
    return np.sum(p[there] * np.log2(p[there] / m[there]))
