"""The command export: a model as a SavedModel."""

import click

from keras_gans_cli.models import model_options, sampler
from keras_gans_core.errors import printable


@click.command()
@click.argument("name")
@click.argument("folder", type=click.Path())
@model_options
def export(name, folder):
    """Write the model NAME, or that of a .keras file, as a SavedModel for TensorFlow Serving: FOLDER/1, then FOLDER/2,
    ..."""
    kg, model = sampler(name)
    click.echo(f"wrote {printable(str(kg.export(model, folder)))}")
