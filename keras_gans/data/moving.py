"""Clips made of still images: digits that bounce in a box, and a window that moves over photographs.

Positions at a time are a function of start and speed alone, so that clips have any length, and longer ones begin like
shorter ones. Random numbers are drawn row by row, so that more clips begin like fewer.
"""

import numpy as np
from PIL import Image

from keras_gans.data.decoding import allocated
from keras_gans.data.loading import load
from keras_gans.data.progress import shown
from keras_gans.errors import ConfigurationError, DataError
from keras_gans_core.checks import is_number, is_whole


def bounced(start, speed, times, room):
    """Positions of a body that moves at a constant speed between two walls and is reflected by them.

    Args:
        start: positions at time 0, in [0, room], any shape.
        speed: distances per unit of time, of the same shape; either sign, and faster than `room` too.
        times: (T,).
        room: distance of the walls, above 0; or 0, where nothing moves.

    Returns:
        float64, the shape of `start` with a last axis for the times, in [0, room].

    Example:

    >>> bounced(2.0, 3.0, np.arange(5), room=4.0).tolist()     # 2, then 5 is reflected to 3, 8 to 0, ...
    [2.0, 3.0, 0.0, 3.0, 2.0]
    """
    way = np.asarray(start)[..., None] + np.asarray(speed)[..., None] * np.asarray(times)
    if room == 0:
        return np.zeros(way.shape)
    way = np.mod(way, 2.0 * room)
    return np.minimum(way, 2.0 * room - way)


def _uniform(seed, count, width):
    """Numbers from U[0, 1), (count, width): the first rows are those of a smaller count."""
    return np.random.Generator(np.random.PCG64(seed)).random((count, width))


def _check(count, length, image_size, seed, speed):
    for name, number, least in (("count", count, 1), ("length", length, 1), ("seed", seed, 0)):
        if not is_whole(number, least):
            raise ConfigurationError(f"Expected a {name} of {least} or more. Received: {number!r}.")
    sides = tuple(image_size) if isinstance(image_size, (tuple, list)) else ()
    if len(sides) != 2 or not all(is_whole(side, 1) for side in sides):
        raise ConfigurationError(f"Expected image_size=(height, width), whole numbers. Received: {image_size!r}.")
    low_high = tuple(speed) if isinstance(speed, (tuple, list)) else ()
    if len(low_high) != 2 or not all(is_number(one, 0.0) for one in low_high) or low_high[0] > low_high[1]:
        raise ConfigurationError(f"Expected speed=(slowest, fastest), 0 or more. Received: {speed!r}.")


def moving_digits(
    count=4096,
    length=12,
    *,
    image_size=(32, 32),
    digits=2,
    speed=(1.0, 3.0),
    images=None,
    split="train",
    seed=0,
    download=False,
):
    """Clips of digits that move over a black image and are reflected at its borders.

    Each digit moves in a straight line at its own constant speed; digits pass through each other, where the brighter
    pixel is seen. The exact position is rounded to whole pixels for each frame.

    Args:
        count: how many clips.
        length: frames of a clip.
        image_size: (height, width) of a frame.
        digits: how many in a clip, 1 or more.
        speed: (slowest, fastest), pixels per frame.
        images: uint8 (M, h, w) or (M, h, w, 1), the digits to draw from at their own size; None for MNIST, at half its
            size in frames of fewer than 56 pixels a side.
        split: of MNIST.
        seed: whole number that determines the clips.
        download: whether TFDS may download MNIST if it is not prepared.

    Returns:
        uint8 (count, length, height, width, 1).

    Raises:
        DatasetNotFoundError: MNIST was not found.
        DataError: images of another shape, larger than a frame; or clips that do not fit into memory.
        ConfigurationError: numbers out of range.

    Example:

    >>> squares = np.full((1, 4, 4), 255, "uint8")
    >>> moving_digits(3, 5, image_size=(16, 16), images=squares).shape
    (3, 5, 16, 16, 1)
    """
    _check(count, length, image_size, seed, speed)
    if not is_whole(digits, 1):
        raise ConfigurationError(f"Expected digits of 1 or more. Received: {digits!r}.")
    if images is None:
        images = load("mnist", split=split, labels=False, batch_size=1, download=download).images
        if min(image_size) < 2 * images.shape[1]:
            images = _halved(images)
    images = np.asarray(images)
    images = images[..., 0] if images.ndim == 4 and images.shape[-1] == 1 else images
    sides = images.shape[1:]
    if images.ndim != 3 or images.dtype != "uint8" or len(images) == 0 or any(a > b for a, b in zip(sides, image_size)):
        raise DataError(
            f"Expected images of digits, uint8 (M, h, w), no larger than a frame {tuple(image_size)}. Received: "
            f"{images.dtype} {images.shape}. Pass a larger image_size, or smaller digits."
        )
    numbers = _uniform([seed, 0], count * digits, 5).reshape(count, digits, 5)
    chosen = (numbers[..., 0] * len(images)).astype(int)
    angle = 2.0 * np.pi * numbers[..., 3]
    fast = speed[0] + (speed[1] - speed[0]) * numbers[..., 4]
    places = []
    for axis, part in enumerate((np.sin(angle), np.cos(angle))):  # rows, columns
        room = image_size[axis] - sides[axis]
        way = bounced(numbers[..., 1 + axis] * room, fast * part, np.arange(length), room)
        places.append(np.rint(way).astype(int))
    clips = allocated((count, length, *image_size, 1))
    clips[:] = 0
    for i, clip in enumerate(shown(clips, "Drawing clips:")):
        for digit, tops, lefts in zip(images[chosen[i]], *(place[i] for place in places)):
            for frame, top, left in zip(clip[..., 0], tops, lefts):
                part = frame[top : top + sides[0], left : left + sides[1]]
                np.maximum(part, digit, out=part)
    return clips


def _halved(images):
    """The means of 2 x 2 pixels of (M, height, width, 1), rounded."""
    parts = images.reshape(len(images), images.shape[1] // 2, 2, images.shape[2] // 2, 2)
    return np.rint(parts.mean(axis=(2, 4))).astype("uint8")


def moving_photos(
    count=2048,
    length=12,
    *,
    image_size=(32, 32),
    speed=(1.0, 3.0),
    zoom=1.03,
    photos=None,
    split="train",
    seed=0,
    download=False,
):
    """Clips of a window that moves over a photograph, while it becomes larger or smaller.

    The window moves in a straight line at a constant speed and is reflected at the photograph's borders. Its side
    changes by the same factor in each frame, between `image_size` and the largest that fits, where it turns around.
    Windows are resized bicubically, with antialiasing, from exact places between the pixels.

    Args:
        count: how many clips.
        length: frames of a clip.
        image_size: (height, width) of a frame.
        speed: (slowest, fastest), pixels of the photograph per frame.
        zoom: the largest factor by which the window's side changes from frame to frame, 1 or more; 1 for none.
        photos: uint8 (M, H, W, channels), no smaller than a frame; None for the TFDS data set photo_patches.
        split: of photo_patches.
        seed: whole number that determines the clips.
        download: whether TFDS may download photo_patches if it is not prepared.

    Returns:
        uint8 (count, length, height, width, channels).

    Raises:
        DatasetNotFoundError: photo_patches was not found.
        DataError: photographs of another shape, or smaller than a frame; or clips that do not fit into memory.
        ConfigurationError: numbers out of range.

    Example:

    >>> moving_photos(3, 5, image_size=(16, 16), photos=np.zeros((2, 24, 32, 3), "uint8")).shape
    (3, 5, 16, 16, 3)
    """
    _check(count, length, image_size, seed, speed)
    if not is_number(zoom, 1.0):
        raise ConfigurationError(f"Expected a zoom of 1 or more. Received: {zoom!r}.")
    if photos is None:
        photos = load("photo_patches", split=split, labels=False, batch_size=1, download=download).images
    photos, (height, width) = np.asarray(photos), image_size
    if (
        photos.ndim != 4
        or photos.dtype != "uint8"
        or len(photos) == 0
        or photos.shape[3] not in (1, 3)
        or photos.shape[1] < height
        or photos.shape[2] < width
    ):
        raise DataError(
            f"Expected photographs, uint8 (M, height, width, 1 or 3), of {height}x{width} or more. Received: "
            f"{photos.dtype} {photos.shape}. Pass a smaller image_size."
        )
    numbers, times = _uniform([seed, 1], count, 7), np.arange(length)
    chosen = (numbers[:, 0] * len(photos)).astype(int)
    largest = np.log(min(photos.shape[1] / height, photos.shape[2] / width))
    rate = (2.0 * numbers[:, 5] - 1.0) * np.log(zoom)
    scale = np.exp(bounced(numbers[:, 6] * largest, rate, times, largest))
    angle, fast = 2.0 * np.pi * numbers[:, 3], speed[0] + (speed[1] - speed[0]) * numbers[:, 4]
    edges = []
    for axis, part in enumerate((np.sin(angle), np.cos(angle))):  # rows, columns
        room = photos.shape[1 + axis] - image_size[axis]  # of the smallest window; a larger one has its share of it
        way = bounced(numbers[:, 1 + axis] * room, fast * part, times, room)
        side = np.minimum(image_size[axis] * scale, photos.shape[1 + axis])
        free = photos.shape[1 + axis] - side
        first = way * (free / room if room else 0.0)
        edges.append((first, np.minimum(first + side, photos.shape[1 + axis])))
    (tops, bottoms), (lefts, rights) = edges
    clips = allocated((count, length, *image_size, photos.shape[3]))
    for i, clip in enumerate(shown(clips, "Drawing clips:")):
        photo = photos[chosen[i]]
        picture = Image.fromarray(photo[..., 0] if photo.shape[2] == 1 else photo)
        for t, frame in enumerate(clip):
            box = (lefts[i, t], tops[i, t], rights[i, t], bottoms[i, t])
            frame[:] = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC, box)).reshape(frame.shape)
    return clips
