"""The command train: recipes, and variants on the user's data."""

import contextlib
import sys
from pathlib import Path

import click

from keras_gans_cli.models import asked_for_large, has_options, import_layers, model_options, takes_prompts, verb_of
from keras_gans_cli.quiet import library
from keras_gans_core import cards, handles, trust
from keras_gans_core.errors import printable


@click.command()
@click.argument("recipe")
@click.option(
    "--data",
    help="For a variant: a folder of images (with two sides for pix2pix and cycle_gan), a zip file of images, a TFDS "
    "name, an .npz or a text file.  [default: drawn:digits]",
)
@click.option(
    "--cache",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="For a variant: keep the images of a folder decoded in DIR, and read them from there: for images that are "
    "larger than memory, and for runs that begin at once.",
)
@click.option(
    "--lazy",
    is_flag=True,
    help="For a variant: decode the images of a folder whenever they are needed, for images that are larger than "
    "memory.",
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    help="With --cache or --lazy: threads that make the next batches.  [default: the number of processors, at most 8]",
)
@click.option(
    "--ahead", metavar="MIB", type=click.IntRange(0), help="With --cache or --lazy: how much may wait.  [default: 64]"
)
@click.option("--image-size", type=click.IntRange(8), help="For a variant: crop and resize images to this square.")
@click.option(
    "--channels",
    type=click.Choice(["1", "3", "4"]),
    help="For a variant: 1 for grey, 3 for colour, 4 for colour and transparency.  [default: what the images "
    "have, with white in the place of transparency]",
)
@click.option(
    "--label-feature",
    help="For a variant: the feature of a TFDS data set with the labels or, for pix2pix, the sources.  "
    "[default: label]",
)
@click.option(
    "--sides",
    help="For pix2pix and cycle_gan: the names of the two sides, such as A,B: folders, or features of a TFDS data set.",
)
@click.option(
    "--classes",
    type=click.IntRange(2, 256),
    help="For pix2pix: the sources are label maps with this many classes: images whose grey levels are class numbers.",
)
@click.option("--target-classes", type=click.IntRange(2, 256), help="For pix2pix: the same of the targets.")
@click.option(
    "--instances",
    metavar="NAME",
    help="For pix2pix_hd: the name of the folder with maps of instances, beside those of the two sides, such as inst "
    "for train_inst beside train_label and train_img.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    help="For a variant: images per discriminator update.  [default: the variant's]",
)
@click.option(
    "--from",
    "start",
    metavar="PRESET",
    help="For a variant: start from the networks of this model: a run's checkpoint.keras, or a preset that keeps them "
    "all; also hf://user/model. See docs/fine_tuning.md.",
)
@model_options
@click.option("--epochs", type=click.IntRange(1), help="Passes over the data, instead of the recipe's.")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**32 - 1),
    help="Determines the initial weights and the noise.",
)
@click.option("--download", is_flag=True, help="For a variant: let TFDS download the data.")
@click.option("-o", "--output", type=click.Path(), help="Folder for the results.  [default: runs/RECIPE]")
@click.option("--resume", metavar="DIR", type=click.Path(), help="Go on with the run in this folder.")
@click.option(
    "--devices",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="How many GPUs share each batch; without a GPU, parts of the CPU.",
)
@click.option(
    "--checkpoint-steps",
    type=click.IntRange(1),
    help="Steps from one save to the next, besides saves at each epoch's end and every five minutes.",
)
@click.option("--overwrite", is_flag=True, help="Train anew in the folder of a run, which is lost.")
@click.option(
    "--doctor",
    is_flag=True,
    help="Let a doctor watch the training, who says when it is sick, on what evidence, and what to change.",
)
@click.option("--smoke", is_flag=True, help="A rehearsal: one epoch of few images with small networks.")
def train(
    recipe,
    data,
    cache,
    lazy,
    workers,
    ahead,
    image_size,
    channels,
    label_feature,
    sides,
    classes,
    target_classes,
    instances,
    batch_size,
    start,
    epochs,
    seed,
    download,
    output,
    resume,
    devices,
    checkpoint_steps,
    overwrite,
    doctor,
    smoke,
):
    """Train RECIPE: a model of the zoo, a recipe file, or a variant (such as dcgan) on your data.

    The run is saved at each epoch's end and every five minutes. After Ctrl-C, SIGTERM, SIGHUP or a crash the same
    command with --resume DIR goes on, as if nothing had happened.
    """
    known, variants = cards.recipes(), cards.variants()
    plain = {name.replace("_", ""): variant for name, variant in variants.items()}
    variant = plain.get(recipe.lower().replace("_", "").replace("-", ""))
    options = {
        "--data": data,
        "--cache": cache,
        "--lazy": lazy or None,
        "--workers": workers,
        "--ahead": ahead,
        "--image-size": image_size,
        "--channels": channels,
        "--label-feature": label_feature,
        "--batch-size": batch_size,
        "--sides": sides,
        "--classes": classes,
        "--target-classes": target_classes,
        "--instances": instances,
        "--download": download or None,
        "--from": start,
    }
    if variant is None:
        if recipe not in known and not recipe.endswith(".py"):
            hint = cards.did_you_mean(recipe, [*known, *variants])
            raise click.UsageError(
                f"Expected a recipe ({', '.join(known)}), a recipe file (.py) or a variant ({', '.join(variants)}). "
                f"Received: {recipe!r}. {hint}"
            )
        given = [name for name, value in options.items() if value is not None]
        if given:
            raise click.UsageError(f"Recipe {recipe} sets its own data and batch size. Leave out {', '.join(given)}.")
    if has_options() and (variant is None or start is None and resume is None or asked_for_large() and start is None):
        raise click.UsageError(
            "Expected --import and --large with the model of --from, --import also with --resume of such a run. Leave "
            "them out."
        )
    output = Path(
        output or resume or Path("runs") / (Path(recipe).resolve().parent.name if recipe.endswith(".py") else recipe)
    )
    kg = library(devices)
    from keras_gans import training

    if (sides or classes or target_classes or instances) and not hasattr(getattr(kg, variant), "translate"):
        raise click.UsageError(
            "Expected --sides, --classes, --target-classes and --instances with a model that translates images. "
            f"Received: {recipe}."
        )

    file = None
    if variant is None:
        file = known.get(recipe, recipe)
        if line := cards.shadowed(recipe):
            click.echo(line, err=True)
        made = training.read_recipe(file)
    else:
        if resume is not None:  # a run's checkpoint has all of the model that it started from
            import_layers(Path(resume) / "checkpoint.keras")
        elif start is not None:
            found = handles.find(start).path
            import_layers(found / "model.keras" if found.is_dir() else found)
        size = None if image_size is None else (image_size, image_size)
        made = training.variant_recipe(
            getattr(kg, variant),
            data or "drawn:digits",
            image_size=size,
            channels=channels and int(channels),
            labels=label_feature,
            batch_size=batch_size,
            download=download,
            epochs=epochs,
            sides=sides and tuple(sides.split(",")),
            classes=classes,
            target_classes=target_classes,
            instances=instances,
            start=start,
            resume_from=resume,
            large=asked_for_large(),
            cache=cache,
            lazy=lazy or None,
            workers=workers,
            ahead=None if ahead is None else ahead * 2**20,
        )
    try:
        model = training.train(
            made,
            output,
            seed=seed,
            smoke=smoke,
            epochs=epochs if variant is None else None,
            resume_from=resume,
            checkpoint_steps=checkpoint_steps,
            devices=devices,
            overwrite=overwrite,
            doctor=doctor,
            recipe_file=file,
        )
    except (KeyboardInterrupt, SystemExit) as stop:
        go_on = f"Go on from the last save with: --resume {printable(str(output))}"
        remedy = go_on if _is_saved(output) else "Nothing is saved yet."
        with contextlib.suppress(OSError):  # after SIGHUP there may be no terminal
            click.echo(f"\nStopped. {remedy}", err=True)
        sys.exit(130 if isinstance(stop, KeyboardInterrupt) else stop.code)
    except kg.errors.DivergenceError as error:
        click.echo(f"\nError: {error}", err=True)
        if _is_saved(output):
            click.echo(f"The last checkpoint before it is in {printable(str(output))}.", err=True)
        sys.exit(1)
    if not isinstance(model, kg.AdversarialModel):
        click.echo(f"wrote {printable(str(output))}: model.keras, card.json")
        click.echo(f"now, in Python: kg.zoo.load_classifier({str(output)!r})")
        return
    click.echo(
        f"wrote {printable(str(output))}: samples.png, model.keras, card.json, and a grid for each epoch in samples/"
    )
    verb = verb_of(model)
    prompt = ' --prompt "..."' if takes_prompts(model) else ""
    maps = " --instances FOLDER" if "instances" in model.input_fields else ""
    command = f"sample {output}{prompt}" if verb is None else f"{verb} {output} FOLDER -o OUT{maps}"
    copy = output / "recipe.py"
    ask = copy.is_file() and not trust.is_known(copy) and kg.files.own_layers(output / "model.keras")
    click.echo(printable(f"now: keras-gans {command}{f' --import {copy}' if ask else ''}"))


def _is_saved(folder):
    return any(folder.glob("checkpoint*.keras"))
