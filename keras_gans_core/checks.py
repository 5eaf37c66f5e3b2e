"""Checks of single values, which the whole library uses for arguments."""

import math

import numpy as np


def is_number(value, least=-math.inf):
    """Whether a value is a finite number, `least` or more. Booleans are rejected."""
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and least <= value < math.inf


def is_whole(value, least):
    """Whether a value is a whole number, `least` or more. Booleans are rejected."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= least
