"""The commands translate and reconstruct: change images with a model that translates or reconstructs them."""

import inspect
import sys
from pathlib import Path

import click

from keras_gans_cli.models import model_options, sampler
from keras_gans_core.errors import printable


@click.command()
@click.argument("name")
@click.argument("pictures", metavar="FILE_OR_FOLDER", type=click.Path(exists=True))
@click.option(
    "-o", "--output", default="translated", show_default=True, type=click.Path(), help="Folder for the results."
)
@click.option("--direction", help="For a model of two directions: AtoB or BtoA.  [default: the model's]")
@click.option("--seed", default=0, show_default=True, type=int, help="Determines the noise, if the model has any.")
@click.option(
    "--instances",
    metavar="FILE_OR_FOLDER",
    type=click.Path(exists=True),
    help="For a model with maps of instances: those of the label maps, with the same names.",
)
@click.option("--resize", is_flag=True, help="Center-crop images of other sizes and resize them.")
@model_options
def translate(name, pictures, output, direction, seed, instances, resize):
    """Translate images with the model NAME, a run's folder or a .keras file.

    Each image in the folder becomes OUTPUT/<its name>.png; for one file OUTPUT may be the name of a .png file. Label
    maps are grey or palette images whose values are class numbers; those that a model makes are palette images. Maps of
    instances are grey images of 8 or 16 bits with an object's id for each pixel.
    """
    _, model = sampler(name)
    if not hasattr(model, "translate"):
        raise click.UsageError(
            f"Expected a model that translates images. Received: {name}, a {type(model).__name__}, which has no "
            f"translate. Use: keras-gans sample {name}"
        )
    options = _accepted(model.translate, {"direction": direction, "seed": seed})
    if direction is not None and "direction" not in options:
        raise click.UsageError(f"Expected no --direction: {name} has only one. Received: {direction!r}. Leave it out.")
    if (instances is None) == ("instances" in model.input_fields):
        received = f"{name} without it. Name their folder" if instances is None else f"it for {name}. Leave it out"
        raise click.UsageError(
            "Expected --instances for a model that was trained with maps of instances, and for no other. Received: "
            f"{received}."
        )
    source, target = source_field(model, direction), target_field(model, direction)

    def translated(values, **maps):
        return model.translate(values, **maps, **options)

    ids = None if instances is None else (instances, model.input_fields["instances"])
    change(pictures, output, resize, "translating", source, target, translated, ids)


@click.command()
@click.argument("name")
@click.argument("pictures", metavar="FILE_OR_FOLDER", type=click.Path(exists=True))
@click.option(
    "-o", "--output", default="reconstructed", show_default=True, type=click.Path(), help="Folder for the results."
)
@click.option("--resize", is_flag=True, help="Center-crop images of other sizes and resize them.")
@model_options
def reconstruct(name, pictures, output, resize):
    """Reconstruct images with the model NAME, a run's folder or a .keras file: what its encoder, or the layer that it
    inverts, knows of them.

    Each image in the folder becomes OUTPUT/<its name>.png; for one file OUTPUT may be the name of a .png file.
    """
    _, model = sampler(name)
    if not (hasattr(model, "encode") and hasattr(model, "reconstruct")):  # GLO reconstructs its training's, by number
        raise click.UsageError(
            f"Expected a model that encodes and reconstructs images, such as ali_mnist. Received: {name}, a "
            f"{type(model).__name__}. A model that makes images from noise can be searched for them: keras-gans invert "
            f"{name} FILES"
        )
    field = next(iter(model.output_fields.values()))
    change(pictures, output, resize, "reconstructing", field, field, model.reconstruct)


def change(pictures, output, resize, doing, source, target, method, instances=None):
    """Writes what a method makes of each image of a file or a folder.

    Args:
        pictures, output, resize: see the commands.
        doing: what is done, for the display.
        source, target: fields of what the method takes and returns.
        method: function from an array of one value to an array of one.
        instances: where the maps of instances are that the method also takes, and their field; None for none.
    """
    from keras_gans.data.pictures import partners, picture_files, read_input
    from keras_gans.images import save
    from keras_gans_core.errors import DataError

    pictures, output = Path(pictures), Path(output)
    one = pictures.is_file() and output.suffix.lower() == ".png"
    if not one and output.is_file():
        raise click.UsageError(f"Expected a folder for the results. Received: --output {output}, which is a file.")
    if pictures.is_dir() and output.resolve() == pictures.resolve():
        raise click.UsageError(f"Expected another folder than that of the images. Received: --output {output}.")
    paths = picture_files(pictures)
    partner = {} if instances is None else dict(zip(paths, partners(paths, instances[0])))
    with click.progressbar(paths, label=f"{doing} {len(paths)} images", file=sys.stderr) as bar:
        for path in bar:
            values = read_input(path, source, resize)
            maps = {"instances": read_input(partner[path], instances[1], resize)[None]} if partner else {}
            try:
                made = method(values[None], **maps)
            except DataError as error:
                raise DataError(f"{error} Look at {path}.") from error
            save(target.file_image(made[0]), output if one else output / f"{path.stem}.png")
    click.echo(printable(f"wrote {output}" if one else f"wrote {len(paths)} images to {output}"))


def _accepted(method, options):
    """The options that are given and that a method takes."""
    taken = inspect.signature(method).parameters
    return {name: value for name, value in options.items() if value is not None and name in taken}


def source_field(model, direction):
    """The field of the images that a model translates: its one given input; of several, where the direction starts."""
    from keras_gans.sampling import needed_inputs

    fields = {name: model.input_fields[name] for name in needed_inputs(model)}
    return fields.get((direction or "")[:1].lower()) or next(iter(fields.values()))


def target_field(model, direction):
    """The field of the translations: the model's one output; of several, where the direction ends."""
    return model.output_fields.get((direction or "")[-1:].lower()) or list(model.output_fields.values())[-1]
