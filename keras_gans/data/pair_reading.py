"""Reads the two sides of pairs or domains, and maps of instances: folders, TFDS data sets, drawings and arrays."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from keras_gans.data import loading
from keras_gans.data.batches import drawn_rows
from keras_gans.data.decoding import allocated
from keras_gans.data.folders import by_scene, endings, named_images
from keras_gans.data.headers import size_of
from keras_gans.data.pair_files import IMAGES, Side, decode_now, on_the_disk
from keras_gans.data.pair_layouts import check_names, layout_of
from keras_gans.data.progress import shown
from keras_gans.data.unpaired import edges
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import check_axes
from keras_gans_core.errors import printable


class Reading:
    """Reads the two sides, A and B.

    Args:
        split, channels, take, download, data_dir, instances, lazy, cache: see `kg.data.load_pairs`.
        image_size: (height, width) of what is read; None for the size that all have.
        sides: what the files of A and of B hold.
        first_is_source: whether A are the sources; an error names the source first.

    Attributes:
        notes: warnings: what had to be decided.
    """

    def __init__(
        self,
        *,
        split,
        image_size,
        channels,
        take,
        download,
        data_dir,
        lazy,
        cache,
        sides=(IMAGES, IMAGES),
        first_is_source=True,
        instances=None,
    ):
        self.split, self.image_size, self.channels, self.take = split, image_size, channels, take
        self.download, self.data_dir, self.lazy, self.cache = download, data_dir, lazy, cache
        self.sides, self.first_is_source, self.instances = sides, first_is_source, instances
        self.notes, self.drawn = [], {}  # `drawn` says in a description that not all were taken

    def pairs(self, source, names):
        """A list of A, B and, if there are any, the maps of instances; and a description.

        Each is an array, a `LazyArray` or, from TFDS, a list of arrays of several sizes.

        Args:
            source, names: `source` and `sides` of `kg.data.load_pairs`, which says what is raised.
        """
        named = self.instances is None or isinstance(self.instances, str) and self.instances
        if not named or self.instances is not None and not _is_folder(source):
            raise ConfigurationError(
                "Expected instances='inst', the name of a folder with maps of instances, and the path of a folder that "
                f"holds it. Received: instances={self.instances!r:.40}, {_said(source)}. For ids in an array use "
                "kg.data.PairedBatches(..., instances=ids)."
            )
        found, about = self._read(source, names, paired=True)
        a, b = map(len, found[:2])
        if a != b:
            raise DataError(f"Expected one image of B for each of A. Received: {a} of A and {b} of B.")
        return found, about

    def domains(self, source, names):
        """A list of A and B, which are no pairs, and a description; see `pairs`."""
        return self._read(source, names, paired=False)

    def _read(self, source, names, paired):
        if _is_folder(source):
            return self._folder(Path(os.path.expanduser(source)), names, paired)
        if self._is_lazy:
            kept = "lazy=True" if self.lazy else f"cache={self.cache!r}"
            raise ConfigurationError(
                f"Expected the path of a folder of images, which can stay on the disk. Received: {kept} for "
                f"{_said(source)}. Give a folder, or leave it out (--lazy, --cache)."
            )
        if isinstance(source, (tuple, list)):
            return self._arrays(source)
        if not isinstance(source, (str, os.PathLike)) or source == "":
            raise DataError(
                f"Expected a folder, the name of a data set, or two arrays (A, B). Received: {source!r:.80}."
            )
        return self._drawn(source, paired) if str(source).startswith("drawn:") else self._tfds(source, names)

    @property
    def _is_lazy(self):
        return self.lazy or self.cache is not None

    def _arrays(self, source):
        if len(source) != 2:
            raise DataError(f"Expected two arrays (A, B). Received: {len(source)}.")
        loading._one_split(self.split, "A pair of arrays", None)
        found = [self._part(np.asarray(array)) for array in source]
        for array, side in zip(found, self.sides):
            if not side.is_map:
                check_axes(array.shape)
        return found, {"name": "array", "source": "array", **self.drawn}

    def _part(self, rows):
        """At most `take` of the rows of an array or a list, drawn at random."""
        chosen = drawn_rows(len(rows), self.take)
        if len(chosen) < len(rows):
            self.drawn = {"drawn": True}
        return rows[chosen] if isinstance(rows, np.ndarray) else [rows[index] for index in chosen]

    def _drawn(self, source, paired):
        """Edges and drawings; without pairs, half of the drawings and the edges of the others."""
        take = None if self.take is None else self.take * (1 if paired else 2)
        drawn = loading.load(source, split=self.split, image_size=self.image_size, take=take, batch_size=1)
        about, images = drawn.about, drawn.images
        if paired:
            return [edges(images), images], about
        half = len(images) // 2
        return [images[:half], edges(images[half:])], about

    def _tfds(self, source, names):
        if not isinstance(names, (tuple, list)) or len(names) != 2 or names[0] == names[1]:
            raise ConfigurationError(
                f"Expected sides=(A, B), the names of two features of {str(source)!r}, such as ('parts', 'image'); "
                f"or the path of a folder. Received: sides={names!r}."
            )
        a, b = names
        where = (str(source), self.split, self.take, self.download, self.data_dir)
        images, others, about = loading.read_tfds(b, *where, a)
        about.pop("classes", None)
        return [others, images], {**about, "sides": [a, b], "pairs": True}

    def _folder(self, folder, names, paired):
        kind, places = layout_of(folder, self.split, names, paired, self.instances)
        about = {"name": printable(folder.resolve().name), "source": "folder", "sides": printable(kind)}
        found = self._halves(places[0]) if len(places) == 1 else self._apart(folder, places, paired)
        return found, {**about, **self.drawn}

    def _apart(self, folder, places, paired):
        """Folders of A, of B and of instances if there are any."""
        files = [self._files(place) for place in places]
        for place, found in zip(places, files):
            if not found:
                raise DataError(f"Expected images ({', '.join(endings())}) in {place}. Received: none.")
        if paired:
            files = [by_scene(found, place) for found, place in zip(files, places)]
            check_names(files, places)
            files = [{name: found[name] for name in files[0]} for found in files]
        paths = [self._part(list(found.values())) for found in files]
        sides = [*self.sides, Side(instances=True)][: len(places)]
        shapes = self._shapes(sides, [[size_of(path) for path in side] for side in paths], paths, paired)
        if self._is_lazy:
            return [self._on_the_disk(*one) for one in zip(sides, shapes, places, paths)]
        decoders = self._decoders(sides, shapes, paths)
        for side, decoder, of_side in zip(sides, decoders, paths):
            for path in shown(of_side, f"Reading {printable(str(folder))}:"):
                decode_now(path, [(side, decoder)])
        return self._finished(decoders)

    def _halves(self, place):
        """Pictures of A on the left and B on the right."""
        paths = self._part(list(self._files(place).values()))
        sides = [dataclasses.replace(side, half=half) for half, side in enumerate(self.sides)]
        sizes = [_half_of(size_of(path), path) for path in paths]
        shapes = self._shapes(sides, [sizes, sizes], [paths, paths], paired=True)
        if self._is_lazy:
            return [self._on_the_disk(side, shape, place, paths) for side, shape in zip(sides, shapes)]
        decoders = self._decoders(sides, shapes, [paths, paths])
        for path in shown(paths, f"Reading {printable(str(place))}:"):
            decode_now(path, list(zip(sides, decoders)))
        return self._finished(decoders)

    def _files(self, place):
        files, left_out = named_images(place)
        self.notes += [left_out] if left_out else []
        return files

    def _shapes(self, sides, sizes, paths, paired):
        """The shape of one image of each side, from the sizes in the files' heads, which are compared.

        Args:
            sides: what the files hold: of A, of B, and of instances if there are any.
            sizes: for each of them what `size_of` returned of its files.
            paths: those of the files.
            paired: whether the files are pairs.
        """
        if self.image_size is None:
            both = [([size and size[:2] for size in side], of_side) for side, of_side in zip(sizes, paths)]
            if paired:
                check_sizes(*(both[:2] if self.first_is_source else both[1::-1]))
                for ids in both[2:]:
                    check_sizes(both[0], ids, ("image", "map of instances"))
            for side in both:
                one_size(*side)
        shapes = []
        for side, of_side in zip(sides, sizes):
            known = [size for size in of_side if size is not None] or [(1, 1, 1)]
            channels = self.channels or max(size[2] for size in known)
            shapes.append(side.shape(self.image_size or known[0][:2], channels))
        return shapes

    def _on_the_disk(self, side, shape, place, paths):
        images, notes = on_the_disk(side, shape, place, paths, self.image_size, self.channels, self.cache)
        self.notes += notes
        return images

    def _decoders(self, sides, shapes, paths):
        """A decoder for each side, whose array is allocated."""
        decoders, beside = [], 0
        for side, shape, of_side in zip(sides, shapes, paths):
            decoder = side.decoder(self.image_size, self.channels)
            decoder.images = allocated((len(of_side), *shape), beside, dtype=side.dtype)
            beside += decoder.images.nbytes
            decoders.append(decoder)
        return decoders

    def _finished(self, decoders):
        images = [decoder.finish() for decoder in decoders]
        self.notes += [note for decoder in decoders for note in decoder.notes]
        return images


def _is_folder(source):
    is_path = isinstance(source, (str, os.PathLike)) and not str(source).startswith("drawn:")
    return is_path and os.path.isdir(os.path.expanduser(source))


def _said(source):
    return "arrays" if isinstance(source, (tuple, list)) else f"{source!r:.80}"


def _half_of(size, path):
    """The size of each half of a picture; None if the picture's is not known.

    Raises:
        DataError: it has no halves.
    """
    if size is None:
        return None
    height, width, channels = size
    if width % 2 or width <= height:
        raise DataError(
            "Expected A and B side by side in each picture, so an even width that exceeds the height. Received: "
            f"{path}, {width} wide and {height} high. Two folders A and B of files with the same names work too."
        )
    return height, width // 2, channels


def check_sizes(sources, targets, kinds=("source", "target")):
    """Raises a DataError if the two images of a pair have different sizes.

    Args:
        sources, targets: the sizes of a side's images, None where it is unknown, and the paths of their files or None.
        kinds: what the two are called.
    """
    for i, sizes in enumerate(zip(sources[0], targets[0])):
        if None not in sizes and sizes[0] != sizes[1]:
            raise DataError(
                f"Expected both images of a pair to have one size. Received: the {kinds[0]}{_at(sources[1], i)}, "
                f"{sizes[0]}, and the {kinds[1]}{_at(targets[1], i)}, {sizes[1]}. Pass image_size=(height, width)."
            )


def one_size(sizes, paths=None):
    """Raises a DataError if the images of a side have different sizes; see `check_sizes`."""
    known = [i for i, size in enumerate(sizes) if size is not None]
    for i in known:
        if sizes[i] != sizes[known[0]]:
            raise DataError(
                f"Expected images of one size. Received:{_at(paths, known[0])}, {sizes[known[0]]}, and{_at(paths, i)}, "
                f"{sizes[i]}. Pass image_size=(height, width), or --image-size."
            )


def _at(paths, index):
    return f" {index}" if paths is None else f" {paths[index]}"
