"""What a `.keras` file may hold: a model as Keras writes it passes, anything else is refused before Keras sees it."""

import io
import json
import os
import subprocess
import sys
import threading
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from keras_gans import files
from keras_gans.errors import UntrustedFileError
from keras_gans.files import CONFIG, WEIGHTS, read_model

HOLDS = ["config.json", "metadata.json", "model.weights.h5"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The members of a small model's file."""
    path = tmp_path_factory.mktemp("whole") / "model.keras"
    keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2)]).save(path)
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


@pytest.fixture
def unseen(monkeypatch):
    """Keras may not be asked."""
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("Keras read it"))


def packed(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as file:
        for name, content in members.items() if isinstance(members, dict) else members:
            file.writestr(name, content)
    return path


def with_config(whole, change):
    config = json.loads(whole[CONFIG])
    change(config["config"]["layers"])
    return {**whole, CONFIG: json.dumps(config)}


def with_weights(whole, change):
    target = io.BytesIO(whole[WEIGHTS])
    with h5py.File(target, "r+") as file:
        change(file)
    return {**whole, WEIGHTS: target.getvalue()}


def test_a_whole_file_is_read(whole, tmp_path):
    assert sorted(whole) == HOLDS
    model = read_model(packed(tmp_path / "model.keras", whole))
    assert model.count_params() == 4 * 3 + 3 + 3 * 2 + 2 and not model.compiled


def test_the_optimizer_is_read_where_it_is_asked_for(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 4)), np.ones((4, 1)), verbose=0)
    model.save(tmp_path / "model.keras")
    assert int(read_model(tmp_path / "model.keras", compile=True).optimizer.iterations) == 1


# The zip file


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip" * 99, b"PK\5\6" + b"\0" * 17, b"PK\5\6" + b"\xff" * 18])
def test_what_is_no_zip_file_is_refused(content, unseen, tmp_path):
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(ValueError, match="Expected .* zip file.* Received"):
        read_model(tmp_path / "model.keras")


def test_what_is_no_file_is_refused(unseen, tmp_path):
    os.mkfifo(tmp_path / "pipe.keras")  # opening it would wait for a writer
    (tmp_path / "folder.keras").mkdir()
    for name in ("pipe.keras", "folder.keras", "missing.keras", "hf://someone/model.keras"):
        with pytest.raises(ValueError, match="Expected a file. Received"):
            read_model(tmp_path / name if ":" not in name else name)


@pytest.mark.parametrize("left", [0.5, 0.99, -1])
def test_a_truncated_file_is_refused(left, whole, unseen, tmp_path):
    path = packed(tmp_path / "model.keras", whole)
    content = path.read_bytes()
    path.write_bytes(content[: left if left < 0 else int(left * len(content))])
    with pytest.raises(ValueError, match="Expected a whole zip file"):
        read_model(path)


@pytest.mark.parametrize("name", ["../up.txt", "/tmp/absolute.txt", "..\\up.txt", "assets/vocabulary.txt", "a\x1b[2J"])
def test_another_member_is_refused(name, whole, unseen, tmp_path):
    with pytest.raises(ValueError, match="Expected the members config.json, metadata.json, model.weights.h5. Received"):
        read_model(packed(tmp_path / "model.keras", {**whole, name: b"content"}))
    assert os.listdir(tmp_path) == ["model.keras"]


def test_a_missing_member_is_refused(whole, unseen, tmp_path):
    for name in HOLDS:
        with pytest.raises(ValueError, match="Expected the members"):
            read_model(packed(tmp_path / "model.keras", {key: whole[key] for key in whole if key != name}))


def test_a_member_twice_is_refused(whole, unseen, tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        path = packed(tmp_path / "model.keras", [*whole.items(), (CONFIG, b"{}")])
    with pytest.raises(ValueError, match="Expected the members"):
        read_model(path)


def test_compressed_members_are_refused(whole, unseen, tmp_path):
    """And so no member stands for more than it holds."""
    path = packed(tmp_path / "model.keras", whole, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="neither compressed nor encrypted.*pack it again without compression"):
        read_model(path)


@pytest.mark.parametrize(("field", "value"), [(24, 2**30), (20, 2**30), (10, 8), (8, 1)])
def test_members_whose_entries_lie_are_refused(field, value, whole, unseen, tmp_path):
    """The list's entry of a member: its size, its compressed size, its method, its flags (PKWARE's APPNOTE, 4.3.12)."""
    path = packed(tmp_path / "model.keras", whole)
    content = bytearray(path.read_bytes())
    entry = content.find(b"PK\1\2")
    width = 4 if field >= 20 else 2
    content[entry + field : entry + field + width] = value.to_bytes(width, "little")
    path.write_bytes(content)
    with pytest.raises(ValueError, match="Expected .* neither compressed nor encrypted"):
        read_model(path)


def test_members_on_top_of_each_other_are_refused(unseen):
    members = [zipfile.ZipInfo(name) for name in HOLDS]
    for member in members:
        member.file_size = member.compress_size = 500
    files._check_members(members, 1500)
    with pytest.raises(ValueError, match="do not overlap"):
        files._check_members(members, 1499)


def test_a_long_list_of_members_is_refused_unread(whole, unseen, tmp_path, monkeypatch):
    path = packed(tmp_path / "model.keras", {**whole, **{f"{i}": b"" for i in range(100)}})
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("read the list"))
    with pytest.raises(ValueError, match="Expected a zip file of 3 members. Received: a list of"):
        read_model(path)


def test_a_zip_file_of_another_size_of_numbers_is_refused(whole, unseen, tmp_path):
    """`zipfile` would believe the ZIP64 record, whose list may be as long as it likes."""
    path = packed(tmp_path / "model.keras", whole)
    content = path.read_bytes()
    path.write_bytes(content[:-22] + b"PK\6\7" + b"\0" * 16 + content[-22:])
    with pytest.raises(ValueError, match="Expected a whole zip file"):
        read_model(path)


# The config


@pytest.mark.parametrize("config", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"9" * 5000])
def test_a_config_that_is_no_json_is_refused(config, whole, unseen, tmp_path):
    with pytest.raises((ValueError, RecursionError)):
        read_model(packed(tmp_path / "model.keras", {**whole, CONFIG: config}))


def test_a_config_that_is_deep_long_or_of_many_objects_is_refused(whole, unseen, tmp_path, monkeypatch):
    deep = b"[" * 101 + b"]" * 101
    with pytest.raises(ValueError, match="nested at most 100 deep"):
        read_model(packed(tmp_path / "deep.keras", {**whole, CONFIG: deep}))
    many = json.dumps([{"class_name": "ReLU"}] * (2**13 + 1))
    with pytest.raises(ValueError, match="at most 8192 objects. Received: 8193"):
        read_model(packed(tmp_path / "many.keras", {**whole, CONFIG: many}))
    for name in (CONFIG, "metadata.json"):
        with pytest.raises(ValueError, match=f"{name} to have at most 4194304 bytes. Received: 4194305"):
            read_model(packed(tmp_path / "long.keras", {**whole, name: b" " * (2**22 + 1)}))


@pytest.mark.parametrize("key", ["unroll", "num_ops", "num_chains", "chain_depth"])
def test_layers_that_are_built_for_ever_are_refused(key, whole, unseen, tmp_path):
    """`RNN` by the length of its inputs, `RandAugment` and `AugMix` by their options."""
    path = tmp_path / "model.keras"
    for value in (True, 101, 1e9) if key == "unroll" else (101, 1e9):
        members = with_config(whole, lambda found: found[1]["config"].update({key: value}))
        with pytest.raises(ValueError, match=f"Expected {key} of at most"):
            read_model(packed(path, members))


def test_code_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((2,)), layers.Lambda(lambda x: x + 1)]).save(path)
    with pytest.raises(UntrustedFileError, match="with a lambda.*safe_mode=False"):
        read_model(path)
    assert read_model(path, safe_mode=False)(np.ones((1, 2))).shape == (1, 2)


HUGE = {
    "dense": lambda found: found[1]["config"].update(units=40_000_000),
    "more than any integer": lambda found: found[1]["config"].update(units=10**30),
    "input": lambda found: found[0]["config"].update(batch_shape=[None, 2**40]),
    "of many sides": lambda found: found[0]["config"].update(batch_shape=[None, *[2**60] * 5000]),
    "many": lambda found: found.extend(more_layers(found[2], 9)),
}


def more_layers(layer, count):
    """Layers of 512 x 512 weights after one of 2 units: each is small enough."""
    for i in range(count):
        config = {**layer["config"], "name": f"more_{i}", "units": 512}
        yield {**layer, "config": config, "build_config": {"input_shape": [None, 512 if i else 2]}}


@pytest.mark.parametrize("name", HUGE)
def test_shapes_that_the_file_does_not_store_are_refused(name, whole, tmp_path):
    path = packed(tmp_path / "model.keras", with_config(whole, HUGE[name]))
    with pytest.raises(ValueError, match="at most (1048622|268435456) numbers"):  # 2**20 and twice the model's 23
        read_model(path)
    assert read_model(packed(path, whole)).count_params() == 23  # and Keras is as it was before


def test_a_model_that_is_built_for_ever_is_refused(whole, tmp_path, monkeypatch):
    """Keras builds a `Sequential` anew with each layer that is added: 60 layers make 1830 outputs."""
    config = json.loads(whole[CONFIG])
    relu = {"class_name": "ReLU", "module": "keras.layers", "registered_name": None}
    config["config"]["layers"] += [{**relu, "config": {"name": f"relu_{i}"}} for i in range(60)]
    path = packed(tmp_path / "model.keras", {**whole, CONFIG: json.dumps(config)})
    assert len(read_model(path).layers) == 62
    monkeypatch.setattr(files, "MOST_OUTPUTS", 1000)
    with pytest.raises(ValueError, match="built with at most 1000 layer outputs"):
        read_model(path)


def test_only_this_threads_variables_are_counted():
    """Another thread's model may be built meanwhile."""
    made = []
    with pytest.raises(ValueError, match="at most 5 numbers.*a variable of shape \\(1,\\)"), files._at_most(5, 2**20):
        keras.Variable(np.zeros(100))  # a value that is there already
        keras.Variable("zeros", shape=(5,))
        other = threading.Thread(target=lambda: made.append(keras.Variable("zeros", shape=(100,))))
        other.start()
        other.join()
        keras.Variable("zeros", shape=(1,))
    assert made[0].shape == (100,) and keras.Variable("zeros", shape=(100,)).shape == (100,)


@pytest.mark.parametrize("shape", [("a", 2**40), ([0], 2**40), ("9" * 5000,), object()])
def test_what_is_no_shape_is_not_multiplied(shape):
    with pytest.raises((TypeError, ValueError)), files._at_most(5, 2**20):
        keras.KerasTensor(shape)


# The weights


def external_link(file):
    file["more"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file):
    file["more"] = h5py.SoftLink("/layers")


def external_storage(file):
    file.create_dataset("more", (4,), "uint8", external=[("/etc/passwd", 0, 4)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "uint8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4,))
    file.create_virtual_dataset("more", layout)


def chunked(file):
    file.create_dataset("more", (2**40,), "float32", chunks=(2**10,))


def unwritten(file):
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_alloc_time(h5py.h5d.ALLOC_TIME_LATE)
    h5py.h5d.create(file.id, b"more", h5py.h5t.NATIVE_FLOAT, h5py.h5s.create_simple((2**30,)), plan)


def circle(file):
    file["layers/again"] = file["/"]


def second_name(file):
    file["more"] = file["layers/dense/vars/0"]


def text(file):
    file["more"] = ["a", "b"]


def named_type(file):
    file["more"] = np.dtype("float32")


def wide_numbers(file):
    file["more"] = np.zeros(1, "V1000")


def deep(file):
    file.create_group("/".join("g" * 150))


def many(file):
    for i in range(1000):
        file.create_group(f"{i}")


@pytest.mark.parametrize(
    "change",
    [external_link, soft_link, external_storage, virtual, chunked, unwritten, circle, second_name, text, named_type,
     wide_numbers, deep, many],
)  # fmt: skip
def test_weights_that_are_more_than_arrays_in_groups_are_refused(change, whole, unseen, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_ITEMS", 1000)
    with pytest.raises(ValueError, match=r"Expected (groups and arrays|arrays|weights) .*Received"):
        read_model(packed(tmp_path / "model.keras", with_weights(whole, change)))


@pytest.mark.parametrize(("change", "kind"), [(external_link, "ExternalLink"), (soft_link, "SoftLink")])
def test_links_are_not_followed(change, kind, whole, unseen, tmp_path):
    with pytest.raises(ValueError, match=f"Received: 'more', a {kind}"):
        read_model(packed(tmp_path / "model.keras", with_weights(whole, change)))


# The memory


MEASURE = """
import resource, sys
import keras
from keras_gans.files import read_model

keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        read_model(path)
        print("read", path)
    except ValueError:
        pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_hostile_files_take_little_memory(whole, tmp_path):
    """The docstring's 64 MiB, for files of a few kB, read one after the other."""
    paths = [packed(tmp_path / f"{name}.keras", with_config(whole, HUGE[name])) for name in HUGE]
    paths += [packed(tmp_path / f"{f.__name__}.keras", with_weights(whole, f)) for f in (chunked, unwritten, virtual)]
    bomb = {**whole, WEIGHTS: b"\0" * 2**27}
    paths.append(packed(tmp_path / "bomb.keras", bomb, compression=zipfile.ZIP_DEFLATED))
    assert max(path.stat().st_size for path in paths) < 200_000
    command = [sys.executable, "-c", MEASURE, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 64
