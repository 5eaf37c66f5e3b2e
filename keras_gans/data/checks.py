"""What `fit` and `evaluate` look at before the first step, so that bad data is an error with a remedy."""

import itertools
import math
import types

import keras
import numpy as np

from keras_gans.data.batches import Batches
from keras_gans.errors import ConfigurationError, DataError


def images_of(data):
    """The images of one batch, however it is packed: images, (images, labels, ...), or a TFDS dict with "image".

    Raises:
        DataError: a dict without the key "image".
    """
    if isinstance(data, (tuple, list)):
        data = data[0]
    if isinstance(data, dict):
        if "image" not in data:
            raise DataError(f"Expected a dict with the key 'image'. Received the keys: {sorted(data)}.")
        return data["image"]
    return data


def entry_of(data, key):
    """The entry `key` of a batch that is a dict, or None."""
    if isinstance(data, (tuple, list)):
        data = data[0]
    return data.get(key) if isinstance(data, dict) else None


def labels_of(data):
    """The labels of one batch: of (images, labels, ...) or a dict with "label"; None where there are none."""
    if isinstance(data, (tuple, list)) and len(data) > 1:
        return data[1]
    return entry_of(data, "label")


def check_images(images, image_shape):
    """Refuses images that the model cannot learn from.

    Args:
        images: one batch, a tensor or array (N, height, width, channels).
        image_shape: (height, width, channels) of the model.

    Raises:
        DataError: another shape or dtype, no image at all, values that are not finite or outside [-1, 1].
    """
    expected = f"(N, {', '.join(map(str, image_shape))})"
    shape = tuple(images.shape)
    if len(shape) != len(image_shape) + 1 or shape[1:] != tuple(image_shape):
        remedy = "Resize them (kg.data.load(..., image_size=...))"
        if shape == tuple(image_shape):
            remedy = "Of one image make a batch: images[None], or .batch(n) of a dataset"
        elif shape[1:] == tuple(image_shape[:-1]) and image_shape[-1] == 1:
            remedy = "Give grey images their channel: images[..., None]"
        elif len(shape) == len(image_shape) + 1:
            remedy += f" or build the model with image_shape={shape[1:]}"
        raise DataError(f"Expected images of shape {expected}. Received: {shape}. {remedy}.")
    if shape[0] == 0:
        raise DataError(f"Expected at least one image in a batch {expected}. Received: an empty batch.")
    values = keras.ops.convert_to_numpy(images)
    if values.dtype == "uint8":
        return
    if not np.issubdtype(values.dtype, np.floating):
        raise DataError(
            f"Expected images as uint8 in 0..255 or as floats in [-1, 1]. Received: dtype {values.dtype}. "
            'Convert them with .astype("uint8") if they are grey levels.'
        )
    if not np.isfinite(values).all():
        raise DataError(f"Expected finite values. Received: {int((~np.isfinite(values)).sum())} NaN or infinite ones.")
    low, high = float(values.min()), float(values.max())
    if low < -1.001 or high > 1.001:
        raise DataError(
            f"Expected floats in [-1, 1]. Received: values from {low:g} to {high:g}. Pass uint8 images as they are, "
            "or scale floats: x / 127.5 - 1."
        )


def check_tokens(tokens, shape, vocabulary):
    """Refuses rows of character ids that the model cannot learn from.

    Args:
        tokens: one batch, a tensor or array (N, length).
        shape: (length,) of the model.
        vocabulary: how many characters there are.

    Raises:
        DataError: another shape or dtype, no row at all, ids that name no character.
    """
    sizes = tuple(tokens.shape)
    if len(sizes) != 2 or sizes[1:] != tuple(shape):
        raise DataError(
            f"Expected rows of character ids of shape (N, {shape[0]}). Received: {sizes}. Make them with "
            f"kg.data.load_text(..., length={shape[0]}) or kg.data.encode_text."
        )
    if sizes[0] == 0:
        raise DataError(f"Expected at least one row of ids in a batch (N, {shape[0]}). Received: an empty batch.")
    values = keras.ops.convert_to_numpy(tokens)
    if not np.issubdtype(values.dtype, np.integer):
        raise DataError(f"Expected character ids as integers. Received: dtype {values.dtype}. Use kg.data.encode_text.")
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >= vocabulary:
        raise DataError(
            f"Expected character ids from 0 to {vocabulary - 1}. Received: values from {low} to {high}. Encode the "
            "text with the model's own alphabet."
        )


def first_batch(dataset):
    """The first batch of what `fit` was given and the data to go on with (a generator is put together again).

    Raises:
        DataError: there is no batch.
    """
    if isinstance(dataset, keras.utils.PyDataset):
        if dataset.num_batches == 0:
            raise DataError("Expected a dataset with at least one batch. Received: an empty PyDataset.")
        return dataset[0], dataset
    iterator = iter(dataset)
    try:
        batch = next(iterator)
    except StopIteration:
        raise DataError(
            "Expected a dataset with at least one batch. Received: an empty one. "
            "Fewer images than one batch and drop_remainder=True make it so."
        ) from None
    if isinstance(dataset, types.GeneratorType):
        # Keras takes generators alone, not every iterator, and from them tuples alone.
        return batch, (b if isinstance(b, tuple) else (b,) for b in itertools.chain([batch], iterator))
    return batch, dataset


def length_of(dataset):
    """How many batches there are, or None where nobody knows or there is no end."""
    if isinstance(dataset, keras.utils.PyDataset):
        return dataset.num_batches
    try:
        return len(dataset)
    except TypeError:
        return None


def check_dataset(
    x,
    example_shape,
    steps_per_epoch=None,
    smallest_batch=1,
    check=check_images,
    *,
    packing=1,
    labels=None,
    label_space=None,
    labels_needed=True,
):
    """Checks what `fit` was given; returns the data to train on.

    Arrays are checked whole by `check(examples, example_shape)`, anything else by its first batch. Labels, which for
    arrays are `labels`, are looked at where there is a `label_space`; those of `Batches` all.

    Raises:
        DataError: see `check_images`, `check_batch_size`, `LabelSpace.checked`, `first_batch`; fewer batches than
            `steps_per_epoch`; or no labels where they are needed.
    """
    if isinstance(x, (np.ndarray, list)) or keras.ops.is_tensor(x):
        x = np.asarray(x) if isinstance(x, list) else x
        if len(x) == 0:
            raise DataError("Expected at least one image. Received: an empty array.")
        check(x, example_shape)
        _check_labels(labels, label_space, labels_needed)
        return x
    if x is None or isinstance(x, (tuple, dict, str)):
        received = repr(x) if x is None or isinstance(x, str) else f"a {type(x).__name__} of arrays"
        raise DataError(
            f"Expected images, or batches of them. Received: {received}. "
            "Pass the images alone, or fit(images, labels); of a name or a folder what kg.data.load returns."
        )
    batch, x = first_batch(x)
    images = images_of(batch)
    check(images, example_shape)
    check_batch_size(images.shape[0], packing)  # of the first batch: the last one may be smaller
    if images.shape[0] < smallest_batch:
        raise DataError(
            f"Expected at least {smallest_batch} images a batch, so that each discriminator step has its own. "
            f"Received: {images.shape[0]}. Use larger batches or fewer discriminator_steps."
        )
    length = length_of(x)
    if steps_per_epoch and length is not None and not isinstance(x, Batches) and length < steps_per_epoch:
        raise DataError(
            f"Expected at least steps_per_epoch={steps_per_epoch} batches. Received: a dataset of {length}. "
            "Lower steps_per_epoch, leave it out, or add .repeat()."
        )
    labels = labels_of(batch)
    if isinstance(x, Batches) and labels is not None:
        labels = x.given_labels
    _check_labels(labels, label_space, labels_needed)
    return x


def check_batch_size(size, packing):
    """Refuses batches of which packs of `packing` images, judged together, would leave a rest each time.

    Raises:
        DataError: no whole number of 1 or more, or one that the packing does not divide.
    """
    if not is_whole(size, 1):
        raise DataError(f"Expected a batch_size of 1 or more. Received: {size!r}.")
    if size % packing:
        nearest = max(1, round(size / packing)) * packing
        raise DataError(
            f"Expected a batch_size that packs of {packing} divide. Received: {size}. Choose {nearest}: of a batch "
            "that is no whole number of packs the rest would never be seen."
        )


def _check_labels(labels, label_space, needed):
    if label_space is None:
        return
    if labels is not None:
        label_space.checked(labels)
    elif needed:
        raise DataError(
            f"Expected labels beside the images, {label_space}. Received: images alone. Pass fit(images, labels), "
            "batches of (images, labels), or, to a semi-supervised model, kg.data.semi_supervised(dataset) or "
            "kg.data.SemiSupervisedBatches, where few images have a label."
        )


def check_image_shape(image_shape):
    """Refuse with ConfigurationError what is not a (height, width, channels) of whole numbers."""
    sizes = tuple(image_shape) if isinstance(image_shape, (tuple, list)) else ()
    if len(sizes) != 3 or not all(is_whole(size, 1) for size in sizes):
        raise ConfigurationError(
            "Expected image_shape=(height, width, channels), three whole numbers of 1 or more. Received: "
            f"image_shape={image_shape!r}. Give grey images one channel: (28, 28, 1)."
        )


def is_number(value, least=-math.inf):
    """Whether a value is a finite number, `least` or more; True and False are none."""
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and least <= value < math.inf


def is_whole(value, least):
    """Whether a value is a whole number, `least` or more; True and False are none."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= least
