"""Images with captions: from TFDS, from folders with text beside the images, and from arrays.

a.png a.txt             a text file of the image's name; each line is a caption
metadata.jsonl, .csv    Hugging Face's image folders: a file_name and a column with the caption, or a list of them
"""

import csv
import os
import re
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from keras_gans.data import loading
from keras_gans.data.batches import Batches, drawn_rows
from keras_gans.data.drawn import checked_size
from keras_gans.data.layouts import LABEL_FILES, columns_of, metadata_rows, names_without_file, read_layout
from keras_gans.errors import ConfigurationError, DataError, DatasetNotFoundError
from keras_gans.fields import Prompts, words_of
from keras_gans_core.cards import did_you_mean
from keras_gans_core.checks import is_whole
from keras_gans_core.errors import format_error, printable

COLUMNS = ("caption", "text")  # of metadata, without a name that the user gives
METADATA = LABEL_FILES[1:]
NAMED = 5  # files or words that a message names


class CaptionedBatches(Batches):
    """Batches of images and prompts, with one of an image's captions and a flip from left to right at random.

    Both are a function of the seed and the step, so that an interrupted training continues with the same examples.

    Args:
        images: array (N, height, width, channels).
        prompts: word ids (N, length); or (N, captions, length), where rows of zeros fill up, the last.
        flip: whether to mirror images, each with probability 1/2.
        batch_size, shuffle, seed, about: see `Batches`.

    Example:

    >>> images, ids = np.zeros((4, 8, 8, 3), "uint8"), np.ones((4, 2, 5), "int32")
    >>> {name: array.shape for name, array in CaptionedBatches(images, ids, batch_size=2)[0].items()}
    {'images': (2, 8, 8, 3), 'prompts': (2, 5)}
    """

    def __init__(self, images, prompts, *, flip=False, batch_size=24, shuffle=True, seed=0, about=None):
        super().__init__(images=images, prompts=prompts, batch_size=batch_size, shuffle=shuffle, seed=seed, about=about)
        self.flip = flip

    def at(self, step):
        batch = super().at(step)
        generator = np.random.Generator(np.random.PCG64([self.seed, step, 1]))
        flipped, place = generator.random((2, self.batch_size))
        if self.flip:
            mirrored = flipped[:, None, None, None] < 0.5
            batch["images"] = np.where(mirrored, batch["images"][:, :, ::-1], batch["images"])
        if batch["prompts"].ndim == 3:
            counts = (batch["prompts"] > 0).any(axis=2).sum(axis=1)
            chosen = (place * counts).astype(int)
            batch["prompts"] = batch["prompts"][np.arange(self.batch_size), chosen]
        return batch


def load_captions(
    source,
    *,
    split="train",
    caption=None,
    vocabulary=None,
    length=None,
    image_size=None,
    channels=None,
    augment=None,
    batch_size=24,
    take=None,
    shuffle=True,
    seed=0,
    download=False,
    data_dir=None,
):
    """Loads images and their captions into memory, as batches for `StackGAN`.

    Args:
        source: one of
            - a TFDS name with features "image" and "caption";
            - a folder of images with captions: for each image a text file of its name, with one caption on each line;
              or `metadata.jsonl` or `metadata.csv`. See `kg.data.load` for splits and for what is done
              about unusual images;
            - (images, captions): an array, and for each image a text or a list of them.
        split: as in `kg.data.load`.
        caption: the feature, or the column of the metadata, with the captions; None for "caption" or, in metadata,
            "text".
        vocabulary: the words that captions may have, such as a model's `prompts.vocabulary`. Others are left out, with
            a warning that names some. None for all words of the captions, sorted; with augment=False of each image's
            first caption alone.
        length: the largest number of words. Longer captions are cut, with a warning that counts them. None for that of
            the longest caption.
        image_size, channels: see `kg.data.load`.
        augment: whether to mirror images at random, and to take one of an image's captions at random instead of the
            first; None: only for the split "train".
        batch_size, shuffle, seed: see `CaptionedBatches`.
        take: see `kg.data.load`.
        download, data_dir: see `kg.data.load`.

    Returns:
        `CaptionedBatches`; `about["vocabulary"]` and `about["length"]` are what `kg.fields.Prompts` and the model need.

    Raises:
        DatasetNotFoundError: nothing is found.
        DataError: images without a caption, captions without an image in metadata, captions without a word, a folder
            with captions in two places, or what `kg.data.load` refuses.
        ConfigurationError: arguments out of range, or a `caption` where captions have no names.

    Warns:
        UserWarning: words or ends of captions that are left out; files that cannot be read.

    Example:

    >>> images = np.zeros((2, 8, 8, 3), "uint8")
    >>> batches = load_captions((images, ["a red hat", "no hat"]), batch_size=2, augment=False, shuffle=False)
    >>> batches.about["vocabulary"], batches[0]["prompts"].tolist()
    (['a', 'hat', 'no', 'red'], [[1, 4, 2], [3, 2, 0]])
    """
    image_size = None if image_size is None else checked_size(image_size)
    loading.check_channels(channels)
    if take is not None and not is_whole(take, 1):
        raise ConfigurationError(f"Expected to take 1 image or more, or None. Received: take={take!r}.")
    if not is_whole(seed, 0):
        raise ConfigurationError(f"Expected a seed that is a whole number, 0 or more. Received: {seed!r}.")
    if caption is not None and not isinstance(caption, str):
        raise ConfigurationError(f"Expected the name of a feature or column as caption. Received: {caption!r}.")
    if isinstance(source, tuple):
        images, captions, names, about = _from_arrays(source, split, caption)
    elif not isinstance(source, (str, os.PathLike)):
        raise DataError(
            f"Expected the name of a data set, a folder, or (images, captions). Received: {type(source).__name__}."
        )
    elif str(source).startswith("drawn:"):
        raise DataError(
            f"Expected images with captions. Received: {source!r}, which has none. Name a folder with a text file for "
            "each image, or another data set (--data)."
        )
    elif os.path.isdir(path := Path(os.path.expanduser(source))) and source != "":
        images, captions, names, about = _from_folder(path, split, caption, image_size, channels, take)
    elif isinstance(source, os.PathLike) or os.path.exists(path) or not re.fullmatch(loading.TFDS_NAME, source):
        raise DatasetNotFoundError(
            f"Expected a folder of images with captions, or the name of a data set. Received: {str(source)!r}. Looked "
            f"in: {path.absolute().parent}."
        )
    else:
        images, captions, names, about = _from_tfds(source, split, caption, take, download, data_dir)
    if len(images) != len(captions):
        raise DataError(
            f"Expected as many captions as images, one for each of {len(images)}. Received: {len(captions)} captions."
        )
    if take is not None and len(images) > take:
        rows, about["drawn"] = drawn_rows(len(images), take), True
        images, captions = images[rows], [captions[row] for row in rows]
        names = names and [names[row] for row in rows]
    augment = split == "train" if augment is None else augment
    captions = _as_lists(captions, names)
    captions = captions if augment else [texts[:1] for texts in captions]
    prompts, ids = _ids(captions, names, vocabulary, length)
    images = loading._shaped(images, image_size, channels)
    about.update(split=split, examples=len(images), image_shape=list(images.shape[1:]))
    about.update(vocabulary=list(prompts.vocabulary), length=prompts.length)
    about.setdefault("license", f"of the {about['source']}'s owner")
    return CaptionedBatches(images, ids, flip=augment, batch_size=batch_size, shuffle=shuffle, seed=seed, about=about)


# Sources: images, captions, names of files or None, and a description


def _from_arrays(source, split, caption):
    if len(source) != 2:
        raise DataError(f"Expected (images, captions). Received: a tuple of {len(source)}.")
    if caption is not None:
        raise ConfigurationError(f"Expected no caption= for arrays, which have no names. Received: {caption!r}.")
    images, captions = source
    if isinstance(captions, str):
        raise DataError("Expected a caption for each image, a list. Received: one text.")
    about = {"name": "array", "source": "array"}
    images, captions, about = loading._one_split(split, "An array", (np.asarray(images), captions, about))
    captions = captions.tolist() if isinstance(captions, np.ndarray) else list(captions)
    return images, captions, None, about


def _from_tfds(source, split, caption, take, download, data_dir):
    images, texts, about = loading.read_tfds("image", source, split, take, download, data_dir, caption or "caption")
    about.pop("classes", None)
    if not all(isinstance(text, bytes) for text in texts):
        raise DataError(
            f"Expected a feature of {source} with text, a caption for each image. Received: {caption or 'caption'!r}, "
            f"such as {texts[0]!r:.60}."
        )
    about["captions"] = caption or "caption"
    return images, [text.decode("utf-8") for text in texts], None, about


def _from_folder(folder, split, caption, image_size, channels, take):
    layout = read_layout(folder, split)
    beside = [path.with_suffix(".txt").is_file() for path in layout.files]
    metadata = [_metadata_of(path, folder) for path in layout.files]
    if any(beside) and caption is None:
        if any(metadata) and any(_column(source, None) for source in {*metadata} - {None}):
            raise DataError(
                f"Expected captions in one place. Received: {folder}, with text files beside images and captions in "
                f"{next(filter(None, metadata)).name}. Move one of them away, or name a column: caption='text'."
            )
        captions, told = [_lines(path) if there else None for path, there in zip(layout.files, beside)], "text files"
    elif any(metadata):
        captions, told = _of_metadata(folder, layout.files, metadata, caption)
    elif any(beside):
        raise ConfigurationError(
            f"Expected no caption= for {folder}, whose captions are in text files beside the images. Received: "
            f"{caption!r}. Leave it out, or add {' or '.join(METADATA)} with this column."
        )
    else:
        raise DataError(
            f"Expected captions in {folder}: a text file of the same name beside each image, or "
            f"{' or '.join(METADATA)} with a column {' or '.join(map(repr, COLUMNS))}. Received: neither."
        )
    names = [printable(str(path.relative_to(folder))) for path in layout.files]
    if missing := [name for name, texts in zip(names, captions) if texts is None]:
        raise DataError(
            f"Expected a caption for each image in {folder}. Received: {len(missing)} of {len(names)} images without "
            f"one: {_listed(missing)}. Add captions, or move these images away."
        )
    layout.said += f", captions of {told}"
    images, read, about = loading.read_files(folder, layout, image_size, channels, take)
    return images, [captions[i] for i in read], [names[i] for i in read], about


def _metadata_of(path, folder):
    """The metadata file that is nearest above an image, or None."""
    for place in path.parents:
        for name in METADATA:
            if (place / name).is_file():
                return place / name
        if place == folder:
            return None
    return None


def _lines(path):
    text = path.with_suffix(".txt")
    try:
        return [line for line in text.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    except (OSError, ValueError) as error:
        raise DataError(
            f"Expected captions in UTF-8. Received: {text}: {format_error(error, longest=80)}. Convert it, for "
            "instance with iconv."
        ) from error


def _rows(source):
    try:
        return metadata_rows(source)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        raise DataError(
            f"Expected the file of each image, and its caption. Received: {source}: {format_error(error, longest=80)}. "
            "Mend it, or move it away."
        ) from error


def _column(source, caption):
    """The column with the captions of a metadata file, and all columns; None where it has none."""
    columns = columns_of(_rows(source))
    if caption is not None:
        return caption if caption in columns else None
    return next((name for name in COLUMNS if name in columns), None)


def _of_metadata(folder, files, metadata, caption):
    """The captions of files, None where there is none, and where they are from, in words."""
    known, found = {}, []
    for path, source in zip(files, metadata):
        if source is None:
            found.append(None)
            continue
        if source not in known:
            rows, column = _rows(source), _column(source, caption)
            if column is None:
                columns = columns_of(rows)
                wanted = repr(caption) if caption else " or ".join(map(repr, COLUMNS))
                raise DataError(
                    f"Expected a column {wanted} in {source}. Received: {_listed(columns) or 'none'}. "
                    f"{did_you_mean(caption or COLUMNS[0], columns)} Name it: caption=, or --label-feature.".replace(
                        "  ", " "
                    )
                )
            if absent := names_without_file(source, rows):
                raise DataError(
                    f"Expected a file for each caption in {source}. Received: {len(absent)} names without a file, such "
                    f"as {printable(absent[0])!r:.300}. Add these files, or remove their rows."
                )
            known[source] = rows, column
        rows, column = known[source]
        row = rows.get(path.relative_to(source.parent).as_posix())
        found.append(None if row is None or row.get(column) in (None, "") else row[column])
    return found, ", ".join(f"{source.name}, column {column}" for source, (_, column) in list(known.items())[:1])


# Captions to ids


def _as_lists(captions, names):
    """A list of captions for each image."""
    lists = [[one] if isinstance(one, str) else one for one in captions]
    for i, texts in enumerate(lists):
        if not isinstance(texts, (list, tuple)) or not texts or not all(isinstance(text, str) for text in texts):
            raise DataError(
                f"Expected a text, or a list of texts, for each image. Received:{_at(names, i)} {texts!r:.60}."
            )
    return lists


def _ids(captions, names, vocabulary, length):
    """The `Prompts` of captions, and their ids: (N, length), or (N, captions, length) where images have several."""
    words = [[words_of(text) for text in texts] for texts in captions]
    for i, lists in enumerate(words):
        if not all(lists):
            empty = captions[i][lists.index([])]
            raise DataError(
                f"Expected captions with a word or more. Received:{_at(names, i)} {printable(empty)!r:.60}."
            )
    if vocabulary is None:
        vocabulary = sorted({word for lists in words for one in lists for word in one})
    elif isinstance(vocabulary, (list, tuple)):
        vocabulary = list(vocabulary)
    prompts = Prompts(vocabulary, 1 if length is None else length)
    unknown = Counter(word for lists in words for one in lists for word in one if word not in prompts.places)
    if unknown:
        kept = [[[word for word in one if word in prompts.places] for one in lists] for lists in words]
        for i, lists in enumerate(kept):
            if not all(lists):
                empty = captions[i][lists.index([])]
                raise DataError(
                    f"Expected captions of words in the vocabulary. Received:{_at(names, i)} {printable(empty)!r:.60}, "
                    "none of whose words is in it. Pass the vocabulary of these captions, or leave the image out."
                )
        shown = [f"{printable(word)!r} ({count} times)" for word, count in unknown.most_common(NAMED)]
        warnings.warn(
            f"Left out {len(unknown)} words that are not in the vocabulary: {', '.join(shown)}"
            f"{', ...' if len(unknown) > NAMED else ''}.",
            stacklevel=3,
        )
        words = kept
    longest = max(len(one) for lists in words for one in lists)
    if length is None:
        prompts = Prompts(vocabulary, longest)
    if cut := sum(len(one) > prompts.length for lists in words for one in lists):
        warnings.warn(f"Cut {cut} captions to {prompts.length} words; the longest has {longest}.", stacklevel=3)
    most = max(map(len, words))
    ids = np.zeros((len(words), most, prompts.length), "int32")
    for row, lists in zip(ids, words):
        for place, one in zip(row, lists):
            known = [prompts.places[word] for word in one[: prompts.length]]
            place[: len(known)] = known
    return prompts, ids[:, 0] if most == 1 else ids


def _at(names, index):
    return f" of image {index}," if names is None else f" of {names[index]},"


def _listed(names):
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
