"""How well label maps agree with the true ones: pixel accuracy, class accuracy and the mean intersection over union."""

import numpy as np

from keras_gans.errors import ConfigurationError, DataError
from keras_gans_core.checks import is_whole


def confusion(*, real, fake, classes):
    """How many pixels of each true class were given which class, int64 (classes, classes): rows are true classes.

    Args:
        real, fake: label maps (N, height, width) of one shape, whole numbers from 0 to classes - 1.
        classes: how many there are.

    Raises:
        ConfigurationError: no number of classes.
        DataError: maps of two shapes, no pixels, or values that are no class.

    Example:

    >>> confusion(real=np.array([[[0, 0, 1]]]), fake=np.array([[[0, 1, 1]]]), classes=2).tolist()
    [[1, 1], [0, 1]]
    """
    if not is_whole(classes, 1):
        raise ConfigurationError(f"Expected 1 class or more. Received: classes={classes!r}.")
    real, fake = np.asarray(real), np.asarray(fake)
    if real.shape != fake.shape or real.size == 0:
        raise DataError(f"Expected label maps of one shape, with pixels. Received: {real.shape} and {fake.shape}.")
    for maps in (real, fake):
        if maps.dtype.kind not in "iu" or maps.min() < 0 or maps.max() >= classes:
            raise DataError(
                f"Expected whole numbers from 0 to {classes - 1}. Received: {maps.dtype}, {maps.min()} to {maps.max()}."
            )
    pairs = real.astype("int64").ravel() * classes + fake.astype("int64").ravel()
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def segmentation_scores(*, real, fake, classes):
    """The scores of label maps that pix2pix reports, each in [0, 1].

    With n_ij pixels of the true class i that were given the class j:

        pixel_accuracy = sum_i n_ii / sum_ij n_ij
        class_accuracy = mean over the true classes i of  n_ii / sum_j n_ij
        mean_iou       = mean over the classes i of  n_ii / (sum_j n_ij + sum_j n_ji - n_ii)

    Classes that the true maps do not have are left out of both means.

    Args:
        real, fake, classes: see `confusion`.

    Returns:
        {"pixel_accuracy": ..., "class_accuracy": ..., "mean_iou": ...}

    Example:

    >>> segmentation_scores(real=np.array([[[0, 0, 0, 1]]]), fake=np.array([[[0, 0, 1, 1]]]), classes=2)
    {'pixel_accuracy': 0.75, 'class_accuracy': 0.8333333333333333, 'mean_iou': 0.5833333333333333}

    Reference: Long et al., 2015, https://arxiv.org/abs/1411.4038, as used by Isola et al., 2017 (pix2pix),
    https://arxiv.org/abs/1611.07004
    """
    counts = confusion(real=real, fake=fake, classes=classes)
    right, true, given = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    seen = true > 0
    right, true, given = right[seen], true[seen], given[seen]
    return {
        "pixel_accuracy": float(right.sum() / counts.sum()),
        "class_accuracy": float(np.mean(right / true)),
        "mean_iou": float(np.mean(right / (true + given - right))),
    }
