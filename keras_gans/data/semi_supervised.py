"""Few labels and many images: batches of both, in an order that is a pure function of seed and step."""

import numpy as np

from keras_gans.data.batches import Batches
from keras_gans.errors import ConfigurationError, DataError

UNLABELLED = -1


class SemiSupervisedBatches(Batches):
    """Batches of all images together with equally large batches of the labelled ones.

    A batch is a dict:

    - "images": the images of `Batches`, labelled and unlabelled ones, each once per epoch;
    - "matched_images": as many, in a second order drawn independently;
    - "labelled_images" and "labels": as many labelled images. There are few of them, so they repeat, each as often as
      the others: one permutation after another, drawn from the seed, across the ends of epochs.

    Args:
        images: array (N, height, width, channels), uint8 or float32 in [-1, 1].
        labels: whole numbers (N,): the class, counted from 0, or -1 if it is not known.
        batch_size, shuffle, seed, about, workers, use_multiprocessing, ahead: see `Batches`.

    Raises:
        DataError: labels that are not classes, no known label, or what `Batches` refuses.

    Example:

    >>> labels = np.array([0, -1, -1, 1, -1, -1])
    >>> batches = SemiSupervisedBatches(np.zeros((6, 8, 8, 1), "uint8"), labels, batch_size=4)
    >>> sorted(batches[0]["labels"].tolist())
    [0, 0, 1, 1]
    """

    def __init__(self, images, labels, **kwargs):
        super().__init__(images, labels, **kwargs)
        labels = np.asarray(labels)
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or labels.min() < UNLABELLED:
            raise DataError(
                "Expected one whole number for each image: its class, counted from 0, or -1 if it is not known. "
                f"Received: {labels.dtype} {labels.shape}, from {labels.min()} to {labels.max()}."
            )
        self._drawn_to_match = None, None  # the epoch whose second order was requested last, and that order
        self.known = np.flatnonzero(labels != UNLABELLED)
        if len(self.known) == 0:
            raise DataError("Expected at least one labelled image. Received: none.")

    @property
    def given_labels(self):
        """The known labels."""
        return self.labels[self.known]

    def _permutation(self, count, *words):
        if not self.shuffle:
            return np.arange(count)
        return np.random.Generator(np.random.PCG64([self.seed, *words])).permutation(count)

    def reseeded(self, seed):
        other = super().reseeded(seed)
        other._drawn_to_match = None, None
        return other

    def at(self, step):
        """The batch of a training step, counted from 0."""
        images = super().at(step)["images"]
        epoch, index = divmod(step, len(self))
        # The last numbers in the seeds, 1 and 2, keep these streams apart from that of `order`, which has none.
        drawn = self._drawn_to_match
        if drawn[0] != epoch:  # in a variable of its own: several threads may be here
            drawn = self._drawn_to_match = epoch, self._permutation(len(self.images), epoch, 1)
        matched = drawn[1][index * self.batch_size : (index + 1) * self.batch_size]
        first, count = step * self.batch_size, len(self.known)
        rounds = range(first // count, (first + self.batch_size - 1) // count + 1)
        stream = np.concatenate([self.known[self._permutation(count, i, 2)] for i in rounds])
        labelled = stream[first - rounds[0] * count :][: self.batch_size]
        return {
            "images": images,
            "labels": self.labels[labelled],
            "labelled_images": self.images[labelled],
            "matched_images": self.images[matched],
        }


def semi_supervised(dataset, labels_per_class=10, seed=0):
    """The same images with only a few of the labels: equally many of each class, drawn by `seed`.

    Args:
        dataset: labelled `Batches`, such as `kg.data.load` returns.
        labels_per_class: images of each class that keep their label, 1 or more.
        seed: whole number, 0 or more; determines which images these are.

    Returns:
        `SemiSupervisedBatches` with the dataset's batch size, order and facts.

    Raises:
        ConfigurationError: labels_per_class below 1, or a seed that is not a whole number of 0 or more.
        DataError: a dataset without labels, or fewer images of a class than labels_per_class.

    Example:

    >>> dataset = kg.data.load("drawn:digits", take=200, batch_size=20)
    >>> batches = semi_supervised(dataset, labels_per_class=2)
    >>> sorted(batches[0]["labels"].tolist()) == sorted([*range(10), *range(10)])
    True

    Reference: the protocol of Salimans et al., 2016, section 6.1, https://arxiv.org/abs/1606.03498
    """
    for name, value, least in (("labels_per_class", labels_per_class, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ConfigurationError(f"Expected {name} to be a whole number, {least} or more. Received: {value!r}.")
    if not isinstance(dataset, Batches) or dataset.labels is None:
        raise DataError(
            f"Expected labelled Batches, such as kg.data.load(..., labels=True) returns. Received: {dataset!r}."
        )
    labels = np.full(len(dataset.images), UNLABELLED)
    order = np.random.Generator(np.random.PCG64(int(seed))).permutation(len(labels))
    for kind in np.unique(dataset.labels):
        chosen = order[dataset.labels[order] == kind][:labels_per_class]
        if len(chosen) < labels_per_class:
            raise DataError(
                f"Expected at least {labels_per_class} images of each class. Received: {len(chosen)} of class {kind}. "
                "Lower labels_per_class or take more images."
            )
        labels[chosen] = kind
    return SemiSupervisedBatches(
        dataset.images,
        labels,
        batch_size=dataset.batch_size,
        shuffle=dataset.shuffle,
        seed=dataset.seed,
        about={**dataset.about, "labels_per_class": int(labels_per_class), "labels_seed": int(seed)},
        **dataset.decoding,
    )
