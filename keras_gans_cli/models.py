"""Loads the model that a command names, and says what it needs."""

from pathlib import Path

import click

from keras_gans_cli.quiet import library
from keras_gans_core import cards, handles, trust

IMPORTS, LARGE = "keras_gans.imports", "keras_gans.large"  # of the command's context: --import's files, and --large


def _keep(context, parameter, files):
    context.meta[IMPORTS] = files


def _keep_large(context, parameter, large):
    context.meta[LARGE] = large


_large_option = click.option(
    "--large",
    is_flag=True,
    expose_value=False,
    callback=_keep_large,
    help="Also read a model whose images have more than 16,777,216 numbers: generating with it takes gigabytes.",
)
import_option = click.option(
    "--import",
    metavar="FILE.py",
    multiple=True,
    expose_value=False,
    callback=_keep,
    type=click.Path(exists=True, dir_okay=False),
    help="Run this Python file first: the recipe with a model's own layers. Recipes that you have trained here need no "
    "--import. Only import what you trust.",
)


def model_options(command):
    """The options of every command that reads a model, for `sampler`."""
    return import_option(_large_option(command))


def asked_for_large():
    """Whether the command was given --large."""
    return click.get_current_context().meta.get(LARGE, False)


def has_options():
    """Whether the command was given --import or --large."""
    return bool(asked_for_large() or click.get_current_context().meta.get(IMPORTS))


def import_layers(path):
    """Runs the files of --import; and the recipe beside the model in `path`, if that has layers of its own and the user
    has trained with this recipe."""
    from keras_gans import files, training

    for file in click.get_current_context().meta.pop(IMPORTS, ()):
        training.import_file(file)
    folder = Path(path).parent
    recipe = folder / "recipe.py"
    if trust.is_known(recipe) and files.own_layers(cards.path_of(folder, Path(path).name)):
        training.import_file(recipe)


def sampler(name):
    """The library and the model of a preset, a run's folder, a .keras file or a handle of a hub."""
    path, pinned = handles.find(name)
    if path.is_dir():
        cards.verified_model(path, handle=name)  # before importing the backend, which takes seconds
        path = path / "model.keras"
    kg = library()
    import_layers(path)
    return kg, kg.load(pinned, large=asked_for_large())


def sampler_of_noise(name):
    """`sampler`, for a model that has noise as an input."""
    kg, model = sampler(name)
    if "noise" not in model.input_fields:
        raise click.UsageError(
            f"Expected a model with noise as an input. Received: {name}, a {type(model).__name__}, whose inputs are "
            f"{', '.join(model.input_fields)}."
        )
    return kg, model


def sampler_of_styles(name):
    """`sampler`, for a model with a mapped latent space; any other is an `UnsupportedError`."""
    kg, model = sampler(name)
    from keras_gans.latent.checks import check_mapped

    check_mapped(model)
    return kg, model


def verb_of(model):
    """The command for a model that needs images from files; None for others."""
    from keras_gans.sampling import needed_inputs

    if not needed_inputs(model):
        return None
    verbs = ("translate", "upscale", "reconstruct", "predict-frames")
    return next((verb for verb in verbs if hasattr(model, verb.replace("-", "_"))), None)


def takes_prompts(model):
    """Whether a model makes images of sentences."""
    from keras_gans.fields import Prompts

    return isinstance(model.input_fields.get("prompts"), Prompts)


def remedy_for_given(name, model):
    """What to do with a model that needs given inputs."""
    from keras_gans.sampling import needed_inputs

    if takes_prompts(model):
        return f'Use: keras-gans sample {name} --prompt "..."'
    if verb_of(model) is not None:
        return f"Use: keras-gans {verb_of(model)} {name} FOLDER -o OUT"
    given = ", ".join(f"{key}=..." for key in needed_inputs(model))
    return f"Use Python: kg.load({name!r}).generate({given})"
