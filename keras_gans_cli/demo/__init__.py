"""The command demo: a page to play with models, served on this machine to this machine alone."""

import contextlib
import sys
import tempfile

import click

from keras_gans_cli.demo import page, serving
from keras_gans_cli.models import model_options, sampler
from keras_gans_core import cards, handles
from keras_gans_core.errors import printable


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--port",
    default=7860,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Where the page is on this machine; 0 for any port that is free.",
)
@model_options
def demo(names, port):
    """Play with the models NAME (or runs' folders, or .keras files) in the browser, on this machine alone.

    It needs the extra demo: pip install "keras-gans[demo]"
    """
    serving.check_installed()
    with contextlib.closing(serving.listening(port)) as server, tempfile.TemporaryDirectory() as folder:
        models = {name: _loaded(name) for name in dict.fromkeys(names)}
        blocks = page.build(models, folder, {name: examples_of(name, model) for name, model in models.items()})
        address = f"http://{serving.HOST}:{server.getsockname()[1]}"
        click.echo(printable(f"{address} shows {', '.join(models)}. Ctrl-C ends it."))
        serving.serve(blocks, server)


def _loaded(name):
    """The model of a name. Loading takes seconds, so a terminal shows the name first."""
    if sys.stderr.isatty():
        click.echo(printable(f"loading {name}"), err=True)
    return sampler(name)[1]


def examples_of(name, model):
    """{input: value} of an example for each input that must be given, from the preset's golden samples; {} without."""
    from keras_gans.data.arrays import read_npz
    from keras_gans.sampling import needed_inputs

    wanted = {f"inputs/{name}": name for name in needed_inputs(model)}
    path = cards.path_of(handles.find(name).path, "golden.npz")
    with contextlib.suppress(OSError, ValueError):  # no such file, one that cannot be read, or values that do not fit
        arrays = read_npz(path, choose=lambda names: [name for name in names if name in wanted])
        given = {wanted[name]: model.input_fields[wanted[name]].asked(values) for name, values in arrays.items()}
        return {name: values[0] for name, values in given.items() if values.dtype.kind in "iu"}  # as files have
    return {}
