"""Patches of photographs, and the same patches made small: what super-resolution is learned from."""

import warnings
from pathlib import Path

import numpy as np
from keras import ops

from keras_gans.data.batches import Batches, drawn_rows
from keras_gans.data.decoding import MODES, opened, plain_alone
from keras_gans.data.layouts import read_layout
from keras_gans.data.loading import NAMED, load
from keras_gans.data.progress import shown
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.images import to_float, to_uint8
from keras_gans.resampling import bicubic
from keras_gans_core.checks import is_whole
from keras_gans_core.errors import format_error

AT_ONCE = 256  # patches made small at once


def make_small(images, factor=4):
    """Images `factor` times smaller, in grey levels: `kg.resampling.bicubic`, clipped and rounded.

    Args:
        images: (N, height, width, channels), uint8 or floats in [-1, 1]; `factor` divides both sides.
        factor: whole number, 2 or more.

    Returns:
        uint8 (N, height / factor, width / factor, channels).

    Raises:
        ConfigurationError: sides that the factor does not divide.

    Example:

    >>> make_small(np.full((1, 8, 8, 3), 200, "uint8")).shape
    (1, 2, 2, 3)
    """
    height, width = images.shape[1:3]
    if not is_whole(factor, 2) or height % factor or width % factor:
        raise ConfigurationError(
            f"Expected a factor of 2 or more that divides both sides of the images. Received: {factor!r}, and images "
            f"of {height}x{width}. Crop them, for instance to {height - height % 4}x{width - width % 4}."
        )
    return ops.convert_to_numpy(to_uint8(bicubic(to_float(images), (height // factor, width // factor))))


class Patches(Batches):
    """Batches of small images and of the large ones that they were made from, flipped from left to right at random.

    Flips are a function of the seed and the step, so that an interrupted training continues with the same images.

    Args:
        small: array (N, h, w, channels).
        images: array (N, H, W, channels), the same images larger.
        flip: whether to mirror pairs, each with probability 1/2.
        batch_size, shuffle, seed, about: see `Batches`.

    Example:

    >>> images = np.zeros((4, 8, 8, 3), "uint8")
    >>> {name: array.shape for name, array in Patches(make_small(images), images, batch_size=2)[0].items()}
    {'images': (2, 8, 8, 3), 'small': (2, 2, 2, 3)}
    """

    def __init__(self, small, images, *, flip=False, batch_size=16, shuffle=True, seed=0, about=None):
        super().__init__(small=small, images=images, batch_size=batch_size, shuffle=shuffle, seed=seed, about=about)
        self.flip = flip

    @property
    def image_shape(self):
        """(height, width, channels) of a large image."""
        return tuple(self.images.shape[1:])

    def at(self, step):
        batch = super().at(step)
        if not self.flip:
            return batch
        flipped = np.random.Generator(np.random.PCG64([self.seed, step, 1])).random(self.batch_size) < 0.5
        return {name: np.where(flipped[:, None, None, None], array[:, :, ::-1], array) for name, array in batch.items()}


def load_patches(
    source,
    *,
    split="train",
    image_size=None,
    factor=4,
    channels=3,
    batch_size=16,
    augment=None,
    take=None,
    shuffle=True,
    seed=0,
    download=False,
    data_dir=None,
):
    """Loads photographs as patches of one size, with the same patches made `factor` times smaller.

    A photograph is cut at its own resolution into as many patches as fit without overlap, around its centre. Those in
    a folder may have any size; smaller ones than a patch are left out with a warning.

    Args:
        source: see `kg.data.load`.
        split: a folder's, a TFDS data set's or a drawing's.
        image_size: (height, width) of a patch, multiples of `factor`; None for 96x96, the paper's.
        factor: how many times smaller the small ones are, 2 or more; see `make_small`.
        channels: 1 for grey or 3 for colour; None for 3.
        batch_size, shuffle, seed: see `Batches`.
        augment: whether to flip at random; None: only for the split "train".
        take: the maximum number of patches, drawn at random, the same each time; None for all.
        download, data_dir: see `kg.data.load`.

    Returns:
        `Patches` of uint8 images.

    Raises:
        DataError: images that are all smaller than a patch, or what `kg.data.load` refuses.
        ConfigurationError: a size that the factor does not divide, or other channels.

    Warns:
        UserWarning: photographs that are left out.

    Example:

    >>> batches = load_patches(np.zeros((2, 64, 96, 3), "uint8"), image_size=(32, 32), batch_size=4)
    >>> batches.count, batches[0]["small"].shape
    (12, (4, 8, 8, 3))
    """
    size = (96, 96) if image_size is None else tuple(image_size)
    if len(size) != 2 or not is_whole(factor, 2) or any(not is_whole(side, 1) or side % factor for side in size):
        raise ConfigurationError(
            f"Expected an image_size of multiples of {factor}, such as (96, 96). Received: {size}, factor={factor!r}."
        )
    channels = 3 if channels is None else channels
    if channels not in (1, 3):
        raise ConfigurationError(f"Expected 1 or 3 channels. Received: channels={channels!r}.")
    if isinstance(source, (str, Path)) and Path(source).expanduser().is_dir():
        images, about = _from_folder(Path(source).expanduser(), split, size, channels)
    else:
        whole = load(
            source, split=split, channels=channels, batch_size=1, labels=False, download=download, data_dir=data_dir
        )
        images, about = cut(whole.images, size), whole.about
    if len(images) == 0:
        raise DataError(f"Expected images of {size[0]}x{size[1]} or more. Received: only smaller ones in {source}.")
    rows = drawn_rows(len(images), take)
    if len(rows) < len(images):
        images, about = images[rows], {**about, "drawn": True}
    small = np.concatenate([make_small(images[i : i + AT_ONCE], factor) for i in range(0, len(images), AT_ONCE)])
    flip = split == "train" if augment is None else augment
    about = {**about, "patches": f"{size[0]}x{size[1]}", "degradation": f"bicubic, antialiased, {factor} times smaller"}
    return Patches(small, images, flip=flip, batch_size=batch_size, shuffle=shuffle, seed=seed, about=about)


def cut(images, size):
    """Images (N, height, width, channels) as the patches that fit without overlap, centered: (M, *size, channels)."""
    rows, columns = (side // patch for side, patch in zip(images.shape[1:3], size))
    top, left = ((side % patch) // 2 for side, patch in zip(images.shape[1:3], size))
    images = images[:, top : top + rows * size[0], left : left + columns * size[1]]
    images = images.reshape(len(images), rows, size[0], columns, size[1], images.shape[-1])
    return images.transpose(0, 1, 3, 2, 4, 5).reshape(-1, *size, images.shape[-1])


def _from_folder(folder, split, size, channels):
    """The patches of a folder's photographs."""
    layout, patches, left_out = read_layout(folder, split), [], []
    if layout.others:
        warnings.warn(layout.others, stacklevel=3)
    for path in shown(layout.files, f"Reading {folder}:"):
        try:
            with opened(path) as picture:
                picture = plain_alone(picture).convert(MODES[channels])
        except Exception as error:  # each of Pillow's readers has its own errors for damaged files
            left_out.append(f"{path.relative_to(folder)} ({format_error(error, longest=80)})")
            continue
        photo = np.asarray(picture, "uint8").reshape(1, picture.height, picture.width, channels)
        if min(picture.height - size[0], picture.width - size[1]) < 0:
            left_out.append(f"{path.relative_to(folder)} ({picture.width}x{picture.height} is too small)")
        else:
            patches.append(cut(photo, size))
    if left_out:
        named = ", ".join(left_out[:NAMED]) + (", ..." if len(left_out) > NAMED else "")
        warnings.warn(f"Left out {len(left_out)} of {len(layout.files)} files: {named}", stacklevel=3)
    images = np.concatenate(patches) if patches else np.zeros((0, *size, channels), "uint8")
    return images, {"name": folder.resolve().name, "source": "folder", "layout": layout.said}
