"""Writes the README's zoo table from the cards: python docs/zoo_table.py [--check]"""

import sys
from pathlib import Path

from keras_gans_cli import cards

README = Path(__file__).parents[1] / "README.md"
START, END = "<!-- zoo table -->\n", "<!-- end of zoo table -->"


def row(card):
    shape = "x".join(map(str, card["image_shape"]))
    data, training = card["dataset"], card["training"]
    parameters = card["parameters" if card["variant"] == cards.CLASSIFIER else "generator_parameters"]
    return (
        f"| [`{card['preset']}`](zoo/{card['preset']}/card.json) | {card['variant']} | {shape} "
        f"| {data['name']} ({data['license']}), {training['steps']:,} steps, {training['wall_seconds'] / 60:.0f} min "
        f"| {parameters:,} | {card['size'] / 2**20:.1f} MiB |\n"
    )


def main():
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(START)
    _, after = rest.split(END)
    rows = "".join(row(cards.read_card(folder)) for folder in cards.presets().values())
    wanted = before + START + rows + END + after
    if "--check" in sys.argv:
        sys.exit(None if text == wanted else "README.md's zoo table is not the cards'. Run: python docs/zoo_table.py")
    README.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
