"""The zoo's folders and cards: which presets exist, what they are, and whether a file matches its card."""

import ast
import difflib
import hashlib
import json
import os
import stat
from pathlib import Path

from keras_gans_core.errors import ConfigurationError, CorruptPresetError, UnknownPresetError, format_error, printable

LARGEST_FILE = 512 * 2**20  # bytes of a model file; larger ones are refused before they are read
LARGEST_CARD = 2**20
# What a preset's folder has, and how many bytes of each are fetched from a hub.
FILES = {
    "card.json": LARGEST_CARD,
    "model.keras": LARGEST_FILE,
    "golden.npz": 2**27,
    "samples.png": 2**27,
    "README.md": 2**22,
}
DEEPEST_CARD = 32  # levels; the zoo's deepest has 5
LARGEST_SIDE = 2**16  # of an image
LONGEST_NAME = 2**11  # characters of a preset's name and such; a file's name has 255 bytes, escapes have more
REQUIRED = {"preset": str, "variant": str, "sha256": str, "size": int, "image_shape": list}  # entries of a card
OPTIONAL = {
    **{"title": str, "dataset": dict, "training": dict, "metrics": dict, "evaluation": dict},
    **{"inputs": dict, "outputs": dict, "license": str},
}
CLASSIFIER = "classifier"  # the variant in the card of a classifier
NEXT = ".next"  # in a preset's folder: a folder of its files to come, complete; see `zoo.write_preset`

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


def readable():
    """`{name: card}` of the presets whose cards can be read, sorted by name, and a line on each of the others."""
    read, left_out = {}, []
    for name, folder in presets().items():
        try:
            read[name] = read_card(folder)
        except CorruptPresetError as error:
            left_out.append(f"Left out {name}: {error}")
    return read, left_out


def recipes():
    """`{name: file}` of every recipe, sorted by name; an earlier zoo folder wins. A recipe is code: it runs as you."""
    return _files("recipe.py")


def shadowed(name):
    """A line on a recipe of $KERAS_GANS_ZOO that stands in the place of the package's of the same name, or None."""
    file, own = recipes().get(name), PACKAGE_ZOO and PACKAGE_ZOO / name / "recipe.py"
    if file is None or own is None or not own.is_file() or own.samefile(file):
        return None
    return f"The recipe {name} is {printable(str(file))}, of KERAS_GANS_ZOO, and not the package's."


def _files(kind):
    """`{name: file}` of the presets' files of a kind. Folders whose names cannot be printed are left out."""
    found = {}
    for zoo in reversed(zoo_folders()):
        files = zoo.glob(f"*/{kind}") if os.path.isdir(zoo) else ()
        found.update({file.parent.name: file for file in files if file.parent.name.isprintable()})
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
    if os.path.isfile(path_of(name, "card.json")):
        return Path(name)
    if os.path.isdir(name) and any(Path(name).glob("checkpoint*.keras")):
        raise UnknownPresetError(
            f"Expected a finished run. Received: {name!r}, which was interrupted. Finish it with its `keras-gans "
            f"train` command and --resume {name}, or load its checkpoint.keras with kg.load."
        )
    if os.path.isdir(name):
        raise UnknownPresetError(f"Expected a folder with a card.json, as runs have. Received: {name!r}, without one.")
    if name.endswith(".keras"):
        raise UnknownPresetError(
            f"Expected the name of a preset. Received: {name!r}, a file without a card. Use kg.load."
        )
    hint = did_you_mean(name, known) or "`keras-gans list` shows them."
    looked = ", ".join(map(str, zoo_folders())) or "no folder"
    name = name if len(name) <= LONGEST_NAME else f"{name[:100]} ..."
    raise UnknownPresetError(f"Expected the name of a preset. Received: {name!r}. {hint} Looked in: {looked}.")


def path_of(folder, name):
    """The path of a preset's file. While the preset is being replaced, and where its writer was killed then, the new
    files that have not been moved to their places yet are in the folder `NEXT`."""
    waiting = os.path.join(folder, NEXT, name)
    return Path(waiting) if os.path.exists(waiting) else Path(folder) / name


def unreplaced(folder, read):
    """What `read()` returns of a preset whose files are not replaced meanwhile: if they were, it reads them again."""
    while True:
        before = _state(folder)
        try:
            found = read()
        except (OSError, CorruptPresetError):
            if _state(folder) == before:
                raise
        else:
            if _state(folder) == before:
                return found


def _state(folder):
    """Which files are in the places of a preset's."""
    about = []
    for part in ("", NEXT):
        for name in ("card.json", "model.keras", "golden.npz"):
            try:
                found = os.stat(os.path.join(folder, part, name))
                about.append((found.st_ino, found.st_size, found.st_mtime_ns))
            except (OSError, ValueError):
                about.append(None)
    return about


def open_file(path, largest):
    """A regular file, opened to read bytes. Others, such as pipes and devices, may wait or go on for ever.

    Raises:
        OSError: no such file.
        ValueError: no regular file, or one of more than `largest` bytes.
    """
    about = os.stat(path)
    if not stat.S_ISREG(about.st_mode):
        raise ValueError("no regular file")
    if about.st_size > largest:
        raise ValueError(f"{about.st_size} bytes, more than {largest}")
    return open(path, "rb")


def read_card(folder):
    """The card of the preset in `folder`, a dict.

    Raises:
        CorruptPresetError: no regular file of at most `LARGEST_CARD` bytes, not a JSON object, a required entry that is
            missing or of another type, a name of more than `LONGEST_NAME` characters, or text that a terminal cannot
            show.
    """
    try:
        card = json.loads(unreplaced(folder, lambda: _card_text(folder)))
        _check(card)
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptPresetError(
            f"Expected a card in {Path(folder) / 'card.json'}. Received: {format_error(error)}. Fetch it again."
        ) from error
    return card


def _card_text(folder):
    with open_file(path_of(folder, "card.json"), LARGEST_CARD) as file:
        return file.read(LARGEST_CARD).decode("utf-8")


def card_text(card):
    """A card as the text of its file. What a terminal cannot show is escaped, so that `read_card` takes it.

    Raises:
        ConfigurationError: a card that `read_card` would refuse, such as a longer one.
    """
    try:
        card = _escaped(json.loads(json.dumps(card)))
        _check(card)
        text = json.dumps(card, indent=1) + "\n"
        if len(text) > LARGEST_CARD:
            largest = max(card, key=lambda key: len(json.dumps(card[key])))
            raise ValueError(f"{len(text)} bytes, more than {LARGEST_CARD}, most of them in {largest!r}")
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"Expected what a card can hold. Received: {format_error(error)}. Use shorter or fewer names and texts."
        ) from error
    return text


def check_words(words):
    """Refuses, before the work that they are about, words that a card cannot hold: see `card_text`."""
    if not isinstance(words, dict):
        raise ConfigurationError(
            f'Expected a card as a dict, such as {{"title": "Faces"}}. Received: {words!r}. Pass a dict, or None.'
        )
    blank = {"preset": "", "variant": "", "sha256": "", "size": 0, "image_shape": [1, 1]}
    card_text({**words, **blank})


def _escaped(value):
    if isinstance(value, str):
        return printable(value, allowed="\n\t")
    if isinstance(value, dict):
        return {_escaped(key): _escaped(inner) for key, inner in value.items()}
    return [_escaped(inner) for inner in value] if isinstance(value, list) else value


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
    for name in (card["preset"], card["variant"], dataset.get("name")):
        if isinstance(name, str) and len(name) > LONGEST_NAME:
            raise ValueError(f"a name of {len(name)} characters")
    if type(dataset.get("name", "")) is not str:
        raise ValueError(f"a data set named {dataset['name']!r}")
    domains = dataset.get("domains", ["", ""])
    if type(domains) is not list or [type(domain) for domain in domains] != [str, str]:
        raise ValueError(f"data set domains that are {domains!r}")
    for level in levels(card):
        for text in (value for value in level if isinstance(value, str)):
            if printable(text, allowed="\n\t") != text:
                raise ValueError(f"text that cannot be shown: {text!r}")


def levels(value):
    """Yields what a value from JSON holds, a list for each level: the value itself, what is in it, and so on.

    Raises:
        ValueError: more than `DEEPEST_CARD` levels, which may be too many for functions that call themselves.
    """
    level = [value]
    for _ in range(DEEPEST_CARD):
        yield level
        level = [inner for one in level for inner in _inside(one)]
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


def sha256(path, largest=LARGEST_FILE):
    """The SHA-256 of a regular file of at most `largest` bytes, in hexadecimal; see `open_file` for its errors."""
    with open_file(path, largest) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verified_model(folder, classifier=False, handle=None):
    """The path of the model file in `folder`, after checking its size and sha256 against its card.

    Args:
        folder: a preset's folder.
        classifier: whether to expect a classifier instead of a model that generates.
        handle: what the user named the preset by, for messages; None for its name in its card.

    Raises:
        UnknownPresetError: a preset of the other kind.
        CorruptPresetError: another size or digest, no file, or a file that is too large.
    """
    return unreplaced(folder, lambda: _verified_model(folder, classifier, handle))


def _verified_model(folder, classifier, handle):
    card = read_card(folder)
    if (card["variant"] == CLASSIFIER) != classifier:
        wanted, other = ("a classifier", "load") if classifier else ("a model that generates", "zoo.load_classifier")
        name = str(handle or card["preset"])
        raise UnknownPresetError(f"Expected {wanted}. Received: {name!r}, which is not one. Use kg.{other}({name!r}).")
    return check_model(folder, card)


def check_model(folder, card):
    """`verified_model` for a preset of either kind, whose `card` has been read."""
    path, remedy = path_of(folder, "model.keras"), _remedy(folder)
    if not path.is_file():
        raise CorruptPresetError(f"Expected the file {path}. Received: no such file. {remedy}")
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise CorruptPresetError(f"Expected a model of at most {LARGEST_FILE} bytes. Received: {path} with {size}.")
    if size != card["size"]:
        raise CorruptPresetError(
            f"Expected {path} to have {card['size']} bytes, as its card says. Received: {size}. {remedy}"
        )
    if (digest := sha256(path)) != card["sha256"]:
        raise CorruptPresetError(
            f"Expected {path} to have sha256 {card['sha256']}, as its card says. Received: {digest}. {remedy}"
        )
    return path


def _remedy(folder):
    """What to do about files that do not fit together: a run can write them again."""
    if any(Path(folder).glob("checkpoint*.keras")):
        return f"Let the run write them again: its `keras-gans train` command with --resume {folder}"
    return "Fetch the preset again."
