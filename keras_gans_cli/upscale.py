"""The command upscale: makes images larger with a model for super-resolution."""

from pathlib import Path

import click

from keras_gans_cli.models import model_options, sampler
from keras_gans_cli.options import ending_of
from keras_gans_core.errors import printable


@click.command()
@click.argument("name")
@click.argument("pictures", metavar="FILE_OR_FOLDER", type=click.Path(exists=True))
@click.option(
    "-o", "--output", default="upscaled", show_default=True, type=click.Path(), help="Folder for the results."
)
@click.option(
    "-s",
    "--outscale",
    type=click.FloatRange(0, min_open=True),
    help="How many times larger; what the model makes is resized for another number than its own.  [default: the "
    "model's]",
)
@click.option(
    "--tile",
    type=click.IntRange(0),
    help="Longest side of the tiles that are made larger one at a time, in pixels of the image, to bound the memory; 0 "
    "for whole images.  [default: 256 for images of more than 131,072 pixels, such as 400x400]",
)
@click.option(
    "--tile-pad",
    type=click.IntRange(0),
    help="Pixels seen around each tile.  [default: as many as a pixel of the result depends on]",
)
@click.option("--suffix", help="What the results' names end with, before the ending.  [default: _x and the scale]")
@click.option("--ext", default="png", show_default=True, callback=ending_of, help="Ending of the results' names.")
@model_options
def upscale(name, pictures, output, outscale, tile, tile_pad, suffix, ext):
    """Make images larger with the model NAME, a run's folder or a .keras file.

    Each image in the folder becomes OUTPUT/<its name><suffix>.<ext>. Images may have any size. Grey ones are made
    larger in colour, if the model takes colours, and grey again.
    """
    pictures, output = Path(pictures), Path(output)
    if output.is_file():
        raise click.UsageError(f"Expected a folder for the results. Received: --output {output}, which is a file.")
    _, model = sampler(name)
    if not hasattr(model, "upscale"):
        raise click.UsageError(
            f"Expected a model that makes images larger. Received: {name}, a {type(model).__name__}, which has no "
            f"upscale. Train one: keras-gans train srgan --data FOLDER"
        )
    from keras_gans.data.pictures import picture_files, read_photo
    from keras_gans.data.progress import shown
    from keras_gans.images import save

    suffix = f"_x{outscale or model.factor:g}" if suffix is None else suffix
    paths = picture_files(pictures)
    results = [output / f"{path.stem}{suffix}{ext}" for path in paths]
    if set(map(Path.resolve, results)) & set(map(Path.resolve, paths)):
        raise click.UsageError(
            f"Expected results beside the images, not in their place. Received: --output {output} and the suffix "
            f"{suffix!r}. Pass another folder or --suffix _x4."
        )
    for path, result in zip(shown(paths, f"upscaling {len(paths)} images:"), results, strict=True):
        image, grey = read_photo(path, model.input_fields["small"].shape[2])
        made = model.upscale(image, outscale, tile=tile, tile_pad=tile_pad)[0]
        save(made[..., :1] if grey else made, result)
    click.echo(printable(f"wrote {results[0]}" if len(paths) == 1 else f"wrote {len(paths)} images to {output}"))
