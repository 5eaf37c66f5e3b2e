"""The command export: a model as a SavedModel, or as a file for ONNX or LiteRT."""

import click

from keras_gans_cli.models import model_options, sampler
from keras_gans_cli.quiet import silence
from keras_gans_core.errors import KerasGansError, printable


def _size_of(context, parameter, value):
    """The callback of --image-size: (height, width) of 64 or 48x64."""
    sides = [] if value is None else value.split("x")
    if not all(side.isascii() and side.isdecimal() and int(side) > 0 for side in sides) or len(sides) > 2:
        raise click.BadParameter(f"Expected a size such as 64, or HEIGHTxWIDTH such as 48x64. Received: {value!r}.")
    return (int(sides[0]), int(sides[-1])) if sides else None


@click.command()
@click.argument("name")
@click.argument("path", type=click.Path())
@click.option(
    "--format",
    default="tf_saved_model",
    show_default=True,
    type=click.Choice(["tf_saved_model", "onnx", "litert"]),
    help="onnx and litert write one file, PATH, or model.onnx or model.tflite in the folder PATH.",
)
@click.option(
    "--image-size",
    callback=_size_of,
    help="For a model that takes images of any size, in a file: their size, such as 64, or HEIGHTxWIDTH.",
)
@model_options
def export(name, path, format, image_size):
    """Write the model NAME, or that of a .keras file, as a SavedModel for TensorFlow Serving: PATH/1, then PATH/2, ...
    Or as a file for ONNX Runtime or LiteRT, on computers and phones without TensorFlow."""
    kg, model = sampler(name)
    with silence():  # the converters write there what the error says as well
        try:
            made = kg.export(model, path, format=format, image_size=image_size)
        except KerasGansError as error:
            made = error
    if isinstance(made, KerasGansError):
        raise made
    click.echo(f"wrote {printable(str(made))}")
