"""Files of arrays, `.npy` and `.npz`, which may be a stranger's: read by size first, in no more memory than stated.

A header may declare any shape, and a member of a zip file may stand for a thousand times its bytes. So nothing is
allocated before the sizes are known to fit: those of the file, and those that it declares.
"""

import contextlib
import io
import math
import os
import zipfile
import zlib

import numpy as np

from keras_gans_core.cards import open_file
from keras_gans_core.errors import format_error

MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK\3\4", b"PK\5\6"
LONGEST_HEADER = 10_000  # bytes of an array's header; NumPy's own limit
MOST_MEMBERS = 1000
LARGEST_DIRECTORY = 2**20  # bytes of a zip file's list of members
MOST_UNPACKED = 100  # bytes of arrays for each byte of an .npz ...
FREE_BYTES = 2**26  # ... and these in addition, whatever the file's size
ZIP64 = 2**32 - 1  # bytes from which a zip file has another end record
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes; others may take much memory to unpack
BLOCK = 2**20


def read_npy(path):
    """The array in an `.npy` file.

    Raises:
        ValueError: no array of numbers or texts, or a header that does not fit the file's size.
        OSError: a file that cannot be read.
    """
    with open_file(path, math.inf) as file:
        size = os.fstat(file.fileno()).st_size
        return _read_array(file, size, size)


def read_npz(path, choose=list, most=None):
    """The arrays in an `.npz` file, {name: array}. Reading takes at most 100 times the file's size plus 64 MiB.

    Args:
        path: the file's path.
        choose: function from the names of all arrays to those to read.
        most: bytes that they may have together; None for as many as are stated above.

    Raises:
        ValueError: no zip file as NumPy writes it; or arrays that are too large, not of numbers or texts, or do not fit
            their declared sizes.
        OSError: a file that cannot be read.
    """
    with open_file(path, math.inf) as file, _as_value_errors():
        size = os.fstat(file.fileno()).st_size
        most = MOST_UNPACKED * size + FREE_BYTES if most is None else most
        _check_directory(file, size)
        with zipfile.ZipFile(file) as members:
            known = {name.removesuffix(".npy"): name for name in members.namelist()}
            arrays = {}
            for name in choose(list(known)):
                arrays[name] = _read_member(members, members.getinfo(known[name]), most)
                most -= arrays[name].nbytes
            return arrays


def is_npz(path):
    """Whether a file begins as a zip file does."""
    with open_file(path, math.inf) as file:
        return file.read(4) in ZIP_MAGIC


@contextlib.contextmanager
def _as_value_errors():
    """`zipfile` has many errors for a damaged file."""
    try:
        yield
    except (
        zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OverflowError, KeyError
    ) as error:  # fmt: skip
        raise ValueError(f"a damaged zip file, {format_error(error, longest=80)}") from error


def _check_directory(file, size):
    """Checks the length of the list of members, because `zipfile` reads all of it, however long it is."""
    if size > ZIP64:  # only the user's own files are that large
        return
    file.seek(max(0, size - 2**16 - 22))
    end = file.read()
    at = end.rfind(b"PK\5\6")
    if at < 0 or len(end) - at < 22:
        raise ValueError("no whole zip file")
    count, listed = int.from_bytes(end[at + 10 : at + 12], "little"), int.from_bytes(end[at + 12 : at + 16], "little")
    if end[:at].rfind(b"PK\6\7") == at - 20 >= 0 or count > MOST_MEMBERS or listed > LARGEST_DIRECTORY:
        raise ValueError(f"a zip file of more than {MOST_MEMBERS} members, or with a list of them of {listed} bytes")


def _read_member(members, member, most):
    if member.compress_type not in METHODS or member.flag_bits & 1:
        raise ValueError(f"{member.filename!r}, encrypted or compressed in a way that np.savez_compressed does not")
    with members.open(member) as stream:
        array = _read_array(stream, member.file_size, most)
        if stream.read(1):
            raise ValueError(f"{member.filename!r}, longer than its array")
        return array


def _read_array(stream, size, most):
    """An array from a stream of `size` bytes, if it has at most `most`."""
    shape, in_columns, dtype, start = _header(stream)
    needed = math.prod(shape) * dtype.itemsize
    if needed + start != size:
        raise ValueError(f"a header of {dtype} {_written(shape)}, {needed} bytes, where {size - start} follow it")
    if needed > most:
        raise ValueError(
            f"{dtype} {_written(shape)}, {needed} bytes, more than {most} that may be unpacked; a file of your own can "
            "be saved without compression (np.savez)"
        )
    content = np.empty(needed, "uint8")
    left = memoryview(content)
    while left:
        read = stream.readinto(left[:BLOCK])
        if not read:
            raise ValueError("an array that ends early")
        left = left[read:]
    return content.view(dtype).reshape(shape, order="F" if in_columns else "C")


def _header(stream):
    """(shape, whether its columns follow each other, dtype, bytes of the header) of an array."""
    start = stream.read(8)
    if start[:6] != MAGIC:
        raise ValueError("no array, but another kind of file or pickled Python objects, which are not read")
    width, read = {1: (2, np.lib.format.read_array_header_1_0), 2: (4, np.lib.format.read_array_header_2_0)}.get(
        start[6], (0, None)
    )
    if not width:
        raise ValueError(f"an array of version {start[6]} of the format")
    length = stream.read(width)
    if (count := int.from_bytes(length, "little")) > LONGEST_HEADER:
        raise ValueError(f"a header of {count} bytes, more than {LONGEST_HEADER}")
    text = stream.read(count)
    try:
        shape, in_columns, dtype = read(io.BytesIO(length + text))
    except Exception as error:  # the parser raises many kinds for text that is not Python
        raise ValueError(f"a damaged header, {format_error(error, longest=80)}") from error
    if dtype.hasobject:
        raise ValueError("pickled Python objects, which are not read")
    if dtype.kind not in "biufcSU" or dtype.itemsize == 0:
        raise ValueError(f"an array of {dtype}")
    if len(shape) > 32 or any(type(side) is not int or not 0 <= side < 2**48 for side in shape):
        raise ValueError(f"a shape {_written(shape)}")
    return shape, in_columns, dtype, 8 + width + count


def _written(shape):
    """A shape on a short line."""
    return str(shape) if len(str(shape)) < 80 else f"of {len(shape)} sides"
