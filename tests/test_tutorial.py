"""docs/tutorial.ipynb is what its script makes, and runs."""

import runpy
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def made():
    return runpy.run_path(str(DOCS / "make_tutorial.py"))["notebook"]()


def test_it_is_what_its_script_makes(made):
    stored = (DOCS / "tutorial.ipynb").read_text(encoding="utf-8")
    assert stored == nbformat.writes(made) + "\n"


def test_every_cell_runs(made, tmp_path):
    done = NotebookClient(made, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    code = [cell for cell in done.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in code)
    shown = [output for cell in code for output in cell.outputs]
    assert not [o for o in shown if o.output_type == "error"]
    texts = [str(o.get("data", {}).get("text/html", "")) for o in shown]
    assert any("walk" in text and "random" in text for text in texts)
    assert any("image/png" in o.get("data", {}) for o in shown)
    assert int(shown[-1]["data"]["text/plain"]) > 100_000
