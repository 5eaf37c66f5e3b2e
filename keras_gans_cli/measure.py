"""The commands that measure models: evaluate, compare and verify."""

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path

import click

from keras_gans_cli.models import import_layers, import_option, model_options, sampler
from keras_gans_cli.options import picture_option
from keras_gans_cli.quiet import library
from keras_gans_core import cards, handles

CHANGES = ("edges", "negatives")  # that `Settings` knows


def _measuring(command):
    """The options that `evaluate` and `compare` share."""
    options = [
        click.option(
            "--data",
            help="The reference: a data set as for train. [default: what the (first) model was trained on]",
        ),
        click.option("--split", default="test", show_default=True, help="Split of the reference."),
        click.option(
            "--label-feature",
            help="For a TFDS reference: the feature with the labels for a conditional model; compare takes one for "
            "both models, or two separated by a comma.  [default: the card's, of the data that it names; else label]",
        ),
        click.option(
            "--change",
            type=click.Choice(CHANGES),
            help="For a model of two images per example: how the second is made from the first.  [default: the card's]",
        ),
        click.option(
            "--sides",
            help="For a reference with pairs: the names of both sides, separated by a comma, such as part_map,image.  "
            "[default: the card's]",
        ),
        click.option("--features", help="A classifier of the zoo, pixels, inception_v3 or a .keras file."),
        click.option(
            "--metrics",
            default="frechet_distance,kernel_distance",
            show_default=True,
            help="Names separated by commas; fid, kid and is only with --features inception_v3.",
        ),
        click.option(
            "-n", "--count", default=10_000, show_default=True, type=click.IntRange(2), help="How many images."
        ),
        click.option("--seed", default=0, show_default=True, help="Determines the images."),
        click.option("--cache", type=click.Path(), help="Folder that keeps the reference's features."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        model_options,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("name")
@_measuring
@click.option(
    "--floor",
    default="train",
    help="Split of real images to measure for comparison, unless it is --split; '' for none. [default: train]",
)
@click.option("--write", is_flag=True, help="Write the numbers into the model's card.")
def evaluate(
    name, data, split, label_feature, change, sides, features, metrics, count, seed, cache, as_json, floor, write
):
    """Measure the model NAME, or a .keras file, against a data set, and real images of another split for comparison."""
    if write and handles.is_remote(name):
        raise click.UsageError(
            f"Expected a preset of this machine with --write. Received: {name}, whose card is on a hub. Leave --write "
            "out."
        )
    model, about = _loaded(name, data, label_feature, change, sides)
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
        click.echo(f"{cards.titled(key, asdict(number.protocol))}: {number.value:.5g}{error}{beside}")
        click.echo(f"    {number.protocol}")


@click.command()
@click.argument("first")
@click.argument("second")
@_measuring
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(2, 10), help="Measurements per model.")
@picture_option("compare.png", "Both models' images.")
def compare(
    first,
    second,
    data,
    split,
    label_feature,
    change,
    sides,
    features,
    metrics,
    count,
    seed,
    cache,
    as_json,
    seeds,
    output,
):
    """Measure two models with the same noise against the same data, and draw their images side by side."""
    named = label_feature.split(",") if label_feature else [None]
    if len(named) > 2:
        raise click.UsageError(f"Expected one name or two in --label-feature. Received: {label_feature!r}.")
    one, about = _loaded(first, data, named[0], change, sides)
    # Both are measured against the same images; each card says which labels its model was trained with.
    other, its = _loaded(second, about["source"], named[-1], change, sides)
    _check_label_feature(label_feature, one, other)
    models, labels = {first: one, second: other}, {first: about["labels"], second: its["labels"]}
    about = {"source": about["source"], **{key: about[key] or its[key] for key in ("change", "sides")}}
    from keras_gans import evaluation
    from keras_gans.images import save, side_by_side

    metrics = tuple(metrics.split(","))
    settings = evaluation.Settings(
        split=split, features=features, metrics=metrics, samples=count, seed=seed, floor=None, **about
    )
    table = evaluation.compare(models, settings, seeds, cache, labels=labels)
    save(side_by_side([_picture(model, settings, seed) for model in models.values()]), output)
    if as_json:
        click.echo(json.dumps(table, indent=1))
        return
    width = max((len(row.title) for row in table.values()), default=0)
    click.echo(f"{'':{width}} " + " ".join(f"{name:>22}" for name in models))
    for row in table.values():
        click.echo(
            f"{row.title:{width}} " + " ".join(f"{f'{mean:.4g} +- {half:.2g}':>22}" for mean, half in row.values())
        )
    click.echo(f"means of {seeds} x {count} images with their 95 % confidence intervals; wrote {output}")


def _picture(model, settings, seed):
    """64 samples of a model; one that translates images gets those of the reference."""
    from keras_gans import evaluation, sampling

    given = evaluation.load_split(settings, settings.split, model).arrays if sampling.needed_inputs(model) else {}
    made = model.sample(**sampling.for_grid(model, 8, 8, seed, given))
    return sampling.picture(model, made, 8)


def _loaded(name, data, label_feature, change=None, sides=None):
    """The model of a preset, a run's folder or a .keras file; and what `Settings` needs to know about the data set of
    its card, or about the one that was named."""
    about = {}
    if (path := handles.find(name).path).is_dir():
        about = cards.read_card(path).get("dataset", {})
    source = data or about.get("name")
    if source is None:
        raise click.UsageError(
            f"Expected --data: {name} does not say what it was trained on. Name the data set to measure it against."
        )
    known = about.get("domains", [None, None])[1]
    change = change or (known if known in CHANGES else None)
    # The card names features of its own data: another data set, or a file, may lack them.
    own = data is None or re.split("[/:]", data)[0] == about.get("name") and not Path(data).exists()
    labels = label_feature or (own and about.get("labels")) or True
    known = about.get("sides") if own else None
    sides = tuple(sides.split(",")) if sides else tuple(known) if isinstance(known, list) else None
    return sampler(name)[1], {"source": source, "labels": labels, "change": change, "sides": sides}


def _check_label_feature(label_feature, *models):
    if label_feature and all(model.label_space is None for model in models):
        raise click.UsageError(
            f"Expected no --label-feature, since no labels are asked for. Received: {label_feature!r}. Leave it out."
        )


@click.command()
@click.argument("names", nargs=-1)
@click.option("--cache", type=click.Path(), help="Folder that keeps the references' features.")
@import_option
def verify(names, cache):
    """Check presets against their cards: the files' digests, golden images, metrics. [default: all]"""
    if not names:
        names, left_out = cards.readable()
        for line in left_out:
            click.echo(line, err=True)
    for name in names:
        handles.find_preset(name)
    library()
    from keras_gans import evaluation

    wrong = 0
    for name in names:
        import_layers(handles.find_preset(name).path / "model.keras")
        for what, problem in evaluation.verify(name, cache):
            skipped = bool(problem) and problem.startswith("not checked")
            wrong += bool(problem) and not skipped
            click.echo(f"{name:20} {what:15} {'ok' if problem is None else problem}")
    if wrong:
        click.echo(f"{wrong} of the checks failed.", err=True)
        sys.exit(1)
