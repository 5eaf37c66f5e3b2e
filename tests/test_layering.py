"""Imports point down: the levels of the architecture, and where a backend may be named."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*ROOT.glob("keras_gans/**/*.py"), *ROOT.glob("keras_gans_cli/**/*.py")])

# The longest prefix of a module's name decides; imports within a level are allowed, but for the variants.
LEVELS = {
    "keras_gans_cli.__init__": 0,  # what answers before Keras is imported
    "keras_gans_cli.cards": 0,
    "keras_gans_cli.errors": 0,
    "keras_gans.errors": 0,
    "keras_gans.engine": 0,
    "keras_gans.augment": 1,
    "keras_gans.files": 1,
    "keras_gans.images": 1,
    "keras_gans.losses": 1,
    "keras_gans.pyramids": 1,
    "keras_gans.layers": 1,
    "keras_gans.data": 1,
    "keras_gans.penalties": 2,
    "keras_gans.networks": 2,
    "keras_gans.optimizers": 3,
    "keras_gans.model": 4,
    "keras_gans.models": 5,
    "keras_gans.callbacks": 5,
    "keras_gans.metrics": 5,
    "keras_gans.latent": 5,
    "keras_gans.zoo": 6,
    "keras_gans.serving": 6,
    "keras_gans.training": 7,
    "keras_gans.evaluation": 7,
    "keras_gans.__init__": 8,  # the package itself, which shows what there is
    "keras_gans_cli": 9,
}
BACKENDS = {
    "tensorflow": ("keras_gans/engine/tensorflow.py", "keras_gans/data/", "keras_gans/serving.py"),
    "tensorflow_datasets": ("keras_gans/data/",),
    "jax": ("keras_gans/engine/jax.py",),
    "torch": ("keras_gans/engine/torch.py",),
}


def module_name(file):
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


MODULES = {module_name(file): file for file in FILES}


def level(module):
    prefixes = [prefix for prefix in LEVELS if f"{module}.".startswith(f"{prefix}.")]
    assert prefixes, f"{module} has no level: give it one here and in docs/architecture.md"
    return LEVELS[max(prefixes, key=len)]


def imports(file):
    """`(module, whether inside a function)` of all that a file imports; a name of a package is its module."""
    tree = ast.parse(file.read_text())
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.Lambda)) for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield name, id(node) in inside


def own(name):
    """The package's module that an import reaches, or None."""
    if name.split(".")[0] not in ("keras_gans", "keras_gans_cli"):
        return None
    while name not in MODULES and "." in name:
        name = name.rpartition(".")[0]
    return f"{name}.__init__" if name in ("keras_gans", "keras_gans_cli") else name


def test_the_package_is_found():
    assert {"keras_gans.__init__", "keras_gans.model", "keras_gans.engine", "keras_gans.models.dcgan"} <= set(MODULES)
    found = {own(name) for name, _ in imports(MODULES["keras_gans.models.gan"])}
    assert {"keras_gans.model", "keras_gans.losses", "keras_gans.errors"} <= found


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    for name, _ in imports(MODULES[module]):
        target = own(name)
        if target is None or target == module:
            continue
        assert level(target) <= level(module), f"{module} (level {level(module)}) imports {target} ({level(target)})"


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("keras_gans.models.")])
def test_no_variant_imports_another(module):
    for name, _ in imports(MODULES[module]):
        assert not name.startswith("keras_gans.models"), f"{module} imports {name}"


@pytest.mark.parametrize("module", MODULES)
def test_a_backend_is_named_in_its_place_alone(module):
    path = MODULES[module].relative_to(ROOT).as_posix()
    for name, lazy in imports(MODULES[module]):
        package = name.split(".")[0]
        assert path.startswith(BACKENDS.get(package, "")), f"{path} imports {package}"
        if package in BACKENDS and not path.startswith("keras_gans/engine/"):
            assert lazy, f"{path} imports {package} outside a function"


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("keras_gans_cli")])
def test_the_command_line_starts_without_a_backend(module):
    for name, lazy in imports(MODULES[module]):
        if name.split(".")[0] in ("keras", "keras_gans", *BACKENDS):
            assert lazy and level(module) > 0, f"{module} imports {name}"


ONE_STEP = """
import sys
import numpy as np
import keras_gans as kg

gan = kg.GAN(image_shape=(4, 4, 1), latent_dim=2)
gan.compile()
gan.fit(np.zeros((4, 4, 4, 1), "uint8"), batch_size=4, verbose=0)
gan.generate(2, seed=0)
named = [name for name in ("tensorflow", "tensorflow_datasets", "jax", "torch") if name in sys.modules]
print("imported:", *named)
"""


def test_training_imports_no_other_backend():
    backend = keras.backend.backend()
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", ONE_STEP], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    imported = done.stdout.split("imported:")[1].split()
    assert backend in imported
    assert not {"tensorflow", "tensorflow_datasets"} & set(imported) - {backend}, imported


def test_the_command_line_knows_every_variant():
    import keras_gans.models
    from keras_gans_cli import cards

    assert sorted(cards.variants().values()) == sorted(keras_gans.models.__all__)
    assert cards.variants()["dcgan"] == "DCGAN"
