"""Digits and shapes drawn with Pillow: labelled images that need no file and no download.

`draw_digit` and `draw_shape` make one image from explicit numbers, so that a caption, an outline or the next frame of
a video is the same call with other arguments. `digits` and `shapes` draw data sets of them with random numbers.
"""

import colorsys
import functools
import operator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_gans.errors import ConfigurationError

OVERSAMPLING = 4  # drawn at four times the size and averaged down for smooth edges
DIGIT_HEIGHT = 20 / 28  # of the image's smaller side, like MNIST's digits
CAP_HEIGHT = 0.72  # digit height over font size, in Pillow's bundled font (Aileron)


def _star(points, inner):
    """Corners of a star on the unit circle, the first at the top."""
    radii = np.tile([1.0, inner], points)
    angles = np.arange(2 * points) * np.pi / points
    return np.stack([radii * np.sin(angles), -radii * np.cos(angles)], axis=1)


def _regular(corners, turned=0.0):
    """Corners of a regular polygon on the unit circle, the first at the top before it is turned."""
    angles = np.arange(corners) * 2.0 * np.pi / corners + turned
    return np.stack([np.sin(angles), -np.cos(angles)], axis=1)


def _cross(arm=0.33):
    """Corners of a plus sign within the unit circle; `arm` is half an arm's width."""
    end = np.sqrt(1.0 - arm**2)
    quarter = np.array([[-arm, -end], [arm, -end], [arm, -arm]])
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])  # 90 degrees clockwise, for row vectors with y down
    return np.concatenate([quarter @ np.linalg.matrix_power(turn, k) for k in range(4)])


# None means round: a disc, or a disc with a hole.
OUTLINES = {
    "circle": None,
    "square": _regular(4, np.pi / 4),
    "triangle": _regular(3),
    "star": _star(5, 0.45),
    "ring": None,
    "cross": _cross(),
}
SHAPES = tuple(OUTLINES)  # a shape's label is its index here
RING_HOLE = 0.55  # inner over outer radius
COLORS = {  # for captions such as "a red circle"
    "red": (214, 45, 40),
    "orange": (240, 140, 30),
    "yellow": (245, 210, 50),
    "green": (50, 160, 70),
    "blue": (45, 95, 205),
    "purple": (140, 65, 175),
    "white": (250, 250, 250),
    "black": (20, 20, 20),
}


@functools.lru_cache(maxsize=512)
def _upright_digit(digit, height, stroke):
    """The upright digit on a canvas of twice its height, and the center of its bounding box."""
    font = ImageFont.load_default(size=height / CAP_HEIGHT)
    canvas = Image.new("L", (2 * height, 2 * height))
    draw = ImageDraw.Draw(canvas)
    position = (height // 2, height + height // 2)
    draw.text(position, str(digit), fill=255, font=font, anchor="ls", stroke_width=stroke)
    left, top, right, bottom = canvas.getbbox()
    return canvas, ((left + right) / 2, (top + bottom) / 2)


def draw_digit(
    digit, image_size=(28, 28), *, rotation=0.0, scale=1.0, stretch=1.0, shear=0.0, shift=(0.0, 0.0), stroke=0.0
):
    """One digit, white on black, in the middle of the image.

    Args:
        digit: 0 to 9.
        image_size: (height, width) in pixels.
        rotation: degrees, counter-clockwise.
        scale: 1 makes the digit 20/28 of the image's smaller side high, as in MNIST.
        stretch: width relative to the font's.
        shear: how far the top leans to the right, relative to the height; 0.3 is italic.
        shift: (right, down) as fractions of the image's smaller side.
        stroke: thickness added around the font's strokes, as a fraction of the digit's height.

    Returns:
        uint8 (height, width, 1).

    Raises:
        ConfigurationError: no such digit.

    Example:

    >>> draw_digit(7, rotation=10.0).shape
    (28, 28, 1)
    """
    if digit not in range(10):
        raise ConfigurationError(f"Expected a digit from 0 to 9. Received: {digit!r}.")
    height, width = image_size
    side = OVERSAMPLING * min(height, width)
    tall = round(side * DIGIT_HEIGHT)
    upright, middle = _upright_digit(int(digit), tall, round(stroke * tall))
    turn = np.radians(rotation)
    # From offsets from the digit's center to offsets from the image's center; y points down.
    rotate = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    forward = rotate @ np.array([[scale * stretch, -scale * shear], [0.0, scale]])
    back = np.linalg.inv(forward)  # Pillow wants the map from output pixels to input pixels
    target = np.array([width, height]) * OVERSAMPLING / 2 + np.array(shift) * side
    offset = np.array(middle) - back @ target
    drawn = upright.transform(
        (width * OVERSAMPLING, height * OVERSAMPLING),
        Image.Transform.AFFINE,
        (back[0, 0], back[0, 1], offset[0], back[1, 0], back[1, 1], offset[1]),
        resample=Image.Resampling.BILINEAR,
    )
    return np.asarray(drawn.reduce(OVERSAMPLING))[..., None]


def draw_shape(
    shape,
    image_size=(64, 64),
    *,
    color=COLORS["red"],
    background=COLORS["white"],
    center=(0.5, 0.5),
    radius=0.3,
    rotation=0.0,
    line=None,
):
    """One shape on a plain background.

    Args:
        shape: one of `SHAPES`.
        image_size: (height, width) in pixels.
        color, background: (red, green, blue) in 0..255; `COLORS` has some by name.
        center: (right, down), as fractions of the image's width and height.
        radius: radius of the circle around the shape, as a fraction of the image's smaller side.
        rotation: degrees, counter-clockwise.
        line: None fills the shape; a number draws only its outline with this thickness, as a fraction of the smaller
            side.

    Returns:
        uint8 (height, width, 3).

    Raises:
        ConfigurationError: no such shape.

    Example:

    >>> draw_shape("star", color=COLORS["blue"], line=0.03).shape
    (64, 64, 3)
    """
    if shape not in OUTLINES:
        raise ConfigurationError(f"Expected one of the shapes {', '.join(SHAPES)}. Received: {shape!r}.")
    height, width = image_size
    side = OVERSAMPLING * min(height, width)
    size = np.array([width, height]) * OVERSAMPLING
    middle, reach = np.array(center) * size, radius * side
    thickness = None if line is None else max(1, round(line * side))
    canvas = Image.new("RGB", tuple(size.tolist()), tuple(background))
    draw = ImageDraw.Draw(canvas)
    if OUTLINES[shape] is None:
        radii = [reach] if shape == "circle" else [reach, reach * RING_HOLE]
        for r, fill in zip(radii, (color, background)):
            box = [*(middle - r), *(middle + r)]
            if line is None:
                draw.ellipse(box, fill=tuple(fill))
            else:
                draw.ellipse(box, outline=tuple(color), width=thickness)
    else:
        turn = np.radians(rotation)
        rotate = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])  # for row vectors, y down
        corners = [tuple(corner) for corner in (middle + reach * OUTLINES[shape] @ rotate).tolist()]
        if line is None:
            draw.polygon(corners, fill=tuple(color))
        else:
            draw.line([*corners, *corners[:2]], fill=tuple(color), width=thickness, joint="curve")
    return np.asarray(canvas.reduce(OVERSAMPLING))


def digits(count=4096, image_size=(28, 28), *, channels=1, seed=0):
    """Drawn digits as a substitute for MNIST: each is rotated, scaled, slanted, shifted and thickened at random.

    Image i depends only on (seed, i), not on the count.

    Args:
        count: number of images.
        image_size: (height, width) in pixels.
        channels: 1, or 3 with equal colours.
        seed: whole number, 0 or more.

    Returns:
        images, uint8 (count, height, width, channels), and labels, int64 (count,) in 0..9.

    Raises:
        ConfigurationError: arguments out of range.

    Example:

    >>> images, labels = digits(100, seed=1)
    >>> images.shape, labels.dtype
    ((100, 28, 28, 1), dtype('int64'))
    """
    if channels not in (1, 3):
        raise ConfigurationError(f"Expected channels 1 or 3. Received: {channels!r}.")
    images, labels = _draw(_random_digit, count, image_size, 1, seed)
    return np.repeat(images, channels, axis=-1), labels


def shapes(count=4096, image_size=(64, 64), *, seed=0):
    """Drawn shapes: the class is the shape; colour, size, position, rotation and background are random.

    Image i depends only on (seed, i), not on the count.

    Args:
        count: number of images.
        image_size: (height, width) in pixels.
        seed: whole number, 0 or more.

    Returns:
        images, uint8 (count, height, width, 3), and labels, int64 (count,), indices into `SHAPES`.

    Raises:
        ConfigurationError: arguments out of range.

    Example:

    >>> images, labels = shapes(100, (32, 32))
    >>> images.shape, SHAPES[0]
    ((100, 32, 32, 3), 'circle')
    """
    return _draw(_random_shape, count, image_size, 3, seed)


def _draw(random_image, count, image_size, channels, seed):
    image_size = checked_size(image_size)
    if not isinstance(count, (int, np.integer)) or count < 1:
        raise ConfigurationError(f"Expected a count of 1 or more. Received: {count!r}.")
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ConfigurationError(f"Expected a seed that is a whole number, 0 or more. Received: {seed!r}.")
    images = np.empty((count, *image_size, channels), "uint8")
    labels = np.empty(count, "int64")
    for index in range(count):
        rng = np.random.Generator(np.random.PCG64([int(seed), index]))
        images[index], labels[index] = random_image(rng, image_size)
    return images, labels


def _random_digit(rng, image_size):
    digit = int(rng.integers(10))
    image = draw_digit(
        digit,
        image_size,
        rotation=rng.uniform(-15.0, 15.0),
        scale=rng.uniform(0.85, 1.05),
        stretch=rng.uniform(0.75, 1.15),
        shear=rng.uniform(-0.1, 0.35),  # handwriting leans to the right
        shift=rng.uniform(-0.05, 0.05, 2),
        stroke=rng.uniform(0.0, 0.05),
    )
    return image, digit


def _random_shape(rng, image_size):
    label = int(rng.integers(len(SHAPES)))
    hue, radius = rng.uniform(), rng.uniform(0.18, 0.36)
    away = hue + rng.uniform(0.25, 0.75)  # the background's hue: at least a quarter turn from the shape's
    image = draw_shape(
        SHAPES[label],
        image_size,
        color=_rgb(hue, rng.uniform(0.75, 1.0), rng.uniform(0.55, 0.95)),
        background=_rgb(away % 1.0, rng.uniform(0.1, 0.35), rng.uniform(0.85, 1.0)),
        center=rng.uniform(radius + 0.04, 0.96 - radius, 2),
        radius=radius,
        rotation=rng.uniform(0.0, 360.0),
    )
    return image, label


def _rgb(hue, saturation, value):
    return tuple(round(255 * level) for level in colorsys.hsv_to_rgb(hue, saturation, value))


def checked_size(image_size):
    """(height, width) as two whole numbers.

    Raises:
        ConfigurationError: anything but two positive whole numbers.
    """
    try:
        height, width = (operator.index(side) for side in image_size)
    except (TypeError, ValueError):
        height = width = 0
    if min(height, width) < 1:
        raise ConfigurationError(
            f"Expected image_size as (height, width), two positive whole numbers. Received: {image_size!r}."
        )
    return height, width
