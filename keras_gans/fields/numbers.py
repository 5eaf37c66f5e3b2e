"""One number per example: settings that a model samples with."""

import numpy as np
from keras import ops

from keras_gans.fields.field import Field
from keras_gans_core.errors import DataError


class Numbers(Field):
    """One number per example, such as how far to truncate.

    Args:
        name: what the number is, for errors.
        low, high: the smallest and the largest number that is allowed; None for no bound.
        whole: whether it is a whole number.

    Example:

    >>> Numbers("psi").asked(0.7).tolist()
    [0.699...]
    """

    def __init__(self, name, low=None, high=None, whole=False):
        self.name, self.low, self.high, self.whole = name, low, high, whole
        self.dtype = "int32" if whole else "float32"

    def __str__(self):
        kind = "whole numbers" if self.whole else "numbers"
        above = "" if self.low is None else f" of {self.low} or more"
        bounds = above if self.high is None else f" from {self.low} to {self.high}"
        return f"{self.name} (N,), {kind}{bounds}"

    def check(self, values):
        try:
            numbers = np.asarray(ops.convert_to_numpy(values) if ops.is_tensor(values) else values)
            kinds = "iu" if self.whole else "iuf"
            fits = numbers.ndim == 1 and len(numbers) > 0 and numbers.dtype.kind in kinds
            with np.errstate(over="ignore"):  # a number too large for float32 becomes infinite
                fits = fits and np.isfinite(numbers.astype("float32")).all()
        except (TypeError, ValueError):
            fits = False
        low, high = (-np.inf if self.low is None else self.low), (np.inf if self.high is None else self.high)
        if not fits or not ((numbers >= low) & (numbers <= high)).all():
            raise DataError(f"Expected {self}, one for all examples or one for each. Received: {values!r}.")
        return numbers.astype(self.dtype)

    def asked(self, values):
        alone = not isinstance(values, (list, tuple)) and np.ndim(values) == 0
        return self.check([values] if alone else values)

    def encode(self, values):
        return ops.cast(values, self.dtype)
