"""The tutorials run from the first cell to the last, in small, and are notebooks."""

import runpy
from pathlib import Path

import keras
import pytest

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="they are of the default backend")

TUTORIALS = Path(__file__).parents[2] / "examples" / "tutorials"
WRITTEN = {
    "conditional_images.py": ["asked.png"],
    "find_and_fix.py": ["sick.png", "mended.png"],
    "serve.py": ["request.json", "served.png", "serving/cgan_digits/1/saved_model.pb"],
    "train_on_a_folder.py": ["first.png", "samples.png", "runs/digits/checkpoint.keras"],
    "translate_pairs.py": ["translated.png"],
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_tutorial_runs(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EPOCHS", "1")
    monkeypatch.setenv("COUNT", "128")
    runpy.run_path(str(TUTORIALS / name), run_name="__main__")
    assert all((tmp_path / path).exists() for path in WRITTEN[name])
    if name == "serve.py":
        assert "largest difference: 0" in capsys.readouterr().out


def test_every_tutorial_is_run():
    assert {path.name for path in TUTORIALS.glob("*.py")} == set(WRITTEN)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_tutorial_is_a_notebook(name):
    jupytext = pytest.importorskip("jupytext")
    notebook = jupytext.reads(jupytext.writes(jupytext.read(TUTORIALS / name), fmt="ipynb"), fmt="ipynb")
    assert notebook.cells[0].cell_type == "markdown" and notebook.cells[0].source.startswith("# ")
    codes = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    for code in codes:
        compile(code, name, "exec")
    assert len(codes) > 1 and "# %%" not in "".join(codes)
