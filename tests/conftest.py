"""Quiet backends, warnings that are not ours, and the small data that many tests share."""

import gc
import os
import tempfile

# Before anything imports a backend. The models of the tests are alike: JAX compiles what it has compiled before once.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
compiled = tempfile.TemporaryDirectory(prefix="keras_gans_tests_")
os.environ["KERAS_HOME"] = compiled.name  # what the tests train is not noted in the user's home
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", compiled.name)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":  # code of tiny models is compiled longer than it runs
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
        "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1",
    )

import keras  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

# Warnings are errors; these are raised inside the libraries that we stand on, whatever we call.
NOT_OURS = (
    # Keras turns JAX's and PyTorch's variables into arrays in NumPy 1's way.
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning",
)


def pytest_configure(config):
    for line in NOT_OURS:
        config.addinivalue_line("filterwarnings", line)


def pytest_collection_modifyitems(items):
    """What is marked `once_elsewhere` runs for every variant on TensorFlow; beside it for one."""
    # The environment variable FULL_CONTRACT=1 turns this off, for a long run before a release.
    if keras.backend.backend() != "tensorflow" and not os.environ.get("FULL_CONTRACT"):
        for item in items:
            if item.get_closest_marker("once_elsewhere") and not getattr(item.cls, "whole_elsewhere", False):
                item.add_marker(pytest.mark.skip(reason="beside TensorFlow one variant is enough"))


def pytest_collection_finish():
    """What is imported stays: Python's garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def float32_policy():
    """Every test starts and ends under Keras's default dtype policy."""
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def images():
    """uint8 (26, 8, 8, 1): three batches of eight and a rest."""
    return np.random.default_rng(0).integers(0, 256, (26, 8, 8, 1)).astype("uint8")
