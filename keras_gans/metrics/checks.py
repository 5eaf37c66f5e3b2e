"""Checks of features before a metric is computed, so that bad features give an error with a remedy."""

import numpy as np

from keras_gans.errors import ConfigurationError, DataError


def check_rows(name, rows, meaning):
    """Checks rows of numbers; refuses those that give no metric.

    Args:
        name: the argument's name, for the message.
        rows: array (N, d).
        meaning: what a row is, for the message.

    Returns:
        The rows as an array, in their own type.

    Raises:
        DataError: rows of another rank or type, no rows, or numbers that are not finite.
    """
    rows = np.asarray(rows)
    if rows.ndim != 2 or rows.size == 0 or rows.dtype.kind not in "fiu":
        raise DataError(
            f"Expected {name} to be {meaning}: floats or integers (N, d), N and d 1 or more. Received: {rows.dtype} "
            f"{rows.shape}. Flatten each sample's with {name}.reshape(len({name}), -1)."
        )
    bad = int((~np.isfinite(rows).all(axis=1)).sum())
    if bad:
        raise DataError(
            f"Expected {name} to be {meaning}, finite. Received: {bad} of {len(rows)} rows with NaN or infinity. Look "
            "for a diverged model, or for float16 that overflowed; leaving the rows out would hide it."
        )
    return rows


def check_pair(real, fake):
    """Checks that both sets of features are finite and of the same dimension; returns arrays.

    Raises:
        DataError: features that are not, or that are not rows of numbers.
    """
    real, fake = check_rows("real", real, "features"), check_rows("fake", fake, "features")
    check_dimensions(real.shape[1], fake.shape[1])
    return real, fake


def check_dimensions(real, fake):
    """Refuses two different dimensions.

    Raises:
        DataError: they differ.
    """
    if real != fake:
        raise DataError(
            f"Expected real and fake of the same dimension. Received: {real} and {fake}. Take both from the same layer "
            "of the same network, with images of the same size."
        )


def check_neighbors(neighbors, **sets):
    """Refuses more neighbors than a set has.

    Raises:
        ConfigurationError: not a whole number from 1 to the number of rows minus one.
    """
    for name, rows in sets.items():
        if not isinstance(neighbors, int) or not 1 <= neighbors < len(rows):
            raise ConfigurationError(
                f"Expected neighbors from 1 to {len(rows) - 1}: {name} has {len(rows)} rows, and a row is not its "
                f"own neighbor. Received: neighbors={neighbors!r}. Give more rows, or ask for fewer neighbors."
            )
