"""What a card says about a training: the recipe's words, the settings, the machine and the packages."""

from pathlib import Path

from keras_gans import zoo
from keras_gans.presets import facts
from keras_gans.training.recipe import Recipe
from keras_gans_core import cards

WORDS = ("title", "limits", "not_good_for")  # texts of a recipe, for its card
RESULTS = ("steps", "epochs", "wall_seconds", "final_losses")  # what a card says of a training that has ended


def update_card(recipe, folder):
    """Updates the card of an earlier run with the recipe's words (`WORDS`) and the trained model's settings.

    What the run measured stays.

    Args:
        recipe: function from `smoke` to a `Recipe` or a `ClassifierRecipe`.
        folder: the preset's.

    Raises:
        CorruptPresetError: no card there.
    """
    folder = Path(folder)
    run = recipe(smoke=True)
    changes = words(run)
    if isinstance(run, Recipe):
        changes["hyper_parameters"] = zoo.load_file(cards.path_of(folder, "model.keras")).hyper_parameters
    zoo.update_card(folder, changes)


def check_card(run):
    """Refuses, before training, data and words that the card of a `Recipe` or a `ClassifierRecipe` cannot hold.

    Raises:
        ConfigurationError: such as more names of classes than fit into a megabyte.
    """
    names = run.dataset.about.get("classes")  # twice: of the data, and of the model's labels
    cards.check_words({**words(run), "dataset": run.dataset.about, "label_names": names})


def words(run):
    """A recipe's words, for its card."""
    return {name: getattr(run, name) for name in WORDS}


def begun_card(model, run, progress, data):
    """What the card of a run will say, as far as it is known when a phase begins on its data."""
    card = training_card(model, run, progress, data)
    known = {key: value for key, value in card["training"].items() if key not in RESULTS}
    return {"variant": type(model).__name__, **card, "training": known}


def training_card(model, run, progress, last):
    """What the card says about the training; see `zoo.write_preset` for what it says about the file.

    `last` is the last phase's data. If they are the first phase's data set at another size, as where networks grow, the
    card describes them; else it describes the first phase's: later ones may be made by the model.
    """
    known = facts.settings(model)
    first = run.dataset
    same = last.about.get("name") == first.about.get("name") and list(last.arrays) == list(first.arrays)
    grown = same and last is not first  # a lazy source reads examples for its fingerprint
    about, fingerprint = (last.about, last.fingerprint()) if grown else (first.about, progress["data"])
    return {
        **words(run),
        "dataset": {**about, "fingerprint": fingerprint},
        "training": {
            "seed": progress["seed"],
            "steps": known.pop("steps"),
            "epochs": progress.get("epochs", 0),
            **({"phases": progress["phases"]} if len(run.phases) > 1 else {}),
            **({"from": progress["from"]} if progress.get("from") else {}),
            "batch_size": run.dataset.batch_size,
            **known,
            "wall_seconds": round(progress["wall_seconds"], 1),
            "final_losses": progress.get("final_losses", {}),
            **facts.surroundings(),
        },
    }
