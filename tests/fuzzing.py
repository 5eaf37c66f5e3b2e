"""Damages files on purpose, and watches what reading them does: python tests/fuzzing.py COUNT SEED FOLDER

Model files, cards, pictures, arrays, zip files and folders are damaged, or made of parts that do not fit.

Prints one JSON object: how many inputs ended how, the longest seconds and the largest growth in memory of one. An error
of no type of the library's, or a file written outside the input's own folder, ends the run and names the input, which
`COUNT=1 SEED+i` makes again; so does an input of more than a minute. A crash leaves its number in FOLDER/now.
"""

import collections
import contextlib
import faulthandler
import hashlib
import io
import json
import os
import random
import shutil
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
from click.testing import CliRunner  # noqa: E402
from PIL import Image  # noqa: E402

import keras_gans as kg  # noqa: E402
from keras_gans.errors import KerasGansError  # noqa: E402
from keras_gans.evaluation.verify import _golden  # noqa: E402
from keras_gans.models import gan, sngan  # noqa: E402
from keras_gans_cli.app import app  # noqa: E402
from keras_gans_core import cards  # noqa: E402

SLOWEST = 60  # seconds
KINDS = ("model", "card", "picture", "array", "zip", "folder")
LETTERS = "aé\ud800\x1b\0字"
WILD = [
    *(0, -1, 1, 7, 255, 2**16, 2**31 - 1, 2**31, 2**53, 2**63, 10**30, 1.5, -0.5, 1e-300, 1e308),
    *(float("nan"), float("inf"), True, False, None, "", "x" * 1000, LETTERS, "relu", "float64", "../../etc/passwd"),
    *([], {}, [[[]]], [1] * 100, [None], [-1, 2**40], {"": {}}, {"class_name": "Dense"}),
]  # what a number, a text, a list may be in the place of


# Files to damage


def models(folder):
    """Small whole `.keras` files: a checkpoint with its optimizers and moving average, a sampler, and a classifier."""
    shape = (8, 8, 1)
    networks = gan.build_generator(shape, 4, units=8), gan.build_discriminator(shape, units=8)
    checkpoint = kg.GAN(*networks, ema_decay=0.5)
    checkpoint.compile()
    checkpoint.save(folder / "checkpoint.keras")
    networks = sngan.build_generator(shape, 4, base_filters=2), sngan.build_discriminator(shape, base_filters=2)
    kg.zoo.sampler(kg.SNGAN(*networks)).save(folder / "sampler.keras")
    network = [keras.Input(shape), keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(2)]
    keras.Sequential(network).save(folder / "classifier.keras")
    return [path.read_bytes() for path in sorted(folder.glob("*.keras"))]


def pictures():
    """`(ending, bytes)` of small pictures of many kinds."""
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 4)).astype("uint8")
    colour, palette = Image.fromarray(noise[..., :3]), Image.fromarray(noise[..., :3]).quantize(16)
    sixteen = Image.fromarray(noise[..., 0].astype("uint16") * 257)
    kinds = [
        *((colour, ending, {}) for ending in ("png", "jpg", "bmp", "webp", "gif", "tif")),
        *((Image.fromarray(noise), ending, {}) for ending in ("png", "webp", "tif")),
        *((sixteen, ending, {}) for ending in ("png", "tif")),
        *((colour.convert("CMYK"), ending, {}) for ending in ("jpg", "tif")),
        (palette, "png", {"transparency": 1}),
        (palette, "gif", {"save_all": True, "append_images": [palette], "transparency": 1}),
        (colour, "tif", {"compression": "tiff_lzw"}),
        (colour, "jpg", {"progressive": True}),
        (colour.convert("1"), "tif", {"compression": "group4"}),
    ]
    found = []
    for picture, ending, options in kinds:
        target = io.BytesIO()
        picture.save(target, Image.registered_extensions()[f".{ending}"], **options)
        found.append((ending, target.getvalue()))
    return found


# Damage


def damaged(content, rng, marks=()):
    """Bytes with a few flipped, cut, repeated, zeroed or overwritten; near one of `marks` half of the time."""
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(content)) if content else 0
        if marks and rng.random() < 0.5:
            found = content.find(rng.choice(marks), at)
            at = min(max(0, found) + rng.randrange(64), max(0, len(content) - 1))
        length = rng.choice((1, 2, 4, 8, 64))
        what = rng.randrange(7)
        if what < 3 and content:
            content[at] ^= 1 << rng.randrange(8)
        elif what == 3:
            content[at : at + length] = rng.choice((b"\0", b"\xff", b"\x7f")) * length
        elif what == 4:
            content[at : at + length] = rng.randbytes(length)
        elif what == 5:
            start = rng.randrange(len(content) + 1)
            content[at:at] = content[start : start + length]
        else:
            del content[at : (at + length if rng.random() < 0.8 else None)]
    return bytes(content)


def places(value, path=()):
    """The places of all values inside a JSON value, as paths of keys."""
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


def mutated(value, rng):
    """A JSON value with some values replaced, enlarged, deleted, renamed or swapped for others of it."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = [path for path in places(value) if path]
        if not found:
            break
        if rng.random() < 0.2:
            found = [path for path in found if len(path) == 1]
        path, other = rng.choice(found), rng.choice(found)
        holder, source = _at(value, path[:-1]), json.loads(json.dumps(_at(value, other)))
        key, what = path[-1], rng.randrange(8)
        number = isinstance(holder[key], (int, float)) and not isinstance(holder[key], bool)
        if number and what < 4:
            holder[key] = holder[key] * rng.choice((0, -1, 2, 1000, 2**16, 2**24, 2**40)) + rng.choice((0, 1))
        elif what < 5:
            holder[key] = rng.choice(WILD)
        elif what == 5:
            holder[key] = source
        elif what == 6:
            del holder[key]
        elif isinstance(holder, dict):
            holder[rng.choice(("", "config", "name", LETTERS, "units"))] = holder.pop(key)
        else:
            holder.insert(key, source)
    if rng.random() < 0.02:
        for _ in range(rng.choice((50, 500))):
            value = {"config": value}
    return value


def _at(value, path):
    for key in path:
        value = value[key]
    return value


def as_json(value, rng):
    """Its text; sometimes with bytes in it that are none."""
    text = json.dumps(value).encode()
    return damaged(text, rng) if rng.random() < 0.1 else text


def packed(members, **options):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", **options) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name twice
        for name, content in members:
            file.writestr(name, content)
    return target.getvalue()


def damaged_model(base, rng):
    """A `.keras` file whose config (half of them), weights, bytes or list of members are damaged."""
    with zipfile.ZipFile(io.BytesIO(base)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    what, options = rng.random(), {}
    if what < 0.5:
        members["config.json"] = as_json(mutated(json.loads(members["config.json"]), rng), rng)
    elif what < 0.75:
        marks = (b"TREE", b"HEAP", b"SNOD", b"\x89HDF", b"vars", b"\x11\x00\x10\x00", b"\x08\x00\x18\x00")
        members["model.weights.h5"] = damaged(members["model.weights.h5"], rng, marks)
    elif what < 0.95:
        return damaged(base, rng, (b"PK\1\2", b"PK\3\4", b"PK\5\6"))
    members = list(members.items())
    if what >= 0.95:
        names = (
            "../out.txt",
            "/tmp/out.txt",
            "..\\out.txt",
            "assets/x",
            "config.json",
            "model.weights.npz",
            LETTERS[:2],
        )
        change = rng.randrange(4)
        if change == 0:
            members.append((rng.choice(names), b"content"))
        elif change == 1:
            del members[rng.randrange(3)]
        elif change == 2:
            members[rng.randrange(3)] = (rng.choice(names), rng.choice(members)[1])
        else:
            options = {"compression": zipfile.ZIP_DEFLATED}
    return packed(members, **options)


# Reading. Each function makes its input, yields, and then reads it, so that only the reading is measured.


def read_model(base, card, rng, folder):
    content = damaged_model(base, rng)
    how = rng.randrange(5)
    path = folder / ("checkpoint.keras" if how == 0 else "model.keras")
    path.write_bytes(content)
    if how > 2:  # as downloaded, and its card with it
        digest = hashlib.sha256(content).hexdigest() if rng.random() < 0.9 else rng.choice(("", "0" * 64, "\ud800"))
        kind = "classifier" if how == 3 else "DCGAN"
        written = {**card, "sha256": digest, "size": len(content), "variant": kind}
        (folder / "card.json").write_text(json.dumps(written), encoding="utf-8")
    yield
    if how == 0:
        kg.callbacks.resume(folder)
    elif how == 1:
        kg.zoo.load_network(path)
    elif how == 2:
        kg.zoo.load_file(path)
    else:
        (kg.zoo.load_classifier if how == 3 else kg.load)(str(folder))


def read_card(card, rng, folder):
    (folder / "preset").mkdir()
    (folder / "preset" / "card.json").write_bytes(as_json(mutated(card, rng), rng))
    shutil.copy(kg.zoo.cards.find("gan_mnist") / "model.keras", folder / "preset")
    os.environ["KERAS_GANS_ZOO"] = str(folder)
    yield
    for command in (["list"], ["list", "--json"], ["info", "preset"], ["info", "--json", "preset"]):
        CliRunner().invoke(app, command, catch_exceptions=False)
    kg.zoo.cards.verified_model(folder / "preset")


def read_pictures(ending, content, rng, folder):
    Image.new("RGB", (8, 8)).save(folder / "whole.png")
    (folder / f"damaged.{ending}").write_bytes(damaged(content, rng))
    strict = rng.random() < 0.3
    yield
    found = kg.data.load(str(folder), image_size=(8, 8), channels=3, batch_size=1, strict=strict).images
    assert found.shape in ((1, 8, 8, 3), (2, 8, 8, 3)) and found.dtype == "uint8"
    if len(found) == 1:
        raise LeftOut


SHAPES = [(4, 8, 8, 1), (2, 8, 8, 3), (4, 8, 8), (0, 8, 8, 1), (2, 3, 8, 8), (4,), (4, 2), (), (1, 1, 1, 1), (8, 8)]
DTYPES = ["uint8", "uint8", "float32", ">f8", "float16", "bool", "int64", "<U5", "S4", "complex64", "uint16"]
DESCRIPTIONS = [
    "|O",
    "|V8",
    "<U0",
    "<U99999999",
    "<M8[s]",
    "|u1",
    "<f4",
    "[('a', '<f4')]",
    ">f99",
    LETTERS[:2],
    "",
    "5",
]
SIDES = [*(0, 1, 2, 3, 8, -1, 255, 2**16, 2**31, 2**40, 2**63, 10**30), "True", "1.5", "None", "'a'", "(1,)"]


def npy(rng):
    """The bytes of an `.npy` file; of a quarter of them the header says what is not so."""
    shape, order = rng.choice(SHAPES), rng.choice("CF")
    numbers = np.random.default_rng(rng.randrange(99)).integers(0, rng.choice((2, 10, 256)), shape)
    array = np.asarray(numbers, rng.choice(DTYPES), order=order)
    target = io.BytesIO()
    np.save(target, array / 127.5 - 1 if array.dtype.kind == "f" else array)
    if rng.random() < 0.75:
        return target.getvalue()
    sides = ", ".join(str(rng.choice(SIDES)) for _ in range(rng.choice((0, 1, 3, 4, 4, 40))))
    descr = rng.choice(DESCRIPTIONS)
    descr = descr if descr.startswith("[") else repr(descr)
    text = f"{{'descr': {descr}, 'fortran_order': {rng.choice((True, False, 5))}, 'shape': ({sides},)}}\n".encode()
    version, width = rng.choice(((1, 2), (2, 4), (3, 4), (9, 2)))
    length = len(text) if rng.random() < 0.8 else rng.choice((0, 5, 2 ** (8 * width) - 1))
    return (
        b"\x93NUMPY"
        + bytes((version, 0))
        + length.to_bytes(width, "little")
        + text
        + bytes(rng.choice((0, 256, 2**16)))
    )


def npz(rng):
    names = [
        rng.choice(("images", "labels", "x_train", "y_train", "x_test", "inputs/noise", LETTERS[:2])) for _ in range(3)
    ]
    members = [(f"{name}.npy" if rng.random() < 0.9 else name, npy(rng)) for name in ["images", *names]]
    if rng.random() < 0.1:  # a bomb
        members.insert(0, ("images.npy", npy(rng)[: rng.choice((8, 10, None))] + bytes(2**26)))
    return packed(members, compression=rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)))


def read_arrays(rng, folder):
    content, ending = (npz(rng), "npz") if rng.random() < 0.6 else (npy(rng), "npy")
    if rng.random() < 0.6:
        content = damaged(content, rng, (b"NUMPY", b"descr", b"shape", b"PK\1\2", b"PK\3\4", b"PK\5\6"))
    path = folder / f"a.{ending if rng.random() < 0.9 else rng.choice(('zip', 'bin', 'npy', 'npz'))}"
    path.write_bytes(content)
    yield
    if rng.random() < 0.2:
        _golden(path)
        return
    found = kg.data.load(
        path,
        split=rng.choice(("train", "train", "train", "test")),
        batch_size=1,
        image_size=rng.choice((None, None, (8, 8))),
        channels=rng.choice((None, None, 1, 3)),
        take=rng.choice((None, None, 2)),
    )
    assert found.images.dtype in ("uint8", "float32") and found.images.ndim == 4


def read_zip(images, rng, folder):
    members = [
        (f"{rng.choice(('cat', 'dog', '..', ''))}/{i}.{ending}", content) for i, (ending, content) in enumerate(images)
    ]
    content = packed(rng.sample(members, rng.randrange(5)))
    path = folder / f"images.{rng.choice(('zip', 'npz', 'keras', 'png'))}"
    path.write_bytes(damaged(content, rng, (b"PK\1\2", b"PK\5\6")) if rng.random() < 0.5 else content)
    yield
    rng.choice((kg.data.load, kg.data.load_pairs, kg.zoo.load_file))(path)


PLACES = [
    b"",
    b"cat",
    b"dog",
    b"2",
    b"10",
    b"train",
    b"test",
    b"val",
    b"A",
    b"B",
    b"trainA",
    b"trainB",
    b"images",
    b"labels",
]
PLACES += [b"__MACOSX", b".hidden", b"\x1b[2J", b"\xff\xfe", b"a\nb", b"x" * 200, b"Train", b"cat/train", b"dog/train"]


def metadata(names, rng):
    """A file of labels for images, its name and its bytes."""
    labels = [
        rng.choice(("cat", "dog", 1, 2.5, None, [1, 2], {"a": 1}, "", LETTERS, "\x1b[2J", "x" * 5000)) for _ in names
    ]
    if rng.random() < 0.5:
        labels = [rng.choice(("cat", "dog")) for _ in names]
    what = rng.randrange(3)
    if what == 0:
        return "dataset.json", as_json(mutated({"labels": list(map(list, zip(names, labels)))}, rng), rng)
    rows = [{"file_name": name, "label": label, "more": 1} for name, label in zip(names, labels)]
    if what == 1:
        return "metadata.jsonl", b"\n".join(
            as_json(mutated(row, rng) if rng.random() < 0.2 else row, rng) for row in rows
        )
    text = "file_name,label\n" + "".join(f"{name},{label}\n" for name, label in zip(names, labels))
    text = text.encode("utf-8", "surrogatepass")
    return "metadata.csv", damaged(text, rng) if rng.random() < 0.5 else text


def read_folder(images, rng, folder):
    """Images, labels and what else may lie in a folder, in any order."""
    root = os.fsencode(folder / "data")
    places, names = rng.sample(PLACES, rng.randrange(1, 5)), []
    for i in range(rng.randrange(8)):
        ending, content = rng.choice(images)
        place = rng.choice(places)
        os.makedirs(os.path.join(root, place), exist_ok=True)
        name = os.path.join(
            place, rng.choice((b"%d" % i, b"1", b"\x1b]0;%d" % i, b"\xff%d" % i)) + b"." + ending.encode()
        )
        with open(os.path.join(root, name), "wb") as file:
            file.write(damaged(content, rng) if rng.random() < 0.2 else content)
        names.append(os.fsdecode(name))
    os.makedirs(root, exist_ok=True)
    if rng.random() < 0.5:
        names = names if rng.random() < 0.8 else [*names, "../outside.png", "/etc/passwd", LETTERS]
        name, content = metadata(names, rng)
        with open(os.path.join(root, name.encode()), "wb") as file:
            file.write(content)
    for i in range(rng.choice((0, 0, 1, 2))):
        odd, what = os.path.join(root, b"odd%d.png" % i), rng.randrange(5)
        if what == 0:
            os.mkfifo(odd)
        elif what == 1:
            os.symlink("/dev/zero", odd)
        elif what == 2:
            os.makedirs(odd)
        elif what == 3:
            os.symlink(rng.choice((root, b"nowhere", odd)), os.path.join(root, b"link%d" % i))
        else:
            open(os.path.join(root, b"metadata.csv"), "wb").close()
    how, path = rng.randrange(6), folder / "data"
    options = {
        "image_size": rng.choice((None, (8, 8))),
        "batch_size": 1,
        "split": rng.choice(("train", "train", "test")),
    }
    yield
    if how < 4:
        found = kg.data.load(
            path, channels=rng.choice((None, 3)), labels=rng.choice((True, True, False, "more")), **options
        )
        cards.card_text({**CARD, "dataset": found.about})
        texts = json.dumps(found.about, ensure_ascii=False)
        assert "\x1b" not in texts and texts.encode()
    elif how == 4:
        kg.data.load_pairs(path, sides=rng.choice((None, ("A", "B"), ("cat", "dog"))), **options)
    else:
        kg.data.load_unpaired(path, sides=rng.choice((None, ("A", "B"), ("cat", "dog"))), **options)


CARD = json.loads((kg.zoo.cards.find("gan_mnist") / "card.json").read_text())


class LeftOut(KerasGansError):
    """What `kg.data.load` warns of, as an outcome."""


class Elsewhere:
    """Notes files that are opened for writing outside a folder, whoever opens them."""

    def __init__(self):
        self.folder, self.found = None, []
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if self.folder is None or event not in ("open", "os.mkdir", "os.rename", "os.remove", "os.symlink"):
            return
        path, writes = arguments[event == "os.symlink"], True
        if event == "open":
            flags = arguments[2] or 0
            writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))
        if writes and isinstance(path, (str, bytes, os.PathLike)):
            path = os.path.abspath(os.fsdecode(path))
            if not path.startswith((self.folder, "/dev/", "/proc/self/")):
                self.found.append(f"{event} {path}")


def memory(key):
    """MiB of this process, its size now (VmRSS) or its largest since `forget_peak` (VmHWM); 0 where nothing says so."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024
    return 0.0


def forget_peak():
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def main(count, seed, folder):
    folder = Path(folder)
    bases, images = models(folder), pictures()
    card = json.loads((kg.zoo.cards.find("gan_mnist") / "card.json").read_text())
    outcomes = collections.Counter()
    slowest, growth, elsewhere = (0.0, ""), {}, Elsewhere()
    tempfile.tempdir = str(folder)
    keras.config.disable_interactive_logging()
    for i in range(seed, seed + count):
        rng = random.Random(i)
        own = folder / "input"
        own.mkdir()
        kind = rng.choices(KINDS, (40, 12, 16, 16, 4, 12))[0]
        (folder / "now").write_text(f"{i} {kind}\n")
        faulthandler.dump_traceback_later(SLOWEST, exit=True)
        elsewhere.folder = f"{folder}{os.sep}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if kind == "model":
                    parts = read_model(rng.choice(bases), card, rng, own)
                elif kind == "card":
                    parts = read_card(card, rng, own)
                elif kind == "picture":
                    parts = read_pictures(*rng.choice(images), rng, own)
                elif kind == "array":
                    parts = read_arrays(rng, own)
                elif kind == "zip":
                    parts = read_zip(images, rng, own)
                else:
                    parts = read_folder(images, rng, own)
                next(parts)
                forget_peak()
                before, started = memory("VmRSS"), time.perf_counter()
                next(parts, None)
            outcome = "read"
        except KerasGansError as error:
            outcome = type(error).__name__
            message = str(error)
            words = outcome == "LeftOut" or ("Expected" in message and "Received" in message)
            assert words and len(message) < 3000, f"input {i}: {message}"
        except BaseException as error:
            error.add_note(f"input {i}, {kind}")
            raise
        finally:
            elsewhere.folder = None
            faulthandler.cancel_dump_traceback_later()
        assert not elsewhere.found, f"input {i} wrote {elsewhere.found}"
        outcomes[f"{kind}: {outcome}"] += 1
        slowest = max(slowest, (round(time.perf_counter() - started, 2), f"{i} {kind} {outcome}"))
        growth[kind] = max(growth.get(kind, (0.0, "")), (round(memory("VmHWM") - before, 1), f"{i} {outcome}"))
        shutil.rmtree(own)
        if i % 50 == 49:
            keras.backend.clear_session(free_memory=True)
    found = {"outcomes": dict(sorted(outcomes.items())), "slowest_seconds": slowest, "largest_growth_mib": growth}
    print(json.dumps({**found, "peak_mib": round(memory("VmRSS"))}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
