"""The command predict-frames: the frames that come after a clip."""

from pathlib import Path

import click

from keras_gans_cli.models import model_options, sampler
from keras_gans_core.errors import printable

ANIMATIONS = (".gif", ".apng")


@click.command("predict-frames")
@click.argument("name")
@click.argument("clip", type=click.Path(exists=True))
@click.option(
    "-n", "--frames", default=8, show_default=True, type=click.IntRange(1), help="How many frames to predict."
)
@click.option(
    "-o",
    "--output",
    default="predicted.gif",
    show_default=True,
    type=click.Path(),
    help="An animation (.gif or .apng), or a folder for one file each.",
)
@click.option(
    "--image-size",
    type=click.IntRange(1),
    help="Center-crop the clip's frames and resize them to squares of this side.",
)
@click.option("--with-clip", is_flag=True, help="Begin with the clip's own frames.")
@model_options
def predict_frames(name, clip, frames, output, image_size, with_clip):
    """Predict the frames after CLIP with the model NAME, a run's folder or a .keras file.

    CLIP is an animation (GIF, WebP or animated PNG) or a folder of frames, sorted by name with 2 before 10. The model
    sees its last frames, and then its own predictions.
    """
    clip, output = Path(clip), Path(output)
    if output.suffix and output.suffix.lower() not in ANIMATIONS and not output.is_dir():
        raise click.UsageError(
            f"Expected an animation ({' or '.join(ANIMATIONS)}) or a folder for the results. Received: --output "
            f"{output}."
        )
    if output.is_file() and output.suffix.lower() not in ANIMATIONS:
        raise click.UsageError(f"Expected a folder for the results. Received: --output {output}, which is a file.")
    if output.resolve() == clip.resolve():
        raise click.UsageError(f"Expected results beside the clip, not in its place. Received: --output {output}.")
    kg, model = sampler(name)
    if not hasattr(model, "predict_frames"):
        raise click.UsageError(
            f"Expected a model that predicts frames. Received: {name}, a {type(model).__name__}, which has no "
            "predict_frames. Train one: keras-gans train video_prediction_gan --data FOLDER"
        )
    size = None if image_size is None else (image_size, image_size)
    seen = kg.data.read_clip(clip, size, model.input_fields["clips"].shape[-1])
    count = frames + len(seen) if with_clip else frames
    names = [f"{i + 1:0{len(str(count))}}.png" for i in range(count)]
    others = sorted(path.name for path in output.glob("*.png") if path.name not in names) if output.is_dir() else []
    if others:
        raise click.UsageError(
            f"Expected a folder without other frames, which would be read as part of the clip. Received: --output "
            f"{output}, which holds {others[0]}{', ...' if len(others) > 1 else ''}. Empty it, or give another folder."
        )
    try:
        made = model.predict_frames(seen, frames)[0]
    except kg.errors.DataError as error:
        raise kg.errors.DataError(f"{error} Look at {clip}; --image-size resizes its frames.") from error
    shown = [*seen, *made] if with_clip else list(made)
    if output.suffix.lower() in ANIMATIONS and not output.is_dir():
        kg.latent.animate(shown, output)
        click.echo(f"wrote {printable(str(output))}")
        return
    for file, frame in zip(names, shown):
        kg.images.save(frame, output / file)
    click.echo(f"wrote {len(shown)} frames to {printable(str(output))}")
