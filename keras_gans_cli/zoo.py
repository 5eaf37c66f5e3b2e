"""The commands that only read cards: list and info."""

import json

import click

from keras_gans_core import cards, handles


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the cards as JSON.")
def list_presets(as_json):
    """Show the pretrained models."""
    found, left_out = cards.readable()
    for line in left_out:
        click.echo(line, err=True)
    if as_json:
        click.echo(json.dumps(list(found.values()), indent=1))
        return
    for name, card in found.items():
        click.echo(f"{name:20} {card['variant']:11} {cards.size_of(card):9} {card.get('title', '')}")
    untrained = sorted(set(cards.recipes()) - set(cards.presets()))
    if untrained:
        click.echo(f"Recipes without a trained model: {', '.join(untrained)}")


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def info(name, as_json):
    """Show the card of the model NAME (or a run's folder, or hf://user/model): its data, its training, its limits."""
    card = cards.read_card(handles.find_preset(name).path)
    click.echo(json.dumps(card, indent=1) if as_json else "\n".join(_lines(card)))


def _lines(card, indent=""):
    for key, value in card.items():
        title = key.replace("_", " ")
        if isinstance(value, dict):  # a number with its protocol
            title = cards.titled(title, value.get("protocol"))
        if isinstance(value, dict):
            yield f"{indent}{title}:"
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{title}: {one_line(value)}"


def one_line(value):
    """An entry on one line: sizes as 28 x 28, other lists with commas, lists of several entries with semicolons."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {one_line(inner)}" for key, inner in value.items() if inner != "")
    if not isinstance(value, list):
        return str(value)
    if any(isinstance(part, (list, dict)) for part in value):
        return "; ".join(map(one_line, value))
    return (", " if any(isinstance(part, str) for part in value) else " x ").join(
        "any" if part is None else str(part) for part in value
    )
