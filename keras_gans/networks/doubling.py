"""The sizes of maps in networks that double them from the smallest to the image."""

import math

from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape
from keras_gans_core.checks import is_whole

SMALLEST = 4  # sides of the smallest map: from this to below twice as much


def doubled_sides(image_shape):
    """(height, width) of the maps, the smallest first, whose sides are 4 to 7: each is twice the one before.

    Raises:
        ConfigurationError: a shape that is not (height, width, channels), or sides that are not 4 to 7 times one power
            of two.

    Example:

    >>> doubled_sides((32, 32, 3)), doubled_sides((28, 28, 1))
    ([(4, 4), (8, 8), (16, 16), (32, 32)], [(7, 7), (14, 14), (28, 28)])
    """
    check_image_shape(image_shape)
    height, width = image_shape[:2]
    doublings = max(0, min(int(math.log2(max(1, side // SMALLEST))) for side in (height, width)))
    smallest = [side // 2**doublings for side in (height, width)]
    if any(not SMALLEST <= side < 2 * SMALLEST for side in smallest) or any(s % 2**doublings for s in (height, width)):
        near = sorted({_near(side, up) for side in (height, width) for up in (False, True)})
        raise ConfigurationError(
            "Expected a height and a width that are 4, 5, 6 or 7 times the same power of two, such as "
            f"{' or '.join(f'{side}x{side}' for side in near)}. Received: image_shape={tuple(image_shape)}. Resize the "
            "images."
        )
    return [(smallest[0] * 2**i, smallest[1] * 2**i) for i in range(doublings + 1)]


def _near(side, up):
    """The power of two next to a side, 4 or more."""
    power = math.log2(max(SMALLEST, side))
    return 2 ** (math.ceil(power) if up else math.floor(power))


def checked_widths(sides, widths, default):
    """The channels of each map, a list: `widths`, or `default(side)` for each larger side if it is None.

    Raises:
        ConfigurationError: not a whole number for each map.
    """
    if widths is None:
        return [default(max(side)) for side in sides]
    if not isinstance(widths, (list, tuple)) or len(widths) != len(sides) or not all(is_whole(w, 1) for w in widths):
        names = ", ".join(f"{height}x{width}" for height, width in sides)
        raise ConfigurationError(
            f"Expected widths with a number of 1 or more for each of the {len(sides)} maps {names}. Received: "
            f"{widths!r}."
        )
    return list(widths)
