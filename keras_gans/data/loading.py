"""Images from wherever they are: a TFDS name, a folder, a NumPy file, arrays, or drawings that need no files."""

import difflib
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from keras_gans.data import drawn
from keras_gans.data.batches import Batches
from keras_gans.errors import ConfigurationError, DataError, DatasetNotFoundError

DRAWN = {"drawn:digits": drawn.digits, "drawn:shapes": drawn.shapes}
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
NAMED = 3  # unreadable files that a warning names

# Licences of data sets whose TFDS entry states none, for the cards.
LICENSES = {
    "mnist": "CC BY-SA 3.0",
    "cifar10": "research use, no explicit licence",
    "avatars": "design by Pablo Stanley, free for personal and commercial use",
    "drawn:digits": "Apache-2.0",
    "drawn:shapes": "Apache-2.0",
}


def load(
    source,
    *,
    split="train",
    image_size=None,
    channels=None,
    batch_size=64,
    take=None,
    labels=True,
    shuffle=True,
    seed=0,
    download=False,
    data_dir=None,
):
    """A data set of images, whole in memory, as shuffled batches for `fit`.

    Args:
        source: one of
            - an array (N, height, width, channels), or (images, labels);
            - the path of an `.npy` file, or of an `.npz` with `images` and, if there are any, `labels` (or `x_train`,
              `y_train`, with `x_test`, `y_test` for the split "test");
            - the path of a folder of images; folders inside it are classes, labelled by their place in sorted order;
            - "drawn:digits" or "drawn:shapes", drawn on the spot;
            - the name of a TFDS data set with a feature "image", such as "mnist" or "cifar10".
        split: of a TFDS data set or an `.npz` with several, such as "train", "test" or "train[:10%]".
        image_size: (height, width) to crop to the middle and resize to; None where all images have one size already.
        channels: 1 for grey or 3 for colour; None for what the images have.
        batch_size, shuffle, seed: see `Batches`.
        take: the first so many examples; None for all.
        labels: whether to keep the labels, where there are any.
        download: whether TFDS may download the data set where it is not prepared.
        data_dir: TFDS's folder; None for $TFDS_DATA_DIR, or TFDS's default.

    Returns:
        `Batches` of uint8 images; float images of arrays in [-1, 1] stay what they are.

    Raises:
        DatasetNotFoundError: nothing there; the message names the places and the remedies.
        DataError: images that cannot be read, or of several sizes without `image_size`.
        ConfigurationError: arguments out of range.

    Example:

    >>> batches = kg.data.load("drawn:digits", take=256, batch_size=64)
    >>> len(batches), batches.image_shape
    (4, (28, 28, 1))
    """
    if image_size is not None:
        drawn.checked_size(image_size)
    if channels not in (None, 1, 3):
        raise ConfigurationError(f"Expected channels of 1, 3 or None. Received: {channels!r}.")
    if take is not None and take < 1:
        raise ConfigurationError(f"Expected to take 1 example or more, or None. Received: take={take!r}.")
    if isinstance(source, (tuple, np.ndarray)):
        images, classes = source if isinstance(source, tuple) else (source, None)
        about = {"name": "array", "license": "of the array's owner"}
    elif source in DRAWN:
        options = {"image_size": image_size} if image_size else {}
        images, classes = DRAWN[source](take or 4096, seed=seed, **options)
        about = {"name": source, "version": "1", "license": LICENSES[source]}
    elif Path(source).is_dir():
        images, classes = _read_folder(Path(source), image_size, channels, take)
        about = {"name": Path(source).resolve().name, "license": "of the images' owners"}
    elif Path(source).suffix in (".npz", ".npy"):
        images, classes = _read_numpy(Path(source), split)
        about = {"name": Path(source).name, "split": split, "license": "of the file's owner"}
    elif os.sep in source.rstrip(os.sep) and (source.startswith((".", os.sep)) or source.count(os.sep) > 1):
        raise DatasetNotFoundError(f"Expected a folder of images or an .npz file. Received: {source}, which is not there.")
    else:
        images, classes, about = _read_tfds(source, split, take, download, data_dir)
    images = _shaped(images[:take], image_size, channels)
    classes = classes[:take] if labels and classes is not None else None
    about.update(examples=len(images), image_shape=list(images.shape[1:]))
    return Batches(images, classes, batch_size=batch_size, shuffle=shuffle, seed=seed, about=about)


def _shaped(images, image_size, channels):
    """An array (N, height, width, channels) of the size and channels asked for, from an array or a list of arrays."""
    shapes = sorted({np.shape(image) for image in images})
    if not shapes:
        raise DataError("Expected at least one image. Received: none.")
    wanted = image_size or shapes[0][:2]
    if image_size is None and len({shape[:2] for shape in shapes}) > 1:
        raise DataError(
            f"Expected images of one size. Received: sizes from {shapes[0][:2]} to {shapes[-1][:2]}. "
            "Pass image_size=(height, width), or --image-size."
        )
    if len(shapes[0]) != 3 or shapes[0][-1] not in (1, 3):
        if image_size or channels or len(shapes[0]) != 3:
            raise DataError(f"Expected images (height, width, channels) with 1 or 3 channels. Received: {shapes[0]}.")
        return np.asarray(images)
    same_channels = channels is None or {shape[-1] for shape in shapes} == {channels}
    if len(shapes) == 1 and shapes[0][:2] == tuple(wanted) and same_channels:
        return np.asarray(images)
    if np.asarray(images[0]).dtype != "uint8":
        raise DataError("Expected uint8 images to resize or to convert. Received: floats. Convert them first.")
    pictures = (Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image) for image in images)
    if channels is None:
        channels = max(shape[-1] for shape in shapes)
    return np.stack([_fitted(picture, wanted, channels) for picture in pictures])


def _fitted(picture, image_size, channels):
    """A Pillow image, cropped to the middle and resized, as uint8 (height, width, channels)."""
    height, width = image_size
    if picture.size != (width, height):
        picture = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    return np.asarray(picture.convert("L" if channels == 1 else "RGB")).reshape(height, width, channels)


def _read_folder(folder, image_size, channels, take):
    """Images and labels of the files below `folder`, in sorted order; unreadable ones are left out with a warning."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    classes = sorted({path.relative_to(folder).parts[0] for path in files if path.parent != folder})
    images, labels, unreadable = [], [], []
    for path in files:
        if take is not None and len(images) == take:
            break
        try:
            with Image.open(path) as opened:
                picture = _plain(ImageOps.exif_transpose(opened))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            unreadable.append(f"{path.relative_to(folder)} ({error})")
            continue
        size = image_size or picture.size[::-1]
        images.append(_fitted(picture, size, channels or (1 if picture.mode == "L" else 3)))
        name = path.relative_to(folder).parts[0]
        labels.append(classes.index(name) if path.parent != folder else len(classes))
    if not images:
        raise DataError(
            f"Expected images ({', '.join(ENDINGS)}) in {folder}. Received: {len(files)} files of that kind, "
            f"{len(unreadable)} of them unreadable."
        )
    if unreadable:
        shown = ", ".join(unreadable[:NAMED]) + (", ..." if len(unreadable) > NAMED else "")
        warnings.warn(f"Left out {len(unreadable)} of {len(files)} files that cannot be read: {shown}", stacklevel=3)
    return images, np.array(labels, "int64") if classes else None


def _plain(picture):
    """A picture in 8 bits, grey or colour; what is transparent becomes white."""
    if picture.mode in ("I", "I;16", "I;16B", "F"):  # 16 bits
        values = np.asarray(picture, "float64")
        return Image.fromarray(np.clip(values / (256.0 if values.max() > 255 else 1.0), 0, 255).astype("uint8"))
    if picture.mode in ("1", "L"):
        return picture.convert("L")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture.convert("RGB")


def _read_numpy(path, split):
    if not path.is_file():
        raise DatasetNotFoundError(f"Expected a NumPy file. Received: {path}, which is not there.")
    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return content, None
        for images, labels in (("images", "labels"), (f"x_{split}", f"y_{split}")):
            if images in content:
                return content[images], content[labels] if labels in content else None
        names = content.files
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"Expected a NumPy file of plain arrays. Received: {path}: {error}") from error
    raise DataError(f"Expected an array named images, or x_{split}, in {path}. Received: {', '.join(names) or 'none'}.")


def _read_tfds(name, split, take, download, data_dir):
    """Images, labels and what is known of a TFDS data set."""
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DatasetNotFoundError(
            f"Expected tensorflow-datasets, to read {name!r}. Received: {error}. Install tensorflow-datasets and "
            "tensorflow, or pass a folder, an .npz file or arrays."
        ) from error
    root = Path(data_dir or os.environ.get("TFDS_DATA_DIR") or tfds.core.constants.DATA_DIR).expanduser()
    if not download and not any((root / name).rglob("dataset_info.json")):
        # TFDS itself would try the network for minutes.
        prepared = sorted({str(path.parents[1].relative_to(root)) for path in root.glob("*/**/dataset_info.json")})
        close = difflib.get_close_matches(name, prepared, n=3)
        raise DatasetNotFoundError(
            f"Expected the data set {name!r} in {root}. Received: {'no such folder' if not root.is_dir() else prepared}. "
            + (f"Did you mean {' or '.join(close)}? " if close else "")
            + "Set TFDS_DATA_DIR to where it is, pass download=True (--download), or give a folder of images."
        )
    try:
        builder = tfds.builder(name, data_dir=str(root))
        if download:
            builder.download_and_prepare()
        reading = tfds.ReadConfig(interleave_cycle_length=1)  # the files' own order
        data = builder.as_dataset(split=split, shuffle_files=False, read_config=reading)
    except (ValueError, AssertionError, KeyError, tfds.core.DatasetNotFoundError) as error:
        raise DatasetNotFoundError(f"Expected {name!r}, split {split!r}, of TFDS in {root}. Received: {error}") from error
    if "image" not in builder.info.features:
        raise DataError(f"Expected a data set with the feature 'image'. Received: {list(builder.info.features)}.")
    examples = list(tfds.as_numpy(data if take is None else data.take(take)))
    classes = [example["label"] for example in examples] if "label" in builder.info.features else None
    about = {
        "name": name,
        "version": str(builder.info.version),
        "split": split,
        "license": LICENSES.get(name) or builder.info.redistribution_info.license or "see the data set's citation",
    }
    return [example["image"] for example in examples], None if classes is None else np.array(classes), about
