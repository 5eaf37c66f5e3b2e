"""What reading and writing models again and again keeps: nothing that grows."""

import gc
import json
import subprocess
import sys
import weakref

import keras
import numpy as np
import pytest

import keras_gans as kg

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow keeps kernels")

MEASURE = """
import ctypes, gc, json, sys, tempfile
import numpy as np
import keras_gans as kg

calls = int(sys.argv[1])
folder = tempfile.mkdtemp()
model = kg.GAN(image_shape=(8, 8, 1), latent_dim=4, ema_decay=0.9)
model.compile()
model.fit(np.zeros((8, 8, 8, 1), "uint8"), batch_size=8, verbose=0)
model.save(folder + "/model.keras")
calls_of = {
    "load": lambda: kg.load("gan_mnist"),
    "load_file": lambda: kg.zoo.load_file(folder + "/model.keras"),
    "save": lambda: model.save(folder + "/model.keras"),
}


def size():
    '''MiB of this process, without what was freed and not given back.'''
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20


found = {}
for name, call in calls_of.items():
    for _ in range(calls):  # what is made once, and the allocator's own pools
        call()
    before = size()
    for _ in range(calls):
        call()
    found[name] = size() - before
print(json.dumps(found))
"""


def growth(calls):
    """{call: MiB} by which so many calls let a process grow that has made as many before."""
    done = subprocess.run([sys.executable, "-c", MEASURE, str(calls)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_no_object_of_a_model_that_was_read_or_written_is_kept(tmp_path):
    model = kg.GAN(image_shape=(8, 8, 1), latent_dim=4, ema_decay=0.9)
    model.compile()
    model.fit(np.zeros((8, 8, 8, 1), "uint8"), batch_size=8, verbose=0)
    counts = []
    for _ in range(6):
        model.save(tmp_path / "model.keras")
        kg.zoo.load_file(tmp_path / "model.keras")
        kg.load("gan_mnist")
        gc.collect()
        counts.append(len(gc.get_objects()))
    assert counts[-1] <= counts[2] + 10


@pytest.mark.slow  # the size of a process depends on what else runs
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the size of a process is read from /proc")
def test_fifty_calls_keep_little():
    """TensorFlow's kernels of variables that are gone would be 3 MiB or more for `load`."""
    assert all(mib < 1.5 for mib in growth(50).values())


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the size of a process is read from /proc")
def test_five_hundred_calls_keep_little():
    found = growth(500)
    print(found)
    assert all(mib < 5.0 for mib in found.values())


def test_a_model_that_was_trained_is_freed_with_its_data():
    """TensorFlow keeps each generator function of a dataset: not what it reads."""
    model = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
    model.compile()
    data = kg.data.Batches(np.zeros((16, 8, 8, 1), "uint8"), batch_size=8)
    model.fit(data, verbose=0)
    held = weakref.ref(model), weakref.ref(data)
    del model, data
    gc.collect()
    assert [ref() for ref in held] == [None, None]
