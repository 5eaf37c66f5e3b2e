"""Options that several commands share, and how their values are read."""

from pathlib import Path

import click

labels_option = click.option(
    "--labels",
    help="For a conditional model: one label for all, or several separated by commas, which take turns: 3 or 0,1,2, or "
    "names that `keras-gans info` shows: cat or cat,dog; a name goes before a number. Colons separate the columns of a "
    "label: 0:1:1 is one label of three columns, 0:1:1,1:0:0 are two; glasses:hat is one with two attributes.",
)


def labels_for(text, count, model):
    """The labels in the text of the option --labels for `count` images: rows of one column or more."""
    if text is None:
        return None
    space = model.label_space
    if space is None:
        return [text] * count  # which sampling refuses
    from keras_gans_core.errors import DataError

    whole = text in (space.names or ())  # a name may have a comma
    try:
        rows = [space.from_text(label) for label in ([text] if whole else text.split(","))]
    except DataError as error:
        raise click.UsageError(f"{error} In --labels, commas are between labels.") from error
    if len(rows) > count:
        raise click.UsageError(f"Expected --labels for {count} images or rows at most. Received: {text!r}.")
    return [rows[i % len(rows)] for i in range(count)]


def picture_option(default, help):
    """The option for the name of an image file. A name without an image's ending is refused before the work begins."""

    def check(context, parameter, value):
        from PIL import Image

        if Image.registered_extensions().get(Path(value).suffix.lower()) not in Image.SAVE:
            raise click.BadParameter(f"Expected a file name with an image's ending, such as .png. Received: {value!r}.")
        return value

    return click.option(
        "-o", "--output", default=default, show_default=True, type=click.Path(dir_okay=False), callback=check, help=help
    )


def ending_of(context, parameter, value):
    """The callback of an option for the ending of image files: .png for png."""
    from PIL import Image

    ending = f".{value.lstrip('.').lower()}"
    if Image.registered_extensions().get(ending) not in Image.SAVE:
        raise click.BadParameter(f"Expected an image's ending, such as png or jpg. Received: {value!r}.")
    return ending


MOST = 100_000  # numbers in the text of one option


def numbers_of(context, parameter, value):
    """The callback of an option that takes several whole numbers, such as seeds: 0,1,5 or 0-31, or both."""
    numbers = []
    try:
        for part in () if value is None else value.split(","):
            first, dash, last = part.strip().rpartition("-")
            if dash and first:
                numbers += range(int(first), min(int(last), int(first) + MOST) + 1)
            else:
                numbers.append(int(part))
            if len(numbers) > MOST or (dash and first and int(last) < int(first)):
                raise ValueError
    except ValueError:
        raise click.BadParameter(
            f"Expected whole numbers separated by commas, or from-to, such as 0,1,5 or 0-31. Received: {value!r}."
        ) from None
    return None if value is None else numbers


def _with_truncation(context, parameter, cutoff):
    """The callback of --cutoff: refused alone, before a model is loaded."""
    if cutoff is not None and context.params.get("truncation") is None:
        raise click.UsageError("Expected --truncation with --cutoff. Received: --cutoff alone. Give both, or neither.")
    return cutoff


truncation_options = (
    click.option(
        "--truncation",
        type=float,
        is_eager=True,  # before --cutoff
        help="For a model with a mapped latent space, such as a StyleGAN2: how far styles are from their average, "
        "between 0 (all are the average) and 1 (as they are). For a model of truncated noise, such as a BigGAN: the "
        "largest size of the noise's numbers, 0 or more. Smaller: images are more alike, and often better.",
    ),
    click.option(
        "--cutoff",
        type=click.IntRange(0),
        callback=_with_truncation,
        help="With --truncation of styles: how many layers, the first ones.",
    ),
)


def truncated(command):
    """The options --truncation and --cutoff of a command."""
    for option in reversed(truncation_options):
        command = option(command)
    return command


def truncation_for(name, model, truncation, cutoff):
    """{input: value} that --truncation and --cutoff give to a model: `truncation_psi` and `truncation_cutoff` where it
    has styles, `truncation` where it has truncated noise."""
    if truncation is None:
        return {}
    inputs = ("truncation_psi", "truncation")
    there = [key for key in inputs if key in model.input_fields]
    if len(there) != 1:
        from keras_gans.sampling import takers

        known = ", or ".join(f"{key}, such as {' and '.join(takers(model, key))}" for key in inputs)
        raise click.UsageError(
            f"Expected a model with one of these inputs with --truncation: {known}. Received: {name}, a "
            f"{type(model).__name__} with {'both' if there else 'neither'}. "
            + ("Use Python: generate takes both." if there else "Leave --truncation out.")
        )
    return {there[0]: truncation, "truncation_cutoff": cutoff}
