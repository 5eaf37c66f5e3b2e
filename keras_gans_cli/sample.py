"""The command sample: images, or other outputs, of a model."""

import sys
from pathlib import Path

import click

from keras_gans_cli import fast
from keras_gans_cli.models import model_options, remedy_for_given, sampler, takes_prompts
from keras_gans_cli.options import (
    labels_for,
    labels_option,
    numbers_of,
    picture_option,
    truncated,
    truncation_for,
)
from keras_gans_core import cards
from keras_gans_core.errors import printable


@click.command()
@click.argument("name")
@click.option("-n", "--count", type=click.IntRange(1), help="How many images.  [default: 64]")
@click.option(
    "--seed", type=int, help="Determines the images: the same seed, the same images. [default: new ones each time]"
)
@click.option(
    "--seeds",
    callback=numbers_of,
    help="Instead of -n and --seed: a seed for each image, such as 0-31 or 1,5,8. Each image is the same in any list.",
)
@truncated
@picture_option("grid.png", "One picture of all images.")
@click.option("--folder", type=click.Path(), help="Write one PNG per image into this folder instead.")
@click.option(
    "--enlarge",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="How many times larger to draw the pictures, so that small ones can be seen: each pixel becomes a square.",
)
@click.option(
    "--prompt",
    multiple=True,
    help='For a model of sentences: what to show, such as "a face with red hair"; several take turns.',
)
@labels_option
@model_options
def sample(name, count, seed, seeds, truncation, cutoff, output, folder, enlarge, prompt, labels):
    """Generate images with the model NAME (or a run's folder, or a .keras file); a text model also prints its lines."""
    if seeds is not None and (count is not None or seed is not None):
        raise click.UsageError("Expected --seeds, or -n and --seed. Received: both. Leave one of them out.")
    if folder and seeds is not None and len(set(seeds)) < len(seeds):
        raise click.UsageError("Expected different --seeds, which name the files in --folder. Received: one twice.")
    count = len(seeds) if seeds is not None else count or 64
    card = fast.card_of(name)
    network = fast.network(card) if card is not None and not prompt and truncation is None else None
    inputs = None if network is None else network.inputs(count, seed, seeds, labels)
    batch = None if seeds is None else 1  # as `generate` does for a list of seeds
    if inputs is not None and (folder is not None or network.fits(count)):
        if folder is None:
            _write_picture(network.picture(_joined(network.sampled(inputs, batch))), enlarge, output)
        else:
            _write_files(network.sampled(inputs, batch), network.picture, name, count, seeds, enlarge, folder)
        return
    _, model = sampler(name)
    from keras_gans import sampling

    if prompt and not takes_prompts(model):
        raise click.UsageError(
            f"Expected a model of sentences, such as a StackGAN, with --prompt. Received: {name}, a "
            f"{type(model).__name__}. Leave --prompt out."
        )
    if len(prompt) > count:
        raise click.UsageError(f"Expected at most as many --prompt as images. Received: {len(prompt)}, and -n {count}.")
    prompts = [prompt[i % len(prompt)] for i in range(count)] if prompt else None
    if needed := [key for key in sampling.needed_inputs(model) if not (key == "prompts" and prompt)]:
        raise click.UsageError(
            f"Expected a model that samples from a seed alone. Received: {name}, which needs {', '.join(needed)}. "
            f"{remedy_for_given(name, model)}"
        )
    given = {"labels": labels_for(labels, count, model), "prompts": prompts}
    given |= truncation_for(name, model, truncation, cutoff)
    inputs = sampling.complete_inputs(model, count, seed if seeds is None else seeds, given)
    if folder is None:
        sampling.check_picture(model, count)
        made = sampling.sample(model, inputs, batch)
        _write_picture(sampling.picture(model, made), enlarge, output)
        for key, field in model.output_fields.items():
            if hasattr(field, "text"):
                click.echo("\n".join(field.text(made[key])))
    else:
        made = sampling.sampled(model, inputs, batch)
        _write_files(made, lambda one: sampling.picture(model, one), name, count, seeds, enlarge, folder)
    if card is not None:
        fast.keep(name, card, model)


def _joined(batches):
    """{name: values} of all examples of {name: values} of batches."""
    import numpy as np

    batches = list(batches)
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _write_picture(picture, enlarge, output):
    from keras_gans_core.pictures import enlarged, save

    save(enlarged(picture, enlarge), output)
    click.echo(f"wrote {printable(str(output))}")


def _write_files(batches, picture_of, name, count, seeds, enlarge, folder):
    """One file for each example of {name: values} of batches."""
    from keras_gans_core.pictures import enlarged, save

    digits = max(4, *(len(str(number)) for number in ([count - 1] if seeds is None else seeds)))
    prefix = Path(folder) / (name if name in cards.presets() else "image")
    with click.progressbar(length=count, label=f"writing {count} images", file=sys.stderr) as bar:
        written = 0
        for made in batches:
            for i in range(len(next(iter(made.values())))):
                number = written if seeds is None else seeds[written]
                picture = picture_of({key: values[i : i + 1] for key, values in made.items()})
                save(enlarged(picture, enlarge), f"{prefix}_{number:0{digits}}.png")
                written += 1
                bar.update(1)
    click.echo(f"wrote {count} images to {printable(str(folder))}")
