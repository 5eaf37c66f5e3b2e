"""The commands that explore a model's latents: interpolate, mix, arithmetic, invert, inpaint and traverse."""

from pathlib import Path

import click

from keras_gans_cli.models import model_options, sampler_of_noise, sampler_of_styles
from keras_gans_cli.options import (
    labels_for,
    labels_option,
    numbers_of,
    picture_option,
    truncated,
    truncation_for,
)
from keras_gans_core import cards, handles
from keras_gans_core.errors import printable


def _draw(kg, model, rows, output, labels, seeds, truncation=None):
    """Writes the images of rows of noise, as a grid or as an animation with a frame for each column. With a conditional
    model a row has one label: its own from the option, or that of its seed."""
    from keras_gans import sampling

    count, steps = len(rows), len(rows[0])
    labels = model.draw("labels", seed=seeds) if labels is None else labels_for(labels, count, model)
    labels = None if labels is None else [label for label in labels for _ in range(steps)]
    inputs = {"noise": [noise for row in rows for noise in row], "labels": labels, **(truncation or {})}
    made = model.sample(**sampling.complete_inputs(model, inputs=inputs))
    if _is_animation(output):
        columns = [{key: values[i::steps] for key, values in made.items()} for i in range(steps)]
        kg.latent.animate([sampling.picture(model, column) for column in columns], output)
    else:
        kg.images.save(sampling.picture(model, made, steps), output)
    click.echo(f"wrote {printable(str(output))}")


def _model_and_pictures(name, pictures, resize):
    """(keras_gans, a model that makes images from noise, uint8 images of its shape)."""
    kg, model = sampler_of_noise(name)
    made, *others = model.output_fields.values()
    if others or not isinstance(made, kg.fields.Images):
        raise click.UsageError(
            f"Expected a model of images. Received: {name}, which makes {', '.join(model.output_fields)}."
        )
    return kg, model, kg.data.read_pictures(pictures, model.image_shape, resize)


def _is_animation(output):
    return Path(output).suffix.lower() in (".gif", ".apng")


@click.command()
@click.argument("name")
@click.option(
    "--seeds", default="0,1,2,3,4", show_default=True, callback=numbers_of, help="The images to pass through."
)
@click.option("--steps", default=9, show_default=True, type=click.IntRange(2), help="Images from one seed to the next.")
@click.option("--linear", is_flag=True, help="Walk along lines instead of arcs.")
@click.option(
    "--space",
    default="z",
    show_default=True,
    type=click.Choice(["z", "w"]),
    help="Walk through the noise, or along lines through the styles of a model with a mapped latent space.",
)
@truncated
@labels_option
@model_options
@picture_option("interpolation.png", "One row per pair of seeds; a .gif or .apng goes round them for ever.")
def interpolate(name, seeds, steps, linear, space, truncation, cutoff, labels, output):
    """Walk between images of the model NAME, or of a .keras file."""
    if len(seeds) < 2:
        raise click.UsageError(f"Expected two seeds or more. Received: --seeds {seeds[0]}.")
    if space == "w" and labels is not None:
        raise click.UsageError("Expected no --labels with --space w: styles have none. Leave one of them out.")
    kg, model = sampler_of_styles(name) if space == "w" else sampler_of_noise(name)
    truncation = truncation_for(name, model, truncation, cutoff)
    points, between = model.noise(seed=seeds), kg.latent.lerp if linear or space == "w" else kg.latent.slerp
    shape = points.shape[1:]
    if space == "w":
        styles = model.to_styles(seed=seeds, **truncation)
        points, shape = styles.reshape(len(seeds), -1), styles.shape[1:]
    if _is_animation(output):
        rows = kg.latent.loop(points, steps, between)[None]
    else:
        rows = kg.latent.strips(points[:-1], points[1:], steps, between)
    if space == "w":
        _draw_styles(kg, model, rows.reshape(*rows.shape[:2], *shape), output)
    else:
        _draw(kg, model, rows, output, labels, seeds[: len(rows)], truncation)


def _draw_styles(kg, model, rows, output):
    """Writes the images of rows of styles, as a grid or as an animation with a frame for each column."""
    images = model.from_styles(rows.reshape(-1, *rows.shape[2:])).reshape(*rows.shape[:2], *model.image_shape)
    if _is_animation(output):
        kg.latent.animate([kg.images.grid(column, 1) for column in images.swapaxes(0, 1)], output)
    else:
        kg.images.save(kg.images.grid(images.reshape(-1, *model.image_shape), rows.shape[1]), output)
    click.echo(f"wrote {printable(str(output))}")


@click.command()
@click.argument("name")
@click.option("--rows", default="0-2", show_default=True, callback=numbers_of, help="Seeds of the rows.")
@click.option("--columns", default="10-14", show_default=True, callback=numbers_of, help="Seeds of the columns.")
@click.option(
    "--layers",
    callback=numbers_of,
    help="The layers that come from the columns, from 0 on, such as 0-3. The first are the coarse ones. [default: the "
    "first half]",
)
@truncated
@model_options
@picture_option("mixing.png", "The images of the columns stand above, those of the rows on the left.")
def mix(name, rows, columns, layers, truncation, cutoff, output):
    """Mix the styles of images of the model NAME, or of a .keras file: some layers of one, the others of another."""
    kg, model = sampler_of_styles(name)
    truncation = truncation_for(name, model, truncation, cutoff)
    import numpy as np

    first, second = (model.to_styles(seed=seeds, **truncation) for seeds in (rows, columns))
    mixed = kg.latent.mix(first, second, range(model.style_layers // 2) if layers is None else layers)
    images = model.from_styles(mixed.reshape(-1, *mixed.shape[2:])).reshape(len(rows), len(columns), *model.image_shape)
    left, above = model.from_styles(first), model.from_styles(second)
    corner = np.full_like(above[:1], 255)
    cells = [corner, *above[:, None]] + [cell[None] for i, row in enumerate(images) for cell in (left[i], *row)]
    kg.images.save(kg.images.grid(np.concatenate(cells), 1 + len(columns)), output)
    click.echo(f"wrote {printable(str(output))}")


@click.command()
@click.argument("name")
@click.argument("expression")
@labels_option
@model_options
@picture_option("arithmetic.png", "The terms, then their sum.")
def arithmetic(name, expression, labels, output):
    """Add and subtract averages of seeds of the model NAME, or of a .keras file.

    EXPRESSION is like "3,5,8 - 1,2 + 4,9": each term is the average of the latents of its seeds, which are those of
    kg.load(NAME).generate(seed=[3, 5, 8]). If it begins with a minus, put -- before it. All images of a conditional
    model have the same label.
    """
    kg, model = sampler_of_noise(name)
    total, terms = kg.latent.evaluate(model, expression)
    _draw(kg, model, [[*terms, total[0]]], output, labels, [0])


@click.command()
@click.argument("name")
@click.argument("pictures", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--steps", default=300, show_default=True, type=click.IntRange(1), help="Steps of the optimisation.")
@click.option(
    "--seeds", default=1000, show_default=True, type=click.IntRange(1), help="How many seeds to choose the start from."
)
@click.option("--encoder", is_flag=True, help="Start from the model's encoder instead.")
@labels_option
@model_options
@click.option("--resize", is_flag=True, help="Center-crop the images and resize them to the model's shape.")
@picture_option("inversion.png", "One row per image: the image, the start, the result.")
def invert(name, pictures, steps, seeds, encoder, labels, resize, output):
    """Find latents of the model NAME, or of a .keras file, whose images are like PICTURES.

    A conditional model needs --labels: what the images show; a model that reads labels, such as IcGAN, needs none.
    """
    kg, model, images = _model_and_pictures(name, pictures, resize)
    labels = labels_for(labels, len(pictures), model)
    if labels is None and hasattr(model, "read_labels") and len(model.networks(*model.kept)) == len(model.kept):
        labels = model.read_labels(images)
        for picture, label in zip(pictures, labels.reshape(len(images), -1)):
            click.echo(f"{printable(str(picture))}: read --labels {':'.join(f'{x:g}' for x in label)}")
    if encoder:
        start = kg.latent.encode(model, images)
    else:
        start = model.noise(seed=kg.latent.nearest(model, images, seeds, labels)[0])
    found = kg.latent.invert(model, images, labels=labels, start=start, steps=steps)
    columns = (images, *(model.generate(noise=noise, labels=labels) for noise in (start, found.noise)))
    rows = [column[i] for i in range(len(images)) for column in columns]
    kg.images.save(kg.images.grid(rows, 3), output)
    for picture, first, last in zip(pictures, found.first_loss, found.loss):
        click.echo(f"{printable(str(picture))}: mean squared difference {first:.4g} at the start, {last:.4g} found")
    click.echo(f"wrote {printable(str(output))}")


def box_of(context, parameter, text):
    """(left, top, right, bottom) of an option."""
    try:
        left, top, right, bottom = map(int, text.split(","))
    except ValueError:
        raise click.BadParameter(
            f"Expected four whole numbers, left,top,right,bottom, such as 8,8,20,20. Received: {text!r}."
        ) from None
    if not (0 <= left < right and 0 <= top < bottom):
        raise click.BadParameter(f"Expected 0 <= left < right and 0 <= top < bottom. Received: {text!r}.")
    return left, top, right, bottom


@click.command()
@click.argument("name")
@click.argument("pictures", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--box",
    required=True,
    callback=box_of,
    metavar="LEFT,TOP,RIGHT,BOTTOM",
    help="The missing pixels, from the top left corner; RIGHT and BOTTOM are not in the box.",
)
@click.option("--steps", default=300, show_default=True, type=click.IntRange(1), help="Steps of the optimisation.")
@click.option(
    "--seeds", default=1000, show_default=True, type=click.IntRange(1), help="How many seeds to choose the start from."
)
@labels_option
@model_options
@click.option("--resize", is_flag=True, help="Center-crop the images and resize them to the model's shape.")
@picture_option("inpainting.png", "One row per image: the known pixels, the filled image, the image as it was.")
def inpaint(name, pictures, box, steps, seeds, labels, resize, output):
    """Fill a rectangle of PICTURES with what the model NAME, or a .keras file, makes beside the known pixels."""
    import numpy as np

    kg, model, images = _model_and_pictures(name, pictures, resize)
    height, width = images.shape[1:3]
    left, top, right, bottom = box
    if right > width or bottom > height:
        raise click.UsageError(
            f"Expected a box inside the images of {name}, {width} pixels wide and {height} high. Received: --box "
            f"{left},{top},{right},{bottom}."
        )
    known = np.ones((height, width), bool)
    known[top:bottom, left:right] = False
    labels = labels_for(labels, len(pictures), model)
    filled, _ = kg.latent.inpaint(model, images, known, labels=labels, seeds=seeds, steps=steps)
    holes = np.where(known[..., None], images, 128).astype("uint8")
    rows = [column[i] for i in range(len(images)) for column in (holes, filled, images)]
    kg.images.save(kg.images.grid(rows, 3), output)
    differences = np.square((filled.astype("float32") - images) / 127.5)[:, ~known].mean(axis=(1, 2))
    for picture, difference in zip(pictures, differences):
        click.echo(f"{printable(str(picture))}: mean squared difference {difference:.4g} in the box")
    click.echo(f"wrote {printable(str(output))}")


@click.command()
@click.argument("name")
@click.option("--seed", default=0, show_default=True, help="Determines the image that is changed.")
@click.option(
    "--count", type=click.IntRange(1), help="How many directions, or seeds with --code; one row each.  [default: 6]"
)
@click.option(
    "--code",
    type=int,
    help="For a model with codes, such as InfoGAN: the code to change instead, counted from 0; a row per seed.",
)
@click.option(
    "--layer", help="Principal components of this layer of the generator. [default: its first layer's weights]"
)
@click.option("--classifier", help="Use the classes of this classifier of the zoo as directions.")
@click.option("--attribute", multiple=True, help="With --classifier: a class's name; may be repeated. [default: all]")
@click.option(
    "--reach",
    type=click.FloatRange(0, min_open=True),
    help="How far to go, in standard deviations of the latents, or in units of a continuous code.  [default: 3; for a "
    "code 1, the end of its range in training]",
)
@click.option("--steps", type=click.IntRange(2), help="Images per direction.  [default: 7; for a continuous code 10]")
@labels_option
@model_options
@picture_option("traversal.png", "One row per direction; a .gif or .apng moves along all at once.")
def traverse(name, seed, count, code, layer, classifier, attribute, reach, steps, labels, output):
    """Change an image of the model NAME, or of a .keras file, along directions of its latents."""
    if sum((code is not None, bool(layer), bool(classifier))) > 1 or attribute and not classifier:
        raise click.UsageError(
            "Expected at most one of --code, --layer and --classifier, and --attribute only with --classifier."
        )
    if code is not None and labels is not None:
        raise click.UsageError(
            "Expected no --labels with --code, since a model with codes takes none. Leave one of them out."
        )
    if classifier and count:
        raise click.UsageError(
            "Expected no --count with --classifier: each class has a row. Choose fewer with --attribute."
        )
    count = count or 6
    kg, model = sampler_of_noise(name)
    if code is not None:
        if not hasattr(model, "traverse"):
            raise click.UsageError(
                f"Expected a model with codes for --code, such as an InfoGAN. Received: {name}, a "
                f"{type(model).__name__}."
            )
        categorical, values = code in range(len(model.categories)), None
        if categorical and (reach, steps) != (None, None):
            raise click.UsageError(
                f"Expected no --steps and no --reach: code {code} has {model.categories[code]} categories, and all are "
                "shown. Leave them out, or choose a continuous code."
            )
        if not categorical:
            values = kg.latent.traverse([[0.0]], [1.0], reach or 1.0, steps or 10)[0, :, 0]
        images, picture = model.traverse(code, values, rows=count, seed=seed)
        if _is_animation(output):
            kg.latent.animate([kg.images.grid(column) for column in images.swapaxes(0, 1)], output)
        else:
            kg.images.save(picture, output)
        return click.echo(f"wrote {printable(str(output))}")
    label = labels_for(labels, 1, model) if classifier or layer else None
    if classifier:
        found = handles.find_preset(classifier)
        network = kg.zoo.load_classifier(found.pinned)  # refuses anything else
        card = cards.read_card(found.path)
        if "num_pixel_classes" in card:
            raise click.UsageError(f"Expected a classifier of images. Received: {classifier}, which labels pixels.")
        outputs = card.get("num_attributes") or card["num_classes"]
        names = card["dataset"].get("classes") or [str(i) for i in range(outputs)]
        found = kg.latent.class_directions(
            model, network, names, attribute, attributes="num_attributes" in card, label=label
        )
        click.echo(f"from above: {', '.join(found)}")
        directions = found.values()
    elif layer:
        directions = kg.latent.activation_directions(model, layer, count, label=label)[0]
    else:
        directions = kg.latent.first_layer_directions(model, count)[0]
    start = model.noise(seed=[seed])
    rows = [kg.latent.traverse(start, direction, reach or 3.0, steps or 7)[0] for direction in directions]
    _draw(kg, model, rows, output, labels, [seed] * len(rows))
