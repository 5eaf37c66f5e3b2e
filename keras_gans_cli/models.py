"""Loads the model that a command names, and says what it needs."""

import click

from keras_gans_cli.quiet import library
from keras_gans_core import cards


def sampler(name):
    """The library and the model of a preset, a run's folder or a .keras file."""
    if not name.endswith(".keras"):
        cards.verified_model(cards.find(name))  # before importing the backend, which takes seconds
    kg = library()
    return kg, kg.zoo.load_file(name) if name.endswith(".keras") else kg.load(name)


def sampler_of_noise(name):
    """`sampler`, for a model that has noise as an input."""
    kg, model = sampler(name)
    if "noise" not in model.input_fields:
        raise click.UsageError(
            f"Expected a model with noise as an input. Received: {name}, a {type(model).__name__}, whose inputs are "
            f"{', '.join(model.input_fields)}."
        )
    return kg, model


def remedy_for_given(name, model):
    """What to do with a model that needs given inputs."""
    from keras_gans.sampling import needed_inputs

    if hasattr(model, "translate"):
        return f"Use: keras-gans translate {name} FOLDER -o OUT"
    given = ", ".join(f"{key}=..." for key in needed_inputs(model))
    return f"Use Python: kg.load({name!r}).generate({given})"
