"""Untrusted model files: checked before Keras reads them, and limited in memory while it does."""

import contextlib
import gc
import io
import json
import os
import threading
import zipfile
from pathlib import Path

import h5py
import keras

from keras_gans import engine
from keras_gans.errors import UntrustedFileError

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MEMBERS = {CONFIG, WEIGHTS, "metadata.json"}  # what Keras writes
LARGEST_TEXT = 4 * 2**20  # bytes of a JSON member; the zoo's largest has 16 KiB
DEEPEST = 100  # levels of JSON or HDF5; the zoo's deepest has 12
MOST_OBJECTS = 2**13  # layers, initializers, ... of a config; the zoo's largest has 75
MOST_ITEMS = 2**16  # groups and arrays of the weights
MOST_ROUNDS = {
    "unroll": 0,
    "num_ops": 100,
    "num_chains": 100,
    "chain_depth": 100,
}  # rounds that Keras would unroll one by one
FREE_NUMBERS = 2**20  # numbers that a model's variables may hold in addition to those its file stores
LARGEST_OUTPUT = 2**28  # numbers that a layer may output for one example
LARGEST_UNASKED = 2**26  # the same of an untrusted file, unless a large model is asked for: 256 MiB
LARGEST_EXAMPLE = 2**24  # numbers of one input or output of an untrusted file, unless asked for, as of 4096x4096 pixels
LARGE = "If you trust the file and have the memory, pass large=True (--large)."
MOST_OUTPUTS = 2**15  # layer outputs while building, about a minute; Keras needs n**2 / 2 for `Sequential` of n layers
KNOWN_PACKAGES = ("keras", "keras_gans", "keras_hub", "keras_cv", "keras_nlp", "builtins")  # whose classes Keras finds
ZIP_END = 22  # bytes of the record that ends a zip file without a comment
ZIP64 = 2**32 - 1  # bytes from which a zip file has a different end record
LARGEST_DIRECTORY = 4096  # bytes of a zip's list of members; three members take 300

_counting = threading.RLock()


def read_model(path, compile=False, safe_mode=True, large=True):
    """The model in a `.keras` file, read with no more memory than a model of the file's size needs.

    The file may contain only what Keras writes: three uncompressed members, a config of limited size and depth, and
    arrays that are stored where they are declared. While Keras builds the model, its variables may hold at most twice
    the numbers that the file stores plus 2**20. (Without this check Keras allocates any shape that a config declares
    before it reads the weights.) Reading therefore takes less than 16 times the file's size plus 64 MiB.

    Layers and functions of somebody's own are found among those that are registered: import the module that registers
    them first. No file makes Python import or run anything, unless `safe_mode` is False.

    Args:
        path: the file's path.
        compile: whether to restore the optimizers too, as in `keras.saving.load_model`.
        safe_mode: whether to refuse code in the file, such as a lambda in a `Lambda` layer. False runs it: only for
            files that you trust.
        large: whether a layer may output 2**28 numbers for one example, as one of a user's own may, instead of 2**26.

    Returns:
        A Keras model.

    Raises:
        UntrustedFileError: a file with code, or with layers that are not registered or too large.
        ValueError: a file that breaks these rules, "Expected ... Received: ...". Keras, HDF5 and zipfile raise many
            other errors for a damaged file, so callers should catch `Exception`.

    Example:

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/tiny.keras"
    >>> keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    >>> read_model(path).count_params()
    3
    >>> with zipfile.ZipFile(path, "a") as file:
    ...     file.writestr("../more.txt", "")
    >>> read_model(path)
    Traceback (most recent call last):
        ...
    ValueError: Expected the members config.json, metadata.json, model.weights.h5. Received: ...
    """
    path = Path(path)
    stored = check_file(path)
    with zipfile.ZipFile(path) as members:
        config = json.loads(members.read(CONFIG))
    if unknown := unregistered(config):
        raise UntrustedFileError(
            f"Expected a file whose layers and functions are known. Received: {path}, which needs {_named(unknown)}. "
            "Import the module that registers them first; on the command line: --import FILE.py. Only import code "
            "that you trust."
        )
    if safe_mode and has_lambda(config):
        raise UntrustedFileError(
            f"Expected a file without code. Received: {path}, with a lambda, in a Lambda layer or as a function. "
            "If you trust the file, pass safe_mode=False, which runs its code."
        )
    try:
        with _collected(), _at_most(2 * stored + FREE_NUMBERS, LARGEST_OUTPUT if large else LARGEST_UNASKED):
            model = keras.saving.load_model(path, compile=compile, safe_mode=safe_mode)
    finally:
        engine.forget_kernels()
    if not isinstance(model, keras.Model):
        raise ValueError(f"Expected a Keras model. Received: a {type(model).__name__}.")
    return model


@contextlib.contextmanager
def _collected():
    """Frees what reading leaves behind, and before it the model that was read last, if it was dropped.

    Keras's models are circles of objects, which Python's collector finds late: a process that reads models again and
    again would grow. What is made in this context stays among the youngest objects, so that only those are searched.
    """
    gc.collect(1)
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
        gc.collect(0)


def _objects(config):
    """The serialized objects in a config, dicts with a "class_name". It may be an untrusted one."""
    level = [config]
    while level:
        yield from (value for value in level if isinstance(value, dict) and isinstance(value.get("class_name"), str))
        level = [inner for value in level for inner in _inside(value)]


def own_objects(config):
    """The names of classes and functions in a config that are neither Keras's nor this library's, in order."""
    names = {}
    for value in _objects(config):
        known, name = _is_of_known_package(value.get("module")), value.get("registered_name")
        if value["class_name"] == "function":
            known, name = _is_keras_function(value.get("config")), value.get("config")
        # Keras leaves the module out of the config of a class that inherits from one of its own.
        if isinstance(name, str) and not known and not name.startswith("keras_gans>") and "module" in value:
            names[name] = None
    return list(names)


def _is_of_known_package(module):
    return isinstance(module, str) and module.split(".")[0] in KNOWN_PACKAGES


def _is_keras_function(name):
    """Whether the name of a serialized function is that of one of Keras's own, which it finds without an import."""
    if not isinstance(name, str) or ">" in name or keras.saving.get_registered_object(name) is not None:
        return False
    function = {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}
    try:
        keras.saving.deserialize_keras_object(function)
    except (TypeError, ValueError):
        return False
    return True


def unregistered(config):
    """Those of `own_objects` that are not registered with Keras, nor in a `custom_object_scope`."""
    return [name for name in own_objects(config) if keras.saving.get_registered_object(name) is None]


def has_lambda(config):
    """Whether a config has a Python lambda, which is stored as code."""
    return any(value["class_name"] == "__lambda__" for value in _objects(config))


def own_layers(path):
    """`own_objects` of a `.keras` file; none if it cannot be read."""
    try:
        check_file(Path(path))
        with zipfile.ZipFile(path) as members:
            return own_objects(json.loads(members.read(CONFIG)))
    except Exception:  # zip and HDF5 each raise their own for a damaged file
        return []


def _named(names):
    """A few names from a file, which may be untrusted, on one short line that a terminal can show."""
    return ", ".join(ascii(name[:60])[1:-1] for name in names[:5]) + (", ..." if len(names) > 5 else "")


def check_file(path):
    """Checks that Keras may read a `.keras` file; returns how many numbers its arrays store."""
    if not path.is_file():
        raise ValueError("Expected a file. Received: no such file.")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        _check_zip_end(file, size)
        with zipfile.ZipFile(file) as members:
            _check_members(members.infolist(), size)
            for name in MEMBERS - {WEIGHTS}:
                _check_json(members.read(name))
            return _count_stored(members.read(WEIGHTS))


def _check_zip_end(file, size):
    """Checks the list's length, because `zipfile` reads the whole list of members, however long the file says it is."""
    if size > ZIP64:  # only the user's own files are that large
        return
    file.seek(max(0, size - ZIP_END - 20))
    end = file.read()
    record, before = end[-ZIP_END:], end[:-ZIP_END]
    if len(record) < ZIP_END or record[:4] != b"PK\5\6" or before[:4] == b"PK\6\7":
        raise ValueError("Expected a whole zip file, as model.save writes it. Received: another file or a part.")
    if (listed := int.from_bytes(record[12:16], "little")) > LARGEST_DIRECTORY:
        raise ValueError(f"Expected a zip file of {len(MEMBERS)} members. Received: a list of {listed} bytes.")


def _check_members(members, size):
    names = sorted(member.filename for member in members)
    if names != sorted(MEMBERS):
        raise ValueError(f"Expected the members {', '.join(sorted(MEMBERS))}. Received: {names!r}.")
    for member in members:
        plain = member.compress_type == zipfile.ZIP_STORED and member.file_size == member.compress_size
        if not plain or member.flag_bits & 1:
            raise ValueError(
                f"Expected {member.filename} neither compressed nor encrypted. Received: {member.compress_size} bytes "
                f"stored for {member.file_size}. Unpack the file, and pack it again without compression."
            )
        if member.filename != WEIGHTS and member.file_size > LARGEST_TEXT:
            raise ValueError(
                f"Expected {member.filename} to have at most {LARGEST_TEXT} bytes. Received: {member.file_size}."
            )
    if sum(member.file_size for member in members) > size:
        raise ValueError(f"Expected members that do not overlap. Received: more than the file's {size} bytes in all.")


def _check_json(content):
    objects, level = 0, [json.loads(content)]
    for _ in range(DEEPEST):
        entries = [value for value in level if isinstance(value, dict)]
        objects += sum("class_name" in value for value in entries)
        for value in entries:
            _check_rounds(value)
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            break
    else:
        raise ValueError(f"Expected a config nested at most {DEEPEST} deep. Received: a deeper one.")
    if objects > MOST_OBJECTS:
        raise ValueError(f"Expected a config of at most {MOST_OBJECTS} objects. Received: {objects}.")


def _check_rounds(config):
    for key, most in MOST_ROUNDS.items():
        if isinstance(rounds := config.get(key, 0), (int, float)) and rounds > most:
            raise ValueError(f"Expected {key} of at most {most} in a config. Received: {rounds}, which takes too long.")


def _inside(value):
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _count_stored(content):
    """How many numbers the arrays of an HDF5 file store. Each must be in the file itself, in full, under one name."""
    numbers = declared = 0
    with h5py.File(io.BytesIO(content), "r") as file:
        found, level = {h5py.h5o.get_info(file.id).addr}, [file]
        for _ in range(DEEPEST):
            items = [item for group in level for item in _members_of(group)]
            addresses = [h5py.h5o.get_info(item.id).addr for item in items]
            if len(found) + len(items) > MOST_ITEMS or len({*found, *addresses}) < len(found) + len(items):
                raise ValueError(
                    f"Expected weights of at most {MOST_ITEMS} items, each under one name. Received: others."
                )
            found.update(addresses)
            for array in (item for item in items if isinstance(item, h5py.Dataset)):
                _check_array(array)
                numbers += min(array.size, array.nbytes // 2)  # a number has two bytes or more; boolean arrays are few
                declared += array.nbytes
                if declared > len(content):
                    raise ValueError(f"Expected arrays of at most {len(content)} bytes. Received: {declared} bytes.")
            level = [item for item in items if isinstance(item, h5py.Group)]
            if not level:
                return numbers
    raise ValueError(f"Expected weights nested at most {DEEPEST} deep. Received: deeper ones.")


def _members_of(group):
    """A group's groups and arrays. Links to another file or place are refused."""
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"Expected groups and arrays only. Received: {name!r}, a {type(link).__name__}.")
        item = group[name]
        if not isinstance(item, (h5py.Group, h5py.Dataset)):
            raise ValueError(f"Expected groups and arrays only. Received: {name!r}, a {type(item).__name__}.")
        yield item


def _check_array(array):
    layout = array.id.get_create_plist().get_layout()
    if array.external or array.shape is None or layout not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT):
        raise ValueError(f"Expected arrays stored in one piece. Received: {array.name!r}, which is stored differently.")
    if array.dtype.kind not in "biufV" or array.dtype.itemsize > 16:
        raise ValueError(f"Expected arrays of numbers. Received: {array.name!r} of {array.dtype}.")


@contextlib.contextmanager
def _at_most(numbers, largest):
    """A context in which this thread's new variables may hold `numbers` in all; more are refused before allocation.

    A layer may output `largest` numbers for one example.
    """
    left, outputs, thread, refusals = numbers, 0, threading.get_ident(), []

    def refuse(message, kind=ValueError):
        refusals.append(kind(message))
        raise refusals[0]

    def count(shape):
        nonlocal left
        left -= _product(shape, left + 1)
        if left < 0:
            refuse(
                f"Expected a model of at most {numbers} numbers, which is twice what its file stores plus "
                f"{FREE_NUMBERS}. Received: a config that declares more, including a variable of shape {shape}."
            )

    def check(shape):
        nonlocal outputs
        outputs += 1
        if outputs > MOST_OUTPUTS:
            refuse(f"Expected a model built with at most {MOST_OUTPUTS} layer outputs. Received: one with more.")
        if _product(shape, LARGEST_OUTPUT + 1) > LARGEST_OUTPUT:
            refuse(f"Expected layers of at most {LARGEST_OUTPUT} numbers. Received: an output of shape {shape}.")
        if _product(shape, largest + 1) > largest:
            refuse(
                f"Expected layers of at most {largest:,} numbers. Received: an output of shape {shape}. {LARGE}",
                UntrustedFileError,
            )

    with _counting, _looking_at(keras.Variable, 1, count, thread), _looking_at(keras.KerasTensor, 0, check, thread):
        try:
            yield
        finally:  # Keras wraps an error in several longer ones, or continues
            if refusals:
                raise refusals[0] from None


def _product(shape, most):
    """How many numbers a shape has, at most `most`. A config's shape may be any list, even of a million strings."""
    product = 1
    for n in shape:
        if n is not None:
            product = min(product * abs(int(n)), most)
    return product


@contextlib.contextmanager
def _looking_at(kind, place, look, thread):
    """Calls `look(shape)` before an object of `kind` is made in `thread`; `shape` is its argument number `place`.

    Keras has no hook for this, and a shape may come from any layer's `build`; but all pass through these constructors.
    """
    make = kind.__init__

    def looked_at(self, *args, **kwargs):
        shape = args[place] if len(args) > place else kwargs.get("shape")
        if shape is not None and threading.get_ident() == thread:
            look(shape)
        make(self, *args, **kwargs)

    kind.__init__ = looked_at
    try:
        yield
    finally:
        kind.__init__ = make
