"""The command report: one page about a run, or about two side by side, that needs no network."""

from pathlib import Path

import click

from keras_gans_cli.report import page
from keras_gans_core import runs
from keras_gans_core.errors import printable


@click.command()
@click.argument("run", type=click.Path())
@click.argument("other", required=False, type=click.Path())
@click.option(
    "-o", "--output", default="report.html", show_default=True, type=click.Path(dir_okay=False), help="The page."
)
def report(run, other, output):
    """Write a page about the run in the folder RUN, or about two runs side by side: curves of losses and metrics, the
    doctor's verdicts, sample grids, settings and environment.

    The page is one file that needs no network. A run that is not finished has one too.
    """
    folders = [folder for folder in (run, other) if folder is not None]
    made = page.build([runs.read_run(folder) for folder in folders], folders)
    from keras_gans_core.pictures import atomic_write

    with atomic_write(Path(output)) as temporary:
        temporary.write_text(made, encoding="utf-8")
    click.echo(f"wrote {printable(output)}")
