"""The zoo's folders and cards: which presets exist, what they are, and whether a file matches its card."""

import ast
import difflib
import hashlib
import json
import os
import unicodedata
from pathlib import Path

from keras_gans_core.errors import CorruptPresetError, UnknownPresetError, format_error

LARGEST_FILE = 512 * 2**20  # bytes of a model file; larger ones are refused before they are read
LARGEST_CARD = 2**20
DEEPEST_CARD = 32  # levels; the zoo's deepest has 5
LARGEST_SIDE = 2**16  # of an image
REQUIRED = {"preset": str, "variant": str, "sha256": str, "size": int, "image_shape": list}  # entries of a card
OPTIONAL = {"title": str, "dataset": dict, "training": dict, "metrics": dict, "evaluation": dict}
CLASSIFIER = "classifier"  # the variant in the card of a classifier

# In a wheel the presets are in this package; in a checkout they are in the folder next to it.
PACKAGE_ZOO = next(
    (folder for folder in (Path(__file__).parent / "zoo", Path(__file__).parents[1] / "zoo") if folder.is_dir()), None
)


def zoo_folders():
    """The folders that are searched, in order: $KERAS_GANS_ZOO, then the package's own."""
    own = os.environ.get("KERAS_GANS_ZOO")
    return [Path(zoo) for zoo in (own, PACKAGE_ZOO) if zoo]


def presets():
    """`{name: folder}` of every preset with a card, sorted by name; an earlier zoo folder wins."""
    return {name: card.parent for name, card in _files("card.json").items()}


def recipes():
    """`{name: file}` of every recipe, sorted by name; an earlier zoo folder wins."""
    return _files("recipe.py")


def _files(kind):
    """`{name: file}` of the presets' files of a kind. Folders whose names cannot be printed are left out."""
    found = {}
    for zoo in reversed(zoo_folders()):
        found.update({file.parent.name: file for file in zoo.glob(f"*/{kind}") if file.parent.name.isprintable()})
    return dict(sorted(found.items()))


def variants():
    """`{name: class}` of every variant that `keras_gans/models/__init__.py` imports. The file is parsed and not
    imported, since that takes seconds. A variant is named after its module, or after itself where a module has several.
    """
    source = Path(__file__).parents[1] / "keras_gans" / "models" / "__init__.py"
    imports = [node for node in ast.parse(source.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
    return {
        node.module.rsplit(".", 1)[-1] if len(node.names) == 1 else alias.name.lower(): alias.name
        for node in imports
        for alias in node.names
    }


def size_of(card):
    """The size of the images, for display: 28x28x1, or any size.

    >>> size_of({"image_shape": [28, 28, 1]}), size_of({"image_shape": [None, None, 3]})
    ('28x28x1', 'any size')
    """
    return "any size" if None in card["image_shape"] else "x".join(map(str, card["image_shape"]))


def did_you_mean(name, known):
    """A question with the names of `known` that are close to `name`, or an empty string."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(close)}?" if close else ""


def find(name):
    """The folder of the preset `name`, or `name` itself if it is the folder of a finished run.

    Raises:
        UnknownPresetError: there is no such preset; the message gives similar names.
    """
    name, known = str(name), presets()
    if name in known:
        return known[name]
    if (Path(name) / "card.json").is_file():
        return Path(name)
    if any(Path(name).glob("checkpoint*.keras")):
        raise UnknownPresetError(
            f"Expected a finished run. Received: {name!r}, which was interrupted. Finish it with its `keras-gans "
            f"train` command and --resume {name}, or load its checkpoint.keras with kg.zoo.load_file."
        )
    if Path(name).is_dir():
        raise UnknownPresetError(f"Expected a folder with a card.json, as runs have. Received: {name!r}, without one.")
    if name.endswith(".keras"):
        raise UnknownPresetError(f"Expected the name of a preset. Received: {name!r}. Use kg.zoo.load_file.")
    hint = did_you_mean(name, known) or "`keras-gans list` shows them."
    looked = ", ".join(map(str, zoo_folders())) or "no folder"
    raise UnknownPresetError(f"Expected the name of a preset. Received: {name!r}. {hint} Looked in: {looked}.")


def read_card(folder):
    """The card of the preset in `folder`, a dict.

    Raises:
        CorruptPresetError: not a JSON object, a required entry that is missing or of another type, or text that a
            terminal cannot show.
    """
    path = Path(folder) / "card.json"
    try:
        if path.stat().st_size > LARGEST_CARD:
            raise ValueError(f"it has {path.stat().st_size} bytes, more than {LARGEST_CARD}")
        card = json.loads(path.read_text(encoding="utf-8"))
        _check(card)
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptPresetError(
            f"Expected a card in {path}. Received: {format_error(error)}. Fetch it again."
        ) from error
    return card


def _check(card):
    if not isinstance(card, dict):
        raise ValueError(f"a {type(card).__name__} instead of its entries")
    for key, kind in {**REQUIRED, **OPTIONAL}.items():
        if type(card.get(key)) is not kind and (key in REQUIRED or key in card):  # a bool is an int, but not a size
            raise ValueError(f"{key!r} that is {card.get(key)!r}")
    sides = card["image_shape"]
    known = sides[2:] if sides[:2] == [None, None] else sides  # of a model that takes images of any size
    if not 2 <= len(sides) <= 3 or any(type(side) is not int or not 0 < side <= LARGEST_SIDE for side in known):
        raise ValueError(f"'image_shape' that is {sides!r}")
    dataset = card.get("dataset", {})
    if type(dataset.get("name", "")) is not str:
        raise ValueError(f"a data set named {dataset['name']!r}")
    domains = dataset.get("domains", ["", ""])
    if type(domains) is not list or [type(domain) for domain in domains] != [str, str]:
        raise ValueError(f"data set domains that are {domains!r}")
    level = [card]
    for _ in range(DEEPEST_CARD):
        for text in (value for value in level if isinstance(value, str)):
            # Half a surrogate pair cannot be printed, and control characters can rewrite what a terminal shows.
            if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t" for letter in text):
                raise ValueError(f"text that cannot be shown: {text!r}")
        level = [inner for value in level for inner in _inside(value)]
    if level:
        raise ValueError(f"entries nested more than {DEEPEST_CARD} deep")


def _inside(value):
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else ()


def titled(name, protocol):
    """How a number is shown: with the features that it was measured in, which are a part of what it means.

    Args:
        name: the number's.
        protocol: a card's entry: a dict, or a text for numbers that have no features.

    Example:

    >>> titled("frechet_distance", {"features": "classifier_mnist (64 features, sha256 dead504fb9f0)"})
    'frechet_distance (classifier_mnist)'
    """
    features = protocol.get("features") if isinstance(protocol, dict) else None
    return name if not isinstance(features, str) else f"{name} ({features.split(' (')[0].split(',')[0]})"


def sha256(path):
    """The file's SHA-256, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verified_model(folder, classifier=False):
    """The path of the model file in `folder`, after checking its size and sha256 against its card.

    Args:
        folder: a preset's folder.
        classifier: whether to expect a classifier instead of a model that generates.

    Raises:
        UnknownPresetError: a preset of the other kind.
        CorruptPresetError: another size or digest, no file, or a file that is too large.
    """
    card, path = read_card(folder), Path(folder) / "model.keras"
    if (card["variant"] == CLASSIFIER) != classifier:
        wanted, other = ("a classifier", "load") if classifier else ("a model that generates", "zoo.load_classifier")
        raise UnknownPresetError(
            f"Expected {wanted}. Received: {card['preset']!r}, which is not one. Use kg.{other}({card['preset']!r})."
        )
    if not path.is_file():
        raise CorruptPresetError(f"Expected the file {path}. Received: no such file. Fetch the preset again.")
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise CorruptPresetError(f"Expected a model of at most {LARGEST_FILE} bytes. Received: {path} with {size}.")
    if size != card["size"]:
        raise CorruptPresetError(
            f"Expected {path} to have {card['size']} bytes, as its card says. Received: {size}. Fetch it again."
        )
    if (digest := sha256(path)) != card["sha256"]:
        raise CorruptPresetError(
            f"Expected {path} to have sha256 {card['sha256']}, as its card says. Received: {digest}. Fetch it again."
        )
    return path
