"""The table of theory and techniques in docs/lectures.md: what it names exists."""

import operator
import re

import pytest

import keras_gans as kg
from keras_gans_core import cards

ROOT = cards.PACKAGE_ZOO.parent
PAGE = ROOT / "docs" / "lectures.md"
if not PAGE.is_file():
    pytest.skip("an installed package has no docs beside it", allow_module_level=True)
TEXT = PAGE.read_text(encoding="utf-8")
TABLE = TEXT.split("\n## Theory and techniques\n")[1].split("\n## ")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines() if line.startswith("| ")]
ROWS = ROWS[1:]  # below the heads of the columns
WITHOUT_PICTURE = {
    "ethics: misuse, and what a model is not for",
    "feature matching as a game that the discriminator plays too",
    "few images: augmentation whose probability follows the discriminator's overfitting",
    "generated images as more training data for a classifier",
    "virtual batch normalization",
}


def links(cell):
    """(text, path) of each link in a cell; paths are from the page's folder."""
    return [(text, (PAGE.parent / path).resolve()) for text, path in re.findall(r"\[([^\]]+)\]\(([^)]+)\)", cell)]


def test_every_topic_has_code_a_test_and_a_picture():
    assert [len(row) for row in ROWS] == [4] * len(ROWS) and len(ROWS) > 15
    assert all(all(row[:3]) for row in ROWS)
    assert {row[0] for row in ROWS if not row[3]} == WITHOUT_PICTURE


@pytest.mark.parametrize("row", ROWS, ids=operator.itemgetter(0))
def test_what_a_row_names_exists(row):
    _, code, tests, picture = row
    names = re.findall(r"`kg\.([\w.]+)`", code)
    assert len(names) + len(links(code)) == len(code.split(", "))  # nothing is named in another way
    for name in names:
        assert callable(operator.attrgetter(name)(kg))
    for _, path in links(code) + links(picture):
        assert path.is_file()
    for name, path in links(tests):
        assert re.search(rf"^ *def {name}\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(links(tests)) == len(tests.split(", "))


def test_every_picture_of_the_theory_is_in_the_table():
    pictures = {path.name for row in ROWS for _, path in links(row[3]) if path.parent.name == "theory"}
    scripts = {path.stem for path in (ROOT / "examples" / "theory").glob("*.py")}
    assert {picture.split(".")[0] for picture in pictures} == scripts


@pytest.mark.parametrize("topic", ["language modelling", "reinforcement learning", "algorithmic tasks"])
def test_the_topics_outside_are_named(topic):
    assert topic in TEXT.split("\n## Outside\n")[1]
