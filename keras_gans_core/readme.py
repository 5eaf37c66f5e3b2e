"""The README.md of a preset's folder: a model card as hubs read it, made of the preset's card."""

import json
import math
import re

from keras_gans_core import cards

MARK = "<!-- Written by keras_gans from card.json. Remove this line, and the file is left as you write it. -->"
# Licences of data sets by the names that hubs give them. A model is under that of its data: it is made of them.
LICENSES = {
    "apache-2.0": "apache-2.0",
    "mit": "mit",
    "cc0": "cc0-1.0",
    "cc0 1.0": "cc0-1.0",
    "cc by 3.0": "cc-by-3.0",
    "cc by 4.0": "cc-by-4.0",
    "cc by-sa 3.0": "cc-by-sa-3.0",
    "cc by-sa 4.0": "cc-by-sa-4.0",
    "cc by-nc 4.0": "cc-by-nc-4.0",
}
# Those that a hub takes as they are; it calls all others "other", with a name.
KNOWN_LICENSES = {
    *("afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear"),
    *("bigcode-openrail-m", "bigscience-bloom-rail-1.0", "bigscience-openrail-m", "bsl-1.0", "c-uda", "cc", "cc0-1.0"),
    *("cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nd-4.0"),
    *("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"),
    *("cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cdla-permissive-1.0", "cdla-permissive-2.0"),
    *("cdla-sharing-1.0", "creativeml-openrail-m", "ecl-2.0", "epl-1.0", "epl-2.0", "etalab-2.0", "eupl-1.1"),
    *("gfdl", "gpl", "gpl-2.0", "gpl-3.0", "isc", "lgpl", "lgpl-2.1", "lgpl-3.0", "lppl-1.3c", "mit", "mpl-2.0"),
    *("ms-pl", "ncsa", "odbl", "odc-by", "ofl-1.1", "openrail", "openrail++", "osl-3.0", "pddl", "postgresql"),
    *("unlicense", "wtfpl", "zlib", "other", "unknown"),
}
GIVEN = {"Images", "LabelMaps", "InstanceMaps"}  # fields of a model that changes what it is given


def readme(card, handle=None):
    """The text of a README.md: YAML front matter, then a page for readers.

    Args:
        card: a card, as `cards.read_card` returns it.
        handle: how others load the model, such as hf://user/model; None for the path of its folder.

    Returns:
        A text. Its front matter has `license`, `library_name`, `pipeline_tag`, `tags`, `datasets` and `model-index`,
        with the protocol of each number.
    """
    return f"---\n{_yaml(front_matter(card))}---\n{MARK}\n\n{_page(card, handle)}"


OWN = {"folder", "file", "array", "list"}  # sources of a user's own data, which no hub knows by name


def is_own(path):
    """Whether a user wrote the README.md at a path, so that it stays as it is; False where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return MARK not in file.read()
    except FileNotFoundError:
        return False
    except (OSError, ValueError):  # such as text that is not UTF-8, which this library does not write
        return True


def front_matter(card):
    """What the front matter of a card's README.md says, as a dict."""
    data = card.get("dataset", {})
    words = str(card.get("license") or data.get("license") or "")
    known = LICENSES.get(words.lower()) or (words.lower() if words.lower() in KNOWN_LICENSES else None)
    about = {"license": known or ("other" if words else "unknown")}
    if known is None and words:
        about["license_name"] = words
    about["library_name"] = "keras"
    if tag := pipeline_tag(card):
        about["pipeline_tag"] = tag
    about["tags"] = ["gan", "keras_gans"]
    start = _start(card)
    if start.startswith("hf://"):
        about["base_model"] = start.removeprefix("hf://").partition("@")[0]
    name = _slug(data.get("name"))
    if name and data.get("source") not in OWN:
        about["datasets"] = [name]
    if metrics := list(_metrics(card)):
        source = card.get("evaluation", {})
        measured = str(source.get("source") or data.get("name") or "unknown")
        dataset = {"name": measured, "type": _slug(measured) or "unknown"}
        if split := source.get("split"):
            dataset["split"] = str(split)
        result = {"task": {"type": tag or "other"}, "dataset": dataset, "metrics": metrics}
        about["model-index"] = [{"name": card["preset"], "results": [result]}]
    return about


def pipeline_tag(card):
    """What a model does, in the words of hubs, by the kinds of its fields; None if an older card does not say them.

    >>> pipeline_tag({"variant": "DCGAN", "inputs": {"noise": "Noise"}, "outputs": {"images": "Images"}})
    'unconditional-image-generation'
    """
    if card["variant"] == cards.CLASSIFIER:
        return "image-segmentation" if "num_pixel_classes" in card else "image-classification"
    if "outputs" not in card:
        return None
    takes, makes = (set(map(str, card.get(name, {}).values())) for name in ("inputs", "outputs"))
    if "Tokens" in makes:
        return "text-generation"
    if "Prompts" in takes:
        return "text-to-image"
    if "Clips" in takes:
        return "image-to-video"
    if GIVEN & takes:
        return "image-segmentation" if makes == {"LabelMaps"} else "image-to-image"
    return "unconditional-image-generation"


def _start(card):
    """What the training of a card's model started from, a text."""
    start = card.get("training", {}).get("from")
    return str(start.get("preset", "")) if isinstance(start, dict) else ""


def _slug(name):
    """A name as hubs allow it for a data set, or None."""
    text = re.sub(r"[^A-Za-z0-9._-]+", "-", str(name or "")).strip("-._")[:96]
    return text or None


def _metrics(card):
    for name, found in card.get("metrics", {}).items():
        value = found.get("value") if isinstance(found, dict) else None
        if type(value) not in (int, float) or not math.isfinite(value):
            continue
        protocol = found.get("protocol", {})
        protocol = dict(protocol) if isinstance(protocol, dict) else {"protocol": str(protocol)}
        beside = {key: found[key] for key in ("error", "floor") if type(found.get(key)) in (int, float)}
        yield {"type": name, "name": cards.titled(name, protocol), "value": value, "args": {**protocol, **beside}}


def _yaml(value, indent=""):
    """A dict as YAML, in the subset that its readers agree on: blocks, and quoted strings on one line."""
    lines = []
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            lines.append(f"{indent}{_scalar(key)}:\n{_yaml(inner, indent + '  ')}")
        elif isinstance(inner, list) and inner:
            lines.append(f"{indent}{_scalar(key)}:\n{''.join(_item(part, indent) for part in inner)}")
        else:
            lines.append(f"{indent}{_scalar(key)}: {_scalar(inner)}\n")
    return "".join(lines)


def _item(value, indent):
    if not isinstance(value, dict) or not value:
        return f"{indent}- {_scalar(value)}\n"
    return f"{indent}- {_yaml(value, indent + '  ')[len(indent) + 2 :]}"


def _scalar(value):
    """A value on one line. A float has a point, without which readers of YAML 1.1 take 1e-07 for a text."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return {"inf": ".inf", "-inf": "-.inf"}.get(str(value), ".nan")
        mantissa, e, exponent = repr(value).partition("e")
        return f"{mantissa if '.' in mantissa else mantissa + '.0'}{e}{exponent}"
    if isinstance(value, str):
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", value) and value.lower() not in RESERVED:
            return value
        text = json.dumps(value, ensure_ascii=False)
        return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)
    return json.dumps(value)


RESERVED = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}  # not texts for readers of YAML 1.1


def _escape(letter):
    code = ord(letter)
    return f"\\u{code:04x}" if code < 2**16 else f"\\U{code:08x}"


def _page(card, handle):
    kind = "classifier" if card["variant"] == cards.CLASSIFIER else "gan"
    data, training = card.get("dataset", {}), card.get("training", {})
    parts = [f"# {card.get('title') or card['preset']}\n"]
    parts.append(
        f"A {card['variant']} for [Keras 3](https://keras.io), trained with keras_gans: {cards.size_of(card)}.\n"
    )
    if kind == "gan":
        parts.append("![Samples](samples.png)\n")
    load = loading(card, handle or "path/of/this/folder")
    parts.append(f"```python\nimport keras_gans as kg\n\nmodel = {load}\n```\n")
    for title, key in (("Limits", "limits"), ("Not good for", "not_good_for")):
        if card.get(key):
            parts.append(f"## {title}\n\n{card[key]}\n")
    if data.get("name"):
        words = [f"{key}: {data[key]}" for key in ("split", "examples", "license", "citation") if data.get(key)]
        parts.append(f"## Data\n\n{'; '.join([data['name'], *words])}\n")
    if rows := list(_metrics(card)):
        parts.append(
            "## Numbers\n\n| number | value | of real images | protocol |\n|---|---|---|---|\n"
            + "".join(map(_row, rows))
        )
    if training:
        words = [f"{key.replace('_', ' ')} {training[key]}" for key in SHOWN if training.get(key) is not None]
        words += [f"from {start}"] if (start := _start(card)) else []
        sentences = [", ".join(words)] if words else []
        parts.append(f"## Training\n\n{'. '.join([*sentences, 'All settings are in card.json.'])}\n")
    return "\n".join(parts)


def loading(card, handle):
    """The Python that loads a card's model by its handle.

    >>> loading({"variant": "DCGAN"}, "hf://ada/digits")
    'kg.load("hf://ada/digits")'
    """
    return f'kg.{"zoo.load_classifier" if card["variant"] == cards.CLASSIFIER else "load"}("{handle}")'


SHOWN = ("steps", "epochs", "batch_size", "seed", "wall_seconds", "device", "backend")  # of the training


def _row(metric):
    protocol = "; ".join(f"{key} {value}" for key, value in metric["args"].items() if key not in ("floor", "error"))
    floor = metric["args"].get("floor")
    cells = (metric["name"], f"{metric['value']:.4g}", "" if floor is None else f"{floor:.4g}", protocol)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"
