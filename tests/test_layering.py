"""Imports point down: the levels of the architecture, and where a backend may be named."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("keras_gans", "keras_gans_cli", "keras_gans_core")

# The longest prefix of a module's name decides. Imports within a level are allowed, but no circles, and no variant
# imports another.
LEVELS = {
    "keras_gans_core": 0,  # readable without Keras
    "keras_gans.errors": 0,
    "keras_gans.engine": 0,
    "keras_gans.augment": 1,
    "keras_gans.clustering": 1,
    "keras_gans.fields": 1,
    "keras_gans.files": 1,
    "keras_gans.images": 1,
    "keras_gans.layers": 1,
    "keras_gans.losses": 1,
    "keras_gans.pyramids": 1,
    "keras_gans.resampling": 1,
    "keras_gans.data": 2,
    "keras_gans.networks": 2,
    "keras_gans.penalties": 2,
    "keras_gans.optimizers": 3,
    "keras_gans.tiles": 3,
    "keras_gans.batch_statistics": 4,
    "keras_gans.checking": 4,
    "keras_gans.fitting": 4,
    "keras_gans.guards": 4,
    "keras_gans.mapped": 4,
    "keras_gans.model": 4,
    "keras_gans.phases": 4,
    "keras_gans.presets": 4,
    "keras_gans.sampling": 4,
    "keras_gans.saving": 4,
    "keras_gans.callbacks": 5,
    "keras_gans.conversion": 5,
    "keras_gans.latent": 5,
    "keras_gans.metrics": 5,
    "keras_gans.models": 5,
    "keras_gans.serving": 6,
    "keras_gans.zoo": 6,
    "keras_gans.evaluation": 7,
    "keras_gans.training": 7,
    "keras_gans.__init__": 8,  # the package itself, which shows what there is
    "keras_gans_cli": 8,
}
BACKENDS = {
    "tensorflow": (
        "keras_gans/engine/tensorflow.py",
        "keras_gans/data/",
        "keras_gans/serving.py",
        "keras_gans/conversion.py",
    ),
    "tensorflow_datasets": ("keras_gans/data/",),
    "jax": ("keras_gans/engine/jax.py",),
    "torch": ("keras_gans/engine/torch.py",),
}

# What imports NumPy, which takes a tenth of a second.
NUMERIC = {f"keras_gans_core.{name}" for name in ("checks", "labels", "philox", "pictures")}


def module_name(file, root=ROOT):
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def modules_of(root):
    """`{module: file}` of all modules of the packages under `root`."""
    return {module_name(file, root): file for name in PACKAGES for file in sorted(root.glob(f"{name}/**/*.py"))}


MODULES = modules_of(ROOT)


def level(module):
    prefixes = [prefix for prefix in LEVELS if f"{module}.".startswith(f"{prefix}.")]
    assert prefixes, f"{module} has no level: give it one here and in docs/architecture.md"
    return LEVELS[max(prefixes, key=len)]


def imports(file):
    """`(name, whether inside a function)` of all that a file imports: a module, or a name in one."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    inside = {id(node) for f in ast.walk(tree) if isinstance(f, functions) for node in ast.walk(f)}
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


def own(name, modules=MODULES):
    """The module of this project that an import reaches, or None."""
    if name.split(".")[0] not in PACKAGES:
        return None
    while name not in modules and "." in name:
        name = name.rpartition(".")[0]
    return f"{name}.__init__" if name in PACKAGES else name


def reached(module, modules=MODULES):
    """The modules of this project that a module imports, inside functions or not."""
    targets = {own(name, modules) for name, _ in imports(modules[module])}
    return sorted(targets - {None, module})


def arrows_up(modules=MODULES):
    """`(module, imported module)` of each import of a higher level."""
    pairs = [(module, target) for module in modules for target in reached(module, modules)]
    return [(module, target) for module, target in pairs if level(target) > level(module)]


def circle(modules=MODULES):
    """Modules that import each other in a circle, or an empty list."""
    done, path = set(), []

    def visit(module):
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        path.append(module)
        found = next(filter(None, map(visit, reached(module, modules))), [])
        path.pop()
        done.add(module)
        return found

    return next(filter(None, map(visit, modules)), [])


def variant_classes():
    """The names of the classes that `keras_gans/models/__init__.py` imports."""
    return {name.rpartition(".")[2] for name, _ in imports(MODULES["keras_gans.models"])}


def test_the_packages_are_found():
    assert {"keras_gans.__init__", "keras_gans.model", "keras_gans.engine", "keras_gans.models.dcgan"} <= set(MODULES)
    assert {"keras_gans_cli.app", "keras_gans_core.cards", "keras_gans.training.__main__"} <= set(MODULES)
    assert {"keras_gans.model", "keras_gans.losses", "keras_gans.errors"} <= set(reached("keras_gans.models.gan"))
    assert "keras_gans.evaluation.verify" in reached("keras_gans.evaluation")
    assert "keras_gans.evaluation" in reached("keras_gans_cli.measure")  # from inside a function
    assert {"DCGAN", "GAN"} <= variant_classes()


def write(root, files):
    for name, text in files.items():
        path = root / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return modules_of(root)


def test_arrows_up_and_circles_are_found(tmp_path):
    files = {
        "keras_gans.images": "from keras_gans import errors",
        "keras_gans.errors": "def f():\n    from keras_gans.images import save",
        "keras_gans.losses.__init__": "from keras_gans.losses.a import b",
        "keras_gans.losses.a": "import keras_gans_core.errors",
        "keras_gans_core.errors": "import numpy",
    }
    modules = write(tmp_path, files)
    assert arrows_up(modules) == [("keras_gans.errors", "keras_gans.images")]
    assert circle(modules) == ["keras_gans.errors", "keras_gans.images", "keras_gans.errors"]
    assert circle(write(tmp_path, {"keras_gans.errors": ""})) == []
    assert circle(write(tmp_path, {"keras_gans.losses.a": "from keras_gans.losses import b"}))[1:] == [
        "keras_gans.losses.a",
        "keras_gans.losses",
    ]


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    for target in reached(module):
        assert level(target) <= level(module), f"{module} (level {level(module)}) imports {target} ({level(target)})"


def test_no_modules_import_each_other():
    assert not circle(), " -> ".join(circle())


@pytest.mark.parametrize("module", [m for m in MODULES if not m.startswith("keras_gans_cli")])
def test_the_library_imports_no_command_line(module):
    packages = {target.split(".")[0] for target in reached(module)}
    assert "keras_gans_cli" not in packages
    assert not module.startswith("keras_gans_core") or packages <= {"keras_gans_core"}


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("keras_gans.models.")])
def test_no_variant_imports_another(module):
    for name, _ in imports(MODULES[module]):
        assert not f"{name}.".startswith("keras_gans.models."), f"{module} imports {name}"


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("keras_gans.models.")])
def test_no_variant_is_a_subclass_of_another(module):
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
            assert not bases & variant_classes(), f"{node.name} is a subclass of {bases}"


@pytest.mark.parametrize("module", MODULES)
def test_a_backend_is_named_in_its_place_alone(module):
    path = MODULES[module].relative_to(ROOT).as_posix()
    for name, lazy in imports(MODULES[module]):
        package = name.split(".")[0]
        assert path.startswith(BACKENDS.get(package, "")), f"{path} imports {package}"
        if package in BACKENDS and not path.startswith("keras_gans/engine/"):
            assert lazy, f"{path} imports {package} outside a function"


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith(("keras_gans_cli", "keras_gans_core"))])
def test_the_command_line_starts_without_keras(module):
    for name, lazy in imports(MODULES[module]):
        if name.split(".")[0] in ("keras", "keras_gans", "numpy", *BACKENDS) or own(name) in NUMERIC:
            allowed = module in NUMERIC and (name == "numpy" or own(name) in NUMERIC)
            assert allowed or lazy and module.startswith("keras_gans_cli"), f"{module} imports {name}"


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
    from keras_gans_core import cards

    assert sorted(cards.variants().values()) == sorted(keras_gans.models.__all__)
    assert cards.variants()["dcgan"] == "DCGAN"
