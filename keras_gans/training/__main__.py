"""The command line of `python -m keras_gans.training`."""

import argparse
import sys
from pathlib import Path

from keras_gans.training.card import update_card
from keras_gans.training.recipe import read_recipe
from keras_gans.training.run import train


def main(arguments=None):
    """The command line of `python -m keras_gans.training`."""
    parser = argparse.ArgumentParser(prog="python -m keras_gans.training", description="Trains a recipe.")
    parser.add_argument("recipe", help="a recipe file, such as zoo/dcgan_mnist/recipe.py")
    parser.add_argument("--output", help="folder for the results; by default runs/<name of the recipe's folder>")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--smoke", action="store_true", help="a rehearsal that takes seconds")
    parser.add_argument("--resume", metavar="DIR", help="continue the run in this folder")
    parser.add_argument(
        "--update-card", action="store_true", help="only put the recipe's words and the model's settings into the card"
    )
    parser.add_argument("--devices", type=int, default=1, help="how many devices share each batch")
    parser.add_argument("--overwrite", action="store_true", help="train anew over a run, which is lost")
    parser.add_argument("--checkpoint-steps", type=int, help="also save every this many steps")
    options = parser.parse_args(arguments)
    if options.update_card:
        return update_card(read_recipe(options.recipe), options.output or Path(options.recipe).parent)
    output = options.output or options.resume or Path("runs") / Path(options.recipe).resolve().parent.name
    train(
        read_recipe(options.recipe),
        output,
        seed=options.seed,
        smoke=options.smoke,
        epochs=options.epochs,
        resume_from=options.resume,
        checkpoint_steps=options.checkpoint_steps,
        devices=options.devices,
        overwrite=options.overwrite,
        recipe_file=options.recipe,
    )
    print(f"wrote {output}", file=sys.stderr)


if __name__ == "__main__":
    main()
