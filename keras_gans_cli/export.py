"""The command export: a model as a SavedModel, as a file for ONNX or LiteRT, or as a page."""

from pathlib import Path

import click

from keras_gans_cli import page
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
@click.argument("path", required=False, type=click.Path())
@click.option("-o", "--output", type=click.Path(), help="Another way to write PATH.")
@click.option(
    "--format",
    default="tf_saved_model",
    show_default=True,
    type=click.Choice(["tf_saved_model", "onnx", "litert", "web"]),
    help="onnx and litert write one file, PATH, or model.onnx or model.tflite in the folder PATH; web a folder with a "
    "page for browsers.",
)
@click.option(
    "--runtime",
    type=click.Path(exists=True, file_okay=False),
    help="For web: the folder dist of the package onnxruntime-web, from which the page's runtime is copied.",
)
@click.option(
    "--image-size",
    callback=_size_of,
    help="For a model that takes images of any size, in a file: their size, such as 64, or HEIGHTxWIDTH.",
)
@click.option(
    "--max-examples",
    type=click.IntRange(1),
    help="For a SavedModel: the most examples that one request may ask for.  [default: any number]",
)
@model_options
def export(name, path, output, format, runtime, image_size, max_examples):
    """Write the model NAME, or that of a .keras file, as a SavedModel for TensorFlow Serving: PATH/1, then PATH/2, ...
    Or as a file for ONNX Runtime or LiteRT, on computers and phones without TensorFlow; or as a page for browsers."""
    if (path is None) == (output is None):
        raise click.UsageError(
            f"Expected PATH, or -o PATH. Received: {'neither' if path is None else 'both'}. Give one."
        )
    if (format == "web") != (runtime is not None):
        raise click.UsageError(
            "Expected --runtime FOLDER with --format web, and only there. Received: one without the other. Fetch the "
            "runtime by `npm pack onnxruntime-web` and name the folder package/dist in it."
        )
    if max_examples is not None and format != "tf_saved_model":
        raise click.UsageError(
            f"Expected --max-examples with a SavedModel. Received: --format {format}. Leave --max-examples out."
        )
    path = output if path is None else path
    missing = page.missing_files(runtime) if runtime else []
    if missing:
        raise click.UsageError(
            f"Expected the files of ONNX Runtime Web in --runtime. Received: {runtime}, without {', '.join(missing)}. "
            "Fetch it by `npm pack onnxruntime-web` and name the folder package/dist in it."
        )
    kg, model = sampler(name)
    with silence():  # the converters write there what the error says as well
        try:
            if format == "web":
                made = page.write(model, path, Path(name).stem, runtime, image_size)
            else:
                made = kg.export(model, path, format=format, image_size=image_size, max_examples=max_examples)
        except KerasGansError as error:
            made = error
    if isinstance(made, KerasGansError):
        raise made
    click.echo(f"wrote {printable(str(made))}")
