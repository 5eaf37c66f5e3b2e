"""Every builder checks the image shape before it builds."""

import importlib
import inspect
import pkgutil

import pytest

import keras_gans.models
import keras_gans.networks
from keras_gans.errors import ConfigurationError

BUILDERS = [
    builder
    for package in (keras_gans.models, keras_gans.networks)
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    for name, builder in vars(importlib.import_module(module.name)).items()
    if name.startswith("build_") and builder.__module__ == module.name
    if "image_shape" in inspect.signature(builder).parameters
]
REFUSED = [(28, 28), (28, 28, 1, 1), 28, None, (28, 28, 0), (-4, 4, 1), (28.5, 28, 1), ("28", "28", "1")]


def test_there_are_builders():
    assert len(BUILDERS) > 35


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda builder: f"{builder.__module__}.{builder.__name__}")
def test_invalid_image_shapes_are_refused(builder):
    for shape in REFUSED:
        with pytest.raises(ConfigurationError, match="height, width, channels"):
            taken = inspect.signature(builder).parameters
            first = {"code_shape": (4,), "image_shape": shape} if "code_shape" in taken else {next(iter(taken)): shape}
            others = {"outputs": 2, "source_shape": (28, 28, 1)}
            builder(**first, **{name: value for name, value in others.items() if name in taken and name not in first})
