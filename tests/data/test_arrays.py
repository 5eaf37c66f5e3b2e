"""Files of arrays, of strangers too: what is declared and what is there are compared before memory is taken."""

import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import keras_gans as kg
from keras_gans.data import arrays
from keras_gans.data.arrays import read_npy, read_npz
from keras_gans.errors import DataError

IMAGES = np.arange(4 * 6 * 5 * 3, dtype="uint8").reshape(4, 6, 5, 3)


def npy(array):
    target = io.BytesIO()
    np.save(target, array)
    return target.getvalue()


def header(descr="'|u1'", shape="(4, 8, 8, 1)", order="False", version=(1, 0), more=""):
    """The first bytes of an `.npy` file, with any text in them."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}{more}}}\n".encode("latin1")
    width = 2 if version[0] == 1 else 4
    return b"\x93NUMPY" + bytes(version) + len(text).to_bytes(width, "little") + text


def zipped(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["uint8", ">f4", "<f8", "float16", "int64", "bool", "<U7", "S3"])
def test_arrays_are_read_as_numpy_reads_them(order, dtype, tmp_path):
    array = np.asarray(IMAGES.astype(dtype), order=order)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "plain.npz", a=array, b=array[:0], c=array[0, 0, 0, 0])
    np.savez_compressed(tmp_path / "packed.npz", a=array, b=array[:0], c=array[0, 0, 0, 0])
    found = read_npy(tmp_path / "a.npy")
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype and found.flags[f"{order}_CONTIGUOUS"]
    for name in ("plain", "packed"):
        read, wanted = read_npz(tmp_path / f"{name}.npz"), np.load(tmp_path / f"{name}.npz")
        assert list(read) == wanted.files == ["a", "b", "c"]
        for key, values in read.items():
            np.testing.assert_array_equal(values, wanted[key])
        wanted.close()


def test_only_the_chosen_arrays_are_read(tmp_path):
    path = zipped(tmp_path / "a.npz", {"images.npy": npy(IMAGES), "more.npy": b"damaged"})
    np.testing.assert_array_equal(kg.data.load(path, batch_size=1).images, IMAGES)


def test_images_in_columns_are_the_same_images(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", images=np.asfortranarray(IMAGES), labels=[0, 1, 1, 0])
    np.save(tmp_path / "a.npy", np.asfortranarray(IMAGES))
    for name in ("a.npz", "a.npy"):
        np.testing.assert_array_equal(kg.data.load(tmp_path / name, batch_size=1).images, IMAGES)


LYING = {
    "more than there is": header(shape="(4, 800000, 8, 1)"),
    "as much as no machine has": header(shape=f"({2**40}, {2**40}, 8, 1)"),
    "less than there is": header(shape="(1, 8, 8, 1)"),
    "no number of images": header(shape="(-4, 8, 8, -1)"),
    "nothing of much": header(shape=f"(0, {2**62})"),
    "a true side": header(shape="(True, 256)"),
    "no shape": header(shape="'abc'"),
    "many sides": header(shape=f"({'1, ' * 200}256)"),
    "numbers without bytes": header(descr="'|V0'", shape=f"({2**47},)"),
    "letters without bytes": header(descr="'<U0'", shape=f"({2**47},)"),
    "objects": header(descr="'|O'", shape="(32,)"),
    "objects inside": header(descr="[('a', '|O')]", shape="(32,)"),
    "parts": header(descr="[('a', '<i4'), ('b', '<i4')]", shape="(32,)"),
    "dates": header(descr="'<M8[s]'", shape="(32,)"),
    "no type": header(descr="'nonsense'"),
    "no type at all": header(descr="{1: 2}"),
    "deep text": header(descr="(" * 3000 + ")" * 3000),
    "code": header(descr="__import__('os').system('true')"),
    "more entries": header(more=", 'more': 1"),
    "a long header": b"\x93NUMPY\x02\0" + (2**32 - 1).to_bytes(4, "little") + b" " * 500,
    "another version": b"\x93NUMPY\x07\0" + header()[8:],
    "no text": b"\x93NUMPY\x01\0\x10\0" + b"\xff" * 16,
    "the beginning": header()[:9],
    "nothing": b"",
    "a pickle": b"\x80\x04\x95" + b"x" * 50,
}


@pytest.mark.parametrize("lie", LYING)
def test_headers_that_lie_are_refused(lie, tmp_path):
    content = LYING[lie] + bytes(256)
    (tmp_path / "a.npy").write_bytes(content)
    zipped(tmp_path / "a.npz", {"images.npy": content})
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match="Expected a folder of images, or an .npz or .npy file of plain arrays"):
            kg.data.load(tmp_path / name, batch_size=1)


def test_what_is_no_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")  # reading would wait for a writer
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device.npy").symlink_to("/dev/zero")
    for name in ("pipe.npz", "pipe", "device.npy"):
        with pytest.raises(DataError, match="no regular file"):
            kg.data.load(tmp_path / name, batch_size=1)


def test_a_member_that_is_more_than_its_array_is_refused(tmp_path):
    path = zipped(tmp_path / "a.npz", {"images.npy": npy(IMAGES) + b"more"})
    with pytest.raises(DataError, match="a header of uint8"):
        kg.data.load(path, batch_size=1)


def test_damaged_and_unusual_members_are_refused(tmp_path):
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):  # which may need gigabytes to unpack
        path = zipped(tmp_path / "a.npz", {"images.npy": npy(IMAGES)}, method)
        with pytest.raises(DataError, match="encrypted or compressed in a way"):
            kg.data.load(path, batch_size=1)
    content = bytearray(zipped(tmp_path / "a.npz", {"images.npy": npy(IMAGES)}, zipfile.ZIP_STORED).read_bytes())
    content[200] ^= 1  # a pixel
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match="a damaged zip file, BadZipFile: Bad CRC"):
        kg.data.load(tmp_path / "a.npz", batch_size=1)


def test_an_error_of_a_damaged_archive_is_short(tmp_path):
    content = bytearray(zipped(tmp_path / "a.npz", {"images.npy": npy(IMAGES)}, zipfile.ZIP_STORED).read_bytes())
    content[26:28] = (2**12).to_bytes(2, "little")  # the length of the member's name
    (tmp_path / "a.npz").write_bytes(content + bytes(2**13))
    with pytest.raises(DataError) as caught:
        kg.data.load(tmp_path / "a.npz", batch_size=1)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("images", "labels"), [(np.uint8(1), None), (IMAGES, np.int64(1)), (IMAGES.astype("S4"), None)]
)
@pytest.mark.parametrize("take", [None, 2])
def test_arrays_that_are_no_images_or_labels_are_refused(images, labels, take, tmp_path):
    np.savez(tmp_path / "a.npz", images=images, **({} if labels is None else {"labels": labels}))
    with pytest.raises(DataError, match="Expected"):
        kg.data.load(tmp_path / "a.npz", batch_size=1, take=take)


def test_a_long_list_of_members_is_refused_unread(tmp_path, monkeypatch):
    path = zipped(tmp_path / "a.npz", {f"{i}.npy": b"" for i in range(arrays.MOST_MEMBERS + 1)})
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("read the list"))
    with pytest.raises(DataError, match="a zip file of more than 1000 members"):
        kg.data.load(path, batch_size=1)


def test_arrays_of_several_members_share_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "FREE_BYTES", 0)
    monkeypatch.setattr(arrays, "MOST_UNPACKED", 3)
    half = np.random.default_rng(0).integers(0, 256, 3000).astype("uint8")
    path = zipped(tmp_path / "a.npz", {"a.npy": npy(np.repeat(half, 2)), "b.npy": npy(np.repeat(half, 2))})
    assert set(read_npz(path)) == {"a", "b"}
    path = zipped(tmp_path / "a.npz", {"a.npy": npy(np.repeat(half, 6)), "b.npy": npy(np.repeat(half, 6))})
    assert set(read_npz(path, lambda names: names[:1])) == {"a"}
    with pytest.raises(ValueError, match="that may be unpacked; a file of your own can be saved without"):
        read_npz(path)


MEASURE = """
import resource, sys
import keras_gans as kg

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        kg.data.load(path, batch_size=1)
        print("read", path)
    except kg.errors.DataError:
        pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_bombs_take_little_memory(tmp_path):
    """Some kilobytes that stand for gigabytes: an array, a header, the bytes after it, and files of zeros."""
    zeros = bytes(2**28)
    whole = header(shape="(4096, 256, 256, 1)") + zeros
    paths = [
        zipped(tmp_path / "array.npz", {"images.npy": whole}),
        zipped(tmp_path / "header.npz", {"images.npy": b"\x93NUMPY\x02\0" + (2**28).to_bytes(4, "little") + zeros}),
        zipped(tmp_path / "after.npz", {"images.npy": npy(IMAGES) + zeros}),
        zipped(
            tmp_path / "texts.npz", {"images.npy": npy(IMAGES), "labels.npy": header("'<U16777216'", "(4,)") + zeros}
        ),
    ]
    assert max(path.stat().st_size for path in paths) < 2**19
    done = subprocess.run([sys.executable, "-c", MEASURE, *map(str, paths)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 64
