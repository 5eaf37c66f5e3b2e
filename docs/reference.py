"""Writes the reference of the site, docs/reference/: a page for each variant and each module, from their docstrings.

The site's configuration, conf.py, calls `write`.
"""

import importlib
import inspect
import re
import textwrap
from pathlib import Path

from keras_gans_core import cards

ROOT = Path(__file__).parents[1]
MODULES = (
    "augment", "callbacks", "data", "errors", "evaluation", "fields", "images", "latent", "layers", "losses", "metrics",
    "optimizers", "penalties", "pyramids", "resampling", "training", "zoo",
)  # fmt: skip
ITEMS = ("Args", "Attributes", "Call arguments", "Raises")  # sections of "name: text"
SECTION = re.compile(rf"({'|'.join(ITEMS)}|Returns|Example|Reference)s?:(.*)")


def markdown(docstring):
    """A docstring in Markdown: sections in bold, items as lists, examples and formulas as blocks.

    >>> print(markdown("Adds.\\n\\nArgs:\\n    a: a number,\\n        or two."))
    Adds.
    <BLANKLINE>
    **Args**
    <BLANKLINE>
    - `a`: a number,
      or two.
    """
    written, section = [], None
    for block in re.split(r"\n\s*\n", inspect.cleandoc(docstring)):
        lines = block.split("\n")
        if found := SECTION.fullmatch(lines[0]):
            section, rest = found[1], found[2].strip()
            written.append(f"**{section}**" + (f": {rest}" if rest and len(lines) == 1 else ""))
            lines = ([rest] if rest and len(lines) > 1 else []) + lines[1:]
            block = "\n".join(lines)
        elif not lines[0].startswith("    "):
            section = None
        if not lines or not block:
            continue
        if lines[0].lstrip().startswith(">>>"):
            written.append(f"```pycon\n{textwrap.dedent(block)}\n```")
        elif section in ITEMS:
            written.append(_items(lines))
        elif lines[0].startswith("    ") and section is None:
            written.append(f"```text\n{textwrap.dedent(block)}\n```")
        else:
            written.append(textwrap.dedent(block))
    return "\n\n".join(written)


def _items(lines):
    """A list of "name: text" items, indented by four; what is indented further goes on with the item before."""
    written = []
    for line in lines:
        name, colon, text = line[4:].partition(": ")
        if line[4:5] not in ("", " ", "-") and colon:
            written.append(f"- `{name}`: {text}")
        else:
            written.append(f"  {line[8:] if line.startswith('        ') else line[4:]}")
    return "\n".join(written)


def signature(name, thing):
    """A definition's head, a line for each argument if it is long."""
    try:
        text = str(inspect.signature(thing))
    except (TypeError, ValueError):
        return name
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    if len(name + text) <= 100:
        return name + text
    parts = [str(parameter) for parameter in inspect.signature(thing).parameters.values()]
    return f"{name}(\n    " + ",\n    ".join(re.sub(r" at 0x[0-9a-f]+", "", part) for part in parts) + ",\n)"


def definition(path, thing, level=2):
    """The Markdown of a class or function, a class with the methods that it defines itself."""
    name = path.rpartition(".")[2]
    parts = [f"{'#' * level} {name}", f"```python\n{signature(path, thing)}\n```"]
    if inspect.getdoc(thing):
        parts.append(markdown(thing.__doc__ or ""))
    if inspect.isclass(thing):
        for own, member in vars(thing).items():
            plain = getattr(member, "__func__", member)
            if own.startswith("_") or not inspect.isfunction(plain) or not plain.__doc__:
                continue
            parts.append(definition(f"{name}.{own}", plain, level + 1))
    return "\n\n".join(part for part in parts if part)


def presets_of(variant):
    """The presets of a variant, {name: card}."""
    found = {name: cards.read_card(folder) for name, folder in cards.presets().items()}
    return {name: card for name, card in found.items() if card["variant"] == variant}


def variant_page(name, thing):
    """A variant's page: the head of its file as it stands there, its presets with samples, and its class."""
    module = inspect.getmodule(thing)
    head = inspect.cleandoc(module.__doc__)
    parts = [f"# {name}", f"```text\n{head}\n```"]
    for preset, card in presets_of(name).items():
        parts.append(f"## {preset}\n\n{card['title']}. {card['limits']}")
        picture = ROOT / "docs" / "gallery" / f"{preset}.png"
        if picture.exists():
            parts.append(f"![{card['title']}](../gallery/{preset}.png)")
    parts.append(definition(f"keras_gans.{name}", thing))
    return "\n\n".join(parts)


def module_page(name):
    """A module's page: what it exports."""
    module = importlib.import_module(f"keras_gans.{name}")
    own = [key for key, value in vars(module).items()
           if getattr(value, "__module__", "").startswith(module.__name__) and not key.startswith("_")]  # fmt: skip
    names = getattr(module, "__all__", own)
    things = [(key, getattr(module, key)) for key in names]
    parts = [f"# keras_gans.{name}", markdown(module.__doc__ or "")]
    parts += [definition(f"keras_gans.{name}.{key}", thing) for key, thing in things
              if (inspect.isclass(thing) or inspect.isfunction(thing)) and thing.__doc__]  # fmt: skip
    return "\n\n".join(parts)


def pages():
    """{file's name: Markdown} of the whole reference."""
    import keras_gans as kg

    base = definition("keras_gans.AdversarialModel", kg.AdversarialModel)
    found = {"AdversarialModel": f"# AdversarialModel\n\n{base}"}
    found["functions"] = "# load and export\n\n" + "\n\n".join(
        definition(f"keras_gans.{name}", getattr(kg, name)) for name in ("load", "export")
    )
    found |= {name: variant_page(name, getattr(kg, name)) for name in kg.models.__all__}
    found |= {name: module_page(name) for name in MODULES}
    variants = "\n".join(sorted(kg.models.__all__, key=str.lower))
    toctree = "```{{toctree}}\n:maxdepth: 1\n\n{}\n```"
    about = "The objective, schedule and departures of each, its presets and its class."
    found["variants"] = f"# Variants\n\n{about}\n\n{toctree.format(variants)}"
    shared = "\n".join(["functions", "AdversarialModel", *MODULES])
    found["index"] = f"# Reference\n\n{toctree.format(shared)}"
    return found


def write(folder=ROOT / "docs" / "reference"):
    """Writes the pages that changed, so that a second build is short."""
    folder.mkdir(exist_ok=True)
    made = pages()
    for name, text in made.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.glob("*.md"):
        if path.stem not in made:
            path.unlink()
