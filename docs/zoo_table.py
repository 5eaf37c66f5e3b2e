"""Writes the README's zoo table and docs/zoo.md from the cards: python docs/zoo_table.py [--check]"""

import sys
from pathlib import Path

from keras_gans_core import cards

ROOT = Path(__file__).parents[1]
START, END = "<!-- zoo table -->\n", "<!-- end of zoo table -->"
HEAD = """# The zoo in numbers

Written by `python docs/zoo_table.py` from the cards; `keras-gans evaluate NAME --write` puts the numbers there, and
`keras-gans verify NAME` measures again. Next to each number is that of real images from another split (for labels, of
the same split, because the classifier was trained on the other one): what a perfect generator would reach. Numbers of
different protocols are not comparable. The features in which a number was measured stand in parentheses: none are
Inception's, so `frechet_distance`, `kernel_distance` and `classifier_score` are not a paper's FID, KID and Inception
Score.

{limits}
| preset | metric | value | real images | protocol |
|---|---|---|---|---|
"""


LIMITS = "| preset | what its budget limits |\n|---|---|\n"


def row(card):
    data, training = card["dataset"], card["training"]
    parameters = card["parameters" if card["variant"] == cards.CLASSIFIER else "generator_parameters"]
    return (
        f"| [`{card['preset']}`](zoo/{card['preset']}/card.json) | {card['variant']} | {cards.size_of(card)} "
        f"| {data['name']} ({data['license']}), {training['steps']:,} steps, {training['wall_seconds'] / 60:.0f} min "
        f"| {parameters:,} | {card['size'] / 2**20:.1f} MiB | {quality(card)} |\n"
    )


def quality(card):
    metrics = card.get("metrics", {})
    if "accuracy" in metrics:
        return f"{metrics['accuracy']['value']:.1%} right"
    if "classes" in metrics:
        return f"{metrics['classes']['value']:.0f} of 1000 classes"
    if "code_error" in metrics:
        return f"distance of codes {metrics['code_error']['value']:.3g}, to another image's 1"
    if "psnr_luma" in metrics:
        shown = {"PSNR of the luma in dB": "psnr_luma", "distance of patches": "patch_distance"}
        return "; ".join(
            f"{what} {metrics[name]['value']:.2f}, bicubic {metrics[f'{name}_of_bicubic']['value']:.2f}"
            for what, name in shown.items()
        )
    parts = []
    if "frechet_distance" in metrics:
        found = metrics["frechet_distance"]
        title = cards.titled("frechet_distance", found["protocol"])
        real = "" if found.get("floor") is None else f", real images {found['floor']:.3g}"
        parts = [f"{title} {found['value']:.3g}{real}"]
    shares = {"labels": "labels", "pixel_accuracy": "pixels"}
    parts += [f"{metrics[name]['value']:.1%} of {what}" for name, what in shares.items() if name in metrics]
    for ending in ("", "_b"):
        if f"l1_of_source{ending}" in metrics:
            made, unchanged = (metrics[f"{name}{ending}"]["value"] for name in ("l1", "l1_of_source"))
            parts += [f"L1 {made:.3g}, unchanged {unchanged:.3g}"]
    if "psnr_moving_1" in metrics:
        made, copied = (metrics[f"psnr_moving_1{ending}"]["value"] for ending in ("", "_of_copying"))
        parts += [f"PSNR of the next frame's moving pixels {made:.3g} dB, copying the last {copied:.3g} dB"]
    return "; ".join(parts)


def limits(card):
    return f"| `{card['preset']}` | {card['limits']} |\n"


def numbers(card):
    for name, found in card.get("metrics", {}).items():
        protocol, floor = found["protocol"], found.get("floor")
        title = cards.titled(name, protocol)
        if isinstance(protocol, dict):
            protocol = "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in protocol.items())
        else:
            protocol = f"{protocol}; {found['split']}, {found['examples']} images"
        floor = "" if floor is None else f"{floor:.4g}"
        error = "" if found.get("error") is None else f" ± {found['error']:.2g}"
        yield f"| `{card['preset']}` | {title} | {found['value']:.4g}{error} | {floor} | {protocol} |\n"


def main():
    found = [cards.read_card(folder) for folder in cards.presets().values()]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    before, rest = readme.split(START)
    _, after = rest.split(END)
    wanted = {
        ROOT / "README.md": before + START + "".join(map(row, found)) + END + after,
        ROOT / "docs" / "zoo.md": HEAD.format(limits=LIMITS + "".join(map(limits, found)))
        + "".join(line for card in found for line in numbers(card)),
    }
    for path, text in wanted.items():
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.name} is not what the cards say. Run: python docs/zoo_table.py")


if __name__ == "__main__":
    main()
