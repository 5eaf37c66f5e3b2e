"""Runs recipes: trains, checkpoints every epoch, and writes the model with its card.

python -m keras_gans.training zoo/dcgan_mnist/recipe.py        the same as: keras-gans train dcgan_mnist
"""

from keras_gans.phases import Phase
from keras_gans.training.card import WORDS, update_card
from keras_gans.training.precision import fast_policy
from keras_gans.training.recipe import ClassifierRecipe, Recipe, import_file, read_recipe, variant_recipe
from keras_gans.training.run import train

__all__ = [
    "WORDS",
    "ClassifierRecipe",
    "Phase",
    "Recipe",
    "fast_policy",
    "import_file",
    "read_recipe",
    "train",
    "update_card",
    "variant_recipe",
]
