"""The examples on the pages run, and the site is built without a warning."""

import doctest
import importlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_gans as kg
from keras_gans_core import cards

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="pages are of the default backend")

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```(python|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?![a-z]+:)([\w./-]+)(?:#[\w-]+)?\)")
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def run(page, names):
    """Runs a page's blocks from top to bottom, as a reader would who pastes them."""
    runner, output = doctest.DocTestRunner(optionflags=OPTIONS), []
    for kind, code in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "python":
            exec(compile(code, str(page), "exec"), names)
        else:
            test = doctest.DocTestParser().get_doctest(code, names, page.name, str(page), 0)
            runner.run(test, out=output.append, clear_globs=False)
            names.update(test.globs)
    assert runner.failures == 0, "".join(output)


def test_the_table_of_emoji_is_what_the_cards_say():
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    for preset, side in (("cycle_gan_emoji", "_b"), ("pix2pix_emoji", "")):
        found = cards.read_card(cards.find(preset))["metrics"]
        l1, ssim, distance, source = (
            found[f"{name}{side}"]["value"] for name in ("l1", "ssim", "frechet_distance", "l1_of_source")
        )
        assert f"| `{preset}` | {l1:.3f} | {ssim:.3f} | {distance:.2f} |" in text
        assert f"| the unchanged source | {source:.3f} | | |" in text


def test_the_entries_that_were_trained_again_are_what_the_cards_say():
    text = (DOCS / "training.md").read_text(encoding="utf-8").partition("## Entries of the zoo")[2]
    rows = re.findall(r"^\| `(\w+)` \| \d+ \| (\d+) \| (\d+) \|", text, re.MULTILINE)
    assert len(rows) > 1
    for name, distance, minutes in rows:
        card = cards.read_card(cards.find(name))
        found = card["metrics"]["frechet_distance"]["value"], card["training"]["wall_seconds"] / 60
        assert tuple(map(round, found)) == (int(distance), int(minutes))


@pytest.mark.parametrize(
    "page", ["own_variant.md", "faq.md", "first_hour.md", "evaluation.md", "report.md", "pairs.md"]
)
def test_the_examples_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"np": np, "kg": kg, "keras": keras, "__name__": f"page_{page[:-3]}"}
    run(DOCS / page, names)
    if page == "own_variant.md":
        test = names["TestGeometricGAN"]()
        test.test_the_losses_are_hinges(test.make())


def test_links_lead_to_files_that_git_keeps():
    """A file that .gitignore names is there for its author alone."""
    root = DOCS.parent
    pages = [*root.glob("*.md"), *DOCS.glob("*.md"), *root.glob("examples/**/*.md")]
    links = {(page, link) for page in pages for link in LINK.findall(page.read_text(encoding="utf-8"))}
    found = {(page.parent / link).resolve() for page, link in links}
    assert len(found) > 50 and [str(file) for file in sorted(found) if not file.exists()] == []
    if not (root / ".git").exists():
        pytest.skip("not in a checkout")
    names = "\n".join(str(file.relative_to(root)) for file in sorted(found))
    command = ["git", "check-ignore", "--no-index", "--stdin"]
    done = subprocess.run(command, cwd=root, input=names, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr  # 1: none is ignored


def test_docstrings_become_markdown(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    reference = importlib.import_module("reference")
    assert doctest.testmod(reference).failed == 0
    made = reference.markdown("Adds.\n\nExample:\n\n>>> 1 + 1\n2\n\nand\n\n    a = b\n\nReference: Euler, 1748")
    blocks = ["Adds.", "**Example**", "```pycon\n>>> 1 + 1\n2\n```", "and", "```text\na = b\n```"]
    assert made == "\n\n".join([*blocks, "**Reference**: Euler, 1748"])


def test_the_citation_names_the_version():
    assert f"version: {kg.__version__}\n" in (DOCS.parent / "CITATION.cff").read_text(encoding="utf-8")


def test_the_site_is_built_without_a_warning(tmp_path):
    for name in ("sphinx", "furo", "myst_parser", "jupytext"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install '.[docs]'")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # of this environment's Python
    done = subprocess.run(
        [DOCS / "build", tmp_path / "site"],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PATH": path},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    site = tmp_path / "site" / "docs"
    made = (site / "reference" / "DCGAN.html").read_text(encoding="utf-8")
    assert "softplus" in made and "dcgan_mnist" in made
    assert all((site / "reference" / f"{name}.html").exists() for name in kg.models.__all__)
    notebooks = (tmp_path / "site" / "notebooks").glob("*.ipynb")
    tutorials = (DOCS.parent / "examples" / "tutorials").glob("*.py")
    assert {path.stem for path in notebooks} == {path.stem for path in tutorials}
