"""The command push: a preset on a hub."""

import click

from keras_gans_core import cards, handles, readme
from keras_gans_core.errors import printable


@click.command()
@click.argument("folder")
@click.argument("handle")
@click.option("--private", is_flag=True, help="If the model is created: only you can see it.")
def push(folder, handle, private):
    """Upload the model in FOLDER (a run's, or a preset's name) to HANDLE, such as hf://user/model, with a model card.

    Log in first: hf auth login. It needs the extra hf: pip install "keras-gans[hf]"
    """
    pinned = handles.push(handle, folder, private)
    click.echo(printable(f"pushed to {pinned}"))
    card = cards.read_card(cards.find(folder))
    click.echo(f"now, anywhere, in Python: {readme.loading(card, handle)}")
