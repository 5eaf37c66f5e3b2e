"""The command `keras-gans`. What needs no model answers before Keras is imported."""

import json
import math
import re
import sys
from pathlib import Path

import click

from keras_gans_cli import cards
from keras_gans_cli.errors import KerasGansError
from keras_gans_cli.quiet import library


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="keras-gans")
def app():
    """Generative adversarial networks: pretrained models to sample from, and recipes to train them.

    \b
    keras-gans list                          what there is
    keras-gans sample dcgan_mnist            64 images, as grid.png
    keras-gans interpolate dcgan_mnist       from image to image; also: arithmetic, invert, traverse
    keras-gans train dcgan --data photos/    a model of your own folder of images
    keras-gans export dcgan_mnist serving/dcgan
    keras-gans evaluate dcgan_mnist          how good it is, and by which protocol
    keras-gans verify                        whether all files are what their cards say
    """


@app.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the cards as JSON.")
def list_presets(as_json):
    """Show the pretrained models."""
    found = {name: cards.read_card(folder) for name, folder in cards.presets().items()}
    if as_json:
        click.echo(json.dumps(list(found.values()), indent=1))
        return
    for name, card in found.items():
        shape = "x".join(map(str, card["image_shape"]))
        click.echo(f"{name:20} {card['variant']:11} {shape:9} {card.get('title', '')}")
    untrained = sorted(set(cards.recipes()) - set(found))
    if untrained:
        click.echo(f"Recipes without a trained model: {', '.join(untrained)}")


@app.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def info(name, as_json):
    """Show the card of the model NAME: its data, its training, its limits."""
    card = cards.read_card(cards.find(name))
    click.echo(json.dumps(card, indent=1) if as_json else "\n".join(_lines(card)))


def _lines(card, indent=""):
    for key, value in card.items():
        title = key.replace("_", " ")
        if isinstance(value, dict):
            yield f"{indent}{title}:"
            yield from _lines(value, indent + "  ")
        else:
            shown = " x ".join(map(str, value)) if isinstance(value, list) else value
            yield f"{indent}{title}: {shown}"


_labels_option = click.option(
    "--labels",
    help="Of a conditional model: a label for all, or several with commas between, which take turns: 3 or 0,1,2. The "
    "columns of a label have colons between: 0:1:1 is one of three columns, 0:1:1,1:0:0 are two.",
)


def _picture_option(default, help):
    """Where a picture goes; a name that no image can have is refused before the work that it is for."""

    def check(context, parameter, value):
        from PIL import Image

        if Image.registered_extensions().get(Path(value).suffix.lower()) not in Image.SAVE:
            raise click.BadParameter(f"Expected a file name with an image's ending, such as .png. Received: {value!r}.")
        return value

    return click.option(
        "-o", "--output", default=default, show_default=True, type=click.Path(dir_okay=False), callback=check, help=help
    )


@app.command()
@click.argument("name")
@click.option("-n", "--count", default=64, show_default=True, type=click.IntRange(1), help="How many images.")
@click.option(
    "--seed", type=int, help="Names the images; the same seed, the same images. [default: new ones each time]"
)
@_picture_option("grid.png", "One picture of all.")
@click.option("--folder", type=click.Path(), help="Write one PNG an image into this folder instead.")
@_labels_option
def sample(name, count, seed, output, folder, labels):
    """Generate images with the model NAME (or a run's folder, or a .keras file); one of text prints its lines too."""
    _, model = _sampler(name)
    from keras_gans.images import save

    images = model.generate(count, seed=seed, labels=_labels(labels, count, model))
    if folder is None:
        save(model.picture(images), output)
        click.echo(f"wrote {output}")
        if model.samples_name == "tokens":
            click.echo("\n".join(model.text(images)))
        return
    digits = max(4, len(str(count - 1)))
    with click.progressbar(range(count), label=f"writing {count} images", file=sys.stderr) as shown:
        for i in shown:
            path = Path(folder) / f"{name if name in cards.presets() else 'image'}_{i:0{digits}}.png"
            save(model.picture(images[i : i + 1]), path)
    click.echo(f"wrote {count} images to {folder}")


def _labels(text, count, model):
    """The labels for so many images of a model that the option --labels names: rows, of one column or more."""
    if text is None:
        return None
    try:
        rows = [[float(x) if "." in x else int(x) for x in label.split(":")] for label in text.split(",")]
    except ValueError as error:
        raise click.UsageError(f"Expected --labels such as 3 or 0,1,2 or 0:1,1:1. Received: {text!r}.") from error
    space = model.label_space
    if space is not None and any(len(row) != math.prod(space.shape) for row in rows):
        raise click.UsageError(
            f"Expected --labels that are {space}: commas between labels, colons between the columns of one. Received: "
            f"{text!r}."
        )
    if len(rows) > count:
        raise click.UsageError(f"Expected --labels for {count} images or rows at most. Received: {text!r}.")
    return [rows[i % len(rows)] for i in range(count)]


@app.command()
@click.argument("recipe")
@click.option(
    "--data", help="For a variant: a folder of images, a TFDS name, an .npz or text file. [default: drawn:digits]"
)
@click.option("--image-size", type=click.IntRange(8), help="For a variant: crop and resize images to this square.")
@click.option("--label-feature", help="For a variant: the feature of a TFDS data set with the labels. [default: label]")
@click.option(
    "--batch-size", type=click.IntRange(2), help="For a variant: images a discriminator update. [default: 64]"
)
@click.option("--epochs", type=click.IntRange(1), help="Passes over the data, instead of the recipe's.")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**32 - 1),
    help="Names the initial weights and the noise.",
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
    help="Save every so many steps, beside each epoch's end and every five minutes.",
)
@click.option("--smoke", is_flag=True, help="A rehearsal: one epoch of few images by small networks.")
def train(
    recipe,
    data,
    image_size,
    label_feature,
    batch_size,
    epochs,
    seed,
    download,
    output,
    resume,
    devices,
    checkpoint_steps,
    smoke,
):
    """Train RECIPE: a model of the zoo, a recipe file, or a variant (such as dcgan) on data of yours.

    The run is saved at each epoch's end and every five minutes. After Ctrl-C, SIGTERM or a crash the same command with
    --resume DIR goes on, as if nothing had happened.
    """
    known, variants = cards.recipes(), cards.variants()
    variant = variants.get(recipe.lower())
    options = {
        "--data": data,
        "--image-size": image_size,
        "--label-feature": label_feature,
        "--batch-size": batch_size,
        "--download": download or None,
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
            raise click.UsageError(f"{recipe} says itself what it is trained on. Leave out {', '.join(given)}.")
    output = Path(
        output or resume or Path("runs") / (Path(recipe).resolve().parent.name if recipe.endswith(".py") else recipe)
    )
    kg = library(devices)
    from keras_gans import training

    if variant is None:
        made = training.read_recipe(known.get(recipe, recipe))
    else:
        size = None if image_size is None else (image_size, image_size)
        made = training.variant_recipe(
            getattr(kg, variant),
            data or "drawn:digits",
            image_size=size,
            labels=label_feature,
            batch_size=batch_size or 64,
            download=download,
        )
    try:
        model = training.train(
            made,
            output,
            seed=seed,
            smoke=smoke,
            epochs=epochs,
            resume_from=resume,
            checkpoint_steps=checkpoint_steps,
            devices=devices,
        )
    except (KeyboardInterrupt, SystemExit) as stop:
        click.echo(f"\nStopped. Go on from what is saved with: --resume {output}", err=True)
        sys.exit(130 if isinstance(stop, KeyboardInterrupt) else stop.code)
    if not isinstance(model, kg.AdversarialModel):
        click.echo(f"wrote {output}: model.keras, card.json")
        click.echo(f"now, in Python: kg.zoo.load_classifier({str(output)!r})")
        return
    click.echo(f"wrote {output}: samples.png, model.keras, card.json, and a grid for each epoch in samples/")
    click.echo(f"now: keras-gans sample {output}")


@app.command()
@click.argument("name")
@click.argument("folder", type=click.Path())
def export(name, folder):
    """Write the model NAME, or that of a .keras file, as a SavedModel for TensorFlow Serving: FOLDER/1, then FOLDER/2,
    ..."""
    kg, model = _sampler(name)
    click.echo(f"wrote {kg.export(model, folder)}")


def _measuring(command):
    """The options that `evaluate` and `compare` share."""
    options = [
        click.option(
            "--data",
            help="The reference: a data set as for train. [default: what the model, or the first, was trained on]",
        ),
        click.option("--split", default="test", show_default=True, help="Of the reference."),
        click.option(
            "--label-feature",
            help="Of a TFDS reference: the feature with the labels that a conditional model is asked for; to compare, "
            "one for both models or two with a comma between.  [default: the card's, of the data that it names; else "
            "label]",
        ),
        click.option(
            "--change",
            type=click.Choice(["edges", "negatives"]),
            help="Of a model of pairs: what made the second images of the first.  [default: the card's]",
        ),
        click.option("--features", help="A classifier of the zoo, pixels, inception_v3 or a .keras file."),
        click.option("--metrics", default="fid,kid", show_default=True, help="Names with commas between."),
        click.option(
            "-n", "--count", default=10_000, show_default=True, type=click.IntRange(2), help="How many images."
        ),
        click.option("--seed", default=0, show_default=True, help="Names the images."),
        click.option("--cache", type=click.Path(), help="Folder that keeps the reference's features."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@app.command()
@click.argument("name")
@_measuring
@click.option(
    "--floor", default="train", help="Split measured beside it, unless it is --split; '' for none. [default: train]"
)
@click.option("--write", is_flag=True, help="Write the numbers into the model's card.")
def evaluate(name, data, split, label_feature, change, features, metrics, count, seed, cache, as_json, floor, write):
    """Measure the model NAME, or a .keras file, against a data set; beside it, real images of another split."""
    model, about = _loaded(name, data, label_feature, change)
    _check_label_feature(label_feature, model)
    from keras_gans import evaluation

    metrics = tuple(metrics.split(","))
    floor = floor if floor != split else None  # real images of the same split would be the reference itself
    settings = evaluation.Settings(
        split=split, features=features, metrics=metrics, samples=count, seed=seed, floor=floor or None, **about
    )
    found, real = evaluation.evaluate(model, settings, cache)
    if write:
        evaluation.write_metrics(cards.find(name), settings, found, real)
    if as_json:
        numbers = {
            key: {"value": number.value, "error": number.error, "protocol": str(number.protocol),
                  "floor": real[key].value if real and key in real else None}
            for key, number in found.items()
        }  # fmt: skip
        click.echo(json.dumps(numbers, indent=1))
        return
    for key, number in found.items():
        error = "" if number.error is None else f" +- {number.error:.3g}"
        beside = f"   real images: {real[key].value:.5g}" if real and key in real else ""
        click.echo(f"{key:10} {number.value:.5g}{error}{beside}")
        click.echo(f"{'':10} {number.protocol}")


@app.command()
@click.argument("first")
@click.argument("second")
@_measuring
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(2, 10), help="Measurements of each.")
@_picture_option("compare.png", "Both models' images.")
def compare(
    first, second, data, split, label_feature, change, features, metrics, count, seed, cache, as_json, seeds, output
):
    """Measure two models with the same noise against the same data, and draw their images side by side."""
    named = label_feature.split(",") if label_feature else [None]
    if len(named) > 2:
        raise click.UsageError(f"Expected --label-feature of one name or two. Received: {label_feature!r}.")
    one, about = _loaded(first, data, named[0], change)
    # Both are held against the same images; which of their labels each was trained with, its own card says.
    other, its = _loaded(second, about["source"], named[-1], change)
    _check_label_feature(label_feature, one, other)
    models, labels = {first: one, second: other}, {first: about["labels"], second: its["labels"]}
    about = {"source": about["source"], "change": about["change"] or its["change"]}
    from keras_gans import evaluation
    from keras_gans.images import save, side_by_side

    metrics = tuple(metrics.split(","))
    settings = evaluation.Settings(
        split=split, features=features, metrics=metrics, samples=count, seed=seed, floor=None, **about
    )
    table = evaluation.compare(models, settings, seeds, cache, labels=labels)
    save(side_by_side([model.picture(model.sheet(8, 8, seed)) for model in models.values()]), output)
    if as_json:
        click.echo(json.dumps(table, indent=1))
        return
    click.echo(f"{'':10} " + " ".join(f"{name:>22}" for name in models))
    for metric, row in table.items():
        click.echo(f"{metric:10} " + " ".join(f"{f'{mean:.4g} +- {half:.2g}':>22}" for mean, half in row.values()))
    click.echo(f"means of {seeds} x {count} images with their 95 % confidence intervals; wrote {output}")


def _loaded(name, data, label_feature, change=None):
    """The model of a preset, a run's folder or a .keras file; and what `Settings` takes from the data set of its card,
    or from the one that was named."""
    about = {}
    if not name.endswith(".keras"):
        about = cards.read_card(cards.find(name)).get("dataset", {})
    source = data or about.get("name")
    if source is None:
        raise click.UsageError(
            f"Expected --data: {name} does not say what it was trained on. Name the data set to measure it against."
        )
    change = change or (about["domains"][1] if "domains" in about else None)
    # The card names a feature of its own data: another data set, or a file, may have no such feature.
    own = data is None or re.split("[/:]", data)[0] == about.get("name") and not Path(data).exists()
    labels = label_feature or (own and about.get("labels")) or True
    return _sampler(name)[1], {"source": source, "labels": labels, "change": change}


def _check_label_feature(label_feature, *models):
    if label_feature and all(model.label_space is None for model in models):
        raise click.UsageError(
            f"Expected no --label-feature, since no labels are asked for. Received: {label_feature!r}. Leave it out."
        )


def _sampler(name):
    """The library and the model of a preset, a run's folder or a .keras file."""
    if not name.endswith(".keras"):
        cards.verified_model(cards.find(name))  # before the backend takes its seconds
    kg = library()
    return kg, kg.zoo.load_file(name) if name.endswith(".keras") else kg.load(name)


def _seeds(context, parameter, value):
    try:
        return [int(seed) for seed in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"Expected whole numbers with commas between. Received: {value!r}.") from None


def _draw(kg, model, rows, output, labels, seeds, milliseconds=80):
    """Writes images of noise, rows of columns of it, as a grid or, each column a picture, as an animation. A row of a
    conditional model has one label: its own of the option's, or that of its seed."""
    count, steps = len(rows), len(rows[0])
    labels = model.labels(seed=seeds) if labels is None else _labels(labels, count, model)
    labels = None if labels is None else [label for label in labels for _ in range(steps)]
    images = model.generate(noise=[noise for row in rows for noise in row], labels=labels)
    if Path(output).suffix.lower() in (".gif", ".apng"):
        images = images.reshape(count, steps, *images.shape[1:])
        kg.latent.animate([model.picture(images[:, i]) for i in range(steps)], output, milliseconds)
    else:
        kg.images.save(model.picture(images, steps), output)
    click.echo(f"wrote {output}")


@app.command()
@click.argument("name")
@click.option("--seeds", default="0,1,2,3,4", show_default=True, callback=_seeds, help="The images on the way.")
@click.option("--steps", default=9, show_default=True, type=click.IntRange(2), help="Images from one to the next.")
@click.option("--linear", is_flag=True, help="Along lines instead of arcs.")
@_labels_option
@_picture_option("interpolation.png", "A row a pair of seeds; a .gif or .apng goes round them for ever.")
def interpolate(name, seeds, steps, linear, labels, output):
    """Walk between images of the model NAME, or of a .keras file."""
    if len(seeds) < 2:
        raise click.UsageError(f"Expected two seeds or more. Received: --seeds {seeds[0]}.")
    kg, model = _sampler(name)
    points, between = model.noise(seed=seeds), kg.latent.lerp if linear else kg.latent.slerp
    if Path(output).suffix.lower() in (".gif", ".apng"):
        rows = [kg.latent.loop(points, steps, between)]
    else:
        rows = kg.latent.strips(points[:-1], points[1:], steps, between)
    _draw(kg, model, rows, output, labels, seeds[: len(rows)])


@app.command()
@click.argument("name")
@click.argument("expression")
@_labels_option
@_picture_option("arithmetic.png", "The terms, then their sum.")
def arithmetic(name, expression, labels, output):
    """Add and subtract averages of seeds of the model NAME, or of a .keras file.

    EXPRESSION is like "3,5,8 - 1,2 + 4,9": each term is the average of the latents of its seeds, which are those of
    kg.load(NAME).generate(seed=[3, 5, 8]). One that begins with a minus needs -- before it. The images of a conditional
    model have one label.
    """
    kg, model = _sampler(name)
    total, terms = kg.latent.evaluate(model, expression)
    _draw(kg, model, [[*terms, total[0]]], output, labels, [0])


@app.command()
@click.argument("name")
@click.argument("pictures", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--steps", default=300, show_default=True, type=click.IntRange(1), help="Of the optimisation.")
@click.option("--seeds", default=1000, show_default=True, type=click.IntRange(1), help="Seeds to find the start among.")
@click.option("--encoder", is_flag=True, help="Start from what the model's encoder finds instead.")
@_labels_option
@click.option("--resize", is_flag=True, help="Crop the pictures to the model's shape and resize them.")
@_picture_option("inversion.png", "A row a picture: it, the start, what was found.")
def invert(name, pictures, steps, seeds, encoder, labels, resize, output):
    """Find latents of the model NAME, or of a .keras file, whose images are like PICTURES.

    A conditional model needs --labels, what the pictures show; an IcGAN reads them itself where there are none.
    """
    kg, model = _sampler(name)
    if model.example_shape != model.image_shape:
        raise click.UsageError(f"Expected a model of images. Received: {name}, a {type(model).__name__}.")
    images, labels = kg.data.read_pictures(pictures, model.image_shape, resize), _labels(labels, len(pictures), model)
    if labels is None and getattr(model, "label_encoder", None) is not None:
        labels = model.read_labels(images)
        for picture, label in zip(pictures, labels.reshape(len(images), -1)):
            click.echo(f"{picture}: read --labels {':'.join(f'{x:g}' for x in label)}")
    if encoder:
        start = kg.latent.encode(model, images)
    else:
        start = model.noise(seed=kg.latent.nearest(model, images, seeds, labels)[0])
    found = kg.latent.invert(model, images, labels=labels, start=start, steps=steps)
    columns = (images, *(model.generate(noise=noise, labels=labels) for noise in (start, found.noise)))
    kg.images.save(model.picture([column[i] for i in range(len(images)) for column in columns], 3), output)
    for picture, first, last in zip(pictures, found.first_loss, found.loss):
        click.echo(f"{picture}: mean squared difference {first:.4g} at the start, {last:.4g} found")
    click.echo(f"wrote {output}")


@app.command()
@click.argument("name")
@click.option("--seed", default=0, show_default=True, help="Names the image that is changed.")
@click.option("--count", type=click.IntRange(1), help="Directions, or seeds of a code, a row each.  [default: 6]")
@click.option("--code", type=int, help="Of an InfoGAN: a code, from 0, in the place of directions; a row a seed.")
@click.option(
    "--layer", help="Principal components of this layer of the generator. [default: its first layer's weights]"
)
@click.option("--classifier", help="A classifier of the zoo whose classes are the directions instead.")
@click.option("--attribute", multiple=True, help="With --classifier: a class's name; may be repeated. [default: all]")
@click.option(
    "--reach",
    type=click.FloatRange(0, min_open=True),
    help="How far to go, in standard deviations of the latents, or in numbers of a continuous code.  [default: 3; of a "
    "code 1, where training ends]",
)
@click.option("--steps", type=click.IntRange(2), help="Images a direction.  [default: 7; of a continuous code 10]")
@_labels_option
@_picture_option("traversal.png", "A row a direction; a .gif or .apng goes along all at once.")
def traverse(name, seed, count, code, layer, classifier, attribute, reach, steps, labels, output):
    """Change an image of the model NAME, or of a .keras file, along directions of its latents."""
    if sum((code is not None, bool(layer), bool(classifier))) > 1 or attribute and not classifier:
        raise click.UsageError("Expected --code, --layer, --classifier with or without --attribute, or none of them.")
    if code is not None and labels is not None:
        raise click.UsageError("Expected no --labels with --code, since an InfoGAN takes none. Leave one of them out.")
    if classifier and count:
        raise click.UsageError("Expected no --count with --classifier: a class is a row. Name fewer by --attribute.")
    count = count or 6
    kg, model = _sampler(name)
    if code is not None:
        if not isinstance(model, kg.InfoGAN):
            raise click.UsageError(f"Expected an InfoGAN for --code. Received: {name}, a {type(model).__name__}.")
        categorical, values = code in range(len(model.categories)), None
        if categorical and (reach, steps) != (None, None):
            raise click.UsageError(
                f"Expected no --steps and no --reach: code {code} has {model.categories[code]} categories, and all are "
                "shown. Leave them out, or choose a continuous code."
            )
        if not categorical:
            values = kg.latent.traverse([[0.0]], [1.0], reach or 1.0, steps or 10)[0, :, 0]
        images, picture = model.traverse(code, values, rows=count, seed=seed)
        if Path(output).suffix.lower() in (".gif", ".apng"):
            kg.latent.animate([model.picture(column) for column in images.swapaxes(0, 1)], output)
        else:
            kg.images.save(picture, output)
        return click.echo(f"wrote {output}")
    label = _labels(labels, 1, model) if classifier or layer else None
    if classifier:
        network = kg.zoo.load_classifier(classifier)  # refuses what is none
        card = cards.read_card(cards.find(classifier))
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


@app.command()
@click.argument("names", nargs=-1)
@click.option("--cache", type=click.Path(), help="Folder that keeps the references' features.")
def verify(names, cache):
    """Check that presets are what their cards say: the files' digests, golden images, metrics. [default: all]"""
    names = names or sorted(cards.presets())
    for name in names:
        cards.find(name)
    library()
    from keras_gans import evaluation

    wrong = 0
    for name in names:
        for what, problem in evaluation.verify(name, cache):
            skipped = bool(problem) and problem.startswith("not checked")
            wrong += bool(problem) and not skipped
            click.echo(f"{name:20} {what:15} {'ok' if problem is None else problem}")
    if wrong:
        click.echo(f"{wrong} of the checks failed.", err=True)
        sys.exit(1)


def main():
    """Runs the command; an error that the library words itself ends it with code 2 and no traceback."""
    try:
        app()
    except KerasGansError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
