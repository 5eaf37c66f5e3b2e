"""Clips from animations, folders of frames and arrays, as batches of a few frames and the next one."""

import os
import re
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from keras_gans.data.arrays import is_npz, read_npy, read_npz
from keras_gans.data.batches import Batches, drawn_rows
from keras_gans.data.decoding import MODES, allocated, fitted, plain_alone
from keras_gans.data.drawn import checked_size
from keras_gans.data.folders import endings, formats, image_files, is_hidden, named_images
from keras_gans.data.layouts import SPLITS
from keras_gans.data.moving import moving_digits, moving_photos
from keras_gans.data.progress import shown
from keras_gans.errors import ConfigurationError, DataError, DatasetNotFoundError
from keras_gans_core import memory
from keras_gans_core.checks import is_whole
from keras_gans_core.errors import format_error, printable

MADE = {"moving_digits": moving_digits, "moving_photos": moving_photos}
MADE_OF = {"moving_digits": "MNIST (CC BY-SA 3.0)", "moving_photos": "photo_patches (CC BY-SA)"}
MADE_SEEDS = {"train": 0, "test": 1}
LATER = 8  # frames after a clip that examples have, if the data are long enough
NAMED = 5  # clips that an error names


class ClipBatches(Batches):
    """Batches of clips of a few frames, and the frame that comes next: {"clips": ..., "frames": ...}.

    Args:
        whole: array (N, length, height, width, channels), uint8 or floats in [-1, 1], the oldest frame first.
        context: frames of a clip in a batch.
        anywhere: whether a clip begins at a random frame of the example, as late as its length allows: a function of
            the seed and the step. Otherwise it begins at the first.
        batch_size, shuffle, seed, about: see `Batches`.

    Attributes:
        arrays: {"clips": (N, context, ...), "frames": (N, ...)} and, if there are more frames, these as "later":
            (N, length - context - 1, ...).

    Raises:
        DataError: an array of another shape, or too few frames.

    Example:

    >>> batches = ClipBatches(np.zeros((6, 9, 8, 8, 1), "uint8"), batch_size=2)
    >>> {name: array.shape for name, array in batches[0].items()}
    {'clips': (2, 4, 8, 8, 1), 'frames': (2, 8, 8, 1)}
    """

    def __init__(self, whole, *, context=4, anywhere=False, batch_size=16, shuffle=True, seed=0, about=None):
        whole = np.asarray(whole)
        if whole.ndim != 5 or whole.shape[1] < context + 1:
            raise DataError(
                f"Expected clips (N, length, height, width, channels) of {context + 1} frames or more: {context} to "
                f"see, and the next. Received: {whole.shape}."
            )
        parts = {"clips": whole[:, :context], "frames": whole[:, context]}
        if whole.shape[1] > context + 1:
            parts["later"] = whole[:, context + 1 :]
        super().__init__(batch_size=batch_size, shuffle=shuffle, seed=seed, about=about, **parts)
        self.anywhere = anywhere

    @property
    def image_shape(self):
        """(height, width, channels) of a frame."""
        return tuple(self.arrays["frames"].shape[1:])

    def at(self, step):
        batch = super().at(step)
        later = batch.pop("later", None)
        if not self.anywhere or later is None:
            return batch
        whole, context = np.concatenate([batch["clips"], batch["frames"][:, None], later], 1), batch["clips"].shape[1]
        generator = np.random.Generator(np.random.PCG64([self.seed, step, 1]))
        starts = generator.integers(0, later.shape[1] + 1, len(whole))
        clips = np.stack([clip[start : start + context + 1] for clip, start in zip(whole, starts)])
        return {"clips": clips[:, :context], "frames": clips[:, context]}


def read_clip(path, image_size=None, channels=None):
    """The frames of one clip from files.

    Args:
        path: an animation (GIF, WebP or animated PNG), or a folder of images, which are its frames, sorted by name with
            2 before 10. A still image that a PNG has beside its animation is no frame.
        image_size: (height, width) to which frames are center-cropped and resized; None keeps their own.
        channels: 1 or 3; None for grey if all frames are grey, else colour. Grey frames become coloured, not the other
            way round.

    Returns:
        uint8 (frames, height, width, channels). Transparent areas become white.

    Raises:
        DatasetNotFoundError: nothing is there.
        DataError: files that cannot be read, an animation with one frame, an empty folder, frames of several sizes or
            two of one name, colour where grey is asked for; or a clip that does not fit into memory.
    """
    path = Path(os.path.expanduser(path))
    if image_size is not None:
        image_size = checked_size(image_size)
    if os.path.isdir(path):
        (files, note), folders = named_images(path), _folders_in(path)
        if note:
            warnings.warn(note, stacklevel=2)
        if not files:
            below = " Give one of its folders, which may hold some." if folders else ""
            raise DataError(f"Expected frames ({', '.join(endings())}) in {path}. Received: none.{below}")
        if folders:
            named = printable(", ".join(folder.name for folder in folders[:NAMED]))
            warnings.warn(f"Left out folders in {printable(str(path))}, beside a clip's frames: {named}.", stacklevel=2)
        pictures, count = (_still(file) for file in sorted(files.values(), key=_natural)), len(files)
    elif os.path.isfile(path):
        count = frame_count(path)
        if count < 2:
            raise DataError(
                f"Expected an animation of several frames. Received: {path}, which has one. Give a GIF, a WebP or an "
                "animated PNG, or the folder of the frames."
            )
        return _reading(path, lambda picture: _stacked(path, _frames(picture), count, image_size, channels))
    else:
        raise DatasetNotFoundError(
            f"Expected an animation or a folder of frames. Received: {path}, which is not there."
        )
    return _stacked(path, pictures, count, image_size, channels)


def frame_count(path):
    """How many frames an image file has: 1 for a still image.

    Raises:
        DataError: a file that is not an image.
    """
    return _reading(path, lambda picture: len(_numbers(picture)))


def _numbers(picture):
    """The numbers of an opened file's frames, as Pillow counts its images."""
    if picture.format == "MPO":  # a camera's JPEG, with previews or depth after the photograph
        return range(1)
    count = getattr(picture, "n_frames", 1)
    beside = getattr(picture, "default_image", False)  # image 0 of a PNG is what programs without animations show
    return range(1 if beside and count > 1 else 0, count)


def _reading(path, read):
    """What `read` returns for an opened image file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's warnings about damaged animations
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=formats()) as picture:
                return read(picture)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # each of Pillow's readers has its own errors for damaged files
        raise DataError(
            f"Expected {path} to be an image or an animation. Received: {format_error(error, longest=80)}."
        ) from error


def _still(path):
    """(name, picture) of a file of one frame."""
    if frame_count(path) > 1:
        raise DataError(
            f"Expected frames, one image each, in {path.parent}. Received: {path.name}, an animation. Give the "
            "animation itself, or put each clip's frames into a folder of its own."
        )
    return path.name, _reading(path, lambda picture: plain_alone(ImageOps.exif_transpose(picture)))


def _frames(picture):
    """Yields (name, picture) of an animation's frames."""
    for i in _numbers(picture):
        picture.seek(i)
        yield f"frame {i}", plain_alone(picture.copy())


def _stacked(path, pictures, count, image_size, channels):
    """Frames of one size as an array."""
    frames, first = None, None
    colour = channels == 3
    for i, (name, picture) in enumerate(pictures):
        size = image_size or picture.size[::-1]
        first = first or (name, size)
        if size != first[1]:
            raise DataError(
                f"Expected frames of one size in {path}. Received: {first[0]}, {first[1]}, and {name}, {size}. Pass "
                "image_size=(height, width), or --image-size."
            )
        frame = fitted(picture, size, 3)
        if frames is None:
            frames = allocated((count, *frame.shape), fewer="cut the clip into shorter ones")
        frames[i] = frame
        if not colour and (frame != frame[..., :1]).any():
            if channels == 1:
                raise DataError(
                    f"Expected grey frames, as the model takes. Received: {path}, where {name} is in colour. Convert "
                    "them."
                )
            colour = True
    return frames if colour else frames[..., :1].copy()


def load_clips(
    source,
    *,
    split="train",
    image_size=None,
    channels=None,
    context=4,
    length=None,
    batch_size=16,
    augment=None,
    take=None,
    shuffle=True,
    seed=0,
    download=False,
    data_dir=None,
):
    """Loads clips into memory, as batches of `context` frames and the next one.

    Longer clips are cut into examples of `length` frames, one after the other; the frames after the last whole example
    are left out.

    Args:
        source: one of
            - an array (N, frames, height, width, channels), or a list of clips (frames, height, width, channels), uint8
              or floats in [-1, 1]; or the path of an `.npy`, or of an `.npz` with "clips";
            - the path of an animation, or of a folder: of animations and of subfolders with a clip's frames, or of the
              frames of one clip. Subfolders train and test are splits. See `read_clip`;
            - "moving_digits" or "moving_photos", made on demand; "train" and "test" are of different images.
        split: "train" or "test"; arrays and files have only "train".
        image_size: (height, width) to which the frames of files are center-cropped and resized; of clips that are made,
            their size. None for the files' own, and for 32x32.
        channels: 1 or 3; None for what the clips have, colour if one is in colour.
        context: frames that a model sees before it predicts, 1 or more.
        length: frames of an example, more than `context`; None for `context` + 8, or those of the shortest clip.
        batch_size, shuffle, seed: see `Batches`.
        augment: whether the clip in a batch begins at a random frame of its example; None: only for the split "train".
        take: the maximum number of examples, drawn at random, the same each time; for clips that are made, the exact
            number. None for all.
        download, data_dir: see `kg.data.load`.

    Returns:
        `ClipBatches`.

    Raises:
        DatasetNotFoundError: nothing was found.
        DataError: clips that are too short, of several sizes, with other channels or too many for the memory; an
            animation with one frame; files that cannot be read; arrays of another shape; an unknown split, or clips
            beside folders of splits.
        ConfigurationError: numbers out of range.

    Example:

    >>> batches = load_clips(np.zeros((3, 20, 8, 8, 1), "uint8"), batch_size=2)
    >>> batches.count, batches.arrays["later"].shape     # 20 frames have one example of 12
    (3, (3, 7, 8, 8, 1))
    """
    for name, number, least in (("context", context, 1), ("length", length, context + 1), ("take", take, 1)):
        if not is_whole(number, least) and (name == "context" or number is not None):
            raise ConfigurationError(f"Expected {name} of {least} or more. Received: {name}={number!r}.")
    if channels not in (None, 1, 3):
        raise ConfigurationError(f"Expected 1 or 3 channels, or None. Received: channels={channels!r}.")
    if image_size is not None:
        image_size = checked_size(image_size)
    path = Path(os.path.expanduser(source)) if isinstance(source, (str, Path)) and str(source) else None
    about = {"source": "array", "name": "array"}
    if path is None:
        clips = _of_arrays(source, split, image_size, channels)
    elif not os.path.exists(path) and str(source) in MADE:
        if split not in MADE_SEEDS:
            raise DataError(f"Expected split 'train' or 'test' of {source}. Received: {split!r}.")
        if data_dir is not None:
            raise ConfigurationError(f"Expected no data_dir for {source}. Received: {data_dir!r}. Set TFDS_DATA_DIR.")
        options = {"length": length or context + LATER, "split": split, "seed": MADE_SEEDS[split], "download": download}
        options |= {} if image_size is None else {"image_size": image_size}
        clips = MADE[str(source)](**options, **({} if take is None else {"count": take}))
        clips, take = _in_channels([clips], channels)[0], None
        about = {"source": "made", "name": str(source), "license": MADE_OF[str(source)]}
    elif os.path.isfile(path) and path.suffix.lower() in (".npy", ".npz"):
        clips = _of_arrays(_from_numpy(path), split, image_size, channels)
        about = {"source": "file", "name": printable(path.name)}
    else:
        clips = _from_files(path, split, image_size, channels)
        about = {"source": "folder" if path.is_dir() else "file", "name": printable(path.resolve().name)}
    if isinstance(clips, list):
        clips = _cut(clips, context, length)
    rows = drawn_rows(len(clips), take)
    if len(rows) < len(clips):
        clips, about = clips[rows], {**about, "drawn": True}
    anywhere = split == "train" if augment is None else augment
    about = {**about, "split": split, "examples": len(clips), "image_shape": list(clips.shape[2:]),
             "frames": clips.shape[1], "context": context}  # fmt: skip
    return ClipBatches(
        clips, context=context, anywhere=anywhere, batch_size=batch_size, shuffle=shuffle, seed=seed, about=about
    )


def _of_arrays(clips, split, image_size, channels):
    """A list of clips (frames, height, width, channels) from arrays."""
    if split != "train":
        raise DataError(f"Expected split='train' of arrays, which have no others. Received: {split!r}.")
    if isinstance(clips, np.ndarray):
        if clips.ndim != 5:
            raise DataError(
                f"Expected clips (N, frames, height, width, channels). Received: {clips.shape}. One clip? clips[None]. "
                "Grey frames? clips[..., None]."
            )
        clips = list(clips)
    if not isinstance(clips, (list, tuple)) or not all(np.ndim(clip) == 4 for clip in clips):
        raise DataError(
            "Expected an array of clips, a list of clips (frames, height, width, channels), a path or the name of "
            f"clips: {', '.join(MADE)}. Received: {type(clips).__name__}."
        )
    clips = [np.asarray(clip) for clip in clips]
    _check_alike([f"clip {i}" for i in range(len(clips))], clips)
    kinds = {clip.dtype.name for clip in clips}
    if len(kinds) > 1 or not kinds <= {"uint8", "float16", "float32", "float64"}:
        raise DataError(
            f"Expected clips as uint8 in 0..255, or all as floats in [-1, 1]. Received: {', '.join(sorted(kinds))}."
        )
    if image_size is not None and clips and clips[0].shape[1:3] != image_size:
        if kinds != {"uint8"}:
            raise DataError(f"Expected uint8 clips to resize. Received: {kinds.pop()}. Use kg.images.to_uint8(clips).")
        kept = clips[0].shape[3]
        if kept not in MODES:
            raise DataError(f"Expected clips of 1, 3 or 4 channels to resize. Received: {kept}. Resize them before.")
        pictures = [[Image.fromarray(frame.squeeze(-1) if kept == 1 else frame) for frame in clip] for clip in clips]
        clips = [np.stack([fitted(picture, image_size, kept) for picture in clip]) for clip in pictures]
    return _in_channels(clips, channels)


def _in_channels(clips, channels):
    """Clips with 1 or 3 channels: grey ones become coloured."""
    if channels is None or not clips or clips[0].shape[-1] == channels:
        return clips
    if clips[0].shape[-1] != 1:
        raise DataError(
            f"Expected grey clips for channels={channels}. Received: {clips[0].shape[-1]} channels. Convert them, or "
            "leave channels out."
        )
    return [np.repeat(clip, channels, axis=-1) for clip in clips]


def _from_numpy(path):
    try:
        if not is_npz(path):
            return read_npy(path)
        found = read_npz(path, lambda names: [name for name in names if name == "clips"])
    except (OSError, ValueError, MemoryError) as error:
        raise DataError(f"Expected a file of plain arrays. Received: {path}: {error}.") from error
    if "clips" not in found:
        raise DataError(f"Expected an array named clips in {path}. Received: none. Save it with np.savez(clips=...).")
    return found["clips"]


def _from_files(path, split, image_size, channels):
    """A list of clips from an animation or a folder."""
    if not os.path.exists(path):
        raise DatasetNotFoundError(
            f"Expected an animation, a folder of clips, or the name of clips: {', '.join(MADE)}. Received: "
            f"{printable(str(path))!r}, which is not there."
        )
    if path.is_dir() and any((path / name).is_dir() for name in ("train", "test")):
        if not (path / split).is_dir():
            raise DataError(f"Expected a folder {split} in {path}. Received: none.")
        known = {split, *(name for names in SPLITS for name in names)}
        beside = [one.name for one in _folders_in(path) if one.name.lower() not in known]
        beside += [file.name for file in image_files(path, below=False).images]
        if beside:
            raise DataError(
                f"Expected folders of splits alone in {path}. Received: {printable(', '.join(beside[:NAMED]))} beside "
                "train or test. Move the others away, or give the folder of one split."
            )
        path = path / split
    elif split != "train":
        raise DataError(f"Expected folders train and test in {path}, for the split {split!r}. Received: none.")
    places = _clips_in(path) if path.is_dir() else [path]
    clips = [read_clip(place, image_size, channels) for place in shown(places, f"Reading {printable(str(path))}:")]
    if {clip.shape[-1] for clip in clips} == {1, 3}:
        clips = [np.repeat(clip, 3, axis=-1) if clip.shape[-1] == 1 else clip for clip in clips]
    _check_alike([place.name for place in places], clips)
    return clips


def _clips_in(folder):
    """The clips in a folder: its animations and its subfolders; or itself, if it holds the frames of one clip."""
    found = image_files(folder, below=False)
    if note := found.left_out(folder):
        warnings.warn(note, stacklevel=4)
    folders = _folders_in(folder)
    if not folders and found.images and not any(frame_count(file) > 1 for file in found.images):
        if all(file.suffix.lower() == ".gif" for file in found.images):
            return found.images  # each is refused as an animation of one frame
        return [folder]
    clips = sorted([*found.images, *folders], key=_natural)
    if not clips:
        raise DataError(
            f"Expected animations ({', '.join(endings())}) or folders of frames in {folder}. Received: none."
        )
    return clips


def _folders_in(folder):
    return sorted((one for one in folder.iterdir() if one.is_dir() and not is_hidden(one.name)), key=_natural)


def _natural(path):
    """A key that sorts 2 before 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _check_alike(names, clips):
    """Refuses clips whose frames differ in size or channels."""
    if not clips:
        raise DataError("Expected at least one clip. Received: none.")
    if 0 in clips[0].shape[1:]:
        raise DataError(f"Expected frames with pixels. Received: {names[0]}, {clips[0].shape}. Leave such clips out.")
    for name, clip in zip(names, clips):
        if clip.shape[1:] != clips[0].shape[1:]:
            raise DataError(
                f"Expected clips of one size. Received: {names[0]}, {clips[0].shape[1:]}, and {name}, {clip.shape[1:]}."
                " Pass image_size=(height, width), or --image-size; for arrays make them of one size first."
            )


def _cut(clips, context, length):
    """Clips as examples of one length, (M, length, height, width, channels)."""
    shortest = min(map(len, clips))
    least = context + 1 if length is None else length
    if shortest < least:
        few = [f"clip {i} with {len(clip)}" for i, clip in enumerate(clips) if len(clip) < least]
        named = ", ".join(few[:NAMED]) + (", ..." if len(few) > NAMED else "")
        wanted = f"{context} that the model sees, and the next" if length is None else "the length of an example"
        raise DataError(
            f"Expected clips of {least} frames or more: {wanted}. Received: {named}. Leave out short clips, or pass a "
            "smaller context or length."
        )
    length = min(shortest, context + LATER) if length is None else length
    parts = [clip[: len(clip) // length * length].reshape(-1, length, *clip.shape[1:]) for clip in clips]
    if len(parts) == 1:
        return parts[0]
    if reason := memory.does_not_fit(sum(part.nbytes for part in parts)):
        raise DataError(
            f"Expected examples that fit into memory beside the clips. Received: {sum(map(len, parts)):,} of "
            f"{'x'.join(map(str, parts[0].shape[1:]))}, which take {reason}. Pass a smaller image_size, or "
            "--image-size; or give fewer clips."
        )
    return np.concatenate(parts)
